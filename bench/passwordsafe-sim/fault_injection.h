/*
 * fault_injection.h - rules for faults: which calls fail, and how.
 *
 * A rule matches by call name, part of the path, user, and by the count of its matches: skip the first
 * `after`, only the `nth`, every so many, at most `count` times, by chance. The first rule that fires
 * decides. An action either applies before the model changes (drop_before, status, hang, reset, lost_session)
 * or spoils the answer after it has changed (drop_after, status_after, page_after, truncate, garbage, extra,
 * chunked, no_length, informational, close). `page` and `page_after` are a proxy's page instead of the
 * vault's answer.
 *
 * A call holds a reference to its rule, so rules can be replaced at any time.
 */
#ifndef SIM_FAULT_INJECTION_H
#define SIM_FAULT_INJECTION_H

#include "base/buf.h"

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum fault_injection_kind {
    INJECT_NONE, /* latency alone */
    INJECT_STATUS,
    INJECT_DROP_BEFORE,
    INJECT_DROP_AFTER,
    INJECT_TRUNCATE,
    INJECT_GARBAGE,
    INJECT_HANG,
    INJECT_RESET,
    INJECT_CLOSE,
    INJECT_LOST_SESSION,
    INJECT_EXTRA,
    INJECT_CHUNKED,
    INJECT_NO_LENGTH,
    INJECT_INFORMATIONAL,
    INJECT_STATUS_AFTER,
    INJECT_NKINDS
};

struct fault_injection_rule {
    char *call, *path, *user; /* NULL = any */
    uint64_t nth, every, after, count;
    double probability;
    uint64_t seen, fired;
    enum fault_injection_kind kind;
    int status;
    char *body, *content_type, *headers; /* headers as whole lines */
    uint64_t latency_ms;
    unsigned refs;
    TAILQ_ENTRY(fault_injection_rule) link;
};

struct fault_injection {
    TAILQ_HEAD(, fault_injection_rule) rules;
    uint64_t random;
};

void fault_injection_init(struct fault_injection *, uint64_t seed);
void fault_injection_clear(struct fault_injection *);
/* One rule or an array of them. 0, -EINVAL with a sentence in `why`, -ENOMEM. */
int fault_injection_add(struct fault_injection *, const cJSON *, struct buf *why);
int fault_injection_add_text(struct fault_injection *, const char *json, struct buf *why);

/* The rule that fires for this call, held; NULL = none. */
struct fault_injection_rule *fault_injection_pick(struct fault_injection *, const char *call,
                                                  const char *path, const char *user);
void fault_injection_release(struct fault_injection_rule *); /* NULL is fine */
/* An array of the rules with how often each matched and fired. */
void fault_injection_report(const struct fault_injection *, struct buf *out);
uint64_t fault_injection_random(struct fault_injection *);

#endif
