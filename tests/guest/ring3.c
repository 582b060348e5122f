/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for init: starts programs that attack ring 0, each other and the system calls, and says
 * in TAP on COM1 what became of them. All are this same program, told apart by their argument.
 */
#include "services/lib/elf_format.h"
#include "services/lib/syscall.h"

#define PAGE        4096ull
#define STACK_TOP   0x70000000ull
#define STACK_SIZE  (64 * PAGE)
#define CHILD_QUOTA (8ull << 20)
#define SECRET      0x60000000ull /* mapped in this process only */
#define KERNEL_TEXT 0xffffffff80000000ull
#define WINDOW      0xffff800000000000ull

#define system ((handle_t)ABI_HANDLE_BOOTSTRAP)
static handle_t com1, module;
static unsigned test_count;

/* ---- printing ---- */

static void put(char c)
{
	while (!(device_port_in(com1, 0x3fd, 1) & 0x20))
		;
	device_port_out(com1, 0x3f8, 1, (uint8_t)c);
}

static void print(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}

static void print_number(int64_t number)
{
	char text[24];
	unsigned i = sizeof(text) - 1;
	uint64_t n = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	text[i] = 0;
	do {
		text[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	if (number < 0)
		text[--i] = '-';
	print(text + i);
}

static void result_of(bool is_good, const char *sentence, const char *more, int64_t got)
{
	print(is_good ? "ok " : "not ok ");
	print_number(++test_count);
	print(" - ");
	print(sentence);
	print(more);
	if (!is_good) {
		print(" # got ");
		print_number(got);
	}
	print("\n");
}

static void result(bool is_good, const char *sentence, int64_t got)
{
	result_of(is_good, sentence, "", got);
}

/* ---- the attacks: each must end its process with a fault, unless it says otherwise ---- */

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % limit;
}

static void read_at(uint64_t address)
{
	(void)*(volatile uint8_t *)address;
}

static void write_at(uint64_t address)
{
	*(volatile uint8_t *)address = 1;
}

static void jump_to(uint64_t address)
{
	((void (*)(void))address)();
}

static void read_kernel(void)
{
	read_at(KERNEL_TEXT);
}

static void write_kernel(void)
{
	write_at(WINDOW + 0x200000);
}

static void run_kernel(void)
{
	jump_to(KERNEL_TEXT);
}

static void read_other_process(void)
{
	read_at(SECRET);
}

static void read_null(void)
{
	read_at(0);
}

static void read_not_canonical(void)
{
	read_at(0x8000000000000000ull);
}

static void jump_not_canonical(void)
{
	jump_to(0x8000000000000000ull);
}

static void run_data(void)
{
	volatile uint8_t code[] = {0xc3};

	jump_to((uint64_t)code);
}

static void write_text(void)
{
	write_at((uint64_t)write_text);
}

static void overflow_stack(void)
{
	write_at(STACK_TOP - STACK_SIZE - 1);
}

static void halt(void)
{
	__asm__ volatile("hlt");
}

static void disable_interrupts(void)
{
	__asm__ volatile("cli");
}

static void write_port(void)
{
	__asm__ volatile("out %%al, %%dx" : : "a"(0), "d"(0x80));
}

static void load_page_table(void)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(0ull));
}

static void write_msr(void)
{
	__asm__ volatile("wrmsr" : : "c"(0xc0000080), "a"(0), "d"(0));
}

static void load_gdt(void)
{
	__asm__ volatile("lgdt (%0)" : : "r"(STACK_TOP - 64));
}

static void raise_timer(void)
{
	__asm__ volatile("int $0x20");
}

static void raise_nmi(void)
{
	__asm__ volatile("int $2");
}

static void raise_double_fault(void)
{
	__asm__ volatile("int $8");
}

static void fast_call(void)
{
	__asm__ volatile("syscall" : : : "rcx", "r11", "memory");
}

static void fast_call_of_intel(void)
{
	__asm__ volatile("sysenter" : : : "memory");
}

static void undefined(void)
{
	__asm__ volatile("ud2");
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

static void divide(void)
{
	__asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx" : : "a"(1) : "edx", "ecx");
}

static void single_step_into_a_call(void)
{
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; mov $25, %%eax; int $0x80; nop"
			 :
			 :
			 : "rax", "memory", "cc");
}

static void load_kernel_segment(void)
{
	__asm__ volatile("mov %0, %%ss" : : "r"(0x10));
}

static void iret_to_ring_0(void)
{
	__asm__ volatile("push $0x10; push %0; push $0x202; push $0x8; push %1; iretq"
			 :
			 : "r"(STACK_TOP - 64), "r"(KERNEL_TEXT));
}

