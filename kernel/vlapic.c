/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's local APIC, in software: SDM vol 3, "Advanced Programmable Interrupt Controller (APIC)". */
#include "kernel/vlapic.h"

#include "kernel/lib.h"
#include "kernel/vlapic_timer.h"
#include "kernel/vm.h"

#define BASE_BSP (1ull << 8)
#define BASE_X2APIC (1ull << 10)
#define BASE_ENABLE (1ull << 11)
#define SVR_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define LVT_MODES 0x700u
#define MODE_FIXED 0u
#define MODE_LOWEST 1u
#define MODE_NMI 4u
#define MODE_EXTINT 7u
#define LEVEL_TRIGGERED 0x8000u
#define ESR_SEND_ILLEGAL 0x20u
#define ESR_RECEIVE_ILLEGAL 0x40u
#define ESR_REGISTER_ILLEGAL 0x80u

/* Version 0x14, seven LVT entries, no suppression of EOI broadcasts. */
#define VERSION_VALUE 0x00060014u

static uint32_t *reg(const struct vcpu *vcpu, uint32_t offset)
{
	return (uint32_t *)(vcpu->lapic.page + offset);
}

static uint32_t *bitmap_word(const struct vcpu *vcpu, uint32_t base, unsigned vector)
{
	return reg(vcpu, base + vector / 32 * 16);
}

static bool bit_test(const struct vcpu *vcpu, uint32_t base, unsigned vector)
{
	return *bitmap_word(vcpu, base, vector) >> vector % 32 & 1;
}

static void bit_set(const struct vcpu *vcpu, uint32_t base, unsigned vector)
{
	*bitmap_word(vcpu, base, vector) |= 1u << vector % 32;
}

static void bit_clear(const struct vcpu *vcpu, uint32_t base, unsigned vector)
{
	*bitmap_word(vcpu, base, vector) &= ~(1u << vector % 32);
}

