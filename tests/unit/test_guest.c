/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest CPU's registers, MSRs and events, over a control block that is an array. */
#include "arch/x86_64/hv.h"

#include "arch/x86_64/regs.h"
#include "kernel/system.h"
#include "tests/unit/unit.h"

enum { RIP = 1, RFLAGS, CR0, CR4, EFER, DR6, DR7, TSC_OFFSET, MSR, PLACES = MSR + HV_MSR_COUNT };

static uint64_t block[PLACES], cr2, cr3;
static struct abi_segment_state segments[ABI_DESCRIPTOR_COUNT];
static struct fpu_area area = {.xcr0 = 1};
static struct arch_vcpu arch = {.fpu = &area};
static struct vm vm;
static struct vcpu vcpu = {.vm = &vm, .arch = &arch};
static bool is_long;
static unsigned mode_changes, ends;
static uint32_t injected;

static uint64_t fake_read(struct vcpu *of, uint16_t where)
{
	CHECK(of == &vcpu && where && where < PLACES);
	return block[where];
}

static void fake_write(struct vcpu *of, uint16_t where, uint64_t value)
{
	CHECK(of == &vcpu && where && where < PLACES);
	block[where] = value;
}

static void fake_get(struct vcpu *of, struct abi_cpu *cpu, unsigned count)
{
	CHECK(of == &vcpu);
	cpu->rip = block[RIP];
	cpu->rflags = block[RFLAGS];
	cpu->cr0 = block[CR0];
	cpu->cr2 = cr2;
	cpu->cr3 = cr3;
	cpu->cr4 = block[CR4];
	cpu->efer = block[EFER];
	for (unsigned i = 0; i < count; i++)
		cpu->segment[i] = segments[i];
}

static unsigned fake_attributes(struct vcpu *of, unsigned segment)
{
	CHECK(of == &vcpu);
	return segments[segment].attributes;
}

static void fake_set(struct vcpu *of, const struct abi_cpu *cpu)
{
	CHECK(of == &vcpu);
	block[RIP] = cpu->rip;
	block[RFLAGS] = cpu->rflags;
	block[CR0] = cpu->cr0;
	cr2 = cpu->cr2;
	cr3 = cpu->cr3;
	block[CR4] = cpu->cr4;
	block[EFER] = cpu->efer;
	for (unsigned i = 0; i < ABI_DESCRIPTOR_COUNT; i++)
		segments[i] = cpu->segment[i];
}

static void fake_mode_changed(struct vcpu *of, bool now_long)
{
	CHECK(of == &vcpu);
	is_long = now_long;
	mode_changes++;
}

static void fake_end(struct vcpu *of)
{
	CHECK(of == &vcpu);
	ends++;
}

static void fake_inject(struct vcpu *of, const struct abi_event *event, uint32_t info)
{
	CHECK(of == &vcpu && event->is_valid);
	injected = info;
}

static uint32_t blocks;
static unsigned unloads;

static uint32_t fake_get_blocks(struct vcpu *of)
{
	CHECK(of == &vcpu);
	return blocks;
}

static void fake_set_blocks(struct vcpu *of, uint32_t value)
{
	CHECK(of == &vcpu);
	blocks = value;
}

void hv_unload(void)
{
	unloads++;
}

void fpu_save(void *saved)
{
	CHECK(saved == &area);
}

void arch_vcpu_set_xcr0(struct vcpu *of, uint64_t value)
{
	CHECK(of == &vcpu);
	area.xcr0 = value;
}

const uint32_t hv_msrs[HV_MSR_COUNT] = {IA32_PAT,   IA32_EFER,    IA32_LSTAR,      IA32_STAR,
					IA32_FMASK, IA32_TSC_AUX, IA32_SYSENTER_CS};

static const struct hv_ops ops = {
	.msr_where = {MSR, EFER, MSR + 1, MSR + 2, MSR + 3, MSR + 4, MSR + 5},
	.where = {[HV_RIP] = RIP,
		  [HV_RFLAGS] = RFLAGS,
		  [HV_CR0] = CR0,
		  [HV_CR4] = CR4,
		  [HV_EFER] = EFER,
		  [HV_DR6] = DR6,
		  [HV_DR7] = DR7,
		  [HV_TSC_OFFSET] = TSC_OFFSET},
	.read = fake_read,
	.write = fake_write,
	.get = fake_get,
	.attributes = fake_attributes,
	.set = fake_set,
	.mode_changed = fake_mode_changed,
	.end_instruction = fake_end,
	.get_blocks = fake_get_blocks,
	.set_blocks = fake_set_blocks,
	.inject = fake_inject,
};
const struct hv_ops *hv = &ops;

static const struct boot_info told = {.cpu.efer = 0xd01};
const struct boot_info *boot_info = &told;

