/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - what an answer of the site is worth.
 *
 * The site answers errors with status 200, a proxy answers pages with any status, and a cut answer looks like
 * a short one. So an answer is good only if all of it is: status 200, a content type of its kind or none, a
 * body that is complete, well-formed and of the expected kind. Everything else is a failure with a name, and
 * the order in which these are looked for is the order of the functions below.
 *
 * The body of an XML call is parsed as it comes.
 *
 * Not here: which calls are repeated (client.c).
 */
#include "backends/pra/client_internal.h"

#include "base/container_of.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

/* ---- pieces ---- */

static bool is_own(enum pra_call_kind kind)
{
    return kind >= PRA_NCALLS;
}

const struct pra_xml_reader *pra_reader_of(const struct pra_call *call)
{
    return is_own(call->kind) ? call->own.reader : pra_reader(call->kind);
}

static bool says_type(const struct call *http, const char *word)
{
    return strcasestr(http->value[CALL_CONTENT_TYPE], word) != NULL;
}

static bool begins_archive(const struct pra_call *call, const char *bytes)
{
    return call->kind == PRA_CALL_ARCHIVE && call->http.status == 200 &&
           (bytes[0] == 'P' || says_type(&call->http, "zip")) && bytes[0] != '<';
}

static void begin_xml(struct pra_call *call)
{
    void *ctx = is_own(call->kind) ? call->own.ctx : &call->answer;

    call->answer.lsid = call->lsid;
    call->xml = pra_xml_new(pra_reader_of(call), ctx);
}

/* The first letter decides: '{' is a JSON error, 'P' an archive where one may come, everything else is for
 * the XML parser. 0 or -errno. */
int pra_answer_piece(struct pra_call *call, const char *bytes, size_t n)
{
    bool first = !call->xml && !call->archive && !call->body.len;

    if (first && begins_archive(call, bytes))
        call->archive = true;
    else if (first && bytes[0] != '{')
        begin_xml(call);
    if (call->archive)
        return call->own.bytes(call, bytes, n);
    if (call->xml)
        pra_xml_feed(call->xml, bytes, n);
    else
        (void)buf_append(&call->body, bytes, n); /* what does not fit makes it unreadable */
    return 0;
}

/* ---- no answer ---- */

static enum pra_fault fault_of_connect(enum call_fault fault)
{
    switch (fault) {
    case CALL_FAULT_NAME: return PRA_NAME_UNKNOWN;
    case CALL_FAULT_REFUSED: return PRA_REFUSED_TCP;
    case CALL_FAULT_TIMEOUT: return PRA_CONNECT_LATE;
    case CALL_FAULT_ISSUER: return PRA_TLS_ISSUER;
    case CALL_FAULT_WRONG_NAME: return PRA_TLS_NAME;
    case CALL_FAULT_EXPIRED: return PRA_TLS_EXPIRED;
    case CALL_FAULT_NO_TLS: return PRA_TLS_NONE;
    default: return PRA_NO_CONNECTION;
    }
}

static enum pra_fault fault_of_transport(const struct call *http)
{
    switch (http->err) {
    case -ECONNREFUSED: return fault_of_connect(http->fault);
    case -ETIMEDOUT: return PRA_TIMEOUT;
    case -ECONNRESET: return PRA_LOST;
    case -EMSGSIZE: return PRA_TOO_LARGE;
    case -ENOMEM: return PRA_NO_MEMORY;
    case -ECANCELED: return PRA_CANCELLED;
    default: return PRA_NONSENSE;
    }
}

/* ---- JSON errors ---- */

static bool is_one_of(const char *word, const char *const words[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(word, words[i]))
            return true;
    return false;
}

static const struct buf *json_body(const struct pra_call *call)
{
    const struct buf *body = call->http.piece ? &call->body : &call->http.body_in;

    return body->len && !call->xml && body->data[0] == '{' ? body : NULL;
}

/* The Configuration API answers 401 when it does not know a parameter, too: then without `error`, and the
 * token is good. */
static bool is_unknown_parameter(const struct pra_call *call, const char *error)
{
    return (call->kind == PRA_CALL_JUMPOINTS || call->kind == PRA_CALL_PAGE) && call->result.status == 401 &&
           !*error;
}

