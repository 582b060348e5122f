/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits of a guest: what ring 0 does about each, where RIP stands then, and what vmm may write
 * back. */
#include "kernel/exit.h"

#include "fake_vcpu.h"
#include "kernel/cpuid.h"
#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/quota.h"
#include "kernel/sched.h"
#include "kernel/thread.h"
#include "unit.h"

#define VECTOR_DB 1u
#define VECTOR_UD 6u
#define VECTOR_GP 13u
#define VECTOR_PF 14u
#define RAM       (64 * PAGE_SIZE)
#define START     0x401000ull /* RIP */

static struct vcpu *vcpu;

static void start(void)
{
	vcpu = fake_vcpu_start(RAM);
	vcpu->arch->cpu.rip = START;
	vcpu->needs_look = false;
	memset(vcpu->page->gpr, 0, sizeof(vcpu->page->gpr));
}

static enum exit_action handle(struct vm_exit *exit)
{
	exit_reinject(vcpu, exit);
	return exit_handle(vcpu, exit);
}

static enum exit_action plain(uint32_t kind, uint32_t length)
{
	return handle(&(struct vm_exit){.kind = kind, .length = length});
}

static uint64_t moved(void)
{
	return vcpu->arch->cpu.rip - START;
}

static void check_fault(enum exit_action action, uint8_t vector)
{
	CHECK_EQ(action, EXIT_INJECT);
	CHECK(vcpu->event.is_valid && vcpu->needs_look);
	CHECK_EQ(vcpu->event.type, VM_EVENT_EXCEPTION);
	CHECK_EQ(vcpu->event.vector, vector);
	CHECK_EQ(vcpu->event.has_error, vector == VECTOR_GP);
	CHECK_EQ(vcpu->event.error, 0);
	CHECK_EQ(moved(), 0);
	vcpu->event.is_valid = 0;
}

/* ---- RIP and counts ---- */

TEST(a_finished_instruction_moves_rip_by_its_length_once)
{
	static const uint32_t kinds[] = {ABI_EXIT_CPUID, ABI_EXIT_HYPERCALL, ABI_EXIT_RDMSR,
					 ABI_EXIT_WRMSR, ABI_EXIT_PAUSE,     ABI_EXIT_INVALIDATE};

	start();
	for (unsigned i = 0; i < ARRAY_COUNT(kinds); i++) {
		vcpu->page->gpr[ABI_RCX] = 0x277; /* PAT */
		CHECK_EQ(plain(kinds[i], 2 + i), EXIT_NEXT_INSN);
		CHECK_EQ(vcpu->arch->skip_count, 1);
		CHECK_EQ(moved(), 2 + i);
		vcpu->arch->skip_count = 0;
		vcpu->arch->cpu.rip = START;
	}
}

TEST(what_is_no_instruction_moves_nothing)
{
	start();
	CHECK_EQ(plain(ABI_EXIT_INTERRUPT, 0), EXIT_SAME_INSN);
	CHECK_EQ(plain(ABI_EXIT_NMI, 0), EXIT_SAME_INSN);
	CHECK_EQ(plain(ABI_EXIT_WINDOW, 0), EXIT_SAME_INSN);
	CHECK_EQ(vcpu->arch->skip_count, 0);
	CHECK_EQ(moved(), 0);
	CHECK_EQ(fake_nmi_count, 1);
}

TEST(each_exit_is_counted_as_what_it_turned_out_to_be)
{
	struct vm_exit exit = {.kind = ABI_EXIT_STAGE2,
			       .stage2 = {.gpa = {1ull << 40}, .access = PT_READ}};

	start();
	plain(ABI_EXIT_CPUID, 2);
	plain(ABI_EXIT_CPUID, 2);
	plain(ABI_EXIT_WINDOW, 0);
	handle(&exit);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_CPUID], 2);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_WINDOW], 1);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_MMIO], 1);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_STAGE2], 0);
}

/* ---- instructions ---- */

