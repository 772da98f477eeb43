/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound.c - the queues of outbound events; see outbound.h.
 */
#include "pra-sim/outbound.h"

#include "base/container_of.h"
#include "base/text.h"
#include "sim/strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_INTERVAL_MS 10000
#define RETRY_DURATION_MS 86400000

void outbound_init(struct outbound *o, struct timers *timers)
{
    *o = (struct outbound){.timers = timers, .clock = timers_clock(timers), .next_id = 1};
}

static void event_free(struct outbound_event *e)
{
    free(e->form);
    free(e->content_type);
    free(e);
}

static void take_off(struct recipient *r)
{
    struct outbound_event *e = TAILQ_FIRST(&r->queue);

    TAILQ_REMOVE(&r->queue, e, link);
    r->queued--;
    event_free(e);
}

static void recipient_free(struct recipient *r)
{
    timer_stop(r->outbound->timers, &r->retry);
    while (r->queued)
        take_off(r);
    free(r->name);
    free(r->url);
    free(r->ca_file);
    free(r);
}

void outbound_free(struct outbound *o)
{
    for (size_t i = 0; i < o->recipients.n; i++)
        recipient_free(o->recipients.item[i]);
    vec_free(&o->recipients);
}

struct recipient *outbound_add(struct outbound *o, const char *name, const char *url)
{
    struct recipient *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    TAILQ_INIT(&r->queue);
    r->outbound = o;
    r->enabled = true;
    r->kinds = OUTBOUND_ALL;
    r->copies = 1;
    r->retry_interval_ms = RETRY_INTERVAL_MS;
    r->retry_duration_ms = RETRY_DURATION_MS;
    if (strings_replace(&r->name, name) || strings_replace(&r->url, url) || vec_push(&o->recipients, r)) {
        recipient_free(r);
        return NULL;
    }
    r->id = o->next_id++;
    return r;
}

struct recipient *outbound_find(const struct outbound *o, const char *name)
{
    for (size_t i = 0; i < o->recipients.n; i++) {
        struct recipient *r = o->recipients.item[i];
        if (strcmp(r->name, name) == 0)
            return r;
    }
    return NULL;
}

void outbound_remove(struct outbound *o, struct recipient *r)
{
    size_t i = 0;

    while (i < o->recipients.n && o->recipients.item[i] != r)
        i++;
    if (i == o->recipients.n)
        return;
    memmove(&o->recipients.item[i], &o->recipients.item[i + 1],
            (--o->recipients.n - i) * sizeof(o->recipients.item[0]));
    if (o->forget)
        o->forget(o->arg, r);
    recipient_free(r);
}

/* ---- sending ---- */

static void drop_old(struct recipient *r)
{
    int64_t now = (int64_t)clock_now(r->outbound->clock);

    while (r->queued && now - TAILQ_FIRST(&r->queue)->queued_ms >= (int64_t)r->retry_duration_ms) {
        take_off(r);
        r->dropped++;
    }
}

static void on_retry(struct deadline *d)
{
    outbound_kick(CONTAINER_OF(d, struct recipient, retry));
}

static void retry_later(struct recipient *r)
{
    if (timer_start(r->outbound->timers, &r->retry, r->retry_interval_ms, on_retry))
        abort(); /* a queue that is never tried again gives every test a wrong result */
}

void outbound_kick(struct recipient *r)
{
    struct outbound *o = r->outbound;

    if (r->sending || !r->enabled)
        return;
    timer_stop(o->timers, &r->retry);
    drop_old(r);
    if (!r->queued || !o->send)
        return;
    r->attempts++;
    r->sending = true;
    if (o->send(o->arg, r, TAILQ_FIRST(&r->queue)))
        outbound_sent(r, 0, NULL);
}

void outbound_sent(struct recipient *r, int status, const char *why)
{
    r->sending = false;
    r->last_status = status;
    if (status == 200)
        r->last_error[0] = '\0';
    else if (why)
        (void)text_copy(r->last_error, sizeof(r->last_error), why);
    if (status != 200) {
        r->failed++;
        retry_later(r);
        return;
    }
    r->sent++;
    if (--TAILQ_FIRST(&r->queue)->copies == 0)
        take_off(r);
    outbound_kick(r);
}

static int queue_one(struct recipient *r, enum outbound_kind kind, const char *form, const char *content_type)
{
    struct outbound_event *e = calloc(1, sizeof(*e));

    if (!e)
        return -ENOMEM;
    if (strings_replace(&e->form, form) || strings_replace(&e->content_type, content_type)) {
        event_free(e);
        return -ENOMEM;
    }
    e->kind = kind;
    e->copies = r->copies;
    e->queued_ms = (int64_t)clock_now(r->outbound->clock);
    TAILQ_INSERT_TAIL(&r->queue, e, link);
    r->queued++;
    if (!timer_running(&r->retry))
        outbound_kick(r);
    return 0;
}

int outbound_queue(struct outbound *o, struct recipient *only, enum outbound_kind kind, const char *form,
                   const char *content_type)
{
    int rc = 0;

    for (size_t i = 0; i < o->recipients.n && !rc; i++) {
        struct recipient *r = o->recipients.item[i];
        if ((!only || only == r) && r->enabled && (r->kinds & kind))
            rc = queue_one(r, kind, form, content_type);
    }
    return rc;
}

size_t outbound_queued(const struct outbound *o)
{
    size_t n = 0;

    for (size_t i = 0; i < o->recipients.n; i++)
        n += ((const struct recipient *)o->recipients.item[i])->queued;
    return n;
}
