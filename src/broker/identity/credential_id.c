/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential_id.c - `j1.VAULT.K.SYSTEM.ACCOUNT.APPLICATION`, and the same for endpoints.
 *
 * VAULT is the section name from the configuration; letters, digits and '-' are written as they are, every
 * other byte as `_XX` in upper-case hex. K is one letter for the kind. The ids are decimal, without sign or
 * leading zeros. The longest text (63 escaped bytes, three ids of 19 digits) is 254 characters.
 *
 * Invariant: an account has exactly one spelling, and no other is read; so equal texts are equal accounts.
 * The ids of a vault are not secret: the vault decides at check-out who may use the account, and a made-up id
 * gains nothing.
 *
 * Ids of a vault section are not found any more once the section has another name. The leading "j1" allows
 * for another form later.
 */
#include "broker/identity/credential_id.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char kind_letters[] = "ldpbcs"; /* in the order of enum account_kind */
_Static_assert(sizeof(kind_letters) == KIND_NKINDS + 1, "a letter per kind");

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

static char *put_id(char *to, int64_t id)
{
    *to++ = '.';
    return text_digits(to, id > 0 ? (uint64_t)id : 0, 0);
}

/* `j1.`, the name, the kind and three ids; the head of this file has the longest. */
static void write_ref(char out[CREDENTIAL_ID_SIZE], const struct credential_ref *ref)
{
    char *to = memcpy(out, "j1.", 3);

    to = escape_name(to + 3, ref->vault);
    *to++ = '.';
    *to++ = kind_letters[ref->kind];
    to = put_id(to, ref->system_id);
    to = put_id(to, ref->account_id);
    *put_id(to, ref->application_id) = '\0';
}

void credential_ref_make(const char *vault, const struct account *account, struct credential_ref *ref)
{
    *ref = (struct credential_ref){
        .kind = account->kind < KIND_NKINDS ? account->kind : KIND_LOCAL,
        .system_id = account->system_id,
        .account_id = account->account_id,
        .application_id = account->application_id,
    };
    text_copy(ref->vault, sizeof(ref->vault), vault);
}

void credential_id_write(char out[CREDENTIAL_ID_SIZE], const char *vault, const struct account *account)
{
    struct credential_ref ref;

    credential_ref_make(vault, account, &ref);
    write_ref(out, &ref);
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

/* Each reader returns the place behind its part, or NULL where the part is not spelled as write_ref() does.
 */
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

static const char *read_kind(const char *p, enum account_kind *out)
{
    const char *letter = p[0] == '.' && p[1] ? strchr(kind_letters, p[1]) : NULL;

    if (!letter)
        return NULL;
    *out = (enum account_kind)(letter - kind_letters);
    return p + 2;
}

#define ID_DIGITS 19 /* so many of any kind fit into 64 bits */

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

bool credential_id_parse(const char *id, struct credential_ref *ref)
{
    const char *p;

    *ref = (struct credential_ref){0};
    return strncmp(id, "j1.", 3) == 0 && (p = read_name(id + 3, ref->vault)) &&
           (p = read_kind(p, &ref->kind)) && (p = read_id(p, &ref->system_id)) &&
           (p = read_id(p, &ref->account_id)) && (p = read_id(p, &ref->application_id)) && !*p;
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
