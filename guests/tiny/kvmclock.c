/* SPDX-License-Identifier: BSD-2-Clause */
/* The paravirtual clock: version protocol, monotonic, in step with PM timer, APIC timer and RTC. */
#include "guests/lib/acpi.h"
#include "guests/lib/lapic.h"
#include "guests/lib/rtc.h"

#define MSR_WALL_CLOCK  0x4b564d00
#define MSR_SYSTEM_TIME 0x4b564d01
#define PM_HZ           3579545

struct system_time {
	volatile uint32_t version;
	uint32_t padding;
	volatile uint64_t tsc, system_ns;
	volatile uint32_t multiplier;
	volatile int8_t shift;
	volatile uint8_t flags;
	uint8_t padding2[2];
};

struct wall_clock {
	volatile uint32_t version, seconds, ns;
};

static struct system_time clock __attribute__((aligned(64)));
static struct wall_clock wall __attribute__((aligned(64)));
static volatile uint32_t timer_count;

static uint64_t clock_ns(void)
{
	uint64_t ns, delta;
	uint32_t version;

	do {
		version = clock.version;
		delta = rdtsc() - clock.tsc;
		delta = clock.shift < 0 ? delta >> -clock.shift : delta << clock.shift;
		ns = clock.system_ns +
		     (uint64_t)((unsigned __int128)delta * clock.multiplier >> 32);
	} while ((version & 1) || version != clock.version);
	return ns;
}

static void check_rate(void)
{
	uint64_t multiplier = clock.multiplier;
	uint64_t khz = (uint64_t)(((unsigned __int128)1000000 << 32) / multiplier);

	khz = clock.shift < 0 ? khz << -clock.shift : khz >> clock.shift;
	print("# %lu kHz by kvmclock, %lu kHz by the PIT\n", khz, time_tsc_khz());
	tap_ok(khz > time_tsc_khz() / 100 * 90 && khz < time_tsc_khz() / 100 * 103,
	       "its rate is the TSC's, as the PIT measures it");
}

static void check_monotonic(void)
{
	uint64_t last = clock_ns();
	bool forward = true;

	for (int i = 0; i < 20000; i++) {
		uint64_t now;

		if (i % 64 == 0)
			cpuid(0, 0);
		now = clock_ns();
		forward = forward && now >= last;
		last = now;
	}
	tap_ok(forward, "it never goes back");
}

/* Each clock read between two reads of the other, so that being descheduled shows as width. */
static void check_pm_timer(void)
{
	uint16_t port = acpi_pm_timer();
	uint64_t before, after, start, ns;
	uint32_t ticks;

	start = clock_ns();
	ticks = in32(port);
	before = clock_ns();
	time_delay_us(100000);
	after = clock_ns();
	ticks = (in32(port) - ticks) & 0xffffff;
	ns = (uint64_t)ticks * 1000000000 / PM_HZ;
	print("# PM timer %lu us, kvmclock %lu to %lu us\n", ns / 1000, (after - before) / 1000,
	      (clock_ns() - start) / 1000);
	tap_ok(ns + ns / 100 >= after - before && ns <= (clock_ns() - start) / 100 * 101,
	       "100 ms are as long as the PM timer's, within 1 percent");
}

static void timer(struct trap_frame *frame)
{
	(void)frame;
	timer_count++;
	lapic_eoi();
}

static void check_apic_timer(void)
{
	uint32_t khz, ticks;
	uint64_t start, ns;

	lapic_enable(true);
	khz = lapic_timer_khz();
	trap_handle(0x50, timer);
	lapic_write(LAPIC_TIMER_DIVIDE, 0x0b);
	lapic_write(LAPIC_LVT_TIMER, 0x50);
	ticks = khz * 50;
	start = clock_ns();
	lapic_write(LAPIC_TIMER_INITIAL, ticks);
	time_wait(&timer_count, 1, 3000000);
	ns = clock_ns() - start;
	print("# APIC timer of 50 ms: %lu us\n", ns / 1000);
	tap_ok(timer_count == 1 && ns > 45000000, "the APIC timer's 50 ms are not early");
}

static uint64_t rtc_seconds_of_day(void)
{
	uint8_t bcd[3];

	for (unsigned int i = 0; i < 3; i++) {
		bcd[i] = rtc_read((uint8_t)(2 * i));
		bcd[i] = (uint8_t)((bcd[i] >> 4) * 10 + (bcd[i] & 15));
	}
	return bcd[0] + bcd[1] * 60u + bcd[2] * 3600u;
}

static void check_wall_clock(void)
{
	uint64_t seconds, rtc, distance;

	wrmsr(MSR_WALL_CLOCK, (uint64_t)&wall);
	tap_ok(wall.version && !(wall.version & 1), "the wall clock's version is even");
	tap_ok(wall.ns < 1000000000, "its nanoseconds are less than a second");
	seconds = wall.seconds + clock_ns() / 1000000000;
	rtc = rtc_seconds_of_day();
	distance = (seconds + 86400 - rtc) % 86400;
	print("# wall clock %lu, of the day %lu, RTC %lu\n", seconds, seconds % 86400, rtc);
	tap_ok(distance <= 3 || distance >= 86400 - 3, "wall clock and RTC agree within 3 s");
}

