/* SPDX-License-Identifier: BSD-2-Clause */
/* Which format a kernel has, and the CPU state that each starts in. */
#include "services/vmm/loader.h"

#include "kernel/abi.h"
#include "services/vmm/loader_room.h"
#include "services/vmm/x86.h"

#define CR0_RESET 0x60000010ull /* CD, NW, ET */
#define CR0_ET    0x10ull
#define CR0_NE    0x20ull
#define EFER_LME  0x100ull
#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400ull
#define TSS_LIMIT 0x67u

/* Attributes of struct abi_segment_state: present, flat, accessed. */
#define CODE_64 0xa9bu
#define CODE_32 0xc9bu
#define DATA_32 0xc93u
#define TSS_32  0x8bu /* busy */
#define LDT     0x02u /* not present */
#define CODE_16 0x09bu
#define DATA_16 0x093u

bool loader_load(const struct loader_boot *boot, struct loader_entry *entry,
		 char why[LOADER_WHY_SIZE])
{
	static const struct {
		bool (*is)(const struct loader_file *kernel);
		bool (*load)(struct loader *loader, struct loader_entry *entry);
	} formats[] = {
		{loader_bzimage_is, loader_bzimage},
		{loader_multiboot_is, loader_multiboot},
		{loader_pvh_is, loader_pvh},
	};
	struct loader loader = {.boot = boot, .why = why};

	why[0] = 0;
	memset(entry, 0, sizeof(*entry));
	for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i].is(&boot->kernel))
			return formats[i].load(&loader, entry);
	return loader_refuse(&loader,
			     "its kernel is no bzImage, has no Multiboot header in the first 8 KiB "
			     "and is no ELF file with a PVH note");
}

void loader_gdt(uint64_t gdt[LOADER_GDT_SIZE / 8])
{
	gdt[0] = 0;
	gdt[1] = 0;
	gdt[LOADER_CS / 8] = 0x00af9b000000ffff;
	gdt[LOADER_DS / 8] = 0x00cf93000000ffff;
}

void loader_cpu(const struct loader_entry *entry, struct abi_cpu *cpu, uint64_t gpr[16])
{
	memset(cpu, 0, sizeof(*cpu));
	memset(gpr, 0, 16 * sizeof(gpr[0]));
	for (unsigned i = ABI_ES; i <= ABI_GS; i++)
		cpu->segment[i] = (struct abi_segment_state){
			.limit = 0xffffffff, .selector = LOADER_DS, .attributes = DATA_32};
	cpu->segment[ABI_CS].selector = LOADER_CS;
	cpu->segment[ABI_CS].attributes = entry->is_64bit ? CODE_64 : CODE_32;
	cpu->segment[ABI_LDTR].attributes = LDT;
	cpu->segment[ABI_TR] = (struct abi_segment_state){.limit = TSS_LIMIT, .attributes = TSS_32};
	cpu->rflags = 2;
	cpu->dr6 = DR6_RESET;
	cpu->dr7 = DR7_RESET;
	cpu->cr0 = X86_CR0_PE | CR0_ET;
	if (entry->is_64bit) {
		cpu->cr0 |= X86_CR0_PG | CR0_NE;
		cpu->cr4 = X86_CR4_PAE;
		cpu->efer = EFER_LME | X86_EFER_LMA;
		cpu->cr3 = entry->cr3;
		cpu->segment[ABI_GDTR].base = entry->gdt;
		cpu->segment[ABI_GDTR].limit = LOADER_GDT_SIZE - 1;
	}
	cpu->rip = entry->rip;
	gpr[ABI_RAX] = entry->rax;
	gpr[ABI_RBX] = entry->rbx;
	gpr[ABI_RSI] = entry->rsi;
}

/* SDM vol 3, "Processor State After Reset", but for CS and RIP. */
void loader_start_up(uint8_t page, struct abi_cpu *cpu, uint64_t gpr[16])
{
	memset(cpu, 0, sizeof(*cpu));
	memset(gpr, 0, 16 * sizeof(gpr[0]));
	for (unsigned i = ABI_ES; i <= ABI_GS; i++)
		cpu->segment[i] =
			(struct abi_segment_state){.limit = 0xffff, .attributes = DATA_16};
	cpu->segment[ABI_CS] = (struct abi_segment_state){.base = (uint64_t)page << 12,
							  .limit = 0xffff,
							  .selector = (uint16_t)(page << 8),
							  .attributes = CODE_16};
	cpu->segment[ABI_LDTR].attributes = LDT;
	cpu->segment[ABI_TR] = (struct abi_segment_state){.limit = 0xffff, .attributes = TSS_32};
	cpu->segment[ABI_GDTR].limit = cpu->segment[ABI_IDTR].limit = 0xffff;
	cpu->rflags = 2;
	cpu->cr0 = CR0_RESET;
	cpu->dr6 = DR6_RESET;
	cpu->dr7 = DR7_RESET;
}
