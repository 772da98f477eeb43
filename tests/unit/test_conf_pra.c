/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf_pra.c - the site's section: its keys, its types, and what goes together with listeners.
 *
 * In the rows, `@GOOD@` is eight lines long, so that SITE begins in line 9 and a key behind it is in line 13.
 */
#include "base/address.h"
#include "check.h"
#include "conf/conf_change.h"
#include "conf_fixture.h"

#include <string.h>

#define SITE                                                                                                 \
    "@GOOD@\n[pra site]\nurl = https://site.example.com\nclient_id = 6c0b\n"                                 \
    "client_secret_file = @DIR@/secret\n"
#define DIGEST_A FIXTURE_TOKEN
#define DIGEST_B "0000000000000000000000000000000000000000000000000000000000000001"

struct row {
    const char *text;
    unsigned line;
    const char *message;
};

static void put_secret(struct fixture *f)
{
    (void)fixture_file(f, "secret", "s3cret\n", 0600);
}

TEST(a_site_of_three_keys_has_the_defaults)
{
    struct fixture *f = *state;

    put_secret(f);
    assert_loads(f, SITE);
    assert_int_equal(f->conf->npras, 1);
    const struct conf_pra *p = f->conf->pras;
    assert_string_equal(p->name, "site");
    assert_string_equal(p->url, "https://site.example.com");
    assert_int_equal(p->connect_timeout_ms, 5000);
    assert_int_equal(p->call_timeout_ms, 10000);
    assert_int_equal(p->report_timeout_ms, 30000);
    assert_int_equal(p->max_answer, 16 << 20);
    assert_true(p->rate_per_s == 5.0);
    assert_int_equal(p->probe_interval_ms, 15000);
    assert_int_equal(p->check_interval_ms, 300000);
    assert_int_equal(p->poll_interval_ms, 15000);
    assert_int_equal(p->poll_overlap_ms, 120000);
    assert_int_equal(p->catch_up_ms, 86400000);
    assert_int_equal(p->events_token.n, 0);
    assert_int_equal(p->events_from.n, 0);
    assert_false(p->terminate);
    assert_false(p->jumpoints.all);
    assert_int_equal(p->jumpoints.names.n, 0);
    assert_false(p->ecm);
    assert_int_equal(f->conf->listeners[0].routes, ROUTES_ALL);
}

TEST(a_configuration_without_a_site_has_none)
{
    struct fixture *f = *state;

    assert_loads(f, "@GOOD@\n");
    assert_int_equal(f->conf->npras, 0);
}

TEST(keys_of_the_site_are_read)
{
    struct fixture *f = *state;

    put_secret(f);
    assert_loads(f, SITE "rate = 90/m\npoll_interval = 1s\nterminate = yes\necm = yes\n"
                         "jumpoints = dc1 \"Branch office\" \"all\"\n"
                         "events_token_sha256 = " DIGEST_A " " DIGEST_B "\n"
                         "events_from = 192.0.2.7 10.0.0.0/8 2001:db8::/32\n"
                         "[listener events]\naddress = 127.0.0.1:9443\nroutes = events\n");
    const struct conf_pra *p = f->conf->pras;
    assert_true(p->rate_per_s == 1.5);
    assert_true(p->terminate && p->ecm);
    assert_false(p->jumpoints.all);
    assert_int_equal(p->jumpoints.names.n, 3);
    assert_string_equal(p->jumpoints.names.item[1], "Branch office");
    assert_string_equal(p->jumpoints.names.item[2], "all");
    assert_int_equal(p->events_token.n, 2);
    assert_int_equal(p->events_token.sha256[1][31], 1);
    assert_int_equal(p->events_from.n, 3);
    assert_int_equal(f->conf->listeners[1].routes, ROUTES_EVENTS);
}

TEST(all_jumpoints_are_the_bare_word)
{
    struct fixture *f = *state;

    put_secret(f);
    assert_loads(f, SITE "jumpoints = all\n");
    assert_true(f->conf->pras->jumpoints.all);
    assert_int_equal(f->conf->pras->jumpoints.names.n, 0);
}

