/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_sim.c - ends of sessions, reports, events; see site_sim.h.
 *
 * A report shows an end up to SHOWN_LATE_MS after it: poll_overlap is there for that.
 */
#include "site_sim.h"

#include "callers.h"
#include "vault.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN       1000 /* added to a session's number: no lease has that lsid */
#define SHOWN_LATE_MS 40000
#define AGAIN_MS      5000 /* until an event is sent once more */
#define PATH          "/v1/events/pra"
#define FORM          "application/x-www-form-urlencoded"
#define XML           "text/xml"

struct site_end {
    STAILQ_ENTRY(site_end) link;
    unsigned session;
    uint64_t at_ms;
    int64_t at_s;      /* the site's clock */
    uint64_t shown_ms; /* from when on a report shows it; UINT64_MAX = never */
    bool judged;
};

struct site_event {
    STAILQ_ENTRY(site_event) link;
    struct site_sim *site;
    struct act act;
    unsigned node; /* to which it is sent next */
};

struct site_sim {
    struct world *world;
    uint64_t disturbed_ms;
    STAILQ_HEAD(, site_end) ends;
    STAILQ_HEAD(, site_event) queue; /* the first is on its way, or waits to be sent once more */
    STAILQ_HEAD(, site_event) later; /* not in the queue yet */
    bool sending;                    /* the first of the queue */
    size_t waiting;
    unsigned last_token;
};

void site_sim_lsid(unsigned session, char out[SITE_LSID_SIZE])
{
    (void)snprintf(out, SITE_LSID_SIZE, "%032x", session + 1);
}

void site_sim_disturbed(struct site_sim *s)
{
    s->disturbed_ms = s->world->now_ms;
}

uint64_t site_sim_calm_ms(const struct site_sim *s)
{
    return s->world->now_ms - s->disturbed_ms;
}

static int64_t site_wall_s(const struct site_sim *s)
{
    return world_wall(s->world) / 1000 + s->world->setup.site_ahead_s;
}

/* ---- ends ---- */

bool site_sim_ended(const struct site_sim *s, unsigned session)
{
    const struct site_end *e;

    STAILQ_FOREACH(e, &s->ends, link)
    if (e->session == session)
        return true;
    return false;
}

static bool is_shown(const struct site_sim *s, const struct site_end *e)
{
    return e->shown_ms <= s->world->now_ms;
}

void site_sim_shown(struct site_sim *s, uint64_t for_ms,
                    void (*fn)(void *arg, unsigned session, uint64_t at_ms), void *arg)
{
    struct site_end *e;

    STAILQ_FOREACH(e, &s->ends, link)
    if (!e->judged && is_shown(s, e) && s->world->now_ms - e->shown_ms >= for_ms) {
        e->judged = true;
        fn(arg, e->session, e->at_ms);
    }
}

static void add_end(struct site_sim *s, unsigned session, bool abnormal)
{
    struct site_end *e = calloc(1, sizeof *e);

    if (!e)
        abort();
    *e = (struct site_end){
        .session = session,
        .at_ms = s->world->now_ms,
        .at_s = site_wall_s(s),
        .shown_ms = abnormal ? UINT64_MAX : s->world->now_ms + rng_below(&s->world->rng, SHOWN_LATE_MS)};
    STAILQ_INSERT_TAIL(&s->ends, e, link);
    world_note(s->world, "site: session %u has ended%s", session, abnormal ? " without an end time" : "");
}

/* ---- events ---- */

static void send_first(struct site_sim *);

static void on_again(void *arg)
{
    send_first(arg);
}

static bool has_wrong_token(const struct site_event *e)
{
    return e->act.kind == ACT_SITE_EVENT && e->act.b % 6 == 4;
}

static void on_event_over(struct caller_op *op, void *arg)
{
    struct site_sim *s = arg;
    struct site_event *e = STAILQ_FIRST(&s->queue);

    if (op->status == 200 && has_wrong_token(e))
        world_fail(s->world, "request %u is an event with a wrong token, and is accepted", op->number);
    s->sending = false;
    e->node++; /* once more to another gateway */
    if (op->status == 200 || op->kind == ACT_SITE_EVENT) {
        STAILQ_REMOVE_HEAD(&s->queue, link);
        free(e);
        s->waiting--;
    }
    world_after(s->world, op->status == 200 ? 1 : AGAIN_MS, on_again, s);
}

