/* SPDX-License-Identifier: BSD-2-Clause */
/* The neutral exit record: what happened, in words that name no vendor. */
#pragma once
#include "kernel/abi.h"
#include "kernel/arch.h"

struct vm_exit {
	uint32_t kind;   /* enum abi_exit; of what ring 0 may hand on, the first guess: STAGE2 */
	uint32_t length; /* of the instruction, if the exit is one; else 0 */
	union {
		struct {
			uint16_t port;
			uint8_t size, is_write, is_string;
		} port;
		struct {
			gpa_t gpa;
			uint8_t access; /* PT_READ, PT_WRITE or PT_EXEC */
		} stage2;
		struct {
			uint8_t vector;
			uint32_t error; /* of a vector that has one */
		} exception;
		struct {
			uint32_t code; /* as in the vCPU's page: the VM cannot go on */
		} error;
	};
	struct abi_event reinject; /* is_valid: its delivery was cut short by this exit */
};
