/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader hands to the kernel: the machine as the firmware described it. */
#pragma once
#include <stdint.h>

#define BOOT_INFO_MAGIC   0x464e494c45425243ull /* "CRBELINF" */
#define BOOT_INFO_VERSION 9u
#define BOOT_PATH_SIZE    256u                      /* of a module's path, with its NUL */
#define BOOT_MODULE_MAX   4096u                     /* files below \corbel\ plus services */
#define BOOT_RANGE_MAX    (BOOT_MODULE_MAX + 1024u) /* entries of the memory map */

/* The kernel's addresses: each begins a root entry (512 GiB) of its own. */
#define BOOT_WINDOW     0xffff800000000000ull /* + physical address: the kernel's own pages */
#define BOOT_RAM_MAX    (1ull << 46)          /* 64 TiB: what lies above is not used */
#define BOOT_SLOTS      0xffffc08000000000ull /* where a core maps a page for a moment */
#define BOOT_STACKS     0xffffc10000000000ull
#define BOOT_FRAMES     0xffffc18000000000ull /* what is kept of each block: */
#define BOOT_BLOCK_SIZE (2ull << 20)
#define BOOT_RECORD     2136u       /* bytes of it; the kernel alone knows what they mean */
#define BOOT_TRACE_SIZE (64u << 10) /* what a core keeps of its past; aligned to that */

/* All addresses below are physical, but that of the ranges; every range is a whole number of 4 KiB
 * pages. */

enum boot_range_kind {
	BOOT_RANGE_FREE = 1,   /* RAM for the kernel to use as it likes */
	BOOT_RANGE_LOADER = 2, /* the list of cores, the loader's page tables and stack: RAM to free
				  once the kernel has read what it needs */
	BOOT_RANGE_KERNEL = 3, /* the loaded kernel image, and what else it keeps for ever */
	BOOT_RANGE_MODULE = 4, /* a module (service, file) or the list of them */
	BOOT_RANGE_ACPI = 5,   /* ACPI tables and NVS: kept as they are */
	BOOT_RANGE_RUNTIME_CODE = 6, /* UEFI runtime services, mapped for ResetSystem only */
	BOOT_RANGE_RUNTIME_DATA = 7,
	BOOT_RANGE_RUNTIME_MMIO = 8,
	BOOT_RANGE_RESERVED = 9, /* everything else that the firmware named */
};

struct boot_range {
	uint64_t start; /* bytes, multiple of 4096 */
	uint64_t size;  /* bytes, multiple of 4096, not 0 */
	uint32_t kind;  /* enum boot_range_kind */
	uint32_t reserved;
};

enum boot_module_kind {
	BOOT_MODULE_SERVICE = 1, /* an ELF program built into corbel.efi; path is a name */
	BOOT_MODULE_FILE = 2,    /* a file; path relative to \corbel\, "/" between parts */
};

struct boot_module {
	uint64_t start; /* multiple of 4096; the rest of the last page is zero */
	uint64_t size;  /* bytes; 0 = an empty file, which has a page all the same */
	uint32_t kind;  /* enum boot_module_kind */
	uint32_t reserved;
	char path[BOOT_PATH_SIZE]; /* NUL-terminated */
	uint64_t unused[29];       /* 512 bytes: none lies across the end of a page */
};

/* A segment of a program that was loaded, for W^X page tables; what lies between two of them is not
 * to be mapped. */
struct boot_segment {
	uint64_t virt, phys, size; /* multiples of 4096 */
	uint32_t is_writable, is_executable;
};
#define BOOT_SEGMENT_MAX 8u

/* init, the first program of ring 3, in a MODULE range. */
struct boot_init {
	struct boot_segment segments[BOOT_SEGMENT_MAX];
	uint32_t segment_count, reserved;
	uint64_t entry;
};

struct boot_framebuffer {
	uint64_t start, size;                  /* 0 = none */
	uint32_t width, height, pitch, format; /* pixels; bytes a line; UEFI's pixel format */
};

#define BOOT_CORE_MAX   4096u /* more are left out */
#define BOOT_IOAPIC_MAX 16u
#define BOOT_ISA_COUNT  16u

/* A core that may be started; the one that runs is among them. */
struct boot_core {
	uint32_t apic_id;
	uint32_t flags; /* of the MADT: bit 0 enabled, bit 1 may come online later; never 0 */
};

struct boot_ioapic {
	uint64_t address;
	uint32_t gsi_base, entry_count; /* entry_count: as the chip says, 1 to 256 */
};

/* Where an ISA interrupt line arrives. */
struct boot_isa_line {
	uint64_t ioapic; /* its address; 0 = at none */
	uint32_t entry;  /* of that one */
	uint32_t gsi;
	uint32_t is_level, is_active_low;
};

