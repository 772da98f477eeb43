/* SPDX-License-Identifier: Apache-2.0 */
/* broker_rig.c - see the header. */
#include "broker_rig.h"

#include "secrets_gone.h"

#include "base/text.h"
#include "broker/identity/credential_id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct fake_kind *world_kind;

void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    fake_clock_init(&w->clock);
    w->timers = timers_new(&w->clock.clock);
    assert_non_null(w->timers);
    fake_vault_init(&w->vault, &w->clock.clock);
    if (world_kind)
        fake_vault_set_kind(&w->vault, world_kind);
    credential_id_write(w->credential, "main",
                        &fake_vault_add(&w->vault, 1, 11, "srv01", "root", "s3\"cret")->row);
    w->conf.gateway.release_duration_ms = MINUTES(60);
    w->conf.gateway.request_timeout_ms = SECONDS(15);
    w->conf.gateway.list_cache_ms = 0;
    w->conf.gateway.catalogue_cache_ms = MINUTES(1);
    w->vault.conf.reason = (char *)(uintptr_t) "asked by {user}";
}

/* ---- an audit trail ---- */

static int sink_put(struct audit_sink *sink, const char *members, size_t n, unsigned flags,
                    struct audit_wait *wait)
{
    struct fake_sink *s = (struct fake_sink *)sink; /* the first member */

    (void)flags;
    assert_true(n > 0 && members[0] == '"');
    if (wait && s->mood == SINK_BUSY)
        return -EBUSY;
    s->records++;
    if (s->text)
        assert_int_equal(buf_printf(s->text, "%.*s\n", (int)n, members), 0);
    if (!wait)
        return 0;
    assert_true(s->nwaits < sizeof s->wait / sizeof s->wait[0]);
    wait->entry = s;
    s->wait[s->nwaits++] = wait;
    return 0;
}

static void sink_forget(struct audit_sink *sink, struct audit_wait *wait)
{
    struct fake_sink *s = (struct fake_sink *)sink;

    for (size_t i = 0; wait->entry && i < s->nwaits; i++)
        if (s->wait[i] == wait)
            s->wait[i] = s->wait[--s->nwaits];
    wait->entry = NULL;
}

static void sink_state(struct audit_sink *sink, struct audit_state *state)
{
    const struct fake_sink *s = (struct fake_sink *)sink;

    *state =
        (struct audit_state){.writable = !s->down, .taken = s->records, .settled = s->late ? 0 : s->records};
}

void world_add_audit(struct world *w, enum conf_audit_policy policy)
{
    static const struct audit_sink_ops ops = {sink_put, sink_forget, sink_state};

    w->sink.sink.ops = &ops;
    w->audit = audit_new(&(struct audit_opts){.sink = &w->sink.sink, .timers = w->timers, .policy = policy});
    assert_non_null(w->audit);
}

bool world_answer_record(struct world *w)
{
    struct fake_sink *s = &w->sink;

    if (!s->nwaits || s->mood == SINK_STUCK)
        return false;
    struct audit_wait *wait = s->wait[--s->nwaits];

    wait->entry = NULL;
    s->durable += s->mood == SINK_FINE;
    wait->done(wait, s->mood == SINK_FINE ? 0 : -EIO);
    return true;
}

bool world_try_start(struct world *w)
{
    struct vault *vaults[] = {&w->vault.vault};

    w->broker = broker_new(&(struct broker_opts){.timers = w->timers,
                                                 .conf = &w->conf,
                                                 .vaults = vaults,
                                                 .nvaults = 1,
                                                 .audit = w->audit,
                                                 .store = w->store ? &w->store->store : NULL});
    return w->broker != NULL;
}

void world_start(struct world *w)
{
    assert_true(world_try_start(w));
}

void world_start_plain(struct world *w)
{
    world_init(w);
    world_start(w);
}

void world_start_stored(struct world *w)
{
    world_init(w);
    w->conf.gateway.reconcile_every_ms = MINUTES(10);
    w->conf.gateway.reconcile_per_s = 10;
    world_add_store(w);
    world_start(w);
}

void world_set_key_account(struct world *w)
{
    w->vault.accounts[0].password = NULL;
    w->vault.accounts[0].key = "-----BEGIN KEY-----\r\nabc";
    w->vault.accounts[0].passphrase = "pp";
}

void world_add_account(struct world *w, char credential[CREDENTIAL_ID_SIZE])
{
    credential_id_write(credential, "main", &fake_vault_add(&w->vault, 1, 12, "srv01", "admin", "x")->row);
}

