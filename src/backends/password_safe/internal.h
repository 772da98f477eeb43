/*
 * internal.h - what the files of the Password Safe backend share; no file outside this folder includes it.
 *
 * Calls between the files go down this list only. What a lower file has to say to a higher one goes through a
 * function pointer: ps_op.read and .next_page, the hooks of http_vault/calls.c, the `done` of a sign-in,
 * ps.on_gone.
 *
 *     password_safe.c    the vault itself: start, close
 *     operations.c       one function per operation: writes target and body; the tables of operations
 *     calls.c            a call: waits for a session, is sent, is tried again, ends
 *     sessions.c         users, their vault sessions, and the calls that wait for one
 *     signin.c           one sign-in (and token) at a time per user; sign-outs
 *     reload.c           secrets and files, at the start and in a reload
 *     auth.c, cookies.c  the texts of a sign-in; the cookies of a vault session
 *     parse.c, parse_directory.c, parse_json.c   successful answers
 *     account_key.c      the text that the broker has for an account
 *     errors.c           failed ones: result and fault
 *     answer_form.c      did the vault write this answer, or something in its place?
 *     metrics.c          durations of calls, repaired answers
 *
 * Below all of them is http_vault/, what vaults over HTTP share.
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

#include "backends/http_vault/http_vault.h"
#include "backends/password_safe/account_key.h"
#include "backends/password_safe/password_safe.h"
#include "base/buf.h"
#include "base/container_of.h"

#include <stddef.h>
#include <string.h>
#include <sys/queue.h>

/* The hash of users reports "out of memory" instead of ending the program; the plain hash function has no
 * bare fall-through. */
#define HASH_FUNCTION(key, len, hash) HASH_SAX(key, len, hash)
#define HASH_NONFATAL_OOM             1
#define uthash_nonfatal_oom(user)     ((user)->unhashed = true)
#include <uthash.h>

#define PS_PAGE          1000   /* rows asked for at once */
#define PS_PAGES_FULL    8      /* times max_answer: what all pages of one list may have together */
#define PS_ROWS_MAX      100000 /* rows kept of one list where max_rows is not set */
#define PS_TARGET_MAX    8192
#define PS_BODY_MAX      16384
#define PS_HEADERS_MAX   16384
#define PS_SECRET_MAX    (256 * 1024) /* answer with a credential or token: far more than any key */
#define PS_USER_NAME_MAX 520
#define PS_USERS_MAX     16384
#define PS_CONTENT_TYPE  "Content-Type: application/json\r\n"
#define PS_ACCEPT        "Accept: application/json\r\n"
#define PS_REFUSED_MIN   500 /* ms of back-off after a refused sign-in, doubling to ... */
#define PS_REFUSED_MAX   30000
#define PS_FORGET_AFTER  60000 /* a refused user is kept in memory this long */
#define PS_EXTRA_AFTER   1000  /* no further session for a while when the last sign-in was lost */

struct ps_user;
struct ps_call;

/* A session at the vault: it serves one call at a time, because the vault would serialise more anyway. */
struct ps_session {
    struct ps_user *user;
    struct secret headers; /* Content-Type, Accept, then the one Cookie line */
    struct ps_call *call;  /* NULL = idle */
    uint64_t idle_since_ms;
    bool proved;                  /* the vault has accepted it for a call */
    unsigned losses;              /* as its user's when it was signed in */
    TAILQ_ENTRY(ps_session) link; /* user->idle */
    TAILQ_ENTRY(ps_session) old;  /* ps->idle */
};
TAILQ_HEAD(ps_session_list, ps_session);

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

