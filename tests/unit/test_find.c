/* SPDX-License-Identifier: Apache-2.0 */
/* The find operation: what is asked, as whom, what the answer holds, and every way to end it. */
#include "check.h"

#include "broker/find/explain.h"
#include "broker/find/partial_answers.h"
#include "find_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client {
    unsigned answers;
    struct fault fault;
    size_t n;
    char shown[24][96];
    char id[24][CREDENTIAL_ID_SIZE];
    bool asked[24];
    struct vault_policy policy[24];
    uint64_t age_ms;
    char partial[64]; /* the names of missing vaults, each with a blank behind it */
};

static const struct session web = {.username = "bob", .hostname = "web01", .method = METHOD_SHELL};

static void on_found(void *arg, const struct find_answer *answer)
{
    struct client *client = arg;

    client->answers++;
    client->fault = answer->fault ? *answer->fault : (struct fault){0};
    client->n = answer->n;
    client->age_ms = answer->age_ms;
    client->partial[0] = '\0';
    for (size_t i = 0, used = 0; i < answer->npartial; i++)
        used += (size_t)snprintf(client->partial + used, sizeof(client->partial) - used, "%s ",
                                 answer->partial[i]);
    for (size_t i = 0; i < answer->n && i < 24; i++) {
        const struct credential *row = &answer->credentials[i];
        assert_string_equal(row->secret_type, "unknown");
        (void)snprintf(client->shown[i], sizeof(client->shown[i]), "%s", row->display_value);
        memcpy(client->id[i], row->credential_id, sizeof(client->id[i]));
        client->asked[i] = row->policy_asked;
        client->policy[i] = row->policy;
    }
}

static struct op *begin(struct rig *rig, struct client *client, const struct session *session)
{
    struct asked_by args = {.session = *session, .timeout_ms = SECONDS(5)};
    struct op *op;

    memset(client, 0, sizeof(*client));
    op = broker_find(&rig->broker, &args, on_found, client);
    assert_non_null(op);
    assert_int_equal(client->answers, 0);
    return op;
}

static void find(struct rig *rig, struct client *client, const struct session *session)
{
    (void)begin(rig, client, session);
    rig_settle(rig);
    assert_int_equal(client->answers, 1);
}

static size_t names_among(size_t n, const char *const *values)
{
    size_t names = 0;

    for (size_t i = 0; i < n; i++)
        names += values[i][0] != '@';
    return names;
}

/*
 * The values asked for, in order, each with local, domain-linked and database; then the names among them for
 * cloud. "@" before an address.
 */
static void assert_asked(const struct rig *rig, size_t n, const char *const *values)
{
    static const enum account_kind kinds[] = {KIND_LOCAL, KIND_DOMAIN_LINKED, KIND_DATABASE};
    size_t at = n * 3;

    assert_int_equal(rig->nasked, n * 3 + names_among(n, values));
    for (size_t i = 0; i < n * 3; i++) {
        const char *value = values[i / 3];
        bool ip = value[0] == '@';
        assert_string_equal(rig->asked[i].ip, ip ? value + 1 : "");
        assert_string_equal(rig->asked[i].system, ip ? "" : value);
        assert_int_equal(rig->asked[i].kind, kinds[i % 3]);
    }
    for (size_t i = 0; i < n; i++)
        if (values[i][0] != '@') {
            assert_string_equal(rig->asked[at].system, values[i]);
            assert_int_equal(rig->asked[at++].kind, KIND_CLOUD);
        }
}

