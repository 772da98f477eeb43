/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_stand_ps.c - Password Safe against passwordsafe-sim, as a stand of vault_contract.h.
 */
#include "vault_stand_live.h"

#include "backends/password_safe/password_safe.h"
#include "check.h"

#include <string.h>

#define API_KEY "K1example0key"
#define MARIA   "ACME\\mrivera"
#define JOHN    "ACME\\jdoe"

static void open_stand(struct contract_stand *stand)
{
    struct live_stand *s = (struct live_stand *)stand;
    char why[256] = "";

    live_stand_open(s, PASSWORDSAFE_SIM, API_KEY);
    (void)snprintf(s->url, sizeof s->url, "http://%s/BeyondTrust/api/public/v3", s->sim.api);
    (void)snprintf(s->vault_conf.name, sizeof s->vault_conf.name, "safe");
    s->vault_conf.api_key_file = s->password_path;
    stand->vault = password_safe_new(s->loop, &s->vault_conf, why);
    if (!stand->vault)
        fail_msg("password_safe_new: %s", why);
}

static bool meet(struct contract_stand *stand, enum contract_op op, enum contract_fault fault)
{
    static const char *const calls[CONTRACT_NOPS] = {
        [CONTRACT_FIND] = "GET ManagedAccounts",  [CONTRACT_CHECKOUT] = "POST Requests",
        [CONTRACT_READ] = "GET Credentials/{id}", [CONTRACT_CHECKIN] = "PUT Requests/{id}/Checkin",
        [CONTRACT_REQUESTS] = "GET Requests",
    };

    return live_stand_meet((struct live_stand *)stand, calls[op], fault);
}

static unsigned live(struct contract_stand *stand)
{
    return live_stand_count((struct live_stand *)stand, "/state?finished=0",
                            "\"user\":\"ACME\\\\mrivera\",\"system\":17");
}

static void on_taken(struct vault_call *call)
{
    assert_int_equal(call->result, VAULT_OK);
    vault_call_free(call);
    call->done = NULL;
}

static void take(struct contract_stand *stand)
{
    static struct vault_call call;
    const struct checkout_want want = {.account_key = stand->good, .minutes = 30, .reason = "a person's"};

    call = (struct vault_call){.user = JOHN, .timeout_ms = SECONDS(60), .done = on_taken};
    assert_int_equal(stand->vault->ops->checkout(stand->vault, &want, &call), 0);
    while (call.done)
        live_stand_turn(stand);
}

static bool is_taken(struct contract_stand *stand)
{
    return live_stand_count((struct live_stand *)stand, "/state?finished=0",
                            "\"user\":\"ACME\\\\jdoe\",\"system\":17") == 1;
}

static const char *deny(struct contract_stand *stand)
{
    (void)stand;
    return "l.17.204.0";
}

static const char *refuse(struct contract_stand *stand)
{
    (void)stand;
    return "ACME\\outsider";
}

static void reload(struct contract_stand *stand)
{
    struct live_stand *s = (struct live_stand *)stand;
    char why[256] = "";
    struct password_safe_next *next = password_safe_prepare(&s->vault_conf, why);

    if (!next)
        fail_msg("password_safe_prepare: %s", why);
    password_safe_reload(stand->vault, next);
}

struct live_stand *password_safe_stand(void)
{
    static const char *const args[] = {"--fixture", "worked", "--api-key", API_KEY, NULL};
    static struct live_stand s;

    s = (struct live_stand){.args = args, .failed_did = "status_after", .close_vault = password_safe_close};
    s.stand = (struct contract_stand){
        .name = "Password Safe",
        .user = MARIA,
        .system = "ledger01",
        .good = "l.17.203.0",
        .secret = "Tr0ut\\lamp\"42&co",
        .absent = "l.17.99999.0",
        .may_run_out = true,
        .open = open_stand,
        .close = live_stand_close,
        .turn = live_stand_turn,
        .meet = meet,
        .live = live,
        .take = take,
        .is_taken = is_taken,
        .deny = deny,
        .refuse = refuse,
        .go_away = live_stand_go_away,
        .reload = reload,
        .shut = live_stand_shut,
        .is_shut = live_stand_is_shut,
    };
    return &s;
}
