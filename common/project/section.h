// A section of a project's settings as it is stored: a field of cb:{P}:settings that holds JSON, with each secret in it
// sealed for this project and its place alone.
#ifndef CIOBRIDGE_PROJECT_SECTION_H
#define CIOBRIDGE_PROJECT_SECTION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/result.h"
#include "io/store.h"

#define SECTION_MAXIMUM 65536 // bytes of JSON

// *text has data NULL when the section is absent.
enum result section_load(struct store *store, struct arena *arena, struct slice project, const char *section,
                         struct slice *text);

// Logs that what is stored cannot be read and returns RESULT_UNAVAILABLE: it is not to be taken for absent.
enum result section_refuse(struct slice project, const char *section);

// Stores the JSON in `text` in the place of `old`, which is what section_load gave. RESULT_CONFLICT when somebody else
// was first. `text` is NULL or failed: RESULT_NO_MEMORY.
enum result section_save(struct store *store, struct arena *arena, struct slice project, const char *section,
                         struct slice old, const struct buffer *text);

// Removes it, readable or not; it need not be there.
enum result section_delete(struct store *store, struct arena *arena, struct slice project, const char *section);

// `place` says which secret it is: the section, and what else tells it from others. RESULT_MALFORMED: it was sealed
// under another master key, for another project or place, or was changed.
enum result section_seal(struct arena *arena, struct slice project, const char *place, struct slice master_key,
                         struct slice plain, struct slice *sealed);
enum result section_unseal(struct arena *arena, struct slice project, const char *place, struct slice master_key,
                           struct slice sealed, struct slice *plain);

#endif
