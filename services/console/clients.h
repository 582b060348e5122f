/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is connected to the console: services that log, and VMs, whose last output outlives them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "services/console/mux.h"

#define CLIENTS_MAX 4200u

struct client;

void clients_init(struct mux *mux, handle_t set);

/* A channel of a service (no name) or of a VM; -1: the VM does not run yet. */
void clients_attach(handle_t channel, const char *name, size_t size);

/* The key of the wait set that its channel was added with has come up. */
void clients_has_message(uint64_t key);
/* False if no client had a message. *deadline: when one that spent its budget has some again. */
bool clients_serve(uint64_t now, uint64_t *deadline);
/* Tells those who asked that what they sent is on its way. */
void clients_answer(void);
/* Those that are gone and whose bytes are out. */
void clients_drop(void);

/* How many VMs there are: two or more get their names shown. */
void clients_expect(uint32_t guests);

/* The VM of that name; NULL: there is none. */
struct client *clients_find(const char *name);
/* The VM that has the keyboard: the one in focus, or else the first that runs; NULL: none. */
struct client *clients_listener(void);
const char *client_name(const struct client *client);
/* As SYS_CHANNEL_SEND; 0 if there is nobody to send to. */
int64_t client_type(struct client *client, const uint8_t *bytes, size_t size);

/* Only that VM's bytes go out, unchanged, from its last ones on; NULL: all VMs' do. */
void clients_focus(struct client *client);
/* While the operator stands at the prompt, no VM's bytes go out. */
void clients_hush(bool is_on);
/* Names of the VMs; returns how many there are, at most `capacity`. */
size_t clients_names(const char **names, size_t capacity);
/* Corbel's own lines; NULL: nobody logs. */
struct mux_source *clients_log(void);
