/* SPDX-License-Identifier: BSD-2-Clause */
/* The MSRs of a guest CPU that ring 0 does not finish itself: one table; the others are #GP. */
#include "services/vmm/vmsr.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"
#include "services/vmm/vcpuid.h"

#define STATE_VMSR    STATE_KIND('v', 'm', 's', 'r')
#define STATE_VERSION 4u

#define ARCH_CAPABILITIES 0x10au /* only where CPUID says so */
#define ITS_NO            (1ull << 62)

#define MTRR_DEF_TYPE 0x2ffu
#define MTRR_FIXED    0x250u

#define MTRR_CAP         (VMSR_MTRR_VARIABLE | 1u << 8 | 1u << 10) /* and fixed ranges, WC */
#define MTRR_DEF_TYPE_WB 0xc06u /* on, fixed ranges on, write-back */

#define MISC_ENABLE_NO_TRACES 0x1800u      /* neither of branches nor of events (DS) */
#define HWCR_TSC_FREQ_SEL     (1ull << 24) /* the TSC is invariant */

#define SAMPLES 4u /* of two clocks */

#define CLOCK_ENABLE     1ull
#define CLOCK_TSC_STABLE 1u
#define SHARED_ENABLE    1ull
#define PV_EOI_RESERVED  2ull
#define STEAL_RESERVED   0x3eull
#define STEAL_SIZE       64u

/* Linux, "KVM-specific MSRs": struct pvclock_vcpu_time_info and pvclock_wall_clock. */
struct time_info {
	uint32_t version; /* even, another after each change */
	uint32_t pad0;
	uint64_t tsc_timestamp; /* guest TSC at system_time */
	uint64_t system_time;   /* ns since the VM's start */
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad[2];
};

struct wall_clock {
	uint32_t version, sec, nsec;
};

/* ---- time ---- */

static uint64_t tsc_ns(const struct vmsr *msr, uint64_t tsc)
{
	int8_t shift = msr->page->tsc_shift;

	tsc = shift < 0 ? tsc >> -shift : tsc << shift;
	return (uint64_t)((unsigned __int128)tsc * msr->page->tsc_mul >> 32);
}

static uint64_t ns_tsc(const struct vmsr *msr, uint64_t ns)
{
	uint64_t ticks = (uint64_t)(((unsigned __int128)ns << 32) / msr->page->tsc_mul);
	int8_t shift = msr->page->tsc_shift;

	return shift < 0 ? ticks << -shift : ticks >> shift;
}

/*
 * A structure that begins with its version, which is odd while it is written: another vCPU may read
 * it. No RAM there: the guest's own loss.
 */
static void write_ram(struct vmsr *msr, uint64_t gpa, const uint32_t *from, size_t size)
{
	uint32_t *to = ram_at(&msr->platform->ram, gpa, size), version;

	if (!to)
		return;
	version = __atomic_load_n(to, __ATOMIC_RELAXED) | 1;
	__atomic_exchange_n(to, version, __ATOMIC_SEQ_CST);
	memcpy(to + 1, from + 1, size - sizeof(*to));
	__atomic_store_n(to, version + 1, __ATOMIC_RELEASE);
}

static uint64_t clock_ns(const struct vmsr *msr, uint64_t tsc)
{
	return tsc_ns(msr, tsc) - msr->zero_ns;
}

/* A stable TSC makes what it says good until the guest's TSC is moved. Counted from 0 of the host's
 * TSC, so that all vCPUs, whatever their TSCs, have the same to the nanosecond. */
static void update_clock(struct vmsr *msr)
{
	struct time_info info = {.tsc_timestamp = msr->page->tsc_offset,
				 .system_time = -msr->zero_ns,
				 .tsc_to_system_mul = msr->page->tsc_mul,
				 .tsc_shift = msr->page->tsc_shift,
				 .flags = CLOCK_TSC_STABLE};

	if (msr->s.system_time & CLOCK_ENABLE)
		write_ram(msr, msr->s.system_time & ~CLOCK_ENABLE, &info.version, sizeof(info));
}

