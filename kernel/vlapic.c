/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's local APIC, in software: SDM vol 3, "Advanced Programmable Interrupt Controller". */
#include "kernel/vlapic.h"

#include "kernel/lib.h"
#include "kernel/vlapic_timer.h"
#include "kernel/vm.h"

#define BASE_BSP    (1ull << 8)
#define BASE_X2APIC (1ull << 10)
#define BASE_ENABLE (1ull << 11)
#define BASE_MODE   (BASE_X2APIC | BASE_ENABLE)

#define SVR_ENABLE           0x100u
#define LVT_MASKED           0x10000u
#define LVT_MODES            0x700u
#define LVT_READ_ONLY        0x5000u /* delivery status, remote IRR */
#define MODE_FIXED           0u
#define MODE_LOWEST          1u
#define MODE_NMI             4u
#define MODE_EXTINT          7u
#define ICR_BUSY             0x1000u
#define ICR_LOGICAL          0x800u
#define ICR_SELF             (1u << 18)
#define LEVEL_TRIGGERED      0x8000u
#define ESR_SEND_ILLEGAL     0x20u
#define ESR_RECEIVE_ILLEGAL  0x40u
#define ESR_REGISTER_ILLEGAL 0x80u
#define BROADCAST            UINT32_MAX

/* Version 0x14, six LVT entries, no suppression of EOI broadcasts. */
#define VERSION_VALUE 0x00050014u

#define R                                   1u
#define W                                   2u
#define REGISTER(name, xapic, x2apic, bits) [VLAPIC_##name / 16] = {xapic, x2apic, bits}

/* Which registers there are, in either mode, and which bits of them a guest can write. */
static const struct rule {
	uint8_t xapic, x2apic;
	uint32_t bits;
} rules[PAGE_SIZE / 16] = {
	REGISTER(ID, R, R, 0),
	REGISTER(VERSION, R, R, 0),
	REGISTER(TPR, R | W, R | W, 0xff),
	REGISTER(PPR, R, R, 0),
	REGISTER(EOI, W, W, 0),
	REGISTER(LDR, R | W, R, 0xff000000),
	REGISTER(DFR, R | W, 0, 0xf0000000),
	REGISTER(SVR, R | W, R | W, 0x3ff),
	[VLAPIC_ISR / 16 ... VLAPIC_IRR / 16 + 7] = {R, R, 0},
	REGISTER(ESR, R | W, R | W, 0),
	REGISTER(ICR, R | W, R | W, 0xccfff),
	REGISTER(ICR_HIGH, R | W, 0, 0xff000000),
	REGISTER(LVT_TIMER, R | W, R | W, 0x700ff),
	REGISTER(LVT_THERMAL, R | W, R | W, 0x107ff),
	REGISTER(LVT_PERF, R | W, R | W, 0x107ff),
	REGISTER(LVT_LINT0, R | W, R | W, 0x1a7ff),
	REGISTER(LVT_LINT1, R | W, R | W, 0x1a7ff),
	REGISTER(LVT_ERROR, R | W, R | W, 0x100ff),
	REGISTER(TIMER_INITIAL, R | W, R | W, UINT32_MAX),
	REGISTER(TIMER_CURRENT, R, R, 0),
	REGISTER(TIMER_DIVIDE, R | W, R | W, 0xb),
	REGISTER(SELF_IPI, 0, W, 0xff),
};

static uint32_t *reg(const struct vcpu *vcpu, uint32_t offset)
{
	return (uint32_t *)(vcpu->lapic.page + offset);
}

/* A vector's place in ISR, TMR and IRR. */
static uint32_t word_of(unsigned vector)
{
	return vector / 32 * 16;
}

static uint32_t bit_of(unsigned vector)
{
	return 1u << vector % 32;
}

/* The highest vector set; -1 = none. */
static int highest(const struct vcpu *vcpu, uint32_t base)
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
	return (vcpu->lapic.base_msr & BASE_MODE) == BASE_MODE;
}

bool vlapic_is_xapic(const struct vcpu *vcpu)
{
	return (vcpu->lapic.base_msr & BASE_MODE) == BASE_ENABLE;
}

static bool is_on(const struct vcpu *vcpu)
{
	return vcpu->lapic.base_msr & BASE_ENABLE;
}

