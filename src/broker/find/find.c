/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.c - the credentials a user may request on an endpoint.
 *
 *   fan-out (all name forms and kinds, all vaults) --> policy check (where ask_policy) --> answer
 *
 * Both waits are reads: a client that leaves cancels them, and the deadline ends them. A deadline during the
 * fan-out answers with the vaults that have answered, and with deadline_exceeded if there is none; during the
 * policy check it answers with the rows, without the policies that are still open.
 *
 * A request that cannot be served (the gateway stops, the session names no endpoint) is a fan-out without
 * queries, so that there is one way to the end: finish_find(), which is never on the stack of broker_find().
 *
 * Invariants: the op owns itself and ends in finish_find(), leave or destroy. Rows point into the lists of
 * the fan-out, so both live until the answer has been given.
 */
#include "broker/catalogue/catalogue_cache.h"
#include "broker/find/explain.h"
#include "broker/find/find_queries.h"
#include "broker/find/find_rows.h"
#include "broker/find/policy_check.h"
#include "broker/identity/host_names.h"
#include "broker/operation.h"

#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct find {
    struct op op; /* first */
    find_done *done;
    void *arg;
    struct session *session;
    struct explain_record *record;
    struct host_names names;
    struct fault refused; /* why no vault is asked */
    struct vault_fanout *fanout;
    struct find_rows rows;
    struct policy_check *policy_check;
    uint64_t began_ms;
};

static void find_free(struct find *find)
{
    policy_check_free(find->policy_check);
    find_rows_free(&find->rows);
    vault_fanout_free(find->fanout);
    host_names_free(&find->names);
    explain_end(find->record, "client_gone", NULL, 0, 0); /* finish_find() has ended it otherwise */
    free(find->session);
    free(find);
}

static void log_end(const struct find *find, const struct find_answer *answer)
{
    log_info("find",
             "request_id=%s outcome=%s user=%s domain=%s session=%s credentials=%zu age_ms=%" PRIu64
             " took_ms=%" PRIu64,
             find->session->request_id, answer->fault ? fault_row(answer->fault->code)->code : "ok",
             find->session->username, find->session->domain, find->session->id, answer->n, answer->age_ms,
             clock_now(find->op.broker->clock) - find->began_ms);
}

/* The end of every find whose client has not left. */
static void finish_find(struct find *find, const struct fault *fault)
{
    struct find_answer answer = {.fault = fault};

    if (!fault) {
        answer.credentials = find->rows.row;
        answer.n = find->rows.n;
        answer.age_ms = vault_fanout_age(find->fanout);
    }
    op_end(&find->op);
    log_end(find, &answer);
    explain_end(find->record, fault ? fault_row(fault->code)->code : "ok", fault ? fault->detail : NULL,
                answer.n, answer.age_ms);
    find->record = NULL;
    find->done(find->arg, &answer);
    find_free(find);
}

static void note_filter(const struct find *find, const char *what, size_t removed, size_t *left,
                        const char *detail)
{
    *left -= removed;
    explain_add(find->record,
                &(struct explain_note){
                    .kind = EXPLAIN_FILTER, .what = what, .rows = removed, .left = *left, .detail = detail});
}

static void note_filters(const struct find *find)
{
    const struct find_rows *rows = &find->rows;
    size_t left = vault_fanout_count_rows(find->fanout);

    if (rows->elsewhere)
        note_filter(find, "alias", rows->elsewhere, &left, "aliases of other endpoints");
    if (rows->hidden)
        note_filter(find, "hide", rows->hidden, &left, "accounts that fit a pattern of `hide`");
    note_filter(find, "duplicates", rows->twice, &left, "rows that several queries returned are shown once");
    if (rows->capped)
        note_filter(find, "credential_limit", rows->capped, &left,
                    "over `credential_limit`, the last in order");
}

/* The fault of the fan-out; NULL = rows have been made. */
static const struct fault *take_rows(struct find *find)
{
    const struct fault *fault =
        fault_is_set(&find->refused) ? &find->refused : vault_fanout_fault(find->fanout);

    if (!fault &&
        find_rows_make(find->fanout, find->session, find->op.broker->catalogue_cache, &find->rows)) {
        fault_set(&find->refused, FAULT_INTERNAL, "out of memory");
        fault = &find->refused;
    }
    if (!fault)
        note_filters(find);
    return fault;
}

