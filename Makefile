# SPDX-License-Identifier: BSD-2-Clause
# Builds build/corbel.efi, the guests and the tests; `make help` lists what it can do.

VERSION := 0.1.0
CORBEL_CACHE ?= /var/cache/corbel
TEST ?= *
ROW ?= *
COUNT_OPS ?= 0
BUILD ?= $(if $(filter 1,$(COUNT_OPS)),build/ops,build)
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
HOSTCC ?= $(CC)
OBJCOPY ?= objcopy
EFI_INCLUDE ?= /usr/include/efi
EFI_LIB ?= /usr/lib
NEWLIB ?= $(CORBEL_CACHE)/newlib
CJSON_SRC ?= $(CORBEL_CACHE)/src/cjson
ZYDIS_SRC ?= $(CORBEL_CACHE)/src/zydis
ZYCORE_SRC ?= $(CORBEL_CACHE)/src/zycore
BEARSSL_SRC ?= $(CORBEL_CACHE)/src/bearssl
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$(2)")

# ---- flags ----

WARN := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla
COMMON := -std=c11 -O2 -g -MMD -MP -I. -I$(BUILD)/include $(WARN) -fno-strict-aliasing \
	-ffile-prefix-map=$(CURDIR)=. -DCORBEL_VERSION='"$(VERSION)"' -DCOUNT_OPS=$(COUNT_OPS)
BARE := $(COMMON) -ffreestanding -fcf-protection=none -fno-asynchronous-unwind-tables

# Of a source file: those of its top folder, and those of the service that it is part of.
flags = $($(firstword $(subst /, ,$<))_FLAGS) $($(word 2,$(subst /, ,$<))_FLAGS)
kernel_FLAGS := $(BARE) -fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-omit-frame-pointer \
	-fstack-protector-strong -mstack-protector-guard=global
arch_FLAGS := $(kernel_FLAGS)
services_FLAGS = $(BARE) -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
	-isystem $(NEWLIB)/x86_64-elf/include -fno-pic -fno-stack-protector -ffunction-sections
drivers_FLAGS = $(services_FLAGS)
boot_FLAGS := $(BARE) -isystem $(EFI_INCLUDE) -isystem $(EFI_INCLUDE)/x86_64 -DGNU_EFI_USE_MS_ABI -fpic \
	-fvisibility=hidden -fshort-wchar -mno-red-zone -mgeneral-regs-only -fno-stack-protector
tests_FLAGS := $(boot_FLAGS) # EFI programs
guests_FLAGS := $(BARE) -fno-pic -mno-red-zone -mgeneral-regs-only -fno-stack-protector
SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_FLAGS = $(COMMON) -D_GNU_SOURCE -DUNIT_TEST=1 $(SANITIZE) \
	-fno-omit-frame-pointer $(init_FLAGS) $(ZYDIS_FLAGS) $(BEARSSL_FLAGS)
LINK := $(CC) -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096

# ---- what is built ----

BOOT_OBJS := $(addprefix boot/,main.o cpu.o vmx.o maps.o firmware.o memory.o ranges.o modules.o elf.o files.o \
	machine.o acpi.o acpi_parse.o clock.o date.o interrupts.o handover.o paging.o jump.o trampoline.o text.o bytes.o)

KERNEL_OBJS := $(addprefix kernel/,main.o cpu.o frames.o window.o pagetable.o kalloc.o quota.o object.o handle.o \
	timer.o sched.o thread.o process.o memory.o memory_cow.o memory_log.o space.o channel.o event.o waitset.o device.o system.o syscall.o)
VIRT_OBJS := $(addprefix kernel/,vm.o vcpu.o exit.o cpuid.o vlapic.o vlapic_timer.o)
ARCH_OBJS := $(addprefix arch/x86_64/,start.o traps_entry.o switch.o usercopy_move.o string.o apic.o clock.o console.o \
	core.o cores.o fpu.o guest.o hv.o ioapic.o paging.o panic.o power.o thread.o traps.o usercopy.o) \
	$(foreach v,vmx svm,$(addprefix arch/x86_64/$(v)/,control.o cpu.o enter.o exit.o $(v).o))

