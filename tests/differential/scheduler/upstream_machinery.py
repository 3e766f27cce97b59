"""Upstream's own tests of what stands between the plugins: node order, number of nodes to find, best node, back-off, normalisation, order of the queue,
requests of pods, messages, preemption, and the validation of configurations. Used by upstream_tables.py: record() runs the tests in its copy of the module,
with the files of recorder/machinery in the packages; compare() asks machinery_replay the same.
"""
import collections
import json
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SCHEDULER = "pkg/scheduler"
# folder, file, what is renamed there (a regular expression of the function's head), the file of recorder/machinery
WRAPPED = [
    ("backend/cache", "node_tree.go", r"func \(nt \*nodeTree\) (addNode|removeNode)\(", "cache.go"),
    (".", "schedule_one.go", r"func (?:\(sched \*Scheduler\) )?(numFeasibleNodesToFind|newSortedNodeScores)\(", "scheduler.go"),
    ("framework/plugins/helper", "normalize_score.go", r"func (DefaultNormalizeScore)\(", "helper.go"),
    ("backend/queue", "backoff_queue.go", r"func \(bq \*backoffQueue\) (calculateBackoffDuration)\(", "queue.go"),
    ("framework/plugins/queuesort", "priority_sort.go", r"func \(pl \*PrioritySort\) (Less)\(", "queuesort.go"),
    ("framework", "types.go", r"func \((?:f \*FitError|pi \*PodInfo)\) (Error|CalculateResource)\(", "framework.go"),
    ("framework/preemption", "preemption.go", r"func (pickOneNodeForPreemption)\(", "preemption.go"),
    ("framework/plugins/defaultpreemption", "default_preemption.go", r"func \(pl \*DefaultPreemption\) (SelectVictimsOnNode)\(", "defaultpreemption.go"),
    ("apis/config/validation", "validation.go", r"func (ValidateKubeSchedulerConfiguration)\(", "validation.go"),
    ("apis/config/validation", "validation_pluginargs.go",
     r"func (Validate(?:DefaultPreemption|InterPodAffinity|PodTopologySpread|NodeResourcesBalancedAllocation|NodeAffinity|VolumeBinding|NodeResourcesFit)Args)\(", "validation.go"),
]
TESTS = ("Test_SelectHost|TestNumFeasibleNodesToFind|TestNodeTree.*|TestBackoffQueue.*|TestDefaultNormalizeScore|TestLess|TestValidate.*|TestCodecsDecodePluginConfig|"
         "TestFitError_Error|TestPodInfoCalculateResources|TestPostFilter|TestDryRunPreemption|TestSelectBestCandidate|TestPreempt|TestSelectCandidate")
# Cases that must have been compared, or the recording is not what it was.
# Of pick and victims somewhat fewer than there mostly are: some of upstream's tests dry-run from a random node.
FLOORS = {"backoff": 8, "best": 1, "decode": 7, "fitError": 6, "less": 4, "nodeTree": 44, "normalise": 9, "numFeasible": 6, "pick": 8, "requests": 6, "validate": 65,
          "victims": 90}
MODELLED = {"NodeUnschedulable", "NodeName", "TaintToleration", "NodeAffinity", "NodePorts", "NodeResourcesFit", "PodTopologySpread", "InterPodAffinity"}


class NotCompared(Exception):
    pass


