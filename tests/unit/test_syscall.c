/* SPDX-License-Identifier: BSD-2-Clause */
/* The system-call table: what each call does, and that bad arguments change nothing. */
#include "kernel/frames.h"
#include "kernel/memory.h"
#include "kernel/process.h"
#include "kernel/quota.h"
#include "kernel/thread.h"

#include "fake_system.h"

#include <sys/mman.h>

#define CALL(number, ...) syscall_dispatch(number, (const uint64_t[6]){__VA_ARGS__})
#define P(pointer)        ((uint64_t)(pointer))

static void start(void)
{
	fake_system_start(ABI_RIGHT_ALL);
}

/* ---- what good calls do ---- */

TEST(handles_are_reused_and_have_only_the_rights_that_were_given)
{
	start();
	CHECK_EQ(CALL(SYS_EVENT_CREATE), 1);
	CHECK_EQ(CALL(SYS_EVENT_CREATE), 2);
	CHECK_EQ(CALL(SYS_EVENT_CREATE), 3);
	CHECK_EQ(CALL(SYS_HANDLE_CLOSE, 2), 0);
	CHECK_EQ(CALL(SYS_HANDLE_CLOSE, 2), -ABI_EBADF);
	CHECK_EQ(CALL(SYS_PROCESS_GIVE, -1ull, 1, ABI_RIGHT_READ), 2);
	CHECK_EQ(CALL(SYS_EVENT_SIGNAL, 2, 1), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_PROCESS_GIVE, -1ull, 2, ABI_RIGHT_READ), -ABI_EPERM); /* no TRANSFER */
	CHECK_EQ(CALL(SYS_PROCESS_GIVE, -1ull, 1, 0x100), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_EVENT_SIGNAL, 1, 7), 0);
	CHECK_EQ(CALL(SYS_EVENT_TAKE, 2), 7);
}

TEST(handle_tables_grow_to_their_bound_and_no_further)
{
	int64_t last = 1, handle;

	start();
	CALL(SYS_EVENT_CREATE);
	while ((handle = CALL(SYS_PROCESS_GIVE, -1ull, 1, ABI_RIGHT_ALL)) >= 0)
		CHECK_EQ(handle, ++last);
	CHECK_EQ(handle, -ABI_ENOMEM);
	CHECK_EQ(last, 65535);
	CHECK_EQ(CALL(SYS_HANDLE_CLOSE, 300), 0);
	CHECK_EQ(CALL(SYS_PROCESS_GIVE, -1ull, 1, 0), 300);
	CHECK_EQ(CALL(SYS_PROCESS_GIVE, -1ull, 1, 0), -ABI_ENOMEM);
	CHECK_EQ(CALL(SYS_EVENT_CREATE), -ABI_ENOMEM);
	CHECK_EQ(CALL(SYS_HANDLE_CLOSE, 7), 0); /* room for one end is none for two */
	CHECK_EQ(CALL(SYS_CHANNEL_CREATE), -ABI_ENOMEM);
	CHECK_EQ(process_current()->handles.count, 65535);
}

/* Two handles. */
static int channel(handle_t ends[2])
{
	int64_t result = CALL(SYS_CHANNEL_CREATE);

	ends[0] = (handle_t)(result & 0xffff);
	ends[1] = (handle_t)(result >> 16);
	return result < 0 ? (int)result : 0;
}

