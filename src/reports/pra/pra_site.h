/*
 * pra_site.h - what is asked of one PRA site for the session reports, and how its answers come: the seam
 * between the collector and the network.
 *
 * A site is a table of operations (struct report_site_ops), so that the collector is tested with a site of
 * its own. An operation asks one question. The answer comes as batches of plain records (records.h), piece by
 * piece while it is read, and ends exactly once, with an outcome:
 *
 *   ops->listing() --> batch()... --> ended()
 *
 * Rules for struct report_call, which lives inside its owner's object and is zeroed before its first use:
 *  - an operation returns 0 and later calls ended() exactly once, or -errno and calls nothing;
 *  - nothing is called before the operation has returned, or after ended() or cancel();
 *  - batch() comes before ended(), any number of times, also where the outcome is a failure: a broken answer
 *    keeps what was complete. Only REPORT_OK and REPORT_NO_ROWS say that nothing is missing;
 *  - after pause() no more of the answer is read until resume(). Batches of what is read already (at most one
 *    piece of 32 kB, which may expand to a few batches) still come, and ended() does where all is read;
 *  - ended() may free the call, start it again, and start or cancel others; batch(), refused() and info() may
 *    pause the call, and start, resume or cancel none of this site.
 *
 * One token, one budget and one set of connections serve all calls of a site. Calls wait for their turn here:
 * live ones go before fetches, these before backfill, and these before the rest.
 *
 * Not here: when something is asked and what an answer means for a cursor (collect/); the network, XML and
 * ZIP (the other files of this folder); how a site is made (pra_open.h).
 */
#ifndef JG_REPORTS_PRA_PRA_SITE_H
#define JG_REPORTS_PRA_PRA_SITE_H

#include "reports/records.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report_site;
struct report_call;

/* ---- what is asked ---- */

enum report_ask {
    REPORT_ASK_LISTING,
    REPORT_ASK_SESSIONS,
    REPORT_ASK_TEAM,
    REPORT_ASK_VAULT,
    REPORT_ASK_SYSLOG,
    REPORT_ASK_PAGE,
    REPORT_ASK_INFO,
    REPORT_ASK_ATTRIBUTES,
    REPORT_NASKS
};

enum report_urgency { REPORT_LIVE, REPORT_FETCH, REPORT_BACKFILL, REPORT_REST };

struct report_window {
    bool by_start;      /* sessions that began in it, running ones too; else closed ones that ended in it */
    int64_t from_s;     /* Unix seconds, by the site's clock */
    int64_t duration_s; /* 0 = up to now */
};

enum report_page_kind { /* lists of the Configuration API */
                        REPORT_PAGE_VAULT_ACCOUNT,
                        REPORT_PAGE_REMOTE_RDP,
                        REPORT_PAGE_REMOTE_VNC,
                        REPORT_PAGE_SHELL_JUMP,
                        REPORT_PAGE_PROTOCOL_TUNNEL,
                        REPORT_PAGE_WEB_JUMP,
                        REPORT_PAGE_MYSQL_TUNNEL,
                        REPORT_PAGE_PSQL_TUNNEL,
                        REPORT_PAGE_NETWORK_TUNNEL,
                        REPORT_PAGE_JUMP_CLIENT,
                        REPORT_PAGE_JUMPOINT,
                        REPORT_PAGE_JUMP_GROUP,
                        REPORT_NPAGES
};
const char *report_page_name(enum report_page_kind); /* "vault/account", "jump-item/remote-rdp", … */

#define REPORT_LSIDS_MAX 500 /* of one sessions() */

/* ---- what comes ---- */

enum report_kind { /* of the records of a batch */
                   REPORT_SESSIONS,
                   REPORT_LISTED,
                   REPORT_TEAM,
                   REPORT_VAULT_ACTIVITY,
                   REPORT_SYSLOG,
                   REPORT_VAULT_ACCOUNTS,
                   REPORT_JUMP_ITEMS,
                   REPORT_JUMPOINTS,
                   REPORT_JUMP_GROUPS
};

/* Records of one kind, at least one; sessions come one by one. The receiver may take the whole by moving
 * `arena` away (copy it and zero it), and then frees it; otherwise it is freed when batch() has returned. */
struct report_batch {
    enum report_kind kind;
    size_t n;
    union {
        struct record_session *sessions;
        struct record_listed *listed;
        struct record_team *team;
        struct record_vault_activity *vault_activity;
        struct record_syslog *syslog;
        struct record_vault_account *vault_accounts;
        struct record_jump_item *jump_items;
        struct record_jumpoint *jumpoints;
        struct record_jump_group *jump_groups;
        void *rows;
    };
    struct record_arena arena; /* arena.used = bytes of the batch */
};

enum report_grant { REPORT_GRANT_UNKNOWN, REPORT_GRANT_NO, REPORT_GRANT_YES };

struct report_info {         /* get_api_info; valid until info() returns */
    const char *api_version; /* "" = not said */
    bool has_time;
    int64_t time_ms; /* the site's clock while the answer was written */
    const struct record_pair *permissions;
    size_t npermissions;
    enum report_grant grants[REPORT_NASKS]; /* may the account ask this? Unknown: the site decides */
};

