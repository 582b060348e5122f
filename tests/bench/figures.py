# SPDX-License-Identifier: BSD-2-Clause
"""From logs to rows: pure, so that canned logs can test it."""

import logs
import rows

WARM_UP = 100  # operations of exitcost before those that it counts
TO_VMM = {"exit.port": "PORT", "exit.mmio": "MMIO"}  # what vmm must have answered, and its count
PAGE = 4096


def _not_to_vmm(row_id, exits, count):
    """Why the VM's counts do not show that vmm answered, or "" if they do."""
    kind = TO_VMM[row_id]
    answered = exits["PORT"] + exits["MMIO"]
    if exits[kind] < count + WARM_UP:
        return f"only {exits[kind]} exits of kind {kind} for {count + WARM_UP} operations"
    if exits["to_vmm"] < answered:
        return f"to_vmm={exits['to_vmm']} does not show the {answered} port and MMIO accesses"
    return ""


def _ops_of(row_id, counts, locked):
    """(the row's instructions, why they are not as they must be or "")."""
    ops = {key: counts[key] for key in rows.OPS if key in counts}
    if len(ops) < len(rows.OPS):
        return None, f"the counts of instructions lack {', '.join(key for key in rows.OPS if key not in counts)}"
    if locked:  # wrappers do not count them: none in ring 0 is the only proof of none on the path
        return None, f"ring 0 has locked instructions that nobody counts: {locked}"
    for key, limit in rows.OPS_LIMITS.get(row_id, {}).items():
        if int(ops[key] + 0.5) > limit:  # a host interrupt now and then adds hundredths
            return ops, f"{ops[key]} {key} an operation, {limit} are allowed"
    return ops, ""


def exit_rows(rig, name, log, counting, counting_why="", locked=""):
    """The exit.* rows; `counting`: the log of the counting build, or None and why."""
    costs = logs.costs(log, name)
    skipped = logs.skipped(log, name)
    counts = logs.ops(counting, name) if counting else {}
    found = []
    for row_id in rows.EXIT_LIMITS:
        row = rows.Row(row_id, rig, rows.UNITS["exit"], limit=rows.exit_limit(row_id, rig))
        found.append(row)
        if row_id not in costs:
            row.reason = f"skipped: {skipped[row_id]}" if row_id in skipped else f"no figure; {log.tail()}"
            continue
        row.value, row.min, row.max, row.count = costs[row_id]
        if row_id in counts:
            row.ops, row.reason = _ops_of(row_id, counts[row_id], locked)
        elif row_id in rows.OPS_LIMITS:
            row.reason = f"no counts of instructions: {counting_why or (counting.tail() if counting else 'no run')}"
        try:
            if row_id in TO_VMM:
                row.reason = row.reason or _not_to_vmm(row_id, logs.exits(log, name), row.count)
        except logs.Missing as error:
            row.reason = str(error)
        row.judge()
    return found


def _exit_to_guest(machine):
    if not 0 < machine["exit"] < machine["first_guest"]:
        raise logs.Missing(f"times out of order: exit={machine['exit']} first_guest={machine['first_guest']}")
    return machine["first_guest"] - machine["exit"]


def exit_to_guest(rig, name, log):
    value = _exit_to_guest(logs.machine(log, name))
    return rows.single("boot.exit_to_guest", rig, value, rows.EXIT_TO_GUEST_MAX)


def exit_to_guest_256m(rig, name, small, large):
    """How much longer it takes than with 64 MiB."""
    value = _exit_to_guest(logs.machine(large, name)) - _exit_to_guest(logs.machine(small, name))
    return rows.single("boot.exit_to_guest_256m", rig, value, rows.EXIT_TO_GUEST_256M_MAX)


def entry_to_exit(rig, name, log):
    machine = logs.machine(log, name)
    value = machine["exit"] - machine["entry"] - machine["files"]
    if value <= 0:
        raise logs.Missing(f"times out of order: entry={machine['entry']} files={machine['files']} "
                           f"exit={machine['exit']}")
    return rows.single("boot.entry_to_exit", rig, value, rows.ENTRY_TO_EXIT_MAX)


def _idle_machine(log, idle, last):
    """The machine as `last` left it, with all the idle VMs still there."""
    for name in idle:
        if "up" not in (line.strip() for line in log.guests[name]):
            raise logs.Missing(f"{name} was not up when {last} ended; {log.tail()}")
        if log.ended(name):
            raise logs.Missing(f"{name} ended: {log.ended(name)}")
    return logs.machine(log, last)


def ram_files(rig, last, log):
    return rows.single("ram.files", rig, logs.machine(log, last)["file_bytes"])


