/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's CPUID says: the host's answers through one table of masks. */
#include "kernel/cpuid.h"

#include "kernel/lib.h"

/* SDM vol 2, "CPUID"; APM vol 3, "Obtaining Processor Information Via the CPUID Instruction". */
enum reg { EAX, EBX, ECX, EDX };

#define BASIC_COUNT 0x17u  /* leaves 0 .. 0x16 */
#define HV_BASE 0x40000000u
#define HV_COUNT 2u
#define HV_OPS (HV_BASE + 0x100) /* the counting build only: counter ECX in EDX:EAX */
#define OPS_SIGNATURE 0x2173706fu /* "ops!", in EBX */
#define EXTENDED_BASE 0x80000000u
#define EXTENDED_COUNT 0x20u
#define SUBLEAF_MAX 64u
#define VALUE_COUNT 112u

#define ANY UINT32_MAX
#define ALL { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX }

#define BIT(n) (1u << (n))
#define ECX1_TSC_DEADLINE BIT(24)
#define ECX1_X2APIC BIT(21)
#define ECX1_OSXSAVE BIT(27)
#define ECX1_HYPERVISOR BIT(31)
#define CR4_OSXSAVE (1ull << 18)

/* What of a leaf reaches the guest: (host & mask) | set. Leaves without a row read as zero. */
struct policy {
	uint32_t leaf, subleaf; /* ANY: all that the host has */
	uint32_t mask[4], set[4];
};

/* SSE3 PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND; not: DTES64
   MONITOR DS-CPL VMX SMX EIST TM2 SDBG xTPR PDCM DCA. */
#define LEAF1_ECX 0x77fa3203u
/* Not: PSN DS ACPI HTT TM PBE. */
#define LEAF1_EDX 0x0f8bfbffu
/* FSGSBASE TSC_ADJUST BMI1 AVX2 SMEP BMI2 ERMS INVPCID AVX512* RDSEED ADX SMAP CLFLUSHOPT CLWB SHA; not: SGX
   HLE PQM RTM MPX PQE PT. */
#define LEAF7_EBX 0xfdbf07abu
/* AVX512_VBMI UMIP VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ RDPID; not: PKU WAITPKG CET LA57 MAWAU. */
#define LEAF7_ECX 0x00405f46u
/* 4VNNIW 4FMAPS FSRM VP2INTERSECT; not: the mitigations' MSRs, AMX, hybrid, PCONFIG. */
#define LEAF7_EDX 0x0000011cu
/* LAHF CR8 ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM; not: SVM OSVW IBS SKINIT WDT TOPOEXT PERFCTR. */
#define EXT1_ECX 0x002109f1u

static const struct policy policies[] = {
	{ 0x0, 0, { 0, UINT32_MAX, UINT32_MAX, UINT32_MAX }, { 0 } },
	{ 0x1, 0, { UINT32_MAX, 0x0000ff00, LEAF1_ECX, LEAF1_EDX },
	  { 0, 0x00010000, ECX1_X2APIC | ECX1_TSC_DEADLINE | ECX1_HYPERVISOR, BIT(9) } },
	{ 0x2, 0, ALL, { 0 } },
	{ 0x4, ANY, { 0x000003ff, UINT32_MAX, UINT32_MAX, UINT32_MAX }, { 0 } }, /* no sharing cores or threads */
	{ 0x6, 0, { BIT(2), 0, 0, 0 }, { 0 } },                                  /* ARAT */
	{ 0x7, 0, { 0, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX }, { 0, BIT(1), 0, 0 } },
	{ 0xb, 0, { 0 }, { 0, 1, 0x100, 0 } },
	{ 0xb, 1, { 0 }, { 0, 1, 0x201, 0 } },
	{ 0xd, 0, ALL, { 0 } },
	{ 0xd, 1, { 0x7, 0, 0, 0 }, { 0 } }, /* XSAVEOPT XSAVEC XGETBV1; not XSAVES */
	{ 0xd, ANY, { UINT32_MAX, UINT32_MAX, 0, 0 }, { 0 } },
	{ HV_BASE, 0, { 0 }, { HV_BASE + 1, 0x4b4d564b, 0x564b4d56, 0x4d } }, /* "KVMKVMKVM" */
	{ HV_BASE + 1, 0, { 0 }, { BIT(0) | BIT(1) | BIT(3) | BIT(24), 0, 0, 0 } }, /* clocks, no I/O delays */
	{ 0x80000000, 0, { 0, UINT32_MAX, UINT32_MAX, UINT32_MAX }, { 0 } },
	{ 0x80000001, 0, { UINT32_MAX, UINT32_MAX, EXT1_ECX, 0x2fd3fbff }, { 0 } },
	{ 0x80000002, 0, ALL, { 0 } },
	{ 0x80000003, 0, ALL, { 0 } },
	{ 0x80000004, 0, ALL, { 0 } },
	{ 0x80000005, 0, ALL, { 0 } },
	{ 0x80000006, 0, ALL, { 0 } },
	{ 0x80000007, 0, { 0, 0, 0, BIT(8) }, { 0 } },             /* invariant TSC */
	{ 0x80000008, 0, { 0x0000ffff, BIT(0) | BIT(2), 0, 0 }, { 0 } }, /* CLZERO RSTR_FP_ERR_PTRS */
	{ 0x80000019, 0, ALL, { 0 } },
	{ 0x8000001a, 0, ALL, { 0 } },
};

