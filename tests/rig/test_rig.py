#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the runner: test_rig.py HELLO.EFI; RIG (or "unit") and TEST in the environment choose.

Prints "ok WHERE/rig.NAME" or "not ok WHERE/rig.NAME: REASON". hello.c tells what the program does.
"""

import fnmatch
import hashlib
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent
RUN = HERE / "run"
sys.path.insert(0, str(HERE))

import console  # noqa: E402
import esp  # noqa: E402
import machine  # noqa: E402
import options  # noqa: E402
import pcap  # noqa: E402
import qemu  # noqa: E402

PROMPT = b"\x1b[1mor\x1b[0mder? "
BOOT_S = 240  # more than a loaded machine needs from power-on to the prompt
ESP_START = 2048 * 512


class Failed(Exception):
    """Why a test failed, in one line."""


def check(condition, reason):
    if not condition:
        raise Failed(reason)


def equal(found, wanted):
    check(found == wanted, f"{found!r} instead of {wanted!r}")


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def make_image(path, efi):
    """A small disk that starts the program."""
    with open(path, "wb") as file:
        file.truncate(8 << 20)
    env = {**os.environ, "MTOOLSRC": os.devnull, "MTOOLS_SKIP_CHECK": "1"}
    fat = f"{path}@@{ESP_START}"
    for command in (["sgdisk", "-n", "1:2048:0", "-t", "1:ef00", path],
                    ["mformat", "-i", fat, "-T", "12288", "-h", "16", "-s", "63", "::"],
                    ["mmd", "-i", fat, "::/EFI", "::/EFI/BOOT"],
                    ["mcopy", "-i", fat, efi, "::/EFI/BOOT/BOOTX64.EFI"]):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=env, check=False)
        check(done.returncode == 0, f"{command[0]}: {' '.join(done.stdout.split())}")


class Run:
    """A running tests/rig/run in a folder of its own for temporary files."""

    def __init__(self, rig, image, *arguments, stdin=subprocess.PIPE):
        self.folder = tempfile.TemporaryDirectory(prefix="corbel-test-")
        self.process = subprocess.Popen(
            [RUN, "--rig", rig, "--timeout", str(BOOT_S), *arguments, image],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            env={**os.environ, "TMPDIR": self.folder.name})
        self.output = b""
        self._seen = 0

    def wait_for(self, text):
        """What came before the text, since the last call."""
        deadline = time.monotonic() + BOOT_S
        while True:
            at = self.output.find(text, self._seen)
            if at >= 0:
                before = self.output[self._seen:at]
                self._seen = at + len(text)
                return before
            if not select.select([self.process.stdout], [], [],
                                 max(0, deadline - time.monotonic()))[0]:
                raise Failed(f"{text!r} did not come within {BOOT_S} s")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Failed(f"it ended without {text!r}: {self.end()}")
            self.output += data

    def send(self, text):
        self.process.stdin.write(text)

    def order(self, letter):
        """Gives an order to the program; returns the lines of its answer."""
        self.send(letter)
        return self.wait_for(b"<" + letter + b">").decode("ascii").split("\r\n")

    def end(self):
        """Exit status and last line; sees to it that nothing is left behind."""
        try:
            rest, messages = self.process.communicate(timeout=BOOT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed("it did not end")
        self.output += rest
        lines = messages.decode().splitlines()
        check(all(line.startswith("rig: ") for line in lines), f"a stray line: {lines}")
        left = os.listdir(self.folder.name)
        check(not left, f"files are left: {left}")
        for process in Path("/proc").glob("[0-9]*/cwd"):
            try:
                target = os.readlink(process)
            except OSError:
                continue
            check(not target.startswith(self.folder.name), f"a process is left: {process}")
        self.folder.cleanup()
        return self.process.returncode, lines[-1][5:] if lines else ""


# Without a machine ----------------------------------------------------------------------------

def test_usage():
    """What is wrong, or what a rig lacks, ends with status 2 and a line."""
    for arguments in (
            "", "--rig", "--rig bochs image", "--rig kvm", "--rig kvm a b", "--rig kvm --boo a",
            "--rig kvm --cpus 0 a", "--rig kvm --cpus x a", "--rig kvm --memory 1 a",
            "--rig kvm --timeout 0 a", "--rig kvm --timeout nan a", "--rig kvm --expect ( a",
            "--rig kvm --resets -1 a", "--rig kvm --forward 80 a", "--rig kvm --forward 1:0 a",
            "--rig kvm --forward 80:80 --forward 80:81 a", "--rig kvm --disk a,bus=scsi a",
            "--rig kvm --disk a,bus=ata a", "--rig kvm --disk a,bus=ahci,readonly a",
            "--rig kvm --disk a,bus=nvme,bus=nvme a", "--rig kvm --disk ,bus=nvme a",
            "--rig kvm --nic ne2k a", "--rig kvm --nic e1000,mac=1 a",
            "--rig kvm --nic e1000,mac=01:00:00:00:00:00 a", "--rig kvm --nic e1000,pcap= a",
            "--rig kvm --icount a", "--rig qemu-svm --icount --cpus 2 a",
            "--rig bochs-vmx --icount a", "--rig bochs-vmx --iommu a",
            "--rig bochs-vmx --nic virtio a", "--rig bochs-svm --nic e1000e a",
            "--rig bochs-vmx --disk a,bus=virtio a", "--rig bochs-vmx --disk a,readonly a",
            "--rig bochs-vmx --disk a --disk b --disk c --disk d a", "--rig kvm --cpu  a",
            "--rig bochs-vmx" + " --forward {}:80" * 6 + " a"):
        words = arguments.split(" ") if arguments else []
        words = [word.format(index) if "{}" in word else word for index, word in enumerate(words)]
        done = subprocess.run([RUN, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        check(done.returncode == 2 and not done.stdout, f"{arguments!r}: not refused")
        check(re.fullmatch(r"rig: .+\n", done.stderr), f"{arguments!r}: {done.stderr!r}")


def test_unavailable():
    """A missing image is no usage error, and says so in the last line."""
    for rig in options.RIGS[:3]:
        status, end = Run(rig, "/nonexistent/image").end()
        equal((status, end[:13]), (1, "unavailable: "))
    if not qemu._cpu_flags() & {"vmx", "svm"}:
        with tempfile.NamedTemporaryFile() as image:
            status, end = Run("kvm", image.name).end()
        equal((status, end[:13]), (1, "unavailable: "))


def test_options():
    """Commas belong to a file's name unless a key follows."""
    opts = options.parse(["--rig", "qemu-svm", "--disk", "a,b,bus=nvme,readonly",
                          "--disk", "c,d", "--nic", "virtio,pcap=x.pcap", "image"])
    equal([(disk.path, disk.bus, disk.readonly) for disk in opts.disks],
          [("a,b", "nvme", True), ("c,d", "virtio", False)])
    equal([(nic.model, nic.pcap) for nic in opts.nics], [("virtio", "x.pcap")])
    equal((opts.cpus, opts.memory, opts.timeout, opts.resets), (1, 1024, 300.0, 0))
    opts = options.parse(["--rig", "bochs-vmx", "--forward", "8080:80", "image"])
    equal([nic.model for nic in opts.nics], ["e1000"])


