/*
 * shared_strays.h - requests of the cluster in a vault's list that the store of the cluster may not have.
 *
 * The mark of a request tells that some gateway of the cluster has made it, at any time; the table of one
 * gateway does not tell whether another holds it. So a request that is not in the table is a suspect. When a
 * later list shows it again, after longer than a check-out lasts, the store is asked: if it has no row of
 * that name, the request is checked in. Between that answer and the check-in is a step that expects no row,
 * so what another gateway opens meanwhile stays with it.
 */
#ifndef JG_BROKER_LEASES_SHARED_STRAYS_H
#define JG_BROKER_LEASES_SHARED_STRAYS_H

struct active_request;
struct leases;
struct vault;

typedef void shared_stray(struct leases *, struct vault *, const char *user, const struct active_request *,
                          const char *mark);
/* The list of this user shows the request; `mark`: the lease id in its reason. `stray` is called with it if
 * it turns out to be one. */
void shared_strays_note(struct leases *, struct vault *, const char *user, const struct active_request *,
                        const char *mark, shared_stray *stray);
void shared_strays_free(struct leases *);

#endif
