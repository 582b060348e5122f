/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy: on each core the earliest eligible virtual deadline first (Stoica and Abdel-Wahab,
 * "Earliest Eligible Virtual Deadline First", 1995), among processes, and inside a turn among the
 * threads of the process.
 *
 * A share's virtual time is the CPU time that it had by its weight, the core's is the weighted mean
 * of all that run or wait there. Who asks for a slice may have it as soon as his virtual time is
 * not ahead of the core's, and the first is he who by his weight would have got it first. So nobody
 * is ever ahead or behind by more than two slices. What sleeps loses what it was behind and keeps
 * what it was ahead, and asks for less at first when it wakes: so it is quick if it does little,
 * and waking often gives no more.
 *
 * With a priority a process comes before all that, while its budget lasts, and then goes on by its
 * weight. Without one it waits for the next period when its budget is used up.
 */
#include "kernel/sched.h"

#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/vcpu.h"

#define SCALE          1024u /* of virtual time: clock ns * SCALE / weight */
#define WAKE_SLICE_NS  (SCHED_SLICE_NS / 8)
#define BUDGET_MIN_NS  100000u
#define PERIOD_MAX_NS  10000000000u
#define PRIORITY_SHIFT 56 /* of the key of those that have one; below is since when they wait */

static void slice_over(struct timer *timer)
{
	CONTAINER_OF(timer, struct cpu, slice)->should_yield = true;
}

/* ---- virtual time ---- */

static int64_t ahead(const struct share *share)
{
	return (int64_t)(share->virtual_time - share->cpu->virtual_time);
}

/* So much has been added to what all are ahead of the core, each by its weight; they are never
 * ahead in sum, but for what a division leaves. */
static void level(struct cpu *cpu, int64_t sum)
{
	int64_t mean;

	sum += cpu->ahead;
	mean = cpu->weight ? sum / cpu->weight : 0;
	if (mean * cpu->weight > sum)
		mean--;
	cpu->virtual_time += (uint64_t)mean;
	cpu->ahead = cpu->weight ? sum - mean * cpu->weight : 0;
}

/* 0: it wants none of the core's fair time now. Who comes back is behind by what he was when he
 * left, at most: the mean moves with him. */
static void set_weight(struct share *share, uint32_t weight)
{
	struct cpu *cpu = share->cpu;
	int64_t change = (int64_t)weight - share->weight, behind = share->behind;

	if (!change)
		return;
	if (cpu->weight)
		behind += behind * weight / cpu->weight;
	if (!weight)
		share->behind = MAX(-ahead(share), 0);
	else if (!share->weight && ahead(share) < -behind)
		share->virtual_time = cpu->virtual_time - (uint64_t)behind;
	share->weight = weight;
	cpu->weight += change;
	level(cpu, change * ahead(share));
}

static void ask(struct share *share, int64_t ns)
{
	share->left_ns = ns;
	share->deadline = share->virtual_time + (uint64_t)ns * SCALE / share->weight;
	share->is_new = true;
}

/* Charges the current share for the time since its thread was switched to. */
static void charge(struct cpu *cpu)
{
	struct share *share = cpu->share;
	uint64_t now_ns = arch_now_ns(), ran_ns = now_ns - cpu->switched_ns, virtual;

	cpu->switched_ns = now_ns;
	if (!share)
		return;
	cpu->run_ns += ran_ns;
	share->run_ns += ran_ns;
	share->left_ns -= (int64_t)ran_ns;
	if (share->process)
		share->process->budget_left_ns -= (int64_t)ran_ns;
	if (!share->weight)
		return;
	virtual = ran_ns * SCALE / share->weight;
	share->virtual_time += virtual;
	level(cpu, (int64_t)(virtual * share->weight));
}

/* ---- budgets ---- */

static bool has_budget(struct process *process, uint64_t now_ns)
{
	const struct abi_sched *sched = &process->sched;
	uint64_t periods;

	if (!sched->budget_ns)
		return true;
	if (now_ns >= process->refill_ns) {
		periods = (now_ns - process->refill_ns) / sched->period_ns + 1;
		process->refill_ns += periods * sched->period_ns;
		process->budget_left_ns =
			MIN(process->budget_left_ns + (int64_t)(periods * sched->budget_ns),
			    (int64_t)sched->budget_ns);
	}
	return process->budget_left_ns > 0;
}

/* What is left of it until this share has to stop or to go behind others; UINT64_MAX: it need not.
 */
static int64_t budget_left(const struct share *share)
{
	const struct process *process = share->process;

	if (!process || !process->sched.budget_ns || (process->sched.priority && share->weight))
		return INT64_MAX;
	return process->budget_left_ns;
}

/* ---- who is next on a core ---- */

