/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminate.c - the kill switch: an operator ends a lease and its session at the PRA site.
 *
 *   checked (404, 501, 422) -> recorded as asked -+-> the lease's release --------+-> both known -> recorded
 *                                                 +-> the site's termination -----+      with its outcome ->
 * answer
 *
 * Neither of the two waits for the other. Their struct termination outlives the request: when the client has
 * left, both go on and the outcome is recorded, without an answer. It ends when both have ended, or with the
 * gateway.
 *
 * Not here: the release (broker.h), the call to the site and the end of the session's other leases
 * (backends/pra/site.h).
 */
#include "base/container_of.h"
#include "base/id.h"
#include "base/text.h"
#include "handlers/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct termination {
    TAILQ_ENTRY(termination) link;
    struct gateway *gateway;
    struct request_context *ctx; /* NULL = the client has left */
    char lease_id[ID_SIZE];
    struct lease_session session;
    char client[CONF_NAME_MAX], request_id[REQUEST_ID_MAX + 1];
    bool has_peer; /* the control socket's */
    uid_t peer_uid;
    const char *peer_user; /* the gateway's, NULL = none */
    uint64_t timeout_ms;
    struct audit_wait recorded;
    struct op *release; /* while it works */
    bool released_known, site_known;
    int64_t released;
    bool pending;
    struct pra_termination call;
};

static void termination_free(struct termination *t)
{
    audit_unwait(t->gateway->audit, &t->recorded);
    if (t->ctx)
        t->ctx->left = NULL;
    TAILQ_REMOVE(&t->gateway->terminations, t, link);
    free(t);
}

static void on_context_end(struct termination *t)
{
    t->ctx = NULL;
}

void gateway_end_terminations(struct gateway *gw)
{
    struct termination *t;

    while ((t = TAILQ_FIRST(&gw->terminations))) {
        if (t->release)
            broker_leave(t->release);
        termination_free(t);
    }
}

static void begin_record(struct audit_note *note, const struct termination *t, const char *outcome)
{
    const struct session by = {.client = t->client,
                               .request_id = t->request_id,
                               .has_peer = t->has_peer,
                               .peer_uid = t->peer_uid,
                               .peer_user = t->peer_user};

    audit_note(note, t->gateway->audit, "operator_terminate");
    audit_session(note, &by);
    audit_text(note, "user", t->session.person.user);
    audit_text(note, "domain", t->session.person.domain);
    audit_text(note, "lease_id", t->lease_id);
    audit_text(note, "lsid", t->session.lsid);
    audit_text(note, "outcome", outcome);
}

/* ---- the answer ---- */

static void answer_terminated(struct termination *t)
{
    struct request_context *ctx = t->ctx;
    struct jsonw *w = ctx_object(ctx);
    bool done = t->call.outcome == PRA_TERMINATE_DONE;

    jsonw_int(w, "released", t->released);
    jsonw_bool(w, "terminated", done);
    jsonw_str(w, "outcome", pra_termination_name(t->call.outcome));
    jsonw_int(w, "ended", (int64_t)t->call.ended);
    if (t->pending)
        jsonw_bool(w, "pending", true);
    ctx_json(ctx, 200);
}

static void set_failure(const struct termination *t, struct fault *f)
{
    static const struct {
        enum fault_code code;
        const char *words;
    } rows[PRA_NTERMINATIONS] = {
        [PRA_TERMINATE_ERROR] = {FAULT_PRA_ERROR, "the site did not end the session"},
        [PRA_TERMINATE_REFUSED] = {FAULT_PRA_REFUSED, "the site does not permit the account to end sessions"},
        [PRA_TERMINATE_UNAVAILABLE] = {FAULT_PRA_UNAVAILABLE,
                                       "the site could not be asked to end the session"},
        [PRA_TERMINATE_LOST] = {FAULT_DEADLINE_EXCEEDED,
                                "the site's answer was lost or late: the session may have been ended"},
    };

    fault_set(f, rows[t->call.outcome].code, "%s (%s); the lease is released, end the session in the console",
              rows[t->call.outcome].words, t->call.text);
    f->retry_after_s = (unsigned)((t->call.retry_after_ms + 999) / 1000);
    f->has_released = true;
    f->released = t->released;
}

static void finish_both(struct termination *t)
{
    struct audit_note note;
    struct fault f;

    if (!t->released_known || !t->site_known)
        return;
    begin_record(&note, t, pra_termination_name(t->call.outcome));
    audit_write(&note);
    if (t->ctx && (t->call.outcome == PRA_TERMINATE_DONE || t->call.outcome == PRA_TERMINATE_ALREADY_ENDED)) {
        answer_terminated(t);
    } else if (t->ctx) {
        set_failure(t, &f);
        ctx_fail(t->ctx, &f);
    }
    termination_free(t);
}

/* ---- the two halves ---- */

