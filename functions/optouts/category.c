// Making and editing a category.
#include "optouts.h"

#define CATEGORY_BODY_LIMIT ((size_t)64 << 10) // bytes
#define ATTEMPTS 100                           // to add one while others are added

// What is left out keeps its value.
static void take_members(const struct json *body, struct category *category)
{
	struct {
		const char *name;
		struct slice *text;
	} texts[] = {
		{"name", &category->name},
		{"description", &category->description},
		{"public_description", &category->public_description},
	};
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (json_is_text(json_get(body, texts[i].name)))
			*texts[i].text = json_text(json_get(body, texts[i].name));
	}
	const struct json *type = json_get(body, "type");
	bool transactional = slice_equal(json_text(type), SLICE("transactional"));
	if (type != NULL)
		category->type = transactional ? CATEGORY_TRANSACTIONAL : CATEGORY_MARKETING;
	const struct json *by_default = json_get(body, "subscribed_by_default"), *archived = json_get(body, "archived");
	if (by_default != NULL)
		category->subscribed_by_default = json_is_true(by_default);
	if (archived != NULL)
		category->archived = json_is_true(archived);
}

static enum result read_topic(struct request *request, const struct json *value, struct slice *topic)
{
	*topic = (struct slice){NULL, 0};
	if (value == NULL || json_is_null(value) || topic_is_valid(request->arena, json_text(value), topic))
		return RESULT_OK;
	return refuse_field(request, "topic", "has to be Customer.io's identifier, such as topic_4");
}

