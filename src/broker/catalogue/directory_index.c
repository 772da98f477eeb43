/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory_index.c - systems, platforms and workgroups become system entries.
 *
 * The method of a system is its platform's default session type; else the configuration's platform map gives
 * it; else its port does, 3389 or 22. A platform with another port and no session type (a database) is
 * reached by neither method; a system of which nothing is known is shown for every method asked for.
 *
 * The port shown is the system's own, else its platform's where the method comes from the platform; else the
 * method's standard port (0 here).
 */
#include "broker/catalogue/directory_index.h"

#include "base/text.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int by_id(const void *x, const void *y)
{
    const struct directory_row *a = x, *b = y;

    return (a->id > b->id) - (a->id < b->id);
}

static int rows_by_id(const void *x, const void *y)
{
    const struct system_entry *a = *(struct system_entry *const *)x, *b = *(struct system_entry *const *)y;

    return (a->system_id > b->system_id) - (a->system_id < b->system_id);
}

static const struct directory_row *row_of(const struct directory_list *sorted, int64_t id)
{
    struct directory_row key = {.id = id};

    return sorted && sorted->n && id ? bsearch(&key, sorted->rows, sorted->n, sizeof(key), by_id) : NULL;
}

static bool pattern_fits(const char *pattern, size_t len, int64_t id, const char *name)
{
    char text[256], number[24];

    if (!text_copy_n(text, sizeof(text), pattern, len))
        return false;
    (void)snprintf(number, sizeof(number), "%" PRId64, id);
    return strcmp(text, number) == 0 || (name && fnmatch(text, name, FNM_CASEFOLD | FNM_NOESCAPE) == 0);
}

enum jump_method directory_platform_method(const struct conf_vault *conf, int64_t platform_id,
                                           const char *name, const char *short_name)
{
    for (size_t i = 0; i < conf->platform_method.n; i++) {
        const char *pair = conf->platform_method.item[i], *colon = strrchr(pair, ':');
        size_t len = colon ? (size_t)(colon - pair) : 0;
        if (colon &&
            (pattern_fits(pair, len, platform_id, name) || pattern_fits(pair, len, platform_id, short_name)))
            return strcasecmp(colon + 1, "rdp") == 0 ? METHOD_RDP : METHOD_SHELL;
    }
    return METHOD_NONE;
}

static enum jump_method session_method(const char *type)
{
    if (type && strncasecmp(type, "rdp", 3) == 0)
        return METHOD_RDP;
    return type && strncasecmp(type, "ssh", 3) == 0 ? METHOD_SHELL : METHOD_NONE;
}

static enum jump_method port_method(int64_t port)
{
    return port == PORT_RDP ? METHOD_RDP : port == PORT_SSH ? METHOD_SHELL : METHOD_NONE;
}

static void set_method(const struct conf_vault *conf, const struct directory_row *platform,
                       struct system_entry_facts *facts)
{
    int64_t platform_port = platform ? platform->port : 0;

    facts->method = platform ? session_method(platform->session_type) : METHOD_NONE;
    if (facts->method != METHOD_NONE && !facts->port)
        facts->port = platform_port;
    if (facts->method == METHOD_NONE && platform)
        facts->method = directory_platform_method(conf, platform->id, platform->name, platform->short_name);
    if (facts->method != METHOD_NONE)
        return;
    if (!facts->port)
        facts->port = platform_port;
    facts->method = port_method(facts->port);
    facts->unreachable = facts->method == METHOD_NONE && facts->port > 0;
}

static struct system_entry *make_system_entry(const struct system_index_sources *from,
                                              const struct directory_row *row)
{
    const struct directory_row *platform = row_of(from->platforms, row->platform_id);
    const struct directory_row *workgroup = row_of(from->workgroups, row->workgroup_id);
    struct system_entry_facts facts = {
        .system_id = row->id,
        .name = row->name,
        .host = row->host,
        .dns = row->dns,
        .ip = row->ip,
        .description = row->description,
        .network = workgroup ? workgroup->name : NULL,
        .port = row->port,
        .keys = !platform            ? SSH_KEYS_UNKNOWN
                : platform->ssh_keys ? SSH_KEYS_POSSIBLE
                                     : SSH_KEYS_NONE,
    };

    if (platform)
        set_method(from->conf, platform, &facts);
    else
        facts.method = directory_platform_method(from->conf, row->platform_id, NULL, NULL);
    if (!platform && facts.method == METHOD_NONE)
        facts.method = port_method(row->port);
    return system_entry_new(&facts);
}

struct system_index *system_index_make(const struct system_index_sources *from)
{
    struct system_index *index = calloc(1, sizeof(*index));
    size_t n = from->systems->n;

    if (!index)
        return NULL;
    index->entry = calloc(n ? n : 1, sizeof(struct system_entry *));
    if (!index->entry) {
        free(index);
        return NULL;
    }
    if (from->platforms && from->platforms->n)
        qsort(from->platforms->rows, from->platforms->n, sizeof(struct directory_row), by_id);
    if (from->workgroups && from->workgroups->n)
        qsort(from->workgroups->rows, from->workgroups->n, sizeof(struct directory_row), by_id);
    for (size_t i = 0; i < n; i++) {
        index->entry[i] = make_system_entry(from, &from->systems->rows[i]);
        if (!index->entry[i]) {
            system_index_free(index);
            return NULL;
        }
        index->n++;
    }
    if (index->n)
        qsort(index->entry, index->n, sizeof(struct system_entry *), rows_by_id);
    return index;
}

void system_index_free(struct system_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->n; i++)
        system_entry_unref(index->entry[i]);
    free(index->entry);
    free(index);
}

struct system_entry *system_index_entry(const struct system_index *index, int64_t system_id)
{
    size_t low = 0, high = index ? index->n : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->entry[middle]->system_id < system_id)
            low = middle + 1;
        else
            high = middle;
    }
    return index && low < index->n && index->entry[low]->system_id == system_id ? index->entry[low] : NULL;
}
