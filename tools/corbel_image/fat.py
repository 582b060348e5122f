# SPDX-License-Identifier: BSD-2-Clause
"""Writes a FAT32 volume once, from a tree of files: no fragments, no clock, no chance in it.

Source: Microsoft, "FAT: General Overview of On-Disk Format", version 1.03.
"""

import hashlib
import struct

SECTOR = 512
RESERVED_SECTORS = 32
FAT_COUNT = 2
CLUSTERS_MIN = 65525 + 64  # fewer would make it FAT16; some drivers are off by a few
CLUSTERS_GOOD = 1 << 19  # with more, larger clusters are better than a larger FAT
CLUSTER_SIZE_MAX = 32768
FILE_SIZE_MAX = 0xFFFFFFFF
VOLUME_SIZE_MAX = 0xFFFFFFFF * SECTOR
END_OF_CHAIN = 0x0FFFFFFF
DATE = (0 << 9) | (1 << 5) | 1  # 1980-01-01, the first that FAT can say

ATTRIBUTE_VOLUME = 0x08
ATTRIBUTE_FOLDER = 0x10
ATTRIBUTE_FILE = 0x20
ATTRIBUTE_LONG_NAME = 0x0F

SHORT_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'()-@^_`{}~")


class File:
    """A file of the volume: open() gives a binary file of exactly size bytes."""

    def __init__(self, size, open_source):
        self.size = size
        self.open = open_source
        self.cluster = 0


class Folder:
    """A folder of the volume: names, which differ by more than letter case, to File or Folder."""

    def __init__(self):
        self.entries = {}
        self.cluster = 0

    def add(self, path, node):
        """Puts node at path, with the folders above it. Nothing may be there yet."""
        folder = self
        *above, name = path.split("/")
        for part in above:
            same = [other for other in folder.entries if other.lower() == part.lower()]
            folder = folder.entries[same[0]] if same else folder.entries.setdefault(part, Folder())
        folder.entries[name] = node

    def nodes(self):
        """All files and folders below, each folder before what is in it."""
        for node in self.entries.values():
            yield node
            if isinstance(node, Folder):
                yield from node.nodes()


def split_short(name):
    """The (base, extension) of a name that is a short name as it stands, else None."""
    raw = name.encode()
    base, dot, extension = raw.partition(b".")
    is_short = 1 <= len(base) <= 8 and len(extension) <= 3 and bool(extension) == bool(dot)
    return (base, extension) if is_short and SHORT_CHARACTERS.issuperset(base + extension) else None


def pad_short(base, extension):
    return base.ljust(8) + extension.ljust(3)


def short_names(names):
    """The eleven bytes of the short name for each of the names of one folder."""
    result = {}
    for name in names:
        parts = split_short(name)
        if parts:
            result[name] = pad_short(*parts)
    # A long name that could be a short one but for its letter case is no other file's short name.
    upper = (split_short(name.upper()) for name in names)
    taken = {pad_short(*parts) for parts in upper if parts}
    counters = {}
    for name in names:
        if name in result:
            continue
        stem, _, tail = name.upper().rpartition(".")
        base = bytes(c for c in (stem or tail).encode() if c in SHORT_CHARACTERS)[:6] or b"_"
        extension = bytes(c for c in (tail if stem else "").encode() if c in SHORT_CHARACTERS)[:3]
        while True:
            number = counters[base] = counters.get(base, 0) + 1
            suffix = b"~%d" % number
            short = pad_short(base[: 8 - len(suffix)] + suffix, extension)
            if short not in taken:
                break
        taken.add(short)
        result[name] = short
    return result


def checksum(short):
    total = 0
    for byte in short:
        total = ((total >> 1) + ((total & 1) << 7) + byte) & 0xFF
    return total


