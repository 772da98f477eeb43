/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privileged_identity.c - the vault itself: start and close.
 *
 * Life: privileged_identity_new() reads password, profile and map and starts probing --> operations -->
 * privileged_identity_close(): every question and call ends with VAULT_FAILED, the token is signed out
 * (within call_timeout), then the connections are closed, and `closed` is called when nothing is left. A
 * vault whose start fails is freed at once.
 *
 * The password and the token are in locked memory until the vault is freed.
 *
 * Not here: the operations. internal.h lists the files.
 */
#include "backends/privileged_identity/check.h"
#include "backends/privileged_identity/internal.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pi_free(struct pi *pi)
{
    pi_metrics_stop(pi);
    pi_listings_forget(pi);
    http_vault_free(&pi->http);
    pi_profile_free(pi->profile);
    pi_access_free(pi->access);
    secret_clear(&pi->password);
    free(pi->principal);
    free(pi);
}

static void on_upstream_closed(void *arg)
{
    struct pi *pi = arg;
    void (*closed)(void *) = pi->closed;
    void *closed_arg = pi->closed_arg;

    pi_free(pi);
    if (closed)
        closed(closed_arg);
}

static void close_if_drained(struct pi *pi)
{
    if (!pi->http.closing || pi->upstream_closing || pi->http.depth || !TAILQ_EMPTY(&pi->http.calls) ||
        !TAILQ_EMPTY(&pi->questions) || !TAILQ_EMPTY(&pi->signouts))
        return;
    pi->upstream_closing = true;
    upstream_close(pi->http.up, on_upstream_closed, pi);
}

/* ---- start ---- */

static struct pi *pi_new(struct loop *loop, const struct conf *conf, const struct conf_vault *vault)
{
    struct pi *pi = calloc(1, sizeof(*pi));

    if (!pi)
        return NULL;
    http_vault_init(&pi->http, &privileged_identity_ops, vault, loop);
    pi->conf = conf;
    pi->on_gone = close_if_drained;
    pi->user.vault = &pi->http;
    pi->user.is_everybody = true;
    pi->user.number = ++pi->http.last_number;
    priority_queue_init(&pi->user.priority_queue, pi->http.clock);
    TAILQ_INIT(&pi->signouts);
    TAILQ_INIT(&pi->questions);
    return pi;
}

static int set_texts(struct pi *pi)
{
    const struct conf_vault *conf = pi->http.vault.conf;

    pi->principal = strdup(conf->login_name);
    pi->http.vault.principal = pi->principal;
    if (!pi->principal || asprintf(&pi->http.base, "%s/AuthService.svc", conf->base_path) < 0) {
        pi->http.base = NULL; /* the target of the probe */
        return -ENOMEM;
    }
    return 0;
}

static int take_conf(struct pi *pi, char why[256])
{
    struct privileged_identity_next *next = privileged_identity_prepare(pi->conf, pi->http.vault.conf, why);

    if (!next)
        return -EINVAL;
    pi_take(pi, next);
    privileged_identity_discard(next);
    (void)snprintf(why, 256, "out of memory");
    return 0;
}

static int open_upstream(struct pi *pi, struct loop *loop, char why[256])
{
    struct upstream_opts opts = http_vault_upstream_opts(pi->http.vault.conf);

    opts.url = pi->http.vault.conf->url;
    pi->http.up = upstream_new(loop, &opts, why);
    return pi->http.up ? 0 : -EIO;
}

/* What an operator has to know of this vault. */
static void log_provisional(const struct pi *pi)
{
    struct buf words = BUF_INIT(4096);

    pi_check_words(pi->http.vault.conf, pi->profile, &words);
    if (words.len && !words.failed) {
        words.len--; /* the end of the line */
        log_warn("vault_provisional", "vault=%s state=%s", pi->http.vault.conf->name, buf_cstr(&words));
    }
    buf_free(&words);
}

struct vault *privileged_identity_new(struct loop *loop, const struct conf *conf,
                                      const struct conf_vault *vault, char why[256])
{
    struct pi *pi = pi_new(loop, conf, vault);

    (void)snprintf(why, 256, "out of memory");
    if (!pi)
        return NULL;
    /* The probe's deadline comes before the connections: from then on nothing can fail. */
    if (set_texts(pi) || take_conf(pi, why) || timer_reserve(pi->http.timers, &pi->sweep) ||
        http_vault_reachability_start(&pi->http) || open_upstream(pi, loop, why)) {
        timer_unreserve(pi->http.timers, &pi->sweep);
        http_vault_reachability_stop(&pi->http);
        pi_free(pi);
        return NULL;
    }
    pi_metrics_start(pi);
    log_provisional(pi);
    why[0] = '\0';
    return &pi->http.vault;
}

/* ---- close ---- */

void privileged_identity_close(struct vault *vault, void (*closed)(void *arg), void *arg)
{
    struct pi *pi = pi_of(vault);

    pi->http.closing = true;
    pi->closed = closed;
    pi->closed_arg = arg;
    pi->http.depth++;
    http_vault_reachability_stop(&pi->http);
    pi_questions_end_all(pi);
    http_vault_calls_end_all(&pi->http);
    pi_token_end_all(pi);
    pi->http.depth--;
    close_if_drained(pi);
}
