#!/usr/bin/env python3
"""Upstream's own plugin tests, replayed by Squall.

The tests of k8s.io/kubernetes (the version of oracle/go.mod) run in a copy of the module in which each plugin's PreFilter, Filter, AddPod, RemovePod, PreScore,
Score and NormalizeScore, PreEnqueue and the queueing hints write down what they are asked and what they say (recorder/record.go); upstream's tests check that this is what they expect.
Then plugin_replay asks Squall's plugins the same, and every answer is compared: verdicts with their reasons, scores before and after normalisation, whether an
event is worth another try.

  upstream_tables.py --replay build/release/tests/plugin_replay --machinery-replay build/release/tests/machinery_replay --build-dir build/upstream-tables
  upstream_tables.py --replay ... --package podtopologyspread --keep      one package; the recording stays in the build directory
  upstream_tables.py --replay ... --recording FILE                        a recording that is there already

What is not compared is counted by its reason; a floor on what is compared keeps the test from passing empty. Exit code 0, 1 on a disagreement, 77 (1 where
CI=true) without Go or its modules.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import upstream_machinery  # noqa: E402
from run import LEFT_OUT, LeftOut  # noqa: E402

PLUGINS = "pkg/scheduler/framework/plugins"
MODULE = "k8s.io/kubernetes"
# Answers that must have been compared, or the recording is not what it was.
FLOORS = {"TaintToleration": 41, "NodeAffinity": 108, "NodeName": 3, "NodePorts": 32, "NodeUnschedulable": 11, "NodeResourcesFit": 180, "NodeResourcesBalancedAllocation": 16,
          "ImageLocality": 16, "InterPodAffinity": 270, "PodTopologySpread": 415, "VolumeZone": 50, "VolumeRestrictions": 23, "NodeVolumeLimits": 66, "VolumeBinding": 37,
          "SchedulingGates": 2}
# package, file, receiver, plugin
WRAPPED = [
    ("tainttoleration", "taint_toleration.go", "TaintToleration", "TaintToleration"),
    ("nodeaffinity", "node_affinity.go", "NodeAffinity", "NodeAffinity"),
    ("nodename", "node_name.go", "NodeName", "NodeName"),
    ("nodeports", "node_ports.go", "NodePorts", "NodePorts"),
    ("nodeunschedulable", "node_unschedulable.go", "NodeUnschedulable", "NodeUnschedulable"),
    ("noderesources", "fit.go", "Fit", "NodeResourcesFit"),
    ("noderesources", "balanced_allocation.go", "BalancedAllocation", "NodeResourcesBalancedAllocation"),
    ("imagelocality", "image_locality.go", "ImageLocality", "ImageLocality"),
    ("interpodaffinity", "plugin.go filtering.go scoring.go", "InterPodAffinity", "InterPodAffinity"),
    ("podtopologyspread", "plugin.go filtering.go scoring.go", "PodTopologySpread", "PodTopologySpread"),
    ("volumezone", "volume_zone.go", "VolumeZone", "VolumeZone"),
    ("volumerestrictions", "volume_restrictions.go", "VolumeRestrictions", "VolumeRestrictions"),
    ("nodevolumelimits", "csi.go", "CSILimits", "NodeVolumeLimits"),
    ("volumebinding", "volume_binding.go", "VolumeBinding", "VolumeBinding"),
    ("schedulinggates", "scheduling_gates.go", "SchedulingGates", "SchedulingGates"),
]
# Gates that change what a plugin answers, and their defaults in v1.36; tests also run with others.
RESOURCES = {"EnablePodLevelResources": True, "EnableDRAExtendedResource": True, "EnableInPlacePodVerticalScaling": True, "EnableSidecarContainers": True}
GATES = {"PodTopologySpread": {"EnableNodeInclusionPolicyInPodTopologySpread": True, "EnableMatchLabelKeysInPodTopologySpread": True,
                               "EnableTaintTolerationComparisonOperators": False},
         "TaintToleration": {"EnableTaintTolerationComparisonOperators": False}, "NodeVolumeLimits": {"EnableVolumeLimitScaling": False},
         "VolumeBinding": {"EnableStorageCapacityScoring": False}, "NodeResourcesFit": RESOURCES, "NodeResourcesBalancedAllocation": RESOURCES}
STATUS, SCORED = "*fwk.Status", "(int64, *fwk.Status)"
COMMON = "ctx context.Context, state fwk.CycleState, pod *v1.Pod, "
# method: (parameters, results, body of the wrapper)
METHODS = {
    "PreFilter": (COMMON + "nodes []fwk.NodeInfo", "(*fwk.PreFilterResult, *fwk.Status)",
                  "objects := record.Cluster(pl, nodes); result, status := pl.upstreamPreFilter(ctx, state, pod, nodes); "
                  "record.PreFilter(NAME, pl, state, pod, nodes, objects, status); return result, status"),
    "Filter": (COMMON + "node fwk.NodeInfo", STATUS, "status := pl.upstreamFilter(ctx, state, pod, node); record.Filter(NAME, pl, state, pod, node, status); return status"),
    "AddPod": (COMMON + "other fwk.PodInfo, node fwk.NodeInfo", STATUS,
               "record.Shift(NAME, pl, state, pod, other, node, 1); return pl.upstreamAddPod(ctx, state, pod, other, node)"),
    "RemovePod": (COMMON + "other fwk.PodInfo, node fwk.NodeInfo", STATUS,
                  "record.Shift(NAME, pl, state, pod, other, node, -1); return pl.upstreamRemovePod(ctx, state, pod, other, node)"),
    "PreScore": (COMMON + "nodes []fwk.NodeInfo", STATUS,
                 "objects := record.Cluster(pl, nodes); status := pl.upstreamPreScore(ctx, state, pod, nodes); "
                 "record.PreScore(NAME, pl, state, pod, nodes, objects, status); return status"),
    "Score": (COMMON + "node fwk.NodeInfo", SCORED,
              "score, status := pl.upstreamScore(ctx, state, pod, node); record.Score(NAME, pl, state, pod, node, score, status); return score, status"),
    "PreEnqueue": ("ctx context.Context, pod *v1.Pod", STATUS, "status := pl.upstreamPreEnqueue(ctx, pod); record.PreEnqueue(NAME, pl, pod, status); return status"),
    "NormalizeScore": (COMMON + "scores fwk.NodeScoreList", STATUS,
                       "status := pl.upstreamNormalizeScore(ctx, state, pod, scores); record.Normalise(NAME, pl, state, pod, scores, status); return status"),
}


def go_environment():
    return dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-mod=mod -buildvcs=false")


def wrap(folder, files, receiver, name):
    """Renames the plugin's methods and writes recording ones beside them."""
    package = pathlib.Path(folder).name
    lines, hints = [], []
    for file in files.split():
        path = folder / file
        text = path.read_text()
        # Constructors: what they return is noted.
        def constructor(match):
            lines.append((match.group(1), match.group(2)))
            return f"func upstream{match.group(1)}({match.group(2)}) (fwk.Plugin, error) {{"
        def hint(match):
            hints.append(match.group(2))
            return f"{match.group(1)} upstream_{match.group(2)}({match.group(3)} (fwk.QueueingHint, error)"
        if receiver != "Fit" or file == "fit.go":
            text = re.sub(r"^func (New|NewCSI|NewFit|NewBalancedAllocation)\(([^)]*)\) \(fwk\.Plugin, error\) \{", constructor, text, flags=re.M)
        for method in METHODS:
            text = re.sub(rf"^(func \(\w+ \*{receiver}\)) {method}\(", rf"\1 upstream{method}(", text, flags=re.M)
        # Queueing hints.
        text = re.sub(rf"^(func \(\w+ \*{receiver}\)) (is\w*Schedulable\w+)\((logger klog.Logger, pod \*v1.Pod, oldObj, newObj interface\{{\}}\)) \(fwk.QueueingHint, error\)",
                      hint, text, flags=re.M)
        # A method may be used by another of the plugin's methods.
        path.unlink()
        path.write_text(text)
    whole = "".join((folder / file).read_text() for file in files.split())
    made = [f"package {package}", "", "import (", '\t"context"', "", '\tv1 "k8s.io/api/core/v1"', '\t"k8s.io/apimachinery/pkg/runtime"',
            '\t"k8s.io/klog/v2"', '\tfwk "k8s.io/kube-scheduler/framework"', f'\t"{MODULE}/{PLUGINS}/feature"', f'\t"{MODULE}/pkg/scheduler/record"', ")", "",
            "var _ = feature.Features{}", "var _ *v1.Pod", "var _ klog.Logger", "var _ = record.Hint", ""]
    for function, parameters in lines:
        has_gates = "feature.Features" in parameters
        made.append(f"func {function}(ctx context.Context, args runtime.Object, h fwk.Handle{', fts feature.Features' if has_gates else ''}) (fwk.Plugin, error) {{")
        made.append(f"\tpl, err := upstream{function}(ctx, args, h{', fts' if has_gates else ''})")
        made.append(f"\tif err == nil {{\n\t\trecord.New({json.dumps(name)}, pl, args, h, {'fts' if has_gates else 'nil'})\n\t}}\n\treturn pl, err\n}}\n")
    for method, (parameters, results, body) in METHODS.items():
        if f"upstream{method}(" not in whole or not re.search(rf"\*{receiver}\) upstream{method}\(", whole):
            continue
        made.append(f"func (pl *{receiver}) {method}({parameters}) {results} {{")
        made.extend("\t" + statement for statement in body.replace("NAME", json.dumps(name)).split("; "))
        made.append("}\n")
    for method in hints:
        made.append(f"func (pl *{receiver}) {method}(logger klog.Logger, pod *v1.Pod, oldObj, newObj interface{{}}) (fwk.QueueingHint, error) {{\n"
                    f"\thint, err := pl.upstream_{method}(logger, pod, oldObj, newObj)\n"
                    f"\trecord.Hint({json.dumps(name)}, {json.dumps(method)}, pl, pod, oldObj, newObj, hint, err)\n\treturn hint, err\n}}\n")
    (folder / f"zz_record_{receiver.lower()}.go").write_text("\n".join(made))


