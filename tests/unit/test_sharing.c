/* SPDX-License-Identifier: BSD-2-Clause */
/* What VMs are to get of the cores: what is typed, what contradicts what, what ring 0 is told. */
#include "services/init/sharing.h"
#include "tests/unit/unit.h"

static struct sharing sharing;
static char key[20], why[SHARING_WHY_SIZE];

static void set(const char *text)
{
	const char *fault = sharing_parse(&sharing, text, key);

	if (fault)
		printf("# %s: %s\n", key, fault);
	CHECK(!fault);
}

static void refuse(const char *text, const char *wanted_key, const char *wanted)
{
	struct sharing before = sharing;
	const char *fault = sharing_parse(&sharing, text, key);

	if (!fault || strcmp(key, wanted_key) || strncmp(fault, wanted, strlen(wanted)))
		printf("# %s: %s\n", key, fault ? fault : "accepted");
	CHECK(fault && strcmp(key, wanted_key) == 0 && strncmp(fault, wanted, strlen(wanted)) == 0);
	CHECK(memcmp(&before, &sharing, sizeof(sharing)) == 0);
}

TEST(what_is_typed_is_set)
{
	sharing = sharing_default;
	set("weight=300");
	CHECK_EQ(sharing.weight, 300);
	set("  cap=20   cpus=0,2-3,70 ");
	CHECK(sharing.cap == 20 && sharing.cpus[0] == 13 && sharing.cpus[1] == 64);
	set("cap=off cpus=1 exclusive=on realtime=50,2000,10000");
	CHECK(!sharing.cap && sharing.cpus[0] == 2 && !sharing.cpus[1] && sharing.exclusive);
	CHECK(sharing.priority == 50 && sharing.budget_us == 2000 && sharing.period_us == 10000);
	set("realtime=off exclusive=off cpus=all");
	CHECK(!sharing.priority && !sharing.exclusive && !sharing.has_cpus &&
	      sharing.weight == 300);
	set("");
	set("cpus=0-1023");
	CHECK(sharing.cpus[15] == UINT64_MAX);
}

TEST(what_is_wrong_is_refused_and_changes_nothing)
{
	sharing = sharing_default;
	set("weight=5 cpus=1");
	refuse("weight", "weight", "not KEY=VALUE");
	refuse("weight=", "weight", "not a whole number from 1 to 10000");
	refuse("weight=0", "weight", "not a whole");
	refuse("weight=10001", "weight", "not a whole");
	refuse("weight=-1", "weight", "not a whole");
	refuse("weight=1.5", "weight", "not a whole");
	refuse("weight=99999999999999999999999999999999", "weight", "not a whole");
	refuse("cap=3 weight=x", "weight", "not a whole");
	refuse("cap=0", "cap", "not a whole number from 1 to 102400");
	refuse("cap=102401", "cap", "not a whole");
	refuse("cap=101", "cap", "more than its cpus can give");
	refuse("cpus=", "cpus", "not a list of cores");
	refuse("cpus=1,", "cpus", "not a list");
	refuse("cpus=3-1", "cpus", "not a list");
	refuse("cpus=1024", "cpus", "not a list");
	refuse("cpus=0-99999999999999999999", "cpus", "not a list");
	refuse("cpus=1;2", "cpus", "not a list");
	refuse("exclusive=yes", "exclusive", "neither on nor off");
	refuse("exclusive=on cpus=all", "exclusive", "true without cpus");
	refuse("exclusive=on cpus=0-1", "exclusive", "true with core 0");
	refuse("realtime=1", "realtime", "not PRIORITY,BUDGET_US,PERIOD_US");
	refuse("realtime=1,2000,4000,1", "realtime", "not PRIORITY");
	refuse("realtime=0,2000,4000", "realtime", "not a whole number from 1 to 99");
	refuse("realtime=100,2000,4000", "realtime", "not a whole number from 1 to 99");
	refuse("realtime=1,99,4000", "realtime", "not a whole number from 100");
	refuse("realtime=1,2000,10000001", "realtime", "not a whole number from 100");
	refuse("realtime=1,4001,4000", "realtime", "a budget_us of more");
	refuse("realtime=1,100,4000 cap=3", "realtime", "beside a cap");
	refuse("weight=3 cap=20 weight=4", "weight", "given twice; give it once");
	refuse("weight=3   weight=3", "weight", "given twice");
	refuse("cap=off cap=20", "cap", "given twice");
	refuse("cpus=1 exclusive=on exclusive=off", "exclusive", "given twice");
	refuse("speed=3", "speed", "no setting; known are");
	refuse("=3", "", "no setting");
	refuse("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=3", "aaaaaaaaaaaaaaaaaaa", "no setting");
}

