#!/usr/bin/env python3
"""Writes sim/core/time_zone_data.cpp from the tz database of this machine (needs zic; Debian: tzdata, libc-bin).

    tools/time_zones/generate.py [/usr/share/zoneinfo/tzdata.zi] > sim/core/time_zone_data.cpp

A simulation must not depend on the time zones that a machine happens to have installed, so they are compiled in. Kept are the changes of the offset
from UTC since 1970 and, for the time after the last of them, the rule.
"""
import pathlib
import struct
import subprocess
import sys
import tempfile


def read_tzif(path):
    """(offset before the first change, [(unix seconds, offset)], rule) of a TZif file of version 2 or later."""
    data = path.read_bytes()
    if data[:4] != b"TZif" or data[4:5] < b"2":
        return None

    def counts(at):
        return struct.unpack(">6l", data[at + 20:at + 44])

    isutc, isstd, leap, times, types, chars = counts(0)
    at = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
    isutc, isstd, leap, times, types, chars = counts(at)
    at += 44
    when = struct.unpack(f">{times}q", data[at:at + 8 * times])
    at += 8 * times
    which = data[at:at + times]
    at += times
    offsets = [struct.unpack(">l", data[at + 6 * i:at + 6 * i + 4])[0] for i in range(types)]
    at += 6 * types + chars + leap * 12 + isstd + isutc
    rule = data[at:].decode().strip("\n")
    before = offsets[0]
    changes = []
    for n, (t, i) in enumerate(zip(when, which)):
        if t < 0:
            before = offsets[i]
        elif offsets[i] != (changes[-1][1] if changes else before) or n == times - 1:  # the rule begins with the last one, whatever it changes
            changes.append((t, offsets[i]))
    return before, changes, rule


def main():
    source = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/zoneinfo/tzdata.zi"
    version = pathlib.Path(source).read_text().split("\n")[0].removeprefix("# version ").strip()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["zic", "-b", "slim", "-d", folder, source], check=True)
        root = pathlib.Path(folder)
        found = {str(p.relative_to(root)): read_tzif(p) for p in sorted(root.rglob("*")) if p.is_file()}
    zones, names = [], []
    for name in sorted(found):
        zone = found[name]
        if zone is None:
            continue
        if zone not in zones:
            zones.append(zone)
        names.append((name, zones.index(zone)))
    out = [f"// Written by tools/time_zones/generate.py from the tz database {version} (public domain). Do not edit.",
           '#include "sim/core/time_zone_data.hpp"', "", "namespace sim::time_zone_data {", "",
           f'const char* const kVersion = "{version}";', "", "const Change kChanges[] = {"]
    line = ""
    index = []
    total = 0
    for before, changes, rule in zones:
        index.append((total, len(changes)))
        total += len(changes)
        for t, offset in changes:
            item = f"{{{t}, {offset}}},"
            if len(line) + len(item) > 148:
                out.append("    " + line.rstrip())
                line = ""
            line += item + " "
    out += ["    " + line.rstrip(), "};", "", "const Zone kZones[] = {"]
    for (before, _, rule), (first, count) in zip(zones, index):
        out.append(f'    {{{first}, {count}, {before}, "{rule}"}},')
    out += ["};", "", "const Name kNames[] = {"]
    for name, zone in names:
        out.append(f'    {{"{name}", {zone}}},')
    out += ["};", f"const std::size_t kNameCount = {len(names)};", "", "}  // namespace sim::time_zone_data"]
    print("\n".join(out))


if __name__ == "__main__":
    main()
