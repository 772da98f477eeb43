/*
 * conduct.h - what a right client never does, counted by name.
 *
 * A client knows of a credential only what it was answered. So the vault keeps for each identity and
 * credential a claim: how many check-outs the client has reason to believe it holds. A check-out counts until
 * it was refused in so many words and that answer was delivered; a check-in takes it back once its answer was
 * delivered. A check-in or spin that no claim explains is a violation, one after a lost answer is not; nor is
 * a check-in after a spin whose outcome the client cannot know.
 *
 * What it holds for sure is less: a check-out whose answer was lost may be repeated.
 *
 * Times here are those of the loop, which the admin port does not move.
 *
 * Not here: what the vault answers. It answers as it would without this file, but for what comes in a URL.
 */
#ifndef PI_SIM_CONDUCT_H
#define PI_SIM_CONDUCT_H

#include "base/memory/secret.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum violation {
    VIOLATION_SECRET_IN_URL,
    VIOLATION_QUERY,
    VIOLATION_COOKIE,
    VIOLATION_BAD_BODY,
    VIOLATION_MISSING_TOKEN,
    VIOLATION_UNKNOWN_TOKEN,
    VIOLATION_DEAD_TOKEN,
    VIOLATION_PARALLEL_SIGN_IN,
    VIOLATION_SIGN_IN_AGAIN,
    VIOLATION_CHECKIN_UNHELD,
    VIOLATION_SPIN_HELD,
    VIOLATION_REPEATED_CHECKOUT,
    VIOLATION_CROSSED_CALLS,
    VIOLATION_CROSSED_LOST,
    VIOLATION_COUNT
};

extern const char *const violation_names[VIOLATION_COUNT];

struct vault;
struct identity;
struct credential;
struct token;

struct conduct {
    uint64_t violations[VIOLATION_COUNT];
    uint64_t dead_token_ms; /* so long a client may go on with a token after it was refused (1000) */
    uint64_t sign_in_ms;    /* so long it keeps a refused password to itself (60000) */
    TAILQ_HEAD(conduct_list, conduct_call) inside;
};

struct claim { /* of an identity on a credential */
    const struct identity *identity;
    unsigned held;
    bool known; /* a password was delivered, and no check-in has been sent since */
    bool spins; /* a spin was sent, which may take effect yet: a check-in is right until one is answered */
};

struct refused_sign_in { /* an identity's last refused sign-in whose answer was delivered */
    struct secret password;
    uint64_t at_ms;
};

enum operation_kind {
    OPERATION_OTHER,
    OPERATION_SIGN_IN,
    OPERATION_CHECKOUT,
    OPERATION_CHECKIN,
    OPERATION_SPIN
};

/* What is asked of a call before it runs. */
struct conduct_asked {
    enum operation_kind kind;
    struct identity *identity;     /* of the token, or who signs in; NULL = unknown */
    struct credential *credential; /* NULL = none, or unknown */
    struct token *token;           /* as sent, dead or alive; NULL = none */
    const char *password;          /* of a sign-in */
};

/* How its answer went. */
enum conduct_answer {
    ANSWER_UNCLEAR, /* lost, spoiled, or in no words of the vault's own */
    ANSWER_DONE,
    ANSWER_GONE,   /* check-in: nothing of the client's is checked out */
    ANSWER_REFUSED /* nothing was done */
};

struct conduct_call { /* from its arrival to its end */
    struct vault *vault;
    enum operation_kind kind;
    struct identity *identity;
    struct credential *credential;
    struct token *token;
    struct secret password;
    bool lost; /* its client has given it up */
    TAILQ_ENTRY(conduct_call) link;
};

void conduct_init(struct conduct *);
void conduct_count(struct vault *, enum violation);

/* `now_ms` of the loop. Each is followed by one conduct_end(). */
void conduct_begin(struct conduct_call *, struct vault *, const struct conduct_asked *, uint64_t now_ms);
/* `token_refused`: the answer was delivered and says that the token is no good. */
void conduct_end(struct conduct_call *, enum conduct_answer, bool token_refused, uint64_t now_ms);
/* The client may have been killed before it read its answers: it holds all that it ever had. */
void conduct_doubt(struct vault *);

#endif
