// The store: one connection to Redis, opened when first used and again after it was lost. The only door to Redis.
//
// Calls of one request are pipelined: store_send queues, store_receive reads the next answer in order. When the
// connection fails, everything that was queued and not yet answered is answered RESULT_UNAVAILABLE, and the next
// store_send connects anew. A dead connection is noticed before anything is sent on it; nothing is ever sent twice
// on the store's own account, since a lost answer does not say whether the command ran.
//
// Limits: connecting 500 ms, each answer 2 s. After a failed connect the store answers RESULT_UNAVAILABLE at once for
// 100 ms, so a dead Redis does not hold up every request.
#ifndef CIOBRIDGE_IO_STORE_H
#define CIOBRIDGE_IO_STORE_H

#include "base/arena.h"
#include "base/embed.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct reply; // an answer of Redis; lives as long as the arena it was received into

// redis://[user[:password]@]host[:port][/database], rediss:// likewise with TLS where hiredis has it, or
// unix:///path/to/socket[?db=N]. RESULT_INVALID when it is none of these, RESULT_NO_MEMORY; *reason (a constant text)
// says it in words.
// `wait_replicas`: store_confirm waits for so many replicas. The url is copied.
enum result store_new(struct slice url, int64_t wait_replicas, struct store **store, const char **reason);
void store_free(struct store *store); // NULL is allowed

// Arguments of a command.
#define ARGUMENTS(...) (const struct slice[]){__VA_ARGS__}, COUNT_OF(((const struct slice[]){__VA_ARGS__}))

// Queues a command. Failures show in store_receive.
void store_send(struct store *store, const struct slice *arguments, size_t count);

// A Lua script of the tree. The first use on a connection loads it; later ones name it by its SHA-1.
struct store_script {
	const char *name;
	struct slice (*source)(void);
};
#define STORE_SCRIPT(script, path)                                                                                 \
	EMBED_FILE(script##_lua, path);                                                                            \
	static struct slice script##_source(void)                                                                  \
	{                                                                                                          \
		return EMBEDDED(script##_lua);                                                                     \
	}                                                                                                          \
	static const struct store_script script = {#script, script##_source}

// Queues a script: `arguments` holds the keys first, then the other arguments.
void store_send_script(struct store *store, const struct store_script *script, size_t key_count,
                       const struct slice *arguments, size_t count);

// Reads the next answer. RESULT_UNAVAILABLE when Redis could not be reached, did not answer in time, or answered with
// an error (logged by its first word, e.g. "OOM", "READONLY", "MISCONF").
enum result store_receive(struct store *store, struct arena *arena, const struct reply **reply);

// Sends what is queued now, so that Redis works on it while the caller does something else. Without this it is sent
// when an answer is waited for.
void store_push(struct store *store);

// One command, one answer.
enum result store_call(struct store *store, struct arena *arena, const struct reply **reply,
                       const struct slice *arguments, size_t count);

// After writing: when replicas are asked for, waits until they have it. RESULT_UNAVAILABLE when too few said so in
// time.
enum result store_confirm(struct store *store, struct arena *arena);

// Ends a request: what is queued is sent, and answers that were not received are dropped when they come, so that
// nobody waits for them.
void store_settle(struct store *store);

// Redis TIME. RESULT_UNAVAILABLE.
enum result store_time_ms(struct store *store, struct arena *arena, int64_t *ms);

// Answers. All of them accept NULL and any type, and give the neutral value where the type does not fit.
bool reply_is_null(const struct reply *reply);
struct slice reply_text(const struct reply *reply); // bulk or status; data NULL for nil
int64_t reply_integer(const struct reply *reply);   // integer, or text that holds one (a score of ours); else 0
size_t reply_count(const struct reply *reply);      // elements of an array
const struct reply *reply_at(const struct reply *reply, size_t index);

#endif
