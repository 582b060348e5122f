/* SPDX-License-Identifier: BSD-2-Clause */
/* Quotas: how much memory a process, and all that it makes, may take. */
#pragma once
#include "kernel/types.h"

struct quota {
	struct quota *parent; /* whose `used` holds our limit; NULL = the machine's (set once) */
	uint64_t limit, used; /* bytes */
	bool is_closed;       /* the process is dead: what comes back goes to the parent at once */
};

/* Takes limit from the parent (NULL: the machine's own). NULL = the parent has too little. */
struct quota *quota_create(struct quota *parent, uint64_t limit);
/* Gives back what is not used; the rest follows as it is uncharged. */
void quota_close(struct quota *quota);
/* quota NULL = the kernel: always true. */
bool quota_charge(struct quota *quota, uint64_t size);
void quota_uncharge(struct quota *quota, uint64_t size);
