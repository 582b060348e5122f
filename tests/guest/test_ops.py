# SPDX-License-Identifier: BSD-2-Clause
"""What the machine does with its VMs while it runs: starting them again, and what the operator asks for."""

import json
import os
import random
import re
import subprocess

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


# What is typed at the prompt, and what must come of it; behind it the prompt comes back.
PROMPT = r"^corbel: [a-z0-9-]+> \Z"
CONTROLS = bytes(c for c in range(1, 32) if chr(c) not in "\3\4\10\t\n\13\14\r\15\16\20\25\27\33\35\1\2\5\6") + b"\0\x80\xff\x1b[5~\x1b[99z"
COMMANDS = (
    (b"vms", r"^corbel: web +runs .*?^corbel: db +runs .*?^corbel: off +off .*?^corbel: huge +off ", "lists the VMs and their states"),
    (b"start web", r"^corbel: vm web: runs already", "does not start what runs"),
    (b"start nobody", r"^corbel: vm nobody: there is none of this name", "knows no VM of another name"),
    (b"start huge", r"^corbel: vm huge: not enough memory", "says why a VM cannot start"),
    (b"stop off", r"^corbel: vm off: does not run", "does not stop what does not run"),
    (b"kill off", r"^corbel: vm off: does not run", "nor kill it"),
    (b"pause off", r"^corbel: vm off: does not run", "nor pause it"),
    (b"reset off", r"^corbel: vm off: does not run", "nor reset it"),
    (b"stats off", r"^corbel: vm off: does not run", "nor count its exits"),
    (b"resume web", r"^corbel: vm web: is not paused", "does not resume what is not paused"),
    (b"start off\rkill off", r"^corbel: vm off: ended: killed.*?^corbel: frames: ", "kills a VM that is just starting"),
    (b"start off\rstop off", r"^corbel: vm off: started.*?^corbel: vm off: ended: poweroff.*?^corbel: frames: ", "presses the power button"),
    (b"pause db\rpause db", r"^corbel: vm db: is paused already", "pauses once"),
    (b"stop db", r"^corbel: vm db: is paused; resume it", "says that a paused VM cannot power off"),
    (b"kill db\rstart db", r"^corbel: vm db: ended: killed.*?^corbel: vm db: started", "kills a paused VM and starts it again"),
    (b"reset db", r"^corbel: vm db: ended: killed.*?^corbel: vm db: started", "resets"),
    (b"stats db", r"^corbel: vm db: exits CPUID=", "counts exits"),
    (b"x" * 1000, r"^corbel: a command has at most 255 characters; nothing was done", "refuses a line of 1,000 characters"),
    (CONTROLS + b"memory", r"^corbel: memory: \d+ KiB usable.*?^corbel: web +\d+ KiB of RAM", "heeds no control characters"),
    (b"kill web kill", r"^corbel: kill: takes one name", "refuses a word too many"),
    (b"kill " + b"w" * 100, r"^corbel: w{32}\.\.\.: longer than any name", "refuses a name too long"),
    (b"boom", r"^corbel: boom: no command", "knows no other command"),
    (b"load web", r"^corbel: vm web: runs; only what was saved", "loads nothing over a VM that runs"),
    (b"save off\rload off", r"^corbel: vm off: does not run\r.*?^corbel: vm off: does not run, and nothing is saved", "saves and loads nothing that is not there"),
    (b"pause db\rsave db\rload db", r"^corbel: vm db: is paused; resume it, then save it.*?^corbel: vm db: is paused; resume it, and", "saves nothing that is paused"),
    (b"resume db\rsave db", r"^corbel: vm db: saved: \d+ KiB of state, \d+ KiB of RAM in use", "saves a VM"),
    (b"vms\rmemory", r"^corbel: db +saved +16384 KiB.*?^corbel: db +16384 KiB of RAM, +\d+ KiB taken", "says that it is saved, and what that costs"),
    (b"save db\rstop db\rstart db\rpause db\rresume db\rreset db\rstats db",
     r"^corbel: vm db: is saved already(?:.*?^corbel: vm db: is saved; load it, or kill it){6}", "does nothing else to a saved VM"),
    (b"load db", r"^corbel: vm db: loaded", "loads it"),
    (b"vms\rsave db\rkill db", r"^corbel: db +runs .*?^corbel: vm db: saved.*?^corbel: vm db: ended: killed.*?^corbel: frames", "drops what was saved"),
    (b"load db\rstart db", r"^corbel: vm db: does not run, and nothing is saved.*?^corbel: vm db: started", "and starts it anew"),
    (b"set nobody weight=3", r"^corbel: vm nobody: there is none of this name", "sets nothing of a VM that is none"),
    (b"set web weight=0", r"^corbel: vm web: weight: not a whole number from 1 to 10000", "refuses a weight out of range"),
    (b"set web cap=20 realtime=1,100,1000", r"^corbel: vm web: realtime: beside a cap", "refuses settings that contradict each other"),
    (b"set web weight=3 cpus=99", r"^corbel: vm web: cpus: core 99 is not there", "refuses a core that is not there"),
    (b"set web cpus=0 exclusive=on", r"^corbel: vm web: exclusive: true with core 0", "keeps a core for Corbel's own work"),
    (b"set web weight=3 cap=50 cpus=0\rset off realtime=50,2000,10000\rset web speed=3", r"^corbel: vm web: speed: no setting",
     "sets weight, cap, cores and priority"),
    (b"set web ca\t101", r"^corbel: vm web: cap: more than its cpus can give", "completes a setting, and knows what was set"),
    (b"cores", r"^corbel: core +0 +APIC id +0 +\d+\.\d % busy +0 waiting +runs \S+", "tells what each core does"),
    (b"he\t", r"^corbel: vms  .*?^corbel: help  ", "completes a command"),
    (b"stats we\t", r"(?s)^corbel: vm web: exits CPUID=.*?^corbel: vm web: PORT took [<>]\d+\.\dus=\d+",
     "completes a name, and tells how long exits took"),
    (b"kill nobody\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[Dx", r"^corbel: vm xnobody: ", "edits a line"),
    (b"\x1b[A\x01\x0bvms", r"^corbel: web +runs ", "has a history"),
    (b"log", r"^corbel: log: vm db: ended: killed", "tells what was logged"),
)
TOP = (r"(?s)^corbel: 2 of 4 VMs run(?:(?:.*?^corbel: (?:web|db) +runs +\d+\.\d % of a core +\d+\.\d % steal +\d+ exits/s){2}"
       r".*?^corbel: core +0 +APIC id +0 +\d+\.\d % busy){2}")
