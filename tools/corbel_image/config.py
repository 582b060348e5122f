# SPDX-License-Identifier: BSD-2-Clause
"""The rules of corbel.json, version 1; the sentences are those of services/init/config.c."""

import re

from . import jsontext, path
from .jsontext import ABSENT, Object

SIZE_MAX = 1024 * 1024
VMS_MAX = 4096
MODULES_MAX = 64
CMDLINE_MAX = 2047
MEMORY_MAX = 65536 << 30
VCPUS_MAX = 254
CPUS_MAX = 1024

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
MEMORY = re.compile(r"([1-9][0-9]*)([KMG])")
SHIFT = {"K": 10, "M": 20, "G": 30}
WHEN_ALL_STOPPED = ("poweroff", "reboot", "stay")
RESTART = ("never", "on-failure", "always")


class Fault(Exception):
    """A rule that was broken: "WHAT IS WRONG; WHAT IS RIGHT", and what follows the key."""

    def __init__(self, sentence, where=""):
        super().__init__(sentence)
        self.sentence = sentence
        self.where = where


class KeyFault(Exception):
    """A key that is unknown or comes twice, as it is shown."""

    def __init__(self, sentence, key):
        super().__init__(sentence)
        self.sentence = sentence
        self.key = key


class Vm:
    """One VM: its settings, or error = "config: KEY: ..."."""

    def __init__(self, name, is_named):
        self.name = name
        self.is_named = is_named
        self.error = None
        self.kernel = None
        self.initrd = None
        self.modules = []  # (file, cmdline)
        self.weight = 100
        self.cap = 0
        self.cpus = set()
        self.realtime = []  # priority, budget_us, period_us


class Config:
    """One file: its VMs, or error = why it is unusable as a whole."""

    def __init__(self):
        self.error = None
        self.when_all_stopped = "poweroff"
        self.vms = []
        self.paths = path.PathSet()

    def errors(self):
        """All that is wrong, in the order of the file."""
        return [self.error] if self.error else [vm.error for vm in self.vms if vm.error]


def printable_key(key):
    """Keys come from the file: what could upset a terminal or a log is shown as "?"."""
    raw = key.encode()
    shown = "".join(chr(byte) if 0x20 < byte < 0x7F else "?" for byte in raw[:40])
    if len(raw) > 40:
        return shown + "..."
    return shown or '""'


def check_keys(item, known, unknown):
    seen = set()
    for key, _ in item.pairs:
        if key not in known:
            raise KeyFault(unknown, printable_key(key))
        if key in seen:
            raise KeyFault("given twice; give it once", key)
        seen.add(key)


