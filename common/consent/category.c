#include "consent/category.h"

#include "base/log.h"
#include "project/project.h"

#include <stdlib.h>
#include <string.h>

STORE_SCRIPT(add_category, "common/consent/add_category.lua");
STORE_SCRIPT(register_topics, "common/consent/register_topics.lua");

#define STORED_CATEGORY_LIMIT (64 << 10)
#define TOPICS_A_SCRIPT 1000
#define TOPIC_PREFIX "topic_"
#define TOPIC_DIGITS 9
#define IMPORTED_PREFIX "customerio_"
#define TEXT(literal) {literal, sizeof(literal) - 1}

const struct category category_all = {
	.key = TEXT("$all"), .list = TEXT("$all"), .name = TEXT("All marketing"), .type = CATEGORY_GLOBAL,
	.subscribed_by_default = true};
const struct category category_complaint = {
	.key = TEXT("$complaint"), .list = TEXT("$complaint"), .name = TEXT("Complaint"), .type = CATEGORY_COMPLAINT,
	.subscribed_by_default = true};
const struct category category_bounced = {
	.key = TEXT("$bounced"), .list = TEXT("$bounced"), .type = CATEGORY_NOTE, .subscribed_by_default = true};
const struct category category_dropped = {
	.key = TEXT("$dropped"), .list = TEXT("$dropped"), .type = CATEGORY_NOTE, .subscribed_by_default = true};

const char *category_type_name(enum category_type type)
{
	return type == CATEGORY_TRANSACTIONAL ? "transactional" : "marketing";
}

