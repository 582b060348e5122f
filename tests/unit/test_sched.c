/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler in a machine of two cores that it runs as it would a real one: who gets how much,
 * and how soon. */
#include "kernel/sched.h"

#include <setjmp.h>

#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/process.h"

#include "unit.h"

#define STEP_NS    50000u /* in which a core runs one thread */
#define SECOND     1000000000ull
#define ACTORS_MAX 100u
#define EVERYWHERE UINT64_MAX

/* ---- the machine ---- */

static struct core {
	struct cpu cpu; /* first */
	uint64_t deadline_ns;
	bool is_told;
	unsigned interrupts;
} cores[2];
static jmp_buf asleep; /* where a core goes on that has nothing to run */
static struct core *here = cores;
static uint64_t clock_ns = 1000;
static unsigned switches;

/* A process with one thread, which runs for so long, then sleeps for so long. */
static struct actor {
	struct thread thread; /* first */
	struct process process;
	uint64_t run_ns, sleep_ns; /* sleep 0: it never does */
	uint64_t left_ns, woken_ns, late_ns, worst_ns, steps;
	bool is_woken, is_waiting; /* for another thread of its process, in a loop */
} actors[ACTORS_MAX];
static unsigned actor_count;

struct cpu *cpus;
uint32_t cpu_count;
bool lock_is_used;

void lock_acquire(void)
{
}

void lock_release(void)
{
}

struct cpu *arch_this_cpu(void)
{
	return &here->cpu;
}

uint64_t arch_now_ns(void)
{
	return clock_ns;
}

void arch_deadline_set(uint64_t deadline_ns)
{
	here->deadline_ns = deadline_ns;
}

void arch_trace(uint32_t who, uint32_t what)
{
	(void)who;
	(void)what;
}

void arch_ipi(struct cpu *cpu)
{
	((struct core *)cpu)->is_told = true;
}

void arch_space_activate(hpa_t root)
{
	(void)root;
}

void *kalloc(struct quota *quota, size_t size)
{
	(void)quota;
	return calloc(1, size);
}

void panic_at(const char *file, int line, const char *sentence)
{
	printf("# panic: %s:%d: %s\n", file, line, sentence);
	abort();
}

void arch_irq_window(void)
{
	if (here->deadline_ns <= clock_ns) {
		here->interrupts++;
		here->deadline_ns = UINT64_MAX;
		timer_run();
	}
	if (here->is_told) {
		here->interrupts++;
		here->is_told = false;
		sched_receive();
	}
}

void arch_idle(void)
{
	longjmp(asleep, 1);
}

static bool is_idle(const struct thread *thread)
{
	return !thread->process;
}

/* Those that want a core's time are never behind or ahead by more than two slices, and never all
 * together. */
static void check_lags(void)
{
	int64_t sums[2] = {0, 0};

	switches++;
	for (unsigned i = 0; i < actor_count; i++)
		for (const struct share *share = &actors[i].process.share; share;
		     share = share->next) {
			int64_t ahead;

			if (!share->weight)
				continue;
			ahead = (int64_t)(share->virtual_time - share->cpu->virtual_time) *
				share->weight;
			CHECK(llabs(ahead) / 1024 <= 2 * (int64_t)SCHED_SLICE_NS);
			sums[share->cpu->index] += ahead;
		}
	for (unsigned i = 0; i < cpu_count; i++) {
		CHECK_EQ(sums[i], cores[i].cpu.ahead);
		CHECK(sums[i] >= 0 && sums[i] <= cores[i].cpu.weight);
	}
}

/* The code of the core goes on for the other thread. */
void arch_thread_switch(struct thread *from, struct thread *to)
{
	struct actor *actor = (struct actor *)to;

	(void)from;
	check_lags();
	if (!is_idle(to) && actor->is_woken) {
		uint64_t late_ns = clock_ns - actor->woken_ns;

		actor->is_woken = false;
		actor->late_ns += late_ns;
		actor->worst_ns = MAX(actor->worst_ns, late_ns);
	}
}

