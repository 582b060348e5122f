/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's CPUID says: the host's answers through one table of masks. */
#include "services/vmm/vcpuid.h"

#include <string.h>

/* SDM vol 2, "CPUID"; APM vol 3, "Obtaining Processor Information Via the CPUID Instruction". */
enum reg { EAX, EBX, ECX, EDX };

#define BASIC_LAST    0xdu /* a CPU with XSAVE has them all */
#define HV_BASE       0x40000000u
#define TCG_SIGNATURE 0x54474354u /* "TCGT", in EBX */
#define INTEL         0x756e6547u /* "Genu", in EBX */
#define EXTENDED_BASE 0x80000000u
#define EXTENDED_LAST 0x8000001au

#define ALL         UINT32_MAX
#define BIT(n)      (1u << (n))
#define ECX1_SET    (BIT(21) | BIT(24) | BIT(31)) /* x2APIC, TSC deadline, hypervisor */
/* Clocks, no I/O delays, steal time, PV EOI, extended destination ids. */
#define HV_FEATURES (BIT(0) | BIT(1) | BIT(3) | BIT(5) | BIT(6) | BIT(15) | BIT(24))
/* With several CPUs: PV unhalt, TLB flush, IPI, yield. */
#define HV_SMP      (BIT(7) | BIT(9) | BIT(11) | BIT(13))

/* Leaves of which ECX chooses a part. */
#define WITH_SUBLEAVES (BIT(0x4) | BIT(0x7) | BIT(0xb) | BIT(0xd))

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
	{0x0, 0, 1, {0, ALL, ALL, ALL}, {BASIC_LAST, 0, 0, 0}},
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

static bool has_subleaves(uint32_t leaf)
{
	return leaf < 32 && WITH_SUBLEAVES >> leaf & 1;
}

/* Where the answer stands; a subleaf that has none yet gets the next free place. */
static uint32_t *value_at(struct abi_cpuid *table, uint32_t leaf, uint32_t subleaf)
{
	unsigned i = 0;

	if (subleaf == 0)
		return table->leaf[ABI_CPUID_INDEX(leaf)];
	while (table->subleaf[i].subleaf &&
	       (table->subleaf[i].leaf != leaf || table->subleaf[i].subleaf != subleaf))
		i++; /* the policies have less than there is room for: test_vcpuid */
	table->subleaf[i].leaf = leaf;
	table->subleaf[i].subleaf = subleaf;
	return table->subleaf[i].value;
}

static void apply(struct abi_cpuid *table, vcpuid_host *host_cpuid, const struct policy *p,
		  uint32_t i)
{
	uint32_t leaf = has_subleaves(p->leaf) ? p->leaf : p->leaf + i;
	uint32_t subleaf = has_subleaves(p->leaf) ? p->subleaf + i : 0;
	uint32_t *value = value_at(table, leaf, subleaf);
	uint32_t host[4];

	host_cpuid(leaf & EXTENDED_BASE, 0, host);
	if (leaf <= host[EAX])
		host_cpuid(leaf, subleaf, host);
	else
		memset(host, 0, sizeof(host));
	for (unsigned reg = 0; reg < 4; reg++)
		value[reg] = (host[reg] & p->mask[reg]) | p->set[reg];
}

/* XSAVE's leaf: which components there are, and the size of all of them. */
static void fix_xsave(struct abi_cpuid *table, uint64_t xcr0)
{
	uint32_t size = 576; /* x87, SSE and the header */

	for (uint32_t i = 2; i < 8; i++) {
		uint32_t *value = value_at(table, 0xd, i);

		if (!(xcr0 >> i & 1))
			memset(value, 0, 4 * sizeof(*value));
		else if (value[EBX] + value[EAX] > size)
			size = value[EBX] + value[EAX];
	}
	value_at(table, 0xd, 0)[EAX] = (uint32_t)xcr0;
	value_at(table, 0xd, 0)[ECX] = size;
}

