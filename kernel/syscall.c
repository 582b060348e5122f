/* SPDX-License-Identifier: BSD-2-Clause */
/* The system-call table. */
#include "kernel/syscall.h"

#include "kernel/arch.h"
#include "kernel/thread.h"

static syscall_entry *const entries[SYS_COUNT] = {
	[SYS_HANDLE_CLOSE] = call_handle_close,
	[SYS_HANDLE_DUP] = call_handle_dup,
	[SYS_PROCESS_CREATE] = call_process_create,
	[SYS_PROCESS_GIVE] = call_process_give,
	[SYS_PROCESS_EXIT] = call_process_exit,
	[SYS_PROCESS_KILL] = call_process_kill,
	[SYS_PROCESS_INFO] = call_process_info,
	[SYS_THREAD_CREATE] = call_thread_create,
	[SYS_THREAD_EXIT] = call_thread_exit,
	[SYS_THREAD_YIELD] = call_thread_yield,
	[SYS_MEMORY_CREATE] = call_memory_create,
	[SYS_MEMORY_COW] = call_memory_cow,
	[SYS_MEMORY_MAP] = call_memory_map,
	[SYS_MEMORY_UNMAP] = call_memory_unmap,
	[SYS_MEMORY_INFO] = call_memory_info,
	[SYS_CHANNEL_CREATE] = call_channel_create,
	[SYS_CHANNEL_SEND] = call_channel_send,
	[SYS_CHANNEL_RECV] = call_channel_recv,
	[SYS_EVENT_CREATE] = call_event_create,
	[SYS_EVENT_SIGNAL] = call_event_signal,
	[SYS_EVENT_TAKE] = call_event_take,
	[SYS_WAITSET_CREATE] = call_waitset_create,
	[SYS_WAITSET_ADD] = call_waitset_add,
	[SYS_WAITSET_REMOVE] = call_waitset_remove,
	[SYS_WAITSET_WAIT] = call_waitset_wait,
	[SYS_CLOCK_GET] = call_clock_get,
	[SYS_DEVICE_CREATE] = call_device_create,
	[SYS_DEVICE_PORT_IN] = call_device_port_in,
	[SYS_DEVICE_PORT_OUT] = call_device_port_out,
	[SYS_DEVICE_IRQ_BIND] = call_device_irq_bind,
	[SYS_DEVICE_IRQ_ACK] = call_device_irq_ack,
	[SYS_DEVICE_DMA_MAP] = call_device_dma_map,
	[SYS_DEVICE_DMA_UNMAP] = call_device_dma_unmap,
	[SYS_VM_CREATE] = call_vm_create,
	[SYS_VM_MAP] = call_vm_map,
	[SYS_VM_UNMAP] = call_vm_unmap,
	[SYS_VM_DOORBELL] = call_vm_doorbell,
	[SYS_VM_MSI] = call_vm_msi,
	[SYS_VM_STATS] = call_vm_stats,
	[SYS_VCPU_CREATE] = call_vcpu_create,
	[SYS_VCPU_RUN] = call_vcpu_run,
	[SYS_VCPU_KICK] = call_vcpu_kick,
	[SYS_VCPU_GET] = call_vcpu_get,
	[SYS_VCPU_SET] = call_vcpu_set,
	[SYS_VCPU_APIC_ACCESS] = call_vcpu_apic_access,
	[SYS_SYSTEM_INFO] = call_system_info,
	[SYS_SYSTEM_MODULE] = call_system_module,
	[SYS_SYSTEM_POWER] = call_system_power,
};

int64_t syscall_dispatch(uint64_t number, const uint64_t args[6])
{
	return number < SYS_COUNT ? entries[number](args) : -ABI_ENOSYS;
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

int call_get(uint64_t handle, enum object_type type, uint32_t rights, struct object **out)
{
	if (handle > INT32_MAX)
		return -ABI_EBADF;
	return handle_get(process_current(), (handle_t)handle, type, rights, out);
}

int call_get_process(uint64_t handle, uint32_t rights, struct process **out)
{
	struct object *object = &process_current()->object;
	int error = 0;

	if ((int32_t)handle == -1)
		object_ref(object);
	else
		error = call_get(handle, OBJECT_PROCESS, rights, &object);
	*out = CONTAINER_OF(object, struct process, object);
	return error;
}

int64_t call_install(struct object *object, uint32_t rights)
{
	handle_t handle = handle_install(process_current(), object, rights);

	if (handle < 0)
		object_unref(object);
	return handle;
}

int call_check_prot(uint64_t prot)
{
	return (prot & ABI_PROT_READ) && prot <= (ABI_PROT_READ | ABI_PROT_WRITE | ABI_PROT_EXEC) ? 0 :
												   -ABI_EINVAL;
}
