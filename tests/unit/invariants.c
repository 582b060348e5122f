/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at all of ring 0's objects, and finds what does not fit. */
#define kpage_free kept_kpage_free
#include "kernel/frames.c"
#undef kpage_free

#define kalloc kept_kalloc
#define kfree  kept_kfree
void kpage_free(void *page);
#include "kernel/kalloc.c"
#undef kalloc
#undef kfree

#define object_alloc kept_object_alloc
void *kalloc(struct quota *quota, size_t size);
void kfree(struct quota *quota, void *p, size_t size);
void *kept_object_alloc(enum object_type type, size_t size, struct quota *quota);
#include "kernel/object.c"
#undef object_alloc

#include "kernel/waitset.c"
#define remove doorbell_remove
#include "kernel/device.c"
#include "kernel/vm.c"
#undef remove

#include "kernel/channel.h"
#include "kernel/memory.h"
#include "kernel/process.h"
#include "kernel/vcpu.h"

#include "fake_arch.h"
#include "invariants.h"

#include <stdio.h>

#define HOLDS(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			invariants_broken(#what, __LINE__);                                        \
	} while (0)

#define RAM_START   (1ull << 20)
#define RAM_END     (RAM_START + FAKE_RAM_SIZE)
#define FRAMES      (RAM_END / PAGE_SIZE)
#define BLOCKS      (ALIGN_UP(RAM_END, LARGE_SIZE) / LARGE_SIZE)
#define RECORDS_MAX 40000u
#define PIECE       16u /* no two pieces of kernel memory lie nearer */
#define BOOT_PAGES  1u  /* of ring 0 that nobody asked for: the root of its page table */

/* What is allocated of kernel memory. */
static struct record {
	void *p;
	size_t size;
	struct quota *quota;
	bool is_object;
	uint64_t charged; /* if it is a quota: what must be */
	uint32_t refs;    /* if it is an object: as many have been found */
} records[RECORDS_MAX];
static unsigned record_count;
static uint32_t numbers[RAM_END / PIECE]; /* of records, + 1; 0 = none begins there */

static enum { NOBODY, FREE, KERNEL_FREE, KERNEL } owner[FRAMES];
static uint32_t leaves[FRAMES]; /* in how many memory objects it stands */
static uint8_t is_used[FRAMES]; /* some piece lies in it */
static uint64_t set_aside;

static uint32_t *number_of(const void *p)
{
	uint64_t at = (uint64_t)p - fake_window;

	return at < RAM_END ? &numbers[at / PIECE] : NULL;
}

/* NULL = nothing that is allocated begins there. */
static struct record *record_of(const void *p)
{
	const uint32_t *number = number_of(p);

	return number && *number ? &records[*number - 1] : NULL;
}

static void forget(void *p)
{
	struct record *record = record_of(p), *last = &records[record_count - 1];

	*number_of(p) = 0;
	if (record != last) {
		*record = *last;
		*number_of(record->p) = (uint32_t)(record - records) + 1;
	}
	record_count--;
}

void *kalloc(struct quota *quota, size_t size)
{
	void *p = kept_kalloc(quota, size);

	if (!p)
		return NULL;
	HOLDS(record_count < RECORDS_MAX && !*number_of(p));
	records[record_count] = (struct record){.p = p, .size = size, .quota = quota};
	*number_of(p) = ++record_count;
	return p;
}

void kfree(struct quota *quota, void *p, size_t size)
{
	HOLDS(record_of(p) && record_of(p)->size == size);
	forget(p);
	kept_kfree(quota, p, size);
}

/* Also what memory_wrap() took over of somebody. */
void kpage_free(void *page)
{
	if (record_of(page))
		forget(page);
	kept_kpage_free(page);
}

void *object_alloc(enum object_type type, size_t size, struct quota *quota)
{
	struct object *object = kept_object_alloc(type, size, quota);

	if (object)
		record_of(object)->is_object = true;
	return object;
}

/* ---- frames ---- */

static uint64_t frame_at(const struct block *block)
{
	return block_frame(block).value / PAGE_SIZE;
}

static void note_frame(uint64_t frame, int who)
{
	HOLDS(frame >= RAM_START / PAGE_SIZE && frame < FRAMES && owner[frame] == NOBODY);
	owner[frame] = who;
}

