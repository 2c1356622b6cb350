#include "sweep.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#define ARENA_LIMIT ((size_t)64 << 20)
#define TEXT_MAXIMUM 65536

static const struct {
	enum memory_fault fault;
	const char *name;
} faults[] = {{MEMORY_ONCE, "alone"}, {MEMORY_FOR_ALL, "with all behind it"}};

// Besides what OpenSSL keeps of its errors.
static long sweep_in_use(void)
{
	ERR_clear_error();
	return memory_in_use();
}

static enum result sweep_run_part(sweep_part *part)
{
	memory_begin();
	enum result result = part();
	memory_end();
	return result;
}

static bool sweep_part_at(const char *name, sweep_part *part, size_t number, size_t fault)
{
	memory_fail(number, faults[fault].fault);
	enum result result = sweep_run_part(part);
	bool failed = memory_has_failed();
	memory_fail(SIZE_MAX, MEMORY_ONCE);
	cr_assert(result == RESULT_OK || (failed && result == RESULT_NO_MEMORY), "%s: result %d, allocation %zu %s",
	          name, (int)result, number, faults[fault].name);
	cr_assert_eq(sweep_run_part(part), RESULT_OK, "%s: not good again after allocation %zu %s", name, number,
	             faults[fault].name);
	return failed;
}

// What a library fetches once for the process does not grow when the same happens again.
static bool sweep_part_without_leak(const char *name, sweep_part *part, size_t number, size_t fault)
{
	long before = sweep_in_use();
	bool failed = sweep_part_at(name, part, number, fault);
	long after = sweep_in_use();
	if (after == before)
		return failed;
	sweep_part_at(name, part, number, fault);
	cr_assert_eq(sweep_in_use(), after, "%s: leaks %ld with allocation %zu %s", name, sweep_in_use() - after,
	             number, faults[fault].name);
	return failed;
}

void sweep_part_of(const char *name, sweep_part *part)
{
	cr_assert_eq(sweep_run_part(part), RESULT_OK, "%s", name);
	ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
	for (size_t fault = 0; fault < COUNT_OF(faults); fault++) {
		size_t number = 0;
		while (sweep_part_without_leak(name, part, number, fault))
			number++;
		cr_assert(number > 0, "%s allocates nothing", name);
		fprintf(stderr, "%s: %zu allocations %s\n", name, number, faults[fault].name);
	}
}

struct sweep {
	struct service *service;
	const struct sweep_request *request;
	struct outcome good;
	const char *it;
	size_t number; // for {n}
};

static const char *sweep_replace(struct service *service, const char *text, const char *place, const char *with)
{
	const char *found;
	while (text != NULL && (found = strstr(text, place)) != NULL)
		text = call_format(service, "%.*s%s%s", (int)(found - text), text, with, found + strlen(place));
	return text;
}

static const char *sweep_text(const struct sweep *sweep, const char *text)
{
	text = sweep_replace(sweep->service, text, "{n}", call_format(sweep->service, "%zu", sweep->number));
	return sweep->it == NULL ? text : sweep_replace(sweep->service, text, "{it}", sweep->it);
}

static const char *sweep_key(const struct service *service, enum role role)
{
	if (role == ROLE_NONE)
		return NULL;
	if (role == ROLE_ROOT)
		return service->root;
	return role == ROLE_READ ? service->read : service->admin;
}

static void sweep_prepare(struct sweep *sweep)
{
	sweep->number++;
	sweep->it = sweep->request->prepare != NULL ? sweep->request->prepare(sweep->service) : NULL;
}

static struct outcome sweep_send(const struct sweep *sweep, bool watched)
{
	const struct sweep_request *request = sweep->request;
	struct service *service = sweep->service;
	struct call call = {
		.key = sweep_key(service, request->key),
		.body = sweep_text(sweep, request->body),
		.type = request->type,
	};
	if (request->sign != NULL)
		request->sign(service, &call);
	const char *line = sweep_text(sweep, request->line);
	service->before = watched ? memory_begin : NULL;
	service->after = watched ? memory_end : NULL;
	struct outcome outcome = call_function(service, line, &call);
	service->before = service->after = NULL;
	return outcome;
}

static bool sweep_is_success(const struct outcome *outcome)
{
	return outcome->status >= 200 && outcome->status < 300 && !outcome->broken;
}

// The same members and as many elements, whatever their values.
static bool sweep_has_shape(const struct json *a, const struct json *b)
{
	void *cursor = NULL;
	struct slice name;
	const struct json *value;
	if (json_is_object(a) != json_is_object(b) || json_is_array(a) != json_is_array(b) ||
	    json_is_text(a) != json_is_text(b) || json_count(a) != json_count(b))
		return false;
	for (size_t i = 0; i < json_count(a) && json_is_array(a); i++) {
		if (!sweep_has_shape(json_at(a, i), json_at(b, i)))
			return false;
	}
	while (json_is_object(a) && json_next(a, &cursor, &name, &value)) {
		if (!sweep_has_shape(value, json_get(b, name.data)))
			return false;
	}
	return true;
}

