#!/usr/bin/env python3
"""The official clients, and an operator, against `squall serve`.

  clients.py SQUALL SOURCE_DIR --build-dir DIR [python] [javascript] [operator]

python      tests/loop/clients/python_client.py with the package of requirements.txt
javascript  tests/loop/clients/javascript_client.mjs with the package of package.json
operator    tests/loop/operator: controller-runtime with a CustomResourceDefinition of its own, against a server at the wall clock's speed and, twice, in virtual time
            through the loss of a node: the same requests in the same order both times

What of them cannot be had (no pip, npm or Go, no registry) is left out: exit code 77, or 1 where CI=true.
"""

import argparse
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
NO_NETWORK = r"dial tcp|proxy|no such host|cannot find module|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|E40[0-9]|Temporary failure|No matching distribution|Max retries|NewConnectionError"


class LeftOut(Exception):
    pass


def have(program):
    found = shutil.which(program) or (f"/usr/local/go/bin/{program}" if os.path.exists(f"/usr/local/go/bin/{program}") else None)
    if found is None:
        raise LeftOut(f"there is no `{program}`")
    return found


def fetch(what, command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, **options)
    if done.returncode == 0:
        return
    text = done.stderr + done.stdout
    if re.search(NO_NETWORK, text) or "No module named pip" in text:
        raise LeftOut(f"{what} cannot be had: {text.strip()[-300:]}")
    sys.exit(f"{what}:\n{text[-2000:]}")


def served(squall, source, command, environment):
    """Runs the command against a server of its own: whether it ended well, and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = pathlib.Path(folder) / "kubeconfig"
        server = subprocess.Popen([squall, "serve", str(source / "scenarios/serve-small.yaml"), "--kubeconfig", str(kubeconfig), "--quiet"], stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                if kubeconfig.exists():
                    break
                time.sleep(0.1)
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=dict(os.environ, KUBECONFIG=str(kubeconfig), HOME=folder, **environment))
            return done.returncode == 0, done.stdout, done.stderr
        finally:
            server.terminate()
            server.wait(30)


def python(squall, source, folder):
    packages = folder / "python"
    wanted = source / "tests/loop/clients/requirements.txt"
    stamp = packages / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        fetch("the Python package", [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(packages), "--upgrade", "-r", str(wanted)])
        stamp.write_text(wanted.read_text())
    return served(squall, source, [sys.executable, str(source / "tests/loop/clients/python_client.py")], {"PYTHONPATH": str(packages)})


def javascript(squall, source, folder):
    have("node")
    modules = folder / "javascript"
    modules.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "javascript_client.mjs"):
        shutil.copy(source / "tests/loop/clients" / name, modules / name)
    wanted = (modules / "package.json").read_text()
    stamp = modules / "installed.json"
    if not stamp.exists() or stamp.read_text() != wanted:
        fetch("the npm package", [have("npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=modules)
        stamp.write_text(wanted)
    return served(squall, source, ["node", str(modules / "javascript_client.mjs")], {})


def operator(squall, source, folder):
    program = folder / "operator"
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-mod=readonly -buildvcs=false")
    fetch("the operator", [have("go"), "build", "-trimpath", "-o", str(program), "."], cwd=source / "tests/loop/operator", env=environment)
    well, said, errors = served(squall, source, [str(program)], {})
    hashes = []
    # Two runs ask the same in the same order. On a machine so busy that the kernel defers its own network work one may differ: a third decides.
    while len(hashes) < 2 or (len(hashes) < 3 and hashes[0] != hashes[1]):
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
            # To a file in memory: who waits for a disk is overtaken, in one run and not in the next.
            script = f"exec env KUBECONFIG={{kubeconfig}} HOME=/ NODE_FAILS=10m {program} > {scratch}/said 2> {scratch}/log"
            done = subprocess.run([squall, "loop", str(source / "scenarios/serve-small.yaml"), "--virtual", "--until", "30m", "--format", "json", "-q", "--", "sh", "-c", script],
                                  capture_output=True, text=True, timeout=600)
            if "cannot trace" in done.stderr or "seccomp" in done.stderr:
                raise LeftOut(done.stderr.strip())
            told = pathlib.Path(scratch, "said").read_text()
            errors = pathlib.Path(scratch, "log").read_text()
        said += "in virtual time:\n" + told
        loop = json.loads(done.stdout)["loop"]
        well = well and loop["commandExitCode"] == 0 and "ok: a node is lost" in told
        hashes.append(loop["requestHash"])
        if not loop["reproducible"]:
            print("note: no SCHED_FIFO here, so that the order of requests is not compared")
            break
    if len(hashes) > 1 and len(set(hashes)) == len(hashes):
        well = False
        said += f"FAILED: the runs asked in another order each: {', '.join(hashes)}\n"
    return well, said, errors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("squall")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--build-dir", type=pathlib.Path, required=True)
    parser.add_argument("which", nargs="*", help="python, javascript, operator (default: all)")
    arguments = parser.parse_intermixed_args()
    arguments.build_dir.mkdir(parents=True, exist_ok=True)
    code = 0
    for one in [python, javascript, operator]:
        if arguments.which and one.__name__ not in arguments.which:
            continue
        try:
            well, said, errors = one(arguments.squall, arguments.source, arguments.build_dir)
            print(f"== {one.__name__}\n{said}", end="")
            if not well:
                code = 1
                print(errors[-2000:])
        except LeftOut as why:
            print(f"== {one.__name__}\nleft out: {why}")
            code = 1 if os.environ.get("CI") == "true" else code or LEFT_OUT
    return code


if __name__ == "__main__":
    sys.exit(main())
