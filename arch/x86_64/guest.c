/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest CPU's registers, MSRs and events, wherever VT-x or SVM keep them. */
#include "arch/x86_64/hv.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "kernel/system.h"

#define STATUS_FLAGS 0xcd5ull  /* CF, PF, AF, ZF, SF, DF, OF */
#define DR6_WRITABLE 0xe00full /* B0 to B3, BD, BS, BT */
#define ATTRIBUTE_L  (1u << 9)

static uint64_t get(struct vcpu *vcpu, enum hv_reg reg)
{
	return hv->read(vcpu, hv->where[reg]);
}

static void set(struct vcpu *vcpu, enum hv_reg reg, uint64_t value)
{
	hv->write(vcpu, hv->where[reg], value);
}

unsigned arch_vcpu_cpl(struct vcpu *vcpu)
{
	return hv->attributes(vcpu, ABI_SS) >> 5 & 3;
}

bool arch_vcpu_is_long(struct vcpu *vcpu)
{
	return get(vcpu, HV_EFER) & EFER_LMA && hv->attributes(vcpu, ABI_CS) & ATTRIBUTE_L;
}

void arch_vcpu_set_rip(struct vcpu *vcpu, uint64_t rip)
{
	set(vcpu, HV_RIP, rip >> 32 && !arch_vcpu_is_long(vcpu) ? (uint32_t)rip : rip);
	hv->end_instruction(vcpu);
}

bool arch_vcpu_has_xsave_on(struct vcpu *vcpu)
{
	return get(vcpu, HV_CR4) & CR4_OSXSAVE;
}

void arch_vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags)
{
	set(vcpu, HV_RFLAGS, (get(vcpu, HV_RFLAGS) & ~STATUS_FLAGS) | (rflags & STATUS_FLAGS));
}

void arch_vcpu_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	set(vcpu, HV_TSC_OFFSET, offset);
}

/* ---- all registers ---- */

static void mode_changed(struct vcpu *vcpu)
{
	uint64_t efer = get(vcpu, HV_EFER);
	bool is_long = efer & EFER_LME && get(vcpu, HV_CR0) & CR0_PG;

	set(vcpu, HV_EFER, is_long ? efer | EFER_LMA : efer & ~EFER_LMA);
	hv->mode_changed(vcpu, is_long);
}

void arch_vcpu_get_emulation(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	hv->get(vcpu, cpu, ABI_GS + 1);
}

void arch_vcpu_get_cpu(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	hv->get(vcpu, cpu, ABI_DESCRIPTOR_COUNT);
	cpu->dr6 = hv->where[HV_DR6] ? get(vcpu, HV_DR6) : read_dr6();
	cpu->dr7 = get(vcpu, HV_DR7);
}

/* What else the CPU does not accept it finds at the entry: that ends this guest alone. */
int arch_vcpu_set_cpu(struct vcpu *vcpu, const struct abi_cpu *cpu)
{
	uint64_t dr6 = (cpu->dr6 & DR6_WRITABLE) | DR6_FIXED;

	if (cpu->cr4 & ~HV_CR4_GUEST || cpu->efer & ~boot_info->cpu.efer)
		return -ABI_EINVAL;
	set(vcpu, HV_DR7, (uint32_t)cpu->dr7 | DR7_FIXED);
	hv->set(vcpu, cpu);
	if (hv->where[HV_DR6])
		set(vcpu, HV_DR6, dr6);
	else
		write_dr6(dr6);
	mode_changed(vcpu);
	return 0;
}

/* ---- MSRs ---- */

/* SDM vol 3, "IA32_PAT MSR". */
static bool pat_is_valid(uint64_t pat)
{
	for (unsigned i = 0; i < 64; i += 8)
		if (!(0xf3u >> (pat >> i & 7) & 1) || pat >> i & 0xf8)
			return false;
	return true;
}

/* Whether WRMSR takes the value: ring 0 may have to do just that. */
static bool msr_is_valid(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	switch (index) {
	case IA32_PAT:
		return pat_is_valid(value);
	case IA32_EFER: /* LME cannot change while paging is on; LMA is the CPU's */
		return !(value & ~boot_info->cpu.efer) &&
		       !((value ^ get(vcpu, HV_EFER)) & EFER_LME && get(vcpu, HV_CR0) & CR0_PG);
	case IA32_STAR:
		return true;
	case IA32_FMASK:
	case IA32_TSC_AUX:
	case IA32_SYSENTER_CS:
		return value >> 32 == 0;
	default: /* canonical */
		return (uint64_t)((int64_t)(value << 16) >> 16) == value;
	}
}

/* NULL = it is none of ours. */
static const uint16_t *find_msr(uint32_t index)
{
	for (unsigned i = 0; i < HV_MSR_COUNT; i++)
		if (hv_msrs[i] == index)
			return &hv->msr_where[i];
	return NULL;
}

bool arch_vcpu_msr_get(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	const uint16_t *where = find_msr(index);

	if (!where)
		return false;
	*value = *where ? hv->read(vcpu, *where) : rdmsr(index);
	return true;
}

bool arch_vcpu_msr_set(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	const uint16_t *where = find_msr(index);

	if (!where || !msr_is_valid(vcpu, index, value))
		return false;
	if (*where)
		hv->write(vcpu, *where, value);
	else
		wrmsr(index, value);
	if (index == IA32_EFER)
		mode_changed(vcpu);
	return true;
}

/* ---- the rest ---- */

void arch_vcpu_get_hidden(struct vcpu *vcpu, struct abi_hidden *hidden)
{
	hidden->blocks = hv->get_blocks(vcpu);
	fpu_save(vcpu->arch->fpu);
	hidden->xcr0 = vcpu->arch->fpu->xcr0;
	hv_unload(); /* DR0 to DR3 are where the next load takes them from */
	memcpy(hidden->dr, vcpu->arch->dr, sizeof(hidden->dr));
}

int arch_vcpu_set_hidden(struct vcpu *vcpu, const struct abi_hidden *hidden)
{
	if (hidden->blocks & ABI_BLOCK_STI && !(get(vcpu, HV_RFLAGS) & RFLAGS_IF))
		return -ABI_EINVAL;
	hv->set_blocks(vcpu, hidden->blocks);
	arch_vcpu_set_xcr0(vcpu, hidden->xcr0);
	hv_unload();
	memcpy(vcpu->arch->dr, hidden->dr, sizeof(hidden->dr));
	return 0;
}

/* ---- events ---- */

void arch_vcpu_inject(struct vcpu *vcpu, const struct abi_event *event)
{
	uint32_t info = EVENT_VALID | (uint32_t)event->type << 8 | event->vector;

	/* Real mode pushes no error code, and VT-x refuses one. */
	if (event->has_error && get(vcpu, HV_CR0) & CR0_PE)
		info |= EVENT_ERROR;
	hv->inject(vcpu, event, info);
}
