/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's CPUID says: the host's answers through one table of masks. */
#include "kernel/cpuid.h"

#include "kernel/lib.h"

/* SDM vol 2, "CPUID"; APM vol 3, "Obtaining Processor Information Via the CPUID Instruction". */
enum reg { EAX, EBX, ECX, EDX };

#define BASIC_COUNT    0xeu /* leaves 0 .. 0xd; a CPU with XSAVE has them all */
#define HV_BASE        0x40000000u
#define HV_COUNT       2u
#define HV_OPS         (HV_BASE + 0x100) /* the counting build only: counter ECX in EDX:EAX */
#define OPS_SIGNATURE  0x2173706fu       /* "ops!", in EBX */
#define EXTENDED_BASE  0x80000000u
#define EXTENDED_COUNT 0x1bu

#define ALL          UINT32_MAX
#define BIT(n)       (1u << (n))
#define ECX1_OSXSAVE BIT(27)
#define ECX1_SET     (BIT(21) | BIT(24) | BIT(31))        /* x2APIC, TSC deadline, hypervisor */
#define HV_FEATURES  (BIT(0) | BIT(1) | BIT(3) | BIT(24)) /* clocks, no I/O delays */
#define CR4_OSXSAVE  (1ull << 18)

/* What reaches the guest: (host & mask) | set. What has no row reads as zero. */
struct policy {
	uint32_t leaf, subleaf;
	uint32_t count; /* of subleaves, or of leaves from this one on if it has no subleaves */
	uint32_t mask[4], set[4];
};

/* SSE3 PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND; not
   DTES64 MONITOR DS-CPL VMX SMX EIST TM2 SDBG xTPR PDCM DCA. */
#define LEAF1_ECX 0x77fa3203u
/* Not PSN DS ACPI HTT TM PBE. */
#define LEAF1_EDX 0x0f8bfbffu
/* FSGSBASE TSC_ADJUST BMI1 AVX2 SMEP BMI2 ERMS INVPCID AVX512* RDSEED ADX SMAP CLFLUSHOPT CLWB SHA;
   not SGX HLE PQM RTM MPX PQE PT. */
#define LEAF7_EBX 0xfdbf07abu
/* AVX512_VBMI UMIP VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ RDPID; not PKU WAITPKG CET LA57
   MAWAU. */
#define LEAF7_ECX 0x00405f46u
/* 4VNNIW 4FMAPS FSRM VP2INTERSECT; not the mitigations' MSRs, AMX, hybrid, PCONFIG. */
#define LEAF7_EDX 0x0000011cu
/* LAHF CR8 ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM; not SVM OSVW IBS SKINIT TOPOEXT. */
#define EXT1_ECX  0x002109f1u
#define EXT1_EDX  0x2fd3fbffu

static const struct policy policies[] = {
	{0x0, 0, 1, {0, ALL, ALL, ALL}, {BASIC_COUNT - 1, 0, 0, 0}},
	{0x1, 0, 1, {ALL, 0xff00, LEAF1_ECX, LEAF1_EDX}, {0, 0x10000, ECX1_SET, BIT(9)}},
	{0x2, 0, 1, {ALL, ALL, ALL, ALL}, {0}},
	{0x4, 0, 8, {0x3ff, ALL, ALL, ALL}, {0}}, /* no sharing cores or threads */
	{0x6, 0, 1, {0}, {BIT(2), 0, 0, 0}},      /* ARAT: our timer runs in any sleep */
	{0x7, 0, 1, {0, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX}, {0, BIT(1), 0, 0}},
	{0xb, 0, 1, {0}, {0, 1, 0x100, 0}},
	{0xb, 1, 1, {0}, {0, 1, 0x200, 0}},
	/* XSAVEOPT XGETBV1; not XSAVES, nor XSAVEC: EBX would have to tell its size. */
	{0xd, 1, 1, {0x5, 0, 0, 0}, {0}},
	{0xd, 2, 6, {ALL, ALL, 0, 0}, {0}},
	{HV_BASE, 0, 1, {0}, {HV_BASE + 1, 0x4b4d564b, 0x564b4d56, 0x4d}}, /* "KVMKVMKVM" */
	{HV_BASE + 1, 0, 1, {0}, {HV_FEATURES, 0, 0, 0}},
	{0x80000000, 0, 1, {ALL, ALL, ALL, ALL}, {0}},
	{0x80000001, 0, 1, {ALL, ALL, EXT1_ECX, EXT1_EDX}, {0}},
	{0x80000002, 0, 5, {ALL, ALL, ALL, ALL}, {0}},
	{0x80000007, 0, 1, {0, 0, 0, BIT(8)}, {0}},               /* invariant TSC */
	{0x80000008, 0, 1, {0xffff, BIT(0) | BIT(2), 0, 0}, {0}}, /* CLZERO RSTR_FP_ERR_PTRS */
	{0x80000019, 0, 2, {ALL, ALL, ALL, ALL}, {0}},
};

