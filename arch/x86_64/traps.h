/* SPDX-License-Identifier: BSD-2-Clause */
/* The one way into ring 0: what traps_entry.S leaves on the kernel stack, and which vector is what.
 */
#pragma once
#include "kernel/arch.h"

/* In the order of traps_entry.S, which makes the arguments of a system call an array. */
struct arch_frame {
	uint64_t args[6]; /* rdi, rsi, rdx, r10, r8, r9 */
	uint64_t rax, rcx, rbx, rbp, r11, r12, r13, r14, r15;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define VECTOR_NMI           2u
#define VECTOR_NO_FPU        7u
#define VECTOR_DOUBLE_FAULT  8u
#define VECTOR_EXCEPTION_END 32u
#define VECTOR_ISA           0x30u /* + ISA interrupt 0..15 */
#define VECTOR_SYSCALL       0x80u
#define VECTOR_TIMER         0xe0u
#define VECTOR_IPI           0xe1u
#define VECTOR_SPURIOUS      0xffu

#define IST_NMI           1u
#define IST_DOUBLE_FAULT  2u
#define IST_MACHINE_CHECK 3u

/* Builds the table once and loads it; then each core loads it. */
void traps_init(void);
#define TRAPS_LIMIT 0xfffu
/* limit: the last byte of the table that counts; 0 = the next trap resets the machine. */
void traps_load(uint16_t limit);

/* ioapic.c: the line struck, and is masked if it is level-triggered. The caller sends the EOI. */
void ioapic_interrupt(unsigned isa_irq);
/* power.c: ring 0 faulted; if firmware is at work, the next way to switch the machine off is tried,
 * and this does not return. */
void power_firmware_failed(void);
/* usercopy.c: a #PF or #GP of ring 0; true = the frame now goes on at a place prepared for it, or
 * tries again. */
bool usercopy_fixup(struct arch_frame *frame, uint64_t address);
/* Reads two words of ring 0 that may not be there: false = they are not. */
bool usercopy_probe(uint64_t out[2], uint64_t address);

/* panic.c: prints what broke, registers and a backtrace; a panic() wins over the sentence. */
_Noreturn void panic_trap(const struct arch_frame *frame, const char *sentence);
/* Switches on the reports of all banks of this core. */
void machine_check_init(void);
/* #MC: prints the banks that report an error, and panics. */
_Noreturn void machine_check(const struct arch_frame *frame);
/* One that struck in a guest is the host's: by the gate, which does not come back. */
static inline void machine_check_serve(void)
{
	__asm__ volatile("int %0" : : "i"(VECTOR_MACHINE_CHECK) : "memory");
}