/* The blocks of a list, and their free frames. */
static unsigned note_blocks(const struct list *blocks, bool is_kernel, uint64_t *frames)
{
	unsigned count = 0;

	for (const struct list *link = list_first(blocks); link; link = list_next(blocks, link)) {
		const struct block *block = CONTAINER_OF(link, struct block, link);
		unsigned bits = 0;

		HOLDS(block->is_kernel == is_kernel && ++count <= BLOCKS);
		for (unsigned i = 0; i < BLOCK_FRAMES; i++) {
			if (blocks != &free_blocks && !(block->free[i / 64] >> i % 64 & 1))
				continue;
			bits++;
			note_frame(frame_at(block) + i, is_kernel ? KERNEL_FREE : FREE);
		}
		HOLDS(block->free_count == (blocks == &free_blocks ? 0 : bits) && bits);
		HOLDS(blocks != &broken_blocks || bits < BLOCK_FRAMES); /* else it were whole */
		*frames += bits;
	}
	return count;
}

static void check_blocks(void)
{
	uint64_t free = 0, kernel_free = 0;
	unsigned whole = note_blocks(&free_blocks, false, &free);
	unsigned partial = note_blocks(&broken_blocks, false, &free) +
			   note_blocks(&kernel_blocks, true, &kernel_free);

	(void)whole;
	HOLDS(free == free_count && kernel_free == kernel_free_count);
	HOLDS(reserved_count <= free_count && kernel_free_count >= 1);
	for (unsigned i = 0; i < BLOCKS; i++) {
		const struct block *block = (const struct block *)FRAMES_META + i;

		partial -= block->free_count != 0;
		for (unsigned k = 0; k < BLOCK_FRAMES && block->is_kernel; k++)
			if (!(block->free[k / 64] >> k % 64 & 1))
				note_frame(frame_at(block) + k, KERNEL);
	}
	HOLDS(partial == 0);
}

/* Each frame of the machine has the owners that it counts, and none is lost. */
static void check_owners(void)
{
	uint64_t shares = 0, kernel = 0, used = 0;

	for (unsigned i = 0; i < record_count; i++)
		is_used[((uint64_t)records[i].p - fake_window) / PAGE_SIZE] = 1;
	for (uint64_t frame = 0; frame < FRAMES; frame++) {
		uint32_t more = *frames_shares((hpa_t){frame * PAGE_SIZE});

		shares += more;
		kernel += owner[frame] == KERNEL;
		used += is_used[frame];
		HOLDS(!is_used[frame] || owner[frame] == KERNEL);
		if (frame < RAM_START / PAGE_SIZE)
			HOLDS(leaves[frame] == more); /* files, which stay for ever */
		else if (owner[frame] == NOBODY)
			HOLDS(leaves[frame] == more + 1);
		else
			HOLDS(leaves[frame] == 0 && more == 0);
	}
	HOLDS(kernel == used + BOOT_PAGES);
	HOLDS(reserved_count == set_aside + shares);
}

/* ---- page tables ---- */

struct walk {
	const struct pagetable *pt;
	void (*leaf)(struct walk *walk, uint64_t address, unsigned level, uint64_t entry);
	const struct memory *memory; /* whose tree it is */
	const struct space *space;   /* or whose table */
	uint64_t tables, owned, borrowed;
};

static hpa_t frame_of(uint64_t entry, unsigned level)
{
	return (hpa_t){entry & 0x000ffffffffff000ull & ~(pagetable_size(level) - 1)};
}

static void walk_table(struct walk *walk, hpa_t table, unsigned level, uint64_t address)
{
	const uint64_t *entries = kpage_at(table);

	walk->tables++;
	HOLDS(record_of(entries) && record_of(entries)->size == PAGE_SIZE &&
	      record_of(entries)->quota == walk->pt->quota);
	for (unsigned i = 0; i < 512; i++, address += pagetable_size(level)) {
		if (!(entries[i] & walk->pt->format->present_mask))
			HOLDS(entries[i] == 0);
		else if (level == 1 || entries[i] & 1 << 7)
			walk->leaf(walk, address, level, entries[i]);
		else
			walk_table(walk, frame_of(entries[i], 1), level - 1, address);
	}
}

static void walk_all(struct walk *walk)
{
	if (walk->pt->table_count)
		walk_table(walk, walk->pt->root, walk->pt->levels, 0);
	HOLDS(walk->tables == walk->pt->table_count);
}

/* ---- memory objects ---- */

