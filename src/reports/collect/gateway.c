/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway.c - the source `audit`: check-outs, from the audit trail of a gateway.
 *
 * Every few seconds a task of the writer reads what is new in the trail (trail.h) and makes rows of
 * jg_credential_use of it; the position moves in the same transaction. Files are read on the writer's thread:
 * they are local, and a task reads LINES_MAX lines at most.
 *
 * A row of events[] is an audit event of a lease, and what it says.
 */
#include "reports/collect/collect_internal.h"

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "reports/collect/trail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX    500
#define FOLLOW_MS    2000u
#define SOURCE_AUDIT "audit"

struct gateway {
    struct collector *collector;
    char *name, *pattern;
    struct trail *trail; /* the writer's thread uses it */
    struct audit_link at;
    struct deadline wait;
    bool loaded, busy, held, gone;
    unsigned failures;
    uint64_t broken;
    int64_t last_line, last_success;
    char error[COLLECT_ERROR_SIZE];
    enum round_result result;
};

/* ---- one line ---- */

struct trail_task {
    struct writer_task task;
    struct gateway *gateway;
    struct audit_link at;
    struct trail_progress progress;
    int64_t now;
    int err; /* of the files */
    bool loaded;
    /* during run() */
    struct report_store *store;
    enum db_outcome outcome;
};

static int64_t time_of(const char *text)
{
    int64_t ms;

    return text[0] && clock_parse_vault_date(text, &ms) == 0 ? ms / 1000 : RECORD_NONE;
}

static const char *member(const cJSON *line, const char *name)
{
    const char *text = json_text(line, name);

    return text[0] ? text : NULL;
}

static void on_checkout(struct store_use *use, const cJSON *line, int64_t when)
{
    if (strcmp(json_text(line, "outcome"), "ok") == 0) {
        use->checkout = when;
        use->expires = time_of(json_text(line, "expires_at"));
        use->kind = member(line, "kind");
    } else if (member(line, "undone")) {
        use->released = when;
        use->reason = "undone";
    } else {
        use->lease_id = NULL; /* there is no lease */
    }
}

static void on_end(struct store_use *use, const cJSON *line, int64_t when)
{
    use->released = when;
    use->reason = member(line, "reason");
}

static void on_operator(struct store_use *use, const cJSON *line, int64_t when)
{
    (void)line;
    use->released = when;
    use->reason = "operator_release";
}

static void on_checkin(struct store_use *use, const cJSON *line, int64_t when)
{
    use->checkin = when;
    use->checkin_outcome = member(line, "outcome");
}

static const struct {
    const char *name;
    void (*take)(struct store_use *, const cJSON *line, int64_t when);
} events[] = {
    {"checkout", on_checkout},         {"lease_end", on_end},   {"release", on_end},
    {"operator_release", on_operator}, {"checkin", on_checkin},
};

static enum db_outcome put_use(struct trail_task *t, const cJSON *line, size_t event, int64_t when)
{
    struct store_use use = {.lease_id = member(line, "lease_id"),
                            .gateway = t->gateway->name,
                            .lsid = member(line, "lsid"),
                            .session = member(line, "session"),
                            .user_name = member(line, "user"),
                            .domain = member(line, "domain"),
                            .credential_id = member(line, "credential_id"),
                            .vault = member(line, "vault"),
                            .system = member(line, "system"),
                            .account = member(line, "account"),
                            .checkout = RECORD_NONE,
                            .expires = RECORD_NONE,
                            .released = RECORD_NONE,
                            .checkin = RECORD_NONE};

    if (!use.lease_id)
        return DB_OK;
    events[event].take(&use, line, when);
    return use.lease_id ? store_use(t->store, &use) : DB_OK;
}

static int on_line(void *arg, const struct audit_line *line, const char *text, size_t n)
{
    struct trail_task *t = arg;
    size_t event = 0;
    const char *why;
    cJSON *tree;

    while (event < sizeof(events) / sizeof(*events) && strcmp(events[event].name, line->event) != 0)
        event++;
    if (event == sizeof(events) / sizeof(*events))
        return 0;
    tree = json_parse(text, n, 8, JSON_DUPLICATES_OK | JSON_MEND, &why);
    if (!tree)
        return 0; /* its form is that of a line, so this is no trail of a gateway */
    t->outcome = put_use(t, tree, event, time_of(line->time));
    cJSON_Delete(tree);
    return t->outcome != DB_OK;
}

/* ---- a task ---- */

static void read_position(const char *text, struct audit_link *at)
{
    char *end;
    unsigned long long seq = strtoull(text, &end, 10);

    audit_link_none(at);
    if (end == text || *end != ' ' || strlen(end + 1) != AUDIT_HASH_SIZE - 1)
        return;
    at->seq = seq;
    text_copy(at->hash, sizeof(at->hash), end + 1);
}

static enum db_outcome load(struct trail_task *t)
{
    char position[STORE_POSITION_SIZE];
    enum db_outcome outcome = store_get_cursor(t->store, t->gateway->name, SOURCE_AUDIT, position);

    if (outcome == DB_OK)
        read_position(position, &t->at);
    return outcome;
}

static enum db_outcome run(struct writer_task *task, struct report_store *store)
{
    struct trail_task *t = CONTAINER_OF(task, struct trail_task, task);
    char position[STORE_POSITION_SIZE];

