# SPDX-License-Identifier: BSD-2-Clause
"""COM1 as text: lines without escape sequences to match, and the operator's terminal."""

import os
import re
import termios

_ESCAPES = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"           # control sequences: colours, cursor
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # operating system commands: titles
    rb"|\x1b[ -/]*[0-Z\\^-~]"             # the short ones
    rb"|\r")
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[ -/]*)\Z")
_LINE_MAX = 1 << 16  # bytes kept of a line that does not end

_CTRL_A = 0x01


def plain(line):
    """The line as text, without CR and escape sequences, also one that has only begun."""
    return _UNFINISHED.sub(b"", _ESCAPES.sub(b"", line)).decode("utf-8", "replace")


class Matcher:
    """Looks for the pattern in each line, and in the last one before it ends."""

    def __init__(self, pattern):
        self._pattern = pattern
        self._line = b""

    def feed(self, data):
        """True if a line matches now."""
        if self._pattern is None:
            return False
        *lines, self._line = (self._line + data).split(b"\n")
        if len(self._line) > _LINE_MAX:
            self._line = self._line[-_LINE_MAX:]
        return any(self._pattern.search(plain(line)) for line in (*lines, self._line))


class Terminal:
    """Standard input: raw while the machine runs if it is a terminal, with Ctrl-a x to quit."""

    def __init__(self):
        self.quit = False
        self._saved = None
        self._after_ctrl_a = False

    def start(self):
        """Returns whether standard input may be read: not from the background."""
        if not os.isatty(0):
            return True
        if os.tcgetpgrp(0) != os.getpgrp():
            return False
        self._saved = termios.tcgetattr(0)
        mode = termios.tcgetattr(0)
        mode[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INLCR | termios.ISTRIP | termios.IXON)
        mode[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(0, termios.TCSANOW, mode)
        return True

    def stop(self):
        if self._saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._saved)
            self._saved = None

    def filter(self, data):
        """What of the typed bytes goes to COM1. Ctrl-a twice sends one."""
        if self._saved is None:
            return data
        sent = bytearray()
        for byte in data:
            if self._after_ctrl_a:
                self._after_ctrl_a = False
                if byte in b"xX":
                    self.quit = True
                    break
                sent.append(byte)
            elif byte == _CTRL_A:
                self._after_ctrl_a = True
            else:
                sent.append(byte)
        return bytes(sent)
