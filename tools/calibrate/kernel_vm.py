#!/usr/bin/env python3
"""Runs a program of this folder on another kernel, in a virtual machine of its own that nobody else uses: `memcg_churn.py` on cgroup v2, with eight CPUs, on 6.1 ...

The machine's kernel and modules come from a Debian package (apt-get download linux-image-6.1.0-56-amd64, then dpkg-deb -x FILE.deb FOLDER); its file system is an ext4
image made of this machine's Python and the programs of this folder. What the program prints is printed. Needs qemu-system-x86_64,
busybox-static and mke2fs, and no root rights. Memory is counted the same whether the machine is emulated (the default) or not.

usage: kernel_vm.py --kernel FOLDER [--cgroup 2] [--cpus 2] [--memory 6G] [--disk 8G] -- memcg_churn.py --jobs 20000 --folder /churn > run.csv
"""
import argparse
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile

# Tried three times in this order, for kernels differ in who needs whom; what a kernel has built in is not there and not missed.
MODULES = ["virtio", "virtio_ring", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk", "crc16", "crc32c_generic", "libcrc32c", "mbcache", "jbd2", "ext4"]

INIT = """#!/bin/sh
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
for module in {modules} {modules} {modules}; do insmod /modules/$module.ko 2>/dev/null; done
mount -t ext4 /dev/vda /disk || echo VM-FAILED no disk
mount -t proc none /disk/proc; mount -t sysfs none /disk/sys; mount -t devtmpfs none /disk/dev
{cgroups}
echo VM-BEGIN
PYTHONHOME={home} chroot /disk /usr/bin/python3 {command} 2>&1
echo VM-END $?
sync; poweroff -f
"""

CGROUPS = {
    2: "mount -t cgroup2 none /disk/sys/fs/cgroup; echo '+memory +cpu +io' > /disk/sys/fs/cgroup/cgroup.subtree_control",
    1: "mount -t tmpfs none /disk/sys/fs/cgroup; for c in memory cpu; do mkdir /disk/sys/fs/cgroup/$c; mount -t cgroup -o $c none /disk/sys/fs/cgroup/$c; done",
}


def initrd(kernel, options, folder):
    root = folder / "initrd"
    for name in ("bin", "modules", "proc", "sys", "dev", "disk"):
        (root / name).mkdir(parents=True)
    busybox = shutil.which("busybox") or sys.exit("there is no busybox: apt-get install busybox-static")
    shutil.copy(busybox, root / "bin/busybox")
    for name in ("sh", "mount", "insmod", "chroot", "poweroff", "sync", "mkdir", "echo"):
        (root / "bin" / name).symlink_to("busybox")
    found = {}
    for file in kernel.rglob("*.ko*"):
        found.setdefault(file.name.split(".")[0], file)
    present = [name for name in MODULES if name in found]
    for name in present:
        content = found[name].read_bytes()
        (root / "modules" / f"{name}.ko").write_bytes(lzma.decompress(content) if found[name].suffix == ".xz" else content)
    command = f"/{options.command[0]} " + " ".join(options.command[1:])
    (root / "init").write_text(INIT.format(modules=" ".join(present), cgroups=CGROUPS[options.cgroup], home=sys.base_prefix, command=command))
    (root / "init").chmod(0o755)
    names = "\n".join(str(p.relative_to(root)) for p in sorted(root.rglob("*"))) + "\n"
    with open(folder / "initrd.cpio", "wb") as out:
        subprocess.run([busybox, "cpio", "-o", "-H", "newc"], cwd=root, stderr=subprocess.DEVNULL, input=names.encode(), stdout=out, check=True)
    return folder / "initrd.cpio"


def disk(options, folder):
    root = folder / "disk"
    for name in ("proc", "sys", "dev", "usr/bin", "usr/lib", "tmp"):
        (root / name).mkdir(parents=True)
    python = os.path.realpath(sys.executable)
    shutil.copy(python, root / "usr/bin/python3")
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    shutil.copytree(library, root / str(library).lstrip("/"), symlinks=False, ignore=shutil.ignore_patterns("test", "__pycache__", "site-packages", "dist-packages", "config-*"))
    linked = subprocess.run(["ldd", python], capture_output=True, text=True, check=True).stdout
    for word in linked.split():
        if word.startswith("/") and ".so" in word:
            (root / word.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(word), root / word.lstrip("/"))
    for program in pathlib.Path(__file__).parent.glob("*.py"):
        shutil.copy(program, root / program.name)
    image = folder / "disk.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, image, options.disk], stdout=subprocess.DEVNULL, check=True)
    return image


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", type=pathlib.Path, required=True, help="the unpacked package: boot/vmlinuz-* and lib/modules")
    parser.add_argument("--cgroup", type=int, choices=(1, 2), default=2)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", default="6G")
    parser.add_argument("--disk", default="8G")
    parser.add_argument("--disk-limits", default="", help="of QEMU's throttling, such as throttling.bps-total=104857600,throttling.iops-total=500")
    parser.add_argument("--accel", default="tcg,thread=multi", help="kvm where the machine has it and it works: twenty times faster")
    parser.add_argument("--append", default="", help="more of the kernel's command line")
    parser.add_argument("--timeout", type=int, default=3600, help="seconds")
    parser.add_argument("command", nargs="+", help="a program of this folder and its options")
    options = parser.parse_args()
    images = sorted((options.kernel / "boot").glob("vmlinuz-*"))
    if not images:
        sys.exit(f"{options.kernel}: there is no boot/vmlinuz-*")
    if not (pathlib.Path(__file__).parent / options.command[0]).exists():
        sys.exit(f"there is no {options.command[0]} in {pathlib.Path(__file__).parent}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        drive = f"file={disk(options, folder)},format=raw,if=virtio,cache=unsafe" + ("," + options.disk_limits if options.disk_limits else "")
        machine = ["qemu-system-x86_64", "-accel", options.accel, "-cpu", "max", "-smp", str(options.cpus), "-m", options.memory, "-kernel", images[0],
                   "-initrd", initrd(options.kernel, options, folder), "-append", f"console=ttyS0 quiet panic=-1 {options.append}", "-drive", drive, "-nographic", "-nic", "none", "-no-reboot"]
        running = subprocess.Popen(machine, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
        inside, code, before = False, None, []
        try:
            for line in running.stdout:
                line = line.rstrip("\r\n")
                before = (before + [line])[-20:]
                if line.startswith("VM-END "):
                    code = int(line.split()[1])
                    break
                if inside:
                    print(line, flush=True)
                inside = inside or line.endswith("VM-BEGIN")
            running.wait(timeout=60)
        finally:
            running.kill()
    if code != 0:
        sys.exit(f"the machine ended with {code}:\n" + "\n".join(before))
    sys.exit(code)


if __name__ == "__main__":
    main()
