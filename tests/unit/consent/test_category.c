// Categories: what they may be called, kept and found again, and the topics that nobody has made one for yet.
#include "../../support/fixture.h"
#include "consent/category.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <string.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}
#define LETTERS_64 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(category, .init = set_up, .fini = tear_down, .timeout = 60);

static void store_text(struct slice key, struct slice text)
{
	struct key_name hash = project_key(f.project, "categories");
	fixture_command(&f, ARGUMENTS(SLICE("HSET"), key_slice(&hash), key, text));
}

static struct slice stored_text(struct slice key)
{
	struct key_name hash = project_key(f.project, "categories");
	return reply_text(fixture_command(&f, ARGUMENTS(SLICE("HGET"), key_slice(&hash), key)));
}

static enum result save(const struct category *category)
{
	return category_save(f.store, f.arena, f.project, category);
}

static const struct category *load(struct slice key)
{
	const struct category *category = NULL;
	cr_assert(category_load(f.store, f.arena, f.project, key, &category) == RESULT_OK);
	return category;
}

static enum result load_result(struct slice key)
{
	const struct category *category;
	return category_load(f.store, f.arena, f.project, key, &category);
}

static struct category_list load_all(void)
{
	struct category_list list;
	cr_assert(category_list_load(f.store, f.arena, f.project, &list) == RESULT_OK);
	return list;
}

static void expect_same(const struct category *a, const struct category *b)
{
	cr_assert(slice_equal(a->key, b->key));
	cr_assert(slice_equal(a->name, b->name));
	cr_assert(slice_equal(a->description, b->description));
	cr_assert(slice_equal(a->public_description, b->public_description));
	cr_assert(a->type == b->type);
	cr_assert(a->subscribed_by_default == b->subscribed_by_default);
	cr_assert(slice_equal(a->topic, b->topic) && (a->topic.data == NULL) == (b->topic.data == NULL));
	cr_assert(slice_equal(a->list, b->list));
	cr_assert(a->archived == b->archived);
}

