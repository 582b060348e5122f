/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's CPUID says on several hosts, and which control-register values follow from it. */
#include "kernel/cpuid.h"

#include "fake_vcpu.h"
#include "services/vmm/vcpuid.h"
#include "unit.h"

enum reg { EAX, EBX, ECX, EDX };

#define BIT(n)   (1u << (n))
#define ALL_XCR0 0xe7ull

static struct vcpu *vcpu;
static uint32_t answer[4];

static void start(void (*host)(uint32_t, uint32_t, uint32_t[4]))
{
	fake_cpuid = host;
	vcpu = fake_vcpu_start(0);
	vcpuid_init(&vcpu->page->cpuid, host, vcpu->page->xcr0_allowed, 0, 1);
}

static uint32_t ask(uint32_t leaf, uint32_t subleaf, enum reg reg)
{
	static const uint8_t order[] = {ABI_RAX, ABI_RBX, ABI_RCX, ABI_RDX};
	uint64_t *gpr = vcpu->page->gpr;

	memset(gpr, 0xff, sizeof(vcpu->page->gpr));
	gpr[ABI_RAX] = 0xabcdef0000000000 | leaf;
	gpr[ABI_RCX] = 0xabcdef0000000000 | subleaf;
	CHECK_EQ(cpuid_answer(vcpu, NULL), EXIT_NEXT_INSN);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(gpr[order[i]] >> 32, 0);
		answer[i] = (uint32_t)gpr[order[i]];
	}
	return answer[reg];
}

/* A host that has everything, known or not. */
static void everything(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0xff, 4 * sizeof(*out));
	if (leaf == 0xd && subleaf >= 2) {
		out[EAX] = 0x100;
		out[EBX] = 0x240;
	}
	if (leaf == 0)
		out[EAX] = 0x24;
	if (leaf == 0x80000000)
		out[EAX] = 0x80000028;
}

static void with_avx512(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	static const uint32_t size[] = {0x40, 0x200, 0x400}, offset[] = {0x440, 0x480, 0x680};

	fake_cpuid_haswell(leaf, subleaf, out);
	if (leaf == 0xd && subleaf >= 5 && subleaf <= 7) {
		out[EAX] = size[subleaf - 5];
		out[EBX] = offset[subleaf - 5];
	}
}

TEST(the_vendor_and_the_model_are_the_hosts)
{
	start(fake_cpuid_haswell);
	CHECK_EQ(ask(0, 0, EBX), 0x756e6547);
	CHECK_EQ(answer[EDX], 0x49656e69);
	CHECK_EQ(answer[ECX], 0x6c65746e);
	CHECK_EQ(ask(1, 0, EAX), 0x306c3);
	CHECK_EQ(ask(0x80000002, 0, EAX), 0x65746e49);
	CHECK_EQ(ask(0x80000008, 0, EAX), 0x3027);
}

TEST(haswells_features_are_those_that_work)
{
	start(fake_cpuid_haswell);
	/* Without DTES64 MONITOR DS-CPL VMX SMX EIST TM2 SDBG xTPR PDCM OSXSAVE; with x2APIC,
	 * deadline, hypervisor. */
	CHECK_EQ(ask(1, 0, ECX), 0xf7fa3203);
	CHECK_EQ(answer[EDX], 0x0f8bfbff);
	CHECK_EQ(answer[EBX], 0x00010800);
	CHECK_EQ(ask(7, 0, EBX), 0x000007ab);
	CHECK_EQ(answer[EAX] | answer[ECX], 0);
	CHECK_EQ(answer[EDX], BIT(29)); /* IA32_ARCH_CAPABILITIES */
	CHECK_EQ(ask(0x80000001, 0, EDX), 0x2c100800);
	CHECK_EQ(answer[ECX], 0x21);
	CHECK_EQ(ask(0x80000007, 0, EDX), BIT(8));
}

static uint32_t leaf1_eax;

static void with_signature(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	fake_cpuid_haswell(leaf, subleaf, out);
	if (leaf == 1)
		out[EAX] = leaf1_eax;
}

