/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's VMCB: setting it up, the guest's registers in it, events; and the table for hv.c. */
#include "arch/x86_64/svm/svm.h"
#include "kernel/frames.h"
#include "kernel/system.h"

#define DR6_CAUSES (DR6_BS | 0xa00fu) /* B0 to B3, BD, BS, BT */

#define PAUSE_LIMIT 3000u /* PAUSEs between two exits */

static void svm_intercept(struct vmcb *vmcb, unsigned code, bool is_on)
{
	uint32_t *word = &vmcb->intercept[(code - SVM_INTR) / 32];
	uint32_t bit = 1u << code % 32;

	*word = is_on ? *word | bit : *word & ~bit;
	vmcb->clean = 0;
}

static void svm_vcpu_init(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct vmcb *vmcb = svm->arch.block;

	svm->entry.gpr = vcpu->page->gpr;
	svm->entry.vmcb = kpage_hpa(vmcb).value;
	for (unsigned code = SVM_INTR; code < SVM_CODE_COUNT; code++)
		if (svm_codes[code].kind && !svm_codes[code].is_sometimes)
			svm_intercept(vmcb, code, true);
	svm_intercept(vmcb, SVM_PAUSE, svm_caps.has_pause_filter);
	vmcb->pause_filter_count = PAUSE_LIMIT;
	if (svm_caps.is_tcg)
		vmcb->intercept_dr = INTERCEPT_DR7_WRITE;
	vmcb->intercept_exceptions = HV_EXCEPTIONS;
	vmcb->iopm = boot_info->cpu.io_maps;
	vmcb->msrpm = boot_info->cpu.msr_maps;
	vmcb->vintr = VINTR_MASKING | VINTR_IGNORE_TPR;
	vmcb->nested = 1;
	vmcb->nested_cr3 = vcpu->vm->stage2.table.root.value;
	vmcb->pat = PAT_RESET;
}

static void svm_vcpu_load(struct vcpu *vcpu)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);

	if (!vcpu->arch->is_new)
		return;
	vcpu->arch->is_new = false;
	svm_vcpu(vcpu)->entry.host = core_this()->hv.host;
	vmcb->asid = vcpu->arch->tag;
	/* Another guest may have had it: flushed where it is used, as only a VMRUN can. */
	vmcb->tlb_control = svm_caps.flush;
	vmcb->clean = 0;
}

/* ---- registers ---- */

#define AT(field) offsetof(struct vmcb, field)

static uint64_t *field(struct vcpu *vcpu, uint16_t where)
{
	return (uint64_t *)((char *)svm_vmcb(vcpu) + where);
}

/* SVME: VMRUN demands it, and the guest does not have it. */
static uint64_t svm_read(struct vcpu *vcpu, uint16_t where)
{
	return *field(vcpu, where) & ~(where == AT(efer) ? EFER_SVME : 0);
}

static void svm_write(struct vcpu *vcpu, uint16_t where, uint64_t value)
{
	*field(vcpu, where) = value | (where == AT(efer) ? EFER_SVME : 0);
	svm_vmcb(vcpu)->clean = 0;
}

static void svm_vcpu_flush_tlb(struct vcpu *vcpu)
{
	svm_vmcb(vcpu)->tlb_control = svm_caps.flush;
}

static void svm_mode_changed(struct vcpu *vcpu, UNUSED bool is_long)
{
	svm_vcpu_flush_tlb(vcpu);
}

static struct abi_segment_state *segment(struct vmcb *vmcb, unsigned i)
{
	static const uint16_t system[] = {AT(ldtr), AT(tr), AT(gdtr), AT(idtr)};

	return i <= ABI_GS ? &vmcb->segment[i]
			   : (struct abi_segment_state *)((char *)vmcb + system[i - ABI_LDTR]);
}

/* VT-x keeps CPL in SS.DPL, and so does the neutral state; here the two may differ. */
static unsigned svm_attributes(struct vcpu *vcpu, unsigned i)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);
	unsigned attributes = segment(vmcb, i)->attributes & 0xfff;

	return i == ABI_SS ? (attributes & ~0x60u) | (unsigned)vmcb->cpl << 5 : attributes;
}

