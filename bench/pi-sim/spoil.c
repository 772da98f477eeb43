/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spoil.c - changes of finished answers; see spoil.h.
 */
#include "pi-sim/spoil.h"

#include "pi-sim/dispatch.h"

#include <stdlib.h>
#include <string.h>

#define OVERSIZE ((size_t)1 << 20)

static const char login_page[] = "<!DOCTYPE html>\r\n<html><head><title>Sign in</title></head>"
                                 "<body><h1>Sign in to continue</h1></body></html>\r\n";
static const char no_endpoint[] = "<!DOCTYPE html>\r\n<html><head><title>Service</title></head>"
                                  "<body><p>Endpoint not found.</p></body></html>\r\n";
static const char timeout_page[] = "<!DOCTYPE html>\r\n<html><head><title>504 Gateway Time-out</title></head>"
                                   "<body><h1>504 Gateway Time-out</h1></body></html>\r\n";
static const char fault_json[] =
    "{\"Message\":\"The server was unable to process the request due to an internal error.\"}";
static const char fault_soap[] =
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>"
    "<faultcode>s:Server</faultcode><faultstring>The server was unable to process the request due to an "
    "internal error.</faultstring></s:Fault></s:Body></s:Envelope>";
static const char token_json[] = "{\"Message\":\"The authentication token is invalid or has expired.\"}";

const struct fault_action spoil_actions[] = {
    {"html", INJECT_STATUS, 200, dispatch_html, login_page, NULL},
    {"html_after", INJECT_STATUS_AFTER, 200, dispatch_html, login_page, NULL},
    {"redirect", INJECT_STATUS, 302, dispatch_html, login_page, "Location: /login\r\n"},
    {"redirect_after", INJECT_STATUS_AFTER, 302, dispatch_html, login_page, "Location: /login\r\n"},
    {"not_found", INJECT_STATUS, 404, dispatch_html, no_endpoint, NULL},
    {"gateway_timeout", INJECT_STATUS_AFTER, 504, dispatch_html, timeout_page, NULL},
    {"fault", INJECT_STATUS, 500, dispatch_json, fault_json, NULL},
    {"fault_after", INJECT_STATUS_AFTER, 500, dispatch_json, fault_json, NULL},
    {"soap_fault_after", INJECT_STATUS_AFTER, 500, "text/xml; charset=utf-8", fault_soap, NULL},
    {"token_refused", INJECT_STATUS, 401, dispatch_json, token_json, NULL},
    {"nonsense", INJECT_STATUS_AFTER, 200, dispatch_json, "[1,{\"Status\":\"Ok\"},null]", NULL},
    {"not_json", INJECT_STATUS_AFTER, 200, dispatch_json, "{\"OperationSucceeded\":tru", NULL},
    {"late", SPOIL_LATE, 0, NULL, NULL, NULL},
    {"late_page", SPOIL_LATE_PAGE, 504, dispatch_html, timeout_page, NULL},
    {"doubled", SPOIL_DOUBLED, 0, NULL, NULL, NULL},
    {"doubled_late", SPOIL_DOUBLED_LATE, 0, NULL, NULL, NULL},
    {"lost_token", SPOIL_LOST_TOKEN, 0, NULL, NULL, NULL},
    {"slow", SPOIL_SLOW, 0, NULL, NULL, NULL},
    {"cut", SPOIL_CUT, 0, NULL, NULL, NULL},
    {"empty", SPOIL_EMPTY, 0, NULL, NULL, NULL},
    {"wrong_type", SPOIL_WRONG_TYPE, 0, NULL, NULL, NULL},
    {"oversize", SPOIL_OVERSIZE, 0, NULL, NULL, NULL},
    {"trailing", SPOIL_TRAILING, 0, NULL, NULL, NULL},
    {"bad_utf8", SPOIL_BAD_UTF8, 0, NULL, NULL, NULL},
    {"deep", SPOIL_DEEP, 0, NULL, NULL, NULL},
    {"password_empty", SPOIL_PASSWORD_EMPTY, 0, NULL, NULL, NULL},
    {"password_null", SPOIL_PASSWORD_NULL, 0, NULL, NULL, NULL},
    {"password_number", SPOIL_PASSWORD_NUMBER, 0, NULL, NULL, NULL},
    {"password_long", SPOIL_PASSWORD_LONG, 0, NULL, NULL, NULL},
};
const size_t spoil_nactions = sizeof(spoil_actions) / sizeof(spoil_actions[0]);

static void insert(struct buf *b, size_t at, const struct buf *text)
{
    struct buf out = BUF_INIT(b->max);

    (void)buf_append(&out, b->data ? b->data : "", at);
    (void)buf_append(&out, text->data ? text->data : "", text->len);
    if (b->len > at)
        (void)buf_append(&out, b->data + at, b->len - at);
    buf_move(b, &out);
}

