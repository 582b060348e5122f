/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that requests go round both rings unchanged, and that a driver's lies break one queue. */
#include "kernel/abi.h"
#include "services/vmm/virtqueue.h"
#include "tests/unit/vdevice.h"

#define SIZE        8u
#define DESCRIPTORS 0x1000u
#define DRIVER      0x2000u
#define DEVICE      0x3000u
#define TABLE       0x4000u /* of indirect descriptors */
#define DATA        0x10000u
#define RAM_SIZE    0x100000u
#define NEXT        1u
#define WRITE       2u
#define INDIRECT    4u
#define ALL         (VIRTQUEUE_F_INDIRECT | VIRTQUEUE_F_EVENT_INDEX)

static struct virtqueue queue;
static struct virtqueue_request request;
static uint8_t *ram;
static bool is_packed;
static uint16_t driver_index,
	driver_wrap = 1; /* the packed driver's place, the split one's index */

static void put16(uint64_t at, uint16_t value)
{
	memcpy(ram + at, &value, 2);
}

static uint16_t get16(uint64_t at)
{
	uint16_t value;

	memcpy(&value, ram + at, 2);
	return value;
}

static void put_descriptor(uint64_t table, unsigned i, uint64_t address, uint32_t size, uint16_t a,
			   uint16_t b)
{
	uint8_t *d = ram + table + 16 * i;

	memcpy(d, &address, 8);
	memcpy(d + 8, &size, 4);
	memcpy(d + 12, &a, 2);
	memcpy(d + 14, &b, 2);
}

static void start(bool packed, uint64_t features)
{
	if (fake)
		fake_platform_free(fake);
	fake = fake_platform_new(RAM_SIZE);
	driver_index = 0;
	driver_wrap = 1;
	ram = ram_at(&fake->platform.ram, 0, RAM_SIZE);
	is_packed = packed;
	virtqueue_init(&queue, &fake->platform.ram, SIZE);
	queue.s.descriptors = DESCRIPTORS;
	queue.s.driver = DRIVER;
	queue.s.device = DEVICE;
	CHECK(virtqueue_enable(&queue, features | (packed ? VIRTQUEUE_F_PACKED : 0)));
}

/* The driver's part of a descriptor of the ring, which it makes available when it ends a chain. */
static void offer(unsigned i, uint64_t address, uint32_t size, uint16_t flags)
{
	if (!is_packed) {
		put_descriptor(DESCRIPTORS, i, address, size, flags, (uint16_t)(i + 1));
		return;
	}
	put_descriptor(DESCRIPTORS, driver_index, address, size, (uint16_t)(0x40 + i),
		       (uint16_t)(flags | (driver_wrap ? 0x80 : 0x8000)));
	if (++driver_index == SIZE) {
		driver_index = 0;
		driver_wrap ^= 1;
	}
}

static void publish(uint16_t head)
{
	if (is_packed)
		return;
	put16(DRIVER + 4 + 2 * (driver_index % SIZE), head);
	put16(DRIVER + 2, ++driver_index);
}

/* A read part of 3 bytes, then a write part of 5. */
static void offer_pair(void)
{
	memcpy(ram + DATA, "abc", 3);
	offer(0, DATA, 3, NEXT);
	offer(1, DATA + 0x100, 5, WRITE);
	publish(0);
}

static void check_goes_round(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		char bytes[4] = {0};

		CHECK_EQ(virtqueue_pop(&queue, &request), 0);
		offer_pair();
		CHECK_EQ(virtqueue_pop(&queue, &request), 1);
		virtqueue_unpop(&queue, &request);
		CHECK_EQ(virtqueue_pop(&queue, &request), 1);
		CHECK_EQ(request.read_size, 3);
		CHECK_EQ(request.write_size, 5);
		CHECK_EQ(virtqueue_read(&request, 0, bytes, 4), 3);
		CHECK_STR(bytes, "abc");
		CHECK_EQ(virtqueue_read(&request, 2, bytes, 4), 1);
		CHECK_EQ(virtqueue_write(&request, 1, "xyzuvw", 6), 4);
		CHECK(memcmp(ram + DATA + 0x101, "xyzu", 4) == 0);
		virtqueue_push(&queue, &request, 5);
	}
}

