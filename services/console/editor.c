/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator's line: what each key does to it, its history, and how it is drawn. No I/O here. */
#include "services/console/editor.h"

#include <stdio.h>
#include <string.h>

#define CTRL(letter)  ((letter)&0x1fu)
#define BACKSPACE     0x08u
#define DELETE        0x7fu
#define ESCAPE        0x1bu
#define PARAMETER_MAX 99u

void editor_init(struct editor *editor,
		 void (*emit)(struct editor *editor, const char *bytes, size_t size))
{
	memset(editor, 0, sizeof(*editor));
	editor->emit = emit;
}

void editor_prompt(struct editor *editor, const char *prompt)
{
	snprintf(editor->prompt, sizeof(editor->prompt), "%s", prompt);
}

/* ---- drawing ---- */

/* How many characters of the line are shown; the last column stays free. */
static size_t window(const struct editor *editor)
{
	return EDITOR_COLUMNS - 1 - strlen(editor->prompt);
}

/* Moves the view so that the cursor is in it, as little as can be. */
static void scroll(struct editor *editor)
{
	size_t width = window(editor);

	if (editor->cursor < editor->view)
		editor->view = editor->cursor;
	else if (editor->cursor - editor->view > width)
		editor->view = editor->cursor - width;
	if (editor->size <= width)
		editor->view = 0;
}

void editor_draw(struct editor *editor)
{
	char out[EDITOR_PROMPT_MAX + EDITOR_COLUMNS + 32];
	size_t shown, at = 0;

	scroll(editor);
	shown = editor->size - editor->view;
	if (shown > window(editor))
		shown = window(editor);
	at = (size_t)snprintf(out, sizeof(out), "%s%.*s", editor->prompt, (int)shown,
			      editor->text + editor->view);
	if (editor->cursor < editor->view + shown)
		at += (size_t)snprintf(out + at, sizeof(out) - at, "\x1b[%uD",
				       (unsigned)(editor->view + shown - editor->cursor));
	editor->emit(editor, out, at);
}

static void redraw(struct editor *editor)
{
	editor->emit(editor, "\r\x1b[K", 4);
	editor_draw(editor);
}

/* ---- changing ---- */

/* Takes `count` characters out, from `at` on. */
static void cut(struct editor *editor, size_t at, size_t count)
{
	memmove(editor->text + at, editor->text + at + count, editor->size - at - count + 1);
	editor->size -= count;
	editor->cursor = at;
	redraw(editor);
}

void editor_insert(struct editor *editor, const char *text, size_t size)
{
	bool is_end = editor->cursor == editor->size;

	if (size > EDITOR_TEXT_MAX - editor->size) {
		size = EDITOR_TEXT_MAX - editor->size;
		editor->is_too_long = true;
	}
	if (!size)
		return;
	memmove(editor->text + editor->cursor + size, editor->text + editor->cursor,
		editor->size - editor->cursor + 1);
	memcpy(editor->text + editor->cursor, text, size);
	editor->size += size;
	editor->cursor += size;
	if (is_end && editor->size - editor->view <= window(editor))
		editor->emit(editor, text, size);
	else
		redraw(editor);
}

static void set_text(struct editor *editor, const char *text)
{
	snprintf(editor->text, sizeof(editor->text), "%s", text);
	editor->size = editor->cursor = strlen(editor->text);
	editor->view = 0;
	redraw(editor);
}

void editor_clear(struct editor *editor)
{
	unsigned last = (editor->history_next + EDITOR_HISTORY - 1) % EDITOR_HISTORY;

	if (editor->size && !editor->is_too_long &&
	    (!editor->history_count || strcmp(editor->history[last], editor->text) != 0)) {
		memcpy(editor->history[editor->history_next], editor->text, sizeof(editor->text));
		editor->history_next = (editor->history_next + 1) % EDITOR_HISTORY;
		if (editor->history_count < EDITOR_HISTORY)
			editor->history_count++;
	}
	editor->text[0] = 0;
	editor->size = editor->cursor = editor->view = 0;
	editor->is_too_long = false;
	editor->escape = editor->back = 0;
}

static void browse(struct editor *editor, bool is_older)
{
	if (is_older ? editor->back == editor->history_count : editor->back == 0)
		return;
	if (editor->back == 0)
		memcpy(editor->typed, editor->text, sizeof(editor->typed));
	editor->back += is_older ? 1u : -1u;
	if (editor->back == 0)
		set_text(editor, editor->typed);
	else
		set_text(editor,
			 editor->history[(editor->history_next + EDITOR_HISTORY - editor->back) %
					 EDITOR_HISTORY]);
}

