/*
 * find_rig.h - a broker with two fake vaults, for the operations that only read.
 *
 * The broker is made of what reading needs (clock, lists, vaults), so the tests of find and endpoints need no
 * leases. The fixture records every query of a list with the vault it went to.
 */
#ifndef JG_TESTS_FIND_RIG_H
#define JG_TESTS_FIND_RIG_H

#include "broker/operation.h"
#include "fake_clock.h"
#include "fake_vault.h"

#define RIG_QUERIES 64

struct rig_query {
    enum account_kind kind;
    char user[64], system[64], ip[64], application[64];
    bool recent;
};

struct rig {
    struct fake_clock clock;
    struct timers *timers;
    struct conf conf;
    struct fake_vault vault[2];
    struct vault *vaults[2];
    struct broker broker;
    struct rig_query asked[RIG_QUERIES]; /* of both vaults, in order */
    size_t nasked;
    size_t most_pending; /* calls of the first vault at once */
};

void rig_start(struct rig *, size_t nvaults);
/* Everything has come to an end: no op, no call, no deadline, no memory. */
void rig_end(struct rig *);
/* Delivers everything and runs the timers, until nothing moves. */
void rig_settle(struct rig *);
bool rig_step(struct rig *); /* one answer of either vault; false = none waits */
size_t rig_pending(const struct rig *);

#endif
