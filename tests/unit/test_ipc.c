/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels, events, wait sets, threads and the end of processes. */
#include "kernel/channel.h"
#include "kernel/event.h"
#include "kernel/frames.h"
#include "kernel/memory.h"
#include "kernel/quota.h"
#include "kernel/sched.h"
#include "kernel/waitset.h"

#include "fake_arch.h"
#include "unit.h"

#define SLICE_NS SCHED_SLICE_NS

static struct quota *quota(void)
{
	return process_current()->quota;
}

static void spawn(struct process *process, void (*fn)(uint64_t), uint64_t arg)
{
	CHECK_EQ(thread_create(process, (uint64_t)fn, 0, arg), 0);
}

static struct waitset *new_set(void)
{
	return object_alloc(OBJECT_WAITSET, sizeof(struct waitset), quota());
}

static char trace[256];

static void note(char c)
{
	size_t length = strlen(trace);

	CHECK(length + 1 < sizeof(trace));
	trace[length] = c;
}

/* ---- events and wait sets ---- */

TEST(events_count_and_stick)
{
	struct event *event;

	fake_start();
	event = event_create(quota());
	event_signal(event, 3);
	event_signal(event, 4);
	CHECK_EQ(event_take(event), 7);
	CHECK_EQ(event_take(event), 0);
	event_signal(event, UINT32_MAX - 1);
	event_signal(event, 5);
	CHECK_EQ(event_take(event), UINT32_MAX);
}

TEST(wait_sets_are_level_triggered_and_fair)
{
	struct event *events[3];
	struct waitset *set;
	uint64_t keys[3], seen = 0;

	fake_start();
	set = new_set();
	for (unsigned i = 0; i < 3; i++) {
		events[i] = event_create(quota());
		CHECK_EQ(waitset_add(set, &events[i]->object, i), 0);
		CHECK_EQ(waitset_add(set, &events[i]->object, i), -ABI_EEXIST);
	}
	CHECK_EQ(waitset_wait(set, keys, 3, 0), 0);
	event_signal(events[1], 1);
	for (unsigned i = 0; i < 3; i++) { /* it stays ready until taken */
		CHECK_EQ(waitset_wait(set, keys, 3, UINT64_MAX), 1);
		CHECK_EQ(keys[0], 1);
	}
	event_take(events[1]);
	CHECK_EQ(waitset_wait(set, keys, 3, 0), 0);
	for (unsigned i = 0; i < 3; i++)
		event_signal(events[i], 1);
	for (unsigned i = 0; i < 3; i++) { /* one at a time, all get told */
		CHECK_EQ(waitset_wait(set, keys, 1, 0), 1);
		seen |= 1u << keys[0];
	}
	CHECK_EQ(seen, 7);
	CHECK_EQ(waitset_wait(set, keys, 3, 0), 3);
	CHECK_EQ(waitset_remove(set, &events[0]->object), 0);
	CHECK_EQ(waitset_remove(set, &events[0]->object), -ABI_ENOENT);
	CHECK_EQ(waitset_wait(set, keys, 3, 0), 2);
	object_unref(&events[1]->object); /* an object that goes leaves the set */
	fake_settle();
	CHECK_EQ(waitset_wait(set, keys, 3, 0), 1);
	object_unref(&set->object);
	fake_settle();
	event_signal(events[2], 1);
	event_take(events[2]);
	event_signal(events[2], 1); /* nobody listens any more */
}

TEST(a_wait_ends_at_its_deadline)
{
	struct event *event;
	struct waitset *set;
	uint64_t key, start;

	fake_start();
	event = event_create(quota());
	set = new_set();
	CHECK_EQ(waitset_add(set, &event->object, 1), 0);
	start = fake_now_ns;
	CHECK_EQ(waitset_wait(set, &key, 1, start + 12345), 0);
	CHECK_EQ(fake_now_ns, start + 12345);
	CHECK_EQ(waitset_wait(set, &key, 1, start), 0); /* long past */
}

static struct event *shared_event;
static struct waitset *shared_set;

static void signal_later(uint64_t ns)
{
	thread_block(fake_now_ns + ns);
	event_signal(shared_event, 1);
}

static void wait_too(uint64_t unused)
{
	uint64_t key;

	(void)unused;
	CHECK_EQ(waitset_wait(shared_set, &key, 1, UINT64_MAX), -ABI_EBUSY);
	note('b');
}

