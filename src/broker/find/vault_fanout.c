/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_fanout.c - one state per vault, and a count of the vaults that are still asked.
 *
 *   asking --all lists here----------------> answered
 *     |  ^---- sign-in refused, next candidate
 *     '--refused for the last candidate, any other failure, time is up, no rule applies--> failed
 *
 * settle() alone ends `asking`, and drops what is open for a vault that failed; the last vault ends the
 * fan-out. Where that happens while the fan-out is being made (no rule, no query, a call that cannot start),
 * a deadline of 0 defers the end, so that done() is never called on the caller's stack.
 *
 * Invariants: `open` counts the queries without an answer; outside of `asking` it is 0. A failed vault holds
 * no rows. "Not found" from the vault is an empty list, since no query asks for one particular account.
 */
#include "broker/find/vault_fanout.h"

#include "base/container_of.h"
#include "broker/find/partial_answers.h"
#include "broker/identity/entitled_session.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fanout_entitled {
    struct entitled_session *session;
    struct vault_call call;
    struct entitled_why why;
    struct fanout_vault *target;
};

/* ---- notes for the record of the operation (explain.h): names, numbers, details of faults; no rows ---- */

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

/* The present candidate (the record has no user where there is none) and its outcome. */
static void note_user(const struct fanout_vault *target, const char *outcome, const char *detail)
{
    explain_add(target->fanout->record, &(struct explain_note){.kind = EXPLAIN_USER,
                                                               .vault = target->vault->conf->name,
                                                               .user = usermap_user(&target->users),
                                                               .outcome = outcome,
                                                               .detail = detail});
}

static const char *note_source(const struct fanout_query *query)
{
    const struct fanout_entitled *e = query->target->entitled;

    return e && e->why.told && !e->why.called ? "map" : source_word(query->wait.source);
}

static void note_call(const struct fanout_query *query)
{
    const struct fanout_vault *target = query->target;
    const struct vault_fanout *fanout = target->fanout;
    const struct list_wait *wait = &query->wait;
    bool went_well = wait->result == VAULT_OK || wait->result == VAULT_ABSENT;

    if (!fanout->record)
        return;
    explain_add(fanout->record, &(struct explain_note){
                                    .kind = EXPLAIN_CALL,
                                    .vault = target->vault->conf->name,
                                    .user = usermap_user(&target->users),
                                    .what = fanout->catalogue_cache ? "catalogue"
                                            : target->entitled      ? "entitled"
                                            : query->query.recent   ? "list_recent"
                                                                    : "list",
                                    .kind_asked = fanout->catalogue_cache || target->entitled
                                                      ? NULL
                                                      : account_kind_word(query->query.kind),
                                    .value = asked_for(&query->query),
                                    .outcome = result_word(wait->result, &wait->fault),
                                    .detail = went_well ? NULL : wait->fault.detail,
                                    .source = note_source(query),
                                    .status = wait->status ? wait->status : wait->fault.vault_status,
                                    .rows = wait->accounts    ? wait->accounts->n
                                            : wait->catalogue ? wait->catalogue->n
                                                              : 0,
                                    .took_ms = clock_now(fanout->op.broker->clock) - query->asked_ms,
                                    .age_ms = wait->age_ms,
                                });
}

static void note_names(const struct fanout_vault *target)
{
    const struct conf_vault *conf = target->vault->conf;
    const struct host_name *names[HOST_NAMES_MAX];
    size_t n = host_names_select(&target->entitled->session->names, conf, names);

    for (size_t i = 0; i < n; i++)
        explain_add(target->fanout->record,
                    &(struct explain_note){.kind = EXPLAIN_NAME,
                                           .vault = conf->name,
                                           .form = host_name_form_word(names[i]->form),
                                           .value = names[i]->value});
}

static void note_left_out(const struct fanout_vault *target, const char *what, size_t removed, size_t left,
                          const char *detail)
{
    explain_add(target->fanout->record, &(struct explain_note){.kind = EXPLAIN_FILTER,
                                                               .vault = target->vault->conf->name,
                                                               .what = what,
                                                               .rows = removed,
                                                               .left = left,
                                                               .detail = detail});
}

