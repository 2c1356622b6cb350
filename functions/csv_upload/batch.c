// Choices on their way from rows to the store, many at a time. While Redis records one batch the next one is gathered.
#include "upload.h"

#define BATCH_CHOICES 4096
#define BATCH_TEXT ((size_t)256 << 10) // bytes of recipients
#define BATCH_MEMORY ((size_t)16 << 20)

static enum result batch_begin(struct batch *batch)
{
	arena_reset(batch->arena);
	batch->count = batch->text_length = 0;
	batch->recipient = SLICE("");
	batch->recording = NULL;
	batch->choices = arena_array(batch->arena, BATCH_CHOICES, sizeof(*batch->choices));
	return batch->choices != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result batch_open(struct upload *upload)
{
	for (size_t i = 0; i < COUNT_OF(upload->batches); i++) {
		struct batch *batch = &upload->batches[i];
		batch->arena = upload_arena(upload->request, BATCH_MEMORY);
		if (batch->arena == NULL)
			return RESULT_NO_MEMORY;
		TRY(batch_begin(batch));
	}
	upload->gathering = &upload->batches[0];
	upload->under_way = &upload->batches[1];
	return RESULT_OK;
}

enum result batch_wait(struct upload *upload)
{
	struct batch *batch = upload->under_way;
	if (batch->recording == NULL)
		return RESULT_OK;
	enum choice_outcome *outcomes = arena_array(batch->arena, batch->count, sizeof(*outcomes));
	if (outcomes == NULL)
		return RESULT_NO_MEMORY;
	TRY(choices_receive(batch->recording, outcomes));
	for (size_t i = 0; i < batch->count; i++) {
		if (outcomes[i] == CHOICE_SKIPPED)
			return refuse(upload->request, RESULT_CONFLICT,
			              "This import was cancelled, or is being undone.");
		upload->tally.preferences_updated += outcomes[i] == CHOICE_CHANGED;
	}
	upload->tally.rows_processed = batch->rows;
	return batch_begin(batch);
}

static enum result batch_send(struct upload *upload)
{
	struct batch *batch = upload->gathering;
	TRY(batch_wait(upload));
	upload->gathering = upload->under_way;
	upload->under_way = batch;
	batch->rows = upload->tally.total_rows;
	batch->origin = (struct choice_origin){
		.act = ACT_DATED,
		.source = SLICE("csv"),
		.reference = upload->id,
		.send_back = upload->columns.is_generic,
		.import = upload->id,
		.dry_run = upload->dry_run,
	};
	return choices_send(upload->request->store, batch->arena, upload->project, NULL, &batch->origin,
	                    batch->choices, batch->count, &batch->recording);
}

enum result batch_settle(struct upload *upload)
{
	if (upload->gathering->count > 0)
		TRY(batch_send(upload));
	TRY(batch_wait(upload));
	upload->tally.rows_processed = upload->tally.total_rows;
	return RESULT_OK;
}

enum result batch_add(struct upload *upload, struct choice choice)
{
	if (upload->gathering->count == BATCH_CHOICES || upload->gathering->text_length >= BATCH_TEXT)
		TRY(batch_send(upload));
	struct batch *batch = upload->gathering;
	if (!slice_equal(choice.recipient, batch->recipient)) {
		batch->recipient = arena_copy(batch->arena, choice.recipient);
		batch->text_length += choice.recipient.length;
	}
	if (batch->recipient.data == NULL)
		return RESULT_NO_MEMORY;
	choice.recipient = batch->recipient;
	batch->choices[batch->count++] = choice;
	return RESULT_OK;
}
