/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps, store buffers, and the search for the orders of steps that make a difference. */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS      (2 * EXPLORE_CPUS) /* CPUs, and behind them their store buffers */
#define CONTEXTS   8u
#define STACK_SIZE (128u << 10)
#define EVENTS     60000u
#define WORDS      16384u /* of 8 bytes that were touched; a power of two */
#define FIELDS     8u     /* of a word, that are touched by themselves */
#define STORES     128u
#define SEEN       32u

enum kind {
	DONE,   /* never goes on */
	START,  /* touches nothing */
	READ,   /* one or two words */
	UPDATE, /* reads and writes; all stores before it are visible */
	SIGNAL, /* the same, and waits for no store */
	WAIT,   /* the same when the flag is set */
	FENCE,  /* when all stores are visible */
	SPIN,   /* when a word changed that it has seen */
	FLUSH   /* of a store buffer: its first store */
};

struct op {
	enum kind kind;
	uint64_t address;
	unsigned size;
};

struct clock {
	uint32_t of[SLOTS];
};

struct word {
	uint64_t key;
	unsigned order; /* in which it was touched; else it is free */
	struct field {
		uint8_t bytes;        /* a bit for each; 0 = none is left behind this one */
		uint32_t written;     /* number of the last event that wrote it; 0 = none */
		uint32_t read[SLOTS]; /* and, since, that read it */
	} fields[FIELDS];
};

/* What of a word an access touches. */
struct part {
	uint64_t key;
	uint8_t bytes;
};

/* One step of this order. */
struct event {
	unsigned slot;
	struct clock clock;
};

/* What is known of the place before a step, also from orders tried before. */
struct node {
	uint8_t enabled, sleeping, wanted, done, chosen;
};

struct store {
	uint8_t *address;
	unsigned size;
	uint8_t now[8], was[8]; /* `now`: filled in by hide() */
	struct clock clock;
};

struct explore_context {
	uint64_t rsp;
	uint8_t *stack;
	void (*main)(void *);
	void *argument;
};

void __asan_unpoison_memory_region(const volatile void *p, size_t size) __attribute__((weak));

static struct cpu {
	struct explore_context *context;
	struct op op; /* that it is about to do */
	struct store stores[STORES];
	unsigned store_count;
	struct {
		const struct word *word;
		uint8_t bytes;
		uint32_t at;
	} seen[SEEN]; /* the last of those since SPIN */
	unsigned seen_count;
} cpus[EXPLORE_CPUS];

static struct explore_context contexts[CONTEXTS];
static unsigned cpu_count, context_count, current;
static bool is_on, is_cut;
static uint64_t outside; /* stack pointer */

static struct word words[WORDS];
static struct event events[EVENTS + 1]; /* from 1 on */
static struct node nodes[EVENTS + 1];
static uint32_t event_count, replayed;
static struct clock clocks[SLOTS];
static uint8_t sleeping;
static unsigned order;

static _Noreturn void fail(const char *why)
{
	printf("# order %u, step %u\n", order, event_count);
	explore_fail(why);
}

/* ---- words, and who was there ---- */

static struct word *word_of(uint64_t key)
{
	uint64_t at = key * 0x9e3779b97f4a7c15ull >> 50;

	for (; words[at % WORDS].order == order; at++)
		if (words[at % WORDS].key == key)
			return &words[at % WORDS];
	words[at % WORDS] = (struct word){.key = key, .order = order};
	return &words[at % WORDS];
}

static struct field *field_of(struct word *word, uint8_t bytes)
{
	for (unsigned i = 0; i < FIELDS; i++) {
		if (!word->fields[i].bytes)
			word->fields[i].bytes = bytes;
		if (word->fields[i].bytes == bytes)
			return &word->fields[i];
	}
	fail("a word has too many fields");
}

static bool writes(const struct op *op)
{
	return op->kind == UPDATE || op->kind == SIGNAL || op->kind == WAIT || op->kind == FLUSH;
}

