/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin of QEMU that counts executed instructions by the piece of code they lie in, into a file
 * that is mapped, so that whoever profiles may look at any moment. Option: out=FILE.
 *
 * What it takes of QEMU's interface ("TCG Plugins", version 1) is declared here, as Debian has no
 * package with the header.
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RECORDS    (4u << 20) /* as much code as is ever translated in a run */
#define CODE_BYTES 48u
#define ADD_U64    0
#define OUT        "out="

struct qemu_plugin_tb;
struct qemu_plugin_insn;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *piece);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *piece);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *piece, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int operation,
						void *counter, uint64_t value);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   void (*call)(uint64_t id, struct qemu_plugin_tb *piece));
int qemu_plugin_install(uint64_t id, const void *info, int count, char **arguments);
extern int qemu_plugin_version;

int qemu_plugin_version = 1;

/* As tests/bench/profile reads it; a record whose code_size is 0 and all behind it are unused. */
struct record {
	uint64_t address;  /* of the piece of code, as the CPU saw it */
	uint64_t executed; /* instructions of it */
	uint8_t code_size;
	uint8_t code[CODE_BYTES - 1];
};

static struct record *records;
static unsigned record_count;

/* The same code may be translated anew: it gets one more record. */
static void translated(uint64_t id, struct qemu_plugin_tb *piece)
{
	size_t count = qemu_plugin_tb_n_insns(piece), size = 0;
	struct record *record;

	(void)id;
	if (record_count == RECORDS)
		return;
	record = &records[record_count++];
	record->address = qemu_plugin_tb_vaddr(piece);
	for (size_t i = 0; i < count; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(piece, i);
		size_t part = qemu_plugin_insn_size(insn);

		if (part <= sizeof(record->code) - size) {
			memcpy(record->code + size, qemu_plugin_insn_data(insn), part);
			size += part;
		}
		qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, &record->executed, 1);
	}
	record->code_size = (uint8_t)size;
}

int qemu_plugin_install(uint64_t id, const void *info, int count, char **arguments)
{
	int file = -1;

	(void)info;
	if (count == 1 && strncmp(arguments[0], OUT, strlen(OUT)) == 0)
		file = open(arguments[0] + strlen(OUT), O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file < 0 || ftruncate(file, RECORDS * (off_t)sizeof(*records)) < 0)
		return -1;
	records =
		mmap(NULL, RECORDS * sizeof(*records), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (records == MAP_FAILED)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
