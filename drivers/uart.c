/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550 UART: National Semiconductor PC16550D data sheet. */
#include "drivers/uart.h"

#include "services/lib/syscall.h"

enum { DATA, IER, FCR, LCR, MCR, LSR }; /* IIR reads where FCR writes */

#define FIFO_SIZE     16u
#define IER_RECEIVE   1u
#define IER_TRANSMIT  2u
#define IIR_NONE      1u
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

void uart_init(struct uart *uart, handle_t device, uint16_t base)
{
	uart->device = device;
	uart->base = base;
	uart->wants_room = false;
	out(uart, IER, 0);
	out(uart, LCR, 0x80); /* divisor latch: 115200 */
	out(uart, DATA, 1);
	out(uart, IER, 0);
	out(uart, LCR, 3);    /* 8N1 */
	out(uart, FCR, 0x07); /* FIFOs on and empty; interrupt at the first byte */
	out(uart, MCR, 0x0b); /* DTR, RTS, and OUT2, which lets the interrupt out */
	out(uart, IER, IER_RECEIVE);
}

size_t uart_write(struct uart *uart, const uint8_t *bytes, size_t size)
{
	size_t done = 0;
	bool wants_room;

	while (done < size && in(uart, LSR) & LSR_THR_EMPTY)
		for (unsigned i = 0; i < FIFO_SIZE && done < size; i++)
			out(uart, DATA, bytes[done++]);
	wants_room = done < size;
	if (wants_room != uart->wants_room)
		out(uart, IER, wants_room ? IER_RECEIVE | IER_TRANSMIT : IER_RECEIVE);
	uart->wants_room = wants_room;
	return done;
}

size_t uart_read(struct uart *uart, uint8_t *bytes, size_t capacity)
{
	size_t count = 0;

	while (count < capacity && count < READ_MAX && in(uart, LSR) & LSR_DATA)
		bytes[count++] = in(uart, DATA);
	return count;
}

bool uart_has_interrupt(struct uart *uart)
{
	return !(in(uart, FCR) & IIR_NONE);
}

bool uart_is_idle(struct uart *uart)
{
	return in(uart, LSR) & LSR_IDLE;
}
