/* SPDX-License-Identifier: BSD-2-Clause */
/* Running a guest CPU: what goes in first, what wakes it, what vmm is asked, how it begins and
 * ends. */
#include "fake_vcpu.h"
#include "kernel/frames.h"
#include "kernel/memory.h"
#include "kernel/quota.h"
#include "kernel/sched.h"
#include "kernel/thread.h"
#include "kernel/vlapic.h"
#include "unit.h"

#define IF            0x200ull
#define SELF          (1u << 18)
#define NMI           0x400u
#define INIT          0x500u
#define LEVEL         0x8000u
#define SVR_ON        0x1ffu
#define EOI_MSR       0x80bu
#define EXTINT_VECTOR 0x20u
#define RAM           (64 * PAGE_SIZE)
#define STEPS_MAX     32u

static struct vcpu *vcpu;
static struct arch_vcpu *arch;

/* The guest of most tests: one exit after the other, then port 0x80 for ever. */
static struct vm_exit script[STEPS_MAX];
static unsigned step_count, step;

static void guest(struct vcpu *running, struct vm_exit *exit)
{
	CHECK(running == vcpu);
	if (step < step_count)
		*exit = script[step++];
	else
		*exit = (struct vm_exit){
			.kind = ABI_EXIT_PORT, .length = 2, .port = {.port = 0x80, .size = 1}};
}

static void start(void)
{
	vcpu = fake_vcpu_start(RAM);
	arch = vcpu->arch;
	fake_guest = guest;
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | 0xd00));
	CHECK(vlapic_write(vcpu, VLAPIC_SVR, SVR_ON));
	arch->cpu.rflags = IF | 2;
	step = step_count = 0;
}

static void then(uint32_t kind)
{
	CHECK(step_count < STEPS_MAX);
	script[step_count++] = (struct vm_exit){.kind = kind, .length = kind == ABI_EXIT_HLT};
}

/* A WRMSR of the guest. */
static void then_eoi(void)
{
	vcpu->page->gpr[ABI_RCX] = EOI_MSR;
	vcpu->page->gpr[ABI_RAX] = vcpu->page->gpr[ABI_RDX] = 0;
	then(ABI_EXIT_WRMSR);
}

static void arrive(unsigned vector)
{
	vlapic_message(vcpu->vm, 0, false, vector);
}

static void run(uint32_t kind)
{
	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK_EQ(vcpu->page->exit.kind, kind);
}

static void check_delivered(unsigned i, unsigned type, unsigned vector)
{
	CHECK(i < arch->delivered_count);
	CHECK_EQ(arch->delivered[i].type, type);
	CHECK_EQ(arch->delivered[i].vector, vector);
}

static void spawn(void (*fn)(uint64_t))
{
	CHECK_EQ(thread_create(process_current(), (uint64_t)fn, 0, 0), 0);
}

/* ---- runs and what ends them ---- */

TEST(a_run_lasts_until_vmm_is_needed)
{
	start();
	for (unsigned i = 0; i < 10; i++)
		then(ABI_EXIT_CPUID);
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->enter_count, 11);
	CHECK_EQ(vcpu->stats.to_vmm, 1);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_CPUID], 10);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_PORT], 1);
	CHECK(vcpu->runner == NULL);
}

static void nosy(struct vcpu *running, struct vm_exit *exit)
{
	struct abi_cpu cpu = {0};

	CHECK_EQ(vcpu_run(running), -ABI_EBUSY);
	CHECK_EQ(vcpu_get_state(running, ABI_STATE_CPU, &cpu, sizeof(cpu)), -ABI_EBUSY);
	CHECK_EQ(vcpu_set_state(running, ABI_STATE_CPU, &cpu, sizeof(cpu)), -ABI_EBUSY);
	exit->kind = ABI_EXIT_TRIPLE_FAULT;
}

TEST(a_vcpu_that_runs_is_busy)
{
	start();
	fake_guest = nosy;
	run(ABI_EXIT_TRIPLE_FAULT);
}

TEST(a_kick_ends_one_run)
{
	start();
	vcpu_kick(vcpu);
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK_EQ(arch->enter_count, 0);
	CHECK_EQ(vcpu->stats.to_vmm, 0);
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->enter_count, 1);
}

static void kicker(uint64_t unused)
{
	(void)unused;
	vcpu_kick(vcpu);
}

TEST(a_kick_reaches_a_guest_that_runs)
{
	start();
	then(ABI_EXIT_CPUID);
	then(ABI_EXIT_INTERRUPT);
	then(ABI_EXIT_INTERRUPT);
	spawn(kicker);
	arch_this_cpu()->should_yield = true;
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK_EQ(arch->enter_count, 2);
}

