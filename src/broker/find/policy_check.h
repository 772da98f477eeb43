/*
 * policy_check.h - asks the access policy of each credential found, a few at a time, where ask_policy says
 * so.
 *
 * Help for the person choosing, not a decision: a failed question leaves its row without an answer. What was
 * learned lately is not asked again. At most POLICY_CHECK_ROWS rows, the first ones.
 */
#ifndef JG_BROKER_FIND_POLICY_CHECK_H
#define JG_BROKER_FIND_POLICY_CHECK_H

#include "broker/find/find_rows.h"

#define POLICY_CHECK_ROWS     50
#define POLICY_CHECK_PARALLEL 8

struct policy_check;

struct policy_check_opts {
    struct account_lists *lists;
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
struct policy_check *policy_check_new(const struct policy_check_opts *);
void policy_check_free(struct policy_check *); /* cancels; NULL is fine */

#endif
