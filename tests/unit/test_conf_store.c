/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf_store.c - the store's section: its keys, its types, and what goes together.
 *
 * In the rows, `@GOOD@` is eight lines long, so that STORE begins in line 9 and a key behind it is in
 * line 12.
 */
#include "check.h"
#include "conf/conf_change.h"
#include "conf_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREE "https://a.example:2379 https://b.example:2379 https://c.example:2379"
#define STORE "@GOOD@\n[store]\ntype = etcd\nendpoints = " THREE "\n"
#define NODE  "node = g1\n"

struct row {
    const char *text;
    unsigned line;
    const char *message;
};

TEST(without_the_section_it_is_sqlite)
{
    struct fixture *f = *state;

    assert_loads(f, "@GOOD@\n");
    assert_int_equal(f->conf->store.type, STORE_SQLITE);
    assert_int_equal(f->conf->store.endpoints.n, 0);
    assert_null(f->conf->store.node);
    assert_loads(f, "@GOOD@\n[store]\ntype = sqlite\n");
    assert_int_equal(fixture_messages(f), 0);
}

TEST(etcd_with_its_addresses_has_the_defaults)
{
    struct fixture *f = *state;
    char host[256] = "";

    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    assert_loads(f, STORE);
    const struct conf_store *s = &f->conf->store;
    assert_int_equal(s->type, STORE_ETCD);
    assert_int_equal(s->endpoints.n, 3);
    assert_string_equal(s->endpoints.item[1], "https://b.example:2379");
    assert_string_equal(s->prefix, "/jumpgate/");
    assert_string_equal(s->node, host);
    assert_int_equal(s->ttl_ms, 6000);
    assert_null(s->ca_file);
    assert_null(s->user);
    assert_false(s->insecure_http);
}

TEST(keys_of_the_store_are_read)
{
    struct fixture *f = *state;

    (void)fixture_file(f, "password", "s3cret\n", 0600);
    assert_loads(f, "@GOOD@\n[store]\ntype = etcd\nendpoints = HTTPS://A.example:02379/ http://[::1]:1 "
                    "http://localhost:2\nprefix = /a/b.c/\nnode = gw-1.x_Y\nttl = 3s\nuser = jg\n"
                    "password_file = @DIR@/password\n");
    const struct conf_store *s = &f->conf->store;
    assert_string_equal(s->endpoints.item[0], "https://a.example:2379");
    assert_string_equal(s->endpoints.item[1], "http://[::1]:1");
    assert_string_equal(s->prefix, "/a/b.c/");
    assert_string_equal(s->node, "gw-1.x_Y");
    assert_int_equal(s->ttl_ms, 3000);
    assert_string_equal(s->user, "jg");
    assert_int_equal(fixture_messages(f), 0);
}

TEST(every_mistake_has_its_line)
{
    static const struct row rows[] = {
        {"@GOOD@\n[store]\ntype = etcd\n", 9, "[store] lacks `endpoints`"},
        {"@GOOD@\n[store]\nendpoints = " THREE "\n", 10, "`endpoints` is for etcd"},
        {"@GOOD@\n[store]\ntype = sqlite\nnode = a\n", 11, "`node` is for etcd"},
        {"@GOOD@\n[store]\nttl = 6s\n", 10, "`ttl` is for etcd"},
        {"@GOOD@\n[store a]\n", 9, "section [store] takes no name"},
        {"@GOOD@\n[store]\ntype = consul\n", 10, "`type` knows only: sqlite etcd"},
        {"@GOOD@\n[store]\npassword = x\n", 10, "`password` in [store] would put a secret"},
        {STORE "ttl = 2999ms\n", 12, "`ttl` must be from 3s to 8s"},
        {STORE "ttl = 9s\n", 12, "`ttl` must be from 3s to 8s"},
        {STORE "prefix = jumpgate/\n", 12, "`prefix` must begin and end with /"},
        {STORE "prefix = /jumpgate\n", 12, "`prefix` must begin and end with /"},
        {STORE "prefix = /\n", 12, "`prefix` must begin and end with /"},
        {STORE "prefix = /a//b/\n", 12, "`prefix` must begin and end with /"},
        {STORE "prefix = /a b/\n", 12, "`prefix` has a letter other than"},
        {STORE "node = g/1\n", 12, "`node` must be 1 to 63 letters"},
        {STORE "node = 0123456789012345678901234567890123456789012345678901234567890123\n", 12,
         "`node` must be 1 to 63 letters"},
        {STORE "user = jg\n", 12, "`user` needs `password_file` beside it"},
        {STORE "client_key = @DIR@/key\n", 12, "`client_key` needs `client_certificate` beside it"},
        {"@GOOD@\n[store]\ntype = etcd\nendpoints = http://192.0.2.1:2379 " THREE "\n", 11,
         "http://192.0.2.1:2379 must be https"},
        {"@GOOD@\n[store]\ntype = etcd\nendpoints = https://a.example\n", 11,
         "`endpoints` needs addresses with their port, such as https://a.example:2379"},
        {"@GOOD@\n[store]\ntype = etcd\nendpoints = https://a.example:1/v3\n", 11,
         "`endpoints` needs addresses without a path"},
        {"@GOOD@\n[store]\ntype = etcd\nendpoints = https://a.example:1 https://A.example:1\n", 11,
         "`endpoints` names https://a.example:1 twice"},
        {"@GOOD@\n[store]\ntype = etcd\nendpoints = a.example:2379\n", 11, "`endpoints` "},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_mistake(*state, rows[i].text, rows[i].line, rows[i].message);
}

TEST(what_is_unwise_is_warned_of)
{
    static const struct row rows[] = {
        {"@GOOD@\n[store]\ntype = etcd\nendpoints = https://a.example:2379\n" NODE, 11,
         "`endpoints` names one member of etcd"},
        {STORE NODE "insecure_http = yes\n", 13, "`insecure_http` has no effect"},
        {"@GOOD@\n[store]\ntype = etcd\nendpoints = http://192.0.2.1:1 http://192.0.2.2:1\n" NODE
         "insecure_http = yes\n",
         13, "with plain http who can read along sees who has which account"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_warned(*state, rows[i].text, rows[i].line, rows[i].message);
}

TEST(all_of_it_changes_with_a_restart_only)
{
    static const char *const keys[] = {"prefix = /b/\n", "node = g2\n", "ttl = 5s\n"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char text[1024];
        struct conf_change change;

        assert_loads(f, STORE NODE);
        struct conf *now = f->conf;
        f->conf = NULL;
        (void)snprintf(text, sizeof(text), "%s%s", i == 1 ? STORE : STORE NODE, keys[i]);
        assert_loads(f, text);
        assert_int_equal(conf_compare(now, f->conf, &change), 0);
        assert_int_equal(change.refused, 1);
        assert_int_equal(change.changed, 0);
        conf_change_free(&change);
        conf_free(now);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(without_the_section_it_is_sqlite), ROW(etcd_with_its_addresses_has_the_defaults),
        ROW(keys_of_the_store_are_read),       ROW(every_mistake_has_its_line),
        ROW(what_is_unwise_is_warned_of),      ROW(all_of_it_changes_with_a_restart_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
