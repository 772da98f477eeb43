/*
 * outbound.h - outbound events: an ordered queue for each HTTP recipient.
 *
 * An event is one form, sent by POST. The head of a queue is sent; only status 200 takes it off. Any other
 * outcome leaves it there, and it is sent again after the recipient's retry interval. Nothing behind it is
 * sent meanwhile. An event older than the retry duration is dropped and counted.
 *
 * This part has no network: it gives a form to `send`, and outbound_sent() gives it the outcome.
 */
#ifndef PRA_SIM_OUTBOUND_H
#define PRA_SIM_OUTBOUND_H

#include "base/timers.h"
#include "sim/vec.h"

#include <stdint.h>
#include <sys/queue.h>

enum outbound_kind { OUTBOUND_BEGIN = 1, OUTBOUND_END = 2, OUTBOUND_OTHER = 4, OUTBOUND_ALL = 7 };

struct outbound_event {
    enum outbound_kind kind;
    char *form, *content_type;
    int64_t queued_ms;
    unsigned copies; /* how often it is still to be delivered */
    TAILQ_ENTRY(outbound_event) link;
};

struct recipient {
    struct outbound *outbound;
    int id;
    char *name, *url, *ca_file;
    bool enabled;
    unsigned kinds;  /* enum outbound_kind */
    unsigned copies; /* each event is delivered so often; 1 */
    uint64_t retry_interval_ms, retry_duration_ms;
    TAILQ_HEAD(, outbound_event) queue;
    size_t queued;
    bool sending;
    struct deadline retry;
    void *sender; /* of `send` */
    uint64_t sent, attempts, failed, dropped;
    int last_status; /* 0 = no answer */
    char last_error[160];
};

struct outbound {
    struct timers *timers;
    const struct clock *clock;
    struct vec recipients;
    int next_id;
    /* Begins to send; outbound_sent() follows once, later. 0 or <0: it did not begin, and wrote last_error.
     */
    int (*send)(void *arg, struct recipient *, const struct outbound_event *);
    void (*forget)(void *arg, struct recipient *); /* the recipient goes; its sending is cancelled */
    void *arg;
};

void outbound_init(struct outbound *, struct timers *);
void outbound_free(struct outbound *);
/* NULL = out of memory. */
struct recipient *outbound_add(struct outbound *, const char *name, const char *url);
struct recipient *outbound_find(const struct outbound *, const char *name);
void outbound_remove(struct outbound *, struct recipient *);
/* Its settings have changed: the head of the queue is sent now. */
void outbound_kick(struct recipient *);
/* Queues one event for every enabled recipient that wants its kind (NULL = all of them). 0 or -ENOMEM. */
int outbound_queue(struct outbound *, struct recipient *only, enum outbound_kind, const char *form,
                   const char *content_type);
/* status 0 = no answer. `why` becomes last_error; NULL = that one stays. */
void outbound_sent(struct recipient *, int status, const char *why);
size_t outbound_queued(const struct outbound *);

#endif
