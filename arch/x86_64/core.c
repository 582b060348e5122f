/* SPDX-License-Identifier: BSD-2-Clause */
/* A core's own GDT and TSS, its control registers, and what it asks CPUID. */
#include "arch/x86_64/core.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/traps.h"
#include "boot/boot_info.h"
#include "kernel/panic.h"
#include "kernel/system.h"

#define GDT_CODE    0x00209a0000000000ull /* present, DPL 0, execute-read, L */
#define GDT_DATA    0x0000920000000000ull /* present, DPL 0, read-write */
#define GDT_TSS     0x0000890000000000ull /* present, available 64-bit TSS */
#define GDT_OF_USER 0x0000600000000000ull /* DPL 3 */

struct core core_boot;
uint64_t arch_ops[ABI_OP_COUNT];
extern char ist_stacks[IST_COUNT][STACK_SIZE]; /* linker.ld; of the boot core */

/* SDM vol 3, "TSS Descriptor in 64-bit mode": 16 bytes. */
static void core_fill_gdt(struct core *core)
{
	uint64_t base = (uint64_t)&core->tss, limit = sizeof(core->tss) - 1;

	core->gdt[1] = GDT_CODE;
	core->gdt[2] = GDT_DATA;
	core->gdt[3] = GDT_CODE | GDT_OF_USER;
	core->gdt[4] = GDT_DATA | GDT_OF_USER;
	core->gdt[5] = GDT_TSS | limit | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	core->gdt[6] = base >> 32;
}

static void core_load_gdt(struct core *core)
{
	struct table_register gdtr = {sizeof(core->gdt) - 1, (uint64_t)core->gdt};

	__asm__ volatile("lgdt %0\n\t"
			 "push %1\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "mov %2, %%ss\n\t"
			 "mov %3, %%ds\n\t"
			 "mov %3, %%es\n\t"
			 "mov %3, %%fs\n\t"
			 "mov %3, %%gs\n\t"
			 "lldt %w3\n\t"
			 "ltr %w4"
			 :
			 : "m"(gdtr), "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA), "r"(0),
			   "r"(SELECTOR_TSS)
			 : "rax", "memory");
}

uint64_t core_stack(struct core *core, uint64_t end)
{
	*(struct core **)(end - 16) = core;
	return end - 16;
}

void core_start(struct core *core)
{
	core_fill_gdt(core);
	core->tss.io_map_base = sizeof(core->tss); /* past the limit: ring 3 has no ports */
	core_load_gdt(core);
	wrmsr(IA32_FS_BASE, 0);
	wrmsr(IA32_GS_BASE, 0);
	wrmsr(IA32_KERNEL_GS_BASE, 0);
	wrmsr(IA32_EFER, (rdmsr(IA32_EFER) | EFER_NXE) & ~EFER_SCE);
	wrmsr(IA32_SYSENTER_CS, 0); /* with that and EFER.SCE, INT 0x80 is the only way in */
	write_dr7(DR7_FIXED);
}

struct cpu *arch_this_cpu(void)
{
	return &core_this()->cpu;
}

uint32_t arch_port_in(uint16_t port, unsigned size)
{
	uint32_t value = 0;

	if (size == 1)
		__asm__ volatile("inb %1, %b0" : "+a"(value) : "Nd"(port));
	else if (size == 2)
		__asm__ volatile("inw %1, %w0" : "+a"(value) : "Nd"(port));
	else
		__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

void arch_port_out(uint16_t port, unsigned size, uint32_t value)
{
	if (size == 1)
		__asm__ volatile("outb %b0, %1" : : "a"(value), "Nd"(port) : "memory");
	else if (size == 2)
		__asm__ volatile("outw %w0, %1" : : "a"(value), "Nd"(port) : "memory");
	else
		__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* The window opens after the instruction behind STI: HLT, or NOP. Nothing is held here. */
void arch_idle(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

void core_trace_start(struct core *core)
{
	core->trace.address = BOOT_WINDOW + boot_info->trace + core->cpu.index * BOOT_TRACE_SIZE;
}

void arch_trace(uint32_t who, uint32_t what)
{
	((struct abi_trace *)core_this()->trace.address)->who = who;
	core_trace(what);
}

void arch_irq_window(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

void arch_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

void arch_ipi(struct cpu *cpu)
{
	apic_send(cpu->apic_id, VECTOR_IPI);
}

/* By the gate, whose IRET also ends the blocking of further NMIs. */
void arch_nmi_serve(void)
{
	__asm__ volatile("int $2" : : : "memory");
}

void arch_early_init(void)
{
	for (unsigned i = 0; i < IST_COUNT; i++)
		core_boot.tss.ist[i] = core_stack(&core_boot, (uint64_t)ist_stacks[i] + STACK_SIZE);
	core_start(&core_boot); /* GDT, TSS, EFER */
	traps_init();           /* IDT: from here on faults are told */
}

void arch_init(const struct boot_info *info)
{
	machine_check_init();         /* hardware errors are reported */
	core_trace_start(&core_boot); /* what happens is noted */
	apic_init(info);              /* the timer can interrupt */
	hv_init();                    /* VT-x or SVM is on */
	cores_start(info);            /* and so are the other cores */
	paging_drop_loader();         /* the lower half is ring 3's now */
}