static void note_leaves(hpa_t frame, uint64_t count)
{
	HOLDS(frame.value / PAGE_SIZE + count <= FRAMES);
	for (uint64_t i = 0; i < count; i++)
		leaves[frame.value / PAGE_SIZE + i]++;
}

static void tree_leaf(struct walk *walk, uint64_t address, unsigned level, uint64_t entry)
{
	uint64_t pages = pagetable_size(level) / PAGE_SIZE;
	bool is_own = entry & walk->pt->format->write_bits;

	HOLDS(address < walk->memory->size && (level == 1 || is_own));
	if (address < walk->memory->freed)
		return;
	note_leaves(frame_of(entry, level), pages);
	walk->owned += is_own ? pages : 0;
	walk->borrowed += is_own ? 0 : pages;
}

static void check_memory(const struct memory *memory)
{
	struct walk walk = {.pt = &memory->tree, .leaf = tree_leaf, .memory = memory};
	uint32_t count = 0;

	if (memory->kind == MEMORY_LAZY)
		walk_all(&walk);
	if (memory->kind == MEMORY_CONTIGUOUS && memory->freed < memory->size)
		note_leaves((hpa_t){memory->base.value + memory->freed},
			    (memory->size - memory->freed) / PAGE_SIZE);
	if (memory->kind == MEMORY_KPAGE)
		HOLDS(owner[memory->base.value / PAGE_SIZE] == KERNEL);
	if (memory->kind == MEMORY_LAZY && !memory->freed) {
		uint64_t zeroing = memory->is_zeroing ? 512 : 0;

		HOLDS(walk.owned == memory->owned_pages && walk.borrowed == memory->borrowed_pages);
		HOLDS(walk.owned + walk.borrowed + memory->reserved_pages + zeroing ==
		      memory->size / PAGE_SIZE);
	}
	if (memory->is_zeroing)
		note_leaves(memory->zero_frame, 512);
	set_aside += memory->reserved_pages;
	for (const struct list *link = list_first(&memory->mappings); link;
	     link = list_next(&memory->mappings, link), count++) {
		const struct mapping *mapping = CONTAINER_OF(link, struct mapping, of_memory);

		HOLDS(mapping->memory == memory && record_of(mapping));
		HOLDS(mapping->size <= memory->size &&
		      mapping->offset <= memory->size - mapping->size);
	}
	HOLDS(count == memory->mapping_count);
}

/* ---- spaces ---- */

static const struct mapping *mapping_at(const struct space *space, uint64_t address)
{
	for (const struct list *link = list_first(&space->mappings); link;
	     link = list_next(&space->mappings, link)) {
		const struct mapping *mapping = CONTAINER_OF(link, struct mapping, of_space);

		if (address >= mapping->address && address - mapping->address < mapping->size)
			return mapping;
	}
	return NULL;
}

/* What the CPU may reach stands in the object, and what it may write there is the object's alone.
 */
static void space_leaf(struct walk *walk, uint64_t address, unsigned level, uint64_t entry)
{
	const struct mapping *mapping = mapping_at(walk->space, address);
	bool is_written = entry & walk->pt->format->write_bits;
	uint64_t offset;
	struct pt_leaf page;

	HOLDS(mapping && address + pagetable_size(level) <= mapping->address + mapping->size);
	offset = address - mapping->address + mapping->offset;
	page = memory_page(mapping->memory, offset);
	HOLDS(page.prot && page.frame.value == frame_of(entry, level).value && page.level >= level);
	if (!is_written)
		return;
	HOLDS(page.prot & PT_WRITE && mapping->prot & PT_WRITE);
	HOLDS(mapping->memory->kind == MEMORY_KPAGE || !*frames_shares(page.frame));
	HOLDS(!mapping->memory->is_logged || pagetable_query(&mapping->memory->log, offset).prot ||
	      level == 1);
}

static void check_space(const struct space *space)
{
	struct walk walk = {.pt = &space->table, .leaf = space_leaf, .space = space};
	uint64_t end = 0;
	uint32_t count = 0;

	for (const struct list *link = list_first(&space->mappings); link;
	     link = list_next(&space->mappings, link), count++) {
		const struct mapping *mapping = CONTAINER_OF(link, struct mapping, of_space);

		HOLDS(mapping->space == space && mapping->size && mapping->address >= end);
		HOLDS(record_of(mapping->memory) && record_of(mapping->memory)->is_object);
		HOLDS(list_is_linked(&mapping->of_memory));
		end = mapping->address + mapping->size;
	}
	HOLDS(count == space->mapping_count);
	walk_all(&walk);
}