LIB_OBJS := $(addprefix services/lib/,start.o newlib.o log.o elf.o map.o)
SERVICES := init console vmm
init_OBJS := $(addprefix services/init/,main.o console.o vms.o cores.o launch.o lifecycle.o operator.o tell.o trace.o modules.o config.o sharing.o jsontext.o path.o) third/cJSON.o
console_OBJS := $(addprefix services/console/,main.o clients.o operator.o editor.o prompt.o keys.o mux.o) drivers/uart.o
init_FLAGS := -isystem $(CJSON_SRC)
vmm_OBJS := $(addprefix services/vmm/,main.o process.o control.o reload.o checkpoint.o machine.o settings.o line.o random.o vcpu.o vcpuid.o vmsr.o memmap.o \
	loader.o loader_room.o loader_bzimage.o loader_elf.o loader_multiboot.o loader_pvh.o acpi_tables.o alu.o decode.o emulate.o emulate_string.o \
	gpagewalk.o guestmem.o board.o bus.o calendar.o state.o vacpi_pm.o vfwcfg.o vi8042.o vioapic.o vpci.o pci_function.o pci_msix.o vpic.o vpit.o \
	vrtc.o vtest.o vuart.o virtqueue.o virtqueue_packed.o virtqueue_split.o virtio_pci.o virtio_common.o virtio_console.o virtio_rng.o) \
	services/lib/lock.o $(addprefix third/,Decoder.o DecoderData.o SharedData.o hmac_drbg.o hmac.o sha2small.o enc32be.o dec32be.o)
ZYDIS_FLAGS := $(addprefix -DZYDIS_,STATIC_BUILD MINIMAL_MODE DISABLE_FORMATTER DISABLE_ENCODER DISABLE_AVX512 \
	DISABLE_KNC) -DZYCORE_STATIC_BUILD -DZYAN_NO_LIBC -isystem $(ZYDIS_SRC)/include -isystem $(ZYDIS_SRC)/src \
	-isystem $(ZYCORE_SRC)/include
BEARSSL_FLAGS := -isystem $(BEARSSL_SRC)/inc -isystem $(BEARSSL_SRC)/src
vmm_FLAGS := -mgeneral-regs-only $(ZYDIS_FLAGS) $(BEARSSL_FLAGS)

GUESTS := hello idle first cpuid exitcost uart msr exceptions debug shadow lapic pveoi pv steal pic pit ioapic rtc pmtimer kvmclock pci \
	fwcfg acpi multiboot mmio fpu modes ram halt waiting smc reload dirty reset spin flood vmmcrash hostile-msr hostile-port hostile-memory \
	hostile-mmio hostile-jump hostile-cpu forge operated vdriver destination extremes features alarm smp hostile-smp smp-reload turns handover ipi
GUEST_OBJS := $(addprefix guests/lib/,multiboot.o start.o trap_entry.o trap.o boot.o print.o string.o page.o time.o acpi.o irq.o lapic.o cpus.o cpus_start.o mode.o virtio.o)
LINUX_KERNELS := cloud-12 generic-12 cloud-13

