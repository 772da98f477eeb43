/*
 * policy_check.h - asks the access policy of each credential found, a few at a time, where ask_policy says
 * so.
 *
 * The policy helps the user to choose and decides nothing: a failed call leaves its row without a policy. A
 * policy that is known is not asked for again. Only the first POLICY_CHECK_ROWS rows are checked.
 */
#ifndef JG_BROKER_FIND_POLICY_CHECK_H
#define JG_BROKER_FIND_POLICY_CHECK_H

#include "broker/find/find_rows.h"

#define POLICY_CHECK_ROWS     50
#define POLICY_CHECK_PARALLEL 8

struct policy_check;

struct policy_check_opts {
    struct account_facts *facts;
    struct find_rows *rows; /* outlives it */
    uint64_t minutes;       /* length of the check-out that is asked about */
    uint64_t timeout_ms;
    void (*done)(void *arg);
    void *arg;
};

/*
 * Fills in the known policies and asks for the others. NULL = no call is under way, done() will not be
 * called. Else done() is called once, later, and may free the policy check.
 */
struct policy_check *policy_check_new(const struct policy_check_opts *);
void policy_check_free(struct policy_check *); /* cancels; NULL is fine */

#endif
