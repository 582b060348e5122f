/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest knows of its being one: hypercalls among its CPUs, and the time that others took. */
#include "scripted.h"

#define KICK      5u
#define SEND_IPI  10u
#define YIELD     11u
#define CPUS      254u
#define VECTOR    0x61u
#define AWAY      1u
#define FLUSH     2u
#define LONG_NS   1000000u
#define UNTOUCHED 0x5a

static struct vcpu *cpu[CPUS];

/* As the guest has it in its RAM, which is the test's own here. */
static struct {
	uint64_t ns;
	uint32_t version, flags;
	uint8_t preempted, rest[47];
} steal __attribute__((aligned(64)));

/* A guest that runs is not away. */
static void present(struct vcpu *running, struct vm_exit *exit)
{
	CHECK(!(steal.preempted & AWAY));
	guest(running, exit);
}

/* A VM with that many CPUs, which all run; `vcpu` is the first. */
static void start_cpus(unsigned count)
{
	struct vm *vm;

	fake_vcpu_start(0);
	CHECK_EQ(vm_create(process_current(), count, 0, &vm), 0);
	for (unsigned i = 0; i < count; i++) {
		CHECK_EQ(vcpu_create(vm, i, &cpu[i]), 0);
		cpu[i]->startup = 0;
		CHECK(vlapic_set_base(cpu[i], VLAPIC_BASE | (i ? 0xc00 : 0xd00)));
		CHECK(vlapic_write(cpu[i], VLAPIC_SVR, 0x1ff));
		cpu[i]->arch->cpu.rflags = 2;
	}
	vcpu = cpu[0];
	fake_guest = present;
	step = step_count = 0;
	memset(&steal, 0, sizeof(steal));
	memset(steal.rest, UNTOUCHED, sizeof(steal.rest));
}

static int64_t call(uint64_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx, uint64_t rsi)
{
	struct vm_exit exit = {.kind = ABI_EXIT_HYPERCALL, .length = 3};
	uint64_t *gpr = vcpu->page->gpr;

	gpr[ABI_RAX] = number;
	gpr[ABI_RBX] = rbx;
	gpr[ABI_RCX] = rcx;
	gpr[ABI_RDX] = rdx;
	gpr[ABI_RSI] = rsi;
	CHECK_EQ(exit_handle(vcpu, &exit), EXIT_NEXT_INSN);
	return (int64_t)gpr[ABI_RAX];
}

/* Whether those from `first` to `last`, and nobody else, have got the vector; takes it from them.
 */
static bool have_it(unsigned count, unsigned first, unsigned last)
{
	bool good = true;

	for (unsigned i = 0; i < count; i++) {
		bool has = vlapic_requested(cpu[i]) == (int)VECTOR;

		good &= has == (i >= first && i <= last);
		if (has)
			vlapic_reset(cpu[i]);
		vlapic_write(cpu[i], VLAPIC_SVR, 0x1ff);
	}
	return good;
}

/* ---- hypercalls ---- */

TEST(an_ipi_goes_to_a_set_of_cpus)
{
	start_cpus(CPUS);
	CHECK_EQ(call(SEND_IPI, 1, 0, 0, VECTOR), 1);
	CHECK(have_it(CPUS, 0, 0));
	CHECK_EQ(call(SEND_IPI, UINT64_MAX, 0, 100, VECTOR), 64);
	CHECK(have_it(CPUS, 100, 163));
	CHECK_EQ(call(SEND_IPI, 0, UINT64_MAX, 100, VECTOR), 64);
	CHECK(have_it(CPUS, 164, 227));
	CHECK_EQ(call(SEND_IPI, UINT64_MAX, UINT64_MAX, 253, VECTOR), 1); /* none beyond, nor all */
	CHECK(have_it(CPUS, 253, 253));
	CHECK_EQ(call(SEND_IPI, 3, 0, UINT32_MAX, VECTOR), 0);
	CHECK(have_it(CPUS, 1, 0));
	CHECK_EQ(call(SEND_IPI, 2, 0, 0, 0x4400), 1);
	CHECK(cpu[1]->nmi_pending && !cpu[0]->nmi_pending);
}