TEST(requests_go_round_a_split_ring)
{
	start(false, 0);
	check_goes_round(70000); /* the index passes 65,536 */
	CHECK_EQ(get16(DEVICE + 2), 70000 % 65536);
	CHECK_EQ(get16(DEVICE + 4 + 8 * (69999 % SIZE)), 0);
	CHECK_EQ(get16(DEVICE + 8 + 8 * (69999 % SIZE)), 5);
}

TEST(requests_go_round_a_packed_ring)
{
	start(true, 0);
	check_goes_round(1000);
	/* 2,000 slots: 250 laps, so that the wrap counter is 1 again and the last lap's was 0. */
	CHECK_EQ(get16(DESCRIPTORS + 16 * (SIZE - 2) + 12), 0x41);
	CHECK_EQ(get16(DESCRIPTORS + 16 * (SIZE - 2) + 8), 5);
	CHECK_EQ(get16(DESCRIPTORS + 16 * (SIZE - 2) + 14) & 0x8080, 0);
}

TEST(indirect_tables_are_followed)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		start(packed, ALL);
		put_descriptor(TABLE, 0, DATA, 1, packed ? 0 : NEXT, packed ? 0 : 2);
		put_descriptor(TABLE, 1, DATA + 8, 4, packed ? 0 : WRITE, packed ? WRITE : 0);
		put_descriptor(TABLE, 2, DATA + 16, 2, packed ? 0 : WRITE | NEXT,
			       packed ? WRITE : 1);
		offer(0, TABLE, 48, INDIRECT);
		publish(0);
		CHECK_EQ(virtqueue_pop(&queue, &request), 1);
		CHECK_EQ(request.read_count, 1);
		CHECK_EQ(request.write_count, 2);
		CHECK_EQ(request.write_size, 6);
		CHECK_EQ(request.part[1].host - ram, DATA + (packed ? 8 : 16));
	}
}

/* Whatever `lie` writes into the ring breaks the queue, which stays broken. */
#define BREAKS(packed, lie)                                                                        \
	do {                                                                                       \
		start(packed, ALL);                                                                \
		lie;                                                                               \
		publish(0);                                                                        \
		CHECK_EQ(virtqueue_pop(&queue, &request), -ABI_EINVAL);                            \
		CHECK(queue.s.is_broken);                                                          \
		CHECK_EQ(virtqueue_pop(&queue, &request), -ABI_EINVAL);                            \
	} while (0)

TEST(lies_about_buffers_break_the_queue)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		BREAKS(packed, offer(0, RAM_SIZE, 1, 0));
		BREAKS(packed, offer(0, RAM_SIZE - 4, 5, WRITE));
		BREAKS(packed, offer(0, 0, UINT32_MAX, WRITE));
		BREAKS(packed, offer(0, UINT64_MAX, UINT32_MAX, 0));
		BREAKS(packed, (offer(0, DATA, 4, WRITE | NEXT), offer(1, DATA, 4, 0)));
		BREAKS(packed, offer(0, RAM_SIZE, 16, INDIRECT));
		BREAKS(packed, offer(0, TABLE, 0, INDIRECT));
		BREAKS(packed, offer(0, TABLE, 17, INDIRECT));
		BREAKS(packed, offer(0, TABLE, UINT32_MAX & ~15u, INDIRECT));
		BREAKS(packed, offer(0, TABLE, 16, INDIRECT | NEXT));
		BREAKS(packed, (put_descriptor(TABLE, 0, RAM_SIZE, 4, 0, 0),
				offer(0, TABLE, 16, INDIRECT)));
	}
}

