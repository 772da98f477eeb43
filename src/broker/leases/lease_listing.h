/*
 * lease_listing.h - the lease table as an operator sees it: one row per lease, and per request that is still
 * to be settled.
 */
#ifndef JG_BROKER_LEASES_LEASE_LISTING_H
#define JG_BROKER_LEASES_LEASE_LISTING_H

#include "broker/leases/spin_outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leases;
struct session;
struct vault;

struct lease_view {
    const char *id;
    int64_t request_id;      /* 0 = not known yet, or its name is no number */
    const char *request_key; /* the vault's name of the request; NULL or "" = not known yet */
    const char *user;        /* whose it is: the mapped vault user, or as `run_as` says */
    const char *run_as; /* as whom the vault sees everybody: then `user` is the PRA user, with domain; NULL =
                           the vault knows the user */
    const char *const *sessions; /* that hold the same vault request, this lease's own first */
    size_t nsessions;
    const char *lsid; /* of its PRA session, as given; NULL = not known */
    const char *credential_id;
    const char *system, *account; /* their names at the vault; NULL or "" = not known */
    const char *state;            /* one of LEASE_STATES */
    bool adopted;
    int64_t created_wall_ms, expires_wall_ms;
    int64_t attempts;       /* check-ins tried; `spinning`: spins that have failed */
    const char *last_error; /* NULL = none */
    const char *node;       /* of a shared store: the gateway whose it is; NULL otherwise */
};
struct lease_filter {
    const char *user, *session, *state, *node; /* NULL = any */
    size_t limit;
    uint64_t after;     /* cursor: 0 = from the beginning */
    const char *cursor; /* the same as it was given, of a shared store; NULL = from the beginning */
};
/* Of a PRA user with domain: 2 * 256 letters. */
#define LEASE_USER_SIZE 2050
#define LEASE_STATES    "intent", "pending", "open", "releasing", "lapsed", "spinning"

/*
 * Calls `row` for at most `limit` leases behind the cursor, oldest first; texts are valid within the call.
 * Returns the cursor of the next page, 0 = there is no more.
 */
uint64_t leases_list(struct leases *, const struct lease_filter *,
                     void (*row)(void *arg, const struct lease_view *), void *arg);
/* The same for all that this person has asked for, in any session, and that waits for its approver. */
void leases_list_pending(struct leases *, const struct session *,
                         void (*row)(void *arg, const struct lease_view *), void *arg);

/* Vault requests of a vault whose keys come again (keyed.h). */
struct key_counts {
    size_t held;
    size_t returning;               /* their check-in is on its way or is tried again */
    size_t settling;                /* a call whose answer was lost may still take effect */
    size_t overdue;                 /* of `returning`: a check-in has failed */
    size_t spinning;                /* given back, and the change of the password is due or on its way */
    uint64_t spins[SPIN_NOUTCOMES]; /* so far */
};
/* Looks at each lease once. */
void leases_count_keys(const struct leases *, const struct vault *, struct key_counts *);

#endif