TEST(a_thread_that_was_killed_comes_back)
{
	start();
	thread_current()->dying = true;
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK_EQ(arch->enter_count, 0);
	thread_current()->dying = false;
	run(ABI_EXIT_PORT);
}

static void killer(uint64_t thread)
{
	thread_kill((struct thread *)thread);
}

static void message(uint64_t unused)
{
	(void)unused;
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000, 0x44), 0);
}

TEST(a_thread_killed_while_its_guest_sleeps_comes_back)
{
	start();
	then(ABI_EXIT_HLT);
	CHECK_EQ(thread_create(process_current(), (uint64_t)killer, 0, (uint64_t)thread_current()),
		 0);
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK_EQ(arch->enter_count, 1);
	thread_current()->dying = false;
	CHECK(vcpu->is_halted);
	spawn(message); /* another thread that runs it finds it asleep */
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->enter_count, 2);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x44);
}

/* ---- what goes in, and in which order ---- */

TEST(an_exception_of_vmm_goes_in_first_then_nmi_then_the_8259_pair_then_the_apic)
{
	start();
	vcpu->nmi_pending = true;
	vcpu->page->extint = 1;
	arrive(0x60);
	vcpu->page->inject_exception = 1;
	vcpu->page->exception_vector = 13;
	then(ABI_EXIT_WINDOW);
	then(ABI_EXIT_WINDOW);
	run(ABI_EXIT_INTA);
	CHECK_EQ(arch->delivered_count, 2);
	check_delivered(0, VM_EVENT_EXCEPTION, 13);
	check_delivered(1, VM_EVENT_NMI, 2);
	vcpu->page->inject_vector = 0x30;
	vcpu->page->extint = 0;
	then(ABI_EXIT_WINDOW);
	run(ABI_EXIT_PORT);
	check_delivered(2, VM_EVENT_INTERRUPT, 0x30);
	check_delivered(3, VM_EVENT_INTERRUPT, 0x60);
	CHECK_EQ(arch->delivered_count, 4);
	CHECK(!arch->wants_interrupt && !arch->wants_nmi);
}

TEST(what_cannot_go_in_asks_for_a_window)
{
	start();
	arch->cpu.rflags = 2;
	arch->is_nmi_blocked = true;
	arrive(0x60);
	vcpu->nmi_pending = true;
	run(ABI_EXIT_PORT);
	CHECK(arch->wants_nmi && arch->wants_interrupt);
	CHECK_EQ(arch->window_class, 6);
	CHECK_EQ(arch->delivered_count, 0);
	arch->cpu.rflags |= IF;
	arch->is_nmi_blocked = false;
	step = step_count = 0;
	then(ABI_EXIT_WINDOW);
	then(ABI_EXIT_WINDOW);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_NMI, 2);
	check_delivered(1, VM_EVENT_INTERRUPT, 0x60);
}

TEST(what_tpr_holds_back_asks_for_a_window_of_its_class)
{
	start();
	CHECK(vlapic_write(vcpu, VLAPIC_TPR, 0x60));
	arrive(0x6f);
	run(ABI_EXIT_PORT);
	CHECK(arch->wants_interrupt);
	CHECK_EQ(arch->window_class, 6);
	CHECK_EQ(arch->delivered_count, 0);
	vcpu->lapic.page[0x80] = 0x50; /* as the CPU does at MOV to CR8 */
	step = step_count = 0;
	then(ABI_EXIT_WINDOW);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x6f);
}

TEST(what_is_in_service_holds_back_without_a_window)
{
	start();
	arrive(0x61);
	run(ABI_EXIT_PORT);
	arrive(0x62);
	arch->wants_interrupt = false;
	run(ABI_EXIT_PORT);
	CHECK(!arch->wants_interrupt);
	then_eoi();
	run(ABI_EXIT_PORT);
	check_delivered(1, VM_EVENT_INTERRUPT, 0x62);
}

TEST(the_8259_pairs_window_is_not_narrowed_by_the_apic)
{
	start();
	arch->cpu.rflags = 2;
	vcpu->page->extint = 1;
	CHECK(vlapic_write(vcpu, VLAPIC_TPR, 0x90));
	arrive(0x60);
	run(ABI_EXIT_PORT);
	CHECK(arch->wants_interrupt);
	CHECK_EQ(arch->window_class, 0);
}

TEST(the_interrupt_shadow_is_waited_for)
{
	start();
	arch->has_shadow = true;
	vcpu->nmi_pending = true;
	arrive(0x40);
	then(ABI_EXIT_CPUID); /* ends it */
	then(ABI_EXIT_WINDOW);
	then(ABI_EXIT_WINDOW);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_NMI, 2);
	check_delivered(1, VM_EVENT_INTERRUPT, 0x40);
}

