/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550 UART: National Semiconductor PC16550D data sheet. */
#include "drivers/uart.h"

#include "services/lib/syscall.h"

enum { DATA, IER, FCR, LCR, MCR, LSR }; /* IIR reads where FCR writes */

#define FIFO_SIZE     16u
#define IER_RECEIVE   1u
#define IER_TRANSMIT  2u
#define IIR_NONE      1u
#define MCR_READY     0x0bu /* DTR, RTS, and OUT2, which lets the interrupt out */
#define MCR_RTS       0x02u
#define LSR_DATA      0x01u
#define LSR_THR_EMPTY 0x20u
#define LSR_IDLE      0x40u
#define READ_MAX      256u /* bytes taken in one go, whatever the chip says */

static uint8_t in(struct uart *uart, unsigned reg)
{
	return (uint8_t)device_port_in(uart->device, (uint16_t)(uart->base + reg), 1);
}

static void out(struct uart *uart, unsigned reg, uint8_t value)
{
	device_port_out(uart->device, (uint16_t)(uart->base + reg), 1, value);
}

static void choose_interrupts(struct uart *uart)
{
	out(uart, IER, (uart->is_paused ? 0 : IER_RECEIVE) | (uart->wants_room ? IER_TRANSMIT : 0));
}

void uart_init(struct uart *uart, handle_t device, uint16_t base)
{
	uart->device = device;
	uart->base = base;
	uart->wants_room = false;
	uart->is_paused = false;
	out(uart, IER, 0);
	out(uart, LCR, 0x80); /* divisor latch: 115200 */
	out(uart, DATA, 1);
	out(uart, IER, 0);
	out(uart, LCR, 3);    /* 8N1 */
	out(uart, FCR, 0x07); /* FIFOs on and empty; interrupt at the first byte */
	out(uart, MCR, MCR_READY);
	choose_interrupts(uart);
}

size_t uart_write(struct uart *uart, const uint8_t *bytes, size_t size)
{
	size_t done = 0;
	bool had_room = !uart->wants_room;

	while (done < size && in(uart, LSR) & LSR_THR_EMPTY)
		for (unsigned i = 0; i < FIFO_SIZE && done < size; i++)
			out(uart, DATA, bytes[done++]);
	uart->wants_room = done < size;
	if (uart->wants_room == had_room)
		choose_interrupts(uart);
	return done;
}

size_t uart_read(struct uart *uart, uint8_t *bytes, size_t capacity)
{
	size_t count = 0;

	while (count < capacity && count < READ_MAX && in(uart, LSR) & LSR_DATA)
		bytes[count++] = in(uart, DATA);
	return count;
}

void uart_pause(struct uart *uart, bool is_paused)
{
	if (uart->is_paused == is_paused)
		return;
	uart->is_paused = is_paused;
	out(uart, MCR, is_paused ? MCR_READY & ~MCR_RTS : MCR_READY);
	choose_interrupts(uart);
}

bool uart_has_interrupt(struct uart *uart)
{
	return !(in(uart, FCR) & IIR_NONE);
}

bool uart_is_idle(struct uart *uart)
{
	return in(uart, LSR) & LSR_IDLE;
}
