/* SPDX-License-Identifier: BSD-2-Clause */
/* Control registers, MSRs and CPUID bits by the names of SDM vol 3 and APM vol 2. */
#pragma once

#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_TF    (1ull << 8)
#define RFLAGS_IF    (1ull << 9)

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_PAE     (1ull << 5)
#define CR4_MCE     (1ull << 6)
#define CR4_PGE     (1ull << 7)
#define CR4_VMXE    (1ull << 13)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMAP    (1ull << 21)

#define EFER_SCE  (1ull << 0)
#define EFER_LME  (1ull << 8)
#define EFER_LMA  (1ull << 10)
#define EFER_NXE  (1ull << 11)
#define EFER_SVME (1ull << 12)

#define DR6_FIXED 0xffff0ff0ull
#define DR6_BS    (1ull << 14) /* single step */
#define DR7_FIXED 0x400ull

#define XCR0_X87 (1ull << 0)

#define IA32_APIC_BASE              0x1bu
#define IA32_APIC_BASE_EXTD         (1ull << 10)
#define IA32_APIC_BASE_EN           (1ull << 11)
#define IA32_FEATURE_CONTROL        0x3au
#define IA32_SYSENTER_CS            0x174u
#define PAT_RESET                   0x0007040600070406ull /* "Memory Type Following Power-up" */
#define IA32_PAT                    0x277u
#define IA32_MC0_CTL                0x400u
#define IA32_MC0_STATUS             0x401u
#define IA32_MC0_ADDR               0x402u
#define IA32_VMX_BASIC              0x480u
#define IA32_VMX_CR0_FIXED0         0x486u
#define IA32_VMX_CR4_FIXED0         0x488u
#define IA32_VMX_PROCBASED_CTLS2    0x48bu
#define IA32_VMX_EPT_VPID_CAP       0x48cu
#define IA32_VMX_TRUE_PINBASED_CTLS 0x48du
#define IA32_TSC_DEADLINE           0x6e0u
#define IA32_X2APIC_BASE            0x800u /* + offset of the xAPIC register / 16 */
#define IA32_EFER                   0xc0000080u
#define IA32_STAR                   0xc0000081u
#define IA32_LSTAR                  0xc0000082u
#define IA32_FMASK                  0xc0000084u
#define IA32_FS_BASE                0xc0000100u
#define IA32_GS_BASE                0xc0000101u
#define IA32_KERNEL_GS_BASE         0xc0000102u
#define IA32_TSC_AUX                0xc0000103u
#define VM_CR                       0xc0010114u
#define VM_CR_SVMDIS                (1ull << 4)
#define VM_HSAVE_PA                 0xc0010117u

/* CPUID leaf 1 */
#define CPUID_1_ECX_OSXSAVE (1u << 27)
