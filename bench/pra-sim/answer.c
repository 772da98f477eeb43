/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - the forms of the site's answers; see dispatch.h.
 */
#include "pra-sim/dispatch.h"

#include "base/jsonw.h"
#include "pra-sim/spoil.h"

#include <stdio.h>
#include <time.h>

const char dispatch_json[] = "application/json";
const char dispatch_html[] = "text/html; charset=utf-8";

static const char *const xml_types[] = {"text/xml", "text/xml; charset=utf-8", "application/xml",
                                        "application/xml; charset=UTF-8"};

static const char *namespace_of(const struct dispatch *d)
{
    static const char *const names[][2] = {
        [NAMESPACE_SRA] = {"http://www.beyondtrust.com/sra/namespaces/API/command",
                           "http://www.beyondtrust.com/sra/namespaces/API/reporting"},
        [NAMESPACE_DOCS] = {"https://www.beyondtrust.com/namespaces/API/command",
                            "https://www.beyondtrust.com/namespaces/API/reporting"},
        [NAMESPACE_BOMGAR] = {"http://www.bomgar.com/namespaces/API/command",
                              "http://www.bomgar.com/namespaces/API/reporting"},
        [NAMESPACE_NONE] = {NULL, NULL},
    };
    bool reports = d->api == API_REPORTING;

    if (d->opts.fault == SPOIL_NAMESPACE)
        return "urn:example:another";
    return names[d->site->knob[reports ? KNOB_REPORTING_NAMESPACE : KNOB_COMMAND_NAMESPACE]][reports];
}

struct xml answer_xml(struct dispatch *d)
{
    const int *knob = d->site->knob;
    struct xml x = {.buf = &d->answer->body, .namespace = namespace_of(d), .indented = knob[KNOB_XML_LAYOUT]};

    d->answer->status = 200;
    d->answer->content_type = xml_types[knob[KNOB_XML_TYPE]];
    if (x.namespace && knob[KNOB_PREFIX])
        x.prefix = "bt";
    if (!knob[KNOB_XML_DECLARATION])
        (void)buf_str(x.buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    return x;
}

void answer_error(struct dispatch *d, const char *root, const char *text)
{
    static const int statuses[] = {200, 400, 500};
    struct xml x = answer_xml(d);

    if (root && d->site->knob[KNOB_ERROR_PLACE] == PLACE_CHILD)
        xml_open(&x, root);
    xml_open(&x, "error");
    if (d->site->knob[KNOB_ERROR_CODE])
        xml_attribute(&x, "code", "1");
    xml_text(&x, text);
    while (x.depth)
        xml_close(&x);
    d->answer->status = statuses[d->site->knob[KNOB_ERROR_STATUS]];
}

void answer_success(struct dispatch *d, const char *root, const char *text)
{
    struct xml x = answer_xml(d);

    if (d->site->knob[KNOB_SUCCESS_PLACE] == PLACE_CHILD)
        xml_open(&x, root);
    xml_leaf(&x, "success", text);
    while (x.depth)
        xml_close(&x);
}

struct jsonw answer_json(struct dispatch *d, int status)
{
    d->answer->status = status;
    d->answer->content_type = dispatch_json;
    return jsonw_start(&d->answer->body);
}

void answer_message(struct dispatch *d, int status, const char *text)
{
    struct jsonw w = answer_json(d, status);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "message", text);
    jsonw_end(&w);
}

void answer_oauth_error(struct dispatch *d, int status, const char *error, const char *text)
{
    struct jsonw w = answer_json(d, status);

    jsonw_object(&w, NULL);
    if (error)
        jsonw_str(&w, "error", error);
    jsonw_str(&w, "message", text);
    jsonw_end(&w);
}

void answer_html(struct dispatch *d, int status, const char *title)
{
    d->answer->status = status;
    d->answer->content_type = dispatch_html;
    (void)buf_printf(&d->answer->body,
                     "<!DOCTYPE html>\n<html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n",
                     title, title);
}

void answer_denied(struct dispatch *d, const char *root)
{
    static const char text[] = "You do not have permission to perform this action.";

    if (d->api == API_CONFIG || d->site->knob[KNOB_DENIED] == DENIED_403) {
        answer_message(d, 403, text);
        return;
    }
    answer_error(d, root, text);
    if (d->site->knob[KNOB_DENIED] == DENIED_403_ERROR)
        d->answer->status = 403;
}

/* Which status it has outside the XML APIs. */
static int status_of(const struct dispatch *d, enum violation v)
{
    if (v == VIOLATION_CHANGING_CALL)
        return 405;
    if (v == VIOLATION_UNKNOWN_PARAMETER)
        return 401; /* the Configuration API's way */
    if (v == VIOLATION_MULTIPART || v == VIOLATION_CONTENT_TYPE)
        return 415;
    return d->api == API_CONFIG && v == VIOLATION_BAD_PARAMETER ? 422 : 400;
}

void answer_violation(struct dispatch *d, enum violation v, const char *text)
{
    d->site->violations[v]++;
    d->violation = (int)v;
    if (v == VIOLATION_KEPT_CONNECTION || v == VIOLATION_TOKEN_IN_URL || v == VIOLATION_NO_LENGTH)
        answer_message(d, v == VIOLATION_NO_LENGTH ? 411 : 400, text);
    else if (d->api == API_TOKEN)
        answer_oauth_error(d, 400, "invalid_request", text);
    else if (d->api == API_CONFIG)
        answer_message(d, status_of(d, v), text);
    else if (v == VIOLATION_MULTIPART || v == VIOLATION_CONTENT_TYPE)
        answer_message(d, 415, text);
    else
        answer_error(d, NULL, text);
}

void time_iso(int64_t wall_ms, char out[TIME_ISO])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    out[0] = '\0';
    if (gmtime_r(&seconds, &tm))
        (void)strftime(out, TIME_ISO, "%Y-%m-%dT%H:%M:%S+00:00", &tm);
}

void time_http(int64_t wall_ms, char out[TIME_ISO])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    out[0] = '\0';
    if (gmtime_r(&seconds, &tm))
        (void)strftime(out, TIME_ISO, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}
