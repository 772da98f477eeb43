/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem.c - errors of the page's API; see problem.h.
 */
#include "reports/web/problem.h"

#include "base/jsonw.h"

#include <stdarg.h>
#include <stdio.h>

static const struct problem_row rows[PROBLEM_NCODES] = {
    [PROBLEM_NONE] = {"none", 200, "No error", 0},
    [PROBLEM_UNAUTHENTICATED] = {"unauthenticated", 401, "Not signed in", 0},
    [PROBLEM_FORBIDDEN] = {"forbidden", 403, "Not permitted", 0},
    [PROBLEM_CSRF] = {"csrf", 403, "The request does not come from the page", 0},
    [PROBLEM_NOT_FOUND] = {"not_found", 404, "Not found", 0},
    [PROBLEM_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405, "Method not allowed", 0},
    [PROBLEM_INVALID_REQUEST] = {"invalid_request", 400, "Invalid request", 0},
    [PROBLEM_INVALID_CURSOR] = {"invalid_cursor", 400, "The cursor is not valid", 0},
    [PROBLEM_BODY_TOO_LARGE] = {"body_too_large", 413, "The body is too large", 0},
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = {"unsupported_media_type", 415, "Unsupported media type", 0},
    [PROBLEM_RATE_LIMITED] = {"rate_limited", 429, "Too many requests", 1},
    [PROBLEM_LOCKED_OUT] = {"locked_out", 429, "Too many failed attempts to sign in", 60},
    [PROBLEM_OVERLOADED] = {"overloaded", 503, "Overloaded", 2},
    [PROBLEM_DATABASE_UNAVAILABLE] = {"database_unavailable", 503, "The database is not available", 5},
    [PROBLEM_AUDIT_UNAVAILABLE] = {"audit_unavailable", 503, "The audit trail cannot be written", 5},
    [PROBLEM_DEADLINE_EXCEEDED] = {"deadline_exceeded", 504, "The query took too long", 0},
    [PROBLEM_CONFLICT] = {"conflict", 412, "Changed in the meantime", 0},
    [PROBLEM_DRAINING] = {"draining", 503, "Shutting down", 5},
    [PROBLEM_INTERNAL] = {"internal_error", 500, "Internal error", 0},
};

const struct problem_row *problem_row(enum problem_code code)
{
    return &rows[code];
}

void problem_set(struct problem *p, enum problem_code code, const char *fmt, ...)
{
    va_list ap;

    *p = (struct problem){.code = code};
    va_start(ap, fmt);
    (void)vsnprintf(p->detail, sizeof(p->detail), fmt, ap);
    va_end(ap);
}

unsigned problem_retry(const struct problem *p)
{
    return p->retry_after_s ? p->retry_after_s : rows[p->code].retry_after_s;
}

static void write_body(struct buf *buf, const char *code, int status, const char *title, const char *detail,
                       const char *request_id)
{
    char type[80];
    struct jsonw w = jsonw_start(buf);

    (void)snprintf(type, sizeof(type), "urn:jumpgate:error:%s", code);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "type", type);
    jsonw_str(&w, "title", title);
    jsonw_int(&w, "status", status);
    jsonw_str(&w, "detail", detail);
    jsonw_str(&w, "code", code);
    jsonw_str(&w, "request_id", request_id);
    jsonw_end(&w);
}

void problem_body(struct buf *buf, const struct problem *p, const char *request_id)
{
    write_body(buf, rows[p->code].code, rows[p->code].status, rows[p->code].title, p->detail, request_id);
}

void problem_body_of_fault(struct buf *buf, const struct fault *f, const char *request_id)
{
    const struct fault_row *row = fault_row(f->code);

    write_body(buf, row->code, fault_status(f), row->title, f->detail, request_id);
}
