/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether bytes are JSON text that may be given to cJSON, which is laxer than RFC 8259. */
#pragma once

#include <stddef.h>

#define JSONTEXT_DEPTH_MAX  16u    /* objects and arrays in one another */
#define JSONTEXT_VALUES_MAX 65536u /* objects, arrays, strings, numbers, true, false and null */
#define JSONTEXT_NUMBER_MAX 32u    /* characters */

/*
 * Checks all of size bytes: grammar and encoding by RFC 8259, and more strictly no byte order mark,
 * no NUL and no lone surrogate in strings, and the bounds above. Keys given twice pass.
 * Returns NULL, or a sentence "WHAT IS WRONG; WHAT IS RIGHT" with the offset of the fault in *at.
 */
const char *jsontext_check(const char *text, size_t size, size_t *at);