static void note_why(const struct fanout_vault *target, const struct vault_call *call)
{
    const struct entitled_why *why = &target->entitled->why;
    const char *name = why->sections;

    if (!why->told)
        return;
    for (size_t i = 0; i < why->nsections; i++, name += strlen(name) + 1)
        explain_add(target->fanout->record, &(struct explain_note){.kind = EXPLAIN_SECTION,
                                                                   .vault = target->vault->conf->name,
                                                                   .value = name});
    if (why->nsections < why->named)
        explain_cut(target->fanout->record);
    note_left_out(target, "user", why->by_user, why->named, "sections that do not name the user");
    note_left_out(target, "host", why->by_host, why->named - why->by_host,
                  "sections that name the user and no name of the endpoint");
    if (call->result == VAULT_OK)
        note_left_out(target, "listing", why->by_listing, why->listed,
                      "credentials of these sections that the vault does not list");
}

/* ---- the vaults ---- */

static void entitled_free(struct fanout_vault *target)
{
    struct fanout_entitled *e = target->entitled;

    if (!e)
        return;
    target->vault->ops->cancel(target->vault, &e->call);
    vault_call_free(&e->call);
    free(e->why.sections);
    entitled_session_free(e->session);
    free(e);
    target->entitled = NULL;
}

static void drop_answers(struct fanout_vault *target)
{
    const struct vault_fanout *fanout = target->fanout;

    for (size_t i = 0; i < target->n; i++) {
        struct list_wait *wait = &target->queries[i].wait;
        if (fanout->catalogue_cache)
            catalogue_cache_leave(fanout->catalogue_cache, wait);
        else
            account_lists_leave(fanout->op.broker->lists, wait);
        account_list_unref(wait->accounts);
        catalogue_unref(wait->catalogue);
        wait->accounts = NULL;
        wait->catalogue = NULL;
    }
    entitled_free(target);
    target->open = 0;
    target->age_ms = 0;
}

static void settle(struct fanout_vault *target, enum fanout_state state)
{
    if (state == FANOUT_FAILED)
        drop_answers(target);
    target->state = state;
    target->fanout->asking--;
}

/* A vault that refuses the user, or has no rule for the user, has answered: it has no rows. */
static bool is_missing(const struct fanout_vault *target)
{
    return target->state == FANOUT_FAILED && target->fault.code != FAULT_VAULT_REFUSED_USER &&
           target->fault.code != FAULT_NOT_ENTITLED;
}

static void fail_vault(struct fanout_vault *target, const struct fault *fault)
{
    target->fault = *fault;
    if (usermap_user(&target->users)) /* else the note is there: no rule, or the last candidate refused */
        note_user(target, "failed", fault->detail);
    settle(target, FANOUT_FAILED);
    if (is_missing(target))
        explain_add(target->fanout->record,
                    &(struct explain_note){.kind = EXPLAIN_ABSENT,
                                           .vault = target->vault->conf->name,
                                           .outcome = fault_row(target->fault.code)->code,
                                           .detail = target->fault.detail});
}

static void fail_no_rule(struct fanout_vault *target)
{
    const struct conf_list *rules = &target->vault->conf->run_as;
    struct fault fault;
    char why[USERMAP_WHY_SIZE], tried[120] = "";

    usermap_explain(&target->users, target->fanout->session, why, sizeof(why));
    for (size_t i = 0, used = 0; i < rules->n && used < sizeof(tried); i++)
        used += (size_t)snprintf(tried + used, sizeof(tried) - used, "%s%s", i ? " " : "", rules->item[i]);
    if (*target->users.ended)
        fault_set(&fault, FAULT_VAULT_REFUSED_USER, "vault %s: %s", target->vault->conf->name, why);
    else
        fault_set(&fault, FAULT_VAULT_REFUSED_USER,
                  "vault %s: %.200s (run_as = %s); add a rule, or set default_domain or user_map",
                  target->vault->conf->name, why, tried);
    note_user(target, *target->users.ended ? "unwritable" : "no_rule", fault.detail);
    fail_vault(target, &fault);
}

