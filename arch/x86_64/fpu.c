/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose x87, SSE and AVX state the core's registers hold: a thread's, a guest's, or nobody's. */
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "kernel/arch.h"
#include "kernel/object.h"
#include "kernel/system.h"
#include "kernel/thread.h"

#define FPU_LEGACY offsetof(struct fpu_image, extended)
#define MXCSR_INIT 0x1f80u

/* SDM vol 2, "CPUID", leaf 0xd: of what XCR0 enables now. */
size_t arch_fpu_size(void)
{
	uint32_t out[4];

	cpuid(0xd, 0, out);
	return out[1];
}

struct fpu_area *fpu_area_alloc(struct quota *quota, uint64_t xcr0)
{
	struct fpu_area *area = kalloc(quota, PAGE_SIZE);

	_Static_assert(sizeof(*area) == PAGE_SIZE, "an area is a page");
	if (!area)
		return NULL;
	area->image.mxcsr = MXCSR_INIT; /* loaded whatever xstate_bv says */
	area->xcr0 = xcr0;
	return area;
}

void fpu_save(void *area)
{
	if (core_this()->fpu_owner == area)
		fpu_load(NULL);
}

/* No core's registers hold the area any more. */
static void collect(struct fpu_area *area)
{
	if (area->core && area->core->fpu_owner == area)
		cpu_call(&area->core->cpu, NULL, fpu_save, area);
}

void fpu_area_free(struct quota *quota, struct fpu_area *area)
{
	if (!area)
		return;
	collect(area);
	kfree(quota, area, PAGE_SIZE);
}

/* ---- moving state ---- */

/*
 * CR0.TS is clear. All components are saved and loaded, also those that the owner's XCR0 hides now.
 * XCR0 is read back, because QEMU's SVM lets a guest write it without an exit.
 */
static void swap(struct core *core, struct fpu_area *area)
{
	uint64_t xcr0_host = boot_info->cpu.xcr0;

	if (core->fpu_owner)
		core->fpu_owner->xcr0 = xgetbv(0) & xcr0_host;
	xsetbv(0, xcr0_host);
	if (core->fpu_owner)
		xsave64(&core->fpu_owner->image, xcr0_host);
	if (area) {
		xrstor64(&area->image, xcr0_host);
		xsetbv(0, area->xcr0);
		area->core = core;
	}
	core->fpu_owner = area;
}

void fpu_load(struct fpu_area *area)
{
	if (core_this()->fpu_owner == area)
		return;
	clts();
	swap(core_this(), area);
	write_cr0(read_cr0() | CR0_TS);
}

/* ---- guests ---- */

void arch_vcpu_set_xcr0(struct vcpu *vcpu, uint64_t xcr0)
{
	vcpu->arch->fpu->xcr0 = xcr0;
	if (core_this()->fpu_owner == vcpu->arch->fpu)
		xsetbv(0, xcr0);
}

int arch_vcpu_fpu_get(struct vcpu *vcpu, void *buffer, size_t size)
{
	struct fpu_area *area = vcpu->arch->fpu;

	if (size < boot_info->cpu.xsave_size)
		return -ABI_EINVAL;
	fpu_save(area);
	memcpy(buffer, &area->image, MIN(size, sizeof(area->image)));
	return 0;
}

/* SDM vol 1, "Standard Form of XRSTOR": what raises #GP. */
static bool is_valid(const struct fpu_image *image)
{
	uint64_t header = 0;

	for (unsigned i = 0; i < ARRAY_COUNT(image->header); i++)
		header |= image->header[i];
	return !header && !(image->xstate_bv & ~boot_info->cpu.xcr0) &&
	       !(image->mxcsr & ~boot_info->cpu.mxcsr_mask);
}

int arch_vcpu_fpu_set(struct vcpu *vcpu, const void *buffer, size_t size)
{
	struct fpu_area *area = vcpu->arch->fpu;

	if (size < FPU_LEGACY || size > sizeof(area->image) || !is_valid(buffer))
		return -ABI_EINVAL;
	fpu_save(area);
	memset(&area->image, 0, sizeof(area->image));
	memcpy(&area->image, buffer, size);
	return 0;
}

/* ---- threads ---- */

int fpu_use(struct thread *thread)
{
	struct core *core = core_this();

	if (!thread->arch.fpu)
		thread->arch.fpu = fpu_area_alloc(thread->object.quota, boot_info->cpu.xcr0);
	if (!thread->arch.fpu)
		return -ABI_ENOMEM;
	if (core->fpu_owner != thread->arch.fpu)
		collect(thread->arch.fpu);
	clts();
	if (core->fpu_owner != thread->arch.fpu)
		swap(core, thread->arch.fpu);
	return 0;
}
