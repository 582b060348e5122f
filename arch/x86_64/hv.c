/* SPDX-License-Identifier: BSD-2-Clause */
/* VT-x or SVM, picked once; and whose registers a core holds. */
#include "arch/x86_64/hv.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "kernel/object.h"
#include "kernel/panic.h"
#include "kernel/system.h"

const struct hv_ops *hv;
const struct arch_guest *arch_guest;
const uint32_t hv_msrs[HV_MSR_COUNT] = BOOT_GUEST_MSRS;

void hv_init(void)
{
	const char *fault;

	hv = boot_info->cpu.is_vmx ? &vmx_ops : &svm_ops;
	arch_guest = &hv->guest;
	fault = hv_cpu_start();
	if (fault)
		panic(fault);
}

const char *hv_cpu_start(void)
{
	struct hv_core *core = &core_this()->hv;
	const char *fault = hv->cpu_start();

	core->tag_generation = core->tag_next = 1;
	core->is_on = !fault;
	return fault;
}

void hv_exit(void)
{
	if (core_this()->hv.is_on)
		hv->cpu_stop();
	core_this()->hv.is_on = false;
}

/* This core forgets the guest. */
static void leave(void *argument)
{
	struct vcpu *vcpu = argument;

	if (core_this()->hv.owner == vcpu)
		hv_unload();
	fpu_save(vcpu->arch->fpu);
	if (hv->vcpu_clear)
		hv->vcpu_clear(vcpu);
	vcpu->arch->core = NULL;
}

int arch_vcpu_init(struct vcpu *vcpu)
{
	struct quota *quota = vcpu->object.quota;
	struct arch_vcpu *arch = kalloc(quota, hv->vcpu_size);

	if (!arch)
		return -ABI_ENOMEM;
	vcpu->arch = arch; /* what is missing below is freed by arch_vcpu_exit */
	arch->block = kalloc(quota, PAGE_SIZE);
	arch->fpu = fpu_area_alloc(quota, XCR0_X87);
	if (!arch->block || !arch->fpu)
		return -ABI_ENOMEM;
	if (hv->vcpu_clear)
		hv->vcpu_clear(vcpu);
	arch_vcpu_load(vcpu);
	hv->vcpu_init(vcpu);
	/* Only now does the block name the stage-2 root: its frame may have been another VM's. */
	arch_guest->flush_tlb(vcpu);
	return 0;
}

void arch_vcpu_exit(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;
	struct quota *quota = vcpu->object.quota;

	if (arch->core)
		cpu_call(&arch->core->cpu, NULL, leave, vcpu);
	if (arch->block)
		kfree(quota, arch->block, PAGE_SIZE);
	fpu_area_free(quota, arch->fpu);
	kfree(quota, arch, hv->vcpu_size);
}

/* ---- what stays in the core ---- */

void hv_unload(void)
{
	struct arch_vcpu *arch;

	if (!core_this()->hv.owner)
		return;
	arch = core_this()->hv.owner->arch;
	core_this()->hv.owner = NULL;
	for (unsigned i = hv->msr_loose; i < HV_MSR_COUNT; i++)
		arch->msr[i] = rdmsr(hv_msrs[i]);
	arch->dr[0] = read_dr0();
	arch->dr[1] = read_dr1();
	arch->dr[2] = read_dr2();
	arch->dr[3] = read_dr3();
	arch->dr6 = read_dr6();
}

void arch_vcpu_load(struct vcpu *vcpu)
{
	struct hv_core *core = &core_this()->hv;
	struct arch_vcpu *arch = vcpu->arch;

	if (core->owner == vcpu)
		return;
	if (arch->core && arch->core != core_this())
		cpu_call(&arch->core->cpu, NULL, leave, vcpu);
	hv_unload();
	core->owner = vcpu;
	for (unsigned i = hv->msr_loose; i < HV_MSR_COUNT; i++)
		wrmsr(hv_msrs[i], arch->msr[i]);
	write_dr0(arch->dr[0]);
	write_dr1(arch->dr[1]);
	write_dr2(arch->dr[2]);
	write_dr3(arch->dr[3]);
	write_dr6(arch->dr6);
	if (arch->core != core_this() || arch->tag_generation != core->tag_generation) {
		if (core->tag_next >= core->tag_end) { /* all used: begin again */
			core->tag_next = 1;
			core->tag_generation++;
		}
		arch->tag_generation = core->tag_generation;
		arch->tag = core->tag_next++;
		arch->is_new = true;
		arch->core = core_this();
	}
	hv->vcpu_load(vcpu);
}
