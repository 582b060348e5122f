/* SPDX-License-Identifier: BSD-2-Clause */
/* The system-call interface: all that ring 0 and ring 3 must agree on. */
#pragma once
#include <stdint.h>

/*
 * A system call is "int $0x80": number in RAX, arguments in RDI, RSI, RDX, R10, R8, R9; the
 * result comes back in RAX (0 or more, or a negative errno of this page); all other general
 * registers are kept. A structure argument is a pointer and its size is fixed by this page.
 * Every call may return -EBADF (no such handle), -EPERM (handle of another type: -EBADTYPE;
 * right missing: -EPERM), -EFAULT (pointer not in the caller's writable or readable memory),
 * -EINVAL (a value out of the documented range), -ENOMEM (the caller's quota is used up).
 */
#define ABI_VERSION 1u

/* errno values as newlib and Linux have them, so that ring 3 needs no table. */
#define ABI_EPERM    1
#define ABI_ENOENT   2
#define ABI_EINTR    4
#define ABI_E2BIG    7
#define ABI_EBADF    9
#define ABI_EAGAIN   11
#define ABI_ENOMEM   12
#define ABI_EFAULT   14
#define ABI_EBUSY    16
#define ABI_EEXIST   17
#define ABI_ENODEV   19
#define ABI_EINVAL   22
#define ABI_ENOSPC   28
#define ABI_EPIPE    32
#define ABI_ENOSYS   38 /* newlib says 88; the call stubs translate nothing, ours is 38 */
#define ABI_EBADTYPE 95

typedef int32_t handle_t; /* index in the caller's table, 0 and above */

