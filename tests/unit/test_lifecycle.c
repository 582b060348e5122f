/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be asked of a VM in each state, and when it starts again. */
#include "services/init/lifecycle.h"
#include "tests/unit/unit.h"

#define SECOND 1000000000ull

static struct lifecycle life;

static void start(void)
{
	lifecycle_init(&life);
	lifecycle_start(&life, SECOND);
}

static bool may(enum console_command command)
{
	return lifecycle_check(&life, command) == NULL;
}

static uint64_t end(enum config_restart policy, bool is_failure, uint64_t now_ns)
{
	uint64_t wait = lifecycle_end(&life, policy, is_failure, now_ns);

	CHECK(!life.is_running && !life.is_paused);
	CHECK_EQ(life.due_ns, wait == LIFECYCLE_NEVER ? LIFECYCLE_NEVER : now_ns + wait);
	return wait;
}

TEST(each_policy_starts_again_what_it_should)
{
	start();
	CHECK_EQ(end(CONFIG_RESTART_NEVER, true, 2 * SECOND), LIFECYCLE_NEVER);
	start();
	CHECK_EQ(end(CONFIG_RESTART_NEVER, false, 2 * SECOND), LIFECYCLE_NEVER);
	start();
	CHECK_EQ(end(CONFIG_RESTART_ON_FAILURE, true, 2 * SECOND), LIFECYCLE_WAIT_NS);
	start();
	CHECK_EQ(end(CONFIG_RESTART_ON_FAILURE, false, 2 * SECOND), LIFECYCLE_NEVER);
	start();
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, 2 * SECOND), LIFECYCLE_WAIT_NS);
	start();
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, false, 2 * SECOND), LIFECYCLE_WAIT_NS);
}

TEST(the_wait_doubles_up_to_its_limit)
{
	uint64_t now = SECOND, wanted = LIFECYCLE_WAIT_NS;

	start();
	for (unsigned i = 0; i < 20; i++) {
		CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, now), wanted);
		now += wanted;
		lifecycle_start(&life, now);
		now += LIFECYCLE_CALM_NS - 1;
		wanted = wanted * 2 > LIFECYCLE_WAIT_MAX_NS ? LIFECYCLE_WAIT_MAX_NS : wanted * 2;
	}
	CHECK_EQ(wanted, LIFECYCLE_WAIT_MAX_NS);
}

TEST(who_ran_long_waits_as_at_first)
{
	start();
	end(CONFIG_RESTART_ALWAYS, true, 2 * SECOND);
	lifecycle_start(&life, 3 * SECOND);
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, 4 * SECOND), 2 * LIFECYCLE_WAIT_NS);
	lifecycle_start(&life, 5 * SECOND);
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, 5 * SECOND + LIFECYCLE_CALM_NS),
		 LIFECYCLE_WAIT_NS);
}

TEST(a_start_that_fails_again_and_again_waits_longer)
{
	start();
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, SECOND), LIFECYCLE_WAIT_NS);
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, 100 * SECOND), 2 * LIFECYCLE_WAIT_NS);
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, 200 * SECOND), 4 * LIFECYCLE_WAIT_NS);
}

TEST(what_the_operator_ends_does_not_start_again)
{
	static const enum console_command commands[] = {CONSOLE_COMMAND_STOP, CONSOLE_COMMAND_KILL};

	for (unsigned i = 0; i < 2; i++) {
		start();
		lifecycle_apply(&life, commands[i]);
		CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, 2 * SECOND), LIFECYCLE_NEVER);
		start();
		end(CONFIG_RESTART_ALWAYS, true, 2 * SECOND);
		CHECK(may(commands[i]));
		lifecycle_apply(&life, commands[i]); /* while it waits */
		CHECK_EQ(life.due_ns, LIFECYCLE_NEVER);
		CHECK(!may(commands[i]));
	}
}

TEST(a_reset_starts_it_again_at_once_whatever_its_policy)
{
	start();
	lifecycle_apply(&life, CONSOLE_COMMAND_RESET);
	CHECK_EQ(end(CONFIG_RESTART_NEVER, true, 2 * SECOND), 0);
	lifecycle_start(&life, 2 * SECOND);
	CHECK_EQ(end(CONFIG_RESTART_NEVER, true, 3 * SECOND), LIFECYCLE_NEVER);
}

