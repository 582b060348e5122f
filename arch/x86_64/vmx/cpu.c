/* SPDX-License-Identifier: BSD-2-Clause */
/* What this CPU's VT-x can do, and turning it on and off. */
#include "arch/x86_64/guest_state.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frames.h"
#include "kernel/object.h"
#include "kernel/pagetable.h"
#include "kernel/panic.h"

#define FEATURE_CONTROL_LOCK  (1ull << 0)
#define FEATURE_CONTROL_VMXON (1ull << 2) /* outside SMX */
#define BASIC_TRUE_CONTROLS   (1ull << 55)

/* IA32_VMX_EPT_VPID_CAP: SDM vol 3, appendix "VMX Capability Reporting Facility". */
#define EPT_WALK_4      (1ull << 6)
#define EPT_WRITE_BACK  (1ull << 14)
#define EPT_2M          (1ull << 16)
#define EPT_INVEPT      (1ull << 20)
#define EPT_INVEPT_ONE  (1ull << 25)
#define EPT_INVEPT_ALL  (1ull << 26)
#define EPT_INVVPID     (1ull << 32)
#define EPT_INVVPID_ONE (1ull << 41)
#define EPT_INVVPID_ALL (1ull << 42)

struct vmx_caps vmx_caps;

/* SDM vol 3, "EPT Translation Mechanism". Write-back; the guest's PAT makes devices uncached. */
static const struct pt_format ept_format = {
	.present_mask = 7,
	.table_bits = 7,
	.leaf_bits = 6u << 3,
	.read_bits = 1,
	.write_bits = 2,
	.exec_bits = 4,
};

/* Controls that must be there; those that are not DYNAMIC are on in every VMCS. */
#define DYNAMIC (PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW)

static const struct requirement {
	uint32_t msr, bits;
	const char *missing;
} required[] = {
	{IA32_VMX_TRUE_PINBASED_CTLS, PIN_INTERRUPT,
	 "this CPU's VT-x lacks external-interrupt exiting"},
	{IA32_VMX_TRUE_PINBASED_CTLS, PIN_NMI, "this CPU's VT-x lacks NMI exiting"},
	{IA32_VMX_TRUE_PINBASED_CTLS, PIN_VIRTUAL_NMIS, "this CPU's VT-x lacks virtual NMIs"},
	{IA32_VMX_TRUE_PROCBASED_CTLS, PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW,
	 "this CPU's VT-x lacks interrupt-window or NMI-window exiting"},
	{IA32_VMX_TRUE_PROCBASED_CTLS, PROC_TSC_OFFSET, "this CPU's VT-x lacks TSC offsetting"},
	{IA32_VMX_TRUE_PROCBASED_CTLS, PROC_HLT | PROC_MWAIT | PROC_RDPMC | PROC_MONITOR,
	 "this CPU's VT-x lacks exiting on HLT, MWAIT, RDPMC or MONITOR"},
	{IA32_VMX_TRUE_PROCBASED_CTLS, PROC_TPR_SHADOW, "this CPU's VT-x lacks the TPR shadow"},
	{IA32_VMX_TRUE_PROCBASED_CTLS, PROC_IO_BITMAPS, "this CPU's VT-x lacks I/O bitmaps"},
	{IA32_VMX_TRUE_PROCBASED_CTLS, PROC_MSR_BITMAPS, "this CPU's VT-x lacks MSR bitmaps"},
	{IA32_VMX_TRUE_PROCBASED_CTLS, PROC_SECONDARY, "this CPU's VT-x lacks secondary controls"},
	{IA32_VMX_PROCBASED_CTLS2, PROC2_EPT, "this CPU's VT-x lacks extended page tables (EPT)"},
	{IA32_VMX_PROCBASED_CTLS2, PROC2_VPID, "this CPU's VT-x lacks VPIDs"},
	{IA32_VMX_PROCBASED_CTLS2, PROC2_UNRESTRICTED, "this CPU's VT-x lacks unrestricted guests"},
	{IA32_VMX_TRUE_EXIT_CTLS, EXIT_SAVE_DEBUG | EXIT_HOST_64,
	 "this CPU's VT-x lacks 64-bit hosts or saving of debug controls"},
	{IA32_VMX_TRUE_EXIT_CTLS, EXIT_SAVE_PAT | EXIT_LOAD_PAT,
	 "this CPU's VT-x does not switch PAT"},
	{IA32_VMX_TRUE_EXIT_CTLS, EXIT_SAVE_EFER | EXIT_LOAD_EFER,
	 "this CPU's VT-x does not switch EFER"},
	{IA32_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER,
	 "this CPU's VT-x does not load PAT, EFER or debug controls"},
};