Test(category, keys)
{
	static const struct {
		struct slice key, topic;
		bool valid;
	} cases[] = {
		{TEXT("a"), {NULL, 0}, true},
		{TEXT("A-Z_0-9"), {NULL, 0}, true},
		{TEXT("-"), {NULL, 0}, true},
		{TEXT(LETTERS_64), {NULL, 0}, true},
		{TEXT(LETTERS_64 "x"), {NULL, 0}, false},
		{TEXT(""), {NULL, 0}, false},
		{{NULL, 0}, {NULL, 0}, false},
		{TEXT("a b"), {NULL, 0}, false},
		{TEXT("a.b"), {NULL, 0}, false},
		{TEXT("a:b"), {NULL, 0}, false},
		{TEXT("a{b}"), {NULL, 0}, false},
		{TEXT("$all"), {NULL, 0}, false},
		{TEXT("\xc3\xa4"), {NULL, 0}, false},
		{TEXT("a\0"), {NULL, 0}, false},
		{TEXT("news"), TEXT("topic_7"), true},
		{TEXT("topic_7"), TEXT("topic_8"), true},
		{TEXT("customerio_topic_7"), TEXT("topic_7"), true},
		{TEXT("customerio_topic_7"), TEXT("topic_8"), false},
		{TEXT("customerio_topic_7"), TEXT("topic_70"), false},
		{TEXT("customerio_topic_7"), {NULL, 0}, false},
		{TEXT("customerio_topic_7"), TEXT(""), false},
		{TEXT("customerio_"), {NULL, 0}, false},
		{TEXT("customerio_"), TEXT(""), false},
		{TEXT("customerio_news"), TEXT("topic_7"), false},
		{TEXT("customerio"), {NULL, 0}, true},
		{TEXT("Customerio_news"), {NULL, 0}, true},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		cr_assert(category_key_is_valid(cases[i].key, cases[i].topic) == cases[i].valid, "%zu", i);
}

Test(category, topics)
{
	static const struct {
		struct slice given, wanted; // wanted data NULL: it is none
	} cases[] = {
		{TEXT("7"), TEXT("topic_7")},
		{TEXT("topic_7"), TEXT("topic_7")},
		{TEXT("0"), TEXT("topic_0")},
		{TEXT("123456789"), TEXT("topic_123456789")},
		{TEXT("topic_123456789"), TEXT("topic_123456789")},
		{TEXT("1234567890"), {NULL, 0}},
		{TEXT("topic_1234567890"), {NULL, 0}},
		{TEXT("topic_"), {NULL, 0}},
		{TEXT("topic"), {NULL, 0}},
		{TEXT("topic_x"), {NULL, 0}},
		{TEXT("topic_7x"), {NULL, 0}},
		{TEXT("topic_topic_7"), {NULL, 0}},
		{TEXT("Topic_7"), {NULL, 0}},
		{TEXT("-7"), {NULL, 0}},
		{TEXT("+7"), {NULL, 0}},
		{TEXT(" 7"), {NULL, 0}},
		{TEXT("7\0"), {NULL, 0}},
		{TEXT(""), {NULL, 0}},
		{{NULL, 0}, {NULL, 0}},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct slice canonical = {NULL, 0};
		bool valid = topic_is_valid(f.arena, cases[i].given, &canonical);
		cr_assert(valid == (cases[i].wanted.data != NULL), "%zu", i);
		cr_assert(!valid || slice_equal(canonical, cases[i].wanted), "%zu: %s", i, canonical.data);
	}
}

Test(category, is_read_as_it_was_saved)
{
	static const struct category saved[] = {
		{.key = TEXT("news"), .list = TEXT("news"), .name = TEXT("News"), .subscribed_by_default = true},
		{.key = TEXT("receipts"), .list = TEXT("receipts"), .name = TEXT("\xc3\x9c \"x\" \\ </p>"),
	         .description = TEXT("for the team"), .public_description = TEXT("for you"),
	         .type = CATEGORY_TRANSACTIONAL, .subscribed_by_default = true, .archived = true},
		{.key = TEXT("mine"), .list = TEXT("customerio_topic_7"), .name = TEXT("Mine"),
	         .topic = TEXT("topic_7")},
		{.key = TEXT("customerio_topic_8"), .list = TEXT("customerio_topic_8"), .name = TEXT("Eight"),
	         .topic = TEXT("topic_8"), .subscribed_by_default = true},
	};
	for (size_t i = 0; i < COUNT_OF(saved); i++)
		cr_assert(save(&saved[i]) == RESULT_OK);
	struct category_list list = load_all();
	cr_assert(list.count == COUNT_OF(saved) && list.topic_count == 2);
	for (size_t i = 0; i < COUNT_OF(saved); i++) {
		expect_same(load(saved[i].key), &saved[i]);
		expect_same(category_find(&list, saved[i].key), &saved[i]);
	}
	expect_same(category_find_by_topic(&list, SLICE("topic_7")), &saved[2]);
	expect_same(category_find_by_topic(&list, SLICE("topic_8")), &saved[3]);
	cr_assert(category_find_by_topic(&list, SLICE("topic_9")) == NULL);
	cr_assert(category_find_by_topic(&list, SLICE("")) == NULL, "having no topic is nothing in common");
	cr_assert(category_find(&list, SLICE("new")) == NULL);
}

Test(category, lists_are_sorted_by_key)
{
	static const struct slice keys[] = {TEXT("b"), TEXT("B"), TEXT("a-"), TEXT("a"), TEXT("_"), TEXT("ab")};
	static const struct slice sorted[] = {TEXT("B"), TEXT("_"), TEXT("a"), TEXT("a-"), TEXT("ab"), TEXT("b")};
	struct category_list list = load_all();
	cr_assert(list.count == 0 && list.topic_count == 0);
	cr_assert(category_find(&list, SLICE("a")) == NULL && category_find_by_topic(&list, SLICE("topic_7")) == NULL);
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		cr_assert(save(&(struct category){.key = keys[i], .name = keys[i]}) == RESULT_OK);
	list = load_all();
	cr_assert(list.count == COUNT_OF(sorted));
	for (size_t i = 0; i < COUNT_OF(sorted); i++)
		cr_assert(slice_equal(list.items[i].key, sorted[i]), "%zu", i);
}

Test(category, of_two_who_save_at_once_the_second_is_told)
{
	struct category made = {.key = SLICE("news"), .name = SLICE("News")};
	cr_assert(save(&made) == RESULT_OK);
	made.name = SLICE("Made again");
	cr_assert(save(&made) == RESULT_CONFLICT, "it is there already");
	struct category first = *load(SLICE("news")), second = first;
	first.name = SLICE("First");
	second.name = SLICE("Second");
	cr_assert(save(&first) == RESULT_OK);
	cr_assert(save(&second) == RESULT_CONFLICT);
	cr_assert(slice_equal(load(SLICE("news"))->name, SLICE("First")));
	second = *load(SLICE("news"));
	second.archived = true;
	cr_assert(save(&second) == RESULT_OK);
	struct category gone = second;
	gone.key = SLICE("gone");
	cr_assert(save(&gone) == RESULT_CONFLICT, "it is there no more");
}

static enum result add(const struct category_list *list, struct slice key)
{
	struct category category = {.key = key, .list = key, .subscribed_by_default = true};
	return category_add(f.store, f.arena, f.project, list, &category);
}

Test(category, of_two_who_add_at_once_the_second_looks_again)
{
	struct category_list first = load_all(), second = load_all();
	cr_assert(add(&first, SLICE("news")) == RESULT_OK);
	cr_assert(add(&second, SLICE("offers")) == RESULT_CONFLICT && load_result(SLICE("offers")) == RESULT_NOT_FOUND);
	second = load_all();
	cr_assert(second.count == 1 && second.stored == 1);
	cr_assert(add(&second, SLICE("news")) == RESULT_CONFLICT, "that one is there");
	cr_assert(add(&second, SLICE("offers")) == RESULT_OK);
	cr_assert(load_all().count == 2 && load(SLICE("offers"))->subscribed_by_default);
	store_text(SLICE("damaged"), SLICE("{"));
	second = load_all();
	cr_assert(second.count == 2 && second.stored == 3);
	cr_assert(add(&second, SLICE("damaged")) == RESULT_CONFLICT, "nor is one replaced that cannot be read");
	cr_assert(add(&second, SLICE("letter")) == RESULT_OK);
}

Test(category, has_a_limit)
{
	static char long_text[64 << 10];
	memset(long_text, 'x', sizeof(long_text));
	struct category category = {.key = SLICE("long"), .description = {long_text, sizeof(long_text)}};
	cr_assert(save(&category) == RESULT_TOO_LARGE);
	cr_assert(load_result(SLICE("long")) == RESULT_NOT_FOUND);
	category.description.length = CATEGORY_DESCRIPTION_MAXIMUM;
	memset(long_text, '"', CATEGORY_DESCRIPTION_MAXIMUM);
	category.public_description = category.description;
	cr_assert(save(&category) == RESULT_OK);
	cr_assert(slice_equal(load(SLICE("long"))->public_description, category.public_description));
}

Test(category, what_cannot_be_read_is_left_out)
{
	static const struct slice unreadable[] = {
		TEXT(""),     TEXT("{"),
		TEXT("x"),    TEXT("{}{}"),
		TEXT("null"), TEXT("7"),
		TEXT("[]"),   TEXT("\"news\""),
		TEXT("{\"name\":\"\xff\"}"), TEXT("{\"name\":\"a\",\"name\":\"b\"}"),
		TEXT("{\"topic\":\"seven\"}"), TEXT("{\"topic\":\"7\"}"),
	};
	cr_assert(save(&(struct category){.key = SLICE("news"), .name = SLICE("News")}) == RESULT_OK);
	store_text(SLICE("no key"), SLICE("{\"name\":\"x\"}"));
	for (size_t i = 0; i < COUNT_OF(unreadable); i++) {
		struct slice key = arena_format(f.arena, "unreadable%zu", i);
		store_text(key, unreadable[i]);
		struct category_list list = load_all();
		cr_assert(list.count == 1 && slice_equal(list.items[0].key, SLICE("news")), "%zu", i);
		cr_assert(list.topic_count == 0, "%zu", i);
		cr_assert(load_result(key) == RESULT_UNAVAILABLE, "%zu", i);
	}
}

// A member that is missing or makes no sense must not let mail through.
Test(category, members_that_are_missing_let_nothing_through)
{
	static const struct slice texts[] = {
		TEXT("{}"),
		TEXT("{\"name\":7,\"description\":null,\"type\":\"other\",\"subscribed_by_default\":\"true\","
	             "\"topic\":null,\"archived\":1,\"more\":[]}"),
	};
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		store_text(SLICE("bare"), texts[i]);
		const struct category *bare = load(SLICE("bare"));
		cr_assert(bare->type == CATEGORY_MARKETING && !bare->subscribed_by_default && !bare->archived);
		cr_assert(slice_is_empty(bare->topic) && slice_equal(bare->list, SLICE("bare")));
		cr_assert(slice_is_empty(bare->name) && bare->name.data != NULL && slice_equal(bare->stored, texts[i]));
	}
}

