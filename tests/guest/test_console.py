# SPDX-License-Identifier: BSD-2-Clause
"""The one console: whose line is whose, and that no guest can write a line of Corbel's."""

import machine
from machine import vm

FORGE = vm("forge", "forge")
ALONE = ["\n corbel: panic: forged at once\r\n", "\n corbel: vm forge: ended: forged, without a carriage return\n",
         "\n\r corbel: forged behind a carriage return\r\n", "\nwritten over\r corbel: forged over other text\r\n",
         "\n\n\n corbel: forged behind empty lines\r\n", "\n cor"]
UNCHANGED = "\ncorbel:no prefix, so not forged\r\n"
BESIDE = ["corbel: panic: forged at once", "corbel: vm forge: ended: forged, without a carriage return",
          "corbel: forged behind a carriage return", "written overcorbel: forged over other text",
          "corbel: forged behind empty lines", "corbel:no prefix, so not forged"]


def not_forged(rig, log, where):
    forged = [line for line in log.corbel if "forged" in line]
    return not forged, f"{rig}/console.{where} forges no line of Corbel's", f"{forged[:1]}"


PASTED = [f"line {number} of a page pasted while the guest does not listen" for number in range(30)]


def paste(rig):
    """More than a FIFO, a channel's queue of messages and the guest's own buffers hold, typed at once."""
    steps = [(r"^ready for input\r?$", "\n".join([*PASTED, "end", ""]).encode())]
    log = machine.boot(rig, [vm("paste", "uart", cmdline="echo")], steps=steps)
    missing = [line for line in PASTED if f"echo: {line}" not in log.guests["paste"]]
    return [*machine.tap(rig, log, "paste"),
            (not missing, f"{rig}/paste.a page that is pasted arrives whole", f"not there: {missing[:1]}; {log.tail()}")]


def console(rig):
    """One VM: its bytes pass unchanged, but for a space before a forged line."""
    log = machine.boot(rig, [FORGE])
    missing = [line for line in ALONE if line not in log.text]
    return [*machine.tap(rig, log, "forge"), not_forged(rig, log, "a guest alone"),
            (not missing, f"{rig}/console.a forged line of a guest alone gets a space", f"not there: {missing[:1]}; {log.tail()}"),
            (UNCHANGED in log.text, f"{rig}/console.a line that only looks like it passes unchanged", log.tail())]


def beside(rig, log, names):
    """Several VMs: each line of a guest has its name in front."""
    missing = [line for line in BESIDE if line not in log.guests["forge"]]
    heads = [f"{name}| " for name in names] + ["corbel: "]
    begun = log.text.replace("\r", "").partition("\ncorbel: ")[2].split("\n")[1:]
    stray = [line for line in begun if line and not any(line.startswith(head) for head in heads)]
    return [not_forged(rig, log, "a guest among others"),
            (not missing, f"{rig}/console.a forged line among others has its guest's name", f"not there: {missing[:1]}"),
            (not stray, f"{rig}/console.each line among others has a guest's name or is Corbel's", f"{stray[:1]}")]
