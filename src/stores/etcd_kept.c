/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_kept.c - see etcd_kept.h.
 *
 * The members are cut out of the value's text, and not written from its tree: numbers and escapes stay as
 * they are.
 */
#include "stores/etcd_kept.h"

#include "base/container_of.h"
#include "base/fnv.h"
#include "base/log.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- members of a text ---- */

struct text {
    const char *at, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct text *t)
{
    while (t->at < t->end && is_blank(*t->at))
        t->at++;
}

static void skip_string(struct text *t)
{
    for (t->at++; t->at < t->end && *t->at != '"'; t->at++)
        if (*t->at == '\\' && t->at + 1 < t->end)
            t->at++;
    t->at += t->at < t->end;
}

static bool ends_value(char c)
{
    return c == ',' || c == '}' || c == ']' || is_blank(c);
}

static void skip_value(struct text *t)
{
    unsigned depth = 0;

    do {
        char c = t->at < t->end ? *t->at : '}';

        if (c == '"') {
            skip_string(t);
        } else if (c == '{' || c == '[') {
            depth++;
            t->at++;
        } else if (depth) {
            depth -= c == '}' || c == ']';
            t->at += t->at < t->end;
        } else {
            while (t->at < t->end && !ends_value(*t->at))
                t->at++;
        }
    } while (depth && t->at < t->end);
}

/* A name of one letter, which may be escaped (\\u006d). */
static bool is_known(const char *name, size_t n, const char *known)
{
    char letter = *name, hex[3];

    if (n == 6 && memcmp(name, "\\u00", 4) == 0) {
        memcpy(hex, name + 4, 2);
        hex[2] = '\0';
        letter = (char)strtol(hex, NULL, 16);
    } else if (n != 1) {
        return false;
    }
    return letter && strchr(known, letter);
}

void etcd_strange_members(struct buf *out, const char *json, size_t n, const char *known)
{
    struct text t = {json, json + n};

    skip_blanks(&t);
    for (t.at += t.at < t.end; t.at < t.end; t.at += t.at < t.end) { /* past '{', or ',' or '}' */
        skip_blanks(&t);
        const char *name = t.at;

        if (name >= t.end || *name != '"')
            return;
        skip_string(&t);
        size_t len = (size_t)(t.at - name);

        while (t.at < t.end && *t.at != ':')
            t.at++;
        t.at += t.at < t.end;
        skip_blanks(&t);
        const char *value = t.at;

        skip_value(&t);
        if (!is_known(name + 1, len - 2, known)) {
            buf_char(out, ',');
            buf_append(out, name, len);
            buf_char(out, ':');
            buf_append(out, value, (size_t)(t.at - value));
        }
        skip_blanks(&t);
    }
}

/* ---- what is remembered ---- */

struct kept {
    struct cache_entry entry;
    int64_t mod; /* of the value, when it was read */
    char *members;
    char key[]; /* letter and id; behind it the members */
};

void etcd_kept_init(struct etcd_kept *k)
{
    k->cache =
        (struct bounded_cache){.max_entries = KEPT_WEIGHT / sizeof(struct kept), .max_weight = KEPT_WEIGHT};
    bounded_cache_init(&k->cache);
}

void etcd_kept_clear(struct etcd_kept *k)
{
    if (k->cache.n)
        bounded_cache_clear(&k->cache);
}

#define KEY_SIZE ETCD_KEY_SIZE

/* False = an id so long is none that a gateway gives. */
static bool make_key(char key[KEY_SIZE], enum etcd_kept_kind kind, const char *id)
{
    static const char *const letters[] = {[KEPT_REQUEST] = "r", [KEPT_LEASE] = "s", [KEPT_DEAD] = "d"};

    return etcd_put_texts(key, (const char *const[]){letters[kind], id, NULL});
}

static struct kept *find(const struct etcd_kept *k, enum etcd_kept_kind kind, const char *id)
{
    char key[KEY_SIZE];

    if (!k || !k->cache.n || !make_key(key, kind, id))
        return NULL;
    struct cache_entry *entry = bounded_cache_find(&k->cache, key, strlen(key));

    return entry ? CONTAINER_OF(entry, struct kept, entry) : NULL;
}

static void drop(struct etcd_kept *k, enum etcd_kept_kind kind, const char *id)
{
    struct kept *known = find(k, kind, id);

    if (known)
        bounded_cache_drop(&k->cache, &known->entry);
}

