/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables that a guest finds: which devices there are, and how it powers off. */
#include "services/vmm/acpi_tables.h"

#include <stddef.h>
#include <string.h>

#include "dsdt.hex"
#include "services/vmm/memmap.h"
#include "services/vmm/platform.h"
#include "services/vmm/vacpi_pm.h"
#include "services/vmm/vioapic.h"
#include "services/vmm/vpci.h"
#include "services/vmm/vrtc.h"
#include "services/vmm/vuart.h"

#define LAPIC_BASE    0xfee00000u
#define SPACE_IO      1u /* of a generic address */
#define ACCESS_BYTE   1u
#define ACCESS_WORD   2u
#define ACCESS_DWORD  3u
#define PCAT_COMPAT   1u /* MADT: there is an 8259 pair */
#define MADT_LAPIC    0u
#define MADT_IOAPIC   1u
#define MADT_OVERRIDE 2u
#define MADT_NMI      4u
#define LAPIC_ENABLED 1u
#define ALL_CPUS      0xffu
#define LEVEL_HIGH    0x0du /* flags of an override: level-triggered, active high */
#define PIN_OF_PIT    2u

/* FADT: no VGA; ISA devices. The 8042 has nothing plugged in, so there is no use in probing. */
#define BOOT_FLAGS 0x0005u
/* WBINVD works, C1 on all CPUs, no sleep button, no RTC wake status, timer of 32 bits, reset. */
#define FADT_FLAGS (1u << 0 | 1u << 2 | 1u << 5 | 1u << 6 | 1u << 8 | 1u << 10)
#define C2_NEVER   0x0fffu /* latencies that say "not there" */
#define C3_NEVER   0xffffu

/* ACPI 6.5, chapter 5 "ACPI Software Programming Model". */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum_all;
	uint8_t reserved[3];
} __attribute__((packed));

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct address {
	uint8_t space, bit_width, bit_offset, access;
	uint64_t address;
} __attribute__((packed));

struct fadt {
	struct header header;
	uint32_t facs, dsdt;
	uint8_t reserved1, profile;
	uint16_t sci;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t gpe0_length, gpe1_length, gpe1_base, cst;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
	struct address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
	struct address sleep_control, sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

struct facs {
	char signature[4];
	uint32_t length, hardware, waking, lock, flags;
	uint64_t x_waking;
	uint8_t version, reserved[31];
} __attribute__((packed));

struct root {
	struct header header;
	uint64_t table[2];
} __attribute__((packed));

struct root32 {
	struct header header;
	uint32_t table[2];
} __attribute__((packed));

struct madt {
	struct header header;
	uint32_t lapic_base, flags;
	struct {
		uint8_t type, length, id, reserved;
		uint32_t base, first;
	} __attribute__((packed)) ioapic;
	struct {
		uint8_t type, length, bus, source;
		uint32_t line;
		uint16_t flags;
	} __attribute__((packed)) override[2];
	struct {
		uint8_t type, length, cpu;
		uint16_t flags;
		uint8_t lint;
	} __attribute__((packed)) nmi;
	struct {
		uint8_t type, length, cpu, id;
		uint32_t flags;
	} __attribute__((packed)) lapic[254];
} __attribute__((packed));

/* All of them, as they lie in the firmware's part of RAM. */
struct tables {
	struct rsdp rsdp __attribute__((aligned(64)));
	struct facs facs __attribute__((aligned(64)));
	struct root32 rsdt __attribute__((aligned(16)));
	struct root xsdt __attribute__((aligned(16)));
	struct fadt fadt __attribute__((aligned(16)));
	struct madt madt __attribute__((aligned(16)));
	uint8_t dsdt[sizeof(dsdt_aml_code)] __attribute__((aligned(16)));
};

_Static_assert(sizeof(struct fadt) == 276 && sizeof(struct facs) == 64 && sizeof(struct rsdp) == 36,
	       "as the specification has them");
_Static_assert(sizeof(struct tables) <= MEMMAP_FIRMWARE_END - MEMMAP_FIRMWARE, "they must fit");

#define GPA(field) (MEMMAP_FIRMWARE + offsetof(struct tables, field))

static uint8_t checksum(const void *from, size_t size)
{
	const uint8_t *byte = from;
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *byte++);
	return (uint8_t)-sum;
}

/* The rest of the table is there already. */
static void finish(struct header *header, const char *signature, uint8_t revision, size_t length)
{
	memcpy(header->signature, signature, 4);
	header->length = (uint32_t)length;
	header->revision = revision;
	memcpy(header->oem, "CORBEL", 6);
	memcpy(header->oem_table, "CORBEL  ", 8);
	header->oem_revision = 1;
	memcpy(header->creator, "CRBL", 4);
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = checksum(header, length);
}

static void write_rsdp(struct rsdp *rsdp)
{
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem, "CORBEL", 6);
	rsdp->revision = 2;
	rsdp->rsdt = (uint32_t)GPA(rsdt);
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = GPA(xsdt);
	rsdp->checksum = checksum(rsdp, offsetof(struct rsdp, length));
	rsdp->checksum_all = checksum(rsdp, sizeof(*rsdp));
}

static struct address port(uint16_t number, uint8_t bytes, uint8_t access)
{
	return (struct address){.space = SPACE_IO,
				.bit_width = (uint8_t)(8 * bytes),
				.access = access,
				.address = number};
}

