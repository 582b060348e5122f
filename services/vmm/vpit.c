/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 timer at ports 0x40 to 0x43, and port 0x61 which gates its third channel. */
#include "services/vmm/vpit.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"
#include "services/vmm/ticks.h"

/* Control word of the 8254. */
#define CONTROL_BCD         0x01
#define CONTROL_LOW         0x10
#define CONTROL_HIGH        0x20
#define CONTROL_ACCESS      0x30
#define CONTROL_KEPT        0x3f
#define READ_BACK           3 /* as channel */
#define READ_BACK_NO_COUNT  0x20
#define READ_BACK_NO_STATUS 0x10
#define STATUS_OUT          0x80
#define STATUS_NULL         0x40

#define PORT61_GATE    0x01
#define PORT61_SPEAKER 0x02
#define PORT61_REFRESH 0x10
#define PORT61_OUT     0x20
#define REFRESH_NS     15085

/* No guest needs more interrupts; without a bound, a count of 1 asks for a million a second. */
#define MIN_PERIOD_NS 100000

#define STATE_VPIT    STATE_KIND('p', 'i', 't', ' ')
#define STATE_VERSION 1

_Static_assert(sizeof(struct vpit_channel) == 40, "no padding may be saved");
_Static_assert(sizeof(struct vpit_state) == 128, "no padding may be saved");

/* Modes 6 and 7 are 2 and 3. */
static unsigned mode_of(const struct vpit_channel *c)
{
	unsigned mode = c->control >> 1 & 7;

	return mode > 5 ? mode - 4 : mode;
}

/* Modes that count the same again and again. */
static bool is_periodic(const struct vpit_channel *c)
{
	return mode_of(c) == 2 || mode_of(c) == 3;
}

/* Ticks since the count was taken over. */
static uint64_t passed(const struct vpit *pit, const struct vpit_channel *c)
{
	if (c->is_held)
		return c->held_ticks;
	return ticks_from_ns(platform_now_ns(pit->platform) - c->start_ns, VPIT_HZ);
}

static bool output(const struct vpit *pit, const struct vpit_channel *c)
{
	uint64_t ticks = passed(pit, c);

	switch (mode_of(c)) {
	case 0:
		return c->is_running && ticks >= c->count;
	case 1:
		return !c->is_running || !c->triggered || ticks >= c->count;
	case 2:
		return !c->is_running || c->is_held || ticks % c->count != c->count - 1;
	case 3:
		return !c->is_running || c->is_held || ticks % c->count < (c->count + 1) / 2;
	default:
		return !c->is_running || (mode_of(c) == 5 && !c->triggered) || ticks != c->count;
	}
}

static uint16_t to_bcd(uint32_t value)
{
	return (uint16_t)(value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
			  value % 10);
}