def test_matcher():
    """Lines are matched without CR and escape sequences, however the bytes arrive."""
    for pattern, data, wanted in (
            ("^ready$", b"not\r\nready\r\n", True), ("^ready$", b"ready", True),
            ("^ready$", b"x ready\n", False), ("a.b", b"a\nb", False),
            ("^ab$", b"a\x1b[1;31mb\x1b[0m\r\n", True), ("^ab$", b"\x1b]0;t\x07a\x1b(Bb\n", True),
            ("^$", b"\x1b[2J", True), ("caf\u00e9", "caf\u00e9\n".encode(), True),
            ("late", b"x" * 200000 + b"late", True)):
        for step in (1, 3, 1000000) if len(data) < 1000 else (5000,):
            matcher = console.Matcher(re.compile(pattern))
            found = False
            for at in range(0, len(data), step):
                found |= matcher.feed(data[at:at + step])
            if step == 1 and pattern == "^$":
                continue  # Before its first byte each line is empty.
            equal((pattern, data[:20], step, found), (pattern, data[:20], step, wanted))


def test_pcap():
    """Bochs' log of packets becomes a pcap file, also if it was cut off."""
    first, second = bytes(range(60)), bytes(range(100, 132))
    text = "slirp packetmover readable log file\n--\n"
    for packet, way in ((first, "guest to host"), (second, "host to guest")):
        text += f"a packet from {way}, length {len(packet)}\n"
        for at in range(0, len(packet), 16):
            row = packet[at:at + 16]
            text += "".join(f"{byte:02x} " for byte in row).ljust(48) + " beef cafe\n"
        text += "--\n"
    with tempfile.TemporaryDirectory() as folder:
        log, out = os.path.join(folder, "log"), os.path.join(folder, "pcap")
        for cut, wanted in ((0, [first, second]), (20, [first])):
            Path(log).write_text(text[:len(text) - cut], encoding="latin-1")
            pcap.from_bochs([log, log + "-missing"], out)
            equal(read_pcap(out), wanted)


