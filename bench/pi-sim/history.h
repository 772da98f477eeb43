/*
 * history.h - the vault's own record of what was done: every check-out, check-in, spin, sign-in and end, in
 * order.
 *
 * It has names and comments, never a password or a token. The newest HISTORY_MAX events are kept.
 */
#ifndef PI_SIM_HISTORY_H
#define PI_SIM_HISTORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define HISTORY_MAX 200000

struct vault;
struct identity;
struct credential;

struct history_event {
    const char *what;                    /* "checkout", "checkin", "expired", …; static */
    const struct credential *credential; /* NULL = none */
    const struct identity *identity;     /* NULL = a person or the vault itself */
    const char *who;                     /* the person; copied */
    const char *comment;                 /* copied */
    const char *outcome;                 /* "done", "conflict", …; static; NULL = it just happened */
    uint64_t checkout;                   /* its number; 0 = none */
    unsigned version;                    /* of the password handed out; 0 = none was */
};

struct history_entry {
    struct history_event event;
    uint64_t number;
    int64_t wall_ms;
    uint64_t call;     /* number of the call that did it; 0 = none */
    const char *fault; /* action of the rule of that call; NULL = none */
    int status;        /* of its answer; 0 = none was sent */
    TAILQ_ENTRY(history_entry) link;
};

struct history {
    TAILQ_HEAD(history_list, history_entry) all;
    size_t n;
    uint64_t made, dropped;
};

void history_init(struct history *);
void history_clear(struct history *); /* numbers go on */
/* Ends the program where memory runs out: a record with gaps gives every test a wrong result. */
void history_add(struct vault *, const struct history_event *);
/* The events made after number `mark` are those of this call. */
void history_of_call(struct history *, uint64_t mark, uint64_t call, int status, const char *fault);

#endif
