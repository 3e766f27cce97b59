#!/usr/bin/env python3
"""squall hunt and squall replay as their users call them. usage: hunt_command.py SQUALL SOURCE_DIR"""
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SQUALL, SOURCE = str(pathlib.Path(sys.argv.pop(1)).resolve()), pathlib.Path(sys.argv.pop(1)).resolve()

# Two replicas without a budget: two drains at once take both.
PLANTED = """
apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: planted}
run: {until: 1h, warmUp: 5m}
pools:
  control: {count: 3, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 16Gi}
  workers: {count: 4, nodeName: "w{n}", cpu: 8, memory: 16Gi}
behaviours:
- match: {namespace: shop}
  startUp: 20s
objects: |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    replicas: 2
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        containers: [{name: web, image: "web:1", resources: {requests: {cpu: 500m, memory: 256Mi}}}]
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec: {selector: {app: web}, ports: [{port: 80}]}
faults:
  own: {kind: node-reboot, at: 30m, target: {nodes: [cp-3]}}
expect:
  web-serves: {kind: service, namespace: shop, service: web, longestOutage: 5s}
"""


def squall(*arguments, timeout=300, cwd=None):
    return subprocess.run([SQUALL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False, cwd=cwd)


class Hunt(unittest.TestCase):
    def setUp(self):
        self.folder_object = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.folder_object.name)
        self.addCleanup(self.folder_object.cleanup)
        self.file = self.folder / "planted.yaml"
        self.file.write_text(PLANTED)

    def hunt(self, *more):
        return squall("hunt", self.file, "--kinds", "drain", "--elements", "w*", "--tries", 300, "--quiet", *more)

    def test_a_finding_is_a_scenario_that_fails_and_replays(self):
        result = self.hunt("-o", self.folder / "found")
        self.assertEqual(result.returncode, 1, result.stderr + result.stdout)
        self.assertIn("finding 1", result.stdout)
        self.assertIn("breaks web-serves", result.stdout)
        self.assertIn("FaultInjected", result.stdout)
        finding = self.folder / "found/finding-1.yaml"
        self.assertEqual(squall("validate", finding, "--strict").returncode, 0)
        tested = squall("test", finding)
        self.assertEqual(tested.returncode, 1)
        self.assertIn("web-serves", tested.stdout)
        replayed = squall("replay", finding)
        self.assertEqual(replayed.returncode, 0, replayed.stderr)
        self.assertIn("the same run", replayed.stdout)
        self.assertIn("\n  BROKEN  web-serves", replayed.stdout)
        # From elsewhere too: what it extends is named from its own folder.
        self.assertEqual(squall("replay", "found/finding-1.yaml", cwd=self.folder).returncode, 0)
        self.assertIn("finding-1.yaml", squall("replay", self.folder / "found").stderr)
        # Somebody changed it: not the same run.
        finding.write_text(finding.read_text().replace("seed: 1", "seed: 2"))
        other = squall("replay", finding)
        self.assertEqual(other.returncode, 1)
        self.assertIn("not the same run", other.stderr)

    def test_json_is_equal_for_any_number_of_jobs(self):
        one = self.hunt("--format", "json", "--jobs", 1)
        three = self.hunt("--format", "json", "--jobs", 3)
        self.assertEqual(one.stdout, three.stdout)
        parsed = json.loads(one.stdout)
        self.assertEqual(parsed["verdict"], "found")
        self.assertEqual([f["kind"] for f in parsed["findings"][0]["faults"]], ["drain", "drain"])
        self.assertEqual(parsed["findings"][0]["seedsTried"], 10)

    def test_the_survey_comes_before_the_search(self):
        survey = squall("hunt", self.file, "--survey", "--quiet")
        self.assertEqual(survey.returncode, 0)
        self.assertRegex(survey.stdout, r"faults +\d+: .*node-crash")
        self.assertIn("combinations", survey.stdout)
        self.assertIn("not searched", survey.stdout)

    def test_nothing_found_is_told(self):
        result = squall("hunt", self.file, "--kinds", "node-reboot", "--elements", "cp-1", "--faults", 1, "--tries", 50, "--quiet")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("exhaustive", result.stdout)

    def test_wrong_input(self):
        for arguments, said in [(["--kinds", "node-crush"], "did you mean 'node-crash'?"), (["--kinds", "object-delete"], "are not searched"),
                                (["--elements", "w11"], "did you mean 'w1'?"), (["--from", "2h"], "the run ends at 1h"), (["--to", "1m"], "the search begins at 5m"),
                                (["--tries", "0"], "--tries"), (["--tries", "5", "--time-budget", "5s"], "not both"), (["--faults", "9"], "--faults"),
                                (["--time-budget", "5"], "is no duration"), (["--memory", "lots"], "is no size"), (["--kinds", "ceph-disk"], "nothing here"),
                                (["--set", "pools.workers.count=2", "--set", "nonsense"], "nonsense")]:
            with self.subTest(arguments):
                result = squall("hunt", self.file, "--quiet", *arguments)
                self.assertEqual(result.returncode, 2, result.stdout + result.stderr)
                self.assertIn(said, result.stderr)
        self.assertEqual(squall("hunt", self.folder / "none.yaml").returncode, 2)
        nothing = self.folder / "nothing.yaml"
        nothing.write_text(PLANTED[:PLANTED.index("expect:")])
        result = squall("hunt", nothing, "--quiet", "--tries", 5)
        self.assertIn("expects nothing", result.stdout)
        self.assertEqual(squall("hunt", self.file, "--quiet", "--tries", 5, "-o", "/dev/null/x").returncode, 3)

    def test_overrides_stand_in_the_finding(self):
        result = self.hunt("--set", "pools.workers.count=3", "-o", self.folder / "found")
        self.assertEqual(result.returncode, 1, result.stderr)
        replayed = squall("replay", self.folder / "found/finding-1.yaml")
        self.assertEqual(replayed.returncode, 0, replayed.stderr)
        self.assertIn("count: 3", (self.folder / "found/finding-1.yaml").read_text())

    def test_ctrl_c_tells_what_it_has(self):
        process = subprocess.Popen([SQUALL, "hunt", self.file, "--time-budget", "5m", "--jobs", "2", "-o", self.folder / "found"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   start_new_session=True)
        time.sleep(4)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the children too
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertIn("interrupted: this is what was found so far", out)
        self.assertTrue((self.folder / "found/hunt.json").exists())
        self.assertFalse(json.loads((self.folder / "found/hunt.json").read_text())["complete"])

    def test_expectations_about_who_was_told_are_judged_too(self):
        result = squall("hunt", SOURCE / "scenarios/certificates-expire-unwarned.yaml", "--without-faults", "--kinds", "certificate-expiry", "--faults", 1, "--tries", 3,
                        "--findings", 1, "--verify-seeds", 2, "--quiet")
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("breaks warned-before", result.stdout)

    def test_a_time_budget_ends_it(self):
        began = time.monotonic()
        result = squall("hunt", self.file, "--time-budget", "3s", "--findings", 1, "--verify-seeds", 2, "--quiet")
        self.assertIn(result.returncode, (0, 1))
        self.assertLess(time.monotonic() - began, 60)
        self.assertIn("the time is up", result.stdout)


class Replay(unittest.TestCase):
    def setUp(self):
        self.folder_object = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.folder_object.name)
        self.addCleanup(self.folder_object.cleanup)
        self.file = self.folder / "planted.yaml"
        self.file.write_text(PLANTED)

    def test_the_folder_of_a_run(self):
        squall("run", self.file, "--quiet", "-o", self.folder / "out", "--seed", 9, "--until", "40m", "--set", "pools.workers.count=5")
        result = squall("replay", self.folder / "out")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("the same run", result.stdout)
        summary = json.loads((self.folder / "out/summary.json").read_text())
        self.assertEqual(json.loads(squall("replay", self.folder / "out", "--format", "json").stdout)["eventLogHash"], summary["eventLogHash"])
        records = [json.loads(line) for line in squall("replay", self.folder / "out", "--step", "--format", "json").stdout.splitlines()]
        self.assertEqual(len(records), summary["engine"]["logRecords"])

    def test_an_instant(self):
        result = squall("replay", self.file, "--at", "30m30s", "nodes")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"cp-3 +")
        self.assertIn("w4", squall("replay", self.file, "--at", "10m").stdout)
        same = squall("query", self.file, "--at", "30m30s", "nodes")
        self.assertEqual(result.stdout, same.stdout)

    def test_records(self):
        result = squall("replay", self.file, "--from", "30m", "--to", "31m", "--about", "cp-3")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("Host", result.stdout)
        for line in result.stdout.splitlines():
            self.assertRegex(line, r"cp-3: ")

    def test_wrong_input(self):
        for arguments, said in [(["--at", "2h"], "the run ends at 1h"), (["--about", "w11"], "did you mean 'w1'?"), (["--at", "5m", "podz"], "did you mean 'pods'?"),
                                (["pods"], "needs --at"), (["--from", "5m", "--to", "1m"], "is after"), (["--at", "5m", "--step"], "not both"), (["--at", "5"], "no time")]:
            with self.subTest(arguments):
                result = squall("replay", self.file, *arguments)
                self.assertEqual(result.returncode, 2, result.stdout + result.stderr)
                self.assertIn(said, result.stderr)
        self.assertIn("no replay.json", squall("replay", self.folder).stderr)
        (self.folder / "replay.json").write_text('{"seed": "x"}')
        broken = squall("replay", self.folder)
        self.assertEqual(broken.returncode, 2)
        self.assertIn("replay.json", broken.stderr)

    def test_step_at_a_terminal(self):
        master, slave = pty.openpty()
        process = subprocess.Popen([SQUALL, "replay", str(self.file), "--step", "--from", "30m"], stdin=slave, stdout=slave, stderr=slave, close_fds=True)
        os.close(slave)

        def until(text):
            seen, end = "", time.monotonic() + 30
            while text not in seen and time.monotonic() < end:
                if select.select([master], [], [], 1)[0]:
                    try:
                        seen += os.read(master, 65536).decode(errors="replace")
                    except OSError:
                        break
            self.assertIn(text, seen)
            return seen

        def say(text):
            os.write(master, (text + "\n").encode())

        self.assertIn("FaultInjected", until("> "))
        say("c")
        until("FaultInjected")
        say("3")
        until("Host")
        say("gte nodes")
        until("did you mean 'get'?")
        say("get podz")
        until("did you mean 'pods'?")
        say("go 30m20s")
        say("get nodes")
        self.assertIn("cp-3", until("w4"))
        say("go 1m")
        until("forward only")
        say("find NodeReady")
        until("NodeReady Node/cp-3")
        say("about w1")
        until("only records about w1")
        say("100000")
        until("the run ends here")
        say("q")
        self.assertEqual(process.wait(timeout=30), 0)
        os.close(master)


if __name__ == "__main__":
    os.environ["NO_COLOR"] = "1"
    unittest.main(verbosity=2)
