/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c - audit records and the policy; see audit.h.
 *
 * A note is built like an answer, member by member, and given to the sink as it is. If there is no memory for
 * it, or it is too long in spite of the cuts, a record of the event alone takes its place, so that the event
 * is not lost.
 *
 * Refused strangers are counted, since a thousand connections a second must not fill the disk: the first is
 * written at once, those of the following minute as one record at its end.
 */
#include "broker/audit.h"

#include "audit/audit_chain.h"
#include "base/container_of.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MS   60000
#define PEER_SIZE  64
#define USUAL_NOTE 500 /* bytes of members: hardly a record has more */

#define AUDIT_NODE_SIZE 64
#define AUDIT_BARE_SIZE 192

struct audit {
    struct audit_sink *sink;
    struct timers *timers;
    enum conf_audit_policy policy;
    char node[AUDIT_NODE_SIZE]; /* "" = none */
    char bare[AUDIT_BARE_SIZE]; /* the record of an event that could not be written */
    struct deadline count_end;
    uint64_t strangers;
    char listener[PEER_SIZE], peer[PEER_SIZE]; /* of the last one */
};

/* ---- notes ---- */

void audit_note(struct audit_note *n, struct audit *a, const char *event)
{
    n->audit = a;
    n->buf = BUF_INIT(AUDIT_MEMBERS_MAX);
    n->w = jsonw_start(&n->buf);
    if (!a || buf_reserve(&n->buf, USUAL_NOTE))
        return;
    jsonw_object(&n->w, NULL);
    jsonw_str(&n->w, "event", event);
    if (*a->node)
        jsonw_str(&n->w, "node", a->node);
}

void audit_text(struct audit_note *n, const char *name, const char *value)
{
    if (n->audit && value && *value)
        jsonw_strn(&n->w, name, value, strnlen(value, AUDIT_TEXT_MAX));
}

void audit_count(struct audit_note *n, const char *name, int64_t value)
{
    if (n->audit)
        jsonw_int(&n->w, name, value);
}

void audit_number(struct audit_note *n, const char *name, int64_t value)
{
    if (value)
        audit_count(n, name, value);
}

void audit_moment(struct audit_note *n, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];

    if (wall_ms > 0)
        audit_text(n, name, clock_rfc3339_ms(wall_ms, text));
}

