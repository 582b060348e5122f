/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest CPU that halted: what wakes it, and what does not. */
#include "scripted.h"

TEST(a_message_wakes_a_sleeping_guest)
{
	start();
	then(ABI_EXIT_HLT);
	spawn(message, 0);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x44);
	CHECK(!vcpu->is_halted);
	CHECK_EQ(arch->skip_count, 2); /* HLT is behind it, and so is the port access */
}

static void nmi(uint64_t unused)
{
	(void)unused;
	vlapic_message(vcpu->vm, 0, false, NMI);
}

TEST(an_nmi_wakes_a_guest_that_takes_no_interrupts)
{
	start();
	arch->cpu.rflags = 2;
	arrive(0x40); /* does not */
	then(ABI_EXIT_HLT);
	spawn(nmi, 0);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_NMI, 2);
	CHECK_EQ(arch->delivered_count, 1);
}

TEST(the_timer_wakes_a_sleeping_guest_in_time)
{
	uint64_t before;

	start();
	CHECK(vlapic_write(vcpu, VLAPIC_LVT_TIMER, 0x77));
	CHECK(vlapic_write(vcpu, VLAPIC_TIMER_DIVIDE, 0xb));
	CHECK(vlapic_write(vcpu, VLAPIC_TIMER_INITIAL, 5000000));
	before = fake_now_ns;
	then(ABI_EXIT_HLT);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x77);
	CHECK_EQ(fake_now_ns - before, 5000000);
}

static void message_by_irq(void)
{
	message(0);
}

/* Halts once more, until an interrupt. */
static void halt(void)
{
	CHECK(vlapic_write(vcpu, VLAPIC_EOI, 0));
	step = step_count = 0;
	then(ABI_EXIT_HLT);
	run(ABI_EXIT_PORT);
	CHECK(!vcpu->is_halted);
}

TEST(a_guest_whose_interrupts_come_soon_halts_awake)
{
	uint64_t before;

	start();
	then(ABI_EXIT_HLT);
	spawn(message, 0);
	run(ABI_EXIT_PORT);
	fake_irq = message_by_irq;
	halt(); /* asleep, no thread would wake it, and fake_arch.c ends the test */
	spawn(message, 0);
	before = fake_now_ns;
	halt(); /* the interrupt came late: not again */
	CHECK_EQ(fake_now_ns, before);
	spawn(message, 0);
	halt(); /* it would, but somebody else wants the core */
	CHECK_EQ(fake_now_ns, before);
}

TEST(what_comes_before_hlt_is_not_slept_through)
{
	start();
	for (unsigned i = 0; i < 3; i++) {
		step = step_count = 0;
		if (i == 0)
			arrive(0x41);
		else if (i == 1)
			vcpu->nmi_pending = true;
		else
			vcpu->page->extint = 1;
		vcpu->needs_look = false; /* as if it came behind the last look */
		arch->injected.is_valid = 0;
		vlapic_write(vcpu, VLAPIC_EOI, 0);
		vcpu->needs_look = false;
		then(ABI_EXIT_HLT);
		CHECK_EQ(vcpu_run(vcpu), 0); /* it would sleep for ever otherwise */
	}
	CHECK_EQ(vcpu->page->exit.kind, ABI_EXIT_INTA);
	CHECK(!vcpu->is_halted);
}

TEST(a_kicked_guest_sleeps_on)
{
	start();
	then(ABI_EXIT_HLT);
	spawn(kicker, 0);
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK(vcpu->is_halted);
	spawn(message, 0);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x44);
	CHECK_EQ(arch->enter_count, 2);
}

TEST(the_line_of_the_pair_wakes_a_kicked_guest)
{
	start();
	then(ABI_EXIT_HLT);
	spawn(kicker, 0);
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	vcpu->page->extint = 1;
	run(ABI_EXIT_INTA);
	CHECK(!vcpu->is_halted);
}

TEST(a_new_cpu_state_is_awake)
{
	struct abi_cpu cpu;

	start();
	then(ABI_EXIT_HLT);
	spawn(kicker, 0);
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_CPU, &cpu, sizeof(cpu)), 0);
	CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_CPU, &cpu, sizeof(cpu)), 0);
	run(ABI_EXIT_PORT);
}

int main(void)
{
	RUN(a_message_wakes_a_sleeping_guest);
	RUN(an_nmi_wakes_a_guest_that_takes_no_interrupts);
	RUN(the_timer_wakes_a_sleeping_guest_in_time);
	RUN(a_guest_whose_interrupts_come_soon_halts_awake);
	RUN(what_comes_before_hlt_is_not_slept_through);
	RUN(a_kicked_guest_sleeps_on);
	RUN(the_line_of_the_pair_wakes_a_kicked_guest);
	RUN(a_new_cpu_state_is_awake);
	return unit_end();
}
