#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of `make bench` without a machine, from canned logs: "ok unit/bench.NAME" or "not ok unit/bench.NAME: REASON"."""

import json
import re
import sys
import xml.dom.minidom
from pathlib import Path

sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "guest")]

import figures  # noqa: E402
import logs  # noqa: E402
import machine  # noqa: E402
import peers  # noqa: E402
import picture  # noqa: E402
import rows  # noqa: E402
import runs  # noqa: E402
import table  # noqa: E402

COSTS = {"exit.cpuid": 240, "exit.hypercall": 210, "exit.rdmsr": 260, "exit.wrmsr_tsc_deadline": 400,
         "exit.port": 900, "exit.mmio": 1700, "exit.apic_mmio": 2000, "exit.doorbell": 300, "exit.eoi": 280,
         "exit.self_ipi": 600}
OPS = {"vmread": "3", "vmwrite": "1", "wrmsr": "0.02", "rdmsr": "0", "cr_write": "0", "locked": "0", "invalidate": "0",
       "xsave": "0"}
MACHINE = {"tsc_khz": 100000, "entry": 1000, "files": 5000, "exit": 40_000_000, "first_guest": 48_000_000,
           "usable": 480 << 20, "file_bytes": 600 << 10, "stage2": 128 << 10, "free": 460 << 20, "ram": 4 << 20,
           "vm_stage2": 64 << 10, "vmread": 0, "xsave": 0, "start": 47_500_000, "ended": 50_000_000,
           "gone": 50_100_000, "guest_ticks": 0, "page_ticks": 0, "copies": 0}


def canned(text, names):
    return machine.Log("BdsDxe: starting Boot0001\r\n" + text.replace("\n", "\r\n"), "rig: matched", names)


def words(values):
    return " ".join(f"{key}={value}" for key, value in values.items())


def end_lines(name, exits=None, **changes):
    exits = exits or {"CPUID": 60000, "PORT": 10900, "MMIO": 10101, "to_vmm": 21001}
    return (f"corbel: vm {name}: ended: test-device 1\ncorbel: vm {name}: exits {words(exits)}\n"
            f"corbel: vm {name}: machine {words({**MACHINE, **changes})}\ncorbel: frames: 9 usable, 8 free\n")


def exit_log(costs=None, ops=None, exits=None, more=""):
    lines = [f"# {row_id} mean=1 min=1 max=1 count=10000 variant=other" for row_id in COSTS]
    for row_id, mean in ({**COSTS, **(costs or {})}).items():
        if mean is not None:
            lines.append(f"bench {row_id} mean={mean} min={mean - 2} max={mean + 30} count=10000 variant=v")
            lines += [f"ops {row_id} {words(ops)} variant=v"] if ops else []
    return canned("\n".join(lines) + f"\n{more}" + end_lines("bench", exits), ["bench"])


def exit_row(row_id, rig="bochs-vmx", log=None, counting=None, **more):
    found = figures.exit_rows(rig, "bench", log or exit_log(), counting or exit_log(ops=OPS), **more)
    return next(row for row in found if row.id == row_id)


def idle_log(names, up=None, last="", **changes):
    lines = "".join(f"{name}| up\n" for name in (names if up is None else up)) + "last| up\n" + last
    return canned(lines + end_lines("last", **changes), [*names, "last"])


def equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r} instead of {wanted!r}")


def holds(text, part):
    if part not in text:
        raise AssertionError(f"{text!r} does not hold {part!r}")


def reason(function, *arguments):
    try:
        function(*arguments)
    except logs.Missing as error:
        return str(error)
    raise AssertionError("a figure came of it")


def test_exit_rows_hold_what_the_guest_printed():
    row = exit_row("exit.cpuid")
    equal((row.value, row.min, row.max, row.count, row.limit, row.ok), (240, 238, 270, 10000, 250, True))
    equal(row.ops, {"vmread": 3, "vmwrite": 1, "wrmsr": 0.02, "cr_write": 0, "locked": 0})
    equal([r.id for r in figures.exit_rows("bochs-vmx", "bench", exit_log(), exit_log(ops=OPS)) if not r.ok], [])


def test_limits_differ_by_rig():
    equal([exit_row("exit.cpuid", rig).limit for rig in machine.REQUIRED_RIGS], [250, 280, 350])
    equal([exit_row("exit.port", rig).limit for rig in machine.REQUIRED_RIGS], [1000] * 3)
    equal(exit_row("exit.rdmsr").limit, None)