/* An OAuth error, or the error of another API. PRA_OK = the body is none. */
static enum pra_fault judge_json_error(struct pra_call *call)
{
    static const char *const of_client[] = {"invalid_client", "invalid_credentials", "unauthorized_client",
                                            "invalid_grant"};
    struct pra_result *r = &call->result;
    const struct buf *body = json_body(call);
    char error[PRA_WORD_SIZE], message[PRA_TEXT_SIZE];

    if (!body || !pra_read_json_error(body, error, message))
        return is_unknown_parameter(call, "") ? PRA_SITE_ERROR : PRA_OK;
    if (!*error && !*message && r->status == 200)
        return PRA_OK;
    text_copy(r->text, sizeof(r->text), *message ? message : error);
    if (call->kind == PRA_CALL_TOKEN && is_one_of(error, of_client, sizeof(of_client) / sizeof(*of_client)))
        return PRA_CLIENT_REFUSED;
    if (call->kind != PRA_CALL_TOKEN && !strcmp(error, "access_denied"))
        return PRA_TOKEN_REFUSED;
    if (is_unknown_parameter(call, error))
        return PRA_SITE_ERROR;
    return r->status == 200 ? PRA_SITE_ERROR : PRA_OK;
}

/* ---- status ---- */

static enum pra_fault judge_status(const struct pra_call *call)
{
    int status = call->result.status;

    if (call->kind == PRA_CALL_TOKEN && (status == 400 || status == 401 || status == 403))
        return PRA_CLIENT_REFUSED;
    if (status == 401 && pra_needs_token(call->kind))
        return PRA_TOKEN_REFUSED;
    if (status == 403)
        return PRA_DENIED;
    if (status >= 300 && status < 400)
        return PRA_REDIRECT;
    if (status == 429)
        return PRA_RATE_LIMITED;
    if (status == 503)
        return PRA_UNAVAILABLE;
    return status == 200 ? PRA_OK : PRA_STATUS;
}

static bool begins_page(const struct buf *body)
{
    size_t at = 0;

    while (at < body->len && (isspace((unsigned char)body->data[at]) || (body->data[at] & 0x80)))
        at++;
    return at < body->len && body->data[at] == '<';
}

/* A page in the answer's place, whatever its status. */
static bool is_page(const struct pra_call *call, enum pra_fault parsed)
{
    if (call->http.piece)
        return parsed == PRA_WEB_PAGE || says_type(&call->http, "html");
    return call->kind == PRA_CALL_PROBE ? !pra_is_probe_line(&call->http.body_in)
                                        : says_type(&call->http, "html") || begins_page(&call->http.body_in);
}

/* ---- bodies ---- */

static enum pra_fault judge_xml(struct pra_call *call, enum pra_fault parsed)
{
    const char *type = call->http.value[CALL_CONTENT_TYPE];

    if ((parsed && parsed != PRA_NO_ROWS) || !*type || call->archive || says_type(&call->http, "xml"))
        return parsed;
    text_copy(call->result.text, sizeof(call->result.text), "the content type is not XML");
    return PRA_NONSENSE;
}

/* What the page says is read by the caller. */
static enum pra_fault take_page(struct pra_call *call)
{
    struct pra_answer *answer = &call->answer;
    const char *last = call->http.value[CALL_LAST_PAGE];

    if (*last && !text_int(last, 0, 1000000, &answer->last_page))
        return PRA_NONSENSE;
    buf_move(&answer->page, &call->http.body_in);
    return PRA_OK;
}

static enum pra_fault judge_json(struct pra_client *client, struct pra_call *call)
{
    const struct call *http = &call->http;
    const char *type = http->value[CALL_CONTENT_TYPE];

    if (*type && !says_type(http, "json")) {
        text_copy(call->result.text, sizeof(call->result.text), "the content type is not JSON");
        return PRA_NONSENSE;
    }
    if (call->kind == PRA_CALL_TOKEN)
        return pra_token_take(&client->token, &http->body_in, clock_now(client->clock));
    if (call->kind == PRA_CALL_PAGE)
        return take_page(call);
    return pra_read_jumpoints(&call->answer, &http->body_in, call->page, http->value[CALL_LAST_PAGE]);
}

