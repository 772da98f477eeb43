/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_members.c - see etcd_members.h.
 */
#include "stores/etcd_members.h"

#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 4

/* ---- keys and values ---- */

void etcd_dead_key(char *key, size_t size, const char *node, int64_t epoch)
{
    (void)snprintf(key, size, "d/%s@%" PRId64, node, epoch);
}

void etcd_dead_value(struct buf *out, const char *adopter, const char *lack, const char *more)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "a", adopter);
    if (*lack)
        jsonw_str(&w, "x", lack);
    buf_str(out, more);
    jsonw_end(&w);
}

/* NODE@EPOCH. A node's name has no '@'. */
static bool read_owner(const char *text, char node[64], int64_t *epoch)
{
    const char *at = strchr(text, '@');

    return at && text_copy_n(node, 64, text, (size_t)(at - text)) && text_int(at + 1, 0, INT64_MAX, epoch);
}

/* The name of a key KIND/NAME below the prefix; "" = it has another form: a fence could not name that key. */
static const char *name_of(struct buf *key, char kind)
{
    const char *text = buf_cstr(key), *at = text ? strrchr(text, '/') : NULL;

    if (!at || at == text || at[-1] != kind || (at - 1 != text && at[-2] != '/'))
        return "";
    return at + 1;
}

/* ---- a beat ---- */

static struct etcd_member *find_member(struct etcd_members *m, const char *node)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->members[i].node, node) == 0)
            return &m->members[i];
    return NULL;
}

/* False = out of memory: nothing was read. */
static bool read_member_value(struct etcd_member *at, const struct buf *value)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(value->data, value->len, DEPTH, JSON_EXACT, &outcome);

    if (outcome.err == -ENOMEM)
        return false;
    at->leaving = json_number(tree, "g") != 0;
    at->leases = (uint64_t)json_number(tree, "l");
    (void)text_copy(at->version, sizeof at->version, json_text(tree, "w"));
    (void)text_copy(at->config_digest, sizeof at->config_digest, json_text(tree, "h"));
    cJSON_Delete(tree);
    return true;
}

static void read_member(struct etcd_members *m, const char *self, struct etcd_kv *kv, uint64_t now_ms)
{
    const char *node = name_of(&kv->key, 'm');
    struct etcd_member *at = find_member(m, node);

    if (!*node || strlen(node) >= sizeof at->node || strcmp(node, self) == 0)
        return; /* the key of no other gateway */
    if (!at && m->n == ETCD_MEMBERS_MAX) {
        log_error("cluster_member", "node=%s error=%s", node, "the cluster has too many members");
        return;
    }
    if (!at) {
        at = &m->members[m->n++];
        *at = (struct etcd_member){.epoch = kv->created};
        (void)text_copy(at->node, sizeof at->node, node);
        log_info("cluster_member", "node=%s epoch=%" PRId64, node, kv->created);
    }
    at->listed = true;
    if (at->mod == kv->mod)
        return;
    at->epoch = kv->created;
    at->seen_ms = now_ms;
    if (read_member_value(at, &kv->value))
        at->mod = kv->mod; /* else the next beat reads it */
}

static struct etcd_dead *find_dead(struct etcd_members *m, const char *node, int64_t epoch)
{
    for (size_t i = 0; i < m->ndead; i++)
        if (m->dead[i].epoch == epoch && strcmp(m->dead[i].node, node) == 0)
            return &m->dead[i];
    return NULL;
}

static struct etcd_dead *add_dead(struct etcd_members *m, const char *node, int64_t epoch, uint64_t now_ms)
{
    struct etcd_dead *at = &m->dead[m->ndead++];

    *at = (struct etcd_dead){.epoch = epoch, .seen_ms = now_ms};
    (void)text_copy(at->node, sizeof at->node, node);
    return at;
}

/* What this version does not know of the value stays when the next adopter writes it. False = out of memory.
 */
static bool keep_strange(const struct etcd_members *m, struct etcd_kv *kv)
{
    struct buf more = BUF_INIT(KEPT_VALUE);

    if (!m->kept || kv->value.len > KEPT_VALUE)
        return true;
    etcd_strange_members(&more, kv->value.data, kv->value.len, ETCD_DEAD_MEMBERS);
    const char *text = more.len ? buf_cstr(&more) : "";
    bool kept = text && !more.failed &&
                etcd_kept_note(m->kept, KEPT_DEAD, name_of(&kv->key, 'd'), kv->mod, text) == 0;

    buf_free(&more);
    return kept;
}

/* What there is no room or memory for is read by a later beat: a dead one whose adopter is not known would
 * be taken from it. */
