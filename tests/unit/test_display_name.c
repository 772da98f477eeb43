/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator decides about a find: display, hidden accounts, favourites, the cap, kinds, the network.
 */
#include "check.h"

#include "broker/find/display_name.h"
#include "broker/find/find_queries.h"
#include "find_rig.h"

#include <stdio.h>
#include <string.h>

struct client {
    unsigned answers;
    size_t n;
    char shown[16][96], type[16][16];
};

static void on_found(void *arg, const struct find_answer *answer)
{
    struct client *client = arg;

    client->answers++;
    assert_null(answer->fault);
    client->n = answer->n;
    for (size_t i = 0; i < answer->n && i < 16; i++) {
        (void)snprintf(client->shown[i], sizeof(client->shown[i]), "%s",
                       answer->credentials[i].display_value);
        (void)snprintf(client->type[i], sizeof(client->type[i]), "%s", answer->credentials[i].secret_type);
    }
}

static void find(struct rig *rig, struct client *client, struct session session)
{
    struct asked_by args = {.session = session, .timeout_ms = SECONDS(5)};

    memset(client, 0, sizeof(*client));
    args.session.username = "bob";
    assert_non_null(broker_find(&rig->broker, &args, on_found, client));
    rig_settle(rig);
    assert_int_equal(client->answers, 1);
}

static void open_desk(struct rig *rig)
{
    static const char *const names[] = {"root", "adm-a", "adm-b", "svc-x", "zed"};

    rig_start(rig, 1);
    for (size_t i = 0; i < 5; i++)
        fake_vault_add(&rig->vault[0], 1, 11 + (int64_t)i, "web01", names[i], "x");
    rig->vault[0].accounts[4].row.kind = KIND_DOMAIN_LINKED;
    rig->vault[0].accounts[4].row.domain = "ACME";
}

static const struct session web = {.hostname = "web01", .method = METHOD_SHELL};

TEST(names_are_shown_as_configured)
{
    static char display[] = "{kind}: {domain_account} on {system} [{where}] {instance}{nothing}{vault}{",
                empty[] = "";
    const struct account account = {.kind = KIND_DOMAIN_LINKED,
                                    .system = "web01",
                                    .account = "adm",
                                    .domain = "ACME"},
                         application = {.kind = KIND_APPLICATION,
                                        .system = "host",
                                        .account = "clerk",
                                        .domain = "ACME",
                                        .application = "Ledger"};
    struct conf_vault conf = {.name = "safe", .display = display};
    char out[96], small[8];
    size_t n;

    n = display_name_write(&conf, &account, false, out, sizeof(out));
    assert_int_equal(n, strlen(out));
    assert_string_equal(out, "domain: ACME\\adm on web01 [web01] {nothing}safe{");
    assert_int_equal(display_name_write(&conf, &account, false, small, sizeof(small)), strlen(out));
    assert_string_equal(small, "domain:");
    conf.display = empty;
    (void)display_name_write(&conf, &application, false, out, sizeof(out));
    assert_string_equal(out, "clerk (Ledger)");
    (void)display_name_write(&conf, &application, true, out, sizeof(out));
    assert_string_equal(out, "clerk (Ledger) [safe]");
    const struct account labelled = {
        .kind = KIND_LOCAL, .system = "web01", .account = "adm", .label = "The {web} server"};
    (void)display_name_write(&conf, &labelled, true, out, sizeof(out));
    assert_string_equal(out, "The {web} server [safe]");
}

TEST(hides_prefers_and_caps)
{
    static char svc[] = "SVC-*", zed[] = "acme\\z*", adm[] = "adm-?", none[] = "nobody";
    char *hide[] = {svc}, *first[] = {zed, none, adm};
    struct client c;
    struct rig rig;

    open_desk(&rig);
    find(&rig, &c, web);
    assert_int_equal(c.n, 5);
    assert_string_equal(c.shown[0], "adm-a (web01)");
    rig.vault[0].conf.hide = (struct conf_list){hide, 1};
    find(&rig, &c, web);
    assert_int_equal(c.n, 4);
    rig.vault[0].conf.favourites = (struct conf_list){first, 3};
    find(&rig, &c, web);
    assert_string_equal(c.shown[0], "ACME\\zed (web01)");
    assert_string_equal(c.shown[1], "adm-a (web01)");
    assert_string_equal(c.shown[3], "root (web01)");
    rig.vault[0].conf.credential_limit = 2;
    find(&rig, &c, web);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.shown[1], "adm-a (web01)");
    rig_end(&rig);
}

