/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A strict JSON recogniser. It builds nothing: cJSON does that, from text that has passed here.
 * tools/corbel_image/jsontext.py says the same with the same sentences; a test feeds both.
 */
#include "services/init/jsontext.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct scan {
	const unsigned char *text;
	size_t size;
	size_t at;          /* next byte, <= size */
	size_t value_count; /* values begun so far */
	unsigned depth;     /* objects and arrays that are open */
};

static bool scan_is(const struct scan *s, unsigned char c)
{
	return s->at < s->size && s->text[s->at] == c;
}

static bool scan_is_digit(const struct scan *s)
{
	return s->at < s->size && s->text[s->at] >= '0' && s->text[s->at] <= '9';
}

static void skip_space(struct scan *s)
{
	while (scan_is(s, ' ') || scan_is(s, '\t') || scan_is(s, '\n') || scan_is(s, '\r'))
		s->at++;
}

/* Returns how many digits it went over. */
static size_t skip_digits(struct scan *s)
{
	size_t start = s->at;

	while (scan_is_digit(s))
		s->at++;
	return s->at - start;
}

/* RFC 3629, "Syntax of UTF-8 Byte Sequences": bytes of the character at s->at, 0 if malformed. */
static size_t utf8_length(const struct scan *s)
{
	const unsigned char *p = s->text + s->at;
	size_t left = s->size - s->at;
	unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
	size_t length;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	if (p[0] == 0xed)
		high = 0x9f;
	if (p[0] == 0xf0)
		low = 0x90;
	if (p[0] == 0xf4)
		high = 0x8f;
	if (left < length || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	}
	return length;
}

/* Value of the four hexadecimal digits of a \uXXXX that begins at offset at, or -1. */
static int32_t unicode_escape(const struct scan *s, size_t at)
{
	int32_t value = 0;

	if (s->size - at < 6 || s->text[at] != '\\' || s->text[at + 1] != 'u')
		return -1;
	for (size_t i = at + 2; i < at + 6; i++) {
		unsigned char c = s->text[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			value = value * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return value;
}

static const char *check_escape(struct scan *s)
{
	int32_t code = unicode_escape(s, s->at), low;

	if (code < 0) {
		if (s->size - s->at < 2 || s->text[s->at + 1] == '\0' ||
		    !strchr("\"\\/bfnrt", s->text[s->at + 1]))
			return "unknown escape in a string; "
			       "\\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX are known";
		s->at += 2;
		return NULL;
	}
	if (code == 0)
		return "NUL in a string; leave it out";
	if (code >= 0xd800 && code <= 0xdfff) {
		low = unicode_escape(s, s->at + 6);
		if (code > 0xdbff || low < 0xdc00 || low > 0xdfff)
			return "half of a surrogate pair in a string; "
			       "write both halves, or the character itself";
		s->at += 6;
	}
	s->at += 6;
	return NULL;
}

/* s->at is at the opening quote. */
static const char *check_string(struct scan *s)
{
	const char *fault = NULL;
	size_t length;

	s->at++;
	while (!fault && s->at < s->size && s->text[s->at] != '"') {
		if (s->text[s->at] == '\\') {
			fault = check_escape(s);
			continue;
		}
		if (s->text[s->at] < 0x20)
			return "control character in a string; write it as an escape such as \\n";
		length = utf8_length(s);
		if (!length)
			return "not UTF-8; the file must be UTF-8 text";
		s->at += length;
	}
	if (fault)
		return fault;
	if (s->at == s->size)
		return "the string does not end; a closing quote belongs here";
	s->at++;
	return NULL;
}

static const char *check_number(struct scan *s)
{
	static const char malformed[] = "malformed number; whole digits such as 10 belong here";
	size_t start = s->at;
	bool is_good;

	if (scan_is(s, '-'))
		s->at++;
	if (scan_is(s, '0')) {
		s->at++;
		is_good = !scan_is_digit(s);
	} else {
		is_good = skip_digits(s) > 0;
	}
	if (is_good && scan_is(s, '.')) {
		s->at++;
		is_good = skip_digits(s) > 0;
	}
	if (is_good && (scan_is(s, 'e') || scan_is(s, 'E'))) {
		s->at++;
		if (scan_is(s, '+') || scan_is(s, '-'))
			s->at++;
		is_good = skip_digits(s) > 0;
	}
	if (is_good && s->at - start <= JSONTEXT_NUMBER_MAX)
		return NULL;
	s->at = start;
	return is_good ? "a number of more than 32 characters; write it shorter" : malformed;
}

static const char *check_word(struct scan *s)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t length = strlen(words[i]);

		if (s->size - s->at >= length && memcmp(s->text + s->at, words[i], length) == 0) {
			s->at += length;
			return NULL;
		}
	}
	return "not a value; a string, number, object, array, true, false or null belongs here";
}

static const char *check_value(struct scan *s);

/* One "KEY": VALUE of an object, with the white space before it. */
static const char *check_member(struct scan *s)
{
	const char *fault;

	skip_space(s);
	if (!scan_is(s, '"'))
		return "not a key; a string in quotes belongs here";
	fault = check_string(s);
	if (fault)
		return fault;
	skip_space(s);
	if (!scan_is(s, ':'))
		return "no colon after a key; \":\" belongs here";
	s->at++;
	return check_value(s);
}

/* An object or an array; s->at is at its opening bracket. Recursion ends at JSONTEXT_DEPTH_MAX. */
static const char *check_container(struct scan *s)
{
	bool is_object = s->text[s->at] == '{';
	unsigned char end = is_object ? '}' : ']';
	const char *fault;

	if (s->depth == JSONTEXT_DEPTH_MAX)
		return "nested too deep; at most 16 objects and arrays may lie in one another";
	s->depth++;
	s->at++;
	skip_space(s);
	if (!scan_is(s, end)) {
		for (;;) {
			fault = is_object ? check_member(s) : check_value(s);
			if (fault)
				return fault;
			skip_space(s);
			if (!scan_is(s, ','))
				break;
			s->at++;
		}
		if (!scan_is(s, end))
			return is_object ? "the object does not go on; \",\" or \"}\" belongs here"
					 : "the array does not go on; \",\" or \"]\" belongs here";
	}
	s->at++;
	s->depth--;
	return NULL;
}

/* One value, with the white space before it. */
static const char *check_value(struct scan *s)
{
	skip_space(s);
	if (s->value_count == JSONTEXT_VALUES_MAX)
		return "too many values; a file may hold 65536";
	s->value_count++;
	if (scan_is(s, '{') || scan_is(s, '['))
		return check_container(s);
	if (scan_is(s, '"'))
		return check_string(s);
	if (scan_is(s, '-') || scan_is_digit(s))
		return check_number(s);
	return check_word(s);
}

const char *jsontext_check(const char *text, size_t size, size_t *at)
{
	struct scan s = {.text = (const unsigned char *)text, .size = size};
	const char *fault;

	*at = 0;
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return "a byte order mark; save the file as UTF-8 without one";
	fault = check_value(&s);
	if (!fault) {
		skip_space(&s);
		if (s.at != s.size)
			fault = "more text after the end; only white space may follow";
	}
	*at = s.at;
	return fault;
}
