/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the loaders: the input spoils a good Linux, Multiboot or PVH kernel. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vloader.h"

#define MEMORY (4u << 20)
#define IMAGE  0x3800u
#define TABLES 0x40u /* what stands in the firmware's part; no loader writes there */

/* Fields of the image; a size of 0 ends the list. */
struct field {
	uint32_t at, size;
	uint64_t value;
};

static const struct field bzimage[] = {{0x1f1, 1, 7},
				       {0x1f4, 4, 0x280},
				       {0x1fe, 2, 0xaa55},
				       {0x200, 2, 0x6aeb},
				       {0x202, 4, 0x53726448},
				       {0x206, 2, 0x20f},
				       {0x211, 1, 1},
				       {0x22c, 4, 0x7fffffff},
				       {0x230, 4, 0x200000},
				       {0x234, 1, 1},
				       {0x236, 2, 0x7f},
				       {0x238, 4, 2047},
				       {0x248, 4, 0x2cc},
				       {0x24c, 4, 0x1000},
				       {0x258, 8, 0x200000},
				       {0x260, 4, 0x100000},
				       {0, 0, 0}};

static const struct field multiboot_elf[] = {{0, 8, 0x10101464c457f},
					     {16, 4, 0x30002},
					     {24, 4, 0x100020},
					     {28, 4, 52},
					     {42, 4, 0x20020},
					     {52, 8, 0x100000000001},
					     {60, 8, 0x10000000100000},
					     {68, 8, 0x200000002000},
					     {80, 4, 4096},
					     {84, 8, 0x300000000001},
					     {92, 8, 0x10200000102000},
					     {100, 8, 0x500000000800},
					     {0x1000, 4, 0x1badb002},
					     {0x1004, 4, 3},
					     {0x1008, 4, 0xe4524ffb},
					     {0, 0, 0}};

static const struct field multiboot_flat[] = {
	{0x1000, 4, 0x1badb002}, {0x1004, 4, 0x10003},  {0x1008, 4, 0xe4514ffb},
	{0x100c, 4, 0x100000},   {0x1010, 4, 0x100000}, {0x1014, 4, 0x102800},
	{0x1018, 4, 0x107000},   {0x101c, 4, 0x100020}, {0, 0, 0}};

static const struct field pvh[] = {{0, 8, 0x10102464c457f},
				   {16, 4, 0x3e0002},
				   {24, 8, 0xffffffff80100000},
				   {32, 8, 64},
				   {54, 4, 0x30038},
				   {64, 4, 1},
				   {72, 8, 0x1000},
				   {88, 8, 0x100000},
				   {96, 8, 0x1234},
				   {104, 8, 0x1234},
				   {120, 4, 1},
				   {128, 8, 0x3000},
				   {144, 8, 0x102000},
				   {152, 8, 0x800},
				   {160, 8, 0x5000},
				   {176, 4, 4},
				   {184, 8, 0x200},
				   {208, 8, 20},
				   {216, 8, 20},
				   {0x200, 8, 0x400000004},
				   {0x208, 8, 0x6e655800000012},
				   {0x210, 4, 0x100010},
				   {0, 0, 0}};

static void spoil(struct input *input, uint8_t *image)
{
	for (unsigned count = take8(input) % 16; count > 0; count--) {
		unsigned at = take16(input);
		unsigned size = 1u << (at >> 14);

		/* Mostly where headers are. */
		at %= at & 0x2000 ? 0x1040 : 0x280;
		vloader_put(image, at, size, take_value(input));
	}
}

static void fuzz(struct input *input)
{
	static const struct field *const formats[] = {bzimage, multiboot_elf, multiboot_flat, pvh};
	static uint8_t image[IMAGE], other[5000];
	static char cmdline[2048];
	static struct loader_file files[3];
	const struct field *field = formats[take8(input) % 4];
	uint8_t how = take8(input);
	uint8_t *tables;

	for (unsigned i = 0; i < IMAGE; i++)
		image[i] = i < 0x1000 ? 0 : (uint8_t)(i * 11 + i / 256);
	for (; field->size; field++)
		vloader_put(image, field->at, field->size, field->value);
	spoil(input, image);
	vloader_init(how & 1 ? MEMORY : MEMMAP_MIN);
	cow_error = how & 2 ? -ABI_EBUSY : 0;
	tables = ram_get(MEMMAP_FIRMWARE, MEMMAP_FIRMWARE_END - MEMMAP_FIRMWARE);
	memset(tables, TABLES, MEMMAP_FIRMWARE_END - MEMMAP_FIRMWARE);
	memset(cmdline, 'x', sizeof(cmdline));
	cmdline[take16(input) % sizeof(cmdline)] = 0;
	boot.cmdline = cmdline;
	for (unsigned i = 0; i < 3; i++)
		files[i] = (struct loader_file){
			.bytes = other, .size = take16(input) % sizeof(other), .cmdline = cmdline};
	boot.initrd = how & 4 ? &files[0] : NULL;
	boot.modules = &files[1];
	boot.module_count = how >> 3 & 1 ? 2 : 0;
	vloader_try(image, how & 16 ? take16(input) % (IMAGE + 1) : IMAGE);
	for (unsigned i = 0; i < MEMMAP_FIRMWARE_END - MEMMAP_FIRMWARE; i += 64)
		CHECK_EQ(tables[i], TABLES);
}
