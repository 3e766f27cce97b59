#!/usr/bin/env python3
"""Squall's API Priority and Fairness beside the real one, request by request.

Random API servers live for some seconds to minutes of virtual time: default and random levels and schemas, several clients of several kinds, bursts and
floods. The oracle runs the real controller (informers, borrowing every 10 s), the real filter and the real work estimator of k8s.io/apiserver on a fake
clock; Squall runs its own. Compared are, for each request: its FlowSchema and level, its seats, the nanosecond at which it begins or is refused, and the
Retry-After; for each level, now and then, its current seats; and the hands that the shuffle-sharding dealer deals.

  differential.py --trace build/release/tests/flow_control_trace --cases 300

Without Go or its modules the comparison is left out: exit code 77, or 1 where CI=true. 1 also on any disagreement.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
LEFT_OUT = 77
SECOND = 1_000_000_000
API = "flowcontrol.apiserver.k8s.io/v1"
BUILT_IN = ["system", "node-high", "leader-election", "workload-high", "workload-low", "global-default", "catch-all", "exempt"]


class LeftOut(Exception):
    pass


def build_oracle(folder):
    go = shutil.which("go") or ("/usr/local/go/bin/go" if os.path.exists("/usr/local/go/bin/go") else None)
    if go is None:
        raise LeftOut("there is no `go`")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "apf-oracle"
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-mod=readonly -buildvcs=false")
    modules = subprocess.run([go, "mod", "download"], cwd=HERE / "oracle", env=environment, capture_output=True, text=True)
    if modules.returncode != 0:
        raise LeftOut("the Go modules cannot be had: " + modules.stderr.strip()[-300:])
    built = subprocess.run([go, "test", "-c", "-o", str(program), "."], cwd=HERE / "oracle", env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        sys.exit("the oracle does not build:\n" + built.stderr)
    return program


class Case:
    """A pure function of the seed."""

    def __init__(self, seed):
        self.random = r = random.Random(seed)
        self.seed = seed
        self.levels, self.schemas = [], []
        self.used = set()
        if self.chance(0.6):
            for i in range(r.randint(1, 3)):
                self.level(f"own-{i}" if self.chance(0.8) else r.choice(BUILT_IN[:6]))
            for i in range(r.randint(1, 4)):
                self.schema(f"own-{i}" if self.chance(0.9) else r.choice(["service-accounts", "global-default", "system-nodes"]))
        self.limit = r.choice([6, 10, 20, 40, 100, 600, 600])
        self.objects = {resource: (r.choice([0, 3, 200, 5000, 100_000]), r.choice([0, 500, 4000, 20_000])) for resource in
                        ("pods", "configmaps", "events", "secrets")}
        self.requests = []
        self.until = r.choice([1, 5, 35, 65]) * SECOND
        for _ in range(r.randint(2, 9)):
            self.client()
        self.requests.sort(key=lambda request: request["at"])
        # No two at one instant: nobody says which of them comes first.
        for before, after in zip(self.requests, self.requests[1:]):
            if after["at"] <= before["at"]:
                after["at"] = before["at"] + 1
        self.looks = [SECOND // 2, 5 * SECOND] + [t * SECOND for t in range(15, self.until // SECOND + 30, 10)]

    def chance(self, share):
        return self.random.random() < share

    def level(self, name):
        if name in self.used:
            return
        self.used.add(name)
        r = self.random
        limited = {"nominalConcurrencyShares": r.choice([0, 1, 5, 30, 100]), "lendablePercent": r.choice([0, 0, 30, 50, 100])}
        if self.chance(0.5):
            limited["borrowingLimitPercent"] = r.choice([0, 50, 100, 300])
        if self.chance(0.2):
            limited["limitResponse"] = {"type": "Reject"}
        else:
            queues = r.choice([1, 2, 8, 64, 128, 1000])
            hand = min(queues, r.choice([1, 2, 4, 6, 8]))
            while hand > 1 and queues ** hand > 2 ** 60:
                hand -= 1
            limited["limitResponse"] = {"type": "Queue", "queuing": {"queues": queues, "handSize": hand, "queueLengthLimit": r.choice([1, 3, 10, 50])}}
        metadata = {"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "false"}}
        self.levels.append({"apiVersion": API, "kind": "PriorityLevelConfiguration", "metadata": metadata, "spec": {"type": "Limited", "limited": limited}})

    def schema(self, name):
        if name in self.used:
            return
        self.used.add(name)
        r = self.random
        subjects = []
        for _ in range(r.randint(1, 2)):
            kind = r.choice(["User", "Group", "ServiceAccount"])
            if kind == "User":
                subjects.append({"kind": kind, "user": {"name": r.choice(["*", "alice", "system:kube-scheduler", "system:serviceaccount:shop:agent"])}})
            elif kind == "Group":
                subjects.append({"kind": kind, "group": {"name": r.choice(["*", "system:serviceaccounts:shop", "system:nodes", "ops"])}})
            else:
                subjects.append({"kind": kind, "serviceAccount": {"name": r.choice(["*", "agent"]), "namespace": r.choice(["shop", "sho", "kube-system"])}})
        rule = {"subjects": subjects}
        if self.chance(0.9):
            rule["resourceRules"] = [{"verbs": r.choice([["*"], ["list", "watch"], ["get"], ["create", "update"]]), "apiGroups": r.choice([["*"], [""], ["apps", ""]]),
                                      "resources": r.choice([["*"], ["pods"], ["pods", "configmaps", "nodes/status"]]), "clusterScope": self.chance(0.6),
                                      "namespaces": r.choice([["*"], ["shop"], ["shop", "default"]])}]
        if self.chance(0.2) or "resourceRules" not in rule:
            rule["nonResourceRules"] = [{"verbs": r.choice([["*"], ["get"]]), "nonResourceURLs": r.choice([["*"], ["/metrics"], ["/healthz/*", "/debug/*"]])}]
        level = r.choice([entry["metadata"]["name"] for entry in self.levels] + ["global-default", "workload-low", "absent"])
        spec = {"matchingPrecedence": r.choice([2, 50, 500, 1000, 9000, 9950]), "priorityLevelConfiguration": {"name": level}, "rules": [rule]}
        if self.chance(0.7):
            spec["distinguisherMethod"] = {"type": r.choice(["ByUser", "ByNamespace"])}
        metadata = {"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "false"}}
        self.schemas.append({"apiVersion": API, "kind": "FlowSchema", "metadata": metadata, "spec": spec})

    def client(self):
        r = self.random
        kind = r.choice(["node", "agent", "agent", "person", "manager", "scheduler", "system-agent", "admin", "stranger"])
        many = r.choice([1, 1, 5, 40])
        base = {"groups": ["system:authenticated"]}
        if kind == "node":
            base["groups"] = ["system:nodes", "system:authenticated"]
        elif kind == "agent":
            base["groups"] = ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]
        elif kind == "system-agent":
            base["groups"] = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]
        elif kind == "admin":
            base["groups"] = ["system:masters", "system:authenticated"]
        elif kind == "stranger":
            base["groups"] = ["system:unauthenticated"] if self.chance(0.7) else ["nobody"]
        elif self.chance(0.3):
            base["groups"].append("ops")
        names = {"node": "system:node:n{}", "agent": "system:serviceaccount:shop:agent{}", "person": "alice{}", "manager": "system:kube-controller-manager",
                 "scheduler": "system:kube-scheduler", "system-agent": "system:serviceaccount:kube-system:dns{}", "admin": "admin{}", "stranger": "system:anonymous"}
        verb = r.choice(["get", "list", "list", "watch", "create", "update", "patch", "delete", "deletecollection"])
        resource = r.choice(["pods", "pods", "configmaps", "events", "nodes", "leases", "secrets"])
        base |= {"verb": verb, "resource": resource, "group": {"leases": "coordination.k8s.io"}.get(resource, ""),
                 "namespace": "" if resource == "nodes" or self.chance(0.3) else r.choice(["shop", "default", "kube-system"])}
        if kind == "manager" and self.chance(0.3):
            base |= {"resource": "leases", "group": "coordination.k8s.io", "verb": "update", "namespace": "kube-system"}
        if self.chance(0.05):
            base |= {"resource": "serviceaccounts", "subresource": "token", "verb": "create", "group": ""}
        if resource == "nodes" and self.chance(0.5):
            base["subresource"] = "status"
        if self.chance(0.07):
            base = {key: base[key] for key in ("groups",)} | {"verb": "get", "path": r.choice(["/healthz", "/readyz", "/livez/etcd", "/metrics", "/healthz/ping", "/debug/pprof"])}
        if verb in ("list", "watch") and base.get("resource") in self.objects:
            base["objects"], base["bytes"] = self.objects[base["resource"]]
        if base["verb"] in ("list", "watch"):
            query = {}
            if self.chance(0.4):
                query["resourceVersion"] = r.choice(["0", "0", "17"])
            if self.chance(0.3):
                query["limit"] = r.choice(["5", "500"])
            if self.chance(0.15):
                query["labelSelector"] = "a=b"
            if self.chance(0.15):
                query["fieldSelector"] = "spec.nodeName=n1"
            if self.chance(0.1) and base["verb"] == "list":
                query["continue"] = "abc"
            if query.get("resourceVersion") and self.chance(0.3) and base["verb"] == "list":
                query["resourceVersionMatch"] = r.choice(["Exact", "NotOlderThan"])
            if base["verb"] == "watch" and self.chance(0.4):
                query |= {"sendInitialEvents": r.choice(["true", "false"]), "resourceVersionMatch": "NotOlderThan"}
            base["query"] = query
            if self.chance(0.1):
                base["name"] = "one"
        base["watchers"] = r.choice([0, 3, 9, 10, 11, 95, 400, 3000])
        begin = r.randrange(self.until)
        length = r.choice([SECOND // 10, SECOND, 10 * SECOND, self.until])
        rate = r.choice([2, 20, 200, 2000]) / (SECOND if length > SECOND else SECOND // 10)
        takes = r.choice([2_000_000, 30_000_000, 500_000_000, 4 * SECOND])
        now = begin
        for _ in range(400):
            now += 1 + int(r.expovariate(rate))
            if now > min(begin + length, self.until):
                break
            request = dict(base, at=now, user=names[kind].format(r.randrange(many)), takes=1 + int(r.expovariate(1 / takes)), timeout=r.choice([60, 60, 60, 10, 4]) * SECOND)
            if self.chance(0.05):
                request["cancel"] = 1 + r.randrange(5 * SECOND)
            self.requests.append(request)

    def hands(self):
        r = random.Random(self.seed + 1)
        for _ in range(200):
            deck = r.choice([1, 2, 3, 8, 16, 64, 128, 511, 1024, 100_000])
            yield {"deck": deck, "hand": r.randint(1, 12), "hash": str(r.choice([r.getrandbits(64), r.getrandbits(8), 2 ** 64 - 1]))}

    def text(self):
        return json.dumps({"limit": self.limit, "levels": self.levels, "schemas": self.schemas, "requests": self.requests, "looks": self.looks, "hands": list(self.hands())})


def has_tie(case, answer):
    """Two things at one level in one nanosecond: nobody says which comes first, and the real one answers now so, now so."""
    seen = set()
    for request, outcome in zip(case.requests, answer["outcomes"]):
        instants = [request["at"]]
        if outcome["started"] >= 0:
            end = outcome["started"] + request["takes"]
            instants += [end, end + outcome["seats"][2]] if outcome["seats"][2] else [end]
        for instant in instants:
            if (outcome["level"], instant) in seen:
                return True
            seen.add((outcome["level"], instant))
    return False


def differences(case, ours, theirs):
    result = []
    for i, (mine, real) in enumerate(zip(ours["outcomes"], theirs["outcomes"])):
        for key in ("schema", "level", "seats", "started", "refused", "retryAfter"):
            if mine[key] != real[key]:
                result.append((case.requests[i]["at"], f"request {i} {case.requests[i]}: {key} {mine[key]}, really {real[key]} (ours {mine}, really {real})"))
                break
    for look, mine, real in zip(case.looks, ours["looks"], theirs["looks"]):
        if mine != real:
            result.append((look, f"seats at {look / SECOND} s: " + str({name: (mine.get(name), real.get(name)) for name in real if mine.get(name) != real.get(name)})))
    for hand, mine, real in zip(case.hands(), ours["hands"], theirs["hands"]):
        if mine != real:
            result.append((0, f"hand {hand}: {mine}, really {real}"))
    return [text for _, text in sorted(result, key=lambda entry: entry[0])]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trace", required=True)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build-dir", default="/tmp/apf-oracle")
    parser.add_argument("--oracle", help="already built")
    options = parser.parse_args()
    try:
        oracle = options.oracle or build_oracle(pathlib.Path(options.build_dir))
    except LeftOut as reason:
        print(f"left out: {reason}")
        return 1 if os.environ.get("CI") == "true" else LEFT_OUT
    total = {"cases": 0, "requests": 0, "queued": 0, "refused": 0, "looks": 0, "hands": 0, "cases left out for a tie": 0}
    wrong = 0
    batch = 25
    for first in range(options.seed, options.seed + options.cases, batch):
        cases = [Case(seed) for seed in range(first, min(first + batch, options.seed + options.cases))]
        folder = pathlib.Path(options.build_dir)
        folder.mkdir(parents=True, exist_ok=True)
        questions = "\n".join(case.text() for case in cases) + "\n"
        (folder / "cases.jsonl").write_text(questions)
        environment = dict(os.environ, CASES=str(folder / "cases.jsonl"), ANSWERS=str(folder / "answers.jsonl"))
        done = subprocess.run([str(oracle), "-test.timeout", "30m"], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stdout[-3000:] + done.stderr[-3000:])
            return 1
        theirs = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
        done = subprocess.run([options.trace], input=questions, capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stdout[-1000:] + done.stderr[-3000:])
            return 1
        ours = [json.loads(line) for line in done.stdout.splitlines()]
        if len(ours) != len(cases) or len(theirs) != len(cases):
            print(f"{len(cases)} cases, {len(ours)} answers of Squall, {len(theirs)} of the oracle")
            return 1
        for case, mine, real in zip(cases, ours, theirs):
            if len(mine["outcomes"]) != len(case.requests) or len(real["outcomes"]) != len(case.requests) or len(mine["looks"]) != len(case.looks):
                print(f"seed {case.seed}: an answer is incomplete")
                return 1
            if has_tie(case, mine) or has_tie(case, real):
                total["cases left out for a tie"] += 1
                continue
            found = differences(case, mine, real)
            total["cases"] += 1
            total["requests"] += len(case.requests)
            total["queued"] += sum(1 for o, q in zip(real["outcomes"], case.requests) if o["started"] > q["at"])
            total["refused"] += sum(1 for o in real["outcomes"] if o["refused"] >= 0)
            total["looks"] += len(case.looks)
            total["hands"] += len(real["hands"])
            wrong += len(found)
            if found:
                print(f"seed {case.seed}, limit {case.limit}: {len(found)} disagreements\n  " + "\n  ".join(found[:3]))
    print(", ".join(f"{count} {what}" for what, count in total.items()) + f": {wrong} disagreements")
    if total["queued"] == 0 or total["refused"] == 0 or total["cases left out for a tie"] > max(2, options.cases // 10):
        print("nothing waited or nothing was refused: these cases show nothing")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
