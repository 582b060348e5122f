/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile CPU states are refused, the usual ones taken. */
#include "arch/x86_64/guest_state.h"

#include "arch/x86_64/regs.h"
#include "tests/unit/unit.h"

#define CR4_BITS (CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_OSFXSR)

static struct abi_cpu cpu;

static void reset(void)
{
	guest_limits.physical_bits = 40;
	guest_limits.linear_bits = 48;
	guest_limits.efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	memset(&cpu, 0, sizeof(cpu));
	cpu.rip = 0xfff0;
	cpu.rflags = 2;
	cpu.cr0 = 0x60000010;
	cpu.dr6 = 0xffff0ff0;
	cpu.dr7 = 0x400;
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		cpu.segment[i] = (struct abi_segment_state){.limit = 0xffff, .attributes = 0x93};
	cpu.segment[ABI_CS].attributes = 0x9b;
	cpu.segment[ABI_CS].base = 0xffff0000;
	cpu.segment[ABI_LDTR].attributes = 0x82;
	cpu.segment[ABI_TR].attributes = 0x8b;
	cpu.gdtr.limit = cpu.idtr.limit = 0xffff;
}

static void reset_long(void)
{
	reset();
	cpu.rip = 0xffffffff81000000;
	cpu.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
	cpu.cr3 = 0x1000;
	cpu.cr4 = CR4_PAE;
	cpu.efer = EFER_LME | EFER_LMA;
	for (unsigned i = 0; i <= ABI_GS; i++)
		cpu.segment[i] =
			(struct abi_segment_state){.limit = 0xffffffff, .attributes = 0xc93};
	cpu.segment[ABI_CS].attributes = 0xa9b;
	cpu.segment[ABI_CS].base = 0;
}

static bool is_valid(void)
{
	return guest_state_is_valid(&cpu, CR4_BITS);
}

/* Sets one field, expects the verdict, and puts it back. */
#define WITH(field, value, verdict)                                                                \
	do {                                                                                       \
		__typeof__(field) old_ = (field);                                                  \
		(field) = (value);                                                                 \
		CHECK_EQ(is_valid(), verdict);                                                     \
		(field) = old_;                                                                    \
	} while (0)

TEST(reset_and_long_mode_are_valid)
{
	reset();
	CHECK(is_valid());
	reset_long();
	CHECK(is_valid());
	cpu.segment[ABI_DS].attributes = 0; /* null segments */
	cpu.segment[ABI_SS].attributes = 0;
	cpu.segment[ABI_LDTR].attributes = 0;
	CHECK(is_valid());
}

TEST(control_registers_are_checked)
{
	reset_long();
	WITH(cpu.cr0, CR0_PE | CR0_ET, 0);  /* LMA without paging */
	WITH(cpu.cr0, CR0_PG | CR0_ET, 0);  /* paging without protection */
	WITH(cpu.cr0, cpu.cr0 | CR0_NW, 0); /* NW without CD */
	WITH(cpu.cr0, cpu.cr0 | CR0_NW | CR0_CD, 1);
	WITH(cpu.cr0, cpu.cr0 | 1ull << 6, 0);
	WITH(cpu.cr0, cpu.cr0 | 1ull << 32, 0);
	WITH(cpu.cr4, 0, 0); /* long mode without PAE */
	WITH(cpu.cr4, CR4_PAE | CR4_VMXE, 0);
	WITH(cpu.cr4, CR4_PAE | CR4_PCIDE, 1);
	WITH(cpu.cr3, 1ull << 40, 0);
	WITH(cpu.cr3, (1ull << 40) - 1, 1);
	WITH(cpu.efer, EFER_LME, 0); /* LMA must follow */
	WITH(cpu.efer, EFER_LME | EFER_LMA | EFER_SVME, 0);
	WITH(cpu.efer, EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE, 1);
	WITH(cpu.dr6, 1ull << 32, 0);
	WITH(cpu.dr7, 1ull << 32, 0);
	reset();
	WITH(cpu.cr4, CR4_PCIDE, 0);
	WITH(cpu.efer, EFER_LMA, 0);
	WITH(cpu.efer, EFER_LME, 1);
}

TEST(rip_and_flags_are_checked)
{
	reset_long();
	WITH(cpu.rip, 0x800000000000, 0);
	WITH(cpu.rip, 0x7fffffffffff, 1);
	WITH(cpu.rip, 0xffff7fffffffffff, 0);
	WITH(cpu.rflags, 0, 0);
	WITH(cpu.rflags, 2 | 1 << 3, 0);
	WITH(cpu.rflags, 2 | 1 << 15, 0);
	WITH(cpu.rflags, 2 | 1 << 22, 0);
	WITH(cpu.rflags, 2 | RFLAGS_VM, 0);
	WITH(cpu.rflags, 0x3f7fd7 & ~RFLAGS_VM, 1);
	WITH(cpu.segment[ABI_CS].attributes, 0xc9b, 0); /* compatibility mode: RIP has 32 bits */
	reset();
	WITH(cpu.rip, 1ull << 32, 0);
	WITH(cpu.rip, 0xffffffff, 1);
	WITH(cpu.rflags, 2 | RFLAGS_VM, 0);
}

