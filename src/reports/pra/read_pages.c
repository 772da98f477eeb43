/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_pages.c - pages of the Configuration API; see read_pages.h.
 *
 * A page is a JSON array of objects. Which members become which column is a table for each kind of row; what
 * is not in it is not read. A row without an id is none. A time is RFC 3339 in present releases and Unix
 * seconds in earlier ones.
 */
#include "reports/pra/read_pages.h"

#include "backends/pra/pra.h"
#include "base/json.h"

#include <errno.h>
#include <string.h>

#define JSON_DEPTH 16
#define ROWS_MAX   10000 /* of a page */

enum column_kind { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_TIME, COLUMN_FLAG };

struct column {
    const char *member; /* NULL ends the array */
    enum column_kind kind;
    size_t offset;
};

#define IN(type, member) offsetof(struct record_##type, member)

static const struct column account_columns[] = {
    {"id", COLUMN_NUMBER, IN(vault_account, account_id)},
    {"type", COLUMN_TEXT, IN(vault_account, type)},
    {"name", COLUMN_TEXT, IN(vault_account, name)},
    {"username", COLUMN_TEXT, IN(vault_account, username)},
    {"description", COLUMN_TEXT, IN(vault_account, description)},
    {"account_group_id", COLUMN_NUMBER, IN(vault_account, account_group_id)},
    {"account_policy", COLUMN_TEXT, IN(vault_account, account_policy)},
    {"endpoint_id", COLUMN_NUMBER, IN(vault_account, endpoint_id)},
    {"last_checkout_timestamp", COLUMN_TIME, IN(vault_account, last_checkout)},
    {0}};
static const struct column item_columns[] = {{"id", COLUMN_NUMBER, IN(jump_item, item_id)},
                                             {"name", COLUMN_TEXT, IN(jump_item, name)},
                                             {"hostname", COLUMN_TEXT, IN(jump_item, hostname)},
                                             {"jump_group_id", COLUMN_NUMBER, IN(jump_item, jump_group_id)},
                                             {"jump_group_type", COLUMN_TEXT, IN(jump_item, jump_group_type)},
                                             {"jumpoint_id", COLUMN_NUMBER, IN(jump_item, jumpoint_id)},
                                             {"tag", COLUMN_TEXT, IN(jump_item, tag)},
                                             {0}};
static const struct column jumpoint_columns[] = {
    {"id", COLUMN_NUMBER, IN(jumpoint, jumpoint_id)},
    {"name", COLUMN_TEXT, IN(jumpoint, name)},
    {"platform", COLUMN_TEXT, IN(jumpoint, platform)},
    {"connected", COLUMN_FLAG, IN(jumpoint, connected)},
    {"enabled", COLUMN_FLAG, IN(jumpoint, enabled)},
    {"clustered", COLUMN_FLAG, IN(jumpoint, clustered)},
    {"external_jump_item_network_id", COLUMN_TEXT, IN(jumpoint, network_id)},
    {0}};
static const struct column group_columns[] = {{"id", COLUMN_NUMBER, IN(jump_group, group_id)},
                                              {"name", COLUMN_TEXT, IN(jump_group, name)},
                                              {"code_name", COLUMN_TEXT, IN(jump_group, code_name)},
                                              {0}};

static const struct page_row {
    const char *route;
    enum report_kind kind;
    const struct column *columns; /* the first is the id */
} pages[REPORT_NPAGES] = {
    [REPORT_PAGE_VAULT_ACCOUNT] = {"vault/account", REPORT_VAULT_ACCOUNTS, account_columns},
    [REPORT_PAGE_REMOTE_RDP] = {"jump-item/remote-rdp", REPORT_JUMP_ITEMS, item_columns},
    [REPORT_PAGE_REMOTE_VNC] = {"jump-item/remote-vnc", REPORT_JUMP_ITEMS, item_columns},
    [REPORT_PAGE_SHELL_JUMP] = {"jump-item/shell-jump", REPORT_JUMP_ITEMS, item_columns},
    [REPORT_PAGE_PROTOCOL_TUNNEL] = {"jump-item/protocol-tunnel-jump", REPORT_JUMP_ITEMS, item_columns},
    [REPORT_PAGE_WEB_JUMP] = {"jump-item/web-jump", REPORT_JUMP_ITEMS, item_columns},
    [REPORT_PAGE_MYSQL_TUNNEL] = {"jump-item/mysql-tunnel-jump", REPORT_JUMP_ITEMS, item_columns},
    [REPORT_PAGE_PSQL_TUNNEL] = {"jump-item/psql-tunnel-jump", REPORT_JUMP_ITEMS, item_columns},
    [REPORT_PAGE_NETWORK_TUNNEL] = {"jump-item/network-tunnel-jump", REPORT_JUMP_ITEMS, item_columns},
    [REPORT_PAGE_JUMP_CLIENT] = {"jump-client", REPORT_JUMP_ITEMS, item_columns},
    [REPORT_PAGE_JUMPOINT] = {"jumpoint", REPORT_JUMPOINTS, jumpoint_columns},
    [REPORT_PAGE_JUMP_GROUP] = {"jump-group", REPORT_JUMP_GROUPS, group_columns},
};