void audit_url(struct audit_note *n, const char *name, const char *url)
{
    const char *scheme_end = url ? strstr(url, "://") : NULL;
    char text[AUDIT_TEXT_MAX];

    if (!n->audit || !scheme_end)
        return;
    const char *host = scheme_end + 3;
    size_t scheme = (size_t)(host - url), authority = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', authority);
    if (at) {
        authority -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    size_t rest = authority + strcspn(host + authority, "?#");
    if (scheme + rest >= sizeof(text))
        rest = authority; /* the place at least */
    if (scheme + rest >= sizeof(text))
        return;
    memcpy(text, url, scheme);
    memcpy(text + scheme, host, rest);
    text[scheme + rest] = '\0';
    audit_text(n, name, text);
}

void audit_session(struct audit_note *n, const struct session *s)
{
    if (!s)
        return;
    audit_text(n, "client", s->client);
    audit_text(n, "request_id", s->request_id);
    audit_text(n, "trace_id", s->trace_id);
    if (s->has_peer) {
        audit_count(n, "peer_uid", (int64_t)s->peer_uid);
        audit_text(n, "peer_user", s->peer_user);
    }
    audit_text(n, "user", s->username);
    audit_text(n, "domain", s->domain);
    audit_text(n, "session", s->id);
    audit_text(n, "lsid", session_lsid(s));
}

void audit_outcome(struct audit_note *n, const struct fault *f)
{
    if (!f || !fault_is_set(f)) {
        audit_text(n, "outcome", "ok");
        return;
    }
    audit_text(n, "outcome", "refused");
    audit_text(n, "code", fault_row(f->code)->code);
    audit_number(n, "vault_status", f->vault_status);
    audit_number(n, "vault_code", f->vault_code);
}

/* The members without the braces, or the event alone where they could not be had. */
static int put_record(const struct audit_note *n, unsigned flags, struct audit_wait *wait)
{
    const char *bare = n->audit->bare;
    struct audit_sink *sink = n->audit->sink;

    if (n->buf.failed || n->buf.len <= 2)
        return sink->ops->put(sink, bare, strlen(bare), flags, wait);
    return sink->ops->put(sink, n->buf.data + 1, n->buf.len - 2, flags, wait);
}

void audit_write(struct audit_note *n)
{
    if (n->audit) {
        jsonw_end(&n->w);
        (void)put_record(n, AUDIT_KEEP, NULL); /* what does not fit is counted by the sink */
    }
    buf_free(&n->buf);
}

static int await_record(struct audit_note *n, struct audit_wait *wait, bool strict)
{
    int err;

    if (!n->audit)
        return AUDIT_GO;
    jsonw_end(&n->w);
    if (strict && (n->buf.failed || n->buf.len <= 2))
        err = -ENOMEM;
    else
        err = put_record(n, strict ? 0 : AUDIT_KEEP, wait);
    if (err && !strict)
        (void)put_record(n, AUDIT_KEEP, NULL);
    buf_free(&n->buf);
    return !err ? AUDIT_WAIT : strict ? err : AUDIT_GO;
}

int audit_await(struct audit_note *n, struct audit_wait *wait)
{
    return await_record(n, wait, audit_is_strict(n->audit));
}

int audit_write_await(struct audit_note *n, struct audit_wait *wait)
{
    return await_record(n, wait, false);
}

int audit_verdict(const struct audit *a, int err)
{
    return audit_is_strict(a) ? err : AUDIT_GO;
}

void audit_unwait(struct audit *a, struct audit_wait *wait)
{
    if (a)
        a->sink->ops->forget(a->sink, wait);
}

void audit_fault(struct fault *f)
{
    fault_set(
        f, FAULT_AUDIT_UNAVAILABLE,
        "the audit trail cannot be written, and audit_policy is strict: no audit, no check-out; /status "
        "says why");
}

/* ---- strangers ---- */

static void write_strangers(struct audit *a)
{
    struct audit_note n;

    if (!a->strangers)
        return;
    audit_note(&n, a, "authentication_failed");
    audit_text(&n, "outcome", "refused");
    audit_text(&n, "code", fault_row(FAULT_UNAUTHENTICATED)->code);
    audit_count(&n, "count", (int64_t)a->strangers);
    audit_text(&n, "listener", a->listener);
    audit_text(&n, "peer", a->peer);
    a->strangers = 0;
    audit_write(&n);
}

static void on_count_end(struct deadline *d)
{
    struct audit *a = CONTAINER_OF(d, struct audit, count_end);
    bool more = a->strangers > 0;

    write_strangers(a);
    if (more && timer_start(a->timers, &a->count_end, COUNT_MS, on_count_end))
        return; /* the next one is written at once */
}

void audit_stranger(struct audit *a, const char *listener, const char *peer)
{
    if (!a)
        return;
    a->strangers++;
    (void)text_copy(a->listener, sizeof(a->listener), listener);
    (void)text_copy(a->peer, sizeof(a->peer), peer);
    if (timer_running(&a->count_end))
        return;
    write_strangers(a);
    if (timer_start(a->timers, &a->count_end, COUNT_MS, on_count_end))
        return; /* without memory each one is written */
}

/* ---- life ---- */

struct audit *audit_new(const struct audit_opts *opts)
{
    struct audit *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->sink = opts->sink;
    a->timers = opts->timers;
    a->policy = opts->policy;
    (void)text_copy(a->node, sizeof(a->node), opts->node ? opts->node : "");
    (void)snprintf(a->bare, sizeof(a->bare), "\"event\":\"unrecorded\",%s%s%s\"error\":\"out of memory\"",
                   *a->node ? "\"node\":\"" : "", a->node, *a->node ? "\"," : "");
    return a;
}

void audit_free(struct audit *a)
{
    if (!a)
        return;
    write_strangers(a);
    timer_stop(a->timers, &a->count_end);
    free(a);
}

void audit_state(struct audit *a, struct audit_state *state)
{
    *state = (struct audit_state){.writable = true};
    if (a)
        a->sink->ops->state(a->sink, state);
}

bool audit_is_strict(const struct audit *a)
{
    return a && a->policy == AUDIT_STRICT;
}

bool audit_permits(struct audit *a)
{
    struct audit_state state;

    audit_state(a, &state);
    return state.writable || !audit_is_strict(a);
}
