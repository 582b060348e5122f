/* SPDX-License-Identifier: BSD-2-Clause
 * The fixed ACPI hardware of the bochs rigs: PIIX4's power management registers, where OVMF puts
 * them (0xb000), and the reset register of PIIX3. Whoever loads the tables fills in DSDT.
 */
Signature : "FACP"
Table Length : 000000F4
Revision : 03
Checksum : 00
Oem ID : "CORBEL"
Oem Table ID : "BOCHSRIG"
Oem Revision : 00000001
Asl Compiler ID : "INTL"
Asl Compiler Revision : 00000000

FACS Address : 00000000
DSDT Address : 00000000
Model : 01
PM Profile : 01
SCI Interrupt : 0009
SMI Command Port : 00000000
ACPI Enable Value : 00
ACPI Disable Value : 00
S4BIOS Command : 00
P-State Control : 00
PM1A Event Block Address : 0000B000
PM1B Event Block Address : 00000000
PM1A Control Block Address : 0000B004
PM1B Control Block Address : 00000000
PM2 Control Block Address : 00000000
PM Timer Block Address : 0000B008
GPE0 Block Address : 00000000
GPE1 Block Address : 00000000
PM1 Event Block Length : 04
PM1 Control Block Length : 02
PM2 Control Block Length : 00
PM Timer Block Length : 04
GPE0 Block Length : 00
GPE1 Block Length : 00
GPE1 Base Offset : 00
_CST Support : 00
C2 Latency : 0FFF
C3 Latency : 0FFF
CPU Cache Size : 0000
Cache Flush Stride : 0000
Duty Cycle Offset : 00
Duty Cycle Width : 00
RTC Day Alarm Index : 00
RTC Month Alarm Index : 00
RTC Century Index : 32
Boot Flags (decoded below) : 0003
Legacy Devices Supported (V2) : 1
8042 Present on ports 60/64 (V2) : 1
VGA Not Present (V4) : 0
MSI Not Supported (V4) : 0
PCIe ASPM Not Supported (V4) : 0
CMOS RTC Not Present (V5) : 0
Reserved : 00
Flags (decoded below) : 00000425
WBINVD instruction is operational (V1) : 1
WBINVD flushes all caches (V1) : 0
All CPUs support C1 (V1) : 1
C2 works on MP system (V1) : 0
Control Method Power Button (V1) : 0
Control Method Sleep Button (V1) : 1
RTC wake not in fixed reg space (V1) : 0
RTC can wake system from S4 (V1) : 0
32-bit PM Timer (V1) : 0
Docking Supported (V1) : 0
Reset Register Supported (V2) : 1
Sealed Case (V3) : 0
Headless - No Video (V3) : 0
Use native instr after SLP_TYPx (V3) : 0
PCIEXP_WAK Bits Supported (V4) : 0
Use Platform Timer (V4) : 0
RTC_STS valid on S4 wake (V4) : 0
Remote Power-on capable (V4) : 0
Use APIC Cluster Model (V4) : 0
Use APIC Physical Destination Mode (V4) : 0
Hardware Reduced (V5) : 0
Low Power S0 Idle (V5) : 0

Reset Register : [Generic Address Structure]
Space ID : 01
Bit Width : 08
Bit Offset : 00
Encoded Access Width : 01
Address : 0000000000000CF9

Value to cause reset : 06
ARM Flags (decoded below) : 0000
PSCI Compliant : 0
Must use HVC for PSCI : 0

FADT Minor Revision : 00
FACS Address : 0000000000000000
DSDT Address : 0000000000000000

PM1A Event Block : [Generic Address Structure]
Space ID : 01
Bit Width : 20
Bit Offset : 00
Encoded Access Width : 02
Address : 000000000000B000

PM1B Event Block : [Generic Address Structure]
Space ID : 01
Bit Width : 00
Bit Offset : 00
Encoded Access Width : 00
Address : 0000000000000000

PM1A Control Block : [Generic Address Structure]
Space ID : 01
Bit Width : 10
Bit Offset : 00
Encoded Access Width : 02
Address : 000000000000B004

PM1B Control Block : [Generic Address Structure]
Space ID : 01
Bit Width : 00
Bit Offset : 00
Encoded Access Width : 00
Address : 0000000000000000

PM2 Control Block : [Generic Address Structure]
Space ID : 01
Bit Width : 00
Bit Offset : 00
Encoded Access Width : 00
Address : 0000000000000000

PM Timer Block : [Generic Address Structure]
Space ID : 01
Bit Width : 20
Bit Offset : 00
Encoded Access Width : 03
Address : 000000000000B008

GPE0 Block : [Generic Address Structure]
Space ID : 01
Bit Width : 00
Bit Offset : 00
Encoded Access Width : 00
Address : 0000000000000000

GPE1 Block : [Generic Address Structure]
Space ID : 01
Bit Width : 00
Bit Offset : 00
Encoded Access Width : 00
Address : 0000000000000000
