/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_places.c - no file that a program writes is another file of it; see conf_places.h.
 */
#include "conf/table/conf_places.h"

#include "base/text.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void add_place(struct conf_draft *d, struct conf_places *all, struct conf_place one)
{
    struct conf_place *more = one.path ? reallocarray(all->list, all->n + 1, sizeof(*more)) : NULL;

    if (!more) {
        free(one.path);
        d->nomem = true;
        return;
    }
    all->list = more;
    all->list[all->n++] = one;
}

void conf_places_key(struct conf_draft *d, struct conf_places *all, const struct conf_part *part,
                     const char *key, const char *path, enum conf_place_kind kind)
{
    if (path && *path)
        add_place(d, all,
                  (struct conf_place){
                      .path = strdup(path), .key = key, .line = conf_part_line(part, key), .kind = kind});
}

void conf_places_file(struct conf_draft *d, struct conf_places *all, const char *dir, const char *name,
                      const char *what)
{
    char *path = NULL;

    if (asprintf(&path, "%s%s%s", dir, *name ? "/" : "", name) < 0)
        path = NULL;
    add_place(d, all, (struct conf_place){.path = path, .what = what});
}

void conf_places_part(struct conf_draft *d, struct conf_places *all, const struct conf_part *part)
{
    const struct conf_table *table = part->table;

    for (size_t i = 0; i < table->nrows; i++) {
        const struct conf_row *row = &table->rows[i];
        char *path;

        if (row->section != part->section || !(row->flags & CONF_FILE))
            continue;
        memcpy(&path, conf_field_const(row, part->object), sizeof(path));
        conf_places_key(d, all, part, row->name, path, PLACE_READ);
    }
}

/* ---- two of them ---- */

static bool same_inode(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool same_name(const char *a, const char *b)
{
    const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
    char folder_a[PATH_MAX], folder_b[PATH_MAX];

    if (strcmp(x ? x + 1 : a, y ? y + 1 : b) != 0 || !text_copy(folder_a, sizeof(folder_a), a) ||
        !text_copy(folder_b, sizeof(folder_b), b))
        return false;
    return same_inode(dirname(folder_a), dirname(folder_b));
}

static bool same_file(const struct conf_place *a, const struct conf_place *b)
{
    if (strcmp(a->path, b->path) == 0)
        return !(a->kind == PLACE_SOCKET &&
                 b->kind == PLACE_SOCKET); /* two listeners on one address have a message of their own */
    return same_name(a->path, b->path) || same_inode(a->path, b->path);
}

static void compare(struct conf_draft *d, const struct conf_place *written, const struct conf_place *other)
{
    if (!same_file(written, other))
        return;
    if (other->key)
        conf_error(d, written->line, "`%s`: %s is the file of `%s` in line %u as well", written->key,
                   written->path, other->key, other->line);
    else
        conf_error(d, written->line, "`%s`: %s is %s", written->key, written->path, other->what);
}

static bool is_written(const struct conf_place *place)
{
    return place->kind != PLACE_READ;
}

void conf_places_judge(struct conf_draft *d, struct conf_places *all)
{
    for (size_t i = 0; i < all->n; i++)
        for (size_t k = 0; k < all->n; k++)
            if (is_written(&all->list[i]) && k != i && (k < i || !is_written(&all->list[k])))
                compare(d, &all->list[i], &all->list[k]);
    for (size_t i = 0; i < all->n; i++)
        free(all->list[i].path);
    free(all->list);
    *all = (struct conf_places){.n = 0};
}