static void on_released(void *arg, const struct release_answer *released)
{
    struct termination *t = arg;

    t->release = NULL;
    t->released_known = true;
    if (!released->fault) {
        t->released = released->released;
        t->pending = released->pending;
    }
    finish_both(t);
}

static void on_terminated(struct pra_termination *call)
{
    struct termination *t = CONTAINER_OF(call, struct termination, call);

    t->site_known = true;
    finish_both(t);
}

static void fail_termination(struct termination *t, enum fault_code code, const char *words)
{
    struct fault f;

    fault_set(&f, code, "%s", words);
    if (t->ctx)
        ctx_fail(t->ctx, &f);
    termination_free(t);
}

/* The record that it was asked is written, or need not be. The site is asked first: without memory for its
 * call the lease is not touched. */
static void start_both(struct termination *t)
{
    struct gateway *gw = t->gateway;

    if (gw->draining) { /* since it was asked */
        struct audit_note note;
        begin_record(&note, t, pra_termination_name(PRA_TERMINATE_UNAVAILABLE));
        audit_write(&note);
        fail_termination(t, FAULT_DRAINING, "the gateway is shutting down; nothing was done");
        return;
    }
    t->call.done = on_terminated;
    t->call.timeout_ms = t->timeout_ms;
    (void)text_copy(t->call.lsid, sizeof(t->call.lsid), t->session.key);
    if (pra_site_terminate(gw->site, &t->call)) {
        fail_termination(t, FAULT_INTERNAL, "out of memory; nothing was done");
        return;
    }
    t->release = broker_release_lease(gw->broker, t->lease_id, t->timeout_ms, on_released, t);
    t->released_known = !t->release;
}

static void on_recorded(struct audit_wait *wait, int err)
{
    struct termination *t = CONTAINER_OF(wait, struct termination, recorded);
    struct fault f;

    if (audit_verdict(t->gateway->audit, err) == AUDIT_GO) {
        start_both(t);
        return;
    }
    audit_fault(&f);
    fail_termination(t, f.code, f.detail);
}

/* ---- the request ---- */

/* In the order of docs/api.md. */
static bool may_terminate(struct request_context *ctx, const char *id, struct lease_session *session,
                          struct fault *f)
{
    const struct gateway *gw = ctx->gateway;

    if (strlen(id) >= ID_SIZE || !broker_lease_session(gw->broker, id, session))
        fault_set(f, FAULT_NOT_FOUND,
                  "there is no such lease, or it has ended; a session that goes on is to be "
                  "ended in the console");
    else if (!gw->site || !gw->conf->npras || !gw->conf->pras[0].terminate)
        fault_set(f, FAULT_UNSUPPORTED,
                  "sessions cannot be ended from here: set terminate = yes in [pra NAME]");
    else if (!*session->key)
        fault_set(f, FAULT_SESSION_NOT_TERMINABLE,
                  "the lease has no session id of the site (session.lsid); release it without terminate");
    else
        return true;
    return false;
}

static struct termination *termination_new(struct request_context *ctx, const char *id,
                                           const struct lease_session *session)
{
    struct termination *t = calloc(1, sizeof(*t));
    uint64_t call_ms = ctx->gateway->conf->pras[0].call_timeout_ms;
    struct session by = {0};

    if (!t)
        return NULL;
    t->gateway = ctx->gateway;
    t->ctx = ctx;
    t->session = *session;
    t->recorded.done = on_recorded;
    t->timeout_ms = ctx->timeout_ms < call_ms ? ctx->timeout_ms : call_ms;
    (void)text_copy(t->lease_id, sizeof(t->lease_id), id);
    (void)text_copy(t->client, sizeof(t->client), ctx->client->conf->name);
    (void)text_copy(t->request_id, sizeof(t->request_id), ctx->request_id);
    ctx_origin(ctx, &by);
    t->has_peer = by.has_peer;
    t->peer_uid = by.peer_uid;
    t->peer_user = by.peer_user;
    ctx->termination = t;
    ctx->left = on_context_end;
    TAILQ_INSERT_TAIL(&ctx->gateway->terminations, t, link);
    return t;
}

void terminate_start(struct request_context *ctx, const char *lease_id)
{
    struct lease_session session = {.lsid = ""};
    struct audit_note note;
    struct fault f;

    if (!may_terminate(ctx, lease_id, &session, &f)) {
        ctx_fail(ctx, &f);
        return;
    }
    struct termination *t = termination_new(ctx, lease_id, &session);

    if (!t) {
        fault_set(&f, FAULT_INTERNAL, "out of memory; nothing was done");
        ctx_fail(ctx, &f);
        return;
    }
    begin_record(&note, t, "asked");
    int verdict = audit_await(&note, &t->recorded);

    if (verdict == AUDIT_WAIT)
        return;
    if (verdict == AUDIT_GO) {
        start_both(t);
        return;
    }
    audit_fault(&f);
    fail_termination(t, f.code, f.detail);
}
