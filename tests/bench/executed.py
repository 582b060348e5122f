# SPDX-License-Identifier: BSD-2-Clause
"""Whose the executed instructions are: what QEMU's plugin count.c wrote, told apart by Corbel's own programs."""

import bisect
import collections
import mmap
import re
import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
CC = ["gcc", "-std=c11", "-O2", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
RECORD = struct.Struct("<QQB47s")  # struct record of count.c
PT_LOAD = 1
LONG = 24  # bytes of code that are hardly anybody else's
OTHERS = "the guest and the firmware"


def plugin(folder):
    """Builds count.c; returns QEMU's options for it and the file that it writes."""
    subprocess.run([*CC, "-o", f"{folder}/count.so", HERE / "count.c"], check=True)
    return ["-plugin", f"file={folder}/count.so,out={folder}/executed"], Path(folder) / "executed"


class Program:
    """One ELF file of Corbel's: its code and its functions."""

    def __init__(self, path):
        self.name = path.stem
        self._base = 0  # where it lies, if not where it was linked
        data = path.read_bytes()
        offset, = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        heads = [struct.unpack_from("<IIQQQQ", data, offset + i * size) for i in range(count)]
        self._parts = [(head[3], data[head[2]:head[2] + head[5]]) for head in heads if head[0] == PT_LOAD]
        text = subprocess.run(["nm", "-n", path], check=True, capture_output=True, text=True).stdout
        found = [line.split() for line in text.splitlines() if re.search(r" [tTwW] ", line)]
        self._addresses = [int(words[0], 16) for words in found]
        self._names = [words[2] for words in found]

    def locate(self, records):
        """Finds out where firmware put it: most of its longer pieces of code agree."""
        votes = collections.Counter(
            address - start - part.index(code) for address, code, _ in records if len(code) >= LONG
            for start, part in self._parts if part.count(code) == 1)
        self._base = votes.most_common(1)[0][0] if votes else 0

    def holds(self, address, code):
        """Whether these bytes lie at this address of the program."""
        return any(0 <= address - self._base - start < len(part) and part.startswith(code, address - self._base - start)
                   for start, part in self._parts)

    def function(self, address):
        return self._names[max(0, bisect.bisect_right(self._addresses, address - self._base) - 1)]


def programs(build, records):
    """All of Corbel's; the loader, which is position-independent, where these records show it."""
    loader = Program(build / "corbel.so")
    loader.name = "loader"
    loader.locate([record for record in records if record[0] < 1 << 32])
    return [Program(build / "kernel.elf"), *map(Program, sorted((build / "services").glob("*.elf"))), loader]


def snapshot(path):
    """[(address, code, instructions executed)] up to now."""
    found = []
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for address, executed, size, code in RECORD.iter_unpack(data):
            if not size:
                break
            found.append((address, code[:size], executed))
    return found


def by_function(known, before, after):
    """Counter of (program, function) between two snapshots; what is not Corbel's is (OTHERS, "")."""
    counts, owners = collections.Counter(), {}
    for i, (address, code, executed) in enumerate(after):
        more = executed - (before[i][2] if i < len(before) else 0)
        if not more:
            continue
        if (address, code) not in owners:
            owner = next((program for program in known if program.holds(address, code)), None)
            owners[address, code] = (owner.name, owner.function(address)) if owner else (OTHERS, "")
        counts[owners[address, code]] += more
    return counts
