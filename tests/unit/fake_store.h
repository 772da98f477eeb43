/*
 * fake_store.h - a lease store in memory whose every commit can fail, come late, or be cut short by a crash.
 *
 * Steps queue up until fake_store_commit() applies all that wait at once, as the real one's group commit
 * does, and answers. A commit that fails has changed nothing; the store then says that it cannot write until
 * a second has passed (or for as long as `broken` is set). The rows outlive the broker: fake_store_crash() is
 * what a loss of power leaves.
 */
#ifndef JG_TESTS_FAKE_STORE_H
#define JG_TESTS_FAKE_STORE_H

#include "base/clock.h"
#include "stores/store.h"

#define FAKE_STORE_ROWS    1024
#define FAKE_STORE_LISTS   64
#define FAKE_STORE_CURSORS 4

struct fake_store {
    struct store store; /* first */
    const struct clock *clock;
    struct request_row *requests[FAKE_STORE_ROWS]; /* NULL = free */
    struct lease_row *leases[FAKE_STORE_ROWS];
    struct fake_cursor {
        char site[32];
        int64_t ms;
    } cursors[FAKE_STORE_CURSORS];
    size_t ncursors;
    struct store_steps queue;
    size_t npending;
    size_t lists[FAKE_STORE_LISTS]; /* how many each steps() brought, oldest first */
    size_t nlists;
    unsigned commits, steps; /* so far, failed ones included */
    unsigned otherwise;      /* steps that were not as the rows are */
    bool broken;             /* every commit fails */
    uint64_t writable_ms;    /* monotonic: not before */
    bool (*fails)(void *arg, unsigned nth_commit);
    void *fails_arg;
    int load_err;
    char tag[ID_TAG_SIZE];
};

void fake_store_init(struct fake_store *, const struct clock *);
void fake_store_free(struct fake_store *);
bool fake_store_commit(struct fake_store *); /* false = nothing waits */
/* What waits is durable up to the n-th list or never; its writers must have ended, and are freed. */
void fake_store_crash(struct fake_store *, size_t durable);
void fake_store_put_request(struct fake_store *, const struct request_row *);
void fake_store_put_lease(struct fake_store *, const struct lease_row *);
/* NULL = none. */
const struct request_row *fake_store_request(const struct fake_store *, const char *mark);
const struct lease_row *fake_store_lease(const struct fake_store *, const char *id);
/* Vault requests; leases. */
size_t fake_store_count(const struct fake_store *);
size_t fake_store_leases(const struct fake_store *);
/* Some vault request, some lease, for tests that have but one. */
const struct request_row *fake_store_only(const struct fake_store *);
const struct lease_row *fake_store_only_lease(const struct fake_store *);

#endif
