/* SPDX-License-Identifier: BSD-2-Clause */
/* Ring 0's own page tables, and the protections that control registers switch on. */
#pragma once
#include "kernel/pagetable.h"
#include "kernel/types.h"

extern bool paging_has_smap; /* read by traps_entry.S too (set once) */

/* CR0, CR4 and PAT of this core. */
void paging_cpu_start(void);
/* After the loader's data has been read: its mapping of the lower half goes. */
void paging_drop_loader(void);