static bool category_key_is_word(struct slice key)
{
	if (key.length < 1 || key.length > CATEGORY_KEY_MAXIMUM)
		return false;
	for (size_t i = 0; i < key.length; i++) {
		char c = key.data[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-')
			return false;
	}
	return true;
}

bool category_key_is_valid(struct slice key, struct slice topic)
{
	if (!category_key_is_word(key))
		return false;
	if (!slice_starts_with(key, SLICE(IMPORTED_PREFIX)))
		return true;
	return !slice_is_empty(topic) && slice_equal(slice_from(key, sizeof(IMPORTED_PREFIX) - 1), topic);
}

bool topic_is_valid(struct arena *arena, struct slice topic, struct slice *canonical)
{
	struct slice digits = topic;
	if (slice_starts_with(topic, SLICE(TOPIC_PREFIX)))
		digits = slice_from(topic, sizeof(TOPIC_PREFIX) - 1);
	if (digits.length < 1 || digits.length > TOPIC_DIGITS)
		return false;
	for (size_t i = 0; i < digits.length; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return false;
	}
	*canonical = arena_format(arena, TOPIC_PREFIX "%.*s", (int)digits.length, digits.data);
	return canonical->data != NULL;
}

static struct slice category_member(const struct json *json, const char *name)
{
	struct slice text = json_text(json_get(json, name));
	return slice_is_empty(text) ? SLICE("") : text;
}

struct slice category_list_of_topic(struct arena *arena, struct slice topic)
{
	return arena_format(arena, IMPORTED_PREFIX "%.*s", (int)topic.length, topic.data);
}

// The topic as topic_is_valid gives it; data NULL when there is none. Another text would name another list.
static enum result category_parse_topic(struct arena *arena, const struct json *json, struct slice *topic)
{
	struct slice text = json_text(json_get(json, "topic"));
	*topic = (struct slice){NULL, 0};
	if (slice_is_empty(text))
		return RESULT_OK;
	return topic_is_valid(arena, text, topic) && slice_equal(*topic, text) ? RESULT_OK : RESULT_MALFORMED;
}

enum result category_parse(struct arena *arena, struct slice key, struct slice stored, struct category *category)
{
	const struct json *json;
	struct slice topic;
	TRY(json_parse(arena, stored, &json, NULL));
	if (!json_is_object(json) || !category_key_is_word(key))
		return RESULT_MALFORMED;
	TRY(category_parse_topic(arena, json, &topic));
	bool transactional = slice_equal(json_text(json_get(json, "type")), SLICE("transactional"));
	*category = (struct category){
		.key = key,
		.name = category_member(json, "name"),
		.description = category_member(json, "description"),
		.public_description = category_member(json, "public_description"),
		.type = transactional ? CATEGORY_TRANSACTIONAL : CATEGORY_MARKETING,
		// Whatever cannot be read must not let mail through.
		.subscribed_by_default = json_is_true(json_get(json, "subscribed_by_default")),
		.topic = topic,
		.list = topic.data == NULL ? key : category_list_of_topic(arena, topic),
		.archived = json_is_true(json_get(json, "archived")),
		.stored = stored,
	};
	return category->list.data != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

static int category_compare(const void *a, const void *b)
{
	return slice_compare(((const struct category *)a)->key, ((const struct category *)b)->key);
}

static int category_compare_topic(const void *a, const void *b)
{
	const struct category *const *first = a, *const *second = b;
	return slice_compare((*first)->topic, (*second)->topic);
}

static enum result category_list_index(struct arena *arena, struct category_list *list)
{
	qsort(list->items, list->count, sizeof(*list->items), category_compare);
	list->by_topic = arena_array(arena, list->count + 1, sizeof(struct category *));
	if (list->by_topic == NULL)
		return RESULT_NO_MEMORY;
	list->topic_count = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (!slice_is_empty(list->items[i].topic))
			list->by_topic[list->topic_count++] = &list->items[i];
	}
	qsort(list->by_topic, list->topic_count, sizeof(struct category *), category_compare_topic);
	return RESULT_OK;
}

enum result category_list_load(struct store *store, struct arena *arena, struct slice project,
                               struct category_list *list)
{
	const struct reply *reply;
	struct key_name key = project_key(project, "categories");
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HGETALL"), key_slice(&key))));
	struct category *items = arena_array(arena, reply_count(reply) / 2 + 1, sizeof(*items));
	*list = (struct category_list){.items = items, .stored = reply_count(reply) / 2};
	if (list->items == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i + 1 < reply_count(reply); i += 2) {
		struct slice name = reply_text(reply_at(reply, i)), stored = reply_text(reply_at(reply, i + 1));
		enum result result = category_parse(arena, name, stored, &list->items[list->count]);
		if (result == RESULT_NO_MEMORY)
			return result;
		if (result == RESULT_OK)
			list->count++;
		else
			LOG(LOG_ERROR, "category not readable", {"project", project}, {"category", name});
	}
	return category_list_index(arena, list);
}

bool category_send(struct store *store, struct slice project, struct slice key)
{
	if (!category_key_is_word(key))
		return false;
	struct key_name hash = project_key(project, "categories");
	store_send(store, ARGUMENTS(SLICE("HGET"), key_slice(&hash), key));
	return true;
}

enum result category_receive(struct store *store, struct arena *arena, struct slice key, bool sent,
                             const struct category **category)
{
	if (slice_equal(key, category_all.key) || slice_equal(key, category_complaint.key)) {
		*category = slice_equal(key, category_all.key) ? &category_all : &category_complaint;
		return RESULT_OK;
	}
	if (!sent)
		return RESULT_NOT_FOUND;
	const struct reply *reply;
	TRY(store_receive(store, arena, &reply));
	if (reply_is_null(reply))
		return RESULT_NOT_FOUND;
	struct category *loaded = arena_alloc(arena, sizeof(*loaded));
	if (loaded == NULL)
		return RESULT_NO_MEMORY;
	if (category_parse(arena, key, reply_text(reply), loaded) != RESULT_OK)
		return RESULT_UNAVAILABLE;
	*category = loaded;
	return RESULT_OK;
}

enum result category_load(struct store *store, struct arena *arena, struct slice project, struct slice key,
                          const struct category **category)
{
	bool sent = category_send(store, project, key);
	return category_receive(store, arena, key, sent, category);
}

const struct category *category_find(const struct category_list *list, struct slice key)
{
	if (list->count == 0)
		return NULL;
	struct category wanted = {.key = key};
	return bsearch(&wanted, list->items, list->count, sizeof(*list->items), category_compare);
}

const struct category *category_find_by_topic(const struct category_list *list, struct slice topic)
{
	if (list->topic_count == 0)
		return NULL;
	const struct category wanted = {.topic = topic}, *pointer = &wanted;
	const struct category **found = bsearch(&pointer, list->by_topic, list->topic_count, sizeof(*list->by_topic),
	                                        category_compare_topic);
	return found != NULL ? *found : NULL;
}

static const struct category *category_of_future(struct arena *arena, struct slice topic)
{
	struct category *category = arena_alloc(arena, sizeof(*category));
	struct slice list = category_list_of_topic(arena, topic);
	if (category == NULL || list.data == NULL)
		return NULL;
	*category = (struct category){
		.key = list,
		.name = topic,
		.topic = topic,
		.list = list,
		.type = CATEGORY_MARKETING,
		.subscribed_by_default = true,
	};
	return category;
}

// Registers the topics that found[] has no category for, TOPICS_A_SCRIPT at a time, and fills their places.
static enum result categories_register(struct store *store, struct arena *arena, struct slice project, bool dry_run,
                                       const struct slice *topics, const size_t *unknown, size_t count,
                                       const struct category **found)
{
	struct key_name key = project_key(project, "unknown_topics");
	struct slice *arguments = arena_array(arena, 3 + TOPICS_A_SCRIPT, sizeof(*arguments));
	if (arguments == NULL)
		return RESULT_NO_MEMORY;
	arguments[0] = key_slice(&key);
	arguments[1] = arena_format(arena, "%d", UNKNOWN_TOPICS_MAXIMUM);
	arguments[2] = dry_run ? SLICE("1") : SLICE("0");
	for (size_t from = 0; from < count; from += TOPICS_A_SCRIPT) {
		size_t n = count - from < TOPICS_A_SCRIPT ? count - from : TOPICS_A_SCRIPT;
		for (size_t i = 0; i < n; i++)
			arguments[3 + i] = topics[unknown[from + i]];
		store_send_script(store, &register_topics, 1, arguments, 3 + n);
		const struct reply *reply;
		TRY(store_receive(store, arena, &reply));
		struct slice answers = reply_text(reply);
		for (size_t i = 0; i < n; i++) {
			if (i >= answers.length || answers.data[i] != '1')
				continue;
			found[unknown[from + i]] = category_of_future(arena, topics[unknown[from + i]]);
			if (found[unknown[from + i]] == NULL)
				return RESULT_NO_MEMORY;
		}
	}
	return RESULT_OK;
}

static enum result categories_find(struct store *store, struct arena *arena, struct slice project, bool dry_run,
                                   const struct category_list *list, const struct slice *topics, size_t count,
                                   const struct category **found)
{
	size_t *unknown = arena_array(arena, count + 1, sizeof(*unknown)), unknown_count = 0;
	if (unknown == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		found[i] = category_find_by_topic(list, topics[i]);
		if (found[i] == NULL)
			unknown[unknown_count++] = i;
	}
	return categories_register(store, arena, project, dry_run, topics, unknown, unknown_count, found);
}

enum result categories_for_topics(struct store *store, struct arena *arena, struct slice project,
                                  const struct category_list *list, const struct slice *topics, size_t count,
                                  const struct category **found)
{
	return categories_find(store, arena, project, false, list, topics, count, found);
}

enum result categories_foresee_topics(struct store *store, struct arena *arena, struct slice project,
                                      const struct category_list *list, const struct slice *topics, size_t count,
                                      const struct category **found)
{
	return categories_find(store, arena, project, true, list, topics, count, found);
}

static int category_compare_pointers(const void *a, const void *b)
{
	return category_compare(*(const struct category *const *)a, *(const struct category *const *)b);
}

enum result category_list_everything(struct store *store, struct arena *arena, struct slice project,
                                     const struct category_list *list, const struct category ***all, size_t *count)
{
	const struct reply *topics;
	struct key_name key = project_key(project, "unknown_topics");
	TRY(store_call(store, arena, &topics, ARGUMENTS(SLICE("SMEMBERS"), key_slice(&key))));
	size_t known = 0, topic_count = reply_count(topics);
	const struct category **found = arena_array(arena, 2 + list->count + topic_count, sizeof(*found));
	if (found == NULL)
		return RESULT_NO_MEMORY;
	found[known++] = &category_all;
	found[known++] = &category_complaint;
	for (size_t i = 0; i < list->count; i++)
		found[known++] = &list->items[i];
	*count = known;
	for (size_t i = 0; i < topic_count; i++) {
		struct slice topic = reply_text(reply_at(topics, i));
		if (category_find_by_topic(list, topic) != NULL)
			continue;
		found[*count] = category_of_future(arena, topic);
		if (found[(*count)++] == NULL)
			return RESULT_NO_MEMORY;
	}
	qsort(found + known, *count - known, sizeof(*found), category_compare_pointers);
	*all = found;
	return RESULT_OK;
}

struct slice category_key_of_list(const struct category_list *list, struct slice name)
{
	if (!slice_starts_with(name, SLICE(IMPORTED_PREFIX)))
		return name;
	const struct category *category = category_find_by_topic(list, slice_from(name, sizeof(IMPORTED_PREFIX) - 1));
	return category != NULL ? category->key : name;
}

static void category_write_members(const struct category *category, struct json_writer *out)
{
	json_member_text(out, "name", category->name);
	json_member_text(out, "description", category->description);
	json_member_text(out, "public_description", category->public_description);
	json_member_text(out, "type", slice_of(category_type_name(category->type)));
	json_member_boolean(out, "subscribed_by_default", category->subscribed_by_default);
	json_member_text(out, "topic", category->topic);
	json_member_boolean(out, "archived", category->archived);
}

enum result category_text(struct arena *arena, const struct category *category, struct slice *text)
{
	struct buffer *buffer = buffer_new(arena, STORED_CATEGORY_LIMIT);
	if (buffer == NULL)
		return RESULT_NO_MEMORY;
	struct json_writer out = json_writer_on(buffer);
	json_open_object(&out);
	category_write_members(category, &out);
	json_close_object(&out);
	if (buffer_failed(buffer))
		return arena_failed(arena) ? RESULT_NO_MEMORY : RESULT_TOO_LARGE;
	*text = buffer_slice(buffer);
	return RESULT_OK;
}

enum result category_add(struct store *store, struct arena *arena, struct slice project,
                         const struct category_list *list, const struct category *category)
{
	struct key_name hash = project_key(project, "categories");
	struct slice text, known = arena_format(arena, "%zu", list->stored);
	const struct reply *reply;
	if (known.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(category_text(arena, category, &text));
	store_send_script(store, &add_category, 1, ARGUMENTS(key_slice(&hash), known, category->key, text));
	TRY(store_receive(store, arena, &reply));
	return reply_integer(reply) == 1 ? store_confirm(store, arena) : RESULT_CONFLICT;
}

enum result category_save(struct store *store, struct arena *arena, struct slice project,
                          const struct category *category)
{
	struct key_name hash = project_key(project, "categories");
	struct slice text;
	TRY(category_text(arena, category, &text));
	return field_replace(store, arena, &hash, category->key, category->stored, text);
}

void category_write(const struct category *category, int64_t opted_out_count, struct json_writer *out)
{
	json_open_object(out);
	json_member_text(out, "key", category->key);
	category_write_members(category, out);
	if (opted_out_count >= 0)
		json_member_integer(out, "opted_out_count", opted_out_count);
	json_close_object(out);
}
