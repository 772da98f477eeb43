/* SPDX-License-Identifier: Apache-2.0 */
/* The search for endpoints: grouping, ranking, methods, limits, recent ones, and every way to end it. */
#include "check.h"

#include "broker/find/display_name.h"
#include "broker/find/endpoint_rows.h"
#include "broker/find/explain.h"
#include "find_rig.h"
#include "plain_rank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client {
    unsigned answers;
    struct fault fault;
    size_t n;
    struct row {
        char id[CREDENTIAL_ID_SIZE], name[64], hostname[64], ip[64], comments[64];
        int64_t port;
        enum jump_method method;
    } row[24];
    bool truncated;
    uint64_t age_ms;
    size_t npartial;
    char partial[32]; /* the first */
};

static void on_found(void *arg, const struct endpoints_answer *answer)
{
    struct client *client = arg;

    client->answers++;
    client->fault = answer->fault ? *answer->fault : (struct fault){0};
    client->n = answer->n;
    client->truncated = answer->truncated;
    client->age_ms = answer->age_ms;
    client->npartial = answer->npartial;
    (void)snprintf(client->partial, sizeof(client->partial), "%s",
                   answer->npartial ? answer->partial[0] : "");
    for (size_t i = 0; i < answer->n && i < 24; i++) {
        const struct endpoint *from = &answer->endpoints[i];
        struct row *to = &client->row[i];
        memcpy(to->id, from->endpoint_id, sizeof(to->id));
        (void)snprintf(to->name, sizeof(to->name), "%s", from->name);
        (void)snprintf(to->hostname, sizeof(to->hostname), "%s", from->hostname);
        (void)snprintf(to->ip, sizeof(to->ip), "%s", from->ip_address ? from->ip_address : "-");
        (void)snprintf(to->comments, sizeof(to->comments), "%s", from->comments);
        to->port = from->port;
        to->method = from->method;
        assert_null(from->network_id);
    }
}

static const struct endpoints_args rdp = {.rdp = true, .query = ""};

static struct op *begin(struct rig *rig, struct client *client, struct endpoints_args args)
{
    struct op *op;

    args.by.session = (struct session){.username = "bob", .request_id = "r1"};
    args.by.timeout_ms = SECONDS(5);
    memset(client, 0, sizeof(*client));
    op = broker_endpoints(&rig->broker, &args, on_found, client);
    assert_non_null(op);
    assert_int_equal(client->answers, 0);
    return op;
}

static void search(struct rig *rig, struct client *client, struct endpoints_args args)
{
    (void)begin(rig, client, args);
    rig_settle(rig);
    assert_int_equal(client->answers, 1);
}

static void add_systems(struct fake_vault *vault, size_t n, const char *const *names)
{
    for (size_t i = 0; i < n; i++)
        fake_vault_add(vault, (int64_t)i + 1, 100 + (int64_t)i, names[i], "root", "x");
}

TEST(groups_accounts_by_system)
{
    struct client c;
    struct rig rig;
    struct fake_vault *v = &rig.vault[0];

    rig_start(&rig, 1);
    fake_vault_add(v, 1, 11, "web01", "root", "x");
    fake_vault_add(v, 2, 21, "10.0.0.5", "root", "x");
    fake_vault_add(v, 1, 12, "web01", "admin", "x");
    fake_vault_add(v, 1, 500, "web01", "adm", "x")->row.kind = KIND_DOMAIN_LINKED;
    fake_vault_add(v, 3, 31, "db7", "sa", "x")->row.kind = KIND_DATABASE; /* neither RDP nor shell */
    fake_vault_add(v, 4, 41, "theirs", "root", "x")->user = "CORP\\alice";
    search(&rig, &c, rdp);
    assert_int_equal(rig.nasked, 2);
    assert_int_equal(rig.asked[0].kind, KIND_LOCAL);
    assert_int_equal(rig.asked[1].kind, KIND_DOMAIN_LINKED);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.row[0].name, "10.0.0.5");
    assert_string_equal(c.row[0].ip, "10.0.0.5");
    assert_string_equal(c.row[0].comments, "1 account");
    assert_string_equal(c.row[1].name, "web01");
    assert_string_equal(c.row[1].hostname, "web01");
    assert_string_equal(c.row[1].ip, "-");
    assert_string_equal(c.row[1].comments, "3 accounts");
    assert_string_equal(c.row[1].id, "e1.main.1.rdp");
    assert_false(c.truncated);
    rig_end(&rig);
}