static void svm_get(struct vcpu *vcpu, struct abi_cpu *cpu, unsigned segments)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);

	cpu->rip = vmcb->rip;
	cpu->rflags = vmcb->rflags;
	if (svm_vcpu(vcpu)->is_stepping && !svm_vcpu(vcpu)->had_tf)
		cpu->rflags &= ~RFLAGS_TF; /* ours */
	cpu->cr0 = vmcb->cr0;
	cpu->cr2 = vmcb->cr2;
	cpu->cr3 = vmcb->cr3;
	cpu->cr4 = vmcb->cr4;
	cpu->efer = vmcb->efer & ~EFER_SVME;
	for (unsigned i = 0; i < segments; i++) {
		cpu->segment[i] = *segment(vmcb, i);
		cpu->segment[i].attributes &= 0xfff;
		if (i >= ABI_GDTR)
			cpu->segment[i].selector = cpu->segment[i].attributes = 0;
	}
	cpu->segment[ABI_SS].attributes = (uint16_t)svm_attributes(vcpu, ABI_SS);
}

static void svm_set_cr2(struct vcpu *vcpu, uint64_t value)
{
	svm_write(vcpu, AT(cr2), value);
}

static void svm_set(struct vcpu *vcpu, const struct abi_cpu *cpu)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);

	vmcb->rip = cpu->rip;
	vmcb->rflags = cpu->rflags;
	vmcb->cr0 = cpu->cr0 | CR0_ET;
	vmcb->cr2 = cpu->cr2;
	vmcb->cr3 = cpu->cr3;
	vmcb->cr4 = cpu->cr4;
	vmcb->efer = cpu->efer | EFER_SVME;
	vmcb->shadow = 0;
	vmcb->clean = 0;
	svm_vcpu(vcpu)->is_stepping = false;
	if (svm_caps.is_tcg)
		vmcb->dr7 = DR7_FIXED;
	for (unsigned i = 0; i < ABI_DESCRIPTOR_COUNT; i++) {
		*segment(vmcb, i) = cpu->segment[i];
		segment(vmcb, i)->attributes &= 0xfff;
	}
	vmcb->cpl = cpu->segment[ABI_SS].attributes >> 5 & 3;
}

/* ---- events ---- */

/* Lets the guest run one instruction: the #DB after it is ours, and looks again at what waits. */
static void step_start(struct svm_vcpu *svm)
{
	struct vmcb *vmcb = svm->arch.block;

	svm->is_stepping = true;
	svm->had_tf = vmcb->rflags & RFLAGS_TF;
	vmcb->rflags |= RFLAGS_TF;
}

/* true: the guest does not step itself, and must not see the #DB. */
static bool step_end(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	if (!svm->is_stepping)
		return false;
	svm->is_stepping = false;
	vcpu->needs_look = true;
	if (svm->had_tf)
		return false;
	svm_vmcb(vcpu)->rflags &= ~RFLAGS_TF;
	return true;
}

static __attribute__((noinline)) void end_step(struct vcpu *vcpu)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);

	if (step_end(vcpu))
		return;
	vmcb->dr6 |= DR6_BS;
	vmcb->clean = 0;
	vmcb->event = EVENT_VALID | VM_EVENT_EXCEPTION << 8 | VECTOR_DEBUG;
}

static inline void end_instruction(struct vcpu *vcpu, struct vmcb *vmcb)
{
	vmcb->shadow = 0;
	if (__builtin_expect(vmcb->rflags & RFLAGS_TF, 0))
		end_step(vcpu);
}

static void svm_end_instruction(struct vcpu *vcpu)
{
	end_instruction(vcpu, svm_vmcb(vcpu));
}

static void svm_vcpu_skip(struct vcpu *vcpu, unsigned length)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);
	uint64_t next = vmcb->rip + length;

	if (__builtin_expect((vmcb->rip ^ next) >> 32, 0)) { /* has RIP so many bits? */
		arch_vcpu_set_rip(vcpu, next);
		return;
	}
	vmcb->rip = next;
	end_instruction(vcpu, vmcb);
}

