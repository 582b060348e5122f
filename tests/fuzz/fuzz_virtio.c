/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes virtio devices from the driver's side: both ring formats, registers by memory, ports and
 * configuration space, buffers anywhere. */
#include "services/vmm/virtio_console.h"
#include "services/vmm/virtio_rng.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vdriver.h"

#define RAM_SIZE      0x10000u
#define BUFFERS       0x9000u
#define NEEDS_RESET   0x40
#define F_PACKED      VIRTQUEUE_F_PACKED
#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u

static struct virtio_console console;
static struct virtio_rng rng;
static struct virtio_pci *pci; /* of the one that is there */
static uint16_t position[2];   /* of the driver, in a packed ring: bit 15 wraps */

/* Which bytes the device may write: its areas, and what descriptors offer for writing. */
static uint8_t allowed[RAM_SIZE], before[RAM_SIZE];

static void allow(uint64_t gpa, uint64_t size)
{
	if (gpa < RAM_SIZE)
		memset(allowed + gpa, 1, size < RAM_SIZE - gpa ? size : RAM_SIZE - gpa);
}

static void allow_table(uint64_t gpa, uint64_t count, bool is_packed, bool is_inner)
{
	for (uint64_t i = 0; i < count && gpa + 16 * i + 16 <= RAM_SIZE; i++) {
		const uint8_t *d = ram(gpa + 16 * i);
		uint64_t address;
		uint32_t size;
		uint16_t flags;

		memcpy(&address, d, 8);
		memcpy(&size, d + 8, 4);
		memcpy(&flags, d + (is_packed ? 14 : 12), 2);
		if (flags & DESC_WRITE)
			allow(address, size);
		if (flags & DESC_INDIRECT && !is_inner && address < RAM_SIZE)
			allow_table(address, size / 16, is_packed, true);
	}
}

static void allow_queues(void)
{
	for (unsigned i = 0; i < pci->virtio.ops->queue_count; i++) {
		const struct virtqueue_state *q = &pci->virtio.queue[i].s;

		if (!q->is_enabled)
			continue;
		allow(q->device, q->is_packed ? 4 : 6 + 8ull * q->size);
		if (q->is_packed)
			allow(q->descriptors, 16ull * q->size);
		allow_table(q->descriptors, q->size, q->is_packed, false);
	}
}

/* What was written where nothing was offered is a hole in the wall. */
static void check_ram(void)
{
	if (memcmp(before, ram(0), RAM_SIZE) == 0)
		return;
	allow_queues(); /* where areas overlap, the device made descriptors itself */
	for (unsigned i = 0; i < RAM_SIZE; i++)
		CHECK(before[i] == *ram(i) || allowed[i]);
}

static void write_address(unsigned offset, uint64_t address)
{
	put(offset, 4, (uint32_t)address);
	put(offset + 4, 4, address >> 32);
}

/* Not always where driver_area() has them. */
static void open_queues(struct input *input)
{
	driver_agree(VIRTIO_F_VERSION_1 | (uint64_t)(take8(input) & 3) << 28 |
		     (take8(input) & 1 ? F_PACKED : 0));
	for (unsigned q = 0; q < pci->virtio.ops->queue_count; q++) {
		uint8_t how = take8(input);

		put(QUEUE_SELECT, 2, q);
		put(QUEUE_SIZE, 2, how & 1 ? take16(input) : 1u << how % 9);
		write_address(QUEUE_DESCRIPTORS, how & 2 ? take16(input) & ~15u : driver_area(q));
		write_address(QUEUE_DRIVER,
			      how & 4 ? take16(input) & ~3u : driver_area(q) + 0x1000);
		write_address(QUEUE_DEVICE,
			      how & 8 ? take16(input) & ~3u : driver_area(q) + 0x2000);
		put(QUEUE_VECTOR, 2, q + 1);
		put(QUEUE_ENABLE, 2, 1);
		position[q] = 0x8000;
	}
	put(STATUS, 1, 0xf);
}

static void make_descriptor(struct input *input, uint64_t gpa, uint16_t number, bool is_packed,
			    uint16_t flags)
{
	uint8_t how = take8(input), *d = ram_at(&fake->platform.ram, gpa, 16);
	uint64_t address = how & 1 ? take_value(input) : BUFFERS + how * 16u;
	uint32_t size = how & 2 ? (uint32_t)take_value(input) : how;

	if (!d)
		return;
	memcpy(d, &address, 8);
	memcpy(d + 8, &size, 4);
	memcpy(d + (is_packed ? 14 : 12), &flags, 2);
	memcpy(d + (is_packed ? 12 : 14), &number, 2);
}

/* Some descriptors, and the sign that they are there. */
static void offer(struct input *input)
{
	unsigned q = take8(input) % pci->virtio.ops->queue_count;
	const struct virtqueue_state *s = &pci->virtio.queue[q].s;
	unsigned count = 1 + take8(input) % 4;
	uint16_t index, entry;

	if (!s->is_enabled)
		return;
	for (unsigned i = 0; i < count; i++) {
		uint16_t flags = take8(input) & 7;

		flags = (uint16_t)(i + 1 < count ? flags | DESC_NEXT : flags & ~DESC_NEXT);
		if (s->is_packed) {
			uint16_t at = position[q] & 0x7fff;

			flags |= position[q] & 0x8000 ? 0x80 : 0x8000;
			make_descriptor(input, s->descriptors + 16ull * (at % s->size), at, true,
					flags);
			position[q]++;
			if ((position[q] & 0x7fff) >= s->size)
				position[q] = (uint16_t)(~position[q] & 0x8000);
		} else {
			make_descriptor(input, s->descriptors + 16ull * (i % s->size),
					(uint16_t)(i + 1), false, flags);
		}
	}
	if (s->is_packed || !ram_at(&fake->platform.ram, s->driver, 4 + 2ull * s->size))
		return;
	memcpy(&index, ram(s->driver + 2), 2);
	entry = 0;
	memcpy(ram(s->driver + 4 + 2 * (index % s->size)), &entry, 2);
	index++;
	memcpy(ram(s->driver + 2), &index, 2);
}

