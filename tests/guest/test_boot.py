#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The loader on a machine: what it hands over, and the sentence for all that can go wrong before.

usage: test_boot.py [--rig RIG]...
Needs build/tests/boot_probe.efi (the loader around a kernel that checks boot_info) and lockoff.efi.
"""

import argparse
import io
import re
import struct
import sys
import tempfile
import uuid

sys.dont_write_bytecode = True

import machine  # noqa: E402

sys.path.insert(0, str(machine.TOP / "tools"))

from corbel_image import fat, gpt  # noqa: E402

PROBE = machine.BUILD / "tests/boot_probe.efi"
LOCKOFF = machine.BUILD / "tests/guest/lockoff.efi"
MIB = 1024 * 1024
SLACK = MIB
MEMORY = 256  # MiB, of the machine

# Rig: (--cpu, the sentence, what the test shows)
NO_VIRTUALIZATION = "this CPU has neither VT-x nor SVM, or the firmware has switched it off"
NO_NX = "this CPU lacks NX (no-execute pages), or the firmware has switched it off"
CPUS = {
    "bochs-vmx": [
        ("p4_prescott_celeron_336", NO_VIRTUALIZATION, "no VT-x"),
        ("core2_penryn_t9600", "this CPU's VT-x lacks EPT (extended page tables)", "no EPT"),
        ("corei5_lynnfield_750", "this CPU's VT-x lacks unrestricted guest", "no unrestricted guest"),
    ],
    "bochs-svm": [
        ("athlon64_venice", NO_VIRTUALIZATION, "no SVM"),
        ("turion64_tyler", "this CPU's SVM lacks NPT (nested paging)", "no NPT"),
    ],
    "qemu-svm": [
        ("EPYC-Milan,-svm", NO_VIRTUALIZATION, "no SVM"),
        ("EPYC-Milan,+svm,-npt", "this CPU's SVM lacks NPT (nested paging)", "no NPT"),
        ("EPYC-Milan,+svm,+npt,-nx", NO_NX, "no NX"),
        ("EPYC-Milan,+svm,+npt,-xsave", "this CPU lacks XSAVE", "no XSAVE"),
    ],
    "kvm": [],
}
LOCKED_OFF = {
    "bochs-vmx": "VT-x is locked off by the firmware; switch it on in the firmware's setup",
    "bochs-svm": "SVM is locked off by the firmware; switch it on in the firmware's setup",
}
# The firmware keeps what it learned of a volume: some pages, more of them for many files or folders.
PAGES_KEPT = {"too many files": 1024, "folders that are nested too deep": 160}


class Volume:
    """A FAT volume: files by path, and what is broken in it once it is written."""

    def __init__(self, files, spoil=None):
        self.root = fat.Folder()
        self.nodes = {}
        for path, data in files.items():
            self.nodes[path] = fat.File(len(data), lambda data=data: io.BytesIO(data))
            self.root.add(path, self.nodes[path])
        self.spoil = spoil
        self.start = 0
        self.layout = fat.Layout(self.root, SLACK, gpt.ALIGNMENT)

    def write(self, image, start):
        self.start = start
        fat.Writer(image, start, self.layout, b"TEST       ").write()
        if self.spoil:
            self.spoil(self, image)

    def link(self, image, path, index, value):
        """Writes an entry of the FAT: where the file's chain goes after its cluster number index."""
        image.seek(self.start + fat.RESERVED_SECTORS * 512 + 4 * (self.nodes[path].cluster + index))
        image.write(struct.pack("<I", value))

    def resize(self, image, path, size):
        """Says another size in the file's folder entry."""
        image.seek(self.start + self.layout.data_start)
        data = image.read(self.layout.used_clusters * self.layout.cluster_size)
        cluster = self.nodes[path].cluster
        for at in range(0, len(data), 32):
            high, low, old = struct.unpack_from("<20xH4xHI", data, at)
            if high << 16 | low == cluster and data[at + 11] == fat.ATTRIBUTE_FILE and old == self.nodes[path].size:
                image.seek(self.start + self.layout.data_start + at + 28)
                image.write(struct.pack("<I", size))
                return
        raise AssertionError(f"no entry for {path}")


