# SPDX-License-Identifier: BSD-2-Clause
"""The tests that run on a machine: which guests, which configurations, what must come of them."""

import os
import re

import machine
import test_console
import test_cores
import test_hostile
import test_start
from machine import vm
from test_apic import apic
from test_bad import bad_input, unusable
from test_boot import boot
from test_console import console, paste
from test_halted import halted
from test_hostile import share, share_smp
from test_linux import cloud_12, cloud_13, generic_12, reload_linux, virtio
from test_many import many
from test_ops import flood, operator, orders, restart, rounds, save, trace
from test_pv import pv
from test_sched import equal, sched
from test_smp import smp

# Guests whose TAP lines are the test; two boots run them all.
TINY = ["hello", "cpuid", "uart", "msr", "exceptions", "shadow", "pic", "ioapic", "rtc",
        "pci", "fwcfg", "acpi", "multiboot", "mmio", "fpu", "modes", "ram", "halt", "waiting", "smc", "dirty", "vdriver",
        "destination", "features"]

# Alone: they compare clocks read one after the other, and a turn of other guests would lie between.
CLOCKS = ["pit", "pmtimer", "kvmclock", "lapic", "extremes"]

# And those that are saved and loaded every few milliseconds: sleeping, counting, in each mode, on each kind of interrupt.
RELOADED = ["halt", "fpu", "exceptions", "modes", "ioapic", "pic", "mmio", "waiting"]

# How what was saved is spoilt before it is loaded, and what the VM then ends with.
SPOILT = {"cut": "error the state is cut off, or longer than it says",
          "flip": "error the state is damaged: its checksum does not fit",
          "version": "error the state is of another version; this one reads version 1",
          "value": "error its CPU's registers are in a state that no CPU can have",
          "refused": "error ring 0 refused the state of its CPU",
          "twice": "error its CPUs are not there once each, in their order",
          "fewer": "error it is that of a VM with another number of CPUs"}

# With how many CPUs each: those that count and send each other messages meanwhile.
RELOADED_SMP = [2, 4]

# How the guest `reset` ends its VM, and what Corbel must say of it.
ENDS = {"i8042": "reboot", "cf9": "reboot", "port92": "reboot", "triple": "triple-fault", "acpi-reset": "reboot",
        "poweroff": "poweroff"}


def tiny(rig, *options):
    """All of them in two boots; with the first what starts in other ways, with the second one that forges lines."""
    names = TINY[::2], [*TINY[1::2], "forge"]
    logs = [machine.boot(rig, [vm(name, name) for name in names[0]] + test_start.VMS, *options,
                         files=test_start.FILES),
            machine.boot(rig, [vm(name, name) for name in names[1]], *options)]
    results = [result for i in (0, 1) for name in names[i] for result in machine.tap(rig, logs[i], name)]
    return results + test_start.judge(rig, logs[0]) + test_console.beside(rig, logs[1], names[1])


def clocks(rig):
    return [result for name in CLOCKS for result in machine.tap(rig, machine.boot(rig, [vm(name, name)]), name)]


def breakpoints(rig):
    """One VM's breakpoints beside another with the same code at the same addresses."""
    log = machine.boot(rig, [vm("debug", "debug"), vm("neighbour", "debug", cmdline="role=neighbour")])
    return [result for name in ("debug", "neighbour") for result in machine.tap(rig, log, name)]


def reload(rig):
    """VMs that are saved, thrown away and loaded: when the guest asks for it, alone as it compares clocks; others at any
    time; and beside them some whose state is spoilt."""
    vms = [vm(f"reload-{name}", name, cmdline="test.reload_ms=7") for name in RELOADED]
    spoilt = [vm(f"spoilt-{how}", "reload", vcpus=2, cmdline=f"test.spoil={how}") for how in SPOILT]
    alone = machine.boot(rig, [vm("reload", "reload", memory="128M")])
    log = machine.boot(rig, vms + spoilt)
    refused = [(log.ended(f"spoilt-{how}") == said, f"{rig}/reload.a saved VM spoilt by {how} is refused",
                f"ended {log.ended(f'spoilt-{how}')}; {log.tail()}") for how, said in SPOILT.items()]
    return (refused + machine.tap(rig, alone, "reload") + [result for cores in (1, 2) for result in reload_smp(rig, cores)] +
            [result for v in vms for result in machine.tap(rig, log, v["name"])])