TEST(a_channel_moves_bytes_and_handles)
{
	handle_t ends[2], out[2] = {-1, -1}, give[2];
	char bytes[16];

	start();
	CHECK_EQ(channel(ends), 0);
	give[0] = (handle_t)CALL(SYS_EVENT_CREATE);
	give[1] = (handle_t)CALL(SYS_PROCESS_CREATE, 0, 1 << 20); /* never ran: it lives on */
	CHECK_EQ(CALL(SYS_CHANNEL_RECV, ends[1], P(bytes), 16, P(out), 2), -ABI_EAGAIN);
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[0], P("hello"), 6, P(give), 2), 0);
	CHECK_EQ(CALL(SYS_EVENT_TAKE, give[0]), -ABI_EBADF);
	CHECK_EQ(CALL(SYS_PROCESS_INFO, give[1], P(bytes)), -ABI_EBADF);
	CHECK_EQ(CALL(SYS_CHANNEL_RECV, ends[1], P(bytes), 5, P(out), 2), -ABI_E2BIG);
	CHECK_EQ(CALL(SYS_CHANNEL_RECV, ends[1], P(bytes), 16, P(out), 1), -ABI_E2BIG);
	CHECK_EQ(CALL(SYS_CHANNEL_RECV, ends[1], P(bytes), 16, 0, 2), -ABI_EFAULT);
	CHECK_EQ(CALL(SYS_CHANNEL_RECV, ends[1], P(bytes), 16, P(out), 2), 6 | 2 << 16);
	CHECK_STR(bytes, "hello");
	CHECK_EQ(CALL(SYS_EVENT_SIGNAL, out[0], 2), 0);
	CHECK_EQ(CALL(SYS_PROCESS_KILL, out[0]), -ABI_EBADTYPE);
	CHECK_EQ(CALL(SYS_PROCESS_KILL, out[1]), 0);
	CHECK_EQ(CALL(SYS_HANDLE_CLOSE, ends[0]), 0);
	fake_settle();
	CHECK_EQ(CALL(SYS_CHANNEL_RECV, ends[1], P(bytes), 16, P(out), 2), -ABI_EPIPE);
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[1], P(bytes), 1, 0, 0), -ABI_EPIPE);
	CHECK(!process_current()->is_ending);
}

TEST(a_send_that_fails_moves_nothing)
{
	handle_t ends[2], give[3];
	uint32_t count;

	start();
	CHECK_EQ(channel(ends), 0);
	give[0] = (handle_t)CALL(SYS_EVENT_CREATE);
	give[1] = (handle_t)CALL(SYS_EVENT_CREATE);
	count = process_current()->handles.count;
	give[2] = 77;
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[0], P("x"), 1, P(give), 3), -ABI_EBADF);
	give[2] = give[0];
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[0], P("x"), 1, P(give), 3), -ABI_EINVAL);
	give[2] = ends[0];
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[0], P("x"), 1, P(give), 3), -ABI_EBUSY);
	give[2] = ends[1];
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[0], P("x"), 1, P(give), 3), -ABI_EBUSY);
	give[2] = (handle_t)CALL(SYS_WAITSET_CREATE);
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[0], P("x"), 1, P(give), 3), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[0], 0, 1, P(give), 2), -ABI_EFAULT);
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[0], P("x"), 3585, P(give), 2), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_CHANNEL_SEND, ends[0], P("x"), 1, P(give), 17), -ABI_EINVAL);
	CHECK_EQ(process_current()->handles.count, count + 1);
	CHECK_EQ(CALL(SYS_CHANNEL_RECV, ends[1], P(give), 8, 0, 0), -ABI_EAGAIN);
}

TEST(memory_is_mapped_with_the_rights_of_its_handle)
{
	struct abi_memory_info info;
	const uint64_t address = 1ull << 32;
	int64_t memory, read_only;

	start();
	memory = CALL(SYS_MEMORY_CREATE, 4 << 20, ABI_MEMORY_LARGE);
	read_only = CALL(SYS_PROCESS_GIVE, -1ull, memory, ABI_RIGHT_READ | ABI_RIGHT_MAP);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, memory, 0, 4 << 20, address, 3), address);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, memory, 0, 4096, 0, 1), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, memory, 0, 4096, address, ABI_PROT_READ), -ABI_EEXIST);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, memory, 0, 4096, 1 << 20, ABI_PROT_WRITE),
		 -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, memory, 0, 4096, 1 << 20, 7), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, read_only, 0, 4096, 1 << 20, 3), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, memory, 0, 4096, 4096, 1), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, memory, 0, 4096, ABI_USER_END, 1), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, memory, 0, 8192, ABI_USER_END - 4096, 1), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, memory, 4096, 4 << 20, 1 << 20, 1), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, read_only, 4096, 8192, 1 << 20, 1), 1 << 20);
	CHECK_EQ(CALL(SYS_MEMORY_UNMAP, -1ull, address, 4096), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_UNMAP, -1ull, address, 4 << 20), 0);
	CHECK_EQ(CALL(SYS_MEMORY_UNMAP, -1ull, address, 4 << 20), -ABI_ENOENT);
	CHECK_EQ(CALL(SYS_MEMORY_INFO, memory, P(&info)), 0);
	CHECK_EQ(info.size, 4 << 20);
}

