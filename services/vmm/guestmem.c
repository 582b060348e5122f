/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory as an instruction of the guest sees it: segments, pages, and RAM or a device behind. */
#include "services/vmm/guestmem.h"

#include <string.h>

#include "services/vmm/bus.h"
#include "services/vmm/gpagewalk.h"
#include "services/vmm/platform.h"
#include "services/vmm/vcpu.h"
#include "services/vmm/x86.h"

#define PAGE_SIZE 4096u
#define APIC_BASE 0xfee00000ull

/* SDM vol 3, "Limit Checking" and "Type Checking". */
static bool segment_allows(const struct abi_cpu *cpu, unsigned segment, uint64_t offset,
			   unsigned size, bool is_write)
{
	const struct abi_segment_state *s = &cpu->segment[segment];
	uint64_t top = s->attributes & X86_ATTRIBUTE_DB ? 0xffffffff : 0xffff;
	bool is_code = s->attributes & X86_TYPE_CODE;

	if ((cpu->cr0 & X86_CR0_PE) && !(cpu->rflags & X86_FLAG_VM)) {
		if (!(s->attributes & X86_ATTRIBUTE_P))
			return false;
		if (is_write && (is_code || !(s->attributes & X86_TYPE_WRITABLE)))
			return false;
		if (!is_write && is_code && !(s->attributes & X86_TYPE_READABLE))
			return false;
	}
	if (!is_code && (s->attributes & X86_TYPE_EXPAND_DOWN))
		return offset > s->limit && offset + size - 1 <= top;
	return offset + size - 1 <= s->limit;
}

static bool is_canonical(const struct abi_cpu *cpu, uint64_t linear)
{
	unsigned shift = cpu->cr4 & X86_CR4_LA57 ? 64 - 57 : 64 - 48;

	return (uint64_t)((int64_t)(linear << shift) >> shift) == linear;
}

/* Returns false after it has injected a fault. */
static bool to_linear(struct vcpu *vcpu, unsigned segment, uint64_t offset, unsigned size,
		      uint32_t access, uint64_t *linear)
{
	const struct abi_cpu *cpu = &vcpu->page->cpu;
	bool good;

	if (vcpu->is_64bit) {
		*linear = offset;
		if (segment == ABI_FS || segment == ABI_GS)
			*linear += cpu->segment[segment].base;
		good = is_canonical(cpu, *linear) && is_canonical(cpu, *linear + size - 1);
	} else {
		offset &= 0xffffffff;
		*linear = (cpu->segment[segment].base + offset) & 0xffffffff;
		good = segment_allows(cpu, segment, offset, size, access & GPAGEWALK_WRITE);
	}
	if (!good)
		vcpu_inject_error(vcpu, segment == ABI_SS ? X86_VECTOR_SS : X86_VECTOR_GP, 0);
	return good;
}

static enum guestmem walk(struct vcpu *vcpu, uint64_t linear, uint32_t access, uint64_t *gpa)
{
	uint32_t error;

	switch (gpagewalk(&vcpu->walks, &vcpu->platform->ram, &vcpu->page->cpu, linear,
			  access | vcpu->user, gpa, &error)) {
	case GPAGEWALK_OK:
		return GUESTMEM_OK;
	case GPAGEWALK_FAULT:
		vcpu_inject_page_fault(vcpu, linear, error);
		return GUESTMEM_FAULT;
	case GPAGEWALK_CHANGED:
		return GUESTMEM_RETRY;
	default:
		platform_end(vcpu->platform, PLATFORM_END_ERROR, 0,
			     "its page tables lie outside its memory");
		return GUESTMEM_STOP;
	}
}

static enum guestmem find_piece(struct vcpu *vcpu, uint64_t linear, unsigned size, uint32_t access,
				struct guestmem_piece *piece)
{
	enum guestmem result = walk(vcpu, linear, access, &piece->gpa);