def prepare(kubernetes):
    """Renames the functions and puts the recording ones beside them."""
    scheduler = kubernetes / SCHEDULER
    (scheduler / "machinery").mkdir()
    shutil.copyfile(HERE / "recorder/machinery.go", scheduler / "machinery/machinery.go")

    def change(path, edit):
        text = edit(path.read_text())
        path.unlink()  # a link to the original
        path.write_text(text)

    for folder, file, head, ours in WRAPPED:
        def renamed(match):
            name = match.group(1)
            return match.group(0).replace(f"{name}(", f"upstream{name[0].upper()}{name[1:]}(")
        change(scheduler / folder / file, lambda text: re.sub("^" + head, renamed, text, flags=re.M))
        shutil.copyfile(HERE / "recorder/machinery" / ours, scheduler / folder / f"zz_machinery_{ours}")
    # What is decoded is a text of the test itself.
    decoded = "obj, gvk, err := decoder.Decode(tt.data, nil, nil)\n"
    change(scheduler / "apis/config/scheme/scheme_test.go", lambda text: text.replace(
        decoded, decoded + '\t\t\tmachinery.Write("decode", map[string]any{"text": string(tt.data), "error": fmt.Sprint(err)})\n', 1)
        .replace('import (\n', 'import (\n\t"fmt"\n', 1).replace('\t"k8s.io/kubernetes/pkg/scheduler/apis/config"\n',
                                                                 '\t"k8s.io/kubernetes/pkg/scheduler/apis/config"\n\t"k8s.io/kubernetes/pkg/scheduler/machinery"\n', 1))


def packages():
    folders = dict.fromkeys(["apis/config/scheme", *(folder for folder, _, _, _ in WRAPPED)])
    return [SCHEDULER if folder == "." else f"{SCHEDULER}/{folder}" for folder in folders]


# ---- from events to questions ----

def fixed_pod(pod, node=None, pending=False):
    pod = json.loads(json.dumps(pod))
    metadata, spec = pod["metadata"], pod["spec"]
    for field in ("creationTimestamp", "resourceVersion", "ownerReferences"):
        metadata.pop(field, None)
    metadata["namespace"] = metadata.get("namespace") or "default"
    metadata["name"] = metadata.get("name") or "the-pod"
    for i, container in enumerate(spec.get("containers") or []):
        container["name"], container["image"] = container.get("name") or f"c{i}", container.get("image") or "app:1"
    for i, container in enumerate(spec.get("initContainers") or []):
        container["name"], container["image"] = container.get("name") or f"i{i}", container.get("image") or "app:1"
    spec["containers"] = spec.get("containers") or [{"name": "c0", "image": "app:1"}]
    if pending:
        spec.pop("nodeName", None)
    status = {"phase": "Pending" if pending else "Running"}
    for field in ("startTime", "nominatedNodeName"):
        if (pod.get("status") or {}).get(field):
            status[field] = pod["status"][field]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def with_start(pod, start):
    """Of start times only the order counts: the fixtures' are nanoseconds apart, a manifest's are seconds."""
    pod["status"].pop("startTime", None)
    if start > 60:
        raise NotCompared("start times that are no few nanoseconds")
    if start >= 0:
        pod["status"]["startTime"] = f"2026-01-01T00:00:{start:02}Z"
    return pod


