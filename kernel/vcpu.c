/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest CPU: runs it on the calling thread until vmm has something to do. */
#include "kernel/vcpu.h"

#include "kernel/cpuid.h"
#include "kernel/exit.h"
#include "kernel/frames.h"
#include "kernel/lock.h"
#include "kernel/memory.h"
#include "kernel/system.h"
#include "kernel/thread.h"
#include "kernel/vlapic.h"

#define SHADOWS         (ABI_BLOCK_STI | ABI_BLOCK_MOV_SS)
#define BLOCKS          (SHADOWS | ABI_BLOCK_NMI | ABI_BLOCK_STEP)
#define POLL_MIN_NS     2000u
#define POLL_MAX_NS     100000u /* what comes later is not worth staying awake for */
/* Linux, "KVM-specific MSRs", MSR_KVM_STEAL_TIME: ns, the version, which is another even number
 * after each change, and flags; then a byte, and two bits of it. */
#define STEAL_MIN_NS    10000u /* less is told later */
#define STEAL_PREEMPTED 16u
#define AWAY            1u
#define AWAY_FLUSH      2u
#define EVENT_TYPES                                                                                \
	(1u << VM_EVENT_INTERRUPT | 1u << VM_EVENT_NMI | 1u << VM_EVENT_EXCEPTION |                \
	 1u << VM_EVENT_SOFTWARE_INTERRUPT | 1u << VM_EVENT_SOFTWARE_EXCEPTION)

int vcpu_create(struct vm *vm, uint32_t index, struct vcpu **out)
{
	struct quota *quota = vm->object.quota;
	struct vcpu *vcpu;
	int error;

	if (index >= vm->vcpu_count)
		return -ABI_EINVAL;
	if (vm->vcpus[index])
		return -ABI_EEXIST;
	vcpu = object_alloc(OBJECT_VCPU, sizeof(*vcpu), quota);
	if (!vcpu)
		return -ABI_ENOMEM;
	vcpu->vm = vm;
	vcpu->index = index;
	vcpu->needs_look = true;
	object_ref(&vm->object);
	vcpu->page = kalloc(quota, PAGE_SIZE);
	error = vcpu->page ? memory_wrap(quota, MEMORY_KPAGE, kpage_hpa(vcpu->page), PAGE_SIZE,
					 &vcpu->page_memory)
			   : -ABI_ENOMEM;
	if (!error)
		error = vlapic_init(vcpu);
	if (!error)
		error = arch_vcpu_init(vcpu);
	if (error) {
		object_unref(&vcpu->object); /* vcpu_destroy takes what there is */
		return error;
	}
	vcpu->page->version = ABI_VERSION;
	vcpu->page->size = sizeof(*vcpu->page);
	vcpu->page->xcr0_allowed = cpuid_xcr0_allowed();
	vcpu->page->tsc_mul = boot_info->clock.tsc_mul;
	vcpu->page->tsc_shift = (int8_t)boot_info->clock.tsc_shift;
	vcpu->page->has_fast_strings = (uint8_t)boot_info->cpu.has_fast_strings;
	vcpu->startup = index ? ABI_STARTUP_WAITS : 0;
	vlapic_move_tsc(vcpu, vm->tsc_offset);
	vm->vcpus[index] = vcpu;
	*out = vcpu;
	return 0;
}

bool vcpu_destroy(struct object *object)
{
	struct vcpu *vcpu = CONTAINER_OF(object, struct vcpu, object);
	struct vm *vm = vcpu->vm;

	if (vcpu->arch)
		arch_vcpu_exit(vcpu);
	vlapic_exit(vcpu);
	if (vcpu->page_memory)
		object_unref(&vcpu->page_memory->object); /* and the page with it */
	else if (vcpu->page)
		kfree(object->quota, vcpu->page, PAGE_SIZE);
	if (vm->vcpus[vcpu->index] == vcpu)
		vm->vcpus[vcpu->index] = NULL;
	object_unref(&vm->object);
	return true;
}

/* Makes the next entry, or a sleeping guest, look at what is pending. */
void vcpu_notify(struct vcpu *vcpu)
{
	vcpu->needs_look = true;
	if (vcpu->runner && !vcpu->is_polling)
		thread_wake(vcpu->runner);
}

void vcpu_kick(struct vcpu *vcpu)
{
	vcpu->kicked = true;
	vcpu_notify(vcpu);
}

