/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of corbel.json, version 1. tools/corbel_image/config.py says the same in Python, with
 * the same sentences; tests/config/ holds the list of bad files that both are fed with.
 */
#include "services/init/config.h"

#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/init/jsontext.h"
#include "services/init/path.h"

#define SHOWN_SIZE 48 /* bytes of a key as it is shown, with its NUL */

/* One reading of one file. A rule returns NULL or the sentence "WHAT IS WRONG; WHAT IS RIGHT". */
struct judge {
	struct config *config;
	size_t vm; /* index of the VM that is being judged */
	struct path_set *paths;
	config_has_file *has_file;
	void *context;
	char where[SHOWN_SIZE + 16];       /* what follows the key: "[2].cmdline" */
	char sentence[PATH_SIZE_MAX + 80]; /* room for a sentence with a value in it */
};

typedef const char *rule(struct judge *judge, const cJSON *item, struct vm_config *vm);

struct key {
	const char *name;
	rule *judge; /* item is NULL if the key is absent */
};

/* Keys come from the file: what could upset a terminal or a log is shown as "?". */
static void printable_key(char shown[SHOWN_SIZE], const char *key)
{
	size_t i;

	for (i = 0; key[i] && i < 40; i++)
		shown[i] = key[i] > 0x20 && key[i] < 0x7f ? key[i] : '?';
	strcpy(shown + i, key[i] ? "..." : i ? "" : "\"\"");
}

static const cJSON *find(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* Finds the first key of the object that is unknown or comes twice; shown = that key. */
static const char *check_keys(const cJSON *object, const struct key *keys, size_t count,
			      const char *unknown, char shown[SHOWN_SIZE])
{
	unsigned seen = 0;

	for (const cJSON *item = object->child; item; item = item->next) {
		size_t i = 0;

		while (i < count && strcmp(keys[i].name, item->string) != 0)
			i++;
		if (i < count && !(seen & (1u << i))) {
			seen |= 1u << i;
			continue;
		}
		printable_key(shown, item->string);
		return i < count ? "given twice; give it once" : unknown;
	}
	return NULL;
}

static const char *judge_name(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	if (!item)
		return "missing; each VM needs a name";
	if (!vm->is_named)
		return "not a name; 1 to 32 of a-z, 0-9 and \"-\", the first not \"-\"";
	for (size_t i = 0; i < judge->vm; i++) {
		if (strcmp(judge->config->vms[i].name, vm->name) != 0)
			continue;
		snprintf(judge->sentence, sizeof(judge->sentence),
			 "the name of vms[%u] already; each VM needs a name of its own",
			 (unsigned)i);
		return judge->sentence;
	}
	return NULL;
}

static const char *judge_path(struct judge *judge, const cJSON *item, const char **path)
{
	const char *fault;

	if (!cJSON_IsString(item))
		return "not a string; a PATH such as \"linux/bzImage\" belongs here";
	fault = path_check(item->valuestring);
	if (!fault)
		fault = path_set_check(judge->paths, item->valuestring);
	if (fault)
		return fault;
	if (!judge->has_file(judge->context, item->valuestring)) {
		snprintf(judge->sentence, sizeof(judge->sentence),
			 "no file \"%s\"; a PATH starts at the configuration's folder",
			 item->valuestring);
		return judge->sentence;
	}
	path_set_add(judge->paths, item->valuestring);
	*path = item->valuestring;
	return NULL;
}

static const char *judge_kernel(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	if (!item)
		return "missing; each VM needs the PATH of a kernel";
	return judge_path(judge, item, &vm->kernel);
}

static const char *judge_initrd(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	return item ? judge_path(judge, item, &vm->initrd) : NULL;
}

static const char *judge_text(const cJSON *item, const char **text)
{
	*text = "";
	if (!item)
		return NULL;
	if (!cJSON_IsString(item))
		return "not a string; a command line belongs here";
	if (strlen(item->valuestring) > CONFIG_CMDLINE_MAX)
		return "longer than 2047 bytes; make it at most 2047";
	*text = item->valuestring;
	return NULL;
}

static const char *judge_cmdline(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	(void)judge;
	return judge_text(item, &vm->cmdline);
}

/* One entry of modules; key = the one in it that is at fault, "" if it is the entry itself. */
static const char *judge_module(struct judge *judge, const cJSON *item, struct vm_module *module,
				char key[SHOWN_SIZE])
{
	static const struct key keys[] = {{"file", NULL}, {"cmdline", NULL}};
	const char *fault;

	if (!cJSON_IsObject(item))
		return "not an object; {\"file\": PATH, \"cmdline\": string} belongs here";
	fault = check_keys(item, keys, 2, "unknown key; known are file and cmdline", key);
	if (fault)
		return fault;
	strcpy(key, "file");
	if (!find(item, "file"))
		return "missing; each module needs the PATH of a file";
	fault = judge_path(judge, find(item, "file"), &module->file);
	if (fault)
		return fault;
	strcpy(key, "cmdline");
	return judge_text(find(item, "cmdline"), &module->cmdline);
}

static const char *judge_modules(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	const cJSON *entry;
	char key[SHOWN_SIZE] = "";

	if (!item)
		return NULL;
	if (!cJSON_IsArray(item))
		return "not an array; [{\"file\": PATH, \"cmdline\": string}] belongs here";
	if (cJSON_GetArraySize(item) > (int)CONFIG_MODULES_MAX)
		return "more than 64 modules; give at most 64";
	vm->modules = calloc((size_t)cJSON_GetArraySize(item) + 1, sizeof(*vm->modules));
	if (!vm->modules)
		return "out of memory; give Corbel more of it";
	cJSON_ArrayForEach(entry, item)
	{
		size_t i = vm->module_count++;
		const char *fault = judge_module(judge, entry, &vm->modules[i], key);

		if (fault) {
			snprintf(judge->where, sizeof(judge->where), "[%u]%s%s", (unsigned)i,
				 *key ? "." : "", key);
			return fault;
		}
	}
	return NULL;
}

/* ^[1-9][0-9]*[KMG]$ */
static const char *judge_memory(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	static const char malformed[] =
		"not a size; digits without a leading 0, then K, M or G, such as \"256M\"";
	const char *text = "256M";
	unsigned shift;

	(void)judge;
	if (item)
		text = cJSON_IsString(item) ? item->valuestring : "";
	if (*text < '1' || *text > '9')
		return malformed;
	vm->memory = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		/* Past the limit it only has to stay past it. */
		if (vm->memory <= CONFIG_MEMORY_MAX)
			vm->memory = vm->memory * 10 + (uint64_t)(*text - '0');
	}
	shift = *text == 'K' ? 10 : *text == 'M' ? 20 : *text == 'G' ? 30 : 0;
	if (!shift || text[1])
		return malformed;
	if (vm->memory > CONFIG_MEMORY_MAX >> shift)
		return "larger than 65536G; give at most 65536G";
	vm->memory <<= shift;
	return vm->memory % 4096 ? "not a multiple of 4K; round it to 4K" : NULL;
}

