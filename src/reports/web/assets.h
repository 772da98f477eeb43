/*
 * assets.h - the files of the page, which are part of the program (src/reports/page).
 *
 * All are served below /assets/HASH/, where HASH is of all of them: a page and its scripts are of one build,
 * scripts name each other relatively, and a browser may keep them for ever. Pages (.html) are served under
 * addresses of their own and kept by no cache.
 */
#ifndef JG_REPORTS_WEB_ASSETS_H
#define JG_REPORTS_WEB_ASSETS_H

#include <stddef.h>

struct asset {
    const char *name; /* "app.js" */
    const char *plain, *plain_end;
    const char *gzip, *gzip_end; /* the same bytes, compressed */
};

extern const char assets_hash[];
extern const struct asset assets[];
extern const size_t assets_count;

#endif
