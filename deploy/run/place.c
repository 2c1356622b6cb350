// The state directory of a run, its lock, its secrets, and where its sockets are.
#include "codec/crypt.h"
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SECRET_SIZE 32 // bytes, before they are written as text
#define SOCKET_NAME_MAXIMUM 32
#define LOCK_TRIES 20 // what a killed run has left behind needs a moment to end
#define LOCK_PAUSE_US 100000

// What every configuration file takes without quoting.
static const char place_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+=,@ ";

static enum result place_make_directory(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return RESULT_OK;
	return complain("%s: %s", path, strerror(errno));
}

static enum result place_make_path(struct run *run, const char *directory)
{
	char *path = (char *)run_text(run, "%s", directory);

	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		TRY(place_make_directory(path));
		*slash = '/';
	}
	return place_make_directory(path);
}

static enum result place_take_lock(struct run *run)
{
	const char *path = run_text(run, "%s/lock", run->state);

	run->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (run->lock < 0)
		return complain("%s: %s", path, strerror(errno));
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(run->lock, LOCK_EX | LOCK_NB) == 0)
			return RESULT_OK;
		usleep(LOCK_PAUSE_US);
	}
	return complain("another run uses %s; give this one its own VAR and PORT", run->state);
}

// A socket's path has to fit into struct sockaddr_un, and into a URL.
static enum result place_choose_sockets(struct run *run)
{
	char temporary[] = "/tmp/ciobridge-XXXXXX";

	run->sockets = run_text(run, "%s/run", run->state);
	if (strlen(run->sockets) + SOCKET_NAME_MAXIMUM < sizeof(((struct sockaddr_un *)NULL)->sun_path) &&
	    strchr(run->sockets, ' ') == NULL)
		return place_make_directory(run->sockets);
	if (mkdtemp(temporary) == NULL)
		return complain("%s: %s", temporary, strerror(errno));
	run->sockets = run_text(run, "%s", temporary);
	run->sockets_are_temporary = true;
	return RESULT_OK;
}

enum result place_open(struct run *run, const char *directory)
{
	char absolute[PATH_MAX];

	TRY(place_make_path(run, directory));
	if (realpath(directory, absolute) == NULL)
		return complain("%s: %s", directory, strerror(errno));
	if (absolute[strspn(absolute, place_characters)] != '\0')
		return complain("%s: only letters, digits, spaces and /._-+=,@ can be in the path of VAR", absolute);
	run->state = run_text(run, "%s", absolute);
	TRY(place_take_lock(run));
	TRY(place_make_directory(run_text(run, "%s/redis", run->state)));
	TRY(place_make_directory(run_text(run, "%s/nginx", run->state)));
	return place_choose_sockets(run);
}

void place_leave(struct run *run)
{
	DIR *directory = run->sockets != NULL ? opendir(run->sockets) : NULL;

	if (directory == NULL)
		return;
	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
		unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	if (run->sockets_are_temporary)
		rmdir(run->sockets);
}

static bool place_write_all(int file, struct slice content)
{
	while (content.length > 0) {
		ssize_t written = write(file, content.data, content.length);

		if (written < 0)
			return false;
		content = slice_from(content, (size_t)written);
	}
	return fsync(file) == 0;
}

enum result place_write(struct run *run, const char *name, struct slice content)
{
	const char *path = run_text(run, "%s/%s", run->state, name), *draft = run_text(run, "%s.new", path);
	int file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool written = file >= 0 && place_write_all(file, content);

	if (file >= 0)
		close(file);
	if (!written || rename(draft, path) != 0)
		return complain("%s: %s", path, strerror(errno));
	return RESULT_OK;
}

void place_set_aside(struct run *run, const char *name)
{
	const char *path = run_text(run, "%s/%s", run->state, name);

	(void)rename(path, run_text(run, "%s.1", path));
}

enum result place_keep_secret(struct run *run, const char *name)
{
	struct slice secret;

	if (access(run_text(run, "%s/%s", run->state, name), F_OK) == 0)
		return RESULT_OK;
	secret = crypt_random_text(run->arena, SECRET_SIZE);
	if (secret.data == NULL)
		return complain("%s: no random bytes", name);
	return place_write(run, name, secret);
}
