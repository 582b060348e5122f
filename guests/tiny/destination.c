/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended destination ids: a message's bits 5 to 11, an IOAPIC entry's 49 to 55 are ids from 256.
 */
#include "guests/lib/irq.h"
#include "guests/lib/lapic.h"
#include "guests/lib/virtio.h"

#define MSI_EXT_DEST_ID (1u << 15) /* leaf 0x40000001, EAX */
#define VECTOR_LINE     0x51
#define VECTOR_MESSAGE  0x68 /* configuration, then queues */
#define UART_IRQ        4
#define IER             (PORT_UART + 1)
#define IIR             (PORT_UART + 2)
#define MCR             (PORT_UART + 4)
#define BROADCAST       0xffu

static volatile uint32_t line_count, message_count;
static struct virtio_device rng;
static uint8_t buffer[8];

static void by_line(struct trap_frame *frame)
{
	(void)frame;
	line_count++;
	in8(IIR);
	lapic_eoi();
}

static void by_message(struct trap_frame *frame)
{
	(void)frame;
	message_count++;
	lapic_eoi();
}

/* The UART says that it can take a byte; nothing may be printed meanwhile. */
static bool line_reaches(uint32_t id)
{
	unsigned int pin = ioapic_pin(UART_IRQ);
	bool came;

	line_count = 0;
	ioapic_entry_set(pin,
			 (uint64_t)(id & 0xff) << 56 | (uint64_t)(id >> 8) << 49 | VECTOR_LINE);
	out8(MCR, 0x0b);
	out8(IER, 0x02);
	came = time_wait(&line_count, 1, id == lapic_id() || id == BROADCAST ? 1000000 : 20000);
	out8(IER, 0x00);
	in8(IIR);
	ioapic_entry_set(pin, IOAPIC_MASKED);
	return came;
}

/* Some random bytes are asked for; the device says by a message that they are there. */
static bool message_reaches(uint32_t id)
{
	uint32_t size;
	bool came;

	message_count = 0;
	virtio_write(rng.msix + 16, 4, 0xfee00000 | (id & 0xff) << 12 | id >> 8 << 5);
	virtio_add(&rng.queue[0], (uint64_t)buffer, sizeof(buffer), VIRTIO_WRITE);
	virtio_offer(&rng.queue[0]);
	virtio_notify(&rng, 0, true);
	came = virtio_wait(&rng.queue[0], &size, 1000000);
	return time_wait(&message_count, 1,
			 id == lapic_id() || id == BROADCAST ? 1000000 : 20000) &&
	       came;
}

static const struct {
	const char *sentence;
	bool (*reaches)(uint32_t id);
} ways[] = {{"an IOAPIC's entry", line_reaches}, {"a device's message", message_reaches}};

static void check_mode(const char *mode, bool x2apic)
{
	lapic_enable(x2apic);
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		uint32_t id = lapic_id();
		bool others = false;

		tap_ok(ways[i].reaches(id), "%s: %s reaches our id", mode, ways[i].sentence);
		for (unsigned int bit = 8; bit < 15; bit++)
			others = ways[i].reaches(id | 1u << bit) || others;
		tap_ok(!others, "%s: %s for an id from 256 on does not", mode, ways[i].sentence);
		tap_ok(ways[i].reaches(BROADCAST) && !ways[i].reaches(0x100 | BROADCAST),
		       "%s: %s for 255 reaches all, that for 511 does not", mode, ways[i].sentence);
	}
}

void guest_main(void)
{
	tap_plan(14);
	if (guest_is_tcg()) {
		for (int i = 0; i < 14; i++)
			tap_skip("extended destination ids", "not on Corbel");
		return;
	}
	tap_ok(cpuid(0x40000001, 0).a & MSI_EXT_DEST_ID, "extended destination ids are announced");
	pic_init(0x20);
	out8(PIC_MASTER + 1, 0xff);
	trap_handle(VECTOR_LINE, by_line);
	trap_handle(VECTOR_MESSAGE + 1, by_message);
	lapic_enable(false);
	tap_ok(virtio_find(&rng, VIRTIO_RNG) && virtio_open(&rng, 0), "virtio-rng starts");
	virtio_msix(&rng, VECTOR_MESSAGE);
	check_mode("xAPIC", false);
	check_mode("x2APIC", true);
}
