/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's multiplexer: whole lines, names, and no forged lines of Corbel. */
#include "services/console/mux.h"
#include "tests/unit/unit.h"

static char out[1 << 16];
static size_t out_size, out_room;
static struct mux mux;
static struct mux_source log_source, web, db;

static void emit(struct mux *m, const char *bytes, size_t size)
{
	(void)m;
	memcpy(out + out_size, bytes, size);
	out_size += size;
}

static size_t room(struct mux *m)
{
	(void)m;
	return out_room - out_size;
}

static void start(bool shows_names)
{
	out_room = sizeof(out) - 1;
	mux = (struct mux){.emit = emit, .room = room, .shows_names = shows_names};
	mux_source_init(&log_source, "", true);
	mux_source_init(&web, "web", false);
	mux_source_init(&db, "db", false);
	mux_add(&mux, &log_source);
	mux_add(&mux, &web);
	mux_add(&mux, &db);
}

static void put(struct mux_source *source, const char *text)
{
	CHECK(mux_put(source, (const uint8_t *)text, strlen(text)));
}

static void put_log(const char *text)
{
	CHECK(mux_put_log(&log_source, (const uint8_t *)text, strlen(text)));
}

static void check_out(const char *text)
{
	out[out_size] = 0;
	if (strcmp(out, text))
		printf("# got: %s\n", out);
	CHECK(strcmp(out, text) == 0);
}

TEST(one_guest_passes_unchanged)
{
	start(false);
	put(&web, "login: \r\nhello\tworld\n\n");
	mux_run(&mux, 1);
	check_out("login: \r\nhello\tworld\n\n");
}

TEST(a_forged_line_gets_a_space)
{
	start(false);
	put(&web, "corbel: panic\ncorbel\ncorbel:x\n");
	mux_run(&mux, 1);
	check_out(" corbel: panic\ncorbel\ncorbel:x\n");
}

TEST(a_line_forged_behind_a_carriage_return_gets_a_space)
{
	start(false);
	put(&web, "\rcorbel: panic\r\n100%\rcorbel: panic\r\n");
	mux_run(&mux, 1);
	check_out("\r corbel: panic\r\n100%\r corbel: panic\r\n");
}

TEST(what_is_held_back_behind_a_carriage_return_comes_out_after_a_while)
{
	start(false);
	put(&web, "100%\rcor");
	mux_run(&mux, 1);
	check_out("100%\r");
	mux_run(&mux, 1 + MUX_LINE_WAIT_NS);
	check_out("100%\r cor");
	put(&web, "bel: panic\r\n");
	mux_run(&mux, 2 + MUX_LINE_WAIT_NS);
	check_out("100%\r corbel: panic\r\n");
}

TEST(a_line_forged_in_pieces_gets_a_space)
{
	start(false);
	for (const char *c = "corbel: all vms ended\n"; *c; c++) {
		mux_put(&web, (const uint8_t *)c, 1);
		mux_run(&mux, 1);
	}
	check_out(" corbel: all vms ended\n");
}

TEST(a_slowly_forged_line_never_stands_at_column_0)
{
	uint64_t now = 1;

	start(false);
	for (const char *c = "corbel: x\n"; *c; c++) {
		mux_put(&web, (const uint8_t *)c, 1);
		now += MUX_LINE_WAIT_NS + 1;
		mux_run(&mux, now);
		now += MUX_LINE_WAIT_NS + 1;
		mux_run(&mux, now);
	}
	out[out_size] = 0;
	CHECK(strncmp(out, "corbel: ", 8) != 0 && !strstr(out, "\ncorbel: "));
}

TEST(a_forged_line_after_a_cut_gets_a_space)
{
	start(false);
	put(&web, "half");
	mux_run(&mux, 1);
	put_log("vm web: started");
	mux_run(&mux, 2);
	mux_run(&mux, 3 + MUX_LINE_WAIT_NS);
	put(&web, "corbel: x\n");
	mux_run(&mux, 4 + MUX_LINE_WAIT_NS);
	check_out("half\r\ncorbel: vm web: started\r\n corbel: x\n");
}

