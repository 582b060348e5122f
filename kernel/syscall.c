/* SPDX-License-Identifier: BSD-2-Clause */
/* The system-call table: who may call what with which handles. */
#include "kernel/syscall.h"

#include "kernel/arch.h"

enum need_kind {
	NEED_NOTHING,
	NEED_HANDLE,
	NEED_HANDLE_OR_SELF, /* -1 = the calling process, whatever the rights */
	NEED_HANDLE_OR_NONE, /* -1 = no object */
};

/* A handle among the arguments. */
struct need {
	uint8_t kind; /* enum need_kind */
	uint8_t argument;
	uint8_t type;   /* enum object_type; OBJECT_NONE = any */
	uint8_t rights; /* ABI_RIGHT_* */
};

#define ANY      OBJECT_NONE
#define READ     ABI_RIGHT_READ
#define WRITE    ABI_RIGHT_WRITE
#define MAP      ABI_RIGHT_MAP
#define DMA      ABI_RIGHT_DMA
#define TRANSFER ABI_RIGHT_TRANSFER
#define MANAGE   ABI_RIGHT_MANAGE
#define WAIT     ABI_RIGHT_WAIT
#define HANDLE(argument, type, rights)                                                             \
	{                                                                                          \
		NEED_HANDLE, argument, type, rights                                                \
	}
#define PROCESS(rights)                                                                            \
	{                                                                                          \
		NEED_HANDLE_OR_SELF, 0, OBJECT_PROCESS, rights                                     \
	}

static const struct {
	syscall_fn *call;
	struct need needs[2];
} table[SYS_COUNT] = {
	[SYS_HANDLE_CLOSE] = {call_handle_close, {HANDLE(0, ANY, 0)}},
	[SYS_HANDLE_DUP] = {call_handle_dup, {HANDLE(0, ANY, TRANSFER)}},
	[SYS_PROCESS_CREATE] = {call_process_create, {{0}}},
	[SYS_PROCESS_GIVE] = {call_process_give, {PROCESS(MANAGE), HANDLE(1, ANY, TRANSFER)}},
	[SYS_PROCESS_EXIT] = {call_process_exit, {{0}}},
	[SYS_PROCESS_KILL] = {call_process_kill, {PROCESS(MANAGE)}},
	[SYS_PROCESS_INFO] = {call_process_info, {PROCESS(READ)}},
	[SYS_THREAD_CREATE] = {call_thread_create, {PROCESS(MANAGE)}},
	[SYS_THREAD_EXIT] = {call_thread_exit, {{0}}},
	[SYS_THREAD_YIELD] = {call_thread_yield, {{0}}},
	[SYS_MEMORY_CREATE] = {call_memory_create, {{0}}},
	[SYS_MEMORY_COW] = {call_memory_cow,
			    {HANDLE(0, OBJECT_MEMORY, WRITE), HANDLE(2, OBJECT_MEMORY, READ)}},
	[SYS_MEMORY_MAP] = {call_memory_map, {PROCESS(MANAGE), HANDLE(1, ANY, MAP)}},
	[SYS_MEMORY_UNMAP] = {call_memory_unmap, {PROCESS(MANAGE)}},
	[SYS_MEMORY_INFO] = {call_memory_info, {HANDLE(0, OBJECT_MEMORY, READ)}},
	[SYS_CHANNEL_CREATE] = {call_channel_create, {{0}}},
	[SYS_CHANNEL_SEND] = {call_channel_send, {HANDLE(0, OBJECT_CHANNEL, WRITE)}},
	[SYS_CHANNEL_RECV] = {call_channel_recv, {HANDLE(0, OBJECT_CHANNEL, READ)}},
	[SYS_EVENT_CREATE] = {call_event_create, {{0}}},
	[SYS_EVENT_SIGNAL] = {call_event_signal, {HANDLE(0, OBJECT_EVENT, WRITE)}},
	[SYS_EVENT_TAKE] = {call_event_take, {HANDLE(0, OBJECT_EVENT, READ)}},
	[SYS_WAITSET_CREATE] = {call_waitset_create, {{0}}},
	[SYS_WAITSET_ADD] = {call_waitset_add,
			     {HANDLE(0, OBJECT_WAITSET, WRITE), HANDLE(1, ANY, WAIT)}},
	[SYS_WAITSET_REMOVE] = {call_waitset_remove,
				{HANDLE(0, OBJECT_WAITSET, WRITE), HANDLE(1, ANY, 0)}},
	[SYS_WAITSET_WAIT] = {call_waitset_wait, {HANDLE(0, OBJECT_WAITSET, READ)}},
	[SYS_CLOCK_GET] = {call_clock_get, {{0}}},
	[SYS_DEVICE_CREATE] = {call_device_create, {HANDLE(0, OBJECT_SYSTEM, MANAGE)}},
	[SYS_DEVICE_PORT_IN] = {call_device_port_in, {HANDLE(0, OBJECT_DEVICE, READ)}},
	[SYS_DEVICE_PORT_OUT] = {call_device_port_out, {HANDLE(0, OBJECT_DEVICE, WRITE)}},
	[SYS_DEVICE_IRQ_BIND] = {call_device_irq_bind,
				 {HANDLE(0, OBJECT_DEVICE, MANAGE),
				  HANDLE(2, OBJECT_EVENT, WRITE)}},
	[SYS_DEVICE_IRQ_ACK] = {call_device_irq_ack, {HANDLE(0, OBJECT_DEVICE, WRITE)}},
	[SYS_DEVICE_DMA_MAP] = {call_device_dma_map,
				{HANDLE(0, OBJECT_DEVICE, MANAGE), HANDLE(1, OBJECT_MEMORY, DMA)}},
	[SYS_DEVICE_DMA_UNMAP] = {call_device_dma_unmap, {HANDLE(0, OBJECT_DEVICE, MANAGE)}},
	[SYS_VM_CREATE] = {call_vm_create, {{0}}},
	[SYS_VM_MAP] = {call_vm_map, {HANDLE(0, OBJECT_VM, MANAGE), HANDLE(2, OBJECT_MEMORY, MAP)}},
	[SYS_VM_UNMAP] = {call_vm_unmap, {HANDLE(0, OBJECT_VM, MANAGE)}},
	[SYS_VM_DOORBELL] = {call_vm_doorbell,
			     {HANDLE(0, OBJECT_VM, MANAGE),
			      {NEED_HANDLE_OR_NONE, 2, OBJECT_EVENT, WRITE}}},
	[SYS_VM_MSI] = {call_vm_msi, {HANDLE(0, OBJECT_VM, WRITE)}},
	[SYS_VM_STATS] = {call_vm_stats, {HANDLE(0, OBJECT_VM, READ)}},
	[SYS_VCPU_CREATE] = {call_vcpu_create, {HANDLE(0, OBJECT_VM, MANAGE)}},
	[SYS_VCPU_RUN] = {call_vcpu_run, {HANDLE(0, OBJECT_VCPU, MANAGE)}},
	[SYS_VCPU_KICK] = {call_vcpu_kick, {HANDLE(0, OBJECT_VCPU, WRITE)}},
	[SYS_VCPU_GET] = {call_vcpu_get, {HANDLE(0, OBJECT_VCPU, READ)}},
	[SYS_VCPU_SET] = {call_vcpu_set, {HANDLE(0, OBJECT_VCPU, WRITE)}},
	[SYS_VCPU_APIC_ACCESS] = {call_vcpu_apic_access, {HANDLE(0, OBJECT_VCPU, WRITE)}},
	[SYS_SYSTEM_INFO] = {call_system_info, {HANDLE(0, OBJECT_SYSTEM, READ)}},
	[SYS_SYSTEM_MODULE] = {call_system_module, {HANDLE(0, OBJECT_SYSTEM, READ)}},
	[SYS_SYSTEM_POWER] = {call_system_power, {HANDLE(0, OBJECT_SYSTEM, MANAGE)}},
};

