/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF kernels with a PVH note: segments, the note, and the start information. */
#include "tests/unit/vloader.h"

#define MEMORY   (4u << 20)
#define TEXT     0x1000u /* offsets in the file */
#define DATA     0x3000u
#define NOTE     0x200u
#define IMAGE    0x3800u
#define TEXT_GPA 0x100000u
#define DATA_GPA 0x102000u

static uint8_t image[IMAGE];

static void put(unsigned offset, unsigned size, uint64_t value)
{
	vloader_put(image, offset, size, value);
}

static void segment64(unsigned i, uint32_t type, uint64_t offset, uint64_t paddr, uint64_t filesz,
		      uint64_t memsz)
{
	unsigned at = 64 + 56 * i;

	put(at, 4, type);
	put(at + 8, 8, offset);
	put(at + 16, 8, paddr | 0xffffffff80000000);
	put(at + 24, 8, paddr);
	put(at + 32, 8, filesz);
	put(at + 40, 8, memsz);
	put(at + 48, 8, 4);
}

static void note(unsigned at, const char *name, uint32_t type, unsigned size, uint64_t value)
{
	put(at, 4, 4);
	put(at + 4, 4, size);
	put(at + 8, 4, type);
	memcpy(image + at + 12, name, 4);
	put(at + 16, size, value);
}

/* Two segments and two notes: one of somebody else, then the one that counts. */
static void make(void)
{
	vloader_init(MEMORY);
	for (unsigned i = 0; i < IMAGE; i++)
		image[i] = i < TEXT ? 0 : (uint8_t)(i * 11 + i / 256);
	memcpy(image, "\177ELF\2\1\1", 7);
	put(16, 2, 2);
	put(18, 2, 62);
	put(24, 8, 0xffffffff80100000);
	put(32, 8, 64);
	put(54, 2, 56);
	put(56, 2, 3);
	segment64(0, 1, TEXT, TEXT_GPA, 0x1234, 0x1234);
	segment64(1, 1, DATA, DATA_GPA, 0x800, 0x5000);
	segment64(2, 4, NOTE, 0, 40, 40);
	note(NOTE, "GNU", 18, 4, 0x11111111);
	note(NOTE + 20, "Xen", 18, 4, TEXT_GPA + 0x10);
}

static void make32(void)
{
	static const struct {
		uint32_t type, offset, paddr, filesz, memsz;
	} s[3] = {{1, TEXT, TEXT_GPA, 0x1234, 0x1234},
		  {1, DATA, DATA_GPA, 0x800, 0x5000},
		  {4, NOTE, 0, 40, 40}};

	make();
	memset(image + 16, 0, NOTE - 16);
	image[4] = 1;
	put(16, 2, 2);
	put(18, 2, 3);
	put(28, 4, 52);
	put(42, 2, 32);
	put(44, 2, 3);
	for (unsigned i = 0; i < 3; i++) {
		put(52 + 32 * i, 4, s[i].type);
		put(52 + 32 * i + 4, 4, s[i].offset);
		put(52 + 32 * i + 12, 4, s[i].paddr);
		put(52 + 32 * i + 16, 4, s[i].filesz);
		put(52 + 32 * i + 20, 4, s[i].memsz);
	}
}

static uint64_t info(unsigned offset, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, ram_get(entry.rbx + offset, size), size);
	return value;
}

static uint64_t at(uint64_t gpa)
{
	uint64_t value;

	memcpy(&value, ram_get(gpa, 8), 8);
	return value;
}

static void check_loaded(void)
{
	static const uint8_t zeros[0x4800];

	CHECK(memcmp(ram_get(TEXT_GPA, 0x1234), image + TEXT, 0x1234) == 0);
	CHECK(memcmp(ram_get(DATA_GPA, 0x800), image + DATA, 0x800) == 0);
	CHECK(memcmp(ram_get(DATA_GPA + 0x800, 0x4800), zeros, 0x4800) == 0);
	CHECK(!entry.is_64bit);
	CHECK_EQ(entry.rip, TEXT_GPA + 0x10);
	CHECK_EQ(shared, 4096); /* the first page of the text */
}

TEST(elf64_is_loaded)
{
	make();
	vloader_good(image, IMAGE);
	check_loaded();
}

TEST(elf32_is_loaded)
{
	make32();
	vloader_good(image, IMAGE);
	check_loaded();
}

