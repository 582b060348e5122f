/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An EFI program that starts \EFI\BOOT\CORBEL.EFI of every other volume, then locks VT-x or SVM
 * off, as some firmware does, and starts that of its own. It says what each left behind on its
 * return.
 */
#include "tests/guest/chain.h"

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static EFI_SYSTEM_TABLE *firmware;

static void print(CHAR16 *text)
{
	firmware->ConOut->OutputString(firmware->ConOut, text);
}

static void print_hex(uint64_t value)
{
	CHAR16 digits[17];

	for (unsigned i = 0; i < 16; i++)
		digits[i] = (CHAR16) "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	digits[16] = 0;
	print(digits);
}

static void tell_lock(void)
{
	print(chain_is_amd() ? L"lockoff: VM_CR is " : L"lockoff: IA32_FEATURE_CONTROL is ");
	print_hex(chain_lock_off());
	print(L"\r\n");
}

static uint64_t free_pages(void)
{
	static uint8_t map[64 << 10];
	UINTN size = sizeof(map), key, step;
	UINT32 version;
	uint64_t pages = 0;

	if (EFI_ERROR(firmware->BootServices->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)map,
							   &key, &step, &version)))
		return 0;
	for (UINTN at = 0; at < size; at += step) {
		const EFI_MEMORY_DESCRIPTOR *d = (EFI_MEMORY_DESCRIPTOR *)(map + at);

		if (d->Type == EfiConventionalMemory)
			pages += d->NumberOfPages;
	}
	return pages;
}

static void start(EFI_HANDLE image, EFI_HANDLE volume)
{
	uint64_t before = free_pages(), after;
	EFI_HANDLE corbel = chain_load(firmware, image, volume);
	EFI_STATUS status;

	if (!corbel)
		return;
	status = firmware->BootServices->StartImage(corbel, NULL, NULL);
	print(L"lockoff: corbel.efi came back with ");
	print_hex(status);
	after = free_pages();
	print(L", pages not given back: ");
	print_hex(after < before ? before - after : 0);
	print(L"\r\n");
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_BOOT_SERVICES *boot = system->BootServices;
	EFI_GUID loaded_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	EFI_GUID volume_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_LOADED_IMAGE_PROTOCOL *loaded;
	EFI_HANDLE *volumes;
	UINTN count;

	firmware = system;
	if (EFI_ERROR(boot->HandleProtocol(image, &loaded_guid, (void **)&loaded)) ||
	    EFI_ERROR(boot->LocateHandleBuffer(ByProtocol, &volume_guid, NULL, &count, &volumes)))
		return EFI_LOAD_ERROR;
	for (UINTN i = 0; i < count; i++)
		if (volumes[i] != loaded->DeviceHandle)
			start(image, volumes[i]);
	tell_lock();
	start(image, loaded->DeviceHandle);
	print(L"lockoff: end\r\n");
	return EFI_ABORTED;
}
