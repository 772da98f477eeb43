/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_clients.c - who is let in: every kind of identity alone and together, near misses, and the rate.
 */
#include "check.h"

#include "base/memory/secret.h"
#include "fake_clock.h"
#include "fake_http.h"
#include "handlers/clients.h"

#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

enum { BY_TOKEN, BY_SAN, BY_UID, BY_ALL, NOBODY, NROWS };

static char dns_san[] = "DNS:pra.example.test", uri_san[] = "URI:spiffe://example.test/Pra";
static struct conf_client rows[NROWS];
static struct conf conf = {.clients = rows, .nclients = NROWS};
static struct fake_clock fake;
static struct clients *clients;

static void set_token(struct conf_client *c, const char *token)
{
    unsigned len;
    c->has_token = true;
    assert_int_equal(EVP_Digest(token, strlen(token), c->token_sha256, &len, EVP_sha256(), NULL), 1);
}

static int setup(void **state)
{
    (void)state;
    memset(rows, 0, sizeof(rows));
    for (size_t i = 0; i < NROWS; i++)
        rows[i].peer_uid = -1;
    set_token(&rows[BY_TOKEN], "token-one");
    rows[BY_SAN].certificate_san = dns_san;
    rows[BY_UID].peer_uid = 1234;
    set_token(&rows[BY_ALL], "token-all");
    rows[BY_ALL].certificate_san = uri_san;
    rows[BY_ALL].peer_uid = 77;
    fake_clock_init(&fake);
    clients = clients_new(&conf, &fake.clock);
    return clients ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    clients_free(clients);
    return 0;
}

static struct client *find(const struct http_req *req)
{
    struct client *found;

    assert_int_equal(clients_find(clients, req, &found), 0);
    return found;
}

/* Index of the section that matches, or -1. */
static int who(struct fake_req *f)
{
    const struct client *c = find(&f->req);
    return c ? (int)(c->conf - rows) : -1;
}

static int who_with(const char *authorization)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, "/");
    if (authorization)
        fake_req_header(&f, "authorization", authorization);
    return who(&f);
}

TEST(a_token_must_match_whole)
{
    assert_int_equal(who_with("Bearer token-one"), BY_TOKEN);
    assert_int_equal(who_with("bearer   token-one"), BY_TOKEN);
    assert_int_equal(who_with(NULL), -1);
    assert_int_equal(who_with(""), -1);
    assert_int_equal(who_with("Bearer"), -1);
    assert_int_equal(who_with("Bearer "), -1);
    assert_int_equal(who_with("Bearertoken-one"), -1);
    assert_int_equal(who_with("Basic token-one"), -1);
    assert_int_equal(who_with("Bearer token-onE"), -1);
    assert_int_equal(who_with("Bearer token-one2"), -1);
    assert_int_equal(who_with("Bearer token-on"), -1);
    assert_int_equal(who_with("Bearer token-all"), -1); /* the others are missing */
}

TEST(two_tokens_are_none)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, "/");
    fake_req_header(&f, "Authorization", "Bearer token-one");
    fake_req_header(&f, "Authorization", "Bearer token-one");
    assert_int_equal(who(&f), -1);
}

static int who_san(const char *const *sans, size_t n)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, "/");
    f.peer.sans = sans;
    f.peer.nsans = n;
    return who(&f);
}

TEST(a_certificate_matches_by_name)
{
    assert_int_equal(who_san((const char *[]){"URI:x", "DNS:PRA.example.TEST"}, 2), BY_SAN);
    assert_int_equal(who_san((const char *[]){"DNS:a.pra.example.test"}, 1), -1);
    assert_int_equal(who_san((const char *[]){"URI:pra.example.test"}, 1), -1);
    assert_int_equal(who_san((const char *[]){"DNS:pra.example.tes"}, 1), -1);
    assert_int_equal(who_san(NULL, 0), -1);
}

TEST(a_uid_counts_on_a_unix_socket_alone)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, "/");
    f.peer.uid = 1234;
    assert_int_equal(who(&f), -1); /* a number without a Unix socket is no uid */
    f.peer.is_unix = true;
    assert_int_equal(who(&f), BY_UID);
    f.peer.uid = 1235;
    assert_int_equal(who(&f), -1);
}

