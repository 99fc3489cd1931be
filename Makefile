# vgg: build, test and run. `make help` shows the targets.
#
# Everything is built below $(BUILD). Variables a user may set: MODEL, RUN_ARGS, PHOTOS, BASE, TRAIN_ARGS,
# LOAD_ARGS, EMBED, CC, CFLAGS, DESTDIR, PREFIX, V=1 (show commands). Tests are in tests/tests.mk,
# `make install` and the packages in docker/install.mk.

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
submake = $(MAKE) --no-print-directory $(jobs)
VERSION := $(shell sed -n 's/^\#define VGG_VERSION "\(.*\)"/\1/p' include/vgg.h)
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
OPENBLAS_LIB := /usr/lib/$(MULTIARCH)/openblas-pthread/libopenblas.a
# Its SGEMM is linked into the library where the static one is there.
BLAS := $(if $(wildcard $(OPENBLAS_LIB)),,-lopenblas)

# psabi: no vector leaves its object file, so how one is passed does not matter.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wno-psabi \
    $(if $(CI),$(if $(SANITIZE),,-Werror))
# No contraction: an fma is written where one is meant, so that every build gives the same bits.
base_flags := -std=c11 -D_GNU_SOURCE -ffp-contract=off -fno-strict-aliasing -pthread $(WARNINGS) \
    -Iinclude $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer,-D_FORTIFY_SOURCE=2) \
    -fstack-protector-strong
# The library's objects serve the program, libvgg.a and libvgg.so. Nobody replaces a function of ours.
core_flags := -fPIC -fno-semantic-interposition -Icore
LINK := -pthread -Wl,-z,relro,-z,now -Wl,--gc-sections $(if $(SANITIZE),-fsanitize=$(SANITIZE))
CORE_LIBS := -ljpeg -lz -lnettle $(BLAS) -lm
SERVER_LIBS := -lmicrohttpd -lgnutls -ljansson $(CORE_LIBS)

