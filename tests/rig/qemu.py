# SPDX-License-Identifier: BSD-2-Clause
"""The rigs qemu-svm and kvm: QEMU's q35 machine under OVMF."""

import json
import os
import re
import socket
import subprocess

import machine

_SVM_CPU = "EPYC-Milan,+svm,+npt"
_NO_NEWS = "warning: TCG doesn't support requested feature"
# Counted runs start at the same second, so that they repeat.
_ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm"]


def _cpu_flags():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        return set(re.findall(r"[a-z0-9_]+", info.read()))


class Qemu(machine.Machine):
    """COM1 is QEMU's stdin and stdout; resets and power-off are events of its QMP monitor."""

    name = "qemu"

    def __init__(self, opts, folder, boot_disk):
        super().__init__(opts, folder, boot_disk)
        self._program = machine.find_program("qemu-system-x86_64")
        machine.need_file(machine.OVMF)
        if opts.rig == "kvm":
            self._check_kvm()
        for disk in opts.disks:
            if disk.readonly:
                if not os.access(disk.path, os.R_OK):
                    raise machine.Unavailable(f"{disk.path}: cannot be read")
            else:
                self.lock(disk.path)
        self._qmp = None
        self._qmp_rest = b""

    @staticmethod
    def _check_kvm():
        # /dev/kvm may be there on a CPU that cannot nest: the flag decides.
        if not _cpu_flags() & {"vmx", "svm"}:
            raise machine.Unavailable("/proc/cpuinfo shows neither vmx nor svm")
        try:
            os.close(os.open("/dev/kvm", os.O_RDWR))
        except OSError as error:
            raise machine.Unavailable(f"/dev/kvm: {error.strerror}")

    def start(self):
        self._qmp, other = socket.socketpair()
        with other:
            self.spawn(self._program, self._arguments(other.fileno()),
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       pass_fds=[other.fileno()], cwd=self.folder)
        self._qmp.sendall(b'{"execute": "qmp_capabilities"}\n')
        self.com_out = self.process.stdout.fileno()
        self.com_in = self.process.stdin.fileno()
        self.watched = {self._qmp.fileno(): self._on_qmp,
                        self.process.stderr.fileno(): self._on_stderr}

    def _arguments(self, qmp_fd):
        opts = self.opts
        args = ["-nodefaults", "-no-user-config", "-display", "none", "-vga", "std",
                "-m", str(opts.memory), "-smp", str(opts.cpus), "-bios", machine.OVMF,
                "-chardev", "stdio,id=com1,signal=off", "-serial", "chardev:com1",
                "-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control",
                # A reset beyond the allowed ones must not start the firmware again.
                "-action", "reboot=" + ("reset" if opts.resets else "shutdown")]
        if opts.rig == "kvm":
            args += ["-accel", "kvm", "-cpu", opts.cpu or "host"]
        else:
            # Several CPUs take turns, of which PAUSE ends one: with a thread of the host for each, one
            # that waits for its turn at a lock makes all others wait for the host's scheduler, and
            # TCG's #VMEXIT may lose an interrupt that another thread sets.
            args += ["-accel", "tcg" + (",thread=single" if opts.icount or opts.cpus > 1 else ""),
                     "-cpu", opts.cpu or _SVM_CPU]
        if opts.icount:
            args += _ICOUNT + self._broken_tpm()
        return args + self._board() + self._disks() + self._nics()

    def _broken_tpm(self):
        """OVMF takes a missing TPM (whose registers read 0) for a slow one and waits 750 ms for it.

        That is nothing in real time, but 750 million counted instructions, in a loop that QEMU
        leaves at each of them: minutes. A TPM that fails at once costs nothing. A pipe makes one:
        it answers each command with the same bytes, whose error code then is the command's code.
        """
        os.mkfifo(os.path.join(self.folder, "tpm"))
        return ["-tpmdev", "passthrough,id=tpm,cancel-path=/dev/null,path=tpm",
                "-device", "tpm-tis,tpmdev=tpm"]

    def _board(self):
        if not self.opts.iommu:
            return ["-machine", "q35"]
        if self.opts.rig == "kvm" and "vmx" in _cpu_flags():
            return ["-machine", "q35,kernel-irqchip=split", "-device", "intel-iommu,intremap=on"]
        return ["-machine", "q35", "-device", "amd-iommu"]

    def _virtio(self):
        # Without this a virtio device goes past the IOMMU.
        return ",iommu_platform=on,disable-legacy=on" if self.opts.iommu else ""

    @staticmethod
    def _blockdev(name, path, readonly=False, flush=True):
        return ["-blockdev", json.dumps({
            "driver": "raw", "node-name": name, "read-only": readonly,
            "cache": {"no-flush": not flush},
            "file": {"driver": "file", "filename": os.path.abspath(path)}})]

    def _disks(self):
        # Nobody reads the throw-away copy after the run: its flushes need not reach the disk.
        args = self._blockdev("boot", self.boot_disk, flush=self.opts.keep)
        args += ["-device", "ide-hd,bus=ide.0,drive=boot,bootindex=0"]
        ports = iter(range(1, 6))
        for index, disk in enumerate(self.opts.disks):
            args += self._blockdev(f"disk{index}", disk.path, disk.readonly)
            args += ["-device", {
                "ahci": lambda: f"ide-hd,bus=ide.{next(ports)}",
                "nvme": lambda: f"nvme,serial=rig{index}",
                "virtio": lambda: "virtio-blk-pci" + self._virtio(),
            }[disk.bus]() + f",drive=disk{index}"]
        return args

    def _nics(self):
        args = []
        for index, nic in enumerate(self.opts.nics):
            forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-10.0.2.15:{guest}"
                               for host, guest in self.opts.forward) if index == 0 else ""
            device = {"virtio": "virtio-net-pci" + self._virtio()}.get(nic.model, nic.model)
            # No option ROM: the firmware must not try to boot from the network.
            args += ["-netdev", f"user,id=net{index}{forwards}",
                     "-device", f"{device},netdev=net{index},mac={nic.mac},romfile="]
            if nic.pcap:
                path = os.path.abspath(nic.pcap).replace(",", ",,")
                args += ["-object", f"filter-dump,id=dump{index},netdev=net{index},file={path}"]
        return args

    def _on_stderr(self):
        data = os.read(self.process.stderr.fileno(), 65536)
        self.log.extend(line for line in self.lines(data) if _NO_NEWS not in line)
        return bool(data)

    def _on_qmp(self):
        try:
            data = self._qmp.recv(65536)
        except ConnectionResetError:
            return False
        *lines, self._qmp_rest = (self._qmp_rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            reason = message.get("data", {}).get("reason")
            if message.get("event") == "SHUTDOWN":
                if reason == "guest-shutdown":
                    self.powered_off = True
                elif reason == "guest-reset":
                    self.resets += 1
            elif message.get("event") == "RESET" and reason == "guest-reset":
                self.resets += 1
                if self.resets == self.opts.resets:
                    self._qmp.sendall(b'{"execute": "set-action",'
                                      b' "arguments": {"reboot": "shutdown"}}\n')
        return bool(data)

    def close(self):
        super().close()
        if self._qmp is not None:
            self._qmp.close()
        if self.process is not None:
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                pipe.close()
