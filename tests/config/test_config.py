#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One list of configurations for corbel-image and for init's config.c, and mutations of them.

usage: test_config.py DUMP [COUNT [SEED]]
DUMP is the program of dump.c; COUNT mutations (default 5000) are judged by both.
"""

import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import bad_image  # noqa: E402
from harness import FILES, HERE, TOOL, Report, check, run_tool  # noqa: E402

from corbel_image import config  # noqa: E402  (harness knows where it lies)


def expected_faults():
    """File name -> its sentences, in order."""
    faults = {}
    for line in (HERE / "bad.list").read_text(encoding="utf-8").splitlines():
        name, sentence = line.split("\t")
        faults.setdefault(name, []).append(sentence)
    return faults


class Folder:
    """A folder with the files that the configurations name."""

    def __init__(self, path):
        self.path = Path(path)
        for name in FILES:
            (self.path / name).parent.mkdir(exist_ok=True)
            (self.path / name).write_bytes(name.encode())
        (self.path / "folder").mkdir()
        (self.path / "efi").write_bytes(b"MZ")

    def run(self, text):
        """Runs the tool on a configuration; returns status, stderr and the image or None."""
        image = self.path / "image"
        image.unlink(missing_ok=True)
        (self.path / "config.json").write_bytes(text)
        status, errors = run_tool(
            "--efi", self.path / "efi", "-o", image, self.path / "config.json"
        )
        return status, errors, image.read_bytes() if image.exists() else None


def test_refuses(folder, name, sentences):
    status, errors, image = folder.run((HERE / "bad" / name).read_bytes())
    check(status == 1, f"exit status {status}")
    check(errors == sentences[0] + "\n", f"it says {errors!r}")
    check(image is None, "it wrote an image")


def test_accepts(folder, name):
    text = (HERE / "good" / name).read_bytes()
    status, errors, image = folder.run(text)
    check(status == 0 and errors == "", f"exit status {status}, it says {errors!r}")
    check(text in image, "the configuration is not in the image")
    check(folder.run(text)[2] == image, "the same inputs gave other bytes")


def test_list_is_complete(faults):
    there = {path.name for path in (HERE / "bad").iterdir()}
    check(set(faults) == there, f"bad.list and bad/ differ: {set(faults) ^ there}")


def test_merged_keeps_each_fault(faults):
    """The configuration of bad_image.py has each fault of a VM that bad.list has."""

    def bare(sentences):
        return sorted(re.sub(r"vms\[[0-9]+\]", "vms[]", sentence) for sentence in sentences)

    listed = (sentence for sentences in faults.values() for sentence in sentences)
    want = [sentence for sentence in listed if sentence.startswith("config: vms[")]
    judged = bad_image.judge(bad_image.merged())
    check(bare(judged.errors()) == bare(want), "other faults")
    check(judged.vms[-1].name == "good" and not judged.vms[-1].error, "the last VM is not good")


def test_failure_keeps_image(folder):
    image = folder.path / "kept"
    image.write_bytes(b"old")
    bad = HERE / "bad" / "vms-empty.json"
    check(run_tool("--efi", folder.path / "efi", "-o", image, bad)[0] == 1, "exit status")
    check(image.read_bytes() == b"old", "the old image is gone")
    check([*folder.path.glob("kept*")] == [image], "a file is left over")


def test_one_line_errors(folder):
    good = folder.path / "good.json"
    good.write_bytes((HERE / "good" / "smallest.json").read_bytes())
    image, efi = folder.path / "x.img", folder.path / "efi"
    for arguments in (
        ("--efi", efi, "-o", image, folder.path / "absent.json"),
        ("--efi", efi, "-o", image, folder.path),
        ("--efi", folder.path / "absent.efi", "-o", image, good),
        ("--efi", folder.path, "-o", image, good),
        ("--efi", efi, "-o", folder.path / "absent" / "x.img", good),
        ("--efi", efi, "-o", folder.path / "folder", good),
        ("--efi", efi, "-o", good, good),
        ("--efi", efi, "-o", folder.path / "kernel", good),
        ("--efi", efi, "-o", "/dev/null", good),
    ):
        status, errors = run_tool(*arguments)
        check(status == 1 and errors.count("\n") == 1, f"{arguments}: {status}, {errors!r}")
    for arguments in ((), (good,), ("-o", image), ("-o", image, good, good), ("-x", good)):
        status, errors = run_tool(*arguments)
        check(status == 2 and errors, f"{arguments}: {status}, {errors!r}")


def test_command(folder):
    """The tool as a program of its own."""
    image = folder.path / "command.img"
    command = [str(TOOL), "--efi", str(folder.path / "efi"), "-o", str(image)]
    good = folder.path / "good.json"
    good.write_bytes((HERE / "good" / "all-keys.json").read_bytes())
    subprocess.run([*command, str(good)], check=True)
    check(image.read_bytes() == folder.run(good.read_bytes())[2], "another image")
    bad = str(HERE / "bad" / "vms-empty.json")
    result = subprocess.run([*command, bad], capture_output=True, text=True, check=False)
    check(result.returncode == 1, f"exit status {result.returncode}")
    check(result.stderr == "config: vms: empty; give at least one VM\n", result.stderr)


def describe(text):
    """What dump.c prints for a configuration, from corbel-image's reading of it."""
    judged = config.parse(text, lambda path: "missing" not in path)
    if judged.error:
        return [judged.error]
    lines = [str(config.WHEN_ALL_STOPPED.index(judged.when_all_stopped))]
    for vm in judged.vms:
        if vm.error:
            lines.append(f"{vm.name} {vm.error}")
            continue
        strings = [vm.kernel, vm.initrd or "-", vm.cmdline]
        for module in vm.modules:
            strings += module
        cores = (vm.realtime or [0, 0, 0]) + sorted(vm.cpus)
        lines.append(
            f"{vm.name} {vm.memory} {vm.vcpus} {vm.autostart:d} "
            f"{config.RESTART.index(vm.restart)} {vm.test_device:d} {vm.apicv:d} "
            f"{vm.weight} {vm.cap} {vm.exclusive:d} {','.join(map(str, cores))} "
            + " ".join(string.encode().hex() for string in strings)
        )
    return lines


