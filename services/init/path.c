/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of PATHs. tools/corbel_image/path.py says the same with the same sentences.
 */
#include "services/init/path.h"

#include <stdbool.h>
#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many characters the two have in common from the left, letter case aside. */
static size_t common_length(const char *a, const char *b)
{
	size_t i = 0;

	while (a[i] && lower(a[i]) == lower(b[i]))
		i++;
	return i;
}

/* What FAT, or firmware that reads FAT, does not keep as it is written. */
static const char *check_part(const char *part, size_t length)
{
	if (length == 0)
		return "a PATH with an empty part; write one \"/\" between two names";
	if ((length == 1 && part[0] == '.') || (length == 2 && memcmp(part, "..", 2) == 0))
		return "a PATH with a part \".\" or \"..\"; name the file from the "
		       "configuration's folder down";
	if (part[0] == ' ' || part[length - 1] == ' ' || part[length - 1] == '.')
		return "a PATH with a space or dot at the edge of a part; rename the file";
	return NULL;
}

const char *path_check(const char *path)
{
	size_t length = strlen(path), part = 0;
	const char *fault = NULL;

	if (length == 0)
		return "an empty PATH; name a file";
	if (length > PATH_SIZE_MAX)
		return "a PATH longer than 255 bytes; make it at most 255";
	if (path[0] == '/')
		return "a PATH that begins with \"/\"; it starts at the configuration's folder";
	for (size_t i = 0; i < length; i++) {
		if (path[i] == '\\')
			return "a PATH with a backslash; write \"/\" between the parts";
		if (path[i] < 0x20 || path[i] > 0x7e || strchr("\"*:<>?|", path[i]))
			return "a PATH with a character that is not printable ASCII or is one of "
			       "\" * : < > ? |; rename the file";
	}
	for (size_t i = 0; i <= length && !fault; i++) {
		if (path[i] && path[i] != '/')
			continue;
		fault = check_part(path + part, i - part);
		part = i + 1;
	}
	if (fault)
		return fault;
	if (length == 11 && common_length(path, "corbel.json") == 11)
		return "the configuration's own name; give the file another";
	if (common_length(path, "acpi") == 4 && (!path[4] || path[4] == '/'))
		return "a PATH in \"acpi/\", which is for the machine's own tables; put the file "
		       "elsewhere";
	return NULL;
}

const char *path_set_check(const struct path_set *set, const char *path)
{
	for (size_t i = 0; i < set->count; i++) {
		const char *other = set->paths[i];
		size_t common = common_length(path, other);

		if (!path[common] && !other[common]) {
			if (strcmp(path, other) == 0)
				return NULL;
			return "a PATH that differs from another in letter case only; spell both "
			       "the same, or rename one file";
		}
		if ((!path[common] && other[common] == '/') ||
		    (!other[common] && path[common] == '/'))
			return "a PATH that makes one name both a file and a folder; rename one";
	}
	if (set->count == PATH_SET_MAX)
		return "one file too many; name at most 1024 different files";
	return NULL;
}

void path_set_add(struct path_set *set, const char *path)
{
	for (size_t i = 0; i < set->count; i++) {
		if (strcmp(set->paths[i], path) == 0)
			return;
	}
	set->paths[set->count++] = path;
}
