// The endpoints under /settings, one file for each group of operations. Each file says what it promises.
#ifndef CIOBRIDGE_FUNCTIONS_SETTINGS_H
#define CIOBRIDGE_FUNCTIONS_SETTINGS_H

#include "edge/endpoint.h"

#define SETTINGS_BODY_LIMIT ((size_t)64 << 10) // bytes
#define SETTINGS_TRIES 5 // when somebody else changes the same section meanwhile

// projects.c
extern const struct endpoint projects_list, projects_get, projects_put, projects_patch, projects_delete;

// keys.c
extern const struct endpoint keys_create, keys_list, keys_delete;

// webhook.c
extern const struct endpoint webhook_put, webhook_patch, webhook_delete;

// app.c, track.c, pipelines.c
extern const struct endpoint app_put, app_patch, app_delete;
extern const struct endpoint track_put, track_patch, track_delete;
extern const struct endpoint pipelines_put, pipelines_patch, pipelines_delete;

#endif
