/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's VMCS: setting it up, and the guest's CPU state in it. */
#include "arch/x86_64/guest_state.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/cpuid.h"
#include "kernel/frames.h"
#include "kernel/object.h"
#include "kernel/panic.h"

/* #DB, #AC: their delivery can fault for ever (CVE-2015-8104, CVE-2015-5307); #MC is the host's. */
#define EXCEPTIONS (1u << 1 | 1u << 17 | 1u << 18)

/* Bits of CR0 that exit when they would change; the others are the guest's own. */
#define CR0_MASK (CR0_PE | CR0_ET | CR0_NE | CR0_NW | CR0_CD | CR0_PG)

#define PAT_RESET        0x0007040600070406ull
#define PAUSE_LOOP_GAP   128u  /* ticks between two PAUSEs of one loop */
#define PAUSE_LOOP_LIMIT 4096u /* ticks of such a loop before it exits */

static uint8_t *io_bitmap; /* every port exits: one page serves both halves of all VMs */

static int bitmap_init(void)
{
	if (io_bitmap)
		return 0;
	io_bitmap = kpage_alloc();
	if (!io_bitmap)
		return -ABI_ENOMEM;
	__builtin_memset(io_bitmap, 0xff, PAGE_SIZE);
	return 0;
}

/* A VMCS starts with nothing known in it: what we use and is 0 nearly always. */
static const uint16_t zero_fields[] = {
	VMCS_PAGE_FAULT_MASK,   VMCS_PAGE_FAULT_MATCH,   VMCS_CR3_TARGET_COUNT,
	VMCS_EXIT_STORE_COUNT,  VMCS_EXIT_LOAD_COUNT,    VMCS_ENTRY_LOAD_COUNT,
	VMCS_ENTRY_EVENT,       VMCS_TPR_THRESHOLD,      VMCS_TSC_OFFSET,
	VMCS_GUEST_DEBUGCTL,    VMCS_GUEST_ACTIVITY,     VMCS_GUEST_SHADOW,
	VMCS_GUEST_SYSENTER_CS, VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_EIP,
};

static void write_controls(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;

	for (unsigned i = 0; i < ARRAY_COUNT(zero_fields); i++)
		vmwrite(zero_fields[i], 0);

	arch->proc = vmx_caps.proc;
	if (!vmx_caps.has_pause_loop && vcpu->vm->vcpu_count > 1)
		arch->proc |= PROC_PAUSE;
	arch->controls_entry = vmx_caps.entry;
	vmwrite(VMCS_PIN, vmx_caps.pin);
	vmwrite(VMCS_PROC, arch->proc);
	vmwrite(VMCS_PROC2, vmx_caps.proc2);
	vmwrite(VMCS_EXIT, vmx_caps.exit);
	vmwrite(VMCS_ENTRY, arch->controls_entry);
	vmwrite(VMCS_EXCEPTIONS, EXCEPTIONS);
	vmwrite(VMCS_IO_BITMAP_A, kpage_hpa(io_bitmap).value);
	vmwrite(VMCS_IO_BITMAP_B, kpage_hpa(io_bitmap).value);
	vmwrite(VMCS_MSR_BITMAP, kpage_hpa(vcpu->vm->arch->msr_bitmap).value);
	vmwrite(VMCS_VIRTUAL_APIC, kpage_hpa(vcpu->lapic.page).value);
	vmwrite(VMCS_EPTP, arch->eptp);
	vmwrite(VMCS_LINK, UINT64_MAX);
	vmwrite(VMCS_CR0_MASK, CR0_MASK);
	vmwrite(VMCS_CR4_MASK, arch->cr4_mask);
	vmwrite(VMCS_GUEST_PAT, PAT_RESET);
	if (vmx_caps.has_pause_loop) {
		vmwrite(VMCS_PLE_GAP, PAUSE_LOOP_GAP);
		vmwrite(VMCS_PLE_WINDOW, PAUSE_LOOP_LIMIT);
	}
}

