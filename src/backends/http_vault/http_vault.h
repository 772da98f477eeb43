/*
 * http_vault.h - what vaults that are reached over HTTP share, whatever their protocol.
 *
 * A backend's own struct begins with struct http_vault, and its struct of a vault user holds a struct
 * http_vault_user. The backend keeps its protocol: targets, bodies, sessions, the meaning of answers. The
 * functions here judge and count. They call no function of the backend, start and end none of its calls, and
 * free nothing of it, but for calls.c, to which a backend may leave the life of its calls.
 *
 *     http_vault.c       the parts of a url, the options of the connections, the pause before a further try
 *     reachability.c     every HTTP call passes here: is the vault reachable? probes; the vault's clock
 *     overload.c         which calls may wait at all
 *     signin_backoff.c   when a user may sign in while sign-ins fail or are refused
 *     errors.c           results and faults that follow from HTTP alone: transport, status, tries
 *     answer_form.c      the body of an answer, and whether it is an HTML page
 *     calls.c            a call: waits for the sign-in of its user, is sent, is tried again, ends
 *     vault_metrics.c    refused, failed and waiting calls
 *
 * Life: zeroed by its owner --> http_vault_init() --> http_vault_reachability_start(), the one step that can
 * fail --> `up` is set, http_vault_metrics_start() --> calls --> `closing` is set,
 * http_vault_reachability_stop() --> http_vault_free(), after `up` has closed.
 *
 * Invariants: `in_flight` counts the HTTP calls between http_vault_send() and http_vault_done() or
 * http_vault_cancel(). `ncalls`, `nactive` and `nwaiting` are kept by calls.c or by the backend, as is
 * `ncalls` of a user.
 *
 * Not here: which call of a user is next (base/queue/priority_queue.h), connections (loop/upstream).
 */
#ifndef JG_BACKENDS_HTTP_VAULT_H
#define JG_BACKENDS_HTTP_VAULT_H

#include "backends/backend.h"
#include "base/metrics.h"
#include "base/queue/priority_queue.h"
#include "loop/loop.h"
#include "loop/upstream/upstream.h"

#include <sys/queue.h>

#define HTTP_VAULT_SIGNIN_BUDGET 20 /* sign-ins of one vault that are under way or failed within a window */

/* Sign-ins that ended without an answer that the vault wrote. */
struct signin_failures {
    unsigned in_a_row;
    uint64_t until_ms; /* of the back-off */
};

struct http_vault;

/* A user of the vault, as far as calls wait for it and sign-ins are held off. */
struct http_vault_user {
    struct http_vault *vault;
    bool is_everybody; /* the only user: there is no share of calls, and one sign-in is for all */
    uint64_t number;   /* owner of its connections: never used again for another user */
    size_t ncalls;     /* waiting, under way and pausing */
    struct priority_queue priority_queue; /* calls that wait for a session */
    struct fair_queue_party party;        /* in the queue for connections */
    unsigned refusals;                    /* of sign-ins, in a row */
    uint64_t refused_until_ms;
    struct signin_failures failures;
    struct fault last_fault; /* of the last sign-in that was refused or failed */
    bool awaits_permit;      /* on signin_backoff.waiting */
    TAILQ_ENTRY(http_vault_user) permit_link;
};

struct signin_answered { /* sign-ins that the vault answered since the last one failed */
    uint64_t window;
    size_t now, before;
};

struct signin_backoff {
    size_t under_way; /* sign-ins */
    struct signin_answered answered;
    struct signin_failures failures;
    struct fault last_fault;
    uint64_t failed_ms[HTTP_VAULT_SIGNIN_BUDGET]; /* a ring: when the last ones failed */
    size_t nfailed;                               /* since the start */
    TAILQ_HEAD(, http_vault_user) waiting;        /* users whose sign-in waits for the budget */
};

