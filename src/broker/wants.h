/*
 * wants.h - asks the access policy of each credential found, a few at a time, where ask_policy says so.
 *
 * Help for the person choosing, not a decision: a failed question leaves its row without an answer. What was
 * learned lately is not asked again. At most WANTS_ROWS rows, the first ones.
 */
#ifndef JG_BROKER_WANTS_H
#define JG_BROKER_WANTS_H

#include "broker/find_rows.h"

#define WANTS_ROWS     50
#define WANTS_PARALLEL 8

struct wants;

struct wants_opts {
    struct lists *lists;
    struct find_rows *rows; /* outlives it */
    uint64_t minutes;       /* length of the check-out that is asked about */
    uint64_t timeout_ms;
    void (*done)(void *arg);
    void *arg;
};

/*
 * Fills what is known and asks for the rest. NULL = nothing is being asked, done() will not come. Else done()
 * comes once, later, and may free it.
 */
struct wants *wants_new(const struct wants_opts *);
void wants_free(struct wants *); /* cancels; NULL is fine */

#endif
