/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MSRs a guest has: one table, sorted by index; what is not in it is #GP. */
#include "kernel/msr.h"

#include "kernel/cpuid.h"
#include "kernel/kvmclock.h"
#include "kernel/lib.h"
#include "kernel/vlapic.h"

#define TSC 0x10u
#define APIC_BASE 0x1bu
#define TSC_ADJUST 0x3bu
#define MTRR_FIRST 0x200u
#define MTRR_DEF_TYPE 0x2ffu
#define TSC_DEADLINE 0x6e0u
#define X2APIC 0x800u
#define EFER 0xc0000080u

#define FEATURE_CONTROL_LOCKED 1ull
#define MTRR_CAP (MSR_MTRR_VARIABLE | 1u << 8 | 1u << 10) /* 8 variable ranges, fixed ranges, WC */
#define MTRR_DEF_TYPE_WB 0xc06ull                          /* on, fixed ranges on, write-back */
#define MISC_ENABLE_FAST_STRINGS 1ull
#define EFER_BITS 0x4d01ull /* SCE, LME, LMA, NXE, FFXSR */

enum how {
	DIRECT,   /* the CPU holds it; the guest reaches it without an exit */
	CONSTANT, /* reads `value`; writes are dropped */
	READONLY, /* reads `value`; a write is #GP */
	STORED,   /* a field of struct msr_store that only the guest looks at */
	CODE      /* a pair of functions */
};

struct entry {
	uint32_t first, last;
	enum how how;
	uint64_t value; /* CONSTANT, READONLY: the value; STORED: offset in struct msr_store */
	bool (*read)(struct vcpu *vcpu, uint32_t index, uint64_t *value);
	bool (*write)(struct vcpu *vcpu, uint32_t index, uint64_t value);
};

static bool read_tsc(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	*value = arch_tsc() + vcpu->tsc_offset;
	return true;
}

static void move_tsc(struct vcpu *vcpu, uint64_t by)
{
	vcpu->tsc_offset += by;
	vcpu->msrs.tsc_adjust += by;
	arch_vcpu_set_tsc_offset(vcpu, vcpu->tsc_offset);
	vlapic_tsc_moved(vcpu);
	kvmclock_update(vcpu);
}

static bool write_tsc(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	(void)index;
	move_tsc(vcpu, value - (arch_tsc() + vcpu->tsc_offset));
	return true;
}

static bool read_tsc_adjust(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	*value = vcpu->msrs.tsc_adjust;
	return true;
}

static bool write_tsc_adjust(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	(void)index;
	move_tsc(vcpu, value - vcpu->msrs.tsc_adjust);
	return true;
}

static bool read_apic_base(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	*value = vcpu->lapic.base_msr;
	return true;
}

static bool write_apic_base(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	(void)index;
	return vlapic_set_base(vcpu, value);
}

static bool read_deadline(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	*value = vcpu->lapic.tsc_deadline;
	return true;
}

static bool write_deadline(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	(void)index;
	vlapic_set_tsc_deadline(vcpu, value);
	return true;
}

static bool read_x2apic(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	return vlapic_is_x2apic(vcpu) && vlapic_read(vcpu, (index - X2APIC) * 16, value, true);
}

static bool write_x2apic(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	return vlapic_is_x2apic(vcpu) && vlapic_write(vcpu, (index - X2APIC) * 16, value, true);
}

/* Uncacheable, write-combining, write-through, write-protected, write-back. */
static bool is_memory_type(uint64_t type)
{
	return type < 8 && (0x73u >> type & 1);
}

static uint64_t *mtrr(struct vcpu *vcpu, uint32_t index)
{
	static const uint16_t fixed[MSR_MTRR_FIXED] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
							0x26b, 0x26c, 0x26d, 0x26e, 0x26f };

	if (index == MTRR_DEF_TYPE)
		return &vcpu->msrs.mtrr_def_type;
	if (index < MTRR_FIRST + 2 * MSR_MTRR_VARIABLE)
		return &vcpu->msrs.mtrr_variable[index - MTRR_FIRST];
	for (unsigned i = 0; i < MSR_MTRR_FIXED; i++)
		if (fixed[i] == index)
			return &vcpu->msrs.mtrr_fixed[i];
	return NULL;
}

