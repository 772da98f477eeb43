/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_cluster.c - the gateway's place in the cluster: certain or not, and the others; see etcd.c.
 */
#include "stores/etcd_store.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define STATUS_EVERY_MS 60000

/* ---- certain ---- */

void etcd_cluster_note_writable(struct etcd_store *s, const char *why)
{
    bool writable = s->epoch && s->cluster.certain && !s->refused;

    if (!writable && s->state.writable)
        log_error("store_failed", "error=%s hint=%s", why,
                  s->cluster.refused && *s->cluster.remedy ? s->cluster.remedy
                                                           : "no new check-outs until it can write again");
    if (writable && !s->state.writable)
        log_info("store_recovered", "commits=%" PRIu64, s->state.commits);
    s->state.writable = writable;
    if (writable || *why)
        (void)text_copy(s->state.why, sizeof s->state.why, writable ? "" : why);
}

void etcd_cluster_set_certain(struct etcd_store *s, bool certain, const char *why)
{
    bool was = s->cluster.certain;

    s->cluster.certain = certain;
    etcd_cluster_note_writable(s, why);
    if (was != certain && !s->must_tell_joined && s->news && s->news->certain)
        s->news->certain(s->news_arg, certain);
}

void etcd_cluster_doubt(struct etcd_store *s)
{
    const char *why = s->cluster.refused      ? "" /* it has been said */
                      : s->flight.call.why[0] ? s->flight.call.why
                                              : "etcd has not answered";

    if (s->cluster.certain && clock_now(s->clock) - s->sent_ms >= s->ttl_ms / 3 * 2)
        etcd_cluster_set_certain(s, false, why);
}

void etcd_cluster_on_doubt(struct deadline *d)
{
    struct etcd_store *s = CONTAINER_OF(d, struct etcd_store, doubt);
    uint64_t certain_ms = s->ttl_ms / 3 * 2, passed_ms = clock_now(s->clock) - s->sent_ms;

    if (timer_start(loop_timers(s->loop), d, passed_ms < certain_ms ? certain_ms - passed_ms : s->ttl_ms,
                    etcd_cluster_on_doubt))
        log_error("store_timer", "error=%s", strerror(ENOMEM)); /* the turns doubt as well */
    etcd_cluster_doubt(s);
}

/* A flight that was sent then was applied. */
void etcd_cluster_applied(struct etcd_store *s, uint64_t sent_ms)
{
    s->sent_ms = sent_ms;
    s->refused = s->cluster.refused = false;
    etcd_cluster_set_certain(s, clock_now(s->clock) - sent_ms < s->ttl_ms / 3 * 2, "etcd answers late");
}

void etcd_cluster_note_trip(void *arg, uint64_t us)
{
    struct store_cluster *c = &((struct etcd_store *)arg)->cluster;
    size_t i = 0;

    while (i < STORE_TRIP_BUCKETS - 1 && us > store_trip_bounds_ms[i] * 1000u)
        i++;
    c->trips[i]++;
    c->trips_sum_us += us;
}

/* ---- the others ---- */

static void adopt_row(void *arg, const char *from, const struct request_row *r,
                      const struct lease_row *const *leases, size_t n)
{
    struct etcd_store *s = arg;

    s->cluster.adopted++;
    if (s->news && s->news->adopt)
        s->news->adopt(s->news_arg, from, r, leases, n);
}

static void on_unrecorded(void *arg, const struct store_end *end)
{
    const struct etcd_store *s = arg;

    if (s->news && s->news->unrecorded)
        s->news->unrecorded(s->news_arg, end);
}

static void on_trail(void *arg, uint64_t *taken, uint64_t *settled)
{
    const struct etcd_store *s = arg;

    *taken = *settled = 0;
    if (s->news && s->news->trail)
        s->news->trail(s->news_arg, taken, settled);
}

static void on_missed(void *arg)
{
    const struct etcd_store *s = arg;

    if (s->news && s->news->missed)
        s->news->missed(s->news_arg);
}

static void on_adoption_ended(void *arg, struct etcd_adoption *a, bool done)
{
    struct etcd_store *s = arg;

    LIST_REMOVE(a, link);
    s->cluster.adoptions += done;
    if (done)
        log_warn("cluster_adopted", "node=%s epoch=%" PRId64 " requests=%" PRIu64, a->node, a->epoch,
                 a->rows);
}

static bool has_vault(void *arg, const char *vault)
{
    const struct etcd_store *s = arg;

    for (size_t i = 0; i < s->nvaults; i++)
        if (strcmp(s->vaults[i].name, vault) == 0)
            return true;
    return false;
}

static bool is_adopting(const struct etcd_store *s, const char *node, int64_t epoch)
{
    const struct etcd_adoption *a;

    LIST_FOREACH(a, &s->adoptions, link)
    if (a->epoch == epoch && strcmp(a->node, node) == 0)
        return true;
    return false;
}

static void add_adoption(struct etcd_store *s, struct etcd_adoption *a)
{
    if (a)
        LIST_INSERT_HEAD(&s->adoptions, a, link);
    else
        log_error("store_adopt", "error=%s", strerror(ENOMEM)); /* the next beat begins it */
}

