#!/usr/bin/env python3
"""What cmake --install and the .deb hold works where it lands: the program, its completions in a real bash, its manual pages in groff, the catalogue.

usage: packaging.py SQUALL BUILD_DIR
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile


def check(condition, what):
    if not condition:
        print(f"FAILED: {what}")
        sys.exit(1)
    print(f"ok: {what}")


def output(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **more)
    check(done.returncode == 0, f"{pathlib.Path(str(command[0])).name} {' '.join(map(str, command[1:3]))} ends well" + ("" if done.returncode == 0 else ": " + done.stderr[-400:]))
    return done.stdout


def holds(root, prefix, folder):
    """What was installed under root/prefix."""
    here = root / prefix
    squall = here / "bin/squall"
    check("squall" in output(squall, "--version"), "the program starts")
    check("incident-1-shared" in output(squall, "catalog", cwd=folder), "it finds the scenarios that came with it")
    check("eventLogHash" in output(squall, "run", here / "share/squall/scenarios/serve-small.yaml", "--format", "json", "--quiet", cwd=folder), "... and runs one")
    check((here / "share/doc/squall/plan.md").exists(), "the documentation is there")
    pages = sorted((here / "share/man/man1").glob("squall*.1.gz"))
    check({"squall.1.gz", "squall-run.1.gz", "squall-crush-test.1.gz"} <= {page.name for page in pages}, "each command has its manual page")
    if shutil.which("groff"):
        for page in pages:
            text = subprocess.run(["gzip", "-dc", page], capture_output=True, check=True).stdout
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-rLL=120n", "-P-cbou"], input=text, capture_output=True, check=False)
            check(done.returncode == 0 and b"NAME" in done.stdout and b"macro" not in done.stderr, f"groff sets {page.name}")
    return here


def completes(script, *words):
    """What bash offers for the last of the words."""
    quoted = " ".join("'" + word + "'" for word in words)
    program = f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _squall; echo \"${{COMPREPLY[*]}}\""
    return output("bash", "-c", program).split()


def main():
    squall, build = sys.argv[1], pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        output("cmake", "--install", str(build), "--prefix", str(folder / "usr"))
        here = holds(folder, "usr", folder)
        script = here / "share/bash-completion/completions/squall"
        check("plan" in completes(script, "squall", "pl"), "bash completes commands")
        check(completes(script, "squall", "run", "--form") == ["--format"], "... options of a command")
        check(set(completes(script, "squall", "run", "--format", "")) == {"text", "json"}, "... words that an option takes")
        check("--golden" in completes(script, "squall", "test", "--gold") and not completes(script, "squall", "crush", "test", "--gold"), "... and tells test from crush test")
        helped = output(squall, "run", "--help")
        for option in completes(script, "squall", "run", "--"):
            check(option in helped, f"{option} stands in --help too")
        for shell, name in (("zsh", "share/zsh/vendor-completions/_squall"), ("fish", "share/fish/vendor_completions.d/squall.fish")):
            text = (here / name).read_text()
            check("--format" in text or "-l format" in text, f"the completion of {shell} is there")
            if shutil.which(shell):
                output(shell, "-n", str(here / name))
        done = subprocess.run([squall, "manual", "nonsense"], capture_output=True, text=True, check=False)
        check(done.returncode == 2 and "there is no command 'nonsense'" in done.stderr, "a command that is not there has no manual page")
        check(subprocess.run([squall, "completion", "tcsh"], capture_output=True, check=False).returncode == 2, "a shell that is not known is wrong input")
        if shutil.which("cpack") and shutil.which("dpkg-deb") and shutil.which("dpkg-shlibdeps"):
            output("cpack", "-G", "DEB", "-B", str(folder / "deb"), cwd=build)
            package = next((folder / "deb").glob("*.deb"))
            output("dpkg-deb", "-x", str(package), str(folder / "root"))
            holds(folder / "root", "usr", folder)
            check("libhdf5" in output("dpkg-deb", "-f", str(package), "Depends"), "the package says what it needs")
        else:
            print("left out: the .deb (cpack, dpkg-deb and dpkg-shlibdeps are needed)")


if __name__ == "__main__":
    main()
