/*
 * etcd_adopt.h - a dead gateway's rows become this gateway's.
 *
 *   look   m/NODE, or d/NODE@EPOCH: what it names of leases that have ended (etcd_ends.h)
 *     |
 *   fence  --m/NODE was changed meanwhile: it lives, or another was quicker--> ended
 *     |
 *   take   --another was quicker--> ended            (from a dead one whose adopter has died)
 *     |
 *   check  which of those have ended: `unrecorded`
 *     |
 *   scan   i/ r/ in pages; this gateway writes the rows of the dead one with itself as their owner, a
 *     |    hundred to a transaction, and given to `adopt` with their leases as soon as that is done
 *     |    --a row was changed meanwhile--> scan again
 *   done   once the records of those ends are on disk d/NODE@EPOCH goes --> ended
 *
 * Each transaction compares that this gateway is what it was when the adoption began (the create revision of
 * m/SELF): a gateway that is itself dead adopts nothing. Where an answer is lost the same bytes are sent
 * again: a row that has the new value already is taken as written.
 *
 * No row of the dead incarnation comes up after its fence, since each of its flights compares m/NODE.
 */
#ifndef JG_STORES_ETCD_ADOPT_H
#define JG_STORES_ETCD_ADOPT_H

#include "base/timers.h"
#include "stores/etcd_client.h"
#include "stores/etcd_members.h"
#include "stores/etcd_steps.h"

struct etcd_adoption;

struct etcd_adopter {
    struct etcd_client *client;
    struct timers *timers;
    const char *prefix;
    const struct etcd_self *self;
    int64_t epoch; /* of this gateway */
    /* Does this gateway have the vault? Rows of others stay with the dead one. NULL = it has all. */
    bool (*has_vault)(void *arg, const char *vault);
    void (*adopt)(void *arg, const char *from, const struct request_row *,
                  const struct lease_row *const *leases, size_t n);
    /* As in store_news; NULL = none. */
    void (*unrecorded)(void *arg, const struct store_end *);
    void (*trail)(void *arg, uint64_t *taken, uint64_t *settled);
    void (*missed)(void *arg); /* rows that were written could not be given */
    /* The adoption is over and about to be freed; `done` = all rows were adopted. */
    void (*ended)(void *arg, struct etcd_adoption *, bool done);
    void *arg;
};

struct etcd_adoption {
    LIST_ENTRY(etcd_adoption) link; /* the owner's */
    char node[64];
    int64_t epoch;
    uint64_t rows; /* adopted so far */

    /* private */
    const struct etcd_adopter *by;
    struct etcd_adoption_work *work;
};

/* Of a member that is due, by its key as it was read. NULL = out of memory. */
struct etcd_adoption *etcd_adopt_member(const struct etcd_adopter *, const struct etcd_member *);
/* Of a dead one: whose adopter has died, or (`mine`) whose adopter this gateway is. */
struct etcd_adoption *etcd_adopt_dead(const struct etcd_adopter *, const struct etcd_dead *, bool mine);
void etcd_adopt_cancel(struct etcd_adoption *); /* without ended(); frees it */

#endif