/* A register to write, of which some bits are kept. */
struct boot_write {
	uint64_t address; /* of a port; or of memory, mapped at BOOT_WINDOW */
	uint16_t keep, value;
	uint8_t size, is_memory; /* size: 1, or 2 for a port; 0 ends a list */
	uint16_t reserved;
};
#define BOOT_WRITE_MAX 4u

enum boot_reset_space { BOOT_RESET_NONE = 0, BOOT_RESET_MEMORY, BOOT_RESET_PORT };

/* What ACPI tells; what it does not tell or tells wrong is as on every PC, or 0. */
struct boot_acpi {
	uint64_t rsdp;          /* the firmware's or the loader's; never 0 */
	uint64_t lapic_address; /* where the CPU says; not 0; mapped at BOOT_WINDOW */
	uint64_t cores;         /* struct boot_core[] */
	uint32_t core_count, ioapic_count;
	struct boot_ioapic ioapics[BOOT_IOAPIC_MAX]; /* mapped at BOOT_WINDOW */
	struct boot_isa_line isa[BOOT_ISA_COUNT];
	/* I/O ports; 0 = none */
	uint16_t pm_timer, pm1a_control, pm1b_control, smi_command;
	uint8_t acpi_enable;              /* for smi_command; 0 = ACPI mode is all there is */
	uint8_t has_s5, s5_a, s5_b;       /* SLP_TYP of soft off for PM1a and PM1b; 0 to 7 */
	uint8_t reset_space, reset_value; /* reset_space: enum boot_reset_space */
	uint16_t reserved;
	uint64_t reset_address; /* below 0x10000 for a port */
	/* What these registers come to: the ways to switch the machine off, and to reset it */
	struct boot_write off[BOOT_WRITE_MAX], reset[BOOT_WRITE_MAX];
};

/* Controls of a VMCS; the first four in the order of their MSRs, IA32_VMX_TRUE_*. */
enum boot_vmx_control {
	BOOT_VMX_PIN,
	BOOT_VMX_PROC,
	BOOT_VMX_EXIT,
	BOOT_VMX_ENTRY,
	BOOT_VMX_PROC2,
	BOOT_VMX_COUNT
};

/* What SVM has. */
struct boot_svm {
	uint8_t has_next_rip, has_pause_filter;
	uint8_t flush; /* TLB_CONTROL of the VMCB that flushes a guest's translations */
	uint32_t asid_count;
	uint8_t is_tcg; /* QEMU's TCG (7.2): its VMRUN does not load the interrupt shadow, may
			   lose one of our own interrupts, and may let a guest meet one of its own
			   twice; and a guest's breakpoints, which VMRUN and #VMEXIT leave armed,
			   strike its neighbours and ring 0 */
};

/*
 * MSRs that a guest reaches without an exit, but EFER and, on SVM, PAT: SYSENTER_CS, _ESP and _EIP;
 * PAT, EFER; STAR, LSTAR, CSTAR, FMASK; FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC_AUX.
 */
#define BOOT_GUEST_MSRS                                                                            \
	{                                                                                          \
		0x174, 0x175, 0x176, 0x277, 0xc0000080, 0xc0000100, 0xc0000101, 0xc0000081,        \
			0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102, 0xc0000103                 \
	}
#define BOOT_MSR_MAPS 2u /* pages: VT-x's second is of guests whose APIC the CPU plays */
#define BOOT_IO_MAPS  3u

/* What the kernel does with the CPU, by what the boot core has. */
struct boot_cpu {
	uint64_t cr4;                 /* of ring 0 */
	uint64_t efer;                /* bits that a guest may set */
	uint64_t xcr0;                /* components that it can switch: they fit BOOT_XSAVE_MAX */
	uint32_t xsave_size;          /* of them all, standard form */
	uint32_t mxcsr_mask;          /* bits that MXCSR has */
	uint64_t vmx_ept_vpid;        /* IA32_VMX_EPT_VPID_CAP; 0 with SVM, as are: */
	uint64_t msr_maps, io_maps;   /* pages that say what exits: MSRs; every port */
	uint32_t vmx[BOOT_VMX_COUNT]; /* what each VMCS starts with, but for the bits of the CPU's
					 APIC: both or none */
	struct boot_svm svm;
	uint32_t mc_bank_count; /* of machine check, as many as have MSRs in a row */
	uint8_t has_x2apic, has_tsc_deadline;
	uint8_t is_vmx;           /* else it has SVM */
	uint8_t has_fast_strings; /* IA32_MISC_ENABLE's bit 0, which tells a guest to move and
				      fill by REP; 1 on AMD */
};
#define BOOT_XSAVE_MAX 4032u

