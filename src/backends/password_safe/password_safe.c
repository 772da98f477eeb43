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
    http_vault_free(&ps->http);
    ps_secrets_clear(&ps->secrets);
    secret_clear(&ps->token);
    free(ps->oauth_user);
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
    if (!ps->http.closing || ps->upstream_closing || ps->http.depth || !TAILQ_EMPTY(&ps->http.calls) ||
        !TAILQ_EMPTY(&ps->signouts))
        return;
    ps->upstream_closing = true;
    upstream_close(ps->http.up, on_upstream_closed, ps);
}

/* ---- start ---- */

static int read_secrets(struct ps *ps, char why[256])
{
    const struct conf_vault *conf = ps->http.vault.conf;

    if (conf->oauth_client_id && asprintf(&ps->oauth_user, "application:%s", conf->oauth_client_id) < 0) {
        ps->oauth_user = NULL;
        return -ENOMEM;
    }
    ps->http.certificate_end = certificate_file_end(conf->client_certificate);
    return ps_secrets_read(&ps->secrets, conf, why);
}

static char *path_below(const char *base, const char *name)
{
    char *path;

    return asprintf(&path, "%s%s", base, name) < 0 ? NULL : path;
}

static int set_paths(struct ps *ps)
{
    size_t n;

    ps->http.base = strdup(http_vault_path(ps->http.vault.conf->url));
    if (!ps->http.base)
        return -ENOMEM;
    n = strlen(ps->http.base);
    while (n && ps->http.base[n - 1] == '/')
        ps->http.base[--n] = '\0';
    ps->path_token = path_below(ps->http.base, "/Auth/connect/token");
    ps->path_signin = path_below(ps->http.base, ps->oauth_user ? "/Auth/SignAppIn" : "/Auth/SignAppin");
    ps->path_signout = path_below(ps->http.base, "/Auth/Signout");
    return ps->path_token && ps->path_signin && ps->path_signout ? 0 : -ENOMEM;
}

static int open_upstream(struct ps *ps, struct loop *loop, char why[256])
{
    const struct conf_vault *conf = ps->http.vault.conf;
    char *origin = strndup(conf->url, (size_t)(http_vault_path(conf->url) - conf->url));
    struct upstream_opts opts = http_vault_upstream_opts(conf);

    opts.url = origin;
    if (!origin)
        return -ENOMEM;
    ps->http.up = upstream_new(loop, &opts, why);
    free(origin);
    return ps->http.up ? 0 : -EIO;
}

static struct ps *ps_new(struct loop *loop, const struct conf_vault *conf)
{
    struct ps *ps = calloc(1, sizeof(*ps));

    if (!ps)
        return NULL;
    http_vault_init(&ps->http, &password_safe_ops, conf, loop);
    ps->http.vault.can =
        (struct vault_can){.keys_are_unique = true, .has_end = true, .per_user = true, .repeatable = true};
    ps->on_gone = close_if_drained;
    TAILQ_INIT(&ps->idle);
    TAILQ_INIT(&ps->quiet);
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
    if (read_secrets(ps, why) || set_paths(ps) || timer_reserve(ps->http.timers, &ps->sweep) ||
        http_vault_reachability_start(&ps->http) || open_upstream(ps, loop, why)) {
        timer_unreserve(ps->http.timers, &ps->sweep);
        http_vault_reachability_stop(&ps->http);
        ps_free(ps);
        return NULL;
    }
    ps_metrics_start(ps);
    why[0] = '\0';
    return &ps->http.vault;
}

/* ---- close ---- */

void password_safe_close(struct vault *vault, void (*closed)(void *arg), void *arg)
{
    struct ps *ps = CONTAINER_OF(vault, struct ps, http.vault);

    ps->http.closing = true;
    ps->closed = closed;
    ps->closed_arg = arg;
    ps->http.depth++;
    http_vault_reachability_stop(&ps->http);
    http_vault_calls_end_all(&ps->http);
    ps_sessions_end_all(ps);
    ps->http.depth--;
    close_if_drained(ps);
}