enum abi_syscall {
	/* handles */
	SYS_HANDLE_CLOSE, /* (h); what only this handle kept comes back soon, not at once */
	/* processes (-1 = the caller) and threads */
	SYS_PROCESS_CREATE, /* (system, quota_bytes) -> handle; needs MANAGE; the quota is taken
			       from the caller's own and comes back when the process is dead */
	SYS_PROCESS_GIVE,   /* (process, h, rights) -> number of the new handle in that process: 0,
			       1, 2, ... in a new one; needs MANAGE on process, TRANSFER on h;
			       rights must be a subset */
	SYS_PROCESS_EXIT,   /* (status); ends all threads of the caller */
	SYS_PROCESS_KILL,   /* (process); needs MANAGE */
	SYS_PROCESS_INFO,   /* (process, struct abi_process_info *) */
	SYS_PROCESS_SCHED,  /* (system, process, const struct abi_sched *): from now on; needs
			       MANAGE on both; what is out of range, or names no core that is
			       there, changes nothing */
	SYS_THREAD_CREATE,  /* (process, entry, stack_top, arg); starts at once with
			       RDI = arg, RSP = stack_top - 8 (as after a call) */
	SYS_THREAD_EXIT,    /* () */
	SYS_THREAD_YIELD,   /* () */
	/* memory */
	SYS_MEMORY_CREATE,  /* (size, flags ABI_MEMORY_*) -> handle; size multiple of 4096 */
	SYS_MEMORY_COW,     /* (dst, dst_offset, src, src_offset, size): pages of dst, untouched so
			       far, become copy-on-write of src's; needs WRITE on dst, READ on src;
			       multiples of 4096; -EBUSY: a page of dst was touched already */
	SYS_MEMORY_MAP,     /* (process or vm, memory, offset, size, address, prot ABI_PROT_*) ->
			       address; needs MAP on memory and its READ/WRITE/EXEC for prot;
			       -EEXIST: range in use. A guest's addresses end at 2^46, and its local
			       APIC's page is ring 0's */
	SYS_MEMORY_UNMAP,   /* (process or vm, address, size): one whole mapping */
	SYS_MEMORY_INFO,    /* (memory, struct abi_memory_info *) */
	SYS_MEMORY_LOG,     /* (memory, 1 or 0): begins or ends noting which pages are written, by
			       guests, processes or ring 0 (on SVM a guest's page tables too, when
			       the CPU walks them); contiguous objects, which alone devices reach,
			       have no log; needs MANAGE; -EBUSY: one is being freed */
	SYS_MEMORY_HARVEST, /* (memory, offset, size, uint8_t bits[]): sets the bits of the pages
			       that were written since the log began or this was last asked, clears
			       the others; multiples of 4096, size at most 128 MiB; needs MANAGE */
	/* channels */
	SYS_CHANNEL_CREATE, /* () -> end | other end << 16; a message sent on one arrives on the
			       other */
	SYS_CHANNEL_SEND,   /* (ch, bytes, size <= 3584, const handle_t *, count <= 16); handles
			       move (need TRANSFER); -EAGAIN: 64 messages wait already; -EPIPE:
			       the other end is closed; nothing moved on error */
	SYS_CHANNEL_RECV,   /* (ch, bytes, capacity, handle_t *, capacity) -> size | count << 16;
			       -EAGAIN: none waits; -E2BIG: does not fit, stays; -EPIPE */
	/* events */
	SYS_EVENT_CREATE, /* () -> handle */
	SYS_EVENT_SIGNAL, /* (event, n): adds n, sticks at UINT32_MAX */
	SYS_EVENT_TAKE,   /* (event) -> count, which becomes 0 */
	/* wait sets */
	SYS_WAITSET_CREATE, /* () -> handle */
	SYS_WAITSET_ADD,    /* (ws, h, uint64_t key): event, channel or process; needs WAIT;
			       -EEXIST: is in it already */
	SYS_WAITSET_REMOVE, /* (ws, h) */
	SYS_WAITSET_WAIT,   /* (ws, uint64_t keys[], capacity 1..64, deadline_ns) -> number of keys
			       of objects that are ready (level-triggered: event count > 0, message
			       or closed end, process dead); 0 = deadline reached;
			       deadline in clock ns since boot, 0 = do not wait, UINT64_MAX = for
			       ever */
	/* time */
	SYS_CLOCK_GET, /* () -> ns since boot, monotonic */
	/* devices: ports and an interrupt line now, PCI functions with BARs and MSI later */
	SYS_DEVICE_CREATE,    /* (system, first port, count, ISA interrupt 0..15 or ABI_IRQ_NONE)
				 -> handle; needs MANAGE; overrides of the MADT are applied */
	SYS_DEVICE_PORT_IN,   /* (device, port, size 1|2|4) -> value */
	SYS_DEVICE_PORT_OUT,  /* (device, port, size, value) */
	SYS_DEVICE_IRQ_BIND,  /* (device, event): each interrupt masks the line and signals;
				 -EBUSY: the line is bound already */
	SYS_DEVICE_IRQ_ACK,   /* (device): unmasks */
	SYS_DEVICE_DMA_MAP,   /* (device, memory, offset, size) -> I/O address; needs DMA on memory;
				 contiguous memory objects only until there is an IOMMU */
	SYS_DEVICE_DMA_UNMAP, /* (device, I/O address) */
	/* virtual machines */
	SYS_VM_CREATE,   /* (number of vCPUs: 1 .. ABI_VCPUS_MAX; ABI_VM_* flags) -> handle */
	SYS_VM_DOORBELL, /* (vm, port, size 1|2|4 or 0 = any, value or ABI_ANY_VALUE, event): a
			    guest's write like that signals the event in ring 0, without leaving the
			    exit path; event -1 removes it. -EEXIST; -ENOENT; -ENOSPC: 64 are there
			  */
	SYS_VM_MSI,      /* (vm, address, data): as a device's write of a message-signalled
			    interrupt (SDM vol 3, "Message Signalled Interrupts") */
	SYS_VM_STATS,    /* (vm, struct abi_vm_stats *) */
	SYS_VCPU_CREATE, /* (vm, index) -> handle; index = APIC id; its state is none that can run
			    before VCPU_SET of the CPU; the vcpu page is then mapped with
			    MEMORY_MAP(…, vcpu handle, 0, 4096, …, READ|WRITE) */
	SYS_VCPU_RUN,    /* (vcpu): runs the guest on the calling thread until an exit for vmm;
			    0 = see page->exit; -EINTR: kicked; -EBUSY: runs on another thread */
	SYS_VCPU_KICK,   /* (vcpu): a VCPU_RUN under way, or else the next, returns -EINTR */
	SYS_VCPU_GET,    /* (vcpu, what ABI_STATE_*, buffer, size) */
	SYS_VCPU_SET,    /* (vcpu, what, buffer, size): checked whole, then applied; but MSRs one
			    after the other, up to the first that is refused */
	SYS_VCPU_APIC_ACCESS, /* (vcpu, offset 0..0xff0, is_write, value) -> value read */
	/* the machine */
	SYS_SYSTEM_INFO,   /* (system, struct abi_system_info *) */
	SYS_SYSTEM_MODULE, /* (system, struct abi_module_info *, index) -> memory handle
			      (READ|EXEC|MAP|TRANSFER); -ENOENT: no module of that index */
	SYS_SYSTEM_CORE,   /* (system, struct abi_core_info *, index); -ENOENT: no core of it */
	SYS_SYSTEM_TRACE,  /* (system, core) -> memory handle (READ|MAP): ABI_TRACE_SIZE bytes of
			      struct abi_trace, in which the core goes on writing; -ENOENT */
	SYS_SYSTEM_POWER,  /* (system, ABI_POWER_*): does not come back; needs MANAGE */
	SYS_COUNT
};

