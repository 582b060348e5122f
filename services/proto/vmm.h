/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between init and a vmm, over the vmm's bootstrap channel. */
#pragma once
#include <stdint.h>

#include "kernel/abi.h"

enum vmm_type {
	/* to vmm, in this order */
	VMM_START = 1, /* handles: console channel, start memory (struct vmm_start, read-only) */
	VMM_FILES = 2, /* handles of the next files: kernel, initrd if there is one, modules; at
			  most 16 a message */
	/* to init */
	VMM_STARTED = 3, /* the first vCPU is about to run */
	VMM_REFUSED = 4, /* text: one sentence; the process ends */
	VMM_ENDED = 5,   /* end, status, text; stats; the process ends */
	/* to vmm, at any time behind the files */
	VMM_PAUSE = 6, /* its CPU stands still, its clocks go on */
	VMM_RESUME = 7,
	VMM_BUTTON = 8, /* somebody presses the power button */
	VMM_STATS = 9,  /* answered with VMM_COUNTED */
	/* to init */
	VMM_COUNTED = 10, /* stats, ram_bytes */
	/* to vmm; each is answered by one of those below */
	VMM_SAVE = 11, /* all is saved and thrown away but RAM; the process goes on without a VM */
	VMM_LOAD = 12, /* and the VM goes on */
	/* to init */
	VMM_SAVED = 13, /* state_bytes, ram_bytes */
	VMM_LOADED = 14,
	VMM_FAILED = 15 /* text: one sentence; all is as it was */
};

enum vmm_end {
	VMM_END_POWEROFF,
	VMM_END_REBOOT,
	VMM_END_TRIPLE_FAULT,
	VMM_END_TEST_DEVICE,
	VMM_END_ERROR
};

#define VMM_MODULES_MAX    64u
#define VMM_STRINGS_OFFSET 4096u /* NUL-terminated strings from here on in the start memory */

/* The start memory's first page. */
struct vmm_start {
	uint32_t version; /* ABI_VERSION */
	uint32_t size;    /* of the whole start memory */
	char name[36];
	uint32_t vcpu_count;
	uint64_t memory;       /* bytes */
	uint64_t boot_wall_ns; /* Unix time at clock 0 */
	uint32_t has_test_device;
	uint32_t has_initrd;
	uint32_t has_apicv, reserved;
	uint32_t module_count;
	uint32_t cmdline; /* offset of the string in the start memory */
	uint64_t kernel_size, initrd_size;
	struct {
		uint64_t size;
		uint32_t cmdline, reserved;
	} modules[VMM_MODULES_MAX];
};

/* How long vmm took over the exits that came to it, by reason: TSC ticks below VMM_LATENCY_LEAST,
 * below twice as many and so on; the last counts all that took longer. */
#define VMM_LATENCIES     14u
#define VMM_LATENCY_LEAST 128u

struct vmm_report {
	uint32_t type; /* enum vmm_type */
	uint32_t end;  /* enum vmm_end */
	uint64_t status;
	struct abi_vm_stats stats;
	uint64_t ram_bytes;                  /* of the guest's RAM that frames stand behind */
	uint64_t first_tsc;                  /* before the first entry of its guest */
	uint64_t state_bytes;                /* of what was saved, but for RAM */
	uint64_t tsc;                        /* when its end began */
	uint64_t reload_count, reload_ticks; /* saved and loaded so often; TSC ticks at most */
	uint32_t latency[ABI_EXIT_COUNT][VMM_LATENCIES];
	char text[256];
};
