// The Authorization header and the order of roles.
#include "../../support/call.h"

#include "edge/access.h"

static enum role seen_role;

static enum result handle(struct request *request, struct answer *answer)
{
	seen_role = request->caller.role;
	answer_empty(answer, 204);
	return RESULT_OK;
}

#define OPEN_TO(role, at) {"GET", (at), "", (role), BODY_NONE, .handle = handle}
static const struct endpoint open_to_all = OPEN_TO(ROLE_NONE, "/none/{project}");
static const struct endpoint open_to_ingest = OPEN_TO(ROLE_INGEST, "/ingest/{project}");
static const struct endpoint open_to_ingest_secret = OPEN_TO(ROLE_INGEST_SECRET, "/ingest_secret/{project}");
static const struct endpoint open_to_read = OPEN_TO(ROLE_READ, "/read/{project}");
static const struct endpoint open_to_admin = OPEN_TO(ROLE_ADMIN, "/admin/{project}");
static const struct endpoint open_to_root = OPEN_TO(ROLE_ROOT, "/root/{project}");
static const struct endpoint *const endpoints[] = {
	&open_to_all, &open_to_ingest, &open_to_ingest_secret, &open_to_read, &open_to_admin, &open_to_root,
};
static const struct function made_up = {
	.name = "made-up", .prefixes = "/", .endpoints = endpoints, .endpoint_count = COUNT_OF(endpoints),
	.workers = 1};

Test(access, roles)
{
	static const char *const asked[] = {"none", "ingest", "ingest_secret", "read", "admin", "root"};
	// Columns: no key, then a key of the role with that name.
	static const int statuses[][6] = {
		{204, 204, 204, 204, 204, 204}, // none
		{401, 204, 204, 403, 204, 204}, // ingest
		{401, 403, 204, 403, 204, 204}, // ingest_secret
		{401, 403, 403, 204, 204, 204}, // read
		{401, 403, 403, 403, 204, 204}, // admin
		{401, 403, 403, 403, 403, 204}, // root
	};
	AUTO(service_close) struct service service = service_open(&made_up);
	const char *keys[] = {NULL,         service.ingest, service.ingest_secret,
	                      service.read, service.admin,  service.root};
	for (size_t i = 0; i < COUNT_OF(asked); i++) {
		for (size_t j = 0; j < COUNT_OF(keys); j++) {
			const char *line = call_format(&service, "GET /%s/{project}", asked[i]);
			struct outcome outcome = CALL(&service, line, .key = keys[j]);
			cr_assert_eq(outcome.status, statuses[i][j], "%s by %zu: %d", asked[i], j, outcome.status);
		}
	}
}

Test(access, open_endpoints_know_nobody)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	EXPECT_STATUS(CALL(&service, "GET /none/{project}", .key = service.root), 204);
	cr_assert_eq(seen_role, ROLE_NONE);
	EXPECT_STATUS(CALL(&service, "GET /none/no-such-project"), 204);
}

Test(access, root_needs_the_project_to_exist)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	EXPECT_STATUS(CALL(&service, "GET /read/{project}", .key = service.root), 204);
	EXPECT_STATUS(CALL(&service, "GET /read/no-such-project", .key = service.root), 404);
	EXPECT_STATUS(CALL(&service, "GET /read/No%20Slug", .key = service.root), 404);
	EXPECT_STATUS(CALL(&service, call_format(&service, "GET /%s/absent", "root"), .key = service.root), 204);
	EXPECT_STATUS(CALL(&service, "GET /read/no-such-project", .key = service.read), 403);
	EXPECT_STATUS(CALL(&service, "GET /read/no-such-project"), 401);
}

Test(access, forms_of_the_header)
{
	static const struct {
		const char *format;
		int status;
	} forms[] = {
		{"Bearer %s", 204},     {"bearer %s", 204},      {"BEARER   %s", 204},     {"  Bearer %s  ", 204},
		{"Bearer \t%s", 204},   {"%s", 401},             {"Basic %s", 401},        {"Bearer", 401},
		{"Bearer ", 401},       {"Bearer%s", 401},       {"Bearer %s x", 401},     {"Bearer %sx", 401},
		{"Bearer x%s", 401},    {"Bearer %s,%1$s", 401}, {"Bearer %s %1$s", 401},  {"Bearer %s\tx", 401},
		{"", 401},              {"Bearer \"%s\"", 401},
	};
	AUTO(service_close) struct service service = service_open(&made_up);
	const char *keys[] = {service.read, service.root};
	for (size_t i = 0; i < 2 * COUNT_OF(forms); i++) {
		struct buffer *header = buffer_new(service.fixture.arena, 1024);
		for (const char *at = forms[i / 2].format; *at != '\0'; at++) {
			bool is_key = at[0] == '%' && (at[1] == 's' || at[1] == '1');
			if (is_key)
				buffer_append_text(header, keys[i % 2]);
			else
				buffer_append_byte(header, *at);
			at += is_key ? (at[1] == 's' ? 1 : 3) : 0;
		}
		buffer_append_byte(header, '\0');
		struct outcome outcome = CALL(&service, "GET /read/{project}",
		                              .headers = {{"HTTP_AUTHORIZATION", header->data}});
		cr_assert_eq(outcome.status, forms[i / 2].status, "%s: %d", forms[i / 2].format, outcome.status);
	}
}

Test(access, a_key_has_at_most_512_bytes)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	const char *longest = call_format(&service, "%0512d", 1), *longer = call_format(&service, "%0513d", 1);
	service.config.admin_token = slice_of(longest);
	EXPECT_STATUS(CALL(&service, "GET /read/{project}", .key = longest), 204);
	cr_assert_eq(seen_role, ROLE_ROOT);
	service.config.admin_token = slice_of(longer);
	EXPECT_STATUS(CALL(&service, "GET /read/{project}", .key = longer), 401);
}

Test(access, says_how_to_authenticate)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	struct outcome outcome = CALL(&service, "GET /read/{project}");
	EXPECT_STATUS(outcome, 401);
	EXPECT_TEXT(outcome_header(&outcome, "WWW-Authenticate"), "Bearer");
	struct outcome wrong = CALL(&service, "GET /read/{project}", .key = "wrong");
	cr_assert(slice_equal(outcome.text, wrong.text), "a wrong key and none are told apart");
}