static bool read_mtrr(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	const uint64_t *slot = mtrr(vcpu, index);

	*value = slot ? *slot : 0;
	return slot;
}

/* Kept for the guest to read; memory is write-back whatever they say (SDM vol 3, "Memory Type Range Registers"). */
static bool write_mtrr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	uint64_t *slot = mtrr(vcpu, index);

	if (!slot)
		return false;
	if (index == MTRR_DEF_TYPE) {
		if (value & ~0xcffull || !is_memory_type(value & 0xff))
			return false;
	} else if (index >= MTRR_FIRST + 2 * MSR_MTRR_VARIABLE) {
		for (unsigned i = 0; i < 8; i++)
			if (!is_memory_type(value >> 8 * i & 0xff))
				return false;
	} else if (index & 1 ? value & 0x7ff : value & 0xf00 || !is_memory_type(value & 0xff)) {
		return false;
	}
	*slot = value;
	return true;
}

static bool read_efer(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	return arch_vcpu_msr_get(vcpu, index, value);
}

/* SDM vol 3, "Enabling IA-32e mode": LME cannot change while paging is on; LMA is the CPU's. */
static bool write_efer(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	uint64_t old;

	if (!arch_vcpu_msr_get(vcpu, index, &old) || value & ~EFER_BITS)
		return false;
	if (value & 1ull << 14 && !cpuid_has(vcpu->vm, 0x80000001, 3, 25))
		return false;
	if ((value ^ old) & 1ull << 8 && arch_vcpu_cr(vcpu, 0) >> 31 & 1)
		return false;
	return arch_vcpu_msr_set(vcpu, index, (value & ~(1ull << 10)) | (old & 1ull << 10));
}

static bool read_nothing(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	(void)value;
	return false;
}

static bool write_system_time(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	(void)index;
	return kvmclock_set_system_time(vcpu, value);
}

static bool read_system_time(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	*value = vcpu->clock.system_time_msr;
	return true;
}

static bool write_wall_clock(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	(void)index;
	return kvmclock_set_wall_clock(vcpu, value);
}

static bool read_wall_clock(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	*value = vcpu->clock.wall_clock_msr;
	return true;
}

#define FIELD(name) offsetof(struct msr_store, name)