TEST(outside_of_64_bit_mode_words_have_32_bits)
{
	start_cpus(100);
	vcpu->arch->is_32bit = true;
	CHECK_EQ(call(SEND_IPI, UINT64_MAX, 0, 1, VECTOR), 32);
	CHECK(have_it(100, 1, 32));
	CHECK_EQ(call(SEND_IPI, 0, UINT64_MAX, 1, VECTOR), 32);
	CHECK(have_it(100, 33, 64));
}

TEST(other_parts_of_an_icr_are_refused)
{
	start_cpus(2);
	for (unsigned bit = 11; bit < 64; bit++)
		if (bit != 14)
			CHECK_EQ(call(SEND_IPI, 3, 0, 0, 1ull << bit | VECTOR), -ABI_EINVAL);
	CHECK(have_it(2, 1, 0));
	CHECK_EQ(call(SEND_IPI, 1, 0, 0, 0x4000 | VECTOR), 1);
}

TEST(user_programs_make_no_hypercalls)
{
	start_cpus(2);
	vcpu->arch->cpl = 3;
	CHECK_EQ(call(SEND_IPI, 3, 0, 0, VECTOR), -ABI_EPERM);
	CHECK_EQ(call(KICK, 0, 1, 0, 0), -ABI_EPERM);
	CHECK(have_it(2, 1, 0) && !cpu[1]->is_roused);
}

TEST(a_kick_ends_a_halt_whatever_the_interrupts)
{
	start_cpus(2);
	vcpu = cpu[1];
	then(ABI_EXIT_HLT);
	vcpu->needs_look = true;
	CHECK_EQ(call(KICK, 0, 1, 0, 0), 0); /* before it halts: that halt is none */
	CHECK(cpu[1]->is_roused);
	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK(!vcpu->is_roused && !vcpu->is_halted && step == 1);
	CHECK_EQ(call(KICK, 0, 2, 0, 0), 0);
	CHECK(!cpu[0]->is_roused && !cpu[1]->is_roused);
	CHECK_EQ(call(KICK, 0, UINT32_MAX, 0, 0), 0); /* the id of all */
	CHECK(cpu[0]->is_roused && cpu[1]->is_roused);
}

static void kick(uint64_t unused)
{
	(void)unused;
	CHECK(vcpu->is_halted);
	CHECK_EQ(steal.preempted, vcpu->page->steal_at ? AWAY : 0);
	vlapic_message(vcpu->vm, vcpu->index, false, VLAPIC_ROUSE);
}

TEST(a_kick_wakes_a_cpu_that_sleeps_once)
{
	start_cpus(2);
	then(ABI_EXIT_HLT);
	spawn(kick, 0);
	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK(step == 1 && !vcpu->is_roused);
}

TEST(init_forgets_a_kick)
{
	start_cpus(2);
	vcpu = cpu[1];
	vlapic_message(vcpu->vm, 1, false, VLAPIC_ROUSE);
	vlapic_message(vcpu->vm, 1, false, 0x4500);
	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK_EQ(vcpu->page->exit.kind, ABI_EXIT_STARTUP);
	CHECK(!vcpu->is_roused);
}

static unsigned turns;

static void take_a_turn(uint64_t ns)
{
	turns++;
	fake_now_ns += ns;
}

TEST(a_cpu_may_give_its_turn_to_another)
{
	start_cpus(2);
	spawn(take_a_turn, 0);
	turns = 0;
	CHECK_EQ(call(YIELD, 0, 1, 0, 0), 0);
	CHECK_EQ(turns, 1);
	CHECK_EQ(call(YIELD, 0, 77, 0, 0), 0); /* with none that waits */
}

/* ---- steal time ---- */

static void start_steal(void)
{
	start_cpus(2);
	vcpu->page->steal_at = (uintptr_t)&steal;
}

static bool rest_is_untouched(void)
{
	for (unsigned i = 0; i < sizeof(steal.rest); i++)
		if (steal.rest[i] != UNTOUCHED)
			return false;
	return true;
}

