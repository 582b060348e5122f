/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MSRs a guest has: one table, sorted by index; what is not in it is #GP. */
#include "kernel/msr.h"

#include "kernel/kvmclock.h"
#include "kernel/lib.h"
#include "kernel/vlapic.h"

#define MTRR_DEF_TYPE 0x2ffu
#define MTRR_FIXED    0x250u
#define X2APIC        0x800u
#define EFER          0xc0000080u

#define MTRR_CAP         (MSR_MTRR_VARIABLE | 1u << 8 | 1u << 10) /* and fixed ranges, WC */
#define MTRR_DEF_TYPE_WB 0xc06ull /* on, fixed ranges on, write-back */
#define EFER_LME         (1ull << 8)
#define EFER_LMA         (1ull << 10)

enum how {
	DIRECT,   /* the CPU holds it; the guest reaches it without an exit */
	HELD,     /* the CPU holds it, but accesses exit */
	CONSTANT, /* reads `value`; writes are dropped */
	READONLY, /* reads `value`; a write is #GP */
	FIELD,    /* a field of struct vcpu at offset `value`, and those behind it */
	GUEST_TSC,
	LOCAL_APIC /* an x2APIC register */
};

struct entry {
	uint32_t first, last;
	enum how how;
	uint64_t value;
	bool (*write)(struct vcpu *vcpu, uint64_t value); /* instead of what `how` does */
	bool (*is_valid)(uint32_t index, uint64_t value); /* before it */
};

static bool move_tsc(struct vcpu *vcpu, uint64_t by)
{
	vcpu->tsc_offset += by;
	vcpu->msrs.tsc_adjust += by;
	arch_vcpu_set_tsc_offset(vcpu, vcpu->tsc_offset);
	vlapic_tsc_moved(vcpu);
	kvmclock_update(vcpu);
	return true;
}

static bool write_tsc(struct vcpu *vcpu, uint64_t value)
{
	return move_tsc(vcpu, value - (arch_tsc() + vcpu->tsc_offset));
}

static bool write_tsc_adjust(struct vcpu *vcpu, uint64_t value)
{
	return move_tsc(vcpu, value - vcpu->msrs.tsc_adjust);
}

/* Uncacheable, write-combining, write-through, write-protected, write-back. */
static bool is_memory_type(uint64_t type)
{
	return type < 8 && (0x73u >> type & 1);
}

/* Kept for the guest to read: memory is write-back whatever they say (SDM vol 3, "Memory Type Range
   Registers (MTRRS)"). */
static bool mtrr_is_valid(uint32_t index, uint64_t value)
{
	if (index == MTRR_DEF_TYPE)
		return !(value & ~0xcffull) && is_memory_type(value & 0xff);
	if (index < MTRR_FIXED)
		return !(value >> 52) &&
		       (index & 1 ? !(value & 0x7ff)
				  : !(value & 0xf00) && is_memory_type(value & 0xff));
	for (unsigned i = 0; i < 8; i++)
		if (!is_memory_type(value >> 8 * i & 0xff))
			return false;
	return true;
}

