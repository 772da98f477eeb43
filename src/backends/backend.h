/*
 * backend.h - the operations of a vault, as the broker uses them.
 *
 * A backend is a const struct of functions (struct vault_ops); the fake vault of the unit tests is one more.
 * Each call acts as one user of the vault (run-as), and the vault itself decides what this user may do; where
 * the vault knows the gateway alone (vault_can.per_user), the backend's entitled() decides. A backend
 * translates everything the vault says into a vault_result and a fault: no HTTP status, sub-code or transport
 * error is interpreted above this header. What kinds of vault differ in is data (struct vault_can), and no
 * one above asks which kind it is.
 *
 *     broker                            backend                              vault
 *       | ops->checkout(v, want, call) ---> | returns 0                        |
 *       |                                   | signs in where needed, sends --> |
 *       |                                   | <----------------------- answer  |
 *       | <--- call->done(call): result ... |                                  |
 *       | vault_call_free(call)
 *
 * Rules for every operation that takes a vault_call:
 *
 *  - Once: it returns 0 and later calls call->done exactly once, or it returns -errno and never calls it:
 *    -EAGAIN (too many calls; call->fault gives the reason where it is set), -EMSGSIZE (a text is too long to
 *    be sent), -EINVAL (a key is none of this vault), -ENOMEM, -ESHUTDOWN.
 *  - Later: `done` is never called before the operation has returned. Inside `done` the caller may start and
 *    cancel any call, also this one again.
 *  - Cancel: after cancel() `done` is not called. Cancelling does not undo: what has been sent may take
 *    effect at the vault.
 *  - Deadline: a call ends within call->timeout_ms, also while it waits in a queue.
 *  - Memory: the vault_call belongs to the caller and stays in place until `done`, cancel() or withdraw(). So
 *    do `user` and all texts of the arguments. What the answer holds belongs to the caller, who frees it with
 *    vault_call_free().
 *  - Genuine: every result but VAULT_FAILED is what the vault itself answered. An answer that a proxy, a
 *    firewall or a web server may have written in its place is VAULT_FAILED.
 *  - Unknown: a checkout, a checkin or an after_checkin that may have taken effect and whose answer is
 *    missing or not genuine is VAULT_FAILED with `unknown`; so is a read_secret that may have made a
 *    check-out (vault_can.secret_with_checkout). Without `unknown` nothing was done at the vault.
 *  - Secrets: a credential is in memory that is wiped when it is freed, from the socket to call->secret. No
 *    fault, log event or metric quotes a secret or the key of a vault request: a vault session and the key
 *    together are enough to read the password.
 *  - Thread: everything runs on the loop's thread; nothing blocks.
 *
 * A new kind of vault: a folder beside password_safe/ with one struct that begins with struct vault and one
 * struct vault_ops; its name in the table of the configuration (`type`, conf/table/conf_table.c); its row in
 * commands/vault_kinds.c. Operations that it does not have are NULL where a comment below allows it. Each
 * member of struct vault_can says what it takes of the operations.
 *
 * Not here: which vault is asked, retries of check-ins, caches (broker/).
 */
#ifndef JG_BACKENDS_BACKEND_H
#define JG_BACKENDS_BACKEND_H

#include "base/fault.h"
#include "base/memory/secret.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- accounts ---- */

enum account_kind {
    KIND_LOCAL,
    KIND_DOMAIN_LINKED,
    KIND_APPLICATION,
    KIND_DATABASE,
    KIND_CLOUD,
    KIND_ALIAS,
    KIND_NKINDS
};
const char *account_kind_word(enum account_kind); /* its name in the API; "any" for KIND_NKINDS */

/*
 * What a vault calls an account: an opaque text of the backend, 1 to 256 bytes, compared byte for byte. An
 * account has the same key in every list and after every restart. Password Safe's is
 * KIND.SYSTEM.ACCOUNT.APPLICATION. Where a vault tells less than that (requests()), its key says so; only
 * vault_ops.match() compares such a key.
 */
#define ACCOUNT_KEY_SIZE 257 /* with its NUL */
enum account_match {
    ACCOUNT_OTHER,    /* two accounts, certainly */
    ACCOUNT_POSSIBLE, /* nothing that the two keys say contradicts it */
    ACCOUNT_SAME
};

