/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No order of steps loses a wake-up, breaks a lock or frees what is in use: cores with their lock,
 * mailboxes and calls, channels with wait sets, a guest CPU that halts, threads that are killed;
 * and in ring 3 the virtqueues and the lock between threads. With LONG=1 in the environment more
 * goes on in each, which takes minutes.
 */
#include "boot/boot_info.h"
#include "kernel/channel.h"
#include "kernel/frames.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/quota.h"
#include "kernel/system.h"
#include "kernel/vlapic.h"
#include "kernel/waitset.h"

#include <stdarg.h>

#include "explore.h"
#include "fake_vcpu.h"
#include "stepped.h"
#include "unit.h"

#define CORES      3u
#define ARENA_SIZE (1u << 20)
#define LIMIT      20000000u

static bool is_long;

void explore_fail(const char *why)
{
	printf("not ok %s: %s\n", unit_name, why);
	unit_fail();
}

static bool some_orders(void (*start)(void), void (*check)(void), unsigned limit)
{
	alarm(is_long ? 7200 : 600); /* of a machine that others load */
	return explore(start, check, limit);
}

static void all_orders(void (*start)(void), void (*check)(void))
{
	CHECK(some_orders(start, check, LIMIT));
}

/* ---- the machine ---- */

static struct core {
	struct cpu cpu; /* first */
	uint32_t interrupt;
} cores[CORES];
static unsigned core_count, starting;
static bool has_started;
static struct process *process;
static uint8_t arena[ARENA_SIZE] __attribute__((aligned(4096)));
static size_t arena_used;

uint64_t fake_window, fake_meta, fake_now_ns;
struct boot_info fake_info = {.clock = {.tsc_mul = 0xaaaaaaab, .tsc_shift = -1},
			      .cpu = {.has_fast_strings = 1, .xcr0 = 7}};
const struct boot_info *boot_info = &fake_info;
uint64_t arch_ops[ABI_OP_COUNT];
const struct pt_format arch_host_format = {
	.present_mask = 1, .table_bits = 0x27, .leaf_bits = 0x61, .write_bits = 2};
const struct pt_format fake_ept_format = {.present_mask = 7,
					  .table_bits = 7,
					  .read_bits = 1,
					  .write_bits = 2,
					  .exec_bits = 4,
					  .is_stage2 = true};

void fake_start(void)
{
	abort();
}

bool fake_access(struct space *space, uint64_t address, unsigned access, uint8_t *byte)
{
	(void)space, (void)address, (void)access, (void)byte;
	abort();
}

/* What is freed is not given out again: who still uses it stumbles. */
void *kalloc(struct quota *quota, size_t size)
{
	size_t at = ALIGN_UP(arena_used, size == PAGE_SIZE ? PAGE_SIZE : 64);

	CHECK(at + size <= ARENA_SIZE && quota_charge(quota, size));
	arena_used = at + size;
	return memset(arena + at, 0, size);
}

void kfree(struct quota *quota, void *p, size_t size)
{
	quota_uncharge(quota, size);
	memset(p, 0xdb, size);
}

size_t kalloc_size(size_t size)
{
	return size;
}

void panic_at(const char *file, int line, const char *sentence)
{
	printf("not ok %s: panic: %s:%d: %s\n", unit_name, file, line, sentence);
	unit_fail();
}

void console_init(void)
{
}

void console_print(const char *format, ...)
{
	(void)format;
}

struct cpu *arch_this_cpu(void)
{
	return &cores[has_started ? explore_this() : starting].cpu;
}

static uint64_t now_ns = 1000;
static bool has_clock; /* each look is later than the one before */

uint64_t arch_now_ns(void)
{
	now_ns += has_clock;
	return now_ns;
}

void arch_deadline_set(uint64_t deadline_ns)
{
	(void)deadline_ns;
}

void arch_trace(uint32_t who, uint32_t what)
{
	(void)who, (void)what;
}

void arch_pause(void)
{
	explore_pause();
}

void arch_ipi(struct cpu *cpu)
{
	explore_fence(); /* as apic_send() */
	explore_set(&((struct core *)cpu)->interrupt, 1);
}

static uint32_t *interrupt(void)
{
	return &((struct core *)arch_this_cpu())->interrupt;
}

void arch_idle(void)
{
	explore_wait(interrupt());
	stepped_trap();
}

