/* SPDX-License-Identifier: BSD-2-Clause */
/* What init told this vmm to run. */
#include "services/vmm/settings.h"

#include "services/lib/syscall.h"

#define PAGE     4096ull
#define HANDLES  16u
#define FILE_MAX (1ull << 40)

static uint64_t pages(uint64_t size)
{
	return (size + PAGE - 1) & ~(PAGE - 1);
}

/* The next message, which must be of that type. Returns how many handles came, or -1. */
static int receive(handle_t channel, handle_t set, uint32_t type, handle_t handles[HANDLES])
{
	for (;;) {
		size_t count = HANDLES;
		uint32_t got;
		uint64_t key;
		int64_t size = channel_receive(channel, &got, sizeof(got), handles, &count);

		if (size == sizeof(got) && got == type)
			return (int)count;
		if (size != -ABI_EAGAIN)
			return -1;
		waitset_wait(set, &key, 1, UINT64_MAX);
	}
}

/* Its strings must end in it: the last byte is a NUL. */
static bool map_start(struct settings *settings, handle_t memory)
{
	struct abi_memory_info info;
	const struct vmm_start *start;
	int64_t va;

	if (memory_info(memory, &info) < 0 || info.size < sizeof(*start) || info.size > UINT32_MAX)
		return false;
	va = memory_map_here(memory, 0, info.size, ABI_PROT_READ);
	if (va < 0)
		return false;
	start = (const struct vmm_start *)va;
	settings->start = start;
	return start->version == ABI_VERSION && start->size == info.size &&
	       start->module_count <= VMM_MODULES_MAX && ((const char *)va)[info.size - 1] == 0;
}

const char *settings_string(const struct settings *settings, uint32_t offset)
{
	return offset < settings->start->size ? (const char *)settings->start + offset : "";
}

static bool map_file(struct settings *settings, handle_t handle, uint64_t size, const char *cmdline)
{
	struct loader_file *file = &settings->file[settings->file_count++];
	int64_t va = 0;

	*file = (struct loader_file){
		.bytes = (const uint8_t *)"", .size = size, .cmdline = cmdline, .handle = handle};
	if (size > FILE_MAX)
		return false;
	if (size)
		va = memory_map_here(handle, 0, pages(size), ABI_PROT_READ);
	if (size && va > 0)
		file->bytes = (const uint8_t *)va;
	return va >= 0;
}

static bool take_file(struct settings *settings, handle_t handle)
{
	const struct vmm_start *start = settings->start;
	unsigned module = settings->file_count - 1 - !!start->has_initrd;

	if (settings->file_count == 0)
		return map_file(settings, handle, start->kernel_size, "");
	if (settings->file_count == 1 && start->has_initrd)
		return map_file(settings, handle, start->initrd_size, "");
	return map_file(settings, handle, start->modules[module].size,
			settings_string(settings, start->modules[module].cmdline));
}

bool settings_receive(struct settings *settings, handle_t bootstrap)
{
	handle_t handles[HANDLES];
	int64_t set = waitset_create();
	unsigned wanted;

	if (set < 0 || waitset_add((handle_t)set, bootstrap, 0) < 0)
		return false;
	if (receive(bootstrap, (handle_t)set, VMM_START, handles) != 2)
		return false;
	settings->console = handles[0];
	if (!map_start(settings, handles[1]))
		return false;
	wanted = 1 + !!settings->start->has_initrd + settings->start->module_count;
	while (settings->file_count < wanted) {
		int count = receive(bootstrap, (handle_t)set, VMM_FILES, handles);

		if (count <= 0)
			return false;
		for (int i = 0; i < count && settings->file_count < wanted; i++)
			if (!take_file(settings, handles[i]))
				return false;
	}
	handle_close((handle_t)set);
	return true;
}

void settings_close_files(struct settings *settings)
{
	for (unsigned i = 0; i < settings->file_count; i++) {
		struct loader_file *file = &settings->file[i];

		if (file->size)
			memory_unmap(PROCESS_SELF, (uint64_t)file->bytes, pages(file->size));
		handle_close(file->handle);
	}
	settings->file_count = 0;
}