struct ps_user {
    struct ps *ps;
    struct http_vault_user http;
    size_t nsessions;            /* idle and busy */
    struct ps_session_list idle; /* the last used first */
    unsigned losses;             /* sessions that the vault did not know any more */
    struct ps_signin *signin;    /* NULL = none under way */
    uint64_t extra_after_ms;     /* no session beyond the first is signed in for before then */
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

struct ps_call {
    struct http_vault_call call; /* first; its user is NULL where the call has ended before it had one */
    struct ps *ps;
    const struct ps_op *op;
    struct ps_session *session; /* only while it is sent */
    struct buf target, body, headers;
    size_t stem;              /* list, directory: length of the target without its page */
    size_t offset;            /* list, directory: rows of the pages before */
    size_t taken;             /* list: bytes of all its pages */
    enum account_kind kind;   /* list */
    enum directory_part part; /* directory */
    size_t page_at;           /* directory: row with which the last page began */
    bool replayed;            /* has been sent again after a 401 */
    bool with_header;         /* this sending carries Authorization too */
};

struct ps_secrets { /* those that the configuration does not name are empty */
    struct secret api_key, password, oauth_secret;
};

/* What of an answer was repaired or left out. */
enum ps_repair { PS_REPAIRED_TEXTS, PS_ROWS_LEFT_OUT, PS_NREPAIRS };

struct ps {
    struct http_vault http; /* first */
    char *path_token, *path_signin, *path_signout;
    struct ps_secrets secrets;
    char *oauth_user; /* NULL = sign-in with the key */
    struct secret token;
    uint64_t token_until_ms;
    bool header_always; /* this vault needs Authorization with every call */
    struct ps_user *users;
    size_t nusers, nsessions;
    struct ps_session_list idle; /* the longest idle first */
    struct ps_user_list quiet;   /* the longest quiet first */
    TAILQ_HEAD(, ps_signout) signouts;
    struct deadline sweep;
    struct vault_metric latency[PS_NOPERATIONS], repairs[PS_NREPAIRS];

    void (*on_gone)(struct ps *); /* after each call and sign-out that has ended; may free ps */
    bool upstream_closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* metrics.c */
void ps_metrics_start(struct ps *);
void ps_metrics_stop(struct ps *); /* any number of times */
void ps_repaired_texts(struct ps_call *, size_t n);
/* A row is left out: one of its ids cannot be read exactly (`odd`), or what a row must have is missing. */
void ps_repaired_row_left_out(struct ps_call *, bool odd);

/* reload.c */
int ps_secrets_read(struct ps_secrets *, const struct conf_vault *, char why[256]);
void ps_secrets_clear(struct ps_secrets *);

/* operations.c */
extern const struct ps_op ps_operations[PS_NOPERATIONS];
static inline void ps_latency_observe(struct ps *ps, const struct ps_op *op, const struct call *http)
{
    http_vault_latency_observe(&ps->latency[op - ps_operations], http);
}

/* calls.c */
int ps_call_new(struct ps *, const struct ps_op *, struct vault_call *, struct ps_call **);
int ps_call_start(struct ps_call *); /* frees the call when it fails */
/* Reads the answer into call->out if it is genuine, and sets may_have_happened where it is not. */
enum ps_next ps_call_read(struct ps_call *);

/* sessions.c */
struct ps_user *ps_user_find(const struct ps *, const char *name); /* NULL = there is none */
int ps_user_get(struct ps *, const char *name, struct ps_user **);
void ps_user_serve(struct ps_user *); /* matches sessions with waiting calls; may free the user */
void ps_session_take(struct ps_session *, struct ps_call *);
void ps_session_idle(struct ps_session *); /* it is new, or its call is over */
/* The vault does not know it any more: frees it. The user's others are most likely lost as well: idle ones
 * are signed out now, the others when their calls are over. */
void ps_session_lost(struct ps_session *);
void ps_session_learn(struct ps_session *, const struct buf *set_cookies);
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

/* parse.c, parse_directory.c */
ps_read_answer ps_parse_list, ps_parse_policy, ps_parse_request, ps_parse_credential, ps_parse_isa,
    ps_parse_checkin;
ps_read_answer ps_parse_requests, ps_parse_directory;
ps_read_answer ps_parse_nothing; /* a refusal that means an empty list */

/* answer_form.c */
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
void ps_error_refused(struct fault *, const struct call *); /* of a sign-in */
/* A 401 to a call of a user who was signed in. */
void ps_error_session_refused(const struct ps_op *, const struct call *, struct vault_call *);

#endif
