/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux kernels: what of the header is believed, and what the guest finds. */
#include "tests/unit/vloader.h"

#define MEMORY    (8u << 20)
#define SETUP     4096u /* setup_sects = 7 */
#define KERNEL    20000u
#define IMAGE     (SETUP + KERNEL)
#define PREFERRED 0x200000u

static uint8_t image[IMAGE];

static void put(unsigned offset, unsigned size, uint64_t value)
{
	vloader_put(image, offset, size, value);
}

/* As Linux's build makes it, only smaller. */
static void make(void)
{
	vloader_init(MEMORY);
	for (unsigned i = 0; i < IMAGE; i++)
		image[i] = (uint8_t)(i * 7 + i / 256);
	memset(image + 0x1f1, 0, 0x280 - 0x1f1);
	put(0x1f1, 1, SETUP / 512 - 1);
	put(0x1f4, 4, KERNEL / 16);
	put(0x1fe, 2, 0xaa55);
	put(0x200, 2, 0x6aeb);
	memcpy(image + 0x202, "HdrS", 4);
	put(0x206, 2, 0x020f);
	put(0x211, 1, 1);
	put(0x22c, 4, 0x7fffffff);
	put(0x230, 4, 0x200000);
	put(0x234, 1, 1);
	put(0x236, 2, 0x7f);
	put(0x238, 4, 2047);
	put(0x248, 4, 0x2cc);
	put(0x24c, 4, KERNEL - 0x2cc);
	put(0x258, 8, PREFERRED);
	put(0x260, 4, 0x300000);
}

static uint64_t param(unsigned offset, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, ram_get(entry.rsi + offset, size), size);
	return value;
}

TEST(kernel_lies_where_it_wants_to)
{
	make();
	vloader_good(image, IMAGE);
	CHECK(entry.is_64bit);
	CHECK_EQ(entry.rip, PREFERRED + 0x200);
	CHECK(memcmp(ram_get(PREFERRED, KERNEL), image + SETUP, KERNEL) == 0);
	CHECK_EQ(shared, KERNEL / 4096 * 4096);
}

TEST(zero_page_tells_what_linux_asks_for)
{
	make();
	boot.cmdline = "console=ttyS0 quiet";
	vloader_good(image, IMAGE);
	CHECK_EQ(param(0x202, 4), 0x53726448);
	CHECK_EQ(param(0x210, 1), 0xff);
	CHECK_EQ(param(0x70, 8), 0xe0000);
	CHECK_STR((char *)ram_get(param(0x228, 4), 20), "console=ttyS0 quiet");
	CHECK_EQ(param(0x218, 4), 0);
	CHECK_EQ(param(0x21c, 4), 0);
	CHECK_EQ(param(0x1e8, 1), map.range_count);
	CHECK_EQ(param(0x2d0, 8), 0);
	CHECK_EQ(param(0x2d8, 8), 0x9fc00);
	CHECK_EQ(param(0x2e0, 4), 1);
	CHECK_EQ(param(0x2d0 + 60, 8), 0x100000);
	CHECK_EQ(param(0x2d0 + 68, 8), MEMORY - 0x100000);
	/* Nothing but the header was taken from the file. */
	CHECK_EQ(param(0, 8), 0);
	CHECK_EQ(param(0x26c + 2, 8), 0);
}

TEST(tables_map_the_first_four_gib)
{
	uint64_t *pml4, *pdpt, *pd, *gdt;

	make();
	vloader_good(image, IMAGE);
	pml4 = ram_get(entry.cr3, 4096);
	pdpt = ram_get(pml4[0] & ~0xfffull, 4096);
	for (unsigned i = 0; i < 4; i++) {
		pd = ram_get(pdpt[i] & ~0xfffull, 4096);
		for (uint64_t k = 0; k < 512; k++)
			CHECK_EQ(pd[k], (i * 512 + k) << 21 | 0x83);
	}
	CHECK_EQ(pdpt[4], 0);
	gdt = ram_get(entry.gdt, 32);
	CHECK_EQ(gdt[2], 0x00af9b000000ffff);
	CHECK_EQ(gdt[3], 0x00cf93000000ffff);
}

TEST(cpu_starts_in_long_mode)
{
	struct abi_cpu cpu;
	uint64_t gpr[16];

	make();
	vloader_good(image, IMAGE);
	loader_cpu(&entry, &cpu, gpr);
	CHECK_EQ(cpu.rip, entry.rip);
	CHECK_EQ(gpr[ABI_RSI], entry.rsi);
	CHECK_EQ(cpu.efer, 0x500);
	CHECK_EQ(cpu.cr0, 0x80000031);
	CHECK_EQ(cpu.cr4, 0x20);
	CHECK_EQ(cpu.segment[ABI_CS].selector, 0x10);
	CHECK_EQ(cpu.segment[ABI_CS].attributes, 0xa9b);
	CHECK_EQ(cpu.segment[ABI_DS].selector, 0x18);
	CHECK_EQ(cpu.rflags, 2);
}