/* Instructions whose cost a tick count hides; the counting build (COUNT_OPS=1) counts them. */
enum abi_op {
	ABI_OP_VMREAD,
	ABI_OP_VMWRITE,
	ABI_OP_WRMSR,
	ABI_OP_RDMSR,
	ABI_OP_CR_WRITE,
	ABI_OP_LOCKED,
	ABI_OP_INVALIDATE,
	ABI_OP_XSAVE,
	ABI_OP_GUEST_TICKS, /* TSC ticks, not instructions: between entries and exits */
	ABI_OP_PAGE_TICKS,  /* and in zeroing and copying pages */
	ABI_OP_COPIES,      /* of pages */
	ABI_OP_COUNT
};

/* Rights of a handle. */
#define ABI_RIGHT_READ     0x001u
#define ABI_RIGHT_WRITE    0x002u /* also: send, signal */
#define ABI_RIGHT_EXEC     0x004u
#define ABI_RIGHT_MAP      0x008u
#define ABI_RIGHT_DMA      0x010u
#define ABI_RIGHT_TRANSFER 0x020u /* may be given away and duplicated */
#define ABI_RIGHT_MANAGE   0x040u
#define ABI_RIGHT_WAIT     0x080u
#define ABI_RIGHT_ALL      0x0ffu

/* SYS_MEMORY_CREATE flags. Pages are zeroed and mapped at first touch unless contiguous. */
#define ABI_MEMORY_CONTIGUOUS 1u /* allocated at once, physically contiguous, at most 2 MiB */
#define ABI_MEMORY_LARGE      2u /* use 2 MiB pages where alignment lets them (guest RAM) */

#define ABI_PROT_READ  1u
#define ABI_PROT_WRITE 2u
#define ABI_PROT_EXEC  4u /* never together with WRITE in a process */

/* The handle that a process has from its start. */
#define ABI_HANDLE_BOOTSTRAP 0 /* init: the system object; others: channel to their creator */

/* User addresses: 0x10000 .. 0x00007fffffff0000. */
#define ABI_USER_BASE 0x10000ull
#define ABI_USER_END  0x00007fffffff0000ull

