/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's VMCS: setting it up, the guest's registers in it, events; and the table for hv.c. */
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frames.h"
#include "kernel/panic.h"
#include "kernel/system.h"
#include "kernel/vlapic.h"

/* Bits of CR0 that exit when they would change; the others are the guest's own. */
#define CR0_MASK (CR0_NE | CR0_NW | CR0_CD)

/* Of CR4 these too, and those that no guest may have. A machine check that hits the guest is the
 * host's. */
#define CR4_HOST (CR4_VMXE | CR4_MCE)

#define EPTP_BITS (6 | 3u << 3) /* write-back, 4 levels */

/* SDM vol 3, "Field Encoding in VMCS": width << 13 | type << 10 | index << 1. */
#define FIELDS_MAX       32u
#define FIELDS_READ_ONLY 1u

#define PAUSE_LOOP_GAP   128u  /* ticks between two PAUSEs of one loop */
#define PAUSE_LOOP_LIMIT 4096u /* ticks of such a loop before it exits */

/* What an exit loads, but for HOST_RSP and HOST_CR3, which every entry checks. */
static void write_host(struct vmx_vcpu *vmx)
{
	struct core *core = core_this();
	struct table_register idtr;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	__asm__ volatile("sgdt %0" : "=m"(vmx->entry.gdtr));
	/* TS: ring 3 must trap before it touches the guest's FPU state (fpu.h). */
	vmwrite(VMCS_HOST_CR0, read_cr0() | CR0_TS);
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_CS, SELECTOR_KERNEL_CODE);
	vmwrite(VMCS_HOST_SS, SELECTOR_KERNEL_DATA);
	vmwrite(VMCS_HOST_TR, SELECTOR_TSS);
	vmwrite(VMCS_HOST_TR_BASE, (uintptr_t)&core->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, vmx->entry.gdtr.base);
	vmwrite(VMCS_HOST_IDTR_BASE, idtr.base);
	vmwrite(VMCS_HOST_PAT, rdmsr(IA32_PAT));
	vmwrite(VMCS_HOST_EFER, rdmsr(IA32_EFER));
	vmwrite(VMCS_HOST_RIP, (uintptr_t)vmx_exit_landing);
}

/* The CPU may cache a VMCS, and write it back later. The next entry is a launch. */
void vmx_vcpu_clear(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (core_this()->hv.owner == vcpu)
		hv_unload();
	vmx->entry.is_launched = 0;
	*(uint32_t *)vmx->arch.block = vmx_revision();
	if (!vmclear(kpage_hpa(vmx->arch.block).value))
		panic("VMCLEAR failed");
}

static void vmx_vcpu_init(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	vmx->entry.gpr = vcpu->page->gpr;
	/* A VMCS starts with nothing known in it: all its fields, and some that the CPU has not;
	 * but for those of 16 bits and controls, as VPID has been set. */
	for (unsigned group = 1; group < 16; group++)
		for (unsigned i = 0; i < FIELDS_MAX && group % 4 != FIELDS_READ_ONLY; i++)
			vmwrite(group / 4 << 13 | group % 4 << 10 | i << 1, 0);
	vmwrite(VMCS_PIN, vmx_controls[BOOT_VMX_PIN]);
	vmwrite(VMCS_PROC, vmx_controls[BOOT_VMX_PROC]);
	vmwrite(VMCS_PROC2, vmx_controls[BOOT_VMX_PROC2] & ~PROC2_APICV);
	vmwrite(VMCS_EXIT, vmx_controls[BOOT_VMX_EXIT]);
	vmwrite(VMCS_ENTRY, vmx_controls[BOOT_VMX_ENTRY]);
	vmwrite(VMCS_EXCEPTIONS, HV_EXCEPTIONS);
	vmwrite(VMCS_IO_BITMAP_A, boot_info->cpu.io_maps); /* both halves */
	vmwrite(VMCS_IO_BITMAP_B, boot_info->cpu.io_maps);
	vmwrite(VMCS_MSR_BITMAP, boot_info->cpu.msr_maps);
	vmwrite(VMCS_VIRTUAL_APIC, kpage_hpa(vcpu->lapic.page).value);
	vmwrite(VMCS_EPTP, vcpu->vm->stage2.table.root.value | EPTP_BITS);
	vmwrite(VMCS_LINK, UINT64_MAX);
	vmwrite(VMCS_CR0_MASK, CR0_MASK);
	vmwrite(VMCS_CR4_MASK, ~HV_CR4_GUEST | CR4_HOST);
	vmwrite(VMCS_GUEST_PAT, PAT_RESET);
	vmwrite(VMCS_PLE_GAP, PAUSE_LOOP_GAP); /* a CPU without PAUSE-loop exiting ignores them */
	vmwrite(VMCS_PLE_WINDOW, PAUSE_LOOP_LIMIT);
	write_host(vmx);
}

