#include "edge/route.h"

#include "codec/encode.h"

#include <string.h>

// Every method that an endpoint may have, in the order in which Allow lists them.
static const char *const route_methods[] = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};

static enum result route_answer_health(struct request *request, struct answer *answer)
{
	(void)request;
	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_member_text(out, "status", SLICE("ok"));
	json_close_object(out);
	return RESULT_OK;
}

// Probes ask each process, whatever its function is.
static const struct endpoint route_health = {
	.method = "GET",
	.path = "/healthz",
	.summary = "This process answers",
	.access = ROLE_NONE,
	.body = BODY_NONE,
	.handle = route_answer_health,
};

static bool route_is_parameter(struct slice segment)
{
	return segment.length > 2 && segment.data[0] == '{' && segment.data[segment.length - 1] == '}';
}

static bool route_path_fits(struct slice pattern, struct slice path)
{
	while (pattern.data != NULL && path.data != NULL) {
		struct slice wanted = slice_split(&pattern, '/'), sent = slice_split(&path, '/');

		if (route_is_parameter(wanted) ? sent.length == 0 : !slice_equal(wanted, sent))
			return false;
	}
	return pattern.data == NULL && path.data == NULL;
}

static bool route_method_fits(const struct endpoint *endpoint, struct slice method)
{
	return slice_equal(method, slice_of(endpoint->method)) ||
	       (slice_equal(method, SLICE("HEAD")) && strcmp(endpoint->method, "GET") == 0);
}

static enum result route_read_parameters(struct request *request)
{
	struct slice pattern = slice_of(request->endpoint->path), path = request->path;

	request->parameter_count = 0;
	while (pattern.data != NULL && path.data != NULL) {
		struct slice name = slice_split(&pattern, '/'), sent = slice_split(&path, '/');

		if (!route_is_parameter(name) || request->parameter_count == PATH_PARAMETERS_MAXIMUM)
			continue;
		struct path_parameter *parameter = &request->parameters[request->parameter_count];
		parameter->name = (struct slice){name.data + 1, name.length - 2};
		enum result result = decode_percent(request->arena, sent, false, &parameter->value);
		if (result == RESULT_MALFORMED)
			return refuse(request, result, "The path has a '%' without two hexadecimal digits.");
		TRY(result);
		request->parameter_count++;
	}
	return RESULT_OK;
}

static const struct endpoint *route_at(const struct function *function, size_t index)
{
	return index < function->endpoint_count ? function->endpoints[index] : &route_health;
}

static bool route_allows(const struct function *function, struct slice path, const char *method)
{
	for (size_t i = 0; i <= function->endpoint_count; i++) {
		const struct endpoint *endpoint = route_at(function, i);

		if (route_path_fits(slice_of(endpoint->path), path) && route_method_fits(endpoint, slice_of(method)))
			return true;
	}
	return false;
}

// Another method than those that the path takes, or another path.
static enum result route_refuse(const struct function *function, struct request *request)
{
	struct buffer *allow = buffer_new(request->arena, 128);

	if (allow == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < COUNT_OF(route_methods); i++) {
		if (!route_allows(function, request->path, route_methods[i]))
			continue;
		buffer_append_text(allow, allow->length > 0 ? ", " : "");
		buffer_append_text(allow, route_methods[i]);
	}
	if (allow->length == 0)
		return RESULT_NOT_FOUND;
	buffer_append_byte(allow, '\0');
	if (buffer_failed(allow))
		return RESULT_NO_MEMORY;
	request->problem.allow = allow->data;
	return RESULT_WRONG_METHOD;
}

enum result route_find(const struct function *function, struct request *request)
{
	for (size_t i = 0; i <= function->endpoint_count; i++) {
		const struct endpoint *endpoint = route_at(function, i);

		if (!route_method_fits(endpoint, request->method) ||
		    !route_path_fits(slice_of(endpoint->path), request->path))
			continue;
		request->endpoint = endpoint;
		return route_read_parameters(request);
	}
	return route_refuse(function, request);
}
