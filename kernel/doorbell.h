/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest writes that signal an event from inside the exit path. */
#pragma once
#include "kernel/vcpu.h"

/* Whether a doorbell matched; its event has been signalled then. value is masked to size. */
bool doorbell_ring_port(struct vm *vm, uint16_t port, unsigned size, uint32_t value);
/* Closes all; at the VM's end. */
void doorbell_exit(struct vm *vm);
