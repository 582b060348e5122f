/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts a service: an ELF program of corbel.efi in a process of its own. */
#include "services/lib/elf.h"

#include <string.h>

#include "services/lib/elf_format.h"
#include "services/lib/syscall.h"

#define PAGE         4096ull
#define STACK_TOP    0x00007fff00000000ull
#define STACK_SIZE   (64ull * 1024)
#define SEGMENTS_MAX 8u
#define HEADER_MAX   PAGE

#define PT_LOAD   1u
#define PF_X      1u
#define PF_W      2u
#define ET_EXEC   2u
#define EM_X86_64 62u

static bool is_loadable(const struct elf_header *elf, uint64_t file_size)
{
	return file_size >= sizeof(*elf) && memcmp(elf->ident, "\177ELF\2\1\1", 7) == 0 &&
	       elf->type == ET_EXEC && elf->machine == EM_X86_64 &&
	       elf->phentsize == sizeof(struct elf_segment) && elf->phnum > 0 &&
	       elf->phnum <= SEGMENTS_MAX && elf->phoff >= sizeof(*elf) &&
	       elf->phoff <= HEADER_MAX - SEGMENTS_MAX * sizeof(struct elf_segment);
}

static bool is_segment_fine(const struct elf_segment *s, uint64_t file_size)
{
	return s->offset <= file_size && s->filesz <= file_size - s->offset &&
	       s->filesz <= s->memsz && s->offset % PAGE == s->vaddr % PAGE &&
	       s->vaddr >= ABI_USER_BASE && s->memsz < ABI_USER_END &&
	       s->vaddr < STACK_TOP - STACK_SIZE - s->memsz &&
	       !(s->flags & PF_X && s->flags & PF_W);
}

/* Writes zeros behind the file's part of a data segment, through a mapping of our own. */
static int clear_tail(handle_t memory, uint64_t from, uint64_t size)
{
	uint64_t page = from / PAGE * PAGE;
	int64_t va;

	if (from % PAGE == 0 || page >= size)
		return 0;
	va = memory_map_here(memory, page, PAGE, ABI_PROT_READ | ABI_PROT_WRITE);
	if (va < 0)
		return (int)va;
	memset((char *)va + from % PAGE, 0, PAGE - from % PAGE);
	return (int)memory_unmap(PROCESS_SELF, (uint64_t)va, PAGE);
}

/* The memory lives as long as somebody has a handle to it: from now on that is the process itself.
 */
static int64_t hand_over(handle_t process, int64_t memory, int64_t result)
{
	if (result >= 0)
		result = process_give(process, (handle_t)memory, ABI_RIGHT_ALL);
	handle_close((handle_t)memory);
	return result;
}

static int map_data(handle_t process, handle_t file, const struct elf_segment *s)
{
	uint64_t lead = s->vaddr % PAGE;
	uint64_t size = (lead + s->memsz + PAGE - 1) / PAGE * PAGE;
	uint64_t copied = (lead + s->filesz + PAGE - 1) / PAGE * PAGE;
	int64_t memory = memory_create(size, 0);
	int64_t result = memory;

	if (memory < 0)
		return (int)memory;
	if (s->filesz)
		result = memory_cow((handle_t)memory, 0, file, s->offset - lead, copied);
	if (result >= 0 && s->filesz)
		result = clear_tail((handle_t)memory, lead + s->filesz, size);
	if (result >= 0)
		result = memory_map(process, (handle_t)memory, 0, size, s->vaddr - lead,
				    ABI_PROT_READ | ABI_PROT_WRITE);
	result = hand_over(process, memory, result);
	return result < 0 ? (int)result : 0;
}

static int map_segment(handle_t process, handle_t file, const struct elf_segment *s)
{
	uint64_t lead = s->vaddr % PAGE;
	uint32_t prot = ABI_PROT_READ | (s->flags & PF_X ? ABI_PROT_EXEC : 0);
	int64_t result;

	if (s->memsz == 0)
		return 0;
	if (s->flags & PF_W)
		return map_data(process, file, s);
	result = memory_map(process, file, s->offset - lead,
			    (lead + s->filesz + PAGE - 1) / PAGE * PAGE, s->vaddr - lead, prot);
	return result < 0 ? (int)result : 0;
}

static int map_stack(handle_t process)
{
	int64_t memory = memory_create(STACK_SIZE, 0);
	int64_t result;

	if (memory < 0)
		return (int)memory;
	result = memory_map(process, (handle_t)memory, 0, STACK_SIZE, STACK_TOP - STACK_SIZE,
			    ABI_PROT_READ | ABI_PROT_WRITE);
	result = hand_over(process, memory, result);
	return result < 0 ? (int)result : 0;
}

static int map_all(handle_t process, handle_t file, uint64_t file_size, uint64_t *entry)
{
	const struct elf_segment *segments;
	const struct elf_header *elf;
	int64_t va = memory_map_here(file, 0, PAGE, ABI_PROT_READ);
	int error = -ABI_EINVAL;

	if (va < 0)
		return (int)va;
	elf = (const struct elf_header *)va;
	if (!is_loadable(elf, file_size))
		goto out;
	*entry = elf->entry;
	segments = (const struct elf_segment *)(va + (int64_t)elf->phoff);
	for (unsigned i = 0; i < elf->phnum; i++) {
		if (segments[i].type != PT_LOAD)
			continue;
		error = is_segment_fine(&segments[i], file_size)
				? map_segment(process, file, &segments[i])
				: -ABI_EINVAL;
		if (error)
			goto out;
	}
	error = map_stack(process);
out:
	memory_unmap(PROCESS_SELF, (uint64_t)va, PAGE);
	return error;
}

int elf_start(handle_t system, handle_t file, uint64_t file_size, uint64_t quota_bytes,
	      struct service_process *out)
{
	handle_t ends[2] = {-1, -1};
	uint64_t entry = 0;
	int64_t process, result;

	process = process_create(system, quota_bytes);
	if (process < 0)
		return (int)process;
	result = channel_create(ends);
	if (result >= 0)
		result = process_give((handle_t)process, ends[1], ABI_RIGHT_ALL);
	if (result >= 0)
		result = result == ABI_HANDLE_BOOTSTRAP ? 0 : -ABI_EINVAL;
	if (result >= 0)
		result = map_all((handle_t)process, file, file_size, &entry);
	if (result >= 0)
		result = thread_create((handle_t)process, entry, STACK_TOP, ABI_HANDLE_BOOTSTRAP);
	if (ends[1] >= 0)
		handle_close(ends[1]);
	if (result < 0) {
		if (ends[0] >= 0)
			handle_close(ends[0]);
		process_kill((handle_t)process);
		handle_close((handle_t)process);
		return (int)result;
	}
	out->process = (handle_t)process;
	out->channel = ends[0];
	return 0;
}
