/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 1 kernels: the header, both containers, modules and the information. */
#include "tests/unit/vloader.h"

#define MEMORY  (4u << 20)
#define HEADER  0x1000u /* offsets in the file */
#define TEXT    0x1000u
#define DATA    0x3000u
#define IMAGE   0x3800u
#define GPA     0x100000u
#define VIRTUAL 0xc0000000u

static uint8_t image[IMAGE];

static void put(unsigned offset, unsigned size, uint64_t value)
{
	vloader_put(image, offset, size, value);
}

static void header(unsigned at, uint32_t flags)
{
	put(at, 4, 0x1badb002);
	put(at + 4, 4, flags);
	put(at + 8, 4, (uint32_t) - (0x1badb002 + flags));
}

static void segment(unsigned i, uint32_t type, uint32_t offset, uint32_t paddr, uint32_t filesz,
		    uint32_t memsz)
{
	unsigned at = 52 + 32 * i;

	put(at, 4, type);
	put(at + 4, 4, offset);
	put(at + 8, 4, paddr + VIRTUAL);
	put(at + 12, 4, paddr);
	put(at + 16, 4, filesz);
	put(at + 20, 4, memsz);
	put(at + 28, 4, 4096);
}

static void fill(void)
{
	vloader_init(MEMORY);
	for (unsigned i = 0; i < IMAGE; i++)
		image[i] = i < TEXT ? 0 : (uint8_t)(i * 11 + i / 256);
}

static void make(void)
{
	fill();
	memcpy(image, "\177ELF\1\1\1", 7);
	put(16, 2, 2);
	put(18, 2, 3);
	put(24, 4, VIRTUAL + GPA + 0x20);
	put(28, 4, 52);
	put(42, 2, 32);
	put(44, 2, 2);
	segment(0, 1, TEXT, GPA, 0x2000, 0x2000);
	segment(1, 1, DATA, GPA + 0x2000, 0x800, 0x5000);
	header(HEADER, 3);
}

/* The same without a container: address fields. */
static void make_flat(void)
{
	fill();
	header(HEADER, 0x10003);
	put(HEADER + 12, 4, GPA + HEADER - TEXT);
	put(HEADER + 16, 4, GPA);
	put(HEADER + 20, 4, GPA + IMAGE - TEXT);
	put(HEADER + 24, 4, GPA + 0x7000);
	put(HEADER + 28, 4, GPA + 0x20);
}

static uint32_t info(unsigned offset)
{
	uint32_t value;

	memcpy(&value, ram_get(entry.rbx + offset, 4), 4);
	return value;
}

static uint32_t at(uint64_t gpa)
{
	uint32_t value;

	memcpy(&value, ram_get(gpa, 4), 4);
	return value;
}

TEST(elf_is_loaded)
{
	static const uint8_t zeros[0x4800];

	make();
	vloader_good(image, IMAGE);
	CHECK_EQ(entry.rip, GPA + 0x20);
	CHECK_EQ(entry.rax, 0x2badb002);
	CHECK(!entry.is_64bit);
	CHECK(memcmp(ram_get(GPA, 0x2000), image + TEXT, 0x2000) == 0);
	CHECK(memcmp(ram_get(GPA + 0x2000, 0x800), image + DATA, 0x800) == 0);
	CHECK(memcmp(ram_get(GPA + 0x2800, 0x4800), zeros, 0x4800) == 0);
	CHECK_EQ(shared, 0x2000);
}

TEST(entry_may_be_physical)
{
	make();
	put(24, 4, GPA + 0x1fff);
	vloader_good(image, IMAGE);
	CHECK_EQ(entry.rip, GPA + 0x1fff);
	put(24, 4, GPA + 0x2800); /* no byte of the file is there */
	vloader_bad(image, IMAGE, "entry, 0x102800, lies outside");
	put(24, 4, 0xffffffff);
	vloader_bad(image, IMAGE, "lies outside");
}

TEST(address_fields_are_followed)
{
	make_flat();
	vloader_good(image, IMAGE);
	CHECK_EQ(entry.rip, GPA + 0x20);
	CHECK(memcmp(ram_get(GPA, IMAGE - TEXT), image + TEXT, IMAGE - TEXT) == 0);
	put(HEADER + 20, 4, 0); /* all of the file, and no bss */
	put(HEADER + 24, 4, 0);
	vloader_good(image, IMAGE);
	CHECK(memcmp(ram_get(GPA, IMAGE - TEXT), image + TEXT, IMAGE - TEXT) == 0);
	put(HEADER + 20, 4, GPA + 0x21); /* only the first bytes */
	vloader_init(MEMORY);
	vloader_good(image, IMAGE);
	CHECK_EQ(*(uint8_t *)ram_get(GPA + 0x20, 1), image[TEXT + 0x20]);
	CHECK_EQ(*(uint8_t *)ram_get(GPA + 0x21, 1), 0);
}

