/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An EFI program that makes cores unlike the boot core, and then starts \EFI\BOOT\CORBEL.EFI of its
 * volume: the second core's TSC is ahead, on the third VT-x or SVM is locked off.
 */
#include "boot/cpu.h"
#include "tests/guest/chain.h"

#define IA32_TSC 0x10u
#define AHEAD    (1ull << 32)

/* UEFI Platform Initialization 1.7, volume 2, "MP Services Protocol". */
static EFI_GUID mp_guid = {
	0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}};

struct mp_services {
	void *count, *info, *start_all;
	EFI_STATUS(EFIAPI *start)
	(struct mp_services *self, void(EFIAPI *work)(void *), UINTN number, EFI_EVENT event,
	 UINTN timeout_us, void *argument, BOOLEAN *is_done);
};

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static void EFIAPI move_tsc(void *unused)
{
	(void)unused;
	cpu_write_msr(IA32_TSC, cpu_read_msr(IA32_TSC) + AHEAD);
}

static void EFIAPI lock(void *unused)
{
	(void)unused;
	chain_lock_off();
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_BOOT_SERVICES *boot = system->BootServices;
	EFI_GUID loaded_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	EFI_LOADED_IMAGE_PROTOCOL *loaded;
	struct mp_services *mp;
	EFI_HANDLE corbel;

	if (EFI_ERROR(boot->HandleProtocol(image, &loaded_guid, (void **)&loaded)) ||
	    EFI_ERROR(boot->LocateProtocol(&mp_guid, NULL, (void **)&mp)) ||
	    EFI_ERROR(mp->start(mp, move_tsc, 1, NULL, 0, NULL, NULL)) ||
	    EFI_ERROR(mp->start(mp, lock, 2, NULL, 0, NULL, NULL)))
		return EFI_DEVICE_ERROR;
	corbel = chain_load(system, image, loaded->DeviceHandle);
	return corbel ? boot->StartImage(corbel, NULL, NULL) : EFI_NOT_FOUND;
}
