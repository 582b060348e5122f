/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer: one-shot, periodic and TSC deadline. SDM vol 3, "APIC Timer". */
#include "kernel/vlapic_timer.h"

#include "kernel/vlapic.h"

#define LVT_MODE         0x60000u
#define LVT_PERIODIC     0x20000u
#define LVT_TSC_DEADLINE 0x40000u
#define PERIOD_MIN_NS                                                                              \
	20000ull /* a guest's shortest period: what it takes of the machine stays bounded */

static uint32_t *reg(const struct vcpu *vcpu, uint32_t offset)
{
	return (uint32_t *)(vcpu->lapic.page + offset);
}

static uint32_t timer_mode(const struct vcpu *vcpu)
{
	return *reg(vcpu, VLAPIC_LVT_TIMER) & LVT_MODE;
}

/* The input clock runs at 1 GHz: a count is `divisor` ns. */
static unsigned divisor(const struct vcpu *vcpu)
{
	uint32_t divide = *reg(vcpu, VLAPIC_TIMER_DIVIDE);
	unsigned shift = (divide & 3) | (divide >> 1 & 4);

	return shift == 7 ? 1 : 2u << shift;
}

static void fired(struct timer *timer)
{
	struct vcpu *vcpu = CONTAINER_OF(timer, struct vcpu, lapic.timer);
	struct vlapic *lapic = &vcpu->lapic;
	uint64_t now_ns = arch_now_ns(), period_ns = lapic->timer_period_ns;

	if (timer_mode(vcpu) == LVT_PERIODIC && period_ns) {
		/* Whole periods missed while nobody looked become one interrupt. */
		lapic->timer_start_ns += (now_ns - lapic->timer_start_ns) / period_ns * period_ns;
		timer_set(timer, MAX(lapic->timer_start_ns + period_ns, now_ns + PERIOD_MIN_NS));
	} else {
		lapic->timer_period_ns = 0;
		lapic->tsc_deadline = 0;
	}
	vlapic_interrupt(vcpu, VLAPIC_LVT_TIMER);
}

void vlapic_timer_init(struct vcpu *vcpu)
{
	timer_init(&vcpu->lapic.timer, fired);
}

void vlapic_timer_stop(struct vcpu *vcpu)
{
	timer_cancel(&vcpu->lapic.timer);
	vcpu->lapic.tsc_deadline = 0;
	vcpu->lapic.timer_period_ns = 0;
	*reg(vcpu, VLAPIC_TIMER_INITIAL) = 0;
}

void vlapic_timer_mode_changed(struct vcpu *vcpu, uint32_t old)
{
	if (((old & LVT_MODE) == LVT_TSC_DEADLINE) != (timer_mode(vcpu) == LVT_TSC_DEADLINE))
		vlapic_timer_stop(vcpu);
}

static void start(struct vcpu *vcpu, uint64_t period_ns, uint64_t left_ns)
{
	struct vlapic *lapic = &vcpu->lapic;

	timer_cancel(&lapic->timer);
	lapic->timer_period_ns = period_ns;
	if (!period_ns)
		return;
	lapic->timer_start_ns = arch_now_ns() - (period_ns - left_ns);
	timer_set(&lapic->timer, lapic->timer_start_ns + period_ns);
}

void vlapic_timer_write_initial(struct vcpu *vcpu, uint32_t count)
{
	uint64_t period = (uint64_t)count * divisor(vcpu);

	if (timer_mode(vcpu) == LVT_TSC_DEADLINE)
		return;
	*reg(vcpu, VLAPIC_TIMER_INITIAL) = count;
	start(vcpu, period, period);
}

void vlapic_timer_write_divide(struct vcpu *vcpu, uint32_t divide)
{
	uint32_t left = vlapic_timer_current(vcpu);

	*reg(vcpu, VLAPIC_TIMER_DIVIDE) = divide;
	if (vcpu->lapic.timer_period_ns)
		start(vcpu, (uint64_t)*reg(vcpu, VLAPIC_TIMER_INITIAL) * divisor(vcpu),
		      (uint64_t)left * divisor(vcpu));
}

uint64_t vlapic_timer_left_ns(const struct vcpu *vcpu)
{
	const struct vlapic *lapic = &vcpu->lapic;
	uint64_t passed;

	if (!lapic->timer_period_ns)
		return 0;
	passed = arch_now_ns() - lapic->timer_start_ns;
	if (timer_mode(vcpu) == LVT_PERIODIC)
		passed %= lapic->timer_period_ns;
	return passed < lapic->timer_period_ns ? lapic->timer_period_ns - passed : 0;
}

uint32_t vlapic_timer_current(struct vcpu *vcpu)
{
	return (uint32_t)(vlapic_timer_left_ns(vcpu) / divisor(vcpu));
}

static void arm_deadline(struct vcpu *vcpu)
{
	uint64_t now = arch_tsc();
	uint64_t guest_now = now + vcpu->tsc_offset;
	uint64_t left =
		vcpu->lapic.tsc_deadline > guest_now ? vcpu->lapic.tsc_deadline - guest_now : 0;

	timer_set(&vcpu->lapic.timer, arch_tsc_to_ns(now + MIN(left, UINT64_MAX - now)));
}

bool vlapic_set_tsc_deadline(struct vcpu *vcpu, uint64_t guest_tsc)
{
	if (timer_mode(vcpu) != LVT_TSC_DEADLINE)
		return true; /* SDM: writes are ignored in the other modes */
	vcpu->lapic.tsc_deadline = guest_tsc;
	if (guest_tsc)
		arm_deadline(vcpu);
	else
		timer_cancel(&vcpu->lapic.timer);
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
	uint64_t period = (uint64_t)*reg(vcpu, VLAPIC_TIMER_INITIAL) * divisor(vcpu);

	if (timer_mode(vcpu) == LVT_TSC_DEADLINE)
		vlapic_set_tsc_deadline(vcpu, tsc_deadline);
	else if (left_ns)
		start(vcpu, period, MIN(left_ns, period));
}
