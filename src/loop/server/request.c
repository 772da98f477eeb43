/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - from bytes to requests: llhttp, fed phase by phase.
 *
 * The idea: llhttp gets the bytes of one part of a request at a time. It gets the head exactly as far as
 * head_scan() says, then the body; it never gets the fields after the last chunk (it would take a bare line
 * feed as their end). The parser is initialised for each request. Its callbacks only store and pause;
 * what follows from a complete head or body is done after llhttp_execute() has returned, so that the
 * application may answer, and the connection may close, with no parser on the stack.
 *
 * A few pipelined requests in one read are served in a loop here, as long as the application answers at
 * once; otherwise, and after those few, request_feed() returns early and conn_read.c keeps the rest.
 *
 * Invariant: http_app.head is called at most once per request and only for a head that head_judge() let pass;
 * after it each request ends in exactly one of http_respond(), http_abort() and gone().
 */
#include "loop/server/connection.h"

#include "base/log.h"

#include <string.h>

#define MAX_EXTENSIONS 256 /* bytes of chunk extensions in one request; no client needs more */
#define FIRST_TEXT     512
#define CLIENT_HEADS   8 /* of one connection, begun in one read; one for a stranger */

static struct http_conn *conn_of(llhttp_t *parser)
{
    return parser->data;
}

static int parser_result(int err)
{
    return err ? HPE_USER : 0;
}

static int on_text(llhttp_t *parser, const char *at, size_t n)
{
    return parser_result(head_add(&conn_of(parser)->head, at, n));
}

static int on_target_end(llhttp_t *parser)
{
    return parser_result(head_end_target(&conn_of(parser)->head));
}

static int on_name_end(llhttp_t *parser)
{
    return parser_result(head_end_name(&conn_of(parser)->head));
}

static int on_value(llhttp_t *parser, const char *at, size_t n)
{
    return parser_result(head_add_value(&conn_of(parser)->head, at, n));
}

static int on_value_end(llhttp_t *parser)
{
    return parser_result(head_end_value(&conn_of(parser)->head));
}

static int on_head(llhttp_t *parser)
{
    conn_of(parser)->head_done = true;
    parser->upgrade = 0; /* an Upgrade offer is not taken up: the body has its usual framing */
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct http_conn *c = conn_of(parser);

    if (n > c->accepted - c->body.len) {
        fault_set(&c->fault, FAULT_BODY_TOO_LARGE, "The body is longer than the %zu bytes allowed here.",
                  c->accepted);
        return HPE_USER;
    }
    return parser_result(buf_append(&c->body, at, n));
}

static int on_extension(llhttp_t *parser, const char *at, size_t n)
{
    struct http_conn *c = conn_of(parser);

    (void)at;
    c->extensions += n;
    if (c->extensions <= MAX_EXTENSIONS)
        return 0;
    fault_set(&c->fault, FAULT_INVALID_REQUEST, "The chunk extensions are too long.");
    return HPE_USER;
}

/* The last chunk: the fields after it are read by head_scan(). */
static int on_chunk(llhttp_t *parser)
{
    return parser->content_length ? 0 : HPE_PAUSED;
}

static int on_message(llhttp_t *parser)
{
    conn_of(parser)->message_done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_text,
    .on_url_complete = on_target_end,
    .on_header_field = on_text,
    .on_header_field_complete = on_name_end,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_chunk_header = on_chunk,
    .on_message_complete = on_message,
};

static void begin_request(struct http_conn *c)
{
    const struct http_peer *peer = c->req.peer;

    llhttp_init(&c->parser, HTTP_REQUEST, &settings);
    c->parser.data = c;
    c->req = (struct http_req){.conn = c, .peer = peer, .content_length = -1};
    c->scan = (struct head_scan){0};
    c->fault.code = FAULT_NONE;
    c->head_done = c->message_done = false;
    c->extensions = 0;
    /* Most heads fit without growing. If this fails, so does the first append. */
    (void)buf_reserve(&c->head.text, FIRST_TEXT);
    conn_goto(c, CONN_HEAD);
}

/* Answers llhttp's error. Its reasons are static texts without request data. */
static void refuse_parser(struct http_conn *c, llhttp_errno_t err)
{
    const char *reason = llhttp_get_error_reason(&c->parser);

    if (fault_is_set(&c->fault))
        response_refuse(c, &c->fault);
    else if (err == HPE_USER)
        conn_close(c, "out of memory");
    else if (c->parser.method == HTTP_PRI ||
             (err == HPE_INVALID_VERSION && reason && strcmp(reason, "Invalid HTTP version") == 0))
        response_refuse_with(c, FAULT_INVALID_REQUEST, 505,
                             "Only the versions 1.0 and 1.1 of HTTP are spoken.");
    else
        response_refuse_with(c, FAULT_INVALID_REQUEST, 400,
                             err == HPE_OK || !reason || !*reason ? "The request head cannot be read."
                                                                  : reason);
}

static bool has_body(const struct http_conn *c)
{
    return c->req.chunked || c->req.content_length > 0;
}

