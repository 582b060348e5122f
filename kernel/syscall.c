/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls: who may call what with which handles, and what it ends in. */
#include "kernel/channel.h"
#include "kernel/device.h"
#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/process.h"
#include "kernel/system.h"
#include "kernel/vcpu.h"
#include "kernel/waitset.h"

#define WAIT_KEYS_MAX 64u
#define OUT_MAX       288u /* bytes of the largest structure that a call fills */
#define PROT_WX       (ABI_PROT_WRITE | ABI_PROT_EXEC)

_Static_assert(sizeof(struct abi_vm_stats) <= OUT_MAX, "OUT_MAX");
_Static_assert(sizeof(struct abi_module_info) <= OUT_MAX, "OUT_MAX");
_Static_assert(sizeof(struct abi_system_info) <= OUT_MAX, "OUT_MAX");

/* An argument: a number, or what the table makes of it. */
struct argument {
	union {
		uint64_t value;
		void *out;             /* the structure that the call fills */
		struct object *object; /* behind a handle: right type, right rights, held */
		struct channel *channel;
		struct device *device;
		struct event *event;
		struct memory *memory;
		struct process *process;
		struct vcpu *vcpu;
		struct vm *vm;
		struct waitset *set;
	};
	uint32_t rights; /* of the handle */
};

static int64_t process_give(struct process *process, const struct argument *given, uint64_t rights)
{
	if (rights & ~(uint64_t)ABI_RIGHT_ALL)
		return -ABI_EINVAL;
	if (rights & ~(uint64_t)given->rights)
		return -ABI_EPERM;
	if (process->is_ending)
		return -ABI_EPIPE;
	object_ref(given->object);
	return handle_install(process, given->object, (uint32_t)rights);
}

/* a: process, entry, stack, argument of the entry. */
static int64_t create_thread(const struct argument *a)
{
	if (!is_user_range(a[1].value, 0) || !is_user_range(a[2].value - 8, 8))
		return -ABI_EINVAL;
	return thread_create(a[0].process, a[1].value, a[2].value, a[3].value);
}

static struct space *space_of(const struct argument *owner)
{
	return owner->object->type == OBJECT_VM ? &owner->vm->stage2 : &owner->process->space;
}

/* a: process or VM, memory or (in a process) vCPU, offset, size, address, protection, whose bits
 * are those of the rights. */
static int64_t map_memory(const struct argument *a)
{
	bool is_vm = a[0].object->type == OBJECT_VM, is_vcpu = a[1].object->type == OBJECT_VCPU;
	struct memory *memory = is_vcpu ? a[1].vcpu->page_memory : a[1].memory;
	uint64_t address = a[4].value, prot = a[5].value;
	int error;

	if (!(prot & ABI_PROT_READ) || prot > (ABI_PROT_READ | PROT_WX) || (is_vm && is_vcpu) ||
	    (!is_vm && (prot & PROT_WX) == PROT_WX))
		return -ABI_EINVAL;
	if (prot & ~a[1].rights)
		return -ABI_EPERM;
	if (!is_vm && a[0].process->is_ending)
		return -ABI_EPIPE;
	error = space_map(space_of(&a[0]), address, memory, a[2].value, a[3].value, (unsigned)prot);
	return error ? error : (int64_t)address;
}

/* Two handles in one number. */
static int64_t create_channel(struct process *process)
{
	struct channel *ends[2];
	int64_t first, second;

	if (channel_create(process->quota, ends) != 0)
		return -ABI_ENOMEM;
	first = handle_install(process, &ends[0]->object, ABI_RIGHT_ALL);
	second = handle_install(process, &ends[1]->object, ABI_RIGHT_ALL);
	if (first >= 0 && second < 0)
		handle_close(process, (uint64_t)first);
	return first < 0 || second < 0 ? -ABI_ENOMEM : first | second << 16;
}

/* Whether the handles may all leave the caller through the channel. */
static int check_handles(const struct channel *channel, const handle_t *handles, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct handle_entry *entry =
			handle_entry(process_current(), (uint64_t)handles[i]);

		if (!entry)
			return -ABI_EBADF;
		if (!(entry->rights & ABI_RIGHT_TRANSFER))
			return -ABI_EPERM;
		for (uint32_t k = 0; k < i; k++)
			if (handles[k] == handles[i])
				return -ABI_EINVAL;
		if (channel_check_carry(channel, entry->object) != 0)
			return -ABI_EBUSY;
	}
	return 0;
}