def reload_smp(rig, cores):
    """The same with several CPUs."""
    vms = [vm(f"reload-smp-{count}", "smp-reload", vcpus=count, cmdline="test.reload_ms=15") for count in RELOADED_SMP]
    log = machine.boot(rig, vms, "--cpus", str(cores), timeout=600)
    results = []
    for v in vms:
        times = max([int(m[1]) for line in log.corbel if (m := re.match(rf"vm {v['name']}: .* reloads=(\d+) ", line))], default=0)
        results += machine.tap(rig, log, v["name"])
        results.append((times >= 30, f"{rig}/{v['name']}.it is saved and loaded 30 times and more", f"{times} times; {log.tail()}"))
    return [(good, name.replace(".", f".{cores} cores: ", 1), why) for good, name, why in results]


def ends(rig):
    vms = [vm(f"end-{how}", "reset", cmdline=f"how={how}") for how in ENDS]
    log = machine.boot(rig, vms)
    return [(log.ended(f"end-{how}") == said, f"{rig}/reset.{how} ends the VM as {said}",
             f"ended {log.ended(f'end-{how}')}; {log.tail()}") for how, said in ENDS.items()]


def runner(rig):
    """The tests of tests/rig/run itself."""
    return machine.host_program([str(machine.TOP / "tests/rig/test_rig.py"), "build/tests/rig/hello.efi"], rig)


def ring3(rig, *options):
    """A program in init's place that attacks ring 0 and its neighbours."""
    log = machine.boot(rig, [vm("ring3", "hello")], *options, efi=machine.BUILD / "tests/ring3.efi")
    return machine.tap(rig, log, "ring3")


def cores(rig):
    """The same on two cores, and what only several can show."""
    two = "--cpus", "2", "--timeout", "900"
    idle_frames = machine.boot(rig, [vm("hello", "hello")], *two).frames_used()[-1]
    results = test_cores.absent(rig) + test_cores.unlike(rig) + test_cores.four(rig) + ring3(rig, *two) + tiny(rig, *two)
    results += test_hostile.hostile(rig, idle_frames, *two)
    return [(good, name.replace(f"{rig}/", f"{rig}/cores.", 1), why) for good, name, why in results]


def hostile(rig):
    """Hostile guests in one boot; what a machine without VMs has in use, their frames are measured by."""
    results, idle_frames = unusable(rig)
    return results + test_hostile.hostile(rig, idle_frames)


# Each with how the names of its tests begin; the slow ones last.
GROUPS = {
    ends: ["reset."],
    console: ["console.", "forge."],
    paste: ["paste."],
    clocks: [f"{name}." for name in CLOCKS],
    breakpoints: ["debug.", "neighbour."],
    reload: ["reload.", "reload-smp", *(f"reload-{name}." for name in RELOADED)],
    apic: ["apic."],
    ring3: ["ring3."],
    cores: ["cores."],
    sched: ["sched.", "urgent."],
    equal: ["equal."],
    halted: ["halted."],
    smp: ["smp", "hostile-smp."],
    pv: ["pv", "steal."],
    runner: ["rig."],
    restart: ["restart."],
    operator: ["operator."],
    flood: ["flood."],
    trace: ["trace."],
    orders: ["orders."],
    rounds: ["rounds."],
    save: ["save."],
    bad_input: ["config.", "bad-kernel."],
    share: ["share.", "share-"],
    share_smp: ["share-smp."],
    hostile: ["config.", "hostile", "victim.", "vmm-"],
    cloud_12: ["linux."],
    cloud_13: ["linux-cloud-13."],
    generic_12: ["linux-generic-12."],
    many: ["many."],
    virtio: ["virtio."],
    reload_linux: ["reload-linux."],
    boot: ["boot."],
    tiny: [*(f"{name}." for name in TINY), "console.", "forge.", "start-"],
}

LONGER = (many, rounds, equal, halted)  # of which LONG=1 in the environment makes more


def may_match(glob, name):
    """Whether a test whose name begins so may match: up to its first wildcard the glob must agree."""
    head = re.match(r"[^*?[]*", glob)[0]
    return head.startswith(name) or name.startswith(head)


def jobs(only_rig, glob):
    """(function, rig) of every group that may hold a wanted test; the slow ones first."""
    groups = [group for group in reversed(GROUPS) if group in LONGER or not os.environ.get("LONG")]
    return [(group, rig) for group in groups for rig in machine.rigs(only_rig)
            if any(may_match(glob, name) or may_match(glob, f"{rig}/{name}") for name in GROUPS[group])]
