/*
 * internal.h - what the files of the Password Safe backend share; nobody else includes it.
 *
 *     operations.c   one function per operation: writes target and body       --> calls.c
 *     calls.c        a call's walk: wait for a session, send, try again, end   --> sessions.c, errors.c
 *     call_pool.c   where calls come from and go
 *     sessions.c     users, their vault sessions and who waits for one         --> signin.c
 *     signin.c       one sign-in (and token) at a time per user, sign-outs     --> auth.c, cookies.c
 *     signin_backoff.c  how often sign-ins are tried while they fail
 *     reachability.c        every HTTP call passes here: is the vault there? probes
 *     answer_form.c         whose word is an answer: the vault's own, or that of somebody in its place
 *     parse.c, parse_directory.c   answers that went well; errors.c: those that did not
 *     repaired_texts.c       counts what of an answer could not be taken as it was
 *     password_safe.c  the vault itself: birth, state, end; reload.c: secrets and files, at birth and anew
 *
 * Who owns what: the vault owns users, calls and sign-outs; a user owns its sessions and its sign-in; a busy
 * session and its call point at each other. A call outlives no user: users are kept while `ncalls` is not 0.
 *
 * Order that matters: done() of a caller is always the last thing a function does with a call, and `depth`
 * keeps the vault alive meanwhile. Whatever is decided inside an operation's own call ends later, through a
 * deadline.
 */
#ifndef JG_BACKENDS_PS_INTERNAL_H
#define JG_BACKENDS_PS_INTERNAL_H

#include "backends/password_safe/password_safe.h"
#include "base/buf.h"
#include "base/metrics.h"
#include "base/queue/priority_queue.h"
#include "loop/upstream/upstream.h"

#include <stddef.h>
#include <sys/queue.h>

/* The hash of users says "out of memory" instead of leaving the program; the plain hash has no bare
 * fall-through. */
#define HASH_FUNCTION(key, len, hash) HASH_SAX(key, len, hash)
#define HASH_NONFATAL_OOM             1
#define uthash_nonfatal_oom(user)     ((user)->unhashed = true)
#include <uthash.h>

#define PS_PAGE              1000   /* rows asked for at once */
#define PS_PAGES_FULL        8      /* times max_answer: what all pages of one list may have together */
#define PS_ROWS_MAX          100000 /* rows kept of one list where the configuration does not say */
#define PS_TARGET_MAX        8192
#define PS_BODY_MAX          16384
#define PS_HEADERS_MAX       16384
#define PS_SECRET_MAX        (256 * 1024) /* answer with a credential or token: far more than any key */
#define PS_USER_NAME_MAX     520
#define PS_SPARE_CALLS       64   /* ended calls kept for the next ones */
#define PS_SPARE_TEXTS       2048 /* bytes of memory its texts may have */
#define PS_USERS_MAX         16384
#define PS_CONTENT_TYPE      "Content-Type: application/json\r\n"
#define PS_ACCEPT            "Accept: application/json\r\n"
#define PS_REFUSED_MIN       500 /* ms of back-off after a refused sign-in, doubling to ... */
#define PS_REFUSED_MAX       30000
#define PS_FORGET_AFTER      60000 /* a refused user is remembered this long */
#define PS_LOST_MIN          100   /* ms of back-off after a failed sign-in, doubling to ... */
#define PS_LOST_MAX          2000
#define PS_LOST_RATE         20   /* sign-ins of one vault that are under way or failed within ... */
#define PS_LOST_WINDOW       1000 /* ms */
#define PS_EXTRA_AFTER       1000 /* no further session for a while when the last sign-in was lost */
#define PS_RETRY_MIN         100
#define PS_RETRY_AFTER_MAX   2000 /* a longer Retry-After is not waited for */
#define PS_RETRY_AFTER_SHOWN 3600 /* seconds: the longest that is passed on to a caller */
#define PS_PROBE_QUIET       15000
#define PS_PROBE_DOWN        5000 /* between probes while the vault is away */
#define PS_PROBE_STUCK       2000 /* calls under way and no answer for so long: ask */
#define PS_PROBE_TIMEOUT     2500

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

