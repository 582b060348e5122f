/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads configurations on stdin, each as "SIZE\n" and its bytes, and prints what config.c makes of
 * each: lines that end with ".". tests/config/test_config.py compares them with corbel-image's.
 * A file is there unless "missing" stands in its PATH.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../services/init/config.h"

static bool has_file(void *context, const char *path)
{
	(void)context;
	return strstr(path, "missing") == NULL;
}

/* Strings may hold line feeds. */
static void print_hex(const char *text)
{
	putchar(' ');
	for (; *text; text++)
		printf("%02x", (unsigned char)*text);
}

static void print_vm(const struct vm_config *vm)
{
	if (vm->error[0]) {
		printf("%s %s\n", vm->name, vm->error);
		return;
	}
	printf("%s %llu %u %d %d %d %d", vm->name, (unsigned long long)vm->memory, vm->vcpus,
	       vm->autostart, (int)vm->restart, vm->test_device, vm->apicv);
	printf(" %u %u %d %u,%u,%u", vm->sharing.weight, vm->sharing.cap, vm->sharing.exclusive,
	       vm->sharing.priority, vm->sharing.budget_us, vm->sharing.period_us);
	for (unsigned i = 0; i < SHARING_CPUS_MAX; i++)
		if (vm->sharing.cpus[i / 64] >> i % 64 & 1)
			printf(",%u", i);
	print_hex(vm->kernel);
	print_hex(vm->initrd ? vm->initrd : "-");
	print_hex(vm->cmdline);
	for (size_t i = 0; i < vm->module_count; i++) {
		print_hex(vm->modules[i].file);
		print_hex(vm->modules[i].cmdline);
	}
	putchar('\n');
}

static void dump(const char *text, size_t size)
{
	struct config config;

	if (config_parse(&config, text, size, has_file, NULL))
		printf("%s\n", config.error);
	else
		printf("%d\n", (int)config.when_all_stopped);
	for (size_t i = 0; i < config.vm_count; i++)
		print_vm(&config.vms[i]);
	puts(".");
	config_free(&config);
}

int main(void)
{
	size_t size;
	char *text;

	while (scanf("%zu", &size) == 1 && getchar() == '\n') {
		/* Exactly as large as the text, so that a read past its end is found. */
		text = malloc(size ? size : 1);
		if (!text || fread(text, 1, size, stdin) != size)
			return 1;
		dump(text, size);
		free(text);
	}
	return 0;
}
