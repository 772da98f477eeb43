/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_http.c - the bytes of a client through the real connection code, over a socket pair.
 *
 * First byte: how the rest is cut. The same bytes go over one connection whole and over another in pieces.
 * Both must show the application the same requests (method, target, fields, body): that the border between
 * two requests does not depend on how bytes arrive is what keeps requests from being smuggled. What comes
 * back must be whole answers, exactly one for each that the application gave and at most one refusal, which
 * is the last.
 *
 * The application: a path that begins with /hold is answered in a later turn, everything else at once; it
 * takes bodies of up to ACCEPT bytes. Time stands still until the end, when it runs until everything is over.
 */
#include "fuzz.h"

#include "loop/server/connection.h"

#include <fcntl.h>
#include <sanitizer/lsan_interface.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT    512
#define INPUT_MAX 12000 /* less than a connection keeps ahead: what comes is never too much */
#define SEEN_MAX  (1U << 20)
#define TURNS     64

struct side {
    struct buf seen; /* what the application was shown */
    struct buf out;  /* what came back */
    unsigned heads, answers, refusals, gones;
    struct http_req *held;
};

static struct loop *loop;
static struct http_server *server;
static struct listener listener;
static struct side *now;
static uint64_t time_ms = 1000;

static uint64_t fake_now(void *arg)
{
    (void)arg;
    return time_ms;
}

static int64_t fake_wall(void *arg)
{
    (void)arg;
    return INT64_C(784111777000);
}

/* ---- the application ---- */

static void respond(struct http_req *req)
{
    struct buf body = BUF_INIT(64);
    bool head = req->method == HTTP_HEAD_;

    FUZZ_ASSERT(buf_str(&body, "well") == 0);
    now->answers++;
    http_respond(req, &(struct http_response){.status = 200,
                                              .content_type = "text/plain",
                                              .body = &body,
                                              .headers = head ? "X-Head: yes\r\n" : NULL});
    buf_free(&body);
}

static int64_t app_head(void *arg, struct http_req *req)
{
    (void)arg;
    FUZZ_ASSERT(!now->held && req->method_name && req->path && req->path[0]);
    FUZZ_ASSERT(req->nheaders <= HTTP_MAX_FIELDS && strlen(req->path) <= HTTP_MAX_TARGET);
    FUZZ_ASSERT(!(req->chunked && req->content_length >= 0));
    now->heads++;
    (void)buf_printf(&now->seen, "%s %s?%s\n", req->method_name, req->path, req->query ? req->query : "");
    for (size_t i = 0; i < req->nheaders; i++) {
        FUZZ_ASSERT(!strpbrk(req->headers[i].name, "\r\n: ") && !strpbrk(req->headers[i].value, "\r\n"));
        (void)buf_printf(&now->seen, "%s: %s\n", req->headers[i].name, req->headers[i].value);
    }
    return ACCEPT;
}

static void app_message(void *arg, struct http_req *req)
{
    (void)arg;
    FUZZ_ASSERT(req->body_len <= ACCEPT && req->body[req->body_len] == '\0');
    FUZZ_ASSERT(req->chunked || req->content_length < 0 || (size_t)req->content_length == req->body_len);
    (void)buf_append(&now->seen, req->body, req->body_len);
    (void)buf_str(&now->seen, "\n.\n");
    if (strncmp(req->path, "/hold", 5) == 0)
        now->held = req;
    else
        respond(req);
}

static void app_gone(void *arg, struct http_req *req)
{
    (void)arg;
    now->gones++;
    if (now->held == req)
        now->held = NULL;
}

static const char *app_refuse(void *arg, const struct http_peer *peer, const struct http_req *req,
                              const struct fault *fault, struct buf *body, struct buf *headers)
{
    (void)peer;
    (void)arg;
    if (req && req->method == HTTP_HEAD_)
        (void)buf_str(headers, "X-Head: yes\r\n");
    FUZZ_ASSERT(fault->detail[0] && fault_status(fault) >= 400);
    now->refusals++;
    (void)buf_str(body, "no");
    return "text/plain";
}

