/*
 * internal.h - what the files of the backend of Privileged Identity share; no file outside this folder
 * includes it.
 *
 *     privileged_identity.c  the vault itself: start, close
 *     operations.c           one function per operation of backend.h
 *     entitled.c             which accounts a session may use: the map, narrowed by listings
 *     listing.c              what the vault lists of a system or a shared list, kept for list_cache
 *     calls.c                a call: body and target, the meaning of its answer, a refused token
 *     token.c                the token: sign-in, renewal, pauses, sign-out
 *     reload.c               secret, profile and map, at the start and in a reload
 *     wire.c                 target and header lines of a row
 *     metrics.c              durations, unknown outcomes, conflicts
 *
 * Below them are http_vault/ (the life of a call), profile.h (what is sent), answers.h (what is answered),
 * access.h (the map), credential_handle.h and comment.h. Calls between the files go down this list only; what
 * a token has to say to waiting calls goes through http_vault/calls.c, and
 * that something has ended through pi.on_gone.
 *
 * Ownership: the vault owns tokens, calls, questions and listings; a call that is sent uses one token. A
 * token that is not the present one is freed with its last call.
 */
#ifndef JG_BACKENDS_PI_INTERNAL_H
#define JG_BACKENDS_PI_INTERNAL_H

#include "backends/http_vault/http_vault.h"
#include "backends/privileged_identity/access.h"
#include "backends/privileged_identity/answers.h"
#include "backends/privileged_identity/credential_handle.h"
#include "backends/privileged_identity/privileged_identity.h"
#include "backends/privileged_identity/profile.h"
#include "base/container_of.h"

#define PI_BODY_MAX    32768
#define PI_TARGET_MAX  1024
#define PI_HEADERS_MAX (PI_TOKEN_MAX + 256)
#define PI_HEADERS     "Content-Type: application/json\r\nAccept: application/json\r\n"

/* ---- tokens ---- */

struct pi_token {
    struct secret text;
    uint64_t since_ms; /* signed in */
    size_t calls;      /* that were sent with it and are not over */
    bool refused;      /* it is not signed out */
};

struct pi_signout {
    struct call http;
    struct pi *pi;
    struct buf body, headers;
    char *target;
    TAILQ_ENTRY(pi_signout) link;
};

struct pi_signin {
    struct call http;
    bool under_way;
    struct buf body; /* wiped as soon as the vault has answered */
    char *target;
};

/* ---- calls ---- */

enum pi_measured {
    PI_M_SIGN_IN,
    PI_M_SIGN_OUT,
    PI_M_CHECKOUT,
    PI_M_CHECKIN,
    PI_M_SPIN,
    PI_M_LIST,
    PI_NMEASURED
};

struct pi_call {
    struct http_vault_call call; /* first */
    struct pi *pi;
    enum pi_operation op;
    struct pi_names names;
    char *comment;
    char key[PI_KEY_SIZE];  /* the request's; "" = none */
    struct pi_token *token; /* while it is sent */
    struct buf body, headers;
    char *target;
    bool replayed;            /* it has been sent again after its token was refused */
    uint32_t due;             /* a check-in: see request_ref.checkins */
    struct conf_list *listed; /* list: where the names go */
};

/* ---- listings ---- */

struct pi_listing;
struct pi_question;

/* ---- the vault ---- */

