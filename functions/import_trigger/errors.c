// GET /import/{project}/{id}/errors.csv: every row with an error, as it stood in the file, with what was wrong.
#include "import_trigger.h"

struct errors {
	struct slice project, id;
	size_t next; // piece
};

static enum result errors_produce(struct request *request, void *context, struct arena *piece, struct buffer *out,
                                  bool *more)
{
	struct errors *errors = context;
	struct slice csv;
	TRY(import_errors_piece(request->store, piece, errors->project, errors->id, errors->next, &csv));
	buffer_append(out, csv);
	errors->next++;
	*more = csv.data != NULL;
	return RESULT_OK;
}

static enum result errors_handle(struct request *request, struct answer *answer)
{
	struct errors *errors = arena_alloc(request->arena, sizeof(*errors));
	struct slice first;
	if (errors == NULL)
		return RESULT_NO_MEMORY;
	errors->project = request_project(request);
	TRY(import_named(request, &errors->id));
	TRY(import_errors_piece(request->store, request->arena, errors->project, errors->id, 0, &first));
	if (first.data == NULL)
		return refuse(request, RESULT_NOT_FOUND, "There are no errors, or they are no longer kept.");
	struct slice disposition = arena_format(request->arena, "attachment; filename=\"%.*s-errors.csv\"",
	                                        (int)errors->id.length, errors->id.data);
	if (disposition.data == NULL)
		return RESULT_NO_MEMORY;
	answer_header(answer, "Content-Disposition", disposition);
	answer_stream(answer, 200, "text/csv; charset=utf-8", errors_produce, errors);
	return RESULT_OK;
}

const struct endpoint import_errors_endpoint = {
	.method = "GET",
	.path = "/import/{project}/{id}/errors.csv",
	.summary = "The rows that had errors, kept for 30 days",
	.access = ROLE_READ,
	.body = BODY_NONE,
	.handle = errors_handle,
};
