# SPDX-License-Identifier: BSD-2-Clause
"""What `make bench` measures: each row's unit, its limit, and what KVM and the bare machine take in its place."""

import dataclasses
import typing

MIB = 1 << 20
OPS = ("vmread", "vmwrite", "wrmsr", "cr_write", "locked")

# Round trips seen from the guest, in ticks: the most that Corbel may take, by rig or for all.
EXIT_LIMITS = {
    "exit.cpuid": {"bochs-vmx": 250, "bochs-svm": 280, "qemu-svm": 350},
    "exit.hypercall": None,
    "exit.rdmsr": None,
    "exit.wrmsr_tsc_deadline": None,
    "exit.port": 1000,
    "exit.mmio": 1800,
    "exit.apic_mmio": None,
    "exit.doorbell": None,
    "exit.eoi": {"bochs-vmx": 310, "bochs-svm": 340, "qemu-svm": 410},
    "exit.self_ipi": {"bochs-vmx": 650, "bochs-svm": 710, "qemu-svm": 850},
}
OPS_LIMITS = {"exit.cpuid": {"vmread": 6, "vmwrite": 2, "wrmsr": 0, "cr_write": 0, "locked": 0}}

EXIT_TO_GUEST_MAX = 10_000_000
EXIT_TO_GUEST_256M_MAX = 999_999    # more than with 64 MiB
ENTRY_TO_EXIT_MAX = 60_000_000      # besides the firmware's reading of files
CORBEL_RAM_MAX = 10 * MIB
CORBEL_RAM_PER_FRAME = 16
VM_RAM_MAX = 512 << 10
CREATE_MAX = 1_000_000              # of a VM with 128 MiB
SAVE_LOAD_MAX = 15_000_000          # of a VM with 128 MiB of which 20 are touched, and once more behind it
OWN_PER_MILLE_MAX = 10              # of a Linux boot, zeroing and copying the guest's pages apart
BOOT_EXITS_MAX = 4_000              # besides two a guest's timer tick and one a copied page
SMALL_PER_MILLE_MAX = 10            # of the guest's RAM, but for the first 2 MiB and files: in 4 KiB leaves
COMPUTE_PER_BARE = {"bochs-vmx": 1.0025, "bochs-svm": 1.0025, "qemu-svm": 1.0005}
FAULTS_PER_BARE = 1.02
# How much ahead of KVM with mitigations=off each row must be: twice where Corbel's own code is what is measured.
AHEAD = {"exit": 2, "vm": 2, "ram": 2, "sched": 2, "boot": 1, "cpu": 1}
SWITCH_MAX = 900                    # from one guest's instruction to another's, FPU state included
WAKE_MAX = 10_000                   # from a real-time VM's deadline to its interrupt, beside three that spin
WEIGHTS_MAX = 100                   # of 10,000: how far from 25 % one of weights 1 and 3 is
HALTED_MAX = 3_500                  # a halted VM's timer, from its deadline until the core sleeps again, among 500 such
EQUALS_MAX = 100                    # of 10,000: how far from 1 Jain's index of 100 equal VMs on two cores is
EFI_MAX = 3 * MIB // 2
RING0_LINES_MAX = 8999

BOOT = ("boot.exit_to_guest", "boot.exit_to_guest_256m", "boot.entry_to_exit")
LINUX = ("boot.linux", "boot.linux_own", "boot.linux_exits", "cpu.compute", "cpu.page_faults",
         "vm.create_to_first_instruction", "vm.destroy", "vm.save_load", "ram.small_leaves")
RAM = ("ram.corbel", "ram.files", "ram.per_vm")
IPI = ("sched.ipi", "sched.ipi_halted_soon", "sched.ipi_halted")
SCHED = ("sched.switch", "sched.wake", "sched.weights", *IPI, "sched.halted", "sched.equals")
ONLY_BOCHS = (*IPI, "sched.equals")  # with several CPUs QEMU counts the host's time
SIZE = ("size.corbel_efi", "size.ring0_lines")
RIG_ROWS = (*EXIT_LIMITS, *BOOT, *LINUX, *RAM, *SCHED)
UNITS = {"exit": "ticks", "boot": "ticks", "cpu": "ticks", "vm": "ticks", "ram": "bytes",
         "sched": "ticks", "sched.weights": "1/10,000", "sched.equals": "1/10,000", "boot.linux_own": "per mille", "boot.linux_exits": "exits", "ram.small_leaves": "per mille"}
