/* SPDX-License-Identifier: Apache-2.0 */
/* strange_rows.c - see the header. */
#include "strange_rows.h"

#include "base/json.h"
#include "check.h"
#include "stores/etcd_rows.h"
#include "stores/etcd_txn.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"i/", "r/", "s/"};
enum { NKINDS = sizeof kinds / sizeof *kinds };

static const char name[] = ",\"zn\":";

static cJSON *ask(const struct strange_rows *s, const char *path, struct buf *body)
{
    struct json_outcome outcome;
    char *answer = s->ask(s->arg, path, buf_cstr(body));

    assert_non_null(answer);
    cJSON *tree = json_read(answer, strlen(answer), 32, JSON_EXACT, &outcome);

    assert_non_null(tree);
    free(answer);
    buf_free(body);
    return tree;
}

/* Its state, and the mark of a request or the id of a lease, which comes first in both. */
static void id_of(const struct etcd_kv *kv, const char *kind, char id[40])
{
    const char *at = memchr(kv->value.data, ':', kv->value.len);

    assert_non_null(at);
    (void)snprintf(id, 40, "%c %.*s", *kind == 's' ? 's' : 'r', (int)strcspn(at + 2, "\""), at + 2);
}

static void each(const struct strange_rows *s,
                 void (*fn)(struct strange_rows *, const char *kind, struct etcd_kv *),
                 struct strange_rows *to)
{
    for (int i = 0; i < NKINDS; i++) {
        struct buf body = BUF_INIT(4096);
        const struct etcd_writer w = {&body, s->prefix};
        char end[ETCD_KEY_SIZE];
        struct etcd_kv kv;

        etcd_key_end(end, kinds[i]);
        etcd_write_range(&w, kinds[i], 2, end, 1000);
        cJSON *answer = ask(s, "/v3/kv/range", &body);

        for (int n = 0; etcd_kv_read(answer, n, &kv); n++)
            fn(to, kinds[i], &kv);
        cJSON_Delete(answer);
    }
}

/* ---- make ---- */

static void put_strange(struct strange_rows *s, const char *kind, struct etcd_kv *kv)
{
    struct buf body = BUF_INIT(1 << 20);
    const struct etcd_writer w = {&body, s->prefix};
    char value[4096], key[ETCD_KEY_SIZE];

    (void)snprintf(key, sizeof key, "%.*s", (int)(kv->key.len - strlen(s->prefix)),
                   kv->key.data + strlen(s->prefix));
    (void)snprintf(value, sizeof value, "%.*s", (int)kv->value.len, kv->value.data);
    char *end = strstr(value, name);

    end = end ? end : strrchr(value, '}');
    (void)snprintf(end, sizeof value - (size_t)(end - value), "%s}", s->text);
    const struct etcd_op put = {.kind = ETCD_PUT, .key = key, .value = value};

    buf_str(&body, "{\"success\":[");
    etcd_write_ops(&w, &put, 1);
    buf_str(&body, "]}");
    cJSON_Delete(ask(s, "/v3/kv/txn", &body));
    assert_in_range(s->n, 0, STRANGE_ROWS_MAX - 1);
    id_of(kv, kind, s->ids[s->n++]);
}

void strange_rows_make(struct strange_rows *s)
{
    static unsigned number;

    s->n = 0;
    (void)snprintf(s->text, sizeof s->text, "%s{\"a\":[%u,\"}\\\"]\"],\"b\":12345678901234567890}", name,
                   ++number);
    each(s, put_strange, s);
}

/* ---- check ---- */

static void check_row(struct strange_rows *found, const char *kind, struct etcd_kv *kv)
{
    const struct strange_rows *s = found->arg;
    const char *value = buf_cstr(&kv->value);
    char id[40];

    id_of(kv, kind, id);
    for (unsigned i = 0; i < s->n; i++) {
        if (strcmp(s->ids[i], id) != 0)
            continue;
        if (!strstr(value, s->text))
            fail_msg("%.*s has lost a member: %s", (int)kv->key.len, kv->key.data, value);
        found->n++;
    }
}

unsigned strange_rows_check(const struct strange_rows *s)
{
    struct strange_rows found = {.arg = (void *)(uintptr_t)s};

    each(s, check_row, &found);
    return found.n;
}

/* ---- read ---- */

struct listing {
    struct store_question q; /* first */
    bool done;
};

static void on_listed(struct store_question *q, enum store_answer answer)
{
    assert_int_equal(answer, STORE_OPEN);
    ((struct listing *)q)->done = true;
}

void strange_rows_read(struct store *store, void (*go_on)(void *arg), void *arg)
{
    struct listing l = {.q = {.kind = QUESTION_LIST, .until_ms = UINT64_MAX, .limit = STORE_LIST_MAX}};

    do {
        l.done = false;
        l.q.done = on_listed;
        assert_int_equal(store->ops->ask(store, &l.q), 0);
        while (!l.done)
            go_on(arg);
    } while (*l.q.cursor);
}
