#include "project/connection.h"

#include "base/log.h"
#include "project/section.h"

static const char *const connection_names[] = {
	[CONNECTION_APP] = "app",
	[CONNECTION_TRACK] = "track",
	[CONNECTION_PIPELINES] = "pipelines",
};

const char *connection_name(enum connection_kind kind)
{
	return connection_names[kind];
}

static bool connection_read(struct arena *arena, struct slice text, struct connection *connection)
{
	const struct json *stored;

	if (json_parse(arena, text, &stored, NULL) != RESULT_OK)
		return false;
	connection->region = json_text(json_get(stored, "region"));
	connection->enabled = json_is_true(json_get(stored, "enabled"));
	connection->site_id = json_text(json_get(stored, "site_id"));
	connection->sealed = json_text(json_get(stored, "sealed"));
	connection->stored = text;
	return (slice_equal(connection->region, SLICE("us")) || slice_equal(connection->region, SLICE("eu"))) &&
	       connection->sealed.length > 0 &&
	       (connection->kind == CONNECTION_TRACK) == (connection->site_id.length > 0);
}

enum result connection_load(struct store *store, struct arena *arena, struct slice project, enum connection_kind kind,
                            struct connection *connection)
{
	struct connection loaded = {.kind = kind};
	struct slice text;

	TRY(section_load(store, arena, project, connection_name(kind), &text));
	if (text.data != NULL && !connection_read(arena, text, &loaded))
		return section_refuse(project, connection_name(kind));
	*connection = loaded;
	return RESULT_OK;
}

enum result connection_open(struct arena *arena, struct slice project, struct slice master_key,
                            struct connection *connection)
{
	const char *name = connection_name(connection->kind);

	if (connection->sealed.data == NULL)
		return RESULT_NOT_FOUND;
	enum result result = section_unseal(arena, project, name, master_key, connection->sealed, &connection->secret);
	if (result == RESULT_MALFORMED) {
		LOG(LOG_ERROR, "credentials cannot be opened", {"project", project}, {"section", slice_of(name)});
		return RESULT_UNAVAILABLE;
	}
	return result;
}

enum result connection_set_secret(struct arena *arena, struct slice project, struct slice master_key,
                                  struct slice secret, struct connection *connection)
{
	if (secret.length == 0 || secret.length > CONNECTION_TEXT_MAXIMUM)
		return RESULT_INVALID;
	TRY(section_seal(arena, project, connection_name(connection->kind), master_key, secret, &connection->sealed));
	connection->secret = secret;
	return RESULT_OK;
}

static struct buffer *connection_text(struct arena *arena, const struct connection *connection)
{
	struct buffer *buffer = buffer_new(arena, SECTION_MAXIMUM);

	if (buffer == NULL)
		return NULL;
	struct json_writer out = json_writer_on(buffer);
	json_open_object(&out);
	json_member_boolean(&out, "enabled", connection->enabled);
	json_member_text(&out, "region", connection->region);
	if (connection->kind == CONNECTION_TRACK)
		json_member_text(&out, "site_id", connection->site_id);
	json_member_text(&out, "sealed", connection->sealed);
	json_close_object(&out);
	return buffer;
}

enum result connection_save(struct store *store, struct arena *arena, struct slice project,
                            const struct connection *connection)
{
	return section_save(store, arena, project, connection_name(connection->kind), connection->stored,
	                    connection_text(arena, connection));
}

enum result connection_delete(struct store *store, struct arena *arena, struct slice project,
                              enum connection_kind kind)
{
	return section_delete(store, arena, project, connection_name(kind));
}

void connection_write(const struct connection *connection, struct json_writer *out)
{
	json_member_boolean(out, "configured", connection->secret.data != NULL);
	if (connection->kind != CONNECTION_APP)
		json_member_boolean(out, "enabled", connection->enabled);
	json_member_text(out, "region", connection->region);
	if (connection->kind == CONNECTION_TRACK)
		json_member_text(out, "site_id", connection->site_id);
}
