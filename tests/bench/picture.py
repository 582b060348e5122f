#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The picture of the table: usage: picture.py BENCH.json OUT.svg. The same figures give the same bytes."""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, LINE, GAP, PANEL = 900, 190, 500, 11, 8, 34
SERIES = (("corbel", "Corbel", "#1f5f8b"), ("kvm_mitigations_off", "KVM, mitigations=off", "#d98c3f"),
          ("kvm", "KVM", "#e8c79a"))


def _text(x, y, words, more=""):
    return f'<text x="{x}" y="{y}"{more}>{escape(words)}</text>'


def _bars(row, top, longest):
    """The bars of one row and where the next begins."""
    out = [_text(LABEL - 8, top + LINE - 2, row["id"], ' text-anchor="end"')]
    for key, _, color in SERIES:
        if row[key] is None:
            continue
        length = max(1, round(BAR * row[key] / longest))
        out.append(f'<rect x="{LABEL}" y="{top}" width="{length}" height="{LINE - 2}" fill="{color}"/>')
        words = f"{row[key]:,}"
        if key != "corbel" and row["corbel"]:
            words += f"  ({row[key] / row['corbel']:.1f} x)"
        out.append(_text(LABEL + length + 5, top + LINE - 2, words))
        top += LINE
    return out, top + GAP


def svg(report):
    """The round trips of each rig, with what KVM takes for them."""
    rows = [row for row in report["rows"] if row["id"].startswith("exit.") and row["corbel"] is not None]
    out, top = [], 30
    for i, (_, name, color) in enumerate(SERIES):
        out.append(f'<rect x="{LABEL + 190 * i}" y="10" width="10" height="10" fill="{color}"/>')
        out.append(_text(LABEL + 190 * i + 15, 19, name))
    for rig in dict.fromkeys(row["rig"] for row in rows):
        mine = [row for row in rows if row["rig"] == rig]
        longest = max(row[key] or 0 for row in mine for key, _, _ in SERIES) or 1
        out.append(_text(10, top + PANEL - 14, f"{rig}: instructions of a round trip out of the guest",
                         ' font-weight="bold"'))
        top += PANEL
        for row in mine:
            bars, top = _bars(row, top, longest)
            out += bars
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" '
            'font-family="sans-serif" font-size="10">')
    return "\n".join([head, f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>', *out, "</svg>"]) + "\n"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    Path(sys.argv[2]).write_text(svg(json.loads(Path(sys.argv[1]).read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
