/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loaders share: which RAM is taken already, and bytes of files on their way into it. */
#pragma once

#include <stddef.h>
#include <string.h>

#include "services/vmm/loader.h"

#define LOADER_PAGE      4096ull
#define LOADER_CLAIM_MAX 192
#define LOADER_4G        0x100000000ull

#define LOADER_GDT_SIZE 32u
#define LOADER_CS       0x10u /* as Linux wants them: Documentation/arch/x86/boot.rst */
#define LOADER_DS       0x18u

struct loader {
	const struct loader_boot *boot; /* (set once) */
	char *why;                      /* (set once) */
	unsigned claim_count;
	struct loader_claim {
		uint64_t first, end;
	} claim[LOADER_CLAIM_MAX]; /* ascending, without overlap */
};

/* Where loader_place() looks. */
struct loader_wish {
	const char *what; /* for the sentence */
	uint64_t size;    /* 1 and above */
	uint64_t align;   /* a power of two */
	uint64_t min;     /* of the first byte */
	uint64_t max;     /* of the byte behind the last */
	bool is_high;     /* as high as possible, else as low */
};

/* Notes the sentence if there is none yet; false, always. */
bool loader_refuse(struct loader *loader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Takes the RAM for something that can lie nowhere else; refuses if it is no RAM, or taken. */
bool loader_claim(struct loader *loader, const char *what, uint64_t gpa, uint64_t size);

/* Finds free RAM and takes it. */
bool loader_find(struct loader *loader, const struct loader_wish *wish, uint64_t *gpa);
/* As loader_find(), and refuses if there is none. */
bool loader_place(struct loader *loader, const struct loader_wish *wish, uint64_t *gpa);

/* Brings bytes of a file, which it has, into RAM that was taken: shared where pages allow it. */
bool loader_put(struct loader *loader, uint64_t gpa, const struct loader_file *file,
		uint64_t offset, uint64_t size);

/* RAM that was taken. */
static inline void *loader_at(const struct loader *loader, uint64_t gpa, uint64_t size)
{
	return ram_at(loader->boot->ram, gpa, size);
}

/* Are [offset, offset + size) in the file? */
static inline bool loader_has(const struct loader_file *file, uint64_t offset, uint64_t size)
{
	return offset <= file->size && size <= file->size - offset;
}

/* Fields of a file, which loader_has() must have found to be there. */
static inline uint16_t loader_get16(const struct loader_file *file, uint64_t offset)
{
	uint16_t value;

	memcpy(&value, file->bytes + offset, sizeof(value));
	return value;
}

static inline uint32_t loader_get32(const struct loader_file *file, uint64_t offset)
{
	uint32_t value;

	memcpy(&value, file->bytes + offset, sizeof(value));
	return value;
}

static inline uint64_t loader_get64(const struct loader_file *file, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, file->bytes + offset, sizeof(value));
	return value;
}

static inline uint64_t loader_align(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

/* A descriptor table with LOADER_CS (64-bit) and LOADER_DS. */
void loader_gdt(uint64_t gdt[LOADER_GDT_SIZE / 8]);

/* The formats: _is() tells by content alone, the other loads or refuses. */
bool loader_bzimage_is(const struct loader_file *kernel);
bool loader_bzimage(struct loader *loader, struct loader_entry *entry);
bool loader_multiboot_is(const struct loader_file *kernel);
bool loader_multiboot(struct loader *loader, struct loader_entry *entry);
bool loader_pvh_is(const struct loader_file *kernel);
bool loader_pvh(struct loader *loader, struct loader_entry *entry);
