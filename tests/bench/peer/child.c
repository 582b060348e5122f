/* SPDX-License-Identifier: BSD-2-Clause */
/* What the measured Linux starts anew: ends at once, without a library that would ask CPUID first.
 */
#include <sys/syscall.h>

_Noreturn void _start(void);

_Noreturn void _start(void)
{
	for (;;)
		__asm__ volatile("syscall" : : "a"(SYS_exit), "D"(0) : "rcx", "r11", "memory");
}
