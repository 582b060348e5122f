/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator asks for at the console's prompt. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

struct vm;

/* The system object and the console service's channel. */
void operator_init(handle_t system, handle_t console);
/* A message of the console service; ends the process if the console is gone. */
void operator_serve(void);
/* The VM's counts came, or, without any, it is gone. */
void operator_counted(const struct vm *vm, bool is_counted);
/* Gives up waiting for a vmm that does not answer. */
void operator_run_due(uint64_t now_ns);
uint64_t operator_deadline(void);
/* Whether somebody stands at the prompt: then the machine does not go down by itself. */
bool operator_is_there(void);
/* ABI_POWER_* that was asked for and waits for the last VM's end; 0 = none. */
unsigned operator_power(void);