def test_a_row_above_its_limit_is_not_ok():
    row = exit_row("exit.cpuid", log=exit_log({"exit.cpuid": 251}))
    equal((row.value, row.ok), (251, False))
    equal(exit_row("exit.cpuid", log=exit_log({"exit.cpuid": 250})).ok, True)
    equal(exit_row("exit.port", log=exit_log({"exit.port": 1001})).ok, False)


def test_a_row_that_did_not_come_has_no_figure():
    row = exit_row("exit.rdmsr", log=exit_log({"exit.rdmsr": None}))
    equal((row.value, row.ok), (None, False))
    skip = "ok 3 - exit.rdmsr # SKIP this CPU or machine has none\n"
    holds(exit_row("exit.rdmsr", log=exit_log({"exit.rdmsr": None}, more=skip)).reason, "skipped: this CPU")
    torn = canned("bench exit.cpuid mean=24\ncorbel: panic: a sentence\n", ["bench"])
    equal([r.value for r in figures.exit_rows("bochs-vmx", "bench", torn, torn)], [None] * len(COSTS))
    holds(exit_row("exit.cpuid", log=torn).reason, "corbel: panic: a sentence")


def test_port_and_mmio_must_have_gone_to_vmm():
    equal(exit_row("exit.port").ok, True)
    less = {"CPUID": 1, "PORT": 10900, "MMIO": 10099, "to_vmm": 20999}
    equal(exit_row("exit.mmio", log=exit_log(exits=less)).ok, False)
    equal(exit_row("exit.port", log=exit_log(exits=less)).ok, True)
    inside = {"CPUID": 1, "PORT": 10900, "MMIO": 10101, "to_vmm": 900}
    holds(exit_row("exit.port", log=exit_log(exits=inside)).reason, "to_vmm=900")
    lines = canned("bench exit.port mean=9 min=9 max=9 count=10000 variant=v\n", ["bench"])
    holds(exit_row("exit.port", log=lines).reason, "no line \"corbel: vm bench: exits")


def test_instructions_have_limits_of_their_own():
    def row(**changes):
        return exit_row("exit.cpuid", counting=exit_log(ops={**OPS, **changes}))
    equal([row(vmread="6.04").ok, row(vmread="7").ok, row(vmwrite="3").ok], [True, False, False])
    equal([row(wrmsr="0.49").ok, row(wrmsr="1").ok, row(cr_write="1").ok, row(locked="1").ok],
          [True, False, False, False])
    equal(exit_row("exit.port", counting=exit_log(ops={**OPS, "vmread": "40"})).ok, True)


def test_without_the_counting_run_cpuid_is_not_ok():
    row = exit_row("exit.cpuid", counting=exit_log())
    equal((row.value, row.ops, row.ok), (240, None, False))
    found = figures.exit_rows("bochs-vmx", "bench", exit_log(), None, "rig: unavailable: no bochs")
    equal([r.id for r in found if not r.ok], ["exit.cpuid"])
    holds(found[0].reason, "no bochs")


def test_a_locked_instruction_in_ring_0_is_found():
    code = ("ffffffff80001000 <lock_take>:\nffffffff80001003:\tlock xadd %eax,(%rdi)\n"
            "ffffffff80002000 <swap>:\nffffffff80002003:\txchg   %rax,0x8(%rdi)\n"
            "ffffffff80002800 <usercopy_byte>:\nffffffff80002803:\txchg   %cl,(%rdi)\n"
            "ffffffff80003000 <lock_none>:\nffffffff80003000:\txchg   %ax,%ax\n"
            "ffffffff80003003:\tcall   ffffffff80001000 <lock_take>\n")
    equal(runs.locked_in(code), "lock_take, swap")
    row = exit_row("exit.cpuid", locked="lock_take")
    equal((row.ops, row.ok), (None, False))


def test_boot_rows():
    log = exit_log()
    equal(figures.exit_to_guest("qemu-svm", "bench", log).value, 8_000_000)
    equal(figures.entry_to_exit("qemu-svm", "bench", log).value, 39_994_000)
    large = canned(end_lines("bench", first_guest=49_000_000), ["bench"])
    row = figures.exit_to_guest_256m("qemu-svm", "bench", log, large)
    equal((row.value, row.limit, row.ok), (1_000_000, 999_999, False))
    slow = canned(end_lines("bench", first_guest=50_000_001), ["bench"])
    equal(figures.exit_to_guest("qemu-svm", "bench", slow).ok, False)


