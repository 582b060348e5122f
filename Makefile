# SPDX-License-Identifier: BSD-2-Clause
# Builds build/corbel.efi, the guests and the tests; `make help` lists what it can do.

VERSION := 0.1.0
CORBEL_CACHE ?= /var/cache/corbel
RIG ?=
TEST ?= *
ROW ?= *
COUNT_OPS ?= 0
ifeq ($(COUNT_OPS),1)
BUILD ?= build/ops
else
BUILD ?= build
endif
ifeq ($(origin CC),default)
CC := gcc
endif
HOSTCC ?= $(CC)
OBJCOPY ?= objcopy
NEWLIB ?= $(CORBEL_CACHE)/newlib
CJSON_SRC ?= $(CORBEL_CACHE)/src/cjson
ZYDIS_SRC ?= $(CORBEL_CACHE)/src/zydis
ZYCORE_SRC ?= $(CORBEL_CACHE)/src/zycore
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$(2)")

# ---- flags ----

WARN := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla
COMMON := -std=c11 -O2 -g -MMD -MP -I. -I$(BUILD)/include $(WARN) -fno-strict-aliasing \
	-ffile-prefix-map=$(CURDIR)=. -DCORBEL_VERSION='"$(VERSION)"' -DCOUNT_OPS=$(COUNT_OPS)
GCC_INCLUDE := $(shell $(CC) -print-file-name=include)
RING0_FLAGS := $(COMMON) -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fstack-protector-strong -mstack-protector-guard=global -fno-omit-frame-pointer -fcf-protection=none \
	-fno-asynchronous-unwind-tables
RING3_FLAGS := $(COMMON) -ffreestanding -nostdinc -isystem $(GCC_INCLUDE) -isystem $(NEWLIB)/x86_64-elf/include \
	-fno-pic -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -ffunction-sections
HOST_FLAGS := $(COMMON) -D_GNU_SOURCE -DUNIT_TEST=1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# ---- what is built ----

BOOT_OBJS := $(addprefix boot/,main.o cpu.o firmware.o memory.o ranges.o modules.o elf.o files.o \
	machine.o acpi.o handover.o paging.o jump.o text.o bytes.o)

KERNEL_OBJS := $(addprefix kernel/,main.o lib.o frames.o frames_init.o window.o pagetable.o kalloc.o quota.o object.o handle.o \
	timer.o sched.o thread.o process.o elf.o memory.o memory_cow.o space.o channel.o event.o waitset.o device.o system.o \
	syscall.o syscall_process.o syscall_memory.o syscall_ipc.o syscall_machine.o syscall_vm.o)
VIRT_OBJS := kernel/vm.o kernel/vcpu.o kernel/exit.o kernel/cpuid.o kernel/msr.o kernel/vlapic.o kernel/vlapic_timer.o \
	kernel/kvmclock.o kernel/doorbell.o
ARCH_OBJS := $(addprefix arch/x86_64/,start.o traps_entry.o switch.o usercopy_move.o firmware.o acpi.o acpi_parse.o apic.o \
	backtrace.o clock.o console.o core.o fpu.o hv.o ioapic.o machine.o machine_check.o paging.o panic.o power.o rtc.o \
	thread.o traps.o usercopy.o) \
	$(addprefix arch/x86_64/,guest_regs.o guest_state.o) \
	$(foreach v,vmx svm,$(addprefix arch/x86_64/$(v)/,control.o cpu.o enter.o event.o exit.o msr.o $(v).o))

LIB_OBJS := $(addprefix services/lib/,start.o newlib.o log.o elf.o)
SERVICES := init console vmm
init_OBJS := $(addprefix services/init/,main.o vms.o modules.o config.o jsontext.o path.o) third/cJSON.o
console_OBJS := services/console/main.o services/console/mux.o drivers/uart.o
init_FLAGS := -isystem $(CJSON_SRC)
vmm_OBJS := $(addprefix services/vmm/,alu.o board.o bus.o calendar.o decode.o emulate.o emulate_string.o gpagewalk.o \
	guestmem.o pci_function.o state.o vacpi_pm.o vcpu.o vfwcfg.o vi8042.o vioapic.o vpci.o vpic.o vpit.o vrtc.o \
	vtest.o vuart.o) $(addprefix third/,Decoder.o DecoderData.o SharedData.o)
