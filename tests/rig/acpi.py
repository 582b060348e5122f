# SPDX-License-Identifier: BSD-2-Clause
"""The ACPI tables of the bochs rigs, where OVMF has none: compiled for the number of CPUs."""

import os

import machine

_SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "acpi")
_LOCAL_APIC = """
Subtable Type : 00
Length : 08
Processor ID : {0:02X}
Local Apic ID : {0:02X}
Flags (decoded below) : 00000001
Processor Enabled : 1
Runtime Online Capable : 0
"""


def compile_tables(folder, cpus):
    """Compiles them all into `folder` and returns the paths of the .aml files."""
    tables = []
    for name in sorted(os.listdir(_SOURCES)):
        if not name.endswith(".asl"):
            continue
        with open(os.path.join(_SOURCES, name), encoding="ascii") as file:
            text = file.read()
        if name == "apic.asl":
            text += "".join(_LOCAL_APIC.format(cpu) for cpu in range(cpus))
        source = os.path.join(folder, name)
        with open(source, "w", encoding="ascii") as file:
            file.write(text)
        # The prefix keeps them apart from tables that the image's own author put there.
        table = os.path.join(folder, f"rig-{name[:-4]}.aml")
        done = machine.tool("iasl", "-p", table, source)
        if done.returncode != 0:
            raise machine.Unavailable(f"iasl cannot compile {name}: {done.stdout[-300:].strip()}")
        tables.append(table)
    return tables
