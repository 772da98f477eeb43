/*
 * priority_queue.h - which call is next, where calls of several classes wait for the same few places.
 *
 *   CALL_CONTINUE    a further call of an operation that has begun: it has waited once, and its earlier calls
 *                    are paid for
 *   CALL_NEW         the first call of an operation: the parties alternate (base/queue/fair_queue.h)
 *   CALL_CHECKIN     gives back what is held: behind the two above, but one in CHECKIN_EVERY while any waits,
 *                    since each check-out needs one, and under lasting load nothing else ends them
 *   CALL_BACKGROUND  no client waits for it: one in BACKGROUND_EVERY, so that it is late and not lost
 *
 * The queue also measures how fast CALL_NEW moves (base/queue/wait_estimate.h) and estimates the wait of the
 * next one. Items live inside the objects of their owner; nothing is allocated here.
 */
#ifndef JG_BASE_QUEUE_PRIORITY_QUEUE_H
#define JG_BASE_QUEUE_PRIORITY_QUEUE_H

#include "base/clock.h"
#include "base/queue/fair_queue.h"
#include "base/queue/wait_estimate.h"

#define CHECKIN_EVERY    3
#define BACKGROUND_EVERY 16

enum call_class { CALL_CONTINUE, CALL_NEW, CALL_CHECKIN, CALL_BACKGROUND, CALL_NCLASSES };

struct priority_queue_item {
    struct fair_queue_item slot; /* first */
    enum call_class class;
};

struct priority_queue {
    const struct clock *clock;
    struct fair_queue first;
    struct fair_queue_items others[CALL_NCLASSES]; /* that of CALL_NEW is not used */
    size_t n[CALL_NCLASSES];
    struct fair_queue_party no_party; /* for items without a party */
    struct wait_estimate wait_estimate;
    unsigned taken;
};

static inline enum call_class call_class_of(bool begun, bool background)
{
    return background ? begun ? CALL_CHECKIN : CALL_BACKGROUND : begun ? CALL_CONTINUE : CALL_NEW;
}

void priority_queue_init(struct priority_queue *, const struct clock *);
/* `party` may be NULL; `front`: before the others of its class. */
void priority_queue_add(struct priority_queue *, struct priority_queue_item *, enum call_class,
                        struct fair_queue_party *party, bool front);
void priority_queue_remove(struct priority_queue *,
                           struct priority_queue_item *); /* it must be in this queue */
/* Takes this item out before its turn. It counts as served: for the shares and for the wait of the others. */
void priority_queue_serve(struct priority_queue *, struct priority_queue_item *);
struct priority_queue_item *priority_queue_take(struct priority_queue *); /* NULL = the queue is empty */
struct priority_queue_item *
priority_queue_peek(const struct priority_queue *); /* what priority_queue_take() would return */
/* How long a CALL_NEW of this party (as in priority_queue_add) would wait; 0 = none is before it. See
 * wait_estimate_ms(). */
uint64_t priority_queue_wait_ms(const struct priority_queue *, const struct fair_queue_party *party,
                                double usual_ms);

#endif
