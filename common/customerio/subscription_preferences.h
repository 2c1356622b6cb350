// cio_subscription_preferences: {"topics":{"topic_7":false,…},"channels":{…}}, as an object or as text that holds one.
// No I/O.
#ifndef CIOBRIDGE_CUSTOMERIO_SUBSCRIPTION_PREFERENCES_H
#define CIOBRIDGE_CUSTOMERIO_SUBSCRIPTION_PREFERENCES_H

#include "base/arena.h"
#include "base/result.h"
#include "codec/json.h"

enum topic_state { TOPIC_OUT, TOPIC_IN, TOPIC_UNCLEAR };

struct topic_preference {
	struct slice topic;     // as written
	enum topic_state state; // false, true, anything else
};

struct topic_preferences {
	struct topic_preference *items;
	size_t count;
};

// RESULT_MALFORMED when it is neither, or "topics" is no object. Missing topics and blank text give none.
// RESULT_NO_MEMORY.
enum result subscription_preferences_read(struct arena *arena, const struct json *value,
                                          struct topic_preferences *preferences);

// JSON takes many times its length in memory, up to 300 bytes a value. A project has at most 10,000 topics.
#define SUBSCRIPTION_PREFERENCES_MAXIMUM 16384 // values

// The same from text that is JSON (a CSV cell, an attribute). RESULT_TOO_LARGE: more values than that.
enum result subscription_preferences_read_text(struct arena *arena, struct slice text,
                                               struct topic_preferences *preferences);

#endif
