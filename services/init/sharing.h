/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM is to get of the cores: its settings, and which of them contradict each other. No I/O
 * here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

#define SHARING_CPUS_MAX  (ABI_CPU_WORDS * 64)
#define SHARING_PERIOD_NS 20000000ull /* of a cap */
#define SHARING_WHY_SIZE  120

struct sharing {
	unsigned weight;
	unsigned cap;                            /* percent of a core; 0 = none */
	uint64_t cpus[ABI_CPU_WORDS];            /* bit n: core n */
	bool has_cpus;                           /* else all that are not another VM's alone */
	bool exclusive;                          /* no other VM runs on these */
	unsigned priority, budget_us, period_us; /* priority 0: no real-time VM */
};

/* One of the VMs. */
struct sharer {
	const char *name;
	const struct sharing *sharing;
	bool is_running;
};

extern const struct sharing sharing_default;

/* A number for one setting: NULL, or "WHAT IS WRONG; WHAT IS RIGHT". sharing_cpu adds a core. */
const char *sharing_weight(struct sharing *sharing, double value);
const char *sharing_cap(struct sharing *sharing, double value);
const char *sharing_cpu(struct sharing *sharing, double value);
/* The same of priority (0), budget_us (1) and period_us (2), which stand together. */
#define SHARING_REALTIME_COUNT 3u
const char *sharing_realtime(struct sharing *sharing, unsigned which, double value);
/* What the settings have against each other; *key = the one at fault. */
const char *sharing_check(const struct sharing *sharing, const char **key);

/*
 * "weight=300 cpus=0,2-3 cap=off": changes the settings that are named; exclusive=on, and
 * realtime=PRIORITY,BUDGET_US,PERIOD_US too. NULL, or a sentence about *key, which may be any word
 * of the text; then the settings are as they were.
 */
const char *sharing_parse(struct sharing *sharing, const char *text, char key[20]);

/* Whether the VM can have these settings on a machine with so many cores beside those that run. A
 * sentence in `why`, or NULL. */
const char *sharing_fit(const struct sharer *sharers, size_t count, size_t index,
			const struct sharing *wanted, unsigned core_count,
			char why[SHARING_WHY_SIZE]);
/* The cores that one of those that run has for itself, but for the one of index `except`. */
void sharing_taken(const struct sharer *sharers, size_t count, size_t except,
		   uint64_t taken[ABI_CPU_WORDS]);
/* In ring 0's terms. */
void sharing_terms(const struct sharing *sharing, const uint64_t taken[ABI_CPU_WORDS],
		   struct abi_sched *terms);
