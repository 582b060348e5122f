/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's MSRs and debug registers: which exit, and which stay in the registers across exits. */
#include "arch/x86_64/guest_state.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frames.h"
#include "kernel/object.h"

#define CPUID_80000001_EDX_RDTSCP (1u << 27)

/* Ring 3 uses none of these, ring 0 neither: they are swapped when another guest enters. */
static const uint32_t lazy_msrs[VMX_LAZY_MAX] = {
	IA32_STAR, IA32_LSTAR, IA32_CSTAR, IA32_FMASK, IA32_KERNEL_GS_BASE, IA32_TSC_AUX,
};
static unsigned lazy_count = 5;

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
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		arch->msr_bitmap[i] = 0xff;
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
	if (exits)
		bitmap[bit / 8] |= 1u << bit % 8;
	else
		bitmap[bit / 8] &= ~(1u << bit % 8);
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

void vmx_lazy_init(void)
{
	uint32_t out[4];

	cpuid(0x80000001, 0, out);
	lazy_count = out[3] & CPUID_80000001_EDX_RDTSCP ? 6 : 5;
}

void vmx_lazy_save(struct arch_vcpu *arch)
{
	for (unsigned i = 0; i < lazy_count; i++)
		arch->lazy[i] = rdmsr(lazy_msrs[i]);
	arch->dr[0] = read_dr0();
	arch->dr[1] = read_dr1();
	arch->dr[2] = read_dr2();
	arch->dr[3] = read_dr3();
	arch->dr6 = read_dr6();
}

void vmx_lazy_load(const struct arch_vcpu *arch, const struct arch_vcpu *from)
{
	for (unsigned i = 0; i < lazy_count; i++)
		if (!from || from->lazy[i] != arch->lazy[i])
			wrmsr(lazy_msrs[i], arch->lazy[i]);
	write_dr0(arch->dr[0]);
	write_dr1(arch->dr[1]);
	write_dr2(arch->dr[2]);
	write_dr3(arch->dr[3]);
	write_dr6(arch->dr6);
}

static int lazy_index(uint32_t index)
{
	for (unsigned i = 0; i < lazy_count; i++)
		if (lazy_msrs[i] == index)
			return (int)i;
	return -1;
}

/* The VMCS's field of an MSR; 0 = none. */
static uint32_t field_of(uint32_t index)
{
	switch (index) {
	case IA32_SYSENTER_CS:
		return VMCS_GUEST_SYSENTER_CS;
	case IA32_SYSENTER_ESP:
		return VMCS_GUEST_SYSENTER_ESP;
	case IA32_SYSENTER_EIP:
		return VMCS_GUEST_SYSENTER_EIP;
	case IA32_PAT:
		return VMCS_GUEST_PAT;
	case IA32_EFER:
		return VMCS_GUEST_EFER;
	case IA32_FS_BASE:
		return VMCS_GUEST_BASE + 2 * ABI_FS;
	case IA32_GS_BASE:
		return VMCS_GUEST_BASE + 2 * ABI_GS;
	default:
		return 0;
	}
}

static bool value_is_valid(uint32_t index, uint64_t value)
{
	switch (index) {
	case IA32_PAT:
		return guest_pat_is_valid(value);
	case IA32_EFER:
		return !(value & ~guest_limits.efer_bits);
	case IA32_STAR:
		return true;
	case IA32_FMASK:
	case IA32_TSC_AUX:
	case IA32_SYSENTER_CS:
		return value >> 32 == 0;
	default:
		return guest_is_canonical(value);
	}
}

bool vmx_vcpu_msr_get(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	uint32_t field = field_of(index);
	int i = lazy_index(index);

	if (i >= 0) {
		*value = vmx_core()->owner == vcpu ? rdmsr(index) : vcpu->arch->lazy[i];
		return true;
	}
	if (!field)
		return false;
	vmx_use(vcpu);
	*value = vmread(field);
	return true;
}

bool vmx_vcpu_msr_set(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	uint32_t field = field_of(index);
	int i = lazy_index(index);

	if ((i < 0 && !field) || !value_is_valid(index, value))
		return false;
	if (i >= 0) {
		vcpu->arch->lazy[i] = value;
		if (vmx_core()->owner == vcpu)
			wrmsr(index, value);
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
	if (vmx_core()->owner == vcpu)
		vmx_lazy_save(vcpu->arch);
	return nr < 4 ? vcpu->arch->dr[nr] : vcpu->arch->dr6;
}

void vmx_vcpu_set_dr(struct vcpu *vcpu, unsigned nr, uint64_t value)
{
	struct arch_vcpu *arch = vcpu->arch;

	if (nr == 7 || nr == 5) {
		vmx_use(vcpu);
		vmwrite(VMCS_GUEST_DR7, (uint32_t)value | DR7_FIXED);
		return;
	}
	if (vmx_core()->owner == vcpu)
		vmx_lazy_save(arch);
	if (nr < 4)
		arch->dr[nr] = value;
	else
		arch->dr6 = (value & 0xe00f) | DR6_FIXED;
	if (vmx_core()->owner == vcpu)
		vmx_lazy_load(arch, arch);
}