/* Who has died since the beat before, and whose adopter has. */
static void care_for_dead(struct etcd_store *s)
{
    uint64_t now_ms = clock_now(s->clock);

    for (size_t i = 0; i < s->members.n; i++) {
        const struct etcd_member *m = &s->members.members[i];

        if (etcd_member_is_due(m, now_ms, s->ttl_ms) && !is_adopting(s, m->node, m->epoch))
            add_adoption(s, etcd_adopt_member(&s->adopter, m));
    }
    for (size_t i = 0; i < s->members.ndead; i++) {
        const struct etcd_dead *d = &s->members.dead[i];
        bool mine = strcmp(d->adopter, s->owner) == 0;

        if ((mine || !etcd_dead_is_cared_for(&s->members, d, s->owner, now_ms, s->ttl_ms)) &&
            !is_adopting(s, d->node, d->epoch))
            add_adoption(s, etcd_adopt_dead(&s->adopter, d, mine));
    }
}

static void on_gone(void *arg, const char *node, int64_t epoch)
{
    const struct etcd_store *s = arg;

    log_warn("cluster_gone", "node=%s epoch=%" PRId64, node, epoch);
    if (s->news && s->news->gone)
        s->news->gone(s->news_arg, node, epoch);
}

static void on_touched(void *arg, const char *mark)
{
    const struct etcd_store *s = arg;

    if (s->news && s->news->touched)
        s->news->touched(s->news_arg, mark);
}

/* Out of memory: the next beat reads them all. */
static void read_hints(struct etcd_store *s, const cJSON *hints)
{
    int64_t seen = s->hints_seen;
    struct etcd_kv kv;
    bool all = true;

    for (int i = 0; etcd_kv_read(hints, i, &kv); i++) {
        if (kv.mod > s->hints_seen)
            all = etcd_hints_read(kv.value.data, kv.value.len, on_touched, s) && all;
        seen = kv.mod > seen ? kv.mod : seen;
    }
    s->hints_seen = all ? seen : s->hints_seen;
}

/* After a gap in what this gateway's own beats have brought everybody's silence begins again. A beat may have
 * been sent long ago, and again and again since: what counts is when its answer has come. */
void etcd_cluster_on_beat(struct etcd_flight *f, const cJSON *members, const cJSON *dead, const cJSON *hints)
{
    struct etcd_store *s = CONTAINER_OF(f, struct etcd_store, flight);
    uint64_t now_ms = clock_now(s->clock);
    bool fresh = now_ms - s->saw_ms > s->ttl_ms / 2;

    s->beat_ms = f->sent_ms;
    s->saw_ms = now_ms;
    etcd_members_read(&s->members, s->node, members, dead, now_ms, fresh, on_gone, s);
    read_hints(s, hints);
}

/* One that would be counted as dead takes nothing over. */
static bool has_heir(const struct etcd_store *s)
{
    uint64_t now_ms = clock_now(s->clock);

    for (size_t i = 0; i < s->members.n; i++)
        if (!etcd_member_is_due(&s->members.members[i], now_ms, s->ttl_ms))
            return true;
    return false;
}

void etcd_cluster_after_beat(struct etcd_store *s)
{
    if (s->leaving && s->flight.me.leaving && s->left && !has_heir(s)) {
        void (*left)(void *, bool) = s->left;

        s->left = NULL;
        left(s->left_arg, false);
    } else if (!s->leaving && !s->closing && s->news) {
        care_for_dead(s);
    }
}

void etcd_cluster_set_adopter(struct etcd_store *s, bool has_vaults)
{
    s->adopter = (struct etcd_adopter){.client = s->client,
                                       .timers = loop_timers(s->loop),
                                       .prefix = s->prefix,
                                       .self = &s->flight.self,
                                       .has_vault = has_vaults ? has_vault : NULL,
                                       .adopt = adopt_row,
                                       .unrecorded = on_unrecorded,
                                       .trail = on_trail,
                                       .missed = on_missed,
                                       .ended = on_adoption_ended,
                                       .arg = s};
}

void etcd_cluster_cancel_adoptions(struct etcd_store *s)
{
    struct etcd_adoption *a;

    while ((a = LIST_FIRST(&s->adoptions))) {
        LIST_REMOVE(a, link);
        etcd_adopt_cancel(a);
    }
}

/* ---- news ---- */

void etcd_cluster_tell_joined(struct etcd_store *s)
{
    s->must_tell_joined = false;
    if (s->news->joined)
        s->news->joined(s->news_arg);
    if (s->news->certain && s->cluster.certain)
        s->news->certain(s->news_arg, true);
}

/* ---- the size of etcd, for operators ---- */

void etcd_cluster_ask_status(struct deadline *d)
{
    struct etcd_store *s = CONTAINER_OF(d, struct etcd_store, status_again);

    if (s->status.client)
        return; /* its answer sets the deadline */
    buf_clear(&s->status.body);
    buf_str(&s->status.body, "{}");
    if (s->epoch && !s->status.body.failed && etcd_call(s->client, &s->status) == 0) {
        timer_stop(loop_timers(s->loop), d);
        return;
    }
    timer_set(loop_timers(s->loop), d, STATUS_EVERY_MS, etcd_cluster_ask_status);
}

void etcd_cluster_on_status(struct etcd_call *call)
{
    struct etcd_store *s = CONTAINER_OF(call, struct etcd_store, status);

    if (!call->err) {
        s->cluster.db_bytes = json_number(call->answer, "dbSize");
        (void)text_copy(s->cluster.leader, sizeof s->cluster.leader, json_text(call->answer, "leader"));
    }
    timer_set(loop_timers(s->loop), &s->status_again, STATUS_EVERY_MS, etcd_cluster_ask_status);
}
