/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways to switch the machine off or to reset it, from the firmware's own down to the last resort.
 */
#include "arch/x86_64/power.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
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

#define SPACE_MEMORY 0u
#define SPACE_PORT   1u
#define RESET_PORT   0xcf9

static struct acpi_info acpi; /* (set once) */
static struct pagetable
	firmware;             /* one to one, nothing but runtime ranges; root 0 = none (set once) */
static uint64_t system_table; /* physical (set once) */
uint64_t firmware_rsp;        /* of firmware.S while firmware runs; else 0 */

void firmware_call(uint64_t function, uint64_t type, uint64_t status); /* firmware.S */
extern const char firmware_return[];

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

void power_init(const struct boot_info *info, const struct acpi_info *tables)
{
	const struct boot_range *ranges = (const struct boot_range *)info->ranges;
	uint64_t mapped = 0;

	acpi = *tables;
	if (info->efi_system_table == 0 || pagetable_init(&firmware, arch_host_format, NULL) != 0)
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

/* What the firmware gave us is read and called in its own table; each fault comes back here. */
static void power_firmware(unsigned what)
{
	uint64_t reset = what == ABI_POWER_OFF ? EFI_RESET_SHUTDOWN : EFI_RESET_COLD, runtime;
	hpa_t frame;
	unsigned level, prot;

	if (system_table == 0 || !pagetable_query(&firmware, system_table, &frame, &level, &prot))
		return;
	arch_space_activate(firmware.root);
	runtime = *(const uint64_t *)(system_table + SYSTEM_TABLE_RUNTIME);
	if (pagetable_query(&firmware, runtime, &frame, &level, &prot)) {
		clts(); /* firmware may use SSE */
		firmware_call(*(const uint64_t *)(runtime + RUNTIME_RESET_SYSTEM), reset, 0);
	}
	arch_space_activate(arch_kernel_table()->root);
}

bool power_fixup(struct arch_frame *frame)
{
	if (firmware_rsp == 0)
		return false;
	frame->rip = (uint64_t)firmware_return;
	frame->rsp = firmware_rsp;
	return true;
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
	clock_wait_ns(1000000);
}

static void power_reset(void)
{
	if (acpi.reset_address && acpi.reset_space == SPACE_PORT) {
		out8((uint16_t)acpi.reset_address, acpi.reset_value);
	} else if (acpi.reset_address && acpi.reset_space == SPACE_MEMORY) {
		uint64_t offset = acpi.reset_address % PAGE_SIZE;
		volatile uint8_t *page = window_pin((hpa_t){acpi.reset_address - offset}, PAGE_SIZE,
						    PT_READ | PT_WRITE | PT_UNCACHED);

		if (page)
			page[offset] = acpi.reset_value;
	}
	clock_wait_ns(1000000);
	out8(RESET_PORT, 2);
	out8(RESET_PORT, 6);
	clock_wait_ns(1000000);
}

/* An empty IDT: the next trap is a triple fault. */
static _Noreturn void power_triple_fault(void)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = {0, 0};

	__asm__ volatile("lidt %0; ud2" : : "m"(idtr));
	for (;;)
		;
}

_Noreturn void arch_power(unsigned what)
{
	hv->cpu_stop();
	apic_stop();
	power_firmware(what);
	if (what == ABI_POWER_OFF) {
		power_acpi_off();
		for (;;) /* nothing switches it off: still is better than starting again */
			__asm__ volatile("hlt");
	}
	power_reset();
	power_triple_fault();
}