static void window_close(struct vmcb *vmcb)
{
	vmcb->vintr &= ~VINTR_IRQ;
	vmcb->intercept_cr &= ~INTERCEPT_CR8_WRITE;
	svm_intercept(vmcb, SVM_VINTR, false);
}

static void mask_nmis(struct vcpu *vcpu, bool is_masked)
{
	svm_vcpu(vcpu)->is_nmi_masked = is_masked;
	svm_intercept(svm_vmcb(vcpu), SVM_IRET, is_masked);
}

static bool are_nmis_masked(const struct svm_vcpu *svm)
{
	const struct vmcb *vmcb = svm->arch.block;

	return svm->is_nmi_masked || vmcb->rip == svm->iret_rip;
}

/* Between two exits an event in the block is the trap that end_step() put there. */
static uint32_t svm_get_blocks(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = svm_vmcb(vcpu);
	uint32_t shadow = vmcb->rflags & RFLAGS_IF ? ABI_BLOCK_STI : ABI_BLOCK_MOV_SS;

	return (vmcb->shadow & 1 ? shadow : 0) |
	       (are_nmis_masked(svm_vcpu(vcpu)) ? ABI_BLOCK_NMI : 0) |
	       (vmcb->event & EVENT_VALID ? ABI_BLOCK_STEP : 0);
}

static void svm_set_blocks(struct vcpu *vcpu, uint32_t blocks)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);

	vmcb->shadow = !!(blocks & (ABI_BLOCK_STI | ABI_BLOCK_MOV_SS));
	mask_nmis(vcpu, blocks & ABI_BLOCK_NMI);
	vmcb->event = 0;
	if (blocks & ABI_BLOCK_STEP)
		end_step(vcpu);
}

/*
 * APM vol 2, "Event Injection". QEMU keeps the vector of an interrupt that EVENTINJ delivered, and
 * delivers it again if it is kicked before the next exit, as it is by its other CPUs. A virtual
 * interrupt that is not intercepted does the same there without that.
 */
static void put(struct vmcb *vmcb, uint32_t info)
{
	if (!svm_caps.is_tcg || EVENT_TYPE(info) != VM_EVENT_INTERRUPT) {
		vmcb->event = info;
		return;
	}
	window_close(vmcb);
	vmcb->vintr |= VINTR_IRQ;
	vmcb->vintr_vector = info & 0xff;
}

static void svm_inject(struct vcpu *vcpu, const struct abi_event *event, uint32_t info)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);

	put(vmcb, info);
	core_trace(ABI_TRACE_INJECT | event->vector);
	vmcb->event_error = event->error & 0xffff;
	if (event->type == VM_EVENT_NMI) /* no other goes in before the IRET of this one */
		mask_nmis(vcpu, true);
}

static inline bool can_take(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = svm_vmcb(vcpu);

	return !svm_vcpu(vcpu)->is_stepping && !(vmcb->shadow & 1) &&
	       !(vmcb->event & EVENT_VALID) && !svm_is_taking(vmcb);
}

static bool svm_can_nmi(struct vcpu *vcpu)
{
	return can_take(vcpu) && !are_nmis_masked(svm_vcpu(vcpu));
}

static bool svm_can_interrupt(struct vcpu *vcpu)
{
	return svm_vmcb(vcpu)->rflags & RFLAGS_IF && can_take(vcpu);
}

static bool svm_interrupt(struct vcpu *vcpu, uint8_t vector)
{
	if (!svm_can_interrupt(vcpu))
		return false;
	put(svm_vmcb(vcpu), EVENT_VALID | VM_EVENT_INTERRUPT << 8 | vector);
	core_trace(ABI_TRACE_INJECT | vector);
	return true;
}

/*
 * A virtual interrupt that is intercepted: the exit comes when the guest would take it. V_TPR alone
 * should hold it back, but Bochs 3.0 does not look at V_IRQ again when the guest writes CR8, and
 * QEMU 7.2 ends itself. So while an interrupt waits that write exits, and is stepped over.
 */
