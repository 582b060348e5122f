/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550 UART: COM1 of real hardware. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

struct uart {
	handle_t device; /* its eight ports are port range 0, its line is interrupt 0 (set once) */
	uint16_t base;   /* first port (set once) */
	bool wants_room; /* the transmitter's interrupt is on */
	bool is_paused;  /* the receiver's is off */
};

/* 115200 8N1, FIFOs on, receive interrupt on. The device's interrupt is the caller's to bind. */
void uart_init(struct uart *uart, handle_t device, uint16_t base);
/* Puts as many bytes as the transmit FIFO takes now, and asks for an interrupt if that was not all.
 */
size_t uart_write(struct uart *uart, const uint8_t *bytes, size_t size);
/* Takes what has been received; returns the count. */
size_t uart_read(struct uart *uart, uint8_t *bytes, size_t capacity);
/*
 * Nobody takes what comes in, or somebody does again: while paused, it stays in the chip without an
 * interrupt, and RTS is down, so that a sender who heeds it waits.
 */
void uart_pause(struct uart *uart, bool is_paused);
/*
 * Whether the chip holds its interrupt line up. The line is edge-triggered: serve the chip until
 * this says no, or the next edge never comes. The look itself takes back the transmitter's
 * interrupt.
 */
bool uart_has_interrupt(struct uart *uart);
/* All bytes have left the FIFO. */
bool uart_is_idle(struct uart *uart);
