/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pra_events.c - POST /v1/events/pra: an event that the PRA site sends when a session begins or ends.
 *
 *   head:     configured (404) -> method (405) -> token and address (401) -> length (411; too long: 200)
 *   message:  the form -> what the event does -> 200
 *
 * The site sends its events in order and repeats one until it gets 200. So 200 means "never send this again":
 * a form that cannot be read is answered 200 as well, and only what may succeed later is refused. The answer
 * to an end waits until the ends are durable, and for nothing else: no vault and no site is asked before.
 *
 * The sender is known by its token, in the URL or in a header, and by its address; no [client] is needed. An
 * event has no place among the operations and no rate, since a lost one would cost its leases their early
 * end.
 *
 * Not here: the form (event_form.c), what the end of a session does (broker.h), the counts (pra_site.h).
 */
#include "base/address.h"
#include "base/container_of.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/text.h"
#include "handlers/event_form.h"
#include "handlers/gateway.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_HEADER "X-Jumpgate-Event-Token"
#define TOKEN_NAME   "token="
#define BODY_MAX     (1024 * 1024) /* taken of a body without a length, to answer it in any case */
#define NOTE_MS      60000

/* ---- the sender ---- */

/* The tokens of a request. */
struct shown {
    size_t query, headers; /* how many */
    bool wrong;            /* one of them is */
    int err;               /* -ENOMEM: one could not be read */
};

static void compare_token(const struct conf_digests *known, const char *token, struct shown *shown)
{
    uint8_t hash[DIGEST_SIZE] = {0};
    int err = digest_sha256(token, strlen(token), hash);
    bool match = false;

    for (size_t i = 0; i < known->n; i++)
        match |= bytes_equal(hash, known->sha256[i], DIGEST_SIZE);
    wipe(hash, sizeof(hash));
    if (err)
        shown->err = err;
    else if (!match)
        shown->wrong = true;
}

/* Each `token=` of the query, decoded. */
static void compare_query(const struct conf_digests *known, const char *query, struct shown *shown)
{

    for (const char *p = query; p && *p; p += strcspn(p, "&"), p += *p == '&') {
        size_t n = strcspn(p, "&"), skip = sizeof(TOKEN_NAME) - 1;
        char *token;

        if (n < skip || memcmp(p, TOKEN_NAME, skip) != 0)
            continue;
        shown->query++;
        token = strndup(p + skip, n - skip);
        if (!token) {
            shown->err = -ENOMEM;
            continue;
        }
        if (text_url_decode(token, true))
            compare_token(known, token, shown);
        else
            shown->wrong = true;
        wipe(token, n - skip); /* all of it: decoding makes it shorter */
        free(token);
    }
}

/* 0, -EACCES, -ENOMEM. A wrong token is wrong, whatever the other one is. */
static int check_token(const struct conf_digests *known, const struct http_req *req)
{
    struct shown shown = {.headers = http_header_count(req, TOKEN_HEADER)};

    compare_query(known, req->query, &shown);
    if (shown.headers == 1)
        compare_token(known, http_header(req, TOKEN_HEADER), &shown);
    if (shown.wrong || shown.headers > 1 || shown.query > 1 || shown.query + shown.headers == 0)
        return -EACCES;
    return shown.err;
}

/* The peer is the socket's: "192.0.2.7:41022", "[2001:db8::1]:41022". */
static bool address_right(const struct conf_list *networks, const struct http_peer *peer)
{
    char why[ADDRESS_WHY_SIZE], ip[ADDRESS_HOST_SIZE];
    struct address_network network;
    uint16_t port;

    if (!networks->n)
        return true;
    if (peer->is_unix || address_split(peer->address, ip, &port, why))
        return false;
    for (size_t i = 0; i < networks->n; i++)
        if (!address_network(networks->item[i], &network, why) && address_in_network(&network, ip))
            return true;
    return false;
}

/* ---- refused and malformed events ---- */

/* Logged at the first one, then once a minute: the site's queue stands still until it is put right. */
static void write_refused(struct pra_events *events)
{
    if (events->refused)
        log_warn("pra_events_refused", "events=%" PRIu64 " last_peer=%s hint=%s", events->refused,
                 events->refused_peer,
                 "no right events token, or an address outside events_from; the site holds its events back "
                 "until this is put right");
    events->refused = 0;
}