TEST(a_vm_has_memory_at_addresses_of_its_own)
{
	int64_t memory, read_only, vm, vcpu;

	start();
	memory = CALL(SYS_MEMORY_CREATE, 4 << 20, 0);
	read_only = CALL(SYS_PROCESS_GIVE, -1ull, memory, ABI_RIGHT_READ | ABI_RIGHT_MAP);
	vm = CALL(SYS_VM_CREATE, 1, 0);
	vcpu = CALL(SYS_VCPU_CREATE, vm, 0);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, vm, memory, 0, 4096, 0, 7), 0);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, vm, memory, 0, 4096, 0, 1), -ABI_EEXIST);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, vm, read_only, 0, 4096, 8192, 3), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, vm, memory, 0, 4096, 0xfee00000, 1), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, vm, memory, 0, 4096, 1ull << 46, 1), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, vm, vcpu, 0, 4096, 8192, 3), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, vcpu, 0, 4096, 1 << 20, 3), 1 << 20);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, vcpu, memory, 0, 4096, 8192, 1), -ABI_EBADTYPE);
	CHECK_EQ(CALL(SYS_MEMORY_UNMAP, vm, 0, 4096), 0);
	CHECK_EQ(CALL(SYS_MEMORY_UNMAP, vm, 0, 4096), -ABI_ENOENT);
}

TEST(written_pages_are_listed_where_the_caller_says)
{
	const uint64_t size = 4ull << 20;
	uint8_t bits[4] = {0xff, 0xff, 0xff, 0xff};
	int64_t memory, plain;

	start();
	memory = CALL(SYS_MEMORY_CREATE, size, 0);
	CHECK(memory > 0);
	plain = CALL(SYS_PROCESS_GIVE, -1ull, memory, ABI_RIGHT_READ | ABI_RIGHT_WRITE);
	CHECK_EQ(CALL(SYS_MEMORY_LOG, plain, 1), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_MEMORY_LOG, memory, 2), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_LOG, memory, 1), 0);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, plain, 0, 4096, P(bits)), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, memory, 0, 9 * 4096, P(bits)), 0);
	CHECK(bits[0] == 0 && bits[1] == 0 && bits[2] == 0xff);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, memory, 0, 0, P(bits)), 0);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, memory, 1, 4096, P(bits)), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, memory, 0, 4095, P(bits)), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, memory, size, 4096, P(bits)), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, memory, 4096, size, P(bits)), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, memory, -4096ull, 8192, P(bits)), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, memory, 0, 4096, 1 << 20), -ABI_EFAULT);
	CHECK_EQ(CALL(SYS_MEMORY_LOG, memory, 0), 0);
	CHECK_EQ(CALL(SYS_MEMORY_HARVEST, memory, 0, 4096, P(bits)), -ABI_EINVAL);
}

TEST(modules_are_handed_out_and_copied_on_write)
{
	struct abi_module_info info;
	struct abi_memory_info memory_info_;
	int64_t module, copy;

	start();
	module = CALL(SYS_SYSTEM_MODULE, 0, P(&info), 0);
	CHECK_STR(info.path, "linux/kernel");
	CHECK_EQ(info.size, 5000);
	copy = CALL(SYS_MEMORY_CREATE, 1 << 20, 0);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, -1ull, module, 0, 8192, 1 << 20, 3), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_MEMORY_COW, module, 0, copy, 0, 4096), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_MEMORY_COW, copy, 4096, module, 0, 8192), 0);
	CHECK_EQ(CALL(SYS_MEMORY_INFO, copy, P(&memory_info_)), 0);
	CHECK_EQ(memory_info_.borrowed_bytes, 8192);
	CHECK_EQ(CALL(SYS_SYSTEM_MODULE, 0, P(&info), 1), -ABI_ENOENT);
	CHECK_EQ(CALL(SYS_SYSTEM_MODULE, copy, P(&info), 0), -ABI_EBADTYPE);
}

