# SPDX-License-Identifier: BSD-2-Clause
"""The runs that the rows come from: which machine, which VMs, which build; each is booted once a rig at most."""

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import tempfile

import figures
import logs
import machine
import peers
import rows
import test_halted
import test_sched

NAME = "bench"  # of the VM in runs of one
LAST = "last"   # of the one that ends, in runs of many
FEW = [f"idle{i}" for i in range(2)]
TWO = ["one", "other"]
MANY = [f"idle{i}" for i in range(10)]
TIMEOUT_S = 900  # of a machine, which others may load
# What an unfinished line may already match: nothing here is the beginning of another end.
OVER = r"^corbel: (all vms ended|panic|boot stopped|config:)"
LAST_OVER = rf"{OVER}|vm {LAST}: (machine .* copies=|refused|ended: (poweroff|reboot|triple-fault|error|killed))"
LOCKED = re.compile(r"\block\b|\bxchg[bwlq]?\s.*\(")
# Run at the start or the end, or with several cores alone, where they are the price of the lock and the mailboxes.
SEVERAL_CORES = ("cores_stop", "lock_acquire", "panic_begin")
COUNTED = ("usercopy_byte",)  # by its caller
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")


class Failed(Exception):
    """Why there is no log, in one line."""


def _exitcost(memory, **settings):
    return [machine.vm(NAME, "exitcost", memory=memory, **settings)]


def _linux(words=""):
    words = f"{peers.WORDS} end=test-device {words}".strip()
    return [machine.vm(NAME, "vmlinuz", initrd="initrd", memory="128M", cmdline=words)]


def _idle(names):
    return [*(machine.vm(name, "idle") for name in names), machine.vm(LAST, "idle", cmdline="end=20")]


# name: (VMs, folder of the build, what is on COM1 when there is no more to come)
RUNS = {
    "exit": (_exitcost("64M", apicv=False), machine.BUILD, OVER),
    "ops": (_exitcost("64M", apicv=False), machine.BUILD / "ops", OVER),
    "256m": (_exitcost("256M", cmdline="row=exit.cpuid count=100"), machine.BUILD, OVER),
    "create": ([machine.vm(NAME, "idle", memory="128M", cmdline="end=1")], machine.BUILD, OVER),
    "reload": ([machine.vm(NAME, "reload", memory="128M", apicv=False)], machine.BUILD, OVER),
    "linux": (_linux(), machine.BUILD, OVER),
    "linux-ops": (_linux("boot_only=1"), machine.BUILD / "ops", OVER),
    "turns": ([machine.vm(name, "turns") for name in TWO], machine.BUILD, OVER),
    "weights": ([machine.vm(TWO[0], "turns"), machine.vm(TWO[1], "turns", weight=300)], machine.BUILD, OVER),
    "alarm": ([machine.vm(LAST, "alarm", realtime={"priority": 1, "budget_us": 2000, "period_us": 10000}),
               *(machine.vm(name, "spin", cmdline="seconds=1000") for name in MANY[:3])], machine.BUILD, LAST_OVER),
    "ipi": ([machine.vm(NAME, "ipi", vcpus=2)], machine.BUILD, OVER),
    "few": (_idle(FEW), machine.BUILD, LAST_OVER),
    "many": (_idle(MANY), machine.BUILD, LAST_OVER),
}
CORES = {"ipi": 2}  # of the machine; else 1
# And those of the tests that somebody at the prompt watches.
WATCHED = {
    "halted": lambda rig: test_halted.boot_ticking(rig, test_halted.MANY),
    "equals": lambda rig: test_sched.boot_equals(rig, test_sched.EQUALS),
}


def files_of(vms, folder=None):
    """The files that the VMs' configuration names; Linux's initrd is made in the folder."""
    if any("initrd" in vm for vm in vms):
        return {"vmlinuz": peers.LINUX / "vmlinuz", "initrd": peers.guest_initrd(folder)}
    return {vm["kernel"]: machine.BUILD / "guests" / vm["kernel"] for vm in vms}


def boot(rig, run):
    """The Log of one run, on a machine of 512 MiB if it is none of WATCHED; raises Failed."""
    if run in WATCHED:
        return WATCHED[run](rig)
    vms, build, over = RUNS[run]
    options = ["--memory", "512", "--cpus", str(CORES.get(run, 1)), *(["--icount"] if rig == "qemu-svm" else [])]
    try:
        with tempfile.NamedTemporaryFile(suffix=".img") as disk, tempfile.TemporaryDirectory() as folder:
            machine.image(disk.name, vms, files_of(vms, folder), efi=build / "corbel.efi")
            log = machine.run(rig, disk.name, [vm["name"] for vm in vms], *options, timeout=TIMEOUT_S, expect=over)
    except (OSError, subprocess.SubprocessError) as error:
        raise Failed(str(error)) from error
    if "unavailable" in log.end:
        raise Failed(log.end)
    return log


