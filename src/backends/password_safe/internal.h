/*
 * internal.h - what the files of the Password Safe backend share; no file outside this folder includes it.
 *
 * Calls between the files go down this list only. What a lower file has to say to a higher one goes through a
 * function pointer: ps_op.read and .next_page, ps_call.on_session and .on_no_session, the `done` of a
 * sign-in, ps.on_gone.
 *
 *     password_safe.c    the vault itself: start, close
 *     operations.c       one function per operation: writes target and body; the tables of operations
 *     calls.c            a call: waits for a session, is sent, is tried again, ends
 *     overload.c         which calls may wait at all
 *     sessions.c         users, their vault sessions, and the calls that wait for one
 *     signin.c           one sign-in (and token) at a time per user; sign-outs
 *     signin_backoff.c   how often sign-ins are tried while they fail
 *     reload.c           secrets and files, at the start and in a reload
 *     auth.c, cookies.c  the texts of a sign-in; the cookies of a vault session
 *     parse.c, parse_directory.c, parse_json.c   successful answers
 *     errors.c           failed ones: result and fault
 *     answer_form.c      did the vault write this answer, or something in its place?
 *     vault_metrics.c    durations, refusals, queues, repaired answers
 *     reachability.c     every HTTP call passes here: is the vault there? probes
 *
 * Ownership: the vault owns users, calls and sign-outs; a user owns its sessions and its sign-in; a busy
 * session and its call point at each other. A user is kept while `ncalls` is not 0, so it outlives its calls.
 *
 * Order that matters: done() of an operation is the last thing a function does with a call, and `depth` keeps
 * the vault in memory meanwhile. What is decided while an operation is being called ends later, through a
 * deadline.
 */
#ifndef JG_BACKENDS_PS_INTERNAL_H
#define JG_BACKENDS_PS_INTERNAL_H

#include "backends/password_safe/password_safe.h"
#include "base/buf.h"
#include "base/container_of.h"
#include "base/metrics.h"
#include "base/queue/priority_queue.h"
#include "loop/upstream/upstream.h"

#include <stddef.h>
#include <string.h>
#include <sys/queue.h>

/* The hash of users reports "out of memory" instead of ending the program; the plain hash function has no
 * bare fall-through. */
#define HASH_FUNCTION(key, len, hash) HASH_SAX(key, len, hash)
#define HASH_NONFATAL_OOM             1
#define uthash_nonfatal_oom(user)     ((user)->unhashed = true)
#include <uthash.h>

#define PS_PAGE              1000   /* rows asked for at once */
#define PS_PAGES_FULL        8      /* times max_answer: what all pages of one list may have together */
#define PS_ROWS_MAX          100000 /* rows kept of one list where max_rows is not set */
#define PS_TARGET_MAX        8192
#define PS_BODY_MAX          16384
#define PS_HEADERS_MAX       16384
#define PS_SECRET_MAX        (256 * 1024) /* answer with a credential or token: far more than any key */
#define PS_USER_NAME_MAX     520
#define PS_USERS_MAX         16384
#define PS_CONTENT_TYPE      "Content-Type: application/json\r\n"
#define PS_ACCEPT            "Accept: application/json\r\n"
#define PS_REFUSED_MIN       500 /* ms of back-off after a refused sign-in, doubling to ... */
#define PS_REFUSED_MAX       30000
#define PS_FORGET_AFTER      60000 /* a refused user is kept in memory this long */
#define PS_FAILED_MIN        100   /* ms of back-off after a failed sign-in, doubling to ... */
#define PS_FAILED_MAX        2000
#define PS_SIGNIN_BUDGET     20   /* sign-ins of one vault that are under way or failed within ... */
#define PS_SIGNIN_WINDOW     1000 /* ms */
#define PS_EXTRA_AFTER       1000 /* no further session for a while when the last sign-in was lost */
#define PS_RETRY_MIN         100
#define PS_RETRY_AFTER_MAX   2000  /* a longer Retry-After is not waited for */
#define PS_RETRY_AFTER_SHOWN 3600  /* seconds: the longest that is passed on to a caller */
#define PS_PROBE_QUIET       15000 /* without traffic for so long: probe */
#define PS_PROBE_IMPATIENCE  4000  /* that probe without an answer for so long: confirm */
#define PS_PROBE_CONFIRM     500   /* after a failure: probe */
#define PS_PROBE_STUCK       2000 /* calls under way and no answer for so long, or half of call_timeout: probe */
#define PS_PROBE_DOWN        5000 /* between probes while the vault is away */
#define PS_PROBE_CONNECT     2500 /* a new connection that is not open after so long has failed */