TEST(devices_keep_to_their_ports_and_lines)
{
	int64_t device, other, plain, event;

	start();
	device = CALL(SYS_DEVICE_CREATE, 0, 0x3f8, 8, 4);
	CHECK(device > 0);
	CHECK_EQ(CALL(SYS_DEVICE_CREATE, 0, 0x2f8, 8, 16), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_DEVICE_CREATE, 0, 0xfffc, 8, 3), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_DEVICE_CREATE, 0, UINT64_MAX, 8, 3), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_DEVICE_CREATE, 0, 8, UINT64_MAX, 3), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_DEVICE_CREATE, 0, 0x2f8, 0, 3), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_DEVICE_PORT_OUT, device, 0x3f8, 1, 0x41), 0);
	CHECK_EQ(fake_ports[8], 0x41);
	fake_ports[0xd] = 0x60;
	CHECK_EQ(CALL(SYS_DEVICE_PORT_IN, device, 0x3fd, 1), 0x60);
	CHECK(CALL(SYS_DEVICE_PORT_IN, device, 0x3fd, 4) < 0);
	CHECK(CALL(SYS_DEVICE_PORT_IN, device, 0x3fd, 3) < 0);
	CHECK(CALL(SYS_DEVICE_PORT_IN, device, 0x103fd, 1) < 0);
	CHECK(CALL(SYS_DEVICE_PORT_OUT, device, 0x3f7, 1, 0) < 0);
	CHECK(CALL(SYS_DEVICE_PORT_OUT, device, UINT64_MAX, 4, 0) < 0);
	event = CALL(SYS_EVENT_CREATE);
	CHECK_EQ(CALL(SYS_DEVICE_IRQ_ACK, device), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_DEVICE_IRQ_BIND, device, event), 0);
	CHECK_EQ(CALL(SYS_DEVICE_IRQ_BIND, device, event), -ABI_EBUSY);
	CHECK_EQ(CALL(SYS_DEVICE_IRQ_ACK, device), 0);
	other = CALL(SYS_DEVICE_CREATE, 0, 0x2f8, 8, 4);
	CHECK_EQ(CALL(SYS_DEVICE_IRQ_BIND, other, event), -ABI_EBUSY);
	CHECK_EQ(CALL(SYS_DEVICE_IRQ_ACK, other), -ABI_EINVAL);
	plain = CALL(SYS_DEVICE_CREATE, 0, 0x80, 1, ABI_IRQ_NONE);
	CHECK(plain > 0);
	CHECK_EQ(CALL(SYS_DEVICE_IRQ_BIND, plain, event), -ABI_EINVAL);
	CHECK_EQ(fake_irq_enabled, 1 << 4);
	device_interrupt(4);
	device_interrupt(5);
	CHECK_EQ(CALL(SYS_EVENT_TAKE, event), 1);
	CHECK_EQ(CALL(SYS_HANDLE_CLOSE, device), 0);
	fake_settle();
	CHECK_EQ(fake_irq_enabled, 0);
	device_interrupt(4);
	CHECK_EQ(CALL(SYS_DEVICE_IRQ_BIND, other, event), 0);
}

TEST(memory_under_dma_stays_until_unmapped)
{
	int64_t device, memory, lazy, address;
	uint64_t free_before;

	start();
	device = CALL(SYS_DEVICE_CREATE, 0, 0x100, 8, ABI_IRQ_NONE);
	lazy = CALL(SYS_MEMORY_CREATE, 4096, 0);
	free_before = frames_free_count();
	memory = CALL(SYS_MEMORY_CREATE, 64 << 10, ABI_MEMORY_CONTIGUOUS);
	CHECK_EQ(CALL(SYS_DEVICE_DMA_MAP, device, lazy, 0, 4096), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_DEVICE_DMA_MAP, device, memory, 4096, 64 << 10), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_DEVICE_DMA_MAP, device, memory, 0, 0), -ABI_EINVAL);
	address = CALL(SYS_DEVICE_DMA_MAP, device, memory, 4096, 8192);
	CHECK(address > 0);
	CHECK_EQ(CALL(SYS_HANDLE_CLOSE, memory), 0);
	fake_settle();
	CHECK(frames_free_count() <= free_before - 16);
	CHECK_EQ(CALL(SYS_DEVICE_DMA_UNMAP, device, address + 1), -ABI_ENOENT);
	CHECK_EQ(CALL(SYS_DEVICE_DMA_UNMAP, device, address), 0);
	CHECK_EQ(CALL(SYS_DEVICE_DMA_UNMAP, device, address), -ABI_ENOENT);
	fake_settle();
	CHECK_EQ(frames_free_count(), free_before);
	memory = CALL(SYS_MEMORY_CREATE, 64 << 10, ABI_MEMORY_CONTIGUOUS);
	for (unsigned i = 0; i < 16; i++)
		CHECK(CALL(SYS_DEVICE_DMA_MAP, device, memory, 0, 4096) > 0);
	CHECK_EQ(CALL(SYS_DEVICE_DMA_MAP, device, memory, 0, 4096), -ABI_ENOSPC);
	CALL(SYS_HANDLE_CLOSE, memory);
	CALL(SYS_HANDLE_CLOSE, device); /* maps go with the device */
	fake_settle();
	CHECK(frames_free_count() >= free_before);
}