vmm_OBJS += $(addprefix services/vmm/,memmap.o loader.o loader_room.o loader_bzimage.o loader_elf.o loader_multiboot.o \
	loader_pvh.o acpi_tables.o line.o machine.o main.o process.o settings.o) services/lib/lock.o
ZYDIS_FLAGS := $(addprefix -DZYDIS_,STATIC_BUILD MINIMAL_MODE DISABLE_FORMATTER DISABLE_ENCODER DISABLE_AVX512 \
	DISABLE_KNC) -DZYCORE_STATIC_BUILD -DZYAN_NO_LIBC -isystem $(ZYDIS_SRC)/include -isystem $(ZYDIS_SRC)/src \
	-isystem $(ZYCORE_SRC)/include
vmm_FLAGS := -mgeneral-regs-only $(ZYDIS_FLAGS)

GUESTS := hello idle first cpuid exitcost uart msr exceptions debug shadow lapic pic pit ioapic \
	rtc pmtimer kvmclock pci fwcfg acpi multiboot mmio fpu modes \
	ram halt smc reset spin vmmcrash \
	hostile-msr hostile-port hostile-memory hostile-mmio hostile-jump hostile-cpu
GUEST_OBJS := $(addprefix guests/lib/,multiboot.o start.o trap_entry.o trap.o boot.o print.o string.o page.o time.o \
	acpi.o irq.o lapic.o mode.o)
LINUX_KERNELS := cloud-12 generic-12 cloud-13

UNIT_TESTS := # tests/unit/test_NAME.c; sources beside it in NAME_SRCS

UNIT_TESTS += vmx_exit svm_exit guest_state
vmx_exit_SRCS := arch/x86_64/vmx/exit.c
svm_exit_SRCS := arch/x86_64/svm/exit.c
guest_state_SRCS := arch/x86_64/guest_state.c

UNIT_TESTS += mux
mux_SRCS := services/console/mux.c

UNIT_TESTS += config
config_SRCS := services/init/config.c services/init/jsontext.c services/init/path.c $(CJSON_SRC)/cJSON.c
config_FLAGS := -isystem $(CJSON_SRC)

UNIT_TESTS += boot_acpi boot_cpu boot_elf boot_paging boot_ranges boot_text
boot_acpi_SRCS := boot/acpi.c
boot_cpu_SRCS := boot/cpu.c
boot_elf_SRCS := boot/elf.c
boot_paging_SRCS := boot/paging.c
boot_ranges_SRCS := boot/ranges.c
boot_text_SRCS := boot/text.c

UNIT_TESTS += arch_acpi arch_time
arch_acpi_SRCS := arch/x86_64/acpi_parse.c
arch_time_SRCS := arch/x86_64/rtc.c

VMM_CHIPS := vacpi_pm vfwcfg vi8042 vioapic vpci vpic vpit vrtc vtest vuart
UNIT_TESTS += board bus decode emulate gpagewalk native $(VMM_CHIPS)
VMM_FAKE := tests/unit/fake_platform.c services/vmm/bus.c services/vmm/state.c
VMM_EMULATE := $(VMM_FAKE) $(addprefix services/vmm/,alu.c decode.c emulate.c emulate_string.c gpagewalk.c guestmem.c \
	vcpu.c vpic.c vioapic.c) $(addprefix $(ZYDIS_SRC)/src/,Decoder.c DecoderData.c SharedData.c)
bus_SRCS := $(VMM_FAKE)
$(foreach t,gpagewalk $(VMM_CHIPS),$(eval $(t)_SRCS := $(VMM_FAKE) services/vmm/$(t).c))
vrtc_SRCS += services/vmm/calendar.c
vpci_SRCS += services/vmm/pci_function.c
board_SRCS := $(VMM_FAKE) $(addprefix services/vmm/,board.c calendar.c pci_function.c $(VMM_CHIPS:%=%.c))
$(foreach t,decode emulate native,$(eval $(t)_SRCS := $(VMM_EMULATE))$(eval $(t)_FLAGS := $(ZYDIS_FLAGS)))