static unsigned parts_of(const struct op *op, struct part parts[2])
{
	unsigned offset = op->address % 8, bytes = ((1u << op->size) - 1) << offset;

	if (op->kind != READ && !writes(op))
		return 0;
	parts[0] = (struct part){op->address / 8, (uint8_t)bytes};
	parts[1] = (struct part){op->address / 8 + 1, (uint8_t)(bytes >> 8)};
	return parts[1].bytes ? 2 : 1;
}

static void join(struct clock *to, const struct clock *from)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (from->of[i] > to->of[i])
			to->of[i] = from->of[i];
}

static bool is_before(uint32_t event, const struct clock *clock)
{
	const struct event *e = &events[event];

	return e->clock.of[e->slot] <= clock->of[e->slot];
}

/* A CPU reads its own stores in its buffer already. */
static bool is_same_cpu(unsigned a, unsigned b)
{
	return a % EXPLORE_CPUS == b % EXPLORE_CPUS;
}

static const struct op *op_of(unsigned slot)
{
	static struct op flush[EXPLORE_CPUS];
	const struct cpu *cpu = &cpus[slot % EXPLORE_CPUS];

	if (slot < EXPLORE_CPUS)
		return &cpu->op;
	flush[slot - EXPLORE_CPUS] =
		(struct op){FLUSH, (uint64_t)cpu->stores[0].address, cpu->stores[0].size};
	return &flush[slot - EXPLORE_CPUS];
}

static bool is_independent(unsigned a, unsigned b)
{
	const struct op *x = op_of(a), *y = op_of(b);
	struct part left[2], right[2];
	unsigned n = parts_of(x, left), m = parts_of(y, right);

	if (is_same_cpu(a, b) || (!writes(x) && !writes(y)))
		return true;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < m; k++)
			if (left[i].key == right[k].key && left[i].bytes & right[k].bytes)
				return false;
	return true;
}

/* ---- store buffers ---- */

/* What others see, and what the CPU sees. Code that was not compiled for steps may have written,
 * too. */
static void hide(struct cpu *cpu)
{
	for (unsigned i = cpu->store_count; i > 0; i--) {
		struct store *store = &cpu->stores[i - 1];

		memcpy(store->now, store->address, store->size);
		memcpy(store->address, store->was, store->size);
	}
}

static void show(struct cpu *cpu)
{
	for (unsigned i = 0; i < cpu->store_count; i++) {
		memcpy(cpu->stores[i].was, cpu->stores[i].address, cpu->stores[i].size);
		memcpy(cpu->stores[i].address, cpu->stores[i].now, cpu->stores[i].size);
	}
}

static void flush(struct cpu *cpu)
{
	memcpy(cpu->stores[0].address, cpu->stores[0].now, cpu->stores[0].size);
	memmove(&cpu->stores[0], &cpu->stores[1], --cpu->store_count * sizeof(struct store));
}

/* Some bytes of it wait in the buffer, but not all as one store: such a read waits, too. */
static bool is_half_stored(const struct cpu *cpu, const struct op *op)
{
	for (unsigned i = cpu->store_count; i > 0; i--) {
		uint64_t start = (uint64_t)cpu->stores[i - 1].address,
			 end = start + cpu->stores[i - 1].size;

		if (start <= op->address && op->address + op->size <= end)
			return false;
		if (start < op->address + op->size && op->address < end)
			return true;
	}
	return false;
}

/* ---- who can go on ---- */

/* The last event that wrote some of these bytes; 0 = none. */
static uint32_t writer_of(const struct word *word, uint8_t bytes)
{
	uint32_t last = 0;

	for (unsigned i = 0; i < FIELDS && word->fields[i].bytes; i++)
		if (word->fields[i].bytes & bytes && word->fields[i].written > last)
			last = word->fields[i].written;
	return last;
}

static bool has_changed(const struct cpu *cpu)
{
	for (unsigned i = 0; i < cpu->seen_count && i < SEEN; i++)
		if (writer_of(cpu->seen[i].word, cpu->seen[i].bytes) > cpu->seen[i].at)
			return true;
	return false;
}

