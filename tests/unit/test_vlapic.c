/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's local APIC: its registers in both modes, priorities, messages and IPIs, its state. */
#include "kernel/vlapic.h"

#include "fake_vcpu.h"
#include "unit.h"

#define ENABLE       (1ull << 11)
#define X2APIC       (1ull << 10)
#define BSP          (1ull << 8)
#define SVR_ON       0x1ffu
#define MASKED       0x10000u
#define SELF         (1u << 18)
#define LEVEL        0x8000u
#define LOGICAL      0x800u
#define LOWEST       0x100u
#define NMI          0x400u
#define INIT         0x500u
#define STARTUP      0x600u
#define ASSERT_LEVEL 0x4000u
#define MANY         40u
#define SEND_ILLEGAL 0x20u
#define RECV_ILLEGAL 0x40u
#define REG_ILLEGAL  0x80u

static struct vcpu *vcpu;

static uint32_t read_reg(uint32_t offset)
{
	uint64_t value;

	CHECK(vlapic_read(vcpu, offset, &value));
	return (uint32_t)value;
}

static bool write_reg(uint32_t offset, uint64_t value)
{
	return vlapic_write(vcpu, offset, value);
}

static void start(bool x2apic)
{
	vcpu = fake_vcpu_start(0);
	if (x2apic)
		CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | ENABLE | X2APIC | BSP));
	write_reg(VLAPIC_SVR, SVR_ON);
	vcpu->needs_look = false;
}

static bool bit(uint32_t base, unsigned vector)
{
	return read_reg(base + vector / 32 * 16) >> vector % 32 & 1;
}

static bool is_pending(unsigned vector)
{
	return bit(VLAPIC_IRR, vector);
}

static void self_ipi(unsigned vector)
{
	write_reg(VLAPIC_ICR, SELF | vector);
}

static uint32_t errors(void)
{
	write_reg(VLAPIC_ESR, 0);
	return read_reg(VLAPIC_ESR);
}

static void message(uint32_t destination, bool is_logical, uint32_t low)
{
	vlapic_message(vcpu->vm, destination, is_logical, low);
}

/* ---- registers ---- */

