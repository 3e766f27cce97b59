#!/usr/bin/env python3
"""Measures what short-lived containers leave in the kernel's memory: dying memory cgroups, page cache, slab, per-CPU memory.

Each job makes a memory cgroup, joins it, writes one file (its page cache is charged to that cgroup), leaves it and removes it. The file stays, so the
page stays charged and the cgroup cannot go. At the end the files are deleted (or the page cache is dropped) and one more row shows what is left.

Needs root and a mounted memory controller: cgroup v1 (/sys/fs/cgroup/memory) or v2. Writes CSV to stdout; amounts in kB as /proc/meminfo gives them.

usage: memcg_churn.py --jobs 20000 --bytes 65536 --every 500 [--folder /var/tmp/churn] [--drop-caches] > run.csv
"""
import argparse
import os
import pathlib
import shutil
import sys
import time

COLUMNS = ["MemFree", "MemAvailable", "Cached", "Slab", "SReclaimable", "SUnreclaim", "Percpu", "AnonPages", "KernelStack", "PageTables", "Buffers", "MemTotal"]


def memory_root():
    v1 = pathlib.Path("/sys/fs/cgroup/memory")
    if (v1 / "memory.usage_in_bytes").exists():
        return v1, 1
    for v2 in (pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified")):
        controllers = v2 / "cgroup.controllers"
        if controllers.exists() and "memory" in controllers.read_text().split():
            (v2 / "cgroup.subtree_control").write_text("+memory")
            return v2, 2
    sys.exit("no memory controller is mounted, neither cgroup v1 nor v2")


def memcgs(root, version):
    if version == 1:
        for line in pathlib.Path("/proc/cgroups").read_text().splitlines():
            if line.startswith("memory"):
                return int(line.split()[2])
    stat = dict(line.split() for line in (root / "cgroup.stat").read_text().splitlines())
    return int(stat["nr_descendants"]) + int(stat["nr_dying_descendants"]) + 1


def row(jobs, root, version, began):
    info = {line.split(":")[0]: int(line.split()[1]) for line in pathlib.Path("/proc/meminfo").read_text().splitlines()}
    print(",".join([str(jobs), str(memcgs(root, version))] + [str(info.get(c, 0)) for c in COLUMNS] + [f"{time.monotonic() - began:.2f}"]), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10000)
    parser.add_argument("--bytes", type=int, default=65536)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--folder", default="/var/tmp/memcg-churn")
    parser.add_argument("--drop-caches", action="store_true")
    options = parser.parse_args()

    root, version = memory_root()
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True)
    parent = root / f"churn-{os.getpid()}"
    parent.mkdir()
    if version == 2:
        (parent / "cgroup.subtree_control").write_text("+memory")
    home, own = root / "cgroup.procs", str(os.getpid())
    content = os.urandom(options.bytes)
    began = time.monotonic()
    print(",".join(["jobs", "memcgs"] + [c + "_kb" for c in COLUMNS] + ["wall_s"]))
    try:
        row(0, root, version, began)
        for job in range(1, options.jobs + 1):
            group = parent / str(job)
            group.mkdir()
            (group / "cgroup.procs").write_text(own)
            with open(folder / str(job), "wb") as file:
                file.write(content)
            home.write_text(own)
            group.rmdir()
            if job % options.every == 0:
                row(job, root, version, began)
        os.sync()
        row(options.jobs, root, version, began)
        if options.drop_caches:
            pathlib.Path("/proc/sys/vm/drop_caches").write_text("1")
        else:
            shutil.rmtree(folder)
        # Dying cgroups are freed by workers: looked at until their number stands still.
        left = -1
        while left != memcgs(root, version):
            left = memcgs(root, version)
            time.sleep(1)
        row(options.jobs, root, version, began)
    finally:
        home.write_text(own)
        shutil.rmtree(folder, ignore_errors=True)
        parent.rmdir()


if __name__ == "__main__":
    main()
