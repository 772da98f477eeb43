/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.c - one HTTP/1.1 request and its answer.
 *
 * The request is written by a dozen appends; the answer is read by llhttp in strict mode. Only the
 * headers named in call_headers and Set-Cookie are kept; trailers are dropped. Interim answers (1xx) are
 * skipped, 101 is an error since nothing was asked to be upgraded.
 *
 * The answer ends by Content-Length, by its last chunk, by the head alone (HEAD, 204, 304), or, where none of
 * these applies, by the orderly end of the connection. llhttp is paused there: a connection that sent bytes
 * after that point is not used again. Neither is one whose answer ended by its head alone but announced a
 * body, since that body may come late, nor one whose answer is a 408, which a server sends to a connection
 * and not to a request.
 *
 * Blanks after the size of a chunk, which RFC 9112 7.1.1 allows, are removed here, because llhttp refuses
 * them. llhttp is paused where a size begins.
 *
 * Limits: max_answer for the body (a Content-Length over it fails before a byte is stored), 64 kB for all
 * head lines, 16 kB for cookies.
 *
 * Not here: sockets, time, retries (conn_pool.c, upstream.c).
 */
#include "loop/upstream/exchange.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REQUEST_HEAD_MAX 65536
#define OVERHEAD_MAX     65536
#define AHEAD_MAX        262144
#define BODY_INLINE_MAX  16384 /* larger request bodies are sent from where they are */

#ifndef JG_VERSION
#define JG_VERSION "0"
#endif

static const char *const wanted[CALL_NHEADERS] = {
    [CALL_DATE] = "Date",
    [CALL_RETRY_AFTER] = "Retry-After",
    [CALL_2FA] = "WWW-Authenticate-2FA",
    [CALL_CONTENT_TYPE] = "Content-Type",
    [CALL_RATE_REMAINING] = "X-RateLimit-Remaining",
    [CALL_LAST_PAGE] = "X-BT-Pagination-Last-Page",
};

static int parse_failed(struct exchange *x, int err, const char *why)
{
    x->err = err;
    text_copy(x->call->why, sizeof(x->call->why), why);
    return HPE_USER;
}

/* ---- what llhttp reports ---- */

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
    struct exchange *x = parser->data;

    if (x->name_len + n >= sizeof(x->name)) {
        x->name_len = sizeof(x->name); /* longer than any that is kept */
        return 0;
    }
    memcpy(x->name + x->name_len, at, n);
    x->name_len += n;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name(const struct exchange *x, const char *name)
{
    return text_equal_nocase_n(x->name, x->name_len, name, strlen(name));
}

static int on_header_field_complete(llhttp_t *parser)
{
    struct exchange *x = parser->data;

    x->want = CALL_NHEADERS;
    x->is_cookie = false;
    if (!x->in_head || x->name_len >= sizeof(x->name)) {
        x->name_len = 0;
        return 0;
    }
    for (int i = 0; i < CALL_NHEADERS; i++) {
        if (!x->call->value[i][0] && is_name(x, wanted[i])) /* the first one counts */
            x->want = (enum call_headers)i;
    }
    x->is_cookie = is_name(x, "Set-Cookie");
    x->name_len = 0;
    return 0;
}

static int append_to(struct exchange *x, struct buf *to, const char *at, size_t n)
{
    int err = buf_append(to, at, n);

    if (err == -EMSGSIZE)
        return parse_failed(x, err, "the answer is larger than allowed");
    return err ? parse_failed(x, err, "out of memory") : 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t n)
{
    struct exchange *x = parser->data;

    if (x->is_cookie)
        return append_to(x, &x->call->cookies, at, n);
    if (x->want != CALL_NHEADERS) {
        char *value = x->call->value[x->want];
        size_t have = strlen(value);
        text_copy_n(value + have, sizeof(x->call->value[0]) - have, at, n);
    }
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct exchange *x = parser->data;

    if (x->want != CALL_NHEADERS) {
        char *value = x->call->value[x->want];
        size_t n = strlen(value);
        while (n && is_blank(value[n - 1]))
            value[--n] = '\0';
    }
    return x->is_cookie ? append_to(x, &x->call->cookies, "\n", 1) : 0;
}

/* The size of a chunk comes next. */
static int begin_size(struct exchange *x)
{
    x->size = SIZE_FIRST;
    return HPE_PAUSED;
}

static int on_chunk_complete(llhttp_t *parser)
{
    return parser->flags & F_TRAILING ? 0 : begin_size(parser->data);
}

