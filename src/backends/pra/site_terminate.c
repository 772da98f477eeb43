/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_terminate.c - an operator ends a session.
 *
 *   asked --may not be sent--> refused | unavailable
 *     |
 *   terminate_session --success--> done         --<error>--> AccessSession --has ended--> already ended
 *     |                                                           +------otherwise-----> error
 *     +--403--> refused   --no answer--> lost   --other--> error
 *
 * The call is sent once; its loss is not made good, since it may have worked. A refused token is no loss: the
 * client replaces it and sends the call then for the first time. done() comes from the loop always: what is
 * decided at once comes by the deadline.
 */
#include "backends/pra/site_internal.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"

#include <string.h>

#define RETRY_MS 5000 /* where nothing better is known */

/* May free it. */
static void finish(struct pra_termination *t, enum pra_termination_outcome outcome)
{
    struct pra_site *site = t->site;

    t->outcome = outcome;
    pra_site_update(site);
    timer_stop(site->timers, &t->deadline);
    TAILQ_REMOVE(&site->terminations, t, link);
    site->termination_counts[outcome]++;
    if (outcome == PRA_TERMINATE_DONE || outcome == PRA_TERMINATE_ALREADY_ENDED) {
        t->ended = site->hooks.session_ended(site->hooks.ctx, t->lsid, PRA_END_TERMINATE);
        pra_site_ended(site, PRA_END_TERMINATE, t->ended);
    }
    log_info("pra_termination", "pra=%s lsid=%s outcome=%s ended=%zu text=%s", site->name, t->lsid,
             pra_termination_name(outcome), t->ended, t->text);
    t->done(t);
}

static void finish_with(struct pra_termination *t, enum pra_termination_outcome outcome,
                        const struct pra_result *result)
{
    uint64_t retry = result->retry_after_ms;

    if (result->fault == PRA_SITE_ERROR)
        text_copy(t->text, sizeof(t->text), result->text);
    else if (result->fault)
        pra_result_words(result, t->text, sizeof(t->text));
    if (outcome == PRA_TERMINATE_UNAVAILABLE)
        t->retry_after_ms = retry ? retry : RETRY_MS;
    finish(t, outcome);
}

/* ---- the look after an <error> ---- */

/* The site's words about the termination stay in t->text. The deadline ends the look as well. */
static void on_looked(struct pra_call *call)
{
    struct pra_termination *t = CONTAINER_OF(call, struct pra_termination, call);

    finish(t, call->result.fault == PRA_OK && call->answer.session.ended ? PRA_TERMINATE_ALREADY_ENDED
                                                                         : PRA_TERMINATE_ERROR);
}

static void look(struct pra_termination *t)
{
    text_copy(t->text, sizeof(t->text), t->call.result.text);
    t->call.kind = PRA_CALL_SESSION;
    t->call.done = on_looked;
    if (pra_client_call(t->site->client, &t->call))
        finish(t, PRA_TERMINATE_ERROR);
}

/* ---- the termination ---- */

static enum pra_termination_outcome outcome_of(const struct pra_result *r)
{
    if (r->fault == PRA_OK)
        return PRA_TERMINATE_DONE;
    if (r->failed == PRA_CALL_TOKEN || (!r->sent && !pra_fault_is_answer(r->fault)))
        return PRA_TERMINATE_UNAVAILABLE;
    switch (r->fault) {
    case PRA_DENIED:
    case PRA_TOKEN_REFUSED: return PRA_TERMINATE_REFUSED;
    case PRA_CLIENT_REFUSED: return PRA_TERMINATE_UNAVAILABLE;
    case PRA_TIMEOUT:
    case PRA_LOST:
    case PRA_CANCELLED: return PRA_TERMINATE_LOST;
    default: return PRA_TERMINATE_ERROR;
    }
}

static void on_answered(struct pra_call *call)
{
    struct pra_termination *t = CONTAINER_OF(call, struct pra_termination, call);

    if (call->result.fault == PRA_SITE_ERROR && !t->site->closing)
        look(t);
    else
        finish_with(t, outcome_of(&call->result), &call->result);
}

/* No answer will be waited for; what was sent may have worked. */
static void cut_off(struct pra_termination *t, const struct pra_result *why)
{
    bool sent = t->call.state == PRA_CALL_SENT;

    pra_client_cancel(&t->call);
    if (t->call.kind == PRA_CALL_SESSION)
        finish(t, PRA_TERMINATE_ERROR);
    else
        finish_with(t, sent ? PRA_TERMINATE_LOST : PRA_TERMINATE_UNAVAILABLE, why);
}

/* The time is over. */
static void on_deadline(struct deadline *d)
{
    struct pra_termination *t = CONTAINER_OF(d, struct pra_termination, deadline);
    struct pra_result late = {.fault = PRA_TIMEOUT, .failed = t->call.kind};

    cut_off(t, &late);
}

/* What is known before anything is sent; it waits in `outcome`. */
static bool decided(struct pra_site *site, struct pra_termination *t)
{
    struct pra_client_state now;

    pra_client_state(site->client, &now);
    t->outcome = PRA_TERMINATE_UNAVAILABLE;
    t->retry_after_ms = site->params.probe_interval_ms;
    if (site->closing) {
        text_copy(t->text, sizeof(t->text), "the gateway is stopping");
    } else if (pra_granted(site->has_info ? &site->info : NULL, &pra_need_command_full) == PRA_GRANT_NO) {
        t->outcome = PRA_TERMINATE_REFUSED;
        text_copy(t->text, sizeof(t->text), "the account has no full access to the Command API");
    } else if (site->state == PRA_STATE_DOWN) {
        pra_result_words(&site->last_failure, t->text, sizeof(t->text));
    } else if (pra_site_is_standby(site)) {
        text_copy(t->text, sizeof(t->text), "the appliance is the backup of its failover pair");
    } else if (now.refused && now.token_paused) {
        pra_result_words(&now.token, t->text, sizeof(t->text));
        t->retry_after_ms = now.token_pause_ms;
    } else {
        t->retry_after_ms = 0;
        return false;
    }
    return true;
}

static void on_decided(struct deadline *d)
{
    struct pra_termination *t = CONTAINER_OF(d, struct pra_termination, deadline);

    finish(t, t->outcome);
}

int pra_site_terminate(struct pra_site *site, struct pra_termination *t)
{
    uint64_t usual = site->params.client.call_timeout_ms;
    uint64_t time = t->timeout_ms && t->timeout_ms < usual ? t->timeout_ms : usual;
    bool already = decided(site, t);

    t->site = site;
    t->ended = 0;
    int err = timer_start(site->timers, &t->deadline, already ? 0 : time, already ? on_decided : on_deadline);
    if (err)
        return err;
    if (!already) {
        t->text[0] = '\0';
        t->call.kind = PRA_CALL_TERMINATE;
        t->call.urgent = true;
        t->call.done = on_answered;
        t->call.timeout_ms = time;
        memcpy(t->call.lsid, t->lsid, sizeof(t->lsid));
        err = pra_client_call(site->client, &t->call);
    }
    if (err) {
        timer_stop(site->timers, &t->deadline);
        return err;
    }
    TAILQ_INSERT_TAIL(&site->terminations, t, link);
    return 0;
}

void pra_site_terminations_stop(struct pra_site *site)
{
    struct pra_termination *t;

    while ((t = TAILQ_FIRST(&site->terminations))) {
        struct pra_result stop = {.fault = PRA_CANCELLED, .failed = t->call.kind};
        cut_off(t, &stop);
    }
}
