/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accounts.c - API accounts; see accounts.h.
 */
#include "pra-sim/accounts.h"

#include "base/memory/secret.h"
#include "base/text.h"
#include "sim/strings.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000u

const char *const permission_names[PERM_COUNT] = {
    [PERM_BACKUP] = "perm_backup",
    [PERM_COMMAND] = "perm_command",
    [PERM_CONFIGURATION] = "perm_configuration",
    [PERM_CONFIGURATION_VAULT] = "perm_configuration_vault_account",
    [PERM_ECM] = "perm_ecm",
    [PERM_REPORTING_JUMP_ITEM] = "perm_reporting_jump_item",
    [PERM_REPORTING_LICENSE] = "perm_reporting_license",
    [PERM_REPORTING_SUPPORT] = "perm_reporting_support",
    [PERM_REPORTING_SYSLOG] = "perm_reporting_syslog",
    [PERM_REPORTING_VAULT] = "perm_reporting_vault",
    [PERM_SCIM] = "perm_scim",
    [PERM_VAULT_BACKUP] = "perm_vault_backup",
};

const char *const command_levels[3] = {"deny", "read_only", "full_access"};

void accounts_init(struct accounts *a, const struct clock *clock)
{
    *a = (struct accounts){.clock = clock,
                           .next_id = 1,
                           .limits = {.token_s = 3600,
                                      .tokens = 30,
                                      .lockout_failures = 5,
                                      .lockout_ms = 1800000,
                                      .rate_second = 20,
                                      .rate_hour = 15000}};
}

static void drop_token(struct account *a, struct token *t)
{
    TAILQ_REMOVE(&a->tokens, t, link);
    a->ntokens--;
    wipe(t, sizeof(*t));
    free(t);
}

void account_drop_tokens(struct account *a)
{
    struct token *t;

    while ((t = TAILQ_FIRST(&a->tokens)))
        drop_token(a, t);
}

void accounts_drop_tokens(struct accounts *all)
{
    for (size_t i = 0; i < all->all.n; i++)
        account_drop_tokens(all->all.item[i]);
}

static void account_free(struct account *a)
{
    account_drop_tokens(a);
    if (a->secret)
        wipe(a->secret, strlen(a->secret));
    free(a->name);
    free(a->comments);
    free(a->client_id);
    free(a->secret);
    free(a->ip_addresses);
    free(a);
}

void accounts_free(struct accounts *all)
{
    for (size_t i = 0; i < all->all.n; i++)
        account_free(all->all.item[i]);
    vec_free(&all->all);
}

struct account *accounts_add(struct accounts *all, const char *client_id, const char *secret)
{
    static const int usual[PERM_COUNT] = {[PERM_COMMAND] = COMMAND_FULL,
                                          [PERM_CONFIGURATION] = 1,
                                          [PERM_ECM] = 1,
                                          [PERM_REPORTING_SUPPORT] = 1};
    struct account *a = accounts_find(all, client_id) ? NULL : calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    TAILQ_INIT(&a->tokens);
    memcpy(a->permission, usual, sizeof(usual));
    a->enabled = true;
    if (strings_replace(&a->name, client_id) || strings_replace(&a->client_id, client_id) ||
        strings_replace(&a->secret, secret) || strings_replace(&a->comments, "") ||
        strings_replace(&a->ip_addresses, "") || vec_push(&all->all, a)) {
        account_free(a);
        return NULL;
    }
    a->id = all->next_id++;
    return a;
}

struct account *accounts_find(const struct accounts *all, const char *client_id)
{
    for (size_t i = 0; i < all->all.n; i++) {
        struct account *a = all->all.item[i];
        if (strcmp(a->client_id, client_id) == 0)
            return a;
    }
    return NULL;
}

struct account *accounts_by_id(const struct accounts *all, int id)
{
    for (size_t i = 0; i < all->all.n; i++) {
        struct account *a = all->all.item[i];
        if (a->id == id)
            return a;
    }
    return NULL;
}

/* ---- permissions ---- */

static int level_of(enum permission p, const char *value)
{
    int64_t number;

    for (int i = 0; p == PERM_COMMAND && i < 3; i++)
        if (strcmp(command_levels[i], value) == 0)
            return i;
    if (p == PERM_COMMAND || !text_int(value, 0, 1, &number))
        return -EINVAL;
    return (int)number;
}

