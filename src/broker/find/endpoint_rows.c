/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint_rows.c - searches the catalogue of each vault and writes the hits as endpoints.
 *
 * A vault's catalogue came with the fan-out; where the fan-out asked for lists (the recent ones), one is made
 * of them here, in the lists' order. Better fits come first (catalogue.c), then the name; the recent ones
 * keep the order in which the vault listed them.
 *
 * A system whose method is not known becomes a row for each type asked for (contract 9.6), at the method's
 * standard port. The host is the DNS name where there is one, else the host name, else the system's name.
 */
#include "broker/find/endpoint_rows.h"

#include "broker/catalogue/catalogue_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT_RDP     3389
#define PORT_SSH     22
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

static struct catalogue *catalogue_of(const struct fanout_vault *sv, const struct endpoint_wish *wish)
{
    struct account_list *lists[VAULT_FANOUT_MAX];
    struct catalogue_sources from = {.conf = sv->vault->conf, .lists = lists, .in_order = wish->recent};

    if (sv->n && sv->asks[0].search.catalogue)
        return catalogue_ref(sv->asks[0].search.catalogue);
    for (from.nlists = 0; from.nlists < sv->n && from.nlists < VAULT_FANOUT_MAX; from.nlists++)
        lists[from.nlists] = sv->asks[from.nlists].wait.accounts;
    from.index = wish->catalogue_cache ? catalogue_cache_index(wish->catalogue_cache, sv->vault) : NULL;
    return catalogue_make(&from);
}

static int add_hits(const struct fanout_vault *sv, const struct endpoint_wish *wish, size_t vault,
                    const struct system_query *query, struct endpoint_rows *out, struct hit **hits, size_t *n)
{
    struct catalogue_wish search = {
        .query = query,
        .rdp = wish->rdp,
        .shell = wish->shell,
        .network =
            sv->vault->conf->restrict_network && wish->network && *wish->network ? wish->network : NULL,
        .in_order = wish->recent,
        .limit = wish->limit,
    };
    struct catalogue_hit *found;
    struct hit *more;
    size_t nfound;

    out->catalogue[vault] = catalogue_of(sv, wish);
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

static int collect(const struct vault_fanout *fanout, const struct endpoint_wish *wish,
                   struct endpoint_rows *out, struct hit **hits, size_t *n)
{
    struct system_query query;
    int err = system_query_make(wish->query, &query);

    for (size_t i = 0; i < fanout->n && !err; i++)
        if (fanout->vault[i].state == FANOUT_ANSWERED)
            err = add_hits(&fanout->vault[i], wish, i, &query, out, hits, n);
    system_query_free(&query);
    if (!err && *n && !wish->recent)
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

/* False = there is no room for it. */
static bool write_row(struct endpoint_rows *out, const struct endpoint_wish *wish, const struct hit *hit,
                      const struct fanout_vault *sv, enum jump_method method, const char *comments)
{
    const struct system_entry *entry = hit->hit.row->entry;
    bool rdp = method == METHOD_RDP;
    struct endpoint *row = &out->row[out->n];

    if (out->n == wish->limit)
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
    endpoint_id_write(row->endpoint_id, sv->vault->conf->name, entry->system_id, rdp ? "rdp" : "shell");
    out->n++;
    return true;
}

/* The rows of one system, as far as the limit lets them. */
static bool write_system(struct endpoint_rows *out, const struct endpoint_wish *wish, const struct hit *hit,
                         const struct fanout_vault *sv, char comments[COMMENT_SIZE])
{
    uint8_t method = hit->hit.row->entry->method;
    const char *comment = write_comment(hit->hit.row, comments);

    if (wish->rdp && method != METHOD_SHELL && !write_row(out, wish, hit, sv, METHOD_RDP, comment))
        return false;
    return !(wish->shell && method != METHOD_RDP) || write_row(out, wish, hit, sv, METHOD_SHELL, comment);
}

static int write_all(const struct vault_fanout *fanout, const struct endpoint_wish *wish,
                     const struct hit *hits, size_t n, struct endpoint_rows *out)
{
    size_t systems = n < wish->limit ? n : wish->limit,
           most = systems < wish->limit / 2 ? systems * 2 : wish->limit;

    out->row = calloc(most + 1, sizeof(*out->row));
    out->string_pool = calloc(systems + 1, COMMENT_SIZE);
    if (!out->row || !out->string_pool)
        return -ENOMEM;
    for (size_t i = 0; i < n && !out->truncated; i++) {
        char *comments = out->string_pool + (i < systems ? i : systems) * COMMENT_SIZE;
        out->truncated = !write_system(out, wish, &hits[i], &fanout->vault[hits[i].vault], comments);
    }
    return 0;
}

int endpoint_rows_make(const struct vault_fanout *fanout, const struct endpoint_wish *wish,
                       struct endpoint_rows *out)
{
    struct hit *hits = NULL;
    size_t n = 0;
    int err;

    *out = (struct endpoint_rows){.nvaults = fanout->n};
    out->catalogue = calloc(fanout->n + 1, sizeof(struct catalogue *));
    err = out->catalogue ? collect(fanout, wish, out, &hits, &n) : -ENOMEM;
    if (!err)
        err = write_all(fanout, wish, hits, n, out);
    free(hits);
    if (err)
        endpoint_rows_free(out);
    else if (!vault_fanout_is_whole(fanout))
        out->truncated = true; /* a vault that did not answer may have known more */
    return err;
}

void endpoint_rows_free(struct endpoint_rows *rows)
{
    for (size_t i = 0; rows->catalogue && i < rows->nvaults; i++)
        catalogue_unref(rows->catalogue[i]);
    free(rows->catalogue);
    free(rows->row);
    free(rows->string_pool);
    *rows = (struct endpoint_rows){0};
}
