#!/usr/bin/env python3
"""Compares the pairs of the catalogue over 30 seeds: the wished architecture is better, with a 95 % confidence interval that excludes no difference.

usage: run_pairs.py SQUALL SOURCE_DIR
"""
import json
import pathlib
import subprocess
import sys

SQUALL, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
SEEDS = 30

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


def figure(comparison, name):
    for one in comparison["figures"]:
        if one["name"] == name:
            return one
    return None


def shown(value, unit):
    return f"{value:.6g} {unit}"


def main():
    failures = 0
    for bad, good, name in PAIRS:
        command = [SQUALL, "compare", f"scenarios/{bad}.yaml", f"scenarios/{good}.yaml", "--replications", str(SEEDS), "--format", "json", "--quiet"]
        result = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=600, check=False)
        if result.returncode not in (0, 1):
            print(f"FAILED: {bad} against {good}: exit {result.returncode}\n{result.stderr}")
            failures += 1
            continue
        found = figure(json.loads(result.stdout), name)
        if found is None:
            print(f"FAILED: {bad} against {good}: there is no figure '{name}'")
            failures += 1
            continue
        better = found["scenarios"][1]
        low, high = better["differenceToFirst"]["ci95"]
        ok = low > 0 if found["moreIsBetter"] else high < 0
        failures += not ok
        print(f"{'ok' if ok else 'FAILED'}: {good} against {bad}: {name} {shown(found['scenarios'][0]['value']['mean'], found['unit'])} -> "
              f"{shown(better['value']['mean'], found['unit'])}, difference {low:.6g} to {high:.6g} (95 %, {SEEDS} seeds)")
    print(f"{len(PAIRS)} pairs, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
