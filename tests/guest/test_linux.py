# SPDX-License-Identifier: BSD-2-Clause
"""Debian's Linux in a VM: it boots to its shell, answers what is typed, and powers off."""

import re

import machine
from machine import vm

STEPS = ((r"^guest ready\r?$", b""),
         (r"^/root # ", b"echo faults $(dmesg | grep -c 'unchecked MSR\\|Firmware Bug')-x; echo $((6*7))-x\n"),
         (r"^42-x\r?$", b"poweroff -f\n"))
BUTTON = (*STEPS[:-1], (STEPS[-1][0], b"\x1dstop linux\r\r"))
FRAMES = r"^frames: [0-9]+ usable, [0-9]+ free$"


def shell(rig, name, image, steps=STEPS):
    """One boot of a Linux image, and what somebody at the keyboard would see."""
    log = machine.run(rig, machine.BUILD / image, ["linux"], timeout=600, steps=steps)
    lines = log.guests["linux"]
    wanted = (
        ("guest ready" in lines, "boots to its shell"),
        ("42-x" in lines, "answers what is typed into its shell"),
        ("faults 0-x" in lines, "finds no register missing, and no fault of the firmware"),
        (log.ended("linux") == "poweroff", "ends as poweroff when it powers off"),
        (log.has("^all vms ended: poweroff$") and log.end == "rig: powered-off", "and the machine powers off"),
    )
    return [(is_good, f"{rig}/{name}.{sentence}", log.tail()) for is_good, sentence in wanted]


def cloud_12(rig):
    """The image that README shows."""
    return shell(rig, "linux", "linux.img")


# The VMs of the group: words for Linux, and what each then says of both devices: the ring format, bit 34 of the features
# agreed on; how many have a level-triggered pin of the IOAPIC and not MSI-X; and the console's size, which Linux knows
# from an interrupt for configuration. It takes packed rings unless they are hidden from it, for which a test device is
# needed (services/vmm/vtest.h). With either it prints the same: `guest ready`, then its shell stands at /dev/hvc0.
VIRTIO = {"packed": ("", "bits 1 1 pins 0 size 25 80"),
          "split": ("test.rings=split pci=nomsi", "bits 0 0 pins 2 size 25 80")}
SAY = (b"echo bits $(cut -c35 /sys/bus/virtio/devices/*/features) pins $(grep -c fasteoi.*virtio /proc/interrupts) "
       b"size $(stty size); poweroff -f\n")


def virtio(rig):
    """Linux's own virtio drivers in two VMs: the console as hvc0, with what is typed into it, and random bytes."""
    # Who was attached to the console first has the keyboard; both are at their prompts before anything is typed.
    steps = [(r"(?s)(?=.*^split\| /root # ).*^packed\| /root # ", b"")]
    for name in VIRTIO:
        octets = rf"{name}\| ( [0-9a-f]{{2}}){{16}}\r?$"
        steps += [(r"", b"tty; echo $((6*7))-x\n"),
                  (rf"^{name}\| 42-x\r?$", b"for i in 1 2; do head -c 16 /dev/hwrng | od -An -t x1; done\n"),
                  (rf"^{octets}\n{octets}", SAY),
                  (rf"^corbel: vm {name}: ended: ", b"")]
    vms = [vm(name, "linux/cloud-12/vmlinuz", initrd="initrd", memory="128M",
              cmdline=f"console=ttyS0 console=hvc0 quiet {words}") for name, (words, _) in VIRTIO.items()]
    log = machine.boot(rig, vms, files={"initrd": machine.BUILD / "guests/linux/cloud-12/initrd"}, timeout=600,
                       steps=steps)
    results = []
    for name, (_, said) in VIRTIO.items():
        lines = log.guests[name]
        random = [line for line in lines if re.fullmatch(r"( [0-9a-f]{2}){16}", line)]
        wanted = (
            ("/dev/hvc0" in lines and "42-x" in lines, "the console answers as hvc0"),
            (len(set(random)) == 2, "/dev/hwrng gives other bytes each time"),
            (said in lines, f"it is true that {said}"),
            (log.ended(name) == "poweroff", "ends as poweroff when it powers off"),
        )
        results += [(is_good, f"{rig}/virtio.{name} rings, {sentence}", log.tail()) for is_good, sentence in wanted]
    return results


RELOAD_SAY = ("dmesg | grep 'Run /init'\n", "echo $(date +%s) $(cat /sys/class/rtc/rtc0/since_epoch)\n",
              "head -c 16 /dev/hwrng | od -An -t x1\n", "echo $((6*7))-x\n")


def typed(prefix, lines):
    """Steps that type lines in small pieces, each when the one before was echoed: COM1's FIFO holds 16 bytes."""
    wait = r""
    for line in lines:
        for at in range(0, len(line), 8):
            piece = line[at:at + 8]
            yield wait, piece.encode()
            wait = re.escape(piece.rstrip("\n"))
        wait = rf"\n{prefix}/root # "


