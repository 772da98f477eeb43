/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c - the one token of a site; see token.h.
 */
#include "backends/pra/token.h"

#include "base/json.h"
#include "base/text.h"

#include <string.h>

#define JSON_DEPTH     8
#define TOKEN_MAX      4096
#define LIFE_UNKNOWN_S 600
#define LIFE_MAX_S     86400
#define REFUSED_MIN_MS 60000u
#define REFUSED_MAX_MS (30u * 60 * 1000)
#define FAILED_MIN_MS  5000u
#define FAILED_MAX_MS  60000u
#define GUARD_MS       60000u

void pra_token_drop(struct pra_token *t)
{
    secret_clear(&t->text);
}

void pra_token_forget(struct pra_token *t)
{
    struct pra_token_rules rules = t->rules;
    uint64_t serial = t->serial, granted = t->granted;

    pra_token_drop(t);
    *t = (struct pra_token){.rules = rules, .serial = serial, .granted = granted};
}

/* It goes into a header line. */
static bool is_token(const char *text)
{
    size_t n = text ? strlen(text) : 0;

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f)
            return false;
    return n > 0 && n <= TOKEN_MAX;
}

static int64_t life_s(const cJSON *tree)
{
    int64_t seconds = 0;

    if (!json_int(json_get(tree, "expires_in"), &seconds) || seconds < 1 || seconds > LIFE_MAX_S)
        return LIFE_UNKNOWN_S;
    return seconds;
}

/* How long a token of this life is kept. A short one is renewed as usual. */
static uint64_t kept_ms(const struct pra_token *t, uint64_t life_ms)
{
    uint64_t before = t->rules.renew_before_ms;

    return before && life_ms > 5 * before ? life_ms - before : life_ms / 10 * 8;
}

static enum pra_fault take_tree(struct pra_token *t, const cJSON *tree, uint64_t now_ms)
{
    const char *text = cJSON_GetStringValue(json_get(tree, "access_token"));
    const char *type = cJSON_GetStringValue(json_get(tree, "token_type"));

    if (!is_token(text) || (type && !text_equal_nocase(type, "bearer")))
        return PRA_NONSENSE;
    if (secret_set(&t->text, text, strlen(text)))
        return PRA_NO_MEMORY;
    t->renew_at_ms = now_ms + kept_ms(t, (uint64_t)life_s(tree) * 1000);
    t->serial++;
    t->granted++;
    t->refused = false;
    t->refusals = t->failures = 0;
    t->paused_until_ms = 0;
    return PRA_OK;
}

enum pra_fault pra_token_take(struct pra_token *t, const struct buf *json, uint64_t now_ms)
{
    const char *why;
    cJSON *tree = json_parse(json->data ? json->data : "", json->len, JSON_DEPTH,
                             JSON_DUPLICATES_OK | JSON_SECRET, &why);
    enum pra_fault fault = take_tree(t, tree, now_ms);

    cJSON_Delete(tree);
    return fault;
}

static uint64_t doubled(uint64_t first, uint64_t most, unsigned times)
{
    uint64_t pause = first;

    while (--times && pause < most)
        pause *= 2;
    return pause < most ? pause : most;
}

void pra_token_failed(struct pra_token *t, const struct pra_result *result, uint64_t now_ms)
{
    bool refused = result->fault == PRA_CLIENT_REFUSED;
    uint64_t most = t->rules.refused_max_ms ? t->rules.refused_max_ms : REFUSED_MAX_MS;
    uint64_t pause;

    t->refused |= refused;
    pause = refused ? doubled(REFUSED_MIN_MS, most, ++t->refusals)
                    : doubled(FAILED_MIN_MS, FAILED_MAX_MS, ++t->failures);
    t->paused_until_ms = now_ms + pause;
    t->failure = *result;
    if (refused)
        pra_token_drop(t);
}

bool pra_token_refused_call(struct pra_token *t, enum pra_call_kind kind, uint64_t serial, bool again,
                            uint64_t now_ms)
{
    if (again) {
        t->guarded = true;
        t->guard = kind;
        t->guarded_until_ms = now_ms + GUARD_MS;
        return false;
    }
    if (serial != t->serial || !t->text.p)
        return true; /* that token is no more */
    if (t->guarded && now_ms < t->guarded_until_ms)
        return false;
    pra_token_drop(t);
    return true;
}

void pra_token_served_call(struct pra_token *t, enum pra_call_kind kind)
{
    if (t->guarded && t->guard == kind)
        t->guarded = false;
}