TEST(a_page_fault_of_vmm_sets_cr2)
{
	start();
	vcpu->page->inject_exception = 1;
	vcpu->page->exception_vector = 14;
	vcpu->page->exception_error = 6;
	vcpu->page->exception_address = 0x123456789000;
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->cpu.cr2, 0x123456789000);
	check_delivered(0, VM_EVENT_EXCEPTION, 14);
	CHECK_EQ(arch->delivered[0].error, 6);
	vcpu->page->inject_exception = 1;
	vcpu->page->exception_vector = 13;
	vcpu->page->exception_address = 0x666;
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->cpu.cr2, 0x123456789000);
}

TEST(an_event_that_an_exit_cut_short_goes_in_again)
{
	start();
	then(ABI_EXIT_STAGE2);
	script[0].stage2.gpa.value = 0x5000;
	script[0].stage2.access = PT_WRITE;
	script[0].reinject = (struct abi_event){
		.is_valid = 1, .type = VM_EVENT_SOFTWARE_INTERRUPT, .vector = 0x80, .length = 2};
	arrive(0x50);
	arch->cpu.rflags = 2;
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_SOFTWARE_INTERRUPT, 0x80);
	CHECK_EQ(arch->delivered[0].length, 2);
	CHECK(arch->wants_interrupt);
}

TEST(a_kick_keeps_what_was_about_to_go_in)
{
	start();
	vcpu->page->inject_exception = 1;
	vcpu->page->exception_vector = 6;
	vcpu_kick(vcpu);
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_EXCEPTION, 6);
}

/* ---- what vmm is asked ---- */

TEST(vmm_acknowledges_the_8259_pair_when_the_guest_can_take_it)
{
	start();
	arch->cpu.rflags = 2;
	vcpu->page->extint = 1;
	run(ABI_EXIT_PORT);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_INTA], 0);
	arch->cpu.rflags |= IF;
	then(ABI_EXIT_WINDOW);
	run(ABI_EXIT_INTA);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_INTA], 1);
	vcpu->page->inject_vector = 0x20;
	vcpu->page->extint = 0;
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x20);
	CHECK_EQ(arch->delivered_count, 1);
}

TEST(a_pair_that_takes_its_interrupt_back_does_no_harm)
{
	start();
	vcpu->page->extint = 1;
	arrive(0x44);
	run(ABI_EXIT_INTA);
	vcpu->page->extint = 0; /* and no vector */
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->delivered_count, 1);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x44);
}

TEST(a_masked_lint0_keeps_the_pair_out)
{
	start();
	CHECK(vlapic_write(vcpu, VLAPIC_LVT_LINT0, 0x10700));
	vcpu->page->extint = 1;
	run(ABI_EXIT_PORT);
	CHECK(!arch->wants_interrupt);
	CHECK(vlapic_write(vcpu, VLAPIC_LVT_LINT0, 0x700));
	run(ABI_EXIT_INTA);
}

TEST(vmm_learns_of_the_end_of_a_level_triggered_interrupt)
{
	start();
	arrive(LEVEL | 0x51);
	run(ABI_EXIT_PORT);
	step = step_count = 0;
	then_eoi();
	run(ABI_EXIT_EOI);
	CHECK_EQ(vcpu->page->exit.eoi.vector, 0x51);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_EOI], 1);
	arrive(LEVEL | 0x51); /* the line is still up */
	run(ABI_EXIT_PORT);
	check_delivered(1, VM_EVENT_INTERRUPT, 0x51);
}

/* ---- sleep ---- */

TEST(a_message_wakes_a_sleeping_guest)
{
	start();
	then(ABI_EXIT_HLT);
	spawn(message);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x44);
	CHECK(!vcpu->is_halted);
	CHECK_EQ(arch->skip_count, 2); /* HLT is behind it, and so is the port access */
}

TEST(a_message_wakes_one_whose_apic_is_in_the_cpu)
{
	start();
	vcpu->vm->wants_apicv = arch->has_apicv = true;
	then(ABI_EXIT_HLT);
	spawn(message);
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

	start();
	vcpu->vm->wants_apicv = arch->has_apicv = true;
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
	start();
	vcpu->vm->wants_apicv = arch->has_apicv = true;
	fake_guest = preempted;
	then(ABI_EXIT_INTERRUPT);
	spawn(passer);
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
	start();
	vcpu->vm->wants_apicv = arch->has_apicv = true;
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
		start();
		vcpu->vm->wants_apicv = arch->has_apicv = true;
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
	spawn(nmi);
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
	spawn(message);
	run(ABI_EXIT_PORT);
	fake_irq = message_by_irq;
	halt(); /* asleep, no thread would wake it, and fake_arch.c ends the test */
	spawn(message);
	before = fake_now_ns;
	halt(); /* the interrupt came late: not again */
	CHECK_EQ(fake_now_ns, before);
	spawn(message);
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
	spawn(kicker);
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK(vcpu->is_halted);
	spawn(message);
	run(ABI_EXIT_PORT);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x44);
	CHECK_EQ(arch->enter_count, 2);
}

