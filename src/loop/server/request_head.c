/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_head.c - the head of a request: where it ends, what it holds, whether it may be served.
 *
 * The scanner is a table of what a byte may be in each state; its states are the parts of a head:
 *
 *   START -> METHOD -> TARGET -> VERSION -CR LF-> FIELD
 *   FIELD -> NAME -> VALUE -CR LF-> FIELD ... FIELD -CR LF-> end
 *
 * Refused here: a line end other than CR LF, a folded line, a blank before the colon, control bytes, and what
 * is over a limit. Left to llhttp: the grammar of method, version, lengths. Left to head_judge(): everything
 * that needs the whole head (Host, Transfer-Encoding, Expect, the form of the target).
 *
 * Storage: one buffer per request, and one for Authorization. llhttp reports the end of a name before the
 * first byte of its value, so a secret value is known for one before it comes. The header array is made when
 * the head is complete, since the buffer moves while it grows; until then the texts follow each other and
 * need no offsets (none can hold a NUL).
 */
#include "loop/server/request_head.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_METHOD      24
#define MAX_BLANK_LINES 4
#define MAX_HEAD_TEXT   (HTTP_MAX_TARGET + HTTP_MAX_HEADERS + 64)

enum scan_state {
    SCAN_START,
    SCAN_START_LF,
    SCAN_METHOD,
    SCAN_TARGET,
    SCAN_VERSION,
    SCAN_LINE_LF,
    SCAN_FIELD,
    SCAN_NAME,
    SCAN_VALUE,
    SCAN_END_LF,
};

static enum head_verdict refuse_head(struct fault *fault, enum fault_code code, const char *why)
{
    fault_set(fault, code, "%s", why);
    return HEAD_REFUSED;
}

static enum head_verdict refuse_malformed(struct fault *fault, const char *why)
{
    return refuse_head(fault, FAULT_INVALID_REQUEST, why);
}

static bool is_visible(unsigned char b)
{
    return b > 0x20 && b < 0x7f;
}

static bool value_byte(unsigned char b)
{
    return b == '\t' || (b >= 0x20 && b != 0x7f);
}

static enum head_verdict scan_start(struct head_scan *s, unsigned char b, struct fault *fault)
{
    if (s->state == SCAN_START_LF) {
        if (b != '\n')
            return refuse_malformed(fault, "The request begins with a stray carriage return.");
        s->state = SCAN_START;
        return HEAD_MORE;
    }
    if (b == '\r' && s->blanks < MAX_BLANK_LINES) {
        s->blanks++;
        s->state = SCAN_START_LF;
        return HEAD_MORE;
    }
    if (!is_visible(b))
        return refuse_malformed(fault, "The request does not begin with a method.");
    s->state = SCAN_METHOD;
    s->target = 1; /* counts the method until the target begins */
    return HEAD_MORE;
}

static enum head_verdict scan_request_line(struct head_scan *s, unsigned char b, struct fault *fault)
{
    if (b == ' ' && s->state != SCAN_VERSION) {
        s->state = s->state == SCAN_METHOD ? SCAN_TARGET : SCAN_VERSION;
        s->target = 0;
        return HEAD_MORE;
    }
    if (b == '\r') {
        s->state = SCAN_LINE_LF;
        return HEAD_MORE;
    }
    if (!is_visible(b))
        return refuse_malformed(fault, "The request line holds a byte that is not allowed there.");
    if (s->state == SCAN_VERSION && s->target < 5 && b != (unsigned char)"HTTP/"[s->target])
        return refuse_malformed(fault, "The request line does not end with an HTTP version.");
    s->target++;
    if (s->state == SCAN_TARGET && s->target > HTTP_MAX_TARGET)
        return refuse_head(fault, FAULT_URI_TOO_LONG, "The request target is longer than 8192 bytes.");
    if (s->state != SCAN_TARGET && s->target > MAX_METHOD)
        return refuse_malformed(fault, "The request line has no known method or version.");
    return HEAD_MORE;
}

/* The first byte of a line: a field, or the end of the head. */
static enum head_verdict scan_field(struct head_scan *s, unsigned char b, struct fault *fault)
{
    if (b == '\r') {
        s->state = SCAN_END_LF;
        return HEAD_MORE;
    }
    if (b == ' ' || b == '\t')
        return refuse_malformed(fault, "A header line is folded (it begins with a blank).");
    if (!is_visible(b) || b == ':')
        return refuse_malformed(fault, "A header line does not begin with a name.");
    if (++s->fields > HTTP_MAX_FIELDS)
        return refuse_head(fault, FAULT_HEADERS_TOO_LARGE, "The request has more than 100 header fields.");
    s->state = SCAN_NAME;
    return HEAD_MORE;
}

static enum head_verdict scan_field_rest(struct head_scan *s, unsigned char b, struct fault *fault)
{
    if (s->state == SCAN_NAME) {
        if (b == ':')
            s->state = SCAN_VALUE;
        else if (!is_visible(b))
            return refuse_malformed(fault,
                                    "A header name holds a blank or another byte that is not allowed there.");
        return HEAD_MORE;
    }
    if (b == '\r')
        s->state = SCAN_LINE_LF;
    else if (!value_byte(b))
        return refuse_malformed(fault, "A header value holds a control byte or a bare line feed.");
    return HEAD_MORE;
}