TEST(reset_is_as_the_sdm_has_it)
{
	vcpu = fake_vcpu_start(0);
	CHECK_EQ(vcpu->lapic.base_msr, VLAPIC_BASE | ENABLE | BSP);
	CHECK_EQ(read_reg(VLAPIC_ID), 0);
	CHECK_EQ(read_reg(VLAPIC_VERSION) & 0xff, 0x14);
	CHECK_EQ(read_reg(VLAPIC_VERSION) >> 16,
		 5); /* six LVT entries, no CMCI without machine-check banks */
	CHECK_EQ(read_reg(VLAPIC_SVR), 0xff);
	CHECK_EQ(read_reg(VLAPIC_DFR), 0xffffffff);
	CHECK_EQ(read_reg(VLAPIC_LDR), 0);
	CHECK_EQ(read_reg(VLAPIC_TPR) | read_reg(VLAPIC_PPR), 0);
	for (uint32_t lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
		CHECK_EQ(read_reg(lvt),
			 lvt == VLAPIC_LVT_LINT0 ? 0x700 : MASKED); /* as firmware leaves it */
	for (unsigned vector = 0; vector < 256; vector += 32)
		CHECK_EQ(read_reg(VLAPIC_ISR + vector / 2) | read_reg(VLAPIC_TMR + vector / 2) |
				 read_reg(VLAPIC_IRR + vector / 2),
			 0);
}

/* Which bits a guest can write; readable, or write-only (0), in either mode. */
static const struct {
	uint32_t offset, bits;
	bool xapic_read, xapic_write, x2apic_read, x2apic_write;
} registers[] = {
	{VLAPIC_ID, 0, true, false, true, false},
	{VLAPIC_VERSION, 0, true, false, true, false},
	{VLAPIC_TPR, 0xff, true, true, true, true},
	{VLAPIC_PPR, 0, true, false, true, false},
	{VLAPIC_EOI, 0, false, true, false, true},
	{VLAPIC_LDR, 0xff000000, true, true, true, false},
	{VLAPIC_DFR, 0xf0000000, true, true, false, false},
	{VLAPIC_SVR, 0x3ff, true, true, true, true},
	{VLAPIC_ESR, 0, true, true, true, true},
	{VLAPIC_ICR, 0xccfff, true, true, true, true},
	{VLAPIC_ICR_HIGH, 0xff000000, true, true, false, false},
	{VLAPIC_LVT_TIMER, 0x700ff, true, true, true, true},
	{VLAPIC_LVT_THERMAL, 0x107ff, true, true, true, true},
	{VLAPIC_LVT_PERF, 0x107ff, true, true, true, true},
	{VLAPIC_LVT_LINT0, 0x1a7ff, true, true, true, true},
	{VLAPIC_LVT_LINT1, 0x1a7ff, true, true, true, true},
	{VLAPIC_LVT_ERROR, 0x100ff, true, true, true, true},
	{VLAPIC_TIMER_INITIAL, 0xffffffff, true, true, true, true},
	{VLAPIC_TIMER_CURRENT, 0, true, false, true, false},
	{VLAPIC_TIMER_DIVIDE, 0xb, true, true, true, true},
	{VLAPIC_SELF_IPI, 0xff, false, false, false, true},
};

static int find(uint32_t offset)
{
	for (unsigned i = 0; i < ARRAY_COUNT(registers); i++)
		if (registers[i].offset == offset)
			return (int)i;
	return -1;
}

static bool is_bitmap(uint32_t offset)
{
	return offset >= VLAPIC_ISR && offset < VLAPIC_ESR;
}

TEST(x2apic_has_the_registers_of_the_sdm_and_faults_on_others)
{
	uint64_t value;

	start(true);
	for (uint32_t offset = 0; offset < 0x400; offset += 16) {
		int i = find(offset);

		CHECK_EQ(vlapic_read(vcpu, offset, &value),
			 i < 0 ? is_bitmap(offset) : registers[i].x2apic_read);
		CHECK_EQ(vlapic_write(vcpu, offset, 0),
			 offset != VLAPIC_ICR && i >= 0 && registers[i].x2apic_write
				 ? true
				 : offset == VLAPIC_ICR);
	}
}

TEST(x2apic_faults_on_reserved_bits_and_changes_nothing)
{
	start(true);
	for (unsigned i = 0; i < ARRAY_COUNT(registers); i++) {
		uint32_t offset = registers[i].offset;

		if (!registers[i].x2apic_write || offset == VLAPIC_ICR)
			continue;
		for (unsigned n = 0; n < 64; n++) {
			uint64_t before = 0, after = 0;
			bool has = n < 32 && registers[i].bits >> n & 1;
			bool read_only = offset >= VLAPIC_LVT_TIMER && offset <= VLAPIC_LVT_ERROR &&
					 (n == 12 || n == 14);

			vlapic_read(vcpu, offset, &before);
			CHECK_EQ(vlapic_write(vcpu, offset, 1ull << n), has || read_only);
			vlapic_read(vcpu, offset, &after);
			CHECK(has || read_only || before == after);
		}
	}
}

TEST(x2apics_icr_takes_a_destination_and_ignores_busy)
{
	uint64_t value;

	start(true);
	for (unsigned n = 0; n < 64; n++) {
		bool reserved = n == 13 || n == 16 || n == 17 || (n >= 20 && n < 32);

		CHECK_EQ(vlapic_write(vcpu, VLAPIC_ICR, 1ull << n | 0x40), !reserved);
	}
	CHECK(vlapic_write(vcpu, VLAPIC_ICR, 0x1234567800000041));
	CHECK(vlapic_read(vcpu, VLAPIC_ICR, &value));
	CHECK_EQ(value, 0x1234567800000041);
}

TEST(xapic_keeps_the_bits_that_a_register_has)
{
	start(false);
	for (unsigned i = 0; i < ARRAY_COUNT(registers); i++) {
		uint32_t offset = registers[i].offset, want = registers[i].bits;

		if (!registers[i].xapic_read || !registers[i].xapic_write || offset == VLAPIC_ESR)
			continue;
		write_reg(offset, UINT32_MAX);
		CHECK_EQ(read_reg(offset), offset == VLAPIC_DFR ? UINT32_MAX : want);
		write_reg(offset, offset == VLAPIC_SVR ? SVR_ON : 0);
		CHECK_EQ(read_reg(offset), offset == VLAPIC_SVR   ? SVR_ON
					   : offset == VLAPIC_DFR ? 0x0fffffff
								  : 0);
	}
}

TEST(xapic_ignores_writes_to_what_is_read_only)
{
	static const uint32_t offsets[] = {VLAPIC_ID,           VLAPIC_VERSION,    VLAPIC_PPR,
					   VLAPIC_ISR,          VLAPIC_IRR + 0x70, VLAPIC_TMR,
					   VLAPIC_TIMER_CURRENT};

	start(false);
	for (unsigned i = 0; i < ARRAY_COUNT(offsets); i++) {
		uint32_t before = read_reg(offsets[i]);

		write_reg(offsets[i], 0x55555555);
		CHECK_EQ(read_reg(offsets[i]), before);
	}
	CHECK_EQ(errors(), 0);
}

TEST(xapic_notes_an_access_to_no_register)
{
	uint64_t value = 5;

	start(false);
	for (uint32_t offset = 0; offset <= 0xff0; offset += 16) {
		if (find(offset) >= 0 || is_bitmap(offset))
			continue;
		CHECK(!vlapic_read(vcpu, offset, &value));
		CHECK_EQ(value, 0);
		CHECK_EQ(errors(), REG_ILLEGAL);
		CHECK(!vlapic_write(vcpu, offset, 1));
		CHECK_EQ(errors(), REG_ILLEGAL);
	}
	CHECK_EQ(errors(), 0);
}

TEST(all_registers_take_garbage)
{
	uint32_t state = 7;

	for (unsigned mode = 0; mode < 2; mode++) {
		start(mode);
		for (unsigned i = 0; i < 200000; i++) {
			uint64_t value;

			state = state * 1664525u + 1013904223u;
			vlapic_write(vcpu, state >> 20 & 0xff0, (uint64_t)state * state);
			vlapic_read(vcpu, state >> 16 & 0xff0, &value);
			vlapic_pending(vcpu);
		}
	}
}

/* ---- priorities ---- */

/* What the CPU takes now, if it can take anything. */
static int take(void)
{
	int vector = vlapic_pending(vcpu);

	if (vector < 0 || (unsigned)vector >> 4 <= *vlapic_reg(vcpu, VLAPIC_TPR) >> 4)
		return -1;
	vlapic_accept(vcpu, (unsigned)vector);
	return vector;
}

TEST(the_highest_vector_comes_first_and_nests)
{
	start(true);
	self_ipi(0x41);
	CHECK_EQ(take(), 0x41);
	CHECK(!is_pending(0x41) && bit(VLAPIC_ISR, 0x41));
	CHECK_EQ(read_reg(VLAPIC_PPR), 0x40);
	self_ipi(0x4f); /* the same class */
	CHECK_EQ(take(), -1);
	self_ipi(0x52);
	self_ipi(0x51);
	CHECK_EQ(take(), 0x52);
	CHECK_EQ(read_reg(VLAPIC_PPR), 0x50);
	write_reg(VLAPIC_EOI, 0);
	CHECK_EQ(take(), 0x51);
	write_reg(VLAPIC_EOI, 0);
	CHECK_EQ(take(), -1);
	write_reg(VLAPIC_EOI, 0);
	CHECK_EQ(take(), 0x4f);
	write_reg(VLAPIC_EOI, 0);
	CHECK_EQ(read_reg(VLAPIC_PPR), 0);
	write_reg(VLAPIC_EOI, 0); /* one too many */
	CHECK_EQ(take(), -1);
}

TEST(tpr_holds_its_class_and_those_below_back)
{
	start(true);
	write_reg(VLAPIC_TPR, 0x52);
	CHECK_EQ(read_reg(VLAPIC_PPR), 0x52);
	self_ipi(0x5f);
	CHECK_EQ(take(), -1);
	self_ipi(0x60);
	CHECK_EQ(take(), 0x60);
	CHECK_EQ(read_reg(VLAPIC_PPR), 0x60);
	write_reg(VLAPIC_EOI, 0);
	vcpu->needs_look = false;
	write_reg(VLAPIC_TPR, 0x4f);
	CHECK(vcpu->needs_look);
	CHECK_EQ(take(), 0x5f);
}

TEST(one_vector_waits_once_and_is_served_once)
{
	start(true);
	for (unsigned vector = 16; vector < 256; vector++) {
		self_ipi(vector);
		self_ipi(vector);
		CHECK_EQ(take(), (int)vector);
		self_ipi(vector); /* again, while it is in service */
		CHECK_EQ(take(), -1);
		write_reg(VLAPIC_EOI, 0);
		CHECK_EQ(take(), (int)vector);
		write_reg(VLAPIC_EOI, 0);
		CHECK_EQ(take(), -1);
	}
}

TEST(the_end_of_a_level_triggered_interrupt_is_told)
{
	start(true);
	message(0, false, LEVEL | 0x4000 | 0x51);
	CHECK(bit(VLAPIC_TMR, 0x51));
	CHECK_EQ(take(), 0x51);
	CHECK_EQ(vcpu->lapic.eoi_vector, 0);
	write_reg(VLAPIC_EOI, 0);
	CHECK_EQ(vcpu->lapic.eoi_vector, 0x51);
	CHECK(vcpu->needs_look);
	vcpu->lapic.eoi_vector = 0;
	message(0, false, 0x51); /* the same vector by an edge */
	CHECK(!bit(VLAPIC_TMR, 0x51));
	CHECK_EQ(take(), 0x51);
	write_reg(VLAPIC_EOI, 0);
	CHECK_EQ(vcpu->lapic.eoi_vector, 0);
}

/* ---- messages and IPIs ---- */

TEST(a_message_reaches_the_id_and_the_broadcast)
{
	for (unsigned mode = 0; mode < 2; mode++) {
		start(mode);
		message(0, false, 0x30);
		message(0xff, false, 0x31);
		message(1, false, 0x32);
		CHECK(is_pending(0x30) && is_pending(0x31) && !is_pending(0x32));
		CHECK(vcpu->needs_look);
	}
}

TEST(a_message_to_a_flat_logical_id)
{
	start(false);
	message(0xff, true, 0x30); /* broadcast, also before LDR is written */
	CHECK(is_pending(0x30));
	message(0x01, true, 0x31);
	write_reg(VLAPIC_LDR, 0x04000000);
	message(0x03, true, 0x32);
	message(0x06, true, 0x33);
	CHECK(!is_pending(0x31) && !is_pending(0x32) && is_pending(0x33));
}

TEST(a_message_to_a_cluster)
{
	start(false);
	write_reg(VLAPIC_DFR, 0);
	write_reg(VLAPIC_LDR, 0x22000000);
	message(0x22, true, 0x30);
	message(0x2f, true, 0x31);
	message(0x2d, true, 0x32);
	message(0x12, true, 0x33);
	message(0x20, true, 0x34);
	CHECK(is_pending(0x30) && is_pending(0x31) && !is_pending(0x32) && !is_pending(0x33) &&
	      !is_pending(0x34));
}

TEST(x2apics_logical_id_comes_from_the_id)
{
	vcpu = fake_vcpu_start(0);
	vcpu->index = 0x25;
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | ENABLE | X2APIC));
	write_reg(VLAPIC_SVR, SVR_ON);
	CHECK_EQ(read_reg(VLAPIC_ID), 0x25);
	CHECK_EQ(read_reg(VLAPIC_LDR), 0x00020020);
	write_reg(VLAPIC_ICR, 0x00020020ull << 32 | LOGICAL | 0x30);
	write_reg(VLAPIC_ICR, 0x0002ffdfull << 32 | LOGICAL | 0x31);
	write_reg(VLAPIC_ICR, 0x00030020ull << 32 | LOGICAL | 0x32);
	write_reg(VLAPIC_ICR,
		  0x000000ffull << 32 | LOGICAL | 0x33); /* eight of cluster 0, not all */
	write_reg(VLAPIC_ICR, 0xffffffffull << 32 | LOGICAL | 0x34);
	write_reg(VLAPIC_ICR, 0x00000025ull << 32 | 0x35);
	write_reg(VLAPIC_ICR, 0xffffffffull << 32 | 0x36);
	write_reg(VLAPIC_ICR, 0x000000ffull << 32 | 0x37); /* an id of 255 */
	CHECK(is_pending(0x30) && !is_pending(0x31) && !is_pending(0x32) && !is_pending(0x33));
	CHECK(is_pending(0x34) && is_pending(0x35) && is_pending(0x36) && !is_pending(0x37));
}