TEST(chains_without_end_break_the_queue)
{
	BREAKS(false, put_descriptor(DESCRIPTORS, 0, DATA, 4, NEXT, 0));
	BREAKS(false, (put_descriptor(DESCRIPTORS, 0, DATA, 0, NEXT, 1),
		       put_descriptor(DESCRIPTORS, 1, DATA, 0, NEXT, 0)));
	BREAKS(false, put_descriptor(DESCRIPTORS, 0, DATA, 4, NEXT, SIZE));
	BREAKS(false, put_descriptor(DESCRIPTORS, 0, DATA, 4, NEXT, UINT16_MAX));
	BREAKS(false, (put_descriptor(TABLE, 0, DATA, 0, NEXT, 0), offer(0, TABLE, 32, INDIRECT)));
	BREAKS(false, (put_descriptor(TABLE, 0, DATA, 4, NEXT, 2), offer(0, TABLE, 32, INDIRECT)));
	for (unsigned packed = 0; packed < 2; packed++)
		BREAKS(packed, (put_descriptor(TABLE, 0, TABLE, 16, packed ? 0 : INDIRECT,
					       packed ? INDIRECT : 0),
				offer(0, TABLE, 16, INDIRECT)));
	BREAKS(false, offer(0, DESCRIPTORS, 16 * SIZE, INDIRECT)); /* itself */
	for (unsigned i = 0; i < 4; i++) {
		unsigned packed = i & 1;

		BREAKS(packed, {
			for (unsigned n = 0; n < 2 * SIZE; n++) /* of no bytes, too */
				put_descriptor(TABLE, n, DATA, 2 * (i & 2),
					       n + 1 < 2 * SIZE && !packed ? NEXT : 0,
					       (uint16_t)(packed ? 0 : n + 1));
			offer(0, TABLE, 16 * 2 * SIZE, INDIRECT);
		});
	}
	BREAKS(true, {
		for (unsigned i = 0; i < SIZE; i++)
			offer(i, DATA, 4, NEXT);
	});
}

TEST(indices_that_jump_break_the_queue)
{
	BREAKS(false, driver_index = SIZE);
	BREAKS(false, driver_index = 0x7fff);
	BREAKS(false, publish(SIZE));
	BREAKS(false, publish(UINT16_MAX));
}

TEST(a_request_offered_again_before_its_return_breaks_the_queue)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		start(packed, 0);
		for (unsigned i = 0; i < SIZE; i++) {
			offer(0, DATA, 4, 0);
			publish(0);
			CHECK_EQ(virtqueue_pop(&queue, &request), 1);
		}
		offer(0, DATA, 4, 0);
		publish(0);
		CHECK_EQ(virtqueue_pop(&queue, &request), -ABI_EINVAL);
	}
}

TEST(without_the_feature_an_indirect_table_breaks_the_queue)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		start(packed, 0);
		put_descriptor(TABLE, 0, DATA, 4, 0, 0);
		offer(0, TABLE, 16, INDIRECT);
		publish(0);
		CHECK_EQ(virtqueue_pop(&queue, &request), -ABI_EINVAL);
	}
}

TEST(areas_must_be_aligned_and_ram)
{
	static const uint64_t good[3] = {DESCRIPTORS, DRIVER, DEVICE};
	static const uint64_t bad[] = {DESCRIPTORS + 1, RAM_SIZE, RAM_SIZE - 2, UINT64_MAX,
				       1ull << 63};

	start(false, 0);
	for (unsigned packed = 0; packed < 2; packed++)
		for (unsigned i = 0; i < 3 * (sizeof(bad) / sizeof(bad[0])); i++) {
			uint64_t areas[3];

			memcpy(areas, good, sizeof(areas));
			areas[i % 3] = bad[i / 3];
			virtqueue_init(&queue, &fake->platform.ram, SIZE);
			queue.s.descriptors = areas[0];
			queue.s.driver = areas[1];
			queue.s.device = areas[2];
			CHECK(!virtqueue_enable(&queue, packed ? VIRTQUEUE_F_PACKED : 0));
			CHECK_EQ(virtqueue_pop(&queue, &request), 0);
		}
	for (unsigned size = 0; size <= 2 * VIRTQUEUE_SIZE_MAX; size++) {
		virtqueue_init(&queue, &fake->platform.ram, (uint16_t)size);
		queue.s.descriptors = 0x10000;
		queue.s.driver = 0x20000;
		queue.s.device = 0x30000;
		CHECK_EQ(virtqueue_enable(&queue, 0),
			 size && size <= VIRTQUEUE_SIZE_MAX && (size & (size - 1)) == 0);
	}
}

TEST(interrupts_are_wanted_unless_the_driver_says_no)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		start(packed, 0);
		CHECK(!virtqueue_wants_interrupt(&queue)); /* nothing was pushed */
		check_goes_round(1);
		CHECK(virtqueue_wants_interrupt(&queue));
		CHECK(!virtqueue_wants_interrupt(&queue));
		put16(DRIVER + (packed ? 2 : 0), 1);
		check_goes_round(1);
		CHECK(!virtqueue_wants_interrupt(&queue));
	}
}

