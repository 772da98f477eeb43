/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tls_idle.c - a TLS connection between two deliveries holds no record buffers, and loses nothing by it.
 *
 * tls.h by itself, against a client on memory BIOs. OpenSSL's share of the heap is counted by allocators of
 * our own; the client's is told apart by asking only around calls of the server's side.
 */
#include "check.h"
#include "loop/server/tls.h"
#include "tls_files.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 32768 /* less than the two buffers of OpenSSL together */

static size_t held; /* by OpenSSL */

static void *on_alloc(size_t n, const char *file, int line)
{
    void *p = malloc(n);

    (void)file;
    (void)line;
    held += malloc_usable_size(p);
    return p;
}

static void on_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    held -= malloc_usable_size(p);
    free(p);
}

static void *on_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    held -= malloc_usable_size(p);
    p = realloc(p, n);
    held += malloc_usable_size(p);
    return p;
}

struct pair {
    struct tls_context *context;
    struct tls *server;
    SSL_CTX *ctx;
    SSL *client;
};

static void start(struct pair *p)
{
    char crt[TLS_FILES_PATH], key[TLS_FILES_PATH], why[256];
    struct http_tls_opts opts = {.certificate = tls_file("server", ".crt", crt),
                                 .key = tls_file("server", ".key", key)};

    p->context = tls_context_new(&opts, why);
    p->server = tls_new(p->context);
    p->ctx = SSL_CTX_new(TLS_client_method());
    p->client = SSL_new(p->ctx);
    assert_non_null(p->server);
    assert_non_null(p->client);
    SSL_set_bio(p->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(p->client);
}

static void end(struct pair *p)
{
    tls_free(p->server);
    tls_context_unref(p->context);
    SSL_free(p->client);
    SSL_CTX_free(p->ctx);
}

/* What the server has to say goes to the client. */
static void to_client(struct pair *p)
{
    struct buf cipher = BUF_INIT(100000);

    assert_int_equal(tls_output(p->server, &cipher), 0);
    if (cipher.len)
        assert_int_equal(BIO_write(SSL_get_rbio(p->client), cipher.data, (int)cipher.len), (int)cipher.len);
    buf_free(&cipher);
}

/* At most n bytes of what the client has to say go to the server; returns how many. */
static size_t to_server(struct pair *p, size_t n)
{
    char bytes[65536];
    int got = BIO_read(SSL_get_wbio(p->client), bytes, (int)(n < sizeof(bytes) ? n : sizeof(bytes)));

    if (got <= 0)
        return 0;
    assert_int_equal(tls_feed(p->server, bytes, (size_t)got), 0);
    return (size_t)got;
}

static void shake_hands(struct pair *p)
{
    for (int i = 0; i < 10 && !tls_established(p->server); i++) {
        (void)SSL_do_handshake(p->client);
        while (to_server(p, SIZE_MAX))
            ;
        to_client(p);
    }
    assert_true(tls_established(p->server));
}

/* True if a rest made the server's buffers go. */
static bool rest_frees(struct pair *p)
{
    size_t before = held;

    tls_rest(p->server);
    return before - held >= RECORDS;
}

TEST(buffers_are_released_between_records)
{
    struct pair p;
    char got[64];

    start(&p);
    (void)SSL_do_handshake(p.client);
    assert_true(to_server(&p, SIZE_MAX) > 0); /* the hello; the server's part of the handshake is written */
    assert_true(rest_frees(&p));
    shake_hands(&p);
    assert_true(rest_frees(&p));
    assert_false(rest_frees(&p)); /* and none are made before there is something to do */
    assert_int_equal(SSL_write(p.client, "hello", 5), 5);
    assert_true(to_server(&p, SIZE_MAX) > 0);
    assert_int_equal(tls_read(p.server, got, sizeof(got)), 5);
    assert_int_equal(tls_read(p.server, got, sizeof(got)), 0);
    assert_int_equal(tls_write(p.server, "world", 5), 0);
    assert_true(rest_frees(&p));
    to_client(&p);
    assert_int_equal(SSL_read(p.client, got, sizeof(got)), 5);
    assert_memory_equal(got, "world", 5);
    end(&p);
}

/* A record cut at each place, one without its head's end and one without its body among them. */
TEST(half_a_record_is_kept)
{
    struct pair p;
    char got[64];

    start(&p);
    shake_hands(&p);
    for (size_t cut = 1; cut < 5 + 5 + 1 + 16; cut++) { /* head, text, type, tag */
        assert_int_equal(SSL_write(p.client, "hello", 5), 5);
        assert_int_equal(to_server(&p, cut), cut);
        assert_int_equal(tls_read(p.server, got, sizeof(got)), 0);
        tls_rest(p.server);
        assert_true(to_server(&p, SIZE_MAX) > 0);
        assert_int_equal(tls_read(p.server, got, sizeof(got)), 5);
        assert_memory_equal(got, "hello", 5);
        tls_rest(p.server);
    }
    end(&p);
}

/* What was decrypted and not taken yet is not thrown away. */
TEST(decrypted_bytes_not_read_are_kept)
{
    struct pair p;
    char got[64];

    start(&p);
    shake_hands(&p);
    assert_int_equal(SSL_write(p.client, "hello", 5), 5);
    assert_true(to_server(&p, SIZE_MAX) > 0);
    assert_int_equal(tls_read(p.server, got, 2), 2);
    tls_rest(p.server);
    assert_int_equal(tls_read(p.server, got + 2, sizeof(got) - 2), 3);
    assert_memory_equal(got, "hello", 5);
    end(&p);
}

/* Only a ticket that the client does not await can wait. */
TEST(only_an_unawaited_ticket_can_wait)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct pair p;

    for (size_t i = 0; i < 2; i++) {
        start(&p);
        assert_int_equal(SSL_set_max_proto_version(p.client, versions[i]), 1);
        assert_false(tls_can_wait(p.server));
        (void)SSL_do_handshake(p.client);
        assert_true(to_server(&p, SIZE_MAX) > 0);
        assert_false(tls_can_wait(p.server));
        shake_hands(&p);
        assert_int_equal(tls_can_wait(p.server), versions[i] == TLS1_3_VERSION);
        end(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_are_released_between_records),
        cmocka_unit_test(half_a_record_is_kept),
        cmocka_unit_test(decrypted_bytes_not_read_are_kept),
        cmocka_unit_test(only_an_unawaited_ticket_can_wait),
    };

    if (CRYPTO_set_mem_functions(on_alloc, on_realloc, on_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, tls_files_setup, tls_files_teardown);
}