/* It has a thread that is ready. */
static void line_up(struct share *share)
{
	struct cpu *cpu = share->cpu;
	struct process *process = share->process;
	bool has = !process || has_budget(process, cpu->switched_ns), was_out = !share->weight;
	uint32_t priority = process ? process->sched.priority : 0;

	if (!has) /* until then it waits, or has no priority */
		timer_set(&share->refill, process->refill_ns);
	if (has && priority) {
		set_weight(share, 0);
		share->left_ns = SCHED_SLICE_NS;
		heap_insert(&cpu->urgent, &share->node,
			    ((uint64_t)(ABI_PRIORITY_MAX - priority) << PRIORITY_SHIFT) +
				    cpu->switched_ns / SCALE);
		return;
	}
	if (!has && !priority) {
		set_weight(share, 0);
		return;
	}
	set_weight(share, process ? process->sched.weight : ABI_WEIGHT_DEFAULT);
	if (was_out || share->left_ns <= 0)
		ask(share, was_out ? WAKE_SLICE_NS : SCHED_SLICE_NS);
	if (share->is_new && ahead(share) > 0)
		heap_insert(&cpu->early, &share->node, share->virtual_time);
	else
		heap_insert(&cpu->ready, &share->node, share->deadline);
}

static void withdraw(struct share *share)
{
	if (share->node.top)
		heap_remove(&share->node);
	timer_cancel(&share->refill);
	set_weight(share, 0);
}

/* The one that may run next, NULL = none is ready. */
static struct share *first(struct cpu *cpu)
{
	struct heap_node *node;

	while ((node = cpu->early) && (int64_t)(node->key - cpu->virtual_time) <= 0) {
		heap_remove(node);
		heap_insert(&cpu->ready, node, CONTAINER_OF(node, struct share, node)->deadline);
	}
	node = cpu->urgent ? cpu->urgent : cpu->ready;
	return node ? CONTAINER_OF(node, struct share, node) : NULL;
}

static uint32_t priority(const struct share *share)
{
	return share->weight || !share->process ? 0 : share->process->sched.priority;
}

/* Whether the share, which waits, goes before the one that runs. */
static bool is_before(const struct share *share, const struct share *current)
{
	if (priority(share) || priority(current))
		return share->node.top && priority(share) > priority(current);
	return share->node.top == &share->cpu->ready &&
	       (int64_t)(share->deadline - current->deadline) < 0;
}

static bool is_allowed(const struct abi_sched *sched, const struct cpu *cpu)
{
	return sched->cpus[cpu->index / 64 % ABI_CPU_WORDS] >> cpu->index % 64 & 1;
}

/* Ends the current turn in time, if there is a reason. */
static void arm_slice(struct cpu *cpu)
{
	const struct share *share = cpu->share;
	int64_t left;

	if (!share)
		return;
	left = budget_left(share);
	if (cpu->urgent || cpu->ready || cpu->early || list_first(&share->threads))
		left = MIN(left, share->left_ns);
	if (share->process && !is_allowed(&share->process->sched, cpu))
		left = 0;
	timer_set(&cpu->slice,
		  left == INT64_MAX ? UINT64_MAX : cpu->switched_ns + (uint64_t)MAX(left, 0));
}

/* A thread of a share that does not run became ready: what runs may have to make room. */
static void contend(struct share *share)
{
	struct cpu *cpu = share->cpu;

	charge(cpu);
	line_up(share);
	if (cpu->share && is_before(share, cpu->share))
		cpu->should_yield = true;
	arm_slice(cpu);
}

/* It may have a budget again: it goes where it belongs now. */
static void refill(struct timer *timer)
{
	struct share *share = CONTAINER_OF(timer, struct share, refill);
	struct cpu *cpu = share->cpu;

	charge(cpu);
	if (cpu->share == share) {
		cpu->should_yield = true;
	} else if (list_first(&share->threads)) {
		withdraw(share);
		contend(share);
	}
}

static void enqueue(struct cpu *cpu, struct thread *thread)
{
	struct share *share = thread->share;
	bool waits = list_first(&share->threads);

	list_insert(&share->threads, &thread->ready_link);
	if (share == cpu->share)
		cpu->should_yield = true; /* one of its own may go first */
	else if (!waits)
		contend(share);
}

/* ---- which core ---- */

bool sched_add_share(struct process *process)
{
	struct share *share = &process->share;
	unsigned count = 1;

	if (share->process) {
		for (; share->next; share = share->next)
			count++;
		if (count >= cpu_count)
			return true;
		share = share->next = kalloc(process->quota, sizeof(*share));
		if (!share)
			return false;
	}
	share->process = process;
	share->refill.fire = refill;
	return true;
}

void sched_leave(struct thread *thread)
{
	if (thread->share && --thread->share->thread_count == 0)
		withdraw(thread->share);
}

