/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - the forms in which the vault answers; see dispatch.h.
 *
 * What a refusal looks like is not publicly known, so each form that a WCF service can have is here: a fault
 * as JSON, as XML, as a SOAP envelope or as a page, or a 200 that says so in its members.
 */
#include "pi-sim/dispatch.h"

#include <string.h>

const char dispatch_json[] = "application/json; charset=utf-8";
const char dispatch_html[] = "text/html; charset=utf-8";

struct jsonw answer_json(struct dispatch *d, int status)
{
    d->answer->status = status;
    d->answer->content_type = dispatch_json;
    return jsonw_start(&d->answer->body);
}

void answer_flag(const struct dispatch *d, struct jsonw *w, bool good)
{
    switch ((enum knob_flag)d->vault->settings.knob[KNOB_FLAG]) {
    case FLAG_SUCCEEDED: jsonw_bool(w, "OperationSucceeded", good); break;
    case FLAG_SUCCESS: jsonw_bool(w, "Success", good); break;
    case FLAG_ERROR_CODE: jsonw_int(w, "ErrorCode", good ? 0 : 1); break;
    case FLAG_HAS_ERROR: jsonw_bool(w, "HasError", !good); break;
    case FLAG_ERROR_TEXT: jsonw_str(w, "ErrorText", good ? NULL : "Failed"); break;
    case FLAG_NONE: break;
    }
}

static void put_escaped(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (text[i]) {
        case '&': (void)buf_str(out, "&amp;"); break;
        case '<': (void)buf_str(out, "&lt;"); break;
        case '>': (void)buf_str(out, "&gt;"); break;
        case '"': (void)buf_str(out, "&quot;"); break;
        default: (void)buf_char(out, text[i]); break;
        }
    }
}

void answer_html(struct dispatch *d, int status, const char *title, const char *text)
{
    struct buf *b = &d->answer->body;

    d->answer->status = status;
    d->answer->content_type = dispatch_html;
    (void)buf_printf(b, "<!DOCTYPE html>\r\n<html><head><title>%s</title></head><body><h1>%s</h1><p>", title,
                     title);
    put_escaped(b, text, strlen(text));
    (void)buf_str(b, "</p></body></html>\r\n");
}

/* ---- refusals ---- */

static void put_text(const struct dispatch *d, enum text which, const char *who, struct buf *out)
{
    struct text_names names = {.who = who,
                               .account = d->name.account,
                               .system = d->name.system,
                               .identity = d->identity ? d->identity->name : NULL};

    texts_put(&d->vault->settings.texts, which, &names, out);
}

static void put_json(struct dispatch *d, enum knob_refusal form, int status, const struct buf *text)
{
    struct jsonw w = answer_json(d, status);
    const char *p = text->data ? text->data : "";

    if (form == REFUSAL_JSON_STRING) {
        jsonw_strn(&w, NULL, p, text->len);
        return;
    }
    jsonw_object(&w, NULL);
    if (form == REFUSAL_JSON_EXCEPTION) {
        jsonw_str(&w, "Message", "An error has occurred.");
        jsonw_strn(&w, "ExceptionMessage", p, text->len);
        jsonw_str(&w, "ExceptionType", "System.ServiceModel.FaultException");
        jsonw_str(&w, "StackTrace", NULL);
    } else {
        jsonw_strn(&w, form == REFUSAL_JSON_DETAIL ? "Detail" : "Message", p, text->len);
    }
    jsonw_end(&w);
}

static void put_xml(struct dispatch *d, enum knob_refusal form, int status, const struct buf *text)
{
    struct buf *b = &d->answer->body;
    bool soap = form == REFUSAL_SOAP;

    d->answer->status = status;
    d->answer->content_type = soap ? "text/xml; charset=utf-8" : "application/xml; charset=utf-8";
    (void)buf_str(
        b, soap ? "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>"
                  "<faultcode>s:Client</faultcode><faultstring xml:lang=\"en-US\">"
                : "<Fault xmlns=\"http://schemas.microsoft.com/ws/2005/05/envelope/none\"><Code><Value>"
                  "Receiver</Value></Code><Reason><Text xml:lang=\"en-US\">");
    put_escaped(b, text->data ? text->data : "", text->len);
    (void)buf_str(b, soap ? "</faultstring></s:Fault></s:Body></s:Envelope>" : "</Text></Reason></Fault>");
}

static void put_message(struct dispatch *d, enum knob_refusal form, const struct buf *text)
{
    struct jsonw w = answer_json(d, 200);

    jsonw_object(&w, NULL);
    if (form == REFUSAL_MESSAGE)
        answer_flag(d, &w, false);
    jsonw_strn(&w, "OperationMessage", text->data ? text->data : "", text->len);
    if (d->operation && d->operation->kind == OPERATION_CHECKOUT)
        jsonw_null(&w, "Password");
    jsonw_end(&w);
}

/* A client can tell that nothing was done: in the service's own form, in its usual words, and not a failure
 * that could be one of many. */
static bool is_clear(const struct dispatch *d, enum text which, enum knob_refusal form)
{
    bool one_of_many = which == TEXT_NO_PASSWORD || which == TEXT_UNREACHABLE || which == TEXT_COMMENT ||
                       which == TEXT_BAD_BODY;

    return form != REFUSAL_HTML && form != REFUSAL_JSON_STRING && !one_of_many &&
           !d->vault->settings.texts.own[which];
}