def test_both_agree(dump, texts):
    framed = b"".join(b"%d\n" % len(text) + text for text in texts)
    result = subprocess.run([dump], input=framed, capture_output=True, check=False)
    check(result.returncode == 0, f"dump: {result.returncode}: {result.stderr[-300:]!r}")
    # Each answer ends with a line of "." alone; no sentence is one.
    answers = [answer.splitlines() for answer in result.stdout.decode().split("\n.\n")[:-1]]
    check(len(answers) == len(texts), f"{len(answers)} answers to {len(texts)} texts")
    for text, answer in zip(texts, answers):
        want = describe(text)
        check(answer == want, f"on {text[:3000]!r} init says {answer}, corbel-image {want}")


WORDS = rb"""
" \ { } [ ] , : 0 1 - . e5 E+1 true false null 1e999 1.0 0.1 -0 "" "a" [] {} \/ \n
999999999999999999999999999999 \u0000 \ud83d \ude00 \u00e9
"missing" "kernel" "KERNEL" "kernel/x" "a/b" "../a" "acpi/x" "4K" "6K" "1G" "65536G" "65537G"
"name": "kernel": "initrd": "modules": "file": "cmdline": "memory": "vcpus": "autostart":
"restart": "test_device": "weight": "cap": "cpus": "exclusive": "realtime": "priority": "budget_us": "version": "when_all_stopped": "vms": "never" "always" "stay"
{"name":"b","kernel":"kernel"},
""".split()
WORDS += [b" ", b"\n", b"\t", b"\0", b"\x7f", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80"]
WORDS += ["\u00e9".encode(), "\u20ac".encode(), "\U0001f600".encode()]
QUOTED = [word.split(b'"')[1] for word in WORDS if word.startswith(b'"') and len(word) > 1]


def mutate(chance, texts):
    text = chance.choice(texts)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randint(0, len(text))
        end = min(len(text), at + chance.choice((0, 1, 1, 2, 5, 20, 100)))
        kind = chance.randrange(5)
        if kind == 0:
            new = chance.choice(WORDS)
        elif kind == 1:
            new = bytes((chance.randrange(256),))
        elif kind == 2:
            new = b""
        elif kind == 3:
            new = text[at:end] * 2
        else:
            other = chance.choice(texts)
            start = chance.randint(0, len(other))
            new = other[start : start + chance.randint(0, 60)]
        text = text[:at] + new + text[end:]
    return text


def replace_values(chance, text):
    """Keeps the grammar, so that mutations reach the rules: exchanges values and keys."""
    parts = text.split(b'"')
    for _ in range(chance.choice((1, 2, 4))):
        i = chance.randrange(len(parts))
        if i % 2:
            parts[i] = chance.choice(QUOTED)
        elif b": " in parts[i]:
            value = chance.choice((b"1", b"1.5", b"[],", b"{},"))
            parts[i] = parts[i].replace(b": ", b": " + value, 1)
    return b'"'.join(parts)


def mutations(count, seed):
    chance = random.Random(seed)
    paths = [*sorted((HERE / "bad").iterdir()), *sorted((HERE / "good").iterdir())]
    texts = [path.read_bytes() for path in paths if path.stat().st_size < 3000]
    for _ in range(count):
        if chance.randrange(2):
            yield mutate(chance, texts)
        else:
            yield replace_values(chance, chance.choice(texts))


def extremes():
    """What is too long to keep in bad/."""
    head = b'{"version":1,"vms":['
    last = b'{"name":"a","kernel":"f0"}]}'
    for count in (1023, 1024, 1025, 4095, 4096):
        vms = (b'{"name":"v%d","kernel":"f%d"},' % (i, i) for i in range(count))
        yield head + b"".join(vms) + last
    for count in (4095, 4096, 65532, 65533):
        yield head + b"0," * count + b"0]}"
    for size in (config.SIZE_MAX, config.SIZE_MAX + 1):
        yield (head + last).rjust(size)
    yield bad_image.merged()
    yield b"[" * 1000000
    yield b'{"a":' * 100000
    yield b'"' + b"a" * 1000000
    yield b'{"' + b"\\u00e9" * 150000 + b'":1}'


def main():
    if len(sys.argv) < 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    dump = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    report = Report()
    faults = expected_faults()
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path)
        report.run("list_is_complete", test_list_is_complete, faults)
        report.run("merged_keeps_each_fault", test_merged_keeps_each_fault, faults)
        for name, sentences in faults.items():
            report.run("refuses_" + name[:-5], test_refuses, folder, name, sentences)
        for good in sorted((HERE / "good").iterdir()):
            report.run("accepts_" + good.stem, test_accepts, folder, good.name)
        report.run("failure_keeps_image", test_failure_keeps_image, folder)
        report.run("one_line_errors", test_one_line_errors, folder)
        report.run("command", test_command, folder)
    report.run("both_agree_on_extremes", test_both_agree, dump, list(extremes()))
    report.run("both_agree_on_mutations", test_both_agree, dump, list(mutations(count, seed)))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
