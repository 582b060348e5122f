/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_vm_* and arch_vcpu_* for unit tests: a guest CPU whose registers lie in memory. */
#include "fake_vcpu.h"
#include "kernel/exit.h"

#include "kernel/memory.h"
#include "kernel/process.h"

#include <stdlib.h>
#include <string.h>

#define XSAVE_LEGACY 576u

void (*fake_guest)(struct vcpu *vcpu, struct vm_exit *exit);
void (*fake_cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t out[4]) = fake_cpuid_haswell;
static uint64_t xcr0; /* of the vCPU that ran last */
unsigned fake_nmi_count, fake_vcpu_init_fails;

static const uint32_t msrs[16] = {0xc0000080, 0x174,      0x175,      0x176,      0x277,
				  0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100,
				  0xc0000101, 0xc0000102, 0xc0000103};

/* ---- the machine ---- */

uint64_t arch_tsc(void)
{
	return fake_now_ns * FAKE_TSC_PER_NS;
}

uint64_t arch_tsc_to_ns(uint64_t tsc)
{
	return tsc == UINT64_MAX ? UINT64_MAX : tsc / FAKE_TSC_PER_NS;
}

size_t arch_fpu_size(void)
{
	return xcr0 & 0x80   ? 2688
	       : xcr0 & 0x40 ? 1664
	       : xcr0 & 0x20 ? 1152
	       : xcr0 & 4    ? 832
			     : XSAVE_LEGACY;
}

void arch_nmi_serve(void)
{
	fake_nmi_count++;
}

/* ---- the guest CPU ---- */

void arch_vcpu_load(struct vcpu *vcpu)
{
	(void)vcpu;
}

int arch_vcpu_init(struct vcpu *vcpu)
{
	if (fake_vcpu_init_fails)
		return -ABI_ENOMEM;
	_Static_assert(sizeof(*vcpu->arch) <= PAGE_SIZE, "a page of the kernel holds it");
	vcpu->arch = kalloc(vcpu->object.quota, PAGE_SIZE);
	if (!vcpu->arch)
		return -ABI_ENOMEM;
	vcpu->arch->xcr0 = xcr0 = 1;
	return 0;
}

void arch_vcpu_exit(struct vcpu *vcpu)
{
	kfree(vcpu->object.quota, vcpu->arch, PAGE_SIZE);
	vcpu->arch = NULL;
}

static void fake_enter(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct arch_vcpu *arch = vcpu->arch;

	arch->enter_count++;
	if (arch->injected.is_valid && arch->delivered_count < FAKE_DELIVERED)
		arch->delivered[arch->delivered_count++] = arch->injected;
	arch->injected.is_valid = 0;
	memset(exit, 0, sizeof(*exit));
	fake_guest(vcpu, exit);
	exit_reinject(vcpu, exit);
	if (exit->kind == ABI_EXIT_WINDOW) {
		arch->wants_interrupt = arch->wants_nmi = false;
		arch->window_class = 0;
	}
}

static void end_instruction(struct vcpu *vcpu)
{
	vcpu->arch->has_shadow = false;
}

static void fake_skip(struct vcpu *vcpu, unsigned length)
{
	vcpu->arch->cpu.rip += length;
	vcpu->arch->skip_count++;
	vcpu->arch->skipped += length;
	end_instruction(vcpu);
}

void arch_vcpu_set_rip(struct vcpu *vcpu, uint64_t rip)
{
	vcpu->arch->cpu.rip = rip;
	vcpu->arch->set_rip_count++;
	end_instruction(vcpu);
}

void arch_vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags)
{
	vcpu->arch->cpu.rflags = (vcpu->arch->cpu.rflags & ~0xcd5ull) | (rflags & 0xcd5);
}

void arch_vcpu_get_cpu(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	*cpu = vcpu->arch->cpu;
	cpu->efer = vcpu->arch->msrs[0];
}

void arch_vcpu_get_emulation(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	arch_vcpu_get_cpu(vcpu, cpu);
}

int arch_vcpu_set_cpu(struct vcpu *vcpu, const struct abi_cpu *cpu)
{
	if (cpu->cr0 >> 32)
		return -ABI_EINVAL;
	vcpu->arch->cpu = *cpu;
	vcpu->arch->msrs[0] = cpu->efer;
	return 0;
}

