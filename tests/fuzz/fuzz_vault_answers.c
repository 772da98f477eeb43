/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_vault_answers.c - what a vault says, through everything that reads it after HTTP.
 *
 * First byte: which reader; second: the status. Then the body, 0xff, the Set-Cookie lines, 0xff, the jar that
 * is there already. Readers: the lists (of each kind), policy, request, credential, check-in, active
 * requests, the words of a refusal, the OAuth token, a jar of cookies, a string's escapes, and a page in the
 * vault's place for each operation.
 *
 * An HTML page is believed by no operation, whatever its status and the rest of it: it is FAILED, and of
 * unknown outcome where the operation has effects. It is neither a session nor a refusal of a sign-in. Other
 * promises: a reader ends with OK or with a fault whose words are clean UTF-8; a row has system, account and
 * a name; a jar fits on one header line; an unescaped text does not exceed its source.
 */
#include "fuzz.h"

#include "backends/password_safe/internal.h"
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

enum reader {
    LIST,
    POLICY,
    REQUEST,
    CREDENTIAL,
    CHECKIN,
    REQUESTS,
    REFUSAL,
    TOKEN,
    COOKIES,
    STRING,
    PAGE,
    NREADERS
};

static uint64_t no_time(void *arg)
{
    (void)arg;
    return 1000000;
}

static int64_t no_wall(void *arg)
{
    (void)arg;
    return INT64_C(1790000000000);
}

static const struct clock clock_still = {.now_ms = no_time, .wall_ms = no_wall};
static const struct conf_vault conf = {
    .name = "fuzz", .call_timeout_ms = 1000, .minute_ms = 60000, .max_answer = 65536};
static const enum ps_operation operations[REFUSAL] = {
    [LIST] = PS_LIST,       [POLICY] = PS_POLICY,     [REQUEST] = PS_REQUEST, [CREDENTIAL] = PS_CREDENTIAL,
    [CHECKIN] = PS_CHECKIN, [REQUESTS] = PS_REQUESTS,
};

static void check_words(const struct vault_call *out)
{
    FUZZ_ASSERT(out->fault.detail[0] && utf8_valid(out->fault.detail, strlen(out->fault.detail)));
    FUZZ_ASSERT(fault_status(&out->fault) >= 400);
}

static void check_rows(const struct account_list *list)
{
    for (size_t i = 0; list && i < list->n; i++) {
        FUZZ_ASSERT((list->rows[i].system_id > 0 || list->rows[i].alias) && list->rows[i].account_id > 0);
        FUZZ_ASSERT(list->rows[i].account && list->rows[i].kind < KIND_NKINDS);
    }
}

static void read_answer(struct ps_call *call, enum reader which)
{
    struct vault_call out = {.user = "u", .result = VAULT_FAILED};
    enum ps_next next;

    call->op = &ps_operations[operations[which]];
    call->call.call.out = &out;
    next = call->op->read(call);
    if (next == PS_DONE && out.result != VAULT_OK && fault_is_set(&out.fault))
        check_words(&out);
    FUZZ_ASSERT(next == PS_MORE || out.result == VAULT_OK || fault_is_set(&out.fault));
    check_rows(out.accounts);
    FUZZ_ASSERT(which != REQUEST || out.result != VAULT_OK || request_key_number(out.request_key) > 0);
    FUZZ_ASSERT(which != CREDENTIAL || out.result != VAULT_OK ||
                (out.secret.len && !out.secret.p[out.secret.len]));
    vault_call_free(&out);
}

static void read_refusal(struct ps_call *call, unsigned char kind)
{
    struct vault_call out = {.user = "u"};
    struct ps_error_text words = {0};
    uint64_t delay = 0;

    call->op = &ps_operations[operations[kind % REFUSAL]];
    call->call.call.out = &out;
    ps_error_text_read(&call->call.call.http.body_in, &words);
    FUZZ_ASSERT(utf8_valid(words.text, strlen(words.text)));
    ps_error_status(call->ps, call->op, &call->call.call.http, &out);
    if (out.result != VAULT_OK && out.result != VAULT_GONE)
        check_words(&out);
    FUZZ_ASSERT(!http_vault_is_page(&call->call.call.http) || out.result == VAULT_FAILED);
    (void)http_vault_is_retryable(&call->ps->http, &call->call.call.http, &delay);
    vault_call_free(&out);
}

