#!/usr/bin/env python3
"""Random CRUSH maps through crushtool and through `squall crush`: compiled and printed again, dumped, mapped, each line must agree.

The maps are hierarchies of any depth with all bucket algorithms, gaps in ids, zero weights, device classes with and without given shadow ids, weight sets,
ids, forward references, every tunable and rule step. Some go on to osdmaptool: pools, OSDs that are out, the placement of every PG and the OSD tree.

Needs Ceph's tools (tools/setup.sh --with-ceph); without them the test is left out, and says so.

usage: differential.py SQUALL [COUNT [SEED]]
"""
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

SQUALL = sys.argv[1]
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 60
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1

if not shutil.which("crushtool") or not shutil.which("osdmaptool"):
    print("left out: crushtool and osdmaptool are not installed (tools/setup.sh --with-ceph)")
    sys.exit(77)

DEFAULT_SET = 18446744073709551615
TYPES = ["osd", "host", "chassis", "rack", "row", "pdu", "pod", "room", "datacenter", "zone", "region", "root"]


class Map:
    """A random map as text; what is refused on purpose (see text_map.hpp) is not made."""

    def __init__(self, rng):
        self.rng = rng
        self.lines = []
        self.with_classes = rng.random() < 0.5
        self.old_algs = rng.random() < 0.45
        self.choose_args = rng.random() < 0.3
        self.classes = rng.sample(["hdd", "ssd", "nvme", "smr"], rng.randint(1, 3)) if self.with_classes else []
        self.next_free = -1
        self.given_ids = rng.random() < 0.7
        self.given_class_ids = self.given_ids and rng.random() < 0.5
        self.free_ids = list(range(-1, -400, -1))
        if rng.random() < 0.3:
            rng.shuffle(self.free_ids)
        self.buckets = []  # (name, type number, [items], alg, text)
        self.tunables()
        self.devices()
        levels = self.hierarchy()
        self.rules(levels)
        if self.choose_args and self.given_ids:
            self.sets()

    def tunables(self):
        rng = self.rng
        if rng.random() < 0.5:
            values = {"choose_local_tries": 0, "choose_local_fallback_tries": 0, "choose_total_tries": 50, "chooseleaf_descend_once": 1,
                      "chooseleaf_vary_r": 1, "chooseleaf_stable": 1, "straw_calc_version": 1, "allowed_bucket_algs": 54}
        else:
            values = {"choose_local_tries": rng.choice([0, 0, 2, 3]), "choose_local_fallback_tries": rng.choice([0, 0, 5, 1]),
                      "choose_total_tries": rng.choice([19, 50, 3, 100, 0]), "chooseleaf_descend_once": rng.choice([0, 1]),
                      "chooseleaf_vary_r": rng.choice([0, 1, 2, 4]), "chooseleaf_stable": rng.choice([0, 1]),
                      "straw_calc_version": rng.choice([0, 1]), "allowed_bucket_algs": rng.choice([22, 54])}
        self.lines += [f"tunable {k} {v}" for k, v in values.items() if rng.random() < 0.9]

    def devices(self):
        rng = self.rng
        count = rng.choice([rng.randint(1, 6), rng.randint(4, 24), rng.randint(20, 90)])
        ids = sorted(rng.sample(range(count + rng.choice([0, 0, 3, 20])), count))
        self.device_class = {}
        for i in ids:
            line = f"device {i} osd.{i}"
            if self.with_classes and rng.random() < 0.9:
                self.device_class[i] = rng.choice(self.classes)
                line += f" class {self.device_class[i]}"
            self.lines.append(line)
        self.device_ids = ids
        self.lines += [f"type {n} {name}" for n, name in enumerate(TYPES)]

    def weight(self):
        rng = self.rng
        return rng.choice(["1.000", "1.819", "3.638", "7.277", "0.5", "%.3f" % rng.uniform(0.01, 16), "%.5f" % rng.uniform(0.0001, 20), "0.00002", "1e-1", "99.9"])

    def bucket(self, name, type_number, items):
        """items: names, devices or buckets."""
        rng = self.rng
        alg = rng.choice(["straw2"] * 3 + ["uniform", "list", "tree", "straw"]) if self.old_algs else "straw2"
        leaf = all(i.startswith("osd.") for i in items)
        if alg in ("uniform", "tree") and self.with_classes:
            # Shadows with unequal or no weights are refused, or read behind the end of an array in Ceph.
            alg = "list"
        equal = rng.random() < 0.5 or alg == "uniform"
        same = self.weight()
        zeros = rng.random() < 0.15 and alg not in ("uniform", "tree")
        lines = [f"{TYPES[type_number]} {name} {{"]
        bid = None
        if self.given_ids:
            bid = self.free_ids.pop(0)
            lines.append(f"\tid {bid}")
            if self.given_class_ids:
                lines += [f"\tid {self.free_ids.pop(0)} class {c}" for c in self.classes]
        lines.append(f"\talg {alg}")
        lines += rng.choice([["\thash 0\t# rjenkins1"], ["\thash rjenkins1"], []]) if rng.random() < 0.97 else ["\thash 1"]
        positions = list(range(len(items)))
        if rng.random() < 0.3:
            rng.shuffle(positions)
        with_pos = alg in ("uniform", "tree") and rng.random() < 0.5
        for place, item in zip(positions, items):
            line = f"\titem {item}"
            if equal or rng.random() < 0.9:
                w = "0.000" if zeros and rng.random() < 0.4 else same if equal else self.weight()
                line += f" weight {w}"
            line += f" pos {place}" if with_pos else ""
            lines.append(line)
        lines.append("}")
        self.buckets.append((name, type_number, items, alg, lines, bid))
        return name

    def hierarchy(self):
        rng = self.rng
        level = [f"osd.{i}" for i in self.device_ids]
        if rng.random() < 0.2:
            rng.shuffle(level)
        types = [1] + sorted(rng.sample(range(2, 11), rng.choice([0, 0, 1, 1, 2, 3])))
        used = []
        for number in types:
            groups, at = [], 0
            most = rng.choice([2, 4, 8, 20])
            while at < len(level):
                size = rng.randint(1, most)
                groups.append(level[at:at + size])
                at += size
            if rng.random() < 0.1:
                groups.append([])
            if rng.random() < 0.06 and number == 1:
                groups[-1] = groups[-1] + [level[0]]  # one device in two hosts
            level = [self.bucket(f"{TYPES[number]}{i}", number, g) for i, g in enumerate(groups)]
            used.append(number)
        if rng.random() < 0.15:
            level = level + [f"osd.{self.device_ids[-1]}"]  # a device beside buckets
        roots = [self.bucket("default", 11, level)]
        if rng.random() < 0.2:
            roots.append(self.bucket("other", 11, rng.sample(level, rng.randint(1, len(level)))))
        self.roots = roots
        blocks = [b[4] for b in self.buckets]
        if rng.random() < 0.15:
            i = rng.randrange(len(blocks))
            blocks.insert(rng.randrange(len(blocks)), blocks.pop(i))
        for b in blocks:
            self.lines += b
        return used

    def rules(self, levels):
        rng = self.rng
        self.rule_count = 0
        for number in range(rng.randint(1, 4)):
            steps = []
            for op, values in (("set_choose_tries", [1, 5, 100]), ("set_chooseleaf_tries", [1, 5]), ("set_choose_local_tries", [0, 2]),
                               ("set_choose_local_fallback_tries", [0, 3]), ("set_chooseleaf_vary_r", [0, 1, 3]), ("set_chooseleaf_stable", [0, 1])):
                if rng.random() < 0.12:
                    steps.append(f"{op} {rng.choice(values)}")
            kind = rng.choice(["firstn", "indep"])
            for _ in range(rng.choice([1, 1, 1, 2])):
                root = rng.choice(self.roots) if rng.random() < 0.85 else rng.choice(self.buckets)[0]
                suffix = f" class {rng.choice(self.classes)}" if self.with_classes and rng.random() < 0.6 else ""
                steps.append(f"take {root}{suffix}")
                upper = sorted(rng.sample(levels, rng.randint(0, min(2, len(levels)))), reverse=True)
                for t in upper[:-1]:
                    steps.append(f"choose {kind} {rng.choice([0, 1, 2, 3, -1])} type {TYPES[t]}")
                last = upper[-1] if upper else 0
                mode = kind if rng.random() < 0.9 else rng.choice(["firstn", "indep"])
                n = rng.choice([0, 0, 0, 1, 2, 3, -1, -2])
                how = rng.random()
                if how < 0.7:
                    steps.append(f"chooseleaf {mode} {n} type {TYPES[last]}")
                elif how < 0.85:
                    steps.append(f"choose {mode} {n} type osd")
                else:
                    steps += [f"choose {mode} {n} type {TYPES[last]}", f"choose {mode} {rng.choice([1, 1, 2])} type osd"]
                steps.append("emit")
            rule_id = number if rng.random() < 0.8 else number + 5
            self.lines += [f"rule r{number} {{", f"\t{rng.choice(['id', 'ruleset'])} {rule_id}", f"\ttype {rng.choice(['replicated', 'erasure'])}",
                           f"\tmin_size {rng.randint(1, 3)}", f"\tmax_size {rng.randint(3, 6)}", *[f"\tstep {s}" for s in steps], "}"]

    def sets(self):
        rng = self.rng
        for key in rng.choice([[0], [DEFAULT_SET], [0, DEFAULT_SET], [3], [1, 0]]):
            self.lines.append(f"choose_args {key} {{")
            # Equal numbers of positions everywhere: Ceph refuses to balance others, but maps them.
            positions = rng.randint(1, 3)
            for name, number, items, alg, lines, bid in self.buckets:
                if rng.random() < 0.4:
                    continue
                self.lines += ["  {", f"    bucket_id {bid}"]
                if rng.random() < 0.85:
                    self.lines.append("    weight_set [")
                    for _ in range(positions):
                        self.lines.append("      [ " + " ".join(rng.choice([self.weight(), "0.000"]) if rng.random() < 0.2 else self.weight() for _ in items) + " ]")
                    self.lines.append("    ]")
                if rng.random() < 0.3:
                    self.lines.append("    ids [ " + " ".join(str(rng.randint(-500, 500)) for _ in items) + " ]")
                self.lines.append("  }")
            self.lines.append("}")

    def text(self):
        return "\n".join(self.lines) + "\n"


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, check=False)


