# SPDX-License-Identifier: BSD-2-Clause
"""What every rig's machine has in common: its folder, its processes, how it ended."""

import collections
import ctypes
import errno
import fcntl
import os
import shutil
import signal
import socket
import subprocess

_LOG_LINES = 40  # of what the emulator says, shown if the machine ends badly
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

OVMF = "/usr/share/ovmf/OVMF.fd"


class Unavailable(Exception):
    """Why this machine cannot be started here, in words."""


def cache():
    return os.environ.get("CORBEL_CACHE") or "/var/cache/corbel"


def _die_with_parent():
    """Runs in the child: even a runner that is killed outright leaves no emulator behind."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def tool(*arguments, **more):
    """Runs a helper program; returns it finished, for the caller to look at."""
    try:
        return subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True,
                              text=True, errors="replace", check=False, **more)
    except FileNotFoundError:
        raise Unavailable(f"{arguments[0]} is not installed; run tools/setup")


class Machine:
    """One emulated machine.

    A rig's start() sets com_out and com_in, the two directions of COM1 (None until connected), and
    `watched`: file descriptors with a function each to call when one is readable, which returns
    False at its end. Those keep `powered_off`, `resets` and `log` up to date.
    """

    name = "emulator"

    def __init__(self, opts, folder, boot_disk):
        self.opts = opts
        self.folder = folder
        self.boot_disk = boot_disk
        self.powered_off = False
        self.resets = 0
        self.process = None
        self.com_out = self.com_in = None
        self.watched = {}
        self.log = collections.deque(maxlen=_LOG_LINES)
        self._rest = b""
        self._locked = []
        for host, _ in opts.forward:
            _check_port(host)

    def lock(self, path):
        """Keeps other runs from writing the same file."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}")
        self._locked.append(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable(f"{path}: another run writes to it")

    def spawn(self, program, arguments, **more):
        try:
            # Its own session: a Ctrl-C in the terminal is for the runner alone.
            self.process = subprocess.Popen([program, *arguments], executable=program,
                                            start_new_session=True, bufsize=0,
                                            preexec_fn=_die_with_parent, **more)
        except OSError as error:
            raise Unavailable(f"{program}: {error.strerror}; run tools/setup")

    def lines(self, data):
        """Splits what the emulator says into whole lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-4096:]
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                yield text

    def restart(self):
        """After its process has ended: whether the machine goes on."""
        return False

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.kill()
        for fd in self._locked:
            os.close(fd)
        self._locked = []


def _check_port(port):
    """Both emulators go on without a port that they cannot have, so it is tried first."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise Unavailable(f"port {port} of 127.0.0.1: {error.strerror}")
            raise


def find_program(name):
    path = shutil.which(name)
    if path is None:
        raise Unavailable(f"{name} is not installed; run tools/setup")
    return path


def need_file(path):
    if not os.path.isfile(path):
        raise Unavailable(f"{path} is missing; run tools/setup")
    return path