TEST(asks_each_name_form_once)
{
    static const struct {
        struct session session;
        const char *values[8];
    } row[] = {
        {{.hostname = "web01"}, {"web01"}},
        {{.hostname = "web01.acme.test.",
          .computer_name = "WEB01",
          .name = "web01",
          .ip_address = "10.0.0.5"},
         {"web01.acme.test", "WEB01", "@10.0.0.5"}},
        {{.hostname = "web01.acme.test", .ip_address = "10.0.0.5"},
         {"web01.acme.test", "web01", "@10.0.0.5"}},
        {{.hostname = "10.0.0.5", .ip_address = "10.0.0.5"}, {"@10.0.0.5"}},
        {{.hostname = "[fe80::1]", .ip_address = "FE80::1"}, {"@fe80::1"}},
        {{.name = "Web (prod v1.2)"}, {"Web (prod v1.2)"}},
        {{.name = "", .hostname = "", .ip_address = "10.0.0.5"}, {"@10.0.0.5"}},
        {{.hostname = "a.x", .computer_name = "b.x", .name = "c.x"}, {"a.x", "b.x", "c.x", "a", "b", "c"}},
        {{.hostname = "m\xc3\xbcnchen.acme.test", .name = "\xe6\x9d\xb1\xe4\xba\xac"},
         {"m\xc3\xbcnchen.acme.test", "\xe6\x9d\xb1\xe4\xba\xac", "m\xc3\xbcnchen"}},
        {{.hostname = "Mu\xcc\x88nchen", .name = "Mu\xcc\x88nchen"}, {"Mu\xcc\x88nchen", "m\xc3\xbcnchen"}},
        {{.hostname = "web\xe2\x80\x8b"
                      "01",
          .name = "WEB01"},
         {"web\xe2\x80\x8b"
          "01",
          "web01"}},
        {{.hostname = "FE80:0::0:1"}, {"@FE80:0::0:1", "@fe80::1"}},
        {{.ip_address = "web09"}, {"web09"}},
        {{.hostname = "."}, {"."}},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        case_label("first name asked for: %s", row[i].values[0]);
        struct session session = row[i].session;
        struct client c;
        struct rig rig;
        size_t n = 0;
        while (row[i].values[n])
            n++;
        rig_start(&rig, 1);
        session.username = "bob";
        (void)begin(&rig, &c, &session);
        assert_int_equal(rig_pending(&rig), n * 3 + names_among(n, row[i].values)); /* all in parallel */
        rig_settle(&rig);
        assert_int_equal(c.answers, 1);
        assert_int_equal(c.fault.code, FAULT_NONE);
        assert_asked(&rig, n, row[i].values);
        rig_end(&rig);
    }
}

TEST(match_says_which_and_in_what_order)
{
    struct session session = {
        .username = "bob", .hostname = "web01.acme.test", .name = "n", .ip_address = "10.0.0.5"};
    struct client c;
    struct rig rig;

    rig_start(&rig, 1);
    rig.vault[0].conf.nmatch = 2;
    rig.vault[0].conf.match[0] = FORM_IP_ADDRESS;
    rig.vault[0].conf.match[1] = FORM_SHORT_NAME;
    find(&rig, &c, &session);
    assert_asked(&rig, 2, (const char *const[]){"@10.0.0.5", "web01"});
    rig.vault[0].conf.match[0] = FORM_COMPUTER_NAME; /* not given: nothing to ask, an empty list */
    rig.vault[0].conf.nmatch = 1;
    rig.nasked = 0;
    find(&rig, &c, &session);
    assert_int_equal(rig.nasked, 0);
    assert_int_equal(c.fault.code, FAULT_NONE);
    assert_int_equal(c.n, 0);
    rig_end(&rig);
}

TEST(an_application_may_stand_alone)
{
    struct session session = {.username = "bob", .application = "Ledger"};
    struct client c;
    struct rig rig;
    struct fake_account *account;

    rig_start(&rig, 1);
    account = fake_vault_add(&rig.vault[0], 7, 70, "apphost", "clerk", "x");
    account->row.kind = KIND_APPLICATION;
    account->row.application = "Ledger";
    account->row.application_id = 4;
    fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x");
    find(&rig, &c, &session);
    assert_int_equal(rig.nasked, 1);
    assert_string_equal(rig.asked[0].application, "Ledger");
    assert_int_equal(rig.asked[0].kind, KIND_APPLICATION);
    assert_int_equal(c.n, 1);
    assert_string_equal(c.shown[0], "clerk (Ledger)");
    assert_string_equal(c.id[0], "j1.main.p.7.70.4");
    session.hostname = "web01";
    find(&rig, &c, &session);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.shown[0], "root (web01)");
    assert_string_equal(c.shown[1], "clerk (Ledger)");
    rig_end(&rig);
}

