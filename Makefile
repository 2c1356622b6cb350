# ciobridge: see README.md, or `make help`.
#
# One rule for each kind of file; nothing is listed by hand. A function is functions/<name>.c or the folder
# functions/<name>/; a unit test is tests/unit/<layer>/test_<module>.c; a handler test tests/functions/test_<name>.c, or
# test_<name>_<part>.c where one is not enough; a test of what happens without memory tests/memory/test_<name>.c, of a
# function or of parts; a fuzzer tests/fuzz/fuzz_<module>.c with seeds in
# tests/fuzz/corpus/<module>/; a function that only the end-to-end tests use tests/e2e/programs/<name>.c; a program that
# shows what a codec does tests/differential/<name>.c.

BUILD ?= build
CC = gcc
VAR ?= var
PORT ?= 8080
PROGRAMS ?= /usr/local/libexec/ciobridge
FUZZ_SECONDS ?= 60
export VAR PORT

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

# Names that exist in Debian 12 and 13.
BUILD_PACKAGES = gcc libc6-dev make libfcgi-dev libhiredis-dev libjansson-dev libssl-dev libcurl4-openssl-dev \
                 zlib1g-dev ca-certificates nginx redis-server curl openssl
# Node may have come from elsewhere.
NODE_PACKAGES := $(if $(shell command -v npm),,nodejs npm)
TEST_PACKAGES = libcriterion-dev python3 python3-pytest clang libclang-rt-dev valgrind universal-ctags $(NODE_PACKAGES)
BENCH_PACKAGES = wrk python3 $(NODE_PACKAGES)

STANDARD = -std=gnu17 -D_GNU_SOURCE -Icommon
WARNINGS = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
           -Wsign-compare -Wundef -Wformat=2 -Wvla -Wimplicit-fallthrough
HARDENING = -fstack-protector-strong -D_FORTIFY_SOURCE=2
OPTIMISE ?= -O2 -g $(HARDENING)
CFLAGS = $(STANDARD) $(WARNINGS) $(OPTIMISE) -fPIE $(EXTRA_CFLAGS)
LDFLAGS = -pie -Wl,-z,relro,-z,now $(EXTRA_LDFLAGS)
# hiredis speaks TLS from 1.0 on (Debian 13).
REDIS_TLS := $(if $(wildcard /usr/include/hiredis/hiredis_ssl.h),-lhiredis_ssl -lssl)
# Whoever does not use one does not load it: libcurl alone brings thirty others.
LIBRARIES = -Wl,--as-needed -lfcgi -lhiredis $(REDIS_TLS) -ljansson -lcrypto -lz -lcurl
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined

COMMON = $(filter-out common/edge/main.c,$(wildcard common/*/*.c))
FUNCTIONS = $(sort $(basename $(notdir $(wildcard functions/*.c))) $(notdir $(patsubst %/,%,$(wildcard functions/*/))))
TESTS = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*/test_*.c tests/functions/test_*.c tests/memory/test_*.c))
TEST_FUNCTIONS = $(patsubst tests/e2e/programs/%.c,$(BUILD)/tests/e2e/%,$(wildcard tests/e2e/programs/*.c))
DUMPS = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/differential/*.c))
FUZZERS = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS = $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/tests/fuzz/replay_%,$(wildcard tests/fuzz/fuzz_*.c))
SUPPORT = $(wildcard tests/support/*.c)
MEMORY_SUPPORT = $(filter-out tests/memory/test_%,$(wildcard tests/memory/*.c))
SOAK = $(wildcard $(patsubst %,tests/e2e/test_%.py,faults restart many csv_upload import))
# What only a process behind a web server does.
COVERED = $(wildcard $(patsubst %,tests/e2e/test_%.py,fastcgi slow_clients status reports web_server))
SOURCES = $(wildcard common/*/*.c functions/*.c functions/*/*.c deploy/run/*.c tests/unit/*/*.c tests/functions/*.c \
                     tests/memory/*.c tests/coverage/*.c tests/support/*.c tests/fuzz/*.c tests/differential/*.c \
                     tests/e2e/programs/*.c \
                     tests/bench/*.c)

object = $(patsubst %.c,$(BUILD)/%.o,$(1))
function_sources = $(wildcard functions/$(1).c functions/$(1)/*.c)
function_tests = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/functions/test_$(1).c tests/memory/test_$(1).c) \
                     $(filter-out $(FUNCTIONS:%=tests/functions/test_%.c),$(wildcard tests/functions/test_$(1)_*.c)))
again = $(MAKE) --no-print-directory

.PHONY: all run demo test lint sanitize valgrind fuzz install install-functions deps build-deps readme clean help
.PHONY: soak coverage bench executables tests objects fuzzers sanitized covered

all: build-deps ## build every function and the local start (the default)
	@$(again) executables

run: all ## start everything here, in the foreground; PORT and VAR choose where
	@$(BUILD)/run --with-make

demo: all ## a walk through it on its own, every request shown as a curl line
	$(if $(shell command -v node),,@deploy/deps nodejs)
	@deploy/demo $(BUILD)

test: deps ## every test: unit, functions, end to end
	@$(again) executables tests $(BUILD)/clients/node_modules
	@tests/run --build $(BUILD) $(TESTS) $(REPLAYS)

lint: deps ## the rules of the house, and every warning of both compilers
	@$(again) objects
	@$(again) objects BUILD=$(BUILD)/clang CC=clang
	@$(again) executables
	@tests/lint/lint.py --build $(BUILD)

sanitize: deps ## every test under the address and undefined behaviour sanitizers
	@$(again) sanitized BUILD=$(BUILD)/sanitize OPTIMISE='-O1 -g' \
	          EXTRA_CFLAGS='$(SANITIZE)' EXTRA_LDFLAGS='$(SANITIZE)'

sanitized: executables tests $(BUILD)/clients/node_modules
	@tests/run --build $(BUILD) $(TESTS) $(REPLAYS)

valgrind: deps ## the unit and function tests under valgrind
	@$(again) tests
	@tests/run --build $(BUILD) --valgrind $(TESTS) $(REPLAYS)

coverage: deps ## how much of common/ the tests run, in lines and branches
	@find $(BUILD)/coverage -name '*.gcda' -delete 2>/dev/null || true
	@$(again) BUILD=$(BUILD)/coverage $(BUILD)/coverage/tests/coverage/exit.o OPTIMISE='-O0 -g' \
	          EXTRA_CFLAGS='--coverage'
	@$(again) covered BUILD=$(BUILD)/coverage OPTIMISE='-O0 -g' EXTRA_CFLAGS='--coverage' \
	          EXTRA_LDFLAGS='--coverage -Wl,--wrap=_exit $(BUILD)/coverage/tests/coverage/exit.o'
	@tests/coverage/coverage.py --build $(BUILD)/coverage

covered: executables tests
	@tests/run --build $(BUILD) $(COVERED:%=--pytest %) $(TESTS) $(REPLAYS)

fuzz: deps ## each fuzzer for FUZZ_SECONDS
	@$(again) fuzzers BUILD=$(BUILD)/fuzz CC=clang OPTIMISE='-O1 -g' \
	          EXTRA_CFLAGS='$(SANITIZE) -fsanitize=fuzzer-no-link' EXTRA_LDFLAGS='$(SANITIZE)'
	@set -e; for fuzzer in $(patsubst $(BUILD)/%,$(BUILD)/fuzz/%,$(FUZZERS)); do \
		mkdir -p $$fuzzer.corpus; \
		$$fuzzer -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$$fuzzer- \
		        $$fuzzer.corpus tests/fuzz/corpus/$${fuzzer##*/fuzz_}; \
	done

soak: deps ## the long forms of the tests of order, faults, restarts and uploads
	@$(again) executables tests
	@CIOBRIDGE_TEST_HISTORIES=200000 CIOBRIDGE_TEST_SCALE=20 \
	 tests/run --build $(BUILD) --patience 20 $(SOAK:%=--pytest %) $(BUILD)/tests/unit/consent/test_histories

bench: build-deps ## speed and memory against their goals; BENCH_SECONDS, BENCH_ROUNDS and BENCH_ROWS say how long
	@deploy/deps $(BENCH_PACKAGES)
	@$(again) executables $(BUILD)/tests/bench/nothing $(BUILD)/bench/node_modules
	@CIOBRIDGE_TEST_BUILD=$(BUILD) tests/bench/bench.py

install: all ## copy the executables to PROGRAMS (under DESTDIR)
	@$(again) install-functions
	install -m 755 $(BUILD)/run $(DESTDIR)$(PROGRAMS)

install-functions: $(FUNCTIONS:%=$(BUILD)/%)
	install -d $(DESTDIR)$(PROGRAMS)
	install -m 755 $^ $(DESTDIR)$(PROGRAMS)

deps: ## install what building and testing needs and is missing (apt)
	@deploy/deps $(BUILD_PACKAGES) $(TEST_PACKAGES)

build-deps:
	@deploy/deps $(BUILD_PACKAGES)

readme: all ## write the table of settings into README.md, as the executables print it
	@$(BUILD)/status --config-table | sed -i -e '/^<!-- settings:/,/^<!-- end of settings/{//!d}' \
	                                         -e '/^<!-- settings:/r /dev/stdin' README.md

clean: ## remove what was built; the state in VAR stays
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

executables: $(FUNCTIONS:%=$(BUILD)/%) $(BUILD)/run
tests: $(TESTS) $(REPLAYS) $(TEST_FUNCTIONS) $(DUMPS)
objects: $(call object,$(SOURCES))
fuzzers: $(FUZZERS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/common/edge/options.o: CFLAGS += -DCIOBRIDGE_VERSION='"$(VERSION)"'
$(BUILD)/deploy/run/%.o: CFLAGS += -DFUNCTIONS='"$(FUNCTIONS)"'
$(call object,$(wildcard deploy/run/*.c)): functions

$(BUILD)/libcommon.a: $(call object,$(COMMON))
	@rm -f $@
	ar rcs $@ $^

# What .incbin takes in is no include, so -MMD does not see it.
embedded = $(wildcard $(dir $(1))*.lua $(dir $(1))*.json)
$(foreach source,$(SOURCES),$(eval $(call object,$(source)): $(call embedded,$(source))))
$(BUILD)/deploy/run/nginx.o: deploy/nginx/nginx.conf.in

define function_rules
$(BUILD)/$(1): $(call object,$(call function_sources,$(1))) $(BUILD)/common/edge/main.o $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $$@ $$^ $(LIBRARIES)

$(call function_tests,$(1)): $(call object,$(call function_sources,$(1)))
endef
$(foreach function,$(FUNCTIONS),$(eval $(call function_rules,$(function))))

$(BUILD)/run: $(call object,$(wildcard deploy/run/*.c)) $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(BUILD)/tests/e2e/%: $(BUILD)/tests/e2e/programs/%.o $(BUILD)/common/edge/main.o $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(BUILD)/tests/differential/%: $(BUILD)/tests/differential/%.o $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBRARIES)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lfcgi

# What the clients of tests/clients and the peers of tests/bench are made of; the former are pinned.
$(BUILD)/%/node_modules: tests/%/package.json
	@mkdir -p $(@D)
	cp $< $(@D)
	npm install --prefix $(@D) --no-package-lock --no-audit --no-fund
	@touch $@

# The fuzzer without libFuzzer: each seed once.
$(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(patsubst %.c,$(BUILD)/%,$(wildcard tests/memory/test_*.c)): $(call object,$(MEMORY_SUPPORT))

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(call object,$(SUPPORT)) $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBRARIES) -lcriterion

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