class Difference(Exception):
    pass


def same(what, want, got):
    if want == got:
        return len(want.splitlines())
    for n, (a, b) in enumerate(zip(want.splitlines() + ["(end)"], got.splitlines() + ["(end)"])):
        if a != b:
            raise Difference(f"{what}, line {n + 1}\n  ceph   {a[:300]}\n  squall {b[:300]}")
    raise Difference(f"{what}: {len(want)} and {len(got)} bytes")


def ours(*arguments):
    result = run(SQUALL, "crush", *arguments)
    if result.returncode != 0:
        raise Difference(f"squall crush {' '.join(map(str, arguments))}: exit {result.returncode}\n{result.stderr[:2000]}")
    return result.stdout


def compare(folder, rng):
    made = Map(rng)
    text = folder / "map.txt"
    binary = folder / "map.bin"
    text.write_text(made.text())
    binary.unlink(missing_ok=True)
    compiled = run("crushtool", "-c", text, "-o", binary)
    if compiled.returncode != 0 or not binary.exists():
        refused = run(SQUALL, "crush", "dump", "--map", text)
        if refused.returncode != 2:
            raise Difference(f"crushtool refuses the map, squall takes it:\n{compiled.stderr[:1000]}")
        return 0
    lines = same("crushtool -d", run("crushtool", "-d", binary).stdout, ours("dump", "--map", text))
    lines += same("crushtool --dump", run("crushtool", "-i", binary, "--dump").stdout, ours("dump", "--map", text, "-f", "json-pretty"))
    begin = rng.choice([0, 0, rng.randrange(100000)])
    end = begin + rng.choice([63, 199])
    options = ["--min-x", begin, "--max-x", end]
    if rng.random() < 0.3:
        options += ["--pool-id", rng.randint(0, 40)]
    if rng.random() < 0.5:
        for osd in rng.sample(made.device_ids, rng.randint(1, len(made.device_ids))):
            options += ["--weight", osd, rng.choice(["0", "1", "0.5", "0.85", "0.1", "%.4f" % rng.random()])]
    if rng.random() < 0.6:
        options += ["--num-rep", rng.randint(1, 9)]
    lines += same("--show-mappings " + " ".join(map(str, options)), run("crushtool", "-i", binary, "--test", "--show-mappings", *options).stdout,
                  ours("test", "--map", text, *options))
    show = ["--show-statistics", "--show-utilization", "--show-bad-mappings"]
    shown = rng.choice([show, show[:1], show[1:2], show[2:]])
    lines += same(" ".join([*shown, *map(str, options)]), run("crushtool", "-i", binary, "--test", *shown, *options).stdout, ours("test", "--map", text, *shown, *options))
    if rng.random() < 0.3:
        lines += compare_osd_map(folder, rng, made, text, binary)
    return lines


