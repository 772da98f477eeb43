/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - one client of the load tool: a connection, a PRA session, one request at a time.
 *
 *   find --> checkout --> (hold) --> release --> checkout ...
 *
 * Each answer is verified: status 200, the credential asked for, a secret with something in it, one hold
 * released. Any other answer counts as an error, and the client goes on with find. A client frees itself when
 * its connection has closed.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "load/load.h"

#include <errno.h>
#include <inttypes.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client {
    struct load *load;
    unsigned number;
    uv_tcp_t tcp;
    uv_timer_t hold;
    uv_connect_t connect;
    uv_write_t write;
    int open_handles;
    bool closing, busy;
    llhttp_t http;
    enum load_step step;
    struct buf out, body;
    char credential_id[300];
    uint64_t sent_us;
};

static char read_buffer[65536];
static llhttp_settings_t http_settings;

static void next_request(struct client *);

static void on_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;

    if (--c->open_handles)
        return;
    c->load->open--;
    buf_free(&c->out);
    buf_free(&c->body);
    free(c);
}

static void close_client(struct client *c)
{
    if (c->closing)
        return;
    c->closing = true;
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

static void write_session(struct client *c, struct jsonw *w)
{
    char text[96];
    const struct load *l = c->load;

    jsonw_object(w, "session");
    (void)snprintf(text, sizeof(text), "load-%u", c->number);
    jsonw_str(w, "id", text);
    jsonw_object(w, "user");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* main() has checked both formats */
    (void)snprintf(text, sizeof(text), l->user_format, l->first + c->number % l->users);
    jsonw_str(w, "username", text);
    if (*l->domain)
        jsonw_str(w, "domain", l->domain);
    jsonw_end(w);
    jsonw_object(w, "jump_item");
    jsonw_str(w, "method", "shell");
    (void)snprintf(text, sizeof(text), l->host_format, l->first + c->number % l->hosts);
#pragma GCC diagnostic pop
    jsonw_str(w, "hostname", text);
    jsonw_end(w);
    jsonw_end(w);
}

static void write_body(struct client *c, struct buf *body)
{
    struct jsonw w = jsonw_start(body);

    jsonw_object(&w, NULL);
    write_session(c, &w);
    if (c->step != STEP_FIND)
        jsonw_str(&w, "credential_id", c->credential_id);
    jsonw_end(&w);
}

static void on_written(uv_write_t *req, int status)
{
    struct client *c = req->data;

    if (status && !c->closing) {
        count_error(c, "write", uv_strerror(status), strlen(uv_strerror(status)));
        close_client(c);
    }
}

static void send_request(struct client *c)
{
    static const char *const path[] = {"/v1/credentials/find", "/v1/credentials/checkout",
                                       "/v1/credentials/release"};
    struct buf body = BUF_INIT(4096);

    write_body(c, &body);
    buf_clear(&c->out);
    (void)buf_printf(&c->out, "POST %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\n",
                     path[c->step], c->load->token.p);
    (void)buf_printf(&c->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.len);
    (void)buf_append(&c->out, body.data, body.len);
    buf_free(&body);
    if (c->out.failed) {
        close_client(c);
        return;
    }
    uv_buf_t bytes = uv_buf_init(c->out.data, (unsigned)c->out.len);
    c->write.data = c;
    c->busy = true;
    c->sent_us = clock_measure_us();
    if (++c->load->in_flight > c->load->most_in_flight)
        c->load->most_in_flight = c->load->in_flight;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_written))
        close_client(c);
}

/* ---- answers --------------------------------------------------------------------------------------------
 */

static bool has_text(const cJSON *object, const char *name)
{
    const cJSON *value = json_get(object, name);

    return cJSON_IsString(value) && *value->valuestring;
}

static bool take_find(struct client *c, const cJSON *answer)
{
    const cJSON *first = cJSON_GetArrayItem(json_get(answer, "credentials"), 0);

    if (!first || !has_text(first, "credential_id"))
        return false;
    (void)snprintf(c->credential_id, sizeof(c->credential_id), "%s",
                   json_get(first, "credential_id")->valuestring);
    return true;
}

static bool take_checkout(struct client *c, const cJSON *answer)
{
    const cJSON *id = json_get(answer, "credential_id");

    return cJSON_IsString(id) && strcmp(id->valuestring, c->credential_id) == 0 &&
           json_get(answer, "lease") && (has_text(answer, "password") || has_text(answer, "private_key"));
}

static bool take_release(const cJSON *answer)
{
    int64_t released = 0;

    return json_int(json_get(answer, "released"), &released) && released == 1;
}

static bool verify(struct client *c)
{
    const char *why;
    cJSON *answer = json_parse(c->body.data, c->body.len, 32, 0, &why);
    bool good = answer && (c->step == STEP_FIND       ? take_find(c, answer)
                           : c->step == STEP_CHECKOUT ? take_checkout(c, answer)
                                                      : take_release(answer));

    cJSON_Delete(answer);
    return good;
}

static void on_hold_over(uv_timer_t *timer)
{
    next_request(timer->data);
}

static void advance(struct client *c, bool good)
{
    bool was_checkout = c->step == STEP_CHECKOUT;

    if (!good || c->load->find_only)
        c->step = STEP_FIND;
    else
        c->step = was_checkout ? STEP_RELEASE : STEP_CHECKOUT;
    if (good && was_checkout && c->load->hold_ms && !c->load->stopping) {
        if (uv_timer_start(&c->hold, on_hold_over, c->load->hold_ms, 0) == 0)
            return;
    }
    next_request(c);
}

static int on_complete(llhttp_t *http)
{
    struct client *c = http->data;
    uint64_t us = clock_measure_us() - c->sent_us;
    bool good = http->status_code == 200 && verify(c);

    c->busy = false;
    c->load->in_flight--;
    if (c->load->measuring) {
        c->load->done[c->step]++;
        histogram_add(&c->load->latency[c->step], us);
    }
    if (!good)
        count_error(c, "answer", c->body.data ? c->body.data : "", c->body.len);
    buf_clear(&c->body);
    advance(c, good);
    return c->closing ? HPE_PAUSED : 0;
}

static int on_body(llhttp_t *http, const char *at, size_t n)
{
    struct client *c = http->data;

    return buf_append(&c->body, at, n) ? -1 : 0;
}

/* A client that holds a check-out releases it before it ends. */
static void next_request(struct client *c)
{
    if (c->closing)
        return;
    if (c->load->stopping && c->step != STEP_RELEASE) {
        close_client(c);
        return;
    }
    send_request(c);
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
    next_request(c);
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
