/* SPDX-License-Identifier: BSD-2-Clause */
/* For the rig's own tests: says on COM1 what the machine is, then obeys one-letter orders. */
#include <efi.h>

#include "boot/cpu.h"

#define COM1     0x3f8
#define PIIX4_PM 0x0b /* device 1, function 3 */

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static EFI_BOOT_SERVICES *BS;
static EFI_GUID loaded_image_id = EFI_LOADED_IMAGE_PROTOCOL_GUID;
static EFI_GUID file_system_id = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
static EFI_GUID block_io_id = EFI_BLOCK_IO_PROTOCOL_GUID;

static inline void out32(UINT16 port, UINT32 value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

/* Past the firmware's console, which would cut and colour the lines. */
static void put(const char *text)
{
	for (; *text != '\0'; text++) {
		while ((cpu_in8(COM1 + 5) & 0x20) == 0)
			;
		cpu_out8(COM1, (UINT8)*text);
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
	while ((cpu_in8(COM1 + 5) & 1) == 0)
		;
	return (char)cpu_in8(COM1);
}

static UINT32 pci_read(UINT32 bdf, UINT32 offset)
{
	out32(0xcf8, 0x80000000 | bdf << 8 | offset);
	return cpu_in32(0xcfc);
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

/* Each disk's size; one whose first byte is below 0x80 gets that byte raised by one. */
static void list_disks(void)
{
	static UINT8 sector[4096] __attribute__((aligned(4096)));
	EFI_HANDLE handles[32];
	UINTN size = sizeof(handles);
	EFI_BLOCK_IO_PROTOCOL *disk;

	if (EFI_ERROR(BS->LocateHandle(ByProtocol, &block_io_id, NULL, &size, handles)))
		return;
	for (UINTN i = 0; i < size / sizeof(handles[0]); i++) {
		if (EFI_ERROR(BS->HandleProtocol(handles[i], &block_io_id, (void **)&disk)) ||
		    disk->Media->LogicalPartition || !disk->Media->MediaPresent ||
		    disk->Media->BlockSize != 512)
			continue;
		put("disk sectors ");
		put_hex(disk->Media->LastBlock + 1, 8);
		if (!EFI_ERROR(disk->ReadBlocks(disk, disk->Media->MediaId, 0, 512, sector)) &&
		    sector[0]++ < 0x80)
			put(EFI_ERROR(disk->WriteBlocks(disk, disk->Media->MediaId, 0, 512, sector))
				    ? " refused"
				    : " written");
		put("\r\n");
	}
}

static void list_machine(EFI_FILE_HANDLE root)
{
	put("pm base ");
	put_hex(pci_read(PIIX4_PM, 0x40), 8);
	put("\r\n");
	list_pci();
	list_acpi(root);
}

static volatile UINT32 *e1000_registers(void)
{
	for (UINT32 bdf = 0; bdf < 0x100; bdf++) {
		if (pci_read(bdf, 0) == 0x100e8086) {
			out32(0xcf8, 0x80000000 | bdf << 8 | 4);
			out32(0xcfc, 6); /* memory and bus master */
			return (volatile UINT32 *)(UINTN)(pci_read(bdf, 0x10) & ~15u);
		}
	}
	return NULL;
}

/* Prints the type of the first frame that reaches the first e1000. 82540EM manual, 14.4 "Receive
 * Initialization". */
static void receive(void)
{
	static UINT64 ring[8][2] __attribute__((aligned(128)));
	static UINT8 frames[8][2048];
	volatile UINT32 *e1000 = e1000_registers();

	if (e1000 == NULL)
		return;
	for (int i = 0; i < 8; i++)
		ring[i][0] = (UINT64)(UINTN)frames[i];
	e1000[0x2800 / 4] = (UINT32)(UINTN)ring;
	e1000[0x2804 / 4] = (UINT32)((UINT64)(UINTN)ring >> 32);
	e1000[0x2808 / 4] = sizeof(ring);
	e1000[0x2810 / 4] = 0;
	e1000[0x2818 / 4] = 7;
	e1000[0x100 / 4] = 0x8002; /* enable, accept broadcast */
	put("listening\r\n");
	while (e1000[0x2810 / 4] == 0)
		;
	put("frame ");
	put_hex(frames[0][12] << 8 | frames[0][13], 4);
	put("\r\n");
}

static void triple_fault(void)
{
	struct {
		UINT16 limit;
		UINT64 base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0; int3" : : "m"(none));
}

/* The folder that everything on the volume hangs from; NULL if it cannot be opened. */
static EFI_FILE_HANDLE open_volume(EFI_HANDLE image)
{
	EFI_LOADED_IMAGE *loaded;
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *volume;
	EFI_FILE_HANDLE root;

	if (EFI_ERROR(BS->HandleProtocol(image, &loaded_image_id, (void **)&loaded)) ||
	    EFI_ERROR(
		    BS->HandleProtocol(loaded->DeviceHandle, &file_system_id, (void **)&volume)) ||
	    EFI_ERROR(volume->OpenVolume(volume, &root)))
		return NULL;
	return root;
}

static void greet(void)
{
	UINT32 eax = 1, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	put("\r\nhello");
	put((ecx & 1 << 5) != 0 ? " vmx" : "");
	eax = 0x80000001;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	put((ecx & 1 << 2) != 0 ? " svm" : "");
	put("\r\n\x1b[1mor\x1b[0mder? ");
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_RUNTIME_SERVICES *runtime = system->RuntimeServices;
	EFI_FILE_HANDLE root;
	EFI_TPL tpl;

	BS = system->BootServices;
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	root = open_volume(image);
	/* With the timer on, the firmware's own console would take from COM1 what is for us. */
	tpl = BS->RaiseTPL(TPL_HIGH_LEVEL);
	greet();
	for (;;) {
		char order = get();

		BS->RestoreTPL(order == 'l' || order == 'd' ? tpl : TPL_HIGH_LEVEL);
		if (order == 'p')
			runtime->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
		else if (order == 'r')
			runtime->ResetSystem(EfiResetCold, EFI_SUCCESS, 0, NULL);
		else if (order == 't')
			triple_fault();
		else if (order == 'l')
			list_machine(root);
		else if (order == 'd')
			list_disks();
		else if (order == 'n')
			receive();
		BS->RaiseTPL(TPL_HIGH_LEVEL);
		put((char[]){'<', order, '>', '\r', '\n', '\0'});
	}
}