Test(category, reserved_ones_need_not_be_stored)
{
	cr_assert(load(SLICE("$all")) == &category_all);
	cr_assert(load(SLICE("$complaint")) == &category_complaint);
	cr_assert(load_result(SLICE("$bounced")) == RESULT_NOT_FOUND, "a note is no category to choose");
	cr_assert(load_result(SLICE("$dropped")) == RESULT_NOT_FOUND);
	cr_assert(load_result(SLICE("$ALL")) == RESULT_NOT_FOUND);
	cr_assert(load_result(SLICE("news")) == RESULT_NOT_FOUND);
	cr_assert(load_result(SLICE("")) == RESULT_NOT_FOUND);
	store_text(SLICE("no key"), SLICE("{}"));
	cr_assert(load_result(SLICE("no key")) == RESULT_NOT_FOUND);
}

static void find_topics(const struct slice *topics, size_t count, const struct category **found)
{
	struct category_list list = load_all();
	cr_assert(categories_for_topics(f.store, f.arena, f.project, &list, topics, count, found) == RESULT_OK);
}

static int64_t unknown_count(void)
{
	struct key_name key = project_key(f.project, "unknown_topics");
	return reply_integer(fixture_command(&f, ARGUMENTS(SLICE("SCARD"), key_slice(&key))));
}

