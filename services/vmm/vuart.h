/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550A UART at port 0x3f8 whose line is the VM's console. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VUART_PORT       0x3f8
#define VUART_INPUT_SIZE 256 /* bytes that wait behind the chip's own FIFO */
#define VUART_FIFO_SIZE  16

struct platform;

struct vuart_state {
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	uint8_t overrun;      /* LSR bit 1 is set */
	uint8_t msr_delta;    /* bits 0-3 of MSR */
	uint8_t thre_pending; /* the interrupt "transmitter empty" has not been seen yet */
	uint8_t input_wanted; /* vuart_input() refused something */
	uint8_t output_count; /* bytes that the console did not take yet */
	uint16_t input_head, input_count;
	uint8_t output[VUART_FIFO_SIZE];
	uint8_t input[VUART_INPUT_SIZE]; /* ring; its first bytes are the receiver FIFO */
};

struct vuart {
	struct platform *platform; /* (set once) */
	struct vuart_state s;
};

void vuart_init(struct vuart *uart, struct platform *platform);

/* Offers bytes from the console's line; returns how many it took, the rest stays the caller's. */
size_t vuart_input(struct vuart *uart, const uint8_t *bytes, size_t count);

/* The console has room again: passes on what waits. */
void vuart_output(struct vuart *uart);

size_t vuart_save(const struct vuart *uart, void *buffer, size_t capacity);
int vuart_load(struct vuart *uart, const void *buffer, size_t size);