    t->store = store;
    t->outcome = DB_OK;
    t->at = t->gateway->at; /* as it is on the loop, which changes it only when this is done */
    if (!t->gateway->loaded && load(t) != DB_OK)
        return store_error(store)->outcome;
    t->err = trail_read(t->gateway->trail, &t->at, LINES_MAX, on_line, t, &t->progress);
    if (t->outcome != DB_OK)
        return t->outcome;
    if (!t->progress.lines && !t->progress.broken)
        return DB_OK;
    (void)snprintf(position, sizeof(position), "%" PRIu64 " %s", t->at.seq, t->at.hash);
    return store_set_cursor(store, t->gateway->name, SOURCE_AUDIT, position, t->now);
}

static void begin(struct gateway *);

static void due(struct deadline *wait)
{
    begin(CONTAINER_OF(wait, struct gateway, wait));
}

static void schedule(struct gateway *g, uint64_t ms)
{
    if (g->gone || g->collector->stopping || g->result != ROUND_OPEN)
        return;
    if (timer_start(g->collector->timers, &g->wait, ms, due))
        g->held = true;
}

static void gateway_destroy(struct gateway *g)
{
    trail_free(g->trail);
    free(g->name);
    free(g->pattern);
    free(g);
}

static void fail(struct gateway *g, const char *why)
{
    g->failures++;
    text_copy(g->error, sizeof(g->error), why);
    if (g->failures == 1)
        log_warn("trail_failed", "gateway=%s why=%s", g->name, why);
    if (g->collector->once && g->failures >= COLLECT_ONCE_TRIES)
        g->result = ROUND_FAILED;
    schedule(g, g->collector->once ? 1000 : decide_backoff_ms(g->failures, &g->collector->random));
}

static void succeed(struct gateway *g, const struct trail_task *t)
{
    const struct trail_progress *p = &t->progress;

    g->failures = 0;
    g->last_success = t->now;
    if (p->time[0])
        g->last_line = time_of(p->time);
    if (p->broken) {
        g->broken += p->broken;
        text_copy(g->error, sizeof(g->error), p->why);
        log_warn("trail_broken", "gateway=%s places=%llu why=%s", g->name, (unsigned long long)p->broken,
                 p->why);
    } else if (!g->broken) {
        g->error[0] = '\0';
    }
    if (g->collector->once && !p->more)
        g->result = ROUND_COMPLETE;
    schedule(g, p->more ? 0 : FOLLOW_MS);
}

static void done(struct writer_task *task, enum db_outcome outcome, const char *why)
{
    struct trail_task *t = CONTAINER_OF(task, struct trail_task, task);
    struct gateway *g = t->gateway;
    struct collector *c = g->collector;

    g->busy = false;
    if (outcome == DB_OK) {
        g->at = t->at;
        g->loaded = true;
    }
    if (g->gone)
        gateway_destroy(g);
    else if (outcome != DB_OK)
        fail(g, why ? why : "the database refused a row");
    else if (t->err)
        fail(g, t->progress.why);
    else
        succeed(g, t);
    free(t);
    collect_task_done(c);
}

static void begin(struct gateway *g)
{
    struct trail_task *t;

    if (g->busy || g->gone || g->collector->stopping)
        return;
    t = g->collector->away ? NULL : calloc(1, sizeof(*t));
    if (!t) {
        g->held = true;
        return;
    }
    t->task.run = run;
    t->task.done = done;
    t->gateway = g;
    t->now = collect_now(g->collector);
    g->busy = true;
    collect_submit(g->collector, &t->task);
}

/* ---- life ---- */

struct gateway *gateway_new(struct collector *c, const struct collect_gateway_params *p)
{
    struct gateway *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->collector = c;
    g->last_line = g->last_success = RECORD_NONE;
    audit_link_none(&g->at);
    g->name = strdup(p->name);
    g->pattern = strdup(p->audit);
    g->trail = trail_new(p->audit);
    if (g->name && g->pattern && g->trail)
        return g;
    gateway_destroy(g);
    return NULL;
}

int gateway_start(struct gateway *g)
{
    if (!g->busy && !timer_running(&g->wait))
        begin(g);
    return 0;
}

void gateway_stop(struct gateway *g)
{
    timer_stop(g->collector->timers, &g->wait);
}

void gateway_free(struct gateway *g)
{
    gateway_stop(g);
    g->gone = true;
    if (!g->busy)
        gateway_destroy(g);
}

bool gateway_is(const struct gateway *g, const struct collect_gateway_params *p)
{
    return strcmp(g->name, p->name) == 0 && strcmp(g->pattern, p->audit) == 0;
}

void gateway_hold(struct gateway *g, bool held)
{
    if (held || !g->held)
        return;
    g->held = false;
    schedule(g, 0);
}

enum round_result gateway_result(const struct gateway *g)
{
    return g->result;
}

void gateway_state(const struct gateway *g, struct collect_gateway_state *out)
{
    *out = (struct collect_gateway_state){.name = g->name,
                                          .error = g->error[0] ? g->error : NULL,
                                          .seq = g->at.seq,
                                          .broken = g->broken,
                                          .last_line = g->last_line,
                                          .last_success = g->last_success};
}
