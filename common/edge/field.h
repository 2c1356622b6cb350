// One member of a body or parameter of a query against its row in the endpoint's table. Faults are added to
// request->problem, so that all of them can be shown at once.
#ifndef CIOBRIDGE_EDGE_FIELD_H
#define CIOBRIDGE_EDGE_FIELD_H

#include "edge/endpoint.h"

// NULL when the table has no field of that name.
const struct field *field_find(const struct field *fields, size_t count, struct slice name);

// As a JSON value, and as the text of a query.
void field_check_value(struct request *request, const struct field *field, const struct json *value);
void field_check_query(struct request *request, const struct field *field, struct slice text);

// A field that is in no table. Its name comes from the request, so only a short one in UTF-8 is repeated.
void field_refuse_unknown(struct request *request, struct slice name);

#endif