static void vmx_vcpu_flush_tlb(struct vcpu *vcpu)
{
	invept(INV_ONE, vmread(VMCS_EPTP));
	invvpid(INV_ONE, vcpu->arch->tag);
}

static void vmx_vcpu_load(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (!vmptrld(kpage_hpa(vmx->arch.block).value))
		panic("VMPTRLD failed");
	if (!vmx->arch.is_new)
		return;
	vmx->arch.is_new = false;
	write_host(vmx);
	if (vmx->arch.tag == 1)
		invvpid(INV_ALL, 0);
	vmwrite(VMCS_VPID, vmx->arch.tag);
	vmx_vcpu_flush_tlb(vcpu); /* the root's frame may have been another VM's */
}

/* ---- registers ---- */

static uint64_t vmx_read(UNUSED struct vcpu *vcpu, uint16_t where)
{
	return vmread(where);
}

static void vmx_write(UNUSED struct vcpu *vcpu, uint16_t where, uint64_t value)
{
	vmwrite(where, value);
}

/*
 * MOV to CR0 or CR4 would change a bit that the guest does not own: from now on it reads there what
 * it writes, and runs the instruction again. No such bit differs then, and the CPU does the rest
 * with all its checks. false = it may not have the value.
 */
bool vmx_write_cr(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	if (!arch_vcpu_is_long(vcpu))
		value = (uint32_t)value;
	if (nr == 4 ? value & ~HV_CR4_GUEST : value >> 32 || (value & CR0_NW && !(value & CR0_CD)))
		return false;
	vmwrite(nr == 4 ? VMCS_CR4_SHADOW : VMCS_CR0_SHADOW, value);
	return true;
}

static void vmx_mode_changed(struct vcpu *vcpu, bool is_long)
{
	uint64_t entry = vmread(VMCS_ENTRY) & ~ENTRY_IA32E;

	vmwrite(VMCS_ENTRY, entry | (is_long ? ENTRY_IA32E : 0));
	if (is_long) /* the entry asks for a TSS of the new mode */
		vmwrite(VMCS_GUEST_RIGHTS + 2 * ABI_TR, vmread(VMCS_GUEST_RIGHTS + 2 * ABI_TR) | 8);
	invvpid(INV_ONE, vcpu->arch->tag);
}

static unsigned vmx_attributes(UNUSED struct vcpu *vcpu, unsigned segment)
{
	uint32_t rights = (uint32_t)vmread(VMCS_GUEST_RIGHTS + 2 * segment);

	return ((rights & 0xff) | (rights >> 4 & 0xf00)) &
	       (rights & RIGHTS_UNUSABLE ? ~RIGHTS_PRESENT : ~0u);
}

/* An exit that ring 0 finishes does not look at RSP; if vmm has not set another, that one counts.
 */
static void get_rest(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (vcpu->page->gpr[ABI_RSP] == vmx->rsp)
		vcpu->page->gpr[ABI_RSP] = vmx->rsp = vmread(VMCS_GUEST_RSP);
	for (unsigned i = 0; i < 4; i++)
		cpu->pdpte[i] = vmread(VMCS_GUEST_PDPTE0 + 2 * i);
}

