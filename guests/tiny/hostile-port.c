/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every port at 1, 2 and 4 bytes, read and then written with garbage: those below 0x1000, where the
 * devices are, with each of garbage[], the others with one of it. Left out of the writes are only
 * those that may end the VM or, on QEMU, move its memory: see skipped[].
 */
#include "guests/lib/acpi.h"

struct range {
	uint16_t first, last;
};

static struct range skipped[] = {
	{0x64, 0x64},                   /* i8042 commands: 0xf0 to 0xff pulse the reset line */
	{0x92, 0x92},                   /* system control port A: reset */
	{0xb2, 0xb3},                   /* APM: enters the firmware */
	{0xf4, 0xfb},                   /* the test device: end, misfortunes of vmm */
	{0x514, 0x51b},                 /* fw_cfg's DMA */
	{0xcf9, 0xcf9},                 /* reset control */
	{0, 0},         {0, 0}, {0, 0}, /* PM1 control registers and the FADT's reset register */
};

#define DEVICES_END 0x1000

static const uint32_t garbage[] = {0x2e2e2e2e, 0x00000000, 0xffffffff, 0x9d8e7f60};

static bool is_skipped(uint32_t port, unsigned int size)
{
	for (size_t i = 0; i < ARRAY_SIZE(skipped); i++) {
		if (skipped[i].last && port <= skipped[i].last && port + size > skipped[i].first)
			return true;
	}
	return false;
}

static bool is_wide_safe(uint32_t port)
{
	/* QEMU's own UART asserts that an access does not cross its end. */
	return !guest_is_tcg() || port + 4 <= PORT_UART || port >= PORT_UART + 8;
}

static void port_read(uint32_t port)
{
	in8((uint16_t)port);
	if (!is_wide_safe(port))
		return;
	in16((uint16_t)port);
	in32((uint16_t)port);
}

static void port_write_value(uint32_t port, uint32_t value)
{
	if (!is_skipped(port, 1))
		out8((uint16_t)port, (uint8_t)value);
	if (!is_wide_safe(port))
		return;
	if (!is_skipped(port, 2))
		out16((uint16_t)port, (uint16_t)value);
	if (!is_skipped(port, 4))
		out32((uint16_t)port, value);
}

static void port_write(uint32_t port)
{
	if (port >= DEVICES_END) {
		port_write_value(port, garbage[port % ARRAY_SIZE(garbage)]);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		port_write_value(port, garbage[i]);
}

static void skip_acpi(void)
{
	const struct acpi_fadt *fadt = (const struct acpi_fadt *)acpi_table("FACP");
	struct range *range = &skipped[ARRAY_SIZE(skipped) - 3];
	uint16_t a = acpi_pm1a_control(), b = acpi_pm1b_control();

	range[0] = (struct range){a, (uint16_t)(a ? a + 3 : 0)};
	range[1] = (struct range){b, (uint16_t)(b ? b + 3 : 0)};
	if (fadt && fadt->header.length > offsetof(struct acpi_fadt, reset_value) &&
	    fadt->reset.space == 1)
		range[2] = (struct range){(uint16_t)fadt->reset.address,
					  (uint16_t)fadt->reset.address};
}

void guest_main(void)
{
	tap_plan(4);
	skip_acpi();
	for (uint32_t port = 0; port < 0x10000; port++)
		port_read(port);
	uart_init();
	print("\n");
	tap_ok(true, "each port can be read at each size");
	for (uint32_t port = 0; port < 0x10000; port++) {
		port_write(port);
		if (port == 0x40f)
			uart_init();
	}
	uart_init();
	print("\n");
	tap_ok(true, "each port can be written at each size");
	for (uint32_t port = 0; port < DEVICES_END; port++)
		port_read(port);
	uart_init();
	out8(PORT_UART + 7, 0x5a);
	tap_equal(in8(PORT_UART + 7), 0x5a, "the UART still works");
	out32(0xcf8, 0x80000000);
	tap_ok(in16(0xcfc) != 0xffff, "the host bridge is still there");
}
