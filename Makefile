# vgg: build, test and run. `make help` shows the targets.
#
# Everything is built below $(BUILD). Variables a user may set: MODEL, RUN_ARGS, LOAD_ARGS, EMBED, CC,
# CFLAGS, DESTDIR, PREFIX, V=1 (show commands).

BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
OBJCOPY ?= objcopy
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
LIBDIR ?= lib
# A file ending in .safetensors, one of vgg16 vgg19 vgg16_bn vgg19_bn, or empty: the embedded model.
MODEL ?=
RUN_ARGS ?=
# The model linked into the binary.
EMBED ?= server/models/trashnet/trashnet.safetensors
SANITIZE ?=

Q := $(if $(V),,@)
# $(call says,WHAT)COMMAND: a line for each step, or the command itself with V=1.
says = $(if $(V),,@printf '  %-5s %s\n' $1 $(@:$(BUILD)/%=%) && )
# All CPUs, unless this make was given a number of jobs.
jobs = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
OPENBLAS_INCLUDE := /usr/include/$(MULTIARCH)/openblas-pthread
OPENBLAS_LIB := /usr/lib/$(MULTIARCH)/openblas-pthread/libopenblas.a
# Its SGEMM is linked into gemm.o where the static library is there.
BLAS := $(if $(wildcard $(OPENBLAS_LIB)),,-lopenblas)

# Linked into webp.o, so that its allocations are bounded (core/base/heap.h).
WEBP_LIB := $(shell $(CC) -print-file-name=libwebp.a 2>/dev/null)
WEBP_DEMUX_LIB := $(shell $(CC) -print-file-name=libwebpdemux.a 2>/dev/null)

# psabi: no vector leaves its object file, so how one is passed does not matter.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wno-psabi \
    $(if $(CI),$(if $(SANITIZE),,-Werror))
# No contraction: an fma is written where one is meant, so that every build gives the same bits.
BASE := -std=c11 -D_GNU_SOURCE -ffp-contract=off -fno-strict-aliasing -pthread $(WARNINGS) \
    -Iinclude $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer,-D_FORTIFY_SOURCE=2) \
    -fstack-protector-strong -fPIE
LINK := -pie -pthread -Wl,-z,relro,-z,now -Wl,--gc-sections $(if $(SANITIZE),-fsanitize=$(SANITIZE))
CORE_LIBS := -ljpeg -lz -lnettle $(BLAS) -lm
SERVER_LIBS := -lmicrohttpd -lgnutls -ljansson $(CORE_LIBS)
TEST_LIBS := -lcmocka -lcurl -lwebp -lpng16 $(SERVER_LIBS)