TEST(start_information_is_whole)
{
	make();
	boot.cmdline = "one two";
	vloader_good(image, IMAGE);
	CHECK_EQ(info(0, 4), 0x336ec578);
	CHECK_EQ(info(4, 4), 1);
	CHECK_EQ(info(8, 4), 0);
	CHECK_EQ(info(12, 4), 0);
	CHECK_STR((char *)ram_get(info(24, 8), 8), "one two");
	CHECK_EQ(info(32, 8), 0xe0000);
	CHECK_EQ(info(48, 4), map.range_count);
	CHECK_EQ(at(info(40, 8)), 0);
	CHECK_EQ(at(info(40, 8) + 8), 0x9fc00);
	CHECK_EQ(at(info(40, 8) + 16), 1);
	CHECK_EQ(at(info(40, 8) + 72), 0x100000);
	CHECK_EQ(at(info(40, 8) + 80), MEMORY - 0x100000);
}

TEST(initrd_is_the_module)
{
	static uint8_t bytes[9000] = {1, 2, 3};
	struct loader_file initrd = vloader_file(bytes, sizeof(bytes));
	uint64_t gpa;

	make();
	boot.initrd = &initrd;
	vloader_good(image, IMAGE);
	CHECK_EQ(info(12, 4), 1);
	gpa = at(info(16, 8));
	CHECK_EQ(gpa, MEMORY - 12288);
	CHECK_EQ(at(info(16, 8) + 8), sizeof(bytes));
	CHECK(memcmp(ram_get(gpa, sizeof(bytes)), bytes, sizeof(bytes)) == 0);
	vloader_free(&initrd);
}

TEST(cpu_starts_in_protected_mode)
{
	struct abi_cpu cpu;
	uint64_t gpr[16];

	make();
	vloader_good(image, IMAGE);
	loader_cpu(&entry, &cpu, gpr);
	CHECK_EQ(cpu.rip, TEXT_GPA + 0x10);
	CHECK_EQ(cpu.cr0, 0x11);
	CHECK_EQ(cpu.cr4, 0);
	CHECK_EQ(cpu.efer, 0);
	CHECK_EQ(gpr[ABI_RBX], entry.rbx);
	CHECK_EQ(cpu.segment[ABI_CS].attributes, 0xc9b);
	CHECK_EQ(cpu.segment[ABI_SS].attributes, 0xc93);
	CHECK_EQ(cpu.segment[ABI_SS].limit, 0xffffffff);
	CHECK_EQ(cpu.segment[ABI_TR].limit, 0x67);
	CHECK_EQ(cpu.segment[ABI_TR].attributes, 0x8b);
}

TEST(note_counts_wherever_it_stands)
{
	make();
	note(NOTE + 20, "Xen", 17, 4, 0);
	vloader_bad(image, IMAGE, "without a PVH note");
	note(NOTE + 20, "Xen", 18, 2, 0);
	vloader_bad(image, IMAGE, "without a PVH note");
	make();
	segment64(2, 4, NOTE, 0, 39, 39); /* cut within the note */
	vloader_bad(image, IMAGE, "without a PVH note");
	segment64(2, 4, NOTE, 0, 44, 44);
	note(NOTE + 20, "Xen", 18, 8, TEXT_GPA);
	vloader_good(image, IMAGE);
	CHECK_EQ(entry.rip, TEXT_GPA);
	note(NOTE + 20, "Xen", 18, 8, 0x100000000 + TEXT_GPA);
	vloader_bad(image, IMAGE, "entry, 0x100100000, lies outside");
	put(NOTE, 4, 0xffffffff);
	vloader_bad(image, IMAGE, "without a PVH note");
	put(NOTE, 4, 4);
	put(NOTE + 4, 4, 0xffffffff);
	vloader_bad(image, IMAGE, "without a PVH note");
}

TEST(entry_lies_in_the_file_s_bytes)
{
	make();
	note(NOTE + 20, "Xen", 18, 4, TEXT_GPA + 0x1233);
	vloader_good(image, IMAGE);
	note(NOTE + 20, "Xen", 18, 4, TEXT_GPA + 0x1234);
	vloader_bad(image, IMAGE, "lies outside what is loaded");
	note(NOTE + 20, "Xen", 18, 4, DATA_GPA + 0x800);
	vloader_bad(image, IMAGE, "lies outside what is loaded");
	note(NOTE + 20, "Xen", 18, 4, 0);
	vloader_bad(image, IMAGE, "lies outside what is loaded");
}

TEST(segments_stay_in_ram)
{
	make();
	segment64(1, 1, DATA, MEMORY - 0x800, 0x800, 0x800);
	vloader_good(image, IMAGE);
	segment64(1, 1, DATA, MEMORY - 0x800, 0x800, 0x801);
	vloader_bad(image, IMAGE, "segment 1 belongs at 0x3ff800, 2049 bytes long");
	segment64(1, 1, DATA, 0xfffffffffffff000, 0x800, 0x1000);
	vloader_bad(image, IMAGE, "no RAM there");
	segment64(1, 1, DATA, DATA_GPA, 0x800, UINT64_MAX);
	vloader_bad(image, IMAGE, "no RAM there");
	segment64(1, 1, DATA, 0xa0000, 0x800, 0x800);
	vloader_bad(image, IMAGE, "no RAM there");
	segment64(1, 1, DATA, 0xf0000, 0x800, 0x800); /* the firmware's */
	vloader_bad(image, IMAGE, "no RAM there");
	segment64(1, 1, DATA, 0x9f400, 0x800, 0x801);
	vloader_bad(image, IMAGE, "no RAM there");
}

