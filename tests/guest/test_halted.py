# SPDX-License-Identifier: BSD-2-Clause
"""VMs that do nothing cost nothing: what wakes the core while they halt, and what a wake-up takes. By the prompt's trace."""

import os
import re
import statistics

import machine
from machine import vm
from test_ops import PROMPT

MANY = 500           # in `make test-long` and `make bench`
COUNT = MANY if os.environ.get("LONG") else 20
MEMORY_MIB = 256, 8  # of the machine, and for each VM of 4 MiB
QUIET_S = 3          # for so long the machine is left alone
SPAN_S = 1           # and of that time so much, at least, by its own clock
WAKE_MAX = 3500      # ticks from a timer's deadline until the core sleeps again
EXIT_MAX = 350       # what an exit takes at most until it is in the trace: `make bench`, exit.cpuid, there and back
WAKES_MIN = 8
SETTLE_US = 100000   # for each VM: until all have started, and nobody is late for others that compute
WAKE = re.compile(r"wake (timer-\d+) 0;switch \1;run 0;(?:inject \d+;)?(?:exit (?:WRMSR|INTERRUPT);)*exit HLT;idle")
ALARM = re.compile(r"alarm count=\d+ mean=(\d+) worst=\d+ own=(\d+)")


def events(log):
    """(TSC, what) of the first core's trace, and how many ticks a second has."""
    text = log.text.replace("\r", "")
    khz = re.search(r"^corbel: trace begins: \d+ cores, TSC at (\d+) kHz$", text, re.M)
    found = re.findall(r"^corbel: trace 0 (\d+) (.*)$", text, re.M)
    return [(int(tsc), what) for tsc, what in found], int(khz[1]) * 1000 if khz else 1


def _boot(rig, vms, ready, *options):
    """Its trace, some seconds after what is to be waited for."""
    return machine.boot(rig, vms, "--memory", str(MEMORY_MIB[0] + MEMORY_MIB[1] * len(vms)), *options, timeout=1800,
                        expect=r"^corbel: trace ends", steps=[(ready, b"\x1d"), (PROMPT, b"trace\r", QUIET_S)])


def quiet(rig):
    """Without timers: between two events of the trace, of which each wake-up leaves some, nothing happens at all."""
    names = [f"quiet-{i}" for i in range(COUNT)]
    ready = "".join(rf"(?=.*^{name}\| up)" for name in names)
    log = _boot(rig, [vm(name, "idle", memory="4M") for name in names], rf"(?s)\A{ready}")
    trace, second = events(log)
    gaps = [(after[0] - before[0]) / second for before, after in zip(trace, trace[1:]) if before[1] == "idle"]
    return [(max(gaps, default=0) >= SPAN_S, f"{rig}/halted.VMs that halt without timers let the core sleep",
             f"for {max(gaps, default=0):.3f} s at most; {log.tail()}")]


def boot_ticking(rig, count=COUNT):
    """VMs with a timer of a second each; the one that starts last has short ones and tells how late it was then: where the
    host's timer does not count in TSC ticks it comes the later the longer it was, and the core sleeps as long."""
    vms = [*(vm(f"timer-{i}", "alarm", memory="4M", cmdline="us=1000000 count=1000000") for i in range(count - 1)),
           vm("last", "alarm", memory="4M", cmdline=f"us=300 count=100 first={SETTLE_US * count}")]
    return _boot(rig, vms, r"^last\| alarm count=", *(["--icount"] if rig == "qemu-svm" else []))


def cost(log):
    """(wake-ups in the trace, those of them for nothing, ticks that one takes at most) with a timer each."""
    trace, _ = events(log)
    told = ALARM.search("\n".join(log.guests["last"]))
    whole = WAKE.findall(";".join(what for _, what in trace))
    ends = [after[0] - before[0] for before, after in zip(trace, trace[1:]) if (before[1], after[1]) == ("exit HLT", "idle")]
    idle = sum((before[1], after[1]) == ("idle", "idle") for before, after in zip(trace, trace[1:]))
    ticks = int(told[1]) + int(told[2]) + EXIT_MAX + int(statistics.median(ends)) if told and ends else 0
    return len(whole), idle, ticks


def ticking(rig):
    """With a timer each: deadline to handler, handler to HLT, as the guest tells; HLT to sleep, as the trace does."""
    log = boot_ticking(rig)
    wakes, idle, ticks = cost(log)
    return [(wakes >= WAKES_MIN and 0 < ticks <= WAKE_MAX, f"{rig}/halted.a VM's timer wakes it and lets it sleep again in {WAKE_MAX} ticks",
             f"{ticks}, {wakes} wake-ups; {log.tail()}"),
            (idle <= wakes // 8, f"{rig}/halted.and the core wakes for nothing else", f"{idle} times beside {wakes}; {log.tail()}")]


def halted(rig):
    return quiet(rig) + ticking(rig)
