# SPDX-License-Identifier: BSD-2-Clause
"""The ways in which a kernel may start: PVH, Multiboot by address fields, initrd and modules with command lines."""

import machine
from machine import vm

INITRD = bytes(range(256)) * 33 + b"the end of the initrd"
FIRST = b"one byte more than a page" * 164
FILES = {"initrd": INITRD, "first": FIRST[:4097], "empty": b""}
# VM: how hello says that it was started.
HELLOS = {"start-pvh": "PVH", "start-kludge": "Multiboot"}
# VM: (kernel's name in build/guests, settings, its lines about what it was given; one module is (file, command line)).
GIVEN = {
    "start-modules": ("multiboot", {"initrd": "initrd", "modules": [{"file": "first", "cmdline": "first  a=\"b c\""},
                                                                   {"file": "empty", "cmdline": ""},
                                                                   {"file": "first"}]},
                      [("initrd", ""), ("first", "first  a=\"b c\""), ("empty", ""), ("first", "")], "kernel "),
    "start-initrd": ("multiboot.pvh", {"initrd": "initrd"}, [("initrd", "")], ""),
}
VMS = [vm("start-pvh", "hello.pvh"), vm("start-kludge", "hello.kludge")]
VMS += [vm(name, kernel, cmdline=f"modules={len(given)} last", **settings)
        for name, (kernel, settings, given, _) in GIVEN.items()]


def checksum(data):
    """As guests/tiny/multiboot.c reckons it."""
    value = 0
    for byte in data:
        value = (value * 31 + byte) & 0xFFFFFFFF
    return value


def judge(rig, log):
    results = []
    for name, way in HELLOS.items():
        results += machine.tap(rig, log, name)
        results.append((f"ok 1 - hello from 64-bit mode, started by {way}" in log.guests[name],
                        f"{rig}/{name}.hello is started by {way}", f"{log.guests[name]}; {log.tail()}"))
    for name, (_, _, given, first_word) in GIVEN.items():
        results += machine.tap(rig, log, name)
        want = [f'# module {i}: {len(FILES[file])} bytes, sum {checksum(FILES[file]):08x}, "{text}"'
                for i, (file, text) in enumerate(given)]
        got = [line for line in log.guests[name] if line.startswith("# module ")]
        results.append((got == want, f"{rig}/{name}.initrd and modules come whole, in order and with their command lines",
                        f"{got}, not {want}"))
        line = f'# command line "{first_word}modules={len(given)} last"'
        results.append((line in log.guests[name], f"{rig}/{name}.the command line comes as it was given", log.tail()))
    return results
