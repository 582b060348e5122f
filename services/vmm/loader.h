/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads a guest's kernel, initrd and modules into its RAM and says how its first CPU starts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "services/vmm/memmap.h"
#include "services/vmm/ram.h"

struct abi_cpu;

#define LOADER_WHY_SIZE 240

/* A file as a whole, mapped for reading. It is hostile, and nobody changes it. */
struct loader_file {
	const uint8_t *bytes;
	uint64_t size;
	const char *cmdline; /* of a module; never NULL */
	int32_t handle;      /* the caller's, for cow() */
};

struct loader_boot {
	const struct ram *ram; /* zeroed, but for what the firmware's part holds */
	const struct memmap *map;
	struct loader_file kernel;
	const struct loader_file *initrd; /* NULL: none */
	const struct loader_file *modules;
	unsigned module_count;
	const char *cmdline;
	uint64_t rsdp; /* where the ACPI tables' root lies */

	/*
	 * Makes whole pages of RAM copy-on-write of the file's: `gpa` and `offset` are multiples of
	 * 4096, and so is `size`. Returns 0; -ABI_EBUSY: it cannot be, copy; else: out of memory.
	 */
	int (*cow)(void *context, uint64_t gpa, const struct loader_file *file, uint64_t offset,
		   uint64_t size);
	void *context;
};

/* How the first CPU starts: flat segments, interrupts off, the other registers 0. */
struct loader_entry {
	bool is_64bit; /* long mode with the first 4 GiB mapped to themselves; else no paging */
	uint64_t rip;
	uint64_t rax, rbx, rsi;
	uint64_t cr3; /* is_64bit */
	uint64_t gdt; /* is_64bit: LOADER_GDT_SIZE bytes, as loader_gdt() made them */
};

/*
 * Finds the kernel's format by its content, checks all, then loads. False: `why` holds one sentence
 * that ends without a full stop, and RAM may hold anything.
 */
bool loader_load(const struct loader_boot *boot, struct loader_entry *entry,
		 char why[LOADER_WHY_SIZE]);

/* The state of the first CPU; general registers in the order of enum abi_gpr. */
void loader_cpu(const struct loader_entry *entry, struct abi_cpu *cpu, uint64_t gpr[16]);
/* As a start-up message does after INIT: in real mode, at the begin of that page of RAM. */
void loader_start_up(uint8_t page, struct abi_cpu *cpu, uint64_t gpr[16]);
