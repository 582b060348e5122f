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

#define X(result, name, parameters, arguments)                                                     \
	result arch_##name parameters                                                              \
	{                                                                                          \
		return hv->name arguments;                                                         \
	}
HV_FORWARDED(X)
#undef X

void arch_vcpu_set_xcr0(struct vcpu *vcpu, uint64_t xcr0)
{
	fpu_set_xcr0(hv->vcpu_fpu(vcpu), xcr0);
}

/* The guest's state stays loaded while ring 0 handles its exit. */
uint64_t arch_vcpu_xcr0(struct vcpu *vcpu)
{
	(void)vcpu;
	return xgetbv(0);
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