static void deliver_message(struct http_conn *c)
{
    c->req.body = c->body.len ? buf_cstr(&c->body) : "";
    c->req.body_len = c->body.len;
    if (!c->req.body) {
        conn_close(c, "out of memory");
        return;
    }
    conn_goto(c, CONN_WORK);
    if (!request_backlog_wait(c))
        c->server->app.message(c->server->app.arg, &c->req);
}

/* The application has taken the head and takes at most `accepted` bytes of body. */
static void expect_body(struct http_conn *c, int64_t accepted)
{
    c->accepted = (size_t)accepted;
    c->body = BUF_INIT(c->accepted + 1); /* and a NUL */
    if (!has_body(c)) {
        deliver_message(c);
        return;
    }
    if (c->req.content_length > accepted) {
        struct fault fault;

        fault_set(&fault, FAULT_BODY_TOO_LARGE, "The body is longer than the %zu bytes allowed here.",
                  c->accepted);
        response_refuse(c, &fault);
        return;
    }
    llhttp_resume(&c->parser);
    conn_goto(c, CONN_BODY);
    if (!c->minor0 && http_header(&c->req, "Expect"))
        response_continue(c);
}

/* The head passed: calls http_app.head. */
static void deliver_head(struct http_conn *c)
{
    struct http_server *server = c->server;
    int64_t accepted;

    c->req_open = true;
    server->busy++;
    accepted = server->app.head(server->app.arg, &c->req);
    if (!c->req_open || c->phase == CONN_CLOSED)
        return; /* the application answered, or the connection is closed */
    if (accepted < 0) {
        log_error("no_answer", "listener=%s", c->peer.listener);
        conn_close(c, "application neither took nor answered the request");
        return;
    }
    expect_body(c, accepted);
}

/* True if the client now has to send its certificate before the request goes to the application. */
static bool ask_certificate(struct http_conn *c)
{
    if (!c->listener->ask_late || !c->tls || c->asked_late)
        return false;
    c->asked_late = true;
    if (tls_ask_certificate(c->tls))
        return false; /* the client offers no way to be asked: it counts as one without a certificate */
    conn_goto(c, CONN_CERTIFICATE);
    return true;
}

static void head_complete(struct http_conn *c)
{
    struct fault fault;

    if (head_build(&c->head, &c->parser, &c->req)) {
        conn_close(c, "out of memory");
        return;
    }
    c->requests++;
    c->minor0 = c->parser.http_minor == 0;
    c->req.keep_alive = llhttp_should_keep_alive(&c->parser);
    c->req.started_ms = server_now(c->server);
    if (!head_judge(&c->parser, &c->req, &fault))
        response_refuse(c, &fault);
    else if (!ask_certificate(c))
        deliver_head(c);
}

void request_late_certificate(struct http_conn *c)
{
    c->in_feed = true;
    deliver_head(c);
    c->in_feed = false;
}

static size_t feed_head(struct http_conn *c, const char *bytes, size_t n)
{
    size_t used = 0;
    struct fault fault;
    enum head_verdict verdict = head_scan(&c->scan, bytes, n, &used, &fault);
    llhttp_errno_t err;

    if (verdict == HEAD_REFUSED) {
        response_refuse(c, &fault);
        return n;
    }
    err = llhttp_execute(&c->parser, bytes, used);
    if (verdict == HEAD_MORE && err == HPE_OK)
        return used;
    if (verdict == HEAD_END && err == HPE_PAUSED && c->head_done &&
        llhttp_get_error_pos(&c->parser) == bytes + used) {
        head_complete(c);
        return used;
    }
    refuse_parser(c, err);
    return n;
}

static size_t feed_body(struct http_conn *c, const char *bytes, size_t n)
{
    llhttp_errno_t err = llhttp_execute(&c->parser, bytes, n);
    size_t used;

    if (err == HPE_OK)
        return n;
    if (err != HPE_PAUSED) {
        refuse_parser(c, err);
        return n;
    }
    used = (size_t)(llhttp_get_error_pos(&c->parser) - bytes);
    if (c->message_done) {
        deliver_message(c);
    } else {
        head_scan_trailers(&c->scan);
        conn_goto(c, CONN_TRAILERS);
    }
    return used;
}

static size_t feed_trailers(struct http_conn *c, const char *bytes, size_t n)
{
    size_t used = 0;
    struct fault fault;

    switch (head_scan(&c->scan, bytes, n, &used, &fault)) {
    case HEAD_MORE: break;
    case HEAD_END: deliver_message(c); break;
    case HEAD_REFUSED: response_refuse(c, &fault); return n;
    }
    return used;
}

size_t request_feed(struct http_conn *c, const char *bytes, size_t n)
{
    size_t used = 0, heads = 0;
    bool more = true;

    c->in_feed = true;
    while (more && used < n) {
        switch (c->phase) {
        case CONN_IDLE:
            more = heads++ < (c->stranger ? 1 : CLIENT_HEADS);
            if (more)
                begin_request(c);
            break;
        case CONN_HEAD: used += feed_head(c, bytes + used, n - used); break;
        case CONN_BODY: used += feed_body(c, bytes + used, n - used); break;
        case CONN_TRAILERS: used += feed_trailers(c, bytes + used, n - used); break;
        default: more = false; break;
        }
    }
    c->in_feed = false;
    return used;
}