TEST(xapics_ipi_goes_to_the_destination_written_before)
{
	start(false);
	write_reg(VLAPIC_ICR_HIGH, 0);
	write_reg(VLAPIC_ICR, 0x30);
	write_reg(VLAPIC_ICR_HIGH, 0xff000000);
	write_reg(VLAPIC_ICR, 0x31);
	write_reg(VLAPIC_ICR_HIGH, 0x05000000);
	write_reg(VLAPIC_ICR, 0x32);
	write_reg(VLAPIC_LDR, 0x01000000);
	write_reg(VLAPIC_ICR, LOGICAL | 0x33);
	write_reg(VLAPIC_ICR, LOGICAL | LOWEST | 0x34);
	CHECK(is_pending(0x30) && is_pending(0x31) && !is_pending(0x32) && is_pending(0x33) &&
	      is_pending(0x34));
	CHECK_EQ(read_reg(VLAPIC_ICR), LOGICAL | LOWEST | 0x34); /* idle: no delivery status */
}

TEST(shorthands_choose_without_a_destination)
{
	for (unsigned mode = 0; mode < 2; mode++) {
		start(mode);
		if (!mode)
			write_reg(VLAPIC_ICR_HIGH, 0x77000000);
		write_reg(VLAPIC_ICR, 1u << 18 | 0x30); /* self */
		write_reg(VLAPIC_ICR, 2u << 18 | 0x31); /* all */
		write_reg(VLAPIC_ICR, 3u << 18 | 0x32); /* all others */
		write_reg(VLAPIC_ICR, 3u << 18 | NMI);
		CHECK(is_pending(0x30) && is_pending(0x31) && !is_pending(0x32) &&
		      !vcpu->nmi_pending);
	}
}