/* The detail is the vault's own, with the candidates that were tried. */
static void fail_refused(struct fanout_vault *target, const struct fault *refusal)
{
    struct fault fault = *refusal;
    char tried[FAULT_DETAIL_SIZE];

    usermap_explain(&target->users, target->fanout->session, tried, sizeof(tried));
    fault_add(&fault, tried);
    fail_vault(target, &fault);
}

/* `overload` is the vault's own fault for -EAGAIN, where it gave one. */
static void fail_to_start(struct fanout_vault *target, int err, const struct fault *overload)
{
    struct fault fault;

    if (err == -EAGAIN && fault_is_set(overload))
        fault = *overload;
    else if (err == -EAGAIN)
        fault_set(&fault, FAULT_OVERLOADED, "vault %s: max_calls calls are waiting already",
                  target->vault->conf->name);
    else if (err == -ESHUTDOWN)
        fault_set(&fault, FAULT_DRAINING, "vault %s: the gateway is stopping", target->vault->conf->name);
    else
        fault_set(&fault, FAULT_INTERNAL, "out of memory");
    fail_vault(target, &fault);
}

static void on_answer(struct list_wait *);

/* All queries to one vault are one operation: overload protection admits the first that the cache does not
 * answer, and with it the others. */
static bool is_admitted(const struct fanout_query *query)
{
    const struct fanout_query *other = query->target->queries;

    while (other < query && other->wait.source == LIST_FROM_CACHE)
        other++;
    return other < query;
}

/* The answer of the call is that of the vault's one query. */
static void on_entitled(struct vault_call *call)
{
    struct fanout_vault *target = CONTAINER_OF(call, struct fanout_entitled, call)->target;
    struct list_wait *wait = &target->queries[0].wait;

    wait->result = call->result;
    wait->fault = call->fault;
    wait->status = call->status;
    wait->accounts = call->accounts;
    call->accounts = NULL;
    note_why(target, call);
    on_answer(wait);
}

static int send_entitled(struct fanout_vault *target)
{
    struct vault_fanout *fanout = target->fanout;
    struct fanout_entitled *e = calloc(1, sizeof *e);

    target->entitled = e;
    if (e)
        e->session = entitled_session_new(fanout->session, target->vault->conf);
    if (!e || !e->session)
        return -ENOMEM;
    e->target = target;
    op_vault_call(&fanout->op, &e->call, usermap_user(&target->users), on_entitled);
    if (fanout->record) {
        e->call.why = &e->why;
        note_names(target);
    }
    int err = target->vault->ops->entitled(target->vault, &e->session->asked, NULL, &e->call);

    if (err)
        target->queries[0].wait.fault = e->call.fault;
    return err;
}

static int send_query(struct fanout_query *query)
{
    struct vault_fanout *fanout = query->target->fanout;
    const char *user = usermap_user(&query->target->users);

    query->asked_ms = clock_now(fanout->op.broker->clock);
    query->wait = (struct list_wait){
        .timeout_ms = op_time_left(&fanout->op), .done = on_answer, .admitted = is_admitted(query)};
    if (query->target->vault->ops->entitled)
        return send_entitled(query->target);
    if (fanout->catalogue_cache)
        return catalogue_cache_get(fanout->catalogue_cache, query->target->vault, user, &query->wait);
    return account_lists_get(fanout->op.broker->lists, query->target->vault, user, &query->query,
                             &query->wait);
}

/* Sends all queries as the current candidate. */
static void send_queries(struct fanout_vault *target)
{
    for (size_t i = 0; i < target->n; i++) {
        int err = send_query(&target->queries[i]);
        if (err) {
            fail_to_start(target, err, &target->queries[i].wait.fault);
            return;
        }
        target->open++;
    }
}