void sched_place(struct thread *thread, struct cpu *cpu)
{
	struct share *share = &thread->process->share, *unused = NULL;

	sched_leave(thread);
	for (; share && share->cpu != cpu; share = share->next)
		if (!share->thread_count)
			unused = share;
	if (!share) { /* it comes as far ahead as it goes */
		share = unused;
		share->virtual_time +=
			cpu->virtual_time - (share->cpu ? share->cpu->virtual_time : 0);
		share->cpu = cpu;
	}
	thread->share = share;
	share->thread_count++;
}

static uint32_t load(const struct cpu *cpu)
{
	return cpu->ready_count + (cpu->share ? 1 : 0);
}

/* Where it last ran or runs, unless another has less to do even with it; the reaper stays. A core
 * that sleeps on the thread's own stack is the only one that can go on with it. */
static struct cpu *choose(const struct thread *thread)
{
	struct cpu *home = thread->share->cpu, *best = home;
	uint32_t runs = home->share && home->current == thread;

	if (!thread->process || (!runs && home->current == thread))
		return home;
	if (!is_allowed(&thread->process->sched, home))
		best = NULL;
	for (struct cpu *other = cpus; other; other = other->next)
		if (is_allowed(&thread->process->sched, other) &&
		    (!best || load(other) + (other == home ? 0 : runs) < load(best)))
			best = other;
	return best;
}

void sched_receive(void)
{
	struct cpu *cpu = arch_this_cpu();
	struct thread *thread;

	while ((thread = cpu->mailbox)) {
		cpu->mailbox = thread->next_mail;
		enqueue(cpu, thread);
	}
}

void sched_ready(struct thread *thread)
{
	struct cpu *cpu = choose(thread);

	if (cpu != thread->share->cpu) {
		charge(thread->share->cpu);
		sched_place(thread, cpu);
	}
	cpu->ready_count++;
	thread->ready_ns = arch_now_ns();
	arch_trace(thread->process ? (uint32_t)thread->process->id : 0,
		   ABI_TRACE_WAKE | (cpu->index & 0xff));
	if (cpu == arch_this_cpu()) {
		enqueue(cpu, thread);
		return;
	}
	thread->next_mail = cpu->mailbox;
	cpu->mailbox = thread;
	if (!thread->next_mail)
		arch_ipi(cpu);
}

/* The next thread of a share that waits. */
static struct thread *take(struct share *share)
{
	struct list *link = list_first(&share->threads);

	list_remove(link);
	share->cpu->ready_count--;
	return CONTAINER_OF(link, struct thread, ready_link);
}

/* The next thread of that share goes on here. */
static void fetch(struct cpu *cpu, struct share *share)
{
	struct thread *thread = take(share);

	if (share->cpu->share != share && !list_first(&share->threads))
		withdraw(share);
	sched_place(thread, cpu);
	cpu->ready_count++;
	enqueue(cpu, thread);
}

/* A core without work takes what would be next on the one where most waits. */
static bool pull(struct cpu *cpu)
{
	struct cpu *most = NULL;
	struct share *share;

	for (struct cpu *other = cpus; other; other = other->next)
		if (other->share && other->ready_count > (most ? most->ready_count : 0))
			most = other;
	share = most ? first(most) : NULL;
	if (!share || !share->process || !is_allowed(&share->process->sched, cpu))
		return false;
	fetch(cpu, share);
	return true;
}

void sched_let_sibling(void)
{
	struct cpu *cpu = arch_this_cpu();
	struct share *share = cpu->share, *other = &share->process->share;

	for (; other && !list_first(&share->threads); other = other->next)
		if (list_first(&other->threads))
			fetch(cpu, other);
	if (list_first(&share->threads))
		cpu->should_yield = true;
}

/* ---- turns ---- */

/* The share that runs next; NULL = none can. */
static struct share *pick(struct cpu *cpu)
{
	struct share *share;

	while ((share = first(cpu))) {
		heap_remove(&share->node);
		if (budget_left(share) > 0)
			break;
		line_up(share); /* its budget was used up on another core */
	}
	return share;
}

/* Sleeps while no thread can run, on the stack of the one that ran last, unless that may go on
 * elsewhere, or be taken away by the reaper, which runs on the boot core. */
static struct thread *next_thread(struct cpu *cpu)
{
	struct thread *thread;

	cpu->share = NULL;
	for (;;) {
		sched_receive(); /* the idle thread may be there, and nobody is in two places */
		cpu->share = pick(cpu);
		if (cpu->share)
			break;
		if (pull(cpu))
			continue;
		if (cpu->current->share->cpu != cpu || cpu->current->object.refs == 0) {
			cpu->share = cpu->idle->share;
			return cpu->idle;
		}
		arch_trace(0, ABI_TRACE_IDLE);
		lock_give();
		arch_idle();
		lock_take();
		cpu->switched_ns = arch_now_ns();
	}
	cpu->share->is_new = false;
	thread = take(cpu->share);
	thread->waited_ns += cpu->switched_ns - thread->ready_ns;
	return thread;
}

