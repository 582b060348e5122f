# SPDX-License-Identifier: BSD-2-Clause
"""The command line: what can be asked for, and what each rig lacks."""

import argparse
import dataclasses
import re
import typing

RIGS = ("bochs-vmx", "bochs-svm", "qemu-svm", "kvm")
BUSES = ("ata", "ahci", "nvme", "virtio")
NICS = ("e1000", "e1000e", "virtio")

# What Bochs has places for: two ATA channels that do bus-master DMA, less the boot disk; four
# e1000 cards; five forwarded ports (MAX_HOSTFWD). QEMU's q35: six AHCI ports, less the boot disk.
BOCHS_DISKS, BOCHS_NICS, BOCHS_FORWARDS, QEMU_AHCI_DISKS = 3, 4, 5, 5


class UsageError(Exception):
    """What is wrong with the command line, in words."""


@dataclasses.dataclass
class Disk:
    """A disk beside the boot disk, written in place."""
    path: str
    bus: str
    readonly: bool


@dataclasses.dataclass
class Nic:
    """A network card on a user network of its own."""
    model: str
    mac: str
    pcap: typing.Optional[str]


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(message)


def _number(least, most):
    def parse(text):
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)
    return parse


def _seconds(text):
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or float(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return float(text)


def _pattern(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}")


def _word(text):
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is not a CPU model")
    return text


def _forward(text):
    match = re.fullmatch(r"([0-9]{1,5}):([0-9]{1,5})", text)
    ports = [int(port) for port in match.groups()] if match else [0]
    if not all(0 < port < 65536 for port in ports):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOSTPORT:PORT")
    return tuple(ports)


def _settings(what, text, keys):
    """Splits "VALUE[,key=value][,flag]..."; VALUE may hold commas that no key follows."""
    found = {}
    while True:
        head, comma, last = text.rpartition(",")
        key, equals, value = last.partition("=")
        if not comma or key not in keys or bool(equals) != keys[key]:
            break
        if key in found:
            raise UsageError(f"{what}: {key} is given twice")
        text, found[key] = head, value if equals else True
    return text, found


def _disk(text, bochs):
    path, found = _settings("--disk", text, {"bus": True, "readonly": False})
    disk = Disk(path, found.get("bus", "ata" if bochs else "virtio"), "readonly" in found)
    if not path:
        raise UsageError("--disk: no file is named")
    if disk.bus not in BUSES:
        raise UsageError(f"--disk: there is no bus {disk.bus!r}; there are {', '.join(BUSES)}")
    if (disk.bus == "ata") != bochs:
        raise UsageError(f"--disk: this rig lacks the bus {disk.bus}")
    if disk.readonly and disk.bus not in ("virtio", "nvme"):
        raise UsageError("--disk: readonly is for virtio and nvme only")
    return disk


def _nic(text, index, bochs):
    model, found = _settings("--nic", text, {"mac": True, "pcap": True})
    mac = found.get("mac", f"52:54:00:12:34:{0x56 + index:02x}")
    if model not in NICS:
        raise UsageError(f"--nic: there is no model {model!r}; there are {', '.join(NICS)}")
    if bochs and model != "e1000":
        raise UsageError(f"--nic: this rig lacks the model {model}")
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", mac) or int(mac[:2], 16) & 1:
        raise UsageError(f"--nic: {mac!r} is not the MAC address of one card")
    if found.get("pcap") == "":
        raise UsageError("--nic: pcap names no file")
    return Nic(model, mac, found.get("pcap"))


def _parser():
    parser = _Parser(prog="tests/rig/run", allow_abbrev=False, description=__doc__)
    add = parser.add_argument
    add("--rig", required=True, choices=RIGS)
    add("--cpus", metavar="N", type=_number(1, 254), default=1)
    add("--memory", metavar="MIB", type=_number(64, 1 << 20), default=1024)
    add("--cpu", metavar="MODEL", type=_word, help="the emulator's own model string")
    add("--disk", metavar="FILE[,bus=BUS][,readonly]", action="append", default=[])
    add("--nic", metavar="MODEL[,mac=MAC][,pcap=FILE]", action="append", default=[])
    add("--forward", metavar="HOSTPORT:PORT", type=_forward, action="append", default=[])
    add("--iommu", action="store_true")
    add("--keep", action="store_true", help="write to IMAGE itself")
    add("--resets", metavar="N", type=_number(0, 1 << 20), default=0)
    add("--icount", action="store_true", help="one TSC tick is one instruction")
    add("--timeout", metavar="S", type=_seconds, default=300.0)
    add("--expect", metavar="REGEX", type=_pattern)
    add("image", metavar="IMAGE")
    return parser


def parse(arguments):
    """The options as one object; raises UsageError for what is wrong or what the rig lacks."""
    opts = _parser().parse_args(arguments)
    bochs = opts.rig.startswith("bochs")
    opts.disks = [_disk(text, bochs) for text in opts.disk]
    if opts.forward and not opts.nic:
        opts.nic = ["e1000"]
    opts.nics = [_nic(text, index, bochs) for index, text in enumerate(opts.nic)]
    if len({host for host, _ in opts.forward}) != len(opts.forward):
        raise UsageError("--forward: a host port is given twice")
    if opts.icount and opts.rig != "qemu-svm":
        raise UsageError("--icount: this rig lacks it")
    if opts.icount and opts.cpus > 1:
        raise UsageError("--icount: it counts for one CPU only")
    if bochs and opts.iommu:
        raise UsageError("--iommu: this rig lacks it")
    for what, count, most in (
            ("--disk", len(opts.disks), BOCHS_DISKS if bochs else 64),
            ("--disk", sum(disk.bus == "ahci" for disk in opts.disks), QEMU_AHCI_DISKS),
            ("--nic", len(opts.nics), BOCHS_NICS if bochs else 16),
            ("--forward", len(opts.forward), BOCHS_FORWARDS if bochs else 64)):
        if count > most:
            raise UsageError(f"{what}: this rig has {most} places")
    return opts
