#include "consent/category_import.h"

#include "project/project.h"

#define TRIES 5 // when somebody edits the category meanwhile

// The longest beginning of whole characters.
static struct slice text_cut(struct slice text, size_t maximum)
{
	if (text.length <= maximum)
		return text;
	while (maximum > 0 && ((unsigned char)text.data[maximum] & 0xc0) == 0x80)
		maximum--;
	return (struct slice){text.data, maximum};
}

// As a category may have it; data NULL without memory.
static struct slice text_clean(struct arena *arena, struct slice text, size_t maximum)
{
	struct slice cut = text_cut(slice_trim(text), maximum);
	char *clean = arena_alloc(arena, cut.length + 1);
	if (clean == NULL)
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < cut.length; i++) {
		unsigned char byte = (unsigned char)cut.data[i];
		clean[i] = byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
	}
	return (struct slice){clean, cut.length};
}

static enum result category_of_topic(struct arena *arena, const struct topic_description *topic,
                                     struct category *category)
{
	struct slice name = slice_is_empty(slice_trim(topic->name)) ? topic->topic : topic->name;
	struct slice list = category_list_of_topic(arena, topic->topic);
	*category = (struct category){
		.key = list,
		.list = list,
		.name = text_clean(arena, name, CATEGORY_NAME_MAXIMUM),
		.description = text_clean(arena, topic->description, CATEGORY_DESCRIPTION_MAXIMUM),
		.public_description = text_clean(arena, topic->public_description, CATEGORY_DESCRIPTION_MAXIMUM),
		.type = topic->transactional ? CATEGORY_TRANSACTIONAL : CATEGORY_MARKETING,
		.subscribed_by_default = topic->subscribed_by_default,
		.topic = topic->topic,
	};
	bool whole = list.data != NULL && category->name.data != NULL && category->description.data != NULL &&
	             category->public_description.data != NULL;
	return whole ? RESULT_OK : RESULT_NO_MEMORY;
}

static bool category_is_same(const struct category *a, const struct category *b)
{
	return slice_equal(a->name, b->name) && slice_equal(a->description, b->description) &&
	       slice_equal(a->public_description, b->public_description) && a->type == b->type &&
	       a->subscribed_by_default == b->subscribed_by_default;
}

static void text_take_over(struct slice *text, struct slice seen, struct slice offered)
{
	if (slice_equal(*text, seen))
		*text = offered;
}

static void category_take_over(struct category *category, const struct category *seen, const struct category *offered)
{
	text_take_over(&category->name, seen->name, offered->name);
	text_take_over(&category->description, seen->description, offered->description);
	text_take_over(&category->public_description, seen->public_description, offered->public_description);
	if (category->type == seen->type)
		category->type = offered->type;
	if (category->subscribed_by_default == seen->subscribed_by_default)
		category->subscribed_by_default = offered->subscribed_by_default;
}

// *seen->stored has data NULL when no import has seen the topic yet.
static enum result topic_load_seen(struct store *store, struct arena *arena, struct slice project, struct slice topic,
                                   struct category *seen)
{
	struct key_name hash = project_key(project, "topics_seen");
	const struct reply *reply;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HGET"), key_slice(&hash), topic)));
	struct slice list = category_list_of_topic(arena, topic), stored = reply_text(reply);
	if (list.data == NULL)
		return RESULT_NO_MEMORY;
	seen->stored = (struct slice){NULL, 0};
	if (stored.data == NULL)
		return RESULT_OK;
	return category_parse(arena, list, stored, seen) == RESULT_NO_MEMORY ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result topic_save_seen(struct store *store, struct arena *arena, struct slice project,
                                   const struct category *offered)
{
	struct key_name hash = project_key(project, "topics_seen");
	const struct reply *reply;
	struct slice text;
	TRY(category_text(arena, offered, &text));
	return store_call(store, arena, &reply, ARGUMENTS(SLICE("HSET"), key_slice(&hash), offered->topic, text));
}

static enum result category_update(struct store *store, struct arena *arena, struct slice project,
                                   const struct category *existing, const struct category *seen,
                                   const struct category *offered, enum category_change *change)
{
	struct category category = *existing;
	*change = CATEGORY_KEPT;
	// What no import has seen was made by hand.
	if (seen->stored.data == NULL)
		return RESULT_OK;
	category_take_over(&category, seen, offered);
	if (category_is_same(&category, existing))
		return RESULT_OK;
	*change = CATEGORY_UPDATED;
	return category_save(store, arena, project, &category);
}

static enum result category_create(struct store *store, struct arena *arena, struct slice project,
                                   struct category_list *list, const struct category *offered)
{
	if (list->stored >= CATEGORIES_MAXIMUM)
		return RESULT_LIMITED;
	enum result result = category_add(store, arena, project, list, offered);
	if (result == RESULT_OK)
		list->stored++;
	if (result == RESULT_CONFLICT)
		TRY(category_list_load(store, arena, project, list));
	return result;
}

static enum result category_import_once(struct store *store, struct arena *arena, struct slice project,
                                        struct category_list *list, const struct category *offered,
                                        enum category_change *change)
{
	const struct category *listed = category_find_by_topic(list, offered->topic), *existing;
	struct slice key = listed != NULL ? listed->key : offered->key;
	struct category seen;
	TRY(topic_load_seen(store, arena, project, offered->topic, &seen));
	enum result result = category_load(store, arena, project, key, &existing);
	if (result == RESULT_OK)
		return category_update(store, arena, project, existing, &seen, offered, change);
	if (result != RESULT_NOT_FOUND)
		return result;
	*change = CATEGORY_CREATED;
	return category_create(store, arena, project, list, offered);
}

enum result category_import(struct store *store, struct arena *arena, struct slice project,
                            struct category_list *list, const struct topic_description *topic,
                            enum category_change *change)
{
	struct category offered;
	TRY(category_of_topic(arena, topic, &offered));
	enum result result = RESULT_CONFLICT;
	for (int i = 0; i < TRIES && result == RESULT_CONFLICT; i++)
		result = category_import_once(store, arena, project, list, &offered, change);
	TRY(result);
	// Afterwards: a member that was not taken over because the process died is taken for an edited one, no more.
	return topic_save_seen(store, arena, project, &offered);
}