/* What is known of the vault being there, and of its clock: reachability.c. */
struct reachability {
    struct call probe;
    struct deadline probe_at;
    bool is_probing;
    bool probe_decides; /* the probe under way: its failure is no first one */
    bool is_known, last_ok;
    bool is_doubted; /* one failure since the last answer; the next probe decides */
    uint64_t confirm_at_ms, last_success_ms, last_word_ms, busy_since_ms;
    char trouble[160]; /* why it is not reachable */
    /* The vault's clock less the monotonic one, which is never set, as it was at skew_at_ms. */
    int64_t ahead_ms, skew_error_ms;
    uint64_t skew_at_ms;
    bool is_skew_known;
    char date[32]; /* text of the last Date header, and its value */
    int64_t date_ms;
};

/* Why a call is not admitted, with its word: overload.c. */
enum overload_refusal {
    OVERLOAD_DEADLINE,
    OVERLOAD_MAX_WAIT,
    OVERLOAD_SHARE,
    OVERLOAD_MAX_CALLS,
    OVERLOAD_WAIT_EXPIRED,
    OVERLOAD_NREFUSALS
};

/* One metric of one vault, with its labels. */
struct vault_metric {
    struct metric metric;
    struct http_vault *vault;
    char labels[CONF_NAME_MAX + 48];
};

struct http_vault {
    struct vault vault; /* first */
    struct timers *timers;
    const struct clock *clock;
    struct upstream *up;
    char *base;                          /* path of the API, without trailing slash */
    uint64_t last_number;                /* of a user; 0 is the probe's owner */
    uint64_t random;                     /* for jitter */
    size_t in_flight;                    /* HTTP calls */
    unsigned depth;                      /* done() of callers on the stack (calls.c) */
    size_t ncalls;                       /* of all users */
    size_t nactive;                      /* users with calls */
    size_t nwaiting[CALL_NCLASSES];      /* calls that wait for a session */
    uint64_t sign_ins, sign_ins_refused; /* since the start; `sign_ins`: accepted */
    int64_t certificate_end;             /* of client_certificate, seconds since 1970; 0 = none */
    bool closing;
    TAILQ_HEAD(, http_vault_call) calls; /* of calls.c */
    struct reachability reachability;
    struct signin_backoff signin_backoff;
    uint64_t unlogged, logged_ms; /* refusals since the last log event, and when that was */
    struct vault_metric refusals[OVERLOAD_NREFUSALS], failures, wait, queues[CALL_NCLASSES];
};

/* ---- http_vault.c ---- */

void http_vault_init(struct http_vault *, const struct vault_ops *, const struct conf_vault *, struct loop *);
void http_vault_free(struct http_vault *); /* what it owns, not the struct */
/* Where the path of a url begins: at its end, if it has none. */
const char *http_vault_path(const char *url);
/* All but the url. */
struct upstream_opts http_vault_upstream_opts(const struct conf_vault *);
/* The pause before the next try, in ms: `tries` were made before, the vault wants at least `asked_ms`. */
uint64_t http_vault_try_after(struct http_vault *, unsigned tries, uint64_t asked_ms);

/* ---- reachability.c ---- */

int http_vault_send(struct http_vault *, struct call *); /* counts it; returns what upstream_call() returns */
void http_vault_done(struct http_vault *, const struct call *);
void http_vault_cancel(struct http_vault *, struct call *);
/* The probe's target is `base`. 0 or -ENOMEM. */
int http_vault_reachability_start(struct http_vault *);
void http_vault_reachability_stop(struct http_vault *);
/* Fills in what is known here: of the vault being reachable, of its clock, of sign-ins, calls and
 * connections. */
void http_vault_state(const struct http_vault *, struct vault_state *);
int64_t http_vault_clock_wall(const struct http_vault *); /* the vault's own clock, as far as it is known */

/* ---- overload.c; `user` NULL = one without any call ---- */

/* As vault_ops.admit. */
int http_vault_admit(struct http_vault *, const struct http_vault_user *, uint64_t left_ms, struct fault *);
/* May a new call of the user wait? 0 or -EAGAIN with its fault. */
int http_vault_admit_call(struct http_vault *, const struct http_vault_user *, struct vault_call *);
/* The call waited until its time to begin was over, and nothing of it was sent: sets its result and fault. */
void http_vault_expire(struct http_vault *, const struct http_vault_user *, struct vault_call *);
uint64_t http_vault_wait_ms(const struct http_vault *); /* of a new user */
uint64_t http_vault_refusals(const struct http_vault *);
extern const char *const overload_words[OVERLOAD_NREFUSALS];