static void read_dead(struct etcd_members *m, struct etcd_kv *kv, uint64_t now_ms)
{
    struct json_outcome outcome;
    char node[64];
    int64_t epoch;

    if (!read_owner(name_of(&kv->key, 'd'), node, &epoch))
        return;
    cJSON *tree = json_read(kv->value.data, kv->value.len, DEPTH, JSON_EXACT, &outcome);
    bool is_read = outcome.err != -ENOMEM && (!tree || keep_strange(m, kv));
    struct etcd_dead *at = find_dead(m, node, epoch);

    if (!at && is_read && m->ndead < ETCD_MEMBERS_MAX)
        at = add_dead(m, node, epoch, now_ms);
    if (at)
        at->listed = true;
    if (at && is_read) {
        at->mod = kv->mod;
        (void)text_copy(at->adopter, sizeof at->adopter, json_text(tree, "a"));
        (void)text_copy(at->lack, sizeof at->lack, json_text(tree, "x"));
    }
    cJSON_Delete(tree);
}

static void drop_unlisted(struct etcd_members *m, void (*gone)(void *arg, const char *node, int64_t epoch),
                          void *arg)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        struct etcd_member *at = &m->members[i];

        if (at->listed)
            m->members[n++] = *at;
        else
            gone(arg, at->node, at->epoch);
    }
    m->n = n;
    n = 0;
    for (size_t i = 0; i < m->ndead; i++)
        if (m->dead[i].listed)
            m->dead[n++] = m->dead[i];
    m->ndead = n;
}

void etcd_members_read(struct etcd_members *m, const char *self, const cJSON *members, const cJSON *dead,
                       uint64_t now_ms, bool fresh, void (*gone)(void *arg, const char *node, int64_t epoch),
                       void *arg)
{
    struct etcd_kv kv;

    for (size_t i = 0; i < m->n; i++) {
        m->members[i].listed = false;
        if (fresh)
            m->members[i].seen_ms = now_ms;
    }
    for (size_t i = 0; i < m->ndead; i++)
        m->dead[i].listed = false;
    for (int i = 0; etcd_kv_read(members, i, &kv); i++) {
        read_member(m, self, &kv, now_ms);
    }
    for (int i = 0; etcd_kv_read(dead, i, &kv); i++) {
        read_dead(m, &kv, now_ms);
    }
    drop_unlisted(m, gone, arg);
}

/* ---- judgements ---- */

static bool is_listed(const char *list, const char *owner)
{
    size_t n = strlen(owner);

    for (const char *at = list; (at = strstr(at, owner)); at += n)
        if (at[n] == ' ' && (at == list || at[-1] == ' '))
            return true;
    return false;
}

bool etcd_member_is_due(const struct etcd_member *at, uint64_t now_ms, uint64_t ttl_ms)
{
    return at->leaving || now_ms - at->seen_ms >= ttl_ms;
}

bool etcd_dead_is_cared_for(const struct etcd_members *m, const struct etcd_dead *dead, const char *owner,
                            uint64_t now_ms, uint64_t ttl_ms)
{
    char node[64], self[64];
    int64_t epoch, own;

    if (!read_owner(owner, self, &own) || is_listed(dead->lack, owner))
        return true;
    if (!read_owner(dead->adopter, node, &epoch))
        return false;
    if (strcmp(node, self) == 0)
        return epoch == own;
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->members[i].node, node) == 0)
            return epoch == 0 || m->members[i].epoch == epoch;
    return epoch == 0 && now_ms - dead->seen_ms < ttl_ms;
}

/* ---- for operators ---- */

static void show_member(struct etcd_members *m, const struct etcd_member *at, uint64_t now_ms,
                        uint64_t ttl_ms)
{
    struct store_member *to = &m->shown[m->nshown++];
    uint64_t silent_ms = now_ms - at->seen_ms;

    *to = (struct store_member){.epoch = at->epoch,
                                .state = at->leaving              ? MEMBER_LEAVING
                                         : silent_ms > ttl_ms / 2 ? MEMBER_SILENT
                                                                  : MEMBER_ALIVE,
                                .silent_ms = silent_ms,
                                .leases = at->leases};
    (void)text_copy(to->node, sizeof to->node, at->node);
    (void)text_copy(to->version, sizeof to->version, at->version);
    (void)text_copy(to->config_digest, sizeof to->config_digest, at->config_digest);
}

void etcd_members_show(struct etcd_members *m, uint64_t now_ms, uint64_t ttl_ms)
{
    m->nshown = 0;
    for (size_t i = 0; i < m->n; i++)
        show_member(m, &m->members[i], now_ms, ttl_ms);
    for (size_t i = 0; i < m->ndead; i++) {
        struct store_member *to = &m->shown[m->nshown++];
        const struct etcd_dead *at = &m->dead[i];

        *to = (struct store_member){
            .epoch = at->epoch, .state = MEMBER_ADOPTED, .silent_ms = now_ms - at->seen_ms};
        (void)text_copy(to->node, sizeof to->node, at->node);
        (void)text_copy(to->adopter, sizeof to->adopter, at->adopter);
    }
}