static int64_t send_message(const struct argument *a)
{
	struct process *process = process_current();
	uint32_t size = (uint32_t)a[2].value, count = (uint32_t)a[4].value;
	handle_t handles[CHANNEL_HANDLES_MAX];
	struct message *message;
	int error;

	if (a[2].value > CHANNEL_BYTES_MAX || a[4].value > CHANNEL_HANDLES_MAX)
		return -ABI_EINVAL;
	error = channel_check_send(a[0].channel);
	if (error == 0 && count)
		error = arch_copy_from_user(handles, a[3].value, count * sizeof(handles[0]));
	if (error == 0)
		error = check_handles(a[0].channel, handles, count);
	if (error)
		return error;
	message = message_alloc(process->quota, size, count);
	if (!message)
		return -ABI_ENOMEM;
	if (size && arch_copy_from_user(message->bytes, a[1].value, size) != 0) {
		message_free(message);
		return -ABI_EFAULT;
	}
	for (uint32_t i = 0; i < count; i++) {
		message->handles[i] = *handle_entry(process, (uint64_t)handles[i]);
		handle_take(process, (uint64_t)handles[i]);
	}
	channel_send(a[0].channel, message);
	return 0;
}

static int64_t receive_message(const struct argument *a)
{
	struct process *process = process_current();
	struct message *message = channel_first(a[0].channel);
	handle_t handles[CHANNEL_HANDLES_MAX];
	int64_t result = 0;
	uint32_t i;

	if (!message)
		return a[0].channel->peer ? -ABI_EAGAIN : -ABI_EPIPE;
	if (message->size > a[2].value || message->handle_count > a[4].value)
		return -ABI_E2BIG;
	for (i = 0; i < message->handle_count; i++) {
		object_ref(message->handles[i].object);
		result = handle_install(process, message->handles[i].object,
					message->handles[i].rights);
		if (result < 0)
			break;
		handles[i] = (handle_t)result;
	}
	if (result >= 0)
		result = message->size
				 ? arch_copy_to_user(a[1].value, message->bytes, message->size)
				 : 0;
	if (result == 0 && i)
		result = arch_copy_to_user(a[3].value, handles, i * sizeof(handles[0]));
	if (result) {
		while (i--)
			handle_close(process, (uint64_t)handles[i]);
		return result;
	}
	channel_pop(a[0].channel);
	result = message->size | (int64_t)message->handle_count << 16;
	message_free(message);
	return result;
}

static int64_t wait_for(const struct argument *a)
{
	uint64_t keys[WAIT_KEYS_MAX];
	int count;

	if (a[2].value == 0 || a[2].value > WAIT_KEYS_MAX)
		return -ABI_EINVAL;
	count = waitset_wait(a[0].set, keys, (unsigned)a[2].value, a[3].value);
	if (count > 0 && arch_copy_to_user(a[1].value, keys, (size_t)count * sizeof(keys[0])) != 0)
		return -ABI_EFAULT;
	return count;
}

/* a: vcpu, what, buffer, size. Through a page of ring 0, as state is checked whole before it is
 * applied. */
static int64_t transfer_state(const struct argument *a, bool is_get)
{
	struct quota *quota = process_current()->quota;
	uint32_t what = (uint32_t)a[1].value;
	uint64_t size = a[3].value;
	void *buffer;
	int error;

	if (size > PAGE_SIZE)
		return -ABI_EINVAL;
	buffer = kalloc(quota, PAGE_SIZE);
	if (!buffer)
		return -ABI_ENOMEM;
	error = arch_copy_from_user(buffer, a[2].value, size);
	if (error == 0)
		error = vcpu_state(a[0].vcpu, what, buffer, size, is_get);
	if (error == 0 && is_get)
		error = arch_copy_to_user(a[2].value, buffer, size);
	kfree(quota, buffer, PAGE_SIZE);
	return error;
}