struct pi {
    struct http_vault http; /* first */
    const struct conf *conf;
    struct http_vault_user user; /* the one identity */
    char *principal;             /* its name */
    struct pi_profile *profile;
    struct pi_access *access;
    struct secret password; /* empty = none is sent */
    struct pi_token *token; /* the present one; NULL = not signed in */
    struct pi_signin signin;
    TAILQ_HEAD(, pi_signout) signouts;
    uint64_t no_renewal_before_ms; /* after a refused token: until then no refusal makes a further sign-in */
    struct deadline sweep;         /* signs out a token that is not used */
    struct pi_listing *listings;   /* a hash */
    TAILQ_HEAD(pi_questions, pi_question) questions;
    struct vault_metric latency[PI_NMEASURED], unknown[3], conflicts;
    void (*on_gone)(struct pi *); /* after each call, question and sign-out that has ended; may free pi */
    bool upstream_closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

static inline struct pi *pi_of(const struct vault *vault)
{
    return (struct pi *)(void *)(uintptr_t)vault; /* the first member of the first member */
}

/* wire.c */
bool pi_row_usable(const struct pi *, enum pi_operation);
char *pi_target(const struct pi *, enum pi_operation); /* to be freed; NULL = out of memory */
/* The header lines of a call, with the token where the row wants it there. 0 or -ENOMEM. */
int pi_headers(const struct pi_row *, const struct pi_token *, struct buf *out);
static inline struct pi_http pi_http_of(const struct pi *pi, const struct call *http,
                                        const struct secret *sent)
{
    return (struct pi_http){.status = http->status,
                            .type = http->value[CALL_CONTENT_TYPE],
                            .body = http->body_in.data,
                            .len = http->body_in.len,
                            .sent = sent->p,
                            .login_name = pi->http.vault.conf->login_name,
                            .authenticator = pi->http.vault.conf->authenticator};
}

/* reload.c: takes all but the connections, and leaves what was there in its place. */
void pi_take(struct pi *, struct privileged_identity_next *);

/* metrics.c */
void pi_metrics_start(struct pi *);
void pi_metrics_stop(struct pi *); /* any number of times */
enum pi_measured pi_measured_of(enum pi_operation);
static inline void pi_latency_observe(struct pi *pi, enum pi_operation op, const struct call *http)
{
    http_vault_latency_observe(&pi->latency[pi_measured_of(op)], http);
}
void pi_count_outcome(struct pi *, enum pi_operation, const struct vault_call *);

/* token.c */
/* Sends what waits, where there is a token, or sees to one. */
void pi_serve(struct http_vault_user *);
void pi_token_use(struct pi *, struct pi_call *);
/* The call is over, or its sending was; it has a token or none. */
void pi_token_leave(struct pi_call *);
/* The vault refused the token of this call. True: the call may be sent once more, with another. */
bool pi_token_refused(struct pi_call *);
void pi_token_proved(const struct pi_call *); /* it succeeded */
void pi_token_pause_over(struct pi *);
void pi_token_end_all(struct pi *);

/* calls.c */
/* A new call; `names` and `comment` are taken, also when it fails. */
int pi_call_new(struct pi *, enum pi_operation, struct vault_call *out, struct pi_names *names, char *comment,
                struct pi_call **);
int pi_call_start(struct pi_call *); /* frees the call when it fails */
/* The same for a call that is not sent: its answer is this. */
int pi_call_start_ended(struct pi_call *, enum vault_result, const struct fault *);

/* listing.c */
struct pi_listing_wait {
    /* Exactly one of them is set: the accounts that the vault lists, or the call that failed. */
    void (*done)(struct pi_listing_wait *, const struct conf_list *, const struct vault_call *failed);
    struct pi_listing *of; /* NULL = it waits for none */
    TAILQ_ENTRY(pi_listing_wait) link;
};
bool pi_is_listed(const struct pi *, const struct pi_names *); /* is there a row that lists its like? */
/* What the vault lists of the credential's system or list: 0 and *names; or 0 and NULL: `done` of the wait
 * follows; or -errno. The names are good until the caller returns to the loop. */
int pi_listing_ask(struct pi *, const struct pi_names *, struct pi_listing_wait *,
                   const struct conf_list **names);
void pi_listing_leave(struct pi_listing_wait *); /* any number of times */
void pi_listings_forget(struct pi *);            /* what is kept of them */

/* entitled.c */
int pi_entitled(struct vault *, const struct vault_session *, const char *account_key, struct vault_call *);
void pi_each_account(const struct vault *, void (*visit)(void *arg, const struct account *), void *arg);
bool pi_question_cancel(struct pi *, struct vault_call *); /* false = it is none */
void pi_questions_end_all(struct pi *);

#endif