class Rig:
    """The rows of one rig; with_peers: measures beside each what KVM and the bare machine take."""

    def __init__(self, name, wants, with_peers=False):
        self._rig = name
        self._wants = wants
        self._with_peers = with_peers
        self.lacking = []  # why a column lacks figures
        self._logs = {}

    def _log(self, run):
        if run not in self._logs:
            try:
                self._logs[run] = boot(self._rig, run)
            except Failed as error:
                self._logs[run] = error
        if isinstance(self._logs[run], Failed):
            raise self._logs[run]
        return self._logs[run]

    def _exits(self):
        try:
            counting, why = self._log("ops"), ""
        except Failed as error:
            counting, why = None, str(error)
        log = self._log("exit")
        return figures.exit_rows(self._rig, NAME, log, counting, why, locked())

    def _linux_row(self, row_id):
        rig = self._rig
        if row_id == "boot.linux_own":
            return figures.linux_own(rig, NAME, self._log("linux-ops"), self._log("linux"))
        if row_id == "boot.linux_exits":
            return figures.linux_exits(rig, NAME, self._log("linux-ops"))
        if row_id == "vm.create_to_first_instruction":
            return figures.create(rig, NAME, self._log("create"))
        if row_id == "vm.destroy":
            return figures.destroy(rig, NAME, self._log("create"))
        if row_id == "vm.save_load":
            return figures.save_load(rig, NAME, self._log("reload"))
        log = self._log("linux")
        if row_id == "ram.small_leaves":
            sizes = (peers.LINUX / "vmlinuz").stat().st_size, logs.machine(log, NAME)["file_bytes"]
            return figures.small_leaves(rig, NAME, (sizes[0], max(0, sizes[1] - sizes[0])), log)
        return figures.guest_row(row_id, rig, NAME, log)

    def _one(self, row_id):
        rig = self._rig
        if row_id in rows.LINUX:
            return self._linux_row(row_id)
        if row_id == "boot.exit_to_guest":
            return figures.exit_to_guest(rig, NAME, self._log("exit"))
        if row_id == "boot.exit_to_guest_256m":
            return figures.exit_to_guest_256m(rig, NAME, self._log("exit"), self._log("256m"))
        if row_id == "boot.entry_to_exit":
            return figures.entry_to_exit(rig, NAME, self._log("exit"))
        if row_id == "sched.switch":
            return figures.sched_switch(rig, TWO, self._log("turns"))
        if row_id == "sched.weights":
            return figures.sched_weights(rig, TWO[0], self._log("weights"))
        if row_id in rows.IPI:
            return figures.guest_row(row_id, rig, NAME, self._log("ipi"))
        if row_id == "sched.wake":
            return figures.sched_wake(rig, LAST, self._log("alarm"))
        if row_id == "sched.halted":
            wakes, _, ticks = test_halted.cost(self._log("halted"))
            return figures.sched_halted(rig, wakes, ticks)
        if row_id == "sched.equals":
            return figures.sched_equals(rig, *test_sched.jain(self._log("equals")))
        if row_id == "ram.corbel":
            return figures.ram_corbel(rig, FEW, LAST, self._log("few"))
        if row_id == "ram.files":
            return figures.ram_files(rig, LAST, self._log("few"))
        return figures.ram_per_vm(rig, FEW, MANY, LAST, self._log("few"), self._log("many"))

    def rows(self):
        """All wanted rows; what went wrong is the reason of a row without figures."""
        found, columns = self._measured(), {}
        if self._with_peers:
            columns, self.lacking = peers.columns(self._rig, [row.id for row in found])
        return [rows.compare(row, columns) for row in found]

    def _measured(self):
        found = []
        if any(map(self._wants, rows.EXIT_LIMITS)):
            try:
                found += filter(lambda row: self._wants(row.id), self._exits())
            except Failed as error:
                found += [rows.new(row_id, self._rig, limit=rows.exit_limit(row_id, self._rig), reason=str(error))
                          for row_id in filter(self._wants, rows.EXIT_LIMITS)]
        for row_id in filter(self._wants, (*rows.BOOT, *rows.LINUX, *rows.RAM, *rows.SCHED)):
            if row_id in rows.ONLY_BOCHS and not self._rig.startswith("bochs"):
                continue
            try:
                found.append(self._one(row_id))
            except (Failed, logs.Missing) as error:
                found.append(rows.new(row_id, self._rig, reason=str(error)))
        return found


def locked():
    """The functions of ring 0 with locked instructions that one core may run, as a list in words; or why that is not known."""
    try:
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", machine.BUILD / "kernel.elf"], check=True,
                              capture_output=True, text=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return locked_in(text)


def locked_in(disassembly):
    found, function = {}, "?"
    for line in disassembly.splitlines():
        head = FUNCTION.match(line)
        if head:
            function = head[1]
        elif LOCKED.search(line) and function not in SEVERAL_CORES + COUNTED:
            found[function] = True
    return ", ".join(found)


def _check():
    """tools/check, which knows what a line of code is."""
    tools = str(machine.TOP / "tools")
    path = f"{tools}/check"
    if tools not in sys.path:
        sys.path.append(tools)
    loader = importlib.machinery.SourceFileLoader("check", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
    loader.exec_module(module)
    return module


def size_rows():
    found = []
    for row_id, unit, limit in (("size.corbel_efi", "bytes", rows.EFI_MAX),
                                ("size.ring0_lines", "lines", rows.RING0_LINES_MAX)):
        row = rows.Row(row_id, rows.HOST, unit, limit=limit)
        try:
            if unit == "bytes":
                row.value = (machine.BUILD / "corbel.efi").stat().st_size
            else:
                check = _check()
                row.value = sum(check.code_lines(name) for name in check.ring0_files())
            row.count, row.min, row.max = 1, row.value, row.value
        except (OSError, subprocess.SubprocessError) as error:
            row.reason = str(error)
        found.append(row.judge())
    return found
