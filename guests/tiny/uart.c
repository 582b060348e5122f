/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550 at COM1: registers, FIFO, loopback, interrupts, and input where the test asks for it.
 */
#include "guests/lib/guest.h"
#include "guests/lib/irq.h"

#define DATA (PORT_UART + 0)
#define IER  (PORT_UART + 1)
#define IIR  (PORT_UART + 2)
#define FCR  (PORT_UART + 2)
#define LCR  (PORT_UART + 3)
#define MCR  (PORT_UART + 4)
#define LSR  (PORT_UART + 5)
#define MSR  (PORT_UART + 6)
#define SCR  (PORT_UART + 7)

#define IER_RX   0x01
#define IER_THRE 0x02
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define LSR_DR   0x01
#define LSR_OE   0x02
#define LSR_THRE 0x20
#define UART_IRQ 4

static volatile uint32_t uart_interrupts;
static volatile uint8_t uart_iir;

static void uart_interrupt(struct trap_frame *frame)
{
	(void)frame;
	uart_iir = in8(IIR);
	uart_interrupts++;
	pic_eoi(UART_IRQ);
}

static bool uart_wait(uint8_t bits)
{
	uint64_t end = time_tsc_after_us(1000000);

	while ((in8(LSR) & bits) != bits) {
		if (rdtsc() > end)
			return false;
	}
	return true;
}

static void check_registers(void)
{
	bool all = true;

	for (unsigned int i = 0; i < 256; i += 5) {
		out8(SCR, (uint8_t)i);
		all = all && in8(SCR) == i;
	}
	tap_ok(all, "the scratch register keeps what is written");
	out8(LCR, 0x83);
	out8(DATA, 0x34);
	out8(IER, 0x12);
	all = in8(DATA) == 0x34 && in8(IER) == 0x12;
	out8(DATA, 0x01);
	out8(IER, 0x00);
	out8(LCR, 0x03);
	tap_ok(all, "the divisor latch is behind DLAB");
	tap_equal(in8(LCR), 0x03, "LCR reads back");
	out8(IER, 0xff);
	all = in8(IER) == 0x0f;
	out8(IER, 0x00);
	tap_ok(all, "IER has four bits");
	out8(FCR, 0x01);
	tap_equal(in8(IIR) & 0xc0, 0xc0, "IIR shows enabled FIFOs");
	out8(FCR, 0x00);
	tap_equal(in8(IIR) & 0xc0, 0x00, "IIR shows disabled FIFOs");
	out8(FCR, 0x07);
	tap_ok(uart_wait(LSR_THRE | 0x40), "LSR shows an empty transmitter");
}

static void check_loopback(void)
{
	bool all = true;
	uint8_t modem, status;

	uart_wait(LSR_THRE | 0x40);
	out8(MCR, MCR_LOOP | 0x0a); /* RTS and OUT2 come back as CTS and DCD */
	modem = in8(MSR);
	while (in8(LSR) & LSR_DR)
		in8(DATA);
	out8(FCR, 0x07);
	for (uint8_t i = 0; i < 16; i++) {
		out8(DATA, (uint8_t)(0xa0 + i));
		uart_wait(LSR_THRE);
	}
	for (uint8_t i = 0; i < 16; i++)
		all = uart_wait(LSR_DR) && in8(DATA) == 0xa0 + i && all;
	status = in8(LSR);
	out8(MCR, 0x03);
	tap_equal(modem & 0xf0, 0x90, "loopback: RTS and OUT2 are CTS and DCD");
	tap_ok(all, "loopback: 16 bytes come back in order");
	tap_ok(!(status & LSR_DR), "loopback: then the receiver is empty");
}

static void check_interrupts(void)
{
	uint32_t seen;
	bool again;

	pic_init(0x20);
	trap_handle(0x20 + UART_IRQ, uart_interrupt);
	pic_unmask(UART_IRQ);
	out8(MCR, 0x03 | MCR_OUT2);
	interrupts_enable();
	out8(IER, IER_THRE);
	tap_ok(time_wait(&uart_interrupts, 1, 1000000),
	       "enabling THRE with an empty transmitter interrupts");
	tap_equal(uart_iir & 0x0f, 0x02, "IIR says THRE");
	tap_equal(in8(IIR) & 0x0f, 0x01, "reading IIR takes the THRE interrupt back");
	seen = uart_interrupts;
	out8(DATA, '#');
	again = time_wait(&uart_interrupts, seen + 1, 1000000);
	out8(IER, 0);
	print("\n");
	tap_ok(again, "a sent byte interrupts again");
	uart_wait(LSR_THRE | 0x40);
	out8(MCR, MCR_LOOP | 0x0b);
	seen = uart_interrupts;
	out8(IER, IER_RX);
	out8(DATA, 0x5a);
	time_wait(&uart_interrupts, seen + 1, 20000);
	out8(IER, 0);
	interrupts_disable();
	out8(MCR, 0x0b);
	/* Some chips gate the line off in loopback: then the byte is there without interrupt. */
	tap_ok(uart_interrupts == seen || (uart_iir & 0x0b) == 0x00 || (uart_iir & 0x0f) == 0x04 ||
		       (uart_iir & 0x0f) == 0x0c,
	       "a received byte interrupts as received data");
	tap_equal(in8(DATA), 0x5a, "and the byte is there");
	pic_mask(UART_IRQ);
}

/*
 * "echo" on the command line: sends input back, line by line, until a line "end"; but first lets
 * what is typed pile up.
 */
static void echo(void)
{
	uint64_t deaf_until = time_tsc_after_us(500000);
	char line[80];
	size_t size = 0;

	print("ready for input\n");
	while (rdtsc() < deaf_until)
		cpu_relax();
	for (;;) {
		uint8_t byte;

		while (!(in8(LSR) & LSR_DR))
			cpu_relax();
		byte = in8(DATA);
		if (byte != '\r' && byte != '\n') {
			if (size < sizeof(line) - 1)
				line[size++] = (char)byte;
			continue;
		}
		line[size] = 0;
		if (!strcmp(line, "end"))
			return;
		print("echo: %s\n", line);
		size = 0;
	}
}

void guest_main(void)
{
	char value[4];
	bool with_echo = boot_option("echo", value, sizeof(value));

	tap_plan(16 + with_echo);
	check_registers();
	check_loopback();
	check_interrupts();
	if (with_echo) {
		echo();
		tap_ok(true, "input arrives");
	}
}
