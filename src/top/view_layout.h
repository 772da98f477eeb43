/*
 * view_layout.h - private to top/: how many lines each part of the screen gets.
 *
 * Each table first gets what it cannot do without, then its share of the height; the leases get the rest, and
 * give back what they do not need.
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