TEST(the_self_ipi_register_is_x2apics)
{
	start(true);
	CHECK(write_reg(VLAPIC_SELF_IPI, 0x66));
	CHECK(is_pending(0x66));
	start(false);
	CHECK(!write_reg(VLAPIC_SELF_IPI, 0x66));
	CHECK(!is_pending(0x66));
}

TEST(an_ipi_is_edge_triggered)
{
	start(true);
	message(0, false, LEVEL | 0x41);
	CHECK(bit(VLAPIC_TMR, 0x41));
	write_reg(VLAPIC_ICR, SELF | LEVEL | 0x4000 | 0x41);
	CHECK(!bit(VLAPIC_TMR, 0x41));
}

TEST(an_nmi_is_noted_by_itself)
{
	start(true);
	write_reg(VLAPIC_ICR, SELF | NMI);
	CHECK(vcpu->nmi_pending && vcpu->needs_look);
	CHECK_EQ(vlapic_pending(vcpu), -1);
	vcpu->nmi_pending = false;
	message(0, false, NMI | 0x30);
	CHECK(vcpu->nmi_pending && !is_pending(0x30));
}

TEST(modes_that_are_not_there_do_nothing)
{
	static const uint32_t modes[] = {2, 3, 7};

	start(true);
	for (unsigned i = 0; i < ARRAY_COUNT(modes); i++) {
		write_reg(VLAPIC_ICR, SELF | modes[i] << 8 | 0x40);
		message(0, false, modes[i] << 8 | 0x40);
	}
	CHECK_EQ(vlapic_pending(vcpu), -1);
	CHECK(!vcpu->nmi_pending && !vcpu->startup);
	CHECK_EQ(errors(), 0);
}

/* ---- several vCPUs ---- */

static struct vcpu *all[MANY];

/* `vcpu` is the first of them. */
static void start_many(bool x2apic)
{
	struct vm *vm;

	fake_vcpu_start(0);
	CHECK_EQ(vm_create(process_current(), MANY, 0, &vm), 0);
	for (unsigned i = 0; i < MANY; i++) {
		CHECK_EQ(vcpu_create(vm, i, &vcpu), 0);
		all[i] = vcpu;
		CHECK_EQ(vcpu->startup, i ? ABI_STARTUP_WAITS : 0);
		vcpu->startup = 0;
		if (x2apic)
			CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | ENABLE | X2APIC));
		write_reg(VLAPIC_SVR, SVR_ON);
	}
	vcpu = all[0];
}

/* By index, those that have got the vector, which is taken away again. */
static uint64_t reached(unsigned vector)
{
	uint64_t set = 0;

	for (unsigned i = 0; i < MANY; i++) {
		vcpu = all[i];
		set |= (uint64_t)is_pending(vector) << i;
		if (is_pending(vector))
			vlapic_accept(vcpu, vector);
		write_reg(VLAPIC_EOI, 0);
		CHECK(vcpu->needs_look);
	}
	vcpu = all[0];
	return set;
}

static uint64_t sent(unsigned from, uint32_t destination, uint32_t low)
{
	vcpu = all[from];
	write_reg(VLAPIC_ICR, (uint64_t)destination << 32 | low | 0x50);
	return reached(0x50);
}

#define ALL_OF_THEM ((1ull << MANY) - 1)

TEST(ipis_find_their_destinations_in_x2apic_mode)
{
	start_many(true);
	for (unsigned i = 0; i < MANY; i++) {
		CHECK_EQ(sent(3, i, 0), 1ull << i);
		CHECK_EQ(sent(i, i >> 4 << 16 | 1u << (i & 15), LOGICAL), 1ull << i);
		CHECK_EQ(sent(i, 7, SELF), 1ull << i);
		CHECK_EQ(sent(i, 7, 2 * SELF), ALL_OF_THEM);
		CHECK_EQ(sent(i, 7, 3 * SELF), ALL_OF_THEM & ~(1ull << i));
	}
	CHECK_EQ(sent(0, 0x18005, LOGICAL), 0x5ull << 16 | 1ull << 31);
	CHECK_EQ(sent(0, 0x2ffff, LOGICAL), 0xffull << 32);
	CHECK_EQ(sent(0, 0x3ffff, LOGICAL), 0);
	CHECK_EQ(sent(0, UINT32_MAX, 0), ALL_OF_THEM);
	CHECK_EQ(sent(0, UINT32_MAX, LOGICAL), ALL_OF_THEM);
	CHECK_EQ(sent(0, MANY, 0), 0);
	CHECK_EQ(sent(0, 0xff, 0), 0);
	CHECK_EQ(sent(0, UINT32_MAX - 1, 0), 0);
}

TEST(ipis_find_their_destinations_in_xapic_mode)
{
	start_many(false);
	for (unsigned i = 0; i < 8; i++) {
		vcpu = all[i];
		write_reg(VLAPIC_LDR, 0x01000000u << i);
	}
	for (unsigned i = 0; i < MANY; i++) {
		vcpu = all[i];
		write_reg(VLAPIC_ICR_HIGH, 0x85u << 24);
		CHECK_EQ(sent(i, 0, LOGICAL), 0x85);
		vcpu = all[i];
		write_reg(VLAPIC_ICR_HIGH, i << 24);
		CHECK_EQ(sent(i, 0, 0), 1ull << i);
		CHECK_EQ(sent(i, 0, 3 * SELF), ALL_OF_THEM & ~(1ull << i));
	}
	write_reg(VLAPIC_ICR_HIGH, 0xff000000);
	CHECK_EQ(sent(0, 0, 0), ALL_OF_THEM);
	for (unsigned i = 0; i < 16; i++) { /* clusters of four */
		vcpu = all[i];
		write_reg(VLAPIC_DFR, 0);
		write_reg(VLAPIC_LDR, (i / 4 << 4 | 1u << i % 4) << 24);
	}
	write_reg(VLAPIC_ICR_HIGH, 0);
	vcpu = all[0];
	write_reg(VLAPIC_ICR_HIGH, 0x2au << 24);
	CHECK_EQ(sent(0, 0, LOGICAL), 0xaull << 8);
}

