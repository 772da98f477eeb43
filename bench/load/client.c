/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - one client of the load tool: the order of its requests, and its connection.
 *
 *   turn:  find                                   (once per session; or the turn itself)
 *          search
 *          get                                    (any path: of another server, to compare with)
 *          checkout --> (hold) --> release        (after a find, where the credential is not known yet)
 *
 * An answer with status 429, 503 or 504 is a refusal: counted, and the turn is over. Any other answer than
 * the right one is an error, after which the credential is asked for anew. Only right answers have a latency.
 *
 * The connection is kept, or (`reconnect`) made for each request and closed after its answer; the latency
 * then includes making it. A client frees itself when its timer has closed; its link goes by itself.
 */
#include "load/client.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static llhttp_settings_t http_settings;

static void next_turn(struct client *);

static void on_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;
    struct load *load = c->load;

    SSL_SESSION_free(c->session);
    buf_free(&c->out);
    buf_free(&c->body);
    free(c);
    load_closed(load);
}

static void drop_link(struct client *c)
{
    link_close(c->link);
    c->link = NULL;
    c->ready = false;
}

static void close_client(struct client *c)
{
    if (c->closing)
        return;
    c->closing = true;
    pace_forget(c);
    drop_link(c);
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

static void open_link(struct client *c);

static void send_now(struct client *c)
{
    int err = link_send(c->link, c->out.data, c->out.len);

    if (!err)
        return;
    count_error(c, "write", uv_strerror(err), strlen(uv_strerror(err)));
    c->load->in_flight--;
    close_client(c);
}

static void send_request(struct client *c, enum load_step step)
{
    c->step = step;
    if (question_write(c)) {
        close_client(c);
        return;
    }
    c->busy = true;
    if (++c->load->in_flight > c->load->most_in_flight)
        c->load->most_in_flight = c->load->in_flight;
    if (c->ready)
        send_now(c);
    else if (!c->link)
        open_link(c); /* on_ready() sends */
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
    uint64_t now = clock_measure_us(), took = now > c->meant_us ? now - c->meant_us : 0;

    if (!l->measuring)
        return;
    l->done[c->step]++;
    histogram_add(&l->latency[c->step], took);
    histogram_add(&l->row.latency[c->step], took);
}

static int on_complete(llhttp_t *http)
{
    struct client *c = http->data;
    unsigned wanted = c->step == STEP_GET ? c->load->status : 200;
    bool good = http->status_code == wanted && question_verify(c);

    c->busy = false;
    c->load->in_flight--;
    if (c->load->reconnect)
        drop_link(c);
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
    return c->ready ? 0 : HPE_PAUSED; /* the connection these bytes came by may be gone */
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
    unsigned all = 0;

    for (enum load_step step = STEP_FIND; step <= STEP_CHECKOUT; step++)
        all += l->weight[step];
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

static void on_ready(void *arg)
{
    struct client *c = arg;
    struct load *l = c->load;

    c->ready = true;
    llhttp_reset(&c->http);
    if (l->measuring) {
        l->connections++;
        l->resumed += link_resumed(c->link);
    }
    if (c->busy)
        send_now(c);
    else
        next_turn(c);
}

static void on_data(void *arg, const char *bytes, size_t n)
{
    struct client *c = arg;
    const struct link *from = c->link;
    enum llhttp_errno err = llhttp_execute(&c->http, bytes, n);

    if (c->closing || c->link != from || err == HPE_OK)
        return;
    count_error(c, "answer", "not HTTP", 8);
    if (c->busy)
        c->load->in_flight--;
    close_client(c);
}

static void on_lost(void *arg, const char *why)
{
    struct client *c = arg;
    char text[160];

    c->link = NULL;
    c->ready = false;
    (void)snprintf(text, sizeof(text), "%s, %s", c->busy ? "in a request" : "between requests", why);
    count_error(c, "connection lost", text, strlen(text));
    if (c->busy)
        c->load->in_flight--;
    close_client(c);
}

static void open_link(struct client *c)
{
    static const struct link_app app = {on_ready, on_data, on_lost};

    c->link = link_open(c->load, &app, c, c->load->resume ? &c->session : NULL);
    if (c->link)
        return;
    count_error(c, "connect", "no link", 7);
    if (c->busy)
        c->load->in_flight--;
    close_client(c);
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
    if (err) {
        free(c);
        return err;
    }
    c->hold.data = c;
    load->open++;
    open_link(c);
    return 0;
}
