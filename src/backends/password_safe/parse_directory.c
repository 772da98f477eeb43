/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse_directory.c - answers about the directory: systems, platforms and workgroups.
 *
 * Systems come in pages as {TotalCount, Data}. Releases of the vault spell members differently, and some send
 * a bare array. A page that begins with the same row as the page before is the same page again: that server
 * does not know `offset`, and the list ends there.
 *
 * Not here: all other answers (parse.c), the shared steps (parse_json.c).
 */
#include "backends/password_safe/parse_json.h"
#include "base/log.h"

static const char *first_of(const cJSON *object, const char *name, const char *other)
{
    const char *text = ps_text(object, name);

    return text ? text : ps_text(object, other);
}

static int64_t first_id(const cJSON *object, const char *name, const char *other, bool *odd)
{
    int64_t id = ps_id(object, name, odd);

    return id ? id : ps_id(object, other, odd);
}

static void read_system(const cJSON *object, struct directory_row *row, bool *odd)
{
    row->id = first_id(object, "ManagedSystemID", "SystemID", odd);
    row->platform_id = ps_id(object, "PlatformID", odd);
    row->workgroup_id = ps_id(object, "WorkgroupID", odd);
    row->port = ps_number(object, "Port");
    row->name = first_of(object, "SystemName", "HostName");
    row->host = ps_text(object, "HostName");
    row->dns = ps_text(object, "DnsName");
    row->ip = ps_text(object, "IPAddress");
    row->description = ps_text(object, "Description");
}

static void read_platform(const cJSON *object, struct directory_row *row, bool *odd)
{
    row->id = first_id(object, "PlatformID", "ID", odd);
    row->port = ps_number(object, "DefaultPort");
    row->ssh_keys = ps_flag(object, "DSSFlag");
    row->name = ps_text(object, "Name");
    row->short_name = ps_text(object, "ShortName");
    row->session_type = ps_text(object, "DefaultSessionType");
}

static void read_workgroup(const cJSON *object, struct directory_row *row, bool *odd)
{
    row->id = first_id(object, "ID", "WorkgroupID", odd);
    row->name = first_of(object, "Name", "WorkgroupName");
}

/* 1 = it is no row, 0, or -ENOMEM. */
static int row_add(struct ps_call *call, const cJSON *object)
{
    static void (*const read[DIRECTORY_NPARTS])(const cJSON *, struct directory_row *, bool *odd) = {
        [DIRECTORY_SYSTEMS] = read_system,
        [DIRECTORY_PLATFORMS] = read_platform,
        [DIRECTORY_WORKGROUPS] = read_workgroup,
    };
    struct directory_row row = {0};
    bool odd = false;

    read[call->part](object, &row, &odd);
    if (odd || !row.id || !row.name) {
        ps_repaired_row_left_out(call, odd);
        return 1;
    }
    return directory_list_add(call->call.out->directory, &row);
}

static size_t *directory(struct ps_call *call)
{
    struct vault_call *out = call->call.out;

    if (!out->directory)
        out->directory = directory_list_new();
    return out->directory ? &out->directory->n : NULL;
}

static int page_end(struct ps_call *call, size_t before, size_t seen)
{
    struct directory_list *list = call->call.out->directory;

    if (call->offset && list->n > before && list->rows[before].id == list->rows[call->page_at].id) {
        list->n = before;
        return 0;
    }
    call->page_at = before;
    if (call->part != DIRECTORY_SYSTEMS || seen < PS_PAGE)
        return 0;
    if (list->n >= PS_ROWS_MAX)
        log_warn("vault_directory_cut", "vault=%s systems=%zu", call->ps->http.vault.conf->name, list->n);
    return list->n < PS_ROWS_MAX;
}

enum ps_next ps_parse_directory(struct ps_call *call)
{
    static const struct ps_page_reader reader = {.what = "the directory's answer",
                                                 .row = "one of the directory",
                                                 .object = "row of it",
                                                 .list = directory,
                                                 .add = row_add,
                                                 .end = page_end};

    return ps_read_page(call, &reader);
}