void world_set_two_candidates(struct world *w)
{
    static char one[] = "{domain}\\{username}", two[] = "{username}";
    static char *both[] = {one, two};

    w->vault.conf.run_as = (struct conf_list){.item = both, .n = 2};
    w->vault.refuse_user = "CORP\\alice";
}

void world_add_store(struct world *w)
{
    w->store = malloc(sizeof *w->store);
    assert_non_null(w->store);
    fake_store_init(w->store, &w->clock.clock);
}

void world_kill(struct world *w, unsigned carried_out, size_t durable)
{
    unsigned cancelled = w->vault.cancelled_writes;

    fake_vault_crash(&w->vault, carried_out);
    broker_free(w->broker);
    w->vault.cancelled_writes = cancelled;
    if (w->store)
        fake_store_crash(w->store, durable);
    assert_int_equal(timers_count(w->timers), 0);
}

void world_crash(struct world *w, unsigned carried_out, size_t durable)
{
    world_kill(w, carried_out, durable);
    world_start(w);
}

void world_end(struct world *w)
{
    broker_free(w->broker);
    audit_free(w->audit);
    assert_int_equal(w->sink.nwaits, 0);
    assert_int_equal(fake_vault_pending(&w->vault), 0);
    assert_int_equal(timers_count(w->timers), 0);
    timers_free(w->timers);
    if (w->store) {
        assert_int_equal(w->store->otherwise, 0); /* what the broker says is what the store has */
        fake_store_free(w->store);
    }
    free(w->store);
    fake_vault_free(&w->vault);
    assert_secrets_gone();
}

struct session person_session(const char *user, const char *session_id)
{
    return (struct session){.id = session_id, .username = user, .hostname = "srv01", .name = "Server 1"};
}

struct checkout_args checkout_args_for(const struct world *w, const char *user, const char *session_id)
{
    return (struct checkout_args){.by = {person_session(user, session_id), SECONDS(15)},
                                  .credential_id = w->credential};
}

static void keep(char *to, size_t size, const struct secret *s)
{
    if (s)
        (void)text_copy_n(to, size, s->p, s->len);
}

static void on_checkout(void *arg, const struct checkout_answer *a)
{
    struct caller *c = arg;

    c->op = NULL;
    c->replies++;
    if (a->fault) {
        assert_true(fault_is_set(a->fault));
        assert_null(a->password);
        assert_null(a->private_key);
        c->code = a->fault->code;
        c->kept_id = a->fault->vault_request_id;
        c->retry_after_s = a->fault->retry_after_s;
        (void)text_copy(c->detail, sizeof c->detail, a->fault->detail);
        return;
    }
    c->ssh_key = a->ssh_key;
    c->adopted = a->adopted;
    c->request_id = a->request_id;
    c->expires_wall_ms = a->expires_wall_ms;
    (void)text_copy(c->lease_id, sizeof c->lease_id, a->lease_id);
    (void)text_copy(c->username, sizeof c->username, a->username);
    keep(c->secret, sizeof c->secret, a->ssh_key ? a->private_key : a->password);
    keep(c->passphrase, sizeof c->passphrase, a->passphrase);
}

void start_checkout_with(struct world *w, const struct checkout_args *args, struct caller *c)
{
    memset(c, 0, sizeof *c);
    c->op = broker_checkout(w->broker, args, on_checkout, c);
    assert_non_null(c->op);
    assert_int_equal(c->replies, 0);
}

void start_checkout_of(struct world *w, const char *user, const char *session_id, const char *credential,
                       struct caller *c)
{
    struct checkout_args args = checkout_args_for(w, user, session_id);

    args.credential_id = credential;
    start_checkout_with(w, &args, c);
}

void start_checkout(struct world *w, const char *user, const char *session_id, struct caller *c)
{
    start_checkout_of(w, user, session_id, w->credential, c);
}

void assert_checkout_ok(const struct caller *c)
{
    assert_int_equal(c->replies, 1);
    if (c->code != FAULT_NONE)
        fail_msg("fault %d: %s", (int)c->code, c->detail);
}

enum fault_code finish_checkout_with(struct world *w, const struct checkout_args *args, struct caller *c)
{
    start_checkout_with(w, args, c);
    world_settle(w);
    assert_int_equal(c->replies, 1);
    return c->code;
}