/* And these end in another way. */

static void exits_with_42(void)
{
	process_exit(42);
}

static bool is_documented(int64_t error)
{
	return error >= -ABI_EBADTYPE;
}

static const uint64_t values[] = {0,
				  1,
				  2,
				  3,
				  4,
				  5,
				  6,
				  7,
				  8,
				  9,
				  10,
				  64,
				  4095,
				  4096,
				  8192,
				  1ull << 20,
				  1ull << 21,
				  1ull << 31,
				  1ull << 32,
				  1ull << 39,
				  1ull << 46,
				  1ull << 47,
				  1ull << 63,
				  INT64_MAX,
				  UINT32_MAX,
				  UINT64_MAX,
				  UINT64_MAX - 4095,
				  SECRET,
				  WINDOW,
				  KERNEL_TEXT,
				  STACK_TOP,
				  ABI_USER_BASE,
				  ABI_USER_END - 4096,
				  ABI_USER_END,
				  0x400000,
				  0x401000};

/* Random calls with random arguments, over objects of every kind that a process can make. */
static void calls_at_random(void)
{
	uint8_t scratch[2048];
	handle_t ends[2];

	random_state = (uint32_t)clock_ns();
	channel_create(ends);
	event_create();
	waitset_create();
	memory_create(16 * PAGE, 0);
	vcpu_create((handle_t)vm_create(1, ABI_VM_APICV), 0);
	for (unsigned i = 0; i < 30000; i++) {
		unsigned number = random_below(SYS_COUNT + 1);
		uint64_t a[6];

		for (unsigned k = 0; k < 6; k++)
			a[k] = random_below(5)
				       ? values[random_below(sizeof(values) / sizeof(values[0]))]
				       : (uint64_t)scratch + random_below(1024);
		if (number == SYS_PROCESS_EXIT || number == SYS_PROCESS_KILL ||
		    number == SYS_THREAD_EXIT || number == SYS_THREAD_CREATE ||
		    number == SYS_VCPU_RUN || number == SYS_HANDLE_CLOSE)
			continue; /* it is to live until the end */
		if (number == SYS_WAITSET_WAIT)
			a[3] = 0;
		if (number == SYS_MEMORY_UNMAP && (int32_t)a[0] == -1)
			continue;
		if (!is_documented(syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])))
			process_exit(1000 + number);
	}
	process_exit(7);
}

static void takes_all_memory(void)
{
	uint64_t count = 0;

	while (memory_create(PAGE, 0) > 0)
		count++;
	while (event_create() > 0)
		count++;
	process_exit(count > 100 ? 9 : count);
}

static void forges_handles(void)
{
	uint64_t answered = 0;
	struct abi_system_info info;

	for (int64_t h = -70000; h < 70000; h++) {
		if (syscall3(SYS_SYSTEM_INFO, (uint64_t)h, (uint64_t)&info, 0) != -ABI_EBADF ||
		    syscall3(SYS_MEMORY_INFO, (uint64_t)h, (uint64_t)&info, 0) != -ABI_EBADF)
			answered++;
	}
	process_exit(answered ? 1 : 8);
}

static void spins(void)
{
	for (;;)
		;
}

static void spins_in_calls(void)
{
	for (;;)
		clock_ns();
}

static void waits_for_ever(void)
{
	uint64_t key;
	handle_t set = (handle_t)waitset_create();

	waitset_wait(set, &key, 1, UINT64_MAX);
	process_exit(1);
}

#define GUEST_PAGE ((volatile uint8_t *)(SECRET + 0x2000000))

/* A page of RAM that this process and guests share, at GUEST_PAGE. */
static handle_t guest_memory(uint64_t size)
{
	handle_t memory = (handle_t)memory_create(size, 0);

	memory_map(PROCESS_SELF, memory, 0, size, (uint64_t)GUEST_PAGE,
		   ABI_PROT_READ | ABI_PROT_WRITE);
	return memory;
}

/*
 * What was closed comes back when the reaper gets to it, on another core: who makes VMs faster than
 * that waits before his quota is used up.
 */
static void await_the_reaper(void)
{
	struct abi_process_info self;
	uint64_t end = clock_ns() + 10000000000;

	while (process_info(PROCESS_SELF, &self) == 0 && self.used_bytes > CHILD_QUOTA / 2 &&
	       clock_ns() < end)
		thread_yield();
}