TEST(a_kill_behind_a_reset_wins)
{
	start();
	lifecycle_apply(&life, CONSOLE_COMMAND_RESET);
	lifecycle_apply(&life, CONSOLE_COMMAND_KILL);
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, 2 * SECOND), LIFECYCLE_NEVER);
}

TEST(a_start_behind_a_kill_waits_for_the_end)
{
	start();
	lifecycle_apply(&life, CONSOLE_COMMAND_KILL);
	CHECK(strcmp(lifecycle_word(&life), "ending") == 0);
	CHECK(may(CONSOLE_COMMAND_START) && may(CONSOLE_COMMAND_KILL) &&
	      !may(CONSOLE_COMMAND_STOP) && !may(CONSOLE_COMMAND_PAUSE) &&
	      !may(CONSOLE_COMMAND_RESUME) && !may(CONSOLE_COMMAND_RESET) &&
	      !may(CONSOLE_COMMAND_STATS));
	lifecycle_apply(&life, CONSOLE_COMMAND_START);
	CHECK(life.is_running && life.wants_start);
	CHECK_EQ(end(CONFIG_RESTART_NEVER, true, 2 * SECOND), 0);
}

TEST(only_what_would_start_again_by_itself_counts_as_given_up)
{
	start();
	CHECK(!lifecycle_apply(&life, CONSOLE_COMMAND_KILL));
	end(CONFIG_RESTART_ALWAYS, true, SECOND);
	start();
	end(CONFIG_RESTART_ALWAYS, true, SECOND);
	CHECK(lifecycle_apply(&life, CONSOLE_COMMAND_STOP));
	CHECK(!lifecycle_apply(&life, CONSOLE_COMMAND_STOP));
}

TEST(each_state_takes_what_makes_sense_in_it)
{
	lifecycle_init(&life);
	CHECK(may(CONSOLE_COMMAND_START) && !may(CONSOLE_COMMAND_STOP) &&
	      !may(CONSOLE_COMMAND_KILL) && !may(CONSOLE_COMMAND_PAUSE) &&
	      !may(CONSOLE_COMMAND_RESUME) && !may(CONSOLE_COMMAND_RESET) &&
	      !may(CONSOLE_COMMAND_STATS));
	CHECK(strcmp(lifecycle_word(&life), "off") == 0);
	start();
	CHECK(!may(CONSOLE_COMMAND_START) && may(CONSOLE_COMMAND_STOP) &&
	      may(CONSOLE_COMMAND_KILL) && may(CONSOLE_COMMAND_PAUSE) &&
	      !may(CONSOLE_COMMAND_RESUME) && may(CONSOLE_COMMAND_RESET) &&
	      may(CONSOLE_COMMAND_STATS));
	CHECK(strcmp(lifecycle_word(&life), "runs") == 0);
	lifecycle_apply(&life, CONSOLE_COMMAND_PAUSE);
	CHECK(!may(CONSOLE_COMMAND_START) && !may(CONSOLE_COMMAND_STOP) &&
	      may(CONSOLE_COMMAND_KILL) && !may(CONSOLE_COMMAND_PAUSE) &&
	      may(CONSOLE_COMMAND_RESUME) && may(CONSOLE_COMMAND_RESET));
	CHECK(strcmp(lifecycle_word(&life), "paused") == 0);
	lifecycle_apply(&life, CONSOLE_COMMAND_RESUME);
	CHECK(may(CONSOLE_COMMAND_PAUSE));
	end(CONFIG_RESTART_ALWAYS, true, 2 * SECOND);
	CHECK(may(CONSOLE_COMMAND_START) && may(CONSOLE_COMMAND_KILL) &&
	      !may(CONSOLE_COMMAND_PAUSE) && !may(CONSOLE_COMMAND_RESET));
	CHECK(strcmp(lifecycle_word(&life), "waits") == 0);
}

