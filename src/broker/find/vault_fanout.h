/*
 * vault_fanout.h - the same queries put to every vault for one session, and the lists that came back.
 *
 * Each vault is asked as its first run_as candidate; all its queries go out together. When the vault refuses
 * the sign-in, the answers so far are dropped and the queries go out again as the next candidate. Any other
 * failure of one query is the failure of that vault. Where a catalogue cache is given, the one query to a
 * vault is for the user's catalogue. The fan-out is over when every vault has answered or failed; it is a
 * success if one answered. Which accounts a user may have is decided by the vault, in what it lists.
 *
 * Rules: done() is called exactly once, never before vault_fanout_new() has returned, and may free the
 * fan-out; after vault_fanout_free() it is never called. Session, vaults and the texts of the queries outlive
 * the fan-out.
 *
 * Not here: which queries (find_queries.h), what becomes of the lists (find_rows.h, endpoint_rows.h).
 */
#ifndef JG_BROKER_FIND_VAULT_FANOUT_H
#define JG_BROKER_FIND_VAULT_FANOUT_H

#include "broker/catalogue/catalogue_cache.h"
#include "broker/find/explain.h"
#include "broker/identity/usermap.h"
#include "broker/lists/account_lists.h"

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

struct fanout_vault {
    struct vault_fanout *fanout;
    struct vault *vault;
    struct usermap users;
    enum fanout_state state;
    struct fanout_query *queries;
    size_t n, open;     /* queries in all, without an answer yet */
    struct fault fault; /* of FANOUT_FAILED */
    uint64_t age_ms;
};

struct vault_fanout_opts {
    struct account_lists *lists;
    struct timers *timers;
    struct vault *const *vaults;
    size_t nvaults;
    const struct session *session;
    uint64_t timeout_ms;                     /* how long an answer is of use */
    struct catalogue_cache *catalogue_cache; /* NULL = lists are asked for */
    /* Writes at most FANOUT_QUERIES_MAX queries for that vault; returns how many. */
    size_t (*write_queries)(void *arg, const struct conf_vault *,
                            struct account_query out[FANOUT_QUERIES_MAX]);
    void (*done)(void *arg);
    void *arg;
    struct explain_record *record; /* gets notes of users tried and calls made; NULL = none */
};

struct vault_fanout {
    struct vault_fanout_opts opts;
    uint64_t ends_ms;
    size_t asking; /* vaults */
    struct deadline soon;
    size_t n;
    struct fanout_vault vault[];
};

struct vault_fanout *vault_fanout_new(const struct vault_fanout_opts *); /* NULL = out of memory */
void vault_fanout_free(struct vault_fanout *);                           /* NULL is fine */
/* Time is up: what has not answered has failed. done() is not called any more. */
void vault_fanout_expire(struct vault_fanout *);
/* Why there is no answer; NULL when at least one vault answered. */
const struct fault *vault_fanout_fault(const struct vault_fanout *);
bool vault_fanout_is_whole(const struct vault_fanout *);     /* no vault failed */
uint64_t vault_fanout_age(const struct vault_fanout *);      /* of the oldest list used */
size_t vault_fanout_count_rows(const struct vault_fanout *); /* rows in all lists of vaults that answered */

#endif
