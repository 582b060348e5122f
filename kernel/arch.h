/* SPDX-License-Identifier: BSD-2-Clause */
/* All that the portable kernel asks of the CPU; arch/x86_64 answers, tests/unit/fake_arch.c
 * pretends. */
#pragma once
#include "kernel/abi.h"
#include "kernel/pagetable.h"
#include "kernel/types.h"

struct boot_info;
struct cpu;
struct thread;
struct vcpu;
struct vm;
struct vm_exit;

/* Exceptions, and bit 1 of a page fault's error code. */
#define VECTOR_DEBUG         1u
#define VECTOR_UNDEFINED     6u
#define VECTOR_PROTECTION    13u
#define VECTOR_PAGE_FAULT    14u
#define VECTOR_MACHINE_CHECK 18u
#define PAGE_FAULT_WRITE     2u

/* ---- this core ---- */

/* The core that runs this code: found from the kernel stack, which holds the pointer at its top. */
struct cpu *arch_this_cpu(void);
/* Sleeps until an interrupt came and was served; interrupts are off before and after. */
void arch_idle(void);
/* Interrupts another core: it serves calls, its mailbox, and looks whether its thread may go on. */
void arch_ipi(struct cpu *cpu);
void arch_pause(void); /* in loops that wait for another core */
/* Lets pending host interrupts in for a moment; interrupts are off before and after. */
void arch_irq_window(void);
/* A host NMI made the guest exit: serves it as if it had come to ring 0. */
void arch_nmi_serve(void);
/* Clock: ns since boot, from the TSC. */
uint64_t arch_now_ns(void);
uint64_t arch_tsc(void);
/* Notes in the core's trace: struct abi_trace. */
void arch_trace(uint32_t who, uint32_t what);
/* TSC ticks <-> clock ns: the clock value at which the host TSC will read `tsc`; saturates. */
uint64_t arch_tsc_to_ns(uint64_t tsc);
/* One hardware deadline, in clock ns; UINT64_MAX = none. In the past: fires at once. */
void arch_deadline_set(uint64_t deadline_ns);

/* ---- the machine ---- */

void arch_early_init(void);                   /* IDT, CPU features */
void arch_init(const struct boot_info *info); /* APIC, IOAPIC, timer; needs memory */
_Noreturn void arch_power(unsigned what);     /* ABI_POWER_* */
uint32_t arch_port_in(uint16_t port, unsigned size);
void arch_port_out(uint16_t port, unsigned size, uint32_t value);
/* ISA interrupt lines: on an interrupt device_interrupt(irq) is called; a level-triggered line is
 * masked. */
int arch_irq_set(unsigned isa_irq, bool is_on); /* -ABI_ENODEV */
void device_interrupt(unsigned isa_irq);        /* kernel/device.c */

/* ---- the counting build ---- */

extern uint64_t arch_ops[ABI_OP_COUNT]; /* all 0 in any other */

static inline void count_op(enum abi_op op)
{
	if (COUNT_OPS)
		arch_ops[op]++;
}

/* Adds the ticks between these two. */
static inline void count_from(enum abi_op op)
{
	if (COUNT_OPS)
		arch_ops[op] -= arch_tsc();
}

static inline void count_to(enum abi_op op)
{
	if (COUNT_OPS)
		arch_ops[op] += arch_tsc();
}

/* ---- address spaces ---- */

/* Takes over the tables that the loader made; their lower half stays until arch_init is done. */
void arch_paging_init(const struct boot_info *info);
extern const struct pt_format arch_host_format;
/* Ring 0's own; its upper half is in every process's root. */
extern struct pagetable arch_kernel_table;
void arch_space_init_root(void *root); /* copies ring 0's upper half into a new root page */
void arch_space_activate(hpa_t root);
/* Of this core, in the form that cpu_call takes. */
void arch_tlb_flush_page(void *address);
void arch_tlb_flush_all(void *unused);
/* Whether a process can have these addresses. */
static inline bool is_user_range(uint64_t address, uint64_t size)
{
	return address >= ABI_USER_BASE && address < ABI_USER_END && size <= ABI_USER_END - address;
}
/*
 * Copies between ring 0 and the current process, wherever the process says: checked here.
 * 0, or -ABI_EFAULT (page not mapped or not permitted after page-fault handling).
 */
int arch_copy_from_user(void *to, uint64_t from, size_t size);
int arch_copy_to_user(uint64_t to, const void *from, size_t size);
/* Exchanges the two bytes, of which the user's others change at the same time. The same results. */
int arch_swap_with_user(uint64_t at, uint8_t *byte);

/* ---- threads ---- */

struct arch_thread {
	uint64_t rsp;       /* saved kernel stack pointer while not running */
	uint64_t stack_top; /* of the guarded kernel stack; 0 = the boot stack (set once) */
	void *fpu; /* XSAVE area of the thread's own ring-3 state, a kernel page; NULL until used */
};

/* Gives the thread a kernel stack that ends in ring 3 at entry. -ABI_ENOMEM. */
int arch_thread_init(struct thread *thread, uint64_t entry, uint64_t stack, uint64_t arg);
void arch_thread_exit(struct thread *thread);
/* Saves `from`, continues `to`; sets the stack for entries from ring 3; address spaces are the
 * caller's. */
void arch_thread_switch(struct thread *from, struct thread *to);
/* Arch calls these: kernel/syscall.c and kernel/thread.c. */
int64_t syscall_dispatch(uint64_t number, const uint64_t args[6]);
/* Ends the process, or returns if the page fault was served. */
void thread_user_fault(unsigned vector, uint64_t error, uint64_t address, uint64_t rip);
/* Of arch_copy_*: 0 = served, try again; else -ABI_EFAULT. */
int thread_page_fault(uint64_t address, unsigned access);
/* Before each return to ring 3: yields if due, ends dying threads. */
void thread_return_to_user(void);
_Noreturn void kernel_main(const struct boot_info *info); /* from start.S, on the boot stack */
/* On another core, on its first stack: makes it one of `cpus`, while the boot core waits; then
   waits for threads. */
