// The field "csv_file" of a body that is multipart/form-data.
#ifndef CIOBRIDGE_CSV_UPLOAD_FILE_FIELD_H
#define CIOBRIDGE_CSV_UPLOAD_FILE_FIELD_H

#include "edge/endpoint.h"

struct file_field;

// *field is NULL when the body is no multipart one. Failures of all have their detail in request->problem.
enum result file_field_open(struct request *request, struct file_field **field);

// The next piece of the body; an empty one: there are no more. It has to stay until *more is set.
void file_field_feed(struct file_field *field, struct slice piece);

// The next piece of the file, or an empty one: then *more tells whether another piece of the body is wanted, or
// everything has been read and was whole.
enum result file_field_next(struct file_field *field, struct slice *piece, bool *more);

#endif
