/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_rig.c - a server with a small application, and clients, in one thread; see http_rig.h.
 *
 * Nothing here waits for time: a wait is "turn the loop until", with a bound that only a broken server
 * reaches.
 */
#include "http_rig.h"
#include "secrets_gone.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_TURNS 5000
#define BIG       (8U * 1024 * 1024)

const struct http_server_opts rig_opts = {
    .max_connections = 100,
    .header_timeout_ms = SECONDS(5),
    .body_timeout_ms = SECONDS(20),
    .idle_timeout_ms = MINUTES(1),
    .write_timeout_ms = SECONDS(10),
    .max_pipelined = 16384,
};

static uint64_t fake_now(void *arg)
{
    return ((struct rig *)arg)->now;
}

static int64_t fake_wall(void *arg)
{
    (void)arg;
    return INT64_C(784111777) * 1000; /* Sun, 06 Nov 1994 08:49:37 GMT */
}

/* ---- the application ---- */

static void answer_text(struct http_req *req, int status, const char *text, size_t n)
{
    struct buf body = BUF_INIT(2 * BIG);

    assert_int_equal(buf_append(&body, text, n), 0);
    http_respond(
        req, &(struct http_response){
                 .status = status, .content_type = "text/plain", .body = &body, .headers = "X-App: yes\r\n"});
    assert_int_equal(body.len, 0);
}

void rig_answer(struct rig *rig, int status, const char *text)
{
    struct http_req *req = rig->held;

    assert_non_null(req);
    rig->held = NULL;
    answer_text(req, status, text, strlen(text));
}

static void note(struct rig *rig, const struct http_req *req)
{
    const char *header = http_header(req, "x-test");

    snprintf(rig->method, sizeof(rig->method), "%s", req->method_name);
    snprintf(rig->path, sizeof(rig->path), "%s", req->path);
    snprintf(rig->query, sizeof(rig->query), "%s", req->query ? req->query : "(none)");
    snprintf(rig->header, sizeof(rig->header), "%s", header ? header : "(none)");
    snprintf(rig->peer, sizeof(rig->peer), "%s", req->peer->address);
    rig->nheaders = req->nheaders;
    rig->uid = req->peer->uid;
    rig->certificate = req->peer->certificate;
    rig->sans[0] = '\0';
    for (size_t i = 0; i < req->peer->nsans; i++) {
        size_t at = strlen(rig->sans);

        snprintf(rig->sans + at, sizeof(rig->sans) - at, "%s ", req->peer->sans[i]);
    }
}

static int64_t app_head(void *arg, struct http_req *req)
{
    struct rig *rig = arg;

    rig->heads++;
    assert_null(req->app); /* of the request before */
    req->app = rig;
    req->urgent = strcmp(req->path, "/urgent") == 0;
    rig->last = req;
    note(rig, req);
    if (http_header(req, "Authorization") && strcmp(http_header(req, "Authorization"), "client") == 0)
        http_known(req);
    if (strcmp(req->path, "/reject") == 0) {
        answer_text(req, 403, "no", 2);
        return -1;
    }
    return rig->accept;
}

static void answer_big(struct http_req *req)
{
    char *text = malloc(BIG);

    assert_non_null(text);
    memset(text, 'x', BIG);
    answer_text(req, 200, text, BIG);
    free(text);
}

static void on_rig_closed(void *arg)
{
    ((struct rig *)arg)->closed = true;
}

static void app_message(void *arg, struct http_req *req)
{
    static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab";
    struct rig *rig = arg;

    rig->messages++;
    if (req->urgent)
        rig->urgent_at = rig->messages;
    snprintf(rig->path_begun, sizeof(rig->path_begun), "%s", req->path);
    assert_int_equal(strlen(req->body), req->body_len);
    snprintf(rig->body, sizeof(rig->body), "%s", req->body);
    if (rig->close_in_message) {
        http_server_close(rig->server, on_rig_closed, rig);
        rig->server = NULL;
    } else if (strcmp(req->path, "/hold") == 0) {
        assert_null(rig->held);
        rig->held = req;
    } else if (strcmp(req->path, "/echo") == 0) {
        answer_text(req, 200, req->body, req->body_len);
    } else if (strcmp(req->path, "/big") == 0) {
        answer_big(req);
    } else if (strcmp(req->path, "/none") == 0) {
        answer_text(req, 204, "must not be sent", 16);
    } else if (strcmp(req->path, "/abort") == 0 || strcmp(req->path, "/reset") == 0) {
        http_abort(req, cut, sizeof(cut) - 1, strcmp(req->path, "/reset") == 0);
    } else {
        answer_text(req, 404, "?", 1);
    }
}