/* Features that need a component of XCR0 go with it. */
static void fix_features(struct abi_cpuid *table, uint64_t xcr0)
{
	uint32_t *seven = value_at(table, 7, 0);

	if (!(xcr0 & 4)) { /* FMA AVX F16C AVX2 VAES VPCLMULQDQ XOP FMA4 */
		value_at(table, 1, 0)[ECX] &= ~(BIT(12) | BIT(28) | BIT(29));
		seven[EBX] &= ~BIT(5);
		seven[ECX] &= ~(BIT(9) | BIT(10));
		value_at(table, 0x80000001, 0)[ECX] &= ~(BIT(11) | BIT(16));
	}
	if ((xcr0 & 0xe0) != 0xe0) {
		seven[EBX] &= ~0xdc230000u; /* F DQ IFMA PF ER CD BW VL */
		seven[ECX] &= ~0x5842u;     /* VBMI VBMI2 VNNI BITALG VPOPCNTDQ */
		seven[EDX] &= ~0x10cu;      /* 4VNNIW 4FMAPS VP2INTERSECT */
	}
}

/* CMPXCHG16B of QEMU's TCG (7.2) leaves rubbish in RFLAGS, which an exit then takes for VM or TF.
 */
static void fix_tcg(struct abi_cpuid *table, vcpuid_host *host_cpuid)
{
	uint32_t host[4];

	host_cpuid(HV_BASE, 0, host);
	if (host[EBX] == TCG_SIGNATURE)
		value_at(table, 1, 0)[ECX] &= ~BIT(13);
}

/*
 * Intel's cores from Sandy Bridge to Broadwell have no Indirect Target Selection, which only a
 * hypervisor can tell a guest (IA32_ARCH_CAPABILITIES: vmsr.c): Linux else mitigates it in each
 * guest, and its kernel takes 2 % more instructions.
 */
static void fix_known(struct abi_cpuid *table)
{
	static const uint8_t models[] = {0x2a, 0x2d, 0x3a, 0x3c, 0x3d, 0x3e,
					 0x3f, 0x45, 0x46, 0x47, 0x4f, 0x56};
	uint32_t *signature = value_at(table, 1, 0);
	uint32_t model = (signature[EAX] >> 12 & 0xf0) | (signature[EAX] >> 4 & 0xf);

	if (value_at(table, 0, 0)[EBX] == INTEL && (signature[EAX] >> 8 & 0xf) == 6 &&
	    memchr(models, (int)model, sizeof(models)))
		value_at(table, 7, 0)[EDX] |= VCPUID_7_EDX_ARCH_CAPABILITIES;
}

/*
 * All in one package, each CPU a core with a thread of its own; the third-level cache is theirs
 * together. What has room for fewer says as many as it can: those that have more look at leaf 0xb.
 */
static void set_topology(struct abi_cpuid *table, uint32_t count)
{
	uint32_t shift = 32 - (uint32_t)__builtin_clz(count - 1), most = (1u << shift) - 1;

	value_at(table, 1, 0)[EBX] = (value_at(table, 1, 0)[EBX] & 0xff00ffff) | count << 16;
	value_at(table, 1, 0)[EDX] |= BIT(28); /* HTT: EBX has a count */
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t *cache = value_at(table, 4, i);

		if (!(cache[EAX] & 0x1f))
			break;
		cache[EAX] |= (most < 63 ? most : 63) << 26;
		if ((cache[EAX] >> 5 & 7) >= 3)
			cache[EAX] |= most << 14;
	}
	value_at(table, 0xb, 1)[EAX] = shift;
	value_at(table, 0xb, 1)[EBX] = count;
	value_at(table, HV_BASE + 1, 0)[EAX] |= HV_SMP;
	if (value_at(table, 0, 0)[EBX] == INTEL)
		return;
	value_at(table, 0x80000001, 0)[ECX] |= BIT(1); /* CMP_LEGACY: the count is of cores */
	value_at(table, 0x80000008, 0)[ECX] = shift << 12 | (count - 1);
}

void vcpuid_init(struct abi_cpuid *table, vcpuid_host *host, uint64_t xcr0, uint32_t apic_id,
		 uint32_t vcpu_count)
{
	uint32_t *extended = value_at(table, EXTENDED_BASE, 0);

	memset(table, 0, sizeof(*table));
	table->has_subleaves = WITH_SUBLEAVES;
	for (const struct policy *p = policies; p < policies + sizeof(policies) / sizeof(*p); p++)
		for (uint32_t i = 0; i < p->count; i++)
			apply(table, host, p, i);
	if (extended[EAX] > EXTENDED_LAST)
		extended[EAX] = EXTENDED_LAST;
	fix_xsave(table, xcr0);
	fix_features(table, xcr0);
	fix_tcg(table, host);
	fix_known(table);
	if (vcpu_count > 1)
		set_topology(table, vcpu_count);
	value_at(table, 1, 0)[EBX] |= apic_id << 24;
}