TEST(other_hypercalls_are_unknown)
{
	static const uint64_t others[] = {0, 1, 4, 9, 12, UINT32_MAX, 1ull << 32 | 5};

	for (unsigned i = 0; i < ARRAY_COUNT(others); i++) {
		start();
		vcpu->page->gpr[ABI_RAX] = others[i];
		CHECK_EQ(plain(ABI_EXIT_HYPERCALL, 3), EXIT_NEXT_INSN);
		CHECK_EQ(vcpu->page->gpr[ABI_RAX], -1000);
	}
}

TEST(an_msr_that_ring_0_has_not_goes_to_vmm)
{
	static const uint32_t kinds[] = {ABI_EXIT_RDMSR, ABI_EXIT_WRMSR};

	start();
	for (unsigned i = 0; i < 2; i++) {
		vcpu->page->gpr[ABI_RCX] = 0x12345;
		vcpu->page->gpr[ABI_RAX] = 7;
		CHECK_EQ(plain(kinds[i], 2), EXIT_TO_VMM);
		CHECK_EQ(vcpu->page->exit.kind, kinds[i]);
		CHECK_EQ(vcpu->page->gpr[ABI_RAX], 7);
		CHECK_EQ(moved(), 0);
		exit_take_page(vcpu);
		CHECK_EQ(moved(), 0); /* vmm has injected #GP, or the guest tries again */
		vcpu->page->set = ABI_SET_NEXT;
		exit_take_page(vcpu);
		CHECK_EQ(moved(), 2);
		vcpu->arch->cpu.rip = START;
	}
}

TEST(rdmsr_and_wrmsr_use_the_lower_halves_of_registers)
{
	start();
	vcpu->page->gpr[ABI_RCX] = 0xffffffff00000277; /* PAT */
	vcpu->page->gpr[ABI_RAX] = 0xffffffff01020304;
	vcpu->page->gpr[ABI_RDX] = 0xffffffff05060700;
	CHECK_EQ(plain(ABI_EXIT_WRMSR, 2), EXIT_NEXT_INSN);
	CHECK_EQ(plain(ABI_EXIT_RDMSR, 2), EXIT_NEXT_INSN);
	CHECK_EQ(vcpu->page->gpr[ABI_RAX], 0x01020304);
	CHECK_EQ(vcpu->page->gpr[ABI_RDX], 0x05060700);
}

TEST(an_instruction_that_the_guest_does_not_have_is_ud)
{
	start();
	check_fault(plain(ABI_EXIT_UNDEFINED, 3), VECTOR_UD);
}

TEST(a_control_register_is_written_by_the_guest_itself)
{
	start();
	CHECK_EQ(plain(ABI_EXIT_CR, 3), EXIT_SAME_INSN);
	CHECK_EQ(moved(), 0);
}

static enum exit_action xsetbv(uint32_t index, uint64_t value)
{
	vcpu->arch->cpu.rip = START;
	vcpu->page->gpr[ABI_RCX] = index;
	vcpu->page->gpr[ABI_RAX] = (uint32_t)value;
	vcpu->page->gpr[ABI_RDX] = value >> 32;
	return plain(ABI_EXIT_XSETBV, 3);
}

TEST(xsetbv_takes_what_cpuid_offers)
{
	start();
	CHECK_EQ(xsetbv(0, 7), EXIT_NEXT_INSN);
	CHECK_EQ(vcpu->arch->xcr0, 7);
	CHECK_EQ(xsetbv(0, 1), EXIT_NEXT_INSN);
	CHECK_EQ(vcpu->arch->xcr0, 1);
	check_fault(xsetbv(0, 0), VECTOR_GP);
	check_fault(xsetbv(0, 5), VECTOR_GP);
	check_fault(xsetbv(0, 0xe7), VECTOR_GP);
	check_fault(xsetbv(0, 1ull << 63 | 1), VECTOR_GP);
	check_fault(xsetbv(1, 7), VECTOR_GP);
	vcpu->arch->cpl = 3;
	check_fault(xsetbv(0, 7), VECTOR_GP);
	CHECK_EQ(vcpu->arch->xcr0, 1);
}