# Where Linux boots faster, it is to be reloaded more often.
RELOAD_MS = {"bochs-vmx": 250, "bochs-svm": 250, "qemu-svm": 100, "kvm": 10}


def reload_linux(rig):
    """Both kinds of rings while each VM is saved, thrown away and loaded all the time, from its start on."""
    every_ms = RELOAD_MS[rig]
    steps = [(r"(?s)(?=.*^split\| /root # ).*^packed\| /root # ", b"")]
    for name in VIRTIO:
        steps += [*typed(rf"{name}\| ", RELOAD_SAY), (rf"^{name}\| 42-x\r?$", b"poweroff -f\n"), (rf"^corbel: vm {name}: ended: ", b"")]
    vms = [vm(name, "linux/cloud-12/vmlinuz", initrd="initrd", memory="128M",
              cmdline=f"console=ttyS0 console=hvc0 quiet test.reload_ms={every_ms} {words}")
           for name, (words, _) in VIRTIO.items()]
    log = machine.boot(rig, vms, files={"initrd": machine.BUILD / "guests/linux/cloud-12/initrd"}, timeout=900,
                       steps=steps)
    results = []
    for name in VIRTIO:
        text = "\n".join(log.guests[name])
        init = re.search(r"^\[ *(\d+)\.\d+\] Run /init", text, re.M)
        clocks = re.search(r"^(\d{9,}) (\d{9,})$", text, re.M)
        count = next((int(m[1]) for line in log.corbel if (m := re.match(rf"vm {name}: .* reloads=(\d+) ", line))), 0)
        wanted = (
            ("guest ready" in text and "42-x" in text, "Linux boots to its shell, which answers"),
            (init and int(init[1]) * 1000 >= 20 * every_ms and count >= 20, "20 times and more before its init runs"),
            (clocks and abs(int(clocks[1]) - int(clocks[2])) <= 1, "its clock agrees with the machine's"),
            (re.search(r"^( [0-9a-f]{2}){16}$", text, re.M), "/dev/hwrng answers"),
            (log.ended(name) == "poweroff", "ends as poweroff when it powers off"),
        )
        results += [(bool(good), f"{rig}/reload-linux.{name} rings, {sentence}", f"{count} times; {log.tail()}")
                    for good, sentence in wanted]
    return results + [result for cores in (1, 2) for result in reload_linux_smp(rig, cores)]


# Both CPUs count, and then wake each other through pipes.
BUSY = ("w() { n=0; while [ $n -lt $1 ]; do n=$((n+1)); done; echo done $n-x; }\n", "w 5000 & w 5001 & wait\n",
        "seq 5000 | cat | md5sum\n", "dmesg | grep -cE 'BUG|stall|warp|skew|lockup|Call Trace'\n", "echo cpus $(nproc) $((6*7))-x\n")


def reload_linux_smp(rig, cores):
    """Two CPUs at work while the VM is saved, thrown away and loaded all the time."""
    every_ms = RELOAD_MS[rig]
    steps = [(r"^/root # ", b""), *typed("", BUSY), (r"^cpus \d+ 42-x\r?$", b"poweroff -f\n")]
    log = machine.boot(rig, [vm("linux", "linux/cloud-12/vmlinuz", initrd="initrd", memory="128M", vcpus=2,
                                cmdline=f"console=ttyS0 quiet test.reload_ms={every_ms}")], "--cpus", str(cores),
                       files={"initrd": machine.BUILD / "guests/linux/cloud-12/initrd"}, timeout=900, steps=steps)
    text = "\n".join(log.guests["linux"])
    count = next((int(m[1]) for line in log.corbel if (m := re.match(r"vm linux: .* reloads=(\d+) ", line))), 0)
    wanted = (
        (count >= 20, "it is saved and loaded 20 times and more"),
        (all(f"done {n}-x" in text for n in (5000, 5001)), "both CPUs count to their end"),
        ("a5a208cd26b07cadade3450fe14d1d93" in text, "what goes through pipes between them is whole"),
        (re.search(r"^0$", text, re.M), "Linux has nothing to complain of"),
        (re.search(r"^cpus 2 42-x$", text, re.M) and log.ended("linux") == "poweroff", "both are online at the end"),
    )
    return [(bool(good), f"{rig}/reload-linux.2 CPUs on {cores} cores, {sentence}", f"{count} times; {log.tail()}")
            for good, sentence in wanted]


def generic_12(rig):
    """The kernel that Debian 12 puts on a real machine; the operator presses its power button."""
    return shell(rig, "linux-generic-12", "linux-generic-12.img", BUTTON)


def cloud_13(rig):
    """The next release's; the same."""
    return shell(rig, "linux-cloud-13", "linux-cloud-13.img", BUTTON)
