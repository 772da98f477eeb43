/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web.c - the life of the web: its parts opened, reloaded, drained and closed.
 *
 * Closing has an order: the server first, whose connections end all requests; then what works for them, pools
 * of readers and the thread of passwords, each of which ends by itself; then the memory.
 */
#include "base/container_of.h"
#include "base/log.h"
#include "loop/server/tls.h"
#include "reports/web/web_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTENER        "web"
#define MAX_CONNECTIONS 512
#define MAX_PER_PEER    256 /* a proxy in front is one peer */
#define CACHE_EXPORT    1024
#define DRAIN_LOOK_MS   50

static const struct http_server_opts server_opts = {
    .max_connections = MAX_CONNECTIONS,
    .max_per_peer = MAX_PER_PEER,
    .header_timeout_ms = 5000,
    .body_timeout_ms = 20000,
    .idle_timeout_ms = 60000,
    .write_timeout_ms = 10000,
};

/* ---- settings ---- */

/* What browsers send as Origin: `public_url`, with the port that was bound where that was left open. */
static char *origin_of(const struct reports_web *web, const char *address)
{
    const char *url = web->public_url;
    size_t n = strlen(url);
    char text[512];

    if (!web->address.port && n > 2 && strcmp(url + n - 2, ":0") == 0)
        (void)snprintf(text, sizeof(text), "https://%s", address);
    else
        (void)snprintf(text, sizeof(text), "%s", url);
    n = strlen(text);
    if (n > 4 && strncmp(text, "https://", 8) == 0 && strcmp(text + n - 4, ":443") == 0)
        text[n - 4] = '\0';
    return strdup(text);
}

/* Values that are read where they are needed have no line here. */
static void apply(struct web *web, const struct reports_conf *conf)
{
    web->conf = conf;
    web->sessions.idle_ms = conf->web.session_idle_ms;
    web->sessions.max_ms = conf->web.session_max_ms;
    web->lock_out.attempts = conf->web.sign_in_attempts;
    web->lock_out.lock_out_ms = conf->web.lock_out_ms;
}

static struct http_tls_opts tls_of(const struct reports_conf *conf)
{
    return (struct http_tls_opts){.certificate = conf->web.tls_certificate,
                                  .key = conf->web.tls_key,
                                  .client_ca = conf->web.client_ca,
                                  .client_crl = conf->web.client_crl};
}

/* ---- opening ---- */

static bool open_pools(struct web *web, const struct web_opts *opts)
{
    struct db_params params = *opts->reader;
    size_t n = opts->conf->reports.readers ? opts->conf->reports.readers : 1;

    web->pages = readers_new(web->loop, opts->db, &params, n);
    params.cache_kib = CACHE_EXPORT; /* it reads each page once */
    web->exports = readers_new(web->loop, opts->db, &params, n);
    web->layouts = readers_new(web->loop, opts->db, opts->writer, 1);
    return web->pages && web->exports && web->layouts;
}

static bool open_parts(struct web *web, const struct web_opts *opts)
{
    web->counts.requests = calloc(web_routes_count(), sizeof(*web->counts.requests));
    return web->counts.requests && !who_readers(web, opts->conf) && !sign_in_open(web) &&
           open_pools(web, opts) && !states_start(web);
}

static bool open_server(struct web *web, const struct reports_conf *conf, char why[256])
{
    struct http_tls_opts tls = tls_of(conf);
    struct http_listen_opts listen = {
        .name = LISTENER, .host = conf->web.address.host, .port = conf->web.address.port, .tls = &tls};

    router_app(web);
    web->server = http_server_new(web->loop, &server_opts, &web->app);
    if (!web->server) {
        (void)snprintf(why, 256, "out of memory");
        return false;
    }
    if (http_listen(web->server, &listen, web->address, why))
        return false;
    web->origin = origin_of(&conf->web, web->address);
    return web->origin;
}

static void nothing(void *arg)
{
    (void)arg;
}

struct web *web_open(const struct web_opts *opts, char address[128], char why[256])
{
    struct web *web = calloc(1, sizeof(*web));

    (void)snprintf(why, 256, "out of memory");
    if (!web)
        return NULL;
    web->loop = opts->loop;
    web->clock = loop_clock(opts->loop);
    web->audit = opts->audit;
    web->collector = opts->collector;
    web->db_name = opts->db->name;
    web->started_ms = clock_now(web->clock);
    web->started_wall_ms = clock_wall(web->clock);
    TAILQ_INIT(&web->requests);
    web_sessions_init(&web->sessions, web->clock);
    lock_out_init(&web->lock_out, web->clock);
    apply(web, opts->conf);
    if (open_parts(web, opts) && open_server(web, opts->conf, why)) {
        memcpy(address, web->address, 128);
        return web;
    }
    web_close(web, nothing, NULL);
    return NULL;
}

/* ---- reload ---- */