void vcpu_leave(struct vcpu *vcpu)
{
	uint64_t at = vcpu->steal_at + STEAL_PREEMPTED;

	vcpu->is_away = vcpu->steal_at && arch_copy_to_user(at, &(uint8_t){AWAY}, 1) == 0;
}

/* From where it had no core, perhaps. What others asked for meanwhile is done, and if its page is
 * gone, what they may have asked for; the time is told where there is RAM. */
static void come_back(struct vcpu *vcpu)
{
	uint64_t at = vcpu->steal_at, ns = vcpu->runner->waited_ns;
	uint64_t steal[2];
	uint8_t flags = 0;

	if (vcpu->is_away &&
	    (arch_swap_with_user(at + STEAL_PREEMPTED, &flags) != 0 || flags & AWAY_FLUSH))
		arch_guest->flush_tlb(vcpu);
	vcpu->is_away = false;
	if (ns < STEAL_MIN_NS)
		return;
	vcpu->runner->waited_ns = 0;
	vcpu->stats.steal_ns += ns;
	if (!at || arch_copy_from_user(steal, at, sizeof(steal)) != 0)
		return;
	steal[0] += ns;
	steal[1] = (uint32_t)((steal[1] | 1) + 1);
	arch_copy_to_user(at, steal, sizeof(steal));
}

static void inject(struct vcpu *vcpu, struct abi_event event)
{
	event.is_valid = 1;
	arch_vcpu_inject(vcpu, &event);
	vcpu->is_halted = false;
}

/* The NMI first, then the 8259 pair, then the local APIC. True: vmm must acknowledge. */
static bool inject_interrupts(struct vcpu *vcpu)
{
	int pending;

	vlapic_take_sent(vcpu);
	if (vcpu->vm->wants_apicv)
		vcpu->lapic.is_virtual = arch_guest->sync_apic(vcpu);
	/* What the CPU delivers by itself concerns a halted guest alone. */
	pending = vcpu->lapic.is_virtual && !vcpu->is_halted ? -1 : vlapic_pending(vcpu);
	if (vcpu->nmi_pending && arch_guest->can_nmi(vcpu)) {
		vcpu->nmi_pending = false;
		inject(vcpu, (struct abi_event){.type = VM_EVENT_NMI, .vector = 2});
	} else if (vcpu->nmi_pending) {
		arch_guest->want_nmi(vcpu);
	}
	if (*(volatile uint32_t *)&vcpu->page->extint && vlapic_takes_extint(vcpu)) {
		if (arch_guest->can_interrupt(vcpu)) {
			vcpu->is_halted = false;
			return true;
		}
		arch_guest->want_interrupt(vcpu, 0);
	} else if (pending >= 0) {
		bool is_due = pending >> 4 > (int)*vlapic_reg(vcpu, VLAPIC_TPR) >> 4;

		if (vcpu->lapic.is_virtual) { /* the CPU delivers it; but a halted one does not */
			if (is_due && arch_guest->can_interrupt(vcpu))
				vcpu->is_halted = false;
		} else if (is_due && arch_guest->interrupt(vcpu, (uint8_t)pending)) {
			vlapic_accept(vcpu, (unsigned)pending);
			vcpu->is_halted = false;
		} else {
			arch_guest->want_interrupt(vcpu, (unsigned)pending >> 4);
		}
	}
	return false;
}

static int for_vmm(struct vcpu *vcpu, enum abi_exit kind)
{
	vcpu->page->exit.kind = kind;
	vcpu->stats.exits[kind]++;
	return 1;
}

/* INIT or a start-up message came: vmm gives the CPU the state that it begins with. */
static int start_up(struct vcpu *vcpu)
{
	vcpu->page->exit.startup.is_init = !!(vcpu->startup & ABI_STARTUP_INIT);
	vcpu->page->exit.startup.vector = (uint8_t)vcpu->startup;
	vcpu->nmi_pending = vcpu->is_roused = false;
	if (vcpu->startup & ABI_STARTUP_INIT) {
		vcpu->startup &= (uint16_t)~ABI_STARTUP_INIT;
		if (vcpu->lapic.eoi_word)
			vlapic_settle(vcpu, false);
		if (vlapic_mode(vcpu) == VLAPIC_OFF) /* since INIT came, as that reached it */
			vcpu->lapic.base_msr |= VLAPIC_XAPIC;
		vlapic_reset(vcpu);
	} else {
		vcpu->startup = 0;
	}
	return for_vmm(vcpu, ABI_EXIT_STARTUP);
}

