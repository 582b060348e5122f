/* SPDX-License-Identifier: BSD-2-Clause */
/* What the maps of MSRs and ports let a guest reach, and that it is nothing else. */
#include "boot/maps.h"
#include "unit.h"

static const uint32_t msrs[] = BOOT_GUEST_MSRS;
static uint8_t map[BOOT_MSR_MAPS * MAPS_PAGE];

static bool is_listed(uint32_t index, bool is_svm)
{
	if (index == 0xc0000080 || (is_svm && index == 0x277))
		return false;
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		if (msrs[i] == index)
			return true;
	return false;
}

/* The bit of a read, or of a write: SDM vol 3, "MSR-Bitmap Address". */
static bool vmx_exits(const uint8_t *page, uint32_t index, bool is_write)
{
	unsigned bit = (is_write ? 2048 : 0) * 8 + (index >> 31) * 1024 * 8 + (index & 0x1fff);

	return page[bit / 8] >> bit % 8 & 1;
}

/* APM vol 2, "MSR Intercepts". */
static bool svm_exits(uint32_t index, bool is_write)
{
	unsigned bit = (index >> 31) * 2048 * 8 + (index & 0x1fff) * 2 + is_write;

	return map[bit / 8] >> bit % 8 & 1;
}

static uint32_t msr(uint32_t n)
{
	return n < 0x2000 ? n : 0xc0000000 + n - 0x2000;
}

TEST(vmx_guests_reach_the_listed_msrs_and_no_others)
{
	maps_fill_msrs(map, 1);
	for (uint32_t n = 0; n < 0x4000; n++)
		for (unsigned w = 0; w < 2; w++)
			CHECK_EQ(vmx_exits(map, msr(n), w), !is_listed(msr(n), false));
}

TEST(the_second_map_opens_what_the_cpu_plays_of_the_x2apic)
{
	maps_fill_msrs(map, 1);
	for (uint32_t n = 0; n < 0x4000; n++)
		for (unsigned w = 0; w < 2; w++) {
			bool is_apic =
				msr(n) == 0x808 || (w && (msr(n) == 0x80b || msr(n) == 0x83f));

			CHECK_EQ(vmx_exits(map + MAPS_PAGE, msr(n), w),
				 !is_apic && !is_listed(msr(n), false));
		}
}

TEST(svm_guests_reach_the_listed_msrs_and_no_others)
{
	maps_fill_msrs(map, 0);
	for (uint32_t n = 0; n < 0x4000; n++)
		for (unsigned w = 0; w < 2; w++)
			CHECK_EQ(svm_exits(msr(n), w), !is_listed(msr(n), true));
	for (unsigned i = 4096; i < sizeof(map); i++) /* from 0xc0010000 on */
		CHECK_EQ(map[i], 0xff);
}

TEST(every_port_exits)
{
	static uint8_t ports[BOOT_IO_MAPS * MAPS_PAGE];

	maps_fill_ports(ports);
	for (unsigned i = 0; i < sizeof(ports); i++)
		CHECK_EQ(ports[i], 0xff);
}

int main(void)
{
	RUN(vmx_guests_reach_the_listed_msrs_and_no_others);
	RUN(the_second_map_opens_what_the_cpu_plays_of_the_x2apic);
	RUN(svm_guests_reach_the_listed_msrs_and_no_others);
	RUN(every_port_exits);
	return unit_end();
}