static void begin(void)
{
    static struct clock clock = {.now_ms = fake_now, .wall_ms = fake_wall};
    static const struct http_app app = {
        .head = app_head, .message = app_message, .gone = app_gone, .refuse = app_refuse};
    static char name[] = "fuzz";

    if (loop)
        return;
    loop = loop_new_clock(&clock);
    FUZZ_ASSERT(loop);
    __lsan_disable(); /* it lives in memory of its own, where the search for leaks sees no pointers */
    server = http_server_new(loop,
                             &(struct http_server_opts){.max_connections = 4,
                                                        .header_timeout_ms = 5000,
                                                        .body_timeout_ms = 5000,
                                                        .idle_timeout_ms = 5000,
                                                        .write_timeout_ms = 5000},
                             &app);
    __lsan_enable();
    FUZZ_ASSERT(server);
    listener = (struct listener){.server = server, .name = name, .is_unix = true, .open = true, .fd = -1};
}

/* ---- one connection ---- */

static void collect(int fd)
{
    char bytes[4096];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        FUZZ_ASSERT(buf_append(&now->out, bytes, (size_t)n) == 0);
}

/* Turns until nothing moves any more: no request in work, nothing new to read. */
static void settle(int fd)
{
    for (int quiet = 0, i = 0; quiet < 3 && i < TURNS * 4; i++) {
        unsigned before = now->answers + now->refusals + now->heads;

        loop_iterate(loop);
        if (now->held) {
            struct http_req *req = now->held;

            now->held = NULL;
            respond(req);
        }
        collect(fd);
        quiet = before == now->answers + now->refusals + now->heads ? quiet + 1 : 0;
    }
}

static void run(struct side *side, const char *bytes, size_t n, size_t step)
{
    int fds[2];

    now = side;
    *side = (struct side){.seen = BUF_INIT(SEEN_MAX), .out = BUF_INIT(SEEN_MAX)};
    FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    conn_accept(&listener, fds[0], NULL, PLACE_COUNTED);
    for (size_t at = 0; at < n; at += step) {
        size_t len = n - at < step ? n - at : step;

        if (send(fds[1], bytes + at, len, MSG_NOSIGNAL) < 0)
            break; /* it has refused us and closed */
        settle(fds[1]);
    }
    FUZZ_ASSERT(shutdown(fds[1], SHUT_WR) == 0 || n);
    for (int i = 0; server->nconns && i < TURNS; i++) {
        settle(fds[1]);
        time_ms += 6000;
    }
    collect(fds[1]);
    close(fds[1]);
    FUZZ_ASSERT(server->nconns == 0 && server->busy == 0 && !side->held);
}

/* ---- what came back ---- */

/* The length of one answer at the start of the text; 0 = it is not one. */
static size_t answer_length(const char *text, size_t n, int *status)
{
    const char *end = memmem(text, n, "\r\n\r\n", 4);
    const char *length;
    char *head;
    size_t len;

    if (!end || n < 12 || strncmp(text, "HTTP/1.1 ", 9) != 0)
        return 0;
    head = strndup(text, (size_t)(end - text) + 2);
    FUZZ_ASSERT(head);
    *status = atoi(head + 9);
    length = strstr(head, "Content-Length: ");
    len = (size_t)(end - text) + 4;
    if (length && !strstr(head, "X-Head: yes"))
        len += strtoul(length + 16, NULL, 10);
    free(head);
    return len;
}

static void check_answers(const struct side *side)
{
    const char *at = side->out.data;
    size_t left = side->out.len;
    unsigned answers = 0, refusals = 0;

    while (left) {
        int status = 0;
        size_t n = answer_length(at, left, &status);

        FUZZ_ASSERT(n && n <= left);
        FUZZ_ASSERT(!refusals);
        answers += status == 200;
        refusals += status >= 400;
        at += n;
        left -= n;
    }
    FUZZ_ASSERT(answers <= side->answers && refusals <= side->refusals && side->refusals <= 1);
    FUZZ_ASSERT(side->answers <= side->heads);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    size_t step = fuzz_byte(&in) % 32 + 1U;
    struct side whole, pieces;

    begin();
    if (in.left > INPUT_MAX)
        in.left = INPUT_MAX;
    if (in.left / step > 256)
        step = in.left / 256;
    run(&whole, in.at, in.left, in.left ? in.left : 1);
    check_answers(&whole);
    run(&pieces, in.at, in.left, step);
    check_answers(&pieces);
    FUZZ_ASSERT(!whole.seen.failed && whole.seen.len == pieces.seen.len);
    FUZZ_ASSERT(!whole.seen.len || memcmp(whole.seen.data, pieces.seen.data, whole.seen.len) == 0);
    FUZZ_ASSERT(whole.answers == pieces.answers && whole.refusals == pieces.refusals);
    buf_free(&whole.seen);
    buf_free(&whole.out);
    buf_free(&pieces.seen);
    buf_free(&pieces.out);
    return 0;
}
