/* SPDX-License-Identifier: Apache-2.0 */
/*
 * password.c - scrypt by OpenSSL's EVP_KDF; see password.h.
 */
#include "reports/conf/password.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define SALT_BYTES  16
#define HASH_BYTES  32
#define SALT_DIGITS 22 /* in base64 without padding */
#define HASH_DIGITS 43
#define MEMORY_MAX  (64ULL * 1024 * 1024)

struct cost {
    int64_t ln, r, p;
};

static const struct cost usual_cost = {14, 8, 5};

const char password_of_no_user[] =
    "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct parts {
    struct cost cost;
    unsigned char salt[SALT_BYTES], hash[HASH_BYTES];
};

/* ---- the text ---- */

/* `digits` is 4/3 of `bytes`, rounded up. */
static void encode(const unsigned char *bytes, size_t n, char *out, size_t digits)
{
    unsigned char padded[4 * ((HASH_BYTES + 2) / 3) + 1];

    (void)EVP_EncodeBlock(padded, bytes, (int)n);
    memcpy(out, padded, digits);
    out[digits] = '\0';
}

static bool decode(const char *text, size_t digits, unsigned char *bytes, size_t n)
{
    unsigned char padded[4 * ((HASH_BYTES + 2) / 3)], out[3 * ((HASH_BYTES + 2) / 3)];
    char again[HASH_DIGITS + 1];
    size_t room = (digits + 3) / 4 * 4;

    memset(padded, '=', sizeof(padded));
    memcpy(padded, text, digits);
    if (EVP_DecodeBlock(out, padded, (int)room) < (int)n)
        return false;
    memcpy(bytes, out, n);
    encode(bytes, n, again, digits); /* the decoder passes over blanks and spare bits */
    return memcmp(again, text, digits) == 0;
}

/* The number behind `name=`, up to `end`; *text moves behind it. */
static bool take_number(const char **text, const char *name, char end, int64_t min, int64_t max, int64_t *out)
{
    size_t n = strlen(name), digits;
    char number[4];

    if (strncmp(*text, name, n) != 0)
        return false;
    *text += n;
    digits = strspn(*text, "0123456789");
    if ((*text)[0] == '0' || (*text)[digits] != end || !text_copy_n(number, sizeof(number), *text, digits) ||
        !text_int(number, min, max, out))
        return false;
    *text += digits + 1;
    return true;
}

static bool take_parts(const char *text, struct parts *parts)
{
    static const char prefix[] = "$scrypt$";

    if (strncmp(text, prefix, strlen(prefix)) != 0)
        return false;
    text += strlen(prefix);
    if (!take_number(&text, "ln=", ',', 12, 15, &parts->cost.ln) ||
        !take_number(&text, "r=", ',', 1, 8, &parts->cost.r) ||
        !take_number(&text, "p=", '$', 1, 16, &parts->cost.p))
        return false;
    if (strlen(text) != SALT_DIGITS + 1 + HASH_DIGITS || text[SALT_DIGITS] != '$')
        return false;
    return decode(text, SALT_DIGITS, parts->salt, SALT_BYTES) &&
           decode(text + SALT_DIGITS + 1, HASH_DIGITS, parts->hash, HASH_BYTES);
}

bool password_valid(const char *text)
{
    struct parts parts;

    return take_parts(text, &parts);
}

/* ---- the hash ---- */

static int derive(const struct cost *cost, const unsigned char salt[SALT_BYTES], const char *password,
                  size_t len, unsigned char hash[HASH_BYTES])
{
    uint64_t n = 1ULL << cost->ln, r = (uint64_t)cost->r, p = (uint64_t)cost->p, memory = MEMORY_MAX;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)password, len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, SALT_BYTES),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    int err = ctx && EVP_KDF_derive(ctx, hash, HASH_BYTES, params) == 1 ? 0 : -EIO;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return err;
}

int password_make(const char *password, size_t len, char text[PASSWORD_TEXT_SIZE])
{
    const struct cost *cost = &usual_cost;
    unsigned char salt[SALT_BYTES], hash[HASH_BYTES];
    char salt_text[SALT_DIGITS + 1], hash_text[HASH_DIGITS + 1];

    if (RAND_bytes(salt, sizeof(salt)) != 1 || derive(cost, salt, password, len, hash))
        return -EIO;
    encode(salt, sizeof(salt), salt_text, SALT_DIGITS);
    encode(hash, sizeof(hash), hash_text, HASH_DIGITS);
    (void)snprintf(text, PASSWORD_TEXT_SIZE, "$scrypt$ln=%" PRId64 ",r=%" PRId64 ",p=%" PRId64 "$%s$%s",
                   cost->ln, cost->r, cost->p, salt_text, hash_text);
    OPENSSL_cleanse(hash, sizeof(hash));
    return 0;
}

bool password_matches(const char *text, const char *password, size_t len)
{
    struct parts parts;
    unsigned char hash[HASH_BYTES];

    if (!take_parts(text, &parts) || len > PASSWORD_MAX ||
        derive(&parts.cost, parts.salt, password, len, hash))
        return false;
    bool same = CRYPTO_memcmp(hash, parts.hash, HASH_BYTES) == 0;

    OPENSSL_cleanse(hash, sizeof(hash));
    return same;
}
