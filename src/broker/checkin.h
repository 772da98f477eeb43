/*
 * checkin.h - one check-in that is under way; for checkin.c and lane.c alone.
 */
#ifndef JG_BROKER_CHECKIN_H
#define JG_BROKER_CHECKIN_H

#include "broker/lane.h"
#include "broker/lease.h"

struct checkin_call;

/* Of a RETURNING or lapsed loan. It waits for its deadline, stands in line, or has a call on its way. */
struct checkin {
    struct loan *loan;
    struct checkin_call *call; /* on its way */
    struct lane_place place;
    TAILQ_ENTRY(checkin) lapsed;
    LIST_HEAD(, loan_watch) watches;
    const char *last_error; /* NULL = none; never freed */
    int64_t next_wall_ms;
    uint64_t ends_ms; /* of the loan, which has no room for both */
    unsigned attempts;
    bool waiting; /* for its deadline */
    bool tried;   /* by this process */
    bool unknown; /* some attempt may have reached the vault */
};

/* Its turn has come. False = no call is on its way. */
bool checkin_start(struct checkin *);

#endif
