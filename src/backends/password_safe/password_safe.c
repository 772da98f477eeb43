/* SPDX-License-Identifier: Apache-2.0 */
/*
 * password_safe.c - the vault itself: start and close.
 *
 * Life: password_safe_new() reads the secrets and starts probing --> operations --> password_safe_close():
 * every call ends with VAULT_FAILED, idle vault sessions are signed out (each sign-out within call_timeout),
 * then the connections are closed, and `closed` is called when nothing is left. A vault whose start fails is
 * freed at once.
 *
 * Secrets read from files (reload.c) stay in locked memory until the vault is freed.
 *
 * Not here: the operations. internal.h lists the files.
 */
#include "backends/password_safe/internal.h"
#include "base/certificate.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void ps_free(struct ps *ps)
{
    ps_metrics_stop(ps);
    ps_secrets_clear(&ps->secrets);
    secret_clear(&ps->token);
    free(ps->oauth_user);
    free(ps->base);
    free(ps->path_token);
    free(ps->path_signin);
    free(ps->path_signout);
    free(ps);
}

static void on_upstream_closed(void *arg)
{
    struct ps *ps = arg;
    void (*closed)(void *) = ps->closed;
    void *closed_arg = ps->closed_arg;

    ps_free(ps);
    if (closed)
        closed(closed_arg);
}

static void close_if_drained(struct ps *ps)
{
    if (!ps->closing || ps->upstream_closing || ps->depth || !TAILQ_EMPTY(&ps->calls) ||
        !TAILQ_EMPTY(&ps->signouts))
        return;
    ps->upstream_closing = true;
    upstream_close(ps->up, on_upstream_closed, ps);
}

/* ---- start ---- */

static int read_secrets(struct ps *ps, char why[256])
{
    const struct conf_vault *conf = ps->vault.conf;

    if (conf->oauth_client_id && asprintf(&ps->oauth_user, "application:%s", conf->oauth_client_id) < 0) {
        ps->oauth_user = NULL;
        return -ENOMEM;
    }
    ps->certificate_end = certificate_file_end(conf->client_certificate);
    return ps_secrets_read(&ps->secrets, conf, why);
}

/* Where the path of a url begins: at its end, if it has none. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");

    return host ? host + 3 + strcspn(host + 3, "/") : url + strlen(url);
}

static char *path_below(const char *base, const char *name)
{
    char *path;

    return asprintf(&path, "%s%s", base, name) < 0 ? NULL : path;
}

static int set_paths(struct ps *ps)
{
    size_t n;

    ps->base = strdup(path_of(ps->vault.conf->url));
    if (!ps->base)
        return -ENOMEM;
    n = strlen(ps->base);
    while (n && ps->base[n - 1] == '/')
        ps->base[--n] = '\0';
    ps->path_token = path_below(ps->base, "/Auth/connect/token");
    ps->path_signin = path_below(ps->base, ps->oauth_user ? "/Auth/SignAppIn" : "/Auth/SignAppin");
    ps->path_signout = path_below(ps->base, "/Auth/Signout");
    return ps->path_token && ps->path_signin && ps->path_signout ? 0 : -ENOMEM;
}

static int open_upstream(struct ps *ps, struct loop *loop, char why[256])
{
    const struct conf_vault *conf = ps->vault.conf;
    char *origin = strndup(conf->url, (size_t)(path_of(conf->url) - conf->url));
    struct upstream_opts opts = ps_upstream_opts(conf);

    opts.url = origin;
    if (!origin)
        return -ENOMEM;
    ps->up = upstream_new(loop, &opts, why);
    free(origin);
    return ps->up ? 0 : -EIO;
}

static struct ps *ps_new(struct loop *loop, const struct conf_vault *conf)
{
    struct ps *ps = calloc(1, sizeof(*ps));

    if (!ps)
        return NULL;
    ps->vault.ops = &password_safe_ops;
    ps->vault.conf = conf;
    ps->on_gone = close_if_drained;
    ps->timers = loop_timers(loop);
    ps->clock = loop_clock(loop);
    ps->random = (clock_now(ps->clock) * 0x9E3779B97F4A7C15U) | 1;
    TAILQ_INIT(&ps->idle);
    TAILQ_INIT(&ps->quiet);
    TAILQ_INIT(&ps->signin_backoff.waiting);
    TAILQ_INIT(&ps->calls);
    TAILQ_INIT(&ps->signouts);
    return ps;
}

struct vault *password_safe_new(struct loop *loop, const struct conf_vault *conf, char why[256])
{
    struct ps *ps = ps_new(loop, conf);

    (void)snprintf(why, 256, "out of memory");
    if (!ps)
        return NULL;
    /* The probe's deadline comes before the connections: from then on nothing can fail. */
    if (read_secrets(ps, why) || set_paths(ps) || ps_reachability_start(ps) || open_upstream(ps, loop, why)) {
        ps_reachability_stop(ps);
        ps_free(ps);
        return NULL;
    }
    ps_metrics_start(ps);
    why[0] = '\0';
    return &ps->vault;
}

/* ---- close ---- */

void password_safe_close(struct vault *vault, void (*closed)(void *arg), void *arg)
{
    struct ps *ps = CONTAINER_OF(vault, struct ps, vault);

    ps->closing = true;
    ps->closed = closed;
    ps->closed_arg = arg;
    ps->depth++;
    ps_reachability_stop(ps);
    ps_calls_end_all(ps);
    ps_sessions_end_all(ps);
    ps->depth--;
    close_if_drained(ps);
}