int account_permit(struct account *a, const char *name, const char *value)
{
    for (enum permission p = 0; p < PERM_COUNT; p++) {
        int level;
        if (strcmp(permission_names[p], name) != 0)
            continue;
        level = level_of(p, value);
        if (level < 0)
            return level;
        a->permission[p] = level;
        return 0;
    }
    return -EINVAL;
}

const char *account_permission(const struct account *a, enum permission p)
{
    if (p == PERM_COMMAND)
        return command_levels[a->permission[p]];
    return a->permission[p] ? "1" : "0";
}

bool account_allows(const struct account *a, const char *address)
{
    const char *p = a->ip_addresses;

    if (!*p)
        return true;
    for (; *p; p += strcspn(p, ","), p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (n == strlen(address) && memcmp(p, address, n) == 0)
            return true;
    }
    return false;
}

/* ---- sign-in ---- */

int account_set_secret(struct account *a, const char *secret)
{
    account_drop_tokens(a);
    a->failures = 0;
    a->locked_until_ms = 0;
    return strings_replace(&a->secret, secret);
}

bool account_locked(const struct accounts *all, struct account *a)
{
    if (a->locked_until_ms && clock_now(all->clock) >= a->locked_until_ms) {
        a->locked_until_ms = 0;
        a->failures = 0;
    }
    return a->locked_until_ms != 0;
}

bool account_signs_in(struct accounts *all, struct account *a, const char *secret, bool locks)
{
    size_t n = strlen(a->secret);

    if (account_locked(all, a) || !a->enabled)
        return false;
    if (strlen(secret) == n && bytes_equal(a->secret, secret, n)) {
        a->failures = 0;
        return true;
    }
    a->failures++;
    if (locks && a->failures >= all->limits.lockout_failures)
        a->locked_until_ms = clock_now(all->clock) + all->limits.lockout_ms;
    return false;
}

const struct token *account_issue(struct accounts *all, struct account *a)
{
    unsigned char bytes[(TOKEN_TEXT - 1) / 2];
    struct token *t = calloc(1, sizeof(*t));

    if (!t || RAND_bytes(bytes, sizeof(bytes)) != 1) {
        free(t);
        return NULL;
    }
    text_hex(t->text, bytes, sizeof(bytes));
    t->end_ms = clock_now(all->clock) + all->limits.token_s * 1000;
    TAILQ_INSERT_TAIL(&a->tokens, t, link);
    a->ntokens++;
    a->issued++;
    while (a->ntokens > all->limits.tokens) {
        drop_token(a, TAILQ_FIRST(&a->tokens));
        a->pushed_out++;
    }
    return t;
}

static bool holds(const struct accounts *all, struct account *a, const char *text)
{
    uint64_t now = clock_now(all->clock);
    struct token *t = TAILQ_FIRST(&a->tokens), *next;
    bool found = false;

    for (; t; t = next) {
        next = TAILQ_NEXT(t, link);
        if (t->end_ms <= now)
            drop_token(a, t);
        else if (strcmp(t->text, text) == 0)
            found = true;
    }
    return found;
}

struct account *accounts_of_token(struct accounts *all, const char *text)
{
    for (size_t i = 0; i < all->all.n; i++)
        if (holds(all, all->all.item[i], text))
            return all->all.item[i];
    return NULL;
}

/* ---- rate limit ---- */

uint64_t account_rate(const struct accounts *all, struct account *a)
{
    uint64_t now = clock_now(all->clock);

    if (now / 1000 != a->second) {
        a->second = now / 1000;
        a->second_calls = 0;
    }
    if (a->hour_calls == 0 || now - a->hour_begin_ms >= HOUR_MS) {
        a->hour_begin_ms = now;
        a->hour_calls = 0;
    }
    if (a->hour_calls >= all->limits.rate_hour)
        return a->hour_begin_ms + HOUR_MS - now;
    if (a->second_calls >= all->limits.rate_second)
        return 1000 - now % 1000;
    a->second_calls++;
    a->hour_calls++;
    return 0;
}

uint64_t account_rate_left(const struct accounts *all, const struct account *a)
{
    return all->limits.rate_hour > a->hour_calls ? all->limits.rate_hour - a->hour_calls : 0;
}
