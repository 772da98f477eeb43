/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint_rows.c - searches the catalogue of each vault and writes the hits as endpoints.
 *
 * A vault's catalogue came with the fan-out; where the fan-out asked for lists (the recent accounts), one is
 * made of them here, in the lists' order. Better ranks come first (catalogue.c), then the name; recent
 * accounts keep the order in which the vault listed them.
 *
 * A system whose method is not known becomes a row for each type asked for, at the method's standard port
 * (docs/endpoints.md). The host is the DNS name where there is one, else the host name, else the system's
 * name.
 */
#include "broker/find/endpoint_rows.h"

#include "broker/catalogue/catalogue_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMENT_SIZE 160

struct hit {
    struct catalogue_hit hit;
    size_t vault;
};

static int by_fit(const void *x, const void *y)
{
    const struct hit *a = x, *b = y;
    int order = (int)a->hit.rank - (int)b->hit.rank;

    if (!order)
        order = system_entry_compare(a->hit.row->entry, b->hit.row->entry);
    return order ? order : (a->vault > b->vault) - (a->vault < b->vault);
}

static struct catalogue *catalogue_of(const struct fanout_vault *target, const struct endpoint_filter *filter)
{
    struct account_list *lists[FANOUT_QUERIES_MAX];
    struct catalogue_sources from = {.conf = target->vault->conf, .lists = lists, .in_order = filter->recent};

    if (target->n && target->queries[0].wait.catalogue)
        return catalogue_ref(target->queries[0].wait.catalogue);
    for (from.nlists = 0; from.nlists < target->n && from.nlists < FANOUT_QUERIES_MAX; from.nlists++)
        lists[from.nlists] = target->queries[from.nlists].wait.accounts;
    from.index =
        filter->catalogue_cache ? catalogue_cache_index(filter->catalogue_cache, target->vault) : NULL;
    return catalogue_make(&from);
}

static int add_hits(const struct fanout_vault *target, const struct endpoint_filter *filter, size_t vault,
                    const struct system_query *query, struct endpoint_rows *out, struct hit **hits, size_t *n)
{
    struct catalogue_filter search = {
        .query = query,
        .rdp = filter->rdp,
        .shell = filter->shell,
        .network = target->vault->conf->restrict_network && filter->network && *filter->network
                       ? filter->network
                       : NULL,
        .in_order = filter->recent,
        .limit = filter->limit,
    };
    struct catalogue_hit *found;
    struct hit *more;
    size_t nfound;

    out->catalogue[vault] = catalogue_of(target, filter);
    if (!out->catalogue[vault])
        return -ENOMEM;
    out->searched += out->catalogue[vault]->n;
    if (catalogue_search(out->catalogue[vault], &search, &found, &nfound))
        return -ENOMEM;
    more = reallocarray(*hits, *n + nfound + 1, sizeof(**hits));
    if (more)
        *hits = more;
    for (size_t i = 0; more && i < nfound; i++)
        more[(*n)++] = (struct hit){found[i], vault};
    free(found);
    return more ? 0 : -ENOMEM;
}

static int collect(const struct vault_fanout *fanout, const struct endpoint_filter *filter,
                   struct endpoint_rows *out, struct hit **hits, size_t *n)
{
    struct system_query query;
    int err = system_query_make(filter->query, &query);

    for (size_t i = 0; i < fanout->n && !err; i++)
        if (fanout->vault[i].state == FANOUT_ANSWERED)
            err = add_hits(&fanout->vault[i], filter, i, &query, out, hits, n);
    system_query_free(&query);
    if (!err && *n && !filter->recent)
        qsort(*hits, *n, sizeof(**hits), by_fit);
    return err;
}

static const char *write_comment(const struct catalogue_row *row, char out[COMMENT_SIZE])
{
    const char *description = system_entry_text(row->entry, row->entry->description),
               *plural = row->accounts == 1 ? "" : "s";

    if (description)
        (void)snprintf(out, COMMENT_SIZE, "%s (%u account%s)", description, (unsigned)row->accounts, plural);
    else
        (void)snprintf(out, COMMENT_SIZE, "%u account%s", (unsigned)row->accounts, plural);
    return out;
}