void cpu_join(void);
_Noreturn void cpu_run(void);

/* ---- virtual machines: vmx/ or svm/ behind hv_ops; see kernel/vcpu.h and kernel/exit.h ---- */

/* Control block in the state of a CPU after reset. -ABI_ENOMEM. */
int arch_vcpu_init(struct vcpu *vcpu);
void arch_vcpu_exit(struct vcpu *vcpu);
/* Gives the core to the vCPU: before any function below, whenever another may have had it, that is
 * at the begin of a system call and after a switch of threads. arch_vcpu_init has done it. */
void arch_vcpu_load(struct vcpu *vcpu);

/* Registers. Only kernel/exit.c calls arch_guest->skip, and this, which does the same to an
 * absolute value. */
void arch_vcpu_set_rip(struct vcpu *vcpu, uint64_t rip);
void arch_vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags);
void arch_vcpu_get_cpu(struct vcpu *vcpu, struct abi_cpu *cpu);
/* Only what an instruction emulator needs: RIP, flags, control registers, ES to GS; the rest stays
 * as it was. */
void arch_vcpu_get_emulation(struct vcpu *vcpu, struct abi_cpu *cpu);
/* -ABI_EINVAL: bits of CR4 or EFER that no guest may set; nothing changed. Whatever else the CPU
 * refuses (SDM vol 3, "Checks on the Guest State Area") ends the VM at the next entry. */
int arch_vcpu_set_cpu(struct vcpu *vcpu, const struct abi_cpu *cpu);
unsigned arch_vcpu_cpl(struct vcpu *vcpu);
bool arch_vcpu_is_long(struct vcpu *vcpu);      /* runs 64-bit code now: CS.L in long mode */
bool arch_vcpu_has_xsave_on(struct vcpu *vcpu); /* CR4.OSXSAVE */
/* MSRs that the control block or the CPU holds for the guest, which reaches them without an exit,
   but EFER. false = not one of these; or the CPU would refuse the value. */
bool arch_vcpu_msr_get(struct vcpu *vcpu, uint32_t index, uint64_t *value);
bool arch_vcpu_msr_set(struct vcpu *vcpu, uint32_t index, uint64_t value);
void arch_vcpu_set_tsc_offset(struct vcpu *vcpu, uint64_t offset);
void arch_vcpu_set_xcr0(struct vcpu *vcpu, uint64_t xcr0); /* checked by the caller */
size_t arch_fpu_size(void); /* of what the vCPU's XCR0 enables, while an exit of it is handled */
/* DR0 to DR3, XCR0 and blocks. Set: -ABI_EINVAL: ABI_BLOCK_STI without RFLAGS.IF. */
void arch_vcpu_get_hidden(struct vcpu *vcpu, struct abi_hidden *hidden);
int arch_vcpu_set_hidden(struct vcpu *vcpu, const struct abi_hidden *hidden);
int arch_vcpu_fpu_get(struct vcpu *vcpu, void *buffer, size_t size);
int arch_vcpu_fpu_set(struct vcpu *vcpu, const void *buffer, size_t size);

/* Events. One at most is injected an entry; an event whose delivery an exit cut short comes back as
   exit->reinject and goes in first again. Types are numbered as SDM vol 3, "Event Injection" and
   APM vol 2, "EVENTINJ". */
#define VM_EVENT_INTERRUPT          0u
#define VM_EVENT_NMI                2u
#define VM_EVENT_EXCEPTION          3u
#define VM_EVENT_SOFTWARE_INTERRUPT 4u
#define VM_EVENT_SOFTWARE_EXCEPTION 6u
void arch_vcpu_inject(struct vcpu *vcpu, const struct abi_event *event);

/* What VT-x and SVM each do. */
struct arch_guest {
	const char *name; /* "vmx" or "svm" */
	const struct pt_format *stage2;
	/*
	 * Runs the guest until its next exit and fills the neutral record: raw fields are
	 * translated, nothing is decided. Loads lazily what the last guest on this core left in the
	 * registers (FPU, MSRs).
	 */
	void (*enter)(struct vcpu *vcpu, struct vm_exit *exit);
	/* RIP += length (mode's width), ends the STI/MOV SS shadow, raises the single-step trap if
	 * TF is set. */
	void (*skip)(struct vcpu *vcpu, unsigned length);
	void (*set_cr2)(struct vcpu *vcpu, uint64_t value);
	bool (*can_interrupt)(struct vcpu *vcpu); /* RFLAGS.IF, no shadow, nothing injected */
	/* If so, injects this one. */
	bool (*interrupt)(struct vcpu *vcpu, uint8_t vector);
	bool (*can_nmi)(struct vcpu *vcpu);
	/* Asks for an exit (ABI_EXIT_WINDOW) as soon as an interrupt of priority class `class`
	 * (vector >> 4; 0 = any), or an NMI, can be taken. Withdrawn by the exit itself. */
	void (*want_interrupt)(struct vcpu *vcpu, unsigned class);
	void (*want_nmi)(struct vcpu *vcpu);
	/* Tells the CPU what it needs to play the local APIC itself, as far as lapic.is_stale says
	 * that it changed, and of IRR. Whether it does: only in x2APIC mode, and where it can.
	 * NULL: it never does. */
	bool (*sync_apic)(struct vcpu *vcpu);
	void (*flush_tlb)(struct vcpu *vcpu); /* this vCPU's tag, before the next entry */
};
extern const struct arch_guest *arch_guest; /* (set once) */
