// Categories that come from Customer.io's topics.
//
//   cb:{P}:topics_seen (hash)  topic -> the import that saw it last, what it did, and the category as it was then:
//                              "<id> <c, u or k> <JSON>"
//
// A category that was edited here is not changed back by the next import: a member is taken over only while it is what
// the import saw last.
#ifndef CIOBRIDGE_CONSENT_CATEGORY_IMPORT_H
#define CIOBRIDGE_CONSENT_CATEGORY_IMPORT_H

#include "consent/category.h"

enum category_change { CATEGORY_KEPT, CATEGORY_CREATED, CATEGORY_UPDATED };

// What Customer.io says of a topic.
struct topic_description {
	struct slice topic; // canonical
	struct slice name, description, public_description; // of any length and content; empty where absent
	bool subscribed_by_default, transactional;
};

// Makes the category of a topic, with the key "customerio_<topic>", or brings an existing one up to date; an archived
// one stays archived. Texts are cut to their limits, and control characters become spaces. `list` is the project's and
// is read again into the arena when somebody else has made a category meanwhile; what is made here is only counted in
// it. RESULT_LIMITED when the project has CATEGORIES_MAXIMUM. RESULT_CONFLICT when others kept changing it.
//
// It may be called again for the same import (its id), after whatever interruption: *change is what came of it in all.
enum result category_import(struct store *store, struct arena *arena, struct slice project,
                            struct slice import, struct category_list *list,
                            const struct topic_description *topic, enum category_change *change);

#endif
