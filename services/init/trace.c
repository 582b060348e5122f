/* SPDX-License-Identifier: BSD-2-Clause */
/* What the cores did last, as lines that tools/corbel-trace reads. */
#include "services/init/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/init/cores.h"
#include "services/init/vm.h"
#include "services/lib/syscall.h"

#define ENTRY_COUNT (ABI_TRACE_SIZE / sizeof(struct abi_trace))
#define LINES_MAX   512u /* of a core: COM1 is slow */
#define NAME_SIZE   (CONFIG_NAME_SIZE + 8)

static uint64_t tsc_of(const struct abi_trace *entry)
{
	return (uint64_t)entry->tsc_high << 32 | entry->tsc_low;
}

/* Of a process; ring 0 is "-", and who is gone by now has a number only. */
static void name_of(uint32_t who, char *name)
{
	const char *known = who ? cores_name(who) : "-";

	if (known)
		snprintf(name, NAME_SIZE, "%s", known);
	else
		snprintf(name, NAME_SIZE, "process-%u", who);
}

static void print_entry(unsigned core, const struct abi_trace *entry, char *line, size_t size)
{
	char name[NAME_SIZE];
	unsigned more = entry->what & 0xff;
	int used = snprintf(line, size, "trace %u %lu ", core, tsc_of(entry));

	line += used;
	size -= (size_t)used;
	switch (entry->what - more) {
	case 0:
		snprintf(line, size, "exit %s", more < ABI_EXIT_COUNT ? vm_exit_names[more] : "?");
		break;
	case ABI_TRACE_SWITCH:
		name_of(entry->who, name);
		snprintf(line, size, "switch %s", name);
		break;
	case ABI_TRACE_RUN:
		snprintf(line, size, "run %u", more);
		break;
	case ABI_TRACE_INJECT:
		snprintf(line, size, "inject %u", more);
		break;
	case ABI_TRACE_WAKE:
		name_of(entry->who, name);
		snprintf(line, size, "wake %s %u", name, more);
		break;
	default:
		snprintf(line, size, "idle");
		break;
	}
}

/* The core goes on writing: what it has overwritten since is no older than the first copied. */
static void tell_core(unsigned core, const struct abi_trace *ring, struct abi_trace *copy,
		      teller *tell)
{
	size_t newest = 0, count = 0;
	char line[120];

	memcpy(copy, ring, ABI_TRACE_SIZE);
	for (size_t i = 0; i < ENTRY_COUNT; i++) {
		count += tsc_of(&copy[i]) != 0;
		if (tsc_of(&copy[i]) > tsc_of(&copy[newest]))
			newest = i;
	}
	count = count < LINES_MAX ? count : LINES_MAX;
	while (count-- > 0) {
		print_entry(core, &copy[(newest + ENTRY_COUNT - count) % ENTRY_COUNT], line,
			    sizeof(line));
		tell(line);
	}
}

void trace_tell(handle_t system, teller *tell)
{
	struct abi_trace *copy = malloc(ABI_TRACE_SIZE);
	struct abi_system_info info;
	char line[120];

	system_info(system, &info);
	snprintf(line, sizeof(line), "trace begins: %u cores, TSC at %lu kHz", info.core_count,
		 info.tsc_khz);
	tell(line);
	for (uint32_t core = 0; copy && core < info.core_count; core++) {
		int64_t memory = system_trace(system, core);
		int64_t ring = memory < 0 ? memory
					  : memory_map_here((handle_t)memory, 0, ABI_TRACE_SIZE,
							    ABI_PROT_READ);

		if (ring < 0)
			break;
		tell_core(core, (const struct abi_trace *)ring, copy, tell);
		memory_unmap(PROCESS_SELF, (uint64_t)ring, ABI_TRACE_SIZE);
		handle_close((handle_t)memory);
	}
	free(copy);
	tell(copy ? "trace ends" : "trace ends: no memory");
}
