/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c - the table of error codes (docs/api.md).
 */
#include "base/fault.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct fault_row rows[FAULT_NCODES] = {
    [FAULT_NONE] = {"none", 200, "No fault", 0},
    [FAULT_INVALID_REQUEST] = {"invalid_request", 400, "The request is not valid", 0},
    [FAULT_UNAUTHENTICATED] = {"unauthenticated", 401, "The client is not known", 0},
    [FAULT_FORBIDDEN] = {"forbidden", 403, "The client may not do this", 0},
    [FAULT_NOT_ENTITLED] = {"not_entitled", 403, "The vault does not entitle this user to the account", 0},
    [FAULT_NOT_FOUND] = {"not_found", 404, "There is nothing here", 0},
    [FAULT_CREDENTIAL_NOT_FOUND] = {"credential_not_found", 404,
                                    "The vault knows no such account for this user", 0},
    [FAULT_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405, "The method is not allowed here", 0},
    [FAULT_LENGTH_REQUIRED] = {"length_required", 411, "The request needs a length", 0},
    [FAULT_BODY_TOO_LARGE] = {"body_too_large", 413, "The request body is too large", 0},
    [FAULT_URI_TOO_LONG] = {"uri_too_long", 414, "The request target is too long", 0},
    [FAULT_UNSUPPORTED_MEDIA_TYPE] = {"unsupported_media_type", 415, "The body must be application/json", 0},
    [FAULT_HEADERS_TOO_LARGE] = {"headers_too_large", 431, "The request headers are too large", 0},
    [FAULT_VAULT_CONFLICT] = {"vault_conflict", 409, "The vault holds a conflicting request", 0},
    [FAULT_APPROVAL_PENDING] = {"approval_pending", 409, "The vault wants an approval first", 0},
    [FAULT_RELOAD_REFUSED] = {"reload_refused", 409, "The configuration was refused and has not changed", 0},
    [FAULT_REASON_REQUIRED] = {"reason_required", 422, "The vault's policy wants a reason", 0},
    [FAULT_TICKET_REQUIRED] = {"ticket_required", 422, "The vault's policy wants a ticket", 0},
    [FAULT_DURATION_TOO_LONG] = {"duration_too_long", 422, "The duration is over the account's maximum", 0},
    [FAULT_SESSION_NOT_TERMINABLE] = {"session_not_terminable", 422,
                                      "The lease has no session that the site could end", 0},
    [FAULT_RATE_LIMITED] = {"rate_limited", 429, "The client is over its rate", 1},
    [FAULT_UNSUPPORTED] = {"unsupported", 501, "The operation is not supported", 0},
    [FAULT_VAULT_ERROR] = {"vault_error", 502, "The vault answered with an error", 0},
    [FAULT_VAULT_REFUSED_USER] = {"vault_refused_user", 502, "The vault refused to sign this user in", 0},
    [FAULT_PRA_ERROR] = {"pra_error", 502, "The PRA site answered with an error", 0},
    [FAULT_PRA_REFUSED] = {"pra_refused", 502, "The PRA site does not permit it", 0},
    [FAULT_OVERLOADED] = {"overloaded", 503, "The gateway is overloaded", 1},
    [FAULT_VAULT_UNAVAILABLE] = {"vault_unavailable", 503, "The vault is not available", 2},
    [FAULT_PRA_UNAVAILABLE] = {"pra_unavailable", 503, "The PRA site is not available", 15},
    [FAULT_STORE_UNAVAILABLE] = {"store_unavailable", 503, "The lease store cannot write", 5},
    [FAULT_AUDIT_UNAVAILABLE] = {"audit_unavailable", 503, "The audit log cannot write", 5},
    [FAULT_DRAINING] = {"draining", 503, "The gateway is shutting down", 5},
    [FAULT_DEADLINE_EXCEEDED] = {"deadline_exceeded", 504, "The deadline has passed", 0},
    [FAULT_INTERNAL] = {"internal_error", 500, "The gateway failed", 0},
};

const struct fault_row *fault_row(enum fault_code code)
{
    return &rows[code < FAULT_NCODES ? code : FAULT_INTERNAL];
}

int fault_status(const struct fault *f)
{
    return f->http_status ? f->http_status : fault_row(f->code)->status;
}

/* A quoted or cut text may end within a character; what goes into an answer must be UTF-8. */
static void make_utf8(char *text)
{
    uint32_t letter;

    for (size_t left = strlen(text), len; left; text += len, left -= len) {
        len = utf8_decode(text, left, &letter);
        if (!len) {
            *text = '?';
            len = 1;
        }
    }
}

void fault_set(struct fault *f, enum fault_code code, const char *fmt, ...)
{
    va_list ap;

    *f = (struct fault){.code = code};
    va_start(ap, fmt);
    (void)vsnprintf(f->detail, sizeof(f->detail), fmt, ap); /* a cut detail is still a detail */
    va_end(ap);
    make_utf8(f->detail);
}

void fault_set_detail(struct fault *f, const char *text)
{
    (void)snprintf(f->detail, sizeof(f->detail), "%s", text);
    f->whole_detail = NULL;
}

void fault_add(struct fault *f, const char *text)
{
    size_t used = strlen(f->detail);

    (void)snprintf(f->detail + used, sizeof(f->detail) - used, "%s%s", used ? "; " : "", text);
    make_utf8(f->detail + used);
}