/* The thread that the core has runs for a step; or the core wakes, and looks for one. */
static void step(void)
{
	struct actor *actor = (struct actor *)here->cpu.current;
	bool slept = !here->cpu.share;

	if (setjmp(asleep))
		return;
	arch_irq_window();
	if (slept || is_idle(&actor->thread)) {
		here->cpu.share = here->cpu.idle->share;
		sched_switch();
		return;
	}
	actor->steps++;
	if (actor->is_waiting)
		sched_let_sibling();
	actor->left_ns -= MIN(actor->left_ns, STEP_NS);
	if (actor->sleep_ns && !actor->left_ns) {
		actor->left_ns = actor->run_ns;
		actor->thread.is_blocked = true;
		timer_set(&actor->thread.timer, clock_ns + actor->sleep_ns);
		sched_switch();
	} else if (arch_this_cpu()->should_yield) {
		thread_yield();
	}
}

static void run(uint64_t ns)
{
	for (uint64_t end = clock_ns + ns; clock_ns < end; clock_ns += STEP_NS)
		for (here = cores; here < cores + cpu_count; here++)
			step();
	here = cores;
}

static void start(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		here = &cores[i];
		sched_init();
		here->deadline_ns = UINT64_MAX;
	}
	here = cores;
}

static void wake(struct timer *timer)
{
	struct actor *actor = (struct actor *)CONTAINER_OF(timer, struct thread, timer);

	actor->thread.is_blocked = false;
	actor->is_woken = true;
	actor->woken_ns = clock_ns;
	sched_ready(&actor->thread);
}

static struct abi_sched sched_of(uint32_t weight, uint64_t where)
{
	struct abi_sched sched = {.weight = weight, .cpus = {where}};

	return sched;
}

static void begin(struct actor *actor, struct process *process)
{
	actor->thread.process = process;
	actor->thread.object.refs = 1;
	actor->thread.timer = (struct timer){.fire = wake};
	CHECK(sched_add_share(process));
	sched_place(&actor->thread, &cores[0].cpu);
	sched_ready(&actor->thread);
}

static struct actor *add(uint32_t weight, uint64_t run_ns, uint64_t sleep_ns)
{
	struct actor *actor = &actors[actor_count++];

	actor->run_ns = actor->left_ns = run_ns;
	actor->sleep_ns = sleep_ns;
	actor->process.sched = sched_of(weight, EVERYWHERE);
	begin(actor, &actor->process);
	return actor;
}

/* One more thread of that process, which spins. */
static struct actor *add_thread(struct process *process)
{
	struct actor *actor = &actors[actor_count++];

	begin(actor, process);
	return actor;
}

static struct actor *spinner(uint32_t weight)
{
	return add(weight, 0, 0);
}

/* Per mille of the time since. */
static double part(const struct actor *actor, uint64_t since_ns)
{
	return (double)sched_run_ns(&actor->process) * 1000 / (double)(clock_ns - since_ns);
}

/* ---- how much ---- */

TEST(weights_of_1_and_3_get_25_and_75_per_cent)
{
	struct actor *a, *b;

	start(1);
	a = spinner(100);
	b = spinner(300);
	run(4 * SECOND);
	CHECK(part(a, 1000) > 247.5 && part(a, 1000) < 252.5);
	CHECK(part(b, 1000) > 742.5 && part(b, 1000) < 757.5);
	CHECK(switches < 4 * SECOND / SCHED_SLICE_NS * 2); /* and turns are slices */
}

TEST(a_hundred_equals_on_two_cores_get_the_same)
{
	double sum = 0, squares = 0;

	start(2);
	for (unsigned i = 0; i < 100; i++)
		spinner(100);
	run(6 * SECOND);
	for (unsigned i = 0; i < 100; i++) {
		sum += part(&actors[i], 1000);
		squares += part(&actors[i], 1000) * part(&actors[i], 1000);
	}
	CHECK(sum * sum / (100 * squares) > 0.99); /* Jain's index */
	CHECK(sum > 1999);
}

TEST(a_heavy_one_among_many_waits_for_none_of_them_long)
{
	struct actor *heavy;

	start(1);
	for (unsigned i = 0; i < 50; i++)
		spinner(10);
	heavy = spinner(10000);
	run(2 * SECOND);
	CHECK(part(heavy, 1000) > 940 && part(heavy, 1000) < 960); /* 10,000 of 10,500 */
}