struct ps_signin {
    struct call http;
    struct ps_user *user;
    struct buf headers, body; /* wiped as soon as the vault has answered */
    bool fresh_token;         /* the token was fetched for this sign-in */
};

struct ps_signout {
    struct call http;
    struct ps *ps;
    struct secret headers;
    TAILQ_ENTRY(ps_signout) link;
};

struct ps_setback { /* sign-ins that failed without a word of the vault */
    unsigned row;   /* one after the other */
    uint64_t until_ms;
};

struct ps_user {
    struct ps *ps;
    uint64_t number;                      /* whose connections are whose: never used again for another user */
    size_t nsessions;                     /* idle and busy */
    size_t ncalls;                        /* waiting, under way and pausing */
    struct ps_session_list idle;          /* the last used first */
    struct priority_queue priority_queue; /* calls that wait for a session */
    struct fair_queue_party party;        /* in the line for connections */
    struct ps_signin *signin;             /* NULL = none under way */
    unsigned refusals;                    /* in a row */
    uint64_t refused_until_ms;
    struct ps_setback lost;
    struct fault last_fault; /* of the last sign-in that was refused or lost */
    bool wanting;            /* on ps->pace.wanting */
    TAILQ_ENTRY(ps_user) want_link;
    uint64_t extra_after_ms;
    uint64_t quiet_since_ms;
    bool quiet; /* on ps->quiet: nothing but the memory of a failed sign-in */
    TAILQ_ENTRY(ps_user) quiet_link;
    bool unhashed;
    UT_hash_handle hh;
    char name[]; /* as it was spelled first; behind it the key of the hash, as person_key() writes it */
};
TAILQ_HEAD(ps_user_list, ps_user);

enum ps_next { PS_DONE, PS_MORE };