TEST(a_signal_wakes_the_one_that_waits)
{
	uint64_t key, start;

	fake_start();
	shared_event = event_create(quota());
	shared_set = new_set();
	CHECK_EQ(waitset_add(shared_set, &shared_event->object, 9), 0);
	spawn(process_current(), signal_later, 5000);
	spawn(process_current(), wait_too, 0);
	start = fake_now_ns;
	CHECK_EQ(waitset_wait(shared_set, &key, 1, UINT64_MAX), 1);
	CHECK_EQ(key, 9);
	CHECK_EQ(fake_now_ns, start + 5000);
	fake_settle();
	CHECK_STR(trace, "b");
}

TEST(an_object_is_in_sixteen_sets_at_most)
{
	struct event *event;

	fake_start();
	event = event_create(quota());
	for (unsigned i = 0; i < WATCH_MAX; i++)
		CHECK_EQ(waitset_add(new_set(), &event->object, 0), 0);
	CHECK_EQ(waitset_add(new_set(), &event->object, 0), -ABI_ENOMEM);
}

TEST(a_thousand_stale_entries_do_not_hide_one_that_is_ready)
{
	static struct event *events[1000];
	struct waitset *set;
	uint64_t key;

	fake_start();
	set = new_set();
	for (unsigned i = 0; i < 1000; i++) {
		events[i] = event_create(quota());
		CHECK_EQ(waitset_add(set, &events[i]->object, i), 0);
	}
	event_signal(events[777], 1);
	CHECK_EQ(waitset_wait(set, &key, 1, 0), 1);
	CHECK_EQ(key, 777);
}

/* ---- channels ---- */

static struct message *message(const char *text)
{
	struct message *m = message_alloc(quota(), (uint32_t)strlen(text) + 1, 0);

	CHECK(m);
	memcpy(m->bytes, text, m->size);
	return m;
}

TEST(messages_arrive_in_order_up_to_the_bound)
{
	struct channel *ends[2];

	fake_start();
	CHECK_EQ(channel_create(quota(), ends), 0);
	CHECK(!ends[1]->object.is_ready);
	for (unsigned i = 0; i < CHANNEL_MESSAGES_MAX; i++) {
		char text[2] = {(char)('A' + i), 0};

		CHECK_EQ(channel_check_send(ends[0]), 0);
		channel_send(ends[0], message(text));
	}
	CHECK_EQ(channel_check_send(ends[0]), -ABI_EAGAIN);
	CHECK_EQ(channel_check_send(ends[1]), 0);
	CHECK(!ends[0]->object.is_ready);
	for (unsigned i = 0; i < CHANNEL_MESSAGES_MAX; i++) {
		struct message *m = channel_pop(ends[1]);

		CHECK_EQ(m->bytes[0], 'A' + i);
		message_free(m);
	}
	CHECK(!ends[1]->object.is_ready);
	object_unref(&ends[0]->object);
	fake_settle();
	CHECK(ends[1]->object.is_ready); /* so that a wait set tells */
	CHECK_EQ(channel_check_send(ends[1]), -ABI_EPIPE);
}

/* Puts an object into a message through the channel, as the system call does after its checks. */
static int carry(struct channel *channel, struct object *object)
{
	struct message *m;
	int error = channel_check_carry(channel, object);

	if (error)
		return error;
	m = message_alloc(quota(), 0, 1);
	m->handles[0].object = object;
	channel_send(channel, m);
	return 0;
}

TEST(ends_at_which_handles_wait_do_not_travel)
{
	uint64_t free_before, used_before;
	struct channel *outer[2], *inner[2];

	fake_start();
	free_before = frames_free_count();
	used_before = quota()->used;
	for (unsigned i = 0; i < 3000; i++) {
		CHECK_EQ(channel_create(quota(), inner), 0);
		CHECK_EQ(channel_create(quota(), outer), 0);
		CHECK_EQ(carry(outer[0], &inner[1]->object), 0);
		CHECK_EQ(carry(inner[0], &outer[1]->object), -ABI_EBUSY);
		object_unref(&inner[0]->object);
		object_unref(&outer[0]->object);
		object_unref(&outer[1]->object);
		fake_settle();
	}
	CHECK_EQ(frames_free_count(), free_before);
	CHECK_EQ(quota()->used, used_before);
}

