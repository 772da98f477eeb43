/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_vault_contract.c - the contract of a vault, asked of every kind of the fake one, of Password Safe and
 * of Privileged Identity against their simulators. The linker puts the functions below between the code and
 * the allocator.
 */
#include "check.h"
#include "fake_clock.h"
#include "fake_vault.h"
#include "vault_stand_live.h"

#include "base/json.h"
#include "base/log.h"
#include "loop/upstream/upstream.h"

#include <stdlib.h>
#include <string.h>

long contract_fails_at = -1;

#define WRAP(type, name, params, args)                                                                       \
    type __real_##name params;                                                                               \
    type __wrap_##name params;                                                                               \
    type __wrap_##name params                                                                                \
    {                                                                                                        \
        return contract_fails_at >= 0 && contract_fails_at-- == 0 ? NULL : __real_##name args;               \
    }
WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *old, size_t n), (old, n))
WRAP(void *, reallocarray, (void *old, size_t n, size_t size), (old, n, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t n), (text, n))

/* ---- the fake one ---- */

#define SECRET "geheim+9 o/o"

struct fake_stand {
    struct contract_stand stand; /* first */
    struct fake_clock clock;
    struct fake_vault fake;
    const struct fake_kind *kind; /* NULL = as Password Safe */
    enum fake_op op;
    enum fake_fault fault;
    bool is_away;
};

static enum fake_fault plan(void *arg, enum fake_op op, unsigned nth)
{
    const struct fake_stand *s = arg;

    (void)nth;
    return s->is_away ? FAKE_UNREACHABLE : op == s->op ? s->fault : FAKE_FINE;
}

static void fake_open(struct contract_stand *stand)
{
    struct fake_stand *s = (struct fake_stand *)stand;
    struct fake_vault *fv = &s->fake;

    fake_clock_init(&s->clock);
    fake_vault_init(fv, &s->clock.clock);
    if (s->kind)
        fake_vault_set_kind(fv, s->kind);
    (void)fake_vault_add(fv, 1, 11, "web01", "root", SECRET);
    fake_vault_add(fv, 1, 12, "web01", "admin", SECRET)->user = "CORP\\zoe";
    fv->plan = plan;
    fv->plan_arg = s;
    fv->in_line = true;
    s->fault = FAKE_FINE;
    s->is_away = false;
    stand->vault = &fv->vault;
    stand->user = fv->vault.can.per_user ? "CORP\\ann" : FAKE_PRINCIPAL;
}

static void fake_close(struct contract_stand *stand)
{
    struct fake_stand *s = (struct fake_stand *)stand;

    assert_int_equal(fake_vault_pending(&s->fake), 0);
    fake_vault_free(&s->fake);
}

/* The vault does what the oldest call wants, or answers it. */
static void fake_turn(struct contract_stand *stand)
{
    struct fake_vault *fv = &((struct fake_stand *)stand)->fake;
    const struct fake_call *oldest = TAILQ_FIRST(&fv->calls);

    if (oldest && !oldest->committed)
        fake_vault_commit(fv, 0);
    else if (oldest)
        fake_vault_deliver(fv, 0);
}

static bool fake_meet(struct contract_stand *stand, enum contract_op op, enum contract_fault fault)
{
    struct fake_stand *s = (struct fake_stand *)stand;
    const bool judges = !s->fake.vault.can.per_user;

    switch (fault) {
    case CONTRACT_FINE: s->fault = FAKE_FINE; break;
    case CONTRACT_LOST_DID: s->fault = FAKE_LOST_DID; break;
    case CONTRACT_LOST_DID_NOT: s->fault = FAKE_LOST_DID_NOT; break;
    default: return false;
    }
    switch (op) {
    case CONTRACT_FIND: s->op = judges ? FAKE_ENTITLED : FAKE_LIST; break;
    case CONTRACT_CHECKOUT: s->op = FAKE_REQUEST; break;
    case CONTRACT_READ: s->op = FAKE_CREDENTIAL; break;
    case CONTRACT_CHECKIN: s->op = FAKE_CHECKIN; break;
    case CONTRACT_AFTER: s->op = FAKE_SPIN; break;
    default: s->op = FAKE_REQUESTS; break;
    }
    return true;
}

static unsigned fake_held(struct contract_stand *stand, const char *user)
{
    struct fake_vault *fv = &((struct fake_stand *)stand)->fake;
    unsigned n = 0;

    (void)fake_vault_live(fv);
    for (size_t i = 0; i < fv->nrequests; i++)
        n += fv->requests[i].live && strcmp(fv->requests[i].user, user) == 0;
    return n;
}

static unsigned fake_live(struct contract_stand *stand)
{
    return fake_held(stand, stand->user);
}

static void fake_take(struct contract_stand *stand)
{
    (void)fake_vault_seed(&((struct fake_stand *)stand)->fake, "a person", 1, 11, 60, "mine");
}

static bool fake_is_taken(struct contract_stand *stand)
{
    return fake_held(stand, "a person") == 1;
}

static const char *fake_deny(struct contract_stand *stand)
{
    return stand->vault->can.per_user ? "l.1.12.0" : NULL;
}

static const char *fake_refuse(struct contract_stand *stand)
{
    return ((struct fake_stand *)stand)->fake.refuse_user = stand->user;
}

static void fake_go_away(struct contract_stand *stand)
{
    ((struct fake_stand *)stand)->is_away = true;
}

static void ask_fake(const struct fake_kind *kind)
{
    static const char *here = "web01", *elsewhere = "db7";
    static struct fake_stand s;

    s.kind = kind;
    s.stand = (struct contract_stand){
        .name = kind ? kind->name : "the fake vault",
        .system = "web01",
        .good = "l.1.11.0",
        .secret = SECRET,
        .absent = "l.9.99.0",
        .session = {.username = "ann", .domain = "CORP", .forms = &here, .nforms = 1},
        .stranger = {.username = "ann", .domain = "CORP", .forms = &elsewhere, .nforms = 1},
        .open = fake_open,
        .close = fake_close,
        .turn = fake_turn,
        .meet = fake_meet,
        .live = fake_live,
        .take = kind && !kind->can.keys_are_unique ? fake_take : NULL,
        .is_taken = fake_is_taken,
        .deny = fake_deny,
        .refuse = fake_refuse,
        .go_away = fake_go_away,
    };
    vault_contract(&s.stand);
}

/* ---- all of them ---- */

TEST(the_fake_vault_of_every_kind_keeps_it)
{
    ask_fake(NULL);
    for (size_t k = 0; k < fake_nkinds; k++)
        ask_fake(&fake_kinds[k]);
}

#ifdef PASSWORDSAFE_SIM
TEST(password_safe_keeps_it)
{
    vault_contract(&password_safe_stand()->stand);
}

TEST(privileged_identity_keeps_it)
{
    vault_contract(&privileged_identity_stand(true)->stand);
}

TEST(so_it_does_where_a_checkout_is_not_repeated)
{
    vault_contract(&privileged_identity_stand(false)->stand);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_vault_of_every_kind_keeps_it),
#ifdef PASSWORDSAFE_SIM
        cmocka_unit_test(password_safe_keeps_it),
        cmocka_unit_test(privileged_identity_keeps_it),
        cmocka_unit_test(so_it_does_where_a_checkout_is_not_repeated),
#endif
    };

    json_init();
    if (upstream_global_init())
        return 1;
    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "-"});
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    upstream_global_cleanup();
    return failed;
}
