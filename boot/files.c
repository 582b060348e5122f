/* SPDX-License-Identifier: BSD-2-Clause */
/* The files below \corbel\ of the volume that corbel.efi was started from. */
#include "boot/files.h"
#include "boot/cpu.h"
#include "boot/firmware.h"
#include "boot/modules.h"
#include "boot/text.h"
#include <stddef.h>

#define DEPTH_MAX 16u                   /* of folders in folders */
#define ENTRY_MAX (2 * BOOT_MODULE_MAX) /* files and folders: a damaged volume may hold a cycle */
#define NAME_MAX  256u
#define INFO_SIZE offsetof(EFI_FILE_INFO, FileName)

/* The folders that are open, from \corbel to the one that is being read. */
static struct {
	EFI_FILE_HANDLE open[DEPTH_MAX + 3]; /* the volume's root first, a file last */
	unsigned open_count;
	unsigned entry_count;
	char path[BOOT_PATH_SIZE]; /* of the entry at hand, relative to \corbel\ */
	uint64_t ticks;            /* that the firmware took */
} walk;

/* A folder's entry, as the firmware writes it. */
union entry {
	EFI_FILE_INFO info;
	uint8_t bytes[INFO_SIZE + NAME_MAX * sizeof(CHAR16)];
};

static const char *status_text(EFI_STATUS status)
{
	switch (status) {
	case EFI_VOLUME_CORRUPTED:
		return "the file system is damaged";
	case EFI_DEVICE_ERROR:
		return "the device reports an error";
	case EFI_NO_MEDIA:
	case EFI_MEDIA_CHANGED:
		return "the medium was taken out";
	case EFI_NOT_FOUND:
		return "it is not there";
	case EFI_OUT_OF_RESOURCES:
		return "the firmware is out of memory";
	default:
		return "the firmware does not say why";
	}
}

static EFI_STATUS file_open(EFI_FILE_HANDLE folder, CHAR16 *name)
{
	uint64_t start = cpu_tsc();
	EFI_STATUS status =
		folder->Open(folder, &walk.open[walk.open_count], name, EFI_FILE_MODE_READ, 0);

	walk.ticks += cpu_tsc() - start;
	if (!EFI_ERROR(status))
		walk.open_count++;
	return status;
}

static EFI_STATUS file_read(EFI_FILE_HANDLE file, UINTN *size, void *to)
{
	uint64_t start = cpu_tsc();
	EFI_STATUS status = file->Read(file, size, to);

	walk.ticks += cpu_tsc() - start;
	return status;
}

static void close_last(void)
{
	EFI_FILE_HANDLE file = walk.open[--walk.open_count];
	uint64_t start = cpu_tsc();

	file->Close(file);
	walk.ticks += cpu_tsc() - start;
}

void files_close(void)
{
	while (walk.open_count)
		close_last();
}

/* Of a file, Read() would return its bytes, not entries. */
static int is_folder(EFI_FILE_HANDLE file)
{
	static union entry entry;
	EFI_GUID guid = EFI_FILE_INFO_ID;
	UINTN size = sizeof(entry);

	return !EFI_ERROR(file->GetInfo(file, &guid, &size, &entry)) &&
	       (entry.info.Attribute & EFI_FILE_DIRECTORY);
}

/* Opens the volume and its folder \corbel; returns 0 if there is none. */
static int open_folder(void)
{
	EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *volume;
	uint64_t start = cpu_tsc();
	EFI_STATUS status;

	if (!firmware.loaded || !firmware.loaded->DeviceHandle ||
	    EFI_ERROR(firmware.boot->HandleProtocol(firmware.loaded->DeviceHandle, &guid,
						    (void **)&volume))) {
		firmware_print("not started from a volume with files");
		return 0;
	}
	status = volume->OpenVolume(volume, &walk.open[0]);
	walk.ticks += cpu_tsc() - start;
	if (EFI_ERROR(status))
		firmware_stop(status, "cannot open the boot volume: %s", status_text(status));
	walk.open_count = 1;
	status = file_open(walk.open[0], L"corbel");
	if (status == EFI_NOT_FOUND) {
		firmware_print("no folder \\corbel on the boot volume");
		return 0;
	}
	if (EFI_ERROR(status))
		firmware_stop(status, "cannot read the folder \\corbel: %s", status_text(status));
	if (!is_folder(walk.open[1]))
		firmware_stop(EFI_UNSUPPORTED, "\\corbel on the boot volume is not a folder");
	return 1;
}