unsigned arch_vcpu_cpl(struct vcpu *vcpu)
{
	return vcpu->arch->cpl;
}

bool arch_vcpu_is_long(struct vcpu *vcpu)
{
	return !vcpu->arch->is_32bit;
}

bool arch_vcpu_has_xsave_on(struct vcpu *vcpu)
{
	return vcpu->arch->cpu.cr4 >> 18 & 1;
}

static void fake_set_cr2(struct vcpu *vcpu, uint64_t value)
{
	vcpu->arch->cpu.cr2 = value;
}

static uint64_t *msr(struct vcpu *vcpu, uint32_t index)
{
	for (unsigned i = 0; i < ARRAY_COUNT(msrs); i++)
		if (msrs[i] && msrs[i] == index)
			return &vcpu->arch->msrs[i];
	return NULL;
}

bool arch_vcpu_msr_get(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	const uint64_t *slot = msr(vcpu, index);

	if (slot)
		*value = *slot;
	return slot;
}

bool arch_vcpu_msr_set(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	uint64_t *slot = msr(vcpu, index);

	if (!slot || (index == msrs[0] && value & ~FAKE_EFER_BITS))
		return false;
	*slot = value;
	return true;
}

void arch_vcpu_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	vcpu->arch->tsc_offset = offset;
}

void arch_vcpu_set_xcr0(struct vcpu *vcpu, uint64_t value)
{
	vcpu->arch->xcr0 = xcr0 = value;
}

void arch_vcpu_get_hidden(struct vcpu *vcpu, struct abi_hidden *hidden)
{
	const struct arch_vcpu *arch = vcpu->arch;

	memcpy(hidden->dr, arch->dr, sizeof(hidden->dr));
	hidden->xcr0 = arch->xcr0;
	hidden->blocks =
		(arch->has_shadow ? ABI_BLOCK_STI : 0) | (arch->is_nmi_blocked ? ABI_BLOCK_NMI : 0);
}

int arch_vcpu_set_hidden(struct vcpu *vcpu, const struct abi_hidden *hidden)
{
	struct arch_vcpu *arch = vcpu->arch;

	if (hidden->blocks & ABI_BLOCK_STI && !(arch->cpu.rflags & 0x200))
		return -ABI_EINVAL;
	memcpy(arch->dr, hidden->dr, sizeof(hidden->dr));
	arch->xcr0 = xcr0 = hidden->xcr0;
	arch->has_shadow = hidden->blocks & (ABI_BLOCK_STI | ABI_BLOCK_MOV_SS);
	arch->is_nmi_blocked = hidden->blocks & ABI_BLOCK_NMI;
	return 0;
}

int arch_vcpu_fpu_get(struct vcpu *vcpu, void *buffer, size_t size)
{
	(void)vcpu;
	memset(buffer, 0x55, size);
	return 0;
}

int arch_vcpu_fpu_set(struct vcpu *vcpu, const void *buffer, size_t size)
{
	(void)vcpu, (void)buffer;
	return size == XSAVE_LEGACY ? 0 : -ABI_EINVAL;
}

void arch_vcpu_inject(struct vcpu *vcpu, const struct abi_event *event)
{
	if (vcpu->arch->injected.is_valid)
		abort(); /* one at most goes in */
	vcpu->arch->injected = *event;
}

static bool fake_can_interrupt(struct vcpu *vcpu)
{
	const struct arch_vcpu *arch = vcpu->arch;

	return !arch->injected.is_valid && arch->cpu.rflags & 0x200 && !arch->has_shadow;
}

static bool fake_sync_apic(struct vcpu *vcpu)
{
	return vcpu->arch->has_apicv;
}

static bool fake_interrupt(struct vcpu *vcpu, uint8_t vector)
{
	if (!fake_can_interrupt(vcpu))
		return false;
	vcpu->arch->injected =
		(struct abi_event){.is_valid = 1, .type = VM_EVENT_INTERRUPT, .vector = vector};
	return true;
}

static bool fake_can_nmi(struct vcpu *vcpu)
{
	const struct arch_vcpu *arch = vcpu->arch;

	return !arch->injected.is_valid && !arch->is_nmi_blocked && !arch->has_shadow;
}