/* A managed account that the user may request on a managed system. A text is never NULL unless said so. */
struct account {
    const char *key; /* NULL only where no vault has listed it */
    enum account_kind kind;
    int64_t system_id, account_id;
    int64_t application_id; /* 0 = none */
    int64_t platform_id;
    int64_t default_minutes, max_minutes; /* of a request; 0 = not known */
    bool isa;                             /* may be read without a request: see checkout_want.direct */
    const char *system, *account;
    const char *domain;      /* NULL = none */
    const char *upn;         /* NULL = none */
    const char *instance;    /* of a database, NULL = none */
    const char *application; /* display name, NULL = none */
    const char *description; /* NULL = none */
    const char *alias;       /* name of the alias, NULL = none; its id is then account_id */
    const char *username;    /* what is typed at the endpoint; NULL = made of account and domain */
    const char *label;       /* what people see; NULL = as `display` has it */
};

/* Rows and the texts they point to, counted by reference. Several readers share one list, so it is not
 * changed once it has been handed out. */
struct account_list {
    unsigned refs;
    size_t n, cap;
    struct account *rows;
    struct string_pool *string_pool;
};

struct account_list *account_list_new(void); /* one reference; NULL when out of memory */
struct account_list *account_list_ref(struct account_list *);
void account_list_unref(struct account_list *); /* NULL is fine */
/* Copies the row and its texts. 0 or -ENOMEM. */
int account_list_add(struct account_list *, const struct account *);

/* The accounts to list. Names go to the vault as they are. At most one of system, ip, application and
 * system_id is set; without one, all accounts of the kind are listed. */
struct account_query {
    enum account_kind kind; /* KIND_NKINDS = any */
    const char *system;     /* name of the managed system */
    const char *ip;
    const char *application; /* display name */
    int64_t system_id;       /* 0 = none */
    bool recent;             /* the accounts that the user requested last */
    const char *workgroup;   /* only systems of the workgroup of this name; NULL = any */
};

/* ---- the directory of systems, which takes an administrative right to read ---- */

enum directory_part { DIRECTORY_SYSTEMS, DIRECTORY_PLATFORMS, DIRECTORY_WORKGROUPS, DIRECTORY_NPARTS };

/* A system, a platform or a workgroup. Absent texts are NULL, absent numbers 0. */
struct directory_row {
    int64_t id;
    int64_t platform_id, workgroup_id; /* of a system */
    int64_t port;                      /* of a system, or the default of a platform */
    bool ssh_keys;                     /* platform: accounts may have keys */
    const char *name;
    const char *short_name;                    /* platform */
    const char *session_type;                  /* platform: "RDP", "SSH", ... */
    const char *host, *dns, *ip, *description; /* system */
};

/* Rows and the texts they point to. */
struct directory_list {
    size_t n, cap;
    struct directory_row *rows;
    struct string_pool *string_pool;
};

struct directory_list *directory_list_new(void);
void directory_list_free(struct directory_list *); /* NULL is fine */
/* Copies the row and its texts. 0 or -ENOMEM. */
int directory_list_add(struct directory_list *, const struct directory_row *);

/* ---- requests ---- */

/* What the access policy demands of a check-out now. */
struct vault_policy {
    bool available; /* some schedule is open */
    bool reason, ticket, approval;
};

enum credential_type { CREDENTIAL_PASSWORD, CREDENTIAL_SSH_KEY, CREDENTIAL_PASSPHRASE };

/*
 * What a vault calls a request: an opaque text of the backend, 1 to 256 bytes, compared byte for byte.
 * Password Safe's is the request id in digits; where keys are not unique (vault_can) it is made of the names
 * of what is checked out.
 */
#define REQUEST_KEY_SIZE    257  /* with its NUL */
#define REQUEST_HANDLE_SIZE 2049 /* of a handle (identify()), with its NUL */
/* The key as the number that people know, where it is one in digits; else 0. */
int64_t request_key_number(const char *key);

/* A request as a call names it. */
struct request_ref {
    const char *key;
    const char *handle;   /* what identify() gave; "" = none */
    const char *lease_id; /* of its holder, or its last one: for the vault's comment */
    /* read_secret that is a further check-out (vault_can.secret_with_checkout): as in checkout_want, and the
     * lease is that of whom the secret is for. Else NULL. */
    const char *reason, *ticket_number;
    /* checkin, where checkins_each: as many are due at most. 0 = not known: until it has gone. */
    uint32_t checkins;
};