static const char *judge_vcpus(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	double value = 1;

	(void)judge;
	if (item)
		value = cJSON_IsNumber(item) ? item->valuedouble : 0.5;
	/* 1.0 and 1e0 are whole numbers too: JSON knows no other kind of number. */
	if (value > -1e9 && value < 1e9 && value != (double)(int)value)
		return "not a whole number; give a number of virtual CPUs";
	if (value < 1)
		return "less than 1; give at least 1";
	if (value > ABI_VCPUS_MAX)
		return "more than this version supports; give at most 254";
	vm->vcpus = (unsigned)value;
	return NULL;
}

static const char *judge_bool(const cJSON *item, bool absent, bool *value)
{
	if (item && !cJSON_IsBool(item))
		return "neither true nor false; write true or false, without quotes";
	*value = item ? cJSON_IsTrue(item) : absent;
	return NULL;
}

static const char *judge_autostart(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	(void)judge;
	return judge_bool(item, true, &vm->autostart);
}

static const char *judge_test_device(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	(void)judge;
	return judge_bool(item, false, &vm->test_device);
}

static const char *judge_apicv(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	(void)judge;
	return judge_bool(item, true, &vm->apicv);
}

/* Index of the item's text in words, 0 if the key is absent, -1 if it is no word of them. */
static int word_index(const cJSON *item, const char *const *words, int count)
{
	if (!item)
		return 0;
	for (int i = 0; cJSON_IsString(item) && i < count; i++) {
		if (strcmp(item->valuestring, words[i]) == 0)
			return i;
	}
	return -1;
}

static const char *judge_restart(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	static const char *const words[] = {"never", "on-failure", "always"};
	int i = word_index(item, words, 3);

	(void)judge;
	if (i < 0)
		return "not a known word; \"never\", \"on-failure\" or \"always\" belongs here";
	vm->restart = (enum config_restart)i;
	return NULL;
}

/* ---- what it gets of the cores: sharing.c ---- */

