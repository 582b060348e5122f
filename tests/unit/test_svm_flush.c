/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM: a guest finds no translation of another's in the TLB, which no rig of ours keeps. */
#include "tests/unit/hv_host.h"

#include "arch/x86_64/svm/svm.h"

#include "arch/x86_64/hv.c"
#include "arch/x86_64/svm/control.c"

const struct hv_ops vmx_ops;
const struct pt_format svm_npt_format;
struct boot_svm svm_caps;

#define FLUSH_ALL   1u /* of vmcb->tlb_control */
#define FLUSH_GUEST 3u

const char *svm_cpu_start(void)
{
	return NULL;
}

void svm_cpu_stop(void)
{
}

void svm_vcpu_enter(struct vcpu *vcpu, struct vm_exit *exit)
{
	(void)vcpu;
	(void)exit;
}

static void start(uint32_t asid_count, uint8_t flush)
{
	arch_guest = &svm_ops.guest;
	hv = &svm_ops;
	svm_caps.flush = flush;
	the_core.hv = (struct hv_core){
		.is_on = true, .tag_generation = 1, .tag_next = 1, .tag_end = asid_count};
}

/* As VMRUN, and then svm_after, do it. */
static void run(struct guest *guest, unsigned number)
{
	struct vmcb *vmcb = svm_vmcb(&guest->vcpu);

	arch_vcpu_load(&guest->vcpu);
	CHECK(vmcb->asid && vmcb->asid < the_core.hv.tag_end);
	if (vmcb->tlb_control == FLUSH_ALL)
		memset(tlb, 0, sizeof(tlb));
	else if (vmcb->tlb_control == FLUSH_GUEST)
		tlb_flush(0, vmcb->asid);
	tlb_use(vmcb->asid, 0, number);
	vmcb->tlb_control = TLB_FLUSH_NONE;
}

static void check_wrap(uint8_t flush)
{
	struct guest *guests[9];

	start(4, flush); /* ASIDs 1 to 3 */
	for (unsigned i = 0; i < ARRAY_COUNT(guests); i++)
		guests[i] = guest_create(0x1000);
	for (unsigned i = 0; i < ARRAY_COUNT(guests); i++)
		run(guests[i], i + 1);
	/* The one with the first ASID of the next round never runs. */
	guest_destroy(guests[0]);
	guests[0] = guest_create(0x1000);
	for (unsigned i = 1; i < ARRAY_COUNT(guests); i++)
		run(guests[i], i + 1);
	for (unsigned i = ARRAY_COUNT(guests); i-- > 0;)
		run(guests[i], i + 1 + (i == 0) * 20);
	for (unsigned i = 0; i < ARRAY_COUNT(guests); i++)
		guest_destroy(guests[i]);
}

TEST(an_asid_that_comes_again_is_flushed_where_it_is_used)
{
	check_wrap(FLUSH_GUEST);
}

TEST(without_flush_by_asid_all_are_flushed)
{
	check_wrap(FLUSH_ALL);
}

TEST(where_breakpoints_stay_armed_no_state_has_any)
{
	struct abi_cpu cpu = {.dr7 = 0x1402, .rflags = 2, .efer = 0};
	struct guest *guest;

	for (unsigned is_tcg = 0; is_tcg <= 1; is_tcg++) {
		svm_caps.is_tcg = is_tcg;
		start(4, FLUSH_GUEST);
		guest = guest_create(0x1000);
		CHECK_EQ(svm_vmcb(&guest->vcpu)->intercept_dr, is_tcg ? INTERCEPT_DR7_WRITE : 0);
		CHECK_EQ(arch_vcpu_set_cpu(&guest->vcpu, &cpu), 0);
		CHECK_EQ(svm_vmcb(&guest->vcpu)->dr7, is_tcg ? 0x400 : 0x1402);
		guest_destroy(guest);
	}
}

TEST(an_interrupt_goes_in_with_the_flag_and_no_shadow_and_once)
{
	struct guest *guest;
	struct vmcb *vmcb;

	start(4, FLUSH_GUEST);
	guest = guest_create(0x1000);
	vmcb = svm_vmcb(&guest->vcpu);
	vmcb->rip = 0x1000;
	vmcb->rflags = 2;
	CHECK(!hv->guest.interrupt(&guest->vcpu, 0x31) && !vmcb->event);
	CHECK(hv->guest.can_nmi(&guest->vcpu));
	vmcb->rflags = 2 | RFLAGS_IF;
	vmcb->shadow = 1;
	CHECK(!hv->guest.interrupt(&guest->vcpu, 0x31) && !vmcb->event);
	CHECK(!hv->guest.can_nmi(&guest->vcpu));
	vmcb->shadow = 0;
	arch_vcpu_set_hidden(&guest->vcpu, &(struct abi_hidden){.blocks = ABI_BLOCK_NMI});
	CHECK(!hv->guest.can_nmi(&guest->vcpu));
	CHECK(hv->guest.interrupt(&guest->vcpu, 0x31));
	CHECK_EQ(vmcb->event, EVENT_VALID | 0x31);
	CHECK(!hv->guest.interrupt(&guest->vcpu, 0x32) && !hv->guest.can_interrupt(&guest->vcpu));
	CHECK_EQ(vmcb->event, EVENT_VALID | 0x31);
	guest_destroy(guest);
}

TEST(a_guest_that_moves_gets_a_flushed_asid_and_the_host_of_the_new_core)
{
	struct guest *guest;

	start(100, FLUSH_GUEST);
	other_core.hv = the_core.hv;
	the_core.hv.host = 0x1000;
	other_core.hv.host = 0x2000;
	other_core.hv.tag_next = 7;
	guest = guest_create(0x1000);
	run(guest, 1);
	CHECK_EQ(svm_vcpu(&guest->vcpu)->entry.host, 0x1000);
	the_core.fpu_owner = guest->vcpu.arch->fpu;
	here = &other_core;
	arch_vcpu_load(&guest->vcpu);
	CHECK(!the_core.hv.owner && !the_core.fpu_owner);
	CHECK_EQ(svm_vcpu(&guest->vcpu)->entry.host, 0x2000);
	CHECK_EQ(svm_vmcb(&guest->vcpu)->asid, 7);
	CHECK_EQ(svm_vmcb(&guest->vcpu)->tlb_control, FLUSH_GUEST);
	CHECK_EQ(svm_vmcb(&guest->vcpu)->clean, 0);
	here = &the_core;
	guest_destroy(guest);
	CHECK(!other_core.hv.owner);
}

int main(void)
{
	RUN(an_interrupt_goes_in_with_the_flag_and_no_shadow_and_once);
	RUN(an_asid_that_comes_again_is_flushed_where_it_is_used);
	RUN(without_flush_by_asid_all_are_flushed);
	RUN(where_breakpoints_stay_armed_no_state_has_any);
	RUN(a_guest_that_moves_gets_a_flushed_asid_and_the_host_of_the_new_core);
	return unit_end();
}