TEST(only_cores_older_than_skylake_are_told_to_be_free_of_its)
{
	static const uint32_t free_of[] = {0x206a7, 0x306c3, 0x406f1, 0x50663};
	static const uint32_t others[] = {0x106a5, 0x406e3, 0x506e3, 0x50654, 0x806ec, 0x30fc3};

	for (unsigned i = 0; i < ARRAY_COUNT(free_of); i++) {
		leaf1_eax = free_of[i];
		start(with_signature);
		CHECK_EQ(ask(7, 0, EDX), BIT(29));
	}
	for (unsigned i = 0; i < ARRAY_COUNT(others); i++) {
		leaf1_eax = others[i];
		start(with_signature);
		CHECK_EQ(ask(7, 0, EDX), 0);
	}
	start(fake_cpuid_ryzen);
	CHECK_EQ(ask(7, 0, EDX) & BIT(29), 0);
}

static void cpuid_tcg(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	fake_cpuid_ryzen(leaf, subleaf, out);
	if (leaf == 0x40000000)
		memcpy(out, (uint32_t[]){0x40000001, 0x54474354, 0x43544743, 0x47435447}, 16);
}

TEST(tcgs_cmpxchg16b_is_hidden)
{
	start(cpuid_tcg);
	CHECK_EQ(ask(1, 0, ECX), 0xf7f81203);
}

TEST(ryzens_features_are_those_that_work)
{
	start(fake_cpuid_ryzen);
	CHECK_EQ(ask(1, 0, ECX), 0xf7f83203);
	CHECK_EQ(answer[EDX], 0x078bfbff);
	CHECK_EQ(ask(7, 0, EBX), 0x209c01ab);
	CHECK_EQ(ask(0x80000001, 0, ECX), 0x000001f1);
	CHECK_EQ(ask(0x80000000, 0, EBX), 0x68747541);
	CHECK_EQ(ask(0x8000000a, 0, EAX), 0); /* SVM */
	CHECK_EQ(answer[EDX], 0);
	CHECK_EQ(ask(0x8000001e, 0, EBX), 0);
	CHECK_EQ(ask(0x8000001f, 0, EAX), 0);
	CHECK_EQ(ask(0x80000008, 0, EAX), 0x3030);
	CHECK_EQ(answer[EBX], 5);
	CHECK_EQ(answer[ECX], 0);
}

TEST(of_a_host_that_has_everything_nothing_is_told_that_does_not_work)
{
	start(everything);
	/* DTES64 MONITOR DS-CPL VMX SMX EIST TM2 CNXT-ID SDBG xTPR PDCM DCA */
	CHECK_EQ(ask(1, 0, ECX) & 0x0804cdfc & ~BIT(9), 0);
	/* PSN DS ACPI HTT TM IA64 PBE */
	CHECK_EQ(answer[EDX] & 0xf0740400, 0);
	/* SGX HLE RTM PQM MPX PQE PT */
	CHECK_EQ(ask(7, 0, EBX) & 0x0240d854, 0);
	/* PREFETCHWT1 PKU OSPKE WAITPKG CET_SS TME LA57 MAWAU KL ENQCMD SGX_LC PKS and more */
	CHECK_EQ(answer[ECX] & ~0x00405f46u, 0);
	/* UINTR, RTM's and the mitigations' MSRs, PCONFIG, LBR, CET_IBT, AMX */
	CHECK_EQ(answer[EDX] & ~0x0000011cu, 0);
	CHECK_EQ(answer[EAX], 0);
	/* CMP_LEGACY SVM EXTAPIC OSVW IBS SKINIT WDT LWP TOPOEXT PERFCTR MONITORX */
	CHECK_EQ(ask(0x80000001, 0, ECX) & ~0x002109f1u, 0);
	CHECK_EQ(answer[EDX] & 0xc0000000, 0);
	CHECK_EQ(ask(0x80000007, 0, EDX), BIT(8));
	CHECK_EQ(answer[EAX] | answer[EBX] | answer[ECX], 0);
	CHECK_EQ(ask(0xd, 1, EAX), 5); /* no XSAVEC, whose size nobody tells, no XSAVES, no XFD */
	CHECK_EQ(answer[EBX] | answer[ECX] | answer[EDX], 0);
	CHECK_EQ(ask(6, 0, EAX), BIT(2));
	CHECK_EQ(answer[EBX] | answer[ECX] | answer[EDX], 0);
}