static void write_event(const struct site_event *e, char form[160])
{
    static const char *const names[] = {"access_session_begin", "access_session_participant_joined",
                                        "access_session_end",   "access_session_end",
                                        "access_session_end",   "%zz"};
    unsigned which = e->act.kind == ACT_SESSION_END ? 2 : e->act.b % 6;
    bool unknown = e->act.kind == ACT_SITE_EVENT && which == 2;
    char lsid[SITE_LSID_SIZE];

    site_sim_lsid(e->act.a + (unknown ? UNKNOWN : 0), lsid);
    (void)snprintf(form, 160, "event=%s&timestamp=%" PRId64 "%s%s", names[which], site_wall_s(e->site),
                   which == 3 ? "" : "&lsid=", which == 3 ? "" : lsid);
}

/* An event with a wrong token is refused, and is another sender's: nothing sends it once more. */
static void send_first(struct site_sim *s)
{
    struct site_event *e = STAILQ_FIRST(&s->queue);
    char form[160];

    if (!e || s->sending)
        return;
    s->sending = true;
    write_event(e, form);
    s->world->to = &s->world->node[e->node % s->world->nnodes];
    callers_post(s->world->callers, &e->act,
                 has_wrong_token(e) ? PATH "?token=a-wrong-one" : PATH "?token=" SITE_EVENTS_TOKEN, FORM,
                 form, on_event_over, s);
}

static void on_later(void *arg)
{
    struct site_event *e = arg;
    struct site_sim *s = e->site;

    STAILQ_REMOVE(&s->later, e, site_event, link);
    STAILQ_INSERT_TAIL(&s->queue, e, link);
    send_first(s);
}

static void add_event(struct site_sim *s, const struct act *act, unsigned node, unsigned after_ms)
{
    struct site_event *e;

    if (s->world->setup.site != SITE_EVENTS && s->world->setup.site != SITE_BOTH)
        return;
    e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->site = s;
    e->act = *act;
    e->node = node;
    s->waiting++;
    STAILQ_INSERT_TAIL(&s->later, e, link);
    world_after(s->world, after_ms + 1, on_later, e);
}

size_t site_sim_waiting(const struct site_sim *s)
{
    return s->waiting;
}

/* ---- answers ---- */

enum vault_call_kind site_sim_kind(const struct vault_http *http)
{
    if (strstr(http->target, "/check_health") == http->target)
        return SITE_PROBE;
    if (strstr(http->target, "/oauth2"))
        return SITE_TOKEN;
    if (strcmp(http->method, "POST") == 0)
        return SITE_TERMINATE;
    if (strstr(http->target, "AccessSessionListing"))
        return SITE_LISTING;
    return strstr(http->target, "AccessSession") ? SITE_SESSION : SITE_COMMAND;
}

static void write_listing(const struct site_sim *s, const char *target, struct buf *to)
{
    const char *from = strstr(target, "end_time="), *length = strstr(target, "duration=");
    int64_t from_s = from ? strtoll(from + 9, NULL, 10) : 0,
            s_long = length ? strtoll(length + 9, NULL, 10) : 0;
    const struct site_end *e;
    size_t rows = 0;
    char lsid[SITE_LSID_SIZE];

    (void)buf_str(to, "<session_summary_list xmlns=\"http://www.example.test/reporting\">");
    STAILQ_FOREACH(e, &s->ends, link)
    if (is_shown(s, e) && e->at_s >= from_s && (!s_long || e->at_s < from_s + s_long)) {
        site_sim_lsid(e->session, lsid);
        (void)buf_printf(to, "<session_summary lsid=\"%s\"><x/></session_summary>", lsid);
        rows++;
    }
    (void)buf_str(to, "</session_summary_list>");
    counts_add(s->world->counts, 1, rows ? "site.listing_with_rows" : "site.listing_empty");
}

static unsigned session_in(const char *text)
{
    const char *lsid = strstr(text, "lsid=");

    return lsid ? (unsigned)strtoul(lsid + 5, NULL, 16) - 1 : UINT32_MAX;
}

