/*
 * pool.h - the inside of struct upstream, shared by upstream.c (calls) and pool.c (connections).
 *
 * Who may do what: upstream.c owns the life of calls (waiting, finished, delivered), pool.c that of
 * connections. They meet in four functions: the pool takes calls with upstream_next(), gives them back with
 * upstream_finish() or upstream_repeat(); upstream.c tells it to look again with pool_serve(). None of these
 * calls done().
 */
#ifndef JG_LOOP_POOL_H
#define JG_LOOP_POOL_H

#include "loop/dialer.h"
#include "loop/exchange.h"
#include "loop/upstream.h"

#define UPSTREAM_SCRATCH 32768

TAILQ_HEAD(call_list, call);
TAILQ_HEAD(conn_list, conn);

enum call_state { CALL_NEW, CALL_WAITING, CALL_BUSY, CALL_FINISHED };
enum conn_state { CONN_CONNECTING, CONN_IDLE, CONN_BUSY, CONN_CLOSED };

struct conn {
    struct wire wire; /* first */
    struct exchange exchange;
    struct upstream *up;
    enum conn_state state;
    struct call *call;   /* while busy */
    uint64_t exchanges;  /* answers had */
    bool pooled;         /* not opened just now: it may be stale */
    bool drained;        /* its answer has just been read, to the last byte */
    bool reused;         /* it was pooled when the call of now got it */
    uint64_t idle_at_ms; /* since when idle */
    TAILQ_ENTRY(conn) link;
};

struct upstream {
    struct loop *loop;
    struct dialer *dialer;
    char *name;
    char *scratch; /* where answers land before they are parsed */

    /* calls */
    struct call_list repeats;  /* waiting for a fresh connection, before all others */
    struct line line;          /* the others that wait */
    struct call_list finished; /* to be delivered */
    double exchange_ms;        /* how long an exchange of a person's first call takes, fading */
    size_t waiting, nrepeats, busy, nfinished;
    struct deadline later; /* delivers; always running, so that it cannot fail to start */
    bool will_deliver;     /* whoever is on the stack delivers before it returns to the loop */
    bool closing, torn_down;

    /* connections */
    struct conn_list connecting, idle, in_use; /* idle: last used first */
    size_t nconnecting, nidle, nin_use;
    size_t alive; /* struct conn not yet freed */
    struct deadline sweep;

    /* back-off */
    unsigned failures; /* connects that failed in a row */
    uint64_t closed_until_ms;

    /* limits */
    size_t connections, max_calls, max_answer;
    uint64_t call_timeout_ms, idle_timeout_ms;

    struct upstream_state state;
    void (*closed)(void *arg);
    void *arg;
};

/* upstream.c */
struct call *upstream_next(struct upstream *, bool fresh); /* repeats go to fresh connections only */
void upstream_finish(struct call *, int err, const char *why);
void upstream_repeat(struct call *);
void upstream_failed(struct upstream *, const char *why); /* remembers the words and the time */
void upstream_fail_waiting(struct upstream *, size_t n, const char *why);
void upstream_deliver(struct upstream *);
void upstream_conns_gone(struct upstream *); /* the last struct conn was freed */

/* pool.c */
void pool_serve(struct upstream *);                /* gives waiting calls to idle connections, opens more */
bool pool_refuses(const struct upstream *);        /* back-off: nothing is open and no connect allowed now */
void pool_abandon(struct call *, const char *why); /* a busy call ends early: its connection is closed */
void pool_close_all(struct upstream *);
uint64_t pool_now(const struct upstream *);

#endif
