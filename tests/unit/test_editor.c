/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator's line editor, on a terminal of one line that understands what it emits. */
#include "services/console/editor.h"
#include "services/console/mux.h"
#include "tests/unit/unit.h"

#define PROMPT "corbel: web> "

static struct editor editor;
static char screen[EDITOR_COLUMNS + 1];
static size_t column;

/* The one line that is seen; nothing may go past its last column. */
static void emit(struct editor *e, const char *bytes, size_t size)
{
	CHECK(e == &editor && size <= MUX_PROMPT_MAX);
	for (size_t i = 0; i < size; i++) {
		unsigned count = 0;

		if (bytes[i] == '\r') {
			column = 0;
		} else if (bytes[i] == 0x1b) {
			CHECK(bytes[++i] == '[');
			while (bytes[++i] >= '0' && bytes[i] <= '9')
				count = count * 10 + (unsigned)(bytes[i] - '0');
			CHECK(i < size && (bytes[i] == 'K' || (bytes[i] == 'D' && count)));
			if (bytes[i] == 'K')
				memset(screen + column, 0, sizeof(screen) - column);
			CHECK(count <= column);
			column -= count;
		} else {
			CHECK(bytes[i] >= 0x20 && bytes[i] < 0x7f);
			CHECK(column < EDITOR_COLUMNS - 1);
			screen[column++] = bytes[i];
		}
	}
}

static void start(void)
{
	memset(screen, 0, sizeof(screen));
	column = 0;
	editor_init(&editor, emit);
	editor_prompt(&editor, PROMPT);
	editor_draw(&editor);
}

static enum editor_event type(const char *keys)
{
	enum editor_event event = EDITOR_NOTHING;

	for (; *keys; keys++) {
		CHECK_EQ(event, EDITOR_NOTHING);
		event = editor_key(&editor, (uint8_t)*keys);
	}
	return event;
}

/* What stands there, with the cursor as "|". */
static void check_line(const char *text)
{
	char shown[EDITOR_COLUMNS + 2];

	snprintf(shown, sizeof(shown), "%.*s|%s", (int)column, screen, screen + column);
	if (strncmp(shown, PROMPT, strlen(PROMPT)) || strcmp(shown + strlen(PROMPT), text))
		printf("# shown: %s\n", shown);
	CHECK(strncmp(shown, PROMPT, strlen(PROMPT)) == 0 &&
	      strcmp(shown + strlen(PROMPT), text) == 0);
}

static void enter(const char *line)
{
	CHECK_EQ(type(line), EDITOR_NOTHING);
	CHECK_EQ(type("\r"), EDITOR_LINE);
	CHECK(strcmp(editor.text, line) == 0);
	editor_clear(&editor);
	memset(screen, 0, sizeof(screen));
	column = 0;
	editor_draw(&editor);
}

TEST(what_is_typed_is_shown_and_is_the_line)
{
	start();
	type("start web");
	check_line("start web|");
	CHECK_EQ(type("\n"), EDITOR_LINE);
	CHECK(strcmp(editor.text, "start web") == 0);
}

TEST(keys_move_and_change)
{
	start();
	type("abcd\x1b[D\x1b[DX");
	check_line("abX|cd");
	type("\x01Y\x1b[C");
	check_line("Ya|bXcd");
	type("\x05Z\x7f");
	check_line("YabXcd|");
	type("\x1b[H\x1b[3~");
	check_line("|abXcd");
	type("\x1b[4~ one two\x17");
	check_line("abXcd one |");
	type("\x02\x02\x02\x02\x0b");
	check_line("abXcd |");
	type("\x06\x06\x15");
	check_line("|");
	type("\x08\x7f\x1b[D\x1b[C\x1b[3~\x0b\x17");
	check_line("|");
}

TEST(a_line_with_the_cursor_in_it_is_whole)
{
	start();
	type("kill b\x1b[D\x1b[DX");
	CHECK_EQ(type("\r"), EDITOR_LINE);
	CHECK(strcmp(editor.text, "killX b") == 0);
}

TEST(the_history_goes_up_and_down_and_keeps_what_is_typed)
{
	start();
	enter("one");
	enter("two");
	enter("two");
	type("thr\x1b[A");
	check_line("two|");
	type("\x1b[A");
	check_line("one|");
	type("\x1b[A");
	check_line("one|");
	type("\x0e\x1b[B");
	check_line("thr|");
	type("\x1b[B");
	check_line("thr|");
}

