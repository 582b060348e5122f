/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operator has to do with: says "got: LINE" of each line that is typed, and powers off when
 * its power button is pressed. It sleeps in between.
 */
#include "guests/lib/acpi.h"
#include "guests/lib/irq.h"

#define BASE         0x30
#define UART_IRQ     4
#define SCI_IRQ      9
#define IER          (PORT_UART + 1)
#define LSR          (PORT_UART + 5)
#define POWER_BUTTON 0x0100 /* of PM1 status and enable */
#define CONTROL_SCI  0x0001

static uint16_t pm1;
static volatile uint32_t typed_size, is_pressed;
static volatile uint8_t typed[256];

static void received(struct trap_frame *frame)
{
	(void)frame;
	while (in8(LSR) & 1)
		typed[typed_size++ % sizeof(typed)] = in8(PORT_UART);
	pic_eoi(UART_IRQ);
}

static void pressed(struct trap_frame *frame)
{
	(void)frame;
	if (in16(pm1) & POWER_BUTTON)
		is_pressed++;
	out16(pm1, POWER_BUTTON);
	pic_eoi(SCI_IRQ);
}

/* What of `typed` was not looked at yet, line by line. */
static void answer(void)
{
	static char line[80];
	static uint32_t seen, size;

	for (; seen != typed_size; seen++) {
		char byte = (char)typed[seen % sizeof(typed)];

		if (byte != '\r' && byte != '\n') {
			if (size < sizeof(line) - 1)
				line[size++] = byte;
			continue;
		}
		line[size] = 0;
		print("got: %s\n", line);
		size = 0;
	}
}

void guest_main(void)
{
	const struct acpi_fadt *fadt = (const struct acpi_fadt *)acpi_table("FACP");

	tap_plan(3);
	pm1 = (uint16_t)fadt->pm1a_event;
	tap_ok(fadt->sci == SCI_IRQ && !(fadt->flags & 1u << 4), "there is a fixed power button");
	tap_ok(in16(acpi_pm1a_control()) & CONTROL_SCI, "and its events interrupt");
	pic_init(BASE);
	trap_handle(BASE + UART_IRQ, received);
	trap_handle(BASE + SCI_IRQ, pressed);
	out8(PORT_UART + 2, 0x07);
	out8(PORT_UART + 4, 0x0b);
	out8(IER, 1);
	out16(pm1 + 2, POWER_BUTTON);
	pic_unmask(UART_IRQ);
	pic_unmask(2);
	pic_unmask(SCI_IRQ);
	print("ready\n");
	while (!is_pressed) {
		interrupts_wait();
		answer();
	}
	tap_ok(is_pressed == 1 && !(in16(pm1) & POWER_BUTTON), "it is pressed once");
	guest_poweroff();
}
