/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU of ring 0 with a guest that a test writes as a list of exits. */
#pragma once
#include "fake_vcpu.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "kernel/vlapic.h"
#include "unit.h"

#define IF        0x200ull
#define NMI       0x400u /* this and the next two: of a message, as in ICR */
#define INIT      0x500u
#define LEVEL     0x8000u
#define SVR_ON    0x1ffu
#define EOI_MSR   0x80bu
#define RAM       (64 * PAGE_SIZE)
#define STEPS_MAX 32u

static struct vcpu *vcpu;
static struct arch_vcpu *arch;

/* The guest, unless a test says otherwise: one exit after the other, then port 0x80 for ever. */
static struct vm_exit script[STEPS_MAX];
static unsigned step_count, step;

static inline void guest(struct vcpu *running, struct vm_exit *exit)
{
	CHECK(running == vcpu);
	if (step < step_count)
		*exit = script[step++];
	else
		*exit = (struct vm_exit){
			.kind = ABI_EXIT_PORT, .length = 2, .port = {.port = 0x80, .size = 1}};
}

static inline void start(void)
{
	vcpu = fake_vcpu_start(RAM);
	arch = vcpu->arch;
	fake_guest = guest;
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | 0xd00));
	CHECK(vlapic_write(vcpu, VLAPIC_SVR, SVR_ON));
	arch->cpu.rflags = IF | 2;
	step = step_count = 0;
}

static inline void then(uint32_t kind)
{
	CHECK(step_count < STEPS_MAX);
	script[step_count++] = (struct vm_exit){
		.kind = kind, .length = kind == ABI_EXIT_HLT || kind == ABI_EXIT_HYPERCALL};
}

/* What the guest's next WRMSR writes. */
static inline void load_wrmsr(uint32_t index, uint32_t value)
{
	vcpu->page->gpr[ABI_RCX] = index;
	vcpu->page->gpr[ABI_RAX] = value;
	vcpu->page->gpr[ABI_RDX] = 0;
}

static inline void then_wrmsr(uint32_t index, uint32_t value)
{
	load_wrmsr(index, value);
	then(ABI_EXIT_WRMSR);
}

static inline void arrive(unsigned vector)
{
	vlapic_message(vcpu->vm, 0, false, vector);
}

static inline void run(uint32_t kind)
{
	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK_EQ(vcpu->page->exit.kind, kind);
}

static inline void check_delivered(unsigned i, unsigned type, unsigned vector)
{
	CHECK(i < arch->delivered_count);
	CHECK_EQ(arch->delivered[i].type, type);
	CHECK_EQ(arch->delivered[i].vector, vector);
}

static inline void spawn(void (*fn)(uint64_t), uint64_t argument)
{
	CHECK_EQ(thread_create(process_current(), (uint64_t)fn, 0, argument), 0);
}

/* Threads for spawn(). */
static inline void message(uint64_t unused)
{
	(void)unused;
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000, 0x44), 0);
}

static inline void kicker(uint64_t unused)
{
	(void)unused;
	vcpu_kick(vcpu);
}
