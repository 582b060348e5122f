/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's local APIC, in software: SDM vol 3, "Advanced Programmable Interrupt Controller". */
#pragma once
#include "kernel/vcpu.h"

#define VLAPIC_BASE 0xfee00000ull

/* Offsets of registers in the xAPIC page; the x2APIC MSR of one is 0x800 + offset / 16. */
enum vlapic_register {
	VLAPIC_ID = 0x20,
	VLAPIC_VERSION = 0x30,
	VLAPIC_TPR = 0x80,
	VLAPIC_PPR = 0xa0,
	VLAPIC_EOI = 0xb0,
	VLAPIC_LDR = 0xd0,
	VLAPIC_DFR = 0xe0,
	VLAPIC_SVR = 0xf0,
	VLAPIC_ISR = 0x100,
	VLAPIC_TMR = 0x180,
	VLAPIC_IRR = 0x200,
	VLAPIC_SENT = 0x208, /* no register: what is to come into IRR */
	VLAPIC_ESR = 0x280,
	VLAPIC_ICR = 0x300,
	VLAPIC_ICR_HIGH = 0x310,
	VLAPIC_LVT_TIMER = 0x320,
	VLAPIC_LVT_THERMAL = 0x330,
	VLAPIC_LVT_PERF = 0x340,
	VLAPIC_LVT_LINT0 = 0x350,
	VLAPIC_LVT_LINT1 = 0x360,
	VLAPIC_LVT_ERROR = 0x370,
	VLAPIC_TIMER_INITIAL = 0x380,
	VLAPIC_TIMER_CURRENT = 0x390,
	VLAPIC_TIMER_DIVIDE = 0x3e0,
	VLAPIC_SELF_IPI = 0x3f0
};

/* How the guest reaches it: bits of IA32_APIC_BASE. */
#define VLAPIC_OFF    0ull
#define VLAPIC_XAPIC  0x800ull
#define VLAPIC_X2APIC 0xc00ull

static inline uint64_t vlapic_mode(const struct vcpu *vcpu)
{
	return vcpu->lapic.base_msr & VLAPIC_X2APIC;
}

static inline uint32_t *vlapic_reg(const struct vcpu *vcpu, uint32_t offset)
{
	return (uint32_t *)(vcpu->lapic.page + offset);
}

/* Before the next entry, and after the last exit: what was sent while the CPU had IRR. */
static inline void vlapic_take_sent(struct vcpu *vcpu)
{
	for (uint32_t *word, *left = &vcpu->lapic.sent_words; *left; *left &= *left - 1) {
		word = vlapic_reg(vcpu, VLAPIC_IRR) + __builtin_ctz(*left) * 4;
		word[0] |= word[2];
		word[2] = 0;
	}
}

/* -ABI_ENOMEM. State as after reset, with the APIC on in xAPIC mode. */
int vlapic_init(struct vcpu *vcpu);
void vlapic_exit(struct vcpu *vcpu);
/* As INIT leaves it: the mode and the id stay. */
void vlapic_reset(struct vcpu *vcpu);

/* Registers by xAPIC offset, below 0x1000. false = #GP (x2APIC), or ignored and read as 0. */
bool vlapic_read(struct vcpu *vcpu, uint32_t offset, uint64_t *value);
bool vlapic_write(struct vcpu *vcpu, uint32_t offset, uint64_t value);
/* IA32_APIC_BASE: false = #GP. */
bool vlapic_set_base(struct vcpu *vcpu, uint64_t value);
/* IA32_TSC_DEADLINE; true. */
bool vlapic_set_tsc_deadline(struct vcpu *vcpu, uint64_t guest_tsc);
/* Moves the guest's TSC, and the deadline with it. */
void vlapic_move_tsc(struct vcpu *vcpu, uint64_t offset);

/* The vector that is due, above all in service, if TPR lets it; -1 = none. */
int vlapic_pending(struct vcpu *vcpu);
/* The highest vector of IRR, and of ISR; -1 = none. */
int vlapic_requested(const struct vcpu *vcpu);
int vlapic_in_service(const struct vcpu *vcpu);
/* The CPU takes that vector: IRR to ISR. */
void vlapic_accept(struct vcpu *vcpu, unsigned vector);
/* lapic.eoi_word is not 0: takes the end that the guest made, or the offer back, which can stay as
   long as no other interrupt waits. By a thread of the process that runs the vCPU. */
void vlapic_settle(struct vcpu *vcpu, bool can_stay);
/* Whether the 8259 pair's INTR reaches this CPU: by LINT0 as ExtINT, or as the APIC is off. */
bool vlapic_takes_extint(const struct vcpu *vcpu);
/* What an entry of the local vector table raises: a register's offset. */
void vlapic_interrupt(struct vcpu *vcpu, uint32_t lvt);
/* A message to all vCPUs that it addresses (0xff = all); an invalid one is dropped. */
#define VLAPIC_ROUSE 0x300u /* as its mode, which no APIC has: ends a halt, or else the next */
void vlapic_message(struct vm *vm, uint32_t destination, bool is_logical, uint32_t icr_low);

/* -ABI_EINVAL: a state that cannot be; nothing changed. Get: 0. */
int vlapic_get(const struct vcpu *vcpu, struct abi_lapic *state);
int vlapic_set(struct vcpu *vcpu, const struct abi_lapic *state);

/* vlapic_timer.c, of which vlapic.c alone calls these. */
void vlapic_timer_fired(struct timer *timer);
void vlapic_timer_stop(struct vcpu *vcpu);
/* The timer's LVT entry, its initial count or its divider was written; it was `old`. */
void vlapic_timer_written(struct vcpu *vcpu, uint32_t offset, uint32_t old);
uint32_t vlapic_timer_current(const struct vcpu *vcpu);
uint64_t vlapic_timer_left_ns(const struct vcpu *vcpu);
/* After the registers were set. */
void vlapic_timer_restore(struct vcpu *vcpu, uint64_t tsc_deadline, uint64_t left_ns);