static struct abi_cpu long_state(void)
{
	struct abi_cpu cpu = {.rip = 0xffffffff81000000,
			      .rflags = 2,
			      .cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE,
			      .cr2 = 7,
			      .cr3 = 0x1000,
			      .cr4 = CR4_PAE,
			      .efer = EFER_LME | EFER_LMA,
			      .dr6 = DR6_FIXED,
			      .dr7 = DR7_FIXED,
			      .segment = {[ABI_GDTR] = {.base = 0x5000, .limit = 0x7f},
					  [ABI_IDTR] = {.base = 0x6000, .limit = 0xfff}}};

	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		cpu.segment[i] = (struct abi_segment_state){
			.limit = 0xffffffff, .selector = (uint16_t)(8 * i), .attributes = 0xc93};
	cpu.segment[ABI_CS].attributes = 0xa9b;
	return cpu;
}

TEST(a_state_comes_back_as_it_was_set)
{
	struct abi_cpu cpu = long_state(), got;

	memset(&got, 0xee, sizeof(got));
	CHECK_EQ(arch_vcpu_set_cpu(&vcpu, &cpu), 0);
	CHECK(is_long);
	CHECK_EQ(mode_changes, 1);
	arch_vcpu_get_cpu(&vcpu, &got);
	CHECK(memcmp(&cpu, &got, offsetof(struct abi_cpu, pdpte)) == 0);
	CHECK_EQ(segments[ABI_GDTR].base, 0x5000);
	CHECK_EQ(segments[ABI_IDTR].limit, 0xfff);
	CHECK_EQ(arch_vcpu_cpl(&vcpu), 0);
	CHECK(arch_vcpu_is_long(&vcpu));
	segments[ABI_SS].attributes |= 0x60;
	CHECK_EQ(arch_vcpu_cpl(&vcpu), 3);
}

TEST(bits_that_no_guest_may_set_are_refused)
{
	struct abi_cpu cpu = long_state();

	block[RIP] = 42;
	cpu.cr4 |= CR4_VMXE;
	CHECK_EQ(arch_vcpu_set_cpu(&vcpu, &cpu), -ABI_EINVAL);
	for (unsigned bit = 0; bit < 64; bit++) { /* nor LA57, SMXE, PKE, CET, UINTR, LAM */
		cpu = long_state();
		cpu.cr4 |= 1ull << bit;
		if (bit > 21 || bit == 19 || (bit >= 12 && bit < 16))
			CHECK_EQ(arch_vcpu_set_cpu(&vcpu, &cpu), -ABI_EINVAL);
	}
	cpu = long_state();
	cpu.efer |= EFER_SVME;
	CHECK_EQ(arch_vcpu_set_cpu(&vcpu, &cpu), -ABI_EINVAL);
	CHECK_EQ(block[RIP], 42);
	CHECK_EQ(mode_changes, 0);
}

TEST(debug_registers_keep_their_fixed_bits)
{
	struct abi_cpu cpu = long_state();

	cpu.dr6 = UINT64_MAX;
	cpu.dr7 = UINT64_MAX;
	CHECK_EQ(arch_vcpu_set_cpu(&vcpu, &cpu), 0);
	CHECK_EQ(block[DR6], 0xffffeffful);
	CHECK_EQ(block[DR7], UINT32_MAX);
	cpu.dr6 = cpu.dr7 = 0;
	CHECK_EQ(arch_vcpu_set_cpu(&vcpu, &cpu), 0);
	CHECK_EQ(block[DR6], DR6_FIXED);
	CHECK_EQ(block[DR7], DR7_FIXED);
}

TEST(long_mode_follows_paging)
{
	struct abi_cpu cpu = long_state();

	cpu.efer = EFER_LME;
	CHECK_EQ(arch_vcpu_set_cpu(&vcpu, &cpu), 0);
	CHECK(is_long && block[EFER] == (EFER_LME | EFER_LMA));
	cpu.cr0 = CR0_PE;
	CHECK_EQ(arch_vcpu_set_cpu(&vcpu, &cpu), 0);
	CHECK(!is_long && block[EFER] == EFER_LME);
	CHECK(arch_vcpu_msr_set(&vcpu, IA32_EFER, 0));
	CHECK(arch_vcpu_msr_set(&vcpu, IA32_EFER, EFER_LME | EFER_LMA));
	CHECK(!is_long && block[EFER] == EFER_LME);
}

TEST(lme_stays_while_paging_is_on)
{
	struct abi_cpu cpu = long_state();

	CHECK_EQ(arch_vcpu_set_cpu(&vcpu, &cpu), 0);
	CHECK(!arch_vcpu_msr_set(&vcpu, IA32_EFER, 0));
	CHECK(!arch_vcpu_msr_set(&vcpu, IA32_EFER, EFER_LMA));
	CHECK(arch_vcpu_msr_set(&vcpu, IA32_EFER, EFER_LME));
	CHECK_EQ(block[EFER], EFER_LME | EFER_LMA);
	CHECK(is_long);
	block[CR0] = CR0_PE | CR0_PG;
	block[EFER] = EFER_NXE;
	CHECK(!arch_vcpu_msr_set(&vcpu, IA32_EFER, EFER_LME));
	CHECK(arch_vcpu_msr_set(&vcpu, IA32_EFER, 0));
}