TEST(ring_0_is_told_budgets_in_nanoseconds)
{
	uint64_t taken[ABI_CPU_WORDS] = {2};
	struct abi_sched terms;

	sharing = sharing_default;
	set("cap=20");
	sharing_terms(&sharing, taken, &terms);
	CHECK(terms.weight == 100 && terms.budget_ns == 4000000 && terms.period_ns == 20000000);
	CHECK(terms.cpus[0] == ~2ull && terms.cpus[15] == UINT64_MAX && terms.priority == 0);
	set("cap=off realtime=9,200,1000 cpus=0-2");
	sharing_terms(&sharing, taken, &terms);
	CHECK(terms.priority == 9 && terms.budget_ns == 200000 && terms.period_ns == 1000000);
	CHECK(terms.cpus[0] == 5 && terms.cpus[1] == 0);
}

/* ---- beside others ---- */

static struct sharing settings[4];
static struct sharer sharers[4] = {{"a", &settings[0], true},
				   {"b", &settings[1], true},
				   {"c", &settings[2], true},
				   {"d", &settings[3], false}};

static void has(size_t index, const char *text)
{
	settings[index] = sharing_default;
	CHECK(!sharing_parse(&settings[index], text, key));
}

static void fits(size_t index, const char *text, const char *fault)
{
	const char *got;

	sharing = sharing_default;
	set(text);
	got = sharing_fit(sharers, 4, index, &sharing, 4, why);
	if (fault ? !got || strcmp(got, fault) : got != NULL)
		printf("# %s\n", got ? got : "fits");
	CHECK(fault ? got && strcmp(got, fault) == 0 : !got);
}

TEST(vms_do_not_contradict_each_other)
{
	for (size_t i = 0; i < 4; i++)
		has(i, "");
	fits(0, "cpus=0-3", NULL);
	fits(0, "cpus=4", "cpus: core 4 is not there; `cores` lists them");
	fits(0, "exclusive=on cpus=1-3", NULL);
	has(1, "cpus=1 exclusive=on");
	fits(0, "cpus=0-1", NULL);
	fits(0, "cpus=1", "cpus: all of them belong to other VMs alone; name others");
	fits(0, "exclusive=on cpus=1-2", "exclusive: vm b may run on nothing else");
	fits(1, "exclusive=on cpus=1-2", NULL);
	has(2, "cpus=2,3");
	fits(0, "exclusive=on cpus=2-3", "exclusive: vm c may run on nothing else");
	fits(0, "exclusive=on cpus=2", NULL);
	has(3, "cpus=2"); /* which does not run */
	fits(0, "exclusive=on cpus=2", NULL);
	has(0, "exclusive=on cpus=2");
	fits(3, "cpus=2", "cpus: all of them belong to other VMs alone; name others");
	fits(3, "cpus=2-3", NULL);
}

TEST(real_time_vms_leave_something_to_the_others)
{
	for (size_t i = 0; i < 4; i++)
		has(i, "realtime=1,9000,10000");
	fits(0, "realtime=1,9000,10000", NULL);
	fits(3, "realtime=1,9000,10000", NULL);
	has(0, "realtime=1,9500,10000");
	fits(3, "realtime=1,9000,10000",
	     "realtime: together they would take 365 % of a core; 360 is the most here");
	fits(3, "", NULL);
}

int main(void)
{
	RUN(what_is_typed_is_set);
	RUN(what_is_wrong_is_refused_and_changes_nothing);
	RUN(ring_0_is_told_budgets_in_nanoseconds);
	RUN(vms_do_not_contradict_each_other);
	RUN(real_time_vms_leave_something_to_the_others);
	return unit_end();
}
