/*
 * requests.h - releases of accounts: conflict rules, approval, check-in, expiry.
 *
 *     (create) --approvers wanted--> pending --approved--> active --+--> checked_in | expired | denied
 *         \------------------------------------------------^       |    | cancelled (renew) | terminated
 *                                       pending ends the same ways -+
 *
 * A request belongs to a user, not to a session. Live ones (pending, active) hang in three lists: their
 * user's, their account's and the global one; ended ones move to a bounded list kept for the state report.
 * Ending an active request starts the rotation of the account, where the account rotates and rotation is
 * not turned off.
 *
 * The decisions that need no request (roles, ranges) are taken before, by the callers in calls_requests.c.
 */
#ifndef SIM_REQUESTS_H
#define SIM_REQUESTS_H

#include "passwordsafe-sim/model.h"

enum request_state {
    REQUEST_PENDING,
    REQUEST_ACTIVE,
    REQUEST_CHECKED_IN,
    REQUEST_EXPIRED,
    REQUEST_DENIED,
    REQUEST_CANCELLED,
    REQUEST_TERMINATED,
    REQUEST_NSTATES
};
extern const char *const request_state_names[REQUEST_NSTATES];

enum request_conflict {
    CONFLICT_NONE,
    CONFLICT_REUSE,
    CONFLICT_RENEW,
    CONFLICT_IGNORED /* ISA: no rule applies */
};

struct request {
    int id;
    struct model *model;
    struct model_user *user;
    struct model_pair *pair;
    enum model_access access;
    int application_id; /* 0 = null */
    char *reason, *ticket;
    int64_t start, expires, approved, ended; /* wall; 0 = null */
    enum request_state state;
    int approvals_needed;
    struct vec approvers;
    bool rotate;
    unsigned reads; /* credentials handed out */
    struct deadline expiry;
    TAILQ_ENTRY(request) in_all, in_user, in_account;
    UT_hash_handle by_id;
};

struct requests {
    struct request *by_id;
    struct request_list live, ended;
    size_t nlive, nended, npending;
    int next_id;
    uint64_t created, reused, refused;
    uint64_t ends[REQUEST_NSTATES];
};

struct request_wish {
    struct model_user *user;
    struct model_pair *pair;
    enum model_access access;
    int application_id;
    int minutes;
    const char *reason, *ticket; /* NULL = none */
    enum request_conflict conflict;
    int approvals, max_concurrent; /* of the schedule; 0 = none, unlimited */
    bool rotate;
};

struct requests *requests_new(void);
void requests_free(struct model *);

/* 201 or 200 and *id, 409, or -ENOMEM. */
int requests_create(struct model *, const struct request_wish *, int *id);
struct request *requests_find(const struct model *, int id); /* live or ended */
bool request_live(const struct request *);
/* One approver's yes; the same one counts once. */
int requests_approve(struct model *, struct request *, struct model_user *);
void requests_end(struct model *, struct request *, enum request_state);

#endif
