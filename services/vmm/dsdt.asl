/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest cannot find by probing: the PCI root bridge, ISA devices, the sleep state. Numbers
 * are those of vacpi_pm.h, vpci.h, memmap.h and the ISA devices' headers; a unit test compares them.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "CORBEL", "CORBEL  ", 1)
{
	Name (\_S5, Package () { 5, 5, 0, 0 }) // VACPI_PM_SLEEP_S5

	Device (\_SB.PCI0)
	{
		Name (_HID, EisaId ("PNP0A03"))
		Name (_UID, 0)
		Name (_BBN, 0)
		Name (_CRS, ResourceTemplate ()
		{
			WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
				0, 0, 0, 0, 1)
			IO (Decode16, 0x0cf8, 0x0cf8, 1, 8)
			WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
				0, 0x0000, 0x0cf7, 0, 0x0cf8)
			WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
				0, 0x0d00, 0xffff, 0, 0xf300)
			DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
				NonCacheable, ReadWrite,
				0, 0xc0000000, 0xfebfffff, 0, 0x3ec00000)
		})

		Name (_PRT, Package () // VPCI_LINE(): console, rng
		{
			Package () { 0x0001ffff, 0, 0, 10 },
			Package () { 0x0002ffff, 0, 0, 11 }
		})

		Device (PIC)
		{
			Name (_HID, EisaId ("PNP0000"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0020, 0x0020, 1, 2)
				IO (Decode16, 0x00a0, 0x00a0, 1, 2)
				IO (Decode16, 0x04d0, 0x04d0, 1, 2)
				IRQNoFlags () { 2 }
			})
		}

		Device (PIT)
		{
			Name (_HID, EisaId ("PNP0100"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0040, 0x0040, 1, 4)
				IRQNoFlags () { 0 }
			})
		}

		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0070, 0x0070, 1, 2)
				IRQNoFlags () { 8 }
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x03f8, 0x03f8, 1, 8)
				IRQNoFlags () { 4 }
			})
		}

		// What no driver shall take: fw_cfg and the power management registers
		Device (MISC)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0510, 0x0510, 1, 2)
				IO (Decode16, 0x0600, 0x0600, 1, 0x10)
			})
		}
	}
}
