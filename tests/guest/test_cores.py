# SPDX-License-Identifier: BSD-2-Clause
"""Machines with several cores: all are used, and one that does not start is left out."""

import json
import struct
import tempfile

import machine
import test_boot
from machine import vm

ABSENT = 9  # no machine of ours has so many
APART = machine.BUILD / "tests/guest/apart.efi"


def _entry(kind, form, *values):
    body = struct.pack(form, *values)
    return bytes([kind, 2 + len(body)]) + body


def madt(apic_ids):
    """ACPI 6.5, 5.2.12: cores, the IOAPIC of every PC, and its timer on pin 2."""
    body = struct.pack("<II", 0xFEE00000, 1)
    body += b"".join(_entry(0, "<BBI", number, apic_id, 1) for number, apic_id in enumerate(apic_ids))
    body += _entry(1, "<BBII", 0, 0, 0xFEC00000, 0) + _entry(2, "<BBIH", 0, 0, 2, 0)
    table = bytearray(struct.pack("<4sIBB6s8sI4sI", b"APIC", 36 + len(body), 3, 0, b"CORBEL", b"CORES   ", 1,
                                  b"TEST", 1) + body)
    table[9] = -sum(table) & 0xFF
    return bytes(table)


def _boot(rig, cpus, files):
    """Boots one VM with these files on the boot volume, too."""
    config = {"version": 1, "vms": [vm("hello", "hello.guest")]}
    files = {"corbel/corbel.json": json.dumps(config).encode(),
             "corbel/hello.guest": (machine.BUILD / "guests/hello").read_bytes(), **files}
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        test_boot.write_disk(disk.name, [test_boot.Volume(files)])
        return machine.run(rig, disk.name, ["hello"], "--cpus", str(cpus))


def absent(rig):
    """The table names a core that is not there. Only QEMU's firmware has a table that can be replaced."""
    if rig != "qemu-svm":
        return []
    log = _boot(rig, 2, {"EFI/BOOT/BOOTX64.EFI": (machine.BUILD / "corbel.efi").read_bytes(),
                         "corbel/acpi/madt.aml": madt([0, 1, ABSENT])})
    return [(log.has(rf"^core {ABSENT} left out: it does not answer$") and log.has(", 2 cores,"),
             f"{rig}/a core that does not start is left out", log.tail())] + machine.tap(rig, log, "hello")


def unlike(rig):
    """What apart.efi has done to two cores of four. QEMU keeps one TSC for all and knows no lock; Bochs' INIT takes SVM's back."""
    if not rig.startswith("bochs"):
        return []
    log = _boot(rig, 4, {"EFI/BOOT/BOOTX64.EFI": APART.read_bytes(),
                         "EFI/BOOT/CORBEL.EFI": (machine.BUILD / "corbel.efi").read_bytes()})
    faults = {1: "its TSC is not the boot core's"}
    if rig == "bochs-vmx":
        faults[2] = "its VT-x is locked off, or there is no memory for it"
    return [(all(log.has(rf"^core {core} left out: {why}$") for core, why in faults.items()) and log.has(f", {4 - len(faults)} cores,"),
             f"{rig}/cores unlike the boot core are left out", log.tail())] + machine.tap(rig, log, "hello")


def four(rig):
    """One VM a core, and one more; what they took comes back."""
    names = [f"vm-{i}" for i in range(5)]
    log = machine.boot(rig, [vm(name, "halt") for name in names], "--cpus", "4", timeout=240)
    results = [result for name in names for result in machine.tap(rig, log, name)]
    used = log.frames_used()
    return [(log.has(", 4 cores,"), f"{rig}/four cores are found", log.tail()),
            (len(used) > 1 and used[-1] <= used[0] + 16, f"{rig}/all frames come back", f"used {used}")] + results