void arch_irq_window(void)
{
	if (explore_get(interrupt())) {
		explore_set(interrupt(), 0);
		stepped_trap();
	}
}

struct pagetable arch_kernel_table;

void arch_space_init_root(void *root)
{
	(void)root;
}

void arch_space_activate(hpa_t root)
{
	(void)root;
}

void arch_tlb_flush_page(void *address)
{
	(void)address;
}

void arch_tlb_flush_all(void *unused)
{
	(void)unused;
}

int arch_copy_from_user(void *to, uint64_t from, size_t size)
{
	(void)to, (void)from, (void)size;
	return -ABI_EFAULT;
}

int arch_copy_to_user(uint64_t to, const void *from, size_t size)
{
	(void)to, (void)from, (void)size;
	return -ABI_EFAULT;
}

int arch_swap_with_user(uint64_t at, uint8_t *byte)
{
	(void)at, (void)byte;
	return -ABI_EFAULT;
}

int arch_irq_set(unsigned isa_irq, bool is_on)
{
	(void)isa_irq, (void)is_on;
	return 0;
}

uint32_t arch_port_in(uint16_t port, unsigned size)
{
	(void)port, (void)size;
	return 0;
}

void arch_port_out(uint16_t port, unsigned size, uint32_t value)
{
	(void)port, (void)size, (void)value;
}

void window_zero(hpa_t frame)
{
	(void)frame;
}

void window_copy(hpa_t to, hpa_t from)
{
	(void)to, (void)from;
}

void *window_map(unsigned slot, hpa_t frame)
{
	(void)slot, (void)frame;
	return NULL;
}

/* ---- threads ---- */

static struct user {
	void (*main)(uint64_t);
	uint64_t argument;
} users[8];
static unsigned user_count;

static void user_main(void *argument)
{
	const struct user *user = argument;

	thread_return_to_user();
	user->main(user->argument);
	lock_take();
	for (;;) {
		thread_block(UINT64_MAX);
		if (thread_current()->dying)
			thread_exit();
	}
}

int arch_thread_init(struct thread *thread, uint64_t entry, uint64_t stack, uint64_t arg)
{
	struct user *user = &users[user_count++];

	(void)stack;
	*user = (struct user){(void (*)(uint64_t))entry, arg};
	thread->arch.rsp = (uint64_t)explore_context(user_main, user);
	return 0;
}

void arch_thread_exit(struct thread *thread)
{
	CHECK(!explore_is_used((struct explore_context *)thread->arch.rsp)); /* its stack is gone */
	thread->arch.rsp = 0;
}

void arch_thread_switch(struct thread *from, struct thread *to)
{
	explore_switch((struct explore_context *)from->arch.rsp,
		       (struct explore_context *)to->arch.rsp);
}

static void core_main(void *number)
{
	if (!number)
		reaper_run();
	lock_acquire();
	for (;;)
		thread_block(UINT64_MAX);
}

/* Cores with nothing to do, the first of which has the lock; a process without threads. */
static void start_machine(unsigned count)
{
	stepped_kernel_reset();
	arena_used = 0;
	user_count = 0;
	has_started = false;
	core_count = count;
	has_clock = false;
	memset(cores, 0, sizeof(cores));
	for (starting = 0; starting < count; starting++) {
		sched_init();
		cores[starting].cpu.idle->arch.rsp =
			(uint64_t)explore_cpu(core_main, (void *)(uintptr_t)starting);
	}
	starting = 0;
	lock_is_used = true;
	fake_window = 0;
	CHECK_EQ(process_create(NULL, ARENA_SIZE, &process), 0);
	has_started = true;
}

/* A thread that begins on that core, which has not looked for work yet. */
static void start_thread(unsigned core, void (*main)(uint64_t), uint64_t argument)
{
	has_started = false;
	starting = core;
	for (unsigned i = 0; i < core_count; i++) /* so that it is not given away */
		cores[i].cpu.ready_count += i == core ? 0 : 100;
	CHECK_EQ(thread_create(process, (uint64_t)main, 0, argument), 0);
	for (unsigned i = 0; i < core_count; i++)
		cores[i].cpu.ready_count -= i == core ? 0 : 100;
	starting = 0;
	has_started = true;
}