static void child_main(uint64_t arg)
{
	CHECK_EQ(arg, 1234);
	CHECK_EQ(CALL(SYS_EVENT_SIGNAL, 0, 5), 0); /* what its maker gave */
	CALL(SYS_PROCESS_EXIT, 42);
	thread_return_to_user();
	CHECK(false);
}

TEST(a_child_runs_with_what_it_was_given)
{
	struct abi_process_info info;
	int64_t child, event, set;
	uint64_t keys[2];

	start();
	child = CALL(SYS_PROCESS_CREATE, 0, 1 << 20);
	event = CALL(SYS_EVENT_CREATE);
	set = CALL(SYS_WAITSET_CREATE);
	CHECK_EQ(CALL(SYS_PROCESS_GIVE, child, event, ABI_RIGHT_WRITE), 0);
	CHECK_EQ(CALL(SYS_PROCESS_GIVE, child, set, 0), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_PROCESS_GIVE, event, event, 0), -ABI_EBADTYPE);
	CHECK_EQ(CALL(SYS_WAITSET_ADD, set, child, 1), 0);
	CHECK_EQ(CALL(SYS_THREAD_CREATE, child, 5, 1 << 20, 0), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_THREAD_CREATE, child, P(child_main), ABI_USER_END + 16, 0), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_THREAD_CREATE, child, P(child_main), 1 << 20, 1234), 0);
	CHECK_EQ(CALL(SYS_WAITSET_WAIT, set, P(keys), 2, UINT64_MAX), 1);
	CHECK_EQ(CALL(SYS_EVENT_TAKE, event), 5);
	CHECK_EQ(CALL(SYS_PROCESS_INFO, child, P(&info)), 0);
	CHECK_EQ(info.reason, ABI_END_EXIT);
	CHECK_EQ(info.status, 42);
	CHECK_EQ(CALL(SYS_PROCESS_GIVE, child, event, 0), -ABI_EPIPE);
	CHECK_EQ(CALL(SYS_THREAD_CREATE, child, P(child_main), 1 << 20, 0), -ABI_EPIPE);
	CHECK_EQ(CALL(SYS_MEMORY_MAP, child, CALL(SYS_MEMORY_CREATE, 4096, 0), 0, 4096, 1 << 20, 1),
		 -ABI_EPIPE);
	CHECK_EQ(CALL(SYS_PROCESS_KILL, child), 0);
}

/* ---- what bad calls do ---- */

#define ANY OBJECT_TYPE_COUNT

#define HANDLE_KINDS 12u

static uint64_t handles[HANDLE_KINDS + 6]; /* one of each type, then bad ones */
static uint64_t pointers[8];

static void make_handles(void)
{
	handle_t ends[2];
	unsigned n = 0;

	CHECK_EQ(channel(ends), 0);
	handles[n++] = 0; /* the system */
	handles[n++] = (uint64_t)CALL(SYS_PROCESS_CREATE, 0, 1 << 20);
	handles[n++] = (uint64_t)CALL(SYS_MEMORY_CREATE, 64 << 10, 0);
	handles[n++] = (uint64_t)ends[0];
	handles[n++] = (uint64_t)CALL(SYS_EVENT_CREATE);
	handles[n++] = (uint64_t)CALL(SYS_WAITSET_CREATE);
	handles[n++] = (uint64_t)CALL(SYS_DEVICE_CREATE, 0, 0x300, 8, 4);
	handles[n++] = (uint64_t)CALL(SYS_VM_CREATE, 1);
	handles[n] = (uint64_t)CALL(SYS_VCPU_CREATE, handles[n - 1], 0);
	n++;
	handles[n++] = (uint64_t)CALL(SYS_PROCESS_GIVE, -1ull, handles[2], 0); /* without rights */
	handles[n++] = (uint64_t)CALL(SYS_PROCESS_GIVE, -1ull, handles[4], 0);
	handles[n++] = (uint64_t)CALL(SYS_PROCESS_GIVE, -1ull, handles[7], 0);
	CHECK_EQ(n, HANDLE_KINDS);
	handles[n++] = 999;
	handles[n++] = 65536;
	handles[n++] = INT32_MAX;
	handles[n++] = UINT32_MAX - 1;
	handles[n++] = 1ull << 32 | 1;
	handles[n++] = UINT64_MAX - 1;
}