TEST(address_fields_count_before_the_container)
{
	make();
	header(HEADER, 0x10003);
	put(HEADER + 12, 4, GPA);
	put(HEADER + 16, 4, GPA);
	put(HEADER + 20, 4, 0);
	put(HEADER + 24, 4, 0);
	put(HEADER + 28, 4, GPA + 0x44);
	vloader_good(image, IMAGE);
	CHECK_EQ(entry.rip, GPA + 0x44);
}

TEST(bad_address_fields_are_refused)
{
	make_flat();
	put(HEADER + 12, 4, GPA - 4);
	vloader_bad(image, IMAGE, "damaged Multiboot header: it loads from");
	put(HEADER + 12, 4, GPA + HEADER + 1);
	vloader_bad(image, IMAGE, "damaged Multiboot header: it loads from");
	make_flat();
	put(HEADER + 20, 4, GPA + IMAGE - TEXT + 1);
	vloader_bad(image, IMAGE, "cut off");
	put(HEADER + 20, 4, GPA - 1);
	vloader_bad(image, IMAGE, "cut off");
	make_flat();
	put(HEADER + 24, 4, GPA + IMAGE - TEXT - 1);
	vloader_bad(image, IMAGE, "its bss ends");
	put(HEADER + 24, 4, 0xffffffff);
	vloader_bad(image, IMAGE, "no RAM there");
	make_flat();
	put(HEADER + 28, 4, GPA + IMAGE - TEXT);
	vloader_bad(image, IMAGE, "entry, 0x102800, lies outside");
	put(HEADER + 28, 4, GPA - 1);
	vloader_bad(image, IMAGE, "lies outside");
	put(HEADER + 28, 4, 0);
	vloader_bad(image, IMAGE, "lies outside");
}

TEST(header_is_found_in_the_first_8_kib)
{
	make();
	memset(image + HEADER, 0, 12);
	vloader_bad(image, IMAGE, "without a PVH note");
	header(8192 - 12, 3);
	vloader_good(image, IMAGE);
	memset(image + 8192 - 12, 0, 12);
	header(8192 - 8, 3);
	vloader_bad(image, IMAGE, "without a PVH note");
	memset(image + 8192 - 8, 0, 12);
	header(HEADER + 2, 3);
	vloader_bad(image, IMAGE, "without a PVH note");
	make();
	put(HEADER + 8, 4, 1);
	vloader_bad(image, IMAGE, "without a PVH note");
}

TEST(unknown_features_are_refused)
{
	make();
	header(HEADER, 0x00000008);
	vloader_bad(image, IMAGE, "Multiboot features 0x8");
	header(HEADER, 0xfffe0007); /* a video mode is a wish, and so are the upper bits */
	vloader_good(image, IMAGE);
}

TEST(elf64_is_refused)
{
	make();
	image[4] = 2;
	put(32, 8, 64);
	put(54, 2, 56);
	put(56, 2, 0);
	vloader_bad(image, IMAGE, "64-bit ELF");
	make();
	put(18, 2, 62);
	vloader_bad(image, IMAGE, "64-bit ELF");
	make();
	image[0] = 0;
	vloader_bad(image, IMAGE, "is no ELF file");
}

TEST(information_is_whole)
{
	make();
	boot.cmdline = "one two";
	vloader_good(image, IMAGE);
	CHECK_EQ(info(0) & 0x24d, 0x24d);
	CHECK_EQ(info(4), 639);
	CHECK_EQ(info(8), MEMORY / 1024 - 1024);
	CHECK_STR((char *)ram_get(info(16), 8), "kernel one two");
	CHECK_EQ(info(20), 0);
	CHECK_STR((char *)ram_get(info(64), 7), "Corbel");
	CHECK_EQ(info(44), 24 * map.range_count);
	CHECK_EQ(at(info(48)), 20);
	CHECK_EQ(at(info(48) + 12), 0x9fc00);
	CHECK_EQ(at(info(48) + 20), 1);
	CHECK_EQ(at(info(48) + 3 * 24 + 4), 0x100000);
	CHECK_EQ(at(info(48) + 3 * 24 + 12), MEMORY - 0x100000);
}

