/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conduct.c - claims and violations; see conduct.h.
 */
#include "pi-sim/conduct.h"

#include "pi-sim/checkouts.h"
#include "pi-sim/tokens.h"

#include <stdlib.h>
#include <string.h>

const char *const violation_names[VIOLATION_COUNT] = {
    [VIOLATION_SECRET_IN_URL] = "secret_in_url",
    [VIOLATION_QUERY] = "query",
    [VIOLATION_COOKIE] = "cookie",
    [VIOLATION_BAD_BODY] = "bad_body",
    [VIOLATION_MISSING_TOKEN] = "missing_token",
    [VIOLATION_UNKNOWN_TOKEN] = "unknown_token",
    [VIOLATION_DEAD_TOKEN] = "dead_token",
    [VIOLATION_PARALLEL_SIGN_IN] = "parallel_sign_in",
    [VIOLATION_SIGN_IN_AGAIN] = "sign_in_again",
    [VIOLATION_CHECKIN_UNHELD] = "checkin_unheld",
    [VIOLATION_SPIN_HELD] = "spin_held",
    [VIOLATION_REPEATED_CHECKOUT] = "repeated_checkout",
    [VIOLATION_CROSSED_CALLS] = "crossed_calls",
    [VIOLATION_CROSSED_LOST] = "crossed_lost",
};

void conduct_init(struct conduct *c)
{
    *c = (struct conduct){.dead_token_ms = 1000, .sign_in_ms = 60000};
    TAILQ_INIT(&c->inside);
}

static void forget_sign_in(struct refused_sign_in *r)
{
    secret_clear(&r->password);
    r->at_ms = 0;
}

void conduct_count(struct vault *v, enum violation which)
{
    v->conduct.violations[which]++;
}

/* ---- claims ---- */

static struct claim *claim_of(const struct credential *c, const struct identity *i)
{
    for (size_t k = 0; k < c->claims.n; k++) {
        struct claim *one = c->claims.item[k];
        if (one->identity == i)
            return one;
    }
    return NULL;
}

/* Memory that runs out here would count violations that are none. */
static struct claim *claim_make(struct credential *c, const struct identity *i)
{
    struct claim *claim = claim_of(c, i);

    if (claim)
        return claim;
    claim = calloc(1, sizeof(*claim));
    if (!claim || vec_push(&c->claims, claim))
        abort();
    claim->identity = i;
    return claim;
}

void conduct_doubt(struct vault *v)
{
    for (size_t i = 0; i < v->credentials.n; i++) {
        const struct credential *c = v->credentials.item[i];
        for (size_t k = 0; k < c->claims.n; k++) {
            struct claim *claim = c->claims.item[k];
            if (!claim->held)
                claim->held = 1;
        }
    }
}

static bool same_key(const struct conduct_call *a, const struct conduct_call *b)
{
    return a->credential && a->credential == b->credential && a->identity == b->identity;
}

/* Other check-outs of the key that are on their way; without those that their client has given up. */
static unsigned checkouts_inside(const struct conduct_call *call, bool lost_too)
{
    const struct conduct_call *other;
    unsigned n = 0;

    TAILQ_FOREACH(other, &call->vault->conduct.inside, link)
    {
        n += other != call && other->kind == OPERATION_CHECKOUT && same_key(call, other) &&
             (lost_too || !other->lost);
    }
    return n;
}

/* ---- the arrival of a call ---- */

static void judge_token(const struct conduct_call *call, uint64_t now_ms)
{
    const struct token *t = call->token;

    if (t && t->state != TOKEN_ALIVE && t->refusal_answered &&
        now_ms - t->refused_ms > call->vault->conduct.dead_token_ms)
        conduct_count(call->vault, VIOLATION_DEAD_TOKEN);
}

static void judge_sign_in(const struct conduct_call *call, uint64_t now_ms)
{
    const struct refused_sign_in *r = call->identity ? &call->identity->refused : NULL;
    const struct conduct_call *other;

    TAILQ_FOREACH(other, &call->vault->conduct.inside, link)
    {
        if (other->kind != OPERATION_SIGN_IN || other->identity != call->identity || other->lost)
            continue;
        conduct_count(call->vault, VIOLATION_PARALLEL_SIGN_IN);
        break;
    }
    if (r && r->password.p && call->password.p && now_ms - r->at_ms < call->vault->conduct.sign_in_ms &&
        secret_equal(&r->password, call->password.p, call->password.len))
        conduct_count(call->vault, VIOLATION_SIGN_IN_AGAIN);
}

