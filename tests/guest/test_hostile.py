# SPDX-License-Identifier: BSD-2-Clause
"""Hostile guests beside a victim: what becomes of them, and that the victim loses neither data nor time."""

import re

import machine
from machine import vm
from test_ops import PROMPT

PASSED = "test-device 1"
NO_CODE = "error the guest runs code at an address without RAM"
NO_TABLES = "error its page tables lie outside its memory"
NO_STACK = "error an event's delivery touched an address without RAM"

# VM: (kernel, command line, how it ends). One that passes has told by TAP lines what it met.
HOSTILE = {
    "hostile-cpu": ("hostile-cpu", "", PASSED),
    "hostile-msr": ("hostile-msr", "", PASSED),
    "hostile-port": ("hostile-port", "", PASSED),
    "hostile-mmio": ("hostile-mmio", "", PASSED),
    "hostile-memory": ("hostile-memory", "", PASSED),
    "hostile-smc": ("smc", "", PASSED),
    "hostile-tables": ("hostile-memory", "how=tables", NO_TABLES),
    "hostile-cr3": ("hostile-memory", "how=cr3", f"{NO_TABLES}|triple-fault"),
    "hostile-push": ("hostile-mmio", "how=push", NO_STACK),
    "hostile-enter": ("hostile-mmio", "how=enter", NO_STACK),
    "hostile-jump-nowhere": ("hostile-jump", "how=nowhere", NO_CODE),
    "hostile-jump-device": ("hostile-jump", "how=device", NO_CODE),
    "hostile-jump-apic": ("hostile-jump", "how=apic", NO_CODE),
    "hostile-jump-high": ("hostile-jump", "how=high", f"{NO_CODE}|{PASSED}"),
    "hostile-jump-tail": ("hostile-jump", "how=tail", NO_CODE),
    "hostile-jump-zeros": ("hostile-jump", "how=zeros", NO_CODE),
    "hostile-jump-triple": ("hostile-jump", "how=triple", "triple-fault"),
    "hostile-jump-stack": ("hostile-jump", "how=stack", "triple-fault"),
}
# Several of each, so that what one leaves behind adds up.
CRASHES = {"read": r"error its vmm died of trap 14 at 0x[0-9a-f]+, address 0",
           "exit": r"error its vmm exited with status 3"}
for how, said in CRASHES.items():
    HOSTILE.update({f"vmm-{how}-{i}": ("vmmcrash", f"how={how}", said) for i in range(4)})

VICTIM_ROUNDS = 1000
# What init, the console and ring 0 keep for a VM that was: its line in a list, heap that does not shrink.
KEPT_FRAMES = 3
SLACK_FRAMES = 8

# Those that go on for ever, each with the plain spinner in whose place it stands.
NEIGHBOURS = {
    "cpu": ("hostile-cpu", "again"),
    "msr": ("hostile-msr", "again"),
    "port": ("hostile-port", "again"),
    "mmio": ("hostile-mmio", "again"),
    "memory": ("hostile-memory", "again"),
    "smc": ("smc", "again"),
    "time": ("extremes", "again"),
    "vmm-spin": ("vmmcrash", "how=spin"),
    "loop": ("hostile-jump", "how=loop"),
}
# The same of VMs with four CPUs each: what one does, and what stands in its place.
SMP_NEIGHBOURS = {"storm": "spin", "self": "spin", "deaf": "spin", "timers": "spin", "parked": "idle"}
AT_WORK = r"(begins|all parked|spin start|up)\b"
# Some tens of turns: on the Bochs rigs a turn is 500,000 instructions, on qemu-svm 5 million.
SHARE_ROUNDS = {"bochs-vmx": 600, "bochs-svm": 600, "qemu-svm": 1000}
ENDED = "vm share-victim: (exits|ended: (error|killed).)"  # what it prints last
SPUN = re.compile(r"spin done rounds=(\d+) ticks=(\d+) shortest=(\d+)")


def hostile(rig, idle_frames, *options):
    """Each of them once, all beside a victim; idle_frames: how many are in use when no VM ever ran."""
    vms = [vm("victim", "spin", cmdline=f"rounds={VICTIM_ROUNDS}")]
    vms += [vm(name, kernel, cmdline=cmdline) for name, (kernel, cmdline, _) in HOSTILE.items()]
    log = machine.boot(rig, vms, *options)
    results = machine.tap(rig, log, "victim")
    for name, (_, _, end) in HOSTILE.items():
        if end == PASSED:
            results += machine.tap(rig, log, name)
        else:
            ended = log.ended(name)
            results.append((re.fullmatch(end, ended or "") is not None, f"{rig}/{name}.its VM alone is stopped",
                            f"ended {ended}, not {end}; {log.tail()}"))
    used, limit = log.frames_used(), idle_frames + KEPT_FRAMES * len(vms) + SLACK_FRAMES
    results.append((len(used) == len(vms) + 1 and used[-1] <= limit, f"{rig}/hostile.all their frames come back",
                    f"at the end {used[-1:]} are in use, {idle_frames} without VMs; {log.tail()}"))
    results.append((log.end == "rig: powered-off" and not log.has(r"panic|^service "),
                    f"{rig}/hostile.Corbel and its services go on to the end", log.tail()))
    return results