/* What closes, kills, or ends for good would disturb the others; sizes that are right would
 * succeed. */
static bool is_left_out(unsigned number)
{
	return number == SYS_HANDLE_CLOSE || number == SYS_PROCESS_CREATE ||
	       number == SYS_PROCESS_GIVE || number == SYS_PROCESS_EXIT ||
	       number == SYS_PROCESS_KILL || number == SYS_THREAD_EXIT ||
	       number == SYS_THREAD_CREATE || number == SYS_EVENT_CREATE ||
	       number == SYS_WAITSET_CREATE || number == SYS_SYSTEM_POWER;
}

static uint32_t state = 1;

static uint32_t random_below(uint32_t limit)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % limit;
}

static uint64_t any_value(void)
{
	static const uint64_t values[] = {0,
					  1,
					  2,
					  3,
					  4,
					  7,
					  64,
					  4095,
					  4096,
					  8192,
					  65,
					  1ull << 20,
					  1ull << 31,
					  1ull << 32,
					  1ull << 39,
					  1ull << 46,
					  1ull << 47,
					  INT64_MAX,
					  1ull << 63,
					  0xffff800000000000,
					  UINT64_MAX,
					  UINT64_MAX - 4095,
					  UINT64_MAX - 1};

	switch (random_below(4)) {
	case 0:
		return handles[random_below(ARRAY_COUNT(handles))];
	case 1:
		return pointers[random_below(ARRAY_COUNT(pointers))] + random_below(3);
	default:
		return values[random_below(ARRAY_COUNT(values))];
	}
}

/*
 * Random arguments for every call: ring 0 must not fall over them, only documented errors come
 * back, and after all handles that calls made are closed again, all frames and the quota are as
 * before.
 */