/* What is checked out. Where the user already has such a request, the vault hands that one over. */
struct checkout_want {
    const char *account_key;
    int64_t minutes;
    const char *reason;
    int64_t ticket_system_id;  /* 0 = none */
    const char *ticket_number; /* NULL = none */
    const char *lease_id;
    enum credential_type type; /* of the secret, where it comes with the answer */
    /* Of an account with `isa`: its secret at once and without the access policy. The vault makes a request
     * for it whose key is not in the answer (CHECKOUT_NONE). */
    bool direct;
};

enum checkout_origin {
    CHECKOUT_NEW,
    CHECKOUT_REUSED, /* the vault handed over an existing request */
    CHECKOUT_NONE    /* no request in the answer: requests() finds it by the mark, where there is one */
};

/* One of the user's own live requests. */
struct active_request {
    char *name;              /* its key, never NULL */
    char *account_key;       /* one allocation with the name, as is the reason; "" = not told */
    char *reason;            /* NULL = none */
    int64_t expires_wall_ms; /* 0 = not known */
    bool waits;              /* for its approver: it has no secret yet */
};
/* In the order in which they were made. */
struct active_requests {
    size_t n;
    struct active_request *rows;
};

/* ---- calls ---- */

/* The codes of Password Safe are those that lead to the result there (backends/password_safe/errors.c). */
enum vault_result {
    VAULT_OK,
    VAULT_GONE,     /* the request is unknown, released or expired; for a check-in as good as OK */
    VAULT_ABSENT,   /* the account has no credential of this type, or there is no such account */
    VAULT_PENDING,  /* the request waits for approval (4034) */
    VAULT_CONFLICT, /* another request holds the account (4091) */
    VAULT_DENIED,   /* the user may not do this (4031, 4032, 4033, 4035) */
    VAULT_BAD,      /* the vault rejects the values of the call (400); fault.detail has its text */
    VAULT_REFUSED,  /* the vault refused the sign-in of this user, now or lately. Only this result lets the
                       broker try the next candidate; a 401 to a call after a sign-in is VAULT_FAILED */
    VAULT_FAILED    /* all else: not reachable, 5xx, unreadable, not genuine, deadline, overload */
};

/* Why entitled() found these accounts and no more, for `explain`. It belongs to the caller, who frees
 * `sections`. A section is one of the gateway's configuration. */
#define ENTITLED_SECTIONS_MAX 50
struct entitled_why {
    bool told;
    bool called;      /* the vault was asked for it */
    char *sections;   /* names of those that name the user, the first ENTITLED_SECTIONS_MAX, each ended by a
                         NUL; NULL = none */
    size_t nsections; /* in that text */
    size_t named;     /* sections that name the user */
    size_t by_user, by_host;   /* sections left out: they do not name the user; they do, and not the host */
    size_t by_listing, listed; /* accounts left out, since the vault does not list them; and not left out */
};

struct vault;
struct jsonw;

struct vault_call {
    /* Set by the caller. */
    const char *user;    /* the vault user to act as */
    uint64_t timeout_ms; /* the caller's time left; 0 = call_timeout, which also limits each sending */
    bool background;     /* waits behind calls that are not */
    bool begun;          /* continues what has been begun, or, with `background`, gives it back: see
                            base/queue/priority_queue.h */
    bool admitted;       /* another call of its operation was admitted: so is this one, within max_calls */
    uint64_t wait_ms; /* it must begin within this time or not at all (FAILED, overloaded, not `unknown`); 0 =
                         no such limit */
    const char *account_key;  /* read_secret: the account for which the request was made */
    struct entitled_why *why; /* entitled, of all accounts: empty, to be filled in; NULL = not wanted. In
                                 place until `done`; filled in as far as is known also where the call fails */
    /* NULL, or asked at the last moment before each sending: false = it may not be sent (any more), and ends
     * as FAILED and `withheld`. It starts and cancels no call, and judges by the time read then. */
    bool (*may_send)(struct vault_call *);
    void (*done)(struct vault_call *);

