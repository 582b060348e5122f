/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-rng: random bytes for the guest, so many a second. virtio 1.2, 5.4 "Entropy Device". */
#include "services/vmm/virtio_rng.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"

#define TYPE_RNG   4
#define QUEUE_SIZE 16u
#define CHUNK      256u /* bytes drawn in one go, after which the generator changes its key */
#define BYTE_NS    (1000000000ull / VIRTIO_RNG_RATE)
#define BURST_NS   (BYTE_NS * VIRTIO_RNG_BURST)

#define STATE_VIRTIO_RNG STATE_KIND('v', 'r', 'n', 'g')
#define STATE_VERSION    1

struct saved {
	struct virtio_pci_state pci;
	struct virtio_rng_state s;
};

_Static_assert(sizeof(struct saved) == sizeof(struct virtio_pci_state) + 8,
	       "no padding may be saved");

static struct virtio_rng *rng_of(struct virtio *virtio)
{
	return (struct virtio_rng *)virtio;
}

/* Time pays for what was given; it cannot be saved up. Returns the time. */
static uint64_t pay(struct virtio_rng *rng)
{
	uint64_t now = platform_now_ns(rng->pci.virtio.platform);

	if (rng->s.due_ns < now)
		rng->s.due_ns = now;
	return now;
}

/* How many bytes may go now. */
static uint32_t budget(struct virtio_rng *rng)
{
	uint64_t now = pay(rng);

	return (uint32_t)((now + BURST_NS - rng->s.due_ns) / BYTE_NS);
}

/* Fills the request's first `size` bytes, which it has. */
static void fill(struct virtio_rng *rng, uint32_t size)
{
	uint8_t bytes[CHUNK];

	for (uint32_t done = 0; done < size; done += CHUNK) {
		uint32_t count = size - done < CHUNK ? size - done : CHUNK;

		platform_random(rng->pci.virtio.platform, bytes, count);
		virtqueue_write(&rng->request, done, bytes, count);
	}
}

/*
 * Fewer bytes than there is room for are a right answer; none is not, so a request waits then.
 * Ends when the queue is empty, so that the next request is told.
 */
static void serve(struct virtio_rng *rng)
{
	struct virtio *virtio = &rng->pci.virtio;
	int result;

	if (!virtio_is_started(virtio))
		return;
	while ((result = virtqueue_pop(&virtio->queue[0], &rng->request)) > 0) {
		uint32_t limit = budget(rng), given;

		if (limit < VIRTIO_RNG_BURST / 2) { /* it is not served byte by byte */
			virtqueue_unpop(&virtio->queue[0], &rng->request);
			platform_timer(virtio->platform, PLATFORM_TIMER_RNG,
				       rng->s.due_ns - BURST_NS / 2);
			break;
		}
		given = rng->request.write_size < limit ? (uint32_t)rng->request.write_size : limit;
		fill(rng, given);
		pay(rng); /* the time that it took pays for nothing */
		rng->s.due_ns += given * BYTE_NS;
		virtqueue_push(&virtio->queue[0], &rng->request, given);
	}
	if (result < 0)
		virtio_needs_reset(virtio);
	virtio_pushed(virtio, 0);
}

static void rng_start(struct virtio *virtio)
{
	serve(rng_of(virtio));
}

static void rng_reset(struct virtio *virtio)
{
	platform_timer(virtio->platform, PLATFORM_TIMER_RNG, PLATFORM_NEVER);
}

static void rng_notify(struct virtio *virtio, unsigned queue)
{
	(void)queue;
	serve(rng_of(virtio));
}

void virtio_rng_timer(struct virtio_rng *rng)
{
	serve(rng);
}

void virtio_rng_init(struct virtio_rng *rng, struct platform *platform)
{
	static const struct virtio_ops ops = {
		.type = TYPE_RNG,
		.queue_count = 1,
		.queue_size = QUEUE_SIZE,
		.start = rng_start,
		.reset = rng_reset,
		.notify = rng_notify,
	};

	memset(&rng->s, 0, sizeof(rng->s));
	virtio_pci_init(&rng->pci, platform, &ops);
}

size_t virtio_rng_save(const struct virtio_rng *rng, void *buffer, size_t capacity)
{
	struct saved saved = {.s = rng->s};

	virtio_pci_get(&rng->pci, &saved.pci);
	return state_put(buffer, capacity, STATE_VIRTIO_RNG, STATE_VERSION, &saved, sizeof(saved));
}

int virtio_rng_load(struct virtio_rng *rng, const void *buffer, size_t size)
{
	uint64_t now = platform_now_ns(rng->pci.virtio.platform);
	struct saved saved;

	if (state_get(buffer, size, STATE_VIRTIO_RNG, STATE_VERSION, &saved, sizeof(saved)) != 0 ||
	    saved.s.due_ns > now + BURST_NS)
		return -ABI_EINVAL;
	if (!virtio_pci_set(&rng->pci, &saved.pci))
		return -ABI_EINVAL;
	rng->s = saved.s;
	if (virtio_is_started(&rng->pci.virtio)) /* a request may wait */
		platform_timer(rng->pci.virtio.platform, PLATFORM_TIMER_RNG, now);
	return 0;
}
