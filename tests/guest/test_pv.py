# SPDX-License-Identifier: BSD-2-Clause
"""What a guest does better for knowing that it is one: KVM's hypercalls among its CPUs, and steal time."""

import machine
from machine import vm


def _steal(rig):
    """Beside a VM that never sleeps."""
    log = machine.boot(rig, [vm("steal", "steal"), vm("beside", "spin", cmdline="seconds=3")])
    return machine.tap(rig, log, "steal")


def _calls(rig, cores):
    """Also while the VM is saved, thrown away and loaded."""
    vms = [vm("pv", "pv", vcpus=4), vm("pv-saved", "pv", vcpus=4, cmdline="test.reload_ms=15")]
    log = machine.boot(rig, vms, "--cpus", str(cores), timeout=600)
    results = [result for v in vms for result in machine.tap(rig, log, v["name"])]
    return [(good, name.replace(".", f".{cores} cores: ", 1), why) for good, name, why in results]


def pv(rig):
    return _steal(rig) + _calls(rig, 1) + _calls(rig, 2)
