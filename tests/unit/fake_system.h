/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_start(), with one file that the loader left, and the system object as a process's first
 * handle. */
#pragma once
#include "boot/boot_info.h"
#include "kernel/frames.h"
#include "kernel/handle.h"
#include "kernel/system.h"

#include "tests/unit/fake_arch.h"
#include "tests/unit/unit.h"

static inline void fake_system_start(uint32_t rights)
{
	static struct boot_module module __attribute__((aligned(512))) = {
		.start = 0x20000, .size = 5000, .kind = BOOT_MODULE_FILE, .path = "linux/kernel"};
	static struct boot_info info = {.magic = BOOT_INFO_MAGIC,
					.version = BOOT_INFO_VERSION,
					.size = sizeof(info),
					.range_size = sizeof(struct boot_range),
					.module_count = 1,
					.module_size = sizeof(module)};

	fake_start();
	info.modules = (uint64_t)&module - FRAMES_WINDOW;
	system_init(&info);
	CHECK_EQ(handle_install(process_current(),
				object_alloc(OBJECT_SYSTEM, sizeof(struct object), NULL), rights),
		 ABI_HANDLE_BOOTSTRAP);
}
