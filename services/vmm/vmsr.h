/* SPDX-License-Identifier: BSD-2-Clause */
/* The MSRs of a guest CPU that ring 0 does not finish itself, KVM's paravirtual ones too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct abi_vcpu_page;
struct platform;

#define VMSR_MTRR_VARIABLE 8u
#define VMSR_MTRR_FIXED    11u

struct vmsr_state {
	uint64_t tsc_adjust;
	uint64_t system_time; /* address of the clock's page, as the guest wrote it; bit 0 = on */
	uint64_t wall_clock;
	uint64_t pv_eoi; /* address of the word, as the guest wrote it; bit 0 = on */
	uint64_t steal;  /* the same, of the structure for steal time */
	uint64_t misc_enable, mcg_status, hwcr, microcode; /* the guest alone looks at them */
	uint64_t mtrr_def_type, mtrr_fixed[VMSR_MTRR_FIXED], mtrr_variable[2 * VMSR_MTRR_VARIABLE];
	/* At one moment, the same for all CPUs of a VM, filled in when it is saved:
	 * platform_now_ns(), guest TSC and the clock. */
	uint64_t now_ns, tsc, clock_ns;
};

struct vmsr {
	struct platform *platform;  /* (set once) */
	struct abi_vcpu_page *page; /* of its vCPU (set once) */
	uint64_t zero_ns; /* platform_tsc() in ns at 0 of the clock, of all vCPUs (set once, and by
			     a load) */
	struct vmsr_state s;
};

/* Values as after reset; the paravirtual clock counts from now. */
void vmsr_init(struct vmsr *msr, struct platform *platform, struct abi_vcpu_page *page);

/* Its CPU begins anew: INIT leaves all as it is but where ring 0 writes to the guest's RAM. */
void vmsr_start_up(struct vmsr *msr);

/* False: the guest gets #GP(0). */
bool vmsr_read(struct vmsr *msr, uint32_t index, uint64_t *value);
bool vmsr_write(struct vmsr *msr, uint32_t index, uint64_t value);

/* One moment: the host's TSC, and the VM's clock. */
struct vmsr_moment {
	uint64_t tsc, now_ns;
};
void vmsr_now(struct platform *platform, struct vmsr_moment *now);

/*
 * As in state.h, at one moment for all CPUs of a VM, so that their TSCs stay in step. TSC and clock
 * go on as if the VM had run all the time; page->tsc_offset is where ring 0 must put the guest's
 * TSC then.
 */
size_t vmsr_save(const struct vmsr *msr, const struct vmsr_moment *now, void *buffer,
		 size_t capacity);
int vmsr_load(struct vmsr *msr, const struct vmsr_moment *now, const void *buffer, size_t size);