TEST(random_arguments_do_no_harm)
{
	char *page = mmap(NULL, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	uint64_t good = 0, used_before, free_before;

	start();
	free_before = frames_free_count();
	used_before = process_current()->quota->used;
	fake_bad_user = P(page) + PAGE_SIZE;
	memcpy(pointers,
	       (uint64_t[]){P(page), P(page) + 512, P(page) + PAGE_SIZE, P(page) + PAGE_SIZE - 4, 0,
			    0xfff8, ABI_USER_END - 8, 0xffff800000000000},
	       sizeof(pointers));
	make_handles();
	for (unsigned i = 0; i < 400000; i++) {
		unsigned number = random_below(SYS_COUNT + 2);
		uint64_t args[6];
		int64_t result;

		if (is_left_out(number))
			continue;
		for (unsigned k = 0; k < 6; k++)
			args[k] = any_value();
		if (number == SYS_WAITSET_WAIT)
			args[3] = 0; /* not for ever */
		if ((number == SYS_SYSTEM_MODULE || number == SYS_DEVICE_CREATE) && random_below(2))
			args[0] = 0; /* the system */
		result = syscall_dispatch(number, args);
		CHECK(result >= -ABI_EBADTYPE);
		if (result < 0)
			continue;
		good++;
		if (number == SYS_MEMORY_MAP)
			CHECK_EQ(CALL(SYS_MEMORY_UNMAP, args[0], (uint64_t)result, args[3]), 0);
		if (number == SYS_CHANNEL_CREATE) {
			CHECK_EQ(CALL(SYS_HANDLE_CLOSE, (uint64_t)result & 0xffff), 0);
			CHECK_EQ(CALL(SYS_HANDLE_CLOSE, (uint64_t)result >> 16), 0);
		}
		if (number == SYS_MEMORY_CREATE || number == SYS_SYSTEM_MODULE ||
		    number == SYS_DEVICE_CREATE || number == SYS_VM_CREATE ||
		    number == SYS_VCPU_CREATE)
			CHECK_EQ(CALL(SYS_HANDLE_CLOSE, (uint64_t)result), 0);
		memset(page, (int)random_below(3), 64);
		fake_settle();
	}
	CHECK(good > 1000);
	/* Messages that a send left waiting, members of the set and bound events go with their
	 * objects. */
	for (handle_t h = 1; h < 1000; h++)
		CALL(SYS_HANDLE_CLOSE, (uint64_t)h);
	fake_settle();
	CHECK_EQ(process_current()->handles.count, 1);
	/* Ring 0 keeps the table of its window that it needed for one more block. */
	CHECK(frames_free_count() + 1 >= free_before);
	CHECK_EQ(process_current()->quota->used, used_before);
}

TEST(cores_are_shared_as_who_manages_the_machine_says)
{
	struct abi_sched sched = {.weight = 7, .cpus = {1}};
	struct abi_core_info core;
	struct abi_process_info info;
	uint64_t child, weak, watch;

	start();
	child = (uint64_t)CALL(SYS_PROCESS_CREATE, 0, 1 << 20);
	weak = (uint64_t)CALL(SYS_PROCESS_GIVE, -1ull, child, ABI_RIGHT_ALL & ~ABI_RIGHT_MANAGE);
	watch = (uint64_t)CALL(SYS_PROCESS_GIVE, -1ull, 0, ABI_RIGHT_READ);
	CHECK_EQ(CALL(SYS_PROCESS_SCHED, 0, child, P(&sched)), 0);
	CHECK_EQ(handle_entry(process_current(), child)->object->type, OBJECT_PROCESS);
	CHECK_EQ(((struct process *)handle_entry(process_current(), child)->object)->sched.weight,
		 7);
	CHECK_EQ(CALL(SYS_PROCESS_SCHED, 0, -1ull, P(&sched)), 0);
	CHECK_EQ(process_current()->sched.weight, 7);
	CHECK_EQ(CALL(SYS_PROCESS_SCHED, 0, weak, P(&sched)), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_PROCESS_SCHED, watch, child, P(&sched)), -ABI_EPERM);
	CHECK_EQ(CALL(SYS_PROCESS_SCHED, 0, 999, P(&sched)), -ABI_EBADF);
	CHECK_EQ(CALL(SYS_PROCESS_SCHED, 0, child, 0), -ABI_EFAULT);
	sched.weight = 0;
	CHECK_EQ(CALL(SYS_PROCESS_SCHED, 0, child, P(&sched)), -ABI_EINVAL);
	CHECK_EQ(CALL(SYS_SYSTEM_CORE, watch, P(&core), 0), 0);
	CHECK_EQ(CALL(SYS_PROCESS_INFO, -1ull, P(&info)), 0);
	CHECK(core.apic_id == 0 && core.ready_count == 0 && info.id && core.process == info.id);
	CHECK_EQ(CALL(SYS_SYSTEM_CORE, 0, P(&core), 1), -ABI_ENOENT);
	CHECK_EQ(CALL(SYS_SYSTEM_CORE, 0, 0, 0), -ABI_EFAULT);
}

/* Each call in turn with every bad handle, at each place for a handle: refused, and nothing
 * changes. */
