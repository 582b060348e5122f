/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver of virtio-rng and virtio-console: it works with both ring formats, then it lies. */
#include "guests/lib/irq.h"
#include "guests/lib/lapic.h"
#include "guests/lib/virtio.h"

#define VECTOR_PIN 0x61
#define VECTOR_RNG 0x68 /* configuration, then queues */
#define TRANSMIT   1u   /* queue of the console */
#define SECOND     1000000ul
#define DRAIN      4096u /* bytes after which virtio-rng makes the next request wait */
#define ATTEMPTS   20    /* a turn of other VMs may lie between a request and a look at it */

static struct virtio_device rng, console;
static struct virtio_queue *const queue = &rng.queue[0]; /* the one that is lied about */
static bool is_packed;
static uint64_t features, ram_end;
static uint8_t buffer[64 + DRAIN];
static struct virtio_descriptor table[2 * VIRTIO_SIZE] __attribute__((aligned(16)));

/* ---- interrupts: by the pin with split rings, by messages with packed ones ---- */

static volatile uint32_t pin_count, config_count, queue_count;

static void by_pin(struct trap_frame *frame)
{
	uint64_t status = virtio_read(rng.isr, 1);

	(void)frame;
	pin_count++;
	queue_count += status & 1;
	config_count += status >> 1 & 1;
	lapic_eoi();
}

static void by_message(struct trap_frame *frame)
{
	if (frame->vector == VECTOR_RNG)
		config_count++;
	else
		queue_count++;
	lapic_eoi();
}

/* None is on its way any more, and none counted. */
static void interrupts_reset(void)
{
	virtio_read(rng.isr, 1);
	interrupts_enable();
	time_delay_us(1);
	interrupts_disable();
	pin_count = config_count = queue_count = 0;
}

static void interrupts_choose(void)
{
	unsigned int line = pci_read(rng.slot, 0x3c) & 0xff;

	trap_handle(VECTOR_PIN, by_pin);
	trap_handle(VECTOR_RNG, by_message);
	trap_handle(VECTOR_RNG + 1, by_message);
	if (is_packed) {
		ioapic_entry_set(ioapic_pin(line), IOAPIC_MASKED);
		virtio_msix(&rng, VECTOR_RNG);
	} else {
		virtio_msix_off(&rng);
		ioapic_entry_set(ioapic_pin(line), IOAPIC_LEVEL | IOAPIC_LOW_ACTIVE | VECTOR_PIN |
							   (uint64_t)lapic_id() << 56);
	}
}

/* ---- what works ---- */

static bool is_filled(const uint8_t *bytes, uint32_t size)
{
	uint32_t zeros = 0;

	for (uint32_t i = 0; i < size; i++)
		zeros += bytes[i] == 0;
	return zeros < size / 4;
}

/* One request for 64 bytes. */
static bool ask(bool by_port)
{
	uint32_t size = 0;

	memset(buffer, 0, 128);
	virtio_add(queue, (uint64_t)buffer, 64, VIRTIO_WRITE);
	virtio_offer(queue);
	virtio_notify(&rng, 0, by_port);
	return virtio_wait(queue, &size, SECOND) && size == 64 && is_filled(buffer, 64) &&
	       !is_filled(buffer + 64, 64);
}

static bool say(const char *text)
{
	uint32_t size;

	virtio_add(&console.queue[TRANSMIT], (uint64_t)text, (uint32_t)strlen(text), 0);
	virtio_offer(&console.queue[TRANSMIT]);
	virtio_notify(&console, TRANSMIT, true);
	return virtio_wait(&console.queue[TRANSMIT], &size, SECOND);
}

static void check_interrupts(void)
{
	bool came;

	interrupts_reset();
	ask(true);
	came = time_wait(&queue_count, 1, SECOND);
	time_wait(&queue_count, 2, 20000);
	tap_ok(came && queue_count == 1 && config_count == 0 && pin_count == !is_packed,
	       is_packed ? "packed: a request's return interrupts once, by its message"
			 : "split: a request's return interrupts once, by the pin");
}

