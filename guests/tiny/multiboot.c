/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader hands over: memory map, command line, modules (their sums are printed). */
#include "guests/lib/guest.h"

extern char guest_start[], guest_end[];

static bool in_ram(uint64_t base, uint64_t size)
{
	for (unsigned int i = 0; i < boot.range_count; i++) {
		const struct boot_range *range = &boot.range[i];

		if (range->type == 1 && base >= range->base &&
		    base + size <= range->base + range->size)
			return true;
	}
	return false;
}

static void check_map(void)
{
	bool apart = true;

	for (unsigned int i = 0; i < boot.range_count; i++) {
		const struct boot_range *range = &boot.range[i];

		print("# %016lx + %016lx type %u\n", range->base, range->size, range->type);
		for (unsigned int k = 0; k < i; k++) {
			const struct boot_range *other = &boot.range[k];

			if (range->base < other->base + other->size &&
			    other->base < range->base + range->size)
				apart = false;
		}
	}
	tap_ok(boot.range_count >= 2, "there is a memory map");
	tap_ok(apart, "its ranges do not overlap");
	tap_ok(in_ram(0x1000, 0x80000), "low memory is RAM");
	tap_ok(!in_ram(0xa0000, 0x1000), "the VGA hole is not");
	tap_ok(in_ram((uint64_t)guest_start, (uint64_t)(guest_end - guest_start)),
	       "this guest is in RAM");
	tap_ok(!in_ram(0xfee00000, 0x1000) && !in_ram(0xfec00000, 0x1000), "the APICs are not RAM");
}

static void check_modules(void)
{
	bool good = true;

	for (unsigned int i = 0; i < boot.module_count; i++) {
		const struct boot_module *module = &boot.module[i];
		const uint8_t *byte = (const uint8_t *)module->base;
		uint32_t sum = 0;

		good = good && in_ram(module->base, module->size) &&
		       (module->base >= (uint64_t)guest_end ||
			module->base + module->size <= (uint64_t)guest_start);
		for (uint64_t k = 0; good && k < module->size; k++)
			sum = sum * 31 + byte[k];
		print("# module %u: %lu bytes, sum %08x, \"%s\"\n", i, module->size, sum,
		      module->cmdline);
		if (boot.kind == BOOT_MULTIBOOT && (module->base & 4095))
			good = false;
	}
	tap_ok(good, "the modules are in RAM, on pages of their own, and not where this guest is");
}

void guest_main(void)
{
	char want[8] = "";

	tap_plan(9);
	print("# command line \"%s\"\n", boot.cmdline);
	check_map();
	check_modules();
	tap_ok(!boot_option("modules", want, sizeof(want)) ||
		       boot.module_count == (unsigned int)(want[0] - '0'),
	       "as many modules as were given");
	tap_ok(boot.kind != BOOT_MULTIBOOT || (*(uint32_t *)boot.info & 1),
	       "a Multiboot loader also tells the memory sizes");
}
