/* SPDX-License-Identifier: BSD-2-Clause */
/* What a whole VM's state is made of, but for the pages of its RAM: packing it, and judging it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

struct board;
struct vcpu;

/* More than the state of any VM with so many CPUs takes, in whole pages. */
#define CHECKPOINT_MAX(cpus) ((32u + 12u * (cpus)) << 10)

/* MSRs that ring 0 keeps for the guest and no other state has. */
#define CHECKPOINT_MSRS 10u
extern const uint32_t checkpoint_msrs[CHECKPOINT_MSRS];

/* The VM, and when it was saved. A VM is made anew with these. */
struct checkpoint_machine {
	uint64_t memory;          /* bytes of RAM */
	uint64_t now_ns, wall_ns; /* platform_now_ns() and platform_wall_ns() */
	uint32_t vcpu_count;
	uint8_t has_test_device, has_random;
	uint8_t reserved[2];
};

struct checkpoint_cpu {
	uint64_t gpr[ABI_GPR_COUNT];
	struct abi_cpu cpu;
	struct abi_hidden hidden;
	struct abi_lapic lapic;
	uint64_t msr[CHECKPOINT_MSRS];
	uint8_t fpu[ABI_FPU_SIZE];
	/* Of the CPU that it ran on: it goes on only where they are the same. */
	uint64_t xcr0_allowed;
	uint32_t tsc_mul;
	int32_t tsc_shift;
	struct abi_cpuid cpuid;
	uint32_t index; /* each is there once, in this order */
};

struct checkpoint {
	struct checkpoint_machine machine;
	struct checkpoint_cpu *cpu; /* machine.vcpu_count of them */
};

/*
 * Sets right what some CPUs leave as no other may have it, and no guest sees: flags that there are
 * not (QEMU 7.2's SVM after CMPXCHG8B), and a task register that is not busy (the same after LTR).
 * A CPU that stands still until it is started has registers that nobody will see: those of a start.
 */
void checkpoint_settle(struct checkpoint_cpu *cpu);

/*
 * Of the vCPUs it saves the MSRs alone: the checkpoint has the rest. Returns the size of the file,
 * which is written if `capacity` suffices.
 */
size_t checkpoint_pack(const struct checkpoint *checkpoint, const struct vcpu *vcpus,
		       const struct board *board, void *file, size_t capacity);

/*
 * Reads the VM and its CPUs, and judges them; they must be as many as `vcpus`, which are to go on
 * with it. NULL, or one sentence.
 */
const char *checkpoint_unpack(struct checkpoint *checkpoint, const void *file, size_t size,
			      const struct vcpu *vcpus, unsigned vcpu_count);

/* Loads the devices and the MSRs of a file that was unpacked: NULL, or one sentence; then they are
 * spoilt. */
const char *checkpoint_load(const void *file, size_t size, struct vcpu *vcpus, unsigned vcpu_count,
			    struct board *board);
