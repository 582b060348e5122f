/* SPDX-License-Identifier: BSD-2-Clause */
/* Doorbells: which writes ring which event, how many there can be, and that their events come back.
 */

#include "fake_vcpu.h"
#include "kernel/event.h"
#include "kernel/quota.h"
#include "unit.h"

#define BELLS_MAX 64u

static struct vm *vm;

static void start(void)
{
	vm = fake_vcpu_start(0)->vm;
}

static struct event *new_event(void)
{
	struct event *event = event_create(vm->object.quota);

	CHECK(event);
	return event;
}

/* What is written. */
struct bell {
	uint64_t port, size, value;
};

static struct bell key(uint64_t port, uint64_t size)
{
	return (struct bell){port, size, ABI_ANY_VALUE};
}

static struct bell with_value(struct bell bell, uint64_t value)
{
	bell.value = value;
	return bell;
}

static int add(struct bell bell, struct event *event)
{
	return vm_doorbell_set(vm, bell.port, bell.size, bell.value, event);
}

static int take_away(struct bell bell)
{
	return add(bell, NULL);
}

TEST(port_size_and_value_choose_the_event)
{
	struct event *any, *word, *seven;

	start();
	any = new_event(), word = new_event(), seven = new_event();
	CHECK_EQ(add(key(0x100, 0), any), 0);
	CHECK_EQ(add(key(0x101, 2), word), 0);
	CHECK_EQ(add(with_value(key(0x102, 4), 7), seven), 0);
	CHECK(vm_ring_port(vm, 0x100, 1, 0) && vm_ring_port(vm, 0x100, 4, UINT32_MAX));
	CHECK(vm_ring_port(vm, 0x101, 2, 5));
	CHECK(!vm_ring_port(vm, 0x101, 1, 5) && !vm_ring_port(vm, 0x101, 4, 5));
	CHECK(vm_ring_port(vm, 0x102, 4, 7));
	CHECK(!vm_ring_port(vm, 0x102, 4, 8) && !vm_ring_port(vm, 0x102, 2, 7));
	CHECK(!vm_ring_port(vm, 0x103, 1, 0) && !vm_ring_port(vm, 0, 1, 0));
	CHECK_EQ(event_take(any), 2);
	CHECK_EQ(event_take(word), 1);
	CHECK_EQ(event_take(seven), 1);
}

TEST(one_port_may_have_a_bell_for_each_value)
{
	struct event *events[3];

	start();
	for (uint32_t i = 0; i < 3; i++) {
		events[i] = new_event();
		CHECK_EQ(add(with_value(key(0xc000, 2), i), events[i]), 0);
	}
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t n = 0; n <= i; n++)
			CHECK(vm_ring_port(vm, 0xc000, 2, i));
	CHECK(!vm_ring_port(vm, 0xc000, 2, 3));
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQ(event_take(events[i]), i + 1);
}

TEST(bad_keys_are_refused)
{
	struct event *event;

	start();
	event = new_event();
	CHECK_EQ(add(key(0x10000, 1), event), -ABI_EINVAL);
	CHECK_EQ(add(key(UINT64_MAX, 1), event), -ABI_EINVAL);
	CHECK_EQ(add(key(0x100, 3), event), -ABI_EINVAL);
	CHECK_EQ(add(key(0x100, 8), event), -ABI_EINVAL);
	CHECK_EQ(add(key(0x100, 1ull << 32), event), -ABI_EINVAL);
	CHECK_EQ(add(with_value(key(0x100, 4), 1ull << 32 | 5), event),
		 -ABI_EINVAL); /* no write has it */
	CHECK_EQ(vm->doorbell_count, 0);
	CHECK_EQ(event->object.refs, 1);
}

TEST(a_bell_is_there_once_and_goes_by_the_same_key)
{
	struct event *event;

	start();
	event = new_event();
	CHECK_EQ(take_away(key(0x100, 1)), -ABI_ENOENT);
	CHECK_EQ(add(key(0x100, 1), event), 0);
	CHECK_EQ(add(key(0x100, 1), event), -ABI_EEXIST);
	CHECK_EQ(add(key(0x100, 2), event), 0);
	CHECK_EQ(add(with_value(key(0x100, 1), 0), event), 0);
	CHECK_EQ(event->object.refs, 4);
	CHECK_EQ(take_away(key(0x100, 4)), -ABI_ENOENT);
	CHECK_EQ(take_away(with_value(key(0x100, 1), 1)), -ABI_ENOENT);
	CHECK_EQ(take_away(key(0x100, 1)), 0);
	CHECK_EQ(take_away(key(0x100, 1)), -ABI_ENOENT);
	CHECK(vm_ring_port(vm, 0x100, 2, 9));
	CHECK(vm_ring_port(vm, 0x100, 1, 0));
	CHECK(!vm_ring_port(vm, 0x100, 1, 1));
	CHECK_EQ(event->object.refs, 3);
}

TEST(there_can_be_64)
{
	struct event *event;

	start();
	event = new_event();
	for (unsigned i = 0; i < BELLS_MAX; i++)
		CHECK_EQ(add(key(0x1000 + i, 0), event), 0);
	CHECK_EQ(add(key(0x2000, 0), event), -ABI_ENOSPC);
	CHECK_EQ(add(key(0x1000, 0), event), -ABI_EEXIST);
	for (unsigned i = 0; i < BELLS_MAX; i++)
		CHECK(vm_ring_port(vm, (uint16_t)(0x1000 + i), 4, 0));
	CHECK_EQ(take_away(key(0x1000, 0)), 0);
	CHECK_EQ(add(key(0x2000, 0), event), 0);
	CHECK_EQ(event_take(event), BELLS_MAX);
}

TEST(events_and_memory_come_back_with_the_vm)
{
	struct event *event;
	struct quota *quota;
	uint64_t used = 0;

	start();
	quota = vm->object.quota;
	event = new_event();
	for (unsigned round = 0; round < 3; round++) {
		if (round == 1)
			used = quota->used;
		CHECK_EQ(vm_create(process_current(), 1, 0, &vm), 0);
		for (unsigned i = 0; i < 10; i++)
			CHECK_EQ(add(key(i, 0), event), 0);
		object_unref(&vm->object);
		fake_settle();
		CHECK_EQ(event->object.refs, 1);
	}
	CHECK_EQ(quota->used, used);
}

TEST(without_memory_none_is_added)
{
	struct event *event;
	struct quota *quota;

	start();
	event = new_event();
	quota = vm->object.quota;
	quota->limit = quota->used;
	CHECK_EQ(add(key(0x100, 1), event), -ABI_ENOMEM);
	CHECK_EQ(event->object.refs, 1);
	CHECK(!vm_ring_port(vm, 0x100, 1, 0));
}

int main(void)
{
	RUN(port_size_and_value_choose_the_event);
	RUN(one_port_may_have_a_bell_for_each_value);
	RUN(bad_keys_are_refused);
	RUN(a_bell_is_there_once_and_goes_by_the_same_key);
	RUN(there_can_be_64);
	RUN(events_and_memory_come_back_with_the_vm);
	RUN(without_memory_none_is_added);
	return unit_end();
}
