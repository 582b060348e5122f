/* SPDX-License-Identifier: BSD-2-Clause */
/* Running a guest CPU: what goes in first, what vmm is asked, how it begins and ends. */
#include "kernel/memory.h"
#include "kernel/quota.h"
#include "scripted.h"

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

TEST(a_kick_reaches_a_guest_that_runs)
{
	start();
	then(ABI_EXIT_CPUID);
	then(ABI_EXIT_INTERRUPT);
	then(ABI_EXIT_INTERRUPT);
	spawn(kicker, 0);
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

TEST(a_thread_killed_while_its_guest_sleeps_comes_back)
{
	start();
	then(ABI_EXIT_HLT);
	spawn(killer, (uint64_t)thread_current());
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK_EQ(arch->enter_count, 1);
	thread_current()->dying = false;
	CHECK(vcpu->is_halted);
	spawn(message, 0); /* another thread that runs it finds it asleep */
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
	then_wrmsr(EOI_MSR, 0);
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
	then_wrmsr(EOI_MSR, 0);
	run(ABI_EXIT_EOI);
	CHECK_EQ(vcpu->page->exit.eoi.vector, 0x51);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_EOI], 1);
	arrive(LEVEL | 0x51); /* the line is still up */
	run(ABI_EXIT_PORT);
	check_delivered(1, VM_EVENT_INTERRUPT, 0x51);
}

static void ends_and_kicks(struct vcpu *running, struct vm_exit *exit)
{
	load_wrmsr(EOI_MSR, 0);
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

static void send_ipi(uint64_t low)
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

TEST(a_second_vcpu_stands_still_until_it_is_started)
{
	start_second();
	spawn(kicker, 0); /* else it would sleep for ever */
	vcpu->nmi_pending = true;
	vcpu->page->extint = 1;
	CHECK_EQ(vcpu_run(vcpu), -ABI_EINTR);
	CHECK_EQ(arch->enter_count, 0);
	spawn(send_ipi, 0x69a);
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
	send_ipi(0x4500);
	send_ipi(0x4608); /* before it has seen the first */
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
	send_ipi(0x4500);
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE));
	run(ABI_EXIT_STARTUP);
	CHECK(vcpu->page->exit.startup.is_init);
	send_ipi(0x4608);
	run(ABI_EXIT_STARTUP);
	CHECK(!vcpu->page->exit.startup.is_init);
	CHECK_EQ(*vlapic_reg(vcpu, VLAPIC_ID), 1u << 24);
}

TEST(init_wakes_a_vcpu_that_sleeps)
{
	start_second();
	vcpu->startup = 0;
	then(ABI_EXIT_HLT);
	spawn(send_ipi, 0x4500);
	run(ABI_EXIT_STARTUP);
	CHECK(vcpu->page->exit.startup.is_init);
}

TEST(an_ipi_wakes_a_vcpu_that_sleeps)
{
	start_second();
	vcpu->startup = 0;
	CHECK(vlapic_write(vcpu, VLAPIC_SVR, SVR_ON));
	arch->cpu.rflags = IF | 2;
	then(ABI_EXIT_HLT);
	spawn(send_ipi, 0x66);
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
	RUN(a_kick_waits_for_the_end_of_a_level_triggered_interrupt);
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
	return unit_end();
}
