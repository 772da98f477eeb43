/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login_name.c - the login name of an account as its endpoint expects it.
 *
 * The vault names an account and, for a directory account, its domain (DNS or NetBIOS form, as the directory
 * was set up); both are used as they came. A name that already carries its domain is left alone. Where a UPN
 * is wanted and the vault gave none, one is made from a DNS domain; a NetBIOS name makes no UPN, so the form
 * with the backslash is used. Where the account says what is typed at its endpoint, that is all of it.
 */
#include "broker/identity/login_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *joined(const char *a, char between, const char *b)
{
    size_t size = strlen(a) + strlen(b) + 2;
    char *out = malloc(size);

    if (out)
        (void)snprintf(out, size, "%s%c%s", a, between, b);
    return out;
}

char *login_name_make(const struct account *a, enum conf_username_form form)
{
    bool directory = a->domain && *a->domain;

    if (a->username)
        return strdup(a->username);
    if (!directory || strchr(a->account, '\\'))
        return strdup(a->account);
    if (form == USERNAME_UPN) {
        if (a->upn && *a->upn)
            return strdup(a->upn);
        if (strchr(a->account, '@'))
            return strdup(a->account);
        if (strchr(a->domain, '.'))
            return joined(a->account, '@', a->domain);
    }
    return joined(a->domain, '\\', a->account);
}