static void vmx_get(struct vcpu *vcpu, struct abi_cpu *cpu, unsigned segments)
{
	if (segments == ABI_DESCRIPTOR_COUNT)
		get_rest(vcpu, cpu);
	cpu->rip = vmread(VMCS_GUEST_RIP);
	cpu->rflags = vmread(VMCS_GUEST_RFLAGS);
	cpu->cr0 = (vmread(VMCS_GUEST_CR0) & ~CR0_MASK) | (vmread(VMCS_CR0_SHADOW) & CR0_MASK);
	cpu->cr2 = vmx_vcpu(vcpu)->cr2;
	cpu->cr3 = vmread(VMCS_GUEST_CR3);
	cpu->cr4 = (vmread(VMCS_GUEST_CR4) & ~CR4_HOST) | (vmread(VMCS_CR4_SHADOW) & CR4_HOST);
	cpu->efer = vmread(VMCS_GUEST_EFER);
	for (unsigned i = 0; i < segments; i++) {
		struct abi_segment_state *s = &cpu->segment[i];

		s->base = vmread(VMCS_GUEST_BASE + 2 * i);
		s->limit = (uint32_t)vmread(VMCS_GUEST_LIMIT + 2 * i);
		s->selector = i < ABI_GDTR ? (uint16_t)vmread(VMCS_GUEST_SELECTOR + 2 * i) : 0;
		s->attributes = i < ABI_GDTR ? (uint16_t)vmx_attributes(vcpu, i) : 0;
	}
}

static void vmx_set_cr2(struct vcpu *vcpu, uint64_t value)
{
	vmx_vcpu(vcpu)->cr2 = value;
}

static void vmx_set(struct vcpu *vcpu, const struct abi_cpu *cpu)
{
	vmwrite(VMCS_GUEST_RIP, cpu->rip);
	vmwrite(VMCS_GUEST_RFLAGS, cpu->rflags);
	vmwrite(VMCS_CR0_SHADOW, cpu->cr0);
	vmwrite(VMCS_GUEST_CR0, (cpu->cr0 & ~(CR0_NW | CR0_CD)) | CR0_ET | CR0_NE);
	vmx_set_cr2(vcpu, cpu->cr2);
	vmwrite(VMCS_GUEST_CR3, cpu->cr3);
	vmwrite(VMCS_CR4_SHADOW, cpu->cr4);
	vmwrite(VMCS_GUEST_CR4, cpu->cr4 | CR4_MCE | rdmsr(IA32_VMX_CR4_FIXED0));
	vmwrite(VMCS_GUEST_EFER, cpu->efer);
	vmwrite(VMCS_GUEST_SHADOW, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	for (unsigned i = 0; i < 4; i++)
		vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, cpu->pdpte[i]);
	for (unsigned i = 0; i < ABI_DESCRIPTOR_COUNT; i++) {
		const struct abi_segment_state *s = &cpu->segment[i];
		uint32_t a = s->attributes;

		vmwrite(VMCS_GUEST_BASE + 2 * i, s->base);
		vmwrite(VMCS_GUEST_LIMIT + 2 * i, s->limit);
		if (i >= ABI_GDTR)
			continue;
		vmwrite(VMCS_GUEST_SELECTOR + 2 * i, s->selector);
		vmwrite(VMCS_GUEST_RIGHTS + 2 * i,
			(a & 0xff) | (a & 0xf00) << 4 | (a & RIGHTS_PRESENT ? 0 : RIGHTS_UNUSABLE));
	}
}

/* ---- events ---- */

static void vmx_end_instruction(UNUSED struct vcpu *vcpu)
{
	uint64_t shadow = vmread(VMCS_GUEST_SHADOW);

	if (shadow & (SHADOW_STI | SHADOW_MOV_SS))
		vmwrite(VMCS_GUEST_SHADOW, shadow & ~(SHADOW_STI | SHADOW_MOV_SS));
	if (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF)
		vmwrite(VMCS_GUEST_PENDING_DEBUG,
			vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_STEP);
}

