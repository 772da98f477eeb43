/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse_json.c - the steps that all parsers of answers share: body to tree, tree to rows, and the two ways in
 * which parsing fails.
 *
 * Not here: what the rows mean (parse.c, parse_directory.c).
 */
#include "backends/password_safe/parse_json.h"

#include <errno.h>

cJSON *ps_tree(struct ps_call *call)
{
    const struct buf *body = &call->http.body_in;
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

bool ps_contradicts_itself(const struct ps_call *call, const cJSON *tree, const cJSON *rows)
{
    return cJSON_IsObject(tree) && cJSON_IsArray(rows) && cJSON_GetArraySize(rows) == 0 &&
           (uint64_t)ps_number(tree, "TotalCount") > call->offset;
}

enum ps_next ps_unreadable(struct ps_call *call, const char *what)
{
    ps_error_unreadable(call->out, &call->http, what);
    call->may_have_happened |= call->op->effects;
    return PS_DONE;
}

enum ps_next ps_no_memory(struct ps_call *call)
{
    ps_error_errno(call->ps, -ENOMEM, call->out);
    return PS_DONE;
}