TEST(the_line_of_the_pair_wakes_a_kicked_guest)
{
	start();
	then(ABI_EXIT_HLT);
	spawn(kicker);
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
	spawn(kicker);
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_CPU, &cpu, sizeof(cpu)), 0);
	CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_CPU, &cpu, sizeof(cpu)), 0);
	run(ABI_EXIT_PORT);
}

/* ---- nothing is lost, whatever the order ---- */

static uint64_t random_state = 0x9e3779b97f4a7c15;
static bool pending[256], in_service[256], nmi_is_pending, extint;
static uint8_t eoi_word;
static unsigned offers;
static bool is_calm; /* few interrupts come, and TPR stays 0 */
static unsigned entries, entries_max;

static unsigned chance(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 20) % n;
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
	vcpu->page->gpr[ABI_RCX] = index;
	vcpu->page->gpr[ABI_RAX] = value;
	vcpu->page->gpr[ABI_RDX] = 0;
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
	vcpu->page->gpr[ABI_RCX] = EOI_MSR;
	vcpu->page->gpr[ABI_RAX] = vcpu->page->gpr[ABI_RDX] = 0;
	step = step_count = 0;
	then(ABI_EXIT_WRMSR);
	run(ABI_EXIT_PORT);
	CHECK_EQ(vlapic_in_service(vcpu), -1);
}

/* A self-IPI that need not wait for anything is injected by the exit that sends it. */
TEST(a_self_ipi_goes_straight_in_only_if_nothing_stands_in_its_way)
{
	for (unsigned way = 0; way < 5; way++) {
		start();
		vcpu->page->gpr[ABI_RCX] = 0x83f;
		vcpu->page->gpr[ABI_RAX] = 0x51;
		vcpu->page->gpr[ABI_RDX] = 0;
		if (way == 1)
			arch->cpu.rflags = 2; /* IF is 0 */
		else if (way == 2)
			vcpu->lapic.page[VLAPIC_TPR] = 0x50;
		else if (way == 3)
			CHECK(vlapic_write(vcpu, VLAPIC_SVR, 0xff)); /* off */
		else if (way == 4)
			arch->has_shadow = true;
		then(ABI_EXIT_WRMSR);
		run(ABI_EXIT_PORT);
		CHECK_EQ(arch->delivered_count, way == 0 || way == 4);
		CHECK_EQ(vlapic_requested(vcpu), way == 1 || way == 2 ? 0x51 : -1);
		CHECK_EQ(vlapic_in_service(vcpu), arch->delivered_count ? 0x51 : -1);
	}
}

/* ---- begin and end ---- */

TEST(it_begins_with_a_page_of_this_version)
{
	start();
	vcpu = fake_vcpu_start(0);
	CHECK_EQ(vcpu->arch->xcr0, 1);
	CHECK_EQ(vcpu->page->version, ABI_VERSION);
	CHECK_EQ(vcpu->page->size, sizeof(struct abi_vcpu_page));
	CHECK_EQ(vcpu->page->xcr0_allowed, 7);
}

TEST(states_have_their_sizes)
{
	static uint8_t buffer[PAGE_SIZE];

	start();
	for (uint32_t what = 0; what < 8; what++)
		for (size_t size = 0; size < 4096; size += 7) {
			if (what != ABI_STATE_FPU && what != ABI_STATE_MSRS)
				CHECK_EQ(
					vcpu_get_state(vcpu, what, buffer, size),
					(what == ABI_STATE_CPU && size == sizeof(struct abi_cpu)) ||
							(what == ABI_STATE_LAPIC &&
							 size == sizeof(struct abi_lapic))
						? 0
						: -ABI_EINVAL);
			memset(buffer, 0xff, size);
			CHECK_EQ(vcpu_set_state(vcpu, what, buffer, size),
				 (what == ABI_STATE_MSRS && size == 0) ||
						 (what == ABI_STATE_FPU && size == 576)
					 ? 0
					 : -ABI_EINVAL);
		}
}

TEST(translations_that_went_are_flushed_before_the_next_entry)
{
	uint8_t byte = 1;
	unsigned before;

	start();
	run(ABI_EXIT_PORT);
	CHECK(fake_access(&vcpu->vm->stage2, 0x1000, PT_WRITE, &byte));
	before = arch->flush_count;
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->flush_count, before);
	CHECK_EQ(space_unmap(&vcpu->vm->stage2, 0, RAM), 0);
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->flush_count, before + 1);
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->flush_count, before + 1);
}

