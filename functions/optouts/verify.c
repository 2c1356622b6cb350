// Holds the audit against the list: see consent/audit_verify.h.
//
// It may take minutes. So the answer is a stream: after each partition a line end, which is nothing in JSON but keeps
// the web server waiting, and the findings at the end.
#include "optouts.h"

#include "consent/audit_verify.h"
#include "project/project.h"

struct verification {
	struct roll roll;
	int next; // partition
	struct audit_findings findings;
};

static void write_problem(struct json_writer *out, const struct audit_problem *problem)
{
	json_open_object(out);
	json_member_integer(out, "partition", problem->partition);
	json_member_text(out, "kind", slice_of(problem->kind));
	json_member_text(out, "identifier", problem->identifier);
	json_member_text(out, "category", problem->category);
	json_member_text(out, "message", slice_of(problem->message));
	json_close_object(out);
}

static void write_findings(struct json_writer *out, const struct audit_findings *findings)
{
	json_open_object(out);
	json_member_boolean(out, "ok", findings->problem_count == 0);
	json_member_integer(out, "partitions", PROJECT_PARTITIONS);
	json_member_integer(out, "choices", findings->choices);
	json_member_integer(out, "entries", findings->entries);
	json_key(out, "problems");
	json_open_array(out);
	for (size_t i = 0; i < findings->problem_count; i++)
		write_problem(out, &findings->problems[i]);
	json_close_array(out);
	json_close_object(out);
}

static enum result produce(struct request *request, void *context, struct arena *piece, struct buffer *out, bool *more)
{
	struct verification *verification = context;
	struct json_writer json = json_writer_on(out);
	(void)piece; // problems outlive it
	TRY(audit_verify(request->store, request->arena, request_project(request), verification->next++,
	                 verification->roll.all, verification->roll.count, &verification->findings));
	*more = verification->next < PROJECT_PARTITIONS;
	if (*more)
		buffer_append_byte(out, '\n');
	else
		write_findings(&json, &verification->findings);
	return RESULT_OK;
}

static enum result verify(struct request *request, struct answer *answer)
{
	struct verification *verification = arena_alloc(request->arena, sizeof(*verification));
	if (verification == NULL)
		return RESULT_NO_MEMORY;
	TRY(optouts_roll(request, &verification->roll));
	answer_stream(answer, 200, "application/json", produce, verification);
	return RESULT_OK;
}

const struct endpoint optouts_verify = {
	.method = "POST",
	.path = "/optouts/{project}/audit/verify",
	.summary = "Hold the audit against the list: is every choice what the recorded changes lead to, and is every "
		   "entry as it was recorded?",
	.access = ROLE_READ,
	.body = BODY_JSON,
	.body_limit = SMALL_BODY_LIMIT,
	.handle = verify,
};