/*
 * Until something comes for the guest. If it came soon the last time, it is awaited awake: a core
 * that sleeps takes long to wake. But not while another thread wants the core.
 */
static void await(struct vcpu *vcpu)
{
	uint64_t start_ns = arch_now_ns(), ns;

	vcpu->needs_look = false;
	if (vcpu->poll_ns) {
		vcpu->is_polling = true;
		lock_give();
		while (!*(volatile bool *)&vcpu->needs_look && !arch_this_cpu()->ready_count &&
		       arch_now_ns() - start_ns < vcpu->poll_ns) {
			arch_pause();
			arch_irq_window();
		}
		lock_take();
		vcpu->is_polling = false;
	}
	if (!vcpu->needs_look) {
		vcpu_leave(vcpu);
		thread_block(UINT64_MAX);
		arch_vcpu_load(vcpu);
	}
	vcpu->needs_look = true; /* also if we leave by a kick: the guest stays halted */
	ns = arch_now_ns() - start_ns;
	vcpu->poll_ns = ns > POLL_MAX_NS ? 0 : 2 * ns + POLL_MIN_NS;
}

/* The slow way into the guest. 0 = enter; 1 = vmm must see page->exit first; -ABI_EINTR. */
static int prepare(struct vcpu *vcpu)
{
	if (vcpu->lapic.eoi_word)
		vlapic_settle(vcpu, true);
	for (;;) {
		come_back(vcpu);
		if (vcpu->lapic.eoi_vector) { /* first: no saved state has it */
			vcpu->page->exit.eoi.vector = vcpu->lapic.eoi_vector;
			vcpu->lapic.eoi_vector = 0;
			return for_vmm(vcpu, ABI_EXIT_EOI);
		}
		if (vcpu->kicked || vcpu->runner->dying) {
			vcpu->kicked = false;
			return -ABI_EINTR;
		}
		if (vcpu->startup & (ABI_STARTUP_INIT | ABI_STARTUP_CAME))
			return start_up(vcpu);
		if (!vcpu->startup) {
			vcpu->needs_look = false;
			if (vcpu->event.is_valid)
				inject(vcpu, vcpu->event);
			vcpu->event.is_valid = 0;
			if (inject_interrupts(vcpu)) {
				vcpu->needs_look = true;
				return for_vmm(vcpu, ABI_EXIT_INTA);
			}
			if (vcpu->is_halted && vcpu->is_roused)
				vcpu->is_halted = vcpu->is_roused = false;
			if (!vcpu->is_halted)
				return 0;
		}
		await(vcpu);
	}
}

int64_t vcpu_run(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct vm_exit exit;
	int result;

	if (vcpu->runner)
		return -ABI_EBUSY;
	vcpu->runner = thread_current();
	arch_vcpu_load(vcpu);
	exit_take_page(vcpu);
	vcpu->runner->vcpu = vcpu;
	arch_trace(0, ABI_TRACE_RUN | (vcpu->index & 0xff));
	lock_give();
	do {
		result = 0;
		if (vcpu->needs_look) {
			lock_take();
			result = prepare(vcpu);
			lock_give();
			if (result)
				break;
		}
		if (vcpu->stage2_generation != vm->stage2.tlb_generation) {
			vcpu->stage2_generation = vm->stage2.tlb_generation;
			arch_guest->flush_tlb(vcpu);
		}
		arch_guest->enter(vcpu, &exit);
	} while (exit_handle(vcpu, &exit) < EXIT_TO_VMM);
	lock_take();
	if (vcpu->lapic.eoi_word) /* no state that vmm may save has an offer */
		vlapic_settle(vcpu, false);
	vlapic_take_sent(vcpu);
	vcpu->runner->vcpu = NULL;
	vcpu->runner = NULL;
	if (result < 0)
		return result;
	vcpu->stats.to_vmm++;
	return 0;
}

/* A new CPU state is a new life: it is awake, and nothing is about to go in. */
static int set_cpu(struct vcpu *vcpu, const struct abi_cpu *cpu)
{
	int error = arch_vcpu_set_cpu(vcpu, cpu);

	if (error)
		return error;
	vcpu->is_halted = false;
	vcpu->event.is_valid = 0;
	return 0;
}

