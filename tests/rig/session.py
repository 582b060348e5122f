# SPDX-License-Identifier: BSD-2-Clause
"""One run of a machine: moves the bytes of COM1, waits for its end, leaves nothing behind."""

import os
import select
import shutil
import signal
import sys
import tempfile
import time

import bochs
import console
import machine
import qemu

_CHUNK = 65536
_PIPE_CHUNK = select.PIPE_BUF  # poll() promises room for this much, so that no write blocks
_HELD_MAX = 1 << 20            # bytes of output held while nobody reads ours
_DRAIN_S = 10.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _say(text):
    try:
        os.write(2, f"rig: {text}\n".encode("utf-8", "replace"))
    except OSError:
        pass  # Nobody listens any more: the exit status still tells.


class _Stop(Exception):
    """The run ends now; the argument is the word for it."""


class _Session:
    def __init__(self, opts, target, wake_fd):
        self._opts = opts
        self._machine = target
        self._wake_fd = wake_fd
        self._deadline = time.monotonic() + opts.timeout
        self._matcher = console.Matcher(opts.expect)
        self._matched = False
        self._terminal = console.Terminal()
        self._stdin_open = False
        self._output = bytearray()  # from COM1, for our stdout
        self._input = bytearray()   # from our stdin, for COM1

    def run(self):
        """Returns how it ended."""
        try:
            self._stdin_open = self._terminal.start()
            self._machine.start()
            while True:
                self._step()
        except _Stop as stop:
            return str(stop)
        finally:
            self._terminal.stop()

    def _step(self):
        target = self._machine
        wanted = {self._wake_fd: select.POLLIN}
        for fd in target.watched:
            wanted[fd] = select.POLLIN
        if target.com_out is not None and len(self._output) < _HELD_MAX:
            wanted[target.com_out] = select.POLLIN
        if target.com_in is not None and self._input:
            wanted[target.com_in] = wanted.get(target.com_in, 0) | select.POLLOUT
        if self._stdin_open and not self._input:
            wanted[0] = select.POLLIN
        if self._output:
            wanted[1] = select.POLLOUT
        for fd, events in self._poll(wanted, self._deadline):
            self._handle(fd, events)
        if target.process.poll() is not None and not target.restart():
            self._finish()
        if time.monotonic() >= self._deadline:
            raise _Stop("timeout")

    @staticmethod
    def _poll(wanted, deadline):
        poller = select.poll()
        for fd, events in wanted.items():
            poller.register(fd, events)
        # No longer than 0.2 s: an emulator that ends without a word is seen by asking.
        return poller.poll(max(0.0, min(0.2, deadline - time.monotonic())) * 1000)

    def _handle(self, fd, events):
        target = self._machine
        if fd == self._wake_fd:
            raise _Stop("timeout")
        if fd in target.watched:
            if not target.watched[fd]():
                del target.watched[fd]
        elif fd == 0:
            self._read_stdin()
        elif fd == 1:
            self._write_stdout()
        if fd == target.com_in and events & select.POLLOUT:
            self._write_com()
        if fd == target.com_out and events & ~select.POLLOUT:
            self._read_com()

    def _read_stdin(self):
        try:
            data = os.read(0, 4096)
        except OSError:
            data = b""
        self._stdin_open = bool(data)
        self._input += self._terminal.filter(data)
        if self._terminal.quit:
            raise _Stop("timeout")

    def _write_com(self):
        try:
            count = os.write(self._machine.com_in, self._input[:_PIPE_CHUNK])
        except OSError:
            count = len(self._input)  # The machine is gone; the next step sees it.
        del self._input[:count]

    def _write_stdout(self):
        try:
            count = os.write(1, self._output[:_PIPE_CHUNK])
        except OSError:
            self._output.clear()
            raise _Stop("timeout")
        del self._output[:count]

    def _read_com(self):
        """Takes what COM1 sent; at its end, lets go of it."""
        try:
            data = os.read(self._machine.com_out, _CHUNK)
        except OSError:
            data = b""
        if not data:
            self._machine.com_out = None
            return
        self._output += data
        if self._matcher.feed(data):
            self._matched = True
            raise _Stop("matched")

    def _finish(self):
        """The machine has ended: what it still had said on COM1 and elsewhere comes first."""
        target = self._machine
        target.kill()
        deadline = time.monotonic() + _DRAIN_S
        while (target.watched or target.com_out is not None) and time.monotonic() < deadline:
            wanted = {fd: select.POLLIN for fd in target.watched}
            if target.com_out is not None:
                wanted[target.com_out] = select.POLLIN
            ready = self._poll(wanted, deadline)
            for fd, events in ready:
                self._handle(fd, events)
            if not ready and target.com_out is None:
                break  # Only the listener for a COM1 that never came.
        if target.powered_off:
            raise _Stop("powered-off")
        for line in target.log:
            _say(f"{target.name}: {line}")
        if target.resets > self._opts.resets:
            raise _Stop("reset")
        status = target.process.returncode
        raise _Stop(f"emulator-exit {status if status >= 0 else 128 - status}")

    def flush(self):
        """Gives the rest of COM1 to whoever reads our stdout, who has until the deadline."""
        deadline = max(self._deadline, time.monotonic() + 1)
        while self._output and time.monotonic() < deadline:
            for fd, _ in self._poll({1: select.POLLOUT, self._wake_fd: select.POLLIN}, deadline):
                try:
                    self._handle(fd, 0)
                except _Stop:
                    return


def _boot_disk(opts, folder):
    if not os.path.isfile(opts.image) or not os.access(opts.image, os.R_OK):
        raise machine.Unavailable(f"{opts.image}: no such file, or not readable")
    if opts.keep:
        return opts.image
    copy = os.path.join(folder, "copy.img")
    done = machine.tool("cp", "--sparse=always", "--reflink=auto", "--", opts.image, copy)
    if done.returncode != 0:
        raise machine.Unavailable(done.stdout.strip())
    os.chmod(copy, 0o600)
    return copy


def _run(opts, folder, wake_fd):
    rig = bochs.Bochs if opts.rig.startswith("bochs") else qemu.Qemu
    target = rig(opts, folder, _boot_disk(opts, folder))
    try:
        if opts.keep:
            target.lock(opts.image)
        session = _Session(opts, target, wake_fd)
        end = session.run()
        target.kill()
        session.flush()
        return end
    finally:
        target.close()


def run(opts):
    """Runs the machine that the options ask for; returns the exit status."""
    wake_fd, signal_fd = os.pipe()
    os.set_blocking(signal_fd, False)
    signal.set_wakeup_fd(signal_fd, warn_on_full_buffer=False)
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda *_: None)  # The byte in the pipe is what counts.
    folder = tempfile.mkdtemp(prefix="corbel-rig-")
    try:
        end = _run(opts, folder, wake_fd)
    except machine.Unavailable as error:
        end = f"unavailable: {error}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _say(end)
    sys.stdout.flush()
    return 0 if end == "matched" or (end == "powered-off" and opts.expect is None) else 1