/* The highest vector set; -1 = none. */
static int bitmap_highest(const struct vcpu *vcpu, uint32_t base)
{
	for (int word = 7; word >= 0; word--) {
		uint32_t bits = *reg(vcpu, base + (uint32_t)word * 16);

		if (bits)
			return word * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

bool vlapic_is_x2apic(const struct vcpu *vcpu)
{
	return (vcpu->lapic.base_msr & (BASE_ENABLE | BASE_X2APIC)) == (BASE_ENABLE | BASE_X2APIC);
}

static bool is_on(const struct vcpu *vcpu)
{
	return vcpu->lapic.base_msr & BASE_ENABLE;
}

static bool is_software_on(const struct vcpu *vcpu)
{
	return is_on(vcpu) && *reg(vcpu, VLAPIC_SVR) & SVR_ENABLE;
}

static void set_id(struct vcpu *vcpu)
{
	if (vlapic_is_x2apic(vcpu)) {
		*reg(vcpu, VLAPIC_ID) = vcpu->index;
		*reg(vcpu, VLAPIC_LDR) = vcpu->index >> 4 << 16 | 1u << (vcpu->index & 15);
	} else {
		*reg(vcpu, VLAPIC_ID) = vcpu->index << 24;
	}
}

/* SDM vol 3, "Local APIC State After Power-Up or Reset". */
static void reset(struct vcpu *vcpu)
{
	memset(vcpu->lapic.page, 0, PAGE_SIZE);
	*reg(vcpu, VLAPIC_VERSION) = VERSION_VALUE;
	*reg(vcpu, VLAPIC_DFR) = UINT32_MAX;
	*reg(vcpu, VLAPIC_SVR) = 0xff;
	for (uint32_t lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
		*reg(vcpu, lvt) = LVT_MASKED;
	*reg(vcpu, VLAPIC_LVT_CMCI) = LVT_MASKED;
	if (vcpu->index == 0) /* as firmware leaves it: the 8259 pair reaches the first CPU */
		*reg(vcpu, VLAPIC_LVT_LINT0) = MODE_EXTINT << 8;
	vlapic_timer_stop(vcpu);
	set_id(vcpu);
}

int vlapic_init(struct vcpu *vcpu)
{
	vcpu->lapic.page = kpage_alloc_charged(vcpu->object.quota);
	if (!vcpu->lapic.page)
		return -ABI_ENOMEM;
	vlapic_timer_init(vcpu);
	vcpu->lapic.base_msr = VLAPIC_BASE | BASE_ENABLE | (vcpu->index == 0 ? BASE_BSP : 0);
	reset(vcpu);
	return 0;
}

void vlapic_exit(struct vcpu *vcpu)
{
	if (!vcpu->lapic.page)
		return;
	timer_cancel(&vcpu->lapic.timer);
	kpage_free_charged(vcpu->object.quota, vcpu->lapic.page);
	vcpu->lapic.page = NULL;
}

uint32_t vlapic_tpr(const struct vcpu *vcpu)
{
	return *reg(vcpu, VLAPIC_TPR) & 0xff;
}

void vlapic_set_tpr(struct vcpu *vcpu, uint32_t tpr)
{
	*reg(vcpu, VLAPIC_TPR) = tpr & 0xff;
	vcpu->needs_look = true;
}

static uint32_t processor_priority(const struct vcpu *vcpu)
{
	uint32_t tpr = vlapic_tpr(vcpu);
	int in_service = bitmap_highest(vcpu, VLAPIC_ISR);
	uint32_t class = in_service < 0 ? 0 : (uint32_t)in_service & 0xf0;

	return (tpr & 0xf0) >= class ? tpr : class;
}

int vlapic_pending(const struct vcpu *vcpu, int *masked)
{
	int vector = bitmap_highest(vcpu, VLAPIC_IRR);
	int in_service;

	*masked = -1;
	if (vector < 0 || !is_software_on(vcpu))
		return -1;
	in_service = bitmap_highest(vcpu, VLAPIC_ISR);
	if (in_service >= 0 && vector >> 4 <= in_service >> 4)
		return -1;
	if ((uint32_t)vector >> 4 > vlapic_tpr(vcpu) >> 4)
		return vector;
	*masked = vector;
	return -1;
}

void vlapic_accept(struct vcpu *vcpu, unsigned vector)
{
	bit_clear(vcpu, VLAPIC_IRR, vector);
	bit_set(vcpu, VLAPIC_ISR, vector);
}

bool vlapic_takes_extint(const struct vcpu *vcpu)
{
	uint32_t lint0 = *reg(vcpu, VLAPIC_LVT_LINT0);

	if (!is_on(vcpu))
		return vcpu->index == 0;
	return (lint0 & (LVT_MASKED | LVT_MODES)) == MODE_EXTINT << 8;
}

static void raise_error(struct vcpu *vcpu, uint32_t bit)
{
	uint32_t lvt = *reg(vcpu, VLAPIC_LVT_ERROR);

	if (vcpu->lapic.esr_pending & bit)
		return;
	vcpu->lapic.esr_pending |= bit;
	if (!(lvt & LVT_MASKED) && (lvt & 0xff) >= 16)
		bit_set(vcpu, VLAPIC_IRR, lvt & 0xff);
	vcpu->needs_look = true;
}

/* A fixed interrupt reaches this APIC. */
static void receive(struct vcpu *vcpu, unsigned vector, bool is_level)
{
	if (!is_software_on(vcpu))
		return;
	if (vector < 16) {
		raise_error(vcpu, ESR_RECEIVE_ILLEGAL);
		return;
	}
	bit_set(vcpu, VLAPIC_IRR, vector);
	if (is_level)
		bit_set(vcpu, VLAPIC_TMR, vector);
	else
		bit_clear(vcpu, VLAPIC_TMR, vector);
	vcpu_notify(vcpu);
}

void vlapic_timer_expired(struct vcpu *vcpu)
{
	uint32_t lvt = *reg(vcpu, VLAPIC_LVT_TIMER);

	if (!(lvt & LVT_MASKED))
		receive(vcpu, lvt & 0xff, false);
}

static bool is_logical_match(const struct vcpu *vcpu, uint32_t destination)
{
	uint32_t ldr = *reg(vcpu, VLAPIC_LDR);

	if (vlapic_is_x2apic(vcpu)) {
		if (destination == 0xff)
			return true; /* a message's 8 bits: broadcast */
		return ldr >> 16 == destination >> 16 && (ldr & destination & 0xffff);
	}
	ldr >>= 24;
	if (*reg(vcpu, VLAPIC_DFR) >> 28 == 0xf)
		return ldr & destination;
	return destination == 0xff || (ldr >> 4 == destination >> 4 && (ldr & destination & 0xf));
}

static bool is_addressed(const struct vcpu *vcpu, uint32_t destination, bool is_logical)
{
	if (destination == UINT32_MAX)
		return true;
	if (is_logical)
		return is_logical_match(vcpu, destination);
	return destination == vcpu->index || destination == 0xff;
}

static void deliver(struct vcpu *vcpu, uint32_t icr_low)
{
	switch (icr_low >> 8 & 7) {
	case MODE_FIXED:
	case MODE_LOWEST:
		receive(vcpu, icr_low & 0xff, icr_low & LEVEL_TRIGGERED);
		break;
	case MODE_NMI:
		vcpu->nmi_pending = true;
		vcpu_notify(vcpu);
		break;
	case MODE_EXTINT: /* comes from the 8259 pair's line, never as a message */
	default: /* SMI; INIT and start-up are for the SMP guests to come */
		break;
	}
}

void vlapic_message(struct vm *vm, uint32_t destination, bool is_logical, uint32_t icr_low)
{
	bool is_lowest = (icr_low >> 8 & 7) == MODE_LOWEST;

	for (uint32_t i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		if (!vcpu || !is_on(vcpu) || !is_addressed(vcpu, destination, is_logical))
			continue;
		deliver(vcpu, icr_low);
		if (is_lowest)
			return;
	}
}

/* SDM vol 3, "Interrupt Command Register (ICR)". */
static void send_ipi(struct vcpu *vcpu, uint32_t icr_low, uint32_t destination)
{
	unsigned shorthand = icr_low >> 18 & 3;
	unsigned mode = icr_low >> 8 & 7;

	if (mode <= MODE_LOWEST && (icr_low & 0xff) < 16) {
		raise_error(vcpu, ESR_SEND_ILLEGAL);
		return;
	}
	icr_low &= ~LEVEL_TRIGGERED; /* an IPI is edge-triggered but for INIT */
	if (shorthand == 0) {
		vlapic_message(vcpu->vm, destination, icr_low & 0x800, icr_low);
		return;
	}
	for (uint32_t i = 0; i < vcpu->vm->vcpu_count; i++) {
		struct vcpu *other = vcpu->vm->vcpus[i];

		if (other && (shorthand == 1 ? other == vcpu : shorthand == 2 || other != vcpu))
			deliver(other, icr_low);
	}
}

static void end_of_interrupt(struct vcpu *vcpu)
{
	int vector = bitmap_highest(vcpu, VLAPIC_ISR);

	if (vector < 0)
		return;
	bit_clear(vcpu, VLAPIC_ISR, (unsigned)vector);
	if (bit_test(vcpu, VLAPIC_TMR, (unsigned)vector))
		vcpu->lapic.eoi_vector = (uint8_t)vector;
	vcpu->needs_look = true;
}

static bool is_lvt(uint32_t offset)
{
	return (offset >= VLAPIC_LVT_TIMER && offset <= VLAPIC_LVT_ERROR) || offset == VLAPIC_LVT_CMCI;
}

/* Bits that an entry has: SDM vol 3, figure "Local Vector Table (LVT)". */
static uint32_t lvt_bits(uint32_t offset)
{
	switch (offset) {
	case VLAPIC_LVT_TIMER:
		return 0x700ff;
	case VLAPIC_LVT_LINT0:
	case VLAPIC_LVT_LINT1:
		return 0x1a7ff;
	case VLAPIC_LVT_ERROR:
		return 0x100ff;
	default:
		return 0x107ff;
	}
}

bool vlapic_read(struct vcpu *vcpu, uint32_t offset, uint64_t *value, bool is_x2apic)
{
	*value = 0;
	switch (offset) {
	case VLAPIC_PPR:
		*value = processor_priority(vcpu);
		return true;
	case VLAPIC_TIMER_CURRENT:
		*value = vlapic_timer_current(vcpu);
		return true;
	case VLAPIC_ICR:
		*value = *reg(vcpu, VLAPIC_ICR);
		if (is_x2apic)
			*value |= (uint64_t)*reg(vcpu, VLAPIC_ICR_HIGH) << 32;
		return true;
	case VLAPIC_DFR:
	case VLAPIC_ICR_HIGH:
		if (is_x2apic)
			return false;
		break;
	case VLAPIC_ID:
	case VLAPIC_VERSION:
	case VLAPIC_TPR:
	case VLAPIC_LDR:
	case VLAPIC_SVR:
	case VLAPIC_ESR:
	case VLAPIC_TIMER_INITIAL:
	case VLAPIC_TIMER_DIVIDE:
		break;
	default:
		if ((offset < VLAPIC_ISR || offset >= VLAPIC_ESR) && !is_lvt(offset)) {
			if (!is_x2apic)
				raise_error(vcpu, ESR_REGISTER_ILLEGAL);
			return false;
		}
	}
	*value = *reg(vcpu, offset);
	return true;
}

static void write_svr(struct vcpu *vcpu, uint32_t value)
{
	*reg(vcpu, VLAPIC_SVR) = value & 0x3ff;
	if (value & SVR_ENABLE)
		return;
	for (uint32_t lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
		*reg(vcpu, lvt) |= LVT_MASKED;
	*reg(vcpu, VLAPIC_LVT_CMCI) |= LVT_MASKED;
}

static void write_lvt(struct vcpu *vcpu, uint32_t offset, uint32_t value)
{
	uint32_t old = *reg(vcpu, offset);

	value &= lvt_bits(offset);
	if (!(*reg(vcpu, VLAPIC_SVR) & SVR_ENABLE))
		value |= LVT_MASKED;
	*reg(vcpu, offset) = value;
	if (offset == VLAPIC_LVT_TIMER)
		vlapic_timer_mode_changed(vcpu, old);
	vcpu->needs_look = true; /* LINT0 may let the 8259 pair in */
}

static bool write_icr(struct vcpu *vcpu, uint64_t value, bool is_x2apic)
{
	uint32_t low = (uint32_t)value & 0xccfff;

	if (is_x2apic)
		*reg(vcpu, VLAPIC_ICR_HIGH) = (uint32_t)(value >> 32);
	*reg(vcpu, VLAPIC_ICR) = low;
	send_ipi(vcpu, low, is_x2apic ? *reg(vcpu, VLAPIC_ICR_HIGH) : *reg(vcpu, VLAPIC_ICR_HIGH) >> 24);
	return true;
}

/* x2APIC refuses bits that a register does not have; xAPIC drops them. */
static bool has_reserved_bits(uint32_t offset, uint64_t value)
{
	if (offset == VLAPIC_ICR)
		return value & 0xfff33000u;
	if (value >> 32)
		return true;
	switch (offset) {
	case VLAPIC_TPR:
		return value & ~0xffull;
	case VLAPIC_SVR:
		return value & ~0x3ffull;
	case VLAPIC_EOI:
	case VLAPIC_ESR:
		return value != 0;
	case VLAPIC_TIMER_DIVIDE:
		return value & ~0xbull;
	case VLAPIC_SELF_IPI:
		return value & ~0xffull;
	default:
		return is_lvt(offset) && value & ~(uint64_t)(lvt_bits(offset) | 0x1000 | 0x4000);
	}
}

bool vlapic_write(struct vcpu *vcpu, uint32_t offset, uint64_t value, bool is_x2apic)
{
	uint32_t low = (uint32_t)value;

	if (is_x2apic && has_reserved_bits(offset, value))
		return false;
	switch (offset) {
	case VLAPIC_EOI:
		end_of_interrupt(vcpu);
		return true;
	case VLAPIC_TPR:
		vlapic_set_tpr(vcpu, low);
		return true;
	case VLAPIC_SVR:
		write_svr(vcpu, low);
		return true;
	case VLAPIC_ESR:
		*reg(vcpu, VLAPIC_ESR) = vcpu->lapic.esr_pending;
		vcpu->lapic.esr_pending = 0;
		return true;
	case VLAPIC_ICR:
		return write_icr(vcpu, value, is_x2apic);
	case VLAPIC_TIMER_INITIAL:
		vlapic_timer_write_initial(vcpu, low);
		return true;
	case VLAPIC_TIMER_DIVIDE:
		vlapic_timer_write_divide(vcpu, low & 0xb);
		return true;
	case VLAPIC_SELF_IPI:
		if (!is_x2apic)
			break;
		send_ipi(vcpu, 1u << 18 | low, 0);
		return true;
	case VLAPIC_LDR:
	case VLAPIC_DFR:
	case VLAPIC_ICR_HIGH:
		if (is_x2apic)
			return false;
		*reg(vcpu, offset) = offset == VLAPIC_DFR ? low | 0x0fffffff : low & 0xff000000;
		return true;
	case VLAPIC_ID: /* read-only, as on every CPU of today */
		return !is_x2apic;
	default:
		if (is_lvt(offset)) {
			write_lvt(vcpu, offset, low);
			return true;
		}
	}
	if (!is_x2apic)
		raise_error(vcpu, ESR_REGISTER_ILLEGAL);
	return false;
}

/* SDM vol 3, "x2APIC State Transitions". */
bool vlapic_set_base(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = vcpu->lapic.base_msr;
	uint64_t mode = value & (BASE_ENABLE | BASE_X2APIC);
	uint64_t old_mode = old & (BASE_ENABLE | BASE_X2APIC);

	/* The page stays where it is: moving it is no use that any guest has. */
	if ((value & ~(BASE_ENABLE | BASE_X2APIC | BASE_BSP)) != VLAPIC_BASE || mode == BASE_X2APIC)
		return false;
	if (mode != old_mode && ((old_mode == 0 && mode & BASE_X2APIC) ||
				 (old_mode & BASE_X2APIC && mode == BASE_ENABLE)))
		return false;
	vcpu->lapic.base_msr = (value & ~BASE_BSP) | (old & BASE_BSP);
	if (mode == 0 && old_mode != 0)
		reset(vcpu);
	else
		set_id(vcpu);
	vcpu->needs_look = true;
	return true;
}

int vlapic_get(struct vcpu *vcpu, struct abi_lapic *state)
{
	memset(state, 0, sizeof(*state));
	state->version = ABI_VERSION;
	state->apic_base = vcpu->lapic.base_msr;
	state->tsc_deadline = vcpu->lapic.tsc_deadline;
	state->timer_left_ns = vlapic_timer_left_ns(vcpu);
	for (unsigned i = 0; i < ARRAY_COUNT(state->registers); i++)
		state->registers[i] = *reg(vcpu, i * 16);
	return 0;
}

int vlapic_set(struct vcpu *vcpu, const struct abi_lapic *state)
{
	uint64_t mode = state->apic_base & (BASE_ENABLE | BASE_X2APIC);
	uint64_t mine = VLAPIC_BASE | mode | (vcpu->lapic.base_msr & BASE_BSP);

	if (state->version != ABI_VERSION || state->reserved || state->apic_base != mine || mode == BASE_X2APIC ||
	    state->registers[VLAPIC_VERSION / 16] != VERSION_VALUE || state->registers[VLAPIC_TIMER_DIVIDE / 16] & ~0xbu ||
	    (state->registers[VLAPIC_IRR / 16] | state->registers[VLAPIC_ISR / 16]) & 0xffff)
		return -ABI_EINVAL;
	for (uint32_t lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
		if (state->registers[lvt / 16] & ~lvt_bits(lvt))
			return -ABI_EINVAL;
	vlapic_timer_stop(vcpu);
	vcpu->lapic.base_msr = state->apic_base;
	for (unsigned i = 0; i < ARRAY_COUNT(state->registers); i++)
		*reg(vcpu, i * 16) = state->registers[i];
	set_id(vcpu);
	vlapic_timer_restore(vcpu, state->tsc_deadline, state->timer_left_ns);
	vcpu->needs_look = true;
	return 0;
}