TEST(nobody_is_ever_behind_by_more_than_two_slices)
{
	uint32_t dice = 7;

	start(2);
	for (unsigned i = 0; i < 40; i++) {
		dice = dice * 1664525 + 1013904223;
		add(1 + (dice >> 8) % 1000, STEP_NS * (1 + (dice >> 18) % 500),
		    i % 4 ? STEP_NS * (1 + (dice >> 12) % 4000) : 0);
	}
	run(8 * SECOND);
	CHECK(switches > 2000);
}

TEST(waking_often_gives_no_more_than_ones_share)
{
	struct actor *spins, *naps;

	start(1);
	spins = spinner(100);
	naps = add(100, 1000000, 50000);
	run(4 * SECOND);
	CHECK(part(naps, 1000) < 505);
	CHECK(part(naps, 1000) > 450 && part(spins, 1000) < 550);
}

/* Two of three CPUs of a guest spin while the third would have to do something. */
static void check_waiters(unsigned core_count)
{
	struct actor *works, *waits[2];
	uint64_t steps;

	start(core_count);
	for (unsigned i = 0; i < 2 * core_count; i++)
		spinner(100);
	works = spinner(100);
	for (unsigned i = 0; i < 2; i++) {
		waits[i] = add_thread(&works->process);
		waits[i]->is_waiting = true;
	}
	run(4 * SECOND);
	steps = works->steps + waits[0]->steps + waits[1]->steps;
	CHECK(part(works, 1000) > 300 && part(works, 1000) < 700);
	if (core_count == 1)
		CHECK(works->steps > steps * 95 / 100); /* the others look once a turn */
	CHECK(works->steps * STEP_NS > SECOND);
}

TEST(who_spins_for_another_of_its_process_gives_it_the_turn)
{
	check_waiters(1);
}

TEST(who_spins_for_another_that_waits_on_another_core_fetches_it)
{
	check_waiters(2);
}

TEST(a_weight_counts_from_when_it_is_set)
{
	struct actor *a, *b;
	struct abi_sched sched = sched_of(900, EVERYWHERE);
	uint64_t since_ns, before_ns;

	start(1);
	a = spinner(100);
	b = spinner(100);
	run(SECOND);
	CHECK(part(b, 1000) > 490 && part(b, 1000) < 510);
	CHECK_EQ(sched_set(&b->process, &sched), 0);
	since_ns = clock_ns;
	before_ns = sched_run_ns(&a->process);
	run(SECOND);
	CHECK((sched_run_ns(&a->process) - before_ns) * 1000 / (clock_ns - since_ns) < 110);
}

/* ---- limits ---- */

static void limit(struct actor *actor, uint32_t priority, uint64_t budget_ns, uint64_t period_ns)
{
	struct abi_sched sched = sched_of(100, EVERYWHERE);

	sched.priority = priority;
	sched.budget_ns = budget_ns;
	sched.period_ns = period_ns;
	CHECK_EQ(sched_set(&actor->process, &sched), 0);
}

TEST(a_cap_of_20_per_cent_gives_20_alone_and_beside_others)
{
	struct actor *capped;
	uint64_t before_ns;

	start(1);
	capped = spinner(100);
	limit(capped, 0, 4000000, 20000000);
	run(4 * SECOND);
	CHECK(part(capped, 1000) > 195 && part(capped, 1000) < 205);
	spinner(100);
	spinner(100);
	before_ns = sched_run_ns(&capped->process);
	run(4 * SECOND);
	before_ns = sched_run_ns(&capped->process) - before_ns;
	CHECK(before_ns > SECOND * 4 / 1000 * 195 && before_ns < SECOND * 4 / 1000 * 205);
}

TEST(a_budget_that_was_not_used_is_not_saved_up)
{
	struct actor *capped;

	start(1);
	capped = add(100, SECOND / 10, SECOND);
	limit(capped, 0, 4000000, 20000000);
	run(20 * SECOND); /* ten times it wants 100 ms, which take 500 each */
	CHECK(part(capped, 1000) > 60 && part(capped, 1000) < 72);
}

TEST(a_cap_leaves_the_rest_to_the_others)
{
	struct actor *capped, *other;

	start(1);
	capped = spinner(10000);
	other = spinner(1);
	limit(capped, 0, 10000000, 20000000);
	run(2 * SECOND);
	CHECK(part(capped, 1000) > 495 && part(capped, 1000) < 505);
	CHECK(part(other, 1000) > 495);
}