TEST(orders_and_shows)
{
    /* The short name is asked for, but it is not a name as written: its systems come after the exact one. */
    static const struct session session = {
        .username = "bob", .hostname = "WEB01.acme.test", .name = "web01.acme.test"};
    static const struct {
        int64_t system_id;
        enum account_kind kind;
        const char *system, *domain, *account, *shown;
    } row[] = {
        /* in the order expected */
        {2, KIND_LOCAL, "WEB01.acme.test", NULL, "zed", "zed (WEB01.acme.test)"},
        {2, KIND_DOMAIN_LINKED, "WEB01.acme.test", "ACME", "adm", "ACME\\adm (WEB01.acme.test)"},
        {1, KIND_LOCAL, "WEB01", NULL, "Admin", "Admin (WEB01)"},
        {1, KIND_LOCAL, "WEB01", NULL, "Root", "Root (WEB01)"},
        {1, KIND_LOCAL, "WEB01", "", "root", "root (WEB01)"},
        {3, KIND_LOCAL, "WEB01", NULL, "root", "root (WEB01)"},
        {1, KIND_LOCAL, "WEB01", NULL, "\xc3\xa9tienne", "\xc3\xa9tienne (WEB01)"},
        {1, KIND_DOMAIN_LINKED, "WEB01", "acme.test", "Adm", "acme.test\\Adm (WEB01)"},
        {1, KIND_DOMAIN_LINKED, "WEB01", "ACME", "adm", "ACME\\adm (WEB01)"},
        {1, KIND_DATABASE, "WEB01", NULL, "sa", "sa (WEB01)"},
    };
    enum { N = sizeof(row) / sizeof(row[0]) };

    for (size_t turn = 0; turn < N; turn++) {
        struct client c;
        struct rig rig;
        rig_start(&rig, 1);
        for (size_t i = 0; i < N; i++) {
            size_t k = (i * 7 + turn) % N; /* whatever the vault's order */
            struct fake_account *account = fake_vault_add(&rig.vault[0], row[k].system_id, (int64_t)(100 + k),
                                                          row[k].system, row[k].account, "x");
            account->row.kind = row[k].kind;
            account->row.domain = row[k].domain;
        }
        find(&rig, &c, &session);
        assert_int_equal(c.n, N);
        for (size_t i = 0; i < N; i++)
            assert_string_equal(c.shown[i], row[i].shown);
        rig_end(&rig);
    }
}

TEST(equal_finds_share_and_remember)
{
    struct session longer = {
        .username = "bob", .hostname = "web01", .name = "web01.acme.test", .method = METHOD_SHELL};
    struct client c[4];
    struct rig rig;

    rig_start(&rig, 1);
    fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x");
    for (size_t i = 0; i < 3; i++)
        (void)begin(&rig, &c[i], &web);
    assert_int_equal(rig.nasked, 3);
    rig_settle(&rig);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(c[i].answers, 1);
        assert_int_equal(c[i].n, 1);
        assert_int_equal(c[i].age_ms, 0);
    }
    fake_clock_run(&rig.clock, rig.timers, SECONDS(4));
    find(&rig, &c[3], &web);
    assert_int_equal(rig.nasked, 3);
    assert_int_equal(c[3].age_ms, SECONDS(4));
    find(&rig, &c[3], &longer); /* some lists are new: the age is the oldest one's */
    assert_int_equal(rig.nasked, 6);
    assert_int_equal(c[3].age_ms, SECONDS(4));
    fake_clock_run(&rig.clock, rig.timers, SECONDS(11));
    find(&rig, &c[3], &web);
    assert_int_equal(rig.nasked, 9);
    assert_int_equal(c[3].age_ms, 0);
    rig_end(&rig);
}

static char qualified[] = "{domain}\\{username}", bare[] = "{username}", upn[] = "{username}@{domain}",
            no_domain[] = "";

static void rules(struct rig *rig, char **item, size_t n)
{
    rig->vault[0].conf.run_as = (struct conf_list){.item = item, .n = n};
}

TEST(a_refused_user_gives_way_to_the_next)
{
    char *item[] = {qualified, bare};
    struct client c;
    struct rig rig;

    rig_start(&rig, 1);
    rules(&rig, item, 2);
    fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x")->user = "bob";
    find(&rig, &c, &web); /* an empty list is an answer: bob is not tried */
    assert_int_equal(rig.nasked, 3);
    assert_int_equal(c.n, 0);
    assert_int_equal(c.fault.code, FAULT_NONE);
    rig_end(&rig);

    rig_start(&rig, 1);
    rules(&rig, item, 2);
    rig.vault[0].refuse_user = "CORP\\bob";
    fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x")->user = "bob";
    find(&rig, &c, &web);
    assert_int_equal(rig.nasked, 6);
    assert_string_equal(rig.asked[5].user, "bob");
    assert_int_equal(c.n, 1);
    rig_end(&rig);
}

