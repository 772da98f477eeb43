/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span.c - a length of time in words; see span.h.
 */
#include "commands/span.h"

#include <inttypes.h>
#include <stdio.h>

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

const char *span_text(int64_t s, char out[SPAN_SIZE])
{
    if (s < MINUTE)
        (void)snprintf(out, SPAN_SIZE, "%" PRId64 "s", s < 0 ? 0 : s);
    else if (s < HOUR)
        (void)snprintf(out, SPAN_SIZE, "%" PRId64 "m", s / MINUTE);
    else if (s < DAY)
        (void)snprintf(out, SPAN_SIZE, "%" PRId64 "h %02" PRId64 "m", s / HOUR, s % HOUR / MINUTE);
    else
        (void)snprintf(out, SPAN_SIZE, "%" PRId64 "d %" PRId64 "h", s / DAY, s % DAY / HOUR);
    return out;
}