static void try_next_candidate(struct fanout_vault *target, const struct fault *refusal)
{
    struct fault fault = *refusal; /* a copy: the fault is in a wait that is dropped now */

    note_user(target, "refused", fault.detail);
    drop_answers(target);
    if (usermap_next(&target->users))
        send_queries(target);
    else
        fail_refused(target, &fault);
}

static void on_answer(struct list_wait *wait)
{
    struct fanout_query *query = CONTAINER_OF(wait, struct fanout_query, wait);
    struct fanout_vault *target = query->target;
    struct vault_fanout *fanout = target->fanout;

    note_call(query);
    target->open--;
    if (wait->result == VAULT_REFUSED) {
        try_next_candidate(target, &wait->fault);
    } else if (wait->result != VAULT_OK && wait->result != VAULT_ABSENT) {
        fail_vault(target, &wait->fault);
    } else {
        if (wait->age_ms > target->age_ms)
            target->age_ms = wait->age_ms;
        if (target->open == 0) {
            note_user(target, "accepted", NULL);
            settle(target, FANOUT_ANSWERED);
        }
    }
    if (fanout->asking == 0)
        fanout->done(fanout);
}

/* One query stands for the call of entitled(). */
static size_t count_queries(const struct vault_fanout *fanout, const struct vault *vault,
                            struct account_query out[FANOUT_QUERIES_MAX])
{
    if (fault_is_set(&fanout->refused) || (vault->ops->entitled && !fanout->is_of_endpoint))
        return 0;
    if (!vault->ops->entitled)
        return fanout->write_queries(fanout, vault->conf, out);
    out[0] = (struct account_query){.kind = KIND_NKINDS};
    return 1;
}

/* 0 or -ENOMEM; any other error is the failure of that vault. */
static int start_vault(struct vault_fanout *fanout, struct fanout_vault *target, struct vault *vault)
{
    struct account_query queries[FANOUT_QUERIES_MAX];

    target->fanout = fanout;
    target->vault = vault;
    fanout->asking++;
    if (usermap_at(vault, fanout->session, &target->users))
        return -ENOMEM;
    if (target->users.n == 0) {
        fail_no_rule(target);
        return 0;
    }
    target->n = count_queries(fanout, vault, queries);
    if (target->n == 0) {
        settle(target, FANOUT_ANSWERED);
        return 0;
    }
    target->queries = calloc(target->n, sizeof(*target->queries));
    if (!target->queries) {
        target->n = 0;
        return -ENOMEM;
    }
    for (size_t i = 0; i < target->n; i++)
        target->queries[i] = (struct fanout_query){.target = target, .query = queries[i]};
    send_queries(target);
    return 0;
}

static void on_soon(struct deadline *deadline)
{
    struct vault_fanout *fanout = CONTAINER_OF(deadline, struct vault_fanout, soon);

    fanout->done(fanout);
}

static int start_vaults(struct vault_fanout *fanout)
{
    const struct broker *broker = fanout->op.broker;
    int err = 0;

    fanout->vault = calloc(broker->nvaults + 1, sizeof(*fanout->vault));
    fanout->missing = calloc(broker->nvaults + 1, sizeof(*fanout->missing));
    if (!fanout->vault || !fanout->missing)
        return -ENOMEM;
    for (size_t i = 0; i < broker->nvaults && !err; i++)
        err = start_vault(fanout, &fanout->vault[fanout->n++], broker->vaults[i]);
    return !err && fanout->asking == 0 ? timer_start(broker->timers, &fanout->soon, 0, on_soon) : err;
}

int vault_fanout_begin(struct vault_fanout *fanout, const struct op_class *class, struct broker *broker,
                       const struct asked_by *by, const char *operation)
{
    if (op_begin(&fanout->op, class, broker, by->timeout_ms))
        return -ENOMEM;
    fanout->began_ms = clock_now(broker->clock);
    if (broker->draining)
        fault_set(&fanout->refused, FAULT_DRAINING, "the gateway is stopping; ask another one");
    fanout->session = session_copy(&by->session);
    if (fanout->session) {
        fanout->record =
            explain_begin(broker->explain, fanout->session->request_id, operation, fanout->session);
        if (start_vaults(fanout) == 0)
            return 0;
    }
    op_end(&fanout->op);
    return -ENOMEM;
}

