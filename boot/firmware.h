/* SPDX-License-Identifier: BSD-2-Clause */
/* The UEFI services that the loader uses: the console, and the way out with a sentence. */
#pragma once
#include <efi.h>
#include <stdint.h>

/* Set once, at entry. */
struct firmware {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *system;
	EFI_BOOT_SERVICES *boot;
	EFI_LOADED_IMAGE_PROTOCOL *loaded;
};
extern struct firmware firmware;

/* Takes over from crt0; switches the watchdog off, which else resets a slow boot. */
void firmware_init(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

/* Prints "corbel: boot: ", the text (see text_format) and the end of the line. */
__attribute__((format(printf, 1, 2))) void firmware_print(const char *format, ...);

/*
 * Prints "corbel: boot stopped: " and the sentence, gives everything back and leaves for the
 * firmware with the status.
 */
__attribute__((format(printf, 2, 3))) _Noreturn void firmware_stop(EFI_STATUS status,
								   const char *format, ...);

/* The table that the firmware published under a GUID, or NULL. */
void *firmware_table(const EFI_GUID *guid);

int firmware_is_secure_boot(void);
