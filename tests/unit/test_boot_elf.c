/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's ELF file: what the loader makes of a good one, and of broken ones. */
#include "boot/elf.h"
#include "tests/unit/unit.h"
#include <elf.h>

#define BASE ELF_VIRT_KERNEL

struct file {
	Elf64_Ehdr header;
	Elf64_Phdr program[10];
	uint8_t bytes[8192];
};

static struct elf_image image;

static Elf64_Phdr segment(uint32_t flags, uint64_t offset, uint64_t file_size, uint64_t virt,
			  uint64_t size)
{
	return (Elf64_Phdr){.p_type = PT_LOAD,
			    .p_flags = flags,
			    .p_offset = offset,
			    .p_vaddr = virt,
			    .p_filesz = file_size,
			    .p_memsz = size};
}

/* Read-only data, code, a hole, data with bss behind it. On the heap, where ASan sees its end. */
static struct file *good(void)
{
	struct file *file = calloc(1, sizeof(*file));

	memcpy(file->header.e_ident, ELFMAG "\2\1\1", 7);
	file->header.e_type = ET_EXEC;
	file->header.e_machine = EM_X86_64;
	file->header.e_entry = BASE + 0x1010;
	file->header.e_phoff = offsetof(struct file, program);
	file->header.e_phentsize = sizeof(Elf64_Phdr);
	file->header.e_phnum = 4;
	file->program[0] = segment(PF_R, offsetof(struct file, bytes), 16, BASE, 16);
	file->program[1] =
		segment(PF_R | PF_X, offsetof(struct file, bytes) + 16, 4096, BASE + 0x1000, 4096);
	file->program[2].p_type = PT_GNU_STACK;
	file->program[3] = segment(PF_R | PF_W, offsetof(struct file, bytes) + 4112, 4080,
				   BASE + 0x4000, 0x2001);
	for (unsigned i = 0; i < sizeof(file->bytes); i++)
		file->bytes[i] = (uint8_t)(i % 251 + 1);
	return file;
}

static const char *check(struct file *file)
{
	const char *fault = elf_check(&image, (uint8_t *)file, sizeof(*file), ELF_VIRT_KERNEL);

	free(file);
	return fault;
}

TEST(loads_a_good_one)
{
	struct file *file = good();
	struct boot_segment segments[BOOT_SEGMENT_MAX];
	uint8_t *memory;

	CHECK(!elf_check(&image, (uint8_t *)file, sizeof(*file), ELF_VIRT_KERNEL));
	CHECK_EQ(image.virt, BASE);
	CHECK_EQ(image.size, 0x7000);
	CHECK_EQ(image.part_count, 3);
	CHECK_EQ(image.entry, BASE + 0x1010);
	memory = malloc(image.size);
	memset(memory, 0xcc, image.size);
	elf_load(&image, (uint8_t *)file, memory, 0x12345000, segments);
	CHECK(!memcmp(memory, file->bytes, 16));
	CHECK(memory[16] == 0 && memory[0xfff] == 0);
	CHECK(!memcmp(memory + 0x1000, file->bytes + 16, 4096));
	CHECK(memory[0x2000] == 0 && memory[0x3fff] == 0);
	CHECK(!memcmp(memory + 0x4000, file->bytes + 4112, 4080));
	CHECK(memory[0x4ff0] == 0 && memory[0x6fff] == 0);
	CHECK_EQ(segments[1].virt, BASE + 0x1000);
	CHECK_EQ(segments[1].phys, 0x12346000);
	CHECK_EQ(segments[1].size, 0x1000);
	CHECK(segments[1].is_executable && !segments[1].is_writable);
	CHECK_EQ(segments[2].phys, 0x12349000);
	CHECK_EQ(segments[2].size, 0x3000);
	CHECK(!segments[2].is_executable && segments[2].is_writable);
	CHECK(!segments[0].is_executable && !segments[0].is_writable);
	free(memory);
	free(file);
}

TEST(every_truncation_is_refused)
{
	struct file *file = good();

	for (size_t size = 0; size < sizeof(*file); size++) {
		uint8_t *copy = malloc(size ? size : 1);

		memcpy(copy, file, size);
		CHECK(elf_check(&image, copy, size, ELF_VIRT_KERNEL));
		free(copy);
	}
	free(file);
}

