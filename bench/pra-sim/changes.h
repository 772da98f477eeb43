/*
 * changes.h - changes of the site, as JSON: from the admin port and from options.
 *
 * All: 0, -EINVAL with a sentence in `why`, or -ENOMEM.
 */
#ifndef PRA_SIM_CHANGES_H
#define PRA_SIM_CHANGES_H

#include "pra-sim/sender.h"
#include "pra-sim/server.h"

#include <cJSON.h>

int change_settings(struct server *, const cJSON *, struct buf *why);
int change_account(struct server *, const cJSON *, struct buf *why);
int change_jumpoint(struct server *, const cJSON *, struct buf *why);
int change_failover(struct server *, const cJSON *, struct buf *why);
int change_recipient(struct server *, struct sender *, const cJSON *, struct buf *why);
int change_event(struct server *, const cJSON *, struct buf *why);
/* Made-up sessions in place of those that were; what is not given is as it was, or usual. */
int change_month(struct server *, const cJSON *, struct buf *why);
/* One session of any kind changes, vanishes or comes back: "lsid" or the "index" of a made-up one. */
int change_one(struct server *, const cJSON *, struct buf *why);
/* {"path":"vault/account/7","gone":true}: it is no longer in the inventory. */
int change_inventory(struct server *, const cJSON *, struct buf *why);
/* Writes the lsids of the sessions made. */
int change_sessions(struct server *, const cJSON *, struct buf *why, struct buf *out);
/* Writes how many have ended. */
int change_end(struct server *, const cJSON *, struct buf *why, struct buf *out);

#endif
