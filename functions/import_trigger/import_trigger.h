// The endpoints of imports.
#ifndef CIOBRIDGE_FUNCTIONS_IMPORT_TRIGGER_H
#define CIOBRIDGE_FUNCTIONS_IMPORT_TRIGGER_H

#include "consent/import.h"
#include "edge/endpoint.h"

extern const struct endpoint import_start_endpoint, import_cancel_endpoint, import_list_endpoint,
	import_show_endpoint, import_undo_endpoint, import_errors_endpoint;

// The import that the path names. RESULT_NOT_FOUND when that cannot be the id of one.
enum result import_named(const struct request *request, struct slice *id);

// Adds the header that says where the import is to be seen.
enum result import_answer_location(struct request *request, struct answer *answer, struct slice id);

#endif