def write_disk(path, volumes):
    """A GPT disk with these volumes."""
    guid = uuid.UUID(int=1)
    entries, at = b"", gpt.ALIGNMENT
    with open(path, "w+b") as image:
        for number, volume in enumerate(volumes):
            volume.write(image, at)
            first, at = at // 512, at + volume.layout.size
            entries += struct.pack("<16s16sQQQ72x", gpt.ESP_TYPE.bytes_le, uuid.UUID(int=2 + number).bytes_le,
                                   first, at // 512 - 1, 0)
        entries = entries.ljust(gpt.ENTRY_COUNT * gpt.ENTRY_SIZE, b"\0")
        image.truncate(at + gpt.ALIGNMENT)
        last = (at + gpt.ALIGNMENT) // 512 - 1
        for here, other, table in ((1, last, 2), (last, 1, last - gpt.TABLE_SECTORS)):
            image.seek(here * 512)
            image.write(gpt.header(here, other, table, last + 1, guid, entries))
            image.seek(table * 512)
            image.write(entries)
        image.seek(0)
        image.write(gpt.protective_mbr(last + 1))


def pattern(size, seed):
    return bytes((i * 31 + i // 256 + seed) & 0xFF for i in range(size))


def aml(signature, table_id, size):
    """An ACPI table whose body is nothing but zeros."""
    table = bytearray(struct.pack("<4sIBB6s8sI4sI", signature, size, 2, 0, b"CORBEL", table_id.ljust(8), 1, b"TEST", 1))
    table += bytes(size - len(table))
    table[9] = -sum(table) & 0xFF
    return bytes(table)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return value


# What boots -----------------------------------------------------------------------------------------

GOOD_FILES = {
    "corbel/corbel.json": b"{}",
    "corbel/empty": b"",
    "corbel/one-page.bin": pattern(4096, 1),
    "corbel/one-page-and-one-byte.bin": pattern(4097, 2),
    "corbel/web/initrd.img": pattern(200001, 3),
    "corbel/web/deep/SHORT.BIN": pattern(777, 4),
    "corbel/web/deep/with some blanks and (signs) in it": pattern(511, 5),
    "corbel/acpi/notes.txt": b"not a table",
    "corbel/acpi/sub/far.aml": b"not a table either",
    "corbel/acpi/added.aml": aml(b"SSDT", b"ADDED", 99),
}
# QEMU's OVMF has tables that can be replaced.
REPLACED = {
    "corbel/acpi/HPET.AML": aml(b"HPET", b"REPLACED", 56),
    "corbel/acpi/d.aml": aml(b"DSDT", b"NEWDSDT", 64),
}


def good(rig):
    files = {"EFI/BOOT/BOOTX64.EFI": PROBE.read_bytes(), **GOOD_FILES}
    if not rig.startswith("bochs"):
        files.update(REPLACED)
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        write_disk(disk.name, [Volume(files)])
        log = machine.run(rig, disk.name, ["probe"], "--memory", str(MEMORY), timeout=120)
    lines = log.guests["probe"]
    results = []
    for line in lines:
        match = machine.RESULT.match(line)
        if match:
            results.append((match[1] == "ok", match[3], line))
    results.append((len(results) == 23 and "probe: end" in lines, "the kernel gets to its end", log.tail()))
    want = {f"file {path[7:]} {len(data):016x} {fnv(data):016x}" for path, data in files.items()
            if path.startswith("corbel/") and not re.fullmatch(r"corbel/acpi/[^/]*\.aml", path, re.I)}
    got = {line for line in lines if line.startswith("file ")}
    results.append((want == got, "files arrive whole", f"missing {sorted(want - got)}, too many {sorted(got - want)}"))
    results.append((any(line.startswith("service two ") for line in lines), "services arrive", log.tail()))
    results.append(("table SSDT ADDED    0000000000000063" in lines, "an ACPI table is added", log.tail()))
    if not rig.startswith("bochs"):
        is_there = "table HPET REPLACED 0000000000000038" in lines and \
            "FACP's table DSDT NEWDSDT  0000000000000040" in lines
        results.append((is_there, "ACPI tables are replaced, the DSDT too", log.tail()))
    return results


def empty(rig):
    """A volume with nothing but corbel.efi. The bochs rigs add a folder \\corbel of their own."""
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        write_disk(disk.name, [Volume({"EFI/BOOT/BOOTX64.EFI": PROBE.read_bytes()})])
        log = machine.run(rig, disk.name, ["probe"], "--memory", str(MEMORY), timeout=120)
    bare = rig.startswith("bochs") or log.has("^boot: no folder .corbel on the boot volume$")
    return [(bare and "modules 0000000000000001" in log.guests["probe"] and "probe: end" in log.guests["probe"],
             "it boots without files", log.tail())]


# What does not ----------------------------------------------------------------------------------------

def bad_volumes():
    """(the sentence, the status, the volume, what the test shows)"""
    memory, corrupted, unsupported, load = 9, 10, 3, 1
    big = {"corbel/a": b"a", "corbel/big.bin": pattern(5000, 1)}
    yield (r"cannot read corbel/web/x\.bin: the file system is damaged", corrupted,
           Volume({"corbel/web/x.bin": pattern(9000, 1)}, lambda v, i: v.link(i, "corbel/web/x.bin", 3, 0x0FFFFF00)),
           "an unreadable file")
    yield (r"cannot read corbel/x\.bin: the file system is damaged", corrupted,
           Volume({"corbel/x.bin": pattern(9000, 1)}, lambda v, i: v.link(i, "corbel/x.bin", 3, 0x0FFFFFFF)),
           "a file that is shorter than it says")
    yield (r"not enough memory for corbel/big\.bin: it needs 4194304 KiB, [0-9]{6} KiB are free", memory,
           Volume(big, lambda v, i: v.resize(i, "corbel/big.bin", 0xFFFFFFFF)), "a file that is too large")
    yield (rf"not enough memory for corbel/big\.bin: it needs {MEMORY * 1024} KiB, [0-9]{{6}} KiB are free", memory,
           Volume(big, lambda v, i: v.resize(i, "corbel/big.bin", MEMORY * MIB)), "too little memory")
    yield (r"too many files below .corbel.: f409[0-9] is one more than the 4096 that fit", memory,
           Volume({f"corbel/f{n}": b"" for n in range(4100)}), "too many files")
    yield (r"a file name in corbel/web is not plain ASCII \(\? for what is not\): gr\?n", unsupported,
           Volume({"corbel/web/gr\u00fcn": b""}), "a name that is not ASCII")
    yield (r"a path below .corbel. is longer than 255 characters: it ends with b{63}", unsupported,
           Volume({f"corbel/{'a' * 128}/{'b' * 128}": b""}), "a path that is too long")
    yield (r"corbel/(?:a/){16}a is nested too deep; 16 folders are the limit", unsupported,
           Volume({"corbel/" + "a/" * 17 + "f": b""}), "folders that are nested too deep")
    yield (r".corbel on the boot volume is not a folder", unsupported,
           Volume({"corbel": b"\x60" + bytes(200)}), "a file in the folder's place")
    yield (r"corbel/acpi/x\.aml: its ACPI checksum is wrong", load,
           Volume({"corbel/acpi/x.aml": aml(b"SSDT", b"X", 40)[:-1] + b"\1"}), "a broken ACPI table")


def bad(rig):
    """All that can be tried without a new CPU, in one boot: each volume's corbel.efi is started in turn."""
    cases = list(bad_volumes())
    for _, _, volume, _ in cases:
        data = PROBE.read_bytes()
        volume.root.add("EFI/BOOT/CORBEL.EFI", fat.File(len(data), lambda data=data: io.BytesIO(data)))
        volume.layout = fat.Layout(volume.root, SLACK, gpt.ALIGNMENT)
    own = {"EFI/BOOT/BOOTX64.EFI": LOCKOFF.read_bytes()}
    if rig in LOCKED_OFF:
        own["EFI/BOOT/CORBEL.EFI"] = PROBE.read_bytes()
        cases.append((re.escape(LOCKED_OFF[rig]), 3, Volume(own), "VT-x or SVM locked off by the firmware"))
        volumes = [cases[-1][2], *(case[2] for case in cases[:-1])]
    else:
        volumes = [Volume(own), *(case[2] for case in cases)]
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        write_disk(disk.name, volumes)
        log = machine.run(rig, disk.name, ["own"], "--memory", str(MEMORY), expect="failed to start Boot", timeout=200)
    text = log.text.replace("\r", "")
    results = []
    for sentence, status, _, name in cases:
        match = re.search(rf"^corbel: boot stopped: {sentence}\n+lockoff: corbel.efi came back with "
                          r"([0-9a-f]{16}), pages not given back: ([0-9a-f]{16})$", text, re.M)
        results.append((match is not None and int(match[1], 16) == 1 << 63 | status
                        and int(match[2], 16) <= PAGES_KEPT.get(name, 32),
                        f"{name} stops the boot", match[0] if match else log.tail()))
    count = text.count("corbel: boot stopped: ")
    results.append((count == len(cases) and "lockoff: end" in text and log.end.endswith("matched"),
                    "each stop is one sentence, and then the firmware goes on", f"{count} sentences; {log.tail()}"))
    return results


def cpus(rig):
    results = []
    for model, sentence, name in CPUS[rig]:
        with tempfile.NamedTemporaryFile(suffix=".img") as disk:
            write_disk(disk.name, [Volume({"EFI/BOOT/BOOTX64.EFI": PROBE.read_bytes()})])
            log = machine.run(rig, disk.name, ["own"], "--memory", str(MEMORY), "--cpu", model,
                              expect="failed to start Boot", timeout=120)
        stops = [line for line in log.corbel if line.startswith("boot stopped: ")]
        results.append((stops == [f"boot stopped: {sentence}"] and log.end.endswith("matched"),
                        f"{name} stops the boot", f"{stops}; {log.tail()}"))
    return results


def boot(rig):
    """The results of all of it: (good, name, reason)."""
    return [(is_good, f"{rig}/boot.{name}", reason)
            for part in (good, empty, bad, cpus) for is_good, name, reason in part(rig)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rig", action="append", choices=("bochs-vmx", "bochs-svm", "qemu-svm", "kvm"))
    failed = 0
    for rig in parser.parse_args().rig or machine.rigs():
        for is_good, name, reason in boot(rig):
            print(f"ok {name}" if is_good else f"not ok {name}: {reason}", flush=True)
            failed += not is_good
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