TEST(a_priority_runs_at_once_within_its_budget)
{
	struct actor *urgent;

	start(1);
	for (unsigned i = 0; i < 10; i++)
		spinner(10000);
	urgent = add(1, 500000, 9500000);
	limit(urgent, 50, 2000000, 10000000);
	run(2 * SECOND);
	CHECK(urgent->worst_ns <= 2 * STEP_NS);
	CHECK(part(urgent, 1000) > 45);
}

TEST(a_higher_priority_goes_first_and_budgets_bound_both)
{
	struct actor *low, *high, *spins;

	start(1);
	spins = spinner(100);
	low = spinner(100);
	high = add(100, 1000000, 4000000);
	limit(low, 10, 5000000, 10000000);
	limit(high, 20, 3000000, 10000000);
	run(2 * SECOND);
	CHECK(high->worst_ns <= 2 * STEP_NS);
	/* Half of the time in front of all, then by weight. */
	CHECK(part(low, 1000) > 500 && part(low, 1000) < 700);
	CHECK(part(spins, 1000) > 140);
}

TEST(a_limit_that_is_taken_away_holds_no_more)
{
	struct actor *capped;
	struct abi_sched sched = sched_of(100, EVERYWHERE);
	uint64_t before_ns;

	start(1);
	capped = spinner(100);
	limit(capped, 0, 100000, 10000000000);
	run(SECOND);
	CHECK(part(capped, 1000) < 2);
	CHECK_EQ(sched_set(&capped->process, &sched), 0);
	before_ns = sched_run_ns(&capped->process);
	run(SECOND);
	CHECK(sched_run_ns(&capped->process) - before_ns > SECOND * 99 / 100);
}

TEST(what_is_out_of_range_changes_nothing)
{
	static const struct abi_sched bad[] = {
		{.weight = 0, .cpus = {1}},
		{.weight = 10001, .cpus = {1}},
		{.weight = 1, .cpus = {4}},
		{.weight = 1},
		{.weight = 1, .cpus = {1}, .priority = 1},
		{.weight = 1,
		 .cpus = {1},
		 .priority = 100,
		 .budget_ns = 1000000,
		 .period_ns = 1000000},
		{.weight = 1, .cpus = {1}, .budget_ns = 99999, .period_ns = 1000000},
		{.weight = 1, .cpus = {1}, .budget_ns = 1000000, .period_ns = 0},
		{.weight = 1, .cpus = {1}, .budget_ns = 1000000, .period_ns = 10000000001},
		{.weight = 1, .cpus = {1}, .budget_ns = UINT64_MAX, .period_ns = 1000000},
	};
	struct actor *actor;

	start(2);
	actor = spinner(7);
	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++)
		CHECK_EQ(sched_set(&actor->process, &bad[i]), -ABI_EINVAL);
	CHECK_EQ(actor->process.sched.weight, 7);
	CHECK_EQ(actor->process.sched.cpus[0], EVERYWHERE);
}

/* ---- how soon, and where ---- */

TEST(what_sleeps_much_runs_soon_after_it_wakes)
{
	struct actor *naps;

	start(1);
	for (unsigned i = 0; i < 10; i++)
		spinner(100);
	naps = add(100, 100000, 20000000);
	run(4 * SECOND);
	CHECK(naps->late_ns / (4 * SECOND / 20100000) < SCHED_SLICE_NS / 10);
}

TEST(two_cores_are_both_used_and_kept_busy)
{
	start(2);
	for (unsigned i = 0; i < 2; i++)
		spinner(100);
	run(SECOND);
	CHECK(part(&actors[0], 1000) > 990 && part(&actors[1], 1000) > 990);
	actors[0].sleep_ns = SECOND; /* one goes, the other waits for nobody */
	actor_count = 2;
	spinner(100);
	run(SECOND / 2);
	CHECK(cores[0].cpu.share && cores[1].cpu.share);
}

