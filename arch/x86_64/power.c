/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways to switch the machine off or to reset it, from the firmware's own down to the last resort.
 */
#include "arch/x86_64/power.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/traps.h"
#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/system.h"

/* UEFI 2.10, "ResetSystem()". */
typedef void reset_system(uint32_t type, uint64_t status, uint64_t size, void *data)
	__attribute__((ms_abi));
#define EFI_RESET_COLD     0u
#define EFI_RESET_SHUTDOWN 2u

/* ACPI 6.5, "PM1 Control Registers". */
#define PM1_SCI_EN   1u
#define PM1_SLP_MASK 0x3c00u
#define PM1_SLP_EN   0x2000u
#define ENABLE_POLLS 1000000u

#define RESET_PORT    0xcf9
#define RESET_TIME_NS 1000000u

static bool is_firmware_running;
static unsigned goal; /* ABI_POWER_* */

/* The firmware runs in its own table; a fault there ends the try. */
static void power_firmware(void)
{
	hpa_t runtime_root = {boot_info->runtime_root};

	if (runtime_root.value == 0)
		return;
	arch_space_init_root(window_map(0, runtime_root));
	is_firmware_running = true;
	arch_space_activate(runtime_root);
	clts(); /* firmware may use SSE */
	((reset_system *)boot_info->reset_system)(
		goal == ABI_POWER_OFF ? EFI_RESET_SHUTDOWN : EFI_RESET_COLD, 0, 0, NULL);
}

static void pm1_sleep(uint16_t port, uint8_t type)
{
	uint16_t value;

	if (port == 0)
		return;
	value = in16(port) & (uint16_t) ~(PM1_SLP_MASK | PM1_SLP_EN);
	out16(port, (uint16_t)(value | (type & 7u) << 10 | PM1_SLP_EN));
}

static void power_acpi_off(void)
{
	const struct boot_acpi *acpi = &boot_info->acpi;

	if (!acpi->has_s5 || acpi->pm1a_control == 0)
		return;
	if (acpi->smi_command && acpi->acpi_enable && !(in16(acpi->pm1a_control) & PM1_SCI_EN)) {
		out8(acpi->smi_command, acpi->acpi_enable);
		for (unsigned i = 0; i < ENABLE_POLLS; i++)
			if (in16(acpi->pm1a_control) & PM1_SCI_EN)
				break;
	}
	pm1_sleep(acpi->pm1a_control, acpi->s5_a);
	pm1_sleep(acpi->pm1b_control, acpi->s5_b);
	clock_wait_ns(RESET_TIME_NS);
}

static void power_reset(void)
{
	const struct boot_acpi *acpi = &boot_info->acpi;

	if (acpi->reset_space == BOOT_RESET_PORT)
		out8((uint16_t)acpi->reset_address, acpi->reset_value);
	else if (acpi->reset_space == BOOT_RESET_MEMORY)
		*(volatile uint8_t *)kpage_at((hpa_t){acpi->reset_address}) = acpi->reset_value;
	clock_wait_ns(RESET_TIME_NS);
	out8(RESET_PORT, 2);
	out8(RESET_PORT, 6);
	clock_wait_ns(RESET_TIME_NS);
	traps_load(0); /* the next trap is a triple fault */
	__asm__ volatile("ud2");
}

/* What is left when the firmware has done nothing, or has faulted. */
static _Noreturn void power_without_firmware(void)
{
	is_firmware_running = false;
	arch_space_activate(arch_kernel_table()->root);
	if (goal == ABI_POWER_OFF)
		power_acpi_off();
	else
		power_reset();
	for (;;) /* nothing switches it off: still is better than starting again */
		__asm__ volatile("hlt");
}

void power_firmware_failed(void)
{
	if (is_firmware_running)
		power_without_firmware();
}

_Noreturn void arch_power(unsigned what)
{
	goal = what;
	hv_exit();
	apic_stop();
	power_firmware();
	power_without_firmware();
}
