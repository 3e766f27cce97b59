#!/usr/bin/env python3
"""Unmodified programs in virtual time, under squall loop --virtual.

virtual_time.py SQUALL SOURCE --build-dir DIR

1. A Go program (tests/loop/virtual_time) whose sleeps, tickers, timers, long polls and garbage collection must be right to the millisecond over a day, and
   whose order of maps, selects and goroutines must be the same in two runs.
2. The real kube-scheduler and kube-controller-manager, built from their Go modules, carry a Deployment, StatefulSet, DaemonSet, Job and CronJob through
   the loss of a node: scenarios/loop-day.yaml. What they ask for is read from the log of requests.

Without Go or its modules the test says so (exit code 77); with CI=true that is a failure. Where ptrace is not allowed likewise.
"""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LEFT_OUT = 77
VERSION = "-X k8s.io/component-base/version.gitVersion=v1.36.3"


def leave_out(why):
    print(f"left out: {why}")
    sys.exit(1 if os.environ.get("CI") == "true" else LEFT_OUT)


def build(go, module, package, program):
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-mod=readonly -buildvcs=false")
    built = subprocess.run([go, "build", "-trimpath", "-ldflags", VERSION, "-o", str(program), package], cwd=module, env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        if re.search(r"dial tcp|proxy|no such host|cannot find module", built.stderr):
            leave_out("the Go modules cannot be had: " + built.stderr.strip()[-300:])
        sys.exit(f"{package} does not build:\n{built.stderr[-2000:]}")
    return program


class Suite:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, holds, seen=""):
        self.passed += bool(holds)
        self.failed += not holds
        if not holds:
            print(f"FAILED: {what}\n  {str(seen)[-2000:]}")


def go_programs(suite, squall, source, clock):
    def run(mode):
        done = subprocess.run([squall, "loop", str(source / "scenarios/serve-small.yaml"), "--virtual", "--until", "25h", "--format", "json", "-q", "--", str(clock), mode],
                              capture_output=True, text=True, timeout=600)
        if "cannot trace" in done.stderr or "seccomp" in done.stderr:
            leave_out(done.stderr.strip())
        said = done.stdout.split("{", 1)[0].strip()
        loop = json.loads(done.stdout[len(done.stdout.split("{", 1)[0]):])["loop"] if "{" in done.stdout else {}
        suite.check(f"{mode}: {said}", done.returncode in (0, 1) and loop.get("commandExitCode") == 0, done.stdout[:500] + done.stderr)
        return said, loop.get("reproducible")

    for mode in ("sleep", "tickers", "timers", "http", "garbage"):
        run(mode)
    first, reproducible = run("order")
    second, _ = run("order")
    if reproducible:
        suite.check("two runs have one order", first == second, f"{first} / {second}")
    else:
        print("not compared: without SCHED_FIFO the order is the kernel's")


def controllers(suite, squall, source, scheduler, manager, folder):
    log = folder / "requests"
    command = (f"{scheduler} --kubeconfig {{kubeconfig}} --authentication-kubeconfig {{kubeconfig}} --authorization-kubeconfig {{kubeconfig}} --leader-elect=false --secure-port=0"
               f" >/dev/null 2>&1 & exec {manager} --kubeconfig {{kubeconfig}} --authentication-kubeconfig {{kubeconfig}} --authorization-kubeconfig {{kubeconfig}}"
               " --leader-elect=false --secure-port=0 --use-service-account-credentials=false >/dev/null 2>&1")
    done = subprocess.run([squall, "loop", str(source / "scenarios/loop-day.yaml"), "--virtual", "--until", "65m", "--set", "controlPlane.scheduler=external",
                           "--set", "controlPlane.controllerManager=external", "--request-log", str(log), "--format", "json", "-q", "--", "sh", "-c", command],
                          capture_output=True, text=True, timeout=1200)
    suite.check("the scenario's expectations hold", done.returncode == 0, done.stdout[-1500:] + done.stderr)
    summary = json.loads(done.stdout)
    loop = summary["loop"]
    print(f"{loop['requests']} requests, {loop['steps']} steps of the clock, {loop['stops']} stops, hash {loop['requestHash']}")
    suite.check("nobody spun", loop["pushedSteps"] == 0, loop)
    created, bound, taints, jobs = collections.Counter(), [], [], []
    for line in log.read_text().splitlines():
        when, client, method, uri = line.split()[:4]
        path = uri.split("?")[0]
        if client == "kube-scheduler" and method == "POST" and path.endswith("/binding"):
            bound.append((float(when), path.split("/")[-2]))
        if client == "kube-controller-manager" and method == "POST":
            created[path.split("/")[-1]] += 1
            if path.endswith("/jobs"):
                jobs.append(float(when))
        if client == "kube-controller-manager" and method == "PATCH" and path.endswith("/nodes/worker-7"):
            taints.append(float(when))
    pods = {name for _, name in bound}
    of = collections.Counter(next((kind for kind in ("agent", "web", "store", "load", "report") if name.startswith(kind)), name) for name in pods)
    suite.check("DaemonSet: one pod on each of 99 workers", of["agent"] >= 99, of)
    suite.check("Deployment: ten pods, and as many more as the lost node had", of["web"] >= 10, of)
    suite.check("StatefulSet: its three names", {"store-0", "store-1", "store-2"} <= pods, of)
    suite.check("Job: six completions", of["load"] == 6, of)
    suite.check("CronJob: its Job at the full hour", of["report"] == 1 and len(jobs) == 1 and 3600 <= jobs[0] < 3602, (of, jobs))
    # The node dies at 1200 s; its lease was renewed up to 10 s before. 50 s of grace (the default of 1.32 and later), looked at every 5 s.
    noticed = [when for when in taints if 1200 < when < 1300]
    suite.check("the node is tainted 40 to 56 s after its death", noticed and 1240 <= noticed[0] <= 1256, taints)
    moved = [(when, name) for when, name in bound if 1200 < when < 2400 and not name.startswith("agent")]
    lost = 300 + (noticed[0] if noticed else 0)
    suite.check("its pods of the Deployment are made anew 300 s later", all(lost - 1 <= when <= lost + 10 for when, _ in moved), (lost, moved))


def main():
    squall, source, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[4])
    go = shutil.which("go") or ("/usr/local/go/bin/go" if os.path.exists("/usr/local/go/bin/go") else None)
    if go is None:
        leave_out("there is no `go`")
    folder.mkdir(parents=True, exist_ok=True)
    suite = Suite()
    go_programs(suite, squall, source, build(go, source / "tests/loop/virtual_time", ".", folder / "clock"))
    module = source / "tests/loop/controllers"
    programs = [build(go, module, f"k8s.io/kubernetes/cmd/{name}", folder / name) for name in ("kube-scheduler", "kube-controller-manager")]
    with tempfile.TemporaryDirectory() as scratch:
        controllers(suite, squall, source, *programs, pathlib.Path(scratch))
    print(f"{suite.passed} passed, {suite.failed} failed")
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main())
