# SPDX-License-Identifier: BSD-2-Clause
"""Truncated and corrupt kernels, made of good ones, and how the sentence begins that refuses each."""

import struct

import machine

PAGE = 4096
WORDS = {1: "B", 2: "H", 4: "I", 8: "Q"}
# Offsets of (entry, phoff, phentsize, phnum), then of (p_offset, p_vaddr, p_paddr, p_filesz, p_memsz).
ELF32 = {"entry": (24, 4), "phoff": (28, 4), "phentsize": (42, 2), "phnum": (44, 2), "type": (0, 4), "offset": (4, 4),
         "vaddr": (8, 4), "paddr": (12, 4), "filesz": (16, 4), "memsz": (20, 4)}
ELF64 = {"entry": (24, 8), "phoff": (32, 8), "phentsize": (54, 2), "phnum": (56, 2), "type": (0, 4), "offset": (8, 8),
         "vaddr": (16, 8), "paddr": (24, 8), "filesz": (32, 8), "memsz": (40, 8)}
HEADER_FIELDS = ("entry", "phoff", "phentsize", "phnum")
MULTIBOOT = {"flags": 4, "checksum": 8, "header": 12, "load": 16, "load_end": 20, "bss_end": 24, "entry": 28}
BZIMAGE = {"setup_sects": (0x1F1, 1), "syssize": (0x1F4, 4), "boot_flag": (0x1FE, 2), "jump": (0x200, 2),
           "magic": (0x202, 4), "version": (0x206, 2), "loadflags": (0x211, 1), "initrd_max": (0x22C, 4),
           "alignment": (0x230, 4), "relocatable": (0x234, 1), "xloadflags": (0x236, 2), "cmdline_size": (0x238, 4),
           "payload_offset": (0x248, 4), "payload_length": (0x24C, 4), "pref_address": (0x258, 8),
           "init_size": (0x260, 4)}


def put(data, offset, size, value):
    struct.pack_into("<" + WORDS[size], data, offset, value)


def get(data, offset, size):
    return struct.unpack_from("<" + WORDS[size], data, offset)[0]


def elf_field(good, name):
    """(offset, size) of a field of an ELF file: entry, phoff..., and filesz0 for one of segment 0."""
    layout = ELF64 if good[4] == 2 else ELF32
    if name in HEADER_FIELDS:
        return layout[name]
    offset, size = layout[name[:-1]]
    return get(good, *layout["phoff"]) + get(good, *layout["phentsize"]) * int(name[-1]) + offset, size


def elf(good, **fields):
    """The file with these fields changed."""
    data = bytearray(good)
    for name, value in fields.items():
        put(data, *elf_field(good, name), value)
    return bytes(data)


def multiboot(good, **fields):
    """The same for the Multiboot header; its checksum is made to fit."""
    data = bytearray(good)
    at = data.index(struct.pack("<I", 0x1BADB002))
    for name, value in fields.items():
        put(data, at + MULTIBOOT[name], 4, value)
    put(data, at + MULTIBOOT["checksum"], 4, -(0x1BADB002 + get(data, at + MULTIBOOT["flags"], 4)) & 0xFFFFFFFF)
    return bytes(data)


def bzimage(**fields):
    """A bzImage that would be loaded, with these fields changed; its code is all zeros."""
    data = bytearray(5 * 512 + 2 * PAGE)
    good = {"setup_sects": 4, "syssize": 2 * PAGE // 16, "boot_flag": 0xAA55, "jump": 0x66EB, "magic": 0x53726448,
            "version": 0x20F, "loadflags": 1, "initrd_max": 0x7FFFFFFF, "alignment": 0x200000, "relocatable": 1,
            "xloadflags": 1, "cmdline_size": 2047, "payload_offset": 0x300, "payload_length": 0x100,
            "pref_address": 0x100000, "init_size": 0x100000}
    for name, value in {**good, **fields}.items():
        put(data, *BZIMAGE[name], value)
    return bytes(data)


