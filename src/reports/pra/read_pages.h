/*
 * read_pages.h - pages of the Configuration API turned into rows of the inventory.
 */
#ifndef JG_REPORTS_PRA_READ_PAGES_H
#define JG_REPORTS_PRA_READ_PAGES_H

#include "base/buf.h"
#include "reports/pra/batch.h"

#define REPORT_PAGE_ROWS 100 /* asked for at once; also what the API gives unasked */

struct page_outcome {
    int err; /* 0, -EINVAL (no list of objects), -ENOMEM */
    const char *why;
    size_t rows;     /* of the page */
    size_t unusable; /* of them: without an id */
};

enum report_kind report_page_rows(enum report_page_kind);
/* Rows go into `out`, which is not flushed. */
void report_page_read(enum report_page_kind, const struct buf *json, struct batch_out *out,
                      struct page_outcome *);

#endif