static bool set_system_time(struct vmsr *msr, uint64_t value)
{
	if (value & CLOCK_ENABLE && value & 2)
		return false;
	msr->s.system_time = value;
	update_clock(msr);
	return true;
}

/* The wall-clock time at 0 of the VM's clock. */
static bool set_wall_clock(struct vmsr *msr, uint64_t value)
{
	uint64_t clock = clock_ns(msr, platform_tsc(msr->platform));
	uint64_t wall_ns = platform_wall_ns(msr->platform) - clock;
	struct wall_clock wall = {.sec = (uint32_t)(wall_ns / 1000000000),
				  .nsec = (uint32_t)(wall_ns % 1000000000)};

	if (value & 3)
		return false;
	msr->s.wall_clock = value;
	write_ram(msr, value, &wall.version, sizeof(wall));
	return true;
}

/* Where ring 0 finds what the guest shares with it. No RAM there: the guest's own loss. */
static uint64_t shared_at(const struct vmsr *msr, uint64_t value, size_t size)
{
	return value & SHARED_ENABLE
		       ? (uintptr_t)ram_at(&msr->platform->ram, value & ~SHARED_ENABLE, size)
		       : 0;
}

static void update_shared(struct vmsr *msr)
{
	msr->page->eoi_word = shared_at(msr, msr->s.pv_eoi, 4);
	msr->page->steal_at = shared_at(msr, msr->s.steal, STEAL_SIZE);
}

static bool share(struct vmsr *msr, uint64_t *field, uint64_t value, uint64_t reserved)
{
	if (value & reserved)
		return false;
	*field = value;
	update_shared(msr);
	return true;
}

static bool set_pv_eoi(struct vmsr *msr, uint64_t value)
{
	return share(msr, &msr->s.pv_eoi, value, PV_EOI_RESERVED);
}

static bool set_steal(struct vmsr *msr, uint64_t value)
{
	return share(msr, &msr->s.steal, value, STEAL_RESERVED);
}

void vmsr_start_up(struct vmsr *msr)
{
	msr->s.pv_eoi = msr->s.steal = 0;
	update_shared(msr);
}

static uint64_t guest_tsc(const struct vmsr *msr)
{
	return platform_tsc(msr->platform) + msr->page->tsc_offset;
}

static bool move_tsc(struct vmsr *msr, uint64_t by)
{
	msr->page->tsc_offset += by;
	msr->page->set |= ABI_SET_TSC;
	msr->s.tsc_adjust += by;
	update_clock(msr);
	return true;
}

static bool set_tsc(struct vmsr *msr, uint64_t value)
{
	return move_tsc(msr, value - guest_tsc(msr));
}

static bool set_tsc_adjust(struct vmsr *msr, uint64_t value)
{
	return move_tsc(msr, value - msr->s.tsc_adjust);
}

/* ---- memory types ---- */

/* Uncacheable, write-combining, write-through, write-protected, write-back. */
static bool is_memory_type(uint64_t type)
{
	return type < 8 && (0x73u >> type & 1);
}

/* Kept for the guest to read: memory is write-back whatever they say (SDM vol 3, "Memory Type Range
   Registers (MTRRS)"). */
static bool mtrr_is_valid(uint32_t index, uint64_t value)
{
	if (index == MTRR_DEF_TYPE)
		return !(value & ~0xcffull) && is_memory_type(value & 0xff);
	if (index < MTRR_FIXED)
		return !(value >> 52) &&
		       (index & 1 ? !(value & 0x7ff)
				  : !(value & 0xf00) && is_memory_type(value & 0xff));
	for (unsigned i = 0; i < 8; i++)
		if (!is_memory_type(value >> 8 * i & 0xff))
			return false;
	return true;
}

/* ---- the table ---- */

enum how {
	CONSTANT, /* reads `value`; writes are dropped */
	READONLY, /* reads `value`; a write is #GP */
	FIELD,    /* a field of the state at offset `value`, and those behind it */
	MTRR,     /* the same, checked before a write */
	TSC
};