static void fake_want_interrupt(struct vcpu *vcpu, unsigned class)
{
	vcpu->arch->wants_interrupt = true;
	vcpu->arch->window_class = class;
}

static void fake_want_nmi(struct vcpu *vcpu)
{
	vcpu->arch->wants_nmi = true;
}

static void fake_flush_tlb(struct vcpu *vcpu)
{
	vcpu->arch->flush_count++;
}

static const struct arch_guest guest = {.name = "fake",
					.stage2 = &fake_ept_format,
					.enter = fake_enter,
					.skip = fake_skip,
					.set_cr2 = fake_set_cr2,
					.can_interrupt = fake_can_interrupt,
					.interrupt = fake_interrupt,
					.can_nmi = fake_can_nmi,
					.want_interrupt = fake_want_interrupt,
					.want_nmi = fake_want_nmi,
					.sync_apic = fake_sync_apic,
					.flush_tlb = fake_flush_tlb};
const struct arch_guest *arch_guest = &guest;

/* ---- start ---- */

struct vcpu *fake_vcpu_start(uint64_t size)
{
	static bool is_started;
	struct memory *ram;
	struct vcpu *vcpu;
	struct vm *vm;

	if (!is_started)
		fake_start();
	is_started = true;
	if (vm_create(process_current(), 1, 0, &vm) != 0 || vcpu_create(vm, 0, &vcpu) != 0)
		abort();
	if (size == 0)
		return vcpu;
	if (memory_create(process_current()->quota, size, 0, &ram) != 0 ||
	    space_map(&vm->stage2, 0, ram, 0, size,
		      ABI_PROT_READ | ABI_PROT_WRITE | ABI_PROT_EXEC) != 0)
		abort();
	return vcpu;
}

void fake_ram_read(struct vm *vm, uint64_t gpa, void *to, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!fake_access(&vm->stage2, gpa + i, PT_READ, (uint8_t *)to + i))
			abort();
}

/* ---- CPUs as Bochs' models of them answer ---- */

struct answer {
	uint32_t leaf, subleaf, out[4];
};

static void look_up(const struct answer *answers, size_t count, uint32_t leaf, uint32_t subleaf,
		    uint32_t out[4])
{
	memset(out, 0, 4 * sizeof(*out));
	for (size_t i = 0; i < count; i++)
		if (answers[i].leaf == leaf &&
		    (answers[i].subleaf == subleaf || answers[i].subleaf == UINT32_MAX))
			memcpy(out, answers[i].out, sizeof(answers[i].out));
}

void fake_cpuid_haswell(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	static const struct answer answers[] = {
		{0x0, UINT32_MAX, {0xd, 0x756e6547, 0x6c65746e, 0x49656e69}},
		{0x1, UINT32_MAX, {0x000306c3, 0x00100800, 0x7ffafbff, 0xbfebfbff}},
		{0x2, UINT32_MAX, {0x76036301, 0x00f0b5ff, 0x00000000, 0x00c10000}},
		{0x4, 0, {0x1c004121, 0x01c0003f, 0x0000003f, 0x00000000}},
		{0x4, 1, {0x1c004122, 0x01c0003f, 0x0000003f, 0x00000000}},
		{0x4, 2, {0x1c004143, 0x01c0003f, 0x000001ff, 0x00000000}},
		{0x4, 3, {0x1c03c163, 0x03c0003f, 0x00001fff, 0x00000006}},
		{0x5, UINT32_MAX, {0x00000040, 0x00000040, 0x00000003, 0x00042120}},
		{0x6, UINT32_MAX, {0x00000077, 0x00000002, 0x00000009, 0x00000000}},
		{0x7, 0, {0x00000000, 0x00002fbb, 0x00000000, 0x00000000}},
		{0xa, UINT32_MAX, {0x07300403, 0x00000000, 0x00000000, 0x00000603}},
		{0xb, 0, {0x00000001, 0x00000002, 0x00000100, 0x00000003}},
		{0xb, 1, {0x00000004, 0x00000008, 0x00000201, 0x00000003}},
		{0xd, 0, {0x00000007, 0x00000340, 0x00000340, 0x00000000}},
		{0xd, 1, {0x00000001, 0x00000000, 0x00000000, 0x00000000}},
		{0xd, 2, {0x00000100, 0x00000240, 0x00000000, 0x00000000}},
		{0x80000000, UINT32_MAX, {0x80000008, 0x00000000, 0x00000000, 0x00000000}},
		{0x80000001, UINT32_MAX, {0x00000000, 0x00000000, 0x00000021, 0x2c100800}},
		{0x80000002, UINT32_MAX, {0x65746e49, 0x2952286c, 0x726f4320, 0x4d542865}},
		{0x80000003, UINT32_MAX, {0x37692029, 0x3737342d, 0x50432030, 0x20402055}},
		{0x80000004, UINT32_MAX, {0x30342e33, 0x007a4847, 0x00000000, 0x00000000}},
		{0x80000006, UINT32_MAX, {0x00000000, 0x00000000, 0x01006040, 0x00000000}},
		{0x80000007, UINT32_MAX, {0x00000000, 0x00000000, 0x00000000, 0x00000100}},
		{0x80000008, UINT32_MAX, {0x00003027, 0x00000000, 0x00000000, 0x00000000}},
	};

	if (leaf > 0xd && (leaf < 0x80000000 || leaf > 0x80000008)) /* as on every Intel CPU */
		leaf = 0xd;
	look_up(answers, ARRAY_COUNT(answers), leaf, subleaf, out);
}

