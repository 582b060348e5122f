/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a round trip out of the guest costs, in TSC ticks: for each row 100 operations to warm up,
 * then 10,000 in batches of 100, with the same loop without the operation subtracted.
 * Command line: row=ID for one row only, count=N for another number (a multiple of 100).
 * On a Corbel that counts instructions (COUNT_OPS=1) also how many of them each operation takes.
 */
#include "guests/lib/guest.h"
#include "guests/lib/lapic.h"
#include "kernel/abi.h"

#define BATCH      100
#define HYPERCALL  0x434f5242 /* no one's number */
#define ENOSYS_KVM 1000
#define VECTOR     0x50

#define CPUID_OPS     0x40000100 /* counter ECX in EDX:EAX, as kernel/cpuid.c has it */
#define OPS_SIGNATURE 0x2173706f

/* A function that runs `op` BATCH times after `setup`, with x in RDI, and tells the ticks. */
#define BATCH_FUNCTION(name, setup, op)                                                            \
	static uint64_t name(uint64_t x)                                                           \
	{                                                                                          \
		uint64_t start = rdtsc();                                                          \
                                                                                                   \
		__asm__ volatile("movl $100, %%r10d\n"                                             \
				 "1:\n\t" setup "\n\t" op "\n\t"                                   \
				 "subl $1, %%r10d\n\t"                                             \
				 "jnz 1b"                                                          \
				 : "+D"(x)                                                         \
				 :                                                                 \
				 : "rax", "rbx", "rcx", "rdx", "r10", "memory", "cc");             \
		return rdtsc() - start;                                                            \
	}
#define COST(name, setup, op)                                                                      \
	BATCH_FUNCTION(name##_full, setup, op)                                                     \
	BATCH_FUNCTION(name##_empty, setup, "")

COST(op_cpuid, "movl %%edi, %%eax; xorl %%ecx, %%ecx", "cpuid")
COST(op_vmcall, "movl %%edi, %%eax", "vmcall")
COST(op_vmmcall, "movl %%edi, %%eax", "vmmcall")
COST(op_rdmsr, "movl %%edi, %%ecx", "rdmsr")
COST(op_deadline, "movl $0x6e0, %%ecx; movl %%edi, %%eax; movq %%rdi, %%rdx; shrq $32, %%rdx",
     "wrmsr")
COST(op_port, "movl %%edi, %%edx", "inb %%dx, %%al")
COST(op_mmio, "", "movl (%%rdi), %%eax")
COST(op_doorbell, "", "outb %%al, $0xfc")
COST(op_x2apic, "movl %%edi, %%ecx; movl $0x50, %%eax; xorl %%edx, %%edx", "wrmsr")
COST(op_eoi, "movl %%edi, %%ecx; xorl %%eax, %%eax; xorl %%edx, %%edx", "wrmsr")

struct variant {
	const char *name;
	uint64_t x;
	uint64_t (*full)(uint64_t x), (*empty)(uint64_t x);
};

struct cost {
	uint64_t mean, min, max;
};

struct ops {
	uint64_t count[ABI_OP_COUNT]; /* since boot; or of one operation, in hundredths */
};

struct row {
	const char *id;
	bool (*prepare)(void); /* false: this CPU or machine lacks it */
	void (*finish)(void);  /* may be NULL */
	struct variant variant[6];
};

static unsigned int batch_count = 10000 / BATCH;
static bool has_ops; /* whether this Corbel counts instructions */

static bool prepare_none(void)
{
	return true;
}

static void hypercall(void *argument)
{
	uint64_t *result = argument;

	*result = HYPERCALL;
	if (cpu_is_amd())
		__asm__ volatile("vmmcall" : "+a"(*result) : : "rbx", "rcx", "rdx", "memory");
	else
		__asm__ volatile("vmcall" : "+a"(*result) : : "rbx", "rcx", "rdx", "memory");
}

static bool prepare_vmcall(void)
{
	uint64_t result;

	return guest_try(hypercall, &result).vector < 0 && (int64_t)result == -ENOSYS_KVM;
}

static bool prepare_deadline(void)
{
	if (!lapic_has_tsc_deadline())
		return false;
	lapic_enable(true);
	lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR);
	return true;
}

static void finish_deadline(void)
{
	wrmsr(MSR_TSC_DEADLINE, 0);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR);
}

