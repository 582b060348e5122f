# SPDX-License-Identifier: BSD-2-Clause
"""A GPT with one EFI system partition.

Source: UEFI 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout".
"""

import struct
import uuid
import zlib

SECTOR = 512
ALIGNMENT = 1024 * 1024
ENTRY_COUNT = 128
ENTRY_SIZE = 128
TABLE_SECTORS = ENTRY_COUNT * ENTRY_SIZE // SECTOR
ESP_TYPE = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LABEL = "Corbel"

PARTITION_START = ALIGNMENT  # bytes into the image


def image_size(partition_size):
    """Bytes of an image around a partition of so many bytes, a multiple of ALIGNMENT."""
    return PARTITION_START + partition_size + ALIGNMENT


def protective_mbr(sectors):
    entry = struct.pack(
        "<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF)
    )
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def entry_array(partition_size, guid):
    first = PARTITION_START // SECTOR
    last = first + partition_size // SECTOR - 1
    name = LABEL.encode("utf-16-le")
    entry = struct.pack("<16s16sQQQ72s", ESP_TYPE.bytes_le, guid.bytes_le, first, last, 0, name)
    return entry.ljust(ENTRY_COUNT * ENTRY_SIZE, b"\0")


def header(here, other, table, sectors, guid, entries):
    """The sector of the header at LBA here; its twin is at other, its entries are at table."""

    def pack(crc):
        return struct.pack(
            "<8sIIIIQQQQ16sQIII",
            b"EFI PART",
            0x00010000,
            92,
            crc,
            0,
            here,
            other,
            2 + TABLE_SECTORS,
            sectors - TABLE_SECTORS - 2,
            guid.bytes_le,
            table,
            ENTRY_COUNT,
            ENTRY_SIZE,
            zlib.crc32(entries),
        )

    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")


def write(image, partition_size, disk_guid, partition_guid):
    """Writes all that lies outside the partition to the empty file image, and gives it its size."""
    size = image_size(partition_size)
    sectors = size // SECTOR
    last = sectors - 1
    entries = entry_array(partition_size, partition_guid)
    image.truncate(size)
    image.seek(0)
    image.write(protective_mbr(sectors))
    image.write(header(1, last, 2, sectors, disk_guid, entries))
    image.write(entries)
    image.seek((last - TABLE_SECTORS) * SECTOR)
    image.write(entries)
    image.write(header(last, 1, last - TABLE_SECTORS, sectors, disk_guid, entries))