static bool is_enabled(unsigned slot)
{
	const struct cpu *cpu = &cpus[slot % EXPLORE_CPUS];

	if (slot % EXPLORE_CPUS >= cpu_count)
		return false;
	if (slot >= EXPLORE_CPUS)
		return cpu->store_count;
	switch (cpu->op.kind) {
	case DONE:
		return false;
	case READ:
		return !is_half_stored(cpu, &cpu->op);
	case UPDATE:
	case FENCE:
		return !cpu->store_count;
	case WAIT:
		return *(uint32_t *)cpu->op.address;
	case SPIN:
		return has_changed(cpu);
	default:
		return true;
	}
}

/* ---- conflicts ---- */

/* The step could as well have come before that event: one order in which it does is to be tried. */
static void want(uint32_t event, unsigned slot)
{
	struct node *node = &nodes[event];
	uint8_t before = 0;

	if (node->enabled & 1u << slot) {
		node->wanted |= (uint8_t)(1u << slot);
		return;
	}
	for (uint32_t i = event + 1; i <= event_count && !before; i++)
		if (is_before(i, &clocks[slot]))
			before = node->enabled & (uint8_t)(1u << events[i].slot);
	node->wanted |= before ? before : node->enabled;
}

static void want_if(uint32_t event, unsigned slot)
{
	if (event && !is_same_cpu(events[event].slot, slot) && !is_before(event, &clocks[slot]))
		want(event, slot);
}

static void find_conflicts(unsigned slot, const struct op *op)
{
	struct part parts[2];
	unsigned n = parts_of(op, parts);

	for (unsigned i = 0; i < n; i++) {
		const struct field *field = word_of(parts[i].key)->fields;

		for (unsigned f = 0; f < FIELDS && field[f].bytes; f++) {
			if (!(field[f].bytes & parts[i].bytes))
				continue;
			want_if(field[f].written, slot);
			for (unsigned k = 0; k < SLOTS && writes(op); k++)
				want_if(field[f].read[k], slot);
		}
	}
}

/* The step comes after those that it conflicts with. */
static void join_word(struct clock *clock, const struct word *word, uint8_t bytes, bool is_write)
{
	const struct field *field = word->fields;

	for (unsigned f = 0; f < FIELDS && field[f].bytes; f++) {
		if (!(field[f].bytes & bytes))
			continue;
		join(clock, &events[field[f].written].clock);
		for (unsigned k = 0; k < SLOTS && is_write; k++)
			join(clock, &events[field[f].read[k]].clock);
	}
}

/* What had to happen for the step to be possible at all. */
static void join_causes(unsigned slot, const struct op *op)
{
	struct clock *clock = &clocks[slot];
	const struct cpu *cpu = &cpus[slot % EXPLORE_CPUS];

	if (slot >= EXPLORE_CPUS)
		join(clock, &cpu->stores[0].clock);
	else if (op->kind == UPDATE || op->kind == FENCE)
		join(clock, &clocks[slot + EXPLORE_CPUS]);
	for (unsigned i = 0; i < cpu->seen_count && i < SEEN && op->kind == SPIN; i++)
		join(clock, &events[writer_of(cpu->seen[i].word, cpu->seen[i].bytes)].clock);
}

static void note(unsigned slot, const struct op *op)
{
	struct clock *clock = &clocks[slot];
	struct cpu *cpu = &cpus[slot % EXPLORE_CPUS];
	struct part parts[2];
	unsigned n = parts_of(op, parts);

	for (unsigned i = 0; i < n; i++)
		join_word(clock, word_of(parts[i].key), parts[i].bytes, writes(op));
	clock->of[slot] = event_count;
	events[event_count] = (struct event){slot, *clock};
	for (unsigned i = 0; i < n; i++) {
		struct word *word = word_of(parts[i].key);
		struct field *field = field_of(word, parts[i].bytes);

		if (writes(op)) {
			field->written = event_count;
			memset(field->read, 0, sizeof(field->read));
		} else {
			field->read[slot] = event_count;
		}
		if (slot < EXPLORE_CPUS) {
			cpu->seen[cpu->seen_count % SEEN].word = word;
			cpu->seen[cpu->seen_count % SEEN].bytes = parts[i].bytes;
			cpu->seen[cpu->seen_count++ % SEEN].at = event_count;
		}
	}
	if (op->kind == SPIN)
		cpu->seen_count = 0;
}

/* ---- one step ---- */