static void add_text(struct buf *b, size_t at, const char *bytes)
{
    struct buf text = BUF_INIT(256);

    (void)buf_str(&text, bytes);
    insert(b, at, &text);
    buf_free(&text);
}

static void cut(struct buf *b, size_t at)
{
    struct buf out = BUF_INIT(b->max);

    (void)buf_append(&out, b->data ? b->data : "", at);
    buf_move(b, &out);
}

static void add_blanks(struct buf *b, size_t size)
{
    struct buf text = BUF_INIT(SIM_ANSWER_MAX);
    char *blanks = b->len < size ? buf_add(&text, size - b->len) : NULL;

    if (blanks)
        memset(blanks, ' ', size - b->len);
    insert(b, 0, &text);
    buf_free(&text);
}

/* Behind the first brace; where there is none, at the beginning. */
static size_t inside_at(const struct buf *b)
{
    return b->len && b->data[0] == '{' ? 1 : 0;
}

static void add_deep(struct buf *b, size_t depth)
{
    struct buf text = BUF_INIT(SIM_ANSWER_MAX);

    (void)buf_str(&text, "\"Deep\":");
    for (size_t i = 0; i < depth; i++)
        (void)buf_char(&text, '[');
    for (size_t i = 0; i < depth; i++)
        (void)buf_char(&text, ']');
    (void)buf_char(&text, ',');
    insert(b, inside_at(b), &text);
    buf_free(&text);
}

static cJSON *long_password(size_t size)
{
    char *letters = malloc(size + 1);
    cJSON *item;

    if (!letters)
        return NULL;
    memset(letters, 'p', size);
    letters[size] = '\0';
    item = cJSON_CreateString(letters);
    free(letters);
    return item;
}

static cJSON *other_password(const struct fault_injection_rule *r)
{
    switch (r->kind) {
    case SPOIL_PASSWORD_EMPTY: return cJSON_CreateString("");
    case SPOIL_PASSWORD_NUMBER: return cJSON_CreateNumber(123456);
    case SPOIL_PASSWORD_LONG: return long_password(r->size ? (size_t)r->size : 5000);
    default: return cJSON_CreateNull();
    }
}

/* An answer without the member stays as it is. */
static void change_password(const struct fault_injection_rule *r, struct buf *b)
{
    cJSON *tree = b->len ? cJSON_ParseWithLength(b->data, b->len) : NULL;
    cJSON *item = cJSON_GetObjectItemCaseSensitive(tree, "Password") ? other_password(r) : NULL;
    char *text = NULL;

    if (item && cJSON_ReplaceItemInObjectCaseSensitive(tree, "Password", item))
        text = cJSON_PrintUnformatted(tree);
    if (text) {
        buf_clear(b);
        (void)buf_str(b, text);
        cJSON_free(text);
    }
    cJSON_Delete(tree);
}

void spoil_answer(const struct fault_injection_rule *r, struct sim_answer *a)
{
    struct buf *b = &a->body;

    switch (r->kind) {
    case SPOIL_CUT: cut(b, b->len / 2); break;
    case SPOIL_EMPTY: cut(b, 0); break;
    case SPOIL_WRONG_TYPE: a->content_type = dispatch_html; break;
    case SPOIL_OVERSIZE: add_blanks(b, r->size ? (size_t)r->size : OVERSIZE); break;
    case SPOIL_TRAILING: add_text(b, b->len, " {\"Password\":\"another\"}"); break;
    case SPOIL_BAD_UTF8: add_text(b, inside_at(b), "\"Note\":\"\xc3\x28\xff\","); break;
    case SPOIL_DEEP: add_deep(b, r->size ? (size_t)r->size : 100); break;
    case SPOIL_PASSWORD_EMPTY:
    case SPOIL_PASSWORD_NULL:
    case SPOIL_PASSWORD_NUMBER:
    case SPOIL_PASSWORD_LONG: change_password(r, b); break;
    default: break;
    }
}

bool spoil_leaves_answer(const struct fault_injection_rule *r)
{
    if (!r)
        return true;
    switch (r->kind) {
    case INJECT_NONE:
    case INJECT_CLOSE:
    case INJECT_CHUNKED:
    case INJECT_NO_LENGTH:
    case INJECT_INFORMATIONAL:
    case SPOIL_DOUBLED:
    case SPOIL_DOUBLED_LATE:
    case SPOIL_LOST_TOKEN:
    case SPOIL_SLOW: return true;
    default: return false;
    }
}
