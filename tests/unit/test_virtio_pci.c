/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that a driver gets through to a device by PCI, and that lies end in NEEDS_RESET. */
#include "kernel/abi.h"
#include "services/vmm/state.h"
#include "services/vmm/virtio_pci.h"
#include "tests/unit/vdriver.h"

#define FEATURE (1ull << 3)
#define QUEUES  2u

static struct virtio_pci pci;
static unsigned starts, resets, notifies, last_queue;

static void test_config(struct virtio *virtio, uint8_t *bytes)
{
	(void)virtio;
	memcpy(bytes, "corbel", 6);
}

static void test_start(struct virtio *virtio)
{
	(void)virtio;
	starts++;
}

static void test_reset(struct virtio *virtio)
{
	(void)virtio;
	resets++;
}

static void test_notify(struct virtio *virtio, unsigned queue)
{
	CHECK(virtio->queue[queue].s.is_enabled);
	notifies++;
	last_queue = queue;
}

static const struct virtio_ops ops = {
	.type = 4,
	.features = FEATURE,
	.queue_count = QUEUES,
	.queue_size = DRIVER_SIZE,
	.config_size = 6,
	.config = test_config,
	.start = test_start,
	.reset = test_reset,
	.notify = test_notify,
};

static void start(void)
{
	driver_platform();
	memset(&pci, 0, sizeof(pci));
	virtio_pci_init(&pci, &fake->platform, &ops);
	starts = resets = notifies = 0;
	driver_plug(&pci.function);
}

static void bring_up(void)
{
	start();
	driver_open(QUEUES);
	CHECK_EQ(get(STATUS, 1), 0xf);
	CHECK_EQ(starts, 1);
}

static void msix_on(void)
{
	for (unsigned i = 0; i <= QUEUES; i++) {
		put(DRIVER_MSIX + 16 * i, 4, 0xfee00000);
		put(DRIVER_MSIX + 16 * i + 8, 4, 0x40 + i);
		put(DRIVER_MSIX + 16 * i + 12, 4, 0);
	}
	config_put(pci.msix.capability + 2, 2, 0x8000);
}

/* Offsets of the vendor's capabilities in the order of the chain. */
static unsigned capabilities(unsigned found[8])
{
	unsigned count = 0;

	for (unsigned at = config_get(PCI_CAPABILITIES) & 0xff; at; at = config_get(at + 1) & 0xff)
		if ((config_get(at) & 0xff) == 9 && count < 8)
			found[count++] = at;
	return count;
}

TEST(a_driver_finds_its_structures)
{
	unsigned at[8], count, seen = 0;

	start();
	CHECK_EQ(config_get(0), 0x10441af4);
	count = capabilities(at);
	CHECK_EQ(count, 6);
	for (unsigned i = 0; i < count; i++)
		seen |= 1u << (config_get(at[i] + 3) & 0xff);
	CHECK_EQ(seen, 0x3e); /* kinds 1 to 5 */
	/* The first way to notify is by ports, all queues by one. */
	for (unsigned i = 0; i < count; i++) {
		if ((config_get(at[i] + 3) & 0xff) != 2)
			continue;
		CHECK_EQ(config_get(at[i] + 4) & 0xff, 0);
		CHECK_EQ(config_get(at[i] + 16), 0);
		break;
	}
	CHECK_EQ(get(QUEUE_COUNT, 2), QUEUES);
	CHECK_EQ(get(QUEUE_SIZE, 2), DRIVER_SIZE);
	CHECK_EQ(get(DRIVER_CONFIG, 4), 0x62726f63);
	CHECK_EQ(get(DRIVER_CONFIG + 4, 4), 0x6c65);
	put(QUEUE_SELECT, 2, QUEUES);
	CHECK_EQ(get(QUEUE_SIZE, 2), 0);
}

