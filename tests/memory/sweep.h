// Has memory run out at every place, one after the other, of what is tested.
#ifndef CIOBRIDGE_TESTS_MEMORY_SWEEP_H
#define CIOBRIDGE_TESTS_MEMORY_SWEEP_H

#include "../support/call.h"
#include "allocator.h"

// A part of common/. Gives RESULT_OK only when everything came out as it should, and RESULT_NO_MEMORY.
typedef enum result sweep_part(void);

// Runs it with each of its allocations failing, alone and with all behind it, until it needs no more. Each run has to
// give one of these two results and everything back, and the next one has to be good again.
void sweep_part_of(const char *name, sweep_part *part);

// A good request. In line, body, prove and proof {n} stands for a number of its own, {it} for what `prepare` gave.
struct sweep_request {
	const char *line;
	enum role key;
	const char *body, *type;
	bool anew;         // the same one again would be refused
	size_t step;       // every so many allocations only, where it goes round the partitions; 0: each
	bool says_less;    // a success may leave out what could not be found out
	const char *prove; // after a success, a GET …
	const char *proof; // … whose answer holds this
	void (*check)(struct service *service, const char *number); // after a success; ends the test
	const char *(*prepare)(struct service *service);
	void (*sign)(struct service *service, struct call *call);
};

// Each request with each allocation of its handling failing, alone and with all behind it. Each has to be answered with
// a success that is whole, or with 503, or, once an answer in pieces has begun, broken off; everything has to be given
// back, and the next request has to succeed on the same connection.
void sweep_requests(struct service *service, const struct sweep_request *requests, size_t count);

#endif