TEST(a_vm_has_the_vcpus_that_it_was_made_with)
{
	struct vcpu *other;

	start();
	CHECK_EQ(vcpu_create(vcpu->vm, 0, &other), -ABI_EEXIST);
	CHECK_EQ(vcpu_create(vcpu->vm, 1, &other), -ABI_EINVAL);
	CHECK_EQ(vcpu_create(vcpu->vm, UINT32_MAX, &other), -ABI_EINVAL);
}

TEST(the_number_of_vcpus_is_checked)
{
	struct vm *vm;

	start();
	CHECK_EQ(vm_create(process_current(), 0, 0, &vm), -ABI_EINVAL);
	CHECK_EQ(vm_create(process_current(), 255, 0, &vm), -ABI_EINVAL);
	CHECK_EQ(vm_create(process_current(), (1ull << 32) + 1, 0, &vm), -ABI_EINVAL);
	CHECK_EQ(vm_create(process_current(), 1, 0, &vm), 0);
	CHECK_EQ(vm_create(process_current(), 254, 0, &vm), 0);
	CHECK_EQ(vcpu_create(vm, 254, &vcpu), -ABI_EINVAL);
	CHECK_EQ(vcpu_create(vm, 253, &vcpu), 0);
}

static struct vcpu *first;

static void send_init(uint64_t low)
{
	CHECK(vlapic_write(first, VLAPIC_ICR, 1ull << 32 | low));
}

/* A second vCPU of a VM, which is `vcpu` then. */
static void start_second(void)
{
	struct vm *vm;

	start();
	fake_now_ns += 777;
	CHECK_EQ(vm_create(process_current(), 2, 0, &vm), 0);
	CHECK_EQ(vcpu_create(vm, 0, &first), 0);
	fake_now_ns += 12345;
	CHECK_EQ(vcpu_create(vm, 1, &vcpu), 0);
	arch = vcpu->arch;
	CHECK(vlapic_set_base(first, VLAPIC_BASE | 0xd00));
	CHECK(vlapic_write(first, VLAPIC_SVR, SVR_ON));
}

TEST(all_tscs_of_a_vm_are_one)
{
	start_second();
	CHECK(first->tsc_offset);
	CHECK_EQ(vcpu->tsc_offset, first->tsc_offset);
	CHECK_EQ(vcpu->page->tsc_offset, first->tsc_offset);
}

static void start_and_kick(uint64_t unused)
{
	(void)unused;
	vcpu_kick(vcpu);
}

TEST(a_second_vcpu_stands_still_until_it_is_started)
{
	start_second();
	spawn(start_and_kick); /* else it would sleep for ever */
	vcpu->nmi_pending = true;
	vcpu->page->extint = 1;
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK_EQ(arch->enter_count, 0);
	CHECK_EQ(thread_create(process_current(), (uint64_t)send_init, 0, 0x69a), 0);
	run(ABI_EXIT_STARTUP);
	CHECK(!vcpu->page->exit.startup.is_init && vcpu->page->exit.startup.vector == 0x9a);
	CHECK_EQ(arch->enter_count, 0);
	CHECK(!vcpu->nmi_pending); /* none reaches a CPU that waits so */
	vcpu->page->extint = 0;
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->enter_count, 1);
}

TEST(init_stops_a_vcpu_and_resets_its_apic)
{
	start_second();
	vcpu->startup = 0;
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | 0xc00));
	CHECK(vlapic_write(vcpu, VLAPIC_SVR, SVR_ON));
	CHECK(vlapic_write(vcpu, VLAPIC_TPR, 0x50));
	vlapic_message(vcpu->vm, 1, false, 0x44);
	send_init(0x4500);
	send_init(0x4608); /* before it has seen the first */
	run(ABI_EXIT_STARTUP);
	CHECK(vcpu->page->exit.startup.is_init);
	CHECK_EQ(vlapic_mode(vcpu), VLAPIC_X2APIC);
	CHECK_EQ(*vlapic_reg(vcpu, VLAPIC_ID), 1);
	CHECK_EQ(*vlapic_reg(vcpu, VLAPIC_TPR), 0);
	CHECK_EQ(vlapic_requested(vcpu), -1);
	run(ABI_EXIT_STARTUP);
	CHECK(!vcpu->page->exit.startup.is_init && vcpu->page->exit.startup.vector == 8);
	CHECK_EQ(arch->enter_count, 0);
	run(ABI_EXIT_PORT);
}

/* The guest may turn its APIC off after INIT came, and before that is seen. */
TEST(a_vcpu_stopped_by_init_can_be_started)
{
	start_second();
	vcpu->startup = 0;
	send_init(0x4500);
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE));
	run(ABI_EXIT_STARTUP);
	CHECK(vcpu->page->exit.startup.is_init);
	send_init(0x4608);
	run(ABI_EXIT_STARTUP);
	CHECK(!vcpu->page->exit.startup.is_init);
	CHECK_EQ(*vlapic_reg(vcpu, VLAPIC_ID), 1u << 24);
}