static enum fake_fault refuse_all(void *arg, enum fake_op op, unsigned nth)
{
    (void)arg;
    (void)op;
    (void)nth;
    return FAKE_USER_REFUSED;
}

TEST(all_refused_names_who_was_tried)
{
    char *item[] = {qualified, upn, bare};
    struct client c;
    struct rig rig;

    rig_start(&rig, 1);
    rules(&rig, item, 3);
    rig.vault[0].plan = refuse_all;
    find(&rig, &c, &web);
    assert_int_equal(c.fault.code, FAULT_VAULT_REFUSED_USER);
    assert_non_null(strstr(c.fault.detail, "the fake vault says no"));
    assert_non_null(strstr(c.fault.detail, "tried CORP\\bob, bob@CORP, bob"));
    rig_end(&rig);
}

TEST(no_rule_means_no_call)
{
    struct client c;
    struct rig rig;

    rig_start(&rig, 1);
    rig.vault[0].conf.default_domain = no_domain;
    find(&rig, &c, &web);
    assert_int_equal(rig.nasked, 0);
    assert_int_equal(c.fault.code, FAULT_VAULT_REFUSED_USER);
    assert_non_null(strstr(c.fault.detail, "no run_as rule applies to user bob"));
    rig_end(&rig);
}

static enum fake_fault second_fails(void *arg, enum fake_op op, unsigned nth)
{
    (void)op;
    return nth == 1 ? *(enum fake_fault *)arg : FAKE_FINE;
}

TEST(one_failed_list_fails_the_vault)
{
    static const struct {
        enum fake_fault fault;
        enum fault_code code;
        const char *partial; /* a vault that refuses the user has answered */
    } row[] = {
        {FAKE_UNREACHABLE, FAULT_VAULT_UNAVAILABLE, "main "},
        {FAKE_DENIED, FAULT_NOT_ENTITLED, ""},
        {FAKE_BAD, FAULT_VAULT_ERROR, "main "},
        {FAKE_CANNOT_START, FAULT_OVERLOADED, "main "},
        {FAKE_USER_REFUSED, FAULT_VAULT_REFUSED_USER, ""},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        case_label("%s", fake_fault_name(row[i].fault));
        enum fake_fault fault = row[i].fault;
        struct client c;
        struct rig rig;
        rig_start(&rig, 2);
        fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x");
        fake_vault_add(&rig.vault[1], 1, 11, "web01", "other", "x");
        rig.vault[0].plan = second_fails;
        rig.vault[0].plan_arg = &fault;
        find(&rig, &c, &web); /* the other vault answers alone */
        assert_int_equal(c.fault.code, FAULT_NONE);
        assert_int_equal(c.n, 1);
        assert_string_equal(c.shown[0], "other (web01)");
        assert_string_equal(c.partial, row[i].partial);
        assert_int_equal(partial_answers_count(rig.broker.partial, 0), *row[i].partial != '\0');
        assert_int_equal(partial_answers_count(rig.broker.partial, 1), 0);
        rig_end(&rig);

        rig_start(&rig, 1);
        fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x");
        rig.vault[0].plan = second_fails;
        rig.vault[0].plan_arg = &fault;
        find(&rig, &c, &web);
        assert_int_equal(c.fault.code, row[i].code);
        assert_int_equal(c.n, 0);
        rig_end(&rig);
    }
}

TEST(vaults_keep_their_accounts_apart)
{
    enum fake_fault down = FAKE_UNREACHABLE;
    struct client c;
    struct rig rig;

    rig_start(&rig, 2);
    for (size_t i = 0; i < 2; i++)
        fake_vault_add(&rig.vault[i], 1, 11, "web01", "root", "x");
    find(&rig, &c, &web);
    assert_int_equal(c.n, 2); /* equal ids at two vaults are two credentials */
    assert_string_equal(c.id[0], "j1.main.l.1.11.0");
    assert_string_equal(c.id[1], "j1.second.l.1.11.0");
    rig_end(&rig);

    rig_start(&rig, 2); /* both fail: what could not be asked says more than an unknown user */
    rig.vault[0].plan = refuse_all;
    rig.vault[1].plan = second_fails;
    rig.vault[1].plan_arg = &down;
    find(&rig, &c, &web);
    assert_int_equal(c.fault.code, FAULT_VAULT_UNAVAILABLE);
    assert_int_equal(partial_answers_count(rig.broker.partial, 1), 0); /* an error is no partial answer */
    rig_end(&rig);
}

