#!/usr/bin/env python3
"""Squall's scheduler beside the real kube-scheduler, decision for decision.

Each cluster (the kept cases, then random ones) goes through `squall schedule --explain` and through the oracle, a program around the real scheduler
framework. Compared are, for every scheduling cycle: what each plugin says of each node, the first rejection with nominated pods, the scores of each
plugin before and after normalisation, the set of best nodes, the choice, candidates, victims and node of a preemption, and the message of the
FailedScheduling event. The order of the cycles and the random offset of a preemption's dry run are Squall's; everything else is decided twice.

  run.py --squall build/release/squall --clusters 200              compares
  run.py --squall build/release/squall --clusters 2000 --shrink    and makes a disagreement small, as a file in cases/

Without Go or its modules the comparison is left out: exit code 77, or 1 where CI=true. 1 also on any disagreement.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import generate  # noqa: E402

LEFT_OUT = 77


class LeftOut(Exception):
    pass


def build_oracle(folder):
    go = shutil.which("go") or ("/usr/local/go/bin/go" if os.path.exists("/usr/local/go/bin/go") else None)
    if go is None:
        raise LeftOut("there is no `go`")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "scheduler-oracle"
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-mod=readonly -buildvcs=false")
    modules = subprocess.run([go, "mod", "download"], cwd=HERE / "oracle", env=environment, capture_output=True, text=True)
    if modules.returncode != 0:
        raise LeftOut("the Go modules cannot be had: " + modules.stderr.strip()[-300:])
    built = subprocess.run([go, "build", "-o", str(program), "."], cwd=HERE / "oracle", env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        sys.exit("the oracle does not build:\n" + built.stderr)
    return program


class Oracle:
    def __init__(self, program):
        self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def ask(self, question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the oracle ended")
        return json.loads(line)


def ask_squall(squall, cluster):
    documents = json.dumps({"apiVersion": "v1", "kind": "List", "items": cluster["objects"]})
    command = [squall, "schedule", "-", "--explain", "--format", "json"]
    with tempfile.TemporaryDirectory() as folder:
        if cluster.get("config"):
            path = pathlib.Path(folder) / "config.json"
            path.write_text(json.dumps(cluster["config"]))
            command += ["--config", str(path)]
        done = subprocess.run(command, input=documents, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"squall: exit code {done.returncode}\n{done.stderr[:2000]}")
    return json.loads(done.stdout)["cycles"]


def plain(verdict):
    """The order of reasons of one plugin is that of a Go map for extended resources."""
    if verdict is None:
        return None
    return {**verdict, "reasons": sorted(verdict.get("reasons") or [])}


class Tally:
    def __init__(self):
        self.clusters = self.pods = self.cycles = self.verdicts = self.scores = self.preemptions = self.messages = 0
        self.disagreements = []

    def compared(self):
        return self.verdicts + self.scores + self.preemptions + self.messages + self.cycles

    def text(self):
        return (f"{self.clusters} clusters, {self.pods} pods, {self.cycles} cycles: {self.verdicts} verdicts of plugins on nodes, {self.scores} scores, "
                f"{self.preemptions} preemptions, {self.messages} messages; {self.compared()} decisions compared, {len(self.disagreements)} disagreements")


def first_difference(ours, theirs, node_names, tally):
    """Where two cycles differ, as (what, ours, theirs); None when they agree."""
    if theirs.get("problem"):
        return ("oracle", None, theirs["problem"])
    tally.cycles += 1
    if theirs.get("failed"):
        tally.messages += 1
        return None if ours.get("message") == theirs["message"] and not ours.get("node") else ("error of a plugin", ours.get("node") or ours.get("message"), theirs["message"])
    if plain(ours.get("preFilter")) != plain(theirs.get("preFilter")):
        return ("preFilter", ours.get("preFilter"), theirs.get("preFilter"))
    for name in node_names:
        a, b = ours["nodes"].get(name, {}), theirs["nodes"].get(name, {})
        rejections_a, rejections_b = a.get("filters", {}), b.get("filters", {})
        for plugin in sorted(set(rejections_a) | set(rejections_b)):
            if plain(rejections_a.get(plugin)) != plain(rejections_b.get(plugin)):
                return (f"{plugin} on {name}", rejections_a.get(plugin), rejections_b.get(plugin))
        tally.verdicts += 12  # the filters of the default profile that look at a node
        if plain(a.get("verdict")) != plain(b.get("verdict")):
            return (f"verdict on {name}", a.get("verdict"), b.get("verdict"))
        # A node may be scored by no plugin at all: when all of them have nothing to say of the pod.
        if (a.get("total") is None) != (b.get("total") is None):
            return (f"whether {name} is scored", a.get("scores"), b.get("scores"))
        scores_a, scores_b = a.get("scores") or {}, b.get("scores") or {}
        for plugin in sorted(set(scores_a) | set(scores_b)):
            none = {"raw": 0, "normalised": 0}  # a plugin that is skipped adds nothing
            one, other = scores_a.get(plugin, none), scores_b.get(plugin, none)
            if one != other:
                return (f"score of {plugin} on {name}", one, other)
            tally.scores += 2
        if a.get("total") != b.get("total"):
            return (f"total of {name}", a.get("total"), b.get("total"))
    for field in ("examined", "feasible", "best", "node"):
        if ours.get(field) != theirs.get(field):
            return (field, ours.get(field), theirs.get(field))
    a, b = dict(ours.get("preemption") or {}), theirs.get("preemption") or {}
    a.pop("offset", None)
    if a or b:
        tally.preemptions += 1
    if a != b:
        return ("preemption", a, b)
    if ours.get("message") or theirs.get("message"):
        tally.messages += 1
    if ours.get("message") != theirs.get("message"):
        return ("message", ours.get("message"), theirs.get("message"))
    return None


def compare(squall, oracle, cluster, tally):
    """The first disagreement, as {"what", "cycle", "ours", "theirs"}, or None."""
    try:
        ours = ask_squall(squall, cluster)
    except RuntimeError as error:
        return {"what": "squall", "cycle": -1, "ours": str(error), "theirs": None}
    question = dict(cluster)
    question["cycles"] = [{"pod": c["pod"], "attempt": c["attempt"], "offset": c.get("preemption", {}).get("offset", 0)} for c in ours]
    answer = oracle.ask(question)
    answer["cycles"] = answer["cycles"] or []  # null when the first one failed
    names = [o["metadata"]["name"] for o in cluster["objects"] if o["kind"] == "Node"]
    tally.clusters += 1
    tally.pods += len({c["pod"] for c in ours})
    for i, cycle in enumerate(ours):
        if i >= len(answer["cycles"]):
            return {"what": "error", "cycle": i, "pod": cycle["pod"], "ours": cycle.get("node") or cycle.get("message"), "theirs": answer.get("error", "nothing")[:1500]}
        found = first_difference(cycle, answer["cycles"][i], names, tally)
        if found:
            return {"what": found[0], "cycle": i, "pod": cycle["pod"], "ours": found[1], "theirs": found[2]}
    if answer.get("error"):
        return {"what": "error", "cycle": len(ours), "ours": None, "theirs": answer["error"][:1500]}
    return None


def kind_of(difference):
    """What is to stay the same while a cluster is made small: the plugin, not the node."""
    return difference["what"].split(" on ")[0].split(" of n")[0]


def shrink(squall, oracle, cluster, difference):
    wanted = kind_of(difference)

    def still(objects):
        found = compare(squall, oracle, {**cluster, "objects": objects}, Tally())
        return found is not None and kind_of(found) == wanted

    objects = cluster["objects"]
    size = max(1, len(objects) // 2)
    while size >= 1:
        start = 0
        while start < len(objects):
            fewer = objects[:start] + objects[start + size:]
            if fewer and still(fewer):
                objects = fewer
            else:
                start += size
        size //= 2

    def strip(path_of, container):
        changed = False
        for name in list(container):
            if name in ("apiVersion", "kind", "name", "namespace", "containers", "image"):
                continue
            kept = container.pop(name)
            if still(objects):
                changed = True
                continue
            container[name] = kept
            if isinstance(kept, dict):
                changed = strip(path_of + [name], kept) or changed
            elif isinstance(kept, list):
                for i in range(len(kept) - 1, -1, -1):
                    one = kept.pop(i)
                    if still(objects):
                        changed = True
                        continue
                    kept.insert(i, one)
                    if isinstance(one, dict):
                        changed = strip(path_of + [name, i], one) or changed
        # The order of keys is put back only by what was kept; it says nothing.
        return changed

    objects = json.loads(json.dumps(objects))
    for entry in objects:
        strip([], entry)
        for container in entry.get("spec", {}).get("containers", []) if entry["kind"] == "Pod" else []:
            strip([], container)
    return {**cluster, "objects": objects}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squall", required=True)
    parser.add_argument("--oracle", help="a built oracle; otherwise it is built")
    parser.add_argument("--build-dir", default=str(HERE / "build"), help="where the oracle is built")
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--nodes-max", type=int, default=200)
    parser.add_argument("--shrink", action="store_true", help="make each disagreement small and keep it in cases/")
    parser.add_argument("--stop-after", type=int, default=10, help="disagreements")
    parser.add_argument("--case", action="append", help="only these files")
    arguments = parser.parse_args()
    try:
        program = pathlib.Path(arguments.oracle) if arguments.oracle else build_oracle(pathlib.Path(arguments.build_dir))
    except LeftOut as why:
        print(f"LEFT OUT: the comparison with the real kube-scheduler was not run: {why}")
        return 1 if os.environ.get("CI") == "true" else LEFT_OUT
    oracle = Oracle(program)
    tally = Tally()

    def clusters():
        for path in arguments.case or sorted(str(p) for p in (HERE / "cases").glob("*.json")):
            yield {"name": pathlib.Path(path).stem, **{k: v for k, v in json.loads(pathlib.Path(path).read_text()).items() if k in ("objects", "config")}}
        if arguments.case:
            return
        for seed in range(arguments.first, arguments.first + arguments.clusters):
            yield generate.cluster(seed, arguments.nodes_max)

    for cluster in clusters():
        difference = compare(arguments.squall, oracle, cluster, tally)
        if difference is None:
            continue
        tally.disagreements.append(difference)
        print(f"DISAGREEMENT {cluster['name']}: {json.dumps(difference, indent=1)}", flush=True)
        if arguments.shrink and difference["what"] != "squall":
            small = shrink(arguments.squall, oracle, cluster, difference)
            path = HERE / "cases" / f"{cluster['name']}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({"note": difference["what"], **{k: small[k] for k in ("config", "objects") if k in small}}, indent=1) + "\n")
            print(f"  made small: {path}", flush=True)
        if len(tally.disagreements) >= arguments.stop_after:
            break
    print(tally.text())
    return 1 if tally.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