struct ps_user;
struct ps_call;

/* A session at the vault: it serves one call at a time, because the vault would serialise more anyway. */
struct ps_session {
    struct ps_user *user;
    struct secret headers; /* Content-Type, Accept, then the one Cookie line */
    struct ps_call *call;  /* NULL = idle */
    uint64_t idle_since_ms;
    bool proved;                  /* the vault has accepted it for a call */
    TAILQ_ENTRY(ps_session) link; /* user->idle */
    TAILQ_ENTRY(ps_session) old;  /* ps->idle */
};
TAILQ_HEAD(ps_session_list, ps_session);
TAILQ_HEAD(ps_call_list, ps_call);

/* How a sign-in ended. */
struct ps_signin_outcome {
    enum { PS_SIGNIN_SESSION, PS_SIGNIN_REFUSED, PS_SIGNIN_FAILED } kind;
    const struct buf *jar;     /* SESSION: its cookies */
    struct vault_call failure; /* FAILED: result and fault for the calls that wait */
    bool retry;                /* FAILED: they may try again, after ... */
    uint64_t delay_ms;
};
typedef void ps_on_signed_in(struct ps_user *, const struct ps_signin_outcome *); /* may free the user */

struct ps_signin {
    struct call http;
    struct ps_user *user;
    ps_on_signed_in *done;
    struct buf headers, body; /* wiped as soon as the vault has answered */
    bool fresh_token;         /* the token was fetched for this sign-in */
};

struct ps_signout {
    struct call http;
    struct ps *ps;
    struct secret headers;
    TAILQ_ENTRY(ps_signout) link;
};

struct ps_failures { /* sign-ins that ended without an answer that the vault wrote */
    unsigned in_a_row;
    uint64_t until_ms; /* of the back-off */
};

struct ps_user {
    struct ps *ps;
    uint64_t number;             /* owner of the connections of the user: never used again for another one */
    size_t nsessions;            /* idle and busy */
    size_t ncalls;               /* waiting, under way and pausing */
    struct ps_session_list idle; /* the last used first */
    struct priority_queue priority_queue; /* calls that wait for a session */
    struct fair_queue_party party;        /* in the queue for connections */
    struct ps_signin *signin;             /* NULL = none under way */
    unsigned refusals;                    /* in a row */
    uint64_t refused_until_ms;
    struct ps_failures failures;
    struct fault last_fault; /* of the last sign-in that was refused or failed */
    bool awaits_permit;      /* on ps->signin_backoff.waiting */
    TAILQ_ENTRY(ps_user) permit_link;
    uint64_t extra_after_ms; /* no session beyond the first is signed in for before then */
    uint64_t quiet_since_ms;
    bool quiet; /* on ps->quiet: kept for the memory of a failed sign-in alone */
    TAILQ_ENTRY(ps_user) quiet_link;
    bool unhashed;
    UT_hash_handle hh;
    char name[]; /* in the spelling that came first; behind it the key of the hash, from person_key() */
};
TAILQ_HEAD(ps_user_list, ps_user);

enum ps_next { PS_DONE, PS_MORE };
typedef enum ps_next ps_read_answer(struct ps_call *); /* a 2xx answer: fills in call->out */

enum ps_operation {
    PS_SIGN_IN, /* no operation of backend.h: the row is for its refusals and its latency */
    PS_LIST,
    PS_POLICY,
    PS_REQUEST,
    PS_CREDENTIAL,
    PS_CHECKIN,
    PS_REQUESTS,
    PS_DIRECTORY,
    PS_ISA,
    PS_NOPERATIONS
};

/* One row per operation: how it is sent, and what the vault's refusals mean for it. */
struct ps_op {
    const char *name;
    const char *method;
    bool effects;  /* it changes something at the vault: without an answer it may have happened */
    bool repeat;   /* loop/upstream may send it again by itself on a lost connection */
    bool secret;   /* the answer is one */
    bool approval; /* 4034 says that an approver is asked first; elsewhere it has no meaning */
    bool quotes;   /* the text of a 400 may be in a fault's detail: the call has no request id in it */
    enum vault_result on_400, on_403, on_404, on_409; /* of a genuine refusal; FAILED = never genuine */
    ps_read_answer *read;
    int (*next_page)(struct ps_call *); /* after PS_MORE: writes the target of the next page; 0 or -errno */
};

