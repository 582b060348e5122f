/* SPDX-License-Identifier: BSD-2-Clause */
/* Two cores: who runs where, mailboxes, and calls from one to the other. */
#include "kernel/lock.h"
#include "kernel/memory.h"
#include "kernel/quota.h"
#include "kernel/sched.h"

#include "fake_arch.h"
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#define YIELDS 2 /* the number of one that yields when it runs */

static struct thread *sleepers[3];
static unsigned runs;

static void sleep_and_run(uint64_t number)
{
	sleepers[number] = thread_current();
	for (;;) {
		thread_block(UINT64_MAX);
		if (number == YIELDS)
			thread_yield();
		thread_return_to_user();
		runs++;
	}
}

static struct process *new_process(void)
{
	struct process *process;

	CHECK_EQ(process_create(process_current()->quota, 8 << 20, &process), 0);
	return process;
}

/* Its threads sleep on the first core; then there is a second one, which sleeps. */
static struct process *start(unsigned threads)
{
	struct process *process;

	fake_start();
	process = new_process();
	for (unsigned i = 0; i < threads; i++)
		CHECK_EQ(thread_create(process, (uint64_t)sleep_and_run, 0, i), 0);
	fake_settle();
	fake_second_core();
	for (unsigned i = 0; i < threads; i++)
		CHECK(sched_add_share(process));
	CHECK_EQ(fake_ipi_count, 0);
	return process;
}

TEST(a_thread_wakes_on_a_core_with_less_to_do_if_its_own_is_busy)
{
	start(1);
	thread_wake(sleepers[0]);
	CHECK(fake_cpus[1].mailbox == sleepers[0] && sleepers[0]->share->cpu == &fake_cpus[1]);
	CHECK_EQ(fake_ipi_count, 1);
	CHECK_EQ(fake_cpus[0].ready_count, 0);
	fake_core = 1;
	sched_receive();
	CHECK(!fake_cpus[1].mailbox && fake_cpus[1].ready);
	CHECK_EQ(fake_cpus[1].ready_count, 1);
}

TEST(a_mailbox_that_holds_something_needs_no_second_message)
{
	start(3);
	for (unsigned i = 0; i < 3; i++) { /* of which the third would find less to wait for here */
		sched_place(sleepers[i], &fake_cpus[1]);
		thread_wake(sleepers[i]);
	}
	CHECK_EQ(fake_ipi_count, 1);
	fake_core = 1;
	sched_receive();
	CHECK_EQ(fake_cpus[0].ready_count, 1);
	CHECK_EQ(fake_cpus[1].ready_count, 2);
	CHECK(list_is_linked(&sleepers[0]->ready_link) && list_is_linked(&sleepers[1]->ready_link));
	CHECK(!fake_cpus[1].mailbox);
}

TEST(a_turn_that_is_over_goes_on_where_less_waits)
{
	start(3);
	fake_cpus[1].ready_count = 9; /* so that they wake here, and none leaves */
	thread_wake(sleepers[YIELDS]);
	thread_wake(sleepers[0]);
	thread_block(fake_now_ns + 1000000);
	CHECK_EQ(runs, 2);
	thread_wake(sleepers[YIELDS]);
	thread_wake(sleepers[0]);
	fake_cpus[1].ready_count = 0;
	thread_block(fake_now_ns + 1000000);
	CHECK_EQ(runs, 3);
	CHECK(fake_cpus[1].mailbox == sleepers[YIELDS]);
	CHECK(sleepers[YIELDS]->share->cpu == &fake_cpus[1]);
	CHECK_EQ(fake_cpus[0].ready_count, 0);
}

TEST(a_turn_that_is_over_stays_with_what_would_wait_as_long_elsewhere)
{
	start(3);
	fake_cpus[1].ready_count = 9;
	thread_wake(sleepers[YIELDS]);
	thread_wake(sleepers[0]);
	fake_cpus[1].ready_count = 1;
	thread_block(fake_now_ns + 1000000);
	CHECK_EQ(runs, 2);
	CHECK(!fake_cpus[1].mailbox);
}

TEST(a_thread_on_whose_stack_a_core_sleeps_goes_on_there)
{
	start(2);
	fake_cpus[1].current = sleepers[1];
	sched_place(sleepers[1], &fake_cpus[1]);
	fake_cpus[1].ready_count = 9; /* another woke for it, and it has not seen that yet */
	thread_wake(sleepers[1]);
	CHECK(fake_cpus[1].mailbox == sleepers[1]);
	fake_core = 1;
	sched_receive();
	CHECK_EQ(fake_cpus[1].ready_count, 10);
}

