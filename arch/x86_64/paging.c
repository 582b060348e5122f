/* SPDX-License-Identifier: BSD-2-Clause */
/* Ring 0's own page tables, and the protections that control registers switch on. */
#include "arch/x86_64/core.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/system.h"

/* SDM vol 3, "4-Level Paging". */
#define PTE_P      (1ull << 0)
#define PTE_RW     (1ull << 1)
#define PTE_US     (1ull << 2)
#define PTE_A      (1ull << 5)
#define PTE_D      (1ull << 6)
#define PTE_G      (1ull << 8)
#define PTE_NX     (1ull << 63)
#define UPPER_HALF (PAGE_SIZE / 2) /* of a root: ring 0's */

bool paging_has_smap;

const struct pt_format arch_host_format = {
	.present_mask = PTE_P,
	.table_bits = PTE_P | PTE_RW | PTE_US | PTE_A, /* the leaf decides */
	.leaf_bits = PTE_P | PTE_A | PTE_D,
	.write_bits = PTE_RW,
	.noexec_bits = PTE_NX,
	.user_bits = PTE_US,
	.global_bits = PTE_G,
};

struct pagetable arch_kernel_table = {.format = &arch_host_format, .levels = 4};

void paging_cpu_start(void)
{
	paging_has_smap = (boot_info->cpu.cr4 & CR4_SMAP) != 0;
	wrmsr(IA32_PAT, PAT_RESET);
	write_cr0(CR0_PG | CR0_WP | CR0_AM | CR0_NE | CR0_ET | CR0_MP | CR0_TS | CR0_PE);
	write_cr4(boot_info->cpu.cr4);
	xsetbv(0, boot_info->cpu.xcr0);
}

void arch_paging_init(const struct boot_info *info)
{
	paging_cpu_start(); /* protections */
	arch_kernel_table.root.value = info->block;
	arch_kernel_table.table_count = info->block_used;
}

void paging_drop_loader(void)
{
	memset(kpage_at(arch_kernel_table.root), 0, UPPER_HALF);
	arch_tlb_flush_all(NULL);
}

void arch_space_init_root(void *root)
{
	const char *kernel_root = kpage_at(arch_kernel_table.root);

	memcpy((char *)root + UPPER_HALF, kernel_root + UPPER_HALF, PAGE_SIZE - UPPER_HALF);
}

void arch_space_activate(hpa_t root)
{
	if (read_cr3() != root.value)
		write_cr3(root.value);
}

void arch_tlb_flush_page(void *address)
{
	invlpg((uint64_t)address);
}

/* Global translations go only when CR4.PGE changes. */
void arch_tlb_flush_all(UNUSED void *unused)
{
	uint64_t cr4 = read_cr4();

	write_cr4(cr4 & ~CR4_PGE);
	write_cr4(cr4);
}