struct abi_process_info {
	uint64_t reason;       /* ABI_END_*; 0 = not dead, or something of it is left */
	uint64_t status;       /* ABI_END_EXIT: its status; ABI_END_FAULT: trap vector */
	uint64_t address, rip; /* ABI_END_FAULT */
	uint64_t used_bytes;   /* of its quota */
	uint64_t handle_count;
	uint64_t run_ns; /* CPU time that its threads have had */
	uint64_t id;     /* 1, 2, ...: no other has or had it */
};
#define ABI_END_EXIT   1u
#define ABI_END_FAULT  2u
#define ABI_END_KILLED 3u

/* What a process gets of the cores. */
#define ABI_WEIGHT_DEFAULT 100u
#define ABI_VCPUS_MAX      254u /* with xAPIC ids of eight bits, of which 0xff is all */
#define ABI_WEIGHT_MAX     10000u
#define ABI_PRIORITY_MAX   99u
#define ABI_CPU_WORDS      16u
struct abi_sched {
	uint32_t weight; /* 1 .. 10000: its part of a core's time, beside others' weights there */
	uint32_t
		priority; /* 1 .. 99: comes before all with less while its budget lasts; 0 = none */
	/* CPU time in each period. When it is used up the process waits for the next period, or,
	 * with a priority, goes on by its weight. 0: no limit, which goes with no priority. */
	uint64_t budget_ns;           /* 100,000 or more */
	uint64_t period_ns;           /* 100,000 .. 10,000,000,000 */
	uint64_t cpus[ABI_CPU_WORDS]; /* bit n: may run on the core of index n */
};

struct abi_memory_info {
	uint64_t size;
	uint64_t owned_bytes;    /* frames of its own */
	uint64_t borrowed_bytes; /* still shared with what it is copy-on-write of */
};

#define ABI_IRQ_NONE UINT64_MAX /* SYS_DEVICE_CREATE: without an interrupt */

struct abi_system_info {
	char vendor[8]; /* "vmx" or "svm" */
	uint32_t core_count;
	uint32_t module_count;
	uint64_t frames_total, frames_free; /* of 4 KiB; total: given to the allocator at boot */
	uint64_t usable_bytes;              /* see struct boot_info */
	uint64_t file_bytes;                /* RAM that files and services from the loader take */
	uint64_t stage2_bytes;              /* all VMs' stage-2 tables */
	uint64_t tsc_khz;
	uint64_t tsc_entry, tsc_files, tsc_exit; /* see struct boot_info */
	uint64_t boot_wall_ns;                   /* Unix time at clock 0, from the RTC */
	uint64_t ops[ABI_OP_COUNT];              /* all 0 but in the counting build */
};

struct abi_core_info {
	uint32_t apic_id;
	uint32_t ready_count; /* threads that wait for it */
	uint64_t process;     /* id of the one that runs; 0 = none, or ring 0 itself */
	uint64_t run_ns;      /* time in which it did not sleep */
};
/* What happened on a core. The newest stands before the oldest. */
struct abi_trace {
	uint32_t tsc_low, tsc_high; /* 0 = nothing yet */
	uint32_t who;               /* SWITCH, WAKE: which process; 0 = ring 0 */
	uint32_t what; /* below 0x100: the guest's exit, enum abi_exit; else one of these, and in
			  the low byte: */
};
#define ABI_TRACE_SIZE   (64u << 10)
#define ABI_TRACE_SWITCH 0x100u /* the core goes on with a thread of the process */
#define ABI_TRACE_RUN    0x200u /* which runs the vCPU of this index */
#define ABI_TRACE_INJECT 0x300u /* the vector; not what the CPU delivers by itself */
#define ABI_TRACE_WAKE   0x400u /* a thread of the process can run: on the core of this index */
#define ABI_TRACE_IDLE   0x500u /* the core sleeps */

struct abi_module_info {
	uint64_t size;
	uint32_t kind; /* 1 = service, 2 = file: enum boot_module_kind */
	uint32_t reserved;
	char path[256];
};

#define ABI_POWER_OFF    1u
#define ABI_POWER_REBOOT 2u

/* ---- virtual machines ---- */