TEST(init_wakes_a_vcpu_that_sleeps)
{
	start_second();
	vcpu->startup = 0;
	then(ABI_EXIT_HLT);
	CHECK_EQ(thread_create(process_current(), (uint64_t)send_init, 0, 0x4500), 0);
	run(ABI_EXIT_STARTUP);
	CHECK(vcpu->page->exit.startup.is_init);
}

static void send_ipi(uint64_t low)
{
	CHECK(vlapic_write(first, VLAPIC_ICR, 1ull << 32 | low));
}

TEST(an_ipi_wakes_a_vcpu_that_sleeps)
{
	start_second();
	vcpu->startup = 0;
	CHECK(vlapic_write(vcpu, VLAPIC_SVR, SVR_ON));
	arch->cpu.rflags = IF | 2;
	then(ABI_EXIT_HLT);
	CHECK_EQ(thread_create(process_current(), (uint64_t)send_ipi, 0, 0x66), 0);
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->enter_count, 2);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x66);
}

TEST(guest_addresses_are_checked)
{
	static const struct {
		uint64_t gpa, size;
	} bad[] = {{1, PAGE_SIZE},           {RAM, 0},
		   {RAM, PAGE_SIZE + 1},     {1ull << 46, PAGE_SIZE},
		   {1ull << 63, PAGE_SIZE},  {UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE},
		   {RAM, 1ull << 46},        {RAM, UINT64_MAX - PAGE_SIZE + 1},
		   {VLAPIC_BASE, PAGE_SIZE}, {VLAPIC_BASE - PAGE_SIZE, 2 * PAGE_SIZE}};
	struct memory *memory;

	start();
	CHECK_EQ(memory_create(vcpu->vm->object.quota, 4 * PAGE_SIZE, 0, &memory), 0);
	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++)
		CHECK_EQ(space_map(&vcpu->vm->stage2, bad[i].gpa, memory, 0, bad[i].size,
				   ABI_PROT_READ),
			 -ABI_EINVAL);
	CHECK_EQ(space_map(&vcpu->vm->stage2, VLAPIC_BASE - PAGE_SIZE, memory, 0, PAGE_SIZE,
			   ABI_PROT_READ),
		 0);
	CHECK_EQ(space_map(&vcpu->vm->stage2, VLAPIC_BASE + PAGE_SIZE, memory, 0, PAGE_SIZE,
			   ABI_PROT_READ),
		 0);
	CHECK_EQ(space_map(&vcpu->vm->stage2, 0, memory, 0, PAGE_SIZE, ABI_PROT_READ), -ABI_EEXIST);
}

static void make_and_drop(bool ends_well)
{
	struct vcpu *made;
	struct vm *vm;

	if (vm_create(process_current(), 1, 0, &vm) == 0) {
		int error = vcpu_create(vm, 0, &made);

		CHECK(error == 0 || error == -ABI_ENOMEM);
		if (error == 0) {
			CHECK(ends_well);
			object_unref(&made->object);
		}
		object_unref(&vm->object);
	}
	fake_settle();
}

TEST(all_of_it_comes_back_at_its_end)
{
	struct quota *quota;
	uint64_t used;

	start();
	quota = process_current()->quota;
	make_and_drop(true);
	used = quota->used;
	for (unsigned i = 0; i < 20; i++) {
		make_and_drop(true);
		CHECK_EQ(quota->used, used);
	}
	CHECK(pagetable_stage2_count > 0); /* of the first */
}

TEST(without_memory_nothing_is_half_made)
{
	struct quota *quota;
	uint64_t used, limit;
	unsigned failed = 0;

	start();
	quota = process_current()->quota;
	make_and_drop(true);
	used = quota->used;
	limit = quota->limit;
	for (uint64_t room = 0; room < 64 * 1024; room += 256) {
		quota->limit = used + room;
		make_and_drop(true);
		CHECK_EQ(quota->used, used);
		failed++;
	}
	quota->limit = limit;
	fake_vcpu_init_fails = 1;
	make_and_drop(false);
	CHECK_EQ(quota->used, used);
	CHECK(failed > 0);
}

/* ---- state that no register shows ---- */

static int hidden_set(const struct abi_hidden *hidden)
{
	struct abi_hidden copy = *hidden;

	return vcpu_set_state(vcpu, ABI_STATE_HIDDEN, &copy, sizeof(copy));
}