/* ---- references ---- */

static void note_ref(const struct object *object)
{
	struct record *record = record_of(object);

	HOLDS(record && record->is_object && object->refs);
	record->refs++;
}

static void check_handles(const struct process *process)
{
	const struct handle_table *table = &process->handles;
	uint32_t used = 0, free = 0, next = table->free_head;

	for (uint32_t i = 0; i < table->end; i++) {
		const struct handle_entry *entry = handle_entry(process, i);

		if (!entry)
			continue;
		used++;
		note_ref(entry->object);
		HOLDS(!(entry->rights & ~ABI_RIGHT_ALL));
	}
	HOLDS(used == table->count);
	if (process->is_ending) /* they are being closed, from the end on */
		return;
	for (; next; free++) {
		const struct handle_entry *entry;

		HOLDS(next <= table->end && free < table->end);
		entry = &table->pages[(next - 1) / HANDLE_PAGE_ENTRIES]
				     [(next - 1) % HANDLE_PAGE_ENTRIES];
		HOLDS(!entry->object);
		next = entry->rights;
	}
	HOLDS(used + free == table->end);
}

static void check_channel(const struct channel *channel)
{
	uint32_t messages = 0, handles = 0;

	HOLDS(!channel->peer || (channel->peer->peer == channel && record_of(channel->peer)));
	for (const struct list *link = list_first(&channel->messages); link;
	     link = list_next(&channel->messages, link), messages++) {
		const struct message *message = CONTAINER_OF(link, struct message, link);

		handles += message->handle_count;
		for (uint32_t i = 0; i < message->handle_count; i++)
			note_ref(message->handles[i].object);
	}
	HOLDS(messages == channel->message_count && handles == channel->handle_count);
	HOLDS(messages <= CHANNEL_MESSAGES_MAX);
	HOLDS(channel->object.is_ready == (messages || !channel->peer) ||
	      channel->object.refs == 0);
}

static void check_waitset(const struct waitset *waitset)
{
	for (unsigned ready = 0; ready < 2; ready++) {
		const struct list *list = ready ? &waitset->ready : &waitset->idle;

		for (const struct list *link = list_first(list); link;
		     link = list_next(list, link)) {
			const struct watch *watch = CONTAINER_OF(link, struct watch, of_set);

			HOLDS(watch->set == waitset && watch->object->is_ready == ready);
			HOLDS(record_of(watch->object) && record_of(watch->object)->is_object);
			HOLDS(list_is_linked(&watch->of_object));
		}
	}
	if (!waitset->waiter)
		return;
	note_ref(&waitset->object); /* the call's */
	/* Who sleeps has nothing to be told, or is awake already. */
	HOLDS(!waitset->waiter->is_blocked || !list_first(&waitset->ready));
}

static void check_vm(const struct vm *vm)
{
	uint32_t bells = 0;

	check_space(&vm->stage2);
	for (const struct doorbell *bell = vm->doorbells; bell; bell = bell->next, bells++)
		note_ref(&bell->event->object);
	HOLDS(bells == vm->doorbell_count);
	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		HOLDS(!vm->vcpus[i] || (record_of(vm->vcpus[i]) && vm->vcpus[i]->vm == vm &&
					vm->vcpus[i]->index == i));
}

static void check_vcpu(const struct vcpu *vcpu)
{
	note_ref(&vcpu->vm->object);
	if (vcpu->page_memory)
		note_ref(&vcpu->page_memory->object);
	if (!vcpu->runner)
		return;
	note_ref(&vcpu->object); /* the call's */
	HOLDS(vcpu->runner->vcpu == vcpu);
	/* It sleeps only with a guest that halted, or waits to be started, and nothing is there. */
	HOLDS(!vcpu->runner->is_blocked ||
	      ((vcpu->is_halted || vcpu->startup) && !vcpu->needs_look && !vcpu->kicked));
}

static void check_device(const struct device *device)
{
	if (device->event)
		note_ref(&device->event->object);
	HOLDS(!device->event || owners[device->irq] == device);
	for (unsigned i = 0; i < DEVICE_DMA_MAX; i++)
		if (device->dma[i].memory)
			note_ref(&device->dma[i].memory->object);
}