GUEST = "operated"
ORDERS = 120
AHEAD = 12  # commands


def operator(rig):
    """An operator at the prompt, who does a lot wrong."""
    vms = [vm("web", GUEST), vm("db", GUEST), vm("off", GUEST, autostart=False), vm("huge", GUEST, memory="64G", autostart=False)]
    steps = [(r"(?s)(?=.*^web\| ready).*^db\| ready", b"\x1d")]
    wait = ""
    for line, answer, _ in COMMANDS:
        steps.append((f"(?s){wait}.*?{PROMPT}", line + b"\r"))
        wait = answer
    steps += [(f"(?s){wait}.*?{PROMPT}", b"top\r"), (TOP, b"q"), (PROMPT, b"pause web\r\r"),  # and leaves
              (r"pause web\r\n(?s:.*?)> \r\n", b"first\r\x1d"), (PROMPT, b"resume web\r"), (PROMPT, b"\r"),
              (r"^web\| got: first", b"\x1dconsole db\r"), (r"^ready\r?\n\Z", b"second\r"),
              (r"^got: second", b"\x1dconsole\r"), (r"console\r\n", b"third\r"),
              (r"^web\| got: third", b"\x1dpoweroff\r"), (r"^corbel: vm (?s:.*)^corbel: vm (?s:.*)^corbel: frames", b"")]
    log = machine.boot(rig, vms, steps=steps, timeout=300)
    results, at = [], log.text.find("\x1d") + 1
    for line, answer, sentence in COMMANDS:
        match = re.compile(answer, re.M | re.S).search(log.text, at)
        at = match.end() if match else at
        results.append((bool(match), f"{rig}/operator.the prompt {sentence}", f"no {answer} after {line}; {log.tail()}"))
    text = log.text.replace("\r", "")
    paused, resumed, first = (text.rfind(word) for word in ("> pause web", "> resume web", "web| got: first"))
    used = log.frames_used()
    wanted = (
        (re.search(TOP, text, re.M), "top tells what each VM does, second by second, until a key comes"),
        (0 < paused < resumed < first, "a paused VM does nothing until it is resumed, and then what it was told"),
        (re.search(r"> console db\n(?:.*\n)*?ready\ngot: second\n", text), "console NAME shows what the VM wrote, unchanged, and types to it"),
        (re.search(r"> console\n(?:.*\n)*?web\| got: third\n", text), "console alone shows all VMs' lines, and types to the first"),
        (log.ended("web") == "poweroff" and "db" in text and text.count("vm db: ended: poweroff") == 1 and log.end == "rig: powered-off",
         "poweroff presses each power button, then the machine's"),
        (text.count("not ok ") == 0 and "ok 3 - it is pressed once" in text, "each guest is content with its power button"),
        (len(used) > 4 and used[-1] <= used[0] + 24, "all frames come back"),
        (not log.has(r"panic|^service "), "nothing breaks"),
    )
    results += [(bool(good), f"{rig}/operator.{sentence}", f"frames {used}; {log.tail()}") for good, sentence in wanted]
    return results + ahead(rig)


