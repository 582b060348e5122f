/* SPDX-License-Identifier: BSD-2-Clause */
/* What cores have to do with each other: the lock, and calls that one makes on others. */
#include "kernel/cpu.h"

#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/thread.h"
#include "kernel/vcpu.h"

#define ANSWER_NS 10000000000ull

bool lock_is_used;
struct cpu *cpus;
uint32_t cpu_count;

static uint32_t ticket_next = 1, ticket_served; /* of the lock, which the boot core begins with */

/* What the core that has the lock wants of those whose is_called is set. [the lock] */
static struct {
	void (*function)(void *);
	void *argument;
} call;

/* The watchdog, in a loop that waits for others: names who has stopped. */
static void watch(uint64_t *end_ns)
{
	arch_pause();
	if (*end_ns == 0)
		*end_ns = arch_now_ns() + ANSWER_NS;
	if (arch_now_ns() < *end_ns)
		return;
	console_init();
	for (const struct cpu *cpu = cpus; cpu; cpu = cpu->next)
		if (cpu != arch_this_cpu() && (cpu->has_lock || cpu->is_called))
			console_print("\r\ncore of index %u", (uint64_t)cpu->index);
	panic("a core does not answer");
}

void lock_acquire(void)
{
	uint32_t ticket = __atomic_fetch_add(&ticket_next, 1, __ATOMIC_RELAXED);
	uint64_t end_ns = 0;

	while (__atomic_load_n(&ticket_served, __ATOMIC_ACQUIRE) != ticket) {
		cpu_serve();
		watch(&end_ns);
	}
	arch_this_cpu()->has_lock = true;
}

void lock_release(void)
{
	arch_this_cpu()->has_lock = false;
	__atomic_store_n(&ticket_served, ticket_served + 1, __ATOMIC_RELEASE);
}

bool lock_is_wanted(void)
{
	return lock_is_used && __atomic_load_n(&ticket_next, __ATOMIC_RELAXED) != ticket_served + 1;
}

void cpu_serve(void)
{
	struct cpu *cpu = arch_this_cpu();

	if (!__atomic_load_n(&cpu->is_called, __ATOMIC_ACQUIRE))
		return;
	call.function(call.argument);
	__atomic_store_n(&cpu->is_called, false, __ATOMIC_RELEASE);
}

static bool is_meant(const struct cpu *cpu, const struct cpu *only, const struct space *space)
{
	const struct vcpu *vcpu;

	if (only || !space)
		return !only || cpu == only;
	vcpu = cpu->current->vcpu;
	return cpu->space == space || (vcpu && &vcpu->vm->stage2 == space);
}

void cpu_call(const struct cpu *only, const struct space *space, void (*function)(void *),
	      void *argument)
{
	uint64_t end_ns = 0;

	call.function = function;
	call.argument = argument;
	for (struct cpu *cpu = cpus; cpu; cpu = cpu->next) {
		if (cpu == arch_this_cpu() || !is_meant(cpu, only, space))
			continue;
		__atomic_store_n(&cpu->is_called, true, __ATOMIC_RELEASE);
		arch_ipi(cpu);
	}
	if (is_meant(arch_this_cpu(), only, space))
		function(argument);
	for (struct cpu *cpu = cpus; cpu; cpu = cpu->next)
		while (__atomic_load_n(&cpu->is_called, __ATOMIC_ACQUIRE))
			watch(&end_ns);
}
