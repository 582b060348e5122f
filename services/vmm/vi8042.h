/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8042 keyboard controller with nothing plugged in, and port 0x92: what guests reset with. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct platform;

struct vi8042_state {
	uint8_t configuration; /* the command byte */
	uint8_t command;       /* that waits for its data byte at port 0x60; 0 = none */
	uint8_t output;        /* byte for the guest, if a bit of `status` says so */
	uint8_t status;        /* OBF, AUX and timeout bits */
	uint8_t output_port;
	uint8_t port92;
	uint8_t reserved[2];
};

struct vi8042 {
	struct platform *platform; /* (set once) */
	struct vi8042_state s;
};

void vi8042_init(struct vi8042 *kbc, struct platform *platform);

size_t vi8042_save(const struct vi8042 *kbc, void *buffer, size_t capacity);
int vi8042_load(struct vi8042 *kbc, const void *buffer, size_t size);
