/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware configuration device at ports 0x510 and 0x511: a few facts and no files. */
#include "services/vmm/vfwcfg.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"

/* QEMU's docs/specs/fw_cfg: keys; items are little-endian but the directory of files. */
#define KEY_SIGNATURE 0x00
#define KEY_ID        0x01
#define KEY_RAM_SIZE  0x03
#define KEY_NB_CPUS   0x05
#define KEY_MAX_CPUS  0x0f
#define KEY_FILE_DIR  0x19
#define KEY_MASK      0x3fff /* bit 14: writing, bit 15: of the architecture */

#define ID_TRADITIONAL 1 /* no DMA */

#define ITEM_MAX 8

#define STATE_VFWCFG  STATE_KIND('f', 'w', 'c', 'f')
#define STATE_VERSION 1

_Static_assert(sizeof(struct vfwcfg_state) == 8, "no padding may be saved");

/* Returns the item's size; 0: there is none of that key. */
static unsigned find_item(const struct vfwcfg *fwcfg, uint64_t *item)
{
	switch (fwcfg->s.key & KEY_MASK) {
	case KEY_SIGNATURE:
		memcpy(item, "QEMU", 4);
		return 4;
	case KEY_ID:
		*item = ID_TRADITIONAL;
		return 4;
	case KEY_RAM_SIZE:
		*item = fwcfg->ram_size;
		return 8;
	case KEY_NB_CPUS:
	case KEY_MAX_CPUS:
		*item = fwcfg->vcpu_count;
		return 2;
	case KEY_FILE_DIR: /* no entries */
		return 4;
	default:
		return 0;
	}
}

static uint64_t data_read(void *device, uint64_t offset, unsigned size)
{
	struct vfwcfg *fwcfg = device;
	uint64_t item = 0;
	unsigned item_size = fwcfg->s.key & 0x8000 ? 0 : find_item(fwcfg, &item);

	(void)offset, (void)size;
	if (fwcfg->s.position >= item_size)
		return 0;
	return item >> (8 * fwcfg->s.position++);
}

static void data_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)device, (void)offset, (void)size, (void)value;
}

static uint64_t selector_read(void *device, uint64_t offset, unsigned size)
{
	return offset == 1 && size == 1 ? data_read(device, 0, 1) : 0;
}

/* The selector is 16 bits wide; the byte behind it is the data. */
static void selector_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vfwcfg *fwcfg = device;

	if (offset != 0 || size != 2)
		return data_write(device, offset, size, value);
	fwcfg->s.key = (uint16_t)value;
	fwcfg->s.position = 0;
}

void vfwcfg_init(struct vfwcfg *fwcfg, struct platform *platform, unsigned vcpu_count)
{
	static const struct bus_ops ops = {.read = selector_read, .write = selector_write};

	memset(fwcfg, 0, sizeof(*fwcfg));
	fwcfg->platform = platform;
	fwcfg->vcpu_count = (uint16_t)vcpu_count;
	for (unsigned i = 0; i < platform->ram.part_count; i++)
		fwcfg->ram_size += platform->ram.part[i].size;
	bus_add(&platform->ports, 0x510, 2, 2, &ops, fwcfg);
}

size_t vfwcfg_save(const struct vfwcfg *fwcfg, void *buffer, size_t capacity)
{
	return state_put(buffer, capacity, STATE_VFWCFG, STATE_VERSION, &fwcfg->s,
			 sizeof(fwcfg->s));
}

int vfwcfg_load(struct vfwcfg *fwcfg, const void *buffer, size_t size)
{
	struct vfwcfg_state s;

	if (state_get(buffer, size, STATE_VFWCFG, STATE_VERSION, &s, sizeof(s)) != 0 ||
	    s.reserved || s.position > ITEM_MAX)
		return -ABI_EINVAL;
	fwcfg->s = s;
	return 0;
}
