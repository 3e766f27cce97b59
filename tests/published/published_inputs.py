#!/usr/bin/env python3
"""Published nodes and pods of a comparison of six simulators, unmodified, through `squall schedule`: every pod has a fate, no node is overbooked,
each Pending pod is explained. The same checks run on input of our own generator, which needs no data.

The data is read where it stands: ../shared/data/k8s-sims/manifests beside the repository, or $SQUALL_SHARED_DATA/k8s-sims/manifests. Where it is absent
that part is left out, and says so; in CI that is a failure.

usage: published_inputs.py SQUALL SOURCE_DIR
"""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SQUALL, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
SIZES = [("nodes-100", "pods-100", 100, 1067), ("nodes-400", "pods-400", 400, 3940), ("nodes-800", "pods-800", 800, 7064), ("nodes-1200", "pods-800", 1213, 7064)]
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def milli(text):
    return int(text[:-1]) if text.endswith("m") else int(float(text) * 1000)


def mebi(text):
    units = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024}
    return float(text[:-2]) * units[text[-2:]] if text[-2:] in units else int(text) / 1048576


def documents(path):
    """name, cpu in milli-cores, memory in MiB, read without any YAML library: the last `name:` of two blanks, allocatable or requests."""
    for text in re.split(r"^---\s*$", path.read_text(), flags=re.MULTILINE):
        name = re.search(r"^  name: (\S+)", text, re.MULTILINE)
        amounts = re.search(r"(?:allocatable|requests):\n((?: {4,}\S+: .*\n?)+)", text)
        if name is None or amounts is None:
            continue
        values = dict(re.findall(r"^ +(\S+): '?([^'\n]+)'?", amounts[1], re.MULTILINE))
        yield name[1], milli(values.get("cpu", "0")), mebi(values.get("memory", "0"))


def look_at(nodes_file, pods_file, want_nodes, want_pods):
    label = f"{want_nodes} nodes, {want_pods} pods"
    run = subprocess.run([SQUALL, "schedule", nodes_file, pods_file, "--format", "json"], capture_output=True, text=True, timeout=120, check=False)
    check(run.returncode == 0, f"{label}: exit code {run.returncode}: {run.stderr[:300]}")
    if run.returncode != 0:
        return
    result = json.loads(run.stdout)
    check((result["nodes"], result["pods"]) == (want_nodes, want_pods), f"{label}: counted {result['nodes']} nodes, {result['pods']} pods")
    check(result["scheduled"] == len(result["placements"]), f"{label}: scheduled differs from the placements")
    fates = [*result["placements"], *(p["pod"] for p in result["pending"])]
    check(len(fates) == len(set(fates)) == want_pods, f"{label}: {len(set(fates))} fates")
    for pending in result["pending"]:
        check(re.match(rf"0/{want_nodes} nodes are available: .+\.", pending["message"]), f"{label}: {pending['pod']}: '{pending['message']}'")
    capacity = {name: (cpu, memory) for name, cpu, memory in documents(nodes_file)}
    demand = {name: (cpu, memory) for name, cpu, memory in documents(pods_file)}
    check(len(capacity) == want_nodes and len(demand) == want_pods, f"{label}: this test reads {len(capacity)} nodes and {len(demand)} pods")
    used = collections.defaultdict(lambda: [0, 0.0])
    for pod, node in result["placements"].items():
        cpu, memory = demand[pod.split("/")[1]]
        used[node][0] += cpu
        used[node][1] += memory
    for node, (cpu, memory) in used.items():
        check(cpu <= capacity[node][0] and memory <= capacity[node][1], f"{label}: {node} is overbooked")
    # Nothing Pending would fit: the emptiest place is too small for it.
    for pending in result["pending"]:
        cpu, memory = demand[pending["pod"].split("/")[1]]
        fits = [n for n, (c, m) in capacity.items() if used[n][0] + cpu <= c and used[n][1] + memory <= m]
        check(not fits, f"{label}: {pending['pod']} is Pending but fits on {fits[:3]}")
    print(f"ok: {label}: {result['scheduled']} scheduled, {len(result['pending'])} pending")


def main():
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run([SQUALL, "generate", "k8s-sims", "--nodes", "60", "--pods", "900", "--seed", "5"], capture_output=True, text=True, check=True).stdout
        parts = re.split(r"^---\s*\n", made, flags=re.MULTILINE)
        for kind in ["Node", "Pod"]:
            (pathlib.Path(folder) / f"{kind}.yaml").write_text("---\n".join(p for p in parts if re.search(rf"^kind: {kind}$", p, re.MULTILINE)))
        look_at(pathlib.Path(folder) / "Node.yaml", pathlib.Path(folder) / "Pod.yaml", 60, 900)
    roots = [pathlib.Path(os.environ["SQUALL_SHARED_DATA"])] if "SQUALL_SHARED_DATA" in os.environ else [SOURCE.parent / "shared/data"]
    data = roots[0] / "k8s-sims/manifests"
    if not data.is_dir():
        print(f"left out: the published inputs are not at {data}")
        sys.exit(1 if failures or os.environ.get("CI") else 77)
    for nodes, pods, want_nodes, want_pods in SIZES:
        look_at(data / f"{nodes}.yaml", data / f"{pods}.yaml", want_nodes, want_pods)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
