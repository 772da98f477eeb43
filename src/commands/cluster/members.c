/* SPDX-License-Identifier: Apache-2.0 */
/*
 * members.c - see members.h.
 */
#include "commands/cluster/members.h"

#include "base/json.h"
#include "base/text.h"
#include "commands/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEPTH 4

enum { LOOK_MEMBERS, LOOK_DEAD, LOOK_SCHEMA, LOOK_MOVED, NLOOKS };

int cluster_call_failed(const struct store_calls *s, int err)
{
    (void)command_failed(s->why);
    return store_calls_away(err) || store_calls_refused(err) ? EXIT_ETCD_AWAY : EXIT_FAILED;
}

const struct cluster_member *cluster_member_of(const struct cluster_view *v, const char *node)
{
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->all[i].node, node) == 0)
            return &v->all[i];
    return NULL;
}

/* ---- one look ---- */

static const char *last_part(struct buf *key)
{
    const char *text = buf_cstr(key), *at = text ? strrchr(text, '/') : NULL;

    return at ? at + 1 : "";
}

/* False = the key is of no gateway, here and below. */
static bool read_member(struct cluster_member *m, struct etcd_kv *kv)
{
    struct json_outcome outcome;
    const char *name = last_part(&kv->key);

    if (!*name || strlen(name) >= sizeof(m->node))
        return false;
    cJSON *tree = json_read(kv->value.data, kv->value.len, DEPTH, JSON_EXACT, &outcome);
    int64_t schema = json_number(tree, "c");

    *m = (struct cluster_member){.epoch = kv->created,
                                 .mod = kv->mod,
                                 .leases = json_number(tree, "l"),
                                 .schema = schema ? schema : 1,
                                 .leaving = json_number(tree, "g") != 0};
    (void)text_copy(m->node, sizeof(m->node), name);
    (void)text_copy(m->version, sizeof(m->version), json_text(tree, "w"));
    (void)text_copy(m->config_digest, sizeof(m->config_digest), json_text(tree, "h"));
    cJSON_Delete(tree);
    return true;
}

static bool read_dead(struct cluster_member *m, struct etcd_kv *kv)
{
    struct json_outcome outcome;
    const char *name = last_part(&kv->key), *at = strchr(name, '@');

    *m = (struct cluster_member){.dead = true, .mod = kv->mod};
    if (!at || !text_copy_n(m->node, sizeof(m->node), name, (size_t)(at - name)) ||
        !text_int(at + 1, 0, INT64_MAX, &m->epoch))
        return false;
    cJSON *tree = json_read(kv->value.data, kv->value.len, DEPTH, JSON_EXACT, &outcome);

    (void)text_copy(m->adopter, sizeof(m->adopter), json_text(tree, "a"));
    cJSON_Delete(tree);
    return true;
}

static void read_all(struct cluster_view *v, const cJSON *range,
                     bool (*read)(struct cluster_member *, struct etcd_kv *))
{
    struct etcd_kv kv;

    for (int i = 0; v->n < CLUSTER_ROWS_MAX && etcd_kv_read(range, i, &kv); i++) {
        v->n += read(&v->all[v->n], &kv);
    }
}

static void read_cluster(struct cluster_view *v, const cJSON *schema, const cJSON *moved)
{
    struct etcd_kv kv;
    char text[24];

    etcd_small_value(schema, text, sizeof(text));
    if (!text_int(text, 0, INT64_MAX, &v->schema))
        v->schema = 0;
    if (etcd_kv_read(schema, 0, &kv)) {
        v->schema_mod = kv.mod;
    }
    v->has_moved = etcd_kv_read(moved, 0, &kv);
    if (!v->has_moved)
        return;
    (void)etcd_moved_read(kv.value.data, kv.value.len, &v->moved);
}

int cluster_look(struct store_calls *s, struct cluster_view *v)
{
    const struct etcd_op gets[NLOOKS] = {[LOOK_MEMBERS] = {.kind = ETCD_GET, .key = "m/", .to = "m0"},
                                         [LOOK_DEAD] = {.kind = ETCD_GET, .key = "d/", .to = "d0"},
                                         [LOOK_SCHEMA] = {.kind = ETCD_GET, .key = "c/schema"},
                                         [LOOK_MOVED] = {.kind = ETCD_GET, .key = ETCD_MOVED_KEY}};
    struct etcd_writer w = store_calls_writer(s);

    *v = (struct cluster_view){.n = 0};
    etcd_write_reads(&w, gets, NLOOKS);
    int err = store_calls_ask(s, "/v3/kv/txn");

    if (err)
        return cluster_call_failed(s, err);
    v->revision = etcd_revision(s->answer);
    read_all(v, etcd_response(s->answer, LOOK_MEMBERS), read_member);
    read_all(v, etcd_response(s->answer, LOOK_DEAD), read_dead);
    read_cluster(v, etcd_response(s->answer, LOOK_SCHEMA), etcd_response(s->answer, LOOK_MOVED));
    return EXIT_DONE;
}

