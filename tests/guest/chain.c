/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting Corbel's loader from another EFI program, and VT-x or SVM locked off, as some firmware
 * does. */
#include "tests/guest/chain.h"

#include "boot/bytes.h"
#include "boot/cpu.h"

#define MSR_FEATURE_CONTROL 0x3au
#define MSR_VM_CR           0xc0010114u

/* The volume's device path with the file's name behind it, or NULL. */
static EFI_DEVICE_PATH *path_on(EFI_BOOT_SERVICES *boot, EFI_HANDLE volume)
{
	static const CHAR16 name[] = L"\\EFI\\BOOT\\CORBEL.EFI";
	static const uint8_t end[4] = {0x7f, 0xff, 4, 0};
	static uint8_t path[512];
	EFI_GUID guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
	uint8_t *old;
	UINTN n = 0;

	if (EFI_ERROR(boot->HandleProtocol(volume, &guid, (void **)&old)))
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

EFI_HANDLE chain_load(EFI_SYSTEM_TABLE *system, EFI_HANDLE image, EFI_HANDLE volume)
{
	EFI_DEVICE_PATH *path = path_on(system->BootServices, volume);
	EFI_HANDLE corbel;

	if (!path ||
	    EFI_ERROR(system->BootServices->LoadImage(FALSE, image, path, NULL, 0, &corbel)))
		return NULL;
	return corbel;
}

bool chain_is_amd(void)
{
	return !(cpu_leaf(1).ecx & 1u << 5); /* VMX */
}

uint64_t chain_lock_off(void)
{
	if (chain_is_amd()) {
		cpu_write_msr(MSR_VM_CR, 0x18); /* LOCK and SVMDIS */
		return cpu_read_msr(MSR_VM_CR);
	}
	if (!(cpu_read_msr(MSR_FEATURE_CONTROL) & 1))
		cpu_write_msr(MSR_FEATURE_CONTROL, 1);
	return cpu_read_msr(MSR_FEATURE_CONTROL);
}
