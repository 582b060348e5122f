/* SPDX-License-Identifier: BSD-2-Clause */
/* What a whole VM's state is made of, but for the pages of its RAM: packing it, and judging it. */
#include "services/vmm/checkpoint.h"

#include <string.h>

#include "services/vmm/board.h"
#include "services/vmm/loader.h"
#include "services/vmm/memmap.h"
#include "services/vmm/state.h"
#include "services/vmm/vcpu.h"
#include "services/vmm/x86.h"

#define STATE_MACHINE   STATE_KIND('m', 'a', 'c', 'h')
#define MACHINE_VERSION 1u
#define STATE_CPU       STATE_KIND('v', 'c', 'p', 'u')
#define CPU_VERSION     1u

#define CR0_KNOWN     0xe005003full
#define RFLAGS_KNOWN  0x3f7fd7ull
#define RFLAGS_ONE    0x2ull
#define SEGMENT_KNOWN 0xfffu
#define STARTUP_KNOWN (ABI_STARTUP_WAITS | ABI_STARTUP_CAME | ABI_STARTUP_INIT | 0xffu)
#define SEGMENT_BUSY  0x2u /* of a TSS */
#define SEGMENT_TSS   0xbu
#define SEGMENT_TSS16 0x3u

/* SYSENTER_CS, _ESP, _EIP; PAT; STAR, LSTAR, CSTAR, FMASK; KERNEL_GS_BASE, TSC_AUX. */
const uint32_t checkpoint_msrs[CHECKPOINT_MSRS] = {0x174,      0x175,      0x176,      0x277,
						   0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
						   0xc0000102, 0xc0000103};

_Static_assert(sizeof(struct checkpoint_machine) == 32, "no padding");
_Static_assert(sizeof(struct checkpoint_cpu) ==
		       sizeof(uint64_t[ABI_GPR_COUNT]) + sizeof(struct abi_cpu) +
			       sizeof(struct abi_hidden) + sizeof(struct abi_lapic) +
			       sizeof(uint64_t[CHECKPOINT_MSRS]) + ABI_FPU_SIZE + 16 +
			       sizeof(struct abi_cpuid) + sizeof(uint32_t),
	       "no padding");
_Static_assert(sizeof(struct checkpoint_cpu) + sizeof(struct vmsr_state) +
			       2 * sizeof(struct state_header) <=
		       12u << 10,
	       "CHECKPOINT_MAX");

/* ---- packing ---- */

struct writer {
	uint8_t *bytes;
	size_t size, capacity;
};

static void *writer_at(const struct writer *w, size_t *left)
{
	*left = w->size < w->capacity ? w->capacity - w->size : 0;
	return w->bytes + (*left ? w->size : 0);
}

void checkpoint_settle(struct checkpoint_cpu *cpu)
{
	if (cpu->hidden.startup) {
		loader_start_up(0, &cpu->cpu, cpu->gpr);
		memset(cpu->hidden.dr, 0, sizeof(cpu->hidden.dr));
		memset(&cpu->hidden.event, 0, sizeof(cpu->hidden.event));
		cpu->hidden.blocks = 0;
		cpu->hidden.is_halted = 0;
	}
	cpu->cpu.rflags = (cpu->cpu.rflags & RFLAGS_KNOWN) | RFLAGS_ONE;
	cpu->cpu.segment[ABI_TR].attributes |= SEGMENT_BUSY;
}

size_t checkpoint_pack(const struct checkpoint *checkpoint, const struct vcpu *vcpus,
		       const struct board *board, void *file, size_t capacity)
{
	struct writer w = {file, sizeof(struct state_file), capacity};
	struct vmsr_moment now = {0};
	size_t left;
	void *at = writer_at(&w, &left);

	vmsr_now(vcpus[0].platform, &now);
	w.size += state_put(at, left, STATE_MACHINE, MACHINE_VERSION, &checkpoint->machine,
			    sizeof(checkpoint->machine));
	for (unsigned i = 0; i < checkpoint->machine.vcpu_count; i++) {
		at = writer_at(&w, &left);
		w.size += state_put(at, left, STATE_CPU, CPU_VERSION, &checkpoint->cpu[i],
				    sizeof(checkpoint->cpu[i]));
		at = writer_at(&w, &left);
		w.size += vmsr_save(&vcpus[i].msr, &now, at, left);
	}
	at = writer_at(&w, &left);
	w.size += board_save(board, at, left);
	left = -w.size % sizeof(uint64_t);
	if (w.size + left > capacity)
		return w.size + left;
	memset(w.bytes + w.size, 0, left);
	state_seal(file, w.size + left);
	return w.size + left;
}