def read_pcap(path):
    data = Path(path).read_bytes()
    equal(struct.unpack_from("<I", data)[0], 0xa1b2c3d4)
    packets, at = [], 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        packets.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return packets


def test_esp():
    """The partition is found in a GPT, in an MBR and without either; nonsense is refused."""
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "image")
        make_image(image, "/dev/null")
        equal(esp._find(image), ESP_START)
        sector = bytearray(512)
        sector[510:] = b"\x55\xaa"
        Path(image).write_bytes(sector)
        refused(esp._find, image)
        sector[54:57] = b"FAT"
        Path(image).write_bytes(sector)
        equal(esp._find(image), 0)
        sector[450] = 0xef
        sector[454:458] = struct.pack("<I", 63)
        Path(image).write_bytes(sector)
        equal(esp._find(image), 63 * 512)
        header = b"EFI PART" + bytes(64) + struct.pack("<QII", 1 << 60, 1 << 31, 1 << 31)
        for data in (b"", b"x" * 512, bytes(512) + header.ljust(512, b"\0")):
            Path(image).write_bytes(data)
            refused(esp._find, image)


def refused(function, *arguments):
    try:
        function(*arguments)
    except machine.Unavailable:
        return
    raise Failed("it was not refused")


def test_port_taken():
    """A forwarded port that another holds is told before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken, tempfile.NamedTemporaryFile() as image:
        port = taken.getsockname()[1]
        status, end = Run("qemu-svm", image.name, "--forward", f"{port}:80").end()
    check(status == 1 and end.startswith(f"unavailable: port {port} "), end)


# With a machine: each function is one power-on --------------------------------------------------

def test_power_off(rig, image):
    """Bytes pass both ways, the machine is what was asked for, and powers itself off."""
    before = digest(image)
    with tempfile.TemporaryDirectory() as folder:
        bochs = rig.startswith("bochs")
        disks = [(f"{folder}/disk{bus}", bus) for bus in
                 (("ata", "ata", "ata") if bochs else ("ahci", "nvme", "virtio"))]
        disks = [(path + str(index), bus) for index, (path, bus) in enumerate(disks)]
        for path, _ in disks:
            Path(path).write_bytes(bytes(1 << 20))
        arguments = [word for path, bus in disks for word in ("--disk", f"{path},bus={bus}")]
        if not bochs:
            arguments[-1] += ",readonly"
        run = Run(rig, image, "--cpus", "2", "--memory", "512", *arguments)
        run.wait_for(b"\r\nhello" + {"bochs-vmx": b" vmx", "kvm": b""}.get(rig, b" svm"))
        run.wait_for(PROMPT)
        files = [line for line in run.order(b"l") if line.startswith("file rig-")]
        # The MADT: header and IOAPIC, four overrides, and 8 bytes a CPU.
        equal(sorted(files), ["file rig-apic.aml 0070", "file rig-dsdt.aml 004d",
                              "file rig-facp.aml 00f4", "file rig-hpet.aml 0038"] if bochs else [])
        said = [line for line in run.order(b"d") if line.startswith("disk sectors 00000800")]
        equal(len(said), 3)
        run.send(b"p")
        equal(run.end(), (0, "powered-off"))
        written = sum(Path(path).read_bytes()[:1] == b"\1" for path, _ in disks)
        equal((written, sum(line.endswith(" written") for line in said)),
              (3, 3) if bochs else (2, 2))
    equal(digest(image), before)


def test_expect(rig, image):
    """The pattern is found in an unfinished line, without colours; PM1 is where the FADT says."""
    run = Run(rig, image, "--expect", "^order[?] $")
    equal(run.end(), (0, "matched"))
    check(run.output.endswith(PROMPT), f"the output ends in {run.output[-40:]!r}")
    if rig.startswith("bochs"):
        run = Run(rig, image, "--expect", "pm base 0000b001$")
        run.wait_for(PROMPT)
        run.send(b"l")
        equal(run.end(), (0, "matched"))


def test_expect_missed(rig, image):
    """A machine that powers off without the pattern has failed."""
    run = Run(rig, image, "--expect", "not to be seen")
    run.wait_for(PROMPT)
    run.send(b"p")
    equal(run.end(), (1, "powered-off"))


def test_icount(rig, image):
    """Counted time: the machine starts, and its firmware does not wait for what is not there."""
    run = Run(rig, image, "--icount", "--expect", "^order[?] $")
    equal(run.end(), (0, "matched"))


def test_iommu(rig, image):
    """With an IOMMU the machine still starts, and reads its disks."""
    with tempfile.TemporaryDirectory() as folder:
        Path(f"{folder}/disk").write_bytes(bytes(1 << 20))
        run = Run(rig, image, "--iommu", "--disk", f"{folder}/disk", "--nic", "virtio")
        run.wait_for(PROMPT)
        equal(sum(line.startswith("disk sectors ") for line in run.order(b"d")), 2)
        run.send(b"p")
        equal(run.end(), (0, "powered-off"))


def test_reset(rig, image):
    """So many resets are allowed, by order or by triple fault, and the next one is the end."""
    run = Run(rig, image, "--resets", "1")
    for order in (b"t", b"r"):
        run.wait_for(PROMPT)
        run.send(order)
    equal(run.end(), (1, "reset"))


def test_timeout(rig, image):
    """Time runs out, also before the firmware has said anything."""
    start = time.monotonic()
    run = Run(rig, image, "--timeout", "1.5")
    equal(run.end(), (1, "timeout"))
    check(1.5 <= time.monotonic() - start < 30, "it took another time than asked for")


def test_signals(rig, image):
    """Each of the three signals ends it like a timeout, and two at once do no harm."""
    for numbers in ((signal.SIGINT,), (signal.SIGHUP,), (signal.SIGTERM, signal.SIGINT)):
        run = Run(rig, image)
        run.wait_for(b"\x1b")
        for number in numbers:
            run.process.send_signal(number)
        equal(run.end(), (1, "timeout"))


def test_killed(rig, image):
    """Even a runner that is killed outright takes its emulator with it."""
    run = Run(rig, image)
    run.wait_for(b"\x1b")
    pid = run.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    equal(len(children), 1)
    run.process.kill()
    deadline = time.monotonic() + 30
    while os.path.exists(f"/proc/{children[0]}"):
        check(time.monotonic() < deadline, "the emulator lives on")
        time.sleep(0.05)
    run.process.communicate()
    run.folder.cleanup()


def test_keep(rig, image):
    """With --keep the image is written to, but what a rig added is taken out again."""
    with tempfile.TemporaryDirectory() as folder:
        copy = f"{folder}/image"
        Path(copy).write_bytes(Path(image).read_bytes())
        fat = ["-i", f"{copy}@@{ESP_START}"]
        before = tree(fat)
        run = Run(rig, copy, "--keep")
        run.wait_for(PROMPT)
        second = Run(rig, copy, "--keep").end()
        check(second[0] == 1 and "another run writes to it" in second[1], f"a second: {second}")
        run.send(b"p")
        equal(run.end(), (0, "powered-off"))
        equal(tree(fat), before)
        equal(os.listdir(folder), ["image"])


def tree(fat):
    return subprocess.run(["mdir", *fat, "-/", "-b", "::"], stdout=subprocess.PIPE, check=True,
                          env={**os.environ, "MTOOLS_SKIP_CHECK": "1"}).stdout


def test_network(rig, image):
    """A connection to the forwarded port reaches the card, and the network's log shows it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        log = f"{folder}/log.pcap"
        run = Run(rig, image, "--nic", f"e1000,mac=52:54:00:ab:cd:ef,pcap={log}",
                  "--nic", "e1000" if rig.startswith("bochs") else "virtio",
                  "--forward", f"{port}:80")
        run.wait_for(PROMPT)
        cards = [line for line in run.order(b"l") if line.endswith("class 0200")]
        equal(len(cards), 2)
        run.send(b"n")
        run.wait_for(b"listening")
        with socket.create_connection(("127.0.0.1", port), timeout=20):
            check(b"frame 0806" in run.wait_for(b"<n>"), "the card got no ARP request")
        run.send(b"p")
        equal(run.end(), (0, "powered-off"))
        # Who has 10.0.2.15? asks the network on behalf of the connection.
        check(any(packet[12:14] == b"\x08\x06" and packet[38:42] == bytes((10, 0, 2, 15))
                  for packet in read_pcap(log)), "no ARP request for 10.0.2.15 in the log")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def test_terminal(rig, image):
    """A terminal passes every key, Ctrl-C too, until Ctrl-a x, and is then as it was."""
    ours, theirs = pty.openpty()
    try:
        before = termios.tcgetattr(theirs)
        code = ("import os, sys; os.setsid(); import fcntl, termios;"
                f" fcntl.ioctl({theirs}, termios.TIOCSCTTY, 0); os.dup2({theirs}, 0);"
                " os.execv(sys.argv[1], sys.argv[1:])")
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                [sys.executable, "-c", code, RUN, "--rig", rig, "--timeout", str(BOOT_S), image],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[theirs], bufsize=0,
                env={**os.environ, "TMPDIR": folder})
            said = b""
            for keys, answer in ((b"", PROMPT), (b"\x03\x01\x01z", b"<\x03>\r\n<\x01>\r\n<z>\r\n")):
                os.write(ours, keys)
                while answer not in said:
                    data = os.read(process.stdout.fileno(), 4096)
                    check(data, f"it ended without {answer!r}")
                    said += data
            os.write(ours, b"\x01x")
            _, messages = process.communicate(timeout=30)
        equal((process.returncode, messages), (1, b"rig: timeout\n"))
        equal(termios.tcgetattr(theirs), before)
    finally:
        os.close(ours)
        os.close(theirs)


