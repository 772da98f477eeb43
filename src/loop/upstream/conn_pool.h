/*
 * conn_pool.h - the inside of struct upstream, shared by upstream.c (calls) and conn_pool.c (connections).
 *
 * upstream.c owns the life of calls (waiting, finished, delivered), conn_pool.c that of connections. The pool
 * takes calls with upstream_next_call() or upstream_take_call(), gives them back with upstream_finish() or
 * upstream_repeat(); upstream.c starts it with pool_serve() and pool_serve_call(). None of these calls
 * done().
 */
#ifndef JG_LOOP_UPSTREAM_CONN_POOL_H
#define JG_LOOP_UPSTREAM_CONN_POOL_H

#include "loop/upstream/dialer.h"
#include "loop/upstream/exchange.h"
#include "loop/upstream/upstream.h"

#define UPSTREAM_SCRATCH 32768
#define POOL_OWNERS      256 /* rows of the hash of owners */
#define POOL_IN_A_ROW    8   /* calls of one owner that may pass waiting calls of others */

TAILQ_HEAD(call_list, call);
TAILQ_HEAD(conn_list, pool_conn);

enum call_state { CALL_UNSENT, CALL_WAITING, CALL_BUSY, CALL_FINISHED };
enum pool_conn_state { POOL_CONN_OPENING, POOL_CONN_IDLE, POOL_CONN_BUSY, POOL_CONN_CLOSED };

struct pool_conn {
    struct vault_conn vault_conn; /* first */
    struct exchange exchange;
    struct upstream *up;
    enum pool_conn_state state;
    struct call *call; /* while busy */
    uint64_t owner;    /* whose calls it carries, once `pinned` */
    bool pinned;
    unsigned in_a_row;               /* calls it took while others waited for a connection */
    uint64_t exchanges;              /* answers received */
    bool pooled;                     /* opened in an earlier iteration: it may be stale */
    bool drained;                    /* its answer has just been read completely */
    bool reused;                     /* it was pooled when its present call began */
    bool begun;                      /* bytes of its present call may have gone out */
    uint64_t idle_at_ms;             /* since when idle */
    uint64_t open_at_ms, ends_at_ms; /* when it was opened; when it takes no more calls */
    unsigned spread;                 /* which part of the tenth of max_age it ends early */
    TAILQ_ENTRY(pool_conn) link;
    TAILQ_ENTRY(pool_conn) own; /* while idle: among those of its owner, or the unpinned ones */
};

struct pool_row {             /* owners with the same hash */
    struct conn_list idle;    /* last used first */
    struct call_list waiting; /* calls that wait */
};

struct upstream {
    struct loop *loop;
    struct dialer *dialer;
    const char *kind;
    char *name;
    char *scratch; /* answers are read into it before they are parsed */

    /* calls */
    struct call_list repeats;             /* wait for a fresh connection, before all others */
    struct priority_queue priority_queue; /* the others that wait */
    struct call_list finished;            /* done() is still to be called */
    double exchange_ms;                   /* moving average of a CALL_NEW exchange */
    size_t waiting, nrepeats, busy, nfinished;
    struct deadline later; /* calls upstream_deliver() */
    bool will_deliver; /* a function on the stack calls upstream_deliver() before it returns to the loop */
    bool closing, torn_down;

    /* connections */
    struct conn_list connecting, idle, in_use; /* idle: last used first */
    struct conn_list unpinned;                 /* idle ones that have carried no call */
    struct pool_row rows[POOL_OWNERS];
    size_t nconnecting, nidle, nin_use;
    size_t alive; /* struct pool_conn not yet freed */
    struct deadline sweep, aging;
    uint64_t aging_at_ms;

    /* back-off */
    unsigned failures;     /* connects that failed in a row */
    unsigned unreached;    /* connects that failed since a new connection has carried an answer */
    enum call_fault fault; /* of the last one */
    uint64_t closed_until_ms;

    /* limits */
    size_t connections, max_calls, max_answer;
    uint64_t call_timeout_ms, idle_timeout_ms, max_age_ms;
    bool single; /* one call per connection */

    struct upstream_state state;
    void (*closed)(void *arg);
    void *arg;
};

/* upstream.c */
struct call *upstream_next_call(struct upstream *, bool fresh); /* repeats go to fresh connections only */
struct call *
upstream_peek_call(const struct upstream *); /* the call upstream_next_call(up, false) would take */
void upstream_take_call(struct call *);      /* a waiting call, out of order */
void upstream_finish(struct call *, int err, const char *why);
void upstream_repeat(struct call *);
void upstream_failed(struct upstream *, const char *why); /* keeps `why` and the time */
void upstream_fail_waiting(struct upstream *, size_t n, const char *why);
void upstream_fail_hopeless(struct upstream *,
                            const char *why); /* waiting calls whose owner has no busy connection */
void upstream_deliver(struct upstream *);
void upstream_conns_gone(struct upstream *); /* the last struct pool_conn was freed */

/* conn_pool.c */
void pool_serve(struct upstream *); /* gives waiting calls to idle connections, opens more */
/* Starts a waiting call on an idle connection of its owner, out of order where conn_pool.c allows it. */
void pool_serve_call(struct call *);
bool pool_busy_for(const struct upstream *, uint64_t owner); /* a connection of this owner is in use */
void pool_limits_changed(struct upstream *);                 /* applies changed limits */
static inline struct pool_row *pool_row(struct upstream *up, uint64_t owner)
{
    return &up->rows[owner % POOL_OWNERS];
}
void pool_abandon(struct call *, const char *why); /* a busy call ends early: its connection is closed */
void pool_resume(struct call *);                   /* a busy call takes pieces again */
void pool_doubt(struct call *); /* a busy call timed out: the vault may have another address now */
void pool_close_all(struct upstream *);
uint64_t pool_now(const struct upstream *);

#endif