    /* Set by the backend before `done`. */
    enum vault_result result;
    bool unknown;  /* with VAULT_FAILED: the call may have taken effect. With VAULT_OK and CHECKOUT_REUSED:
                      the request may be the one that an earlier sending of this call made */
    bool withheld; /* with VAULT_FAILED: may_send() said no; `unknown` is of an earlier sending */
    bool holder_is_own; /* with VAULT_CONFLICT: the vault's words name the principal itself as the holder */
    bool repeated;      /* an earlier sending of a call with effects may have had its effect, or may have it
                           yet */
    struct fault fault; /* set whenever result is not VAULT_OK */
    int status;         /* of the last HTTP answer to this call; 0 = there was none */
    struct account_list *accounts;      /* list, entitled */
    struct directory_list *directory;   /* directory */
    struct vault_policy policy;         /* policy */
    char request_key[REQUEST_KEY_SIZE]; /* checkout; "" = none */
    enum checkout_origin origin;        /* checkout */
    int64_t end_wall_ms;                /* checkout: when the vault ends the request; 0 = not told */
    struct secret secret;               /* read_secret, checkout where it comes with the answer */
    struct active_requests active;      /* requests */
    uint32_t checkins;                  /* checkin: as many the vault has confirmed; also where it failed */

    void *impl; /* the backend's own while the call is in flight; NULL otherwise */
};

/* Frees what the answer holds; the call may be used again. */
void vault_call_free(struct vault_call *);
/* Copies name, account key and reason (NULL = none) into the row. 0 or -ENOMEM. */
int active_request_set(struct active_request *, const char *name, const char *account_key,
                       const char *reason);

/* ---- the vault ---- */

/* What a kind of vault can do: data in struct vault, set by the backend when it is made. */
struct vault_can {
    /* The answer of a check-out brings the secret, and read_secret() is a further check-out: it may be sent
     * when its caller has left, and may end `unknown`. Else the secret is read by read_secret() alone. */
    bool secret_with_checkout;
    /* A request key names one check-out for ever. Else identify() knows the key before the check-out, the
     * same key comes again, and there is at most one check-out of it at a time, of the one principal. */
    bool keys_are_unique;
    /* Where keys are not unique: each check-out, also one that reads the secret again, wants a check-in of
     * its own. The broker counts them (request_ref.checkins). */
    bool checkins_each;
    bool has_end;    /* the vault ends a request by itself */
    bool per_user;   /* a call acts as one of the vault's users. Else as `principal`, for everybody, and
                        entitled() says who may get what */
    bool repeatable; /* a request that is held gives its secret again */
};

/* The session for which accounts are asked. */
struct vault_session {
    const char *username, *domain; /* as the session has them; "" = none */
    const char *const *forms;      /* of the names of its machine, as `match` selects them */
    size_t nforms;
};

struct vault_state {
    bool known;                   /* false before the first answer or failure */
    bool reachable;               /* by the last calls, and by a probe where there are none */
    bool refuses;                 /* it refuses the sign-in of the one identity that all calls act as */
    uint64_t last_success_age_ms; /* UINT64_MAX = never */
    int64_t skew_ms;              /* the vault's clock minus the own one as it is now */
    int64_t skew_error_ms;        /* by which it may be more or less */
    bool skew_known;
    size_t connections, queued, in_flight, sessions, users;
    char detail[160];        /* why it is not reachable */
    int64_t certificate_end; /* of the certificate presented to the vault, seconds since 1970; 0 = none */
    uint64_t wait_ms;        /* estimate: how long a call of a new user would wait */
    uint64_t sign_ins, sign_ins_refused; /* since the start; `sign_ins`: accepted */
    uint64_t refused; /* calls and operations not admitted, or admitted and not begun in time */
};

/* How a vault stands, as far as its calls tell. */
enum vault_standing { VAULT_UNKNOWN, VAULT_DOWN, VAULT_REFUSES, VAULT_UP, VAULT_NSTANDINGS };

struct vault_ops {
    const char *name; /* `type` in the configuration's [vault NAME] */
    /* `state` in /status by enum vault_standing. NULL = unknown, unreachable, refused, reachable. */
    const char *const *standings;

    /* The accounts that the user may request, all of them: the backend reads every page. -> accounts; none is
     * an empty list, never NULL. NULL where there is entitled(). */
    int (*list)(struct vault *, const struct account_query *, struct vault_call *);

    /* The query whose list has the account of this key, if the user may request it. No call is made. 0, or
     * -EINVAL: it is no key of this kind of vault. NULL where there is entitled(). */
    int (*query)(const struct vault *, const char *account_key, struct account_query *);

    /* The accounts that this session may use; of `account_key`, where it is not NULL, that one alone: DENIED
     * says that it is there and not for this session, ABSENT that there is no such account. -> accounts. NULL
     * where a call acts as one of the vault's users. */
    int (*entitled)(struct vault *, const struct vault_session *, const char *account_key,
                    struct vault_call *);

