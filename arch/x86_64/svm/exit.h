/* SPDX-License-Identifier: BSD-2-Clause */
/* From the VMCB after an exit to the neutral record. */
#pragma once
#include "arch/x86_64/svm/vmcb.h"
#include "kernel/vm_exit.h"

/* has_next_rip: the CPU fills vmcb->next_rip. */
void svm_exit_decode(const struct vmcb *vmcb, bool has_next_rip, struct vm_exit *exit);