# Host tests: tests/unit/test_NAME.c, the fakes of its kind, and what these need out of the archive of its kind.
UNIT_KINDS := kernel vm sched steps arch boot services
kernel_TESTS := cores frames pagetable memory ipc lib timer syscall
kernel_FAKES := fake_arch fake_vm
kernel_PARTS := $(filter-out kernel/main.o kernel/window.o,$(KERNEL_OBJS)) arch/x86_64/string.o # window.o: fake_arch plays it
vm_TESTS := apicv cpuid delivery doorbell exit hidden msr pv random sleep vcpu vlapic vlapic_timer
vm_FAKES := fake_arch fake_vcpu
vm_PARTS := $(kernel_PARTS) $(VIRT_OBJS) services/vmm/vcpuid.o
sched_TESTS := sched
sched_PARTS := kernel/sched.o kernel/timer.o
steps_TESTS := interleave
steps_FAKES := explore stepped_kernel stepped_vlapic stepped_ring fake_vcpu
steps_PARTS := $(filter-out $(addprefix kernel/,cpu.o channel.o event.o kalloc.o object.o sched.o thread.o timer.o vcpu.o waitset.o),$(vm_PARTS))
arch_TESTS := vmx_exit svm_exit vmx_flush svm_flush guest arch_time
arch_PARTS := $(addprefix arch/x86_64/,vmx/exit.o svm/exit.o guest.o)
boot_TESTS := boot_acpi boot_acpi_parse boot_cpu boot_date boot_elf boot_maps boot_paging boot_ranges boot_text
boot_PARTS := $(addprefix boot/,acpi.o acpi_parse.o cpu.o date.o elf.o maps.o paging.o ranges.o text.o vmx.o)
VMM_CHIPS := vacpi_pm vfwcfg vi8042 vioapic vpci vpic vpit vrtc vtest vuart
services_TESTS := acpi_tables board bus checkpoint config decode editor emulate gpagewalk keys lifecycle line loader_bzimage loader_multiboot loader_pvh lock \
	mux native prompt sharing virtio_console virtio_pci virtio_rng virtqueue vmsr $(VMM_CHIPS)
services_FAKES := fake_platform
services_PARTS := $(filter-out %/main.o %/clients.o %/operator.o drivers/%,$(console_OBJS)) $(filter-out %/main.o %/machine.o %/process.o %/control.o %/reload.o,$(vmm_OBJS)) \
	$(filter-out %/main.o %/vms.o %/cores.o %/launch.o %/operator.o %/tell.o %/trace.o %/modules.o,$(init_OBJS))
UNIT_TESTS := $(foreach k,$(UNIT_KINDS),$($k_TESTS))
vm_FUZZERS := syscall vlapic # tests/fuzz/fuzz_NAME.c, built as unit tests of its kind are
arch_FUZZERS := exit
boot_FUZZERS := acpi boot
services_FUZZERS := board checkpoint config decode emulate loader pci prompt state virtio
FUZZERS := $(foreach k,$(UNIT_KINDS),$($k_FUZZERS))

RING0 := $(addprefix $(BUILD)/,$(KERNEL_OBJS) $(VIRT_OBJS) $(ARCH_OBJS))
SERVICE_ELFS := $(SERVICES:%=$(BUILD)/services/%.elf)

.PHONY: all unit guests images help run check test test-long bench fuzz setup clean format
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

all: $(BUILD)/corbel.efi

setup: ; $(Q)tools/setup
help: ; @echo "make [CC=gcc|clang] [V=1]; make run|check|test|test-long|bench|fuzz|clean|format"

# ---- compiling ----