/* What became of a call. */
enum report_end {
    REPORT_OK,
    REPORT_NO_ROWS,      /* an empty list */
    REPORT_INVALID_LSID, /* the site knows none of the lsids; of attributes(): the session is not active */
    REPORT_CREDENTIALS,  /* client id and secret are refused, or a new token is */
    REPORT_DENIED,       /* outcome.permission is missing */
    REPORT_RATE_LIMITED, /* 429 and 503: outcome.retry_after_ms */
    REPORT_API_DISABLED, /* 404 in place of an API */
    REPORT_TLS,          /* certificate or handshake */
    REPORT_UNREACHABLE,  /* no name, no connection */
    REPORT_TIMEOUT,      /* no byte for stall_timeout, or no whole answer within call_timeout */
    REPORT_BROKEN,       /* the connection ended before the answer did */
    REPORT_TOO_LARGE,    /* over max_answer, or over a limit of the archive */
    REPORT_FORMAT,       /* not what was asked for: not well-formed, another root, over a limit of the XML */
    REPORT_WEB_PAGE,     /* HTML */
    REPORT_SITE_ERROR,   /* an <error> of other words, a JSON error, 5xx, a redirect */
    REPORT_NO_SPOOL,     /* the archive cannot be written to the disk */
    REPORT_NO_MEMORY,
    REPORT_STOPPED, /* the site was closed */
    REPORT_NENDS
};

#define REPORT_TEXT_SIZE 801 /* as PRA_TEXT_SIZE */

struct report_outcome {
    enum report_end end;
    int status;                  /* HTTP, 0 = no answer */
    uint64_t retry_after_ms;     /* when the next try makes sense; 0 = not known */
    const char *permission;      /* static; what an account needs for this call, NULL = nothing of its own */
    char text[REPORT_TEXT_SIZE]; /* the site's words, or why there is none; clean, for an operator */

    bool last;          /* of page(): no page follows */
    uint64_t rows;      /* records delivered */
    uint64_t refused;   /* sessions refused, rows that could not be read */
    uint64_t texts_cut; /* texts longer than the limit */
    char digest[65];    /* of syslog(): SHA-256 of the archive, hex; "" = there is none */

    int64_t sent_ms; /* our wall clock when it was sent; 0 = it was not */
    uint64_t took_ms;
    bool has_date;
    int64_t date_ms; /* the Date header: the site's clock */
};

const char *report_end_name(enum report_end); /* "rate_limited" */
/* The word for it in an Action Required: "credentials", "permission", "tls", "api_disabled", "unreachable",
 * "format"; NULL = none of these. */
const char *report_end_reason(enum report_end);
bool report_end_is_whole(enum report_end); /* nothing is missing: REPORT_OK, REPORT_NO_ROWS */

struct report_sink {
    void (*batch)(struct report_call *, struct report_batch *);
    /* A session was left out: over max_session or 200,000 events, or without an lsid (NULL then). */
    void (*refused)(struct report_call *, const char *lsid, const char *why);
    void (*info)(struct report_call *, const struct report_info *); /* of info(), before ended() */
    void (*ended)(struct report_call *, const struct report_outcome *);
};

struct report_call {
    /* the caller's */
    const struct report_sink *sink; /* members that are not needed may be NULL, but ended() */
    enum report_urgency urgency;
    void *ctx;
    /* the site's */
    struct report_site *site;
    void *inside; /* NULL = it does not run */
};

/* ---- operations ---- */

struct report_site_ops {
    /* All that start a call: 0, -ENOMEM, -EINVAL, -ESHUTDOWN, -EBUSY (it runs; a second archive). Texts are
     * copied. */
    int (*listing)(struct report_site *, struct report_call *, const struct report_window *);
    /* At most REPORT_LSIDS_MAX. Sessions come in the site's order; one that is not there is not named. */
    int (*sessions)(struct report_site *, struct report_call *, const char *const *lsids, size_t n);
    int (*team)(struct report_site *, struct report_call *, int64_t from_s);  /* up to now */
    int (*vault)(struct report_site *, struct report_call *, int64_t from_s); /* up to now */
    /* The whole archive. `known`: digest of the archive read last ("" = none); the same archive ends with
     * REPORT_OK and no rows. */
    int (*syslog)(struct report_site *, struct report_call *, const char *known);
    int (*page)(struct report_site *, struct report_call *, enum report_page_kind,
                unsigned page); /* from 1 */
    int (*info)(struct report_site *, struct report_call *);
    /* REPORT_OK: the session is active. */
    int (*attributes)(struct report_site *, struct report_call *, const char *lsid);

    void (*pause)(struct report_call *);  /* any number of times; one that has ended is fine */
    void (*resume)(struct report_call *); /* the same */
    void (*cancel)(struct report_call *); /* the same */

    /* X-RateLimit-Remaining of the last answer that had it; -1 = none. */
    int64_t (*rate_remaining)(const struct report_site *);
};

struct report_site {
    const struct report_site_ops *ops;
    const char *host_name; /* session.host_name, in lower case */
};

#endif