static void set_id(struct vcpu *vcpu)
{
	uint32_t id = vcpu->index;

	*reg(vcpu, VLAPIC_ID) = vlapic_is_x2apic(vcpu) ? id : id << 24;
	if (vlapic_is_x2apic(vcpu))
		*reg(vcpu, VLAPIC_LDR) = id >> 4 << 16 | 1u << (id & 15);
}

static void mask_lvts(struct vcpu *vcpu)
{
	for (uint32_t lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
		*reg(vcpu, lvt) |= LVT_MASKED;
}

/* SDM vol 3, "Local APIC State After Power-Up or Reset". */
static void reset(struct vcpu *vcpu)
{
	memset(vcpu->lapic.page, 0, PAGE_SIZE);
	vcpu->lapic.esr_pending = 0;
	*reg(vcpu, VLAPIC_VERSION) = VERSION_VALUE;
	*reg(vcpu, VLAPIC_DFR) = UINT32_MAX;
	*reg(vcpu, VLAPIC_SVR) = 0xff;
	mask_lvts(vcpu);
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

static uint32_t processor_priority(const struct vcpu *vcpu)
{
	uint32_t tpr = vlapic_tpr(vcpu);
	int in_service = highest(vcpu, VLAPIC_ISR);

	return in_service >> 4 > (int)(tpr >> 4) ? (uint32_t)in_service & 0xf0 : tpr;
}

/* Also while SVR disables it: what waits already is served (SDM vol 3, "Local APIC State After It
   Has Been Software Disabled"). */
int vlapic_pending(const struct vcpu *vcpu)
{
	int vector = highest(vcpu, VLAPIC_IRR);

	return is_on(vcpu) && vector >> 4 > highest(vcpu, VLAPIC_ISR) >> 4 ? vector : -1;
}

void vlapic_accept(struct vcpu *vcpu, unsigned vector)
{
	*reg(vcpu, VLAPIC_IRR + word_of(vector)) &= ~bit_of(vector);
	*reg(vcpu, VLAPIC_ISR + word_of(vector)) |= bit_of(vector);
}

bool vlapic_takes_extint(const struct vcpu *vcpu)
{
	if (!is_on(vcpu))
		return vcpu->index == 0;
	return (*reg(vcpu, VLAPIC_LVT_LINT0) & (LVT_MASKED | LVT_MODES)) == MODE_EXTINT << 8;
}

/* ---- what reaches this APIC ---- */

static void note_error(struct vcpu *vcpu, uint32_t bit)
{
	if (vcpu->lapic.esr_pending & bit)
		return; /* and so an entry whose own vector is illegal ends here */
	vcpu->lapic.esr_pending |= bit;
	vlapic_interrupt(vcpu, VLAPIC_LVT_ERROR);
}

static void receive(struct vcpu *vcpu, unsigned vector, bool is_level)
{
	uint32_t *tmr = reg(vcpu, VLAPIC_TMR + word_of(vector));

	if (!is_on(vcpu) || !(*reg(vcpu, VLAPIC_SVR) & SVR_ENABLE))
		return;
	if (vector < 16) {
		note_error(vcpu, ESR_RECEIVE_ILLEGAL);
		return;
	}
	*reg(vcpu, VLAPIC_IRR + word_of(vector)) |= bit_of(vector);
	*tmr = is_level ? *tmr | bit_of(vector) : *tmr & ~bit_of(vector);
	vcpu_notify(vcpu);
}

void vlapic_interrupt(struct vcpu *vcpu, uint32_t lvt)
{
	uint32_t entry = *reg(vcpu, lvt);

	if (!(entry & LVT_MASKED))
		receive(vcpu, entry & 0xff, false);
}

static bool is_addressed(const struct vcpu *vcpu, uint32_t destination, bool is_logical)
{
	uint32_t ldr = *reg(vcpu, VLAPIC_LDR);

	if (destination == BROADCAST)
		return true;
	if (!is_logical)
		return destination == vcpu->index;
	if (vlapic_is_x2apic(vcpu))
		return ldr >> 16 == destination >> 16 && ldr & destination & 0xffff;
	ldr >>= 24;
	if (*reg(vcpu, VLAPIC_DFR) >> 28 == 0xf) /* flat; else clusters of four */
		return ldr & destination;
	return ldr >> 4 == destination >> 4 && ldr & destination & 0xf;
}

/* SMI, INIT and start-up do nothing yet; ExtINT comes by the 8259 pair's line alone. */
static void deliver(struct vcpu *vcpu, uint32_t icr_low)
{
	unsigned mode = icr_low >> 8 & 7;

	if (mode <= MODE_LOWEST) {
		receive(vcpu, icr_low & 0xff, icr_low & LEVEL_TRIGGERED);
	} else if (mode == MODE_NMI) {
		vcpu->nmi_pending = true;
		vcpu_notify(vcpu);
	}
}

static void send(struct vm *vm, uint32_t destination, bool is_logical, uint32_t icr_low,
		 const struct vcpu *except)
{
	for (uint32_t i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		if (!vcpu || vcpu == except || !is_on(vcpu) ||
		    !is_addressed(vcpu, destination, is_logical))
			continue;
		deliver(vcpu, icr_low);
		if ((icr_low >> 8 & 7) == MODE_LOWEST)
			return;
	}
}

/* In eight bits, all ones are a broadcast in either mode. */
static uint32_t widen(uint32_t destination)
{
	return destination == 0xff ? BROADCAST : destination;
}

void vlapic_message(struct vm *vm, uint32_t destination, bool is_logical, uint32_t icr_low)
{
	send(vm, widen(destination), is_logical, icr_low, NULL);
}

/* SDM vol 3, "Interrupt Command Register (ICR)". An IPI is edge-triggered but for INIT. */
static void send_ipi(struct vcpu *vcpu, uint32_t icr_low, uint32_t destination)
{
	unsigned shorthand = icr_low >> 18 & 3; /* 1 = self, 2 = all, 3 = all others */

	if ((icr_low >> 8 & 7) <= MODE_LOWEST && (icr_low & 0xff) < 16) {
		note_error(vcpu, ESR_SEND_ILLEGAL);
		return;
	}
	if (shorthand)
		destination = shorthand == 1 ? vcpu->index : BROADCAST;
	send(vcpu->vm, destination, !shorthand && icr_low & ICR_LOGICAL, icr_low & ~LEVEL_TRIGGERED,
	     shorthand == 3 ? vcpu : NULL);
}

static void write_icr(struct vcpu *vcpu, uint32_t low, uint64_t high, bool is_x2apic)
{
	if (is_x2apic)
		*reg(vcpu, VLAPIC_ICR_HIGH) = (uint32_t)high;
	else
		high = widen(*reg(vcpu, VLAPIC_ICR_HIGH) >> 24);
	send_ipi(vcpu, low, (uint32_t)high);
}

static void end_of_interrupt(struct vcpu *vcpu)
{
	int vector = highest(vcpu, VLAPIC_ISR);

	if (vector < 0)
		return;
	*reg(vcpu, VLAPIC_ISR + word_of((unsigned)vector)) &= ~bit_of((unsigned)vector);
	if (*reg(vcpu, VLAPIC_TMR + word_of((unsigned)vector)) & bit_of((unsigned)vector))
		vcpu->lapic.eoi_vector = (uint8_t)vector;
}

/* ---- registers ---- */

/* Whether the register has the access; the xAPIC notes one to no register at all. */
static bool may(struct vcpu *vcpu, const struct rule *rule, uint8_t access, bool is_x2apic)
{
	if (!is_x2apic && !rule->xapic)
		note_error(vcpu, ESR_REGISTER_ILLEGAL);
	return (is_x2apic ? rule->x2apic : rule->xapic) & access;
}

bool vlapic_read(struct vcpu *vcpu, uint32_t offset, uint64_t *value, bool is_x2apic)
{
	*value = 0;
	if (!may(vcpu, &rules[offset / 16], R, is_x2apic))
		return false;
	*value = *reg(vcpu, offset);
	if (offset == VLAPIC_PPR)
		*value = processor_priority(vcpu);
	else if (offset == VLAPIC_TIMER_CURRENT)
		*value = vlapic_timer_current(vcpu);
	else if (offset == VLAPIC_ICR && is_x2apic)
		*value |= (uint64_t)*reg(vcpu, VLAPIC_ICR_HIGH) << 32;
	return true;
}

static bool is_lvt(uint32_t offset)
{
	return offset >= VLAPIC_LVT_TIMER && offset <= VLAPIC_LVT_ERROR;
}

/* x2APIC refuses bits that a register does not have; xAPIC drops them. */
static bool has_reserved_bits(uint32_t offset, uint64_t value)
{
	uint64_t known = rules[offset / 16].bits;

	if (offset == VLAPIC_ICR)
		known |= 0xffffffffull << 32 | ICR_BUSY;
	return value & ~(is_lvt(offset) ? known | LVT_READ_ONLY : known);
}

bool vlapic_write(struct vcpu *vcpu, uint32_t offset, uint64_t value, bool is_x2apic)
{
	const struct rule *rule = &rules[offset / 16];
	uint32_t low = (uint32_t)value & rule->bits;
	uint32_t old = *reg(vcpu, offset);

	if (!may(vcpu, rule, W, is_x2apic) || (is_x2apic && has_reserved_bits(offset, value)))
		return false;
	vcpu->needs_look = true;
	switch (offset) {
	case VLAPIC_ESR:
		low = vcpu->lapic.esr_pending;
		vcpu->lapic.esr_pending = 0;
		break;
	case VLAPIC_DFR:
		low |= 0x0fffffff;
		break;
	case VLAPIC_TIMER_INITIAL:
		vlapic_timer_write_initial(vcpu, low);
		return true;
	case VLAPIC_TIMER_DIVIDE:
		vlapic_timer_write_divide(vcpu, low);
		return true;
	case VLAPIC_SELF_IPI:
		send_ipi(vcpu, ICR_SELF | low, 0);
		return true;
	default:
		if (is_lvt(offset) && !(*reg(vcpu, VLAPIC_SVR) & SVR_ENABLE))
			low |= LVT_MASKED;
	}
	*reg(vcpu, offset) = low;
	if (offset == VLAPIC_EOI)
		end_of_interrupt(vcpu);
	else if (offset == VLAPIC_SVR && !(low & SVR_ENABLE))
		mask_lvts(vcpu);
	else if (offset == VLAPIC_LVT_TIMER)
		vlapic_timer_mode_changed(vcpu, old);
	else if (offset == VLAPIC_ICR)
		write_icr(vcpu, low, value >> 32, is_x2apic);
	return true;
}

/* SDM vol 3, "x2APIC State Transitions". The page stays where it is: nobody moves it. */
bool vlapic_set_base(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = vcpu->lapic.base_msr;
	uint64_t mode = value & BASE_MODE;

	if ((value & ~(BASE_MODE | BASE_BSP)) != VLAPIC_BASE || mode == BASE_X2APIC)
		return false;
	if (mode == BASE_MODE && !(old & BASE_ENABLE))
		return false; /* off to x2APIC */
	if (mode == BASE_ENABLE && old & BASE_X2APIC)
		return false;
	vcpu->lapic.base_msr = VLAPIC_BASE | mode | (old & BASE_BSP);
	if (mode == 0 && old & BASE_ENABLE)
		reset(vcpu);
	else
		set_id(vcpu);
	vcpu->needs_look = true;
	return true;
}

/* ---- state ---- */

void vlapic_get(const struct vcpu *vcpu, struct abi_lapic *state)
{
	*state = (struct abi_lapic){.version = ABI_VERSION,
				    .apic_base = vcpu->lapic.base_msr,
				    .tsc_deadline = vcpu->lapic.tsc_deadline,
				    .timer_left_ns = vlapic_timer_left_ns(vcpu)};
	for (unsigned i = 0; i < ARRAY_COUNT(state->registers); i++)
		state->registers[i] = *reg(vcpu, i * 16);
}

int vlapic_set(struct vcpu *vcpu, const struct abi_lapic *state)
{
	uint64_t mode = state->apic_base & BASE_MODE;
	uint64_t mine = VLAPIC_BASE | mode | (vcpu->lapic.base_msr & BASE_BSP);
	const uint32_t *registers = state->registers;

	if (state->version != ABI_VERSION || state->reserved || state->apic_base != mine ||
	    mode == BASE_X2APIC || registers[VLAPIC_VERSION / 16] != VERSION_VALUE ||
	    (registers[VLAPIC_IRR / 16] | registers[VLAPIC_ISR / 16]) & 0xffff)
		return -ABI_EINVAL;
	for (unsigned i = 0; i < ARRAY_COUNT(state->registers); i++)
		if (rules[i].x2apic == (R | W) && i != VLAPIC_ESR / 16 &&
		    registers[i] & ~rules[i].bits)
			return -ABI_EINVAL;
	vlapic_timer_stop(vcpu);
	vcpu->lapic.base_msr = state->apic_base;
	for (unsigned i = 0; i < ARRAY_COUNT(state->registers); i++)
		*reg(vcpu, i * 16) = registers[i];
	set_id(vcpu);
	vlapic_timer_restore(vcpu, state->tsc_deadline, state->timer_left_ns);
	vcpu->needs_look = true;
	return 0;
}
