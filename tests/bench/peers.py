# SPDX-License-Identifier: BSD-2-Clause
"""What Corbel is compared with: Debian's kernel on the rig's machine without Corbel, bare or with KVM in it.

KVM runs our cost guest under the smallest VMM (peer/vmm.c), and under QEMU the same Linux that Corbel boots.
"""

import importlib.machinery
import importlib.util
import lzma
import os
import re
import select
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import machine

HERE = Path(__file__).resolve().parent / "peer"
CACHE = Path(os.environ.get("CORBEL_CACHE", "/var/cache/corbel"))
LINUX = machine.BUILD / "guests/linux/cloud-12"
KERNEL_DEB = CACHE / "deb/linux-cloud-12.deb"
QEMU_PROGRAM = Path("/usr/bin/qemu-system-x86_64")
QEMU_FILES = ("bios-microvm.bin", "linuxboot_dma.bin", "multiboot_dma.bin", "pvh.bin", "kvmvapic.bin")
MODULES = ("irqbypass", "kvm", "rng-core", "ccp", "kvm-amd", "kvm-intel")
CC = ["gcc", "-std=c11", "-O2", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-static"]
# The measured Linux gets the same words wherever it runs; a panic ends it.
WORDS = "console=ttyS0 quiet nokaslr panic=-1"
ROW = re.compile(r"^bench ([a-z]+\.\w+) mean=(\d+) min=\d+ max=\d+ count=(\d+)", re.M)
TIMEOUT_S = 2400  # of a machine, which others may load
BOCHS_CPUS = {"bochs-vmx": "corei7_haswell_4770", "bochs-svm": "ryzen"}

# Each boot: the column that it fills, the machine's MiB, what it starts, its words, how its last line begins.
COSTS, GUEST, KVM, TWO = "the cost guest", "the measured Linux", "KVM and its guests", "KVM and a guest of two CPUs"
BOOTS = {
    "bare-costs": ("bare", 128, COSTS, "", r"^(not )?ok \d+ - exit\.self_ipi"),
    "bare-linux": ("bare", 128, GUEST, WORDS, r"^bench end"),
    "kvm": ("kvm", 1024, KVM, "console=ttyS0 quiet", r"^kvm: end"),
    "kvm-off": ("kvm_mitigations_off", 1024, KVM, "console=ttyS0 quiet mitigations=off", r"^kvm: end"),
    "kvm-2": ("kvm", 512, TWO, "console=ttyS0 quiet", r"^kvm: end"),
    "kvm-2-off": ("kvm_mitigations_off", 512, TWO, "console=ttyS0 quiet mitigations=off", r"^kvm: end"),
}
# Which rows each tells, as beginnings of their names. Bare, an instruction that would exit is one tick.
TOLD = {COSTS: ("exit.",), GUEST: ("boot.linux", "cpu."), KVM: ("exit.", "boot.linux", "cpu.", "vm.", "ram.per_vm"),
        TWO: ("sched.ipi",)}


class Failed(Exception):
    """Why there are no figures, in one line."""


def recipe():
    """The Linux guest's own recipe, whose parts serve here too."""
    loader = importlib.machinery.SourceFileLoader("recipe", str(machine.TOP / "guests/linux/build"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("recipe", loader))
    loader.exec_module(module)
    return module


def compiled(folder, name, *options):
    subprocess.run([*CC, *options, "-o", f"{folder}/{name}", HERE / f"{name}.c"], check=True)
    return Path(folder, name).read_bytes()


def guest_initrd(folder):
    """The measured Linux's: bench.c, and the child that it starts. Writes FOLDER/guest-initrd."""
    archive = recipe().Cpio()
    archive.add("dev", stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("init", stat.S_IFREG | 0o755, compiled(folder, "bench"))
    archive.add("child", stat.S_IFREG | 0o755, compiled(folder, "child", "-nostdlib"))
    path = Path(folder, "guest-initrd")
    path.write_bytes(archive.finish())
    return path


def qemu_files():
    """{path in the initrd: bytes} of QEMU and of what it needs."""
    said = subprocess.run(["ldd", QEMU_PROGRAM], check=True, capture_output=True, text=True).stdout
    paths = [QEMU_PROGRAM, *(Path(p) for p in re.findall(r"(/\S+) \(0x", said))]
    found = {str(path).lstrip("/"): path.read_bytes() for path in paths}
    for name in QEMU_FILES:
        path = Path("/usr/share/qemu", name)
        if path.exists():
            found[f"usr/share/qemu/{name}"] = path.read_bytes()
    return found


def kvm_initrd(folder, has_qemu=True):
    """KVM's modules, our VMM, QEMU and their guests, behind the Linux guest's initrd. Writes FOLDER/kvm-initrd.

    Without QEMU: the guest of two CPUs alone.

    Linux unpacks one archive after the other, the later one's files in place of the earlier one's.
    """
    linux = recipe()
    modules = {linux.module_name(path): lzma.decompress(data) if path.endswith(".xz") else data
               for path, data in linux.members(KERNEL_DEB, lambda p: linux.module_name(p) in MODULES)}
    order = [name for name in MODULES if name in modules]
    files = {f"lib/kvm/{name}.ko": modules[name] for name in order}
    files["lib/kvm/order"] = "".join(f"{name}\n" for name in order).encode()
    if has_qemu:
        files["costs"] = (machine.BUILD / "guests/exitcost").read_bytes()
        files["idle"] = (machine.BUILD / "guests/idle").read_bytes()
        files["vmlinuz"] = (LINUX / "vmlinuz").read_bytes()
        files["guest-initrd"] = guest_initrd(folder).read_bytes()
    else:
        files["ipi"] = (machine.BUILD / "guests/ipi").read_bytes()
    archive, folders = linux.Cpio(), set()
    programs = {"bin/vmm": compiled(folder, "vmm", "-pthread"), "init": (HERE / "init").read_bytes(),
                **(qemu_files() if has_qemu else {})}
    for name, data in {**files, **programs}.items():
        for parent in reversed(Path(name).parents[:-1]):
            if parent not in folders:
                folders.add(parent)
                archive.add(str(parent), stat.S_IFDIR | 0o755)
        archive.add(name, stat.S_IFREG | (0o755 if name in programs else 0o644), data)
    data = (LINUX / "initrd").read_bytes()
    path = Path(folder, "kvm-initrd")
    path.write_bytes(data + bytes(-len(data) % 512) + archive.finish())
    return path


def qemu(mib, kernel, initrd, words):
    """The command of the rig qemu-svm's machine, counted, with this kernel in place of firmware and disk."""
    command = [QEMU_PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", str(mib),
               "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", "EPYC-Milan,+svm,+npt",
               "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4", "-kernel", kernel, "-append", words]
    return [*command, *(["-initrd", initrd] if initrd else [])]


def disc(folder, kernel, initrd, words):
    """A CD from which GRUB starts this Linux."""
    root = Path(folder, "disc")
    (root / "boot/grub").mkdir(parents=True)
    (root / "kernel").write_bytes(Path(kernel).read_bytes())
    (root / "initrd").write_bytes(Path(initrd).read_bytes())
    (root / "boot/grub/grub.cfg").write_text(f"linux /kernel {words}\ninitrd /initrd\nboot\n")
    done = subprocess.run(["grub-mkrescue", "-o", f"{folder}/cd.iso", root, "--locales=", "--fonts=", "--themes=",
                           "--install-modules=linux biosdisk iso9660 normal"], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise Failed(f"grub-mkrescue: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")


def bochs(rig, folder, mib, com_port, cpus):
    """The command of a Bochs rig's machine under its own BIOS, which has ACPI tables, with a CD."""
    Path(folder, "bochsrc").write_text(f"""config_interface: textconfig
display_library: nogui
log: {folder}/log
panic: action=fatal
error: action=ignore
info: action=report
debug: action=ignore
memory: guest={mib}, host={mib}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios-stdvga.bin
cpu: count={cpus}, quantum=1, ips=100000000, reset_on_triple_fault=0, model={BOCHS_CPUS[rig]}
clock: sync=none, time0=1767225600
pci: enabled=1, chipset=i440fx
vga: extension=vbe, update_freq=1
parport1: enabled=0
mouse: enabled=0
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{com_port}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={folder}/cd.iso, status=inserted
boot: cdrom
""")
    return [CACHE / "bochs/bochs", "-q", "-f", f"{folder}/bochsrc"]


def read_until(read, pattern):
    """What came out up to the pattern or the machine's end."""
    said, until = "", time.monotonic() + TIMEOUT_S
    while not re.search(pattern, said.replace("\r", ""), re.M):
        data = read()
        said += data.decode(errors="replace")
        if not data or time.monotonic() > until:
            break
    return said.replace("\r", "")


def read_some(stream):
    """What a pipe has; nothing if it stays silent for too long."""
    return os.read(stream.fileno(), 65536) if select.select([stream], [], [], TIMEOUT_S)[0] else b""


def run_qemu(command, pattern):
    with subprocess.Popen([*command, "-serial", "stdio"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        try:
            return read_until(lambda: read_some(process.stdout), pattern)
        finally:
            process.kill()


def run_bochs(rig, folder, mib, pattern, cpus):
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        server.settimeout(60)
        command = bochs(rig, folder, mib, server.getsockname()[1], cpus)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # as tests/rig/bochs.py has it
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            try:
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(TIMEOUT_S)
                    return read_until(lambda: connection.recv(65536), pattern)
            except OSError as error:
                raise Failed(f"bochs: {error}") from error
            finally:
                process.kill()


def boot(rig, name):
    """What came out on COM1."""
    _, mib, what, words, end = BOOTS[name]
    with tempfile.TemporaryDirectory(prefix="corbel-peer-") as folder:
        kernel = machine.BUILD / "guests/exitcost" if what == COSTS else LINUX / "vmlinuz"
        initrd = {COSTS: lambda _: None, GUEST: guest_initrd, KVM: kvm_initrd,
                  TWO: lambda place: kvm_initrd(place, has_qemu=False)}[what](folder)
        if rig == "qemu-svm":
            said = run_qemu(qemu(mib, kernel, initrd, words), end)
        else:
            disc(folder, kernel, initrd, words)
            said = run_bochs(rig, folder, mib, end, 2 if what == TWO else 1)
    logs = machine.BUILD / "tests/logs"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / f"{rig}-peer-{name}.log").write_text(said)
    if not re.search(end, said, re.M):
        last = [line for line in said.splitlines() if line.strip()][-1:]
        raise Failed(f"{name} on {rig} did not come to its end; last line: {last[0] if last else 'none'}")
    return said


def rows_of(said):
    """{row: ticks} of the lines "bench ROW mean=N ..."; the last of a row counts."""
    return {match[1]: int(match[2]) for match in ROW.finditer(said)}


def boots_for(rig, row_ids):
    """The boots that tell of these rows. Bochs' BIOS starts no guest of ours: what costs nothing bare is left out."""
    only = {COSTS: rig == "qemu-svm", TWO: rig != "qemu-svm"}
    return [name for name, (_, _, what, _, _) in BOOTS.items()
            if any(row_id.startswith(TOLD[what]) for row_id in row_ids) and only.get(what, True)]


def columns(rig, row_ids):
    """({column: {row: ticks}}, [why something is lacking]) of one rig, as far as these rows want it."""
    found, lacking = {}, []
    for name in boots_for(rig, row_ids):
        try:
            told = rows_of(boot(rig, name))
            found.setdefault(BOOTS[name][0], {}).update(told)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            lacking.append(str(error))
    return found, lacking