def long_name_entries(name, short):
    """The entries that go before the short one, the name's end first."""
    units = name.encode("utf-16-le")
    count = -(-len(name) // 13)
    if len(units) % 26:
        units += b"\0\0"
    units = units.ljust(count * 26, b"\xff")
    result = b""
    for i in range(count, 0, -1):
        piece = units[(i - 1) * 26 : i * 26]
        order = i | (0x40 if i == count else 0)
        result += struct.pack(
            "<B10sBBB12sH4s",
            order,
            piece[:10],
            ATTRIBUTE_LONG_NAME,
            0,
            checksum(short),
            piece[10:22],
            0,
            piece[22:],
        )
    return result


def short_entry(short, attribute, cluster, size):
    return struct.pack(
        "<11sBBBHHHHHHHI",
        short,
        attribute,
        0,
        0,
        0,
        DATE,
        DATE,
        cluster >> 16,
        0,
        DATE,
        cluster & 0xFFFF,
        size,
    )


def folder_size(folder, is_root):
    """How many bytes folder_bytes() will return."""
    count = 1 if is_root else 2
    for name in folder.entries:
        count += 1 if split_short(name) else 1 + -(-len(name) // 13)
    return count * 32


def folder_bytes(folder, parent, label=None):
    """The entries of a folder. parent is None for the root, which holds the label instead."""
    result = b""
    if parent is None:
        result += short_entry(label, ATTRIBUTE_VOLUME, 0, 0)
    else:
        result += short_entry(pad_short(b".", b""), ATTRIBUTE_FOLDER, folder.cluster, 0)
        # The root counts as cluster 0 here.
        result += short_entry(pad_short(b"..", b""), ATTRIBUTE_FOLDER, parent.cluster, 0)
    shorts = short_names(folder.entries)
    for name, node in folder.entries.items():
        if split_short(name) is None:
            result += long_name_entries(name, shorts[name])
        if isinstance(node, Folder):
            result += short_entry(shorts[name], ATTRIBUTE_FOLDER, node.cluster, 0)
        else:
            result += short_entry(shorts[name], ATTRIBUTE_FILE, node.cluster, node.size)
    return result


class Layout:
    """Where things lie in a volume for one tree, with at least slack bytes free."""

    def __init__(self, root, slack, alignment):
        """alignment: the size of the volume is a multiple of it, in bytes."""
        self.root = root
        self.cluster_size = SECTOR
        self.lay_out(slack, alignment)
        while self.cluster_count > CLUSTERS_GOOD and self.cluster_size < CLUSTER_SIZE_MAX:
            self.cluster_size *= 2
            self.lay_out(slack, alignment)

    def lay_out(self, slack, alignment):
        """Finds the size for clusters of self.cluster_size."""
        self.used_clusters = self.place(self.root, 2) - 2
        wanted = max(self.used_clusters + self.clusters(slack), CLUSTERS_MIN)
        sectors = (
            RESERVED_SECTORS
            + FAT_COUNT * self.fat_sectors(wanted)
            + wanted * self.cluster_size // SECTOR
        )
        self.size = -(-sectors * SECTOR // alignment) * alignment
        while True:
            sectors = self.size // SECTOR - RESERVED_SECTORS
            # Enough for the FAT's own sectors too, had they been clusters.
            self.fat_size = self.fat_sectors(sectors * SECTOR // self.cluster_size)
            sectors -= FAT_COUNT * self.fat_size
            self.cluster_count = sectors * SECTOR // self.cluster_size
            if self.cluster_count >= wanted:
                break
            self.size += alignment
        self.data_start = (RESERVED_SECTORS + FAT_COUNT * self.fat_size) * SECTOR

    @staticmethod
    def fat_sectors(clusters):
        return -(-(clusters + 2) * 4 // SECTOR)

    def clusters(self, size):
        return -(-size // self.cluster_size)

    def place(self, root, cluster):
        """Gives clusters from this one on to all; returns the first that is free."""
        root.cluster = cluster
        cluster += self.clusters(folder_size(root, True))
        for node in root.nodes():
            if isinstance(node, Folder):
                size = folder_size(node, False)
            else:
                size = node.size
            node.cluster = cluster if size else 0
            cluster += self.clusters(size)
        return cluster

    def offset(self, cluster):
        return self.data_start + (cluster - 2) * self.cluster_size


class Writer:
    """Writes the volume that a Layout describes into a file that reads as zeros so far."""

    def __init__(self, image, start, layout, label):
        """start: bytes into the image. label: eleven bytes."""
        self.image = image
        self.start = start
        self.layout = layout
        self.label = label
        self.digest = hashlib.sha256()  # of all that was written
        self.fat = bytearray(struct.pack("<II", 0x0FFFFFF8, 0x0FFFFFFF))

    def put(self, offset, data):
        self.image.seek(self.start + offset)
        self.image.write(data)
        self.digest.update(data)

    def boot_sector(self):
        layout = self.layout
        sectors = layout.size // SECTOR
        return (
            struct.pack(
                "<3s8sHBHBHHBHHHIIIHHIHH12xBBBI11s8s",
                b"\xeb\xfe\x90",
                b"CORBEL  ",
                SECTOR,
                layout.cluster_size // SECTOR,
                RESERVED_SECTORS,
                FAT_COUNT,
                0,
                0,
                0xF8,
                0,
                32,  # sectors a track and heads: a cylinder is 1 MiB, the unit of our sizes
                64,
                self.start // SECTOR,
                sectors,
                layout.fat_size,
                0,
                0,
                layout.root.cluster,
                1,  # FSInfo
                6,  # copy of the boot sector
                0x80,
                0,
                0x29,
                int.from_bytes(self.digest.digest()[:4], "little"),  # the serial number
                self.label,
                b"FAT32   ",
            ).ljust(510, b"\0")
            + b"\x55\xaa"
        )

    def info_sector(self):
        layout = self.layout
        return struct.pack(
            "<4s480x4sII12xI",
            b"RRaA",
            b"rrAa",
            layout.cluster_count - layout.used_clusters,
            layout.used_clusters + 2,
            0xAA550000,
        )

    def chain(self, size):
        """Adds the next chain to the FAT, for so many bytes."""
        count = self.layout.clusters(size)
        first = len(self.fat) // 4
        if count:
            self.fat += struct.pack(f"<{count - 1}I", *range(first + 1, first + count))
            self.fat += struct.pack("<I", END_OF_CHAIN)

    def write_folder(self, folder, parent):
        data = folder_bytes(folder, parent, self.label)
        self.chain(len(data))
        self.put(self.layout.offset(folder.cluster), data)

    def write_file(self, file):
        self.chain(file.size)
        left = file.size
        self.image.seek(self.start + self.layout.offset(file.cluster or 2))
        with file.open() as source:
            while left:
                data = source.read(min(left, 1 << 20))
                if not data:
                    break
                self.image.write(data)
                self.digest.update(data)
                left -= len(data)
            if left or source.read(1):
                raise EOFError("a file changed while it was read")

    def write_tree(self, folder, parent):
        """In the order of Layout.place."""
        for node in folder.entries.values():
            if isinstance(node, Folder):
                self.write_folder(node, parent)
                self.write_tree(node, node)
            else:
                self.write_file(node)

    def write(self):
        """Writes all of it. Afterwards self.digest tells volumes apart by what they hold."""
        root = self.layout.root
        self.write_folder(root, None)
        top = Folder()  # stands for the root where it is a parent: its cluster counts as 0
        self.write_tree(root, top)
        for i in range(FAT_COUNT):
            self.put((RESERVED_SECTORS + i * self.layout.fat_size) * SECTOR, self.fat)
        boot = self.boot_sector() + self.info_sector()
        self.put(0, boot)
        self.put(6 * SECTOR, boot)