/* Stores first, then whoever ran last: as if there were no buffers, and few changes. */
static unsigned favourite(uint8_t among)
{
	if (among >> EXPLORE_CPUS)
		return (unsigned)__builtin_ctz(among >> EXPLORE_CPUS) + EXPLORE_CPUS;
	return among & 1u << current ? current : (unsigned)__builtin_ctz(among);
}

/* Which slot makes the next step; -1: none, as nobody can, or others have gone this way before. */
static int choose(void)
{
	struct node *node = &nodes[++event_count];
	uint8_t enabled = 0, asleep = 0;

	if (event_count == EVENTS)
		fail("it goes on for ever");
	for (unsigned i = 0; i < SLOTS; i++)
		enabled |= (uint8_t)(is_enabled(i) << i);
	if (event_count > replayed) {
		if (!(enabled & ~sleeping)) {
			is_cut = enabled;
			event_count--;
			return -1;
		}
		*node = (struct node){.enabled = enabled, .sleeping = sleeping};
		node->chosen = (uint8_t)favourite(enabled & (uint8_t)~sleeping);
		node->wanted = (uint8_t)(1u << node->chosen);
	} else if (node->enabled != enabled) {
		fail("it is not the same each time");
	}
	join_causes(node->chosen, op_of(node->chosen));
	find_conflicts(node->chosen, op_of(node->chosen));
	for (unsigned i = 0; i < SLOTS; i++)
		if ((node->sleeping | node->done) & 1u << i && i != node->chosen &&
		    is_independent(i, node->chosen))
			asleep |= (uint8_t)(1u << i);
	sleeping = asleep;
	note(node->chosen, op_of(node->chosen));
	return node->chosen;
}

/* Store buffers move until it is a CPU's turn. */
static int next_cpu(void)
{
	int slot;

	while ((slot = choose()) >= (int)EXPLORE_CPUS)
		flush(&cpus[slot - (int)EXPLORE_CPUS]);
	return slot;
}

/* Saves what a function keeps for its caller, and the stack pointer; goes on with another. */
void explore_jump(uint64_t *from, uint64_t to);
__asm__(".globl explore_jump\n"
	"explore_jump: push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
	"mov %rsp, (%rdi); mov %rsi, %rsp\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret");

static void step(enum kind kind, uint64_t address, unsigned size)
{
	struct cpu *me = &cpus[current];
	int next;

	me->op = (struct op){kind, address, size};
	hide(me);
	next = next_cpu();
	if (next < 0) {
		explore_jump(&me->context->rsp, outside);
	} else if ((unsigned)next != current) {
		current = (unsigned)next;
		explore_jump(&me->context->rsp, cpus[next].context->rsp);
	}
	show(me);
}

/* Stacks are a CPU's own, but for the first of the program, which sets things up. */
static bool is_private(uint64_t address)
{
	return !is_on || (address >= (uint64_t)contexts[0].stack &&
			  address < (uint64_t)contexts[0].stack + CONTEXTS * STACK_SIZE);
}

static void will_read(const void *p, uint64_t size)
{
	uint64_t address = (uint64_t)p;

	if (is_private(address))
		return;
	for (uint64_t part; size; size -= part, address += part) {
		part = size < 8 ? size : 8;
		step(READ, address, (unsigned)part);
	}
}

static void will_write(void *p, uint64_t size)
{
	struct cpu *cpu = &cpus[current];
	uint8_t *address = p;

	if (is_private((uint64_t)p))
		return;
	for (uint64_t part; size; size -= part, address += part) {
		struct store *store;

		if (cpu->store_count == STORES)
			step(FENCE, 0, 0);
		part = size < 8 ? size : 8;
		store = &cpu->stores[cpu->store_count++];
		*store = (struct store){
			.address = address, .size = (unsigned)part, .clock = clocks[current]};
		memcpy(store->was, address, part);
	}
}

static void will_update(volatile void *p, unsigned size)
{
	if (!is_private((uint64_t)p))
		step(UPDATE, (uint64_t)p, size);
}

/* ---- orders ---- */

static void enter(void)
{
	struct explore_context *context = cpus[current].context;

	show(&cpus[current]);
	context->main(context->argument);
	step(DONE, 0, 0);
	fail("who is done goes on");
}

