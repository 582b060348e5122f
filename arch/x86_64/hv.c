/* SPDX-License-Identifier: BSD-2-Clause */
/* VT-x or SVM: picked once, and then one jump away. */
#include "arch/x86_64/hv.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "kernel/panic.h"

const struct hv_ops *hv;

void hv_init(void)
{
	uint32_t leaf1[4], extended[4];
	const char *missing;

	cpuid(1, 0, leaf1);
	cpuid(0x80000001, 0, extended);
	if (leaf1[2] & CPUID_1_ECX_VMX)
		hv = &vmx_ops;
	else if (extended[2] & CPUID_80000001_ECX_SVM)
		hv = &svm_ops;
	else
		panic("this CPU has neither VT-x nor SVM");
	missing = hv->missing();
	if (missing)
		panic(missing);
	hv->cpu_start();
}

const char *arch_hv_name(void)
{
	return hv->name;
}

const struct pt_format *arch_stage2_format(void)
{
	return hv->stage2_format();
}

int arch_vm_init(struct vm *vm)
{
	return hv->vm_init(vm);
}

void arch_vm_exit(struct vm *vm)
{
	hv->vm_exit(vm);
}

void arch_vm_msr_direct(struct vm *vm, uint32_t index, bool read, bool write)
{
	hv->vm_msr_direct(vm, index, read, write);
}

int arch_vcpu_init(struct vcpu *vcpu)
{
	return hv->vcpu_init(vcpu);
}

void arch_vcpu_exit(struct vcpu *vcpu)
{
	hv->vcpu_exit(vcpu);
}

void arch_vcpu_enter(struct vcpu *vcpu, struct vm_exit *exit)
{
	hv->vcpu_enter(vcpu, exit);
}

void arch_vcpu_put(struct vcpu *vcpu)
{
	hv->vcpu_put(vcpu);
}

void arch_vcpu_flush_tlb(struct vcpu *vcpu)
{
	hv->vcpu_flush_tlb(vcpu);
}

uint64_t arch_vcpu_rip(struct vcpu *vcpu)
{
	return hv->vcpu_rip(vcpu);
}

void arch_vcpu_skip(struct vcpu *vcpu, unsigned length)
{
	hv->vcpu_skip(vcpu, length);
}

void arch_vcpu_set_rip(struct vcpu *vcpu, uint64_t rip)
{
	hv->vcpu_set_rip(vcpu, rip);
}

void arch_vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags)
{
	hv->vcpu_set_rflags(vcpu, rflags);
}

void arch_vcpu_get_cpu(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	hv->vcpu_get_cpu(vcpu, cpu);
}

int arch_vcpu_set_cpu(struct vcpu *vcpu, const struct abi_cpu *cpu)
{
	return hv->vcpu_set_cpu(vcpu, cpu);
}

unsigned arch_vcpu_cpl(struct vcpu *vcpu)
{
	return hv->vcpu_cpl(vcpu);
}

bool arch_vcpu_is_long(struct vcpu *vcpu)
{
	return hv->vcpu_is_long(vcpu);
}

uint64_t arch_vcpu_cr(struct vcpu *vcpu, unsigned nr)
{
	return hv->vcpu_cr(vcpu, nr);
}

void arch_vcpu_set_cr(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	hv->vcpu_set_cr(vcpu, nr, value);
}

uint64_t arch_vcpu_dr(struct vcpu *vcpu, unsigned nr)
{
	return hv->vcpu_dr(vcpu, nr);
}

void arch_vcpu_set_dr(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	hv->vcpu_set_dr(vcpu, nr, value);
}

bool arch_vcpu_msr_get(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	return hv->vcpu_msr_get(vcpu, index, value);
}

bool arch_vcpu_msr_set(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	return hv->vcpu_msr_set(vcpu, index, value);
}

void arch_vcpu_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	hv->vcpu_set_tsc_offset(vcpu, offset);
}

void arch_vcpu_inject(struct vcpu *vcpu, const struct vm_event *event)
{
	hv->vcpu_inject(vcpu, event);
}

bool arch_vcpu_can_interrupt(struct vcpu *vcpu)
{
	return hv->vcpu_can_interrupt(vcpu);
}

bool arch_vcpu_can_nmi(struct vcpu *vcpu)
{
	return hv->vcpu_can_nmi(vcpu);
}

void arch_vcpu_want_interrupt(struct vcpu *vcpu, unsigned class)
{
	hv->vcpu_want_interrupt(vcpu, class);
}

void arch_vcpu_want_nmi(struct vcpu *vcpu)
{
	hv->vcpu_want_nmi(vcpu);
}

void arch_vcpu_set_xcr0(struct vcpu *vcpu, uint64_t xcr0)
{
	fpu_set_xcr0(hv->vcpu_fpu(vcpu), xcr0);
}

int arch_vcpu_fpu_get(struct vcpu *vcpu, void *buffer, size_t size)
{
	if (size < arch_fpu_size(arch_xcr0_host()))
		return -ABI_EINVAL;
	fpu_get(hv->vcpu_fpu(vcpu), buffer, size);
	return 0;
}

int arch_vcpu_fpu_set(struct vcpu *vcpu, const void *buffer, size_t size)
{
	return fpu_set(hv->vcpu_fpu(vcpu), buffer, size);
}
