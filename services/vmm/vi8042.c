/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8042 keyboard controller with nothing plugged in, and port 0x92: what guests reset with. */
#include "services/vmm/vi8042.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"

/* As in the data sheet of the 8042 of the PC/AT, and the PS/2's second port. */
#define STATUS_OBF      0x01
#define STATUS_SYSTEM   0x04
#define STATUS_UNLOCKED 0x10
#define STATUS_AUX      0x20
#define STATUS_TIMEOUT  0x40
#define STATUS_KEPT     (STATUS_OBF | STATUS_AUX | STATUS_TIMEOUT)

#define CONFIG_IRQ1  0x01
#define CONFIG_IRQ12 0x02

#define COMMAND_READ_CONFIG           0x20
#define COMMAND_WRITE_CONFIG          0x60
#define COMMAND_TEST_AUX              0xa9
#define COMMAND_TEST_CONTROLLER       0xaa
#define COMMAND_TEST_KEYBOARD         0xab
#define COMMAND_READ_INPUT_PORT       0xc0
#define COMMAND_READ_OUTPUT_PORT      0xd0
#define COMMAND_WRITE_OUTPUT_PORT     0xd1
#define COMMAND_WRITE_KEYBOARD_BUFFER 0xd2
#define COMMAND_WRITE_AUX_BUFFER      0xd3
#define COMMAND_WRITE_AUX             0xd4
#define COMMAND_PULSE                 0xf0 /* and above: output lines that are 0 in bits 0-3 */

#define TEST_PASSED    0x55
#define TEST_CLOCK_LOW 0x01
#define NO_ANSWER      0xfe

#define OUTPUT_PORT_RESET 0x01 /* 0 resets */
#define OUTPUT_PORT_A20   0x02
#define PORT92_RESET      0x01
#define PORT92_A20        0x02

#define STATE_VI8042  STATE_KIND('8', '0', '4', '2')
#define STATE_VERSION 1

_Static_assert(sizeof(struct vi8042_state) == 8, "no padding may be saved");

static void update_irq(struct vi8042 *kbc)
{
	bool full = kbc->s.status & STATUS_OBF, aux = kbc->s.status & STATUS_AUX;

	platform_irq(kbc->platform, PLATFORM_IRQ_KEYBOARD,
		     full && !aux && (kbc->s.configuration & CONFIG_IRQ1));
	platform_irq(kbc->platform, PLATFORM_IRQ_MOUSE,
		     full && aux && (kbc->s.configuration & CONFIG_IRQ12));
}

static void answer(struct vi8042 *kbc, uint8_t byte, uint8_t status)
{
	kbc->s.output = byte;
	kbc->s.status = STATUS_OBF | status;
	update_irq(kbc);
}

static void reset(struct vi8042 *kbc)
{
	platform_end(kbc->platform, PLATFORM_END_REBOOT, 0, NULL);
}

/* The address line 20 is always open: no guest that Corbel starts needs it closed. */
static void write_output_port(struct vi8042 *kbc, uint8_t value)
{
	kbc->s.output_port = value | OUTPUT_PORT_RESET;
	if (!(value & OUTPUT_PORT_RESET))
		reset(kbc);
}

static void write_command(struct vi8042 *kbc, uint8_t command)
{
	kbc->s.command = 0;
	switch (command) {
	case COMMAND_READ_CONFIG:
		answer(kbc, kbc->s.configuration, 0);
		break;
	case COMMAND_TEST_CONTROLLER:
		answer(kbc, TEST_PASSED, 0);
		break;
	case COMMAND_TEST_KEYBOARD:
	case COMMAND_TEST_AUX:
		answer(kbc, TEST_CLOCK_LOW, 0); /* no wire is connected */
		break;
	case COMMAND_READ_INPUT_PORT:
		answer(kbc, 0x80, 0);
		break;
	case COMMAND_READ_OUTPUT_PORT:
		answer(kbc, kbc->s.output_port, 0);
		break;
	case COMMAND_WRITE_CONFIG:
	case COMMAND_WRITE_OUTPUT_PORT:
	case COMMAND_WRITE_KEYBOARD_BUFFER:
	case COMMAND_WRITE_AUX_BUFFER:
	case COMMAND_WRITE_AUX:
		kbc->s.command = command;
		break;
	default:
		if (command >= COMMAND_PULSE && !(command & OUTPUT_PORT_RESET))
			reset(kbc);
	}
}

