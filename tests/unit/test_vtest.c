/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that the test device ends the VM with the status written, and nothing else does. */
#include "services/vmm/vtest.h"
#include "tests/unit/vdevice.h"

static void start(void)
{
	fake = fake_platform_new(0);
	vtest_init(&fake->platform);
}

static void check_status(unsigned size, uint32_t value, uint64_t status)
{
	start();
	out(0xf4, size, value);
	CHECK_EQ(fake->end_count, 1);
	CHECK_EQ(fake->end, PLATFORM_END_TEST_DEVICE);
	CHECK_EQ(fake->end_status, status);
	fake_platform_free(fake);
}

TEST(status_is_twice_the_value_plus_one)
{
	check_status(1, 0, 1);
	check_status(1, 0x1ff, 511);
	check_status(2, 0xffff, 131071);
	check_status(4, 0xffffffff, 8589934591);
}

TEST(other_ports_and_reads_end_nothing)
{
	start();
	for (unsigned port = 0xf0; port < 0x100; port++) {
		CHECK_EQ(inb((uint16_t)port), 0xff);
		if (port != 0xf4 && port != 0xf8)
			outb((uint16_t)port, 1);
	}
	CHECK_EQ(fake->end_count, 0);
	CHECK_EQ(fake->fail, 0);
	fake_platform_free(fake);
}

TEST(the_failures_are_told_apart)
{
	start();
	outb(0xf8, 0);
	outb(0xf8, 7);
	CHECK_EQ(fake->fail, 0);
	outb(0xf8, 1);
	CHECK_EQ(fake->fail, PLATFORM_FAIL_CRASH);
	out(0xf8, 2, 2);
	CHECK_EQ(fake->fail, PLATFORM_FAIL_SPIN);
	out(0xf8, 4, 3);
	CHECK_EQ(fake->fail, PLATFORM_FAIL_EXIT);
	out(0xf8, 1, 4);
	CHECK_EQ(fake->fail, PLATFORM_FAIL_RELOAD);
	out(0xf8, 1, 6);
	CHECK_EQ(fake->fail, PLATFORM_FAIL_HARVEST);
	CHECK(inb(0xf8) == 0xff && in(0xf9, 4) == 0xffffffff && fake->dirty_page == 0);
	CHECK(in(0xf8, 4) == 1 && in(0xf8, 4) == 2);
	fake_platform_free(fake);
}

TEST(a_word_of_the_command_line_hides_packed_rings)
{
	CHECK(vtest_hidden_features("quiet test.rings=split x") == 1ull << 34);
	CHECK(vtest_hidden_features("quiet test.rings=packed") == 0);
	CHECK(vtest_reload_ns("quiet test.reload_ms=25 x") == 25000000);
	CHECK(vtest_reload_ns("quiet test.reload_ms=") == 0);
	CHECK(vtest_reload_ns("quiet") == 0);
	CHECK(vtest_spoil("test.spoil=cut x") == VTEST_SPOIL_CUT);
	CHECK(vtest_spoil("a test.spoil=refused") == VTEST_SPOIL_REFUSED);
	CHECK(vtest_spoil("test.spoil=twice") == VTEST_SPOIL_TWICE);
	CHECK(vtest_spoil("test.spoil=fewer") == VTEST_SPOIL_FEWER);
	CHECK(vtest_spoil("test.spoil=") == VTEST_SPOIL_NOT);
	CHECK(vtest_hidden_features("") == 0);
}

TEST(random_accesses_do_no_harm)
{
	start();
	sweep(&fake->platform.ports, 0xf0, 16, 100000);
	fake_platform_free(fake);
}

int main(void)
{
	RUN(status_is_twice_the_value_plus_one);
	RUN(other_ports_and_reads_end_nothing);
	RUN(the_failures_are_told_apart);
	RUN(a_word_of_the_command_line_hides_packed_rings);
	RUN(random_accesses_do_no_harm);
	return unit_end();
}