TEST(features_are_agreed_or_refused)
{
	uint64_t features;

	start();
	features = get(DEVICE_FEATURE, 4);
	put(DEVICE_SELECT, 4, 1);
	features |= get(DEVICE_FEATURE, 4) << 32;
	CHECK(features & FEATURE && features & VIRTIO_F_VERSION_1);
	put(DEVICE_SELECT, 4, 2);
	CHECK_EQ(get(DEVICE_FEATURE, 4), 0);
	driver_agree(features);
	CHECK_EQ(get(STATUS, 1), 0xb);
	put(DRIVER_SELECT, 4, 0);
	put(DRIVER_FEATURE, 4, 0); /* too late */
	CHECK_EQ(get(DRIVER_FEATURE, 4), (uint32_t)features);
	driver_agree(0); /* without VERSION_1 */
	CHECK_EQ(get(STATUS, 1), 3);
	driver_agree(VIRTIO_F_VERSION_1 | 1); /* not offered */
	CHECK_EQ(get(STATUS, 1), 3);
}

TEST(hidden_features_are_not_offered)
{
	start();
	fake->platform.virtio_hidden = VIRTQUEUE_F_PACKED;
	put(DEVICE_SELECT, 4, 1);
	CHECK_EQ(get(DEVICE_FEATURE, 4), VIRTIO_F_VERSION_1 >> 32);
	driver_agree(VIRTIO_F_VERSION_1 | VIRTQUEUE_F_PACKED);
	CHECK_EQ(get(STATUS, 1), 3);
	driver_agree(VIRTIO_F_VERSION_1 | VIRTQUEUE_F_INDIRECT);
	CHECK_EQ(get(STATUS, 1), 0xb);
}

TEST(notifications_arrive_by_port_and_by_memory)
{
	bring_up();
	out(DRIVER_PORTS, 2, 1);
	CHECK_EQ(notifies, 1);
	CHECK_EQ(last_queue, 1);
	put(DRIVER_NOTIFY, 2, 0);
	CHECK_EQ(notifies, 2);
	CHECK_EQ(last_queue, 0);
	out(DRIVER_PORTS, 2, QUEUES);
	out(DRIVER_PORTS, 2, 0xffff);
	CHECK_EQ(notifies, 2);
	put(STATUS, 1, 0);
	out(DRIVER_PORTS, 2, 0);
	CHECK_EQ(notifies, 2);
	CHECK_EQ(resets, 2); /* by driver_agree(), and now */
}

/* As if the device had given back one request. */
static void push(unsigned queue)
{
	static struct virtqueue_request request = {.slots = 1};

	virtqueue_push(&pci.virtio.queue[queue], &request, 0);
	virtio_pushed(&pci.virtio, queue);
}

TEST(interrupts_go_by_their_vectors)
{
	bring_up();
	msix_on();
	push(1);
	CHECK_EQ(fake->msi_count, 1);
	CHECK_EQ(fake->msi[0].address, 0xfee00000);
	CHECK_EQ(fake->msi[0].data, 0x42);
	virtio_config_changed(&pci.virtio);
	CHECK_EQ(fake->msi[1].data, 0x40);
	CHECK_EQ(get(GENERATION, 1), 1);
	CHECK_EQ(get(DRIVER_ISR, 1), 0);
}

/* The line is high until the status register, which tells what for, was read. */
static void check_pin(unsigned isr)
{
	CHECK(fake->irq[DRIVER_LINE]);
	CHECK_EQ(get(DRIVER_ISR, 1), isr);
	CHECK(!fake->irq[DRIVER_LINE]);
	CHECK_EQ(get(DRIVER_ISR, 1), 0);
}

TEST(without_msix_interrupts_go_by_the_pin)
{
	bring_up();
	CHECK_EQ(config_get(PCI_PIN) & 0xff, 1);
	push(0);
	push(1);
	CHECK_EQ(fake->irq_rises[DRIVER_LINE], 1);
	check_pin(1);
	virtio_config_changed(&pci.virtio);
	push(0);
	check_pin(3);
	put(QUEUE_ENABLE, 2, 0); /* a lie */
	check_pin(2);
	CHECK_EQ(get(STATUS, 1), 0x4f);
	bring_up();
	push(0);
	CHECK(fake->irq[DRIVER_LINE]);
	put(STATUS, 1, 0);
	CHECK(!fake->irq[DRIVER_LINE]);
	bring_up();
	push(0);
	msix_on();
	CHECK(!fake->irq[DRIVER_LINE]);
	CHECK_EQ(fake->msi_count, 0);
}

