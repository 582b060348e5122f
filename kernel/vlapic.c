/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's local APIC, in software: SDM vol 3, "Advanced Programmable Interrupt Controller". */
#include "kernel/vlapic.h"

#include "kernel/lock.h"
#include "kernel/sched.h"
#include "kernel/thread.h"

#define BASE_BSP (1ull << 8)

#define SVR_ENABLE           0x100u
#define LVT_MASKED           0x10000u
#define LVT_MODES            0x700u
#define LVT_STATUS           0x5000u /* delivery status, remote IRR: read-only */
#define MODE_FIXED           0u
#define MODE_LOWEST          1u
#define MODE_NMI             4u
#define MODE_INIT            5u
#define MODE_STARTUP         6u
#define MODE_EXTINT          7u
#define ICR_BUSY             0x1000u
#define ICR_LOGICAL          0x800u
#define ICR_ASSERT           0x4000u
#define LEVEL_TRIGGERED      0x8000u
#define ESR_SEND_ILLEGAL     0x20u
#define ESR_RECEIVE_ILLEGAL  0x40u
#define ESR_REGISTER_ILLEGAL 0x80u
#define ESR_ERRORS           0xe0u
#define BROADCAST            UINT32_MAX

/* Version 0x14, six LVT entries, no suppression of EOI broadcasts. */
#define VERSION_VALUE 0x00050014u

