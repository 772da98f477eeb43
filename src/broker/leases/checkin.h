/*
 * checkin.h - one check-in that is under way; for checkin.c and checkin_queue.c alone.
 */
#ifndef JG_BROKER_LEASES_CHECKIN_H
#define JG_BROKER_LEASES_CHECKIN_H

#include "broker/leases/checkin_queue.h"
#include "broker/leases/lease_table.h"

struct checkin_call;

/* Of a RETURNING or lapsed vault request. It waits for its deadline, stands in line, or has a call on its
 * way. */
struct checkin {
    struct vault_request *request;
    struct checkin_call *call; /* on its way */
    struct checkin_queue_item place;
    TAILQ_ENTRY(checkin) lapsed;
    LIST_HEAD(, vault_request_watch) watches;
    const char *last_error; /* NULL = none; never freed */
    int64_t next_wall_ms;
    uint64_t ends_ms; /* of the vault request, which has no room for both */
    unsigned attempts;
    bool waiting; /* for its deadline */
    bool tried;   /* by this process */
    bool unknown; /* some attempt may have reached the vault */
};

/* Its turn has come. False = no call is on its way. */
bool checkin_start(struct checkin *);

#endif
