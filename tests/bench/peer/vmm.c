/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peer: the smallest VMM on Linux's KVM that runs our cost guest, so that both are measured in
 * the same rig. usage: vmm GUEST [COMMAND LINE]; GUEST is a Multiboot 1 ELF32 file. What the guest
 * writes to its UART comes out on stdout. Exit status: what it wrote to port 0xf4, or 255.
 *
 * vmm --times GUEST [COMMAND LINE] runs itself so, and prints what the VM's creation up to its
 * first instruction and its destruction took, as rows of the bench.
 *
 * vmm --two GUEST [COMMAND LINE] gives it a second CPU, which waits for its start.
 *
 * The local APIC is the kernel's, as nobody would have it otherwise; the IOAPIC is left to us, so
 * that a read of it measures the way to user space. Port 0xfc is an ioeventfd.
 */
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define RAM_SIZE        (128u << 20)
#define INFO            0x9000u /* the Multiboot information */
#define COMMAND_LINE    0x9100u
#define MULTIBOOT_MAGIC 0x2badb002u
#define INFO_MEMORY     1u
#define INFO_CMDLINE    4u
#define UART            0x3f8
#define UART_STATUS     0x3fd
#define STATUS_EMPTY    0x60
#define END_PORT        0xf4
#define DOORBELL_PORT   0xfc
#define IOAPIC_PINS     24
#define TSS_ADDRESS     0xfffbd000u
#define TIMES_FD        3
#define CPUID_MAX       256
#define TSC_DEADLINE    (1u << 24) /* leaf 1, ECX */

static int vm;
static uint8_t *ram;
static struct vcpu {
	int fd;
	struct kvm_run *run;
} vcpus[2];
static struct times {
	uint64_t start, first,
		end; /* TSC: of its creation, before its first instruction, at its end */
} * times;           /* NULL = nobody wants to know */

static int call(int fd, unsigned long request, void *argument, const char *what)
{
	int result = ioctl(fd, request, argument);

	if (result < 0)
		err(255, "%s", what);
	return result;
}

/* Copies the file's segments into the guest's RAM; returns its entry. */
static uint32_t load(const char *path)
{
	static uint8_t file[1 << 20];
	const Elf32_Ehdr *header = (const Elf32_Ehdr *)file;
	int fd = open(path, O_RDONLY);
	ssize_t size = fd < 0 ? -1 : read(fd, file, sizeof(file));

	if (size < (ssize_t)sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		errx(255, "%s: no ELF file", path);
	for (unsigned i = 0; i < header->e_phnum; i++) {
		const Elf32_Phdr *p = (const Elf32_Phdr *)(file + header->e_phoff) + i;

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_paddr > RAM_SIZE || p->p_memsz > RAM_SIZE - p->p_paddr ||
		    p->p_filesz > p->p_memsz || p->p_offset + p->p_filesz > (size_t)size)
			errx(255, "%s: a segment does not fit", path);
		memcpy(ram + p->p_paddr, file + p->p_offset, p->p_filesz);
	}
	close(fd);
	return header->e_entry;
}

static void create_vm(int kvm)
{
	struct kvm_userspace_memory_region region = {.memory_size = RAM_SIZE};
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {IOAPIC_PINS}};
	struct kvm_ioeventfd doorbell = {
		.addr = DOORBELL_PORT, .len = 1, .flags = KVM_IOEVENTFD_FLAG_PIO};

	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		err(255, "mmap");
	vm = call(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
	call(vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)TSS_ADDRESS, "KVM_SET_TSS_ADDR");
	call(vm, KVM_ENABLE_CAP, &split, "KVM_CAP_SPLIT_IRQCHIP");
	region.userspace_addr = (uintptr_t)ram;
	call(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
	doorbell.fd = eventfd(0, 0);
	call(vm, KVM_IOEVENTFD, &doorbell, "KVM_IOEVENTFD");
}

/* All that KVM can give, and the timer that it emulates in any case; and the CPU's own id. */
static void set_cpuid(int kvm, int vcpu, unsigned index)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[CPUID_MAX];
	} cpuid = {.head.nent = CPUID_MAX};

	call(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid, "KVM_GET_SUPPORTED_CPUID");
	for (unsigned i = 0; i < cpuid.head.nent; i++)
		if (cpuid.head.entries[i].function == 1)
			cpuid.head.entries[i].ecx |= TSC_DEADLINE;
		else if (cpuid.head.entries[i].function == 0xb)
			cpuid.head.entries[i].edx = index;
	call(vcpu, KVM_SET_CPUID2, &cpuid, "KVM_SET_CPUID2");
}

/*
 * After a reset or an INIT KVM on SVM leaves a 16-bit TSS in TR, and with one a CPU, so Bochs too,
 * does not go to long mode: SDM vol 2, "MOV-Move to/from Control Registers".
 */