/* SDM vol 3, "Initializing IA-32e Mode": LME cannot change while paging is on; LMA is the CPU's. */
static bool write_efer(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = 0;

	arch_vcpu_msr_get(vcpu, EFER, &old);
	if ((value ^ old) & EFER_LME && arch_vcpu_cr(vcpu, 0) >> 31 & 1)
		return false;
	return arch_vcpu_msr_set(vcpu, EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
}

#define AT(field) offsetof(struct vcpu, field)
#define ROW(first, last, how, value)                                                               \
	{                                                                                          \
		first, last, how, value, NULL, NULL                                                \
	}
#define CHECKED(first, last, field)                                                                \
	{                                                                                          \
		first, last, FIELD, AT(field), NULL, mtrr_is_valid                                 \
	}
#define WRITTEN(index, how, value, write)                                                          \
	{                                                                                          \
		index, index, how, value, write, NULL                                              \
	}

/* Sorted by index. Names: SDM vol 4 and the AMD manuals' MSR lists. */
static const struct entry table[] = {
	ROW(0x00, 0x01, CONSTANT, 0), /* P5_MC_ADDR, P5_MC_TYPE */
	WRITTEN(0x10, GUEST_TSC, 0, write_tsc),
	WRITTEN(0x11, FIELD, AT(clock.wall_clock_msr), kvmclock_set_wall_clock),
	WRITTEN(0x12, FIELD, AT(clock.system_time_msr), kvmclock_set_system_time),
	ROW(0x17, 0x17, READONLY, 0), /* PLATFORM_ID */
	WRITTEN(0x1b, FIELD, AT(lapic.base_msr), vlapic_set_base),
	ROW(0x2a, 0x2a, CONSTANT, 0), /* EBL_CR_POWERON */
	ROW(0x3a, 0x3a, READONLY, 1), /* FEATURE_CONTROL: locked, nothing on */
	WRITTEN(0x3b, FIELD, AT(msrs.tsc_adjust), write_tsc_adjust),
	ROW(0x79, 0x79, CONSTANT, 0),               /* BIOS_UPDT_TRIG */
	ROW(0x8b, 0x8b, FIELD, AT(msrs.microcode)), /* BIOS_SIGN_ID, PATCH_LEVEL */
	ROW(0xfe, 0xfe, READONLY, MTRR_CAP),
	ROW(0x174, 0x176, DIRECT, 0),   /* SYSENTER_CS, ESP, EIP */
	ROW(0x179, 0x179, READONLY, 0), /* MCG_CAP: no banks */
	ROW(0x17a, 0x17a, FIELD, AT(msrs.mcg_status)),
	ROW(0x1a0, 0x1a0, FIELD, AT(msrs.misc_enable)),
	ROW(0x1d9, 0x1d9, CONSTANT, 0), /* DEBUGCTL: branch records are not there */
	CHECKED(0x200, 0x20f, msrs.mtrr_variable),
	CHECKED(MTRR_FIXED, MTRR_FIXED, msrs.mtrr_fixed[0]),
	CHECKED(0x258, 0x259, msrs.mtrr_fixed[1]),
	CHECKED(0x268, 0x26f, msrs.mtrr_fixed[3]),
	ROW(0x277, 0x277, DIRECT, 0), /* PAT */
	CHECKED(MTRR_DEF_TYPE, MTRR_DEF_TYPE, msrs.mtrr_def_type),
	WRITTEN(0x6e0, FIELD, AT(lapic.tsc_deadline), vlapic_set_tsc_deadline),
	ROW(X2APIC, X2APIC + 0x3f, LOCAL_APIC, 0),
	WRITTEN(0x4b564d00, FIELD, AT(clock.wall_clock_msr), kvmclock_set_wall_clock),
	WRITTEN(0x4b564d01, FIELD, AT(clock.system_time_msr), kvmclock_set_system_time),
	WRITTEN(EFER, HELD, 0, write_efer),
	ROW(0xc0000081, 0xc0000084, DIRECT, 0),   /* STAR, LSTAR, CSTAR, FMASK */
	ROW(0xc0000100, 0xc0000103, DIRECT, 0),   /* FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC_AUX */
	ROW(0xc0010010, 0xc0010010, CONSTANT, 0), /* SYS_CFG */
	ROW(0xc0010015, 0xc0010015, FIELD, AT(msrs.hwcr)),
	ROW(0xc001001f, 0xc001001f, CONSTANT, 0),    /* NB_CFG */
	ROW(0xc0010055, 0xc0010055, CONSTANT, 0),    /* INT_PENDING_MSG */
	ROW(0xc0010114, 0xc0010114, READONLY, 0x18), /* VM_CR: SVM locked off */
	ROW(0xc0011022, 0xc0011022, CONSTANT, 0),    /* DC_CFG */
	ROW(0xc0011029, 0xc0011029, CONSTANT, 2),    /* DE_CFG: LFENCE serialises */
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
	vcpu->msrs.misc_enable = 1; /* fast strings */
	vcpu->msrs.mtrr_def_type = MTRR_DEF_TYPE_WB;
	memset(vcpu->msrs.mtrr_fixed, 6, sizeof(vcpu->msrs.mtrr_fixed)); /* write-back */
}

static uint64_t *field(struct vcpu *vcpu, const struct entry *entry, uint32_t index)
{
	return (uint64_t *)((char *)vcpu + entry->value) + (index - entry->first);
}

bool msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	const struct entry *entry = find(index);

	if (!entry)
		return false;
	switch (entry->how) {
	case DIRECT:
	case HELD:
		return arch_vcpu_msr_get(vcpu, index, value);
	case CONSTANT:
	case READONLY:
		*value = entry->value;
		return true;
	case FIELD:
		*value = *field(vcpu, entry, index);
		return true;
	case GUEST_TSC:
		*value = arch_tsc() + vcpu->tsc_offset;
		return true;
	case LOCAL_APIC:
		return vlapic_is_x2apic(vcpu) &&
		       vlapic_read(vcpu, (index - X2APIC) * 16, value, true);
	}
	return false;
}

bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	const struct entry *entry = find(index);

	if (!entry || (entry->is_valid && !entry->is_valid(index, value)))
		return false;
	if (entry->write)
		return entry->write(vcpu, value);
	switch (entry->how) {
	case DIRECT:
		return arch_vcpu_msr_set(vcpu, index, value);
	case CONSTANT:
		return true;
	case FIELD:
		*field(vcpu, entry, index) = value;
		return true;
	case LOCAL_APIC:
		return vlapic_is_x2apic(vcpu) &&
		       vlapic_write(vcpu, (index - X2APIC) * 16, value, true);
	default:
		return false;
	}
}
