/* SPDX-License-Identifier: BSD-2-Clause */
/* The test device: INTERFACE, "The VM's console and its test device". It has no state to save. */
#pragma once

#include <stdint.h>

struct platform;

#define VTEST_STATUS_PORT   0xf4
#define VTEST_FAIL_PORT     0xf8
#define VTEST_DOORBELL_PORT 0xfc /* ring 0 answers it: SYS_VM_DOORBELL */

/*
 * Linux takes packed rings wherever they are offered. For tests of split ones, a VM with a test
 * device and this word in its command line offers none: these features are hidden then, else 0.
 */
#define VTEST_SPLIT_WORD "test.rings=split"

uint64_t vtest_hidden_features(const char *cmdline);

/* The same for saving the VM, throwing it away and loading it: each so often; 0 = never. */
#define VTEST_RELOAD_WORD "test.reload_ms="

uint64_t vtest_reload_ns(const char *cmdline);

/* And for what is saved: it is spoilt before it is loaded. */
#define VTEST_SPOIL_WORD "test.spoil="

enum vtest_spoil {
	VTEST_SPOIL_NOT,
	VTEST_SPOIL_CUT,     /* its second half is missing */
	VTEST_SPOIL_FLIP,    /* one bit is another */
	VTEST_SPOIL_VERSION, /* it is of the next version */
	VTEST_SPOIL_VALUE,   /* it is whole, but of a CPU that cannot be */
	VTEST_SPOIL_REFUSED, /* the same, and only ring 0 notices */
	VTEST_SPOIL_TWICE,   /* it has a CPU twice, and not its last */
	VTEST_SPOIL_FEWER,   /* it has not the last at all */
	VTEST_SPOIL_COUNT
};

enum vtest_spoil vtest_spoil(const char *cmdline);

/* Claims its ports; only for a VM whose configuration asks for it. */
void vtest_init(struct platform *platform);
