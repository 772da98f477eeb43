/* SPDX-License-Identifier: Apache-2.0 */
/*
 * survey.c - one small machine per vault, and a count of those still at it.
 *
 *   asking --all lists here----------------> answered
 *     |  ^---- refused, next candidate
 *     '--refused by the last, any failure, time is up, no rule applies--> failed
 *
 * A vault leaves `asking` in settle() only, which drops what is still open; the last one to leave ends the
 * survey. If that happens while the survey is being made (no rule, no question, a call that cannot start),
 * the end is put off by a deadline of 0, so that done() never comes on the caller's stack.
 *
 * Invariants: open = waits that lists owe an answer; outside of `asking` it is 0. A failed vault holds no
 * rows. "Not found" from the vault is an empty list: nobody asked for one particular account here.
 */
#include "broker/survey.h"

#include "broker/survey_notes.h"

#include "base/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop_answers(struct survey_vault *sv)
{
    for (size_t i = 0; i < sv->n; i++) {
        struct list_wait *wait = &sv->asks[i].wait;
        lists_leave(sv->survey->opts.lists, wait);
        account_list_unref(wait->accounts);
        wait->accounts = NULL;
        if (sv->survey->opts.catalogues)
            catalogues_leave(sv->survey->opts.catalogues, &sv->asks[i].search);
        catalogue_unref(sv->asks[i].search.catalogue);
        sv->asks[i].search.catalogue = NULL;
    }
    sv->open = 0;
    sv->age_ms = 0;
}

static void settle(struct survey_vault *sv, enum survey_state state)
{
    if (state == SURVEY_FAILED)
        drop_answers(sv);
    sv->state = state;
    sv->survey->asking--;
}

static void fail(struct survey_vault *sv, const struct fault *fault)
{
    sv->fault = *fault;
    if (usermap_user(&sv->users)) /* else it has been told already: no rule, or the last one refused */
        survey_note_user(sv, "failed", fault->detail);
    if (sv->survey->opts.nvaults > 1) /* else it is the answer, and told there */
        log_warn("vault_left_out", "vault=%s user=%s code=%s detail=%s", sv->vault->conf->name,
                 sv->survey->opts.session->username, fault_row(fault->code)->code, fault->detail);
    settle(sv, SURVEY_FAILED);
}

static void fail_no_rule(struct survey_vault *sv)
{
    const struct conf_list *rules = &sv->vault->conf->run_as;
    struct fault fault;
    char why[USERMAP_WHY_SIZE], tried[120] = "";

    usermap_explain(&sv->users, sv->survey->opts.session, why, sizeof(why));
    for (size_t i = 0, used = 0; i < rules->n && used < sizeof(tried); i++)
        used += (size_t)snprintf(tried + used, sizeof(tried) - used, "%s%s", i ? " " : "", rules->item[i]);
    if (*sv->users.ended)
        fault_set(&fault, FAULT_VAULT_REFUSED_USER, "vault %s: %s", sv->vault->conf->name, why);
    else
        fault_set(&fault, FAULT_VAULT_REFUSED_USER,
                  "vault %s: %.200s (run_as = %s); add a rule, or set default_domain or user_map",
                  sv->vault->conf->name, why, tried);
    survey_note_user(sv, *sv->users.ended ? "unwritable" : "no_rule", fault.detail);
    fail(sv, &fault);
}

/* The vault's words, and the names that were tried. */
static void fail_refused(struct survey_vault *sv, const struct fault *words)
{
    struct fault fault = *words;
    char tried[FAULT_DETAIL_SIZE];

    usermap_explain(&sv->users, sv->survey->opts.session, tried, sizeof(tried));
    fault_add(&fault, tried);
    fail(sv, &fault);
}

/* `words`: the vault's own about -EAGAIN, if it has any. */
static void fail_to_start(struct survey_vault *sv, int err, const struct fault *words)
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

static uint64_t time_left(const struct survey *survey)
{
    uint64_t now = clock_now(timers_clock(survey->opts.timers));

    return survey->ends_ms > now ? survey->ends_ms - now : 1;
}

static void on_listed(struct list_wait *);
static void on_catalogue(struct catalogue_wait *);

/* All questions of a survey are one operation to the vault: it is let in with the first that goes there. */
static bool let_in(const struct survey_ask *one)
{
    const struct survey_ask *other = one->of->asks;

    while (other < one && other->wait.source == LIST_FROM_CACHE)
        other++;
    return other < one;
}

static int ask_one(struct survey_ask *one)
{
    struct survey *survey = one->of->survey;
    const char *user = usermap_user(&one->of->users);

    one->asked_ms = clock_now(timers_clock(survey->opts.timers));
    if (survey->opts.catalogues) {
        one->search = (struct catalogue_wait){.done = on_catalogue};
        return catalogues_get(survey->opts.catalogues, one->of->vault, user, &one->search);
    }
    one->wait = (struct list_wait){.timeout_ms = time_left(survey), .done = on_listed, .let_in = let_in(one)};
    return lists_get(survey->opts.lists, one->of->vault, user, &one->query, &one->wait);
}

/* All questions, as the current candidate. */
static void ask(struct survey_vault *sv)
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

static void refused(struct survey_vault *sv, const struct fault *words)
{
    struct fault fault = *words; /* the words live in a wait that is dropped now */

    survey_note_user(sv, "refused", fault.detail);
    drop_answers(sv);
    if (usermap_next(&sv->users))
        ask(sv);
    else
        fail_refused(sv, &fault);
}