TEST(other_kinds_of_file_are_refused)
{
	struct file *file = good();

	file->header.e_ident[0] = 0;
	CHECK(check(file));
	file = good();
	file->header.e_ident[EI_CLASS] = ELFCLASS32;
	CHECK(check(file));
	file = good();
	file->header.e_type = ET_DYN;
	CHECK(check(file));
	file = good();
	file->header.e_machine = EM_386;
	CHECK(check(file));
	file = good();
	file->header.e_phentsize = 32;
	CHECK(check(file));
	file = good();
	file->header.e_phoff = UINT64_MAX - 8;
	CHECK(check(file));
	file = good();
	file->header.e_phnum = 65535;
	CHECK(check(file));
	file = good();
	file->header.e_phnum = 0;
	CHECK(check(file));
}

TEST(segments_out_of_bounds_are_refused)
{
	static const struct {
		uint64_t offset, file_size, virt, size;
	} bad[] = {
		{UINT64_MAX, 16, BASE, 4096},
		{16, UINT64_MAX, BASE, UINT64_MAX},
		{16, 4096, BASE, 4095},
		{16, 16, BASE + 8, 4096},
		{16, 16, 0x400000, 4096},
		{16, 16, BASE - 4096, 4096},
		{16, 16, BASE, ELF_SIZE_MAX + 1},
		{16, 16, BASE, UINT64_MAX},
		{16, 16, BASE, 0x1001},             /* overlaps the next */
		{16, 16, BASE + 0x10000, 4096},     /* out of order */
		{16, 16, 0xffffffffc0000000, 4096}, /* the others lie before it */
	};
	struct file *file;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		file = good();
		file->program[0] =
			segment(PF_R, bad[i].offset, bad[i].file_size, bad[i].virt, bad[i].size);
		CHECK(check(file));
	}
	file = good();
	file->program[3].p_vaddr = 0xfffffffffffff000; /* too far away, and past the end */
	CHECK(check(file));
	file = good();
	file->program[3].p_vaddr = BASE + ELF_SIZE_MAX;
	CHECK(check(file));
}

TEST(what_is_writable_is_never_code)
{
	struct file *file = good();

	file->program[3].p_flags |= PF_X;
	CHECK_STR(check(file), "a segment of a program is both writable and executable");
}

TEST(an_image_at_the_very_top_does_not_wrap)
{
	struct file *file = good();

	file->header.e_phnum = 1;
	file->header.e_entry = 0xfffffffffffff000;
	file->program[0] = segment(PF_R | PF_X, 0, 0, 0xfffffffffffff000, 4096);
	CHECK(!check(file));
	file = good();
	file->header.e_phnum = 1;
	file->header.e_entry = 0xfffffffffffff000;
	file->program[0] = segment(PF_R | PF_X, 0, 0, 0xfffffffffffff000, 8192);
	CHECK(check(file));
}

TEST(the_entry_must_be_code)
{
	struct file *file = good();

	file->header.e_entry = BASE;
	CHECK(check(file));
	file = good();
	file->header.e_entry = BASE + 0x2000;
	CHECK(check(file));
	file = good();
	file->header.e_entry = 0;
	CHECK(check(file));
}

TEST(too_many_segments_are_refused)
{
	struct file *file = good();

	file->header.e_phnum = BOOT_SEGMENT_MAX + 1;
	for (unsigned i = 0; i < BOOT_SEGMENT_MAX + 1; i++)
		file->program[i] = segment(PF_R | PF_X, 0, 16, BASE + 0x1000 * i, 16);
	CHECK(check(file));
	file = good();
	file->header.e_phnum = BOOT_SEGMENT_MAX;
	for (unsigned i = 0; i < BOOT_SEGMENT_MAX; i++)
		file->program[i] = segment(PF_R | PF_X, 0, 17, BASE + 0x1000 * i, 17);
	CHECK(!check(file));
}

int main(void)
{
	RUN(loads_a_good_one);
	RUN(every_truncation_is_refused);
	RUN(other_kinds_of_file_are_refused);
	RUN(segments_out_of_bounds_are_refused);
	RUN(what_is_writable_is_never_code);
	RUN(an_image_at_the_very_top_does_not_wrap);
	RUN(the_entry_must_be_code);
	RUN(too_many_segments_are_refused);
	return unit_end();
}