static void write_fadt(struct fadt *fadt)
{
	fadt->facs = (uint32_t)GPA(facs);
	fadt->dsdt = (uint32_t)GPA(dsdt);
	fadt->x_dsdt = GPA(dsdt);
	fadt->sci = PLATFORM_IRQ_SCI;
	fadt->pm1a_event = VACPI_PM_EVENT_PORT;
	fadt->pm1a_control = VACPI_PM_CONTROL_PORT;
	fadt->pm_timer = VACPI_PM_TIMER_PORT;
	fadt->gpe0 = VACPI_PM_GPE_PORT;
	fadt->pm1_event_length = 4;
	fadt->pm1_control_length = 2;
	fadt->pm_timer_length = 4;
	fadt->gpe0_length = 4;
	fadt->c2_latency = C2_NEVER;
	fadt->c3_latency = C3_NEVER;
	fadt->century = VRTC_CENTURY;
	fadt->boot_flags = BOOT_FLAGS;
	fadt->flags = FADT_FLAGS;
	fadt->reset = port(VPCI_RESET_PORT, 1, ACCESS_BYTE);
	fadt->reset_value = VPCI_RESET_VALUE;
	fadt->minor = 5;
	fadt->x_pm1a_event = port(VACPI_PM_EVENT_PORT, 4, ACCESS_WORD);
	fadt->x_pm1a_control = port(VACPI_PM_CONTROL_PORT, 2, ACCESS_WORD);
	fadt->x_pm_timer = port(VACPI_PM_TIMER_PORT, 4, ACCESS_DWORD);
	fadt->x_gpe0 = port(VACPI_PM_GPE_PORT, 4, ACCESS_BYTE);
	memcpy(&fadt->hypervisor, "Corbel\0", 8);
	finish(&fadt->header, "FACP", 6, sizeof(*fadt));
}

static void write_madt(struct madt *madt, unsigned vcpu_count)
{
	madt->lapic_base = LAPIC_BASE;
	madt->flags = PCAT_COMPAT;
	madt->ioapic.type = MADT_IOAPIC;
	madt->ioapic.length = sizeof(madt->ioapic);
	madt->ioapic.base = VIOAPIC_BASE;
	for (unsigned i = 0; i < 2; i++) {
		madt->override[i].type = MADT_OVERRIDE;
		madt->override[i].length = sizeof(madt->override[i]);
	}
	madt->override[0].source = PLATFORM_IRQ_PIT;
	madt->override[0].line = PIN_OF_PIT;
	madt->override[1].source = PLATFORM_IRQ_SCI;
	madt->override[1].line = PLATFORM_IRQ_SCI;
	madt->override[1].flags = LEVEL_HIGH;
	madt->nmi.type = MADT_NMI;
	madt->nmi.length = sizeof(madt->nmi);
	madt->nmi.cpu = ALL_CPUS;
	madt->nmi.lint = 1;
	for (unsigned i = 0; i < vcpu_count; i++) {
		madt->lapic[i].type = MADT_LAPIC;
		madt->lapic[i].length = sizeof(madt->lapic[i]);
		madt->lapic[i].cpu = (uint8_t)i;
		madt->lapic[i].id = (uint8_t)i;
		madt->lapic[i].flags = LAPIC_ENABLED;
	}
	finish(&madt->header, "APIC", 5,
	       offsetof(struct madt, lapic) + vcpu_count * sizeof(madt->lapic[0]));
}

static void write_facs(struct facs *facs)
{
	memcpy(facs->signature, "FACS", 4);
	facs->length = sizeof(*facs);
	facs->version = 2;
}

/* What is left of the BIOS: where COM1 is, where low RAM ends. */
static void write_bios_data(const struct ram *ram)
{
	uint8_t *data = ram_at(ram, 0x400, 0x100);
	const uint16_t com1 = VUART_PORT, kib = MEMMAP_LOW_END / 1024, ebda = MEMMAP_LOW_END / 16;

	memcpy(data + 0x00, &com1, sizeof(com1));
	memcpy(data + 0x0e, &ebda, sizeof(ebda));
	memcpy(data + 0x13, &kib, sizeof(kib));
}

uint64_t acpi_tables_write(const struct ram *ram, unsigned vcpu_count)
{
	struct tables *tables = ram_at(ram, MEMMAP_FIRMWARE, sizeof(*tables));

	memset(tables, 0, sizeof(*tables));
	write_bios_data(ram);
	write_rsdp(&tables->rsdp);
	tables->rsdt.table[0] = (uint32_t)GPA(fadt);
	tables->rsdt.table[1] = (uint32_t)GPA(madt);
	finish(&tables->rsdt.header, "RSDT", 1, sizeof(tables->rsdt));
	tables->xsdt.table[0] = GPA(fadt);
	tables->xsdt.table[1] = GPA(madt);
	finish(&tables->xsdt.header, "XSDT", 1, sizeof(tables->xsdt));
	write_facs(&tables->facs);
	write_fadt(&tables->fadt);
	write_madt(&tables->madt, vcpu_count);
	memcpy(tables->dsdt, dsdt_aml_code, sizeof(dsdt_aml_code));
	return GPA(rsdp);
}
