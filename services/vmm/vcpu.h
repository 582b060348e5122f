/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest CPU as vmm sees it, and the one entry that answers its exits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "services/vmm/decode.h"
#include "services/vmm/gpagewalk.h"
#include "services/vmm/vmsr.h"

struct platform;
struct vpic;
struct vioapic;

struct vcpu {
	struct platform *platform;  /* (set once) */
	struct vpic *pic;           /* (set once) */
	struct vioapic *ioapic;     /* (set once) */
	struct abi_vcpu_page *page; /* shared with ring 0 (set once) */
	unsigned index;             /* (set once) */

	uint64_t stuck_rip;   /* of the last exit that led to nothing */
	unsigned stuck_count; /* how many such came one after the other */
	bool is_64bit;        /* of the exit that is emulated: 64-bit mode */
	uint32_t user;        /* GPAGEWALK_USER if the CPL is 3 */
	struct decode_cache cache;
	struct gpagewalk_cache walks;
	struct vmsr msr;
};

void vcpu_init(struct vcpu *vcpu, unsigned index, struct platform *platform, struct vpic *pic,
	       struct vioapic *ioapic, struct abi_vcpu_page *page);

/*
 * Answers the exit that page->exit tells, and leaves in the page what ring 0 is to take over. The
 * caller holds the lock of the devices, and does not run the vCPU again after platform_end().
 */
void vcpu_exit_handle(struct vcpu *vcpu);
/* The sentence for the code of an ABI_EXIT_ERROR. */
const char *vcpu_error_text(uint32_t code);

/* Raises an exception in the guest at the next entry, in place of the instruction at RIP. */
void vcpu_inject(struct vcpu *vcpu, uint8_t vector);
void vcpu_inject_error(struct vcpu *vcpu, uint8_t vector, uint32_t error);
void vcpu_inject_page_fault(struct vcpu *vcpu, uint64_t address, uint32_t error);

/* A general register of `size` bytes; writing 4 bytes clears the upper half, 1 and 2 keep it. */
static inline uint64_t vcpu_get(const struct vcpu *vcpu, unsigned reg, unsigned size)
{
	return vcpu->page->gpr[reg] & (~0ull >> (64 - 8 * size));
}

static inline void vcpu_put(struct vcpu *vcpu, unsigned reg, unsigned size, uint64_t value)
{
	uint64_t mask = ~0ull >> (64 - 8 * size);

	if (size == 4)
		vcpu->page->gpr[reg] = (uint32_t)value;
	else
		vcpu->page->gpr[reg] = (vcpu->page->gpr[reg] & ~mask) | (value & mask);
}