static void write_malformed(struct pra_events *events)
{
    struct audit_note note;

    if (!events->malformed)
        return;
    audit_note(&note, events->audit, "pra_event_malformed");
    audit_text(&note, "peer", events->malformed_peer);
    audit_text(&note, "why", events->malformed_why);
    audit_number(&note, "count", (int64_t)events->malformed);
    audit_write(&note);
    events->malformed = 0;
}

/* Writes what was counted, and counts on for a minute if there was anything. */
static void count_on(struct pra_events *events, struct deadline *end, uint64_t count,
                     void (*write)(struct pra_events *), void (*done)(struct deadline *))
{
    write(events);
    if (count && timer_start(events->timers, end, NOTE_MS, done))
        return; /* without memory each one is written */
}

static void on_refused_end(struct deadline *d)
{
    struct pra_events *events = CONTAINER_OF(d, struct pra_events, refused_end);

    count_on(events, d, events->refused, write_refused, on_refused_end);
}

static void on_malformed_end(struct deadline *d)
{
    struct pra_events *events = CONTAINER_OF(d, struct pra_events, malformed_end);

    count_on(events, d, events->malformed, write_malformed, on_malformed_end);
}

void pra_events_init(struct pra_events *events, struct timers *timers, struct audit *audit)
{
    *events = (struct pra_events){.timers = timers, .audit = audit};
}

void pra_events_end(struct pra_events *events)
{
    timer_stop(events->timers, &events->refused_end);
    timer_stop(events->timers, &events->malformed_end);
    write_refused(events);
    write_malformed(events);
}

static void note_refused(struct gateway *gw, const struct http_peer *peer)
{
    struct pra_events *events = &gw->events;

    events->refused++;
    (void)text_copy(events->refused_peer, sizeof(events->refused_peer), peer->address);
    if (!timer_running(&events->refused_end))
        count_on(events, &events->refused_end, events->refused, write_refused, on_refused_end);
}

static void note_malformed(struct gateway *gw, const struct http_peer *peer, const char *why)
{
    struct pra_events *events = &gw->events;

    log_warn("pra_event_malformed", "peer=%s why=%s", peer->address, why);
    events->malformed++;
    (void)text_copy(events->malformed_peer, sizeof(events->malformed_peer), peer->address);
    (void)text_copy(events->malformed_why, sizeof(events->malformed_why), why);
    if (!timer_running(&events->malformed_end))
        count_on(events, &events->malformed_end, events->malformed, write_malformed, on_malformed_end);
}

/* ---- answers ---- */

static void answer_malformed(struct request_context *ctx, enum pra_event_kind kind, const char *why)
{
    struct jsonw *w = ctx_object(ctx);
    char detail[EVENT_WHY_SIZE + 80];

    pra_site_event(ctx->gateway->site, kind, PRA_EVENT_MALFORMED);
    note_malformed(ctx->gateway, ctx->req->peer, why);
    (void)snprintf(detail, sizeof(detail), "%s; see the recipient under Outbound Events at the site", why);
    jsonw_bool(w, "accepted", false);
    jsonw_str(w, "code", "invalid_request");
    jsonw_str(w, "detail", detail);
    ctx_json(ctx, 200);
}

static void answer_accepted(struct request_context *ctx, enum pra_event_kind kind, size_t ended)
{
    struct jsonw *w = ctx_object(ctx);

    pra_site_event(ctx->gateway->site, kind,
                   kind == PRA_EVENT_OTHER ? PRA_EVENT_IGNORED : PRA_EVENT_ACCEPTED);
    jsonw_bool(w, "accepted", true);
    jsonw_str(w, "event", pra_event_name(kind));
    if (kind == PRA_EVENT_OTHER)
        jsonw_bool(w, "ignored", true);
    jsonw_int(w, "ended", (int64_t)ended);
    ctx_json(ctx, 200);
}

/* ---- the head ---- */

/* Both are looked at, whatever the first one is. 0, -EACCES, -ENOMEM. */
static int check_sender(const struct gateway *gw, const struct http_req *req)
{
    const struct conf_pra *site = &gw->conf->pras[0];
    int err = check_token(&site->events_token, req);
    bool address = address_right(&site->events_from, req->peer);

    return address ? err : -EACCES;
}

bool pra_events_served(const struct gateway *gw)
{
    return gw->site && gw->conf->npras && gw->conf->pras[0].events_token.n;
}

