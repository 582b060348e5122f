/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's steal time: what others had of the core, beside a VM that never sleeps, and where it is
 * told. */
#include "guests/lib/guest.h"

#define HV_FEATURES   0x40000001
#define FEATURE_STEAL (1u << 5)
#define MSR_STEAL     0x4b564d03
#define ENABLE        1ul
#define RUN_US        300000
#define UNTOUCHED     0xa5

static struct {
	volatile uint64_t ns;
	volatile uint32_t version, flags;
	volatile uint8_t preempted, rest[47];
} steal[2] __attribute__((aligned(64))); /* the second is nobody's */

/* Computes for so long; the ticks of what looks like others' turns. */
static uint64_t spin(uint64_t us)
{
	uint64_t end = time_tsc_after_us(us), jump = time_tsc_khz() / 10, away = 0;

	for (uint64_t before = rdtsc(), now; before < end; before = now) {
		now = rdtsc();
		if (now - before > jump)
			away += now - before;
	}
	return away;
}

static bool is_untouched(const volatile uint8_t *bytes, unsigned int size)
{
	while (size && bytes[size - 1] == UNTOUCHED)
		size--;
	return size == 0;
}

static uint64_t to_ns(uint64_t ticks)
{
	return ticks * 1000 / (time_tsc_khz() / 1000);
}

static void check_off(const char *what, uint64_t value)
{
	uint64_t before = steal[0].ns;

	wrmsr(MSR_STEAL, value);
	spin(RUN_US / 10);
	tap_ok(steal[0].ns == before && steal[0].preempted == 0, "%s: nothing is told", what);
}

void guest_main(void)
{
	uint64_t told, seen, part;
	bool good = true;

	tap_plan(9);
	memset(steal, UNTOUCHED, sizeof(steal));
	steal[0].ns = steal[0].version = steal[0].flags = steal[0].preempted = 0;
	tap_ok(cpuid(HV_FEATURES, 0).a & FEATURE_STEAL, "CPUID tells that there is steal time");
	for (uint64_t bit = 2; bit < 64; bit <<= 1)
		good &= try_wrmsr(MSR_STEAL, (uint64_t)steal | bit | ENABLE) == 13;
	tap_ok(good, "an address that is no multiple of 64 is #GP");
	wrmsr(MSR_STEAL, (uint64_t)steal | ENABLE);
	tap_ok(rdmsr(MSR_STEAL) == ((uint64_t)steal | ENABLE), "its MSR reads back");
	interrupts_enable(); /* all lines are masked; but see spin.c */
	spin(RUN_US / 10);
	told = steal[0].ns;
	seen = to_ns(spin(RUN_US));
	told = steal[0].ns - told;
	/* Of an emulator's pauses Corbel knows nothing, and the last turn may be told only later.
	 */
	part = guest_cpu_is_tcg() ? seen / 2 : seen / 10;
	print("# %lu us away, %lu us told\n", seen / 1000, told / 1000);
	tap_ok(seen > RUN_US * 1000ul / 4, "others have much of the core");
	tap_ok(told > seen - part && told < seen + part, "and that is told");
	tap_ok(steal[0].version != 0 && steal[0].version % 2 == 0 && steal[0].flags == 0 &&
		       steal[0].preempted == 0,
	       "its version is even, and a CPU that runs is not preempted");
	tap_ok(is_untouched(steal[0].rest, sizeof(steal[0].rest)) &&
		       is_untouched((uint8_t *)&steal[1], sizeof(steal[1])),
	       "nothing beside it changes");
	check_off("off", (uint64_t)steal);
	check_off("in the APIC's page", 0xfee00000 | ENABLE);
	interrupts_disable();
}
