/*
 * vault.h - what the simulated vault knows: identities that sign in, stored and shared credentials, sets of
 * systems, and its settings.
 *
 * No I/O. Time comes through a heap of deadlines that the owner drives. Names are compared without ASCII
 * letter case. What happens to credentials is in checkouts.h, what was done in history.h, tokens in
 * tokens.h, and what clients do wrong in conduct.h.
 *
 * Ownership: the vault owns every object and frees it in vault_free(). Objects are never removed.
 */
#ifndef PI_SIM_VAULT_H
#define PI_SIM_VAULT_H

#include "base/memory/secret.h"
#include "base/timers.h"
#include "pi-sim/conduct.h"
#include "pi-sim/history.h"
#include "pi-sim/knob_table.h"
#include "pi-sim/texts.h"
#include "sim/vec.h"

#include <sys/queue.h>

enum face { FACE_JSON_V2, FACE_JSON_V1, FACE_REST, FACE_COUNT };
enum kind { KIND_STORED, KIND_SHARED };

extern const char *const face_names[FACE_COUNT];

struct identity { /* a delegation identity, or a person who signs in by the web service */
    char *name;
    char *authenticator; /* NULL = an explicit account of the vault, LoginType 1 */
    struct secret password, mfa;
    bool enabled;
    bool all_access;      /* global permission: it may spin, and is in no list of who may */
    bool ignore_checkout; /* "Ignore Password Checkout" */
    unsigned failures;
    bool locked;
    uint64_t locked_until_ms;
    struct refused_sign_in refused; /* conduct */
};

TAILQ_HEAD(checkout_list, checkout);

struct credential {
    struct vault *vault;
    int id;
    enum kind kind;
    char *system, *account;
    char *list;                    /* shared */
    char *namespace, *custom_type; /* stored */
    int type;
    bool has_password;
    struct secret password; /* as set; otherwise derived from seed, id and version */
    unsigned version;
    bool approval;     /* must be requested first */
    bool unreachable;  /* its password cannot be changed */
    struct vec may;    /* struct identity; empty = all */
    struct vec claims; /* conduct: struct claim, owned */
    struct checkout_list live;
    struct deadline change; /* of the password */
};

struct managed_system {
    char *name, *kind; /* "Linux", "Windows" */
};

struct management_set {
    char *name;
    struct vec systems; /* struct managed_system, owned */
};

struct vault_settings {
    uint64_t seed;
    uint64_t token_life_ms, token_idle_ms; /* 0 = without end */
    uint64_t tokens; /* of an identity at a time, a further one ends the oldest; 0 = any */
    uint64_t lockout_failures, lockout_ms; /* 0 failures = never */
    uint64_t checkout_life_ms;             /* the vault's own end; 0 = none */
    uint64_t change_delay_ms;              /* of a password that changes later, and of a spin */
    uint64_t rate_second;                  /* calls; 0 = any */
    uint64_t max_body, max_comment;        /* bytes; 0 = any */
    bool face[FACE_COUNT];                 /* installed */
    bool require_certificate;
    int knob[KNOB_COUNT];
    struct texts texts;
};

struct tokens;
struct checkouts;

struct vault {
    struct vault_settings settings;
    struct timers *timers;
    const struct clock *clock;
    struct vec identities, credentials, sets; /* owned */
    struct names keys;                        /* of credentials */
    struct tokens *tokens;
    struct checkouts *checkouts;
    struct history history;
    struct conduct conduct;
    uint64_t second, in_second; /* calls of this second of the clock */
};

/* What a call or a scenario names a credential by. NULL = not given. */
struct credential_name {
    enum kind kind;
    const char *system, *account, *list, *custom_type;
    int type;
};

/* The timers and their clock must outlive it. NULL = out of memory. */
struct vault *vault_new(struct timers *);
void vault_free(struct vault *);

static inline uint64_t vault_now(const struct vault *v) /* monotonic */
{
    return clock_now(v->clock);
}

static inline int64_t vault_wall(const struct vault *v)
{
    return clock_wall(v->clock);
}

/* NULL = none. */
struct identity *vault_identity(const struct vault *, const char *name, const char *authenticator);
struct identity *vault_identity_named(const struct vault *, const char *name);
/* By the names of a call: a stored account also as NAMESPACE\account, as the knob has it. */
struct credential *vault_credential(const struct vault *, const struct credential_name *);
struct credential *vault_credential_by_id(const struct vault *, int id);
/* Two stored ones that only type or custom type tells apart are two. */
struct credential *vault_credential_exact(const struct vault *, const struct credential_name *);

/* New objects with defaults. NULL = out of memory. */
struct identity *vault_add_identity(struct vault *, const char *name, const char *authenticator);
struct credential *vault_add_credential(struct vault *, const struct credential_name *,
                                        const char *namespace);
struct management_set *vault_add_set(struct vault *, const char *name);

bool credential_permits(const struct credential *, const struct identity *);
/* Appends the password. 1 = there, 0 = none is stored, -ENOMEM. */
int credential_password(const struct credential *, struct buf *out);
/* A new password, as `how` says; a change that is on its way already stays. */
void credential_change(struct credential *, enum knob_password how);
/* "stored db01 sa", "shared Domain admins corp.test admin1": for reports. */
void credential_describe(const struct credential *, struct buf *out);

/* Of objects that are in no vault, or in one that ends. */
void identity_free(struct identity *);
void credential_free(struct credential *);
void management_set_free(struct management_set *);

/* The call is within the rate; counts it. */
bool vault_within_rate(struct vault *);

#endif