int vmx_vcpu_init(struct vcpu *vcpu)
{
	struct quota *quota = vcpu->object.quota;
	struct arch_vcpu *arch = kalloc(quota, sizeof(*arch));

	if (!arch)
		return -ABI_ENOMEM;
	vcpu->arch = arch; /* what is missing below is freed by vmx_vcpu_exit */
	arch->vmcs = kpage_alloc_charged(quota);
	arch->fpu = fpu_area_alloc(quota, XCR0_X87);
	if (!arch->vmcs || !arch->fpu || bitmap_init())
		return -ABI_ENOMEM;
	arch->entry.gpr = vcpu->page->gpr;
	arch->eptp = vcpu->vm->stage2.table.root.value | 6 | 3u << 3; /* write-back, 4 levels */
	arch->cr4_mask = ~cpuid_cr4_allowed() | CR4_VMXE | CR4_MCE;
	*(uint32_t *)arch->vmcs = vmx_caps.revision;
	if (!vmclear(kpage_hpa(arch->vmcs).value))
		panic("VMCLEAR failed");
	vmx_use(vcpu);
	write_controls(vcpu);
	return 0;
}

void vmx_vcpu_exit(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;
	struct quota *quota = vcpu->object.quota;
	struct vmx_core *core = vmx_core();

	if (core->owner == vcpu)
		core->owner = NULL;
	if (core->current == vcpu)
		core->current = NULL;
	if (arch->vmcs) {
		vmclear(kpage_hpa(arch->vmcs)
				.value); /* the CPU may cache it, and write it back later */
		kpage_free_charged(quota, arch->vmcs);
	}
	fpu_area_free(quota, arch->fpu);
	kfree(quota, arch, sizeof(*arch));
	vcpu->arch = NULL;
}

void vmx_use_slow(struct vcpu *vcpu)
{
	struct vmx_core *core = vmx_core();

	if (core->owner &&
	    core->owner != vcpu) /* whose registers the core holds is always current, too */
		vmx_regs_take(core->owner);
	if (!vmptrld(kpage_hpa(vcpu->arch->vmcs).value))
		panic("VMPTRLD failed");
	if (core->current)
		core->current->arch->is_current = false;
	core->current = vcpu;
	vcpu->arch->is_current = true;
}

static uint64_t table_base(const char *table)
{
	return *(const uint64_t *)(table + 2);
}

void vmx_host_fields(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;
	struct core *core = core_this();
	char gdtr[10], idtr[10];

	__asm__ volatile("sgdt (%0)" : : "r"(gdtr) : "memory");
	__asm__ volatile("sidt (%0)" : : "r"(idtr) : "memory");
	arch->entry.gdtr.limit = *(const uint16_t *)gdtr;
	arch->entry.gdtr.base = table_base(gdtr);
	arch->host_cr3 = 0;
	arch->core = core->hv;
	/* TS: ring 3 must trap before it touches the guest's FPU state (fpu.h). */
	vmwrite(VMCS_HOST_CR0, read_cr0() | CR0_TS);
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_CS, SELECTOR_KERNEL_CODE);
	vmwrite(VMCS_HOST_SS, SELECTOR_KERNEL_DATA);
	vmwrite(VMCS_HOST_DS, 0);
	vmwrite(VMCS_HOST_ES, 0);
	vmwrite(VMCS_HOST_FS, 0);
	vmwrite(VMCS_HOST_GS, 0);
	vmwrite(VMCS_HOST_TR, SELECTOR_TSS);
	vmwrite(VMCS_HOST_FS_BASE, 0);
	vmwrite(VMCS_HOST_GS_BASE, 0);
	vmwrite(VMCS_HOST_TR_BASE, (uintptr_t)&core->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, arch->entry.gdtr.base);
	vmwrite(VMCS_HOST_IDTR_BASE, table_base(idtr));
	vmwrite(VMCS_HOST_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
	vmwrite(VMCS_HOST_PAT, rdmsr(IA32_PAT));
	vmwrite(VMCS_HOST_EFER, rdmsr(IA32_EFER));
	vmwrite(VMCS_HOST_RIP, (uintptr_t)vmx_exit_landing);
}

void vmx_sync_rsp(struct vcpu *vcpu)
{
	vcpu->arch->rsp = vmread(VMCS_GUEST_RSP);
	vcpu->page->gpr[ABI_RSP] = vcpu->arch->rsp;
}

static __attribute__((noinline)) uint64_t cr_slow(struct vcpu *vcpu, unsigned nr)
{
	vmx_use(vcpu);
	return vmx_vcpu_cr(vcpu, nr);
}

