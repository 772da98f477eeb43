/*
 * lists_rig.h - lists over a fake vault with three accounts on two systems, and clients that wait for them.
 */
#ifndef JG_TESTS_LISTS_RIG_H
#define JG_TESTS_LISTS_RIG_H

#include "broker/lists/account_lists.h"
#include "check.h"
#include "fake_clock.h"
#include "fake_vault.h"

#define CACHE SECONDS(15)
#define KNOWN MINUTES(1)

struct rig {
    struct fake_clock clock;
    struct timers *timers;
    struct fake_vault vault;
    struct account_lists *lists;
};

struct client {
    struct list_wait wait; /* first */
    struct rig *rig;
    unsigned answers;
    size_t rows;
    struct client *leaves; /* in done(): makes this one leave */
    bool asks_again;
};

extern const struct account_query web, none; /* two rows; no row */

void rig_start(struct rig *, struct account_lists_opts);
void rig_start_plain(struct rig *);
void rig_end(struct rig *); /* nothing is left: no call, no deadline */
int start_read_as(struct rig *, struct client *, const char *user, const struct account_query *,
                  uint64_t timeout_ms);
void start_read(struct rig *, struct client *, const struct account_query *); /* as CORP\bob; must begin */
void rig_settle(struct rig *);                                                /* all answers arrive */

#endif