/* The same registers by virtio's own capability in configuration space. */
static void access_by_config(struct input *input, unsigned offset, unsigned size)
{
	unsigned at = pci->pci_access;

	config_put(at + 4, 1, 1);
	config_put(at + 8, 4, offset);
	config_put(at + 12, 4, size);
	if (take8(input) & 1)
		config_put(at + 16, size, take32(input));
	else
		config_get(at + 16);
}

static void notify(struct input *input)
{
	uint8_t how = take8(input);
	unsigned q = how >> 4;

	if (how & 1)
		out(DRIVER_PORTS, 2, q);
	else if (how & 2)
		put(DRIVER_NOTIFY + 4 * q, 2, q);
	else
		access_by_config(input, DRIVER_NOTIFY + 4 * q, 2);
}

/* A state that was reached can be saved, loaded, and is the same again. */
static void save_and_load(void)
{
	static uint8_t first[8192], second[8192];
	bool is_rng = pci == &rng.pci;
	size_t size = is_rng ? virtio_rng_save(&rng, first, sizeof(first))
			     : virtio_console_save(&console, first, sizeof(first));

	CHECK(size <= sizeof(first));
	CHECK_EQ(is_rng ? virtio_rng_load(&rng, first, size)
			: virtio_console_load(&console, first, size),
		 0);
	vpci_map(&driver_bus);
	CHECK_EQ(is_rng ? virtio_rng_save(&rng, second, sizeof(second))
			: virtio_console_save(&console, second, sizeof(second)),
		 size);
	CHECK(memcmp(first, second, size) == 0);
}

/* True: the driver reset it. */
static bool act(struct input *input, uint8_t how)
{
	unsigned offset = take8(input) % 64;
	uint8_t bytes[64];

	switch (how % 16) {
	case 0:
		open_queues(input);
		return true;
	case 1:
		put(offset, 1u << (how >> 4) % 4, take_value(input));
		return true;
	case 2:
		put(offset * 128u, 1u << (how >> 4) % 4, take_value(input));
		return false;
	case 3:
		CHECK(!(get(offset * (how & 16 ? 1 : 128u), 1u << (how >> 5) % 4) >> 32) ||
		      (how >> 5) % 4 == 3);
		return false;
	case 4:
		access_by_config(input, offset * (how & 16 ? 1 : 128u), 1u << (how >> 5) % 4);
		return true;
	case 5:
		config_put(offset * 4, 1u << how % 3, take32(input));
		return true;
	case 6:
		fake->now_ns += (uint64_t)take32(input) << (how >> 5);
		if (pci == &rng.pci && fake->deadline_ns[PLATFORM_TIMER_RNG] <= fake->now_ns)
			virtio_rng_timer(&rng);
		return false;
	case 7:
		take(input, bytes, sizeof(bytes));
		if (pci == &console.pci && virtio_console_is_open(&console)) /* else the UART's */
			CHECK(virtio_console_input(&console, bytes, offset) <= offset);
		return false;
	case 8:
		fake->console_room = offset * 16u;
		if (pci == &console.pci)
			virtio_console_output(&console);
		return false;
	case 9:
		save_and_load();
		return false;
	case 10:
		config_put(pci->msix.capability + 2, 2, (uint32_t)how << 8);
		return false;
	default:
		notify(input);
		return false;
	}
}

static void fuzz(struct input *input)
{
	bool is_rng = take8(input) & 1;

	if (fake)
		fake_platform_free(fake);
	fake = fake_platform_new(RAM_SIZE);
	vpci_init(&driver_bus, &fake->platform);
	memset(&console, 0, sizeof(console));
	memset(&rng, 0, sizeof(rng));
	if (is_rng)
		virtio_rng_init(&rng, &fake->platform);
	else
		virtio_console_init(&console, &fake->platform);
	pci = is_rng ? &rng.pci : &console.pci;
	driver_plug(&pci->function);
	open_queues(input);
	while (input->left) {
		uint8_t how = take8(input);
		bool is_broken = pci->s.status & NEEDS_RESET, may_reset;

		for (unsigned i = how >> 6; how & 32 && i > 0; i--)
			offer(input);
		if (how % 16 == 11) /* what a guest's other CPU might do */
			take(input, ram(take16(input) % (RAM_SIZE - 8)), 8);
		memcpy(before, ram(0), RAM_SIZE);
		memset(allowed, 0, sizeof(allowed));
		allow_queues();
		may_reset = act(input, how);
		check_ram();
		if (is_broken && !may_reset) { /* nothing goes on before a reset */
			CHECK(pci->s.status & NEEDS_RESET);
			CHECK(memcmp(before, ram(0), RAM_SIZE) == 0);
		}
	}
}
