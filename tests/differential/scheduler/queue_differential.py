#!/usr/bin/env python3
"""Squall's scheduling queue beside the real one, step by step.

Random clusters live for some minutes of virtual time: pods and nodes come, change and go. Squall schedules (queue_trace prints what its scheduler
hears, tries and binds, and when); the oracle replays the same steps with a fake clock through the real event handlers, the real PriorityQueue with
all queueing hints, and the real scheduling cycle. Compared are: which pod each pop gives and its number of attempts, the node or the message of
each cycle, and several times a second which pods are in activeQ, in backoffQ and unschedulable (so the ends of back-offs and the retry after
5 minutes too).

  queue_differential.py --trace build/release/tests/queue_trace --runs 100

Left out: preemption (every pod has preemptionPolicy: Never), volumes. Without Go or its modules the comparison is left out: exit code 77, or 1
where CI=true. 1 also on any disagreement.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from run import LEFT_OUT, LeftOut, build_oracle  # noqa: E402

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


class Script:
    """A pure function of the seed."""

    def __init__(self, seed):
        self.random = r = random.Random(seed)
        self.nodes, self.pods, self.assigned, self.script = {}, {}, {}, []
        self.serial = 0
        self.objects = [self.make_node() for _ in range(r.randint(0, 6))]
        for _ in range(r.randint(0, 8)):
            pod = self.make_pod(assigned=True)
            if pod:
                self.objects.append(pod)
        now, until = 20, r.choice([30_000, 90_000, 400_000, 700_000])
        burst = r.choice([2_000, 8_000, 40_000])
        while now < until:
            self.step(now)
            # Never on a whole second, where the flusher's turn and ours would tie.
            now += r.choice([30, 70, 110, 400, r.randint(1, burst)])
            now += 7 if now % 1000 < 20 or now % 1000 > 970 else 0
        for look in range(430, until, 500 if until < 100_000 else 1000):
            self.script.append({"at": look, "op": "look"})
        self.until = until + 10_000
        self.script.sort(key=lambda entry: entry["at"])

    def chance(self, share):
        return self.random.random() < share

    def make_node(self):
        r = self.random
        self.serial += 1
        name = f"n{self.serial}"
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {}}, "spec": {}, "status": {}}
        self.nodes[name] = node
        self.dress_node(node)
        return node

    def dress_node(self, node):
        r = self.random
        labels = {HOST: node["metadata"]["name"]} if self.chance(0.9) else {}
        if self.chance(0.7):
            labels[ZONE] = r.choice(["z0", "z1"])
        if self.chance(0.5):
            labels["disk"] = r.choice(["ssd", "hdd"])
        node["metadata"]["labels"] = labels
        spec = {}
        if self.chance(0.2):
            spec["unschedulable"] = True
        if self.chance(0.35):
            spec["taints"] = [{"key": r.choice(["team", "gpu"]), "value": r.choice(["a", "b"]), "effect": r.choice(["NoSchedule", "NoExecute", "PreferNoSchedule"])}]
        node["spec"] = spec
        amounts = {"cpu": r.choice(["1", "2", "4"]), "memory": r.choice(["2Gi", "4Gi"]), "pods": r.choice(["2", "4", "110"])}
        node["status"] = {"capacity": amounts, "allocatable": amounts, "conditions": [{"type": "Ready", "status": "True"}]}

    def make_pod(self, assigned=False):
        r = self.random
        if assigned and not self.nodes:
            return None
        self.serial += 1
        name = f"p{self.serial}"
        container = {"name": "c", "image": "app:1", "resources": {"requests": {"cpu": r.choice(["100m", "500m", "1", "3"]), "memory": r.choice(["64Mi", "1Gi", "3Gi"])}}}
        if self.chance(0.15):
            container["ports"] = [{"containerPort": 80, "hostPort": 80}]
        spec = {"containers": [container], "priority": r.choice([0, 0, 0, 5, 10]), "preemptionPolicy": "Never"}
        selector = {"matchLabels": {"app": r.choice(["web", "db"])}}
        if self.chance(0.2):
            spec["nodeSelector"] = {"disk": r.choice(["ssd", "hdd"])}
        if self.chance(0.3):
            spec["tolerations"] = [{"key": r.choice(["team", "gpu"]), "operator": "Exists"}]
        if self.chance(0.15):
            spec["affinity"] = {r.choice(["podAffinity", "podAntiAffinity"]): {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": r.choice([HOST, ZONE]), "labelSelector": selector}]}}
        if self.chance(0.2):
            spec["topologySpreadConstraints"] = [{"maxSkew": 1, "topologyKey": r.choice([HOST, ZONE]), "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector,
                                                  **({"nodeTaintsPolicy": "Honor"} if self.chance(0.4) else {})}]
        if not assigned and self.chance(0.1):
            spec["schedulingGates"] = [{"name": "example.com/wait"}]
        if assigned:
            spec["nodeName"] = r.choice(list(self.nodes))
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": r.choice(["web", "db", "cache"])}}, "spec": spec,
               "status": {"phase": "Running" if assigned else "Pending"}}
        (self.assigned if assigned else self.pods)[name] = pod
        return pod

    def say(self, now, op, thing):
        self.script.append({"at": now, "op": op, "object": json.loads(json.dumps(thing))})

    def step(self, now):
        r = self.random
        roll = r.random()
        if roll < 0.45 or not (self.pods or self.nodes):
            self.say(now, "create", self.make_pod())
        elif roll < 0.5:
            pod = self.make_pod(assigned=True)
            if pod:
                self.say(now, "create", pod)
        elif roll < 0.65 and self.pods:
            name = r.choice(sorted(self.pods))
            self.say(now, "delete", self.pods.pop(name))
        elif roll < 0.7 and self.assigned:
            self.say(now, "delete", self.assigned.pop(r.choice(sorted(self.assigned))))
        elif roll < 0.8 and self.pods:
            pod = self.pods[r.choice(sorted(self.pods))]
            what = r.choice(["labels", "tolerations", "gates"])
            if what == "labels":
                pod["metadata"]["labels"] = {"app": r.choice(["web", "db", "cache"])}
            elif what == "tolerations":
                pod["spec"].setdefault("tolerations", []).append({"key": r.choice(["team", "gpu", "node.kubernetes.io/unschedulable"]), "operator": "Exists"})
            else:
                pod["spec"].pop("schedulingGates", None)
            self.say(now, "update", pod)
        elif roll < 0.86:
            self.say(now, "create", self.make_node())
        elif roll < 0.96 and self.nodes:
            node = self.nodes[r.choice(sorted(self.nodes))]
            before = json.loads(json.dumps(node))
            self.dress_node(node)
            for part in r.sample(["labels", "spec", "status"], 2):  # mostly one change at a time
                if part == "labels":
                    node["metadata"]["labels"] = before["metadata"]["labels"]
                else:
                    node[part] = before[part]
            self.say(now, "update", node)
        elif self.nodes and self.chance(0.5):
            self.say(now, "delete", self.nodes.pop(r.choice(sorted(self.nodes))))


def trace(program, script):
    question = json.dumps({"objects": script["objects"], "script": script["script"], "until": script["until"]})
    done = subprocess.run([program], input=question, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"queue_trace: exit code {done.returncode}\n{done.stderr[:2000]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def shown(script, steps, at):
    """The steps before the one that differs, with what the script says of them."""
    lines = []
    for step in steps[max(0, at - 12): at + 1]:
        more = script["script"][step["index"]] if step["op"] == "event" else ""
        lines.append(f"  {step['t'] / 1e9:12.6f} {json.dumps(step)} {json.dumps(more) if more else ''}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trace", required=True, help="the program queue_trace")
    parser.add_argument("--oracle", help="a built oracle; otherwise it is built")
    parser.add_argument("--build-dir", default=str(HERE / "build"))
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--stop-after", type=int, default=5, help="disagreements")
    arguments = parser.parse_args()
    try:
        program = pathlib.Path(arguments.oracle) if arguments.oracle else build_oracle(pathlib.Path(arguments.build_dir))
    except LeftOut as why:
        print(f"LEFT OUT: the comparison with the real scheduling queue was not run: {why}")
        return 1 if os.environ.get("CI") == "true" else LEFT_OUT
    oracle = subprocess.Popen([str(program), "-queue"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    pops = looks = events = disagreements = 0
    for seed in range(arguments.first, arguments.first + arguments.runs):
        made = Script(seed)
        script = {"objects": made.objects, "script": made.script, "until": made.until}
        steps = trace(arguments.trace, script)
        oracle.stdin.write(json.dumps({"name": f"seed-{seed}", "objects": made.objects, "script": [entry if "object" in entry else {"op": "look"} for entry in made.script],
                                       "steps": steps}) + "\n")
        oracle.stdin.flush()
        line = oracle.stdout.readline()
        if not line:
            raise RuntimeError(f"the oracle ended at seed {seed}")
        answer = json.loads(line)
        pops += answer["pops"]
        looks += answer["looks"]
        events += sum(1 for step in steps if step["op"] == "event")
        if answer.get("what"):
            disagreements += 1
            print(f"DISAGREEMENT seed-{seed} step {answer['step']}: {answer['what']}: ours {json.dumps(answer.get('ours'))}, theirs {json.dumps(answer.get('theirs'))}")
            print(shown(script, steps, answer["step"]), flush=True)
            if disagreements >= arguments.stop_after:
                break
    print(f"{arguments.runs} runs: {events} events, {pops} pops, {looks} looks at three queues; {disagreements} disagreements")
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
