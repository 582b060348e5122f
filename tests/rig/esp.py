# SPDX-License-Identifier: BSD-2-Clause
"""The EFI system partition of a disk image: adds files to it, and takes them out again."""

import os
import struct
import uuid

import machine

_SECTOR = 512
_ESP_TYPE = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").bytes_le
_MBR_ESP_TYPE = 0xef
_ENTRIES_MAX = 1024


def _find(image):
    """The first byte of the partition; 0 if the file system has the disk for itself."""
    with open(image, "rb") as file:
        end = file.seek(0, os.SEEK_END)

        def read(offset, size):
            file.seek(min(offset, end))
            return file.read(size)

        header = read(_SECTOR, 92)
        if header[:8] == b"EFI PART" and len(header) == 92:
            first, count, size = struct.unpack_from("<QII", header, 72)
            for index in range(min(count, _ENTRIES_MAX) if size >= 128 else 0):
                entry = read(first * _SECTOR + index * size, 128)
                if entry[:16] == _ESP_TYPE:
                    return struct.unpack_from("<Q", entry, 32)[0] * _SECTOR
                if len(entry) < 128:
                    break
        mbr = read(0, _SECTOR)
        if mbr[510:512] == b"\x55\xaa":
            for entry in range(446, 510, 16):
                if len(mbr) == _SECTOR and mbr[entry + 4] == _MBR_ESP_TYPE:
                    return struct.unpack_from("<I", mbr, entry + 8)[0] * _SECTOR
            if mbr[54:57] == b"FAT" or mbr[82:85] == b"FAT":
                return 0
    raise machine.Unavailable(f"{image}: no EFI system partition in it")


class _Esp:
    def __init__(self, image, offset):
        self._image = f"{image}@@{offset}"
        self._added = []
        self._made = []

    def _mtools(self, program, *arguments):
        # No settings of the user's, and no complaints about a size that is no multiple of a track.
        return machine.tool(program, "-i", self._image, *arguments,
                            env={**os.environ, "MTOOLSRC": os.devnull, "MTOOLS_SKIP_CHECK": "1"})

    def add(self, folder, files):
        """Copies the files into the folder, which is made if need be."""
        path = ""
        for part in folder.split("/"):
            path += "/" + part
            if self._mtools("mdir", "-b", "::" + path).returncode != 0:
                self._check(self._mtools("mmd", "::" + path))
                self._made.append(path)
        self._added += [f"{path}/{os.path.basename(file)}" for file in files]
        self._check(self._mtools("mcopy", "-o", *files, "::" + path))

    @staticmethod
    def _check(done):
        if done.returncode != 0:
            raise machine.Unavailable("cannot write to the EFI system partition: "
                                      + " ".join(done.stdout.split()))

    def restore(self):
        """Takes out what add() added."""
        if self._added:
            self._mtools("mdel", *("::" + path for path in self._added))
        for path in reversed(self._made):
            self._mtools("mrd", "::" + path)


def open_image(image):
    return _Esp(image, _find(image))
