/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkouts.c - the rules of check-out, check-in and spin; see checkouts.h.
 *
 * Order of a check-out's checks: permission, request, check-outs of others, its own check-out, password. What
 * refuses changes nothing. Every call leaves one event in the history.
 */
#include "pi-sim/checkouts.h"

#include "base/container_of.h"
#include "sim/strings.h"

#include <stdlib.h>

const char *const checkout_end_names[] = {"live", "checked_in", "by_another", "expired", "by_operator"};
const char *const checkout_result_names[] = {"done",     "conflict",  "approval",    "denied",
                                             "not_held", "not_yours", "no_password", "unreachable"};

struct checkouts *checkouts_new(void)
{
    struct checkouts *all = calloc(1, sizeof(*all));

    if (all)
        TAILQ_INIT(&all->all);
    return all;
}

static void free_checkout(struct checkout *c)
{
    free(c->who);
    free(c->comment);
    free(c);
}

void checkouts_free(struct vault *v)
{
    struct checkout *c;

    while ((c = TAILQ_FIRST(&v->checkouts->all))) {
        TAILQ_REMOVE(&v->checkouts->all, c, in_all);
        timer_stop(v->timers, &c->expiry);
        free_checkout(c);
    }
    free(v->checkouts);
}

/* ---- finding ---- */

const char *checkout_holder(const struct checkout *c)
{
    return c->identity ? c->identity->name : c->who;
}

struct checkout *checkouts_by_number(const struct vault *v, uint64_t number)
{
    struct checkout *c;

    TAILQ_FOREACH(c, &v->checkouts->all, in_all)
    {
        if (c->number == number)
            return c;
    }
    return NULL;
}

struct checkout *checkouts_of(const struct credential *cred, const struct identity *i)
{
    struct checkout *c;

    TAILQ_FOREACH(c, &cred->live, of_credential)
    {
        if (c->identity == i)
            return c;
    }
    return NULL;
}

static struct checkout *of_another(const struct credential *cred, const struct identity *i)
{
    struct checkout *c;

    TAILQ_FOREACH(c, &cred->live, of_credential)
    {
        if (c->identity != i)
            return c;
    }
    return NULL;
}

/* ---- begin and end ---- */

void checkouts_end(struct vault *v, struct checkout *c, enum checkout_end how)
{
    if (c->end != CHECKOUT_LIVE)
        return;
    c->end = how;
    c->ended_ms = vault_wall(v);
    c->open = 0;
    timer_stop(v->timers, &c->expiry);
    TAILQ_REMOVE(&c->credential->live, c, of_credential);
    v->checkouts->nlive--;
    v->checkouts->ended[how]++;
    if (how != CHECKOUT_CHECKED_IN)
        history_add(v, &(struct history_event){.what = checkout_end_names[how],
                                               .credential = c->credential,
                                               .identity = c->identity,
                                               .who = c->who,
                                               .checkout = c->number});
}

static void on_expiry(struct deadline *d)
{
    struct checkout *c = CONTAINER_OF(d, struct checkout, expiry);
    struct credential *cred = c->credential;
    struct vault *v = cred->vault;

    checkouts_end(v, c, CHECKOUT_EXPIRED);
    credential_change(cred, (enum knob_password)v->settings.knob[KNOB_END_PASSWORD]);
}

static void start_expiry(struct vault *v, struct checkout *c)
{
    uint64_t life = v->settings.checkout_life_ms;

    if (life && timer_start(v->timers, &c->expiry, life, on_expiry))
        abort(); /* a check-out that never ends gives the test a wrong result */
}

static struct checkout *begin(struct vault *v, struct credential *cred, struct identity *i, const char *who,
                              const char *comment)
{
    struct checkout *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    if (strings_replace(&c->who, who) || strings_replace(&c->comment, comment)) {
        free_checkout(c);
        return NULL;
    }
    c->number = ++v->checkouts->made;
    c->credential = cred;
    c->identity = i;
    c->begun_ms = vault_wall(v);
    TAILQ_INSERT_TAIL(&cred->live, c, of_credential);
    TAILQ_INSERT_TAIL(&v->checkouts->all, c, in_all);
    v->checkouts->nlive++;
    start_expiry(v, c);
    return c;
}

struct checkout *checkouts_person(struct vault *v, struct credential *cred, const char *who,
                                  const char *comment)
{
    struct checkout *c = begin(v, cred, NULL, who, comment);

    if (!c)
        return NULL;
    c->outs = c->open = 1;
    c->version = cred->version;
    history_add(v, &(struct history_event){.what = "checkout",
                                           .credential = cred,
                                           .who = who,
                                           .comment = comment,
                                           .outcome = "done",
                                           .checkout = c->number,
                                           .version = c->version});
    return c;
}

static const char checkout_event[] = "checkout", checkin_event[] = "checkin", spin_event[] = "spin";

