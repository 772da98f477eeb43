/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_fanout.c - one small machine per vault, and a count of those still at it.
 *
 *   asking --all lists here----------------> answered
 *     |  ^---- refused, next candidate
 *     '--refused by the last, any failure, time is up, no rule applies--> failed
 *
 * A vault leaves `asking` in settle() only, which drops what is still open; the last one to leave ends the
 * survey. If that happens while the fan-out is being made (no rule, no question, a call that cannot start),
 * the end is put off by a deadline of 0, so that done() never comes on the caller's stack.
 *
 * Invariants: open = waits that lists owe an answer; outside of `asking` it is 0. A failed vault holds no
 * rows. "Not found" from the vault is an empty list: nobody asked for one particular account here.
 */
#include "broker/find/vault_fanout.h"

#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the record of the operation says (explain.h): names, numbers, fault details; no rows ---- */

static const char *result_word(enum vault_result result, const struct fault *fault)
{
    switch (result) {
    case VAULT_OK:
    case VAULT_ABSENT: return "ok";
    case VAULT_REFUSED: return "refused";
    default: return fault_row(fault->code)->code;
    }
}

static const char *source_word(enum list_source source)
{
    switch (source) {
    case LIST_FROM_CACHE: return "cache";
    case LIST_SHARED: return "shared";
    default: return "vault";
    }
}

static const char *asked_for(const struct account_query *query)
{
    if (query->system)
        return query->system;
    return query->ip ? query->ip : query->application;
}

static void note_user(const struct fanout_vault *sv, const char *outcome, const char *detail)
{
    explain_add(sv->fanout->opts.record, &(struct explain_note){.kind = EXPLAIN_USER,
                                                                .vault = sv->vault->conf->name,
                                                                .user = usermap_user(&sv->users),
                                                                .outcome = outcome,
                                                                .detail = detail});
}

static void note_call(const struct fanout_query *query)
{
    const struct fanout_vault *sv = query->of;
    const struct vault_fanout_opts *opts = &sv->fanout->opts;
    const struct list_wait *wait = &query->wait;
    bool went_well = wait->result == VAULT_OK || wait->result == VAULT_ABSENT;

    if (!opts->record)
        return;
    explain_add(opts->record, &(struct explain_note){
                                  .kind = EXPLAIN_CALL,
                                  .vault = sv->vault->conf->name,
                                  .user = usermap_user(&sv->users),
                                  .what = query->query.recent ? "list_recent" : "list",
                                  .kind_asked = account_kind_word(query->query.kind),
                                  .value = asked_for(&query->query),
                                  .outcome = result_word(wait->result, &wait->fault),
                                  .detail = went_well ? NULL : wait->fault.detail,
                                  .source = source_word(wait->source),
                                  .status = wait->status ? wait->status : wait->fault.vault_status,
                                  .rows = wait->accounts ? wait->accounts->n : 0,
                                  .took_ms = clock_now(timers_clock(opts->timers)) - query->asked_ms,
                                  .age_ms = wait->age_ms,
                              });
}

static void note_search(const struct fanout_query *query)
{
    const struct fanout_vault *sv = query->of;
    const struct vault_fanout_opts *opts = &sv->fanout->opts;
    const struct catalogue_wait *wait = &query->search;

    if (!opts->record)
        return;
    explain_add(opts->record, &(struct explain_note){
                                  .kind = EXPLAIN_CALL,
                                  .vault = sv->vault->conf->name,
                                  .user = usermap_user(&sv->users),
                                  .what = "catalogue",
                                  .outcome = result_word(wait->result, &wait->fault),
                                  .detail = wait->catalogue ? NULL : wait->fault.detail,
                                  .source = wait->waited ? "vault" : "cache",
                                  .status = wait->fault.vault_status,
                                  .rows = wait->catalogue ? wait->catalogue->n : 0,
                                  .took_ms = clock_now(timers_clock(opts->timers)) - query->asked_ms,
                                  .age_ms = wait->age_ms,
                              });
}