/* What is no number fails any rule. */
static double number(const cJSON *item)
{
	return cJSON_IsNumber(item) ? item->valuedouble : -1;
}

static const char *judge_weight(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	(void)judge;
	vm->sharing = sharing_default;
	return item ? sharing_weight(&vm->sharing, number(item)) : NULL;
}

static const char *judge_cap(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	(void)judge;
	return item ? sharing_cap(&vm->sharing, number(item)) : NULL;
}

static const char *judge_cpus(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	const char *fault = NULL;
	const cJSON *entry;
	unsigned i = 0;

	if (!item)
		return NULL;
	if (!cJSON_IsArray(item) || !item->child)
		return "not a list of cores; numbers such as [0, 2] belong here";
	for (entry = item->child; entry && !fault; entry = entry->next, i++)
		fault = sharing_cpu(&vm->sharing, number(entry));
	if (fault)
		snprintf(judge->where, sizeof(judge->where), "[%u]", i - 1);
	return fault;
}

static const char *judge_exclusive(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	(void)judge;
	return judge_bool(item, false, &vm->sharing.exclusive);
}

static const char *judge_realtime(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	static const struct key keys[SHARING_REALTIME_COUNT] = {
		{"priority", NULL}, {"budget_us", NULL}, {"period_us", NULL}};
	char key[SHOWN_SIZE] = "";
	const char *fault;

	if (!item)
		return NULL;
	if (!cJSON_IsObject(item))
		return "not an object; {\"priority\": ..., \"budget_us\": ..., \"period_us\": ...} "
		       "belongs here";
	fault = check_keys(item, keys, SHARING_REALTIME_COUNT,
			   "unknown key; known are priority, budget_us and period_us", key);
	for (unsigned i = 0; !fault && i < SHARING_REALTIME_COUNT; i++) {
		strcpy(key, keys[i].name);
		fault = sharing_realtime(&vm->sharing, i, number(find(item, key)));
	}
	if (fault)
		snprintf(judge->where, sizeof(judge->where), ".%s", key);
	return fault;
}

static const struct key vm_keys[] = {
	{"name", judge_name},
	{"kernel", judge_kernel},
	{"initrd", judge_initrd},
	{"modules", judge_modules},
	{"cmdline", judge_cmdline},
	{"memory", judge_memory},
	{"vcpus", judge_vcpus},
	{"autostart", judge_autostart},
	{"restart", judge_restart},
	{"test_device", judge_test_device},
	{"apicv", judge_apicv},
	{"weight", judge_weight},
	{"cap", judge_cap},
	{"cpus", judge_cpus},
	{"exclusive", judge_exclusive},
	{"realtime", judge_realtime},
};
#define VM_KEY_COUNT (sizeof(vm_keys) / sizeof(vm_keys[0]))

/* ^[a-z0-9][a-z0-9-]{0,31}$ */
static bool is_name(const cJSON *item)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t length;

	if (!cJSON_IsString(item))
		return false;
	length = strlen(item->valuestring);
	return length < CONFIG_NAME_SIZE && strspn(item->valuestring, first) > 0 &&
	       strspn(item->valuestring, rest) == length;
}

/* The name comes first: log lines need it whatever else is wrong with the VM. */
static void set_name(const struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	const cJSON *name = cJSON_IsObject(item) ? find(item, "name") : NULL;

	vm->is_named = is_name(name);
	if (vm->is_named)
		snprintf(vm->name, sizeof(vm->name), "%s", name->valuestring);
	else
		snprintf(vm->name, sizeof(vm->name), "vms[%u]", (unsigned)judge->vm);
}

static void judge_vm(struct judge *judge, const cJSON *item, struct vm_config *vm)
{
	char shown[SHOWN_SIZE] = "";
	const char *key = shown, *fault;

	judge->where[0] = '\0';
	set_name(judge, item, vm);
	if (cJSON_IsObject(item))
		fault = check_keys(item, vm_keys, VM_KEY_COUNT,
				   "unknown key; known are name, kernel, initrd, modules, cmdline, "
				   "memory, vcpus, autostart, restart, test_device, apicv, weight, "
				   "cap, cpus, exclusive and realtime",
				   shown);
	else
		fault = "not an object; {\"name\": ..., \"kernel\": ...} belongs here";
	for (size_t i = 0; !fault && i < VM_KEY_COUNT; i++) {
		key = vm_keys[i].name;
		fault = vm_keys[i].judge(judge, find(item, key), vm);
	}
	if (!fault)
		fault = sharing_check(&vm->sharing, &key);
	if (fault)
		snprintf(vm->error, sizeof(vm->error), "config: vms[%u]%s%s%s: %s",
			 (unsigned)judge->vm, *key ? "." : "", key, judge->where, fault);
}

