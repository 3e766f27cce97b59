#!/usr/bin/env python3
"""Prometheus' own tests of PromQL (promql/promqltest/testdata/*.test) through Squall's engine.

The files come from Prometheus' Go module; without Go, or without a way to its proxy, the test is left out, and says so. Files that test what is off by
default or left out here (native histograms, start timestamps, the info function ...) are not run; of the others every evaluation must agree, but for those
listed below and those that use what the parser refuses by name.

usage: promql.py PROMQL_FILES [FOLDER]
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

MODULE = "github.com/prometheus/prometheus@v0.313.5"
# Feature flags that are off by default, and what docs/models/monitoring.md leaves out.
LEFT_OUT = {"extended_vectors", "fill-modifier", "info", "limit", "name_label_dropping", "native_histograms", "start_timestamps", "type_and_unit",
            "duration_expression"}
# Native histograms among the series that an expression selects without naming them; a bucket without samples.
KNOWN = {("functions", "count_over_time({__name__=~"), ("functions", "timestamp(metric)"), ("histograms", "histogram_quantile(0.2, rate(empty_bucket[10m]))")}


def folder():
    if len(sys.argv) > 2:
        return pathlib.Path(sys.argv[2])
    if not shutil.which("go"):
        print("left out: Go is not installed, and Prometheus' tests come from its module")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as here:
        got = subprocess.run(["go", "mod", "download", "-json", MODULE], capture_output=True, text=True, cwd=here, check=False, timeout=240)
    if got.returncode != 0:
        print("left out: the module", MODULE, "cannot be had here:", (got.stdout + got.stderr).strip().splitlines()[-1:])
        sys.exit(77)
    return pathlib.Path(json.loads(got.stdout)["Dir"]) / "promql/promqltest/testdata"


held = failed = refused = 0
for path in sorted(folder().glob("*.test")):
    if path.stem in LEFT_OUT:
        continue
    out = subprocess.run([sys.argv[1], str(path)], capture_output=True, text=True, errors="replace", check=False, timeout=240).stdout
    lines = out.splitlines()
    counts = [int(word) for word in lines[0].split(": ")[-1].replace(",", "").split() if word.isdigit()]
    held, refused = held + counts[0], refused + counts[2]
    for line in lines:
        if not line.startswith("  line "):
            continue
        if any(path.stem == stem and start in line for stem, start in KNOWN):
            refused += 1
            continue
        failed += 1
        print(path.name, line)
print(f"{held} evaluations agree, {failed} do not, {refused} use what is left out")
sys.exit(1 if failed or held < 500 else 0)
