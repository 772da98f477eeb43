/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_fanout_notes.c - the words for what a fan-out saw.
 *
 * Only names, numbers and details of faults are written down; nothing of an answer's rows. Without a record
 * every function returns at once.
 */
#include "broker/find/vault_fanout_notes.h"

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

void vault_fanout_note_user(const struct fanout_vault *sv, const char *outcome, const char *detail)
{
    explain_add(sv->fanout->opts.record, &(struct explain_note){.kind = EXPLAIN_USER,
                                                                .vault = sv->vault->conf->name,
                                                                .user = usermap_user(&sv->users),
                                                                .outcome = outcome,
                                                                .detail = detail});
}

void vault_fanout_note_call(const struct fanout_query *ask)
{
    const struct fanout_vault *sv = ask->of;
    const struct vault_fanout_opts *opts = &sv->fanout->opts;
    const struct list_wait *wait = &ask->wait;
    bool went_well = wait->result == VAULT_OK || wait->result == VAULT_ABSENT;

    if (!opts->record)
        return;
    explain_add(opts->record, &(struct explain_note){
                                  .kind = EXPLAIN_CALL,
                                  .vault = sv->vault->conf->name,
                                  .user = usermap_user(&sv->users),
                                  .what = ask->query.recent ? "list_recent" : "list",
                                  .kind_asked = account_kind_word(ask->query.kind),
                                  .value = asked_for(&ask->query),
                                  .outcome = result_word(wait->result, &wait->fault),
                                  .detail = went_well ? NULL : wait->fault.detail,
                                  .source = source_word(wait->source),
                                  .status = wait->status ? wait->status : wait->fault.vault_status,
                                  .rows = wait->accounts ? wait->accounts->n : 0,
                                  .took_ms = clock_now(timers_clock(opts->timers)) - ask->asked_ms,
                                  .age_ms = wait->age_ms,
                              });
}

void vault_fanout_note_search(const struct fanout_query *ask)
{
    const struct fanout_vault *sv = ask->of;
    const struct vault_fanout_opts *opts = &sv->fanout->opts;
    const struct catalogue_wait *wait = &ask->search;

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
                                  .took_ms = clock_now(timers_clock(opts->timers)) - ask->asked_ms,
                                  .age_ms = wait->age_ms,
                              });
}
