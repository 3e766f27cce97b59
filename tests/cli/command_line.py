#!/usr/bin/env python3
"""The program as its users call it: exit codes, outputs, equal runs, wrong input. usage: command_line.py SQUALL SOURCE_DIR"""
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree

SQUALL, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
SMALL = SOURCE / "tests/report/two-nodes.yaml"


def squall(*arguments, timeout=120):
    return subprocess.run([SQUALL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False)


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder_object = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.folder_object.name)
        self.addCleanup(self.folder_object.cleanup)

    def summary(self, name):
        return json.loads((self.folder / name / "summary.json").read_text())

    def test_help_teaches_every_command(self):
        top = squall("--help")
        self.assertEqual(top.returncode, 0)
        for command in ["run", "test", "compare", "schedule", "explain", "validate", "schema", "catalog"]:
            self.assertIn(command, top.stdout)
            self.assertEqual(squall(command, "--help").returncode, 0)

    def test_warnings_count_only_when_validation_is_strict(self):
        file = SOURCE / "scenarios/incident-3-registry-on-ceph.yaml"
        for arguments, code in [((), 0), (("--strict",), 2)]:
            result = squall("validate", file, *arguments)
            self.assertEqual(result.returncode, code)
            self.assertIn("circular dependency: registry harbor.example -> Service harbor/harbor-core", result.stderr)
        self.assertEqual(squall("validate", SMALL, "--strict").returncode, 0)

    def test_files_of_chaos_mesh_as_they_are(self):
        file = SOURCE / "scenarios/chaos/slow-network.yaml"
        good = squall("validate", file)
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        self.assertIn("NetworkChaos shop/slow-network: modelled", good.stdout)
        bad = self.folder / "bad.yaml"
        bad.write_text("apiVersion: chaos-mesh.org/v1alpha1\nkind: JVMChaos\nmetadata: {name: x}\nspec: {action: gc, mode: one, selector: {}, pid: 3}\n")
        refused = squall("validate", bad)
        self.assertEqual(refused.returncode, 2)
        self.assertIn(f"{bad}:2:7: error: not modelled: jvmchaos", refused.stderr)
        scenario = SOURCE / "scenarios/probes-patient-slow-network.yaml"
        rows = json.loads(squall("query", scenario, "--at", "11m", "chaos", "--format", "json").stdout)
        self.assertEqual([(row["kind"], row["name"], row["phase"], row["selected"], row["allinjected"], row["targets"]) for row in rows], [("NetworkChaos", "slow-network", "Run", "True", "True", "3")])
        self.assertRegex(squall("query", scenario, "--at", "25m", "chaos").stdout, r"NetworkChaos +shop +slow-network +Stop +True +False +True +False +3")
        # Beside the scenario's own faults, and at a time of one's own.
        kill = self.folder / "it's killed.yaml"
        kill.write_text("apiVersion: chaos-mesh.org/v1alpha1\nkind: PodChaos\nmetadata: {name: kill, namespace: shop}\nspec: {action: pod-kill, mode: all, selector: {labelSelectors: {app: checkout}}}\n")
        run = squall("run", scenario, "-q", "--chaos", f"{kill}@7m", "--format", "json")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("chaos-1", run.stdout)
        wrong = squall("run", scenario, "-q", "--chaos", f"{bad}@7m")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("not modelled: jvmchaos", wrong.stderr)
        self.assertEqual(squall("run", scenario, "-q", "--chaos", "nowhere.yaml").returncode, 2)

    def test_explain_says_why_a_pod_is_where_it_is(self):
        pods = json.loads(squall("query", SMALL, "--at", "12m", "pods", "--format", "json").stdout)
        pending = next(row for row in pods if row["status"] == "Pending")
        name = f"{pending['namespace']}/{pending['name']}"
        why = squall("explain", "pod", name, "--at", "12m", SMALL, "--format", "json")
        self.assertEqual(why.returncode, 0, why.stderr)
        told = json.loads(why.stdout)
        self.assertEqual((told["pod"], told["exists"], told["queue"]), (name, True, "unschedulable"))
        self.assertIn("didn't match Pod's node affinity/selector", told["attempts"][-1]["message"])
        cycle = told["cycles"][-1]
        self.assertEqual(cycle["nodes"]["w2"]["filters"]["NodeAffinity"]["code"], "UnschedulableAndUnresolvable")
        self.assertEqual(cycle["nodes"]["w1"]["verdict"]["plugin"], "TaintToleration")
        self.assertEqual(cycle["message"], told["attempts"][-1]["message"])
        text = squall("explain", "pod", name, "--at", "12m", SMALL).stdout
        self.assertIn("is Pending: nothing that happened since its last attempt could help it", text)
        self.assertIn("rejects 2 nodes: NodeAffinity: node(s) didn't match Pod's node affinity/selector (cp, w2)", text)
        placed = json.loads(squall("explain", "pod", name, "--at", "29m", SMALL, "--format", "json").stdout)
        self.assertEqual(placed["node"], "w1")
        self.assertEqual(placed["cycles"][-1]["node"], "w1")
        for arguments, message in [(("pod", name + "x", SMALL), "there is no pod"), (("pod", "web", SMALL), "is no NAMESPACE/NAME"),
                                   (("node", "w1", SMALL), "cannot be explained")]:
            wrong = squall("explain", *arguments)
            self.assertEqual(wrong.returncode, 2)
            self.assertIn(message, wrong.stderr)

    def test_query_shows_the_platform(self):
        scenario = SOURCE / "scenarios/openstack-cold-start.yaml"
        before = squall("query", scenario, "--at", "20m", "platform", "--format", "json")
        self.assertEqual(before.returncode, 0, before.stderr)
        rows = json.loads(before.stdout)
        self.assertEqual({row["status"] for row in rows}, {"Up"})
        self.assertIn("primary, 3 of 3 synced", [row["state"] for row in rows])
        during = squall("query", scenario, "--at", "61m", "operations")
        self.assertRegex(during.stdout, r"boot-vm +nova-api +Impossible")
        vms = json.loads(squall("query", scenario, "--at", "61m", "vms", "--format", "json").stdout)
        self.assertEqual((vms[0]["all"], vms[0]["dead"]), ("120", "120"))
        dead = squall("query", SOURCE / "scenarios/openstack-cold-start-one-dead.yaml", "--at", "2h", "platform")
        self.assertIn("by hand", dead.stdout)
        none = squall("query", SMALL, "--at", "1m", "platform")
        self.assertEqual((none.returncode, none.stdout), (0, ""))
        self.assertIn("this scenario has none", none.stderr)

    def test_unknown_command_and_option_are_wrong_input(self):
        self.assertEqual(squall("rnu").returncode, 2)
        self.assertEqual(squall("run", SMALL, "--sede", "3").returncode, 2)
        self.assertEqual(squall("run", SMALL, "--until", "30").returncode, 2)
        self.assertEqual(squall("run", self.folder / "missing.yaml").returncode, 2)

    def test_what_was_meant_is_named(self):
        for arguments, meant in [(["rnu"], "unknown command 'rnu'; did you mean 'run'?"), (["rnu", SMALL, "-q"], "did you mean 'run'?"),
                                 (["run", SMALL, "--sede", "3"], "squall run: unknown option '--sede'; did you mean '--seed'?"),
                                 (["run", SMALL, SMALL], "one argument too many"), (["generate", "k8s-sim"], "did you mean 'k8s-sims'?"),
                                 (["run", SMALL, "--set", "pools.wrker.count=5"], "there is no pool 'wrker'"),
                                 (["run", SMALL, "--seed", "-1"], "'-1' is no seed"), (["run", SMALL, "--seed", str(2**64)], "is no seed"),
                                 (["generate", "k8s-sims", "--seed", "-1"], "is no seed")]:
            result = squall(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(meant, result.stderr)
            self.assertEqual(result.stdout, "")

    def test_every_help_has_an_example(self):
        for command in ["run", "test", "compare", "schedule", "validate", "schema", "catalog", "generate"]:
            self.assertRegex(squall(command, "--help").stdout, rf"(?s)Examples?:.*squall {command}", command)

    def test_schedule_without_nodes_is_no_answer(self):
        for arguments, remedy in [(["/dev/null"], "kubectl get nodes"), ([SMALL], f"squall run {SMALL}")]:
            result = squall("schedule", *arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(remedy, result.stderr)
            self.assertEqual(result.stdout, "")

    def test_standard_input_is_a_file(self):
        result = subprocess.run([SQUALL, "validate", "-"], input=SMALL.read_text(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        result = subprocess.run([SQUALL, "validate", "-"], input="kind: Scenaro\n", capture_output=True, text=True, timeout=60, check=False)
        self.assertRegex(result.stderr, r"stdin:1:7: error: ")
        manifests = squall("generate", "k8s-sims", "--nodes", 3, "--pods", 5).stdout
        result = subprocess.run([SQUALL, "schedule", "-"], input=manifests, capture_output=True, text=True, timeout=60, check=False)
        self.assertTrue(result.stdout.startswith("3 nodes, 5 pods: 5 scheduled"), result.stdout)

    def test_full_standard_output_is_told_and_a_closed_one_ends_quietly(self):
        for arguments in [["schema"], ["run", SMALL, "-q"], ["run", SMALL, "-q", "--format", "json"], ["validate", SMALL], ["catalog", SOURCE / "scenarios"],
                          ["generate", "k8s-sims", "--nodes", "10"]]:
            with open("/dev/full", "w") as full:
                result = subprocess.run([SQUALL, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
            self.assertEqual(result.returncode, 3, arguments)
            self.assertIn("squall: standard output: ", result.stderr)
        process = subprocess.Popen([SQUALL, "run", SMALL, "-q", "-o", self.folder / "p"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.close()
        with process.stderr as errors:
            self.assertEqual(errors.read(), "")
        self.assertEqual(process.wait(60), 3)
        self.assertEqual(self.summary("p")["schemaVersion"], 1)  # what was asked to be written is there

    def test_outputs_never_take_the_place_of_a_device_or_a_link(self):
        fifo, link, target = self.folder / "fifo", self.folder / "link.xml", self.folder / "target.xml"
        os.mkfifo(fifo)
        process = subprocess.Popen([SQUALL, "test", SMALL, "--junit", fifo], stdout=subprocess.DEVNULL)
        with open(fifo) as reader:
            self.assertIn("<testsuites", reader.read())
        self.assertEqual(process.wait(60), 1)
        self.assertTrue(fifo.is_fifo())
        target.write_text("old")
        link.symlink_to(target)
        squall("test", SMALL, "--junit", link)
        self.assertTrue(link.is_symlink())
        self.assertIn("<testsuites", target.read_text())
        self.assertEqual(list(self.folder.glob("*.part-*")), [])
        self.assertEqual(squall("test", SMALL, "--junit", self.folder).returncode, 3)

    def test_a_folder_holds_one_run_or_no_summary(self):
        folder = self.folder / "again"
        self.assertEqual(squall("run", SMALL, "-q", "-o", folder).returncode, 0)
        (folder / "metrics.h5").unlink()
        (folder / "metrics.h5").mkdir()  # so the second run fails half-way
        result = squall("run", SMALL, "-q", "--seed", 2, "-o", folder)
        self.assertEqual(result.returncode, 3)
        self.assertIn("metrics.h5: Is a directory", result.stderr)
        self.assertFalse((folder / "summary.json").exists(), "the summary of an earlier run beside the events of a later one")

    def test_every_field_of_the_outputs_is_documented(self):
        text = (SOURCE / "docs/outputs.md").read_text()

        def names(value):
            if isinstance(value, dict):
                for name, inner in value.items():
                    yield name
                    if name not in ("eventCounts", "placements"):  # their names are data
                        yield from names(inner)
            elif isinstance(value, list):
                for inner in value:
                    yield from names(inner)

        (self.folder / "nodes.yaml").write_text(squall("generate", "k8s-sims", "--nodes", 1, "--pods", 300).stdout)
        for arguments in [("run", SMALL), ("run", SMALL, "--replications", 2), ("compare", SMALL, SMALL, "--replications", 2), ("test", SMALL),
                          ("schedule", self.folder / "nodes.yaml")]:
            found = set(names(json.loads(squall(*arguments, "--format", "json").stdout)))
            self.assertEqual([name for name in sorted(found) if not re.search(rf"`[^`]*\b{name}\b[^`]*`", text)], [], arguments)

    def test_survive_tells_what_a_ceph_survives(self):
        scenario = SOURCE / "scenarios/incident-2-colocated.yaml"
        result = squall("survive", scenario, "--elements", "nodes")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"Survives any 1 failure; not any 2: 3 of 3 pairs stop I/O\.")
        found = json.loads(squall("survive", scenario, "--format", "json").stdout)
        text = (SOURCE / "docs/survive.md").read_text()

        def names(value):
            if isinstance(value, dict):
                for name, inner in value.items():
                    yield name
                    yield from names(inner)
            elif isinstance(value, list):
                for inner in value:
                    yield from names(inner)

        self.assertEqual([name for name in sorted(set(names(found))) if f"`{name}`" not in text and f"`{name}[]`" not in text], [])
        self.assertEqual(found["recovery"]["touched"], found["recovery"]["simulated"])
        self.assertEqual(squall("survive", scenario, "--format", "json", "--jobs", 1).stdout, squall("survive", scenario, "--format", "json", "--jobs", 3).stdout)

    def test_survive_refuses_what_it_cannot_do(self):
        scenario = SOURCE / "scenarios/incident-2-colocated.yaml"
        for arguments, remedy in [([SMALL], "no section 'ceph'"), ([scenario, "--set", "pools.control-plane.count=40", "--faults", 6], "--elements nodes,racks or a lower --faults"),
                                  ([scenario, "--mttf", "dsk=1y"], "did you mean 'disk'"), ([scenario, "--mttr", "disk=0s"], "a time above zero"),
                                  ([scenario, "--mttr", "disk"], "expected CLASS=TIME"), ([scenario, "--elements", "nodes,clouds"], "clouds"),
                                  ([scenario, "--faults", "7"], "--faults"), ([self.folder / "nothing.yaml"], "nothing.yaml")]:
            result = squall("survive", *arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(remedy, result.stderr)
            self.assertEqual(result.stdout, "")

    def test_survive_asks_the_topology_about_spare_feeds(self):
        # Both racks hang on the same two feeds: one of them takes nothing, both take everything.
        scenario = self.folder / "feeds.yaml"
        scenario.write_text("""apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: feeds}
run: {until: 1h}
topology:
  feed-1: {kind: power-feed}
  feed-2: {kind: power-feed}
  rack-1: {kind: rack, power: [feed-1, feed-2]}
  rack-2: {kind: rack, power: [feed-1, feed-2]}
pools:
  storage: {count: 4, controlPlane: true, racks: [rack-1, rack-2]}
ceph:
  mons: {count: 3, pools: [storage]}
  osds:
    hdd: {pools: [storage], perNode: 2, size: 1Ti}
  pools:
    rbd: {size: 3, pgNum: 32, stored: 10Gi}
""")
        result = squall("survive", scenario, "--elements", "racks", "--format", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        found = json.loads(result.stdout)
        self.assertEqual([element["name"] for element in found["elements"]], ["feed-1", "feed-2", "rack-1", "rack-2"])
        stopped = {tuple(one["elements"]): one for one in found["combinations"]}
        self.assertNotIn(("feed-1",), stopped)
        self.assertEqual(stopped[("feed-1", "feed-2")]["pools"][0]["pgsStopped"], 32)
        self.assertIn("feed-1, feed-2", found["notes"][0])

    def test_names_from_elsewhere_do_no_harm(self):
        odd = os.fsencode(self.folder) + b"/w\xff\x1b[31m.yaml"
        text = "\n".join(line for line in SMALL.read_text().split("\n") if not line.startswith("  name:"))
        with open(odd, "w") as out:
            out.write(text)
        result = subprocess.run([SQUALL, "test", odd, "--junit", self.folder / "j.xml", "--format", "json"], capture_output=True, timeout=60, check=False)
        self.assertEqual(json.loads(result.stdout.decode())[0]["scenario"], "w??[31m")
        ElementTree.parse(self.folder / "j.xml")
        for arguments in [["run", odd, "-q"], ["test", odd], ["validate", odd + b"x"], ["compare", odd, odd, "--replications", "2"]]:
            result = subprocess.run([SQUALL, *arguments], capture_output=True, timeout=60, check=False)
            self.assertNotIn(b"\x1b", result.stdout + result.stderr, arguments)
            (result.stdout + result.stderr).decode()

    def test_run_writes_all_files_and_equal_runs_are_equal(self):
        for name in ["a", "b"]:
            self.assertEqual(squall("run", SMALL, "-q", "-o", self.folder / name).returncode, 0)
        for file in ["summary.json", "events.jsonl", "report.html", "metrics.h5", "trace.perfetto"]:
            self.assertGreater((self.folder / "a" / file).stat().st_size, 0, file)
        self.assertEqual((self.folder / "a/summary.json").read_bytes(), (self.folder / "b/summary.json").read_bytes())
        self.assertEqual((self.folder / "a/events.jsonl").read_bytes(), (self.folder / "b/events.jsonl").read_bytes())
        self.assertEqual(self.summary("a")["schemaVersion"], 1)
        self.assertEqual(list(pathlib.Path(self.folder).rglob("*.part-*")), [])

    def test_another_seed_is_another_run(self):
        squall("run", SMALL, "-q", "--seed", 1, "-o", self.folder / "a")
        squall("run", SMALL, "-q", "--seed", 2, "-o", self.folder / "b")
        self.assertNotEqual(self.summary("a")["eventLogHash"], self.summary("b")["eventLogHash"])

    def test_replications_do_not_depend_on_threads(self):
        for jobs in [1, 2]:
            result = squall("run", SMALL, "-q", "--replications", 4, "--jobs", jobs, "-o", self.folder / str(jobs))
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((self.folder / "1/summary.json").read_bytes(), (self.folder / "2/summary.json").read_bytes())
        self.assertEqual(len(self.summary("1")["replications"]), 4)
        self.assertEqual(squall("run", SMALL, "-q", "--seed", self.summary("1")["seed"], "-o", self.folder / "one").returncode, 0)
        self.assertEqual(self.summary("one")["eventLogHash"], self.summary("1")["replications"][0]["eventLogHash"])

    def test_events_refer_to_earlier_events(self):
        squall("run", SMALL, "-q", "-o", self.folder / "a")
        last = 0.0
        for number, line in enumerate((self.folder / "a/events.jsonl").read_text().splitlines(), 1):
            event = json.loads(line)
            self.assertEqual(event["event"], number)
            self.assertGreaterEqual(event["at"], last)
            last = event["at"]
            for cause in [event.get("cause", 0), *event.get("alsoCausedBy", [])]:
                self.assertLess(cause, number)

    def test_expectations_decide_the_exit_code_and_junit_says_why(self):
        junit = self.folder / "junit.xml"
        result = squall("test", SMALL, "--junit", junit)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        root = ElementTree.parse(junit).getroot()
        self.assertEqual(root.tag, "testsuites")
        failures = root.findall(".//failure")
        self.assertEqual(len(failures), int(root.get("failures")))
        self.assertTrue(any("FaultInjected" in (f.text or "") for f in failures))
        broken = self.folder / "broken.yaml"
        broken.write_text("kind: Scenario\n")
        self.assertEqual(squall("test", SMALL, broken).returncode, 2)

    def test_golden_logs_are_accepted_and_then_held_against(self):
        golden = self.folder / "golden"
        missing = squall("test", SMALL, "--golden", golden, "--junit", self.folder / "junit.xml")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("accept this run with --update", missing.stdout)
        self.assertFalse(golden.exists())
        accepted = squall("test", SMALL, "--golden", golden, "--update")
        self.assertIn("(new)", accepted.stdout)
        log = golden / (pathlib.Path(SMALL).stem + ".events")
        first = log.read_bytes()
        again = squall("test", SMALL, "--golden", golden, "--junit", self.folder / "junit.xml")
        self.assertNotIn("event log:", again.stdout)
        self.assertIn('name="event log"', (self.folder / "junit.xml").read_text())
        other = squall("test", SMALL, "--golden", golden, "--seed", "2")
        self.assertIn("of another run", other.stdout)
        log.write_bytes(first.replace(b"FaultInjected", b"FaultSomething", 1))
        part = squall("test", SMALL, "--golden", golden, "--junit", self.folder / "junit.xml")
        self.assertEqual(part.returncode, 1)
        self.assertIn("the runs part at record", part.stdout)
        self.assertIn('type="golden-log"', (self.folder / "junit.xml").read_text())
        changed = squall("test", SMALL, "--golden", golden, "--update")
        self.assertIn("(changed)", changed.stdout)
        self.assertEqual(log.read_bytes(), first)
        self.assertEqual(squall("test", SMALL, "--update").returncode, 2)
        self.assertEqual(squall("test", SMALL, "--golden", "/proc/nothing", "--update").returncode, 3)

    def test_output_that_cannot_be_written(self):
        blocked = self.folder / "file"
        blocked.write_text("")
        result = squall("run", SMALL, "-q", "-o", blocked / "below")
        self.assertEqual(result.returncode, 3)
        self.assertIn("squall:", result.stderr)

    def test_compare_with_itself_is_equal(self):
        result = squall("compare", SMALL, SMALL, "--replications", 3, "-q", "-o", self.folder / "c", "--format", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        comparison = json.loads(result.stdout)
        self.assertEqual(comparison["replications"], 3)
        self.assertTrue(all(f["scenarios"][1]["verdict"] == "equal" for f in comparison["figures"]))
        self.assertEqual(comparison["distinctions"], [])

    def test_interrupt_ends_in_order_with_what_there_is(self):
        process = subprocess.Popen([SQUALL, "run", SMALL, "--until", "20000d", "-o", self.folder / "i", "--replications", "1000000", "--jobs", "1"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertIn(process.returncode, (0, 130))
        self.assertEqual(list(self.folder.rglob("*.part-*")), [])

    def test_schema_is_json(self):
        schema = json.loads(squall("schema").stdout)
        self.assertIn("properties", schema)

    def test_mangled_scenarios_name_the_place_and_never_crash(self):
        text = SMALL.read_text()
        draw = random.Random(7)
        lines = text.split("\n")
        for case in range(120):
            kind = case % 4
            if kind == 0:
                mangled = text[: draw.randrange(len(text))]
            elif kind == 1:
                place = draw.randrange(len(text))
                mangled = text[:place] + draw.choice("{}[]:&*!|>'\"%@`\t#-\x00\x7f\u00e9") + text[place + 1:]
            elif kind == 2:
                row = draw.randrange(len(lines))
                mangled = "\n".join(lines[:row] + [lines[row].replace(":", "x:", 1)] + lines[row + 1:])
            else:
                row = draw.randrange(len(lines))
                mangled = "\n".join(lines[:row] + [lines[row].split(":")[0] + ": [7, {a: b}]"] + lines[row + 1:])
            file = self.folder / f"mangled-{case}.yaml"
            file.write_text(mangled)
            result = squall("validate", file)
            self.assertIn(result.returncode, (0, 2), f"case {case}: {mangled}\n{result.stderr}")
            if result.returncode == 2:
                self.assertRegex(result.stderr, rf"{file.name}(:\d+:\d+: error: |: error: the file is empty)", f"case {case}: {mangled}\n{result.stderr}")

    def test_hostile_yaml_is_refused_quickly(self):
        bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i-1}'] * 9)}]\n" for i in range(1, 30))
        deep = "a: " + "[" * 100_000 + "]" * 100_000
        for name, text in [("bomb", bomb), ("deep", deep), ("deep-block", "\n".join("  " * i + "a:" for i in range(3000)))]:
            file = self.folder / f"{name}.yaml"
            file.write_text(text)
            result = squall("validate", file, timeout=60)
            self.assertEqual(result.returncode, 2, name)
            self.assertRegex(result.stderr, r"\.yaml:\d+:\d+: error: ")
        huge = self.folder / "huge.yaml"
        with open(huge, "wb") as out:
            for _ in range(100):
                out.write(b"# " + b"x" * (1024 * 1024 - 3) + b"\n")
        result = squall("validate", huge, timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertIn("huge.yaml", result.stderr)

    def test_what_is_no_file_of_ours_is_refused(self):
        (self.folder / "a.yaml").write_text("extends: b.yaml\n")
        (self.folder / "b.yaml").write_text("extends: ./a.yaml\n")
        os.mkfifo(self.folder / "fifo.yaml")  # nobody writes into it: a folder that holds one must not hang
        for command, what, message in [("validate", self.folder / "a.yaml", "extends itself"), ("validate", "/dev/zero", "larger than"), ("validate", self.folder, "Is a directory"),
                                       ("schedule", "/dev/zero", "larger than"), ("catalog", self.folder, "no scenario"), ("test", self.folder, "no scenario"),
                                       ("run", "/dev/null", "empty")]:
            result = squall(command, what, timeout=60)
            self.assertEqual(result.returncode, 2, (command, what))
            self.assertIn(message, result.stderr)
        deep = squall("validate", SMALL, "--set", ".".join(["a"] * 60_000) + "=1")
        self.assertEqual(deep.returncode, 2)
        self.assertIn("is no path", deep.stderr)


if __name__ == "__main__":
    os.environ["NO_COLOR"] = "1"
    unittest.main(verbosity=2)
