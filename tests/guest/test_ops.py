# SPDX-License-Identifier: BSD-2-Clause
"""What the machine does with its VMs while it runs: starting them again, and what the operator asks for."""

import re

import machine
from machine import vm

# VM: its restart policy, how its guest ends, and how long Corbel waits, in ms, before it starts it again.
RESTARTED = {
    "on-failure-triple": ("on-failure", "triple", [250, 500, 1000, 2000]),
    "on-failure-reboot": ("on-failure", "cf9", [250, 500]),
    "on-failure-status": ("on-failure", "test-device value=1", [250, 500]),
    "always-poweroff": ("always", "poweroff", [250, 500]),
    "on-failure-passed": ("on-failure", "test-device", []),
    "on-failure-poweroff": ("on-failure", "poweroff", []),
    "never-triple": ("never", "triple", []),
    "on-failure-vmm": ("on-failure", "", [250, 500]),
}
LAST = "vm on-failure-triple: starts again in 2000 ms"


def waits(log, name):
    """The waits that Corbel told, in ms."""
    matches = [re.fullmatch(rf"vm {name}: starts again in (\d+) ms", line) for line in log.corbel]
    return [int(match[1]) for match in matches if match]


def restart(rig):
    """Each policy with VMs that end in each way; and that no frame is lost from one life to the next."""
    vms = [vm(f"restart-{name}", "vmmcrash" if not how else "reset", cmdline=f"how={how or 'exit'}", restart=policy)
           for name, (policy, how, _) in RESTARTED.items()]
    log = machine.boot(rig, vms, expect=f"^corbel: {LAST.replace('vm ', 'vm restart-')}")
    results = []
    for name, (_, how, wanted) in RESTARTED.items():
        told, starts = waits(log, f"restart-{name}"), sum(line == f"vm restart-{name}: started" for line in log.corbel)
        good = told[:len(wanted)] == wanted if wanted else not told
        results.append((good and starts >= max(1, len(wanted)), f"{rig}/restart.{name} starts again after {wanted or 'nothing'} ms",
                        f"after {told}, {starts} starts, how={how}; {log.tail()}"))
    used = log.frames_used()[1:]
    half = len(used) // 2
    results.append((half > 4 and min(used[half:]) <= min(used[:half]) + 2, f"{rig}/restart.no frame is lost from one life to the next",
                    f"in use: {used}; {log.tail()}"))
    return results
