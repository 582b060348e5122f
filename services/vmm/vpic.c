/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair of 8259A interrupt controllers at ports 0x20 and 0xa0, with ELCR at 0x4d0. */
#include "services/vmm/vpic.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"

/* Names as in the data sheet of the 8259A. */
#define ICW1_IC4      0x01
#define ICW1_SNGL     0x02
#define ICW1_SELECT   0x10
#define ICW4_AEOI     0x02
#define ICW4_SFNM     0x10
#define OCW3_SELECT   0x08
#define OCW3_RIS      0x01
#define OCW3_RR       0x02
#define OCW3_POLL     0x04
#define OCW3_SMM      0x20
#define OCW3_ESMM     0x40
#define OCW2_ROTATE   0x80
#define OCW2_SPECIFIC 0x40
#define OCW2_EOI      0x20
#define POLL_PENDING  0x80
#define CASCADE       2

#define STATE_VPIC    STATE_KIND('p', 'i', 'c', ' ')
#define STATE_VERSION 1

_Static_assert(sizeof(struct vpic_state) == 28, "no padding may be saved");

/* Inputs whose mode the board fixes: the timer, the keyboard, the cascade, the clock and the FPU.
 */
static const uint8_t elcr_mask[2] = {0xf8, 0xde};

/* Rank of the first set bit from the input of highest priority on; 8 if there is none. */
static unsigned rank(const struct vpic_chip *chip, uint8_t bits)
{
	unsigned n = 0;

	while (n < 8 && !(bits >> ((chip->first + n) & 7) & 1))
		n++;
	return n;
}

/* The input that the chip asks the CPU to serve, or -1. */
static int pending(const struct vpic_chip *chip)
{
	uint8_t in_service = chip->isr;
	unsigned request = rank(chip, chip->irr & (uint8_t)~chip->imr);

	if (chip->special_mask)
		in_service &= (uint8_t)~chip->imr;
	/* Special fully nested: the slave may interrupt its own handler. */
	if (chip->icw4 & ICW4_SFNM)
		in_service &= (uint8_t) ~(1u << CASCADE);
	if (request == 8 || request >= rank(chip, in_service))
		return -1;
	return (int)((chip->first + request) & 7);
}

/* Carries the slave's output to the master and the master's to the CPU. */
static void update(struct vpic *pic)
{
	struct vpic_chip *master = &pic->s.chip[0];
	uint8_t bit = 1u << CASCADE;

	if (pending(&pic->s.chip[1]) >= 0)
		master->irr |= bit;
	else
		master->irr &= (uint8_t)~bit;
	if ((pending(master) >= 0) == pic->intr)
		return;
	pic->intr = !pic->intr;
	platform_intr(pic->platform, pic->intr);
}

void vpic_set_irq(struct vpic *pic, unsigned irq, bool level)
{
	struct vpic_chip *chip = &pic->s.chip[irq >> 3 & 1];
	uint8_t bit = (uint8_t)(1u << (irq & 7));

	if (irq == CASCADE || irq > 15 || !!(chip->lines & bit) == level)
		return;
	/* Also an edge counts only as long as the line stays high. */
	if (level)
		chip->irr |= bit;
	else
		chip->irr &= (uint8_t)~bit;
	chip->lines = level ? chip->lines | bit : chip->lines & (uint8_t)~bit;
	update(pic);
}

static unsigned acknowledge(struct vpic_chip *chip)
{
	int input = pending(chip);
	uint8_t bit;

	if (input < 0)
		return 7; /* spurious: leaves no trace */
	bit = (uint8_t)(1u << input);
	if (!(chip->elcr & bit))
		chip->irr &= (uint8_t)~bit;
	if (!(chip->icw4 & ICW4_AEOI))
		chip->isr |= bit;
	else if (chip->rotates)
		chip->first = (uint8_t)((input + 1) & 7);
	return (unsigned)input;
}

uint8_t vpic_acknowledge(struct vpic *pic)
{
	struct vpic_chip *master = &pic->s.chip[0], *slave = &pic->s.chip[1];
	unsigned input = acknowledge(master);
	uint8_t vector = (uint8_t)(master->base + input);

	if (input == CASCADE)
		vector = (uint8_t)(slave->base + acknowledge(slave));
	update(pic);
	return vector;
}

static void write_icw1(struct vpic_chip *chip, uint8_t value)
{
	chip->icw1 = value;
	chip->icw4 = 0;
	chip->init_step = 2;
	chip->irr = chip->lines & chip->elcr;
	chip->imr = chip->isr = chip->first = 0;
	chip->rotates = chip->special_mask = chip->reads_isr = chip->polled = 0;
}

static void write_ocw2(struct vpic_chip *chip, uint8_t value)
{
	unsigned input = value & 7;

	if (value & OCW2_EOI) {
		if (!(value & OCW2_SPECIFIC)) {
			unsigned n = rank(chip, chip->isr);

			if (n == 8)
				return;
			input = (chip->first + n) & 7;
		}
		chip->isr &= (uint8_t) ~(1u << input);
		if (value & OCW2_ROTATE)
			chip->first = (uint8_t)((input + 1) & 7);
	} else if (!(value & OCW2_SPECIFIC)) {
		chip->rotates = !!(value & OCW2_ROTATE);
	} else if (value & OCW2_ROTATE) {
		chip->first = (uint8_t)((input + 1) & 7);
	}
}