struct leaf {
	uint8_t first, count; /* in values; subleaf n of a leaf is first + n */
};

struct cpuid_table {
	struct leaf basic[BASIC_COUNT], hv[HV_COUNT], extended[EXTENDED_COUNT];
	uint32_t value_count;
	uint64_t cr4_allowed;
	uint64_t xcr0_allowed;
	uint32_t values[VALUE_COUNT][4];
};

static const struct policy *find_policy(uint32_t leaf, uint32_t subleaf)
{
	const struct policy *any = NULL;

	for (size_t i = 0; i < ARRAY_COUNT(policies); i++) {
		if (policies[i].leaf != leaf)
			continue;
		if (policies[i].subleaf == subleaf)
			return &policies[i];
		if (policies[i].subleaf == ANY)
			any = &policies[i];
	}
	return any;
}

/* Past the last subleaf: the host answers no cache (4), no component (0xd), or the table has no row. */
static uint32_t subleaf_count(uint32_t leaf, uint64_t xcr0)
{
	uint32_t out[4];
	uint32_t count = 0;

	switch (leaf) {
	case 0x4:
		do
			arch_cpuid(leaf, count++, out);
		while (out[EAX] & 0x1f && count < 8);
		return count;
	case 0xb:
		return 2;
	case 0xd:
		return xcr0 ? 64 - (uint32_t)__builtin_clzll(xcr0) : 0;
	default:
		return find_policy(leaf, 0) ? 1 : 0;
	}
}

static void add_leaf(struct cpuid_table *table, struct leaf *slot, uint32_t leaf)
{
	uint32_t count = subleaf_count(leaf, table->xcr0_allowed);

	if (count == 0 || count > VALUE_COUNT - table->value_count)
		return;
	slot->first = (uint8_t)table->value_count;
	slot->count = (uint8_t)count;
	for (uint32_t subleaf = 0; subleaf < count; subleaf++) {
		const struct policy *policy = find_policy(leaf, subleaf);
		uint32_t *value = table->values[table->value_count++];
		uint32_t host[4] = { 0 };

		if (!policy)
			continue;
		if (leaf != HV_BASE && leaf != HV_BASE + 1)
			arch_cpuid(leaf, subleaf, host);
		for (unsigned reg = 0; reg < 4; reg++)
			value[reg] = (host[reg] & policy->mask[reg]) | policy->set[reg];
	}
}

static uint32_t *value_of(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf)
{
	static uint32_t zero[4];
	const struct leaf *slot;

	if (leaf < BASIC_COUNT)
		slot = &table->basic[leaf];
	else if (leaf - EXTENDED_BASE < EXTENDED_COUNT)
		slot = &table->extended[leaf - EXTENDED_BASE];
	else if (leaf - HV_BASE < HV_COUNT)
		slot = &table->hv[leaf - HV_BASE];
	else
		return zero;
	if (slot->count == 1) /* a leaf without subleaves does not look at ECX */
		return table->values[slot->first];
	return subleaf < slot->count ? table->values[slot->first + subleaf] : zero;
}