def question_of(event, trees):
    kind = event["kind"]
    if kind == "nodeTree":
        steps = trees[event["tree"]]
        if event["ok"]:
            steps.append({"op": event["op"], "name": event["name"], "labels": event.get("labels") or {}})
        elif event["op"] == "add" or event["op"] == "remove":
            raise NotCompared("a node that is there already, or is not there: the cache never asks for that")
        return {"kind": kind, "steps": list(steps)}, event["list"] or []
    if kind in ("numFeasible", "backoff"):
        return {**event, "result": None}, event["result"]
    if kind == "best":
        if event["randomizers"]:
            raise NotCompared("scores with a Randomizer, which extenders give")
        return {"kind": kind, "totals": event["totals"]}, event["place"]
    if kind == "normalise":
        if event["max"] != 100:
            raise NotCompared("another largest score than 100")
        return {"kind": kind, "reverse": event["reverse"], "before": event["before"]}, event["after"]
    if kind == "less":
        return {"kind": kind, "a": event["a"], "b": event["b"]}, event["result"]
    if kind == "fitError":
        if event["preFilter"]:
            raise NotCompared("a PreFilter's message stands there as it is")
        return {"kind": kind, "nodes": event["nodes"], "reasons": event["reasons"], "postFilter": event["postFilter"]}, event["message"]
    if kind == "requests":
        pod = event["pod"]
        if not event["podLevel"]:
            raise NotCompared("the feature gate PodLevelResources off")
        if any((s.get("resources") or s.get("allocatedResources")) for s in (pod.get("status") or {}).get("containerStatuses") or []) or (pod.get("status") or {}).get("resources"):
            raise NotCompared("a pod that is resized in place is not modelled")
        if not pod["spec"].get("containers"):
            raise NotCompared("a pod without containers, which there cannot be")
        scalars = {name: amount for name, amount in event["scalars"].items() if amount}
        return {"kind": kind, "objects": [fixed_pod(pod, pending=True)]}, {"cpu": event["cpu"], "memory": event["memory"], "ephemeral": event["ephemeral"], "scalars": scalars,
                                                                          "nonzeroCPU": event["nonzeroCPU"], "nonzeroMemory": event["nonzeroMemory"]}
    if kind == "pick":
        if event["ordered"]:
            raise NotCompared("an order of candidates of one's own")
        if not event["victims"]:
            raise NotCompared("no candidates")
        return pick_question(event)
    if kind == "victims":
        return victims_question(event)
    if kind == "validate":
        if "problem" in event:
            raise NotCompared("cannot be written as v1: " + event["problem"][:80])
        if event["object"] == "NodeResourcesFitArgs":
            strategy = event["json"].get("scoringStrategy")
            if strategy is None or any(not one.get("weight") for one in strategy.get("resources") or []):
                raise NotCompared("what the defaults fill in before: a strategy, a weight of 0")
        if "Required value" in event["error"] and "leaderElection" in event["error"] or "schedulerName: Required" in event["error"]:
            raise NotCompared("what the defaults fill in before: names that are empty")
        return {"kind": "config", "config": configuration_of(event)}, "refused" if event["error"] else "accepted"
    if kind == "decode":
        return {"kind": "config", "text": event["text"]}, "accepted" if event["error"] == "<nil>" else "refused"
    raise NotCompared(kind)


def configuration_of(event):
    object_of = event["json"]
    version = "kubescheduler.config.k8s.io/v1"
    if event["object"] == "KubeSchedulerConfiguration":
        # The fixture sorts its queue by a plugin of its own and has an extender; unless that is what is wrong, the case is told without them.
        if "queueSort" not in event["error"] and "extenders" not in event["error"]:
            object_of = json.loads(json.dumps(object_of))
            object_of.pop("extenders", None)
            for profile in object_of.get("profiles") or []:
                (profile.get("plugins") or {}).pop("queueSort", None)
        return {**object_of, "apiVersion": version, "kind": event["object"]}
    arguments = {**object_of, "apiVersion": version, "kind": event["object"]}
    return {"apiVersion": version, "kind": "KubeSchedulerConfiguration",
            "profiles": [{"schedulerName": "default-scheduler", "pluginConfig": [{"name": event["object"].removesuffix("Args"), "args": arguments}]}]}


def pick_question(event):
    objects, candidates = [], []
    for node, of_node in sorted(event["victims"].items()):
        objects.append({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}, "status": {}})
        names = []
        for i, pod in enumerate(of_node.get("pods") or of_node.get("Pods") or []):
            pod = with_start(fixed_pod(pod), event["starts"][node][i])
            pod["metadata"]["name"] = f"{node}-{i}"
            pod["spec"]["nodeName"] = node
            names.append(pod["metadata"]["name"])
            pod["metadata"]["namespace"] = "default"
            objects.append(pod)
        if not names:
            raise NotCompared("a candidate without victims")
        candidates.append({"node": node, "violations": of_node.get("numPDBViolations") or of_node.get("NumPDBViolations") or 0, "victims": names})
    return {"kind": "pick", "objects": objects, "candidates": candidates}, event["result"]