/* With so much of the memory from address 0 on; its CPU in real mode, as after reset but there. */
static handle_t guest_start(handle_t vm, handle_t memory, uint64_t size)
{
	handle_t vcpu = (handle_t)vcpu_create(vm, 0);
	struct abi_cpu cpu = {.rflags = 2, .cr0 = 0x60000010, .dr6 = 0xffff0ff0, .dr7 = 0x400};

	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		cpu.segment[i] = (struct abi_segment_state){.limit = 0xffff, .attributes = 0x93};
	cpu.segment[ABI_CS].attributes = 0x9b;
	cpu.segment[ABI_LDTR].attributes = 0x82;
	cpu.segment[ABI_TR].attributes = 0x8b;
	if (memory_map(vm, memory, 0, size, 0, ABI_PROT_READ | ABI_PROT_WRITE | ABI_PROT_EXEC) !=
		    0 ||
	    vcpu_state_set(vcpu, ABI_STATE_CPU, &cpu, sizeof(cpu)) != 0)
		process_exit(2);
	return vcpu;
}

/*
 * A guest that jumps to itself. Interrupts on, as Bochs 3.0 has a fault: entered with guest
 * RFLAGS.IF = 0, it holds back the host's interrupts until the guest changes IF (cpu/vmx.cc,
 * cpu/svm.cc: the mask of events is made before the CPU counts as in the guest).
 */
static void runs_a_guest_that_spins(void)
{
	handle_t memory = guest_memory(PAGE);

	GUEST_PAGE[0] = 0xfb; /* sti */
	GUEST_PAGE[1] = 0xeb; /* jmp $ */
	GUEST_PAGE[2] = 0xfe;
	vcpu_run(guest_start((handle_t)vm_create(1, ABI_VM_APICV), memory, PAGE));
	process_exit(1);
}

/*
 * VMs one after the other, by turns with and without RAM where all of them read: stage-2 roots in
 * frames that a dead VM's had, and on SVM more vCPUs than there are ASIDs.
 */
static void dead_vms_leave_nothing(void)
{
	static const uint8_t code[] = {0xa0, 0x00, 0x10, 0xe6, 0x80}; /* mov al, [0x1000]; out */
	volatile struct abi_vcpu_page *page = (void *)(SECRET + 0x3000000);
	handle_t memory = guest_memory(2 * PAGE);

	for (unsigned i = 0; i < sizeof(code); i++)
		GUEST_PAGE[i] = code[i];
	GUEST_PAGE[PAGE] = 0x5e;
	for (unsigned i = 0; i < 100; i++) {
		handle_t vm, vcpu;

		await_the_reaper();
		vm = (handle_t)vm_create(1, ABI_VM_APICV);
		vcpu = guest_start(vm, memory, i % 2 ? PAGE : 2 * PAGE);
		memory_map(PROCESS_SELF, vcpu, 0, PAGE, (uint64_t)page,
			   ABI_PROT_READ | ABI_PROT_WRITE);
		if (vcpu_run(vcpu) != 0)
			process_exit(3);
		if (i % 2 ? page->exit.kind != ABI_EXIT_MMIO || page->exit.mmio.gpa != PAGE
			  : page->exit.kind != ABI_EXIT_PORT || page->exit.port.value != 0x5e)
			process_exit(100 + i);
		memory_unmap(PROCESS_SELF, (uint64_t)page, PAGE);
		handle_close(vcpu);
		handle_close(vm);
	}
	process_exit(11);
}

#define STATE_ROUNDS 400u
#define STATE_SPARE  (ABI_FPU_SIZE + 8)

/* Sets, with some bytes changed, what a guest CPU had; true: it was taken. */
static bool set_spoilt(handle_t vcpu, uint32_t what, uint32_t size)
{
	static uint8_t bytes[STATE_SPARE] __attribute__((aligned(8)));
	struct abi_msr *msr = (struct abi_msr *)bytes;
	int64_t error;

	msr->index = (random_below(2) ? 0xc0000080 : 0x170) + random_below(8);
	msr->reserved = 0;
	if (what == ABI_STATE_MSRS)
		msr->value = (uint64_t)random_below(UINT32_MAX) << random_below(40);
	else if (vcpu_state_get(vcpu, what, bytes, size) != 0)
		process_exit(3);
	for (unsigned i = 1 + random_below(4); i > 0 && what != ABI_STATE_MSRS; i--)
		bytes[random_below(size)] = (uint8_t)random_below(256) & (uint8_t)random_below(256);
	if (what == ABI_STATE_HIDDEN) { /* nobody would wake it */
		((struct abi_hidden *)bytes)->is_halted = 0;
		((struct abi_hidden *)bytes)->startup = 0;
	}
	error = vcpu_state_set(vcpu, what, bytes, size);
	if (error != 0 && error != -ABI_EINVAL)
		process_exit(4);
	return error == 0;
}