TEST(cpuid_tells_the_size_of_what_xsetbv_enabled)
{
	uint64_t *gpr;

	start();
	gpr = vcpu->page->gpr;
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(xsetbv(0, i ? 7 : 3), EXIT_NEXT_INSN);
		gpr[ABI_RAX] = 0xd;
		gpr[ABI_RCX] = 0;
		plain(ABI_EXIT_CPUID, 2);
		CHECK_EQ(gpr[ABI_RBX], i ? 832 : 576);
	}
}

TEST(hlt_ends_and_sleeps)
{
	start();
	CHECK_EQ(plain(ABI_EXIT_HLT, 1), EXIT_BLOCK);
	CHECK(vcpu->is_halted && vcpu->needs_look);
	CHECK_EQ(moved(), 1);
}

/* ---- ports ---- */

static enum exit_action port(uint16_t number, uint8_t size, bool is_write, bool is_string)
{
	return handle(&(struct vm_exit){.kind = ABI_EXIT_PORT,
					.length = 2,
					.port = {.port = number,
						 .size = size,
						 .is_write = is_write,
						 .is_string = is_string}});
}

TEST(a_port_access_goes_to_vmm_finished_and_with_its_value)
{
	const struct abi_vcpu_page *page;

	start();
	page = vcpu->page;
	vcpu->page->gpr[ABI_RAX] = 0x1122334455667788;
	CHECK_EQ(port(0x3f8, 1, true, false), EXIT_TO_VMM);
	CHECK_EQ(page->exit.kind, ABI_EXIT_PORT);
	CHECK_EQ(page->exit.port.port, 0x3f8);
	CHECK_EQ(page->exit.port.size, 1);
	CHECK_EQ(page->exit.port.value, 0x88);
	CHECK(page->exit.port.is_write && !page->exit.port.is_string);
	CHECK_EQ(moved(), 2);
	port(0x3f8, 2, true, false);
	CHECK_EQ(page->exit.port.value, 0x7788);
	port(0x3f8, 4, false, false);
	CHECK_EQ(page->exit.port.value, 0x55667788);
	CHECK(!page->exit.port.is_write);
	CHECK_EQ(vcpu->arch->skip_count, 3);
}

TEST(a_string_port_access_goes_to_vmm_before_it_began)
{
	start();
	vcpu->arch->cpu.cr3 = 0x1000;
	CHECK_EQ(port(0x1f0, 2, false, true), EXIT_TO_VMM);
	CHECK(vcpu->page->exit.port.is_string);
	CHECK_EQ(moved(), 0);
	CHECK_EQ(vcpu->page->cpu.rip, START);
	CHECK_EQ(vcpu->page->cpu.cr3, 0x1000);
}

static struct event *add_doorbell(uint64_t port)
{
	struct event *event = event_create(vcpu->vm->object.quota);

	CHECK_EQ(vm_doorbell_set(vcpu->vm, port, 0, ABI_ANY_VALUE, event), 0);
	return event;
}

TEST(a_doorbell_is_rung_without_vmm)
{
	struct event *event;

	start();
	event = add_doorbell(0xfc);
	CHECK_EQ(port(0xfc, 4, true, false), EXIT_NEXT_INSN);
	CHECK_EQ(event->count, 1);
	CHECK_EQ(moved(), 2);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_DOORBELL], 1);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_PORT], 0);
	CHECK_EQ(port(0xfc, 4, false, false), EXIT_TO_VMM);
	CHECK_EQ(port(0xfc, 4, true, true), EXIT_TO_VMM);
	CHECK_EQ(port(0xfd, 4, true, false), EXIT_TO_VMM);
	CHECK_EQ(event->count, 1);
}

/* ---- stage 2 ---- */

static enum exit_action touch(uint64_t gpa, uint8_t access)
{
	return handle(&(struct vm_exit){.kind = ABI_EXIT_STAGE2,
					.stage2 = {.gpa = {gpa}, .access = access}});
}

TEST(lazy_memory_is_given_and_the_access_tried_again)
{
	start();
	CHECK_EQ(touch(0x3008, PT_WRITE), EXIT_SAME_INSN);
	CHECK_EQ(touch(0x3008, PT_EXEC), EXIT_SAME_INSN);
	CHECK_EQ(touch(0x3008, PT_READ), EXIT_SAME_INSN);
	CHECK_EQ(moved(), 0);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_STAGE2], 3);
}

