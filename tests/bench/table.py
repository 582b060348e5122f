# SPDX-License-Identifier: BSD-2-Clause
"""The table for people, with what KVM costs beside it."""

import rows

HEAD = ("row", "rig", "unit", "Corbel", "limit", "KVM", "KVM off", "ahead", "bare", "ops", "")
NOTE = ("KVM, and KVM with mitigations=off: Linux 6.1 in the same rig and session; * = quoted from RIGS, not measured.\n"
        "ahead: how often Corbel's figure goes into that of KVM with mitigations=off; limit: "
        f"{', '.join(f'{factor} for {group}.*' for group, factor in rows.AHEAD.items())}.\n"
        f"ops: {'/'.join(rows.OPS)} of ring 0, an operation. Ticks are instructions on these rigs.")
LEFT = (0, 1, 2, 9, 10)  # columns of words


def _number(value):
    return "-" if value is None else f"{value:,}"


def _peer(measured, quoted):
    return _number(measured) if measured is not None or quoted is None else f"{quoted:,}*"


def _cells(row):
    kvm, kvm_off = rows.KVM.get(row.id, {}).get(row.rig, (None, None))
    ops = "/".join(f"{row.ops[key]:g}" for key in rows.OPS) if row.ops else "-"
    return (row.id, row.rig, row.unit, _number(row.value), _number(row.limit), _peer(row.kvm, kvm),
            _peer(row.kvm_off, kvm_off), "-" if row.ahead is None else f"{row.ahead:.2f} x", _number(row.bare), ops,
            "ok" if row.ok else f"NOT OK: {row.reason}")


def text(found):
    lines = [HEAD, *map(_cells, found)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    out = []
    for line in lines:
        cells = (cell.ljust(width) if i in LEFT else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths)))
        out.append("  ".join(cells).rstrip())
    notes = (f"{row.id} on {row.rig}: {row.note}." for row in found if row.note)
    return "\n".join([*out, *notes, NOTE])