static void app_gone(void *arg, struct http_req *req)
{
    struct rig *rig = arg;

    rig->gones++;
    if (rig->held == req)
        rig->held = NULL;
    if (rig->gone_answers)
        http_respond(req, &(struct http_response){.status = 200});
}

static const char *app_refuse(void *arg, const struct http_peer *peer, const struct http_req *req,
                              const struct fault *fault, struct buf *body, struct buf *extra)
{
    struct rig *rig = arg;

    (void)peer;
    rig->refusals++;
    rig->fault = *fault;
    rig->refused_with_request = req != NULL;
    buf_printf(body, "refused: %s", fault->detail);
    buf_str(extra, "X-Refused: yes\r\n");
    return "application/problem+json";
}

static void app_drained(void *arg, struct http_req *req)
{
    struct rig *rig = arg;

    assert_ptr_equal(rig->held, req);
    rig->drains++;
}

/* ---- the rig ---- */

static bool app_knows(void *arg, const struct http_peer *peer)
{
    (void)arg;
    return peer->nsans > 0;
}

static void start(struct rig *rig, const struct http_server_opts *opts, bool strangers)
{
    struct http_app app = {.arg = rig,
                           .head = app_head,
                           .message = app_message,
                           .gone = app_gone,
                           .refuse = app_refuse,
                           .drained = app_drained,
                           .knows = strangers ? app_knows : NULL};

    memset(rig, 0, sizeof(*rig));
    rig->now = 1000;
    rig->accept = 1000;
    rig->clock = (struct clock){.now_ms = fake_now, .wall_ms = fake_wall, .arg = rig};
    rig->loop = loop_new_clock(&rig->clock);
    assert_non_null(rig->loop);
    rig->server = http_server_new(rig->loop, opts ? opts : &rig_opts, &app);
    assert_non_null(rig->server);
}

void rig_start(struct rig *rig, const struct http_server_opts *opts)
{
    start(rig, opts, false);
}

void rig_start_strangers(struct rig *rig, const struct http_server_opts *opts)
{
    start(rig, opts, true);
}

void rig_listen(struct rig *rig, const struct http_listen_opts *opts)
{
    char why[256] = "";

    if (http_listen(rig->server, opts, rig->address, why))
        fail_msg("%s", why);
}

void rig_start_plain(struct rig *rig)
{
    rig_start(rig, NULL);
    rig_listen(rig, &(struct http_listen_opts){.name = "test", .host = "127.0.0.1"});
}

void rig_iterate(struct rig *rig)
{
    loop_iterate(rig->loop);
}

void rig_iterate_n(struct rig *rig, int n)
{
    while (n-- > 0) {
        rig_iterate(rig);
        (void)poll(NULL, 0, 1);
    }
}

void rig_wait(struct rig *rig, int iteration)
{
    rig_iterate(rig);
    if (iteration > 1000)
        (void)poll(NULL, 0, 1);
}

void rig_advance(struct rig *rig, uint64_t ms)
{
    rig_iterate_n(rig, 3);
    rig->now += ms;
    rig_iterate_n(rig, 3);
}

void rig_end(struct rig *rig)
{
    if (rig->server)
        http_server_close(rig->server, on_rig_closed, rig);
    for (int i = 0; i < MAX_TURNS && !rig->closed; i++)
        rig_iterate(rig);
    assert_true(rig->closed);
    assert_null(rig->held);
    assert_int_equal(loop_free(rig->loop), 0);
    assert_secrets_gone();
}

/* ---- clients ---- */