def bzimages():
    cut_off = "its kernel, a bzImage, is cut off: it has "
    damaged = "its kernel has a damaged bzImage header: "
    whole = bzimage()
    yield "cut-in-header", whole[:0x220], "its kernel, a bzImage, ends within its header"
    yield "cut-in-setup", whole[:0x300], cut_off
    yield "cut-in-code", whole[:-PAGE], cut_off
    yield "no-boot-flag", bzimage(boot_flag=0), damaged + "no boot flag"
    yield "old-protocol", bzimage(version=0x204), "its kernel, a bzImage of boot protocol 2.04, has no 64-bit entry"
    yield "32-bit", bzimage(xloadflags=0), "its kernel, a bzImage of boot protocol 2.15, has no 64-bit entry"
    yield "loaded-low", bzimage(loadflags=0), "its kernel, a bzImage, wants to lie below 1 MiB"
    yield "header-too-short", bzimage(jump=0x10EB), damaged + "its length is "
    yield "setup-past-end", bzimage(setup_sects=255), cut_off
    yield "code-past-end", bzimage(syssize=0xFFFFFFFF), cut_off
    yield "no-code", bzimage(syssize=0)[:5 * 512], damaged + "its payload goes past the end of the file"
    yield "payload-past-end", bzimage(payload_length=0xFFFFFFFF), damaged + "its payload goes past the end of the file"
    yield "payload-wraps", bzimage(payload_offset=0xFFFFFFFF), damaged + "its payload goes past the end of the file"
    yield "alignment-odd", bzimage(alignment=0x200001), damaged + "its alignment is "
    yield "alignment-none", bzimage(alignment=0), damaged + "its alignment is 0"
    yield "alignment-huge", bzimage(alignment=0x80000000), "there is no room in RAM for the kernel, "
    yield "larger-than-ram", bzimage(init_size=0xFFFFF000), "there is no room in RAM for the kernel, "
    yield "prefers-no-ram", bzimage(pref_address=1 << 63), "there is no room in RAM for the kernel, "
    yield "fixed-above-4g", bzimage(relocatable=0, pref_address=(1 << 64) - PAGE), "its kernel wants to lie above 4 GiB"
    yield "fixed-in-hole", bzimage(relocatable=0, pref_address=0xA0000), "the kernel's bzImage belongs at 0xa0000, "
    yield "fixed-past-ram", bzimage(relocatable=0, pref_address=0x40000000), "the kernel's bzImage belongs at 0x40000000, "


def elfs(good):
    """What is the same for the ELF32 of Multiboot and the ELF64 of PVH."""
    past_end = "its kernel is cut off or damaged: "
    is_64 = good[4] == 2
    top = (1 << 64 if is_64 else 1 << 32) - PAGE
    table = past_end + "its list of segments goes past the end of the file"
    outside = " lies outside what is loaded"
    code, data = [get(good, *elf_field(good, name)) for name in ("paddr0", "paddr1")]
    offset, bss = [get(good, *elf_field(good, name)) for name in ("offset1", "filesz1")]
    yield "cut-in-code", good[:2 * PAGE], past_end + "segment 0 goes past the end of the file"
    yield "cut-in-data", good[:offset + 8], past_end + "segment 1 goes past the end of the file"
    yield "table-past-end", elf(good, phoff=len(good)), table
    yield "table-wraps", elf(good, phoff=top + PAGE - 16), table
    yield "table-steps-short", elf(good, phentsize=8), table
    yield "too-many-segments", elf(good, phnum=0xFFFF), "its kernel has 65535 segments; at most "
    yield "segment-past-end", elf(good, offset0=top), past_end + "segment 0 goes past the end of the file"
    yield "segment-wraps", elf(good, filesz0=top + PAGE - 1), past_end + "segment 0 goes past the end of the file"
    yield "more-in-file", elf(good, memsz0=16), "its kernel is damaged: segment 0 has more bytes in the file than in memory"
    yield "segments-overlap", elf(good, paddr1=code + PAGE), f"the kernel's segment 1 at {code + PAGE:#x}, "
    yield "segment-in-hole", elf(good, paddr0=0xA0000), "the kernel's segment 0 belongs at 0xa0000, "
    yield "segment-past-ram", elf(good, paddr1=0x40000000), "the kernel's segment 1 belongs at 0x40000000, "
    yield "segment-at-top", elf(good, paddr1=top), f"the kernel's segment 1 belongs at {top:#x}, "
    yield "segment-larger", elf(good, memsz1=top), f"the kernel's segment 1 belongs at {data:#x}, "
    yield "nothing-to-load", elf(good, type0=0, type1=0), "its kernel has nothing that is to be loaded"
    if not is_64:
        yield "entry-in-bss", elf(good, entry=data + bss), f"its kernel's entry, {data + bss:#x}," + outside
        yield "entry-past-ram", elf(good, entry=0x40000000), "its kernel's entry, 0x40000000," + outside
        yield "entry-at-0", elf(good, entry=0), "its kernel's entry, 0x0," + outside


