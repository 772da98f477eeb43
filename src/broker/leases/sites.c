/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sites.c - PRA sites by name, and their cursors; see sites.h.
 */
#include "broker/leases/sites.h"

#include "base/log.h"
#include "broker/leases/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct site *site_find(const struct leases *ls, const char *name)
{
    struct site *site;

    SLIST_FOREACH(site, &ls->sites, link)
    if (strcmp(site->name, name) == 0)
        return site;
    return NULL;
}

static struct site *site_get(struct leases *ls, const char *name)
{
    struct site *site = site_find(ls, name);
    size_t n = strlen(name) + 1;

    if (site)
        return site;
    site = calloc(1, sizeof *site + n);
    if (!site)
        return NULL;
    memcpy(site->name, name, n);
    for (int source = SESSION_END_NONE; source < SESSION_END_NSOURCES; source++)
        site->ends[source] = (struct session_end){(enum session_end_source)source, site->name};
    SLIST_INSERT_HEAD(&ls->sites, site, link);
    return site;
}

const struct session_end *session_end_get(struct leases *ls, enum session_end_source source, const char *name)
{
    static const struct session_end nameless[SESSION_END_NSOURCES] = {
        {SESSION_END_NONE, ""}, {SESSION_END_POLL, ""}, {SESSION_END_EVENT, ""}, {SESSION_END_TERMINATE, ""}};
    const struct site *site = site_get(ls, name ? name : "");

    return site ? &site->ends[source] : &nameless[source];
}

const char *session_end_word(enum session_end_source source)
{
    static const char *const words[SESSION_END_NSOURCES] = {"none", "poll", "event", "terminate"};

    return words[source];
}

/* ---- cursors ---- */

int sites_keep_cursor(struct leases *ls, const struct cursor_row *row)
{
    struct site *site = site_get(ls, row->site);

    if (!site)
        return -ENOMEM;
    site->cursor_ms = row->cursor_ms;
    site->has_cursor = true;
    return 0;
}

bool site_cursor(const struct leases *ls, const char *name, int64_t *cursor_ms)
{
    const struct site *site = site_find(ls, name);

    if (!site || !site->has_cursor)
        return false;
    *cursor_ms = site->cursor_ms;
    return true;
}

int site_save_cursor(struct leases *ls, const char *name, int64_t cursor_ms)
{
    const struct cursor_row row = {name, cursor_ms};
    int err = journal_put(ls->journal, &(struct store_step){.kind = STEP_CURSOR, .cursor = row}, NULL, NULL);

    return err < 0 ? err : sites_keep_cursor(ls, &row);
}

void sites_free(struct leases *ls)
{
    struct site *site;

    while ((site = SLIST_FIRST(&ls->sites))) {
        SLIST_REMOVE_HEAD(&ls->sites, link);
        free(site);
    }
}