static bool ept_has(uint64_t bits)
{
	return (rdmsr(IA32_VMX_EPT_VPID_CAP) & bits) == bits;
}

const char *vmx_missing(void)
{
	uint32_t out[4];
	uint64_t lock;

	cpuid(1, 0, out);
	if (!(out[2] & CPUID_1_ECX_VMX))
		return "this CPU has no VT-x";
	lock = rdmsr(IA32_FEATURE_CONTROL);
	if (lock & FEATURE_CONTROL_LOCK && !(lock & FEATURE_CONTROL_VMXON))
		return "the firmware has locked VT-x off (IA32_FEATURE_CONTROL)";
	if (!(rdmsr(IA32_VMX_BASIC) & BASIC_TRUE_CONTROLS))
		return "this CPU's VT-x lacks the TRUE capability registers";
	for (size_t i = 0; i < ARRAY_COUNT(required); i++)
		if (required[i].bits & ~(rdmsr(required[i].msr) >> 32))
			return required[i].missing;
	if (!ept_has(EPT_WALK_4 | EPT_WRITE_BACK | EPT_2M))
		return "this CPU's EPT lacks 4 levels, write-back or 2 MiB pages";
	if (!ept_has(EPT_INVEPT | EPT_INVVPID) ||
	    !(ept_has(EPT_INVEPT_ONE) || ept_has(EPT_INVEPT_ALL)) ||
	    !(ept_has(EPT_INVVPID_ONE) || ept_has(EPT_INVVPID_ALL)))
		return "this CPU's VT-x lacks INVEPT or INVVPID";
	return NULL;
}

/* What must be on, what we need, and of `optional` what is there. */
static uint32_t controls(uint32_t msr, uint32_t optional)
{
	uint64_t allowed = rdmsr(msr);
	uint32_t value = (uint32_t)allowed | (optional & (uint32_t)(allowed >> 32));

	for (size_t i = 0; i < ARRAY_COUNT(required); i++)
		if (required[i].msr == msr)
			value |= required[i].bits;
	return msr == IA32_VMX_TRUE_PROCBASED_CTLS ? value & ~DYNAMIC : value;
}

static void learn(void)
{
	vmx_caps = (struct vmx_caps){
		.revision = (uint32_t)rdmsr(IA32_VMX_BASIC) & 0x7fffffff,
		.pin = controls(IA32_VMX_TRUE_PINBASED_CTLS, 0),
		.proc = controls(IA32_VMX_TRUE_PROCBASED_CTLS, 0),
		.proc2 = controls(IA32_VMX_PROCBASED_CTLS2,
				  PROC2_RDTSCP | PROC2_WBINVD | PROC2_INVPCID | PROC2_PAUSE_LOOP),
		.exit = controls(IA32_VMX_TRUE_EXIT_CTLS, 0),
		.entry = controls(IA32_VMX_TRUE_ENTRY_CTLS, 0) & ~ENTRY_IA32E,
		.cr4_fixed = rdmsr(IA32_VMX_CR4_FIXED0),
		.invept_type = ept_has(EPT_INVEPT_ONE) ? 1 : 2,
		.invvpid_type = ept_has(EPT_INVVPID_ONE) ? 1 : 2,
	};
	vmx_caps.has_pause_loop = vmx_caps.proc2 & PROC2_PAUSE_LOOP;
	guest_limits_init(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	guest_regs_init(false);
}

void vmx_cpu_start(void)
{
	struct vmx_core *core = kalloc(NULL, sizeof(*core));

	if (!vmx_caps.revision)
		learn();
	if (!core)
		panic("no memory for VT-x");
	core->vmxon = kpage_alloc();
	if (!core->vmxon)
		panic("no memory for VT-x");
	core->vpid_generation = 1;
	core->vpid_next = 1;
	core_this()->hv = core;
	*(uint32_t *)core->vmxon = vmx_caps.revision;
	if (!(rdmsr(IA32_FEATURE_CONTROL) & FEATURE_CONTROL_LOCK))
		wrmsr(IA32_FEATURE_CONTROL,
		      rdmsr(IA32_FEATURE_CONTROL) | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON);
	write_cr0(read_cr0() | rdmsr(IA32_VMX_CR0_FIXED0));
	write_cr4(read_cr4() | CR4_VMXE | vmx_caps.cr4_fixed);
	if (!vmxon(kpage_hpa(core->vmxon).value))
		panic("VMXON failed");
	/* What translations of a former user of VT-x are left. */
	invept(2, 0);
	invvpid(2, 0, 0);
}

void vmx_cpu_stop(void)
{
	if (!vmx_core())
		return;
	vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
	core_this()->hv = NULL;
}

const struct pt_format *vmx_stage2_format(void)
{
	return &ept_format;
}
