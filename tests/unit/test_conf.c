/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf.c - what a good configuration means: defaults, values, spelling, digest.
 */
#include "check.h"
#include "conf_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(defaults_are_as_documented)
{
    struct fixture *f = *state;
    assert_loads(f, "@GOOD@\n");
    const struct conf_gateway *g = &f->conf->gateway;
    const struct conf_vault *v = &f->conf->vaults[0];

    assert_int_equal(f->errors.len, 0);
    assert_string_equal(g->state_dir, "/var/lib/jumpgate");
    assert_string_equal(g->audit_file, "/var/lib/jumpgate/audit.jsonl");
    assert_int_equal(g->release_duration_ms, MINUTES(60));
    assert_int_equal(g->list_cache_ms, SECONDS(15));
    assert_int_equal(g->request_timeout_ms, SECONDS(15));
    assert_int_equal(g->max_connections, 10000);
    assert_int_equal(g->max_inflight, 4096);
    assert_int_equal(g->max_body, 65536);
    assert_int_equal(g->endpoint_limit, 200);
    assert_int_equal(g->catalogue_cache_ms, MINUTES(1));
    assert_int_equal(g->catalogue_max_age_ms, MINUTES(10));
    assert_int_equal(g->drain_timeout_ms, SECONDS(30));
    assert_false(g->release_on_stop);
    assert_int_equal(g->log_level, LOG_INFO);
    assert_false(g->log_json);
    assert_string_equal(g->log_file, "-");
    assert_int_equal(g->audit_policy, AUDIT_STRICT);
    assert_string_equal(v->type, "password_safe");
    assert_int_equal(v->run_as.n, 1);
    assert_string_equal(v->run_as.item[0], "{domain}\\{username}");
    assert_int_equal(v->nmatch, FORM_NFORMS);
    for (size_t i = 0; i < FORM_NFORMS; i++)
        assert_int_equal(v->match[i], i);
    assert_int_equal(v->session_idle_ms, MINUTES(10));
    assert_int_equal(v->sessions_per_user, 4);
    assert_int_equal(v->max_calls, 4096);
    assert_int_equal(v->max_wait_ms, 0);
    assert_int_equal(v->connections, 64);
    assert_int_equal(v->connect_timeout_ms, SECONDS(5));
    assert_int_equal(v->call_timeout_ms, SECONDS(10));
    assert_int_equal(v->retries, 2);
    assert_int_equal(v->minute_ms, MINUTES(1));
    assert_int_equal(v->username_form, USERNAME_DOMAIN);
    assert_false(v->ask_policy);
    assert_string_equal(v->reason, "");
    assert_null(v->default_domain);
    assert_null(v->proxy);
}

TEST(sections_take_their_values)
{
    struct fixture *f = *state;
    assert_loads(
        f, "[gateway]\nstate_dir = @DIR@\nlist_cache = 0s\nmax_body = 1M\nlog_level = debug\n"
           "log_format = json\nrelease_on_stop = On\nrelease_duration = 2h\naudit_policy = degraded\n"
           "[listener v6]\naddress = [0:0::1]:0\n"
           "[listener sock]\naddress = unix:/run/x.sock\nunix_mode = 0600\nunix_owner = root\n"
           "[client a.b-c_D]\ntoken_sha256 = " FIXTURE_TOKEN "\nallow = observe broker\nrate = 90/m\n"
           "[client local]\npeer_uid = 0\nallow = operate\n"
           "[vault sim]\nurl = http://localhost:8080/BeyondTrust/api/public/v3///\ninsecure_http = yes\n"
           "api_key_file = @DIR@/key\nmatch = ip_address name\nrun_as = {username}  {username}@{domain}\n"
           "username_form = upn\nreason = by {user} in {session}\ndefault_domain = ACME\n"
           "proxy = socks5h://127.0.0.1:1080\n");
    const struct conf *c = f->conf;

    assert_int_equal(c->gateway.list_cache_ms, 0);
    assert_int_equal(c->gateway.max_body, 1024 * 1024);
    assert_int_equal(c->gateway.release_duration_ms, HOURS(2));
    assert_int_equal(c->gateway.log_level, LOG_DEBUG);
    assert_true(c->gateway.log_json);
    assert_true(c->gateway.release_on_stop);
    assert_int_equal(c->gateway.audit_policy, AUDIT_DEGRADED);
    assert_true(strncmp(c->gateway.audit_file, f->dir, strlen(f->dir)) == 0);
    assert_int_equal(c->nlisteners, 2);
    assert_string_equal(c->listeners[0].name, "v6");
    assert_string_equal(c->listeners[0].host, "::1");
    assert_int_equal(c->listeners[0].port, 0);
    assert_true(c->listeners[1].is_unix);
    assert_string_equal(c->listeners[1].host, "/run/x.sock");
    assert_int_equal(c->listeners[1].unix_mode, 0600);
    assert_int_equal(c->nclients, 2);
    assert_string_equal(c->clients[0].name, "a.b-c_D");
    assert_true(c->clients[0].has_token);
    assert_int_equal(c->clients[0].token_sha256[0], 0xab);
    assert_int_equal(c->clients[0].allow, PERMIT_BROKER | PERMIT_OBSERVE);
    assert_true(c->clients[0].rate_per_s == 1.5);
    assert_int_equal(c->clients[0].peer_uid, -1);
    assert_int_equal(c->clients[1].peer_uid, 0);
    assert_true(c->clients[1].rate_per_s == 0);
    assert_string_equal(c->vaults[0].url, "http://localhost:8080/BeyondTrust/api/public/v3");
    assert_true(c->vaults[0].insecure_http);
    assert_int_equal(c->vaults[0].nmatch, 2);
    assert_int_equal(c->vaults[0].match[0], FORM_IP_ADDRESS);
    assert_int_equal(c->vaults[0].run_as.n, 2);
    assert_string_equal(c->vaults[0].run_as.item[1], "{username}@{domain}");
    assert_int_equal(c->vaults[0].username_form, USERNAME_UPN);
    assert_string_equal(c->vaults[0].reason, "by {user} in {session}");
    assert_string_equal(c->vaults[0].default_domain, "ACME");
}

