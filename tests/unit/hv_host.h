/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lets a test include hv.c and one vendor's control.c, the other's table being empty: the core is
 * a variable, memory is the host's, a page's physical address is its own, and privileged
 * instructions do nothing but what the test says.
 */
#pragma once
#define pause insn_pause /* and not that of <unistd.h> */
#include "arch/x86_64/insn.h"
#undef pause

#include "arch/x86_64/hv.h"
#include "arch/x86_64/regs.h"
#include "kernel/frames.h"
#include "kernel/object.h"
#include "kernel/panic.h"
#include "tests/unit/unit.h"

static struct core the_core, other_core, *here = &the_core;
static const struct boot_info told = {.cpu.efer = 0xd01};
const struct boot_info *boot_info = &told;

static inline uint64_t zero_register(void)
{
	return 0;
}

static inline uint64_t zero_msr(uint32_t index)
{
	(void)index;
	return 0;
}

static inline void drop_trace(uint32_t what)
{
	(void)what;
}

static inline void drop_register(uint64_t value)
{
	(void)value;
}

static inline void drop_msr(uint32_t index, uint64_t value)
{
	(void)index;
	(void)value;
}

static inline hpa_t page_hpa(const void *page)
{
	return (hpa_t){(uint64_t)page};
}

#define core_this() (here)
#define core_trace  drop_trace
#define kpage_hpa   page_hpa
#define rdmsr       zero_msr
#define wrmsr       drop_msr
#define read_cr0    zero_register
#define read_cr4    zero_register
#define read_dr0    zero_register
#define read_dr1    zero_register
#define read_dr2    zero_register
#define read_dr3    zero_register
#define read_dr6    zero_register
#define write_dr0   drop_register
#define write_dr1   drop_register
#define write_dr2   drop_register
#define write_dr3   drop_register
#define write_dr6   drop_register

void *kalloc(struct quota *quota, size_t size)
{
	(void)quota;
	return calloc(1, size);
}

void kfree(struct quota *quota, void *p, size_t size)
{
	(void)quota;
	(void)size;
	free(p);
}

void fpu_load(struct fpu_area *area)
{
	here->fpu_owner = area;
}

/* The other core does what it is called for at once. */
void cpu_call(const struct cpu *only, const struct space *space, void (*function)(void *),
	      void *argument)
{
	struct core *was = here;

	CHECK(only && !space);
	here = (struct core *)only;
	function(argument);
	here = was;
}

struct fpu_area *fpu_area_alloc(struct quota *quota, uint64_t xcr0)
{
	(void)xcr0;
	return kalloc(quota, 1);
}

void fpu_area_free(struct quota *quota, struct fpu_area *area)
{
	kfree(quota, area, 1);
}

void fpu_save(void *area)
{
	if (here->fpu_owner == area)
		fpu_load(NULL);
}

void arch_vcpu_set_xcr0(struct vcpu *vcpu, uint64_t xcr0)
{
	(void)vcpu;
	(void)xcr0;
}

struct pt_leaf pagetable_query(const struct pagetable *pt, uint64_t address)
{
	(void)pt;
	(void)address;
	return (struct pt_leaf){0};
}

struct pagetable arch_kernel_table;

_Noreturn void panic_at(const char *file, int line, const char *sentence)
{
	printf("not ok %s: %s:%d: %s\n", unit_name, file, line, sentence);
	unit_fail();
}

/* A VM whose stage-2 root lies at `root`, and its vCPU. */
struct guest {
	struct vcpu vcpu;
	struct abi_vcpu_page page;
	uint8_t lapic[PAGE_SIZE];
	struct vm vm; /* last, as its end is open */
};

static struct guest *guest_create(uint64_t root)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	guest->vm.stage2.table.root.value = root;
	guest->vcpu.vm = &guest->vm;
	guest->vcpu.page = &guest->page;
	guest->vcpu.lapic.page = guest->lapic;
	CHECK_EQ(arch_vcpu_init(&guest->vcpu), 0);
	return guest;
}

static void guest_destroy(struct guest *guest)
{
	arch_vcpu_exit(&guest->vcpu);
	free(guest);
}

/* What the TLB may hold since a guest ran: a translation made with two names. */
struct translation {
	uint64_t name[2]; /* EPTP and VPID, or the ASID */
	unsigned owner;   /* number of the guest; 0 = no translation */
};
static struct translation tlb[64];

/* Forgets what has this name at place `i`. */
static void tlb_flush(unsigned i, uint64_t name)
{
	for (struct translation *t = tlb; t < tlb + ARRAY_COUNT(tlb); t++)
		if (t->name[i] == name)
			t->owner = 0;
}

/* Guest number `owner` runs under these names: no other's translation may answer. */
static void tlb_use(uint64_t first, uint64_t second, unsigned owner)
{
	struct translation *free_one = NULL;

	for (struct translation *t = tlb; t < tlb + ARRAY_COUNT(tlb); t++) {
		if (!t->owner)
			free_one = t;
		else
			CHECK(t->owner == owner || t->name[0] != first);
	}
	CHECK(free_one);
	*free_one = (struct translation){{first, second}, owner};
}
