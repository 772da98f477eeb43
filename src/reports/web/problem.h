/*
 * problem.h - what can go wrong for a caller of the page's API, as application/problem+json (RFC 9457): one
 * row per code.
 */
#ifndef JG_REPORTS_WEB_PROBLEM_H
#define JG_REPORTS_WEB_PROBLEM_H

#include "base/buf.h"
#include "base/fault.h"

#define WEB_PROBLEM_TYPE "application/problem+json"

enum problem_code {
    PROBLEM_NONE,
    PROBLEM_UNAUTHENTICATED,
    PROBLEM_FORBIDDEN,
    PROBLEM_CSRF,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_INVALID_REQUEST,
    PROBLEM_INVALID_CURSOR,
    PROBLEM_BODY_TOO_LARGE,
    PROBLEM_UNSUPPORTED_MEDIA_TYPE,
    PROBLEM_RATE_LIMITED,
    PROBLEM_LOCKED_OUT,
    PROBLEM_OVERLOADED,
    PROBLEM_DATABASE_UNAVAILABLE,
    PROBLEM_AUDIT_UNAVAILABLE,
    PROBLEM_DEADLINE_EXCEEDED,
    PROBLEM_CONFLICT,
    PROBLEM_DRAINING,
    PROBLEM_INTERNAL,
    PROBLEM_NCODES
};

struct problem {
    enum problem_code code;
    unsigned retry_after_s; /* 0 = the row's own */
    char detail[FAULT_DETAIL_SIZE];
};

struct problem_row {
    const char *code; /* "csrf" */
    int status;
    const char *title;
    unsigned retry_after_s;
};

const struct problem_row *problem_row(enum problem_code);
void problem_set(struct problem *, enum problem_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
unsigned problem_retry(const struct problem *); /* seconds; 0 = none is sent */
void problem_body(struct buf *, const struct problem *, const char *request_id);
/* The same for what the server itself refuses, before a route is known. */
void problem_body_of_fault(struct buf *, const struct fault *, const char *request_id);

#endif
