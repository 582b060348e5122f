/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM as the kernel has it: RAM with a kernel in it, and a CPU about to start. */
#pragma once

#include "services/vmm/loader.h"
#include "services/vmm/settings.h"

struct abi_vcpu_page;

struct machine {
	handle_t vm, ram;
	unsigned vcpu_count;
	struct machine_vcpu {
		handle_t handle;
		struct abi_vcpu_page *page; /* here */
	} vcpu[ABI_VCPUS_MAX];
	uint64_t ram_va, ram_size; /* where this process has it */
	struct memmap map;
	struct ram parts;           /* RAM as this process sees it */
	struct abi_vm_stats before; /* of those that it has been before */
	uint64_t dirty_next;        /* offset in RAM: machine_dirty_page() goes on there */
};

/*
 * Makes it with RAM of its own, or with the RAM that another was saved with (-1 = none); no kernel
 * is in it, and its CPU has no state. False: `why` says in one sentence why it cannot be.
 */
bool machine_create(struct machine *machine, const struct vmm_start *start, handle_t ram,
		    char why[LOADER_WHY_SIZE]);

/* A CPU of it begins anew, in real mode at that page of RAM, as a start-up message asks for. False:
 * ring 0 refused. */
bool machine_start_up(const struct machine *machine, unsigned index, uint8_t page);

/* All that machine_create() made goes, but the RAM. */
void machine_destroy(struct machine *machine);

/* Counts of its whole life. */
void machine_stats(const struct machine *machine, struct abi_vm_stats *stats);

/* Creates it and loads its kernel, so that its CPU can start. */
bool machine_build(struct machine *machine, const struct settings *settings,
		   char why[LOADER_WHY_SIZE]);

/*
 * For a test: which pages of RAM were written since memory_log() or the last time, up to 128 MiB
 * of it; then their numbers (address in the guest / 4096) in turn, UINT32_MAX at the end.
 */
void machine_harvest(struct machine *machine);
uint32_t machine_dirty_page(struct machine *machine);