TEST(an_address_without_ram_goes_to_vmm_with_the_state)
{
	start();
	CHECK_EQ(touch(0xfec00010, PT_READ), EXIT_TO_VMM);
	CHECK_EQ(vcpu->page->exit.kind, ABI_EXIT_MMIO);
	CHECK_EQ(vcpu->page->exit.mmio.gpa, 0xfec00010);
	CHECK_EQ(vcpu->page->exit.mmio.is_write, 0);
	CHECK_EQ(vcpu->page->cpu.rip, START);
	CHECK_EQ(touch(0xfffffffffffff000, PT_WRITE), EXIT_TO_VMM);
	CHECK_EQ(vcpu->page->exit.mmio.is_write, 1);
	CHECK_EQ(vcpu->page->exit.mmio.gpa, 0xfffffffffffff000);
	CHECK_EQ(vcpu->arch->skip_count, 0);
}

TEST(a_write_to_read_only_memory_goes_to_vmm)
{
	struct memory *rom;

	start();
	CHECK_EQ(memory_create(vcpu->vm->object.quota, PAGE_SIZE, 0, &rom), 0);
	CHECK_EQ(space_map(&vcpu->vm->stage2, 0xf0000000, rom, 0, PAGE_SIZE,
			   ABI_PROT_READ | ABI_PROT_EXEC),
		 0);
	CHECK_EQ(touch(0xf0000ff8, PT_WRITE), EXIT_TO_VMM);
	CHECK_EQ(vcpu->page->exit.kind, ABI_EXIT_MMIO);
	CHECK_EQ(vcpu->page->exit.mmio.is_write, 1);
	CHECK_EQ(touch(0xf0000ff8, PT_EXEC), EXIT_SAME_INSN);
}

TEST(code_without_ram_stops_the_vm)
{
	start();
	CHECK_EQ(touch(0xfec00010, PT_EXEC), EXIT_STOP_VM);
	CHECK_EQ(vcpu->page->exit.kind, ABI_EXIT_ERROR);
	CHECK_EQ(vcpu->page->exit.error.code, ABI_ERROR_FETCH);
	CHECK_EQ(vcpu->stats.exits[ABI_EXIT_ERROR], 1);
}

TEST(an_event_that_cannot_be_delivered_stops_the_vm)
{
	struct vm_exit exit = {
		.kind = ABI_EXIT_STAGE2,
		.stage2 = {.gpa = {0xfec00000}, .access = PT_WRITE},
		.reinject = {.is_valid = 1, .type = VM_EVENT_INTERRUPT, .vector = 0x40}};

	start();
	CHECK_EQ(handle(&exit), EXIT_STOP_VM);
	CHECK_EQ(vcpu->page->exit.kind, ABI_EXIT_ERROR);
}

TEST(an_event_cut_short_by_lazy_memory_goes_in_again)
{
	struct vm_exit exit = {.kind = ABI_EXIT_STAGE2,
			       .stage2 = {.gpa = {0x5000}, .access = PT_WRITE},
			       .reinject = {.is_valid = 1,
					    .type = VM_EVENT_EXCEPTION,
					    .vector = VECTOR_PF,
					    .has_error = 1,
					    .error = 6}};

	start();
	CHECK_EQ(handle(&exit), EXIT_SAME_INSN);
	CHECK(vcpu->needs_look && vcpu->event.is_valid);
	CHECK_EQ(vcpu->event.vector, VECTOR_PF);
	CHECK_EQ(vcpu->event.error, 6);
}

TEST(a_vm_whose_memory_cannot_be_given_stops)
{
	struct quota *quota;

	start();
	quota = vcpu->vm->object.quota;
	quota->limit = quota->used;
	CHECK_EQ(touch(0x3000, PT_WRITE), EXIT_STOP_VM);
	CHECK_EQ(vcpu->page->exit.kind, ABI_EXIT_ERROR);
}

/* ---- events and ends ---- */

