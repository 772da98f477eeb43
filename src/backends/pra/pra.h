/*
 * pra.h - the words that all files of this folder share: kinds of calls, what became of a call, time limits.
 *
 * This folder deals with one PRA site: the appliance, or the failover pair behind one name. The client
 * (client.h) makes single calls; the site (site.h) decides which calls are made when, and what their answers
 * mean. A site proves that sessions have ended; it is never needed to broker.
 *
 * Not here: which leases a session has (broker), how events of the site come in (handlers).
 */
#ifndef JG_BACKENDS_PRA_PRA_H
#define JG_BACKENDS_PRA_PRA_H

#include "base/lsid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pra_call_kind {
    PRA_CALL_PROBE,     /* GET /check_health, without a token */
    PRA_CALL_TOKEN,     /* POST /oauth2/token; the client's own */
    PRA_CALL_INFO,      /* get_api_info */
    PRA_CALL_HEALTH,    /* check_health of the Command API */
    PRA_CALL_JUMPOINTS, /* one page of GET /api/config/v1/jumpoint */
    PRA_CALL_LISTING,   /* AccessSessionListing by end_time: closed sessions only */
    PRA_CALL_SESSION,   /* AccessSession of one lsid */
    PRA_CALL_TERMINATE, /* terminate_session */
    PRA_NCALLS,
    /* Their requests and readers are the caller's (struct pra_own in client.h); session reports use them. */
    PRA_CALL_REPORT = PRA_NCALLS, /* an XML report */
    PRA_CALL_ARCHIVE,             /* a report that is a ZIP archive */
    PRA_CALL_PAGE,                /* a page of a list of the Configuration API */
    PRA_NKINDS
};

/* What became of a call. All but the first two are failures. */
enum pra_fault {
    PRA_OK,
    PRA_NO_ROWS,       /* the site says in an <error> that there are no rows: an empty answer */
    PRA_NAME_UNKNOWN,  /* the site's name is unknown */
    PRA_REFUSED_TCP,   /* no connection: refused, or no route */
    PRA_CONNECT_LATE,  /* no TCP connection in time */
    PRA_TLS_ISSUER,    /* the certificate's issuer is not trusted */
    PRA_TLS_NAME,      /* the certificate is for another name */
    PRA_TLS_EXPIRED,   /* the certificate is not valid at this time */
    PRA_TLS_NONE,      /* no TLS, or its handshake failed */
    PRA_NO_CONNECTION, /* for another reason */
    PRA_TIMEOUT,       /* no complete answer in time */
    PRA_LOST,          /* the connection ended before the answer did */
    PRA_TOO_LARGE,
    PRA_NONSENSE,     /* no HTTP, not well-formed, an unknown root, another content type */
    PRA_WEB_PAGE,     /* HTML */
    PRA_REDIRECT,     /* any 3xx */
    PRA_STATUS,       /* another status than 200 */
    PRA_UNAVAILABLE,  /* 503 */
    PRA_RATE_LIMITED, /* 429 */
    PRA_SITE_ERROR,   /* an <error>, or a JSON error */
    PRA_DENIED,       /* 403 */
    PRA_TOKEN_REFUSED,
    PRA_CLIENT_REFUSED, /* client id or secret; also while the pause after it lasts and nothing is sent */
    PRA_CANCELLED,      /* the client was closed */
    PRA_NO_MEMORY,
    PRA_NFAULTS
};

/* The same in the six words of the metrics. */
enum pra_outcome {
    PRA_OUT_OK,
    PRA_OUT_ERROR,
    PRA_OUT_NO_ROWS,
    PRA_OUT_REFUSED,
    PRA_OUT_UNAVAILABLE,
    PRA_OUT_TIMEOUT,
    PRA_NOUTCOMES
};

#define PRA_TEXT_LETTERS 200                        /* of the site's texts that are kept */
#define PRA_TEXT_SIZE    (4 * PRA_TEXT_LETTERS + 1) /* bytes of such a text */

struct pra_result {
    enum pra_fault fault;
    enum pra_call_kind failed; /* the call that failed: PRA_CALL_TOKEN where a token was needed and not had */
    int status;                /* HTTP, 0 = no answer */
    bool page;                 /* the body was HTML */
    bool sent;                 /* some of the request may have reached the site */
    uint64_t retry_after_ms;   /* when the next try makes sense, at most PRA_PAUSE_MAX_MS; 0 = not known */
    char text[PRA_TEXT_SIZE];  /* the site's words, or why there is no connection; clean, for an operator */
};

const char *pra_call_name(enum pra_call_kind);      /* "get_api_info" */
const char *pra_fault_words(enum pra_fault);        /* "the site's name is unknown" */
enum pra_outcome pra_fault_outcome(enum pra_fault); /* of the metrics */
const char *pra_outcome_name(enum pra_outcome);     /* "no_rows" */
/* The site answered as a site does, be it with a refusal. */
bool pra_fault_is_answer(enum pra_fault);
/* `words (text)` into out: what went wrong with which call, in one sentence without a full stop. */
void pra_result_words(const struct pra_result *, char *out, size_t size);

/* Copies at most PRA_TEXT_LETTERS letters of n bytes; controls, hidden letters and what is no UTF-8 become
 * U+FFFD, blanks at both ends go. */
void pra_text_clean(char *out, size_t size, const char *text, size_t n);

/* A time as the site writes it: Unix seconds, or ISO 8601 (without a zone: UTC). 0 or -EINVAL. */
int pra_time_read(const char *text, int64_t *ms);

#endif
