/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest CPU that portable ring 0 runs in unit tests: registers in memory, exits that a test
 * writes. */
#pragma once
#include "boot/boot_info.h"
#include "kernel/exit.h"
#include "kernel/vcpu.h"

#include "fake_arch.h"

#define FAKE_TSC_PER_NS 3ull
#define FAKE_EFER_BITS  0xd01ull /* SCE, LME, LMA, NXE */
#define FAKE_DELIVERED  64u

struct arch_vcpu {
	struct abi_cpu cpu;
	uint64_t dr[8];
	uint64_t msrs[16];
	uint64_t tsc_offset, xcr0;
	struct abi_event injected; /* goes in at the next entry */
	bool has_shadow, is_nmi_blocked, has_apicv;
	unsigned cpl;
	bool is_32bit;
	bool wants_interrupt, wants_nmi; /* windows; the exit WINDOW withdraws them */
	unsigned window_class;
	unsigned skip_count, skipped; /* calls of arch_vcpu_skip, and bytes */
	unsigned set_rip_count, flush_count, enter_count;
	struct abi_event delivered[FAKE_DELIVERED]; /* the first that went in, in order */
	unsigned delivered_count;
};

/* What the guest does from an entry to its next exit: fills the record, which is all zero before.
 */
extern void (*fake_guest)(struct vcpu *vcpu, struct vm_exit *exit);
/* What the host's CPUID says. */
extern void (*fake_cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
#define fake_xcr0_host fake_info.cpu.xcr0
extern unsigned fake_nmi_count;       /* calls of arch_nmi_serve */
extern unsigned fake_vcpu_init_fails; /* arch_vcpu_init and arch_vm_init say -ABI_ENOMEM */

static inline int vcpu_get_state(struct vcpu *vcpu, uint32_t what, void *buffer, size_t size)
{
	return vcpu_state(vcpu, what, buffer, size, true);
}

static inline int vcpu_set_state(struct vcpu *vcpu, uint32_t what, void *buffer, size_t size)
{
	return vcpu_state(vcpu, what, buffer, size, false);
}

/* fake_start() the first time, a VM with `size` bytes of RAM at 0, its first vCPU. */
struct vcpu *fake_vcpu_start(uint64_t size);
/* Bytes of the guest's RAM. */
void fake_ram_read(struct vm *vm, uint64_t gpa, void *to, size_t size);
/* Host CPUs for fake_cpuid, as Bochs' models of them answer. */
void fake_cpuid_haswell(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
void fake_cpuid_ryzen(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
