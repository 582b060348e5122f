/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine that a guest finds: which devices there are and how their interrupts are wired. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/vmm/platform.h"
#include "services/vmm/vacpi_pm.h"
#include "services/vmm/vfwcfg.h"
#include "services/vmm/vi8042.h"
#include "services/vmm/vioapic.h"
#include "services/vmm/virtio_console.h"
#include "services/vmm/virtio_rng.h"
#include "services/vmm/vpci.h"
#include "services/vmm/vpic.h"
#include "services/vmm/vpit.h"
#include "services/vmm/vrtc.h"
#include "services/vmm/vuart.h"

/* The platform is the first field: what is given a struct platform can find the board. */
struct board {
	struct platform platform;
	struct vpic pic;
	struct vioapic ioapic;
	struct vuart uart;
	struct vrtc rtc;
	struct vpit pit;
	struct vacpi_pm pm;
	struct vi8042 kbc;
	struct vfwcfg fwcfg;
	struct vpci pci;
	struct virtio_console console;
	struct virtio_rng rng;
	uint64_t deadline_ns[PLATFORM_TIMER_COUNT];
	bool is_loading; /* interrupt lines stand still */
};

/* Builds it; the caller has filled in board->platform.ram and cleared the rest. */
void board_init(struct board *board, unsigned vcpu_count, bool has_test_device, bool has_random);

/* The earliest deadline, PLATFORM_NEVER if there is none. */
uint64_t board_deadline(const struct board *board);

/* Runs the devices whose deadline is over. */
void board_run_timers(struct board *board);

/*
 * The console's two mouths. What is typed goes to the one that the guest reads; returns how many
 * bytes it took. When the console has room again, both pass on what waits.
 */
size_t board_console_input(struct board *board, const uint8_t *bytes, size_t count);
void board_console_output(struct board *board);

/* As in state.h, for all devices together. */
size_t board_save(const struct board *board, void *buffer, size_t capacity);
int board_load(struct board *board, const void *buffer, size_t size);
