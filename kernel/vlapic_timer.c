/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer: one-shot, periodic and TSC deadline. SDM vol 3, "APIC Timer". */
#include "kernel/vlapic.h"

#define LVT_PERIODIC     0x20000u
#define LVT_TSC_DEADLINE 0x40000u

/* A guest's shortest period: what it takes of the machine stays bounded. */
#define PERIOD_MIN_NS 100000ull

static bool has_mode(const struct vcpu *vcpu, uint32_t mode)
{
	return *vlapic_reg(vcpu, VLAPIC_LVT_TIMER) & mode;
}

/* The input clock runs at 1 GHz: a count of `divide` is so many ns. */
static uint64_t divisor(uint32_t divide)
{
	unsigned shift = (divide & 3) | (divide >> 1 & 4);

	return shift == 7 ? 1 : 2u << shift;
}

static uint64_t count_ns(const struct vcpu *vcpu, uint32_t count)
{
	return count * divisor(*vlapic_reg(vcpu, VLAPIC_TIMER_DIVIDE));
}

static uint64_t period_ns(const struct vcpu *vcpu)
{
	return count_ns(vcpu, *vlapic_reg(vcpu, VLAPIC_TIMER_INITIAL));
}

void vlapic_timer_fired(struct timer *timer)
{
	struct vcpu *vcpu = CONTAINER_OF(timer, struct vcpu, lapic.timer);
	struct vlapic *lapic = &vcpu->lapic;
	uint64_t now_ns;
	int before, sent;

	if (!has_mode(vcpu, LVT_PERIODIC) || !lapic->expiry_ns) {
		lapic->expiry_ns = lapic->tsc_deadline = 0;
		vlapic_interrupt(vcpu, VLAPIC_LVT_TIMER);
		return;
	}
	before = vlapic_requested(vcpu);
	vlapic_interrupt(vcpu, VLAPIC_LVT_TIMER);
	sent = lapic->sent_words ? (int)(*vlapic_reg(vcpu, VLAPIC_LVT_TIMER) & 0xff) : -1;
	now_ns = arch_now_ns();
	/* Whole periods missed while nobody looked become one interrupt. */
	lapic->expiry_ns += ((now_ns - lapic->expiry_ns) / period_ns(vcpu) + 1) * period_ns(vcpu);
	/* And while the guest takes none, others pay for each: fewer are as good to it. */
	now_ns += PERIOD_MIN_NS * (MAX(vlapic_requested(vcpu), sent) == before ? 10 : 1);
	timer_set(timer, MAX(lapic->expiry_ns, now_ns));
}

/* Counts down for so long; 0 = stops. */
static void start(struct vcpu *vcpu, uint64_t left_ns)
{
	vcpu->lapic.expiry_ns = left_ns ? arch_now_ns() + left_ns : 0;
	timer_set(&vcpu->lapic.timer, left_ns ? vcpu->lapic.expiry_ns : UINT64_MAX);
}

void vlapic_timer_stop(struct vcpu *vcpu)
{
	start(vcpu, 0);
	vcpu->lapic.tsc_deadline = 0;
	*vlapic_reg(vcpu, VLAPIC_TIMER_INITIAL) = 0;
}

void vlapic_timer_written(struct vcpu *vcpu, uint32_t offset, uint32_t old)
{
	uint32_t left;

	if (offset == VLAPIC_LVT_TIMER) { /* a switch to or from the deadline disarms */
		if ((old ^ *vlapic_reg(vcpu, offset)) & LVT_TSC_DEADLINE)
			vlapic_timer_stop(vcpu);
	} else if (offset == VLAPIC_TIMER_DIVIDE) { /* the count goes on from where it is */
		left = (uint32_t)(vlapic_timer_left_ns(vcpu) / divisor(old));
		if (vcpu->lapic.expiry_ns)
			start(vcpu, count_ns(vcpu, MAX(left, 1u))); /* over, but not told yet */
	} else if (has_mode(vcpu, LVT_TSC_DEADLINE)) {
		*vlapic_reg(vcpu, offset) = old;
	} else {
		start(vcpu, period_ns(vcpu));
	}
}

uint64_t vlapic_timer_left_ns(const struct vcpu *vcpu)
{
	uint64_t expiry_ns = vcpu->lapic.expiry_ns, now_ns = arch_now_ns();

	if (expiry_ns > now_ns)
		return expiry_ns - now_ns;
	if (!expiry_ns || !has_mode(vcpu, LVT_PERIODIC))
		return 0;
	return period_ns(vcpu) - (now_ns - expiry_ns) % period_ns(vcpu);
}

uint32_t vlapic_timer_current(const struct vcpu *vcpu)
{
	return (uint32_t)(vlapic_timer_left_ns(vcpu) /
			  divisor(*vlapic_reg(vcpu, VLAPIC_TIMER_DIVIDE)));
}

static void arm_deadline(struct vcpu *vcpu)
{
	uint64_t now = arch_tsc(), guest_now = now + vcpu->tsc_offset;
	uint64_t deadline = vcpu->lapic.tsc_deadline;
	uint64_t left = deadline > guest_now ? deadline - guest_now : 0;

	timer_set(&vcpu->lapic.timer,
		  deadline ? arch_tsc_to_ns(now + MIN(left, UINT64_MAX - now)) : UINT64_MAX);
}

bool vlapic_set_tsc_deadline(struct vcpu *vcpu, uint64_t guest_tsc)
{
	if (has_mode(vcpu, LVT_TSC_DEADLINE)) { /* SDM: ignored in the other modes */
		vcpu->lapic.tsc_deadline = guest_tsc;
		arm_deadline(vcpu);
	}
	return true;
}

void vlapic_move_tsc(struct vcpu *vcpu, uint64_t offset)
{
	vcpu->tsc_offset = vcpu->page->tsc_offset = offset;
	arch_vcpu_set_tsc_offset(vcpu, offset);
	if (vcpu->lapic.tsc_deadline)
		arm_deadline(vcpu);
}

void vlapic_timer_restore(struct vcpu *vcpu, uint64_t tsc_deadline, uint64_t left_ns)
{
	if (has_mode(vcpu, LVT_TSC_DEADLINE))
		vlapic_set_tsc_deadline(vcpu, tsc_deadline);
	else
		start(vcpu, MIN(left_ns, period_ns(vcpu)));
}