int64_t pra_events_head(struct request_context *ctx)
{
    struct gateway *gw = ctx->gateway;
    const struct http_req *req = ctx->req;
    uint64_t max = gw->conf->gateway.max_body;
    struct fault f;

    ctx->timeout_ms = gw->conf->gateway.request_timeout_ms;
    int err = check_sender(gw, req);
    if (err == -ENOMEM) {
        pra_site_event(gw->site, PRA_EVENT_NONE, PRA_EVENT_UNAVAILABLE);
        (void)admission_unread_caller(&f);
        ctx_fail(ctx, &f);
        return -1;
    }
    if (err) {
        pra_site_event(gw->site, PRA_EVENT_NONE, PRA_EVENT_REFUSED);
        note_refused(gw, req->peer);
        (void)admission_refuse_caller(
            ctx, "the events token is missing or wrong, or the address is not in events_from", &f);
        ctx_fail(ctx, &f);
        return -1;
    }
    http_known(req);
    if (req->content_length < 0 && !req->chunked) {
        fault_set(&f, FAULT_LENGTH_REQUIRED, "send Content-Length, or Transfer-Encoding: chunked");
        ctx_fail(ctx, &f);
        return -1;
    }
    if (req->content_length > 0 && (uint64_t)req->content_length > max) {
        ctx->close_after = true;
        answer_malformed(ctx, PRA_EVENT_NONE, "the body is longer than max_body");
        return -1;
    }
    return req->chunked ? BODY_MAX : (int64_t)max;
}

/* ---- the message ---- */

static void on_session_ended(void *arg, const struct session_ended_answer *answer)
{
    struct request_context *ctx = arg;
    size_t ended = answer->ended;

    if (answer->fault)
        pra_site_event(ctx->gateway->site, PRA_EVENT_END, PRA_EVENT_UNAVAILABLE);
    else
        pra_site_count_ended(ctx->gateway->site, PRA_END_EVENT, ended);
    if (ctx_succeeded(ctx, answer->fault))
        answer_accepted(ctx, PRA_EVENT_END, ended);
}

static void end_session(struct request_context *ctx, const char *lsid)
{
    const struct session_ended_args args = {.lsid = lsid,
                                            .source = SESSION_END_EVENT,
                                            .site = ctx->gateway->conf->pras[0].name,
                                            .timeout_ms = ctx->timeout_ms};

    ctx_wait(ctx, broker_session_ended(ctx->gateway->broker, &args, on_session_ended, ctx));
}

static bool is_draining(struct request_context *ctx, const struct event_form *form)
{
    struct fault f;

    if (!ctx->gateway->draining)
        return false;
    pra_site_event(ctx->gateway->site, form->kind, PRA_EVENT_UNAVAILABLE);
    fault_set(&f, FAULT_DRAINING, "the gateway is shutting down; send the event again");
    ctx_fail(ctx, &f);
    return true;
}

static void take_event(struct request_context *ctx, const struct event_form *form)
{
    const char *lsid = form->value[EVENT_LSID];
    char key[LSID_SIZE];

    if (is_draining(ctx, form))
        return;
    if (form->kind == PRA_EVENT_BEGIN)
        log_info("pra_session_began", "lsid=%s appliance_id=%s", lsid, form->value[EVENT_APPLIANCE]);
    if (form->kind != PRA_EVENT_END)
        answer_accepted(ctx, form->kind, 0);
    else if (!lsid || !lsid_normal(lsid, key))
        answer_malformed(ctx, PRA_EVENT_END,
                         lsid ? "the field `lsid` is no session id (32 hex digits)"
                              : "an end of a session without the field `lsid`");
    else
        end_session(ctx, key);
}

void pra_events_start(struct request_context *ctx, const union route_args *args)
{
    const struct http_req *req = ctx->req;
    char why[EVENT_WHY_SIZE] = "";
    struct event_form form = {.kind = PRA_EVENT_NONE};
    struct fault f;

    (void)args;
    if (req->body_len > ctx->gateway->conf->gateway.max_body) {
        ctx->close_after = true;
        answer_malformed(ctx, PRA_EVENT_NONE, "the body is longer than max_body");
        return;
    }
    if (event_form_read(&form, req->body, req->body_len, http_header(req, "Content-Type"), why)) {
        take_event(ctx, &form);
    } else if (form.no_memory) { /* may succeed later: the site keeps the event */
        pra_site_event(ctx->gateway->site, PRA_EVENT_NONE, PRA_EVENT_UNAVAILABLE);
        fault_set(&f, FAULT_INTERNAL, "out of memory; send the event again");
        ctx_fail(ctx, &f);
    } else {
        answer_malformed(ctx, form.kind, why);
    }
    event_form_free(&form);
}
