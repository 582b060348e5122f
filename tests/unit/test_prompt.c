/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator's commands ask for, and how they are completed. */
#include "services/console/prompt.h"
#include "tests/unit/unit.h"

static const char *const names[] = {"web", "web-2", "db", "weather"};
static struct prompt_line line;
static char more[40], say[PROMPT_SAY_MAX];

static void check_order(const char *text, enum console_command command, const char *name)
{
	prompt_parse(text, &line);
	CHECK_EQ(line.what, PROMPT_ORDER);
	CHECK_EQ(line.order.command, command);
	CHECK(strcmp(line.order.name, name) == 0);
}

static void check_error(const char *text, const char *error)
{
	prompt_parse(text, &line);
	CHECK_EQ(line.what, PROMPT_ERROR);
	if (strcmp(line.error, error))
		printf("# got: %s\n", line.error);
	CHECK(strcmp(line.error, error) == 0);
}

static void check_completion(const char *text, const char *wanted, const char *said)
{
	prompt_complete(text, strlen(text), names, 4, more, say);
	if (strcmp(more, wanted) || strcmp(say, said))
		printf("# got: \"%s\", \"%s\"\n", more, say);
	CHECK(strcmp(more, wanted) == 0 && strcmp(say, said) == 0);
}

TEST(each_command_is_understood)
{
	check_order("vms", CONSOLE_COMMAND_VMS, "");
	check_order("start web", CONSOLE_COMMAND_START, "web");
	check_order("stop web", CONSOLE_COMMAND_STOP, "web");
	check_order("kill web", CONSOLE_COMMAND_KILL, "web");
	check_order("reset web", CONSOLE_COMMAND_RESET, "web");
	check_order("pause web", CONSOLE_COMMAND_PAUSE, "web");
	check_order("resume web", CONSOLE_COMMAND_RESUME, "web");
	check_order("stats web", CONSOLE_COMMAND_STATS, "web");
	check_order("top", CONSOLE_COMMAND_TOP, "");
	check_order("cores", CONSOLE_COMMAND_CORES, "");
	check_order(" set  web  weight=3 cap=off ", CONSOLE_COMMAND_SET, "web");
	CHECK(strcmp(line.order.text, "weight=3 cap=off ") == 0);
	check_order("memory", CONSOLE_COMMAND_MEMORY, "");
	check_order("trace", CONSOLE_COMMAND_TRACE, "");
	check_order("poweroff", CONSOLE_COMMAND_POWEROFF, "");
	check_order("reboot", CONSOLE_COMMAND_REBOOT, "");
	check_order("   start    web  ", CONSOLE_COMMAND_START, "web");
	prompt_parse("console web", &line);
	CHECK(line.what == PROMPT_CONSOLE && strcmp(line.order.name, "web") == 0);
	prompt_parse("console", &line);
	CHECK(line.what == PROMPT_CONSOLE && !line.order.name[0]);
	prompt_parse("help", &line);
	CHECK_EQ(line.what, PROMPT_HELP);
	prompt_parse("log", &line);
	CHECK_EQ(line.what, PROMPT_LOG);
}

TEST(what_is_wrong_is_said)
{
	check_error("boom", "boom: no command; `help` lists them");
	check_error("VMS", "VMS: no command; `help` lists them");
	check_error("vm", "vm: no command; `help` lists them");
	check_error("start", "start: the name of a VM is missing; `vms` lists them");
	check_error("start a b", "start: takes one name");
	check_error("start a b c d e f g h", "start: takes one name");
	check_error("vms web", "vms: takes no name");
	check_error("console a b", "console: takes one name");
	check_error("set", "set: the name of a VM is missing; `vms` lists them");
	check_error("set web", "set: a setting such as weight=300 is missing; `help` lists them");
	check_error("cores 0", "cores: takes no name");
	check_error("save", "save: the name of a VM is missing; `vms` lists them");
	check_error("load web db", "load: takes one name");
	check_error("start 0123456789012345678901234567890123456789",
		    "01234567890123456789012345678901...: longer than any name");
	check_error("\x80\xff", "??: no command; `help` lists them");
	check_error("", ": no command; `help` lists them");
}

TEST(the_longest_name_is_taken)
{
	check_order("kill 01234567890123456789012345678901", CONSOLE_COMMAND_KILL,
		    "01234567890123456789012345678901");
}

TEST(commands_are_completed)
{
	check_completion("v", "ms ", "");
	check_completion("st", "", "start  stop  stats");
	check_completion("sta", "", "start  stats");
	check_completion("  star", "t ", "");
	check_completion("xyz", "", "");
	check_completion("r", "e", "");
}

TEST(names_are_completed)
{
	check_completion("kill d", "b ", "");
	check_completion("kill w", "e", "");
	check_completion("kill we", "", "web  web-2  weather");
	check_completion("kill web", "", "web  web-2");
	check_completion("kill ", "", "web  web-2  db  weather");
	check_completion("  console wea", "ther ", "");
	check_completion("vms w", "", "");
	check_completion("kill web w", "", "");
	check_completion("boom w", "", "");
	check_completion("set we", "", "web  web-2  weather");
	check_completion("set web w", "eight=", "");
	check_completion("set web weight=3 c", "", "cap=  cpus=");
	check_completion("set web ", "", "weight=  cap=  cpus=  exclusive=  realtime=");
}

TEST(a_completion_in_a_line_looks_at_what_is_before_it)
{
	prompt_complete("sto web", 3, names, 4, more, say);
	CHECK(strcmp(more, "p ") == 0 && !*say);
}

TEST(many_names_are_said_in_part)
{
	static char text[200][33];
	const char *many[200];

	for (unsigned i = 0; i < 200; i++) {
		snprintf(text[i], sizeof(text[i]), "vm-%029u", i);
		many[i] = text[i];
	}
	prompt_complete("kill vm-00000000000000000000000000", 34, many, 200, more, say);
	CHECK(strlen(say) < PROMPT_SAY_MAX);
	CHECK(strcmp(say + strlen(say) - 4, " ...") == 0 || strcmp(more, "") != 0);
}

TEST(help_names_each_command)
{
	unsigned count = 0;

	for (const char *text; (text = prompt_help(count)); count++) {
		char word[16];

		CHECK(sscanf(text, "%15s", word) == 1 && strlen(text) < 72);
		prompt_parse(word, &line);
		CHECK(line.what != PROMPT_ERROR || strstr(line.error, "name of a VM"));
	}
	CHECK(count >= 15);
}

int main(void)
{
	RUN(each_command_is_understood);
	RUN(what_is_wrong_is_said);
	RUN(the_longest_name_is_taken);
	RUN(commands_are_completed);
	RUN(names_are_completed);
	RUN(a_completion_in_a_line_looks_at_what_is_before_it);
	RUN(many_names_are_said_in_part);
	RUN(help_names_each_command);
	return unit_end();
}