struct explore_context *explore_context(void (*main)(void *), void *argument)
{
	struct explore_context *context = &contexts[context_count++];
	uint64_t *frame;

	if (context_count > CONTEXTS)
		fail("there are too many stacks");
	context->main = main;
	context->argument = argument;
	frame = (uint64_t *)(context->stack + STACK_SIZE) - 8; /* six registers, and where to */
	frame[6] = (uint64_t)enter;
	context->rsp = (uint64_t)frame;
	return context;
}

struct explore_context *explore_cpu(void (*main)(void *), void *argument)
{
	struct cpu *cpu = &cpus[cpu_count++];

	if (cpu_count > EXPLORE_CPUS)
		fail("there are too many CPUs");
	cpu->context = explore_context(main, argument);
	cpu->op.kind = START;
	return cpu->context;
}

static void run_once(void (*start)(void))
{
	int next;

	order++;
	event_count = cpu_count = context_count = current = 0;
	sleeping = 0;
	is_cut = false;
	memset(clocks, 0, sizeof(clocks));
	if (__asan_unpoison_memory_region) /* the last order left functions in their middle */
		__asan_unpoison_memory_region(contexts[0].stack, CONTEXTS * STACK_SIZE);
	for (unsigned i = 0; i < EXPLORE_CPUS; i++)
		cpus[i].store_count = cpus[i].seen_count = 0;
	start();
	is_on = true;
	next = next_cpu();
	current = (unsigned)next;
	explore_jump(&outside, cpus[current].context->rsp);
	is_on = false;
}

/* Goes back to the last step behind which another is to be tried; false = there is none. */
static bool turn_back(void)
{
	for (; event_count > 0; event_count--) {
		struct node *node = &nodes[event_count];
		uint8_t rest;

		node->done |= (uint8_t)(1u << node->chosen);
		rest = node->wanted & (uint8_t) ~(node->done | node->sleeping);
		if (!rest)
			continue;
		node->chosen = (uint8_t)__builtin_ctz(rest);
		replayed = event_count;
		return true;
	}
	return false;
}

unsigned explore(void (*start)(void), void (*check)(void), unsigned limit)
{
	unsigned whole = 0, cut = 0;
	uint32_t longest = 0;

	if (!contexts[0].stack) {
		uint8_t *stacks = mmap(NULL, CONTEXTS * STACK_SIZE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (unsigned i = 0; i < CONTEXTS; i++)
			contexts[i].stack = stacks + i * STACK_SIZE;
	}
	replayed = 0;
	do {
		if (whole + cut == limit)
			return 0;
		run_once(start);
		longest = event_count > longest ? event_count : longest;
		if (is_cut) {
			cut++;
			continue;
		}
		whole++;
		for (unsigned i = 0; i < cpu_count; i++)
			if (cpus[i].op.kind != DONE && cpus[i].op.kind != WAIT)
				fail("a CPU waits for ever");
		check();
	} while (turn_back());
	printf("# %u orders of up to %u steps, %u more given up\n", whole, longest, cut);
	return whole;
}

void explore_switch(struct explore_context *from, struct explore_context *to)
{
	hide(&cpus[current]);
	cpus[current].context = to;
	explore_jump(&from->rsp, to->rsp);
	show(&cpus[current]);
}

unsigned explore_this(void)
{
	return current;
}

uint32_t explore_get(const uint32_t *flag)
{
	if (is_on)
		step(READ, (uint64_t)flag, sizeof(*flag));
	return *flag;
}

uint32_t explore_set(uint32_t *flag, uint32_t value)
{
	uint32_t was;

	if (is_on)
		step(SIGNAL, (uint64_t)flag, sizeof(*flag));
	was = *flag;
	*flag = value;
	return was;
}

void explore_wait(uint32_t *flag)
{
	step(WAIT, (uint64_t)flag, sizeof(*flag));
	*flag = 0;
}

void explore_fence(void)
{
	if (is_on)
		step(FENCE, 0, 0);
}

void explore_pause(void)
{
	step(SPIN, 0, 0);
}

bool explore_is_used(const struct explore_context *context)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpus[i].context == context)
			return true;
	return false;
}

