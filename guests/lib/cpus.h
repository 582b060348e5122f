/* SPDX-License-Identifier: BSD-2-Clause */
/* Other CPUs: how they are started, and messages to them. */
#pragma once

#include "guests/lib/lapic.h"

#define CPUS_MAX 64u

/* Of the interrupt command register. */
#define IPI_LOWEST  0x100u
#define IPI_NMI     0x400u
#define IPI_INIT    0x500u
#define IPI_START   0x600u
#define IPI_LOGICAL 0x800u
#define IPI_ASSERT  0x4000u
#define IPI_LEVEL   0x8000u
#define IPI_SELF    0x40000u
#define IPI_ALL     0x80000u
#define IPI_OTHERS  0xc0000u

#define CPUS_VECTOR 0x61u /* of messages that are counted */
#define CPUS_PAGE   8u    /* where they begin: the vector of a start-up message */

/* How many CPUs the MADT names; their ids count from 0. */
unsigned int cpus_count(void);
/* Before the first start: each then calls the function with its id, interrupts closed, and halts
 * for good when that returns. Ids of CPUS_MAX and above must not be started. */
void cpus_init(void (*function)(uint32_t id));
/* From now on each CPU counts the messages with that vector that it gets, and NMIs. Before
 * cpus_init(). */
void cpus_count_messages(void);
extern volatile uint32_t cpus_came[CPUS_MAX], cpus_nmis[CPUS_MAX];
/* In x2APIC mode all 32 bits of the destination count, else eight. */
void cpus_send(uint32_t destination, uint32_t low);
/* INIT, then start-up. */
void cpus_start(uint32_t id);
