# SPDX-License-Identifier: BSD-2-Clause
"""The ready-made configurations of several VMs, on two cores."""

import os

import machine
from test_ops import PROMPT

LINUX = "left", "right"


def configuration(rig, image, tiny):
    """All run side by side, the operator sees them, and each ends when its power button is pressed."""
    count = len(tiny) + len(LINUX)
    ready = "".join(rf"(?=.*^{name}\| guest ready)" for name in LINUX) + "".join(rf"(?=.*^{name}\| ready)" for name in tiny)
    steps = [(rf"(?s){ready}", b"\x1dtop\r"), (rf"^corbel: {count} of {count} VMs run", b"q"), (PROMPT, b"poweroff\r")]
    log = machine.run(rig, machine.BUILD / image, [*LINUX, *tiny], "--cpus", "2", timeout=900, steps=steps)
    ended = sorted(name for name in (*LINUX, *tiny) if log.ended(name) == "poweroff")
    used = log.frames_used()
    wanted = ((log.has(rf"^{count} of {count} VMs run"), f"all {count} VMs run at once"),
              (len(ended) == count, "each powers off when its button is pressed"),
              (log.end == "rig: powered-off", "and then the machine"),
              (len(used) == count + 1 and used[-1] <= used[0] + 4 * count, "all frames come back"))
    where = f"{rig}/many.{image.split('.')[0]}"
    return [(bool(good), f"{where}: {sentence}", f"{len(ended)} ended, frames {used[:1]} {used[-1:]}; {log.tail()}")
            for good, sentence in wanted]


def many(rig):
    """On the Bochs rigs in `make test-long` alone: there each takes many minutes."""
    if rig != "qemu-svm" and not os.environ.get("LONG"):
        return []
    return configuration(rig, "two.img", ()) + configuration(rig, "hundred.img", [f"tiny-{i:02}" for i in range(1, 99)])
