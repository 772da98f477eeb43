/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_places.c - no file that the gateway writes may be another file of its: the log would be appended to a
 * secret, the audit trail to the lease store, a socket would take the place of the control socket.
 *
 * Two names are one file where they are spelled alike, where both lead to one inode, and where they are one
 * name in one directory, since a file that is missing now is made later.
 *
 * Not here: what kind of file is there (commands/run/preconditions.h), who could change it (conf_files.c).
 */
#include "base/text.h"
#include "conf/conf_draft.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct place {
    char *path;
    const char *key; /* of the configuration; NULL = a file that has no key */
    const char *what;
    unsigned line;
    bool written, socket;
};

struct places {
    struct place *list;
    size_t n;
};

/* The files of the state directory, beside the audit trail (stores/sqlite.h, audit/, commands/control.c). */
static const char *const state_files[] = {"lock",          "leases.db",  "leases.db-wal",
                                          "leases.db-shm", "audit.head", "control.sock"};

static void add_place(struct conf_draft *d, struct places *all, struct place one)
{
    struct place *more = one.path ? reallocarray(all->list, all->n + 1, sizeof(*more)) : NULL;

    if (!more) {
        free(one.path);
        d->nomem = true;
        return;
    }
    all->list = more;
    all->list[all->n++] = one;
}

static void add_key(struct conf_draft *d, struct places *all, const struct conf_part *part, const char *key,
                    const char *path, bool written)
{
    if (path && *path)
        add_place(d, all,
                  (struct place){.path = strdup(path),
                                 .key = key,
                                 .line = conf_part_line(part, key),
                                 .written = written,
                                 .socket = part->section == SECTION_LISTENER && written});
}

static void add_state_file(struct conf_draft *d, struct places *all, const char *dir, const char *name,
                           const char *what)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", dir, name) < 0)
        path = NULL;
    add_place(d, all, (struct place){.path = path, .what = what});
}

static void add_gateway(struct conf_draft *d, struct places *all)
{
    const struct conf_part *part = conf_draft_next(d, SECTION_GATEWAY, NULL);
    const struct conf_gateway *g = part ? part->object : NULL;
    const char *dir =
        g && g->state_dir ? g->state_dir : conf_row_find(SECTION_GATEWAY, "state_dir")->fallback;

    add_place(d, all, (struct place){.path = strdup(d->file), .what = "the configuration"});
    for (size_t i = 0; i < sizeof(state_files) / sizeof(state_files[0]); i++)
        add_state_file(d, all, dir, state_files[i], "a file of the state directory");
    if (!g || !g->audit_file)
        add_state_file(d, all, dir, "audit.jsonl", "the audit trail");
    else
        add_key(d, all, part, "audit_file", g->audit_file, true);
    if (g && g->log_file && strcmp(g->log_file, "-") != 0)
        add_key(d, all, part, "log_file", g->log_file, true);
}

static void add_part(struct conf_draft *d, struct places *all, const struct conf_part *part)
{
    const struct conf_listener *l = part->section == SECTION_LISTENER ? part->object : NULL;

    for (size_t i = 0; i < conf_nrows; i++) {
        char *path;

        if (conf_rows[i].section != part->section || !(conf_rows[i].flags & CONF_FILE))
            continue;
        memcpy(&path, conf_field_const(&conf_rows[i], part->object), sizeof(path));
        add_key(d, all, part, conf_rows[i].name, path, false);
    }
    if (l && l->is_unix)
        add_key(d, all, part, "address", l->host, true);
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

static bool same_file(const struct place *a, const struct place *b)
{
    if (strcmp(a->path, b->path) == 0)
        return !(a->socket && b->socket); /* two listeners on one address have a message of their own */
    return same_name(a->path, b->path) || same_inode(a->path, b->path);
}

static void compare(struct conf_draft *d, const struct place *written, const struct place *other)
{
    if (!same_file(written, other))
        return;
    if (other->key)
        conf_error(d, written->line, "`%s`: %s is the file of `%s` in line %u as well", written->key,
                   written->path, other->key, other->line);
    else
        conf_error(d, written->line, "`%s`: %s is %s", written->key, written->path, other->what);
}

void conf_check_places(struct conf_draft *d)
{
    struct places all = {.n = 0};
    struct conf_part *part;

    add_gateway(d, &all);
    TAILQ_FOREACH(part, &d->parts, link)
    add_part(d, &all, part);
    for (size_t i = 0; i < all.n; i++)
        for (size_t k = 0; k < all.n; k++)
            if (all.list[i].written && k != i && (k < i || !all.list[k].written))
                compare(d, &all.list[i], &all.list[k]);
    for (size_t i = 0; i < all.n; i++)
        free(all.list[i].path);
    free(all.list);
}