Test(category, topics_are_known_archived_or_of_the_future)
{
	static const struct slice topics[] = {TEXT("topic_9"), TEXT("topic_7"), TEXT("topic_9"), TEXT("topic_8")};
	const struct category *found[COUNT_OF(topics)];
	struct category mine = {.key = SLICE("mine"), .topic = SLICE("topic_7")};
	struct category old = {.key = SLICE("customerio_topic_8"), .topic = SLICE("topic_8"), .archived = true};
	cr_assert(save(&mine) == RESULT_OK && save(&old) == RESULT_OK);
	find_topics(topics, 0, NULL);
	for (int round = 0; round < 2; round++) {
		find_topics(topics, COUNT_OF(topics), found);
		cr_assert(slice_equal(found[1]->key, SLICE("mine")));
		cr_assert(slice_equal(found[3]->key, SLICE("customerio_topic_8")) && found[3]->archived);
		for (size_t i = 0; i <= 2; i += 2) {
			cr_assert(slice_equal(found[i]->key, SLICE("customerio_topic_9")));
			cr_assert(slice_equal(found[i]->list, SLICE("customerio_topic_9")));
			cr_assert(slice_equal(found[i]->topic, SLICE("topic_9")));
			cr_assert(found[i]->type == CATEGORY_MARKETING && found[i]->subscribed_by_default);
			cr_assert(!found[i]->archived && found[i]->stored.data == NULL);
		}
		cr_assert(unknown_count() == 1, "known ones are not registered, unknown ones once");
	}
	cr_assert(load_all().count == 2, "a future category is not made by that");
}

