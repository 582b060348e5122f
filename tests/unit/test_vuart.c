/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the 16550A: what drivers probe for, its interrupts, full queues, hostile register use. */
#include "services/vmm/vuart.h"
#include "tests/unit/vdevice.h"

#define THR 0x3f8
#define IER 0x3f9
#define IIR 0x3fa
#define LCR 0x3fb
#define MCR 0x3fc
#define LSR 0x3fd
#define MSR 0x3fe
#define SCR 0x3ff

static struct vuart uart;

static void start(void)
{
	fake = fake_platform_new(0);
	vuart_init(&uart, &fake->platform);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static void type(const char *text)
{
	CHECK_EQ(vuart_input(&uart, (const uint8_t *)text, strlen(text)), strlen(text));
}

TEST(output_arrives_in_order)
{
	start();
	for (const char *p = "hello\n"; *p; p++)
		outb(THR, (uint8_t)*p);
	CHECK_EQ(fake->console_count, 6);
	CHECK(memcmp(fake->console, "hello\n", 6) == 0);
	CHECK_EQ(inb(LSR), 0x60);
	stop();
}

TEST(a_driver_finds_a_16550a)
{
	start();
	outb(SCR, 0x5a);
	CHECK_EQ(inb(SCR), 0x5a);
	CHECK_EQ(inb(IIR), 0x01);
	outb(IIR, 0x01);
	CHECK_EQ(inb(IIR) & 0xe0, 0xc0);
	outb(MCR, 0x1a);
	CHECK_EQ(inb(MSR) & 0xf0, 0x90);
	outb(MCR, 0x00);
	CHECK_EQ(inb(MSR) & 0xf0, 0xb0);
	outb(IER, 0xff);
	CHECK_EQ(inb(IER), 0x0f);
	outb(LCR, 0x83);
	outb(THR, 0x0c);
	outb(IER, 0x34);
	CHECK_EQ(in(THR, 2), 0x340c);
	outb(LCR, 0x03);
	CHECK_EQ(inb(IER), 0x0f);
	CHECK_EQ(fake->console_count, 0);
	stop();
}

TEST(transmitter_interrupt_comes_once_for_each_emptying)
{
	start();
	outb(IER, 0x02);
	CHECK(fake->irq[4]);
	CHECK_EQ(inb(IIR), 0x02);
	CHECK(!fake->irq[4]);
	CHECK_EQ(inb(IIR), 0x01);
	outb(THR, 'x');
	CHECK(fake->irq[4]);
	CHECK_EQ(inb(IIR), 0x02);
	outb(IER, 0x00);
	outb(IER, 0x02);
	CHECK_EQ(inb(IIR), 0x02);
	stop();
}

TEST(received_bytes_interrupt_and_are_read_in_order)
{
	start();
	outb(IIR, 0x81);
	outb(IER, 0x01);
	CHECK(!fake->irq[4]);
	type("ab");
	CHECK(fake->irq[4]);
	CHECK_EQ(inb(IIR), 0xcc);
	type("cdefgh");
	CHECK_EQ(inb(IIR), 0xc4);
	CHECK_EQ(inb(LSR), 0x61);
	for (const char *p = "abcdefgh"; *p; p++)
		CHECK_EQ(inb(THR), *p);
	CHECK(!fake->irq[4]);
	CHECK_EQ(inb(IIR), 0xc1);
	CHECK_EQ(inb(LSR), 0x60);
	CHECK_EQ(inb(THR), 0);
	stop();
}

TEST(a_full_input_queue_pushes_back_and_calls_later)
{
	uint8_t many[1000];

	start();
	for (unsigned i = 0; i < sizeof(many); i++)
		many[i] = (uint8_t)i;
	CHECK_EQ(vuart_input(&uart, many, sizeof(many)), VUART_INPUT_SIZE);
	CHECK_EQ(vuart_input(&uart, many, 1), 0);
	CHECK_EQ(fake->console_wanted, 0);
	for (unsigned i = 0; i < VUART_INPUT_SIZE; i++)
		CHECK_EQ(inb(THR), (uint8_t)i);
	CHECK_EQ(fake->console_wanted, 1);
	CHECK_EQ(vuart_input(&uart, many, 10), 10);
	stop();
}

TEST(clearing_the_receiver_keeps_what_had_not_arrived)
{
	start();
	outb(IIR, 0x01);
	type("0123456789abcdefXY");
	outb(IIR, 0x03);
	CHECK_EQ(inb(THR), 'X');
	CHECK_EQ(inb(THR), 'Y');
	CHECK_EQ(inb(LSR), 0x60);
	stop();
}

TEST(a_console_without_room_stops_the_transmitter)
{
	start();
	outb(IIR, 0x01);
	outb(IER, 0x02);
	inb(IIR);
	fake->console_room = 1;
	for (const char *p = "abcdefghijklmnopqrstuvwxyz"; *p; p++)
		outb(THR, (uint8_t)*p);
	CHECK_EQ(inb(LSR), 0x00);
	CHECK(!fake->irq[4]);
	fake->console_room = 5;
	vuart_output(&uart);
	CHECK_EQ(inb(LSR), 0x00);
	fake->console_room = 100;
	vuart_output(&uart);
	CHECK_EQ(inb(LSR), 0x60);
	CHECK(fake->irq[4]);
	CHECK_EQ(fake->console_count, 17);
	CHECK(memcmp(fake->console, "abcdefghijklmnopq", 17) == 0);
	stop();
}

/* Nothing is left to be read then, which would be the other time to ask. */
TEST(input_refused_in_loop_back_is_asked_for_after_it)
{
	start();
	outb(MCR, 0x10);
	CHECK_EQ(vuart_input(&uart, (const uint8_t *)"a", 1), 0);
	CHECK_EQ(fake->console_wanted, 0);
	outb(MCR, 0x00);
	CHECK_EQ(fake->console_wanted, 1);
	CHECK_EQ(vuart_input(&uart, (const uint8_t *)"a", 1), 1);
	stop();
}

TEST(clearing_the_fifo_makes_room)
{
	static const uint8_t bytes[VUART_INPUT_SIZE + 1];
	unsigned rounds = 0;

	start();
	outb(IIR, 0x01);
	CHECK_EQ(vuart_input(&uart, bytes, sizeof(bytes)), VUART_INPUT_SIZE);
	while (fake->console_wanted == 0 && rounds++ < VUART_INPUT_SIZE)
		outb(IIR, 0x03);
	CHECK_EQ(fake->console_wanted, 1);
	stop();
}

TEST(loop_back_feeds_the_receiver_and_overruns)
{
	start();
	outb(MCR, 0x10);
	inb(MSR);
	outb(IER, 0x04);
	outb(THR, 'q');
	CHECK_EQ(fake->console_count, 0);
	CHECK_EQ(inb(LSR), 0x61);
	outb(THR, 'r');
	CHECK(fake->irq[4]);
	CHECK_EQ(inb(IIR), 0x06);
	CHECK_EQ(inb(LSR), 0x63);
	CHECK(!fake->irq[4]);
	CHECK_EQ(inb(THR), 'q');
	CHECK_EQ(vuart_input(&uart, (const uint8_t *)"z", 1), 0);
	stop();
}

TEST(modem_lines_report_their_changes_once)
{
	start();
	outb(IER, 0x08);
	outb(MCR, 0x10);
	CHECK(fake->irq[4]);
	CHECK_EQ(inb(IIR), 0x00);
	CHECK_EQ(inb(MSR), 0x0b);
	CHECK_EQ(inb(MSR), 0x00);
	CHECK(!fake->irq[4]);
	outb(MCR, 0x14);
	CHECK_EQ(inb(MSR), 0x40);
	outb(MCR, 0x10);
	CHECK_EQ(inb(MSR), 0x04);
	stop();
}

TEST(a_saved_uart_goes_on_where_it_was)
{
	uint8_t saved[512];
	size_t size;

	start();
	outb(IER, 0x01);
	type("later");
	size = vuart_save(&uart, saved, sizeof(saved));
	stop();
	start();
	CHECK_EQ(vuart_load(&uart, saved, size), 0);
	CHECK(fake->irq[4]);
	CHECK_EQ(inb(THR), 'l');
	CHECK_EQ(inb(IER), 0x01);
	stop();
}

TEST(hostile_guests_and_states_do_no_harm)
{
	start();
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t bytes[300];

		sweep(&fake->platform.ports, 0x3f8, 8, 10);
		memset(bytes, (int)i, sizeof(bytes));
		vuart_input(&uart, bytes, random_next() % sizeof(bytes));
		vuart_output(&uart);
	}
	HOSTILE_STATES(vuart, &uart, sweep(&fake->platform.ports, 0x3f8, 8, 40));
	stop();
}

int main(void)
{
	RUN(output_arrives_in_order);
	RUN(a_driver_finds_a_16550a);
	RUN(transmitter_interrupt_comes_once_for_each_emptying);
	RUN(received_bytes_interrupt_and_are_read_in_order);
	RUN(a_full_input_queue_pushes_back_and_calls_later);
	RUN(clearing_the_receiver_keeps_what_had_not_arrived);
	RUN(a_console_without_room_stops_the_transmitter);
	RUN(input_refused_in_loop_back_is_asked_for_after_it);
	RUN(clearing_the_fifo_makes_room);
	RUN(loop_back_feeds_the_receiver_and_overruns);
	RUN(modem_lines_report_their_changes_once);
	RUN(a_saved_uart_goes_on_where_it_was);
	RUN(hostile_guests_and_states_do_no_harm);
	return unit_end();
}
