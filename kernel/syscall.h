/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries of the system-call table, one for each number of abi.h, and what they share. */
#pragma once
#include "kernel/handle.h"
#include "kernel/object.h"
#include "kernel/process.h"

/* An entry checks its arguments whole before it changes anything. */
typedef int64_t syscall_entry(const uint64_t args[6]);

syscall_entry call_handle_close, call_handle_dup, call_process_create, call_process_give, call_process_exit,
	call_process_kill, call_process_info, call_thread_create, call_thread_exit, call_thread_yield,
	call_clock_get;
syscall_entry call_memory_create, call_memory_cow, call_memory_map, call_memory_unmap, call_memory_info;
syscall_entry call_channel_create, call_channel_send, call_channel_recv, call_event_create, call_event_signal,
	call_event_take, call_waitset_create, call_waitset_add, call_waitset_remove, call_waitset_wait;
syscall_entry call_device_create, call_device_port_in, call_device_port_out, call_device_irq_bind,
	call_device_irq_ack, call_device_dma_map, call_device_dma_unmap, call_system_info, call_system_module,
	call_system_power;
syscall_entry call_vm_create, call_vm_map, call_vm_unmap, call_vm_doorbell, call_vm_msi, call_vm_stats,
	call_vcpu_create, call_vcpu_run, call_vcpu_kick, call_vcpu_get, call_vcpu_set, call_vcpu_apic_access;

/* Copies of arguments: 0 or -ABI_EFAULT. */
int user_read(void *to, uint64_t from, size_t size);
int user_write(uint64_t to, const void *from, size_t size);

/* handle_get on the caller's table. The reference is dropped with object_unref. */
int call_get(uint64_t handle, enum object_type type, uint32_t rights, struct object **out);
/* The process that an argument names; -1 = the caller, who needs no right then. */
int call_get_process(uint64_t handle, uint32_t rights, struct process **out);
/* Gives the caller a handle and the handle the caller's reference; on -ABI_ENOMEM drops it. */
int64_t call_install(struct object *object, uint32_t rights);
/* 0; -ABI_EINVAL: prot is not one that a mapping can have. */
int call_check_prot(uint64_t prot);
