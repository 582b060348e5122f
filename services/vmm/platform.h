/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device model may ask of the machine around it, and nothing more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/vmm/bus.h"
#include "services/vmm/ram.h"

/*
 * Device models know this page only. board.c gives platform_irq() and platform_timer(); the
 * process around (main.c) gives the rest. Unit tests link tests/unit/fake_platform.c instead.
 *
 * All of vmm's device state lies under one lock, which the caller of any function of a device
 * holds; these functions are called with it held and never wait.
 */
struct platform {
	struct ram ram;         /* (set once) */
	struct bus ports;       /* I/O ports; addresses up to 0xffff */
	struct bus mmio;        /* guest physical addresses; not the local APIC's page */
	uint64_t virtio_hidden; /* features that no virtio device offers (set once) */
};

/* Interrupt lines: 0..15 are the ISA ones, 16 and above reach the IOAPIC only. */
#define PLATFORM_LINE_COUNT 24

#define PLATFORM_IRQ_PIT      0
#define PLATFORM_IRQ_KEYBOARD 1
#define PLATFORM_IRQ_UART     4
#define PLATFORM_IRQ_RTC      8
#define PLATFORM_IRQ_SCI      9 /* level-triggered, active high */
#define PLATFORM_IRQ_MOUSE    12

/* Sets the level of a line; saying the same level twice is no second edge. */
void platform_irq(struct platform *platform, unsigned line, bool level);

enum platform_timer {
	PLATFORM_TIMER_PIT,
	PLATFORM_TIMER_RTC,
	PLATFORM_TIMER_PM,
	PLATFORM_TIMER_RNG,
	PLATFORM_TIMER_COUNT
};

#define PLATFORM_NEVER UINT64_MAX

/*
 * Calls the device's timer function (vpit_timer() and the like) once, at
 * `deadline_ns` of platform_now_ns() or later, however late; PLATFORM_NEVER takes it back.
 */
void platform_timer(struct platform *platform, enum platform_timer timer, uint64_t deadline_ns);

/* The earliest of all deadlines is now earlier: whoever waits for it, wait anew. */
void platform_wake(struct platform *platform);

/* The VM's clock in ns: starts near 0, never goes back, and after a load has gone on meanwhile. */
uint64_t platform_now_ns(struct platform *platform);

/* The host's TSC, of which the guest's is a fixed distance away. */
uint64_t platform_tsc(struct platform *platform);

/* Unix time in ns, UTC. */
uint64_t platform_wall_ns(struct platform *platform);

/* A message-signalled interrupt: SDM vol 3, "Message Signalled Interrupts". */
void platform_msi(struct platform *platform, uint64_t address, uint32_t data);

/* The level of the 8259 pair's INTR output. */
void platform_intr(struct platform *platform, bool level);

/*
 * One byte of the guest's console. False: there is no room now; the caller keeps the byte and
 * vuart_output() is called when there is room again.
 */
bool platform_console_put(struct platform *platform, uint8_t byte);

/* The same for many bytes: returns how many it took. virtio_console_output() is called then, too.
 */
static inline uint32_t platform_console_write(struct platform *platform, const uint8_t *bytes,
					      uint32_t size)
{
	uint32_t taken = 0;

	while (taken < size && platform_console_put(platform, bytes[taken]))
		taken++;
	return taken;
}

/* vuart_input() did not take all that was offered and now has room again. */
void platform_console_wanted(struct platform *platform);

/* Random bytes that nobody can foretell. */
void platform_random(struct platform *platform, void *buffer, size_t size);

/* Why a VM ends. */
enum platform_end {
	PLATFORM_END_POWEROFF,
	PLATFORM_END_REBOOT,
	PLATFORM_END_TRIPLE_FAULT,
	PLATFORM_END_TEST_DEVICE, /* with a status */
	PLATFORM_END_ERROR,       /* with a sentence */
};

/*
 * Asks for the end of the VM. It returns, and the guest must not be entered again; of several
 * requests the first counts. The sentence is copied.
 */
void platform_end(struct platform *platform, enum platform_end end, uint64_t status,
		  const char *sentence);

/* A vCPU got INIT, or a start-up message and goes on at that page of RAM: ABI_EXIT_STARTUP. */
void platform_start_up(struct platform *platform, unsigned vcpu, bool is_init, uint8_t page);

/* How the test device makes this vmm fail: INTERFACE, "its test device". */
enum platform_failure {
	PLATFORM_FAIL_CRASH = 1,
	PLATFORM_FAIL_SPIN = 2,
	PLATFORM_FAIL_EXIT = 3,
	/* No failures if all is well: */
	PLATFORM_FAIL_RELOAD = 4,  /* the VM is saved, thrown away, loaded */
	PLATFORM_FAIL_LOG = 5,     /* pages that are written are noted from now on */
	PLATFORM_FAIL_HARVEST = 6, /* those that were, since then or the last time, can be read: */
};

void platform_fail(struct platform *platform, enum platform_failure failure);

/* The next of these pages, its address / 4096; all ones when there is none. */
uint32_t platform_dirty_page(struct platform *platform);

/* An access of a vCPU to its local APIC's page: SYS_VCPU_APIC_ACCESS. Returns the value read. */
uint32_t platform_apic_access(struct platform *platform, unsigned vcpu, uint32_t offset,
			      bool is_write, uint32_t value);
