/* SPDX-License-Identifier: BSD-2-Clause */
/* Saves the VM to memory and throws it away; makes it anew of what was saved. */
#include <stdlib.h>
#include <string.h>

#include "services/lib/syscall.h"
#include "services/vmm/checkpoint.h"
#include "services/vmm/process.h"
#include "services/vmm/state.h"

/* One VM a process, one such thing at a time. */
static uint8_t *file; /* CHECKPOINT_MAX of our CPUs, in a memory object of its own */
static size_t file_size;
static struct checkpoint checkpoint;

/* What both need, once; false: no memory. */
static bool make_room(unsigned vcpu_count)
{
	size_t size = CHECKPOINT_MAX(vcpu_count);
	int64_t memory, va;

	if (!checkpoint.cpu)
		checkpoint.cpu = calloc(vcpu_count, sizeof(*checkpoint.cpu));
	if (file || !checkpoint.cpu)
		return file && checkpoint.cpu;
	memory = memory_create(size, 0);
	if (memory < 0)
		return false;
	va = memory_map_here((handle_t)memory, 0, size, ABI_PROT_READ | ABI_PROT_WRITE);
	if (va < 0)
		handle_close((handle_t)memory);
	file = va < 0 ? NULL : (uint8_t *)va;
	return file;
}

/* ---- saving ---- */