/* Where answers stand: basic leaves without subleaves (count 0) at their own number, then these. */
#define HV_FIRST       BASIC_COUNT
#define EXTENDED_FIRST (HV_FIRST + HV_COUNT)
#define LEAF_4         (EXTENDED_FIRST + EXTENDED_COUNT)
#define LEAF_B         (LEAF_4 + 8)
#define LEAF_D         (LEAF_B + 2)
#define VALUE_COUNT    (LEAF_D + 8)

static const struct {
	uint8_t first, count;
} subleaves[BASIC_COUNT] = {
	[0x4] = {LEAF_4, 8}, [0x7] = {0x7, 1}, [0xb] = {LEAF_B, 2}, [0xd] = {LEAF_D, 8}};

struct cpuid_table {
	uint64_t cr4_allowed;
	uint64_t xcr0_allowed;
	uint32_t values[VALUE_COUNT][4];
};

static uint32_t *value_of(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf)
{
	static uint32_t zero[4];

	if (leaf < BASIC_COUNT) {
		if (subleaves[leaf].count == 0)
			return table->values[leaf];
		if (subleaf < subleaves[leaf].count)
			return table->values[subleaves[leaf].first + subleaf];
	} else if (leaf - EXTENDED_BASE < EXTENDED_COUNT) {
		return table->values[EXTENDED_FIRST + (leaf - EXTENDED_BASE)];
	} else if (leaf - HV_BASE < HV_COUNT) {
		return table->values[HV_FIRST + (leaf - HV_BASE)];
	}
	return zero;
}

static void apply(struct cpuid_table *table, const struct policy *p, uint32_t i)
{
	bool has_subleaves = p->leaf < BASIC_COUNT && subleaves[p->leaf].count;
	uint32_t leaf = has_subleaves ? p->leaf : p->leaf + i;
	uint32_t subleaf = has_subleaves ? p->subleaf + i : 0;
	uint32_t *value = value_of(table, leaf, subleaf);
	uint32_t host[4];

	arch_cpuid(leaf & EXTENDED_BASE, 0, host);
	if (leaf <= host[EAX])
		arch_cpuid(leaf, subleaf, host);
	else
		memset(host, 0, sizeof(host));
	for (unsigned reg = 0; reg < 4; reg++)
		value[reg] = (host[reg] & p->mask[reg]) | p->set[reg];
}

/* Sizes that depend on which components the guest may have: XSAVE's leaf. */
static void fix_xsave(struct cpuid_table *table)
{
	uint32_t *main = value_of(table, 0xd, 0);

	main[EAX] = (uint32_t)table->xcr0_allowed;
	main[ECX] = (uint32_t)arch_fpu_size(table->xcr0_allowed);
	for (uint32_t i = 2; i < subleaves[0xd].count; i++)
		if (!(table->xcr0_allowed >> i & 1))
			memset(value_of(table, 0xd, i), 0, sizeof(table->values[0]));
}

