/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer in its three modes; only vlapic.c calls this. */
#pragma once
#include "kernel/vcpu.h"

void vlapic_timer_init(struct vcpu *vcpu);
void vlapic_timer_stop(struct vcpu *vcpu);
/* The LVT entry changed from `old`: a switch to or from TSC-deadline mode disarms. */
void vlapic_timer_mode_changed(struct vcpu *vcpu, uint32_t old);
void vlapic_timer_write_initial(struct vcpu *vcpu, uint32_t count);
void vlapic_timer_write_divide(struct vcpu *vcpu, uint32_t divide);
uint32_t vlapic_timer_current(struct vcpu *vcpu);
uint64_t vlapic_timer_left_ns(const struct vcpu *vcpu);
/* After the registers were set. */
void vlapic_timer_restore(struct vcpu *vcpu, uint64_t tsc_deadline, uint64_t left_ns);