static bool announces_body(const llhttp_t *parser)
{
    return (parser->flags & F_TRANSFER_ENCODING) ||
           ((parser->flags & F_CONTENT_LENGTH) && parser->content_length);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct exchange *x = parser->data;
    struct call *call = x->call;

    if (parser->http_major != 1)
        return parse_failed(x, -EPROTO, "the answer is not HTTP/1");
    if (parser->status_code == 101 || parser->status_code < 100)
        return parse_failed(x, -EPROTO, "the answer has an impossible status");
    if (parser->status_code < 200)
        return announces_body(parser) ? parse_failed(x, -EPROTO, "an interim answer announces a body") : 0;
    if ((parser->flags & F_TRANSFER_ENCODING) && !(parser->flags & F_CHUNKED))
        return parse_failed(x, -EPROTO, "the answer has an unknown transfer coding");
    x->in_head = false;
    call->status = parser->status_code;
    bool bodyless = !strcmp(call->method, "HEAD") || call->status == 204 || call->status == 304;
    x->doubt = call->status == 408 || (bodyless && announces_body(parser));
    if (bodyless)
        return 1; /* tells llhttp that no body follows, whatever the head announces */
    if (parser->flags & F_CHUNKED)
        return begin_size(x);
    if (!(parser->flags & F_CONTENT_LENGTH) || !parser->content_length)
        return 0;
    if (parser->content_length > call->body_in.max)
        return parse_failed(x, -EMSGSIZE, "the answer is larger than allowed");
    /* A length is only announced: memory for a large answer is taken as its bytes come. */
    size_t ahead = parser->content_length < AHEAD_MAX ? (size_t)parser->content_length : AHEAD_MAX;
    if (!call->piece && buf_reserve(&call->body_in, ahead))
        return parse_failed(x, -ENOMEM, "out of memory");
    return 0;
}

static int give_piece(struct exchange *x, const char *at, size_t n)
{
    struct call *call = x->call;

    if (n > call->body_in.max - x->given)
        return parse_failed(x, -EMSGSIZE, "the answer is larger than allowed");
    x->given += n;
    int r = call->piece(call, at, n);
    if (r < 0) {
        x->err = r;
        if (!call->why[0])
            text_copy(call->why, sizeof(call->why), "the answer cannot be used");
        return HPE_USER;
    }
    x->paused |= r == CALL_PAUSE;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct exchange *x = parser->data;

    if (x->call->piece)
        return give_piece(x, at, n);
    return append_to(x, &x->call->body_in, at, n);
}

static int on_message_complete(llhttp_t *parser)
{
    struct exchange *x = parser->data;

    if (x->in_head) { /* 1xx: its headers are not the answer's */
        memset(x->call->value, 0, sizeof(x->call->value));
        buf_clear(&x->call->cookies);
        return 0;
    }
    x->complete = true;
    x->keep = llhttp_should_keep_alive(parser) == 1 && !x->doubt;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_complete = on_chunk_complete,
    .on_message_complete = on_message_complete,
};

/* ---- the request ---- */

void exchange_init(struct exchange *x)
{
    memset(x, 0, sizeof(*x));
    x->out = BUF_SECRET(REQUEST_HEAD_MAX + BODY_INLINE_MAX); /* Cookie, Authorization */
}

void exchange_free(struct exchange *x)
{
    buf_free(&x->out);
}

/* Every line of `headers` ends with \r\n, none is empty, no \r or \n is elsewhere. */
static bool lines_valid(const char *p)
{
    while (p && *p) {
        const char *end = strchr(p, '\n');
        if (!end || end < p + 2 || memchr(p, '\r', (size_t)(end - p)) != end - 1)
            return false;
        p = end + 1;
    }
    return true;
}

bool exchange_valid(const struct call *call)
{
    const unsigned char *p = (const unsigned char *)call->target;

    if (!call->method || !*call->method || strcspn(call->method, " \r\n") != strlen(call->method))
        return false;
    if (!p || *p != '/')
        return false;
    while (*p > ' ' && *p < 0x7f)
        p++;
    return *p == '\0' && lines_valid(call->headers);
}

static void add_length(struct buf *out, const struct call *call)
{
    if (call->body || !strcmp(call->method, "POST") || !strcmp(call->method, "PUT"))
        buf_printf(out, "Content-Length: %zu\r\n", call->body ? call->body_len : 0);
}

int exchange_begin(struct exchange *x, struct call *call, const char *host)
{
    struct buf *out = &x->out;

    buf_clear(out);
    out->failed = false;
    buf_str(out, call->method);
    buf_char(out, ' ');
    buf_str(out, call->target);
    buf_str(out, " HTTP/1.1\r\nHost: ");
    buf_str(out, host);
    buf_str(out, "\r\nUser-Agent: jumpgate/" JG_VERSION "\r\n");
    if (call->headers)
        buf_str(out, call->headers);
    add_length(out, call);
    buf_str(out, "\r\n");
    bool inlined = call->body && call->body_len <= BODY_INLINE_MAX;
    if (inlined)
        buf_append(out, call->body, call->body_len);
    if (out->failed || out->len > REQUEST_HEAD_MAX + (inlined ? call->body_len : 0)) {
        bool large = out->len >= REQUEST_HEAD_MAX;
        buf_clear(out);
        return large ? -EMSGSIZE : -ENOMEM;
    }
    x->call = call;
    x->body = inlined ? NULL : call->body;
    x->body_len = x->body ? call->body_len : 0;
    x->out_sent = x->body_sent = x->overhead = x->name_len = x->given = 0;
    x->want = CALL_NHEADERS;
    x->is_cookie = x->began = x->complete = x->doubt = x->keep = x->paused = false;
    x->in_head = true;
    x->size = SIZE_NOT;
    x->err = 0;
    llhttp_init(&x->parser, HTTP_RESPONSE, &settings);
    x->parser.data = x;
    return 0;
}