/*
 * Guest CPUs in states that nobody wrote. Ring 0 refuses them, or the CPU does at the entry, which
 * ends in an exit, or they run: every other instruction of theirs leaves the guest.
 */
static void sets_hostile_states(void)
{
	static const struct {
		uint32_t what, size;
	} kinds[] = {{ABI_STATE_CPU, sizeof(struct abi_cpu)},
		     {ABI_STATE_HIDDEN, sizeof(struct abi_hidden)},
		     {ABI_STATE_LAPIC, sizeof(struct abi_lapic)},
		     {ABI_STATE_FPU, ABI_FPU_SIZE},
		     {ABI_STATE_MSRS, sizeof(struct abi_msr)}};
	handle_t memory = guest_memory(PAGE);
	unsigned taken = 0, refused = 0;

	random_state = 4711;
	for (unsigned i = 0; i < PAGE; i++)
		GUEST_PAGE[i] = i % 2 ? 0x80 : 0xe6; /* out 0x80, al */
	for (unsigned i = 0; i < STATE_ROUNDS; i++) {
		unsigned kind = i % (sizeof(kinds) / sizeof(kinds[0]));
		handle_t vm, vcpu;

		await_the_reaper();
		vm = (handle_t)vm_create(1, ABI_VM_APICV);
		vcpu = guest_start(vm, memory, PAGE);
		if (set_spoilt(vcpu, kinds[kind].what, kinds[kind].size))
			taken++;
		else
			refused++;
		if (vcpu_run(vcpu) != 0)
			process_exit(5);
		handle_close(vcpu);
		handle_close(vm);
	}
	process_exit(taken > STATE_ROUNDS / 4 && refused > STATE_ROUNDS / 8 ? 12 : 6);
}

/* The same with interrupts off, on a core of its own. */
static void runs_a_deaf_guest(void)
{
	handle_t memory = guest_memory(PAGE);

	GUEST_PAGE[0] = 0xeb; /* jmp $ */
	GUEST_PAGE[1] = 0xfe;
	vcpu_run(guest_start((handle_t)vm_create(1, 0), memory, PAGE));
	process_exit(1);
}

/* ---- threads of one process, on as many cores as there are ---- */

#define RACE_PAGE   ((volatile uint8_t *)(SECRET + 0x5000000))
#define RACE_ROUNDS 200u
#define RESULT      0x800 /* where the guest writes what it read */

static uint8_t race_stacks[2][4 * PAGE] __attribute__((aligned(16)));
static volatile uint32_t race_turn;

static void race_start(unsigned number, void (*function)(uint64_t), uint64_t argument)
{
	uint64_t top = (uint64_t)race_stacks[number] + sizeof(race_stacks[0]);

	if (thread_create(PROCESS_SELF, (uint64_t)function, top, argument) != 0)
		process_exit(2);
}

static void race_pause(void)
{
	__builtin_ia32_pause();
	thread_yield();
}

/* Two pages that hold 1 and 2. */
static void make_tagged(handle_t tagged[2])
{
	for (unsigned i = 0; i < 2; i++) {
		tagged[i] = (handle_t)memory_create(PAGE, 0);
		memory_map(PROCESS_SELF, tagged[i], 0, PAGE, (uint64_t)RACE_PAGE,
			   ABI_PROT_READ | ABI_PROT_WRITE);
		*RACE_PAGE = (uint8_t)(i + 1);
		memory_unmap(PROCESS_SELF, (uint64_t)RACE_PAGE, PAGE);
	}
}

static void reads_in_turn(uint64_t unused)
{
	(void)unused;
	for (unsigned i = 0; i < RACE_ROUNDS; i++) {
		while (race_turn != 2 * i + 1)
			race_pause();
		if (*RACE_PAGE != i % 2 + 1)
			process_exit(100 + i);
		race_turn++;
	}
	thread_exit();
}

/* What one thread unmaps and maps, the other reads at once: no core keeps the old translation. */
static void remaps_under_a_thread(void)
{
	handle_t tagged[2];

	make_tagged(tagged);
	race_start(0, reads_in_turn, 0);
	for (unsigned i = 0; i < RACE_ROUNDS; i++) {
		memory_map(PROCESS_SELF, tagged[i % 2], 0, PAGE, (uint64_t)RACE_PAGE,
			   ABI_PROT_READ);
		race_turn++;
		while (race_turn != 2 * i + 2)
			race_pause();
		memory_unmap(PROCESS_SELF, (uint64_t)RACE_PAGE, PAGE);
	}
	process_exit(13);
}

