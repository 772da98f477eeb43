/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.c - the address of the grid that shows the rows behind a number.
 *
 * Times are written out, so that the grid shows what was counted although the clock goes on.
 */
#include "base/text.h"
#include "reports/query/query_internal.h"

#include <stdlib.h>
#include <string.h>

static void add_encoded(struct buf *b, const char *text)
{
    size_t size = 3 * strlen(text) + 1;
    char *encoded = malloc(size);

    if (encoded && text_url_encode(encoded, size, text))
        (void)buf_str(b, encoded);
    else
        b->failed = true;
    free(encoded);
}

static void add_parameter(struct buf *b, const char *name, const char *value)
{
    (void)buf_printf(b, "%s%s=", b->data[b->len - 1] == '?' ? "" : "&", name);
    add_encoded(b, value);
}

static void add_list(struct buf *b, const char *name, const struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        add_parameter(b, name, list->texts[i]);
    if (list->empty)
        add_parameter(b, name, "");
}

void link_begin(struct buf *b, const struct query *q, const struct dataset *dataset,
                const struct window *window, unsigned parts)
{
    char text[ZONE_TEXT_SIZE];

    (void)buf_printf(b, "/records/%s?", dataset->name);
    if (b->failed)
        return;
    if (parts & LINK_ALL_TIME || window->from == ALWAYS_FROM || window->to == ALWAYS_TO) {
        add_parameter(b, "range", "all");
    } else {
        add_parameter(b, "from", zone_text(q->zone, window->from, text));
        add_parameter(b, "to", zone_text(q->zone, window->to, text));
    }
    if (q->zone_name)
        add_parameter(b, "tz", q->zone_name);
    add_list(b, "site", &q->site);
    if (parts & LINK_SITE_ONLY)
        return;
    add_list(b, "group", &q->group);
    add_list(b, "user", &q->user);
    add_list(b, "endpoint", &q->endpoint);
}

void link_filter(struct buf *b, const char *column, const char *op)
{
    (void)buf_printf(b, "&f.%s=%s:", column, op);
}

void link_value(struct buf *b, const char *value)
{
    char *escaped = malloc(2 * strlen(value) + 1), *to = escaped;

    if (!escaped) {
        b->failed = true;
        return;
    }
    for (; *value; value++) {
        if (*value == ',' || *value == '\\')
            *to++ = '\\';
        *to++ = *value;
    }
    *to = '\0';
    add_encoded(b, escaped);
    free(escaped);
}

void link_filters(struct buf *b, const struct query *q, const char *encoded)
{
    char time[ZONE_TEXT_SIZE];
    const char *place;

    if (!encoded)
        return;
    (void)buf_char(b, '&');
    while ((place = strchr(encoded, '{'))) {
        (void)buf_append(b, encoded, (size_t)(place - encoded));
        if (strncmp(place, "{late}", 6) == 0)
            (void)buf_printf(b, "%lld", (long long)q->ctx->late_release + 1);
        else
            add_encoded(b, zone_text(q->utc, q->ctx->now - q->ctx->unmatched_after - 1, time));
        encoded = strchr(place, '}') + 1;
    }
    (void)buf_str(b, encoded);
}