/* The guest gives its turn away, and another uses it for so long. */
static void be_away(uint64_t ns)
{
	spawn(take_a_turn, ns);
	step = step_count = 0;
	vcpu->page->gpr[ABI_RAX] = YIELD;
	then(ABI_EXIT_HYPERCALL);
	CHECK_EQ(vcpu_run(vcpu), 0);
}

TEST(the_guest_is_told_what_others_took)
{
	start_steal();
	be_away(0);
	CHECK(steal.ns == 0 && steal.version == 0); /* not worth telling */
	be_away(LONG_NS);
	CHECK_EQ(steal.ns, LONG_NS);
	CHECK(steal.version != 0 && steal.version % 2 == 0);
	CHECK_EQ(vcpu->stats.steal_ns, LONG_NS);
	be_away(LONG_NS);
	CHECK_EQ(steal.ns, 2 * LONG_NS);
	CHECK(steal.flags == 0 && rest_is_untouched());
	steal.version = UINT32_MAX; /* whatever the guest writes there */
	steal.ns = 5;
	be_away(LONG_NS);
	CHECK(steal.ns == LONG_NS + 5 && steal.version == 0);
}

TEST(sleep_is_no_steal)
{
	start_steal();
	then(ABI_EXIT_HLT);
	spawn(kick, 0);
	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK_EQ(step, 1);
	CHECK_EQ(steal.ns, 0);
	CHECK_EQ(steal.preempted, 0);
}

static void ask_for_flush(uint64_t answer)
{
	turns++;
	CHECK_EQ(steal.preempted, AWAY);
	steal.preempted |= (uint8_t)answer;
}

TEST(a_flush_asked_for_while_it_was_away_comes_before_the_entry)
{
	start_steal();
	for (unsigned i = 0; i < 2; i++) {
		unsigned before = vcpu->arch->flush_count;

		turns = 0;
		spawn(ask_for_flush, i ? FLUSH : 0);
		step = step_count = 0;
		vcpu->page->gpr[ABI_RAX] = YIELD;
		then(ABI_EXIT_HYPERCALL);
		CHECK_EQ(vcpu_run(vcpu), 0);
		CHECK_EQ(turns, 1);
		CHECK_EQ(vcpu->arch->flush_count - before, i);
		CHECK_EQ(steal.preempted, 0);
	}
}

TEST(a_structure_that_goes_away_meanwhile_costs_a_flush)
{
	unsigned before;

	start_steal();
	before = vcpu->arch->flush_count;
	vcpu->steal_at = vcpu->page->steal_at;
	vcpu_leave(vcpu);
	CHECK(vcpu->is_away && steal.preempted == AWAY);
	vcpu->page->steal_at = 0;
	steal.preempted = 0;
	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK(!vcpu->is_away);
	CHECK_EQ(vcpu->arch->flush_count - before, 1);
}

TEST(where_no_ram_is_nothing_is_told)
{
	start_steal();
	vcpu->page->steal_at = 8;
	be_away(LONG_NS);
	be_away(LONG_NS);
	CHECK(!vcpu->is_away && steal.ns == 0);
	CHECK_EQ(vcpu->stats.steal_ns, 2 * LONG_NS);
	vcpu->page->steal_at = UINT64_MAX - 3;
	be_away(LONG_NS);
	CHECK(!vcpu->is_away);
}

int main(void)
{
	RUN(an_ipi_goes_to_a_set_of_cpus);
	RUN(outside_of_64_bit_mode_words_have_32_bits);
	RUN(other_parts_of_an_icr_are_refused);
	RUN(user_programs_make_no_hypercalls);
	RUN(a_kick_ends_a_halt_whatever_the_interrupts);
	RUN(a_kick_wakes_a_cpu_that_sleeps_once);
	RUN(init_forgets_a_kick);
	RUN(a_cpu_may_give_its_turn_to_another);
	RUN(the_guest_is_told_what_others_took);
	RUN(sleep_is_no_steal);
	RUN(a_flush_asked_for_while_it_was_away_comes_before_the_entry);
	RUN(a_structure_that_goes_away_meanwhile_costs_a_flush);
	RUN(where_no_ram_is_nothing_is_told);
	return unit_end();
}
