/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways to switch the machine off or to reset it, from the firmware's own down to the last resort.
 */
#include "arch/x86_64/clock.h"
#include "arch/x86_64/core.h"
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

#define WRITE_TIME_NS 100000000u /* until a register that was written has had its effect */

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

/* What is left when the firmware has done nothing, or has faulted. */
static _Noreturn void power_without_firmware(void)
{
	const struct boot_acpi *acpi = &boot_info->acpi;
	const struct boot_write *write = goal == ABI_POWER_OFF ? acpi->off : acpi->reset;

	is_firmware_running = false;
	arch_space_activate(arch_kernel_table.root);
	for (; write->size; write++) {
		uint16_t port = (uint16_t)write->address;

		if (write->is_memory)
			*(volatile uint8_t *)kpage_at((hpa_t){write->address}) =
				(uint8_t)write->value;
		else
			arch_port_out(port, write->size,
				      (arch_port_in(port, write->size) & write->keep) |
					      write->value);
		clock_wait_ns(WRITE_TIME_NS);
	}
	if (goal == ABI_POWER_REBOOT) {
		traps_load(0); /* the next trap is a triple fault */
		__asm__ volatile("ud2");
	}
	core_halt(); /* nothing switches it off: still is better than starting again */
}

void power_firmware_failed(void)
{
	if (is_firmware_running)
		power_without_firmware();
}

_Noreturn void arch_power(unsigned what)
{
	goal = what;
	cores_stop();
	hv_exit();
	apic_stop();
	power_firmware();
	power_without_firmware();
}
