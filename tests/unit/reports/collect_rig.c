/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect_rig.c - a collector with a site, a writer and a clock of the test's; see collect_rig.h.
 */
#include "collect_rig.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 100

static struct collect_rig *rig_of(const struct report_site *site)
{
    return CONTAINER_OF((struct report_site *)(uintptr_t)site, struct collect_rig, base);
}

int64_t collect_rig_now(struct collect_rig *rig)
{
    return rig->clock.wall / 1000 + rig->skew;
}

/* ---- operations ---- */

static struct fake_call *new_call(struct report_site *site, struct report_call *call, enum report_ask ask)
{
    struct collect_rig *rig = rig_of(site);
    struct fake_call *c = calloc(1, sizeof(*c)), **end = &rig->calls;

    assert_non_null(c);
    assert_null(call->inside); /* one at a time */
    assert_non_null(call->sink->ended);
    c->call = call;
    c->ask = ask;
    call->inside = c;
    call->site = site;
    while (*end)
        end = &(*end)->next;
    *end = c;
    rig->asked[ask]++;
    return c;
}

static int ask_listing(struct report_site *site, struct report_call *call, const struct report_window *w)
{
    assert_true(w->from_s >= 0 && w->duration_s >= 0);
    new_call(site, call, REPORT_ASK_LISTING)->window = *w;
    return 0;
}

static int ask_sessions(struct report_site *site, struct report_call *call, const char *const *lsids,
                        size_t n)
{
    struct fake_call *c = new_call(site, call, REPORT_ASK_SESSIONS);

    assert_in_range(n, 1, REPORT_LSIDS_MAX);
    c->lsids = calloc(n, sizeof(*c->lsids));
    c->n = n;
    for (size_t i = 0; i < n; i++)
        assert_true(text_copy(c->lsids[i], sizeof(c->lsids[i]), lsids[i]));
    return 0;
}

static int ask_team(struct report_site *site, struct report_call *call, int64_t from)
{
    new_call(site, call, REPORT_ASK_TEAM)->from = from;
    return 0;
}

static int ask_vault(struct report_site *site, struct report_call *call, int64_t from)
{
    new_call(site, call, REPORT_ASK_VAULT)->from = from;
    return 0;
}

static int ask_syslog(struct report_site *site, struct report_call *call, const char *known)
{
    text_copy(new_call(site, call, REPORT_ASK_SYSLOG)->known, 65, known);
    return 0;
}

static int ask_page(struct report_site *site, struct report_call *call, enum report_page_kind page,
                    unsigned n)
{
    struct fake_call *c = new_call(site, call, REPORT_ASK_PAGE);

    c->page = page;
    c->page_number = n;
    return 0;
}

static int ask_info(struct report_site *site, struct report_call *call)
{
    (void)new_call(site, call, REPORT_ASK_INFO);
    return 0;
}

static int ask_attributes(struct report_site *site, struct report_call *call, const char *lsid)
{
    const char *lsids[] = {lsid};
    struct fake_call *c = new_call(site, call, REPORT_ASK_ATTRIBUTES);

    c->lsids = calloc(1, sizeof(*c->lsids));
    text_copy(c->lsids[0], sizeof(c->lsids[0]), lsids[0]);
    c->n = 1;
    return 0;
}

static void pause_call(struct report_call *call)
{
    if (call->inside)
        ((struct fake_call *)call->inside)->paused = true;
}

static void resume_call(struct report_call *call)
{
    if (call->inside)
        ((struct fake_call *)call->inside)->paused = false;
}

static void take_out(struct collect_rig *rig, struct fake_call *c)
{
    struct fake_call **at = &rig->calls;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->call->inside = NULL;
}

static void cancel_call(struct report_call *call)
{
    struct fake_call *c = call->inside;

    if (!c)
        return;
    take_out(rig_of(call->site), c);
    free(c->lsids);
    free(c);
}

static int64_t rate_remaining(const struct report_site *site)
{
    (void)site;
    return -1;
}

static const struct report_site_ops ops = {.listing = ask_listing,
                                           .sessions = ask_sessions,
                                           .team = ask_team,
                                           .vault = ask_vault,
                                           .syslog = ask_syslog,
                                           .page = ask_page,
                                           .info = ask_info,
                                           .attributes = ask_attributes,
                                           .pause = pause_call,
                                           .resume = resume_call,
                                           .cancel = cancel_call,
                                           .rate_remaining = rate_remaining};

