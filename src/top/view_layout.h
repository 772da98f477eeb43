/*
 * view_layout.h - private to top/: how many lines each part of the screen gets.
 *
 * Each table first gets its share of the height. What the leases do not need goes to the others, in steps of
 * some rows and whatever the filter, so that the screen does not move with each lease that comes or goes. The
 * leases get what is left.
 */
#ifndef JG_TOP_VIEW_LAYOUT_H
#define JG_TOP_VIEW_LAYOUT_H

#include "top/view.h"

struct view_layout {
    size_t reasons;                            /* lines below the header; 0 = one with counts */
    size_t operations, vaults, leases, errors; /* rows below their titles */
    bool beside;                               /* vaults beside the operations */
    bool gaps;                                 /* an empty line before each title */
};

/* `rows` 0 = no limit. */
struct view_layout view_layout(size_t rows, size_t cols, const struct model *, const struct view *);

#endif
