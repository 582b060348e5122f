/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator's commands: which there are, what a line asks for, how a line goes on. No I/O here.
 */
#include "services/console/prompt.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 3u
#define SHOWN_MAX 32

enum name_need { NO_NAME, MAY_NAME, NEEDS_NAME };

static const struct command {
	const char *word;
	enum name_need need;
	enum prompt_what what;
	enum console_command command;
	const char *help;
} commands[] = {
	{"vms", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_VMS,
	 "vms             the VMs and their states"},
	{"start", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_START, "start NAME      starts a VM"},
	{"stop", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_STOP,
	 "stop NAME       presses its power button"},
	{"kill", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_KILL, "kill NAME       ends it at once"},
	{"reset", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_RESET,
	 "reset NAME      ends it at once and starts it again"},
	{"pause", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_PAUSE,
	 "pause NAME      lets its CPU stand still; its clocks go on"},
	{"resume", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_RESUME,
	 "resume NAME     lets it run again"},
	{"console", MAY_NAME, PROMPT_CONSOLE, CONSOLE_COMMAND_COUNT,
	 "console [NAME]  attaches to it, or shows all VMs' lines again"},
	{"stats", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_STATS,
	 "stats NAME      its exits by reason"},
	{"memory", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_MEMORY,
	 "memory          the machine's memory and each VM's"},
	{"top", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_TOP,
	 "top             what each VM does, second by second"},
	{"log", NO_NAME, PROMPT_LOG, CONSOLE_COMMAND_COUNT, "log             Corbel's last lines"},
	{"poweroff", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_POWEROFF,
	 "poweroff        stops all VMs, then the machine"},
	{"reboot", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_REBOOT,
	 "reboot          stops all VMs, then restarts the machine"},
	{"help", NO_NAME, PROMPT_HELP, CONSOLE_COMMAND_COUNT, "help            this list"},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* What is said of commands that other parts of Corbel have to bring first. */
static const struct {
	const char *word, *why;
} later[] = {
	{"set", "comes with the scheduler"},   {"cores", "comes with the scheduler"},
	{"trace", "comes with the scheduler"}, {"save", "is not there yet"},
	{"load", "is not there yet"},
};

struct word {
	const char *text;
	size_t size;
};

/* Up to WORDS_MAX words; returns how many there are, at most one more than that. */
static size_t split(const char *text, struct word *words)
{
	size_t count = 0;

	for (;;) {
		text += strspn(text, " ");
		if (!*text)
			return count;
		if (count == WORDS_MAX)
			return count + 1;
		words[count].text = text;
		words[count].size = strcspn(text, " ");
		text += words[count++].size;
	}
}

static bool is(const struct word *word, const char *text)
{
	return strlen(text) == word->size && memcmp(text, word->text, word->size) == 0;
}

static const struct command *find(const struct word *word)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (is(word, commands[i].word))
			return &commands[i];
	return NULL;
}

static void fail(struct prompt_line *line, const struct word *word, const char *why)
{
	int size = word->size > SHOWN_MAX ? SHOWN_MAX : (int)word->size;

	line->what = PROMPT_ERROR;
	snprintf(line->error, sizeof(line->error), "%.*s%s: %s", size, word->text,
		 word->size > SHOWN_MAX ? "..." : "", why);
	for (char *c = line->error; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

void prompt_parse(const char *text, struct prompt_line *line)
{
	struct word words[WORDS_MAX] = {{"", 0}};
	size_t count = split(text, words);
	const struct command *command = find(&words[0]);

	memset(line, 0, sizeof(*line));
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (!is(&words[0], later[i].word))
			continue;
		fail(line, &words[0], later[i].why);
		return;
	}
	if (!command)
		fail(line, &words[0], "no command; `help` lists them");
	else if (command->need == NEEDS_NAME && count < 2)
		fail(line, &words[0], "the name of a VM is missing; `vms` lists them");
	else if (count > (command->need == NO_NAME ? 1u : 2u))
		fail(line, &words[0],
		     command->need == NO_NAME ? "takes no name" : "takes one name");
	else if (words[1].size >= sizeof(line->order.name))
		fail(line, &words[1], "longer than any name");
	if (line->what == PROMPT_ERROR)
		return;
	line->what = command->what;
	line->order.command = command->command;
	memcpy(line->order.name, words[1].text ? words[1].text : "", words[1].size);
}

const char *prompt_help(unsigned line)
{
	return line < COMMAND_COUNT ? commands[line].help : NULL;
}

/* ---- completion ---- */

struct completion {
	const char *stem;
	size_t stem_size;
	const char *first; /* candidate */
	size_t common;     /* how many characters all candidates share */
	size_t count;
	char *say;
};

static void consider(struct completion *completion, const char *candidate)
{
	size_t common = 0, used = strlen(completion->say);

	if (strncmp(candidate, completion->stem, completion->stem_size) != 0)
		return;
	if (completion->count++ == 0) {
		completion->first = candidate;
		completion->common = strlen(candidate);
	}
	while (common < completion->common && candidate[common] == completion->first[common])
		common++;
	completion->common = common;
	if (used + strlen(candidate) + 6 < PROMPT_SAY_MAX)
		snprintf(completion->say + used, PROMPT_SAY_MAX - used, "%s%s", used ? "  " : "",
			 candidate);
	else if (used + 5 < PROMPT_SAY_MAX && completion->say[used - 1] != '.')
		strcpy(completion->say + used, " ...");
}

void prompt_complete(const char *text, size_t size, const char *const *names, size_t count,
		     char more[40], char say[PROMPT_SAY_MAX])
{
	struct completion completion = {.say = say};
	struct word first;
	size_t start = size;

	more[0] = say[0] = 0;
	while (start && text[start - 1] != ' ')
		start--;
	completion.stem = text + start;
	completion.stem_size = size - start;
	first.text = text + strspn(text, " ");
	if (first.text >= text + start) {
		for (size_t i = 0; i < COMMAND_COUNT; i++)
			consider(&completion, commands[i].word);
	} else {
		const struct command *command;

		first.size = strcspn(first.text, " ");
		command = find(&first);
		if (!command || command->need == NO_NAME ||
		    strspn(first.text + first.size, " ") <
			    (size_t)(text + start - first.text) - first.size)
			return; /* it takes no name, or has one */
		for (size_t i = 0; i < count; i++)
			consider(&completion, names[i]);
	}
	if (completion.count)
		snprintf(more, 40, "%.*s%s", (int)(completion.common - completion.stem_size),
			 completion.first + completion.stem_size, completion.count == 1 ? " " : "");
	if (completion.count < 2 || more[0])
		say[0] = 0;
}
