/* SPDX-License-Identifier: BSD-2-Clause */
/* The IOAPIC: registers, edge and level entries, masking, the way back by EOI. */
#include "guests/lib/irq.h"
#include "guests/lib/lapic.h"

#define VECTOR   0x51
#define UART_IRQ 4
#define IER      (PORT_UART + 1)
#define IIR      (PORT_UART + 2)
#define MCR      (PORT_UART + 4)

static volatile uint32_t count;
static volatile bool acknowledge;
static volatile bool remote_irr, tmr;

static void interrupt(struct trap_frame *frame)
{
	unsigned int pin = ioapic_pin(UART_IRQ);

	(void)frame;
	count++;
	remote_irr = ioapic_entry(pin) & IOAPIC_REMOTE_IRR;
	tmr = lapic_bit(LAPIC_TMR, VECTOR);
	if (acknowledge || count >= 3)
		in8(IIR);
	lapic_eoi();
}

static void check_registers(void)
{
	uint32_t version = ioapic_read(IOAPIC_VERSION);
	unsigned int pins = (version >> 16 & 0xff) + 1;
	bool masked = true;

	print("# version 0x%x, %u pins\n", version & 0xff, pins);
	tap_ok((version & 0xff) >= 0x11 && pins == 24, "24 pins and a known version");
	for (unsigned int i = 0; i < pins; i++)
		ioapic_entry_set(i, IOAPIC_MASKED);
	for (unsigned int i = 0; i < pins; i++)
		masked = masked && (ioapic_entry(i) & IOAPIC_MASKED);
	tap_ok(masked, "each pin can be masked");
	ioapic_entry_set(5, 0x0300000000000000ul | IOAPIC_MASKED | IOAPIC_LEVEL | 0xa5);
	tap_equal(ioapic_entry(5), 0x0300000000000000ul | IOAPIC_MASKED | IOAPIC_LEVEL | 0xa5,
		  "an entry reads back");
	ioapic_entry_set(5, IOAPIC_MASKED | IOAPIC_REMOTE_IRR | 1u << 12);
	tap_equal(ioapic_entry(5) & (IOAPIC_REMOTE_IRR | 1u << 12), 0,
		  "remote IRR and delivery status cannot be written");
	ioapic_write(IOAPIC_ID, 0x0a000000);
	tap_equal(ioapic_read(IOAPIC_ID) & 0x0f000000, 0x0a000000, "the id reads back");
	ioapic_write(IOAPIC_ID, 0);
	tap_ok(mmio_read32(IOAPIC_MMIO) == IOAPIC_ID, "the index register reads back");
	ioapic_read(0xff); /* no register: whatever it says, it harms none */
	tap_equal(ioapic_read(IOAPIC_VERSION), version, "a register that is not there harms none");
}

/* Raises the UART's line until IIR is read; nothing may be printed until line_drop(). */
static void line_raise(void)
{
	out8(MCR, 0x0b);
	out8(IER, 0x02);
}

static void line_drop(void)
{
	out8(IER, 0x00);
	in8(IIR);
}

static void check_edge(unsigned int pin)
{
	uint64_t target = (uint64_t)lapic_id() << 56;

	acknowledge = false;
	count = 0;
	ioapic_entry_set(pin, target | VECTOR);
	line_raise();
	time_wait(&count, 2, 20000);
	line_drop();
	tap_equal(count, 1, "edge: one rise, one interrupt, though the line stays high");
	tap_ok(!remote_irr && !tmr, "edge: no remote IRR, no TMR bit");
	ioapic_entry_set(pin, target | VECTOR | IOAPIC_MASKED);
	count = 0;
	line_raise();
	time_wait(&count, 1, 20000);
	line_drop();
	tap_equal(count, 0, "edge: masked, none comes");
}

static void check_level(unsigned int pin)
{
	uint64_t target = (uint64_t)lapic_id() << 56;
	bool came;

	count = 0;
	acknowledge = false;
	ioapic_entry_set(pin, target | VECTOR | IOAPIC_LEVEL);
	line_raise();
	came = time_wait(&count, 3, 1000000);
	time_wait(&count, 4, 20000);
	line_drop();
	tap_ok(came, "level: comes again after EOI until the line drops");
	tap_equal(count, 3, "level: then no more");
	tap_ok(remote_irr && tmr, "level: remote IRR and TMR are set in the handler");
	tap_ok(!(ioapic_entry(pin) & IOAPIC_REMOTE_IRR), "level: EOI clears remote IRR");
	ioapic_entry_set(pin, IOAPIC_MASKED | IOAPIC_LEVEL);
	count = 0;
	acknowledge = true;
	line_raise();
	ioapic_entry_set(pin, target | VECTOR | IOAPIC_LEVEL);
	came = time_wait(&count, 1, 1000000);
	line_drop();
	ioapic_entry_set(pin, IOAPIC_MASKED);
	tap_ok(came, "level: a line that is high when unmasked interrupts");
}

static void check_broadcast(unsigned int pin)
{
	bool came;

	count = 0;
	acknowledge = true;
	if (!lapic_is_x2apic()) { /* there it is bit 0 of cluster 0 from the start */
		lapic_write(LAPIC_DFR, UINT32_MAX);
		lapic_write(LAPIC_LDR, 1u << 24);
	}
	ioapic_entry_set(pin, 1ul << 56 | 1u << 11 | VECTOR); /* logical */
	line_raise();
	came = time_wait(&count, 1, 1000000);
	line_drop();
	tap_ok(came, "an entry with a logical destination reaches us");
	ioapic_entry_set(pin, 2ul << 56 | 1u << 11 | VECTOR);
	count = 0;
	line_raise();
	time_wait(&count, 1, 20000);
	line_drop();
	ioapic_entry_set(pin, IOAPIC_MASKED);
	tap_equal(count, 0, "one for another logical destination does not");
}

void guest_main(void)
{
	unsigned int pin = ioapic_pin(UART_IRQ);
	char mode[8];

	tap_plan(17);
	pic_init(0x20);
	out8(PIC_MASTER + 1, 0xff);
	lapic_enable(boot_option("mode", mode, sizeof(mode)) && !strcmp(mode, "x2apic"));
	trap_handle(VECTOR, interrupt);
	check_registers();
	check_edge(pin);
	check_level(pin);
	check_broadcast(pin);
}
