/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery.c - the sending of an answer: as it should be, or spoiled by a fault rule; see delivery.h.
 *
 * A proper answer goes through http_respond(). A spoiled one is written here byte by byte and sent with
 * http_abort(), which closes the connection after it. Its head does not announce that, so the client must
 * notice.
 */
#include "sim/delivery.h"

#include <string.h>

static const char garbage_bytes[] = "\x16\x03\x01\x02HTTP/9 banana\r\n\x00\xff\xfe{]";
static const char extra_bytes[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n\"extra\"";

static const char *phrase(int status)
{
    static const struct {
        int status;
        const char *text;
    } phrases[] = {{200, "OK"},
                   {201, "Created"},
                   {204, "No Content"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {409, "Conflict"},
                   {429, "Too Many Requests"},
                   {500, "Internal Server Error"},
                   {503, "Service Unavailable"}};

    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (phrases[i].status == status)
            return phrases[i].text;
    return "Other";
}

void delivery_head(struct buf *out, const struct sim_answer *a)
{
    (void)buf_printf(out, "HTTP/1.1 %d %s\r\n", a->status, phrase(a->status));
    if (a->content_type)
        (void)buf_printf(out, "Content-Type: %s\r\n", a->content_type);
    (void)buf_append(out, a->headers.data ? a->headers.data : "", a->headers.len);
}

static void put_length(struct buf *out, const struct sim_answer *a)
{
    if (a->status != 204)
        (void)buf_printf(out, "Content-Length: %zu\r\n", a->body.len);
    (void)buf_str(out, "\r\n");
}

static void put_body(struct buf *out, const struct sim_answer *a, size_t n)
{
    (void)buf_append(out, a->body.data ? a->body.data : "", n);
}

static void put_chunks(struct buf *out, const struct sim_answer *a)
{
    size_t half = a->body.len / 2;

    (void)buf_str(out, "Transfer-Encoding: chunked\r\n\r\n");
    if (half)
        (void)buf_printf(out, "%zx;note=first\r\n%.*s\r\n", half, (int)half, a->body.data);
    if (a->body.len - half)
        (void)buf_printf(out, "%zX\r\n%.*s\r\n", a->body.len - half, (int)(a->body.len - half),
                         a->body.data + half);
    (void)buf_str(out, "0\r\nX-Trailer: done\r\n\r\n");
}

static void put_spoiled(struct buf *out, int kind, const struct sim_answer *a)
{
    if (kind == INJECT_GARBAGE) {
        (void)buf_append(out, garbage_bytes, sizeof(garbage_bytes) - 1);
        return;
    }
    if (kind == INJECT_DROP_AFTER)
        return;
    if (kind == INJECT_INFORMATIONAL)
        (void)buf_str(out, "HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n");
    delivery_head(out, a);
    if (kind == INJECT_CHUNKED && a->status != 204) {
        put_chunks(out, a);
        return;
    }
    if (kind == INJECT_NO_LENGTH)
        (void)buf_str(out, "\r\n");
    else
        put_length(out, a);
    put_body(out, a, kind == INJECT_TRUNCATE ? a->body.len / 2 : a->body.len);
    if (kind == INJECT_EXTRA)
        (void)buf_append(out, extra_bytes, sizeof(extra_bytes) - 1);
}

static bool spoils(int kind)
{
    return kind != INJECT_NONE && kind != INJECT_STATUS && kind != INJECT_STATUS_AFTER && kind < INJECT_OWN;
}

void delivery_send(struct http_req *req, const struct fault_injection_rule *rule, struct sim_answer *a,
                   const struct delivery_opts *opts)
{
    int kind = rule ? rule->kind : INJECT_NONE;
    struct buf raw = BUF_INIT(a->body.len + 16384);

    if (spoils(kind)) {
        put_spoiled(&raw, kind, a);
        http_abort(req, raw.data, raw.failed ? 0 : raw.len, false);
        buf_free(&raw);
        return;
    }
    http_respond(req, &(struct http_response){.status = a->status,
                                              .content_type = a->content_type,
                                              .body = &a->body,
                                              .headers = a->headers.len ? buf_cstr(&a->headers) : NULL,
                                              .close = opts->close,
                                              .date = opts->date});
}
