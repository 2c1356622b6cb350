// How somebody waits: what is done meanwhile, so that a long wait keeps a lease and notices when it is time to end.
#ifndef CIOBRIDGE_BASE_PATIENCE_H
#define CIOBRIDGE_BASE_PATIENCE_H

#include "base/result.h"

#include <stdint.h>

#define PATIENCE_STEP_MS 500

struct patience {
	enum result (*between)(void *context); // at least once a second while waiting; NULL: nothing
	void *context;
};

// Waits for `ms`. What `between` returns, unless it is RESULT_OK, ends the wait and is returned.
enum result patience_wait(const struct patience *patience, int64_t ms);

// Calls `between` once.
enum result patience_between(const struct patience *patience);

#endif