/* Flags of SYS_VM_CREATE. */
#define ABI_VM_APICV 1u /* the CPU plays the guest's local APIC where it can */

#define ABI_ANY_VALUE UINT64_MAX /* SYS_VM_DOORBELL: whatever is written */

/* Exit reasons as the neutral record has them; also the index into the counts of SYS_VM_STATS. */
enum abi_exit {
	ABI_EXIT_NONE, /* page->exit is not valid */
	/* ring 0 finishes these itself */
	ABI_EXIT_CPUID,
	ABI_EXIT_HYPERCALL,
	ABI_EXIT_RDMSR, /* these two go to vmm, at the instruction, if ring 0 has not the MSR */
	ABI_EXIT_WRMSR,
	ABI_EXIT_CR,
	ABI_EXIT_XSETBV,
	ABI_EXIT_HLT,
	ABI_EXIT_PAUSE,
	ABI_EXIT_INVALIDATE, /* INVD, WBINVD */
	ABI_EXIT_UNDEFINED,  /* an instruction that this guest does not have: #UD */
	ABI_EXIT_EXCEPTION,
	ABI_EXIT_INTERRUPT, /* of the host */
	ABI_EXIT_NMI,
	ABI_EXIT_WINDOW, /* interrupt or NMI window */
	ABI_EXIT_STAGE2, /* lazy or copy-on-write memory */
	ABI_EXIT_DOORBELL,
	/* and these go to vmm */
	ABI_EXIT_PORT,    /* u.port */
	ABI_EXIT_MMIO,    /* u.mmio; page->cpu is valid */
	ABI_EXIT_INTA,    /* the guest takes an external interrupt: set page->inject_vector */
	ABI_EXIT_EOI,     /* u.eoi: end of a level-triggered interrupt */
	ABI_EXIT_DR,      /* a write of DR7 that the CPU must not see; page->cpu is valid */
	ABI_EXIT_STARTUP, /* u.startup: INIT or start-up message; the vCPU stands still in between
			   */
	ABI_EXIT_TRIPLE_FAULT,
	ABI_EXIT_ERROR, /* u.error: this VM cannot go on */
	ABI_EXIT_COUNT
};

/* Of ABI_EXIT_ERROR: what no exit reason of a CPU is. */
#define ABI_ERROR_NO_MEMORY 0x40000000u /* for a page of this VM */
#define ABI_ERROR_DELIVERY  0x40000001u /* an event's delivery touched an address without RAM */
#define ABI_ERROR_FETCH     0x40000002u /* the guest runs code at an address without RAM */
#define ABI_ERROR_ENTRY     0x40000100u /* + VM-instruction error: VT-x refuses the VMCS */

struct abi_vm_stats {
	uint64_t exits[32]; /* by enum abi_exit */
	uint64_t to_vmm;    /* returns of SYS_VCPU_RUN with an exit */
	uint64_t steal_ns;  /* in which its vCPUs could have run, and others did */
	uint64_t stage2_bytes;
};

enum abi_gpr { /* the order in which instructions encode them */
	       ABI_RAX,
	       ABI_RCX,
	       ABI_RDX,
	       ABI_RBX,
	       ABI_RSP,
	       ABI_RBP,
	       ABI_RSI,
	       ABI_RDI,
	       ABI_R8, /* to R15 */
	       ABI_GPR_COUNT = 16
};

enum abi_segment {
	ABI_ES,
	ABI_CS,
	ABI_SS,
	ABI_DS,
	ABI_FS,
	ABI_GS,
	ABI_LDTR,
	ABI_TR,
	ABI_SEGMENT_COUNT,
	ABI_GDTR = ABI_SEGMENT_COUNT, /* these two: base and limit alone, all else is 0 */
	ABI_IDTR,
	ABI_DESCRIPTOR_COUNT
};

/* As in a VMCB. */
struct abi_segment_state {
	uint16_t selector;
	uint16_t attributes; /* type 0-3, S 4, DPL 5-6, P 7, AVL 8, L 9, D/B 10, G 11; unusable = P
				clear */
	uint32_t limit;      /* in bytes */
	uint64_t base;
};