/* A request of parts in a table, and one of a chain, round the ring several times. */
static bool goes_round(void)
{
	for (unsigned int i = 0; i < 3 * VIRTIO_SIZE; i++) {
		uint32_t size = 0;

		memset(buffer, 0, 64);
		if (i % 2) {
			virtio_add(queue, (uint64_t)buffer, 5, VIRTIO_NEXT | VIRTIO_WRITE);
			virtio_add(queue, (uint64_t)buffer + 5, 27, VIRTIO_WRITE);
		} else {
			table[0] =
				(struct virtio_descriptor){.address = (uint64_t)buffer, .size = 5};
			table[1] = (struct virtio_descriptor){.address = (uint64_t)buffer + 5,
							      .size = 27};
			if (is_packed) {
				table[0].packed.flags = table[1].packed.flags = VIRTIO_WRITE;
			} else {
				table[0].split.flags = VIRTIO_WRITE | VIRTIO_NEXT;
				table[0].split.next = 1;
				table[1].split.flags = VIRTIO_WRITE;
			}
			virtio_add(queue, (uint64_t)table, 32, VIRTIO_INDIRECT);
		}
		virtio_offer(queue);
		virtio_notify(&rng, 0, i & 2);
		if (!virtio_wait(queue, &size, SECOND) || size != 32 || !is_filled(buffer, 32))
			return false;
	}
	return true;
}

static void check_works(const char *format)
{
	uint64_t other[2] = {0};

	tap_ok(virtio_open(&rng, features) && virtio_open(&console, features),
	       "%s: both devices start", format);
	tap_ok(ask(true), "%s: a request is filled, notified by the port", format);
	memcpy(other, buffer, sizeof(other));
	tap_ok(ask(false) && memcmp(other, buffer, sizeof(other)),
	       "%s: and with other bytes, notified in memory", format);
	tap_ok(goes_round(), "%s: chains and tables go round the ring", format);
	tap_ok(say(is_packed ? "said by a packed ring\n" : "said by a split ring\n"),
	       "%s: the console takes what is said", format);
	check_interrupts();
}

/* ---- lies ---- */

static void lie(uint64_t address, uint32_t size, unsigned int flags)
{
	virtio_add(queue, address, size, flags);
	virtio_offer(queue);
	virtio_notify(&rng, 0, true);
}

static void endless_chain(void)
{
	for (unsigned int i = 0; i < VIRTIO_SIZE; i++)
		virtio_add(queue, (uint64_t)buffer, 4, VIRTIO_NEXT | VIRTIO_WRITE);
	virtio_offer(queue);
	virtio_notify(&rng, 0, false);
}

static void self_referring_descriptor(void)
{
	virtio_add(queue, (uint64_t)buffer, 0, VIRTIO_NEXT | VIRTIO_WRITE)->split.next = 0;
	virtio_offer(queue);
	virtio_notify(&rng, 0, true);
}

static void self_referring_table(void)
{
	table[0] = (struct virtio_descriptor){.address = (uint64_t)table, .size = sizeof(table[0])};
	if (is_packed)
		table[0].packed.flags = VIRTIO_INDIRECT;
	else
		table[0].split.flags = VIRTIO_INDIRECT;
	lie((uint64_t)table, sizeof(table[0]), VIRTIO_INDIRECT);
}

static void ring_as_table(void)
{
	lie((uint64_t)&queue->ring->descriptor, sizeof(queue->ring->descriptor), VIRTIO_INDIRECT);
}

static void overlong_table(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		table[i] = (struct virtio_descriptor){.address = (uint64_t)buffer};
		if (is_packed)
			table[i].packed.flags = VIRTIO_WRITE;
		else if (i + 1 < ARRAY_SIZE(table))
			table[i].split.flags = VIRTIO_WRITE | VIRTIO_NEXT;
		if (!is_packed)
			table[i].split.next = (uint16_t)(i + 1);
	}
	lie((uint64_t)table, sizeof(table), VIRTIO_INDIRECT);
}

static void table_past_ram(void)
{
	lie(ram_end, 16, VIRTIO_INDIRECT);
}

static void buffer_past_ram(void)
{
	lie(ram_end, 16, VIRTIO_WRITE);
}

static void buffer_across_the_end_of_ram(void)
{
	lie(ram_end - 4, 8, VIRTIO_WRITE);
}

static void buffer_that_wraps(void)
{
	lie(UINT64_MAX - 3, UINT32_MAX, VIRTIO_WRITE);
}

static void part_to_read_behind_one_to_write(void)
{
	virtio_add(queue, (uint64_t)buffer, 4, VIRTIO_WRITE | VIRTIO_NEXT);
	lie((uint64_t)buffer, 4, 0);
}

static void index_that_jumps(void)
{
	queue->ring->driver.index = 1000;
	virtio_notify(&rng, 0, true);
}

static void head_out_of_range(void)
{
	queue->first = 0;
	queue->ring->driver.ring[0] = VIRTIO_SIZE;
	queue->ring->driver.index = 1;
	virtio_notify(&rng, 0, true);
}