TEST(rip_has_the_width_of_the_mode)
{
	arch_vcpu_set_rip(&vcpu, 0x123456789);
	CHECK_EQ(block[RIP], 0x23456789);
	block[EFER] = EFER_LMA;
	arch_vcpu_set_rip(&vcpu, 0x123456789); /* compatibility mode */
	CHECK_EQ(block[RIP], 0x23456789);
	segments[ABI_CS].attributes = 0xa9b;
	arch_vcpu_set_rip(&vcpu, 0x123456789);
	CHECK_EQ(block[RIP], 0x123456789);
	CHECK_EQ(ends, 3);
}

TEST(only_status_flags_can_be_set)
{
	block[RFLAGS] = 2 | RFLAGS_IF | 1;
	arch_vcpu_set_rflags(&vcpu, 0x3f7fd7 & ~1ull & ~RFLAGS_IF);
	CHECK_EQ(block[RFLAGS], 2 | RFLAGS_IF | 0xcd4);
}

TEST(msr_values_that_the_cpu_refuses_are_refused)
{
	static const struct {
		uint32_t index;
		uint64_t value;
		bool is_valid;
	} rows[] = {
		{IA32_PAT, 0x0007040600070406, true},   {IA32_PAT, 0x0007040600070402, false},
		{IA32_PAT, 0x0807040600070406, false},  {IA32_LSTAR, 0xffffffff81000000, true},
		{IA32_LSTAR, 0x800000000000, false},    {IA32_STAR, UINT64_MAX, true},
		{IA32_FMASK, 1ull << 32, false},        {IA32_TSC_AUX, 1ull << 32, false},
		{IA32_SYSENTER_CS, 1ull << 32, false},  {IA32_EFER, EFER_SVME, false},
		{IA32_EFER, EFER_NXE | EFER_SCE, true}, {IA32_APIC_BASE, 0, false}, /* not here */
	};
	uint64_t value;

	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		CHECK_EQ(arch_vcpu_msr_set(&vcpu, rows[i].index, rows[i].value), rows[i].is_valid);
		if (!rows[i].is_valid)
			continue;
		CHECK(arch_vcpu_msr_get(&vcpu, rows[i].index, &value));
		CHECK_EQ(value, rows[i].value);
	}
	CHECK(!arch_vcpu_msr_get(&vcpu, IA32_APIC_BASE, &value));
}

TEST(real_mode_pushes_no_error_code)
{
	struct abi_event event = {
		.is_valid = 1, .type = VM_EVENT_EXCEPTION, .vector = 13, .has_error = 1};

	arch_vcpu_inject(&vcpu, &event);
	CHECK_EQ(injected, EVENT_VALID | 3 << 8 | 13);
	block[CR0] = CR0_PE;
	arch_vcpu_inject(&vcpu, &event);
	CHECK_EQ(injected, EVENT_VALID | 3 << 8 | EVENT_ERROR | 13);
}

TEST(hidden_state_comes_back_as_it_was_set)
{
	struct abi_hidden hidden = {.dr = {1, 2, 3, UINT64_MAX},
				    .xcr0 = 7,
				    .blocks = ABI_BLOCK_MOV_SS | ABI_BLOCK_NMI | ABI_BLOCK_STEP},
			  got = {0};

	CHECK_EQ(arch_vcpu_set_hidden(&vcpu, &hidden), 0);
	arch_vcpu_get_hidden(&vcpu, &got);
	CHECK(memcmp(&hidden, &got, sizeof(got)) == 0);
	CHECK_EQ(unloads, 2); /* the core's debug registers are another's, or out of date */
	CHECK_EQ(blocks, hidden.blocks);
}

TEST(the_shadow_of_sti_needs_the_flag)
{
	struct abi_hidden hidden = {.dr = {5}, .xcr0 = 3, .blocks = ABI_BLOCK_STI};

	CHECK_EQ(arch_vcpu_set_hidden(&vcpu, &hidden), -ABI_EINVAL);
	CHECK_EQ(blocks, 0);
	CHECK_EQ(area.xcr0, 1);
	CHECK_EQ(arch.dr[0], 0);
	block[RFLAGS] = RFLAGS_IF;
	CHECK_EQ(arch_vcpu_set_hidden(&vcpu, &hidden), 0);
	CHECK_EQ(blocks, ABI_BLOCK_STI);
}

int main(void)
{
	RUN(a_state_comes_back_as_it_was_set);
	RUN(bits_that_no_guest_may_set_are_refused);
	RUN(debug_registers_keep_their_fixed_bits);
	RUN(long_mode_follows_paging);
	RUN(lme_stays_while_paging_is_on);
	RUN(rip_has_the_width_of_the_mode);
	RUN(only_status_flags_can_be_set);
	RUN(msr_values_that_the_cpu_refuses_are_refused);
	RUN(real_mode_pushes_no_error_code);
	RUN(hidden_state_comes_back_as_it_was_set);
	RUN(the_shadow_of_sti_needs_the_flag);
	return unit_end();
}