def test_boot_rows_need_sane_times():
    none = canned(end_lines("bench", first_guest=0), ["bench"])
    holds(reason(figures.exit_to_guest, "qemu-svm", "bench", none), "out of order")
    holds(reason(figures.entry_to_exit, "qemu-svm", "bench",
                 canned(end_lines("bench", entry=50_000_000), ["bench"])), "out of order")
    holds(reason(figures.exit_to_guest, "qemu-svm", "bench", canned("up\n", ["bench"])), "no line")
    short = canned("corbel: vm bench: machine tsc_khz=1 entry=5\n", ["bench"])
    holds(reason(figures.exit_to_guest, "qemu-svm", "bench", short), "lacks files, exit")


def test_ram_of_corbel():
    row = figures.ram_corbel("bochs-vmx", ["a", "b"], "last", idle_log(["a", "b"]))
    equal(row.value, (480 << 20) - (460 << 20) - 2 * (4 << 20) - (128 << 10) - (600 << 10))
    equal((row.limit, row.ok), ((10 << 20) + 16 * (480 << 8), True))
    less = idle_log(["a", "b"], free=(460 << 20) - (row.limit - row.value) - 1)
    equal(figures.ram_corbel("bochs-vmx", ["a", "b"], "last", less).ok, False)
    equal(figures.ram_files("bochs-vmx", "last", idle_log(["a"])).value, 600 << 10)


def test_ram_per_vm():
    few, many = ["a", "b"], list("abcdefghij")
    before = idle_log(few)
    after = idle_log(many, free=(460 << 20) - 8 * ((4 << 20) + (512 << 10) + (64 << 10)), stage2=(128 << 10) + (512 << 10))
    row = figures.ram_per_vm("bochs-vmx", few, many, "last", before, after)
    equal((row.value, row.limit, row.ok), (512 << 10, 512 << 10, True))
    more = idle_log(many, free=(460 << 20) - 8 * ((4 << 20) + (576 << 10)) - 1, stage2=(640 << 10))
    equal(figures.ram_per_vm("bochs-vmx", few, many, "last", before, more).ok, False)


def test_ram_counts_only_while_all_vms_are_up():
    holds(reason(figures.ram_corbel, "bochs-vmx", ["a", "b"], "last", idle_log(["a", "b"], up=["a"])), "b was not up")
    dead = idle_log(["a", "b"], last="corbel: vm a: ended: triple-fault\n")
    holds(reason(figures.ram_corbel, "bochs-vmx", ["a", "b"], "last", dead), "a ended: triple-fault")


def test_sched_rows():
    names = ["one", "other"]
    log = canned("one| turns own=500000 away=501700 count=60\nother| turns own=500100 away=501900 count=60\n", names)
    row = figures.sched_switch("bochs-vmx", names, log)
    equal((row.value, row.min, row.limit, row.ok), (950, 800, 900, False))
    backwards = canned("one| turns own=9 away=5 count=60\nother| turns own=9 away=9 count=60\n", names)
    holds(reason(figures.sched_switch, "bochs-vmx", names, backwards), "do not fit")
    equal(figures.sched_weights("bochs-vmx", "one", log).ok, False)
    quarter = canned("one| turns own=500000 away=1500000 count=60\nother| up\n", names)
    row = figures.sched_weights("bochs-vmx", "one", quarter)
    equal((row.value, row.unit, row.ok), (0, "1/10,000", True))
    holds(reason(figures.sched_weights, "bochs-vmx", "other", quarter), "other told nothing")
    late = canned("last| alarm count=100 mean=2000 worst=10001\na| up\n", ["last", "a"])
    row = figures.sched_wake("bochs-vmx", "last", late)
    equal((row.value, row.min, row.count, row.ok), (10001, 2000, 100, False))


def trace_of(core, *entries):
    return "".join(f"corbel: trace {core} {tsc} {what}\n" for tsc, what in entries)


