/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends the VM as the command line says: how=i8042, cf9, port92, triple, acpi-reset, poweroff,
 * test-device (the default) with value=V.
 */
#include "guests/lib/acpi.h"

static void triple_fault(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0; int3" : : "m"(none));
}

static void acpi_reset(void)
{
	const struct acpi_fadt *fadt = (const struct acpi_fadt *)acpi_table("FACP");

	if (fadt && fadt->header.length >= offsetof(struct acpi_fadt, reset_value) + 1 &&
	    fadt->reset.space == 1)
		out8((uint16_t)fadt->reset.address, fadt->reset_value);
}

void guest_main(void)
{
	char how[16] = "test-device";

	boot_option("how", how, sizeof(how));
	tap_plan(1);
	tap_ok(true, "about to end by %s", how);
	if (!strcmp(how, "i8042"))
		out8(0x64, 0xfe);
	else if (!strcmp(how, "cf9"))
		out8(0xcf9, 0x06);
	else if (!strcmp(how, "port92"))
		out8(0x92, 0x03);
	else if (!strcmp(how, "triple"))
		triple_fault();
	else if (!strcmp(how, "acpi-reset"))
		acpi_reset();
	else if (!strcmp(how, "poweroff"))
		guest_poweroff();
	else
		out32(PORT_TEST_EXIT, (uint32_t)boot_number("value", 0));
	time_delay_us(1000000);
	print("# still running\n");
	guest_exit(9);
}