TEST(a_thread_that_runs_elsewhere_is_told_by_a_message)
{
	start(1);
	sched_place(sleepers[0], &fake_cpus[1]);
	sleepers[0]->is_blocked = false;
	fake_cpus[1].current = sleepers[0];
	thread_kill(sleepers[0]);
	CHECK(sleepers[0]->dying);
	CHECK_EQ(fake_ipi_count, 1);
	thread_kill(thread_current()); /* not itself */
	CHECK_EQ(fake_ipi_count, 1);
}

TEST(shares_are_one_a_core_and_their_time_is_the_process_s)
{
	struct process *process = start(3);
	unsigned count = 0;

	for (struct share *share = &process->share; share; share = share->next, count++)
		share->run_ns = 5;
	CHECK_EQ(count, 2); /* as many as cores, for three threads */
	CHECK_EQ(sched_run_ns(process), 10);
	sched_place(sleepers[0], &fake_cpus[1]);
	sched_place(sleepers[1], &fake_cpus[1]);
	CHECK(sleepers[0]->share == sleepers[1]->share && sleepers[0]->share != sleepers[2]->share);
	CHECK_EQ(sleepers[0]->share->thread_count, 2);
}

TEST(what_is_unmapped_is_flushed_where_the_space_is_used)
{
	struct process *process = start(1);
	struct memory *memory;
	uint8_t byte = 1;

	CHECK_EQ(memory_create(process->quota, PAGE_SIZE, 0, &memory), 0);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(space_map(&process->space, ABI_USER_BASE, memory, 0, PAGE_SIZE,
				   PT_READ | PT_WRITE),
			 0);
		CHECK(fake_access(&process->space, ABI_USER_BASE, PT_WRITE, &byte));
		fake_flushed_cores = 0;
		fake_cpus[1].space = i ? &process->space : NULL;
		CHECK_EQ(space_unmap(&process->space, ABI_USER_BASE, PAGE_SIZE), 0);
		CHECK_EQ(fake_flushed_cores, i ? 2 : 0);
		CHECK(!fake_cpus[1].is_called);
	}
}

TEST(the_space_of_a_dead_process_is_loaded_nowhere)
{
	struct process *process = start(1);

	fake_cpus[1].share = fake_cpus[1].idle->share; /* busy, in its space by chance */
	fake_cpus[1].space = &process->space;
	process_end(process, ABI_END_KILLED, 0, 0, 0);
	thread_block(fake_now_ns + 1000000);
	CHECK(process->object.is_ready && !fake_cpus[1].space);
}

/* What a process of its own says before it panics. */
static void check_last_words(void (*function)(void), const char *expected)
{
	char text[2000] = "";
	int ends[2];

	CHECK(pipe(ends) == 0);
	fflush(stdout);
	if (fork() == 0) {
		dup2(ends[1], STDOUT_FILENO);
		function();
		_exit(0);
	}
	close(ends[1]);
	for (size_t size = 0; size < sizeof(text) - 1;) {
		ssize_t more = read(ends[0], text + size, sizeof(text) - 1 - size);

		if (more <= 0)
			break;
		size += (size_t)more;
	}
	close(ends[0]);
	wait(NULL);
	CHECK(strstr(text, expected) && strstr(text, "a core does not answer"));
}

static void call_other(void)
{
	fake_has_stopped = true;
	cpu_call(&fake_cpus[1], NULL, arch_tlb_flush_all, NULL);
}

static void wait_for_lock(void)
{
	lock_is_used = true;
	fake_cpus[0].has_lock = false;
	fake_cpus[1].has_lock = true; /* and does not give it back */
	lock_acquire();
}

TEST(a_core_that_has_stopped_is_named)
{
	start(1);
	check_last_words(call_other, "core of index 1");
	check_last_words(wait_for_lock, "core of index 1");
}

int main(void)
{
	RUN(a_thread_wakes_on_a_core_with_less_to_do_if_its_own_is_busy);
	RUN(a_mailbox_that_holds_something_needs_no_second_message);
	RUN(a_turn_that_is_over_goes_on_where_less_waits);
	RUN(a_turn_that_is_over_stays_with_what_would_wait_as_long_elsewhere);
	RUN(a_thread_on_whose_stack_a_core_sleeps_goes_on_there);
	RUN(a_thread_that_runs_elsewhere_is_told_by_a_message);
	RUN(shares_are_one_a_core_and_their_time_is_the_process_s);
	RUN(what_is_unmapped_is_flushed_where_the_space_is_used);
	RUN(the_space_of_a_dead_process_is_loaded_nowhere);
	RUN(a_core_that_has_stopped_is_named);
	return unit_end();
}