def prepare(build):
    go = shutil.which("go") or ("/usr/local/go/bin/go" if os.path.exists("/usr/local/go/bin/go") else None)
    if go is None:
        raise LeftOut("there is no `go`")
    work = build / "module"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    found = subprocess.run([go, "mod", "download", "-json", MODULE], cwd=HERE / "oracle", env=go_environment(), capture_output=True, text=True)
    if found.returncode != 0:
        raise LeftOut("the Go modules cannot be had: " + (found.stdout + found.stderr).strip()[-300:])
    source = pathlib.Path(json.loads(found.stdout)["Dir"])
    copy = work / "kubernetes"
    # Links, not copies: only the files that are changed are written anew.
    def link(one, other):
        try:
            os.link(one, other)
        except OSError:
            shutil.copyfile(one, other)
    for part in ("pkg", "plugin", "test", "third_party", "cmd", "api"):
        if (source / part).exists():
            shutil.copytree(source / part, copy / part, copy_function=link)
    for path in [copy, *(p for p in copy.rglob("*") if p.is_dir())]:
        path.chmod(0o755)
    shutil.copyfile(source / "go.mod", copy / "go.mod")
    (copy / "pkg/scheduler/record").mkdir()
    shutil.copyfile(HERE / "recorder/record.go", copy / "pkg/scheduler/record/record.go")
    for package, files, receiver, name in WRAPPED:
        wrap(copy / PLUGINS / package, files, receiver, name)
    upstream_machinery.prepare(copy)
    module = (HERE / "oracle/go.mod").read_text().replace("replace (", f"replace (\n\t{MODULE} => ./kubernetes", 1)
    (work / "go.mod").write_text(module)
    shutil.copyfile(HERE / "oracle/go.sum", work / "go.sum")
    (work / "use.go").write_text(f'package main\n\nimport _ "{MODULE}/pkg/scheduler"\n\nfunc main() {{}}\n')
    return go, work


