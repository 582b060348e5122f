// SPDX-License-Identifier: BSD-2-Clause
// The machine of the bochs rigs in AML: power-off, and that there is a PCI bus.
DefinitionBlock ("", "DSDT", 2, "CORBEL", "BOCHSRIG", 1)
{
    // Bochs powers off when SLP_EN is written with SLP_TYP 0 (its iodev/acpi.cc).
    Name (_S5, Package () { 0, 0, 0, 0 })

    Scope (_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)
        }
    }
}
