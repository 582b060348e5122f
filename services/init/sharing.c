/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM is to get of the cores: the rules. tools/corbel_image/config.py says those of one VM in
 * Python, with the same sentences. */
#include "services/init/sharing.h"

#include <stdio.h>
#include <string.h>

#define CAP_MAX      (SHARING_CPUS_MAX * 100)
#define BUDGET_LEAST 100
#define PERIOD_MAX   10000000
#define LOAD_MAX     90 /* percent of all cores that real-time VMs may take together */

const struct sharing sharing_default = {.weight = ABI_WEIGHT_DEFAULT};

/* NULL, or the sentence if the value is no whole number of that range. */
static const char *whole(unsigned *setting, double value, double least, double most,
			 const char *sentence)
{
	if (!(value >= least && value <= most && value == (double)(unsigned)value))
		return sentence;
	*setting = (unsigned)value;
	return NULL;
}

const char *sharing_weight(struct sharing *sharing, double value)
{
	return whole(&sharing->weight, value, 1, ABI_WEIGHT_MAX,
		     "not a whole number from 1 to 10000; 100 is what others have");
}

const char *sharing_cap(struct sharing *sharing, double value)
{
	return whole(&sharing->cap, value, 1, CAP_MAX,
		     "not a whole number from 1 to 102400; give percent of a core");
}

const char *sharing_cpu(struct sharing *sharing, double value)
{
	unsigned cpu = 0;
	const char *fault = whole(&cpu, value, 0, SHARING_CPUS_MAX - 1,
				  "not a core; give whole numbers from 0 to 1023");

	if (fault)
		return fault;
	sharing->cpus[cpu / 64] |= 1ull << cpu % 64;
	sharing->has_cpus = true;
	return NULL;
}

const char *sharing_realtime(struct sharing *sharing, unsigned which, double value)
{
	if (which == 0)
		return whole(&sharing->priority, value, 1, ABI_PRIORITY_MAX,
			     "not a whole number from 1 to 99; the highest goes first");
	return whole(which == 1 ? &sharing->budget_us : &sharing->period_us, value, BUDGET_LEAST,
		     PERIOD_MAX, "not a whole number from 100 to 10000000; give microseconds");
}

static unsigned count_cpus(const struct sharing *sharing)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ABI_CPU_WORDS; i++)
		count += (unsigned)__builtin_popcountll(sharing->cpus[i]);
	return count;
}

const char *sharing_check(const struct sharing *sharing, const char **key)
{
	*key = "exclusive";
	if (sharing->exclusive && !sharing->has_cpus)
		return "true without cpus; name the cores that it is to have";
	if (sharing->exclusive && sharing->cpus[0] & 1)
		return "true with core 0, where Corbel's own work is done; name others";
	*key = "realtime";
	if (sharing->priority && sharing->cap)
		return "beside a cap; its budget is one";
	if (sharing->priority && sharing->budget_us > sharing->period_us)
		return "a budget_us of more than its period_us; give at most as much";
	*key = "cap";
	if (sharing->has_cpus && sharing->cap > 100 * count_cpus(sharing))
		return "more than its cpus can give; 100 is a whole core";
	return NULL;
}

/* ---- what is typed ---- */

/* A whole number at *text, which moves behind it; -1: none. */
static double take_number(const char **text)
{
	double value = 0;

	if (**text < '0' || **text > '9')
		return -1;
	for (; **text >= '0' && **text <= '9'; ++*text)
		value = value * 10 + (**text - '0');
	return value;
}

static const char *parse_cpus(struct sharing *sharing, const char *text)
{
	static const char malformed[] = "not a list of cores; give numbers such as 0,2-3, or all";

	memset(sharing->cpus, 0, sizeof(sharing->cpus));
	sharing->has_cpus = false;
	if (strcmp(text, "all") == 0)
		return NULL;
	for (;; text++) {
		double first = take_number(&text), last = first;

		if (*text == '-') {
			text++;
			last = take_number(&text);
		}
		if (first < 0 || last < first || last >= SHARING_CPUS_MAX)
			return malformed;
		for (; first <= last; first++)
			sharing_cpu(sharing, first);
		if (!*text)
			return NULL;
		if (*text != ',')
			return malformed;
	}
}

static const char *parse_realtime(struct sharing *sharing, const char *text)
{
	static const char malformed[] = "not PRIORITY,BUDGET_US,PERIOD_US, or off";
	const char *fault;

	sharing->priority = sharing->budget_us = sharing->period_us = 0;
	if (strcmp(text, "off") == 0)
		return NULL;
	for (unsigned i = 0; i < SHARING_REALTIME_COUNT; i++) {
		double value = take_number(&text);

		if (value < 0 || *text != (i + 1 < SHARING_REALTIME_COUNT ? ',' : 0))
			return malformed;
		text++;
		fault = sharing_realtime(sharing, i, value);
		if (fault)
			return fault;
	}
	return NULL;
}

static const char *parse_number(struct sharing *sharing, const char *text,
				const char *(*rule)(struct sharing *, double))
{
	double value = take_number(&text);

	return rule(sharing, *text ? -1 : value);
}

static const char *parse_one(struct sharing *sharing, const char *key, const char *value)
{
	if (strcmp(key, "weight") == 0)
		return parse_number(sharing, value, sharing_weight);
	if (strcmp(key, "cap") == 0) {
		sharing->cap = 0;
		return strcmp(value, "off") == 0 ? NULL : parse_number(sharing, value, sharing_cap);
	}
	if (strcmp(key, "cpus") == 0)
		return parse_cpus(sharing, value);
	if (strcmp(key, "realtime") == 0)
		return parse_realtime(sharing, value);
	if (strcmp(key, "exclusive") != 0)
		return "no setting; known are weight, cap, cpus, exclusive and realtime";
	sharing->exclusive = strcmp(value, "on") == 0;
	return sharing->exclusive || strcmp(value, "off") == 0 ? NULL : "neither on nor off";
}