/* a: memory, offset, size, bits. The answer must have a place before pages are forgotten. */
static int64_t harvest(const struct argument *a)
{
	struct quota *quota = process_current()->quota;
	uint64_t offset = a[1].value, size = a[2].value, whole = a[0].memory->size;
	size_t bytes = (size / PAGE_SIZE + 7) / 8;
	uint8_t *bits;
	int error;

	if (!IS_ALIGNED(offset | size, PAGE_SIZE) || size > 8 * PAGE_SIZE * PAGE_SIZE ||
	    size > whole || offset > whole - size)
		return -ABI_EINVAL;
	bits = kalloc(quota, PAGE_SIZE);
	if (!bits)
		return -ABI_ENOMEM;
	error = arch_copy_to_user(a[3].value, bits, bytes);
	if (error == 0)
		error = memory_harvest(a[0].memory, offset, size, bits);
	if (error == 0)
		error = arch_copy_to_user(a[3].value, bits, bytes);
	kfree(quota, bits, PAGE_SIZE);
	return error;
}

/* A handle among the arguments: at which place, to what, with which rights. */
struct need {
	uint8_t place, rights;
	uint16_t types; /* a bit for each enum object_type, and: */
};
#define SELF (1u << 14) /* -1 stands for the calling process, whatever the rights */
#define NONE (1u << 15) /* -1 stands for no object */

#define PROCESS (1u << OBJECT_PROCESS)
#define MEMORY  (1u << OBJECT_MEMORY)
#define CHANNEL (1u << OBJECT_CHANNEL)
#define EVENT   (1u << OBJECT_EVENT)
#define WAITSET (1u << OBJECT_WAITSET)
#define DEVICE  (1u << OBJECT_DEVICE)
#define VM      (1u << OBJECT_VM)
#define VCPU    (1u << OBJECT_VCPU)
#define SYSTEM  (1u << OBJECT_SYSTEM)
#define ANY     ((1u << OBJECT_TYPE_COUNT) - 1)

#define READ     ABI_RIGHT_READ
#define WRITE    ABI_RIGHT_WRITE
#define MAP      ABI_RIGHT_MAP
#define DMA      ABI_RIGHT_DMA
#define TRANSFER ABI_RIGHT_TRANSFER
#define MANAGE   ABI_RIGHT_MANAGE
#define WAIT     ABI_RIGHT_WAIT
#define ALL      ABI_RIGHT_ALL