/* Makes a request wait: the one before it takes all that the device may give for now. */
static volatile struct virtio_descriptor *make_wait(void)
{
	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		volatile struct virtio_descriptor *d;
		uint32_t size;

		memset(buffer, 0, 64);
		virtio_add(queue, (uint64_t)buffer + 64, DRAIN, VIRTIO_WRITE);
		virtio_offer(queue);
		d = virtio_add(queue, (uint64_t)buffer, 64, VIRTIO_WRITE);
		virtio_offer(queue);
		virtio_notify(&rng, 0, true);
		if (virtio_wait(queue, &size, SECOND) && !virtio_take(queue, &size))
			return d;
	}
	return NULL;
}

static void chain_that_changes_while_it_waits(void)
{
	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		volatile struct virtio_descriptor *d = make_wait();
		uint32_t size;

		if (!d)
			return;
		d->address = ram_end;
		if (!virtio_wait(queue, &size, SECOND / 4))
			return;
	}
}

static void queue_enabled_again(void)
{
	make_wait();
	virtio_write(rng.common + VIRTIO_QUEUE_ENABLE, 2, 1);
}

static void queue_disabled(void)
{
	make_wait();
	virtio_write(rng.common + VIRTIO_QUEUE_ENABLE, 2, 0);
}

static void queue_moved(void)
{
	virtio_write(rng.common + VIRTIO_QUEUE_DRIVER, 4, 0x1000);
}

static void queue_resized(void)
{
	virtio_write(rng.common + VIRTIO_QUEUE_SIZE, 2, 4);
}

static void status_by_a_word(void)
{
	virtio_write(rng.common + VIRTIO_STATUS, 2, 0xf);
}

static void queue_select_by_a_byte(void)
{
	virtio_write(rng.common + VIRTIO_QUEUE_SELECT, 1, 0);
}

static void address_by_eight_bytes(void)
{
	virtio_write(rng.common + VIRTIO_QUEUE_DESCRIPTORS, 8, 0x1000);
}

static void write_where_no_field_is(void)
{
	virtio_write((rng.common & ~0xffful) + 0x400, 4, 1);
}

#define SPLIT  1u
#define PACKED 2u
#define BOTH   3u

static const struct {
	const char *what;
	void (*tell)(void);
	unsigned int formats;
} lies[] = {
	{"a chain without end", endless_chain, BOTH},
	{"a descriptor that refers to itself", self_referring_descriptor, SPLIT},
	{"a table that refers to itself", self_referring_table, BOTH},
	{"the ring as a table", ring_as_table, BOTH},
	{"a table longer than the queue", overlong_table, BOTH},
	{"a table past RAM", table_past_ram, BOTH},
	{"a buffer past RAM", buffer_past_ram, BOTH},
	{"a buffer across the end of RAM", buffer_across_the_end_of_ram, BOTH},
	{"a buffer that wraps", buffer_that_wraps, BOTH},
	{"a part to read behind one to write", part_to_read_behind_one_to_write, BOTH},
	{"an index that jumps", index_that_jumps, SPLIT},
	{"a head out of range", head_out_of_range, SPLIT},
	{"a chain that changes while it waits", chain_that_changes_while_it_waits, BOTH},
	{"a queue enabled again in mid-request", queue_enabled_again, BOTH},
	{"a queue disabled in mid-request", queue_disabled, BOTH},
	{"a queue moved", queue_moved, BOTH},
	{"a queue resized", queue_resized, BOTH},
	{"status written by a word", status_by_a_word, BOTH},
	{"queue_select written by a byte", queue_select_by_a_byte, BOTH},
	{"an address written by eight bytes", address_by_eight_bytes, BOTH},
	{"a write where no field is", write_where_no_field_is, BOTH},
};

#define SPLIT_LIES  21u
#define PACKED_LIES 18u

static bool needs_reset(const struct virtio_device *device)
{
	uint64_t end = time_tsc_after_us(SECOND);

	while (!(virtio_status(device) & VIRTIO_NEEDS_RESET) && rdtsc() < end)
		cpu_relax();
	return virtio_status(device) & VIRTIO_NEEDS_RESET;
}

/* The device says so, interrupts, does no more; the other one works; a reset brings it back. */
static void check_lie(const char *format, const char *what, void (*tell)(void))
{
	bool is_broken, is_told, is_still, has_other;
	uint32_t size;

	virtio_open(&rng, features);
	interrupts_reset();
	interrupts_enable();
	tell();
	is_broken = needs_reset(&rng);
	is_told = time_wait(&config_count, 1, SECOND) && !pin_count == is_packed;
	interrupts_disable();
	virtio_notify(&rng, 0, true);
	is_still = !virtio_take(queue, &size) && needs_reset(&rng);
	has_other = say("");
	virtio_open(&rng, features);
	tap_ok(is_broken && is_told && is_still && has_other && ask(true),
	       "%s: %s: that device needs a reset, and no other", format, what);
	if (!is_broken || !is_told || !is_still || !has_other)
		print("# status %x; broken %u, told %u, still %u, other %u\n", virtio_status(&rng),
		      is_broken, is_told, is_still, has_other);
}