/* Between calls a thread may be interrupted, and another may get the core. */
static void enter_kernel(void)
{
	if (explore_get(interrupt())) {
		explore_set(interrupt(), 0);
		lock_take();
		sched_receive();
		thread_return_to_user();
	}
	lock_take();
}

static void all_cores_sleep(void)
{
	for (unsigned i = 0; i < core_count; i++) {
		CHECK(explore_waits(i));
		CHECK(!cores[i].cpu.mailbox && !cores[i].cpu.ready_count &&
		      !cores[i].cpu.is_called);
		CHECK(!cores[i].cpu.has_lock);
	}
}

/* ---- the explorer itself ---- */

static unsigned outcomes;

static void start_store_and_load(void)
{
	stepped_x = stepped_y = 0;
	explore_cpu(stepped_store_x_load_y, NULL);
	explore_cpu(stepped_store_y_load_x, NULL);
}

static void start_fenced(void)
{
	stepped_x = stepped_y = 0;
	explore_cpu(stepped_store_x_load_y, &outcomes);
	explore_cpu(stepped_store_y_load_x, &outcomes);
}

static void start_message(void)
{
	stepped_x = stepped_y = 0;
	explore_cpu(stepped_write_both, NULL);
	explore_cpu(stepped_read_both, NULL);
}

static void note_seen(void)
{
	outcomes |= 1u << (stepped_seen[0] * 2 + stepped_seen[1]);
}

static void start_increments(void)
{
	stepped_x = 0;
	for (unsigned i = 0; i < 3; i++)
		explore_cpu(stepped_increment, NULL);
}

static void start_increments_at_once(void)
{
	stepped_x = 0;
	for (unsigned i = 0; i < 3; i++)
		explore_cpu(stepped_increment_at_once, NULL);
}

static void note_sum(void)
{
	outcomes |= 1u << stepped_x;
}

/* What each of these small programs can end in, on x86, is known: all of that is found, and no
 * more. */
static unsigned outcomes_of(void (*start)(void), void (*check)(void))
{
	outcomes = 0;
	all_orders(start, check);
	return outcomes;
}

TEST(all_outcomes_are_found_and_no_others)
{
	CHECK_EQ(outcomes_of(start_store_and_load, note_seen), 0xf); /* 0, 0: both in buffers */
	CHECK_EQ(outcomes_of(start_fenced, note_seen), 0xe);
	CHECK_EQ(outcomes_of(start_message, note_seen), 0xb); /* not y without x */
	CHECK_EQ(outcomes_of(start_increments, note_sum), 0xe);
	CHECK_EQ(outcomes_of(start_increments_at_once, note_sum), 0x8);
}

/* ---- ring 0: the lock, and calls ---- */

static unsigned calls, inside, rounds;

static void count_call(void *unused)
{
	(void)unused;
	calls++;
}

/* The one calls the others while they want the lock, or sleep, or hold it. */
static void locks_and_calls(uint64_t number)
{
	for (unsigned i = 0; i < rounds; i++) {
		enter_kernel();
		CHECK_EQ(inside++, 0);
		if (number == 0) {
			cpu_call(NULL, NULL, count_call, NULL);
			CHECK_EQ(calls, core_count * (i + 1));
		}
		inside--;
		thread_return_to_user();
	}
}

static void start_calls_among(unsigned count)
{
	start_machine(count);
	calls = inside = 0;
	rounds = 1;
	for (unsigned i = 0; i < 2; i++)
		start_thread(i, locks_and_calls, i);
}

static void start_calls(void)
{
	start_calls_among(2);
}

static void start_calls_of_three(void)
{
	start_calls_among(3);
}

TEST(calls_are_served_by_cores_that_wait_for_the_lock_or_sleep)
{
	all_orders(start_calls, all_cores_sleep);
	some_orders(start_calls_of_three, all_cores_sleep, is_long ? 500000 : 1000);
}

/* ---- ring 0: messages and wait sets ---- */

static struct channel *ends[2];
static struct waitset *set;
static struct event *event;
static unsigned sent, received, sender_count, messages;

static void sends(uint64_t unused)
{
	(void)unused;
	for (unsigned i = 0; i < messages; i++) {
		struct message *message;

		enter_kernel();
		message = message_alloc(NULL, 8, 0);
		CHECK_EQ(channel_check_send(ends[0]), 0);
		channel_send(ends[0], message);
		sent++;
		thread_return_to_user();
	}
}

