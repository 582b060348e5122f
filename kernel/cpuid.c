/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's CPUID says: vmm's table and what changes while the guest runs. */
#include "kernel/cpuid.h"

#include "kernel/system.h"

/* SDM vol 2, "CPUID"; APM vol 3, "Obtaining Processor Information Via the CPUID Instruction". */
enum reg { EAX, EBX, ECX, EDX };

#define LEAF_OPS      0x40000100u /* the counting build only: counter ECX in EDX:EAX */
#define OPS_SIGNATURE 0x2173706fu /* "ops!", in EBX */
#define ECX1_OSXSAVE  (1u << 27)

/* vmm may write the table at any time: its own guest reads what is there. */
static const uint32_t *find(const struct abi_cpuid *table, uint32_t leaf, uint32_t subleaf)
{
	static const uint32_t zero[4];

	if (leaf & ABI_CPUID_NO_LEAF)
		return zero;
	if (subleaf == 0 || leaf >= 32 || !(table->has_subleaves >> leaf & 1))
		return table->leaf[ABI_CPUID_INDEX(leaf)];
	for (unsigned i = 0; i < ABI_CPUID_SUBLEAVES; i++)
		if (table->subleaf[i].leaf == leaf && table->subleaf[i].subleaf == subleaf)
			return table->subleaf[i].value;
	return zero;
}

/* For the guest that tells what instructions an exit takes: tests/bench. */
static void answer_ops(uint64_t *gpr, uint32_t op)
{
	uint64_t count = op < ABI_OP_COUNT ? arch_ops[op] : arch_tsc();

	gpr[ABI_RAX] = (uint32_t)count;
	gpr[ABI_RBX] = OPS_SIGNATURE;
	gpr[ABI_RDX] = count >> 32;
}

enum exit_action cpuid_answer(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	uint64_t *gpr = vcpu->page->gpr;
	uint32_t leaf = (uint32_t)gpr[ABI_RAX];
	uint32_t subleaf = (uint32_t)gpr[ABI_RCX];
	const uint32_t *value = find(&vcpu->page->cpuid, leaf, subleaf);

	gpr[ABI_RAX] = value[EAX];
	gpr[ABI_RBX] = value[EBX];
	gpr[ABI_RCX] = value[ECX];
	gpr[ABI_RDX] = value[EDX];
	if (COUNT_OPS && leaf == LEAF_OPS)
		answer_ops(gpr, subleaf);
	/* What its own control registers enable, and the part that any subleaf of a topology has.
	 */
	if (leaf == 1 && arch_vcpu_has_xsave_on(vcpu)) {
		gpr[ABI_RCX] |= ECX1_OSXSAVE;
	} else if (leaf == 0xd && subleaf == 0) {
		gpr[ABI_RBX] = arch_fpu_size();
	} else if (leaf == 0xb) {
		gpr[ABI_RDX] = vcpu->index;
		gpr[ABI_RCX] |= subleaf & 0xff;
	}
	return EXIT_NEXT_INSN;
}

uint64_t cpuid_xcr0_allowed(void)
{
	return boot_info->cpu.xcr0 & 0xe7; /* x87 SSE AVX AVX-512 */
}

bool cpuid_xcr0_is_valid(uint64_t value)
{
	if (value & ~cpuid_xcr0_allowed() || !(value & 1) || (value & 4 && !(value & 2)))
		return false;
	return !(value & 0xe0) || ((value & 0xe0) == 0xe0 && value & 4);
}