UNIT_TESTS += loader_bzimage loader_multiboot loader_pvh
VMM_LOADER := $(addprefix services/vmm/,memmap.c loader.c loader_room.c loader_bzimage.c loader_elf.c loader_multiboot.c \
	loader_pvh.c)
$(foreach t,bzimage multiboot pvh,$(eval loader_$(t)_SRCS := $(VMM_LOADER)))

UNIT_TESTS += acpi_tables line lock
acpi_tables_SRCS := services/vmm/acpi_tables.c services/vmm/memmap.c

# Portable ring 0 on the host; window.c's part is played by fake_arch.c.
KUNIT := $(patsubst kernel/%,$(BUILD)/unit/kernel/%,$(filter-out kernel/main.o kernel/lib.o kernel/window.o,$(KERNEL_OBJS))) \
	tests/unit/fake_arch.c tests/unit/fake_vm.c $(BUILD)/unit/kernel/lib.o
UNIT_TESTS += frames pagetable memory ipc lib timer syscall
$(foreach t,frames pagetable memory ipc lib timer syscall,$(eval $(t)_SRCS := $(KUNIT)))
VM_TESTS := cpuid doorbell exit kvmclock msr vcpu vlapic vlapic_timer
UNIT_TESTS += $(VM_TESTS)
$(foreach t,$(VM_TESTS),$(eval $(t)_SRCS := $(filter-out %/fake_vm.c,$(KUNIT)) $(VIRT_OBJS:%=$(BUILD)/unit/%) tests/unit/fake_vcpu.c))

RING0 := $(addprefix $(BUILD)/,$(KERNEL_OBJS) $(VIRT_OBJS) $(ARCH_OBJS))
SERVICE_ELFS := $(SERVICES:%=$(BUILD)/services/%.elf)

.PHONY: all unit guests images help run check test test-long bench fuzz setup clean format
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

all: $(BUILD)/corbel.efi

help:
	@echo "make [CC=gcc|clang] [V=1]; make run|check|test|test-long|bench|fuzz|clean|format"

setup:
	$(Q)tools/setup

# ---- ring 0 ----

$(BUILD)/kernel/%.o: kernel/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING0_FLAGS) -c -o $@ $<

$(BUILD)/arch/%.o: arch/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING0_FLAGS) -c -o $@ $<

$(BUILD)/arch/%.o: arch/%.S
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING0_FLAGS) -c -o $@ $<

# Linked twice: the first result's symbols become the table that panic() looks names up in.
RING0_LD = $(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -T linker.ld

# Offsets for assembly, from the compiler.
$(BUILD)/include/asm_offsets.h: arch/x86_64/asm_offsets.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING0_FLAGS) -MT $@ -S -o $(@:.h=.s) $<
	$(Q)sed -n 's/^[ \t]*\.ascii[ \t]*"->\([A-Za-z0-9_]*\) \([0-9]*\)".*/.set \1, \2/p' $(@:.h=.s) > $@

$(addprefix $(BUILD)/arch/x86_64/,vmx/enter.o svm/enter.o): $(BUILD)/include/asm_offsets.h

$(BUILD)/kernel.elf: $(RING0) linker.ld tools/ksyms
	$(call say,LD,$@)
	$(Q)tools/ksyms </dev/null >$@.first.S && $(CC) -c -o $@.first.o $@.first.S
	$(Q)$(RING0_LD) -o $@.first $(RING0) $@.first.o
	$(Q)nm -n $@.first | tools/ksyms >$@.ksyms.S && $(CC) -c -o $@.ksyms.o $@.ksyms.S
	$(Q)$(RING0_LD) -o $@ $(RING0) $@.ksyms.o

# ---- ring 3 ----

$(BUILD)/services/%.o: services/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING3_FLAGS) $($(word 2,$(subst /, ,$<))_FLAGS) -c -o $@ $<

