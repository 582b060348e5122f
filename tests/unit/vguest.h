/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest CPU without a CPU: RAM, page tables and a device of plain bytes for tests of emulation.
 */
#pragma once

#include "kernel/abi.h"
#include "services/vmm/vcpu.h"
#include "services/vmm/vioapic.h"
#include "services/vmm/vpic.h"
#include "services/vmm/x86.h"
#include "tests/unit/vdevice.h"

#define GUEST_RAM  0x20000u
#define GUEST_CODE 0x10000u
#define GUEST_MMIO 0xd0000000ull /* one page of bytes that keep what is written */
#define GUEST_PORT 0x2000u       /* sixteen ports of the same kind */

static struct vcpu vcpu;
static struct vpic pic;
static struct vioapic ioapic;
static struct abi_vcpu_page page;
static uint8_t mmio[4096];
static uint8_t ports[16];
static unsigned mmio_reads, mmio_writes;

static inline uint64_t mmio_read(void *device, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, (uint8_t *)device + offset, size);
	mmio_reads++;
	return value;
}

static inline void mmio_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	memcpy((uint8_t *)device + offset, &value, size);
	mmio_writes++;
}

static inline uint8_t *ram(uint64_t gpa)
{
	return fake->platform.ram.part[0].host + gpa;
}

static inline void put64(uint64_t gpa, uint64_t value)
{
	memcpy(ram(gpa), &value, 8);
}

static inline uint64_t get64(uint64_t gpa)
{
	uint64_t value;

	memcpy(&value, ram(gpa), 8);
	return value;
}

static inline void put32(uint64_t gpa, uint32_t value)
{
	memcpy(ram(gpa), &value, 4);
}

static inline uint32_t get32(uint64_t gpa)
{
	uint32_t value;

	memcpy(&value, ram(gpa), 4);
	return value;
}

static inline void guest_segments(unsigned code_attributes, unsigned data_attributes)
{
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++) {
		page.cpu.segment[i].limit = 0xffffffff;
		page.cpu.segment[i].attributes = (uint16_t)data_attributes;
	}
	page.cpu.segment[ABI_CS].attributes = (uint16_t)code_attributes;
}

/* No paging, flat segments of 4 GiB, 32-bit code. */
static inline void guest_start32(void)
{
	static const struct bus_ops ops = {mmio_read, mmio_write};

	fake = fake_platform_new(GUEST_RAM);
	memset(&page, 0, sizeof(page));
	vpic_init(&pic, &fake->platform);
	vioapic_init(&ioapic, &fake->platform);
	CHECK_EQ(bus_add(&fake->platform.mmio, GUEST_MMIO, 4096, 8, &ops, mmio), 0);
	CHECK_EQ(bus_add(&fake->platform.ports, GUEST_PORT, 16, 4, &ops, ports), 0);
	vcpu_init(&vcpu, 0, &fake->platform, &pic, &ioapic, &page);
	page.version = ABI_VERSION;
	page.cpu.cr0 = X86_CR0_PE;
	page.cpu.rflags = 2;
	page.cpu.rip = GUEST_CODE;
	guest_segments(0xc9b, 0xc93);
}

/* 16-bit real mode. */
static inline void guest_start16(void)
{
	guest_start32();
	page.cpu.cr0 = 0;
	guest_segments(0x93, 0x93);
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		page.cpu.segment[i].limit = 0xffff;
}

/* 64-bit mode: the first 2 MiB and the last GiB below 4 GiB are mapped where they are. */
static inline void guest_start64(void)
{
	guest_start32();
	page.cpu.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP;
	page.cpu.cr4 = X86_CR4_PAE;
	page.cpu.efer = X86_EFER_LMA | X86_EFER_NXE;
	page.cpu.cr3 = 0x1000;
	guest_segments(0xa9b, 0xc93);
	put64(0x1000, 0x2007);
	put64(0x2000, 0x3007);
	put64(0x2018, 0x4007);
	put64(0x3000, 0x0087);
	for (unsigned i = 0; i < 512; i++)
		put64(0x4000 + 8 * i, (0xc0000000ull + i * 0x200000ull) | 0x87);
}

static inline void guest_stop(void)
{
	fake_platform_free(fake);
}

static inline void guest_code(const uint8_t *bytes, size_t size)
{
	memcpy(ram(page.cpu.segment[ABI_CS].base + page.cpu.rip), bytes, size);
}

/* An exit for an access of memory at `gpa` by the instruction at RIP. */
static inline void guest_exit(uint64_t gpa)
{
	page.exit.kind = ABI_EXIT_MMIO;
	page.exit.mmio.gpa = gpa;
	page.set = 0;
	page.inject_exception = 0;
	vcpu_exit_handle(&vcpu);
}

static inline void guest_exit_string_port(uint16_t port, unsigned size, bool is_write)
{
	page.exit.kind = ABI_EXIT_PORT;
	page.exit.port.port = port;
	page.exit.port.size = (uint8_t)size;
	page.exit.port.is_write = is_write;
	page.exit.port.is_string = 1;
	page.set = 0;
	page.inject_exception = 0;
	vcpu_exit_handle(&vcpu);
}

/* Puts the instruction at RIP, exits there for the byte at `gpa`, and expects it to be done. */
#define DONE(gpa, ...)                                                                             \
	do {                                                                                       \
		static const uint8_t code_[] = {__VA_ARGS__};                                      \
		uint64_t rip_ = page.cpu.rip;                                                      \
		guest_code(code_, sizeof(code_));                                                  \
		guest_exit(gpa);                                                                   \
		CHECK_EQ(page.inject_exception, 0);                                                \
		CHECK(page.set &ABI_SET_RIP);                                                      \
		CHECK_EQ(page.cpu.rip, rip_ + sizeof(code_));                                      \
	} while (0)

/* The same, but expects that exception; RIP stays. */
#define RAISES(gpa, vector, ...)                                                                   \
	do {                                                                                       \
		static const uint8_t code_[] = {__VA_ARGS__};                                      \
		uint64_t rip_ = page.cpu.rip;                                                      \
		guest_code(code_, sizeof(code_));                                                  \
		guest_exit(gpa);                                                                   \
		CHECK_EQ(page.inject_exception, 1);                                                \
		CHECK_EQ(page.exception_vector, vector);                                           \
		CHECK_EQ(page.set &ABI_SET_RIP, 0);                                                \
		CHECK_EQ(page.cpu.rip, rip_);                                                      \
	} while (0)
