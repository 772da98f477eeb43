/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_compare.c - what differs between two configurations; see conf_compare.h.
 *
 * Two values of a key are compared by their canonical texts, and a flag of the key's row says whether a
 * reload may change it.
 */
#include "conf/table/conf_compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX (1U << 20)

/* `client pra.rate`, or `client pra (new)`. */
static void add_name(struct conf_change *c, const char *title, const char *key, const char *what)
{
    c->changed++;
    if (c->names.len)
        (void)buf_str(&c->names, ", ");
    if (key)
        (void)buf_printf(&c->names, "%s.%s", title, key);
    if (what)
        (void)buf_printf(&c->names, "%s (%s)", title, what);
    c->names.failed = false; /* a cut list is accepted: it is for the log */
}

static void refuse_change(struct conf_change *c, const char *title, const char *what)
{
    c->refused++;
    (void)buf_printf(&c->reasons, "[%s] %s while %s runs; restart it\n", title, what, c->table->runs);
    c->reasons.failed = false;
}

static void refuse_key(struct conf_change *c, const char *title, const struct conf_row *row)
{
    char what[160];

    (void)snprintf(what, sizeof(what), "`%s` %s", row->name,
                   row->flags & CONF_STATIC ? "cannot change" : "cannot be added or removed");
    refuse_change(c, title, what);
}

/* 0 equal, 1 different, 2 only one of them is set; -ENOMEM. */
static int compare_value(const struct conf_row *row, const void *now, const void *next)
{
    struct buf a = BUF_INIT(VALUE_MAX), b = BUF_INIT(VALUE_MAX);
    int result = -ENOMEM;

    row->type->print(row, now, &a);
    row->type->print(row, next, &b);
    if (!a.failed && !b.failed) {
        result = a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0) ? 0 : 1;
        if (result && (!a.len || !b.len))
            result = 2;
    }
    buf_free(&a);
    buf_free(&b);
    return result;
}

static int compare_section(struct conf_change *c, unsigned section, const char *title, const void *now,
                           const void *next)
{
    for (size_t i = 0; i < c->table->nrows; i++) {
        const struct conf_row *row = &c->table->rows[i];
        int differs;

        if (row->section != section)
            continue;
        differs = compare_value(row, now, next);
        if (differs < 0)
            return differs;
        if (differs && (row->flags & CONF_STATIC || (differs == 2 && row->flags & CONF_STAYS)))
            refuse_key(c, title, row);
        else if (differs)
            add_name(c, title, row->name, NULL);
    }
    return 0;
}

static const char *title_of(const struct conf_change *c, unsigned section, const char *name,
                            char out[CONF_NAME_MAX + 16])
{
    (void)snprintf(out, CONF_NAME_MAX + 16, "%s %s", c->table->sections[section].name, name);
    return out;
}

/* The name is the first member of every named section. */
static const char *section_at(const struct conf_change *c, const void *array, unsigned section, size_t i)
{
    return (const char *)array + i * c->table->sections[section].size;
}

void conf_compare_begin(struct conf_change *c, const struct conf_table *table)
{
    *c = (struct conf_change){
        .table = table, .names = BUF_INIT(CONF_CHANGE_MAX), .reasons = BUF_INIT(CONF_CHANGE_MAX)};
}

int conf_compare_one(struct conf_change *c, unsigned section, const void *now, const void *next)
{
    return compare_section(c, section, c->table->sections[section].name, now, next);
}

int conf_compare_fixed(struct conf_change *c, unsigned section, const void *now, size_t nnow,
                       const void *next, size_t nnext)
{
    char title[CONF_NAME_MAX + 16];
    bool same = nnow == nnext;
    int err = 0;

    for (size_t i = 0; same && i < nnow; i++)
        same = strcmp(section_at(c, now, section, i), section_at(c, next, section, i)) == 0;
    if (!same) {
        refuse_change(c, c->table->sections[section].name,
                      "sections cannot be added, removed or put in another order");
        return 0;
    }
    for (size_t i = 0; !err && i < nnow; i++)
        err = compare_section(c, section, title_of(c, section, section_at(c, now, section, i), title),
                              section_at(c, now, section, i), section_at(c, next, section, i));
    return err;
}

/* The sections of an array, in the order of their names. */
struct names {
    const char **name;
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool names_sort(const struct conf_change *c, unsigned section, const void *array, size_t n,
                       struct names *out)
{
    *out = (struct names){calloc(n + 1, sizeof(char *)), n};
    for (size_t i = 0; out->name && i < n; i++)
        out->name[i] = section_at(c, array, section, i);
    if (out->name)
        qsort(out->name, n, sizeof(*out->name), by_name);
    return out->name != NULL;
}

static const char *names_find(const struct names *names, const char *name)
{
    const char *const *found = bsearch(&name, names->name, names->n, sizeof(name), by_name);

    return found ? *found : NULL;
}

static int compare_named(struct conf_change *c, unsigned section, const void *now, const struct names *nows,
                         const void *next, const struct names *nexts)
{
    size_t nnow = nows->n, nnext = nexts->n;
    char title[CONF_NAME_MAX + 16];
    bool moved = false;
    int err = 0;

    for (size_t i = 0; i < nnow; i++) {
        const char *name = section_at(c, now, section, i);

        if (!names_find(nexts, name))
            add_name(c, title_of(c, section, name, title), NULL, "removed");
    }
    for (size_t i = 0; !err && i < nnext; i++) {
        const char *name = section_at(c, next, section, i);
        const void *old = names_find(nows, name);

        (void)title_of(c, section, name, title);
        if (old)
            err = compare_section(c, section, title, old, name);
        else
            add_name(c, title, NULL, "new");
        moved = moved || (i < nnow && strcmp(section_at(c, now, section, i), name) != 0);
    }
    if (!err && moved && nnow == nnext) {
        const char *kind = c->table->sections[section].name;

        (void)snprintf(title, sizeof(title), kind[strlen(kind) - 1] == 's' ? "%ses" : "%ss", kind);
        add_name(c, title, NULL, "order");
    }
    return err;
}

int conf_compare_free(struct conf_change *c, unsigned section, const void *now, size_t nnow, const void *next,
                      size_t nnext)
{
    struct names nows, nexts = {.n = 0};
    bool sorted = names_sort(c, section, now, nnow, &nows) && names_sort(c, section, next, nnext, &nexts);
    int err = sorted ? compare_named(c, section, now, &nows, next, &nexts) : -ENOMEM;

    free(nows.name);
    free(nexts.name);
    return err;
}

void conf_change_free(struct conf_change *c)
{
    buf_free(&c->names);
    buf_free(&c->reasons);
}
