/* SPDX-License-Identifier: BSD-2-Clause */
/* Saves the VM to memory, throws it away, and makes it anew of what was saved. */
#include <string.h>

#include "services/lib/syscall.h"
#include "services/vmm/checkpoint.h"
#include "services/vmm/process.h"
#include "services/vmm/state.h"

/* One VM a process, one such thing at a time: not on a stack of 32 KiB. */
static uint8_t file[CHECKPOINT_MAX] __attribute__((aligned(8)));
static struct checkpoint checkpoint;

void process_want_reload(struct process *process)
{
	process->wants_reload = true;
	process->reload_due_ns = PLATFORM_NEVER;
	vcpu_kick(process->machine.vcpu);
}

/* ---- saving ---- */

static bool save_cpu(const struct machine *machine, struct checkpoint_cpu *cpu)
{
	const struct abi_vcpu_page *page = machine->page;
	struct abi_msr msrs[CHECKPOINT_MSRS] = {0};
	handle_t vcpu = machine->vcpu;

	for (unsigned i = 0; i < CHECKPOINT_MSRS; i++)
		msrs[i].index = checkpoint_msrs[i];
	if (vcpu_state_get(vcpu, ABI_STATE_CPU, &cpu->cpu, sizeof(cpu->cpu)) < 0 ||
	    vcpu_state_get(vcpu, ABI_STATE_MSRS, msrs, sizeof(msrs)) < 0 ||
	    vcpu_state_get(vcpu, ABI_STATE_FPU, cpu->fpu, sizeof(cpu->fpu)) < 0 ||
	    vcpu_state_get(vcpu, ABI_STATE_HIDDEN, &cpu->hidden, sizeof(cpu->hidden)) < 0 ||
	    vcpu_state_get(vcpu, ABI_STATE_LAPIC, &cpu->lapic, sizeof(cpu->lapic)) < 0)
		return false;
	for (unsigned i = 0; i < CHECKPOINT_MSRS; i++)
		cpu->msr[i] = msrs[i].value;
	checkpoint_settle(&cpu->cpu);
	memcpy(cpu->gpr, page->gpr, sizeof(cpu->gpr));
	cpu->xcr0_allowed = page->xcr0_allowed;
	cpu->tsc_mul = page->tsc_mul;
	cpu->tsc_shift = page->tsc_shift;
	cpu->cpuid = page->cpuid;
	return true;
}

/* For a test, what damage on its way does to the file; its size then. */
static size_t spoil(enum vtest_spoil how, size_t size)
{
	struct state_file *header = (struct state_file *)file;

	if (how == VTEST_SPOIL_FLIP)
		file[size / 2] ^= 0x10;
	else if (how == VTEST_SPOIL_VERSION)
		header->version++;
	return how == VTEST_SPOIL_CUT ? size / 2 : size;
}

/* The size of the file; 0: it could not be. */
static size_t save(struct process *process)
{
	uint64_t now_ns = clock_ns();
	size_t size;

	memset(&checkpoint, 0, sizeof(checkpoint));
	checkpoint.machine = (struct checkpoint_machine){
		.memory = process->start->memory,
		.now_ns = now_ns - process->zero_ns,
		.wall_ns = now_ns + process->boot_wall_ns,
		.vcpu_count = process->start->vcpu_count,
		.has_test_device = !!process->start->has_test_device,
		.has_random = process->has_random,
	};
	if (!save_cpu(&process->machine, &checkpoint.cpu))
		return 0;
	if (process->spoil == VTEST_SPOIL_VALUE)
		checkpoint.cpu.cpu.cr0 |= 1ull << 40;
	else if (process->spoil == VTEST_SPOIL_REFUSED)
		checkpoint.cpu.lapic.version++;
	size = checkpoint_pack(&checkpoint, &process->vcpu.msr, &process->board, file,
			       sizeof(file));
	return size <= sizeof(file) ? spoil(process->spoil, size) : 0;
}

/* ---- loading ---- */

