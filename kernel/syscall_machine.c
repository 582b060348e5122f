/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: devices, and the machine as a whole. */
#include "kernel/arch.h"
#include "kernel/device.h"
#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/syscall.h"
#include "kernel/system.h"

int64_t call_device_create(const uint64_t args[6], struct object *const objects[2])
{
	struct abi_device_desc desc;
	struct device *device;
	int error = user_read(&desc, args[1], sizeof(desc));

	(void)objects;
	if (error == 0)
		error = device_create(process_current()->quota, &desc, &device);
	return error ? error : call_install(device_object(device), ABI_RIGHT_ALL);
}

int64_t call_device_port_in(const uint64_t args[6], struct object *const objects[2])
{
	return device_port_in(device_of(objects[0]), args[1], args[2]);
}

int64_t call_device_port_out(const uint64_t args[6], struct object *const objects[2])
{
	return device_port_out(device_of(objects[0]), args[1], args[2], (uint32_t)args[3]);
}

int64_t call_device_irq_bind(const uint64_t args[6], struct object *const objects[2])
{
	return device_irq_bind(device_of(objects[0]), args[1],
			       CONTAINER_OF(objects[1], struct event, object));
}

int64_t call_device_irq_ack(const uint64_t args[6], struct object *const objects[2])
{
	return device_irq_ack(device_of(objects[0]), args[1]);
}

int64_t call_device_dma_map(const uint64_t args[6], struct object *const objects[2])
{
	return device_dma_map(device_of(objects[0]),
			      CONTAINER_OF(objects[1], struct memory, object), args[2], args[3]);
}

int64_t call_device_dma_unmap(const uint64_t args[6], struct object *const objects[2])
{
	return device_dma_unmap(device_of(objects[0]), args[1]);
}

int64_t call_system_info(const uint64_t args[6], struct object *const objects[2])
{
	struct abi_system_info info;

	(void)objects;
	system_info(&info);
	return user_write(args[1], &info, sizeof(info));
}

int64_t call_system_module(const uint64_t args[6], struct object *const objects[2])
{
	const struct module *module = system_module(args[1]);
	int error;

	(void)objects;
	if (!module)
		return -ABI_ENOENT;
	error = user_write(args[2], &module->info, sizeof(module->info));
	if (error)
		return error;
	object_ref(memory_object(module->memory));
	return call_install(memory_object(module->memory),
			    ABI_RIGHT_READ | ABI_RIGHT_EXEC | ABI_RIGHT_MAP | ABI_RIGHT_TRANSFER);
}

int64_t call_system_power(const uint64_t args[6], struct object *const objects[2])
{
	(void)objects;
	if (args[1] != ABI_POWER_OFF && args[1] != ABI_POWER_REBOOT)
		return -ABI_EINVAL;
	arch_power((unsigned)args[1]);
}
