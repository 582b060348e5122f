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

/* The last of what a core wrote, the oldest first. */
struct lines {
	size_t count;
	struct abi_trace entry[LINES_MAX];
};

/* The core goes on writing: what it has overwritten since is no older than the first copied. */
static void take(const struct abi_trace *ring, struct abi_trace *copy, struct lines *lines)
{
	size_t newest = 0, count = 0;

	memcpy(copy, ring, ABI_TRACE_SIZE);
	for (size_t i = 0; i < ENTRY_COUNT; i++) {
		count += tsc_of(&copy[i]) != 0;
		if (tsc_of(&copy[i]) > tsc_of(&copy[newest]))
			newest = i;
	}
	lines->count = count < LINES_MAX ? count : LINES_MAX;
	for (size_t i = 0; i < lines->count; i++)
		lines->entry[i] = copy[(newest + 1 + ENTRY_COUNT - lines->count + i) % ENTRY_COUNT];
}

/* False: there is no such core, or no memory. */
static bool take_core(handle_t system, unsigned core, struct abi_trace *copy, struct lines *lines)
{
	int64_t memory = system_trace(system, core);
	int64_t ring =
		memory < 0 ? memory
			   : memory_map_here((handle_t)memory, 0, ABI_TRACE_SIZE, ABI_PROT_READ);

	if (ring >= 0) {
		take((const struct abi_trace *)ring, copy, lines);
		memory_unmap(PROCESS_SELF, (uint64_t)ring, ABI_TRACE_SIZE);
	}
	if (memory >= 0)
		handle_close((handle_t)memory);
	return ring >= 0;
}

/* All cores at one moment: telling takes long, and is much that they do. */
void trace_tell(handle_t system, teller *tell)
{
	struct abi_trace *copy = malloc(ABI_TRACE_SIZE);
	struct abi_system_info info;
	struct lines *lines;
	char line[120];
	unsigned taken = 0;

	system_info(system, &info);
	lines = calloc(info.core_count, sizeof(*lines));
	while (copy && lines && taken < info.core_count &&
	       take_core(system, taken, copy, &lines[taken]))
		taken++;
	snprintf(line, sizeof(line), "trace begins: %u cores, TSC at %lu kHz", info.core_count,
		 info.tsc_khz);
	tell(line);
	for (unsigned core = 0; core < taken; core++)
		for (size_t i = 0; i < lines[core].count; i++) {
			print_entry(core, &lines[core].entry[i], line, sizeof(line));
			tell(line);
		}
	free(lines);
	free(copy);
	tell(taken == info.core_count ? "trace ends" : "trace ends: no memory");
}
