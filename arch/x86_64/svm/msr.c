/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's MSRs and debug registers: which exit, and where the others are. */
#include "arch/x86_64/guest_state.h"
#include "arch/x86_64/svm/svm.h"
#include "kernel/arch.h"

/* APM vol 2, "MSR Intercepts": two bits an MSR, read and write; one that is set makes it exit. The
 * same for all VMs. */
static uint8_t msrpm[2 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct arch_vm shared;

/* Sets all bits; the frame of the first page: the kernel's image lies in one piece. */
hpa_t svm_map_init(uint8_t *map, size_t size)
{
	__builtin_memset(map, 0xff, size);
	return pagetable_query(arch_kernel_table(), (uint64_t)map).frame;
}

int svm_vm_init(struct vm *vm)
{
	if (!shared.msrpm)
		shared.msrpm_hpa = svm_map_init(msrpm, sizeof(msrpm));
	shared.msrpm = msrpm;
	vm->arch = &shared;
	return 0;
}

void svm_vm_exit(struct vm *vm)
{
	vm->arch = NULL;
}

void svm_vm_msr_direct(struct vm *vm, uint32_t index, bool read, bool write)
{
	uint32_t low = index & 0x1fff;
	unsigned exits = (read ? 0 : 1) | (write ? 0 : 2);
	uint8_t *map = vm->arch->msrpm;

	if (index - low == 0xc0000000)
		map += 2048;
	else if (index - low == 0xc0010000)
		map += 4096;
	else if (index - low != 0)
		return; /* always exits */
	if (index == IA32_PAT)
		return; /* not every CPU keeps the guest's apart from the host's when it is written
			 */
	map[low / 4] &= ~(3u << low % 4 * 2);
	map[low / 4] |= exits << low % 4 * 2;
}

/* The VMCB's field of an MSR; NULL = none. */
static uint64_t *field_of(struct vmcb *vmcb, uint32_t index)
{
	static const struct {
		uint32_t index, offset;
	} table[] = {
		{IA32_SYSENTER_CS, offsetof(struct vmcb, sysenter_cs)},
		{IA32_SYSENTER_ESP, offsetof(struct vmcb, sysenter_esp)},
		{IA32_SYSENTER_EIP, offsetof(struct vmcb, sysenter_eip)},
		{IA32_PAT, offsetof(struct vmcb, pat)},
		{IA32_EFER, offsetof(struct vmcb, efer)},
		{IA32_STAR, offsetof(struct vmcb, star)},
		{IA32_LSTAR, offsetof(struct vmcb, lstar)},
		{IA32_CSTAR, offsetof(struct vmcb, cstar)},
		{IA32_FMASK, offsetof(struct vmcb, fmask)},
		{IA32_FS_BASE, offsetof(struct vmcb, segment[ABI_FS].base)},
		{IA32_GS_BASE, offsetof(struct vmcb, segment[ABI_GS].base)},
		{IA32_KERNEL_GS_BASE, offsetof(struct vmcb, kernel_gs_base)},
	};

	for (unsigned i = 0; i < ARRAY_COUNT(table); i++)
		if (table[i].index == index)
			return (uint64_t *)((char *)vmcb + table[i].offset);
	return NULL;
}

bool svm_vcpu_msr_get(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	const uint64_t *field = field_of(vcpu->arch->vmcb, index);

	if (!field) {
		field = guest_regs_msr(&vcpu->arch->regs, index);
		svm_regs_take(vcpu);
	}
	if (field) /* SVME: VMRUN demands it and the guest does not have it */
		*value = index == IA32_EFER ? *field & ~EFER_SVME : *field;
	return field;
}

bool svm_vcpu_msr_set(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	uint64_t *field = field_of(vcpu->arch->vmcb, index);

	if (!field) {
		field = guest_regs_msr(&vcpu->arch->regs, index);
		svm_regs_take(vcpu);
	}
	if (!field || !guest_msr_is_valid(index, value))
		return false;
	*field = value;
	if (index == IA32_EFER)
		svm_mode_changed(vcpu);
	vcpu->arch->vmcb->clean &= ~CLEAN_NESTED;
	return true;
}

uint64_t svm_vcpu_dr(struct vcpu *vcpu, unsigned nr)
{
	if (nr >= 4)
		return nr & 1 ? vcpu->arch->vmcb->dr7 : vcpu->arch->vmcb->dr6;
	svm_regs_take(vcpu);
	return vcpu->arch->regs.dr[nr];
}

void svm_vcpu_set_dr(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	struct arch_vcpu *arch = vcpu->arch;

	arch->vmcb->clean &= ~CLEAN_DR;
	if (nr == 4 || nr == 6) {
		arch->vmcb->dr6 = (value & DR6_WRITABLE) | DR6_FIXED;
	} else if (nr >= 5) {
		arch->vmcb->dr7 = (uint32_t)value | DR7_FIXED;
	} else {
		svm_regs_take(vcpu);
		arch->regs.dr[nr] = value;
	}
}
