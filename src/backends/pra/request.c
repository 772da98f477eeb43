/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - the requests of each kind of call, as text.
 *
 * Token and secret stand in headers only, in memory that is wiped; a URL may be logged on the way. What only
 * reads is a GET; terminate_session is a POST, so that nothing on the way repeats or caches it. Bodies are
 * forms. Each request asks the site to close the connection after its answer.
 */
#include "backends/pra/client_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>

#define HEADERS_MAX 16384
#define TARGET_MAX  1024
#define FORM_MAX    65536
#define FORM_TYPE   "Content-Type: application/x-www-form-urlencoded\r\n"
#define CLOSE       "Connection: close\r\n"

static const struct request_row {
    const char *method, *accept;
    bool report; /* it has the time of a report */
} rows[PRA_NKINDS] = {
    [PRA_CALL_PROBE] = {"GET", "*/*", false},
    [PRA_CALL_TOKEN] = {"POST", "application/json", false},
    [PRA_CALL_INFO] = {"GET", "application/xml, text/xml", false},
    [PRA_CALL_HEALTH] = {"GET", "application/xml, text/xml", false},
    [PRA_CALL_JUMPOINTS] = {"GET", "application/json", false},
    [PRA_CALL_LISTING] = {"GET", "application/xml, text/xml", true},
    [PRA_CALL_SESSION] = {"GET", "application/xml, text/xml", true},
    [PRA_CALL_TERMINATE] = {"POST", "application/xml, text/xml", false},
    [PRA_CALL_REPORT] = {"GET", "application/xml, text/xml", true},
    [PRA_CALL_ARCHIVE] = {"GET", "application/zip, application/xml, text/xml", true},
    [PRA_CALL_PAGE] = {"GET", "application/json", false},
};

static int write_target(struct pra_call *call)
{
    struct buf *to = &call->target;

    switch (call->kind) {
    case PRA_CALL_PROBE: return buf_str(to, "/check_health");
    case PRA_CALL_TOKEN: return buf_str(to, "/oauth2/token");
    case PRA_CALL_INFO: return buf_str(to, "/api/command?action=get_api_info");
    case PRA_CALL_HEALTH: return buf_str(to, "/api/command?action=check_health");
    case PRA_CALL_TERMINATE: return buf_str(to, "/api/command");
    case PRA_CALL_JUMPOINTS:
        return buf_printf(to, "/api/config/v1/jumpoint?per_page=%d&current_page=%u", PRA_PAGE_ROWS,
                          call->page);
    case PRA_CALL_LISTING:
        return buf_printf(
            to, "/api/reporting?generate_report=AccessSessionListing&end_time=%" PRId64 "&duration=%" PRId64,
            call->end_time_s, call->duration_s);
    case PRA_CALL_SESSION:
        return buf_printf(to, "/api/reporting?generate_report=AccessSession&lsid=%s", call->lsid);
    default: return buf_str(to, call->own.target);
    }
}

static int write_form(struct pra_call *call)
{
    if (call->kind == PRA_CALL_TOKEN)
        return buf_str(&call->form, "grant_type=client_credentials");
    if (call->kind == PRA_CALL_TERMINATE)
        return buf_printf(&call->form, "action=terminate_session&lsid=%s", call->lsid);
    return call->own.form ? buf_str(&call->form, call->own.form) : 0;
}

/* Basic: client id and secret, in base64. */
static int write_basic(const struct pra_client *client, struct buf *to)
{
    struct buf plain = BUF_SECRET(HEADERS_MAX / 2);
    char *base64;
    size_t room;

    (void)buf_str(&plain, client->client_id);
    (void)buf_char(&plain, ':');
    (void)buf_append(&plain, client->secret.p ? client->secret.p : "", client->secret.len);
    room = 4 * ((plain.len + 2) / 3) + 1; /* EVP_EncodeBlock() writes a NUL */
    (void)buf_str(to, "Authorization: Basic ");
    base64 = plain.failed ? NULL : buf_add(to, room);
    if (base64) {
        int n = EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)plain.data, (int)plain.len);
        to->len -= room - (size_t)n;
    }
    buf_free(&plain);
    return base64 ? buf_str(to, "\r\n") : -ENOMEM;
}

static int write_headers(const struct pra_client *client, struct pra_call *call)
{
    struct buf *to = &call->headers;

    if (call->kind == PRA_CALL_TOKEN) {
        if (write_basic(client, to))
            return -ENOMEM;
    } else if (pra_needs_token(call->kind)) {
        (void)buf_str(to, "Authorization: Bearer ");
        (void)buf_append(to, client->token.text.p, client->token.text.len);
        (void)buf_str(to, "\r\n");
    }
    (void)buf_printf(to, "Accept: %s\r\n" CLOSE, rows[call->kind].accept);
    if (call->form.len)
        (void)buf_str(to, FORM_TYPE);
    return to->failed ? -ENOMEM : 0;
}

int pra_request_write(struct pra_client *client, struct pra_call *call)
{
    const struct request_row *row = &rows[call->kind];
    uint64_t usual = row->report ? client->report_timeout_ms : client->call_timeout_ms;

    call->target = BUF_INIT(TARGET_MAX);
    call->form = BUF_INIT(FORM_MAX);
    call->headers = BUF_SECRET(HEADERS_MAX);
    call->body = BUF_INIT(PRA_BODY_MAX);
    if (write_target(call) || write_form(call) || write_headers(client, call))
        return -ENOMEM;
    call->http = (struct call){
        .method = call->own.form ? "POST" : row->method,
        .target = buf_cstr(&call->target),
        .headers = buf_cstr(&call->headers),
        .body = call->form.len ? buf_cstr(&call->form) : NULL,
        .body_len = call->form.len,
        .secret = call->kind == PRA_CALL_TOKEN,
        .timeout_ms = call->timeout_ms && call->timeout_ms < usual ? call->timeout_ms : usual,
        .max_answer = client->max_answer,
    };
    size_t most = call->kind == PRA_CALL_PAGE ? PRA_PAGE_MAX : PRA_BODY_MAX;
    if (!pra_reader_of(call) && call->http.max_answer > most)
        call->http.max_answer = most;
    return call->http.target && call->http.headers ? 0 : -ENOMEM;
}