/* CPUID asks for CR4. */
uint64_t vmx_vcpu_cr(struct vcpu *vcpu, unsigned nr)
{
	struct arch_vcpu *arch = vcpu->arch;

	if (!arch->is_current)
		return cr_slow(vcpu, nr);
	if (nr == 4)
		return (vmread(VMCS_GUEST_CR4) & ~arch->cr4_mask) | arch->cr4_shadow;
	if (nr == 0)
		return (vmread(VMCS_GUEST_CR0) & ~CR0_MASK) | arch->cr0_shadow;
	return nr == 3 ? vmread(VMCS_GUEST_CR3) : arch->cr2;
}

static void write_cr(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	switch (nr) {
	case 0:
		vcpu->arch->cr0_shadow = value & CR0_MASK;
		vmwrite(VMCS_CR0_SHADOW, value);
		vmwrite(VMCS_GUEST_CR0, (value & ~(CR0_NW | CR0_CD)) | CR0_ET | CR0_NE);
		break;
	case 2:
		vcpu->arch->cr2 = value;
		break;
	case 3:
		vmwrite(VMCS_GUEST_CR3, value);
		break;
	default: /* MCE: a machine check that hits the guest is the host's */
		vcpu->arch->cr4_shadow = value & vcpu->arch->cr4_mask;
		vmwrite(VMCS_CR4_SHADOW, value);
		vmwrite(VMCS_GUEST_CR4, value | CR4_MCE | vmx_caps.cr4_fixed);
	}
}

void vmx_vcpu_set_cr(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	vmx_use(vcpu);
	write_cr(vcpu, nr, value);
	if (nr != 2)
		vmx_mode_changed(vcpu);
}

/* SDM vol 3, "PDPTE Registers": an entry that the CPU would refuse becomes one that is not present.
 */
static void load_pdptes(struct vcpu *vcpu)
{
	uint64_t cr3 = vmread(VMCS_GUEST_CR3);
	uint64_t reserved = 0x1e6 | ~((1ull << guest_limits.physical_bits) - 1);
	uint64_t entries[4] = {0};

	space_read(&vcpu->vm->stage2, cr3 & 0xffffffe0, entries, sizeof(entries));
	for (unsigned i = 0; i < 4; i++)
		vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, entries[i] & reserved ? 0 : entries[i]);
}

/* What the CPU itself does at MOV to CR0 and the like: EFER.LMA, PDPTEs, stale translations. */
void vmx_mode_changed(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;
	uint64_t efer = vmread(VMCS_GUEST_EFER);
	bool is_paged = vmread(VMCS_GUEST_CR0) & CR0_PG;
	bool is_long = is_paged && efer & EFER_LME;
	uint32_t entry =
		is_long ? arch->controls_entry | ENTRY_IA32E : arch->controls_entry & ~ENTRY_IA32E;

	if (entry != arch->controls_entry) {
		arch->controls_entry = entry;
		vmwrite(VMCS_ENTRY, entry);
		if (is_long) /* a 16-bit TSS becomes one of the new mode; SDM asks for it at the
				entry */
			vmwrite(VMCS_GUEST_RIGHTS + 2 * ABI_TR,
				vmread(VMCS_GUEST_RIGHTS + 2 * ABI_TR) | 8);
	}
	vmwrite(VMCS_GUEST_EFER, is_long ? efer | EFER_LMA : efer & ~EFER_LMA);
	if (is_paged && !is_long && vmread(VMCS_GUEST_CR4) & CR4_PAE)
		load_pdptes(vcpu);
	if (arch->vpid)
		invvpid(vmx_caps.invvpid_type, arch->vpid, 0);
}

static void get_segment(unsigned i, struct abi_segment_state *s)
{
	uint32_t rights = (uint32_t)vmread(VMCS_GUEST_RIGHTS + 2 * i);

	s->base = vmread(VMCS_GUEST_BASE + 2 * i);
	s->limit = (uint32_t)vmread(VMCS_GUEST_LIMIT + 2 * i);
	s->selector = (uint16_t)vmread(VMCS_GUEST_SELECTOR + 2 * i);
	s->attributes = (uint16_t)((rights & 0xff) | (rights >> 4 & 0xf00));
	if (rights & RIGHTS_UNUSABLE)
		s->attributes &= ~0x80u;
}

