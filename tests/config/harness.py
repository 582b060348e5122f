# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of tools share: corbel-image as a module, and lines of "ok" and "not ok"."""

import contextlib
import fnmatch
import importlib.machinery
import importlib.util
import io
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent
FILES = ("kernel", "initrd", "dir/module")  # what the configurations here may name
TOOL = HERE.parent.parent / "tools" / "corbel-image"


def load_tool():
    """tools/corbel-image as a module: a process for each configuration would take its time."""
    sys.path.insert(0, str(TOOL.parent))
    loader = importlib.machinery.SourceFileLoader("corbel_image_tool", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


tool = load_tool()


class Failed(Exception):
    """Why a test failed, in one line."""


def check(condition, reason):
    if not condition:
        raise Failed(reason)


class Report:
    """Runs tests and prints their lines."""

    def __init__(self, subject="corbel-image"):
        self.failed = 0
        self.subject = subject

    def run(self, name, test, *arguments):
        """TEST in the environment, a glob, chooses among the tests."""
        name = f"unit/{self.subject}.{name}"
        glob = os.environ.get("TEST") or "*"
        if not fnmatch.fnmatchcase(name, glob) and not fnmatch.fnmatchcase(name[5:], glob):
            return
        try:
            test(*arguments)
            print(f"ok {name}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            reason = error if isinstance(error, Failed) else repr(error)
            print(f"not ok {name}: {reason}", flush=True)
            self.failed += 1


def run_tool(*arguments):
    """Returns the exit status and what went to stderr."""
    errors = io.StringIO()
    saved = sys.argv
    sys.argv = [str(TOOL), *map(str, arguments)]
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            try:
                status = tool.main()
            except SystemExit as stop:
                status = stop.code
    finally:
        sys.argv = saved
    return status, errors.getvalue()
