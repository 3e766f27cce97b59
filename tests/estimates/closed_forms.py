#!/usr/bin/env python3
"""What squall says of availabilities, with its intervals of 95 %, against closed forms: does the truth lie within, in 95 of 100 seeds?

usage: closed_forms.py SQUALL SOURCE_DIR [--seeds N] [--only NAME]

Each case is a whole scenario (an etcd whose machines fail and are repaired, alone or in a platform; a fleet that queues for one person) that is estimated again and again under other seeds, as
its user would. 88 or fewer of 100 would be seen once in 230 times if 95 % held; as many in proportion are asked for with other numbers of seeds.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("squall")
parser.add_argument("source", type=pathlib.Path)
parser.add_argument("--seeds", type=int, default=20)
parser.add_argument("--only")
options = parser.parse_args()
REPAIR = options.source / "scenarios/machine-repair.yaml"
PLATFORM = options.source / "scenarios/etcd-six-nines.yaml"
MACHINES = "failures.processes.machines."


def birth_death(up, down):
    """Shares of the states 0, 1, ... of a chain that goes from i to i + 1 at up[i] and back at down[i]."""
    weights = [1.0]
    for rise, fall in zip(up, down):
        weights.append(weights[-1] * rise / fall)
    return [w / sum(weights) for w in weights]


def below_quorum(machines, needed, ratio, repairers):
    """Of machines with MTTR / MTTF = ratio, fewer than needed work."""
    shares = birth_death([(machines - k) * ratio for k in range(machines)], [min(k + 1, repairers) for k in range(machines)])
    return sum(shares[machines - needed + 1:])


def mean_down(machines, ratio):
    """How many are being repaired or wait for the one who does."""
    shares = birth_death([(machines - k) * ratio for k in range(machines)], [1] * machines)
    return sum(k * share for k, share in enumerate(shares))


def rates(mttf, mttr, *more):
    return [f"{MACHINES}timeToFailure.mean={mttf}", f"{MACHINES}repair.mean={mttr}", *more]


# name, scenario, flags, overrides, share of time without quorum, and, where it is something else, of what
# A run begins with all machines in order: 20 mean repairs of warm-up are the equilibrium. Replications are many enough that Student's interval may be asked for 95 %.
CASES = [
    ("machine repair (3 machines, 1 person), plain", REPAIR, ["--replications", 60, "--until", "60d"], rates("50h", "5h", "run.warmUp=4d"), below_quorum(3, 2, 0.1, 1)),
    ("3 of 5 with a repairer each, plain", REPAIR, ["--replications", 60, "--until", "60d"],
     rates("30h", "6h", "run.warmUp=5d", "pools.control-plane.count=5", "failures.crews.technician.people=5"), below_quorum(5, 3, 0.2, 5)),
    ("2 of 3, Weibull lives (insensitive: a repairer each), plain", REPAIR, ["--replications", 60, "--until", "60d"],
     [f"{MACHINES}timeToFailure={{law: weibull, shape: 0.7, mean: 50h}}", f"{MACHINES}repair={{law: lognormal, median: 3h, sigma: 1}}", "run.warmUp=10d", "failures.crews.technician.people=3"],
     1 - sum(math.comb(3, k) * (a := 50 / (50 + 3 * math.exp(0.5)))**k * (1 - a)**(3 - k) for k in (2, 3))),
    # Ever so many machines that fail ever so rarely are customers of an M/M/1 queue: of N = 100 with one person at load 0.5, 0.96 are down on average, where an open
    # queue has load / (1 - load) = 1. The truth is that of N.
    ("a queue for one person (100 machines, load 0.5: near M/M/1), plain", REPAIR, ["--replications", 30, "--until", "150d"],
     rates("800h", "4h", "run.warmUp=10d", "failures.processes.machines.pool=fleet",
           'pools.fleet={count: 100, nodeName: "w{n}", cpu: 4, memory: 16Gi, boot: {median: 1s, sigma: 0}, kubeletStart: {median: 1s, sigma: 0}}'),
     mean_down(100, 4 / 800) / 103, "node availability"),
    ("machine repair, 4.3 nines, rare events", REPAIR, ["--rare-event", "etcd", "--replications", 24, "--until", "180d"], rates("340h", "1h"), below_quorum(3, 2, 1 / 340, 1)),
    ("3 of 5 with 2 people, 5.3 nines, rare events", REPAIR, ["--rare-event", "etcd", "--replications", 24, "--until", "60d"],
     rates("140h", "1h", "pools.control-plane.count=5", "failures.crews.technician.people=2"), below_quorum(5, 3, 1 / 140, 2)),
    ("a platform's etcd, 6 nines, rare events", PLATFORM, ["--rare-event", "etcd", "--bias", "machines", "--replications", 60], [], below_quorum(3, 2, 8 / 19467, 1)),
]


def interval(found, name):
    if found["kind"] == "rareEvents":
        return (found["trusted"], *found["unavailability"]["ci95"])
    low, high = next(one for one in found["aggregate"] if one["name"] == name)["ci95"]
    return (True, 1 - high, 1 - low)


def least(seeds):
    """The most of which fewer would be seen less than once in 200 times."""
    total = 0.0
    for covered in range(seeds + 1):
        total += math.comb(seeds, covered) * 0.95**covered * 0.05**(seeds - covered)
        if total > 0.005:
            return covered
    return seeds


failures = 0
for name, scenario, flags, overrides, truth, *of in CASES:
    if options.only and options.only not in name:
        continue
    covered, trusted, half = 0, 0, 0.0
    for i in range(options.seeds):
        command = [options.squall, "run", scenario, "-q", "--format", "json", "--seed", 1 + 1000 * i, *flags, *(part for override in overrides for part in ("--set", override))]
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=1200, check=False)
        if result.returncode != 0:
            print(result.stderr, file=sys.stderr)
            sys.exit(1)
        is_trusted, low, high = interval(json.loads(result.stdout), of[0] if of else "etcd availability")
        covered += low <= truth <= high
        trusted += is_trusted
        half += (high - low) / 2 / truth / options.seeds
    enough = covered >= least(options.seeds)
    failures += not enough
    print(f"{'ok' if enough else 'FAILED'}: {name}: truth {truth:.4g} within {covered} of {options.seeds} intervals (at least {least(options.seeds)}), "
          f"+-{100 * half:.0f} % on average, {trusted} to be trusted", flush=True)
sys.exit(1 if failures else 0)
