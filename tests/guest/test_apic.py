# SPDX-License-Identifier: BSD-2-Clause
"""The guest's local APIC, played by the CPU where it can and by ring 0: what it does, and what exits it takes."""

import re

import machine
from machine import vm

COUNT = 200
BY_CPU = ["bochs-vmx"]  # rigs whose CPU can


def _wrmsr_exits(log, name):
    lines = [re.search(r"WRMSR=(\d+)", line) for line in log.corbel if line.startswith(f"vm {name}: exits")]
    return int(lines[0][1]) if lines and lines[0] else -1


def apic(rig):
    vms = [vm(f"{row}-{apicv}".lower(), "exitcost", memory="64M", cmdline=f"row=exit.{row} count={COUNT}",
              apicv=apicv) for row in ("eoi", "self_ipi") for apicv in (True, False)]
    vms = [{**one, "name": one["name"].replace("_", "-"), "test_device": True} for one in vms]
    log = machine.boot(rig, vms)
    results = []
    for one in vms:
        exits = _wrmsr_exits(log, one["name"])
        is_good = 0 <= exits < COUNT // 2 if rig in BY_CPU and one["apicv"] else exits >= COUNT
        results.append((is_good, f"{rig}/apic.{one['name']} exits as often as it must", f"{exits} exits for WRMSR"))
    for name in ("lapic", "pveoi"):
        word = {"cmdline": "virtual"} if rig in BY_CPU else {}
        played = machine.boot(rig, [vm(name, name, apicv=True, **word)])
        results += [(good, test.replace(f"/{name}.", f"/apic.{name} with APICv, "), why)
                    for good, test, why in machine.tap(rig, played, name)]
    return results + machine.tap(rig, machine.boot(rig, [vm("pveoi", "pveoi", apicv=False)]), "pveoi")
