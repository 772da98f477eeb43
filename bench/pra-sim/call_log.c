/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_log.c - what came: counts by name, and the ring of the last calls; see server.h.
 */
#include "pra-sim/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server_counts *server_count(struct server *s, const char *name)
{
    struct server_counts *made;

    for (size_t i = 0; i < s->ncounts; i++)
        if (strcmp(s->counts[i]->name, name) == 0)
            return s->counts[i];
    if (s->ncounts == SERVER_NAMES)
        return s->counts[SERVER_NAMES - 1];
    made = calloc(1, sizeof(*made));
    if (!made)
        return NULL;
    (void)snprintf(made->name, sizeof(made->name), "%s", s->ncounts == SERVER_NAMES - 1 ? "others" : name);
    return s->counts[s->ncounts++] = made;
}

void server_reset_counts(struct server *s)
{
    while (s->ncounts)
        free(s->counts[--s->ncounts]);
    s->in_flight_peak = s->in_flight;
    memset(s->site->violations, 0, sizeof(s->site->violations));
}

void server_reset_log(struct server *s)
{
    for (size_t i = 0; i < SERVER_LOG; i++) {
        struct server_entry *e = &s->log[i];
        free(e->method);
        free(e->path);
        free(e->params);
        free(e->client);
        free(e->peer);
        free(e->host);
        *e = (struct server_entry){0};
    }
    s->logged = 0;
}