TEST(the_history_keeps_the_last_lines)
{
	char line[8];

	start();
	for (unsigned i = 0; i < 50; i++) {
		snprintf(line, sizeof(line), "n%u", i);
		enter(line);
	}
	for (unsigned i = 0; i < 30; i++)
		type("\x10");
	check_line("n34|");
}

TEST(a_long_line_is_shown_in_part)
{
	char wanted[EDITOR_COLUMNS + 1];

	start();
	for (unsigned i = 0; i < 200; i++)
		editor_key(&editor, (uint8_t)('a' + i % 26));
	CHECK_EQ(column, EDITOR_COLUMNS - 1);
	CHECK(screen[column - 1] == 'a' + 199 % 26);
	type("\x01");
	CHECK_EQ(column, strlen(PROMPT));
	CHECK(screen[column] == 'a');
	type("\x05");
	CHECK_EQ(column, EDITOR_COLUMNS - 1);
	snprintf(wanted, sizeof(wanted), "%s", screen);
	for (unsigned i = 0; i < 180; i++)
		type("\x1b[D");
	CHECK_EQ(editor.cursor, 20);
	CHECK_EQ(type("\r"), EDITOR_LINE);
	CHECK_EQ(strlen(editor.text), 200);
}

TEST(more_than_a_line_is_refused_whole)
{
	start();
	for (unsigned i = 0; i < 1000; i++)
		CHECK_EQ(editor_key(&editor, 'x'), EDITOR_NOTHING);
	CHECK_EQ(editor.size, EDITOR_TEXT_MAX);
	CHECK_EQ(type("\r"), EDITOR_TOO_LONG);
	editor_clear(&editor);
	CHECK_EQ(editor.history_count, 0);
	start();
	for (unsigned i = 0; i < 1000; i++)
		editor_key(&editor, 'x');
	type("\x03");
	check_line("|");
	type("vms");
	CHECK_EQ(type("\r"), EDITOR_LINE);
	CHECK(strcmp(editor.text, "vms") == 0);
}

TEST(control_characters_and_others_do_nothing)
{
	start();
	type("v");
	for (unsigned byte = 1; byte < 256; byte++)
		if (!strchr("\x01\x02\x03\x04\x05\x06\x08\t\n\x0b\x0c\r\x0e\x10\x15\x17\x1b",
			    (int)byte) &&
		    (byte < 0x20 || byte > 0x7f))
			CHECK_EQ(editor_key(&editor, (uint8_t)byte), EDITOR_NOTHING);
	CHECK_EQ(editor_key(&editor, 0), EDITOR_NOTHING);
	type("\x1b[99999999999999999999A\x1b[1;2;3z\x1bOx\x1b\x1b[6~\x1b[\x01ms");
	check_line("vms|");
}

TEST(an_end_of_line_ends_an_escape_sequence)
{
	start();
	type("vms\x1b[12");
	CHECK_EQ(type("\r"), EDITOR_LINE);
	CHECK(strcmp(editor.text, "vms") == 0);
}

TEST(an_empty_line_and_ctrl_d_leave)
{
	start();
	CHECK_EQ(type("\r"), EDITOR_LEAVE);
	CHECK_EQ(type("  \n"), EDITOR_LEAVE);
	type("\x15");
	CHECK_EQ(type("\x04"), EDITOR_LEAVE);
	CHECK_EQ(type("ab\x01\x04"), EDITOR_NOTHING);
	check_line("|b");
	CHECK_EQ(type("\x05\x04"), EDITOR_NOTHING);
	check_line("b|");
}

TEST(completion_puts_in_at_the_cursor)
{
	start();
	type("sta web\x1b[D\x1b[D\x1b[D\x1b[D");
	CHECK_EQ(type("\t"), EDITOR_COMPLETE);
	CHECK_EQ(editor.cursor, 3);
	editor_insert(&editor, "rt", 2);
	check_line("start| web");
}

int main(void)
{
	RUN(what_is_typed_is_shown_and_is_the_line);
	RUN(keys_move_and_change);
	RUN(a_line_with_the_cursor_in_it_is_whole);
	RUN(the_history_goes_up_and_down_and_keeps_what_is_typed);
	RUN(the_history_keeps_the_last_lines);
	RUN(a_long_line_is_shown_in_part);
	RUN(more_than_a_line_is_refused_whole);
	RUN(control_characters_and_others_do_nothing);
	RUN(an_end_of_line_ends_an_escape_sequence);
	RUN(an_empty_line_and_ctrl_d_leave);
	RUN(completion_puts_in_at_the_cursor);
	return unit_end();
}