static const struct entry {
	struct need in[2]; /* handles among the arguments */
	uint8_t narrow;    /* bits of the arguments that must fit into 32 bits */
	uint8_t made; /* rights of the caller's handle to the object that the call puts into a[0] */
	uint16_t out; /* size of the structure that the call fills: argument 1 */
} table[SYS_COUNT] = {
	[SYS_PROCESS_CREATE] = {.in = {{0, MANAGE, SYSTEM}}, .made = ALL},
	[SYS_PROCESS_GIVE] = {.in = {{0, MANAGE, PROCESS | SELF}, {1, TRANSFER, ANY}}},
	[SYS_PROCESS_KILL] = {.in = {{0, MANAGE, PROCESS | SELF}}},
	[SYS_PROCESS_INFO] = {.in = {{0, READ, PROCESS | SELF}},
			      .out = sizeof(struct abi_process_info)},
	[SYS_PROCESS_SCHED] = {.in = {{0, MANAGE, SYSTEM}, {1, MANAGE, PROCESS | SELF}}},
	[SYS_THREAD_CREATE] = {.in = {{0, MANAGE, PROCESS | SELF}}},
	[SYS_MEMORY_CREATE] = {.narrow = 1 << 1, .made = ALL},
	[SYS_MEMORY_COW] = {.in = {{0, WRITE, MEMORY}, {2, READ, MEMORY}}},
	[SYS_MEMORY_MAP] = {.in = {{0, MANAGE, PROCESS | VM | SELF}, {1, MAP, MEMORY | VCPU}}},
	[SYS_MEMORY_UNMAP] = {.in = {{0, MANAGE, PROCESS | VM | SELF}}},
	[SYS_MEMORY_INFO] = {.in = {{0, READ, MEMORY}}, .out = sizeof(struct abi_memory_info)},
	[SYS_MEMORY_LOG] = {.in = {{0, MANAGE, MEMORY}}},
	[SYS_MEMORY_HARVEST] = {.in = {{0, MANAGE, MEMORY}}},
	[SYS_CHANNEL_SEND] = {.in = {{0, WRITE, CHANNEL}}},
	[SYS_CHANNEL_RECV] = {.in = {{0, READ, CHANNEL}}},
	[SYS_EVENT_CREATE] = {.made = ALL},
	[SYS_EVENT_SIGNAL] = {.in = {{0, WRITE, EVENT}}, .narrow = 1 << 1},
	[SYS_EVENT_TAKE] = {.in = {{0, READ, EVENT}}},
	[SYS_WAITSET_CREATE] = {.made = READ | WRITE}, /* no TRANSFER: of no use to others */
	[SYS_WAITSET_ADD] = {.in = {{0, WRITE, WAITSET}, {1, WAIT, PROCESS | CHANNEL | EVENT}}},
	[SYS_WAITSET_REMOVE] = {.in = {{0, WRITE, WAITSET}, {1, 0, PROCESS | CHANNEL | EVENT}}},
	[SYS_WAITSET_WAIT] = {.in = {{0, READ, WAITSET}}},
	[SYS_DEVICE_CREATE] = {.in = {{0, MANAGE, SYSTEM}}, .made = ALL},
	[SYS_DEVICE_PORT_IN] = {.in = {{0, READ, DEVICE}}},
	[SYS_DEVICE_PORT_OUT] = {.in = {{0, WRITE, DEVICE}}, .narrow = 1 << 3},
	[SYS_DEVICE_IRQ_BIND] = {.in = {{0, MANAGE, DEVICE}, {1, WRITE, EVENT}}},
	[SYS_DEVICE_IRQ_ACK] = {.in = {{0, WRITE, DEVICE}}},
	[SYS_DEVICE_DMA_MAP] = {.in = {{0, MANAGE, DEVICE}, {1, DMA, MEMORY}}},
	[SYS_DEVICE_DMA_UNMAP] = {.in = {{0, MANAGE, DEVICE}}},
	[SYS_VM_CREATE] = {.made = ALL},
	[SYS_VM_DOORBELL] = {.in = {{0, MANAGE, VM}, {4, WRITE, EVENT | NONE}}},
	[SYS_VM_MSI] = {.in = {{0, WRITE, VM}}, .narrow = 1 << 2},
	[SYS_VM_STATS] = {.in = {{0, READ, VM}}, .out = sizeof(struct abi_vm_stats)},
	[SYS_VCPU_CREATE] = {.in = {{0, MANAGE, VM}}, .narrow = 1 << 1, .made = ALL},
	[SYS_VCPU_RUN] = {.in = {{0, MANAGE, VCPU}}},
	[SYS_VCPU_KICK] = {.in = {{0, WRITE, VCPU}}},
	[SYS_VCPU_GET] = {.in = {{0, READ, VCPU}}, .narrow = 1 << 1},
	[SYS_VCPU_SET] = {.in = {{0, WRITE, VCPU}}, .narrow = 1 << 1},
	[SYS_VCPU_APIC_ACCESS] = {.in = {{0, WRITE, VCPU}}, .narrow = 1 << 1 | 1 << 3},
	[SYS_SYSTEM_INFO] = {.in = {{0, READ, SYSTEM}}, .out = sizeof(struct abi_system_info)},
	[SYS_SYSTEM_MODULE] = {.in = {{0, READ, SYSTEM}},
			       .made = READ | ABI_RIGHT_EXEC | MAP | TRANSFER,
			       .out = sizeof(struct abi_module_info)},
	[SYS_SYSTEM_CORE] = {.in = {{0, READ, SYSTEM}}, .out = sizeof(struct abi_core_info)},
	[SYS_SYSTEM_TRACE] = {.in = {{0, READ, SYSTEM}}, .made = READ | MAP},
	[SYS_SYSTEM_POWER] = {.in = {{0, MANAGE, SYSTEM}}},
};