TEST(a_device_reaches_any_vcpu)
{
	start_many(true);
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000 | 37 << 12, 0x50), 0);
	CHECK_EQ(reached(0x50), 1ull << 37);
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000 | 0x81 << 12 | 4, 0x50), 0);
	CHECK_EQ(reached(0x50), 0x81);
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000 | 0xff << 12, 0x50), 0);
	CHECK_EQ(reached(0x50), ALL_OF_THEM);
}

TEST(the_lowest_priority_takes_what_goes_to_it)
{
	start_many(true);
	for (unsigned i = 0; i < MANY; i++)
		*vlapic_reg(all[i], VLAPIC_TPR) = 0x40;
	CHECK_EQ(sent(1, UINT32_MAX, LOWEST), 1);
	*vlapic_reg(all[9], VLAPIC_TPR) = 0x30;
	CHECK_EQ(sent(1, UINT32_MAX, LOWEST), 1ull << 9);
	CHECK_EQ(sent(1, 0x10, LOWEST | LOGICAL), 1ull << 4);
	*vlapic_reg(all[9], VLAPIC_TPR) = 0;
	vcpu = all[9];
	self_ipi(0x88);
	vlapic_accept(vcpu, 0x88); /* what is in service counts too */
	*vlapic_reg(all[12], VLAPIC_TPR) = 0x20;
	message(0xff, false, LOWEST | 0x50);
	CHECK(*vlapic_reg(all[12], VLAPIC_IRR + 0x20) == 1u << 16);
	CHECK_EQ(reached(0x50), 1ull << 12);
	vcpu = all[12];
	write_reg(VLAPIC_SVR, 0xff); /* one that takes none is not asked */
	CHECK_EQ(sent(1, UINT32_MAX, LOWEST) & 1ull << 12, 0);
	for (unsigned i = 0; i < MANY; i++) {
		vcpu = all[i];
		write_reg(VLAPIC_SVR, 0xff);
	}
	CHECK_EQ(sent(1, UINT32_MAX, LOWEST), 0);
}

TEST(nmis_go_to_each_that_is_meant)
{
	start_many(true);
	write_reg(VLAPIC_ICR, 3 * SELF | NMI);
	for (unsigned i = 0; i < MANY; i++)
		CHECK_EQ(all[i]->nmi_pending, i != 0);
	write_reg(VLAPIC_ICR, SELF | NMI);
	CHECK(vcpu->nmi_pending);
}

/* SDM vol 3, "MP Initialization Protocol Algorithm for MP Systems". */
TEST(start_up_counts_once_after_init)
{
	start_many(true);
	write_reg(VLAPIC_ICR, 5ull << 32 | STARTUP | 0x9a); /* it runs */
	CHECK_EQ(all[5]->startup, 0);
	write_reg(VLAPIC_ICR, 5ull << 32 | INIT | LEVEL); /* the end of a level */
	CHECK_EQ(all[5]->startup, 0);
	all[5]->needs_look = false;
	write_reg(VLAPIC_ICR, 5ull << 32 | INIT | ASSERT_LEVEL);
	CHECK_EQ(all[5]->startup, ABI_STARTUP_WAITS | ABI_STARTUP_INIT);
	CHECK(all[5]->needs_look);
	write_reg(VLAPIC_ICR, 5ull << 32 | STARTUP | 0x9a);
	write_reg(VLAPIC_ICR, 5ull << 32 | STARTUP | 0x77);
	CHECK_EQ(all[5]->startup, ABI_STARTUP_WAITS | ABI_STARTUP_INIT | ABI_STARTUP_CAME | 0x9a);
	write_reg(VLAPIC_ICR, 5ull << 32 | INIT | LEVEL | ASSERT_LEVEL);
	CHECK_EQ(all[5]->startup, ABI_STARTUP_WAITS | ABI_STARTUP_INIT);
	write_reg(VLAPIC_ICR, 3 * SELF | INIT);
	write_reg(VLAPIC_ICR, 3 * SELF | STARTUP | 1);
	for (unsigned i = 1; i < MANY; i++)
		CHECK_EQ(all[i]->startup,
			 ABI_STARTUP_WAITS | ABI_STARTUP_INIT | ABI_STARTUP_CAME | 1);
	CHECK_EQ(vcpu->startup, 0);
	write_reg(VLAPIC_ICR, SELF | STARTUP | 1);
	CHECK_EQ(vcpu->startup, 0);
	CHECK_EQ(errors(), 0); /* no vector is too low for it */
}

TEST(one_that_is_off_or_gone_is_not_reached)
{
	start_many(true);
	CHECK(vlapic_set_base(all[2], VLAPIC_BASE));
	object_unref(&all[3]->object);
	while (reaper_step())
		;
	CHECK(!vcpu->vm->vcpus[3]);
	write_reg(VLAPIC_ICR, 3 * SELF | INIT);
	write_reg(VLAPIC_ICR, 3ull << 32 | INIT);
	write_reg(VLAPIC_ICR, 3 * SELF | NMI);
	CHECK(!all[2]->startup && !all[2]->nmi_pending && all[4]->startup);
}

TEST(vectors_below_16_are_errors)
{
	start(true);
	self_ipi(15);
	CHECK_EQ(errors(), SEND_ILLEGAL);
	CHECK_EQ(errors(), 0);
	message(0, false, 15);
	CHECK_EQ(errors(), RECV_ILLEGAL);
	self_ipi(0);
	message(0, false, 0);
	CHECK_EQ(errors(), SEND_ILLEGAL | RECV_ILLEGAL);
	CHECK(write_reg(VLAPIC_SELF_IPI, 3));
	CHECK_EQ(errors(), SEND_ILLEGAL);
	CHECK_EQ(vlapic_pending(vcpu), -1);
}

