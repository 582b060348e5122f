/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the configuration: what is taken obeys the rules, what is refused says why. */
#include "services/init/config.h"
#include "services/init/path.h"
#include "tests/fuzz/fuzz.h"

static bool has_file(void *context, const char *path)
{
	(void)context;
	CHECK(path && *path && *path != '/' && !strchr(path, '\\'));
	return strlen(path) % 7 != 6; /* some are there, some not */
}

static void check_sentence(const char *sentence)
{
	CHECK(strncmp(sentence, "config: ", 8) == 0);
	CHECK(strchr(sentence, ';') && strlen(sentence) < CONFIG_ERROR_SIZE - 1);
	for (const char *p = sentence; *p; p++)
		CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static bool is_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return length > 0 && length <= 32 && !name[length] && name[0] != '-';
}

static void check_vm(const struct vm_config *vm)
{
	const char *key;

	CHECK(vm->sharing.weight >= 1 && vm->sharing.weight <= ABI_WEIGHT_MAX &&
	      vm->sharing.priority <= ABI_PRIORITY_MAX && !sharing_check(&vm->sharing, &key));
	CHECK(vm->is_named && is_name(vm->name));
	CHECK(vm->kernel && has_file(NULL, vm->kernel));
	CHECK(!vm->initrd || has_file(NULL, vm->initrd));
	CHECK(vm->cmdline && strlen(vm->cmdline) <= CONFIG_CMDLINE_MAX);
	CHECK(vm->memory && vm->memory % 4096 == 0 && vm->memory <= CONFIG_MEMORY_MAX);
	CHECK(vm->vcpus >= 1 && vm->vcpus <= ABI_VCPUS_MAX);
	CHECK(vm->restart <= CONFIG_RESTART_ALWAYS);
	CHECK(vm->module_count <= CONFIG_MODULES_MAX);
	for (size_t i = 0; i < vm->module_count; i++)
		CHECK(has_file(NULL, vm->modules[i].file) &&
		      strlen(vm->modules[i].cmdline) <= CONFIG_CMDLINE_MAX);
}

static void fuzz(struct input *input)
{
	char *text = malloc(input->left ? input->left : 1); /* of its size, without a NUL */
	struct config config;
	int error;

	memset(&config, 0xa5, sizeof(config));
	memcpy(text, input->at, input->left);
	error = config_parse(&config, text, input->left, has_file, NULL);
	free(text);
	if (error) {
		check_sentence(config.error);
		CHECK_EQ(config.vm_count, 0);
	} else {
		CHECK_STR(config.error, "");
		CHECK(config.vm_count <= CONFIG_VMS_MAX);
	}
	for (size_t i = 0; i < config.vm_count; i++) {
		const struct vm_config *vm = &config.vms[i];

		if (vm->error[0]) {
			check_sentence(vm->error);
			CHECK(vm->is_named || strncmp(vm->name, "vms[", 4) == 0);
			continue;
		}
		check_vm(vm);
		for (size_t k = 0; k < i; k++)
			CHECK(config.vms[k].error[0] || strcmp(config.vms[k].name, vm->name));
	}
	config_free(&config);
}