def test_stdout_closed(rig, image):
    """Nobody reads the output any more: the run ends."""
    run = Run(rig, image)
    run.wait_for(b"\x1b")
    run.process.stdout.close()
    status = run.process.wait(timeout=BOOT_S)
    equal((status, run.process.stderr.read()), (1, b"rig: timeout\n"))
    equal(os.listdir(run.folder.name), [])


HOST_TESTS = (test_usage, test_unavailable, test_options, test_matcher, test_pcap, test_esp,
              test_port_taken)
RIG_TESTS = (test_power_off, test_expect, test_expect_missed, test_reset, test_timeout,
             test_signals, test_killed, test_keep, test_network, test_terminal, test_stdout_closed)


def report(where, test, *arguments):
    """Runs a test if it is wanted; returns whether it failed."""
    name = f"{where}/rig.{test.__name__[5:]}"
    glob = os.environ.get("TEST") or "*"
    if not fnmatch.fnmatchcase(name, glob) and not fnmatch.fnmatchcase(name.split("/")[1], glob):
        return False
    try:
        test(*arguments)
        print(f"ok {name}", flush=True)
        return False
    except Exception as error:  # pylint: disable=broad-except
        reason = str(error) if isinstance(error, Failed) else repr(error)
        print(f"not ok {name}: {' '.join(reason.split())}", flush=True)
        return True


def main():
    wanted = os.environ.get("RIG")
    rigs = [wanted] if wanted else ["unit", *options.RIGS[:3]]
    failed = 0
    if "unit" in rigs:
        rigs.remove("unit")
        for test in HOST_TESTS:
            failed += report("unit", test)
    with tempfile.TemporaryDirectory(prefix="corbel-test-") as folder:
        image = f"{folder}/hello.img"
        make_image(image, sys.argv[1])
        for rig in rigs:
            # The two bochs rigs differ in the CPU only.
            tests = RIG_TESTS if rig != "bochs-svm" else (test_power_off, test_reset)
            tests += (test_icount,) if rig == "qemu-svm" else ()
            tests += (test_iommu,) if not rig.startswith("bochs") else ()
            for test in tests:
                failed += report(rig, test, rig, image)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: test_rig.py HELLO.EFI")
    sys.exit(main())