struct boot_clock {
	uint64_t tsc_khz;        /* 1,000 to 2^32 - 1 */
	uint64_t apic_timer_khz; /* of the local APIC's timer, divided by 1; 0 = it stands still, or
				    there is a TSC deadline instead */
	/* 32.32: ns of a tick; ticks of a ns, of the APIC timer too if it counts */
	uint64_t to_ns, from_ns, apic_from_ns;
	uint32_t tsc_mul;  /* ns = ((ticks << tsc_shift, or >> -tsc_shift) * tsc_mul) >> 32; */
	int32_t tsc_shift; /* tsc_mul has its top bit set: as kvmclock has it */
	uint64_t wall_s;   /* Unix time, 0 = not known, */
	uint64_t wall_tsc; /* when the TSC had this value */
};

/*
 * What a core runs when it gets a start-up message for this page: it goes on in 64-bit mode at
 * `entry`, on `stack`, with interrupts off, EFER.NXE on and the tables that the kernel began on, as
 * long as their lower half is there.
 */
struct boot_trampoline {
	uint8_t code[8];
	uint64_t entry, stack; /* the kernel fills them in */
	uint32_t root, code64; /* physical: the tables, the part in 64-bit mode */
	uint16_t selector, gdt_limit;
	uint32_t gdt;
};

struct boot_info {
	uint64_t magic;   /* BOOT_INFO_MAGIC */
	uint32_t version; /* BOOT_INFO_VERSION */
	uint32_t size;    /* sizeof(struct boot_info) */
	uint64_t ranges;  /* struct boot_range[], sorted by start, not overlapping; in the block */
	uint32_t range_count, range_size; /* range_size = sizeof(struct boot_range) */
	uint64_t modules;                 /* struct boot_module[], services first */
	uint32_t module_count, module_size;
	struct boot_segment segments[BOOT_SEGMENT_MAX];
	uint32_t segment_count;
	uint32_t block_used;   /* pages of the block */
	uint64_t record_count; /* of blocks of BOOT_BLOCK_SIZE, up to the last that has RAM */
	uint64_t block; /* BOOT_BLOCK_SIZE, aligned to that, in a KERNEL range: the kernel's tables,
			   root first, boot_info and its ranges, and pages for it to use */
	struct boot_init init;
	struct boot_acpi acpi;
	struct boot_clock clock;
	struct boot_cpu cpu;
	uint64_t smbios; /* SMBIOS 3 or 2 entry point; 0 = none */
	/* UEFI's ResetSystem(), called in the lower half of a page table that holds nothing but the
	 * ranges RUNTIME, one to one; it lies in a KERNEL range. 0 = none. */
	uint64_t reset_system, runtime_root;
	uint64_t trampoline; /* struct boot_trampoline, in a LOADER range below 640 KiB; 0 = none */
	uint64_t trace;      /* BOOT_TRACE_SIZE for each core, zeroed, in a KERNEL range */
	struct boot_framebuffer framebuffer;
	uint64_t file_bytes;    /* RAM that the modules take */
	uint64_t usable_bytes;  /* RAM free right after ExitBootServices, plus what the loader
				   allocated for ranges LOADER, KERNEL and MODULE */
	uint64_t tsc_entry;     /* TSC at entry of corbel.efi */
	uint64_t tsc_files;     /* ticks that the firmware's file reading took in between */
	uint64_t tsc_exit;      /* TSC right after ExitBootServices */
	uint64_t random;        /* nobody can tell beforehand: ring 0's stack canary */
	char command_line[256]; /* of the UEFI load options, ASCII, may be empty */
};

/*
 * The kernel is entered at its ELF entry point in 64-bit mode with interrupts off, EFER.NXE on, and
 * paging on with tables made for it: in the upper half its segments at their link addresses, each
 * with no more rights than it needs, the block at BOOT_WINDOW + block, and root entries for all of
 * BOOT_WINDOW that has RAM, BOOT_SLOTS, BOOT_STACKS and BOOT_FRAMES, which need never change again;
 * at BOOT_WINDOW + trace that memory; at BOOT_WINDOW + address the pages of the local APIC's, the
 * IOAPICs' and the reset register, not cached; at BOOT_FRAMES + n * BOOT_RECORD a zeroed record of
 * block n, for all of each GiB that has RAM below record_count; all global. In the lower half all
 * of the ranges FREE, LOADER, KERNEL, MODULE and ACPI are mapped to themselves, by tables in LOADER
 * ranges. RDI = struct boot_info, in the block at BOOT_WINDOW, where it stays; RSP = a stack of at
 * least 16 KiB in a LOADER range. The 8259 pair and each line of the IOAPICs are masked; the local
 * APIC is as the firmware left it, but for its timer, which stands still.
 */
