#!/usr/bin/env python3
"""Opens the report of a run (and of a comparison) in headless Chromium, offline, and looks at what a reader would see.

usage: report_in_browser.py SQUALL SOURCE_DIR
Exit code 77 (left out) where there is no Chromium, unless CI is set: then that is a failure.
"""
import html
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LEFT_OUT = 77


def dom(browser, page, profile):
    """The page after its script has run. The network is closed: whatever it would load from elsewhere fails."""
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
               "--window-size=1280,2000", "--virtual-time-budget=10000", "--dump-dom", page.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return result.stdout


def check(condition, what):
    if not condition:
        print(f"FAILED: {what}")
        sys.exit(1)
    print(f"ok: {what}")


def main():
    squall, source = sys.argv[1], pathlib.Path(sys.argv[2])
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print("left out: no Chromium on this machine (tools/setup.sh --with-test-tools installs it)")
        sys.exit(1 if os.environ.get("CI") else LEFT_OUT)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        scenario = source / "tests/report/two-nodes.yaml"
        subprocess.run([squall, "run", scenario, "-o", folder / "run", "--quiet"], check=False, stdout=subprocess.DEVNULL, timeout=120)
        summary = json.loads((folder / "run/summary.json").read_text())
        source_text = (folder / "run/report.html").read_text()
        check(not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", source_text), "the report refers to nothing outside of itself")
        page = dom(browser, folder / "run/report.html", folder / "profile")
        check('data-ready="true"' in page, "the report's script ran to its end")
        check(html.escape(summary["scenario"], quote=False) in page and summary["eventLogHash"] in page, "scenario and hash are shown")
        check(re.search(r'id="verdict">\s*FAILED', page), "the verdict is shown")
        check(page.count('class="card objective') == len(summary["objectives"]), "one card an objective")
        check(re.search(r"<b>Set off by: </b>", page) and re.search(r"<b>First to break: </b>", page) and re.search(r"<b>Users: </b>", page), "it says in short what set it off, what broke first, and what users saw")
        first = min((o for o in summary["outages"] if o["severity"] != "none"), key=lambda o: o["start"])
        check(f'{first["subject"]} ({first["kind"]})' in html.unescape(page), "... and that is the first outage")
        check("FaultInjected" in page, "the chain of causes reaches the fault")
        check("why: as above" in page, "a chain that two figures share is told once")
        check("<time>5m 00s</time>" in page, "the steps of a chain are told to the second")
        check(re.search(r'aria-sort|class="sort', page) and page.index('<tr class="alert open"') < page.index('<tr class="notice open"'), "the worst outages come first")
        check(page.count("<rect") > len(summary["faults"]), "the timeline has intervals")
        check("</script><b>" not in page and "&lt;/script&gt;" in page, "a name that looks like markup stays text")
        subprocess.run([squall, "compare", scenario, scenario, "--replications", "2", "-o", folder / "pair", "--quiet"], check=False,
                       stdout=subprocess.DEVNULL, timeout=120)
        page = dom(browser, folder / "pair/report.html", folder / "profile")
        check('data-ready="true"' in page and "objectives held" in page, "the comparison's page works as well")
        subprocess.run([squall, "plan", source / "scenarios/plan-shop.yaml", "--replications", "4", "-o", folder / "plan", "--quiet"], check=True, stdout=subprocess.DEVNULL, timeout=120)
        plan = json.loads((folder / "plan/plan.json").read_text())
        source_text = (folder / "plan/report.html").read_text()
        check(not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", source_text), "the plan's page refers to nothing outside of itself")
        page = dom(browser, folder / "plan/report.html", folder / "profile")
        check('data-ready="true"' in page, "the plan's script ran to its end")
        chosen = plan["designs"][plan["chosen"]]
        check(" + ".join(f"{n} × {pool}" for pool, n in chosen["counts"].items()) + " —" in page, "the chosen design stands first")
        check(len(re.findall(r'<div class="card[^"]*" id="d\d', page)) == len(plan["designs"]), "each design says how it fails first")
        check(page.count("<circle") + page.count("<rect") + page.count("<path") == len(plan["designs"]), "each design is in the picture")


if __name__ == "__main__":
    main()
