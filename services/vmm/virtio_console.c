/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-console: the VM's console by rings, the other mouth beside the UART. virtio 1.2, 5.3. */
#include "services/vmm/virtio_console.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"

#define TYPE_CONSOLE 3
#define F_SIZE       (1ull << 0)

/* Port 0 has these two; each further port would have two behind the control queues 2 and 3. */
#define QUEUE_RECEIVE  0u
#define QUEUE_TRANSMIT 1u
#define QUEUE_COUNT    2u
#define QUEUE_SIZE     64u

#define CHUNK   256u /* bytes copied in one go */
#define COLUMNS 80
#define ROWS    25

#define STATE_VIRTIO_CONSOLE STATE_KIND('v', 'c', 'o', 'n')
#define STATE_VERSION        1

struct saved {
	struct virtio_pci_state pci;
	struct virtio_console_state s;
};

_Static_assert(sizeof(struct saved) == sizeof(struct virtio_pci_state) + 16,
	       "no padding may be saved");

static struct virtio_console *console_of(struct virtio *virtio)
{
	return (struct virtio_console *)virtio;
}

static struct virtqueue *queue_of(struct virtio_console *console, unsigned queue)
{
	return &console->pci.virtio.queue[queue];
}

static void console_config(struct virtio *virtio, uint8_t *bytes)
{
	const struct virtio_console *console = console_of(virtio);

	memcpy(bytes, &console->s.columns, 2);
	memcpy(bytes + 2, &console->s.rows, 2);
}

/* Offers anew what was typed and had no room. */
static void want_input(struct virtio_console *console)
{
	if (console->s.input_wanted)
		platform_console_wanted(console->pci.virtio.platform);
	console->s.input_wanted = 0;
}

/* What was typed goes to the UART from now on. */
static void console_reset(struct virtio *virtio)
{
	struct virtio_console *console = console_of(virtio);

	console->s.sent = 0;
	console->s.has_spoken = 0;
	want_input(console);
}

/* Passes on one request from byte s.sent on. False: the console is full; it goes on later. */
static bool transmit(struct virtio_console *console)
{
	uint8_t bytes[CHUNK];
	uint32_t count;

	while ((count = virtqueue_read(&console->request, console->s.sent, bytes, CHUNK)) != 0) {
		uint32_t taken = platform_console_write(console->pci.virtio.platform, bytes, count);

		console->s.sent += taken;
		if (taken && !console->s.has_spoken) {
			console->s.has_spoken = 1;
			platform_console_wanted(console->pci.virtio.platform);
		}
		if (taken < count)
			return false;
	}
	console->s.sent = 0;
	return true;
}

/*
 * Ends when the queue is empty, so that the next request is told, or the console full. A driver
 * that feeds it empty requests for ever keeps its own VM's devices busy alone.
 */
void virtio_console_output(struct virtio_console *console)
{
	struct virtqueue *queue = queue_of(console, QUEUE_TRANSMIT);
	int result = 0;

	if (!virtio_is_started(&console->pci.virtio))
		return;
	while ((result = virtqueue_pop(queue, &console->request)) > 0) {
		if (!transmit(console)) {
			virtqueue_unpop(queue, &console->request);
			break;
		}
		virtqueue_push(queue, &console->request, 0);
	}
	if (result < 0)
		virtio_needs_reset(&console->pci.virtio);
	virtio_pushed(&console->pci.virtio, QUEUE_TRANSMIT);
}

/* Linux reads the size when it is told of a change, and not before. */
static void console_start(struct virtio *virtio)
{
	virtio_config_changed(virtio);
	virtio_console_output(console_of(virtio));
}

static void console_notify(struct virtio *virtio, unsigned queue)
{
	struct virtio_console *console = console_of(virtio);

	if (queue == QUEUE_TRANSMIT)
		virtio_console_output(console);
	else
		want_input(console);
}

bool virtio_console_is_open(const struct virtio_console *console)
{
	return console->s.has_spoken && virtio_is_started(&console->pci.virtio);
}

size_t virtio_console_input(struct virtio_console *console, const uint8_t *bytes, size_t count)
{
	struct virtqueue *queue = queue_of(console, QUEUE_RECEIVE);
	size_t taken = 0;
	int result = 0;

	while (taken < count && (result = virtqueue_pop(queue, &console->request)) > 0) {
		uint32_t written = virtqueue_write(&console->request, 0, bytes + taken,
						   (uint32_t)(count - taken));

		virtqueue_push(queue, &console->request, written);
		taken += written;
	}
	console->s.input_wanted = taken < count;
	if (result < 0)
		virtio_needs_reset(&console->pci.virtio);
	virtio_pushed(&console->pci.virtio, QUEUE_RECEIVE);
	return taken;
}

void virtio_console_resize(struct virtio_console *console, uint16_t columns, uint16_t rows)
{
	console->s.columns = columns;
	console->s.rows = rows;
	virtio_config_changed(&console->pci.virtio);
}

void virtio_console_init(struct virtio_console *console, struct platform *platform)
{
	static const struct virtio_ops ops = {
		.type = TYPE_CONSOLE,
		.features = F_SIZE,
		.queue_count = QUEUE_COUNT,
		.queue_size = QUEUE_SIZE,
		.config_size = 4,
		.config = console_config,
		.start = console_start,
		.reset = console_reset,
		.notify = console_notify,
	};

	memset(&console->s, 0, sizeof(console->s));
	console->s.columns = COLUMNS;
	console->s.rows = ROWS;
	virtio_pci_init(&console->pci, platform, &ops);
}

size_t virtio_console_save(const struct virtio_console *console, void *buffer, size_t capacity)
{
	struct saved saved = {.s = console->s};

	virtio_pci_get(&console->pci, &saved.pci);
	return state_put(buffer, capacity, STATE_VIRTIO_CONSOLE, STATE_VERSION, &saved,
			 sizeof(saved));
}

int virtio_console_load(struct virtio_console *console, const void *buffer, size_t size)
{
	struct saved saved;

	if (state_get(buffer, size, STATE_VIRTIO_CONSOLE, STATE_VERSION, &saved, sizeof(saved)) !=
		    0 ||
	    saved.s.has_spoken > 1 || saved.s.input_wanted > 1)
		return -ABI_EINVAL;
	if (!virtio_pci_set(&console->pci, &saved.pci))
		return -ABI_EINVAL;
	console->s = saved.s;
	return 0;
}
