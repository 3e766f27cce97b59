#!/usr/bin/env python3
"""squall import, fit and what-if as their users run them: a dump of a cluster becomes a scenario that begins as the cluster is, and is asked questions.

Recorded clusters of others are read where they stand: ../shared/data beside the repository, or $SQUALL_SHARED_DATA. Where they are absent that part is left out,
and says so; in CI that is a failure.

usage: import_command.py SQUALL SOURCE_DIR
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

SQUALL, SOURCE = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
SHOP = SOURCE / "tests/data/import/shop.yaml"
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def squall(*arguments, stdin=None, code=0):
    run = subprocess.run([SQUALL, *map(str, arguments)], capture_output=True, text=True, timeout=300, input=stdin, check=False)
    check(run.returncode == code, f"{' '.join(map(str, arguments))}: exit code {run.returncode}, not {code}: {run.stderr[:400]}")
    return run


def pods_at(scenario, when):
    return {(p["namespace"], p["name"]): (p["status"], p["node"]) for p in json.loads(squall("query", scenario, "--at", when, "--format", "json", "pods").stdout)}


def import_shop(folder):
    cluster = folder / "cluster.yaml"
    told = json.loads(squall("import", SHOP, "-o", cluster, "--format", "json").stdout)
    check(told["takenOver"]["Node"] == 2 and told["takenOver"]["Pod"] == 8, f"counts: {told['takenOver']}")
    check(any(n["what"] == "NetworkPolicy.networking.k8s.io" for n in told["notTakenOver"]), "what is left out is told")
    squall("import", SHOP, "-o", cluster, "--strict", "-q", code=1)
    squall("validate", cluster)
    pods = pods_at(cluster, "1s")
    check(pods[("shop", "db-1")] == ("Running", "worker-2") and pods[("shop", "web-6d4cf56db6-tooxl")] == ("Pending", "<none>") and len(pods) == 8, f"pods: {pods}")
    # The same from standard input, to standard output, from a folder and from a pattern.
    text = squall("import", "-", "-o", "-", "-q", stdin=SHOP.read_text()).stdout
    check(text.partition("apiVersion")[2] == cluster.read_text().partition("apiVersion")[2].replace("name: cluster", "name: imported"), "stdin to stdout is the same scenario")
    for name in ["nodes.yaml", "rest.yaml"]:
        (folder / "dumps").mkdir(exist_ok=True)
        items = SHOP.read_text().split("\n- ")
        head, nodes, rest = items[0], items[1:3], items[3:]
        last = rest[-1].split("\nkind: List")[0]
        body = nodes if name == "nodes.yaml" else [*rest[:-1], last]
        (folder / "dumps" / name).write_text(head + "".join("\n- " + item for item in body) + "\nkind: List\n")
    for source in [folder / "dumps", folder / "dumps/*.yaml"]:
        squall("import", source, "-o", folder / "again.yaml", "-q")
        check(pods_at(folder / "again.yaml", "1s") == pods, f"{source}: the same pods")
    # Many objects go beside the scenario.
    return cluster


def wrong_input(folder):
    for text, expected in [("", "holds no Kubernetes object"), ("hello", "holds no Kubernetes object"), ('{"kind": "List", "items": [{"kind": "Node", "apiVersion": "v1"', ""),
                           ("kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: b}]}\n", "--pool"), ("a: [\n", "stdin:")]:
        run = squall("import", "-", "-o", folder / "no.yaml", stdin=text, code=2)
        check(expected in run.stderr, f"{text!r}: {run.stderr}")
        check(not (folder / "no.yaml").exists(), f"{text!r}: nothing is written")
    check("there is no file" in squall("import", folder / "none.yaml", "-o", folder / "x.yaml", code=2).stderr, "a file that is not there")
    check("ends in .yaml" in squall("import", SHOP, "-o", folder / "x.txt", code=2).stderr, "a wrong name")
    check("did you mean 'memory'" in squall("import", SHOP, "-o", folder / "x.yaml", "--pool", "w=3,memry=1Gi", code=2).stderr, "a wrong pool")
    check("would not be valid" in squall("import", SHOP, "-o", folder / "x.yaml", "--pool", "w=1,nodeName=worker-1", code=2).stderr, "a pool with the name of a node")
    squall("import", SHOP, "-o", folder / "nowhere/x.yaml", code=3)


def fit(folder, cluster):
    pod = folder / "pod.yaml"
    pod.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: extra}\nspec:\n  containers: [{name: c, image: x, resources: {requests: {cpu: 400m, memory: 1Gi}}}]\n")
    # worker-1: 3920m, of which web takes 2000m and db 500m: 1420m are left, three times 400m. worker-2 is cordoned.
    told = json.loads(squall("fit", cluster, pod, "--format", "json").stdout)
    check(told["fits"] == 3 and told["byNode"] == {"worker-1": 3}, f"fit: {told}")
    check("Insufficient cpu" in told["whyNotMore"], f"why not more: {told['whyNotMore']}")
    check(told["pendingLeftAside"] == 1, f"pending: {told}")
    check("3 more of Pod default/extra fit" in squall("fit", cluster, pod).stdout, "the text says it")
    pod.write_text(pod.read_text().replace("400m", "40"))
    check(json.loads(squall("fit", cluster, pod, "--format", "json").stdout)["fits"] == 0, "none of a pod that is too large")
    pod.write_text("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n")
    check("holds no pod" in squall("fit", cluster, pod, code=2).stderr, "no pod")


def all_priorities(cluster):
    # worker-1 alone takes pods: 3920m, kube-proxy asks for nothing; one web of 2000m and priority 1000 goes first, a second one not, then db has 1920m for 2 x 500m.
    told = json.loads(squall("fit", cluster, "--all-priorities", "--format", "json").stdout)
    rows = {row["priority"]: (row["pods"], row["placed"]) for row in told["priorities"]}
    check(rows[1000] == (3, 1) and rows[2000001000] == (2, 2), f"by priority: {rows}")
    check([row["priority"] for row in told["priorities"]] == sorted(rows, reverse=True), "the highest first")
    check("Insufficient cpu" in str(told["priorities"][1]["whyNot"]), f"why not: {told}")
    check("All 7 pods" in squall("fit", cluster, "--all-priorities").stdout, "the text says it")
    squall("fit", cluster, code=2)


def what_if(folder, cluster):
    told = json.loads(squall("what-if", cluster, "--lose", "node/worker-1", "--format", "json").stdout)
    check({p["pod"] for p in told["evicted"]} >= {"shop/db-0", "shop/web-6d4cf56db6-7xk2m"}, f"evicted: {told['evicted']}")
    check(any(w["workload"] == "Deployment/shop/web" for w in told["fewerReady"]), f"fewer: {told['fewerReady']}")
    # What breaks in both runs is no answer: the other node's own outage begins some milliseconds earlier or later.
    both = json.loads(squall("what-if", SOURCE / "scenarios/serve-small.yaml", "--lose", "node/worker-2", "--format", "json").stdout)
    subjects = {o["subject"] for o in both["outages"]}
    check("Node/worker-2" in subjects and "Node/worker-1" not in subjects, f"outages of the change alone: {subjects}")
    by_zone = json.loads(squall("what-if", cluster, "--lose", "zone/zone-a", "--format", "json").stdout)
    check({p["pod"] for p in by_zone["evicted"]} == {p["pod"] for p in told["evicted"]}, "zone-a is worker-1")
    check("there is no node 'worker-9'" in squall("what-if", cluster, "--lose", "node/worker-9", code=2).stderr, "no such node")
    check("did you mean 'zone'" in squall("what-if", cluster, "--lose", "zne/zone-a", code=2).stderr, "no such kind")
    squall("what-if", cluster, code=2)
    # A release of higher priority takes the room of those below it.
    release = folder / "release.yaml"
    release.write_text("""apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: urgent}
