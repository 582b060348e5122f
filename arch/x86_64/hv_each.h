/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions of struct hv_ops as a list, so that vmx/ and svm/ declare and table them alike. */
#pragma once
#include "arch/x86_64/hv.h"

/* The name and all functions are there: X(f) for each. */
#define HV_EACH(X)                                                                                 \
	X(missing) X(cpu_start) X(cpu_stop) X(stage2_format)                                       \
	X(vm_init) X(vm_exit) X(vm_msr_direct)                                                     \
	X(vcpu_init) X(vcpu_exit) X(vcpu_enter) X(vcpu_put) X(vcpu_flush_tlb)                      \
	X(vcpu_rip) X(vcpu_skip) X(vcpu_set_rip) X(vcpu_set_rflags)                                \
	X(vcpu_get_cpu) X(vcpu_get_emulation) X(vcpu_set_cpu) X(vcpu_cpl) X(vcpu_is_long)                                \
	X(vcpu_cr) X(vcpu_set_cr) X(vcpu_dr) X(vcpu_set_dr) X(vcpu_msr_get) X(vcpu_msr_set)        \
	X(vcpu_set_tsc_offset) X(vcpu_inject) X(vcpu_can_interrupt) X(vcpu_can_nmi)                \
	X(vcpu_want_interrupt) X(vcpu_want_nmi) X(vcpu_fpu)

/* The type of a member's function: HV_TYPE(vcpu_skip) vmx_vcpu_skip; declares it. */
#define HV_TYPE(f) __typeof__(*((struct hv_ops *)0)->f)
