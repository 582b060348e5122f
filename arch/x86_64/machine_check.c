/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine checks: the hardware says that it is broken. */
#include "arch/x86_64/machine_check.h"
#include "arch/x86_64/console.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "kernel/panic.h"

#define MC_VALID            (1ull << 63)
#define MC_HAS_ADDRESS      (1ull << 58)
#define MC_BANK(base, bank) ((base) + 4 * (bank))
#define MCA_BANK_MAX        64u /* MSRs of more banks would run into other MSRs */

static unsigned bank_count; /* (set once) */

/* SDM vol 3, "Machine-Check Initialization". */
void machine_check_init(void)
{
	uint32_t leaf1[4];

	cpuid(1, 0, leaf1);
	if (!(leaf1[3] & CPUID_1_EDX_MCA))
		return;
	bank_count = MIN((unsigned)rdmsr(IA32_MCG_CAP) & 0xff, MCA_BANK_MAX);
	for (unsigned i = 0; i < bank_count; i++) {
		wrmsr(MC_BANK(IA32_MC0_CTL, i), UINT64_MAX);
		wrmsr(MC_BANK(IA32_MC0_STATUS, i), 0);
	}
}

_Noreturn void machine_check(const struct arch_frame *frame)
{
	console_init();
	for (unsigned i = 0; i < bank_count; i++) {
		uint64_t status = rdmsr(MC_BANK(IA32_MC0_STATUS, i));

		if (!(status & MC_VALID))
			continue;
		console_text("\r\nmachine check bank ");
		console_decimal(i);
		console_text(" status ");
		console_hex(status);
		if (status & MC_HAS_ADDRESS) {
			console_text(" address ");
			console_hex(rdmsr(MC_BANK(IA32_MC0_ADDR, i)));
		}
	}
	panic_trap(frame, "machine check (#MC): the hardware reports an error");
}
