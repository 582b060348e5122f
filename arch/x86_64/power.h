/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways to switch the machine off or to reset it, from the firmware's own down to the last resort.
 */
#pragma once

/* Ring 0 faulted: if firmware is at work, the next way is tried, and this does not return. */
void power_firmware_failed(void);