	piece->size = size;
	if (result == GUESTMEM_OK)
		piece->host = ram_at(&vcpu->platform->ram, piece->gpa, size);
	return result;
}

static __attribute__((noinline)) enum guestmem find_slowly(struct vcpu *vcpu, unsigned segment,
							   uint64_t offset, unsigned size,
							   uint32_t access,
							   struct guestmem_span *span)
{
	uint64_t linear;
	unsigned here;
	enum guestmem result;

	if (!to_linear(vcpu, segment, offset, size, access, &linear))
		return GUESTMEM_FAULT;
	here = PAGE_SIZE - (unsigned)(linear % PAGE_SIZE);
	span->count = here < size ? 2 : 1;
	result = find_piece(vcpu, linear, here < size ? here : size, access, &span->piece[0]);
	if (result != GUESTMEM_OK || span->count == 1)
		return result;
	return find_piece(vcpu, linear + here, size - here, access, &span->piece[1]);
}

enum guestmem guestmem_find(struct vcpu *vcpu, unsigned segment, uint64_t offset, unsigned size,
			    bool is_write, struct guestmem_span *span)
{
	uint32_t access = is_write ? GPAGEWALK_WRITE : 0;
	unsigned in_page = (unsigned)offset % PAGE_SIZE;
	const struct gpagewalk_done *done;

	/* In 64-bit mode most segments do nothing, and a page that was walked to is canonical. */
	if (!vcpu->is_64bit || segment >= ABI_FS || in_page + size > PAGE_SIZE)
		return find_slowly(vcpu, segment, offset, size, access, span);
	done = gpagewalk_find(&vcpu->walks, is_write ? GPAGEWALK_WRITES : GPAGEWALK_READS, offset,
			      vcpu->user);
	if (!done)
		return find_slowly(vcpu, segment, offset, size, access, span);
	span->count = 1;
	span->piece[0].gpa = done->frame + in_page;
	span->piece[0].host = done->host ? done->host + in_page : NULL;
	span->piece[0].size = size;
	return GUESTMEM_OK;
}

/* SDM vol 3, "Local APIC Register Address Map": 32-bit registers, 16 bytes apart. */
static uint64_t apic_read(struct vcpu *vcpu, uint64_t gpa, unsigned size)
{
	unsigned byte = gpa % 16;
	uint64_t value;

	if (byte + size > 4)
		return size == 8 ? ~0ull : bus_ones(size);
	value = platform_apic_access(vcpu->platform, vcpu->index, gpa & 0xff0, false, 0);
	return value >> (8 * byte) & bus_ones(size);
}

static void apic_write(struct vcpu *vcpu, uint64_t gpa, unsigned size, uint64_t value)
{
	if (gpa % 16 == 0 && size == 4)
		platform_apic_access(vcpu->platform, vcpu->index, gpa & 0xff0, true,
				     (uint32_t)value);
}

static uint64_t device_read(struct vcpu *vcpu, uint64_t gpa, unsigned size)
{
	if ((gpa & ~0xfffull) == APIC_BASE)
		return apic_read(vcpu, gpa, size);
	return bus_read(&vcpu->platform->mmio, gpa, size);
}

static void device_write(struct vcpu *vcpu, uint64_t gpa, unsigned size, uint64_t value)
{
	if ((gpa & ~0xfffull) == APIC_BASE)
		apic_write(vcpu, gpa, size, value);
	else
		bus_write(&vcpu->platform->mmio, gpa, size, value);
}

/* Aligned accesses of RAM are one access each: another vCPU never sees or gives half of one. */
static uint64_t ram_read(const uint8_t *host, uint64_t gpa, unsigned size)
{
	uint64_t value = 0;

	if (gpa % size == 0 && size == 8)
		return __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED);
	if (gpa % size == 0 && size == 4)
		return __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED);
	if (gpa % size == 0 && size == 2)
		return __atomic_load_n((const uint16_t *)host, __ATOMIC_RELAXED);
	memcpy(&value, host, size);
	return value;
}

