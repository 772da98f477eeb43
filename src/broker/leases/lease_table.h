/*
 * lease_table.h - leases, the sessions that hold them, and the vault requests they hold.
 *
 *   session_leases   the leases of one PRA session of one person    1 --- n  leases
 *   lease            this session may use this credential           n --- 1  vault request
 *   vault request    one live request at the vault, with its holders: open leases and check-outs in flight
 *   intent           a request that is about to be asked for, or was, with an unknown outcome (intent.h)
 *
 * A lease is also one row of the journal, from before the vault is asked until nothing is left to do:
 *
 *   INTENT --request id known--> OPEN --last holder goes--> RELEASING --checked in--> removed
 *      |                          |                             |
 *      +--no request: removed     +--others hold the request:   +--vault's own expiry--> LAPSED
 *                                    removed
 *
 * The vault request for a request that the vault names is found by its name, user and account
 * (request_identity.h). Its life:
 *
 *   HELD --last holder gone--> RETURNING --checked in, or already gone--> freed
 *     ^                           |     \--past the vault's own expiry--> LAPSED, freed after a day
 *     +--vault_request_reopen()---+   only while it is certain that no check-in has reached the vault
 *
 * A RETURNING vault request keeps a lease in state RELEASING as its cover: the row by which a restart would
 * find it. A vault request that is reopened keeps its cover until another lease of it is durable, so that the
 * request has a row at every moment.
 *
 * A vault request that was the person's own (ORIGIN_FOREIGN), or of which that is not yet known
 * (ORIGIN_UNKNOWN), is dropped without a check-in when its last holder goes; so is one of which the vault
 * keeps no request (ORIGIN_NO_REQUEST: it has no name, it is held for its time and never found). One of
 * the gateway's own is checked in even where the vault said that it is gone: the vault says so again.
 *
 * Not here: what opens and ends leases (lease_life.h), check-ins (checkin.h), the table as a whole
 * (leases.h).
 */
#ifndef JG_BROKER_LEASES_LEASE_TABLE_H
#define JG_BROKER_LEASES_LEASE_TABLE_H

#include "backends/backend.h"
#include "base/id.h"
#include "base/lsid.h"
#include "base/timers.h"
#include "base/uthash_nofail.h"
#include "broker/identity/session.h"
#include "stores/store.h"

#include <sys/queue.h>

enum vault_request_state { REQUEST_HELD, REQUEST_RETURNING, REQUEST_LAPSED };
enum request_origin { ORIGIN_OURS, ORIGIN_FOREIGN, ORIGIN_UNKNOWN, ORIGIN_NO_REQUEST };

struct checkin;
struct intent;
struct leases;
struct lsid_entry;
struct session_end;
struct vault_ref;

SLIST_HEAD(lease_list, lease);

struct vault_request {
    UT_hash_handle hh;
    struct leases *leases;
    struct vault_ref *vault_ref;
    const char *name;         /* the vault's; "" = the vault keeps no request. Behind the user */
    struct lease_list leased; /* open leases, and covers (state RELEASING) */
    size_t checkouts;         /* check-outs in flight that hold it */
    /* HELD: timed release; RETURNING: the next attempt; LAPSED: the end of its day */
    struct deadline deadline;
    uint64_t ends_ms;        /* monotonic end of its leases */
    int64_t expires_wall_ms; /* the end, as shown */
    struct checkin *checkin; /* while RETURNING or LAPSED; NULL = no memory for it */
    enum vault_request_state state;
    enum request_origin origin;
    bool gone;    /* the vault said that the request is no more */
    bool missed;  /* one list of live requests did not have it */
    bool expired; /* its end has passed */
    /* Its last lease ended with its PRA session: its check-in never goes before others. */
    bool session_ended;
    char user[]; /* who holds it at the vault */
};

/* Of an account and its system at the vault, for operators. */
struct lease_names {
    const char *system, *account; /* in `texts`; the account with its domain, where it has one */
    char texts[];
};