static void write_ocw3(struct vpic_chip *chip, uint8_t value)
{
	if (value & OCW3_POLL)
		chip->polled = 1;
	if (value & OCW3_RR)
		chip->reads_isr = value & OCW3_RIS;
	if (value & OCW3_ESMM)
		chip->special_mask = !!(value & OCW3_SMM);
}

/* The second address: the next initialisation word, or the mask. */
static void write_data(struct vpic_chip *chip, uint8_t value)
{
	bool has_icw4 = chip->icw1 & ICW1_IC4;

	switch (chip->init_step) {
	case 2:
		chip->base = value & 0xf8;
		if (!(chip->icw1 & ICW1_SNGL))
			chip->init_step = 3;
		else
			chip->init_step = has_icw4 ? 4 : 0;
		break;
	case 3: /* says where the slave is; the board knows */
		chip->init_step = has_icw4 ? 4 : 0;
		break;
	case 4:
		chip->icw4 = value & (ICW4_AEOI | ICW4_SFNM);
		chip->init_step = 0;
		break;
	default:
		chip->imr = value;
	}
}

static uint8_t read_chip(struct vpic *pic, unsigned which, uint64_t offset)
{
	struct vpic_chip *chip = &pic->s.chip[which];
	uint8_t value;

	if (chip->polled) {
		chip->polled = 0;
		if (pending(chip) < 0)
			return 0;
		value = (uint8_t)(acknowledge(chip) | POLL_PENDING);
		update(pic);
		return value;
	}
	if (offset == 1)
		return chip->imr;
	return chip->reads_isr ? chip->isr : chip->irr;
}

static void write_chip(struct vpic *pic, unsigned which, uint64_t offset, uint8_t value)
{
	struct vpic_chip *chip = &pic->s.chip[which];

	if (offset == 1)
		write_data(chip, value);
	else if (value & ICW1_SELECT)
		write_icw1(chip, value);
	else if (value & OCW3_SELECT)
		write_ocw3(chip, value);
	else
		write_ocw2(chip, value);
	update(pic);
}

static uint64_t master_read(void *device, uint64_t offset, unsigned size)
{
	(void)size;
	return read_chip(device, 0, offset);
}

static void master_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	write_chip(device, 0, offset, (uint8_t)value);
}

static uint64_t slave_read(void *device, uint64_t offset, unsigned size)
{
	(void)size;
	return read_chip(device, 1, offset);
}

static void slave_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	write_chip(device, 1, offset, (uint8_t)value);
}

static uint64_t elcr_read(void *device, uint64_t offset, unsigned size)
{
	struct vpic *pic = device;

	(void)size;
	return pic->s.chip[offset].elcr;
}

static void elcr_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vpic *pic = device;
	struct vpic_chip *chip = &pic->s.chip[offset];

	(void)size;
	chip->elcr = (uint8_t)value & elcr_mask[offset];
	chip->irr |= chip->lines & chip->elcr;
	update(pic);
}

void vpic_init(struct vpic *pic, struct platform *platform)
{
	static const struct bus_ops master = {.read = master_read, .write = master_write};
	static const struct bus_ops slave = {.read = slave_read, .write = slave_write};
	static const struct bus_ops elcr = {.read = elcr_read, .write = elcr_write};

	memset(pic, 0, sizeof(*pic));
	pic->platform = platform;
	/* Nothing gets through before a driver has initialised them. */
	pic->s.chip[0].imr = pic->s.chip[1].imr = 0xff;
	bus_add(&platform->ports, 0x20, 2, 1, &master, pic);
	bus_add(&platform->ports, 0xa0, 2, 1, &slave, pic);
	bus_add(&platform->ports, 0x4d0, 2, 1, &elcr, pic);
}

size_t vpic_save(const struct vpic *pic, void *buffer, size_t capacity)
{
	return state_put(buffer, capacity, STATE_VPIC, STATE_VERSION, &pic->s, sizeof(pic->s));
}

int vpic_load(struct vpic *pic, const void *buffer, size_t size)
{
	struct vpic_state s;

	if (state_get(buffer, size, STATE_VPIC, STATE_VERSION, &s, sizeof(s)) != 0)
		return -ABI_EINVAL;
	for (unsigned i = 0; i < 2; i++) {
		const struct vpic_chip *chip = &s.chip[i];

		if ((chip->elcr & ~elcr_mask[i]) || (chip->base & 7) || chip->first > 7 ||
		    chip->init_step == 1 || chip->init_step > 4 ||
		    (chip->icw4 & ~(ICW4_AEOI | ICW4_SFNM)) || chip->rotates > 1 ||
		    chip->special_mask > 1 || chip->reads_isr > 1 || chip->polled > 1)
			return -ABI_EINVAL;
	}
	/* The master's third input is the slave's output. */
	if ((s.chip[0].irr >> CASCADE & 1) != (pending(&s.chip[1]) >= 0))
		return -ABI_EINVAL;
	pic->s = s;
	update(pic);
	return 0;
}