static void ram_write(uint8_t *host, uint64_t gpa, unsigned size, uint64_t value)
{
	if (gpa % size == 0 && size == 8)
		__atomic_store_n((uint64_t *)host, value, __ATOMIC_RELAXED);
	else if (gpa % size == 0 && size == 4)
		__atomic_store_n((uint32_t *)host, (uint32_t)value, __ATOMIC_RELAXED);
	else if (gpa % size == 0 && size == 2)
		__atomic_store_n((uint16_t *)host, (uint16_t)value, __ATOMIC_RELAXED);
	else
		memcpy(host, &value, size);
}

static uint64_t piece_read(struct vcpu *vcpu, const struct guestmem_piece *piece)
{
	if (piece->host)
		return ram_read(piece->host, piece->gpa, piece->size);
	return device_read(vcpu, piece->gpa, piece->size);
}

static void piece_write(struct vcpu *vcpu, const struct guestmem_piece *piece, uint64_t value)
{
	if (piece->host)
		ram_write(piece->host, piece->gpa, piece->size, value);
	else
		device_write(vcpu, piece->gpa, piece->size, value);
}

uint64_t guestmem_read(struct vcpu *vcpu, const struct guestmem_span *span)
{
	uint64_t value;

	if (span->count == 1)
		return piece_read(vcpu, &span->piece[0]);
	value = piece_read(vcpu, &span->piece[0]);
	return value | piece_read(vcpu, &span->piece[1]) << (8 * span->piece[0].size);
}

void guestmem_write(struct vcpu *vcpu, const struct guestmem_span *span, uint64_t value)
{
	piece_write(vcpu, &span->piece[0], value);
	if (span->count == 2)
		piece_write(vcpu, &span->piece[1], value >> (8 * span->piece[0].size));
}

/*
 * Bytes of the page at RIP + *count, as many as are wanted and it has. Out of line, as
 * find_slowly(), so that the usual way stays short.
 */
static __attribute__((noinline)) enum guestmem fetch_page(struct vcpu *vcpu, uint64_t bytes[2],
							  unsigned *count)
{
	const struct abi_cpu *cpu = &vcpu->page->cpu;
	uint64_t linear = cpu->rip + *count, gpa;
	unsigned here, wanted = 16 - *count;
	enum guestmem result;
	const void *host;

	if (*count == 0)
		bytes[0] = bytes[1] = 0;
	if (!vcpu->is_64bit)
		linear = (cpu->segment[ABI_CS].base + linear) & 0xffffffff;
	result = walk(vcpu, linear, GPAGEWALK_FETCH, &gpa);
	if (result != GUESTMEM_OK)
		return result;
	here = PAGE_SIZE - (unsigned)(gpa % PAGE_SIZE);
	if (here > wanted)
		here = wanted;
	host = ram_at(&vcpu->platform->ram, gpa, here);
	if (!host) {
		vcpu_inject(vcpu, X86_VECTOR_UD);
		return GUESTMEM_FAULT;
	}
	memcpy((uint8_t *)bytes + *count, host, here);
	*count += here;
	return GUESTMEM_OK;
}

enum guestmem guestmem_fetch(struct vcpu *vcpu, uint64_t bytes[2], unsigned *count)
{
	uint64_t rip = vcpu->page->cpu.rip;
	unsigned in_page = (unsigned)rip % PAGE_SIZE;

	if (*count == 0 && vcpu->is_64bit && in_page <= PAGE_SIZE - 16) {
		const struct gpagewalk_done *done =
			gpagewalk_find(&vcpu->walks, GPAGEWALK_FETCHES, rip, vcpu->user);

		if (done && done->host) {
			memcpy(bytes, done->host + in_page, 16);
			*count = 16;
			return GUESTMEM_OK;
		}
	}
	return fetch_page(vcpu, bytes, count);
}