TEST(hidden_state_goes_from_one_vcpu_to_another)
{
	struct abi_hidden hidden, again;

	start();
	memset(&hidden, 0xee, sizeof(hidden));
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)), 0);
	CHECK_EQ(hidden.tsc_offset, vcpu->page->tsc_offset);
	CHECK(hidden.xcr0 == 1 && !hidden.event.is_valid && !hidden.is_halted && !hidden.has_nmi);
	arch->dr[2] = 0x1234;
	arch->xcr0 = 7;
	arch->is_nmi_blocked = true;
	vcpu->is_halted = true;
	vcpu->is_roused = true;
	vcpu->nmi_pending = true;
	vcpu->event = (struct abi_event){.is_valid = 1,
					 .type = VM_EVENT_EXCEPTION,
					 .vector = 14,
					 .has_error = 1,
					 .error = 2};
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)), 0);
	start();
	hidden.tsc_offset += 1000;
	CHECK_EQ(hidden_set(&hidden), 0);
	CHECK_EQ(arch->tsc_offset, hidden.tsc_offset);
	CHECK_EQ(vcpu->page->tsc_offset, hidden.tsc_offset);
	CHECK(arch->dr[2] == 0x1234 && arch->xcr0 == 7 && arch->is_nmi_blocked);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &again, sizeof(again)), 0);
	CHECK(memcmp(&hidden, &again, sizeof(again)) == 0);
	run(ABI_EXIT_PORT); /* the event goes in, and the NMI waits for the IRET */
	CHECK_EQ(arch->delivered_count, 1);
	check_delivered(0, VM_EVENT_EXCEPTION, 14);
	CHECK(vcpu->nmi_pending && arch->wants_nmi);
}

TEST(a_vcpu_that_was_asleep_sleeps_on)
{
	struct abi_hidden hidden = {.xcr0 = 1, .is_halted = 1};

	start();
	CHECK_EQ(hidden_set(&hidden), 0);
	spawn(message);
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->enter_count, 1);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x44);
}

TEST(how_a_cpu_waits_for_its_start_is_state_and_what_came_since_is_not_lost)
{
	struct abi_hidden hidden;

	start();
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)), 0);
	CHECK_EQ(hidden.startup, vcpu->startup);
	hidden.xcr0 = 7;
	hidden.startup = ABI_STARTUP_WAITS | ABI_STARTUP_CAME | 0x9a;
	CHECK_EQ(hidden_set(&hidden), 0);
	CHECK_EQ(vcpu->startup, hidden.startup);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)), 0);
	CHECK_EQ(hidden.startup, ABI_STARTUP_WAITS | ABI_STARTUP_CAME | 0x9a);
	vcpu->startup = ABI_STARTUP_WAITS | ABI_STARTUP_INIT;
	vcpu->nmi_pending = true;
	hidden.startup = 0;
	CHECK_EQ(hidden_set(&hidden), 0);
	CHECK_EQ(vcpu->startup, ABI_STARTUP_WAITS | ABI_STARTUP_INIT);
	CHECK(vcpu->nmi_pending);
}

TEST(hidden_state_that_cannot_be_is_refused_whole)
{
	struct abi_hidden good = {.xcr0 = 7, .is_halted = 1, .event = {.is_valid = 1}}, bad, now;

	start();
	arch->cpu.rflags = 2;
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &now, sizeof(now)), 0);
#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		bad = good;                                                                        \
		bad.field = value;                                                                 \
		CHECK_EQ(hidden_set(&bad), -ABI_EINVAL);                                           \
		CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &bad, sizeof(bad)), 0);            \
		CHECK(memcmp(&bad, &now, sizeof(now)) == 0);                                       \
	} while (0)
	REFUSED(xcr0, 0);
	REFUSED(xcr0, 5);
	REFUSED(xcr0, 0x207);
	REFUSED(xcr0, UINT64_MAX);
	REFUSED(blocks, 4);
	REFUSED(blocks, 32);
	REFUSED(blocks, 1u << 31);
	REFUSED(blocks, ABI_BLOCK_STI | ABI_BLOCK_MOV_SS);
	REFUSED(blocks, ABI_BLOCK_STI); /* RFLAGS.IF is clear */
	REFUSED(is_halted, 2);
	REFUSED(has_nmi, 255);
	REFUSED(startup, 0x800);
	REFUSED(startup, 0xffff);
	REFUSED(is_roused, 2);
	REFUSED(is_roused, 1u << 31);
	REFUSED(event.is_valid, 2);
	REFUSED(event.type, 1);
	REFUSED(event.type, 5);
	REFUSED(event.type, 7);
	REFUSED(event.type, 8);
	REFUSED(event.type, 64);
	REFUSED(event.type, VM_EVENT_NMI); /* of vector 0 */
	REFUSED(event.has_error, 2);
	REFUSED(event.error, 0x10000);
	REFUSED(event.length, 16);
	good.event.type = VM_EVENT_EXCEPTION;
	REFUSED(event.vector, 32);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &bad, sizeof(bad) - 1), -ABI_EINVAL);
	CHECK_EQ(hidden_set(&good), 0);
}