TEST(an_intercepted_exception_reaches_the_guest)
{
	struct vm_exit exit = {.kind = ABI_EXIT_EXCEPTION, .exception = {.vector = VECTOR_DB}};

	start();
	check_fault(handle(&exit), VECTOR_DB);
	exit.exception.vector = 17;
	CHECK_EQ(handle(&exit), EXIT_INJECT);
	CHECK_EQ(vcpu->event.vector, 17);
	CHECK(vcpu->event.has_error);
}

TEST(an_error_reaches_vmm_with_its_code)
{
	struct vm_exit exit = {.kind = ABI_EXIT_ERROR, .error_code = 0x80000021};

	start();
	memset(&vcpu->page->exit, 0xff, sizeof(vcpu->page->exit));
	CHECK_EQ(handle(&exit), EXIT_STOP_VM);
	CHECK_EQ(vcpu->page->exit.kind, ABI_EXIT_ERROR);
	CHECK_EQ(vcpu->page->exit.error.code, 0x80000021);
}

TEST(a_triple_fault_stops_the_vm)
{
	start();
	CHECK_EQ(plain(ABI_EXIT_TRIPLE_FAULT, 0), EXIT_STOP_VM);
	CHECK_EQ(vcpu->page->exit.kind, ABI_EXIT_TRIPLE_FAULT);
}

/* ---- others get the core, and a killed thread notices ---- */

static unsigned turns;

static void other(uint64_t unused)
{
	(void)unused;
	turns++;
}

static void spawn(void)
{
	CHECK_EQ(thread_create(process_current(), (uint64_t)other, 0, 0), 0);
	vcpu->needs_look = false;
}

TEST(where_another_thread_gets_the_core_the_guest_is_looked_at_again)
{
	start();
	spawn();
	plain(ABI_EXIT_INTERRUPT, 0);
	CHECK(turns == 1 && vcpu->needs_look);
	spawn();
	plain(ABI_EXIT_PAUSE, 2);
	CHECK(turns == 2 && vcpu->needs_look);
	spawn();
	touch(0x7000, PT_WRITE);
	CHECK(turns == 3 && vcpu->needs_look);
}

TEST(who_waits_for_a_doorbell_runs_at_once)
{
	start();
	add_doorbell(0xfc);
	spawn();
	CHECK_EQ(port(0xfc, 1, true, false), EXIT_NEXT_INSN);
	CHECK(turns == 1 && vcpu->needs_look);
}

/* ---- what vmm wrote into the page ---- */

TEST(vmm_moves_rip_and_status_flags_only_if_it_says_so)
{
	start();
	vcpu->arch->cpu.rflags = 0x202;
	vcpu->page->cpu.rip = 0x1234;
	vcpu->page->cpu.rflags = UINT64_MAX;
	exit_take_page(vcpu);
	CHECK_EQ(moved(), 0);
	CHECK_EQ(vcpu->arch->cpu.rflags, 0x202);
	vcpu->page->set = ABI_SET_RIP | ABI_SET_RFLAGS;
	exit_take_page(vcpu);
	CHECK_EQ(vcpu->arch->cpu.rip, 0x1234);
	CHECK_EQ(vcpu->arch->cpu.rflags, 0x202 | 0xcd5);
	CHECK_EQ(vcpu->page->set, 0);
}

TEST(vmm_raises_an_exception_with_the_error_code_that_its_vector_has)
{
	struct abi_vcpu_page *page;

	start();
	page = vcpu->page;
	for (unsigned vector = 0; vector < 32; vector++) {
		bool wants = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;

		page->inject_exception = 1;
		page->exception_vector = (uint8_t)vector;
		page->exception_has_error = !wants;
		page->exception_error = 0x1111;
		page->exception_address = vector == VECTOR_PF ? 0xabc000 : 0x666;
		exit_take_page(vcpu);
		CHECK(vcpu->event.is_valid && vcpu->needs_look);
		CHECK_EQ(vcpu->event.type, VM_EVENT_EXCEPTION);
		CHECK_EQ(vcpu->event.vector, vector);
		CHECK_EQ(vcpu->event.has_error, wants);
		CHECK_EQ(vcpu->arch->cpu.cr2, vector < VECTOR_PF ? 0 : 0xabc000);
		CHECK_EQ(page->inject_exception, 0);
	}
}

