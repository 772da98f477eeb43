/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.c - the credentials a user may ask for on an endpoint.
 *
 *   survey (all name forms and kinds, all vaults) --> policies (where ask_policy) --> answer
 *
 * Both waits are reads: a client that leaves takes its questions with it, and time that runs out ends them.
 * If it runs out in the survey, the vaults that have answered are answered with, and only if there is none
 * the answer is deadline_exceeded; in the policies, the rows are answered without what is still open.
 *
 * A request that cannot be served (stopping, nothing to look for) is a survey without questions, so that
 * there is one way to the end: finish(), which is never on the stack of broker_find().
 *
 * The op owns itself and ends in finish(), leave or destroy. Rows point into the survey's lists, so both live
 * until the answer has been given.
 */
#include "broker/catalogues.h"
#include "broker/explain.h"
#include "broker/find_ask.h"
#include "broker/find_rows.h"
#include "broker/match.h"
#include "broker/op.h"
#include "broker/wants.h"

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
    struct match_names names;
    struct fault refused; /* why nothing is asked at all */
    struct survey *survey;
    struct find_rows rows;
    struct wants *wants;
    uint64_t began_ms;
};

static void find_free(struct find *find)
{
    wants_free(find->wants);
    find_rows_free(&find->rows);
    survey_free(find->survey);
    match_names_free(&find->names);
    explain_end(find->record, "client_gone", NULL, 0, 0); /* finish() has ended it otherwise */
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

/* The end of every find whose client is still there. */
static void finish(struct find *find, const struct fault *fault)
{
    struct find_answer answer = {.fault = fault};

    if (!fault) {
        answer.credentials = find->rows.row;
        answer.n = find->rows.n;
        answer.age_ms = survey_age(find->survey);
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
    size_t left = survey_count_rows(find->survey);

    if (rows->elsewhere)
        note_filter(find, "alias", rows->elsewhere, &left, "aliases of other endpoints");
    if (rows->hidden)
        note_filter(find, "hide", rows->hidden, &left, "accounts that fit a pattern of `hide`");
    note_filter(find, "duplicates", rows->twice, &left, "rows that several questions brought are shown once");
    if (rows->capped)
        note_filter(find, "credential_limit", rows->capped, &left,
                    "over `credential_limit`, the last in order");
}

/* What the survey ended in: NULL = rows have been made. */
static const struct fault *take_rows(struct find *find)
{
    const struct fault *fault = fault_is_set(&find->refused) ? &find->refused : survey_fault(find->survey);

    if (!fault && find_rows_make(find->survey, find->session, find->op.broker->catalogues, &find->rows)) {
        fault_set(&find->refused, FAULT_INTERNAL, "out of memory");
        fault = &find->refused;
    }
    if (!fault)
        note_filters(find);
    return fault;
}

static void on_policies(void *arg)
{
    finish(arg, NULL);
}

static void on_surveyed(void *arg)
{
    struct find *find = arg;
    const struct fault *fault = take_rows(find);
    struct wants_opts opts = {
        .lists = find->op.broker->lists,
        .rows = &find->rows,
        .minutes = (find->op.broker->conf->gateway.release_duration_ms + 59999) / 60000,
        .timeout_ms = op_time_left(&find->op),
        .done = on_policies,
        .arg = find,
    };

    if (!fault)
        find->wants = wants_new(&opts);
    if (!find->wants)
        finish(find, fault);
}

static void find_leave(struct op *op)
{
    op_end(op);
    find_free((struct find *)(void *)op);
}

static void find_expired(struct op *op)
{
    struct find *find = (struct find *)(void *)op;
    const struct fault *fault = NULL;

    if (!find->wants) {
        survey_expire(find->survey);
        fault = take_rows(find);
    }
    finish(find, fault);
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

static size_t find_questions(void *arg, const struct conf_vault *conf, struct account_query out[SURVEY_MAX])
{
    const struct find *find = arg;
    const char *application = find->session->application;
    const struct match_name *names[MATCH_MAX];
    size_t nnames;

    if (fault_is_set(&find->refused))
        return 0;
    nnames = match_names_select(&find->names, conf, names);
    for (size_t i = 0; i < nnames; i++)
        note_name(find, conf, match_form_word(names[i]->form), names[i]->value);
    if (application && *application)
        note_name(find, conf, "application", application);
    return find_ask(find->session, conf, names, nnames, out);
}

/* 0 or -ENOMEM, with whatever has been made in its place. */
static int find_begin(struct find *find, struct broker *broker, const struct find_args *args)
{
    struct survey_opts opts = {
        .lists = broker->lists,
        .timers = broker->timers,
        .vaults = broker->vaults,
        .nvaults = broker->nvaults,
        .timeout_ms = args->timeout_ms,
        .questions = find_questions,
        .done = on_surveyed,
        .arg = find,
    };
    int err;

    if (broker->draining)
        fault_set(&find->refused, FAULT_DRAINING, "the gateway is stopping; ask another one");
    else if (!match_is_possible(&args->session))
        fault_set(&find->refused, FAULT_INVALID_REQUEST,
                  "session.jump_item names no endpoint: give hostname, computer_name, name, ip_address or "
                  "application");
    find->session = session_copy(&args->session);
    if (!find->session)
        return -ENOMEM;
    find->record =
        explain_begin(broker->explain, find->session->request_id, "credentials/find", find->session);
    err = match_names_make(find->session, &find->names);
    opts.session = find->session;
    opts.record = find->record;
    for (size_t i = 0; broker->catalogues && i < broker->nvaults; i++)
        directory_want(catalogues_directory(broker->catalogues, broker->vaults[i]));
    if (!err)
        find->survey = survey_new(&opts);
    return find->survey ? 0 : -ENOMEM;
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