/* ---- answers ---- */

static void lsid_of(const struct made *m, char out[33])
{
    (void)snprintf(out, 33, "%032" PRIx64, (uint64_t)m->number);
}

static int64_t end_of(struct collect_rig *rig, const struct made *m)
{
    return m->abnormal || m->end > collect_rig_now(rig) ? RECORD_NONE : m->end;
}

static bool is_active(struct collect_rig *rig, const struct made *m)
{
    return m->end > collect_rig_now(rig);
}

static void give(struct fake_call *c, enum report_kind kind, void *rows, size_t n, struct record_arena *arena)
{
    struct report_batch batch = {.kind = kind, .n = n, .rows = rows, .arena = *arena};

    if (n)
        c->call->sink->batch(c->call, &batch);
    else
        batch.arena = *arena;
    record_arena_free(&batch.arena);
    *arena = (struct record_arena){.chunks = NULL};
}

static bool is_listed(struct collect_rig *rig, const struct made *m, const struct report_window *w)
{
    int64_t now = collect_rig_now(rig), at = w->by_start ? m->start : end_of(rig, m);
    int64_t to = w->duration_s ? w->from_s + w->duration_s : now + 1;

    return at != RECORD_NONE && m->start <= now && at >= w->from_s && at < to && m->listed_at <= now;
}

static void answer_listing(struct collect_rig *rig, struct fake_call *c, struct report_outcome *o)
{
    struct record_arena arena = {.chunks = NULL};
    struct record_listed *rows = NULL;
    size_t n = 0, room = 0;

    for (size_t i = 0; i < rig->nmade; i++) {
        char lsid[33];
        if (!is_listed(rig, &rig->made[i], &c->window))
            continue;
        if (rig->slow_lists && (int64_t)o->rows >= rig->slow_lists) {
            o->end = REPORT_TIMEOUT;
            break;
        }
        lsid_of(&rig->made[i], lsid);
        struct record_listed *row = record_append(&arena, &rows, &n, &room, sizeof(*row));
        assert_non_null(row);
        row->lsid = record_text(&arena, lsid, 32);
        o->rows++;
        if (n < BATCH)
            continue;
        give(c, REPORT_LISTED, rows, n, &arena);
        rows = NULL;
        n = room = 0;
    }
    give(c, REPORT_LISTED, rows, n, &arena);
}

static struct made *find_made(struct collect_rig *rig, const char *lsid)
{
    uint64_t number = strtoull(lsid, NULL, 16);

    for (size_t i = 0; i < rig->nmade; i++)
        if ((uint64_t)rig->made[i].number == number)
            return &rig->made[i];
    return NULL;
}

static void answer_sessions(struct collect_rig *rig, struct fake_call *c, struct report_outcome *o)
{
    size_t found = 0;

    for (size_t i = 0; i < c->n; i++) {
        struct made *m = find_made(rig, c->lsids[i]);
        struct record_arena arena = {.chunks = NULL};
        if (!m || m->gone)
            continue;
        if (m->poison) {
            o->end = REPORT_FORMAT;
            o->status = 200;
            return;
        }
        const struct rig_session of = {.number = m->number,
                                       .start = m->start,
                                       .end = end_of(rig, m),
                                       .variant = m->variant,
                                       .events = 4};
        struct record_session *session = rig_session(&arena, &of);
        if (m->says_so && !is_active(rig, m))
            (void)rig_event(&arena, session, m->end, "Session End");
        give(c, REPORT_SESSIONS, session, 1, &arena);
        found++;
    }
    o->rows = found;
    if (!found)
        o->end = REPORT_INVALID_LSID;
}