static enum head_verdict scan_byte(struct head_scan *s, unsigned char b, struct fault *fault)
{
    switch ((enum scan_state)s->state) {
    case SCAN_START:
    case SCAN_START_LF: return scan_start(s, b, fault);
    case SCAN_METHOD:
    case SCAN_TARGET:
    case SCAN_VERSION: return scan_request_line(s, b, fault);
    case SCAN_FIELD:
    case SCAN_NAME:
    case SCAN_VALUE:
        if (++s->bytes > HTTP_MAX_HEADERS)
            return refuse_head(fault, FAULT_HEADERS_TOO_LARGE,
                               "The header fields are longer than 32768 bytes.");
        return s->state == SCAN_FIELD ? scan_field(s, b, fault) : scan_field_rest(s, b, fault);
    case SCAN_LINE_LF:
        s->bytes++;
        s->state = SCAN_FIELD;
        return b == '\n' ? HEAD_MORE
                         : refuse_malformed(fault, "A carriage return is not followed by a line feed.");
    case SCAN_END_LF:
        return b == '\n' ? HEAD_END
                         : refuse_malformed(fault, "A carriage return is not followed by a line feed.");
    }
    return refuse_malformed(fault, "The request head cannot be read.");
}

static size_t name_run(const char *bytes, size_t n)
{
    size_t i = 0;

    while (i < n && is_visible((unsigned char)bytes[i]) && bytes[i] != ':')
        i++;
    return i;
}

/* Fast path: how many of the next bytes of a name or value need no look at the table. */
static size_t skip_plain(struct head_scan *s, const char *bytes, size_t n)
{
    size_t room = HTTP_MAX_HEADERS - s->bytes, run;

    if (s->state != SCAN_VALUE && s->state != SCAN_NAME)
        return 0;
    n = n < room ? n : room;
    run = s->state == SCAN_VALUE ? text_plain_run(bytes, n) : name_run(bytes, n);
    s->bytes += (uint32_t)run;
    return run;
}

enum head_verdict head_scan(struct head_scan *s, const char *bytes, size_t n, size_t *used,
                            struct fault *fault)
{
    for (size_t i = 0; i < n; i++) {
        i += skip_plain(s, bytes + i, n - i);
        if (i == n)
            break;
        enum head_verdict verdict = scan_byte(s, (unsigned char)bytes[i], fault);

        if (verdict != HEAD_MORE) {
            *used = i + 1;
            return verdict;
        }
    }
    *used = n;
    return HEAD_MORE;
}

void head_scan_trailers(struct head_scan *s)
{
    s->state = SCAN_FIELD;
}

void head_init(struct head *head)
{
    *head = (struct head){.text = BUF_INIT(MAX_HEAD_TEXT), .shown = BUF_SECRET(MAX_HEAD_TEXT)};
}

void head_free(struct head *head)
{
    buf_free(&head->text);
    buf_free(&head->shown);
    free(head->fields);
    head->fields = NULL;
    head->nfields = head->name_at = 0;
    head->secret = false;
}

int head_add(struct head *head, const char *bytes, size_t n)
{
    return buf_append(&head->text, bytes, n);
}

static bool is_secret(const char *name)
{
    return text_equal_nocase(name, "Authorization") || text_equal_nocase(name, "Proxy-Authorization");
}

int head_add_value(struct head *head, const char *bytes, size_t n)
{
    return buf_append(head->secret ? &head->shown : &head->text, bytes, n);
}

int head_end_target(struct head *head)
{
    int err = buf_char(&head->text, '\0');

    head->name_at = head->text.len;
    return err;
}

int head_end_name(struct head *head)
{
    int err = buf_char(&head->text, '\0');

    head->secret = !err && is_secret(head->text.data + head->name_at);
    return err;
}

int head_end_value(struct head *head)
{
    struct buf *value = head->secret ? &head->shown : &head->text;

    /* The text before ends with a NUL, so this stops there at the latest. */
    while (value->len && (value->data[value->len - 1] == ' ' || value->data[value->len - 1] == '\t'))
        value->len--;
    head->nfields++;
    head->name_at = head->text.len + !head->secret;
    head->secret = false;
    return buf_char(value, '\0');
}

static enum http_method known_method(const llhttp_t *parser)
{
    switch ((llhttp_method_t)parser->method) {
    case HTTP_GET: return HTTP_GET_;
    case HTTP_HEAD: return HTTP_HEAD_;
    case HTTP_POST: return HTTP_POST_;
    case HTTP_PUT: return HTTP_PUT_;
    case HTTP_DELETE: return HTTP_DELETE_;
    default: return HTTP_OTHER_;
    }
}

/* An absolute form (`http://host/path`) is served like its path; the host does not matter here. */
static char *skip_authority(char *target)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);

        if (strncasecmp(target, schemes[i], n) == 0 && target[n]) {
            char *slash = strchr(target + n, '/');

            return slash ? slash : target;
        }
    }
    return target;
}