/* ---- threads ---- */

static unsigned in_mailbox(const struct thread *thread)
{
	unsigned count = 0;

	for (const struct cpu *cpu = cpus; cpu; cpu = cpu->next)
		for (const struct thread *mail = cpu->mailbox; mail; mail = mail->next_mail)
			count += mail == thread;
	return count;
}

static void check_share(const struct share *share)
{
	const struct cpu *cpu = share->cpu;
	bool has_ready = list_first(&share->threads);

	if (!share->thread_count) {
		HOLDS(!has_ready && !share->node.top && !share->weight && !share->refill.node.top);
		return;
	}
	for (const struct list *link = list_first(&share->threads); link;
	     link = list_next(&share->threads, link))
		HOLDS(CONTAINER_OF(link, struct thread, ready_link)->share == share);
	if (cpu->share == share) {
		HOLDS(!share->node.top);
		return;
	}
	HOLDS(!share->node.top || has_ready);
	HOLDS(share->node.top || !has_ready ||
	      share->refill.node.top); /* it waits for its budget */
	HOLDS(has_ready || !share->weight);
}

static void check_threads(const struct process *process)
{
	unsigned in_shares = 0, count = 0;

	for (const struct list *link = list_first(&process->threads); link;
	     link = list_next(&process->threads, link), count++) {
		const struct thread *thread = CONTAINER_OF(link, struct thread, of_process);
		bool runs = thread->share->cpu->current == thread && thread->share->cpu->share;
		unsigned states = list_is_linked(&thread->ready_link) + in_mailbox(thread) +
				  thread->is_blocked + (thread->object.refs == 0) + runs;

		HOLDS(states == 1 && thread->process == process);
		HOLDS(thread->share->process == process);
		HOLDS(!thread->timer.node.top || (thread->object.refs && !runs));
		if (record_of(thread)) /* not the test's own, which is made another way */
			note_ref(&process->object);
	}
	for (const struct share *share = &process->share; share; share = share->next) {
		in_shares += share->thread_count;
		check_share(share);
	}
	HOLDS(in_shares == count);
}

/* Returns how many nodes there are. */
static unsigned check_heap(struct heap_node *const *top, const struct heap_node *node,
			   const struct heap_node *parent)
{
	if (!node)
		return 0;
	HOLDS(node->top == top && node->parent == parent);
	HOLDS(!parent || (int64_t)(node->key - parent->key) >= 0);
	return 1 + check_heap(top, node->left, node) + check_heap(top, node->right, node);
}

/* One share on its core: what it adds there. */
static void add_share(const struct share *share, const struct cpu *cpu, int64_t *weight,
		      int64_t *ahead, unsigned *ready, unsigned *queued)
{
	if (share->cpu != cpu)
		return;
	*weight += share->weight;
	*ahead += (int64_t)(share->virtual_time - cpu->virtual_time) * share->weight;
	*queued += share->node.top != NULL;
	for (const struct list *link = list_first(&share->threads); link;
	     link = list_next(&share->threads, link))
		++*ready;
}

static void check_cpu(struct cpu *cpu)
{
	unsigned ready = 0, queued = 0;
	int64_t weight = 0, sum = 0;

	for (unsigned i = 0; i < record_count; i++) {
		const struct process *process = records[i].p;

		if (!records[i].is_object || process->object.type != OBJECT_PROCESS)
			continue;
		for (const struct share *share = &process->share; share; share = share->next)
			add_share(share, cpu, &weight, &sum, &ready, &queued);
	}
	add_share(cpu->idle->share, cpu, &weight, &sum, &ready, &queued);
	for (const struct thread *mail = cpu->mailbox; mail; mail = mail->next_mail)
		ready++;
	HOLDS(ready == cpu->ready_count && weight == cpu->weight && sum == cpu->ahead);
	HOLDS(sum >= 0 && sum <= weight);
	HOLDS(queued == check_heap(&cpu->urgent, cpu->urgent, NULL) +
				check_heap(&cpu->ready, cpu->ready, NULL) +
				check_heap(&cpu->early, cpu->early, NULL));
	check_heap(&cpu->timers, cpu->timers, NULL);
	HOLDS(!cpu->timers || cpu->deadline_ns <= cpu->timers->key);
	HOLDS(!cpu->is_called);
}

/* ---- quotas ---- */

