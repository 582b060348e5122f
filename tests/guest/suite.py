# SPDX-License-Identifier: BSD-2-Clause
"""The tests that run on a machine: which guests, which configurations, what must come of them."""

import tempfile

import machine
from machine import vm

# Guests whose TAP lines are the test; one boot runs them all.
TINY = ["hello", "cpuid", "uart", "msr", "exceptions", "debug", "shadow", "lapic", "pic", "ioapic", "rtc",
        "pci", "fwcfg", "acpi", "multiboot", "mmio", "fpu", "modes", "ram", "halt", "smc"]

# Guests that compare clocks read one after the other: alone, since a turn of others would lie between.
CLOCKS = ["pit", "pmtimer", "kvmclock"]

# How the guest `reset` ends its VM, and what Corbel must say of it.
ENDS = {"i8042": "reboot", "cf9": "reboot", "port92": "reboot", "triple": "triple-fault", "acpi-reset": "reboot",
        "poweroff": "poweroff"}


def tiny(rig):
    vms = [vm(name, name) for name in TINY]
    log = machine.boot(rig, vms)
    return [result for name in TINY for result in machine.tap(rig, log, name)]


def clocks(rig):
    return [result for name in CLOCKS for result in machine.tap(rig, machine.boot(rig, [vm(name, name)]), name)]


def ends(rig):
    vms = [vm(f"end-{how}", "reset", cmdline=f"how={how}") for how in ENDS]
    log = machine.boot(rig, vms)
    return [(log.ended(f"end-{how}") == said, f"{rig}/reset.{how} ends the VM as {said}",
             f"ended {log.ended(f'end-{how}')}; {log.tail()}") for how, said in ENDS.items()]


def linux(rig):
    log = machine.run(rig, machine.BUILD / "linux.img", ["linux"], expect="guest ready", timeout=600)
    return [(log.end == "rig: matched", f"{rig}/linux.boots to its shell", log.tail())]


def ring3(rig):
    """A program in init's place that attacks ring 0 and its neighbours."""
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        machine.image(disk.name, [vm("none", "hello")], {"hello": machine.BUILD / "guests/hello"},
                      efi=machine.BUILD / "tests/ring3.efi")
        return machine.tap(rig, machine.run(rig, disk.name, ["ring3"]), "ring3")


GROUPS = [tiny, clocks, ends, linux, ring3]


def jobs(only_rig, wants):
    """(function, rig) of every group that may hold a wanted test; the slow ones first."""
    del wants
    return [(group, rig) for group in reversed(GROUPS) for rig in machine.rigs(only_rig)]