static void answer_activity(struct collect_rig *rig, struct fake_call *c, struct report_outcome *o)
{
    struct record_arena arena = {.chunks = NULL};
    struct record_team *team = NULL;
    struct record_vault_activity *vault = NULL;
    size_t n = 0, room = 0;

    /* One every ten minutes. */
    for (unsigned i = 0; i < rig->teams; i++) {
        int64_t at = RIG_T0 + (int64_t)i * 600;
        if (at < c->from || at > collect_rig_now(rig))
            continue;
        if (c->ask == REPORT_ASK_TEAM) {
            struct record_team *row = record_append(&arena, &team, &n, &room, sizeof(*row));
            *row = (struct record_team){.team_id = 1, .timestamp = at, .name = "Team", .type = "Joined"};
        } else {
            struct record_vault_activity *row = record_append(&arena, &vault, &n, &room, sizeof(*row));
            *row = (struct record_vault_activity){
                .timestamp = at, .event_type = "Credentials Used", .account_id = "7"};
        }
    }
    o->rows = n;
    if (c->ask == REPORT_ASK_TEAM)
        give(c, REPORT_TEAM, team, n, &arena);
    else
        give(c, REPORT_VAULT_ACTIVITY, vault, n, &arena);
}

static void answer_syslog(struct collect_rig *rig, struct fake_call *c, struct report_outcome *o)
{
    struct record_arena arena = {.chunks = NULL};
    struct record_syslog *row;

    text_copy(o->digest, sizeof(o->digest), rig->archive);
    if (strcmp(c->known, rig->archive) == 0 || !rig->archive[0])
        return;
    row = record_alloc(&arena, sizeof(*row));
    *row = (struct record_syslog){.timestamp = collect_rig_now(rig) - 5,
                                  .event = "login",
                                  .line = record_text(&arena, rig->archive, strlen(rig->archive))};
    o->rows = 1;
    give(c, REPORT_SYSLOG, row, 1, &arena);
}

static void answer_page(struct collect_rig *rig, struct fake_call *c, struct report_outcome *o)
{
    struct record_arena arena = {.chunks = NULL};
    bool accounts = c->page == REPORT_PAGE_VAULT_ACCOUNT, items = c->page == REPORT_PAGE_REMOTE_RDP;
    unsigned all = accounts ? rig->accounts : items ? rig->items : 0, from = (c->page_number - 1) * BATCH;
    size_t n = all > from ? (all - from < BATCH ? all - from : BATCH) : 0;
    struct record_vault_account *a = record_alloc(&arena, (n + 1) * sizeof(*a));
    struct record_jump_item *j = record_alloc(&arena, (n + 1) * sizeof(*j));

    for (size_t i = 0; i < n; i++) {
        a[i] = (struct record_vault_account){.account_id = (int64_t)(from + i + 1),
                                             .type = "username_password",
                                             .name = "account",
                                             .account_group_id = RECORD_NONE,
                                             .endpoint_id = RECORD_NONE,
                                             .last_checkout = RECORD_NONE};
        char name[32];
        int len = snprintf(name, sizeof(name), "endpoint %zu", (from + i) % 11); /* as of rig_session() */
        j[i] = (struct record_jump_item){.type = "remote-rdp",
                                         .item_id = (int64_t)(from + i + 1),
                                         .name = record_text(&arena, name, (size_t)len),
                                         .jump_group_id = (int64_t)(from + i) % 3,
                                         .jumpoint_id = 1};
    }
    o->last = from + n >= all;
    o->rows = n;
    give(c, accounts ? REPORT_VAULT_ACCOUNTS : REPORT_JUMP_ITEMS, accounts ? (void *)a : (void *)j, n,
         &arena);
}

static void answer_info(struct collect_rig *rig, struct fake_call *c, struct report_outcome *o)
{
    struct report_info info = {.api_version = "1.26", .has_time = !rig->no_time};

    (void)o;
    info.time_ms = rig->clock.wall + rig->skew * 1000;
    for (int i = 0; i < REPORT_NASKS; i++)
        info.grants[i] = REPORT_GRANT_YES;
    info.grants[REPORT_ASK_ATTRIBUTES] = rig->command;
    if (rig->fault[REPORT_ASK_VAULT] == REPORT_DENIED)
        info.grants[REPORT_ASK_VAULT] = REPORT_GRANT_NO;
    c->call->sink->info(c->call, &info);
}

static void answer_attributes(struct collect_rig *rig, struct fake_call *c, struct report_outcome *o)
{
    struct made *m = find_made(rig, c->lsids[0]);

    if (!m || !is_active(rig, m))
        o->end = REPORT_INVALID_LSID;
}