/* Digits above 9 count what they count. */
static uint32_t from_bcd(uint32_t value)
{
	return (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 +
	       (value & 15);
}

static uint16_t counter(const struct vpit *pit, const struct vpit_channel *c)
{
	uint64_t ticks = passed(pit, c);
	uint32_t wrap = c->control & CONTROL_BCD ? 10000 : 65536, value;

	if (!c->is_running)
		value = c->count;
	else if (mode_of(c) == 3)
		value = c->count - (uint32_t)(2 * (ticks % c->count) % c->count);
	else if (mode_of(c) == 2)
		value = c->count - (uint32_t)(ticks % c->count);
	else
		value = (c->count + wrap - (uint32_t)(ticks % wrap)) % wrap;
	return c->control & CONTROL_BCD ? to_bcd(value % wrap) : (uint16_t)value;
}

/* The next tick at which the first channel's output rises; UINT64_MAX if it will not. */
static uint64_t next_rise(const struct vpit_channel *c, uint64_t ticks)
{
	if (!c->is_running || c->is_held || mode_of(c) == 1 || mode_of(c) == 5)
		return UINT64_MAX;
	if (is_periodic(c))
		return (ticks / c->count + 1) * c->count;
	return ticks < c->count ? c->count : UINT64_MAX;
}

/* The first channel's gate is always open, so time alone moves its output. */
static void schedule(struct vpit *pit)
{
	const struct vpit_channel *c = &pit->s.channel[0];
	uint64_t now = platform_now_ns(pit->platform), deadline;
	uint64_t rise = next_rise(c, passed(pit, c));

	if (rise == UINT64_MAX) {
		platform_timer(pit->platform, PLATFORM_TIMER_PIT, PLATFORM_NEVER);
		return;
	}
	deadline = c->start_ns + ticks_to_ns(rise, VPIT_HZ);
	if (is_periodic(c) && deadline < now + MIN_PERIOD_NS)
		deadline = now + MIN_PERIOD_NS;
	platform_timer(pit->platform, PLATFORM_TIMER_PIT, deadline);
}

/* Scheduled first: an output that rises before it is looked at is seen, one behind is waited for.
 */
static void follow(struct vpit *pit)
{
	schedule(pit);
	platform_irq(pit->platform, PLATFORM_IRQ_PIT, output(pit, &pit->s.channel[0]));
}

void vpit_timer(struct vpit *pit)
{
	const struct vpit_channel *c = &pit->s.channel[0];

	schedule(pit);
	/* In the modes that repeat, the output was low for a moment. */
	if (c->is_running && !(mode_of(c) == 0 && !output(pit, c))) {
		if (mode_of(c) != 0)
			platform_irq(pit->platform, PLATFORM_IRQ_PIT, false);
		platform_irq(pit->platform, PLATFORM_IRQ_PIT, true);
	}
}

static void write_count(struct vpit *pit, struct vpit_channel *c, uint32_t value)
{
	uint32_t wrap = c->control & CONTROL_BCD ? 10000 : 65536;

	if (c->control & CONTROL_BCD)
		value = from_bcd(value);
	c->count = value ? value : wrap;
	if (mode_of(c) == 1 || mode_of(c) == 5) {
		/* These wait for the gate. */
		c->is_running = 1;
		return;
	}
	c->start_ns = platform_now_ns(pit->platform);
	c->is_running = 1;
	c->held_ticks = 0;
	c->is_held = !c->gate;
}

static void write_channel(struct vpit *pit, unsigned which, uint8_t value)
{
	struct vpit_channel *c = &pit->s.channel[which];
	unsigned access = c->control & CONTROL_ACCESS;

	if (access == CONTROL_LOW) {
		write_count(pit, c, value);
	} else if (access == CONTROL_HIGH) {
		write_count(pit, c, (uint32_t)value << 8);
	} else if (!c->write_high_next) {
		c->write_low = value;
		c->write_high_next = 1;
		return;
	} else {
		c->write_high_next = 0;
		write_count(pit, c, (uint32_t)value << 8 | c->write_low);
	}
	if (which == 0)
		follow(pit);
}

static void latch_count(const struct vpit *pit, struct vpit_channel *c)
{
	if (c->latch_bytes)
		return; /* the first latch holds until it is read */
	c->latch = counter(pit, c);
	c->latch_bytes = (c->control & CONTROL_ACCESS) == CONTROL_ACCESS ? 2 : 1;
	if ((c->control & CONTROL_ACCESS) == CONTROL_HIGH)
		c->latch >>= 8;
}

static void latch_status(const struct vpit *pit, struct vpit_channel *c)
{
	if (c->has_status)
		return;
	c->status =
		c->control | (output(pit, c) ? STATUS_OUT : 0) | (c->is_running ? 0 : STATUS_NULL);
	c->has_status = 1;
}

static void write_control(struct vpit *pit, uint8_t value)
{
	unsigned which = value >> 6;
	struct vpit_channel *c = &pit->s.channel[which % 3];

	if (which == READ_BACK) {
		for (unsigned i = 0; i < 3; i++) {
			if (!(value >> (i + 1) & 1))
				continue;
			if (!(value & READ_BACK_NO_COUNT))
				latch_count(pit, &pit->s.channel[i]);
			if (!(value & READ_BACK_NO_STATUS))
				latch_status(pit, &pit->s.channel[i]);
		}
	} else if (!(value & CONTROL_ACCESS)) {
		latch_count(pit, c);
	} else {
		c->control = value & CONTROL_KEPT;
		c->is_running = c->is_held = c->triggered = 0;
		c->write_high_next = c->read_high_next = c->latch_bytes = c->has_status = 0;
		if (which == 0)
			follow(pit);
	}
}

static uint8_t read_channel(struct vpit *pit, struct vpit_channel *c)
{
	unsigned access = c->control & CONTROL_ACCESS;
	uint16_t value;

	if (c->has_status) {
		c->has_status = 0;
		return c->status;
	}
	if (c->latch_bytes) {
		uint8_t byte = (uint8_t)c->latch;

		c->latch >>= 8;
		c->latch_bytes--;
		return byte;
	}
	value = counter(pit, c);
	if (access == CONTROL_ACCESS)
		c->read_high_next = !c->read_high_next;
	if (access == CONTROL_HIGH || (access == CONTROL_ACCESS && !c->read_high_next))
		return (uint8_t)(value >> 8);
	return (uint8_t)value;
}

/* The gate of the third channel. */
static void set_gate(struct vpit *pit, bool gate)
{
	struct vpit_channel *c = &pit->s.channel[2];
	uint64_t now = platform_now_ns(pit->platform), ticks = passed(pit, c);
	bool rises = gate && !c->gate, falls = !gate && c->gate;

	c->gate = gate;
	if (mode_of(c) == 1 || mode_of(c) == 5) {
		if (rises && c->is_running) {
			c->start_ns = now;
			c->triggered = 1;
		}
	} else if (falls) {
		c->held_ticks = ticks;
		c->is_held = 1;
	} else if (rises && c->is_held) {
		/* Modes 2 and 3 begin anew, the others go on. */
		if (is_periodic(c))
			ticks = 0;
		c->start_ns = now - ticks_to_ns(ticks, VPIT_HZ);
		c->is_held = 0;
	}
}

static uint64_t vpit_read(void *device, uint64_t offset, unsigned size)
{
	struct vpit *pit = device;

	(void)size;
	return offset < 3 ? read_channel(pit, &pit->s.channel[offset]) : 0xff;
}

static void vpit_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	if (offset < 3)
		write_channel(device, (unsigned)offset, (uint8_t)value);
	else
		write_control(device, (uint8_t)value);
}

