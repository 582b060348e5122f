# SPDX-License-Identifier: BSD-2-Clause
"""VMs with several CPUs: tiny guests that send each other messages, and Debian's Linux."""

import re

import machine
from machine import vm
from test_ops import PROMPT

# How the guest `hostile-smp` ends its VM while its other CPUs are at work, and what Corbel must say of it.
ENDS = {"reset": "reboot", "poweroff": "poweroff", "triple": "triple-fault", "init": "reboot"}

HANDOVER_MAX = 100_000  # ticks there and back, where a slice has 500,000

NPROC = (r"^/root # ", b"echo online $(nproc)-x; grep -c ^processor /proc/cpuinfo; echo $((6*7))-x\n")


def tiny(rig, cores):
    log = machine.boot(rig, [vm("smp", "smp", vcpus=4)], "--cpus", str(cores), timeout=600)
    return machine.tap(rig, log, "smp")


def hostile(rig, cores):
    """Storms, the ends of such a VM, one whose CPUs all stand still until it is killed, and one that is saved in its storms."""
    vms = [vm("hostile-smp", "hostile-smp", vcpus=4),
           *(vm(f"smp-{how}", "hostile-smp", vcpus=4, cmdline=f"how={how}") for how in ENDS),
           vm("smp-parked", "hostile-smp", vcpus=4, cmdline="how=parked"),
           vm("smp-saved", "hostile-smp", vcpus=2, cmdline="test.reload_ms=15")]
    steps = [(r"^smp-parked\| all parked", b""), (r"^corbel: vm hostile-smp: ended", b"\x1dkill smp-parked\r\r")]
    log = machine.boot(rig, vms, "--cpus", str(cores), timeout=600, steps=steps)
    used = log.frames_used()
    said = {**{f"smp-{how}": end for how, end in ENDS.items()}, "smp-parked": "killed"}
    return machine.tap(rig, log, "hostile-smp") + machine.tap(rig, log, "smp-saved") + [
        (log.ended(name) == end, f"{rig}/{name}.ends as {end}", f"ended {log.ended(name)}; {log.tail()}")
        for name, end in said.items()] + [
        (len(used) > 1 and used[-1] <= used[0] + 16, f"{rig}/hostile-smp.all frames come back", f"used {used}")]


def linux(rig, vcpus, cores):
    """Debian's kernel brings all its CPUs online."""
    log = machine.boot(rig, [vm("linux", "linux/cloud-12/vmlinuz", initrd="initrd", memory="128M", vcpus=vcpus,
                                cmdline="console=ttyS0 quiet")], "--cpus", str(cores), timeout=900,
                       files={"initrd": machine.BUILD / "guests/linux/cloud-12/initrd"},
                       steps=((r"^guest ready\r?$", b""), NPROC, (r"^42-x\r?$", b"poweroff -f\n")))
    text = "\n".join(log.guests["linux"])
    good = re.search(rf"^online {vcpus}-x\n{vcpus}\n42-x$", text, re.M) and log.ended("linux") == "poweroff"
    return [(bool(good), f"{rig}/smp-linux.{vcpus} CPUs are online on {cores} cores", log.tail())]


def handover(rig, cores):
    """A CPU that spins for another of its VM gives it its turn, where the machine can tell that it spins."""
    vms = [vm("handover", "handover", vcpus=2), *(vm(f"beside-{i}", "spin", cmdline="seconds=1000") for i in range(cores))]
    steps = [(r"^handover\| handover ticks=", b"\x1d"), (PROMPT, b"poweroff\r"), (rf"(?s)poweroff.*{PROMPT}", b"poweroff\r")]
    log = machine.boot(rig, vms, "--cpus", str(cores), timeout=600, steps=steps)
    ticks = re.search(r"^handover\| handover ticks=(\d+)", log.text, re.M)
    good = ticks and int(ticks[1]) < HANDOVER_MAX
    return [(bool(good), f"{rig}/handover.on {cores} cores it takes few turns of others", f"{ticks and ticks[0]}; {log.tail()}")]


def smp(rig):
    results = []
    for cores, vcpus in ((1, 2), (2, 4)):
        results += [(good, name.replace(".", f".{cores} cores: ", 1), why)
                    for good, name, why in tiny(rig, cores) + hostile(rig, cores)]
        results += linux(rig, vcpus, cores)
        if rig.startswith("bochs"):  # QEMU's PAUSE exits at each time or never
            results += handover(rig, cores)
    return results
