/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_pra.c - the type of the configuration that only the site's section uses: names of Jumpoints.
 *
 * A name may hold blanks and then is in double quotes; the bare word `all` means every Jumpoint, "all" in
 * quotes is a name.
 *
 * Not here: what two keys of the section have to do with each other (conf_check.c).
 */
#include "conf/conf_sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names of Jumpoints ---- */

static void jumpoints_clear(const struct conf_row *row, void *object)
{
    struct conf_jumpoints *jumpoints = conf_field(row, object);

    for (size_t i = 0; i < jumpoints->names.n; i++)
        free(jumpoints->names.item[i]);
    free(jumpoints->names.item);
    *jumpoints = (struct conf_jumpoints){.all = false};
}

static int jumpoints_parse(const struct conf_row *row, const char *text, void *object,
                           char why[CONF_WHY_SIZE])
{
    struct conf_jumpoints jumpoints = {.names.item = calloc(row->max, sizeof(char *))};
    const char *name;
    bool quoted;
    size_t len;
    int err = jumpoints.names.item ? 0 : -ENOMEM;

    *why = '\0';
    while (!err && (name = conf_next_quoted(row, &text, &len, &quoted, why))) {
        if (!quoted && len == 3 && memcmp(name, "all", 3) == 0)
            jumpoints.all = true;
        else
            err = conf_quoted_add(row, &jumpoints.names, name, len, why);
    }
    if (!err && jumpoints.all && jumpoints.names.n)
        (void)snprintf(why, CONF_WHY_SIZE, "names Jumpoints beside `all`");
    if (!err && *why)
        err = -EINVAL;
    if (!err) {
        jumpoints_clear(row, object);
        memcpy(conf_field(row, object), &jumpoints, sizeof(jumpoints));
        return 0;
    }
    for (size_t i = 0; i < jumpoints.names.n; i++)
        free(jumpoints.names.item[i]);
    free(jumpoints.names.item);
    return err;
}

static void jumpoints_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const struct conf_jumpoints *jumpoints = conf_field_const(row, object);

    if (jumpoints->all)
        (void)buf_str(out, "all");
    for (size_t i = 0; i < jumpoints->names.n; i++) {
        const char *name = jumpoints->names.item[i];
        bool quote = strpbrk(name, " \t") || strcmp(name, "all") == 0;

        (void)buf_printf(out, quote ? "%s\"%s\"" : "%s%s", i ? " " : "", name);
    }
}

const struct conf_type conf_jumpoints = {
    .what = "names",
    .shape = SHAPE_AT_MOST,
    .parse = jumpoints_parse,
    .print = jumpoints_print,
    .clear = jumpoints_clear,
};