TEST(a_held_prefix_comes_out_after_a_while)
{
	uint64_t due;

	start(false);
	put(&web, "cor");
	due = mux_run(&mux, 5);
	CHECK_EQ(due, 5 + MUX_LINE_WAIT_NS);
	check_out("");
	mux_run(&mux, due);
	check_out(" cor");
}

TEST(a_log_line_waits_for_the_end_of_a_guests_line)
{
	start(false);
	put(&web, "first ");
	mux_run(&mux, 1);
	put_log("vm db: started");
	CHECK_EQ(mux_run(&mux, 2), 2 + MUX_LINE_WAIT_NS);
	put(&web, "second\n");
	mux_run(&mux, 3);
	check_out("first second\ncorbel: vm db: started\r\n");
}

TEST(two_guests_get_their_names_and_whole_lines)
{
	start(true);
	put(&web, "one");
	mux_run(&mux, 1);
	put(&db, "uno\n");
	mux_run(&mux, 2);
	put(&web, " two\nthree\n");
	mux_run(&mux, 3);
	check_out("db| uno\nweb| one two\nweb| three\n");
}

TEST(an_unfinished_line_of_one_of_two_guests_comes_out_after_a_while_and_is_cut)
{
	uint64_t due;

	start(true);
	put(&web, "prompt");
	due = mux_run(&mux, 1);
	CHECK_EQ(due, 1 + MUX_PARTIAL_WAIT_NS);
	check_out("");
	mux_run(&mux, due);
	check_out("web| prompt");
	put(&db, "uno\n");
	CHECK_EQ(mux_run(&mux, due + 1), due + 1 + MUX_LINE_WAIT_NS);
	mux_run(&mux, due + 1 + MUX_LINE_WAIT_NS);
	put(&web, "more\n");
	mux_run(&mux, due + 2 + MUX_LINE_WAIT_NS);
	check_out("web| prompt\r\ndb| uno\nweb| more\n");
}

TEST(a_line_that_is_on_its_way_out_is_not_torn)
{
	char line[400];

	start(true);
	memset(line, 'x', sizeof(line) - 2);
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = 0;
	put(&web, line);
	out_room = 200;
	mux_run(&mux, 1);
	put(&db, "uno\n");
	mux_run(&mux, 2);
	out_room = sizeof(out) - 1;
	mux_run(&mux, 3 + MUX_LINE_WAIT_NS);
	out[out_size] = 0;
	CHECK(strstr(out, "x\ndb| uno\n"));
}

TEST(a_line_that_waits_for_room_is_not_torn)
{
	start(true);
	put(&web, "one\n");
	put_log("two");
	put(&db, "three\n");
	for (uint64_t turn = 1; out_size < 40 && turn < 100; turn++) {
		out_room = out_size + 64 + turn % 3; /* a byte or two a turn */
		mux_run(&mux, turn * MUX_LINE_WAIT_NS);
	}
	out_room = sizeof(out) - 1;
	mux_run(&mux, 101 * MUX_LINE_WAIT_NS);
	out[out_size] = 0;
	CHECK(strstr(out, "web| one\n") && strstr(out, "corbel: two\r\n") &&
	      strstr(out, "db| three\n"));
}

TEST(a_line_without_end_is_cut)
{
	char piece[101];

	start(false);
	memset(piece, 'x', 100);
	piece[100] = 0;
	put_log("late");
	for (uint64_t now = 0; now < 2 * MUX_LINE_WAIT_NS; now += MUX_LINE_WAIT_NS / 10) {
		put(&web, piece);
		if (now == 0)
			mux.owner = &web;
		mux_run(&mux, now + 1);
	}
	out[out_size] = 0;
	CHECK(strstr(out, "\r\ncorbel: late\r\n"));
}

TEST(control_characters_cannot_forge_a_log_line)
{
	start(false);
	put_log("vm x: refused: a\r\ncorbel: b\x1b[2J");
	mux_run(&mux, 1);
	check_out("corbel: vm x: refused: a??corbel: b?[2J\r\n");
}

TEST(a_full_line_takes_nothing_and_loses_nothing)
{
	uint8_t big[MUX_PENDING_MAX];

	start(false);
	memset(big, 'x', sizeof(big));
	CHECK(mux_put(&web, big, sizeof(big)));
	CHECK(!mux_put(&web, big, 1));
	out_room = 100;
	mux_run(&mux, 1);
	CHECK(out_size <= 100 && web.pending_size == sizeof(big) - out_size);
	out_room = sizeof(out) - 1;
	mux_run(&mux, 2);
	CHECK_EQ(out_size, sizeof(big));
}

