/* SPDX-License-Identifier: Apache-2.0 */
/*
 * configuration.c - GET /v1/configuration: the configuration in use; POST /v1/reload: the next one.
 *
 * A reload replaces values that a handler on the stack may be using, so the route does not reload. It asks
 * for one (gateway_on_reload) and waits with its context; the verdict answers every context that waits. So
 * two requests at once, or a request and a SIGHUP, may share one reload: it reads the file after all of them
 * have asked. A context that ends earlier is gone from the list of contexts; the reload happens all the same.
 *
 * Secrets in the configuration are answered as a hash that is salted with the digest of the configuration
 * (conf/conf_values.h): `jumpgate check --diff` sees that one has changed.
 *
 * Not here: the reload itself (commands/run/reload.c).
 */
#include "conf/conf_values.h"
#include "handlers/gateway.h"

#include <string.h>

/* ---- the configuration in use ---- */

static void write_value(void *arg, const struct conf_value *v)
{
    struct jsonw *w = arg;

    if (v->key && !*v->text)
        return;
    jsonw_object(w, NULL);
    jsonw_str(w, "section", v->section);
    if (v->key) {
        jsonw_str(w, "key", v->key);
        jsonw_str(w, v->secret ? "secret_sha256" : "value", v->text);
    }
    jsonw_end(w);
}

void configuration_start(struct request_context *ctx, const union route_args *args)
{
    const struct conf *conf = ctx->gateway->conf;
    struct jsonw *w = ctx_object(ctx);

    (void)args;
    jsonw_str(w, "config_digest", conf->digest);
    jsonw_array(w, "configuration");
    int err = conf_values(conf, conf->digest, write_value, w);
    jsonw_end(w);
    if (err)
        ctx->body.failed = true;
    ctx_json(ctx, 200);
}

/* ---- the next one ---- */

void reload_start(struct request_context *ctx, const union route_args *args)
{
    struct gateway *gw = ctx->gateway;
    struct fault f;

    (void)args;
    if (gw->draining)
        fault_set(&f, FAULT_DRAINING, "the gateway is shutting down; the next start reads the configuration");
    else if (!gw->ask_reload)
        fault_set(&f, FAULT_UNSUPPORTED, "this gateway cannot reload its configuration");
    else if (gw->ask_reload(gw->ask_reload_arg))
        fault_set(&f, FAULT_INTERNAL, "out of memory");
    else {
        ctx->reload = RELOAD_ASKED;
        return;
    }
    ctx_fail(ctx, &f);
}

static void write_lines(struct jsonw *w, const char *name, const struct buf *lines)
{
    const char *text = lines->len ? lines->data : "", *end = text + lines->len;

    jsonw_array(w, name);
    for (size_t n; text < end; text += n + 1) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));

        n = (size_t)((eol ? eol : end) - text);
        jsonw_strn(w, NULL, text, n);
    }
    jsonw_end(w);
}

static void answer_reload(struct request_context *ctx, const struct reload_report *report)
{
    struct jsonw *w = ctx_object(ctx);

    jsonw_bool(w, "reloaded", true);
    write_lines(w, "changed", &report->changed);
    write_lines(w, "restart", &report->restart);
    ctx_json(ctx, 200);
}

static void answer_one(struct request_context *ctx, const struct reload_report *report, const char *mistakes)
{
    struct fault f;

    if (report && report->done) {
        answer_reload(ctx, report);
        return;
    }
    if (!report)
        fault_set(&f, FAULT_DRAINING, "the gateway is shutting down; the next start reads the configuration");
    else
        fault_set(&f, FAULT_RELOAD_REFUSED, "the log has every mistake");
    if (report && *mistakes)
        f.whole_detail = mistakes;
    ctx_fail(ctx, &f);
}

void gateway_on_reload(struct gateway *gw, int (*ask)(void *arg), void *arg)
{
    gw->ask_reload = ask;
    gw->ask_reload_arg = arg;
}

/* A request that asks while the others are being answered has asked after the reload, and waits for the next.
 */
void gateway_reloaded(struct gateway *gw, const struct reload_report *report)
{
    struct buf mistakes = BUF_INIT(RESPONSE_MAX);
    struct request_context *ctx;

    TAILQ_FOREACH(ctx, &gw->contexts, link)
    if (ctx->reload == RELOAD_ASKED)
        break;
    if (report)
        reload_record(gw, report, ctx);
    if (report && report->mistakes.len) /* without the last line end */
        (void)buf_append(&mistakes, report->mistakes.data, report->mistakes.len - 1);
    const char *text = mistakes.len ? buf_cstr(&mistakes) : NULL;

    TAILQ_FOREACH(ctx, &gw->contexts, link)
    if (ctx->reload == RELOAD_ASKED)
        ctx->reload = RELOAD_JUDGED;
    for (ctx = TAILQ_FIRST(&gw->contexts); ctx;) {
        bool judged = ctx->reload == RELOAD_JUDGED;

        if (judged)
            answer_one(ctx, report, text ? text : "");
        ctx = judged ? TAILQ_FIRST(&gw->contexts) : TAILQ_NEXT(ctx, link);
    }
    buf_free(&mistakes);
}