static void check_lies(const char *format)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++)
		if (lies[i].formats & (is_packed ? PACKED : SPLIT))
			check_lie(format, lies[i].what, lies[i].tell);
}

/* Before DRIVER_OK nobody is told, but the device is as unwilling. */
static void check_start(const char *format)
{
	uint8_t early;

	virtio_agree(&rng, features);
	virtio_place(&rng, 0, is_packed);
	virtio_write(rng.common + VIRTIO_QUEUE_DESCRIPTORS, 4, (uint32_t)ram_end);
	virtio_write(rng.common + VIRTIO_QUEUE_ENABLE, 2, 1);
	tap_ok(needs_reset(&rng), "%s: a queue past RAM is not enabled", format);
	virtio_reset(&rng);
	virtio_write(rng.common + VIRTIO_STATUS, 1, VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
	early = virtio_status(&rng);
	tap_ok(early & VIRTIO_NEEDS_RESET && !(early & VIRTIO_DRIVER_OK),
	       "%s: nothing starts without agreed features", format);
	tap_ok(!virtio_agree(&rng, features | 1) && virtio_agree(&rng, features),
	       "%s: a feature that is not offered is refused", format);
}

static void check_reset_in_flight(const char *format)
{
	bool is_waiting;

	virtio_open(&rng, features);
	is_waiting = make_wait() != NULL;
	virtio_reset(&rng);
	memset(buffer, 0, 64);
	time_delay_us(200000);
	tap_ok(is_waiting && virtio_status(&rng) == 0 && !is_filled(buffer, 64),
	       "%s: a reset in flight takes the request back", format);
	tap_ok(virtio_open(&rng, features) && ask(true), "%s: and the device goes on after it",
	       format);
}

static void check_harmless(const char *format)
{
	virtio_open(&rng, features);
	for (unsigned int size = 1; size <= 8; size *= 2)
		for (unsigned int at = 0; at < 64; at += size) {
			virtio_read(rng.common + at, size);
			virtio_read((rng.common & ~0xffful) + 0x400 + at, size);
		}
	for (unsigned int q = 1; q < 0x10000; q *= 2) {
		virtio_notify(&rng, q, true);
		virtio_write(rng.notify, 2, q);
	}
	tap_ok(!(virtio_status(&rng) & VIRTIO_NEEDS_RESET) && ask(false),
	       "%s: reads of any size and notifications of no queue harm none", format);
}

/* The console's own lie; the UART, which prints this, is its other mouth. */
static void check_console(const char *format)
{
	struct virtio_queue *transmit = &console.queue[TRANSMIT];

	virtio_open(&rng, features);
	virtio_add(transmit, ram_end, 16, 0);
	virtio_offer(transmit);
	virtio_notify(&console, TRANSMIT, true);
	tap_ok(needs_reset(&console) && ask(true),
	       "%s: a console that is lied to needs a reset, and no other", format);
	tap_ok(virtio_open(&console, features) && say("# and speaks again\n"),
	       "%s: which brings it back", format);
}

void guest_main(void)
{
	ram_end = 0x100000 + boot_ram_above_1m();
	pic_init(0x20);
	out8(PIC_MASTER + 1, 0xff);
	out8(PIC_SLAVE + 1, 0xff);
	lapic_enable(true);
	tap_plan(2 + 2 * (6 + 3 + 2 + 1 + 2) + SPLIT_LIES + PACKED_LIES);
	tap_ok(virtio_find(&rng, VIRTIO_RNG), "virtio-rng is there, with all its structures");
	tap_ok(virtio_find(&console, VIRTIO_CONSOLE), "so is virtio-console");
	for (unsigned int i = 0; i < 2; i++) {
		const char *format = i ? "packed" : "split";

		is_packed = i;
		features = VIRTIO_F_INDIRECT | (is_packed ? VIRTIO_F_PACKED : 0);
		interrupts_choose();
		check_works(format);
		check_lies(format);
		check_start(format);
		check_reset_in_flight(format);
		check_harmless(format);
		check_console(format);
	}
	virtio_reset(&rng);
	virtio_reset(&console);
}
