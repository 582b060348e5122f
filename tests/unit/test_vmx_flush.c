/* SPDX-License-Identifier: BSD-2-Clause */
/* VT-x: a guest finds no translation of another's in the TLB, which no rig of ours keeps. */
#include "tests/unit/hv_host.h"

#include "arch/x86_64/vmx/vmx.h"

static struct vmcs {
	const void *region;
	uint64_t field[0x7000];
} regions[8], *current;

static uint64_t fake_vmread(uint64_t field)
{
	return current->field[field];
}

static bool fake_vmwrite(uint64_t field, uint64_t value)
{
	current->field[field] = value;
	return true;
}

static struct vmcs *block_of(uint64_t region)
{
	struct vmcs *block = regions;

	while (block->region != (void *)region && block->region)
		block++;
	CHECK(block < regions + ARRAY_COUNT(regions));
	block->region = (void *)region;
	return block;
}

static bool fake_vmclear(uint64_t region)
{
	memset(block_of(region)->field, 0, sizeof(current->field));
	return true;
}

static bool fake_vmptrld(uint64_t region)
{
	current = block_of(region);
	return true;
}

/* SDM vol 3, "INVEPT": fails, and flushes nothing, if no VM entry would take the EPTP. */
static void fake_invept(uint64_t type, uint64_t eptp)
{
	if (type == INV_ALL || (eptp & 0xfff) == 0x1e)
		tlb_flush(0, eptp);
}

static void fake_invvpid(uint64_t type, uint64_t vpid)
{
	if (type == INV_ALL)
		memset(tlb, 0, sizeof(tlb));
	else
		tlb_flush(1, vpid);
}

#pragma GCC diagnostic ignored "-Wuninitialized"
#define vmread  fake_vmread
#define vmwrite fake_vmwrite
#define vmclear fake_vmclear
#define vmptrld fake_vmptrld
#define invept  fake_invept
#define invvpid fake_invvpid
#define __asm__                                                                                    \
	if (0)                                                                                     \
	__asm__ /* SIDT, SGDT */

#pragma GCC diagnostic ignored "-Wmisleading-indentation"
#include "arch/x86_64/hv.c"
#include "arch/x86_64/vmx/control.c"

const struct hv_ops svm_ops;
const struct pt_format vmx_ept_format;
static uint32_t controls[BOOT_VMX_COUNT];
const uint32_t *vmx_controls = controls;

const char *vmx_cpu_start(void)
{
	return NULL;
}

void vmx_cpu_stop(void)
{
}

void vmx_exit_landing(void)
{
}

void vmx_vcpu_enter(struct vcpu *vcpu, struct vm_exit *exit)
{
	(void)vcpu;
	(void)exit;
}

static int requested = -1, in_service = -1;

int vlapic_requested(const struct vcpu *vcpu)
{
	(void)vcpu;
	return requested;
}

int vlapic_in_service(const struct vcpu *vcpu)
{
	(void)vcpu;
	return in_service;
}

static void start(uint32_t tag_end)
{
	arch_guest = &vmx_ops.guest;
	hv = &vmx_ops;
	the_core.hv = (struct hv_core){
		.is_on = true, .tag_generation = 1, .tag_next = 1, .tag_end = tag_end};
}

static void run(struct guest *guest, unsigned number)
{
	arch_vcpu_load(&guest->vcpu);
	tlb_use(fake_vmread(VMCS_EPTP), fake_vmread(VMCS_VPID), number);
}

TEST(a_root_that_a_dead_vm_had_brings_none_of_its_translations)
{
	struct guest *guest;

	start(100);
	for (unsigned number = 1; number < 8; number++) {
		guest = guest_create(0x5000);
		run(guest, number);
		run(guest, number);
		guest_destroy(guest);
	}
}

TEST(a_vpid_that_comes_again_brings_no_translation)
{
	struct guest *guests[6];

	start(4); /* VPIDs 1 to 3 */
	for (unsigned i = 0; i < ARRAY_COUNT(guests); i++)
		guests[i] = guest_create(0x1000 * (i + 1));
	for (unsigned i = 0; i < 3 * ARRAY_COUNT(guests); i++) {
		struct guest *guest = guests[i % ARRAY_COUNT(guests)];

		arch_vcpu_load(&guest->vcpu);
		for (unsigned k = 0; k < ARRAY_COUNT(tlb); k++)
			CHECK(!tlb[k].owner || tlb[k].owner == i % ARRAY_COUNT(guests) + 1 ||
			      tlb[k].name[1] != fake_vmread(VMCS_VPID));
		run(guest, i % ARRAY_COUNT(guests) + 1);
	}
	for (unsigned i = 0; i < ARRAY_COUNT(guests); i++)
		guest_destroy(guests[i]);
}

