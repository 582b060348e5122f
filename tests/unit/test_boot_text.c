/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's texts: messages, paths from file names, load options. */
#include "boot/text.h"
#include "tests/unit/unit.h"

#define NAME(s) ((const uint16_t *)u##s)

static const char *format(char *out, size_t size, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	text_format(out, size, text, args);
	va_end(args);
	return out;
}

TEST(formats_what_it_knows)
{
	char out[64];

	CHECK_STR(format(out, sizeof(out), "%s %u %lu %lx %%", "a", 0u, 18446744073709551615ul,
			 0xdeadbeef12345678ul),
		  "a 0 18446744073709551615 deadbeef12345678 %");
}

TEST(cuts_off_what_does_not_fit)
{
	char out[8] = "-------";

	CHECK_STR(format(out, 5, "%s%u", "abc", 1234567u), "abc1");
	CHECK(out[5] == '-');
	CHECK_STR(format(out, 1, "%s", "abc"), "");
}

TEST(joins_and_cuts_paths)
{
	char path[16] = "";

	CHECK_EQ(text_path_add(path, sizeof(path), NAME("web"), 256), TEXT_OK);
	CHECK_STR(path, "web");
	CHECK_EQ(text_path_add(path, sizeof(path), NAME("a b.img"), 256), TEXT_OK);
	CHECK_STR(path, "web/a b.img");
	text_path_cut(path);
	CHECK_STR(path, "web");
	text_path_cut(path);
	CHECK_STR(path, "");
	text_path_cut(path);
	CHECK_STR(path, "");
}

TEST(path_holds_what_just_fits)
{
	char path[8] = "ab";

	CHECK_EQ(text_path_add(path, sizeof(path), NAME("cdefg"), 256), TEXT_TOO_LONG);
	CHECK_STR(path, "ab");
	CHECK_EQ(text_path_add(path, sizeof(path), NAME("cdef"), 256), TEXT_OK);
	CHECK_STR(path, "ab/cdef");
	CHECK_EQ(text_path_add(path, sizeof(path), NAME(""), 256), TEXT_TOO_LONG);
}

TEST(path_takes_no_more_than_name_max)
{
	static const uint16_t name[3] = {'a', 'b', 'c'}; /* without an end */
	char path[8] = "";

	CHECK_EQ(text_path_add(path, sizeof(path), name, 3), TEXT_OK);
	CHECK_STR(path, "abc");
}

TEST(refuses_names_that_are_not_plain)
{
	static const char *const bad[] = {"a/b", "a\\b", "a\tb", "a\177", "a\037"};
	char path[32] = "x", shown[8];
	uint16_t name[8] = {0};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (unsigned j = 0; j <= strlen(bad[i]); j++)
			name[j] = (uint8_t)bad[i][j];
		CHECK_EQ(text_path_add(path, sizeof(path), name, 8), TEXT_NOT_ASCII);
	}
	CHECK_EQ(text_path_add(path, sizeof(path), NAME("gr\u00fcn"), 256), TEXT_NOT_ASCII);
	CHECK_EQ(text_path_add(path, sizeof(path), NAME("\u0161"), 256), TEXT_NOT_ASCII);
	CHECK_STR(path, "x");
	text_from_utf16(shown, sizeof(shown), NAME("gr\u00fcn und blau"), 256);
	CHECK_STR(shown, "gr?n un");
}

TEST(takes_printable_load_options_only)
{
	static const uint8_t guid[16] = {0x4e, 0xac, 0x08, 0x81, 0x11, 0x9f, 0x59, 0x4d};
	char out[8];

	text_command_line(out, sizeof(out), u"a=b c", 12);
	CHECK_STR(out, "a=b c");
	text_command_line(out, sizeof(out), u"a=b c", 6); /* no end but the size's */
	CHECK_STR(out, "a=b");
	text_command_line(out, sizeof(out), u"1234567", 16);
	CHECK_STR(out, "1234567");
	text_command_line(out, sizeof(out), u"12345678", 18);
	CHECK_STR(out, "");
	text_command_line(out, sizeof(out), guid, sizeof(guid));
	CHECK_STR(out, "");
	text_command_line(out, sizeof(out), u"x\ny", 8);
	CHECK_STR(out, "");
	text_command_line(out, sizeof(out), NULL, 0);
	CHECK_STR(out, "");
	text_command_line(out, sizeof(out), "a", 1);
	CHECK_STR(out, "");
}

TEST(knows_acpi_files_by_their_path)
{
	CHECK(text_is_acpi_path("acpi/dsdt.aml"));
	CHECK(text_is_acpi_path("ACPI/DSDT.AML"));
	CHECK(text_is_acpi_path("Acpi/.aml"));
	CHECK(!text_is_acpi_path("acpi/sub/dsdt.aml"));
	CHECK(!text_is_acpi_path("acpi/dsdt.asl"));
	CHECK(!text_is_acpi_path("web/acpi/dsdt.aml"));
	CHECK(!text_is_acpi_path("acpi.aml"));
	CHECK(!text_is_acpi_path("acpiaml"));
	CHECK(!text_is_acpi_path(""));
}

int main(void)
{
	RUN(formats_what_it_knows);
	RUN(cuts_off_what_does_not_fit);
	RUN(joins_and_cuts_paths);
	RUN(path_holds_what_just_fits);
	RUN(path_takes_no_more_than_name_max);
	RUN(refuses_names_that_are_not_plain);
	RUN(takes_printable_load_options_only);
	RUN(knows_acpi_files_by_their_path);
	return unit_end();
}