static void (*const answers[REPORT_NASKS])(struct collect_rig *, struct fake_call *,
                                           struct report_outcome *) = {
    [REPORT_ASK_LISTING] = answer_listing, [REPORT_ASK_SESSIONS] = answer_sessions,
    [REPORT_ASK_TEAM] = answer_activity,   [REPORT_ASK_VAULT] = answer_activity,
    [REPORT_ASK_SYSLOG] = answer_syslog,   [REPORT_ASK_PAGE] = answer_page,
    [REPORT_ASK_INFO] = answer_info,       [REPORT_ASK_ATTRIBUTES] = answer_attributes};

/* A fault after nothing; a broken answer keeps what was complete, which here is half of it. */
static bool spoil(struct collect_rig *rig, struct fake_call *c, struct report_outcome *o)
{
    enum report_end fault = rig->fault[c->ask];

    if (fault == REPORT_OK || !rig->faults[c->ask])
        return false;
    if (rig->faults[c->ask] > 0)
        rig->faults[c->ask]--;
    o->end = fault;
    o->status = fault == REPORT_DENIED ? 403 : fault == REPORT_RATE_LIMITED ? 429 : 200;
    o->retry_after_ms = (uint64_t)rig->retry_after_ms;
    o->permission = fault == REPORT_DENIED ? "perm_of_it" : NULL;
    if (c->ask == REPORT_ASK_SESSIONS && fault == REPORT_BROKEN) {
        struct report_outcome part = {.end = REPORT_OK};
        c->n = c->n / 2;
        answer_sessions(rig, c, &part);
    }
    return true;
}

bool collect_rig_answer(struct collect_rig *rig)
{
    struct fake_call *c = rig->calls;
    struct report_outcome o = {.end = REPORT_OK, .status = 200, .took_ms = 10};

    while (c && c->paused)
        c = c->next;
    if (!c)
        return false;
    o.sent_ms = rig->clock.wall - 10;
    o.date_ms = (rig->clock.wall + rig->skew * 1000) / 1000 * 1000;
    if (!spoil(rig, c, &o))
        answers[c->ask](rig, c, &o);
    o.has_date = o.end != REPORT_UNREACHABLE;
    struct report_call *call = c->call;
    take_out(rig, c);
    free(c->lsids);
    free(c);
    call->sink->ended(call, &o);
    return true;
}

/* ---- the writer ---- */

static void submit(struct writer *writer, struct writer_task *task)
{
    struct collect_rig *rig = CONTAINER_OF(writer, struct collect_rig, writer);

    task->outcome = DB_OK;
    task->why = NULL;
    STAILQ_INSERT_TAIL(&rig->queue, task, link);
    rig->state.tasks++;
    rig->state.bytes += task->bytes;
    rig->waiting_max = rig->state.bytes > rig->waiting_max ? rig->state.bytes : rig->waiting_max;
}

static void writer_state_of(const struct writer *writer, struct writer_state *out)
{
    *out = CONTAINER_OF((struct writer *)(uintptr_t)writer, struct collect_rig, writer)->state;
}

static const struct writer_ops writer_ops = {.submit = submit, .state = writer_state_of};

static void finish(struct collect_rig *rig, struct writer_queue *over)
{
    struct writer_task *task;

    while ((task = STAILQ_FIRST(over))) {
        char *why = task->why;
        STAILQ_REMOVE_HEAD(over, link);
        rig->state.tasks--;
        rig->state.bytes -= task->bytes;
        task->done(task, task->outcome, why);
        free(why);
    }
}

bool collect_rig_write(struct collect_rig *rig)
{
    struct writer_queue over = STAILQ_HEAD_INITIALIZER(over);
    char why[WRITER_TEXT_SIZE];

    if (STAILQ_EMPTY(&rig->queue) || (rig->dies_at && rig->transactions >= rig->dies_at))
        return false;
    if (rig->away != DB_OK && rig->state.outcome == rig->away)
        return false;
    rig->transactions++;
    rig->state.outcome =
        rig->away != DB_OK ? rig->away : writer_carry_out(rig->store.store, &rig->queue, &over, why);
    rig->state.why = rig->state.outcome == DB_OK ? NULL : "away";
    finish(rig, &over);
    if (rig->writer.changed)
        rig->writer.changed(&rig->writer, rig->writer.arg);
    return true;
}

