/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest CPU whose APIC is in the CPU, which writes IRR at the same time as others send. */
#include "scripted.h"

/* A guest whose APIC is in the CPU. */
static void start_apicv(void)
{
	start();
	vcpu->vm->wants_apicv = arch->has_apicv = true;
}

TEST(a_message_wakes_one_whose_apic_is_in_the_cpu)
{
	start_apicv();
	then(ABI_EXIT_HLT);
	spawn(message, 0);
	run(ABI_EXIT_PORT); /* asleep for ever, fake_arch.c ends the test */
	CHECK(vcpu->lapic.is_virtual && !vcpu->is_halted && vlapic_requested(vcpu) == 0x44);
}

static bool is_requested(unsigned vector)
{
	return *vlapic_reg(vcpu, VLAPIC_IRR + vector / 32 * 16) >> vector % 32 & 1;
}

/* Its APIC is in the CPU, which sets a bit of IRR at the same time as others send. */
static void busy(struct vcpu *running, struct vm_exit *exit)
{
	guest(running, exit);
	if (exit->kind == ABI_EXIT_CPUID) {
		arrive(0x44);
		arrive(0x63);
		CHECK(!is_requested(0x44) && !is_requested(0x63)); /* the CPU's word */
		*vlapic_reg(vcpu, VLAPIC_IRR + 2 * 16) |= 1u << 5;
	} else {
		CHECK(is_requested(0x44) && is_requested(0x45) && is_requested(0x63));
		arrive(0x71);
		CHECK(!is_requested(0x71));
	}
}

TEST(nobody_else_writes_what_the_cpu_writes_in_the_guest)
{
	struct abi_lapic state;

	start_apicv();
	fake_guest = busy;
	then(ABI_EXIT_CPUID);
	run(ABI_EXIT_PORT);
	CHECK(is_requested(0x71)); /* and vmm saves it */
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_LAPIC, &state, sizeof(state)), 0);
	CHECK_EQ(state.registers[VLAPIC_IRR / 16 + 2], 3u << 4);
	CHECK_EQ(state.registers[VLAPIC_IRR / 16 + 3], 1u << 3 | 1u << 17);
}

/* The core is another thread's now. */
static void passer(uint64_t unused)
{
	(void)unused;
	CHECK(vcpu->runner);
	arrive(0x55);
	CHECK(is_requested(0x55));
}

static void preempted(struct vcpu *running, struct vm_exit *exit)
{
	guest(running, exit);
	arch_this_cpu()->should_yield = true;
}

TEST(one_without_a_core_is_not_in_the_guest)
{
	start_apicv();
	fake_guest = preempted;
	then(ABI_EXIT_INTERRUPT);
	spawn(passer, 0);
	run(ABI_EXIT_PORT);
	CHECK(is_requested(0x55));
}

static void hit(struct vcpu *running, struct vm_exit *exit)
{
	guest(running, exit);
	arrive(0x44);
	arrive(INIT);
}

TEST(what_was_sent_before_init_is_gone_after_it)
{
	start_apicv();
	fake_guest = hit;
	then(ABI_EXIT_CPUID);
	run(ABI_EXIT_STARTUP);
	vcpu->startup = 0;
	CHECK(vlapic_write(vcpu, VLAPIC_SVR, SVR_ON));
	fake_guest = guest;
	run(ABI_EXIT_PORT);
	CHECK(!is_requested(0x44));
}

static unsigned tick_count;
static uint64_t tick_gap_ns; /* between the last two */
static bool is_deaf;

/* Until the timer's next interrupt, which the CPU delivers if the guest lets it. */
static void ticked(struct vcpu *running, struct vm_exit *exit)
{
	if (!is_deaf)
		*vlapic_reg(running, VLAPIC_IRR + 0x77 / 32 * 16) = 0;
	tick_gap_ns = running->lapic.timer.node.key - fake_now_ns;
	fake_now_ns = running->lapic.timer.node.key;
	*exit = (struct vm_exit){.kind = ++tick_count < 5 ? ABI_EXIT_INTERRUPT
							  : ABI_EXIT_TRIPLE_FAULT};
}

TEST(a_deaf_guest_whose_apic_is_in_the_cpu_gets_fewer_ticks)
{
	for (unsigned i = 0; i < 2; i++) {
		start_apicv();
		fake_guest = ticked;
		CHECK(vlapic_write(vcpu, VLAPIC_LVT_TIMER, 0x20077));
		CHECK(vlapic_write(vcpu, VLAPIC_TIMER_DIVIDE, 0xb));
		CHECK(vlapic_write(vcpu, VLAPIC_TIMER_INITIAL, 50000));
		is_deaf = i;
		tick_count = 0;
		run(ABI_EXIT_TRIPLE_FAULT);
		CHECK_EQ(tick_gap_ns, is_deaf ? 1000000 : 100000);
	}
}

int main(void)
{
	RUN(a_message_wakes_one_whose_apic_is_in_the_cpu);
	RUN(nobody_else_writes_what_the_cpu_writes_in_the_guest);
	RUN(one_without_a_core_is_not_in_the_guest);
	RUN(what_was_sent_before_init_is_gone_after_it);
	RUN(a_deaf_guest_whose_apic_is_in_the_cpu_gets_fewer_ticks);
	return unit_end();
}
