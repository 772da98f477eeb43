/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_hints.c - see etcd_hints.h.
 */
#include "stores/etcd_hints.h"

#include "base/json.h"
#include "base/jsonw.h"
#include "base/text.h"
#include "stores/etcd_rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEEP_MS 5000
#define DEPTH   4

static bool changes_others(const struct store_step *step)
{
    switch (step->kind) {
    case STEP_OPEN:
    case STEP_RELEASE:
    case STEP_END:
    case STEP_CANCEL:
    case STEP_RETURN:
    case STEP_CLOSE: return true;
    default: return false;
    }
}

/* A gateway too many has no word left for it. */
static struct etcd_hint_node *node_of(struct etcd_hints *h, const char *name, size_t n)
{
    struct etcd_hint_node *unused = NULL;

    for (size_t i = 0; i < ETCD_HINT_NODES; i++) {
        struct etcd_hint_node *at = &h->nodes[i];

        if (strlen(at->node) == n && memcmp(at->node, name, n) == 0)
            return at;
        if (!unused && !*at->node)
            unused = at;
    }
    if (unused)
        (void)text_copy_n(unused->node, sizeof unused->node, name, n);
    return unused;
}

void etcd_hints_note(struct etcd_hints *h, const struct store_step *step, const char *self, uint64_t now_ms)
{
    const char *owner = step->request.owner ? step->request.owner : "";
    const char *at = strrchr(owner, '@');
    size_t n = at ? (size_t)(at - owner) : 0;

    if (!n || !changes_others(step) || (strlen(self) == n && memcmp(owner, self, n) == 0))
        return;
    struct etcd_hint_node *node = node_of(h, owner, n);

    if (!node)
        return;
    struct etcd_hint *hint = &node->marks[node->next++ % ETCD_HINT_MARKS];

    hint->at_ms = now_ms;
    node->changed = text_copy(hint->mark, sizeof hint->mark, step->request.mark);
}

/* *n = marks that are in the value. */
static void write_value(struct buf *out, const struct etcd_hint_node *node, uint64_t now_ms)
{
    struct jsonw w = jsonw_start(out);

    jsonw_array(&w, NULL);
    for (size_t i = 0; i < ETCD_HINT_MARKS; i++)
        if (*node->marks[i].mark && now_ms - node->marks[i].at_ms < KEEP_MS)
            jsonw_str(&w, NULL, node->marks[i].mark);
    jsonw_end(&w);
}

int etcd_hints_write(struct etcd_hints *h, const struct etcd_writer *w, const char *self, uint64_t now_ms)
{
    char key[ETCD_KEY_SIZE];
    int written = 0;

    for (size_t i = 0; i < ETCD_HINT_NODES; i++) {
        struct etcd_hint_node *node = &h->nodes[i];
        struct buf value = BUF_INIT(ETCD_VALUE_SIZE);

        if (!node->changed)
            continue;
        write_value(&value, node, now_ms);
        (void)snprintf(key, sizeof key, "n/%s/%s", node->node, self);
        const char *text = buf_cstr(&value);
        const struct etcd_op put = {.kind = ETCD_PUT, .key = key, .value = text ? text : ""};

        etcd_write_ops(w, &put, 1);
        buf_char(w->out, ',');
        w->out->failed |= value.failed;
        buf_free(&value);
        node->changed = false;
        written++;
    }
    return written;
}

bool etcd_hints_read(const char *value, size_t n, void (*touched)(void *arg, const char *mark), void *arg)
{
    struct json_outcome outcome;
    const cJSON *mark;
    cJSON *tree = json_read(value, n, DEPTH, JSON_EXACT, &outcome);

    if (cJSON_IsArray(tree))
        cJSON_ArrayForEach(mark, tree) if (cJSON_IsString(mark)) touched(arg, mark->valuestring);
    cJSON_Delete(tree);
    return outcome.err != -ENOMEM;
}
