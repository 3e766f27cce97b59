#!/usr/bin/env python3
"""What `squall run --scrape` writes, read by the parsers of Prometheus' own Python client, and HDF5 tables by h5py, where these can be had.

usage: metrics_files.py SQUALL SOURCE_DIR [--build-dir DIR]
Exit code 77 (left out) where the packages cannot be installed, unless CI is set: then that is a failure.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

LEFT_OUT = 77


def check(condition, what):
    if not condition:
        print(f"FAILED: {what}")
        sys.exit(1)
    print(f"ok: {what}")


def with_packages(build_dir):
    """Runs this script again in an environment that has the packages."""
    python = build_dir / "bin/python"
    if not python.exists():
        venv.create(build_dir, with_pip=True)
    if subprocess.run([python, "-c", "import prometheus_client, h5py"], capture_output=True, check=False).returncode != 0:
        done = subprocess.run([python, "-m", "pip", "install", "-q", "prometheus_client", "h5py"], capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            print("left out: prometheus_client and h5py cannot be installed here\n" + done.stderr[-500:])
            sys.exit(1 if os.environ.get("CI") else LEFT_OUT)
    sys.exit(subprocess.run([python, *sys.argv], env={**os.environ, "SQUALL_IN_VENV": "1"}, check=False).returncode)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("squall")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--build-dir", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if "SQUALL_IN_VENV" not in os.environ:
        with_packages(arguments.build_dir)
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
    from prometheus_client.parser import text_string_to_metric_families as prometheus
    import h5py
    squall, source = arguments.squall, arguments.source

    def run(scenario, *more):
        return subprocess.run([squall, "run", source / "scenarios" / scenario, "--quiet", *more], capture_output=True, text=True, timeout=300, check=False)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, minutes in (("incident-2-five-nodes", 5), ("replicas-missing-untold", 60)):
            check(run(name + ".yaml", "-o", folder / name, "--scrape", f"{minutes}m", "--seed", "1").returncode == 0, f"{name} runs")
            summary = json.loads((folder / name / "summary.json").read_text())
            plain = json.loads(run(name + ".yaml", "--format", "json", "--seed", "1").stdout)
            check(summary["eventLogHash"] == plain["eventLogHash"], "whether somebody scrapes makes no difference to the run")
            families = {f.name: f for f in openmetrics((folder / name / "metrics.openmetrics").read_text())}
            check(len(families) > 40, "prometheus_client reads the OpenMetrics file")
            check(families["kube_pod_container_status_restarts"].type == "counter", "counters are counters")
            times = sorted({float(s.timestamp) for s in families["up"].samples})
            steps = {round(b - a, 3) for a, b in zip(times, times[1:])}
            check(steps == {minutes * 60.0} and len(times) == int(summary["simulatedSeconds"] // (minutes * 60)), f"one scrape each {minutes} minutes, to the end of the run")
            latest = {f.name: f for f in prometheus((folder / name / "metrics.prom").read_text())}
            at_end = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in latest.values() for s in f.samples}
            check(set(latest) <= set(families), "the text format has nothing else")
            check(all(at_end[(s.name, tuple(sorted(s.labels.items())))] == s.value for f in families.values() for s in f.samples if float(s.timestamp) == times[-1]),
                  "... and the values of the last scrape")
            counted = sum(s.value for s in families["kube_node_status_condition"].samples
                          if float(s.timestamp) == times[0] and s.labels["condition"] == "Ready" and s.labels["status"] == "true")
            check(counted == [s.value for s in families["apiserver_storage_objects"].samples if float(s.timestamp) == times[0] and s.labels["resource"] == "nodes"][0],
                  "every node is Ready at the first scrape")
            check(all(s.value == 0 for s in families["scheduler_pending_pods"].samples if float(s.timestamp) == times[0]), "... and nobody waits")
            with h5py.File(folder / name / "metrics.h5") as file:
                check(set(file) >= {"lanes", "outages", "availability"}, "h5py reads the tables")
                starts = sorted(float(start) for start in file["outages/start"])
                check(starts == sorted(float(outage["start"]) for outage in summary["outages"]), "... with every outage")
        ceph = {f.name: f for f in openmetrics((folder / "incident-2-five-nodes/metrics.openmetrics").read_text())}
        status = [s.value for s in ceph["ceph_health_status"].samples]
        check(min(status) == 0 and max(status) >= 1, "Ceph's health goes from ok to a warning or worse")
        waits = {f.name: f for f in openmetrics((folder / "replicas-missing-untold/metrics.openmetrics").read_text())}
        missing = [s.value for s in waits["kube_deployment_status_replicas_unavailable"].samples]
        check(max(missing) > 0, "the missing replicas of the story are in the series")
        for wrong in (["--scrape", "1m"], ["--scrape", "0.1s", "-o", folder / "x"], ["--scrape", "often", "-o", folder / "x"], ["--scrape", "1m", "-o", folder / "x", "--replications", "2"]):
            check(run("serve-small.yaml", *wrong).returncode == 2, f"{' '.join(map(str, wrong[:2]))} is refused")


if __name__ == "__main__":
    main()