enum fault_code finish_checkout(struct world *w, const char *user, const char *session_id, struct caller *c)
{
    struct checkout_args args = checkout_args_for(w, user, session_id);

    return finish_checkout_with(w, &args, c);
}

void checkout_ok(struct world *w, const char *user, const char *session_id, struct caller *c)
{
    (void)finish_checkout(w, user, session_id, c);
    assert_checkout_ok(c);
}

void world_start_leased(struct world *w, struct caller *c)
{
    world_start_plain(w);
    checkout_ok(w, "alice", "s1", c);
}

void world_start_stored_leased(struct world *w, struct caller *c)
{
    world_start_stored(w);
    checkout_ok(w, "alice", "s1", c);
}

void cancel_checkout(struct caller *c)
{
    if (c->op)
        broker_leave(c->op);
    c->op = NULL;
}

static void on_release(void *arg, const struct release_answer *a)
{
    struct released *r = arg;

    r->op = NULL;
    r->replies++;
    r->code = a->fault ? a->fault->code : FAULT_NONE;
    r->released = a->released;
    r->remaining = a->remaining_holders;
    r->pending = a->pending;
}

void start_release(struct world *w, const char *user, const char *session_id, const char *credential,
                   struct released *r)
{
    struct release_args args = {.by = {person_session(user, session_id), SECONDS(15)},
                                .credential_id = credential};

    memset(r, 0, sizeof *r);
    r->op = broker_release(w->broker, &args, on_release, r);
    assert_non_null(r->op);
    assert_int_equal(r->replies, 0);
}

void finish_release(struct world *w, const char *user, const char *session_id, const char *credential,
                    struct released *r)
{
    start_release(w, user, session_id, credential, r);
    world_settle(w);
    assert_int_equal(r->replies, 1);
}

static enum fake_fault broken(void *arg, enum fake_op op, unsigned nth)
{
    const struct world *w = arg;

    (void)nth;
    return op == w->broken_op ? w->broken_how : FAKE_FINE;
}

void world_set_fault(struct world *w, enum fake_op op, enum fake_fault how)
{
    w->broken_op = op;
    w->broken_how = how;
    w->vault.plan = broken;
    w->vault.plan_arg = w;
}

size_t world_find_call(const struct world *w, enum fake_op op, size_t nth)
{
    for (size_t i = 0; i < fake_vault_pending(&w->vault); i++)
        if (fake_vault_pending_op(&w->vault, i) == op && nth-- == 0)
            return i;
    fail_msg("no such call is waiting");
    return 0;
}

void world_deliver(struct world *w, enum fake_op op, size_t nth)
{
    fake_vault_deliver(&w->vault, world_find_call(w, op, nth));
    world_iterate(w);
}

unsigned world_checkins(const struct world *w)
{
    unsigned n = 0;

    for (size_t i = 0; i < w->vault.nrequests; i++)
        n += w->vault.requests[i].checkins;
    return n;
}

void world_iterate(struct world *w)
{
    for (int i = 0; i < 100 && timers_next(w->timers) == 0; i++)
        (void)timers_run(w->timers);
    assert_int_not_equal(timers_next(w->timers), 0); /* else something turns for ever */
}

void world_settle(struct world *w)
{
    int rounds = 0;

    do {
        world_iterate(w);
        assert_true(++rounds < 1000);
    } while ((w->store && fake_store_commit(w->store)) || world_answer_record(w) ||
             fake_vault_step(&w->vault));
}

void world_advance(struct world *w, uint64_t ms)
{
    uint64_t end = w->clock.now + ms;

    for (;;) {
        world_settle(w);
        uint64_t next = timers_next(w->timers);

        if (next == UINT64_MAX || w->clock.now + next > end)
            break;
        fake_clock_advance(&w->clock, next);
    }
    fake_clock_advance(&w->clock, end - w->clock.now);
    world_settle(w);
}

void world_run_until(struct world *w, enum fake_op op)
{
    for (int i = 0; i < 100; i++) {
        world_iterate(w);
        while (w->store && fake_store_commit(w->store))
            world_iterate(w);
        assert_true(fake_vault_pending(&w->vault) > 0);
        if (fake_vault_pending_op(&w->vault, 0) == op)
            return;
        (void)fake_vault_step(&w->vault);
    }
    fail_msg("the awaited vault call never came");
}

struct broker_state world_state(const struct world *w)
{
    struct broker_state state;

    broker_state(w->broker, &state);
    return state;
}
