/*
 * token.h - the one token of a site: kept in locked memory, renewed at 80 % of its life, given up when it is
 * refused, and not asked for while the site refuses the client's secret.
 *
 *   none --asked, granted--> held --80 % of expires_in--> wanted (asked for again; the old one is replaced)
 *                             |
 *                             +--refused by a call--> none, unless a new token did not help a moment ago
 *   asked, refused: pause of 1, 2, 4, ... 30 min      asked, failed otherwise: pause of 5, 10, ... 60 s
 *
 * Pure: time is passed in and nothing is sent here. A serial number tells the tokens apart, so that a call
 * which was sent with an earlier one gives up none.
 *
 * Not here: the calls that wait for a token (client.c).
 */
#ifndef JG_BACKENDS_PRA_TOKEN_H
#define JG_BACKENDS_PRA_TOKEN_H

#include "backends/pra/pra.h"
#include "base/buf.h"
#include "base/memory/secret.h"

struct pra_token_rules {      /* 0 = the usual */
    uint64_t refused_max_ms;  /* longest pause after refused credentials: 30 min */
    uint64_t renew_before_ms; /* before its end: a fifth of its life */
};

struct pra_token {
    struct pra_token_rules rules;
    struct secret text;
    uint64_t serial; /* of the token at hand; counts up */
    uint64_t renew_at_ms;
    uint64_t granted; /* tokens had */

    bool refused;                /* the site refuses client id or secret, until it grants a token */
    unsigned refusals, failures; /* since the last grant */
    uint64_t paused_until_ms;
    struct pra_result failure; /* the last one */

    bool guarded; /* a new token did not help this kind of call */
    enum pra_call_kind guard;
    uint64_t guarded_until_ms;
};

static inline bool pra_token_fresh(const struct pra_token *t, uint64_t now_ms)
{
    return t->text.p && now_ms < t->renew_at_ms;
}
/* No token may be asked for before this time; <= now: it may. */
static inline bool pra_token_paused(const struct pra_token *t, uint64_t now_ms)
{
    return now_ms < t->paused_until_ms;
}

/* Takes the token out of the answer. PRA_OK, PRA_NONSENSE or PRA_NO_MEMORY. */
enum pra_fault pra_token_take(struct pra_token *, const struct buf *json, uint64_t now_ms);
void pra_token_failed(struct pra_token *, const struct pra_result *, uint64_t now_ms);
void pra_token_drop(struct pra_token *);   /* the text alone */
void pra_token_forget(struct pra_token *); /* everything but the serial: the secret has changed */

/* A call that was sent with token `serial` was refused; `again` = it is its second refusal. True: it is to be
 * repeated once there is a token. */
bool pra_token_refused_call(struct pra_token *, enum pra_call_kind, uint64_t serial, bool again,
                            uint64_t now_ms);
void pra_token_served_call(struct pra_token *, enum pra_call_kind); /* such a call had an answer */

#endif
