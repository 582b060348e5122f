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
