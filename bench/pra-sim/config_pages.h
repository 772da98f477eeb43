/*
 * config_pages.h - lists of the Configuration API: pages, filters, times.
 *
 * A list is in pages of `per_page` (5 to 100), `current_page` counts from 1, and headers say where one is.
 * Filters are exact, know no letter case, and all must match.
 */
#ifndef PRA_SIM_CONFIG_PAGES_H
#define PRA_SIM_CONFIG_PAGES_H

#include "base/jsonw.h"
#include "pra-sim/dispatch.h"

struct page {
    int64_t per_page, current, rows; /* rows: counted so far */
};

/* Begins the array of rows. False, and answered, when the parameters are wrong. */
bool config_begin_list(struct dispatch *, struct page *, struct jsonw *);
/* Counts the next row that matches. Is it on the page? */
bool config_on_page(struct page *);
/* Ends the array, and writes the headers for all rows counted. */
void config_end_list(struct dispatch *, const struct page *, struct jsonw *);
/* Is the parameter absent, or that value? */
bool config_filter(const struct dispatch *, const char *name, const char *value);
bool config_filter_int(const struct dispatch *, const char *name, int64_t value);
/* A time in the form of the knob; 0 = null. */
void config_put_time(struct dispatch *, struct jsonw *, const char *name, int64_t wall_ms);

/* ---- calls_items.c: what a site has of Jump items, groups and vault accounts ---- */

void items_list(struct dispatch *, int type); /* enum item_type */
void items_one(struct dispatch *, int type, int id);
void items_list_groups(struct dispatch *, int unused);
void items_one_group(struct dispatch *, int unused, int id);
void items_list_accounts(struct dispatch *, int unused);
void items_one_account(struct dispatch *, int unused, int id);

#endif