/* ---- time ---- */

void collect_rig_settle(struct collect_rig *rig)
{
    bool more = true;

    for (int i = 0; more; i++) {
        assert_true(i < 2000000);
        more = timers_next(rig->timers) == 0;
        (void)timers_run(rig->timers);
        more |= collect_rig_answer(rig);
        while (collect_rig_write(rig))
            more = true;
        if (rig->stepped)
            rig->stepped(rig);
    }
}

void collect_rig_run(struct collect_rig *rig, int64_t seconds)
{
    int64_t end = rig->clock.wall + seconds * 1000;

    collect_rig_settle(rig);
    for (;;) {
        uint64_t next = timers_next(rig->timers);
        if (next == UINT64_MAX || rig->clock.wall + (int64_t)next > end)
            break;
        fake_clock_advance(&rig->clock, next);
        collect_rig_settle(rig);
    }
    if (end > rig->clock.wall)
        fake_clock_advance(&rig->clock, (uint64_t)(end - rig->clock.wall));
    collect_rig_settle(rig);
}

/* ---- sessions ---- */

struct made *collect_rig_add(struct collect_rig *rig, int64_t start, int64_t end)
{
    rig->made = reallocarray(rig->made, rig->nmade + 1, sizeof(*rig->made));
    assert_non_null(rig->made);
    rig->made[rig->nmade] =
        (struct made){.number = (int64_t)rig->nmade + 1, .start = start, .end = end, .variant = 1};
    return &rig->made[rig->nmade++];
}

void collect_rig_month(struct collect_rig *rig, size_t n, int days)
{
    int64_t now = collect_rig_now(rig), span = (int64_t)days * 86400 - 7200;

    for (size_t i = 0; i < n; i++) {
        int64_t start = now - 3600 - (int64_t)i * span / (int64_t)n;
        struct made *m = collect_rig_add(rig, start, start + 60 + (int64_t)(i % 50) * 60);
        m->abnormal = i % 20 == 7;
        m->says_so = i % 40 == 7;
    }
}

static void check_session(struct collect_rig *rig, const struct made *m)
{
    char sql[256], lsid[33];
    const char *state = m->abnormal && m->end <= collect_rig_now(rig) ? "abnormal"
                        : end_of(rig, m) == RECORD_NONE               ? "running"
                                                                      : "closed";

    lsid_of(m, lsid);
    case_label("session %s", lsid);
    (void)snprintf(sql, sizeof(sql), "SELECT \"state\" FROM \"session\" WHERE \"lsid\" = '%s'", lsid);
    assert_string_equal(rig_text(&rig->store, sql), state);
    (void)snprintf(
        sql, sizeof(sql),
        "SELECT count(*) FROM \"session_event\" e JOIN \"session\" s ON s.\"id\" = e.\"session_id\" WHERE "
        "s.\"lsid\" = '%s'",
        lsid);
    assert_int_equal(rig_int(&rig->store, sql), m->says_so && m->end <= collect_rig_now(rig) ? 5 : 4);
    if (end_of(rig, m) == RECORD_NONE)
        return;
    (void)snprintf(sql, sizeof(sql), "SELECT \"end_unix\" FROM \"session\" WHERE \"lsid\" = '%s'", lsid);
    assert_int_equal(rig_int(&rig->store, sql), m->end);
}

void collect_rig_check(struct collect_rig *rig)
{
    size_t expected = 0;

    for (size_t i = 0; i < rig->nmade; i++) {
        if (rig->made[i].start > collect_rig_now(rig) || rig->made[i].gone)
            continue;
        expected++;
        check_session(rig, &rig->made[i]);
    }
    case_label("all sessions");
    assert_int_equal(rig_int(&rig->store, "SELECT count(*) FROM \"session\""), expected);
    assert_int_equal(rig_differences(&rig->store), 0);
    case_label("%s", "");
}

const struct collect_site_state *collect_rig_site(struct collect_rig *rig)
{
    const struct collect_state *state = collect_state(rig->collector);

    assert_non_null(state);
    assert_int_equal(state->nsites, 1);
    return &state->sites[0];
}