TEST(the_type_asked_for_is_the_method)
{
    static const char *const names[] = {"web01"};
    struct client c;
    struct rig rig;

    rig_start(&rig, 1);
    add_systems(&rig.vault[0], 1, names);
    search(&rig, &c, rdp);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.row[0].method, METHOD_RDP);
    assert_int_equal(c.row[0].port, 3389);
    search(&rig, &c, (struct endpoints_args){.shell = true, .query = ""});
    assert_int_equal(c.n, 1);
    assert_int_equal(c.row[0].method, METHOD_SHELL);
    assert_int_equal(c.row[0].port, 22);
    search(&rig, &c, (struct endpoints_args){.rdp = true, .shell = true, .query = ""});
    assert_int_equal(c.n, 2);
    assert_int_equal(c.row[0].method, METHOD_RDP);
    assert_int_equal(c.row[1].method, METHOD_SHELL);
    assert_string_equal(c.row[1].id, "e1.main.1.shell");
    assert_int_equal(rig.nasked, 2); /* cached in between */
    search(&rig, &c, (struct endpoints_args){.query = ""});
    assert_int_equal(c.n, 0);
    assert_int_equal(c.fault.code, FAULT_NONE);
    rig_end(&rig);
}

TEST(ranks_names)
{
    static const struct {
        const char *query, *name;
        enum match_rank rank;
    } row[] = {
        {"web", "web", MATCH_EXACT},
        {" WEB\t", "web", MATCH_EXACT},
        {"web server", "Web Server", MATCH_EXACT},
        {"web", "WEB01", MATCH_PREFIX},
        {"web 01", "web01", MATCH_PREFIX},
        {"web prod", "web-x-prod", MATCH_PREFIX},
        {"web", "prod-web", MATCH_WORD_START},
        {"prod web", "x.web.prod", MATCH_WORD_START},
        {"web", "myweb", MATCH_INSIDE},
        {"eb", "web", MATCH_INSIDE},
        {"prod eb", "x-prod-web", MATCH_INSIDE},
        {"web", "db", MATCH_NOT},
        {"web prod", "web01", MATCH_NOT},
        {"webserver", "web", MATCH_NOT},
        {"m\xc3\xbcn", "m\xc3\xbcnchen", MATCH_PREFIX},
        {"\xe4\xba\xac", "\xe6\x9d\xb1\xe4\xba\xac", MATCH_INSIDE},
        {"-", "a-b", MATCH_INSIDE},
        {"-", "a--b", MATCH_INSIDE},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (plain_rank(row[i].query, row[i].name) != row[i].rank)
            fail_msg("'%s' in '%s': %d, not %d", row[i].query, row[i].name,
                     (int)plain_rank(row[i].query, row[i].name), (int)row[i].rank);
}

TEST(orders_by_fit_and_name)
{
    static const char *const names[] = {"myweb", "web02", "prod-web", "Web01", "db", "web", "a-web"};
    static const char *const expected[] = {"web", "Web01", "web02", "a-web", "prod-web", "myweb"};
    struct client c;
    struct rig rig;

    rig_start(&rig, 1);
    add_systems(&rig.vault[0], 7, names);
    search(&rig, &c, (struct endpoints_args){.rdp = true, .query = "WEB"});
    assert_int_equal(c.n, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(c.row[i].name, expected[i]);
    rig_end(&rig);
}

TEST(the_limit_is_kept_and_reported)
{
    static const char *const names[] = {"c", "a", "b"};
    struct client c;
    struct rig rig;

    rig_start(&rig, 1);
    add_systems(&rig.vault[0], 3, names);
    for (uint64_t limit = 0; limit < 9; limit++) {
        rig.conf.gateway.endpoint_limit = limit;
        search(&rig, &c, rdp);
        assert_int_equal(c.n, limit < 3 ? limit : 3);
        assert_int_equal(c.truncated, limit < 3);
        search(&rig, &c, (struct endpoints_args){.rdp = true, .shell = true, .query = ""});
        assert_int_equal(c.n, limit < 6 ? limit : 6);
        assert_int_equal(c.truncated, limit < 6);
    }
    rig_end(&rig);
}

static void expect_note(struct rig *rig, struct endpoints_args args, uint64_t removed, uint64_t left)
{
    const struct explain_view *view;
    struct client c;

    search(rig, &c, args);
    view = broker_explain(&rig->broker, "r1");
    assert_non_null(view);
    const struct explain_note *n = &view->notes[view->nnotes - 1];

    assert_int_equal(n->kind, EXPLAIN_FILTER);
    assert_string_equal(n->value, args.query);
    assert_int_equal(n->rows, removed);
    assert_int_equal(n->left, left);
}

TEST(the_record_counts_systems_removed_and_endpoints_left)
{
    static const char *const names[] = {"web01", "web02", "db7"};
    struct endpoints_args args = {.rdp = true, .query = ""};
    struct rig rig;

    rig_start(&rig, 1);
    rig.broker.explain = explain_new(&(struct explain_opts){
        .clock = &rig.clock.clock, .max_records = 9, .max_bytes = 1 << 20, .keep_ms = MINUTES(1)});
    add_systems(&rig.vault[0], 3, names);
    expect_note(&rig, args, 0, 3);
    args.query = "web";
    expect_note(&rig, args, 1, 2);
    args.shell = true; /* two endpoints of each system */
    expect_note(&rig, args, 1, 4);
    args.query = "";
    expect_note(&rig, args, 0, 6);
    rig.conf.gateway.endpoint_limit = 3; /* the second system with one endpoint, the third without */
    expect_note(&rig, args, 1, 3);
    rig.conf.gateway.endpoint_limit = 2;
    expect_note(&rig, args, 2, 2);
    explain_free(rig.broker.explain);
    rig.broker.explain = NULL;
    rig_end(&rig);
}

TEST(recent_ones_keep_their_order)
{
    static const char *const names[] = {"zulu", "alpha", "mike"};
    struct client c;
    struct rig rig;

    rig_start(&rig, 1);
    add_systems(&rig.vault[0], 3, names);
    fake_vault_add(&rig.vault[0], 1, 50, "zulu", "old", "x");
    fake_vault_add(&rig.vault[0], 9, 90, "db", "sa", "x")->row.kind = KIND_DATABASE;
    search(&rig, &c, (struct endpoints_args){.rdp = true, .query = "", .recent = 2});
    assert_int_equal(rig.nasked, 1);
    assert_true(rig.asked[0].recent);
    assert_int_equal(rig.asked[0].kind, KIND_NKINDS);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.row[0].name, "zulu");
    assert_string_equal(c.row[1].name, "alpha");
    assert_true(c.truncated);
    search(&rig, &c, (struct endpoints_args){.rdp = true, .query = "m", .recent = 3});
    assert_int_equal(c.n, 1);
    assert_false(c.truncated);
    search(&rig, &c, (struct endpoints_args){.rdp = true, .query = "", .recent = 3});
    assert_int_equal(c.n, 3);
    assert_false(c.truncated);
    search(&rig, &c, (struct endpoints_args){.rdp = true, .query = "", .recent = 1});
    assert_int_equal(c.n, 1);
    assert_string_equal(c.row[0].name, "zulu");
    rig_end(&rig);
}

static enum fake_fault all_fail(void *arg, enum fake_op op, unsigned nth)
{
    (void)op;
    (void)nth;
    return *(enum fake_fault *)arg;
}

TEST(old_and_partial_answers_are_reported)
{
    static const char *const names[] = {"web01"};
    enum fake_fault down = FAKE_UNREACHABLE, refused = FAKE_USER_REFUSED;
    struct client c;
    struct rig rig;

    rig_start(&rig, 2);
    add_systems(&rig.vault[0], 1, names);
    add_systems(&rig.vault[1], 1, names);
    search(&rig, &c, rdp);
    assert_int_equal(c.n, 2); /* one per vault */
    assert_false(c.truncated);
    fake_clock_run(&rig.clock, rig.timers, SECONDS(7));
    search(&rig, &c, rdp);
    assert_int_equal(c.age_ms, SECONDS(7));
    rig.vault[1].plan = all_fail;
    rig.vault[1].plan_arg = &down;
    fake_clock_run(&rig.clock, rig.timers, MINUTES(10) - SECONDS(7));
    search(&rig, &c, rdp);
    assert_int_equal(c.n, 2); /* of a kept catalogue at its greatest age: both vaults have answered */
    assert_int_equal(c.npartial, 0);
    assert_false(c.truncated);
    fake_clock_run(&rig.clock, rig.timers, 1); /* too old to serve */
    search(&rig, &c, rdp);
    assert_int_equal(c.n, 1);
    assert_true(c.truncated); /* the other vault may have known more */
    assert_int_equal(c.npartial, 1);
    assert_string_equal(c.partial, "second");
    rig.vault[1].plan_arg = &refused;
    fake_clock_run(&rig.clock, rig.timers, 600001);
    search(&rig, &c, rdp);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.npartial, 0); /* it has answered, and has nothing for this user */
    assert_false(c.truncated);
    rig.vault[0].plan = all_fail;
    rig.vault[0].plan_arg = &down;
    fake_clock_run(&rig.clock, rig.timers, 600001);
    search(&rig, &c, rdp);
    assert_int_equal(c.fault.code, FAULT_VAULT_UNAVAILABLE);
    rig_end(&rig);
}