TEST(vmm_injects_the_vector_of_the_8259_pair)
{
	start();
	vcpu->page->inject_vector = 0x30;
	exit_take_page(vcpu);
	CHECK(vcpu->event.is_valid && vcpu->needs_look);
	CHECK_EQ(vcpu->event.type, VM_EVENT_INTERRUPT);
	CHECK_EQ(vcpu->event.vector, 0x30);
	CHECK_EQ(vcpu->page->inject_vector, 0);
}

TEST(the_line_of_the_8259_pair_is_looked_at)
{
	start();
	exit_take_page(vcpu);
	CHECK(!vcpu->needs_look);
	vcpu->page->extint = 1;
	exit_take_page(vcpu);
	CHECK(vcpu->needs_look);
}

TEST(garbage_in_the_page_makes_valid_events_or_none)
{
	uint32_t state = 12345;

	start();
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t *bytes = (uint8_t *)vcpu->page;

		for (unsigned i = 0; i < sizeof(*vcpu->page); i++) {
			state = state * 1664525u + 1013904223u;
			bytes[i] = (uint8_t)(state >> (state >> 28 & 15));
		}
		vcpu->event.is_valid = 0;
		exit_take_page(vcpu);
		CHECK_EQ(vcpu->page->set | vcpu->page->inject_exception | vcpu->page->inject_vector,
			 0);
		if (!vcpu->event.is_valid)
			continue;
		CHECK(vcpu->event.type == VM_EVENT_INTERRUPT ||
		      vcpu->event.type == VM_EVENT_EXCEPTION);
		CHECK(vcpu->event.type == VM_EVENT_INTERRUPT || vcpu->event.vector < 32);
		CHECK(!vcpu->event.has_error || vcpu->event.type == VM_EVENT_EXCEPTION);
		CHECK(!(vcpu->arch->cpu.rflags & ~0xcd7ull));
	}
}

int main(void)
{
	RUN(a_finished_instruction_moves_rip_by_its_length_once);
	RUN(what_is_no_instruction_moves_nothing);
	RUN(each_exit_is_counted_as_what_it_turned_out_to_be);
	RUN(other_hypercalls_are_unknown);
	RUN(an_msr_that_ring_0_has_not_goes_to_vmm);
	RUN(rdmsr_and_wrmsr_use_the_lower_halves_of_registers);
	RUN(an_instruction_that_the_guest_does_not_have_is_ud);
	RUN(a_control_register_is_written_by_the_guest_itself);
	RUN(xsetbv_takes_what_cpuid_offers);
	RUN(cpuid_tells_the_size_of_what_xsetbv_enabled);
	RUN(hlt_ends_and_sleeps);
	RUN(a_port_access_goes_to_vmm_finished_and_with_its_value);
	RUN(a_string_port_access_goes_to_vmm_before_it_began);
	RUN(a_doorbell_is_rung_without_vmm);
	RUN(lazy_memory_is_given_and_the_access_tried_again);
	RUN(an_address_without_ram_goes_to_vmm_with_the_state);
	RUN(a_write_to_read_only_memory_goes_to_vmm);
	RUN(code_without_ram_stops_the_vm);
	RUN(an_event_that_cannot_be_delivered_stops_the_vm);
	RUN(an_event_cut_short_by_lazy_memory_goes_in_again);
	RUN(a_vm_whose_memory_cannot_be_given_stops);
	RUN(an_intercepted_exception_reaches_the_guest);
	RUN(an_error_reaches_vmm_with_its_code);
	RUN(a_triple_fault_stops_the_vm);
	RUN(where_another_thread_gets_the_core_the_guest_is_looked_at_again);
	RUN(who_waits_for_a_doorbell_runs_at_once);
	RUN(vmm_moves_rip_and_status_flags_only_if_it_says_so);
	RUN(vmm_raises_an_exception_with_the_error_code_that_its_vector_has);
	RUN(vmm_injects_the_vector_of_the_8259_pair);
	RUN(the_line_of_the_8259_pair_is_looked_at);
	RUN(garbage_in_the_page_makes_valid_events_or_none);
	return unit_end();
}
