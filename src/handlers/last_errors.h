/*
 * last_errors.h - the requests that failed last, for /status and `jumpgate top`.
 *
 * A failed request is an entry; an equal failure (same client, operation, error code, user and endpoint)
 * updates its entry and is counted in it. All requests without a known client are equal where their error
 * code is: strangers, however many, take one entry for each code. The entry that was updated the longest ago
 * goes first.
 *
 * Life: last_errors_new() -> last_errors_add() -> last_errors_free(). Invariant: at most the configured
 * number of entries, allocated at the start.
 *
 * An entry has what the log's line has; neither holds a secret.
 */
#ifndef JG_HANDLERS_LAST_ERRORS_H
#define JG_HANDLERS_LAST_ERRORS_H

#include "base/fault.h"
#include "base/jsonw.h"

#include <stddef.h>

#define LAST_ERROR_NAME 192 /* bytes of a user or endpoint that are kept, the NUL included */

struct last_errors;

struct failed_request {
    int64_t wall_ms;
    const char *request_id;
    const char *operation;
    const char *client;          /* NULL = not known */
    const char *user, *endpoint; /* "" = none */
    const struct fault *fault;
};

/* `max` 0 keeps nothing. NULL = out of memory. */
struct last_errors *last_errors_new(size_t max);
void last_errors_free(struct last_errors *); /* NULL is fine */
void last_errors_add(struct last_errors *, const struct failed_request *);
/* The member `last_errors`, the newest first. Without `names` user, endpoint and detail are null. */
void last_errors_write(const struct last_errors *, struct jsonw *, bool names);

#endif