def record(go, work, packages, jobs, machinery):
    """Runs upstream's tests; the events of each package, in their order. `machinery`: also the tests of what stands between the plugins."""
    folder = work / "recordings"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    def test(folders, *more):
        done = subprocess.run([go, "test", "-count=1", "-vet=off", "-p", str(jobs), *more, *(f"{MODULE}/{one}" for one in folders)], cwd=work,
                              env=dict(go_environment(), SQUALL_RECORD=str(folder)), capture_output=True, text=True)
        if done.returncode != 0:
            text = done.stdout + done.stderr
            if "no required module provides" in text or "missing go.sum" in text or "dial tcp" in text:
                raise LeftOut("a module that upstream's tests need cannot be had: " + text.strip()[-300:])
            sys.exit(f"upstream's tests do not pass in the recording copy:\n{text[-4000:]}")

    test([f"{PLUGINS}/{package}" for package in packages])
    if machinery:
        test(upstream_machinery.packages(), "-run", f"^({upstream_machinery.TESTS})$")
    return {package: [json.loads(line) for line in (folder / f"{package}.jsonl").read_text().splitlines()] for package in packages}


# ---- from recordings to cases ----

EACH_CONTAINER_COUNTS = {"NodeResourcesFit", "NodeResourcesBalancedAllocation"}  # a container without requests counts 100m and 200Mi in their scores
KEEPS_NAMES = {"NodeVolumeLimits", "VolumeBinding", "VolumeRestrictions", "VolumeZone"}  # claims of ephemeral volumes are named after their pod
UNMODELLED = {"ReplicationController"}
WITH_ARGUMENTS = {"InterPodAffinity", "NodeAffinity", "NodeResourcesFit", "NodeResourcesBalancedAllocation", "PodTopologySpread", "VolumeBinding"}
INLINE = ("gcePersistentDisk", "awsElasticBlockStore", "iscsi", "rbd", "azureDisk", "cinder", "csi")