static const struct entry {
	uint32_t first, last;
	enum how how;
	uint64_t value;
	bool (*write)(struct vmsr *msr, uint64_t value); /* instead of what `how` does */
} table[] = {
#define AT(field) offsetof(struct vmsr_state, field)
	/* Names: SDM vol 4 and the AMD manuals' MSR lists. */
	{0x00, 0x01, CONSTANT, 0, NULL}, /* P5_MC_ADDR, P5_MC_TYPE */
	{0x10, 0x10, TSC, 0, set_tsc},
	{0x11, 0x11, FIELD, AT(wall_clock), set_wall_clock},
	{0x12, 0x12, FIELD, AT(system_time), set_system_time},
	{0x17, 0x17, READONLY, 0, NULL}, /* PLATFORM_ID */
	{0x2a, 0x2a, CONSTANT, 0, NULL}, /* EBL_CR_POWERON */
	{0x34, 0x34, READONLY, 0, NULL}, /* SMI_COUNT: none reaches a guest */
	{0x3a, 0x3a, READONLY, 1, NULL}, /* FEATURE_CONTROL: locked, nothing on */
	{0x3b, 0x3b, FIELD, AT(tsc_adjust), set_tsc_adjust},
	{0x79, 0x79, CONSTANT, 0, NULL},          /* BIOS_UPDT_TRIG */
	{0x8b, 0x8b, FIELD, AT(microcode), NULL}, /* BIOS_SIGN_ID, PATCH_LEVEL */
	{0xfe, 0xfe, READONLY, MTRR_CAP, NULL},
	{ARCH_CAPABILITIES, ARCH_CAPABILITIES, READONLY, ITS_NO, NULL},
	{0x179, 0x179, READONLY, 0, NULL}, /* MCG_CAP: no banks */
	{0x17a, 0x17a, FIELD, AT(mcg_status), NULL},
	{0x1a0, 0x1a0, FIELD, AT(misc_enable), NULL},
	{0x1d9, 0x1d9, CONSTANT, 0, NULL}, /* DEBUGCTL: branch records are not there */
	{0x200, 0x20f, MTRR, AT(mtrr_variable), NULL},
	{MTRR_FIXED, MTRR_FIXED, MTRR, AT(mtrr_fixed[0]), NULL},
	{0x258, 0x259, MTRR, AT(mtrr_fixed[1]), NULL},
	{0x268, 0x26f, MTRR, AT(mtrr_fixed[3]), NULL},
	{MTRR_DEF_TYPE, MTRR_DEF_TYPE, MTRR, AT(mtrr_def_type), NULL},
	{0x4b564d00, 0x4b564d00, FIELD, AT(wall_clock), set_wall_clock},
	{0x4b564d01, 0x4b564d01, FIELD, AT(system_time), set_system_time},
	{0x4b564d03, 0x4b564d03, FIELD, AT(steal), set_steal},
	{0x4b564d04, 0x4b564d04, FIELD, AT(pv_eoi), set_pv_eoi},
	{0xc0010010, 0xc0010010, CONSTANT, 0, NULL}, /* SYS_CFG */
	{0xc0010015, 0xc0010015, FIELD, AT(hwcr), NULL},
	{0xc001001f, 0xc001001f, CONSTANT, 0, NULL},    /* NB_CFG */
	{0xc0010055, 0xc0010055, CONSTANT, 0, NULL},    /* INT_PENDING_MSG */
	{0xc0010114, 0xc0010114, READONLY, 0x18, NULL}, /* VM_CR: SVM locked off */
	{0xc0011022, 0xc0011022, CONSTANT, 0, NULL},    /* DC_CFG */
	{0xc0011029, 0xc0011029, CONSTANT, 2, NULL},    /* DE_CFG: LFENCE serialises */
#undef AT
};

static const struct entry *find(uint32_t index)
{
	for (const struct entry *e = table; e < table + sizeof(table) / sizeof(*table); e++)
		if (index >= e->first && index <= e->last)
			return e;
	return NULL;
}

static bool has_arch_capabilities(const struct vmsr *msr)
{
	return msr->page->cpuid.leaf[ABI_CPUID_INDEX(7)][3] & VCPUID_7_EDX_ARCH_CAPABILITIES;
}