# What is shown, compiler and flags.
define compile
	$(call say,$(1),$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(2) -c -o $@ $<
endef
vpath %.c $(CJSON_SRC) $(ZYDIS_SRC)/src $(addprefix $(BEARSSL_SRC)/src/,rand mac hash codec)

$(BUILD)/%.o: %.c
	$(call compile,CC,$(CC) $(flags))
$(BUILD)/%.o: %.S
	$(call compile,AS,$(CC) $(flags))
$(BUILD)/third/%.o: %.c
	$(call compile,CC,$(CC) $(services_FLAGS) $(if $(filter cJSON,$*),,$(vmm_FLAGS)))

# Offsets for assembly, from the compiler.
$(BUILD)/include/asm_offsets.h: arch/x86_64/asm_offsets.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(kernel_FLAGS) -MT $@ -S -o $(@:.h=.s) $<
	$(Q)sed -n 's/^[ \t]*\.ascii[ \t]*"->\([A-Za-z0-9_]*\) \([0-9]*\)".*/.set \1, \2/p' $(@:.h=.s) > $@

$(addprefix $(BUILD)/arch/x86_64/,start.o vmx/enter.o svm/enter.o): $(BUILD)/include/asm_offsets.h

$(BUILD)/include/dsdt.hex: services/vmm/dsdt.asl
	$(call say,ASL,$<)
	$(Q)mkdir -p $(@D)
	$(Q)iasl -tc -p $(@:.hex=) $< >$(@:.hex=.log) || { cat $(@:.hex=.log) >&2; false; }
$(foreach d,/ /unit/ /fuzz/,$(BUILD)$dservices/vmm/acpi_tables.o): $(BUILD)/include/dsdt.hex

# ---- ring 0, ring 3 ----

# Linked twice: the first result's symbols become the table that panic() looks names up in.
$(BUILD)/kernel.elf: $(RING0) linker.ld tools/ksyms
	$(call say,LD,$@)
	$(Q)tools/ksyms </dev/null >$@.first.S && $(CC) -c -o $@.first.o $@.first.S
	$(Q)$(LINK) -T linker.ld -o $@.first $(RING0) $@.first.o
	$(Q)nm -n $@.first | tools/ksyms >$@.ksyms.S && $(CC) -c -o $@.ksyms.o $@.ksyms.S
	$(Q)$(LINK) -T linker.ld -o $@ $(RING0) $@.ksyms.o

$(SERVICE_ELFS): $(BUILD)/services/%.elf: services/lib/service.ld $$(addprefix $(BUILD)/,$$(LIB_OBJS) $$(%_OBJS))
	$(call say,LD,$@)
	$(Q)$(LINK) -Wl,--gc-sections -T $^ -o $@ -L$(NEWLIB)/x86_64-elf/lib -Wl,--start-group -lc -lm -lgcc -Wl,--end-group

# ---- boot: corbel.efi; for its tests, the loader around another kernel, and lockoff.efi ----

# What is embedded needs no symbols: panic's backtrace has names of its own.
$(BUILD)/stripped/%: $(BUILD)/%.elf
	$(Q)mkdir -p $(@D)
	$(Q)$(OBJCOPY) -S $< $@

# init comes first: it is the one that the kernel starts. Its place is taken by a program that attacks the kernel (ring3);
# and the kernel's by one that tells what the loader did (boot_probe).
PAYLOADS := $(addprefix $(BUILD)/,boot/payload.o tests/boot_probe_payload.o tests/ring3_payload.o)
$(BUILD)/boot/payload.o: PAYLOAD := -DKERNEL='"$(BUILD)/stripped/kernel"' \
	-DSERVICES='$(foreach s,$(SERVICES),service $s, "$(BUILD)/stripped/services/$s";)'
$(BUILD)/boot/payload.o: $(BUILD)/stripped/kernel $(SERVICES:%=$(BUILD)/stripped/services/%)
$(BUILD)/tests/boot_probe_payload.o: PAYLOAD := -DKERNEL='"$(BUILD)/stripped/tests/boot_probe"' \
	-DSERVICES='service init, "$(BUILD)/stripped/tests/boot_probe"; service two, "LICENSE";'
$(BUILD)/tests/boot_probe_payload.o: $(BUILD)/stripped/tests/boot_probe LICENSE
$(BUILD)/tests/ring3_payload.o: PAYLOAD := -DKERNEL='"$(BUILD)/stripped/kernel"' \
	-DSERVICES='service init, "$(BUILD)/stripped/tests/ring3"; service child, "$(BUILD)/stripped/tests/ring3";'
$(BUILD)/tests/ring3_payload.o: $(BUILD)/stripped/kernel $(BUILD)/stripped/tests/ring3
$(PAYLOADS): boot/payload.S
	$(call compile,AS,$(CC) $(boot_FLAGS) $(PAYLOAD))

$(BUILD)/tests/ring3.elf: tests/guest/ring3.c services/lib/service.ld
$(BUILD)/tests/boot_probe.elf: tests/guest/boot_probe.c tests/guest/boot_probe.ld
$(BUILD)/tests/ring3.elf $(BUILD)/tests/boot_probe.elf:
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) $(if $(filter %probe.elf,$@),$(kernel_FLAGS) -fno-stack-protector,$(services_FLAGS) -mgeneral-regs-only) \
		-o $@ $< -T $(word 2,$^)