/* What it says is good for one value of the TSC only; who reads meanwhile must see the change. */
static void check_moved(void)
{
	uint32_t version = clock.version;
	uint64_t last = clock_ns(), now;

	wrmsr(MSR_TSC, rdtsc() + (1ul << 50));
	tap_ok(clock.version != version && !(clock.version & 1),
	       "a write of the TSC makes another version");
	now = clock_ns();
	wrmsr(MSR_TSC, rdtsc() - (1ul << 50));
	tap_ok(now >= last && now - last < 1000000000 && clock_ns() >= now,
	       "and the clock goes on, without a jump");
}

static void check_border(void)
{
	static uint8_t pages[8192] __attribute__((aligned(4096)));
	uint64_t last = clock_ns();

	for (unsigned int offset = 4096 - 28; offset < 4096; offset += 4) {
		wrmsr(MSR_SYSTEM_TIME, (uint64_t)(pages + offset) | 1);
		memcpy((void *)&clock, pages + offset, sizeof(clock));
	}
	tap_ok((clock.flags & 1) && clock_ns() >= last && clock_ns() - last < 1000000000,
	       "across the border of two pages it is the same");
}

/* The end of RAM cuts off a part; then devices, the hole below 1 MiB, addresses that no RAM has. */
static void check_hostile(void)
{
	const uint64_t end = 0x100000 + boot_ram_above_1m();
	const uint64_t addresses[] = {end - 8,    end - 4,    end,        0xa0000 - 8, 0xb8000,
				      0xfec00000, 0xfee000f0, 1ul << 32,  1ul << 45,   1ul << 52,
				      1ul << 63,  ~0xffful,   ~0ul - 0xf, ~0ul - 3};
	uint8_t *tail = (uint8_t *)(end - 8);
	uint32_t svr = mmio_read32(LAPIC_MMIO + 16 * LAPIC_SVR);
	bool good = true, is_whole = true;

	memset(tail, 0x5a, 8);
	mmio_write32(0xfec00000, 1);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		int vectors[] = {try_wrmsr(MSR_SYSTEM_TIME, addresses[i] | 1),
				 try_wrmsr(MSR_WALL_CLOCK, addresses[i])};

		good = good && (vectors[0] < 0 || vectors[0] == 13) &&
		       (vectors[1] < 0 || vectors[1] == 13);
		wrmsr(MSR_TSC, rdtsc()); /* writes the clock, where there is one */
		for (unsigned int at = 0; at < 8; at++)
			is_whole = is_whole && tail[at] == 0x5a;
	}
	tap_ok(good, "addresses without RAM are taken or #GP");
	tap_ok(is_whole, "nothing is written where not all has RAM");
	tap_ok(mmio_read32(0xfec00000) == 1 && mmio_read32(LAPIC_MMIO + 16 * LAPIC_SVR) == svr,
	       "devices do not hear of it");
	tap_ok(try_wrmsr(MSR_SYSTEM_TIME, (uint64_t)&clock | 3) == 13 &&
		       try_wrmsr(MSR_WALL_CLOCK, (uint64_t)&wall | 1) == 13 &&
		       try_wrmsr(MSR_WALL_CLOCK, (uint64_t)&wall | 2) == 13,
	       "an address that is not aligned is #GP");
}

void guest_main(void)
{
	uint64_t value;
	uint64_t before;

	if (cpuid(0x40000000, 0).b != 0x4b4d564b) {
		tap_plan(1);
		tap_skip("kvmclock", "there is none");
		return;
	}
	tap_plan(19);
	time_tsc_khz();
	wrmsr(MSR_SYSTEM_TIME, (uint64_t)&clock | 1);
	tap_ok(clock.version && !(clock.version & 1), "the version is even and not 0");
	tap_ok(clock.flags & 1, "the clock is stable");
	tap_ok(try_rdmsr(MSR_SYSTEM_TIME, &value) < 0 && value == ((uint64_t)&clock | 1),
	       "the MSR reads back");
	check_rate();
	check_monotonic();
	check_pm_timer();
	check_apic_timer();
	check_wall_clock();
	check_moved();
	check_border();
	check_hostile();
	before = clock_ns();
	wrmsr(MSR_SYSTEM_TIME, (uint64_t)&clock | 1);
	tap_ok(clock_ns() >= before && clock_ns() - before < 1000000000, "afterwards it goes on");
	wrmsr(MSR_SYSTEM_TIME, 0);
	value = clock.version;
	before = clock.system_ns;
	time_delay_us(20000);
	tap_ok(value == clock.version && before == clock.system_ns,
	       "switched off, it writes no more");
}
