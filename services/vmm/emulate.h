/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the instruction at which the guest stopped, in place of the CPU. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "services/vmm/guestmem.h"

struct insn;
struct vcpu;

/*
 * All use page->cpu and leave registers, RIP and flags in the page. GUESTMEM_OK: the instruction,
 * or a part of a repeated one, is done. GUESTMEM_RETRY: nothing was done, since the instruction
 * that stands there now is not the one that made the exit; the guest runs it again.
 */

/* Any exit of memory or string ports: fetches, decodes, does it. */
enum guestmem emulate(struct vcpu *vcpu);

/* emulate_string.c: INSN_MOVS to INSN_OUTS. */
enum guestmem emulate_string(struct vcpu *vcpu, const struct insn *insn);

/* The instruction is done: RIP goes behind it. */
void emulate_advance(struct vcpu *vcpu, const struct insn *insn);

/* Did the bytes in `span` make this exit? */
bool emulate_is_cause(const struct vcpu *vcpu, const struct guestmem_span *span);

/* RFLAGS after an operation. */
void emulate_set_flags(struct vcpu *vcpu, uint64_t rflags);