static void add_charge(struct quota *quota, uint64_t size)
{
	if (!quota)
		return;
	HOLDS(record_of(quota) && record_of(quota)->size == sizeof(*quota));
	record_of(quota)->charged += size;
}

/* A process's own, once; those of dead ones are found by what is still charged to them. */
static void note_quota(struct quota *quota)
{
	struct record *record = quota ? record_of(quota) : NULL;

	if (!quota || record->refs)
		return;
	record->refs = 1;
	add_charge(quota->parent, quota->is_closed ? quota->used : quota->limit);
	note_quota(quota->parent);
}

static void check_quotas(void)
{
	for (unsigned i = 0; i < record_count; i++) {
		const struct object *object = records[i].p;
		const struct memory *memory = records[i].p;

		add_charge(records[i].quota, kalloc_size(records[i].size));
		note_quota(records[i].quota);
		if (records[i].is_object && object->type == OBJECT_PROCESS)
			note_quota(((const struct process *)object)->quota);
		if (records[i].is_object && object->type == OBJECT_MEMORY &&
		    (memory->kind == MEMORY_LAZY || memory->kind == MEMORY_CONTIGUOUS))
			add_charge(object->quota, memory->size);
	}
	for (unsigned i = 0; i < record_count; i++) {
		const struct quota *quota = records[i].p;

		if (records[i].is_object || !records[i].refs)
			continue;
		HOLDS(records[i].charged == quota->used);
		HOLDS(quota->used <= quota->limit);
	}
}

/* ---- all of it ---- */

static void check_object(const struct object *object)
{
	switch (object->type) {
	case OBJECT_PROCESS: {
		const struct process *process = (const struct process *)object;

		check_handles(process);
		check_space(&process->space);
		check_threads(process);
		if (process->is_ending && !object->is_ready)
			note_ref(object); /* the reaper's */
		break;
	}
	case OBJECT_MEMORY:
		check_memory((const struct memory *)object);
		break;
	case OBJECT_CHANNEL:
		check_channel((const struct channel *)object);
		break;
	case OBJECT_EVENT:
		HOLDS(object->is_ready == (((const struct event *)object)->count != 0));
		break;
	case OBJECT_WAITSET:
		check_waitset((const struct waitset *)object);
		break;
	case OBJECT_DEVICE:
		check_device((const struct device *)object);
		break;
	case OBJECT_VM:
		check_vm((const struct vm *)object);
		break;
	case OBJECT_VCPU:
		check_vcpu((const struct vcpu *)object);
		break;
	default:
		break;
	}
}

static void check_refs(void)
{
	const struct process *first = process_current();
	unsigned dying = 0;

	for (const struct list *link = list_first(&dead); link; link = list_next(&dead, link)) {
		const struct object *object = CONTAINER_OF(link, struct object, reap);

		HOLDS(record_of(object) && record_of(object)->is_object);
		HOLDS(object->refs == 0 || object->type == OBJECT_PROCESS);
		dying += object->refs == 0;
	}
	for (unsigned i = 0; i < record_count; i++) {
		const struct object *object = records[i].p;
		bool is_kept =
			object == &first->object || /* by the test that made it */
			(records[i].is_object && object->type == OBJECT_THREAD && object->refs);

		if (!records[i].is_object)
			continue;
		dying -= object->refs == 0;
		HOLDS(object->refs == records[i].refs + is_kept);
	}
	HOLDS(dying == 0); /* each that has none is about to be freed, and no other */
}

struct process *invariants_next_process(const struct process *process)
{
	for (unsigned i = process ? (unsigned)(record_of(process) - records) + 1 : 0;
	     i < record_count; i++)
		if (records[i].is_object && ((struct object *)records[i].p)->type == OBJECT_PROCESS)
			return records[i].p;
	return NULL;
}

void invariants_check(void)
{
	memset(owner, 0, sizeof(owner));
	memset(leaves, 0, sizeof(leaves));
	memset(is_used, 0, sizeof(is_used));
	set_aside = 0;
	for (unsigned i = 0; i < record_count; i++)
		records[i].charged = records[i].refs = 0;
	check_blocks();
	for (unsigned i = 0; i < record_count; i++)
		if (records[i].is_object)
			check_object(records[i].p);
	check_owners();
	check_refs();
	check_quotas();
	for (struct cpu *cpu = cpus; cpu; cpu = cpu->next)
		check_cpu(cpu);
}