TEST(segments_do_not_overlap)
{
	make();
	segment64(1, 1, DATA, TEXT_GPA + 0x1233, 0x800, 0x800);
	vloader_bad(image, IMAGE, "overlaps another part");
	segment64(1, 1, DATA, TEXT_GPA - 0x7ff, 0x800, 0x800);
	vloader_bad(image, IMAGE, "no RAM there");
	segment64(1, 1, DATA, TEXT_GPA, 0x800, 0x800);
	vloader_bad(image, IMAGE, "overlaps another part");
	segment64(1, 1, DATA, TEXT_GPA + 0x1234, 0x800, 0x800);
	vloader_good(image, IMAGE);
	segment64(1, 1, DATA, TEXT_GPA, 0, 0); /* an empty one is nowhere */
	vloader_good(image, IMAGE);
}

TEST(parameters_keep_off_the_kernel)
{
	make();
	segment64(1, 1, DATA, 0x1000, 0x800, 0x8e000); /* nearly all of low RAM */
	vloader_good(image, IMAGE);
	CHECK(entry.rbx >= 0x8f000 && entry.rbx < 0x9fc00);
	segment64(1, 1, DATA, 0x1000, 0x800, 0x9ec00);
	vloader_good(image, IMAGE);
	CHECK(entry.rbx >= TEXT_GPA + 0x2000);
}

TEST(program_headers_are_checked)
{
	make();
	put(56, 2, 65);
	vloader_bad(image, IMAGE, "65 segments");
	put(56, 2, 0);
	vloader_bad(image, IMAGE, "without a PVH note");
	make();
	put(54, 2, 55);
	vloader_bad(image, IMAGE, "list of segments");
	make();
	put(32, 8, IMAGE - 100);
	vloader_bad(image, IMAGE, "list of segments");
	put(32, 8, UINT64_MAX - 10);
	vloader_bad(image, IMAGE, "list of segments");
	make();
	segment64(0, 1, IMAGE, TEXT_GPA, 1, 1);
	vloader_bad(image, IMAGE, "segment 0 goes past the end of the file");
	segment64(0, 1, UINT64_MAX, TEXT_GPA, 2, 2);
	vloader_bad(image, IMAGE, "segment 0 goes past the end of the file");
	segment64(0, 1, TEXT, TEXT_GPA, 0x1000, 0xfff);
	vloader_bad(image, IMAGE, "more bytes in the file");
	make();
	put(18, 2, 183);
	vloader_bad(image, IMAGE, "not of an x86 CPU");
	make();
	put(16, 2, 1);
	vloader_bad(image, IMAGE, "no program");
	make();
	image[5] = 2;
	vloader_bad(image, IMAGE, "not of an x86 CPU");
}

TEST(modules_are_refused)
{
	struct loader_file module = {.cmdline = ""};

	make();
	boot.modules = &module;
	boot.module_count = 1;
	vloader_bad(image, IMAGE, "only Multiboot kernels take modules");
}

TEST(no_length_is_too_short)
{
	make();
	vloader_truncations(image, IMAGE, 0x300);
	make32();
	vloader_truncations(image, IMAGE, 0x300);
}

TEST(no_field_does_harm)
{
	make();
	vloader_extremes(image, IMAGE, 0, NOTE + 48);
	vloader_noise(image, IMAGE, NOTE + 48);
	make32();
	vloader_extremes(image, IMAGE, 0, NOTE + 48);
	vloader_noise(image, IMAGE, NOTE + 48);
}

int main(void)
{
	RUN(elf64_is_loaded);
	RUN(elf32_is_loaded);
	RUN(start_information_is_whole);
	RUN(initrd_is_the_module);
	RUN(cpu_starts_in_protected_mode);
	RUN(note_counts_wherever_it_stands);
	RUN(entry_lies_in_the_file_s_bytes);
	RUN(segments_stay_in_ram);
	RUN(segments_do_not_overlap);
	RUN(parameters_keep_off_the_kernel);
	RUN(program_headers_are_checked);
	RUN(modules_are_refused);
	RUN(no_length_is_too_short);
	RUN(no_field_does_harm);
	return unit_end();
}
