/* SPDX-License-Identifier: BSD-2-Clause */
/* State of a guest CPU that no register shows: saved, loaded, and refused. */
#include "scripted.h"

static int hidden_set(const struct abi_hidden *hidden)
{
	struct abi_hidden copy = *hidden;

	return vcpu_set_state(vcpu, ABI_STATE_HIDDEN, &copy, sizeof(copy));
}

TEST(hidden_state_goes_from_one_vcpu_to_another)
{
	struct abi_hidden hidden, again;

	start();
	memset(&hidden, 0xee, sizeof(hidden));
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)), 0);
	CHECK_EQ(hidden.tsc_offset, vcpu->page->tsc_offset);
	CHECK(hidden.xcr0 == 1 && !hidden.event.is_valid && !hidden.is_halted && !hidden.has_nmi);
	arch->dr[2] = 0x1234;
	arch->xcr0 = 7;
	arch->is_nmi_blocked = true;
	vcpu->is_halted = true;
	vcpu->is_roused = true;
	vcpu->nmi_pending = true;
	vcpu->event = (struct abi_event){.is_valid = 1,
					 .type = VM_EVENT_EXCEPTION,
					 .vector = 14,
					 .has_error = 1,
					 .error = 2};
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)), 0);
	start();
	hidden.tsc_offset += 1000;
	CHECK_EQ(hidden_set(&hidden), 0);
	CHECK_EQ(arch->tsc_offset, hidden.tsc_offset);
	CHECK_EQ(vcpu->page->tsc_offset, hidden.tsc_offset);
	CHECK(arch->dr[2] == 0x1234 && arch->xcr0 == 7 && arch->is_nmi_blocked);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &again, sizeof(again)), 0);
	CHECK(memcmp(&hidden, &again, sizeof(again)) == 0);
	run(ABI_EXIT_PORT); /* the event goes in, and the NMI waits for the IRET */
	CHECK_EQ(arch->delivered_count, 1);
	check_delivered(0, VM_EVENT_EXCEPTION, 14);
	CHECK(vcpu->nmi_pending && arch->wants_nmi);
}

TEST(a_vcpu_that_was_asleep_sleeps_on)
{
	struct abi_hidden hidden = {.xcr0 = 1, .is_halted = 1};

	start();
	CHECK_EQ(hidden_set(&hidden), 0);
	spawn(message, 0);
	run(ABI_EXIT_PORT);
	CHECK_EQ(arch->enter_count, 1);
	check_delivered(0, VM_EVENT_INTERRUPT, 0x44);
}

TEST(how_a_cpu_waits_for_its_start_is_state_and_what_came_since_is_not_lost)
{
	struct abi_hidden hidden;

	start();
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)), 0);
	CHECK_EQ(hidden.startup, vcpu->startup);
	hidden.xcr0 = 7;
	hidden.startup = ABI_STARTUP_WAITS | ABI_STARTUP_CAME | 0x9a;
	CHECK_EQ(hidden_set(&hidden), 0);
	CHECK_EQ(vcpu->startup, hidden.startup);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)), 0);
	CHECK_EQ(hidden.startup, ABI_STARTUP_WAITS | ABI_STARTUP_CAME | 0x9a);
	vcpu->startup = ABI_STARTUP_WAITS | ABI_STARTUP_INIT;
	vcpu->nmi_pending = true;
	hidden.startup = 0;
	CHECK_EQ(hidden_set(&hidden), 0);
	CHECK_EQ(vcpu->startup, ABI_STARTUP_WAITS | ABI_STARTUP_INIT);
	CHECK(vcpu->nmi_pending);
}

TEST(hidden_state_that_cannot_be_is_refused_whole)
{
	struct abi_hidden good = {.xcr0 = 7, .is_halted = 1, .event = {.is_valid = 1}}, bad, now;

	start();
	arch->cpu.rflags = 2;
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &now, sizeof(now)), 0);
#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		bad = good;                                                                        \
		bad.field = value;                                                                 \
		CHECK_EQ(hidden_set(&bad), -ABI_EINVAL);                                           \
		CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &bad, sizeof(bad)), 0);            \
		CHECK(memcmp(&bad, &now, sizeof(now)) == 0);                                       \
	} while (0)
	REFUSED(xcr0, 0);
	REFUSED(xcr0, 5);
	REFUSED(xcr0, 0x207);
	REFUSED(xcr0, UINT64_MAX);
	REFUSED(blocks, 4);
	REFUSED(blocks, 32);
	REFUSED(blocks, 1u << 31);
	REFUSED(blocks, ABI_BLOCK_STI | ABI_BLOCK_MOV_SS);
	REFUSED(blocks, ABI_BLOCK_STI); /* RFLAGS.IF is clear */
	REFUSED(is_halted, 2);
	REFUSED(has_nmi, 255);
	REFUSED(startup, 0x800);
	REFUSED(startup, 0xffff);
	REFUSED(is_roused, 2);
	REFUSED(is_roused, 1u << 31);
	REFUSED(event.is_valid, 2);
	REFUSED(event.type, 1);
	REFUSED(event.type, 5);
	REFUSED(event.type, 7);
	REFUSED(event.type, 8);
	REFUSED(event.type, 64);
	REFUSED(event.type, VM_EVENT_NMI); /* of vector 0 */
	REFUSED(event.has_error, 2);
	REFUSED(event.error, 0x10000);
	REFUSED(event.length, 16);
	good.event.type = VM_EVENT_EXCEPTION;
	REFUSED(event.vector, 32);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_HIDDEN, &bad, sizeof(bad) - 1), -ABI_EINVAL);
	CHECK_EQ(hidden_set(&good), 0);
}

int main(void)
{
	RUN(hidden_state_goes_from_one_vcpu_to_another);
	RUN(a_vcpu_that_was_asleep_sleeps_on);
	RUN(how_a_cpu_waits_for_its_start_is_state_and_what_came_since_is_not_lost);
	RUN(hidden_state_that_cannot_be_is_refused_whole);
	return unit_end();
}