/* A user with a rule at one vault only has all there is for that user. */
TEST(a_vault_without_a_rule_has_answered)
{
    char *item[] = {qualified};
    struct client c;
    struct rig rig;

    rig_start(&rig, 2);
    rig.vault[1].conf.run_as = (struct conf_list){item, 1}; /* wants a domain */
    fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x");
    find(&rig, &c, &web);
    assert_int_equal(c.n, 1);
    assert_string_equal(c.partial, "");
    rig_end(&rig);
}

TEST(the_deadline_is_kept)
{
    struct client c;
    struct rig rig;

    rig_start(&rig, 1);
    (void)begin(&rig, &c, &web);
    fake_clock_run(&rig.clock, rig.timers, 4999);
    assert_int_equal(c.answers, 0);
    fake_clock_run(&rig.clock, rig.timers, 1);
    assert_int_equal(c.answers, 1);
    assert_int_equal(c.fault.code, FAULT_DEADLINE_EXCEEDED);
    assert_int_equal(rig.vault[0].cancelled, 3);
    rig_end(&rig);

    rig_start(&rig, 2); /* one vault hangs, the other has answered */
    fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x");
    (void)begin(&rig, &c, &web);
    while (fake_vault_step(&rig.vault[0]))
        continue;
    fake_clock_run(&rig.clock, rig.timers, SECONDS(5));
    assert_int_equal(c.answers, 1);
    assert_int_equal(c.fault.code, FAULT_NONE);
    assert_int_equal(c.n, 1);
    assert_string_equal(c.partial, "second ");
    rig_end(&rig);
}

/* Leave, or end the broker, after each number of answers. */
TEST(leaving_at_each_point)
{
    char *item[] = {qualified, bare};

    for (int how = 0; how < 3; how++)
        for (size_t steps = 0; steps < 30; steps++) {
            struct client c, other;
            struct rig rig;
            struct op *op;
            rig_start(&rig, 2);
            rules(&rig, item, 2);
            rig.vault[0].refuse_user = "CORP\\bob";
            rig.vault[1].conf.ask_policy = true;
            fake_vault_add(&rig.vault[1], 1, 11, "web01", "root", "x");
            fake_vault_add(&rig.vault[1], 1, 12, "web01", "sa", "x");
            op = begin(&rig, &c, &web);
            for (size_t i = 0; i < steps && c.answers == 0; i++) {
                (void)rig_step(&rig);
                if (c.answers == 0)
                    fake_clock_run(&rig.clock, rig.timers, 0);
            }
            if (c.answers) {
                rig_end(&rig);
                assert_in_range(steps, 8, 30);
                break;
            }
            if (how == 2)
                (void)begin(&rig, &other, &web);
            if (how == 1)
                op->class->destroy(op);
            else
                broker_leave(op);
            if (how == 2) { /* another caller asks the same and is not disturbed */
                rig_settle(&rig);
                assert_int_equal(other.answers, 1);
                assert_int_equal(other.n, 2);
            }
            assert_int_equal(c.answers, 0);
            rig_end(&rig);
        }
}

TEST(refuses_what_cannot_be_served)
{
    struct session nothing = {.username = "bob", .hostname = "", .port = 22};
    struct client c;
    struct rig rig;
    struct op *op;

    rig_start(&rig, 1);
    find(&rig, &c, &nothing);
    assert_int_equal(c.fault.code, FAULT_INVALID_REQUEST);
    rig.broker.draining = true;
    find(&rig, &c, &web);
    assert_int_equal(c.fault.code, FAULT_DRAINING);
    assert_int_equal(rig.nasked, 0);
    op = begin(&rig, &c, &web); /* and leaving before it is answered */
    broker_leave(op);
    rig_settle(&rig);
    assert_int_equal(c.answers, 0);
    rig_end(&rig);
}

