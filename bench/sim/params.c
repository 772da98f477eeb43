/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params.c - queries and forms; see params.h.
 */
#include "sim/params.h"

#include "base/memory/secret.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_one(struct params *p, char *text)
{
    char *equal = strchr(text, '=');

    if (!*text)
        return 0;
    if (p->n == PARAMS_MAX)
        return -EINVAL;
    if (equal)
        *equal = '\0';
    if (!text_url_decode(text, true) || (equal && !text_url_decode(equal + 1, true)))
        return -EINVAL;
    p->param[p->n].name = text;
    p->param[p->n].value = equal ? equal + 1 : "";
    p->n++;
    return 0;
}

int params_read(struct params *p, const char *text, size_t len)
{
    char *rest, *one;

    *p = (struct params){0};
    if (!text)
        return 0;
    p->size = len + 1;
    p->store = malloc(p->size);
    if (!p->store)
        return -ENOMEM;
    memcpy(p->store, text, len);
    p->store[len] = '\0';
    rest = p->store;
    while ((one = strsep(&rest, "&"))) {
        int rc = read_one(p, one);
        if (rc) {
            params_free(p);
            return rc;
        }
    }
    return 0;
}

const char *params_get(const struct params *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (text_equal_nocase(p->param[i].name, name))
            return p->param[i].value;
    return NULL;
}

void params_free(struct params *p)
{
    if (p->store)
        wipe(p->store, p->size);
    free(p->store);
    *p = (struct params){0};
}