/* The page of somebody else, by its first letter or by what it calls itself. */
static void make_page(struct call *http, unsigned char kind)
{
    static const char *const starts[] = {"<", "\xef\xbb\xbf<", " \r\n\t<!", "<html>"};
    struct buf page = BUF_INIT(1U << 22);

    if (kind & 1)
        memcpy(http->value[CALL_CONTENT_TYPE], "text/html; charset=utf-8", 25);
    else
        FUZZ_ASSERT(buf_str(&page, starts[kind / 2 % 4]) == 0);
    FUZZ_ASSERT(buf_append(&page, http->body_in.data ? http->body_in.data : "", http->body_in.len) == 0);
    buf_free(&http->body_in);
    http->body_in = page;
    if (http->status == 204) /* has no body */
        http->status = 203;
}

static void read_page(struct ps_call *call, unsigned char kind)
{
    make_page(&call->call.call.http, kind);
    FUZZ_ASSERT(!ps_is_signin_success(&call->call.call.http) && !ps_is_signin_refusal(&call->call.call.http));
    for (int i = PS_SIGN_IN + 1; i < PS_NOPERATIONS; i++) {
        struct vault_call out = {.user = "u", .result = VAULT_OK};

        call->op = &ps_operations[i];
        call->call.call.out = &out;
        call->call.call.may_have_happened = false;
        FUZZ_ASSERT(ps_call_read(call) == PS_DONE);
        FUZZ_ASSERT(out.result == VAULT_FAILED && call->call.call.may_have_happened == call->op->effects);
        FUZZ_ASSERT(!out.accounts && !out.directory && !out.secret.len && !out.active.rows &&
                    !*out.request_key);
        check_words(&out);
        vault_call_free(&out);
    }
}

static void merge(const char *jar, size_t len, const struct buf *set)
{
    struct buf out = BUF_INIT(PS_HEADERS_MAX);

    if (ps_cookies_merge(jar, len, set, no_wall(NULL), &out) == 0)
        for (size_t i = 0; i < out.len; i++)
            FUZZ_ASSERT((unsigned char)out.data[i] >= 0x20 || out.data[i] == '\t');
    FUZZ_ASSERT(out.len <= PS_HEADERS_MAX);
    buf_free(&out);
}

static void unescape(const struct buf *body)
{
    struct secret text = {0};

    if (json_unescape(body->data ? body->data : "", body->len, &text) == 0) {
        FUZZ_ASSERT(text.len <= body->len && text.p[text.len] == '\0');
        FUZZ_ASSERT(utf8_valid(text.p, text.len));
    }
    secret_clear(&text);
}

static void take(struct buf *to, struct fuzz_input *in)
{
    size_t len;
    char *text = fuzz_text(in, &len);

    FUZZ_ASSERT(buf_append(to, text, len) == 0);
    free(text);
}

static void dispatch(struct ps_call *call, unsigned char which, struct fuzz_input *in)
{
    enum reader reader = (enum reader)(which % NREADERS);
    char *jar;
    size_t len;

    call->kind = (enum account_kind)(which / NREADERS % (KIND_NKINDS + 1));
    if (reader < REFUSAL) {
        read_answer(call, reader);
    } else if (reader == REFUSAL) {
        read_refusal(call, which / NREADERS);
    } else if (reader == TOKEN) {
        (void)ps_auth_token_keep(call->ps, &call->call.call.http);
    } else if (reader == COOKIES) {
        jar = fuzz_text(in, &len);
        merge(jar, len, &call->call.call.http.cookies);
        free(jar);
    } else if (reader == PAGE) {
        read_page(call, which / NREADERS);
    } else {
        unescape(&call->call.call.http.body_in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 201, 204, 400, 401, 403, 404, 409,
                                   429, 500, 503, 302, 303, 307, 408, 410};
    struct fuzz_input in = fuzz_input(data, size);
    unsigned char which = fuzz_byte(&in), status = fuzz_byte(&in);
    struct ps ps = {.http = {.vault = {&password_safe_ops, &conf}, .clock = &clock_still, .random = 1}};
    struct ps_call call = {.ps = &ps};

    call.call.http.status = statuses[status % (sizeof(statuses) / sizeof(statuses[0]))];
    call.call.http.body_in = BUF_INIT(1U << 22);
    call.call.http.cookies = BUF_INIT(1U << 22);
    take(&call.call.http.body_in, &in);
    take(&call.call.http.cookies, &in);
    dispatch(&call, which, &in);
    secret_clear(&ps.token);
    call_free_answer(&call.call.http);
    return 0;
}