TEST(ends_in_every_way)
{
    struct client c;
    struct rig rig;

    for (int how = 0; how < 3; how++)
        for (int steps = 0; steps < 4; steps++) {
            struct op *op;
            rig_start(&rig, 2);
            op = begin(&rig, &c, rdp);
            for (int i = 0; i < steps; i++)
                assert_true(rig_step(&rig));
            if (c.answers == 0 && how == 0)
                broker_leave(op);
            else if (c.answers == 0 && how == 1)
                op->class->destroy(op);
            else
                fake_clock_run(&rig.clock, rig.timers, SECONDS(5));
            if (how == 2 && steps < 2)
                assert_int_equal(c.fault.code, FAULT_DEADLINE_EXCEEDED);
            assert_int_equal(c.answers, how == 2 || steps == 4 ? 1 : 0);
            rig_end(&rig);
        }
    rig_start(&rig, 1);
    rig.broker.draining = true;
    search(&rig, &c, rdp);
    assert_int_equal(c.fault.code, FAULT_DRAINING);
    assert_int_equal(rig.nasked, 0);
    rig_end(&rig);
}

/* The directory does not answer: at its deadline a search is answered with what the user's own lists say. */
TEST(the_deadline_waits_for_no_directory)
{
    static const struct directory_row systems[] = {{.id = 1, .name = "web01", .dns = "web01.acme.test"}};
    static const char *const names[] = {"web01"};
    static char reader[] = "svc-reader";
    struct client first, second, third;
    struct rig rig;

    rig_start(&rig, 1);
    add_systems(&rig.vault[0], 1, names);
    rig.vault[0].conf.directory_user = reader;
    rig.vault[0].directory[DIRECTORY_SYSTEMS] = systems;
    rig.vault[0].ndirectory[DIRECTORY_SYSTEMS] = 1;
    (void)begin(&rig, &first, rdp);
    fake_clock_run(&rig.clock, rig.timers, SECONDS(2));
    (void)begin(&rig, &second, rdp);
    assert_true(rig_step(&rig));
    fake_clock_run(&rig.clock, rig.timers, SECONDS(3));
    assert_int_equal(first.answers, 1);
    assert_int_equal(first.fault.code, FAULT_DEADLINE_EXCEEDED); /* one of the lists is missing */
    assert_true(rig_step(&rig));
    fake_clock_run(&rig.clock, rig.timers, SECONDS(2));
    assert_int_equal(second.answers, 1);
    assert_int_equal(second.fault.code, FAULT_NONE);
    assert_int_equal(second.n, 1);
    assert_string_equal(second.row[0].hostname, "web01");
    assert_int_equal(second.npartial, 0);
    (void)begin(&rig, &third, rdp); /* waits for the same reading */
    rig_settle(&rig);
    assert_int_equal(rig.nasked, 2);
    assert_int_equal(third.n, 1);
    assert_string_equal(third.row[0].hostname, "web01.acme.test");
    rig_end(&rig);
}