static void count_partial(const struct vault_fanout *fanout)
{
    struct broker *broker = fanout->op.broker;

    for (size_t i = 0; broker->partial && i < fanout->n; i++)
        if (is_missing(&fanout->vault[i]))
            partial_answers_note(broker->partial, i, fanout->vault[i].vault->conf->name,
                                 &fanout->vault[i].fault, clock_now(broker->clock));
}

const char *vault_fanout_end(struct vault_fanout *fanout, const struct fault *fault, size_t rows,
                             uint64_t age_ms)
{
    const char *outcome = fault ? fault_row(fault->code)->code : "ok";

    if (!fault)
        count_partial(fanout);
    op_end(&fanout->op);
    explain_end(fanout->record, outcome, fault ? fault->detail : NULL, rows, age_ms);
    fanout->record = NULL;
    return outcome;
}

void vault_fanout_free(struct vault_fanout *fanout)
{
    if (fanout->op.broker)
        timer_stop(fanout->op.broker->timers, &fanout->soon);
    for (size_t i = 0; i < fanout->n; i++) {
        drop_answers(&fanout->vault[i]);
        usermap_free(&fanout->vault[i].users);
        free(fanout->vault[i].queries);
    }
    free(fanout->vault);
    free(fanout->missing);
    explain_end(fanout->record, "client_gone", NULL, 0, 0); /* vault_fanout_end() has ended it otherwise */
    free(fanout->session);
}

/* A catalogue that waits for the system index alone is answered as it would be without one. */
static bool answer_early(struct fanout_vault *target)
{
    struct fanout_query *query = target->queries;

    if (!target->fanout->catalogue_cache ||
        !catalogue_cache_take_early(target->fanout->catalogue_cache, target->vault,
                                    usermap_user(&target->users), &query->wait))
        return false;
    note_call(query);
    note_user(target, "accepted", NULL);
    settle(target, FANOUT_ANSWERED);
    return true;
}

void vault_fanout_expire(struct vault_fanout *fanout)
{
    struct fault fault;

    timer_stop(fanout->op.broker->timers, &fanout->soon);
    for (size_t i = 0; i < fanout->n; i++) {
        if (fanout->vault[i].state != FANOUT_ASKING || answer_early(&fanout->vault[i]))
            continue;
        fault_set(&fault, FAULT_DEADLINE_EXCEEDED, "vault %s did not list accounts in time",
                  fanout->vault[i].vault->conf->name);
        fail_vault(&fanout->vault[i], &fault);
    }
}

const struct fault *vault_fanout_fault(const struct vault_fanout *fanout)
{
    const struct fault *first = NULL;

    if (fault_is_set(&fanout->refused))
        return &fanout->refused;
    for (size_t i = 0; i < fanout->n; i++) {
        const struct fanout_vault *target = &fanout->vault[i];
        if (target->state == FANOUT_ANSWERED)
            return NULL;
        /* A vault that could not be asked is the better reason than one that does not know the user. */
        if (!first ||
            (first->code == FAULT_VAULT_REFUSED_USER && target->fault.code != FAULT_VAULT_REFUSED_USER))
            first = &target->fault;
    }
    return first;
}

bool vault_fanout_is_whole(const struct vault_fanout *fanout)
{
    for (size_t i = 0; i < fanout->n; i++)
        if (is_missing(&fanout->vault[i]))
            return false;
    return true;
}

const char *const *vault_fanout_missing(const struct vault_fanout *fanout, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < fanout->n; i++)
        if (is_missing(&fanout->vault[i]))
            fanout->missing[(*n)++] = fanout->vault[i].vault->conf->name;
    return fanout->missing;
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
            const struct account_list *rows = fanout->vault[i].queries[k].wait.accounts;
            if (fanout->vault[i].state == FANOUT_ANSWERED && rows)
                n += rows->n;
        }
    return n;
}
