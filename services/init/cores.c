/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets what of the cores: tells ring 0, and the operator. */
#include "services/init/cores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/init/vm.h"
#include "services/lib/syscall.h"

static handle_t system_handle, console_process;
static struct sharer *sharers; /* one a VM */
static size_t count;
static uint64_t taken_last[ABI_CPU_WORDS];       /* by VMs alone, as ring 0 was told last */
static uint64_t run_before_ns[SHARING_CPUS_MAX]; /* of each core */

void cores_init(handle_t system, handle_t console)
{
	system_handle = system;
	console_process = console;
}

/* The list of VMs as sharing.c wants it. False: there is no memory for it. */
static bool look(void)
{
	const struct vm *vm;

	if (!sharers) {
		while (vms_get(count))
			count++;
		sharers = calloc(count + 1, sizeof(*sharers));
	}
	for (size_t i = 0; sharers && i < count; i++) {
		vm = vms_get(i);
		sharers[i] = (struct sharer){vm->config->name, &vm->sharing, vm->life.is_running};
	}
	return sharers;
}

const char *cores_check(size_t index, const struct sharing *wanted)
{
	static struct abi_system_info info;
	static char why[SHARING_WHY_SIZE];

	if (!look())
		return "there is no memory for its settings";
	system_info(system_handle, &info);
	return sharing_fit(sharers, count, index, wanted, info.core_count, why);
}

static void set(handle_t process, const struct sharing *sharing, size_t index)
{
	uint64_t taken[ABI_CPU_WORDS];
	struct abi_sched terms;

	sharing_taken(sharers, count, index, taken);
	sharing_terms(sharing, taken, &terms);
	process_sched(system_handle, process, &terms);
}

void cores_apply(size_t index)
{
	uint64_t taken[ABI_CPU_WORDS];
	bool is_other;

	if (!look())
		return;
	sharing_taken(sharers, count, count, taken);
	is_other = memcmp(taken, taken_last, sizeof(taken)) != 0;
	memcpy(taken_last, taken, sizeof(taken));
	for (size_t i = 0; i < count; i++)
		if (sharers[i].is_running && (is_other || i == index))
			set(vms_get(i)->vmm.process, sharers[i].sharing, i);
	if (is_other) {
		set(PROCESS_SELF, &sharing_default, count);
		set(console_process, &sharing_default, count);
	}
}

/* ---- what the operator is told ---- */

static uint64_t id_of(handle_t process)
{
	struct abi_process_info info = {0};

	process_info(process, &info);
	return info.id;
}

const char *cores_name(uint64_t id)
{
	const struct vm *vm;

	for (size_t i = 0; (vm = vms_get(i)); i++)
		if (vm->life.is_running && vm->process_id == id)
			return vm->config->name;
	return id == id_of(console_process) ? "console" : id == id_of(PROCESS_SELF) ? "init" : NULL;
}

void cores_begin(void)
{
	struct abi_core_info info;

	for (unsigned i = 0; i < SHARING_CPUS_MAX; i++) {
		if (system_core(system_handle, &info, i) < 0)
			return;
		run_before_ns[i] = info.run_ns;
	}
}

void cores_tell(uint64_t ns, unsigned lines_max, teller *tell)
{
	struct abi_core_info info;
	char line[120];

	for (unsigned i = 0; i < lines_max && system_core(system_handle, &info, i) == 0; i++) {
		uint64_t run_ns = info.run_ns - run_before_ns[i];
		const char *name = cores_name(info.process);

		snprintf(line, sizeof(line),
			 "core %3u  APIC id %3u  %3lu.%lu %% busy  %3u waiting  runs %s", i,
			 info.apic_id, run_ns * 100 / ns, run_ns * 1000 / ns % 10, info.ready_count,
			 name ? name : "-");
		tell(line);
	}
}
