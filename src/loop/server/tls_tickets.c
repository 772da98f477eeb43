/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_tickets.c - the keys of session tickets; see tls_tickets.h.
 *
 * OpenSSL itself makes one key per context and keeps it as long as the process runs, which leaves tickets
 * without forward secrecy. A ticket itself is good for one period, so none is refused early.
 *
 * A key is a name of 16 bytes, which the ticket carries in the clear, a key for AES-256-CBC and one for
 * HMAC-SHA256, as RFC 5077 recommends.
 *
 * Not here: the clock. The server rotates all its contexts (server.c).
 */
#include "loop/server/tls_tickets.h"

#include "base/memory/secret.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define NAME_SIZE 16
#define KEY_SIZE  32

struct ticket_key {
    unsigned char name[NAME_SIZE], cipher[KEY_SIZE], mac[KEY_SIZE];
    bool used;
};

struct tls_tickets { /* in secret memory: wiped by secret_free() */
    struct ticket_key now, before;
};

static int app_index = -1;

static int key_make(struct ticket_key *key)
{
    if (RAND_bytes(key->name, NAME_SIZE) != 1 || RAND_priv_bytes(key->cipher, KEY_SIZE) != 1 ||
        RAND_priv_bytes(key->mac, KEY_SIZE) != 1)
        return -EIO;
    key->used = true;
    return 0;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, KEY_SIZE),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int ticket_seal(struct ticket_key *key, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac)
{
    memcpy(name, key->name, NAME_SIZE);
    if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1 ||
        EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 || !set_mac(mac, key))
        return -1;
    return 1;
}

/* 0 = not one of ours: a full handshake. 2 = opened, but give the client a ticket under the newest key. */
static int ticket_unseal(struct tls_tickets *t, const unsigned char *name, const unsigned char *iv,
                         EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key *key = memcmp(name, t->now.name, NAME_SIZE) == 0 ? &t->now : &t->before;

    if (!key->used || memcmp(name, key->name, NAME_SIZE) != 0)
        return 0;
    if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 || !set_mac(mac, key))
        return -1;
    return key == &t->now ? 1 : 2;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    struct tls_tickets *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), app_index);

    if (!t)
        return -1;
    return sealing ? ticket_seal(&t->now, name, iv, cipher, mac) : ticket_unseal(t, name, iv, cipher, mac);
}

struct tls_tickets *tls_tickets_new(SSL_CTX *ctx)
{
    struct tls_tickets *t = secret_alloc(sizeof(*t)); /* zeroed */

    if (app_index < 0)
        app_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (t && app_index >= 0 && key_make(&t->now) == 0 && SSL_CTX_set_ex_data(ctx, app_index, t) == 1 &&
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1)
        return t;
    tls_tickets_free(t);
    return NULL;
}

void tls_tickets_free(struct tls_tickets *t)
{
    secret_free(t);
}

int tls_tickets_rotate(struct tls_tickets *t)
{
    struct ticket_key fresh;
    int err = key_make(&fresh);

    if (!err) {
        t->before = t->now;
        t->now = fresh;
    }
    wipe(&fresh, sizeof(fresh));
    return err;
}