static void ask_about_policies(struct rig *rig, size_t accounts)
{
    rig_start(rig, 1);
    rig->vault[0].conf.ask_policy = true;
    for (size_t i = 0; i < accounts; i++) {
        struct fake_account *account =
            fake_vault_add(&rig->vault[0], 1, 11 + (int64_t)i, "web01", "root", "x");
        account->policy.reason = true;
        account->policy.ticket = i % 2;
    }
}

static enum fake_fault odd_policies_fail(void *arg, enum fake_op op, unsigned nth)
{
    static const enum fake_fault faults[] = {FAKE_DENIED, FAKE_CANNOT_START, FAKE_UNREACHABLE,
                                             FAKE_USER_REFUSED};

    (void)arg;
    return op == FAKE_POLICY && nth % 2 ? faults[nth / 2 % 4] : FAKE_FINE;
}

TEST(policies_are_asked_where_configured)
{
    struct client c;
    struct rig rig;

    ask_about_policies(&rig, 16);
    (void)begin(&rig, &c, &web);
    for (int i = 0; i < 3; i++)
        assert_true(rig_step(&rig));
    assert_int_equal(rig_pending(&rig), 8); /* not all at once */
    rig_settle(&rig);
    assert_int_equal(c.n, 16);
    assert_int_equal(rig.vault[0].count[FAKE_POLICY], 16);
    for (size_t i = 0; i < 16; i++) {
        assert_true(c.asked[i]);
        assert_true(c.policy[i].reason);
        assert_int_equal(c.policy[i].ticket, i % 2);
    }
    find(&rig, &c, &web); /* and remembers */
    assert_int_equal(rig.vault[0].count[FAKE_POLICY], 16);
    assert_true(c.asked[15] && c.policy[15].ticket);
    rig_end(&rig);

    ask_about_policies(&rig, 16); /* those that fail are left open */
    rig.vault[0].plan = odd_policies_fail;
    find(&rig, &c, &web);
    assert_int_equal(c.fault.code, FAULT_NONE);
    assert_int_equal(c.n, 16);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(c.asked[i], i % 2);
    rig_end(&rig);

    ask_about_policies(&rig, 2); /* time runs out on them: the rows are there */
    (void)begin(&rig, &c, &web);
    for (int i = 0; i < 4; i++)
        assert_true(rig_step(&rig));
    fake_clock_run(&rig.clock, rig.timers, SECONDS(5));
    assert_int_equal(c.answers, 1);
    assert_int_equal(c.fault.code, FAULT_NONE);
    assert_true(c.asked[0]);
    assert_false(c.asked[1]);
    rig_end(&rig);
}

/* The notes of one kind as text, each with a `;` behind it. */
static const char *notes_of(struct rig *rig, const char *request_id, enum explain_kind kind)
{
    static char text[1024];
    const struct explain_view *view = broker_explain(&rig->broker, request_id);
    size_t used = 0;

    text[0] = '\0';
    assert_non_null(view);
    for (size_t i = 0; i < view->nnotes; i++) {
        const struct explain_note *n = &view->notes[i];

        if (n->kind != kind)
            continue;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", n->vault ? n->vault : "all");
        if (kind == EXPLAIN_CALL)
            used += (size_t)snprintf(text + used, sizeof(text) - used, " %s %s %s %s %u", n->what,
                                     n->kind_asked ? n->kind_asked : "-", n->value ? n->value : "-",
                                     n->source, (unsigned)n->rows);
        if (kind == EXPLAIN_FILTER)
            used += (size_t)snprintf(text + used, sizeof(text) - used, " %s %u of %u", n->what,
                                     (unsigned)n->rows, (unsigned)(n->rows + n->left));
        if (kind == EXPLAIN_NAME || kind == EXPLAIN_SECTION)
            used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", n->value);
        used += (size_t)snprintf(text + used, sizeof(text) - used, " %s;", n->outcome ? n->outcome : "-");
    }
    return text;
}

