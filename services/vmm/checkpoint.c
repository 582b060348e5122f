/* SPDX-License-Identifier: BSD-2-Clause */
/* What a whole VM's state is made of, but for the pages of its RAM: packing it, and judging it. */
#include "services/vmm/checkpoint.h"

#include <string.h>

#include "services/vmm/board.h"
#include "services/vmm/memmap.h"
#include "services/vmm/state.h"
#include "services/vmm/vmsr.h"
#include "services/vmm/x86.h"

#define STATE_MACHINE   STATE_KIND('m', 'a', 'c', 'h')
#define MACHINE_VERSION 1u
#define STATE_CPU       STATE_KIND('v', 'c', 'p', 'u')
#define CPU_VERSION     1u

#define CR0_KNOWN     0xe005003full
#define RFLAGS_KNOWN  0x3f7fd7ull
#define RFLAGS_ONE    0x2ull
#define SEGMENT_KNOWN 0xfffu
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

void checkpoint_settle(struct abi_cpu *cpu)
{
	cpu->rflags = (cpu->rflags & RFLAGS_KNOWN) | RFLAGS_ONE;
	cpu->segment[ABI_TR].attributes |= SEGMENT_BUSY;
}

size_t checkpoint_pack(const struct checkpoint *checkpoint, const struct vmsr *msr,
		       const struct board *board, void *file, size_t capacity)
{
	struct writer w = {file, sizeof(struct state_file), capacity};
	size_t left;
	void *at = writer_at(&w, &left);

	w.size += state_put(at, left, STATE_MACHINE, MACHINE_VERSION, &checkpoint->machine,
			    sizeof(checkpoint->machine));
	at = writer_at(&w, &left);
	w.size += state_put(at, left, STATE_CPU, CPU_VERSION, &checkpoint->cpu,
			    sizeof(checkpoint->cpu));
	at = writer_at(&w, &left);
	w.size += vmsr_save(msr, at, left);
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
	       machine->vcpu_count == 1 && machine->has_test_device <= 1 &&
	       machine->has_random <= 1 && !machine->reserved[0] && !machine->reserved[1];
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
	if (!is_canonical(cpu->gdtr.base) || !is_canonical(cpu->idtr.base) ||
	    cpu->gdtr.limit > 0xffff || cpu->idtr.limit > 0xffff || cpu->gdtr.reserved ||
	    cpu->idtr.reserved)
		return false;
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		if (!segment_is_valid(&cpu->segment[i], i))
			return false;
	return true;
}

static const char *judge_cpu(const struct checkpoint_cpu *cpu, const struct abi_vcpu_page *page)
{
	if (cpu->tsc_mul != page->tsc_mul || cpu->tsc_shift != page->tsc_shift)
		return "it was saved on a machine whose clock runs at another speed";
	if (cpu->xcr0_allowed != page->xcr0_allowed ||
	    memcmp(&cpu->cpuid, &page->cpuid, sizeof(cpu->cpuid)) != 0)
		return "it was saved on another kind of CPU";
	if (!registers_are_valid(&cpu->cpu) || cpu->reserved)
		return "its CPU's registers are in a state that no CPU can have";
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
			      const struct abi_vcpu_page *page)
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
	in = take(in, &left, STATE_CPU, CPU_VERSION, &checkpoint->cpu, sizeof(checkpoint->cpu));
	if (!in)
		return "its CPU is missing, or of another version";
	return judge_cpu(&checkpoint->cpu, page);
}

const char *checkpoint_load(const void *file, size_t size, struct vmsr *msr, struct board *board)
{
	const size_t head = sizeof(struct state_file) + 2 * sizeof(struct state_header) +
			    sizeof(struct checkpoint_machine) + sizeof(struct checkpoint_cpu);
	const uint8_t *in = (const uint8_t *)file + head;
	size_t left = size - head, msr_size = state_size(in, left);
	size_t board_size = board_save(board, NULL, 0);

	if (msr_size == 0 || vmsr_load(msr, in, msr_size) != 0)
		return "its MSRs or its clock are in a state that cannot be";
	in += msr_size;
	left -= msr_size;
	/* What is behind the devices fills the last word. */
	if (left < board_size || left - board_size >= sizeof(uint64_t) ||
	    board_load(board, in, board_size) != 0)
		return "one of its devices is in a state that cannot be";
	return NULL;
}
