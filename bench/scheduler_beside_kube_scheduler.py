#!/usr/bin/env python3
"""Pods scheduled per second: Squall's scheduler beside kube-scheduler's own code, on the same manifests, in one run, decisions compared.

The real one is k8s.io/kubernetes in one process (tests/differential/scheduler/oracle): snapshot, scheduling cycle and assuming the pod, without queue,
binding or API server; with 16 workers, as by default (pods/s of elapsed time), and with one (pods/s of processor time, and the nodes that it chose).
Squall's side (bench/scheduler_peer.cpp, one thread) is queue, cycle and assuming the pod, in pods/s of processor time, the median of the repetitions.
"times" is Squall's figure over the better of the real one's two.

  scheduler_beside_kube_scheduler.py build/release/bench/scheduler_peer                      all mixes on 5,000 nodes: some minutes, most of them the real one's
  scheduler_beside_kube_scheduler.py PEER --mix anti-affinity --nodes 1000 --format json     one mix, smaller, as JSON
  scheduler_beside_kube_scheduler.py PEER --only squall                                      without the real one

Exit code 0; 1 when a pod got another node than from the real one, or a mix is below its goal with --goals; 77 without Go or its modules.
"""
import argparse
import json
import os
import pathlib
import subprocess
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/differential/scheduler"))
from run import LeftOut, build_oracle  # noqa: E402

APPS = 20
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def selector(app):
    return {"matchLabels": {"app": f"app-{app}"}}


def spread(key, when, app):
    return {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": selector(app)}


def plain(app):
    return {}


def anti_affinity(app):
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": HOST, "labelSelector": selector(app)}]}}}


def preferred_affinity(app):
    term = {"topologyKey": ZONE, "labelSelector": selector(app)}
    near = {"topologyKey": HOST, "labelSelector": selector((app + 1) % APPS)}
    return {"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 50, "podAffinityTerm": near}]},
                         "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "podAffinityTerm": term}]}}}


def spread_hard(app):
    return {"topologySpreadConstraints": [spread(ZONE, "DoNotSchedule", app), spread(HOST, "DoNotSchedule", app)]}


def spread_soft(app):
    return {"topologySpreadConstraints": [spread(ZONE, "ScheduleAnyway", app), spread(HOST, "ScheduleAnyway", app)]}


def apart_and_spread(app):
    return {**anti_affinity(app), "topologySpreadConstraints": [spread(ZONE, "DoNotSchedule", app), spread(HOST, "ScheduleAnyway", app)]}


# name: pods on each node before, what their specs add, their requests, how many times the real one's speed is the goal
MIXES = {
    "empty": (0, plain, "500m", "1Gi", 100),
    "half-full": (16, plain, "1", "4Gi", 100),
    "anti-affinity": (10, anti_affinity, "500m", "1Gi", 30),
    "preferred-affinity": (10, preferred_affinity, "500m", "1Gi", 30),
    "spread-hard": (10, spread_hard, "500m", "1Gi", 30),
    "spread-soft": (10, spread_soft, "500m", "1Gi", 30),
    "anti-affinity-and-spread": (10, apart_and_spread, "500m", "1Gi", 30),
}


def pod(serial, app, extra, node=None, cpu="500m", memory="1Gi"):
    spec = {"containers": [{"name": "c", "image": "app:1", "resources": {"requests": {"cpu": cpu, "memory": memory}}}], "priority": 0, **extra(app)}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{serial}", "namespace": "default", "labels": {"app": f"app-{app}"}}, "spec": spec,
            "status": {"phase": "Running" if node else "Pending", **({"startTime": "2026-01-01T00:00:00Z"} if node else {})}}


def cluster(nodes, pods, already, extra, cpu, memory):
    room = {"cpu": "32", "memory": "128Gi", "pods": "110"}
    objects = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{i:04}", "labels": {HOST: f"node-{i:04}", ZONE: f"zone-{i % 5}"}}, "spec": {},
                "status": {"allocatable": room, "capacity": room}} for i in range(nodes)]
    serial = 0
    for i in range(nodes):
        for k in range(already):
            objects.append(pod(serial, (i + k) % APPS, extra, f"node-{i:04}", cpu, memory))
            serial += 1
    for i in range(pods):
        objects.append(pod(serial, i % APPS, extra))
        serial += 1
    return objects


