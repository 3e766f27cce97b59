#!/usr/bin/env python3
"""The same job on two to four processes of MPI, and alone: the same bytes. usage: mpi.py SQUALL SOURCE_DIR

Exit code 77 (skipped) without mpirun or when squall was built without MPI, unless CI=true: there both have to be.
"""
import filecmp
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SQUALL, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
SMALL = SOURCE / "tests/report/two-nodes.yaml"
# As root, and more processes than processors: on a test machine that is meant.
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def launch(processes, *arguments):
    return ["mpirun", "--oversubscribe", "-n", str(processes), SQUALL, *map(str, arguments)]


def mpirun(processes, *arguments):
    return subprocess.run(launch(processes, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False)


def differences(a, b):
    names = {p.relative_to(a) for p in a.rglob("*") if p.is_file()} | {p.relative_to(b) for p in b.rglob("*") if p.is_file()}
    return [str(n) for n in sorted(names) if not ((a / n).is_file() and (b / n).is_file() and filecmp.cmp(a / n, b / n, shallow=False))]


def processes_of(parent):
    """Ids of the squall processes below a process."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = status.read_text().rsplit(")", 1)
        except OSError:
            continue
        if int(rest.split()[1]) == parent and name.endswith("(squall"):
            found.append(int(status.parent.name))
    return sorted(found)


class Mpi(unittest.TestCase):
    def setUp(self):
        self.folder_object = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.folder_object.name)
        self.addCleanup(self.folder_object.cleanup)
        self.other = self.folder / "other.yaml"
        self.other.write_text(SMALL.read_text().replace("count: 2", "count: 3"))

    def test_ranks_make_what_one_process_makes(self):
        for name, command in [("run", ("run", SMALL, "--replications", 7)), ("compare", ("compare", SMALL, self.other, "--replications", 5)),
                              ("narrow", ("run", SMALL, "--until-ci", "3%", "--ci-of", "longest outage of a service"))]:
            alone = subprocess.run([SQUALL, *map(str, command), "-q", "--format", "json", "-o", self.folder / name], capture_output=True, text=True, timeout=240, check=False)
            self.assertEqual(alone.returncode, 0, alone.stderr)
            for ranks in [2, 3, 4]:
                out = self.folder / f"{name}-{ranks}"
                result = mpirun(ranks, *command, "-q", "--format", "json", "-o", out)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(result.stdout, alone.stdout)
                self.assertEqual(differences(self.folder / name, out), [])

    def test_tests_and_survive_are_shared_as_well(self):
        suite = self.folder / "suite"
        suite.mkdir()
        for i in range(3):
            (suite / f"{i}.yaml").write_text(SMALL.read_text().replace("count: 2", f"count: {2 + i}").replace("99%", "99.9999%" if i == 1 else "99%"))
        (suite / "broken.yaml").write_text("kind: Scenario\nrnu: {}\n")
        ceph = SOURCE / "scenarios/incident-2-colocated.yaml"
        for name, command in [("test", ("test", suite)), ("seeds", ("test", suite, "--replications", 5)), ("narrow", ("test", suite, "--until-ci", "12%", "--min-replications", 10)),
                              ("survive", ("survive", ceph, "--elements", "nodes,mons", "-q"))]:
            files = ("--junit", self.folder / f"{name}.xml") if command[0] == "test" else ()
            alone = subprocess.run([SQUALL, *map(str, command), "--format", "json", *map(str, files)], capture_output=True, text=True, timeout=240, check=False)
            self.assertEqual(alone.returncode, 2 if files else 0, alone.stderr)
            for ranks in [2, 3, 4]:
                files = ("--junit", self.folder / f"{name}-{ranks}.xml") if command[0] == "test" else ()
                result = mpirun(ranks, *command, "--format", "json", *files)
                self.assertEqual(result.returncode, alone.returncode, result.stderr)
                self.assertEqual(result.stdout, alone.stdout)
                self.assertEqual(result.stderr.count("unknown key 'rnu'"), 1 if files else 0)
                if files:
                    self.assertEqual(*(re.sub(r'time="[0-9.]+"', "", (self.folder / f"{file}.xml").read_text()) for file in [name, f"{name}-{ranks}"]))
        with_golden = mpirun(3, "test", suite, "--golden", self.folder / "golden", "--update")
        self.assertEqual(with_golden.stdout.count("accepted:"), 3)
        self.assertEqual(len(list((self.folder / "golden").rglob("*.events"))), 3)

    def test_wrong_input_is_told_once(self):
        broken = self.folder / "broken.yaml"
        broken.write_text("kind: Scenario\nrnu: {}\n")
        result = mpirun(3, "run", broken, "--replications", 4)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr.count("unknown key 'rnu'"), 1)
        for arguments, problem in [(("run", SMALL), "one run has no parts"), (("test", SMALL, "--shard", "0/2", "-o", self.folder), "--shard is for machines without MPI"), (("survive", SMALL), "has no Ceph"),
                                   (("survive", SMALL, "--until-ci", "5%"), "enumerates every set"), (("run", SMALL, "--rare-event", "etcd"), "--rare-event forks processes of its own"), (("run", SMALL, "--replications", 4, "--shard", "0/2", "-o", self.folder), "--shard is for machines without MPI"),
                                   (("compare", SMALL, self.other, "-o", "/proc/nothing"), "/proc/nothing"), (("run", SMALL, "--until-ci", "5%", "--ci-of", "nothing"), "no figure of these runs")]:
            result = mpirun(2, *arguments)
            self.assertNotEqual(result.returncode, 0)
            self.assertEqual(result.stderr.count(problem), 1, result.stderr)

    def test_processes_that_read_other_files_do_not_work_together(self):
        script = self.folder / "each.sh"
        script.write_text(f'#!/bin/sh\ncp "{SMALL}" "{self.folder}/s-$OMPI_COMM_WORLD_RANK.yaml"\necho "# $OMPI_COMM_WORLD_RANK" >> "{self.folder}/s-$OMPI_COMM_WORLD_RANK.yaml"\n'
                          f'exec "{SQUALL}" run "{self.folder}/s-$OMPI_COMM_WORLD_RANK.yaml" --replications 4\n')
        script.chmod(0o755)
        result = subprocess.run(["mpirun", "--oversubscribe", "-n", "2", str(script)], env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr.count("process 1 of 2 read other files than process 0"), 1)

    def test_a_process_that_dies_ends_the_job_and_leaves_no_files(self):
        out = self.folder / "out"
        job = subprocess.Popen(launch(3, "run", SMALL, "--replications", 100000, "--until", "2000d", "--jobs", 1, "-q", "-o", out), env=ENVIRONMENT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        ranks = []
        for _ in range(100):
            ranks = processes_of(job.pid)
            if len(ranks) == 3:
                break
            time.sleep(0.1)
        self.assertEqual(len(ranks), 3)
        time.sleep(1)
        os.kill(ranks[-1], signal.SIGKILL)
        _, errors = job.communicate(timeout=120)
        self.assertNotEqual(job.returncode, 0)
        self.assertRegex(errors, r"signal 9")
        self.assertEqual([p for p in out.rglob("*") if p.is_file()], [])

    def test_without_the_library_it_says_so(self):
        copy = self.folder / "squall"
        shutil.copy(SQUALL, copy)
        result = subprocess.run([copy, "run", SMALL, "--replications", "2"], env={**os.environ, "OMPI_COMM_WORLD_SIZE": "4"}, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("MPI was left out of this build", result.stderr)
        self.assertIn("MPI: left out", subprocess.run([copy, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout)


if __name__ == "__main__":
    missing = "there is no mpirun (openmpi-bin)" if shutil.which("mpirun") is None else ""
    if not missing and not (pathlib.Path(SQUALL).parent / "squall_mpi.so").exists():
        missing = "squall was built without MPI (libopenmpi-dev)"
    if missing:
        print(("FAILED: " if os.environ.get("CI") == "true" else "skipped: ") + missing)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    unittest.main(verbosity=1)
