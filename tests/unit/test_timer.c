/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers against a model: each fires once, in order, never early, and the hardware is armed in
 * time. */
#include "kernel/timer.h"

#include "fake_arch.h"
#include "unit.h"

#define TIMERS 200u

static struct timer timers[TIMERS];
static uint64_t wanted[TIMERS]; /* 0 = not set */
static uint64_t last_fired_ns;
static unsigned fired_count;
static uint32_t state = 4;

static uint32_t random_below(uint32_t limit)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % limit;
}

static void fired(struct timer *timer)
{
	unsigned i = (unsigned)(timer - timers);

	CHECK(wanted[i] != 0);
	CHECK(wanted[i] <= fake_now_ns);
	CHECK(wanted[i] >= last_fired_ns);
	last_fired_ns = wanted[i];
	wanted[i] = 0;
	fired_count++;
}

TEST(random_timers_agree_with_a_model)
{
	fake_start();
	for (unsigned i = 0; i < TIMERS; i++)
		timers[i] = (struct timer){.fire = fired};
	for (unsigned n = 0; n < 100000; n++) {
		unsigned i = random_below(TIMERS);
		uint64_t next = UINT64_MAX;

		switch (random_below(4)) {
		case 0:
			timer_cancel(&timers[i]);
			wanted[i] = 0;
			break;
		case 1:
			fake_now_ns += random_below(3000);
			if (fake_deadline_ns <= fake_now_ns) {
				fake_deadline_ns = UINT64_MAX;
				last_fired_ns = 0;
				timer_run();
				for (unsigned k = 0; k < TIMERS; k++)
					CHECK(wanted[k] == 0 || wanted[k] > fake_now_ns);
			}
			break;
		default:
			wanted[i] = fake_now_ns + 1 + random_below(100000);
			timer_set(&timers[i], wanted[i]);
		}
		for (unsigned k = 0; k < TIMERS; k++)
			if (wanted[k] && wanted[k] < next)
				next = wanted[k];
		CHECK(fake_deadline_ns <= next);
	}
	CHECK(fired_count > 10000);
}

static void again(struct timer *timer)
{
	fired_count++;
	if (fired_count < 5)
		timer_set(timer, fake_now_ns + 10);
}

TEST(a_timer_may_set_itself_again)
{
	fake_start();
	timers[0] = (struct timer){.fire = again};
	timer_set(&timers[0], fake_now_ns - 5); /* past: not inside the call */
	CHECK_EQ(fired_count, 0);
	for (unsigned i = 0; i < 10; i++) {
		fake_now_ns += 10;
		arch_irq_window();
	}
	CHECK_EQ(fired_count, 5);
	timer_set(&timers[0], UINT64_MAX);
	CHECK(!timers[0].node.top);
}

int main(void)
{
	RUN(random_timers_agree_with_a_model);
	RUN(a_timer_may_set_itself_again);
	return unit_end();
}