def measure(name, arguments, oracle):
    already, extra, cpu, memory, goal = MIXES[name]
    objects = cluster(arguments.nodes, arguments.pods, already, extra, cpu, memory)
    result = {"mix": name, "nodes": arguments.nodes, "podsBefore": already * arguments.nodes, "podsPending": arguments.pods}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "cluster.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        ours = json.loads(subprocess.run([arguments.peer, str(path), str(arguments.repetitions)], capture_output=True, text=True, check=True).stdout)
    result["placed"] = ours["scheduled"]
    result["squall"] = ours["pods"] / statistics.median(ours["cpuSeconds"])
    if oracle is None:
        return result
    question = json.dumps({"name": name, "objects": objects})
    real = {}
    for workers in (16, 1):
        done = subprocess.run([oracle, "-bench", "-parallelism", str(workers)], input=question, capture_output=True, text=True, check=True)
        real[workers] = json.loads(done.stdout)
    theirs = real[1]["placements"]
    result["real16Elapsed"] = real[16]["pods"] / real[16]["seconds"]
    result["real1Cpu"] = real[1]["pods"] / real[1]["cpuSeconds"]
    result["differ"] = sum(1 for key in theirs.keys() | ours["placements"].keys() if ours["placements"].get(key) != theirs.get(key))
    result["times"] = result["squall"] / max(result["real16Elapsed"], result["real1Cpu"])
    result["goal"] = goal
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", help="build/release/bench/scheduler_peer")
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--mix", action="append", choices=list(MIXES), help="may be repeated; default: all")
    parser.add_argument("--repetitions", type=int, default=5, help="of Squall's side")
    parser.add_argument("--only", choices=["squall"], help="without the real one")
    parser.add_argument("--goals", action="store_true", help="exit code 1 also when a mix is below its goal")
    parser.add_argument("--oracle", help="a built oracle; otherwise it is built")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    arguments = parser.parse_args()
    oracle = None
    if arguments.only is None:
        try:
            oracle = arguments.oracle or str(build_oracle(ROOT / "build/scheduler-oracle"))
        except LeftOut as why:
            print(f"LEFT OUT: kube-scheduler was not measured: {why}\n(--only squall measures Squall alone)", file=sys.stderr)
            return 77
    results = []
    if arguments.format == "text":
        print(f"{arguments.nodes:,} nodes, {arguments.pods:,} pods to place; load of the machine {os.getloadavg()[0]:.1f}")
        print(f"{'mix':26} {'before':>7} {'placed':>7} {'squall':>9} {'real, 16 workers':>17} {'real, 1 worker':>15} {'times':>7} {'goal':>5} {'differ':>7}")
    for name in arguments.mix or MIXES:
        print(f"{name} ...", end="\r", file=sys.stderr, flush=True)
        one = measure(name, arguments, oracle)
        results.append(one)
        if arguments.format == "text":
            compared = f" {one['real16Elapsed']:17,.0f} {one['real1Cpu']:15,.0f} {one['times']:7,.0f} {one['goal']:5} {one['differ']:7}" if oracle else ""
            print(f"{name:26} {one['podsBefore']:7} {one['placed']:7} {one['squall']:9,.0f}{compared}", flush=True)
    if arguments.format == "json":
        print(json.dumps({"load": os.getloadavg()[0], "mixes": results}, indent=1))
    wrong = any(one.get("differ") for one in results)
    slow = arguments.goals and any(one["times"] < one["goal"] for one in results if "times" in one)
    return 1 if wrong or slow else 0


if __name__ == "__main__":
    sys.exit(main())