/* 200 and 500 are a site's answers to a probe. */
static enum pra_fault judge_probe(struct pra_call *call, enum pra_fault by_status)
{
    if (call->result.status != 200 && call->result.status != 500)
        return by_status == PRA_DENIED || by_status == PRA_RATE_LIMITED ? PRA_STATUS : by_status;
    if (is_page(call, PRA_OK))
        return PRA_WEB_PAGE;
    call->answer.probe_healthy = call->result.status == 200;
    return PRA_OK;
}

static enum pra_fault judge_answer(struct pra_client *client, struct pra_call *call)
{
    struct pra_result *r = &call->result;
    bool unread = call->http.piece && !call->archive;
    enum pra_fault parsed = call->xml ? pra_xml_end(call->xml, r->text) : unread ? PRA_NONSENSE : PRA_OK;
    enum pra_fault fault = judge_json_error(call), by_status = judge_status(call);

    if (call->kind == PRA_CALL_PROBE)
        return judge_probe(call, by_status);
    if (fault)
        return fault;
    if (by_status == PRA_STATUS && (parsed == PRA_SITE_ERROR || parsed == PRA_NO_ROWS))
        return PRA_SITE_ERROR; /* its words say more than the status; and it is no empty answer */
    if (by_status == PRA_OK || by_status == PRA_STATUS) {
        if (is_page(call, parsed))
            return PRA_WEB_PAGE;
        by_status = by_status          ? by_status
                    : call->http.piece ? judge_xml(call, parsed)
                                       : judge_json(client, call);
    }
    bool report = call->kind == PRA_CALL_LISTING || call->kind == PRA_CALL_SESSION || is_own(call->kind);
    return by_status == PRA_NO_ROWS && !report ? PRA_SITE_ERROR : by_status;
}

/* ---- headers ---- */

/* The seconds or the date of Retry-After, at most PRA_PAUSE_MAX_MS; 0 = it says nothing. */
static uint64_t retry_after_ms(const struct pra_client *client, const char *value)
{
    int64_t seconds, at, left = 0;

    if (text_int(value, 0, PRA_PAUSE_MAX_MS / 1000, &seconds))
        return (uint64_t)seconds * 1000;
    if (*value && text_only(value, "0123456789"))
        return PRA_PAUSE_MAX_MS;
    if (clock_parse_http_date(value, &at))
        return 0;
    left = at - clock_wall(client->clock);
    if (left <= 0)
        return 1;
    return left < PRA_PAUSE_MAX_MS ? (uint64_t)left : PRA_PAUSE_MAX_MS;
}

static void read_headers(struct pra_client *client, struct pra_call *call)
{
    const struct call *http = &call->http;
    uint64_t now = clock_now(client->clock);

    call->has_date = !clock_parse_http_date(http->value[CALL_DATE], &call->date_ms);
    pra_budget_remaining(&client->budget, now, http->value[CALL_RATE_REMAINING]);
    if (http->status != 429 && http->status != 503)
        return;
    call->result.retry_after_ms = retry_after_ms(client, http->value[CALL_RETRY_AFTER]);
    pra_budget_pause(&client->budget, now, call->result.retry_after_ms);
    if (!call->result.retry_after_ms)
        call->result.retry_after_ms = pra_budget_usual_pause(&client->budget);
}

void pra_answer_lost(struct pra_call *call)
{
    char text[PRA_TEXT_SIZE];

    if (call->xml && is_own(call->kind))
        (void)pra_xml_end(call->xml, text);
}

void pra_answer_judge(struct pra_client *client, struct pra_call *call)
{
    const struct call *http = &call->http;
    struct pra_result *r = &call->result;

    *r = (struct pra_result){.failed = call->kind, .sent = http->sent || !http->err};
    call->has_date = false;
    if (http->err) {
        pra_answer_lost(call);
        r->fault = fault_of_transport(http);
        pra_text_clean(r->text, sizeof(r->text), http->why, strlen(http->why));
    } else {
        r->status = http->status;
        read_headers(client, call);
        r->fault = judge_answer(client, call);
        r->page = r->fault == PRA_WEB_PAGE || says_type(http, "html");
    }
    if (r->fault)
        pra_answer_free(&call->answer);
}
