/* SPDX-License-Identifier: BSD-2-Clause */
/* An EFI program for the rig's own tests: says on COM1 what it sees, then obeys one-letter orders. */
#include <efi.h>
#include <efilib.h>

#define COM1 0x3f8
#define PIIX4_PM 0x0b00 /* bus 0, device 1, function 3, as in the configuration address */

static inline void out8(UINT16 port, UINT8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(UINT16 port, UINT32 value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline UINT8 in8(UINT16 port)
{
	UINT8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline UINT32 in32(UINT16 port)
{
	UINT32 value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* Past the firmware's console, which would cut and colour the lines. */
static void put(const char *text)
{
	for (; *text != '\0'; text++) {
		while ((in8(COM1 + 5) & 0x20) == 0)
			;
		out8(COM1, (UINT8)*text);
	}
}

static void put_hex(UINT64 value, int digits)
{
	char text[2] = {0, 0};

	while (digits-- > 0) {
		text[0] = "0123456789abcdef"[value >> (4 * digits) & 15];
		put(text);
	}
}

static char get(void)
{
	while ((in8(COM1 + 5) & 1) == 0)
		;
	return (char)in8(COM1);
}

static UINT32 pci_read(UINT32 bdf, UINT32 offset)
{
	out32(0xcf8, 0x80000000 | bdf << 8 | offset);
	return in32(0xcfc);
}

static void list_pci(void)
{
	for (UINT32 bdf = 0; bdf < 0x100; bdf++) {
		UINT32 id = pci_read(bdf, 0);

		if (id == 0xffffffff || (bdf % 8 != 0 && (pci_read(bdf & ~7u, 12) & 1u << 23) == 0))
			continue;
		put("pci ");
		put_hex(id & 0xffff, 4);
		put(":");
		put_hex(id >> 16, 4);
		put(" class ");
		put_hex(pci_read(bdf, 8) >> 16, 4);
		put("\r\n");
	}
}

static void list_acpi(EFI_FILE_HANDLE root)
{
	static UINT64 buffer[64]; /* aligned for EFI_FILE_INFO */
	EFI_FILE_INFO *info = (EFI_FILE_INFO *)buffer;
	EFI_FILE_HANDLE folder;
	UINTN size = sizeof(buffer);

	if (root == NULL || EFI_ERROR(root->Open(root, &folder, L"\\corbel\\acpi", 1, 0)))
		return;
	while (!EFI_ERROR(folder->Read(folder, &size, buffer)) && size != 0) {
		put("file ");
		for (CHAR16 *c = info->FileName; *c != 0; c++)
			put((char[]){(char)*c, '\0'});
		put(" ");
		put_hex(info->FileSize, 4);
		put("\r\n");
		size = sizeof(buffer);
	}
	folder->Close(folder);
}

/* Each block device's size; a disk of at least a sector gets its first byte raised by one. */
static void list_disks(void)
{
	static UINT8 sector[4096] __attribute__((aligned(4096)));
	EFI_GUID guid = BLOCK_IO_PROTOCOL;
	EFI_HANDLE *handles;
	UINTN count;
	EFI_BLOCK_IO *disk;

	if (EFI_ERROR(LibLocateHandle(ByProtocol, &guid, NULL, &count, &handles)))
		return;
	for (UINTN i = 0; i < count; i++) {
		if (EFI_ERROR(BS->HandleProtocol(handles[i], &guid, (void **)&disk)) ||
		    disk->Media->LogicalPartition || !disk->Media->MediaPresent)
			continue;
		put("disk sectors ");
		put_hex(disk->Media->LastBlock + 1, 8);
		if (!EFI_ERROR(disk->ReadBlocks(disk, disk->Media->MediaId, 0, 512, sector)) &&
		    sector[0]++ < 0x80) {
			EFI_STATUS status =
				disk->WriteBlocks(disk, disk->Media->MediaId, 0, 512, sector);

			put(EFI_ERROR(status) ? " refused" : " written");
		}
		put("\r\n");
	}
}

static void list_machine(EFI_FILE_HANDLE root)
{
	UINT64 tables = 0;

	for (UINTN i = 0; i < ST->NumberOfTableEntries; i++) {
		EFI_GUID acpi = ACPI_20_TABLE_GUID;

		if (CompareGuid(&ST->ConfigurationTable[i].VendorGuid, &acpi) == 0)
			tables = (UINT64)ST->ConfigurationTable[i].VendorTable;
	}
	put("rsdp ");
	put_hex(tables, 16);
	put("\r\npiix4 pm base ");
	put_hex(pci_read(PIIX4_PM >> 8, 0x40), 8);
	put("\r\n");
	list_pci();
	list_acpi(root);
}

static void triple_fault(void)
{
	struct {
		UINT16 limit;
		UINT64 base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0; int3" : : "m"(none));
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_LOADED_IMAGE *loaded;
	EFI_FILE_HANDLE root = NULL;
	UINT64 rax = 1, rcx = 0, rdx, rbx;

	InitializeLib(image, system);
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	if (!EFI_ERROR(BS->HandleProtocol(image, &LoadedImageProtocol, (void **)&loaded)))
		root = LibOpenRoot(loaded->DeviceHandle);
	__asm__ volatile("cpuid" : "+a"(rax), "=b"(rbx), "+c"(rcx), "=d"(rdx));
	put("\r\nhello ");
	put_hex(rax, 8);
	put((rcx & 1 << 5) != 0 ? " vmx" : "");
	rax = 0x80000001;
	__asm__ volatile("cpuid" : "+a"(rax), "=b"(rbx), "+c"(rcx), "=d"(rdx));
	put((rcx & 1 << 2) != 0 ? " svm" : "");
	put("\r\n\x1b[1mor\x1b[0mder? ");

	for (;;) {
		char order = get();

		if (order == 'p')
			RT->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
		else if (order == 'r')
			RT->ResetSystem(EfiResetCold, EFI_SUCCESS, 0, NULL);
		else if (order == 't')
			triple_fault();
		else if (order == 'l')
			list_machine(root);
		else if (order == 'd')
			list_disks();
		put((char[]){'<', order, '>', '\r', '\n', '\0'});
	}
}
