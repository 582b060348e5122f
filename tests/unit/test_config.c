/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: each file of tests/config, the bounds, and what a good file turns into. */
#include <cJSON.h>
#include <errno.h>

#include "../../services/init/config.h"
#include "unit.h"

#define FOLDER "tests/config/" /* tests are run from the top of the tree */

static bool has_file(void *context, const char *path)
{
	(void)context;
	return strcmp(path, "kernel") == 0 || strcmp(path, "initrd") == 0 ||
	       strcmp(path, "dir/module") == 0;
}

static bool has_any_file(void *context, const char *path)
{
	(void)context;
	(void)path;
	return true;
}

/* Reads a whole file into memory of exactly its size, so that a read past its end is found. */
static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	char *text;
	long end;

	CHECK(file != NULL);
	CHECK(fseek(file, 0, SEEK_END) == 0);
	end = ftell(file);
	CHECK(end >= 0);
	rewind(file);
	*size = (size_t)end;
	text = malloc(*size ? *size : 1);
	CHECK(text && fread(text, 1, *size, file) == *size);
	fclose(file);
	return text;
}

static int parse_file(struct config *config, const char *name)
{
	char path[512];
	size_t size;
	char *text;
	int result;

	snprintf(path, sizeof(path), FOLDER "%s", name);
	text = read_file(path, &size);
	result = config_parse(config, text, size, has_file, NULL);
	free(text); /* the configuration must not need it any more */
	return result;
}

static int parse_text(struct config *config, const char *text)
{
	return config_parse(config, text, strlen(text), has_any_file, NULL);
}

/* The lines of bad.list from offset first on that are about the same file: its faults in order. */
static char *list;
static size_t list_at;

/* Takes the next line if it is about the file, or about any if file is ""; splits it at the tab. */
static char *take_line(char file[256])
{
	char *line = list + list_at, *tab = strchr(line, '\t'), *end = strchr(line, '\n');

	if (!*line)
		return NULL;
	CHECK(tab && end && tab < end && tab - line < 256);
	if (file[0] && (strncmp(line, file, (size_t)(tab - line)) || file[tab - line]))
		return NULL;
	memcpy(file, line, (size_t)(tab - line));
	file[tab - line] = '\0';
	*end = '\0';
	list_at = (size_t)(end + 1 - list);
	return tab + 1;
}

/* Judges the file of the line at list_at: every fault is listed, and every listed one is found. */
static void test_listed_file(void)
{
	char file[256] = "", path[300];
	char *want = take_line(file);
	struct config config;

	snprintf(path, sizeof(path), "bad/%s", file);
	if (parse_file(&config, path)) {
		CHECK_STR(config.error, want);
		want = take_line(file);
		CHECK_EQ(config.vm_count, 0);
	}
	for (size_t i = 0; i < config.vm_count; i++) {
		if (!config.vms[i].error[0])
			continue;
		CHECK(want != NULL);
		CHECK_STR(config.vms[i].error, want);
		want = take_line(file);
	}
	CHECK(want == NULL);
	config_free(&config);
}

static void run_list(void)
{
	char name[256], file[256];
	size_t size;

	list = read_file(FOLDER "bad.list", &size);
	list = realloc(list, size + 1);
	list[size] = '\0';
	while (list[list_at]) {
		sscanf(list + list_at, "%255[^\t.]", file);
		snprintf(name, sizeof(name), "refuses_%.200s", file);
		unit_run(__FILE__, name, test_listed_file);
		/* The child moved its own list_at. */
		file[0] = '\0';
		take_line(file);
		while (take_line(file))
			;
	}
	free(list);
}

TEST(defaults)
{
	struct config config;

	CHECK_EQ(parse_file(&config, "good/smallest.json"), 0);
	CHECK_EQ(config.when_all_stopped, CONFIG_POWEROFF);
	CHECK_EQ(config.vm_count, 1);
	CHECK_STR(config.vms[0].error, "");
	CHECK_STR(config.vms[0].name, "a");
	CHECK_STR(config.vms[0].kernel, "kernel");
	CHECK(config.vms[0].initrd == NULL);
	CHECK_EQ(config.vms[0].module_count, 0);
	CHECK_STR(config.vms[0].cmdline, "");
	CHECK_EQ(config.vms[0].memory, 256 << 20);
	CHECK_EQ(config.vms[0].vcpus, 1);
	CHECK_EQ(config.vms[0].autostart, true);
	CHECK_EQ(config.vms[0].restart, CONFIG_RESTART_NEVER);
	CHECK_EQ(config.vms[0].test_device, false);
	CHECK_EQ(config.vms[0].apicv, true);
	config_free(&config);
}

