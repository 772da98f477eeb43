/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists.c - walking an object of lists; see lists.h.
 */
#include "sim/lists.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 << 20)
#define DEPTH    16

static const struct list_row *list_named(const struct list_table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->rows[i].name, name) == 0)
            return &t->rows[i];
    return NULL;
}

static int apply_entries(const struct list_row *row, void *model, const cJSON *entries, struct buf *why)
{
    const cJSON *entry;
    int rc;

    if (cJSON_IsObject(entries))
        return row->apply(model, entries, why);
    cJSON_ArrayForEach(entry, entries)
    {
        rc = cJSON_IsObject(entry) ? row->apply(model, entry, why) : -EINVAL;
        if (rc)
            return rc;
    }
    return cJSON_IsArray(entries) ? 0 : -EINVAL;
}

int lists_apply_one(const struct list_table *t, void *model, const char *list, const cJSON *entries,
                    struct buf *why)
{
    const struct list_row *row = list_named(t, list);
    int rc = row ? apply_entries(row, model, entries, why) : -EINVAL;

    if (rc && why->len == 0)
        (void)buf_printf(why, "%s: cannot be applied", list);
    return rc;
}

int lists_apply(const struct list_table *t, void *model, const cJSON *scenario, struct buf *why)
{
    const cJSON *member;
    int rc = 0;

    cJSON_ArrayForEach(member, scenario)
    {
        if (list_named(t, member->string))
            continue;
        (void)buf_printf(why, "unknown list %s", member->string);
        return -EINVAL;
    }
    for (size_t i = 0; i < t->n && !rc; i++) {
        const cJSON *entries = json_get(scenario, t->rows[i].name);
        if (entries)
            rc = lists_apply_one(t, model, t->rows[i].name, entries, why);
    }
    return rc;
}

int lists_load_text(const struct list_table *t, void *model, const char *text, size_t len, struct buf *why)
{
    const char *reason = NULL;
    cJSON *tree = json_parse(text, len, DEPTH, 0, &reason);
    int rc = -EINVAL;

    if (cJSON_IsObject(tree))
        rc = lists_apply(t, model, tree, why);
    else
        (void)buf_str(why, reason ? reason : "not an object");
    cJSON_Delete(tree);
    return rc;
}

static int read_file(const char *path, struct buf *b)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    char part[8192];
    ssize_t n;

    if (fd < 0)
        return -errno;
    while ((n = read(fd, part, sizeof(part))) > 0 && !rc)
        rc = buf_append(b, part, (size_t)n);
    if (n < 0)
        rc = -errno;
    (void)close(fd);
    return rc;
}

int lists_load_file(const struct list_table *t, void *model, const char *path, struct buf *why)
{
    struct buf b = BUF_INIT(FILE_MAX);
    int rc = read_file(path, &b);

    if (rc)
        (void)buf_printf(why, "%s: %s", path, strerror(-rc));
    else
        rc = lists_load_text(t, model, b.data ? b.data : "", b.len, why);
    buf_free(&b);
    return rc;
}