/* Whether a word before `at` sets it, too. */
static bool is_given_before(const char *text, const char *at, const char *key)
{
	size_t size = strlen(key);

	for (; text < at; text += strcspn(text, " "), text += strspn(text, " "))
		if (strncmp(text, key, size) == 0 && text[size] == '=')
			return true;
	return false;
}

const char *sharing_parse(struct sharing *sharing, const char *text, char key[20])
{
	struct sharing changed = *sharing;
	const char *fault, *which = "", *begin;
	char word[100];
	size_t size;

	strcpy(key, "");
	text += strspn(text, " ");
	for (begin = text; *text; text += size + strspn(text + size, " ")) {
		char *value;

		size = strcspn(text, " ");
		snprintf(word, sizeof(word), "%.*s", (int)size, text);
		value = strchr(word, '=');
		if (value)
			*value++ = 0;
		snprintf(key, 20, "%.19s", word);
		if (!value || size >= sizeof(word))
			return "not KEY=VALUE such as weight=300";
		fault = is_given_before(begin, text, word) ? "given twice; give it once"
							   : parse_one(&changed, word, value);
		if (fault)
			return fault;
	}
	fault = sharing_check(&changed, &which);
	if (fault)
		snprintf(key, 20, "%.19s", which);
	else
		*sharing = changed;
	return fault;
}

/* ---- beside the others ---- */

void sharing_taken(const struct sharer *sharers, size_t count, size_t except,
		   uint64_t taken[ABI_CPU_WORDS])
{
	memset(taken, 0, ABI_CPU_WORDS * sizeof(taken[0]));
	for (size_t i = 0; i < count; i++)
		for (unsigned w = 0; w < ABI_CPU_WORDS; w++)
			if (i != except && sharers[i].is_running && sharers[i].sharing->exclusive)
				taken[w] |= sharers[i].sharing->cpus[w];
}

void sharing_terms(const struct sharing *sharing, const uint64_t taken[ABI_CPU_WORDS],
		   struct abi_sched *terms)
{
	*terms = (struct abi_sched){.weight = sharing->weight, .priority = sharing->priority};
	if (sharing->priority) {
		terms->budget_ns = sharing->budget_us * 1000ull;
		terms->period_ns = sharing->period_us * 1000ull;
	} else if (sharing->cap) {
		terms->budget_ns = SHARING_PERIOD_NS / 100 * sharing->cap;
		terms->period_ns = SHARING_PERIOD_NS;
	}
	for (unsigned i = 0; i < ABI_CPU_WORDS; i++)
		terms->cpus[i] = (sharing->has_cpus ? sharing->cpus[i] : UINT64_MAX) & ~taken[i];
}

/* Whether one of the machine's cores is left for it. */
static bool has_core(const struct sharing *sharing, const uint64_t taken[ABI_CPU_WORDS],
		     unsigned core_count)
{
	struct abi_sched terms;

	sharing_terms(sharing, taken, &terms);
	for (unsigned i = 0; i < core_count && i < SHARING_CPUS_MAX; i++)
		if (terms.cpus[i / 64] >> i % 64 & 1)
			return true;
	return false;
}

static bool overlaps(const struct sharing *a, const struct sharing *b)
{
	bool is_any = false;

	for (unsigned i = 0; i < ABI_CPU_WORDS; i++)
		is_any |= (a->cpus[i] & b->cpus[i]) != 0;
	return is_any;
}

const char *sharing_fit(const struct sharer *sharers, size_t count, size_t index,
			const struct sharing *wanted, unsigned core_count,
			char why[SHARING_WHY_SIZE])
{
	uint64_t taken[ABI_CPU_WORDS], load = 0;

	for (unsigned i = core_count; i < SHARING_CPUS_MAX; i++)
		if (wanted->cpus[i / 64] >> i % 64 & 1) {
			snprintf(why, SHARING_WHY_SIZE,
				 "cpus: core %u is not there; `cores` lists them", i);
			return why;
		}
	sharing_taken(sharers, count, index, taken);
	if (!has_core(wanted, taken, core_count))
		return "cpus: all of them belong to other VMs alone; name others";
	for (unsigned w = 0; wanted->exclusive && w < ABI_CPU_WORDS; w++)
		taken[w] |= wanted->cpus[w];
	for (size_t i = 0; i < count; i++) {
		const struct sharing *other = sharers[i].sharing;

		if (i == index || !sharers[i].is_running)
			continue;
		load += other->priority ? other->budget_us * 10000ull / other->period_us : 0;
		if (!wanted->exclusive)
			continue;
		snprintf(why, SHARING_WHY_SIZE, "exclusive: vm %s may run on nothing else",
			 sharers[i].name);
		if (other->exclusive ? overlaps(wanted, other)
				     : !has_core(other, taken, core_count))
			return why;
	}
	if (!wanted->priority)
		return NULL;
	load += wanted->budget_us * 10000ull / wanted->period_us;
	if (load <= core_count * 100ull * LOAD_MAX)
		return NULL;
	snprintf(why, SHARING_WHY_SIZE,
		 "realtime: together they would take %lu %% of a core; %u is the most here",
		 (unsigned long)(load / 100), core_count * LOAD_MAX);
	return why;
}