/* ---- judging ---- */

static bool is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

static bool machine_is_valid(const struct checkpoint_machine *machine)
{
	return machine->memory >= MEMMAP_MIN && machine->memory % 4096 == 0 &&
	       machine->vcpu_count >= 1 && machine->vcpu_count <= ABI_VCPUS_MAX &&
	       machine->has_test_device <= 1 && machine->has_random <= 1 && !machine->reserved[0] &&
	       !machine->reserved[1];
}

/* SDM vol 3, "Checks on Guest Segment Registers": what of it holds whatever the mode. */
static bool segment_is_valid(const struct abi_segment_state *s, unsigned i)
{
	bool is_present = s->attributes & X86_ATTRIBUTE_P;
	unsigned type = s->attributes & 0x1f;

	if (s->attributes & ~SEGMENT_KNOWN ||
	    (i < ABI_FS ? s->base >> 32 != 0 : !is_canonical(s->base)))
		return false;
	if (i == ABI_TR)
		return is_present && (type == SEGMENT_TSS || type == SEGMENT_TSS16);
	if (i == ABI_LDTR)
		return !is_present || type == 2;
	return !is_present || type & 0x10;
}

/* SDM vol 3, "Checks on Guest Control Registers, Debug Registers, and MSRs". */
static bool registers_are_valid(const struct abi_cpu *cpu)
{
	bool has_pg = cpu->cr0 & X86_CR0_PG, is_long = cpu->efer & X86_EFER_LMA;

	if (cpu->cr0 & ~CR0_KNOWN || (has_pg && !(cpu->cr0 & X86_CR0_PE)))
		return false;
	if (is_long != (has_pg && cpu->efer & X86_EFER_LME) ||
	    (is_long && !(cpu->cr4 & X86_CR4_PAE)))
		return false;
	if (cpu->rflags & ~RFLAGS_KNOWN || !(cpu->rflags & RFLAGS_ONE) || cpu->cr3 >> 52 ||
	    cpu->dr6 >> 32 || cpu->dr7 >> 32)
		return false;
	if (is_long ? !is_canonical(cpu->rip) || cpu->rflags & X86_FLAG_VM : cpu->rip >> 32)
		return false;
	for (const struct abi_segment_state *t = &cpu->segment[ABI_GDTR];
	     t <= &cpu->segment[ABI_IDTR]; t++)
		if (!is_canonical(t->base) || t->limit > 0xffff || t->selector || t->attributes)
			return false;
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		if (!segment_is_valid(&cpu->segment[i], i))
			return false;
	return true;
}

/* The first CPU waits for no start, and none is on its way that nobody waits for. */
static bool startup_is_valid(const struct checkpoint_cpu *cpu)
{
	uint16_t startup = cpu->hidden.startup;

	if (!(startup & ABI_STARTUP_WAITS))
		return startup == 0;
	if (startup & ~STARTUP_KNOWN)
		return false;
	if (!(startup & ABI_STARTUP_CAME) && startup & 0xff)
		return false;
	return cpu->index != 0 || startup & ABI_STARTUP_INIT;
}

