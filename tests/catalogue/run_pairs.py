#!/usr/bin/env python3
"""Compares the pairs of the catalogue over many seeds: the wished architecture is better, with a 95 % confidence interval that excludes no difference.

With --table FILE the figures are written as docs/catalogue.md has them (with --only: those of these pairs, the others stay). Without it that file is looked at: no row of another pair or of fewer than 30 seeds.
The nightly form: --seeds 200.

usage: run_pairs.py SQUALL SOURCE_DIR [--seeds 30] [--only PART_OF_A_NAME] [--table FILE]
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("squall")
parser.add_argument("source", type=pathlib.Path)
parser.add_argument("--seeds", type=int, default=30)
parser.add_argument("--only", default="", help="pairs with this in the name of one of the two")
parser.add_argument("--table", type=pathlib.Path, help="where to write the table of figures")
OPTIONS = parser.parse_args()
SQUALL, SOURCE = OPTIONS.squall, OPTIONS.source
TABLE = SOURCE / "docs/catalogue.md"

# What was built, what its operators wished they had, and the figure that tells them apart.
PAIRS = [
    ("incident-1-shared", "incident-1-dedicated", "kube-apiserver (write) availability"),
    ("incident-1-shared", "incident-1-dedicated", "operation/boot-vm availability"),
    ("incident-2-colocated", "incident-2-five-nodes", "kube-apiserver (write) availability"),
    ("incident-2-colocated", "incident-2-five-nodes", "CephPool/rbd availability"),
    ("incident-2-colocated", "incident-2-seven-nodes", "CephPool/rbd availability"),
    ("incident-4-monitoring-inside", "incident-4-monitoring-outside", "time in outages before a person was told"),
    ("incident-4-monitoring-inside", "incident-4-dead-mans-switch", "time in outages before a person was told"),
    ("incident-3-registry-on-ceph", "incident-3-registry-replicated", "Registry/harbor.example availability"),
    ("incident-3-registry-on-ceph", "incident-3-registry-outside", "Registry/harbor.example availability"),
    ("incident-3-registry-on-ceph", "incident-3-registry-outside", "longest wait of a Pending pod"),
    ("registry-thousand-nodes", "registry-thousand-nodes-peers", "longest wait of a Pending pod"),
    ("etcd-beside-osds", "etcd-on-its-own-disk", "kube-apiserver (write) availability"),
    ("logs-fill-control-plane", "logs-rotated-control-plane", "kube-apiserver (write) availability"),
    ("image-pulls-fill-disk", "image-pulls-shared-base", "longest wait of a Pending pod"),
    ("incident-6-on-control-plane-old-kernel", "incident-6-cron-nodes", "kube-apiserver (write) availability"),
    ("incident-6-on-control-plane-old-kernel", "incident-6-on-control-plane-new-kernel", "kube-apiserver (write) availability"),
    ("cron-stampede-untainted", "cron-stampede-tainted", "kube-apiserver (write) availability"),
    ("failover-throttles-receivers", "failover-honest-requests", "node availability"),
    ("restart-stampede-takes-next-node", "restart-stampede-limited", "node availability"),
    ("volumes-rwo-on-a-dead-node", "volumes-rwx-on-a-dead-node", "longest outage of a service"),
    ("ceph-mds-failover-without-standby", "ceph-mds-failover-with-standby", "longest outage of a service"),
    ("openstack-cold-start-one-dead", "openstack-cold-start", "operation/boot-vm availability"),
    ("incident-5-few-large", "incident-5-many-small", "longest wait of a Pending pod"),
    ("cron-stampede-untainted", "cron-stampede-tainted", "etcd availability"),
    ("restart-stampede-takes-next-node", "restart-stampede-limited", "Service/shop/web availability"),
    ("retries-keep-overload-up", "retries-with-headroom", "Traffic/shop requests answered"),
    ("ceph-rack-loss-host-domain", "ceph-rack-loss-rack-domain", "CephPool/rbd availability"),
    ("ceph-one-reboot-osd-domain", "ceph-one-reboot-host-domain", "Service/shop/postgres availability"),
    ("volumes-attach-limit-block", "volumes-attach-limit-nfs", "longest wait of a Pending pod"),
    ("certificates-expire-unwarned", "certificates-expire-warned", "node availability"),
    ("replicas-missing-untold", "replicas-missing-told", "longest outage of a service"),
    ("cold-start-registry-inside", "cold-start-registry-outside", "longest wait of a Pending pod"),
    ("controllers-certificates-one-day", "controllers-certificates-staggered", "Service/shop/web availability"),
    ("clocks-ntp-inside", "clocks-ntp-outside", "node availability"),
    ("webhook-admits-itself", "webhook-excludes-itself", "Service/shop/orders availability"),
]


HEAD = """# The pairs of the catalogue, measured

