/* SPDX-License-Identifier: BSD-2-Clause */
/* The UEFI services that the loader uses: the console, and the way out with a sentence. */
#include "boot/firmware.h"
#include "boot/bytes.h"
#include "boot/files.h"
#include "boot/memory.h"
#include "boot/text.h"

#define LINE_SIZE 480

struct firmware firmware;

void firmware_init(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_GUID loaded_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;

	firmware.image = image;
	firmware.system = system;
	firmware.boot = system->BootServices;
	if (EFI_ERROR(
		    firmware.boot->HandleProtocol(image, &loaded_guid, (void **)&firmware.loaded)))
		firmware.loaded = NULL;
	firmware.boot->SetWatchdogTimer(0, 0, 0, NULL);
}

static void write_line(const char *prefix, const char *format, va_list args)
{
	char text[LINE_SIZE];
	CHAR16 wide[LINE_SIZE + 64];
	size_t n = 0;

	text_format(text, sizeof(text), format, args);
	for (; *prefix; prefix++)
		wide[n++] = (CHAR16)*prefix;
	for (const char *p = text; *p; p++)
		wide[n++] = (CHAR16)*p;
	wide[n++] = '\r';
	wide[n++] = '\n';
	wide[n] = 0;
	if (firmware.system->ConOut)
		firmware.system->ConOut->OutputString(firmware.system->ConOut, wide);
}

void firmware_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line("corbel: boot: ", format, args);
	va_end(args);
}

void firmware_stop(EFI_STATUS status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line("corbel: boot stopped: ", format, args);
	va_end(args);
	files_close();
	memory_free_all();
	firmware.boot->Exit(firmware.image, status, 0, NULL);
	for (;;) /* Exit() of a running image does not return. */
		;
}

void *firmware_table(const EFI_GUID *guid)
{
	for (UINTN i = 0; i < firmware.system->NumberOfTableEntries; i++) {
		EFI_CONFIGURATION_TABLE *table = &firmware.system->ConfigurationTable[i];

		if (memcmp(&table->VendorGuid, guid, sizeof(*guid)) == 0)
			return table->VendorTable;
	}
	return NULL;
}

int firmware_is_secure_boot(void)
{
	EFI_GUID global_guid = EFI_GLOBAL_VARIABLE;
	UINT8 value = 0;
	UINTN size = sizeof(value);
	EFI_STATUS status = firmware.system->RuntimeServices->GetVariable(
		L"SecureBoot", &global_guid, NULL, &size, &value);

	return !EFI_ERROR(status) && value == 1;
}
