/*
 * counts.h - what the web counts, for /metrics.
 */
#ifndef JG_REPORTS_WEB_COUNTS_H
#define JG_REPORTS_WEB_COUNTS_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

struct took {
    uint64_t n, us;
};

struct request_count {     /* of one operation */
    uint64_t by_status[6]; /* 1xx is not sent: [0] = the client left */
    struct took took;
};

enum sign_in_outcome {
    SIGN_IN_OK,
    SIGN_IN_FAILED,
    SIGN_IN_LOCKED_OUT,
    SIGN_IN_REFUSED, /* over a rate, or too many wait */
    SIGN_IN_NOUTCOMES
};

#define COUNTS_TILES 64 /* at most */

struct counts {
    struct request_count *requests; /* of each route */
    struct took tiles[COUNTS_TILES];
    uint64_t sign_ins[SIGN_IN_NOUTCOMES];
    uint64_t exports, exports_broken, feed_pages;
    struct took statements[8]; /* of each query_call; then feed, layout */
};

enum { COUNT_FEED = 6, COUNT_LAYOUT = 7 };

static inline void took_add(struct took *t, uint64_t us)
{
    t->n++;
    t->us += us;
}

#endif