void answer_refusal_as(struct dispatch *d, enum text which, const char *who, enum knob_refusal form,
                       int status)
{
    struct buf text = BUF_INIT(4096);

    put_text(d, which, who, &text);
    switch (form) {
    case REFUSAL_JSON:
    case REFUSAL_JSON_EXCEPTION:
    case REFUSAL_JSON_DETAIL:
    case REFUSAL_JSON_STRING: put_json(d, form, status, &text); break;
    case REFUSAL_XML:
    case REFUSAL_SOAP: put_xml(d, form, status, &text); break;
    case REFUSAL_HTML:
        (void)buf_char(&text, '\0');
        answer_html(d, status == 500 ? 400 : status, "Request Error", text.data ? text.data : "");
        break;
    case REFUSAL_MESSAGE:
    case REFUSAL_MESSAGE_ONLY: put_message(d, form, &text); break;
    }
    if (is_clear(d, which, form))
        d->outcome = which == TEXT_NOT_HELD || which == TEXT_NOT_YOURS ? ANSWER_GONE
                     : which == TEXT_UNREACHABLE                       ? ANSWER_UNCLEAR /* of no class */
                                                                       : ANSWER_REFUSED;
    buf_free(&text);
}

void answer_refusal(struct dispatch *d, enum text which, const char *who)
{
    const int *knob = d->vault->settings.knob;

    answer_refusal_as(d, which, who, (enum knob_refusal)knob[KNOB_REFUSAL],
                      knob[KNOB_REFUSAL_STATUS] ? 400 : 500);
}

void answer_token_refused(struct dispatch *d)
{
    int form = d->vault->settings.knob[KNOB_TOKEN_REFUSED];

    switch ((enum knob_token_refused)form) {
    case TOKEN_REFUSAL: answer_refusal(d, TEXT_TOKEN, NULL); break;
    case TOKEN_401: answer_refusal_as(d, TEXT_TOKEN, NULL, REFUSAL_JSON, 401); break;
    case TOKEN_403: answer_refusal_as(d, TEXT_TOKEN, NULL, REFUSAL_JSON, 403); break;
    case TOKEN_MESSAGE: answer_refusal_as(d, TEXT_TOKEN, NULL, REFUSAL_MESSAGE, 200); break;
    case TOKEN_HTML: answer_refusal_as(d, TEXT_TOKEN, NULL, REFUSAL_HTML, 403); break;
    }
    d->token_refused = d->outcome == ANSWER_REFUSED;
}

/* A 200 with this text where the token would be; NULL = null. */
static void put_in_place_of_token(struct dispatch *d, const char *text, size_t n)
{
    struct jsonw w = answer_json(d, 200);
    bool bare = d->face != FACE_JSON_V2;

    if (!bare)
        jsonw_object(&w, NULL);
    if (text)
        jsonw_strn(&w, bare ? NULL : "OperationMessage", text, n);
    else
        jsonw_null(&w, bare ? NULL : "OperationMessage");
    if (!bare)
        jsonw_end(&w);
    d->outcome = ANSWER_REFUSED;
}

void answer_sign_in_refused(struct dispatch *d, enum text which)
{
    int form = d->vault->settings.knob[KNOB_SIGN_IN_REFUSED];
    struct buf text = BUF_INIT(4096);

    put_text(d, which, NULL, &text);
    switch ((enum knob_sign_in_refused)form) {
    case SIGN_IN_REFUSAL: answer_refusal(d, which, NULL); break;
    case SIGN_IN_401: answer_refusal_as(d, which, NULL, REFUSAL_JSON, 401); break;
    case SIGN_IN_403: answer_refusal_as(d, which, NULL, REFUSAL_JSON, 403); break;
    case SIGN_IN_TEXT: put_in_place_of_token(d, text.data ? text.data : "", text.len); break;
    case SIGN_IN_EMPTY: put_in_place_of_token(d, "", 0); break;
    case SIGN_IN_NULL: put_in_place_of_token(d, NULL, 0); break;
    case SIGN_IN_HTML: answer_refusal_as(d, which, NULL, REFUSAL_HTML, 401); break;
    }
    buf_free(&text);
}

/* ---- it worked ---- */

static void put_done(struct dispatch *d, const char *words)
{
    struct jsonw w = answer_json(d, 200);

    jsonw_object(&w, NULL);
    answer_flag(d, &w, true);
    if (words)
        jsonw_str(&w, "OperationMessage", words);
    jsonw_end(&w);
}

static void put_bare(struct dispatch *d, const char *json)
{
    (void)answer_json(d, 200);
    (void)buf_str(&d->answer->body, json);
}

void answer_done(struct dispatch *d, enum text which)
{
    struct buf text = BUF_INIT(4096);

    put_text(d, which, NULL, &text);
    d->outcome = d->vault->settings.texts.own[which] ? ANSWER_UNCLEAR : ANSWER_DONE;
    switch ((enum knob_done_answer)d->vault->settings.knob[KNOB_DONE_ANSWER]) {
    case DONE_MESSAGE: put_done(d, buf_cstr(&text)); break;
    case DONE_FLAG: put_done(d, NULL); break;
    case DONE_EMPTY: d->answer->status = 200; break;
    case DONE_TRUE: put_bare(d, "true"); break;
    case DONE_NULL: put_bare(d, "null"); break;
    case DONE_STRING:
        put_bare(d, "\"OK\"");
        d->outcome = ANSWER_UNCLEAR;
        break;
    case DONE_OTHER_WORDS: {
        struct jsonw w = answer_json(d, 200);
        jsonw_object(&w, NULL);
        jsonw_str(&w, "OperationMessage", "Released.");
        jsonw_end(&w);
        d->outcome = ANSWER_UNCLEAR;
        break;
    }
    }
    buf_free(&text);
}
