/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf_change.c - what differs between two configurations, what may change, and the exchange.
 */
#include "check.h"

#include "conf/conf_change.h"
#include "conf/conf_sections.h"
#include "conf_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    struct conf *now, *next;
    struct conf_change change;
};

static struct conf *load(struct fixture *f, const char *text)
{
    struct conf *conf;

    assert_loads(f, text);
    conf = f->conf;
    f->conf = NULL;
    return conf;
}

static void compare(struct fixture *f, struct pair *p, const char *now, const char *next)
{
    p->now = load(f, now);
    p->next = load(f, next);
    assert_int_equal(conf_compare(p->now, p->next, &p->change), 0);
}

static void end(struct pair *p)
{
    conf_change_free(&p->change);
    conf_free(p->now);
    conf_free(p->next);
}

static void assert_names(const struct pair *p, const char *names)
{
    assert_int_equal(p->change.refused, 0);
    assert_int_equal(p->change.names.len, strlen(names));
    if (*names)
        assert_memory_equal(p->change.names.data, names, strlen(names));
}

static void assert_refused(struct pair *p, const char *reason)
{
    assert_true(p->change.refused > 0);
    assert_non_null(strstr(buf_cstr(&p->change.reasons), reason));
}

TEST(the_same)
{
    struct pair p;

    compare(*state, &p, "@GOOD@\n", "# written otherwise\n[gateway]\nlist_cache = 15000ms\n@GOOD@\n");
    assert_int_equal(p.change.changed, 0);
    assert_names(&p, "");
    end(&p);
}

TEST(keys_are_named_without_values)
{
    struct pair p;

    compare(*state, &p, "@GOOD@\n", "[gateway]\nlist_cache = 3s\nlog_level = debug\n@GOOD@\n");
    assert_names(&p, "gateway.list_cache, gateway.log_level");
    assert_int_equal(p.change.changed, 2);
    end(&p);
}

#define UNIX "[listener u]\naddress = unix:/x\n"
#define TWO  "[client two]\npeer_uid = 7\nallow = observe\n"

TEST(clients_come_and_go)
{
    struct pair p;

    compare(*state, &p, "@GOOD@\n" UNIX, "@GOOD@\n" UNIX TWO);
    assert_names(&p, "client two (new)");
    end(&p);
    compare(*state, &p, "@GOOD@\n" UNIX TWO, "@GOOD@\n" UNIX);
    assert_names(&p, "client two (removed)");
    end(&p);
    compare(*state, &p, "@GOOD@\n" UNIX TWO, TWO "@GOOD@\n" UNIX);
    assert_names(&p, "clients (order)");
    end(&p);
}

TEST(what_needs_a_restart)
{
    struct pair p;

    compare(*state, &p, "@GOOD@\n", "[gateway]\nstate_dir = /elsewhere\n@GOOD@\n");
    assert_refused(&p, "[gateway] `state_dir`");
    end(&p);
    compare(*state, &p, "@GOOD@\n", "@GOOD@\n[listener more]\naddress = 127.0.0.1:1\n");
    assert_refused(&p, "[listener] sections");
    end(&p);
    compare(*state, &p, "[listener more]\naddress = 127.0.0.1:1\n@GOOD@\n",
            "@GOOD@\n[listener more]\naddress = 127.0.0.1:1\n");
    assert_refused(&p, "order");
    end(&p);
}

/* Whoever holds the old addresses sees the new values, and the old ones live on in the other struct. */
TEST(exchanged_in_place)
{
    struct pair p;
    const struct conf_vault *vault;
    const struct conf_gateway *gateway;
    char digest[65];

    compare(*state, &p, "@GOOD@\n" UNIX, "[gateway]\nlist_cache = 3s\n@GOOD@\n" UNIX TWO);
    vault = &p.now->vaults[0];
    gateway = &p.now->gateway;
    memcpy(digest, p.next->digest, sizeof(digest));
    conf_exchange(p.now, p.next);
    assert_ptr_equal(vault, &p.now->vaults[0]);
    assert_int_equal(gateway->list_cache_ms, SECONDS(3));
    assert_int_equal(p.next->gateway.list_cache_ms, SECONDS(15));
    assert_int_equal(p.now->nclients, 2);
    assert_int_equal(p.next->nclients, 1);
    assert_string_equal(p.now->digest, digest);
    end(&p);
}

/* Each key says itself whether a reload may change it: those that hold sockets and files open may not. */
TEST(static_keys)
{
    static const struct {
        enum conf_section section;
        const char *name;
    } rows[] = {{SECTION_GATEWAY, "state_dir"},   {SECTION_GATEWAY, "audit_file"},
                {SECTION_LISTENER, "address"},    {SECTION_LISTENER, "unix_mode"},
                {SECTION_VAULT, "url"},           {SECTION_VAULT, "type"},
                {SECTION_VAULT, "insecure_http"}, {SECTION_VAULT, "oauth_client_id"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(conf_row_find(&conf_gateway_table, rows[i].section, rows[i].name)->flags & CONF_STATIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(keys_are_named_without_values, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(clients_come_and_go, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_needs_a_restart, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(exchanged_in_place, fixture_setup, fixture_teardown),
        cmocka_unit_test(static_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
