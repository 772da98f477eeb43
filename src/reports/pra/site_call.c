/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_call.c - the life of one call to a site.
 *
 *   new --send--> the client's call --answered--> end
 *                    ^        |   \
 *                    +- again +    +-- an archive --> whole() --> end, later
 *
 * A call is in site->calls from its start to its end, or to its cancellation. One that is cancelled while the
 * thread reads its archive lives on without an owner until the thread is done. What a kind of call does in
 * addition is in three functions of the call, given by site_ask.c.
 *
 * Not here: the texts of requests (site_ask.c), archives (site_spool.c), what an answer means (outcomes.c).
 */
#include "reports/pra/site_internal.h"

#include "base/container_of.h"
#include "base/text.h"
#include "reports/pra/outcomes.h"
#include "reports/pra/read_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- records ---- */

static void give(void *ctx, struct report_batch *batch)
{
    struct site_call *c = ctx;

    if (c->call && c->call->sink->batch)
        c->call->sink->batch(c->call, batch);
}

static void refused(void *ctx, const char *lsid, const char *why)
{
    struct site_call *c = ctx;

    if (c->call && c->call->sink->refused)
        c->call->sink->refused(c->call, lsid, why);
}

/* ---- the answer ---- */

void site_call_free(struct site_call *c)
{
    TAILQ_REMOVE(&c->site->calls, c, link);
    if (c->call)
        c->call->inside = NULL;
    if (c->http.client)
        pra_client_cancel(&c->http);
    xml_reading_free(&c->reading);
    batch_free(&c->out);
    if (c->release)
        c->release(c);
    buf_free(&c->target);
    buf_free(&c->form);
    free(c);
}

void site_call_end(struct site_call *c)
{
    struct report_call *call = c->call;
    struct report_outcome outcome;

    batch_flush(&c->out);
    c->outcome.rows = c->out.rows;
    c->outcome.refused += c->reading.nrefused;
    c->outcome.texts_cut = c->reading.ncut;
    outcome = c->outcome;
    site_call_free(c);
    if (call)
        call->sink->ended(call, &outcome);
}

static void take_info(struct site_call *c)
{
    const struct pra_info *from = &c->http.answer.info;
    struct record_pair permissions[PRA_PERMISSIONS_MAX];
    struct report_info info = {.api_version = from->api_version,
                               .has_time = from->has_time,
                               .time_ms = from->time_ms,
                               .permissions = permissions,
                               .npermissions = from->npermissions};

    for (size_t i = 0; i < from->npermissions; i++)
        permissions[i] = (struct record_pair){from->permissions[i].name, from->permissions[i].value};
    outcome_grants(info.grants, from);
    if (c->call->sink->info)
        c->call->sink->info(c->call, &info);
}

static void take_page(struct site_call *c)
{
    const struct pra_answer *answer = &c->http.answer;
    struct page_outcome page;

    report_page_read(c->page_kind, &answer->page, &c->out, &page);
    c->outcome.refused += page.unusable;
    c->outcome.last = answer->last_page ? c->page >= answer->last_page : page.rows < REPORT_PAGE_ROWS;
    if (!page.err)
        return;
    c->outcome.end = page.err == -ENOMEM ? REPORT_NO_MEMORY : REPORT_FORMAT;
    text_copy(c->outcome.text, sizeof(c->outcome.text), page.why ? page.why : "");
}

/* The Configuration API does not know a parameter: once more without those that can be left out. True: it is
 * sent again. */
static bool repeats_bare(struct site_call *c)
{
    if (c->ask != REPORT_ASK_PAGE || c->bare || c->http.result.fault != PRA_SITE_ERROR ||
        c->http.result.status != 401)
        return false;
    c->bare = true;
    buf_clear(&c->target);
    if (c->retarget(c))
        return false;
    c->http.own.target = buf_cstr(&c->target);
    return c->http.own.target && pra_client_call(c->site->client, &c->http) == 0;
}

static void note_time(struct site_call *c)
{
    const struct pra_call *http = &c->http;

    c->outcome.sent_ms = http->began_wall_ms;
    c->outcome.took_ms = http->took_ms;
    c->outcome.has_date = http->has_date;
    c->outcome.date_ms = http->date_ms;
}

static void on_done(struct pra_call *http)
{
    struct site_call *c = CONTAINER_OF(http, struct site_call, http);
    bool good = http->result.fault == PRA_OK;

    if (repeats_bare(c))
        return;
    note_time(c);
    outcome_take(&c->outcome, c->ask, c->page_kind, &http->result);
    if (c->spool.err) {
        c->outcome.end = c->spool.err == -ENOMEM ? REPORT_NO_MEMORY : REPORT_NO_SPOOL;
        text_copy(c->outcome.text, sizeof(c->outcome.text), strerror(-c->spool.err));
        good = false;
    }
    if (good && http->archive) {
        pra_call_free(http);
        c->whole(c);
        return;
    }
    if (good && c->ask == REPORT_ASK_SYSLOG)
        c->outcome.end = REPORT_FORMAT;
    if (good && c->ask == REPORT_ASK_PAGE)
        take_page(c);
    if (good && c->ask == REPORT_ASK_INFO)
        take_info(c);
    site_call_end(c);
}

int site_call_new(struct site *site, struct report_call *call, enum report_ask ask, struct site_call **out)
{
    struct site_call *c;

    if (site->closing)
        return -ESHUTDOWN;
    if (call->inside)
        return -EBUSY;
    c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    *c = (struct site_call){.site = site,
                            .ask = ask,
                            .target = BUF_INIT(1024),
                            .form = BUF_INIT(65536),
                            .out = {.give = give, .ctx = c},
                            .reading = {.out = &c->out, .refused = refused, .ctx = c},
                            .spool = {.fd = -1}};
    c->call = call;
    TAILQ_INSERT_TAIL(&site->calls, c, link);
    *out = c;
    return 0;
}

static enum pra_urgency urgency_of(enum report_urgency urgency)
{
    static const enum pra_urgency as[] = {[REPORT_LIVE] = PRA_LIVE,
                                          [REPORT_FETCH] = PRA_BACKGROUND,
                                          [REPORT_BACKFILL] = PRA_BACKFILL,
                                          [REPORT_REST] = PRA_LAST};

    return as[urgency];
}

int site_call_send(struct site_call *c)
{
    struct report_call *call = c->call;
    struct pra_own *own = &c->http.own;
    int err = -ENOMEM;

    own->target = buf_cstr(&c->target);
    own->form = c->form.len ? buf_cstr(&c->form) : NULL;
    own->urgency = urgency_of(call->urgency);
    if (c->http.kind == PRA_CALL_REPORT || c->http.kind == PRA_CALL_ARCHIVE) {
        own->reader = &xml_reading_reader;
        own->ctx = &c->reading;
    }
    c->http.stall_ms = c->site->stall_ms;
    c->http.done = on_done;
    if (own->target && !c->target.failed && !c->form.failed && (own->form || !c->form.len))
        err = pra_client_call(c->site->client, &c->http);
    if (err) {
        site_call_free(c);
        return err;
    }
    call->site = &c->site->base;
    call->inside = c;
    return 0;
}