static void signals(uint64_t unused)
{
	(void)unused;
	enter_kernel();
	event_signal(event, 1);
	thread_return_to_user();
}

static void receives(uint64_t wanted)
{
	while (received < wanted) {
		uint64_t keys[2];
		int count;

		enter_kernel();
		count = waitset_wait(set, keys, 2, UINT64_MAX);
		CHECK(count > 0);
		for (int i = 0; i < count; i++) {
			if (keys[i] == 1) {
				message_free(channel_pop(ends[1]));
				received++;
			} else {
				received += event_take(event);
			}
		}
		thread_return_to_user();
	}
}

static void make_objects(void)
{
	CHECK_EQ(channel_create(process->quota, ends), 0);
	set = object_alloc(OBJECT_WAITSET, sizeof(*set), process->quota);
	event = object_alloc(OBJECT_EVENT, sizeof(*event), process->quota);
	CHECK_EQ(waitset_add(set, &ends[1]->object, 1), 0);
	CHECK_EQ(waitset_add(set, &event->object, 2), 0);
	sent = received = 0;
}

static void start_messages(void)
{
	start_machine(2);
	make_objects();
	messages = is_long ? 2 : 1;
	sender_count = 1;
	start_thread(0, sends, 0);
	start_thread(1, receives, messages);
}

static void start_senders(void)
{
	start_machine(2);
	make_objects();
	messages = 1;
	start_thread(0, sends, 0);
	start_thread(0, signals, 0);
	start_thread(1, receives, 2);
}

static void all_is_received(void)
{
	all_cores_sleep();
	CHECK_EQ(received, user_count - 2 + messages);
	CHECK(!set->waiter && !ends[1]->message_count && !event->count);
}

TEST(a_message_to_who_is_about_to_sleep_wakes_it)
{
	all_orders(start_messages, all_is_received);
}

TEST(a_message_and_an_event_wake_who_waits_for_both)
{
	all_orders(start_senders, all_is_received);
}

/* ---- ring 0: the end of a thread, and of all that its process has ---- */

static void waits_to_die(uint64_t unused)
{
	uint64_t key;

	(void)unused;
	for (;;) {
		enter_kernel();
		if (waitset_wait(set, &key, 1, UINT64_MAX) > 0)
			event_take(event);
		thread_return_to_user();
	}
}

static struct process *victim;
static struct thread *dying;

static void kills(uint64_t unused)
{
	(void)unused;
	enter_kernel();
	thread_kill(dying);
	thread_return_to_user();
}

static void ends_process(uint64_t unused)
{
	(void)unused;
	enter_kernel();
	process_end(victim, ABI_END_KILLED, 0, 0, 0);
	thread_return_to_user();
}

static void start_kill(void)
{
	start_machine(2);
	make_objects();
	start_thread(1, waits_to_die, 0);
	dying = CONTAINER_OF(list_first(&process->threads), struct thread, of_process);
	start_thread(0, kills, 0);
}

static void start_end(void)
{
	struct process *killer;

	start_machine(2);
	make_objects();
	killer = process;
	CHECK_EQ(process_create(killer->quota, ARENA_SIZE / 4, &victim), 0);
	process = victim;
	start_thread(1, waits_to_die, 0);
	process = killer;
	start_thread(0, ends_process, 0);
}

static void the_thread_is_gone(void)
{
	const struct list *threads = &process->threads;

	all_cores_sleep();
	CHECK(!set->waiter && list_first(threads) && !list_next(threads, list_first(threads)));
}

static void the_victim_is_gone(void)
{
	all_cores_sleep();
	CHECK(victim->object.is_ready && victim->end.reason == ABI_END_KILLED);
	CHECK(!victim->quota && !list_first(&victim->threads) && !victim->space.table.table_count);
	CHECK(!set->waiter);
	for (unsigned i = 0; i < core_count; i++)
		CHECK(cores[i].cpu.space != &victim->space);
}

TEST(a_thread_that_is_killed_before_it_sleeps_or_then_is_gone)
{
	all_orders(start_kill, the_thread_is_gone);
}

/* So long that only a part of the orders is tried. */
TEST(a_process_that_ends_while_its_thread_goes_to_sleep_leaves_nothing)
{
	some_orders(start_end, the_victim_is_gone, is_long ? 2000000 : 5000);
}