static void vmx_vcpu_skip(struct vcpu *vcpu, unsigned length)
{
	uint64_t rip = vmread(VMCS_GUEST_RIP), next = rip + length;

	if (__builtin_expect((rip ^ next) >> 32, 0)) { /* has RIP so many bits? */
		arch_vcpu_set_rip(vcpu, next);
		return;
	}
	vmwrite(VMCS_GUEST_RIP, next);
	vmx_end_instruction(vcpu);
}

/* ABI_BLOCK_* are numbered as the interruptibility state. */
#define SHADOW_BITS (SHADOW_STI | SHADOW_MOV_SS | SHADOW_NMI)

static uint32_t vmx_get_blocks(UNUSED struct vcpu *vcpu)
{
	return (vmread(VMCS_GUEST_SHADOW) & SHADOW_BITS) |
	       (vmread(VMCS_GUEST_PENDING_DEBUG) & PENDING_DEBUG_STEP ? ABI_BLOCK_STEP : 0);
}

static void vmx_set_blocks(UNUSED struct vcpu *vcpu, uint32_t blocks)
{
	vmwrite(VMCS_GUEST_SHADOW, blocks & SHADOW_BITS);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, blocks & ABI_BLOCK_STEP ? PENDING_DEBUG_STEP : 0);
}

/* SDM vol 3, "VM-Entry Controls for Event Injection". An exit takes VALID away. */
static void vmx_inject(UNUSED struct vcpu *vcpu, const struct abi_event *event, uint32_t info)
{
	vmwrite(VMCS_ENTRY_ERROR, event->error & 0xffff);
	vmwrite(VMCS_ENTRY_LENGTH, event->length);
	vmwrite(VMCS_ENTRY_EVENT, info);
	core_trace(ABI_TRACE_INJECT | event->vector);
	if (event->type == VM_EVENT_NMI) /* one that goes in again blocks itself already */
		vmwrite(VMCS_GUEST_SHADOW, vmread(VMCS_GUEST_SHADOW) & ~SHADOW_NMI);
}

static bool vmx_can_nmi(UNUSED struct vcpu *vcpu)
{
	return !(vmread(VMCS_ENTRY_EVENT) & EVENT_VALID) &&
	       !(vmread(VMCS_GUEST_SHADOW) & (SHADOW_STI | SHADOW_MOV_SS | SHADOW_NMI));
}

static bool vmx_can_interrupt(UNUSED struct vcpu *vcpu)
{
	return vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF && !(vmread(VMCS_ENTRY_EVENT) & EVENT_VALID) &&
	       !(vmread(VMCS_GUEST_SHADOW) & (SHADOW_STI | SHADOW_MOV_SS));
}

/* SDM vol 3, "APIC Virtualization and Virtual Interrupts". The page of registers is the software's
   own; what the CPU keeps beside it is RVI and SVI. */
static bool vmx_sync_apic(struct vcpu *vcpu)
{
	bool is_on =
		vmx_controls[BOOT_VMX_PROC2] & PROC2_APICV && vlapic_mode(vcpu) == VLAPIC_X2APIC;
	uint64_t old = is_on ? vmread(VMCS_GUEST_INTERRUPT) : 0, status = old & 0xff00;

	if (vcpu->lapic.is_stale) {
		vcpu->lapic.is_stale = false;
		vmwrite(VMCS_PROC2, is_on ? vmx_controls[BOOT_VMX_PROC2]
					  : vmx_controls[BOOT_VMX_PROC2] & ~PROC2_APICV);
		vmwrite(VMCS_MSR_BITMAP, boot_info->cpu.msr_maps + (is_on ? PAGE_SIZE : 0));
		for (unsigned i = 0; is_on && i < 4; i++)
			vmwrite(VMCS_EOI_EXIT + 2 * i,
				*vlapic_reg(vcpu, VLAPIC_TMR + 32 * i) |
					(uint64_t)*vlapic_reg(vcpu, VLAPIC_TMR + 32 * i + 16)
						<< 32);
		status = (uint64_t)MAX(vlapic_in_service(vcpu), 0) << 8;
	}
	status |= (uint64_t)MAX(vlapic_requested(vcpu), 0);
	if (is_on && status != old)
		vmwrite(VMCS_GUEST_INTERRUPT, status);
	return is_on;
}

