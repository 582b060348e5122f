/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual clock: the page from which a guest computes time out of its TSC. */
#include "kernel/kvmclock.h"

#include "kernel/vm.h"

#define ENABLE          1ull
#define FLAG_TSC_STABLE 1u

/* Linux, "KVM-specific MSRs": struct pvclock_vcpu_time_info and pvclock_wall_clock. */
struct time_info {
	uint32_t version; /* odd while it changes */
	uint32_t pad0;
	uint64_t tsc_timestamp; /* guest TSC at system_time */
	uint64_t system_time;   /* ns since the VM's start */
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad[2];
} __attribute__((packed));

struct wall_clock {
	uint32_t version, sec, nsec;
};

/*
 * The guest reads the page only while it does not run here (one vCPU writes its own page), so that
 * the version need not be odd in between. It is written once: a stable TSC makes it good for ever.
 */
void kvmclock_update(struct vcpu *vcpu)
{
	struct time_info info = {.version = 2, .flags = FLAG_TSC_STABLE};
	uint64_t msr = vcpu->clock.system_time_msr;
	uint64_t tsc = arch_tsc();
	uint32_t mul;
	int8_t shift;

	if (!(msr & ENABLE))
		return;
	arch_tsc_scale(&mul, &shift);
	info.tsc_to_system_mul = mul;
	info.tsc_shift = shift;
	info.tsc_timestamp = tsc + vcpu->tsc_offset;
	info.system_time = arch_tsc_to_ns(tsc) - vcpu->vm->clock_zero_ns;
	vm_write(vcpu->vm, msr & ~ENABLE, &info, sizeof(info)); /* no RAM: the guest's own loss */
}

bool kvmclock_set_system_time(struct vcpu *vcpu, uint64_t value)
{
	if (value & ENABLE && value & 2)
		return false;
	vcpu->clock.system_time_msr = value;
	kvmclock_update(vcpu);
	return true;
}

bool kvmclock_set_wall_clock(struct vcpu *vcpu, uint64_t value)
{
	uint64_t wall_ns = arch_boot_wall_ns() + vcpu->vm->clock_zero_ns;
	struct wall_clock wall = {.version = 2};

	if (value & 3)
		return false;
	wall.sec = (uint32_t)(wall_ns / 1000000000);
	wall.nsec = (uint32_t)(wall_ns % 1000000000);
	vcpu->clock.wall_clock_msr = value;
	vm_write(vcpu->vm, value, &wall, sizeof(wall));
	return true;
}
