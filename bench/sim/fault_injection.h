/*
 * fault_injection.h - rules for faults: which calls fail, and how.
 *
 * A rule matches by call name, part of the path, part of the query, user, and by the count of its matches:
 * skip the first `after`, only the `nth`, every so many, at most `count` times, by chance. The first rule
 * that fires decides. An action either applies before the model changes (drop_before, status, hang, reset) or
 * spoils the answer after it has changed (drop_after, status_after, page_after, truncate, garbage, extra,
 * chunked, no_length, informational, close). `page` and `page_after` are a proxy's page instead of the
 * answer. A simulator adds actions of its own; their kinds begin at INJECT_OWN, and it carries them out
 * itself.
 *
 * A call holds a reference to its rule, so rules can be replaced at any time.
 */
#ifndef SIM_FAULT_INJECTION_H
#define SIM_FAULT_INJECTION_H

#include "sim/answer.h"

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
    INJECT_EXTRA,
    INJECT_CHUNKED,
    INJECT_NO_LENGTH,
    INJECT_INFORMATIONAL,
    INJECT_STATUS_AFTER,
    INJECT_OWN = 100
};

struct fault_action {
    const char *name;
    int kind; /* enum fault_injection_kind, or the simulator's own */
    int status;
    const char *content_type, *body, *headers; /* of answers by status; NULL = none */
};

struct fault_injection_rule {
    char *call, *path, *query, *user; /* NULL = any */
    uint64_t nth, every, after, count;
    double probability;
    uint64_t seen, fired;
    const char *action; /* its name */
    int kind;
    int status;
    char *body, *content_type, *headers; /* headers as whole lines */
    uint64_t latency_ms;
    uint64_t size; /* for actions that want one; 0 = their usual one */
    unsigned refs;
    TAILQ_ENTRY(fault_injection_rule) link;
};

struct fault_injection {
    TAILQ_HEAD(, fault_injection_rule) rules;
    uint64_t random;
    const struct fault_action *own;
    size_t nown;
};

void fault_injection_init(struct fault_injection *, uint64_t seed, const struct fault_action *own,
                          size_t nown);
void fault_injection_clear(struct fault_injection *);
/* One rule or an array of them. 0, -EINVAL with a sentence in `why`, -ENOMEM. */
int fault_injection_add(struct fault_injection *, const cJSON *, struct buf *why);
int fault_injection_add_text(struct fault_injection *, const char *json, struct buf *why);

struct fault_injection_call {
    const char *name, *path;
    const char *query, *user; /* NULL = none */
};

/* The rule that fires for this call, held; NULL = none. */
struct fault_injection_rule *fault_injection_pick(struct fault_injection *,
                                                  const struct fault_injection_call *);
void fault_injection_release(struct fault_injection_rule *); /* NULL is fine */
/* The answer of a rule by status. `usual_type` is the type of a body whose type the rule does not name. */
void fault_injection_answer(const struct fault_injection_rule *, const char *usual_type, struct sim_answer *);
/* An array of the rules with how often each matched and fired. */
void fault_injection_report(const struct fault_injection *, struct buf *out);
uint64_t fault_injection_random(struct fault_injection *);

#endif