const char *collect_rig_word(struct collect_rig *rig)
{
    static char text[256];
    const struct collect_site_state *site = collect_rig_site(rig);

    (void)snprintf(text, sizeof(text), "%s%s%s", collect_word_name(site->word), site->reason ? " " : "",
                   site->reason ? site->reason : "");
    return text;
}

/* ---- life ---- */

void collect_rig_init(struct collect_rig *rig)
{
    *rig = (struct collect_rig){.base = {.ops = &ops, .host_name = RIG_HOST}, .command = REPORT_GRANT_YES};
    json_init();
    assert_int_equal(log_open(&(struct log_opts){.level = LOG_ERROR, .file = "-"}), 0);
    rig_make(&rig->store);
    fake_clock_init(&rig->clock);
    rig->clock.wall = (RIG_T0 + 100 * 86400LL) * 1000;
    rig->timers = timers_new(&rig->clock.clock);
    assert_non_null(rig->timers);
    STAILQ_INIT(&rig->queue);
    rig->writer.ops = &writer_ops;
    rig->site = (struct collect_site_params){.name = RIG_NAME,
                                             .host_name = RIG_HOST,
                                             .enabled = true,
                                             .fetch = COLLECT_FETCH_SESSIONS,
                                             .batch = 100,
                                             .site = &rig->base,
                                             .time_zone = "UTC",
                                             .working_hours = "mon-fri 07:00-19:00"};
    rig->params = (struct collect_params){
        .settings = {.backfill = 30 * 86400,
                     .keep = 400 * 86400,
                     .keep_syslog = 90 * 86400,
                     .poll_interval = 60,
                     .running_interval = 60,
                     .inventory_interval = 900,
                     .syslog_interval = 1800,
                     .overlap = 900,
                     .sweep = 7 * 86400,
                     .recheck = {1800, 86400},
                     .nrecheck = 2,
                     .running_max = 86400,
                     .abnormal_after = 600},
        .sites = &rig->site,
        .nsites = 1,
        .gateways = &rig->gateway,
        .since = RECORD_NONE,
        .until = RECORD_NONE,
        .timers = rig->timers,
        .writer = &rig->writer,
    };
}

static void on_finished(void *arg)
{
    ((struct collect_rig *)arg)->finished = true;
}

static void on_stopped(void *arg)
{
    ((struct collect_rig *)arg)->stopped = true;
}

void collect_rig_start(struct collect_rig *rig)
{
    char why[256];

    rig->finished = rig->stopped = false;
    rig->transactions = 0;
    rig->state = (struct writer_state){.outcome = DB_OK};
    if (!rig->store.store && !rig_open(&rig->store, true))
        fail_msg("%s", rig->store.error.text);
    rig->collector = collect_new(&rig->params, why);
    if (!rig->collector)
        fail_msg("%s", why);
    assert_int_equal(collect_start(rig->collector, on_finished, rig), 0);
}

void collect_rig_stop(struct collect_rig *rig)
{
    collect_stop(rig->collector, on_stopped, rig);
    assert_null(rig->calls);
    while (collect_rig_write(rig))
        ;
    assert_true(rig->stopped);
    collect_free(rig->collector);
    rig->collector = NULL;
    assert_int_equal(timers_count(rig->timers), 0);
    assert_int_equal(rig->state.bytes, 0);
}

void collect_rig_crash(struct collect_rig *rig)
{
    struct writer_queue over = STAILQ_HEAD_INITIALIZER(over);

    collect_stop(rig->collector, on_stopped, rig);
    do {
        struct writer_task *task;
        STAILQ_CONCAT(&over, &rig->queue);
        STAILQ_FOREACH(task, &over, link)
        task->outcome = DB_INTERRUPTED;
        finish(rig, &over);
    } while (!STAILQ_EMPTY(&rig->queue));
    assert_true(rig->stopped);
    collect_free(rig->collector);
    rig->collector = NULL;
    rig_close(&rig->store);
    rig->dies_at = 0;
    rig->away = DB_OK;
}

void collect_rig_end(struct collect_rig *rig)
{
    if (rig->collector)
        collect_rig_crash(rig);
    timers_free(rig->timers);
    rig_remove(&rig->store);
    free(rig->made);
}