/* What each call does; it checks its arguments whole before it changes anything. */
static int64_t call(struct process *self, uint64_t number, struct argument *a)
{
	struct abi_sched sched;

	switch (number) {
	case SYS_HANDLE_CLOSE:
		return handle_close(self, a[0].value);
	case SYS_PROCESS_CREATE:
		return process_create(self->quota, a[1].value, &a[0].process);
	case SYS_PROCESS_GIVE:
		return process_give(a[0].process, &a[1], a[2].value);
	case SYS_PROCESS_EXIT: /* it dies on its way to ring 3 */
		process_end(self, ABI_END_EXIT, a[0].value, 0, 0);
		return 0;
	case SYS_PROCESS_KILL:
		process_end(a[0].process, ABI_END_KILLED, 0, 0, 0);
		return 0;
	case SYS_PROCESS_INFO:
		process_info(a[0].process, a[1].out);
		return 0;
	case SYS_PROCESS_SCHED:
		if (arch_copy_from_user(&sched, a[2].value, sizeof(sched)) != 0)
			return -ABI_EFAULT;
		return sched_set(a[1].process, &sched);
	case SYS_THREAD_CREATE:
		return create_thread(a);
	case SYS_THREAD_EXIT:
		thread_kill(thread_current());
		return 0;
	case SYS_THREAD_YIELD:
		thread_yield();
		return 0;
	case SYS_MEMORY_CREATE:
		return memory_create(self->quota, a[0].value, (uint32_t)a[1].value, &a[0].memory);
	case SYS_MEMORY_COW:
		return memory_cow(a[0].memory, a[1].value, a[2].memory, a[3].value, a[4].value);
	case SYS_MEMORY_MAP:
		return map_memory(a);
	case SYS_MEMORY_UNMAP:
		return space_unmap(space_of(&a[0]), a[1].value, a[2].value);
	case SYS_MEMORY_INFO:
		*(struct abi_memory_info *)a[1].out = (struct abi_memory_info){
			.size = a[0].memory->size,
			.owned_bytes = a[0].memory->owned_pages * PAGE_SIZE,
			.borrowed_bytes = a[0].memory->borrowed_pages * PAGE_SIZE};
		return 0;
	case SYS_MEMORY_LOG:
		return a[1].value > 1 ? -ABI_EINVAL : memory_log(a[0].memory, a[1].value);
	case SYS_MEMORY_HARVEST:
		return harvest(a);
	case SYS_CHANNEL_CREATE:
		return create_channel(self);
	case SYS_CHANNEL_SEND:
		return send_message(a);
	case SYS_CHANNEL_RECV:
		return receive_message(a);
	case SYS_EVENT_CREATE:
		a[0].object = object_alloc(OBJECT_EVENT, sizeof(struct event), self->quota);
		return a[0].object ? 0 : -ABI_ENOMEM;
	case SYS_EVENT_SIGNAL:
		event_signal(a[0].event, (uint32_t)a[1].value);
		return 0;
	case SYS_EVENT_TAKE:
		return event_take(a[0].event);
	case SYS_WAITSET_CREATE:
		a[0].object = object_alloc(OBJECT_WAITSET, sizeof(struct waitset), self->quota);
		return a[0].object ? 0 : -ABI_ENOMEM;
	case SYS_WAITSET_ADD:
		return waitset_add(a[0].set, a[1].object, a[2].value);
	case SYS_WAITSET_REMOVE:
		return waitset_remove(a[0].set, a[1].object);
	case SYS_WAITSET_WAIT:
		return wait_for(a);
	case SYS_CLOCK_GET:
		return (int64_t)arch_now_ns();
	case SYS_DEVICE_CREATE:
		return device_create(self->quota, a[1].value, a[2].value, a[3].value, &a[0].device);
	case SYS_DEVICE_PORT_IN:
		return device_port(a[0].device, a[1].value, a[2].value, NULL);
	case SYS_DEVICE_PORT_OUT:
		return device_port(a[0].device, a[1].value, a[2].value, &a[3].value);
	case SYS_DEVICE_IRQ_BIND:
		return device_irq_bind(a[0].device, a[1].event);
	case SYS_DEVICE_IRQ_ACK:
		return device_irq_ack(a[0].device);
	case SYS_DEVICE_DMA_MAP:
		return device_dma_map(a[0].device, a[1].memory, a[2].value, a[3].value);
	case SYS_DEVICE_DMA_UNMAP:
		return device_dma_unmap(a[0].device, a[1].value);
	case SYS_VM_CREATE:
		return vm_create(self, a[0].value, a[1].value, &a[0].vm);
	case SYS_VM_DOORBELL:
		return vm_doorbell_set(a[0].vm, a[1].value, a[2].value, a[3].value, a[4].event);
	case SYS_VM_MSI:
		return vm_msi(a[0].vm, a[1].value, (uint32_t)a[2].value);
	case SYS_VM_STATS:
		vm_stats(a[0].vm, a[1].out);
		return 0;
	case SYS_VCPU_CREATE:
		return vcpu_create(a[0].vm, (uint32_t)a[1].value, &a[0].vcpu);
	case SYS_VCPU_RUN:
		return vcpu_run(a[0].vcpu);
	case SYS_VCPU_KICK:
		vcpu_kick(a[0].vcpu);
		return 0;
	case SYS_VCPU_GET:
	case SYS_VCPU_SET:
		return transfer_state(a, number == SYS_VCPU_GET);
	case SYS_VCPU_APIC_ACCESS:
		return a[2].value > 1 ? -ABI_EINVAL
				      : vcpu_apic_access(a[0].vcpu, (uint32_t)a[1].value,
							 a[2].value, (uint32_t)a[3].value);
	case SYS_SYSTEM_INFO:
		system_info(a[1].out);
		return 0;
	case SYS_SYSTEM_MODULE:
		return system_module(self->quota, a[2].value, a[1].out, &a[0].memory);
	case SYS_SYSTEM_CORE:
		return sched_core_info(a[2].value, a[1].out);
	case SYS_SYSTEM_TRACE:
		return system_trace(self->quota, a[1].value, &a[0].memory);
	case SYS_SYSTEM_POWER:
		if (a[1].value == ABI_POWER_OFF || a[1].value == ABI_POWER_REBOOT)
			arch_power((unsigned)a[1].value);
		return -ABI_EINVAL;
	default:
		return -ABI_ENOSYS;
	}
}