static void space_load(struct cpu *cpu, struct thread *next)
{
	struct space *space = next->process ? &next->process->space : cpu->space;

	if (space == cpu->space)
		return; /* a thread of ring 0 runs in whatever space there is */
	cpu->space = space;
	arch_space_activate(space->table.root);
}

void sched_switch(void)
{
	struct cpu *cpu = arch_this_cpu();
	struct thread *from = cpu->current, *to;

	charge(cpu);
	if (list_first(&cpu->share->threads))
		line_up(cpu->share);
	else
		set_weight(cpu->share, 0);
	timer_cancel(&cpu->slice);
	to = next_thread(cpu);
	cpu->should_yield = false;
	cpu->current = to;
	arm_slice(cpu);
	arch_trace(to->process ? (uint32_t)to->process->id : 0, ABI_TRACE_SWITCH);
	if (to->vcpu)
		arch_trace(0, ABI_TRACE_RUN | (to->vcpu->index & 0xff));
	if (to == from)
		return;
	space_load(cpu, to);
	arch_thread_switch(from, to);
}

/* It may go on elsewhere: not before we have left its stack, as then we give back the lock. */
void thread_yield(void)
{
	struct cpu *cpu = arch_this_cpu();

	arch_irq_window();
	sched_receive();
	if (!cpu->should_yield)
		cpu->share->left_ns = 0; /* it does not want the rest of what it asked for */
	sched_ready(cpu->current);
	sched_switch();
}

void sched_preempt_point(void)
{
	lock_give();
	arch_irq_window();
	lock_take();
	if (arch_this_cpu()->should_yield)
		thread_yield();
}

int sched_set(struct process *process, const struct abi_sched *sched)
{
	bool has_cpu = false;

	for (const struct cpu *cpu = cpus; cpu; cpu = cpu->next)
		has_cpu |= is_allowed(sched, cpu);
	if (!has_cpu || !sched->weight || sched->weight > ABI_WEIGHT_MAX ||
	    sched->priority > ABI_PRIORITY_MAX || (sched->priority && !sched->budget_ns))
		return -ABI_EINVAL;
	if (sched->budget_ns &&
	    (sched->budget_ns < BUDGET_MIN_NS || sched->period_ns < BUDGET_MIN_NS ||
	     sched->period_ns > PERIOD_MAX_NS ||
	     sched->budget_ns > sched->period_ns * ABI_CPU_WORDS * 64))
		return -ABI_EINVAL;
	process->sched = *sched;
	process->budget_left_ns = (int64_t)sched->budget_ns;
	process->refill_ns = arch_now_ns() + sched->period_ns;
	for (struct share *share = &process->share; share; share = share->next)
		if (list_first(&share->threads) && share->cpu->share != share) {
			withdraw(share);
			line_up(share);
		}
	for (struct cpu *cpu = cpus; cpu;
	     cpu = cpu->next) { /* who runs may have to stop, or to go */
		cpu->should_yield = true;
		if (cpu != arch_this_cpu())
			arch_ipi(cpu);
	}
	return 0;
}

uint64_t sched_run_ns(const struct process *process)
{
	uint64_t ns = 0;

	for (const struct share *share = &process->share; share; share = share->next) {
		if (share->thread_count)
			charge(share->cpu);
		ns += share->run_ns;
	}
	return ns;
}

int sched_core_info(uint64_t index, struct abi_core_info *info)
{
	for (struct cpu *cpu = cpus; cpu; cpu = cpu->next) {
		if (cpu->index != index)
			continue;
		charge(cpu);
		info->apic_id = cpu->apic_id;
		info->ready_count = cpu->ready_count;
		info->process = cpu->share && cpu->share->process ? cpu->share->process->id : 0;
		info->run_ns = cpu->run_ns;
		return 0;
	}
	return -ABI_ENOENT;
}

void sched_init(void)
{
	struct cpu *cpu = arch_this_cpu();

	/* What runs on the first stack, and goes on as the reaper, or to sleep. */
	cpu->current = cpu->idle = kalloc(NULL, sizeof(struct thread));
	cpu->share = kalloc(NULL, sizeof(struct share));
	if (!cpu->current || !cpu->share)
		panic("no memory for a core's first thread");
	cpu->share->cpu = cpu;
	cpu->share->thread_count = 1;
	cpu->current->share = cpu->share;
	cpu->current->object.refs = 1;
	cpu->slice.fire = slice_over;
	cpu->deadline_ns = UINT64_MAX;
	cpu->has_lock = cpu_count == 0;
	cpu->index = cpu_count++;
	cpu->next = cpus;
	cpus = cpu;
}
