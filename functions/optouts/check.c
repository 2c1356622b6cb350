// May I send? One recipient by GET, up to 10,000 by POST. Answers from the store or not at all: never "yes" by default.
#include "optouts.h"

#include "consent/optouts.h"

static void write_check(struct json_writer *out, struct slice recipient, const struct category *category,
                        const struct check *check)
{
	json_open_object(out);
	json_member_text(out, "identifier", recipient);
	json_member_text(out, "category", category->key);
	json_member_boolean(out, "allowed", check->allowed);
	json_member_text(out, "reason", slice_of(check_reason_name(check->reason)));
	json_member_time(out, "since", optouts_shown_time(check->since_ms));
	json_close_object(out);
}

static void *check_ask(struct request *request)
{
	struct slice recipient, key = request_query(request, "category");
	if (!recipient_read(request->arena, request_query(request, "identifier"), &recipient))
		return NULL;
	return inquiry_send(request->store, request->arena, request_project(request),
	                    key.data == NULL ? category_all.key : key, recipient);
}

static enum result check_one(struct request *request, struct answer *answer)
{
	const struct category *category;
	struct slice recipient;
	struct check check;
	TRY(optouts_identifier(request, request_query(request, "identifier"), &recipient));
	struct inquiry *inquiry = request->asked != NULL ? request->asked : check_ask(request);
	if (inquiry == NULL)
		return RESULT_NO_MEMORY;
	enum result result = inquiry_receive(inquiry, &category, &check);
	if (result == RESULT_NOT_FOUND)
		return refuse(request, result, "There is no such category.");
	TRY(result);
	write_check(answer_json(answer, 200), recipient, category, &check);
	return RESULT_OK;
}

static const struct field one_query[] = {
	IDENTIFIER_FIELD,
	CATEGORY_FIELD("omitted: marketing in general"),
};

const struct endpoint optouts_check_one = {
	.method = "GET",
	.path = "/optouts/{project}/check",
	.summary = "May a message be sent to this recipient?",
	.access = ROLE_READ,
	.query = one_query,
	.query_count = COUNT_OF(one_query),
	.handle = check_one,
	.ask = check_ask,
};

static enum result read_identifiers(struct request *request, const struct json *list, struct slice **recipients)
{
	size_t count = json_count(list);
	*recipients = arena_array(request->arena, count + 1, sizeof(struct slice));
	if (*recipients == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		if (!recipient_read(request->arena, json_text(json_at(list, i)), &(*recipients)[i]))
			refuse_index(request, i, IDENTIFIER_RULE);
	}
	return request->problem.error_count == 0 ? RESULT_OK : RESULT_INVALID;
}

static enum result check_many(struct request *request, struct answer *answer)
{
	const struct json *list = json_get(request->body, "identifiers");
	struct slice project = request_project(request);
	size_t count = json_count(list);
	const struct category *category;
	struct slice *recipients;
	struct check *checks = arena_array(request->arena, count + 1, sizeof(*checks));
	if (checks == NULL)
		return RESULT_NO_MEMORY;
	TRY(read_identifiers(request, list, &recipients));
	TRY(optouts_category(request, json_text(json_get(request->body, "category")), &category));
	TRY(optouts_check(request->store, request->arena, project, category, recipients, count, checks));
	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_key(out, "results");
	json_open_array(out);
	for (size_t i = 0; i < count; i++)
		write_check(out, recipients[i], category, &checks[i]);
	json_close_array(out);
	json_close_object(out);
	return RESULT_OK;
}

static const struct field many_fields[] = {
	{.name = "identifiers",
         .type = FIELD_LIST,
         .required = true,
         .maximum = BATCH_MAXIMUM,
         .help = "at most 10,000"},
	CATEGORY_FIELD("omitted: marketing in general"),
};

const struct endpoint optouts_check_many = {
	.method = "POST",
	.path = "/optouts/{project}/check",
	.summary = "May a message be sent to each of these recipients? Answers in the order asked.",
	.access = ROLE_READ,
	.body = BODY_JSON,
	.body_limit = BATCH_BODY_LIMIT,
	.fields = many_fields,
	.field_count = COUNT_OF(many_fields),
	.handle = check_many,
};