const char *report_page_name(enum report_page_kind kind)
{
    return pages[kind].route;
}

enum report_kind report_page_rows(enum report_page_kind kind)
{
    return pages[kind].kind;
}

/* ---- a row ---- */

static int read_text(struct batch_out *out, const char **to, const cJSON *value)
{
    const char *text = cJSON_IsString(value) ? value->valuestring : NULL;

    if (!text || !*text)
        return 0;
    *to = record_text(&out->batch.arena, text, strlen(text));
    return *to ? 0 : -ENOMEM;
}

static void read_time(int64_t *to, const cJSON *value)
{
    int64_t ms;

    if (json_int_exact(value, to))
        return;
    *to = cJSON_IsString(value) && !pra_time_read(value->valuestring, &ms) ? ms / 1000 : RECORD_NONE;
}

static int read_column(struct batch_out *out, void *record, const struct column *c, const cJSON *object)
{
    const cJSON *value = json_get(object, c->member);
    void *to = (char *)record + c->offset;

    switch (c->kind) {
    case COLUMN_TEXT: return read_text(out, to, value);
    case COLUMN_TIME: read_time(to, value); return 0;
    case COLUMN_FLAG: *(bool *)to = cJSON_IsTrue(value); return 0;
    default:
        if (!json_int_exact(value, to))
            *(int64_t *)to = RECORD_NONE;
        return 0;
    }
}

/* What stands behind the last '/' of the route. */
static const char *item_type(const char *route)
{
    const char *slash = strrchr(route, '/');

    return slash ? slash + 1 : route;
}

static int read_row(const struct page_row *page, const cJSON *object, struct batch_out *out,
                    struct page_outcome *outcome)
{
    char *record = batch_add(out, page->kind);
    const struct column *id = page->columns;

    if (!record)
        return -ENOMEM;
    for (const struct column *c = id; c->member; c++)
        if (read_column(out, record, c, object))
            return -ENOMEM;
    if (*(int64_t *)(void *)(record + id->offset) == RECORD_NONE) {
        outcome->unusable++;
        batch_drop(out);
        return 0;
    }
    if (page->kind == REPORT_JUMP_ITEMS)
        ((struct record_jump_item *)(void *)record)->type = item_type(page->route);
    batch_keep(out);
    return 0;
}

static int read_rows(const struct page_row *page, const cJSON *tree, struct batch_out *out,
                     struct page_outcome *outcome)
{
    const cJSON *object;

    outcome->rows = (size_t)cJSON_GetArraySize(tree);
    if (!cJSON_IsArray(tree) || outcome->rows > ROWS_MAX) {
        outcome->why = "no list of at most 10000 rows";
        return -EINVAL;
    }
    cJSON_ArrayForEach(object, tree)
    {
        if (!cJSON_IsObject(object)) {
            outcome->why = "a row is no object";
            return -EINVAL;
        }
        int err = read_row(page, object, out, outcome);
        if (err)
            return err;
    }
    return 0;
}

void report_page_read(enum report_page_kind kind, const struct buf *json, struct batch_out *out,
                      struct page_outcome *outcome)
{
    struct json_outcome parsed;
    cJSON *tree = json_read(json->data ? json->data : "", json->len, JSON_DEPTH,
                            JSON_DUPLICATES_OK | JSON_MEND | JSON_EXACT, &parsed);

    *outcome = (struct page_outcome){.err = parsed.err, .why = parsed.why};
    if (tree)
        outcome->err = read_rows(&pages[kind], tree, out, outcome);
    cJSON_Delete(tree);
    batch_drop(out);
}