static void runs_again(uint64_t vcpu)
{
	while (vcpu_run((handle_t)vcpu) == 0) /* it met no page, and tries again */
		;
	process_exit(3);
}

/* The same under a guest that runs, which copies what it reads there. */
static void remaps_under_a_guest(void)
{
	static const uint8_t code[] = {0xfb, 0xa0, 0x00, 0x10, 0xa2, 0x00, 0x08, 0xeb, 0xf8};
	handle_t memory = guest_memory(PAGE), vm = (handle_t)vm_create(1, 0), tagged[2];

	make_tagged(tagged);
	for (unsigned i = 0; i < sizeof(code); i++)
		GUEST_PAGE[i] = code[i]; /* sti; mov al, [0x1000]; mov [0x800], al; jmp 1 */
	race_start(0, runs_again, (uint64_t)guest_start(vm, memory, PAGE));
	for (unsigned i = 0; i < RACE_ROUNDS; i++) {
		uint64_t end = clock_ns() + 5000000000;

		memory_map(vm, tagged[i % 2], 0, PAGE, PAGE, ABI_PROT_READ);
		while (GUEST_PAGE[RESULT] != i % 2 + 1 && clock_ns() < end)
			race_pause();
		for (unsigned k = 0; k < 100; k++)
			if (GUEST_PAGE[RESULT] != i % 2 + 1)
				process_exit(100 + i);
		memory_unmap(vm, PAGE, PAGE);
	}
	process_exit(14);
}

static void calls_beside(uint64_t unused)
{
	(void)unused;
	calls_at_random();
}

static void threads_call_at_random(void)
{
	race_start(0, calls_beside, 0);
	race_start(1, calls_beside, 0);
	calls_at_random();
}

/* A whole life of a VM: made, run until its first exit, and left to ring 0 to take apart. */
static void runs_a_guest_once(void)
{
	volatile struct abi_vcpu_page *page = (void *)(SECRET + 0x3000000);
	handle_t memory = guest_memory(PAGE), vm = (handle_t)vm_create(1, ABI_VM_APICV), vcpu;

	GUEST_PAGE[0] = 0xe6; /* out 0x80, al */
	GUEST_PAGE[1] = 0x80;
	vcpu = guest_start(vm, memory, PAGE);
	memory_map(PROCESS_SELF, vcpu, 0, PAGE, (uint64_t)page, ABI_PROT_READ | ABI_PROT_WRITE);
	process_exit(vcpu_run(vcpu) == 0 && page->exit.kind == ABI_EXIT_PORT ? 15 : 1);
}

enum end { FAULTS, EXITS, KILLED };

static const struct {
	void (*run)(void);
	enum end end;
	uint64_t status; /* of EXITS */
	const char *sentence;
} attacks[] = {
	{exits_with_42, EXITS, 42, "a program exits with its status"},
	{read_kernel, FAULTS, 0, "reading ring 0's text ends the process"},
	{write_kernel, FAULTS, 0, "writing to ring 0's window ends the process"},
	{run_kernel, FAULTS, 0, "jumping into ring 0 ends the process"},
	{read_other_process, FAULTS, 0, "another process's memory is not there"},
	{read_null, FAULTS, 0, "the null page is not there"},
	{read_not_canonical, FAULTS, 0, "reading a non-canonical address ends the process"},
	{jump_not_canonical, FAULTS, 0, "jumping to a non-canonical address ends the process"},
	{run_data, FAULTS, 0, "data cannot be run"},
	{write_text, FAULTS, 0, "text cannot be written"},
	{overflow_stack, FAULTS, 0, "nothing is mapped below the stack"},
	{halt, FAULTS, 0, "HLT ends the process"},
	{disable_interrupts, FAULTS, 0, "CLI ends the process"},
	{write_port, FAULTS, 0, "OUT ends the process"},
	{load_page_table, FAULTS, 0, "MOV to CR3 ends the process"},
	{write_msr, FAULTS, 0, "WRMSR ends the process"},
	{load_gdt, FAULTS, 0, "LGDT ends the process"},
	{raise_timer, FAULTS, 0, "INT to the timer's vector ends the process"},
	{raise_nmi, FAULTS, 0, "INT 2 ends the process"},
	{raise_double_fault, FAULTS, 0, "INT 8 ends the process"},
	{fast_call, FAULTS, 0, "SYSCALL ends the process"},
	{fast_call_of_intel, FAULTS, 0, "SYSENTER ends the process"},
	{undefined, FAULTS, 0, "UD2 ends the process"},
	{breakpoint, FAULTS, 0, "INT3 ends the process"},
	{divide, FAULTS, 0, "dividing by zero ends the process"},
	{single_step_into_a_call, FAULTS, 0, "single-stepping into a call ends the process"},
	{load_kernel_segment, FAULTS, 0, "loading a segment of ring 0 ends the process"},
	{iret_to_ring_0, FAULTS, 0, "IRET to ring 0 ends the process"},
	{forges_handles, EXITS, 8, "no forged handle is answered"},
	{calls_at_random, EXITS, 7, "calls with random arguments return documented errors"},
	{takes_all_memory, EXITS, 9, "a greedy process gets -ENOMEM"},
	{dead_vms_leave_nothing, EXITS, 11, "a VM finds nothing of the memory of dead ones"},
	{sets_hostile_states, EXITS, 12, "states that no guest CPU can have end that VM at most"},
	{remaps_under_a_thread, EXITS, 13, "no thread reads by a translation that is gone"},
	{remaps_under_a_guest, EXITS, 14, "no guest reads by a translation that is gone"},
	{threads_call_at_random, EXITS, 7,
	 "threads race with random calls, and errors are documented"},
	{runs_a_guest_once, EXITS, 15, "a program makes a VM and runs it"},
	{spins, KILLED, 0, "a process that spins can be killed"},
	{spins_in_calls, KILLED, 0, "a process that spins in calls can be killed"},
	{waits_for_ever, KILLED, 0, "a process that waits for ever can be killed"},
	{runs_a_guest_that_spins, KILLED, 0, "a process whose guest spins can be killed"},
	{runs_a_deaf_guest, KILLED, 0, "a deaf guest holds up no other core"},
};
#define ATTACK_FIRST 100u
#define ATTACK_COUNT                                                                               \
	(sizeof(attacks) / sizeof(attacks[0]) - 1) /* the last is for several cores                \
						    */