/* Sizes that depend on which components the guest may have: XSAVE's leaf. */
static void fix_xsave(struct cpuid_table *table)
{
	uint32_t *main = value_of(table, 0xd, 0);

	if (!table->basic[0xd].count)
		return;
	main[EAX] = (uint32_t)table->xcr0_allowed;
	main[EDX] = (uint32_t)(table->xcr0_allowed >> 32);
	main[ECX] = (uint32_t)arch_fpu_size(table->xcr0_allowed);
	for (uint32_t i = 2; i < table->basic[0xd].count; i++)
		if (!(table->xcr0_allowed >> i & 1))
			memset(value_of(table, 0xd, i), 0, 4 * sizeof(uint32_t));
}

static bool has(struct cpuid_table *table, uint32_t leaf, unsigned reg, unsigned bit)
{
	return value_of(table, leaf, 0)[reg] >> bit & 1;
}

/* Features that need a component of XCR0 go with it. */
static void fix_features(struct cpuid_table *table)
{
	uint32_t *one = value_of(table, 1, 0);
	uint32_t *seven = value_of(table, 7, 0);

	if (!table->xcr0_allowed)
		one[ECX] &= ~(BIT(26) | ECX1_OSXSAVE);
	if (!(table->xcr0_allowed & 4)) {
		one[ECX] &= ~(BIT(28) | BIT(12) | BIT(29));
		seven[EBX] &= ~BIT(5);
		seven[ECX] &= ~(BIT(9) | BIT(10));
	}
	if ((table->xcr0_allowed & 0xe0) != 0xe0) {
		seven[EBX] &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
		seven[ECX] &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));
		seven[EDX] &= ~(BIT(2) | BIT(3) | BIT(8));
	}
}

static uint64_t cr4_bits(struct cpuid_table *table)
{
	static const struct {
		uint32_t leaf;
		uint8_t reg, bit, cr4_bit;
	} rows[] = {
		{ 1, EDX, 1, 0 },   { 1, EDX, 1, 1 },	{ 1, EDX, 4, 2 },   { 1, EDX, 2, 3 },  { 1, EDX, 3, 4 },
		{ 1, EDX, 6, 5 },   { 1, EDX, 7, 6 },	{ 1, EDX, 13, 7 },  { 1, EDX, 24, 9 }, { 1, EDX, 25, 10 },
		{ 7, ECX, 2, 11 },  { 7, EBX, 0, 16 },	{ 1, ECX, 17, 17 }, { 1, ECX, 26, 18 }, { 7, EBX, 7, 20 },
		{ 7, EBX, 20, 21 },
	};
	uint64_t bits = 1ull << 8; /* PCE: RDPMC is refused by its own exit */

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (has(table, rows[i].leaf, rows[i].reg, rows[i].bit))
			bits |= 1ull << rows[i].cr4_bit;
	return bits;
}

int cpuid_init(struct vm *vm)
{
	struct cpuid_table *table = kalloc(vm->object.quota, sizeof(*table));
	uint32_t host[4];
	uint32_t last, last_extended;

	if (!table)
		return -ABI_ENOMEM;
	vm->cpuid = table;
	table->xcr0_allowed = arch_xcr0_host() & 0xe7; /* x87 SSE AVX AVX-512 */
	arch_cpuid(0, 0, host);
	last = MIN(host[EAX], BASIC_COUNT - 1);
	for (uint32_t leaf = 0; leaf <= last; leaf++)
		add_leaf(table, &table->basic[leaf], leaf);
	table->values[table->basic[0].first][EAX] = MAX(last, 0xbu);
	if (last < 0xb)
		add_leaf(table, &table->basic[0xb], 0xb);
	for (uint32_t i = 0; i < HV_COUNT; i++)
		add_leaf(table, &table->hv[i], HV_BASE + i);
	arch_cpuid(EXTENDED_BASE, 0, host);
	last_extended = MIN(host[EAX] - EXTENDED_BASE, EXTENDED_COUNT - 1);
	for (uint32_t i = 0; i <= last_extended; i++)
		add_leaf(table, &table->extended[i], EXTENDED_BASE + i);
	table->values[table->extended[0].first][EAX] = EXTENDED_BASE + last_extended;
	fix_xsave(table);
	fix_features(table);
	table->cr4_allowed = cr4_bits(table);
	return 0;
}

