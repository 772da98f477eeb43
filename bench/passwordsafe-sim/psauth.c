/* SPDX-License-Identifier: Apache-2.0 */
/*
 * psauth.c - taking the header apart in place; see psauth.h.
 */
#include "passwordsafe-sim/psauth.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Cuts `pwd=[...]` out of the text and returns the password. */
static const char *cut_password(char *text, bool first_bracket)
{
    char *at = text, *open, *close;

    do {
        at = strcasestr(at, "pwd=[");
        if (!at)
            return NULL;
    } while (at != text && !strchr("; ", at[-1]) && *(++at));
    open = at + 5;
    close = first_bracket ? strchr(open, ']') : strrchr(open, ']');
    if (!close)
        return NULL;
    *at = '\0'; /* what is before and what is behind are read apart */
    *close = '\0';
    return open;
}

static void take_part(struct psauth *a, char *part)
{
    static const struct {
        const char *name;
        size_t at;
    } parts[] = {{"key=", offsetof(struct psauth, key)},
                 {"runas=", offsetof(struct psauth, run_as)},
                 {"challenge=", offsetof(struct psauth, challenge)}};

    part += strspn(part, " ");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t n = strlen(parts[i].name);
        if (strncasecmp(part, parts[i].name, n) != 0)
            continue;
        const char *value = part + n;
        memcpy((char *)a + parts[i].at, &value, sizeof(value));
        return;
    }
}

static void take_parts(struct psauth *a, char *text)
{
    char *part;

    while ((part = strsep(&text, ";")))
        take_part(a, part);
}

int psauth_read(struct psauth *a, const char *header, bool first_bracket)
{
    int rc;

    *a = (struct psauth){0};
    if (!header || strncasecmp(header, "PS-Auth ", 8) != 0)
        return -EINVAL;
    rc = secret_set(&a->store, header + 8, strlen(header + 8));
    if (rc)
        return rc;
    a->password = cut_password(a->store.p, first_bracket);
    take_parts(a, a->store.p);
    if (a->password) {
        size_t behind = (size_t)(a->password - a->store.p) + strlen(a->password) + 1;
        if (behind < a->store.len)
            take_parts(a, a->store.p + behind);
    }
    if (a->key && a->run_as && *a->key && *a->run_as)
        return 0;
    psauth_clear(a);
    return -EINVAL;
}

void psauth_clear(struct psauth *a)
{
    secret_clear(&a->store);
    *a = (struct psauth){0};
}