static void set_segment(unsigned i, const struct abi_segment_state *s)
{
	uint32_t a = s->attributes;

	vmwrite(VMCS_GUEST_BASE + 2 * i, s->base);
	vmwrite(VMCS_GUEST_LIMIT + 2 * i, s->limit);
	vmwrite(VMCS_GUEST_SELECTOR + 2 * i, s->selector);
	vmwrite(VMCS_GUEST_RIGHTS + 2 * i,
		(a & 0xff) | (a & 0xf00) << 4 | (a & 0x80 ? 0 : RIGHTS_UNUSABLE));
}

void vmx_vcpu_get_emulation(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	vmx_use(vcpu);
	vmx_sync_rsp(vcpu);
	cpu->rip = vmread(VMCS_GUEST_RIP);
	cpu->rflags = vmread(VMCS_GUEST_RFLAGS);
	cpu->cr0 = vmx_vcpu_cr(vcpu, 0);
	cpu->cr2 = vcpu->arch->cr2;
	cpu->cr3 = vmread(VMCS_GUEST_CR3);
	cpu->cr4 = vmx_vcpu_cr(vcpu, 4);
	cpu->efer = vmread(VMCS_GUEST_EFER);
	for (unsigned i = 0; i < ABI_LDTR; i++)
		get_segment(i, &cpu->segment[i]);
}

void vmx_vcpu_get_cpu(struct vcpu *vcpu, struct abi_cpu *cpu)
{
	vmx_vcpu_get_emulation(vcpu, cpu);
	cpu->dr6 = vmx_vcpu_dr(vcpu, 6);
	cpu->dr7 = vmread(VMCS_GUEST_DR7);
	get_segment(ABI_LDTR, &cpu->segment[ABI_LDTR]);
	get_segment(ABI_TR, &cpu->segment[ABI_TR]);
	cpu->gdtr.base = vmread(VMCS_GUEST_GDTR_BASE);
	cpu->gdtr.limit = (uint32_t)vmread(VMCS_GUEST_GDTR_LIMIT);
	cpu->gdtr.reserved = 0;
	cpu->idtr.base = vmread(VMCS_GUEST_IDTR_BASE);
	cpu->idtr.limit = (uint32_t)vmread(VMCS_GUEST_IDTR_LIMIT);
	cpu->idtr.reserved = 0;
}

int vmx_vcpu_set_cpu(struct vcpu *vcpu, const struct abi_cpu *cpu)
{
	if (!guest_state_is_valid(cpu, cpuid_cr4_allowed()))
		return -ABI_EINVAL;
	vmx_use(vcpu);
	vcpu->arch->rsp = vcpu->page->gpr[ABI_RSP];
	vmwrite(VMCS_GUEST_RSP, vcpu->arch->rsp);
	vmwrite(VMCS_GUEST_RIP, cpu->rip);
	vmwrite(VMCS_GUEST_RFLAGS, cpu->rflags);
	write_cr(vcpu, 0, cpu->cr0);
	write_cr(vcpu, 2, cpu->cr2);
	write_cr(vcpu, 3, cpu->cr3);
	write_cr(vcpu, 4, cpu->cr4);
	vmwrite(VMCS_GUEST_EFER, cpu->efer);
	vmx_vcpu_set_dr(vcpu, 6, cpu->dr6);
	vmx_vcpu_set_dr(vcpu, 7, cpu->dr7);
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		set_segment(i, &cpu->segment[i]);
	vmwrite(VMCS_GUEST_GDTR_BASE, cpu->gdtr.base);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, cpu->gdtr.limit);
	vmwrite(VMCS_GUEST_IDTR_BASE, cpu->idtr.base);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, cpu->idtr.limit);
	vmwrite(VMCS_GUEST_SHADOW, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmx_mode_changed(vcpu);
	return 0;
}

unsigned vmx_vcpu_cpl(struct vcpu *vcpu)
{
	vmx_use(vcpu);
	return vmread(VMCS_GUEST_RIGHTS + 2 * ABI_SS) >> 5 & 3;
}

bool vmx_vcpu_is_long(struct vcpu *vcpu)
{
	vmx_use(vcpu);
	return vcpu->arch->controls_entry & ENTRY_IA32E &&
	       vmread(VMCS_GUEST_RIGHTS + 2 * ABI_CS) >> 13 & 1;
}