def multiboots(good):
    yield "cut-in-header", good[:48], "its kernel, an ELF file, ends within its header"
    yield from elfs(good)
    yield "unknown-feature", multiboot(good, flags=0x8003), "its kernel asks for Multiboot features 0x8000, which"
    yield "not-elf", b"no ELF" + good[6:], "its kernel has a Multiboot header without addresses and is no ELF file"
    yield "other-cpu", good[:18] + b"\x28\x00" + good[20:], "its kernel is an ELF file, but not of an x86 CPU"
    yield "object-file", good[:16] + b"\x01" + good[17:], "its kernel is an ELF file, but no program"


def pvhs(good):
    no_note = "its kernel is an ELF file without a PVH note; "
    note = good.index(b"\x04\0\0\0\x04\0\0\0\x12\0\0\0Xen\0")
    entry = lambda value: good[:note + 16] + struct.pack("<I", value) + good[note + 20:]  # noqa: E731
    yield "cut-in-header", good[:48], "its kernel, an ELF file, ends within its header"
    yield from elfs(good)
    yield "no-note", elf(good, type2=0), no_note
    yield "note-past-end", elf(good, offset2=len(good)), "its kernel is cut off or damaged: segment 2 goes past the end"
    yield "note-cut", elf(good, filesz2=16), no_note
    yield "note-wraps", good[:note] + b"\xff\xff\xff\xff" + good[note + 4:], no_note
    yield "entry-in-hole", entry(0xA0000), "its kernel's entry, 0xa0000, lies outside what is loaded"
    yield "entry-past-ram", entry(0xFFFFFFFF), "its kernel's entry, 0xffffffff, lies outside what is loaded"


def kludges(good):
    damaged = "its kernel has a damaged Multiboot header: "
    yield "cut-in-header", good[:20], "its kernel ends within its Multiboot header"
    yield "cut-in-code", good[:PAGE], "its kernel is cut off: it loads to 0x"
    yield "loads-from-before", multiboot(good, load=0), damaged + "it loads from 0x0, which is not in the file"
    yield "loads-behind-header", multiboot(good, load=0x200000), damaged + "it loads from 0x200000, which is not in"
    yield "ends-past-end", multiboot(good, load_end=0xFFFFFFFF), "its kernel is cut off: it loads to 0xffffffff, "
    yield "ends-before-start", multiboot(good, load_end=0x1000), "its kernel is cut off: it loads to 0x1000, "
    yield "bss-before-end", multiboot(good, bss_end=0x100010), damaged + "its bss ends at 0x100010, before it begins"
    yield "bss-past-ram", multiboot(good, bss_end=0xFFFFFFFF), "the kernel's only piece belongs at 0x100000, "
    yield "past-ram", multiboot(good, header=0x40000000, load=0x40000000, load_end=0, bss_end=0, entry=0x40000040), \
        "the kernel's only piece belongs at 0x40000000, "
    yield "at-top", multiboot(good, header=0xFFFFF000, load=0xFFFFF000, load_end=0, bss_end=0, entry=0xFFFFF040), \
        "the kernel's only piece belongs at 0xfffff000, "
    yield "entry-past-end", multiboot(good, entry=0x180000), "its kernel's entry, 0x180000, lies outside what is"
    yield "entry-past-ram", multiboot(good, entry=0x40000000), "its kernel's entry, 0x40000000, lies outside what is"


def others(good):
    unknown = "its kernel is no bzImage, has no Multiboot header in the first 8 KiB and is no ELF file"
    yield "of-one-byte", b"x", unknown
    yield "of-zeros", bytes(3 * PAGE), unknown
    yield "header-too-late", bytes(8192) + good, unknown
    yield "header-at-the-edge", bytes(8192 - 8) + good[:64], unknown


def all_of_them():
    """(name, file, how its sentence begins) of each."""
    guests = machine.BUILD / "guests"
    good, pvh, kludge = [(guests / name).read_bytes() for name in ("hello", "hello.pvh", "hello.kludge")]
    for kind, kernels in (("bzimage", bzimages()), ("multiboot", multiboots(good)), ("pvh", pvhs(pvh)),
                          ("kludge", kludges(kludge)), ("kernel", others(kludge))):
        for name, data, sentence in kernels:
            yield f"{kind}-{name}", data, sentence
