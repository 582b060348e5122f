/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls as C functions; kernel/abi.h says what each does and returns. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

static inline int64_t syscall6(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			       uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	int64_t result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "memory", "cc");
	return result;
}

static inline int64_t syscall3(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	return syscall6(number, a, b, c, 0, 0, 0);
}

/* Handles */
static inline int64_t handle_close(handle_t h)
{
	return syscall3(SYS_HANDLE_CLOSE, (uint64_t)h, 0, 0);
}

/* Processes and threads */
#define PROCESS_SELF ((handle_t)-1)
static inline int64_t process_create(handle_t system, uint64_t quota_bytes)
{
	return syscall3(SYS_PROCESS_CREATE, (uint64_t)system, quota_bytes, 0);
}
static inline int64_t process_give(handle_t process, handle_t h, uint32_t rights)
{
	return syscall3(SYS_PROCESS_GIVE, (uint64_t)process, (uint64_t)h, rights);
}
static inline int64_t handle_dup(handle_t h, uint32_t rights)
{
	return process_give(PROCESS_SELF, h, rights);
}
static inline _Noreturn void process_exit(uint64_t status)
{
	syscall3(SYS_PROCESS_EXIT, status, 0, 0);
	__builtin_trap();
}
static inline int64_t process_kill(handle_t process)
{
	return syscall3(SYS_PROCESS_KILL, (uint64_t)process, 0, 0);
}
static inline int64_t process_info(handle_t process, struct abi_process_info *info)
{
	return syscall3(SYS_PROCESS_INFO, (uint64_t)process, (uint64_t)info, 0);
}
static inline int64_t process_sched(handle_t system, handle_t process,
				    const struct abi_sched *sched)
{
	return syscall3(SYS_PROCESS_SCHED, (uint64_t)system, (uint64_t)process, (uint64_t)sched);
}
static inline int64_t thread_create(handle_t process, uint64_t entry, uint64_t stack_top,
				    uint64_t arg)
{
	return syscall6(SYS_THREAD_CREATE, (uint64_t)process, entry, stack_top, arg, 0, 0);
}
static inline _Noreturn void thread_exit(void)
{
	syscall3(SYS_THREAD_EXIT, 0, 0, 0);
	__builtin_trap();
}
static inline void thread_yield(void)
{
	syscall3(SYS_THREAD_YIELD, 0, 0, 0);
}

/* Memory */
static inline int64_t memory_create(uint64_t size, uint32_t flags)
{
	return syscall3(SYS_MEMORY_CREATE, size, flags, 0);
}
static inline int64_t memory_cow(handle_t to, uint64_t to_offset, handle_t from,
				 uint64_t from_offset, uint64_t size)
{
	return syscall6(SYS_MEMORY_COW, (uint64_t)to, to_offset, (uint64_t)from, from_offset, size,
			0);
}
static inline int64_t memory_map(handle_t process_or_vm, handle_t memory, uint64_t offset,
				 uint64_t size, uint64_t address, uint32_t prot)
{
	return syscall6(SYS_MEMORY_MAP, (uint64_t)process_or_vm, (uint64_t)memory, offset, size,
			address, prot);
}
/* In the caller, at an address that nothing has had so far. */
int64_t memory_map_here(handle_t memory, uint64_t offset, uint64_t size, uint32_t prot);
static inline int64_t memory_unmap(handle_t process_or_vm, uint64_t address, uint64_t size)
{
	return syscall3(SYS_MEMORY_UNMAP, (uint64_t)process_or_vm, address, size);
}
static inline int64_t memory_log(handle_t memory, bool is_on)
{
	return syscall3(SYS_MEMORY_LOG, (uint64_t)memory, is_on, 0);
}
static inline int64_t memory_harvest(handle_t memory, uint64_t offset, uint64_t size, uint8_t *bits)
{
	return syscall6(SYS_MEMORY_HARVEST, (uint64_t)memory, offset, size, (uint64_t)bits, 0, 0);
}
static inline int64_t memory_info(handle_t memory, struct abi_memory_info *info)
{
	return syscall3(SYS_MEMORY_INFO, (uint64_t)memory, (uint64_t)info, 0);
}

