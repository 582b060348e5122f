/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First process of the Linux that is measured, the same bare, under Corbel and under KVM. Prints
 * what the boot up to here took and then rows of its own, "bench ID mean=N min=N max=N count=N".
 * Words of the kernel's command line: scale=N does 1/N of the work; end=test-device ends the VM by
 * the test device, else the machine is switched off.
 */
#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE          4096u
#define END_PORT      0xf4
#define CPUID_OPS     0x40000100 /* of a Corbel that counts: counter ECX in EDX:EAX */
#define OPS_SIGNATURE 0x2173706f
#define OPS_COUNT     16
#define LEFT_FREE     (24u << 20) /* of the RAM that the warm-up touches */
#define ROUNDS        10
#define WORDS         4096
#define COMPUTE       150u  /* of one round: fills and sums of the words */
#define TOUCHED       2048u /* pages of one round */
#define FORKS         20u

static unsigned scale = 1;
static volatile uint64_t sink;

/* The counters of Corbel, and its clock behind the last of them. */
static void print_ops(void)
{
	uint32_t a, b, c, d;

	__cpuid_count(CPUID_OPS, 0, a, b, c, d);
	if (b != OPS_SIGNATURE)
		return;
	printf("ops boot.linux");
	for (unsigned i = 0; i < OPS_COUNT; i++) {
		__cpuid_count(CPUID_OPS, i, a, b, c, d);
		printf(" %llu", (unsigned long long)d << 32 | a);
	}
	printf("\n");
}

/* How often the timer and the other interrupts of this CPU came. */
static void print_interrupts(void)
{
	char line[256];
	FILE *file = fopen("/proc/interrupts", "r");

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long count = strtoul(line + strcspn(line, ":") + 1, NULL, 10);

		if (count)
			printf("# interrupts %.*s=%lu\n",
			       (int)strcspn(line + strspn(line, " "), ":"),
			       line + strspn(line, " "), count);
	}
	if (file)
		fclose(file);
}

static void *map(size_t size)
{
	void *found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (found == MAP_FAILED) {
		printf("not ok: no memory for %zu bytes\n", size);
		_exit(1);
	}
	return found;
}

static void touch(uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		at[i] = 1;
}

/* Touches what is free, so that the rows below meet no page for the first time. */
static void warm_up(void)
{
	struct sysinfo info;
	size_t size;
	void *all;

	sysinfo(&info);
	size = info.freeram * info.mem_unit;
	size = size > 2 * LEFT_FREE ? size - LEFT_FREE : size / 2;
	all = map(size);
	touch(all, size);
	munmap(all, size);
}

/* Registers and the cache: what the CPU does without any help. */
static void compute(void)
{
	static uint64_t words[WORDS];
	uint64_t value = 0x0123456789abcdef, sum = 0;

	for (unsigned n = 0; n < COMPUTE / scale + 1; n++) {
		for (unsigned i = 0; i < WORDS; i++) {
			value = value * 6364136223846793005 + 1442695040888963407;
			words[i] = value;
		}
		for (unsigned i = 0; i < WORDS; i++)
			sum = (sum << 7 | sum >> 57) ^ words[(i * 797) % WORDS];
	}
	sink = sum;
}

/* Maps, touches and unmaps pages; forks children, of which half touch some and half run a program.
 */
static void page_faults(void)
{
	size_t size = (size_t)TOUCHED / scale * PAGE;

	for (unsigned n = 0; n < 4; n++) {
		uint8_t *pages = map(size);

		touch(pages, size);
		munmap(pages, size);
	}
	for (unsigned n = 0; n < FORKS / scale + 1; n++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			if (n % 2) {
				execl("/child", "child", NULL);
				_exit(1);
			}
			touch(map(64 * PAGE), 64 * PAGE);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			printf("not ok: no child\n");
	}
}

static void measure(const char *id, void (*work)(void))
{
	uint64_t all = 0, min = UINT64_MAX, max = 0;

	work();
	for (unsigned n = 0; n < ROUNDS; n++) {
		uint64_t start = __rdtsc(), ticks;

		work();
		ticks = __rdtsc() - start;
		all += ticks;
		min = ticks < min ? ticks : min;
		max = ticks > max ? ticks : max;
	}
	printf("bench %s mean=%lu min=%lu max=%lu count=%u\n", id, all / ROUNDS, min, max, ROUNDS);
}

int main(void)
{
	uint64_t ticks = __rdtsc();
	const char *end = getenv("end"), *wanted = getenv("scale");

	if (wanted && atoi(wanted) > 0)
		scale = (unsigned)atoi(wanted);
	setvbuf(stdout, NULL, _IOLBF, 0);
	print_ops();
	printf("bench boot.linux mean=%lu min=%lu max=%lu count=1\n", ticks, ticks, ticks);
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	print_interrupts();
	if (!getenv("boot_only")) {
		warm_up();
		measure("cpu.compute", compute);
		measure("cpu.page_faults", page_faults);
		print_interrupts();
	}
	printf("bench end\n");
	tcdrain(STDOUT_FILENO);
	if (end && strcmp(end, "test-device") == 0 && ioperm(END_PORT, 1, 1) == 0)
		outb(0, END_PORT);
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	return 0;
}