def test_the_row_of_halted_vms():
    wake = ((500, "wake timer-3 0"), (900, "switch timer-3"), (920, "run 0"), (2000, "exit WRMSR"), (2400, "exit HLT"), (3000, "idle"))
    told = "corbel: trace begins: 1 cores, TSC at 100000 kHz\n"
    told += trace_of(0, *wake, (9000, "idle"), *((tsc + 9000, what) for tsc, what in wake), (99000, "wake console 0"))
    log = canned("last| alarm count=6 mean=1900 worst=1999 own=500\n" + told, ["last"])
    equal(runs.test_halted.cost(log), (2, 1, 1900 + 500 + 350 + 600))
    row = figures.sched_halted("bochs-vmx", 2, 3350)
    equal((row.value, row.limit, row.count, row.ok), (3350, 3500, 2, True))
    holds(reason(figures.sched_halted, "bochs-vmx", *runs.test_halted.cost(canned(told, ["last"]))[::2]), "0 ticks")


def test_the_row_of_equals():
    text = "".join(f"corbel: {name} runs 4096 KiB restart never {ms / 1000:.3f} s of CPU\n"
                   for name, ms in (("a", 1000), ("b", 1000), ("a", 2000), ("b", 2000)))
    equal(runs.test_sched.jain(canned(text, ["a", "b"])), (1.0, 2000))
    equal(runs.test_sched.jain(canned(text.replace(" 2.000", " 1.500", 1), ["a", "b"])), (0.9, 1500))
    row = figures.sched_equals("bochs-vmx", 0.9899, 1500)
    equal((row.value, row.unit, row.ok), (101, "1/10,000", False))
    holds(reason(figures.sched_equals, "bochs-vmx", 0, 0), "Jain")


def test_a_rig_that_cannot_start_gives_rows_without_figures():
    def unavailable(rig, run):
        raise runs.Failed(f"rig: unavailable: no {rig} for {run}")
    real, runs.boot = runs.boot, unavailable
    try:
        found = runs.Rig("bochs-svm", lambda row_id: True).rows()
    finally:
        runs.boot = real
    equal([row.id for row in found], list(rows.RIG_ROWS))
    equal({(row.value, row.ok) for row in found}, {(None, False)})
    holds(found[0].reason, "unavailable: no bochs-svm")
    holds(table.text(found), "NOT OK: rig: unavailable")


def test_each_run_is_booted_only_if_a_row_wants_it():
    booted = []

    def boot(rig, run):
        booted.append(run)
        raise runs.Failed("no")
    real, runs.boot = runs.boot, boot
    try:
        for wanted, expected in (("boot.entry_to_exit", ["exit"]), ("ram.files", ["few"]),
                                 ("ram.per_vm", ["few"]), ("exit.port", ["ops", "exit"])):
            booted.clear()
            equal([row.id for row in runs.Rig("qemu-svm", wanted.__eq__).rows()], [wanted])
            equal(booted, expected)
    finally:
        runs.boot = real


def test_a_run_is_not_over_in_the_middle_of_a_line():
    line = f"corbel: vm last: ended: test-device 1\ncorbel: vm last: machine {words(MACHINE)}"
    ends = [at for at in range(len(line)) if re.search(runs.LAST_OVER, line[:at].split("\n")[-1])]
    equal(line[:ends[0]][-7:], "copies=")
    for end in ("ended: triple-fault", "ended: error a sentence", "ended: killed", "refused: a sentence"):
        equal(bool(re.search(runs.LAST_OVER, f"corbel: vm last: {end}")), True)


def test_json_is_as_the_interface_has_it():
    row = json.loads(json.dumps(exit_row("exit.cpuid").as_json()))
    equal(list(row), ["id", "rig", "unit", "corbel", "kvm", "kvm_mitigations_off", "bare", "limit", "count", "min",
                      "max", "ops", "ok", "command"])
    equal((row["unit"], row["corbel"], row["kvm"], row["kvm_mitigations_off"], row["bare"], row["ok"]),
          ("ticks", 240, None, None, None, True))
    equal(list(row["ops"]), ["vmread", "vmwrite", "wrmsr", "cr_write", "locked"])
    equal(row["command"], "make bench RIG=bochs-vmx ROW=exit.cpuid")


def test_the_table_quotes_kvm_and_says_so():
    text = table.text([exit_row("exit.port", "qemu-svm")])
    holds(text, "3,539*")
    holds(text, "3,063*")
    holds(text, "* = quoted")


