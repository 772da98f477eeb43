/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counts.c - which calls came and how they were answered; see server.h.
 */
#include "pi-sim/server.h"

#include <string.h>

struct server_counts *server_count(struct server *s, const char *name)
{
    for (size_t i = 0; i < dispatch_nnames; i++)
        if (strcmp(dispatch_names[i], name) == 0)
            return &s->counts[i];
    return &s->counts[dispatch_nnames - 1];
}

void server_reset_counts(struct server *s)
{
    memset(s->counts, 0, dispatch_nnames * sizeof(*s->counts));
    memset(s->vault->conduct.violations, 0, sizeof(s->vault->conduct.violations));
    s->in_flight_peak = s->in_flight;
}
