/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator at the prompt. */
#include "services/console/operator.h"

#include <stdio.h>
#include <string.h>

#include "services/console/clients.h"
#include "services/console/editor.h"
#include "services/console/keys.h"
#include "services/console/prompt.h"
#include "services/lib/syscall.h"
#include "services/proto/console.h"

#define LOG_SIZE 3072u /* bytes of Corbel's last lines that `log` tells */

static struct mux *mux;
static struct mux_source answers; /* what is said at the prompt, as lines of Corbel */
static struct editor editor;
static bool is_open, is_busy; /* busy: init has not answered yet */
static bool is_endless;       /* and does not stop to, until a key comes */
static bool init_knows;       /* what it was told of is_open */

static void emit(struct editor *the_editor, const char *bytes, size_t size)
{
	(void)the_editor;
	if (mux->is_prompt_drawn)
		mux->emit(mux, bytes, size);
}

static void draw(struct mux *the_mux)
{
	const struct client *listener = clients_listener();
	char text[EDITOR_PROMPT_MAX];

	(void)the_mux;
	snprintf(text, sizeof(text), MUX_LOG_PREFIX "%s> ", listener ? client_name(listener) : "-");
	editor_prompt(&editor, text);
	editor_draw(&editor);
}

void operator_init(struct mux *the_mux)
{
	mux = the_mux;
	mux->draw = draw;
	mux_source_init(&answers, "", true);
	mux_add(mux, &answers);
	editor_init(&editor, emit);
}

static void say(const char *line)
{
	mux_put_log(&answers, (const uint8_t *)line, strlen(line));
}

/* ---- open and shut ---- */

void operator_open(void)
{
	is_open = true;
	clients_hush(true);
	mux_prompt(mux, true);
}

static void leave(void)
{
	is_open = false;
	mux_prompt(mux, false);
	clients_hush(false);
}

bool operator_is_there(void)
{
	return is_open;
}

/* With the line that is typed on the screen, so that keys show. */
bool operator_wants_key(void)
{
	if (is_endless)
		return true;
	return is_open && !is_busy && mux->is_prompt_drawn && mux->room(mux) >= OPERATOR_ROOM;
}

bool operator_tell_init(void)
{
	struct console_message message = {.type = is_open ? CONSOLE_PROMPT_OPEN
							  : CONSOLE_PROMPT_SHUT};

	if (init_knows != is_open &&
	    channel_send(ABI_HANDLE_BOOTSTRAP, &message, CONSOLE_HEADER_SIZE, NULL, 0) >= 0)
		init_knows = is_open;
	return init_knows == is_open;
}

/* ---- commands ---- */

static void order(const struct console_order *what)
{
	struct console_message message = {.type = CONSOLE_COMMAND, .size = sizeof(*what)};

	memcpy(message.bytes, what, sizeof(*what));
	if (channel_send(ABI_HANDLE_BOOTSTRAP, &message, CONSOLE_HEADER_SIZE + sizeof(*what), NULL,
			 0) < 0)
		say("init takes no orders now");
	else
		is_busy = true;
	is_endless = is_busy && what->command == CONSOLE_COMMAND_TOP;
}

/* Any key ends it. */
static void end_endless(void)
{
	struct console_message message = {.type = CONSOLE_BREAK};

	if (channel_send(ABI_HANDLE_BOOTSTRAP, &message, CONSOLE_HEADER_SIZE, NULL, 0) >= 0)
		is_endless = false;
}

static void attach(const char *name)
{
	struct client *client = *name ? clients_find(name) : NULL;

	if (*name && !client) {
		char text[EDITOR_TEXT_MAX + 80];

		snprintf(text, sizeof(text), "vm %s: there is none of this name; `vms` lists them",
			 name);
		say(text);
		return;
	}
	leave();
	clients_focus(client);
}

static void help(void)
{
	const char *line;

	for (unsigned i = 0; (line = prompt_help(i)); i++)
		say(line);
	say("an empty line or Ctrl-D goes back to the VM, Ctrl-] sends it a Ctrl-]");
}

/* Corbel's last lines once more, marked, so that nobody takes them for new ones. */
static void tell_log(void)
{
	static uint8_t bytes[LOG_SIZE + 1];
	const struct mux_source *log = clients_log();
	size_t size = log ? mux_kept(log, bytes, LOG_SIZE) : 0;
	char *line, *end;

	bytes[size] = 0;
	line = (char *)bytes;
	if (size == LOG_SIZE) /* it begins somewhere in a line */
		line += strcspn(line, "\n");
	for (; *(line += strspn(line, "\r\n")); line = end) {
		end = line + strcspn(line, "\r\n");
		if (*end)
			*end++ = 0;
		if (strncmp(line, MUX_LOG_PREFIX, MUX_LOG_PREFIX_SIZE) == 0)
			line += MUX_LOG_PREFIX_SIZE;
		if (end - line + 40 < (ptrdiff_t)(MUX_PENDING_MAX - answers.pending_size)) {
			static char text[LOG_SIZE + 8];

			snprintf(text, sizeof(text), "log: %s", line);
			say(text);
		}
	}
}

static void run(const char *text)
{
	struct prompt_line line;

	prompt_parse(text, &line);
	switch (line.what) {
	case PROMPT_ORDER:
		order(&line.order);
		break;
	case PROMPT_CONSOLE:
		attach(line.order.name);
		break;
	case PROMPT_HELP:
		help();
		break;
	case PROMPT_LOG:
		tell_log();
		break;
	case PROMPT_ERROR:
		say(line.error);
		break;
	}
}

static void complete(void)
{
	static const char *names[CLIENTS_MAX];
	char more[40], text[PROMPT_SAY_MAX];

	prompt_complete(editor.text, editor.cursor, names, clients_names(names, CLIENTS_MAX), more,
			text);
	editor_insert(&editor, more, strlen(more));
	if (*text)
		say(text);
}

bool operator_key(uint8_t byte)
{
	char text[EDITOR_TEXT_MAX + 1];

	if (is_endless) {
		end_endless();
		return false;
	}
	if (byte == KEYS_ESCAPE) {
		editor_clear(&editor);
		leave();
		return true;
	}
	switch (editor_key(&editor, byte)) {
	case EDITOR_NOTHING:
		break;
	case EDITOR_COMPLETE:
		complete();
		break;
	case EDITOR_LEAVE:
		editor_clear(&editor);
		leave();
		break;
	case EDITOR_TOO_LONG:
		mux_prompt(mux, true);
		editor_clear(&editor);
		say("a command has at most 255 characters; nothing was done");
		break;
	case EDITOR_LINE:
		memcpy(text, editor.text, sizeof(text));
		mux_prompt(mux, true);
		editor_clear(&editor);
		run(text);
		mux->has_prompt = is_open && !is_busy;
		break;
	}
	return false;
}

/* ---- init's answer ---- */

bool operator_has_room(void)
{
	return MUX_PENDING_MAX - answers.pending_size >= CONSOLE_BYTES_MAX + 16;
}

void operator_reply(const uint8_t *bytes, size_t size)
{
	mux_put_log(&answers, bytes, size);
}

void operator_reply_end(void)
{
	is_busy = is_endless = false;
	mux->has_prompt = is_open;
}
