/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse_json.c - the steps that all parsers of answers share: body to tree, tree to rows, one page of a list,
 * and the two ways in which parsing fails.
 *
 * Not here: what the rows mean (parse.c, parse_directory.c).
 */
#include "backends/password_safe/parse_json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

cJSON *ps_tree(struct ps_call *call)
{
    const struct buf *body = &call->call.http.body_in;
    struct json_outcome outcome;
    cJSON *tree = json_read(body->data, body->len, PS_TREE_DEPTH,
                            JSON_DUPLICATES_OK | JSON_MEND | JSON_EXACT | ps_tree_memory(body), &outcome);

    if (tree && outcome.mended)
        ps_repaired_texts(call, outcome.mended);
    return tree;
}

const cJSON *ps_rows(const cJSON *tree, bool *single)
{
    const cJSON *data = cJSON_IsObject(tree) ? json_get_nocase(tree, "Data") : NULL;

    *single = cJSON_IsObject(tree) && !cJSON_IsArray(data);
    return cJSON_IsArray(data) ? data : tree;
}

bool ps_are_rows(const cJSON *rows)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, rows)
    {
        if (cJSON_IsObject(row))
            return true;
    }
    return cJSON_IsArray(rows) && cJSON_GetArraySize(rows) == 0;
}

/* The answer counts more rows than there are before this page, and the page is empty. */
static bool contradicts_itself(const struct ps_call *call, const cJSON *tree, const cJSON *rows)
{
    return cJSON_IsObject(tree) && cJSON_IsArray(rows) && cJSON_GetArraySize(rows) == 0 &&
           (uint64_t)ps_number(tree, "TotalCount") > call->offset;
}

enum ps_next ps_read_page(struct ps_call *call, const struct ps_page_reader *reader)
{
    cJSON *tree = ps_tree(call);
    bool single;
    const cJSON *rows = ps_rows(tree, &single), *row;
    size_t *n = reader->list(call), before = n ? *n : 0, seen = 0, kept = 0;
    int err = 0;

    if ((!single && !ps_are_rows(rows)) || contradicts_itself(call, tree, rows)) {
        cJSON_Delete(tree);
        return ps_unreadable(call, "%s is not a JSON array of rows, or not of as many as it says",
                             reader->what);
    }
    if (n && single)
        err = reader->add(call, tree);
    if (!n || single)
        rows = NULL;
    cJSON_ArrayForEach(row, rows)
    {
        if (err >= 0)
            err = reader->add(call, row);
        kept += err == 0;
        seen++;
    }
    cJSON_Delete(tree);
    if (n && err >= 0)
        err = reader->end(call, before, seen);
    if (!n || err < 0)
        return ps_no_memory(call);
    if (seen && !kept)
        return ps_unreadable(call, "%s has rows, and none of them is %s", reader->what, reader->row);
    if (single && !*n)
        return ps_unreadable(call, "%s is an object, and no %s", reader->what, reader->object);
    if (err) {
        call->offset += seen;
        return PS_MORE;
    }
    call->call.out->result = VAULT_OK;
    return PS_DONE;
}

enum ps_next ps_unreadable(struct ps_call *call, const char *fmt, ...)
{
    char what[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    http_vault_unreadable(call->call.out, &call->call.http, what);
    call->call.may_have_happened |= call->op->effects;
    return PS_DONE;
}

enum ps_next ps_no_memory(struct ps_call *call)
{
    http_vault_errno_error(&call->ps->http, -ENOMEM, call->call.out);
    return PS_DONE;
}