enum ps_call_state { PS_NEW, PS_WAITING, PS_SENT, PS_PAUSED, PS_ENDED };

struct ps_call {
    struct ps *ps;
    const struct ps_op *op;
    struct vault_call *out;
    struct ps_user *user;       /* NULL = the call has ended before it had one */
    struct ps_session *session; /* only while PS_SENT */
    enum ps_call_state state;
    struct call http;
    struct buf target, body, headers;
    size_t stem;              /* list, directory: length of the target without its page */
    size_t offset;            /* list, directory: rows of the pages before */
    size_t taken;             /* list: bytes of all its pages */
    enum account_kind kind;   /* list */
    enum directory_part part; /* directory */
    size_t page_at;           /* directory: row with which the last page began */
    struct deadline ends;     /* the caller's time; not running while PS_SENT (loop/upstream keeps it) */
    struct deadline pause;
    uint64_t ends_ms;
    uint64_t begin_by_ms; /* not sent later than that; 0 = no such limit, or it has been sent */
    unsigned tries;
    bool replayed;                    /* has been sent again after a 401 */
    bool with_header;                 /* this sending carries Authorization too */
    bool may_have_happened;           /* an earlier sending may have had its effect */
    struct priority_queue_item place; /* in user->priority_queue */
    TAILQ_ENTRY(ps_call) all;         /* ps->calls */
    /* The end of its wait for a session: exactly one of them. For on_no_session, out has result and fault. */
    void (*on_session)(struct ps_call *, struct ps_session *);
    void (*on_no_session)(struct ps_call *, bool retry, uint64_t delay_ms);
};

struct ps_secrets { /* those that the configuration does not name are empty */
    struct secret api_key, password, oauth_secret;
};

/* Why a call is not admitted (overload.c), with its word. */
enum ps_refusal { PS_DEADLINE, PS_MAX_WAIT, PS_SHARE, PS_MAX_CALLS, PS_WAIT_EXPIRED, PS_NREFUSALS };
extern const char *const ps_refusal_words[PS_NREFUSALS];

/* What of an answer was repaired or left out. */
enum ps_repair { PS_REPAIRED_TEXTS, PS_ROWS_LEFT_OUT, PS_NREPAIRS };

/* The metrics of one vault. All but the wait are several: by operation, repair, refusal or class of call. */
enum {
    PS_METRIC_LATENCY,
    PS_METRIC_REPAIRS = PS_METRIC_LATENCY + PS_NOPERATIONS,
    PS_METRIC_REFUSALS = PS_METRIC_REPAIRS + PS_NREPAIRS,
    PS_METRIC_FAILURES = PS_METRIC_REFUSALS + PS_NREFUSALS,
    PS_METRIC_WAIT,
    PS_METRIC_QUEUES,
    PS_NMETRICS = PS_METRIC_QUEUES + CALL_NCLASSES
};

struct ps_metric {
    struct metric metric;
    struct ps *ps;
    char labels[CONF_NAME_MAX + 48];
};

/* signin_backoff.c */
struct ps_answered_count { /* sign-ins that the vault answered since the last one failed */
    uint64_t window;
    size_t now, before;
};
struct ps_signin_backoff {
    size_t under_way; /* sign-ins */
    struct ps_answered_count answered;
    struct ps_failures failures;
    struct fault last_fault;
    uint64_t failed_ms[PS_SIGNIN_BUDGET]; /* a ring: when the last ones failed */
    size_t nfailed;                       /* since the start */
    struct ps_user_list waiting;          /* users whose sign-in waits for the budget */
};
enum ps_permit { PS_PERMIT_NOW, PS_PERMIT_LATER, PS_PERMIT_DENIED };

struct ps {
    struct vault vault; /* first */
    struct timers *timers;
    const struct clock *clock;
    struct upstream *up;
    char *base; /* path of the API, without trailing slash */
    char *path_token, *path_signin, *path_signout;
    struct ps_secrets secrets;
    char *oauth_user; /* NULL = sign-in with the key */
    struct secret token;
    uint64_t token_until_ms;
    bool header_always; /* this vault needs Authorization with every call */
    struct ps_user *users;
    size_t nusers, nsessions, ncalls;
    uint64_t last_number;           /* of a user; 0 is the probe's owner */
    size_t nactive;                 /* users with calls */
    size_t nwaiting[CALL_NCLASSES]; /* calls that wait for a session */
    uint64_t unlogged, logged_ms;   /* refusals since the last log event, and when that was */
    struct ps_signin_backoff signin_backoff;
    struct ps_session_list idle; /* the longest idle first */
    struct ps_user_list quiet;   /* the longest quiet first */
    struct ps_call_list calls;
    TAILQ_HEAD(, ps_signout) signouts;
    struct deadline sweep;
    uint64_t random;