TEST(leaves_that_are_not_offered_are_zero)
{
	static const uint32_t leaves[] = {
		3,          5,          8,          9,          0xa,        0xc,        0xe,
		0xf,        0x10,       0x14,       0x17,       0x1f,       0x24,       0x100,
		0x20000000, 0x3fffffff, 0x40000002, 0x40000010, 0x400000ff, 0x40000100, 0x7fffffff,
		0x8000000a, 0x8000001b, 0x8000001d, 0x8000001e, 0x8000001f, 0x80000020, 0x80000021,
		0x80000028, 0xc0000000, 0xffffffff};

	start(everything);
	for (unsigned i = 0; i < ARRAY_COUNT(leaves); i++)
		for (uint32_t subleaf = 0; subleaf < 3; subleaf++) {
			ask(leaves[i], subleaf, EAX);
			CHECK_EQ(answer[EAX] | answer[EBX] | answer[ECX] | answer[EDX], 0);
		}
}

TEST(the_highest_leaves_have_answers)
{
	start(everything);
	CHECK(ask(0, 0, EAX) >= 0xd && ask(0, 0, EAX) < 0x40);
	CHECK(ask(0x80000000, 0, EAX) >= 0x80000008 && ask(0x80000000, 0, EAX) <= 0x8000001f);
	start(fake_cpuid_haswell);
	CHECK_EQ(ask(0, 0, EAX), 0xd);
	CHECK_EQ(ask(0x80000000, 0, EAX), 0x80000008);
}

TEST(leaves_past_the_hosts_last_are_not_asked_of_it)
{
	start(fake_cpuid_haswell); /* which answers them with its last basic one, as Intel's do */
	fake_cpuid(0x80000019, 0, answer);
	CHECK(answer[EAX] != 0);
	CHECK_EQ(ask(0x80000019, 0, EAX), 0);
	CHECK_EQ(ask(0x8000001a, 0, EAX), 0);
}

TEST(any_subleaf_is_answered_and_past_the_last_is_zero)
{
	static const uint32_t with[] = {4, 7, 0xd};

	start(everything);
	for (unsigned i = 0; i < ARRAY_COUNT(with); i++)
		for (unsigned n = 0; n < 5; n++) {
			static const uint32_t past[] = {8, 64, 255, 0x7fffffff, 0xffffffff};

			ask(with[i], past[n], EAX);
			CHECK_EQ(answer[EAX] | answer[EBX] | answer[ECX] | answer[EDX], 0);
		}
	ask(7, 1, EAX);
	CHECK_EQ(answer[EAX] | answer[EBX] | answer[ECX] | answer[EDX], 0);
	CHECK_EQ(ask(1, 0xffffffff, EAX), ask(1, 0, EAX)); /* no subleaves: ECX does not count */
	CHECK_EQ(ask(0x80000008, 77, EAX), ask(0x80000008, 0, EAX));
}

TEST(caches_are_shared_with_nobody)
{
	start(fake_cpuid_haswell);
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t host[4];

		fake_cpuid(4, i, host);
		CHECK_EQ(ask(4, i, EAX), host[EAX] & 0x3ff);
		CHECK_EQ(answer[EBX], host[EBX]);
		CHECK_EQ(answer[ECX], host[ECX]);
	}
	CHECK_EQ(ask(4, 4, EAX) & 0x1f, 0);
}

TEST(topology_is_one_thread_of_one_core)
{
	start(fake_cpuid_haswell);
	ask(0xb, 0, EAX);
	CHECK(answer[EAX] == 0 && answer[EBX] == 1 && answer[ECX] == 0x100 && answer[EDX] == 0);
	ask(0xb, 1, EAX);
	CHECK(answer[EAX] == 0 && answer[EBX] == 1 && answer[ECX] == 0x201 && answer[EDX] == 0);
	ask(0xb, 0x302, EAX);
	CHECK(answer[EAX] == 0 && answer[EBX] == 0 && answer[ECX] == 2);
	vcpu->index = 5;
	vcpuid_init(&vcpu->page->cpuid, fake_cpuid_haswell, 7, 5, 1);
	CHECK_EQ(ask(0xb, 9, EDX), 5);
	CHECK_EQ(ask(1, 0, EBX) >> 24, 5);
}

