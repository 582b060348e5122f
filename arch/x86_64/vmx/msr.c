/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's MSRs and debug registers: which exit, and where the others are. */
#include "arch/x86_64/guest_state.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frames.h"
#include "kernel/object.h"

/* SDM vol 3, "MSR-Bitmap Address": a bit that is set makes the access exit. */
int vmx_vm_init(struct vm *vm)
{
	struct arch_vm *arch = kalloc(vm->object.quota, sizeof(*arch));

	if (!arch)
		return -ABI_ENOMEM;
	arch->msr_bitmap = kpage_alloc_charged(vm->object.quota);
	if (!arch->msr_bitmap) {
		kfree(vm->object.quota, arch, sizeof(*arch));
		return -ABI_ENOMEM;
	}
	__builtin_memset(arch->msr_bitmap, 0xff, PAGE_SIZE);
	vm->arch = arch;
	return 0;
}

void vmx_vm_exit(struct vm *vm)
{
	kpage_free_charged(vm->object.quota, vm->arch->msr_bitmap);
	kfree(vm->object.quota, vm->arch, sizeof(*vm->arch));
	vm->arch = NULL;
}

static void set_exits(uint8_t *bitmap, uint32_t bit, bool exits)
{
	bitmap[bit / 8] &= ~(1u << bit % 8);
	bitmap[bit / 8] |= (unsigned)exits << bit % 8;
}

void vmx_vm_msr_direct(struct vm *vm, uint32_t index, bool read, bool write)
{
	uint8_t *bitmap = vm->arch->msr_bitmap;
	uint32_t low = index & 0x1fff;

	if (index - low == 0xc0000000)
		bitmap += 1024;
	else if (index - low != 0)
		return; /* always exits */
	set_exits(bitmap, low, !read);
	set_exits(bitmap + 2048, low, !write);
}

/* The VMCS's field of an MSR; 0 = none. */
static uint32_t field_of(uint32_t index)
{
	static const struct {
		uint32_t index, field;
	} table[] = {
		{IA32_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS},
		{IA32_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP},
		{IA32_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP},
		{IA32_PAT, VMCS_GUEST_PAT},
		{IA32_EFER, VMCS_GUEST_EFER},
		{IA32_FS_BASE, VMCS_GUEST_BASE + 2 * ABI_FS},
		{IA32_GS_BASE, VMCS_GUEST_BASE + 2 * ABI_GS},
	};

	for (unsigned i = 0; i < ARRAY_COUNT(table); i++)
		if (table[i].index == index)
			return table[i].field;
	return 0;
}

bool vmx_vcpu_msr_get(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	const uint64_t *lazy = guest_regs_msr(&vcpu->arch->regs, index);
	uint32_t field = field_of(index);

	if (lazy) {
		vmx_regs_take(vcpu);
		*value = *lazy;
	} else if (field) {
		vmx_use(vcpu);
		*value = vmread(field);
	}
	return lazy || field;
}

bool vmx_vcpu_msr_set(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	uint64_t *lazy = guest_regs_msr(&vcpu->arch->regs, index);
	uint32_t field = field_of(index);

	if ((!lazy && !field) || !guest_msr_is_valid(index, value))
		return false;
	if (lazy) {
		vmx_regs_take(vcpu);
		*lazy = value;
		return true;
	}
	vmx_use(vcpu);
	vmwrite(field, value);
	if (index == IA32_EFER)
		vmx_mode_changed(vcpu);
	return true;
}

uint64_t vmx_vcpu_dr(struct vcpu *vcpu, unsigned nr)
{
	if (nr == 7 || nr == 5) {
		vmx_use(vcpu);
		return vmread(VMCS_GUEST_DR7);
	}
	vmx_regs_take(vcpu);
	return nr < 4 ? vcpu->arch->regs.dr[nr] : vcpu->arch->regs.dr6;
}

void vmx_vcpu_set_dr(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	if (nr == 7 || nr == 5) {
		vmx_use(vcpu);
		vmwrite(VMCS_GUEST_DR7, (uint32_t)value | DR7_FIXED);
		return;
	}
	vmx_regs_take(vcpu);
	if (nr < 4)
		vcpu->arch->regs.dr[nr] = value;
	else
		vcpu->arch->regs.dr6 = (value & DR6_WRITABLE) | DR6_FIXED;
}