What was built and what its operators wished they had, under the same luck: each seed is run in both, and the difference is that of the pair. Written by

    python3 tests/catalogue/run_pairs.py build/release/squall . --table docs/catalogue.md

The interval holds the mean difference with 95 % (Student's t over the seeds' differences); one that excludes zero is what the test `catalogue_pairs` asks of every pair. One pair by hand:
`squall compare scenarios/incident-1-shared.yaml scenarios/incident-1-dedicated.yaml --replications 30`.

"""


def figure(comparison, name):
    for one in comparison["figures"]:
        if one["name"] == name:
            return one
    return None


def shown(value, unit):
    if unit in ("fraction", "share", "ratio"):
        return f"{100 * value:.3f} %"
    return f"{value:.1f} {'s' if unit == 'seconds' else unit}"


def compare(bad, good, name):
    """The figure of the pair; raises RuntimeError when there is none."""
    command = [SQUALL, "compare", f"scenarios/{bad}.yaml", f"scenarios/{good}.yaml", "--replications", str(OPTIONS.seeds), "--format", "json", "--quiet"]
    result = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=60 + 40 * OPTIONS.seeds, check=False)
    if result.returncode not in (0, 1):
        raise RuntimeError(f"exit {result.returncode}\n{result.stderr}")
    found = figure(json.loads(result.stdout), name)
    if found is None:
        raise RuntimeError(f"there is no figure '{name}'")
    return found


def wrong_rows(text):
    """Rows of the table that are of no pair, or of fewer than 30 seeds."""
    for row in text.splitlines():
        cells = [cell.strip() for cell in row.split("|")[1:-1]]
        if len(cells) != 7 or cells[0] in ("built", "---"):
            continue
        if tuple(cells[:3]) not in PAIRS:
            yield f"{row}: no such pair"
        elif int(cells[6]) < 30:
            yield f"{row}: fewer than 30 seeds"


def main():
    failures = 0
    rows = []
    chosen = [pair for pair in PAIRS if OPTIONS.only in pair[0] or OPTIONS.only in pair[1]]
    if not chosen:
        sys.exit(f"no pair has '{OPTIONS.only}' in a name")
    for bad, good, name in chosen:
        try:
            found = compare(bad, good, name)
        except RuntimeError as error:
            print(f"FAILED: {bad} against {good}: {error}")
            failures += 1
            continue
        better = found["scenarios"][1]
        low, high = better["differenceToFirst"]["ci95"]
        unit = found["unit"]
        ok = low > 0 if found["moreIsBetter"] else high < 0
        failures += not ok
        was, became = found["scenarios"][0]["value"]["mean"], better["value"]["mean"]
        print(f"{'ok' if ok else 'FAILED'}: {good} against {bad}: {name} {was:.6g} -> {became:.6g} {unit}, difference {low:.6g} to {high:.6g} (95 %, {OPTIONS.seeds} seeds)", flush=True)
        rows.append(f"| {bad} | {good} | {name} | {shown(was, unit)} | {shown(became, unit)} | {shown(low, unit)} to {shown(high, unit)} | {OPTIONS.seeds} |")
    if OPTIONS.table:
        # What was measured before, of pairs that were not looked at now, stays.
        before = OPTIONS.table.read_text().splitlines() if OPTIONS.table.exists() else []
        of_pair = {tuple(cell.strip() for cell in row.split("|")[1:4]): row for row in before + rows if row.startswith("| ")}
        rows = [of_pair[pair] for pair in PAIRS if pair in of_pair]
        text = HEAD + "| built | wished | figure | built: mean | wished: mean | difference, 95 % | seeds |\n| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
        unfinished = OPTIONS.table.with_suffix(".new")
        unfinished.write_text(text)
        os.replace(unfinished, OPTIONS.table)
    else:
        text = TABLE.read_text()
        for problem in wrong_rows(text):
            print(f"FAILED: docs/catalogue.md: {problem}")
            failures += 1
        for pair in PAIRS:
            if "| " + " | ".join(pair) + " |" not in text:
                print(f"note: {pair[1]} against {pair[0]}, {pair[2]}: not in docs/catalogue.md yet (--only {pair[0]} --table docs/catalogue.md)")
    print(f"{len(chosen)} pairs, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
