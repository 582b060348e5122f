/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs that are built into corbel.efi. */
#pragma once
#include <stdint.h>

struct payload {
	const char *name;
	const uint8_t *start, *end;
};

extern const struct payload payload_kernel;
extern const struct payload payload_services[]; /* init first; ends with name NULL */