static int msrs(struct vcpu *vcpu, struct abi_msr *msr, size_t count, bool is_get)
{
	for (const struct abi_msr *end = msr + count; msr < end; msr++)
		if (!(is_get ? msr_read(vcpu, msr->index, &msr->value)
			     : msr_write(vcpu, msr->index, msr->value)))
			return -ABI_EINVAL;
	return 0;
}

static int get_hidden(struct vcpu *vcpu, struct abi_hidden *hidden)
{
	*hidden = (struct abi_hidden){.tsc_offset = vcpu->tsc_offset,
				      .event = vcpu->event,
				      .is_halted = vcpu->is_halted,
				      .has_nmi = vcpu->nmi_pending,
				      .startup = vcpu->startup,
				      .is_roused = vcpu->is_roused};
	arch_vcpu_get_hidden(vcpu, hidden);
	return 0;
}

/* What the CPU would not take in else ends the VM at the next entry. */
static bool event_is_valid(const struct abi_event *event)
{
	return event->is_valid <= 1 && event->has_error <= 1 && event->error <= 0xffff &&
	       event->length <= 15 && event->type < 8 && EVENT_TYPES >> event->type & 1 &&
	       (event->type != VM_EVENT_NMI || event->vector == 2) &&
	       (event->type != VM_EVENT_EXCEPTION || event->vector < 32);
}

static int set_hidden(struct vcpu *vcpu, const struct abi_hidden *hidden)
{
	if (hidden->is_roused > 1 || hidden->startup >= 2 * ABI_STARTUP_INIT ||
	    hidden->blocks & ~BLOCKS || (hidden->blocks & SHADOWS) == SHADOWS ||
	    hidden->is_halted > 1 || hidden->has_nmi > 1 || !cpuid_xcr0_is_valid(hidden->xcr0) ||
	    !event_is_valid(&hidden->event) || arch_vcpu_set_hidden(vcpu, hidden) != 0)
		return -ABI_EINVAL;
	vcpu->event = hidden->event;
	vcpu->is_halted = hidden->is_halted;
	vcpu->is_roused = hidden->is_roused;
	vcpu->nmi_pending |= hidden->has_nmi; /* what came since the state was got is not lost */
	if (!(vcpu->startup & ABI_STARTUP_INIT))
		vcpu->startup = hidden->startup;
	vlapic_move_tsc(vcpu, hidden->tsc_offset);
	return 0;
}

int vcpu_state(struct vcpu *vcpu, uint32_t what, void *buffer, size_t size, bool is_get)
{
	if (vcpu->runner)
		return -ABI_EBUSY;
	vcpu->needs_look = true;
	arch_vcpu_load(vcpu);
	if (what == ABI_STATE_FPU) /* its size is the CPU's matter */
		return is_get ? arch_vcpu_fpu_get(vcpu, buffer, size)
			      : arch_vcpu_fpu_set(vcpu, buffer, size);
	if (what == ABI_STATE_MSRS && size % sizeof(struct abi_msr) == 0)
		return msrs(vcpu, buffer, size / sizeof(struct abi_msr), is_get);
	if (what == ABI_STATE_CPU && size == sizeof(struct abi_cpu)) {
		if (!is_get)
			return set_cpu(vcpu, buffer);
		arch_vcpu_get_cpu(vcpu, buffer);
		return 0;
	}
	if (what == ABI_STATE_HIDDEN && size == sizeof(struct abi_hidden))
		return is_get ? get_hidden(vcpu, buffer) : set_hidden(vcpu, buffer);
	if (what == ABI_STATE_LAPIC && size == sizeof(struct abi_lapic))
		return is_get ? vlapic_get(vcpu, buffer) : vlapic_set(vcpu, buffer);
	return -ABI_EINVAL;
}

int64_t vcpu_apic_access(struct vcpu *vcpu, uint32_t offset, bool is_write, uint32_t value)
{
	uint64_t result = 0;

	if (offset > 0xff0 || offset % 16)
		return -ABI_EINVAL;
	if (vlapic_mode(vcpu) != VLAPIC_XAPIC) /* then there is no page */
		return is_write ? 0 : UINT32_MAX;
	if (is_write)
		vlapic_write(vcpu, offset, value);
	else
		vlapic_read(vcpu, offset, &result);
	return (int64_t)result;
}