/* A check-out beside a check-in or spin of its key, or the other way round. */
static void judge_crossing(const struct conduct_call *call)
{
    bool out = call->kind == OPERATION_CHECKOUT;
    const struct conduct_call *other;

    TAILQ_FOREACH(other, &call->vault->conduct.inside, link)
    {
        bool other_out = other->kind == OPERATION_CHECKOUT;
        if (!same_key(call, other) || out == other_out)
            continue;
        conduct_count(call->vault, other->lost ? VIOLATION_CROSSED_LOST : VIOLATION_CROSSED_CALLS);
        return;
    }
}

static void judge_claim(const struct conduct_call *call)
{
    const struct vault *v = call->vault;
    struct claim *claim = claim_make(call->credential, call->identity);
    unsigned held = claim->held;
    bool repeats_refused = v->settings.knob[KNOB_REPEAT_CHECKOUT] && !call->identity->ignore_checkout;
    bool has_it = claim->known && checkouts_of(call->credential, call->identity);

    if (call->kind == OPERATION_CHECKIN && !held && !claim->spins)
        conduct_count(call->vault, VIOLATION_CHECKIN_UNHELD);
    if (call->kind == OPERATION_SPIN && held)
        conduct_count(call->vault, VIOLATION_SPIN_HELD);
    if (call->kind == OPERATION_CHECKOUT && repeats_refused && (has_it || checkouts_inside(call, false)))
        conduct_count(call->vault, VIOLATION_REPEATED_CHECKOUT);
    if (call->kind == OPERATION_CHECKIN)
        claim->known = false;
}

void conduct_begin(struct conduct_call *call, struct vault *v, const struct conduct_asked *asked,
                   uint64_t now_ms)
{
    *call = (struct conduct_call){.vault = v,
                                  .kind = asked->kind,
                                  .identity = asked->identity,
                                  .credential = asked->identity ? asked->credential : NULL,
                                  .token = asked->token};
    if (asked->password && secret_set(&call->password, asked->password, strlen(asked->password)))
        abort();
    judge_token(call, now_ms);
    if (call->kind == OPERATION_SIGN_IN)
        judge_sign_in(call, now_ms);
    if (call->credential && call->kind != OPERATION_OTHER) {
        judge_crossing(call);
        judge_claim(call);
    }
    if (call->credential && call->kind == OPERATION_CHECKOUT)
        claim_make(call->credential, call->identity)->held++;
    TAILQ_INSERT_TAIL(&v->conduct.inside, call, link);
}

/* ---- its end ---- */

static void settle_checkout(const struct conduct_call *call, enum conduct_answer answer)
{
    struct claim *claim = claim_make(call->credential, call->identity);

    if (answer == ANSWER_REFUSED && claim->held)
        claim->held--;
    if (answer == ANSWER_DONE)
        claim->known = true;
}

static void settle_checkin(const struct conduct_call *call, enum conduct_answer answer)
{
    struct claim *claim = claim_make(call->credential, call->identity);
    bool each = call->vault->settings.knob[KNOB_CHECKINS] != 0;

    if (answer == ANSWER_DONE && each && claim->held)
        claim->held--;
    else if (answer == ANSWER_GONE || (answer == ANSWER_DONE && !each))
        claim->held = checkouts_inside(call, true);
    if (answer == ANSWER_GONE || answer == ANSWER_DONE)
        claim->spins = false;
}

static void settle_spin(const struct conduct_call *call, enum conduct_answer answer)
{
    if (answer != ANSWER_DONE && answer != ANSWER_REFUSED)
        claim_make(call->credential, call->identity)->spins = true;
}

static void settle_sign_in(const struct conduct_call *call, enum conduct_answer answer, uint64_t now_ms)
{
    struct refused_sign_in *r = &call->identity->refused;

    if (answer == ANSWER_DONE)
        forget_sign_in(r);
    if (answer != ANSWER_REFUSED || !call->password.p)
        return;
    if (secret_set(&r->password, call->password.p, call->password.len))
        abort();
    r->at_ms = now_ms;
}

void conduct_end(struct conduct_call *call, enum conduct_answer answer, bool token_refused, uint64_t now_ms)
{
    TAILQ_REMOVE(&call->vault->conduct.inside, call, link);
    if (call->token && token_refused && !call->token->refusal_answered) {
        call->token->refusal_answered = true;
        call->token->refused_ms = now_ms;
    }
    if (call->credential && call->kind == OPERATION_CHECKOUT)
        settle_checkout(call, answer);
    if (call->credential && call->kind == OPERATION_CHECKIN)
        settle_checkin(call, answer);
    if (call->credential && call->kind == OPERATION_SPIN)
        settle_spin(call, answer);
    if (call->identity && call->kind == OPERATION_SIGN_IN)
        settle_sign_in(call, answer, now_ms);
    secret_clear(&call->password);
}
