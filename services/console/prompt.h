/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator's commands: which there are, what a line asks for, how a line goes on. No I/O here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "services/proto/console.h"

#define PROMPT_SAY_MAX 400u /* of what prompt_complete() says, with its NUL */

enum prompt_what {
	PROMPT_ORDER,   /* `order` is init's */
	PROMPT_CONSOLE, /* attaches to order.name, or to all if that is "" */
	PROMPT_HELP,
	PROMPT_LOG,
	PROMPT_ERROR /* `error` says what is wrong with the line */
};

struct prompt_line {
	enum prompt_what what;
	struct console_order order;
	char error[120]; /* printable, whatever was typed */
};

void prompt_parse(const char *text, struct prompt_line *line);

/*
 * Completes the word that `size` characters of text end with: `more` is what to put behind them,
 * and `say`, if that is nothing but there are several ways to go on, names them. `names` are those
 * of the VMs; both outputs end with a NUL.
 */
void prompt_complete(const char *text, size_t size, const char *const *names, size_t count,
		     char more[40], char say[PROMPT_SAY_MAX]);

/* Lines of `help`; NULL behind the last. */
const char *prompt_help(unsigned line);
