/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - the stages of a store on etcd, through the gateway's own client for it: each member by itself,
 * then the cluster through all of them.
 *
 *   reach -> api -> sign_in -> quorum -> write -> history -> cluster
 *
 * The first failed stage is the last. They follow whatever the vault's stages have shown. The only write is a
 * key of its own below the prefix, which the same transaction removes.
 *
 * Not here: what the gateways of the cluster do (`jumpgate cluster`).
 */
#include "commands/doctor/stages.h"

#include "base/certificate.h"
#include "base/container_of.h"
#include "base/id.h"
#include "base/json.h"
#include "base/text.h"
#include "commands/store_access.h"
#include "loop/upstream/upstream.h"
#include "stores/etcd_move.h"
#include "stores/etcd_txn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_MAX     4096
#define SLOW_US      20000
#define QUOTA_USUAL  (2LL * 1024 * 1024 * 1024) /* etcd's, where it says no other */
#define SKEW_MS      5000
#define MANY_CHANGES 10000 /* revisions after which a compaction is expected */

struct store_doctor {
    struct doctor *d;
    const struct conf_store *conf;
    struct loop *loop;
    struct etcd_client *client; /* of all members; NULL = none yet */
    struct etcd_client_opts opts;
    struct secret password;
    size_t reached;
    bool refused; /* by a member: the client certificate, or the lack of one */
    int64_t revision, db_bytes, quota;
    bool skew_known;
    int64_t skew_ms; /* of the member whose clock differs most */
};

struct store_call {
    struct etcd_call call;
    struct loop *loop;
    bool done;
    cJSON *answer; /* a copy */
    uint64_t took_us;
};

static void enter(struct store_doctor *s, enum doctor_stage stage)
{
    s->d->report.stage = stage;
}

static bool failed(struct store_doctor *s, const char *cause, const char *remedy)
{
    report_cause(s->d, "%s", cause);
    report_remedy(s->d, "%s", remedy);
    return false;
}

/* ---- calls ---- */

static void on_done(struct etcd_call *call)
{
    struct store_call *c = CONTAINER_OF(call, struct store_call, call);

    c->done = true;
    c->answer = call->answer ? cJSON_Duplicate(call->answer, true) : NULL; /* the client frees its own */
    loop_stop(c->loop);
}

static void on_closed(void *arg)
{
    loop_stop(arg);
}

static void close_client(struct store_doctor *s, struct etcd_client *client)
{
    if (!client)
        return;
    etcd_client_close(client, on_closed, s->loop);
    (void)loop_run(s->loop);
}

/* One call, waited for. `client` NULL = there is no memory for one. */
static void ask_by(struct store_doctor *s, struct etcd_client *client, const char *path, const char *body,
                   struct store_call *out)
{
    *out = (struct store_call){.loop = s->loop,
                               .call = {.path = path,
                                        .done = on_done,
                                        .then = ETCD_ANY,
                                        .otherwise = ETCD_ANY,
                                        .plain = strncmp(path, "/v3/kv/", 7) != 0}};
    out->call.body = BUF_INIT(BODY_MAX);
    (void)buf_str(&out->call.body, body);
    uint64_t from = clock_measure_us();
    int err = !client || out->call.body.failed ? -ENOMEM : etcd_call(client, &out->call);

    while (!err && !out->done)
        (void)loop_run(s->loop);
    out->took_us = clock_measure_us() - from;
    if (err) {
        out->call.err = err;
        (void)snprintf(out->call.why, sizeof(out->call.why), "%s", strerror(-err));
    }
    buf_free(&out->call.body);
}

/* The member at this place of the configuration. */
static void ask_member(struct store_doctor *s, size_t i, const char *path, struct store_call *out)
{
    struct etcd_client_opts opts = s->opts;
    char why[256];

    opts.endpoints += i;
    opts.nendpoints = 1;
    opts.first = 0;
    opts.user = NULL; /* a member says what it is to everybody */
    struct etcd_client *client = etcd_client_new(s->loop, &opts, why);

    ask_by(s, client, path, "{}", out);
    close_client(s, client);
}

/* Any member, with one sign-in and one connection for all calls. */
static void ask(struct store_doctor *s, const char *path, const char *body, struct store_call *out)
{
    char why[256];

    if (!s->client)
        s->client = etcd_client_new(s->loop, &s->opts, why);
    ask_by(s, s->client, path, body, out);
}

static void call_free(struct store_call *c)
{
    cJSON_Delete(c->answer);
}

