/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_names.c - name forms of an endpoint, and exactness.
 *
 * PRA knows an endpoint by up to four members, and the vault by one name of its own choosing. So every form
 * is asked for: hostname, computer_name, name, ip_address, and the short name, which is the first label of
 * any of the first three that looks like a full domain name. What is written may be an address in any of the
 * members; an address is asked for as an address. A trailing dot and the brackets of [::1] are spelling and
 * go before asking.
 *
 * An address in an unusual spelling, and a name with decomposed or hidden letters, is asked for in the usual
 * one as well. Comparison ignores case, in all scripts, and these spellings; what fits is decided by the
 * vault's answer, here it is about asking twice and about order.
 */
#include "broker/identity/host_names.h"

#include "base/casefold.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool given(const char *text)
{
    return text && *text;
}

/* Takes a trailing dot and the brackets of an address off. */
static const char *bare(const char *text, size_t *len)
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
static size_t address(const char *text, size_t len, unsigned char out[16])
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

/* Labels with dots between them and nothing that no host name has; a display name such as "v1.2 (old)" is
 * none. */
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

/* With letters joined that were written with their marks behind them, and without hidden ones. */
static int add_joined(struct host_names *names, const struct host_name *name)
{
    size_t n = strlen(name->value);
    char *joined = malloc(CASEFOLD_SIZE(n));
    int err = joined ? add_name(names, name->form, joined, casefold_text(joined, name->value, n)) : -ENOMEM;

    free(joined);
    return err;
}

/* A name or an address that is not written in the usual way is asked for in both. */
static int add_usual_spellings(struct host_names *names)
{
    size_t n = names->n;
    int err = 0;

    for (size_t i = 0; i < n && !err; i++) {
        const struct host_name *name = &names->name[i];
        unsigned char binary[16];
        char usual[INET6_ADDRSTRLEN];
        if (name->ip && address(name->value, strlen(name->value), binary) == 16 &&
            inet_ntop(AF_INET6, binary, usual, sizeof(usual)) && !text_equal_nocase(usual, name->value))
            err = add_name(names, name->form, usual, strlen(usual));
        else if (!name->ip && !casefold_is_plain(name->value))
            err = add_joined(names, name);
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

const char *host_names_form_word(enum conf_name_form form)
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

bool host_names_same(const char *a, const char *b)
{
    unsigned char left[16], right[16];
    size_t an, bn, n;

    if (!given(a) || !given(b))
        return false;
    a = bare(a, &an);
    b = bare(b, &bn);
    if (casefold_equal_n(a, an, b, bn))
        return true;
    n = address(a, an, left);
    return n && address(b, bn, right) == n && memcmp(left, right, n) == 0;
}

bool host_names_is_exact(const struct session *session, const char *system)
{
    const char *const names[] = {session->hostname, session->computer_name, session->name,
                                 session->ip_address};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (host_names_same(names[i], system))
            return true;
    return false;
}

bool host_names_is_short(const struct session *session, const char *name)
{
    const char *const names[] = {session->hostname, session->computer_name, session->name};

    for (size_t i = 0; given(name) && i < sizeof(names) / sizeof(names[0]); i++)
        if (given(names[i]) && !text_is_ip(names[i]) && is_fqdn(names[i]) &&
            casefold_equal_n(names[i], strcspn(names[i], "."), name, strlen(name)))
            return true;
    return false;
}

bool host_names_is_possible(const struct session *session)
{
    return given(session->hostname) || given(session->computer_name) || given(session->name) ||
           given(session->ip_address) || given(session->application);
}

int host_names_compare(const char *a, const char *b)
{
    int order = strcasecmp(a, b);

    return order ? order : strcmp(a, b);
}
