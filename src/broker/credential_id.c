/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential_id.c - `j1.VAULT.K.SYSTEM.ACCOUNT.APPLICATION`, and the same for endpoints.
 *
 * VAULT is the section name from the configuration; letters, digits and '-' stand for themselves, every other
 * byte is `_XX` in upper-case hex. K is one letter for the kind. The ids are decimal, without sign or leading
 * zeros. The longest text (63 escaped bytes, three ids of 19 digits) is 254 characters.
 *
 * There is exactly one spelling per account: a parsed id is written again and must come out the same, so that
 * comparing ids as text is comparing accounts. The ids of a vault are not secret; who may use the account is
 * the vault's decision at check-out, and a made-up id gains nothing.
 *
 * Renaming a vault section makes its ids strangers. The leading "j1" leaves room for another form later.
 */
#include "broker/credential_id.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char kind_letters[] = "ldpbcs"; /* in the order of enum account_kind */
_Static_assert(sizeof(kind_letters) == KIND_NKINDS + 1, "a letter per kind");

static bool plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

#define ESCAPED_SIZE (3 * CONF_NAME_MAX + 1)

/* Returns where the terminator stands. */
static char *escape_name(char out[ESCAPED_SIZE], const char *name)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; name[i] && i < CONF_NAME_MAX; i++) {
        unsigned char c = (unsigned char)name[i];
        if (plain(c)) {
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

static bool unescape_name(char out[CONF_NAME_MAX], const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char hex[3] = {0};
        if (n == CONF_NAME_MAX - 1)
            return false;
        if (c == '_') {
            if (len - i < 3)
                return false;
            memcpy(hex, text + i + 1, 2);
            if (!text_unhex(&c, 1, hex))
                return false;
            i += 2;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return n > 0;
}

static char *put_id(char *to, int64_t id)
{
    *to++ = '.';
    return text_digits(to, id > 0 ? (uint64_t)id : 0, 0);
}

/* `j1.`, the name, the kind and three ids: what it takes at most is in the essay above. */
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

/* The field that begins at *at, up to the next dot or the end; *at moves behind the dot, or to NULL at the
 * end. */
static bool next_field(const char **at, char *out, size_t size)
{
    const char *dot;

    if (!*at)
        return false;
    dot = strchr(*at, '.');
    if (!text_copy_n(out, size, *at, dot ? (size_t)(dot - *at) : strlen(*at)))
        return false;
    *at = dot ? dot + 1 : NULL;
    return true;
}

static bool next_id(const char **at, int64_t *out)
{
    char field[24];

    return next_field(at, field, sizeof(field)) && text_int(field, 0, INT64_MAX, out);
}

static bool next_kind(const char **at, enum account_kind *out)
{
    char field[4];
    const char *letter;

    if (!next_field(at, field, sizeof(field)) || strlen(field) != 1)
        return false;
    letter = strchr(kind_letters, field[0]);
    if (!letter)
        return false;
    *out = (enum account_kind)(letter - kind_letters);
    return true;
}

bool credential_id_parse(const char *id, struct credential_ref *ref)
{
    char field[ESCAPED_SIZE], again[CREDENTIAL_ID_SIZE];
    const char *at = id;

    *ref = (struct credential_ref){0};
    if (strlen(id) >= CREDENTIAL_ID_SIZE)
        return false;
    if (!next_field(&at, field, sizeof(field)) || strcmp(field, "j1") != 0)
        return false;
    if (!next_field(&at, field, sizeof(field)) || !unescape_name(ref->vault, field, strlen(field)))
        return false;
    if (!next_kind(&at, &ref->kind) || !next_id(&at, &ref->system_id) || !next_id(&at, &ref->account_id) ||
        !next_id(&at, &ref->application_id) || at)
        return false;
    write_ref(again, ref);
    return strcmp(id, again) == 0;
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
