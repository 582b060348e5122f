/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose x87, SSE and AVX state the core's registers hold: a thread's, a guest's, or nobody's. */
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "kernel/arch.h"
#include "kernel/object.h"
#include "kernel/panic.h"
#include "kernel/thread.h"

/* What we switch: what fits the area (AMX does not) and needs no IA32_XSS. */
#define FPU_KNOWN      (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)
#define FPU_XSTATE_BV  512u /* offset of the XSAVE header in the area */
#define FPU_HEADER     64u
#define FPU_LEGACY     576u /* legacy region and header */
#define FPU_FCW_INIT   0x37fu
#define FPU_MXCSR      24u
#define FPU_MXCSR_MASK 28u
#define FPU_MXCSR_INIT 0x1f80u

static uint64_t xcr0_host;         /* (set once) */
static uint32_t mxcsr_mask;        /* (set once) */
static uint16_t component_end[16]; /* offset behind each component; 0 = none (set once) */

/* Any image of the right alignment will do to learn which MXCSR bits may be set. */
static void fpu_learn_mxcsr(void)
{
	static uint8_t image[512] __attribute__((aligned(16)));

	__asm__ volatile("fxsave64 %0" : "=m"(image));
	__builtin_memcpy(&mxcsr_mask, image + FPU_MXCSR_MASK, sizeof(mxcsr_mask));
	if (mxcsr_mask == 0)
		mxcsr_mask = 0xffbf; /* SDM vol 1, "MXCSR Mask" */
}

static void fpu_learn_components(void)
{
	uint32_t out[4];

	cpuid(0xd, 0, out);
	xcr0_host = (((uint64_t)out[3] << 32) | out[0]) & FPU_KNOWN;
	for (unsigned i = 2; i < ARRAY_COUNT(component_end); i++) {
		if (!(xcr0_host >> i & 1))
			continue;
		cpuid(0xd, i, out);
		if (out[1] >= FPU_LEGACY && out[0] <= sizeof(((struct fpu_area *)0)->xsave) &&
		    out[1] <= sizeof(((struct fpu_area *)0)->xsave) - out[0])
			component_end[i] = (uint16_t)(out[1] + out[0]);
		else
			xcr0_host &= ~(1ull << i);
	}
	if ((xcr0_host & XCR0_AVX512) != XCR0_AVX512 || !(xcr0_host & XCR0_AVX))
		xcr0_host &= ~XCR0_AVX512;
}

void fpu_cpu_start(void)
{
	clts();
	if (xcr0_host == 0) {
		fpu_learn_components();
		fpu_learn_mxcsr();
	}
	xsetbv(0, xcr0_host);
	write_cr0(read_cr0() | CR0_TS);
}

uint64_t arch_xcr0_host(void)
{
	return xcr0_host;
}

size_t arch_fpu_size(uint64_t xcr0)
{
	size_t size = FPU_LEGACY;

	/* One turn a component beyond SSE: CPUID exits ask. */
	for (uint64_t left = xcr0 & 0xfffc; left; left &= left - 1)
		size = MAX(size, (size_t)component_end[__builtin_ctzll(left)]);
	return size;
}

struct fpu_area *fpu_area_alloc(struct quota *quota, uint64_t xcr0)
{
	struct fpu_area *area = kpage_alloc_charged(quota);
	const uint16_t fcw = FPU_FCW_INIT;
	const uint32_t mxcsr = FPU_MXCSR_INIT;

	_Static_assert(sizeof(*area) == PAGE_SIZE, "an area is a page");
	if (!area)
		return NULL;
	__builtin_memcpy(area->xsave, &fcw, sizeof(fcw));
	__builtin_memcpy(area->xsave + FPU_MXCSR, &mxcsr, sizeof(mxcsr));
	area->xcr0 = xcr0;
	return area;
}

/* ---- moving state ---- */

static void fpu_write_xcr0(uint64_t xcr0)
{
	if (xgetbv(0) != xcr0)
		xsetbv(0, xcr0);
}

