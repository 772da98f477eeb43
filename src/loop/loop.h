/*
 * loop.h - the one libuv loop: clock, deadlines, signals, and a hook once per iteration.
 *
 * Everything runs on this loop's thread. Deadlines (base/timers.h) are driven by a single uv_timer armed for
 * the earliest. Hooks of loop_on_iteration() are called once per iteration, just before the loop blocks:
 * batched work (flush, commits) goes there. Life: loop_new -> (uv handles of the other files) -> loop_run ->
 * loop_free, which must find every handle closed: uv_loop_close() returning 0 is a post-condition of the
 * program and of every test.
 */
#ifndef JG_LOOP_LOOP_H
#define JG_LOOP_LOOP_H

#include "base/timers.h"

#include <uv.h>

struct loop;

/* Would libuv make an io_uring for its loop, where the kernel lets it? Such calls pass no sandbox. */
bool loop_wants_rings(void);
struct loop *loop_new(void); /* NULL when out of memory or descriptors */
/* The same with a test's clock; loop_iterate() fires what is due by it. NULL = the system's, read once per
 * iteration. */
struct loop *loop_new_clock(const struct clock *);
/* Closes the loop's own handles, lets closing handles finish. 0, or -EBUSY if a handle was left open. */
int loop_free(struct loop *);

int loop_run(struct loop *); /* until loop_stop() or nothing is left */
void loop_stop(struct loop *);
int loop_iterate(struct loop *); /* one iteration without blocking, for tests; >0 = more to do */

uv_loop_t *loop_uv(struct loop *);
struct timers *loop_timers(struct loop *);
const struct clock *loop_clock(struct loop *);

/* A hook is called in each iteration, before blocking. The caller owns and unlinks it. */
struct loop_hook {
    void (*iteration)(struct loop_hook *);
    struct loop_hook *next;
};
void loop_on_iteration(struct loop *, struct loop_hook *);
void loop_off_iteration(struct loop *, struct loop_hook *);

/*
 * Work that may come in large numbers and can wait. An iteration has a budget of steps for each kind. Without
 * a step the caller leaves the work where it is: a socket that stays readable is reported again in the next
 * iteration. So no iteration is long, and unlimited work (health, deadlines, signals) never waits for long.
 */
enum loop_work {
    LOOP_REQUESTS,   /* of clients, begun */
    LOOP_URGENT,     /* the urgent ones of them */
    LOOP_ANSWERS,    /* of vaults: reads */
    LOOP_STRANGERS,  /* reads from connections without a client, and heads of their requests */
    LOOP_INSISTENT,  /* the same from those that were read less than a second ago */
    LOOP_HANDSHAKES, /* of TLS, with clients: reads */
    LOOP_DIALS,      /* steps of connections to vaults that are being opened */
    LOOP_NWORKS
};
bool loop_step(struct loop *, enum loop_work); /* true = a step was left, and is taken */
struct loop *loop_of(const uv_loop_t *);       /* the loop whose loop_uv() it is */

/* Calls fn on the loop when the signal comes. At most 8. 0 or -errno. */
int loop_on_signal(struct loop *, int signum, void (*fn)(void *arg, int signum), void *arg);

/* Loop lag: milliseconds of the longest iteration, outside poll, in the last 10 s. */
double loop_lag_ms(struct loop *);

#endif