/* What an emulator needs of the CPU besides the general registers. */
struct abi_cpu {
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4, efer;
	uint64_t dr6, dr7;
	struct abi_segment_state segment[ABI_DESCRIPTOR_COUNT];
	uint64_t pdpte[4]; /* what the CPU holds of PAE paging (VT-x); not for an emulator */
};

/*
 * What CPUID answers. Ring 0 adds CR4.OSXSAVE (leaf 1), the size of what XCR0 enables (0xd) and, in
 * leaf 0xb, the subleaf and the APIC id; what the table has not is zero.
 */
#define ABI_CPUID_LEAVES      128u
#define ABI_CPUID_SUBLEAVES   24u
#define ABI_CPUID_NO_LEAF     0x3fffffe0u /* a leaf with one of these bits is none of the table's */
#define ABI_CPUID_INDEX(leaf) (((leaf) >> 25 | (leaf)) % ABI_CPUID_LEAVES)
struct abi_cpuid {
	uint32_t leaf[ABI_CPUID_LEAVES][4]; /* EAX to EDX of subleaf 0, by ABI_CPUID_INDEX */
	uint32_t has_subleaves;             /* by leaf, below 32: ECX counts */
	struct {
		uint32_t leaf, subleaf, value[4]; /* subleaf 1 and above */
	} subleaf[ABI_CPUID_SUBLEAVES];
};

/* An access to a port. */
struct abi_port {
	uint16_t port;
	uint8_t size; /* 1, 2, 4 */
	uint8_t is_write;
	uint8_t is_string; /* INS or OUTS, perhaps with REP: page->cpu is valid, RIP stands at the
			      instruction, vmm decodes it */
	uint8_t reserved[3];
	uint32_t value; /* of a write; a read's answer goes to gpr[RAX] by the rules of its size:
			   vmm writes it */
};

/*
 * The page that ring 0 and vmm share for a vCPU. While SYS_VCPU_RUN is under way the page is ring
 * 0's; only `extint` may be written by other threads of vmm then.
 */
struct abi_vcpu_page {
	uint32_t version; /* ABI_VERSION, set by ring 0 */
	uint32_t size;    /* sizeof(struct abi_vcpu_page) */

	uint64_t gpr[ABI_GPR_COUNT]; /* always valid; written back by SYS_VCPU_RUN. RSP too, but
					after -EINTR only once SYS_VCPU_GET of the CPU was made */

	struct {
		uint32_t kind; /* enum abi_exit. PORT: RIP is behind the instruction. MMIO: at it */
		union {
			struct abi_port port;
			struct {
				uint64_t gpa; /* the byte that faulted */
				uint8_t is_write, reserved[7];
			} mmio;
			struct {
				uint8_t vector;
			} eoi;
			struct {
				uint8_t is_init; /* else: it is to start at this page of RAM */
				uint8_t vector;
			} startup;
			struct {
				uint32_t code; /* the CPU's own exit reason, or ABI_ERROR_* */
			} error;
		};
	} exit;

	struct abi_cpu cpu;    /* valid if the exit says so, or after a string PORT */
	uint64_t xcr0_allowed; /* components that the guest may enable, set by ring 0 */

	/* Guest TSC minus host TSC; host TSC to ns: ((tsc << shift or >> -shift) * mul) >> 32. Set
	 * by ring 0. */
	uint64_t tsc_offset;
	uint32_t tsc_mul;
	int8_t tsc_shift;
	uint8_t has_fast_strings; /* of the host's IA32_MISC_ENABLE; set by ring 0 */

	struct abi_cpuid cpuid; /* vmm's: all zero at first */

	/* From vmm to ring 0, read and cleared at the next SYS_VCPU_RUN: */
	uint32_t set;             /* ABI_SET_*: which fields of cpu to take over */
	uint8_t inject_vector;    /* 0 = none. After INTA: the vector that the 8259 pair gave */
	uint8_t inject_exception; /* 1 = raise exception_vector */
	uint8_t exception_vector, exception_has_error;
	uint32_t exception_error;
	uint64_t exception_address; /* CR2 of a page fault */