/*
 * CR0.TS is clear. All components are saved and loaded, also those that the owner's XCR0 hides now.
 * XCR0 is read back, because QEMU's SVM lets a guest write it without an exit.
 */
static void fpu_swap(struct core *core, struct fpu_area *area)
{
	if (core->fpu_owner)
		core->fpu_owner->xcr0 = xgetbv(0) & xcr0_host;
	fpu_write_xcr0(xcr0_host);
	if (core->fpu_owner)
		xsave64(core->fpu_owner->xsave, xcr0_host);
	if (area) {
		xrstor64(area->xsave, xcr0_host);
		fpu_write_xcr0(area->xcr0);
	}
	core->fpu_owner = area;
}

static void fpu_set_ts(struct core *core)
{
	write_cr0(read_cr0() | CR0_TS);
	core->is_ts_clear = false;
}

void fpu_area_free(struct quota *quota, struct fpu_area *area)
{
	struct core *core = core_this();

	if (!area)
		return;
	if (core->fpu_owner == area) { /* its state dies with it */
		core->fpu_owner = NULL;
		if (core->is_ts_clear)
			fpu_set_ts(core);
	}
	kpage_free_charged(quota, area);
}

void fpu_load_guest(struct fpu_area *area)
{
	struct core *core = core_this();

	if (!core->is_ts_clear)
		clts();
	fpu_swap(core, area);
	fpu_set_ts(core);
}

void fpu_drop(struct fpu_area *area)
{
	struct core *core = core_this();

	if (core->fpu_owner != area || !area)
		return;
	if (!core->is_ts_clear)
		clts();
	fpu_swap(core, NULL);
	fpu_set_ts(core);
}

void fpu_set_xcr0(struct fpu_area *area, uint64_t xcr0)
{
	struct core *core = core_this();

	area->xcr0 = xcr0;
	if (core->fpu_owner == area)
		fpu_write_xcr0(xcr0);
}

void fpu_get(struct fpu_area *area, void *buffer, size_t size)
{
	fpu_drop(area);
	__builtin_memcpy(buffer, area->xsave, MIN(size, sizeof(area->xsave)));
}

/* SDM vol 1, "Standard Form of XRSTOR": what raises #GP. */
static bool fpu_is_valid(const uint8_t *image)
{
	uint64_t header[FPU_HEADER / 8];
	uint32_t mxcsr;

	__builtin_memcpy(header, image + FPU_XSTATE_BV, sizeof(header));
	__builtin_memcpy(&mxcsr, image + FPU_MXCSR, sizeof(mxcsr));
	if ((header[0] & ~xcr0_host) || (mxcsr & ~mxcsr_mask))
		return false;
	for (unsigned i = 1; i < ARRAY_COUNT(header); i++)
		if (header[i] != 0)
			return false;
	return true;
}

int fpu_set(struct fpu_area *area, const void *buffer, size_t size)
{
	if (size < FPU_LEGACY || size > sizeof(area->xsave) || !fpu_is_valid(buffer))
		return -ABI_EINVAL;
	fpu_drop(area);
	__builtin_memset(area->xsave, 0, sizeof(area->xsave));
	__builtin_memcpy(area->xsave, buffer, size);
	return 0;
}

/* ---- threads ---- */

int fpu_use(struct thread *thread)
{
	struct core *core = core_this();

	if (!thread->arch.fpu)
		thread->arch.fpu = fpu_area_alloc(thread->object.quota, xcr0_host);
	if (!thread->arch.fpu)
		return -ABI_ENOMEM;
	clts();
	core->is_ts_clear = true;
	if (core->fpu_owner != thread->arch.fpu)
		fpu_swap(core, thread->arch.fpu);
	return 0;
}

void fpu_switch(struct thread *to)
{
	struct core *core = core_this();
	bool is_owner = core->fpu_owner && core->fpu_owner == to->arch.fpu;

	if (is_owner == core->is_ts_clear)
		return;
	if (is_owner) {
		clts();
		core->is_ts_clear = true;
	} else {
		fpu_set_ts(core);
	}
}
