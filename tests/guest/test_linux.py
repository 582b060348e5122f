# SPDX-License-Identifier: BSD-2-Clause
"""Debian's Linux in a VM: it boots to its shell, answers what is typed, and powers off."""

import machine

STEPS = ((r"^guest ready\r?$", b""),
         (r"^/root # ", b"echo $((6*7))-x\n"),
         (r"^42-x\r?$", b"poweroff -f\n"))
FRAMES = r"^frames: [0-9]+ usable, [0-9]+ free$"


def shell(rig, name, image):
    """One boot of a Linux image, and what somebody at the keyboard would see."""
    log = machine.run(rig, machine.BUILD / image, ["linux"], timeout=600, steps=STEPS)
    lines = log.guests["linux"]
    wanted = (
        ("guest ready" in lines, "boots to its shell"),
        ("42-x" in lines, "answers what is typed into its shell"),
        (log.ended("linux") == "poweroff", "ends as poweroff when it powers off"),
        (log.has("^all vms ended: poweroff$") and log.end == "rig: powered-off", "and the machine powers off"),
    )
    return [(is_good, f"{rig}/{name}.{sentence}", log.tail()) for is_good, sentence in wanted]


def cloud_12(rig):
    """The image that README shows."""
    return shell(rig, "linux", "linux.img")


def generic_12(rig):
    """The kernel that Debian 12 puts on a real machine."""
    return shell(rig, "linux-generic-12", "linux-generic-12.img")


def cloud_13(rig):
    """The next release's."""
    return shell(rig, "linux-cloud-13", "linux-cloud-13.img")
