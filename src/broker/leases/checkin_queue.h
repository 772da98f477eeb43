/*
 * checkin_queue.h - whose check-in is next, vault by vault.
 */
#ifndef JG_BROKER_LEASES_CHECKIN_QUEUE_H
#define JG_BROKER_LEASES_CHECKIN_QUEUE_H

#include "backends/backend.h"
#include "base/hash_table.h"
#include "base/queue/fair_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct leases;
struct checkin;
struct checkin_queue_user;

/*
 * Check-ins on their way to one vault at a time: so many, or a third of its connections where that is more. A
 * check-out takes two calls and its check-in one, so with less the check-ins of a busy vault would fall
 * behind.
 */
#define LANE_IN_FLIGHT 16

struct checkin_queue {
    struct vault *vault;
    uint16_t number;
    uint16_t place; /* number of some queue that leads to the same vault; most often its own */
    char *url;      /* address_url_identity(); "" = not known */
    bool absent;    /* `vault` is ours: one that is configured no more */
    bool running;
    char *moved_from; /* another url, which restored rows name; NULL = none does */
    size_t in_flight;
    struct table names; /* the users in line, by name */
    struct fair_queue fair_queue;
};

/* Embedded in a check-in. */
struct checkin_queue_item {
    struct checkin_queue_user *user; /* NULL = not in line */
    struct fair_queue_item slot;
};

/* The check-in queue of a vault; made for each configured vault at the start, so that it is there. */
struct checkin_queue *checkin_queue_of(const struct leases *, const struct vault *);
/* 0 or -ENOMEM. */
int checkin_queue_new(struct leases *, struct vault *);
/*
 * The check-in queue of a row. A vault is known by its url, so a section that was renamed is found; where no
 * section has this url, or the row has none, by the name. What is not configured gets a vault that fails
 * every call. NULL = out of memory.
 */
struct checkin_queue *checkin_queue_of_row(struct leases *, const char *name, const char *url);
/* Warns that leases wait for a vault that is configured no more. */
void checkin_queue_tell_absent(const struct checkin_queue *);
void checkin_queues_free(struct leases *);

/* In line; people who wait go before what is done in the background. 0 or -ENOMEM. May start it at once. */
int checkin_queue_join(struct checkin_queue *, struct checkin *, const char *user, bool first);
void checkin_queue_leave(struct checkin_queue *, struct checkin *); /* any number of times */
/* Its check-in is over: the next one may start. */
void checkin_queue_done(struct checkin_queue *);

#endif
