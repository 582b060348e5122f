# SPDX-License-Identifier: BSD-2-Clause
"""Turns the text that Bochs logs of a network into a pcap file."""

import re
import struct

_START = re.compile(r"a packet from (?:guest to host|host to guest), length ([0-9]+)$")
_BYTES_A_LINE = 16
_ETHERNET = 1


def _lines(logs):
    for log in logs:
        try:
            with open(log, encoding="latin-1") as file:
                yield from file
        except FileNotFoundError:
            pass  # The machine ended before its network card was there.


def _packets(lines):
    packet, length = None, 0
    for line in lines:
        start = _START.match(line.rstrip("\n"))
        if start:
            packet, length = bytearray(), int(start.group(1))
        elif packet is not None:
            # Each byte takes three places; behind them stand the same bytes as text.
            count = min(_BYTES_A_LINE, length - len(packet))
            try:
                packet += bytes.fromhex(line[:3 * count])
            except ValueError:
                packet = None  # The log ends in the middle of a line.
                continue
            if len(packet) == length:
                yield bytes(packet)
                packet = None


def from_bochs(logs, path):
    """Bochs logs no times: the packets are a microsecond apart."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, _ETHERNET))
        for index, packet in enumerate(_packets(_lines(logs))):
            seconds, micros = divmod(index, 1000000)
            out.write(struct.pack("<IIII", seconds, micros, len(packet), len(packet)))
            out.write(packet)
