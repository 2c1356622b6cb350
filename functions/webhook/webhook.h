// The operations of this function; each has its file.
#ifndef CIOBRIDGE_WEBHOOK_WEBHOOK_H
#define CIOBRIDGE_WEBHOOK_WEBHOOK_H

#include "edge/endpoint.h"

extern const struct endpoint webhook_receive, webhook_recent, webhook_quarantine, webhook_retry;

#endif
