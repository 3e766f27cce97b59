#!/usr/bin/env python3
"""Changes one number of a scenario and looks where the answer goes: more memory, more nodes, a longer repair must move it as an engineer expects.

usage: run_directions.py SQUALL SOURCE_DIR [PART_OF_A_NAME]
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

SQUALL, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
SEEDS = 8

UNTOLD = "time in outages before a person was told"
WAIT = "longest wait of a Pending pod"
PENDING = "pods Pending for more than a minute"
OUTAGE = "longest outage of a service"
WRITE = "kube-apiserver (write) availability"

# (scenario, what is changed, its values in order, figure, what the figure does: "rises", "falls" or "stays"). The mean over the seeds never goes the other way from one
# value to the next, and moves from the first to the last. What is changed is a path into the scenario, or a text of it (or of a manifest: "file: text") in which {} stands
# for the value; the text is there once, with the first of the values that is marked as what stands there now.
DIRECTIONS = [
    # A faster leak reaches the second host sooner, as long as the maintenance lasts.
    ("incident-1-shared", "faults/prometheus-leak/rate", ["20Mi/s", "60Mi/s", "200Mi/s"], WRITE, "falls"),
    # More memory in each control-plane node postpones it.
    ("incident-1-shared", "pools/control-plane/memory", ["64Gi", "256Gi", "1Ti"], WRITE, "rises"),
    # A hung host that is reset sooner gives the member of etcd back sooner.
    ("incident-1-shared", "pools/control-plane/hangResetAfter", ["5m", "30m", "2h"], WRITE, "falls"),
    ("incident-2-colocated", "faults/crash/duration", ["10m", "30m", "60m"], "CephPool/rbd availability", "falls"),
    # Three copies of which two must answer: with one that is enough, two lost machines are survived, but for the monitors' quorum.
    ("incident-2-five-nodes", "ceph/pools/rbd/minSize", ["1", "2"], "CephPool/rbd availability", "falls"),
    ("incident-3-registry-on-ceph", "faults/registry-node-crashes/duration", ["20m", "60m", "90m"], "Registry/harbor.example availability", "falls"),
    ("incident-3-registry-on-ceph", "faults/ceph-breaks/duration", ["10m", "40m", "80m"], "Registry/harbor.example availability", "falls"),
    # Who looks more seldom hears later; what must be silent for longer is missed later.
    ("incident-4-monitoring-outside", "monitoring/prometheus/k8s/scrapeInterval", ["15s", "1m", "4m"], UNTOLD, "rises"),
    ("incident-4-monitoring-outside", "monitoring/probes/shop/failures", ["2", "5", "10"], UNTOLD, "rises"),
    ("incident-4-dead-mans-switch", "monitoring/deadMansSwitches/heartbeat/window", ["5m", "15m", "30m"], UNTOLD, "rises"),
    ("incident-4-monitoring-inside", "faults/power/duration", ["20m", "1h", "90m"], UNTOLD, "rises"),
    ("incident-5-few-large", "pools/worker/count", ["12", "13", "14"], PENDING, "falls"),
    ("incident-5-few-large", "faults/memory-repair/offFor", ["1h", "2h", "3h"], WAIT, "rises"),
    # More memory lasts longer against what the kernel never gives back; fewer jobs take it more slowly.
    ("incident-6-on-control-plane-old-kernel", "pools/control-plane/memory", ["8Gi", "12Gi", "16Gi"], WRITE, "rises"),
    ("incident-6-on-control-plane-old-kernel", 'schedule: "{} * * * *"', ["*", "*/2", "*/5"], WRITE, "rises"),
    # 14 pods of 500 MiB beside the control plane's 2.25 GiB fit into 12 GiB.
    ("cron-stampede-untainted", "pools/control-plane/memory", ["8Gi", "12Gi"], "etcd availability", "rises"),
    # Larger nodes have room for the pods of the one that is gone.
    ("failover-throttles-receivers", "pools/workers/memory", ["32Gi", "40Gi", "64Gi"], "node availability", "rises"),
    ("restart-stampede-takes-next-node", "pools/workers/count", ["4", "5", "6"], "Service/shop/web availability", "rises"),
    # Fewer pods leave room for those of the node that is gone.
    ("restart-stampede-takes-next-node", "replicas: {}", ["60", "50", "40"], "Service/shop/web availability", "rises"),
    ("incident-4-monitoring-outside", "monitoring/probes/shop/interval", ["15s", "1m", "3m"], UNTOLD, "rises"),
    # The window counts from the last heartbeat that came: with rarer ones that is longer ago when everything falls silent. (And a late one is a false page sooner.)
    ("incident-4-dead-mans-switch", "monitoring/deadMansSwitches/heartbeat/interval", ["30s", "2m"], UNTOLD, "falls"),
    ("incident-4-monitoring-outside", "faults/power/duration", ["20m", "1h", "90m"], "CephPool/rbd availability", "falls"),
    ("incident-2-colocated", "pools/control-plane/boot/median", ["4m", "12m", "30m"], "CephPool/rbd availability", "falls"),
    ("incident-2-colocated", "faults/maintenance/offFor", ["20m", "1h", "2h"], WRITE, "falls"),
    # What has to be copied before the placement groups answer again: the more, the longer; the faster the disks, the sooner.
    ("incident-2-five-nodes", "ceph/pools/rbd/stored", ["1Ti", "4Ti", "8Ti"], "CephPool/rbd availability", "falls"),
    ("incident-2-five-nodes", "ceph/osds/ssd/bandwidth", ["150Mi/s", "500Mi/s", "1200Mi/s"], "CephPool/rbd availability", "rises"),
    ("volumes-rwx-on-a-dead-node", "controllers/nodeMonitorGracePeriod", ["40s", "2m", "5m"], OUTAGE, "rises"),
    ("incident-3-registry-on-ceph", "pools/worker/boot/median", ["3m", "8m", "20m"], WAIT, "rises"),
    # Beside OSDs: more bandwidth of the shared disk, fewer bytes of clients, more hosts to share them, a faster fsync help; a longer absence of the host hurts.
    ("etcd-beside-osds", "pools/control-plane/diskBandwidth", ["150MB/s", "250MB/s", "500MB/s"], WRITE, "rises"),
    ("etcd-beside-osds", "ceph/pools/rbd/clientBandwidth", ["40MB/s", "70MB/s", "110MB/s"], WRITE, "falls"),
    ("etcd-beside-osds", "pools/control-plane/count", ["3", "5"], WRITE, "rises"),
    ("etcd-beside-osds", "pools/control-plane/fsync", ["300us", "20ms"], WRITE, "falls"),
    ("etcd-beside-osds", "controlPlane/etcd/electionTimeout", ["1s", "5s"], WRITE, "rises"),
    ("etcd-beside-osds", "faults/crash/duration", ["5m", "15m", "30m"], WRITE, "falls"),
    # A host that boots slower keeps its placement groups waiting longer.
    ("ceph-one-reboot-osd-domain", "pools/storage/boot/median", ["2m", "5m", "8m"], "CephPool/rbd availability", "falls"),
    # More hosts: fewer placement groups have two copies on one of them, but any one is enough to stop a volume. Only the domain helps.
    ("ceph-one-reboot-osd-domain", "ceph/pools/rbd/minSize", ["1", "2"], "CephPool/rbd availability", "falls"),
    ("ceph-rack-loss-host-domain", "faults/dark/duration", ["10m", "30m", "60m"], "CephPool/rbd availability", "falls"),
    # A fifth worker has room for 25 volumes more.
    ("volumes-attach-limit-block", "pools/worker/count", ["4", "5"], PENDING, "falls"),
    ("volumes-rwo-on-a-dead-node", "faults/power/duration", ["30m", "1h", "2h"], OUTAGE, "rises"),
    # A pod that may go anywhere moves after the time that it tolerates, whenever its node comes back.
    ("volumes-rwx-on-a-dead-node", "faults/power/duration", ["30m", "1h", "2h"], OUTAGE, "stays"),
    # 1,000 nodes share what the registry sends: half as many, or twice as much, is half the time.
    ("registry-thousand-nodes", "pools/worker/count", ["250", "500", "1000"], WAIT, "rises"),
    ("registry-thousand-nodes", "registries/registry.example/bandwidth", ["1250MB/s", "2500MB/s", "5GB/s"], WAIT, "falls"),
    ("image-pulls-fill-disk", "pools/worker/disk", ["120Gi", "240Gi"], WAIT, "falls"),
    ("openstack-cold-start", "faults/power/duration", ["5m", "10m", "30m"], "operation/boot-vm availability", "falls"),
    ("openstack-cold-start", "pools/infra/boot/median", ["4m", "8m", "16m"], "operation/boot-vm availability", "falls"),
    ("rabbitmq-partition-pause-minority", "faults/cut/duration", ["5m", "10m", "20m"], "platform/rabbitmq availability", "falls"),
    ("rabbitmq-partition-autoheal", "services/rabbitmq/broker/restartTime", ["10s", "1m", "5m"], "platform/rabbitmq availability", "stays"),  # the winner serves meanwhile
    ("rabbitmq-partition-autoheal", "faults/cut/duration", ["5m", "10m", "20m"], "operation/boot-vm availability", "falls"),
    ("dns-down-deep-probes", "faults/dns/duration", ["2m", "10m", "20m"], "operation/place-an-order availability", "falls"),
]


def override(path, value):
    """`a/b/c` as nested maps: what the variant changes."""
    inner = value
    for key in reversed(path.split("/")):
        inner = {key: inner}
    return inner


def variants(folder, number, scenario, what, values):
    """One scenario file a value, in a folder of its own beside copies of everything."""
    for index, value in enumerate(values):
        place = folder / f"{number}-{index}"
        shutil.copytree(SOURCE / "scenarios", place)
        file = place / "variant.yaml"
        text = f"apiVersion: squall.dev/v1alpha1\nkind: Scenario\nextends: {scenario}.yaml\nmetadata: {{name: {scenario}-{index}, labels: {{expected: null}}}}\n"
        if "{}" in what:
            target, _, pattern = what.rpartition(":: ")
            edited = place / (target or f"{scenario}.yaml")
            before = edited.read_text()
            if pattern.format(values[0]) not in before:
                raise RuntimeError(f"'{pattern.format(values[0])}' is not in {edited.name}")
            edited.write_text(before.replace(pattern.format(values[0]), pattern.format(value)))
        else:
            change = override(what, value)
            (key, inner), = change.items()
            text += f"{key}: {json.dumps(inner)}\n".replace(f'"{value}"', value if value.isdigit() else f'"{value}"')
        file.write_text(text)
        yield file


def answers(folder, number, scenario, what, values, name):
    files = list(variants(folder, number, scenario, what, values))
    command = [SQUALL, "compare", *files, "--replications", str(SEEDS), "--format", "json", "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if result.returncode not in (0, 1):
        raise RuntimeError(f"exit {result.returncode}: {result.stderr}")
    for one in json.loads(result.stdout)["figures"]:
        if one["name"] == name:
            return [side["value"]["mean"] for side in one["scenarios"]], one["unit"]
    raise RuntimeError(f"there is no figure '{name}'")


def main():
    failures = 0
    chosen = [one for one in DIRECTIONS if len(sys.argv) < 4 or sys.argv[3] in one[0]]
    with tempfile.TemporaryDirectory() as folder:
        for number, (scenario, what, values, name, direction) in enumerate(chosen):
            try:
                means, unit = answers(pathlib.Path(folder), number, scenario, what, values, name)
            except RuntimeError as error:
                print(f"FAILED: {scenario} {what}: {error}")
                failures += 1
                continue
            steps = [b - a for a, b in zip(means, means[1:])]
            if direction == "stays":
                ok = all(step == 0 for step in steps)
            else:
                sign = 1 if direction == "rises" else -1
                ok = all(sign * step >= 0 for step in steps) and sign * (means[-1] - means[0]) > 0
            failures += not ok
            told = ", ".join(f"{value}: {answer:.6g}" for value, answer in zip(values, means))
            print(f"{'ok' if ok else 'FAILED'}: {scenario}: {name} ({unit}) {direction} with {what}: {told}", flush=True)
    print(f"{len(chosen)} directions, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