/* ---- two looks ---- */

static bool has_written(const struct cluster_view *before, const struct cluster_member *m)
{
    for (size_t i = 0; i < before->n; i++)
        if (!before->all[i].dead && strcmp(before->all[i].node, m->node) == 0)
            return before->all[i].mod != m->mod;
    return true;
}

int cluster_look_twice(struct store_calls *s, struct cluster_view *v)
{
    struct cluster_view before;
    int code = cluster_look(s, &before);
    int err = !code && before.n ? store_calls_wait(s, s->conf->ttl_ms / 2) : 0;

    if (err)
        return cluster_call_failed(s, err);
    if (!code)
        code = cluster_look(s, v);
    for (size_t i = 0; !code && i < v->n; i++)
        v->all[i].writes = !v->all[i].dead && has_written(&before, &v->all[i]);
    return code;
}

/* ---- as GET /status has it ---- */

static bool add_number(cJSON *to, const char *name, int64_t number)
{
    return cJSON_AddNumberToObject(to, name, (double)number);
}

static bool add_member(cJSON *members, const struct cluster_member *m, uint64_t looked_ms)
{
    cJSON *one = cJSON_CreateObject();
    const char *state = m->dead ? "adopting" : m->leaving ? "leaving" : m->writes ? "alive" : "silent";

    if (!one || !cJSON_AddItemToArray(members, one)) {
        cJSON_Delete(one);
        return false;
    }
    return cJSON_AddStringToObject(one, "node", m->node) && cJSON_AddStringToObject(one, "state", state) &&
           add_number(one, "epoch", m->epoch) &&
           add_number(one, "silent_ms", m->writes ? 0 : (int64_t)looked_ms) &&
           add_number(one, "leases", m->leases) && cJSON_AddStringToObject(one, "version", m->version) &&
           cJSON_AddStringToObject(one, "config_digest", m->config_digest);
}

static bool add_store(cJSON *to, struct store_calls *s, const struct cluster_view *v)
{
    cJSON *store = cJSON_AddObjectToObject(to, "store");
    double trip_ms = (double)s->took_us / 1000;
    struct etcd_writer w = store_calls_writer(s);

    (void)buf_str(w.out, "{}");
    bool known = store_calls_ask(s, "/v3/maintenance/status") == 0;

    return store && cJSON_AddStringToObject(store, "endpoint", etcd_client_endpoint(s->client)) &&
           cJSON_AddStringToObject(store, "leader", known ? json_text(s->answer, "leader") : "") &&
           add_number(store, "revision", v->revision) &&
           add_number(store, "db_bytes", known ? json_number(s->answer, "dbSize") : 0) &&
           cJSON_AddNumberToObject(store, "round_trip_ms", trip_ms);
}

static bool add_all(cJSON *out, struct store_command *c, struct store_calls *s, const struct cluster_view *v)
{
    char digest[CONF_DIGEST_SIZE], moved[ETCD_MOVED_WHY] = "";
    bool good = cJSON_AddFalseToObject(out, "gateway_running") && cJSON_AddNullToObject(out, "node") &&
                cJSON_AddNullToObject(out, "epoch") && cJSON_AddTrueToObject(out, "certain") &&
                cJSON_AddNullToObject(out, "certain_left_ms") && cJSON_AddNullToObject(out, "refusal");
    cJSON *members = good ? cJSON_AddArrayToObject(out, "members") : NULL;

    for (size_t i = 0; members && good && i < v->n; i++)
        good = add_member(members, &v->all[i], s->conf->ttl_ms / 2);
    if (v->has_moved)
        etcd_moved_explain(&v->moved, moved);
    return good && members && cJSON_AddNullToObject(out, "adoptions") &&
           cJSON_AddNullToObject(out, "fenced") && conf_cluster_digest(c->conf, digest) == 0 &&
           cJSON_AddStringToObject(out, "own_digest", digest) && add_number(out, "schema", v->schema) &&
           (*moved ? cJSON_AddStringToObject(out, "moved", moved) : cJSON_AddNullToObject(out, "moved")) &&
           add_store(out, s, v);
}

int cluster_read(struct store_command *c, cJSON **out)
{
    struct store_calls s;
    struct cluster_view v;
    int code = store_calls_open(&s, c->loop, &c->conf->store) ? command_failed(s.why) : EXIT_DONE;

    if (!code)
        code = cluster_look_twice(&s, &v);
    if (!code) {
        *out = cJSON_CreateObject();
        code = *out && add_all(*out, c, &s, &v) ? EXIT_DONE : command_failed("out of memory");
    }
    store_calls_close(&s);
    return code;
}