static bool is_unreached(int err)
{
    return err == -ECONNREFUSED || err == -ETIMEDOUT || err == -ECONNRESET;
}

/* Numbers of 64 bits come as texts. */
static int64_t number(const cJSON *object, const char *name)
{
    return strtoll(json_text(object, name), NULL, 10);
}

/* ---- each member by itself ---- */

/* The date of an answer has whole seconds. */
static void note_clock(struct store_doctor *s, const struct store_call *c)
{
    int64_t date_ms, skew;

    if (c->call.err || clock_parse_http_date(c->call.call.value[CALL_DATE], &date_ms))
        return;
    skew = date_ms + 500 - clock_wall(&clock_system) + (int64_t)c->took_us / 2000;
    if (!s->skew_known || llabs(skew) > llabs(s->skew_ms))
        s->skew_ms = skew;
    s->skew_known = true;
}

static bool is_tried(const char *version)
{
    unsigned major = 0, minor = 0, patch = 0;

    return sscanf(version, "%u.%u.%u", &major, &minor, &patch) == 3 && major == 3 &&
           ((minor == 4 && patch >= 16) || minor == 5 || minor == 6);
}

static void look_at_member(struct store_doctor *s, size_t i, size_t *api, size_t *old)
{
    const char *endpoint = s->conf->endpoints.item[i];
    struct store_call c;

    ask_member(s, i, "/v3/maintenance/status", &c);
    note_clock(s, &c);
    const char *version = json_text(c.answer, "version");

    enter(s, STAGE_STORE_REACH);
    if (is_unreached(c.call.err)) {
        report_note(s->d, "%s", c.call.why);
        s->refused |= certificate_refusal_in(c.call.why) != NULL;
    } else {
        s->reached++;
        report_note(s->d, "%s answers in %.1f ms", endpoint, (double)c.took_us / 1000);
        enter(s, STAGE_STORE_API);
        if (c.call.err == -EIO) { /* 503: a member without a leader says so in etcd's own words */
            *api += strstr(c.call.why, "etcdserver:") != NULL;
            report_note(s->d, "%s", c.call.why);
        } else if (c.call.err || !*version) {
            report_note(s->d, "%s", c.call.err ? c.call.why : endpoint);
        } else {
            (*api)++;
            *old += !is_tried(version);
            report_note(s->d, "%s is etcd %s", endpoint, version);
            s->db_bytes = number(c.answer, "dbSize");
            s->quota = number(c.answer, "dbSizeQuota");
        }
    }
    call_free(&c);
}

static bool none_is_reached(struct store_doctor *s)
{
    report_failed(s->d, "none of the %zu members answers", s->conf->endpoints.n);
    if (s->refused)
        return failed(s,
                      s->conf->client_certificate
                          ? "etcd does not accept `client_certificate`: it has ended, or its issuer is none "
                            "of etcd's `trusted-ca-file`"
                          : "etcd wants a client certificate (`client-cert-auth`), and [store] has none",
                      "have one issued by that authority, and set `client_certificate` and `client_key`");
    return failed(
        s,
        "see the notes: the name, the way to the port, or the certificate (issuer, name, end); etcd "
        "that ends the connection at once may refuse `client_certificate`",
        "correct `endpoints`, `ca_file` and `client_certificate`, or let this machine through to "
        "the members");
}

static bool look_at_members(struct store_doctor *s)
{
    size_t n = s->conf->endpoints.n, api = 0, old = 0;

    for (size_t i = 0; i < n; i++)
        look_at_member(s, i, &api, &old);
    enter(s, STAGE_STORE_REACH);
    if (!s->reached)
        return none_is_reached(s);
    if (s->reached < n) {
        report_warning(s->d, "%zu of %zu members answer", s->reached, n);
        (void)failed(s, "see the notes: those members are away, or not to be reached from here",
                     "start them, or correct their address in `endpoints`");
    } else {
        report_ok(s->d, "all %zu members answer", n);
    }
    enter(s, STAGE_STORE_API);
    if (!api) {
        report_failed(s->d, "no member has answered /v3/maintenance/status");
        return failed(
            s,
            "something else listens there, the JSON gateway is off (enable-grpc-gateway), or etcd's own "
            "server certificate lacks clientAuth: with client-cert-auth etcd calls itself with it",
            "name etcd's client addresses; turn the gateway on; issue the certificate for serverAuth "
            "and clientAuth");
    }
    if (old) {
        report_warning(s->d, "%zu of %zu members have a version that was not tried", old, api);
        (void)failed(s, "3.4.16 to 3.6 are known to work", "use a version of that range");
    } else {
        report_ok(s->d, "the JSON gateway of %zu member%s answers", api, api == 1 ? "" : "s");
    }
    if (!old && api < s->reached) {
        report_warning(s->d, "the JSON gateway of %zu of %zu members answers", api, s->reached);
        (void)failed(s,
                     "the others start, or their server certificate has ended, is for other names, or lacks "
                     "clientAuth",
                     "look at their log, and restart them once their certificate is right");
    }
    return true;
}

