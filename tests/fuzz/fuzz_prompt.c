/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes what is typed on COM1: whose it is, the line editor, the commands. */
#include "services/console/editor.h"
#include "services/console/keys.h"
#include "services/console/mux.h"
#include "services/console/prompt.h"
#include "services/init/sharing.h"
#include "tests/fuzz/fuzz.h"

static struct keys keys;
static struct editor editor;
static size_t column;

/* On the screen nothing but characters and the two sequences that are meant, in its columns. */
static void emit(struct editor *e, const char *bytes, size_t size)
{
	CHECK(e == &editor && size <= MUX_PROMPT_MAX);
	for (size_t i = 0; i < size; i++) {
		unsigned long count;
		char *end;

		if (bytes[i] == '\r') {
			column = 0;
			continue;
		}
		if (bytes[i] != 0x1b) {
			CHECK(bytes[i] >= 0x20 && bytes[i] < 0x7f && column < EDITOR_COLUMNS - 1);
			column++;
			continue;
		}
		CHECK(bytes[i + 1] == '[');
		count = strtoul(bytes + i + 2, &end, 10);
		CHECK(*end == 'K' || (*end == 'D' && count && count <= column));
		column -= count;
		i = (size_t)(end - bytes);
	}
}

static void check_text(const char *text, size_t capacity)
{
	size_t size = strnlen(text, capacity);

	CHECK(size < capacity);
	for (size_t i = 0; i < size; i++)
		CHECK(text[i] >= 0x20 && text[i] < 0x7f);
}

static void complete(void)
{
	static const char *const names[] = {"a", "web", "web-2",
					    "0123456789-0123456789-0123456789"};
	char more[40], say[PROMPT_SAY_MAX];

	prompt_complete(editor.text, editor.cursor, names, 4, more, say);
	check_text(more, sizeof(more));
	check_text(say, sizeof(say));
	editor_insert(&editor, more, strlen(more));
}

/* What init makes of it: settings that go together, or none of them. */
static void check_settings(const char *text)
{
	struct sharing sharing = sharing_default;
	const char *key;
	char word[20];

	if (sharing_parse(&sharing, text, word))
		CHECK(memcmp(&sharing, &sharing_default, sizeof(sharing)) == 0);
	check_text(word, sizeof(word));
	CHECK(!sharing_check(&sharing, &key) && sharing.weight >= 1 &&
	      sharing.weight <= ABI_WEIGHT_MAX);
}

static bool run(void)
{
	struct prompt_line line;

	check_text(editor.text, sizeof(editor.text));
	prompt_parse(editor.text, &line);
	check_text(line.error, sizeof(line.error));
	check_text(line.order.name, sizeof(line.order.name));
	check_text(line.order.text, sizeof(line.order.text));
	check_settings(line.order.text);
	CHECK((line.what == PROMPT_ERROR) == (line.error[0] != 0));
	CHECK(line.what != PROMPT_ORDER || line.order.command < CONSOLE_COMMAND_COUNT);
	return line.what == PROMPT_CONSOLE;
}

/* True: the prompt shuts. */
static bool press(uint8_t byte)
{
	bool is_shut = false;

	switch (editor_key(&editor, byte)) {
	case EDITOR_NOTHING:
		break;
	case EDITOR_COMPLETE:
		complete();
		break;
	case EDITOR_LEAVE:
		is_shut = true;
		editor_clear(&editor);
		break;
	case EDITOR_LINE:
		is_shut = run();
		editor_clear(&editor);
		break;
	case EDITOR_TOO_LONG:
		editor_clear(&editor);
		break;
	}
	if (!editor.size) { /* perhaps on a line of its own */
		column = 0;
		editor_draw(&editor);
	}
	CHECK(editor.size <= EDITOR_TEXT_MAX && editor.cursor <= editor.size &&
	      editor.view <= editor.cursor && editor.text[editor.size] == 0);
	CHECK_EQ(column, strlen(editor.prompt) + editor.cursor - editor.view);
	return is_shut;
}

static void fuzz(struct input *input)
{
	bool is_open = false;
	uint64_t now = 1;

	memset(&keys, 0, sizeof(keys));
	editor_init(&editor, emit);
	editor_prompt(&editor, "corbel: 0123456789-0123456789-0123456789> ");
	column = 0;
	editor_draw(&editor);
	while (input->left) {
		uint8_t how = take8(input), byte;
		size_t room;
		uint8_t *to = keys_room(&keys, &room);

		CHECK(to + room == keys.raw + KEYS_RAW_MAX);
		if (how % 4 && room) {
			take(input, to, 1);
			keys.raw_size++;
		} else if (how & 4) {
			keys_took(&keys, how % (keys.guest_size + 1));
		} else {
			now += KEYS_PATIENCE_NS / 3;
		}
		for (;;) {
			enum keys_next next = keys_next(&keys, is_open, now, &byte);

			if (next == KEYS_NONE)
				break;
			CHECK(is_open == (next == KEYS_PROMPT));
			is_open = next == KEYS_OPEN || !press(byte);
		}
		CHECK(keys.guest_size <= KEYS_GUEST_MAX && keys.raw_size <= KEYS_RAW_MAX);
	}
}