static bool load_cpu(const struct machine *machine, const struct checkpoint_cpu *cpu)
{
	struct abi_msr msrs[CHECKPOINT_MSRS] = {0};
	handle_t vcpu = machine->vcpu;

	for (unsigned i = 0; i < CHECKPOINT_MSRS; i++)
		msrs[i] = (struct abi_msr){.index = checkpoint_msrs[i], .value = cpu->msr[i]};
	memcpy(machine->page->gpr, cpu->gpr, sizeof(cpu->gpr));
	return vcpu_state_set(vcpu, ABI_STATE_CPU, &cpu->cpu, sizeof(cpu->cpu)) >= 0 &&
	       vcpu_state_set(vcpu, ABI_STATE_MSRS, msrs, sizeof(msrs)) >= 0 &&
	       vcpu_state_set(vcpu, ABI_STATE_FPU, cpu->fpu, sizeof(cpu->fpu)) >= 0 &&
	       vcpu_state_set(vcpu, ABI_STATE_HIDDEN, &cpu->hidden, sizeof(cpu->hidden)) >= 0 &&
	       vcpu_state_set(vcpu, ABI_STATE_LAPIC, &cpu->lapic, sizeof(cpu->lapic)) >= 0;
}

static bool is_of(const struct process *process, const struct checkpoint_machine *machine)
{
	const struct vmm_start *start = process->start;

	return machine->memory == start->memory && machine->vcpu_count == start->vcpu_count &&
	       machine->has_test_device == !!start->has_test_device &&
	       machine->has_random == process->has_random;
}

/* The VM's clock goes on as if it had run all the time: what is due by now is late. */
static void set_clock(struct process *process, const struct checkpoint_machine *machine,
		      struct abi_lapic *lapic)
{
	uint64_t now_ns = clock_ns(), wall_ns = now_ns + process->boot_wall_ns;
	uint64_t passed = wall_ns > machine->wall_ns ? wall_ns - machine->wall_ns : 0;

	process->zero_ns = now_ns - passed - machine->now_ns;
	if (lapic->timer_left_ns)
		lapic->timer_left_ns =
			lapic->timer_left_ns > passed ? lapic->timer_left_ns - passed : 1;
}

/* NULL, or one sentence. */
static const char *load(struct process *process, size_t size, handle_t ram)
{
	static char why[LOADER_WHY_SIZE];
	struct machine *machine = &process->machine;
	const char *fault;

	if (!machine_create(machine, process->start, ram, why))
		return why;
	fault = checkpoint_unpack(&checkpoint, file, size, machine->page);
	if (fault)
		return fault;
	if (!is_of(process, &checkpoint.machine))
		return "it is that of a VM with other settings";
	set_clock(process, &checkpoint.machine, &checkpoint.cpu.lapic);
	process->board.platform.ram = machine->parts;
	vcpu_init(&process->vcpu, 0, &process->board.platform, &process->board.pic,
		  &process->board.ioapic, machine->page);
	fault = checkpoint_load(file, size, &process->vcpu.msr, &process->board);
	if (fault)
		return fault;
	checkpoint.cpu.hidden.tsc_offset = machine->page->tsc_offset;
	return load_cpu(machine, &checkpoint.cpu) ? NULL : "ring 0 refused the state of its CPU";
}

/* All that there is of the VM but its RAM, whose handle comes back; its devices are as new. */
static handle_t throw_away(struct process *process)
{
	uint64_t hidden = process->board.platform.virtio_hidden;
	handle_t ram = machine_destroy(&process->machine);

	memset(&process->vcpu, 0, sizeof(process->vcpu));
	memset(&process->board, 0, sizeof(process->board));
	memset(&checkpoint, 0, sizeof(checkpoint));
	process->board.platform.virtio_hidden = hidden;
	board_init(&process->board, process->start->vcpu_count, process->start->has_test_device,
		   process->has_random);
	return ram;
}

void process_reload(struct process *process)
{
	struct platform *platform = &process->board.platform;
	uint64_t start = platform_tsc(platform), ticks;
	size_t size = save(process);
	const char *why =
		size ? load(process, size, throw_away(process)) : "its state could not be saved";

	if (why)
		platform_end(platform, PLATFORM_END_ERROR, 0, why);
	ticks = platform_tsc(platform) - start;
	process->report.reload_count++;
	if (ticks > process->report.reload_ticks)
		process->report.reload_ticks = ticks;
	process->wants_reload = false;
	if (process->reload_ns)
		process->reload_due_ns = clock_ns() + process->reload_ns;
	process->wants_input = true; /* whether the guest has room for more is not known */
	process_arm(process, 0);
}
