# SPDX-License-Identifier: BSD-2-Clause
"""Who gets how much of the cores, and how soon."""

import os
import re
import statistics

import machine
from machine import vm
from test_ops import PROMPT

EQUALS = 100
SECONDS = 4             # in which CPU time is counted
LATE_MAX = 10_000       # ticks from a real-time VM's deadline to its interrupt
URGENT = {"priority": 50, "budget_us": 2000, "period_us": 10000}


# What the operator asks for and does not get, not even in part; and why.
REFUSED = {
    "set first weight=900 cpus=9": "cpus: core 9 is not there",
    "set first weight=900 cap=5 realtime=9,100,1000": "realtime: beside a cap",
    "set first weight=900 weight=800": "weight: given twice",
    "set first weight=900 exclusive=on cpus=0": "exclusive: true with core 0",
    "set first weight=900 realtime=9,950,1000": "realtime: together they would take 95 %",
}


def _spin(name, **settings):
    return vm(name, "spin", cmdline="seconds=1000", **settings)


def _busy(log, name):
    """The VM's per cent of a core, as `top` told it second by second."""
    return [float(part) for part in re.findall(rf"^corbel: {name} +\w+ +(\d+\.\d) % of a core", log.text, re.M)][1:]


def _cpu_ms(log, name):
    """The CPU time that the VM had between the first and the last `vms`."""
    told = re.findall(rf"^corbel: {name} +\w+ .* (\d+)\.(\d\d\d) s of CPU", log.text, re.M)
    times = [int(whole) * 1000 + int(part) for whole, part in told]
    return times[-1] - times[0] if len(times) > 1 else 0


def _watch(rig, vms, *options, order=None, refused=()):
    """Lets them run for some seconds from when all do, with `vms` before and after and `top` in between."""
    ready = "".join(rf"(?=.*^{each['name']}\| spin start)" for each in vms if each["name"] not in refused)
    behind = r"(?s){}\r\n.*?" + PROMPT
    order = order or "help"
    steps = [(rf"(?s){ready}", b"\x1d"), (PROMPT, order.encode() + b"\r")]
    for before, line in ((order.split("\r")[-1], "vms"), ("vms", "top"), ("vms", "cores"), ("cores", "poweroff"), ("poweroff", "poweroff")):
        steps.append((behind.format(re.escape(before)), line.encode() + b"\r"))
        if line == "top":
            steps += [(rf"(?s)top\r\n(?:.*?VMs run; a key){{{SECONDS + 2}}}", b"q"), (PROMPT, b"vms\r")]
    return machine.boot(rig, vms, *options, steps=steps, timeout=400)


def weights(rig):
    """Two that compute on one core, 1 to 3; then a cap and a weight that the operator sets."""
    log = _watch(rig, [_spin("light"), _spin("heavy", weight=300)])
    light, heavy = _cpu_ms(log, "light"), _cpu_ms(log, "heavy")
    part = 100 * light / max(1, light + heavy)
    other = _watch(rig, [_spin("capped", cap=20), _spin("first"), _spin("second")],
                   order="\r".join([*REFUSED, "set second weight=200"]))
    first, second, capped = _cpu_ms(other, "first"), _cpu_ms(other, "second"), _busy(other, "capped")
    mean = sum(capped) / max(1, len(capped))
    off = 0.5 if rig.startswith("bochs") else 5  # QEMU may stand still for longer than a period, whose budget is gone then
    return [(24 < part < 26 and light + heavy > SECONDS * 900, f"{rig}/sched.weights of 1 and 3 get 25 and 75 % of a core",
             f"light {light} ms, heavy {heavy} ms; {log.tail()}"),
            (abs(mean - 20) <= off and len(capped) >= SECONDS, f"{rig}/sched.a cap of 20 % gives 20 %", f"{capped}; {other.tail()}"),
            (all(other.has(f"^vm first: {why}") for why in REFUSED.values()), f"{rig}/sched.contradictions at the prompt are refused",
             other.tail()),
            (first and 1.92 < second / first < 2.08, f"{rig}/sched.a weight that the operator sets counts at once, and none that was refused",
             f"first {first} ms, second {second} ms; {other.tail()}"),
            (log.end == other.end == "rig: powered-off", f"{rig}/sched.nothing breaks", f"{log.tail()}; {other.tail()}")]


def realtime(rig):
    """One with a priority beside three that spin: its timer is never late. On QEMU no ticks are counted."""
    vms = [vm("urgent", "alarm", realtime=URGENT), *(_spin(f"spin{i}", weight=10000) for i in range(3))]
    log = machine.boot(rig, vms, expect=r"^corbel: vm urgent: exits .* to_vmm=")
    found = re.search(r"alarm count=\d+ mean=(\d+) worst=(\d+)", "\n".join(log.guests["urgent"]))
    worst = int(found[2]) if found else None
    return machine.tap(rig, log, "urgent") + [
        (worst is not None and (rig == "qemu-svm" or worst <= LATE_MAX),
         f"{rig}/sched.a real-time VM beside three that spin is never late", f"{found and found[0]}; {log.tail()}")]