/* Features that need a component of XCR0 go with it. */
static void fix_features(struct cpuid_table *table)
{
	uint32_t *seven = value_of(table, 7, 0);

	if (!(table->xcr0_allowed & 4)) { /* FMA AVX F16C AVX2 VAES VPCLMULQDQ XOP FMA4 */
		value_of(table, 1, 0)[ECX] &= ~(BIT(12) | BIT(28) | BIT(29));
		seven[EBX] &= ~BIT(5);
		seven[ECX] &= ~(BIT(9) | BIT(10));
		value_of(table, 0x80000001, 0)[ECX] &= ~(BIT(11) | BIT(16));
	}
	if ((table->xcr0_allowed & 0xe0) != 0xe0) {
		seven[EBX] &= ~0xdc230000u; /* F DQ IFMA PF ER CD BW VL */
		seven[ECX] &= ~0x5842u;     /* VBMI VBMI2 VNNI BITALG VPOPCNTDQ */
		seven[EDX] &= ~0x10cu;      /* 4VNNIW 4FMAPS VP2INTERSECT */
	}
}

static uint64_t cr4_bits(struct cpuid_table *table)
{
	static const struct {
		uint32_t leaf;
		uint8_t reg, bit, cr4_bit;
	} rows[] = {
		{1, EDX, 1, 0},   {1, EDX, 1, 1},   {7, ECX, 2, 11}, {7, EBX, 0, 16},
		{1, ECX, 17, 17}, {1, ECX, 26, 18}, {7, EBX, 7, 20}, {7, EBX, 20, 21},
	};
	/* TSD to OSXMMEXCPT: every 64-bit CPU has them. PCE: RDPMC is refused by its own exit. */
	uint64_t bits = 0x7fc;

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (value_of(table, rows[i].leaf, 0)[rows[i].reg] >> rows[i].bit & 1)
			bits |= 1ull << rows[i].cr4_bit;
	return bits;
}

int cpuid_init(struct vm *vm)
{
	struct cpuid_table *table = kalloc(vm->object.quota, sizeof(*table));
	uint32_t *extended;

	if (!table)
		return -ABI_ENOMEM;
	vm->cpuid = table;
	for (const struct policy *p = policies; p < policies + ARRAY_COUNT(policies); p++)
		for (uint32_t i = 0; i < p->count; i++)
			apply(table, p, i);
	extended = value_of(table, EXTENDED_BASE, 0);
	extended[EAX] = MIN(extended[EAX], EXTENDED_BASE + EXTENDED_COUNT - 1);
	table->xcr0_allowed = arch_xcr0_host() & 0xe7; /* x87 SSE AVX AVX-512 */
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
	/* What its own control registers enable, and its APIC id. */
	if (leaf == 1) {
		gpr[ABI_RBX] |= vcpu->index << 24;
		if (arch_vcpu_cr(vcpu, 4) & CR4_OSXSAVE)
			gpr[ABI_RCX] |= ECX1_OSXSAVE;
	} else if (leaf == 0xd && subleaf == 0) {
		gpr[ABI_RBX] = arch_fpu_size(arch_vcpu_xcr0(vcpu));
	} else if (leaf == 0xb) {
		gpr[ABI_RDX] = vcpu->index;
		gpr[ABI_RCX] |= subleaf & 0xff;
	}
}

uint64_t cpuid_cr4_allowed(const struct vm *vm)
{
	return vm->cpuid->cr4_allowed;
}

#define CR0_PE    (1ull << 0)
#define CR0_NW    (1ull << 29)
#define CR0_CD    (1ull << 30)
#define CR0_PG    (1ull << 31)
#define CR4_PAE   (1ull << 5)
#define CR4_PCIDE (1ull << 17)
#define EFER      0xc0000080u
#define EFER_LME  (1ull << 8)
#define EFER_LMA  (1ull << 10)

static bool cr0_is_valid(struct vcpu *vcpu, uint64_t value)
{
	uint64_t cr4 = arch_vcpu_cr(vcpu, 4);
	uint64_t efer = 0;

	if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) ||
	    (value & CR0_NW && !(value & CR0_CD)))
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
