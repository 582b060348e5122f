/* SPDX-License-Identifier: BSD-2-Clause
 * The interrupt controllers of the bochs rigs. The runner adds a local APIC entry for each CPU.
 */
Signature : "APIC"
Table Length : 00000000
Revision : 03
Checksum : 00
Oem ID : "CORBEL"
Oem Table ID : "BOCHSRIG"
Oem Revision : 00000001
Asl Compiler ID : "INTL"
Asl Compiler Revision : 00000000

Local Apic Address : FEE00000
Flags (decoded below) : 00000001
PC-AT Compatibility : 1

Subtable Type : 01
Length : 0C
I/O Apic ID : 00
Reserved : 00
Address : FEC00000
Interrupt : 00000000

/* The PIT is on pin 2. */
Subtable Type : 02
Length : 0A
Bus : 00
Source : 00
Interrupt : 00000002
Flags (decoded below) : 0000
Polarity : 0
Trigger Mode : 0

/* ACPI's own interrupt and those that PIIX3 routes PCI to are level triggered, active high. */
Subtable Type : 02
Length : 0A
Bus : 00
Source : 09
Interrupt : 00000009
Flags (decoded below) : 000D
Polarity : 1
Trigger Mode : 3

Subtable Type : 02
Length : 0A
Bus : 00
Source : 0A
Interrupt : 0000000A
Flags (decoded below) : 000D
Polarity : 1
Trigger Mode : 3

Subtable Type : 02
Length : 0A
Bus : 00
Source : 0B
Interrupt : 0000000B
Flags (decoded below) : 000D
Polarity : 1
Trigger Mode : 3