EFI_TESTS := $(addprefix $(BUILD)/tests/,guest/lockoff.efi guest/apart.efi rig/hello.efi boot_probe.efi ring3.efi)
$(BUILD)/corbel.so: $(BOOT_OBJS:%=$(BUILD)/%) $(BUILD)/boot/payload.o
$(BUILD)/tests/boot_probe.so $(BUILD)/tests/ring3.so: %.so: $(BOOT_OBJS:%=$(BUILD)/%) %_payload.o
$(BUILD)/tests/guest/lockoff.so $(BUILD)/tests/guest/apart.so $(BUILD)/tests/rig/hello.so: %.so: %.o $(addprefix $(BUILD)/,tests/guest/chain.o boot/bytes.o)
$(BUILD)/corbel.so $(EFI_TESTS:.efi=.so):
	$(Q)ld -nostdlib -shared -Bsymbolic -znocombreloc --no-undefined --build-id=none -T $(EFI_LIB)/elf_x86_64_efi.lds \
		$(EFI_LIB)/crt0-efi-x86_64.o -o $@ $^ $(EFI_LIB)/libgnuefi.a

$(BUILD)/%.efi: $(BUILD)/%.so
	$(call say,EFI,$@)
	$(Q)$(OBJCOPY) -j .text -j .data -j .dynamic -j .dynsym -j '.rela*' -j .reloc --target efi-app-x86_64 $< $@

# ---- guests: NAME (Multiboot, ELF32), NAME.pvh, NAME.kludge (Multiboot, flat), and Linux ----

GUEST_LD = $(CC) -nostdlib -static -Wl,-n -Wl,--build-id=none -Wl,-z,noexecstack -T guests/lib/guest.lds
GUEST_LIB := $(BUILD)/guests/lib/libguest.a
guests: $(GUESTS:%=$(BUILD)/guests/%) $(addprefix $(BUILD)/guests/,hello.pvh hello.kludge multiboot.pvh)

$(GUEST_LIB): $(GUEST_OBJS:%=$(BUILD)/%)
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

images: $(BUILD)/linux.img $(LINUX_KERNELS:%=$(BUILD)/linux-%.img) $(BUILD)/two.img $(BUILD)/hundred.img
$(BUILD)/linux.img: $(BUILD)/linux-cloud-12.img ; $(Q)cp $< $@
$(BUILD)/linux-%.img: $(BUILD)/guests/linux/%/initrd $(BUILD)/corbel.efi
	$(call say,IMAGE,$@)
	$(Q)tools/corbel-image --efi $(BUILD)/corbel.efi -o $@ $(BUILD)/guests/linux/$*/corbel.json
$(BUILD)/two.img $(BUILD)/hundred.img: $(BUILD)/%.img: guests/%.json $(BUILD)/linux.img $(BUILD)/guests/operated
	$(call say,IMAGE,$@)
	$(Q)cp $< $(BUILD)/guests && tools/corbel-image --efi $(BUILD)/corbel.efi -o $@ $(BUILD)/guests/$*.json

# ---- tests on the host: unit tests in build/unit, fuzzers, by clang, in build/fuzz ----