void exchange_finish(struct exchange *x)
{
    buf_clear(&x->out);
    x->body = NULL;
    x->body_len = x->body_sent = x->out_sent = 0;
    x->call = NULL;
}

size_t exchange_unsent(const struct exchange *x, const char **bytes)
{
    if (x->out_sent < x->out.len) {
        *bytes = x->out.data + x->out_sent;
        return x->out.len - x->out_sent;
    }
    *bytes = x->body ? x->body + x->body_sent : NULL;
    return x->body_len - x->body_sent;
}

void exchange_sent(struct exchange *x, size_t n)
{
    if (x->out_sent < x->out.len) {
        x->out_sent += n;
        if (x->out_sent == x->out.len) {
            buf_clear(&x->out); /* cookies and tokens are gone as soon as they are sent */
            x->out_sent = 0;
        }
        return;
    }
    x->body_sent += n;
}

/* ---- the answer ---- */

static int protocol_error(struct exchange *x, enum llhttp_errno code)
{
    if (!x->err) {
        x->err = -EPROTO;
        snprintf(x->call->why, sizeof(x->call->why), "the answer is not valid HTTP (%s)",
                 llhttp_errno_name(code));
    }
    return x->err;
}

/*
 * How many bytes at *p llhttp may have at once; 0 = none yet, or x->err is set. Moves *p over blanks behind a
 * size. After these only the end of the size may follow: llhttp would take a digit for one more of the
 * number.
 */
static size_t next_run(struct exchange *x, const char **p, const char *end)
{
    size_t left, run = 0;

    if (x->size == SIZE_BLANKS) {
        while (*p < end && is_blank(**p))
            ++*p;
        if (*p == end)
            return 0;
        x->size = SIZE_NOT;
        if (**p != '\r' && **p != ';') {
            (void)parse_failed(x, -EPROTO, "the answer is not valid HTTP (blank in the size of a chunk)");
            return 0;
        }
    }
    left = (size_t)(end - *p);
    if (x->size == SIZE_NOT)
        return left;
    while (run < left && isxdigit((unsigned char)(*p)[run]))
        run++;
    x->size = run ? SIZE_MORE : x->size;
    if (run == left)
        return run;
    x->size = x->size == SIZE_MORE && is_blank((*p)[run]) ? SIZE_BLANKS : SIZE_NOT;
    return x->size == SIZE_BLANKS ? run : left;
}

/* HPE_OK = all taken; HPE_PAUSED = the answer is complete, before `end` or there. */
static enum llhttp_errno feed_parser(struct exchange *x, const char *p, const char *end)
{
    enum llhttp_errno code = HPE_OK;

    while (p < end && code == HPE_OK) {
        size_t run = next_run(x, &p, end);
        if (x->err)
            return HPE_USER;
        code = run ? llhttp_execute(&x->parser, p, run) : HPE_OK;
        p += run;
        if (code == HPE_PAUSED && !x->complete) { /* a size begins */
            p = llhttp_get_error_pos(&x->parser);
            llhttp_resume(&x->parser);
            code = HPE_OK;
        }
    }
    return code;
}

int exchange_feed(struct exchange *x, const char *bytes, size_t n)
{
    size_t stored = x->call->body_in.len + x->given;

    x->began = true;
    enum llhttp_errno code = feed_parser(x, bytes, bytes + n);
    if (code == HPE_PAUSED) {
        if (llhttp_get_error_pos(&x->parser) != bytes + n)
            x->keep = false;
        return EXCHANGE_DONE;
    }
    if (code != HPE_OK)
        return protocol_error(x, code);
    size_t body = x->call->body_in.len + x->given;
    x->overhead += n - (body - stored);
    if (x->overhead > OVERHEAD_MAX + 8 * body) {
        parse_failed(x, -EMSGSIZE, "the head of the answer is larger than allowed");
        return x->err;
    }
    return EXCHANGE_MORE;
}

int exchange_end(struct exchange *x)
{
    if (x->began && !x->in_head && llhttp_finish(&x->parser) == HPE_PAUSED && x->complete) {
        x->keep = false;
        return EXCHANGE_DONE;
    }
    x->err = -ECONNRESET;
    text_copy(x->call->why, sizeof(x->call->why),
              x->began ? "the connection ended in the middle of the answer"
                       : "the connection ended before an answer");
    return x->err;
}

bool exchange_reusable(const struct exchange *x)
{
    const char *bytes;

    return x->complete && x->keep && exchange_unsent(x, &bytes) == 0;
}
