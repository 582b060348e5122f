/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between the console service and its clients: one channel a client. */
#pragma once
#include <stdint.h>

enum console_type {
	/* from init, over the bootstrap channel */
	CONSOLE_DEVICE = 1, /* handle: the device of COM1. The first message */
	CONSOLE_ATTACH = 2, /* handle: channel of a client; bytes: its name, none = a service that
			       only logs */
	CONSOLE_GUESTS =
		3, /* bytes: uint32_t, how many VMs there are: two or more get their names shown */
	CONSOLE_DRAIN =
		4, /* answered with CONSOLE_DRAINED when all that was sent before is out; also
		      from clients: when what all others send from then on comes behind it */
	CONSOLE_DRAINED = 5,
	/* from clients */
	CONSOLE_LOG = 6,    /* bytes: a line without "corbel: " and without its end */
	CONSOLE_OUTPUT = 7, /* bytes of a guest */
	/* to the guest that has the keyboard */
	CONSOLE_INPUT = 8,
	/* from init, over the bootstrap channel */
	CONSOLE_NAME = 9,       /* bytes: a VM that may be attached later */
	CONSOLE_REPLY = 10,     /* bytes: a line in answer to a command, as CONSOLE_LOG's */
	CONSOLE_REPLY_END = 11, /* the command is answered */
	/* to init, over the bootstrap channel */
	CONSOLE_COMMAND = 12,     /* bytes: struct console_order */
	CONSOLE_PROMPT_OPEN = 13, /* the operator stands at the prompt */
	CONSOLE_PROMPT_SHUT = 14,
	CONSOLE_BREAK = 15 /* enough of CONSOLE_COMMAND_TOP */
};

/* What the operator may ask init for. */
enum console_command {
	CONSOLE_COMMAND_VMS,
	CONSOLE_COMMAND_START, /* from here on of one VM */
	CONSOLE_COMMAND_STOP,
	CONSOLE_COMMAND_KILL,
	CONSOLE_COMMAND_PAUSE,
	CONSOLE_COMMAND_RESUME,
	CONSOLE_COMMAND_RESET,
	CONSOLE_COMMAND_SAVE,
	CONSOLE_COMMAND_LOAD,
	CONSOLE_COMMAND_STATS,
	CONSOLE_COMMAND_SET,
	CONSOLE_COMMAND_MEMORY, /* and here no more */
	CONSOLE_COMMAND_CORES,
	CONSOLE_COMMAND_TRACE,
	CONSOLE_COMMAND_TOP, /* answered without end, until CONSOLE_BREAK */
	CONSOLE_COMMAND_POWEROFF,
	CONSOLE_COMMAND_REBOOT,
	CONSOLE_COMMAND_COUNT
};

struct console_order {
	uint32_t command; /* enum console_command */
	char name[36];    /* of the VM, or "" */
	char text[256];   /* of CONSOLE_COMMAND_SET: "weight=300 cap=20" */
};

#define CONSOLE_HEADER_SIZE 4u
#define CONSOLE_BYTES_MAX   1024u

struct console_message {
	uint16_t type; /* enum console_type */
	uint16_t size; /* of bytes */
	uint8_t bytes[CONSOLE_BYTES_MAX];
};
