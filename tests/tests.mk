# Test programs, suites (tests/run.sh), sanitizers, fuzzers; read by the Makefile.

programs_of = $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $1))
unit_tests := $(call programs_of,$(shell find tests/unit -name 'test_*.c'))
e2e_tests := $(call programs_of,$(wildcard tests/e2e/test_*.c))
long_tests := $(call programs_of,$(wildcard tests/long/*.c))
unit_helpers := $(call objects,$(wildcard tests/unit/*.c) tests/oracle/oracle_layers.c tests/oracle/oracle_eight.c)
e2e_helpers := $(call objects,$(filter-out tests/e2e/test_%,$(wildcard tests/e2e/*.c)) \
    $(patsubst %,tests/unit/%.c,bombs jpeg_maker png_maker webp_maker certificate_maker))
# The program's parts without main: archives, of which a program gets what it asks for.
parts := $(BUILD)/server.a $(BUILD)/embedded_none.o $(BUILD)/core.a
$(BUILD)/server.a: $(filter-out %/main.o,$(server_objects))
# A test of handlers has these in the place of parts.
$(BUILD)/fakes.a: $(call objects,$(wildcard tests/unit/server/fake_*.c))
$(BUILD)/server.a $(BUILD)/fakes.a:
	$(call says,AR)rm -f $@ && $(AR) rcs $@ $^

# The reference, which is simple instead of fast.
$(BUILD)/tests/oracle/%.o: CFLAGS := -O3 -g

$(call programs_of,$(shell grep -rl server_fixture.h tests/unit --include='test_*.c')): fakes := $(BUILD)/fakes.a
$(unit_tests): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(unit_helpers) $(BUILD)/fakes.a $(parts)
	$(call says,LINK)$(CC) -pie $(LINK) $< $(unit_helpers) $(fakes) $(parts) -lcmocka -lcurl -lwebp -lpng16 $(SERVER_LIBS) -o $@

$(e2e_tests) $(long_tests): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(e2e_helpers)
	$(call says,LINK)$(CC) -pie $(LINK) $^ -lcmocka -lcurl -ljansson -ljpeg -lpng16 -lwebp -lz -lgnutls -lm -o $@

$(BUILD)/oracle: $(call objects,$(wildcard tests/oracle/*.c))
	$(call says,LINK)$(CC) -pie $(LINK) $^ -ljansson -lm -o $@

$(BUILD)/dump_pixels: $(BUILD)/tests/pillow/dump_pixels.o $(BUILD)/core.a
	$(call says,LINK)$(CC) -pie $(LINK) $^ $(CORE_LIBS) -o $@

programs: $(unit_tests) $(e2e_tests) $(BUILD)/vgg
test_programs: programs all $(BUILD)/oracle $(BUILD)/dump_pixels

# The test programs that T names.
chosen = $(filter %/$(T),$(unit_tests) $(e2e_tests) $(long_tests))

## test: install what is missing, build, run the unit and end-to-end tests (T=test_queue runs that one)
test:
ifdef T
	$(if $(chosen),,$(error there is no test $(T): it is the name of a file in tests/unit or tests/e2e without .c))
	$(Q)$(submake) $(BUILD)/vgg $(chosen)
	$(Q)for each in $(chosen); do \
	    VGG_BIN=$(BUILD)/vgg OPENBLAS_NUM_THREADS=1 $$each || exit 1; \
	done
else
	$(Q)sh docker/deps.sh test
	$(Q)$(submake) test_programs
	$(Q)sh tests/run.sh $(BUILD) all
endif

## check-long: what takes minutes (full-size networks, a soak, overload and malice)
check-long:
	$(Q)sh docker/deps.sh long
	$(Q)$(submake) test_programs $(long_tests)
	$(Q)sh tests/run.sh $(BUILD) long

## page-check: the page at / in a headless Chromium
page-check: $(BUILD)/vgg
	$(Q)sh docker/deps.sh page || echo "page-check: going on with what is there"
	$(Q)sh tests/run.sh $(BUILD) page

## clients-check: other people's clients, real and generated, against the server
clients-check: $(BUILD)/vgg
	$(Q)sh docker/deps.sh clients || echo "clients-check: going on with what is there"
	$(Q)sh tests/run.sh $(BUILD) clients

## neon-check: the NEON kernels and the program, cross-compiled, under qemu-user (on Debian)
cross := CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar OBJCOPY=aarch64-linux-gnu-objcopy
neon-check: $(BUILD)/vgg
	$(Q)sh docker/deps.sh neon
	$(Q)$(submake) $(cross) BUILD=$(BUILD)/neon $(patsubst %,$(BUILD)/neon/%,vgg-bare \
	    $(addprefix tests/unit/core/kernels/test_,conv eight first kernels))
	$(Q)sh tests/run.sh $(BUILD) neon

## docker-check: build docker/Dockerfile with buildah, run the image as a container runs (root)
docker-check:
	$(Q)sh docker/deps.sh docker
	$(Q)/usr/bin/python3 tests/docker/check.py $(BUILD)/docker

# ---------------------------------------------------------------- sanitizers

# With these checks of each access a file of vectors compiles for two minutes instead of twenty
# seconds; what they would find, ASan or the CPU does.
ifneq ($(SANITIZE),)
$(BUILD)/core/kernels/%.o: override CFLAGS += -fno-sanitize=null,alignment,object-size
endif
# One thread, and most of the time of the tests that compare with it.
ifeq ($(SANITIZE),thread)
$(BUILD)/tests/oracle/%.o: override CFLAGS += -fno-sanitize=thread
endif

## asan ubsan tsan: the unit and end-to-end tests under a sanitizer
asan:
	$(Q)$(submake) BUILD=$(BUILD)/asan SANITIZE=address,undefined CFLAGS="-O1 -g" programs
	$(Q)sh tests/run.sh $(BUILD)/asan programs

ubsan: asan

tsan:
	$(Q)$(submake) BUILD=$(BUILD)/tsan SANITIZE=thread CFLAGS="-O1 -g" programs
	$(Q)sh tests/run.sh $(BUILD)/tsan programs

# ---------------------------------------------------------------- fuzzers

# The kernels are written for gcc, so they are left as they are in the fuzzers.
ifeq ($(CC),clang)
$(BUILD)/core/kernels/%.o: override CC := gcc
$(BUILD)/core/kernels/%.o: override CFLAGS := -O2 -g
$(BUILD)/core/kernels/%.o: override base_flags := $(filter-out -fsanitize=%,$(base_flags))
endif

fuzzers := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))
$(fuzzers): $(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(parts)
	@mkdir -p $(@D)
	$(call says,LINK)$(CC) -pie $(LINK) -fsanitize=fuzzer $^ $(SERVER_LIBS) -o $@

fuzzers: $(fuzzers)

## fuzz: images, bodies, heads, models by clang's libFuzzer, FUZZ_SECONDS [60] each
FUZZ_SECONDS ?= 60
fuzz:
	$(Q)sh docker/deps.sh build fuzz || echo "fuzz: going on with what is there"
	$(Q)$(submake) $(BUILD)/vgg
	$(Q)if ! echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
	    clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null; then \
	    echo "SKIPPED: no clang with libFuzzer here"; echo "0 passed, 0 failed, 1 skipped"; exit 0; fi; \
	$(submake) BUILD=$(BUILD)/fuzz CC=clang SANITIZE=address,undefined \
	    CFLAGS="-O1 -g -fsanitize=fuzzer-no-link" fuzzers && \
	sh tests/fuzz/run.sh $(BUILD)/fuzz $(FUZZ_SECONDS) $(BUILD)/vgg

# ---------------------------------------------------------------- measurements

## bench: time a full-size VGG-16 layer by layer, beside the machine's own limits
bench: $(BUILD)/vgg
	$(Q)$(BUILD)/vgg bench --sizes 224x224,384x384,512x512

## bench-peers: VGG-16 beside PyTorch, ONNX Runtime, OpenVINO, ncnn (minutes, 12 GiB of memory)
bench-peers: $(BUILD)/vgg
	$(Q)sh docker/deps.sh peers || echo "bench-peers: going on with what is there"
	$(Q)sh tests/peers/run.sh $(BUILD)

## accuracy: what 8 bits change of answers to the photographs below VGG_SHARED (half an hour)
accuracy: $(BUILD)/vgg
	$(Q)/usr/bin/python3 tests/accuracy/check.py $(BUILD)/vgg $(BUILD)/accuracy $(ACCURACY_ARGS)

## bench-readme: measure all of that, write core/kernels/BENCHMARKS.md and the README's table
bench-readme: $(BUILD)/vgg
	$(Q)sh docker/deps.sh test peers || echo "bench-readme: going on with what is there"
	$(Q)/usr/bin/python3 tests/bench/readme.py $(BUILD)

## load: photographs under wrk, as a table (MODEL=, LOAD_ARGS='--connections 1,8 --seconds 20')
load:
	$(Q)$(check_model)
	$(Q)sh docker/deps.sh test $(if $(filter vgg%,$(MODEL)),fetch)
	$(Q)$(submake) $(BUILD)/vgg
	$(Q)$(find_model); \
	/usr/bin/python3 tests/load/load.py $(BUILD)/vgg --model "$${model:-$(EMBED)}" $(LOAD_ARGS)

.PHONY: programs test_programs test check-long page-check clients-check neon-check docker-check asan ubsan tsan \
    fuzzers fuzz bench bench-peers accuracy bench-readme load
