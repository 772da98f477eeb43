/*
 * vault_fanout.h - an operation that puts the same queries to every vault for one session, and the lists that
 * came back: what find and endpoints have in common.
 *
 * Each vault is asked as its first run_as candidate; all its queries go out together. When the vault refuses
 * the sign-in, the answers so far are dropped and the queries go out again as the next candidate. Any other
 * failure of one query is the failure of that vault. Where a catalogue cache is given, the one query to a
 * vault is for the user's catalogue. The fan-out is over when every vault has answered or failed; it is a
 * success if one answered. Which accounts a user may have is decided by the vault, in what it lists.
 *
 * A vault is missing in the answer if it failed otherwise than by refusing the user: a vault that does not
 * know the user, and one without a rule for the user, have no rows for that user and nothing is missing.
 *
 * A vault that has entitled() is asked for the accounts of the session by that one call, as its principal,
 * and by no list; in a fan-out that is not for one endpoint it has no rows.
 *
 * Rules: the fan-out is the first member of its operation's object, which owns itself. done() is called
 * exactly once, never before vault_fanout_begin() has returned, and may free the fan-out; after
 * vault_fanout_free() it is never called. All waits are reads: a client that leaves cancels them. A request
 * that cannot be served is a fan-out without queries, so that there is one way to the end. The texts of the
 * queries outlive the fan-out.
 *
 * Not here: which queries (find_queries.h), what becomes of the lists (find_rows.h, endpoint_rows.h).
 */
#ifndef JG_BROKER_FIND_VAULT_FANOUT_H
#define JG_BROKER_FIND_VAULT_FANOUT_H

#include "broker/catalogue/catalogue_cache.h"
#include "broker/find/explain.h"
#include "broker/operation.h"

#define FANOUT_QUERIES_MAX 36 /* queries to one vault */

struct vault_fanout;

enum fanout_state { FANOUT_ASKING, FANOUT_ANSWERED, FANOUT_FAILED };

/* One query and its answer: of an answered vault, wait.accounts (NULL = none) or wait.catalogue. */
struct fanout_query {
    struct list_wait wait; /* first */
    struct fanout_vault *target;
    struct account_query query;
    uint64_t asked_ms; /* when it was sent as the present candidate */
};

struct fanout_entitled;

struct fanout_vault {
    struct vault_fanout *fanout;
    struct vault *vault;
    struct usermap users;
    enum fanout_state state;
    struct fanout_query *queries;
    struct fanout_entitled
        *entitled;      /* in place of the queries' lists; NULL = the vault is asked for lists */
    size_t n, open;     /* queries in all, without an answer yet */
    struct fault fault; /* of FANOUT_FAILED */
    uint64_t age_ms;
};

struct vault_fanout {
    struct op op; /* first */
    /* the caller's */
    struct catalogue_cache *catalogue_cache; /* NULL = lists are asked for */
    /* Writes at most FANOUT_QUERIES_MAX queries for that vault; returns how many. */
    size_t (*write_queries)(const struct vault_fanout *, const struct conf_vault *,
                            struct account_query out[FANOUT_QUERIES_MAX]);
    bool is_of_endpoint; /* vaults with entitled() are asked by that; else they have no rows */
    void (*done)(struct vault_fanout *);
    struct fault refused; /* why there is no answer, whatever the vaults say; no vault is asked then */
    /* from vault_fanout_begin() on */
    struct session *session;
    struct explain_record *record;
    uint64_t began_ms;
    size_t asking; /* vaults */
    struct deadline soon;
    size_t n;
    struct fanout_vault *vault;
    const char **missing; /* names of the vaults that are missing; room for all */
};

/* `operation` is the name in the record. 0 or -ENOMEM: then it is not in flight, and the caller frees. */
int vault_fanout_begin(struct vault_fanout *, const struct op_class *, struct broker *,
                       const struct asked_by *, const char *operation);
/* It is no longer in flight, and its record is complete; the answer follows. A success without all vaults is
 * counted as a partial answer. Returns the outcome, for the log. */
const char *vault_fanout_end(struct vault_fanout *, const struct fault *, size_t rows, uint64_t age_ms);
void vault_fanout_free(struct vault_fanout *); /* what it holds, ended or not; the object is the caller's */
/* Time is up: what has not answered has failed. done() is not called any more. */
void vault_fanout_expire(struct vault_fanout *);
/* Why there is no answer; NULL when at least one vault answered. */
const struct fault *vault_fanout_fault(const struct vault_fanout *);
bool vault_fanout_is_whole(const struct vault_fanout *); /* no vault is missing */
/* The names of the vaults that are missing, in their order; valid until vault_fanout_free(). */
const char *const *vault_fanout_missing(const struct vault_fanout *, size_t *n);
uint64_t vault_fanout_age(const struct vault_fanout *);      /* of the oldest list used */
size_t vault_fanout_count_rows(const struct vault_fanout *); /* rows in all lists of vaults that answered */

#endif
