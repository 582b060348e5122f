/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator's commands: which there are, what a line asks for, how a line goes on. No I/O here.
 */
#include "services/console/prompt.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 3u
#define SHOWN_MAX 32

enum name_need { NO_NAME, MAY_NAME, NEEDS_NAME, NEEDS_TEXT };

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
	{"save", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_SAVE,
	 "save NAME       stops it and keeps it in memory; kill drops that"},
	{"load", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_LOAD,
	 "load NAME       lets it go on where it was saved"},
	{"console", MAY_NAME, PROMPT_CONSOLE, CONSOLE_COMMAND_COUNT,
	 "console [NAME]  attaches to it, or shows all VMs' lines again"},
	{"stats", NEEDS_NAME, PROMPT_ORDER, CONSOLE_COMMAND_STATS,
	 "stats NAME      its exits by reason"},
	{"set", NEEDS_TEXT, PROMPT_ORDER, CONSOLE_COMMAND_SET,
	 "set NAME K=V .. its cores: weight, cap, cpus, exclusive, realtime"},
	{"memory", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_MEMORY,
	 "memory          the machine's memory and each VM's"},
	{"cores", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_CORES,
	 "cores           what each core does"},
	{"top", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_TOP,
	 "top             what each VM does, second by second"},
	{"trace", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_TRACE,
	 "trace           what each core did last, for tools/corbel-trace"},
	{"log", NO_NAME, PROMPT_LOG, CONSOLE_COMMAND_COUNT, "log             Corbel's last lines"},
	{"poweroff", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_POWEROFF,
	 "poweroff        stops all VMs, then the machine"},
	{"reboot", NO_NAME, PROMPT_ORDER, CONSOLE_COMMAND_REBOOT,
	 "reboot          stops all VMs, then restarts the machine"},
	{"help", NO_NAME, PROMPT_HELP, CONSOLE_COMMAND_COUNT, "help            this list"},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

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

static void check_count(struct prompt_line *line, const struct word *word, enum name_need need,
			size_t count)
{
	if (need >= NEEDS_NAME && count < 2)
		fail(line, word, "the name of a VM is missing; `vms` lists them");
	else if (need == NEEDS_TEXT && count < 3)
		fail(line, word, "a setting such as weight=300 is missing; `help` lists them");
	else if (need != NEEDS_TEXT && count > (need == NO_NAME ? 1u : 2u))
		fail(line, word, need == NO_NAME ? "takes no name" : "takes one name");
}

void prompt_parse(const char *text, struct prompt_line *line)
{
	struct word words[WORDS_MAX] = {{"", 0}};
	size_t count = split(text, words);
	const struct command *command = find(&words[0]);

	memset(line, 0, sizeof(*line));
	if (!command)
		fail(line, &words[0], "no command; `help` lists them");
	else
		check_count(line, &words[0], command->need, count);
	if (line->what == PROMPT_ERROR)
		return;
	if (words[1].size >= sizeof(line->order.name))
		fail(line, &words[1], "longer than any name");
	if (line->what == PROMPT_ERROR)
		return;
	line->what = command->what;
	line->order.command = command->command;
	memcpy(line->order.name, words[1].text ? words[1].text : "", words[1].size);
	if (command->need == NEEDS_TEXT)
		snprintf(line->order.text, sizeof(line->order.text), "%s", words[2].text);
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
	const char *end = " ";
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
		static const char *const settings[] = {
			"weight=", "cap=", "cpus=", "exclusive=", "realtime="};
		const struct command *command;
		bool has_name;

		first.size = strcspn(first.text, " ");
		command = find(&first);
		has_name = strspn(first.text + first.size, " ") <
			   (size_t)(text + start - first.text) - first.size;
		if (!command || command->need == NO_NAME ||
		    (has_name && command->need != NEEDS_TEXT))
			return; /* it takes no name, or has one */
		for (size_t i = 0; i < (has_name ? 5 : count); i++)
			consider(&completion, has_name ? settings[i] : names[i]);
		if (has_name && completion.count == 1)
			end = "";
	}
	if (completion.count)
		snprintf(more, 40, "%.*s%s", (int)(completion.common - completion.stem_size),
			 completion.first + completion.stem_size, completion.count == 1 ? end : "");
	if (completion.count < 2 || more[0])
		say[0] = 0;
}
