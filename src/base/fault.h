/*
 * fault.h - what can go wrong for a caller: one row per error code (docs/api.md).
 *
 * A fault travels from where it happens (backend, broker, handler) to the one place that writes
 * application/problem+json. `detail` is for the operator, says what to do, and never holds a secret. Inside
 * the program errors are 0 or -errno; a fault is made where the meaning for the caller is known.
 */
#ifndef JG_BASE_FAULT_H
#define JG_BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum fault_code {
    FAULT_NONE,
    FAULT_INVALID_REQUEST,
    FAULT_UNAUTHENTICATED,
    FAULT_FORBIDDEN,
    FAULT_NOT_ENTITLED,
    FAULT_NOT_FOUND,
    FAULT_CREDENTIAL_NOT_FOUND,
    FAULT_METHOD_NOT_ALLOWED,
    FAULT_LENGTH_REQUIRED,
    FAULT_BODY_TOO_LARGE,
    FAULT_URI_TOO_LONG,
    FAULT_UNSUPPORTED_MEDIA_TYPE,
    FAULT_HEADERS_TOO_LARGE,
    FAULT_VAULT_CONFLICT,
    FAULT_APPROVAL_PENDING,
    FAULT_RELOAD_REFUSED,
    FAULT_REASON_REQUIRED,
    FAULT_TICKET_REQUIRED,
    FAULT_DURATION_TOO_LONG,
    FAULT_SESSION_NOT_TERMINABLE,
    FAULT_RATE_LIMITED,
    FAULT_UNSUPPORTED,
    FAULT_VAULT_ERROR,
    FAULT_VAULT_REFUSED_USER,
    FAULT_PRA_ERROR,
    FAULT_PRA_REFUSED,
    FAULT_OVERLOADED,
    FAULT_VAULT_UNAVAILABLE,
    FAULT_PRA_UNAVAILABLE,
    FAULT_STORE_UNAVAILABLE,
    FAULT_AUDIT_UNAVAILABLE,
    FAULT_DRAINING,
    FAULT_DEADLINE_EXCEEDED,
    FAULT_INTERNAL, /* own failure (out of memory): 500 `internal_error` */
    FAULT_NCODES
};

#define FAULT_DETAIL_SIZE 320

struct fault {
    enum fault_code code;
    int http_status;          /* 0 = the row's own; malformed HTTP uses 417, 501, 505 with invalid_request */
    int vault_status;         /* HTTP status of the vault's answer, 0 = none */
    int vault_code;           /* sub-code 4031..4035, 4091, 0 = none */
    int64_t vault_request_id; /* the request that waits for its approver; 0 = none */
    bool second_factor;       /* the vault asked for one at sign-in */
    bool foreign;             /* the answer was not the vault's own */
    bool too_large;           /* the answer is larger than max_answer */
    unsigned retry_after_s;   /* 0 = the row's own */
    bool has_released;        /* what was done in spite of the fault: */
    int64_t released;         /* leases */
    char detail[FAULT_DETAIL_SIZE];
    const char *whole_detail; /* answered instead of a detail that is longer than that; NULL = none */
};

struct fault_row {
    const char *code; /* "invalid_request" */
    int status;
    const char *title;
    unsigned retry_after_s; /* sent with every 503 and 429; 0 = none */
};

const struct fault_row *fault_row(enum fault_code);
int fault_status(const struct fault *);

/* Sets code and detail, clears the rest. */
void fault_set(struct fault *, enum fault_code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Another detail; all else stays. */
void fault_set_detail(struct fault *, const char *text);
/* Adds `; text` to the detail, as much of it as fits. */
void fault_add(struct fault *, const char *text);
static inline bool fault_is_set(const struct fault *f)
{
    return f->code != FAULT_NONE;
}

#endif
