/* SPDX-License-Identifier: BSD-2-Clause */
/* PATHs of the configuration: which are well formed, and which can lie beside each other. */
#pragma once

#include <stddef.h>

#define PATH_SIZE_MAX 255u /* bytes, without the NUL */
#define PATH_SET_MAX  1024u

/* The different files named so far. */
struct path_set {
	const char *paths[PATH_SET_MAX]; /* not owned */
	size_t count;
};

/*
 * Whether path may name a file below \corbel\ on the FAT volume.
 * Returns NULL, or a sentence "WHAT IS WRONG; WHAT IS RIGHT".
 */
const char *path_check(const char *path);

/*
 * Whether path, which passed path_check(), can join the set: it is there already in the same
 * spelling, or the set has room and no file of it would be the same file on FAT, a folder of path,
 * or below path. Returns as path_check().
 */
const char *path_set_check(const struct path_set *set, const char *path);

/* Adds path, which passed path_set_check() and must outlive the set, if it is not there yet. */
void path_set_add(struct path_set *set, const char *path);
