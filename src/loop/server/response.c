/* SPDX-License-Identifier: Apache-2.0 */
/*
 * response.c - responses as bytes: status line, the server's own headers, refusals.
 *
 * The application gives status, type, body and extra lines; Date, Content-Length and Connection are written
 * here. A response is one buffer for the head and the application's own buffer for the body; both leave in
 * one write. This file decides, once per response, whether the connection is kept: it is closed when either
 * side requests it, when the server drains, or when a part of the request's body is unread.
 *
 * A refusal is the server's own response to a request that the application must not see, or not see further.
 * Its body is the application's form of an error; it is sent once and ends the connection.
 */
#include "loop/server/connection.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAX_RESPONSE_HEAD 16384
#define USUAL_HEAD        320
#define SMALL_BODY        4096

#define STATUS_LINE(status, reason)                                                                          \
    {                                                                                                        \
        status, "HTTP/1.1 " #status " " reason "\r\n"                                                        \
    }

static const struct {
    int status;
    const char *line;
} status_lines[] = {
    STATUS_LINE(200, "OK"),
    STATUS_LINE(201, "Created"),
    STATUS_LINE(202, "Accepted"),
    STATUS_LINE(204, "No Content"),
    STATUS_LINE(301, "Moved Permanently"),
    STATUS_LINE(302, "Found"),
    STATUS_LINE(303, "See Other"),
    STATUS_LINE(304, "Not Modified"),
    STATUS_LINE(307, "Temporary Redirect"),
    STATUS_LINE(400, "Bad Request"),
    STATUS_LINE(401, "Unauthorized"),
    STATUS_LINE(403, "Forbidden"),
    STATUS_LINE(404, "Not Found"),
    STATUS_LINE(405, "Method Not Allowed"),
    STATUS_LINE(408, "Request Timeout"),
    STATUS_LINE(409, "Conflict"),
    STATUS_LINE(411, "Length Required"),
    STATUS_LINE(412, "Precondition Failed"),
    STATUS_LINE(413, "Content Too Large"),
    STATUS_LINE(414, "URI Too Long"),
    STATUS_LINE(415, "Unsupported Media Type"),
    STATUS_LINE(417, "Expectation Failed"),
    STATUS_LINE(422, "Unprocessable Content"),
    STATUS_LINE(429, "Too Many Requests"),
    STATUS_LINE(431, "Request Header Fields Too Large"),
    STATUS_LINE(500, "Internal Server Error"),
    STATUS_LINE(501, "Not Implemented"),
    STATUS_LINE(502, "Bad Gateway"),
    STATUS_LINE(503, "Service Unavailable"),
    STATUS_LINE(504, "Gateway Timeout"),
    STATUS_LINE(505, "HTTP Version Not Supported"),
};

/* Only the simulated vault sends a status that is not in the table. */
static void write_status(struct buf *head, int status)
{
    for (size_t i = 0; i < sizeof(status_lines) / sizeof(status_lines[0]); i++) {
        if (status_lines[i].status == status) {
            buf_str(head, status_lines[i].line);
            return;
        }
    }
    buf_printf(head, "HTTP/1.1 %d Unknown\r\n", status);
}