TEST(a_core_without_work_takes_some_of_the_other_s)
{
	struct abi_sched both = sched_of(100, EVERYWHERE), first = sched_of(100, 1);

	start(2);
	for (unsigned i = 0; i < 3; i++) {
		spinner(100);
		CHECK_EQ(sched_set(&actors[i].process, &first), 0);
	}
	run(SECOND);
	CHECK(!cores[1].cpu.share && cores[0].cpu.ready_count == 2);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(sched_set(&actors[i].process, &both), 0);
	run(2 * STEP_NS);
	CHECK(cores[1].cpu.share);
	CHECK_EQ(cores[0].cpu.ready_count + cores[1].cpu.ready_count, 1);
}

TEST(a_thread_stays_where_it_may_run_and_goes_if_it_may_no_more)
{
	struct abi_sched second = sched_of(100, 2), first = sched_of(100, 1);

	start(2);
	for (unsigned i = 0; i < 4; i++)
		spinner(100);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(sched_set(&actors[i].process, i < 2 ? &second : &first), 0);
	run(SECOND / 10);
	for (unsigned n = 0; n < 1000; n++) {
		run(STEP_NS);
		for (unsigned i = 0; i < 3; i++)
			CHECK_EQ(actors[i].thread.share->cpu->index, i < 2);
	}
	for (unsigned i = 0; i < 4; i++) /* one core is left alone */
		CHECK_EQ(sched_set(&actors[i].process, &first), 0);
	run(SECOND / 10);
	CHECK(!cores[1].cpu.share && !cores[1].cpu.ready_count);
	CHECK_EQ(cores[0].cpu.ready_count, 3);
}

TEST(an_idle_thread_that_another_core_woke_is_not_in_two_places)
{
	struct cpu *cpu = &cores[0].cpu;
	struct actor *dead;

	start(2);
	dead = spinner(100);
	run(STEP_NS * 2);
	CHECK(cpu->current == &dead->thread);
	here = &cores[1];
	sched_ready(cpu->idle);
	CHECK(cpu->mailbox == cpu->idle);
	here = &cores[0];
	dead->thread.object.refs = 0; /* its stack is no place to sleep on */
	sched_switch();
	CHECK(cpu->current == cpu->idle && !cpu->mailbox && cpu->ready_count == 0);
	CHECK(!list_is_linked(&cpu->idle->ready_link));
}

TEST(nothing_interrupts_a_core_that_has_one_thread_or_none)
{
	start(2);
	spinner(100);
	run(SECOND / 100);
	cores[0].interrupts = cores[1].interrupts = 0;
	run(SECOND);
	CHECK_EQ(cores[0].interrupts + cores[1].interrupts, 0);
	CHECK(cores[0].deadline_ns > clock_ns + SECOND && cores[1].deadline_ns > clock_ns + SECOND);
}

int main(void)
{
	RUN(weights_of_1_and_3_get_25_and_75_per_cent);
	RUN(a_hundred_equals_on_two_cores_get_the_same);
	RUN(a_heavy_one_among_many_waits_for_none_of_them_long);
	RUN(nobody_is_ever_behind_by_more_than_two_slices);
	RUN(waking_often_gives_no_more_than_ones_share);
	RUN(who_spins_for_another_of_its_process_gives_it_the_turn);
	RUN(who_spins_for_another_that_waits_on_another_core_fetches_it);
	RUN(a_weight_counts_from_when_it_is_set);
	RUN(a_cap_of_20_per_cent_gives_20_alone_and_beside_others);
	RUN(a_budget_that_was_not_used_is_not_saved_up);
	RUN(a_cap_leaves_the_rest_to_the_others);
	RUN(a_priority_runs_at_once_within_its_budget);
	RUN(a_higher_priority_goes_first_and_budgets_bound_both);
	RUN(a_limit_that_is_taken_away_holds_no_more);
	RUN(what_is_out_of_range_changes_nothing);
	RUN(what_sleeps_much_runs_soon_after_it_wakes);
	RUN(two_cores_are_both_used_and_kept_busy);
	RUN(a_core_without_work_takes_some_of_the_other_s);
	RUN(a_thread_stays_where_it_may_run_and_goes_if_it_may_no_more);
	RUN(an_idle_thread_that_another_core_woke_is_not_in_two_places);
	RUN(nothing_interrupts_a_core_that_has_one_thread_or_none);
	return unit_end();
}
