/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's VMCB: setting it up, and the guest's CPU state in it. */
#include "arch/x86_64/guest_state.h"
#include "arch/x86_64/svm/svm.h"
#include "kernel/cpuid.h"
#include "kernel/object.h"

/* #DB, #AC: their delivery can fault for ever (CVE-2015-8104, CVE-2015-5307); #MC is the host's. */
#define EXCEPTIONS (1u << 1 | 1u << 17 | 1u << 18)

#define PAT_RESET   0x0007040600070406ull
#define PAUSE_LIMIT 3000u /* PAUSEs between two exits */

/* Every port exits: one map serves all VMs. */
static uint8_t iopm[3 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static hpa_t iopm_hpa;

static void intercept(struct vmcb *vmcb, unsigned code)
{
	vmcb->intercept[(code - SVM_INTR) / 32] |= 1u << (code - SVM_INTR) % 32;
}

static void write_controls(struct vcpu *vcpu)
{
	static const uint8_t codes[] = {
		SVM_INTR,   SVM_NMI,     SVM_INIT,    SVM_RDPMC,  SVM_CPUID,  SVM_RSM,
		SVM_INVD,   SVM_HLT,     SVM_INVLPGA, SVM_IOIO,   SVM_MSR,    SVM_SHUTDOWN,
		SVM_VMRUN,  SVM_VMMCALL, SVM_VMLOAD,  SVM_VMSAVE, SVM_STGI,   SVM_CLGI,
		SVM_SKINIT, SVM_WBINVD,  SVM_MONITOR, SVM_MWAIT,  SVM_XSETBV, SVM_RDPRU,
	};
	struct vmcb *vmcb = vcpu->arch->vmcb;

	for (unsigned i = 0; i < ARRAY_COUNT(codes); i++)
		intercept(vmcb, codes[i]);
	if (svm_caps.has_pause_filter) {
		intercept(vmcb, SVM_PAUSE);
		vmcb->pause_filter_count = PAUSE_LIMIT;
	} else if (vcpu->vm->vcpu_count > 1) {
		intercept(vmcb, SVM_PAUSE);
	}
	vmcb->intercept_exceptions = EXCEPTIONS;
	vmcb->iopm = iopm_hpa.value;
	vmcb->msrpm = vcpu->vm->arch->msrpm_hpa.value;
	vmcb->vintr = VINTR_MASKING | VINTR_IGNORE_TPR;
	vmcb->nested = 1;
	vmcb->nested_cr3 = vcpu->vm->stage2.table.root.value;
	vmcb->pat = PAT_RESET;
}

int svm_vcpu_init(struct vcpu *vcpu)
{
	struct quota *quota = vcpu->object.quota;
	struct arch_vcpu *arch = kalloc(quota, sizeof(*arch));

	if (!arch)
		return -ABI_ENOMEM;
	vcpu->arch = arch; /* what is missing below is freed by svm_vcpu_exit */
	arch->vmcb = kpage_alloc_charged(quota);
	arch->fpu = fpu_area_alloc(quota, XCR0_X87);
	if (!iopm_hpa.value)
		iopm_hpa = svm_map_init(iopm, sizeof(iopm));
	if (!arch->vmcb || !arch->fpu)
		return -ABI_ENOMEM;
	arch->entry.gpr = vcpu->page->gpr;
	arch->entry.vmcb = kpage_hpa(arch->vmcb).value;
	write_controls(vcpu);
	return 0;
}

void svm_vcpu_exit(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;
	struct quota *quota = vcpu->object.quota;

	if (svm_core()->owner == vcpu)
		svm_core()->owner = NULL;
	if (arch->vmcb)
		kpage_free_charged(quota, arch->vmcb);
	fpu_area_free(quota, arch->fpu);
	kfree(quota, arch, sizeof(*arch));
	vcpu->arch = NULL;
}

/* A fresh ASID at the next entry: nothing is cached under it. */
void svm_vcpu_flush_tlb(struct vcpu *vcpu)
{
	vcpu->arch->asid_generation = 0;
}

uint64_t svm_vcpu_cr(struct vcpu *vcpu, unsigned nr)
{
	const struct vmcb *vmcb = vcpu->arch->vmcb;

	switch (nr) {
	case 0:
		return vmcb->cr0;
	case 2:
		return vmcb->cr2;
	case 3:
		return vmcb->cr3;
	default:
		return vmcb->cr4;
	}
}

void svm_vcpu_set_cr(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;

	switch (nr) {
	case 0:
		vmcb->cr0 = value | CR0_ET;
		break;
	case 2:
		vmcb->cr2 = value;
		vmcb->clean &= ~CLEAN_CR2;
		return;
	case 3:
		vmcb->cr3 = value;
		break;
	default:
		vmcb->cr4 = value;
	}
	svm_mode_changed(vcpu);
}

/* What the CPU itself does at MOV to CR0 and the like. */
void svm_mode_changed(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;

	vmcb->efer = (vmcb->efer & ~EFER_LMA) | EFER_SVME;
	if (vmcb->efer & EFER_LME && vmcb->cr0 & CR0_PG)
		vmcb->efer |= EFER_LMA;
	vmcb->clean &= ~CLEAN_CR;
	svm_vcpu_flush_tlb(vcpu);
}

static struct vmcb_segment *segment(struct vmcb *vmcb, unsigned i)
{
	return i <= ABI_GS ? &vmcb->segment[i] : i == ABI_TR ? &vmcb->tr : &vmcb->ldtr;
}

void svm_vcpu_get_cpu(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;

	cpu->rip = vmcb->rip;
	cpu->rflags = vmcb->rflags;
	cpu->cr0 = vmcb->cr0;
	cpu->cr2 = vmcb->cr2;
	cpu->cr3 = vmcb->cr3;
	cpu->cr4 = vmcb->cr4;
	cpu->efer = vmcb->efer & ~EFER_SVME;
	cpu->dr6 = vmcb->dr6;
	cpu->dr7 = vmcb->dr7;
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++) {
		const struct vmcb_segment *s = segment(vmcb, i);

		cpu->segment[i] = (struct abi_segment_state){.base = s->base,
							     .limit = s->limit,
							     .selector = s->selector,
							     .attributes = s->attributes & 0xfff};
	}
	/* VT-x keeps CPL in SS.DPL, and so does the state; here the two may differ. */
	cpu->segment[ABI_SS].attributes =
		(uint16_t)((cpu->segment[ABI_SS].attributes & ~0x60u) | (unsigned)vmcb->cpl << 5);
	cpu->gdtr.base = vmcb->gdtr.base;
	cpu->gdtr.limit = vmcb->gdtr.limit;
	cpu->gdtr.reserved = 0;
	cpu->idtr.base = vmcb->idtr.base;
	cpu->idtr.limit = vmcb->idtr.limit;
	cpu->idtr.reserved = 0;
}

