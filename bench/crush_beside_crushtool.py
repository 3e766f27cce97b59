#!/usr/bin/env python3
"""Mappings per second of `squall crush test` and of `crushtool --test` on one map, in turns, by CPU time without start-up.

usage: crush_beside_crushtool.py SQUALL [MAP.txt [COUNT]]     needs crushtool (tools/setup.sh --with-ceph)
"""
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

SQUALL = sys.argv[1]
MAP = sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parent.parent / "tests/data/crush/08-500osd-5rack.map.txt"
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 200_000
ROUNDS = 5


def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(c) for c in command], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    with tempfile.TemporaryDirectory() as folder:
        binary = pathlib.Path(folder) / "map.bin"
        subprocess.run(["crushtool", "-c", MAP, "-o", binary], check=True)
        programs = {"squall": [SQUALL, "crush", "test", "--map", MAP], "crushtool": ["crushtool", "-i", binary, "--test"]}
        for rule in (0, 1, 2):
            seconds = {name: [] for name in programs}
            for _ in range(ROUNDS):
                for name, command in programs.items():
                    base = [*command, "--show-statistics", "--rule", rule, "--num-rep", 3, "--min-x", 0, "--max-x"]
                    seconds[name].append(cpu([*base, COUNT - 1]) - cpu([*base, 0]))
            rate = {name: COUNT / statistics.median(values) for name, values in seconds.items()}
            print(f"rule {rule}: squall {rate['squall']:,.0f}/s, crushtool {rate['crushtool']:,.0f}/s, {rate['squall'] / rate['crushtool']:.1f} times")


main()