	/* From any thread of vmm at any time; then SYS_VCPU_KICK, but from the one that runs the
	 * vCPU: */
	uint32_t extint; /* level of the 8259 pair's INTR line */
	uint32_t reserved;

	/* Where the guest's PV EOI word lies in the runner's memory; 0 = it has none. Ring 0 sets
	 * bit 0 as it injects an interrupt that the guest may end by taking that bit away. */
	uint64_t eoi_word;

	/* Where the guest's struct kvm_steal_time lies there; 0 = it has none. Ring 0 adds to it
	 * what the runner had to wait, and answers what others ask for in `preempted` meanwhile. */
	uint64_t steal_at;
};
#define ABI_SET_RIP    1u /* cpu.rip; also ends the interrupt shadow, as any completed instruction */
#define ABI_SET_RFLAGS 2u /* cpu.rflags: the status flags and DF only */
#define ABI_SET_NEXT   4u /* the instruction that made an exit for an MSR is done */
#define ABI_SET_TSC    8u /* tsc_offset */

/* SYS_VCPU_GET and SYS_VCPU_SET. */
#define ABI_STATE_CPU    1u /* struct abi_cpu, all of it; general registers are in the page */
#define ABI_STATE_MSRS   2u /* struct abi_msr[]: GET fills the index given in each */
#define ABI_STATE_LAPIC  3u /* struct abi_lapic */
#define ABI_STATE_FPU    4u /* XSAVE area, standard form; ABI_FPU_SIZE bytes hold any */
/* struct abi_hidden: set it after the CPU, which clears most of it, and before the local APIC,
 * whose deadline counts by the TSC. An NMI or INIT that waits already goes on waiting. */
#define ABI_STATE_HIDDEN 5u

#define ABI_FPU_SIZE 4032u

struct abi_msr {
	uint32_t index, reserved;
	uint64_t value;
};

/* An event on its way into the guest: types are VM_EVENT_* of kernel/arch.h. */
struct abi_event {
	uint8_t is_valid, type, vector, has_error;
	uint32_t error;
	uint32_t length; /* of the instruction, for software interrupts and exceptions */
};

/* What no instruction shows of a CPU between two instructions, and what no other state has. */
struct abi_hidden {
	uint64_t dr[4], xcr0;
	uint64_t tsc_offset;    /* as in the page */
	struct abi_event event; /* goes in first; is_valid 0: none */
	uint32_t blocks;        /* ABI_BLOCK_* */
	uint8_t is_halted;      /* sleeps after HLT */
	uint8_t has_nmi;        /* one waits */
	uint16_t startup;       /* ABI_STARTUP_*; 0: it runs */
	uint32_t is_roused;     /* the next HLT is none */
};
#define ABI_BLOCK_STI    1u  /* interrupts, for one instruction after STI; RFLAGS.IF is set */
#define ABI_BLOCK_MOV_SS 2u  /* the same after MOV SS and POP SS; never together */
#define ABI_BLOCK_NMI    8u  /* NMIs, until IRET */
#define ABI_BLOCK_STEP   16u /* blocks nothing: the trap of single-stepping is due */

/* What a vCPU has got of INIT and start-up messages; the low byte is the vector of the latter. */
#define ABI_STARTUP_WAITS 0x100u /* it stands still until one comes */
#define ABI_STARTUP_CAME  0x200u /* one has, and vmm has not been told */
#define ABI_STARTUP_INIT  0x400u /* so has INIT, before it */

struct abi_lapic {
	uint32_t version;
	uint32_t errors; /* since the last write to ESR */
	uint64_t apic_base;
	uint32_t registers[64]; /* by offset / 16 */
	uint64_t tsc_deadline;
	uint64_t timer_left_ns;
};