/* Names: SDM vol 4 and the AMD manuals' MSR lists. */
static const struct entry table[] = {
	{ 0x00, 0x01, CONSTANT, 0, NULL, NULL }, /* P5_MC_ADDR, P5_MC_TYPE */
	{ TSC, TSC, CODE, 0, read_tsc, write_tsc },
	{ 0x11, 0x11, CODE, 0, read_wall_clock, write_wall_clock },
	{ 0x12, 0x12, CODE, 0, read_system_time, write_system_time },
	{ 0x17, 0x17, READONLY, 0, NULL, NULL }, /* PLATFORM_ID */
	{ APIC_BASE, APIC_BASE, CODE, 0, read_apic_base, write_apic_base },
	{ 0x2a, 0x2a, CONSTANT, 0, NULL, NULL }, /* EBL_CR_POWERON */
	{ 0x3a, 0x3a, READONLY, FEATURE_CONTROL_LOCKED, NULL, NULL },
	{ TSC_ADJUST, TSC_ADJUST, CODE, 0, read_tsc_adjust, write_tsc_adjust },
	{ 0x79, 0x79, CODE, 0, read_nothing, NULL }, /* BIOS_UPDT_TRIG */
	{ 0x8b, 0x8b, STORED, FIELD(microcode), NULL, NULL }, /* BIOS_SIGN_ID, PATCH_LEVEL */
	{ 0xfe, 0xfe, READONLY, MTRR_CAP, NULL, NULL },
	{ 0x174, 0x176, DIRECT, 0, NULL, NULL }, /* SYSENTER_CS, ESP, EIP */
	{ 0x179, 0x179, READONLY, 0, NULL, NULL }, /* MCG_CAP: no banks */
	{ 0x17a, 0x17a, STORED, FIELD(mcg_status), NULL, NULL },
	{ 0x1a0, 0x1a0, STORED, FIELD(misc_enable), NULL, NULL },
	{ 0x1d9, 0x1d9, CONSTANT, 0, NULL, NULL }, /* DEBUGCTL: branch records are not there */
	{ MTRR_FIRST, 0x26f, CODE, 0, read_mtrr, write_mtrr },
	{ 0x277, 0x277, DIRECT, 0, NULL, NULL }, /* PAT */
	{ MTRR_DEF_TYPE, MTRR_DEF_TYPE, CODE, 0, read_mtrr, write_mtrr },
	{ TSC_DEADLINE, TSC_DEADLINE, CODE, 0, read_deadline, write_deadline },
	{ X2APIC, X2APIC + 0x3f, CODE, 0, read_x2apic, write_x2apic },
	{ MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK, CODE, 0, read_wall_clock, write_wall_clock },
	{ MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME, CODE, 0, read_system_time, write_system_time },
	{ EFER, EFER, CODE, 0, read_efer, write_efer },
	{ 0xc0000081, 0xc0000084, DIRECT, 0, NULL, NULL }, /* STAR, LSTAR, CSTAR, FMASK */
	{ 0xc0000100, 0xc0000102, DIRECT, 0, NULL, NULL }, /* FS_BASE, GS_BASE, KERNEL_GS_BASE */
	{ 0xc0000103, 0xc0000103, DIRECT, 0, NULL, NULL }, /* TSC_AUX */
	{ 0xc0010010, 0xc0010010, CONSTANT, 0, NULL, NULL }, /* SYS_CFG */
	{ 0xc0010015, 0xc0010015, STORED, FIELD(hwcr), NULL, NULL },
	{ 0xc001001f, 0xc001001f, CONSTANT, 0, NULL, NULL }, /* NB_CFG */
	{ 0xc0010055, 0xc0010055, CONSTANT, 0, NULL, NULL }, /* INT_PENDING_MSG */
	{ 0xc0010114, 0xc0010114, READONLY, 0x18, NULL, NULL }, /* VM_CR: SVM locked off */
	{ 0xc0011022, 0xc0011022, CONSTANT, 0, NULL, NULL }, /* DC_CFG */
	{ 0xc0011029, 0xc0011029, CONSTANT, 2, NULL, NULL }, /* DE_CFG: LFENCE serialises */
};

static const struct entry *find(uint32_t index)
{
	size_t low = 0;
	size_t high = ARRAY_COUNT(table);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (index > table[middle].last)
			low = middle + 1;
		else if (index < table[middle].first)
			high = middle;
		else
			return &table[middle];
	}
	return NULL;
}

void msr_vm_init(struct vm *vm)
{
	for (size_t i = 0; i < ARRAY_COUNT(table); i++)
		if (table[i].how == DIRECT)
			for (uint32_t index = table[i].first; index <= table[i].last; index++)
				arch_vm_msr_direct(vm, index, true, true);
}

void msr_vcpu_init(struct vcpu *vcpu)
{
	memset(&vcpu->msrs, 0, sizeof(vcpu->msrs));
	vcpu->msrs.misc_enable = MISC_ENABLE_FAST_STRINGS;
	vcpu->msrs.mtrr_def_type = MTRR_DEF_TYPE_WB;
	for (unsigned i = 0; i < MSR_MTRR_FIXED; i++)
		vcpu->msrs.mtrr_fixed[i] = 0x0606060606060606ull;
}

bool msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	const struct entry *entry = find(index);

	if (!entry)
		return false;
	switch (entry->how) {
	case DIRECT:
		return arch_vcpu_msr_get(vcpu, index, value);
	case CONSTANT:
	case READONLY:
		*value = entry->value;
		return true;
	case STORED:
		*value = *(const uint64_t *)((const char *)&vcpu->msrs + entry->value);
		return true;
	default:
		return entry->read(vcpu, index, value);
	}
}

bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	const struct entry *entry = find(index);

	if (!entry)
		return false;
	switch (entry->how) {
	case DIRECT:
		return arch_vcpu_msr_set(vcpu, index, value);
	case CONSTANT:
		return true;
	case READONLY:
		return false;
	case STORED:
		*(uint64_t *)((char *)&vcpu->msrs + entry->value) = value;
		return true;
	default:
		return !entry->write || entry->write(vcpu, index, value);
	}
}
