/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_objects.c - the sections of a configuration as objects; see conf_objects.h.
 */
#include "conf/table/conf_objects.h"

#include "base/digest.h"
#include "base/text.h"
#include "conf/table/conf_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- out of the draft ---- */

static size_t count_parts(struct conf_draft *d, unsigned section)
{
    size_t n = 0;

    for (struct conf_part *p = conf_draft_next(d, section, NULL); p; p = conf_draft_next(d, section, p))
        n++;
    return n;
}

void *conf_take_parts(struct conf_draft *d, unsigned section, size_t *n)
{
    size_t size = d->table->sections[section].size, count = count_parts(d, section), i = 0;
    char *array = calloc(count ? count : 1, size);

    if (!array)
        return NULL;
    for (struct conf_part *p = conf_draft_next(d, section, NULL); p; p = conf_draft_next(d, section, p)) {
        memcpy(array + i++ * size, p->object, size);
        free(p->object);
        p->object = NULL;
    }
    *n = count;
    return array;
}

int conf_take_part(struct conf_draft *d, unsigned section, void *object)
{
    struct conf_part *part = conf_draft_next(d, section, NULL);

    if (!part)
        part = conf_draft_add(d, section, "", 0);
    if (!part)
        return -ENOMEM;
    memcpy(object, part->object, d->table->sections[section].size);
    free(part->object);
    part->object = NULL;
    return 0;
}

void conf_name_parts(struct conf_draft *d)
{
    struct conf_part *part;

    TAILQ_FOREACH(part, &d->parts, link)
    if (d->table->sections[part->section].named)
        memcpy(part->object, part->name, sizeof(part->name));
}

/* ---- of a finished configuration ---- */

struct digest_text {
    const struct conf_table *table;
    struct buf text;
};

static int print_object(void *arg, unsigned section, const char *name, void *object)
{
    struct digest_text *digest = arg;
    const struct conf_table *table = digest->table;
    struct buf *out = &digest->text;

    (void)buf_printf(out, "[%s %s]\n", table->sections[section].name, name);
    for (size_t i = 0; i < table->nrows; i++)
        if (table->rows[i].section == section) {
            (void)buf_printf(out, "%s=", table->rows[i].name);
            table->rows[i].type->print(&table->rows[i], object, out);
            (void)buf_char(out, '\n');
        }
    return 0;
}

int conf_digest_of(const struct conf_table *table, void *conf, char hex[65])
{
    struct digest_text digest = {table, BUF_INIT(8 * CONF_SOURCE_MAX)};
    unsigned char sum[DIGEST_SIZE];

    (void)table->each(conf, print_object, &digest);
    int err = digest.text.failed ? -ENOMEM : digest_sha256(digest.text.data, digest.text.len, sum);
    if (!err)
        text_hex(hex, sum, sizeof(sum));
    buf_free(&digest.text);
    return err;
}

static int clear_object(void *arg, unsigned section, const char *name, void *object)
{
    const struct conf_table *table = arg;

    (void)name;
    for (size_t i = 0; i < table->nrows; i++)
        if (table->rows[i].section == section)
            table->rows[i].type->clear(&table->rows[i], object);
    return 0;
}

void conf_clear_all(const struct conf_table *table, void *conf)
{
    struct conf_table copy = *table;

    (void)table->each(conf, clear_object, &copy);
}
