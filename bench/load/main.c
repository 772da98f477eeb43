/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - jumpgate-load: N clients against a running gateway, one JSON line as result.
 *
 * Clients connect a few at a time, warm up, are measured for a while, release what they hold, and end. In a
 * closed loop (the default) latencies are good for comparing, not a promise to a user; with --rate they count
 * from when a turn was meant to begin. With --count the run ends when that many turns have been made.
 */
#include "base/clock.h"
#include "base/json.h"
#include "load/bare.h"
#include "load/client.h"
#include "load/options.h"

#include <errno.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stop(struct load *l)
{
    report_event("over");
    l->until_us = clock_measure_us();
    l->measuring = false;
    l->stopping = true;
    uv_close((uv_handle_t *)&l->phase, NULL);
    uv_close((uv_handle_t *)&l->every, NULL);
    if (l->rate > 0)
        pace_stop(l);
}

static void on_stop(uv_timer_t *timer)
{
    stop(timer->data);
}

void load_closed(struct load *l)
{
    if (--l->open == 0 && !l->stopping)
        stop(l);
}

static void on_row(uv_timer_t *timer)
{
    report_since(timer->data);
}

static void on_warm(uv_timer_t *timer)
{
    struct load *l = timer->data;

    report_event("measuring");
    l->from_us = l->row.from_us = clock_measure_us();
    l->measuring = true;
    if (l->every_ms)
        (void)uv_timer_start(&l->every, on_row, l->every_ms, l->every_ms);
    (void)uv_timer_start(timer, on_stop, l->until_us, 0); /* until_us holds the length until then */
}

static int run_load(struct load *l, const struct options *s)
{
    int err = uv_loop_init(&l->loop);

    if (err)
        return err;
    err = uv_timer_init(&l->loop, &l->phase);
    if (!err)
        err = uv_timer_init(&l->loop, &l->every);
    if (err)
        return err;
    l->phase.data = l->every.data = l;
    l->until_us = (uint64_t)s->seconds * 1000;
    if (l->rate > 0 && (err = pace_start(l)))
        return err;
    for (unsigned i = 0; i < l->clients && !err; i++) {
        err = client_start(l, i);
        if (i % 64 == 63)
            (void)uv_run(&l->loop, UV_RUN_NOWAIT);
    }
    if (!err)
        err = uv_timer_start(&l->phase, on_warm, (uint64_t)s->warmup * 1000, 0);
    if (!err)
        (void)uv_run(&l->loop, UV_RUN_DEFAULT);
    return err ? err : uv_loop_close(&l->loop);
}

static void settle(struct load *l, const struct options *s)
{
    l->clients = (unsigned)s->clients;
    l->users = (unsigned)s->users;
    l->hosts = (unsigned)s->hosts;
    l->first = (unsigned)s->first;
    l->hold_ms = (uint64_t)s->hold;
    l->timeout_ms = (uint64_t)s->timeout;
    l->turns = (uint64_t)s->first_turn;
    l->count = s->count ? (uint64_t)(s->count + s->first_turn) : 0;
    l->rate = (double)s->rate;
    l->status = (unsigned)s->status;
    l->every_ms = (uint64_t)s->every * 1000;
    if (!l->weight[STEP_FIND] && !l->weight[STEP_SEARCH] && !l->weight[STEP_GET])
        l->weight[STEP_CHECKOUT] += !l->weight[STEP_CHECKOUT];
    TAILQ_INIT(&l->idle);
}

static int read_file(const char *path, struct buf *to)
{
    char piece[65536];
    size_t n;
    FILE *file = fopen(path, "re");

    if (!file)
        return -errno;
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        (void)buf_append(to, piece, n);
    int err = ferror(file) ? -EIO : to->failed ? -EMSGSIZE : 0;
    (void)fclose(file);
    return err;
}

/* One text per host. */
static int read_truth(struct load *l, const char *path)
{
    struct buf text = BUF_INIT((size_t)64 << 20);
    const char *why;
    int err = read_file(path, &text);
    cJSON *all = err ? NULL : json_parse(text.data, text.len, 4, 0, &why);
    unsigned n = 0;
    const cJSON *one;

    l->truth_rows = all;
    buf_free(&text);
    if (!cJSON_IsArray(all) || (unsigned)cJSON_GetArraySize(all) < l->hosts)
        return err ? err : -EINVAL;
    l->truth = calloc(l->hosts, sizeof(*l->truth));
    if (!l->truth)
        return -ENOMEM;
    cJSON_ArrayForEach(one, all)
    {
        if (!cJSON_IsString(one))
            return -EINVAL;
        if (n < l->hosts)
            l->truth[n++] = one->valuestring;
    }
    return 0;
}

static int complain(const char *what, int err)
{
    (void)fprintf(stderr, "jumpgate-load: %s: %s\n", what, uv_strerror(err));
    return 1;
}

static int prepare(struct load *l, const struct options *o)
{
    int err = secret_read_file(&l->token, o->token_file, 512);

    if (err)
        return complain(o->token_file, err);
    err = o->truth_file ? read_truth(l, o->truth_file) : 0;
    if (err)
        return complain(o->truth_file, err);
    if (!o->tls)
        return 0;
    l->to.tls = link_tls_new(o->ca_file, l->resume);
    if (l->to.tls)
        return 0;
    (void)fprintf(stderr, "jumpgate-load: %s: %s\n", o->ca_file, ERR_reason_error_string(ERR_peek_error()));
    return 1;
}

int main(int argc, char **argv)
{
    static struct load load = {
        .user_format = "user%u", .host_format = "host%u", .domain = "", .path = "/livez"};
    struct options o = {.load = &load,
                        .clients = 16,
                        .seconds = 5,
                        .warmup = 1,
                        .users = 100,
                        .hosts = 100,
                        .first = 1,
                        .status = 200};

    if (!options_parse(&o, argc, argv)) {
        (void)fputs(options_usage, stderr);
        return 2;
    }
    if (o.serve)
        return bare_run(o.certificate_file, o.key_file);
    if (o.handshakes)
        return handshakes_run(o.certificate_file, o.key_file, (unsigned)o.handshakes, load.resume);
    (void)signal(SIGPIPE, SIG_IGN); /* a connection the gateway closed is an error to count */
    json_init();
    settle(&load, &o);
    int err = prepare(&load, &o);
    if (err)
        return err;
    err = run_load(&load, &o);
    secret_clear(&load.token);
    free(load.truth);
    cJSON_Delete(load.truth_rows);
    SSL_CTX_free(load.to.tls);
    if (err)
        return complain("run", err);
    report_result(&load);
    return load.errors ? 1 : 0;
}
