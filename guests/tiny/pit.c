/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254: modes of channel 0 through 8259 and IOAPIC, channel 2 behind port 0x61, latches. */
#include "guests/lib/irq.h"
#include "guests/lib/lapic.h"

#define PIT_HZ        1193182
#define SPEAKER       0x61
#define PIC_VECTOR    0x30
#define IOAPIC_VECTOR 0x48

static volatile uint32_t pic_count, ioapic_count;

static void pic_interrupt(struct trap_frame *frame)
{
	(void)frame;
	pic_count++;
	pic_eoi(0);
}

static void ioapic_interrupt(struct trap_frame *frame)
{
	(void)frame;
	ioapic_count++;
	lapic_eoi();
}

static void pit_set(uint8_t channel, uint8_t mode, uint16_t count)
{
	out8(0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	out8((uint16_t)(0x40 + channel), (uint8_t)count);
	out8((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static uint16_t pit_latched(uint8_t channel)
{
	uint8_t low;

	out8(0x43, (uint8_t)(channel << 6));
	low = in8((uint16_t)(0x40 + channel));
	return (uint16_t)(low | in8((uint16_t)(0x40 + channel)) << 8);
}

static void check_channel0(void)
{
	uint64_t start;
	uint32_t seen;

	pit_set(0, 0, 1); /* what firmware had running ends here, and pic_init() forgets it */
	time_delay_us(2000);
	pic_init(PIC_VECTOR);
	trap_handle(PIC_VECTOR, pic_interrupt);
	pic_unmask(0);
	pit_set(0, 0, PIT_HZ / 100);
	tap_ok(time_wait(&pic_count, 1, 1000000), "mode 0 interrupts at the end of its count");
	time_wait(&pic_count, 2, 30000);
	tap_ok(pic_count == 1, "and only once");
	start = rdtsc();
	pit_set(0, 2, PIT_HZ / 1000);
	tap_ok(time_wait(&pic_count, 21, 2000000), "mode 2 goes on");
	tap_ok(rdtsc() - start > time_tsc_khz() * 18, "and not faster than its period");
	pit_set(0, 3, PIT_HZ / 500);
	seen = pic_count;
	tap_ok(time_wait(&pic_count, seen + 5, 2000000), "mode 3 goes on");
	pit_set(0, 0, 1);
	time_delay_us(2000);
	pic_mask(0);
}

static void check_latch(void)
{
	uint16_t first, second;
	uint8_t status;

	pit_set(0, 2, 0xffff);
	first = pit_latched(0);
	time_delay_us(1000);
	second = pit_latched(0);
	tap_ok((uint16_t)(first - second) > 1000 && first > second, "a latched count goes down");
	out8(0x43, 0x00);
	time_delay_us(1000);
	first = in8(0x40);
	first |= (uint16_t)(in8(0x40) << 8);
	second = pit_latched(0);
	tap_ok(first - second > 1000, "a latch holds until it is read");
	out8(0x43, 0xe2); /* read back: status of channel 0 */
	status = in8(0x40);
	tap_equal(status & 0x3f, 0x34, "the read-back status names mode and access");
}

static void check_channel2(void)
{
	uint64_t ticks, start;
	uint16_t first, second;

	out8(SPEAKER, (uint8_t)(in8(SPEAKER) & 0xfc));
	pit_set(2, 0, PIT_HZ / 50);
	time_delay_us(1000);
	first = pit_latched(2);
	time_delay_us(1000);
	second = pit_latched(2);
	tap_strict(first == second, "channel 2 stands still while its gate is low");
	tap_ok(!(in8(SPEAKER) & 0x20), "its output is low in mode 0");
	out8(SPEAKER, (uint8_t)((in8(SPEAKER) & 0xfc) | 1));
	tap_equal(in8(SPEAKER) & 3, 1, "the gate bit reads back");
	pit_set(2, 0, PIT_HZ / 50);
	start = rdtsc();
	while (!(in8(SPEAKER) & 0x20) && rdtsc() - start < time_tsc_khz() * 1000)
		;
	ticks = rdtsc() - start;
	print("# 20 ms of channel 2 are %lu us by the TSC\n", ticks * 1000 / time_tsc_khz());
	tap_ok(ticks > time_tsc_khz() * 19 && ticks < time_tsc_khz() * 1000,
	       "its output goes high at the end of its count");
}

static void check_ioapic(void)
{
	unsigned int pin = ioapic_pin(0);

	lapic_enable(false);
	trap_handle(IOAPIC_VECTOR, ioapic_interrupt);
	ioapic_entry_set(pin, (uint64_t)lapic_id() << 56 | IOAPIC_VECTOR);
	pit_set(0, 2, PIT_HZ / 1000);
	tap_ok(time_wait(&ioapic_count, 10, 2000000), "channel 0 also comes through the IOAPIC");
	ioapic_entry_set(pin, IOAPIC_MASKED);
	pit_set(0, 0, 1);
}

void guest_main(void)
{
	tap_plan(13);
	check_channel0();
	check_latch();
	check_channel2();
	check_ioapic();
}
