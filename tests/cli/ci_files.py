#!/usr/bin/env python3
"""The files for CI servers do what they say: the action's script is run as GitHub runs it, the GitLab template's commands as GitLab does.

usage: ci_files.py SQUALL SOURCE_DIR
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SQUALL, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1)).resolve()
# An outage on purpose, of which little is expected.
SMALL = (SOURCE / "tests/report/two-nodes.yaml").read_text().replace("availability: 99%, longestOutage: 1m", "availability: 1%")
ACTION = SOURCE / "deploy/github-action"


class CiFiles(unittest.TestCase):
    def setUp(self):
        self.folder_object = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.folder_object.name)
        self.addCleanup(self.folder_object.cleanup)
        scenarios = self.folder / "scenarios"
        scenarios.mkdir()
        for i in range(3):
            (scenarios / f"{i}.yaml").write_text(SMALL.replace("count: 2", f"count: {2 + i}"))
        program = self.folder / "bin"
        program.mkdir()
        (program / "squall").symlink_to(pathlib.Path(SQUALL).resolve())
        self.environment = {**os.environ, "PATH": f"{program}:{os.environ['PATH']}"}

    def run_in(self, command, **environment):
        return subprocess.run(command, cwd=self.folder, env={**self.environment, **environment}, capture_output=True, text=True, timeout=240, check=False)

    def action(self, **inputs):
        """As GitHub does: each input of action.yml is a variable, with its default."""
        text = (ACTION / "action.yml").read_text()
        defaults = dict(re.findall(r"^  ([a-z-]+):\n    description: .*\n    default: (.*)$", text, re.MULTILINE))
        variables = re.findall(r"^      (SQUALL_[A-Z_]+): \$\{\{ inputs\.([a-z-]+) \}\}$", text, re.MULTILINE)
        self.assertEqual({name for _, name in variables}, set(defaults))
        environment = {variable: inputs.get(name.replace("-", "_"), defaults[name].strip('"')) for variable, name in variables}
        self.assertIn('bash "$GITHUB_ACTION_PATH/test.sh"', text)
        return self.run_in(["bash", ACTION / "test.sh"], GITHUB_STEP_SUMMARY=str(self.folder / "summary.md"), **environment)

    def test_the_action_tests_and_tells(self):
        result = self.action()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("<testsuites", (self.folder / "squall.xml").read_text())
        self.assertIn("all expectations hold", (self.folder / "summary.md").read_text())
        self.assertIn("3 scenarios: 3 hold", (self.folder / "summary.md").read_text())

    def test_the_exit_code_is_that_of_the_test(self):
        (self.folder / "scenarios/0.yaml").write_text(SMALL.replace("availability: 1%", "availability: 99%"))
        self.assertEqual(self.action().returncode, 1)
        self.assertIn("exit code 1", (self.folder / "summary.md").read_text())
        self.assertEqual(self.action(paths="nowhere/").returncode, 2)

    def test_inputs_are_never_commands(self):
        result = self.action(paths="scenarios/ $(touch${IFS}pwned) ;touch pwned", args="`touch pwned`")
        self.assertEqual(result.returncode, 2)
        self.assertFalse((self.folder / "pwned").exists())

    def test_its_options_are_those_of_the_program(self):
        self.assertEqual(self.action(golden="golden", args="--update").returncode, 0)
        self.assertEqual(len(list((self.folder / "golden").iterdir())), 3)
        self.assertIn("in 4 of 4 runs", self.action(replications="4", golden="golden").stdout)
        self.assertEqual(self.action(until_ci="25%").returncode, 0)
        for i in range(2):
            self.assertEqual(self.action(shard=f"{i}/2").returncode, 0)
        merged = self.run_in(["squall", "merge", "squall-parts", "--junit", "merged.xml"])
        self.assertEqual((merged.returncode, merged.stdout.count("ok ")), (0, 3))

    def test_gitlabs_jobs_make_one_report(self):
        text = (SOURCE / "deploy/gitlab-ci.yml").read_text()
        shard, merge = re.findall(r"^  - (squall .*)$", text, re.MULTILINE)
        jobs = int(re.search(r"parallel: (\d+)", text)[1])
        for i in range(1, jobs + 1):
            result = self.run_in(["sh", "-ec", shard], CI_NODE_INDEX=str(i), CI_NODE_TOTAL=str(jobs), SQUALL_PATHS="scenarios/")
            self.assertEqual(result.returncode, 0, result.stderr)
        result = self.run_in(["sh", "-ec", merge])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("3 scenarios: 3 hold", result.stdout)
        self.assertTrue((self.folder / "squall.xml").is_file())

    def test_the_image_has_the_libraries_that_the_program_needs(self):
        runtime = (SOURCE / "deploy/Dockerfile").read_text().split("FROM debian:12-slim")[1]
        needed = re.findall(r"NEEDED.*\[(\S+?)\]", subprocess.run(["readelf", "-d", SQUALL], capture_output=True, text=True, timeout=60, check=False).stdout)
        if not needed:
            self.skipTest("there is no readelf")
        packages = {"libfmt": "libfmt9", "libyaml-cpp": "libyaml-cpp0.7", "libprotobuf-lite": "libprotobuf-lite32", "libhdf5_serial": "libhdf5-103-1", "libssl": "libssl3", "libcrypto": "libssl3"}
        for library in needed:
            if re.match(r"lib(c|m|stdc\+\+|gcc_s|pthread|dl)\.so|ld-", library):
                continue  # of debian:12-slim itself, or of what every C++ package needs
            name = library.split(".so")[0]
            self.assertIn(name, packages, f"{library}: which package has it? deploy/Dockerfile has to install it")
            self.assertIn(packages[name], runtime)


if __name__ == "__main__":
    unittest.main(verbosity=1)