/* Of each leaf that tells it, the same: so many cores of one package. */
static void check_topology(uint32_t count, uint32_t shift)
{
	vcpu->index = count - 1;
	vcpuid_init(&vcpu->page->cpuid, fake_cpuid, 7, count - 1, count);
	CHECK(ask(1, 0, EDX) & BIT(28));
	CHECK_EQ(answer[EBX] >> 16, (count - 1) << 8 | count);
	ask(0xb, 0, EAX);
	CHECK(answer[EAX] == 0 && answer[EBX] == 1 && answer[ECX] == 0x100);
	ask(0xb, 1, EAX);
	CHECK(answer[EAX] == shift && answer[EBX] == count && answer[ECX] == 0x201);
	CHECK_EQ(answer[EDX], count - 1);
	CHECK_EQ(ask(0xb, 2, EBX) | answer[EAX], 0);
	CHECK_EQ(ask(0x40000001, 0, EAX) & 0x2a80, count > 1 ? 0x2a80 : 0); /* PV among CPUs */
}

TEST(topology_is_one_package_of_all_vcpus)
{
	static const uint32_t counts[][2] = {{2, 1}, {3, 2},  {4, 2},   {8, 3},
					     {9, 4}, {64, 6}, {128, 7}, {254, 8}};

	for (unsigned i = 0; i < ARRAY_COUNT(counts); i++) {
		uint32_t most = (1u << counts[i][1]) - 1;

		start(fake_cpuid_haswell);
		check_topology(counts[i][0], counts[i][1]);
		for (uint32_t cache = 0; cache < 4; cache++) {
			CHECK_EQ(ask(4, cache, EAX) >> 26, most < 63 ? most : 63);
			CHECK_EQ(answer[EAX] >> 14 & 0xfff, cache == 3 ? most : 0);
		}
		CHECK_EQ(ask(0x80000008, 0, ECX), 0);
		start(fake_cpuid_ryzen);
		check_topology(counts[i][0], counts[i][1]);
		CHECK(ask(0x80000001, 0, ECX) & BIT(1));
		CHECK_EQ(ask(0x80000008, 0, ECX), counts[i][1] << 12 | (counts[i][0] - 1));
		CHECK_EQ(ask(4, 0, EAX), 0);
	}
}

TEST(the_hypervisor_is_kvms_interface)
{
	char signature[13] = {0};

	start(fake_cpuid_haswell);
	CHECK(ask(1, 0, ECX) & BIT(31));
	CHECK_EQ(ask(0x40000000, 0, EAX), 0x40000001);
	memcpy(signature, &answer[EBX], 12);
	CHECK_STR(signature, "KVMKVMKVM");
	CHECK_EQ(ask(0x40000001, 0, EAX),
		 BIT(0) | BIT(1) | BIT(3) | BIT(5) | BIT(6) | BIT(15) | BIT(24));
	CHECK_EQ(answer[EBX] | answer[ECX] | answer[EDX], 0);
}

TEST(osxsave_follows_cr4)
{
	start(fake_cpuid_haswell);
	CHECK(!(ask(1, 0, ECX) & BIT(27)));
	vcpu->arch->cpu.cr4 |= 1ull << 18;
	CHECK(ask(1, 0, ECX) & BIT(27));
}

TEST(xsave_sizes_follow_xcr0)
{
	static const struct {
		uint64_t xcr0;
		uint32_t size;
	} rows[] = {{1, 576}, {3, 576}, {7, 832}, {0xe7, 2688}};

	fake_xcr0_host = 0x2ff; /* PKRU and what else: not for guests */
	start(with_avx512);
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		CHECK(cpuid_xcr0_is_valid(rows[i].xcr0));
		arch_vcpu_set_xcr0(vcpu, rows[i].xcr0);
		CHECK_EQ(ask(0xd, 0, EBX), rows[i].size);
		CHECK_EQ(answer[ECX], 2688);
		CHECK_EQ(answer[EAX], ALL_XCR0);
		CHECK_EQ(answer[EDX], 0);
	}
	CHECK_EQ(ask(0xd, 2, EAX), 0x100);
	CHECK_EQ(answer[EBX], 0x240);
	CHECK_EQ(answer[ECX] | answer[EDX], 0);
}

