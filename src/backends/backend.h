/*
 * backend.h - what a vault can do, as the broker sees it.
 *
 * A backend is a const struct of functions; the fake in the tests is just another row. All calls act as one
 * mapped vault user (run-as): entitlement is the vault's to decide. Errors are translated here and nowhere
 * else: HTTP status, sub-codes and transport errors go in, a result and a fault fit for a caller come out.
 *
 * Rules, for every operation:
 *  - it returns 0 and later calls call->done exactly once, or -errno (-EAGAIN: too many calls, call->fault
 * says more where it is set; -ENOMEM, -ESHUTDOWN) and never calls it;
 *  - done is never called before the operation has returned (no re-entry);
 *  - after cancel() it is never called. Cancelling does not undo: a request already sent may have happened.
 * The texts handed in stay valid until done. What comes out belongs to the caller, who frees it with
 * vault_call_free().
 */
#ifndef JG_BACKENDS_BACKEND_H
#define JG_BACKENDS_BACKEND_H

#include "base/fault.h"
#include "base/memory/secret.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stdint.h>

enum account_kind {
    KIND_LOCAL,
    KIND_DOMAIN_LINKED,
    KIND_APPLICATION,
    KIND_DATABASE,
    KIND_CLOUD,
    KIND_ALIAS,
    KIND_NKINDS
};
const char *account_kind_word(enum account_kind); /* as the interface names it; "any" for KIND_NKINDS */

/* A managed account the user may request on a managed system. Texts are never NULL unless said so. */
struct account {
    enum account_kind kind;
    int64_t system_id, account_id;
    int64_t application_id; /* 0 = none */
    int64_t platform_id;
    int64_t default_minutes, max_minutes; /* 0 = not told */
    bool isa;                             /* IsISAAccess */
    const char *system, *account;
    const char *domain;      /* NULL = none */
    const char *upn;         /* NULL = none */
    const char *instance;    /* NULL = none */
    const char *application; /* display name, NULL = none */
    const char *description; /* NULL = none */
    const char *alias;       /* name of the alias, NULL = none; its id is then account_id */
};

/* Rows and the texts they point to, in one piece, shared by count. */
struct account_list {
    unsigned refs;
    size_t n, cap;
    struct account *rows;
    void *string_pool; /* private to account.c */
};

struct account_list *account_list_new(void);
struct account_list *account_list_ref(struct account_list *);
void account_list_unref(struct account_list *); /* NULL is fine */
/* Copies the row and its texts. 0 or -ENOMEM. */
int account_list_add(struct account_list *, const struct account *);

/* What to list: the names go to the vault as they are. One of system, ip, system_id, application or none (=
 * all). */
struct account_query {
    enum account_kind kind; /* KIND_NKINDS = whatever the vault has under the name */
    const char *system;     /* managed system name */
    const char *ip;
    const char *application; /* application display name */
    int64_t system_id;       /* 0 = none */
    bool recent;             /* the user's most recent ones */
    const char *workgroup;   /* only systems of the workgroup of this name; NULL = any */
};

/* What the vault's directory of systems is asked for; it takes an administrative right to read it. */
enum directory_part { DIRECTORY_SYSTEMS, DIRECTORY_PLATFORMS, DIRECTORY_WORKGROUPS, DIRECTORY_NPARTS };

/* A system, a platform or a workgroup; texts are NULL and numbers 0 where not told or of no meaning. */
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

/* Rows and the texts they point to, in one piece. */
struct directory_list {
    size_t n, cap;
    struct directory_row *rows;
    struct string_pool *string_pool;
};

struct directory_list *directory_list_new(void);
void directory_list_free(struct directory_list *); /* NULL is fine */
/* Copies the row and its texts. 0 or -ENOMEM. */
int directory_list_add(struct directory_list *, const struct directory_row *);

struct request_args { /* a check-out to ask for; always access type View, conflict option reuse */
    int64_t system_id, account_id, application_id;
    int64_t minutes;
    const char *reason;
    int64_t ticket_system_id;  /* 0 = none */
    const char *ticket_number; /* NULL = none */
    int64_t alias_id;          /* ask for what this alias stands for; system and account do not count then */
};

/* What the access policy wants of a check-out now (facts password-safe-api 5.6). */
struct vault_policy {
    bool available; /* some schedule is open */
    bool reason, ticket, approval;
};

enum credential_type { CREDENTIAL_PASSWORD, CREDENTIAL_SSH_KEY, CREDENTIAL_PASSPHRASE };

/* One of the user's own live requests. */
struct active_request {
    int64_t request_id, system_id, account_id;
    char *reason;            /* NULL = none */
    int64_t expires_wall_ms; /* 0 = not told */
};
struct active_requests {
    size_t n;
    struct active_request *rows;
};

/*
 * An answer is believed only if the vault wrote it: all results but FAILED are the vault's own word, in its
 * own form. What a proxy, a firewall or a web server says in its place is FAILED, and `unknown` for a call
 * with effects.
 */
