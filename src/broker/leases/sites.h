/*
 * sites.h - the PRA sites that the lease table knows, by configuration name: their cursors, and the
 * reports of ended sessions.
 *
 * A cursor says up to when the closed sessions of a site are known, in the site's time. It is in the store,
 * written through the journal: durable no earlier than every row that was put before it.
 *
 * A site is never taken off this list; a configuration has few.
 */
#ifndef JG_BROKER_LEASES_SITES_H
#define JG_BROKER_LEASES_SITES_H

#include "stores/store.h"

#include <sys/queue.h>

struct leases;

/* How the gateway knows that a PRA session has ended. */
struct session_end {
    enum session_end_source source;
    const char *site;
};

struct site {
    SLIST_ENTRY(site) link;
    struct session_end ends[SESSION_END_NSOURCES];
    int64_t cursor_ms;
    bool has_cursor;
    char name[];
};

SLIST_HEAD(site_list, site);

int sites_keep_cursor(struct leases *, const struct cursor_row *); /* 0 or -ENOMEM */
void sites_free(struct leases *);

/* The report, valid as long as the lease table. `site` NULL is "", as is one for which there is no memory. */
const struct session_end *session_end_get(struct leases *, enum session_end_source, const char *site);
/* poll, event, terminate */
const char *session_end_word(enum session_end_source);

bool site_cursor(const struct leases *, const char *site, int64_t *cursor_ms); /* false = none is known */
int site_save_cursor(struct leases *, const char *site, int64_t cursor_ms);    /* 0 or -ENOMEM */

#endif
