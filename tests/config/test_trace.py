#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What corbel-trace makes of logs, good and bad."""

import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from pathlib import Path

sys.dont_write_bytecode = True

from harness import TOOL, Report, check  # noqa: E402

BEGIN = "corbel: trace begins: 2 cores, TSC at 1000 kHz"  # a tick is a microsecond
ENTRIES = ("0 1000 switch web", "0 1000 run 1", "0 1010 exit CPUID", "0 1020 inject 236", "0 1100 switch <db>", "0 1300 idle",
           "1 1050 wake web 0", "1 1060 switch -", "1 1500 idle")
END = "corbel: trace ends"


def run_tool(*arguments):
    return subprocess.run([str(TOOL.parent / "corbel-trace"), *map(str, arguments)], capture_output=True, text=True, check=False)


def log(*entries, begin=BEGIN, end=END):
    return "\r\n".join(["noise", begin, *(f"corbel: trace {entry}" for entry in entries), "web| trace 0 7 idle", end, "more"])


def run(folder, text, good=True):
    path, out, picture = folder / "log", folder / "out.json", folder / "out.svg"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = run_tool(path, "-o", out, "--svg", picture)
    check((result.returncode == 0) == good, f"{result.returncode}: {result.stderr!r}")
    if not good:
        check(result.stderr.startswith("corbel-trace: ") and result.stderr.count("\n") == 1, repr(result.stderr))
        return result.stderr, None
    return json.loads(out.read_text())["traceEvents"], xml.etree.ElementTree.parse(picture)


def test_turns_and_marks(folder):
    events, picture = run(folder, log(*ENTRIES))
    turns = [(e["tid"], e["name"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]
    check(turns == [(0, "web", 0, 100), (0, "<db>", 100, 200), (1, "-", 60, 440)], turns)
    marks = [(e["tid"], e["name"], e["ts"], e.get("args")) for e in events if e["ph"] == "i"]
    check(marks == [(0, "exit CPUID", 10, {"vcpu": 1}), (0, "inject 236", 20, {"vcpu": 1}),
                    (1, "wake web on core 0", 50, None)], marks)
    check(len([rect for rect in picture.iter() if rect.tag.endswith("title")]) == 3, "boxes of the picture")


def test_the_last_whole_one_counts(folder):
    text = log("0 1 switch old") + "\n" + log("0 1 switch new", "0 9 idle") + "\n" + log("0 1 switch cut", end="")
    events, _ = run(folder, text)
    check([e["name"] for e in events if e["ph"] == "X"] == ["new"], events)


def test_any_order_of_times(folder):
    events, _ = run(folder, log("0 30 idle", "0 10 switch a", "0 20 switch b"))
    check([(e["name"], e["dur"]) for e in events if e["ph"] == "X"] == [("a", 10), ("b", 10)], events)


def test_bad_logs(folder):
    for text in ("", "nothing here", log(), log(end=""), log("2 1 idle"), log("0 1 wake web"), log("0 1 idle web"),
                 log("0 1 idle", begin="corbel: trace begins: 0 cores, TSC at 1000 kHz"),
                 log("0 1 idle", begin="corbel: trace begins: 99999999999 cores, TSC at 1000 kHz"),
                 log("0 1 idle", begin="corbel: trace begins: 1 cores, TSC at 0 kHz"), bytes(range(256)) * 50):
        run(folder, text, good=False)


def test_bad_files(folder):
    for arguments in ((folder / "none", "-o", folder / "x"), (folder, "-o", folder / "x")):
        result = run_tool(*arguments)
        check(result.returncode == 1 and result.stderr.startswith("corbel-trace: "), repr(result.stderr))
    (folder / "log").write_text(log(*ENTRIES))
    check(run_tool(folder / "log").returncode == 2, "nothing to write")


TESTS = (test_turns_and_marks, test_the_last_whole_one_counts, test_any_order_of_times, test_bad_logs, test_bad_files)


def main():
    report = Report("corbel-trace")
    for test in TESTS:
        with tempfile.TemporaryDirectory() as path:
            report.run(test.__name__[5:], test, Path(path))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