TEST(all_keys)
{
	struct config config;
	const struct vm_config *vm;

	CHECK_EQ(parse_file(&config, "good/all-keys.json"), 0);
	CHECK_EQ(config.when_all_stopped, CONFIG_STAY);
	CHECK_EQ(config.vm_count, 2);
	vm = &config.vms[0];
	CHECK_STR(vm->error, "");
	CHECK_STR(vm->name, "web-1");
	CHECK_STR(vm->initrd, "initrd");
	CHECK_EQ(vm->module_count, 2);
	CHECK_STR(vm->modules[0].file, "dir/module");
	CHECK_STR(vm->modules[0].cmdline, "a=b");
	CHECK_STR(vm->modules[1].file, "initrd");
	CHECK_STR(vm->modules[1].cmdline, "");
	CHECK_STR(vm->cmdline,
		  "console=ttyS0 \"quoted\" \xc3\xa9 \xc3\xa9 \xf0\x9f\x98\x80 / \b\f\n\r\t");
	CHECK_EQ(vm->memory, 64 << 20);
	CHECK_EQ(vm->autostart, false);
	CHECK_EQ(vm->test_device, true);
	CHECK_EQ(vm->apicv, false);
	CHECK_EQ(vm->sharing.weight, 300);
	CHECK_EQ(vm->sharing.cap, 150);
	CHECK_EQ(vm->sharing.cpus[0], 1 << 1 | 1 << 3 | 1 << 10);
	CHECK_EQ(vm->sharing.exclusive, true);
	CHECK_EQ(config.vms[1].sharing.priority, 50);
	CHECK_EQ(config.vms[1].sharing.budget_us, 2000);
	CHECK_EQ(config.vms[1].sharing.period_us, 10000);
	CHECK_EQ(config.vms[1].sharing.weight, 100);
	CHECK_STR(config.vms[1].error, "");
	CHECK_STR(config.vms[1].name, "0");
	CHECK_EQ(config.vms[1].memory, 65536ll << 30);
	config_free(&config);
}

/* A refused VM leaves the settings of the others alone, and still has a name for the log. */
TEST(judges_vm_by_vm)
{
	struct config config;

	CHECK_EQ(parse_file(&config, "bad/many.json"), 0);
	CHECK_EQ(config.vm_count, 7);
	CHECK_STR(config.vms[0].error, "");
	CHECK_STR(config.vms[1].name, "a");
	CHECK_STR(config.vms[3].error, "");
	CHECK_STR(config.vms[3].name, "also-good");
	CHECK_STR(config.vms[5].name, "vms[5]");
	CHECK_EQ(config.vms[5].is_named, false);
	config_free(&config);
}

TEST(too_large_a_file)
{
	struct config config;
	char *text = malloc(CONFIG_SIZE_MAX + 1);

	CHECK(text != NULL);
	memset(text, ' ', CONFIG_SIZE_MAX + 1);
	CHECK_EQ(config_parse(&config, text, CONFIG_SIZE_MAX + 1, has_file, NULL), -EINVAL);
	CHECK_STR(config.error,
		  "config: corbel.json: larger than 1 MiB; make it at most 1048576 bytes");
	config_free(&config);
	CHECK_EQ(config_parse(&config, text, CONFIG_SIZE_MAX, has_file, NULL), -EINVAL);
	CHECK(strncmp(config.error, "config: line 1 column 1048577: not a value", 40) == 0);
	config_free(&config);
	free(text);
}

/* Returns head, count times item with each %u in it replaced by the running number, and tail. */
static char *repeat(const char *head, const char *item, unsigned count, const char *tail)
{
	char *text, *at;

	text = at = malloc(strlen(head) + (strlen(item) + 20) * count + strlen(tail) + 1);
	CHECK(text != NULL);
	at += sprintf(at, "%s", head);
	for (unsigned i = 0; i < count; i++) {
		for (const char *c = item; *c; c++) {
			if (c[0] != '%')
				*at++ = *c;
			else
				at += sprintf(at, "%u", i), c++;
		}
	}
	strcpy(at, tail);
	return text;
}

