# ciobridge: see README.md, or `make help`.
#
# One rule for each kind of file; nothing is listed by hand. A function is functions/<name>.c or the folder
# functions/<name>/; a unit test is tests/unit/<layer>/test_<module>.c; a handler test tests/functions/test_<name>.c.

BUILD ?= build
CC = gcc
VAR ?= var
PORT ?= 8080
export VAR PORT

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

STANDARD = -std=gnu17 -D_GNU_SOURCE -Icommon
WARNINGS = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
           -Wsign-compare -Wundef -Wformat=2 -Wvla -Wimplicit-fallthrough
HARDENING = -fstack-protector-strong -D_FORTIFY_SOURCE=2
OPTIMISE ?= -O2 -g $(HARDENING)
CFLAGS = $(STANDARD) $(WARNINGS) $(OPTIMISE) -fPIE $(EXTRA_CFLAGS)
LDFLAGS = -pie -Wl,-z,relro,-z,now $(EXTRA_LDFLAGS)
LIBRARIES = -lfcgi -lhiredis -ljansson -lcrypto

COMMON = $(filter-out common/edge/main.c,$(wildcard common/*/*.c))
FUNCTIONS = $(sort $(basename $(notdir $(wildcard functions/*.c))) $(notdir $(patsubst %/,%,$(wildcard functions/*/))))
UNIT_TESTS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*/test_*.c))
FUNCTION_TESTS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/functions/test_*.c))
SUPPORT = $(wildcard tests/support/*.c)

object = $(patsubst %.c,$(BUILD)/%.o,$(1))
function_sources = $(wildcard functions/$(1).c functions/$(1)/*.c)

.PHONY: all
all: deps
	@$(MAKE) --no-print-directory executables

.PHONY: executables
executables: $(FUNCTIONS:%=$(BUILD)/%) $(BUILD)/run

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/common/edge/options.o: CFLAGS += -DCIOBRIDGE_VERSION='"$(VERSION)"'

$(BUILD)/libcommon.a: $(call object,$(COMMON))
	@rm -f $@
	ar rcs $@ $^

# The scripts that .incbin takes in are no includes, so -MMD does not see them.
$(foreach source,$(COMMON),$(if $(wildcard $(dir $(source))*.lua),$(eval $(call object,$(source)): $(wildcard $(dir $(source))*.lua))))

define function_rules
$(BUILD)/$(1): $(call object,$(call function_sources,$(1))) $(BUILD)/common/edge/main.o $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $$@ $$^ $(LIBRARIES)

$(BUILD)/tests/functions/test_$(1): $(BUILD)/tests/functions/test_$(1).o $(call object,$(call function_sources,$(1)))
endef
$(foreach function,$(FUNCTIONS),$(eval $(call function_rules,$(function))))

$(BUILD)/run: $(call object,$(wildcard deploy/run/*.c)) $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(call object,$(SUPPORT)) $(BUILD)/libcommon.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBRARIES) -lcriterion

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
