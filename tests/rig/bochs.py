# SPDX-License-Identifier: BSD-2-Clause
"""The rigs bochs-vmx and bochs-svm: Bochs 3.0 with OVMF, an i440FX machine."""

import os
import re
import signal
import socket
import subprocess

import acpi
import esp
import machine
import pcap

_CPUS = {"bochs-vmx": "corei7_haswell_4770", "bochs-svm": "ryzen"}
_VGA_BIOS = "/usr/share/vgabios/vgabios-stdvga.bin"
_HOST_MEMORY_MAX = 2048  # MiB; Bochs swaps the guest's memory above this to a file
_DRIVES = ("ata0-slave", "ata1-master", "ata1-slave")

# Bochs says what the machine does in its log only. The first reset is power-on. Power-off and a
# triple fault (which resets a real machine) end it as fatal errors, with the same exit status.
_RESET_LINE = "bx_pc_system_c::Reset("
_POWER_OFF_LINE = "ACPI control: soft power off"
_TRIPLE_FAULT_LINE = "exception with no resolution"
_REGISTERS = re.compile(r"\[CPU[0-9]+ *\] (\||CPU is|.*>> )")


class Bochs(machine.Machine):
    """COM1 is a TCP connection that Bochs makes: its other modes keep output back in a buffer.

    A reset starts Bochs anew, so RAM does not survive it. Bochs 3.0 does not clear PIIX4's
    PMREGMISC at a reset, from which OVMF concludes that the PM timer's ports are set up, and then
    it waits for ever for that timer, at port 8.
    """

    name = "bochs"

    def __init__(self, opts, folder, boot_disk):
        super().__init__(opts, folder, boot_disk)
        self._program = machine.need_file(os.path.join(machine.cache(), "bochs", "bochs"))
        machine.need_file(machine.OVMF)
        machine.need_file(_VGA_BIOS)
        for disk in opts.disks:
            self.lock(disk.path)
        self._listener = self._com = None
        self._esp = None
        self._starts = 0
        self._was_reset = self._on = self._panicked = False

    def start(self):
        self._esp = esp.open_image(self.boot_disk)
        self._esp.add("corbel/acpi", acpi.compile_tables(self.folder, self.opts.cpus))
        # A link for each disk: Bochs creates NAME.lock beside what it opens, and leaves it there
        # when it is killed.
        self._link("boot.img", self.boot_disk)
        for index, disk in enumerate(self.opts.disks):
            self._link(f"disk{index}.img", disk.path)
        self._power_on()

    def _power_on(self):
        self._starts += 1
        self._was_reset = self._on = self._panicked = False
        self._unlock_disks()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._write("bochsrc", self._settings(self._listener.getsockname()[1]))
        for index in range(len(self.opts.nics)):
            self._write(f"slirp{index}.conf", self._network(index))
        # Its speed report comes by SIGALRM and takes the log's lock: in the middle of a log line
        # Bochs would wait for itself for ever. A blocked signal stays so across exec.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        self.spawn(self._program, ["-q", "-f", "bochsrc"], cwd=self.folder,
                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.watched = {self._listener.fileno(): self._on_connect,
                        self.process.stdout.fileno(): self._on_log}

    def restart(self):
        """After its process has ended: whether the machine goes on, since it was only reset."""
        if not self._was_reset or self.resets > self.opts.resets:
            return False
        if self.com_out is None:  # All that it had said has been read.
            self._close_files()
            self._power_on()
        return True

    def _link(self, name, path):
        os.symlink(os.path.abspath(path), os.path.join(self.folder, name))

    def _write(self, name, lines):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))

    def _settings(self, com_port):
        opts = self.opts
        lines = [
            "config_interface: textconfig",
            "display_library: nogui",
            "log: /dev/stdout",
            "panic: action=fatal",
            "error: action=report",
            "info: action=report",
            "debug: action=ignore",
            f"memory: guest={opts.memory}, host={min(opts.memory, _HOST_MEMORY_MAX)}",
            f"romimage: file={machine.OVMF}, address=0xffe00000",
            f"vgaromimage: file={_VGA_BIOS}",
            # Time is counted in instructions, 100 million a second, from a fixed date, so that
            # runs repeat. Quantum 1: with several CPUs they take turns at each instruction.
            f"cpu: count={opts.cpus}, ips=100000000, quantum={1 if opts.cpus > 1 else 16},"
            f" reset_on_triple_fault=0, model={opts.cpu or _CPUS[opts.rig]}",
            "clock: sync=none, time0=1767225600",
            "pci: enabled=1, chipset=i440fx" + "".join(
                f", slot{index + 1}=e1000" for index in range(len(opts.nics))),
            "vga: extension=vbe, update_freq=1",
            "port_e9_hack: enabled=1",
            "parport1: enabled=0",
            "mouse: enabled=0",
            f"com1: enabled=1, mode=socket-client, dev=127.0.0.1:{com_port}",
            "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
            "ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15",
            "ata0-master: type=disk, mode=flat, path=boot.img",
            "boot: disk",
        ]
        lines += [f"{_DRIVES[index]}: type=disk, mode=flat, path=disk{index}.img"
                  for index in range(len(opts.disks))]
        lines += [f"e1000: card={index}, enabled=1, mac={nic.mac}, ethmod=slirp,"
                  f" script=slirp{index}.conf" for index, nic in enumerate(opts.nics)]
        return lines

    def _network(self, index):
        lines = ["# slirp config"]  # Bochs wants this line first.
        if index == 0:
            lines += [f"hostfwd = tcp:127.0.0.1:{host}-10.0.2.15:{guest}"
                      for host, guest in self.opts.forward]
        if self.opts.nics[index].pcap:
            lines.append(f"pktlog = net{index}-{self._starts}.log")
        return lines

    def _on_connect(self):
        self._com, _ = self._listener.accept()
        self._listener.close()
        self._com.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.com_out = self.com_in = self._com.fileno()
        return False

    def _on_log(self):
        data = os.read(self.process.stdout.fileno(), 65536)
        for line in self.lines(data):
            panic = ">>PANIC<<" in line
            if panic and _TRIPLE_FAULT_LINE in line:
                self._was_reset = True  # Bochs goes on to print the registers, and ends.
                self.resets += 1
            elif panic and _POWER_OFF_LINE in line:
                self.powered_off = True
            elif _RESET_LINE in line and not self._on:
                self._on = True
            elif _RESET_LINE in line:
                self._was_reset = True
                self.resets += 1
                self.kill()
                return False
            self._panicked |= panic
            if panic or (self._panicked and _REGISTERS.search(line)):
                self.log.append(line)
        return bool(data)

    def _unlock_disks(self):
        for name in os.listdir(self.folder):
            if name.endswith(".img.lock"):
                os.unlink(os.path.join(self.folder, name))

    def _close_files(self):
        for it in (self._listener, self._com, self.process and self.process.stdout):
            if it:
                it.close()

    def close(self):
        super().close()
        self._close_files()
        for index, nic in enumerate(self.opts.nics):
            if nic.pcap and self._starts:
                logs = [os.path.join(self.folder, f"net{index}-{start + 1}.log")
                        for start in range(self._starts)]
                pcap.from_bochs(logs, nic.pcap)
        if self._esp is not None and self.opts.keep:
            self._esp.restore()