#define R 1u
#define W 2u
#define REGISTER(name, xapic, x2apic, bits, dropped)                                               \
	[VLAPIC_##name / 16] = {xapic, x2apic, bits, dropped}

/*
 * Which registers there are, in either mode; which bits of them a guest can write, and which it may
 * try to. x2APIC refuses all others, xAPIC drops them.
 */
static const struct rule {
	uint8_t xapic, x2apic;
	uint32_t bits;
	uint64_t dropped;
} rules[PAGE_SIZE / 16] = {
	[VLAPIC_ID / 16 ... VLAPIC_VERSION / 16] = {R, R, 0, 0},
	REGISTER(TPR, R | W, R | W, 0xff, 0),
	REGISTER(PPR, R, R, 0, 0),
	REGISTER(EOI, W, W, 0, 0),
	REGISTER(LDR, R | W, R, 0xff000000, 0),
	REGISTER(DFR, R | W, 0, 0xf0000000, 0),
	REGISTER(SVR, R | W, R | W, 0x3ff, 0),
	[VLAPIC_ISR / 16 ... VLAPIC_IRR / 16 + 7] = {R, R, 0, 0},
	REGISTER(ESR, R | W, R | W, 0, 0),
	REGISTER(ICR, R | W, R | W, 0xccfff, 0xffffffffull << 32 | ICR_BUSY),
	REGISTER(ICR_HIGH, R | W, 0, 0xff000000, 0),
	REGISTER(LVT_TIMER, R | W, R | W, 0x700ff, LVT_STATUS),
	[VLAPIC_LVT_THERMAL / 16 ... VLAPIC_LVT_PERF / 16] = {R | W, R | W, 0x107ff, LVT_STATUS},
	[VLAPIC_LVT_LINT0 / 16 ... VLAPIC_LVT_LINT1 / 16] = {R | W, R | W, 0x1a7ff, LVT_STATUS},
	REGISTER(LVT_ERROR, R | W, R | W, 0x100ff, LVT_STATUS),
	REGISTER(TIMER_INITIAL, R | W, R | W, UINT32_MAX, 0),
	REGISTER(TIMER_CURRENT, R, R, 0, 0),
	REGISTER(TIMER_DIVIDE, R | W, R | W, 0xb, 0),
	REGISTER(SELF_IPI, 0, W, 0xff, 0),
};

/* The word of ISR, TMR or IRR that has the vector's bit. */
static uint32_t *word_of(const struct vcpu *vcpu, uint32_t base, unsigned vector)
{
	return vlapic_reg(vcpu, base + vector / 32 * 16);
}

static uint32_t find_words(const struct vcpu *vcpu, uint32_t base)
{
	uint32_t words = 0;

	for (unsigned i = 0; i < 8; i++)
		words |= (uint32_t) !!*vlapic_reg(vcpu, base + i * 16) << i;
	return words;
}

/* The highest vector set in ISR or IRR; -1 = none. */
static inline int highest(const struct vcpu *vcpu, uint32_t words, uint32_t base)
{
	unsigned word;

	if (__builtin_expect(vcpu->lapic.is_virtual, 0))
		words = 0x80; /* no hint: from the top, the vectors of timers and IPIs, down */
	if (!words)
		return -1;
	word = (unsigned)__builtin_clz(words) ^ 31;
	while (!*vlapic_reg(vcpu, base + word * 16))
		if (word-- == 0)
			return -1;
	return (int)(word * 32) + (__builtin_clz(*vlapic_reg(vcpu, base + word * 16)) ^ 31);
}

int vlapic_requested(const struct vcpu *vcpu)
{
	return highest(vcpu, vcpu->lapic.irr_words, VLAPIC_IRR);
}

int vlapic_in_service(const struct vcpu *vcpu)
{
	return highest(vcpu, vcpu->lapic.isr_words, VLAPIC_ISR);
}

static void set(struct vcpu *vcpu, uint32_t *words, uint32_t base, unsigned vector)
{
	*word_of(vcpu, base, vector) |= 1u << vector % 32;
	*words |= 1u << vector / 32;
}

static void clear(struct vcpu *vcpu, uint32_t *words, uint32_t base, unsigned vector)
{
	uint32_t *word = word_of(vcpu, base, vector);

	*word &= ~(1u << vector % 32);
	if (!*word)
		*words &= ~(1u << vector / 32);
}

static bool is_on(const struct vcpu *vcpu)
{
	return vlapic_mode(vcpu) != VLAPIC_OFF;
}

static bool is_x2apic(const struct vcpu *vcpu)
{
	return vlapic_mode(vcpu) == VLAPIC_X2APIC;
}

static void set_id(struct vcpu *vcpu)
{
	uint32_t id = vcpu->index;

	*vlapic_reg(vcpu, VLAPIC_ID) = is_x2apic(vcpu) ? id : id << 24;
	if (is_x2apic(vcpu))
		*vlapic_reg(vcpu, VLAPIC_LDR) = id >> 4 << 16 | 1u << (id & 15);
}

static void mask_lvts(struct vcpu *vcpu)
{
	for (uint32_t lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
		*vlapic_reg(vcpu, lvt) |= LVT_MASKED;
}

/* SDM vol 3, "Local APIC State After Power-Up or Reset". */
void vlapic_reset(struct vcpu *vcpu)
{
	memset(vcpu->lapic.page, 0, PAGE_SIZE);
	vcpu->lapic.isr_words = vcpu->lapic.irr_words = vcpu->lapic.sent_words = 0;
	vcpu->lapic.is_stale = true;
	vcpu->lapic.esr_pending = 0;
	*vlapic_reg(vcpu, VLAPIC_VERSION) = VERSION_VALUE;
	*vlapic_reg(vcpu, VLAPIC_DFR) = UINT32_MAX;
	*vlapic_reg(vcpu, VLAPIC_SVR) = 0xff;
	mask_lvts(vcpu);
	if (vcpu->index == 0) /* as firmware leaves it: the 8259 pair reaches the first CPU */
		*vlapic_reg(vcpu, VLAPIC_LVT_LINT0) = MODE_EXTINT << 8;
	vlapic_timer_stop(vcpu);
	set_id(vcpu);
}

int vlapic_init(struct vcpu *vcpu)
{
	vcpu->lapic.page = kalloc(vcpu->object.quota, PAGE_SIZE);
	if (!vcpu->lapic.page)
		return -ABI_ENOMEM;
	vcpu->lapic.timer.fire = vlapic_timer_fired;
	vcpu->lapic.base_msr = VLAPIC_BASE | VLAPIC_XAPIC | (vcpu->index == 0 ? BASE_BSP : 0);
	vlapic_reset(vcpu);
	return 0;
}

void vlapic_exit(struct vcpu *vcpu)
{
	timer_cancel(&vcpu->lapic.timer);
	if (vcpu->lapic.page)
		kfree(vcpu->object.quota, vcpu->lapic.page, PAGE_SIZE);
}

/* Also while SVR disables it: what waits already is served (SDM vol 3, "Local APIC State After It
   Has Been Software Disabled"). */
int vlapic_pending(struct vcpu *vcpu)
{
	int vector = vlapic_requested(vcpu);

	return is_on(vcpu) && vector >> 4 > vlapic_in_service(vcpu) >> 4 ? vector : -1;
}

static bool is_level(const struct vcpu *vcpu, unsigned vector)
{
	return *word_of(vcpu, VLAPIC_TMR, vector) >> vector % 32 & 1;
}

/* Its end may go unseen if nothing waits for it: Linux, "KVM-specific MSRs", MSR_KVM_PV_EOI_EN. */
static void serve(struct vcpu *vcpu, unsigned vector)
{
	uint64_t word = *(volatile uint64_t *)&vcpu->page->eoi_word;

	if (word && !vcpu->lapic.isr_words && !vcpu->lapic.irr_words && !is_level(vcpu, vector) &&
	    arch_copy_to_user(word, "\1", 1) == 0)
		vcpu->lapic.eoi_word = word;
	set(vcpu, &vcpu->lapic.isr_words, VLAPIC_ISR, vector);
}

void vlapic_accept(struct vcpu *vcpu, unsigned vector)
{
	clear(vcpu, &vcpu->lapic.irr_words, VLAPIC_IRR, vector);
	serve(vcpu, vector);
}

bool vlapic_takes_extint(const struct vcpu *vcpu)
{
	if (!is_on(vcpu))
		return vcpu->index == 0;
	return (*vlapic_reg(vcpu, VLAPIC_LVT_LINT0) & (LVT_MASKED | LVT_MODES)) == MODE_EXTINT << 8;
}

/* ---- what reaches this APIC ---- */

static void note_error(struct vcpu *vcpu, uint32_t bit)
{
	if (vcpu->lapic.esr_pending & bit)
		return; /* and so an entry whose own vector is illegal ends here */
	vcpu->lapic.esr_pending |= bit;
	vlapic_interrupt(vcpu, VLAPIC_LVT_ERROR);
}

static void receive(struct vcpu *vcpu, unsigned vector, bool comes_as_level)
{
	bool is_in = vcpu->lapic.is_virtual && vcpu->runner && !vcpu->is_halted &&
		     vcpu->runner->share->cpu->current == vcpu->runner;

	if (!is_on(vcpu) || !(*vlapic_reg(vcpu, VLAPIC_SVR) & SVR_ENABLE))
		return;
	if (vector < 16) {
		note_error(vcpu, ESR_RECEIVE_ILLEGAL);
		return;
	}
	if (is_in) /* where the CPU writes IRR too: it goes there once the guest is left */
		set(vcpu, &vcpu->lapic.sent_words, VLAPIC_SENT, vector);
	else
		set(vcpu, &vcpu->lapic.irr_words, VLAPIC_IRR, vector);
	if (is_level(vcpu, vector) != comes_as_level) {
		*word_of(vcpu, VLAPIC_TMR, vector) ^= 1u << vector % 32;
		vcpu->lapic.is_stale = true;
	}
	vcpu_notify(vcpu);
}

void vlapic_interrupt(struct vcpu *vcpu, uint32_t lvt)
{
	uint32_t entry = *vlapic_reg(vcpu, lvt);

	if (!(entry & LVT_MASKED))
		receive(vcpu, entry & 0xff, false);
}

static bool is_addressed(const struct vcpu *vcpu, uint32_t destination, bool is_logical)
{
	uint32_t ldr = *vlapic_reg(vcpu, VLAPIC_LDR);

	if (destination == BROADCAST)
		return true;
	if (!is_logical)
		return destination == vcpu->index;
	if (is_x2apic(vcpu))
		return ldr >> 16 == destination >> 16 && ldr & destination & 0xffff;
	ldr >>= 24;
	if (*vlapic_reg(vcpu, VLAPIC_DFR) >> 28 == 0xf) /* flat; else clusters of four */
		return ldr & destination;
	return ldr >> 4 == destination >> 4 && ldr & destination & 0xf;
}

/* The processor's priority: that of the task, or of what is in service if that is higher. */
static uint32_t priority(const struct vcpu *vcpu)
{
	return MAX(*vlapic_reg(vcpu, VLAPIC_TPR), (uint32_t)MAX(vlapic_in_service(vcpu), 0) & 0xf0);
}

/* Whether it, rather than the other, takes what goes to the lowest priority. */
static bool is_better(const struct vcpu *vcpu, const struct vcpu *than)
{
	if (!(*vlapic_reg(vcpu, VLAPIC_SVR) & SVR_ENABLE))
		return false;
	return !than || priority(vcpu) >> 4 < priority(than) >> 4;
}

/* SMI does nothing; ExtINT comes by the 8259 pair's line alone. A start-up message counts after
 * INIT only, and before the next INIT once. */
static void deliver(struct vcpu *vcpu, uint32_t icr_low)
{
	switch (icr_low >> 8 & 7) {
	case MODE_FIXED:
	case MODE_LOWEST:
		receive(vcpu, icr_low & 0xff, icr_low & LEVEL_TRIGGERED);
		return;
	case VLAPIC_ROUSE >> 8:
		vcpu->is_roused = true;
		break;
	case MODE_NMI:
		vcpu->nmi_pending = true;
		break;
	case MODE_INIT:
		vcpu->startup = ABI_STARTUP_INIT | ABI_STARTUP_WAITS;
		break;
	case MODE_STARTUP:
		if ((vcpu->startup & (ABI_STARTUP_WAITS | ABI_STARTUP_CAME)) == ABI_STARTUP_WAITS)
			vcpu->startup |= ABI_STARTUP_CAME | (icr_low & 0xff);
		break;
	default:
		return;
	}
	vcpu_notify(vcpu);
}

static void send(struct vm *vm, uint32_t destination, bool is_logical, uint32_t icr_low,
		 const struct vcpu *except)
{
	bool is_to_one = !is_logical && destination < vm->vcpu_count;
	uint32_t i = is_to_one ? destination : 0, end = is_to_one ? i + 1 : vm->vcpu_count;
	struct vcpu *lowest = NULL;

	for (; i < end; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		if (!vcpu || vcpu == except || !is_on(vcpu) ||
		    !is_addressed(vcpu, destination, is_logical))
			continue;
		if ((icr_low >> 8 & 7) != MODE_LOWEST)
			deliver(vcpu, icr_low);
		else if (is_better(vcpu, lowest))
			lowest = vcpu;
	}
	if (lowest)
		deliver(lowest, icr_low);
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

/* With nothing else to look at, and the guest ready for it, the interrupt goes straight in; but not
 * where another core could have something to look at before it is in. */
static __attribute__((noinline)) void send_to_self(struct vcpu *vcpu, unsigned vector)
{
	const struct vlapic *lapic = &vcpu->lapic;

	if (vector < 16)
		note_error(vcpu, ESR_SEND_ILLEGAL);
	else if (!lock_is_used && !vcpu->needs_look && !lapic->irr_words && !lapic->isr_words &&
		 !lapic->is_virtual && vector >> 4 > *vlapic_reg(vcpu, VLAPIC_TPR) >> 4 &&
		 *vlapic_reg(vcpu, VLAPIC_SVR) & SVR_ENABLE && !is_level(vcpu, vector) &&
		 arch_guest->interrupt(vcpu, (uint8_t)vector))
		serve(vcpu, vector);
	else
		receive(vcpu, vector, false);
}

/* SDM vol 3, "Interrupt Command Register (ICR)". An IPI is edge-triggered but for INIT, the end of
 * whose level is no message to anybody. */
static void send_ipi(struct vcpu *vcpu, uint32_t icr_low, uint32_t destination)
{
	unsigned shorthand = icr_low >> 18 & 3; /* 1 = self, 2 = all, 3 = all others */

	if ((icr_low >> 8 & 7) <= MODE_LOWEST && (icr_low & 0xff) < 16) {
		note_error(vcpu, ESR_SEND_ILLEGAL);
		return;
	}
	if ((icr_low >> 8 & 7) == MODE_INIT && icr_low & LEVEL_TRIGGERED && !(icr_low & ICR_ASSERT))
		return;
	if (shorthand)
		destination = shorthand == 1 ? vcpu->index : BROADCAST;
	send(vcpu->vm, destination, !shorthand && icr_low & ICR_LOGICAL, icr_low & ~LEVEL_TRIGGERED,
	     shorthand == 3 ? vcpu : NULL);
}

/* The next entry looks only if there is something to see. */
static void end_of_interrupt(struct vcpu *vcpu)
{
	int vector = vlapic_in_service(vcpu);

	if (vector < 0)
		return;
	clear(vcpu, &vcpu->lapic.isr_words, VLAPIC_ISR, (unsigned)vector);
	vcpu->lapic.is_stale = true;
	if (is_level(vcpu, (unsigned)vector)) {
		vcpu->lapic.eoi_vector = (uint8_t)vector;
		vcpu->needs_look = true;
	}
	if (vcpu->lapic.irr_words)
		vcpu->needs_look = true;
}

void vlapic_settle(struct vcpu *vcpu, bool can_stay)
{
	uint64_t word = vcpu->lapic.eoi_word;
	uint8_t value = 0;

	if (arch_copy_from_user(&value, word, 1) == 0 && value & 1 && can_stay &&
	    !vcpu->lapic.irr_words)
		return;
	vcpu->lapic.eoi_word = 0;
	if (value & 1)
		arch_copy_to_user(word, "\0", 1);
	else
		end_of_interrupt(vcpu);
}

/* ---- registers ---- */

/* Whether the register has the access; the xAPIC notes one to no register at all. */
static bool may(struct vcpu *vcpu, const struct rule *rule, uint8_t access)
{
	if (is_x2apic(vcpu))
		return rule->x2apic & access;
	if (!rule->xapic)
		note_error(vcpu, ESR_REGISTER_ILLEGAL);
	return rule->xapic & access;
}

bool vlapic_read(struct vcpu *vcpu, uint32_t offset, uint64_t *value)
{
	*value = 0;
	if (vcpu->lapic.eoi_word)
		vlapic_settle(vcpu, false);
	if (!may(vcpu, &rules[offset / 16], R))
		return false;
	*value = *vlapic_reg(vcpu, offset);
	if (offset == VLAPIC_PPR)
		*value = priority(vcpu);
	else if (offset == VLAPIC_TIMER_CURRENT)
		*value = vlapic_timer_current(vcpu);
	else if (offset == VLAPIC_ICR && is_x2apic(vcpu))
		*value |= (uint64_t)*vlapic_reg(vcpu, VLAPIC_ICR_HIGH) << 32;
	return true;
}

static __attribute__((noinline)) bool write_other(struct vcpu *vcpu, uint32_t offset,
						  uint64_t value)
{
	const struct rule *rule = &rules[offset / 16];
	uint32_t low = (uint32_t)value & rule->bits;
	uint32_t *reg = vlapic_reg(vcpu, offset);
	uint32_t old = *reg, high;

	if (!may(vcpu, rule, W) || (is_x2apic(vcpu) && value & ~(rule->bits | rule->dropped)))
		return false;
	vcpu->needs_look = true;
	if (rule->dropped == LVT_STATUS && !(*vlapic_reg(vcpu, VLAPIC_SVR) & SVR_ENABLE))
		low |= LVT_MASKED;
	*reg = low;
	switch (offset) {
	case VLAPIC_ESR:
		*reg = vcpu->lapic.esr_pending;
		vcpu->lapic.esr_pending = 0;
		break;
	case VLAPIC_DFR:
		*reg |= 0x0fffffff;
		break;
	case VLAPIC_SVR:
		if (!(low & SVR_ENABLE))
			mask_lvts(vcpu);
		break;
	case VLAPIC_ICR:
		if (is_x2apic(vcpu))
			*vlapic_reg(vcpu, VLAPIC_ICR_HIGH) = (uint32_t)(value >> 32);
		high = *vlapic_reg(vcpu, VLAPIC_ICR_HIGH);
		send_ipi(vcpu, low, is_x2apic(vcpu) ? high : widen(high >> 24));
		break;
	case VLAPIC_LVT_TIMER:
	case VLAPIC_TIMER_INITIAL:
	case VLAPIC_TIMER_DIVIDE:
		vlapic_timer_written(vcpu, offset, old);
		break;
	}
	return true;
}

static __attribute__((noinline)) bool settle_and_write(struct vcpu *vcpu, uint32_t offset,
						       uint64_t value)
{
	vlapic_settle(vcpu, false);
	return vlapic_write(vcpu, offset, value);
}

bool vlapic_write(struct vcpu *vcpu, uint32_t offset, uint64_t value)
{
	if (vcpu->lapic.eoi_word)
		return settle_and_write(vcpu, offset, value);
	/* What guests write most, and what leaves nothing in its register. */
	if (offset == VLAPIC_EOI && (value == 0 || !is_x2apic(vcpu)))
		end_of_interrupt(vcpu);
	else if (offset == VLAPIC_SELF_IPI && value <= 0xff && is_x2apic(vcpu))
		send_to_self(vcpu, (unsigned)value);
	else
		return write_other(vcpu, offset, value);
	return true;
}

/* SDM vol 3, "x2APIC State Transitions". The page stays where it is: nobody moves it. */
bool vlapic_set_base(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = vlapic_mode(vcpu), mode = value & VLAPIC_X2APIC;

	if ((value & ~(VLAPIC_X2APIC | BASE_BSP)) != VLAPIC_BASE)
		return false;
	if (mode == (VLAPIC_X2APIC & ~VLAPIC_XAPIC) ||
	    (mode == VLAPIC_X2APIC && old == VLAPIC_OFF) ||
	    (mode == VLAPIC_XAPIC && old == VLAPIC_X2APIC))
		return false;
	vcpu->lapic.base_msr = VLAPIC_BASE | mode | (vcpu->lapic.base_msr & BASE_BSP);
	if (mode == VLAPIC_OFF && old != VLAPIC_OFF)
		vlapic_reset(vcpu);
	else
		set_id(vcpu);
	vcpu->lapic.is_stale = vcpu->needs_look = true;
	return true;
}

/* ---- state ---- */

int vlapic_get(const struct vcpu *vcpu, struct abi_lapic *state)
{
	*state = (struct abi_lapic){.version = ABI_VERSION,
				    .errors = vcpu->lapic.esr_pending,
				    .apic_base = vcpu->lapic.base_msr,
				    .tsc_deadline = vcpu->lapic.tsc_deadline,
				    .timer_left_ns = vlapic_timer_left_ns(vcpu)};
	/* Over, and the interrupt not raised yet: 0 would stop it. */
	if (vcpu->lapic.expiry_ns && vcpu->lapic.expiry_ns <= arch_now_ns())
		state->timer_left_ns = 1;
	for (unsigned i = 0; i < ARRAY_COUNT(state->registers); i++)
		state->registers[i] = *vlapic_reg(vcpu, i * 16);
	return 0;
}

int vlapic_set(struct vcpu *vcpu, const struct abi_lapic *state)
{
	uint64_t mode = state->apic_base & VLAPIC_X2APIC;
	uint64_t mine = VLAPIC_BASE | mode | (vcpu->lapic.base_msr & BASE_BSP);
	const uint32_t *registers = state->registers;

	if (state->version != ABI_VERSION || state->errors & ~ESR_ERRORS ||
	    state->apic_base != mine || mode == (VLAPIC_X2APIC & ~VLAPIC_XAPIC) ||
	    registers[VLAPIC_VERSION / 16] != VERSION_VALUE ||
	    (registers[VLAPIC_IRR / 16] | registers[VLAPIC_ISR / 16]) & 0xffff)
		return -ABI_EINVAL;
	for (unsigned i = 0; i < ARRAY_COUNT(state->registers); i++)
		if (rules[i].x2apic == (R | W) && i != VLAPIC_ESR / 16 &&
		    registers[i] & ~rules[i].bits)
			return -ABI_EINVAL;
	vlapic_timer_stop(vcpu);
	vcpu->lapic.base_msr = state->apic_base;
	vcpu->lapic.esr_pending = state->errors;
	for (unsigned i = 0; i < ARRAY_COUNT(state->registers); i++)
		*vlapic_reg(vcpu, i * 16) = registers[i];
	vcpu->lapic.isr_words = find_words(vcpu, VLAPIC_ISR);
	vcpu->lapic.irr_words = find_words(vcpu, VLAPIC_IRR);
	vcpu->lapic.is_stale = true;
	set_id(vcpu);
	vlapic_timer_restore(vcpu, state->tsc_deadline, state->timer_left_ns);
	vcpu->needs_look = true;
	return 0;
}