#define DEAF        ATTACK_COUNT
#define STORM_FIRST 29u /* what calls, has VMs or does not end by itself */
#define LIFE        36u /* runs_a_guest_once */

/* ---- starting them ---- */

struct child {
	handle_t process, memories[8];
	unsigned memory_count;
};

static void child_map(struct child *child, handle_t memory, uint64_t address, uint64_t size,
		      uint32_t prot)
{
	if (memory_map(child->process, memory, 0, size, address, prot) != (int64_t)address)
		result(false, "a child's segment is mapped", (int64_t)address);
	child->memories[child->memory_count++] = memory;
}

static void child_start(struct child *child, const struct elf_header *file, uint64_t argument)
{
	const struct elf_segment *segments =
		(const struct elf_segment *)((const char *)file + file->phoff);
	handle_t stack = (handle_t)memory_create(STACK_SIZE, 0);

	child->memory_count = 0;
	child->process = (handle_t)process_create(system, CHILD_QUOTA);
	for (unsigned i = 0; i < file->phnum; i++) {
		const struct elf_segment *segment = &segments[i];
		uint64_t size = (segment->memsz + PAGE - 1) & ~(PAGE - 1);
		handle_t memory;

		if (segment->type != 1 || size == 0)
			continue;
		memory = (handle_t)memory_create(size, 0);
		if (segment->filesz)
			memory_cow(memory, 0, module, segment->offset,
				   (segment->filesz + PAGE - 1) & ~(PAGE - 1));
		child_map(child, memory, segment->vaddr, size,
			  ABI_PROT_READ | (segment->flags & 2 ? ABI_PROT_WRITE : 0) |
				  (segment->flags & 1 ? ABI_PROT_EXEC : 0));
	}
	child_map(child, stack, STACK_TOP - STACK_SIZE, STACK_SIZE, ABI_PROT_READ | ABI_PROT_WRITE);
	thread_create(child->process, file->entry, STACK_TOP, argument);
}

static void child_close(struct child *child)
{
	handle_close(child->process);
	while (child->memory_count)
		handle_close(child->memories[--child->memory_count]);
}

static uint64_t frames_free(void)
{
	struct abi_system_info info;

	system_info(system, &info);
	return info.frames_free;
}

/* Waits until the child is dead; kills it after a while if it is to be killed. */
static void child_wait(struct child *child, handle_t set, bool is_killed)
{
	uint64_t key;

	waitset_add(set, child->process, 1);
	if (is_killed) {
		waitset_wait(set, &key, 1, clock_ns() + 20000000);
		process_kill(child->process);
	}
	waitset_wait(set, &key, 1, UINT64_MAX);
	waitset_remove(set, child->process);
}

