/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware configuration device at ports 0x510 and 0x511: a few facts and no files. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct platform;

struct vfwcfg_state {
	uint16_t key;
	uint16_t reserved;
	uint32_t position; /* in the item; stops behind its end */
};

struct vfwcfg {
	struct platform *platform; /* (set once) */
	uint16_t vcpu_count;       /* (set once) */
	uint64_t ram_size;         /* (set once) */
	struct vfwcfg_state s;
};

void vfwcfg_init(struct vfwcfg *fwcfg, struct platform *platform, unsigned vcpu_count);

size_t vfwcfg_save(const struct vfwcfg *fwcfg, void *buffer, size_t capacity);
int vfwcfg_load(struct vfwcfg *fwcfg, const void *buffer, size_t size);
