/*
 * lane.h - whose check-in is next, vault by vault.
 */
#ifndef JG_BROKER_LANE_H
#define JG_BROKER_LANE_H

#include "backends/backend.h"
#include "base/turns.h"
#include "broker/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct leases;
struct checkin;
struct lane_user;

/*
 * Check-ins on their way to one vault at a time: so many, or a third of its connections where that is more. A
 * check-out takes two calls and its check-in one, so with less the check-ins of a busy vault would fall behind.
 */
#define LANE_IN_FLIGHT 16

struct lane {
    struct vault *vault;
    uint16_t number;
    uint16_t place; /* number of the first lane that leads to the same vault; most often its own */
    char *url;      /* names_url_identity(); "" = not known */
    bool absent; /* `vault` is ours: one that is configured no more */
    bool running;
    bool moved; /* restored rows name another url */
    size_t in_flight;
    struct table names; /* the users in line, by name */
    struct turns turns;
};

/* Embedded in a check-in. */
struct lane_place {
    struct lane_user *user; /* NULL = not in line */
    struct turn_item turn;
};

/* The lane of a vault; made for each configured vault at the start, so that it is there. */
struct lane *lane_of(const struct leases *, const struct vault *);
/* 0 or -ENOMEM. */
int lane_new(struct leases *, struct vault *);
/*
 * The lane of a row. A vault is known by its url, so a section that was renamed is found; where no section
 * has this url, or the row has none, by the name. What is not configured gets a vault that fails every call.
 * NULL = out of memory.
 */
struct lane *lane_of_row(struct leases *, const char *name, const char *url);
void lanes_free(struct leases *);

/* In line; people who wait go before what is done in the background. 0 or -ENOMEM. May start it at once. */
int lane_join(struct lane *, struct checkin *, const char *user, bool first);
void lane_leave(struct lane *, struct checkin *); /* any number of times */
/* Its check-in is over: the next one may start. */
void lane_done(struct lane *);

#endif
