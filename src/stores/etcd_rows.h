/*
 * etcd_rows.h - rows as etcd keeps them: their keys and their values.
 *
 * A key, below the prefix that all keys of a cluster have:
 *
 *   i/S/C/L     request whose existence at the vault is not known yet: its asker's lease id is L
 *   r/VAULT/R   request that the vault has made: R is its name there, "=" and L where the vault keeps none
 *   w/U/C       the request at VAULT/R, its value, waits for its approver
 *   s/S/C       lease: one for a session and a credential
 *   h/VAULT/R/L the lease L holds the request, and how many check-outs answer with it
 *   e/LSID/L    the lease or intent L is of the PRA session with this lsid; its value is S/C
 *   x/S x/LSID  the session, or all sessions with this lsid, has ended: its value is store_finish.ago_ms
 *   p/NODE/SITE cursor of a PRA site
 *
 * S is a hash of person and session, C of the credential id, U of the vault user; names of people and domains
 * are the same in ASCII case (base/person.h). So a session finds its
 * lease, and a gateway the request that another one has made, without an index. A request has one row,
 * however gateways spell its user: the vault tells requests apart by R.
 *
 * A value is one letter, which is the state, and JSON whose members are one letter each. A comparison of
 * values can read the letter. The value of h/ is S/C, and behind that " 2" or " *" where several check-outs
 * answer with the lease (store.h, lease_answers).
 *
 * Not here: transactions (etcd_txn.h), which keys a step compares and writes (etcd_steps.c).
 */
#ifndef JG_STORES_ETCD_ROWS_H
#define JG_STORES_ETCD_ROWS_H

#include "base/buf.h"
#include "stores/store.h"

#include <cJSON.h>

#define ETCD_KEY_SIZE   320
#define ETCD_VALUE_SIZE 65536

/* The keys of a step's rows. Those of a lease are "" where the step has none. */
struct etcd_keys {
    char intent[ETCD_KEY_SIZE], request[ETCD_KEY_SIZE], pending[ETCD_KEY_SIZE];
    const char *pending_value; /* part of `request` */
    char asker[ETCD_KEY_SIZE]; /* s/ of the session for which the request was asked */
    char holds[ETCD_KEY_SIZE]; /* what all h/ keys of the request begin with */
    char lease[ETCD_KEY_SIZE], hold[ETCD_KEY_SIZE];
    char holder[ETCD_KEY_SIZE];  /* value of `hold`, of one check-out */
    char instead[ETCD_KEY_SIZE]; /* intent that ends with STEP_OPEN */
    char asker_lsid[ETCD_KEY_SIZE],
        asker_value[ETCD_KEY_SIZE]; /* e/ of the asker, and its value; "" = none */
    char lease_lsid[ETCD_KEY_SIZE]; /* e/ of the lease; "" = none */
    /* x/ of the asker's session and lsid where ASK looks at them, or that FINISH writes; "" = none */
    char finishes[STORE_FINISHES][ETCD_KEY_SIZE];
    char cursor[ETCD_KEY_SIZE];
};

/* The texts one after the other, up to NULL. False = they do not fit. */
bool etcd_put_texts(char key[ETCD_KEY_SIZE], const char *const *texts);
/* 0, -ENAMETOOLONG or -ENOMEM. */
int etcd_keys_of(struct etcd_keys *, const struct store_step *, const char *node);
/* r/VAULT/R of a request without its other keys, as etcd_keys_of(). */
int etcd_request_key(char key[ETCD_KEY_SIZE], const struct request_row *);
/* The same, from the value of a w/ key. False = it is none. */
bool etcd_waiting_request_key(char key[ETCD_KEY_SIZE], const struct buf *value);

/* s/S/ and i/S/ of a PRA session, or with /C of one credential; e/LSID/. As above. */
int etcd_session_key(char key[ETCD_KEY_SIZE], const char *kind, const struct holder *, bool with_credential);
int etcd_lsid_key(char key[ETCD_KEY_SIZE], const char *lsid);
/* w/U/C of a vault user and a credential; as above. */
int etcd_waiting_key(char key[ETCD_KEY_SIZE], const char *user, const char *credential);
/* h/VAULT/R/ of a request; as above. */
int etcd_holds_key(char key[ETCD_KEY_SIZE], const struct request_row *);
/* h/VAULT/R/L; as above. */
int etcd_hold_key(char key[ETCD_KEY_SIZE], const struct request_row *, const char *lease_id);
/* The value of an h/ key: that of one check-out with this many. False = it does not fit. */
bool etcd_hold_value(char value[ETCD_KEY_SIZE], const char *holder, enum lease_answers);
/* s/S/C from the value of an h/ key. False = it is none. */
bool etcd_held_lease_key(char key[ETCD_KEY_SIZE], const struct buf *value, enum lease_answers *);
/* What comes after all keys that begin with `key`, which ends with '/'. */
void etcd_key_end(char to[ETCD_KEY_SIZE], const char *key);

/* Appended to `out`, whose `failed` tells of a failure. `owner` is the gateway that answers for the row;
 * `more` are members that this version does not know (etcd_kept.h), "" = none. */
void etcd_request_value(struct buf *out, const struct request_row *, const char *owner, const char *more);
/* Vault, user and name of the request are kept with the lease: they are its key. */
void etcd_lease_value(struct buf *out, const struct lease_row *, const struct request_row *,
                      const char *more);
/* Values of the lease of this id that have an lsid are from `from` up to, without, `to`. False = no room. */
bool etcd_named_lease_range(char from[ETCD_KEY_SIZE], char to[ETCD_KEY_SIZE], const char *id);

/* A value that was read. Texts are valid until etcd_row_free(). */
struct etcd_row {
    bool is_lease;   /* then of the request only vault, user and name are known, and lease.request is "" */
    bool is_strange; /* it has members that this version does not know */
    struct request_row request;
    struct lease_row lease;
    cJSON *tree;
};

/* The letters of all members of a value. */
extern const char etcd_request_members[], etcd_lease_members[];

/* Of an s/ key, or of an i/ or r/ key. 0, -EUCLEAN (no gateway writes such a value) or -ENOMEM. */
int etcd_row_read(struct etcd_row *, bool is_lease, const char *value, size_t n);
void etcd_row_free(struct etcd_row *);
/* The value of an i/ or r/ key with another owner, appended to `out`. All its members stay, those that
 * this version does not know included. False = its owner is not `from`, or mark and owner are not the first
 * members: no gateway has written it so. */
bool etcd_value_reown(struct buf *out, const char *value, size_t n, const char *from, const char *to);

#endif