TEST(a_record_has_each_call_and_its_outcome)
{
    enum fake_fault down = FAKE_UNREACHABLE;
    struct session asked = {.username = "bob", .ip_address = "10.0.0.5", .request_id = "r1"};
    struct client c;
    struct rig rig;

    rig_start(&rig, 2);
    rig.broker.explain = explain_new(&(struct explain_opts){
        .clock = &rig.clock.clock, .max_records = 9, .max_bytes = 1 << 20, .keep_ms = MINUTES(1)});
    rig.vault[1].plan = second_fails;
    rig.vault[1].plan_arg = &down;
    find(&rig, &c, &asked);
    assert_string_equal(notes_of(&rig, "r1", EXPLAIN_ABSENT), "second vault_unavailable;");
    assert_non_null(strstr(notes_of(&rig, "r1", EXPLAIN_CALL), "main list local 10.0.0.5 vault 0 ok;"));
    assert_non_null(strstr(notes_of(&rig, "r1", EXPLAIN_CALL), " vault 0 vault_unavailable;"));
    asked.request_id = "r2";
    find(&rig, &c, &asked);
    assert_non_null(strstr(notes_of(&rig, "r2", EXPLAIN_CALL), "main list local 10.0.0.5 cache 0 ok;"));
    explain_free(rig.broker.explain);
    rig.broker.explain = NULL;
    rig_end(&rig);
}

TEST(a_record_of_names_and_of_a_shared_list)
{
    struct session one = web, two = web;
    struct client a, b;
    struct rig rig;

    one.request_id = "r1";
    two.request_id = "r2";
    rig_start(&rig, 1);
    rig.broker.explain = explain_new(&(struct explain_opts){
        .clock = &rig.clock.clock, .max_records = 9, .max_bytes = 1 << 20, .keep_ms = MINUTES(1)});
    fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x");
    (void)begin(&rig, &a, &one);
    (void)begin(&rig, &b, &two);
    rig_settle(&rig);
    assert_int_equal(a.n + b.n, 2);
    assert_non_null(strstr(notes_of(&rig, "r1", EXPLAIN_CALL), "main list local web01 vault 1 ok;"));
    assert_non_null(strstr(notes_of(&rig, "r2", EXPLAIN_CALL), "main list local web01 shared 1 ok;"));
    explain_free(rig.broker.explain);
    rig.broker.explain = NULL;
    rig_end(&rig);
}

/* A vault for which sections decide says which, and that no call was made. */
TEST(a_record_of_sections)
{
    struct session asked = web;
    struct client c;
    struct rig rig;

    asked.request_id = "r1";
    rig_start(&rig, 1);
    fake_vault_set_can(&rig.vault[0], (struct vault_can){.keys_are_unique = true, .has_end = true}, 0);
    rig.broker.explain = explain_new(&(struct explain_opts){
        .clock = &rig.clock.clock, .max_records = 9, .max_bytes = 1 << 20, .keep_ms = MINUTES(1)});
    fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x");
    find(&rig, &c, &asked);
    assert_string_equal(notes_of(&rig, "r1", EXPLAIN_NAME), "main web01 -;");
    assert_string_equal(notes_of(&rig, "r1", EXPLAIN_SECTION), "main first -;main second -;");
    assert_string_equal(notes_of(&rig, "r1", EXPLAIN_CALL), "main entitled - - map 1 ok;");
    assert_string_equal(
        notes_of(&rig, "r1", EXPLAIN_FILTER),
        "main user 4 of 7 -;main host 1 of 3 -;main listing 0 of 1 -;all duplicates 0 of 1 -;");
    assert_true(broker_explain(&rig.broker, "r1")->cut); /* the third section */
    explain_free(rig.broker.explain);
    rig.broker.explain = NULL;
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_each_name_form_once),
        cmocka_unit_test(match_says_which_and_in_what_order),
        cmocka_unit_test(an_application_may_stand_alone),
        cmocka_unit_test(orders_and_shows),
        cmocka_unit_test(equal_finds_share_and_remember),
        cmocka_unit_test(a_refused_user_gives_way_to_the_next),
        cmocka_unit_test(all_refused_names_who_was_tried),
        cmocka_unit_test(no_rule_means_no_call),
        cmocka_unit_test(one_failed_list_fails_the_vault),
        cmocka_unit_test(vaults_keep_their_accounts_apart),
        cmocka_unit_test(a_vault_without_a_rule_has_answered),
        cmocka_unit_test(the_deadline_is_kept),
        cmocka_unit_test(leaving_at_each_point),
        cmocka_unit_test(refuses_what_cannot_be_served),
        cmocka_unit_test(policies_are_asked_where_configured),
        cmocka_unit_test(a_record_has_each_call_and_its_outcome),
        cmocka_unit_test(a_record_of_names_and_of_a_shared_list),
        cmocka_unit_test(a_record_of_sections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
