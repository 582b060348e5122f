/* SPDX-License-Identifier: BSD-2-Clause */
/* The MSRs that ring 0 finishes itself; vmm answers for all others. */
#include "kernel/msr.h"

#include "kernel/vlapic.h"

#define APIC_BASE    0x1bu
#define TSC_DEADLINE 0x6e0u
#define X2APIC       0x800u
#define X2APIC_COUNT 0x40u

bool msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	if (index - X2APIC < X2APIC_COUNT)
		return vlapic_mode(vcpu) == VLAPIC_X2APIC &&
		       vlapic_read(vcpu, (index - X2APIC) * 16, value);
	if (index == APIC_BASE)
		*value = vcpu->lapic.base_msr;
	else if (index == TSC_DEADLINE)
		*value = vcpu->lapic.tsc_deadline;
	else
		return arch_vcpu_msr_get(vcpu, index, value);
	return true;
}

bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	if (index - X2APIC < X2APIC_COUNT)
		return vlapic_mode(vcpu) == VLAPIC_X2APIC &&
		       vlapic_write(vcpu, (index - X2APIC) * 16, value);
	switch (index) {
	case APIC_BASE:
		return vlapic_set_base(vcpu, value);
	case TSC_DEADLINE:
		return vlapic_set_tsc_deadline(vcpu, value);
	default:
		return arch_vcpu_msr_set(vcpu, index, value);
	}
}