static void on_policies(void *arg)
{
    finish_find(arg, NULL);
}

static void on_fanout_done(void *arg)
{
    struct find *find = arg;
    const struct fault *fault = take_rows(find);
    struct policy_check_opts opts = {
        .facts = account_lists_facts(find->op.broker->lists),
        .rows = &find->rows,
        .minutes = (find->op.broker->conf->gateway.release_duration_ms + 59999) / 60000,
        .timeout_ms = op_time_left(&find->op),
        .done = on_policies,
        .arg = find,
    };

    if (!fault)
        find->policy_check = policy_check_new(&opts);
    if (!find->policy_check)
        finish_find(find, fault);
}

static void find_leave(struct op *op)
{
    op_end(op);
    find_free(CONTAINER_OF(op, struct find, op));
}

static void find_expired(struct op *op)
{
    struct find *find = CONTAINER_OF(op, struct find, op);
    const struct fault *fault = NULL;

    if (!find->policy_check) {
        vault_fanout_expire(find->fanout);
        fault = take_rows(find);
    }
    finish_find(find, fault);
}

static const struct op_class find_class = {
    .name = "find",
    .leave = find_leave,
    .expired = find_expired,
    .destroy = find_leave,
};

static void note_name(const struct find *find, const struct conf_vault *conf, const char *form,
                      const char *value)
{
    explain_add(find->record, &(struct explain_note){
                                  .kind = EXPLAIN_NAME, .vault = conf->name, .form = form, .value = value});
}

static size_t write_find_queries(void *arg, const struct conf_vault *conf,
                                 struct account_query out[FANOUT_QUERIES_MAX])
{
    const struct find *find = arg;
    const char *application = find->session->application;
    const struct host_name *names[HOST_NAMES_MAX];
    size_t nnames;

    if (fault_is_set(&find->refused))
        return 0;
    nnames = host_names_select(&find->names, conf, names);
    for (size_t i = 0; i < nnames; i++)
        note_name(find, conf, host_name_form_word(names[i]->form), names[i]->value);
    if (application && *application)
        note_name(find, conf, "application", application);
    return find_queries_make(find->session, conf, names, nnames, out);
}

/* 0 or -ENOMEM; in either case find_free() frees what was made. */
static int find_begin(struct find *find, struct broker *broker, const struct find_args *args)
{
    struct vault_fanout_opts opts = {
        .lists = broker->lists,
        .timers = broker->timers,
        .vaults = broker->vaults,
        .nvaults = broker->nvaults,
        .timeout_ms = args->timeout_ms,
        .write_queries = write_find_queries,
        .done = on_fanout_done,
        .arg = find,
    };
    int err;

    if (broker->draining)
        fault_set(&find->refused, FAULT_DRAINING, "the gateway is stopping; ask another one");
    else if (!session_has_target(&args->session))
        fault_set(&find->refused, FAULT_INVALID_REQUEST,
                  "session.jump_item names no endpoint: give hostname, computer_name, name, ip_address or "
                  "application");
    find->session = session_copy(&args->session);
    if (!find->session)
        return -ENOMEM;
    find->record =
        explain_begin(broker->explain, find->session->request_id, "credentials/find", find->session);
    err = host_names_make(find->session, &find->names);
    opts.session = find->session;
    opts.record = find->record;
    for (size_t i = 0; broker->catalogue_cache && i < broker->nvaults; i++)
        directory_want(catalogue_cache_directory(broker->catalogue_cache, broker->vaults[i]));
    if (!err)
        find->fanout = vault_fanout_new(&opts);
    return find->fanout ? 0 : -ENOMEM;
}

struct op *broker_find(struct broker *broker, const struct find_args *args, find_done *done, void *arg)
{
    struct find *find = calloc(1, sizeof(*find));

    if (!find)
        return NULL;
    if (op_begin(&find->op, &find_class, broker, args->timeout_ms)) {
        free(find);
        return NULL;
    }
    find->done = done;
    find->arg = arg;
    find->began_ms = clock_now(broker->clock);
    if (find_begin(find, broker, args)) {
        find_leave(&find->op);
        return NULL;
    }
    return &find->op;
}