int head_build(struct head *head, const llhttp_t *parser, struct http_req *req)
{
    char *at = head->text.data;
    const char *shown = head->shown.data;
    char *question;

    head->fields = malloc((head->nfields + 1) * sizeof(*head->fields)); /* HTTP_MAX_FIELDS at most */
    if (!head->fields || !at)
        return -ENOMEM;
    req->method = known_method(parser);
    req->method_name = llhttp_method_name((llhttp_method_t)parser->method);
    req->path = skip_authority(at);
    at += strlen(at) + 1;
    question = strchr(req->path, '?');
    if (question) {
        *question = '\0';
        req->query = question + 1;
    }
    for (size_t i = 0; i < head->nfields; i++) {
        head->fields[i].name = at;
        at += strlen(at) + 1;
        if (is_secret(head->fields[i].name)) {
            head->fields[i].value = shown;
            shown += strlen(shown) + 1;
        } else {
            head->fields[i].value = at;
            at += strlen(at) + 1;
        }
    }
    req->headers = head->fields;
    req->nheaders = head->nfields;
    req->chunked = parser->flags & F_CHUNKED;
    req->content_length = -1;
    if (parser->flags & F_CONTENT_LENGTH)
        req->content_length =
            parser->content_length > INT64_MAX ? INT64_MAX : (int64_t)parser->content_length;
    return 0;
}

static bool refuse_request(struct fault *fault, int status, const char *why)
{
    fault_set(fault, FAULT_INVALID_REQUEST, "%s", why);
    fault->http_status = status;
    return false;
}

/* The only coding understood is one `chunked`, and only in HTTP/1.1. */
static bool judge_coding(const llhttp_t *parser, const struct http_req *req, struct fault *fault)
{
    size_t n = http_header_count(req, "Transfer-Encoding");
    const char *value = http_header(req, "Transfer-Encoding");

    if (n == 0)
        return true;
    if (parser->http_minor == 0)
        return refuse_request(fault, 400, "Transfer-Encoding came with HTTP/1.1; this request is older.");
    if (n > 1 || strncasecmp(value, "chunked,", 8) == 0 || *value == '\0')
        return refuse_request(fault, 400, "Transfer-Encoding must be given once, as chunked.");
    if (!text_equal_nocase(value, "chunked"))
        return refuse_request(fault, 501, "The only Transfer-Encoding understood is chunked.");
    if (req->content_length >= 0)
        return refuse_request(fault, 400, "Content-Length and Transfer-Encoding exclude each other.");
    return true;
}

static bool judge_expect(const llhttp_t *parser, const struct http_req *req, struct fault *fault)
{
    if (parser->http_minor == 0)
        return true; /* to be ignored (RFC 9110, 10.1.1) */
    for (size_t i = 0; i < req->nheaders; i++) {
        if (text_equal_nocase(req->headers[i].name, "Expect") &&
            !text_equal_nocase(req->headers[i].value, "100-continue"))
            return refuse_request(fault, 417, "The only expectation understood is 100-continue.");
    }
    return true;
}

static bool judge_target(const llhttp_t *parser, const struct http_req *req, struct fault *fault)
{
    if (parser->method == HTTP_CONNECT)
        return refuse_request(fault, 501, "This is no proxy: CONNECT is not offered.");
    if (strcmp(req->path, "*") == 0 && parser->method == HTTP_OPTIONS)
        return true;
    if (req->path[0] != '/' || strchr(req->path, '#') || (req->query && strchr(req->query, '#')))
        return refuse_request(fault, 400, "The request target must be a path that begins with a slash.");
    return true;
}

bool head_judge(const llhttp_t *parser, const struct http_req *req, struct fault *fault)
{
    size_t hosts = http_header_count(req, "Host");

    if (parser->http_major != 1 || parser->http_minor > 1)
        return refuse_request(fault, 505, "Only the versions 1.0 and 1.1 of HTTP are spoken.");
    if (hosts > 1 || (hosts == 0 && parser->http_minor == 1))
        return refuse_request(fault, 400, "The request must have one Host header.");
    if (hosts && strpbrk(http_header(req, "Host"), " \t,/?#@"))
        return refuse_request(fault, 400, "The Host header must hold a host, and a port at most.");
    return judge_coding(parser, req, fault) && judge_target(parser, req, fault) &&
           judge_expect(parser, req, fault);
}

/* The first letters decide nearly always; bit 0x20 is what upper and lower case differ in. */
static bool header_named(const struct http_header *header, const char *name)
{
    return ((header->name[0] ^ name[0]) & ~0x20) == 0 && text_equal_nocase(header->name, name);
}

const char *http_header(const struct http_req *req, const char *name)
{
    for (size_t i = 0; i < req->nheaders; i++) {
        if (header_named(&req->headers[i], name))
            return req->headers[i].value;
    }
    return NULL;
}

size_t http_header_count(const struct http_req *req, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < req->nheaders; i++)
        n += header_named(&req->headers[i], name);
    return n;
}