/* ---- the cluster ---- */

static bool sign_in(struct store_doctor *s)
{
    struct buf body = BUF_INIT(BODY_MAX);
    struct etcd_writer w = {&body, s->conf->prefix};
    struct store_call c;

    enter(s, STAGE_STORE_SIGN_IN);
    etcd_write_range(&w, "m/", 2, "m0", 1);
    ask(s, "/v3/kv/range", buf_cstr(&body), &c);
    buf_free(&body);
    int err = c.call.err;
    const struct etcd_refusal *known = c.call.refusal;
    bool away = is_unreached(err) || err == -EIO; /* of which the next stage knows more */

    s->revision = etcd_revision(c.answer);
    if (!err && s->conf->user)
        report_ok(s->d, "%s may read below %s", s->conf->user, s->conf->prefix);
    else if (!err)
        report_ok(s->d, "etcd asks for no user");
    else if (away)
        report_unknown(s->d, "%s", c.call.why);
    else
        report_failed(s->d, "%s", c.call.why);
    call_free(&c);
    if (!err || away)
        return true;
    if (known)
        return failed(s, known->cause, known->remedy);
    if (err == -EREMOTEIO && s->conf->user) /* a gateway tries that again */
        return failed(
            s,
            "a member was too busy, or did not know a token that was just given: it lags behind, or "
            "a balancer in `endpoints` asks another one",
            "try again; name the members themselves in `endpoints`");
    return failed(s,
                  s->conf->user
                      ? "etcd does not know the user or the password, or the user's role lacks the prefix"
                      : "etcd asks for a user, and [store] has none",
                  "set `user` and `password_file`; grant the role readwrite on the prefix "
                  "(etcdctl role grant-permission ROLE readwrite PREFIX --prefix)");
}

static size_t count_alarms(struct store_doctor *s)
{
    struct store_call c;

    ask(s, "/v3/maintenance/alarm", "{\"action\":\"GET\"}", &c);
    const cJSON *one;
    size_t n = 0;

    cJSON_ArrayForEach(one, json_get(c.answer, "alarms"))
    {
        report_note(s->d, "alarm %s", json_text(one, "alarm"));
        n++;
    }
    call_free(&c);
    return n;
}

static bool quorum(struct store_doctor *s)
{
    struct store_call status, list;

    enter(s, STAGE_STORE_QUORUM);
    ask(s, "/v3/maintenance/status", "{}", &status);
    bool away = is_unreached(status.call.err); /* a member without a leader says so */
    bool leads = !status.call.err && number(status.answer, "leader") != 0;

    if (away)
        report_unknown(s->d, "no member says whether there is a leader: %s", status.call.why);
    call_free(&status);
    if (away)
        return failed(s, "the members have no time, or were lost a moment ago",
                      "look at their load and their log, and try again");
    if (!leads) {
        report_failed(s->d, "etcd has no leader");
        return failed(s, "fewer than half of the members are up, or they do not reach each other",
                      "start the members that are away; `etcdctl endpoint status --cluster` shows each");
    }
    ask(s, "/v3/cluster/member/list", "{}", &list);
    int members = cJSON_GetArraySize(json_get(list.answer, "members"));

    if (!members)
        report_note(s->d, "the members cannot be listed: %s",
                    list.call.err ? list.call.why : "an empty list");
    call_free(&list);
    if (count_alarms(s)) {
        report_failed(s->d, "etcd has raised an alarm, and takes no writes");
        return failed(s, "NOSPACE: its database has reached the quota; CORRUPT: a member's data differs",
                      "compact, defragment, raise quota-backend-bytes, then `etcdctl alarm disarm`");
    }
    if (!members) {
        report_warning(s->d, "there is a leader; how many members there are is not known");
        (void)failed(s, "see the notes", "`etcdctl member list` shows them");
    } else if (members == 3 || members == 5) {
        report_ok(s->d, "there is a leader, and %d members", members);
    } else {
        report_warning(s->d, "there is a leader, and %d member%s", members, members == 1 ? "" : "s");
        (void)failed(s,
                     members == 1 ? "when this member is away no gateway checks anything out"
                                  : "an even number survives no more losses than one less",
                     "run three or five members");
    }
    return true;
}