static uint64_t *field(struct vmsr *msr, const struct entry *entry, uint32_t index)
{
	return (uint64_t *)((char *)&msr->s + entry->value) + (index - entry->first);
}

bool vmsr_read(struct vmsr *msr, uint32_t index, uint64_t *value)
{
	const struct entry *entry = find(index);

	if (!entry || (index == ARCH_CAPABILITIES && !has_arch_capabilities(msr)))
		return false;
	if (entry->how == TSC)
		*value = guest_tsc(msr);
	else if (entry->how == CONSTANT || entry->how == READONLY)
		*value = entry->value;
	else
		*value = *field(msr, entry, index);
	return true;
}

bool vmsr_write(struct vmsr *msr, uint32_t index, uint64_t value)
{
	const struct entry *entry = find(index);

	if (!entry || entry->how == READONLY ||
	    (entry->how == MTRR && !mtrr_is_valid(index, value)))
		return false;
	if (entry->write)
		return entry->write(msr, value);
	if (entry->how != CONSTANT)
		*field(msr, entry, index) = value;
	return true;
}

/* ---- state ---- */

void vmsr_init(struct vmsr *msr, struct platform *platform, struct abi_vcpu_page *page)
{
	memset(msr, 0, sizeof(*msr));
	msr->platform = platform;
	msr->page = page;
	msr->zero_ns = tsc_ns(msr, platform_tsc(platform));
	msr->s.misc_enable = page->has_fast_strings | MISC_ENABLE_NO_TRACES;
	msr->s.hwcr = HWCR_TSC_FREQ_SEL;
	msr->s.mtrr_def_type = MTRR_DEF_TYPE_WB;
	memset(msr->s.mtrr_fixed, 6, sizeof(msr->s.mtrr_fixed)); /* write-back */
}

/* Of some tries that in which nobody else had the core. */
void vmsr_now(struct platform *platform, struct vmsr_moment *now)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t start = platform_tsc(platform);
		uint64_t now_ns = platform_now_ns(platform);
		uint64_t width = platform_tsc(platform) - start;

		if (width >= least)
			continue;
		least = width;
		*now = (struct vmsr_moment){start, now_ns};
	}
}

size_t vmsr_save(const struct vmsr *msr, const struct vmsr_moment *now, void *buffer,
		 size_t capacity)
{
	struct vmsr_state s = msr->s;

	s.now_ns = now->now_ns;
	s.tsc = now->tsc + msr->page->tsc_offset;
	s.clock_ns = clock_ns(msr, now->tsc);
	return state_put(buffer, capacity, STATE_VMSR, STATE_VERSION, &s, sizeof(s));
}

static bool mtrrs_are_valid(const struct vmsr_state *s)
{
	for (unsigned i = 0; i < VMSR_MTRR_FIXED; i++)
		if (!mtrr_is_valid(MTRR_FIXED, s->mtrr_fixed[i]))
			return false;
	for (unsigned i = 0; i < 2 * VMSR_MTRR_VARIABLE; i++)
		if (!mtrr_is_valid(i, s->mtrr_variable[i]))
			return false;
	return mtrr_is_valid(MTRR_DEF_TYPE, s->mtrr_def_type);
}

/* The clock's page, the word and the structure lie in the guest's RAM, which is loaded with it. */
int vmsr_load(struct vmsr *msr, const struct vmsr_moment *now, const void *buffer, size_t size)
{
	struct vmsr_state s;

	if (state_get(buffer, size, STATE_VMSR, STATE_VERSION, &s, sizeof(s)) != 0)
		return -ABI_EINVAL;
	if (!mtrrs_are_valid(&s) || s.wall_clock & 3 || (s.system_time & 3) == 3 ||
	    s.pv_eoi & PV_EOI_RESERVED || s.steal & STEAL_RESERVED || s.now_ns > now->now_ns)
		return -ABI_EINVAL;
	msr->s = s;
	msr->page->tsc_offset = s.tsc + ns_tsc(msr, now->now_ns - s.now_ns) - now->tsc;
	msr->zero_ns = tsc_ns(msr, now->tsc) - s.clock_ns - (now->now_ns - s.now_ns);
	update_clock(msr);
	update_shared(msr);
	return 0;
}
