/* SPDX-License-Identifier: BSD-2-Clause */
/* Other CPUs: how they are started, and messages to them. */
#include "guests/lib/cpus.h"

#include "guests/lib/acpi.h"

#define CPUS_STACK 8192u /* bytes; as in cpus_start.S */
#define MADT_LAPIC 0u

struct gate {
	uint64_t low, high;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern const char cpus_begin[], cpus_begin_end[];
extern uint8_t cpus_stacks[CPUS_MAX][CPUS_STACK];
void cpus_main(uint32_t id);

uint8_t cpus_stacks[CPUS_MAX][CPUS_STACK] __attribute__((aligned(16)));
static struct gate gates[256] __attribute__((aligned(16)));
static void (*work)(uint32_t id);
volatile uint32_t cpus_came[CPUS_MAX], cpus_nmis[CPUS_MAX];

unsigned int cpus_count(void)
{
	const struct acpi_header *madt = acpi_table("APIC");
	const uint8_t *at = (const uint8_t *)madt + 44, *end = (const uint8_t *)madt;
	unsigned int count = 0;

	if (!madt)
		return 0;
	for (end += madt->length; at < end && at[1]; at += at[1])
		if (at[0] == MADT_LAPIC && at[3] == count && at[4] & 1)
			count++;
	return count;
}

/* The first CPU's gates, but for the stacks of its TSS: each takes all on its own stack. */
void cpus_init(void (*function)(uint32_t id))
{
	struct table_pointer first;

	__asm__ volatile("sidt %0" : "=m"(first));
	memcpy(gates, (const void *)first.base, sizeof(gates));
	for (unsigned int i = 0; i < 256; i++)
		gates[i].low &= ~(7ul << 32);
	work = function;
	memcpy((void *)(uintptr_t)(CPUS_PAGE << 12), cpus_begin,
	       (size_t)(cpus_begin_end - cpus_begin));
}

void cpus_main(uint32_t id)
{
	struct table_pointer pointer = {sizeof(gates) - 1, (uint64_t)gates};

	__asm__ volatile("lidt %0" : : "m"(pointer));
	work(id);
}

static void on_message(struct trap_frame *frame)
{
	(void)frame;
	cpus_came[lapic_id()]++;
	lapic_eoi();
}

static void on_nmi(struct trap_frame *frame)
{
	(void)frame;
	cpus_nmis[lapic_id()]++;
}

void cpus_count_messages(void)
{
	trap_handle(CPUS_VECTOR, on_message);
	trap_handle(2, on_nmi);
}

void cpus_send(uint32_t destination, uint32_t low)
{
	if (lapic_is_x2apic()) {
		wrmsr(MSR_X2APIC + LAPIC_ICR, (uint64_t)destination << 32 | low);
		return;
	}
	lapic_write(LAPIC_ICR_HIGH, destination << 24);
	lapic_write(LAPIC_ICR, low);
}

void cpus_start(uint32_t id)
{
	cpus_send(id, IPI_INIT | IPI_ASSERT);
	cpus_send(id, IPI_START | IPI_ASSERT | CPUS_PAGE);
}
