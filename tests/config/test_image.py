#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whether other programs read the images of corbel-image: sgdisk, fsck.fat and mtools."""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

from harness import Report, check, run_tool  # noqa: E402

from corbel_image import fat, gpt  # noqa: E402  (harness knows where it lies)

PARTITION = gpt.PARTITION_START


def call(*command):
    """Runs a program that must succeed; returns its output."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    result = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PATH": path, "LC_ALL": "C"},
        check=False,
    )
    text = result.stdout.decode(errors="replace")
    check(result.returncode == 0, f"{command[0]}: {result.returncode}: {text!r}")
    return text


def check_volume(path):
    """fsck.fat finds nothing at all."""
    text = call("fsck.fat", "-n", path)
    lines = text.splitlines()
    check(len(lines) == 2, f"fsck.fat says {text!r}")


def check_image(image, folder):
    """The partition table and the volume are sound, and there is room in it."""
    text = call("sgdisk", "-v", image)
    check("No problems found" in text and "Caution" not in text, f"sgdisk says {text!r}")
    check("EF00" in call("sgdisk", "-p", image), "no EFI system partition")
    text = call("sgdisk", "-i", "1", image)
    check(f"First sector: {PARTITION // 512} " in text, text)
    last = int(re.search(r"Last sector: ([0-9]+)", text)[1])
    volume = folder / "volume"
    with open(image, "rb") as source, open(volume, "wb") as target:
        source.seek(PARTITION)
        target.write(source.read((last + 1) * 512 - PARTITION))
    check_volume(volume)
    volume.unlink()
    free = re.search(r"([0-9 ]+) bytes free", call("mdir", "-i", f"{image}@@{PARTITION}", "::"))
    check(int(free[1].replace(" ", "")) >= 1 << 20, "less than 1 MiB is free")


def check_file(image, path, content):
    got = subprocess.run(
        ["mtype", "-i", f"{image}@@{PARTITION}", "::/" + path], capture_output=True, check=False
    )
    check(got.stdout == content, f"{path}: {len(got.stdout)} bytes, not {len(content)}, or others")


def make(folder, files, efi=b"MZ\x90"):
    """Makes an image of these files (name -> bytes); returns its path and the configuration."""
    names = list(files)
    vms = [{"name": "a", "kernel": names[0]}]
    # 64 modules a VM is the most.
    for i in range(1, len(names), 64):
        modules = [{"file": name} for name in names[i : i + 64]]
        vms.append({"name": f"v{i}", "kernel": names[0], "modules": modules})
    text = json.dumps({"version": 1, "vms": vms}).encode()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "corbel.json").write_bytes(text)
    (folder / "efi").write_bytes(efi)
    image = folder / "image"
    status, errors = run_tool("--efi", folder / "efi", "-o", image, folder / "corbel.json")
    check(status == 0, errors)
    return image, text


def check_all(folder, files):
    image, text = make(folder, files)
    check_image(image, folder)
    check_file(image, "EFI/BOOT/BOOTX64.EFI", b"MZ\x90")
    check_file(image, "corbel/corbel.json", text)
    for path, content in files.items():
        check_file(image, "corbel/" + path, content)
    return image


def test_small(folder):
    check_all(folder, {"kernel": b"x", "empty": b"", "a/b/c/d": b"deep", "a/b/e": b"e" * 512})


def test_sizes_around_clusters(folder):
    sizes = (0, 1, 511, 512, 513, 1023, 1024, 1025, 65536, 1 << 20)
    check_all(folder, {f"f{size}": bytes((size % 251,)) * size for size in sizes})


def test_larger_than_smallest_volume(folder):
    check_all(folder, {"kernel": os.urandom(45 << 20), "initrd": b"small"})


def test_names(folder):
    names = (
        "KERNEL.BIN kernel2.bin linux-image-6.1.0 linux-image-6.1.0-amd64 LINUX-~2.0 linux-~3.0 "
        ".profile a.b.c.d vmlinuz.old.gz A.TAR.GZ archive.tar.gz KERNEL~1.BIN kernel~2 "
        "thirteen_char twenty-six-characters-long {}~!#$%&'()-@^`_ a+b,c;d=e "
        ".UPPER x.jpeg 8CHARSXX 9CHARSXXX ext.toolong"
    ).split()
    files = {"inner/" + name: name.encode() for name in names}
    files["Mixed Case Folder/with space.bin"] = b"1"
    files["Mixed Case Folder/WITH SPACE.OLD"] = b"2"
    files["/".join(["p" * 50] * 4) + "/" + "q" * 51] = b"the longest PATH"
    image = check_all(folder, files)
    listing = call("mdir", "-b", "-/", "-i", f"{image}@@{PARTITION}", "::/corbel").splitlines()
    for path in files:
        check("::/corbel/" + path in listing, f"{path} is listed in another way")


def test_many_files(folder):
    image, _ = make(folder, {f"many/linux-image-{i:04}": b"%d" % i for i in range(1024)})
    check_image(image, folder)
    for i in (0, 9, 10, 99, 100, 1023):
        check_file(image, f"corbel/many/linux-image-{i:04}", b"%d" % i)


def test_named_twice_is_stored_once(folder):
    (folder / "big").write_bytes(os.urandom(1 << 20))
    (folder / "efi").write_bytes(b"MZ")
    vms = [{"name": f"v{i}", "kernel": "big", "initrd": "big"} for i in range(40)]
    (folder / "c.json").write_text(json.dumps({"version": 1, "vms": vms}), encoding="ascii")
    image = folder / "image"
    status, errors = run_tool("--efi", folder / "efi", "-o", image, folder / "c.json")
    check(status == 0, errors)
    content = (folder / "big").read_bytes()
    check(image.read_bytes().count(content) == 1, "not stored once")
    check(image.stat().st_size < 40 << 20, "the image is as large as many copies")


def test_files_can_be_added(folder):
    image, _ = make(folder, {"kernel": os.urandom(33 << 20)})
    (folder / "x.aml").write_bytes(os.urandom(1 << 20))
    drive = f"{image}@@{PARTITION}"
    call("mmd", "-i", drive, "::/corbel/acpi")
    call("mcopy", "-i", drive, folder / "x.aml", "::/corbel/acpi/x.aml")
    check_file(image, "corbel/acpi/x.aml", (folder / "x.aml").read_bytes())
    check_image(image, folder)


def test_images_differ_in_identity(folder):
    def identity(content):
        image, _ = make(folder, {"kernel": content})
        text = call("sgdisk", "-p", image) + call("sgdisk", "-i", "1", image)
        found = re.findall(r"(?:Disk identifier \(GUID\)|Partition unique GUID): (\S+)", text)
        check(len(found) == 2, text)
        text = call("mdir", "-i", f"{image}@@{PARTITION}", "::")
        return found + [text.split("Serial Number is ")[1][:9]]

    values = identity(b"one") + identity(b"two")
    check(len(set(values)) == 6, f"{values}")
    check(identity(b"one") == values[:3], "not repeatable")


def zeros(size):
    """A file of so many zeros that takes no room."""

    class Zeros(io.RawIOBase):
        left = size

        def read(self, count=-1):
            count = min(count, self.left)
            self.left -= count
            return bytes(count)

    return fat.File(size, Zeros)


def test_cluster_sizes(folder):
    """A volume of each cluster size is laid out soundly; the first two are written and checked."""
    sizes = {1: 512, 100: 512, 240: 512, 300: 1024, 1000: 2048, 60000: 32768}
    for mib, cluster_size in sizes.items():
        root = fat.Folder()
        for i in range(-(-mib // 4000)):
            root.add(f"f{i}", zeros(min(mib, 4000) << 20))
        layout = fat.Layout(root, 4 << 20, 1 << 20)
        check(layout.cluster_size == cluster_size, f"{mib} MiB: clusters of {layout.cluster_size}")
        check(layout.cluster_count >= 65525, f"{mib} MiB: {layout.cluster_count} clusters")
        check(layout.fat_size * 128 >= layout.cluster_count + 2, f"{mib} MiB: FAT too small")
        end = layout.data_start + layout.cluster_count * cluster_size
        check(layout.size - cluster_size < end <= layout.size, f"{mib} MiB: ends at {end}")
        if mib not in (1, 300):
            continue
        with open(folder / "volume", "w+b") as image:
            image.truncate(layout.size)
            fat.Writer(image, 0, layout, b"TEST       ").write()
        check_volume(folder / "volume")
        (folder / "volume").unlink()


def test_too_large_for_fat(folder):
    make(folder, {"kernel": b"x"})
    image = folder / "image"
    os.truncate(folder / "kernel", 1 << 32)
    status, errors = run_tool("--efi", folder / "efi", "-o", image, folder / "corbel.json")
    check(status == 1 and "4 GiB" in errors and errors.count("\n") == 1, f"{status}, {errors!r}")
    root = fat.Folder()
    for i in range(520):
        root.add(f"f{i}", zeros(0xFFFFFFFF))
    check(fat.Layout(root, 0, 1 << 20).size > fat.VOLUME_SIZE_MAX, "2 TiB are not noticed")


def test_file_that_changes(folder):
    """A file that is shorter or longer when it is read than when it was measured."""
    for size in (99, 101):
        root = fat.Folder()
        root.add("f", fat.File(100, lambda size=size: io.BytesIO(bytes(size))))
        layout = fat.Layout(root, 0, 1 << 20)
        with open(folder / "volume", "w+b") as image:
            image.truncate(layout.size)
            try:
                fat.Writer(image, 0, layout, b"TEST       ").write()
            except EOFError:
                continue
        check(False, f"{size} bytes for 100 were taken")


TESTS = (
    test_small,
    test_sizes_around_clusters,
    test_larger_than_smallest_volume,
    test_names,
    test_many_files,
    test_named_twice_is_stored_once,
    test_files_can_be_added,
    test_images_differ_in_identity,
    test_cluster_sizes,
    test_too_large_for_fat,
    test_file_that_changes,
)


def main():
    report = Report()
    for test in TESTS:
        with tempfile.TemporaryDirectory() as path:
            report.run("image_" + test.__name__[5:], test, Path(path))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