def ahead(rig):
    """Who types ahead is at the prompt, too: the machine does not go down under him with its last VM."""
    steps = [(r"^web\| ready", b"\x1dkill web\r" + AHEAD * b"vms\r"), (rf"(?s)(?:> vms\r\n.*?){{{AHEAD}}}{PROMPT}", b"\r")]
    log = machine.boot(rig, [vm("web", GUEST), vm("db", GUEST, autostart=False)], steps=steps, timeout=120)
    told = len(re.findall(r"^corbel: db +off ", log.text, re.M))
    return [(told == AHEAD and log.ended("web") == "killed" and log.end == "rig: powered-off",
             f"{rig}/operator.what is typed ahead is done before the machine goes down", f"{told} times; {log.tail()}")]


def flood(rig):
    """A guest that writes without end, and forges lines of the prompt, while the operator stands there."""
    told = rf"(?s)flood +runs .*?{PROMPT}"
    steps = [(r"xxxx", b"\x1d"), (PROMPT, b"vms\r"), *[(told, b"vms\r")] * 40, (told, b"memory\r"),
             (rf"(?s)KiB of RAM.*?{PROMPT}", b"top\r"), (r"^corbel: flood +runs +[1-9]\d?\.\d % of a core +\d+\.\d % steal +[1-9]\d* exits/s", b"q"),
             (PROMPT, b"\r"), (r"^corbel: console: \d+ bytes of flood are not shown(?s:.*)xxxx", b"\x1d\x1d"),
             (r"(?s)> \r\n.*xxxx", b"\x1dkill flood\r"), (rf"(?s)ended: killed.*?{PROMPT}", b"\r")]
    log = machine.boot(rig, [vm("flood", "flood")], steps=steps, timeout=300)
    text = log.text.replace("\r", "")
    there = re.search(r"^corbel: flood> vms\n(.*)^corbel: flood> memory\n(.*?)^corbel: flood> \n", text, re.M | re.S)
    wanted = (
        (there and "xx" not in there[0], "no byte of its comes in between while the prompt is open"),
        (there and "corbel: flood " in there[1] and "KiB of RAM" in there[2], "the prompt answers"),
        (log.has(r"^console: \d+ bytes of flood are not shown$"), "what is not shown is told"),
        (log.ended("flood") == "killed" and log.end == "rig: powered-off", "it is killed, and the machine goes on to its end"),
    )
    # One that takes nothing of what is typed: more than it, its vmm and the console have room for.
    deaf = machine.boot(rig, [vm("deaf", "idle")], timeout=300,
                        steps=[(r"^up", b"y" * 20000 + b"\x1dvms\r"), (rf"(?s)deaf +runs .*?{PROMPT}", b"kill deaf\r\r")])
    wanted += ((deaf.ended("deaf") == "killed" and deaf.end == "rig: powered-off",
                "a guest that takes nothing of 20,000 bytes keeps the operator from nothing"),)
    # And one whose vmm spins: it answers nothing, and does not even stand still.
    spin = machine.boot(rig, [vm("spin", "vmmcrash", cmdline="how=spin")], timeout=300,
                        steps=[(r"vmm is about to spin", b"\x1dstats spin\r"), (rf"(?s)does not answer.*?{PROMPT}", b"pause spin\rkill spin\r"),
                               (rf"(?s)ended: killed.*?{PROMPT}", b"\r")])
    wanted += ((spin.has("^vm spin: its vmm does not answer$") and spin.ended("spin") == "killed" and spin.end == "rig: powered-off",
                "a vmm that spins is told of, and killed"),)
    return [(bool(good), f"{rig}/flood.{sentence}", f"{log.tail()}; {deaf.tail()}; {spin.tail()}") for good, sentence in wanted]


