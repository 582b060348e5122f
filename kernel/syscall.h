/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls behind the table in syscall.c, one for each number of abi.h, and what they share. */
#pragma once
#include "kernel/handle.h"
#include "kernel/object.h"
#include "kernel/process.h"

/*
 * A call gets its arguments and, in order, the objects that the table names for it: right type,
 * right rights, held until it returns. It checks the other arguments whole before it changes
 * anything.
 */
typedef int64_t syscall_fn(const uint64_t args[6], struct object *const objects[2]);

syscall_fn call_handle_close, call_handle_dup, call_process_create, call_process_give,
	call_process_exit, call_process_kill, call_process_info, call_thread_create,
	call_thread_exit, call_thread_yield, call_clock_get;
syscall_fn call_memory_create, call_memory_cow, call_memory_map, call_memory_unmap,
	call_memory_info;
syscall_fn call_channel_create, call_channel_send, call_channel_recv, call_event_create,
	call_event_signal, call_event_take, call_waitset_create, call_waitset_add,
	call_waitset_remove, call_waitset_wait;
syscall_fn call_device_create, call_device_port_in, call_device_port_out, call_device_irq_bind,
	call_device_irq_ack, call_device_dma_map, call_device_dma_unmap, call_system_info,
	call_system_module, call_system_power;
syscall_fn call_vm_create, call_vm_map, call_vm_unmap, call_vm_doorbell, call_vm_msi, call_vm_stats,
	call_vcpu_create, call_vcpu_run, call_vcpu_kick, call_vcpu_get, call_vcpu_set,
	call_vcpu_apic_access;

/* Copies of arguments: 0 or -ABI_EFAULT. */
int user_read(void *to, uint64_t from, size_t size);
int user_write(uint64_t to, const void *from, size_t size);
/* Gives the caller a handle and the handle the caller's reference; on -ABI_ENOMEM drops it. */
int64_t call_install(struct object *object, uint32_t rights);