/* The nested transaction that every step of the store is made of. */
static void write_probe(struct store_doctor *s, struct buf *body)
{
    char key[128];
    struct etcd_writer w = {body, s->conf->prefix};

    (void)snprintf(key, sizeof(key), "doctor/%s", s->conf->node);
    const struct etcd_alternative absent = {.compares = {{.kind = ETCD_ABSENT, .key = key}},
                                            .ncompares = 1,
                                            .ops = {{.kind = ETCD_PUT, .key = key, .value = "x"}},
                                            .nops = 1};
    const struct etcd_alternative there = {.compares = {{.kind = ETCD_THERE, .key = key}},
                                           .ncompares = 1,
                                           .ops = {{.kind = ETCD_DELETE, .key = key}},
                                           .nops = 1};
    struct etcd_alternative chain[] = {absent, there};

    (void)buf_str(body, "{\"success\":[");
    etcd_write_chain(&w, chain, 2, NULL, 0);
    (void)buf_str(body, "]}");
}

static bool write_key(struct store_doctor *s)
{
    uint64_t took = 0;
    int err = 0;

    enter(s, STAGE_STORE_WRITE);
    for (int i = 0; i < 2 && !err; i++) { /* there, and gone */
        struct buf body = BUF_INIT(BODY_MAX);
        struct store_call c;

        write_probe(s, &body);
        ask(s, "/v3/kv/txn", buf_cstr(&body), &c);
        buf_free(&body);
        err = c.call.err;
        took = c.took_us;
        if (err)
            report_failed(s->d, "%s", c.call.why);
        call_free(&c);
    }
    if (err)
        return failed(s, "the user may not write below the prefix, or etcd takes no writes",
                      "grant readwrite on the prefix; see store_quorum for alarms");
    if (took < SLOW_US) {
        report_ok(s->d, "a transaction takes %.1f ms", (double)took / 1000);
        return true;
    }
    report_warning(s->d, "a transaction takes %.1f ms", (double)took / 1000);
    return failed(s, "the disks of etcd are slow (fsync), or the network is", "give etcd disks of its own") ||
           true;
}

/* The first revision can be read until the history is compacted. */
static bool history(struct store_doctor *s)
{
    int64_t quota = s->quota ? s->quota : QUOTA_USUAL;
    struct buf body = BUF_INIT(BODY_MAX);
    struct etcd_writer w = {&body, s->conf->prefix};
    struct store_call c;

    enter(s, STAGE_STORE_HISTORY);
    etcd_write_range(&w, "c/tag", 5, "c/tag0", 1);
    if (body.len && body.data[body.len - 1] == '}') /* at the first revision */
        body.len--;
    (void)buf_str(&body, ",\"revision\":\"1\"}");
    ask(s, "/v3/kv/range", buf_cstr(&body), &c);
    buf_free(&body);
    bool whole = !strstr(c.call.why, "compacted");

    call_free(&c);
    report_note(s->d, "revision %" PRId64 ", database of %.1f MB, quota %.1f MB%s", s->revision,
                (double)s->db_bytes / 1e6, (double)quota / 1e6,
                s->quota ? "" : " (etcd's default; this version does not say its own)");
    if (whole && s->revision > MANY_CHANGES) {
        report_failed(s->d, "the history is not compacted: the first of %" PRId64 " revisions is still kept",
                      s->revision);
        return failed(
            s, "etcd keeps every change until it is compacted, and stops to write at its quota",
            "start the members with --auto-compaction-mode=periodic --auto-compaction-retention=5m");
    }
    if (s->db_bytes > quota / 2) {
        report_warning(s->d, "the database has more than half of %s quota",
                       s->quota ? "its" : "etcd's default");
        return failed(
                   s,
                   s->quota
                       ? "history that was compacted leaves room in the file; or other programs share "
                         "this etcd"
                       : "this version of etcd does not say its quota: where quota-backend-bytes is larger, "
                         "compare with that",
                   "`etcdctl defrag` each member; raise quota-backend-bytes") ||
               true;
    }
    report_ok(s->d, whole ? "etcd is young: whether its history is compacted cannot be seen yet"
                          : "old revisions are compacted");
    return true;
}