/* SDM vol 3, "Processor State After Reset". */
TEST(another_cpu_starts_in_real_mode_at_its_page)
{
	struct abi_cpu cpu;
	uint64_t gpr[16] = {1, 2, 3};

	loader_start_up(0x9a, &cpu, gpr);
	CHECK_EQ(cpu.rip, 0);
	CHECK_EQ(cpu.segment[ABI_CS].selector, 0x9a00);
	CHECK_EQ(cpu.segment[ABI_CS].base, 0x9a000);
	CHECK_EQ(cpu.segment[ABI_CS].limit, 0xffff);
	CHECK_EQ(cpu.segment[ABI_CS].attributes, 0x9b);
	CHECK_EQ(cpu.segment[ABI_SS].attributes, 0x93);
	CHECK_EQ(cpu.segment[ABI_DS].base | cpu.segment[ABI_DS].selector, 0);
	CHECK_EQ(cpu.cr0, 0x60000010);
	CHECK_EQ(cpu.cr3 | cpu.cr4 | cpu.efer | gpr[0] | gpr[1] | gpr[2], 0);
	CHECK_EQ(cpu.rflags, 2);
	CHECK_EQ(cpu.segment[ABI_IDTR].limit, 0xffff);
}

TEST(initrd_lies_high_and_shared)
{
	static uint8_t bytes[10000];
	struct loader_file initrd;
	uint64_t gpa;

	make();
	memset(bytes, 0x5a, sizeof(bytes));
	initrd = vloader_file(bytes, sizeof(bytes));
	boot.initrd = &initrd;
	vloader_good(image, IMAGE);
	gpa = param(0x218, 4);
	CHECK_EQ(param(0x21c, 4), sizeof(bytes));
	CHECK_EQ(gpa, MEMORY - 12288);
	CHECK(memcmp(ram_get(gpa, sizeof(bytes)), bytes, sizeof(bytes)) == 0);
	CHECK_EQ(shared, KERNEL / 4096 * 4096 + 8192);
	put(0x22c, 4, 0x5fffff); /* no byte above that; the kernel needs 5 MiB of the 6 */
	vloader_good(image, IMAGE);
	CHECK_EQ(param(0x218, 4), 0x600000 - 12288);
	put(0x22c, 4, 0x4fffff); /* below 5 MiB: only what lies under the kernel is left */
	vloader_good(image, IMAGE);
	CHECK_EQ(param(0x218, 4), 0x200000 - 12288);
	vloader_free(&initrd);
}

TEST(initrd_that_does_not_fit_is_refused)
{
	struct loader_file initrd = {.size = MEMORY, .cmdline = ""};

	make();
	boot.initrd = &initrd; /* its bytes are never touched */
	vloader_bad(image, IMAGE, "no room in RAM for the initrd");
	initrd.size = UINT64_MAX;
	vloader_bad(image, IMAGE, "no room in RAM for the initrd");
	initrd.size = UINT64_MAX - 4095;
	vloader_bad(image, IMAGE, "no room in RAM for the initrd");
}

TEST(initrd_and_kernel_go_below_four_gib)
{
	/* 3.5 GiB: nobody touches the pages in between. */
	static uint8_t bytes[5000];
	struct loader_file initrd;

	make();
	vloader_init(0xe0000000);
	initrd = vloader_file(bytes, sizeof(bytes));
	boot.initrd = &initrd;
	put(0x22c, 4, 0xffffffff);
	vloader_good(image, IMAGE);
	CHECK_EQ(param(0x218, 4), 0xc0000000 - 8192);
	CHECK_EQ(param(0x1e8, 1), 5);
	CHECK_EQ(param(0x2d0 + 80, 8), 0x100000000);
	CHECK_EQ(param(0x2d0 + 88, 8), 0x20000000);
	put(0x258, 8, 0x100000000);
	vloader_bad(image, IMAGE, "no room in RAM for the kernel");
	vloader_free(&initrd);
}

TEST(relocatable_kernel_takes_what_suits)
{
	make();
	put(0x258, 8, 0x1000); /* below 1 MiB there is no room */
	vloader_good(image, IMAGE);
	CHECK_EQ(entry.rip, 0x200200);
	put(0x258, 8, 0x300000); /* not aligned */
	vloader_good(image, IMAGE);
	CHECK_EQ(entry.rip, 0x400200);
	put(0x230, 4, 0x1000);
	vloader_good(image, IMAGE);
	CHECK_EQ(entry.rip, 0x300200);
}

TEST(fixed_kernel_is_not_moved)
{
	make();
	put(0x234, 1, 0);
	put(0x258, 8, 0x300000);
	vloader_good(image, IMAGE);
	CHECK_EQ(entry.rip, 0x300200);
	put(0x258, 8, 0x600000);
	vloader_bad(image, IMAGE, "no RAM there");
	put(0x258, 8, 0xfffffffffff00000);
	vloader_bad(image, IMAGE, "above 4 GiB");
	put(0x258, 8, 0x80000);
	vloader_bad(image, IMAGE, "no RAM there");
}

