#!/usr/bin/env python3
"""squall run --rare-event as its users give it. usage: rare_events.py SQUALL SOURCE_DIR"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SQUALL, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
REPAIR = SOURCE / "scenarios/machine-repair.yaml"
PLATFORM = SOURCE / "scenarios/etcd-six-nines.yaml"
OFTEN = ("--set", "failures.processes.machines.timeToFailure.mean=200h", "--until", "60d")


def squall(*arguments, environment=None, timeout=240):
    return subprocess.run([SQUALL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False, env=environment)


def down_share(ratio):
    """Two of three are broken, one person repairs: see scenarios/machine-repair.yaml."""
    return 6 * ratio**2 * (1 + ratio) / (1 + 3 * ratio + 6 * ratio**2 + 6 * ratio**3)


class RareEvents(unittest.TestCase):
    def test_it_estimates_what_the_closed_form_says(self):
        with tempfile.TemporaryDirectory() as folder:
            result = squall("run", REPAIR, *OFTEN, "--rare-event", "etcd", "--replications", 40, "-q", "--format", "json", "-o", folder)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(pathlib.Path(folder, "rare-events.json").read_text(), result.stdout)
        found = json.loads(result.stdout)
        low, high = found["unavailability"]["ci95"]
        self.assertTrue(found["trusted"], found["doubt"])
        self.assertTrue(low < down_share(1 / 200) < high, found["unavailability"])
        self.assertLess((high - low) / 2, 0.25 * down_share(1 / 200))
        # Time outside of excursions costs etcd nothing here.
        self.assertEqual((found["outsideRuns"], found["unbiasedProcesses"]), (0, []))
        self.assertTrue(0.01 < found["excursionShare"] < 0.05)

    def test_six_nines_in_a_platform_are_found_in_years_of_forty_failing_workers(self):
        result = squall("run", PLATFORM, "--rare-event", "etcd", "--bias", "machines", "--replications", 100, "--seed", 3)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("the interval can be trusted", result.stdout)
        self.assertRegex(result.stdout, r"availability +99\.999\d+ %")
        self.assertRegex(result.stdout, r"same runs, plain +0 ")

    def test_what_does_not_go_together_is_told(self):
        rare = ("run", REPAIR, "--rare-event", "etcd")
        for arguments, problem in [
            ((*rare, "--until-ci", "5%"), "--rare-event and --until-ci exclude each other"),
            ((*rare, "--replications", 10, "--shard", "0/2", "-o", "x"), "--rare-event has no shards"),
            ((*rare, "--replications", 1), "needs --replications of 2 or more"),
            ((*rare, "--confidence", "99%"), "--confidence is not for it"),
            (("run", REPAIR, "--copies", 3), "--rare-event"),
            (("run", REPAIR, "--bias", "machines"), "--rare-event"),
            ((*rare, "--settle", "soon"), "'soon' is no duration"),
            ((*rare, "--until", "1h"), "nothing is measured: the warm-up lasts 1h, and the run 1h"),
            ((*rare, "--copies", 0), "--copies"),
            (("run", REPAIR, "--rare-event", "etc"), "did you mean 'etcd'?"),
            ((*rare, "--bias", "machine"), "there is no failure process 'machine' to bias; there are: machines"),
            (("run", SOURCE / "scenarios/incident-5-few-large.yaml", "--rare-event", "etcd"), "no section 'failures'"),
            ((*rare, "--set", "failures.processes.machines.timeToFailure={law: always, value: 100h}"), "no failure process can be biased"),
        ]:
            result = squall(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(problem, result.stderr)
            self.assertEqual(result.stdout, "")
        alone = squall(*rare, environment={**os.environ, "OMPI_COMM_WORLD_SIZE": "3"})
        self.assertEqual(alone.returncode, 2)

    def test_too_few_are_not_trusted(self):
        few = squall("run", REPAIR, "--rare-event", "etcd", "--replications", 3, "-q").stdout
        self.assertIn("do not trust the interval: 3 replications: take 10 at least", few)
        rare = squall("run", PLATFORM, "--rare-event", "etcd", "--bias", "machines", "--replications", 12, "--copies", 1, "-q").stdout
        self.assertIn("do not trust the interval: only", rare)

    def test_what_one_rare_failure_does_is_not_trusted_when_it_was_in_no_run(self):
        # Racks lose their power once in 14 years, and five such years have seen none.
        result = squall("run", SOURCE / "scenarios/year-many-small.yaml", "--rare-event", "Service/shop/web", "--replications", 10, "--until", "60d", "--seed", 20, "-q", "--format", "json")
        found = json.loads(result.stdout)
        self.assertEqual(found["unseenProcesses"], ["power"])
        self.assertFalse(found["trusted"])

    def test_a_loss_that_begins_with_the_first_failure_keeps_its_weight(self):
        # Seed 6 loses a rack on day 8: no further failure is hastened, so every copy carries the loss.
        result = squall("run", SOURCE / "scenarios/year-many-small.yaml", "--rare-event", "Service/shop/web", "--replications", 2, "--until", "10d", "--seed", 6, "--copies", 20, "-q", "--format", "json")
        found = json.loads(result.stdout)
        self.assertTrue(0.4 < found["unavailability"]["mean"] / found["plainUnavailability"]["mean"] < 1.2, found)

    def test_where_it_is_cannot_be_written_is_told(self):
        result = squall("run", REPAIR, "--rare-event", "etcd", "--replications", 2, "-o", "/proc/nothing")
        self.assertEqual(result.returncode, 3)

    def test_ctrl_c_tells_what_there_is_and_leaves_no_process(self):
        job = subprocess.Popen([SQUALL, "run", str(REPAIR), "--rare-event", "etcd", "--replications", "100000", "--jobs", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
        time.sleep(4)
        os.killpg(job.pid, signal.SIGINT)
        out, _ = job.communicate(timeout=60)
        self.assertEqual(job.returncode, 130)
        self.assertIn("stopped early: complete replications only", out)
        self.assertIn("unavailability", out)
        time.sleep(0.5)
        with self.assertRaises(ProcessLookupError):
            os.killpg(job.pid, 0)

    def test_a_process_that_dies_is_told(self):
        job = subprocess.Popen([SQUALL, "run", str(REPAIR), "--rare-event", "etcd", "--replications", "100000", "--jobs", "2", "-q"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
        time.sleep(2)
        workers = [int(p.parent.name) for p in pathlib.Path("/proc").glob("[0-9]*/stat") if self.parent_of(p) == job.pid]
        self.assertEqual(len(workers), 2)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        _, errors = job.communicate(timeout=60)
        self.assertEqual(job.returncode, 3)
        self.assertRegex(errors, r"\d+ of 100000 replications are missing: their processes died")

    @staticmethod
    def parent_of(status):
        try:
            return int(status.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            return 0


if __name__ == "__main__":
    unittest.main(verbosity=1)
