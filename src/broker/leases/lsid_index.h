/*
 * lsid_index.h - the open leases and the check-outs in flight of each PRA session that is known by its lsid.
 *
 * A lease is found under (user, session) by its own session; the site knows a PRA session by its lsid alone,
 * and that for all its users. So a lease and a check-out may have a key, the lsid in its one form
 * (base/lsid.h), and each key has an entry here.
 *
 * A lease that is not in the table, since the store has it alone, has no entry: struct lsid_others.
 *
 * Life cycle: an entry is made with the first lease or check-out that refers to it and freed with the last
 * one. A lease refers to it in any state, and is on its list while it is open.
 *
 * Not here: what the end of a session does (broker/session_ended.c).
 */
#ifndef JG_BROKER_LEASES_LSID_INDEX_H
#define JG_BROKER_LEASES_LSID_INDEX_H

#include "base/lsid.h"
#include "broker/leases/lease_table.h"

struct session_end;

/* A check-out in flight. */
struct lsid_checkout {
    LIST_ENTRY(lsid_checkout) link;
    struct lsid_entry *entry; /* NULL = no key */
    int64_t created_wall_ms;
    char lsid[LSID_TEXT_SIZE]; /* as given; "" = no key */
};

struct lsid_entry {
    UT_hash_handle hh;          /* leases.lsids, by key */
    SLIST_HEAD(, lease) leases; /* the open ones */
    LIST_HEAD(, lsid_checkout) checkouts;
    size_t refs;
    char key[LSID_SIZE];
};

/* The entry of a key, for the caller to refer to: made if there is none. NULL = out of memory. */
struct lsid_entry *lsid_entry_ref(struct leases *, const char key[LSID_SIZE]);
void lsid_entry_unref(struct leases *, struct lsid_entry *); /* NULL is fine */
/* NULL = no lease and no check-out has this key. */
struct lsid_entry *lsid_entry_find(const struct leases *, const char key[LSID_SIZE]);

/* A lease (lease_set_lsid() gives it its key) is open, or no longer. */
void lsid_index_add(struct lease *);
void lsid_index_remove(struct lease *);
void lsid_index_forget(struct leases *, struct lease *); /* one that is not open has no key any more */

/* The key of a check-out, as lease_set_lsid(); it is listed from then on. 0 or -ENOMEM. */
int lsid_checkout_set(struct leases *, struct lsid_checkout *, const char *lsid);
void lsid_checkout_leave(struct leases *, struct lsid_checkout *); /* any number of times */

/*
 * Leases of a shared store that have a key and are not in the table: they are on the requests of other
 * gateways, or of other gateways on a request of this one. Known is when the oldest of them was made, at the
 * earliest, and when the last of them ends, at the latest.
 */
struct lsid_others {
    int64_t created_wall_ms; /* this machine's clock */
    uint64_t ends_ms;        /* monotonic; none after that */
};

/* A lease of this gateway that is about to leave its table, since its request is another gateway's. */
void lsid_index_note_joined(const struct lease *);
/* One that the store has shown, with its request, and that is not in the table. */
void lsid_index_note_row(struct leases *, struct vault *, const struct request_row *,
                         const struct lease_row *);

/* Creation (wall clock) of the oldest open lease or check-out in flight that has a key, those of others
 * included. False = none has. */
bool lsid_index_oldest(const struct leases *, int64_t *created_wall_ms);

#endif