unit_CC = $(HOSTCC) $(HOST_FLAGS)
fuzz_CC = clang $(HOST_FLAGS) -fsanitize=fuzzer-no-link
define host_rules
$(BUILD)/$1/%.o: %.c ; $$(call compile,HOSTCC,$$($1_CC))
$(BUILD)/$1/third/%.o: %.c ; $$(call compile,HOSTCC,$$($1_CC))
$(BUILD)/$1/%.o: %.S ; $$(call compile,HOSTAS,$$($1_CC) -Dmemcpy=ring0_memcpy -Dmemset=ring0_memset)
$(foreach k,$(UNIT_KINDS),$(eval $(BUILD)/$1/$k.a: $($k_PARTS:%=$(BUILD)/$1/%)))
endef
$(foreach d,unit fuzz,$(eval $(call host_rules,$d)))
%.a:
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/unit/test_random: $(BUILD)/unit/tests/unit/invariants.o
$(addprefix $(BUILD)/unit/tests/unit/,explore.o test_interleave.o): SANITIZE := -fsanitize=undefined # they change stacks
$(BUILD)/unit/tests/unit/stepped_%.o: SANITIZE := -fsanitize=thread # whose calls explore.c answers
# What tests/config/test_config.py asks how init reads a configuration.
$(BUILD)/unit/config_dump: $(BUILD)/unit/tests/config/dump.o $(BUILD)/unit/services.a
$(foreach k,$(UNIT_KINDS),$(foreach t,$($k_TESTS),$(eval $(BUILD)/unit/test_$t: $(BUILD)/unit/tests/unit/test_$t.o \
	$($k_FAKES:%=$(BUILD)/unit/tests/unit/%.o) $(BUILD)/unit/$k.a)))
$(UNIT_TESTS:%=$(BUILD)/unit/test_%) $(BUILD)/unit/config_dump:
	$(call say,HOSTLD,$@)
	$(Q)$(HOSTCC) $(HOST_FLAGS) -o $@ $^

$(foreach k,$(UNIT_KINDS),$(foreach t,$($k_FUZZERS),$(eval $(BUILD)/fuzz/fuzz_$t: $(BUILD)/fuzz/tests/fuzz/fuzz_$t.o \
	$($k_FAKES:%=$(BUILD)/fuzz/tests/unit/%.o) $(BUILD)/fuzz/$k.a)))
$(FUZZERS:%=$(BUILD)/fuzz/fuzz_%):
	$(call say,FUZZLD,$@)
	$(Q)clang $(HOST_FLAGS) -fsanitize=fuzzer -o $@ $^ -lcapstone

unit: $(UNIT_TESTS:%=$(BUILD)/unit/test_%) $(BUILD)/unit/config_dump $(EFI_TESTS)

# ---- commands ----

check: $(UNIT_TESTS:%=$(BUILD)/unit/test_%) ; $(Q)tools/check --builds
test: setup ; $(Q)RIG='$(RIG)' TEST='$(TEST)' tests/run
test-long: test
	$(Q)LONG=1 $(BUILD)/unit/test_interleave && LONG=1 tests/run && tests/mutations/run
bench: setup ; $(Q)RIG='$(RIG)' ROW='$(ROW)' PEERS='$(PEERS)' tests/bench/run

# Where the CPU can nest, the real thing; else emulation.
run: setup ; $(Q)$(MAKE) -s -j2 all $(BUILD)/linux.img
	$(Q)tests/rig/run --rig $(or $(RIG),$(shell grep -qE '^flags.* (vmx|svm)( |$$)' /proc/cpuinfo && \
		[ -w /dev/kvm ] && echo kvm || echo qemu-svm)) --timeout 86400 $(BUILD)/linux.img

fuzz: $(FUZZERS:%=$(BUILD)/fuzz/fuzz_%) ; $(Q)tests/fuzz/run $(BUILD)/fuzz $(FUZZERS)

clean: ; $(Q)rm -rf build
format:
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

-include $(shell [ -d $(BUILD) ] && find $(BUILD) -name '*.d' -not -path '*/copies/*')