void cpuid_exit(struct vm *vm)
{
	if (vm->cpuid)
		kfree(vm->object.quota, vm->cpuid, sizeof(*vm->cpuid));
	vm->cpuid = NULL;
}

/* For the guest that tells what instructions an exit takes: tests/bench. */
static void answer_ops(uint64_t *gpr, uint32_t op)
{
	uint64_t count = op < ABI_OP_COUNT ? arch_ops[op] : 0;

	gpr[ABI_RAX] = (uint32_t)count;
	gpr[ABI_RBX] = OPS_SIGNATURE;
	gpr[ABI_RDX] = count >> 32;
}

void cpuid_answer(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->page->gpr;
	uint32_t leaf = (uint32_t)gpr[ABI_RAX];
	uint32_t subleaf = (uint32_t)gpr[ABI_RCX];
	const uint32_t *value = value_of(vcpu->vm->cpuid, leaf, subleaf);

	gpr[ABI_RAX] = value[EAX];
	gpr[ABI_RBX] = value[EBX];
	gpr[ABI_RCX] = value[ECX];
	gpr[ABI_RDX] = value[EDX];
	if (COUNT_OPS && leaf == HV_OPS)
		answer_ops(gpr, subleaf);
	/* What moves while the guest runs: its APIC id, and what its own control registers enable. */
	if (leaf == 1) {
		gpr[ABI_RBX] |= vcpu->index << 24;
		gpr[ABI_RCX] &= ~(uint64_t)ECX1_OSXSAVE;
		if (arch_vcpu_cr(vcpu, 4) & CR4_OSXSAVE)
			gpr[ABI_RCX] |= ECX1_OSXSAVE;
	} else if (leaf == 0xd && subleaf == 0) {
		gpr[ABI_RBX] = arch_fpu_size(arch_vcpu_xcr0(vcpu));
	} else if (leaf == 0xb) {
		gpr[ABI_RDX] = vcpu->index;
		gpr[ABI_RCX] = (gpr[ABI_RCX] & ~0xffull) | (subleaf & 0xff);
	}
}

bool cpuid_has(const struct vm *vm, uint32_t leaf, unsigned reg, unsigned bit)
{
	return has(vm->cpuid, leaf, reg, bit);
}

uint64_t cpuid_cr4_allowed(const struct vm *vm)
{
	return vm->cpuid->cr4_allowed;
}

#define CR0_PE (1ull << 0)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define CR4_PCIDE (1ull << 17)
#define EFER 0xc0000080u
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

static bool cr0_is_valid(struct vcpu *vcpu, uint64_t value)
{
	uint64_t cr4 = arch_vcpu_cr(vcpu, 4);
	uint64_t efer = 0;

	if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD)))
		return false;
	if ((arch_vcpu_cr(vcpu, 0) ^ value) & CR0_PG) {
		arch_vcpu_msr_get(vcpu, EFER, &efer);
		if (value & CR0_PG)
			return !(efer & EFER_LME) || (cr4 & CR4_PAE);
		return !arch_vcpu_is_long(vcpu) && !(cr4 & CR4_PCIDE);
	}
	return true;
}

static bool cr4_is_valid(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = arch_vcpu_cr(vcpu, 4);
	uint64_t efer = 0;

	if (value & ~vcpu->vm->cpuid->cr4_allowed)
		return false;
	arch_vcpu_msr_get(vcpu, EFER, &efer);
	if (efer & EFER_LMA && !(value & CR4_PAE))
		return false;
	if (value & CR4_PCIDE && !(old & CR4_PCIDE))
		return efer & EFER_LMA && !(arch_vcpu_cr(vcpu, 3) & 0xfff);
	return true;
}

bool cpuid_cr_is_valid(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	switch (nr) {
	case 0:
		return cr0_is_valid(vcpu, value);
	case 4:
		return cr4_is_valid(vcpu, value);
	case 8:
		return value <= 15;
	default:
		return true;
	}
}

bool cpuid_xcr0_is_valid(const struct vcpu *vcpu, uint64_t value)
{
	if (value & ~vcpu->vm->cpuid->xcr0_allowed || !(value & 1) || (value & 4 && !(value & 2)))
		return false;
	return !(value & 0xe0) || ((value & 0xe0) == 0xe0 && value & 4);
}