TEST(components_that_the_guest_cannot_have_are_not_told)
{
	fake_xcr0_host = 7;
	start(everything);
	CHECK_EQ(ask(0xd, 0, EAX), 7);
	CHECK_EQ(answer[ECX], 832);
	for (uint32_t i = 3; i < 64; i++)
		CHECK_EQ(ask(0xd, i, EAX) | answer[EBX] | answer[ECX] | answer[EDX], 0);
	CHECK_EQ(ask(7, 0, EBX) & 0xdc230000, 0); /* AVX-512 */
	CHECK(ask(7, 0, EBX) & BIT(5));
	CHECK_EQ(ask(7, 0, ECX) & 0x5842, 0);
	CHECK_EQ(ask(7, 0, EDX) & 0x10c, 0);
}

TEST(without_avx_state_there_are_no_avx_features)
{
	fake_xcr0_host = 3;
	start(everything);
	CHECK_EQ(ask(1, 0, ECX) & (BIT(12) | BIT(28) | BIT(29)), 0);
	CHECK_EQ(ask(7, 0, EBX) & BIT(5), 0);
	CHECK_EQ(ask(7, 0, ECX) & (BIT(9) | BIT(10)), 0);
	CHECK_EQ(ask(0x80000001, 0, ECX) & (BIT(11) | BIT(16)), 0);
	CHECK(ask(1, 0, ECX) & BIT(26));
	for (uint32_t i = 2; i < 64; i++)
		CHECK_EQ(ask(0xd, i, EAX) | answer[EBX], 0);
}

TEST(xcr0_has_the_combinations_of_the_sdm)
{
	fake_xcr0_host = UINT64_MAX;
	start(fake_cpuid_haswell);
	for (uint64_t value = 0; value < 1024; value++) {
		bool avx512 = (value & 0xe0) == 0xe0, none = (value & 0xe0) == 0;
		bool valid = value & 1 && !(value & ~ALL_XCR0) && (!(value & 4) || value & 2) &&
			     (none || (avx512 && value & 4));

		CHECK_EQ(cpuid_xcr0_is_valid(value), valid);
	}
	for (unsigned bit = 8; bit < 64; bit++)
		CHECK(!cpuid_xcr0_is_valid(1ull << bit | 7));
}

/* ---- newer hosts, as their manuals and public lists of answers have them ---- */

/* A leaf that the host has, and what the guest finds there. */
struct row {
	uint32_t leaf, subleaf;
	uint32_t host[4], guest[4];
};

#define HIDDEN                                                                                     \
	{                                                                                          \
		0, 0, 0, 0                                                                         \
	}