def ram_corbel(rig, idle, last, log):
    """With the idle VMs running; an idle VM has as much RAM as `last`, which is of their kind, had."""
    machine = _idle_machine(log, idle, last)
    value = (machine["usable"] - machine["free"] - len(idle) * machine["ram"] - machine["stage2"] -
             machine["file_bytes"])
    limit = rows.CORBEL_RAM_MAX + rows.CORBEL_RAM_PER_FRAME * (machine["usable"] // PAGE)
    return rows.single("ram.corbel", rig, value, limit)


def ram_per_vm(rig, few, many, last, few_log, many_log):
    """few, many: the names of the idle VMs of each run."""
    before, after = _idle_machine(few_log, few, last), _idle_machine(many_log, many, last)
    more = len(many) - len(few)
    taken = before["free"] - after["free"] - (after["stage2"] - before["stage2"])
    return rows.single("ram.per_vm", rig, -(-taken // more) - after["ram"], rows.VM_RAM_MAX)


OP_GUEST_TICKS, OP_PAGE_TICKS, OP_COPIES, OP_CLOCK = 8, 9, 10, 11  # kernel/abi.h, enum abi_op; the clock stands behind
EDGE_TICKS = 70  # at most: what an exit takes between the counting of the guest's ticks and the guest
TABLE_REACH = 2 << 20  # bytes that a table of 4 KiB leaves maps


def guest_row(row_id, rig, name, log):
    """A row that the guest printed."""
    costs = logs.costs(log, name)
    if row_id not in costs:
        raise logs.Missing(f"no figure; {log.tail()}")
    value, least, most, count = costs[row_id]
    return rows.new(row_id, rig, value=value, min=least, max=most, count=count)


def _reasons(exits):
    """The exits by reason; those to vmm and by MMIO (of STAGE2) are told beside others."""
    return {kind: count for kind, count in exits.items() if count and kind not in ("to_vmm", "MMIO")}


def _sum(exits):
    return sum(_reasons(exits).values())


def linux_own(rig, name, counting, plain):
    """Corbel's own share of the boot from the first guest entry to /init, pages apart; rounded up.

    What the counting itself takes is not Corbel's: by so much the boot takes longer than in the plain build.
    """
    ops, machine = logs.linux_ops(counting, name), logs.machine(counting, name)
    overhead = guest_row("boot.linux", rig, name, counting).value - guest_row("boot.linux", rig, name, plain).value
    total = ops[OP_CLOCK] - machine["first_guest"] - overhead
    own = total - ops[OP_GUEST_TICKS] - ops[OP_PAGE_TICKS] + EDGE_TICKS * _sum(logs.all_exits(counting, name))
    if not 0 < own < total:
        raise logs.Missing(f"counters out of order: {ops}, first_guest={machine['first_guest']}")
    return rows.single("boot.linux_own", rig, -(-1000 * own // total), rows.OWN_PER_MILLE_MAX)


def linux_exits(rig, name, counting):
    """Exits up to /init and its end, but for two a timer tick and one a copied page."""
    copies, ticks = logs.linux_ops(counting, name)[OP_COPIES], logs.ticks(counting, name)
    exits = _reasons(logs.all_exits(counting, name))
    value = max(0, sum(exits.values()) - 2 * ticks - copies)
    row = rows.single("boot.linux_exits", rig, value, rows.BOOT_EXITS_MAX)
    by_reason = sorted(exits.items(), key=lambda item: -item[1])
    row.note = (", ".join(f"{kind} {count:,}" for kind, count in by_reason) +
                f"; less 2 x {ticks:,} timer ticks and {copies:,} copied pages")
    return row


def create(rig, name, log):
    """From init's first step for the VM to before the guest's first instruction."""
    machine = logs.machine(log, name)
    return rows.single("vm.create_to_first_instruction", rig, machine["first_guest"] - machine["start"],
                       rows.CREATE_MAX)


def destroy(rig, name, log):
    """From vmm's word that the VM has ended until nothing of it is left."""
    machine = logs.machine(log, name)
    return rows.single("vm.destroy", rig, machine["gone"] - machine["ended"])


def save_load(rig, name, log):
    """Save, load, and the touched RAM touched once more: what the guest sees of it."""
    row = guest_row("vm.save_load", rig, name, log)
    row.limit = rows.SAVE_LOAD_MAX
    return row.judge()


def small_leaves(rig, name, files, log):
    """At most how much of the guest's RAM stands in 4 KiB leaves without reason: the first 2 MiB and files have one."""
    machine = logs.machine(log, name)
    tables = machine["vm_stage2"] // PAGE - 3  # a root, and one of each kind below it
    reasons = 1 + sum(-(-size // TABLE_REACH) + 1 for size in files)
    other = machine["ram"] - TABLE_REACH - sum(files)
    if other <= 0:
        raise logs.Missing(f"ram={machine['ram']} is no more than the files")
    value = -(-1000 * max(0, tables - reasons) * TABLE_REACH // other)
    return rows.single("ram.small_leaves", rig, value, rows.SMALL_PER_MILLE_MAX)


def sched_switch(rig, names, log):
    """Two on one core: what of a turn away is not the other's own is two switches."""
    (own, away, count), (other_own, other_away, _) = (logs.turns(log, name) for name in names)
    costs = (away - other_own) // 2, (other_away - own) // 2
    if min(costs) <= 0:
        raise logs.Missing(f"turns do not fit: own {own} and {other_own}, away {away} and {other_away}")
    return rows.new("sched.switch", rig, value=max(costs), limit=rows.SWITCH_MAX, count=count, min=min(costs), max=max(costs))


def sched_weights(rig, name, log):
    own, away, _ = logs.turns(log, name)
    return rows.single("sched.weights", rig, abs(own * 10000 // (own + away) - 2500), rows.WEIGHTS_MAX)


def sched_wake(rig, name, log):
    count, mean, worst = logs.alarm(log, name)
    return rows.new("sched.wake", rig, value=worst, limit=rows.WAKE_MAX, count=count, max=worst, min=min(mean, worst))


def sched_halted(rig, wakes, ticks):
    if not wakes or not ticks:
        raise logs.Missing(f"{wakes} wake-ups in the trace, {ticks} ticks")
    return rows.new("sched.halted", rig, value=ticks, limit=rows.HALTED_MAX, count=wakes)


def sched_equals(rig, jain, ms):
    if not 0 < jain <= 1 or not ms:
        raise logs.Missing(f"Jain's index {jain} of {ms} ms")
    return rows.single("sched.equals", rig, round(10000 * (1 - jain)), rows.EQUALS_MAX)