static const char *judge_cpu(const struct checkpoint_cpu *cpu, const struct vcpu *vcpu)
{
	const struct abi_vcpu_page *page = vcpu->page;

	if (cpu->index != vcpu->index)
		return "its CPUs are not there once each, in their order";
	if (cpu->tsc_mul != page->tsc_mul || cpu->tsc_shift != page->tsc_shift)
		return "it was saved on a machine whose clock runs at another speed";
	if (cpu->xcr0_allowed != page->xcr0_allowed ||
	    memcmp(&cpu->cpuid, &page->cpuid, sizeof(cpu->cpuid)) != 0)
		return "it was saved on another kind of CPU";
	if (!registers_are_valid(&cpu->cpu))
		return "its CPU's registers are in a state that no CPU can have";
	if (!startup_is_valid(cpu))
		return "its CPU waits for a start as no CPU can";
	return NULL;
}

/* ---- unpacking ---- */

/* The next state, of exactly this kind; NULL: it is not there. */
static const uint8_t *take(const uint8_t *in, size_t *left, uint32_t kind, uint32_t version,
			   void *state, size_t state_bytes)
{
	size_t size = state_size(in, *left);

	if (size == 0 || state_get(in, size, kind, version, state, state_bytes) != 0)
		return NULL;
	*left -= size;
	return in + size;
}

const char *checkpoint_unpack(struct checkpoint *checkpoint, const void *file, size_t size,
			      const struct vcpu *vcpus, unsigned vcpu_count)
{
	const char *why = state_check(file, size);
	const uint8_t *in = (const uint8_t *)file + sizeof(struct state_file);
	size_t left = size - sizeof(struct state_file);

	if (why)
		return why;
	in = take(in, &left, STATE_MACHINE, MACHINE_VERSION, &checkpoint->machine,
		  sizeof(checkpoint->machine));
	if (!in || !machine_is_valid(&checkpoint->machine))
		return "the VM that it describes is none that can be";
	if (checkpoint->machine.vcpu_count != vcpu_count)
		return "it is that of a VM with another number of CPUs";
	for (unsigned i = 0; i < vcpu_count && !why; i++) {
		struct checkpoint_cpu *cpu = &checkpoint->cpu[i];
		size_t msr_size;

		in = take(in, &left, STATE_CPU, CPU_VERSION, cpu, sizeof(*cpu));
		if (!in)
			return "a CPU of it is missing, or of another version";
		why = judge_cpu(cpu, &vcpus[i]);
		msr_size = state_size(in, left);
		in += msr_size; /* checkpoint_load() looks at them */
		left -= msr_size;
	}
	return why;
}

/* Their TSCs may differ, as the guest wrote them; what they all count from may not. */
static const char *load_msrs(const uint8_t **in, size_t *left, struct vcpu *vcpus, unsigned count)
{
	struct vmsr_moment now = {0};

	vmsr_now(vcpus[0].platform, &now);
	for (unsigned i = 0; i < count; i++) {
		const size_t cpu_size = sizeof(struct state_header) + sizeof(struct checkpoint_cpu);
		size_t size = state_size(*in + cpu_size, *left - cpu_size);
		struct vmsr *msr = &vcpus[i].msr;

		if (size == 0 || vmsr_load(msr, &now, *in + cpu_size, size) != 0)
			return "its MSRs or its clock are in a state that cannot be";
		if (msr->s.now_ns != vcpus[0].msr.s.now_ns ||
		    msr->s.clock_ns != vcpus[0].msr.s.clock_ns)
			return "the clocks of its CPUs contradict each other";
		*in += cpu_size + size;
		*left -= cpu_size + size;
	}
	return NULL;
}

const char *checkpoint_load(const void *file, size_t size, struct vcpu *vcpus, unsigned vcpu_count,
			    struct board *board)
{
	const size_t head = sizeof(struct state_file) + sizeof(struct state_header) +
			    sizeof(struct checkpoint_machine);
	const uint8_t *in = (const uint8_t *)file + head;
	size_t left = size - head, board_size = board_save(board, NULL, 0);
	const char *why = load_msrs(&in, &left, vcpus, vcpu_count);

	if (why)
		return why;
	/* What is behind the devices fills the last word. */
	if (left < board_size || left - board_size >= sizeof(uint64_t) ||
	    board_load(board, in, board_size) != 0)
		return "one of its devices is in a state that cannot be";
	return NULL;
}