def spun(log):
    """(rounds, ticks, shortest round) of the victim."""
    matches = [SPUN.match(line) for line in log.guests["share-victim"]]
    return next(([int(number) for number in match.groups()] for match in matches if match), None)


def share_smp(rig):
    """The same beside VMs of four CPUs each that do their worst, from when all of them do; and beside one that ends and
    starts again, against half of the core."""
    if rig not in SHARE_ROUNDS:
        return []
    options = ["--icount"] if rig == "qemu-svm" else []
    victim = vm("share-victim", "spin", cmdline=f"rounds={SHARE_ROUNDS[rig]}")
    plain = [vm(f"share-smp-{name}", kernel, cmdline="rounds=1000000000") for name, kernel in SMP_NEIGHBOURS.items()]
    wild = [vm(f"share-smp-{name}", "hostile-smp", vcpus=4, cmdline=f"how={name}") for name in SMP_NEIGHBOURS]
    ready = "".join(rf"(?=.*^share-smp-{name}\| {AT_WORK})" for name in SMP_NEIGHBOURS)
    steps = [(f"(?s){ready}", b"\x1d"), (PROMPT, b"start share-victim\r\r")]
    logs = [machine.boot(rig, [*others, {**victim, "autostart": False}], *options, expect=ENDED, steps=steps)
            for others in (plain, wild)]
    longer = vm("share-victim", "spin", cmdline=f"rounds={2 * SHARE_ROUNDS[rig]}")
    logs.append(machine.boot(rig, [longer, vm("share-smp-reset", "hostile-smp", vcpus=4, cmdline="how=reset", restart="always")],
                             *options, expect=ENDED))
    alone, beside, reset = map(spun, logs)
    part = alone[1] / beside[1] if alone and beside else 0
    half = 2 * reset[0] * reset[2] / reset[1] if reset else 0
    return [(part >= 0.98, f"{rig}/share-smp.hostile VMs with four CPUs leave a VM its progress within 2 %",
             f"it made {part:.3f} of it: {alone} among spinners, {beside} among them; {logs[1].tail()}"),
            (half >= 0.98 and logs[2].has("^vm share-smp-reset: ended: reboot"),
             f"{rig}/share-smp.one that resets itself amid its CPUs' exits leaves the other its half within 2 %",
             f"{half:.3f} of it; {logs[2].tail()}")] + [
        (logs[1].ended(f"share-smp-{name}") is None, f"{rig}/share-smp.{name} was there to the end",
         f"ended {logs[1].ended(f'share-smp-{name}')}") for name in SMP_NEIGHBOURS]


def share(rig):
    """The victim's time between hostile neighbours, against its time between plain spinners."""
    if rig not in SHARE_ROUNDS:
        return []  # time is exact on an emulator only
    options = ["--icount"] if rig == "qemu-svm" else []
    victim = vm("share-victim", "spin", cmdline=f"rounds={SHARE_ROUNDS[rig]}")
    plain = [vm(f"share-{name}", "spin", cmdline="rounds=1000000000") for name in NEIGHBOURS]
    wild = [vm(f"share-{name}", kernel, cmdline=how) for name, (kernel, how) in NEIGHBOURS.items()]
    logs = [machine.boot(rig, [victim, *others], *options, expect=ENDED)
            for others in (plain, wild)]
    results = machine.tap(rig, logs[1], "share-victim")
    alone, beside = spun(logs[0]), spun(logs[1])
    if not alone or not beside:
        return [*results, (False, f"{rig}/share.the victim tells its time", " / ".join(log.tail() for log in logs))]
    part = alone[0] * alone[2] / alone[1] * (len(plain) + 1)
    results.append((part >= 0.95, f"{rig}/share.a VM among spinners gets its share within 5 %",
                    f"it got {part:.3f} of it: {alone}"))
    part = alone[1] / beside[1]
    results.append((part >= 0.95, f"{rig}/share.hostile guests and a vmm that spins leave a VM its share within 5 %",
                    f"it got {part:.3f} of it: {alone} among spinners, {beside} among them"))
    results += [(logs[1].ended(f"share-{name}") is None, f"{rig}/share-{name}.it was there to the end",
                 f"ended {logs[1].ended(f'share-{name}')}") for name in NEIGHBOURS]
    return results
