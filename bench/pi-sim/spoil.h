/*
 * spoil.h - the vault's own faults: effects that come late or twice, answers whose body is wrong.
 */
#ifndef PI_SIM_SPOIL_H
#define PI_SIM_SPOIL_H

#include "sim/fault_injection.h"

enum spoil_kind {
    SPOIL_LATE = INJECT_OWN, /* the connection is closed at once; carried out `latency_ms` later */
    SPOIL_LATE_PAGE,         /* the same, with a proxy's 504 */
    SPOIL_DOUBLED,           /* carried out twice; the second answer is sent */
    SPOIL_DOUBLED_LATE,      /* answered; carried out again `latency_ms` later */
    SPOIL_LOST_TOKEN,        /* the call's token is ended before it */
    SPOIL_SLOW,              /* `size` (16) bytes each 100 ms */
    SPOIL_CUT,               /* half of the body, with the right length */
    SPOIL_EMPTY,             /* no body */
    SPOIL_WRONG_TYPE,        /* JSON that says it is a page */
    SPOIL_OVERSIZE,          /* blanks before the body, `size` (1 MB) bytes in all */
    SPOIL_TRAILING,          /* a second JSON value behind the body */
    SPOIL_BAD_UTF8,          /* bytes that are no UTF-8 in a member */
    SPOIL_DEEP,              /* a member that is nested `size` (100) deep */
    SPOIL_PASSWORD_EMPTY,    /* the member Password: an empty string */
    SPOIL_PASSWORD_NULL,     /* null */
    SPOIL_PASSWORD_NUMBER,   /* a number */
    SPOIL_PASSWORD_LONG      /* `size` (5000) letters */
};

extern const struct fault_action spoil_actions[];
extern const size_t spoil_nactions;

/* Changes the answer; kinds that concern effect or sending change nothing here. */
void spoil_answer(const struct fault_injection_rule *, struct sim_answer *);
/* The client is answered as if there were no rule, but perhaps slowly. */
bool spoil_leaves_answer(const struct fault_injection_rule *);

#endif