TEST(bad_handles_are_refused_by_every_call)
{
	static const struct {
		unsigned number, place;
		unsigned type;
	} calls[] = {
		{SYS_HANDLE_CLOSE, 0, ANY},
		{SYS_PROCESS_CREATE, 0, OBJECT_SYSTEM},
		{SYS_PROCESS_GIVE, 0, OBJECT_PROCESS},
		{SYS_PROCESS_KILL, 0, OBJECT_PROCESS},
		{SYS_PROCESS_INFO, 0, OBJECT_PROCESS},
		{SYS_PROCESS_SCHED, 0, OBJECT_SYSTEM},
		{SYS_SYSTEM_CORE, 0, OBJECT_SYSTEM},
		{SYS_THREAD_CREATE, 0, OBJECT_PROCESS},
		{SYS_MEMORY_COW, 0, OBJECT_MEMORY},
		{SYS_MEMORY_INFO, 0, OBJECT_MEMORY},
		{SYS_MEMORY_LOG, 0, OBJECT_MEMORY},
		{SYS_MEMORY_HARVEST, 0, OBJECT_MEMORY},
		{SYS_CHANNEL_SEND, 0, OBJECT_CHANNEL},
		{SYS_CHANNEL_RECV, 0, OBJECT_CHANNEL},
		{SYS_EVENT_SIGNAL, 0, OBJECT_EVENT},
		{SYS_EVENT_TAKE, 0, OBJECT_EVENT},
		{SYS_WAITSET_ADD, 0, OBJECT_WAITSET},
		{SYS_WAITSET_REMOVE, 0, OBJECT_WAITSET},
		{SYS_WAITSET_WAIT, 0, OBJECT_WAITSET},
		{SYS_DEVICE_CREATE, 0, OBJECT_SYSTEM},
		{SYS_DEVICE_PORT_IN, 0, OBJECT_DEVICE},
		{SYS_DEVICE_PORT_OUT, 0, OBJECT_DEVICE},
		{SYS_DEVICE_IRQ_BIND, 0, OBJECT_DEVICE},
		{SYS_DEVICE_IRQ_ACK, 0, OBJECT_DEVICE},
		{SYS_DEVICE_DMA_MAP, 0, OBJECT_DEVICE},
		{SYS_DEVICE_DMA_UNMAP, 0, OBJECT_DEVICE},
		{SYS_VM_DOORBELL, 0, OBJECT_VM},
		{SYS_VM_MSI, 0, OBJECT_VM},
		{SYS_VM_STATS, 0, OBJECT_VM},
		{SYS_VCPU_CREATE, 0, OBJECT_VM},
		{SYS_VCPU_RUN, 0, OBJECT_VCPU},
		{SYS_VCPU_KICK, 0, OBJECT_VCPU},
		{SYS_VCPU_GET, 0, OBJECT_VCPU},
		{SYS_VCPU_SET, 0, OBJECT_VCPU},
		{SYS_VCPU_APIC_ACCESS, 0, OBJECT_VCPU},
		{SYS_SYSTEM_INFO, 0, OBJECT_SYSTEM},
		{SYS_SYSTEM_MODULE, 0, OBJECT_SYSTEM},
		{SYS_SYSTEM_POWER, 0, OBJECT_SYSTEM},
	};
	uint64_t free_before;
	uint32_t count;

	start();
	make_handles();
	free_before = frames_free_count();
	count = process_current()->handles.count;
	for (unsigned i = 0; i < ARRAY_COUNT(calls); i++) {
		for (unsigned k = 0; k < ARRAY_COUNT(handles); k++) {
			uint64_t args[6] = {0, 0, ABI_USER_BASE, 0, 0, 1};
			struct object *object = NULL;
			int64_t result;
			bool is_good = k < HANDLE_KINDS;

			if (is_good) {
				object = handle_entry(process_current(), handles[k])->object;
				if (calls[i].type == ANY || object->type == calls[i].type)
					continue;
			}
			args[calls[i].place] = handles[k];
			result = syscall_dispatch(calls[i].number, args);
			CHECK_EQ(result, is_good ? -ABI_EBADTYPE : -ABI_EBADF);
			CHECK_EQ(process_current()->handles.count, count);
			CHECK_EQ(frames_free_count(), free_before);
		}
	}
	CHECK_EQ(syscall_dispatch(SYS_COUNT, (uint64_t[6]){0}), -ABI_ENOSYS);
	CHECK_EQ(syscall_dispatch(UINT64_MAX, (uint64_t[6]){0}), -ABI_ENOSYS);
}

int main(void)
{
	RUN(handles_are_reused_and_have_only_the_rights_that_were_given);
	RUN(handle_tables_grow_to_their_bound_and_no_further);
	RUN(a_channel_moves_bytes_and_handles);
	RUN(a_send_that_fails_moves_nothing);
	RUN(memory_is_mapped_with_the_rights_of_its_handle);
	RUN(a_vm_has_memory_at_addresses_of_its_own);
	RUN(written_pages_are_listed_where_the_caller_says);
	RUN(modules_are_handed_out_and_copied_on_write);
	RUN(devices_keep_to_their_ports_and_lines);
	RUN(memory_under_dma_stays_until_unmapped);
	RUN(a_child_runs_with_what_it_was_given);
	RUN(random_arguments_do_no_harm);
	RUN(cores_are_shared_as_who_manages_the_machine_says);
	RUN(bad_handles_are_refused_by_every_call);
	return unit_end();
}