enum ps_operation {
    PS_SIGN_IN, /* none of backend.h: a row for its refusals and its latency */
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

/* One row per operation: what it sends, and what the vault's refusals mean for it. */
struct ps_op {
    const char *name;
    const char *method;
    bool effects; /* an unanswered one may have happened */
    bool repeat;  /* loop/upstream may send it again by itself on a dead connection */
    bool secret;  /* the answer is one */
    bool quotes;  /* the vault's own words on a 400 are fit for a detail (no request id in the call) */
    enum vault_result on_400, on_403, on_404, on_409; /* in the vault's own form; FAILED = never its word */
    enum ps_next (*read)(struct ps_call *);           /* a 2xx answer: fills in call->out */
};

enum ps_call_state { PS_NEW, PS_WAITING, PS_SENT, PS_PAUSED, PS_ENDED };

struct ps_call {
    struct ps *ps;
    const struct ps_op *op;
    struct vault_call *out;
    struct ps_user *user;       /* NULL = does not need one any more */
    struct ps_session *session; /* only while PS_SENT */
    enum ps_call_state state;
    struct call http;
    struct buf target, body, headers;
    size_t stem;              /* list: length of the target without its page */
    size_t offset;            /* list */
    size_t taken;             /* list: bytes of all its pages */
    enum account_kind kind;   /* list */
    enum directory_part part; /* directory */
    size_t page_at;           /* directory: row with which the last page began */
    struct deadline ends;     /* the caller's time; not running while PS_SENT (loop/upstream keeps it) */
    struct deadline pause;
    uint64_t ends_ms;
    uint64_t begin_by_ms; /* later it is not worth while; 0 = no such limit, or it has begun */
    unsigned tries;
    bool replayed;                    /* has been sent again after a 401 */
    bool with_header;                 /* this sending carries Authorization too */
    bool maybe;                       /* an earlier sending may have happened */
    struct priority_queue_item place; /* user->line */
    TAILQ_ENTRY(ps_call) all;         /* ps->calls */
};

struct ps_secrets { /* an empty one is not used */
    struct secret api_key, password, oauth_secret;
};

/* overload.c */
enum ps_refusal { PS_DEADLINE, PS_MAX_WAIT, PS_SHARE, PS_MAX_CALLS, PS_IN_VAIN, PS_NREFUSALS };

struct ps_gate {
    struct ps_gauge {
        struct metric metric;
        char labels[CONF_NAME_MAX + 48];
    } refused[PS_NREFUSALS], priority_queue[CALL_NCLASSES], wait;
    uint64_t unlogged, logged_ms; /* refusals since the last line in the log */
};

/* signin_backoff.c */
struct ps_won { /* sign-ins that the vault answered and none failed since */
    uint64_t window;
    size_t now, before;
};
struct ps_pace {
    size_t under_way; /* sign-ins */
    struct ps_won won;
    struct ps_setback lost;
    struct fault last_fault;
    uint64_t failed_ms[PS_LOST_RATE]; /* a ring: when the last ones failed */
    size_t nfailed;                   /* ever */
    struct ps_user_list wanting;      /* users that wait for a sign-in of theirs to begin */
};
enum ps_turn { PS_TURN_NOW, PS_TURN_LATER, PS_TURN_SHUT };

struct ps_latency { /* latency.c: one operation's histogram */
    char labels[CONF_NAME_MAX + 48];
    struct metric metric;
};

/* repaired_texts.c: what of the vault's answers could not be taken as it was. */
enum ps_mending { PS_MENDED_TEXTS, PS_REFUSED_ROWS, PS_NMENDINGS };

struct ps_mended {
    struct metric metric;
    bool logged; /* once per vault */
};

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
    bool header_always; /* this vault wants Authorization with every call */
    struct ps_user *users;
    size_t nusers, nsessions, ncalls;
    uint64_t last_number;           /* of a user; 0 is the probe's owner */
    size_t nactive;                 /* users with calls */
    size_t nwaiting[CALL_NCLASSES]; /* calls that wait for a session */
    struct ps_gate gate;
    struct ps_pace pace;
    struct ps_session_list idle; /* the longest idle first */
    struct ps_user_list quiet;   /* the longest quiet first */
    struct ps_call_list calls;
    struct ps_call_list spare; /* ended calls, for the next ones */
    size_t nspare;
    TAILQ_HEAD(, ps_signout) signouts;
    struct deadline sweep;
    uint64_t random;

    struct call probe; /* reachability.c */
    struct deadline probe_at;
    bool probing, known, last_ok;
    size_t in_flight;
    uint64_t last_success_ms, last_word_ms, busy_since_ms;
    int64_t skew_ms;
    bool skew_known;
    char date[32]; /* text of the last Date and what it says */
    int64_t date_ms;
    int64_t certificate_end; /* of client_certificate, seconds since 1970; 0 = none */
    char trouble[160];
    struct ps_latency latency[PS_NOPERATIONS];
    struct ps_mended mended[PS_NMENDINGS];
    char mended_labels[CONF_NAME_MAX + 16];

