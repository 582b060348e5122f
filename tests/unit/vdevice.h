/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of device models share: port accesses, random sweeps, hostile saved states. */
#pragma once

#include "tests/unit/fake_platform.h"
#include "tests/unit/random.h"
#include "tests/unit/unit.h"

static struct fake_platform *fake;

static inline uint32_t in(uint16_t port, unsigned size)
{
	return (uint32_t)bus_read(&fake->platform.ports, port, size);
}

static inline void out(uint16_t port, unsigned size, uint32_t value)
{
	bus_write(&fake->platform.ports, port, size, value);
}

static inline uint8_t inb(uint16_t port)
{
	return (uint8_t)in(port, 1);
}

static inline void outb(uint16_t port, uint8_t value)
{
	out(port, 1, value);
}

/* Mostly small and edge values: they find more than even ones. */
static inline uint64_t random_value(void)
{
	uint64_t value = random_next();

	switch (value >> 61) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return 1ull << (value % 64);
	case 3:
		return value % 16;
	default:
		return random_next();
	}
}

/* Random accesses of all sizes in and around [first, first + count); time goes on meanwhile. */
static inline void sweep(struct bus *bus, uint64_t first, uint64_t count, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t address = first - 4 + random_next() % (count + 8);
		unsigned size = 1u << (random_next() % 4);

		if (random_next() & 1)
			bus_write(bus, address, size, random_value());
		else
			CHECK((bus_read(bus, address, size) & ~bus_ones(size)) == 0);
		fake->now_ns += random_next() >> (32 + random_next() % 32);
		fake->wall_ns += random_next() >> (20 + random_next() % 44);
		fake->console_room = random_next() % 3;
	}
}

/*
 * A saved state that is cut, made longer, of another kind or version is refused; one with random
 * values in it is refused or gives a device that works; what was refused changed nothing.
 */
#define HOSTILE_STATES(chip, device, again)                                                        \
	do {                                                                                       \
		static uint8_t good_[8192], bad_[8192], after_[8192];                              \
		size_t size_ = chip##_save(device, good_, sizeof(good_));                          \
		CHECK(size_ > 16 && size_ < sizeof(good_));                                        \
		CHECK_EQ(chip##_save(device, bad_, size_ - 1), size_);                             \
		CHECK_EQ(chip##_load(device, good_, size_), 0);                                    \
		CHECK(chip##_load(device, good_, size_ - 1) < 0);                                  \
		CHECK(chip##_load(device, good_, size_ + 1) < 0);                                  \
		CHECK(chip##_load(device, good_, 0) < 0);                                          \
		for (unsigned i_ = 0; i_ < 16; i_++) {                                             \
			memcpy(bad_, good_, size_);                                                \
			bad_[i_] ^= 1;                                                             \
			CHECK(chip##_load(device, bad_, size_) < 0);                               \
		}                                                                                  \
		for (unsigned i_ = 0; i_ < 4000; i_++) {                                           \
			size_t before_ = chip##_save(device, good_, sizeof(good_));                \
			memcpy(bad_, good_, size_);                                                \
			for (unsigned n_ = (unsigned)random_next() % 8; n_ <= 8; n_++)             \
				bad_[16 + random_next() % (size_ - 16)] = (uint8_t)random_value(); \
			if (chip##_load(device, bad_, size_) == 0) {                               \
				again;                                                             \
				continue;                                                          \
			}                                                                          \
			CHECK_EQ(chip##_save(device, after_, sizeof(after_)), before_);            \
			CHECK(memcmp(good_, after_, before_) == 0);                                \
		}                                                                                  \
	} while (0)