HOST = "host"  # the rig of rows that need no machine

# RIGS, "What KVM costs on these rigs": (default mitigations, mitigations=off). Shown where it was not measured.
KVM = {
    "exit.cpuid": {"bochs-vmx": (1083, 977), "bochs-svm": (1379, 1159), "qemu-svm": (3102, 2749)},
    "exit.hypercall": {"bochs-vmx": (1120, 1008), "bochs-svm": (1436, 1210), "qemu-svm": (3354, 2982)},
    "exit.rdmsr": {"bochs-vmx": (1198, 1088), "bochs-svm": (1451, 1224), "qemu-svm": (3168, 2818)},
    "exit.wrmsr_tsc_deadline": {"bochs-vmx": (726, 632), "bochs-svm": (1523, 1295), "qemu-svm": (3209, 2859)},
    "exit.port": {"bochs-vmx": (7465, 3151), "bochs-svm": (3568, 3090), "qemu-svm": (3539, 3063)},
    "exit.mmio": {"bochs-vmx": (10176, 5814), "bochs-svm": (6178, 5468), "qemu-svm": (6179, 5466)},
    "exit.apic_mmio": {"bochs-vmx": (15809, 7173), "bochs-svm": (4050, 3589), "qemu-svm": (4057, 3603)},
}


@dataclasses.dataclass
class Row:
    """One figure; value None = it could not be had, and `reason` says why."""
    id: str
    rig: str
    unit: str
    value: typing.Optional[int] = None
    limit: typing.Optional[int] = None
    count: typing.Optional[int] = None
    min: typing.Optional[int] = None
    max: typing.Optional[int] = None
    ops: typing.Optional[dict] = None
    kvm: typing.Optional[int] = None
    kvm_off: typing.Optional[int] = None
    bare: typing.Optional[int] = None
    reason: str = ""
    note: str = ""  # what the figure is made of, for people

    @property
    def ok(self):
        return not self.reason

    @property
    def command(self):
        return f"make bench ROW={self.id}" if self.rig == HOST else f"make bench RIG={self.rig} ROW={self.id}"

    @property
    def ahead(self):
        """How often the row goes into what KVM with mitigations=off takes; None = not measured."""
        return self.kvm_off / max(1, self.value) if self.kvm_off is not None and self.value is not None else None

    def judge(self):
        """Finds out whether the row keeps its limit and is ahead of KVM, if nothing worse is known of it."""
        if not self.reason and self.value is None:
            self.reason = "no figure"
        if not self.reason and self.limit is not None and self.value > self.limit:
            self.reason = f"{self.value - self.limit:,} {self.unit} above its limit"
        factor = AHEAD.get(self.id.split(".", maxsplit=1)[0])
        if not self.reason and factor and self.ahead is not None and self.ahead < factor:
            self.reason = f"KVM takes {self.ahead:.2f} times as much, and {factor} times are wanted"
        return self

    def as_json(self):
        """INTERFACE, "build/bench.json"."""
        return {"id": self.id, "rig": self.rig, "unit": self.unit, "corbel": self.value, "kvm": self.kvm,
                "kvm_mitigations_off": self.kvm_off, "bare": self.bare, "limit": self.limit, "count": self.count,
                "min": self.min, "max": self.max, "ops": self.ops, "ok": self.ok, "command": self.command}


def exit_limit(row_id, rig):
    limit = EXIT_LIMITS.get(row_id)
    return limit.get(rig) if isinstance(limit, dict) else limit


def new(row_id, rig, **figures):
    """A row of a rig, judged."""
    return Row(row_id, rig, UNITS.get(row_id) or UNITS[row_id.split(".")[0]], **figures).judge()


def single(row_id, rig, value, limit=None):
    """A row that was measured once."""
    return new(row_id, rig, value=value, limit=limit, count=1, min=value, max=value)


def compare(row, columns):
    """Gives the row what was measured beside it, {column: {row: ticks}}, and the limits that hang on it."""
    row.kvm, row.kvm_off, row.bare = (columns.get(name, {}).get(row.id)
                                      for name in ("kvm", "kvm_mitigations_off", "bare"))
    factor = {"cpu.compute": COMPUTE_PER_BARE.get(row.rig), "cpu.page_faults": FAULTS_PER_BARE}.get(row.id)
    if factor and row.bare:
        row.limit = int(row.bare * factor)
    return row.judge()