/* ---- signin_backoff.c ---- */

enum signin_permit { SIGNIN_NOW, SIGNIN_LATER, SIGNIN_DENIED };

/* May a sign-in of the user begin? DENIED: not before *delay_ms; `why` is the fault for its callers. */
enum signin_permit signin_permit(const struct http_vault_user *, struct fault *why, uint64_t *delay_ms);
void signin_wait(struct http_vault_user *);  /* LATER: until signin_next() returns the user */
void signin_leave(struct http_vault_user *); /* any number of times */
/* After a sign-in: a user to be served; NULL = none. */
struct http_vault_user *signin_next(struct http_vault *);
/* A sign-in failed: returns the user's back-off in ms; the fault gets its Retry-After. */
uint64_t signin_failed(struct http_vault_user *, struct fault *);
/* The vault itself has refused a sign-in: returns the pause in ms, `first_ms` doubling to `most_ms`. */
uint64_t signin_refused(struct http_vault_user *, uint64_t first_ms, uint64_t most_ms);
void signin_answered(struct http_vault_user *); /* the vault itself has answered a sign-in */

/* ---- errors.c; `operation` is its name in a fault ---- */

void http_vault_transport_error(const struct http_vault *, const struct call *, struct vault_call *);
void http_vault_errno_error(const struct http_vault *, int err, struct vault_call *);
void http_vault_deadline(struct vault_call *);
void http_vault_unreadable(struct vault_call *, const struct call *, const char *what);
/* An answer that is neither a success nor a refusal in the vault's own form: FAILED, by its status. */
void http_vault_status_error(const struct http_vault *, const char *operation, const struct call *,
                             struct vault_call *);
/* May the call be tried again? *delay_ms = the Retry-After of the vault, 0 = none. */
bool http_vault_is_retryable(const struct http_vault *, const struct call *, uint64_t *delay_ms);
/* The Retry-After of the answer, for a caller: 0 = absent, or neither a number nor a date; else at least 1.
 */
unsigned http_vault_retry_after_s(const struct http_vault *, const struct call *);
/* Printable ASCII and UTF-8, blanks squeezed to one, cut at a whole character. */
void http_vault_clean_text(char *out, size_t size, const char *text, size_t len);

/* ---- answer_form.c ---- */

/* The body without blanks around it and without a byte order mark. */
const char *http_vault_trimmed(const struct buf *body, size_t *len);
bool http_vault_is_page(const struct call *); /* an HTML page, which no vault writes */

/* ---- calls.c ---- */

/*
 *     new --> waiting --> sent --> ended
 *               ^  ^        |
 *               |  |        +--http_vault_call_queue(): for a new sign-in--> waiting
 *               |  +-paused <--http_vault_call_pause()
 *
 * waiting  in the queue of its user, until the backend takes it with http_vault_call_take() and sends it
 * sent     with loop/upstream
 * paused   until the next try
 * ended    the answer is in `out`; done() follows with the timers
 */
enum http_vault_call_state {
    VAULT_CALL_NEW,
    VAULT_CALL_WAITING,
    VAULT_CALL_SENT,
    VAULT_CALL_PAUSED,
    VAULT_CALL_ENDED
};

struct http_vault_call;

/* What the backend does at the turns of its calls. */
struct http_vault_call_hooks {
    void (*serve)(struct http_vault_user *); /* sends what can be sent; the last step of every change */
    void (*send)(struct http_vault_call *);  /* of one that was taken; see http_vault_call_send() */
    void (*end)(struct http_vault_call *);   /* frees the call; it is on no list, and none of it is sent */
    void (*gone)(struct http_vault *);       /* a call has ended; may free the vault */
};

/* The backend's own struct of a call holds one. Set before http_vault_call_start(): vault, user, hooks, out,
 * effects. */