TEST(modules_come_after_the_initrd)
{
	static uint8_t bytes[3][9000] = {{1}, {2}, {3}};
	struct loader_file initrd = vloader_file(bytes[0], 4097);
	struct loader_file modules[3] = {vloader_file(bytes[1], 9000), vloader_file(bytes[2], 1),
					 vloader_file(bytes[2], 0)};
	uint64_t list;

	make();
	modules[0].cmdline = "first module";
	boot.initrd = &initrd;
	boot.modules = modules;
	boot.module_count = 3;
	vloader_good(image, IMAGE);
	CHECK_EQ(info(20), 4);
	list = info(24);
	CHECK_EQ(at(list), GPA + 0x7000);
	CHECK_EQ(at(list + 4), GPA + 0x7000 + 4097);
	CHECK_STR((char *)ram_get(at(list + 8), 1), "");
	CHECK_EQ(at(list + 16), GPA + 0x9000);
	CHECK_EQ(at(list + 20), GPA + 0x9000 + 9000);
	CHECK_STR((char *)ram_get(at(list + 24), 1), "first module");
	CHECK_EQ(at(list + 32), GPA + 0xc000);
	CHECK_EQ(at(list + 36), GPA + 0xc001);
	CHECK_EQ(at(list + 48), at(list + 52));
	CHECK(memcmp(ram_get(GPA + 0x9000, 9000), bytes[1], 9000) == 0);
	vloader_free(&initrd);
	for (unsigned i = 0; i < 3; i++)
		vloader_free(&modules[i]);
}

TEST(many_modules_with_long_lines_fit)
{
	static char text[2048];
	struct loader_file modules[65];

	make();
	memset(text, 'x', sizeof(text) - 1);
	for (unsigned i = 0; i < 65; i++)
		modules[i] = (struct loader_file){
			.bytes = (const uint8_t *)text, .size = 10, .cmdline = text};
	boot.modules = modules;
	boot.module_count = 64;
	boot.initrd = &modules[64];
	boot.cmdline = text;
	vloader_good(image, IMAGE);
	CHECK_EQ(info(20), 65);
	for (unsigned i = 0; i < 65; i++) {
		CHECK_EQ(at(info(24) + 16 * i), GPA + 0x7000 + 0x1000 * i);
		CHECK_STR((char *)ram_get(at(info(24) + 16 * i + 8), 2048), text);
	}
	boot.module_count = 65;
	vloader_bad(image, IMAGE, "more than 64 modules");
}

TEST(modules_that_do_not_fit_are_refused)
{
	struct loader_file module = {.size = MEMORY, .cmdline = ""};

	make();
	boot.modules = &module;
	boot.module_count = 1;
	vloader_bad(image, IMAGE, "no room in RAM for a module");
	module.size = UINT64_MAX - 4096;
	vloader_bad(image, IMAGE, "no room in RAM for a module");
}

TEST(segments_are_checked)
{
	make();
	segment(1, 1, DATA, GPA + 0x1fff, 0x800, 0x800);
	vloader_bad(image, IMAGE, "overlaps another part");
	segment(1, 1, DATA, MEMORY, 0x800, 0x800);
	vloader_bad(image, IMAGE, "no RAM there");
	segment(1, 1, DATA, 0xfffff000, 0x800, 0xffffffff);
	vloader_bad(image, IMAGE, "no RAM there");
	segment(1, 1, IMAGE - 1, GPA + 0x2000, 2, 2);
	vloader_bad(image, IMAGE, "past the end of the file");
	segment(0, 6, TEXT, GPA, 0x2000, 0x2000);
	segment(1, 6, DATA, GPA + 0x2000, 0x800, 0x5000);
	vloader_bad(image, IMAGE, "nothing that is to be loaded");
}

TEST(no_length_is_too_short)
{
	make();
	vloader_truncations(image, IMAGE, 0x100);
	make_flat();
	vloader_truncations(image, IMAGE, 0x100);
	for (uint64_t length = HEADER; length < HEADER + 64; length++)
		CHECK(!vloader_try(image, length));
}

TEST(no_field_does_harm)
{
	make();
	vloader_extremes(image, IMAGE, 0, 52 + 2 * 32);
	vloader_extremes(image, IMAGE, HEADER, 32);
	vloader_noise(image, IMAGE, 52 + 2 * 32);
	make_flat();
	vloader_extremes(image, IMAGE, HEADER, 32);
}

int main(void)
{
	RUN(elf_is_loaded);
	RUN(entry_may_be_physical);
	RUN(address_fields_are_followed);
	RUN(address_fields_count_before_the_container);
	RUN(bad_address_fields_are_refused);
	RUN(header_is_found_in_the_first_8_kib);
	RUN(unknown_features_are_refused);
	RUN(elf64_is_refused);
	RUN(information_is_whole);
	RUN(modules_come_after_the_initrd);
	RUN(many_modules_with_long_lines_fit);
	RUN(modules_that_do_not_fit_are_refused);
	RUN(segments_are_checked);
	RUN(no_length_is_too_short);
	RUN(no_field_does_harm);
	return unit_end();
}
