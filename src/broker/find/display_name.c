/* SPDX-License-Identifier: Apache-2.0 */
/*
 * display_name.c - the display template, expanded; and patterns over account names.
 *
 * A placeholder whose member the account lacks yields nothing; {where} is what the account belongs to as the
 * person knows it: the application, the alias, else the system. The configuration check has seen to it that
 * there are no unknown placeholders; should one come here all the same, it stands for itself.
 */
#include "broker/find/display_name.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_DISPLAY "{domain_account} ({where})"

struct text {
    char *out;
    size_t size, used; /* used counts what did not fit, too */
};

static void put(struct text *to, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++, to->used++)
        if (to->used + 1 < to->size)
            to->out[to->used] = from[i];
}

static void put_text(struct text *to, const char *from)
{
    put(to, from ? from : "", from ? strlen(from) : 0);
}

static bool is_application(const struct account *account)
{
    return account->kind == KIND_APPLICATION && account->application && *account->application;
}

static void put_qualified(struct text *to, const struct account *account)
{
    if (!is_application(account) && account->domain && *account->domain) {
        put_text(to, account->domain);
        put(to, "\\", 1);
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

/* The text behind a placeholder's name; false = there is no such placeholder. */
static bool put_member(struct text *to, const struct account *account, const char *name, size_t len)
{
    const struct {
        const char *name, *text;
    } members[] = {
        {"account", account->account},         {"domain", account->domain},
        {"system", account->system},           {"where", where(account)},
        {"application", account->application}, {"instance", account->instance},
        {"description", account->description}, {"kind", kind_word(account)},
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

size_t find_show(const struct conf_vault *conf, const struct account *account, char *out, size_t size)
{
    const char *at = conf->display && *conf->display ? conf->display : DEFAULT_DISPLAY;
    struct text to = {out, size, 0};

    while (*at) {
        const char *close = *at == '{' ? strchr(at, '}') : NULL;
        if (close && put_member(&to, account, at + 1, (size_t)(close - at - 1)))
            at = close + 1;
        else
            put(&to, at++, 1);
    }
    if (size)
        out[to.used < size ? to.used : size - 1] = '\0';
    return to.used;
}

size_t find_show_pattern(const struct conf_list *list, const struct account *account)
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