/* Turns a handle into the object behind it, with a reference. */
static int need_get(struct process *self, const struct need *need, struct argument *a,
		    struct object **held)
{
	const struct handle_entry *entry;

	if (need->types & (SELF | NONE) && (int32_t)a->value == -1) {
		*held = need->types & SELF ? &self->object : NULL;
	} else {
		entry = handle_entry(self, a->value);
		if (!entry)
			return -ABI_EBADF;
		if (!(need->types & 1u << entry->object->type))
			return -ABI_EBADTYPE;
		if (need->rights & ~entry->rights)
			return -ABI_EPERM;
		*held = entry->object;
		a->rights = entry->rights;
	}
	if (*held)
		object_ref(*held);
	a->object = *held;
	return 0;
}

int64_t syscall_dispatch(uint64_t number, const uint64_t args[6])
{
	const struct entry *entry;
	uint8_t out[OUT_MAX] __attribute__((aligned(8)));
	struct object *held[2] = {NULL, NULL};
	struct argument a[6]; /* their rights: need_get() */
	struct process *self = process_current();
	int64_t result = 0;
	bool has_made;

	if (number >= SYS_COUNT)
		return -ABI_ENOSYS;
	entry = &table[number];
#pragma GCC unroll 6 /* each call pays for it */
	for (unsigned i = 0; i < ARRAY_COUNT(a); i++)
		a[i].value = args[i];
	for (unsigned left = entry->narrow; left; left &= left - 1)
		if (args[__builtin_ctz(left)] > UINT32_MAX)
			result = -ABI_EINVAL;
	for (unsigned i = 0; i < 2 && entry->in[i].types && result == 0; i++)
		result = need_get(self, &entry->in[i], &a[entry->in[i].place], &held[i]);
	if (entry->out) {
		memset(out, 0, entry->out);
		a[1].out = out;
	}
	if (result == 0)
		result = call(self, number, a);
	has_made = result == 0 && entry->made;
	if (result == 0 && entry->out)
		result = arch_copy_to_user(args[1], out, entry->out);
	if (has_made && result == 0)
		result = handle_install(self, a[0].object, entry->made);
	else if (has_made)
		object_unref(a[0].object);
	for (unsigned i = 0; i < 2; i++)
		if (held[i])
			object_unref(held[i]);
	return result;
}
