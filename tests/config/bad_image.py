#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes an image with a configuration that corbel-image would refuse, for tests on a machine.

Without BAD.json: every VM of bad/ whose file is usable as a whole, in one configuration, and after
them the VM "good" with KERNEL, which must run. stdout: the lines about it that COM1 has to show, or
the sentence alone where the file is unusable.
"""

import argparse
import io
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from harness import FILES, HERE, tool  # noqa: E402

from corbel_image import config, fat  # noqa: E402  (harness knows where it lies)

GOOD = b'{"name": "good", "kernel": "kernel", "memory": "16M"}'
NAME = re.compile(rb'"name": "([a-z][a-z0-9-]{0,25})"')


def judge(text, files=FILES):
    return config.parse(text, lambda path: path in files)


def vms_of(text, number):
    """The VMs of a bad file, their names made unlike those of other files."""
    start = text.index(b'"vms": [') + len(b'"vms": [')
    vms = NAME.sub(rb'"name": "\1-%d"' % number, text[start : text.rindex(b"]")])
    if len(judge(text).errors()) < len(judge(text).vms):
        # The good ones among them would only take memory.
        vms = vms.replace(b'{"name"', b'{"autostart": false, "name"')
    return vms


def merged(more=()):
    """One configuration: the bad VMs, those of `more` (JSON each), and the VM "good"."""
    texts = [path.read_bytes() for path in sorted((HERE / "bad").iterdir())]
    usable = [text for text in texts if not judge(text).error]
    vms = [vms_of(text, number) for number, text in enumerate(usable)]
    return b'{"version": 1, "vms": [' + b",\n".join([*vms, *more, GOOD]) + b"]}\n"


def refusals(judged):
    """What COM1 has to show of the VMs."""
    return [f"corbel: vm {vm.name}: refused: {vm.error}" for vm in judged.vms if vm.error]


def write(image, efi, text, files):
    """Makes the image as corbel-image does, whatever the configuration says; without text it has none."""
    root = fat.Folder()
    root.add("EFI/BOOT/BOOTX64.EFI", tool.disk_file(efi))
    if text is not None:
        root.add("corbel/corbel.json", memory_file(text))
    for path, content in files.items():
        root.add("corbel/" + path, memory_file(content))
    tool.replace_image(image, root, [])


def files_of(kernel):
    """What the configurations here name, with this kernel."""
    return {path: kernel.read_bytes() if path == "kernel" else path.encode() for path in FILES}


def memory_file(content):
    return fat.File(len(content), lambda: io.BytesIO(content))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", dest="image", metavar="IMAGE", required=True, type=Path)
    parser.add_argument("--efi", metavar="FILE", default=tool.DEFAULT_EFI, type=Path)
    parser.add_argument("--kernel", metavar="KERNEL", required=True, type=Path)
    parser.add_argument("bad", metavar="BAD.json", nargs="?", type=Path)
    arguments = parser.parse_args()
    text = arguments.bad.read_bytes() if arguments.bad else merged()
    judged = judge(text)
    write(arguments.image, arguments.efi, text, files_of(arguments.kernel))
    if judged.error:
        print(judged.error)
    print("".join(line + "\n" for line in refusals(judged)), end="")


if __name__ == "__main__":
    main()