class NotCompared(Exception):
    pass


def fixed_pod(pod, name, plugin, scored):
    """Upstream's fixtures leave out what the API server demands: names, containers, images."""
    pod = json.loads(json.dumps(pod))
    metadata = pod.setdefault("metadata", {})
    metadata["name"] = name
    metadata["namespace"] = metadata.get("namespace") or "default"
    metadata.pop("ownerReferences", None) if plugin != "PodTopologySpread" else None
    for field in ("creationTimestamp", "resourceVersion", "managedFields"):
        metadata.pop(field, None)
    spec = pod.setdefault("spec", {})
    if not spec.get("containers"):
        if scored and plugin in EACH_CONTAINER_COUNTS:
            raise NotCompared("a pod without containers, which there cannot be, is scored by its requests")
        spec["containers"] = [{}]
    for kind in ("containers", "initContainers"):
        for i, container in enumerate(spec.get(kind) or []):
            container["name"] = container.get("name") or f"{kind[0]}{i}"
            container["image"] = container.get("image") or "app:1"
            for port in container.get("ports") or []:
                port["containerPort"] = port.get("containerPort") or 80
    for i, volume in enumerate(spec.get("volumes") or []):
        if "image" in volume and plugin == "ImageLocality":
            raise NotCompared("image volumes are not modelled")
        volume["name"] = volume.get("name") or f"v{i}"
        if "ephemeral" in volume and not (volume["ephemeral"] or {}).get("volumeClaimTemplate"):
            volume["ephemeral"] = {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}
        for kind in INLINE:
            if kind in volume and plugin in KEEPS_NAMES:
                raise NotCompared(f"inline volumes ({kind}) are not modelled")
    own = metadata["namespace"]
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = (spec.get("affinity") or {}).get(kind) or {}
        terms = (rules.get("requiredDuringSchedulingIgnoredDuringExecution") or []) + [t["podAffinityTerm"] for t in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or []]
        for term in terms:
            if "" in (term.get("namespaces") or []):
                term["namespaces"] = [name or own for name in term["namespaces"]]
    pod["status"] = {"phase": "Running" if spec.get("nodeName") else "Pending"}
    return pod


def fixed(given, number, plugin, strict=True):
    """An object of another kind, likewise."""
    metadata, spec = given.setdefault("metadata", {}), given.setdefault("spec", {})
    kind = given["kind"]
    if kind not in ("Node", "Namespace", "PersistentVolume", "StorageClass", "CSINode", "CSIDriver", "VolumeAttachment"):
        metadata["namespace"] = metadata.get("namespace") or "default"
    metadata["name"] = metadata.get("name") or ("default" if kind == "Namespace" else f"unnamed-{number}")
    if kind in ("PersistentVolume", "PersistentVolumeClaim"):
        spec["accessModes"] = spec.get("accessModes") or ["ReadWriteOnce"]
        amounts = spec.setdefault("capacity", {}) if kind == "PersistentVolume" else spec.setdefault("resources", {}).setdefault("requests", {})
        amounts.setdefault("storage", "1Gi")
        if kind == "PersistentVolume" and not set(spec) & {"csi", "local", "nfs", "hostPath", *INLINE}:
            spec["csi"] = {"driver": "none.example.com", "volumeHandle": metadata["name"]}
    if kind == "StorageClass":
        if plugin == "VolumeZone" and strict and not given.get("volumeBindingMode"):
            raise NotCompared("a class without volumeBindingMode, which the API server sets")
        given["provisioner"] = given.get("provisioner") or "kubernetes.io/no-provisioner"
    if kind in ("ReplicaSet", "StatefulSet"):
        selector = spec.get("selector") or {}
        labels = {**(selector.get("matchLabels") or {}), **{e["key"]: (e.get("values") or ["x"])[0] for e in selector.get("matchExpressions") or [] if e["operator"] in ("In", "Exists")}}
        spec["template"] = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "app:1"}]}}
    if kind in ("StorageClass", "CSINode", "CSIDriver", "Namespace") and not spec:
        given.pop("spec")
    return given


