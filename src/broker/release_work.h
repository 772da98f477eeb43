/*
 * release_work.h - the end of leases over all gateways of a shared store.
 *
 * A session's leases may be on requests of any gateway, and only the store knows them all. So a release asks
 * it for the session's leases and intents, and ends each by a step. Its caller waits for that as long as it
 * has time; the work goes on after that, also when the store is away or the gateway has been fenced
 * meanwhile, until it is done. It is in memory alone: if the process ends before, the leases last until their
 * end.
 *
 *   asking --answered--> ending --all steps have their outcome--> done
 *     ^ \--no answer--> waiting --+    \--fenced--> waiting
 *     +---------------------------+
 *
 * A session whose work is not done gets no credential that the work covers. Of one that has ended the work
 * takes check-outs along that have begun before at any gateway (release_work.c).
 *
 * Not here: the answer to the caller (release.c), what ends in this gateway at once (checkouts_end()).
 */
#ifndef JG_BROKER_RELEASE_WORK_H
#define JG_BROKER_RELEASE_WORK_H

#include "broker/operation.h"

#define RELEASE_WORKS_MAX 100000

struct release_work;
struct vault_request;

/* What a caller that still waits is told. */
struct release_work_class {
    /* A lease has ended, and `others` hold its request still. `returned`: this gateway checks it in; NULL =
     * it does not. */
    void (*ended)(void *arg, const struct lease_row *, unsigned others, struct vault_request *returned);
    /* The last call; the work is gone. `found`: of one by the lease's id, there is such a lease or intent. */
    void (*done)(void *arg, bool found);
};

struct release_work_args {
    const struct session *session; /* of which leases end; NULL = see below */
    const char *credential_id;     /* NULL = all */
    const char *lsid;              /* or those of this session, for all its users; NULL = none */
    const struct session_end *end; /* as which report says; NULL = none does */
    const char *lease_id;          /* or the one of this id; NULL = none */
    bool is_over;                  /* the session has ended, or all with the lsid */
    const char *why;               /* as lease_close() */
};

/* NULL = out of memory, or too many of them are not done. Nothing is called before it has returned. */
struct release_work *release_work_new(struct broker *, const struct release_work_args *,
                                      const struct release_work_class *, void *arg);
void release_work_leave(struct release_work *); /* nothing is called any more; the work goes on */
/* Is one of them to end a lease of this session on this credential? */
bool release_works_cover(const struct broker *, const struct session *, const char *credential_id);
size_t release_works_count(const struct broker *);
void release_works_free(struct broker *);

#endif
