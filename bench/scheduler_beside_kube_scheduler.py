#!/usr/bin/env python3
"""Pods scheduled per second on 5,000 nodes: Squall's scheduler beside kube-scheduler's own code, on the same manifests, in one run.

usage: scheduler_beside_kube_scheduler.py SQUALL SCHEDULER_BENCH [NODES [PODS]]     needs Go

The real one is k8s.io/kubernetes in one process (tests/differential/scheduler/oracle): snapshot, scheduling cycle and assuming the pod, without queue,
binding or API server; with 16 workers as by default, and with one. Squall's side is scheduler_bench: queue, cycle and binding in memory.
Where the real one has one worker, the nodes of all pods are compared too.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/differential/scheduler"))
from run import LeftOut, build_oracle  # noqa: E402

SQUALL, BENCH = sys.argv[1], sys.argv[2]
NODES = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
PODS = int(sys.argv[4]) if len(sys.argv) > 4 else 2000
APPS = 20
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def pod(serial, app, extra, node=None, cpu="500m", memory="1Gi"):
    spec = {"containers": [{"name": "c", "image": "app:1", "resources": {"requests": {"cpu": cpu, "memory": memory}}}], "priority": 0, **extra(app)}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{serial}", "namespace": "default", "labels": {"app": f"app-{app}"}}, "spec": spec,
            "status": {"phase": "Running" if node else "Pending", **({"startTime": "2026-01-01T00:00:00Z"} if node else {})}}


def selector(app):
    return {"matchLabels": {"app": f"app-{app}"}}


def apart_and_spread(app):
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": HOST, "labelSelector": selector(app)}]}},
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector(app)},
                                          {"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector(app)}]}


def cluster(already, extra, cpu="500m", memory="1Gi"):
    objects = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{i:04}", "labels": {HOST: f"node-{i:04}", ZONE: f"zone-{i % 5}"}}, "spec": {},
                "status": {"allocatable": {"cpu": "32", "memory": "128Gi", "pods": "110"}, "capacity": {"cpu": "32", "memory": "128Gi", "pods": "110"}}} for i in range(NODES)]
    serial = 0
    for i in range(NODES):
        for k in range(already):
            objects.append(pod(serial, (i + k) % APPS, extra, f"node-{i:04}", cpu, memory))
            serial += 1
    for i in range(PODS):
        objects.append(pod(serial, i % APPS, extra))
        serial += 1
    return objects


CLUSTERS = {
    "empty": lambda: cluster(0, lambda app: {}),
    "half full": lambda: cluster(16, lambda app: {}, "1", "4Gi"),
    "anti-affinity and spread": lambda: cluster(10, apart_and_spread),
}


def main():
    try:
        oracle = build_oracle(ROOT / "build/scheduler-oracle")
    except LeftOut as why:
        print(f"LEFT OUT: kube-scheduler was not measured: {why}")
        return 77
    for name, make in CLUSTERS.items():
        objects = make()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "cluster.json"
            path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
            question = json.dumps({"name": name, "objects": objects})
            real = {}
            for workers in (16, 1):
                done = subprocess.run([oracle, "-bench", "-parallelism", str(workers)], input=question, capture_output=True, text=True, check=True)
                real[workers] = json.loads(done.stdout)
            done = subprocess.run([BENCH, "--benchmark_filter=BM_Manifests", "--benchmark_format=json", "--benchmark_min_time=2"], capture_output=True, text=True, check=True,
                                  env=dict(os.environ, SQUALL_BENCH_MANIFESTS=str(path)))
            ours = json.loads(done.stdout)["benchmarks"][0]["pods/s"]
            placements = json.loads(subprocess.run([SQUALL, "schedule", str(path), "--format", "json"], capture_output=True, text=True, check=True).stdout)["placements"]
        theirs = real[1].pop("placements")
        differ = sum(1 for key, node in theirs.items() if placements.get(key) != node)
        wall = real[16]["pods"] / real[16]["seconds"]
        cpu = real[1]["pods"] / real[1]["cpuSeconds"]
        print(f"{name}: squall {ours:,.0f} pods/s of CPU; kube-scheduler {wall:,.0f} of time with 16 workers, {cpu:,.0f} of CPU with one: {ours / wall:,.0f} and "
              f"{ours / cpu:,.0f} times; {len(theirs)} of {real[1]['pods']} pods placed there, {differ} differ", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