struct web_next *web_prepare(struct web *web, const struct reports_conf *conf, char why[256])
{
    struct http_tls_opts tls = tls_of(conf);
    struct web_next *next = calloc(1, sizeof(*next));

    if (!next) {
        (void)snprintf(why, 256, "out of memory");
        return NULL;
    }
    next->web = web;
    next->conf = conf;
    next->tls = tls_context_new(&tls, why);
    if (next->tls)
        return next;
    free(next);
    return NULL;
}

void web_discard(struct web_next *next)
{
    if (!next)
        return;
    tls_context_unref(next->tls);
    free(next);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(const struct conf_list *a, const struct conf_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->item[i], b->item[i]) != 0)
            return false;
    return true;
}

static bool same_user(const struct reports_user *a, const struct reports_user *b)
{
    return same_text(a->password, b->password) && same_text(a->certificate_san, b->certificate_san) &&
           a->allow == b->allow && a->enabled == b->enabled && same_list(&a->sites, &b->sites);
}

static const struct reports_user *find_user(const struct reports_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->nusers; i++)
        if (strcmp(conf->users[i].name, name) == 0)
            return &conf->users[i];
    return NULL;
}

/* A user whose section has changed, or is gone, is signed out, and exports of that user end. */
static void change_users(struct web *web, const struct reports_conf *before, const struct reports_conf *now)
{
    for (size_t i = 0; i < before->nusers; i++) {
        const struct reports_user *was = &before->users[i], *is = find_user(now, was->name);

        if (!is || !same_user(was, is)) {
            exports_end(web, was->name, NULL);
            web_sessions_drop_user(&web->sessions, was->name);
        }
    }
}

void web_reload(struct web *web, struct web_next *next)
{
    char *origin = origin_of(&next->conf->web, web->address);

    change_users(web, web->conf, next->conf);
    if (who_readers(web, next->conf))
        log_error("web_reload", "error=%s", "out of memory: readers have no rate");
    apply(web, next->conf);
    if (origin) {
        free(web->origin);
        web->origin = origin;
    }
    if (http_listener_reload(web->server, LISTENER, next->tls))
        next->tls = NULL;
    web_discard(next);
}

/* ---- the end ---- */

static void on_drain_look(struct deadline *deadline);

static void look_again(struct web *web)
{
    if (timer_start(loop_timers(web->loop), &web->drain_look, DRAIN_LOOK_MS, on_drain_look))
        web->drained(web->drained_arg);
}

static void on_drain_look(struct deadline *deadline)
{
    struct web *web = CONTAINER_OF(deadline, struct web, drain_look);

    if (http_busy(web->server) || http_sending(web->server))
        look_again(web);
    else
        web->drained(web->drained_arg);
}

void web_drain(struct web *web, void (*drained)(void *arg), void *arg)
{
    web->draining = true;
    web->drained = drained;
    web->drained_arg = arg;
    http_drain(web->server);
    exports_refuse_waiting(web);
    look_again(web);
}

/* An answer may begin a request that was sent behind it, which is refused by its head. */
void web_give_up(struct web *web)
{
    if (!TAILQ_EMPTY(&web->requests))
        log_warn("web_drain", "requests=%zu hint=%s", http_busy(web->server),
                 "drain_timeout is over: they are not answered any more");
    while (!TAILQ_EMPTY(&web->requests))
        web_request_give_up(TAILQ_FIRST(&web->requests));
}

static void web_free(struct web *web)
{
    void (*closed)(void *) = web->closed;
    void *arg = web->closed_arg;

    web_sessions_clear(&web->sessions);
    lock_out_clear(&web->lock_out);
    free(web->counts.requests);
    free(web->readers);
    free(web->rows);
    free(web->origin);
    free(web);
    closed(arg);
}

static void on_part_closed(void *arg)
{
    struct web *web = arg;

    if (--web->parts == 0)
        web_free(web);
}

static void close_pool(struct web *web, struct readers *pool)
{
    if (!pool)
        return;
    web->parts++;
    readers_close(pool, on_part_closed, web);
}

/* No request is open any more; what works for those that were is ended. */
static void on_server_closed(void *arg)
{
    struct web *web = arg;

    web->server = NULL;
    if (web->states)
        states_stop(web);
    if (web->scrypt_open) {
        web->parts++;
        sign_in_close(web, on_part_closed);
    }
    close_pool(web, web->pages);
    close_pool(web, web->exports);
    close_pool(web, web->layouts);
    on_part_closed(web);
}

void web_close(struct web *web, void (*closed)(void *arg), void *arg)
{
    web->closing = true;
    web->closed = closed;
    web->closed_arg = arg;
    web->parts = 1;
    timer_stop(loop_timers(web->loop), &web->drain_look);
    if (web->server)
        http_server_close(web->server, on_server_closed, web);
    else
        on_server_closed(web);
}
