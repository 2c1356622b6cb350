// A recipient: an e-mail address, or another identifier such as a phone number or a customer's id.
#ifndef CIOBRIDGE_CONSENT_RECIPIENT_H
#define CIOBRIDGE_CONSENT_RECIPIENT_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>

#define RECIPIENT_MAXIMUM 512 // bytes

// Trims, lower-cases (ASCII) what has an '@', and checks: 1 to 512 bytes of UTF-8 without control characters, not
// in the form of an erased recipient ("#" and 64 hexadecimal digits). NULL and no memory give false too.
bool recipient_read(struct arena *arena, struct slice text, struct slice *recipient);

#endif