value: 5000
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: urgent, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: urgent}}
  template:
    metadata: {labels: {app: urgent}}
    spec: {priorityClassName: urgent, containers: [{name: c, image: x, resources: {requests: {cpu: 3, memory: 1Gi}}}]}
""")
    told = json.loads(squall("what-if", cluster, "--apply", release, "--format", "json").stdout)
    check(any(p["reason"] == "PreemptionByScheduler" for p in told["evicted"]), f"preempted: {told['evicted']}")
    check("Deployment/shop/urgent" in told["made"] and "PriorityClass/urgent" in told["made"], f"made: {told['made']}")
    harmless = json.loads(squall("what-if", cluster, "--scale", "Deployment/shop/web=2", "--format", "json").stdout)
    check(harmless["evicted"] == [] and harmless["pending"] == [], f"harmless: {harmless}")


def live(folder):
    """A simulated cluster that squall serves is read like a real one, and the scenario begins as that cluster is."""
    (folder / "source.yaml").write_text("""apiVersion: squall.dev/v1alpha1
kind: Scenario
run: {until: 1h}
pools:
  cp: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}
  worker: {count: 3, cpu: 8, memory: 32Gi}
objects: |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    replicas: 5
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec: {containers: [{name: web, image: "nginx:1", resources: {requests: {cpu: 3}}}]}
""")
    config = folder / "kubeconfig"
    server = subprocess.Popen([SQUALL, "serve", folder / "source.yaml", "--kubeconfig", config, "--speed", "100"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(600):
            if config.exists() and config.stat().st_size > 0:
                break
            time.sleep(0.05)
        time.sleep(1)
        told = json.loads(squall("import", "--kubeconfig", config, "-o", folder / "live.yaml", "--format", "json").stdout)
        check(told["takenOver"]["Node"] == 4 and told["takenOver"].get("Deployment") == 1, f"live: {told['takenOver']}")
        pods = pods_at(folder / "live.yaml", "1s")
        web = {name: pod for (ns, name), pod in pods.items() if ns == "default"}
        check(len(web) == 5 and all(status == "Running" for status, _ in web.values()), f"live pods: {web}")
        check(pods_at(folder / "live.yaml", "20m") == pods, "nothing moves in the imported cluster")
        text = config.read_text()
        (folder / "token").write_text(re.sub(r"token: .*", "token: wrong", text))
        check("401" in squall("import", "--kubeconfig", folder / "token", "-o", folder / "x.yaml", code=2).stderr, "a wrong token")
        (folder / "name").write_text(text.replace("current-context: ", "current-context: not-"))
        check("there is no context" in squall("import", "--kubeconfig", folder / "name", "-o", folder / "x.yaml", code=2).stderr, "a wrong context")
    finally:
        server.terminate()
        server.wait(timeout=20)
    check("refused" in squall("import", "--kubeconfig", config, "-o", folder / "x.yaml", code=2).stderr, "nobody listens")
    squall("import", "--kubeconfig", SHOP, "-o", folder / "x.yaml", code=2)
    squall("import", "-o", folder / "x.yaml", code=2)


def kivi(data):
    """Two spread constraints that conflict at six replicas: the published counterexample of a verifier, from the recorded cluster."""
    logs = data / "kivi-c3/examples/c3/logs/setup"
    with tempfile.TemporaryDirectory() as name:
        cluster = pathlib.Path(name) / "c3.yaml"
        told = json.loads(squall("import", logs / "getnode.log.json", logs / "getpod.log.json", logs / "getdeployment-idx89.log.json", "-o", cluster, "--format", "json").stdout)
        check(sum(n["count"] for n in told["madeUp"]) == 6, f"made up: {told['madeUp']}")
        recorded = {(p["metadata"]["namespace"], p["metadata"]["name"]): (p["status"]["phase"], p["spec"]["nodeName"]) for p in json.loads((logs / "getpod.log.json").read_text())["items"]}
        for when in ["1s", "10m"]:
            check(pods_at(cluster, when) == recorded, f"the recorded pods at {when}")
        told = json.loads(squall("what-if", cluster, "--scale", "Deployment/default/h1-app=6", "--format", "json").stdout)
        check(len(told["pending"]) == 1 and "didn't match pod topology spread constraints" in told["pending"][0]["message"], f"the sixth pod: {told['pending']}")
        print("ok: kivi C3: the sixth pod finds no place")


def recordings(data):
    """Recordings of other simulators: what they begin with, and what is scaled later at its time."""
    with tempfile.TemporaryDirectory() as name:
        out = pathlib.Path(name) / "trace.yaml"
        pool = ["--pool", "worker=10,cpu=32,memory=128Gi"]
        told = json.loads(squall("import", data / "simkube-traces/dsb-scaling.sktrace", *pool, "-o", out, "--format", "json").stdout)
        check(told["takenOver"] == {"Deployment": 27}, f"trace: {told['takenOver']}")
        check(out.read_text().count("kind: scale") == 19, f"{out.read_text().count('kind: scale')} changes of scale")  # 46 writes, of which 27 are the beginning
        running = lambda when: sum(1 for (ns, pod), (status, _) in pods_at(out, when).items() if pod.startswith("social-graph-service-"))
        check((running("400s"), running("500s")) == (1, 3), "social-graph-service goes from 1 to 3 after 423 s")
        for trace, kind in [("cronjob", "CronJob"), ("bare-pods", "Pod")]:
            told = json.loads(squall("import", data / f"simkube-traces/{trace}.sktrace", *pool, "-o", out, "--format", "json").stdout)
            check(kind in told["takenOver"], f"{trace}: {told['takenOver']}")
            squall("validate", out)
        broken = pathlib.Path(name) / "cut.sktrace"
        broken.write_bytes((data / "simkube-traces/dsb-scaling.sktrace").read_bytes()[:5000])
        check("cut off" in squall("import", broken, *pool, "-o", out, code=2).stderr, "a trace that is cut off")
        told = json.loads(squall("import", data / "openb/csv/openb_node_list_all_node.csv", data / "openb/csv/openb_pod_list_default.csv", "-o", out, "--format", "json").stdout)
        check((told["takenOver"]["Node"], told["takenOver"]["Pod"]) == (1523, 8152), f"openb: {told['takenOver']}")
        told = json.loads(squall("import", data / "k8s-sims/manifests/nodes-400.yaml", data / "k8s-sims/manifests/pods-400.yaml", "-o", out, "--format", "json").stdout)
        check((told["takenOver"]["Node"], told["takenOver"]["Pod"]) == (400, 3940), f"k8s-sims: {told['takenOver']}")
        check(sum(1 for status, node in pods_at(out, "10m").values() if node != "<none>") == 3940, "every pod of k8s-sims finds a place, as in the published run")
        print("ok: recordings of SimKube, openb and k8s-sims")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        cluster = import_shop(folder)
        wrong_input(folder)
        fit(folder, cluster)
        all_priorities(cluster)
        what_if(folder, cluster)
        live(folder)
    data = pathlib.Path(os.environ.get("SQUALL_SHARED_DATA", SOURCE.parent / "shared/data"))
    if not data.is_dir():
        print(f"left out: no recorded clusters at {data}")
        sys.exit(1 if failures or os.environ.get("CI") else 77)
    kivi(data)
    recordings(data)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
