# SPDX-License-Identifier: BSD-2-Clause
"""The guest's local APIC, played by the CPU where it can and by ring 0: what it does, and what exits it takes."""

import re

import machine
from machine import vm

COUNT = 200
BY_CPU = ["bochs-vmx"]  # rigs whose CPU can


def _exits(log, name, kind="WRMSR"):
    lines = [re.search(rf" {kind}=(\d+)", line) for line in log.corbel if line.startswith(f"vm {name}: exits")]
    return int(lines[0][1]) if lines and lines[0] else -1


def _level(rig):
    """Level-triggered interrupts: the CPU must leave the guest at the end of each, and of no other."""
    log = machine.boot(rig, [vm(f"level-{apicv}".lower(), "ioapic", cmdline="mode=x2apic", apicv=apicv)
                             for apicv in (True, False)])
    results = [(good, name.replace(f"/{level}.", f"/apic.{level}, "), why)
               for level in ("level-true", "level-false") for good, name, why in machine.tap(rig, log, level)]
    saved = _exits(log, "level-false") - _exits(log, "level-true")
    ends = [_exits(log, name, "EOI") for name in ("level-true", "level-false")]
    results.append((saved >= 6 if rig in BY_CPU else saved == 0, f"{rig}/apic.no EOI is an exit for WRMSR with APICv",
                    f"{saved} exits less"))
    results.append((ends == [4, 4], f"{rig}/apic.each end of a level-triggered interrupt reaches the IOAPIC",
                    f"{ends} ends, not 4"))
    return results


def apic(rig):
    vms = [vm(f"{row}-{apicv}".lower(), "exitcost", memory="64M", cmdline=f"row=exit.{row} count={COUNT}",
              apicv=apicv) for row in ("eoi", "self_ipi") for apicv in (True, False)]
    vms = [{**one, "name": one["name"].replace("_", "-"), "test_device": True} for one in vms]
    log = machine.boot(rig, vms)
    results = []
    for one in vms:
        exits = _exits(log, one["name"])
        is_good = 0 <= exits < COUNT // 2 if rig in BY_CPU and one["apicv"] else exits >= COUNT
        results.append((is_good, f"{rig}/apic.{one['name']} exits as often as it must", f"{exits} exits for WRMSR"))
    saved = machine.boot(rig, [vm("reload", "reload", memory="128M", apicv=True)])
    results += [(good, test.replace("/reload.", "/apic.reload with APICv, "), why)
                for good, test, why in machine.tap(rig, saved, "reload")]
    for name in ("lapic", "pveoi"):
        word = {"cmdline": "virtual"} if rig in BY_CPU else {}
        played = machine.boot(rig, [vm(name, name, apicv=True, **word)])
        results += [(good, test.replace(f"/{name}.", f"/apic.{name} with APICv, "), why)
                    for good, test, why in machine.tap(rig, played, name)]
    return results + _level(rig) + machine.tap(rig, machine.boot(rig, [vm("pveoi", "pveoi", apicv=False)]), "pveoi")
