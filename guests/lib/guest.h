/* SPDX-License-Identifier: BSD-2-Clause */
/* What a tiny guest finds when it starts: console, test results, boot information, traps, time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guests/lib/cpu.h"

#define PORT_UART       0x3f8
#define PORT_TEST_EXIT  0xf4 /* write of V ends the VM with STATUS V*2+1 */
#define PORT_TEST_CRASH 0xf8 /* write of 1, 2, 3: misfortunes of the VM's vmm */
#define PORT_DOORBELL   0xfc /* an event that nobody waits for */

/*
 * Each guest is this function; its return ends the VM as tap_end() says. With `again` on the
 * command line it is called for ever, and prints only what fails.
 */
void guest_main(void);

/* Ends the VM: test device, then ACPI power-off, then the CPU halts for good. */
_Noreturn void guest_exit(uint32_t value);
/* Ends the VM by ACPI power-off; comes back with false if the tables name no way. */
bool guest_poweroff(void);
_Noreturn void guest_halt(void);

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* Console: COM1 by port writes. %c %s %d %u %x %lu %lx %p, with 0 and a width; "\n" as CR LF. */
void uart_init(void);
void uart_putc(char c);
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether there is no hypervisor but QEMU's own emulator (TCG), which is lax in known ways. */
bool guest_is_tcg(void);
/* Whether the CPU is TCG's, be a hypervisor between or not: it alone knows no INT1. */
bool guest_cpu_is_tcg(void);

/* TAP: the plan first, then a line for each result; a wrong number or "not ok" is a failure. */
void tap_plan(unsigned int count);
bool tap_ok(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As tap_ok(), and a failure also shows both values. */
bool tap_equal(uint64_t got, uint64_t expected, const char *sentence);
/* For what TCG is known to do otherwise: skipped on QEMU without a hypervisor. */
bool tap_strict(bool ok, const char *sentence);
/* For what no hypervisor can change: skipped also on top of TCG. */
bool tap_strict_cpu(bool ok, const char *sentence);
void tap_skip(const char *sentence, const char *why);
unsigned int tap_failed(void);
/* From now on only results that are not ok are printed, counted from 1 anew. */
void tap_silence(void);
/* Ends the VM with value 0 if all results of the plan came and were good, else 1. */
_Noreturn void tap_end(void);

/* Boot information, the same for Multiboot and PVH. */
enum boot_kind { BOOT_MULTIBOOT, BOOT_PVH };

struct boot_range {
	uint64_t base; /* first byte */
	uint64_t size; /* bytes */
	uint32_t type; /* 1 = RAM, as E820 */
};

struct boot_module {
	uint64_t base;       /* first byte */
	uint64_t size;       /* bytes */
	const char *cmdline; /* never NULL */
};

struct boot {
	enum boot_kind kind;
	uint64_t info;       /* address of the loader's structure */
	const char *cmdline; /* never NULL */
	uint64_t rsdp;       /* 0: to be searched below 1 MiB */
	unsigned int range_count;
	struct boot_range range[64];
	unsigned int module_count;
	struct boot_module module[16];
};

extern struct boot boot;

/* Parses what the loader left at `info`; false if the magic is no known one. */
bool boot_parse(uint32_t magic, uint64_t info);
/* The value of the word NAME or NAME=VALUE of the command line, copied into `value`. */
bool boot_option(const char *name, char *value, size_t size);
/* The same of a whole number of at most 15 digits; `otherwise` if the word is not there. */
uint64_t boot_number(const char *name, uint64_t otherwise);
/* Size in bytes of RAM at and above 1 MiB, up to the first hole. */
uint64_t boot_ram_above_1m(void);

/* Traps. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, flags, rsp, ss;
};

struct trap {
	int vector;     /* -1: none came */
	uint32_t error; /* error code, 0 where the vector has none */
	uint64_t rip;   /* of the faulting instruction */
	uint64_t cr2;   /* as it was in the handler */
};

void trap_init(void);
/* Sends `vector` to a function of the guest; NULL takes it back. */
void trap_handle(uint8_t vector, void (*handler)(struct trap_frame *frame));
/* Calls the function; an exception without a handler ends the call. Interrupts are not caught. */
struct trap guest_try(void (*function)(void *argument), void *argument);
/* One access each; the vector of the exception that it met, -1 if none. */
int try_rdmsr(uint32_t msr, uint64_t *value);
int try_wrmsr(uint32_t msr, uint64_t value);
int try_xsetbv(uint32_t index, uint64_t value);
int try_write_cr0(uint64_t value);
int try_write_cr4(uint64_t value);

/* Paging: the 4 GiB that start.S mapped, and single pages more. */
#define PAGE_PRESENT  (1ul << 0)
#define PAGE_WRITE    (1ul << 1)
#define PAGE_USER     (1ul << 2)
#define PAGE_UNCACHED (1ul << 4)
#define PAGE_LARGE    (1ul << 7)

/* Maps one 4 KiB page; a large page in the way is split first. False: out of table pages. */
bool page_map(uint64_t virtual, uint64_t physical, uint64_t flags);

/* Time, in guest time: TSC ticks and what a known clock says about their rate. */
uint64_t time_tsc_khz(void);
uint64_t time_tsc_after_us(uint64_t us); /* the TSC value that much later */
void time_delay_us(uint64_t us);
/* Waits with interrupts open until *flag is at least `value`; false after `us`. */
bool time_wait(const volatile uint32_t *flag, uint32_t value, uint64_t us);

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
