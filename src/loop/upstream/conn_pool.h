/*
 * conn_pool.h - the inside of struct upstream, shared by upstream.c (calls) and conn_pool.c (connections).
 *
 * Who may do what: upstream.c owns the life of calls (waiting, finished, delivered), conn_pool.c that of
 * connections. The pool takes calls with upstream_next() or upstream_take(), gives them back with
 * upstream_finish() or upstream_repeat(); upstream.c tells it to look again with pool_serve() and
 * pool_serve_call(). None of these calls done().
 */
#ifndef JG_LOOP_UPSTREAM_CONN_POOL_H
#define JG_LOOP_UPSTREAM_CONN_POOL_H

#include "loop/upstream/dialer.h"
#include "loop/upstream/exchange.h"
#include "loop/upstream/upstream.h"

#define UPSTREAM_SCRATCH 32768
#define POOL_OWNERS      256 /* rows of owners; those of one row are compared one by one */
#define POOL_IN_A_ROW    8   /* calls of one owner before a place goes to others who wait */

TAILQ_HEAD(call_list, call);
TAILQ_HEAD(conn_list, conn);

enum call_state { CALL_UNSENT, CALL_WAITING, CALL_BUSY, CALL_FINISHED };
enum conn_state { VAULT_CONN_OPENING, VAULT_CONN_IDLE, VAULT_CONN_BUSY, VAULT_CONN_CLOSED };

struct conn {
    struct vault_conn vault_conn; /* first */
    struct exchange exchange;
    struct upstream *up;
    enum conn_state state;
    struct call *call; /* while busy */
    uint64_t owner;    /* whose calls it has carried, once `owned` */
    bool owned;
    unsigned in_a_row;               /* calls it went on with while others waited for a place */
    uint64_t exchanges;              /* answers had */
    bool pooled;                     /* not opened just now: it may be stale */
    bool drained;                    /* its answer has just been read, to the last byte */
    bool reused;                     /* it was pooled when the call of now got it */
    uint64_t idle_at_ms;             /* since when idle */
    uint64_t open_at_ms, ends_at_ms; /* since when open; when it is too old for another call */
    unsigned spread;                 /* how much earlier than others of its age it ends */
    TAILQ_ENTRY(conn) link;
    TAILQ_ENTRY(conn) own; /* while idle: beside others of its owner */
};

struct pool_row {             /* of all owners whose number has one remainder */
    struct conn_list idle;    /* last used first */
    struct call_list waiting; /* in line */
};

struct upstream {
    struct loop *loop;
    struct dialer *dialer;
    char *name;
    char *scratch; /* where answers land before they are parsed */

    /* calls */
    struct call_list repeats;             /* waiting for a fresh connection, before all others */
    struct priority_queue priority_queue; /* the others that wait */
    struct call_list finished;            /* to be delivered */
    double exchange_ms;                   /* how long an exchange of a person's first call takes, fading */
    size_t waiting, nrepeats, busy, nfinished;
    struct deadline later; /* delivers; always running, so that it cannot fail to start */
    bool will_deliver;     /* whoever is on the stack delivers before it returns to the loop */
    bool closing, torn_down;

    /* connections */
    struct conn_list connecting, idle, in_use; /* idle: last used first */
    struct conn_list unowned;                  /* those idle ones that have carried nothing yet */
    struct pool_row rows[POOL_OWNERS];
    size_t nconnecting, nidle, nin_use;
    size_t alive; /* struct conn not yet freed */
    struct deadline sweep, aging;
    uint64_t aging_at_ms;

    /* back-off */
    unsigned failures; /* connects that failed in a row */
    uint64_t closed_until_ms;

    /* limits */
    size_t connections, max_calls, max_answer;
    uint64_t call_timeout_ms, idle_timeout_ms, max_age_ms;

    struct upstream_state state;
    void (*closed)(void *arg);
    void *arg;
};

/* upstream.c */
struct call *upstream_next(struct upstream *, bool fresh); /* repeats go to fresh connections only */
struct call *upstream_peek(const struct upstream *);       /* whom upstream_next(up, false) would take */
void upstream_take(struct call *);                         /* one that waits, out of its turn */
void upstream_finish(struct call *, int err, const char *why);
void upstream_repeat(struct call *);
void upstream_failed(struct upstream *, const char *why); /* remembers the words and the time */
void upstream_fail_waiting(struct upstream *, size_t n, const char *why);
void upstream_fail_hopeless(struct upstream *, const char *why); /* those in line for whom nothing is busy */
void upstream_deliver(struct upstream *);
void upstream_conns_gone(struct upstream *); /* the last struct conn was freed */

/* conn_pool.c */
void pool_serve(struct upstream *); /* gives waiting calls to idle connections, opens more */
/* It waits: on an idle connection of its own, out of turn where conn_pool.c says so. */
void pool_serve_call(struct call *);
bool pool_busy_for(const struct upstream *, uint64_t owner); /* a connection of this owner is in use */
void pool_renewed(struct upstream *);                        /* other limits count from now on */
static inline struct pool_row *pool_row(struct upstream *up, uint64_t owner)
{
    return &up->rows[owner % POOL_OWNERS];
}
void pool_abandon(struct call *, const char *why); /* a busy call ends early: its connection is closed */
void pool_doubt(struct call *); /* it is busy and out of time: the vault may be gone from where it was */
void pool_close_all(struct upstream *);
uint64_t pool_now(const struct upstream *);

#endif
