# SPDX-License-Identifier: BSD-2-Clause
"""Boots images on a rig and takes apart what COM1 said."""

import codecs
import contextlib
import json
import os
import re
import select
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = TOP / "build"
REQUIRED_RIGS = ("bochs-vmx", "bochs-svm", "qemu-svm")
PLAN = re.compile(r"^1\.\.(\d+)")
LINE = re.compile(r"^(ok|not ok) ([a-z0-9-]+/[^:]+)(?:: (.*))?$")
RESULT = re.compile(r"^(ok|not ok) (\d+)(?: - (.*))?$")


def has_kvm():
    """kvm takes part only where it can nest: RIGS, section 3."""
    flags = Path("/proc/cpuinfo").read_text(errors="replace")
    return bool(re.search(r"^flags\s*:.*\b(vmx|svm)\b", flags, re.M)) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def rigs(only=None):
    return [rig for rig in (*REQUIRED_RIGS, *(["kvm"] if has_kvm() else [])) if only in (None, rig)]


def vm(name, kernel, **settings):
    """A VM of a configuration: a kernel of build/guests, with test device."""
    return {"name": name, "kernel": kernel, "memory": "16M", "test_device": True, **settings}


class Log:
    """What one run printed: Corbel's own lines, and each guest's."""

    def __init__(self, text, end, names):
        self.text = text
        self.end = end
        self.corbel = []
        self.guests = {name: [] for name in names}
        for line in text.replace("\r", "").split("\n"):
            if line.startswith("corbel: "):
                self.corbel.append(line[len("corbel: "):])
                continue
            name, bar, rest = line.partition("| ")
            if bar and name in self.guests:
                self.guests[name].append(rest)
            elif len(names) == 1:
                self.guests[names[0]].append(line)

    def ended(self, name):
        """How the VM ended; None = it did not."""
        for line in self.corbel:
            if line.startswith(f"vm {name}: ended: "):
                return line[len(f"vm {name}: ended: "):]
        return None

    def refused(self, name):
        """Why the VM was refused, each time."""
        head = f"vm {name}: refused: "
        return [line[len(head):] for line in self.corbel if line.startswith(head)]

    def frames_used(self):
        """How many frames were in use at each line that tells it."""
        lines = [re.match(r"frames: (\d+) usable, (\d+) free$", line) for line in self.corbel]
        return [int(match[1]) - int(match[2]) for match in lines if match]

    def has(self, pattern):
        return any(re.search(pattern, line) for line in self.corbel)

    def tail(self):
        lines = [line for line in self.text.replace("\r", "").split("\n") if line]
        return f"{self.end}; last line: {lines[-1] if lines else 'none'}"


def image(path, vms, files, efi=BUILD / "corbel.efi", **settings):
    """Makes an image of these files (a Path or the bytes of each) and this configuration."""
    with tempfile.TemporaryDirectory() as folder:
        for name, source in files.items():
            data = source if isinstance(source, bytes) else Path(source).read_bytes()
            place = Path(folder) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        config = Path(folder) / "corbel.json"
        config.write_text(json.dumps({"version": 1, "vms": vms, **settings}))
        subprocess.run([TOP / "tools/corbel-image", "--efi", efi, "-o", path, config], check=True)


def run(rig, disk, names, *options, timeout=300, expect=None, steps=(), linger=None):
    """One run of the rig; returns its Log, and leaves what COM1 said in build/tests/logs.

    steps: (regular expression, bytes), each sent to COM1 once the expression was found behind the one before; with a
    third value so many seconds later, in which the machine is left alone.
    linger: (regular expression, seconds), ends the run so long after the expression was found.
    """
    command = [TOP / "tests/rig/run", "--rig", rig, "--timeout", str(timeout), *options]
    if expect:
        command += ["--expect", expect]
    folder = BUILD / "tests/logs"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile() as errors, open(folder / f"{rig}-{Path(disk).stem}.log", "w") as file, \
            subprocess.Popen([*command, disk], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as rig_run:
        text = talk(rig_run, steps, file, linger)
        rig_run.wait(timeout=120)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    return Log(text, said[-1] if said else "rig: said nothing", names)


def talk(rig_run, steps, file, linger=None):
    """Reads until the end of the output, and types each step once it was waited for; the runner has the deadline."""
    text, seen, written, waiting, until = "", 0, 0, list(steps), None
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while True:
        if until and not select.select([rig_run.stdout], [], [], max(0, until - time.monotonic()))[0]:
            rig_run.terminate()
            until = None
        chunk = rig_run.stdout.read1(65536)
        if not chunk:
            break
        text += decoder.decode(chunk)
        print(text[written:], end="", file=file, flush=True)
        written = len(text)
        if linger and re.search(linger[0], text, re.M):
            until, linger = time.monotonic() + linger[1], None
        while waiting and (match := re.compile(waiting[0][0], re.M).search(text, seen)):
            seen = match.end()
            _, data, *pause = waiting.pop(0)
            time.sleep(sum(pause))
            with contextlib.suppress(BrokenPipeError):
                rig_run.stdin.write(data)
                rig_run.stdin.flush()
    return text


def boot(rig, vms, *options, files=None, **settings):
    """Boots these VMs, whose kernels are files of build/guests, and returns the Log; files: more of them."""
    keep = {key: settings.pop(key) for key in ("timeout", "expect", "steps") if key in settings}
    files = {**(files or {}), **{f"{v['kernel']}.guest": BUILD / "guests" / v["kernel"] for v in vms}}
    vms = [{**v, "kernel": f"{v['kernel']}.guest"} for v in vms]
    with tempfile.TemporaryDirectory() as folder:
        disk = f"{folder}/{vms[0]['name']}.img"
        image(disk, vms, files, **settings)
        return run(rig, disk, [v["name"] for v in vms], *options, **keep)


def tap(rig, log, name, ended="test-device 1"):
    """The results of one guest's TAP lines, and one for how it ended."""
    lines = log.guests[name]
    plan = next((int(PLAN.match(line)[1]) for line in lines if PLAN.match(line)), None)
    results = {}
    for line in lines:
        match = RESULT.match(line)
        if match:
            sentence = (match[3] or f"number {match[2]}").split(" # ")[0].replace(":", ",")
            results[int(match[2])] = (match[1] == "ok", f"{rig}/{name}.{sentence}", line)
    found = list(results.values())
    if plan is None:
        found.append((False, f"{rig}/{name}.plan", f"no plan; {log.tail()}"))
    else:
        for number in range(1, plan + 1):
            if number not in results:
                found.append((False, f"{rig}/{name}.number {number}", f"missing; ended {log.ended(name)}; {log.tail()}"))
    found.append((log.ended(name) == ended, f"{rig}/{name}.ends as it should",
                  f"{log.ended(name)}, not {ended}; {log.tail()}"))
    return found


def host_program(command, where="unit"):
    """A program on the host that prints result lines; what it does not say, its exit status does."""
    name = Path(command[0]).name
    run = subprocess.run(command, cwd=TOP, env={**os.environ, "RIG": where}, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="replace", timeout=1800, check=False)
    results = []
    for line in run.stdout.splitlines():
        match = LINE.match(line)
        if match:
            results.append((match[1] == "ok", match[2], match[3] or ""))
    if run.returncode and all(good for good, _, _ in results):
        tail = " / ".join(run.stdout.strip().splitlines()[-3:])
        results.append((False, f"{where}/{name}", f"exit status {run.returncode}: {tail}"))
    if not run.returncode and not results:
        results.append((not os.environ.get("TEST", "*") == "*", f"{where}/{name}", "it ran no test"))
    return results