/* A VMCB is memory: there is nothing to save by reading less. */
void svm_vcpu_get_emulation(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	svm_vcpu_get_cpu(vcpu, cpu);
}

int svm_vcpu_set_cpu(struct vcpu *vcpu, const struct abi_cpu *cpu)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;

	if (!guest_state_is_valid(cpu, cpuid_cr4_allowed()))
		return -ABI_EINVAL;
	vmcb->rip = cpu->rip;
	vmcb->rflags = cpu->rflags;
	vmcb->cr0 = cpu->cr0 | CR0_ET;
	vmcb->cr2 = cpu->cr2;
	vmcb->cr3 = cpu->cr3;
	vmcb->cr4 = cpu->cr4;
	vmcb->efer = cpu->efer | EFER_SVME;
	svm_vcpu_set_dr(vcpu, 6, cpu->dr6);
	svm_vcpu_set_dr(vcpu, 7, cpu->dr7);
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++) {
		const struct abi_segment_state *s = &cpu->segment[i];

		*segment(vmcb, i) = (struct vmcb_segment){.selector = s->selector,
							  .attributes = s->attributes,
							  .limit = s->limit,
							  .base = s->base};
	}
	vmcb->cpl = cpu->segment[ABI_SS].attributes >> 5 & 3;
	vmcb->gdtr.base = cpu->gdtr.base;
	vmcb->gdtr.limit = cpu->gdtr.limit;
	vmcb->idtr.base = cpu->idtr.base;
	vmcb->idtr.limit = cpu->idtr.limit;
	vmcb->shadow = 0;
	vmcb->clean = 0;
	svm_vcpu_flush_tlb(vcpu);
	return 0;
}

unsigned svm_vcpu_cpl(struct vcpu *vcpu)
{
	return vcpu->arch->vmcb->cpl;
}

bool svm_vcpu_is_long(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->arch->vmcb;

	return vmcb->efer & EFER_LMA && vmcb->segment[ABI_CS].attributes >> 9 & 1;
}