/* Ends that wait in ends that wait in ends: built from the outside in, it is freed without
 * recursion. */
TEST(nested_ends_are_freed_one_by_one)
{
	uint64_t free_before;
	struct channel *root[2], *ends[2], *last;

	fake_start();
	free_before = frames_free_count();
	CHECK_EQ(channel_create(quota(), root), 0);
	last = root[0];
	for (unsigned i = 0; i < 20000; i++) {
		CHECK_EQ(channel_create(quota(), ends), 0);
		CHECK_EQ(carry(last, &ends[1]->object), 0);
		if (i)
			object_unref(&last->object); /* nobody but the queue of the one before holds
							the pair now */
		last = ends[0];
	}
	object_unref(&last->object);
	object_unref(&root[0]->object);
	fake_settle();
	CHECK(frames_free_count() < free_before);
	object_unref(&root[1]->object);
	fake_settle();
	CHECK_EQ(frames_free_count(), free_before);
}

TEST(no_circle_of_ends_can_be_made)
{
	struct channel *a[2], *b[2];
	struct event *event;

	fake_start();
	CHECK_EQ(channel_create(quota(), a), 0);
	CHECK_EQ(channel_create(quota(), b), 0);
	event = event_create(quota());
	CHECK_EQ(channel_check_carry(a[0], &a[0]->object), -ABI_EBUSY);
	CHECK_EQ(channel_check_carry(a[0], &a[1]->object), -ABI_EBUSY);
	channel_send(b[1], message("plain bytes do no harm"));
	CHECK_EQ(carry(a[0], &b[0]->object), 0);          /* b[0] waits at a[1] */
	CHECK_EQ(carry(b[1], &a[1]->object), -ABI_EBUSY); /* a[1] at b[0] would be the circle */
	CHECK_EQ(carry(b[1], &event->object), 0);
}

/* ---- threads ---- */

static struct process *new_process(void)
{
	struct process *child;

	CHECK_EQ(process_create(quota(), 4 << 20, &child), 0);
	return child;
}

/* A process of its own for the thread. */
static struct process *spawn_alone(void (*fn)(uint64_t), uint64_t arg)
{
	struct process *child = new_process();

	spawn(child, fn, arg);
	return child;
}

static bool is_fair(const struct process *a, const struct process *b)
{
	uint64_t a_ns = sched_run_ns(a), b_ns = sched_run_ns(b);

	return a_ns <= b_ns + SLICE_NS && b_ns <= a_ns + SLICE_NS;
}

static void spin(uint64_t arg)
{
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 0; k < 5; k++) { /* a quarter of a slice in all */
			fake_now_ns += SLICE_NS / 20;
			arch_irq_window(); /* as ring 3 is interrupted */
			thread_return_to_user();
		}
		note((char)arg);
	}
}

static unsigned turns(void)
{
	unsigned count = 0;

	for (const char *c = trace; *c; c++)
		count += c[0] != c[1];
	return count;
}

TEST(spinning_processes_take_turns_of_a_slice)
{
	struct process *a, *b;

	fake_start();
	a = spawn_alone(spin, 'a');
	b = spawn_alone(spin, 'b');
	thread_block(fake_now_ns + 20 * SLICE_NS);
	CHECK(is_fair(a, b));
	CHECK(turns() > 8 && turns() < 25);
}

TEST(threads_of_a_process_take_turns)
{
	fake_start();
	spawn(spawn_alone(spin, 'a'), spin, 'b');
	thread_block(fake_now_ns + 20 * SLICE_NS);
	CHECK(turns() > 15 && turns() < 25);
}

TEST(many_threads_give_a_process_no_more_than_its_share)
{
	struct process *a, *b;

	fake_start();
	a = spawn_alone(spin, 'a');
	b = spawn_alone(spin, 'b');
	for (unsigned i = 0; i < 5; i++)
		spawn(b, spin, 'b');
	thread_block(fake_now_ns + 20 * SLICE_NS);
	CHECK(sched_run_ns(a) > 8 * SLICE_NS);
	CHECK(is_fair(a, b));
}

static void nap(uint64_t arg)
{
	for (unsigned i = 0; i < 20; i++) {
		thread_block(fake_now_ns + SLICE_NS);
		note((char)arg);
		fake_now_ns += SLICE_NS / 20;
	}
}

static uint64_t woken_late_ns;