def orders(rig):
    """Orders to four VMs in random order; each is done or refused, and in the end every frame is back."""
    dice, names = random.Random(20261122), ["a", "b", "c", "d"]
    lines = [f"{dice.choice(('start', 'start', 'stop', 'kill', 'pause', 'resume', 'reset', 'save', 'load'))} {dice.choice(names)}" for _ in range(ORDERS)]
    warm = [f"{what} {name}" for what in ("start", "kill") for name in names]
    steps, wait = [(r"^corbel: vm [a-d]: started", b"\x1d")], ""
    for line in warm + ["vms"] + lines + [f"kill {name}" for name in names]:
        steps.append((f"(?s){wait}{PROMPT}", line.encode() + b"\r"))
        wait = rf"{line}\r\n.*?"
    idle = rf"(?s){wait}{PROMPT}"
    for _ in range(5):  # the last ones are on their way out
        steps += [(idle, b"vms\r")]
        idle = rf"(?s)vms\r\n.*?{PROMPT}"
    steps += [(idle, b"memory\r"), (rf"(?s)KiB of RAM.*?{PROMPT}", b"\r")]
    log = machine.boot(rig, [vm(name, GUEST, autostart=name == "a", restart="always" if name == "d" else "never") for name in names],
                       steps=steps, timeout=200)
    count = {word: sum(bool(re.match(rf"vm [a-d]: {word}", line)) for line in log.corbel) for word in ("started", "ended", "refused")}
    used = log.frames_used()
    wanted = (
        (all(log.has(rf"^[a-d-]> {line}$") for line in lines), "each is typed and taken"),
        (count["started"] > ORDERS // 10 and not count["refused"], "VMs start and end all the time"),
        (len(used) > 10 and used[-1] <= min(used[1:9]) + 8, "all frames come back"),
        (log.end == "rig: powered-off" and not log.has(r"panic|^service |ended: error"), "nothing breaks, and the machine goes down at the end"),
    )
    return [(bool(good), f"{rig}/orders.{sentence}", f"{count}, frames {used}; {log.tail()}") for good, sentence in wanted]


def rounds(rig):
    """A VM that the operator starts and that ends at its first instruction, 1,000 times (in `make test` 100 times)."""
    count = 1000 if os.environ.get("LONG") else 100
    again = rf"(?s)^corbel: vm round: ended: test-device 1\b.*?^corbel: frames: .*?{PROMPT}"
    steps = [(r"^keeper\| up", b"\x1d"), (PROMPT, b"start round\r"), *[(again, b"start round\r")] * (count - 1),
             (again, b"poweroff\r"), (rf"(?s)poweroff.*{PROMPT}", b"poweroff\r")]
    log = machine.boot(rig, [vm("keeper", "idle"), vm("round", "first", memory="4M", autostart=False)], steps=steps, timeout=900)
    used, half = log.frames_used()[1:count + 1], count // 2
    wanted = ((len(used) == count, "a VM is started, run and destroyed again and again"),
              (len(used) == count and max(used[half:]) <= max(used[:half]) + 1, "each time every frame comes back"),
              (log.end == "rig: powered-off" and not log.has(r"panic|^service |error"), "nothing breaks"))
    return [(bool(good), f"{rig}/rounds.{sentence}", f"{len(used)} rounds, frames {used[:12]} .. {used[-3:]}; {log.tail()}")
            for good, sentence in wanted]


SAVES = 25


def save(rig):
    """VMs that are saved and loaded again and again by the operator: one that sleeps, one whose CPUs work, and one whose
    state is spoilt."""
    vms = [vm("web", GUEST), vm("pair", "smp-reload", vcpus=2, cmdline="again"), vm("spoilt", GUEST, cmdline="test.spoil=flip")]
    steps, wait = [(r"(?s)(?=.*^web\| ready)(?=.*^spoilt\| ready).*^corbel: vm pair: started", b"\x1d")], ""
    lines = [f"{what} {name}" for _ in range(SAVES) for what in ("save", "load") for name in ("web", "pair")]
    for line in lines[:8] + ["memory"] + lines[8:] + ["memory", "save spoilt", "load spoilt", "load spoilt", "vms", "kill spoilt", "kill pair", "console web"]:
        steps.append((f"(?s){wait}{PROMPT}", line.encode() + b"\r"))
        wait = rf"{line}\r\n.*?"
    steps += [(r"console web\r\n", b"still there\r"), (r"got: still there", b"\x1dstop web\r\r")]
    log = machine.boot(rig, vms, steps=steps, timeout=900)
    done = {what: [sum(line.startswith(f"vm {name}: {what}") for line in log.corbel) for name in ("web", "pair", "spoilt")]
            for what in ("saved", "loaded", "not loaded: the state is damaged")}
    sizes = [int(m[1]) for line in log.corbel if (m := re.match(r"vm web: saved: .*, (\d+) KiB of RAM", line))]
    free = [int(m[1]) for line in log.corbel if (m := re.match(r"memory: .*, (\d+) KiB free", line))]
    used = log.frames_used()
    wanted = (
        (len(free) == 2 and free[1] >= free[0] - 128, "no memory is lost from one round to the next"),
        (list(done.values()) == [[SAVES, SAVES, 1], [SAVES, SAVES, 0], [0, 0, 2]], "each is done, and a spoilt state refused"),
        (log.has(r"^spoilt +saved "), "what could not be loaded is still saved"),
        (sizes and max(sizes) - sizes[0] <= 64, "the guest's RAM does not grow"),
        ("got: still there" in log.text and log.ended("web") == "poweroff", "a guest that was saved so often answers, and powers off"),
        ("not ok" not in log.text and log.ended("pair") == "killed", "CPUs that work notice nothing"),
        (len(used) > 3 and used[-1] <= used[0] + 24, "all frames come back"),
        (log.end == "rig: powered-off" and not log.has(r"panic|^service |ended: error"), "nothing breaks"),
    )
    return [(bool(good), f"{rig}/save.{sentence}", f"{done}, {sizes}, free {free}, frames {used}; {log.tail()}")
            for good, sentence in wanted]


def trace(rig):
    """What the prompt's trace becomes: turns of two VMs that spin, and of one that sleeps in between, on two cores."""
    vms = [vm("left", "spin", cmdline="rounds=1000000000"), vm("right", "spin", cmdline="rounds=1000000000"),
           vm("clock", "alarm", cmdline="count=1000000 us=1000")]
    steps = [(r"(?s)(?=.*^left\| spin)(?=.*^right\| spin)(?=.*^clock\| alarm)", b"\x1d"),
             (PROMPT, b"trace\r"), (rf"(?s)^corbel: trace ends.*{PROMPT}", b"poweroff\r"),
             (rf"(?s)poweroff.*{PROMPT}", b"poweroff\r")]
    log = machine.boot(rig, vms, "--cpus", "2", steps=steps, timeout=300)
    tool = subprocess.run([str(machine.TOP / "tools/corbel-trace"), "-", "-o", "/dev/stdout"], input=log.text.encode(),
                          capture_output=True, check=False)
    events = json.loads(tool.stdout)["traceEvents"] if tool.returncode == 0 else []
    turns = [event for event in events if event["ph"] == "X"]
    names = {event["name"] for event in turns}
    exits = {event["name"] for event in events if event["ph"] == "i"}
    spent = [sum(event["dur"] for event in turns if event["tid"] == core) for core in (0, 1)]
    length = max((event["ts"] + event["dur"] for event in turns), default=0)
    wanted = ((tool.returncode == 0, "corbel-trace reads what the prompt says"),
              ({"left", "right", "clock"} <= names, "each VM has turns in it"),
              ({"exit HLT", "exit INTERRUPT"} <= exits, "so have exits"),
              (all(0 < time <= length * 1.001 for time in spent), "no core has more turns than time"),
              (len({event["tid"] for event in turns}) == 2, "both cores are in it"))
    return [(bool(good), f"{rig}/trace.{sentence}", f"{names}, {exits}, {spent} of {length}; {tool.stderr!r}; {log.tail()}")
            for good, sentence in wanted]