/* Channels, events, wait sets, time */
static inline int64_t channel_create(handle_t out[2])
{
	int64_t result = syscall3(SYS_CHANNEL_CREATE, 0, 0, 0);

	if (result < 0)
		return result;
	out[0] = (handle_t)(result & 0xffff);
	out[1] = (handle_t)(result >> 16);
	return 0;
}
static inline int64_t channel_send(handle_t channel, const void *bytes, size_t size,
				   const handle_t *handles, size_t count)
{
	return syscall6(SYS_CHANNEL_SEND, (uint64_t)channel, (uint64_t)bytes, size,
			(uint64_t)handles, count, 0);
}
/* Size of the message; *count: handles in, handles got out. */
static inline int64_t channel_receive(handle_t channel, void *bytes, size_t capacity,
				      handle_t *handles, size_t *count)
{
	int64_t result = syscall6(SYS_CHANNEL_RECV, (uint64_t)channel, (uint64_t)bytes, capacity,
				  (uint64_t)handles, count ? *count : 0, 0);

	if (result < 0)
		return result;
	if (count)
		*count = (size_t)result >> 16;
	return result & 0xffff;
}
static inline int64_t event_create(void)
{
	return syscall3(SYS_EVENT_CREATE, 0, 0, 0);
}
static inline int64_t event_signal(handle_t event, uint32_t n)
{
	return syscall3(SYS_EVENT_SIGNAL, (uint64_t)event, n, 0);
}
static inline int64_t event_take(handle_t event)
{
	return syscall3(SYS_EVENT_TAKE, (uint64_t)event, 0, 0);
}
static inline int64_t waitset_create(void)
{
	return syscall3(SYS_WAITSET_CREATE, 0, 0, 0);
}
static inline int64_t waitset_add(handle_t set, handle_t h, uint64_t key)
{
	return syscall3(SYS_WAITSET_ADD, (uint64_t)set, (uint64_t)h, key);
}
static inline int64_t waitset_remove(handle_t set, handle_t h)
{
	return syscall3(SYS_WAITSET_REMOVE, (uint64_t)set, (uint64_t)h, 0);
}
static inline int64_t waitset_wait(handle_t set, uint64_t keys[], size_t capacity,
				   uint64_t deadline_ns)
{
	return syscall6(SYS_WAITSET_WAIT, (uint64_t)set, (uint64_t)keys, capacity, deadline_ns, 0,
			0);
}
static inline uint64_t clock_ns(void)
{
	return (uint64_t)syscall3(SYS_CLOCK_GET, 0, 0, 0);
}

/* Devices */
static inline int64_t device_create(handle_t system, uint16_t port, unsigned count, uint64_t irq)
{
	return syscall6(SYS_DEVICE_CREATE, (uint64_t)system, port, count, irq, 0, 0);
}
static inline int64_t device_port_in(handle_t device, uint16_t port, unsigned size)
{
	return syscall3(SYS_DEVICE_PORT_IN, (uint64_t)device, port, size);
}
static inline int64_t device_port_out(handle_t device, uint16_t port, unsigned size, uint32_t value)
{
	return syscall6(SYS_DEVICE_PORT_OUT, (uint64_t)device, port, size, value, 0, 0);
}
static inline int64_t device_irq_bind(handle_t device, handle_t event)
{
	return syscall3(SYS_DEVICE_IRQ_BIND, (uint64_t)device, (uint64_t)event, 0);
}
static inline int64_t device_irq_ack(handle_t device)
{
	return syscall3(SYS_DEVICE_IRQ_ACK, (uint64_t)device, 0, 0);
}

/* Virtual machines */
static inline int64_t vm_create(uint32_t vcpu_count, uint32_t flags)
{
	return syscall3(SYS_VM_CREATE, vcpu_count, flags, 0);
}
static inline int64_t vm_doorbell(handle_t vm, uint16_t port, unsigned size, uint64_t value,
				  handle_t event)
{
	return syscall6(SYS_VM_DOORBELL, (uint64_t)vm, port, size, value, (uint64_t)event, 0);
}
static inline int64_t vm_msi(handle_t vm, uint64_t address, uint32_t data)
{
	return syscall3(SYS_VM_MSI, (uint64_t)vm, address, data);
}
static inline int64_t vm_stats(handle_t vm, struct abi_vm_stats *stats)
{
	return syscall3(SYS_VM_STATS, (uint64_t)vm, (uint64_t)stats, 0);
}
static inline int64_t vcpu_create(handle_t vm, uint32_t index)
{
	return syscall3(SYS_VCPU_CREATE, (uint64_t)vm, index, 0);
}
static inline int64_t vcpu_run(handle_t vcpu)
{
	return syscall3(SYS_VCPU_RUN, (uint64_t)vcpu, 0, 0);
}
static inline int64_t vcpu_kick(handle_t vcpu)
{
	return syscall3(SYS_VCPU_KICK, (uint64_t)vcpu, 0, 0);
}
static inline int64_t vcpu_state_get(handle_t vcpu, uint32_t what, void *buffer, size_t size)
{
	return syscall6(SYS_VCPU_GET, (uint64_t)vcpu, what, (uint64_t)buffer, size, 0, 0);
}
static inline int64_t vcpu_state_set(handle_t vcpu, uint32_t what, const void *buffer, size_t size)
{
	return syscall6(SYS_VCPU_SET, (uint64_t)vcpu, what, (uint64_t)buffer, size, 0, 0);
}
static inline int64_t vcpu_apic_access(handle_t vcpu, uint32_t offset, bool is_write,
				       uint32_t value)
{
	return syscall6(SYS_VCPU_APIC_ACCESS, (uint64_t)vcpu, offset, is_write, value, 0, 0);
}

/* The machine */
static inline int64_t system_info(handle_t system, struct abi_system_info *info)
{
	return syscall3(SYS_SYSTEM_INFO, (uint64_t)system, (uint64_t)info, 0);
}
static inline int64_t system_module(handle_t system, uint32_t index, struct abi_module_info *info)
{
	return syscall3(SYS_SYSTEM_MODULE, (uint64_t)system, (uint64_t)info, index);
}
static inline int64_t system_core(handle_t system, struct abi_core_info *info, uint64_t index)
{
	return syscall3(SYS_SYSTEM_CORE, (uint64_t)system, (uint64_t)info, index);
}
static inline int64_t system_trace(handle_t system, uint32_t core)
{
	return syscall3(SYS_SYSTEM_TRACE, (uint64_t)system, core, 0);
}
static inline int64_t system_power(handle_t system, unsigned what)
{
	return syscall3(SYS_SYSTEM_POWER, (uint64_t)system, what, 0);
}
