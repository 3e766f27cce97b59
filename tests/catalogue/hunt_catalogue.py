#!/usr/bin/env python3
"""How many of the catalogue's known failures the hunter finds unaided.

Takes the scenarios that are expected to fail (label `expected: fails`) and have faults of their own, without these faults, and lets `squall hunt` search for a
time. Found: some finding breaks one of the expectations that the scenario breaks with its own faults. Not measured: scenarios that fail without any
fault (there is nothing to find), and those whose only broken expectations are about their own faults.

usage: hunt_catalogue.py SQUALL SOURCE_DIR [--time-budget 10m | --tries N[,M...]] [--only NAME...] [--skip NAME...] [--story-kinds] [--jobs N] [--at-least N]

With several numbers of tries the next one is for what the one before did not find. The last table has a line for each: the try that found it, how many there were,
and the processor time for search and shrinking together. --story-kinds: only the kinds of faults that the scenario has itself, so that what is found is its story, or nearly;
to whom, when and in which combination the hunter is not told.
"""
import argparse
import json
import pathlib
import re
import resource
import subprocess
import sys
import tempfile


def run(*command):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def broken_by(squall, file, folder, *more):
    """The expectations that the scenario breaks, and the kinds of its faults."""
    run(squall, "run", file, "--quiet", "-o", folder, *more)
    summary = json.loads((folder / "summary.json").read_text())
    return {o["name"] for o in summary["objectives"] if not o["held"]}, sorted({f["kind"] for f in summary["faults"]})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("squall")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--time-budget", default="10m")
    parser.add_argument("--tries", help="instead of a time: the answer is then the same on every machine")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--story-kinds", action="store_true")
    parser.add_argument("--findings", default="6", help="how many are shrunk")
    parser.add_argument("--jobs", help="children at once; without it, one for each processor")
    parser.add_argument("--at-least", type=int, default=0)
    arguments = parser.parse_args()
    limits = [["--tries", n] for n in arguments.tries.split(",")] if arguments.tries else [["--time-budget", arguments.time_budget]]
    rows, measured, found = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for file in sorted((arguments.source / "scenarios").glob("*.yaml")):
            text = file.read_text()
            if not re.search(r"^\s+expected:\s*fails\s*$", text, re.MULTILINE) or (arguments.only and file.stem not in arguments.only) or file.stem in arguments.skip:
                continue
            known, kinds = broken_by(arguments.squall, file, folder / file.stem)
            out = folder / (file.stem + "-hunt")
            survey = run(arguments.squall, "hunt", file, "--without-faults", "--survey", "--quiet", "--format", "json")
            only = ["--kinds", ",".join(kinds)] if arguments.story_kinds else []
            if survey.returncode != 0:
                rows.append((file.stem, "not measured", survey.stderr.strip().splitlines()[-1] if survey.stderr.strip() else "no survey"))
                continue
            already = set(json.loads(survey.stdout)["survey"]["brokenAlready"])
            wanted = known - already
            if not wanted:
                rows.append((file.stem, "not measured", "fails without any fault: " + ", ".join(sorted(already & known))))
                continue
            measured += 1
            if only and (refusal := run(arguments.squall, "hunt", file, "--without-faults", *only, "--survey", "--quiet")).returncode == 2:
                measured -= 1
                rows.append((file.stem, "not measured", refusal.stderr.strip().splitlines()[0]))
                continue
            for limit in limits:
                began = processor_seconds()
                result = run(arguments.squall, "hunt", file, "--without-faults", *only, *limit, "--findings", arguments.findings, "--verify-seeds", "3",
                             *(["--jobs", arguments.jobs] if arguments.jobs else []), "--quiet", "-o", out)
                seconds = f"; {processor_seconds() - began:.0f} s"
                hunt = json.loads((out / "hunt.json").read_text()) if (out / "hunt.json").exists() else {"findings": [], "tries": 0}
                hits = [(f, b) for f in hunt["findings"] for b in f["breaks"] if b["expectation"] in wanted]
                if hits:
                    break
            if hits:
                found += 1
                finding = min((f for f, _ in hits), key=lambda f: len(f["faults"]))
                rows.append((file.stem, "found", f"try {finding['atTry']} of {hunt['tries']}: " + " + ".join(f"{x['kind']} {x['element']}" for x in finding["faults"]) + seconds))
            else:
                rows.append((file.stem, "NOT FOUND", f"{hunt['tries']} tries; wanted {', '.join(sorted(wanted))}{seconds}" + ("" if result.returncode in (0, 1) else "; " + result.stderr.strip())))
            print(*rows[-1], sep="  ", flush=True)
    print()
    for row in rows:
        print(f"{row[0]:45} {row[1]:13} {row[2]}")
    print(f"{found} of {measured} known failures found with {' '.join(limits[-1])} each; {len(rows) - measured} not measured")
    sys.exit(0 if found >= arguments.at_least else 1)


if __name__ == "__main__":
    main()
