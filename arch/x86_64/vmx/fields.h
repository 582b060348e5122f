/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields of a VMCS and bits of its controls: SDM vol 3, appendix "Field Encoding in VMCS". */
#pragma once

/* 16 bits. A segment's field is the first plus 2 * enum abi_segment. */
#define VMCS_VPID            0x0000u
#define VMCS_GUEST_SELECTOR  0x0800u
#define VMCS_GUEST_INTERRUPT 0x0810u /* RVI, SVI << 8 */
#define VMCS_HOST_CS         0x0c02u
#define VMCS_HOST_SS         0x0c04u
#define VMCS_HOST_TR         0x0c0cu

/* 64 bits */
#define VMCS_IO_BITMAP_A    0x2000u
#define VMCS_IO_BITMAP_B    0x2002u
#define VMCS_MSR_BITMAP     0x2004u
#define VMCS_TSC_OFFSET     0x2010u
#define VMCS_VIRTUAL_APIC   0x2012u
#define VMCS_EPTP           0x201au
#define VMCS_EOI_EXIT       0x201cu /* 4, 2 apart */
#define VMCS_GUEST_PHYSICAL 0x2400u
#define VMCS_LINK           0x2800u
#define VMCS_GUEST_PAT      0x2804u
#define VMCS_GUEST_EFER     0x2806u
#define VMCS_GUEST_PDPTE0   0x280au /* 4, 2 apart */
#define VMCS_HOST_PAT       0x2c00u
#define VMCS_HOST_EFER      0x2c02u

/* 32 bits */
#define VMCS_PIN               0x4000u
#define VMCS_PROC              0x4002u
#define VMCS_EXCEPTIONS        0x4004u
#define VMCS_EXIT              0x400cu
#define VMCS_ENTRY             0x4012u
#define VMCS_ENTRY_EVENT       0x4016u
#define VMCS_ENTRY_ERROR       0x4018u
#define VMCS_ENTRY_LENGTH      0x401au
#define VMCS_TPR_THRESHOLD     0x401cu
#define VMCS_PROC2             0x401eu
#define VMCS_PLE_GAP           0x4020u
#define VMCS_PLE_WINDOW        0x4022u
#define VMCS_INSTRUCTION_ERROR 0x4400u
#define VMCS_REASON            0x4402u
#define VMCS_EVENT             0x4404u
#define VMCS_EVENT_ERROR       0x4406u
#define VMCS_VECTORING         0x4408u
#define VMCS_VECTORING_ERROR   0x440au
#define VMCS_LENGTH            0x440cu
#define VMCS_GUEST_LIMIT       0x4800u /* by segment, and GDTR and IDTR behind them */
#define VMCS_GUEST_RIGHTS      0x4814u /* by segment */
#define VMCS_GUEST_SHADOW      0x4824u /* interruptibility state */
#define VMCS_GUEST_SYSENTER_CS 0x482au

/* natural width */
#define VMCS_CR0_MASK            0x6000u
#define VMCS_CR4_MASK            0x6002u
#define VMCS_CR0_SHADOW          0x6004u
#define VMCS_CR4_SHADOW          0x6006u
#define VMCS_QUALIFICATION       0x6400u
#define VMCS_GUEST_CR0           0x6800u
#define VMCS_GUEST_CR3           0x6802u
#define VMCS_GUEST_CR4           0x6804u
#define VMCS_GUEST_BASE          0x6806u /* by segment, and GDTR and IDTR behind them */
#define VMCS_GUEST_DR7           0x681au
#define VMCS_GUEST_RSP           0x681cu
#define VMCS_GUEST_RIP           0x681eu
#define VMCS_GUEST_RFLAGS        0x6820u
#define VMCS_GUEST_PENDING_DEBUG 0x6822u
#define VMCS_GUEST_SYSENTER_ESP  0x6824u
#define VMCS_GUEST_SYSENTER_EIP  0x6826u
#define VMCS_HOST_CR0            0x6c00u
#define VMCS_HOST_CR3            0x6c02u
#define VMCS_HOST_CR4            0x6c04u
#define VMCS_HOST_TR_BASE        0x6c0au
#define VMCS_HOST_GDTR_BASE      0x6c0cu
#define VMCS_HOST_IDTR_BASE      0x6c0eu
#define VMCS_HOST_RSP            0x6c14u /* asm_offsets.c gives it to enter.S */
#define VMCS_HOST_RIP            0x6c16u

/* Bits of the controls that are not as the loader chose them all the time. */
#define PROC_INTERRUPT_WINDOW (1u << 2)
#define PROC_NMI_WINDOW       (1u << 22)
#define PROC2_APICV           (1u << 4 | 1u << 9) /* x2APIC mode, delivery of virtual interrupts */
#define ENTRY_IA32E           (1u << 9)

#define EVENT_TYPE_ICEBP 5u /* privileged software exception; the others are VM_EVENT_* */

/* "Guest Non-Register State" */
#define SHADOW_STI                  (1u << 0)
#define SHADOW_MOV_SS               (1u << 1)
#define SHADOW_NMI                  (1u << 3)
#define PENDING_DEBUG_STEP          (1ull << 14)
#define RIGHTS_PRESENT              (1u << 7)
#define RIGHTS_UNUSABLE             (1u << 16)
#define QUALIFICATION_NMI_UNBLOCKED (1ull << 12) /* of an EPT violation */

/* Types of INVEPT and INVVPID */
#define INV_ONE 1u
#define INV_ALL 2u
