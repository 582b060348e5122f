/* SPDX-License-Identifier: BSD-2-Clause */
/* What each trap and interrupt leads to. */
#include "arch/x86_64/traps.h"
#include "arch/x86_64/core.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "kernel/lock.h"
#include "kernel/sched.h"
#include "kernel/timer.h"

/* SDM vol 3, "64-Bit Mode IDT": an interrupt gate. */
struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

#define GATE_INTERRUPT 0x8eu /* present, DPL 0 */
#define GATE_DPL3      0x60u

static struct gate idt[256];
extern const char trap_stubs[256][16]; /* traps_entry.S */
void trap_handle(struct arch_frame *frame);

void traps_load(uint16_t limit)
{
	struct table_register idtr = {limit, (uint64_t)idt};

	__asm__ volatile("lidt %0" : : "m"(idtr));
}

void traps_init(void)
{
	for (unsigned i = 0; i < ARRAY_COUNT(idt); i++) {
		uint64_t stub = (uint64_t)trap_stubs[i];

		idt[i] = (struct gate){
			.offset_low = (uint16_t)stub,
			.selector = SELECTOR_KERNEL_CODE,
			.type = GATE_INTERRUPT,
			.offset_middle = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
	}
	idt[VECTOR_NMI].ist = IST_NMI;
	idt[VECTOR_DOUBLE_FAULT].ist = IST_DOUBLE_FAULT;
	idt[VECTOR_MACHINE_CHECK].ist = IST_MACHINE_CHECK;
	idt[VECTOR_SYSCALL].type |= GATE_DPL3;
	traps_load(TRAPS_LIMIT);
}

static void trap_interrupt(unsigned vector)
{
	if (vector == VECTOR_TIMER) {
		apic_eoi();
		timer_run();
	} else if (vector == VECTOR_IPI) {
		apic_eoi();
		cpu_serve();
		if (arch_this_cpu()->has_lock) /* what came since brings another message */
			sched_receive();
	} else if (vector >= VECTOR_ISA && vector < VECTOR_ISA + 16) {
		ioapic_interrupt(vector - VECTOR_ISA);
		apic_eoi();
		device_interrupt(vector - VECTOR_ISA);
	}
	/* The spurious vector wants no EOI; nothing else has been given out. */
}

static void trap_exception(struct arch_frame *frame, bool is_user)
{
	uint64_t vector = frame->vector, address = vector == VECTOR_PAGE_FAULT ? read_cr2() : 0;

	if (vector == VECTOR_MACHINE_CHECK)
		machine_check(frame);
	if (vector == VECTOR_NMI) {
		cores_nmi();
		/* The reason of one that a chip set raises: bit 7 SERR or parity, bit 6 IOCHK. */
		if (arch_port_in(0x61, 1) & 0xc0)
			panic_trap(frame, "NMI: the machine reports a memory or bus error");
		return;
	}
	if (is_user) {
		/* What another owner's XCR0 hides raises #UD, before CR0.TS could raise #NM. */
		if ((vector == VECTOR_NO_FPU ||
		     (vector == VECTOR_UNDEFINED && read_cr0() & CR0_TS)) &&
		    fpu_use(thread_current()) == 0)
			return;
		thread_user_fault((unsigned)vector, frame->error, address, frame->rip);
		return;
	}
	/* Single-stepping by ring 3 that struck here: MOV SS, then INT 0x80, delays it so (SDM vol
	 * 3, "Masking Exceptions and Interrupts When Switching Stacks"); Bochs also one by a guest.
	 */
	if (vector == VECTOR_DEBUG && !(frame->rflags & RFLAGS_TF)) {
		write_dr6(read_dr6() & ~DR6_BS);
		return;
	}
	power_firmware_failed();
	if (vector == VECTOR_DOUBLE_FAULT)
		panic_trap(frame, "double fault (#DF) in ring 0: a kernel stack has run over");
	if (!usercopy_fixup(frame, address))
		panic_trap(frame, "a trap in ring 0");
}

/* The core has the lock already where a copy from or to ring 3 faults, and in some windows. */
static __attribute__((noinline)) void trap_other(struct arch_frame *frame)
{
	bool is_user = (frame->cs & 3) != 0;
	bool is_call = frame->vector == VECTOR_IPI && !arch_this_cpu()->mailbox;
	bool takes = frame->vector != VECTOR_NMI && frame->vector != VECTOR_MACHINE_CHECK &&
		     (is_user || !(is_call || arch_this_cpu()->has_lock));

	if (takes)
		lock_take();
	if (frame->vector >= VECTOR_EXCEPTION_END)
		trap_interrupt((unsigned)frame->vector);
	else
		trap_exception(frame, is_user);
	if (is_user && takes)
		thread_return_to_user();
	else if (takes)
		lock_give();
}

/*
 * Called by traps_entry.S with interrupts off. Ring 0 is interrupted only in arch_idle and
 * arch_irq_window, of which some callers have the lock; it faults only in usercopy.c, or else it
 * panics. NMI and #MC come on stacks of their own and return to where they struck, so they must not
 * look at threads. A message of another core that brings no thread needs no lock: it is a call, or
 * has done its work by the interrupt itself.
 */
void trap_handle(struct arch_frame *frame)
{
	if (frame->vector != VECTOR_SYSCALL) {
		trap_other(frame);
		return;
	}
	lock_take();
	frame->rax = (uint64_t)syscall_dispatch(frame->rax, frame->args);
	thread_return_to_user(); /* and gives it back */
}
