/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_pages.c - lists of the Configuration API; see config_pages.h.
 */
#include "pra-sim/config_pages.h"

#include "base/jsonw.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool page_number(struct dispatch *d, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *text = dispatch_param(d, name);

    if (!text || text_int(text, min, max, out))
        return true;
    answer_violation(d, VIOLATION_BAD_PARAMETER, "The given data was invalid.");
    return false;
}

bool config_begin_list(struct dispatch *d, struct page *p, struct jsonw *w)
{
    *p = (struct page){.per_page = 100, .current = 1};
    if (!page_number(d, "per_page", 5, 100, &p->per_page) ||
        !page_number(d, "current_page", 1, INT32_MAX, &p->current))
        return false;
    *w = answer_json(d, 200);
    jsonw_array(w, NULL);
    return true;
}

static void put_link(struct dispatch *d, const struct page *p, const char *rel, int64_t page, bool *first)
{
    (void)buf_printf(&d->answer->headers, "%s<https://%s%s?per_page=%lld&current_page=%lld>; rel=\"%s\"",
                     *first ? "Link: " : ", ", d->call->host ? d->call->host : d->site->hostname,
                     d->call->path, (long long)p->per_page, (long long)page, rel);
    *first = false;
}

void config_end_list(struct dispatch *d, const struct page *p, struct jsonw *w)
{
    int64_t last = p->rows ? (p->rows + p->per_page - 1) / p->per_page : 1;
    bool first = true;

    jsonw_end(w);
    put_link(d, p, "first", 1, &first);
    if (p->current > 1)
        put_link(d, p, "previous", p->current - 1, &first);
    if (p->current < last)
        put_link(d, p, "next", p->current + 1, &first);
    put_link(d, p, "last", last, &first);
    (void)buf_printf(&d->answer->headers,
                     "\r\nX-BT-Pagination-Current-Page: %lld\r\nX-BT-Pagination-Last-Page: %lld\r\n"
                     "X-BT-Pagination-Per-Page: %lld\r\nX-BT-Pagination-Total: %lld\r\n",
                     (long long)p->current, (long long)last, (long long)p->per_page, (long long)p->rows);
}

bool config_on_page(struct page *p)
{
    return p->rows++ / p->per_page == p->current - 1;
}

bool config_filter(const struct dispatch *d, const char *name, const char *value)
{
    const char *wanted = dispatch_param(d, name);

    return !wanted || text_equal_nocase(wanted, value);
}

void config_put_time(struct dispatch *d, struct jsonw *w, const char *name, int64_t wall_ms)
{
    char iso[TIME_ISO];

    if (!wall_ms) {
        jsonw_null(w, name);
    } else if (d->site->knob[KNOB_CONFIG_TIME]) {
        jsonw_int(w, name, wall_ms / 1000);
    } else {
        time_iso(wall_ms, iso);
        jsonw_str(w, name, iso);
    }
}

bool config_filter_int(const struct dispatch *d, const char *name, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    return config_filter(d, name, text);
}
