/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_pattern.c - patterns of hosts; see host_pattern.h.
 */
#include "backends/privileged_identity/host_pattern.h"

#include "base/casefold.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *fold(const char *text)
{
    size_t n = strlen(text);

    if (n > 1 && text[n - 1] == '.')
        n--;
    if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    char *out = malloc(CASEFOLD_SIZE(n) + 1);
    if (out)
        out[casefold_text(out, text, n)] = '\0';
    return out;
}

static void free_all(char **item, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(item[i]);
    free(item);
}

static int fold_all(const char *const *text, size_t n, char ***out)
{
    char **item = calloc(n + 1, sizeof(char *));

    for (size_t i = 0; item && i < n; i++)
        if (!(item[i] = fold(text[i]))) {
            free_all(item, i);
            return -ENOMEM;
        }
    *out = item;
    return item ? 0 : -ENOMEM;
}

int host_patterns_make(struct host_patterns *p, const struct conf_list *hosts)
{
    *p = (struct host_patterns){.any = false};
    for (size_t i = 0; i < hosts->n; i++)
        p->any |= strcmp(hosts->item[i], "*") == 0;
    int err = fold_all((const char *const *)hosts->item, hosts->n, &p->folded.item);
    p->folded.n = err ? 0 : hosts->n;
    return err;
}

int host_forms_make(struct host_forms *f, const char *const *forms, size_t n)
{
    int err = fold_all(forms, n, &f->folded);

    f->n = err ? 0 : n;
    return err;
}

void host_patterns_free(struct host_patterns *p)
{
    free_all(p->folded.item, p->folded.n);
    *p = (struct host_patterns){.any = false};
}

void host_forms_free(struct host_forms *f)
{
    free_all(f->folded, f->n);
    *f = (struct host_forms){.n = 0};
}

/* After a mismatch the last * takes one letter more; earlier ones need not. */
static bool fits(const char *pattern, const char *name)
{
    const char *star = NULL, *from = NULL;
    uint32_t letter;

    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (*pattern == '?') {
            pattern++;
            name += utf8_letter(name, strlen(name), &letter);
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            from += utf8_letter(from, strlen(from), &letter);
            name = from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool host_patterns_match(const struct host_patterns *p, const struct host_forms *forms)
{
    if (p->any)
        return true;
    for (size_t i = 0; i < p->folded.n; i++)
        for (size_t k = 0; k < forms->n; k++)
            if (fits(p->folded.item[i], forms->folded[k]))
                return true;
    return false;
}
