/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_names.c - name forms of an endpoint, and their comparison.
 *
 * PRA names an endpoint in up to four members, and the vault knows it by one name. So every form
 * is asked for: hostname, computer_name, name, ip_address, and the short name, which is the first label of
 * any of the first three that looks like a full domain name. Each member may hold an address, which is asked
 * for as an address. A trailing dot and the brackets of [::1] are spelling and are removed before.
 *
 * An address in an unusual spelling, and a name with decomposed or hidden letters, is asked for in the usual
 * spelling as well. Comparison ignores case, in all scripts, and these spellings.
 *
 * Invariant: the vault's answer decides which accounts fit; a comparison here only avoids a second query for
 * the same name, and puts rows in order.
 */
#include "broker/identity/host_names.h"

#include "base/casefold.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool given(const char *text)
{
    return text && *text;
}

/* The text without a trailing dot and the brackets of an address. */
static const char *strip_spelling(const char *text, size_t *len)
{
    *len = strlen(text);
    if (*len > 1 && text[*len - 1] == '.')
        --*len;
    if (*len > 2 && text[0] == '[' && text[*len - 1] == ']') {
        *len -= 2;
        return text + 1;
    }
    return text;
}

/* An address as binary; its length, or 0. */
static size_t parse_address(const char *text, size_t len, unsigned char out[16])
{
    char copy[64];

    if (!text_copy_n(copy, sizeof(copy), text, len))
        return 0;
    if (inet_pton(AF_INET, copy, out) == 1)
        return 4;
    return inet_pton(AF_INET6, copy, out) == 1 ? 16 : 0;
}

/* Keeps len bytes of text as one more name. */
static int add_name(struct host_names *names, enum conf_name_form form, const char *text, size_t len)
{
    struct host_name *name = &names->name[names->n];

    if (len == 0 || names->n == HOST_NAMES_MAX)
        return 0;
    name->value = strndup(text, len);
    if (!name->value)
        return -ENOMEM;
    name->form = form;
    name->ip = text_is_ip(name->value);
    names->n++;
    return 0;
}

static int add_member(struct host_names *names, enum conf_name_form form, const char *text)
{
    size_t len = given(text) ? strlen(text) : 0;

    if (len > 1 && text[len - 1] == '.')
        len--;
    if (len > 2 && text[0] == '[' && text[len - 1] == ']' && text_is_ip(text))
        return add_name(names, form, text + 1, len - 2);
    return add_name(names, form, text, len);
}

/* Labels with dots between them, without characters that no host name has: "v1.2 (old)" is a display name. */
static bool is_fqdn(const char *text)
{
    if (*text == '.' || !strchr(text, '.'))
        return false;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || strchr("()[]{}<>/\\,;:\"'@", *c))
            return false;
    return true;
}

static int add_short_names(struct host_names *names)
{
    size_t n = names->n;
    int err = 0;

    for (size_t i = 0; i < n && !err; i++) {
        const struct host_name *full = &names->name[i];
        if (full->form != FORM_IP_ADDRESS && !full->ip && is_fqdn(full->value))
            err = add_name(names, FORM_SHORT_NAME, full->value, strcspn(full->value, "."));
    }
    return err;
}

/* The name with decomposed letters composed, and without hidden letters. */
static int add_composed(struct host_names *names, const struct host_name *name)
{
    size_t n = strlen(name->value);
    char *composed = malloc(CASEFOLD_SIZE(n));
    int err =
        composed ? add_name(names, name->form, composed, casefold_text(composed, name->value, n)) : -ENOMEM;

    free(composed);
    return err;
}

/* Adds the usual spelling of each name and address that is written in another. */
static int add_usual_spellings(struct host_names *names)
{
    size_t n = names->n;
    int err = 0;

    for (size_t i = 0; i < n && !err; i++) {
        const struct host_name *name = &names->name[i];
        unsigned char binary[16];
        char usual[INET6_ADDRSTRLEN];
        if (name->ip && parse_address(name->value, strlen(name->value), binary) == 16 &&
            inet_ntop(AF_INET6, binary, usual, sizeof(usual)) && !text_equal_nocase(usual, name->value))
            err = add_name(names, name->form, usual, strlen(usual));
        else if (!name->ip && !casefold_is_plain(name->value))
            err = add_composed(names, name);
    }
    return err;
}

int host_names_make(const struct session *session, struct host_names *names)
{
    int err;

    *names = (struct host_names){0};
    err = add_member(names, FORM_HOSTNAME, session->hostname);
    if (!err)
        err = add_member(names, FORM_COMPUTER_NAME, session->computer_name);
    if (!err)
        err = add_member(names, FORM_NAME, session->name);
    if (!err)
        err = add_member(names, FORM_IP_ADDRESS, session->ip_address);
    if (!err)
        err = add_short_names(names);
    if (!err)
        err = add_usual_spellings(names);
    if (err)
        host_names_free(names);
    return err;
}

void host_names_free(struct host_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i].value);
    *names = (struct host_names){0};
}

static bool asked_already(const struct host_name *const *asked, size_t n, const char *value)
{
    for (size_t i = 0; i < n; i++)
        if (casefold_equal(asked[i]->value, value) &&
            casefold_is_plain(asked[i]->value) == casefold_is_plain(value))
            return true;
    return false;
}

const char *host_name_form_word(enum conf_name_form form)
{
    static const char *const words[FORM_NFORMS] = {
        [FORM_HOSTNAME] = "hostname",     [FORM_COMPUTER_NAME] = "computer_name", [FORM_NAME] = "name",
        [FORM_SHORT_NAME] = "short_name", [FORM_IP_ADDRESS] = "ip_address",
    };

    return words[form];
}

size_t host_names_select(const struct host_names *names, const struct conf_vault *conf,
                         const struct host_name *out[HOST_NAMES_MAX])
{
    size_t n = 0;

    for (size_t form = 0; form < conf->nmatch; form++)
        for (size_t i = 0; i < names->n && n < HOST_NAMES_MAX; i++)
            if (names->name[i].form == conf->match[form] && !asked_already(out, n, names->name[i].value))
                out[n++] = &names->name[i];
    return n;
}

bool host_name_equal(const char *a, const char *b)
{
    unsigned char left[16], right[16];
    size_t an, bn, n;

    if (!given(a) || !given(b))
        return false;
    a = strip_spelling(a, &an);
    b = strip_spelling(b, &bn);
    if (casefold_equal_n(a, an, b, bn))
        return true;
    n = parse_address(a, an, left);
    return n && parse_address(b, bn, right) == n && memcmp(left, right, n) == 0;
}

bool session_has_host_name(const struct session *session, const char *system)
{
    const char *const names[] = {session->hostname, session->computer_name, session->name,
                                 session->ip_address};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (host_name_equal(names[i], system))
            return true;
    return false;
}

bool session_has_short_name(const struct session *session, const char *name)
{
    const char *const names[] = {session->hostname, session->computer_name, session->name};

    for (size_t i = 0; given(name) && i < sizeof(names) / sizeof(names[0]); i++)
        if (given(names[i]) && !text_is_ip(names[i]) && is_fqdn(names[i]) &&
            casefold_equal_n(names[i], strcspn(names[i], "."), name, strlen(name)))
            return true;
    return false;
}

bool session_has_target(const struct session *session)
{
    return given(session->hostname) || given(session->computer_name) || given(session->name) ||
           given(session->ip_address) || given(session->application);
}