static size_t sweep_count_lines(struct slice text)
{
	size_t lines = 0;
	for (size_t i = 0; i < text.length; i++)
		lines += text.data[i] == '\n';
	return lines;
}

static void sweep_check_success(const struct sweep *sweep, const struct outcome *outcome, const char *what)
{
	const struct outcome *good = &sweep->good;
	const char *line = sweep->request->line;
	bool is_whole = sweep_has_shape(outcome->body, good->body) &&
	                (good->body != NULL || sweep_count_lines(outcome->text) == sweep_count_lines(good->text));
	cr_assert(outcome->status == good->status && (is_whole || sweep->request->says_less),
	          "%s, %s: %d %.*s", line, what, outcome->status, (int)outcome->text.length, outcome->text.data);
	if (sweep->request->check != NULL)
		sweep->request->check(sweep->service, sweep_text(sweep, "{n}"));
	if (sweep->request->prove == NULL)
		return;
	const char *prove = sweep_text(sweep, sweep->request->prove);
	struct outcome shown = CALL(sweep->service, prove, .key = sweep->service->root);
	const char *proof = sweep_text(sweep, sweep->request->proof);
	cr_assert(memmem(shown.text.data, shown.text.length, proof, strlen(proof)) != NULL,
	          "%s, %s: a success without effect: %.*s", line, what, (int)shown.text.length, shown.text.data);
}

static void sweep_check_next(struct sweep *sweep, const char *what)
{
	if (sweep->request->anew)
		sweep_prepare(sweep);
	struct outcome next = sweep_send(sweep, false);
	cr_assert(sweep_is_success(&next), "%s, the next after %s: %d %.*s", sweep->request->line, what, next.status,
	          (int)next.text.length, next.text.data);
	sweep_check_success(sweep, &next, what);
}

// While nothing can be allocated a connection cannot be made, and the store then waits before it tries again.
static void sweep_renew_store(struct service *service)
{
	store_free(service->fixture.store);
	service->fixture.store = fixture_store();
}

static bool sweep_request_at(struct sweep *sweep, size_t number, size_t fault)
{
	const char *what = call_format(sweep->service, "allocation %zu %s", number, faults[fault].name);
	sweep_prepare(sweep);
	memory_fail(number, faults[fault].fault);
	struct outcome outcome = sweep_send(sweep, true);
	bool failed = memory_has_failed();
	memory_fail(SIZE_MAX, MEMORY_ONCE);
	if (faults[fault].fault == MEMORY_FOR_ALL)
		sweep_renew_store(sweep->service);
	cr_assert(sweep_is_success(&outcome) || (failed && (outcome.status == 503 || outcome.broken)),
	          "%s, %s: %d %.*s", sweep->request->line, what, outcome.status, (int)outcome.text.length,
	          outcome.text.data);
	if (sweep_is_success(&outcome))
		sweep_check_success(sweep, &outcome, what);
	sweep_check_next(sweep, what);
	return failed;
}

// What the calls keep goes after each, so that what is left has leaked.
static long sweep_count_request(struct sweep *sweep, size_t number, size_t fault, bool *failed)
{
	struct arena *kept = sweep->service->fixture.arena;
	long before = sweep_in_use();
	sweep->service->fixture.arena = arena_new(ARENA_LIMIT);
	*failed = sweep_request_at(sweep, number, fault);
	arena_free(sweep->service->fixture.arena);
	sweep->service->fixture.arena = kept;
	return sweep_in_use() - before;
}

static bool sweep_request_without_leak(struct sweep *sweep, size_t number, size_t fault)
{
	bool failed, ignored;
	if (sweep_count_request(sweep, number, fault, &failed) == 0)
		return failed;
	long left = sweep_count_request(sweep, number, fault, &ignored);
	cr_assert_eq(left, 0, "%s leaks %ld with allocation %zu %s", sweep->request->line, left, number,
	             faults[fault].name);
	return failed;
}

static void sweep_one_request(struct service *service, const struct sweep_request *request)
{
	struct sweep sweep = {.service = service, .request = request, .number = 1000};
	// The first one fetches what is kept for the process or the connection, and makes what is made once.
	for (int i = 0; i < 2; i++) {
		sweep_prepare(&sweep);
		sweep.good = sweep_send(&sweep, false);
		cr_assert(sweep_is_success(&sweep.good), "%s: %d %.*s", request->line, sweep.good.status,
		          (int)sweep.good.text.length, sweep.good.text.data);
	}
	size_t step = request->step > 0 ? request->step : 1;
	for (size_t fault = 0; fault < COUNT_OF(faults); fault++) {
		size_t number = 0;
		while (sweep_request_without_leak(&sweep, number, fault))
			number += step;
		cr_assert(number > 0, "%s allocates nothing", request->line);
		fprintf(stderr, "%s: %zu allocations %s\n", request->line, number, faults[fault].name);
	}
}

void sweep_requests(struct service *service, const struct sweep_request *requests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sweep_one_request(service, &requests[i]);
}