Test(category, foreseen_topics_are_what_they_will_be)
{
	static struct slice topics[UNKNOWN_TOPICS_MAXIMUM + 1];
	static const struct category *found[UNKNOWN_TOPICS_MAXIMUM + 1];
	struct category mine = {.key = SLICE("mine"), .topic = SLICE("topic_0")};
	cr_assert(save(&mine) == RESULT_OK);
	struct category_list list = load_all();
	for (size_t i = 0; i < COUNT_OF(topics); i++)
		topics[i] = arena_format(f.arena, "topic_%zu", i);
	cr_assert(categories_foresee_topics(f.store, f.arena, f.project, &list, topics, COUNT_OF(topics), found) ==
	          RESULT_OK);
	cr_assert(unknown_count() == 0, "nothing is registered");
	cr_assert(slice_equal(found[0]->key, SLICE("mine")));
	cr_assert(slice_equal(found[9]->list, SLICE("customerio_topic_9")));
	find_topics(&topics[9], 1, found);
	cr_assert(unknown_count() == 1);
	cr_assert(categories_foresee_topics(f.store, f.arena, f.project, &list, &topics[9], 1, found) == RESULT_OK);
	cr_assert(slice_equal(found[0]->list, SLICE("customerio_topic_9")));
}

#define MANY 3000
Test(category, thousands_of_topics_at_once)
{
	static struct slice topics[MANY];
	static const struct category *found[MANY];
	for (size_t i = 0; i < MANY; i++) {
		topics[i] = arena_format(f.arena, "topic_%zu", i);
		struct category own = {.key = arena_format(f.arena, "own_%zu", i), .topic = topics[i]};
		cr_assert(i % 3 != 0 || save(&own) == RESULT_OK);
	}
	find_topics(topics, MANY, found);
	for (size_t i = 0; i < MANY; i++) {
		struct slice key = arena_format(f.arena, i % 3 == 0 ? "own_%zu" : "customerio_topic_%zu", i);
		cr_assert(found[i] != NULL && slice_equal(found[i]->key, key), "%zu", i);
		cr_assert(slice_equal(found[i]->list, arena_format(f.arena, "customerio_topic_%zu", i)), "%zu", i);
	}
	cr_assert(unknown_count() == MANY - MANY / 3);
}

Test(category, unknown_topics_have_a_limit)
{
	static struct slice topics[UNKNOWN_TOPICS_MAXIMUM + 2];
	static const struct category *found[UNKNOWN_TOPICS_MAXIMUM + 2];
	cr_assert(save(&(struct category){.key = SLICE("mine"), .topic = SLICE("topic_7")}) == RESULT_OK);
	for (size_t i = 0; i < COUNT_OF(topics); i++)
		topics[i] = arena_format(f.arena, "topic_%zu", 1000 + i);
	find_topics(topics, UNKNOWN_TOPICS_MAXIMUM - 1, found);
	cr_assert(unknown_count() == UNKNOWN_TOPICS_MAXIMUM - 1);
	find_topics(topics, COUNT_OF(topics), found);
	for (size_t i = 0; i < UNKNOWN_TOPICS_MAXIMUM; i++)
		cr_assert(found[i] != NULL, "%zu", i);
	cr_assert(found[UNKNOWN_TOPICS_MAXIMUM] == NULL && found[UNKNOWN_TOPICS_MAXIMUM + 1] == NULL);
	cr_assert(unknown_count() == UNKNOWN_TOPICS_MAXIMUM);
	topics[1] = SLICE("topic_7");
	topics[2] = SLICE("topic_1");
	find_topics(topics, 3, found);
	cr_assert(found[0] != NULL && found[1] != NULL && found[2] == NULL, "what is known is found when it is full");
}

static struct slice written(const struct category *category, int64_t count)
{
	struct buffer *buffer = buffer_new(f.arena, 4096);
	struct json_writer out = json_writer_on(buffer);
	category_write(category, count, &out);
	cr_assert(!buffer_failed(buffer));
	return buffer_slice(buffer);
}

