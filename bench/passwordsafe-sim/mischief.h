/*
 * mischief.h - rules for faults: which calls go wrong, and how.
 *
 * A rule matches by call name, part of the path, user, and by counting its matches: skip the first `after`,
 * only the `nth`, every so many, at most `count` times, by chance. The first rule that fires decides. An
 * action either comes before the model changes (drop_before, status, hang, reset, lost_session) or spoils the
 * way back after it has changed (drop_after, status_after, page_after, truncate, garbage, extra, chunked,
 * no_length, informational, close). `page` and `page_after` are a proxy's page in the vault's place.
 *
 * A rule in use by a call is held by a reference, so rules can be replaced at any time.
 */
#ifndef SIM_MISCHIEF_H
#define SIM_MISCHIEF_H

#include "base/buf.h"

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum mischief_kind {
    MISCHIEF_NONE, /* latency alone */
    MISCHIEF_STATUS,
    MISCHIEF_DROP_BEFORE,
    MISCHIEF_DROP_AFTER,
    MISCHIEF_TRUNCATE,
    MISCHIEF_GARBAGE,
    MISCHIEF_HANG,
    MISCHIEF_RESET,
    MISCHIEF_CLOSE,
    MISCHIEF_LOST_SESSION,
    MISCHIEF_EXTRA,
    MISCHIEF_CHUNKED,
    MISCHIEF_NO_LENGTH,
    MISCHIEF_INFORMATIONAL,
    MISCHIEF_STATUS_AFTER,
    MISCHIEF_NKINDS
};

struct mischief_rule {
    char *call, *path, *user; /* NULL = any */
    uint64_t nth, every, after, count;
    double probability;
    uint64_t seen, fired;
    enum mischief_kind kind;
    int status;
    char *body, *content_type, *headers; /* headers as whole lines */
    uint64_t latency_ms;
    unsigned refs;
    TAILQ_ENTRY(mischief_rule) link;
};

struct mischief {
    TAILQ_HEAD(, mischief_rule) rules;
    uint64_t random;
};

void mischief_init(struct mischief *, uint64_t seed);
void mischief_clear(struct mischief *);
/* One rule or an array of them. 0, -EINVAL with a sentence in `why`, -ENOMEM. */
int mischief_add(struct mischief *, const cJSON *, struct buf *why);
int mischief_add_text(struct mischief *, const char *json, struct buf *why);

/* The rule that fires for this call, held; NULL = none. */
struct mischief_rule *mischief_pick(struct mischief *, const char *call, const char *path, const char *user);
void mischief_release(struct mischief_rule *); /* NULL is fine */
/* An array of the rules with how often each matched and fired. */
void mischief_report(const struct mischief *, struct buf *out);
uint64_t mischief_random(struct mischief *);

#endif
