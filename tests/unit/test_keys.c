/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose each byte is, and that no guest keeps the operator out. */
#include "services/console/keys.h"
#include "tests/unit/unit.h"

static struct keys keys;
static uint8_t byte;

/* As much as there is room for; returns how much. */
static size_t come(const void *bytes, size_t size)
{
	size_t room;
	uint8_t *to = keys_room(&keys, &room);

	if (size > room)
		size = room;
	memcpy(to, bytes, size);
	keys.raw_size += size;
	return size;
}

static void check_guest(const char *text)
{
	CHECK_EQ(keys.guest_size, strlen(text));
	CHECK(memcmp(keys.guest, text, strlen(text)) == 0);
}

/* Types until neither the guest's room nor the chip's is left. */
static void fill(uint64_t now)
{
	char text[100];

	memset(text, 'x', sizeof(text));
	while (come(text, sizeof(text)))
		CHECK_EQ(keys_next(&keys, false, now, &byte), KEYS_NONE);
	CHECK_EQ(keys.guest_size, KEYS_GUEST_MAX);
}

TEST(all_is_the_guests_while_the_prompt_is_shut)
{
	come("hello\r\x1b[A\x03\xff", 11);
	CHECK_EQ(keys_next(&keys, false, 1, &byte), KEYS_NONE);
	check_guest("hello\r\x1b[A\x03\xff");
	keys_took(&keys, 6);
	check_guest("\x1b[A\x03\xff");
	CHECK_EQ(keys_deadline(&keys), UINT64_MAX);
}

TEST(ctrl_bracket_opens_the_prompt_and_what_follows_is_its)
{
	come("ab\x1d"
	     "cd",
	     5);
	CHECK_EQ(keys_next(&keys, false, 1, &byte), KEYS_OPEN);
	check_guest("ab");
	CHECK_EQ(keys_next(&keys, true, 1, &byte), KEYS_PROMPT);
	CHECK_EQ(byte, 'c');
	CHECK_EQ(keys_next(&keys, true, 1, &byte), KEYS_PROMPT);
	CHECK_EQ(byte, 'd');
	CHECK_EQ(keys_next(&keys, true, 1, &byte), KEYS_NONE);
	check_guest("ab");
}

TEST(behind_the_prompt_the_guest_gets_the_rest)
{
	come("\x1d\rls\r", 5);
	CHECK_EQ(keys_next(&keys, false, 1, &byte), KEYS_OPEN);
	CHECK_EQ(keys_next(&keys, true, 1, &byte), KEYS_PROMPT);
	CHECK_EQ(keys_next(&keys, false, 1, &byte), KEYS_NONE);
	check_guest("ls\r");
}

TEST(what_the_guest_has_no_room_for_waits)
{
	fill(1);
	CHECK_EQ(keys_next(&keys, false, 2, &byte), KEYS_NONE);
	CHECK_EQ(keys.raw_size, KEYS_RAW_MAX);
	keys_took(&keys, 1000);
	CHECK_EQ(keys_next(&keys, false, 3, &byte), KEYS_NONE);
	CHECK_EQ(keys.raw_size, 0);
	CHECK_EQ(keys.guest_size, KEYS_GUEST_MAX - 1000 + KEYS_RAW_MAX);
	CHECK_EQ(keys_deadline(&keys), UINT64_MAX);
}

TEST(a_guest_that_takes_nothing_does_not_keep_the_operator_out)
{
	fill(1);
	keys.raw_size -= 50;
	come("zz\x1dvms\r", 7);
	CHECK_EQ(keys_next(&keys, false, 2, &byte), KEYS_OPEN);
	CHECK_EQ(keys_next(&keys, true, 2, &byte), KEYS_PROMPT);
	CHECK_EQ(byte, 'v');
}

TEST(nor_when_even_the_chip_is_full)
{
	uint64_t due;

	fill(1);
	keys_next(&keys, false, 5, &byte);
	due = keys_deadline(&keys);
	CHECK(due > 5 && due <= 5 + KEYS_PATIENCE_NS);
	CHECK_EQ(come("\x1d", 1), 0);
	CHECK_EQ(keys_next(&keys, false, due - 1, &byte), KEYS_NONE);
	CHECK_EQ(come("\x1d", 1), 0);
	CHECK_EQ(keys_next(&keys, false, due, &byte), KEYS_NONE);
	CHECK_EQ(keys_deadline(&keys), UINT64_MAX);
	for (unsigned i = 0; i < 100 * KEYS_RAW_MAX; i++) { /* and none of it waits again */
		CHECK_EQ(come("y", 1), 1);
		CHECK_EQ(keys_next(&keys, false, due + 1, &byte), KEYS_NONE);
	}
	CHECK_EQ(come("\x1d", 1), 1);
	CHECK_EQ(keys_next(&keys, false, due + 1, &byte), KEYS_OPEN);
	CHECK_EQ(keys.guest_size, KEYS_GUEST_MAX); /* of that nothing is lost */
	keys_took(&keys, KEYS_GUEST_MAX);
	fill(due + 2);
	CHECK_EQ(keys_next(&keys, false, due + 3, &byte), KEYS_NONE);
	CHECK_EQ(keys.raw_size, KEYS_RAW_MAX); /* nor of what comes now */
}

int main(void)
{
	RUN(all_is_the_guests_while_the_prompt_is_shut);
	RUN(ctrl_bracket_opens_the_prompt_and_what_follows_is_its);
	RUN(behind_the_prompt_the_guest_gets_the_rest);
	RUN(what_the_guest_has_no_room_for_waits);
	RUN(a_guest_that_takes_nothing_does_not_keep_the_operator_out);
	RUN(nor_when_even_the_chip_is_full);
	return unit_end();
}
