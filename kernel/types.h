/* SPDX-License-Identifier: BSD-2-Clause */
/* Address types, and the few macros and functions that every file of ring 0 uses. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT  12
#define PAGE_SIZE   4096ull
#define LARGE_SHIFT 21
#define LARGE_SIZE  (1ull << LARGE_SHIFT)

/* A host physical and a guest physical address: distinct types, so that mixing them cannot compile.
 */
typedef struct {
	uint64_t value;
} hpa_t;
typedef struct {
	uint64_t value;
} gpa_t;

#define UNUSED                       __attribute__((unused))
#define ALIGN_DOWN(x, a)             ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)               ALIGN_DOWN((x) + ((__typeof__(x))(a)-1), a)
#define IS_ALIGNED(x, a)             (((x) & ((__typeof__(x))(a)-1)) == 0)
#define ARRAY_COUNT(a)               (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                    ((a) < (b) ? (a) : (b))
#define MAX(a, b)                    ((a) > (b) ? (a) : (b))
#define CONTAINER_OF(p, type, field) ((type *)((char *)(p)-offsetof(type, field)))

/* arch/x86_64/string.S */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);
