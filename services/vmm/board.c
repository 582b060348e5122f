/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine that a guest finds: which devices there are and how their interrupts are wired. */
#include "services/vmm/board.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/state.h"
#include "services/vmm/vtest.h"

/* The cascade of the 8259 pair is ISA line 2; the timer takes that pin of the IOAPIC. */
#define LINE_CASCADE 2
#define PIN_PIT      2

/* More than all devices' states together. */
#define STATE_MAX 16384

#define SLOT_CONSOLE 1
#define SLOT_RNG     2

/*
 * All devices with state. The interrupt controllers come last: they know the levels of their
 * inputs, which the other devices would move while they are loaded.
 */
#define DEVICES(X)                                                                                 \
	X(vuart, uart)                                                                             \
	X(vrtc, rtc)                                                                               \
	X(vpit, pit)                                                                               \
	X(vacpi_pm, pm)                                                                            \
	X(vi8042, kbc)                                                                             \
	X(vfwcfg, fwcfg)                                                                           \
	X(virtio_console, console)                                                                 \
	X(virtio_rng, rng)                                                                         \
	X(vpci, pci)                                                                               \
	X(vpic, pic)                                                                               \
	X(vioapic, ioapic)

void platform_irq(struct platform *platform, unsigned line, bool level)
{
	struct board *board = (struct board *)platform;

	if (board->is_loading)
		return;
	if (line < 16)
		vpic_set_irq(&board->pic, line, level);
	if (line != LINE_CASCADE)
		vioapic_set_pin(&board->ioapic, line == PLATFORM_IRQ_PIT ? PIN_PIT : line, level);
}

void platform_timer(struct platform *platform, enum platform_timer timer, uint64_t deadline_ns)
{
	struct board *board = (struct board *)platform;
	uint64_t before = board_deadline(board);

	board->deadline_ns[timer] = deadline_ns;
	if (board_deadline(board) < before)
		platform_wake(platform);
}

uint64_t board_deadline(const struct board *board)
{
	uint64_t earliest = PLATFORM_NEVER;

	for (unsigned i = 0; i < PLATFORM_TIMER_COUNT; i++)
		if (board->deadline_ns[i] < earliest)
			earliest = board->deadline_ns[i];
	return earliest;
}

void board_run_timers(struct board *board)
{
	uint64_t now = platform_now_ns(&board->platform);

	for (unsigned i = 0; i < PLATFORM_TIMER_COUNT; i++) {
		if (board->deadline_ns[i] > now)
			continue;
		board->deadline_ns[i] = PLATFORM_NEVER;
		if (i == PLATFORM_TIMER_PIT)
			vpit_timer(&board->pit);
		else if (i == PLATFORM_TIMER_RTC)
			vrtc_timer(&board->rtc);
		else if (i == PLATFORM_TIMER_RNG)
			virtio_rng_timer(&board->rng);
		else
			vacpi_pm_timer(&board->pm);
	}
}

void board_init(struct board *board, unsigned vcpu_count, bool has_test_device, bool has_random)
{
	struct platform *platform = &board->platform;

	for (unsigned i = 0; i < PLATFORM_TIMER_COUNT; i++)
		board->deadline_ns[i] = PLATFORM_NEVER;
	vpic_init(&board->pic, platform);
	vioapic_init(&board->ioapic, platform);
	vuart_init(&board->uart, platform);
	vrtc_init(&board->rtc, platform);
	vpit_init(&board->pit, platform);
	vacpi_pm_init(&board->pm, platform);
	vi8042_init(&board->kbc, platform);
	vfwcfg_init(&board->fwcfg, platform, vcpu_count);
	vpci_init(&board->pci, platform);
	virtio_console_init(&board->console, platform);
	vpci_add(&board->pci, SLOT_CONSOLE, &board->console.pci.function);
	virtio_rng_init(&board->rng, platform);
	if (has_random)
		vpci_add(&board->pci, SLOT_RNG, &board->rng.pci.function);
	vpci_place(&board->pci);
	if (has_test_device)
		vtest_init(platform);
}

size_t board_console_input(struct board *board, const uint8_t *bytes, size_t count)
{
	size_t taken = 0;

	if (virtio_console_is_open(&board->console))
		taken = virtio_console_input(&board->console, bytes, count);
	if (!virtio_console_is_open(&board->console)) /* its driver may have lied just now */
		taken += vuart_input(&board->uart, bytes + taken, count - taken);
	return taken;
}

void board_console_output(struct board *board)
{
	vuart_output(&board->uart);
	virtio_console_output(&board->console);
}

size_t board_save(const struct board *board, void *buffer, size_t capacity)
{
	uint8_t *out = buffer;
	size_t size = 0;

#define SAVE(chip, field)                                                                          \
	size += chip##_save(&board->field, size < capacity ? out + size : out,                     \
			    size < capacity ? capacity - size : 0);
	DEVICES(SAVE)
#undef SAVE
	return size;
}

static int load_devices(struct board *board, const uint8_t *in, size_t left)
{
	size_t size;

#define LOAD(chip, field)                                                                          \
	size = state_size(in, left);                                                               \
	if (size == 0 || chip##_load(&board->field, in, size) != 0)                                \
		return -ABI_EINVAL;                                                                \
	in += size;                                                                                \
	left -= size;
	DEVICES(LOAD)
#undef LOAD
	return left == 0 ? 0 : -ABI_EINVAL;
}

/* Each device loads all or nothing; for the board to do so too, it keeps what was. */
int board_load(struct board *board, const void *buffer, size_t size)
{
	static uint8_t before[STATE_MAX];
	size_t before_size = board_save(board, before, sizeof(before));
	int error;

	if (before_size > sizeof(before))
		return -ABI_ENOSPC;
	board->is_loading = true;
	error = load_devices(board, buffer, size);
	if (error)
		load_devices(board, before, before_size);
	board->is_loading = false;
	if (!error)
		vpit_drive(&board->pit); /* it may have risen since it was saved */
	return error;
}