TEST(kernel_needs_its_init_size)
{
	make();
	put(0x260, 4, MEMORY - PREFERRED);
	vloader_good(image, IMAGE);
	put(0x260, 4, MEMORY - PREFERRED + 1);
	vloader_bad(image, IMAGE, "no room in RAM for the kernel");
	put(0x260, 4, 0xffffffff);
	vloader_bad(image, IMAGE, "no room in RAM for the kernel");
}

TEST(old_and_32bit_kernels_are_refused)
{
	make();
	put(0x206, 2, 0x0203);
	vloader_bad(image, IMAGE, "protocol 2.03, has no 64-bit entry");
	put(0x206, 2, 0x020b);
	vloader_bad(image, IMAGE, "no 64-bit entry");
	put(0x206, 2, 0x020f);
	put(0x236, 2, 0x7e);
	vloader_bad(image, IMAGE, "no 64-bit entry");
	put(0x236, 2, 1);
	put(0x211, 1, 0);
	vloader_bad(image, IMAGE, "below 1 MiB");
}

TEST(header_that_lies_is_refused)
{
	make();
	put(0x1fe, 2, 0);
	vloader_bad(image, IMAGE, "no boot flag");
	make();
	put(0x201, 1, 0x10);
	vloader_bad(image, IMAGE, "its length is");
	make();
	put(0x1f1, 1, 0xff);
	vloader_bad(image, IMAGE, "cut off");
	make();
	put(0x1f4, 4, KERNEL / 16 + 1);
	vloader_bad(image, IMAGE, "cut off: it has 24096 of 24112 bytes");
	make();
	put(0x248, 4, KERNEL);
	vloader_bad(image, IMAGE, "payload");
	make();
	put(0x24c, 4, 0xffffffff);
	vloader_bad(image, IMAGE, "payload");
	make();
	put(0x230, 4, 0x300000);
	vloader_bad(image, IMAGE, "alignment");
	make();
	put(0x230, 4, 0);
	vloader_bad(image, IMAGE, "alignment");
}

TEST(command_line_has_a_limit)
{
	static char text[2600];

	make();
	memset(text, 'a', 2047);
	boot.cmdline = text;
	vloader_good(image, IMAGE);
	CHECK_STR((char *)ram_get(param(0x228, 4), 2048), text);
	put(0x238, 4, 255);
	vloader_bad(image, IMAGE, "2047 bytes, but its kernel takes at most 255");
}

TEST(modules_are_refused)
{
	struct loader_file module = {.cmdline = ""};

	make();
	boot.modules = &module;
	boot.module_count = 1;
	vloader_bad(image, IMAGE, "only Multiboot kernels take modules");
}

TEST(no_memory_for_sharing_is_told)
{
	make();
	cow_error = -ABI_EBUSY;
	vloader_good(image, IMAGE);
	CHECK(memcmp(ram_get(PREFERRED, KERNEL), image + SETUP, KERNEL) == 0);
	cow_error = -ABI_ENOMEM;
	vloader_bad(image, IMAGE, "not enough memory");
}

TEST(unaligned_kernel_is_copied)
{
	make();
	put(0x1f1, 1, SETUP / 512 - 2);
	put(0x1f4, 4, KERNEL / 16);
	vloader_good(image, IMAGE);
	CHECK_EQ(shared, 0);
	CHECK(memcmp(ram_get(PREFERRED, KERNEL), image + SETUP - 512, KERNEL) == 0);
}

TEST(no_length_is_too_short)
{
	make();
	vloader_truncations(image, IMAGE, 0x300);
}

TEST(no_field_does_harm)
{
	make();
	vloader_extremes(image, IMAGE, 0x1f0, 0xa0);
	vloader_noise(image + 0, IMAGE, 0x290);
}

TEST(other_files_are_no_kernel)
{
	static uint8_t nothing[100000];

	vloader_init(MEMORY);
	vloader_bad(nothing, 0, "no bzImage");
	vloader_bad(nothing, 1, "no bzImage");
	vloader_bad(nothing, sizeof(nothing), "no bzImage");
}

int main(void)
{
	RUN(kernel_lies_where_it_wants_to);
	RUN(zero_page_tells_what_linux_asks_for);
	RUN(tables_map_the_first_four_gib);
	RUN(cpu_starts_in_long_mode);
	RUN(initrd_lies_high_and_shared);
	RUN(initrd_that_does_not_fit_is_refused);
	RUN(initrd_and_kernel_go_below_four_gib);
	RUN(relocatable_kernel_takes_what_suits);
	RUN(fixed_kernel_is_not_moved);
	RUN(kernel_needs_its_init_size);
	RUN(old_and_32bit_kernels_are_refused);
	RUN(header_that_lies_is_refused);
	RUN(command_line_has_a_limit);
	RUN(modules_are_refused);
	RUN(no_memory_for_sharing_is_told);
	RUN(unaligned_kernel_is_copied);
	RUN(another_cpu_starts_in_real_mode_at_its_page);
	RUN(no_length_is_too_short);
	RUN(no_field_does_harm);
	RUN(other_files_are_no_kernel);
	return unit_end();
}
