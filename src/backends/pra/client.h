/*
 * client.h - single calls to one PRA site, within its budget and with its token.
 *
 * A call waits for a token where its kind needs one, then for its turn (budget.h), is sent over a connection
 * of its own, and is judged. A refused token is replaced and the call repeated, once. Nothing else is
 * repeated here.
 *
 * Rules for struct pra_call, which lives inside its owner's object and is zeroed before its first use:
 *  - pra_client_call() returns 0 and later calls done() exactly once, or -errno and never calls it;
 *  - done() is never called before pra_client_call() has returned;
 *  - after pra_client_cancel() done() is never called;
 *  - the answer is the caller's from done() on: pra_call_free().
 * done() may start and cancel calls, and may free the call.
 *
 * It reads no configuration: every limit is in struct pra_params. It knows neither the broker nor what an
 * answer means for the site's state (site.h).
 */
#ifndef JG_BACKENDS_PRA_CLIENT_H
#define JG_BACKENDS_PRA_CLIENT_H

#include "backends/pra/answers.h"
#include "backends/pra/budget.h"
#include "backends/pra/token.h"
#include "base/metrics.h"
#include "loop/upstream/upstream.h"

#define PRA_CONNECTIONS 4 /* calls at once */

struct pra_params {
    const char *name;            /* of the section, for logs */
    const char *url;             /* scheme://host[:port]; fixed for the client's life */
    const char *client_id;       /* fixed */
    const char *ca_file, *proxy; /* NULL = none */
    uint64_t connect_timeout_ms, call_timeout_ms, report_timeout_ms;
    size_t max_answer;
    double rate_per_s;
    /* Of session reports; 0 = as the gateway has it. */
    unsigned parallel;        /* calls at once */
    unsigned hourly;          /* calls in any hour */
    uint64_t pause_ms;        /* after 429 and 503 without Retry-After */
    uint64_t pause_waited_ms; /* calls wait no longer pause: they end with PRA_RATE_LIMITED; 0 = any */
    int64_t remaining_low;    /* below so many left only live calls go */
    uint64_t refused_max_ms;  /* longest pause after refused credentials */
    uint64_t renew_before_ms; /* how long before its end a token is renewed */
};

struct pra_call;

/* What a call of the kinds from PRA_CALL_REPORT on asks, and what reads its answer. Texts and context are the
 * caller's until done(). */
struct pra_own {
    const char *target; /* path and query */
    const char *form;   /* NULL = GET; else POST */
    enum pra_urgency urgency;
    /* PRA_CALL_REPORT; also of PRA_CALL_ARCHIVE, for the answer that is XML instead. Their functions run
     * within the upstream's piece(): they may call pra_call_hold() and nothing else of the client. */
    const struct pra_xml_reader *reader;
    void *ctx;
    int (*bytes)(struct pra_call *, const char *bytes, size_t n); /* PRA_CALL_ARCHIVE: 0 or -errno */
};

struct pra_client;

struct pra_call {
    /* the caller's */
    enum pra_call_kind kind;
    bool urgent;                    /* goes before all others */
    bool once;                      /* a refused token is not replaced */
    char lsid[LSID_SIZE];           /* PRA_CALL_SESSION, PRA_CALL_TERMINATE: 32 lower-case digits */
    int64_t end_time_s, duration_s; /* PRA_CALL_LISTING */
    unsigned page;                  /* PRA_CALL_JUMPOINTS, from 1 */
    uint64_t timeout_ms;            /* from its sending; 0 = that of its kind */
    uint64_t stall_ms;              /* without a byte of the answer; 0 = no such limit */
    struct pra_own own;
    void (*done)(struct pra_call *);

    /* the answer */
    struct pra_result result;
    struct pra_answer answer; /* with PRA_OK */
    int64_t began_wall_ms;    /* the gateway's clock when it was sent, 0 = it was not */
    uint64_t took_ms;         /* from sending to the answer or failure */
    bool has_date;
    int64_t date_ms; /* the Date header */

    /* private */
    struct pra_client *client;
    enum { PRA_CALL_IDLE, PRA_CALL_WANTS_TOKEN, PRA_CALL_WAITS, PRA_CALL_SENT, PRA_CALL_ENDED } state;
    TAILQ_ENTRY(pra_call) link;
    struct deadline later; /* runs while the call does, so that moving it needs no memory */
    struct call http;
    struct buf target, headers, form;
    struct pra_xml *xml;
    struct buf body; /* of an answer that is no XML */
    uint64_t began_ms, token_serial;
    bool repeated;
    bool held;    /* no more of the answer is read for now */
    bool archive; /* the answer is one */
};

/* Takes the secret (out of `secret`), whatever it returns. NULL and why. */
struct pra_client *pra_client_new(struct loop *, const struct pra_params *, struct secret *secret,
                                  char why[256]);
/* Other limits and, unless it is the same as before, another secret (taken; NULL = the old one): it ends the
 * token and every pause. 0 or -ENOMEM, and then nothing has changed. */
int pra_client_reload(struct pra_client *, const struct pra_params *, struct secret *secret);
/* From now on fn is called for each call that was made, token calls too, before its done(). It starts,
 * cancels and closes nothing. */
void pra_client_observe(struct pra_client *,
                        void (*fn)(void *arg, enum pra_call_kind, const struct pra_result *), void *arg);
/* All calls end with PRA_CANCELLED, within this call, and none is made any more. */
void pra_client_stop(struct pra_client *);
/* The same; closed() comes when nothing is left. */
void pra_client_close(struct pra_client *, void (*closed)(void *arg), void *arg);

/* 0, -ENOMEM, -ESHUTDOWN. */
int pra_client_call(struct pra_client *, struct pra_call *) __attribute__((warn_unused_result));
void pra_client_cancel(struct pra_call *); /* any number of times; frees the answer so far */
void pra_call_free(struct pra_call *);     /* the answer; any number of times */
/* Reads no more of the answer, and on. Any number of times, from any state; stall_ms does not run meanwhile.
 */
void pra_call_hold(struct pra_call *);
void pra_call_go_on(struct pra_call *);

struct pra_client_state {
    bool refused;                 /* the site refuses client id or secret (until a token is granted) */
    struct pra_result token;      /* with refused or token_paused: the failure of the last token call */
    bool token_paused;            /* no token, and none is asked for at present */
    uint64_t token_pause_ms;      /* how long that lasts */
    uint64_t background_pause_ms; /* a background call would wait for so long */
    bool few_left, none_left; /* X-RateLimit-Remaining: intervals are doubled; only urgent calls and probes */
    uint64_t tokens;          /* granted */
    uint64_t calls;           /* sent, of all kinds */
    int64_t remaining;        /* X-RateLimit-Remaining, -1 = not known */
};
void pra_client_state(const struct pra_client *, struct pra_client_state *);

struct pra_call_counts {
    uint64_t outcomes[PRA_NOUTCOMES];
    struct metric duration; /* a histogram without name; metric_observe_us() */
};
/* Of each kind; they live as long as the client. Calls that were never sent are not among them. */
struct pra_call_counts *pra_client_counts(struct pra_client *);
const uint64_t *pra_client_tokens(const struct pra_client *); /* granted */

#endif