static size_t asked(struct session session, unsigned kinds, bool restrict_network, struct account_query *out)
{
    const struct conf_vault conf = {.kinds = kinds, .restrict_network = restrict_network};
    static char name_text[] = "web01", ip_text[] = "10.0.0.5";
    const struct host_name name = {.value = name_text}, ip = {.value = ip_text, .ip = true};
    const struct host_name *const names[] = {&name, &ip};

    return find_queries_make(&session, &conf, names, 2, out);
}

TEST(asks_for_the_kinds_there_are)
{
    struct account_query out[FANOUT_QUERIES_MAX];
    const unsigned all = (1U << KIND_NKINDS) - 1;

    assert_int_equal(asked((struct session){.method = METHOD_RDP}, 0, false, out), 6);
    assert_int_equal(asked((struct session){.method = METHOD_WEB}, 0, false, out), 7);
    assert_int_equal(out[6].kind, KIND_CLOUD);
    assert_string_equal(out[6].system, "web01");
    assert_null(out[6].workgroup);
    assert_int_equal(asked((struct session){.application = "Ledger"}, all, false, out), 9);
    assert_int_equal(out[7].kind, KIND_APPLICATION);
    assert_int_equal(out[8].kind, KIND_ALIAS);
    assert_int_equal(asked((struct session){.application = "Ledger"}, 1U << KIND_LOCAL, false, out), 2);
    assert_int_equal(asked((struct session){.network_id = "Berlin"}, 1U << KIND_LOCAL, true, out), 2);
    assert_string_equal(out[1].workgroup, "Berlin");
    assert_int_equal(asked((struct session){.network_id = ""}, 1U << KIND_LOCAL, true, out), 2);
    assert_null(out[1].workgroup);
}

TEST(keeps_aliases_of_the_endpoint)
{
    struct fake_account *account;
    struct client c;
    struct rig rig;

    open_desk(&rig);
    rig.vault[0].conf.kinds = 1U << KIND_ALIAS;
    for (int i = 0; i < 3; i++) {
        static const char *const systems[] = {"WEB01", "db01", "db02"}, *const aliases[] = {"a", "web01",
                                                                                            "c"};
        account = fake_vault_add(&rig.vault[0], 0, 70 + i, systems[i], "root", "x");
        account->row.kind = KIND_ALIAS;
        account->row.alias = aliases[i];
    }
    find(&rig, &c, web);
    assert_int_equal(rig.nasked, 1);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.shown[0], "root (a)");
    assert_string_equal(c.shown[1], "root (web01)");
    rig_end(&rig);
}

TEST(the_platform_tells_of_keys)
{
    static char reader[] = "svc-reader";
    static const struct directory_row systems[] = {{.id = 1, .name = "web01", .platform_id = 25},
                                                   {.id = 2, .name = "web02", .platform_id = 2}},
                                      platforms[] = {{.id = 2, .name = "Linux", .ssh_keys = true},
                                                     {.id = 25, .name = "Windows"}};
    struct client c;
    struct rig rig;

    open_desk(&rig);
    fake_vault_add(&rig.vault[0], 2, 99, "web02", "root", "x");
    rig.vault[0].conf.directory_user = reader;
    rig.vault[0].directory[DIRECTORY_SYSTEMS] = systems;
    rig.vault[0].directory[DIRECTORY_PLATFORMS] = platforms;
    rig.vault[0].ndirectory[DIRECTORY_SYSTEMS] = rig.vault[0].ndirectory[DIRECTORY_PLATFORMS] = 2;
    find(&rig, &c, web); /* the directory may come in time, or not */
    find(&rig, &c, web);
    assert_string_equal(c.type[0], "password");
    find(&rig, &c, (struct session){.hostname = "web02"});
    assert_string_equal(c.type[0], "unknown");
    rig_end(&rig);
}

TEST(names_are_the_same_in_any_spelling)
{
    static const char *const same[][2] = {{"web01.", "WEB01"},
                                          {"[FE80::1]", "fe80:0:0:0:0:0:0:1"},
                                          {"m\xc3\xbcnchen", "M\xc3\x9cNCHEN"},
                                          {"10.0.0.5", "10.0.0.5"}};
    static const char *const other[][2] = {
        {"web01", "web1"}, {"web01.acme.test", "web01"}, {"fe80::1", "fe80::2"}, {"", ""}, {"web01", NULL}};

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        assert_true(host_name_equal(same[i][0], same[i][1]) && host_name_equal(same[i][1], same[i][0]));
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        assert_false(host_name_equal(other[i][0], other[i][1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_shown_as_configured), cmocka_unit_test(hides_prefers_and_caps),
        cmocka_unit_test(asks_for_the_kinds_there_are),  cmocka_unit_test(keeps_aliases_of_the_endpoint),
        cmocka_unit_test(the_platform_tells_of_keys),    cmocka_unit_test(names_are_the_same_in_any_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