TEST(an_interrupt_behind_a_mask_waits)
{
	bring_up();
	msix_on();
	put(DRIVER_MSIX + 16 + 12, 4, 1);
	push(0);
	CHECK_EQ(fake->msi_count, 0);
	CHECK_EQ(get(DRIVER_MSIX + 0x800, 4), 2);
	put(DRIVER_MSIX + 16 + 12, 4, 0);
	CHECK_EQ(fake->msi_count, 1);
	CHECK_EQ(get(DRIVER_MSIX + 0x800, 8), 0);
	config_put(pci.msix.capability + 2, 2, 0xc000);
	push(0);
	push(1);
	CHECK_EQ(fake->msi_count, 1);
	config_put(pci.msix.capability + 2, 2, 0x8000);
	CHECK_EQ(fake->msi_count, 3);
	put(QUEUE_SELECT, 2, 0);
	put(QUEUE_VECTOR, 2, QUEUES + 1); /* there is no such vector */
	CHECK_EQ(get(QUEUE_VECTOR, 2), 0xffff);
	push(0);
	CHECK_EQ(fake->msi_count, 3);
}

#define NEEDS_RESET_AFTER(lie)                                                                     \
	do {                                                                                       \
		bring_up();                                                                        \
		msix_on();                                                                         \
		lie;                                                                               \
		CHECK_EQ(get(STATUS, 1), 0x4f);                                                    \
		CHECK_EQ(fake->msi_count, 1);                                                      \
		CHECK_EQ(fake->msi[0].data, 0x40);                                                 \
		out(DRIVER_PORTS, 2, 0);                                                           \
		CHECK_EQ(notifies, 0);                                                             \
		put(STATUS, 1, 0);                                                                 \
		CHECK_EQ(get(STATUS, 1), 0);                                                       \
	} while (0)

TEST(lies_end_in_needs_reset)
{
	NEEDS_RESET_AFTER(put(QUEUE_ENABLE, 2, 1)); /* again */
	NEEDS_RESET_AFTER(put(QUEUE_ENABLE, 2, 0));
	NEEDS_RESET_AFTER(put(QUEUE_SIZE, 2, 8));
	NEEDS_RESET_AFTER(put(QUEUE_DRIVER, 4, 0x9000));
	NEEDS_RESET_AFTER(put(STATUS, 2, 0xf)); /* of another width */
	NEEDS_RESET_AFTER(put(QUEUE_SELECT, 1, 0));
	NEEDS_RESET_AFTER(put(DEVICE_SELECT, 8, 0));
	NEEDS_RESET_AFTER(put(DRIVER_CONFIG, 1, 0));
	start();
	driver_agree(VIRTIO_F_VERSION_1);
	put(QUEUE_DESCRIPTORS, 4, DRIVER_RAM_SIZE);
	put(QUEUE_ENABLE, 2, 1);
	CHECK_EQ(get(STATUS, 1), 0x4b);
	start();
	put(STATUS, 1, 3);
	put(STATUS, 1, 7); /* without FEATURES_OK */
	CHECK_EQ(get(STATUS, 1), 0x43);
	CHECK_EQ(starts, 0);
}