static void connect_tcp(struct client *client, const char *address, const char *source)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    char host[128];
    char *colon;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    snprintf(host, sizeof(host), "%s", address);
    colon = strrchr(host, ':');
    assert_non_null(colon);
    *colon = '\0';
    if (host[0] == '[') {
        colon[-1] = '\0';
        in6.sin6_port = htons((uint16_t)atoi(colon + 1));
        assert_int_equal(inet_pton(AF_INET6, host + 1, &in6.sin6_addr), 1);
        client->fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(client->fd, (struct sockaddr *)&in6, sizeof(in6)), 0);
        return;
    }
    in.sin_port = htons((uint16_t)atoi(colon + 1));
    assert_int_equal(inet_pton(AF_INET, host, &in.sin_addr), 1);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (source) {
        assert_int_equal(inet_pton(AF_INET, source, &from.sin_addr), 1);
        assert_int_equal(bind(client->fd, (struct sockaddr *)&from, sizeof(from)), 0);
    }
    assert_int_equal(connect(client->fd, (struct sockaddr *)&in, sizeof(in)), 0);
}

static void connect_unix(struct client *client, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&un, sizeof(un)), 0);
}

void client_open_from(struct client *client, struct rig *rig, const char *source)
{
    memset(client, 0, sizeof(*client));
    client->rig = rig;
    if (strncmp(rig->address, "unix:", 5) == 0)
        connect_unix(client, rig->address + 5);
    else
        connect_tcp(client, rig->address, source);
    assert_int_equal(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
}

void client_open(struct client *client, struct rig *rig)
{
    client_open_from(client, rig, NULL);
}

void client_close(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
    client->ssl = NULL;
    client->ctx = NULL;
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

void client_send_n(struct client *client, const char *bytes, size_t n)
{
    for (int i = 0; i < MAX_TURNS && n; i++) {
        ssize_t done = client->ssl ? (ssize_t)SSL_write(client->ssl, bytes, (int)n)
                                   : send(client->fd, bytes, n, MSG_NOSIGNAL);

        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
        } else if (!client->ssl && errno != EAGAIN) {
            return; /* the server has closed: the test looks at what it said */
        }
        if (n)
            client_poll(client);
    }
}

void client_send(struct client *client, const char *text)
{
    client_send_n(client, text, strlen(text));
}

void client_forget(struct client *client)
{
    client->len = 0;
    client->in[0] = '\0';
}

static ssize_t take(struct client *client)
{
    size_t room = sizeof(client->in) - 1 - client->len;
    ssize_t got;

    if (!client->ssl)
        return recv(client->fd, client->in + client->len, room, 0);
    got = SSL_read(client->ssl, client->in + client->len, (int)room);
    if (got > 0)
        return got;
    switch (SSL_get_error(client->ssl, (int)got)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default: client->failed = true; return 0;
    }
}

void client_poll(struct client *client)
{
    struct pollfd p = {.fd = client->fd, .events = POLLIN};
    ssize_t got;

    rig_iterate(client->rig);
    if (client->eof || client->reset || (poll(&p, 1, 1) <= 0 && !client->ssl))
        return;
    got = take(client);
    if (got > 0)
        client->len += (size_t)got;
    else if (got == 0)
        client->eof = true;
    else if (errno != EAGAIN)
        client->reset = true;
    client->in[client->len] = '\0';
}

unsigned client_count(const struct client *client, const char *text)
{
    unsigned n = 0;

    for (const char *at = client->in; (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

void client_expect(struct client *client, const char *text, unsigned n)
{
    for (int i = 0; i < MAX_TURNS && client_count(client, text) < n && !client->eof && !client->reset; i++)
        client_poll(client);
    if (client_count(client, text) < n)
        fail_msg("expected %u x \"%s\", got (%zu bytes, eof %d, reset %d): %.2000s", n, text, client->len,
                 client->eof, client->reset, client->in);
}

void client_expect_end(struct client *client)
{
    for (int i = 0; i < MAX_TURNS && !client->eof && !client->reset; i++)
        client_poll(client);
    if (!client->eof && !client->reset)
        fail_msg("the connection stays open after: %.500s", client->in);
}

void client_expect_held(struct client *client)
{
    for (int i = 0; i < MAX_TURNS && !client->rig->held; i++)
        client_poll(client);
    assert_non_null(client->rig->held);
}
