#!/usr/bin/env python3
"""The real kubectl against `squall serve`: the commands that people use every day, with what they must answer.

  kubectl.py SQUALL SOURCE_DIR --build-dir DIR     builds kubectl v1.36.3 from its Go module, and fetches the old one (1.20) of Debian's kubernetes-client
  kubectl.py SQUALL SOURCE_DIR KUBECTL...          takes these

Without Go or its modules, or without Debian's package, it is left out: exit code 77, or 1 where CI=true. What an old kubectl does not know is not asked of it.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

LEFT_OUT = 77
POD = """apiVersion: v1
kind: Pod
metadata: {name: one, labels: {app: one}}
spec:
  containers:
  - {name: c, image: "busybox:1.36", resources: {requests: {cpu: 100m}}}
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {app: api}}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
      - {name: api, image: "api:1", ports: [{containerPort: 80}]}
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: green}\n"
CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: lamps, singular: lamp, kind: Lamp, shortNames: [lp]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns: [{name: Watts, type: integer, jsonPath: .spec.watts}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [watts]
            properties:
              watts: {type: integer, minimum: 1}
              replicas: {type: integer, default: 1}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
LAMP = "apiVersion: example.com/v1\nkind: Lamp\nmetadata: {name: desk}\nspec: {watts: 40, colour: red}\n"


class Suite:
    def __init__(self, kubectl, kubeconfig, folder):
        self.kubectl, self.kubeconfig, self.folder = kubectl, kubeconfig, folder
        self.passed, self.failed = 0, []
        told = json.loads(subprocess.run([kubectl, "version", "--client", "-o", "json"], capture_output=True, text=True, check=True).stdout)
        version = re.match(r"v1\.(\d+)\.", told["clientVersion"]["gitVersion"])
        self.minor = int(version.group(1)) if version else 99  # one of somebody's own making

    def run(self, *arguments, stdin=None):
        environment = dict(os.environ, KUBECONFIG=str(self.kubeconfig), HOME=str(self.folder))
        return subprocess.run([self.kubectl, *arguments], input=stdin, capture_output=True, text=True, timeout=120, env=environment)

    def check(self, *arguments, has=(), lacks=(), code=0, stdin=None, since=0):
        """`since`: the minor version of the first kubectl that has it."""
        if self.minor < since:
            return ""
        done = self.run(*arguments, stdin=stdin)
        text = done.stdout + done.stderr
        wrong = [f"'{part}' is missing" for part in has if part not in text] + [f"'{part}' is there" for part in lacks if part in text]
        if done.returncode != code:
            wrong.append(f"exit code {done.returncode}, not {code}")
        if wrong:
            self.failed.append(" ".join(arguments))
            print(f"FAILED: kubectl {' '.join(arguments)}: {'; '.join(wrong)}\n{text[:1500]}")
        else:
            self.passed += 1
        return done.stdout


def everyday(s):
    ns = ["-n", "shop"]
    s.check("version", has=["Server Version: ", "v1.36.3"])
    s.check("cluster-info", has=["Kubernetes control plane"])
    s.check("api-resources", has=["deployments", "poddisruptionbudgets", "leases"])
    s.check("api-versions", has=["apps/v1", "batch/v1"])
    s.check("auth", "can-i", "create", "pods", has=["yes"])
    s.check("get", "nodes", has=["control-plane-1", "worker-3", "Ready"])
    s.check("get", "nodes", "-o", "wide", has=["INTERNAL-IP", "containerd://"])
    s.check("get", "pods", "-A", has=["NAMESPACE", "web-", "Running", "kube-apiserver-control-plane-1"])
    s.check("describe", "node", "worker-2", has=["Allocatable:", "KubeletReady", "Non-terminated Pods"])
    s.check("create", "namespace", "shop", has=["created"])
    s.check("apply", *ns, "-f", "-", stdin=DEPLOYMENT, has=["deployment.apps/api created"])
    s.check("apply", *ns, "-f", "-", stdin=DEPLOYMENT, has=["unchanged"])
    s.check("rollout", "status", *ns, "deployment/api", "--timeout=60s", has=["successfully rolled out"])
    s.check("get", "deployment", *ns, "api", has=["2/2"])
    s.check("get", "rs", *ns, "-o", "wide", has=["SELECTOR", "api:1"])
    s.check("get", "pods", *ns, "-l", "app=api", "-o", "wide", has=["Running", "worker-"])
    s.check("get", "pods", *ns, "--field-selector", "status.phase=Pending", has=["No resources found"])
    s.check("get", "deployment", *ns, "api", "-o", "yaml", has=["image: api:1", "maxSurge: 25%", "kubectl.kubernetes.io/last-applied-configuration"])
    s.check("get", "deployment", *ns, "api", "-o", "jsonpath={.spec.replicas}", has=["2"])
    s.check("describe", "deployment", *ns, "api", has=["RollingUpdateStrategy", "2 desired", "NewReplicaSet"])
    s.check("scale", *ns, "deployment/api", "--replicas=4", has=["scaled"])
    s.check("wait", *ns, "--for=jsonpath={.status.readyReplicas}=4", "deployment/api", "--timeout=60s", has=["condition met"], since=23)
    s.check("diff", *ns, "-f", "-", stdin=DEPLOYMENT.replace("api:1", "api:2"), has=["image: api:2"], code=1)
    s.check("set", "image", *ns, "deployment/api", "api=api:2", has=["image updated"])
    s.check("rollout", "status", *ns, "deployment/api", "--timeout=120s", has=["successfully rolled out"])
    s.check("rollout", "history", *ns, "deployment/api", has=["REVISION", "2"])
    s.check("rollout", "restart", *ns, "deployment/api", has=["restarted"])
    s.check("patch", *ns, "deployment", "api", "-p", '{"spec":{"minReadySeconds":1}}', has=["patched"])
    s.check("patch", *ns, "deployment", "api", "--type=json", "-p", '[{"op":"replace","path":"/spec/minReadySeconds","value":0}]', has=["patched"])
    s.check("label", *ns, "deployment", "api", "tier=front", has=["labeled"])
    s.check("annotate", *ns, "deployment", "api", "note=x", has=["annotated"])
    s.check("apply", "--server-side", *ns, "-f", "-", stdin=CONFIG, has=["serverside-applied"])
    s.check("apply", "--server-side", "--field-manager=other", *ns, "-f", "-", stdin=CONFIG.replace("green", "red"), has=["conflict"], code=1)
    s.check("apply", "--server-side", "--field-manager=other", "--force-conflicts", *ns, "-f", "-", stdin=CONFIG.replace("green", "red"), has=["serverside-applied"])
    s.check("get", "configmap", *ns, "settings", "-o", "yaml", "--show-managed-fields", has=["colour: red", "manager: other"], since=21)
    s.check("create", *ns, "-f", "-", stdin=POD, has=["pod/one created"])
    s.check("create", *ns, "-f", "-", stdin=POD, has=["AlreadyExists"], code=1)
    s.check("create", *ns, "-f", "-", stdin=POD.replace("restartP", "x").replace("name: one", "name: two").replace("spec:", "spec:\n  frob: 1"), has=["unknown field"], code=1)
    s.check("wait", *ns, "--for=condition=Ready", "pod/one", "--timeout=60s", has=["condition met"])
    s.check("logs", *ns, "one", has=["started"])
    s.check("describe", "pod", *ns, "one", has=["Node:", "worker-", "busybox:1.36"])
    s.check("explain", "deployment.spec.strategy", has=["rollingUpdate"])
    s.check("cordon", "worker-2", has=["cordoned"])
    s.check("get", "node", "worker-2", has=["Ready,SchedulingDisabled"])
    s.check("drain", "worker-2", "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=180s", has=["drained" if s.minor >= 21 else "node/worker-2 evicted"])
    s.check("uncordon", "worker-2", has=["uncordoned"])
    s.check("taint", "node", "worker-3", "a=b:NoSchedule", has=["tainted"])
    s.check("taint", "node", "worker-3", "a:NoSchedule-", has=["untainted"])
    s.check("delete", "pod", *ns, "one", "--ignore-not-found", "--timeout=90s")
    s.check("get", "pod", *ns, "nobody", has=["NotFound"], code=1)
    s.check("create", "-f", "-", stdin=CRD, has=["created"])
    s.check("create", *ns, "-f", "-", "--validate=false", stdin=LAMP, has=["lamp.example.com/desk created"])
    s.check("get", *ns, "lamps", has=["WATTS", "40"])
    s.check("get", *ns, "lp", "desk", "-o", "yaml", has=["replicas: 1"], lacks=["colour"])
    s.check("patch", *ns, "lamp", "desk", "--type=merge", "-p", '{"spec":{"watts":0}}', has=["greater than or equal to 1"], code=1)
    s.check("scale", *ns, "lamp/desk", "--replicas=3", has=["scaled"])
    s.check("delete", "--dry-run=server", *ns, "deployment", "api", has=["server dry run"])
    s.check("delete", *ns, "deployment", "api", has=["deleted"])
    s.check("delete", "namespace", "shop", "--timeout=120s", has=["deleted"])


def build_kubectl(source, folder):
    """The program, or why it cannot be had."""
    go = shutil.which("go") or ("/usr/local/go/bin/go" if os.path.exists("/usr/local/go/bin/go") else None)
    if go is None:
        return None, "there is no `go`"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "kubectl"
    module = source / "tests/loop/controllers"
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-mod=readonly -buildvcs=false")
    modules = subprocess.run([go, "mod", "download", "k8s.io/kubectl"], cwd=module, env=environment, capture_output=True, text=True)
    if modules.returncode != 0:
        return None, "the Go modules cannot be had: " + modules.stderr.strip()[-300:]
    version = "-X k8s.io/component-base/version.gitVersion=v1.36.3"
    built = subprocess.run([go, "build", "-trimpath", "-ldflags", version, "-o", str(program), "k8s.io/kubernetes/cmd/kubectl"], cwd=module, env=environment,
                           capture_output=True, text=True)
    if built.returncode != 0:
        sys.exit("kubectl does not build:\n" + built.stderr[-2000:])
    return str(program), ""


def debians_kubectl(folder):
    """kubectl 1.20 from Debian's package, unpacked here and not installed; or why it cannot be had."""
    old = folder / "debian/usr/bin/kubectl"
    if old.exists():
        return str(old), ""
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg")
    if apt is None or dpkg is None:
        return None, "Debian's kubectl: there is no apt-get"
    for update in ([], [apt, "update", "-qq"]):
        if update:
            subprocess.run(update, capture_output=True)
        with tempfile.TemporaryDirectory() as scratch:
            fetched = subprocess.run([apt, "download", "-qq", "kubernetes-client"], cwd=scratch, capture_output=True, text=True)
            packages = list(pathlib.Path(scratch).glob("kubernetes-client_*.deb"))
            if packages and subprocess.run([dpkg, "-x", str(packages[0]), str(folder / "debian")]).returncode == 0 and old.exists():
                return str(old), ""
    return None, "Debian's kubectl: " + fetched.stderr.strip()[-300:]


def main():
    squall, source = sys.argv[1], pathlib.Path(sys.argv[2])
    kubectls = sys.argv[3:]
    if kubectls[:1] == ["--build-dir"]:
        kubectl, why = build_kubectl(source, pathlib.Path(kubectls[1]))
        if kubectl is None:
            print(f"left out: {why}")
            return 1 if os.environ.get("CI") == "true" else LEFT_OUT
        old, why = debians_kubectl(pathlib.Path(kubectls[1]))
        if old is None:
            print(f"left out: {why}")
            if os.environ.get("CI") == "true":
                return 1
        kubectls = [kubectl] + ([old] if old else [])
    failed = passed = 0
    for kubectl in kubectls:
        with tempfile.TemporaryDirectory() as folder:
            kubeconfig = pathlib.Path(folder) / "kubeconfig"
            server = subprocess.Popen([squall, "serve", str(source / "scenarios/serve-small.yaml"), "--kubeconfig", str(kubeconfig), "--quiet"],
                                      stdout=subprocess.PIPE, text=True)
            try:
                server.stdout.readline()
                for _ in range(100):
                    if kubeconfig.exists():
                        break
                    time.sleep(0.1)
                suite = Suite(kubectl, kubeconfig, pathlib.Path(folder))
                everyday(suite)
                passed += suite.passed
                failed += len(suite.failed)
            finally:
                server.terminate()
                server.wait(30)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
