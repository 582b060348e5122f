/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts and a guest CPU: nothing is lost, early, or ended twice, whatever the order. */
#include "random.h"
#include "scripted.h"

#define SELF          (1u << 18)
#define EXTINT_VECTOR 0x20u

static bool pending[256], in_service[256], nmi_is_pending, extint;
static uint8_t eoi_word;
static unsigned offers;
static bool is_calm; /* few interrupts come, and TPR stays 0 */
static unsigned entries, entries_max;

static unsigned chance(unsigned n)
{
	return (unsigned)(random_next() >> 33) % n;
}

static unsigned tpr_class(void)
{
	return vcpu->lapic.page[0x80] >> 4;
}

/* What the CPU is told at an entry must let it get all that waits, at once or by a window. */
static void check_entry(void)
{
	int vector = vlapic_pending(vcpu);
	bool is_open = arch->cpu.rflags & IF && !arch->has_shadow;

	if (arch->delivered_count) {
		const struct abi_event *event = &arch->delivered[0];

		if (event->type == VM_EVENT_NMI) {
			CHECK(nmi_is_pending && !arch->is_nmi_blocked);
			nmi_is_pending = false;
			arch->is_nmi_blocked = true;
		} else {
			CHECK(is_open && pending[event->vector]);
			pending[event->vector] = false;
			if (event->vector != EXTINT_VECTOR)
				in_service[event->vector] = true;
			arch->cpu.rflags &= ~IF; /* an interrupt gate */
		}
	}
	arch->delivered_count = 0;
	CHECK(!nmi_is_pending || arch->wants_nmi);
	CHECK(!(eoi_word & 1) || !vcpu->lapic.irr_words); /* what waits needs an exit */
	if (extint)
		CHECK(arch->wants_interrupt && arch->window_class == 0);
	else if (vector >= 0)
		CHECK(arch->wants_interrupt && arch->window_class <= (unsigned)vector >> 4);
}

static bool window_opens(void)
{
	bool is_open = arch->cpu.rflags & IF && !arch->has_shadow;

	if (arch->wants_nmi && !arch->is_nmi_blocked && !arch->has_shadow)
		return true;
	return arch->wants_interrupt && is_open &&
	       (arch->window_class == 0 || arch->window_class > tpr_class());
}

static void wrmsr(struct vm_exit *exit, uint32_t index, uint32_t value)
{
	load_wrmsr(index, value);
	exit->kind = ABI_EXIT_WRMSR;
	exit->length = 2;
}

static void end_highest(void)
{
	unsigned vector = 255;

	while (vector && !in_service[vector])
		vector--;
	in_service[vector] = false;
}

/* Returns true at an exit. */
static bool act(struct vm_exit *exit)
{
	unsigned vector = 48 + chance(208);

	switch (chance(12)) {
	case 0:
		arch->has_shadow = !(arch->cpu.rflags & IF); /* STI */
		arch->cpu.rflags |= IF;
		return false;
	case 1:
		arch->cpu.rflags &= ~IF;
		return false;
	case 2:
		if (!is_calm)
			vcpu->lapic.page[0x80] = (uint8_t)(chance(16) << 4); /* MOV to CR8 */
		return false;
	case 3:
		arch->is_nmi_blocked = false; /* IRET */
		return false;
	case 4:
		if (is_calm && chance(8))
			return false;
		pending[vector] = true;
		if (chance(2))
			wrmsr(exit, 0x83f, vector);
		else
			wrmsr(exit, 0x830, SELF | vector);
		return true;
	case 5:
		nmi_is_pending = true;
		wrmsr(exit, 0x830, SELF | NMI);
		return true;
	case 6:
	case 7:
		end_highest();
		if (eoi_word & 1 && chance(8)) { /* else it does not trust the offer */
			eoi_word = 0;
			offers++;
			return false;
		}
		wrmsr(exit, EOI_MSR, 0);
		return true;
	case 8:
		wrmsr(exit, 0x808, is_calm ? 0 : chance(256));
		return true;
	case 9:
		exit->kind = ABI_EXIT_INTERRUPT;
		return true;
	case 10:
		exit->kind = ABI_EXIT_CPUID;
		exit->length = 2;
		return true;
	default:
		exit->kind = ABI_EXIT_PORT;
		exit->length = 2;
		exit->port.size = 1;
		return true;
	}
}

static void random_guest(struct vcpu *running, struct vm_exit *exit)
{
	(void)running;
	check_entry();
	entries++;
	do {
		if (window_opens()) {
			exit->kind = ABI_EXIT_WINDOW;
			return;
		}
		arch->has_shadow = false;
	} while (!act(exit));
}

