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

/* The next name of the list, without its quotes; moves on. NULL at the end, or with `why` at a mistake. */
static const char *next_name(const char **list, size_t *len, bool *quoted, char *why)
{
    const char *name = *list + strspn(*list, " \t"), *end;

    *quoted = *name == '"';
    end = *quoted ? strchr(++name, '"') : name + strcspn(name, " \t");
    if (!end || (*quoted && end[1] && end[1] != ' ' && end[1] != '\t') ||
        (!*quoted && memchr(name, '"', (size_t)(end - name)))) {
        (void)snprintf(why, CONF_WHY_SIZE,
                       "needs names, each with blanks in it within double quotes (a # after a blank begins a "
                       "comment even there)");
        return NULL;
    }
    *len = (size_t)(end - name);
    *list = end + *quoted;
    return *len || *quoted ? name : NULL;
}

static int add_name(const struct conf_row *row, struct conf_list *names, const char *name, size_t len,
                    char *why)
{
    for (size_t i = 0; i < names->n; i++)
        if (strlen(names->item[i]) == len && memcmp(names->item[i], name, len) == 0)
            return conf_refuse(why, "names `%.64s` twice", names->item[i]);
    if (!len)
        return conf_refuse(why, "holds an empty name");
    if (names->n == row->max)
        return conf_refuse(why, "takes at most %u names", (unsigned)row->max);
    names->item[names->n] = strndup(name, len);
    if (!names->item[names->n])
        return -ENOMEM;
    names->n++;
    return 0;
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
    while (!err && (name = next_name(&text, &len, &quoted, why))) {
        if (!quoted && len == 3 && memcmp(name, "all", 3) == 0)
            jumpoints.all = true;
        else
            err = add_name(row, &jumpoints.names, name, len, why);
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
