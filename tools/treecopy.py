# SPDX-License-Identifier: BSD-2-Clause
"""A copy of the tree in another folder, to build it there: below build/copies, kept from run to run."""

import filecmp
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


def sync(name, objects=()):
    """The copy becomes the tree as it is, new files included; what is the same keeps its time, so that
    only what changed is compiled. A new copy begins with these folders of build/. Returns its path."""
    copy = TOP / "build" / "copies" / name
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, check=True,
                            capture_output=True, text=True).stdout.split("\n")
    names = {name for name in listed if name and (TOP / name).is_file()}
    is_new = not copy.exists()
    for name in names:
        old = copy / name
        if not old.exists() or not filecmp.cmp(TOP / name, old, shallow=False):
            old.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copy2 if is_new else shutil.copy)(TOP / name, old)
    for path in copy.rglob("*"):
        inside = path.relative_to(copy)
        if inside.parts[0] != "build" and path.is_file() and str(inside) not in names:
            path.unlink()
    for folder in objects if is_new else ():
        if (TOP / "build" / folder).is_dir():
            shutil.copytree(TOP / "build" / folder, copy / "build" / folder)  # with their times
    return copy
