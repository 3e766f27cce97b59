#!/usr/bin/env python3
"""Runs every scenario of the catalogue and holds it against what its file says of itself.

A scenario whose expectations must fail (the architecture that had the outage) says so in metadata.labels: `expected: fails`. Pairs that a
story is about are then looked at more closely: the failing one must fail for the reason that the story tells.

usage: run_catalogue.py SQUALL SOURCE_DIR
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

SQUALL, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
failures = []

# What the chain of causes of the failing side must pass through: (kind of outage, patterns over "kind subject message").
STORIES = {
    "incident-1-shared": [("api-unwritable", [r"[Qq]uorum", r"memory", r"FaultInjected .*leak"]),
                          ("operation-impossible", [r"operation/boot-vm", r"platform/maxscale", r"memory exhausted", r"FaultInjected .*leak"])],
    "incident-2-colocated": [("operation-impossible", [r"operation/boot-vm", r"platform/maxscale", r"VolumesHang", r"mon quorum lost: 1 of 3 up", r"HostCrashed",
                                                       r"FaultInjected .*crash"]),
                             ("service-down", [r"keystone answers nobody", r"platform/maxscale", r"VolumesHang", r"mon quorum lost: 1 of 3 up", r"HostCrashed",
                                               r"FaultInjected .*crash"]),
                             ("vms-stopped", [r"VmsHang", r"PGs of pool rbd", r"FaultInjected .*crash"])],
    "openstack-cold-start-one-dead": ("operation-impossible", [r"operation/boot-vm", r"PlatformServiceDown platform/maxscale", r"PowerLost", r"FaultInjected .*power"]),
    "rabbitmq-partition-pause-minority": ("platform-service-down", [r"platform/rabbitmq", r"pause_minority", r"FaultInjected .*cut"]),
    "dns-down-deep-probes": ("operation-impossible", [r"operation/place-an-order", r"Unhealthy", r"DependencyDown Service/kube-system/kube-dns", r"FaultInjected .*dns"]),
    "probes-impatient-slow-network": ("service-down", [r"Unhealthy .*", r"NetworkImpaired", r"Applied|Started", r"FaultInjected .*slow"]),
    "etcd-beside-osds": ("api-unwritable", [r"lost its leadership: its disk needs", r"DiskContended", r"HostCrashed", r"FaultInjected .*crash"]),
    "ceph-full-disk": ("ceph-pool-blocked", [r"PoolFull", r"OsdFull", r"FaultInjected .*fill"]),
    "ceph-two-mons-on-one-host": ("ceph-no-quorum", [r"MonQuorumLost", r"HostCrashed"]),
    "ceph-one-reboot-osd-domain": ("service-down", [r"PGs of pool rbd answer no writes", r"FaultInjected .*reboot"]),
    "ceph-mds-failover-without-standby": ("service-down", [r"VolumesHang", r"FsUnavailable", r"MdsStopped", r"HostCrashed", r"FaultInjected .*metadata-server"]),
    "volumes-rwo-on-a-dead-node": ("service-down", [r"HostPoweredOff", r"FaultInjected .*power"]),
    "volumes-attach-limit-block": ("pod-pending", [r"exceed max volume count", r"FaultInjected .*maintenance"]),
    "incident-3-registry-on-ceph": ("pod-pending", [r"RegistryDown", r"VolumeIoBlocked|VolumesHang|Quorum", r"HostCrashed", r"FaultInjected .*ceph-breaks"]),
    "registry-thousand-nodes": ("pod-pending", [r"Pulling"]),
    "image-pulls-fill-disk": ("pod-pending", [r"EvictionThresholdMet .*imagefs.available .*images"]),
    "logs-fill-control-plane": [("api-unwritable", [r"EtcdQuorumLost", r"no space left on device", r"DiskFull .*files that no pod owns", r"FaultInjected .*audit-log"])],
    "incident-4-monitoring-inside": ("service-down", [r"DependencyDown", r"VolumesHang|VolumeIoBlocked", r"FaultInjected .*power"]),
    "certificates-expire-unwarned": ("node-not-ready", [r"CertificateExpired", r"FaultInjected .*certificates"]),
    "incident-6-on-control-plane-old-kernel": ("api-unwritable", [r"EtcdQuorumLost", r"MemoryExhausted|MemoryThrashing", r"KernelMemoryGrows .*dying memory cgroups"]),
    "cron-stampede-untainted": ("api-unwritable", [r"EtcdQuorumLost", r"MemoryExhausted", r"CronJob/cron/hourly"]),
    "failover-throttles-receivers": ("node-not-ready", [r"MemoryExhausted", r"TaintManagerEviction", r"FaultInjected .*crash"]),
    "restart-stampede-takes-next-node": ("service-down", [r"HostHung .*memory exhausted", r"TaintManagerEviction", r"FaultInjected .*power-off"]),
    "webhook-admits-itself": [("replicas-missing", [r"ReplicaSet/shop/orders", r"FailedCreate .*failed calling webhook", r"PowerLost|lost its power", r"FaultInjected .*power"]),
                              ("replicas-missing", [r"ReplicaSet/policy/policy", r"FailedCreate .*failed calling webhook"])],
    "cold-start-registry-inside": ("pod-pending", [r"Failed to pull image", r"RegistryDown"]),
    "replicas-missing-untold": ("replicas-missing", [r"Failed to pull image .*shop/web:7.*not found", r"FaultInjected .*clean-up"]),
    "year-few-large": ("pod-pending", [r"FailedScheduling", r"FaultInjected .*crash", r"FailureProcess .*fails at the age of"]),
    "controllers-certificates-one-day": ("no-controller-manager", [r"CertificateExpired .*401", r"FaultInjected .*certificates"]),
    "clocks-ntp-inside": ("node-not-ready", [r"CertificateNotValid .*x509.* behind", r"PowerLost", r"FaultInjected .*power"]),
    "api-overload-agents": [("api-unwritable", [r"ApiServerUnavailable", r"OOMKilling .*lists that it serves at once", r"FaultInjected .*telemetry"])],
    "retries-keep-overload-up": ("requests-failing", [r"RequestsFailing .*no answer", r"FaultInjected .*crash"]),
    "incident-5-few-large": ("pod-pending", [r"FailedScheduling", r"FaultInjected"]),
}


def expected_to_fail(text):
    return re.search(r"^\s+expected:\s*fails\s*$", text, re.MULTILINE) is not None


def chain_text(why):
    steps = why["chain"] + why.get("contributing", [])
    return "\n".join(f"{s['kind']} {s['subject']} {s['message']}" for s in steps)


def main():
    files = [f for f in sorted((SOURCE / "scenarios").rglob("*.yaml")) if re.search(r"^kind:\s*Scenario\s*$", f.read_text(), re.MULTILINE)]
    if not files:
        print("no scenarios found")
        sys.exit(1)
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            name = file.relative_to(SOURCE).as_posix()
            want = 1 if expected_to_fail(file.read_text()) else 0
            result = subprocess.run([SQUALL, "test", file], capture_output=True, text=True, timeout=600, check=False)
            ok = result.returncode == want
            print(f"{'ok' if ok else 'FAILED'}: {name} (exit {result.returncode}, expected {want})")
            if not ok:
                failures.append(name)
                print(result.stdout + result.stderr)
            story = STORIES.get(file.stem)
            if story is None:
                continue
            out = pathlib.Path(folder) / file.stem
            subprocess.run([SQUALL, "run", file, "--quiet", "-o", out], stdout=subprocess.DEVNULL, timeout=600, check=False)
            summary = json.loads((out / "summary.json").read_text())
            for kind, patterns in story if isinstance(story, list) else [story]:
                chains = [chain_text(o["why"]) for o in summary["outages"] if o["kind"] == kind]
                told = any(all(re.search(p, chain) for p in patterns) for chain in chains)
                print(f"{'ok' if told else 'FAILED'}: {name} tells its story ({kind} back to the fault)")
                if not told:
                    failures.append(name + " (story)")
                    print("\n--\n".join(chains[:3]))
    print(f"{len(files)} scenarios, {len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