TEST(bytes_keep_their_order_however_often_the_queue_goes_round)
{
	uint32_t put_count = 0, taken = 0, seed = 1;

	start(false);
	while (taken < 20 * MUX_PENDING_MAX) {
		uint8_t bytes[700];
		size_t size;

		seed = seed * 1103515245 + 12345;
		size = (seed >> 16) % sizeof(bytes);
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(put_count + i) | 0x80;
		if (mux_put(&web, bytes, size))
			put_count += size;
		out_size = 0;
		out_room = 64 + (seed >> 8) % 600;
		mux_run(&mux, 1);
		for (size_t i = 0; i < out_size; i++)
			CHECK_EQ((uint8_t)out[i], (uint8_t)(taken + i) | 0x80);
		taken += out_size;
		CHECK_EQ(web.pending_size, put_count - taken);
	}
}

TEST(a_removed_owner_leaves_column_0)
{
	start(false);
	put(&web, "half");
	mux_run(&mux, 1);
	mux_remove(&mux, &web);
	put_log("x");
	mux_run(&mux, 2);
	check_out("half\r\ncorbel: x\r\n");
}

static unsigned drawn;

static void draw(struct mux *m)
{
	drawn++;
	emit(m, "> ", 2);
}

/* With the prompt on the screen. */
static void start_prompt(void)
{
	start(true);
	mux.draw = draw;
	drawn = 0;
	mux_silence(&mux, &web, true);
	mux_silence(&mux, &db, true);
	mux_prompt(&mux, true);
	mux_run(&mux, 2 * MUX_PROMPT_WAIT_NS);
}

TEST(a_log_line_stands_above_the_prompt_and_begins_at_column_0)
{
	uint64_t now = 2 * MUX_PROMPT_WAIT_NS, due;

	start_prompt();
	put_log("one");
	due = mux_run(&mux, ++now);
	CHECK_EQ(due, now + MUX_PROMPT_WAIT_NS);
	put_log("two");
	due = mux_run(&mux, ++now);
	CHECK_EQ(drawn, 1); /* once under both */
	mux_run(&mux, due);
	mux_run(&mux, due + 1);
	check_out("> \r\ncorbel: one\r\ncorbel: two\r\n> ");
	mux_prompt(&mux, false);
	mux_run(&mux, due + 2);
	check_out("> \r\ncorbel: one\r\ncorbel: two\r\n> \r\n");
}

TEST(a_silent_guest_writes_nothing_and_neither_waits_nor_is_lost)
{
	start_prompt();
	put(&web, "one\ntwo\n");
	put(&db, "un");
	CHECK_EQ(mux_run(&mux, 3 * MUX_PROMPT_WAIT_NS), UINT64_MAX);
	CHECK(mux_is_empty(&mux));
	check_out("> ");
	mux_prompt(&mux, false);
	mux_silence(&mux, &web, false);
	mux_silence(&mux, &db, false);
	put(&db, "o\n");
	mux_run(&mux, 4 * MUX_PROMPT_WAIT_NS);
	check_out("> \r\nweb| one\nweb| two\ndb| uno\n");
}

TEST(a_guest_that_falls_silent_in_a_line_leaves_column_0)
{
	start(false);
	put(&web, "half");
	mux_run(&mux, 1);
	mux_silence(&mux, &web, true);
	put(&web, "corbel: forged\n");
	put_log("x");
	mux_run(&mux, 2);
	mux_silence(&mux, &web, false);
	mux_run(&mux, 3);
	check_out("half\r\ncorbel: x\r\n corbel: forged\n");
}

TEST(what_was_held_back_of_a_guest_that_falls_silent_is_not_lost)
{
	start(false);
	put(&web, "corb");
	mux_run(&mux, 1);
	mux_silence(&mux, &web, true);
	mux_silence(&mux, &web, false);
	put(&web, "elix\n");
	mux_run(&mux, 2);
	check_out("corbelix\n");
}