static void sleeper(uint64_t unused)
{
	(void)unused;
	for (unsigned i = 0; i < 30; i++) {
		uint64_t deadline = fake_now_ns + 3 * SLICE_NS;

		thread_block(deadline);
		woken_late_ns += fake_now_ns - deadline;
		fake_now_ns += SLICE_NS / 100;
	}
}

TEST(a_sleeper_runs_soon_after_it_wakes)
{
	fake_start();
	spawn_alone(spin, 'a');
	spawn_alone(spin, 'b');
	spawn_alone(sleeper, 0);
	thread_block(fake_now_ns + 60 * SLICE_NS);
	CHECK(woken_late_ns <
	      30 * SLICE_NS /
		      5); /* on average less than a fifth of a slice, against two spinners */
}

TEST(waking_often_gives_no_more_than_a_fair_share)
{
	struct process *a, *naps;

	fake_start();
	a = spawn_alone(spin, 'a');
	naps = spawn_alone(nap, 'n');
	thread_block(fake_now_ns + 20 * SLICE_NS);
	CHECK(sched_run_ns(naps) < sched_run_ns(a));
}

/* ---- the end of processes ---- */

static bool is_dead(struct process *process)
{
	struct abi_process_info info;

	process_info(process, &info);
	return info.reason;
}

static void wait_for_ever(uint64_t unused)
{
	struct waitset *set = new_set();
	uint64_t key;

	(void)unused;
	CHECK(handle_install(process_current(), &set->object, 0) >= 0);
	note('w');
	CHECK_EQ(waitset_wait(set, &key, 1, UINT64_MAX), -ABI_EINTR);
	note('e');
}

TEST(a_killed_process_gives_everything_back_before_it_is_dead)
{
	uint64_t free_before, used_before, free_when_dead, key;
	struct process *child;
	struct waitset *set;
	struct channel *ends[2];
	struct memory *memory;

	fake_start();
	set = new_set();
	free_before = frames_free_count();
	used_before = quota()->used;
	child = new_process();
	CHECK_EQ(waitset_add(set, &child->object, 5), 0);
	CHECK_EQ(memory_create(child->quota, 1 << 20, 0, &memory), 0);
	CHECK_EQ(space_map(&child->space, 0x400000, memory, 0, 1 << 20, PT_READ | PT_WRITE), 0);
	for (uint64_t at = 0; at < 1 << 20; at += PAGE_SIZE)
		CHECK_EQ(space_fault(&child->space, 0x400000 + at, PT_WRITE), 0);
	CHECK(handle_install(child, &memory->object, ABI_RIGHT_ALL) >= 0);
	for (unsigned i = 0; i < 1000; i++) {
		CHECK_EQ(channel_create(child->quota, ends), 0);
		CHECK(handle_install(child, &ends[0]->object, ABI_RIGHT_ALL) >= 0);
		CHECK(handle_install(child, &ends[1]->object, ABI_RIGHT_ALL) >= 0);
	}
	spawn(child, wait_for_ever, 0);
	spawn(child, wait_for_ever, 0);
	fake_settle();
	CHECK_STR(trace, "ww");
	CHECK_EQ(waitset_wait(set, &key, 1, 0), 0);
	process_end(child, ABI_END_KILLED, 0, 0, 0);
	CHECK_EQ(waitset_wait(set, &key, 1, UINT64_MAX), 1);
	free_when_dead = frames_free_count();
	CHECK_EQ(key, 5);
	CHECK(is_dead(child));
	CHECK_STR(trace, "wwee");
	fake_settle();
	CHECK_EQ(frames_free_count(), free_when_dead);
	CHECK_EQ(waitset_remove(set, &child->object), 0);
	object_unref(&child->object);
	fake_settle();
	CHECK_EQ(frames_free_count(), free_before);
	CHECK_EQ(quota()->used, used_before);
}

TEST(a_process_that_never_ran_goes_with_its_last_handle)
{
	uint64_t free_before, used_before;

	fake_start();
	free_before = frames_free_count();
	used_before = quota()->used;
	for (unsigned i = 0; i < 100; i++) {
		object_unref(&new_process()->object);
		fake_settle();
	}
	CHECK_EQ(frames_free_count(), free_before);
	CHECK_EQ(quota()->used, used_before);
}