TEST(every_mistake_has_its_line)
{
    static const struct row rows[] = {
        {"@GOOD@\n[pra site]\n", 9, "[pra site] lacks `url`"},
        {"@GOOD@\n[pra site]\n", 9, "[pra site] lacks `client_id`"},
        {"@GOOD@\n[pra site]\n", 9, "[pra site] lacks `client_secret_file`"},
        {"@GOOD@\n[pra]\n", 9, "section [pra] needs a name"},
        {"@GOOD@\n[pra s]\nurl = http://site.example.com\n", 10, "`url` must be https"},
        {"@GOOD@\n[pra s]\nurl = http://127.0.0.1:1\n", 10,
         "`url` must be https; for a simulator on this machine set"},
        {"@GOOD@\n[pra s]\nurl = https://site.example.com/login\n", 10, "`url` must not have a path"},
        {"@GOOD@\n[pra s]\nclient_id = a:b\n", 10, "`client_id` must not hold a colon"},
        {"@GOOD@\n[pra s]\nclient_secret = x\n", 10, "`client_secret` in [pra s] would put a secret"},
        {"@GOOD@\n[pra s]\nevents_token = x\n", 10, "`events_token` in [pra s] would put a secret"},
        {SITE "[pra two]\n", 13, "a second [pra] section after [pra site] in line 9"},
        {SITE "rate = 11/s\n", 13, "`rate` needs a rate such as 5/s"},
        {SITE "rate = 601/m\n", 13, "`rate` needs a rate"},
        {SITE "rate = 0/s\n", 13, "`rate` needs a rate"},
        {SITE "rate = off\n", 13,
         "`rate` needs a rate such as 5/s or 100/m, from 1/m to 10/s, and cannot be off"},
        {SITE "probe_interval = 999ms\n", 13, "`probe_interval` must be from 1s to 1h"},
        {SITE "poll_interval = 999ms\n", 13, "`poll_interval` must be 0s, or 1s and more"},
        {SITE "poll_overlap = 1h\ncatch_up = 1m\n", 13, "`poll_overlap` must not be longer than"},
        {SITE "events_token_sha256 = " DIGEST_A " " DIGEST_A " " DIGEST_A "\n", 13,
         "`events_token_sha256` needs one or two SHA-256"},
        {SITE "events_token_sha256 = 00\n", 13, "`events_token_sha256` needs one or two SHA-256"},
        {SITE "events_from = site.example.com\n", 13, "`events_from` needs IP addresses or networks"},
        {SITE "events_from = 10.0.0.0/33\n", 13, "`events_from` needs a prefix length"},
        {SITE "events_from = 10.0.0.0/\n", 13, "`events_from` needs a prefix length"},
        {SITE "events_from = 10.0.0.1/8\n", 13,
         "`events_from` has a network with bits set behind its prefix length"},
        {SITE "events_from = 10.0.0.0/8 10.0.0.0/8\n", 13, "`events_from` names `10.0.0.0/8` twice"},
        {SITE "jumpoints = \"open\n", 13,
         "`jumpoints` needs names, each with blanks in it within double quotes"},
        {SITE "jumpoints = a\"b\"\n", 13,
         "`jumpoints` needs names, each with blanks in it within double quotes"},
        {SITE "jumpoints = \"\"\n", 13, "`jumpoints` holds an empty name"},
        {SITE "jumpoints = a a\n", 13, "`jumpoints` names `a` twice"},
        {SITE "jumpoints = all a\n", 13, "`jumpoints` names Jumpoints beside `all`"},
        {"[listener a]\naddress = 127.0.0.1:1\nroutes = events\n", 3, "every listener has routes = events"},
        {"@GOOD@\n[listener b]\naddress = 127.0.0.1:1\nroutes = some\n", 11, "`routes` knows only"},
    };

    put_secret(*state);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_mistake(*state, rows[i].text, rows[i].line, rows[i].message);
}

TEST(what_has_no_effect_is_warned_of)
{
    static const struct row rows[] = {
        {SITE "poll_interval = 0s\n", 13,
         "with `poll_interval` 0s and without `events_token_sha256` no lease ends early"},
        {SITE "poll_interval = 0s\nevents_token_sha256 = " DIGEST_A "\n", 13,
         "with `poll_interval` 0s a lost event is made good"},
        {SITE "events_from = 10.0.0.0/8\n", 13, "`events_from` has no effect"},
        {SITE "connect_timeout = 1m\n", 13, "`connect_timeout` is longer than `call_timeout`"},
        {"@GOOD@\n[listener e]\naddress = 127.0.0.1:9443\nroutes = events\n", 11,
         "[listener e] serves only /livez"},
    };

    put_secret(*state);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_warned(*state, rows[i].text, rows[i].line, rows[i].message);
}

/* ---- reload ---- */

static void compare_with(struct fixture *f, const char *text, struct conf_change *change)
{
    struct conf *now;

    put_secret(f);
    assert_loads(f, SITE);
    now = f->conf;
    f->conf = NULL;
    assert_loads(f, text);
    assert_int_equal(conf_compare(now, f->conf, change), 0);
    conf_free(now);
}

TEST(a_reload_changes_all_but_address_and_account)
{
    struct conf_change change;

    compare_with(*state, SITE "poll_interval = 5s\nevents_token_sha256 = " DIGEST_A "\ncatch_up = 1h\n",
                 &change);
    assert_int_equal(change.refused, 0);
    assert_int_equal(change.changed, 3);
    conf_change_free(&change);
    compare_with(*state,
                 "@GOOD@\n[pra site]\nurl = https://b.example.com\nclient_id = 7\n"
                 "client_secret_file = @DIR@/secret\n",
                 &change);
    assert_int_equal(change.refused, 2);
    conf_change_free(&change);
}

TEST(a_site_comes_and_goes_with_a_restart_only)
{
    struct conf_change change;

    compare_with(*state, "@GOOD@\n", &change);
    assert_int_equal(change.refused, 1);
    assert_non_null(strstr(change.reasons.data, "[pra] sections cannot be added"));
    conf_change_free(&change);
}

/* ---- networks ---- */

TEST(a_network_holds_its_addresses_in_every_form)
{
    static const struct {
        const char *network, *ip;
        bool in;
    } rows[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.200", true},
        {"0.0.0.0/0", "203.0.113.1", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "203.0.113.1", true},
        {"2001:db8::/33", "2001:db8::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"2001:db8::1", "2001:db8:0:0::1", true},
        {"0.0.0.0/0", "unix", false},
        {"::/0", "", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address_network network;
        char why[ADDRESS_WHY_SIZE];

        assert_int_equal(address_network(rows[i].network, &network, why), 0);
        if (address_in_network(&network, rows[i].ip) != rows[i].in)
            fail_msg("%s in %s", rows[i].ip, rows[i].network);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_site_of_three_keys_has_the_defaults),
        ROW(a_configuration_without_a_site_has_none),
        ROW(keys_of_the_site_are_read),
        ROW(all_jumpoints_are_the_bare_word),
        ROW(every_mistake_has_its_line),
        ROW(what_has_no_effect_is_warned_of),
        ROW(a_reload_changes_all_but_address_and_account),
        ROW(a_site_comes_and_goes_with_a_restart_only),
        cmocka_unit_test(a_network_holds_its_addresses_in_every_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