    /* Visits every account that entitled() may ever give to anyone. No call is made. NULL = the vault alone
     * knows them. */
    void (*each_account)(const struct vault *, void (*visit)(void *arg, const struct account *), void *arg);

    /* Where keys are not unique: key and handle of the account's request, before it is asked for. The handle
     * is a text of less than REQUEST_HANDLE_SIZE bytes that belongs to the caller: it is kept in the
     * request's row, and with it a check-in needs no section of the configuration. No call is made. 0,
     * -EINVAL (no such account, or none of this vault) or -ENOMEM. NULL = keys are unique. */
    int (*identify)(const struct vault *, const char *account_key, char key[REQUEST_KEY_SIZE], char **handle);

    /* May the two keys be one account's? No call is made. NULL = as they are equal. */
    enum account_match (*match)(const char *account_key, const char *other);

    /* What a check-out of this account would need now. It has no effect. -> policy. NULL =
     * nothing. */
    int (*policy)(struct vault *, const char *account_key, int64_t minutes, struct vault_call *);

    /* Makes a request, or finds the user's own that fits. -> request_key, origin, end_wall_ms; secret where
     * it comes with the answer (vault_can.secret_with_checkout, checkout_want.direct). */
    int (*checkout)(struct vault *, const struct checkout_want *, struct vault_call *);

    /* Reads the secret behind a request that is held. It may be called again where the vault is `repeatable`.
     * -> secret */
    int (*read_secret)(struct vault *, const struct request_ref *, enum credential_type, struct vault_call *);

    /* Gives a request back. May be called again: VAULT_GONE says that it has been given back before. */
    int (*checkin)(struct vault *, const struct request_ref *, const char *reason, struct vault_call *);

    /* What follows the confirmed check-in of a request whose secret was handed out (a change of the
     * password). Only where keys are not unique, and while nothing of the key is checked out. NULL = nothing
     * ever does. */
    int (*after_checkin)(struct vault *, const struct request_ref *, struct vault_call *);

    /* Does it follow for this request, and so long after the check-in? -1 = it does not. No call is made.
     * NULL where after_checkin is. */
    int64_t (*after_checkin_delay)(const struct vault *, const struct request_ref *);

    /* The user's own live requests, also those that wait for approval. -> active. NULL = the vault tells of
     * none: a check-out of unknown outcome is given back by its key, so keys are not unique. */
    int (*requests)(struct vault *, struct vault_call *);

    /* One part of the directory, all of it. -> directory. NULL = this kind of vault has no directory. */
    int (*directory)(struct vault *, enum directory_part, struct vault_call *);

    /* Asked before an operation of this user that needs the vault: would it be answered in the time left? 0,
     * or -EAGAIN with a fault that gives the reason and the time after which a new attempt is worth while.
     * Nothing is reserved. NULL = always 0. */
    int (*admit)(struct vault *, const char *user, uint64_t left_ms, struct fault *);

    /* Ends the call without `done`. Any number of times; of a call that is not in flight it does nothing. */
    void (*cancel)(struct vault *, struct vault_call *);

    /* Takes a call back of which certainly nothing has reached the vault. true = it is cancelled and had no
     * effect; false = it is sent or may be: nothing has changed, and `done` follows. NULL = always false. */
    bool (*withdraw)(struct vault *, struct vault_call *);

    void (*state)(const struct vault *, struct vault_state *);

    /* Writes what this kind of vault tells of itself besides, as members of its object in /status. NULL =
     * nothing. */
    void (*describe)(const struct vault *, struct jsonw *);
};

/* Every backend's own struct begins with this. */
struct vault {
    const struct vault_ops *ops;
    const struct conf_vault *conf;
    struct vault_can can;
    const char *principal; /* as whom all calls act; NULL where can.per_user. It lives as long as the vault */
    uint64_t life_ms;      /* with has_end: how long a request lives, from before the call; 0 = its minutes */
};

static inline bool vault_withdraw(struct vault *v, struct vault_call *call)
{
    return v->ops->withdraw && v->ops->withdraw(v, call);
}

static inline int vault_admit(struct vault *v, const char *user, uint64_t left_ms, struct fault *f)
{
    return v->ops->admit ? v->ops->admit(v, user, left_ms, f) : 0;
}

/* Does one of them list systems, so that endpoints can be searched? Also where there is no vault. */
bool vaults_list_systems(struct vault *const *, size_t n);
/* May it be the key of an account of this vault? */
bool vault_is_account_key(const struct vault *, const char *account_key);

#endif
