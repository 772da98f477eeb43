/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures.c - numbers as short texts; see figures.h.
 */
#include "top/figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_S 86400

const char *figure_rate(double per_s, char out[FIGURE_SIZE])
{
    if (per_s < 99.95)
        (void)snprintf(out, FIGURE_SIZE, "%.1f", per_s);
    else if (per_s < 9999.5)
        (void)snprintf(out, FIGURE_SIZE, "%.0f", per_s);
    else
        (void)snprintf(out, FIGURE_SIZE, "%.0fk", per_s / 1000);
    return out;
}

const char *figure_seconds(double seconds, double bound, char out[FIGURE_SIZE])
{
    if (seconds < 0)
        (void)snprintf(out, FIGURE_SIZE, "-");
    else if (isinf(seconds))
        (void)snprintf(out, FIGURE_SIZE, ">%.4gs", bound);
    else if (seconds < 0.00995)
        (void)snprintf(out, FIGURE_SIZE, "%.1fms", seconds * 1000);
    else if (seconds < 0.9995)
        (void)snprintf(out, FIGURE_SIZE, "%.0fms", seconds * 1000);
    else
        (void)snprintf(out, FIGURE_SIZE, seconds < 9.995 ? "%.2fs" : "%.1fs", seconds);
    return out;
}

const char *figure_left(int64_t ms, char out[FIGURE_SIZE])
{
    int64_t s = llabs(ms / 1000);
    const char *sign = ms <= -1000 ? "-" : "";

    if (s < 3600)
        (void)snprintf(out, FIGURE_SIZE, "%s%" PRId64 ":%02" PRId64, sign, s / 60, s % 60);
    else if (s < DAY_S)
        (void)snprintf(out, FIGURE_SIZE, "%s%" PRId64 ":%02" PRId64 ":%02" PRId64, sign, s / 3600,
                       s / 60 % 60, s % 60);
    else
        (void)snprintf(out, FIGURE_SIZE, "%s%" PRId64 "d %02" PRId64 "h", sign, s / DAY_S, s / 3600 % 24);
    return out;
}

const char *figure_clock(int64_t wall_ms, char out[FIGURE_SIZE])
{
    int64_t s = wall_ms / 1000 % DAY_S;

    (void)snprintf(out, FIGURE_SIZE, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
    return out;
}
