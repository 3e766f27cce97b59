#!/usr/bin/env python3
"""Many runs as users ask for them: until an interval is narrow, in shards, merged. usage: many_runs.py SQUALL SOURCE_DIR"""
import filecmp
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SQUALL, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
SMALL = SOURCE / "tests/report/two-nodes.yaml"


def squall(*arguments, timeout=240):
    return subprocess.run([SQUALL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False)


# Two nodes of three hold a service of two; each crashes once a day, in mean, and is repaired in hours: some days go without an outage.
FRAIL = """
apiVersion: squall.dev/v1alpha1
kind: Scenario
run: {until: 1d}
pools:
  cp: {count: 3, controlPlane: true, cpu: 4, memory: 16Gi}
failures:
  processes:
    crash: {class: node-crash, timeToFailure: {law: exponential, mean: 1d}, repair: {law: exponential, mean: 4h}}
expect:
  quorum: {kind: component, component: etcd-quorum, availability: 99.99%}
"""


def without_times(text):
    """Wall times are those of the machine."""
    return re.sub(r'time="[0-9.]+"|[0-9.]+ s$', "", text, flags=re.MULTILINE)


def differences(a, b):
    """Files that are not the same bytes, or on one side only."""
    names = {p.relative_to(a) for p in a.rglob("*") if p.is_file()} | {p.relative_to(b) for p in b.rglob("*") if p.is_file()}
    return [str(n) for n in sorted(names) if not ((a / n).is_file() and (b / n).is_file() and filecmp.cmp(a / n, b / n, shallow=False))]


class ManyRuns(unittest.TestCase):
    def setUp(self):
        self.folder_object = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.folder_object.name)
        self.addCleanup(self.folder_object.cleanup)
        # The same platform with one node more: another side for comparisons.
        self.other = self.folder / "other.yaml"
        self.other.write_text(SMALL.read_text().replace("count: 2", "count: 3"))

    def shards(self, count, *arguments, folder="parts"):
        for i in range(count):
            result = squall(*arguments, "--shard", f"{i}/{count}", "-o", self.folder / folder)
            self.assertEqual(result.returncode, 0, result.stderr)
        return self.folder / folder

    def test_shards_make_what_one_process_makes(self):
        for command in [("run", SMALL, "--replications", 7), ("compare", SMALL, self.other, "--replications", 7, "--confidence", "99%")]:
            one, merged = self.folder / f"one-{command[0]}", self.folder / f"merged-{command[0]}"
            alone = squall(*command, "-q", "-o", one, "--format", "json")
            self.assertEqual(alone.returncode, 0, alone.stderr)
            for count in [1, 3, 9]:  # nine: two have nothing to do
                parts = self.shards(count, *command, folder=f"{command[0]}-{count}")
                result = squall("merge", parts, "-o", merged, "--format", "json")
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertEqual(result.stdout, alone.stdout)
                self.assertEqual(differences(one, merged), [])
            text = squall("merge", *sorted(parts.iterdir(), reverse=True))
            self.assertIn("7", text.stdout)
            self.assertEqual(list(self.folder.rglob("*.files")) + list(self.folder.rglob("*.part-*")), [])

    def test_shards_of_tests_make_what_one_process_makes(self):
        folder = self.folder / "suite"
        folder.mkdir()
        (folder / "a.yaml").write_text(SMALL.read_text())
        (folder / "b.yaml").write_text(self.other.read_text().replace("99%", "99.9999%"))
        (folder / "c.yaml").write_text("kind: Scenario\nrnu: {}\n")
        for more in [(), ("--replications", 4, "--seed", 5)]:
            command = ("test", folder, *more)
            alone = squall(*command, "--format", "json", "--junit", self.folder / "alone.xml")
            text = squall(*command)
            for count in [1, 2, 3, 5]:
                parts = self.shards(count, *command, folder=f"tests-{len(more)}-{count}")
                merged = squall("merge", parts, "--format", "json", "--junit", self.folder / "merged.xml")
                self.assertEqual((merged.returncode, merged.stderr), (alone.returncode, ""))
                self.assertEqual(merged.stdout, alone.stdout)
                self.assertEqual(without_times((self.folder / "merged.xml").read_text()), without_times((self.folder / "alone.xml").read_text()))
                self.assertEqual(without_times(squall("merge", parts).stdout), without_times(text.stdout))
        wrong = [(("test", folder, "--shard", "0/2"), "--shard needs -o DIR"), (("test", folder, "-o", "x"), "needs --shard"), (("test", folder, "--until-ci", "5%", "--shard", "0/2", "-o", "x"), "exclude each other"),
                 (("test", folder, "--shard", "0/2", "-o", "x", "--junit", "y"), "squall merge does"), (("test", folder, "--replications", 3, "--until-ci", "5%"), "exclude each other"),
                 (("merge", parts, "-o", "x"), "--junit FILE takes its results"), (("merge", self.shards(1, "run", SMALL, "--replications", 2, folder="runs"), "--junit", "x"), "--junit is for shards of squall test")]
        for arguments, problem in wrong:
            result = squall(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(problem, result.stderr)
        # Another suite, another seed, golden logs: not the same job.
        for i, other in enumerate([(folder / "a.yaml",), (folder, "--seed", 6), (folder, "--seed", 5, "--golden", self.folder / "golden", "--update")]):
            one = self.shards(1, "test", *other, folder=f"other-{i}")
            result = squall("merge", *parts.iterdir(), *one.iterdir())
            self.assertEqual(result.returncode, 2)
            self.assertIn("belongs to another job", result.stderr)

    def test_a_test_under_many_seeds_says_in_how_many_it_holds(self):
        frail = self.folder / "frail.yaml"
        frail.write_text(FRAIL)
        many = json.loads(squall("test", frail, "--replications", 40, "--format", "json").stdout)[0]
        self.assertEqual((many["verdict"], many["runs"]), ("failed", 40))
        held = [json.loads(squall("test", frail, "--seed", seed, "--format", "json").stdout)[0]["verdict"] == "held" for seed in range(1, 41)]
        self.assertEqual(many["runsHeld"], sum(held))
        self.assertTrue(0 < many["runsHeld"] < 40)
        self.assertEqual(many["expectations"][0]["firstSeed"], 1 + held.index(False))
        self.assertIn(f"in {40 - sum(held)} of 40 runs, first with seed {1 + held.index(False)}: ", many["expectations"][0]["violation"])
        self.assertTrue(many["ci"][0] < many["runsHeld"] / 40 < many["ci"][1])
        self.assertEqual(json.loads(squall("test", frail, "--replications", 40, "--jobs", 3, "--format", "json").stdout)[0], many)
        sound = self.folder / "sound.yaml"
        sound.write_text(FRAIL.replace("mean: 1d", "mean: 900d"))
        narrow = json.loads(squall("test", frail, sound, "--until-ci", "10%", "--format", "json").stdout)
        self.assertLess((narrow[0]["ci"][1] - narrow[0]["ci"][0]) / 2, 0.1)
        self.assertGreater(narrow[0]["runs"], 40)
        # One that always holds is known sooner.
        self.assertEqual(narrow[1]["verdict"], "held")
        self.assertLess(narrow[1]["runs"], narrow[0]["runs"])
        few = json.loads(squall("test", frail, "--until-ci", "1%", "--max-replications", 50, "--format", "json").stdout)[0]
        self.assertEqual(few["runs"], 50)

    def test_shards_of_survive_make_what_one_process_makes(self):
        ceph = SOURCE / "scenarios/incident-2-colocated.yaml"
        command = ("survive", ceph, "--elements", "nodes,mons", "--mttf", "node=90d", "--simulate", 40, "--set", "run.seed=3")
        alone, text = squall(*command, "--format", "json"), squall(*command)
        self.assertEqual(alone.returncode, 0, alone.stderr)
        self.assertGreater(json.loads(alone.stdout)["recovery"]["simulated"], 2)
        for count in [1, 3, 50]:
            parts = self.shards(count, *command, folder=f"survive-{count}")
            merged = squall("merge", parts, "--format", "json")
            self.assertEqual((merged.returncode, merged.stdout), (0, alone.stdout))
        self.assertEqual(squall("merge", parts).stdout, text.stdout)
        other = self.shards(1, "survive", ceph, "--elements", "nodes,mons", folder="survive-other")
        self.assertIn("belongs to another job", squall("merge", *parts.iterdir(), *other.iterdir()).stderr)
        for arguments, problem in [(("--until-ci", "5%"), "survive enumerates every set of losses"), (("--shard", "0/2"), "--shard needs -o DIR"), (("-o", "x"), "needs --shard"),
                                   (("--shard", "2/2", "-o", "x"), "is no shard")]:
            result = squall("survive", ceph, *arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(problem, result.stderr)
        # The scenario is read again, and has to be the same.
        copy = self.folder / "ceph.yaml"
        copy.write_text(f"extends: {ceph.resolve()}\napiVersion: squall.dev/v1alpha1\nkind: Scenario\n")
        parts = self.shards(2, "survive", copy, "--elements", "nodes", folder="survive-copy")
        copy.write_text(copy.read_text() + "run: {seed: 9}\n")
        self.assertIn("was another when the shards were made", squall("merge", parts).stderr)

    def test_equal_runs_are_equal_to_the_last_byte(self):
        for name in ["a", "b"]:
            self.assertEqual(squall("run", SMALL, "-q", "-o", self.folder / name).returncode, 0)
            time.sleep(1.1)  # files that hold a time hold another one
        self.assertEqual(differences(self.folder / "a", self.folder / "b"), [])

    def test_what_does_not_fit_together_is_named(self):
        parts = self.shards(3, "run", SMALL, "--replications", 6)
        foreign = self.shards(3, "run", SMALL, "--replications", 6, "--seed", 50, folder="foreign")
        changed = self.folder / "changed.yaml"
        one, two, three = sorted(parts.iterdir())
        for files, problem in [((one, two), "shard 2 of 3 is missing"), ((one,), "shards 1, 2 of 3 are missing"), ((one, two, three, two), "shard 1 of 3 is there twice"),
                               ((one, two, foreign / "shard-2-of-3.jsonl"), "from seed 50, not 1"), ((one, SMALL), "is no shard"), ((self.folder / "none",), "cannot be opened"),
                               ((self.folder / "foreign" / ".." / "empty",), "cannot be opened")]:
            result = squall("merge", *files, "-o", self.folder / "out")
            self.assertEqual(result.returncode, 2, problem)
            self.assertIn(problem, result.stderr)
            self.assertFalse((self.folder / "out").exists())
        text = three.read_text()
        for broken in [text[: len(text) // 2], text[:-1].rsplit("\n", 1)[0] + "\n", text.replace('"held":', '"hld":', 1), text + text]:
            three.write_text(broken)
            result = squall("merge", parts)
            self.assertEqual(result.returncode, 2)
            self.assertIn(f"{three}: is damaged or cut off", result.stderr)
        three.write_text(text.replace('"squallShard":2', '"squallShard":3'))
        self.assertIn("has format 3", squall("merge", parts).stderr)
        # The same name with another content is another job.
        for i, content in enumerate([SMALL.read_text(), SMALL.read_text() + "# later\n"]):
            changed.write_text(content)
            squall("run", changed, "--replications", 4, "--shard", f"{i}/2", "-o", self.folder / "c")
        self.assertIn("was another when it ran", squall("merge", self.folder / "c").stderr)
        (self.folder / "empty").mkdir()
        self.assertIn("no shards in the given folders", squall("merge", self.folder / "empty").stderr)

    def test_flags_that_exclude_each_other(self):
        for arguments, problem in [(["--until-ci", "5%", "--shard", "0/2", "-o", "x"], "exclude each other"), (["--until-ci", "5%", "--replications", 5], "exclude each other"),
                                   (["--replications", 4, "--shard", "0/2"], "--shard needs -o DIR"), (["--shard", "0/2", "-o", "x"], "--replications of 2 or more"),
                                   (["--shard", "2/2", "-o", "x"], "counts from 0"), (["--shard", "-1/2"], "no shard"), (["--shard", "1/0"], "no shard"), (["--until-ci", "0%"], "no share"),
                                   (["--until-ci", "5 percent"], "no share"), (["--confidence", "100%"], "no confidence"), (["--ci-of", "etcd"], "needs --until-ci"),
                                   (["--min-replications", 5], "need --until-ci"), (["--until-ci", "5%", "--min-replications", 50, "--max-replications", 40], "is more than"),
                                   (["--until-ci", "5%", "--ci-of", "servise outages"], "no figure of these runs"), (["--until-ci", "5%", "--ci-of", "p200:etcd"], "expected a quantile"),
                                   (["--until-ci", "5%", "--ci-of", "availability"], "part of more than one name"), (["--until-ci", "5%", "--ci-of", "p95:objectives"], "no quantile worth a name")]:
            result = squall("run", SMALL, "-q", *arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(problem, result.stderr)
            self.assertEqual(result.stdout, "")
        self.assertIn("the difference of two quantiles", squall("compare", SMALL, self.other, "-q", "--until-ci", "5%", "--ci-of", "p95:longest outage of a service").stderr)

    def test_it_stops_when_the_interval_is_narrow_on_any_number_of_threads(self):
        found = []
        for jobs in [1, 3]:
            result = squall("run", SMALL, "-q", "--until-ci", "2%", "--ci-of", "longest outage of a service", "--jobs", jobs, "--format", "json")
            self.assertEqual(result.returncode, 0, result.stderr)
            found.append(result.stdout)
        self.assertEqual(found[0], found[1])
        summary = json.loads(found[0])
        precision = summary["precision"]
        self.assertTrue(precision["reached"])
        side = precision["intervals"][0]
        self.assertAlmostEqual((side["ci95"][1] - side["ci95"][0]) / 2 / side["value"], side["width"])
        self.assertLessEqual(side["width"], 0.02)
        self.assertIn(len(summary["replications"]), [30, 45, 68, 102, 153, 230, 345])
        # The interval of the table is the one that it stopped at, not a narrower one that forgets the looks.
        row = next(r for r in summary["aggregate"] if r["name"] == "longest outage of a service")
        self.assertEqual(row["ci95"], side["ci95"])
        few = json.loads(squall("run", SMALL, "-q", "--until-ci", "0.01%", "--ci-of", "longest outage of a service", "--max-replications", 40, "--format", "json").stdout)
        self.assertFalse(few["precision"]["reached"])
        self.assertEqual(len(few["replications"]), 40)
        both = json.loads(squall("compare", SMALL, self.other, "-q", "--until-ci", "10%", "--format", "json").stdout)
        self.assertEqual(both["precision"]["statistic"], "share")
        self.assertTrue(both["precision"]["reached"])

    def test_every_field_is_documented(self):
        text = (SOURCE / "docs/outputs.md").read_text()
        for arguments in [("run", SMALL, "--until-ci", "5%", "--confidence", "90%"), ("run", SMALL, "--until-ci", "20%", "--ci-of", "p95:longest outage of a service"),
                          ("compare", SMALL, self.other, "--until-ci", "10%", "--ci-of", "node availability")]:
            names = set()

            def collect(value):
                if isinstance(value, dict):
                    names.update(value)
                    for inner in value.values():
                        collect(inner)
                elif isinstance(value, list):
                    for inner in value:
                        collect(inner)

            collect(json.loads(squall(*arguments, "-q", "--format", "json").stdout))
            self.assertEqual([name for name in sorted(names) if f"`{name}`" not in text and f"`{name}[]`" not in text], [])

    def test_an_interrupted_test_tells_what_its_runs_have_said(self):
        frail = self.folder / "frail.yaml"
        frail.write_text(FRAIL)
        for form in ["text", "json"]:
            process = subprocess.Popen([SQUALL, "test", frail, "--replications", "1000000", "--format", form, "-q", "--junit", self.folder / "j.xml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(4)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 130)
            if form == "json":
                one = json.loads(out)[0]
                self.assertEqual(one["verdict"], "error")
                self.assertTrue(0 < one["runsHeld"] < one["runs"] < 1000000, one)
            else:
                self.assertRegex(out, r"ERROR .*interrupted after \d+ of 1000000 runs; all expectations hold in \d+ of them")
                self.assertRegex(out, r"quorum: in \d+ of \d+ runs, first with seed")
        self.assertIn("interrupted after", (self.folder / "j.xml").read_text())

    def test_interrupted_shards_leave_nothing(self):
        process = subprocess.Popen([SQUALL, "run", SMALL, "--until", "20000d", "--replications", "1000000", "--shard", "0/2", "-o", self.folder / "i", "--jobs", "1"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertIn("no shard was written", errors)
        self.assertEqual([p for p in self.folder.rglob("*") if p.name != "i" and p != self.other], [])

    def test_memory_does_not_grow_with_replications(self):
        peaks = []
        for count in [50, 1000]:
            process = subprocess.Popen([SQUALL, "run", SMALL, "-q", "--replications", str(count), "--jobs", "1"], stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            peaks.append(usage.ru_maxrss)
        self.assertLess(peaks[1], peaks[0] + 4096, "KiB at 50 and at 1000 replications")

    def test_whoever_stops_reading_gets_no_complaint(self):
        result = subprocess.run(f"'{SQUALL}' run '{SMALL}' -q --format json | head -1", shell=True, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((result.stdout, result.stderr), ("{\n", ""))


if __name__ == "__main__":
    unittest.main(verbosity=1)
