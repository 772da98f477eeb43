/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_stand_pi.c - Privileged Identity against pi-sim, as a stand of vault_contract.h.
 */
#include "vault_stand_live.h"

#include "backends/privileged_identity/internal.h"
#include "check.h"

#include <string.h>

#define PASSWORD      "Wheel+of/fortune=9"
#define SECRET        "Spr1ng-in-9-words"
#define TEXT(literal) ((char *)(uintptr_t)(literal))
#define NAMES(which)  "\"list\":\"Domain admins\",\"system\":\"corp.test\",\"account\":\"" which "\""

#define ROWS                                                                                                 \
    "[list_shared]\npath = AccountStoreOps_SharedCredential_List\n"                                          \
    "body = {\"AuthenticationToken\":\"{token}\",\"SharedCredentialListName\":\"{list}\"}\n"                 \
    "[spin_shared]\npath = AccountStoreOps_SharedCredential_Spin\n"                                          \
    "body = {\"AuthenticationToken\":\"{token}\",\"Comment\":\"{comment}\",\"SharedCredentialIdentifier\":"  \
    "{\"AccountName\":\"{account}\",\"SharedCredentialListName\":\"{list}\",\"SystemName\":\"{system}\"}}\n"

enum { GOOD, ABSENT, DENIED, NACCESSES };

static char *users[] = {TEXT("ann")};
static char *hosts[] = {TEXT("*")};
static struct conf_access access_of[NACCESSES];

static void conf_init(struct live_stand *s)
{
    static const char *const shared[NACCESSES] = {[GOOD] = "adm1", [ABSENT] = "nosuch", [DENIED] = "adm2"};
    struct conf_vault *v = &s->vault_conf;

    for (int i = 0; i < NACCESSES; i++) {
        access_of[i] =
            (struct conf_access){.users = {.item = users, .n = 1}, .hosts = {.item = hosts, .n = 1}};
        (void)snprintf(access_of[i].name, sizeof access_of[i].name, "a%d", i);
        access_of[i].shared_list = TEXT("Domain admins");
        access_of[i].shared_system = TEXT("corp.test");
        access_of[i].shared_account = TEXT(shared[i]);
    }
    (void)snprintf(s->url, sizeof s->url, "http://%s", s->sim.api);
    (void)snprintf(v->name, sizeof v->name, "erpm");
    v->type = TEXT("privileged_identity");
    v->base_path = TEXT("/ERPMWebService");
    v->profile = TEXT("json-v2");
    v->login_name = TEXT("svc-gateway");
    v->login_password_file = s->password_path;
    v->profile_file = s->profile_path;
    v->provisional = PROVISIONAL_GUESSED;
    v->max_answer = 1 << 16;
    v->settle_ms = SECONDS(30);
    v->spin = SPIN_ALL;
    s->conf.accesses = access_of;
    s->conf.naccesses = NACCESSES;
}

static void open_stand(struct contract_stand *stand)
{
    struct live_stand *s = (struct live_stand *)stand;
    char why[256] = "";

    live_stand_open(s, PI_SIM, PASSWORD);
    live_sim_file(s->profile_path, ROWS);
    conf_init(s);
    s->vault_conf.repeat_checkout = !s->args[4];
    (void)live_sim_admin(&s->sim, "/credentials", "{" NAMES("adm1") ",\"password\":\"" SECRET "\"}");
    (void)live_sim_admin(&s->sim, "/credentials", "{" NAMES("adm2") ",\"may\":[\"svc-other\"]}");
    stand->vault = privileged_identity_new(s->loop, &s->conf, &s->vault_conf, why);
    if (!stand->vault)
        fail_msg("privileged_identity_new: %s", why);
    for (size_t i = 0; i < NACCESSES; i++)
        (void)snprintf(s->key[i], sizeof s->key[i], "%s", pi_access_at(pi_of(stand->vault)->access, i)->key);
}

static bool meet(struct contract_stand *stand, enum contract_op op, enum contract_fault fault)
{
    static const char *const calls[CONTRACT_NOPS] = {
        [CONTRACT_FIND] = "list_shared",     [CONTRACT_CHECKOUT] = "checkout_shared",
        [CONTRACT_READ] = "checkout_shared", [CONTRACT_CHECKIN] = "checkin_shared",
        [CONTRACT_AFTER] = "spin_shared",
    };

    return live_stand_meet((struct live_stand *)stand, calls[op], fault);
}

static unsigned live(struct contract_stand *stand)
{
    return live_stand_count((struct live_stand *)stand, "/checkouts?live=1", "svc-gateway");
}

static void take(struct contract_stand *stand)
{
    (void)live_sim_admin(&((struct live_stand *)stand)->sim, "/checkouts",
                         "{" NAMES("adm1") ",\"who\":\"CORP\\\\bob\"}");
}

static bool is_taken(struct contract_stand *stand)
{
    return live_stand_count((struct live_stand *)stand, "/checkouts?live=1", "CORP\\\\bob") == 1;
}

static const char *deny(struct contract_stand *stand)
{
    struct live_stand *s = (struct live_stand *)stand;

    (void)live_sim_admin(&s->sim, "/identities", "{\"name\":\"svc-gateway\",\"all_access\":false}");
    return s->key[DENIED];
}

static const char *refuse(struct contract_stand *stand)
{
    (void)live_sim_admin(&((struct live_stand *)stand)->sim, "/identities",
                         "{\"name\":\"svc-gateway\",\"password\":\"another\"}");
    return stand->user;
}

static void reload(struct contract_stand *stand)
{
    struct live_stand *s = (struct live_stand *)stand;
    char why[256] = "";
    struct privileged_identity_next *next = privileged_identity_prepare(&s->conf, &s->vault_conf, why);

    if (!next)
        fail_msg("privileged_identity_prepare: %s", why);
    privileged_identity_reload(stand->vault, next);
}

struct live_stand *privileged_identity_stand(bool repeats)
{
    static const char *const args[] = {"--knob", "spin_rows=served", "--knob", "list_rows=served", NULL};
    static const char *const once[] = {"--knob", "spin_rows=served",        "--knob", "list_rows=served",
                                       "--knob", "repeat_checkout=refused", NULL};
    static const char *form = "web01";
    static struct live_stand s;

    s = (struct live_stand){
        .args = repeats ? args : once, .failed_did = "fault_after", .close_vault = privileged_identity_close};
    s.stand = (struct contract_stand){
        .name = repeats ? "Privileged Identity" : "Privileged Identity without repeat_checkout",
        .user = "svc-gateway",
        .system = "corp.test",
        .good = s.key[GOOD],
        .secret = SECRET,
        .absent = s.key[ABSENT],
        .session = {.username = "ann", .domain = "", .forms = &form, .nforms = 1},
        .stranger = {.username = "zoe", .domain = "", .forms = &form, .nforms = 1},
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