objects = $(patsubst %,$(BUILD)/%.o,$(basename $1))
core_objects := $(patsubst %/gemm.o,%/gemm_linked.o, \
    $(patsubst %/webp.o,%/webp_linked.o,$(call objects,$(wildcard core/*/*.[cS]))))
server_objects := $(call objects,$(filter-out %/embedded.S,$(wildcard server/*.[cS] server/*/*.[cS])))

## all: build/vgg, build/libvgg.a, build/libvgg.so
all: $(BUILD)/vgg $(BUILD)/libvgg.a $(BUILD)/libvgg.so

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
	$(Q)$(submake) $(BUILD)/vgg
	$(Q)$(find_model); \
	exec $(BUILD)/vgg serve $${model:+--model "$$model"} $(RUN_ARGS)

## train: install what is missing, build, make a model of PHOTOS=DIR/class/picture (BASE=FILE|embedded)
train_sh = PHOTOS='$(PHOTOS)' BASE='$(BASE)' sh docker/train.sh
train:
	$(Q)$(train_sh) check
	$(Q)sh docker/deps.sh build $(if $(BASE),$(if $(filter vgg%,$(BASE)),fetch),fetch)
	$(Q)$(submake) $(BUILD)/vgg
	$(Q)$(train_sh) run $(BUILD)/vgg $(TRAIN_ARGS)

# ---------------------------------------------------------------- objects

$(BUILD)/core/%.o: FLAGS := $(core_flags)
$(BUILD)/server/%.o: FLAGS := -fPIE -Iserver -Icore
$(BUILD)/tests/%.o: FLAGS := -fPIE -Icore -Iserver -Itests/unit -Itests/oracle -Itests/e2e
$(BUILD)/core/blas/gemm.o: FLAGS := $(core_flags) -I/usr/include/$(MULTIARCH)/openblas-pthread

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call says,CC)$(CC) $(base_flags) $(FLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/%.o: %.S
	@mkdir -p $(@D)
	$(call says,CC)$(CC) $(FLAGS) -Wa,-I$(BUILD) -MMD -MP -c $< -o $@

# Objects that other flags made are made anew.
flags := $(strip $(CC) $(filter-out -Werror,$(base_flags)) $(core_flags) $(CFLAGS))
ifneq ($(flags),$(shell cat $(BUILD)/flags 2>/dev/null))
$(BUILD)/flags: FORCE
endif
$(BUILD)/flags:
	@mkdir -p $(@D)
	@echo '$(flags)' >$@

# libwebp and OpenBLAS's SGEMM, hidden in the objects of their only callers.
$(BUILD)/core/image/webp_linked.o: $(BUILD)/core/image/webp.o core/image/webp.sh
	$(call says,LINK)CC='$(CC)' OBJCOPY='$(OBJCOPY)' sh core/image/webp.sh $< $@

$(BUILD)/core/blas/gemm_linked.o: $(BUILD)/core/blas/gemm.o $(wildcard core/blas/openblas/* $(OPENBLAS_LIB))
	$(call says,LINK)CC='$(CC)' CFLAGS='$(filter-out -fsanitize=%,$(base_flags)) $(core_flags) $(CFLAGS)' \
	    AR='$(AR)' OBJCOPY='$(OBJCOPY)' sh core/blas/openblas/build.sh $(OPENBLAS_LIB) $< $@

# What the program serves compressed: the same bytes wherever it is built.
$(BUILD)/%.gz: %
	@mkdir -p $(@D)
	$(call says,GZIP)gzip -9nc $< >$@

# What .incbin brings in.
page_files := $(wildcard server/api/page/*)
$(BUILD)/core/model/imagenet_labels.o: core/model/imagenet_labels.txt
$(BUILD)/server/api/openapi_file.o: server/api/openapi.json
$(BUILD)/server/report/files.o: server/api/page/look.css server/report/report.css server/report/report.js
$(BUILD)/server/api/page_files.o: $(page_files) $(page_files:%=$(BUILD)/%.gz)

$(BUILD)/embedded_none.o: server/models/embedded.S
	@mkdir -p $(@D)
	$(call says,CC)$(CC) -c $< -o $@

$(BUILD)/embedded.o: server/models/embedded.S $(EMBED)
	@mkdir -p $(@D)
	$(call says,CC)$(CC) -DEMBEDDED_MODEL='"$(EMBED)"' -c $< -o $@

# How each object was made says what it is made of.
-include $(shell find $(BUILD)/core $(BUILD)/server $(BUILD)/tests -name '*.d' 2>/dev/null)

# ---------------------------------------------------------------- program and library

$(BUILD)/core.a: $(core_objects)
	$(call says,AR)rm -f $@ && $(AR) rcs $@ $^

# The functions that the public headers declare: all that the library shows.
$(BUILD)/libvgg.symbols: $(wildcard include/*.h)
	@mkdir -p $(@D)
	$(Q)sed -n 's/^[a-z][^(]*[ *]\(vgg_[a-z0-9_]*\)(.*/\1/p' $^ | sort -u >$@

# One object, so that all other names in it can be local ones.
$(BUILD)/libvgg.a: $(core_objects) $(BUILD)/libvgg.symbols
	$(call says,AR)$(CC) -r -nostdlib $(core_objects) -o $(BUILD)/libvgg.o
	$(Q)$(OBJCOPY) --keep-global-symbols=$(BUILD)/libvgg.symbols $(BUILD)/libvgg.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(BUILD)/libvgg.o

# libvgg.so.0: the number changes when a program has to be compiled again.
soname := libvgg.so.$(firstword $(subst ., ,$(VERSION)))
$(BUILD)/libvgg.so: $(core_objects) $(BUILD)/libvgg.symbols
	$(Q){ echo 'VGG_0 { global:'; sed 's/$$/;/' $(BUILD)/libvgg.symbols; echo 'local: *; };'; } \
	    >$(BUILD)/libvgg.map
	$(call says,LINK)$(CC) -shared $(LINK) -Wl,-z,defs -Wl,-Bsymbolic-functions -Wl,-soname,$(soname) \
	    -Wl,--version-script=$(BUILD)/libvgg.map -Wl,--no-undefined-version $(core_objects) $(CORE_LIBS) -o $@

$(BUILD)/vgg: $(server_objects) $(BUILD)/embedded.o $(BUILD)/core.a
	$(call says,LINK)$(CC) -pie $(LINK) $^ $(SERVER_LIBS) -o $@

# The same program without an embedded model.
$(BUILD)/vgg-bare: $(server_objects) $(BUILD)/embedded_none.o $(BUILD)/core.a
	$(call says,LINK)$(CC) -pie $(LINK) $^ $(SERVER_LIBS) -o $@

# ---------------------------------------------------------------- the rest

include tests/tests.mk docker/install.mk

## format: rewrite the sources by .clang-format; format-check only compares
sources = $(shell git ls-files '*.c' '*.h' 2>/dev/null || find include core server tests -name '*.[ch]')
format:
	$(Q)clang-format -i $(sources)

format-check:
	$(Q)clang-format --dry-run -Werror $(sources)

## option-table: write the table of options in server/README.md anew, from what --help says
option-table: $(BUILD)/vgg
	$(Q)awk -v vgg=$(BUILD)/vgg -f server/cli/option_table.awk server/README.md >$(BUILD)/README.md
	$(Q)cp $(BUILD)/README.md server/README.md

## lint: clang-tidy by .clang-tidy, shellcheck
lint: compile_commands.json
	$(Q)sh docker/deps.sh lint
	$(Q)bash tests/lint/run.sh

## hooks: have `git commit` format what is committed
hooks:
	$(Q)git config core.hooksPath .github/hooks

## compile_commands.json: how each source is compiled, for editors and clang-tidy
compile_commands.json: FORCE
	$(Q)$(MAKE) --no-print-directory -Bn V=1 test_programs | /usr/bin/python3 tests/lint/commands.py >$@

## help: what you read now
help list:
	@echo "make TARGET [VARIABLE=value ...], with the targets"
	@awk -F ': ' '/^## / { printf "  %-22s %s\n", substr($$1, 4), $$2 }' Makefile tests/tests.mk docker/install.mk
	@echo "and the variables MODEL, RUN_ARGS, PHOTOS, BASE, TRAIN_ARGS, LOAD_ARGS, EMBED, BUILD, CC, CFLAGS,"
	@echo "DESTDIR, PREFIX; V=1 shows the commands. The READMEs say more."

## clean: remove all that was built
clean:
	rm -rf $(BUILD)

.PHONY: all run train format format-check option-table lint hooks help list clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