static enum result new_category(struct request *request, struct category *category)
{
	struct slice key = json_text(json_get(request->body, "key")), topic;
	TRY(read_topic(request, json_get(request->body, "topic"), &topic));
	if (!category_key_is_valid(key, topic))
		return refuse_field(request, "key",
		                    "has to be 1 to 64 of A-Z a-z 0-9 _ -; customerio_<topic> belongs to that topic");
	*category = (struct category){
		.key = key,
		.name = key,
		.description = SLICE(""),
		.public_description = SLICE(""),
		.topic = topic,
		.list = slice_is_empty(topic) ? key : category_list_of_topic(request->arena, topic),
		.subscribed_by_default = true,
	};
	take_members(request->body, category);
	return category->list.data != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

static enum result refuse_if_taken(struct request *request, const struct category_list *all,
                                   const struct category *category)
{
	if (category_find(all, category->key) != NULL)
		return refuse(request, RESULT_CONFLICT, "There is a category with this key already.");
	if (!slice_is_empty(category->topic) && category_find_by_topic(all, category->topic) != NULL)
		return refuse(request, RESULT_CONFLICT, "There is a category with this topic already.");
	if (all->stored >= CATEGORIES_MAXIMUM)
		return refuse(request, RESULT_CONFLICT, "The project has 10,000 categories, the most it can have.");
	return RESULT_OK;
}

static enum result try_to_add(struct request *request, const struct category *category)
{
	AUTO(arena_auto) struct arena *arena = arena_new(REQUEST_ARENA_LIMIT);
	enum result result = arena != NULL ? RESULT_CONFLICT : RESULT_NO_MEMORY;
	for (int i = 0; i < ATTEMPTS && result == RESULT_CONFLICT; i++) {
		struct category_list all;
		arena_reset(arena);
		TRY(category_list_load(request->store, arena, request_project(request), &all));
		TRY(refuse_if_taken(request, &all, category));
		result = category_add(request->store, arena, request_project(request), &all, category);
	}
	return result;
}

static enum result add_category(struct request *request, struct answer *answer)
{
	struct category category;
	TRY(new_category(request, &category));
	TRY(try_to_add(request, &category));
	TRY(optouts_category_answer(request, answer, 201, &category));
	struct slice project = request_project(request);
	answer_header(answer, "Location",
	              arena_format(request->arena, "/optouts/%.*s/categories/%.*s", (int)project.length, project.data,
	                           (int)category.key.length, category.key.data));
	return RESULT_OK;
}

#define MEMBERS                                                                                                    \
	{.name = "name",                                                                                           \
         .type = FIELD_TEXT,                                                                                       \
         .minimum = 1,                                                                                             \
         .maximum = CATEGORY_NAME_MAXIMUM,                                                                         \
         .help = "default: the key"},                                                                              \
		{.name = "description",                                                                            \
	         .type = FIELD_TEXT,                                                                               \
	         .maximum = CATEGORY_DESCRIPTION_MAXIMUM,                                                          \
	         .help = "for the team"},                                                                          \
		{.name = "public_description",                                                                     \
	         .type = FIELD_TEXT,                                                                               \
	         .maximum = CATEGORY_DESCRIPTION_MAXIMUM,                                                          \
	         .help = "for recipients"},                                                                        \
		{.name = "type",                                                                                   \
	         .type = FIELD_CHOICE,                                                                             \
	         .choices = "marketing transactional",                                                             \
	         .help = "default marketing"},                                                                     \
		{.name = "subscribed_by_default", .type = FIELD_BOOLEAN, .help = "default true"},                  \
		{.name = "topic",                                                                                  \
	         .type = FIELD_ANY,                                                                                \
	         .help = "Customer.io's topic, such as topic_4, or null; cannot be changed later"},                \
		{.name = "archived", .type = FIELD_BOOLEAN, .help = "hidden from recipients"}

static const struct field add_fields[] = {
	{.name = "key",
         .type = FIELD_TEXT,
         .required = true,
         .minimum = 1,
         .maximum = CATEGORY_KEY_MAXIMUM,
         .help = "letters, digits, _ and -; never changes"},
	MEMBERS,
};

const struct endpoint optouts_category_add = {
	.method = "POST",
	.path = "/optouts/{project}/categories",
	.summary = "Make a category",
	.access = ROLE_ADMIN,
	.body = BODY_JSON,
	.body_limit = CATEGORY_BODY_LIMIT,
	.fields = add_fields,
	.field_count = COUNT_OF(add_fields),
	.handle = add_category,
};

static void refuse_what_never_changes(struct request *request, const struct category *category)
{
	const struct json *key = json_get(request->body, "key"), *topic = json_get(request->body, "topic");
	struct slice canonical;
	if (key != NULL && !slice_equal(json_text(key), category->key))
		refuse_field(request, "key", "never changes");
	if (topic != NULL && read_topic(request, topic, &canonical) == RESULT_OK &&
	    !slice_equal(canonical, category->topic))
		refuse_field(request, "topic", "cannot be changed: make a category for that topic");
}

static enum result edit_category(struct request *request, struct answer *answer)
{
	const struct category *found;
	TRY(optouts_category(request, request_parameter(request, "key"), &found));
	struct category category = *found;
	if (category.stored.data == NULL)
		return refuse(request, RESULT_INVALID, "Reserved categories cannot be edited.");
	refuse_what_never_changes(request, &category);
	if (request->problem.error_count > 0)
		return RESULT_INVALID;
	take_members(request->body, &category);
	TRY(category_save(request->store, request->arena, request_project(request), &category));
	return optouts_category_answer(request, answer, 200, &category);
}

static const struct field edit_fields[] = {
	{.name = "key", .type = FIELD_TEXT, .maximum = CATEGORY_KEY_MAXIMUM, .help = "never changes"},
	MEMBERS,
};

const struct endpoint optouts_category_edit = {
	.method = "PATCH",
	.path = "/optouts/{project}/categories/{key}",
	.summary = "Edit a category; members left out keep their value",
	.access = ROLE_ADMIN,
	.body = BODY_JSON,
	.body_limit = CATEGORY_BODY_LIMIT,
	.fields = edit_fields,
	.field_count = COUNT_OF(edit_fields),
	.handle = edit_category,
};