/* ---- ring 0: a guest CPU ---- */

static struct vm *vm;
static struct vcpu *vcpu;
static unsigned came;
static bool is_kicked, spins;

/* The guest halts or spins until something comes, and then tells vmm. */
static void guest_waits(bool has_come, struct vm_exit *exit)
{
	if (has_come) {
		came++;
		exit->kind = ABI_EXIT_PORT;
		exit->length = 1;
		exit->port.size = 1;
	} else if (spins || explore_get(interrupt())) {
		while (!explore_get(interrupt()))
			explore_pause();
		exit->kind = ABI_EXIT_INTERRUPT;
	} else {
		exit->kind = ABI_EXIT_HLT;
		exit->length = 1;
	}
}

static void guest(struct vcpu *runs, struct vm_exit *exit)
{
	bool has_come = runs->arch->delivered_count;

	runs->arch->delivered_count = 0;
	guest_waits(has_come, exit);
}

static void runs_guest(uint64_t wanted)
{
	while (came < wanted) {
		int64_t result;

		enter_kernel();
		result = vcpu_run(vcpu);
		CHECK(result == 0 || (result == -ABI_EINTR && is_kicked));
		came += result != 0;
		thread_return_to_user();
	}
}

static void sends_nmi(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		enter_kernel();
		vlapic_message(vm, 0, false, 0x400);
		thread_return_to_user();
	}
}

static void kicks(uint64_t unused)
{
	(void)unused;
	enter_kernel();
	vcpu_kick(vcpu);
	thread_return_to_user();
}

static void start_guest_by(void (*main)(uint64_t))
{
	start_machine(2);
	CHECK_EQ(vm_create(process, 1, 0, &vm), 0);
	CHECK_EQ(vcpu_create(vm, 0, &vcpu), 0);
	fake_guest = guest;
	came = 0;
	is_kicked = spins = false;
	start_thread(1, main, 1);
}

static void start_guest(void)
{
	start_guest_by(runs_guest);
}

static void start_nmi(void)
{
	start_guest();
	start_thread(0, sends_nmi, 1);
}

static void start_nmi_to_spinner(void)
{
	start_nmi();
	spins = true;
}

static void start_nmi_to_poller(void)
{
	start_nmi();
	vcpu->poll_ns = 1;
}

static void start_nmi_to_one_who_polled(void)
{
	start_nmi_to_poller();
	has_clock = true;
}

static void start_kick(void)
{
	start_guest();
	is_kicked = true;
	start_thread(0, kicks, 0);
}

/* The CPU plays its APIC: who sends must not write what the CPU writes. */
static void guest_with_apic(struct vcpu *runs, struct vm_exit *exit)
{
	guest_waits(stepped_cpu_takes(runs, 0x44), exit);
}

static void sends_interrupt(uint64_t unused)
{
	(void)unused;
	enter_kernel();
	vlapic_message(vm, 0, false, 0x44);
	thread_return_to_user();
}

static void start_interrupt(void)
{
	start_guest();
	fake_guest = guest_with_apic;
	vm->wants_apicv = vcpu->arch->has_apicv = true;
	vcpu->arch->cpu.rflags = 0x202;
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | 0xd00) && vlapic_write(vcpu, VLAPIC_SVR, 0x1ff));
	start_thread(0, sends_interrupt, 0);
}

static void start_interrupt_to_spinner(void)
{
	start_interrupt();
	spins = true;
}

/* A thread of the core on which the guest spins. */
static struct thread *sleeper, *waiter;
static bool is_due;

static void sleeps_and_sends_nmi(uint64_t unused)
{
	(void)unused;
	enter_kernel();
	sleeper = thread_current();
	if (waiter)
		thread_wake(waiter);
	while (!is_due)
		thread_block(UINT64_MAX);
	vlapic_message(vm, 0, false, 0x400);
	thread_return_to_user();
}

/* No slice ends here: the guest begins when the sleeper has had its turn. */
static void runs_guest_then(uint64_t wanted)
{
	enter_kernel();
	waiter = thread_current();
	while (!sleeper)
		thread_block(UINT64_MAX);
	thread_return_to_user();
	runs_guest(wanted);
}

static void wakes(uint64_t unused)
{
	(void)unused;
	enter_kernel();
	is_due = true;
	if (sleeper)
		thread_wake(sleeper);
	thread_return_to_user();
}