static int need_get(const struct need *need, uint64_t handle, struct object **out)
{
	struct process *process = process_current();

	if (need->kind != NEED_HANDLE && (int32_t)handle == -1) {
		*out = need->kind == NEED_HANDLE_OR_SELF ? &process->object : NULL;
		if (*out)
			object_ref(*out);
		return 0;
	}
	if (handle > INT32_MAX)
		return -ABI_EBADF;
	return handle_get(process, (handle_t)handle, (enum object_type)need->type, need->rights,
			  out);
}

int64_t syscall_dispatch(uint64_t number, const uint64_t args[6])
{
	struct object *objects[2] = {NULL, NULL};
	int64_t result = 0;

	if (number >= SYS_COUNT)
		return -ABI_ENOSYS;
	for (unsigned i = 0; i < 2 && result == 0; i++) {
		const struct need *need = &table[number].needs[i];

		if (need->kind != NEED_NOTHING)
			result = need_get(need, args[need->argument], &objects[i]);
	}
	if (result == 0)
		result = table[number].call(args, objects);
	for (unsigned i = 0; i < 2; i++)
		if (objects[i])
			object_unref(objects[i]);
	return result;
}

static bool is_user_range(uint64_t address, size_t size)
{
	return address >= ABI_USER_BASE && address < ABI_USER_END && size <= ABI_USER_END - address;
}

int user_read(void *to, uint64_t from, size_t size)
{
	return is_user_range(from, size) ? arch_copy_from_user(to, from, size) : -ABI_EFAULT;
}

int user_write(uint64_t to, const void *from, size_t size)
{
	return is_user_range(to, size) ? arch_copy_to_user(to, from, size) : -ABI_EFAULT;
}

int64_t call_install(struct object *object, uint32_t rights)
{
	handle_t handle = handle_install(process_current(), object, rights);

	if (handle < 0)
		object_unref(object);
	return handle;
}