bool explore_waits(unsigned cpu)
{
	return cpus[cpu].op.kind == WAIT;
}

bool explore_is_done(unsigned cpu)
{
	return cpus[cpu].op.kind == DONE;
}

/* ---- what the compiler calls before accesses; LLVM, compiler-rt, tsan_interface.h ---- */

#define ACCESS(name, function)                                                                     \
	void name(void *p);                                                                        \
	void name(void *p)                                                                         \
	{                                                                                          \
		function;                                                                          \
	}
#define ACCESSES(size)                                                                             \
	ACCESS(__tsan_read##size, will_read(p, size))                                              \
	ACCESS(__tsan_write##size, will_write(p, size))                                            \
	ACCESS(__tsan_unaligned_read##size, will_read(p, size))                                    \
	ACCESS(__tsan_unaligned_write##size, will_write(p, size))
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
ACCESS(__tsan_func_entry, (void)p)

void __tsan_init(void);
void __tsan_func_exit(void);
void __tsan_read_range(void *p, unsigned long size);
void __tsan_write_range(void *p, unsigned long size);

void __tsan_init(void)
{
}

void __tsan_func_exit(void)
{
}

void __tsan_read_range(void *p, unsigned long size)
{
	will_read(p, size);
}

void __tsan_write_range(void *p, unsigned long size)
{
	will_write(p, size);
}

#define ATOMIC(type, bits, name, operation)                                                        \
	type __tsan_atomic##bits##_##name(volatile type *p, type value, int order_of);             \
	type __tsan_atomic##bits##_##name(volatile type *p, type value, int order_of)              \
	{                                                                                          \
		type was;                                                                          \
                                                                                                   \
		(void)order_of;                                                                    \
		will_update(p, sizeof(type));                                                      \
		was = *p;                                                                          \
		*p = (type)(operation);                                                            \
		return was;                                                                        \
	}
#define ATOMICS(type, bits)                                                                        \
	type __tsan_atomic##bits##_load(const volatile type *p, int order_of);                     \
	type __tsan_atomic##bits##_load(const volatile type *p, int order_of)                      \
	{                                                                                          \
		(void)order_of;                                                                    \
		will_read((const void *)(uintptr_t)p, sizeof(type));                               \
		return *p;                                                                         \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile type *p, type value, int order_of);              \
	void __tsan_atomic##bits##_store(volatile type *p, type value, int order_of)               \
	{                                                                                          \
		if (order_of == __ATOMIC_SEQ_CST)                                                  \
			will_update(p, sizeof(type));                                              \
		else                                                                               \
			will_write((void *)(uintptr_t)p, sizeof(type));                            \
		*p = value;                                                                        \
	}                                                                                          \
	int __tsan_atomic##bits##_compare_exchange_strong(                                         \
		volatile type *p, type *expected, type value, int order_of, int otherwise);        \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *expected,        \
							  type value, int order_of, int otherwise) \
	{                                                                                          \
		(void)order_of, (void)otherwise;                                                   \
		will_update(p, sizeof(type));                                                      \
		if (*p == *expected) {                                                             \
			*p = value;                                                                \
			return 1;                                                                  \
		}                                                                                  \
		*expected = *p;                                                                    \
		return 0;                                                                          \
	}                                                                                          \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected,           \
							type value, int order_of, int otherwise);  \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected,           \
							type value, int order_of, int otherwise)   \
	{                                                                                          \
		__tsan_atomic##bits##_compare_exchange_strong(p, &expected, value, order_of,       \
							      otherwise);                          \
		return expected;                                                                   \
	}                                                                                          \
	ATOMIC(type, bits, exchange, value)                                                        \
	ATOMIC(type, bits, fetch_add, was + value)                                                 \
	ATOMIC(type, bits, fetch_sub, was - value)                                                 \
	ATOMIC(type, bits, fetch_and, was &value)                                                  \
	ATOMIC(type, bits, fetch_or, was | value)
ATOMICS(uint8_t, 8)
ATOMICS(uint16_t, 16)
ATOMICS(uint32_t, 32)
ATOMICS(uint64_t, 64)