$(BUILD)/services/vmm/acpi_tables.o $(BUILD)/unit/test_acpi_tables: $(BUILD)/include/dsdt.hex

$(BUILD)/include/dsdt.hex: services/vmm/dsdt.asl
	$(call say,ASL,$<)
	$(Q)mkdir -p $(@D)
	$(Q)iasl -tc -p $(@:.hex=) $< >$(@:.hex=.log) || { cat $(@:.hex=.log) >&2; false; }

$(BUILD)/third/cJSON.o: $(CJSON_SRC)/cJSON.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING3_FLAGS) -c -o $@ $<

$(BUILD)/third/%.o: $(ZYDIS_SRC)/src/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING3_FLAGS) $(vmm_FLAGS) -c -o $@ $<

$(BUILD)/services/%.o: services/%.S
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING3_FLAGS) -c -o $@ $<

$(BUILD)/drivers/%.o: drivers/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING3_FLAGS) -c -o $@ $<

$(SERVICE_ELFS): $(BUILD)/services/%.elf: services/lib/service.ld $$(addprefix $(BUILD)/,$$(LIB_OBJS) $$(%_OBJS))
	$(call say,LD,$@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--gc-sections -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -T services/lib/service.ld -o $@ \
		$(addprefix $(BUILD)/,$(LIB_OBJS) $($*_OBJS)) -L$(NEWLIB)/x86_64-elf/lib -Wl,--start-group -lc -lm -lgcc -Wl,--end-group

# ---- boot: corbel.efi; for its tests, the loader around another kernel, and lockoff.efi ----

EFI_INCLUDE ?= /usr/include/efi
EFI_LIB ?= /usr/lib
BOOT_FLAGS := $(COMMON) -isystem $(EFI_INCLUDE) -isystem $(EFI_INCLUDE)/x86_64 -DGNU_EFI_USE_MS_ABI \
	-ffreestanding -fpic -fvisibility=hidden -fshort-wchar -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables
EFI_LD := ld -nostdlib -shared -Bsymbolic -znocombreloc --no-undefined --build-id=none \
	-T $(EFI_LIB)/elf_x86_64_efi.lds $(EFI_LIB)/crt0-efi-x86_64.o

$(BUILD)/boot/%.o: boot/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BOOT_FLAGS) -c -o $@ $<

$(BUILD)/boot/%.o: boot/%.S
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BOOT_FLAGS) -c -o $@ $<

# What is embedded needs no symbols: panic's backtrace has names of its own.
$(BUILD)/stripped/%: $(BUILD)/%.elf
	$(Q)mkdir -p $(@D)
	$(Q)$(OBJCOPY) -S $< $@

# init comes first: it is the one that the kernel starts.
$(BUILD)/boot/payload.o: PAYLOAD := -DKERNEL='"$(BUILD)/stripped/kernel"' \
	-DSERVICES='$(foreach s,$(SERVICES),service $s, "$(BUILD)/stripped/services/$s";)'
$(BUILD)/boot/payload.o: $(BUILD)/stripped/kernel $(SERVICES:%=$(BUILD)/stripped/services/%)
$(BUILD)/tests/payload.o: PAYLOAD := -DKERNEL='"$(BUILD)/stripped/tests/boot_probe"' \
	-DSERVICES='service init, "$(BUILD)/stripped/tests/boot_probe"; service two, "LICENSE";'
$(BUILD)/tests/payload.o: $(BUILD)/stripped/tests/boot_probe LICENSE

# The real kernel, with a program that attacks it in init's place.
$(BUILD)/tests/ring3_payload.o: PAYLOAD := -DKERNEL='"$(BUILD)/stripped/kernel"' \
	-DSERVICES='service init, "$(BUILD)/stripped/tests/ring3";'
$(BUILD)/tests/ring3_payload.o: $(BUILD)/stripped/kernel $(BUILD)/stripped/tests/ring3

$(BUILD)/boot/payload.o $(BUILD)/tests/payload.o $(BUILD)/tests/ring3_payload.o: boot/payload.S
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BOOT_FLAGS) $(PAYLOAD) -c -o $@ $<

