/*
 * view.h - the screen of `jumpgate top`, drawn from the model: a function of what it is given.
 *
 * The same function draws the live screen and the plain one of --once, which has as many lines as it needs.
 * Below 80 columns or 24 lines the screen says so and nothing else.
 *
 * Not here: keys (keys.h), the terminal (terminal.h).
 */
#ifndef JG_TOP_VIEW_H
#define JG_TOP_VIEW_H

#include "top/lease_list.h"
#include "top/model.h"
#include "top/screen.h"

#define VIEW_ROWS_MIN 24
#define VIEW_COLS_MIN 80
#define VIEW_TEXT     400

struct view {
    struct lease_list leases;
    size_t scroll;     /* first lease that is shown */
    size_t page;       /* how many were shown: set by view_draw() */
    double interval_s; /* between samples */
    bool paused, help, filtering;
    char away[VIEW_TEXT];     /* why the gateway does not answer; "" = it does */
    char message[VIEW_TEXT];  /* what the last key did; "" = nothing to say */
    char question[VIEW_TEXT]; /* which waits for y or n; "" = none */
};

/* Draws into a new screen (screen_free()). `rows` 0 = plain, as many as needed. The leases of the view are
 * made from model->now. `now_wall_ms` decides the time left. */
struct screen view_draw(struct view *, const struct model *, int64_t now_wall_ms, size_t rows, size_t cols,
                        bool ascii);

#endif