NODE_UPDATES = {"NodeAffinity": "nodeLabel", "InterPodAffinity": "nodeLabel", "PodTopologySpread": "nodeLabel", "NodeResourcesFit": "nodeAllocatable",
                "TaintToleration": "nodeTaint", "NodeUnschedulable": "nodeTaint"}


def hint_step(event):
    """What happened, in Squall's words."""
    plugin, method, before, after = event["plugin"], event["method"], event.get("before"), event.get("after")
    if event.get("reasons"):
        raise NotCompared("a fixture makes the hint fail (an object of the wrong type)")
    if isinstance(before, str) or isinstance(after, str):
        raise NotCompared(f"{str(before or after).split('.')[-1]} is not modelled in hints")
    kind = (after or before)["kind"]
    uid = event["pod"]["metadata"].get("uid", "")
    same = kind == "Pod" and (after or before)["metadata"].get("uid", "") == uid
    action = kind
    if kind == "Node":
        action = "nodeAdd" if before is None else "nodeDelete" if after is None else NODE_UPDATES[plugin]
    elif kind == "Pod":
        action = "podAdd" if before is None else "podDelete" if after is None else "podLabel"
        if action == "podLabel" and before["spec"].get("tolerations") != after["spec"].get("tolerations"):
            action = "podToleration"
        if "Toleration" in method:
            action = "podToleration"
        if "ScaleDown" in method or action == "podLabel" and plugin == "NodeResourcesFit":
            raise NotCompared("a pod that is scaled down in place is not modelled")
        if "Gates" in method:
            raise NotCompared("a pod without gates enters the queue by itself here")
    if kind == "CSINode" and plugin == "VolumeBinding" and (before is None or before["metadata"].get("annotations") != after["metadata"].get("annotations")):
        raise NotCompared("volumes of in-tree drivers, for which this hint is, are not modelled")
    sides = []
    for one in (before, after):
        if one is None:
            sides.append([])
            continue
        one = json.loads(json.dumps(one))
        objects = [fixed_pod(one, one["metadata"].get("name") or "other", plugin, False) if kind == "Pod" else fixed(one, 0, plugin, strict=False)]
        if kind == "Pod" and (one.get("status") or {}).get("nominatedNodeName"):
            objects[0]["status"]["nominatedNodeName"] = one["status"]["nominatedNodeName"]
            objects.insert(0, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": one["status"]["nominatedNodeName"]}, "status": {}})
        if kind == "CSINode":
            objects.insert(0, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": one["metadata"]["name"]}, "status": {}})
        sides.append(objects)
    return {"do": "hint", "action": action, "before": sides[0], "after": sides[1], "same": same}


def case_of(group, made, scores):
    """The question to Squall and what upstream answered, of the events of one state."""
    first = group[0]
    plugin = first["plugin"]
    if scores and plugin == "VolumeBinding":
        raise NotCompared("its score is not modelled (StorageCapacityScoring, off in v1.36)")
    # The cluster is that of the first event that has one; nodes that come up later bring their pods.
    seen, nodes_seen, others = [], set(), set()
    for event in group:
        fresh = {o["metadata"]["name"] for o in event.get("objects") or [] if not isinstance(o, str) and o["kind"] == "Node"} - nodes_seen
        for o in event.get("objects") or []:
            if not isinstance(o, str) and o["kind"] not in ("Node", "Pod"):
                place = (o["kind"], o["metadata"].get("namespace") or "default", o["metadata"].get("name"))
                if place in others:
                    continue
                others.add(place)
            is_new = not seen or isinstance(o, str) or (o["metadata"]["name"] in fresh if o["kind"] == "Node" else o["kind"] == "Pod" and o["spec"].get("nodeName") in fresh)
            if event is group[0] or is_new or not nodes_seen and o["kind"] not in ("Node", "Pod"):
                seen.append(o)
        nodes_seen |= fresh
    if not seen and first["event"] not in ("preFilter", "hint", "preEnqueue"):
        raise NotCompared("a state of which the beginning was not recorded (a clone)")
    objects, names = [], set()
    first.setdefault("pod", {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {}})  # a hint that does not look at it
    pod_name = (first["pod"]["metadata"].get("name") if plugin in KEEPS_NAMES else None) or "the-pod"
    names.add((first["pod"]["metadata"].get("namespace") or "default", pod_name))
    pod = fixed_pod(first["pod"], pod_name, plugin, scores)
    if plugin != "NodeName":
        pod["spec"].pop("nodeName", None)  # some fixtures ask about a pod that is on a node
        pod["status"]["phase"] = "Pending"
    count = 0
    for given in seen:
        if isinstance(given, str):
            raise NotCompared(f"the cluster cannot be seen: {given}")
        if given["kind"] in UNMODELLED:
            raise NotCompared(f"{given['kind']} is not modelled")
        if given["kind"] == "Pod":
            count += 1
            name = given["metadata"].get("name") if plugin in KEEPS_NAMES else None
            namespace = given["metadata"].get("namespace") or "default"
            if name is None or (namespace, name) in names:
                name = f"p{count}"
            names.add((namespace, name))
            given = fixed_pod(given, name, plugin, scores)
        else:
            given = fixed(json.loads(json.dumps(given)), len(objects), plugin)
        objects.append(given)
    steps, expected = [], []
    for event in group:
        kind = event["event"]
        if kind == "hint":
            steps.append(hint_step(event))
            expected.append(event)
        elif kind == "preEnqueue":
            steps.append({"do": "gated"})
            expected.append(event)
        if kind in ("preFilter", "filter") and event["code"] == "Error":
            raise NotCompared("a fixture makes the plugin fail: " + (event.get("reasons") or ["?"])[0][:60])
        if kind == "filter" and plugin == "NodeVolumeLimits" and (event.get("reasons") or [""])[0].startswith("looking up PVC"):
            raise NotCompared("a claim that is missing: VolumeBinding's PreFilter has refused the pod before")
        if kind == "preFilter":
            steps.append({"do": "preFilter"})
            expected.append(event)
        elif kind == "filter":
            steps.append({"do": "filter", "node": event["node"]})
            expected.append(event)
        elif kind == "shift":
            count += 1
            other = fixed_pod(event["other"], f"other-{count}", plugin, scores)
            other["spec"].pop("nodeName", None)
            if (other["metadata"].get("namespace") or "default") != pod["metadata"]["namespace"]:
                raise NotCompared("AddPod or RemovePod of a pod in another namespace")
            objects.append(other)
            steps.append({"do": "shift", "pod": f"other-{count}", "node": event["node"], "change": event["change"]})
            expected.append(event)
    if scores:
        nodes = next((e["nodes"] for e in group if e["event"] == "preScore" and e.get("nodes")), None) or [e["node"] for e in group if e["event"] == "score"]
        steps = [{"do": "score", "nodes": list(dict.fromkeys(nodes))}]
        expected = [group]
    if plugin == "NodeVolumeLimits":
        in_tree = {o["metadata"]["name"] for o in objects if o["kind"] == "PersistentVolume" and set(o["spec"]) & (set(INLINE) - {"csi"})}
        claims = {o["metadata"]["name"] for o in objects if o["kind"] == "PersistentVolumeClaim" and o["spec"].get("volumeName") in in_tree}
        for one in [pod, *(o for o in objects if o["kind"] == "Pod")]:
            if any((v.get("persistentVolumeClaim") or {}).get("claimName") in claims for v in one["spec"].get("volumes") or []):
                raise NotCompared("volumes of in-tree drivers, which are migrated to CSI, are not modelled")
    question = {"plugin": plugin, "namespace": pod["metadata"]["namespace"], "pod": pod_name, "objects": [*objects, pod], "steps": steps}
    arguments = made.get("args")
    own_constraints = plugin == "PodTopologySpread" and pod["spec"].get("topologySpreadConstraints")
    if isinstance(arguments, dict) and plugin in WITH_ARGUMENTS and not own_constraints:
        arguments.pop("shape", None) if plugin == "VolumeBinding" else None  # of its score, which is not asked for
        arguments = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": f"{plugin}Args", **{k: v for k, v in arguments.items() if k not in ("kind", "apiVersion")}}
        question["config"] = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
                              "profiles": [{"schedulerName": "default-scheduler", "pluginConfig": [{"name": plugin, "args": arguments}]}]}
    return question, expected


def groups_of(events):
    """Events by instance and state, scores apart from filters; each question without a state by itself."""
    made, groups, order = {}, {}, []
    for event in events:
        if event["event"] == "new":
            made[event["instance"]] = event
            continue
        scores = event["event"] in ("preScore", "score", "normalise")
        key = (event["instance"], event["state"], scores) if event["state"] else ("alone", len(order))
        if key not in groups:
            groups[key] = []
            order.append(key)
        groups[key].append(event)
    for key in order:
        yield groups[key], made.get(groups[key][0]["instance"], {}), groups[key][0]["event"] in ("preScore", "score", "normalise")


def differences(steps, expected, answers):
    """(answers compared, [(what, theirs, ours)])."""
    compared, found = 0, []
    for step, event, ours in zip(steps, expected, answers):
        if step["do"] == "shift":
            continue
        if step["do"] == "hint":
            if "error" in ours:
                raise NotCompared("no valid object: " + ours["error"])
            compared += 1
            if (event["code"] == "Queue") != ours.get("queue"):
                found.append((event["method"], event["code"], ours))
        elif step["do"] == "gated":
            compared += 1
            if (event["code"] != "Success") != ours["gated"]:
                found.append(("PreEnqueue", event["code"], ours))
        elif step["do"] == "preFilter":
            compared += 1
            theirs = [] if event["code"] in ("Success", "Skip") else event.get("reasons") or []
            if theirs != ours["reasons"]:
                found.append(("PreFilter", theirs, ours["reasons"]))
        elif step["do"] == "filter":
            compared += 1
            theirs = (event["code"], sorted(event.get("reasons") or []))
            if theirs != (ours["code"], sorted(ours["reasons"])):
                found.append((f"Filter of {step['node']}", theirs, (ours["code"], ours["reasons"])))
        else:
            before = next((e for e in event if e["event"] == "preScore"), None)
            skipped = before is not None and before["code"] == "Skip"
            if before is None and ours.get("skipped"):  # Score was called without PreScore, which would have skipped it
                ours = {"raw": [0] * len(step["nodes"]), "normalised": [0] * len(step["nodes"])}
            if skipped or ours.get("skipped"):
                compared += 1
                if skipped != bool(ours.get("skipped")):
                    found.append(("PreScore's Skip", skipped, bool(ours.get("skipped"))))
                continue
            places = {name: i for i, name in enumerate(step["nodes"])}
            for one in event:
                if one["event"] == "score" and one["node"] in places:
                    compared += 1
                    if one["score"] != ours["raw"][places[one["node"]]]:
                        found.append((f"Score of {one['node']}", one["score"], ours["raw"][places[one["node"]]]))
                elif one["event"] == "normalise" and set(one["scores"]) == set(places):
                    compared += len(places)
                    mine = {name: ours["normalised"][i] for name, i in places.items()}
                    if one["scores"] != mine:
                        found.append(("NormalizeScore", one["scores"], mine))
    return compared, found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replay", required=True, help="build/release/tests/plugin_replay")
    parser.add_argument("--machinery-replay", help="build/release/tests/machinery_replay: what stands between the plugins too")
    parser.add_argument("--build-dir", default=str(HERE / "build"))
    parser.add_argument("--package", action="append", choices=list(dict.fromkeys(w[0] for w in WRAPPED)), help="only this one; may be repeated")
    parser.add_argument("--recording", action="append", help="a recording that is there already, instead of running upstream's tests")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", type=int, default=20, help="so many disagreements in full")
    arguments = parser.parse_args()
    packages = arguments.package or list(dict.fromkeys(w[0] for w in WRAPPED))
    if arguments.recording:
        recordings = [[json.loads(line) for line in pathlib.Path(path).read_text().splitlines()] for path in arguments.recording]
    else:
        try:
            go, work = prepare(pathlib.Path(arguments.build_dir).resolve())
            recordings = list(record(go, work, packages, arguments.jobs, arguments.machinery_replay is not None).values())
        except LeftOut as why:
            print(f"LEFT OUT: upstream's own tests were not replayed: {why}")
            return 1 if os.environ.get("CI") == "true" else LEFT_OUT
    tests, cases, compared = collections.Counter(), collections.Counter(), collections.Counter()
    left_out, wrong = collections.Counter(), []
    for events in recordings:
        asked = []
        for group, made, scores in groups_of(events):
            try:
                question, expected = case_of(group, made, scores)
                asked.append((question, expected, made, group[0]["test"]))
            except NotCompared as why:
                left_out[(group[0]["plugin"], str(why))] += 1
        lines = "".join(json.dumps(question) + "\n" for question, _, _, _ in asked)
        done = subprocess.run([arguments.replay], input=lines, capture_output=True, text=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if len(answers) != len(asked):
            question = asked[len(answers)][0]
            print(f"plugin_replay ended ({done.returncode}) at {asked[len(answers)][3]}: {done.stderr[-1500:]}\n{json.dumps(question)[:3000]}")
            return 1
        for (question, expected, made, test), answer in zip(asked, answers):
            plugin = question["plugin"]
            if "error" in answer:
                left_out[(plugin, "no valid object: " + answer["error"])] += 1
                continue
            try:
                count, found = differences(question["steps"], expected, answer["answers"])
            except NotCompared as why:
                left_out[(plugin, str(why))] += 1
                continue
            gates = made.get("gates") or {}
            others = sorted(gate for gate, default in GATES.get(plugin, {}).items() if gate in gates and gates[gate] != default)
            if found and others:
                left_out[(plugin, f"other feature gates than v1.36's defaults ({', '.join(others)}), and another answer")] += 1
                continue
            cases[plugin] += 1
            tests[(plugin, test)] += 1
            compared[plugin] += count
            wrong.extend((plugin, test, question, one) for one in found)
    for plugin, test, question, (what, theirs, ours) in wrong[:arguments.show]:
        print(f"DISAGREEMENT {plugin}, {test}: {what}: upstream {theirs}, Squall {ours}\n  {json.dumps(question)}")
    print(f"{'plugin':34} {'tests':>5} {'cases':>6} {'answers':>8} {'differ':>7} {'not compared':>13}")
    for plugin in sorted(set(cases) | {p for p, _ in left_out}):
        print(f"{plugin:34} {sum(1 for p, _ in tests if p == plugin):5} {cases[plugin]:6} {compared[plugin]:8} {sum(1 for w in wrong if w[0] == plugin):7} "
              f"{sum(n for (p, _), n in left_out.items() if p == plugin):13}")
    for (plugin, why), count in sorted(left_out.items()):
        print(f"  not compared: {count:4} of {plugin}: {why}")
    print(f"{sum(cases.values())} cases of upstream's tests, {sum(compared.values())} answers compared, {len(wrong)} disagreements; {sum(left_out.values())} cases not compared")
    low = []
    if not arguments.recording:
        low = [f"{name}: {compared[name]} of {floor}" for package, _, _, name in WRAPPED if package in packages for floor in [FLOORS[name]] if compared[name] < floor]
    if arguments.machinery_replay and not arguments.recording:
        events = [json.loads(line) for path in sorted((work / "recordings").glob("machinery-*.jsonl")) for line in path.read_text().splitlines()]
        lines, differing, count = upstream_machinery.compare(events, arguments.machinery_replay)
        for kind, test, question, theirs, ours in differing[:arguments.show]:
            print(f"DISAGREEMENT {kind}, {test}: upstream {theirs}, Squall {ours}\n  {json.dumps(question)}")
        print("\n".join(lines))
        print(f"{sum(count.values())} cases of the machinery, {len(differing)} disagreements")
        wrong.extend(differing)
        low += [f"{kind}: {count[kind]} of {floor}" for kind, floor in upstream_machinery.FLOORS.items() if count[kind] < floor]
    if low:
        print("TOO FEW answers were compared: " + "; ".join(low))
    return 1 if wrong or low else 0


if __name__ == "__main__":
    sys.exit(main())