TEST(esr_shows_what_came_before_the_last_write)
{
	start(true);
	self_ipi(3);
	CHECK_EQ(read_reg(VLAPIC_ESR), 0);
	write_reg(VLAPIC_ESR, 0);
	CHECK_EQ(read_reg(VLAPIC_ESR), SEND_ILLEGAL);
	CHECK_EQ(read_reg(VLAPIC_ESR), SEND_ILLEGAL);
	write_reg(VLAPIC_ESR, 0);
	CHECK_EQ(read_reg(VLAPIC_ESR), 0);
}

TEST(an_error_interrupts_if_its_entry_lets_it)
{
	start(true);
	self_ipi(3);
	CHECK_EQ(vlapic_pending(vcpu), -1);
	write_reg(VLAPIC_LVT_ERROR, 0x77);
	self_ipi(3); /* noted already */
	CHECK_EQ(vlapic_pending(vcpu), -1);
	CHECK_EQ(errors(), SEND_ILLEGAL);
	self_ipi(3);
	CHECK_EQ(take(), 0x77);
	write_reg(VLAPIC_EOI, 0);
	write_reg(VLAPIC_LVT_ERROR, 5); /* a vector that is an error itself */
	errors();
	self_ipi(3);
	CHECK_EQ(vlapic_pending(vcpu), -1);
	CHECK_EQ(errors(), SEND_ILLEGAL | RECV_ILLEGAL);
}

/* ---- on and off ---- */

TEST(disabled_by_svr_it_takes_nmis_alone)
{
	start(true);
	write_reg(VLAPIC_LVT_TIMER, 0x40);
	write_reg(VLAPIC_LVT_LINT0, 0x700);
	write_reg(VLAPIC_SVR, 0xff);
	for (uint32_t lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
		CHECK(read_reg(lvt) & MASKED);
	write_reg(VLAPIC_LVT_TIMER, 0x41);
	CHECK_EQ(read_reg(VLAPIC_LVT_TIMER), MASKED | 0x41); /* the mask cannot be taken off */
	CHECK(!vlapic_takes_extint(vcpu));
	message(0, false, 0x50);
	CHECK(!is_pending(0x50));
	message(0, false, NMI);
	CHECK(vcpu->nmi_pending);
	write_reg(VLAPIC_SVR, SVR_ON);
	CHECK(read_reg(VLAPIC_LVT_TIMER) & MASKED);
}

TEST(what_waits_when_svr_disables_it_is_still_served)
{
	start(true);
	self_ipi(0x50);
	self_ipi(0x60);
	CHECK_EQ(take(), 0x60);
	write_reg(VLAPIC_SVR, 0xff);
	write_reg(VLAPIC_EOI, 0);
	CHECK_EQ(take(), 0x50);
}

TEST(disabled_by_its_msr_it_is_reset_and_deaf)
{
	start(true);
	write_reg(VLAPIC_TPR, 0x20);
	self_ipi(0x50);
	self_ipi(3);
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | BSP));
	CHECK_EQ(vlapic_pending(vcpu), -1);
	message(0, false, 0x60);
	message(0, false, NMI);
	CHECK(!vcpu->nmi_pending);
	CHECK(vlapic_takes_extint(vcpu)); /* the 8259 pair is wired straight to the CPU */
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | ENABLE | BSP));
	CHECK_EQ(vlapic_pending(vcpu), -1);
	CHECK_EQ(read_reg(VLAPIC_TPR), 0);
	CHECK_EQ(read_reg(VLAPIC_SVR), 0xff);
	CHECK_EQ(errors(), 0);
}

TEST(the_msr_follows_the_diagram_of_transitions)
{
	static const uint64_t modes[] = {0, X2APIC, ENABLE, ENABLE | X2APIC};
	static const bool may[4][4] = {
		/* from, to */
		{true, false, true, false},
		{false, false, false, false},
		{true, false, true, true},
		{true, false, false, true},
	};

	vcpu = fake_vcpu_start(0);
	for (unsigned from = 0; from < 4; from++) {
		if (from == 1)
			continue; /* cannot be reached */
		for (unsigned to = 0; to < 4; to++) {
			vlapic_set_base(vcpu, VLAPIC_BASE | BSP);
			if (from)
				CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | BSP | ENABLE));
			if (from == 3)
				CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | BSP | ENABLE | X2APIC));
			CHECK_EQ(vcpu->lapic.base_msr, VLAPIC_BASE | BSP | modes[from]);
			CHECK_EQ(vlapic_set_base(vcpu, VLAPIC_BASE | BSP | modes[to]),
				 may[from][to]);
			CHECK_EQ(vcpu->lapic.base_msr,
				 VLAPIC_BASE | BSP | modes[may[from][to] ? to : from]);
		}
	}
}

TEST(the_msr_has_no_other_bits_and_one_address)
{
	vcpu = fake_vcpu_start(0);
	for (unsigned n = 0; n < 64; n++)
		if (n != 8 && n != 10 && n != 11)
			CHECK(!vlapic_set_base(vcpu, (VLAPIC_BASE | ENABLE | BSP) ^ 1ull << n));
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | ENABLE)); /* BSP is read-only */
	CHECK_EQ(vcpu->lapic.base_msr, VLAPIC_BASE | ENABLE | BSP);
}

TEST(the_step_to_x2apic_keeps_the_state)
{
	start(false);
	write_reg(VLAPIC_TPR, 0x30);
	write_reg(VLAPIC_LVT_ERROR, 0x77);
	write_reg(VLAPIC_ICR, SELF | 0x41);
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | ENABLE | X2APIC | BSP));
	CHECK_EQ(read_reg(VLAPIC_TPR), 0x30);
	CHECK_EQ(read_reg(VLAPIC_LVT_ERROR), 0x77);
	CHECK_EQ(read_reg(VLAPIC_LDR), 1);
	CHECK(is_pending(0x41));
}