/* The instance in the state directory, "" = none yet. */
static void own_instance(const struct doctor *d, char out[ID_SIZE])
{
    char path[4096];

    out[0] = '\0';
    (void)snprintf(path, sizeof(path), "%s/instance", d->conf->gateway.state_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? 0 : read(fd, out, ID_SIZE - 1);

    if (fd >= 0)
        (void)close(fd);
    out[n > 0 ? n : 0] = '\0';
}

static bool has_instance(const struct etcd_kv *kv, const char *instance)
{
    return *instance && memmem(kv->value.data, kv->value.len, instance, strlen(instance));
}

enum { CLUSTER_TAG, CLUSTER_SELF, CLUSTER_SCHEMA, CLUSTER_MOVED, CLUSTER_VAULTS, CLUSTER_NREADS };

static bool read_cluster(struct store_doctor *s, struct store_call *c)
{
    char key[128];
    struct buf body = BUF_INIT(BODY_MAX);
    struct etcd_writer w = {&body, s->conf->prefix};
    const struct etcd_op gets[CLUSTER_NREADS] = {
        [CLUSTER_TAG] = {.kind = ETCD_GET, .key = "c/tag"},
        [CLUSTER_SELF] = {.kind = ETCD_GET, .key = key},
        [CLUSTER_SCHEMA] = {.kind = ETCD_GET, .key = "c/schema"},
        [CLUSTER_MOVED] = {.kind = ETCD_GET, .key = ETCD_MOVED_KEY},
        [CLUSTER_VAULTS] = {.kind = ETCD_GET, .key = "c/v/", .to = "c/v0"}};

    (void)snprintf(key, sizeof(key), "m/%s", s->conf->node);
    etcd_write_reads(&w, gets, CLUSTER_NREADS);
    ask(s, "/v3/kv/txn", buf_cstr(&body), c);
    buf_free(&body);
    return !c->call.err;
}

/* The rows are used, and in a form that this version knows. */
static bool form_fits(struct store_doctor *s, const cJSON *schema, const cJSON *moved_range)
{
    char text[24], why[ETCD_MOVED_WHY] = "";
    struct etcd_moved moved = {.kind = ETCD_MOVED_OUT};
    struct etcd_kv kv;

    etcd_small_value(schema, text, sizeof(text));
    if (*text)
        report_note(s->d, "the schema is %s; this version knows %d to %d", text, ETCD_SCHEMA_OLDEST,
                    ETCD_SCHEMA_NEWEST);
    if (!etcd_schema_is_known(text)) {
        report_failed(s->d, "the cluster's schema is %s, and this version knows %d to %d", text,
                      ETCD_SCHEMA_OLDEST, ETCD_SCHEMA_NEWEST);
        return failed(s, "another version of jumpgate has raised it (jumpgate cluster upgrade)",
                      "use the version of the other gateways");
    }
    if (!etcd_kv_read(moved_range, 0, &kv))
        return true;
    (void)etcd_moved_read(kv.value.data, kv.value.len, &moved);
    etcd_moved_explain(&moved, why);
    report_failed(s->d, "%s", why);
    return failed(s, "`jumpgate store copy` has moved the leases, or was interrupted",
                  "run it once more, or set `type` in [store] as the message says");
}

static const struct conf_vault *vault_of_key(const struct store_doctor *s, struct buf *key)
{
    const char *text = buf_cstr(key), *at = text ? strrchr(text, '/') : NULL;
    char name[256];

    if (!at || !text_copy(name, sizeof(name), at + 1) || !text_url_decode(name, false))
        return NULL;
    for (size_t i = 0; i < s->d->conf->nvaults; i++)
        if (strcmp(s->d->conf->vaults[i].name, name) == 0)
            return &s->d->conf->vaults[i];
    return NULL;
}

static bool vault_agrees(struct store_doctor *s, struct etcd_kv *kv)
{
    const struct conf_vault *v = vault_of_key(s, &kv->key);
    char digest[CONF_DIGEST_SIZE];
    struct json_outcome outcome;
    cJSON *tree = v ? json_read(kv->value.data, kv->value.len, 4, JSON_EXACT, &outcome) : NULL;
    bool agrees = !v || conf_vault_digest(v, digest) || strcmp(json_text(tree, "d"), digest) == 0;

    if (!agrees)
        report_failed(s->d, "[vault %s] differs from that of the cluster, whose url is %s", v->name,
                      json_text(tree, "u"));
    cJSON_Delete(tree);
    return agrees;
}

static bool vaults_agree(struct store_doctor *s, const cJSON *range)
{
    struct etcd_kv kv;
    bool agree = true;
    int n = 0;

    for (; agree && etcd_kv_read(range, n, &kv); n++) {
        agree = vault_agrees(s, &kv);
    }
    if (!agree)
        return failed(
            s, "all gateways have `type`, `url` and `minute` of a vault alike: this one does not start",
            "make them equal; to change them on purpose, stop all gateways and run "
            "`jumpgate cluster set-vault NAME`");
    if (n)
        report_note(s->d, "the cluster has agreed in %d vault%s", n, n == 1 ? "" : "s");
    return true;
}

/* Leases end in the vault's time, whatever the clocks here are; certificates, logs and trails do not. */
static void compare_clocks(struct store_doctor *s)
{
    if (!s->skew_known || (s->skew_ms < SKEW_MS && s->skew_ms > -SKEW_MS))
        return;
    report_warning(s->d, "the clock of a member of etcd is %" PRId64 " seconds %s this machine's",
                   (s->skew_ms < 0 ? -s->skew_ms : s->skew_ms) / 1000,
                   s->skew_ms < 0 ? "behind" : "ahead of");
    (void)failed(
        s,
        "one of the two does not follow a time server: leases are not touched by it, but logs, audit "
        "trails and certificates are",
        "look at `timedatectl` at both");
}

static bool name_is_free(struct store_doctor *s, const cJSON *self)
{
    char instance[ID_SIZE];
    struct etcd_kv kv;

    own_instance(s->d, instance);
    bool taken = etcd_kv_read(self, 0, &kv), ours = taken && has_instance(&kv, instance);

    if (!taken || ours) {
        report_ok(s->d, "the name %s is %s", s->conf->node, ours ? "this gateway's" : "free");
        return true;
    }
    report_failed(s->d, "the name %s belongs to a gateway with another state directory", s->conf->node);
    return failed(s, "two gateways have one `node`, or the state directory is a new one",
                  "give each gateway a `node` of its own; a name is free again once its gateway has been "
                  "silent for the ttl, or by `jumpgate cluster forget NAME`");
}

static bool judge_cluster(struct store_doctor *s, const cJSON *answer)
{
    struct etcd_kv kv;

    if (!form_fits(s, etcd_response(answer, CLUSTER_SCHEMA), etcd_response(answer, CLUSTER_MOVED)))
        return false;
    if (!etcd_kv_read(etcd_response(answer, CLUSTER_TAG), 0, &kv)) {
        report_ok(s->d, "no gateway has used %s yet", s->conf->prefix);
        return true;
    }
    report_note(s->d, "lease ids of this cluster begin with %.*s", (int)kv.value.len, kv.value.data);
    return vaults_agree(s, etcd_response(answer, CLUSTER_VAULTS)) &&
           name_is_free(s, etcd_response(answer, CLUSTER_SELF));
}

static bool cluster(struct store_doctor *s)
{
    struct store_call c;

    enter(s, STAGE_STORE_CLUSTER);
    bool well = read_cluster(s, &c);

    if (well)
        well = judge_cluster(s, c.answer);
    else
        report_unknown(s->d, "%s", c.call.why);
    if (well)
        compare_clocks(s);
    call_free(&c);
    return well;
}

/* ---- all of them ---- */

void doctor_store(struct doctor *d)
{
    static bool (*const stages[])(struct store_doctor *) = {look_at_members, sign_in, quorum,
                                                            write_key,       history, cluster};
    struct store_doctor s = {.d = d, .conf = &d->conf->store};
    char why[STORE_ACCESS_WHY] = "";

    enter(&s, STAGE_STORE_REACH);
    s.loop = upstream_global_init() ? NULL : loop_new();
    if (!s.loop || store_access(s.conf, &s.opts, &s.password, why)) {
        report_failed(d, "%s", *why ? why : "out of memory");
        (void)failed(&s, "the command itself could not work", "see the detail");
    } else {
        for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++)
            if (!stages[i](&s))
                break;
    }
    close_client(&s, s.client);
    if (s.loop)
        (void)loop_free(s.loop);
    upstream_global_cleanup();
    secret_clear(&s.password);
}
