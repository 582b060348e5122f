/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the local APIC and its timer: registers, messages, time, saved states in any order. */
#include "kernel/vlapic.h"

#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_vcpu.h"

static struct vcpu *vcpu;

static uint32_t word(uint32_t base, unsigned i)
{
	return *vlapic_reg(vcpu, base + 16 * i);
}

static int highest(uint32_t base)
{
	for (int i = 7; i >= 0; i--)
		if (word(base, (unsigned)i))
			return 32 * i + 31 - __builtin_clz(word(base, (unsigned)i));
	return -1;
}

/* What holds whatever the guest did. */
static void check(void)
{
	int pending = vlapic_pending(vcpu);
	uint64_t current;

	CHECK(!((word(VLAPIC_IRR, 0) | word(VLAPIC_ISR, 0)) & 0xffff));
	CHECK_EQ(vcpu->lapic.base_msr & ~VLAPIC_X2APIC, VLAPIC_BASE | 1 << 8);
	/* The highest that waits is due if its class is above that of all in service. */
	if (vlapic_mode(vcpu) == VLAPIC_OFF || highest(VLAPIC_IRR) < 16 ||
	    highest(VLAPIC_IRR) >> 4 <= highest(VLAPIC_ISR) >> 4)
		CHECK_EQ(pending, -1);
	else
		CHECK_EQ(pending, highest(VLAPIC_IRR));
	if (vlapic_mode(vcpu) != VLAPIC_OFF && vlapic_read(vcpu, VLAPIC_TIMER_CURRENT, &current))
		CHECK(current <= *vlapic_reg(vcpu, VLAPIC_TIMER_INITIAL));
}

/* What is saved can be loaded, and is the same when it is saved again. */
static void save_and_load(void)
{
	static struct abi_lapic first, second;

	memset(&first, 0xa5, sizeof(first));
	memset(&second, 0x5a, sizeof(second));
	CHECK_EQ(vlapic_get(vcpu, &first), 0);
	CHECK_EQ(vlapic_set(vcpu, &first), 0);
	CHECK_EQ(vlapic_get(vcpu, &second), 0);
	CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

/* A state that was spoilt is refused, or one that an APIC can have. */
static void load_spoilt(struct input *input)
{
	static struct abi_lapic before, spoilt, after;

	CHECK_EQ(vlapic_get(vcpu, &before), 0);
	spoilt = before;
	for (unsigned count = take8(input) % 8; count > 0; count--) {
		unsigned at = take16(input) % sizeof(spoilt);

		((uint8_t *)&spoilt)[at] = take8(input);
	}
	if (vlapic_set(vcpu, &spoilt) == 0)
		return;
	CHECK_EQ(vlapic_get(vcpu, &after), 0);
	CHECK(memcmp(&before, &after, sizeof(before)) == 0);
}

static void act(struct input *input)
{
	uint8_t how = take8(input);
	uint32_t offset = take8(input) * 16u;
	uint64_t value;
	int pending;

	switch (how % 10) {
	case 0:
		CHECK(vlapic_read(vcpu, offset, &value) || value == 0);
		break;
	case 1:
	case 2:
		vlapic_write(vcpu, offset, take_value(input));
		break;
	case 3: /* what guests do most */
		vlapic_write(vcpu, how & 16 ? VLAPIC_EOI : VLAPIC_ICR,
			     how & 16 ? 0 : 1u << 18 | offset / 16);
		break;
	case 4:
		vlapic_set_base(vcpu, how & 16 ? VLAPIC_BASE | (how & 32 ? 0x900 : 0xd00)
					       : take_value(input));
		break;
	case 5:
		vlapic_message(vcpu->vm, offset / 16, how & 16, take16(input));
		break;
	case 6:
		pending = vlapic_pending(vcpu);
		if (pending < 0)
			break;
		vlapic_accept(vcpu, (unsigned)pending);
		CHECK_EQ(highest(VLAPIC_ISR), pending);
		break;
	case 7:
		fake_now_ns += take32(input) >> offset / 128;
		arch_irq_window();
		break;
	case 8:
		vlapic_set_tsc_deadline(vcpu, how & 16 ? take64(input)
						       : arch_tsc() + vcpu->tsc_offset + offset);
		if (how & 32)
			vlapic_move_tsc(vcpu, take_value(input));
		break;
	default:
		if (how & 16)
			save_and_load();
		else
			load_spoilt(input);
	}
	vcpu->lapic.eoi_vector = 0; /* as vmm is told of it */
}

static void fuzz(struct input *input)
{
	struct vm *vm;

	vcpu = fake_vcpu_start(0);
	vm = vcpu->vm;
	vlapic_write(vcpu, VLAPIC_SVR, 0x1ff);
	while (input->left) {
		act(input);
		check();
	}
	object_unref(&vcpu->object);
	object_unref(&vm->object);
	fake_settle();
}