static const char *host_of(const struct system_entry *entry)
{
    const char *dns = system_entry_text(entry, entry->dns), *host = system_entry_text(entry, entry->host);

    return dns ? dns : host ? host : entry->text;
}

/* False = the limit is reached. */
static bool write_row(struct endpoint_rows *out, const struct endpoint_filter *filter, const struct hit *hit,
                      const struct fanout_vault *target, enum jump_method method, const char *comments)
{
    const struct system_entry *entry = hit->hit.row->entry;
    bool rdp = method == METHOD_RDP;
    struct endpoint *row = &out->row[out->n];

    if (out->n == filter->limit)
        return false;
    *row = (struct endpoint){
        .name = entry->text,
        .hostname = host_of(entry),
        .ip_address = system_entry_text(entry, entry->ip),
        .port = entry->method != METHOD_NONE && entry->port ? entry->port
                : rdp                                       ? PORT_RDP
                                                            : PORT_SSH,
        .method = method,
        .comments = comments,
        .network_id = system_entry_text(entry, entry->network),
    };
    endpoint_id_write(row->endpoint_id, target->vault->conf->name, entry->system_id, rdp ? "rdp" : "shell");
    out->n++;
    return true;
}

/* Writes the rows of one system; false = the limit is reached. */
static bool write_system(struct endpoint_rows *out, const struct endpoint_filter *filter,
                         const struct hit *hit, const struct fanout_vault *target,
                         char comments[COMMENT_SIZE])
{
    uint8_t method = hit->hit.row->entry->method;
    const char *comment = write_comment(hit->hit.row, comments);

    if (filter->rdp && method != METHOD_SHELL && !write_row(out, filter, hit, target, METHOD_RDP, comment))
        return false;
    return !(filter->shell && method != METHOD_RDP) ||
           write_row(out, filter, hit, target, METHOD_SHELL, comment);
}

static int write_all(const struct vault_fanout *fanout, const struct endpoint_filter *filter,
                     const struct hit *hits, size_t n, struct endpoint_rows *out)
{
    size_t systems = n < filter->limit ? n : filter->limit,
           most = systems < filter->limit / 2 ? systems * 2 : filter->limit;

    out->row = calloc(most + 1, sizeof(*out->row));
    out->comments = calloc(systems + 1, COMMENT_SIZE);
    if (!out->row || !out->comments)
        return -ENOMEM;
    for (size_t i = 0; i < n && !out->truncated; i++) {
        char *comments = out->comments + (i < systems ? i : systems) * COMMENT_SIZE;
        size_t before = out->n;

        out->truncated = !write_system(out, filter, &hits[i], &fanout->vault[hits[i].vault], comments);
        out->systems += out->n > before;
    }
    return 0;
}

int endpoint_rows_make(const struct vault_fanout *fanout, const struct endpoint_filter *filter,
                       struct endpoint_rows *out)
{
    struct hit *hits = NULL;
    size_t n = 0;
    int err;

    *out = (struct endpoint_rows){.nvaults = fanout->n};
    out->catalogue = calloc(fanout->n + 1, sizeof(struct catalogue *));
    err = out->catalogue ? collect(fanout, filter, out, &hits, &n) : -ENOMEM;
    if (!err)
        err = write_all(fanout, filter, hits, n, out);
    free(hits);
    if (err)
        endpoint_rows_free(out);
    else if (!vault_fanout_is_whole(fanout))
        out->truncated = true; /* a vault that did not answer may have more systems */
    return err;
}

void endpoint_rows_free(struct endpoint_rows *rows)
{
    for (size_t i = 0; rows->catalogue && i < rows->nvaults; i++)
        catalogue_unref(rows->catalogue[i]);
    free(rows->catalogue);
    free(rows->row);
    free(rows->comments);
    *rows = (struct endpoint_rows){0};
}
