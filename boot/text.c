/* SPDX-License-Identifier: BSD-2-Clause */
/* Text: the small part of printf that the loader needs, and UTF-16 to ASCII. Pure. */
#include "boot/text.h"
#include <stdbool.h>

struct sink {
	char *out;
	size_t used, size;
};

static void put(struct sink *sink, char c)
{
	if (sink->used + 1 < sink->size)
		sink->out[sink->used++] = c;
}

static void put_string(struct sink *sink, const char *s)
{
	while (*s)
		put(sink, *s++);
}

static void put_number(struct sink *sink, uint64_t value, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put(sink, digits[--n]);
}

void text_format(char *out, size_t size, const char *format, va_list args)
{
	struct sink sink = {out, 0, size};

	for (; *format; format++) {
		if (*format != '%') {
			put(&sink, *format);
			continue;
		}
		switch (*++format) {
		case 's':
			put_string(&sink, va_arg(args, const char *));
			break;
		case 'u':
			put_number(&sink, va_arg(args, unsigned), 10);
			break;
		case 'l':
			format++;
			put_number(&sink, va_arg(args, unsigned long), *format == 'x' ? 16 : 10);
			break;
		default:
			put(&sink, '%');
		}
	}
	out[sink.used] = 0;
}

static bool is_printable(uint16_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

enum text_fault text_path_add(char *path, size_t size, const uint16_t *name, size_t name_max)
{
	size_t used = length(path), start = used ? used + 1 : 0, n;

	for (n = 0; n < name_max && name[n]; n++)
		if (!is_printable(name[n]) || name[n] == '/' || name[n] == '\\')
			return TEXT_NOT_ASCII;
	if (start + n >= size)
		return TEXT_TOO_LONG;
	if (used)
		path[used] = '/';
	for (size_t i = 0; i < n; i++)
		path[start + i] = (char)name[i];
	path[start + n] = 0;
	return TEXT_OK;
}

void text_path_cut(char *path)
{
	size_t n = length(path);

	while (n && path[n] != '/')
		n--;
	path[n] = 0;
}

void text_from_utf16(char *out, size_t size, const uint16_t *name, size_t name_max)
{
	struct sink sink = {out, 0, size};

	for (size_t i = 0; i < name_max && name[i]; i++)
		put(&sink, is_printable(name[i]) ? (char)name[i] : '?');
	out[sink.used] = 0;
}

void text_command_line(char *out, size_t size, const void *options, size_t options_size)
{
	const uint8_t *bytes = options;
	size_t n;

	out[0] = 0;
	for (n = 0; n < options_size / 2; n++) {
		uint16_t c = (uint16_t)(bytes[2 * n] | bytes[2 * n + 1] << 8);

		if (!c)
			break;
		if (!is_printable(c))
			return;
	}
	if (n >= size)
		return;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)bytes[2 * i];
	out[n] = 0;
}

/* True if s is, but for case, what the pattern of small letters says. */
static bool is_same(const char *s, const char *pattern, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 'a' - 'A') : s[i];

		if (c != pattern[i])
			return false;
	}
	return true;
}

int text_is_acpi_path(const char *path)
{
	size_t n = length(path);

	if (n < 5 + 4 || !is_same(path, "acpi/", 5) || !is_same(path + n - 4, ".aml", 4))
		return 0;
	for (size_t i = 5; i < n; i++)
		if (path[i] == '/')
			return 0;
	return 1;
}
