# SPDX-License-Identifier: BSD-2-Clause
"""Debian's Linux in a VM: it boots to its shell, answers what is typed, and powers off."""

import re

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


def virtio(rig):
    """Linux's own virtio drivers: the console as hvc0, with what is typed into it, and random bytes."""
    steps = ((r"^guest ready\r?$", b""),
             (r"^/root # ", b"tty; echo $((6*7))-x\n"),
             (r"^42-x\r?$", b"head -c 16 /dev/hwrng | od -An -t x1; head -c 16 /dev/hwrng | od -An -t x1\n"),
             (r"^( [0-9a-f]{2}){16}\r?\n( [0-9a-f]{2}){16}\r?$", b"grep -c virtio /proc/interrupts; poweroff -f\n"))
    log = machine.boot(rig, [{"name": "virtio", "kernel": "linux/cloud-12/vmlinuz", "initrd": "initrd",
                              "cmdline": "console=ttyS0 console=hvc0 quiet", "memory": "128M"}],
                       files={"initrd": machine.BUILD / "guests/linux/cloud-12/initrd"}, timeout=600, steps=steps)
    lines = log.guests["virtio"]
    random = [line for line in lines if re.fullmatch(r"( [0-9a-f]{2}){16}", line)]
    wanted = (
        ("/dev/hvc0" in lines and "42-x" in lines, "the console answers as hvc0"),
        (len(set(random)) == 2, "/dev/hwrng gives other bytes each time"),
        (log.ended("virtio") == "poweroff", "ends as poweroff when it powers off"),
    )
    return [(is_good, f"{rig}/virtio.{sentence}", log.tail()) for is_good, sentence in wanted]


def generic_12(rig):
    """The kernel that Debian 12 puts on a real machine."""
    return shell(rig, "linux-generic-12", "linux-generic-12.img")


def cloud_13(rig):
    """The next release's."""
    return shell(rig, "linux-cloud-13", "linux-cloud-13.img")
