# SPDX-License-Identifier: BSD-2-Clause
"""The rules of PATHs; the sentences are those of services/init/path.c."""

SIZE_MAX = 255
FILES_MAX = 1024


def lower(path):
    """Letter case as FAT ignores it; PATHs are ASCII."""
    return path.lower()


def check_part(part):
    if not part:
        return 'a PATH with an empty part; write one "/" between two names'
    if part in (".", ".."):
        return 'a PATH with a part "." or ".."; name the file from the configuration\'s folder down'
    if part[0] == " " or part[-1] in " .":
        return "a PATH with a space or dot at the edge of a part; rename the file"
    return None


def check(path):
    """Whether path may name a file below \\corbel\\: None or "WHAT IS WRONG; WHAT IS RIGHT"."""
    if not path:
        return "an empty PATH; name a file"
    if len(path.encode()) > SIZE_MAX:
        return "a PATH longer than 255 bytes; make it at most 255"
    if path[0] == "/":
        return 'a PATH that begins with "/"; it starts at the configuration\'s folder'
    for character in path:
        if character == "\\":
            return 'a PATH with a backslash; write "/" between the parts'
        if not " " <= character <= "~" or character in '"*:<>?|':
            return (
                "a PATH with a character that is not printable ASCII or is one of "
                '" * : < > ? |; rename the file'
            )
    for part in path.split("/"):
        fault = check_part(part)
        if fault:
            return fault
    if lower(path) == "corbel.json":
        return "the configuration's own name; give the file another"
    if lower(path).split("/")[0] == "acpi":
        return 'a PATH in "acpi/", which is for the machine\'s own tables; put the file elsewhere'
    return None


def folders(path):
    """The folders above path: "a" and "a/b" for "a/b/c"."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


class PathSet:
    """The different files named so far, and the folders that they lie in."""

    def __init__(self):
        self.files = {}  # in lower case -> as it was spelt first
        self.folders = set()  # in lower case

    def check(self, path):
        """Whether path can join: None or a sentence."""
        name = lower(path)
        if self.files.get(name) == path:
            return None
        if name in self.files:
            return (
                "a PATH that differs from another in letter case only; "
                "spell both the same, or rename one file"
            )
        if name in self.folders or any(folder in self.files for folder in folders(name)):
            return "a PATH that makes one name both a file and a folder; rename one"
        if len(self.files) == FILES_MAX:
            return "one file too many; name at most 1024 different files"
        return None

    def add(self, path):
        self.files[lower(path)] = path
        self.folders.update(folders(lower(path)))