TEST(names_in_certificates_are_normalized)
{
    static const struct {
        const char *written, *normal;
    } rows[] = {
        {"Gw.Example", "DNS:gw.example"},
        {"dns:GW.example", "DNS:gw.example"},
        {"URI:spiffe://Example/Pra", "URI:spiffe://Example/Pra"},
        {"EMAIL:Ops@example.com", "email:Ops@example.com"},
        {"IP:192.0.2.7", "IP:192.0.2.7"},
        {"ip:2001:DB8:0:0::1", "IP:2001:db8::1"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", rows[i].written);
        char text[256];
        (void)snprintf(text, sizeof(text), "@GOOD@\n[client c]\ncertificate_san = %s\nallow = broker\n",
                       rows[i].written);
        assert_loads(f, text);
        assert_string_equal(f->conf->clients[1].certificate_san, rows[i].normal);
    }
}

TEST(lines_may_be_written_freely)
{
    struct fixture *f = *state;

    assert_loads(f, "\xef\xbb\xbf; comment\r\n  # another = one\r\n\t[ gateway ]  ; here\r\n"
                    "   list_cache=3s # why\r\n   max_body :\t2k\r\n\r\n"
                    "   log_file = /tmp/a;b#c ;d\r\n@GOOD@\n"
                    "   reason = for PRA#7; {session}\n    ask_policy = TRUE");
    assert_int_equal(f->conf->gateway.list_cache_ms, SECONDS(3));
    assert_int_equal(f->conf->gateway.max_body, 2048);
    assert_string_equal(f->conf->gateway.log_file, "/tmp/a;b#c");
    assert_string_equal(f->conf->vaults[0].reason, "for PRA#7; {session}");
    assert_true(f->conf->vaults[0].ask_policy);
}

TEST(a_long_line_is_whole)
{
    struct fixture *f = *state;
    char text[4096], domain[257];

    memset(domain, 'd', sizeof(domain) - 1);
    domain[sizeof(domain) - 1] = '\0';
    (void)snprintf(text, sizeof(text), "@GOOD@\ndefault_domain = %s%3000s\nretries = 7\n", domain, "");
    assert_loads(f, text);
    assert_string_equal(f->conf->vaults[0].default_domain, domain);
    assert_int_equal(f->conf->vaults[0].retries, 7);
}

TEST(an_empty_value_means_none_where_it_may)
{
    struct fixture *f = *state;

    assert_loads(f, "@GOOD@\ndefault_domain =\nreason =\n");
    assert_null(f->conf->vaults[0].default_domain);
    assert_string_equal(f->conf->vaults[0].reason, "");
}

TEST(credentials_come_from_their_directory)
{
    static const char *const spelled[] = {"$CREDENTIALS_DIRECTORY/", "${CREDENTIALS_DIRECTORY}/", "%d/"};
    struct fixture *f = *state;
    char text[512], path[128];

    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", f->dir, 1), 0);
    (void)snprintf(path, sizeof(path), "%s", fixture_file(f, "cred", "secret", 0640));
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof(text), "@GOOD@\nrun_as_password_file = %scred\n", spelled[i]);
        assert_loads(f, text);
        assert_string_equal(f->conf->vaults[0].run_as_password_file, path);
        assert_int_equal(f->errors.len, 0); /* the service manager guards that directory itself */
    }
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_mistake(f, text, 9,
                   "`run_as_password_file` names a credential, but CREDENTIALS_DIRECTORY is not set");
}

TEST(digest_is_the_same_wherever_the_credentials_are)
{
    struct fixture *f = *state;
    char digests[2][65], directory[256];

    (void)fixture_file(f, "cred", "secret", 0600);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(directory, sizeof(directory), i ? "%s/./." : "%s/.", f->dir);
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
        assert_loads(f, "@GOOD@\nrun_as_password_file = %d/cred\n");
        memcpy(digests[i], f->conf->digest, sizeof(digests[i]));
    }
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_string_equal(digests[0], digests[1]);
}

TEST(digest_tells_what_a_file_means)
{
    struct fixture *f = *state;
    char digest[65];

    assert_loads(f, "[gateway]\nlist_cache = 60s\nmax_body = 64k\n@GOOD@\n");
    assert_int_equal(strlen(f->conf->digest), 64);
    memcpy(digest, f->conf->digest, sizeof(digest));
    assert_loads(f, "; same\n[gateway]\nmax_body = 65536\nlist_cache = 1m\ndrain_timeout = 30s\n@GOOD@\n");
    assert_string_equal(f->conf->digest, digest);
    assert_loads(f, "[gateway]\nlist_cache = 61s\n@GOOD@\n");
    assert_string_not_equal(f->conf->digest, digest);
    assert_loads(f, "[gateway]\nlist_cache = 60s\n@GOOD@\nask_policy = yes\n");
    assert_string_not_equal(f->conf->digest, digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defaults_are_as_documented, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(sections_take_their_values, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(names_in_certificates_are_normalized, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(lines_may_be_written_freely, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_long_line_is_whole, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(an_empty_value_means_none_where_it_may, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(credentials_come_from_their_directory, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(digest_is_the_same_wherever_the_credentials_are, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(digest_tells_what_a_file_means, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
