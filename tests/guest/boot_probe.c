/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel for the loader's tests: takes the real kernel's place in build/tests/boot-probe.efi,
 * checks what boot_info.h promises, prints what it was given to COM1 and powers off.
 */
#include "boot/boot_info.h"
#include <stdbool.h>

extern const char image_start[], text_start[], text_end[], data_start[], image_end[];

_Noreturn void probe_main(const struct boot_info *info, uint64_t rsp, uint64_t rflags);

static unsigned check_count;

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put(char c)
{
	for (unsigned i = 0; i < 100000 && !(in8(0x3fd) & 0x20); i++)
		;
	out8(0x3f8, (uint8_t)c);
}

static void print(const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			put('\r');
		put(*s);
	}
}

static void print_hex(const char *label, uint64_t value)
{
	char digits[17];

	for (unsigned i = 0; i < 16; i++)
		digits[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	digits[16] = 0;
	print(label);
	print(digits);
}

static void check(bool is_good, const char *sentence)
{
	check_count++;
	print(is_good ? "ok " : "not ok ");
	if (check_count >= 10)
		put((char)('0' + check_count / 10));
	put((char)('0' + check_count % 10));
	print(" - ");
	print(sentence);
	print("\n");
}

static const struct boot_range *range_at(const struct boot_info *info, uint64_t address)
{
	const struct boot_range *ranges = (void *)info->ranges;

	for (uint32_t i = 0; i < info->range_count; i++)
		if (address >= ranges[i].start && address - ranges[i].start < ranges[i].size)
			return &ranges[i];
	return 0;
}

static bool is_in(const struct boot_info *info, uint64_t address, uint32_t kind)
{
	const struct boot_range *range = range_at(info, address);

	return range && range->kind == kind;
}

static bool is_in_block(const struct boot_info *info, uint64_t address)
{
	return address - BOOT_WINDOW - info->block < info->block_used * 4096ull;
}

static void check_header(const struct boot_info *info, uint64_t rsp, uint64_t rflags)
{
	check(info->magic == BOOT_INFO_MAGIC && info->version == BOOT_INFO_VERSION &&
		      info->size == sizeof(*info) &&
		      info->range_size == sizeof(struct boot_range) &&
		      info->module_size == sizeof(struct boot_module),
	      "magic, version and sizes are right");
	check(is_in_block(info, (uint64_t)info) && is_in_block(info, info->ranges) &&
		      is_in(info, info->modules, BOOT_RANGE_MODULE) &&
		      is_in(info, rsp - 1, BOOT_RANGE_LOADER) &&
		      is_in(info, rsp - 16384, BOOT_RANGE_LOADER),
	      "boot_info, its ranges and the list of modules stay, 16 KiB of stack do not");
	check(!(rflags & 0x200), "interrupts are off");
	check(info->tsc_entry && info->tsc_entry < info->tsc_exit &&
		      info->tsc_files < info->tsc_exit - info->tsc_entry,
	      "time stamps are in order");
}

static void check_ranges(const struct boot_info *info)
{
	const struct boot_range *ranges = (void *)info->ranges;
	uint64_t end = 0, usable = 0;
	bool is_sorted = info->range_count && info->range_count <= BOOT_RANGE_MAX;
	bool is_joined = true;

	for (uint32_t i = 0; i < info->range_count; i++) {
		const struct boot_range *r = &ranges[i];

		print_hex("range ", r->start);
		print_hex(" ", r->size);
		print_hex(" ", r->kind);
		print("\n");
		if (r->start < end || r->start % 4096 || r->size % 4096 || !r->size || !r->kind ||
		    r->kind > BOOT_RANGE_RESERVED)
			is_sorted = false;
		if (i && r->start == end && r->kind == r[-1].kind && r->kind != BOOT_RANGE_MODULE)
			is_joined = false;
		end = r->start + r->size;
		if (r->kind <= BOOT_RANGE_MODULE)
			usable += r->size;
		if (r->kind <=
		    BOOT_RANGE_ACPI) { /* A fault here resets the machine: no plan's end. */
			*(volatile uint8_t *)r->start;
			*(volatile uint8_t *)(end - 1);
		}
	}
	check(is_sorted, "ranges are sorted, whole pages and do not overlap");
	check(is_joined, "neighbours of one kind are joined");
	check(usable == info->usable_bytes, "usable_bytes is the sum of its kinds");
	check(is_in(info, 0, BOOT_RANGE_RESERVED), "page 0 is reserved");
	print_hex("usable ", info->usable_bytes);
	print("\n");
}

static uint64_t hash(const uint8_t *bytes, uint64_t size)
{
	uint64_t value = 0xcbf29ce484222325ull; /* FNV-1a */

	for (uint64_t i = 0; i < size; i++)
		value = (value ^ bytes[i]) * 0x100000001b3ull;
	return value;
}

static void check_modules(const struct boot_info *info)
{
	const struct boot_module *modules = (void *)info->modules;
	bool is_placed = true, is_zero = true, is_first = true;

	for (uint32_t i = 0; i < info->module_count; i++) {
		const struct boot_module *m = &modules[i];
		const struct boot_range *range = range_at(info, m->start);
		uint64_t pages = m->size ? (m->size + 4095) / 4096 : 1;

		if (i < 40) {
			print(m->kind == BOOT_MODULE_SERVICE ? "service " : "file ");
			print(m->path);
			print_hex(" ", m->size);
			print_hex(" ", hash((uint8_t *)m->start, m->size));
			print("\n");
		}
		if (!range || range->kind != BOOT_RANGE_MODULE || range->start != m->start ||
		    range->size != pages * 4096)
			is_placed = false;
		for (uint64_t at = m->size; is_placed && at < pages * 4096; at++)
			if (((uint8_t *)m->start)[at])
				is_zero = false;
		if (i && m->kind == BOOT_MODULE_SERVICE && m[-1].kind != BOOT_MODULE_SERVICE)
			is_first = false;
	}
	check(is_placed, "each module lies in a range of its own");
	check(is_zero, "the rest of each module's last page is zero");
	check(is_first, "services come first");
	print_hex("modules ", info->module_count);
	print("\n");
}

static void check_segments(const struct boot_info *info)
{
	const struct boot_segment *s = info->segments;
	bool is_mapped = info->segment_count >= 3, has_text = false, has_data = false;

	for (uint32_t i = 0; i < info->segment_count; i++) {
		const uint8_t *virt = (void *)s[i].virt, *phys = (void *)s[i].phys;

		if (!is_in(info, s[i].phys, BOOT_RANGE_KERNEL) || s[i].size % 4096 ||
		    hash(virt, s[i].size) != hash(phys, s[i].size))
			is_mapped = false;
		if (s[i].is_executable && s[i].virt <= (uint64_t)text_start &&
		    s[i].virt + s[i].size >= (uint64_t)text_end)
			has_text = !s[i].is_writable;
		if (s[i].is_writable && s[i].virt <= (uint64_t)data_start &&
		    s[i].virt + s[i].size >= (uint64_t)image_end)
			has_data = !s[i].is_executable;
	}
	check(is_mapped, "the kernel's segments are mapped where they were linked");
	check(has_text && has_data, "the kernel's segments have their rights");
}

/* Of the leaf that maps an address, 0 = none: SDM vol 3, "4-Level Paging". */
static uint64_t leaf_at(uint64_t root, uint64_t virt)
{
	uint64_t entry = root | 1;

	for (unsigned shift = 39; shift >= 12 && entry & 1; shift -= 9) {
		entry = ((uint64_t *)(entry & 0xffffffffff000))[virt >> shift & 511];
		if (shift < 39 && entry & 0x80)
			break;
	}
	return entry & 1 ? entry : 0;
}

static bool are_records_zero(const struct boot_info *info)
{
	const struct boot_range *ranges = (void *)info->ranges;

	for (uint32_t i = 0; i < info->range_count; i++)
		for (uint64_t at = ranges[i].start;
		     ranges[i].kind <= BOOT_RANGE_MODULE && at < ranges[i].start + ranges[i].size;
		     at += at % BOOT_BLOCK_SIZE ? 4096 : BOOT_BLOCK_SIZE)
			for (unsigned k = 0; k < BOOT_RECORD / 8; k++)
				if (((uint64_t *)(BOOT_FRAMES +
						  at / BOOT_BLOCK_SIZE * BOOT_RECORD))[k])
					return false;
	return true;
}

static void check_tables(const struct boot_info *info)
{
	volatile uint64_t *page = (void *)(BOOT_WINDOW + info->block + BOOT_BLOCK_SIZE - 4096);
	const uint64_t no_execute = 1ull << 63, writable = 2, user = 4;
	uint64_t root, leaf, efer_low, efer_high;
	bool have_rights = true;

	__asm__ volatile("mov %%cr3, %0" : "=r"(root));
	__asm__ volatile("rdmsr" : "=a"(efer_low), "=d"(efer_high) : "c"(0xc0000080));
	check(root == info->block && info->block % BOOT_BLOCK_SIZE == 0 && info->block_used &&
		      info->block_used < 512 && is_in(info, root, BOOT_RANGE_KERNEL) &&
		      is_in(info, root + BOOT_BLOCK_SIZE - 1, BOOT_RANGE_KERNEL),
	      "the root begins a block that is the kernel's");
	*page = 0x1234;
	leaf = leaf_at(root, (uint64_t)page);
	check(*(uint64_t *)((uint64_t)page - BOOT_WINDOW) == 0x1234 && leaf & no_execute &&
		      !(leaf & user) && efer_low & 0x800,
	      "the block is mapped in the window, not to be executed");
	for (uint32_t i = 0; i < info->segment_count; i++) {
		const struct boot_segment *s = &info->segments[i];

		leaf = leaf_at(root, s->virt);
		if (!!(leaf & no_execute) == s->is_executable ||
		    !!(leaf & writable) != s->is_writable || leaf & user ||
		    leaf_at(root, s->virt + s->size - 1) != leaf + s->size - 4096)
			have_rights = false;
	}
	check(are_records_zero(info), "each block of RAM has a record, which is zero");
	check(have_rights, "each segment is mapped with its rights and no others");
}

static bool has_sum_0(uint64_t address, uint64_t size)
{
	uint8_t sum = 0;

	for (uint64_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + ((uint8_t *)address)[i]);
	return sum == 0;
}

static void print_table(uint64_t address)
{
	const char *table = (void *)address;
	char text[] = "table .... ........ ";

	for (unsigned i = 0; i < 4; i++)
		text[6 + i] = table[i];
	for (unsigned i = 0; i < 8; i++)
		text[11 + i] = table[16 + i] ? table[16 + i] : ' ';
	print(text);
	print_hex("", *(uint32_t *)(address + 4));
	print("\n");
}

static void check_acpi(const struct boot_info *info)
{
	bool is_rsdp = info->acpi.rsdp && *(uint64_t *)info->acpi.rsdp == 0x2052545020445352ull &&
		       has_sum_0(info->acpi.rsdp, 20);
	bool is_xsdt, are_sound = true;
	uint64_t xsdt, size;

	check(is_rsdp, "rsdp names an RSDP");
	if (!is_rsdp || *(uint8_t *)(info->acpi.rsdp + 15) < 2)
		return;
	xsdt = *(uint64_t *)(info->acpi.rsdp + 24);
	size = *(uint32_t *)(xsdt + 4);
	is_xsdt = *(uint32_t *)xsdt == 0x54445358 && has_sum_0(xsdt, size);
	check(is_xsdt && has_sum_0(info->acpi.rsdp, 36), "the XSDT is sound");
	for (uint64_t at = 36; is_xsdt && at + 8 <= size; at += 8) {
		uint64_t table = *(uint64_t *)(xsdt + at);

		print_table(table);
		if (!is_in(info, table, BOOT_RANGE_ACPI) ||
		    !has_sum_0(table, *(uint32_t *)(table + 4)))
			are_sound = false;
		if (*(uint32_t *)table == 0x50434146) {
			print("FACP's ");
			print_table(*(uint32_t *)(table + 40));
		}
	}
	check(are_sound, "the ACPI tables lie in ACPI memory with right checksums");
}

/* Whether the factor makes a second of a second's ticks. */
static bool is_second(const struct boot_clock *clock)
{
	uint64_t ticks = clock->tsc_khz * 1000, ns;

	ticks = clock->tsc_shift < 0 ? ticks >> -clock->tsc_shift : ticks << clock->tsc_shift;
	ns = (uint64_t)((unsigned __int128)ticks * clock->tsc_mul >> 32);
	return clock->tsc_mul >> 31 && ns <= 1000000000 && ns > 1000000000 - 10 &&
	       clock->to_ns == (1000000ull << 32) / clock->tsc_khz;
}

static void check_machine(const struct boot_info *info)
{
	const struct boot_acpi *acpi = &info->acpi;
	const struct boot_core *cores = (void *)acpi->cores;
	const struct boot_clock *clock = &info->clock;

	print_hex("cores ", acpi->core_count);
	print_hex(" TSC kHz ", clock->tsc_khz);
	print_hex(" APIC timer kHz ", clock->apic_timer_khz);
	print_hex(" time ", clock->wall_s);
	print("\n");
	check(acpi->core_count == 1 && cores[0].apic_id == 0 && cores[0].flags == 1 &&
		      is_in(info, acpi->cores, BOOT_RANGE_LOADER) && acpi->ioapic_count == 1 &&
		      acpi->ioapics[0].address == 0xfec00000 &&
		      acpi->ioapics[0].entry_count == 24 && acpi->lapic_address == 0xfee00000 &&
		      acpi->pm_timer && acpi->pm1a_control,
	      "ACPI's numbers are this machine's");
	check(info->trampoline && info->trampoline % 4096 == 0 && info->trampoline < 0x9f000 &&
		      is_in(info, info->trampoline, BOOT_RANGE_LOADER) &&
		      ((struct boot_trampoline *)info->trampoline)->root == info->trampoline + 4096,
	      "there is a page for the start of other cores");
	check(clock->tsc_khz >= 1000 && is_second(clock) && clock->wall_s > 1700000000 &&
		      clock->wall_tsc > info->tsc_entry && clock->wall_tsc < info->tsc_exit,
	      "the TSC has a rate, and the time was asked for");
}

static _Noreturn void power_off(void)
{
	out16(0x604, 0x2000);  /* QEMU's q35 under OVMF */
	out16(0xb004, 0x2000); /* PIIX4, in Bochs */
	for (;;)
		__asm__ volatile("hlt");
}

void probe_main(const struct boot_info *info, uint64_t rsp, uint64_t rflags)
{
	print("probe: entered\n1..23\n");
	check_header(info, rsp, rflags);
	check_ranges(info);
	check_modules(info);
	check_segments(info);
	check_tables(info);
	check_acpi(info);
	check_machine(info);
	print_hex("ticks ", info->tsc_exit - info->tsc_entry);
	print_hex(" of which files ", info->tsc_files);
	print_hex("\nframebuffer ", info->framebuffer.start);
	print_hex(" smbios ", info->smbios);
	print("\ncommand line '");
	print(info->command_line);
	print("'\nprobe: end\n");
	power_off();
}

__asm__(".globl _start\n"
	"_start:\n"
	"	movq %rsp, %rsi\n"
	"	pushfq\n"
	"	popq %rdx\n"
	"	pushq $0\n"
	"	jmp probe_main\n");