static bool prepare_mmio(void)
{
	mmio_write32(0xfec00000, 0);
	return true;
}

static bool prepare_xapic(void)
{
	lapic_enable(false);
	return true;
}

static bool prepare_x2apic(void)
{
	lapic_enable(true);
	return lapic_is_x2apic();
}

static void self_interrupt(struct trap_frame *frame)
{
	(void)frame;
	lapic_eoi();
}

static bool prepare_self_ipi(void)
{
	if (!prepare_x2apic())
		return false;
	trap_handle(VECTOR, self_interrupt);
	interrupts_enable();
	return true;
}

static void finish_self_ipi(void)
{
	interrupts_disable();
}

#define OPS(name) op_##name##_full, op_##name##_empty

static struct row rows[] = {
	{"exit.cpuid",
	 prepare_none,
	 NULL,
	 {{"leaf0", 0, OPS(cpuid)},
	  {"leaf1", 1, OPS(cpuid)},
	  {"leaf7", 7, OPS(cpuid)},
	  {"leaf0xd", 0xd, OPS(cpuid)},
	  {"leaf0x12345678", 0x12345678, OPS(cpuid)}}},
	{"exit.hypercall", prepare_vmcall, NULL, {{"vmcall", HYPERCALL, OPS(vmcall)}}},
	{"exit.rdmsr", prepare_none, NULL, {{"apic-base", MSR_APIC_BASE, OPS(rdmsr)}}},
	{"exit.wrmsr_tsc_deadline", prepare_deadline, finish_deadline, {{"far", 0, OPS(deadline)}}},
	{"exit.port", prepare_none, NULL, {{"0x3ff", 0x3ff, OPS(port)}}},
	{"exit.mmio", prepare_mmio, NULL, {{"ioapic", 0xfec00010, OPS(mmio)}}},
	{"exit.apic_mmio", prepare_xapic, NULL, {{"id", 0xfee00020, OPS(mmio)}}},
	{"exit.doorbell", prepare_none, NULL, {{"0xfc", 0, OPS(doorbell)}}},
	{"exit.eoi", prepare_x2apic, NULL, {{"x2apic", MSR_X2APIC + LAPIC_EOI, OPS(eoi)}}},
	{"exit.self_ipi",
	 prepare_self_ipi,
	 finish_self_ipi,
	 {{"x2apic", MSR_X2APIC + LAPIC_SELF_IPI, OPS(x2apic)}}},
};

static uint64_t per_operation(uint64_t ticks, uint64_t empty, uint64_t count)
{
	return ticks > empty ? (ticks - empty + count / 2) / count : 0;
}

static struct cost measure(const struct variant *variant)
{
	uint64_t full = 0, empty = UINT64_MAX, min = UINT64_MAX, max = 0;

	variant->full(variant->x);
	for (int i = 0; i < 10; i++) {
		uint64_t ticks = variant->empty(variant->x);

		if (ticks < empty)
			empty = ticks;
	}
	for (unsigned int i = 0; i < batch_count; i++) {
		uint64_t ticks = variant->full(variant->x);

		full += ticks;
		if (ticks < min)
			min = ticks;
		if (ticks > max)
			max = ticks;
	}
	return (struct cost){
		per_operation(full, empty * batch_count, (uint64_t)BATCH * batch_count),
		per_operation(min, empty, BATCH),
		per_operation(max, empty, BATCH),
	};
}

static void print_cost(const char *prefix, const struct row *row, const struct variant *variant,
		       const struct cost *cost)
{
	print("%s %s mean=%lu min=%lu max=%lu count=%u variant=%s\n", prefix, row->id, cost->mean,
	      cost->min, cost->max, batch_count * BATCH, variant->name);
}