/* A byte for a device that is not there comes back as a timeout at once, so no guest waits. */
static void write_data(struct vi8042 *kbc, uint8_t value)
{
	uint8_t command = kbc->s.command;

	kbc->s.command = 0;
	if (command == COMMAND_WRITE_CONFIG) {
		kbc->s.configuration = value;
		update_irq(kbc);
	} else if (command == COMMAND_WRITE_OUTPUT_PORT) {
		write_output_port(kbc, value);
	} else if (command == COMMAND_WRITE_KEYBOARD_BUFFER) {
		answer(kbc, value, 0);
	} else if (command == COMMAND_WRITE_AUX_BUFFER) {
		answer(kbc, value, STATUS_AUX);
	} else {
		answer(kbc, NO_ANSWER,
		       STATUS_TIMEOUT | (command == COMMAND_WRITE_AUX ? STATUS_AUX : 0));
	}
}

static uint64_t data_read(void *device, uint64_t offset, unsigned size)
{
	struct vi8042 *kbc = device;

	(void)offset, (void)size;
	kbc->s.status = 0;
	update_irq(kbc);
	return kbc->s.output;
}

static void data_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)offset, (void)size;
	write_data(device, (uint8_t)value);
}

static uint64_t command_read(void *device, uint64_t offset, unsigned size)
{
	struct vi8042 *kbc = device;

	(void)offset, (void)size;
	return kbc->s.status | STATUS_SYSTEM | STATUS_UNLOCKED;
}

static void command_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)offset, (void)size;
	write_command(device, (uint8_t)value);
}

static uint64_t port92_read(void *device, uint64_t offset, unsigned size)
{
	struct vi8042 *kbc = device;

	(void)offset, (void)size;
	return kbc->s.port92;
}

static void port92_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vi8042 *kbc = device;
	bool was_set = kbc->s.port92 & PORT92_RESET;

	(void)offset, (void)size;
	kbc->s.port92 = (uint8_t)value;
	if ((value & PORT92_RESET) && !was_set)
		reset(kbc);
}

void vi8042_init(struct vi8042 *kbc, struct platform *platform)
{
	static const struct bus_ops data = {.read = data_read, .write = data_write};
	static const struct bus_ops command = {.read = command_read, .write = command_write};
	static const struct bus_ops port92 = {.read = port92_read, .write = port92_write};

	memset(kbc, 0, sizeof(*kbc));
	kbc->platform = platform;
	kbc->s.configuration = 0x44; /* system flag, translation; no interrupts */
	kbc->s.output_port = OUTPUT_PORT_RESET | OUTPUT_PORT_A20;
	kbc->s.port92 = PORT92_A20;
	bus_add(&platform->ports, 0x60, 1, 1, &data, kbc);
	bus_add(&platform->ports, 0x64, 1, 1, &command, kbc);
	bus_add(&platform->ports, 0x92, 1, 1, &port92, kbc);
}

size_t vi8042_save(const struct vi8042 *kbc, void *buffer, size_t capacity)
{
	return state_put(buffer, capacity, STATE_VI8042, STATE_VERSION, &kbc->s, sizeof(kbc->s));
}

int vi8042_load(struct vi8042 *kbc, const void *buffer, size_t size)
{
	struct vi8042_state s;

	if (state_get(buffer, size, STATE_VI8042, STATE_VERSION, &s, sizeof(s)) != 0)
		return -ABI_EINVAL;
	if ((s.status & ~STATUS_KEPT) || (s.status && !(s.status & STATUS_OBF)) ||
	    !(s.output_port & OUTPUT_PORT_RESET) || s.reserved[0] || s.reserved[1])
		return -ABI_EINVAL;
	kbc->s = s;
	update_irq(kbc);
	return 0;
}