/* ---- the vaults ---- */

static void drop_answers(struct fanout_vault *sv)
{
    for (size_t i = 0; i < sv->n; i++) {
        struct list_wait *wait = &sv->asks[i].wait;
        account_lists_leave(sv->fanout->opts.lists, wait);
        account_list_unref(wait->accounts);
        wait->accounts = NULL;
        if (sv->fanout->opts.catalogue_cache)
            catalogue_cache_leave(sv->fanout->opts.catalogue_cache, &sv->asks[i].search);
        catalogue_unref(sv->asks[i].search.catalogue);
        sv->asks[i].search.catalogue = NULL;
    }
    sv->open = 0;
    sv->age_ms = 0;
}

static void settle(struct fanout_vault *sv, enum fanout_state state)
{
    if (state == FANOUT_FAILED)
        drop_answers(sv);
    sv->state = state;
    sv->fanout->asking--;
}

static void fail(struct fanout_vault *sv, const struct fault *fault)
{
    sv->fault = *fault;
    if (usermap_user(&sv->users)) /* else it has been told already: no rule, or the last one refused */
        note_user(sv, "failed", fault->detail);
    if (sv->fanout->opts.nvaults > 1) /* else it is the answer, and told there */
        log_warn("vault_left_out", "vault=%s user=%s code=%s detail=%s", sv->vault->conf->name,
                 sv->fanout->opts.session->username, fault_row(fault->code)->code, fault->detail);
    settle(sv, FANOUT_FAILED);
}

static void fail_no_rule(struct fanout_vault *sv)
{
    const struct conf_list *rules = &sv->vault->conf->run_as;
    struct fault fault;
    char why[USERMAP_WHY_SIZE], tried[120] = "";

    usermap_explain(&sv->users, sv->fanout->opts.session, why, sizeof(why));
    for (size_t i = 0, used = 0; i < rules->n && used < sizeof(tried); i++)
        used += (size_t)snprintf(tried + used, sizeof(tried) - used, "%s%s", i ? " " : "", rules->item[i]);
    if (*sv->users.ended)
        fault_set(&fault, FAULT_VAULT_REFUSED_USER, "vault %s: %s", sv->vault->conf->name, why);
    else
        fault_set(&fault, FAULT_VAULT_REFUSED_USER,
                  "vault %s: %.200s (run_as = %s); add a rule, or set default_domain or user_map",
                  sv->vault->conf->name, why, tried);
    note_user(sv, *sv->users.ended ? "unwritable" : "no_rule", fault.detail);
    fail(sv, &fault);
}

/* The vault's words, and the names that were tried. */
static void fail_refused(struct fanout_vault *sv, const struct fault *words)
{
    struct fault fault = *words;
    char tried[FAULT_DETAIL_SIZE];

    usermap_explain(&sv->users, sv->fanout->opts.session, tried, sizeof(tried));
    fault_add(&fault, tried);
    fail(sv, &fault);
}

/* `words`: the vault's own about -EAGAIN, if it has any. */
static void fail_to_start(struct fanout_vault *sv, int err, const struct fault *words)
{
    struct fault fault;

    if (err == -EAGAIN && fault_is_set(words))
        fault = *words;
    else if (err == -EAGAIN)
        fault_set(&fault, FAULT_OVERLOADED, "vault %s: max_calls calls are waiting already",
                  sv->vault->conf->name);
    else if (err == -ESHUTDOWN)
        fault_set(&fault, FAULT_DRAINING, "vault %s: the gateway is stopping", sv->vault->conf->name);
    else
        fault_set(&fault, FAULT_INTERNAL, "out of memory");
    fail(sv, &fault);
}

static uint64_t time_left(const struct vault_fanout *fanout)
{
    uint64_t now = clock_now(timers_clock(fanout->opts.timers));

    return fanout->ends_ms > now ? fanout->ends_ms - now : 1;
}