    struct call probe; /* reachability.c */
    struct deadline probe_at;
    bool probing;
    bool probe_decides; /* the probe under way: its failure is no first one */
    bool known, last_ok;
    bool doubted; /* one failure since the last answer; the next probe decides */
    uint64_t confirm_at_ms;
    size_t in_flight;
    uint64_t last_success_ms, last_word_ms, busy_since_ms;
    uint64_t sign_ins, sign_ins_refused; /* since the start; `sign_ins`: accepted */
    int64_t skew_ms, skew_error_ms;
    bool skew_known;
    char date[32]; /* text of the last Date header, and its value */
    int64_t date_ms;
    int64_t certificate_end; /* of client_certificate, seconds since 1970; 0 = none */
    char trouble[160];
    struct ps_metric metrics[PS_NMETRICS];

    void (*on_gone)(struct ps *); /* after each call and sign-out that has ended; may free ps */
    bool closing, upstream_closing;
    unsigned depth; /* callers' done() on the stack */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* overload.c */
int ps_admit(struct vault *, const char *user, uint64_t left_ms, struct fault *);
/* May the call wait? 0 or -EAGAIN with out->fault. Its user is set. */
int ps_overload_admit(struct ps_call *);
/* The call waited until begin_by_ms and nothing of it was sent: sets its result and fault. */
void ps_overload_expire(struct ps_call *);
uint64_t ps_overload_wait_ms(const struct ps *); /* of a new user */
uint64_t ps_overload_refusals(const struct ps *);

/* vault_metrics.c */
void ps_metrics_start(struct ps *);
void ps_metrics_stop(struct ps *);  /* any number of times */
void ps_count_failure(struct ps *); /* a call has ended with VAULT_FAILED */
void ps_repaired_texts(struct ps_call *, size_t n);
/* A row is left out: one of its ids cannot be read exactly (`odd`), or what a row must have is missing. */
void ps_repaired_row_left_out(struct ps_call *, bool odd);

/* reload.c */
int ps_secrets_read(struct ps_secrets *, const struct conf_vault *, char why[256]);
void ps_secrets_clear(struct ps_secrets *);
struct upstream_opts ps_upstream_opts(const struct conf_vault *); /* all but the url */

/* operations.c */
extern const struct ps_op ps_operations[PS_NOPERATIONS];
static inline void ps_latency_observe(struct ps *ps, const struct ps_op *op, const struct call *http)
{
    metric_observe_us(&ps->metrics[PS_METRIC_LATENCY + (op - ps_operations)].metric,
                      clock_measure_us() - http->started_us);
}

/* calls.c */
int ps_call_new(struct ps *, const struct ps_op *, struct vault_call *, struct ps_call **);
int ps_call_start(struct ps_call *); /* frees the call when it fails */
/* Reads the answer into call->out if it is genuine, and sets may_have_happened where it is not. */
enum ps_next ps_call_read(struct ps_call *);
void ps_call_cancel(struct vault *, struct vault_call *);
bool ps_call_withdraw(struct vault *, struct vault_call *);
void ps_calls_end_all(struct ps *);

/* sessions.c */
struct ps_user *ps_user_find(const struct ps *, const char *name); /* NULL = there is none */
int ps_user_get(struct ps *, const char *name, struct ps_user **);
void ps_user_queue(struct ps_user *, struct ps_call *, bool front);
void ps_user_unqueue(struct ps_call *);
void ps_user_serve(struct ps_user *); /* matches sessions with waiting calls; may free the user */
/* The call that is served next; NULL = none waits. */
static inline struct ps_call *ps_user_waiting(const struct ps_user *user)
{
    struct priority_queue_item *item = priority_queue_peek(&user->priority_queue);

    return item ? CONTAINER_OF(item, struct ps_call, place) : NULL;
}
void ps_session_take(struct ps_session *, struct ps_call *);
void ps_session_idle(struct ps_session *); /* it is new, or its call is over */
void ps_session_drop(struct ps_session *); /* of no list, and without a sign-out: frees it */
void ps_session_learn(struct ps_session *, const struct buf *set_cookies);
void ps_user_drop_idle(struct ps_user *);
void ps_sessions_end_all(struct ps *);
/* The headers of a session, with Content-Type for a call with a body, or without. */
static inline const char *ps_session_headers(const struct secret *headers, bool body)
{
    return headers->p + (body ? 0 : strlen(PS_CONTENT_TYPE));
}

/* signin.c */
int ps_signin_start(struct ps_user *, ps_on_signed_in *);
void ps_signin_cancel(struct ps_user *);                              /* the outcome is not reported then */
void ps_signout(struct ps *, uint64_t owner, struct secret *headers); /* takes the headers */

/* signin_backoff.c */
/* May a sign-in of the user begin? DENIED: not before *delay_ms; `why` is the fault for its callers. */
enum ps_permit ps_backoff_permit(const struct ps_user *, struct fault *why, uint64_t *delay_ms);
void ps_backoff_wait(struct ps_user *);       /* LATER: until ps_backoff_next() returns the user */
void ps_backoff_leave(struct ps_user *);      /* any number of times */
struct ps_user *ps_backoff_next(struct ps *); /* after a sign-in: a user to be served; NULL = none */
/* A sign-in failed: returns the user's back-off in ms; the fault gets its Retry-After. */
uint64_t ps_backoff_failed(struct ps_user *, struct fault *);
void ps_backoff_answered(struct ps_user *); /* the vault itself has answered a sign-in */

/* auth.c */
bool ps_user_name_valid(const char *name);
int ps_auth_header(struct ps *, const char *user, struct buf *out);
bool ps_auth_wants_token(const struct ps *);
int ps_auth_token_form(const struct ps *, struct buf *out);
int ps_auth_token_keep(struct ps *, const struct call *);
void ps_auth_token_forget(struct ps *);

/* cookies.c */
/* The cookies in the jar and those that the answer sets. now_wall_ms is the vault's own time: a cookie that
 * has expired by then leaves the jar. */
int ps_cookies_merge(const char *jar, size_t jar_len, const struct buf *set, int64_t now_wall_ms,
                     struct buf *out);

/* reachability.c */
int ps_http_send(struct ps *, struct call *); /* counts it; returns what upstream_call() returns */
void ps_http_done(struct ps *, const struct call *);
void ps_http_cancel(struct ps *, struct call *);
int ps_reachability_start(struct ps *);
void ps_reachability_stop(struct ps *);
void ps_reachability_state(const struct ps *, struct vault_state *);
int64_t ps_vault_clock_wall(const struct ps *); /* the vault's own clock, as far as it is known */

/* parse.c, parse_directory.c */
ps_read_answer ps_parse_list, ps_parse_policy, ps_parse_request, ps_parse_credential, ps_parse_checkin;
ps_read_answer ps_parse_requests, ps_parse_directory;
ps_read_answer ps_parse_nothing; /* a refusal that means an empty list */

/* answer_form.c */
/* The body without blanks around it and without a byte order mark. */
const char *ps_trimmed(const struct buf *body, size_t *len);
bool ps_is_html(const struct call *); /* a page, which the vault never writes */
/* Of any answer but a 2xx: does the vault itself refuse this operation, in its own form? */
bool ps_is_genuine_refusal(const struct ps_op *, const struct call *);
/* Of a refused sign-in: the body is one that the vault does not write with this status. */
bool ps_is_foreign_refusal(const struct call *);
bool ps_is_signin_refusal(const struct call *); /* of a sign-in: the vault itself refuses the user */
bool ps_is_signin_success(const struct call *); /* a 200 to a sign-in in the vault's own form */

/* errors.c */
struct ps_error_text {
    int code; /* 4031 ..., 0 = none */
    char text[200];
};
void ps_error_text_read(const struct buf *body, struct ps_error_text *);
void ps_error_status(const struct ps *, const struct ps_op *, const struct call *, struct vault_call *);
void ps_error_transport(const struct ps *, const struct call *, struct vault_call *);
void ps_error_errno(const struct ps *, int err, struct vault_call *);
void ps_error_unreadable(struct vault_call *, const struct call *, const char *what);
void ps_error_refused(struct fault *, const struct call *); /* of a sign-in */
/* A 401 to a call of a user who was signed in. */
void ps_error_session_refused(const struct ps_op *, const struct call *, struct vault_call *);
void ps_error_deadline(struct vault_call *);
/* May the call be tried again? *delay_ms = the Retry-After of the vault, 0 = none. */
bool ps_error_is_retryable(const struct ps *, const struct call *, uint64_t *delay_ms);

#endif