void fake_cpuid_ryzen(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	static const struct answer answers[] = {
		{0x0, UINT32_MAX, {0xd, 0x68747541, 0x444d4163, 0x69746e65}},
		{0x1, UINT32_MAX, {0x00800f11, 0x00100800, 0x7ed8320b, 0x178bfbff}},
		{0x5, UINT32_MAX, {0x00000040, 0x00000040, 0x00000003, 0x00000000}},
		{0x6, UINT32_MAX, {0x00000004, 0x00000000, 0x00000001, 0x00000000}},
		{0x7, 0, {0x00000000, 0x209c01a9, 0x00000000, 0x00000000}},
		{0xd, 0, {0x00000007, 0x00000340, 0x00000340, 0x00000000}},
		{0xd, 1, {0x0000000f, 0x00000340, 0x00000000, 0x00000000}},
		{0xd, 2, {0x00000100, 0x00000240, 0x00000000, 0x00000000}},
		{0x80000000, UINT32_MAX, {0x8000001f, 0x68747541, 0x444d4163, 0x69746e65}},
		{0x80000001, UINT32_MAX, {0x00800f11, 0x20000000, 0x35c233ff, 0x2fd3fbff}},
		{0x80000002, UINT32_MAX, {0x20444d41, 0x657a7952, 0x2037206e, 0x30303731}},
		{0x80000003, UINT32_MAX, {0x67694520, 0x432d7468, 0x2065726f, 0x636f7250}},
		{0x80000004, UINT32_MAX, {0x6f737365, 0x20202072, 0x20202020, 0x00202020}},
		{0x80000005, UINT32_MAX, {0xff40ff40, 0xff40ff40, 0x20080140, 0x40040140}},
		{0x80000006, UINT32_MAX, {0x26006400, 0x66006400, 0x02006140, 0x00808140}},
		{0x80000007, UINT32_MAX, {0x00000000, 0x0000001b, 0x00000000, 0x00006599}},
		{0x80000008, UINT32_MAX, {0x00003030, 0x00000007, 0x0000400f, 0x00000000}},
		{0x8000000a, UINT32_MAX, {0x00000001, 0x00008000, 0x00000000, 0x0001bcff}},
		{0x80000019, UINT32_MAX, {0xf040f040, 0x00000000, 0x00000000, 0x00000000}},
		{0x8000001a, UINT32_MAX, {0x00000003, 0x00000000, 0x00000000, 0x00000000}},
		{0x8000001b, UINT32_MAX, {0x000003ff, 0x00000000, 0x00000000, 0x00000000}},
		{0x8000001d, 0, {0x00004121, 0x01c0003f, 0x0000003f, 0x00000000}},
		{0x8000001e, UINT32_MAX, {0x00000000, 0x00000100, 0x00000000, 0x00000000}},
		{0x8000001f, UINT32_MAX, {0x00000007, 0x0000016f, 0x0000000f, 0x00000000}},
	};

	look_up(answers, ARRAY_COUNT(answers), leaf, subleaf, out);
}