static int remember(struct etcd_kept *k, const char *key, int64_t mod, const char *members)
{
    size_t nkey = strlen(key), n = strlen(members), weight = sizeof(struct kept) + nkey + n + 2;
    struct kept *new = malloc(weight);

    if (!new)
        return -ENOMEM;
    new->mod = mod;
    new->members = new->key + nkey + 1;
    memcpy(new->key, key, nkey + 1);
    memcpy(new->members, members, n + 1);
    if (bounded_cache_put(&k->cache, &new->entry, new->key, nkey, weight))
        return 0;
    free(new);
    return -ENOMEM;
}

int etcd_kept_note(struct etcd_kept *k, enum etcd_kept_kind kind, const char *id, int64_t mod,
                   const char *members)
{
    struct kept *known = find(k, kind, id);
    char key[KEY_SIZE];

    if (!k || (known && known->mod > mod) || !make_key(key, kind, id))
        return 0;
    if (!*members) {
        drop(k, kind, id);
        return 0;
    }
    if (known && strcmp(known->members, members) == 0) {
        known->mod = mod;
        bounded_cache_touch(&k->cache, &known->entry);
        return 0;
    }
    return remember(k, key, mod, members);
}

const char *etcd_kept_members(struct etcd_kept *k, enum etcd_kept_kind kind, const char *id)
{
    struct kept *known = find(k, kind, id);

    if (!known)
        return "";
    bounded_cache_touch(&k->cache, &known->entry);
    return known->members;
}

void etcd_kept_end(struct etcd_kept *k, const struct store_step *step)
{
    const struct store_step_rule *rule = &store_step_rules[step->kind];
    bool request_goes = rule->request == ROW_DELETED || (step->kind == STEP_RELEASE && !step->now);

    if (!k->cache.n || step->kind == STEP_CURSOR)
        return;
    if (request_goes)
        drop(k, KEPT_REQUEST, step->request.mark);
    if (rule->lease == ROW_DELETED && !step->kept)
        drop(k, KEPT_LEASE, step->lease.id);
    if (step->kind == STEP_OPEN && *step->instead)
        drop(k, KEPT_REQUEST, step->instead);
}

/* ---- rows that are read ---- */

static int note_row(struct etcd_kept *k, const struct etcd_row *row, const struct etcd_kv *kv)
{
    enum etcd_kept_kind kind = row->is_lease ? KEPT_LEASE : KEPT_REQUEST;
    const char *id = row->is_lease ? row->lease.id : row->request.mark, *text = "";
    struct buf members = BUF_INIT(KEPT_VALUE + 2);

    if (!k || (!row->is_strange && !k->cache.n))
        return 0;
    if (row->is_strange && kv->value.len > KEPT_VALUE) {
        log_warn("store_members_lost", "id=%s hint=%s", id, "the row is too long to be remembered");
    } else if (row->is_strange) {
        etcd_strange_members(&members, kv->value.data + 1, kv->value.len - 1,
                             row->is_lease ? etcd_lease_members : etcd_request_members);
        text = buf_cstr(&members);
    }
    int err = text && !members.failed ? etcd_kept_note(k, kind, id, kv->mod, text) : -ENOMEM;

    buf_free(&members);
    return err;
}

/* Of a key and its revision; never 0. */
static uint64_t hash_value(const struct etcd_kv *kv)
{
    uint64_t h = FNV_START ^ (uint64_t)kv->mod;

    for (size_t i = 0; i < kv->key.len; i++)
        h = fnv_byte(h, (unsigned char)kv->key.data[i]);
    return h ? h : 1;
}

/* Two values of one place in the table are named by turns. */
void etcd_kept_unreadable(struct etcd_kept *k, const struct etcd_kv *kv)
{
    uint64_t hash = hash_value(kv);
    uint64_t *place = k ? &k->named[hash % KEPT_UNREADABLE] : NULL;
    char key[ETCD_KEY_SIZE];

    if (!k || *place == hash)
        return;
    *place = hash;
    k->unreadable++;
    (void)snprintf(key, sizeof key, "%.*s", (int)kv->key.len, kv->key.len ? kv->key.data : "");
    log_error("store_row_unreadable", "key=%s hint=%s", key,
              "other hands have changed it: correct it, or delete the key");
}

int etcd_kept_read(struct etcd_kept *k, struct etcd_row *row, bool is_lease, const struct etcd_kv *kv)
{
    int err = etcd_row_read(row, is_lease, kv->value.data, kv->value.len);

    if (err == -EUCLEAN)
        etcd_kept_unreadable(k, kv);
    if (err)
        return err;
    err = note_row(k, row, kv);
    if (err)
        etcd_row_free(row);
    return err;
}
