#include "edge/access.h"

#include "codec/crypt.h"
#include "project/project.h"

#define SCHEME SLICE("Bearer")
#define KEY_MAXIMUM 512 // bytes; ours have at most 64, the root key is the operator's

// The key behind "Bearer", data NULL when there is none or it cannot be one.
static struct slice access_read_key(const struct request *request)
{
	const struct slice none = {NULL, 0};
	struct slice key = slice_trim(request_header(request, "HTTP_AUTHORIZATION"));
	struct slice scheme = slice_split(&key, ' ');

	if (!slice_equal_ignoring_case(scheme, SCHEME))
		return none;
	key = slice_trim(key);
	if (key.length == 0 || key.length > KEY_MAXIMUM || slice_contains(key, ' ') || slice_contains(key, '\t'))
		return none;
	return key;
}

static enum result access_identify(struct request *request)
{
	struct slice key = access_read_key(request), root = request->config->admin_token;

	if (key.data == NULL)
		return RESULT_UNAUTHENTICATED;
	if (root.length > 0 && crypt_equal(key, root)) {
		request->caller.role = ROLE_ROOT;
		return RESULT_OK;
	}
	TRY(api_key_send(request->store, request->arena, key));
	if (request->endpoint->ask != NULL)
		request->asked = request->endpoint->ask(request);
	return api_key_receive(request->store, request->arena, &request->caller);
}

static bool access_allows(enum role role, enum role asked)
{
	switch (asked) {
	case ROLE_NONE:
		return true;
	case ROLE_INGEST:
		return role != ROLE_NONE && role != ROLE_READ;
	case ROLE_INGEST_SECRET:
		return role == ROLE_INGEST_SECRET || role == ROLE_ADMIN || role == ROLE_ROOT;
	case ROLE_READ:
		return role == ROLE_READ || role == ROLE_ADMIN || role == ROLE_ROOT;
	case ROLE_ADMIN:
		return role == ROLE_ADMIN || role == ROLE_ROOT;
	case ROLE_ROOT:
		break;
	}
	return role == ROLE_ROOT;
}

// A key of another project learns nothing about this one, not even whether it exists. The endpoints that only root may
// use make and remove projects, so they find out for themselves.
static enum result access_check_project(struct request *request)
{
	struct slice project = request_project(request), name;

	if (project.data == NULL)
		return RESULT_OK;
	if (request->caller.role != ROLE_ROOT) {
		if (slice_equal(project, request->caller.project))
			return RESULT_OK;
		return refuse(request, RESULT_FORBIDDEN, "This key belongs to another project.");
	}
	if (request->endpoint->access == ROLE_ROOT)
		return RESULT_OK;
	enum result result = project_get(request->store, request->arena, project, &name);
	return result == RESULT_NOT_FOUND ? refuse(request, result, "There is no such project.") : result;
}

enum result access_check(struct request *request)
{
	enum role asked = request->endpoint->access;

	request->caller = (struct api_key){.role = ROLE_NONE};
	if (asked == ROLE_NONE)
		return RESULT_OK;
	TRY(access_identify(request));
	if (!access_allows(request->caller.role, asked))
		return refuse(request, RESULT_FORBIDDEN, "The role of this key does not allow it.");
	return access_check_project(request);
}