$(BUILD)/tests/%.o: tests/guest/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(if $(filter boot_probe,$*),$(RING0_FLAGS) -fno-stack-protector,$(BOOT_FLAGS)) -c -o $@ $<

$(BUILD)/tests/ring3.elf: tests/guest/ring3.c services/lib/service.ld
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RING3_FLAGS) -mgeneral-regs-only -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -T services/lib/service.ld -o $@ $<

$(BUILD)/tests/boot_probe.elf: $(BUILD)/tests/boot_probe.o tests/guest/boot_probe.ld
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
		-T tests/guest/boot_probe.ld -o $@ $<

$(BUILD)/tests/rig/%.o: tests/rig/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BOOT_FLAGS) -c -o $@ $<

$(BUILD)/corbel.so: $(BOOT_OBJS:%=$(BUILD)/%) $(BUILD)/boot/payload.o
$(BUILD)/tests/boot_probe.so: $(BOOT_OBJS:%=$(BUILD)/%) $(BUILD)/tests/payload.o
$(BUILD)/tests/ring3.so: $(BOOT_OBJS:%=$(BUILD)/%) $(BUILD)/tests/ring3_payload.o
$(BUILD)/tests/lockoff.so: $(BUILD)/tests/lockoff.o $(BUILD)/boot/bytes.o
$(BUILD)/tests/rig/hello.so: $(BUILD)/tests/rig/hello.o
$(BUILD)/corbel.so $(BUILD)/tests/boot_probe.so $(BUILD)/tests/ring3.so $(BUILD)/tests/lockoff.so $(BUILD)/tests/rig/hello.so:
	$(Q)$(EFI_LD) -o $@ $^ $(EFI_LIB)/libgnuefi.a

$(BUILD)/%.efi: $(BUILD)/%.so
	$(call say,EFI,$@)
	$(Q)$(OBJCOPY) -j .text -j .data -j .dynamic -j .dynsym -j '.rela*' -j .reloc \
		--target efi-app-x86_64 $< $@

# ---- guests: NAME (Multiboot, ELF32), NAME.pvh, NAME.kludge (Multiboot, flat), and Linux ----

GUEST_FLAGS := $(COMMON) -ffreestanding -fno-pic -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables
GUEST_LD = $(CC) -nostdlib -static -Wl,-n -Wl,--build-id=none -Wl,-z,noexecstack -T guests/lib/guest.lds
GUEST_LIB := $(BUILD)/guests/lib/libguest.a

guests: $(GUESTS:%=$(BUILD)/guests/%) $(BUILD)/guests/hello.pvh $(BUILD)/guests/hello.kludge

$(BUILD)/guests/%.o: guests/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_FLAGS) -c -o $@ $<

$(BUILD)/guests/%.o: guests/%.S
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_FLAGS) -c -o $@ $<

$(GUEST_LIB): $(GUEST_OBJS:%=$(BUILD)/%)
	$(Q)rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(BUILD)/guests/%.elf: $(BUILD)/guests/tiny/%.o $(GUEST_LIB) guests/lib/guest.lds
	$(Q)$(GUEST_LD) -o $@ $< $(GUEST_LIB)

$(GUESTS:%=$(BUILD)/guests/%): $(BUILD)/guests/%: $(BUILD)/guests/%.elf
	$(call say,GUEST,$@)
	$(Q)$(OBJCOPY) -S -O elf32-i386 $< $@

$(BUILD)/guests/%.pvh: $(BUILD)/guests/lib/pvh.o $(BUILD)/guests/tiny/%.o $(GUEST_LIB) guests/lib/guest.lds
	$(call say,GUEST,$@)
	$(Q)$(GUEST_LD) -s -o $@ $(filter %.o %.a,$^)

$(BUILD)/guests/%.kludge: $(BUILD)/guests/lib/kludge.o $(BUILD)/guests/tiny/%.o $(GUEST_LIB) guests/lib/guest.lds
	$(call say,GUEST,$@)
	$(Q)$(GUEST_LD) -s -o $@.elf $(filter %.o %.a,$^)
	$(Q)$(OBJCOPY) -O binary $@.elf $@