TEST(lint0_lets_the_8259_pair_in)
{
	start(true);
	CHECK(vlapic_takes_extint(vcpu));
	vcpu->needs_look = false;
	write_reg(VLAPIC_LVT_LINT0, MASKED | 0x700);
	CHECK(!vlapic_takes_extint(vcpu) && vcpu->needs_look);
	write_reg(VLAPIC_LVT_LINT0, 0x30); /* fixed */
	CHECK(!vlapic_takes_extint(vcpu));
	write_reg(VLAPIC_LVT_LINT0, 0x700);
	CHECK(vlapic_takes_extint(vcpu));
}

/* ---- accesses by vmm, and messages of devices ---- */

TEST(vmm_reaches_the_page_in_xapic_mode_alone)
{
	start(false);
	CHECK_EQ(vcpu_apic_access(vcpu, VLAPIC_TPR, true, 0x25), 0);
	CHECK_EQ(vcpu_apic_access(vcpu, VLAPIC_TPR, false, 0), 0x25);
	CHECK_EQ(vcpu_apic_access(vcpu, VLAPIC_TPR + 4, false, 0), -ABI_EINVAL);
	CHECK_EQ(vcpu_apic_access(vcpu, 0x1000, false, 0), -ABI_EINVAL);
	CHECK_EQ(vcpu_apic_access(vcpu, 0xfffffff0, true, 0), -ABI_EINVAL);
	CHECK_EQ(vcpu_apic_access(vcpu, VLAPIC_SELF_IPI, false, 0), 0);
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | ENABLE | X2APIC | BSP));
	CHECK_EQ(vcpu_apic_access(vcpu, VLAPIC_TPR, false, 0), UINT32_MAX);
	CHECK_EQ(vcpu_apic_access(vcpu, VLAPIC_TPR, true, 0), 0);
	CHECK_EQ(read_reg(VLAPIC_TPR), 0x25);
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | BSP)); /* off: there is no page either */
	CHECK_EQ(vcpu_apic_access(vcpu, VLAPIC_VERSION, false, 0), UINT32_MAX);
}

TEST(a_devices_message_has_the_bits_of_the_sdm)
{
	start(true);
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000, 0x30), 0);
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee01000, 0x31), 0);       /* id 1 */
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee01004, 0x32), 0);       /* logical: bit 0 of cluster 0 */
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000, 0xc033), 0);     /* level */
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000, 0xffff0034), 0); /* with reserved bits */
	CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000, 0x0135), 0);     /* lowest priority */
	CHECK(is_pending(0x30) && !is_pending(0x31) && is_pending(0x32) && is_pending(0x33) &&
	      is_pending(0x34));
	CHECK(is_pending(0x35) && bit(VLAPIC_TMR, 0x33) && !bit(VLAPIC_TMR, 0x34));
	CHECK_EQ(vm_msi(vcpu->vm, 0xfed00000, 0x40), -ABI_EINVAL);
	CHECK_EQ(vm_msi(vcpu->vm, 0x1fee00000, 0x40), -ABI_EINVAL);
	CHECK_EQ(vm_msi(vcpu->vm, UINT64_MAX, 0x40), -ABI_EINVAL);
	CHECK(!is_pending(0x40));
}

TEST(a_devices_message_has_destinations_of_15_bits)
{
	for (unsigned mode = 0; mode < 2; mode++) {
		start(mode);
		for (unsigned bit = 5; bit < 12; bit++)
			CHECK_EQ(vm_msi(vcpu->vm, 0xfee00000 | 1u << bit, 0x30), 0);
		CHECK_EQ(vm_msi(vcpu->vm, 0xfee00fe0, 0x30), 0);
		CHECK_EQ(vm_msi(vcpu->vm, 0xfeeff020, 0x30), 0); /* 511 is no broadcast, */
		CHECK(!is_pending(0x30));
		CHECK_EQ(vm_msi(vcpu->vm, 0xfeeff000, 0x30), 0); /* 255 is one */
		CHECK(is_pending(0x30));
	}
}

/* ---- state ---- */

static int save(struct abi_lapic *state)
{
	return vcpu_get_state(vcpu, ABI_STATE_LAPIC, state, sizeof(*state));
}

static int load(struct abi_lapic *state)
{
	return vcpu_set_state(vcpu, ABI_STATE_LAPIC, state, sizeof(*state));
}

TEST(its_state_goes_to_another_and_comes_back)
{
	for (unsigned mode = 0; mode < 2; mode++) {
		struct abi_lapic first, second;

		start(mode);
		write_reg(VLAPIC_TPR, 0x10);
		write_reg(VLAPIC_LVT_LINT0, MASKED);
		write_reg(VLAPIC_LVT_ERROR, 0x70);
		self_ipi(0x40);
		self_ipi(0x81);
		vcpu->lapic.esr_pending = 0x40;
		message(0, false, LEVEL | 0xf0);
		CHECK_EQ(take(), 0xf0);
		write_reg(VLAPIC_TIMER_DIVIDE, 3);
		write_reg(VLAPIC_LVT_TIMER, 0x20000 | 0x90);
		write_reg(VLAPIC_TIMER_INITIAL, 1000);
		fake_now_ns += 5000;
		CHECK_EQ(save(&first), 0);
		start(false);
		CHECK_EQ(load(&first), 0);
		CHECK(vcpu->needs_look);
		CHECK_EQ(save(&second), 0);
		CHECK(memcmp(&first, &second, sizeof(first)) == 0);
		CHECK_EQ(vlapic_mode(vcpu) == VLAPIC_X2APIC, mode);
		CHECK_EQ(read_reg(VLAPIC_TIMER_CURRENT), (16000 - 5000) / 16);
		write_reg(VLAPIC_EOI, 0);
		CHECK_EQ(vcpu->lapic.eoi_vector, 0xf0);
		CHECK_EQ(take(), 0x81);
	}
}

