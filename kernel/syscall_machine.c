/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: devices, and the machine as a whole. */
#include "kernel/arch.h"
#include "kernel/device.h"
#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/syscall.h"
#include "kernel/system.h"

static int get_device(uint64_t handle, uint32_t rights, struct device **out)
{
	struct object *object;
	int error = call_get(handle, OBJECT_DEVICE, rights, &object);

	if (error == 0)
		*out = device_of(object);
	return error;
}

/* The system object is one: only the right to it counts. */
static int check_system(uint64_t handle, uint32_t rights)
{
	struct object *object;
	int error = call_get(handle, OBJECT_SYSTEM, rights, &object);

	if (error == 0)
		object_unref(object);
	return error;
}

int64_t call_device_create(const uint64_t args[6])
{
	struct abi_device_desc desc;
	struct device *device;
	int error = check_system(args[0], ABI_RIGHT_MANAGE);

	if (error == 0)
		error = user_read(&desc, args[1], sizeof(desc));
	if (error == 0)
		error = device_create(process_current()->quota, &desc, &device);
	return error ? error : call_install(device_object(device), ABI_RIGHT_ALL);
}

int64_t call_device_port_in(const uint64_t args[6])
{
	struct device *device;
	int64_t result = get_device(args[0], ABI_RIGHT_READ, &device);

	if (result)
		return result;
	result = device_port_in(device, args[1], args[2]);
	object_unref(device_object(device));
	return result;
}

int64_t call_device_port_out(const uint64_t args[6])
{
	struct device *device;
	int error = get_device(args[0], ABI_RIGHT_WRITE, &device);

	if (error)
		return error;
	error = device_port_out(device, args[1], args[2], (uint32_t)args[3]);
	object_unref(device_object(device));
	return error;
}

int64_t call_device_irq_bind(const uint64_t args[6])
{
	struct device *device;
	struct object *event;
	int error = get_device(args[0], ABI_RIGHT_MANAGE, &device);

	if (error)
		return error;
	error = call_get(args[2], OBJECT_EVENT, ABI_RIGHT_WRITE, &event);
	if (error == 0) {
		error = device_irq_bind(device, args[1], CONTAINER_OF(event, struct event, object));
		object_unref(event);
	}
	object_unref(device_object(device));
	return error;
}

int64_t call_device_irq_ack(const uint64_t args[6])
{
	struct device *device;
	int error = get_device(args[0], ABI_RIGHT_WRITE, &device);

	if (error)
		return error;
	error = device_irq_ack(device, args[1]);
	object_unref(device_object(device));
	return error;
}

int64_t call_device_dma_map(const uint64_t args[6])
{
	struct device *device;
	struct object *memory;
	int64_t result = get_device(args[0], ABI_RIGHT_MANAGE, &device);

	if (result)
		return result;
	result = call_get(args[1], OBJECT_MEMORY, ABI_RIGHT_DMA, &memory);
	if (result == 0) {
		result = device_dma_map(device, CONTAINER_OF(memory, struct memory, object), args[2], args[3]);
		object_unref(memory);
	}
	object_unref(device_object(device));
	return result;
}

int64_t call_device_dma_unmap(const uint64_t args[6])
{
	struct device *device;
	int error = get_device(args[0], ABI_RIGHT_MANAGE, &device);

	if (error)
		return error;
	error = device_dma_unmap(device, args[1]);
	object_unref(device_object(device));
	return error;
}

int64_t call_system_info(const uint64_t args[6])
{
	struct abi_system_info info;
	int error = check_system(args[0], ABI_RIGHT_READ);

	if (error)
		return error;
	system_info(&info);
	return user_write(args[1], &info, sizeof(info));
}

int64_t call_system_module(const uint64_t args[6])
{
	const struct module *module;
	int64_t result = check_system(args[0], ABI_RIGHT_READ);

	if (result)
		return result;
	module = system_module(args[1]);
	if (!module)
		return -ABI_ENOENT;
	object_ref(memory_object(module->memory));
	result = call_install(memory_object(module->memory),
			      ABI_RIGHT_READ | ABI_RIGHT_EXEC | ABI_RIGHT_MAP | ABI_RIGHT_TRANSFER);
	if (result >= 0 && user_write(args[2], &module->info, sizeof(module->info)) != 0) {
		object_unref(handle_take(process_current(), (handle_t)result));
		result = -ABI_EFAULT;
	}
	return result;
}

int64_t call_system_power(const uint64_t args[6])
{
	int error = check_system(args[0], ABI_RIGHT_MANAGE);

	if (error)
		return error;
	if (args[1] != ABI_POWER_OFF && args[1] != ABI_POWER_REBOOT)
		return -ABI_EINVAL;
	arch_power((unsigned)args[1]);
}