static void write_session(const struct site_sim *s, const char *target, struct buf *to)
{
    unsigned session = session_in(target);
    const struct site_end *e;
    char lsid[SITE_LSID_SIZE];

    site_sim_lsid(session, lsid);
    (void)buf_printf(to, "<session_list><session lsid=\"%s\">", lsid);
    STAILQ_FOREACH(e, &s->ends, link)
    if (e->session == session && is_shown(s, e)) {
        (void)buf_printf(to, "<end_time timestamp=\"%" PRId64 "\">then</end_time>", e->at_s);
        break;
    }
    (void)buf_str(to, "</session></session_list>");
}

static void write_terminate(struct site_sim *s, const char *form, struct buf *to)
{
    unsigned session = session_in(form);

    if (session >= SETUP_SESSIONS || site_sim_ended(s, session)) {
        (void)buf_str(to, "<error>The session is not running.</error>");
        return;
    }
    add_end(s, session, false);
    (void)buf_str(to, "<success>Successfully terminated</success>");
}

static void write_command(const struct site_sim *s, const char *target, struct buf *to)
{
    if (strstr(target, "get_api_info"))
        (void)buf_printf(to,
                         "<get_api_info><api_version>1.25.0</api_version><timestamp>%" PRId64 "</timestamp>"
                         "<permissions><permission name=\"perm_command\">full_access</permission>"
                         "<permission name=\"perm_reporting_support\">1</permission></permissions>"
                         "</get_api_info>",
                         site_wall_s(s));
    else
        (void)buf_str(to, "<check_health><appliance id=\"1\"/><version>25.1</version><success>1</success>"
                          "<failover_role>none</failover_role></check_health>");
}

void site_sim_answer(struct site_sim *s, const struct vault_http *http, struct buf *answer)
{
    struct buf body = BUF_INIT((size_t)1 << 20);
    const char *type = XML;

    switch ((unsigned)site_sim_kind(http)) {
    case SITE_PROBE:
        type = "text/plain";
        (void)buf_str(&body, "1");
        break;
    case SITE_TOKEN:
        type = "application/json";
        (void)buf_printf(
            &body,
            "{\"access_token\":\"%u-token-of-the-site\",\"token_type\":\"Bearer\",\"expires_in\":3600}",
            ++s->last_token);
        break;
    case SITE_TERMINATE: write_terminate(s, http->body, &body); break;
    case SITE_LISTING: write_listing(s, http->target, &body); break;
    case SITE_SESSION: write_session(s, http->target, &body); break;
    default: write_command(s, http->target, &body);
    }
    vault_api_answer(answer, 200, type, "Connection: close\r\n", buf_cstr(&body));
    buf_free(&body);
}

/* ---- acts ---- */

void site_sim_act(struct site_sim *s, const struct act *act)
{
    if (s->world->setup.site == SITE_NONE)
        return;
    if (act->kind == ACT_SITE_EVENT) {
        add_event(s, act, s->world->to->number, act->c);
        return;
    }
    add_end(s, act->a, act->b & END_ABNORMAL);
    if (!(act->b & END_SILENT))
        add_event(s, act, s->world->to->number, act->c);
    if ((act->b & (END_SILENT | END_TWICE)) == END_TWICE)
        add_event(s, act, s->world->to->number + 1, 2 * act->c);
}

void site_sim_heal(struct site_sim *s)
{
    site_sim_disturbed(s);
}

/* ---- life ---- */

struct site_sim *site_sim_new(struct world *w)
{
    struct site_sim *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    s->world = w;
    s->disturbed_ms = w->now_ms;
    STAILQ_INIT(&s->ends);
    STAILQ_INIT(&s->queue);
    STAILQ_INIT(&s->later);
    return s;
}

void site_sim_free(struct site_sim *s)
{
    struct site_event *event;
    struct site_end *end;

    while ((event = STAILQ_FIRST(&s->queue))) {
        STAILQ_REMOVE_HEAD(&s->queue, link);
        free(event);
    }
    while ((event = STAILQ_FIRST(&s->later))) {
        STAILQ_REMOVE_HEAD(&s->later, link);
        free(event);
    }
    while ((end = STAILQ_FIRST(&s->ends))) {
        STAILQ_REMOVE_HEAD(&s->ends, link);
        free(end);
    }
    free(s);
}