$(BUILD)/guests/linux/%/initrd: $(CORBEL_CACHE)/deb/linux-%.deb $(CORBEL_CACHE)/deb/busybox-static.deb \
		guests/linux/build guests/linux/init guests/linux/corbel.json
	$(call say,GUEST,$(@D))
	$(Q)guests/linux/build $(filter %.deb,$^) $(@D)

$(CORBEL_CACHE)/deb/%.deb:
	@echo "$@ is missing: run tools/setup" >&2; false

images: $(BUILD)/linux.img $(LINUX_KERNELS:%=$(BUILD)/linux-%.img)

$(BUILD)/linux.img: $(BUILD)/linux-cloud-12.img
	$(Q)cp $< $@

$(BUILD)/linux-%.img: $(BUILD)/guests/linux/%/initrd $(BUILD)/corbel.efi
	$(call say,IMAGE,$@)
	$(Q)tools/corbel-image --efi $(BUILD)/corbel.efi -o $@ $(BUILD)/guests/linux/$*/corbel.json

# ---- tests on the host ----

$(BUILD)/unit/kernel/%.o: kernel/%.c
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_FLAGS) $(foreach f,$(if $(filter lib,$*),memcpy memmove memset memcmp),-D$f=lib_$f) -c -o $@ $<

$(BUILD)/unit/test_%: tests/unit/test_%.c $$($$*_SRCS)
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_FLAGS) $($*_FLAGS) -o $@ $< $($*_SRCS)

# What tests/config/test_config.py asks how init reads a configuration.
$(BUILD)/unit/config_dump: tests/config/dump.c $(config_SRCS)
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_FLAGS) $(config_FLAGS) -o $@ $< $(config_SRCS)

unit: $(UNIT_TESTS:%=$(BUILD)/unit/test_%) $(BUILD)/unit/config_dump $(addprefix $(BUILD)/tests/,boot_probe.efi lockoff.efi \
	ring3.efi)

# ---- commands ----

check: $(UNIT_TESTS:%=$(BUILD)/unit/test_%)
	$(Q)tools/check

test: setup
	$(Q)RIG='$(RIG)' TEST='$(TEST)' tests/run

bench: setup
	$(Q)RIG='$(RIG)' ROW='$(ROW)' tests/bench/run

# Where the CPU can nest, the real thing; else emulation.
run: setup
	$(Q)$(MAKE) -s -j2 all $(BUILD)/linux.img
	$(Q)tests/rig/run --rig $(or $(RIG),$(shell grep -qE '^flags.* (vmx|svm)( |$$)' /proc/cpuinfo && \
		[ -w /dev/kvm ] && echo kvm || echo qemu-svm)) --timeout 86400 $(BUILD)/linux.img

# Each of tests/fuzz/fuzz_NAME.c for so long, anew each time: what it finds is worth a unit test.
FUZZ_SECONDS ?= 60
FUZZERS := board emulate
fuzz_board_SRCS := $(board_SRCS)
fuzz_emulate_SRCS := $(VMM_EMULATE)
fuzz_emulate_FLAGS := $(ZYDIS_FLAGS)

$(BUILD)/fuzz/%: tests/fuzz/fuzz_%.c $$(fuzz_$$*_SRCS)
	$(call say,FUZZCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(HOST_FLAGS) -fsanitize=fuzzer $(fuzz_$*_FLAGS) -o $@ $< $(fuzz_$*_SRCS)

fuzz: $(FUZZERS:%=$(BUILD)/fuzz/%)
	$(Q)cd $(BUILD)/fuzz && for f in $(FUZZERS); do nice ./$$f -max_total_time=$(FUZZ_SECONDS) -max_len=2000 \
		-print_final_stats=1 2>$$f.log || { tail -n 40 $$f.log; exit 1; }; echo "fuzz $$f: nothing found"; done

clean:
	$(Q)rm -rf build

format:
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

-include $(shell [ -d $(BUILD) ] && find $(BUILD) -name '*.d')
