/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator's line: what each key does to it, its history, and how it is drawn. No I/O here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDITOR_TEXT_MAX   255u /* characters of a line */
#define EDITOR_PROMPT_MAX 64u  /* with its NUL */
#define EDITOR_HISTORY    16u  /* lines that are kept */
#define EDITOR_COLUMNS    80u  /* of the terminal; a longer line is shown in part */

enum editor_event {
	EDITOR_NOTHING,
	EDITOR_LINE,     /* `text` is a whole line; then editor_clear() */
	EDITOR_TOO_LONG, /* more was typed than a line has room for: none of it counts */
	EDITOR_COMPLETE, /* what stands before `cursor` is to be completed */
	EDITOR_LEAVE     /* the operator wants to go: an empty line, or Ctrl-D in one */
};

struct editor {
	char text[EDITOR_TEXT_MAX + 1]; /* ends with a NUL */
	size_t size, cursor;
	size_t view; /* the first character that is shown */
	bool is_too_long;
	unsigned escape; /* how much of an escape sequence came: 0 none, 1 ESC, 2 ESC [, 3 ESC O */
	unsigned parameter; /* its number */
	char history[EDITOR_HISTORY][EDITOR_TEXT_MAX + 1];
	unsigned history_next, history_count;
	unsigned back; /* how many lines back in it; 0: at the line that is typed */
	char typed[EDITOR_TEXT_MAX + 1]; /* that line meanwhile */
	char prompt[EDITOR_PROMPT_MAX];
	/* At most MUX_PROMPT_MAX bytes at a time. */
	void (*emit)(struct editor *editor, const char *bytes, size_t size);
};

void editor_init(struct editor *editor,
		 void (*emit)(struct editor *editor, const char *bytes, size_t size));
/* What stands in front of the line from now on; it is cut. */
void editor_prompt(struct editor *editor, const char *prompt);
/* A key more; what changes on the screen is emitted. */
enum editor_event editor_key(struct editor *editor, uint8_t byte);
/* Puts text in at the cursor, as far as there is room. */
void editor_insert(struct editor *editor, const char *text, size_t size);
/* Draws the line from the screen's first column on. */
void editor_draw(struct editor *editor);
/* An empty line; what stood there is the newest of the history. */
void editor_clear(struct editor *editor);