static void on_listed(struct list_wait *);
static void on_catalogue(struct catalogue_wait *);

/* All questions of a fan-out are one operation to the vault: it is let in with the first that goes there. */
static bool let_in(const struct fanout_query *one)
{
    const struct fanout_query *other = one->of->asks;

    while (other < one && other->wait.source == LIST_FROM_CACHE)
        other++;
    return other < one;
}

static int ask_one(struct fanout_query *one)
{
    struct vault_fanout *fanout = one->of->fanout;
    const char *user = usermap_user(&one->of->users);

    one->asked_ms = clock_now(timers_clock(fanout->opts.timers));
    if (fanout->opts.catalogue_cache) {
        one->search = (struct catalogue_wait){.done = on_catalogue};
        return catalogue_cache_get(fanout->opts.catalogue_cache, one->of->vault, user, &one->search);
    }
    one->wait = (struct list_wait){.timeout_ms = time_left(fanout), .done = on_listed, .let_in = let_in(one)};
    return account_lists_get(fanout->opts.lists, one->of->vault, user, &one->query, &one->wait);
}

/* All questions, as the current candidate. */
static void ask(struct fanout_vault *sv)
{
    for (size_t i = 0; i < sv->n; i++) {
        int err = ask_one(&sv->asks[i]);
        if (err) {
            fail_to_start(sv, err, &sv->asks[i].wait.fault);
            return;
        }
        sv->open++;
    }
}

static void refused(struct fanout_vault *sv, const struct fault *words)
{
    struct fault fault = *words; /* the words live in a wait that is dropped now */

    note_user(sv, "refused", fault.detail);
    drop_answers(sv);
    if (usermap_next(&sv->users))
        ask(sv);
    else
        fail_refused(sv, &fault);
}

/* An answer to one question; its texts live in a wait that may be dropped now. */
static void heard(struct fanout_vault *sv, enum vault_result result, const struct fault *fault,
                  uint64_t age_ms)
{
    struct vault_fanout *fanout = sv->fanout;

    sv->open--;
    if (result == VAULT_REFUSED) {
        refused(sv, fault);
    } else if (result != VAULT_OK && result != VAULT_ABSENT) {
        fail(sv, fault);
    } else {
        if (age_ms > sv->age_ms)
            sv->age_ms = age_ms;
        if (sv->open == 0) {
            note_user(sv, "accepted", NULL);
            settle(sv, FANOUT_ANSWERED);
        }
    }
    if (fanout->asking == 0)
        fanout->opts.done(fanout->opts.arg);
}

static void on_listed(struct list_wait *wait)
{
    struct fanout_query *one = CONTAINER_OF(wait, struct fanout_query, wait);

    note_call(one);
    heard(one->of, wait->result, &wait->fault, wait->age_ms);
}

static void on_catalogue(struct catalogue_wait *wait)
{
    struct fanout_query *one = CONTAINER_OF(wait, struct fanout_query, search);

    note_search(one);
    heard(one->of, wait->result, &wait->fault, wait->age_ms);
}

/* 0 or -ENOMEM; whatever else goes wrong is the vault's failure. */
static int begin(struct vault_fanout *fanout, struct fanout_vault *sv, struct vault *vault)
{
    struct account_query questions[VAULT_FANOUT_MAX];

    sv->fanout = fanout;
    sv->vault = vault;
    fanout->asking++;
    if (usermap_expand(vault->conf, fanout->opts.session, &sv->users))
        return -ENOMEM;
    if (sv->users.n == 0) {
        fail_no_rule(sv);
        return 0;
    }
    sv->n = fanout->opts.questions(fanout->opts.arg, vault->conf, questions);
    if (sv->n == 0) {
        settle(sv, FANOUT_ANSWERED);
        return 0;
    }
    sv->asks = calloc(sv->n, sizeof(*sv->asks));
    if (!sv->asks) {
        sv->n = 0;
        return -ENOMEM;
    }
    for (size_t i = 0; i < sv->n; i++)
        sv->asks[i] = (struct fanout_query){.of = sv, .query = questions[i]};
    ask(sv);
    return 0;
}

