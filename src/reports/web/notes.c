/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes.c - audit records of who looked at what.
 *
 * An answer with records of persons follows its audit record: with the policy `strict` only when the record
 * is on disk, with `degraded` also when it could not be had in time; it then follows.
 *
 * What the page asks again on its own (X-Jumpgate-Refresh: 1) is no view, as far as the same address was
 * viewed in the same session: the header alone hides nothing.
 */
#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"
#include "reports/web/web_internal.h"

#include <errno.h>
#include <string.h>

#define TEXT_MAX 1024

static void begin(struct note *n, const char *event)
{
    n->buf = BUF_INIT(AUDIT_MEMBERS_MAX);
    n->w = jsonw_start(&n->buf);
    jsonw_object(&n->w, NULL);
    jsonw_str(&n->w, "event", event);
}

void note_begin(struct note *n, struct web_request *r, const char *event)
{
    n->request = r;
    begin(n, event);
    note_text(n, r->route->access == ACCESS_READER ? "reader" : "user", r->name);
    note_text(n, "peer", r->network);
    note_text(n, "request_id", r->id);
}

void note_text(struct note *n, const char *name, const char *value)
{
    if (value && *value)
        jsonw_strn(&n->w, name, value, utf8_fit(value, TEXT_MAX));
}

void note_number(struct note *n, const char *name, int64_t value)
{
    jsonw_int(&n->w, name, value);
}

void note_bool(struct note *n, const char *name, bool value)
{
    jsonw_bool(&n->w, name, value);
}

/* Hands it over; the sink wants the inside of the object. */
static int put(struct web *web, struct note *n, unsigned flags, struct audit_wait *wait)
{
    int err = -ENOMEM;

    jsonw_end(&n->w);
    if (!n->buf.failed)
        err = web->audit->ops->put(web->audit, n->buf.data + 1, n->buf.len - 2, flags, wait);
    buf_free(&n->buf);
    return err;
}

void note_write(struct note *n)
{
    struct web *web = n->request->web;

    if (!web->audit)
        buf_free(&n->buf);
    else if (put(web, n, AUDIT_KEEP, NULL))
        log_error("audit_record_lost", "request_id=%s", n->request->id);
}

static bool is_strict(const struct web *web)
{
    return web->conf->reports.audit_policy == REPORTS_AUDIT_STRICT;
}

bool notes_possible(const struct web *web)
{
    struct audit_state state = {.writable = true};

    if (!web->audit || !is_strict(web))
        return true;
    web->audit->ops->state(web->audit, &state);
    return state.writable;
}

static void after_record(struct web_request *r, int err)
{
    void (*left)(struct web_request *) = r->left;

    if (!err || !is_strict(r->web)) {
        r->recorded(r);
        return;
    }
    web_fail_with(r, PROBLEM_AUDIT_UNAVAILABLE,
                  "the audit trail cannot be written, and audit_policy is strict");
    if (left)
        left(r);
}

static void on_record(struct audit_wait *wait, int err)
{
    struct web_request *r = CONTAINER_OF(wait, struct web_request, wait);

    r->waiting = false;
    after_record(r, err);
}

void note_await(struct note *n, void (*recorded)(struct web_request *))
{
    struct web_request *r = n->request;
    int err = 0;

    r->recorded = recorded;
    r->wait = (struct audit_wait){.done = on_record};
    if (!r->web->audit) {
        buf_free(&n->buf);
        recorded(r);
        return;
    }
    r->waiting = true;
    err = put(r->web, n, is_strict(r->web) ? 0 : AUDIT_KEEP, &r->wait);
    if (!err)
        return;
    r->waiting = false;
    after_record(r, err);
}

bool note_is_refresh(const struct web_request *r)
{
    const char *sent = http_header(r->req, "X-Jumpgate-Refresh");
    const struct web_session *session = web_request_session(r);

    return sent && strcmp(sent, "1") == 0 && session && web_session_has_viewed(session, r->address);
}