static bool save_cpu(const struct machine *machine, unsigned index, struct checkpoint_cpu *cpu)
{
	const struct abi_vcpu_page *page = machine->vcpu[index].page;
	struct abi_msr msrs[CHECKPOINT_MSRS] = {0};
	handle_t vcpu = machine->vcpu[index].handle;

	memset(cpu, 0, sizeof(*cpu));
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
	memcpy(cpu->gpr, page->gpr, sizeof(cpu->gpr));
	checkpoint_settle(cpu);
	cpu->xcr0_allowed = page->xcr0_allowed;
	cpu->tsc_mul = page->tsc_mul;
	cpu->tsc_shift = page->tsc_shift;
	cpu->cpuid = page->cpuid;
	cpu->index = index;
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

/* NULL, or one sentence. */
static const char *save(struct process *process)
{
	uint64_t now_ns = clock_ns();
	struct checkpoint_cpu *last;
	size_t capacity = CHECKPOINT_MAX(process->start->vcpu_count), size;

	if (!make_room(process->start->vcpu_count))
		return "there is not enough memory for its state; give this or another VM less";
	checkpoint.machine = (struct checkpoint_machine){
		.memory = process->start->memory,
		.now_ns = now_ns - process->zero_ns,
		.wall_ns = now_ns + process->boot_wall_ns,
		.vcpu_count = process->start->vcpu_count,
		.has_test_device = !!process->start->has_test_device,
		.has_random = process->has_random,
	};
	for (unsigned i = 0; i < process->start->vcpu_count; i++)
		if (!save_cpu(&process->machine, i, &checkpoint.cpu[i]))
			return "ring 0 refused to tell the state of its CPU";
	last = &checkpoint.cpu[process->start->vcpu_count - 1];
	if (process->spoil == VTEST_SPOIL_VALUE)
		last->cpu.cr0 |= 1ull << 40;
	else if (process->spoil == VTEST_SPOIL_REFUSED)
		last->lapic.version++;
	else if (process->spoil == VTEST_SPOIL_TWICE)
		last->index--;
	else if (process->spoil == VTEST_SPOIL_FEWER)
		checkpoint.machine.vcpu_count--;
	size = checkpoint_pack(&checkpoint, process->vcpu, &process->board, file, capacity);
	if (size > capacity)
		return "its state takes more room than that of any VM";
	file_size = spoil(process->spoil, size);
	return NULL;
}

/* ---- loading ---- */

static bool load_cpu(const struct machine_vcpu *to, const struct checkpoint_cpu *cpu)
{
	struct abi_msr msrs[CHECKPOINT_MSRS] = {0};
	handle_t vcpu = to->handle;

	for (unsigned i = 0; i < CHECKPOINT_MSRS; i++)
		msrs[i] = (struct abi_msr){.index = checkpoint_msrs[i], .value = cpu->msr[i]};
	memcpy(to->page->gpr, cpu->gpr, sizeof(cpu->gpr));
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
static void set_clock(struct process *process)
{
	const struct checkpoint_machine *machine = &checkpoint.machine;
	uint64_t now_ns = clock_ns(), wall_ns = now_ns + process->boot_wall_ns;
	uint64_t passed = wall_ns > machine->wall_ns ? wall_ns - machine->wall_ns : 0;

	process->zero_ns = now_ns - passed - machine->now_ns;
	for (unsigned i = 0; i < machine->vcpu_count; i++) {
		uint64_t *left_ns = &checkpoint.cpu[i].lapic.timer_left_ns;

		if (*left_ns)
			*left_ns = *left_ns > passed ? *left_ns - passed : 1;
	}
}

/* NULL, or one sentence. */
static const char *load(struct process *process)
{
	static char why[LOADER_WHY_SIZE];
	struct machine *machine = &process->machine;
	unsigned count = process->start->vcpu_count;
	const char *fault;

	if (!machine_create(machine, process->start, machine->ram, why))
		return why;
	process->board.platform.ram = machine->parts;
	process_init_vcpus(process);
	fault = checkpoint_unpack(&checkpoint, file, file_size, process->vcpu, count);
	if (fault)
		return fault;
	if (!is_of(process, &checkpoint.machine))
		return "it is that of a VM with other settings";
	set_clock(process);
	fault = checkpoint_load(file, file_size, process->vcpu, count, &process->board);
	if (fault)
		return fault;
	for (unsigned i = 0; i < count; i++) {
		checkpoint.cpu[i].hidden.tsc_offset = machine->vcpu[i].page->tsc_offset;
		if (!load_cpu(&machine->vcpu[i], &checkpoint.cpu[i]))
			return "ring 0 refused the state of its CPU";
	}
	return NULL;
}

/* All that there is of the VM but its RAM; its devices are as new. */
static void throw_away(struct process *process)
{
	uint64_t hidden = process->board.platform.virtio_hidden;

	machine_destroy(&process->machine);
	memset(process->vcpu, 0, process->start->vcpu_count * sizeof(*process->vcpu));
	memset(&process->board, 0, sizeof(process->board));
	memset(&checkpoint.machine, 0, sizeof(checkpoint.machine));
	memset(checkpoint.cpu, 0, process->start->vcpu_count * sizeof(*checkpoint.cpu));
	process->board.platform.virtio_hidden = hidden;
	board_init(&process->board, process->start->vcpu_count, process->start->has_test_device,
		   process->has_random);
}

/* It is as when it was started; what is due by now, and what was typed, is looked at. */
static void go_on(struct process *process)
{
	if (process->reload_ns)
		process->reload_due_ns = clock_ns() + process->reload_ns;
	process->wants_input = true; /* whether the guest has room for more is not known */
	process_arm(process, 0);
	lock_rouse(&process->lock);
}

void process_reload(struct process *process)
{
	struct platform *platform = &process->board.platform;
	uint64_t start = platform_tsc(platform), ticks;
	const char *why = save(process);

	if (!why) {
		throw_away(process);
		why = load(process);
	}
	if (why)
		platform_end(platform, PLATFORM_END_ERROR, 0, why);
	ticks = platform_tsc(platform) - start;
	process->report.reload_count++;
	if (ticks > process->report.reload_ticks)
		process->report.reload_ticks = ticks;
	process->wants_reload = false;
	go_on(process);
}

/* ---- as the operator asks for it ---- */

static void tell(struct process *process, enum vmm_type type, const char *why)
{
	static struct vmm_report report;

	process_count(process, &report);
	report.type = type;
	report.state_bytes = file_size;
	strncpy(report.text, why ? why : "", sizeof(report.text) - 1);
	channel_send(process->bootstrap, &report, sizeof(report), NULL, 0);
}

void process_save(struct process *process)
{
	const char *why = save(process);

	process->wants_save = false;
	if (why) {
		tell(process, VMM_FAILED, why);
		lock_rouse(&process->lock);
		return;
	}
	throw_away(process);
	process->is_saved = true;
	process->is_paused = false;
	process->reload_due_ns = PLATFORM_NEVER;
	tell(process, VMM_SAVED, NULL);
}

/* What of it was made until something failed goes again; what was saved stays. */
void process_load(struct process *process)
{
	const char *why = load(process);

	if (why) {
		throw_away(process);
		tell(process, VMM_FAILED, why);
		return;
	}
	process->is_saved = false;
	tell(process, VMM_LOADED, NULL);
	go_on(process);
}