Test(category, is_written_with_all_its_members)
{
	struct category category = {
		.key = SLICE("mine"), .name = SLICE("Mine"), .description = SLICE("d"),
		.public_description = SLICE("p"), .type = CATEGORY_TRANSACTIONAL, .topic = SLICE("topic_7"),
		.archived = true, .list = SLICE("not shown")};
	cr_assert(slice_equal(written(&category, 3),
	                      SLICE("{\"key\":\"mine\",\"name\":\"Mine\",\"description\":\"d\","
	                            "\"public_description\":\"p\",\"type\":\"transactional\","
	                            "\"subscribed_by_default\":false,\"topic\":\"topic_7\",\"archived\":true,"
	                            "\"opted_out_count\":3}")));
	cr_assert(save(&(struct category){.key = SLICE("news"), .subscribed_by_default = true}) == RESULT_OK);
	cr_assert(slice_equal(written(load(SLICE("news")), -1),
	                      SLICE("{\"key\":\"news\",\"name\":\"\",\"description\":\"\",\"public_description\":\"\","
	                            "\"type\":\"marketing\",\"subscribed_by_default\":true,\"topic\":null,"
	                            "\"archived\":false}")));
}

Test(category, is_stored_as_json_without_its_key)
{
	cr_assert(save(&(struct category){.key = SLICE("news"), .name = SLICE("News")}) == RESULT_OK);
	const struct json *json;
	cr_assert(json_parse(f.arena, stored_text(SLICE("news")), &json, NULL) == RESULT_OK);
	cr_assert(json_get(json, "key") == NULL && slice_equal(json_text(json_get(json, "name")), SLICE("News")));
}

Test(category, everything_that_may_hold_choices)
{
	static const char *const wanted[][2] = {
		{"$all", "$all"}, {"$complaint", "$complaint"}, {"a", "a"}, {"z", "customerio_topic_7"},
		{"customerio_topic_100", "customerio_topic_100"}, {"customerio_topic_9", "customerio_topic_9"},
	};
	const struct slice topics[] = {SLICE("topic_9"), SLICE("topic_100"), SLICE("topic_7")};
	const struct category *found[COUNT_OF(topics)], **all;
	size_t count;
	find_topics(topics, COUNT_OF(topics), found);
	cr_assert(save(&(struct category){.key = SLICE("z"), .topic = SLICE("topic_7")}) == RESULT_OK);
	cr_assert(save(&(struct category){.key = SLICE("a"), .archived = true}) == RESULT_OK);
	struct category_list list = load_all();
	cr_assert(category_list_everything(f.store, f.arena, f.project, &list, &all, &count) == RESULT_OK);
	cr_assert(count == COUNT_OF(wanted));
	for (size_t i = 0; i < count; i++) {
		cr_assert(slice_equal(all[i]->key, slice_of(wanted[i][0])), "%zu: %s", i, all[i]->key.data);
		cr_assert(slice_equal(all[i]->list, slice_of(wanted[i][1])), "%zu: %s", i, all[i]->list.data);
		struct slice key = category_key_of_list(&list, all[i]->list);
		cr_assert(slice_equal(key, all[i]->key), "%zu: %s", i, key.data);
	}
	cr_assert(slice_equal(category_key_of_list(&list, SLICE("$bounced")), SLICE("$bounced")));
	cr_assert(slice_equal(category_key_of_list(&list, SLICE("customerio_")), SLICE("customerio_")));
}

Test(category, without_a_store_nothing_is_known)
{
	struct store *nobody;
	const char *reason;
	struct category_list list = {.count = 0};
	const struct category *found[1];
	struct slice topic = SLICE("topic_7");
	cr_assert(store_new(SLICE("unix:///nonexistent/redis.sock"), 0, &nobody, &reason) == RESULT_OK);
	cr_assert(category_list_load(nobody, f.arena, f.project, &list) == RESULT_UNAVAILABLE);
	cr_assert(category_load(nobody, f.arena, f.project, SLICE("news"), found) == RESULT_UNAVAILABLE);
	cr_assert(category_save(nobody, f.arena, f.project, &category_all) == RESULT_UNAVAILABLE);
	cr_assert(category_add(nobody, f.arena, f.project, &list, &category_all) == RESULT_UNAVAILABLE);
	cr_assert(categories_for_topics(nobody, f.arena, f.project, &list, &topic, 1, found) == RESULT_UNAVAILABLE);
	const struct category **all;
	size_t count;
	cr_assert(category_list_everything(nobody, f.arena, f.project, &list, &all, &count) == RESULT_UNAVAILABLE);
	store_free(nobody);
}