static bool vmx_interrupt(struct vcpu *vcpu, uint8_t vector)
{
	if (!vmx_can_interrupt(vcpu))
		return false;
	vmwrite(VMCS_ENTRY_EVENT, EVENT_VALID | VM_EVENT_INTERRUPT << 8 | vector);
	core_trace(ABI_TRACE_INJECT | vector);
	return true;
}

void vmx_set_proc(uint32_t clear, uint32_t set)
{
	vmwrite(VMCS_PROC, (vmread(VMCS_PROC) & ~clear) | set);
}

void vmx_set_tpr_threshold(struct vcpu *vcpu, unsigned class)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (class != vmx->tpr_threshold)
		vmx_write(vcpu, VMCS_TPR_THRESHOLD, class);
	vmx->tpr_threshold = (uint8_t) class;
}

static void vmx_vcpu_want_interrupt(struct vcpu *vcpu, unsigned class)
{
	if (class != 0 && vcpu->lapic.page[0x80] >> 4 >= class)
		vmx_set_tpr_threshold(vcpu, class);
	else
		vmx_set_proc(0, PROC_INTERRUPT_WINDOW);
}

static void vmx_vcpu_want_nmi(UNUSED struct vcpu *vcpu)
{
	vmx_set_proc(0, PROC_NMI_WINDOW);
}

const struct hv_ops vmx_ops = {
	.guest = {.name = "vmx",
		  .stage2 = &vmx_ept_format,
		  .enter = vmx_vcpu_enter,
		  .skip = vmx_vcpu_skip,
		  .set_cr2 = vmx_set_cr2,
		  .can_interrupt = vmx_can_interrupt,
		  .interrupt = vmx_interrupt,
		  .can_nmi = vmx_can_nmi,
		  .want_interrupt = vmx_vcpu_want_interrupt,
		  .want_nmi = vmx_vcpu_want_nmi,
		  .sync_apic = vmx_sync_apic,
		  .flush_tlb = vmx_vcpu_flush_tlb},
	.where = {[HV_RIP] = VMCS_GUEST_RIP,
		  [HV_RFLAGS] = VMCS_GUEST_RFLAGS,
		  [HV_CR0] = VMCS_GUEST_CR0,
		  [HV_CR4] = VMCS_GUEST_CR4,
		  [HV_EFER] = VMCS_GUEST_EFER,
		  [HV_DR7] = VMCS_GUEST_DR7,
		  [HV_TSC_OFFSET] = VMCS_TSC_OFFSET},
	.msr_where = {VMCS_GUEST_SYSENTER_CS, VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_EIP,
		      VMCS_GUEST_PAT, VMCS_GUEST_EFER, VMCS_GUEST_BASE + 2 * ABI_FS,
		      VMCS_GUEST_BASE + 2 * ABI_GS},
	.msr_loose = 7,
	.vcpu_size = sizeof(struct vmx_vcpu),
	.cpu_start = vmx_cpu_start,
	.cpu_stop = vmx_cpu_stop,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_clear = vmx_vcpu_clear,
	.vcpu_load = vmx_vcpu_load,
	.read = vmx_read,
	.write = vmx_write,
	.get = vmx_get,
	.attributes = vmx_attributes,
	.set = vmx_set,
	.mode_changed = vmx_mode_changed,
	.end_instruction = vmx_end_instruction,
	.get_blocks = vmx_get_blocks,
	.set_blocks = vmx_set_blocks,
	.inject = vmx_inject,
};