def victims_question(event):
    plugins = set(event["plugins"]) - {"FakeFilter"}  # lets everything pass
    if not plugins <= MODELLED:
        raise NotCompared("filters of the test's own: " + ", ".join(sorted(plugins - MODELLED)))
    if event["code"] == "Error":
        raise NotCompared("a fixture makes the plugin fail")
    if "Custom" in event["test"]:
        raise NotCompared("a choice of victims of the test's own")
    objects, names = [], set()
    for node in event["nodes"]:
        objects.append({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node["metadata"]["name"], "labels": node["metadata"].get("labels") or {}},
                        "spec": node.get("spec") or {}, "status": node.get("status") or {}})
    pending = fixed_pod(event["pod"], pending=True)
    pending["status"].pop("nominatedNodeName", None)
    names.add(pending["metadata"]["name"])
    for pod, start in zip(event["pods"], event["starts"]):
        pod = with_start(fixed_pod(pod), start)
        if pod["metadata"]["name"] in names:
            raise NotCompared("two pods of one name")
        names.add(pod["metadata"]["name"])
        objects.append(pod)
    for pod in event["nominated"]:
        pod = fixed_pod(pod, pending=True)
        if pod["metadata"]["name"] == pending["metadata"]["name"]:
            continue
        if pod["metadata"]["name"] in names:
            raise NotCompared("two pods of one name")
        names.add(pod["metadata"]["name"])
        objects.append(pod)
    for i, budget in enumerate(event["budgets"] or []):
        objects.append({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                        "metadata": {"name": budget["metadata"].get("name") or f"budget-{i}", "namespace": budget["metadata"].get("namespace") or "default"},
                        "spec": {"selector": (budget.get("spec") or {}).get("selector")}, "status": budget.get("status") or {}})
    gone = [name for name in sorted(MODELLED - plugins)]
    config = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
              "profiles": [{"schedulerName": "default-scheduler", "plugins": {"filter": {"disabled": [{"name": n} for n in gone if n not in ("PodTopologySpread", "NodeAffinity")]}}}]}
    victims = [("default" if name.startswith("/") else "") + name for name in event["victims"]]
    expected = {"code": event["code"], "victims": victims, "violations": event["violations"]}
    return {"kind": "victims", "pod": pending["metadata"]["name"], "namespace": pending["metadata"]["namespace"], "node": event["node"], "config": config,
            "objects": [*objects, pending]}, expected


def compare(events, replay):
    """(lines of a table, disagreements, cases compared by kind)."""
    compared, left_out, wrong, asked, seen = collections.Counter(), collections.Counter(), [], [], set()
    trees = collections.defaultdict(list)
    for event in events:
        try:
            question, expected = question_of(event, trees)
        except NotCompared as why:
            left_out[(event["kind"], str(why))] += 1
            continue
        line = json.dumps(question)
        if line in seen:  # asked before
            continue
        seen.add(line)
        asked.append((event, question, expected))
    done = subprocess.run([replay], input="".join(json.dumps(q) + "\n" for _, q, _ in asked), capture_output=True, text=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(asked):
        event, question, _ = asked[len(answers)]
        return [], [(event["kind"], event["test"], question, "an answer", f"none: exit code {done.returncode}: {done.stderr[-500:]}")], compared
    for (event, question, expected), answer in zip(asked, answers):
        kind = event["kind"]
        if "error" in answer:
            left_out[(kind, "no valid object: " + answer["error"])] += 1
            continue
        ours = answer["answer"]
        if kind in ("validate", "decode"):
            if "is not modelled" in ours:  # so nothing was said of what upstream objects to
                left_out[(kind, "refused by name: " + ours)] += 1
                continue
            ours = "accepted" if ours == "accepted" else "refused"
        if kind == "victims" and expected["code"] != "Success":
            expected, ours = {"code": expected["code"]}, {"code": ours["code"]}
        if kind == "pick":  # any of those that are equal: which of them is up to the order of Go's maps
            ours = expected if expected in ours else ours
        compared[kind] += 1
        if ours != expected:
            wrong.append((kind, event["test"], question, expected, answer["answer"]))
    lines = [f"{kind:34} {compared[kind]:6} cases, {sum(1 for w in wrong if w[0] == kind)} differ, {sum(n for (k, _), n in left_out.items() if k == kind)} not compared"
             for kind in sorted(set(compared) | {k for k, _ in left_out})]
    lines += [f"  not compared: {count:4} of {kind}: {why}" for (kind, why), count in sorted(left_out.items())]
    return lines, wrong, compared