def test_what_was_measured_stands_in_place_of_what_is_quoted():
    row = rows.compare(exit_row("exit.port", "qemu-svm"), {"kvm_mitigations_off": {"exit.port": 3114}})
    equal((row.kvm, row.kvm_off, row.bare), (None, 3114, None))
    text = table.text([row]).split("\n")[1]
    holds(text, "3,539*  ")
    holds(text, "3,114  ")
    equal(row.as_json()["kvm_mitigations_off"], 3114)
    equal(row.as_json()["kvm"], None)


LINUX_EXITS = {"CPUID": 500, "PORT": 1600, "MMIO": 600, "STAGE2": 4300, "to_vmm": 2300}


def linux_log(own=13_000_000, rows_=True, ticks=300, exits=None, total=1_000_000_000, **changes):
    clock = 48_000_000 + 1_000_000_000
    exits = exits or LINUX_EXITS
    edge = figures.EDGE_TICKS * (sum(exits.values()) - exits["MMIO"] - exits["to_vmm"])
    ops = [0] * 8 + [1_000_000_000 - own - 12_000_000 + edge, 12_000_000, 3600, clock, clock + 9]
    lines = [f"ops boot.linux {' '.join(map(str, ops))}", f"# interrupts LOC={ticks}", "# interrupts LOC=900"]
    lines += [f"bench boot.linux mean={total} min={total} max={total} count=1"]
    lines += ["bench cpu.compute mean=8050 min=8000 max=8100 count=10"] if rows_ else []
    return canned("\n".join(lines) + "\n" + end_lines("bench", exits, **changes), ["bench"])


def test_a_linux_boots_own_share():
    def own(counting, plain=linux_log()):
        return figures.linux_own("qemu-svm", "bench", counting, plain)
    row = own(linux_log(own=10_000_000))
    equal((row.value, row.unit, row.limit, row.ok), (10, "per mille", 10, True))
    equal(own(linux_log(own=10_000_001)).ok, False)
    equal([own(linux_log(own=10_800_000), linux_log(total=total)).ok for total in (999_191_920, 999_191_919)],
          [False, True])
    holds(reason(own, exit_log()), "no counters")
    holds(reason(own, linux_log(), exit_log()), "no figure")
    holds(reason(own, linux_log(own=-5_000_000)), "out of order")


def test_a_linux_boots_exits():
    row = figures.linux_exits("qemu-svm", "bench", linux_log())
    equal((row.value, row.ok), (500 + 1600 + 4300 - 600 - 3600, True))
    holds(table.text([row]), "boot.linux_exits on qemu-svm: STAGE2 4,300, PORT 1,600, CPUID 500; "
                             "less 2 x 300 timer ticks and 3,600 copied pages.")
    more = linux_log(exits={**LINUX_EXITS, "PORT": 3401})
    equal(figures.linux_exits("qemu-svm", "bench", more).ok, False)
    holds(reason(figures.linux_exits, "qemu-svm", "bench", exit_log()), "no counters")


def test_rows_that_linux_prints():
    row = figures.guest_row("cpu.compute", "qemu-svm", "bench", linux_log())
    equal((row.value, row.min, row.max, row.count), (8050, 8000, 8100, 10))
    holds(reason(figures.guest_row, "cpu.compute", "qemu-svm", "bench", linux_log(rows_=False)), "no figure")
    equal(rows.compare(row, {"bare": {"cpu.compute": 8046}}).ok, True)
    equal((row.limit, row.bare), (8050, 8046))
    equal(rows.compare(row, {"bare": {"cpu.compute": 8045}}).ok, False)
    free = figures.guest_row("cpu.compute", "qemu-svm", "bench", linux_log())
    equal((rows.compare(free, {}).limit, free.ok), (None, True))


def test_creation_and_destruction():
    row = figures.create("qemu-svm", "bench", linux_log())
    equal((row.value, row.limit, row.ok), (500_000, 1_000_000, True))
    equal(figures.create("qemu-svm", "bench", linux_log(start=46_999_999)).ok, False)
    equal(figures.destroy("qemu-svm", "bench", linux_log()).value, 100_000)


def test_save_and_load():
    def row(ticks):
        said = f"bench vm.save_load mean={ticks} min={ticks} max={ticks} count=1\nok 24 - cost\n" + end_lines("bench")
        return figures.save_load("qemu-svm", "bench", canned(said, ["bench"]))
    equal((row(15_000_000).limit, row(15_000_000).ok, row(15_000_001).ok), (15_000_000, True, False))
    holds(reason(figures.save_load, "qemu-svm", "bench", exit_log()), "no figure")


