/* SPDX-License-Identifier: BSD-2-Clause */
/* Who called whom: ring 0's frames with names from the table that tools/ksyms links in. */
#include "arch/x86_64/backtrace.h"
#include "arch/x86_64/console.h"
#include "arch/x86_64/usercopy.h"

#define BACKTRACE_MAX 32

/* tools/ksyms writes these: functions sorted by address, offsets from image_start. */
struct ksym {
	uint32_t offset, name; /* name: offset in ksyms_names */
};
extern const uint32_t ksyms_count;
extern const struct ksym ksyms[];
extern const char ksyms_names[];
extern const char image_start[], text_end[]; /* linker.ld */

void backtrace_symbol(uint64_t address, bool is_return)
{
	uint64_t offset = address - is_return - (uint64_t)image_start;
	uint32_t low = 0, high = ksyms_count;

	console_hex(address);
	if (address <= (uint64_t)image_start || address > (uint64_t)text_end || high == 0)
		return;
	while (high - low > 1) { /* the last symbol at or below it */
		uint32_t middle = low + (high - low) / 2;

		if (ksyms[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	console_text(" ");
	console_text(ksyms_names + ksyms[low].name);
	console_text("+");
	console_decimal(offset + is_return - ksyms[low].offset);
}

void backtrace(uint64_t rbp)
{
	uint64_t words[2]; /* the caller's RBP, the return address */

	for (unsigned i = 0; i < BACKTRACE_MAX && rbp != 0; i++) {
		if (rbp % 8 != 0 || !usercopy_probe(words, rbp))
			break;
		console_text("  from ");
		backtrace_symbol(words[1], true);
		console_text("\r\n");
		if (words[0] != 0 && words[0] <= rbp)
			break; /* stacks grow down: this chain is broken */
		rbp = words[0];
	}
}