static void svm_vcpu_want_interrupt(struct vcpu *vcpu, unsigned class)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct vmcb *vmcb = svm->arch.block;

	if (svm->is_stepping)
		return; /* which ends with an exit that looks again */
	if (svm_caps.is_tcg && vmcb->shadow & 1) {
		step_start(svm);
		return;
	}
	if (svm_is_taking(vmcb)) /* its V_IRQ is needed; the exit here comes soon */
		vmcb->event = EVENT_VALID | VM_EVENT_INTERRUPT << 8 | vmcb->vintr_vector;
	vmcb->intercept_cr |= INTERCEPT_CR8_WRITE;
	svm_intercept(vmcb, SVM_VINTR, true);
	if (class == 0 || vcpu->lapic.page[0x80] >> 4 < class)
		vmcb->vintr |= VINTR_IRQ;
}

/* The exit at the IRET of the last one is set already; the IRET has run at the next exit. */
static void svm_vcpu_want_nmi(struct vcpu *vcpu)
{
	vcpu->needs_look = true;
}

void svm_window_settle(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct vmcb *vmcb = svm->arch.block;

	window_close(vmcb);
	if (vmcb->exit_code == SVM_CR8_WRITE)
		step_start(svm);
	if (vmcb->exit_code == SVM_IRET) { /* it runs first */
		mask_nmis(vcpu, false);
		svm->iret_rip = vmcb->rip;
	}
}

/* Bochs exits before it writes DR6: what the cause must have been. */
static uint64_t guess_cause(const struct vmcb *vmcb)
{
	uint64_t cause = 0;

	if (vmcb->rflags & RFLAGS_TF)
		return DR6_BS;
	for (unsigned i = 0; i < 4; i++)
		if (vmcb->dr7 >> 2 * i & 3)
			cause |= 1u << i;
	return cause;
}

void svm_debug_settle(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);

	vmcb->clean = 0;
	if (!(vmcb->dr6 & DR6_CAUSES))
		vmcb->dr6 |= guess_cause(vmcb);
	if (step_end(vcpu)) {
		vmcb->dr6 &= ~DR6_BS;
		exit->kind = ABI_EXIT_WINDOW;
	}
}

const struct hv_ops svm_ops = {
	.guest = {.name = "svm",
		  .stage2 = &svm_npt_format,
		  .enter = svm_vcpu_enter,
		  .skip = svm_vcpu_skip,
		  .set_cr2 = svm_set_cr2,
		  .can_interrupt = svm_can_interrupt,
		  .interrupt = svm_interrupt,
		  .can_nmi = svm_can_nmi,
		  .want_interrupt = svm_vcpu_want_interrupt,
		  .want_nmi = svm_vcpu_want_nmi,
		  .flush_tlb = svm_vcpu_flush_tlb},
	.where = {[HV_RIP] = offsetof(struct vmcb, rip),
		  [HV_RFLAGS] = offsetof(struct vmcb, rflags),
		  [HV_CR0] = offsetof(struct vmcb, cr0),
		  [HV_CR4] = offsetof(struct vmcb, cr4),
		  [HV_EFER] = offsetof(struct vmcb, efer),
		  [HV_DR6] = offsetof(struct vmcb, dr6),
		  [HV_DR7] = offsetof(struct vmcb, dr7),
		  [HV_TSC_OFFSET] = offsetof(struct vmcb, tsc_offset)},
	.msr_where = {AT(sysenter_cs), AT(sysenter_esp), AT(sysenter_eip), AT(pat), AT(efer),
		      AT(segment[ABI_FS].base), AT(segment[ABI_GS].base), AT(star), AT(lstar),
		      AT(cstar), AT(fmask), AT(kernel_gs_base)},
	.msr_loose = 12,
	.vcpu_size = sizeof(struct svm_vcpu),
	.cpu_start = svm_cpu_start,
	.cpu_stop = svm_cpu_stop,
	.vcpu_init = svm_vcpu_init,
	.vcpu_load = svm_vcpu_load,
	.read = svm_read,
	.write = svm_write,
	.get = svm_get,
	.attributes = svm_attributes,
	.set = svm_set,
	.mode_changed = svm_mode_changed,
	.end_instruction = svm_end_instruction,
	.get_blocks = svm_get_blocks,
	.set_blocks = svm_set_blocks,
	.inject = svm_inject,
};
