/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender.c - the HTTP clients of outbound events; see sender.h.
 */
#include "pra-sim/sender.h"

#include "base/container_of.h"
#include "base/text.h"
#include "loop/upstream/upstream.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_MAX  300
#define TARGET_MAX  2048
#define TIMEOUT_MS  30000
#define ANSWER_MAX  ((size_t)1 << 20)
#define HEADERS_MAX 256

struct sender {
    struct loop *loop;
    struct site *site;
    size_t clients; /* not yet closed */
};

struct client {
    struct sender *sender;
    struct recipient *recipient;
    struct upstream *upstream;
    struct call call;
    bool busy;
    uint64_t connections; /* events sent on connections of their own */
    char target[TARGET_MAX], headers[HEADERS_MAX];
};

/* ---- one client ---- */

/* scheme://host[:port] and the rest; false when it is no address. */
static bool split(const char *url, char origin[ORIGIN_MAX], char target[TARGET_MAX])
{
    const char *host = strstr(url, "://");
    size_t n = host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?") : 0;

    return n && text_copy_n(origin, ORIGIN_MAX, url, n) &&
           (size_t)snprintf(target, TARGET_MAX, "%s%s", url[n] == '/' ? "" : "/", url + n) < TARGET_MAX;
}

static void on_closed(void *arg)
{
    struct client *c = arg;

    c->sender->clients--;
    free(c);
}

static void client_close(struct client *c)
{
    if (c->busy)
        upstream_cancel(&c->call);
    upstream_close(c->upstream, on_closed, c);
}

static struct client *client_new(struct sender *s, struct recipient *r)
{
    struct client *c = calloc(1, sizeof(*c));
    char origin[ORIGIN_MAX], why[256] = "not a URL";

    if (!c)
        return NULL;
    if (split(r->url, origin, c->target)) {
        const struct upstream_opts opts = {.name = r->name,
                                           .url = origin,
                                           .ca_file = r->ca_file,
                                           .connections = 1,
                                           .max_calls = 4,
                                           .connect_timeout_ms = TIMEOUT_MS,
                                           .call_timeout_ms = TIMEOUT_MS,
                                           .idle_timeout_ms = TIMEOUT_MS,
                                           .max_answer = ANSWER_MAX};
        c->upstream = upstream_new(s->loop, &opts, why);
    }
    if (!c->upstream) {
        (void)text_copy(r->last_error, sizeof(r->last_error), why);
        free(c);
        return NULL;
    }
    c->sender = s;
    c->recipient = r;
    s->clients++;
    return c;
}

/* ---- the table of struct outbound ---- */

static void on_done(struct call *call)
{
    struct client *c = CONTAINER_OF(call, struct client, call);
    char why[160];
    int status = call->err ? 0 : call->status;

    if (call->err)
        (void)text_copy(why, sizeof(why), *call->why ? call->why : strerror(-call->err));
    else
        (void)snprintf(why, sizeof(why), "status %d", status);
    call_free_answer(call);
    c->busy = false;
    outbound_sent(c->recipient, status, why);
}

static int on_send(void *arg, struct recipient *r, const struct outbound_event *e)
{
    struct sender *s = arg;
    struct client *c = r->sender;
    bool closes;
    int rc;

    if (!c)
        r->sender = c = client_new(s, r);
    if (!c)
        return -EINVAL;
    closes = !s->site->knob[KNOB_EVENT_CONNECTION];
    (void)snprintf(c->headers, sizeof(c->headers), "Content-Type: %s\r\n%s", e->content_type,
                   closes ? "Connection: close\r\n" : "");
    c->call = (struct call){.method = "POST",
                            .target = c->target,
                            .headers = c->headers,
                            .body = e->form,
                            .body_len = strlen(e->form),
                            .owner = closes ? ++c->connections : 0, /* owners share no connection */
                            .done = on_done};
    rc = upstream_call(c->upstream, &c->call);
    c->busy = rc == 0;
    return rc;
}

static void on_forget(void *arg, struct recipient *r)
{
    struct client *c = r->sender;

    (void)arg;
    r->sender = NULL;
    if (c)
        client_close(c);
}

void sender_renew(struct sender *s, struct recipient *r)
{
    on_forget(s, r);
    r->sending = false;
}

/* ---- life ---- */

struct sender *sender_new(struct loop *loop, struct site *site)
{
    struct sender *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->loop = loop;
    s->site = site;
    site->outbound.send = on_send;
    site->outbound.forget = on_forget;
    site->outbound.arg = s;
    return s;
}

void sender_close(struct sender *s)
{
    struct vec *all = &s->site->outbound.recipients;

    s->site->outbound.send = NULL;
    for (size_t i = 0; i < all->n; i++)
        on_forget(s, all->item[i]);
}

bool sender_idle(const struct sender *s)
{
    return s->clients == 0;
}

void sender_free(struct sender *s)
{
    free(s);
}