static void move(struct editor *editor, size_t cursor)
{
	if (cursor > editor->size || cursor == editor->cursor)
		return;
	editor->cursor = cursor;
	redraw(editor);
}

static void cut_word(struct editor *editor)
{
	size_t from = editor->cursor;

	while (from && editor->text[from - 1] == ' ')
		from--;
	while (from && editor->text[from - 1] != ' ')
		from--;
	cut(editor, from, editor->cursor - from);
}

/* ---- keys ---- */

/* The last byte of ESC [ or ESC O and what follows; what is not known does nothing. */
static void end_escape(struct editor *editor, uint8_t byte)
{
	unsigned parameter = editor->parameter;

	editor->escape = 0;
	if (byte == 'A' || byte == 'B')
		browse(editor, byte == 'A');
	else if (byte == 'C')
		move(editor, editor->cursor + 1);
	else if (byte == 'D' && editor->cursor)
		move(editor, editor->cursor - 1);
	else if (byte == 'H' || (byte == '~' && (parameter == 1 || parameter == 7)))
		move(editor, 0);
	else if (byte == 'F' || (byte == '~' && (parameter == 4 || parameter == 8)))
		move(editor, editor->size);
	else if (byte == '~' && parameter == 3 && editor->cursor < editor->size)
		cut(editor, editor->cursor, 1);
}

/* ECMA-48, 5.4 "Control sequences": parameters, intermediate bytes, a final byte. */
static void take_escape(struct editor *editor, uint8_t byte)
{
	if (editor->escape == 1) {
		editor->escape = byte == '[' ? 2 : byte == 'O' ? 3 : 0;
		editor->parameter = 0;
	} else if (byte >= '0' && byte <= '9') {
		if (editor->parameter <= PARAMETER_MAX)
			editor->parameter = editor->parameter * 10 + (byte - '0');
	} else if (byte >= 0x40 && byte <= 0x7e) {
		end_escape(editor, byte);
	} else if (byte < 0x20 || byte > 0x7e) {
		editor->escape = 0;
	}
}

static enum editor_event take_control(struct editor *editor, uint8_t byte)
{
	switch (byte) {
	case CTRL('a'):
		move(editor, 0);
		break;
	case CTRL('e'):
		move(editor, editor->size);
		break;
	case CTRL('b'):
	case CTRL('f'):
		if (byte == CTRL('f') || editor->cursor)
			move(editor, editor->cursor + (byte == CTRL('f') ? 1u : -1ul));
		break;
	case CTRL('c'):
		editor->is_too_long = false;
		editor->back = 0;
		set_text(editor, "");
		break;
	case CTRL('d'):
		if (!editor->size)
			return EDITOR_LEAVE;
		if (editor->cursor < editor->size)
			cut(editor, editor->cursor, 1);
		break;
	case BACKSPACE:
	case DELETE:
		if (editor->cursor)
			cut(editor, editor->cursor - 1, 1);
		break;
	case CTRL('k'):
		cut(editor, editor->cursor, editor->size - editor->cursor);
		break;
	case CTRL('l'):
		redraw(editor);
		break;
	case CTRL('n'):
	case CTRL('p'):
		browse(editor, byte == CTRL('p'));
		break;
	case CTRL('u'):
		cut(editor, 0, editor->cursor);
		break;
	case CTRL('w'):
		cut_word(editor);
		break;
	case '\t':
		return EDITOR_COMPLETE;
	case ESCAPE:
		editor->escape = 1;
		break;
	default:
		break;
	}
	return EDITOR_NOTHING;
}

enum editor_event editor_key(struct editor *editor, uint8_t byte)
{
	char character = (char)byte;

	if (editor->escape && byte != ESCAPE && byte != '\r' && byte != '\n') {
		take_escape(editor, byte);
		return EDITOR_NOTHING;
	}
	editor->escape = 0;
	if (byte == '\r' || byte == '\n') {
		if (editor->is_too_long)
			return EDITOR_TOO_LONG;
		return strspn(editor->text, " ") == editor->size ? EDITOR_LEAVE : EDITOR_LINE;
	}
	if (byte < 0x20 || byte == DELETE)
		return take_control(editor, byte);
	if (byte < 0x80) /* names and commands are ASCII */
		editor_insert(editor, &character, 1);
	return EDITOR_NOTHING;
}
