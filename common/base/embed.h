// Puts a file of the source tree into the executable's read-only data.
//
// EMBED_FILE(record_choices_lua, "common/consent/record_choices.lua") defines the symbols record_choices_lua and
// record_choices_lua_end. The path is relative to the top of the tree; the Makefile knows the dependency.
#ifndef CIOBRIDGE_BASE_EMBED_H
#define CIOBRIDGE_BASE_EMBED_H

#include "base/slice.h"

#define EMBED_FILE(name, path)                                                                                     \
	__asm__(".pushsection .rodata\n" #name ":\n.incbin \"" path "\"\n" #name "_end:\n.byte 0\n.popsection\n"); \
	extern const char name[] __attribute__((visibility("hidden")));                                            \
	extern const char name##_end[] __attribute__((visibility("hidden")))

#define EMBEDDED(name) ((struct slice){name, (size_t)(name##_end - name)})

#endif
