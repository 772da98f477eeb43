/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - one client of the load tool: a connection, and the order of its requests.
 *
 *   turn:  find                                   (once per session; or the turn itself)
 *          search
 *          checkout --> (hold) --> release        (after a find, where the credential is not known yet)
 *
 * An answer with status 429, 503 or 504 is a refusal: counted, and the turn is over. Any other answer than
 * the right one is an error, after which the credential is asked for anew. Only right answers have a latency.
 * A client frees itself when its connection has closed.
 */
#include "load/client.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char read_buffer[65536];
static llhttp_settings_t http_settings;

static void next_turn(struct client *);

static void on_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;

    if (--c->open_handles)
        return;
    if (--c->load->open == 0)
        load_over(c->load);
    buf_free(&c->out);
    buf_free(&c->body);
    free(c);
}

static void close_client(struct client *c)
{
    if (c->closing)
        return;
    c->closing = true;
    pace_forget(c);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
    uv_close((uv_handle_t *)&c->hold, on_closed);
}

static void count_error(struct client *c, const char *what, const char *detail, size_t n)
{
    struct load *l = c->load;

    if (!l->measuring && !l->stopping && l->errors == 0)
        (void)fprintf(stderr, "warm-up: %s %.*s\n", what, (int)(n > 300 ? 300 : n), detail);
    l->errors++;
    if (!l->first_error[0])
        (void)snprintf(l->first_error, sizeof(l->first_error), "%s: %.*s", what, (int)(n > 400 ? 400 : n),
                       detail);
}

/* ---- requests -------------------------------------------------------------------------------------------
 */

static void on_written(uv_write_t *req, int status)
{
    struct client *c = req->data;

    if (status && !c->closing) {
        count_error(c, "write", uv_strerror(status), strlen(uv_strerror(status)));
        close_client(c);
    }
}

static void send_request(struct client *c, enum load_step step)
{
    c->step = step;
    if (question_write(c)) {
        close_client(c);
        return;
    }
    uv_buf_t bytes = uv_buf_init(c->out.data, (unsigned)c->out.len);
    c->write.data = c;
    c->busy = true;
    if (++c->load->in_flight > c->load->most_in_flight)
        c->load->most_in_flight = c->load->in_flight;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_written))
        close_client(c);
}

/* ---- answers --------------------------------------------------------------------------------------------
 */

static void release(struct client *c)
{
    c->meant_us = clock_measure_us();
    send_request(c, STEP_RELEASE);
}

static void on_hold_over(uv_timer_t *timer)
{
    release(timer->data);
}

/* After a right answer. */
static void advance(struct client *c)
{
    const struct load *l = c->load;

    if (c->step == STEP_FIND && c->aim == STEP_CHECKOUT) {
        send_request(c, STEP_CHECKOUT); /* meant_us stays: the find was on its way */
        return;
    }
    if (c->step != STEP_CHECKOUT || l->keep) {
        next_turn(c);
        return;
    }
    if (l->hold_ms && !l->stopping && uv_timer_start(&c->hold, on_hold_over, l->hold_ms, 0) == 0)
        return;
    release(c);
}

static bool is_refusal(unsigned status)
{
    return status == 429 || status == 503 || status == 504;
}

static void count_right(struct client *c)
{
    struct load *l = c->load;
    uint64_t now = clock_measure_us();

    if (!l->measuring)
        return;
    l->done[c->step]++;
    histogram_add(&l->latency[c->step], now > c->meant_us ? now - c->meant_us : 0);
}

static int on_complete(llhttp_t *http)
{
    struct client *c = http->data;
    bool good = http->status_code == 200 && question_verify(c);

    c->busy = false;
    c->load->in_flight--;
    if (good) {
        count_right(c);
    } else if (is_refusal(http->status_code)) {
        c->load->refused += c->load->measuring;
    } else {
        count_error(c, "answer", c->body.data ? c->body.data : "", c->body.len);
        c->credential_id[0] = '\0';
    }
    buf_clear(&c->body);
    if (good)
        advance(c);
    else
        next_turn(c);
    return c->closing ? HPE_PAUSED : 0;
}

static int on_body(llhttp_t *http, const char *at, size_t n)
{
    struct client *c = http->data;

    return buf_append(&c->body, at, n) ? -1 : 0;
}

/* ---- turns ----------------------------------------------------------------------------------------------
 */

/* Spread evenly over the turns: turn n of a mix 1:2:1 is always of the same kind. */
static enum load_step aim_of(const struct load *l, uint64_t turn)
{
    unsigned all = l->weight[STEP_FIND] + l->weight[STEP_SEARCH] + l->weight[STEP_CHECKOUT];
    unsigned at = (unsigned)(turn % all);

    for (enum load_step step = STEP_FIND; step < STEP_CHECKOUT; step++) {
        if (at < l->weight[step])
            return step;
        at -= l->weight[step];
    }
    return STEP_CHECKOUT;
}

void client_begin(struct client *c)
{
    struct load *l = c->load;

    if (c->closing)
        return;
    if (l->stopping || (l->count && l->turns >= l->count)) {
        close_client(c);
        return;
    }
    if (l->keep) {
        c->number = l->turns;
        c->credential_id[0] = '\0';
    }
    c->aim = aim_of(l, l->turns++);
    send_request(c, c->aim == STEP_CHECKOUT && !c->credential_id[0] ? STEP_FIND : c->aim);
}

static void next_turn(struct client *c)
{
    if (c->closing)
        return;
    if (c->load->rate > 0 && !c->load->stopping) {
        if (pace_turn(c))
            client_begin(c);
        return;
    }
    c->meant_us = clock_measure_us();
    client_begin(c);
}

/* ---- the connection -------------------------------------------------------------------------------------
 */

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle;
    (void)size;
    *buf = uv_buf_init(read_buffer, sizeof(read_buffer));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = stream->data;

    if (n == 0 || c->closing)
        return;
    if (n > 0 && llhttp_execute(&c->http, buf->base, (size_t)n) == HPE_OK)
        return;
    if (!c->closing)
        count_error(c, "connection lost", c->busy ? "in a request" : "between requests", 16);
    if (c->busy)
        c->load->in_flight--;
    close_client(c);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct client *c = req->data;

    if (c->closing)
        return;
    if (status || uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read)) {
        count_error(c, "connect", status ? uv_strerror(status) : "read", 12);
        close_client(c);
        return;
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
    next_turn(c);
}

int client_start(struct load *load, unsigned i)
{
    struct client *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    if (!http_settings.on_body) {
        llhttp_settings_init(&http_settings);
        http_settings.on_body = on_body;
        http_settings.on_message_complete = on_complete;
    }
    c->load = load;
    c->number = i;
    c->out = BUF_INIT(8192);
    c->body = BUF_INIT((size_t)4 << 20);
    llhttp_init(&c->http, HTTP_RESPONSE, &http_settings);
    c->http.data = c;
    int err = uv_timer_init(&load->loop, &c->hold);
    if (!err)
        err = uv_tcp_init(&load->loop, &c->tcp);
    if (err) {
        free(c); /* uv_timer_init has not failed in any version; nothing is linked yet */
        return err;
    }
    c->hold.data = c->tcp.data = c->connect.data = c;
    c->open_handles = 2;
    load->open++;
    err = uv_tcp_connect(&c->connect, &c->tcp, (const struct sockaddr *)&load->address, on_connected);
    if (err)
        close_client(c);
    return err;
}