static void read_ops(struct ops *ops)
{
	for (uint32_t i = 0; i < ABI_OP_COUNT; i++) {
		struct cpuid result = cpuid(CPUID_OPS, i);

		ops->count[i] = (uint64_t)result.d << 32 | result.a;
	}
}

/* Two readings in a row tell what reading itself takes; a third one follows the operations. */
static struct ops count_ops(const struct variant *variant)
{
	struct ops first, before, after;

	read_ops(&first);
	read_ops(&before);
	for (unsigned int i = 0; i < batch_count; i++)
		variant->full(variant->x);
	read_ops(&after);
	for (unsigned int i = 0; i < ABI_OP_COUNT; i++) {
		uint64_t reading = before.count[i] - first.count[i];
		uint64_t all = after.count[i] - before.count[i];

		after.count[i] =
			all > reading ? (all - reading + batch_count / 2) / batch_count : 0;
	}
	return after;
}

static void print_ops(const char *prefix, const struct row *row, const struct variant *variant)
{
	static const char *const names[ABI_OP_COUNT] = {
		[ABI_OP_VMREAD] = "vmread",         [ABI_OP_VMWRITE] = "vmwrite",
		[ABI_OP_WRMSR] = "wrmsr",           [ABI_OP_RDMSR] = "rdmsr",
		[ABI_OP_CR_WRITE] = "cr_write",     [ABI_OP_LOCKED] = "locked",
		[ABI_OP_INVALIDATE] = "invalidate", [ABI_OP_XSAVE] = "xsave",
	};
	struct ops ops = count_ops(variant);

	print("%s %s", prefix, row->id);
	for (unsigned int i = 0; i < ABI_OP_COUNT; i++) {
		if (!names[i]) /* no instruction */
			continue;
		print(" %s=%lu", names[i], ops.count[i] / BATCH);
		if (ops.count[i] % BATCH)
			print(".%02lu", ops.count[i] % BATCH);
	}
	print(" variant=%s\n", variant->name);
}

/* Each variant as a comment, then the worst as the row. */
static void run(struct row *row)
{
	const struct variant *worst = NULL;
	struct cost worst_cost = {0};

	if (!row->prepare()) {
		tap_skip(row->id, "this CPU or machine has none");
		return;
	}
	for (const struct variant *v = row->variant; v->name; v++) {
		struct cost cost = measure(v);

		print_cost("#", row, v, &cost);
		if (has_ops)
			print_ops("# ops", row, v);
		if (!worst || cost.mean > worst_cost.mean) {
			worst = v;
			worst_cost = cost;
		}
	}
	print_cost("bench", row, worst, &worst_cost);
	if (has_ops)
		print_ops("ops", row, worst);
	if (row->finish)
		row->finish();
	tap_ok(true, "%s", row->id);
}

static unsigned int parse_count(const char *digits)
{
	unsigned int value = 0;

	for (; *digits >= '0' && *digits <= '9' && value < 100000000; digits++)
		value = value * 10 + (unsigned int)(*digits - '0');
	return value;
}

void guest_main(void)
{
	char wanted[32] = "", count[12];
	unsigned int plan = 0;

	boot_option("row", wanted, sizeof(wanted));
	if (boot_option("count", count, sizeof(count)) && parse_count(count) >= BATCH)
		batch_count = parse_count(count) / BATCH;
	if (cpu_is_amd())
		rows[1].variant[0] = (struct variant){"vmmcall", HYPERCALL, OPS(vmmcall)};
	rows[3].variant[0].x = rdtsc() + (1ul << 40);
	has_ops = cpuid(CPUID_OPS, 0).b == OPS_SIGNATURE;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		plan += !wanted[0] || !strcmp(wanted, rows[i].id);
	if (!plan) {
		print("# no row %s\n", wanted);
		guest_exit(1);
	}
	tap_plan(plan);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!wanted[0] || !strcmp(wanted, rows[i].id))
			run(&rows[i]);
	}
}
