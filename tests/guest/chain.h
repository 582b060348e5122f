/* SPDX-License-Identifier: BSD-2-Clause */
/* For EFI programs that start Corbel on a machine which they have spoilt before. */
#pragma once
#include <efi.h>
#include <stdbool.h>
#include <stdint.h>

/* Loads \EFI\BOOT\CORBEL.EFI of the volume, for StartImage(); NULL = it has none. */
EFI_HANDLE chain_load(EFI_SYSTEM_TABLE *system, EFI_HANDLE image, EFI_HANDLE volume);

bool chain_is_amd(void);
/* Locks VT-x or SVM off on this CPU; returns VM_CR, or IA32_FEATURE_CONTROL, as it is then. */
uint64_t chain_lock_off(void);

static inline uint64_t read_msr(uint32_t number)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t number, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}
