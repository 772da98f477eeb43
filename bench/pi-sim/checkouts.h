/*
 * checkouts.h - who has which credential checked out, and what check-out, check-in and spin do to that.
 *
 * A check-out has no number on the wire: it is found by identity and credential. A check-out again by the
 * same identity is counted in the one that is there. A person's check-out (of the web application) has a name
 * in place of an identity.
 */
#ifndef PI_SIM_CHECKOUTS_H
#define PI_SIM_CHECKOUTS_H

#include "pi-sim/vault.h"

enum checkout_end {
    CHECKOUT_LIVE,
    CHECKOUT_CHECKED_IN,
    CHECKOUT_BY_ANOTHER, /* another identity has checked it in */
    CHECKOUT_EXPIRED,    /* the vault's own end */
    CHECKOUT_BY_OPERATOR /* the admin port ended it */
};

extern const char *const checkout_end_names[];

struct checkout {
    uint64_t number;
    struct credential *credential;
    struct identity *identity;  /* NULL = a person's */
    char *who;                  /* the person */
    char *comment;              /* of the first call */
    unsigned outs, open;        /* check-outs answered; those not yet given back */
    unsigned version;           /* of the password that was handed out last; 0 = none was */
    int64_t begun_ms, ended_ms; /* wall */
    enum checkout_end end;
    struct deadline expiry;
    TAILQ_ENTRY(checkout) of_credential, in_all;
};

struct checkouts {
    struct checkout_list all; /* in the order of their begin */
    uint64_t made;
    size_t nlive;
    uint64_t ended[CHECKOUT_BY_OPERATOR + 1];
};

/* How a call on a credential ends: done, or the reason of the refusal. */
enum checkout_result {
    RESULT_DONE,
    RESULT_CONFLICT,
    RESULT_APPROVAL,
    RESULT_DENIED,
    RESULT_NOT_HELD,
    RESULT_NOT_YOURS,
    RESULT_NO_PASSWORD,
    RESULT_UNREACHABLE
};

extern const char *const checkout_result_names[];

struct checkout_call {
    struct credential *credential;
    struct identity *identity;
    const char *comment;
    const char *who; /* out: who has it, after a conflict; points into the vault */
};

struct checkouts *checkouts_new(void);
void checkouts_free(struct vault *);

enum checkout_result checkouts_out(struct vault *, struct checkout_call *);
enum checkout_result checkouts_in(struct vault *, struct checkout_call *);
enum checkout_result checkouts_spin(struct vault *, struct checkout_call *);

/* A person's check-out, whatever is checked out already. NULL = out of memory. */
struct checkout *checkouts_person(struct vault *, struct credential *, const char *who, const char *comment);
struct checkout *checkouts_by_number(const struct vault *, uint64_t number); /* NULL = none */
void checkouts_end(struct vault *, struct checkout *, enum checkout_end);
struct checkout *checkouts_of(const struct credential *, const struct identity *); /* live; NULL = none */
const char *checkout_holder(const struct checkout *);

#endif
