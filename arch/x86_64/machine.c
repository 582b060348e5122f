/* SPDX-License-Identifier: BSD-2-Clause */
/* The order in which the machine is taken over: before there is memory, and after. */
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/console.h"
#include "arch/x86_64/core.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/machine_check.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/power.h"
#include "arch/x86_64/traps.h"
#include "boot/boot_info.h"
#include "kernel/arch.h"

static const struct boot_info *boot; /* until arch_init is done */

void arch_early_init(const struct boot_info *info)
{
	boot = info;
	console_init();         /* a panic has somewhere to write to */
	core_start(&core_boot); /* GDT, TSS, EFER */
	traps_init();           /* IDT: from here on faults are told */
	paging_cpu_start();     /* CR0, CR4: protections */
	fpu_cpu_start();        /* XCR0 */
}

void arch_init(void)
{
	static struct acpi_info acpi;

	acpi_init(&acpi, boot->rsdp);            /* what the firmware says of the machine */
	machine_check_init();                    /* hardware errors are reported */
	clock_init(acpi.pm_timer, acpi.century); /* time begins */
	apic_init(acpi.lapic_address);           /* the timer can interrupt */
	ioapic_init(&acpi, apic_id());           /* devices could, all masked */
	power_init(boot, &acpi);                 /* the way back to the firmware */
	hv_init();                               /* VT-x or SVM is on */
	paging_drop_loader();                    /* the lower half is ring 3's now */
	boot = NULL;
}