def test_a_row_must_be_ahead_of_kvm():
    def row(row_id, value, kvm_off):
        return rows.compare(rows.new(row_id, "qemu-svm", value=value), {"kvm_mitigations_off": {row_id: kvm_off}})
    equal([row("exit.eoi", 100, 200).ok, row("exit.eoi", 100, 199).ok], [True, False])
    equal([row("vm.destroy", 100, 199).ok, row("ram.per_vm", 100, 199).ok], [False, False])
    equal([row("sched.ipi", 100, 200).ok, row("sched.ipi", 100, 199).ok], [True, False])
    equal([row("boot.linux", 100, 100).ok, row("cpu.compute", 100, 99).ok], [True, False])
    equal([row("exit.eoi", 0, 1).ok, row("exit.eoi", 0, 3).ok], [False, True])
    equal(rows.new("exit.eoi", "qemu-svm", value=1).ok, True)
    text = table.text([row("exit.eoi", 100, 199)])
    holds(text, "1.99 x")
    holds(text, "NOT OK: KVM takes 1.99 times as much, and 2 times are wanted")


def test_leaves_of_4_kib():
    def leaves(tables):
        log = linux_log(ram=100 << 20, vm_stage2=tables * 4096)
        return figures.small_leaves("qemu-svm", "bench", (14 << 20, 1 << 20), log)
    equal((leaves(3 + 11).value, leaves(3 + 11).ok), (0, True))
    equal((leaves(3 + 12).value, leaves(3 + 12).ok), (25, False))


def test_what_peers_print():
    said = "bench exit.cpuid mean=2744 min=1 max=9 count=10000 variant=leaf0\nbench cpu.compute mean=8 min=8 max=8 count=10\n"
    equal(peers.rows_of(said), {"exit.cpuid": 2744, "cpu.compute": 8})
    equal(peers.boots_for("qemu-svm", ["exit.port"]), ["bare-costs", "kvm", "kvm-off"])
    equal(peers.boots_for("bochs-vmx", ["exit.port"]), ["kvm", "kvm-off"])
    equal(peers.boots_for("bochs-vmx", ["cpu.compute"]), ["bare-linux", "kvm", "kvm-off"])
    equal(peers.boots_for("bochs-vmx", ["ram.corbel", "boot.exit_to_guest"]), [])
    equal(peers.boots_for("qemu-svm", ["ram.per_vm"]), ["kvm", "kvm-off"])


def test_a_peer_that_fails_leaves_its_column_empty():
    def boot(rig, name):
        if name == "kvm":
            raise peers.Failed("no kvm")
        return "bench exit.port mean=7 min=7 max=7 count=1\n"
    real, peers.boot = peers.boot, boot
    try:
        found, lacking = peers.columns("bochs-svm", ["exit.port"])
    finally:
        peers.boot = real
    equal((found, lacking), ({"kvm_mitigations_off": {"exit.port": 7}}, ["no kvm"]))


def test_the_picture_shows_what_was_measured():
    slow, fast = exit_row("exit.port", "qemu-svm"), exit_row("exit.cpuid")
    rows.compare(slow, {"kvm_mitigations_off": {"exit.port": 3114}})
    report = {"rows": [fast.as_json(), slow.as_json(), rows.new("exit.mmio", "qemu-svm").as_json()]}
    text = picture.svg(report)
    equal(text, picture.svg(json.loads(json.dumps(report))))
    holds(text, "3,114  (3.5 x)")
    holds(text, "bochs-vmx: instructions")
    equal(("exit.mmio" in text, text.count("<rect")), (False, 4 + 3))
    xml.dom.minidom.parseString(text)
    picture.svg({"rows": []})


def test_sizes_need_no_machine():
    found = {row.id: row for row in runs.size_rows()}
    equal(list(found), list(rows.SIZE))
    equal(found["size.ring0_lines"].limit, 8999)
    if found["size.ring0_lines"].value < 1000:
        raise AssertionError(f"only {found['size.ring0_lines'].value} lines in ring 0")


def main():
    failed = False
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print(f"ok unit/bench.{name[5:].replace('_', ' ')}")
        except Exception as error:  # pylint: disable=broad-except
            failed = True
            print(f"not ok unit/bench.{name[5:].replace('_', ' ')}: {error!r}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
