/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a guest that stay in the core while ring 0 and vmm run: MSRs and debug registers. */
#include "arch/x86_64/guest_regs.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"

#define CPUID_80000001_EDX_RDTSCP (1u << 27)

static const uint32_t msrs[] = {
	IA32_TSC_AUX, IA32_STAR, IA32_LSTAR, IA32_CSTAR, IA32_FMASK, IA32_KERNEL_GS_BASE,
};
static unsigned first, end = ARRAY_COUNT(msrs); /* of msrs[] that are switched here (set once) */

_Static_assert(ARRAY_COUNT(msrs) == ARRAY_COUNT(((struct guest_regs *)0)->msr), "one each");

void guest_regs_init(bool switches_syscall)
{
	uint32_t out[4];

	cpuid(0x80000001, 0, out);
	first = out[3] & CPUID_80000001_EDX_RDTSCP ? 0 : 1;
	end = switches_syscall ? 1 : ARRAY_COUNT(msrs);
}

void guest_regs_save(struct guest_regs *regs)
{
	for (unsigned i = first; i < end; i++)
		regs->msr[i] = rdmsr(msrs[i]);
	regs->dr[0] = read_dr0();
	regs->dr[1] = read_dr1();
	regs->dr[2] = read_dr2();
	regs->dr[3] = read_dr3();
	regs->dr6 = read_dr6();
}

void guest_regs_load(const struct guest_regs *regs, const struct guest_regs *from)
{
	for (unsigned i = first; i < end; i++)
		if (!from || from->msr[i] != regs->msr[i])
			wrmsr(msrs[i], regs->msr[i]);
	write_dr0(regs->dr[0]);
	write_dr1(regs->dr[1]);
	write_dr2(regs->dr[2]);
	write_dr3(regs->dr[3]);
	write_dr6(regs->dr6);
}

uint64_t *guest_regs_msr(struct guest_regs *regs, uint32_t index)
{
	for (unsigned i = first; i < end; i++)
		if (msrs[i] == index)
			return &regs->msr[i];
	return NULL;
}
