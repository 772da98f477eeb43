/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential_id.c - `j1.VAULT.KEY`, and the same for endpoints.
 *
 * VAULT is the section name from the configuration, KEY the vault's own key of the account. Letters, digits
 * and '-' are written as they are, in the key '.' too, every other byte as `_XX` in upper-case hex.
 *
 * Invariant: a pair of name and key has exactly one spelling, and no other is read; so equal texts are equal
 * accounts. Whether a key is one of the vault is the vault's to say (vault_ops.query).
 *
 * Ids of a vault section are not found any more once the section has another name. The leading "j1" allows
 * for another form later.
 */
#include "broker/identity/credential_id.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

#define ESCAPED_SIZE (3 * CONF_NAME_MAX + 1)

/* Returns the place of the terminator. */
static char *escape_name(char out[ESCAPED_SIZE], const char *name)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; name[i] && i < CONF_NAME_MAX; i++) {
        unsigned char c = (unsigned char)name[i];
        if (is_plain(c)) {
            *out++ = (char)c;
            continue;
        }
        *out++ = '_';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 15];
    }
    *out = '\0';
    return out;
}

/* The key likewise, with its dots. NULL = it does not fit. */
static char *escape_key(char *to, const char *end, const char *key)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *key; key++) {
        unsigned char c = (unsigned char)*key;
        bool as_it_is = is_plain(c) || c == '.';

        if (end - to <= (as_it_is ? 1 : 3))
            return NULL;
        if (!as_it_is) {
            *to++ = '_';
            *to++ = digits[c >> 4];
        }
        *to++ = as_it_is ? (char)c : digits[c & 15];
    }
    *to = '\0';
    return to;
}

bool credential_id_write(char out[CREDENTIAL_ID_SIZE], const char *vault, const struct account *account)
{
    char *to = escape_name((char *)memcpy(out, "j1.", 3) + 3, vault);

    *to++ = '.';
    if (account->key && *account->key && escape_key(to, out + CREDENTIAL_ID_SIZE, account->key))
        return true;
    out[0] = '\0';
    return false;
}

/* The value of an upper-case hexadecimal digit, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of an escape; 0 = no escape, or of a byte that is written as it is. */
static unsigned char read_escape(const char *digits)
{
    int high = hex_value(digits[0]), low = high < 0 ? -1 : hex_value(digits[1]);
    unsigned char c = low < 0 ? 0 : (unsigned char)(high * 16 + low);

    return is_plain(c) ? 0 : c;
}

/* The place behind the name, or NULL where it is not spelled as escape_name() does. */
static const char *read_name(const char *p, char out[CONF_NAME_MAX])
{
    size_t n = 0;

    for (; *p != '.'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '_') {
            c = read_escape(p + 1);
            p += 2;
        } else if (!is_plain(c)) {
            return NULL;
        }
        if (!c || n == CONF_NAME_MAX - 1)
            return NULL;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return n ? p : NULL;
}

static bool read_key(const char *p, char out[ACCOUNT_KEY_SIZE])
{
    size_t n = 0;

    for (; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '_') {
            c = read_escape(p + 1);
            if (c == '.') /* it is written as it is */
                return false;
            p += 2;
        } else if (!is_plain(c) && c != '.') {
            return false;
        }
        if (!c || n == ACCOUNT_KEY_SIZE - 1)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return n > 0;
}

bool credential_id_parse(const char *id, struct credential_ref *ref)
{
    const char *p;

    ref->vault[0] = ref->account_key[0] = '\0';
    return strlen(id) < CREDENTIAL_ID_SIZE && strncmp(id, "j1.", 3) == 0 &&
           (p = read_name(id + 3, ref->vault)) && read_key(p + 1, ref->account_key);
}

void endpoint_id_write(char out[CREDENTIAL_ID_SIZE], const char *vault, int64_t system_id, const char *method)
{
    char name[ESCAPED_SIZE];
    int n;

    (void)escape_name(name, vault);
    n = snprintf(out, CREDENTIAL_ID_SIZE, "e1.%s.%" PRId64 ".%s", name, system_id, method);
    if (n < 0)
        out[0] = '\0';
}
