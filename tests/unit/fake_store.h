/*
 * fake_store.h - a lease store in memory whose every commit can fail, come late, or be cut short by a crash.
 *
 * Steps queue up until fake_store_commit() applies all that wait at once, as the real one's group commit
 * does, and answers. A commit that fails has changed nothing; the store then says that it cannot write until
 * a second has passed (or for as long as `broken` is set). The rows outlive the broker: fake_store_crash() is
 * what a loss of power leaves.
 *
 * A fake store may be one of several gateways' (fake_store_shared.c): they have the rows of the first one. A
 * commit then also answers the questions that wait. The test says who is certain, who is fenced by whom, and
 * who takes over the rows of a gateway that leaves; news come from within these calls and from commits.
 */
#ifndef JG_TESTS_FAKE_STORE_H
#define JG_TESTS_FAKE_STORE_H

#include "base/clock.h"
#include "stores/store.h"

#define FAKE_STORE_ROWS    1024
#define FAKE_STORE_LISTS   64
#define FAKE_STORE_CURSORS 4

#define FAKE_STORE_QUESTIONS 64
#define FAKE_STORE_MEMBERS   8

struct fake_store;

/* A PRA session that has ended. */
struct fake_finish {
    char username[64], domain[64], session[64], lsid[64];
    int64_t moment;
    uint64_t ago_ms;
};
#define FAKE_STORE_FINISHES 256

/* What a gateway has of its own in a shared store. */
struct fake_node {
    struct fake_store *rows;                      /* whose rows they are: the first gateway's */
    char owner[96];                               /* node@epoch */
    int64_t epochs;                               /* of the first gateway: drawn so far */
    struct fake_store *nodes[FAKE_STORE_MEMBERS]; /* of the first gateway: all; NULL = free */
    const struct store_news *news;
    void *news_arg;
    bool uncertain, fenced;
    bool forgets;      /* a RELEASE of a lease that is gone is APPLIED, as where the answer to it was lost */
    bool unheard;      /* it has joined before it was listened to */
    uint64_t fresh_ms; /* a confirmation is good for so long */
    struct fake_store *heir; /* takes the rows over where this gateway leaves; NULL = no other is alive */
    void (*left)(void *arg, bool taken);
    void *left_arg;
    struct store_question *questions[FAKE_STORE_QUESTIONS];
    size_t nquestions;
    unsigned asked;                                   /* so far */
    int64_t moment;                                   /* of the first gateway: of the store */
    int64_t known;                                    /* that this gateway was told of with its last commit */
    struct fake_finish finishes[FAKE_STORE_FINISHES]; /* of the first gateway */
    size_t nfinishes;
    char config_digest[72];
    struct store_cluster cluster;
    struct store_member members[FAKE_STORE_MEMBERS];
};

struct fake_store {
    struct store store; /* first */
    struct fake_node node;
    struct store_ops shared_ops; /* of a store that is shared */
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
bool fake_store_commit(struct fake_store *); /* false = nothing waits, and nothing was to be told */
/* What waits is durable up to the n-th list or never; its writers must have ended, and are freed. */
void fake_store_crash(struct fake_store *, size_t durable);
void fake_store_put_request(struct fake_store *, const struct request_row *);
void fake_store_put_lease(struct fake_store *, const struct lease_row *);
void fake_store_put_cursor(struct fake_store *, const struct cursor_row *);
/* What a commit does with one step; `done` is not called. OTHERWISE: step->now is the caller's to free. */
enum store_outcome fake_store_apply(struct fake_store *, struct store_step *);
/* NULL = none. */
const struct request_row *fake_store_request(const struct fake_store *, const char *mark);
const struct lease_row *fake_store_lease(const struct fake_store *, const char *id);
/* Vault requests; leases. */
size_t fake_store_count(const struct fake_store *);
size_t fake_store_leases(const struct fake_store *);
/* Some vault request, some lease, for tests that have but one. */
const struct request_row *fake_store_only(const struct fake_store *);
const struct lease_row *fake_store_only_lease(const struct fake_store *);

/* ---- a store that is shared ---- */

/* The store becomes one of several gateways': `with` NULL = the first, whose rows they have. */
void fake_store_share(struct fake_store *, struct fake_store *with, const char *node);
/* The gateway has been silent: `by` takes its rows over. It learns of it with its next commit. */
void fake_store_fence(struct fake_store *, struct fake_store *by);
/* It joins again after that, as it does by itself in a real one. */
void fake_store_rejoin(struct fake_store *);
void fake_store_set_certain(struct fake_store *, bool certain);

/* ---- between the files of the fake ---- */

struct request_row **fake_find_request(struct fake_store *, const char *mark);
/* As store_step_rules[] has it. */
void fake_update_request(struct fake_store *, const struct request_row *old, const struct request_row *new);
/* Of this request, by its id; NULL for either: any. */
struct lease_row **fake_find_lease(struct fake_store *, const char *request, const char *id);
/* What a shared store does besides: true = it has decided the step's outcome. */
bool fake_shared_apply(struct fake_store *, struct store_step *, enum store_outcome *);
/* After the steps: questions, news, a gateway that leaves. False = there was nothing of it. */
bool fake_shared_commit(struct fake_store *);

#endif