static void on_soon(struct deadline *deadline)
{
    struct vault_fanout *fanout = CONTAINER_OF(deadline, struct vault_fanout, soon);

    fanout->opts.done(fanout->opts.arg);
}

struct vault_fanout *vault_fanout_new(const struct vault_fanout_opts *opts)
{
    uint64_t now = clock_now(timers_clock(opts->timers));
    struct vault_fanout *fanout = calloc(1, sizeof(*fanout) + opts->nvaults * sizeof(fanout->vault[0]));
    int err = 0;

    if (!fanout)
        return NULL;
    fanout->opts = *opts;
    fanout->ends_ms = opts->timeout_ms < UINT64_MAX - now ? now + opts->timeout_ms : UINT64_MAX;
    for (size_t i = 0; i < opts->nvaults && !err; i++)
        err = begin(fanout, &fanout->vault[fanout->n++], opts->vaults[i]);
    if (!err && fanout->asking == 0)
        err = timer_start(opts->timers, &fanout->soon, 0, on_soon);
    if (err) {
        vault_fanout_free(fanout);
        return NULL;
    }
    return fanout;
}

void vault_fanout_free(struct vault_fanout *fanout)
{
    if (!fanout)
        return;
    timer_stop(fanout->opts.timers, &fanout->soon);
    for (size_t i = 0; i < fanout->n; i++) {
        drop_answers(&fanout->vault[i]);
        usermap_free(&fanout->vault[i].users);
        free(fanout->vault[i].asks);
    }
    free(fanout);
}

void vault_fanout_expire(struct vault_fanout *fanout)
{
    struct fault fault;

    timer_stop(fanout->opts.timers, &fanout->soon);
    for (size_t i = 0; i < fanout->n; i++) {
        if (fanout->vault[i].state != FANOUT_ASKING)
            continue;
        fault_set(&fault, FAULT_DEADLINE_EXCEEDED, "vault %s did not list accounts in time",
                  fanout->vault[i].vault->conf->name);
        fail(&fanout->vault[i], &fault);
    }
}

const struct fault *vault_fanout_fault(const struct vault_fanout *fanout)
{
    const struct fault *first = NULL;

    for (size_t i = 0; i < fanout->n; i++) {
        const struct fanout_vault *sv = &fanout->vault[i];
        if (sv->state == FANOUT_ANSWERED)
            return NULL;
        /* That a vault does not know the user says less than that another one could not be asked. */
        if (!first || (first->code == FAULT_VAULT_REFUSED_USER && sv->fault.code != FAULT_VAULT_REFUSED_USER))
            first = &sv->fault;
    }
    return first;
}

bool vault_fanout_is_whole(const struct vault_fanout *fanout)
{
    for (size_t i = 0; i < fanout->n; i++)
        if (fanout->vault[i].state != FANOUT_ANSWERED)
            return false;
    return true;
}

uint64_t vault_fanout_age(const struct vault_fanout *fanout)
{
    uint64_t age = 0;

    for (size_t i = 0; i < fanout->n; i++)
        if (fanout->vault[i].state == FANOUT_ANSWERED && fanout->vault[i].age_ms > age)
            age = fanout->vault[i].age_ms;
    return age;
}

size_t vault_fanout_count_rows(const struct vault_fanout *fanout)
{
    size_t n = 0;

    for (size_t i = 0; i < fanout->n; i++)
        for (size_t k = 0; k < fanout->vault[i].n; k++) {
            const struct account_list *rows = fanout->vault[i].asks[k].wait.accounts;
            if (fanout->vault[i].state == FANOUT_ANSWERED && rows)
                n += rows->n;
        }
    return n;
}