/* Random accounts against sets counted by hand. */
static void random_round(unsigned seed)
{
    static const char *const names[] = {"web01", "web02", "db-web", "Zed", "aweb"};
    static const char *const queries[] = {"", "web", "we 0", "z", "nope"};
    struct conf_vault conf = {.name = "main"};
    struct vault vault = {.conf = &conf};
    struct fanout_query asks[2] = {0};
    struct fanout_vault target = {.vault = &vault, .state = FANOUT_ANSWERED, .queries = asks, .n = 2};
    struct vault_fanout fanout = {.vault = &target, .n = 1};
    bool there[5] = {0}, seen[5][4] = {0};
    size_t systems = 0;
    struct endpoint_filter wish = {.rdp = true, .limit = 100};
    struct endpoint_rows rows;

    srand(seed);
    wish.query = queries[rand() % 5];
    for (size_t k = 0; k < 2; k++) {
        asks[k].wait.accounts = account_list_new();
        assert_non_null(asks[k].wait.accounts);
        for (int i = rand() % 30; i > 0; i--) {
            size_t system = (size_t)rand() % 5;
            struct account row = {.kind = (enum account_kind)(rand() % 3),
                                  .system_id = (int64_t)system + 1,
                                  .account_id = rand() % 4,
                                  .system = names[system],
                                  .account = "a"};
            assert_int_equal(account_list_add(asks[k].wait.accounts, &row), 0);
            seen[system][row.account_id] |= row.kind <= KIND_DOMAIN_LINKED;
            there[system] |=
                row.kind <= KIND_DOMAIN_LINKED && plain_rank(wish.query, names[system]) != MATCH_NOT;
        }
    }
    for (size_t i = 0; i < 5; i++)
        systems += there[i];
    assert_int_equal(endpoint_rows_make(&fanout, &wish, &rows), 0);
    assert_int_equal(rows.n, systems);
    for (size_t i = 0; i < rows.n; i++) {
        size_t system = 0, accounts = 0;
        while (strcmp(names[system], rows.row[i].name) != 0)
            system++;
        for (size_t k = 0; k < 4; k++)
            accounts += seen[system][k];
        assert_int_equal(atoi(rows.row[i].comments), accounts);
    }
    for (size_t i = 1; i < rows.n; i++) {
        enum match_rank a = plain_rank(wish.query, rows.row[i - 1].name),
                        b = plain_rank(wish.query, rows.row[i].name);
        assert_true(a < b || (a == b && display_name_compare(rows.row[i - 1].name, rows.row[i].name) < 0));
    }
    endpoint_rows_free(&rows);
    for (size_t k = 0; k < 2; k++)
        account_list_unref(asks[k].wait.accounts);
}

TEST(agrees_with_counting)
{
    for (unsigned seed = 1; seed <= 300; seed++)
        random_round(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_accounts_by_system),
        cmocka_unit_test(the_type_asked_for_is_the_method),
        cmocka_unit_test(ranks_names),
        cmocka_unit_test(orders_by_fit_and_name),
        cmocka_unit_test(the_limit_is_kept_and_reported),
        cmocka_unit_test(the_record_counts_systems_removed_and_endpoints_left),
        cmocka_unit_test(recent_ones_keep_their_order),
        cmocka_unit_test(old_and_partial_answers_are_reported),
        cmocka_unit_test(ends_in_every_way),
        cmocka_unit_test(the_deadline_waits_for_no_directory),
        cmocka_unit_test(agrees_with_counting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