static void set_task(int vcpu)
{
	struct kvm_sregs sregs;

	call(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.tr.type = 11; /* busy 32-bit TSS */
	call(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
}

/* Multiboot 1, "Machine state": flat 32-bit segments, no paging. */
static void set_registers(int vcpu, uint32_t entry)
{
	const struct kvm_segment flat = {
		.limit = 0xffffffff, .present = 1, .s = 1, .g = 1, .db = 1};
	struct kvm_regs regs = {.rax = MULTIBOOT_MAGIC, .rbx = INFO, .rip = entry, .rflags = 2};
	struct kvm_sregs sregs;

	call(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cs = sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
	sregs.cs.type = 11;
	sregs.cs.selector = 8;
	sregs.ds.type = sregs.es.type = sregs.fs.type = sregs.gs.type = sregs.ss.type = 3;
	sregs.ds.selector = sregs.es.selector = sregs.ss.selector = 16;
	sregs.cr0 = 0x11; /* PE, ET */
	call(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	call(vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
	set_task(vcpu);
}

static void create_vcpu(int kvm, unsigned index)
{
	int size = call(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
	struct vcpu *vcpu = &vcpus[index];

	vcpu->fd = call(vm, KVM_CREATE_VCPU, (void *)(uintptr_t)index, "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		err(255, "mmap of the vCPU");
	set_cpuid(kvm, vcpu->fd, index);
}

static void write_info(const char *command_line)
{
	uint32_t info[5] = {INFO_MEMORY | INFO_CMDLINE, 640, (RAM_SIZE >> 10) - 1024, 0,
			    COMMAND_LINE};

	memcpy(ram + INFO, info, sizeof(info));
	snprintf((char *)ram + COMMAND_LINE, 256, "guest %s", command_line);
}

/* Bytes gather until the line ends: what is measured between two lines meets no write(2). */
static void put(uint8_t byte)
{
	static uint8_t line[512];
	static size_t count;

	line[count++] = byte;
	if (byte == '\n' || count == sizeof(line)) {
		if (write(STDOUT_FILENO, line, count) < 0)
			exit(255);
		count = 0;
	}
}

static void port(struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	if (run->io.direction == KVM_EXIT_IO_IN) {
		memset(data, 0xff, run->io.size * run->io.count);
		if (run->io.port == UART_STATUS)
			*data = STATUS_EMPTY;
	} else if (run->io.port == UART) {
		put(*data);
	} else if (run->io.port == END_PORT) {
		if (times)
			times->end = __rdtsc();
		exit(*data);
	}
}

static void print_row(const char *id, uint64_t ticks)
{
	printf("bench %s mean=%lu min=%lu max=%lu count=1\n", id, ticks, ticks, ticks);
}

/* Another process, as a VMM is: started anew, and gone when this one hears of it. */
static int take_times(char **arguments)
{
	int file = memfd_create("times", 0);
	uint64_t gone;
	pid_t child;

	if (file != TIMES_FD || ftruncate(file, sizeof(*times)) < 0)
		err(255, "times");
	times = mmap(NULL, sizeof(*times), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (times == MAP_FAILED)
		err(255, "mmap of the times");
	times->start = __rdtsc();
	child = fork();
	if (child == 0) {
		arguments[1] = "--timed";
		execv("/proc/self/exe", arguments);
		_exit(255);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		err(255, "fork");
	gone = __rdtsc();
	if (!times->end)
		errx(255, "the guest did not end");
	print_row("vm.create_to_first_instruction", times->first - times->start);
	print_row("vm.destroy", gone - times->end);
	return 0;
}

/* A CPU that waits for its start comes back with EAGAIN when there was an INIT. */
static void *run_vcpu(void *argument)
{
	struct vcpu *vcpu = argument;

	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, NULL) != 0) {
			if (errno != EAGAIN)
				err(255, "KVM_RUN");
			set_task(vcpu->fd);
		} else if (vcpu->run->exit_reason == KVM_EXIT_IO)
			port(vcpu->run);
		else if (vcpu->run->exit_reason == KVM_EXIT_MMIO)
			memset(vcpu->run->mmio.data, 0, sizeof(vcpu->run->mmio.data));
		else
			errx(255, "exit %u", vcpu->run->exit_reason);
	}
}

int main(int count, char **arguments)
{
	bool is_timed = count > 2 && strcmp(arguments[1], "--timed") == 0;
	bool has_two = count > 2 && strcmp(arguments[1], "--two") == 0;
	pthread_t second;
	int kvm;

	if (count > 2 && strcmp(arguments[1], "--times") == 0)
		return take_times(arguments);
	if (is_timed) {
		times = mmap(NULL, sizeof(*times), PROT_READ | PROT_WRITE, MAP_SHARED, TIMES_FD, 0);
		if (times == MAP_FAILED)
			err(255, "mmap of the times");
	}
	arguments += is_timed || has_two;
	count -= is_timed || has_two;
	kvm = open("/dev/kvm", O_RDWR);
	if (count < 2)
		errx(255, "usage: vmm [--times | --two] GUEST [COMMAND LINE]");
	if (kvm < 0)
		err(255, "/dev/kvm");
	create_vm(kvm);
	create_vcpu(kvm, 0);
	set_registers(vcpus[0].fd, load(arguments[1]));
	write_info(count > 2 ? arguments[2] : "");
	if (times)
		times->first = __rdtsc();
	if (has_two) {
		create_vcpu(kvm, 1);
		if (pthread_create(&second, NULL, run_vcpu, &vcpus[1]) != 0)
			errx(255, "no thread for the second CPU");
	}
	run_vcpu(&vcpus[0]);
}