TEST(registers_are_reached_through_pci_configuration)
{
	bring_up();
	config_put(pci.pci_access + 4, 1, 1);
	config_put(pci.pci_access + 8, 4, QUEUE_COUNT);
	config_put(pci.pci_access + 12, 4, 2);
	CHECK_EQ(config_get(pci.pci_access + 16) & 0xffff, QUEUES);
	config_put(pci.pci_access + 8, 4, STATUS);
	config_put(pci.pci_access + 12, 4, 1);
	config_put(pci.pci_access + 16, 1, 0);
	CHECK_EQ(get(STATUS, 1), 0);
	for (unsigned i = 0; i < 20000; i++) {
		config_put(pci.pci_access + 4, 4, (uint32_t)random_value() & 0xff);
		config_put(pci.pci_access + 8, 4, (uint32_t)random_value());
		config_put(pci.pci_access + 12, 4, (uint32_t)random_value());
		config_put(pci.pci_access + 16, 4, (uint32_t)random_value());
		config_get(pci.pci_access + 16);
	}
}

/* As a device saves and loads it, with no state of its own. */
static size_t device_save(const struct virtio_pci *device, void *buffer, size_t capacity)
{
	struct virtio_pci_state s;

	virtio_pci_get(device, &s);
	return state_put(buffer, capacity, 1, 1, &s, sizeof(s));
}

static int device_load(struct virtio_pci *device, const void *buffer, size_t size)
{
	struct virtio_pci_state s;

	if (state_get(buffer, size, 1, 1, &s, sizeof(s)) != 0 || !virtio_pci_set(device, &s))
		return -ABI_EINVAL;
	vpci_map(&driver_bus);
	return 0;
}

TEST(a_saved_device_goes_on_where_it_was)
{
	static uint8_t state[8192];
	size_t size;

	bring_up();
	msix_on();
	push(0);
	size = device_save(&pci, state, sizeof(state));
	CHECK(size <= sizeof(state));
	start();
	CHECK_EQ(device_load(&pci, state, size), 0);
	CHECK_EQ(get(STATUS, 1), 0xf);
	CHECK(!fake->irq[DRIVER_LINE]);
	push(1);
	CHECK_EQ(fake->msi_count, 1);
	out(DRIVER_PORTS, 2, 1);
	CHECK_EQ(notifies, 1);
	bring_up();
	push(0);
	size = device_save(&pci, state, sizeof(state));
	start();
	CHECK_EQ(device_load(&pci, state, size), 0);
	check_pin(1);
}

TEST(a_state_of_queues_that_are_not_there_is_refused)
{
	struct virtio_pci_state s;

	bring_up();
	virtio_pci_get(&pci, &s);
	s.queue[VIRTIO_QUEUE_MAX - 1].size = 1;
	CHECK(!virtio_pci_set(&pci, &s));
	s.queue[VIRTIO_QUEUE_MAX - 1].size = 0;
	CHECK(virtio_pci_set(&pci, &s));
}

TEST(hostile_drivers_and_states_do_no_harm)
{
	bring_up();
	sweep(&fake->platform.mmio, DRIVER_MEMORY, 0x2000, 20000);
	sweep(&fake->platform.mmio, DRIVER_MEMORY, 64, 100000);
	sweep(&fake->platform.ports, DRIVER_PORTS, 4, 1000);
	for (unsigned i = 0; i < 20000; i++)
		config_put((unsigned)random_next() % 256, 1u << random_next() % 3,
			   (uint32_t)random_value());
	bring_up();
	HOSTILE_STATES(device, &pci, sweep(&fake->platform.mmio, DRIVER_MEMORY, 64, 50));
}

int main(void)
{
	RUN(a_driver_finds_its_structures);
	RUN(features_are_agreed_or_refused);
	RUN(hidden_features_are_not_offered);
	RUN(notifications_arrive_by_port_and_by_memory);
	RUN(interrupts_go_by_their_vectors);
	RUN(without_msix_interrupts_go_by_the_pin);
	RUN(an_interrupt_behind_a_mask_waits);
	RUN(lies_end_in_needs_reset);
	RUN(registers_are_reached_through_pci_configuration);
	RUN(a_saved_device_goes_on_where_it_was);
	RUN(a_state_of_queues_that_are_not_there_is_refused);
	RUN(hostile_drivers_and_states_do_no_harm);
	return unit_end();
}