TEST(every_configured_identity_is_needed)
{
    static const char *const sans[] = {"URI:spiffe://example.test/Pra"};
    static const char *const other[] = {"URI:spiffe://example.test/pra"};
    for (unsigned shown = 0; shown < 8; shown++) {
        struct fake_req f;
        fake_req_init(&f, HTTP_GET_, "/");
        f.peer.is_unix = true;
        f.peer.uid = shown & 1 ? 77 : 78;
        f.peer.sans = shown & 2 ? sans : other;
        f.peer.nsans = 1;
        fake_req_header(&f, "Authorization", shown & 4 ? "Bearer token-all" : "Bearer token-al");
        assert_int_equal(who(&f), shown == 7 ? BY_ALL : -1);
    }
}

TEST(the_first_section_that_matches_counts)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, "/");
    fake_req_header(&f, "Authorization", "Bearer token-one");
    f.peer.is_unix = true;
    f.peer.uid = 1234;
    assert_int_equal(who(&f), BY_TOKEN);
}

static struct client *with_rate(double per_s)
{
    struct fake_req f;
    clients_free(clients);
    rows[BY_TOKEN].rate_per_s = per_s;
    clients = clients_new(&conf, &fake.clock);
    fake_req_init(&f, HTTP_GET_, "/");
    fake_req_header(&f, "Authorization", "Bearer token-one");
    return find(&f.req);
}

static unsigned admitted(struct client *c, unsigned tries)
{
    unsigned n = 0;
    while (tries--)
        n += clients_take(clients, c) == 0;
    return n;
}

TEST(a_second_of_the_rate_is_saved)
{
    struct client *c = with_rate(10);
    assert_non_null(c);
    assert_int_equal(admitted(c, 50), 10);
    assert_int_equal(clients_take(clients, c), 1);
    fake_clock_advance(&fake, 300);
    assert_int_equal(admitted(c, 50), 3);
    fake_clock_advance(&fake, MINUTES(60));
    assert_int_equal(admitted(c, 50), 10); /* no more than one second's worth is saved up */
}

TEST(a_rate_below_one_admits_one)
{
    struct client *c = with_rate(0.1);
    assert_int_equal(admitted(c, 5), 1);
    fake_clock_advance(&fake, 2500);
    assert_in_range(clients_take(clients, c), 7, 8);
    fake_clock_advance(&fake, SECONDS(8));
    assert_int_equal(admitted(c, 5), 1);
}

TEST(without_a_rate_all_are_admitted)
{
    struct client *c = with_rate(0);
    assert_int_equal(admitted(c, 10000), 10000);
}

/* The control socket: this process's own user and root alone, and no section of the file. */
static struct client *control(uid_t uid, bool is_unix, const char *authorization)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, "/");
    f.peer.listener = CONTROL_LISTENER;
    f.peer.is_unix = is_unix;
    f.peer.uid = uid;
    if (authorization)
        fake_req_header(&f, "Authorization", authorization);
    return find(&f.req);
}

TEST(the_control_socket_admits_its_own_user_and_root)
{
    struct client *c = control(geteuid(), true, NULL);
    assert_non_null(c);
    assert_string_equal(c->conf->name, "control");
    assert_int_equal(c->conf->allow, PERMIT_OPERATE | PERMIT_OBSERVE);
    assert_ptr_equal(control(0, true, NULL), c);
    assert_ptr_equal(control(geteuid(), true, "Bearer token-one"), c);
    assert_null(control(1234, true, NULL)); /* BY_UID elsewhere */
    assert_null(control(geteuid() + 1, true, "Bearer token-one"));
    assert_null(control((uid_t)-1, true, NULL));
    assert_null(control(geteuid(), false, NULL));
    assert_int_equal(clients_take(clients, c), 0);
    assert_int_equal(clients_take(clients, c), 0); /* not limited */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_must_match_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(two_tokens_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_certificate_matches_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_uid_counts_on_a_unix_socket_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(every_configured_identity_is_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_section_that_matches_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_of_the_rate_is_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rate_below_one_admits_one, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_rate_all_are_admitted, setup, teardown),
        cmocka_unit_test_setup_teardown(the_control_socket_admits_its_own_user_and_root, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
