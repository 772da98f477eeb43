/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_rules.c - rules that more than one section has; see conf_rules.h.
 */
#include "conf/table/conf_rules.h"

#include <string.h>

bool conf_same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

void conf_check_required(struct conf_draft *d, const struct conf_part *part)
{
    char title[CONF_TITLE_SIZE];

    for (size_t i = 0; i < part->table->nrows; i++) {
        const struct conf_row *row = &part->table->rows[i];

        if (row->section == part->section && row->flags & CONF_REQUIRED && !part->at[i])
            conf_error(d, part->line, "%s lacks `%s`, such as: %s = %s", conf_part_title(part, title),
                       row->name, row->name, row->example);
    }
}

/* Two keys that are set together or not at all; the message names the missing one. */
void conf_check_couple(struct conf_draft *d, const struct conf_part *part, const char *a, const char *b)
{
    bool has_a = conf_part_has(part, a), has_b = conf_part_has(part, b);

    if (has_a != has_b)
        conf_error(d, conf_part_line(part, has_a ? a : b), "`%s` needs `%s` beside it", has_a ? a : b,
                   has_a ? b : a);
}

/* Calls `twin` for the sections before this one, up to the first that it reports as the same. */
void conf_check_twins(struct conf_draft *d, const struct conf_part *part,
                      bool (*twin)(struct conf_draft *, const struct conf_part *, const struct conf_part *))
{
    CONF_FOR_EACH(d, part->section, other)
    if (other == part || twin(d, part, other))
        return;
}

void conf_check_https(struct conf_draft *d, unsigned line, const struct address_url *url, bool insecure)
{
    if (strcmp(url->scheme, "http") != 0)
        return;
    if (!address_is_loopback(url->host))
        conf_error(d, line,
                   "`url` must be https: plain http is possible to this machine only, for simulators");
    else if (!insecure)
        conf_error(d, line,
                   "`url` must be https; for a simulator on this machine set insecure_http = yes as well");
}

void conf_check_bare_url(struct conf_draft *d, const struct conf_part *part, const char *text, bool insecure,
                         const char *example)
{
    unsigned line = conf_part_line(part, "url");
    char why[ADDRESS_WHY_SIZE];
    struct address_url url;

    if (!text || address_split_url(text, &url, why))
        return;
    if (*url.path)
        conf_error(d, line, "`url` must not have a path: %s", example);
    conf_check_https(d, line, &url, insecure);
}