TEST(what_others_still_hold_of_a_dead_process_stays_charged_until_closed)
{
	uint64_t used_before, used_after;
	struct process *child;
	struct memory *memory;

	fake_start();
	used_before = quota()->used;
	child = new_process();
	CHECK_EQ(memory_create(child->quota, 1 << 20, 0, &memory), 0);
	process_end(child, ABI_END_KILLED, 0, 0, 0);
	fake_settle();
	object_unref(&child->object);
	fake_settle();
	used_after = quota()->used;
	CHECK(used_after >= used_before + (1 << 20) &&
	      used_after < used_before + (1 << 20) + 3 * PAGE_SIZE);
	object_unref(&memory->object);
	fake_settle();
	CHECK_EQ(quota()->used, used_before);
}

TEST(a_process_outlives_the_one_that_paid_for_it)
{
	struct process *child, *grandchild;
	uint64_t used_before;

	fake_start();
	used_before = quota()->used;
	CHECK_EQ(process_create(quota(), 8 << 20, &child), 0);
	CHECK_EQ(process_create(child->quota, 1 << 20, &grandchild), 0);
	spawn(grandchild, wait_for_ever, 0);
	process_end(child, ABI_END_KILLED, 0, 0, 0);
	object_unref(&child->object);
	fake_settle();
	CHECK_STR(trace, "w");
	CHECK(!is_dead(grandchild));
	CHECK(quota()->used >= used_before + (1 << 20));
	process_end(grandchild, ABI_END_KILLED, 0, 0, 0);
	fake_settle();
	CHECK(is_dead(grandchild));
	object_unref(&grandchild->object);
	fake_settle();
	CHECK_EQ(quota()->used, used_before);
}

static void create_until_refused(uint64_t unused)
{
	struct memory *memory;
	struct channel *ends[2];

	(void)unused;
	while (memory_create(quota(), PAGE_SIZE, 0, &memory) == 0)
		handle_install(process_current(), &memory->object, ABI_RIGHT_ALL);
	while (channel_create(quota(), ends) == 0) {
		object_unref(&ends[0]->object);
		handle_install(process_current(), &ends[1]->object, ABI_RIGHT_ALL);
	}
	note('x');
}

TEST(a_greedy_process_hits_its_own_quota_alone)
{
	uint64_t free_before, used_before;
	struct process *child;
	struct memory *memory;

	fake_start();
	free_before = frames_free_count();
	used_before = quota()->used;
	CHECK_EQ(process_create(quota(), 4 << 20, &child), 0);
	CHECK_EQ(quota()->used - used_before,
		 (4 << 20) + kalloc_size(sizeof(*child)) + kalloc_size(sizeof(struct quota)));
	spawn(child, create_until_refused, 0);
	fake_settle();
	CHECK_STR(trace, "x");
	CHECK_EQ(memory_create(quota(), 8 << 20, 0, &memory), 0);
	object_unref(&memory->object);
	object_unref(&child->object);
	fake_settle();
	CHECK_EQ(frames_free_count(), free_before);
	CHECK_EQ(quota()->used, used_before);
}

int main(void)
{
	RUN(events_count_and_stick);
	RUN(wait_sets_are_level_triggered_and_fair);
	RUN(a_wait_ends_at_its_deadline);
	RUN(a_signal_wakes_the_one_that_waits);
	RUN(an_object_is_in_sixteen_sets_at_most);
	RUN(a_thousand_stale_entries_do_not_hide_one_that_is_ready);
	RUN(messages_arrive_in_order_up_to_the_bound);
	RUN(ends_at_which_handles_wait_do_not_travel);
	RUN(nested_ends_are_freed_one_by_one);
	RUN(no_circle_of_ends_can_be_made);
	RUN(spinning_processes_take_turns_of_a_slice);
	RUN(threads_of_a_process_take_turns);
	RUN(many_threads_give_a_process_no_more_than_its_share);
	RUN(a_sleeper_runs_soon_after_it_wakes);
	RUN(waking_often_gives_no_more_than_a_fair_share);
	RUN(a_killed_process_gives_everything_back_before_it_is_dead);
	RUN(a_process_that_never_ran_goes_with_its_last_handle);
	RUN(what_others_still_hold_of_a_dead_process_stays_charged_until_closed);
	RUN(a_process_outlives_the_one_that_paid_for_it);
	RUN(a_greedy_process_hits_its_own_quota_alone);
	return unit_end();
}
