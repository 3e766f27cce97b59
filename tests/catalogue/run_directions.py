#!/usr/bin/env python3
"""Changes one number of a scenario and looks where the answer goes: more memory, more nodes, a longer repair must move it as an engineer expects.

usage: run_directions.py SQUALL SOURCE_DIR
"""
import json
import pathlib
import subprocess
import sys

SQUALL, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
SEEDS = 8

# (scenario, path, its values in order, figure, what the figure does: "rises", "falls" or "stays"). The mean over the seeds never goes the other way from one
# value to the next, and moves from the first to the last.
DIRECTIONS = [
    # A faster leak reaches the second host sooner, as long as the maintenance lasts.
    ("incident-1-shared", "faults.prometheus-leak.rate", ["20Mi/s", "60Mi/s", "200Mi/s"], "kube-apiserver (write) availability", "falls"),
    # More memory in each control-plane node postpones it.
    ("incident-1-shared", "pools.control-plane.memory", ["64Gi", "256Gi", "1Ti"], "kube-apiserver (write) availability", "rises"),
    # A hung host that is reset sooner gives the member of etcd back sooner.
    ("incident-1-shared", "pools.control-plane.hangResetAfter", ["5m", "30m", "2h"], "kube-apiserver (write) availability", "falls"),
    ("incident-5-few-large", "pools.worker.count", ["12", "13", "14"], "pods Pending for more than a minute", "falls"),
    # A host that boots slower keeps its placement groups waiting longer.
    # More memory lasts longer against what the kernel never gives back.
    ("incident-6-on-control-plane-old-kernel", "pools.control-plane.memory", ["8Gi", "12Gi", "16Gi"], "kube-apiserver (write) availability", "rises"),
    # 14 pods of 500 MiB beside the control plane's 2.25 GiB fit into 12 GiB.
    ("cron-stampede-untainted", "pools.control-plane.memory", ["8Gi", "12Gi"], "etcd availability", "rises"),
    # Larger nodes have room for the pods of the one that is gone.
    ("failover-throttles-receivers", "pools.workers.memory", ["32Gi", "40Gi", "64Gi"], "node availability", "rises"),
    ("ceph-one-reboot-osd-domain", "pools.storage.boot.median", ["2m", "5m", "8m"], "CephPool/rbd availability", "falls"),
    # More hosts: fewer placement groups have two copies on one of them, but any one is enough to stop a volume. Only the domain helps.
    ("ceph-one-reboot-osd-domain", "ceph.pools.rbd.minSize", ["1", "2"], "CephPool/rbd availability", "falls"),
    ("ceph-rack-loss-host-domain", "faults.dark.duration", ["10m", "30m", "60m"], "CephPool/rbd availability", "falls"),
    # A fifth worker has room for 25 volumes more.
    ("volumes-attach-limit-block", "pools.worker.count", ["4", "5"], "pods Pending for more than a minute", "falls"),
]


def mean(scenario, path, value, name):
    command = [SQUALL, "run", f"scenarios/{scenario}.yaml", "--set", f"{path}={value}", "--replications", str(SEEDS), "--format", "json", "--quiet"]
    result = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=600, check=False)
    if result.returncode not in (0, 1):
        raise RuntimeError(f"exit {result.returncode}: {result.stderr}")
    for one in json.loads(result.stdout)["aggregate"]:
        if one["name"] == name:
            return one["mean"], one["unit"]
    raise RuntimeError(f"there is no figure '{name}'")


def main():
    failures = 0
    for scenario, path, values, name, direction in DIRECTIONS:
        try:
            answers = [mean(scenario, path, value, name) for value in values]
        except RuntimeError as error:
            print(f"FAILED: {scenario} {path}: {error}")
            failures += 1
            continue
        means = [answer for answer, _ in answers]
        steps = [b - a for a, b in zip(means, means[1:])]
        if direction == "stays":
            ok = all(step == 0 for step in steps)
        else:
            sign = 1 if direction == "rises" else -1
            ok = all(sign * step >= 0 for step in steps) and sign * (means[-1] - means[0]) > 0
        failures += not ok
        told = ", ".join(f"{value}: {answer:.6g}" for value, answer in zip(values, means))
        print(f"{'ok' if ok else 'FAILED'}: {scenario}: {name} ({answers[0][1]}) {direction} with {path}: {told}")
    print(f"{len(DIRECTIONS)} directions, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
