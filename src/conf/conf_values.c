/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_values.c - a configuration as a list of texts; see conf_values.h.
 *
 * The texts come from the printers of the table's types, as for the digest of a configuration. What a reload
 * does with a change follows from the flags of the key's row, as in conf_change.c.
 */
#include "conf/conf_values.h"

#include "base/digest.h"
#include "base/text.h"
#include "conf/conf_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX  (1U << 20)
#define TITLE_SIZE (CONF_NAME_MAX + 16)

struct printer {
    const char *salt;
    conf_value_fn *fn;
    void *arg;
};

static int hide_text(const struct printer *p, struct buf *text, char hex[2 * DIGEST_SIZE + 1])
{
    struct buf salted = BUF_INIT(2 * VALUE_MAX);
    unsigned char sum[DIGEST_SIZE];

    (void)buf_printf(&salted, "%s\n", p->salt);
    (void)buf_append(&salted, text->data, text->len);
    int err = salted.failed ? -ENOMEM : digest_sha256(salted.data, salted.len, sum);
    if (!err)
        text_hex(hex, sum, sizeof(sum));
    buf_free(&salted);
    return err;
}

static int give_key(const struct printer *p, const char *title, const struct conf_row *row,
                    const void *object)
{
    struct conf_value value = {.section = title, .key = row->name, .secret = row->flags & CONF_SECRET};
    char hex[2 * DIGEST_SIZE + 1] = "";
    struct buf text = BUF_INIT(VALUE_MAX);

    row->type->print(row, object, &text);
    int err = text.failed ? -ENOMEM : 0;
    if (!err && value.secret && text.len)
        err = hide_text(p, &text, hex);
    value.text = value.secret ? hex : text.len ? buf_cstr(&text) : "";
    if (!err && !value.text)
        err = -ENOMEM;
    if (!err)
        p->fn(p->arg, &value);
    buf_free(&text);
    return err;
}

static int give_section(void *arg, unsigned section, const char *name, void *object)
{
    const struct conf_table *table = &conf_gateway_table;
    const struct printer *p = arg;
    char title[TITLE_SIZE];
    int err = 0;

    (void)snprintf(title, sizeof(title), "%s%s%s", table->sections[section].name, *name ? " " : "", name);
    p->fn(p->arg, &(struct conf_value){.section = title, .text = ""});
    for (size_t i = 0; i < table->nrows && !err; i++)
        if (table->rows[i].section == section)
            err = give_key(p, title, &table->rows[i], object);
    return err;
}

int conf_values(const struct conf *conf, const char *salt, conf_value_fn *fn, void *arg)
{
    struct printer p = {salt, fn, arg};
    struct conf same = *conf; /* the printers change nothing */

    return conf_gateway_table.each(&same, give_section, &p);
}

/* ---- what a reload does with a change ---- */

static enum conf_section section_of(const char *title)
{
    size_t n = strcspn(title, " ");

    for (int i = 0; i < SECTION_N; i++)
        if (strlen(conf_gateway_table.sections[i].name) == n &&
            memcmp(conf_gateway_table.sections[i].name, title, n) == 0)
            return (enum conf_section)i;
    return SECTION_N;
}

bool conf_value_is_secret(const char *section, const char *key)
{
    const struct conf_row *row = conf_row_find(&conf_gateway_table, section_of(section), key);

    return row && row->flags & CONF_SECRET;
}

enum conf_change_kind conf_change_of(const char *section, const char *key, const char *before,
                                     const char *after)
{
    const struct conf_row *row = conf_row_find(&conf_gateway_table, section_of(section), key);

    if (!row) /* a gateway of another version knows it */
        return CONF_NEEDS_RESTART;
    if (row->flags & CONF_STATIC || (row->flags & CONF_STAYS && !*before != !*after))
        return CONF_NEEDS_RESTART;
    return CONF_CHANGES;
}

enum conf_change_kind conf_section_change(const char *section)
{
    enum conf_section of = section_of(section);

    return of == SECTION_CLIENT || of == SECTION_ACCESS ? CONF_CHANGES : CONF_NEEDS_RESTART;
}