class Judge:
    """Judges the VMs of one file, in order. has_file(PATH) says whether the file is there."""

    def __init__(self, config, has_file):
        self.config = config
        self.has_file = has_file

    def name(self, item, vm):
        if item is ABSENT:
            raise Fault("missing; each VM needs a name")
        if not vm.is_named:
            raise Fault('not a name; 1 to 32 of a-z, 0-9 and "-", the first not "-"')
        for i, other in enumerate(self.config.vms):
            if other.name == vm.name:
                raise Fault(f"the name of vms[{i}] already; each VM needs a name of its own")

    def path(self, item):
        if not isinstance(item, str):
            raise Fault('not a string; a PATH such as "linux/bzImage" belongs here')
        fault = path.check(item) or self.config.paths.check(item)
        if fault:
            raise Fault(fault)
        if not self.has_file(item):
            raise Fault(f'no file "{item}"; a PATH starts at the configuration\'s folder')
        self.config.paths.add(item)
        return item

    def kernel(self, item, vm):
        if item is ABSENT:
            raise Fault("missing; each VM needs the PATH of a kernel")
        vm.kernel = self.path(item)

    def initrd(self, item, vm):
        if item is not ABSENT:
            vm.initrd = self.path(item)

    @staticmethod
    def text(item):
        if item is ABSENT:
            return ""
        if not isinstance(item, str):
            raise Fault("not a string; a command line belongs here")
        if len(item.encode()) > CMDLINE_MAX:
            raise Fault("longer than 2047 bytes; make it at most 2047")
        return item

    def cmdline(self, item, vm):
        vm.cmdline = self.text(item)

    def module(self, item):
        """Returns (file, cmdline)."""
        if not isinstance(item, Object):
            raise Fault('not an object; {"file": PATH, "cmdline": string} belongs here')
        try:
            check_keys(item, ("file", "cmdline"), "unknown key; known are file and cmdline")
        except KeyFault as fault:
            raise Fault(fault.sentence, "." + fault.key) from None
        key = "file"
        try:
            if item.get("file") is ABSENT:
                raise Fault("missing; each module needs the PATH of a file")
            file = self.path(item.get("file"))
            key = "cmdline"
            return (file, self.text(item.get("cmdline")))
        except Fault as fault:
            raise Fault(fault.sentence, "." + key) from None

    def modules(self, item, vm):
        if item is ABSENT:
            return
        if not isinstance(item, list):
            raise Fault('not an array; [{"file": PATH, "cmdline": string}] belongs here')
        if len(item) > MODULES_MAX:
            raise Fault("more than 64 modules; give at most 64")
        for i, entry in enumerate(item):
            try:
                vm.modules.append(self.module(entry))
            except Fault as fault:
                raise Fault(fault.sentence, f"[{i}]{fault.where}") from None

    def memory(self, item, vm):
        if item is ABSENT:
            item = "256M"
        match = MEMORY.fullmatch(item) if isinstance(item, str) else None
        if not match:
            raise Fault('not a size; digits without a leading 0, then K, M or G, such as "256M"')
        # So many digits are past the limit in any unit, and int() has a limit of its own.
        size = int(match[1][:20]) << SHIFT[match[2]]
        if size > MEMORY_MAX:
            raise Fault("larger than 65536G; give at most 65536G")
        if size % 4096:
            raise Fault("not a multiple of 4K; round it to 4K")
        vm.memory = size

    def vcpus(self, item, vm):
        value = 1.0
        if item is not ABSENT:
            value = item if isinstance(item, float) else 0.5
        # 1.0 and 1e0 are whole numbers too: JSON knows no other kind of number.
        if -1e9 < value < 1e9 and value != int(value):
            raise Fault("not a whole number; give a number of virtual CPUs")
        if value < 1:
            raise Fault("less than 1; give at least 1")
        if value > VCPUS_MAX:
            raise Fault("more than this version supports; give at most 254")
        vm.vcpus = int(value)

    @staticmethod
    def boolean(item, absent):
        if item is ABSENT:
            return absent
        if not isinstance(item, bool):
            raise Fault("neither true nor false; write true or false, without quotes")
        return item

    def autostart(self, item, vm):
        vm.autostart = self.boolean(item, True)

    def test_device(self, item, vm):
        vm.test_device = self.boolean(item, False)

    def apicv(self, item, vm):
        vm.apicv = self.boolean(item, True)

    def restart(self, item, vm):
        vm.restart = RESTART[0] if item is ABSENT else item
        if vm.restart not in RESTART:
            raise Fault('not a known word; "never", "on-failure" or "always" belongs here')

    @staticmethod
    def whole(item, least, most, sentence):
        if not isinstance(item, float) or not least <= item <= most or item != int(item):
            raise Fault(sentence)
        return int(item)

    def weight(self, item, vm):
        if item is not ABSENT:
            vm.weight = self.whole(
                item, 1, 10000, "not a whole number from 1 to 10000; 100 is what others have"
            )

    def cap(self, item, vm):
        if item is not ABSENT:
            vm.cap = self.whole(
                item, 1, 102400, "not a whole number from 1 to 102400; give percent of a core"
            )

    def cpus(self, item, vm):
        if item is ABSENT:
            return
        if not isinstance(item, list) or not item:
            raise Fault("not a list of cores; numbers such as [0, 2] belong here")
        for i, entry in enumerate(item):
            try:
                vm.cpus.add(
                    self.whole(
                        entry, 0, CPUS_MAX - 1, "not a core; give whole numbers from 0 to 1023"
                    )
                )
            except Fault as fault:
                raise Fault(fault.sentence, f"[{i}]") from None

    def exclusive(self, item, vm):
        vm.exclusive = self.boolean(item, False)

    def realtime(self, item, vm):
        if item is ABSENT:
            return
        if not isinstance(item, Object):
            raise Fault(
                'not an object; {"priority": ..., "budget_us": ..., "period_us": ...} belongs here'
            )
        microseconds = "not a whole number from 100 to 10000000; give microseconds"
        rules = {
            "priority": (1, 99, "not a whole number from 1 to 99; the highest goes first"),
            "budget_us": (100, 10000000, microseconds),
            "period_us": (100, 10000000, microseconds),
        }
        try:
            check_keys(item, rules, "unknown key; known are priority, budget_us and period_us")
        except KeyFault as fault:
            raise Fault(fault.sentence, "." + fault.key) from None
        for key, rule in rules.items():
            try:
                vm.realtime.append(self.whole(item.get(key), *rule))
            except Fault as fault:
                raise Fault(fault.sentence, "." + key) from None

    @staticmethod
    def sharing(vm):
        """What the settings of the cores have against each other: the key, and why."""
        if vm.exclusive and not vm.cpus:
            return "exclusive", "true without cpus; name the cores that it is to have"
        if vm.exclusive and 0 in vm.cpus:
            return "exclusive", "true with core 0, where Corbel's own work is done; name others"
        if vm.realtime and vm.cap:
            return "realtime", "beside a cap; its budget is one"
        if vm.realtime and vm.realtime[1] > vm.realtime[2]:
            return "realtime", "a budget_us of more than its period_us; give at most as much"
        if vm.cpus and vm.cap > 100 * len(vm.cpus):
            return "cap", "more than its cpus can give; 100 is a whole core"
        return None

    KEYS = {
        "name": name,
        "kernel": kernel,
        "initrd": initrd,
        "modules": modules,
        "cmdline": cmdline,
        "memory": memory,
        "vcpus": vcpus,
        "autostart": autostart,
        "restart": restart,
        "test_device": test_device,
        "apicv": apicv,
        "weight": weight,
        "cap": cap,
        "cpus": cpus,
        "exclusive": exclusive,
        "realtime": realtime,
    }

    def vm(self, index, item):
        """Returns the judged Vm."""
        name = item.get("name") if isinstance(item, Object) else ABSENT
        is_named = isinstance(name, str) and NAME.fullmatch(name) is not None
        vm = Vm(name if is_named else f"vms[{index}]", is_named)
        key = ""
        try:
            if not isinstance(item, Object):
                raise Fault('not an object; {"name": ..., "kernel": ...} belongs here')
            check_keys(
                item,
                self.KEYS,
                "unknown key; known are name, kernel, initrd, modules, cmdline, "
                "memory, vcpus, autostart, restart, test_device, apicv, weight, "
                "cap, cpus, exclusive and realtime",
            )
            for name, rule in self.KEYS.items():
                key = "." + name
                rule(self, item.get(name), vm)
            fault = self.sharing(vm)
            if fault:
                key = "." + fault[0]
                raise Fault(fault[1])
        except KeyFault as fault:
            vm.error = f"config: vms[{index}].{fault.key}: {fault.sentence}"
        except Fault as fault:
            vm.error = f"config: vms[{index}]{key}{fault.where}: {fault.sentence}"
        return vm


