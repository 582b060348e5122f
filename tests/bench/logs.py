# SPDX-License-Identifier: BSD-2-Clause
"""Takes the figures out of what a run printed: lines of the guest exitcost, and lines of Corbel about a VM."""

import re

COST = re.compile(r"^bench ([a-z]+\.\w+) mean=(\d+) min=(\d+) max=(\d+) count=(\d+)(?: variant=\S+)?$")
LINUX_OPS = re.compile(r"^ops boot\.linux((?: \d+)+)$")
INTERRUPTS = re.compile(r"^# interrupts LOC=(\d+)$")
COUNTS = re.compile(r"^ops (exit\.\w+)((?: \w+=[\d.]+)+) variant=\S+$")
TURNS = re.compile(r"^turns own=(\d+) away=(\d+) count=(\d+)$")
ALARM = re.compile(r"^alarm count=(\d+) mean=(\d+) worst=(\d+)(?: own=\d+)?$")
SKIPPED = re.compile(r"^ok \d+ - (exit\.\w+) # SKIP (.*)$")


class Missing(Exception):
    """What a log should have said and does not, in one line."""


def costs(log, name):
    """{id: (mean, min, max, count)} of the guest's rows."""
    matches = filter(None, (COST.match(line.strip()) for line in log.guests[name]))
    return {match[1]: tuple(int(match[i]) for i in range(2, 6)) for match in matches}


def _line(log, name, form):
    """The numbers of the guest's one line of this form."""
    for line in log.guests[name]:
        match = form.match(line.strip())
        if match:
            return tuple(map(int, match.groups()))
    raise Missing(f"{name} told nothing; it ended {log.ended(name)}; {log.tail()}")


def turns(log, name):
    """(ticks of its own, ticks of others, turns): means of the guest turns."""
    return _line(log, name, TURNS)


def alarm(log, name):
    """(halts, mean, worst): how late the guest alarm woke."""
    return _line(log, name, ALARM)


def ops(log, name):
    """{id: {counter: instructions an operation}}; the whole ones as integers."""
    found = {}
    for line in log.guests[name]:
        match = COUNTS.match(line.strip())
        if match:
            pairs = (word.split("=") for word in match[2].split())
            found[match[1]] = {key: float(value) if "." in value else int(value) for key, value in pairs}
    return found


def skipped(log, name):
    """{id: why} of the rows that this machine lacks."""
    matches = filter(None, (SKIPPED.match(line.strip()) for line in log.guests[name]))
    return {match[1]: match[2] for match in matches}


def _numbers(log, name, what, wanted):
    """The KEY=N words of "vm NAME: WHAT KEY=N ..."; all the wanted ones are there."""
    head = f"vm {name}: {what} "
    for line in log.corbel:
        if line.startswith(head):
            found = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)\b", line)}
            lacking = [key for key in wanted if key not in found]
            if lacking:
                raise Missing(f"the line \"corbel: {head}...\" lacks {', '.join(lacking)}")
            return found
    raise Missing(f"no line \"corbel: {head}...\"; {name} ended {log.ended(name)}; {log.tail()}")


def exits(log, name):
    return _numbers(log, name, "exits", ("PORT", "MMIO", "to_vmm"))


def all_exits(log, name):
    return _numbers(log, name, "exits", ("PORT", "STAGE2", "to_vmm"))


def linux_ops(log, name):
    """Corbel's counters when Linux had booted, its clock behind them; of the counting build."""
    found = next(filter(None, (LINUX_OPS.match(line.strip()) for line in log.guests[name])), None)
    if not found:
        raise Missing(f"Linux told no counters; {log.tail()}")
    return [int(word) for word in found[1].split()]


def ticks(log, name):
    """How often the guest's timer had come when Linux had booted."""
    found = next(filter(None, (INTERRUPTS.match(line.strip()) for line in log.guests[name])), None)
    if not found:
        raise Missing(f"Linux told no timer interrupts; {log.tail()}")
    return int(found[1])


def machine(log, name):
    return _numbers(log, name, "machine", ("entry", "files", "exit", "first_guest", "usable", "file_bytes", "stage2",
                                           "free", "ram", "vm_stage2", "start", "ended", "gone"))