/* Word by word, so that no order is refused without a sentence, or with another's. */
TEST(what_is_saved_can_be_loaded_or_killed_and_nothing_else)
{
	static const struct {
		enum console_command command;
		const char *off, *runs, *paused, *saved, *killed; /* begin so; NULL: done */
	} cases[] = {
		{CONSOLE_COMMAND_START, NULL, "runs already", "runs already", "is saved; load",
		 NULL},
		{CONSOLE_COMMAND_STOP, "does not run", NULL, "is paused; resume", "is saved; load",
		 "is being killed"},
		{CONSOLE_COMMAND_KILL, "does not run", NULL, NULL, NULL, NULL},
		{CONSOLE_COMMAND_PAUSE, "does not run", NULL, "is paused already", "is saved; load",
		 "is being killed"},
		{CONSOLE_COMMAND_RESUME, "does not run", "is not paused", NULL, "is saved; load",
		 "is being killed"},
		{CONSOLE_COMMAND_RESET, "does not run", NULL, NULL, "is saved; load",
		 "is being killed"},
		{CONSOLE_COMMAND_SAVE, "does not run", NULL, "is paused; resume",
		 "is saved already", "is being killed"},
		{CONSOLE_COMMAND_LOAD, "does not run, and nothing is saved", "runs; only",
		 "is paused; resume", NULL, "is being killed"},
		{CONSOLE_COMMAND_STATS, "does not run", NULL, NULL, "is saved; load",
		 "is being killed"},
	};

	for (unsigned i = 0; i < 5 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *wanted = (&cases[i / 5].off)[i % 5], *why;

		lifecycle_init(&life);
		lifecycle_saved(&life, true); /* by a vmm that is dead: nothing of it is true */
		if (i % 5)
			lifecycle_start(&life, SECOND);
		CHECK(!life.is_saved);
		if (i % 5 == 2)
			lifecycle_apply(&life, CONSOLE_COMMAND_PAUSE);
		if (i % 5 == 3)
			lifecycle_saved(&life, true);
		if (i % 5 == 4)
			lifecycle_apply(&life, CONSOLE_COMMAND_KILL);
		why = lifecycle_check(&life, cases[i / 5].command);
		CHECK(wanted ? why && strncmp(why, wanted, strlen(wanted)) == 0 : !why);
	}
}

TEST(what_was_saved_goes_with_its_vmm)
{
	start();
	lifecycle_saved(&life, true);
	CHECK(strcmp(lifecycle_word(&life), "saved") == 0);
	lifecycle_saved(&life, false);
	CHECK(strcmp(lifecycle_word(&life), "runs") == 0 && may(CONSOLE_COMMAND_SAVE));
	lifecycle_saved(&life, true);
	lifecycle_apply(&life, CONSOLE_COMMAND_KILL);
	CHECK(strcmp(lifecycle_word(&life), "ending") == 0);
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, 2 * SECOND), LIFECYCLE_NEVER);
	CHECK(!life.is_saved && may(CONSOLE_COMMAND_START));
	start();
	lifecycle_saved(&life, true);
	CHECK_EQ(end(CONFIG_RESTART_ALWAYS, true, 2 * SECOND), LIFECYCLE_WAIT_NS); /* it died */
	CHECK(!life.is_saved);
}

int main(void)
{
	RUN(each_policy_starts_again_what_it_should);
	RUN(the_wait_doubles_up_to_its_limit);
	RUN(who_ran_long_waits_as_at_first);
	RUN(a_start_that_fails_again_and_again_waits_longer);
	RUN(what_the_operator_ends_does_not_start_again);
	RUN(a_reset_starts_it_again_at_once_whatever_its_policy);
	RUN(a_kill_behind_a_reset_wins);
	RUN(a_start_behind_a_kill_waits_for_the_end);
	RUN(only_what_would_start_again_by_itself_counts_as_given_up);
	RUN(each_state_takes_what_makes_sense_in_it);
	RUN(what_is_saved_can_be_loaded_or_killed_and_nothing_else);
	RUN(what_was_saved_goes_with_its_vmm);
	return unit_end();
}
