/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests PCI configuration: the host bridge, sizing and moving of base addresses, capabilities. */
#include "kernel/abi.h"
#include "services/vmm/vpci.h"
#include "tests/unit/vdevice.h"

static struct vpci pci;
static struct pci_function card, other;
static uint64_t card_value;

static uint64_t card_read(void *device, uint64_t offset, unsigned size)
{
	(void)device, (void)size;
	return 0x1000 + offset;
}

static void card_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)device, (void)offset, (void)size;
	card_value = value;
}

static const struct bus_ops card_ops = {card_read, card_write};

static void start(void)
{
	fake = fake_platform_new(0);
	vpci_init(&pci, &fake->platform);
	pci_function_init(&card, 0x1af4, 0x1042, 0x010000, 1);
	CHECK_EQ(pci_function_add_bar(&card, 0, PCI_BAR_PORTS, 32, 4, &card_ops, &card), 0);
	CHECK_EQ(pci_function_add_bar(&card, 1, PCI_BAR_MEMORY32, 4096, 4, &card_ops, &card), 0);
	CHECK_EQ(pci_function_add_bar(&card, 2, PCI_BAR_MEMORY64, 1ull << 33, 8, &card_ops, &card),
		 0);
	CHECK_EQ(vpci_add(&pci, 3, &card), 0);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static uint32_t get(unsigned slot, unsigned offset)
{
	out(0xcf8, 4, 0x80000000 | slot << 11 | (offset & 0xfc));
	return in(0xcfc, 4);
}

static void set(unsigned slot, unsigned offset, unsigned size, uint32_t value)
{
	out(0xcf8, 4, 0x80000000 | slot << 11 | (offset & 0xfc));
	out((uint16_t)(0xcfc + offset % 4), size, value);
}

TEST(a_host_bridge_is_there_and_nothing_else)
{
	start();
	CHECK_EQ(get(0, 0), 0x12378086);
	CHECK_EQ(get(0, 8) >> 8, 0x060000);
	CHECK_EQ(in(0xcfe, 2), 0x0600);
	CHECK_EQ(inb(0xcff), 0x06);
	set(0, 0, 4, 0xdeadbeef);
	CHECK_EQ(get(0, 0), 0x12378086);
	CHECK_EQ(get(1, 0), 0xffffffff);
	out(0xcf8, 4, 0x80010000);
	CHECK_EQ(in(0xcfc, 4), 0xffffffff);
	out(0xcf8, 4, 0x80000100);
	CHECK_EQ(in(0xcfc, 4), 0xffffffff);
	out(0xcf8, 4, 0x00000000);
	CHECK_EQ(in(0xcfc, 4), 0xffffffff);
	CHECK_EQ(in(0xcf8, 2), 0xffff);
	stop();
}

TEST(base_addresses_tell_their_sizes)
{
	start();
	for (unsigned offset = 0x10; offset < 0x28; offset += 4)
		set(3, offset, 4, 0xffffffff);
	CHECK_EQ(get(3, 0x10), 0xffffffe1);
	CHECK_EQ(get(3, 0x14), 0xfffff000);
	CHECK_EQ(get(3, 0x18), 0x00000004);
	CHECK_EQ(get(3, 0x1c), 0xfffffffe);
	CHECK_EQ(get(3, 0x20), 0);
	stop();
}

TEST(registers_answer_where_they_are_put)
{
	start();
	set(3, 0x10, 4, 0xc000);
	set(3, 0x14, 4, 0xe0000000);
	set(3, 0x18, 4, 0);
	set(3, 0x1c, 4, 0x20);
	CHECK_EQ(in(0xc004, 4), 0xffffffff);
	set(3, 0x04, 2, 0x0003);
	CHECK_EQ(in(0xc004, 4), 0x1004);
	CHECK_EQ(bus_read(&fake->platform.mmio, 0xe0000010, 4), 0x1010);
	CHECK(bus_read(&fake->platform.mmio, 0x20fffffff0, 8) == 0xfffffff0 + 0x1000ull);
	set(3, 0x10, 4, 0xd000);
	CHECK_EQ(in(0xc004, 4), 0xffffffff);
	out(0xd000, 4, 0x1234);
	CHECK_EQ(card_value, 0x1234);
	set(3, 0x04, 2, 0x0002);
	CHECK_EQ(in(0xd004, 4), 0xffffffff);
	CHECK_EQ(bus_read(&fake->platform.mmio, 0xe0000010, 4), 0x1010);
	set(3, 0x04, 2, 0xffff);
	CHECK_EQ(get(3, 0x04) & 0xffff, 0x0407);
	stop();
}

TEST(registers_on_others_places_do_not_answer_until_moved)
{
	start();
	pci_function_init(&other, 0x1af4, 0x1041, 0x020000, 1);
	pci_function_add_bar(&other, 0, PCI_BAR_PORTS, 32, 4, &card_ops, &other);
	CHECK_EQ(vpci_add(&pci, 4, &other), 0);
	set(3, 0x10, 4, 0xc000);
	set(3, 0x04, 2, 1);
	set(4, 0x10, 4, 0xc000);
	set(4, 0x04, 2, 1);
	CHECK(card.bar[0].is_mapped && !other.bar[0].is_mapped);
	set(3, 0x10, 4, 0xc020);
	CHECK(card.bar[0].is_mapped && other.bar[0].is_mapped);
	set(3, 0x10, 4, 0x0ce0); /* over the configuration ports */
	CHECK(!card.bar[0].is_mapped);
	CHECK_EQ(get(3, 0), 0x10421af4);
	stop();
}

TEST(capabilities_form_a_list)
{
	int first, second;

	start();
	first = pci_function_add_capability(&card, 0x09, 16);
	second = pci_function_add_capability(&card, 0x11, 13);
	CHECK_EQ(first, 0x40);
	CHECK_EQ(second, 0x50);
	CHECK_EQ(get(3, 0x34) & 0xff, 0x50);
	CHECK_EQ(get(3, 0x50) & 0xffff, 0x4011);
	CHECK_EQ(get(3, 0x40) & 0xffff, 0x0009);
	CHECK(get(3, 0x04) & 0x00100000);
	CHECK_EQ(pci_function_add_capability(&card, 0x09, 0xa1), -ABI_ENOSPC);
	CHECK_EQ(pci_function_add_capability(&card, 0x09, 0xa0), 0x60);
	CHECK_EQ(pci_function_add_capability(&card, 0x09, 2), -ABI_ENOSPC);
	stop();
}

TEST(wrong_base_addresses_and_slots_are_refused)
{
	start();
	CHECK(pci_function_add_bar(&card, 0, PCI_BAR_PORTS, 32, 4, &card_ops, &card) < 0);
	CHECK(pci_function_add_bar(&card, 5, PCI_BAR_MEMORY64, 4096, 4, &card_ops, &card) < 0);
	CHECK(pci_function_add_bar(&card, 6, PCI_BAR_MEMORY32, 4096, 4, &card_ops, &card) < 0);
	CHECK(pci_function_add_bar(&card, 4, PCI_BAR_MEMORY32, 4095, 4, &card_ops, &card) < 0);
	CHECK(pci_function_add_bar(&card, 4, PCI_BAR_PORTS, 512, 4, &card_ops, &card) < 0);
	CHECK_EQ(vpci_add(&pci, 0, &other), -ABI_EEXIST);
	CHECK_EQ(vpci_add(&pci, 32, &other), -ABI_EINVAL);
	stop();
}

TEST(pins_share_level_lines)
{
	start();
	pci_function_init(&other, 0x1af4, 0x1041, 0x020000, 1);
	pci_function_put(&other, PCI_PIN, 1, 1);
	CHECK_EQ(vpci_add(&pci, 5, &other), 0);
	vpci_place(&pci);
	CHECK_EQ(get(5, 0x3c) & 0xffff, 0x010a);
	CHECK_EQ(get(3, 0x3c) & 0xffff, 0); /* it has no pin */
	vpci_interrupt(&card, true);
	vpci_interrupt(&other, true);
	CHECK(fake->irq[10] && get(5, 4) & 0x80000 && in(0xcfe, 2) & 8);
	CHECK_EQ(fake->irq_rises[10], 1);
	vpci_interrupt(&card, false);
	CHECK(fake->irq[10] && !(get(3, 4) & 0x80000));
	set(5, PCI_COMMAND, 2, PCI_COMMAND_NO_INTX);
	CHECK(!fake->irq[10] && get(5, 4) & 0x80000);
	set(5, PCI_COMMAND, 2, 0);
	CHECK(fake->irq[10]);
	vpci_interrupt(&other, false);
	CHECK(!fake->irq[10] && !fake->irq[11]);
	stop();
}

TEST(the_reset_register_restarts_the_vm)
{
	start();
	outb(0xcf9, 0x02);
	CHECK_EQ(fake->end_count, 0);
	CHECK_EQ(inb(0xcf9), 0x02);
	outb(0xcf9, 0x06);
	CHECK_EQ(fake->end_count, 1);
	CHECK_EQ(fake->end, PLATFORM_END_REBOOT);
	stop();
}

static void hostile(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		set((unsigned)random_next() % 5, (unsigned)random_next() % 0x40,
		    1u << random_next() % 3, (uint32_t)random_value());
		sweep(&fake->platform.ports, 0xcf8, 8, 4);
	}
}

TEST(hostile_guests_and_states_do_no_harm)
{
	start();
	hostile(20000);
	HOSTILE_STATES(vpci, &pci, hostile(10));
	HOSTILE_STATES(pci_function, &card, hostile(10));
	stop();
}

int main(void)
{
	RUN(a_host_bridge_is_there_and_nothing_else);
	RUN(base_addresses_tell_their_sizes);
	RUN(registers_answer_where_they_are_put);
	RUN(registers_on_others_places_do_not_answer_until_moved);
	RUN(capabilities_form_a_list);
	RUN(wrong_base_addresses_and_slots_are_refused);
	RUN(pins_share_level_lines);
	RUN(the_reset_register_restarts_the_vm);
	RUN(hostile_guests_and_states_do_no_harm);
	return unit_end();
}