static const struct row sapphire_rapids[] = {
	{0,
	 0,
	 {0x20, 0x756e6547, 0x6c65746e, 0x49656e69},
	 {0xd, 0x756e6547, 0x6c65746e, 0x49656e69}},
	{1,
	 0,
	 {0x806f8, 0x4800800, 0x7ffefbff, 0xbfebfbff},
	 {0x806f8, 0x10800, 0xf7fa3203, 0xf8bfbff}},
	{4, 0, {0xfc004121, 0x2c0003f, 0x3f, 0}, {0x121, 0x2c0003f, 0x3f, 0}},
	{5, 0, {0x40, 0x40, 3, 0x2020}, HIDDEN},   /* MWAIT */
	{6, 0, {0xdf8ff7, 2, 9, 0}, {4, 0, 0, 0}}, /* HWP, thermal */
	{7, 0, {2, 0xf3bfb7ef, 0xfb417ffe, 0xffdd4432}, {0, 0xf1bf07ab, 0x405f46, 0x10}},
	{7, 1, {0x1c30, 0, 0, 0}, HIDDEN},           /* BF16, LAM */
	{7, 2, {0, 0, 0, 0x17}, HIDDEN},             /* the controls of speculation */
	{0xa, 0, {0x7300805, 0, 0, 0x8604}, HIDDEN}, /* PMU */
	{0xd, 0, {0x602e7, 0x2b00, 0x2b00, 0}, {0xe7, 0xa80, 0xa80, 0}},
	{0xd, 1, {0x1f, 0x2b00, 0x1900, 0}, {5, 0, 0, 0}}, /* compacted, supervisor state, XFD */
	{0xd, 2, {0x100, 0x240, 0, 0}, {0x100, 0x240, 0, 0}},
	{0xd, 5, {0x40, 0x440, 0, 0}, {0x40, 0x440, 0, 0}},
	{0xd, 6, {0x200, 0x480, 0, 0}, {0x200, 0x480, 0, 0}},
	{0xd, 7, {0x400, 0x680, 0, 0}, {0x400, 0x680, 0, 0}},
	{0xd, 8, {0x80, 0, 1, 0}, HIDDEN},        /* PT */
	{0xd, 9, {8, 0xa80, 0, 0}, HIDDEN},       /* PKRU */
	{0xd, 0xb, {0x10, 0, 1, 0}, HIDDEN},      /* CET */
	{0xd, 0xe, {0x30, 0, 1, 0}, HIDDEN},      /* UINTR */
	{0xd, 0xf, {0x328, 0, 1, 0}, HIDDEN},     /* LBR */
	{0xd, 0x11, {0x40, 0xac0, 2, 0}, HIDDEN}, /* AMX */
	{0xd, 0x12, {0x2000, 0xb00, 6, 0}, HIDDEN},
	{0xf, 0, {0, 0x6f, 0, 2}, HIDDEN}, /* RDT */
	{0x10, 0, {0, 0xa, 0, 0}, HIDDEN},
	{0x12, 0, {0x403, 1, 0, 0x381f}, HIDDEN}, /* SGX */
	{0x14, 0, {1, 0x5f, 7, 0}, HIDDEN},       /* PT */
	{0x15, 0, {2, 0xa0, 0x17d7840, 0}, HIDDEN},
	{0x16, 0, {0x7d0, 0xed8, 0x64, 0}, HIDDEN},
	{0x1c, 0, {0x4000000b, 7, 7, 0}, HIDDEN}, /* LBR */
	{0x1d, 1, {0x4002000, 0x80040, 0x10, 0}, HIDDEN},
	{0x1e, 0, {0, 0x4010, 0, 0}, HIDDEN},
	{0x1f, 0, {1, 2, 0x100, 4}, HIDDEN}, /* topology: leaf 0xb alone */
	{0x80000000, 0, {0x80000008, 0, 0, 0}, {0x80000008, 0, 0, 0}},
	{0x80000001, 0, {0, 0, 0x121, 0x2c100800}, {0, 0, 0x121, 0x2c100800}},
	{0x80000007, 0, {0, 0, 0, 0x100}, {0, 0, 0, 0x100}},
	{0x80000008, 0, {0x3934, 0x200, 0, 0}, {0x3934, 0, 0, 0}},
};

static const struct row zen_4[] = {
	{0,
	 0,
	 {0x10, 0x68747541, 0x444d4163, 0x69746e65},
	 {0xd, 0x68747541, 0x444d4163, 0x69746e65}},
	{1,
	 0,
	 {0xa10f11, 0x2c800800, 0x7efa320b, 0x178bfbff},
	 {0xa10f11, 0x10800, 0xf7fa3203, 0x78bfbff}},
	{5, 0, {0x40, 0x40, 3, 0x11}, HIDDEN},
	{6, 0, {4, 0, 1, 0}, {4, 0, 0, 0}},
	{7, 0, {1, 0xf1bf97a9, 0x405fce, 0x10000010}, {0, 0xf1bf07ab, 0x405f46, 0x10}},
	{7, 1, {0x20, 0, 0, 0}, HIDDEN},
	{0xd, 0, {0x2e7, 0x988, 0x988, 0}, {0xe7, 0xa80, 0x980, 0}}, /* EBX: of the fake CPU */
	{0xd, 1, {0xf, 0x988, 0x1800, 0}, {5, 0, 0, 0}},
	{0xd, 2, {0x100, 0x240, 0, 0}, {0x100, 0x240, 0, 0}},
	{0xd, 5, {0x40, 0x340, 0, 0}, {0x40, 0x340, 0, 0}},
	{0xd, 6, {0x200, 0x380, 0, 0}, {0x200, 0x380, 0, 0}},
	{0xd, 7, {0x400, 0x580, 0, 0}, {0x400, 0x580, 0, 0}},
	{0xd, 9, {8, 0x980, 0, 0}, HIDDEN},
	{0xd, 0xb, {0x10, 0, 1, 0}, HIDDEN},
	{0xf, 0, {0, 0xff, 0, 2}, HIDDEN},
	{0x10, 0, {0, 2, 0, 0}, HIDDEN},
	{0x80000000,
	 0,
	 {0x80000028, 0x68747541, 0x444d4163, 0x69746e65},
	 {0x8000001a, 0x68747541, 0x444d4163, 0x69746e65}},
	{0x80000001,
	 0,
	 {0xa10f11, 0x40000000, 0x75c237ff, 0x2fd3fbff},
	 {0xa10f11, 0x40000000, 0x1f1, 0x2fd3fbff}},
	{0x80000002,
	 0,
	 {0x20444d41, 0x43595045, 0x35333920, 0x38342034},
	 {0x20444d41, 0x43595045, 0x35333920, 0x38342034}}, /* the model's name */
	{0x80000007, 0, {0, 0x3b, 0, 0x6799}, {0, 0, 0, 0x100}},
	{0x80000008, 0, {0x3934, 0x791ef257, 0x707f, 0x10007}, {0x3934, 5, 0, 0}},
	{0x8000000a, 0, {1, 0x8000, 0, 0x1ebfbcff}, HIDDEN}, /* SVM */
	{0x80000019, 0, {0xf048f048, 0xf0400000, 0, 0}, {0xf048f048, 0xf0400000, 0, 0}},
	{0x8000001a, 0, {6, 0, 0, 0}, {6, 0, 0, 0}},
	{0x8000001b, 0, {0xbff, 0, 0, 0}, HIDDEN}, /* IBS */
	{0x8000001d, 0, {0x4121, 0x1c0003f, 0x3f, 0}, HIDDEN},
	{0x8000001e, 0, {0x2c, 0x116, 0, 0}, HIDDEN},
	{0x8000001f, 0, {0x101fd3f, 0x4173, 0x1fd, 1}, HIDDEN}, /* SEV */
	{0x80000020, 0, {0, 0x1e, 0, 0}, HIDDEN},
	{0x80000021, 0, {0x62fcf, 0x15c, 0, 0}, HIDDEN},
	{0x80000022, 0, {7, 0x84106, 0, 0}, HIDDEN}, /* PMU */
};