/* An answer to one question; its texts live in a wait that may be dropped now. */
static void heard(struct survey_vault *sv, enum vault_result result, const struct fault *fault,
                  uint64_t age_ms)
{
    struct survey *survey = sv->survey;

    sv->open--;
    if (result == VAULT_REFUSED) {
        refused(sv, fault);
    } else if (result != VAULT_OK && result != VAULT_ABSENT) {
        fail(sv, fault);
    } else {
        if (age_ms > sv->age_ms)
            sv->age_ms = age_ms;
        if (sv->open == 0) {
            survey_note_user(sv, "accepted", NULL);
            settle(sv, SURVEY_ANSWERED);
        }
    }
    if (survey->asking == 0)
        survey->opts.done(survey->opts.arg);
}

static void on_listed(struct list_wait *wait)
{
    struct survey_ask *one = (struct survey_ask *)(void *)((char *)wait - offsetof(struct survey_ask, wait));

    survey_note_call(one);
    heard(one->of, wait->result, &wait->fault, wait->age_ms);
}

static void on_catalogue(struct catalogue_wait *wait)
{
    struct survey_ask *one =
        (struct survey_ask *)(void *)((char *)wait - offsetof(struct survey_ask, search));

    survey_note_search(one);
    heard(one->of, wait->result, &wait->fault, wait->age_ms);
}

/* 0 or -ENOMEM; whatever else goes wrong is the vault's failure. */
static int begin(struct survey *survey, struct survey_vault *sv, struct vault *vault)
{
    struct account_query questions[SURVEY_MAX];

    sv->survey = survey;
    sv->vault = vault;
    survey->asking++;
    if (usermap_expand(vault->conf, survey->opts.session, &sv->users))
        return -ENOMEM;
    if (sv->users.n == 0) {
        fail_no_rule(sv);
        return 0;
    }
    sv->n = survey->opts.questions(survey->opts.arg, vault->conf, questions);
    if (sv->n == 0) {
        settle(sv, SURVEY_ANSWERED);
        return 0;
    }
    sv->asks = calloc(sv->n, sizeof(*sv->asks));
    if (!sv->asks) {
        sv->n = 0;
        return -ENOMEM;
    }
    for (size_t i = 0; i < sv->n; i++)
        sv->asks[i] = (struct survey_ask){.of = sv, .query = questions[i]};
    ask(sv);
    return 0;
}

static void on_soon(struct deadline *deadline)
{
    struct survey *survey = (struct survey *)(void *)((char *)deadline - offsetof(struct survey, soon));

    survey->opts.done(survey->opts.arg);
}

struct survey *survey_new(const struct survey_opts *opts)
{
    uint64_t now = clock_now(timers_clock(opts->timers));
    struct survey *survey = calloc(1, sizeof(*survey) + opts->nvaults * sizeof(survey->vault[0]));
    int err = 0;

    if (!survey)
        return NULL;
    survey->opts = *opts;
    survey->ends_ms = opts->timeout_ms < UINT64_MAX - now ? now + opts->timeout_ms : UINT64_MAX;
    for (size_t i = 0; i < opts->nvaults && !err; i++)
        err = begin(survey, &survey->vault[survey->n++], opts->vaults[i]);
    if (!err && survey->asking == 0)
        err = timer_start(opts->timers, &survey->soon, 0, on_soon);
    if (err) {
        survey_free(survey);
        return NULL;
    }
    return survey;
}

void survey_free(struct survey *survey)
{
    if (!survey)
        return;
    timer_stop(survey->opts.timers, &survey->soon);
    for (size_t i = 0; i < survey->n; i++) {
        drop_answers(&survey->vault[i]);
        usermap_free(&survey->vault[i].users);
        free(survey->vault[i].asks);
    }
    free(survey);
}

void survey_expire(struct survey *survey)
{
    struct fault fault;

    timer_stop(survey->opts.timers, &survey->soon);
    for (size_t i = 0; i < survey->n; i++) {
        if (survey->vault[i].state != SURVEY_ASKING)
            continue;
        fault_set(&fault, FAULT_DEADLINE_EXCEEDED, "vault %s did not list accounts in time",
                  survey->vault[i].vault->conf->name);
        fail(&survey->vault[i], &fault);
    }
}

const struct fault *survey_fault(const struct survey *survey)
{
    const struct fault *first = NULL;

    for (size_t i = 0; i < survey->n; i++) {
        const struct survey_vault *sv = &survey->vault[i];
        if (sv->state == SURVEY_ANSWERED)
            return NULL;
        /* That a vault does not know the user says less than that another one could not be asked. */
        if (!first || (first->code == FAULT_VAULT_REFUSED_USER && sv->fault.code != FAULT_VAULT_REFUSED_USER))
            first = &sv->fault;
    }
    return first;
}

bool survey_is_whole(const struct survey *survey)
{
    for (size_t i = 0; i < survey->n; i++)
        if (survey->vault[i].state != SURVEY_ANSWERED)
            return false;
    return true;
}

uint64_t survey_age(const struct survey *survey)
{
    uint64_t age = 0;

    for (size_t i = 0; i < survey->n; i++)
        if (survey->vault[i].state == SURVEY_ANSWERED && survey->vault[i].age_ms > age)
            age = survey->vault[i].age_ms;
    return age;
}

size_t survey_count_rows(const struct survey *survey)
{
    size_t n = 0;

    for (size_t i = 0; i < survey->n; i++)
        for (size_t k = 0; k < survey->vault[i].n; k++) {
            const struct account_list *rows = survey->vault[i].asks[k].wait.accounts;
            if (survey->vault[i].state == SURVEY_ANSWERED && rows)
                n += rows->n;
        }
    return n;
}