/* What ring 0 needs for the first process of all, and keeps, is none's loss later. */
static void warm_up(const struct elf_header *file, handle_t set)
{
	struct child child;

	child_start(&child, file, ATTACK_FIRST + ATTACK_COUNT - 1); /* the one with a VM */
	child_wait(&child, set, true);
	child_close(&child);
	for (unsigned i = 0; i < 100; i++)
		thread_yield();
}

/* Waits, but not for ever, until so much is free; the reaper may be at it on another core. */
static bool is_free_again(uint64_t frames, uint64_t used)
{
	uint64_t end = clock_ns() + 2000000000;
	struct abi_process_info self;

	do {
		thread_yield();
		process_info(PROCESS_SELF, &self);
	} while ((frames_free() < frames || self.used_bytes > used) && clock_ns() < end);
	return frames_free() >= frames && self.used_bytes <= used;
}

static void attack(const struct elf_header *file, handle_t set, unsigned number)
{
	uint64_t before = frames_free(), used;
	struct abi_process_info info, self;
	struct child child;

	process_info(PROCESS_SELF, &self);
	used = self.used_bytes;
	child_start(&child, file, ATTACK_FIRST + number);
	child_wait(&child, set, attacks[number].end == KILLED);
	process_info(child.process, &info);
	switch (attacks[number].end) {
	case FAULTS:
		result(info.reason == ABI_END_FAULT, attacks[number].sentence, info.reason);
		break;
	case EXITS:
		result(info.reason == ABI_END_EXIT && info.status == attacks[number].status,
		       attacks[number].sentence, (int64_t)info.status);
		break;
	default:
		result(info.reason == ABI_END_KILLED, attacks[number].sentence, info.reason);
	}
	child_close(&child);
	result_of(is_free_again(before, used), attacks[number].sentence,
		  ", and all that it had comes back", (int64_t)(before - frames_free()));
}

#define STORM_ROUNDS   20u
#define STORM_CHILDREN 5u

/* Programs start and are killed at any time, several at once. */
static void storm(const struct elf_header *file, handle_t set)
{
	uint64_t before = frames_free(), key;
	struct child children[STORM_CHILDREN];
	struct abi_process_info info;
	unsigned wrong = 0;

	random_state = 815;
	for (unsigned round = 0; round < STORM_ROUNDS; round++) {
		for (unsigned i = 0; i < STORM_CHILDREN; i++)
			child_start(&children[i], file,
				    ATTACK_FIRST + STORM_FIRST +
					    random_below(ATTACK_COUNT - STORM_FIRST));
		waitset_wait(set, &key, 1, clock_ns() + random_below(8000000));
		for (unsigned i = 0; i < STORM_CHILDREN; i++)
			process_kill(children[i].process);
		for (unsigned i = 0; i < STORM_CHILDREN; i++) {
			child_wait(&children[i], set, false);
			process_info(children[i].process, &info);
			wrong += info.reason != ABI_END_KILLED && info.reason != ABI_END_EXIT;
			child_close(&children[i]);
		}
	}
	result(wrong == 0, "programs can be killed at any time", wrong);
	result(is_free_again(before, UINT64_MAX),
	       "programs killed at any time leave nothing behind",
	       (int64_t)(before - frames_free()));
}

/* One after the other, each a process with its VM: all that they had comes back each time. */
static void many_lives(const struct elf_header *file, handle_t set, unsigned count)
{
	uint64_t before = frames_free();
	struct abi_process_info info, self;
	struct child child;
	uint32_t handles;
	unsigned lives = 0;
	bool is_free = true;

	process_info(PROCESS_SELF, &self);
	handles = self.handle_count;
	for (; lives < count && is_free; lives++) {
		child_start(&child, file, ATTACK_FIRST + LIFE);
		child_wait(&child, set, false);
		process_info(child.process, &info);
		child_close(&child);
		if (info.reason != ABI_END_EXIT || info.status != attacks[LIFE].status)
			break;
		is_free = is_free_again(before, self.used_bytes);
	}
	process_info(PROCESS_SELF, &info);
	result(lives == count, "VMs are made, run and destroyed, 1,000 where there is one core",
	       lives);
	result(is_free, "each returned every frame", (int64_t)(before - frames_free()));
	result(info.handle_count == handles, "and every handle", info.handle_count - handles);
}

/* It keeps its core, and others come and go on another, which flushes translations on both. */
static void deaf_neighbour(const struct elf_header *file, handle_t set)
{
	struct child deaf, other;
	uint64_t key;

	child_start(&deaf, file, ATTACK_FIRST + DEAF);
	waitset_wait(set, &key, 1, clock_ns() + 20000000);
	for (unsigned i = 0; i < 5; i++) {
		child_start(&other, file, ATTACK_FIRST + ATTACK_COUNT - 1);
		child_wait(&other, set, true);
		child_close(&other);
	}
	child_wait(&deaf, set, true);
	child_close(&deaf);
	result(true, attacks[DEAF].sentence, 0);
}