/* vmm with a device that raises the pair's line now and then, and messages. */
static void serve(void)
{
	unsigned vector = 48 + chance(208);

	CHECK(!(eoi_word & 1)); /* vmm may save the state now */
	for (unsigned i = 0; i < 256; i++)
		CHECK_EQ(*vlapic_reg(vcpu, VLAPIC_ISR + i / 32 * 16) >> i % 32 & 1, in_service[i]);
	if (vcpu->page->exit.kind == ABI_EXIT_INTA) {
		CHECK(extint);
		extint = false;
		pending[EXTINT_VECTOR] = true;
		vcpu->page->inject_vector = EXTINT_VECTOR;
	} else if (chance(4) == 0) {
		extint = true;
	} else if (chance(is_calm ? 8 : 2) == 0) {
		pending[vector] = true;
		CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000, vector), 0);
	}
	vcpu->page->extint = extint;
}

TEST(no_interrupt_is_lost_or_early_or_ended_twice)
{
	start();
	vcpu->page->eoi_word = (uintptr_t)&eoi_word;
	fake_guest = random_guest;
	entries_max = 200000;
	while (entries < entries_max) {
		is_calm = entries & 0x4000;
		CHECK_EQ(vcpu_run(vcpu), 0);
		serve();
	}
	CHECK(offers > 100);
}

static uint8_t seen_word;

static void note_word(struct vcpu *running, struct vm_exit *exit)
{
	seen_word |= eoi_word;
	guest(running, exit);
}

/* Of the interrupts that are offered: `vector` alone, or one of what else is told. */
static bool is_offered(unsigned vector, uint32_t icr_bits, unsigned other)
{
	start();
	eoi_word = 0;
	vcpu->page->eoi_word = (uintptr_t)&eoi_word;
	if (other)
		arrive(other);
	vlapic_message(vcpu->vm, 0, false, icr_bits | vector);
	then(ABI_EXIT_CPUID);
	then(ABI_EXIT_TRIPLE_FAULT);
	seen_word = 0;
	fake_guest = note_word;
	CHECK_EQ(vcpu_run(vcpu), 0);
	return seen_word & 1;
}

TEST(the_end_of_a_lone_edge_triggered_interrupt_alone_is_offered)
{
	CHECK(is_offered(0x51, 0, 0));
	CHECK(!is_offered(0x51, LEVEL, 0));
	CHECK(!is_offered(0x51, 0, 0x41));
	CHECK(!is_offered(0x51, 0, 0x61));
	CHECK(!is_offered(0x51, NMI, 0));
	CHECK_EQ(eoi_word, 0); /* vmm sees no offer */
}

TEST(a_word_that_is_nowhere_is_no_offer)
{
	start();
	vcpu->page->eoi_word = 8; /* not the process's */
	arrive(0x51);
	then(ABI_EXIT_CPUID);
	run(ABI_EXIT_PORT);
	CHECK_EQ(vcpu->lapic.eoi_word, 0);
	CHECK_EQ(vlapic_in_service(vcpu), 0x51);
	step = step_count = 0;
	then_wrmsr(EOI_MSR, 0);
	run(ABI_EXIT_PORT);
	CHECK_EQ(vlapic_in_service(vcpu), -1);
}

/* A self-IPI that need not wait for anything is injected by the exit that sends it. */
TEST(a_self_ipi_goes_straight_in_only_if_nothing_stands_in_its_way)
{
	for (unsigned way = 0; way < 5; way++) {
		start();
		if (way == 1)
			arch->cpu.rflags = 2; /* IF is 0 */
		else if (way == 2)
			vcpu->lapic.page[VLAPIC_TPR] = 0x50;
		else if (way == 3)
			CHECK(vlapic_write(vcpu, VLAPIC_SVR, 0xff)); /* off */
		else if (way == 4)
			arch->has_shadow = true;
		then_wrmsr(0x83f, 0x51);
		run(ABI_EXIT_PORT);
		CHECK_EQ(arch->delivered_count, way == 0 || way == 4);
		CHECK_EQ(vlapic_requested(vcpu), way == 1 || way == 2 ? 0x51 : -1);
		CHECK_EQ(vlapic_in_service(vcpu), arch->delivered_count ? 0x51 : -1);
	}
}

int main(void)
{
	RUN(no_interrupt_is_lost_or_early_or_ended_twice);
	RUN(the_end_of_a_lone_edge_triggered_interrupt_alone_is_offered);
	RUN(a_word_that_is_nowhere_is_no_offer);
	RUN(a_self_ipi_goes_straight_in_only_if_nothing_stands_in_its_way);
	return unit_end();
}
