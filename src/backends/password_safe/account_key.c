/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account_key.c - an account's kind and ids as one text, and back.
 *
 * Invariant: an account has exactly one spelling, and no other is read; so equal texts are equal accounts.
 * The ids of a vault are not secret: the vault decides at check-out who may use the account, and a made-up id
 * gains nothing.
 *
 * Not here: the vault's name around it (broker/identity/credential_id.c).
 */
#include "backends/password_safe/account_key.h"

#include "base/text.h"

#include <string.h>

static const char kind_letters[] = "ldpbcsr"; /* in the order of enum account_kind, then `r` */
_Static_assert(sizeof(kind_letters) == KIND_NKINDS + 2, "a letter per kind");

static char *put_id(char *to, int64_t id)
{
    *to++ = '.';
    return text_digits(to, id > 0 ? (uint64_t)id : 0, 0);
}

void ps_account_key_write(char out[PS_KEY_SIZE], const struct ps_account_key *key)
{
    char *to = out;

    *to++ = kind_letters[key->kind];
    to = put_id(to, key->system_id);
    to = put_id(to, key->account_id);
    *put_id(to, key->application_id) = '\0';
}

#define ID_DIGITS 19 /* so many of any kind fit into 64 bits */

/* Returns the place behind the id, or NULL where it is not spelled as put_id() does. */
static const char *read_id(const char *p, int64_t *out)
{
    const char *first = p + 1;
    uint64_t v = 0;

    if (*p != '.')
        return NULL;
    for (p = first; *p >= '0' && *p <= '9' && p - first < ID_DIGITS; p++)
        v = v * 10 + (uint64_t)(*p - '0');
    *out = (int64_t)v;
    return p == first || v > INT64_MAX || (*first == '0' && p - first > 1) ? NULL : p;
}

bool ps_account_key_read(const char *text, struct ps_account_key *key)
{
    const char *letter = *text ? strchr(kind_letters, *text) : NULL, *p;

    *key = (struct ps_account_key){0};
    if (!letter)
        return false;
    key->kind = (enum account_kind)(letter - kind_letters);
    return (p = read_id(text + 1, &key->system_id)) && (p = read_id(p, &key->account_id)) &&
           (p = read_id(p, &key->application_id)) && !*p;
}

static bool fits(int64_t id, int64_t other)
{
    return !id || !other || id == other;
}

static int64_t told_system(const struct ps_account_key *key)
{
    return key->kind == KIND_ALIAS || key->kind == KIND_DOMAIN_LINKED ? 0 : key->system_id;
}

static int64_t told_account(const struct ps_account_key *key)
{
    return key->kind == KIND_ALIAS ? 0 : key->account_id;
}

enum account_match ps_account_key_match(const char *key, const char *other)
{
    struct ps_account_key a, b;

    if (!ps_account_key_read(key, &a) || !ps_account_key_read(other, &b))
        return ACCOUNT_POSSIBLE;
    if (a.system_id == b.system_id && a.account_id == b.account_id)
        return ACCOUNT_SAME;
    return fits(told_system(&a), told_system(&b)) && fits(told_account(&a), told_account(&b))
               ? ACCOUNT_POSSIBLE
               : ACCOUNT_OTHER;
}