def judge_top(config, top):
    """The keys of the file itself. Returns the array of VMs."""
    version = top.get("version")
    if version is ABSENT:
        raise KeyFault("missing; must be 1", "version")
    if not isinstance(version, float) or version != 1:
        raise KeyFault("not 1; this Corbel reads version 1", "version")
    check_keys(
        top,
        ("version", "when_all_stopped", "vms"),
        "unknown key; known are version, when_all_stopped and vms",
    )
    stop = top.get("when_all_stopped")
    if stop is not ABSENT:
        config.when_all_stopped = stop
    if config.when_all_stopped not in WHEN_ALL_STOPPED:
        raise KeyFault(
            'not a known word; "poweroff", "reboot" or "stay" belongs here', "when_all_stopped"
        )
    vms = top.get("vms")
    if vms is ABSENT:
        raise KeyFault("missing; an array of VMs belongs here", "vms")
    if not isinstance(vms, list):
        raise KeyFault("not an array; an array of VMs belongs here", "vms")
    if not vms:
        raise KeyFault("empty; give at least one VM", "vms")
    if len(vms) > VMS_MAX:
        raise KeyFault("more than 4096 VMs; give at most 4096", "vms")
    return vms


def parse(text, has_file):
    """Returns the Config that text (bytes) holds."""
    config = Config()
    try:
        if len(text) > SIZE_MAX:
            raise KeyFault("larger than 1 MiB; make it at most 1048576 bytes", "corbel.json")
        top = jsontext.parse(text)
        if not isinstance(top, Object):
            raise KeyFault(
                'not an object; {"version": 1, "vms": [...]} belongs here', "corbel.json"
            )
        vms = judge_top(config, top)
    except jsontext.Fault as fault:
        before = text[: fault.at]
        line = before.count(b"\n") + 1
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        config.error = f"config: line {line} column {column}: {fault.sentence}"
        return config
    except KeyFault as fault:
        config.error = f"config: {fault.key}: {fault.sentence}"
        return config
    judge = Judge(config, has_file)
    for index, item in enumerate(vms):
        config.vms.append(judge.vm(index, item))
    return config