TEST(as_many_vms_as_allowed)
{
	static const char item[] = "{\"name\":\"v%u\",\"kernel\":\"k\"},";
	static const char head[] = "{\"version\":1,\"vms\":[";
	struct config config;
	char *text = repeat(head, item, 4095, "{\"name\":\"a\",\"kernel\":\"k\"}]}");

	CHECK_EQ(parse_text(&config, text), 0);
	CHECK_EQ(config.vm_count, 4096);
	for (size_t i = 0; i < config.vm_count; i++)
		CHECK_STR(config.vms[i].error, "");
	config_free(&config);
	free(text);
	text = repeat(head, item, 4096, "{\"name\":\"a\",\"kernel\":\"k\"}]}");
	CHECK_EQ(parse_text(&config, text), -EINVAL);
	CHECK_STR(config.error, "config: vms: more than 4096 VMs; give at most 4096");
	config_free(&config);
	free(text);
}

TEST(too_many_values)
{
	struct config config;
	char *text = repeat("{\"version\":1,\"vms\":[", "0,", 65532, "0]}");

	CHECK_EQ(parse_text(&config, text), -EINVAL);
	CHECK_STR(config.error, "config: vms: more than 4096 VMs; give at most 4096");
	config_free(&config);
	free(text);
	text = repeat("{\"version\":1,\"vms\":[", "0,", 65533, "0]}");
	CHECK_EQ(parse_text(&config, text), -EINVAL);
	CHECK_STR(config.error,
		  "config: line 1 column 131087: too many values; a file may hold 65536");
	config_free(&config);
	free(text);
}

TEST(too_many_files)
{
	struct config config;
	char *text =
		repeat("{\"version\":1,\"vms\":[", "{\"name\":\"v%u\",\"kernel\":\"f%u\"},", 1024,
		       "{\"name\":\"a\",\"kernel\":\"g\"},{\"name\":\"b\",\"kernel\":\"f0\"}]}");

	CHECK_EQ(parse_text(&config, text), 0);
	CHECK_EQ(config.vm_count, 1026);
	CHECK_STR(config.vms[1023].error, "");
	CHECK_STR(config.vms[1024].error, "config: vms[1024].kernel: one file too many; "
					  "name at most 1024 different files");
	CHECK_STR(config.vms[1025].error, "");
	config_free(&config);
	free(text);
}

/* The longest fault, with a PATH of 255 bytes in it, fits without being cut. */
TEST(sentences_are_whole)
{
	struct config config;
	char *head = repeat("{\"version\":1,\"vms\":[", "0,", 4095,
			    "{\"name\":\"a\",\"kernel\":\"kernel\",\"modules\":[");
	char *path = repeat("", "d/", 124, "missing");
	char *modules = repeat(head, "{\"file\":\"kernel\"},", 63, "{\"file\":\"");
	char *text = malloc(strlen(modules) + 300), *want = malloc(1000);

	sprintf(text, "%s%s\"}]}]}", modules, path);
	sprintf(want,
		"config: vms[4095].modules[63].file: no file \"%s\"; "
		"a PATH starts at the configuration's folder",
		path);
	CHECK_EQ(strlen(path), 255);
	CHECK_EQ(config_parse(&config, text, strlen(text), has_file, NULL), 0);
	CHECK_STR(config.vms[4095].error, want);
	config_free(&config);
	free(head);
	free(path);
	free(modules);
	free(text);
	free(want);
}

/* Memory for cJSON runs out after 0, 1, 2 ... allocations. */
static size_t allocations_left;

static void *scarce_malloc(size_t size)
{
	return allocations_left ? allocations_left--, malloc(size) : NULL;
}

TEST(no_memory)
{
	cJSON_Hooks hooks = {.malloc_fn = scarce_malloc, .free_fn = free};
	struct config config;
	int result = -ENOMEM;
	size_t count = 0;

	cJSON_InitHooks(&hooks);
	for (; result == -ENOMEM; count++) {
		allocations_left = count;
		result = parse_file(&config, "good/all-keys.json");
		CHECK(result == 0 || strncmp(config.error, "config: corbel.json: out of", 27) == 0);
		CHECK_EQ(config.vm_count, result ? 0 : 2);
		config_free(&config);
	}
	CHECK_EQ(result, 0);
	CHECK(count > 20);
	cJSON_InitHooks(NULL);
}

TEST(free_after_each_outcome)
{
	struct config config;

	CHECK_EQ(config_parse(&config, NULL, 0, has_file, NULL), -EINVAL);
	config_free(&config);
	config_free(&config);
}

int main(void)
{
	run_list();
	RUN(defaults);
	RUN(all_keys);
	RUN(judges_vm_by_vm);
	RUN(too_large_a_file);
	RUN(as_many_vms_as_allowed);
	RUN(too_many_values);
	RUN(too_many_files);
	RUN(sentences_are_whole);
	RUN(no_memory);
	RUN(free_after_each_outcome);
	return unit_end();
}
