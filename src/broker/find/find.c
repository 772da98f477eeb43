/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.c - the credentials a user may request on an endpoint.
 *
 *   fan-out (all name forms and kinds, all vaults) --> policy check (where ask_policy) --> answer
 *
 * A deadline during the fan-out answers with the vaults that have answered, and with deadline_exceeded if
 * there is none; during the policy check it answers with the rows, without the policies that are still open.
 *
 * Invariants: the op owns itself and ends in finish_find(), leave or destroy. Rows point into the lists of
 * the fan-out, so both are kept until the answer has been given.
 */
#include "broker/catalogue/catalogue_cache.h"
#include "broker/find/find_queries.h"
#include "broker/find/find_rows.h"
#include "broker/find/policy_check.h"
#include "broker/identity/host_names.h"

#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct find {
    struct vault_fanout fanout; /* first */
    find_done *done;
    void *arg;
    struct host_names names;
    struct find_rows rows;
    struct policy_check *policy_check;
};

static void find_free(struct find *find)
{
    policy_check_free(find->policy_check);
    find_rows_free(&find->rows);
    host_names_free(&find->names);
    vault_fanout_free(&find->fanout);
    free(find);
}

/* The end of every find whose client has not left. */
static void finish_find(struct find *find, const struct fault *fault)
{
    const struct session *session = find->fanout.session;
    struct find_answer answer = {.fault = fault};
    const char *outcome;

    if (!fault) {
        answer.credentials = find->rows.row;
        answer.n = find->rows.n;
        answer.partial = vault_fanout_missing(&find->fanout, &answer.npartial);
        answer.age_ms = vault_fanout_age(&find->fanout);
    }
    outcome = vault_fanout_end(&find->fanout, fault, answer.n, answer.age_ms);
    log_info("find",
             "request_id=%s outcome=%s user=%s domain=%s session=%s credentials=%zu vaults_missing=%zu"
             " age_ms=%" PRIu64 " took_ms=%" PRIu64,
             session->request_id, outcome, session->username, session->domain, session->id, answer.n,
             answer.npartial, answer.age_ms,
             clock_now(find->fanout.op.broker->clock) - find->fanout.began_ms);
    find->done(find->arg, &answer);
    find_free(find);
}

static void note_filter(const struct find *find, const char *what, size_t removed, size_t *left,
                        const char *detail)
{
    *left -= removed;
    explain_add(find->fanout.record,
                &(struct explain_note){
                    .kind = EXPLAIN_FILTER, .what = what, .rows = removed, .left = *left, .detail = detail});
}

static void note_filters(const struct find *find)
{
    const struct find_rows *rows = &find->rows;
    size_t left = vault_fanout_count_rows(&find->fanout);

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
    const struct fault *fault = vault_fanout_fault(&find->fanout);

    if (!fault && find_rows_make(&find->fanout, find->fanout.session, find->fanout.op.broker->catalogue_cache,
                                 &find->rows)) {
        fault_set(&find->fanout.refused, FAULT_INTERNAL, "out of memory");
        fault = &find->fanout.refused;
    }
    if (!fault)
        note_filters(find);
    return fault;
}

static void on_policies(void *arg)
{
    finish_find(arg, NULL);
}

static void on_fanout_done(struct vault_fanout *fanout)
{
    struct find *find = CONTAINER_OF(fanout, struct find, fanout);
    const struct fault *fault = take_rows(find);
    struct policy_check_opts opts = {
        .facts = account_lists_facts(find->fanout.op.broker->lists),
        .rows = &find->rows,
        .minutes = (find->fanout.op.broker->conf->gateway.release_duration_ms + 59999) / 60000,
        .timeout_ms = op_time_left(&find->fanout.op),
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
    find_free(CONTAINER_OF(op, struct find, fanout.op));
}

static void find_expired(struct op *op)
{
    struct find *find = CONTAINER_OF(op, struct find, fanout.op);
    const struct fault *fault = NULL;

    if (!find->policy_check) {
        vault_fanout_expire(&find->fanout);
        fault = take_rows(find);
    }
    finish_find(find, fault);
}

static const struct op_class find_class = {find_leave, find_expired, find_leave};

static void note_name(const struct find *find, const struct conf_vault *conf, const char *form,
                      const char *value)
{
    explain_add(
        find->fanout.record,
        &(struct explain_note){.kind = EXPLAIN_NAME, .vault = conf->name, .form = form, .value = value});
}

static size_t write_find_queries(const struct vault_fanout *fanout, const struct conf_vault *conf,
                                 struct account_query out[FANOUT_QUERIES_MAX])
{
    const struct find *find = CONTAINER_OF(fanout, struct find, fanout);
    const char *application = find->fanout.session->application;
    const struct host_name *names[HOST_NAMES_MAX];
    size_t nnames;

    if (fault_is_set(&find->fanout.refused))
        return 0;
    nnames = host_names_select(&find->names, conf, names);
    for (size_t i = 0; i < nnames; i++)
        note_name(find, conf, host_name_form_word(names[i]->form), names[i]->value);
    if (application && *application)
        note_name(find, conf, "application", application);
    return find_queries_make(find->fanout.session, conf, names, nnames, out);
}

struct op *broker_find(struct broker *broker, const struct asked_by *by, find_done *done, void *arg)
{
    struct find *find = calloc(1, sizeof(*find));

    if (!find)
        return NULL;
    find->fanout.write_queries = write_find_queries;
    find->fanout.done = on_fanout_done;
    find->fanout.is_of_endpoint = true;
    find->done = done;
    find->arg = arg;
    if (!session_has_target(&by->session))
        fault_set(&find->fanout.refused, FAULT_INVALID_REQUEST,
                  "session.jump_item names no endpoint: give hostname, computer_name, name, ip_address or "
                  "application");
    for (size_t i = 0; broker->catalogue_cache && i < broker->nvaults; i++)
        directory_want(catalogue_cache_directory(broker->catalogue_cache, broker->vaults[i]));
    if (host_names_make(&by->session, &find->names) ||
        vault_fanout_begin(&find->fanout, &find_class, broker, by, "credentials/find")) {
        find_free(find);
        return NULL;
    }
    return &find->fanout.op;
}