struct http_vault_call {
    struct http_vault *vault;
    struct http_vault_user *user; /* NULL = it ends before it has one (http_vault_call_start_ended()) */
    const struct http_vault_call_hooks *hooks;
    struct vault_call *out;
    bool effects; /* without an answer it may have happened */
    enum http_vault_call_state state;
    struct call http;
    struct deadline ends; /* the caller's time; not running while sent (loop/upstream keeps it) */
    struct deadline pause;
    uint64_t ends_ms;
    uint64_t begin_by_ms; /* not sent later than that; 0 = no such limit, or it has been sent */
    unsigned tries;
    bool may_have_happened; /* a sending may have had its effect, and its answer does not settle that */
    struct priority_queue_item place;
    TAILQ_ENTRY(http_vault_call) link;
};

/* Queues the call and serves its user. 0 or -errno; then nothing of it is left but the call itself. */
int http_vault_call_start(struct http_vault_call *);
/* The same for one whose answer is in `out` already: done() follows. 0 or -ENOMEM. */
int http_vault_call_start_ended(struct http_vault_call *);
/* The call that is served next, taken out of the queue or left in it. NULL = none waits. */
struct http_vault_call *http_vault_call_take(struct http_vault_user *);
struct http_vault_call *http_vault_call_first(const struct http_vault_user *);
/* Sends a call that was taken: `how` has method, target, headers, body and what is special about it. Where it
 * cannot be sent it ends later. */
void http_vault_call_send(struct http_vault_call *, const struct call *how);
/* The same for a further part of an answer that has begun: 0, or -errno, and the caller ends the call. */
int http_vault_call_send_further(struct http_vault_call *, const struct call *how);
/* What a sending has come to, in the `done` of `http`: an answer, which is the backend's; a pause until the
 * next try; or nothing, and the call has ended. `may_repeat`: also where some of it may have been sent. */
enum http_vault_sending { VAULT_SENDING_ANSWERED, VAULT_SENDING_PAUSED, VAULT_SENDING_ENDED };
enum http_vault_sending http_vault_call_sent(struct http_vault_call *, bool may_repeat);
/* Waits again, before the others. False: its time is over. */
bool http_vault_call_queue(struct http_vault_call *);
/* Sets it aside for another try; false when no tries or no time are left. */
bool http_vault_call_pause(struct http_vault_call *, uint64_t delay_ms);
/* Ends the call: done(), and it is freed. */
void http_vault_call_finish(struct http_vault_call *);
void http_vault_call_reset(struct vault_call *out); /* what a backend sets, before a call begins */
uint64_t http_vault_call_time_left(const struct http_vault_call *);
/* All waiting calls end with this; those that were tried before, or all, have further tries. */
enum http_vault_retry { VAULT_RETRY_NONE, VAULT_RETRY_TRIED, VAULT_RETRY_ALL };
void http_vault_calls_fail(struct http_vault_user *, enum vault_result, const struct fault *,
                           enum http_vault_retry, uint64_t delay_ms);
void http_vault_calls_end_all(struct http_vault *);
/* For vault_ops: `impl` of the vault_call is its struct http_vault_call. */
void http_vault_call_cancel(struct vault *, struct vault_call *);
bool http_vault_call_withdraw(struct vault *, struct vault_call *);

/* ---- vault_metrics.c ---- */

void http_vault_metrics_start(struct http_vault *);
void http_vault_metrics_stop(struct http_vault *); /* any number of times */
/* Registers one metric of the vault; `label` NULL = with the vault's name alone. */
void http_vault_metric_add(struct http_vault *, struct vault_metric *, const struct metric *row,
                           const char *label, const char *value);
/* The duration of the calls of one operation. */
void http_vault_latency_add(struct http_vault *, struct vault_metric *, const char *operation);
static inline void http_vault_latency_observe(struct vault_metric *latency, const struct call *http)
{
    metric_observe_us(&latency->metric, clock_measure_us() - http->started_us);
}
void http_vault_count_failure(struct http_vault *); /* a call has ended with VAULT_FAILED */

#endif