static void start_sleeper_beside_spinner(void)
{
	sleeper = waiter = NULL;
	is_due = false;
	start_guest_by(runs_guest_then);
	spins = true;
	start_thread(1, sleeps_and_sends_nmi, 0);
	start_thread(0, wakes, 0);
}

static void the_guest_woke(void)
{
	all_cores_sleep();
	CHECK(came && !vcpu->runner && !vcpu->nmi_pending && !vcpu->kicked);
}

TEST(an_interrupt_wakes_a_guest_that_is_about_to_halt)
{
	all_orders(start_nmi, the_guest_woke);
}

TEST(an_interrupt_reaches_a_guest_that_halts_awake)
{
	all_orders(start_nmi_to_poller, the_guest_woke);
}

TEST(an_interrupt_wakes_a_guest_that_was_awake_for_long)
{
	all_orders(start_nmi_to_one_who_polled, the_guest_woke);
}

TEST(an_interrupt_reaches_a_guest_that_spins)
{
	all_orders(start_nmi_to_spinner, the_guest_woke);
}

TEST(an_interrupt_reaches_a_guest_whose_apic_is_in_the_cpu)
{
	all_orders(start_interrupt_to_spinner, the_guest_woke);
	all_orders(start_interrupt, the_guest_woke);
}

TEST(a_thread_that_wakes_beside_a_guest_that_spins_has_its_turn)
{
	all_orders(start_sleeper_beside_spinner, the_guest_woke);
}

TEST(a_kick_reaches_a_guest_that_is_about_to_be_entered)
{
	all_orders(start_kick, the_guest_woke);
}

/* ---- ring 3 ---- */

static enum stepped_ring ring_kind;

static void start_ring(void)
{
	stepped_ring_reset(ring_kind, is_long ? 4 : 3, 2);
	explore_cpu(stepped_driver, NULL);
	explore_cpu(stepped_device, NULL);
}

static void driver_is_done(void)
{
	CHECK(explore_is_done(0) && explore_waits(1));
}

TEST(a_virtqueue_loses_no_wake_up)
{
	for (ring_kind = STEPPED_SPLIT; ring_kind <= STEPPED_PACKED_EVENTS; ring_kind++)
		all_orders(start_ring, driver_is_done);
}

static unsigned threads;

static void start_lockers(void)
{
	stepped_lock_reset(threads, rounds);
	for (unsigned i = 0; i < threads; i++)
		explore_cpu(stepped_locker, (void *)(uintptr_t)i);
}

static void all_had_the_lock(void)
{
	for (unsigned i = 0; i < threads; i++)
		CHECK(explore_is_done(i));
	CHECK_EQ(stepped_total, threads * rounds);
}

TEST(the_lock_between_threads_excludes_and_loses_no_wake_up)
{
	threads = 2;
	rounds = is_long ? 3 : 2;
	all_orders(start_lockers, all_had_the_lock);
	threads = 3;
	rounds = 1;
	all_orders(start_lockers, all_had_the_lock);
}

int main(void)
{
	is_long = getenv("LONG") != NULL;
	RUN(all_outcomes_are_found_and_no_others);
	RUN(calls_are_served_by_cores_that_wait_for_the_lock_or_sleep);
	RUN(a_message_to_who_is_about_to_sleep_wakes_it);
	RUN(a_message_and_an_event_wake_who_waits_for_both);
	RUN(a_thread_that_is_killed_before_it_sleeps_or_then_is_gone);
	RUN(a_process_that_ends_while_its_thread_goes_to_sleep_leaves_nothing);
	RUN(an_interrupt_wakes_a_guest_that_is_about_to_halt);
	RUN(an_interrupt_reaches_a_guest_that_halts_awake);
	RUN(an_interrupt_wakes_a_guest_that_was_awake_for_long);
	RUN(an_interrupt_reaches_a_guest_that_spins);
	RUN(an_interrupt_reaches_a_guest_whose_apic_is_in_the_cpu);
	RUN(a_thread_that_wakes_beside_a_guest_that_spins_has_its_turn);
	RUN(a_kick_reaches_a_guest_that_is_about_to_be_entered);
	RUN(a_virtqueue_loses_no_wake_up);
	RUN(the_lock_between_threads_excludes_and_loses_no_wake_up);
	return unit_end();
}
