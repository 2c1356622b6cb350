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

// The category as an import saw it last.
struct sight {
	struct category category; // stored has data NULL when no import has seen the topic yet
	struct slice import;
	enum category_change change;
};

static const char change_letters[] = {[CATEGORY_KEPT] = 'k', [CATEGORY_CREATED] = 'c', [CATEGORY_UPDATED] = 'u'};

static enum category_change change_of_letter(struct slice letter)
{
	for (size_t i = 0; i < sizeof(change_letters); i++) {
		if (letter.length == 1 && letter.data[0] == change_letters[i])
			return (enum category_change)i;
	}
	return CATEGORY_KEPT;
}

static enum result sight_load(struct store *store, struct arena *arena, struct slice project, struct slice topic,
                              struct sight *sight)
{
	struct key_name hash = project_key(project, "topics_seen");
	const struct reply *reply;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HGET"), key_slice(&hash), topic)));
	struct slice list = category_list_of_topic(arena, topic), stored = reply_text(reply);
	*sight = (struct sight){.change = CATEGORY_KEPT};
	if (list.data == NULL)
		return RESULT_NO_MEMORY;
	if (stored.data == NULL)
		return RESULT_OK;
	sight->import = slice_split(&stored, ' ');
	sight->change = change_of_letter(slice_split(&stored, ' '));
	return category_parse(arena, list, stored, &sight->category) == RESULT_NO_MEMORY ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result sight_save(struct store *store, struct arena *arena, struct slice project, struct slice import,
                              enum category_change change, const struct category *offered)
{
	struct key_name hash = project_key(project, "topics_seen");
	const struct reply *reply;
	struct slice json;
	TRY(category_text(arena, offered, &json));
	struct slice text = arena_format(arena, "%.*s %c %.*s", (int)import.length, import.data, change_letters[change],
	                                 (int)json.length, json.data);
	if (text.data == NULL)
		return RESULT_NO_MEMORY;
	return store_call(store, arena, &reply, ARGUMENTS(SLICE("HSET"), key_slice(&hash), offered->topic, text));
}

static enum result sight_forget(struct store *store, struct arena *arena, struct slice project, struct slice topic)
{
	struct key_name hash = project_key(project, "topics_seen");
	const struct reply *reply;
	return store_call(store, arena, &reply, ARGUMENTS(SLICE("HDEL"), key_slice(&hash), topic));
}

// One import on its way through the topics.
struct passage {
	struct store *store;
	struct arena *arena;
	struct slice project, import;
	struct category_list *list;
};

// What is seen is stored before the category: one that nobody had seen would be taken for one made by hand.
static enum result passage_create(struct passage *passage, const struct category *offered)
{
	struct category_list *list = passage->list;
	if (list->stored >= CATEGORIES_MAXIMUM)
		return RESULT_LIMITED;
	TRY(sight_save(passage->store, passage->arena, passage->project, passage->import, CATEGORY_CREATED, offered));
	enum result result = category_add(passage->store, passage->arena, passage->project, list, offered);
	if (result == RESULT_OK)
		list->stored++;
	if (result != RESULT_CONFLICT)
		return result;
	TRY(sight_forget(passage->store, passage->arena, passage->project, offered->topic));
	TRY(category_list_load(passage->store, passage->arena, passage->project, list));
	return RESULT_CONFLICT;
}

// What is seen is stored after the category: one that differs from it would be taken for an edited one.
static enum result passage_update(struct passage *passage, const struct category *existing, const struct sight *sight,
                                  const struct category *offered, enum category_change *change)
{
	struct category category = *existing;
	bool was_seen = sight->category.stored.data != NULL;
	if (was_seen)
		category_take_over(&category, &sight->category, offered);
	bool differs = !category_is_same(&category, existing);
	if (differs)
		TRY(category_save(passage->store, passage->arena, passage->project, &category));
	// An import that was interrupted right behind category_save has made it what is offered.
	bool was_changed = was_seen && category_is_same(existing, offered) &&
	                   !category_is_same(&sight->category, offered);
	*change = differs || was_changed ? CATEGORY_UPDATED : CATEGORY_KEPT;
	return sight_save(passage->store, passage->arena, passage->project, passage->import, *change, offered);
}

static enum result passage_try(struct passage *passage, const struct category *offered, enum category_change *change)
{
	const struct category *listed = category_find_by_topic(passage->list, offered->topic), *existing;
	struct slice key = listed != NULL ? listed->key : offered->key;
	struct sight sight;
	TRY(sight_load(passage->store, passage->arena, passage->project, offered->topic, &sight));
	enum result result = category_load(passage->store, passage->arena, passage->project, key, &existing);
	*change = CATEGORY_CREATED;
	if (result == RESULT_NOT_FOUND)
		return passage_create(passage, offered);
	TRY(result);
	*change = sight.change;
	if (slice_equal(sight.import, passage->import))
		return RESULT_OK;
	return passage_update(passage, existing, &sight, offered, change);
}

enum result category_import(struct store *store, struct arena *arena, struct slice project, struct slice import,
                            struct category_list *list, const struct topic_description *topic,
                            enum category_change *change)
{
	struct passage passage = {store, arena, project, import, list};
	struct category offered;
	TRY(category_of_topic(arena, topic, &offered));
	enum result result = RESULT_CONFLICT;
	for (int i = 0; i < TRIES && result == RESULT_CONFLICT; i++)
		result = passage_try(&passage, &offered, change);
	return result;
}