TEST(a_guest_that_moves_leaves_nothing_on_the_core_where_it_was)
{
	struct guest *guest, *native;
	unsigned core;

	start(100);
	other_core.hv = the_core.hv;
	guest = guest_create(0x1000);
	native = guest_create(0x2000);
	for (unsigned i = 0; i < 4; i++) {
		core = i % 2;
		here = core ? &other_core : &the_core;
		memset(tlb, 0, sizeof(tlb)); /* each core has one of its own */
		run(guest, 1);
		CHECK(fake_vmread(VMCS_HOST_TR_BASE) == (uintptr_t)&here->tss);
		CHECK(!vmx_vcpu(&guest->vcpu)->entry.is_launched);
		vmx_vcpu(&guest->vcpu)->entry.is_launched = 1;
		here->fpu_owner = guest->vcpu.arch->fpu;
		CHECK(here->hv.owner == &guest->vcpu && guest->vcpu.arch->core == here);
		CHECK((core ? &the_core : &other_core)->hv.owner != &guest->vcpu);
		CHECK((core ? &the_core : &other_core)->fpu_owner != here->fpu_owner);
	}
	arch_vcpu_load(&native->vcpu);
	here = &the_core;
	guest_destroy(guest); /* as the reaper, on a core where it is not */
	CHECK(other_core.hv.owner == &native->vcpu && !other_core.fpu_owner);
	guest_destroy(native);
	CHECK(!other_core.hv.owner);
}

TEST(an_interrupt_goes_in_with_the_flag_and_no_shadow_and_once)
{
	struct guest *guest;

	start(4);
	guest = guest_create(0x1000);
	vmwrite(VMCS_GUEST_RFLAGS, 2);
	CHECK(!hv->guest.interrupt(&guest->vcpu, 0x31) && !vmread(VMCS_ENTRY_EVENT));
	CHECK(hv->guest.can_nmi(&guest->vcpu));
	vmwrite(VMCS_GUEST_RFLAGS, 2 | RFLAGS_IF);
	for (unsigned shadow = SHADOW_STI; shadow <= SHADOW_MOV_SS; shadow <<= 1) {
		vmwrite(VMCS_GUEST_SHADOW, shadow);
		CHECK(!hv->guest.interrupt(&guest->vcpu, 0x31) && !vmread(VMCS_ENTRY_EVENT));
		CHECK(!hv->guest.can_nmi(&guest->vcpu));
	}
	vmwrite(VMCS_GUEST_SHADOW, SHADOW_NMI);
	CHECK(!hv->guest.can_nmi(&guest->vcpu));
	CHECK(hv->guest.interrupt(&guest->vcpu, 0x31));
	CHECK_EQ(vmread(VMCS_ENTRY_EVENT), EVENT_VALID | 0x31);
	CHECK(!hv->guest.interrupt(&guest->vcpu, 0x32) && !hv->guest.can_interrupt(&guest->vcpu));
	CHECK_EQ(vmread(VMCS_ENTRY_EVENT), EVENT_VALID | 0x31);
	guest_destroy(guest);
}

TEST(the_cpu_plays_the_apic_in_x2apic_mode_where_it_can)
{
	struct guest *guest;

	start(4);
	guest = guest_create(0x1000);
	controls[BOOT_VMX_PROC2] = 2u | PROC2_APICV;
	guest->vcpu.lapic.is_stale = true;
	guest->vcpu.lapic.base_msr = VLAPIC_XAPIC;
	CHECK(!hv->guest.sync_apic(&guest->vcpu));
	CHECK_EQ(vmread(VMCS_PROC2), 2u);
	guest->vcpu.lapic.base_msr = VLAPIC_X2APIC;
	guest->vcpu.lapic.is_stale = true;
	*vlapic_reg(&guest->vcpu, VLAPIC_TMR + 0x30) = 0x12;
	requested = 0x41;
	in_service = 0x92;
	CHECK(hv->guest.sync_apic(&guest->vcpu));
	CHECK_EQ(vmread(VMCS_PROC2), 2u | PROC2_APICV);
	CHECK_EQ(vmread(VMCS_GUEST_INTERRUPT), 0x9241);
	CHECK_EQ(vmread(VMCS_EOI_EXIT + 2), 0x12ull << 32);
	CHECK_EQ(vmread(VMCS_MSR_BITMAP), PAGE_SIZE);
	in_service = -1; /* the CPU knows better, unless software changed it */
	requested = 0x51;
	CHECK(hv->guest.sync_apic(&guest->vcpu));
	CHECK_EQ(vmread(VMCS_GUEST_INTERRUPT), 0x9251);
	controls[BOOT_VMX_PROC2] = 2u; /* a CPU that cannot */
	guest->vcpu.lapic.is_stale = true;
	CHECK(!hv->guest.sync_apic(&guest->vcpu));
	CHECK_EQ(vmread(VMCS_PROC2), 2u);
	CHECK_EQ(vmread(VMCS_MSR_BITMAP), 0);
	guest_destroy(guest);
}

int main(void)
{
	RUN(the_cpu_plays_the_apic_in_x2apic_mode_where_it_can);
	RUN(a_guest_that_moves_leaves_nothing_on_the_core_where_it_was);
	RUN(an_interrupt_goes_in_with_the_flag_and_no_shadow_and_once);
	RUN(a_root_that_a_dead_vm_had_brings_none_of_its_translations);
	RUN(a_vpid_that_comes_again_brings_no_translation);
	return unit_end();
}