static enum checkout_result record(struct vault *v, const struct checkout_call *call, const char *what,
                                   enum checkout_result result, const struct checkout *c)
{
    bool handed_out = what == checkout_event && result == RESULT_DONE && call->credential->has_password;

    history_add(v, &(struct history_event){.what = what,
                                           .credential = call->credential,
                                           .identity = call->identity,
                                           .comment = call->comment,
                                           .outcome = checkout_result_names[result],
                                           .checkout = c ? c->number : 0,
                                           .version = handed_out ? call->credential->version : 0});
    return result;
}

/* ---- check-out ---- */

static enum checkout_result may_check_out(const struct vault *v, struct checkout_call *call)
{
    const struct credential *cred = call->credential;
    const struct identity *i = call->identity;
    const struct checkout *other = of_another(cred, i), *own = checkouts_of(cred, i);

    if (!credential_permits(cred, i))
        return RESULT_DENIED;
    if (cred->approval)
        return RESULT_APPROVAL;
    if (other && !i->ignore_checkout) {
        call->who = checkout_holder(other);
        return RESULT_CONFLICT;
    }
    if (own && !i->ignore_checkout && v->settings.knob[KNOB_REPEAT_CHECKOUT]) {
        call->who = i->name;
        return RESULT_CONFLICT;
    }
    if (!cred->has_password && v->settings.knob[KNOB_NO_PASSWORD] == NO_PASSWORD_REFUSED)
        return RESULT_NO_PASSWORD;
    return RESULT_DONE;
}

enum checkout_result checkouts_out(struct vault *v, struct checkout_call *call)
{
    enum checkout_result result = may_check_out(v, call);
    struct checkout *c = checkouts_of(call->credential, call->identity);

    if (result != RESULT_DONE)
        return record(v, call, checkout_event, result, c);
    if (call->identity->ignore_checkout && v->settings.knob[KNOB_IGNORED_CHECKOUT])
        return record(v, call, checkout_event, RESULT_DONE, NULL);
    if (c && v->settings.knob[KNOB_REPEAT_END])
        start_expiry(v, c);
    if (!c)
        c = begin(v, call->credential, call->identity, NULL, call->comment);
    if (!c)
        abort();
    c->outs++;
    c->open++;
    c->version = call->credential->version;
    return record(v, call, checkout_event, RESULT_DONE, c);
}

/* ---- check-in ---- */

static bool may_end_anothers(const struct vault *v, const struct identity *i)
{
    int who = v->settings.knob[KNOB_FOREIGN_CHECKIN];

    return who == FOREIGN_ANYONE || (who == FOREIGN_ALL_ACCESS && i->all_access);
}

static void password_after_checkin(const struct vault *v, struct credential *cred)
{
    credential_change(cred, (enum knob_password)v->settings.knob[KNOB_CHECKIN_PASSWORD]);
}

/* Nothing of the identity's own is checked out. */
static enum checkout_result check_in_anothers(struct vault *v, struct checkout_call *call)
{
    struct checkout *other = of_another(call->credential, call->identity);
    enum checkout_result result;

    if (!other)
        return record(v, call, checkin_event, RESULT_NOT_HELD, NULL);
    if (!may_end_anothers(v, call->identity)) {
        call->who = checkout_holder(other);
        return record(v, call, checkin_event, RESULT_NOT_YOURS, NULL);
    }
    result = record(v, call, checkin_event, RESULT_DONE, other);
    while ((other = of_another(call->credential, call->identity)))
        checkouts_end(v, other, CHECKOUT_BY_ANOTHER);
    password_after_checkin(v, call->credential);
    return result;
}

enum checkout_result checkouts_in(struct vault *v, struct checkout_call *call)
{
    struct checkout *c = checkouts_of(call->credential, call->identity);
    enum checkout_result result;

    if (!c)
        return check_in_anothers(v, call);
    result = record(v, call, checkin_event, RESULT_DONE, c);
    if (v->settings.knob[KNOB_CHECKINS] && --c->open > 0)
        return result;
    checkouts_end(v, c, CHECKOUT_CHECKED_IN);
    password_after_checkin(v, call->credential);
    return result;
}

/* ---- spin ---- */

static enum checkout_result may_spin(const struct vault *v, struct checkout_call *call)
{
    const struct checkout *holder = TAILQ_FIRST(&call->credential->live);

    if (!call->identity->all_access)
        return RESULT_DENIED;
    if (holder && v->settings.knob[KNOB_SPIN_HELD]) {
        call->who = checkout_holder(holder);
        return RESULT_CONFLICT;
    }
    if (call->credential->unreachable && v->settings.knob[KNOB_SPIN_UNREACHABLE])
        return RESULT_UNREACHABLE;
    return RESULT_DONE;
}

enum checkout_result checkouts_spin(struct vault *v, struct checkout_call *call)
{
    enum checkout_result result = record(v, call, spin_event, may_spin(v, call), NULL);

    if (result == RESULT_DONE)
        credential_change(call->credential, PASSWORD_LATER);
    return result;
}
