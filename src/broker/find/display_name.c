/* SPDX-License-Identifier: Apache-2.0 */
/*
 * display_name.c - the display template, expanded; and patterns over account names.
 *
 * A placeholder whose member the account lacks yields nothing; {where} is what the account belongs to in the
 * user's view: the application, the alias, else the system; {vault} is the name of the section. An unknown
 * placeholder, which the configuration check refuses, is copied as it is. A label of the account's own takes
 * the template's place.
 */
#include "broker/find/display_name.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_DISPLAY "{domain_account} ({where})"

struct text {
    char *out;
    size_t size, used; /* used counts what did not fit, too */
};

static void put_bytes(struct text *to, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++, to->used++)
        if (to->used + 1 < to->size)
            to->out[to->used] = from[i];
}

static void put_text(struct text *to, const char *from)
{
    put_bytes(to, from ? from : "", from ? strlen(from) : 0);
}

static bool is_application(const struct account *account)
{
    return account->kind == KIND_APPLICATION && account->application && *account->application;
}

static void put_qualified(struct text *to, const struct account *account)
{
    if (!is_application(account) && account->domain && *account->domain) {
        put_text(to, account->domain);
        put_bytes(to, "\\", 1);
    }
    put_text(to, account->account);
}

static const char *where(const struct account *account)
{
    if (is_application(account))
        return account->application;
    return account->kind == KIND_ALIAS && account->alias ? account->alias : account->system;
}

static const char *kind_word(const struct account *account)
{
    static const char *const words[KIND_NKINDS] = {
        [KIND_LOCAL] = "local",       [KIND_DOMAIN_LINKED] = "domain", [KIND_APPLICATION] = "application",
        [KIND_DATABASE] = "database", [KIND_CLOUD] = "cloud",          [KIND_ALIAS] = "alias",
    };

    return account->kind < KIND_NKINDS ? words[account->kind] : "";
}

/* Appends the text of the placeholder of that name; false = there is no such placeholder. */
static bool put_member(struct text *to, const struct conf_vault *conf, const struct account *account,
                       const char *name, size_t len)
{
    const struct {
        const char *name, *text;
    } members[] = {
        {"account", account->account},
        {"domain", account->domain},
        {"system", account->system},
        {"where", where(account)},
        {"application", account->application},
        {"instance", account->instance},
        {"description", account->description},
        {"kind", kind_word(account)},
        {"vault", conf->name},
    };

    if (len == strlen("domain_account") && memcmp(name, "domain_account", len) == 0) {
        put_qualified(to, account);
        return true;
    }
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (strlen(members[i].name) == len && memcmp(members[i].name, name, len) == 0) {
            put_text(to, members[i].text);
            return true;
        }
    return false;
}

size_t display_name_write(const struct conf_vault *conf, const struct account *account, bool marked,
                          char *out, size_t size)
{
    const char *at = conf->display && *conf->display ? conf->display : DEFAULT_DISPLAY;
    struct text to = {out, size, 0};

    if (account->label) {
        put_text(&to, account->label);
        at = "";
    }
    while (*at) {
        const char *close = *at == '{' ? strchr(at, '}') : NULL;
        if (close && put_member(&to, conf, account, at + 1, (size_t)(close - at - 1)))
            at = close + 1;
        else
            put_bytes(&to, at++, 1);
    }
    if (marked) {
        put_text(&to, " [");
        put_text(&to, conf->name);
        put_text(&to, "]");
    }
    if (size)
        out[to.used < size ? to.used : size - 1] = '\0';
    return to.used;
}

int display_name_compare(const char *a, const char *b)
{
    int order = strcasecmp(a, b);

    return order ? order : strcmp(a, b);
}

size_t display_name_pattern(const struct conf_list *list, const struct account *account)
{
    char qualified[768];
    struct text to = {qualified, sizeof(qualified), 0};

    if (list->n == 0)
        return 0;
    put_qualified(&to, account);
    qualified[to.used < sizeof(qualified) ? to.used : sizeof(qualified) - 1] = '\0';
    for (size_t i = 0; i < list->n; i++)
        if (fnmatch(list->item[i], account->account, FNM_CASEFOLD | FNM_NOESCAPE) == 0 ||
            fnmatch(list->item[i], qualified, FNM_CASEFOLD | FNM_NOESCAPE) == 0)
            return i;
    return list->n;
}