core_sources := $(wildcard core/*/*.c) core/model/imagenet_labels.S
server_sources := $(wildcard server/*.c server/*/*.c)
unit_tests := $(patsubst tests/%.c,$(BUILD)/tests/%,$(shell find tests/unit -name 'test_*.c' | sort))
unit_helpers := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/*.c)) \
    $(BUILD)/tests/oracle/oracle_layers.o
e2e_tests := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/e2e/test_*.c)))
long_tests := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/long/*.c))
e2e_helpers := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/e2e/test_%,$(wildcard tests/e2e/*.c))) \
    $(patsubst %,$(BUILD)/tests/unit/%.o,bombs jpeg_maker png_maker webp_maker certificate_maker)

core_objects := $(patsubst %,$(BUILD)/%.o,$(basename $(core_sources)))
server_objects := $(patsubst %.c,$(BUILD)/%.o,$(server_sources)) \
    $(BUILD)/server/api/page_files.o $(BUILD)/server/api/openapi_file.o
# The server's parts without main, for unit tests.
part_objects := $(filter-out $(BUILD)/server/main.o,$(server_objects))
oracle_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/oracle/*.c))

## all: build/vgg, build/libvgg.a
all: $(BUILD)/vgg $(BUILD)/libvgg.a

# $$model: the file that MODEL names, or nothing.
find_model = model='$(MODEL)'; \
    case "$$model" in \
    '' | *.safetensors) ;; \
    *) model=$$(sh docker/fetch-model.sh "$$model" models) || exit 1 ;; \
    esac
# Said before anything is installed or built.
check_model = case '$(MODEL)' in \
    '') ;; \
    *.safetensors) [ -f '$(MODEL)' ] || { echo "MODEL=$(MODEL): there is no such file" >&2; exit 2; } ;; \
    *) sh docker/fetch-model.sh -n '$(MODEL)' models ;; \
    esac

## run: install what is missing, build, serve (MODEL=vgg16 downloads it first)
run:
	$(Q)$(check_model)
	$(Q)sh docker/deps.sh build $(if $(filter vgg%,$(MODEL)),fetch)
	$(Q)$(MAKE) --no-print-directory $(jobs) $(BUILD)/vgg
	$(Q)$(find_model); \
	exec $(BUILD)/vgg serve $${model:+--model "$$model"} $(RUN_ARGS)

# ---------------------------------------------------------------- building

$(BUILD)/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(call says,CC)$(CC) $(BASE) $(CFLAGS) -Icore -MMD -MP -c $< -o $@

# With these checks of each access a file of vectors compiles for two minutes instead of twenty
# seconds; what they would find, ASan or the CPU does.
ifneq ($(SANITIZE),)
$(BUILD)/core/kernels/%.o: override CFLAGS += -fno-sanitize=null,alignment,object-size
endif
# One thread, and most of the time of the tests that compare with it.
ifeq ($(SANITIZE),thread)
$(BUILD)/tests/oracle/%.o: override CFLAGS += -fno-sanitize=thread
endif

# Where a decode polls: webp.c has a function of its own before each of these.
webp_wrapped := VP8ProcessRow VP8LConvertFromBGRA VP8LBuildHuffmanTable

# libwebp's functions become local to the object: a program may use a libwebp of its own.
$(BUILD)/core/image/webp.o: core/image/webp.c
	@mkdir -p $(@D)
	$(call says,CC)$(CC) $(BASE) $(CFLAGS) -Icore -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $(@D)/webp_only.o
	$(Q)$(OBJCOPY) $(foreach s,malloc calloc free,--redefine-sym $s=vgg_heap_$s) $(WEBP_LIB) \
	    $(@D)/libwebp.a
	$(Q)$(CC) -r -nostdlib $(foreach s,$(webp_wrapped),-Wl,--wrap=$s) $(@D)/webp_only.o \
	    $(WEBP_DEMUX_LIB) $(@D)/libwebp.a -o $@
	$(Q)$(OBJCOPY) --keep-global-symbol=vgg_decoder_webp $@

$(BUILD)/core/blas/openblas.o: $(wildcard core/blas/openblas/*) $(wildcard $(OPENBLAS_LIB))
	@mkdir -p $(@D)
	$(call says,LINK)CC='$(CC)' CFLAGS='$(filter-out -fsanitize=%,$(BASE)) $(CFLAGS) -Icore' \
	    AR='$(AR)' OBJCOPY='$(OBJCOPY)' sh core/blas/openblas/build.sh $(OPENBLAS_LIB) $@

# Those of OpenBLAS likewise.
$(BUILD)/core/blas/gemm.o: core/blas/gemm.c $(BUILD)/core/blas/openblas.o
	@mkdir -p $(@D)
	$(call says,CC)$(CC) $(BASE) $(CFLAGS) -Icore -I$(OPENBLAS_INCLUDE) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< \
	    -o $(@D)/gemm_only.o
	$(Q)$(CC) -r -nostdlib $(@D)/gemm_only.o $(BUILD)/core/blas/openblas.o -o $@
	$(Q)$(OBJCOPY) -w -G 'vgg_gemm_*' $@

$(BUILD)/core/%.o: core/%.S core/model/imagenet_labels.txt
	@mkdir -p $(@D)
	$(call says,CC)$(CC) -c $< -o $@

$(BUILD)/server/%.o: server/%.c
	@mkdir -p $(@D)
	$(call says,CC)$(CC) $(BASE) $(CFLAGS) -Iserver -Icore -MMD -MP -c $< -o $@

$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(call says,CC)$(CC) $(BASE) $(CFLAGS) -Icore -Iserver -Itests/unit -Itests/oracle -Itests/e2e \
	    -MMD -MP -c $< -o $@

# What the program serves compressed: the same bytes wherever it is built.
$(BUILD)/%.gz: %
	@mkdir -p $(@D)
	$(call says,GZIP)gzip -9nc $< >$@

page_files := $(wildcard server/api/page/*)

$(BUILD)/server/api/page_files.o: server/api/page_files.S server/api/page_files.h $(page_files) \
    $(page_files:%=$(BUILD)/%.gz)
	$(call says,CC)$(CC) -Iserver -Wa,-I$(BUILD) -c $< -o $@

$(BUILD)/server/api/openapi_file.o: server/api/openapi_file.S server/api/openapi.json
	@mkdir -p $(@D)
	$(call says,CC)$(CC) -c $< -o $@

$(BUILD)/core.a: $(core_objects)
	$(call says,AR)rm -f $@ && $(AR) rcs $@ $^

# For other programs: one object, of whose names only those in the public headers are visible.
$(BUILD)/libvgg.a: $(core_objects) $(wildcard include/*.h)
	$(call says,AR)$(CC) -r -nostdlib $(core_objects) -o $(BUILD)/libvgg.o
	$(Q)nm -g --defined-only $(BUILD)/libvgg.o | sed 's/.* //' | while read -r name; do \
	    ! grep -q "\<$$name(" include/*.h || echo "$$name"; done >$(BUILD)/libvgg.symbols
	$(Q)$(OBJCOPY) --keep-global-symbols=$(BUILD)/libvgg.symbols $(BUILD)/libvgg.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(BUILD)/libvgg.o

$(BUILD)/embedded_none.o: server/models/embedded.S
	@mkdir -p $(@D)
	$(call says,CC)$(CC) -c $< -o $@

$(BUILD)/embedded.o: server/models/embedded.S $(EMBED)
	$(call says,CC)$(CC) -DEMBEDDED_MODEL='"$(EMBED)"' -c $< -o $@

# The same program without an embedded model.
$(BUILD)/vgg-bare: $(server_objects) $(BUILD)/embedded_none.o $(BUILD)/core.a
	$(call says,LINK)$(CC) $(LINK) $^ $(SERVER_LIBS) -o $@

$(BUILD)/vgg: $(server_objects) $(BUILD)/embedded.o $(BUILD)/core.a
	$(call says,LINK)$(CC) $(LINK) $^ $(SERVER_LIBS) -o $@

$(BUILD)/oracle: $(oracle_objects)
	$(call says,LINK)$(CC) $(LINK) $^ -ljansson -lm -o $@

# ---------------------------------------------------------------- testing

$(BUILD)/tests/oracle/%.o: CFLAGS := -O3 -g

$(unit_tests): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(unit_helpers) $(part_objects) \
    $(BUILD)/embedded_none.o $(BUILD)/core.a
	$(call says,LINK)$(CC) $(LINK) $^ $(TEST_LIBS) -o $@

$(e2e_tests) $(long_tests): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(e2e_helpers)
	$(call says,LINK)$(CC) $(LINK) $^ -lcmocka -lcurl -ljansson -ljpeg -lpng16 -lwebp -lz -lgnutls -lm -o $@

$(BUILD)/dump_pixels: $(BUILD)/tests/pillow/dump_pixels.o $(BUILD)/core.a
	$(call says,LINK)$(CC) $(LINK) $^ $(CORE_LIBS) -o $@

test_programs: $(unit_tests) $(e2e_tests) $(BUILD)/vgg $(BUILD)/libvgg.a $(BUILD)/oracle $(BUILD)/dump_pixels

# The test programs that T names, as in T=test_queue.
chosen = $(filter %/$(T),$(unit_tests) $(e2e_tests))

## test: install what is missing, build, run the unit and end-to-end tests (T=test_queue runs that one)
test: $(if $(T),test-one,test-all)

test-one:
	$(if $(chosen),,$(error there is no test $(T): it is the name of a file in tests/unit or tests/e2e without .c))
	$(Q)$(MAKE) --no-print-directory $(jobs) $(BUILD)/vgg $(chosen)
	$(Q)for each in $(chosen); do \
	    VGG_BIN=$(BUILD)/vgg OPENBLAS_NUM_THREADS=1 $$each || exit 1; \
	done

test-all:
	$(Q)sh docker/deps.sh test
	$(Q)$(MAKE) --no-print-directory $(jobs) test_programs
	$(Q)sh tests/run.sh $(BUILD) all

## check-long: what takes minutes (full-size networks, a soak, overload and malice)
check-long:
	$(Q)sh docker/deps.sh long
	$(Q)$(MAKE) --no-print-directory $(jobs) test_programs $(long_tests)
	$(Q)sh tests/run.sh $(BUILD) long

## page-check: the page at / in a headless Chromium
page-check: $(BUILD)/vgg
	$(Q)sh docker/deps.sh page || echo "page-check: going on with what is there"
	$(Q)sh tests/run.sh $(BUILD) page

## asan ubsan tsan: the unit and end-to-end tests under a sanitizer
asan:
	$(Q)$(MAKE) --no-print-directory $(jobs) BUILD=build/asan SANITIZE=address,undefined \
	    CFLAGS="-O1 -g" test_programs
	$(Q)sh tests/run.sh build/asan programs

ubsan: asan

tsan:
	$(Q)$(MAKE) --no-print-directory $(jobs) BUILD=build/tsan SANITIZE=thread CFLAGS="-O1 -g" test_programs
	$(Q)sh tests/run.sh build/tsan programs

## clients-check: other people's clients, real and generated, against the server
clients-check: $(BUILD)/vgg
	$(Q)sh docker/deps.sh clients || echo "clients-check: going on with what is there"
	$(Q)sh tests/run.sh $(BUILD) clients

## neon-check: the NEON kernels and the program, cross-compiled, under qemu-user (on Debian)
cross := CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar OBJCOPY=aarch64-linux-gnu-objcopy
neon-check: $(BUILD)/vgg
	$(Q)sh docker/deps.sh neon
	$(Q)$(MAKE) --no-print-directory $(cross) BUILD=$(BUILD)/neon \
	    $(BUILD)/neon/tests/unit/core/kernels/test_conv \
	    $(BUILD)/neon/tests/unit/core/kernels/test_first $(BUILD)/neon/vgg-bare
	$(Q)sh tests/run.sh $(BUILD) neon

## docker-check: build docker/Dockerfile with buildah, run the image as a container runs (root)
docker-check:
	$(Q)sh docker/deps.sh docker
	$(Q)/usr/bin/python3 tests/docker/check.py $(BUILD)/docker

# The kernels are written for gcc, so they are left as they are in the fuzzers.
ifeq ($(CC),clang)
$(BUILD)/core/kernels/%.o: override CC := gcc
$(BUILD)/core/kernels/%.o: override CFLAGS := -O2 -g
$(BUILD)/core/kernels/%.o: override BASE := $(filter-out -fsanitize=%,$(BASE))
endif

fuzzers := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))

$(fuzzers): $(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(part_objects) $(BUILD)/embedded_none.o \
    $(BUILD)/core.a
	@mkdir -p $(@D)
	$(call says,LINK)$(CC) $(LINK) -fsanitize=fuzzer $^ $(SERVER_LIBS) -o $@

fuzzers: $(fuzzers)

## fuzz: images, bodies, heads, models by clang's libFuzzer, FUZZ_SECONDS [60] each
FUZZ_SECONDS ?= 60
fuzz:
	$(Q)sh docker/deps.sh build fuzz || echo "fuzz: going on with what is there"
	$(Q)$(MAKE) --no-print-directory $(jobs) $(BUILD)/vgg
	$(Q)if ! echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
	    clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null; then \
	    echo "SKIPPED: no clang with libFuzzer here"; echo "0 passed, 0 failed, 1 skipped"; exit 0; fi; \
	$(MAKE) --no-print-directory $(jobs) BUILD=build/fuzz CC=clang SANITIZE=address,undefined \
	    CFLAGS="-O1 -g -fsanitize=fuzzer-no-link" fuzzers && \
	sh tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS) $(BUILD)/vgg

# ---------------------------------------------------------------- the rest

## bench: time a full-size VGG-16 layer by layer, beside the machine's own limits
bench: $(BUILD)/vgg
	$(Q)$(BUILD)/vgg bench --sizes 224x224,384x384,512x512

## bench-peers: VGG-16 beside PyTorch, ONNX Runtime, OpenVINO, ncnn (minutes, 12 GiB of memory)
bench-peers: $(BUILD)/vgg
	$(Q)sh docker/deps.sh peers || echo "bench-peers: going on with what is there"
	$(Q)sh tests/peers/run.sh $(BUILD)

## bench-readme: measure all of that, write core/kernels/BENCHMARKS.md and the README's table
bench-readme: $(BUILD)/vgg
	$(Q)sh docker/deps.sh test peers || echo "bench-readme: going on with what is there"
	$(Q)/usr/bin/python3 tests/bench/readme.py $(BUILD)

## load: photographs under wrk, as a table (MODEL=, LOAD_ARGS='--connections 1,8 --seconds 20')
load:
	$(Q)$(check_model)
	$(Q)sh docker/deps.sh test $(if $(filter vgg%,$(MODEL)),fetch)
	$(Q)$(MAKE) --no-print-directory $(BUILD)/vgg
	$(Q)$(find_model); \
	/usr/bin/python3 tests/load/load.py $(BUILD)/vgg --model "$${model:-$(EMBED)}" $(LOAD_ARGS)

sources = $(shell git ls-files '*.c' '*.h' 2>/dev/null || find include core server tests -name '*.[ch]')

## format: rewrite the sources by .clang-format; format-check only compares
format:
	$(Q)clang-format -i $(sources)

format-check:
	$(Q)clang-format --dry-run -Werror $(sources)

## option-table: write the table of options in server/README.md anew, from what --help says
option-table: $(BUILD)/vgg
	$(Q)awk -v vgg=$(BUILD)/vgg -f server/cli/option_table.awk server/README.md >$(BUILD)/README.md
	$(Q)cp $(BUILD)/README.md server/README.md

## compile_commands.json: how each source is compiled, for editors and clang-tidy
compile_commands.json: FORCE
	$(Q)$(MAKE) --no-print-directory -Bn V=1 test_programs | /usr/bin/python3 tests/lint/commands.py >$@

## help: what you read now
help list:
	@echo "make TARGET [VARIABLE=value ...], with the targets"
	@awk -F ': ' '/^## / { printf "  %-15s %s\n", substr($$1, 4), $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "and the variables MODEL, RUN_ARGS, LOAD_ARGS, EMBED, BUILD, CC, CFLAGS, DESTDIR, PREFIX;"
	@echo "V=1 shows the commands. The README says more."

# ---------------------------------------------------------------- installing

$(BUILD)/vgg.1: server/cli/vgg.1 server/cli/manual.awk $(BUILD)/vgg
	$(Q)awk -v vgg=$(BUILD)/vgg -f server/cli/manual.awk $< >$@

# Wherever one is: MODE:FILE:TARGET below $(PREFIX).
installed = 755:$(BUILD)/vgg:bin/vgg 644:$(BUILD)/libvgg.a:$(LIBDIR)/libvgg.a \
    644:include/vgg.h:include/vgg.h 644:include/vgg_bench.h:include/vgg_bench.h \
    644:include/vgg_pictures.h:include/vgg_pictures.h \
    644:include/vgg_train.h:include/vgg_train.h 644:include/vgg_footprint.h:include/vgg_footprint.h 644:$(BUILD)/vgg.pc:$(LIBDIR)/pkgconfig/vgg.pc \
    644:$(BUILD)/vgg.1:share/man/man1/vgg.1 \
    644:server/cli/completion.bash:share/bash-completion/completions/vgg \
    644:$(BUILD)/vgg.service:lib/systemd/system/vgg.service

# These name $(PREFIX), which another call may have set otherwise: made anew each time.
$(BUILD)/vgg.pc: include/vgg.h FORCE
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$${prefix}/include' 'libdir=$${prefix}/$(LIBDIR)' '' \
	    'Name: vgg' 'Description: VGG-16/19 image classification on CPUs' \
	    "Version: $$(sed -n 's/^#define VGG_VERSION "\(.*\)"/\1/p' $<)" \
	    'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lvgg $(CORE_LIBS) -pthread' >$@

$(BUILD)/vgg.service: docker/vgg.service FORCE
	$(Q)sed 's|^ExecStart=[^ ]*|ExecStart=$(PREFIX)/bin/vgg|' $< >$@

## install: program, library, manual page, systemd unit below $(DESTDIR)$(PREFIX)
install: all $(BUILD)/vgg.1 $(BUILD)/vgg.pc $(BUILD)/vgg.service
	$(Q)for each in $(installed); do \
	    target=$(DESTDIR)$(PREFIX)/$${each##*:}; each=$${each%:*}; echo "$$target"; \
	    install -D -m "$${each%%:*}" "$${each#*:}" "$$target" || exit 1; \
	done

## uninstall: remove what install put there
uninstall:
	$(Q)rm -f $(addprefix $(DESTDIR)$(PREFIX)/,$(foreach each,$(installed),$(lastword $(subst :, ,$(each)))))

## deb: Debian packages in $(BUILD)/deb, built in a copy of the tree; deb-check tries them
deb:
	$(Q)sh docker/deps.sh build deb
	$(Q)sh docker/debian/build.sh $(BUILD)/deb

deb-check: deb
	$(Q)/usr/bin/python3 tests/install/check_deb.py $(BUILD)/deb

## clean: remove all that was built
clean:
	rm -rf $(BUILD)

.PHONY: all run test_programs test check-long page-check clients-check docker-check neon-check bench bench-peers bench-readme load asan ubsan tsan \
    fuzz fuzzers format format-check option-table help list install deb deb-check test-one test-all uninstall clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

-include $(BUILD)/tests/pillow/dump_pixels.d $(patsubst %.o,%.d,$(core_objects) $(server_objects) $(oracle_objects) $(unit_helpers) \
    $(e2e_helpers)) $(addsuffix .d,$(unit_tests) $(e2e_tests) $(long_tests))