def destruction(rig):
    """The same while a VM of 1 GiB, all of it written, is destroyed, and another spins."""
    vms = [vm("urgent", "alarm", realtime=URGENT, cmdline="us=1000 count=5000"), _spin("spin", weight=10000),
           vm("big", "idle", memory="1024M", weight=10000, cmdline="touch end=1")]
    log = machine.boot(rig, vms, "--memory", "2048", expect=r"^corbel: vm urgent: exits .* to_vmm=")
    found = re.search(r"alarm count=\d+ mean=(\d+) worst=(\d+)", "\n".join(log.guests["urgent"]))
    worst = int(found[2]) if found else None
    ends = [re.search(rf"^corbel: vm {name}: ended", log.text, re.M) for name in ("big", "urgent")]
    return [(all(ends) and ends[0].start() < ends[1].start(), f"{rig}/sched.a VM of 1 GiB is destroyed meanwhile", log.tail()),
            (worst is not None and (rig == "qemu-svm" or worst <= LATE_MAX),
             f"{rig}/sched.a real-time VM is never late meanwhile", f"{found and found[0]}; {log.tail()}")]


def alone(rig):
    """A core that is one VM's alone, and what cannot be beside it."""
    vms = [_spin("alone", cpus=[1], exclusive=True), _spin("a"), _spin("b"),
           _spin("second", cpus=[1], exclusive=True), _spin("nowhere", cpus=[0, 7]), _spin("squeezed", cpus=[1])]
    log = _watch(rig, vms, "--cpus", "2", refused=("second", "nowhere", "squeezed"))
    busy = {name: _busy(log, name) for name in ("alone", "a", "b")}
    taken = ["cpus: all of them belong to other VMs alone; name others"]
    # One of QEMU's CPUs may stand still while what others did in a second is asked for: the middle of them, or the whole.
    middle = statistics.median(busy["alone"] or [0])
    first, second = _cpu_ms(log, "a"), _cpu_ms(log, "b")
    part = 100 * first / max(1, first + second)
    return [(middle > 97, f"{rig}/sched.a core that is one VM's alone is all its own", f"{busy}; {log.tail()}"),
            (40 < part < 60 and first + second > SECONDS * 900, f"{rig}/sched.the others share what is left",
             f"a {first} ms, b {second} ms, {busy}; {log.tail()}"),
            (log.has(r"^core +1 +APIC id +\d+ +\d+\.\d % busy +0 waiting +runs alone"), f"{rig}/sched.`cores` tells it", log.tail()),
            (log.refused("second") == taken and log.refused("squeezed") == taken,
             f"{rig}/sched.a VM that may run nowhere else is refused", f"{log.refused('second')} {log.refused('squeezed')}"),
            (log.refused("nowhere") == ["cpus: core 7 is not there; `cores` lists them"],
             f"{rig}/sched.a core that is not there is refused", f"{log.refused('nowhere')}")]


def boot_equals(rig, count):
    """VMs that compute on two cores, told of before and after some seconds; by Bochs' clock, as QEMU's CPUs stand still one
    by one whenever other programs run."""
    names = [f"equal-{i}" for i in range(count)]
    ready = "".join(rf"(?=.*^{name}\| spin start)" for name in names)
    steps = [(rf"(?s)\A{ready}", b"\x1d"), (PROMPT, b"vms\r"), (rf"(?s)vms\r\n.*?{PROMPT}", b"cores\r"),
             *[(rf"(?s)cores\r\n.*?{PROMPT}", b"cores\r")] * (SECONDS * 7), (rf"(?s)cores\r\n.*?{PROMPT}", b"vms\rhelp\r")]
    return machine.boot(rig, [_spin(name, memory="4M") for name in names], "--cpus", "2", "--memory", str(256 + 8 * count),
                        steps=steps, timeout=1800, expect=r"^corbel: reboot +stops")


def jain(log):
    """Jain's index of the VMs' CPU time, and what all had together, in ms."""
    times = [_cpu_ms(log, name) for name in log.guests]
    return sum(times) ** 2 / max(1, len(times) * sum(time * time for time in times)), sum(times)


def equal(rig):
    """Equals: 100 in `make test-long`, which have as long for themselves."""
    if not rig.startswith("bochs"):
        return []
    log = boot_equals(rig, EQUALS if os.environ.get("LONG") else 20)
    index, ms = jain(log)
    return [(index > 0.99 and ms > SECONDS * 1000, f"{rig}/equal.VMs on two cores get the same, by Jain's index above 0.99",
             f"{index:.4f}, {ms} ms; {log.tail()}")]


def sched(rig):
    return weights(rig) + realtime(rig) + destruction(rig) + alone(rig)
