/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest CPU's local APIC, so compiled that explore.c sees each access. */
#include "kernel/vlapic.c"

#include "stepped.h"

bool stepped_cpu_takes(struct vcpu *vcpu, unsigned vector)
{
	uint32_t *word = word_of(vcpu, VLAPIC_IRR, vector), requested = *word;

	*word = (requested & ~(1u << vector % 32)) ^ 1; /* its neighbours come and go */
	return requested >> vector % 32 & 1;
}