def without_notes(text):
    return "".join(line for line in text.splitlines(True) if not line.startswith(("marking ", "osdmaptool:")))


def compare_osd_map(folder, rng, made, text, binary):
    # --mark-up-in gives weight to devices without; osdmaptool's own map needs rule 0.
    if re.search(r"item osd\.\d+ weight 0\.0", made.text()) or not re.search(r"\t(id|ruleset) 0\n", made.text()):
        return 0
    osds = max(made.device_ids) + 1
    osd_map = folder / "osdmap"
    run("osdmaptool", "--createsimple", osds, osd_map, "--clobber", "--with-default-pool", "--pg-bits", 2, "--pgp-bits", rng.randint(0, 2),
        "--osd_pool_default_size", rng.randint(1, 5))
    if run("osdmaptool", osd_map, "--import-crush", binary).returncode != 0:
        return 0
    marks = ["--mark-up-in"]
    if rng.random() < 0.6:
        marks += ["--mark-out", rng.randrange(osds)]
    dump = folder / "osd-dump.json"
    dump.write_text(without_notes(run("osdmaptool", osd_map, *marks, "--dump", "json").stdout))
    lines = same(f"osdmaptool {marks} --test-map-pgs-dump-all", without_notes(run("osdmaptool", osd_map, *marks, "--test-map-pgs-dump-all").stdout),
                 ours("pgs", "--osd-dump", dump, "--map", text))
    tree = json.loads(without_notes(run("osdmaptool", osd_map, *marks, "--tree", "json").stdout))
    if tree != json.loads(ours("tree", "--osd-dump", dump, "--map", text)):
        raise Difference("osdmaptool --tree json")
    name = f"rbd_data.{rng.randrange(1 << 32):x}.{rng.randrange(1 << 20):016x}" + "x" * rng.randrange(14)
    lines += same("--test-map-object", without_notes(run("osdmaptool", osd_map, *marks, "--test-map-object", name).stdout),
                  ours("object", "--osd-dump", dump, "--map", text, "--pool", "rbd", name))
    return lines


def main():
    failures = lines = refused = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for number in range(COUNT):
            seed = SEED * 1000003 + number
            try:
                compared = compare(folder, random.Random(seed))
                lines += compared
                refused += compared == 0
            except Difference as difference:
                failures += 1
                kept = pathlib.Path(tempfile.gettempdir()) / f"crush-difference-{seed}.txt"
                kept.write_text((folder / "map.txt").read_text())
                print(f"DIFFERENT, map {number} (seed {seed}, kept as {kept}): {difference}")
                if failures >= 10:
                    break
    print(f"{COUNT} maps, {refused} of them refused by both, {lines} lines compared, {failures} maps differ")
    sys.exit(1 if failures else 0)


main()