struct lease {
    UT_hash_handle hh; /* lease_index.h */
    uint64_t number;   /* in order of creation */
    SLIST_ENTRY(lease) of_request, of_session;
    struct vault_request *request; /* OPEN, RELEASING, LAPSED */
    struct intent *intent;         /* INTENT; NULL = between two requests */
    struct session_leases *session_leases;
    struct lsid_entry *lsid_entry; /* lsid_index.h; NULL = its lsid is not known */
    LIST_ENTRY(lease) of_lsid;     /* the open ones */
    const struct session_end *end; /* its session ended while its check-out was in flight: it ends when that
                                      has landed; NULL = not so */
    struct lease_names *names;     /* NULL = not known */
    int64_t created_s;             /* wall clock */
    enum lease_state state;
    bool is_in_lsid_index;
    char lsid[LSID_TEXT_SIZE]; /* as given; "" = not known */
    char id[ID_SIZE];
    char credential_id[];
};

struct session_leases {
    UT_hash_handle hh;
    struct lease_list leases; /* the open ones */
    size_t refs;              /* leases in any state */
    size_t key_size;
    const char *user, *domain; /* as the first lease's session gave them; behind the key */
    char key[]; /* user and domain, as person_key() writes them, and session id, each with its NUL */
};

/* ---- session_leases ---- */

/* A session's key in a fresh session_leases, not in any table; free() it. NULL = out of memory. */
struct session_leases *session_leases_probe(const struct session *);
/* The leases of the session with this key; NULL = none. */
struct session_leases *session_leases_find(const struct leases *, const struct session_leases *probe);
/* Gives the session's user and domain the spelling that the records of its leases have, where it has leases;
 * the texts are valid as long as these. */
void session_leases_spell(const struct leases *, struct session *);
/* In the spelling of the session that came first; "" = no domain. */
const char *session_leases_user(const struct session_leases *);
const char *session_leases_domain(const struct session_leases *);
const char *session_leases_session(const struct session_leases *);

/* ---- leases ---- */

struct lease *lease_find(struct leases *, const struct session *, const char *credential_id);
struct lease *lease_by_id(const struct leases *, const char *id);
/* Is this the id of a lease of the gateway, of now or of any time before (lease_tag.h)? */
bool lease_id_known(const struct leases *, const char id[ID_SIZE]);
/* A new id. 0 or -EIO. */
int lease_id_new(const struct leases *, char id[ID_SIZE]) __attribute__((warn_unused_result));
/* Keeps the names, for operators only: without memory they are not known. `domain` of the account, "" = none.
 */
void lease_set_names(struct lease *, const char *system, const char *domain, const char *account);
bool lease_is_held(const struct lease *); /* open, and handed over to its session */
uint64_t lease_age_s(const struct leases *, const struct lease *);
/* The key of a lease in any state (lsid_index.h), from an lsid in any form or NULL. 0 or -ENOMEM. */
int lease_set_lsid(struct leases *, struct lease *, const char *lsid);
/* The row goes, and the lease with it. */
void lease_discard(struct leases *, struct lease *);

/* ---- rows: lease_row.c ---- */

/* Hands the journal what the row of this lease is now. 0 or -ENOMEM. */
int lease_write_row(struct leases *, const struct lease *);

/* ---- vault requests ---- */

struct vault *vault_request_vault(const struct vault_request *);
/*
 * A new HELD vault request, held by one check-out. Its check-in runs as `user`, who holds it at the vault.
 * NULL = out of memory.
 */
struct vault_request *vault_request_new(struct leases *, struct vault *, const char *user, const char *name,
                                        enum request_origin);
size_t vault_request_holders(const struct vault_request *);
void vault_request_hold(struct vault_request *); /* one check-out more holds it; only while HELD */
void vault_request_gone(struct vault_request *); /* the vault said that the request is no more */

#endif