TEST(segments_are_checked)
{
	reset_long();
	WITH(cpu.segment[ABI_CS].attributes, 0xe9b, 0); /* L and D */
	WITH(cpu.segment[ABI_CS].attributes, 0xa1b, 0); /* not present */
	WITH(cpu.segment[ABI_CS].attributes, 0xa9a, 0); /* not accessed */
	WITH(cpu.segment[ABI_CS].attributes, 0xafb, 0); /* DPL 3 while CPL is 0 */
	WITH(cpu.segment[ABI_CS].attributes, 0xa9f, 1); /* conforming */
	WITH(cpu.segment[ABI_CS].attributes, 0xa8b, 0); /* a system segment */
	WITH(cpu.segment[ABI_CS].attributes, 0x1a9b, 0);
	WITH(cpu.segment[ABI_CS].limit, 0xfffff, 1);
	WITH(cpu.segment[ABI_CS].limit, 0xff000, 0); /* granularity and limit disagree */
	WITH(cpu.segment[ABI_DS].attributes, 0x493, 0);
	WITH(cpu.segment[ABI_CS].base, 1ull << 32, 0);
	WITH(cpu.segment[ABI_SS].attributes, 0xc9b, 0); /* code */
	WITH(cpu.segment[ABI_SS].attributes, 0xc97, 1);
	WITH(cpu.segment[ABI_SS].attributes, 0xcf3, 0); /* CPL 3 with CS of DPL 0 */
	WITH(cpu.segment[ABI_DS].attributes, 0xc92, 0);
	WITH(cpu.segment[ABI_DS].attributes, 0xc99, 0); /* code that cannot be read */
	WITH(cpu.segment[ABI_DS].base, 1ull << 32, 0);
	WITH(cpu.segment[ABI_FS].base, 0xffff888000000000, 1);
	WITH(cpu.segment[ABI_FS].base, 1ull << 50, 0);
	WITH(cpu.segment[ABI_TR].attributes, 0x83, 0); /* 16-bit TSS */
	WITH(cpu.segment[ABI_TR].attributes, 0x89, 0); /* not busy */
	WITH(cpu.segment[ABI_TR].attributes, 0x0b, 0);
	WITH(cpu.segment[ABI_TR].selector, 4, 0);
	WITH(cpu.segment[ABI_TR].base, 1ull << 50, 0);
	WITH(cpu.segment[ABI_LDTR].attributes, 0x8b, 0);
	WITH(cpu.segment[ABI_LDTR].base, 1ull << 50, 0);
	WITH(cpu.gdtr.limit, 0x10000, 0);
	WITH(cpu.idtr.base, 1ull << 50, 0);
	reset();
	WITH(cpu.segment[ABI_TR].attributes, 0x83, 1);
	WITH(cpu.segment[ABI_CS].attributes, 0x93, 1); /* real mode */
	WITH(cpu.segment[ABI_SS].attributes, 0xf3, 0);
}

TEST(virtual_8086_needs_its_own_segments)
{
	reset();
	cpu.cr0 |= CR0_PE;
	cpu.rflags |= RFLAGS_VM;
	CHECK(!is_valid());
	for (unsigned i = 0; i <= ABI_GS; i++)
		cpu.segment[i] = (struct abi_segment_state){
			.base = 0x12340, .selector = 0x1234, .limit = 0xffff, .attributes = 0xf3};
	CHECK(is_valid());
	WITH(cpu.segment[ABI_GS].base, 0x12350, 0);
	WITH(cpu.segment[ABI_GS].limit, 0xfffff, 0);
}

TEST(msr_values_that_the_cpu_refuses_are_refused)
{
	reset();
	CHECK(guest_msr_is_valid(IA32_PAT, 0x0007040600070406));
	CHECK(!guest_msr_is_valid(IA32_PAT, 0x0007040600070402));
	CHECK(!guest_msr_is_valid(IA32_PAT, 0x0807040600070406));
	CHECK(guest_msr_is_valid(IA32_LSTAR, 0xffffffff81000000));
	CHECK(!guest_msr_is_valid(IA32_LSTAR, 0x800000000000));
	CHECK(guest_msr_is_valid(IA32_STAR, UINT64_MAX));
	CHECK(!guest_msr_is_valid(IA32_FMASK, 1ull << 32));
	CHECK(!guest_msr_is_valid(IA32_EFER, EFER_SVME));
}

int main(void)
{
	RUN(reset_and_long_mode_are_valid);
	RUN(control_registers_are_checked);
	RUN(rip_and_flags_are_checked);
	RUN(segments_are_checked);
	RUN(virtual_8086_needs_its_own_segments);
	RUN(msr_values_that_the_cpu_refuses_are_refused);
	return unit_end();
}