TEST(of_a_silent_guests_flood_the_last_lines_remain)
{
	char line[32];
	size_t size = 0;

	start(false);
	mux_silence(&mux, &web, true);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(line, sizeof(line), "line %u\n", i);
		size += strlen(line);
		put(&web, line);
		CHECK(web.pending_size <= MUX_PENDING_MAX);
	}
	CHECK_EQ(web.lost_count, size - MUX_PENDING_MAX);
	mux_silence(&mux, &web, false);
	mux_run(&mux, 1);
	out[out_size] = 0;
	CHECK(out_size <= MUX_PENDING_MAX && out_size > MUX_PENDING_MAX - 12);
	CHECK(strncmp(out, "line ", 5) == 0 && strstr(out, "line 9999\n"));
}

TEST(what_a_guest_wrote_is_replayed_from_the_beginning_of_a_line_on)
{
	start(false);
	put(&web, "one\ntwo\nthree");
	mux_run(&mux, 1);
	mux_replay(&mux, &web, 11);
	mux_run(&mux, 2);
	check_out("one\ntwo\nthree\r\ntwo\nthree");
	mux_replay(&mux, &web, 4000);
	mux_run(&mux, 3);
	check_out("one\ntwo\nthree\r\ntwo\nthree\r\none\ntwo\nthree");
}

TEST(a_replay_forges_nothing_and_loses_nothing_that_waits)
{
	start(false);
	put(&web, "x corbel: forged");
	mux_run(&mux, 1);
	put(&web, "!\n");
	mux_replay(&mux, &web, 16);
	mux_run(&mux, 2);
	out[out_size] = 0;
	CHECK(!strstr(out, "\ncorbel: ") && strncmp(out, "corbel: ", 8) && strstr(out, "!\n"));
}

TEST(long_ago_a_replay_begins_with_a_whole_line)
{
	char line[32];

	start(false);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "line %u\n", i);
		put(&web, line);
		out_size = 0;
		mux_run(&mux, i + 1);
	}
	out_size = 0;
	mux_replay(&mux, &web, MUX_KEPT_MAX);
	mux_run(&mux, 6000);
	out[out_size] = 0;
	CHECK(strncmp(out, "line ", 5) == 0 && strstr(out, "line 4999\n"));
	CHECK(out_size <= MUX_PENDING_MAX && out_size > MUX_PENDING_MAX - 12);
	mux_end(&mux, &web);
}

int main(void)
{
	RUN(one_guest_passes_unchanged);
	RUN(a_forged_line_gets_a_space);
	RUN(a_line_forged_behind_a_carriage_return_gets_a_space);
	RUN(what_is_held_back_behind_a_carriage_return_comes_out_after_a_while);
	RUN(a_line_forged_in_pieces_gets_a_space);
	RUN(a_slowly_forged_line_never_stands_at_column_0);
	RUN(a_forged_line_after_a_cut_gets_a_space);
	RUN(a_held_prefix_comes_out_after_a_while);
	RUN(a_log_line_waits_for_the_end_of_a_guests_line);
	RUN(two_guests_get_their_names_and_whole_lines);
	RUN(an_unfinished_line_of_one_of_two_guests_comes_out_after_a_while_and_is_cut);
	RUN(a_line_that_is_on_its_way_out_is_not_torn);
	RUN(a_line_that_waits_for_room_is_not_torn);
	RUN(a_line_without_end_is_cut);
	RUN(control_characters_cannot_forge_a_log_line);
	RUN(a_full_line_takes_nothing_and_loses_nothing);
	RUN(bytes_keep_their_order_however_often_the_queue_goes_round);
	RUN(a_removed_owner_leaves_column_0);
	RUN(a_log_line_stands_above_the_prompt_and_begins_at_column_0);
	RUN(a_silent_guest_writes_nothing_and_neither_waits_nor_is_lost);
	RUN(a_guest_that_falls_silent_in_a_line_leaves_column_0);
	RUN(what_was_held_back_of_a_guest_that_falls_silent_is_not_lost);
	RUN(of_a_silent_guests_flood_the_last_lines_remain);
	RUN(what_a_guest_wrote_is_replayed_from_the_beginning_of_a_line_on);
	RUN(a_replay_forges_nothing_and_loses_nothing_that_waits);
	RUN(long_ago_a_replay_begins_with_a_whole_line);
	return unit_end();
}