static uint64_t port61_read(void *device, uint64_t offset, unsigned size)
{
	struct vpit *pit = device;
	const struct vpit_channel *c = &pit->s.channel[2];
	bool refresh = platform_now_ns(pit->platform) / REFRESH_NS & 1;

	(void)offset, (void)size;
	return (c->gate ? PORT61_GATE : 0) | (pit->s.speaker ? PORT61_SPEAKER : 0) |
	       (refresh ? PORT61_REFRESH : 0) | (output(pit, c) ? PORT61_OUT : 0);
}

static void port61_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vpit *pit = device;

	(void)offset, (void)size;
	pit->s.speaker = !!(value & PORT61_SPEAKER);
	set_gate(pit, value & PORT61_GATE);
}

void vpit_init(struct vpit *pit, struct platform *platform)
{
	static const struct bus_ops ops = {.read = vpit_read, .write = vpit_write};
	static const struct bus_ops port61 = {.read = port61_read, .write = port61_write};

	memset(pit, 0, sizeof(*pit));
	pit->platform = platform;
	for (unsigned i = 0; i < 3; i++) {
		pit->s.channel[i].count = 65536;
		pit->s.channel[i].control = CONTROL_ACCESS | 3 << 1;
		pit->s.channel[i].gate = i != 2;
	}
	bus_add(&platform->ports, 0x40, 4, 1, &ops, pit);
	bus_add(&platform->ports, 0x61, 1, 1, &port61, pit);
}

size_t vpit_save(const struct vpit *pit, void *buffer, size_t capacity)
{
	return state_put(buffer, capacity, STATE_VPIT, STATE_VERSION, &pit->s, sizeof(pit->s));
}

static bool is_sane(const struct vpit_channel *c, uint64_t now)
{
	return c->start_ns <= now && c->count >= 1 && c->count <= 65536 && c->latch_bytes <= 2 &&
	       c->has_status <= 1 && !(c->control & ~CONTROL_KEPT) &&
	       (c->control & CONTROL_ACCESS) && c->gate <= 1 && c->is_running <= 1 &&
	       c->is_held <= 1 && c->triggered <= 1 && c->write_high_next <= 1 &&
	       c->read_high_next <= 1 && c->reserved == 0 &&
	       c->held_ticks <= ticks_from_ns(now, VPIT_HZ);
}

void vpit_drive(struct vpit *pit)
{
	const struct vpit_channel *c = &pit->s.channel[0];

	if (c->is_running)
		platform_irq(pit->platform, PLATFORM_IRQ_PIT, output(pit, c));
}

int vpit_load(struct vpit *pit, const void *buffer, size_t size)
{
	uint64_t now = platform_now_ns(pit->platform);
	struct vpit_state s;

	if (state_get(buffer, size, STATE_VPIT, STATE_VERSION, &s, sizeof(s)) != 0 || s.speaker > 1)
		return -ABI_EINVAL;
	for (unsigned i = 0; i < 3; i++)
		if (!is_sane(&s.channel[i], now) ||
		    (i < 2 && (!s.channel[i].gate || s.channel[i].is_held)))
			return -ABI_EINVAL;
	for (unsigned i = 0; i < sizeof(s.reserved); i++)
		if (s.reserved[i])
			return -ABI_EINVAL;
	pit->s = s;
	schedule(pit);
	vpit_drive(pit);
	return 0;
}