/* ---- calls of our own with bad pointers ---- */

static void bad_pointers(void)
{
	static const uint64_t bad[] = {0,          0xfff8,       0x50000000,
				       SECRET - 4, ABI_USER_END, 0x8000000000000000ull,
				       WINDOW,     KERNEL_TEXT,  UINT64_MAX - 7};
	handle_t memory = (handle_t)memory_create(PAGE, 0), event = (handle_t)event_create();
	handle_t set = (handle_t)waitset_create(), ends[2];
	uint64_t before = frames_free();
	struct abi_process_info info;
	int64_t wrong = 0;
	uint32_t handle_count;

	channel_create(ends);
	channel_send(ends[0], "x", 1, &event, 1);
	event = (handle_t)event_create();
	event_signal(event, 1);
	waitset_add(set, event, 1);
	process_info(PROCESS_SELF, &info);
	handle_count = info.handle_count;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		void *p = (void *)bad[i];
		size_t count = 1;

		wrong += process_info(PROCESS_SELF, p) != -ABI_EFAULT;
		wrong += memory_info(memory, p) != -ABI_EFAULT;
		wrong += channel_send(ends[0], p, 8, NULL, 0) != -ABI_EFAULT;
		wrong += channel_send(ends[0], "x", 1, p, 1) != -ABI_EFAULT;
		wrong += channel_receive(ends[1], p, 8, &ends[0], &count) != -ABI_EFAULT;
		wrong += channel_receive(ends[1], &info, 8, p, &count) != -ABI_EFAULT;
		wrong += waitset_wait(set, p, 1, 0) != -ABI_EFAULT;
		wrong += system_info(system, p) != -ABI_EFAULT;
		wrong += system_module(system, 0, p) != -ABI_EFAULT;
	}
	/* Text can be read but not written. */
	wrong += system_info(system, (void *)bad_pointers) != -ABI_EFAULT;
	process_info(PROCESS_SELF, &info);
	result(wrong == 0, "every call refuses bad pointers", wrong);
	result(info.handle_count == handle_count, "refused calls lose and gain no handle",
	       info.handle_count);
	handle_close(memory);
	handle_close(event);
	handle_close(set);
	handle_close(ends[0]);
	handle_close(ends[1]);
	result(is_free_again(before, UINT64_MAX), "refused calls keep no frame",
	       (int64_t)(before - frames_free()));
}

static void test_all(void)
{
	const struct elf_header *file;
	static struct abi_module_info info;
	struct abi_system_info machine;
	handle_t secret, set;

	com1 = (handle_t)device_create(system, 0x3f8, 8, ABI_IRQ_NONE);
	module = (handle_t)system_module(system, 0, &info);
	file = (const void *)memory_map(PROCESS_SELF, module, 0,
					(info.size + PAGE - 1) & ~(PAGE - 1), SECRET + 0x4000000,
					ABI_PROT_READ);
	secret = (handle_t)memory_create(PAGE, 0);
	memory_map(PROCESS_SELF, secret, 0, PAGE, SECRET, ABI_PROT_READ | ABI_PROT_WRITE);
	*(volatile uint64_t *)SECRET = 0x5ec2e7;
	set = (handle_t)waitset_create();
	print("\n1..");
	system_info(system, &machine);
	print_number(2 * ATTACK_COUNT + 9 + (machine.core_count > 1));
	print("\n");
	warm_up(file, set);
	bad_pointers();
	for (unsigned i = 0; i < ATTACK_COUNT; i++)
		attack(file, set, i);
	storm(file, set);
	many_lives(file, set, machine.core_count > 1 ? 100 : 1000);
	if (machine.core_count > 1)
		deaf_neighbour(file, set);
	result(*(volatile uint64_t *)SECRET == 0x5ec2e7,
	       "memory of a process that was not attacked is whole", 0);
	print("corbel: vm ring3: ended: test-device 1\n");
	system_power(system, ABI_POWER_OFF);
}

/* RDI: from ATTACK_FIRST on the number of an attack; below, what the kernel tells init. */
__attribute__((force_align_arg_pointer)) void _start(uint64_t argument);
void _start(uint64_t argument)
{
	if (argument < ATTACK_FIRST)
		test_all();
	else
		attacks[argument - ATTACK_FIRST].run();
	process_exit(99);
}

/* The compiler may call these. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile char *)to)[i] = ((const volatile char *)from)[i];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile char *)to)[i] = (char)byte;
	return to;
}