static void refuse(void (*spoil)(struct abi_lapic *state))
{
	struct abi_lapic before, state, after;

	save(&before);
	state = before;
	spoil(&state);
	CHECK_EQ(load(&state), -ABI_EINVAL);
	save(&after);
	CHECK(memcmp(&before, &after, sizeof(before)) == 0);
}

#define SPOIL(name, statement)                                                                     \
	static void name(struct abi_lapic *state)                                                  \
	{                                                                                          \
		statement;                                                                         \
	}
SPOIL(spoil_version, state->version = 2)
SPOIL(spoil_errors, state->errors = 0x10)
SPOIL(spoil_base, state->apic_base = 0xfec00000 | ENABLE | BSP)
SPOIL(spoil_bsp, state->apic_base ^= BSP)
SPOIL(spoil_mode, state->apic_base = VLAPIC_BASE | BSP | X2APIC)
SPOIL(spoil_base_high, state->apic_base |= 1ull << 63)
SPOIL(spoil_apic_version, state->registers[VLAPIC_VERSION / 16] ^= 1)
SPOIL(spoil_tpr, state->registers[VLAPIC_TPR / 16] = 0x100)
SPOIL(spoil_svr, state->registers[VLAPIC_SVR / 16] = 0x1000)
SPOIL(spoil_divide, state->registers[VLAPIC_TIMER_DIVIDE / 16] = 4)
SPOIL(spoil_lvt, state->registers[VLAPIC_LVT_TIMER / 16] = 0x80000)
SPOIL(spoil_lint, state->registers[VLAPIC_LVT_LINT1 / 16] = 0x20000)
SPOIL(spoil_irr, state->registers[VLAPIC_IRR / 16] = 0x8000)
SPOIL(spoil_isr, state->registers[VLAPIC_ISR / 16] = 1)

TEST(a_state_that_cannot_be_is_refused_whole)
{
	static void (*const spoils[])(struct abi_lapic *) = {
		spoil_version,   spoil_errors,       spoil_base, spoil_bsp, spoil_mode,
		spoil_base_high, spoil_apic_version, spoil_tpr,  spoil_svr, spoil_lvt,
		spoil_divide,    spoil_lint,         spoil_irr,  spoil_isr,
	};

	start(true);
	self_ipi(0x55);
	for (unsigned i = 0; i < ARRAY_COUNT(spoils); i++)
		refuse(spoils[i]);
}

TEST(garbage_as_state_is_refused_or_harmless)
{
	uint32_t state = 3;
	unsigned taken = 0;

	start(false);
	for (unsigned round = 0; round < 3000; round++) {
		struct abi_lapic lapic;

		save(&lapic);
		for (unsigned i = 0; i < 3; i++) {
			state = state * 1664525u + 1013904223u;
			lapic.registers[state >> 26] ^= 1u << (state >> 8 & 31);
		}
		lapic.timer_left_ns = (uint64_t)state << (state & 32);
		lapic.tsc_deadline = (uint64_t)state * state;
		taken += load(&lapic) == 0;
		fake_now_ns += state >> 12;
		arch_irq_window();
		while (take() >= 0)
			;
		vcpu_apic_access(vcpu, VLAPIC_EOI, true, 0);
		vcpu_apic_access(vcpu, VLAPIC_TIMER_CURRENT, false, 0);
	}
	CHECK(taken > 100);
}

int main(void)
{
	RUN(reset_is_as_the_sdm_has_it);
	RUN(x2apic_has_the_registers_of_the_sdm_and_faults_on_others);
	RUN(x2apic_faults_on_reserved_bits_and_changes_nothing);
	RUN(x2apics_icr_takes_a_destination_and_ignores_busy);
	RUN(xapic_keeps_the_bits_that_a_register_has);
	RUN(xapic_ignores_writes_to_what_is_read_only);
	RUN(xapic_notes_an_access_to_no_register);
	RUN(all_registers_take_garbage);
	RUN(the_highest_vector_comes_first_and_nests);
	RUN(tpr_holds_its_class_and_those_below_back);
	RUN(one_vector_waits_once_and_is_served_once);
	RUN(the_end_of_a_level_triggered_interrupt_is_told);
	RUN(a_message_reaches_the_id_and_the_broadcast);
	RUN(a_message_to_a_flat_logical_id);
	RUN(a_message_to_a_cluster);
	RUN(x2apics_logical_id_comes_from_the_id);
	RUN(xapics_ipi_goes_to_the_destination_written_before);
	RUN(shorthands_choose_without_a_destination);
	RUN(the_self_ipi_register_is_x2apics);
	RUN(an_ipi_is_edge_triggered);
	RUN(an_nmi_is_noted_by_itself);
	RUN(modes_that_are_not_there_do_nothing);
	RUN(ipis_find_their_destinations_in_x2apic_mode);
	RUN(ipis_find_their_destinations_in_xapic_mode);
	RUN(a_device_reaches_any_vcpu);
	RUN(the_lowest_priority_takes_what_goes_to_it);
	RUN(nmis_go_to_each_that_is_meant);
	RUN(start_up_counts_once_after_init);
	RUN(one_that_is_off_or_gone_is_not_reached);
	RUN(vectors_below_16_are_errors);
	RUN(esr_shows_what_came_before_the_last_write);
	RUN(an_error_interrupts_if_its_entry_lets_it);
	RUN(disabled_by_svr_it_takes_nmis_alone);
	RUN(what_waits_when_svr_disables_it_is_still_served);
	RUN(disabled_by_its_msr_it_is_reset_and_deaf);
	RUN(the_msr_follows_the_diagram_of_transitions);
	RUN(the_msr_has_no_other_bits_and_one_address);
	RUN(the_step_to_x2apic_keeps_the_state);
	RUN(lint0_lets_the_8259_pair_in);
	RUN(vmm_reaches_the_page_in_xapic_mode_alone);
	RUN(a_devices_message_has_the_bits_of_the_sdm);
	RUN(a_devices_message_has_destinations_of_15_bits);
	RUN(its_state_goes_to_another_and_comes_back);
	RUN(a_state_that_cannot_be_is_refused_whole);
	RUN(garbage_as_state_is_refused_or_harmless);
	return unit_end();
}
