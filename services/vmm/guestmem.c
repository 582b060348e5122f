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
		      bool is_write, uint64_t *linear)
{
	const struct abi_cpu *cpu = &vcpu->page->cpu;
	bool good;

	if (x86_is_64bit(cpu)) {
		*linear = offset;
		if (segment == ABI_FS || segment == ABI_GS)
			*linear += cpu->segment[segment].base;
		good = is_canonical(cpu, *linear) && is_canonical(cpu, *linear + size - 1);
	} else {
		offset &= 0xffffffff;
		*linear = (cpu->segment[segment].base + offset) & 0xffffffff;
		good = segment_allows(cpu, segment, offset, size, is_write);
	}
	if (!good)
		vcpu_inject_error(vcpu, segment == ABI_SS ? X86_VECTOR_SS : X86_VECTOR_GP, 0);
	return good;
}

static enum guestmem walk(struct vcpu *vcpu, uint64_t linear, uint32_t access, uint64_t *gpa)
{
	uint32_t error;

	if (x86_is_user(&vcpu->page->cpu))
		access |= GPAGEWALK_USER;
	switch (gpagewalk(&vcpu->walks, &vcpu->platform->ram, &vcpu->page->cpu, linear, access, gpa,
			  &error)) {
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

enum guestmem guestmem_find(struct vcpu *vcpu, unsigned segment, uint64_t offset, unsigned size,
			    bool is_write, struct guestmem_span *span)
{
	uint32_t access = is_write ? GPAGEWALK_WRITE : 0;
	uint64_t linear;
	unsigned here;
	enum guestmem result;

	if (!to_linear(vcpu, segment, offset, size, is_write, &linear))
		return GUESTMEM_FAULT;
	here = PAGE_SIZE - (unsigned)(linear % PAGE_SIZE);
	span->count = here < size ? 2 : 1;
	span->piece[0].size = here < size ? here : size;
	result = walk(vcpu, linear, access, &span->piece[0].gpa);
	if (result != GUESTMEM_OK || span->count == 1)
		return result;
	span->piece[1].size = size - here;
	return walk(vcpu, linear + here, access, &span->piece[1].gpa);
}

bool guestmem_has(const struct guestmem_span *span, uint64_t gpa)
{
	return gpa - span->piece[0].gpa < span->piece[0].size ||
	       (span->count == 2 && gpa - span->piece[1].gpa < span->piece[1].size);
}

bool guestmem_is_ram(const struct vcpu *vcpu, const struct guestmem_span *span)
{
	for (unsigned i = 0; i < span->count; i++)
		if (!ram_at(&vcpu->platform->ram, span->piece[i].gpa, span->piece[i].size))
			return false;
	return true;
}

/* SDM vol 3, "Local APIC Register Address Map": 32-bit registers, 16 bytes apart. */
static uint64_t apic_read(struct vcpu *vcpu, uint64_t gpa, unsigned size)
{
	unsigned byte = gpa % 16;
	uint64_t value;

	if (byte + size > 4)
		return size == 8 ? ~0ull : bus_ones(size);
	value = platform_apic_access(vcpu->platform, vcpu->index, gpa & 0xff0, false, 0);
	return value >> (8 * byte);
}

static void apic_write(struct vcpu *vcpu, uint64_t gpa, unsigned size, uint64_t value)
{
	if (gpa % 16 == 0 && size == 4)
		platform_apic_access(vcpu->platform, vcpu->index, gpa & 0xff0, true,
				     (uint32_t)value);
}

/* Aligned accesses of RAM are one access each: another vCPU never sees or gives half of one. */
static uint64_t piece_read(struct vcpu *vcpu, uint64_t gpa, unsigned size)
{
	const void *host = ram_at(&vcpu->platform->ram, gpa, size);
	uint64_t value = 0;

	if (!host)
		return (gpa & ~0xfffull) == APIC_BASE ? apic_read(vcpu, gpa, size)
						      : bus_read(&vcpu->platform->mmio, gpa, size);
	if (gpa % size == 0 && size == 8)
		return __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED);
	if (gpa % size == 0 && size == 4)
		return __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED);
	if (gpa % size == 0 && size == 2)
		return __atomic_load_n((const uint16_t *)host, __ATOMIC_RELAXED);
	memcpy(&value, host, size);
	return value;
}

static void piece_write(struct vcpu *vcpu, uint64_t gpa, unsigned size, uint64_t value)
{
	void *host = ram_at(&vcpu->platform->ram, gpa, size);

	if (!host && (gpa & ~0xfffull) == APIC_BASE)
		apic_write(vcpu, gpa, size, value);
	else if (!host)
		bus_write(&vcpu->platform->mmio, gpa, size, value);
	else if (gpa % size == 0 && size == 8)
		__atomic_store_n((uint64_t *)host, value, __ATOMIC_RELAXED);
	else if (gpa % size == 0 && size == 4)
		__atomic_store_n((uint32_t *)host, (uint32_t)value, __ATOMIC_RELAXED);
	else if (gpa % size == 0 && size == 2)
		__atomic_store_n((uint16_t *)host, (uint16_t)value, __ATOMIC_RELAXED);
	else
		memcpy(host, &value, size);
}

uint64_t guestmem_read(struct vcpu *vcpu, const struct guestmem_span *span)
{
	unsigned size = span->piece[0].size;
	uint64_t value = piece_read(vcpu, span->piece[0].gpa, size) & bus_ones(size);

	if (span->count == 2)
		value |= (piece_read(vcpu, span->piece[1].gpa, span->piece[1].size) &
			  bus_ones(span->piece[1].size))
			 << (8 * size);
	return value;
}

void guestmem_write(struct vcpu *vcpu, const struct guestmem_span *span, uint64_t value)
{
	unsigned size = span->piece[0].size;

	piece_write(vcpu, span->piece[0].gpa, size, value);
	if (span->count == 2)
		piece_write(vcpu, span->piece[1].gpa, span->piece[1].size, value >> (8 * size));
}

enum guestmem guestmem_fetch(struct vcpu *vcpu, uint64_t bytes[2], unsigned *count)
{
	const struct abi_cpu *cpu = &vcpu->page->cpu;
	uint64_t linear = cpu->rip + *count, gpa;
	unsigned here, wanted = 16 - *count;
	enum guestmem result;
	const void *host;

	if (!x86_is_64bit(cpu))
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
	if (here == 16) {
		memcpy(bytes, host, 16);
	} else {
		if (*count == 0)
			bytes[0] = bytes[1] = 0;
		memcpy((uint8_t *)bytes + *count, host, here);
	}
	*count += here;
	return GUESTMEM_OK;
}
