#include "project/section.h"

#include "base/log.h"
#include "codec/crypt.h"
#include "project/project.h"

enum result section_load(struct store *store, struct arena *arena, struct slice project, const char *section,
                         struct slice *text)
{
	struct key_name key = project_key(project, "settings");
	const struct reply *reply;

	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HGET"), key_slice(&key), slice_of(section))));
	*text = reply_text(reply);
	return RESULT_OK;
}

enum result section_refuse(struct slice project, const char *section)
{
	LOG(LOG_ERROR, "settings cannot be read", {"project", project}, {"section", slice_of(section)});
	return RESULT_UNAVAILABLE;
}

enum result section_save(struct store *store, struct arena *arena, struct slice project, const char *section,
                         struct slice old, const struct buffer *text)
{
	struct key_name key = project_key(project, "settings");

	if (text == NULL || buffer_failed(text))
		return RESULT_NO_MEMORY;
	return field_replace(store, arena, &key, slice_of(section), old, buffer_slice(text));
}

enum result section_delete(struct store *store, struct arena *arena, struct slice project, const char *section)
{
	struct key_name key = project_key(project, "settings");
	const struct reply *reply;

	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HDEL"), key_slice(&key), slice_of(section))));
	return store_confirm(store, arena);
}

static struct slice section_context(struct arena *arena, struct slice project, const char *place)
{
	return arena_format(arena, "%.*s %s", (int)project.length, project.data, place);
}

enum result section_seal(struct arena *arena, struct slice project, const char *place, struct slice master_key,
                         struct slice plain, struct slice *sealed)
{
	struct slice context = section_context(arena, project, place);

	if (context.data == NULL)
		return RESULT_NO_MEMORY;
	return crypt_seal(arena, master_key, context, plain, sealed);
}

enum result section_unseal(struct arena *arena, struct slice project, const char *place, struct slice master_key,
                           struct slice sealed, struct slice *plain)
{
	struct slice context = section_context(arena, project, place);

	if (context.data == NULL)
		return RESULT_NO_MEMORY;
	return crypt_unseal(arena, master_key, context, sealed, plain);
}
