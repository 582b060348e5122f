/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole unit test framework: each test runs in a child process of its own, so that a crash, a
 * sanitizer's finding or an endless loop fails that test alone and no test sees another's state.
 *
 *	TEST(pops_in_order)
 *	{
 *		CHECK(x_pop(&x) == 1);
 *	}
 *
 *	int main(void)
 *	{
 *		RUN(pops_in_order);
 *		return unit_end();
 *	}
 *
 * prints "ok unit/FILE.pops_in_order" or "not ok unit/FILE.pops_in_order: REASON", where the file
 * is tests/unit/test_FILE.c. The environment variable TEST, a glob, chooses among the tests.
 * Test programs are compiled with -D_GNU_SOURCE.
 */
#pragma once

#include <fnmatch.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNIT_FAILED  99  /* exit status of a child that has already said "not ok" */
#define UNIT_SECONDS 120 /* a test that runs longer is killed by SIGALRM */

static char unit_name[512]; /* "unit/FILE.NAME" of the test that runs */
static unsigned unit_failed_count;

#define TEST(name) static void test_##name(void)
#define RUN(name)  unit_run(__FILE__, #name, test_##name)

/* Ends the test at the first check that fails; usable in helper functions at any depth. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("not ok %s: line %d: %s\n", unit_name, __LINE__, #cond);            \
			unit_fail();                                                               \
		}                                                                                  \
	} while (0)

/* Compares integers and shows both values. */
#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_) {                                                               \
			printf("not ok %s: line %d: %s is %lld (0x%llx), not %lld (0x%llx)\n",     \
			       unit_name, __LINE__, #got, got_, (unsigned long long)got_, want_,   \
			       (unsigned long long)want_);                                         \
			unit_fail();                                                               \
		}                                                                                  \
	} while (0)

/* Compares strings and shows both; neither may be NULL. */
#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (strcmp(got_, want_) != 0) {                                                    \
			printf("not ok %s: line %d: %s is \"%s\", not \"%s\"\n", unit_name,        \
			       __LINE__, #got, got_, want_);                                       \
			unit_fail();                                                               \
		}                                                                                  \
	} while (0)

static inline _Noreturn void unit_fail(void)
{
	fflush(stdout);
	if (!unit_name[0])
		abort(); /* a fuzzer, which keeps the input then */
	_exit(UNIT_FAILED);
}

static inline void unit_set_name(const char *file, const char *name)
{
	const char *base = strrchr(file, '/');

	base = base ? base + 1 : file;
	if (strncmp(base, "test_", 5) == 0)
		base += 5;
	snprintf(unit_name, sizeof(unit_name), "unit/%.*s.%s", (int)strcspn(base, "."), base, name);
}

/* The glob may be written with or without the leading "unit/". */
static inline bool unit_is_chosen(void)
{
	const char *glob = getenv("TEST");

	return !glob || !*glob || fnmatch(glob, unit_name, 0) == 0 ||
	       fnmatch(glob, strchr(unit_name, '/') + 1, 0) == 0;
}

static inline void unit_run(const char *file, const char *name, void (*test)(void))
{
	int status = 0;
	pid_t pid;

	unit_set_name(file, name);
	if (!unit_is_chosen())
		return;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(UNIT_SECONDS);
		test();
		exit(0); /* not _exit: the leak checker runs here */
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		printf("not ok %s: fork failed\n", unit_name);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		printf("ok %s\n", unit_name);
		return;
	} else if (WIFSIGNALED(status)) {
		printf("not ok %s: killed by signal %d\n", unit_name, WTERMSIG(status));
	} else if (WEXITSTATUS(status) != UNIT_FAILED) {
		printf("not ok %s: exit status %d, see stderr\n", unit_name, WEXITSTATUS(status));
	}
	unit_failed_count++;
}

/* Returns what main() returns: 0 if no test failed. */
static inline int unit_end(void)
{
	fflush(stdout);
	return unit_failed_count != 0;
}
