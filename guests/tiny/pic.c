/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair of 8259s: masks, priorities, EOI, the registers behind OCW3, the cascade. */
#include "guests/lib/irq.h"
#include "guests/lib/rtc.h"

#define BASE     0x30
#define PIT_IRQ  0
#define UART_IRQ 4
#define RTC_IRQ  8
#define IER      (PORT_UART + 1)
#define IIR      (PORT_UART + 2)
#define MCR      (PORT_UART + 4)

static volatile uint32_t counts[16];
static volatile uint8_t order[8];
static volatile uint32_t order_count;
static volatile bool keep_eoi;
static volatile uint8_t isr_master, isr_slave;

static uint8_t pic_register(uint16_t port, uint8_t which)
{
	out8(port, which); /* OCW3: 0x0a = IRR, 0x0b = ISR */
	return in8(port);
}

static void interrupt(struct trap_frame *frame)
{
	unsigned int irq = (unsigned int)frame->vector - BASE;

	counts[irq]++;
	if (order_count < sizeof(order))
		order[order_count++] = (uint8_t)irq;
	isr_master = pic_register(PIC_MASTER, 0x0b);
	isr_slave = pic_register(PIC_SLAVE, 0x0b);
	if (irq == UART_IRQ)
		in8(IIR);
	if (irq == RTC_IRQ)
		rtc_read(0x0c);
	if (!keep_eoi)
		pic_eoi(irq);
}

/* Channel 0 once, in mode 0, after `us`. */
static void pit_once(uint32_t us)
{
	uint16_t count = (uint16_t)(us * 1193 / 1000);

	out8(0x43, 0x30);
	out8(0x40, (uint8_t)count);
	out8(0x40, (uint8_t)(count >> 8));
}

static void check_masks(void)
{
	pic_init(BASE);
	out8(PIC_MASTER + 1, 0x5a);
	out8(PIC_SLAVE + 1, 0xa5);
	tap_ok(in8(PIC_MASTER + 1) == 0x5a && in8(PIC_SLAVE + 1) == 0xa5, "the masks read back");
	pic_init(BASE);
	for (unsigned int i = 0; i < 16; i++)
		trap_handle((uint8_t)(BASE + i), interrupt);
	interrupts_enable();
	pit_once(1000);
	time_wait(&counts[0], 1, 20000);
	tap_ok(!counts[0], "a masked interrupt does not come");
	tap_ok(pic_register(PIC_MASTER, 0x0a) & 1, "and waits in IRR");
	pic_unmask(PIT_IRQ);
	tap_ok(time_wait(&counts[0], 1, 1000000), "unmasked, it comes");
	tap_ok(isr_master == 1, "ISR has it in the handler");
	tap_ok(!pic_register(PIC_MASTER, 0x0b), "ISR is clear after EOI");
}

static void check_eoi(void)
{
	uint32_t before = counts[0];

	keep_eoi = true;
	pit_once(1000);
	time_wait(&counts[0], before + 1, 1000000);
	pit_once(1000);
	time_wait(&counts[0], before + 2, 20000);
	tap_ok(counts[0] == before + 1, "without EOI no other of the same line comes");
	keep_eoi = false;
	out8(PIC_MASTER, 0x60); /* specific EOI of line 0 */
	tap_ok(time_wait(&counts[0], before + 2, 1000000), "a specific EOI lets it come");
}

static void check_priority(void)
{
	interrupts_disable();
	pic_unmask(UART_IRQ);
	order_count = 0;
	out8(MCR, 0x0b);
	out8(IER, 0x02);
	pit_once(1000);
	for (unsigned i = 0; i < 1000 && (pic_register(PIC_MASTER, 0x0a) & 0x11) != 0x11; i++)
		time_delay_us(1000); /* until both wait */
	interrupts_enable();
	time_wait(&order_count, 2, 1000000);
	out8(IER, 0);
	pic_mask(UART_IRQ);
	tap_ok(order_count >= 2 && order[0] == PIT_IRQ && order[1] == UART_IRQ,
	       "line 0 comes before line 4");
}

static void check_slave(void)
{
	rtc_write(0x0a, 0x26);
	rtc_write(0x0b, (uint8_t)(rtc_read(0x0b) | 0x40));
	rtc_read(0x0c);
	pic_unmask(RTC_IRQ);
	tap_ok(time_wait(&counts[RTC_IRQ], 3, 1000000),
	       "line 8 comes through the cascade, repeatedly");
	rtc_write(0x0b, (uint8_t)(rtc_read(0x0b) & ~0x40));
	tap_ok(isr_slave == 1 && isr_master == 4, "then both chips have it in ISR");
	pic_mask(RTC_IRQ);
}

void guest_main(void)
{
	tap_plan(11);
	check_masks();
	check_eoi();
	check_priority();
	check_slave();
}