    bool closing, upstream_closing;
    unsigned depth; /* callers' done() on the stack */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* overload.c */
void ps_gate_start(struct ps *);
void ps_gate_stop(struct ps *); /* any number of times */
int ps_admit(struct vault *, const char *user, uint64_t left_ms, struct fault *);
/* May the call stand in line? 0 or -EAGAIN with out->fault. Its user is known. */
int ps_gate_pass(struct ps_call *);
/* It waited as long as it was worth while, and nothing of it was sent. */
void ps_gate_in_vain(struct ps_call *);
uint64_t ps_gate_wait_ms(const struct ps *); /* of somebody new */
uint64_t ps_gate_refused(const struct ps *);

/* latency.c */
void ps_latency_start(struct ps *);
void ps_latency_stop(struct ps *); /* any number of times */
void ps_latency_observe(struct ps *, const struct ps_op *, const struct call *);

/* repaired_texts.c */
void ps_mended_start(struct ps *);
void ps_mended_stop(struct ps *); /* any number of times */
void ps_mended_texts(struct ps_call *, size_t n);
/* A row is left out: one of its ids cannot be read exactly (`odd`), or what a row must have is missing. */
void ps_mended_no_row(struct ps_call *, bool odd);

/* password_safe.c */
void ps_close_step(struct ps *); /* goes on with the end, if it is time; may free ps */
uint64_t ps_random(struct ps *, uint64_t below);

/* reload.c */
int ps_secrets_read(struct ps_secrets *, const struct conf_vault *, char why[256]);
void ps_secrets_clear(struct ps_secrets *);
struct upstream_opts ps_upstream_opts(const struct conf_vault *); /* all but the url */

/* operations.c */
extern const struct ps_op ps_operations[PS_NOPERATIONS];
int ps_list(struct vault *, const struct account_query *, struct vault_call *);
int ps_policy(struct vault *, int64_t system_id, int64_t account_id, int64_t minutes, struct vault_call *);
int ps_request(struct vault *, const struct request_args *, struct vault_call *);
int ps_credential(struct vault *, int64_t request_id, enum credential_type, struct vault_call *);
int ps_checkin(struct vault *, int64_t request_id, const char *reason, struct vault_call *);
int ps_requests(struct vault *, struct vault_call *);
int ps_directory(struct vault *, enum directory_part, struct vault_call *);
int ps_isa(struct vault *, const struct request_args *, enum credential_type, struct vault_call *);
int ps_operations_page(struct ps_call *); /* list: the target of the next page */

/* call_pool.c */
int ps_call_new(struct ps *, const struct ps_op *, struct vault_call *, struct ps_call **);
void ps_call_free(struct ps_call *); /* it may be kept for the next one */
void ps_calls_forget(struct ps *);   /* frees those that are kept */

/* calls.c */
int ps_call_start(struct ps_call *);       /* frees the call when it fails */
int ps_call_start_ended(struct ps_call *); /* the answer is already in out: only hand it over, later */
void ps_call_send(struct ps_call *, struct ps_session *);
/* Its sign-in was lost or refused. out has result and fault; the call is off the waiting list. */
void ps_call_setback(struct ps_call *, bool again, uint64_t delay_ms);
/* Reads call->http into call->out, if it is the vault's word, and says in `maybe` what is not known. */
enum ps_next ps_call_read(struct ps_call *);
void ps_call_cancel(struct vault *, struct vault_call *);
bool ps_call_withdraw(struct vault *, struct vault_call *);
void ps_calls_end_all(struct ps *);

/* sessions.c */
struct ps_user *ps_user_find(const struct ps *, const char *name); /* NULL = there is none */
int ps_user_get(struct ps *, const char *name, struct ps_user **);
bool ps_user_name_valid(const char *name);
void ps_user_queue(struct ps_user *, struct ps_call *, bool front);
void ps_user_unqueue(struct ps_call *);
void ps_user_serve(struct ps_user *); /* hands sessions to who waits, signs in for more; may free the user */
/* A sign-in was lost: the waiting calls try again or end with what was said, unless other sessions serve
 * them. */
void ps_user_lost(struct ps_user *, const struct vault_call *said, bool again, uint64_t delay_ms);
struct ps_call *ps_user_waiting(const struct ps_user *);
int ps_session_add(struct ps_user *, const struct buf *jar);
void ps_session_take(struct ps_session *, struct ps_call *);
void ps_session_idle(struct ps_session *); /* its call is over */
void ps_session_drop(struct ps_session *); /* the vault does not know it any more */
void ps_session_learn(struct ps_session *, const struct buf *set_cookies);
void ps_user_drop_idle(struct ps_user *);
void ps_sessions_end_all(struct ps *);
const char *ps_session_headers(const struct secret *headers, bool body); /* with or without Content-Type */

/* signin.c */
int ps_signin_start(struct ps_user *);
void ps_signin_cancel(struct ps_user *);
void ps_signout(struct ps *, uint64_t owner, struct secret *headers); /* takes the headers */

/* signin_backoff.c */
/* May a sign-in of the user begin? SHUT: not before *delay_ms; `why` says what a caller is told. */
enum ps_turn ps_pace_turn(const struct ps_user *, struct fault *why, uint64_t *delay_ms);
void ps_pace_wait(struct ps_user *);  /* LATER: it is served when others have ended theirs */
void ps_pace_leave(struct ps_user *); /* any number of times */
void ps_pace_next(struct ps *);       /* a sign-in has ended: serves who waits; may free users */
/* A sign-in failed: the user's back-off in ms, and the fault gets its Retry-After. */
uint64_t ps_pace_lost(struct ps_user *, struct fault *);
void ps_pace_answered(struct ps_user *); /* the vault itself has answered a sign-in */

/* auth.c */
int ps_auth_header(struct ps *, const char *user, struct buf *out);
bool ps_auth_wants_token(const struct ps *);
int ps_auth_token_form(const struct ps *, struct buf *out);
int ps_auth_token_keep(struct ps *, const struct call *);
void ps_auth_token_forget(struct ps *);

/* cookies.c */
/* The jar and what the answer sets; `now` in the vault's own time, for cookies that are taken back. */
int ps_cookies_merge(const char *jar, size_t jar_len, const struct buf *set, int64_t now_wall_ms,
                     struct buf *out);

/* reachability.c */
int ps_http_send(struct ps *, struct call *); /* counts it; what upstream_call() answers */
void ps_http_done(struct ps *, const struct call *);
void ps_http_cancel(struct ps *, struct call *);
int ps_reachability_start(struct ps *);
void ps_reachability_stop(struct ps *);
void ps_reachability_state(const struct ps *, struct vault_state *);
int64_t ps_vault_wall(const struct ps *); /* the vault's own clock, as far as it is known */

/* parse.c */
enum ps_next ps_parse_list(struct ps_call *);
enum ps_next ps_parse_nothing(struct ps_call *); /* a refusal that means an empty list */
enum ps_next ps_parse_policy(struct ps_call *);
enum ps_next ps_parse_request(struct ps_call *);
enum ps_next ps_parse_credential(struct ps_call *);
enum ps_next ps_parse_checkin(struct ps_call *);
enum ps_next ps_parse_requests(struct ps_call *);

/* parse_directory.c */
enum ps_next ps_parse_directory(struct ps_call *);

/* answer_form.c */
bool ps_is_page(const struct call *); /* HTML, which is never the vault's word */
/* Of any answer but a 2xx: does the vault itself refuse, in its own form? */
bool ps_is_word(const struct ps_op *, const struct call *);
bool ps_is_refusal(const struct call *);   /* of a sign-in: the vault itself refuses the user */
bool ps_is_signed_in(const struct call *); /* a 200 to a sign-in: the vault itself welcomes the user */

/* errors.c */
struct ps_words {
    int code; /* 4031 ..., 0 = none */
    char text[200];
};
void ps_words_read(const struct buf *body, struct ps_words *);
void ps_error_status(const struct ps *, const struct ps_op *, const struct call *, struct vault_call *);
void ps_error_lost(const struct ps *, const struct call *, struct vault_call *);
void ps_error_errno(const struct ps *, int err, struct vault_call *);
void ps_error_nonsense(struct vault_call *, const struct call *, const char *what);
void ps_error_refused(struct fault *, const struct call *); /* of a sign-in */
/* A 401 to a call of a user who was signed in. */
void ps_error_shut_out(const struct ps_op *, const struct call *, struct vault_call *);
void ps_error_late(struct vault_call *);
/* Worth another try? *delay_ms = the vault's own wish, 0 = none. */
bool ps_error_again(const struct ps *, const struct call *, uint64_t *delay_ms);

#endif
