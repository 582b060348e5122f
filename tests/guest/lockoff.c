/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An EFI program that starts \EFI\BOOT\CORBEL.EFI of every other volume, then locks VT-x or SVM
 * off, as some firmware does, and starts that of its own. It says what each left behind on its
 * return.
 */
#include "boot/bytes.h"
#include <efi.h>
#include <stdint.h>

#define MSR_FEATURE_CONTROL 0x3au
#define MSR_VM_CR           0xc0010114u

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

static uint64_t read_msr(uint32_t number)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t number, uint32_t value)
{
	__asm__ volatile("wrmsr" : : "c"(number), "a"(value), "d"(0));
}

static void lock_off(void)
{
	uint32_t eax = 1, ebx, ecx, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	if (!(ecx & 1u << 5)) {
		write_msr(MSR_VM_CR, 0x18); /* LOCK and SVMDIS */
		print(L"lockoff: VM_CR is ");
		print_hex(read_msr(MSR_VM_CR));
	} else {
		if (!(read_msr(MSR_FEATURE_CONTROL) & 1))
			write_msr(MSR_FEATURE_CONTROL, 1);
		print(L"lockoff: IA32_FEATURE_CONTROL is ");
		print_hex(read_msr(MSR_FEATURE_CONTROL));
	}
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

/* The volume's device path with the file's name behind it, or NULL. */
static EFI_DEVICE_PATH *path_on(EFI_HANDLE volume)
{
	static const CHAR16 name[] = L"\\EFI\\BOOT\\CORBEL.EFI";
	static const uint8_t end[4] = {0x7f, 0xff, 4, 0};
	static uint8_t path[512];
	EFI_GUID guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
	uint8_t *old;
	UINTN n = 0;

	if (EFI_ERROR(firmware->BootServices->HandleProtocol(volume, &guid, (void **)&old)))
		return NULL;
	while (old[n] != end[0]) {
		n += (UINTN)(old[n + 2] | old[n + 3] << 8);
		if (n > 256)
			return NULL;
	}
	memcpy(path, old, n);
	path[n] = 4; /* a file's path on a medium */
	path[n + 1] = 4;
	path[n + 2] = 4 + sizeof(name);
	memcpy(path + n + 4, name, sizeof(name));
	memcpy(path + n + 4 + sizeof(name), end, sizeof(end));
	return (EFI_DEVICE_PATH *)path;
}

static void start(EFI_HANDLE image, EFI_HANDLE volume)
{
	EFI_BOOT_SERVICES *boot = firmware->BootServices;
	EFI_DEVICE_PATH *path = path_on(volume);
	EFI_HANDLE corbel = NULL;
	uint64_t before = free_pages(), after;
	EFI_STATUS status;

	if (!path || EFI_ERROR(boot->LoadImage(FALSE, image, path, NULL, 0, &corbel)))
		return;
	status = boot->StartImage(corbel, NULL, NULL);
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
	lock_off();
	start(image, loaded->DeviceHandle);
	print(L"lockoff: end\r\n");
	return EFI_ABORTED;
}
