/*
 * accounts.h - API accounts: secrets, permissions, tokens, lock-out and rate limit.
 *
 * An account has at most `token_limit` live tokens; one more ends the oldest. A new secret ends all of them.
 * Wrong secrets in a row lock the account for a while: then the right secret is refused too, and tokens that
 * exist stay good. The rate limit counts calls in fixed windows of a second and of an hour.
 */
#ifndef PRA_SIM_ACCOUNTS_H
#define PRA_SIM_ACCOUNTS_H

#include "base/clock.h"
#include "sim/vec.h"

#include <stdint.h>
#include <sys/queue.h>

enum permission {
    PERM_BACKUP,
    PERM_COMMAND,
    PERM_CONFIGURATION,
    PERM_CONFIGURATION_VAULT,
    PERM_ECM,
    PERM_REPORTING_JUMP_ITEM,
    PERM_REPORTING_LICENSE,
    PERM_REPORTING_SUPPORT,
    PERM_REPORTING_SYSLOG,
    PERM_REPORTING_VAULT,
    PERM_SCIM,
    PERM_VAULT_BACKUP,
    PERM_COUNT
};

enum command_level { COMMAND_DENY, COMMAND_READ_ONLY, COMMAND_FULL };

extern const char *const permission_names[PERM_COUNT];
extern const char *const command_levels[3];

#define TOKEN_TEXT 41 /* 40 hex digits */

struct token {
    char text[TOKEN_TEXT];
    uint64_t end_ms;
    TAILQ_ENTRY(token) link;
};

struct account {
    int id;
    char *name, *comments, *client_id, *secret;
    char *ip_addresses; /* comma list of addresses; "" = any */
    bool enabled;
    int ecm_group_id;
    int permission[PERM_COUNT]; /* 0 or 1; PERM_COMMAND: enum command_level */
    unsigned failures;          /* in a row */
    uint64_t locked_until_ms;   /* 0 = not */
    TAILQ_HEAD(, token) tokens; /* oldest first */
    size_t ntokens;
    uint64_t issued, pushed_out; /* tokens ever; ended by one more than the limit */
    uint64_t second, second_calls, hour_begin_ms, hour_calls;
};

struct account_limits {
    uint64_t token_s, tokens, lockout_failures, lockout_ms, rate_second, rate_hour;
};

struct accounts {
    const struct clock *clock;
    struct account_limits limits;
    struct vec all;
    int next_id;
};

void accounts_init(struct accounts *, const struct clock *);
void accounts_free(struct accounts *);

/* With the permissions of a gateway that uses everything. NULL = out of memory, or the id is taken. */
struct account *accounts_add(struct accounts *, const char *client_id, const char *secret);
struct account *accounts_find(const struct accounts *, const char *client_id);
struct account *accounts_by_id(const struct accounts *, int id);
/* The value as written in get_api_info. 0 or -EINVAL: no such permission or value. */
int account_permit(struct account *, const char *name, const char *value);
const char *account_permission(const struct account *, enum permission);
/* Ends all tokens. 0 or -ENOMEM. */
int account_set_secret(struct account *, const char *secret);
bool account_allows(const struct account *, const char *address);

bool account_locked(const struct accounts *, struct account *);
/* Is it the secret, and may the account sign in? Counts wrong secrets; `locks` = they lock it. */
bool account_signs_in(struct accounts *, struct account *, const char *secret, bool locks);
/* NULL = out of memory or randomness. */
const struct token *account_issue(struct accounts *, struct account *);
/* The account of a live token; NULL = none. */
struct account *accounts_of_token(struct accounts *, const char *token);
void account_drop_tokens(struct account *);
void accounts_drop_tokens(struct accounts *);

/* Counts a call. 0 = allowed; else milliseconds until the next is. */
uint64_t account_rate(const struct accounts *, struct account *);
uint64_t account_rate_left(const struct accounts *, const struct account *); /* of the hour */

#endif