enum vault_result {
    VAULT_OK,
    VAULT_GONE,     /* unknown, released or expired request: for a check-in as good as OK */
    VAULT_ABSENT,   /* the account has no credential of this type; no such account */
    VAULT_PENDING,  /* 4034: not yet approved */
    VAULT_CONFLICT, /* 4091 */
    VAULT_DENIED,   /* 4031, 4032, 4033, 4035 */
    VAULT_BAD,      /* 400: the vault did not like the values; fault.detail has its words */
    VAULT_REFUSED,  /* the vault refused the sign-in of this very user, now or lately. Only this lets
                       another name be tried for the person; a 401 to a call after a sign-in is FAILED */
    VAULT_FAILED    /* everything else: not reachable, 5xx, nonsense, not the vault's word, deadline */
};

struct vault;

struct vault_call {
    /* the caller's */
    const char *user;    /* mapped vault user */
    uint64_t timeout_ms; /* the caller's time left; the vault's call_timeout applies as well */
    bool background;     /* waits behind people */
    bool begun;          /* goes on with what was begun, or gives it back: see base/queue/priority_queue.h */
    bool let_in;         /* another call of its operation was: there is room for it as well */
    uint64_t
        wait_ms; /* it must begin by then or not at all (FAILED, overloaded, not unknown). 0 = no limit */
    int64_t alias_id; /* credential: the request was made for this alias; 0 = for no alias */
    void (*done)(struct vault_call *);

    /* the answer */
    enum vault_result result;
    bool unknown;       /* with VAULT_FAILED: a call with side effects may have happened; with VAULT_OK and
                           `reused`: the request handed over may be what a lost sending of this very call made */
    struct fault fault; /* set whenever result is not VAULT_OK */
    int status;         /* of the last HTTP answer to this call; 0 = none came */
    struct account_list *accounts;    /* list */
    struct directory_list *directory; /* directory */
    struct vault_policy policy;       /* policy */
    int64_t request_id;               /* request */
    bool reused;                      /* request: the vault handed over an existing one (200) */
    struct secret secret;             /* credential, isa */
    struct active_requests active;    /* requests */

    void *impl; /* private to the backend while in flight */
};

/* Frees what an answer holds; the call may be used again. */
void vault_call_free(struct vault_call *);

struct vault_state {
    bool reachable;               /* judged by the last calls, without traffic by a probe (contract 9.24) */
    bool known;                   /* false before the first answer */
    uint64_t last_success_age_ms; /* UINT64_MAX = never */
    int64_t skew_ms;              /* vault's Date minus own wall clock, of the last answer */
    bool skew_known;              /* some answer had a Date */
    size_t connections, queued, in_flight, sessions, users;
    char detail[160];
    int64_t certificate_end; /* of the certificate shown to the vault, seconds since 1970; 0 = none */
    uint64_t wait_ms;        /* how long somebody new would wait for his turn */
    uint64_t refused;        /* calls and operations not let in, or let in and not begun in time */
};

struct vault_ops {
    const char *name; /* configuration: [vault] type */
    int (*list)(struct vault *, const struct account_query *, struct vault_call *);
    int (*policy)(struct vault *, int64_t system_id, int64_t account_id, int64_t minutes,
                  struct vault_call *);
    int (*request)(struct vault *, const struct request_args *, struct vault_call *);
    int (*credential)(struct vault *, int64_t request_id, enum credential_type, struct vault_call *);
    int (*checkin)(struct vault *, int64_t request_id, const char *reason, struct vault_call *);
    int (*requests)(struct vault *, struct vault_call *); /* the user's active ones */
    /* One part of the directory, whole. NULL = this kind of vault has none. */
    int (*directory)(struct vault *, enum directory_part, struct vault_call *);
    /*
     * A secret of an account with `isa`, at once and without the policy being asked. It makes a request of
     * which no number is told: requests() finds it, by account and time. NULL = there is no such thing here.
     */
    int (*isa)(struct vault *, const struct request_args *, enum credential_type, struct vault_call *);
    /*
     * Asked before anything is done for an operation of this user that needs the vault: would it be answered
     * in the time left? 0, or -EAGAIN with a fault that says why not and when to try again. NULL = always.
     */
    int (*admit)(struct vault *, const char *user, uint64_t left_ms, struct fault *);
    void (*cancel)(struct vault *, struct vault_call *); /* any number of times */
    /*
     * Takes back an operation of which certainly nothing has reached the vault: true = it is cancelled and
     * never was. False = it is on its way, or may be: nothing has changed, and done comes. NULL = always
     * false.
     */
    bool (*withdraw)(struct vault *, struct vault_call *);
    void (*state)(const struct vault *, struct vault_state *);
};

/* Every backend's own struct begins with this. */
struct vault {
    const struct vault_ops *ops;
    const struct conf_vault *conf;
};

static inline bool vault_withdraw(struct vault *v, struct vault_call *call)
{
    return v->ops->withdraw && v->ops->withdraw(v, call);
}

static inline int vault_admit(struct vault *v, const char *user, uint64_t left_ms, struct fault *f)
{
    return v->ops->admit ? v->ops->admit(v, user, left_ms, f) : 0;
}

#endif