/* The Date line, made once per second. The program sets no locale: the names are English. */
static const char *date_line(struct http_server *server)
{
    int64_t second = clock_wall(loop_clock(server->loop)) / 1000;
    time_t t = (time_t)second;
    struct tm tm;

    if (second == server->date_s && server->date[0])
        return server->date;
    if (!gmtime_r(&t, &tm) ||
        !strftime(server->date, sizeof(server->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm))
        return "";
    server->date_s = second;
    return server->date;
}

static bool has_no_body(int status)
{
    return status == 204 || status == 304 || status < 200;
}

static void write_type(struct buf *head, const char *type)
{
    if (!type)
        return;
    buf_str(head, "Content-Type: ");
    buf_str(head, type);
    buf_str(head, "\r\n");
}

static void write_content(struct buf *head, const char *type, size_t length)
{
    char line[48] = "Content-Length: ";
    char *end = text_digits(line + strlen(line), length, 0);

    memcpy(end, "\r\n", 2);
    write_type(head, type);
    buf_append(head, line, (size_t)(end + 2 - line));
}

int response_head(struct http_conn *c, const struct http_response *r, bool close, bool pieces,
                  struct buf *head)
{
    size_t length = r->body ? r->body->len : 0;

    /* With TLS a short body will follow in the same buffer. If this fails, so does an append. */
    buf_reserve(head, USUAL_HEAD + (c->tls && length < SMALL_BODY ? length : 0));
    write_status(head, r->status);
    buf_str(head, r->date ? r->date : date_line(c->server));
    if (pieces) {
        write_type(head, r->content_type);
        buf_str(head, c->minor0 ? "" : "Transfer-Encoding: chunked\r\n");
    } else if (!has_no_body(r->status)) {
        write_content(head, r->content_type, length);
    }
    if (close)
        buf_str(head, "Connection: close\r\n");
    else if (c->minor0)
        buf_str(head, "Connection: keep-alive\r\n");
    if (r->headers)
        buf_str(head, r->headers);
    buf_str(head, "\r\n");
    return head->failed ? -ENOMEM : 0;
}

static void send_response(struct http_conn *c, const struct http_response *r, bool close)
{
    /* With TLS the body is appended to the head before it is encrypted: it needs memory of the same kind. */
    struct buf head = {.max = MAX_RESPONSE_HEAD, .secret = r->body && r->body->secret};
    struct buf body = BUF_INIT(SIZE_MAX / 4);
    /* Without a head the method is unknown; then the body is sent. */
    bool silent = has_no_body(r->status) || c->req.method == HTTP_HEAD_;
    int err = response_head(c, r, close, false, &head);

    if (r->body) {
        if (!silent)
            buf_move(&body, r->body);
        buf_free(r->body);
    }
    conn_clear_request(c);
    c->ending = close ? ENDING_POLITE : ENDING_KEEP;
    conn_goto(c, CONN_RESPONSE);
    if (err)
        conn_close(c, "response head too large or out of memory");
    else
        conn_send(c, &head, &body);
    buf_free(&head);
    buf_free(&body);
}

/* Is a part of the body unread? Then the start of the next request is unknown. */
static bool body_outstanding(const struct http_conn *c)
{
    return c->phase != CONN_WORK && (c->req.chunked || c->req.content_length > 0);
}

bool response_closes(const struct http_conn *c)
{
    return !c->req.keep_alive || c->server->last_answers || c->untrusted || body_outstanding(c);
}

void http_respond(struct http_req *req, const struct http_response *response)
{
    struct http_conn *c = req->conn;
    bool close;

    if (!c->req_open) {
        log_error("answered_twice", "listener=%s status=%d", c->peer.listener, response->status);
        if (response->body)
            buf_free(response->body);
        return;
    }
    conn_request_over(c);
    close = response->close || response_closes(c);
    send_response(c, response, close);
    conn_settle(c);
}

void http_send_part(struct http_req *req, const char *bytes, size_t n)
{
    struct http_conn *c = req->conn;
    struct buf raw = BUF_INIT(n);
    struct buf none = BUF_INIT(0);

    if (!c->req_open)
        return;
    if (buf_append(&raw, bytes, n))
        conn_close(c, "out of memory");
    else
        conn_send(c, &raw, &none);
    buf_free(&raw);
    conn_settle(c);
}

bool http_is_sending(const struct http_req *req)
{
    return req->conn->writes != 0;
}

void http_abort(struct http_req *req, const char *bytes, size_t n, bool reset)
{
    struct http_conn *c = req->conn;
    struct buf raw = BUF_INIT(n);

    if (!c->req_open)
        return;
    conn_request_over(c);
    if (n && buf_append(&raw, bytes, n)) {
        conn_close(c, "out of memory");
        return;
    }
    conn_clear_request(c);
    c->ending = reset ? ENDING_RESET : ENDING_ABRUPT;
    conn_goto(c, CONN_RESPONSE);
    conn_send(c, &raw, &BUF_INIT(0));
    buf_free(&raw);
    conn_settle(c);
}

void response_refuse(struct http_conn *c, const struct fault *fault)
{
    struct http_server *server = c->server;
    struct buf body = BUF_INIT(MAX_RESPONSE_HEAD);
    struct buf extra = BUF_INIT(MAX_RESPONSE_HEAD / 2);
    const struct http_req *req = c->head_done && c->req.path ? &c->req : NULL;
    struct http_response response = {.status = fault_status(fault), .close = true};

    response.content_type = server->app.refuse(server->app.arg, &c->peer, req, fault, &body, &extra);
    response.body = &body;
    response.headers = extra.len ? buf_cstr(&extra) : NULL;
    conn_drop_request(c);
    if (c->phase != CONN_CLOSED)
        send_response(c, &response, true);
    buf_free(&body);
    buf_free(&extra);
}

void response_refuse_with(struct http_conn *c, enum fault_code code, int status, const char *detail)
{
    struct fault fault;

    fault_set(&fault, code, "%s", detail);
    fault.http_status = status;
    response_refuse(c, &fault);
}

void response_continue(struct http_conn *c)
{
    struct buf line = BUF_INIT(64);

    if (buf_str(&line, "HTTP/1.1 100 Continue\r\n\r\n"))
        conn_close(c, "out of memory");
    else
        conn_send(c, &line, &BUF_INIT(0));
    buf_free(&line);
}
