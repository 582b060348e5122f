/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers the exits of a guest CPU that ring 0 leaves to vmm. */
#include "services/vmm/vcpu.h"

#include <string.h>

#include "services/vmm/emulate.h"
#include "services/vmm/platform.h"
#include "services/vmm/vioapic.h"
#include "services/vmm/vpic.h"
#include "services/vmm/x86.h"

/*
 * An exit that vmm finds no cause for is tried again: another vCPU may have changed the code or
 * the page tables. Where it stays so, the guest is at something that emulation cannot do, such as
 * delivering an exception through tables that are no RAM.
 */
#define STUCK_MAX 1000

void vcpu_init(struct vcpu *vcpu, unsigned index, struct platform *platform, struct vpic *pic,
	       struct vioapic *ioapic, struct abi_vcpu_page *page)
{
	memset(vcpu, 0, sizeof(*vcpu));
	vcpu->platform = platform;
	vcpu->pic = pic;
	vcpu->ioapic = ioapic;
	vcpu->page = page;
	vcpu->index = index;
	gpagewalk_flush(&vcpu->walks, &page->cpu);
	vmsr_init(&vcpu->msr, platform, page);
}

void vcpu_inject(struct vcpu *vcpu, uint8_t vector)
{
	struct abi_vcpu_page *page = vcpu->page;

	page->inject_exception = 1;
	page->exception_vector = vector;
	page->exception_has_error = 0;
	page->exception_error = 0;
}

void vcpu_inject_error(struct vcpu *vcpu, uint8_t vector, uint32_t error)
{
	vcpu_inject(vcpu, vector);
	vcpu->page->exception_has_error = 1;
	vcpu->page->exception_error = error;
}

void vcpu_inject_page_fault(struct vcpu *vcpu, uint64_t address, uint32_t error)
{
	vcpu_inject_error(vcpu, X86_VECTOR_PF, error);
	vcpu->page->exception_address = address;
}

static void handle_emulation(struct vcpu *vcpu)
{
	enum guestmem result = emulate(vcpu);

	if (result != GUESTMEM_RETRY) {
		vcpu->stuck_count = 0;
		return;
	}
	if (vcpu->stuck_rip != vcpu->page->cpu.rip)
		vcpu->stuck_count = 0;
	vcpu->stuck_rip = vcpu->page->cpu.rip;
	if (++vcpu->stuck_count > STUCK_MAX)
		platform_end(
			vcpu->platform, PLATFORM_END_ERROR, 0,
			"it uses memory that it does not have in a way that cannot be emulated");
}

static void handle_port(struct vcpu *vcpu)
{
	struct abi_vcpu_page *page = vcpu->page;
	struct bus *ports = &vcpu->platform->ports;

	if (page->exit.port.is_string)
		handle_emulation(vcpu);
	else if (page->exit.port.is_write)
		bus_write(ports, page->exit.port.port, page->exit.port.size, page->exit.port.value);
	else
		vcpu_put(vcpu, ABI_RAX, page->exit.port.size,
			 bus_read(ports, page->exit.port.port, page->exit.port.size));
}

/* The MSR is in RCX, its value in RDX and RAX. */
static void handle_msr(struct vcpu *vcpu, bool is_write)
{
	struct abi_vcpu_page *page = vcpu->page;
	uint32_t index = (uint32_t)page->gpr[ABI_RCX];
	uint64_t value = page->gpr[ABI_RDX] << 32 | (uint32_t)page->gpr[ABI_RAX];

	if (!(is_write ? vmsr_write(&vcpu->msr, index, value)
		       : vmsr_read(&vcpu->msr, index, &value))) {
		vcpu_inject_error(vcpu, X86_VECTOR_GP, 0);
		return;
	}
	page->set |= ABI_SET_NEXT;
	if (is_write)
		return;
	page->gpr[ABI_RAX] = (uint32_t)value;
	page->gpr[ABI_RDX] = value >> 32;
}

/* SDM vol 3, appendix "VMX Basic Exit Reasons", where a failed entry has bit 31 set beside the
 * reason; APM vol 2, appendix "SVM Intercept Exit Codes". They have none in common here. */
const char *vcpu_error_text(uint32_t code)
{
	static const struct {
		uint32_t code;
		const char *text;
	} errors[] = {
		{ABI_ERROR_NO_MEMORY, "no memory left for a page of this VM"},
		{ABI_ERROR_DELIVERY, "an event's delivery touched an address without RAM"},
		{ABI_ERROR_FETCH, "the guest runs code at an address without RAM"},
		{3, "the core got an INIT signal"},
		{0x63, "the core got an INIT signal"},
		{4, "the core got a start-up message"},
		{9, "the guest switches tasks by a task gate or TSS, which this version lacks"},
		{0x80000021, "VM entry failed: invalid guest state"},
		{0x80000022, "VM entry failed: loading of MSRs"},
		{0x80000029, "VM entry failed: machine check"},
		{49, "the stage-2 tables are broken (EPT misconfiguration)"},
		{UINT32_MAX, "VMRUN failed: invalid VMCB"},
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].code == code)
			return errors[i].text;
	if (code >= ABI_ERROR_ENTRY && code < ABI_ERROR_ENTRY + 0x100)
		return "VM entry failed: invalid control field (VM-instruction error)";
	return "the CPU left the guest for a reason not known";
}

void vcpu_exit_handle(struct vcpu *vcpu)
{
	struct abi_vcpu_page *page = vcpu->page;

	switch (page->exit.kind) {
	case ABI_EXIT_PORT:
		handle_port(vcpu);
		break;
	case ABI_EXIT_MMIO:
	case ABI_EXIT_DR:
		handle_emulation(vcpu);
		break;
	case ABI_EXIT_RDMSR:
	case ABI_EXIT_WRMSR:
		handle_msr(vcpu, page->exit.kind == ABI_EXIT_WRMSR);
		break;
	case ABI_EXIT_INTA:
		/* The request may be gone by now; the guest need not hear of it. */
		page->inject_vector = vcpu->pic->intr ? vpic_acknowledge(vcpu->pic) : 0;
		break;
	case ABI_EXIT_EOI:
		vioapic_eoi(vcpu->ioapic, page->exit.eoi.vector);
		break;
	case ABI_EXIT_STARTUP:
		vmsr_start_up(&vcpu->msr);
		platform_start_up(vcpu->platform, vcpu->index, page->exit.startup.is_init,
				  page->exit.startup.vector);
		break;
	case ABI_EXIT_TRIPLE_FAULT:
		platform_end(vcpu->platform, PLATFORM_END_TRIPLE_FAULT, 0, NULL);
		break;
	case ABI_EXIT_ERROR:
		platform_end(vcpu->platform, PLATFORM_END_ERROR, 0,
			     vcpu_error_text(page->exit.error.code));
		break;
	default:
		break;
	}
}