static const struct row *rows;
static unsigned row_count;

static void from_rows(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 4 * sizeof(*out));
	for (unsigned i = 0; i < row_count; i++)
		if (rows[i].leaf == leaf && rows[i].subleaf == subleaf)
			memcpy(out, rows[i].host, sizeof(rows[i].host));
}

static void check_rows(const struct row *with, unsigned count)
{
	rows = with;
	row_count = count;
	fake_xcr0_host = 0x2e7;
	start(from_rows);
	arch_vcpu_set_xcr0(vcpu, ALL_XCR0);
	for (unsigned i = 0; i < count; i++) {
		ask(with[i].leaf, with[i].subleaf, EAX);
		for (unsigned reg = 0; reg < 4; reg++)
			CHECK_EQ(answer[reg], with[i].guest[reg]);
	}
}

TEST(sapphire_rapids_shows_what_works)
{
	check_rows(sapphire_rapids, ARRAY_COUNT(sapphire_rapids));
}

TEST(zen_4_shows_what_works)
{
	check_rows(zen_4, ARRAY_COUNT(zen_4));
}

int main(void)
{
	RUN(the_vendor_and_the_model_are_the_hosts);
	RUN(haswells_features_are_those_that_work);
	RUN(only_cores_older_than_skylake_are_told_to_be_free_of_its);
	RUN(tcgs_cmpxchg16b_is_hidden);
	RUN(ryzens_features_are_those_that_work);
	RUN(of_a_host_that_has_everything_nothing_is_told_that_does_not_work);
	RUN(leaves_that_are_not_offered_are_zero);
	RUN(the_highest_leaves_have_answers);
	RUN(leaves_past_the_hosts_last_are_not_asked_of_it);
	RUN(any_subleaf_is_answered_and_past_the_last_is_zero);
	RUN(caches_are_shared_with_nobody);
	RUN(topology_is_one_thread_of_one_core);
	RUN(topology_is_one_package_of_all_vcpus);
	RUN(the_hypervisor_is_kvms_interface);
	RUN(osxsave_follows_cr4);
	RUN(xsave_sizes_follow_xcr0);
	RUN(components_that_the_guest_cannot_have_are_not_told);
	RUN(without_avx_state_there_are_no_avx_features);
	RUN(xcr0_has_the_combinations_of_the_sdm);
	RUN(sapphire_rapids_shows_what_works);
	RUN(zen_4_shows_what_works);
	return unit_end();
}