static void ends_and_kicks(struct vcpu *running, struct vm_exit *exit)
{
	vcpu->page->gpr[ABI_RCX] = EOI_MSR;
	vcpu->page->gpr[ABI_RAX] = vcpu->page->gpr[ABI_RDX] = 0;
	vcpu_kick(running);
	exit->kind = ABI_EXIT_WRMSR;
}

/* What vmm's IOAPIC must hear is in no state: a kick must not come before it. */
TEST(a_kick_waits_for_the_end_of_a_level_triggered_interrupt)
{
	start();
	vlapic_message(vcpu->vm, 0, false, 0x51 | LEVEL);
	fake_guest = ends_and_kicks;
	run(ABI_EXIT_EOI);
	CHECK_EQ(vcpu->page->exit.eoi.vector, 0x51);
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
}

int main(void)
{
	RUN(a_run_lasts_until_vmm_is_needed);
	RUN(a_vcpu_that_runs_is_busy);
	RUN(a_kick_ends_one_run);
	RUN(a_kick_reaches_a_guest_that_runs);
	RUN(a_thread_that_was_killed_comes_back);
	RUN(a_thread_killed_while_its_guest_sleeps_comes_back);
	RUN(an_exception_of_vmm_goes_in_first_then_nmi_then_the_8259_pair_then_the_apic);
	RUN(what_cannot_go_in_asks_for_a_window);
	RUN(what_tpr_holds_back_asks_for_a_window_of_its_class);
	RUN(what_is_in_service_holds_back_without_a_window);
	RUN(the_8259_pairs_window_is_not_narrowed_by_the_apic);
	RUN(the_interrupt_shadow_is_waited_for);
	RUN(a_page_fault_of_vmm_sets_cr2);
	RUN(an_event_that_an_exit_cut_short_goes_in_again);
	RUN(a_kick_keeps_what_was_about_to_go_in);
	RUN(vmm_acknowledges_the_8259_pair_when_the_guest_can_take_it);
	RUN(a_pair_that_takes_its_interrupt_back_does_no_harm);
	RUN(a_masked_lint0_keeps_the_pair_out);
	RUN(vmm_learns_of_the_end_of_a_level_triggered_interrupt);
	RUN(a_message_wakes_a_sleeping_guest);
	RUN(a_message_wakes_one_whose_apic_is_in_the_cpu);
	RUN(nobody_else_writes_what_the_cpu_writes_in_the_guest);
	RUN(one_without_a_core_is_not_in_the_guest);
	RUN(what_was_sent_before_init_is_gone_after_it);
	RUN(a_deaf_guest_whose_apic_is_in_the_cpu_gets_fewer_ticks);
	RUN(an_nmi_wakes_a_guest_that_takes_no_interrupts);
	RUN(the_timer_wakes_a_sleeping_guest_in_time);
	RUN(a_guest_whose_interrupts_come_soon_halts_awake);
	RUN(what_comes_before_hlt_is_not_slept_through);
	RUN(a_kicked_guest_sleeps_on);
	RUN(the_line_of_the_pair_wakes_a_kicked_guest);
	RUN(a_new_cpu_state_is_awake);
	RUN(no_interrupt_is_lost_or_early_or_ended_twice);
	RUN(the_end_of_a_lone_edge_triggered_interrupt_alone_is_offered);
	RUN(a_word_that_is_nowhere_is_no_offer);
	RUN(a_self_ipi_goes_straight_in_only_if_nothing_stands_in_its_way);
	RUN(it_begins_with_a_page_of_this_version);
	RUN(states_have_their_sizes);
	RUN(translations_that_went_are_flushed_before_the_next_entry);
	RUN(a_vm_has_the_vcpus_that_it_was_made_with);
	RUN(the_number_of_vcpus_is_checked);
	RUN(all_tscs_of_a_vm_are_one);
	RUN(a_second_vcpu_stands_still_until_it_is_started);
	RUN(init_stops_a_vcpu_and_resets_its_apic);
	RUN(a_vcpu_stopped_by_init_can_be_started);
	RUN(init_wakes_a_vcpu_that_sleeps);
	RUN(an_ipi_wakes_a_vcpu_that_sleeps);
	RUN(guest_addresses_are_checked);
	RUN(all_of_it_comes_back_at_its_end);
	RUN(without_memory_nothing_is_half_made);
	RUN(hidden_state_goes_from_one_vcpu_to_another);
	RUN(a_vcpu_that_was_asleep_sleeps_on);
	RUN(how_a_cpu_waits_for_its_start_is_state_and_what_came_since_is_not_lost);
	RUN(hidden_state_that_cannot_be_is_refused_whole);
	RUN(a_kick_waits_for_the_end_of_a_level_triggered_interrupt);
	return unit_end();
}
