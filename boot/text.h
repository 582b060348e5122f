/* SPDX-License-Identifier: BSD-2-Clause */
/* Text: the small part of printf that the loader needs, and UTF-16 to ASCII. Pure. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* What text_path_add() finds wrong. */
enum text_fault { TEXT_OK = 0, TEXT_NOT_ASCII, TEXT_TOO_LONG };

/* Knows %s, %u, %lu, %lx and %%. Always ends with a NUL; what does not fit is cut off. */
void text_format(char *out, size_t size, const char *format, va_list args);

/*
 * Appends "/" (unless path is empty) and the name, which ends at a NUL or after name_max
 * characters. Path is unchanged if a character is no printable ASCII or a slash of either kind, or
 * if the result does not fit size bytes with its NUL.
 */
enum text_fault text_path_add(char *path, size_t size, const uint16_t *name, size_t name_max);

/* Cuts off what text_path_add() appended last. */
void text_path_cut(char *path);

/* The name with "?" for what is not printable ASCII, for messages. */
void text_from_utf16(char *out, size_t size, const uint16_t *name, size_t name_max);

/*
 * Load options are bytes of the boot entry, and only by custom a UTF-16 text. Copies them if they
 * are printable ASCII up to a NUL or the end and fit, else leaves an empty string.
 */
void text_command_line(char *out, size_t size, const void *options, size_t options_size);

/* True for 'acpi/NAME.aml' in any mixture of upper and lower case, not for deeper folders. */
int text_is_acpi_path(const char *path);
