/* SPDX-License-Identifier: BSD-2-Clause */
/* What newlib asks of the system below it: a heap, and a standard error that goes to the log. */
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "services/lib/log.h"
#include "services/lib/syscall.h"

int main(int bootstrap);
_Noreturn void lib_start(uint64_t arg);
void *sbrk(ptrdiff_t increment);
int write(int file, const void *bytes, size_t size);
int read(int file, void *bytes, size_t size);
int close(int file);
int fstat(int file, struct stat *st);
int isatty(int file);
off_t lseek(int file, off_t offset, int whence);
int kill(int pid, int sig);
int getpid(void);
_Noreturn void _exit(int status);
int open(const char *name, int flags, int mode);

#define HEAP_BASE 0x10000000ull /* map.c has 4 GiB and above */
#define HEAP_STEP (64ull * 1024)
#define HEAP_MAX  (256ull << 20)

static uint64_t heap_top = HEAP_BASE;    /* what sbrk gave out */
static uint64_t heap_mapped = HEAP_BASE; /* what is mapped */

void *sbrk(ptrdiff_t increment)
{
	uint64_t old = heap_top;
	uint64_t wanted = heap_top + (uint64_t)increment;

	if (wanted < HEAP_BASE || wanted > HEAP_BASE + HEAP_MAX)
		goto full;
	if (wanted > heap_mapped) {
		uint64_t size = (wanted - heap_mapped + HEAP_STEP - 1) / HEAP_STEP * HEAP_STEP;
		int64_t memory = memory_create(size, 0);
		int64_t result;

		if (memory < 0)
			goto full;
		result = memory_map(PROCESS_SELF, (handle_t)memory, 0, size, heap_mapped,
				    ABI_PROT_READ | ABI_PROT_WRITE);
		if (result < 0) {
			handle_close((handle_t)memory);
			goto full;
		} /* else the handle stays open: with the last one the memory would go */
		heap_mapped += size;
	}
	heap_top = wanted;
	return (void *)old;
full:
	errno = ENOMEM;
	return (void *)-1;
}

/* printf in a service is for the log. */
int write(int file, const void *bytes, size_t size)
{
	(void)file;
	log_bytes(bytes, size);
	return (int)size;
}

int read(int file, void *bytes, size_t size)
{
	(void)file;
	(void)bytes;
	(void)size;
	return 0;
}

int open(const char *name, int flags, int mode)
{
	(void)name;
	(void)flags;
	(void)mode;
	errno = ENOENT;
	return -1;
}

int close(int file)
{
	(void)file;
	return 0;
}

int fstat(int file, struct stat *st)
{
	(void)file;
	st->st_mode = S_IFCHR;
	return 0;
}

int isatty(int file)
{
	(void)file;
	return 1;
}

off_t lseek(int file, off_t offset, int whence)
{
	(void)file;
	(void)offset;
	(void)whence;
	return 0;
}

int kill(int pid, int sig)
{
	(void)pid;
	process_exit(128 + (uint64_t)sig);
}

int getpid(void)
{
	return 1;
}

_Noreturn void _exit(int status)
{
	process_exit((uint64_t)status);
}

_Noreturn void lib_start(uint64_t arg)
{
	process_exit((uint64_t)main((int)arg));
}
