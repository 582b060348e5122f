/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways to switch the machine off or to reset it, from the firmware's own down to the last resort.
 */
#include "arch/x86_64/power.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/traps.h"
#include "boot/boot_info.h"
#include "kernel/arch.h"
#include "kernel/frames.h"

/* UEFI 2.10, "EFI_SYSTEM_TABLE", "EFI_RUNTIME_SERVICES" and "ResetSystem()". */
#define SYSTEM_TABLE_RUNTIME 88u
#define RUNTIME_RESET_SYSTEM 104u
#define EFI_RESET_COLD       0u
#define EFI_RESET_SHUTDOWN   2u
#define FIRMWARE_MAX         (64ull << 20) /* of ranges that are mapped for it */
#define LOWER_HALF_END       (1ull << 47)

/* ACPI 6.5, "PM1 Control Registers". */
#define PM1_SCI_EN   1u
#define PM1_SLP_MASK 0x3c00u
#define PM1_SLP_EN   0x2000u
#define ENABLE_POLLS 1000000u

#define RESET_PORT    0xcf9
#define RESET_TIME_NS 1000000u

/* UEFI 2.10, "ResetSystem()". */
typedef void reset_system(uint32_t type, uint64_t status, uint64_t size, void *data)
	__attribute__((ms_abi));

static struct boot_acpi acpi; /* (set once) */
static struct pagetable
	firmware;             /* one to one, nothing but runtime ranges; root 0 = none (set once) */
static uint64_t system_table; /* physical (set once) */
static bool is_firmware_running;
static unsigned goal; /* ABI_POWER_* */
static unsigned runtime_prot(uint32_t kind)
{
	switch (kind) {
	case BOOT_RANGE_RUNTIME_CODE:
		/* Its images hold code and data side by side. This table lives for one call at the
		 * end. */
		return PT_READ | PT_WRITE | PT_EXEC;
	case BOOT_RANGE_RUNTIME_DATA:
		return PT_READ | PT_WRITE;
	case BOOT_RANGE_RUNTIME_MMIO:
		return PT_READ | PT_WRITE | PT_UNCACHED;
	default:
		return 0;
	}
}

static bool map_runtime(uint64_t start, uint64_t size, unsigned prot)
{
	for (uint64_t at = start; at < start + size;) {
		bool is_large = IS_ALIGNED(at, LARGE_SIZE) && start + size - at >= LARGE_SIZE;

		if (pagetable_map(&firmware, at, (hpa_t){at}, is_large ? 2 : 1, prot) != 0)
			return false;
		at += is_large ? LARGE_SIZE : PAGE_SIZE;
	}
	return true;
}

void power_init(const struct boot_info *info)
{
	const struct boot_range *ranges = (const struct boot_range *)info->ranges;
	uint64_t mapped = 0;

	acpi = info->acpi;
	if (info->efi_system_table == 0 ||
	    pagetable_init(&firmware, arch_host_format, 4, NULL) != 0)
		return;
	arch_space_init_root(kpage_at(firmware.root));
	for (uint32_t i = 0; i < info->range_count; i++) {
		const struct boot_range *range = &ranges[i];
		unsigned prot = runtime_prot(range->kind);

		if (prot == 0 || range->start + range->size > LOWER_HALF_END)
			continue;
		mapped += range->size;
		if (mapped > FIRMWARE_MAX || !map_runtime(range->start, range->size, prot))
			return;
	}
	system_table = info->efi_system_table;
}

/* What the firmware gave us is read and called in its own table; a fault there ends the try. */
static void power_firmware(void)
{
	uint64_t runtime;

	if (system_table == 0 || !pagetable_query(&firmware, system_table).prot)
		return;
	is_firmware_running = true;
	arch_space_activate(firmware.root);
	clts(); /* firmware may use SSE */
	runtime = *(const uint64_t *)(system_table + SYSTEM_TABLE_RUNTIME);
	(*(reset_system **)(runtime + RUNTIME_RESET_SYSTEM))(
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
	if (!acpi.has_s5 || acpi.pm1a_control == 0)
		return;
	if (acpi.smi_command && acpi.acpi_enable && !(in16(acpi.pm1a_control) & PM1_SCI_EN)) {
		out8(acpi.smi_command, acpi.acpi_enable);
		for (unsigned i = 0; i < ENABLE_POLLS; i++)
			if (in16(acpi.pm1a_control) & PM1_SCI_EN)
				break;
	}
	pm1_sleep(acpi.pm1a_control, acpi.s5_a);
	pm1_sleep(acpi.pm1b_control, acpi.s5_b);
	clock_wait_ns(RESET_TIME_NS);
}

static void power_reset(void)
{
	volatile uint8_t *reg = NULL;

	if (acpi.reset_space == BOOT_RESET_PORT)
		out8((uint16_t)acpi.reset_address, acpi.reset_value);
	else if (acpi.reset_space == BOOT_RESET_MEMORY)
		reg = window_device((hpa_t){acpi.reset_address}, 1);
	if (reg)
		*reg = acpi.reset_value;
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
	hv->cpu_stop();
	apic_stop();
	power_firmware();
	power_without_firmware();
}