/* The keys of the file itself. Returns a fault with its key in shown; *vms = the array. */
static const char *judge_top(struct config *config, const cJSON *top, const cJSON **vms,
			     char shown[SHOWN_SIZE])
{
	static const char *const words[] = {"poweroff", "reboot", "stay"};
	static const struct key keys[] = {
		{"version", NULL}, {"when_all_stopped", NULL}, {"vms", NULL}};
	const cJSON *version = find(top, "version");
	const char *fault;
	int stop;

	strcpy(shown, "version");
	if (!version)
		return "missing; must be 1";
	if (!cJSON_IsNumber(version) || version->valuedouble != 1)
		return "not 1; this Corbel reads version 1";
	fault = check_keys(top, keys, 3, "unknown key; known are version, when_all_stopped and vms",
			   shown);
	if (fault)
		return fault;
	strcpy(shown, "when_all_stopped");
	stop = word_index(find(top, "when_all_stopped"), words, 3);
	if (stop < 0)
		return "not a known word; \"poweroff\", \"reboot\" or \"stay\" belongs here";
	config->when_all_stopped = (enum config_stop)stop;
	strcpy(shown, "vms");
	*vms = find(top, "vms");
	if (!*vms)
		return "missing; an array of VMs belongs here";
	if (!cJSON_IsArray(*vms))
		return "not an array; an array of VMs belongs here";
	if (!(*vms)->child)
		return "empty; give at least one VM";
	if (cJSON_GetArraySize(*vms) > (int)CONFIG_VMS_MAX)
		return "more than 4096 VMs; give at most 4096";
	return NULL;
}

/* Judges the VMs one by one. Returns -ENOMEM or 0. */
static int judge_vms(struct config *config, const cJSON *vms, config_has_file *has_file,
		     void *context)
{
	struct judge judge = {.config = config, .has_file = has_file, .context = context};
	const cJSON *item;

	judge.paths = calloc(1, sizeof(*judge.paths));
	config->vms = calloc((size_t)cJSON_GetArraySize(vms), sizeof(*config->vms));
	if (!judge.paths || !config->vms) {
		free(judge.paths);
		return -ENOMEM;
	}
	cJSON_ArrayForEach(item, vms)
	{
		judge_vm(&judge, item, &config->vms[judge.vm]);
		judge.vm++;
	}
	config->vm_count = judge.vm;
	free(judge.paths);
	return 0;
}

static int unusable(struct config *config, int result, const char *key, const char *fault)
{
	snprintf(config->error, sizeof(config->error), "config: %s: %s", key, fault);
	return result;
}

/* Text that is not JSON has no keys: the place in it stands for the key. */
static int not_json(struct config *config, const char *text, size_t at, const char *fault)
{
	size_t line = 1, column = 1;
	char place[64];

	for (size_t i = 0; i < at; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	snprintf(place, sizeof(place), "line %u column %u", (unsigned)line, (unsigned)column);
	return unusable(config, -EINVAL, place, fault);
}

int config_parse(struct config *config, const char *text, size_t size, config_has_file *has_file,
		 void *context)
{
	static const char no_memory[] = "out of memory; give Corbel more of it";
	char shown[SHOWN_SIZE] = "";
	const cJSON *vms = NULL;
	const char *fault;
	size_t at;

	memset(config, 0, sizeof(*config));
	if (size > CONFIG_SIZE_MAX)
		return unusable(config, -EINVAL, "corbel.json",
				"larger than 1 MiB; make it at most 1048576 bytes");
	fault = jsontext_check(text, size, &at);
	if (fault)
		return not_json(config, text, at, fault);
	config->tree = cJSON_ParseWithLength(text, size);
	if (!config->tree)
		return unusable(config, -ENOMEM, "corbel.json", no_memory);
	if (!cJSON_IsObject((cJSON *)config->tree))
		return unusable(config, -EINVAL, "corbel.json",
				"not an object; {\"version\": 1, \"vms\": [...]} belongs here");
	fault = judge_top(config, config->tree, &vms, shown);
	if (fault)
		return unusable(config, -EINVAL, shown, fault);
	if (judge_vms(config, vms, has_file, context))
		return unusable(config, -ENOMEM, "corbel.json", no_memory);
	return 0;
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < config->vm_count; i++)
		free(config->vms[i].modules);
	free(config->vms);
	cJSON_Delete(config->tree);
	memset(config, 0, sizeof(*config));
}