static void load_file(struct boot_info *info, union entry *entry)
{
	EFI_FILE_HANDLE folder = walk.open[walk.open_count - 1];
	UINTN size = entry->info.FileSize;
	void *to = modules_add(info, BOOT_MODULE_FILE, walk.path, size);
	EFI_STATUS status = file_open(folder, entry->info.FileName);

	if (!EFI_ERROR(status) && size)
		status = file_read(walk.open[walk.open_count - 1], &size, to);
	if (EFI_ERROR(status))
		firmware_stop(status, "cannot read corbel/%s: %s", walk.path, status_text(status));
	if (size != entry->info.FileSize)
		firmware_stop(EFI_VOLUME_CORRUPTED, "cannot read corbel/%s: it ends too early",
			      walk.path);
	close_last();
}

static void open_subfolder(union entry *entry)
{
	EFI_STATUS status;

	if (walk.open_count == DEPTH_MAX + 2)
		firmware_stop(EFI_UNSUPPORTED,
			      "corbel/%s is nested too deep; %u folders are the "
			      "limit",
			      walk.path, DEPTH_MAX);
	status = file_open(walk.open[walk.open_count - 1], entry->info.FileName);
	if (EFI_ERROR(status))
		firmware_stop(status, "cannot read the folder corbel/%s: %s", walk.path,
			      status_text(status));
}

/* Returns 0 at the end of the folder. */
static int next_entry(union entry *entry)
{
	UINTN size = sizeof(*entry) - sizeof(CHAR16);
	EFI_STATUS status = file_read(walk.open[walk.open_count - 1], &size, entry);

	if (EFI_ERROR(status))
		firmware_stop(status, "cannot read the folder corbel/%s: %s", walk.path,
			      status == EFI_BUFFER_TOO_SMALL ? "a name in it is too long"
							     : status_text(status));
	if (!size)
		return 0;
	if (size < INFO_SIZE || size % 2 || size > sizeof(*entry) - sizeof(CHAR16))
		firmware_stop(EFI_VOLUME_CORRUPTED,
			      "cannot read the folder corbel/%s: its entries "
			      "are damaged",
			      walk.path);
	entry->bytes[size] = entry->bytes[size + 1] = 0;
	return 1;
}

static void add_name(const CHAR16 *name)
{
	enum text_fault fault = text_path_add(walk.path, sizeof(walk.path), name, NAME_MAX);
	char shown[64];

	if (!fault)
		return;
	text_from_utf16(shown, sizeof(shown), name, NAME_MAX);
	if (fault == TEXT_NOT_ASCII)
		firmware_stop(EFI_UNSUPPORTED,
			      "a file name in corbel/%s is not plain ASCII (? for what is not): %s",
			      walk.path, shown);
	firmware_stop(EFI_UNSUPPORTED,
		      "a path below \\corbel\\ is longer than %u characters: it ends with %s",
		      BOOT_PATH_SIZE - 1, shown);
}

static int is_dots(const CHAR16 *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static void load_tree(struct boot_info *info)
{
	static union entry entry;

	while (walk.open_count > 1) {
		if (!next_entry(&entry)) {
			close_last();
			text_path_cut(walk.path);
			continue;
		}
		if (is_dots(entry.info.FileName))
			continue;
		add_name(entry.info.FileName);
		if (++walk.entry_count > ENTRY_MAX)
			firmware_stop(EFI_OUT_OF_RESOURCES,
				      "too many files and folders below \\corbel\\: corbel/%s is "
				      "one more than the %u that are read",
				      walk.path, ENTRY_MAX);
		if (entry.info.Attribute & EFI_FILE_DIRECTORY) {
			open_subfolder(&entry);
		} else {
			load_file(info, &entry);
			text_path_cut(walk.path);
		}
	}
}

void files_load(struct boot_info *info)
{
	if (open_folder())
		load_tree(info);
	files_close();
	info->tsc_files = walk.ticks;
}
