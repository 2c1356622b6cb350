// Categories that come from Customer.io's topics, and what was edited here meanwhile.
#include "../../support/fixture.h"
#include "consent/category_import.h"
#include "project/project.h"

#include <criterion/criterion.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}

static struct fixture f;
static struct category_list list;
static void set_up(void)
{
	f = fixture_open();
	cr_assert_eq(category_list_load(f.store, f.arena, f.project, &list), RESULT_OK);
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(category_import, .init = set_up, .fini = tear_down, .timeout = 60);

static const struct topic_description news = {.topic = TEXT("topic_4"),
                                              .name = TEXT("News"),
                                              .description = TEXT("What is new"),
                                              .public_description = TEXT("Our news"),
                                              .subscribed_by_default = true};

static enum category_change import_as(const char *id, struct topic_description topic)
{
	enum category_change change;
	cr_assert_eq(category_import(f.store, f.arena, f.project, slice_of(id), &list, &topic, &change), RESULT_OK);
	return change;
}

// Each is another import.
static enum category_change import(struct topic_description topic)
{
	static int number;
	return import_as(arena_format(f.arena, "import%d", number++).data, topic);
}

static const struct category *category(struct slice key)
{
	const struct category *found;
	cr_assert_eq(category_load(f.store, f.arena, f.project, key, &found), RESULT_OK);
	return found;
}

static void edit(struct category edited)
{
	cr_assert_eq(category_save(f.store, f.arena, f.project, &edited), RESULT_OK);
}

#define IMPORTED category(SLICE("customerio_topic_4"))
#define EXPECT_TEXT(text, wanted)                                                                                  \
	cr_assert(slice_equal(text, slice_of(wanted)), "%.*s", (int)(text).length, (text).data)

Test(category_import, makes_what_is_new)
{
	cr_assert_eq(import(news), CATEGORY_CREATED);
	const struct category *made = IMPORTED;
	EXPECT_TEXT(made->name, "News");
	EXPECT_TEXT(made->description, "What is new");
	EXPECT_TEXT(made->public_description, "Our news");
	EXPECT_TEXT(made->topic, "topic_4");
	EXPECT_TEXT(made->list, "customerio_topic_4");
	cr_assert(made->type == CATEGORY_MARKETING && made->subscribed_by_default && !made->archived);
	cr_assert_eq(import(news), CATEGORY_KEPT);
}

Test(category_import, takes_over_what_nobody_has_edited)
{
	struct topic_description later = news;
	import(news);
	later.name = SLICE("Letters");
	later.subscribed_by_default = false;
	later.transactional = true;
	cr_assert_eq(import(later), CATEGORY_UPDATED);
	const struct category *updated = IMPORTED;
	EXPECT_TEXT(updated->name, "Letters");
	EXPECT_TEXT(updated->description, "What is new");
	cr_assert(updated->type == CATEGORY_TRANSACTIONAL && !updated->subscribed_by_default);
	cr_assert_eq(import(later), CATEGORY_KEPT);
}

Test(category_import, keeps_what_was_edited_here)
{
	import(news);
	struct category edited = *IMPORTED;
	edited.name = SLICE("My news");
	edited.subscribed_by_default = false;
	edited.archived = true;
	edit(edited);
	cr_assert_eq(import(news), CATEGORY_KEPT);

	struct topic_description later = news;
	later.name = SLICE("Letters");
	later.description = SLICE("Once a month");
	cr_assert_eq(import(later), CATEGORY_UPDATED);
	cr_assert_eq(import(later), CATEGORY_KEPT);
	const struct category *kept = IMPORTED;
	EXPECT_TEXT(kept->name, "My news");
	EXPECT_TEXT(kept->description, "Once a month");
	cr_assert(kept->archived && !kept->subscribed_by_default);
}

Test(category_import, leaves_a_category_that_was_made_by_hand)
{
	struct category mine = {.key = SLICE("mine"), .name = SLICE("Mine"), .topic = SLICE("topic_4"),
	                        .list = SLICE("customerio_topic_4")};
	cr_assert_eq(category_add(f.store, f.arena, f.project, &list, &mine), RESULT_OK);
	cr_assert_eq(import(news), CATEGORY_KEPT);
	cr_assert_eq(category_list_load(f.store, f.arena, f.project, &list), RESULT_OK);
	cr_assert_eq(list.count, 1);
	EXPECT_TEXT(list.items[0].name, "Mine");
	cr_assert(!list.items[0].subscribed_by_default);
}

Test(category_import, two_topics_may_have_one_name)
{
	struct topic_description other = news;
	other.topic = SLICE("topic_5");
	cr_assert_eq(import(news), CATEGORY_CREATED);
	cr_assert_eq(import(other), CATEGORY_CREATED);
	EXPECT_TEXT(category(SLICE("customerio_topic_5"))->name, "News");
}

Test(category_import, texts_become_what_a_category_may_have)
{
	char name[200], description[5000];
	for (size_t i = 0; i + 1 < sizeof(name); i += 2)
		name[i] = '\xc3', name[i + 1] = '\xa4';
	for (size_t i = 0; i < sizeof(description); i++)
		description[i] = i % 2 == 0 ? 'a' : '\n';
	struct topic_description odd = {
		.topic = SLICE("topic_4"), .name = {name, 199}, .description = {description, 5000}};
	name[0] = 'x';
	name[1] = '\t';
	import(odd);
	const struct category *made = IMPORTED;
	cr_assert(made->name.length <= CATEGORY_NAME_MAXIMUM && made->name.length >= CATEGORY_NAME_MAXIMUM - 1);
	cr_assert(slice_is_utf8(made->name) && slice_starts_with(made->name, SLICE("x \xc3\xa4")));
	cr_assert_eq(made->description.length, CATEGORY_DESCRIPTION_MAXIMUM);
	cr_assert(!slice_contains(made->description, '\n'));
	odd.name = SLICE(" \t");
	odd.topic = SLICE("topic_5");
	import(odd);
	EXPECT_TEXT(category(SLICE("customerio_topic_5"))->name, "topic_5");
}

Test(category_import, somebody_makes_one_meanwhile)
{
	struct category_list theirs = list;
	struct category other = {.key = SLICE("other"), .name = SLICE("Other"), .list = SLICE("other")};
	cr_assert_eq(category_add(f.store, f.arena, f.project, &theirs, &other), RESULT_OK);
	cr_assert_eq(import(news), CATEGORY_CREATED);
	EXPECT_TEXT(IMPORTED->name, "News");
}

Test(category_import, has_no_room_beyond_the_most)
{
	enum category_change change;
	list.stored = CATEGORIES_MAXIMUM;
	cr_assert_eq(category_import(f.store, f.arena, f.project, SLICE("i"), &list, &news, &change),
	             RESULT_LIMITED);
}

// As an interruption leaves it: one of the two is there.
static void forget(const char *hash, struct slice field)
{
	struct key_name key = project_key(f.project, hash);
	const struct reply *reply;
	cr_assert_eq(store_call(f.store, f.arena, &reply, ARGUMENTS(SLICE("HDEL"), key_slice(&key), field)), RESULT_OK);
	cr_assert_eq(reply_integer(reply), 1);
	cr_assert_eq(category_list_load(f.store, f.arena, f.project, &list), RESULT_OK);
}

Test(category_import, an_interrupted_import_counts_each_change_once)
{
	cr_assert_eq(import_as("one", news), CATEGORY_CREATED);
	cr_assert_eq(import_as("one", news), CATEGORY_CREATED, "again");
	forget("categories", SLICE("customerio_topic_4"));
	cr_assert_eq(import_as("one", news), CATEGORY_CREATED, "interrupted before the category was made");

	struct topic_description later = news;
	later.name = SLICE("Letters");
	struct category halfway = *IMPORTED;
	halfway.name = later.name;
	edit(halfway);
	cr_assert_eq(import_as("two", later), CATEGORY_UPDATED, "interrupted behind the update of the category");
	cr_assert_eq(import_as("two", later), CATEGORY_UPDATED, "again");
	cr_assert_eq(import_as("three", later), CATEGORY_KEPT);
	later.name = SLICE("More");
	cr_assert_eq(import_as("four", later), CATEGORY_UPDATED);
	EXPECT_TEXT(IMPORTED->name, "More");
}
