#!/usr/bin/env python3
"""Rules of the source that no compiler checks. usage: lint.py SOURCE_DIR

1. A co_await stands alone in its statement and its arguments are names or plain values: g++ 12 miscompiles the other forms.
2. Nothing in sim/core, sim/models, sim/scenario and chaos reads a wall clock, the environment or a foreign random number.
3. Includes run downward only: cli -> analysis -> chaos -> scenario -> models -> core, and cli -> loop -> scenario.
4. Heavy headers stay out of our headers, and in few .cpp files.
5. No path of one machine stands in the tree.
"""
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(sys.argv[1])
problems = []

CO_AWAIT = re.compile(r"^\s*(co_return |((const )?[A-Za-z_][A-Za-z0-9_:<>, ]*&? )?[a-z_]+ = )?co_await [^\][{}?]*;$")
FORBIDDEN = re.compile(r"\b(system_clock|steady_clock|high_resolution_clock|random_device|mt19937|getenv|gettimeofday|clock_gettime|"
                       r"std::rand|srand|time\(nullptr\)|time\(NULL\)|this_thread|__DATE__|__TIME__)\b")
LAYERS = {"sim/core": 0, "sim/models": 1, "sim/scenario": 2, "chaos": 3, "analysis": 4, "sim/loop": 2.5, "sim/cli": 5}
HEAVY = {"yaml-cpp/": 1, "boost/graph/": 1, "Eigen/": 4, "hdf5.h": 1, ".pb.h": 1, "CLI/CLI": 27, "rapidjson/": 16, "simdjson": 2}


def layer_of(path):
    for prefix, layer in LAYERS.items():
        if path.startswith(prefix + "/"):
            return layer
    return None


def code_of(line):
    """Without line comments and string literals (good enough for our style)."""
    return re.sub(r"//.*", "", re.sub(r'"(\\.|[^"\\])*"', '""', line))


heavy_users = {name: [] for name in HEAVY}
for path in sorted([*SOURCE.glob("sim/**/*.[ch]pp"), *SOURCE.glob("chaos/**/*.[ch]pp"), *SOURCE.glob("analysis/**/*.[ch]pp")]):
    name = path.relative_to(SOURCE).as_posix()
    layer = layer_of(name)
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{name}:{number}"
        code = code_of(line)
        if "co_await" in code and not CO_AWAIT.match(code.rstrip()):
            problems.append(f"{where}: a co_await must stand alone in its statement: {line.strip()}")
        if layer is not None and layer <= 3 and (layer != 2.5 or not name.startswith(("sim/loop/net/", "sim/loop/session/"))) and FORBIDDEN.search(code):
            problems.append(f"{where}: breaks determinism: {line.strip()}")
        include = re.match(r'\s*#include ["<]([^">]+)[">]', line)
        if not include:
            continue
        target = layer_of(include[1])
        if layer is not None and target is not None and target > layer:
            problems.append(f"{where}: includes upward: {include[1]}")
        for heavy in HEAVY:
            if include[1].startswith(heavy) or (heavy.startswith(".") and include[1].endswith(heavy)):
                heavy_users[heavy].append(name)
                if name.endswith(".hpp") and name != "analysis/json_text.hpp":
                    problems.append(f"{where}: {include[1]} in a header: every file that includes it pays")
for heavy, users in heavy_users.items():
    if len(set(users)) > HEAVY[heavy]:
        problems.append(f"{heavy} is included by {len(set(users))} files, at most {HEAVY[heavy]}: {', '.join(sorted(set(users)))}")

tracked = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z"], capture_output=True, text=True, check=False).stdout.split("\0")
for name in filter(None, tracked):
    path = SOURCE / name
    if path.suffix in {".png", ".h5"} or not path.is_file() or name == "tests/lint/lint.py":
        continue
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if re.search(r"(?<![\w.])/(work|farm|root)/[a-z.]", line):
            problems.append(f"{name}:{number}: a path of one machine: {line.strip()}")

print("\n".join(problems) if problems else "no problems")
sys.exit(1 if problems else 0)
