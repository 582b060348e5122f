# SPDX-License-Identifier: BSD-2-Clause
"""Configurations and kernels that are wrong: what init and vmm say of them on a machine, and what runs all the same."""

import json
import sys
import tempfile
from pathlib import Path

import bad_kernels
import machine

CONFIG = machine.TOP / "tests/config"
sys.path.insert(0, str(CONFIG))

import bad_image  # noqa: E402

EFI = machine.BUILD / "corbel.efi"
HELLO = machine.BUILD / "guests/hello"
# Three files of which nothing can be used; None: there is no such file.
UNUSABLE = {"cut off": "text-cut.json", "of another version": "version-2.json", "missing": None}
NO_FILE = "config: \\corbel\\corbel.json: is not there; make an image with tools/corbel-image"
MEMORY_MIB = 2048  # for all the VMs of bad_input at once, each with what its vmm may take besides
STAYS_S = 2  # how long a machine that stays up is watched


def unusable(rig):
    """Results, and how many frames are in use on a machine that has started nothing."""
    results, used = [], []
    for what, name in UNUSABLE.items():
        text = (CONFIG / "bad" / name).read_bytes() if name else None
        sentence = bad_image.judge(text).error if name else NO_FILE
        with tempfile.TemporaryDirectory() as folder:
            disk = Path(folder) / f"unusable-{name}.img"
            bad_image.write(disk, EFI, text, bad_image.files_of(HELLO))
            log = machine.run(rig, disk, ["none"], linger=(r"^corbel: frames: .*free", STAYS_S))
        said = [line for line in log.corbel if line.startswith("config: ")]
        good = said == [sentence] and not log.has("^vm |ended") and log.end == "rig: timeout"
        used += log.frames_used()
        results.append((good, f"{rig}/config.a file that is {what} starts nothing and the machine stays up saying why",
                        f"it said {said}; {log.tail()}"))
    return results, max(used, default=0)


def bad_input(rig):
    """Each VM of the list of bad configurations and each corrupt kernel, in one boot, with good ones."""
    kernels = list(bad_kernels.all_of_them())
    files = bad_image.files_of(HELLO)
    files.update({f"bad/{name}": data for name, data, _ in kernels})
    more = [json.dumps({"name": name, "kernel": f"bad/{name}", "memory": "8M"}).encode() for name, _, _ in kernels]
    text = bad_image.merged(more)
    judged = bad_image.judge(text, files)
    lines = [line[len("corbel: "):] for line in bad_image.refusals(judged)]
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "bad-input.img"
        bad_image.write(disk, EFI, text, files)
        log = machine.run(rig, disk, [vm.name for vm in judged.vms], "--memory", str(MEMORY_MIB))
    wrong = [line for line in set(lines) if log.corbel.count(line) != lines.count(line)]
    results = [(not wrong, f"{rig}/config.each VM of the list of bad ones is refused with its sentence",
                f"{len(wrong)} of {len(lines)}: {wrong[:1]}; {log.tail()}")]
    for name, _, sentence in kernels:
        said = log.refused(name)
        good = len(said) == 1 and said[0].startswith(sentence) and not log.has(f"^vm {name}: (started|ended)")
        results.append((good, f"{rig}/bad-kernel.{name} is refused with one sentence", f"{said}, not {sentence}"))
    hello = "ok 1 - hello from 64-bit mode, started by Multiboot"
    results.append((log.ended("good") == "poweroff" and hello in log.guests["good"] and log.end == "rig: powered-off",
                    f"{rig}/bad-kernel.a good VM among all these runs to its end", log.tail()))
    return results