/* The driver waits for the request `after` requests from now: that one alone interrupts. */
TEST(an_event_index_chooses_the_request_that_interrupts)
{
	for (unsigned packed = 0; packed < 2; packed++)
		for (unsigned begin = 0; begin < 2 * SIZE; begin++)
			for (unsigned after = 0; after < SIZE / 2; after++) {
				start(packed, ALL);
				check_goes_round(begin);
				virtqueue_wants_interrupt(&queue);
				if (packed) { /* two slots a request */
					unsigned slot = driver_index + 2 * after;
					unsigned wrap = driver_wrap ^ (slot >= SIZE);

					put16(DRIVER, (uint16_t)(slot % SIZE | wrap << 15));
					put16(DRIVER + 2, 2);
				} else {
					put16(DRIVER + 4 + 2 * SIZE,
					      (uint16_t)(driver_index + after));
				}
				for (unsigned i = 0; i <= after + 1; i++) {
					check_goes_round(1);
					CHECK_EQ(virtqueue_wants_interrupt(&queue), i == after);
				}
			}
}

TEST(a_request_that_came_before_the_wish_is_not_lost)
{
	static const uint64_t features[] = {0, ALL};

	for (unsigned i = 0; i < 4; i++) {
		start(i & 1, features[i / 2]);
		CHECK(!virtqueue_want_notify(&queue, false));
		if (i & 1)
			CHECK_EQ(get16(DEVICE + 2), 1);
		else if (i < 2)
			CHECK_EQ(get16(DEVICE), 1);
		offer_pair();
		CHECK(virtqueue_want_notify(&queue, true));
		CHECK_EQ(virtqueue_pop(&queue, &request), 1);
		CHECK(!virtqueue_want_notify(&queue, true));
		if (i & 1)
			CHECK_EQ(get16(DEVICE + 2), i < 2 ? 0 : 2);
		else
			CHECK_EQ(get16(i < 2 ? DEVICE : DEVICE + 4 + 8 * SIZE), i < 2 ? 0 : 1);
	}
}

TEST(a_saved_queue_goes_on_where_it_was)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		struct virtqueue_state state;

		start(packed, ALL);
		check_goes_round(13);
		state = queue.s;
		virtqueue_init(&queue, &fake->platform.ram, SIZE);
		CHECK(virtqueue_load(&queue, &state));
		check_goes_round(13);
		state.driver = RAM_SIZE;
		CHECK(!virtqueue_load(&queue, &state));
		check_goes_round(1); /* what was refused changed nothing */
	}
}

TEST(hostile_rings_and_states_do_no_harm)
{
	for (unsigned round = 0; round < 20000; round++) {
		struct virtqueue_state state;

		if (round % 64 == 0) {
			start(round & 64, round & 128 ? ALL : 0);
		}
		for (unsigned i = 0; i < 16; i++)
			put16(((random_next() & 3) + 1) * 0x1000 + (random_next() % 200 & ~1u),
			      (uint16_t)random_value());
		for (unsigned i = 0; i < 4 && virtqueue_pop(&queue, &request) == 1; i++) {
			uint8_t byte[64] = {0};

			CHECK(request.read_count + request.write_count <= SIZE);
			virtqueue_read(&request, random_value(), byte, sizeof(byte));
			virtqueue_write(&request, random_value(), byte, sizeof(byte));
			virtqueue_push(&queue, &request, (uint32_t)request.write_size);
			virtqueue_wants_interrupt(&queue);
			virtqueue_want_notify(&queue, random_next() & 1);
		}
		state = queue.s;
		state.is_broken = 0;
		((uint8_t *)&state)[random_next() % sizeof(state)] = (uint8_t)random_value();
		virtqueue_load(&queue, &state);
	}
}

int main(void)
{
	RUN(requests_go_round_a_split_ring);
	RUN(requests_go_round_a_packed_ring);
	RUN(indirect_tables_are_followed);
	RUN(lies_about_buffers_break_the_queue);
	RUN(chains_without_end_break_the_queue);
	RUN(indices_that_jump_break_the_queue);
	RUN(a_request_offered_again_before_its_return_breaks_the_queue);
	RUN(without_the_feature_an_indirect_table_breaks_the_queue);
	RUN(areas_must_be_aligned_and_ram);
	RUN(interrupts_are_wanted_unless_the_driver_says_no);
	RUN(an_event_index_chooses_the_request_that_interrupts);
	RUN(a_request_that_came_before_the_wish_is_not_lost);
	RUN(a_saved_queue_goes_on_where_it_was);
	RUN(hostile_rings_and_states_do_no_harm);
	return unit_end();
}
