/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_etcd.c - see the header. The keys are a sorted array; the names of the functions are those of the
 * steps of etcd: check the request, decide all comparisons, apply.
 *
 * A member of a request may have either of two names, as in protobuf's JSON: range_end or rangeEnd.
 */
#include "fake_etcd.h"

#include <cJSON.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define OPS_MAX     128
#define DECIDED_MAX 4096 /* transactions within one */
#define TOKENS_MAX  64
#define CLUSTER     UINT64_C(14841639068965178418)
#define MEMBER      "10276657743932975437"

/* Bytes, with a NUL behind them. */
struct bytes {
    char *p;
    size_t n;
};

struct kv {
    struct bytes key, value;
    int64_t created, mod, version;
};

struct fake_etcd {
    struct kv *kv; /* by key */
    size_t n, cap;
    int64_t revision;
    uint64_t cluster;      /* its id */
    char *user, *password; /* NULL = no sign-in */
    unsigned token[TOKENS_MAX];
    unsigned last_token;
    fake_etcd_watcher *watch;
    void *watch_arg;
};

/* What is wrong with a request: "" = nothing. */
struct fault {
    const char *text;
    int status, code;
};

/* ---- bytes ---- */

static void *memory(void *p)
{
    if (!p)
        abort();
    return p;
}

static struct bytes bytes_copy(const char *p, size_t n)
{
    struct bytes b = {memory(malloc(n + 1)), n};

    if (n)
        memcpy(b.p, p, n);
    b.p[n] = '\0';
    return b;
}

static void bytes_free(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes){0};
}

static int order(const struct bytes *a, const struct bytes *b)
{
    int by = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

    return by ? by : (a->n > b->n) - (a->n < b->n);
}

static const cJSON *member(const cJSON *object, const char *name, const char *other)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return item ? item : cJSON_GetObjectItemCaseSensitive(object, other);
}

static struct bytes bytes_of(const cJSON *object, const char *name, const char *other)
{
    const char *text = cJSON_GetStringValue(member(object, name, other));
    size_t n = text ? strlen(text) : 0;
    struct bytes b = {memory(calloc(1, n + 4)), 0};

    if (!n || n % 4)
        return b;
    int got = EVP_DecodeBlock((unsigned char *)b.p, (const unsigned char *)text, (int)n);

    if (got < 0)
        return b;
    b.n = (size_t)got - (text[n - 1] == '=') - (text[n - 2] == '=');
    b.p[b.n] = '\0';
    return b;
}

/* A 64-bit number: a text, or a number. */
static int64_t number_of(const cJSON *object, const char *name, const char *other)
{
    const cJSON *item = member(object, name, other);

    if (cJSON_IsString(item))
        return strtoll(item->valuestring, NULL, 10);
    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
}

static bool flag_of(const cJSON *object, const char *name, const char *other)
{
    return cJSON_IsTrue(member(object, name, other));
}

static void write_bytes(struct buf *to, const char *name, const struct bytes *b)
{
    size_t room = (b->n + 2) / 3 * 4 + 1;

    (void)buf_printf(to, ",\"%s\":\"", name);
    char *at = memory(buf_add(to, room));
    to->len -= room - (size_t)EVP_EncodeBlock((unsigned char *)at, (const unsigned char *)b->p, (int)b->n);
    (void)buf_char(to, '"');
}

/* ---- keys ---- */

/* The place of the first key that is not before this one. */
static size_t place_of(const struct fake_etcd *e, const struct bytes *key)
{
    size_t from = 0, to = e->n;

    while (from < to) {
        size_t mid = (from + to) / 2;

        if (order(&e->kv[mid].key, key) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

/* A key alone, or all from `key` on: up to, without, `end`; without an end where that is one zero byte. */
struct span {
    struct bytes key, end;
};

static struct span span_of(const cJSON *request)
{
    return (struct span){bytes_of(request, "key", "key"), bytes_of(request, "range_end", "rangeEnd")};
}

static void span_free(struct span *s)
{
    bytes_free(&s->key);
    bytes_free(&s->end);
}

static bool has_no_end(const struct span *s)
{
    return s->end.n == 1 && !s->end.p[0];
}

static size_t span_end(const struct fake_etcd *e, const struct span *s, size_t first)
{
    if (s->end.n && has_no_end(s))
        return e->n;
    if (s->end.n) {
        size_t end = place_of(e, &s->end);

        return end > first ? end : first;
    }
    return first + (first < e->n && order(&e->kv[first].key, &s->key) == 0);
}

static bool span_has(const struct span *s, const struct bytes *key)
{
    if (!s->end.n)
        return order(&s->key, key) == 0;
    return order(&s->key, key) <= 0 && (has_no_end(s) || order(key, &s->end) < 0);
}

static void put(struct fake_etcd *e, const struct bytes *key, const struct bytes *value, int64_t revision)
{
    size_t at = place_of(e, key);

    if (at == e->n || order(&e->kv[at].key, key) != 0) {
        if (e->n == e->cap) {
            e->cap = e->cap ? 2 * e->cap : 64;
            e->kv = memory(realloc(e->kv, e->cap * sizeof *e->kv));
        }
        memmove(&e->kv[at + 1], &e->kv[at], (e->n++ - at) * sizeof *e->kv);
        e->kv[at] = (struct kv){.key = bytes_copy(key->p, key->n), .created = revision};
    }
    struct bytes before = e->kv[at].value;

    e->kv[at].value = bytes_copy(value->p, value->n);
    e->kv[at].mod = revision;
    e->kv[at].version++;
    if (e->watch)
        e->watch(e->watch_arg, e->kv[at].key.p, e->kv[at].value.p, before.p);
    bytes_free(&before);
}

static size_t drop(struct fake_etcd *e, const struct span *s)
{
    size_t from = place_of(e, &s->key), to = span_end(e, s, from);

    for (size_t i = from; i < to; i++) {
        if (e->watch)
            e->watch(e->watch_arg, e->kv[i].key.p, NULL, e->kv[i].value.p);
        bytes_free(&e->kv[i].key);
        bytes_free(&e->kv[i].value);
    }
    if (to > from)
        memmove(&e->kv[from], &e->kv[to], (e->n - to) * sizeof *e->kv);
    e->n -= to - from;
    return to - from;
}

/* ---- what a transaction may not be ---- */

static const struct fault no_fault = {"", 200, 0};
static const struct fault empty_key = {"etcdserver: key is not provided", 400, 3};
static const struct fault too_many = {"etcdserver: too many operations in txn request", 400, 3};
static const struct fault twice = {"etcdserver: duplicate key given in txn request", 400, 3};

static const cJSON *success_of(const cJSON *txn)
{
    return member(txn, "success", "success");
}

static const cJSON *failure_of(const cJSON *txn)
{
    return member(txn, "failure", "failure");
}

static const cJSON *nested_of(const cJSON *op)
{
    return member(op, "request_txn", "requestTxn");
}

static bool has_key(const cJSON *request)
{
    struct bytes key = bytes_of(request, "key", "key");
    bool has = key.n;

    bytes_free(&key);
    return has;
}

static const struct fault *check_txn(const cJSON *txn, int most);

static const struct fault *check_op(const cJSON *op, int most)
{
    const cJSON *nested = nested_of(op);
    const cJSON *plain = op->child;

    if (nested)
        return check_txn(nested, most);
    return plain && !has_key(plain) ? &empty_key : &no_fault;
}

static const struct fault *check_ops(const cJSON *ops, int most)
{
    const struct fault *f = &no_fault;
    const cJSON *op;

    cJSON_ArrayForEach(op, ops) if (f == &no_fault) f = check_op(op, most);
    return f;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Of each level the longest of its three lists counts; the levels add up. */
static const struct fault *check_txn(const cJSON *txn, int most)
{
    const cJSON *compares = member(txn, "compare", "compare"), *c;
    int n = larger(cJSON_GetArraySize(compares),
                   larger(cJSON_GetArraySize(success_of(txn)), cJSON_GetArraySize(failure_of(txn))));

    if (n > most)
        return &too_many;
    cJSON_ArrayForEach(c, compares) if (!has_key(c)) return &empty_key;
    const struct fault *f = check_ops(success_of(txn), most - n);

    return f == &no_fault ? check_ops(failure_of(txn), most - n) : f;
}

/* ---- a key that may be written twice ---- */

struct touched {
    struct bytes *puts;
    struct span *drops;
    size_t nputs, ndrops;
};

static void touched_free(struct touched *t)
{
    for (size_t i = 0; i < t->nputs; i++)
        bytes_free(&t->puts[i]);
    for (size_t i = 0; i < t->ndrops; i++)
        span_free(&t->drops[i]);
    free(t->puts);
    free(t->drops);
    *t = (struct touched){0};
}

static bool has_put(const struct touched *t, const struct bytes *key)
{
    for (size_t i = 0; i < t->nputs; i++)
        if (order(&t->puts[i], key) == 0)
            return true;
    return false;
}

static bool is_dropped(const struct touched *t, const struct bytes *key)
{
    for (size_t i = 0; i < t->ndrops; i++)
        if (span_has(&t->drops[i], key))
            return true;
    return false;
}

/* Takes the key. */
static void add_put(struct touched *t, struct bytes key)
{
    if (has_put(t, &key)) {
        bytes_free(&key);
        return;
    }
    t->puts = memory(realloc(t->puts, (t->nputs + 1) * sizeof *t->puts));
    t->puts[t->nputs++] = key;
}

static void add_drop(struct touched *t, struct span span)
{
    t->drops = memory(realloc(t->drops, (t->ndrops + 1) * sizeof *t->drops));
    t->drops[t->ndrops++] = span;
}

static void move_drops(struct touched *to, struct touched *from)
{
    for (size_t i = 0; i < from->ndrops; i++)
        add_drop(to, from->drops[i]);
    from->ndrops = 0;
}

/* The puts of one branch; `other` is the branch that excludes it. */
static bool add_puts(struct touched *to, struct touched *from, const struct touched *other)
{
    bool good = true;

    for (size_t i = 0; i < from->nputs; i++) {
        const struct bytes *key = &from->puts[i];

        good = good && (!has_put(to, key) || (other && has_put(other, key))) && !is_dropped(to, key);
        add_put(to, bytes_copy(key->p, key->n));
    }
    return good;
}

static bool touch(struct touched *t, const cJSON *ops);

static bool touch_nested(struct touched *t, const cJSON *txn)
{
    struct touched then = {0}, otherwise = {0};
    bool good = touch(&then, success_of(txn)) && touch(&otherwise, failure_of(txn)) &&
                add_puts(t, &then, NULL) && add_puts(t, &otherwise, &then);

    move_drops(t, &then);
    move_drops(t, &otherwise);
    touched_free(&then);
    touched_free(&otherwise);
    return good;
}

static bool touch_put(struct touched *t, const cJSON *request)
{
    struct bytes key = bytes_of(request, "key", "key");
    bool good = !has_put(t, &key) && !is_dropped(t, &key);

    add_put(t, key);
    return good;
}

/* First what this level deletes, then the levels below, then what it writes. */
static bool touch(struct touched *t, const cJSON *ops)
{
    const cJSON *op;
    bool good = true;

    cJSON_ArrayForEach(op, ops)
    {
        const cJSON *request = member(op, "request_delete_range", "requestDeleteRange");

        if (request)
            add_drop(t, span_of(request));
    }
    cJSON_ArrayForEach(op, ops) if (good && nested_of(op)) good = touch_nested(t, nested_of(op));
    cJSON_ArrayForEach(op, ops)
    {
        const cJSON *request = member(op, "request_put", "requestPut");

        if (good && request)
            good = touch_put(t, request);
    }
    return good;
}

static const struct fault *check_written(const cJSON *txn)
{
    struct touched then = {0}, otherwise = {0};
    bool good = touch(&then, success_of(txn)) && touch(&otherwise, failure_of(txn));

    touched_free(&then);
    touched_free(&otherwise);
    return good ? &no_fault : &twice;
}

/* ---- comparisons ---- */

static bool is_word(const cJSON *item, const char *word, int number)
{
    return cJSON_IsString(item) ? strcmp(item->valuestring, word) == 0
                                : cJSON_IsNumber(item) && item->valuedouble == number;
}

static bool holds(const cJSON *result, int by)
{
    if (is_word(result, "GREATER", 1))
        return by > 0;
    if (is_word(result, "LESS", 2))
        return by < 0;
    return is_word(result, "NOT_EQUAL", 3) ? by != 0 : by == 0;
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* `kv`: all zero for a key that is not there. */
static bool compare_one(const cJSON *c, const struct kv *kv)
{
    const cJSON *target = member(c, "target", "target"), *result = member(c, "result", "result");

    if (is_word(target, "VALUE", 3)) {
        struct bytes value = bytes_of(c, "value", "value");
        bool good = holds(result, order(&kv->value, &value));

        bytes_free(&value);
        return good;
    }
    if (is_word(target, "CREATE", 1))
        return holds(result, compare_numbers(kv->created, number_of(c, "create_revision", "createRevision")));
    if (is_word(target, "MOD", 2))
        return holds(result, compare_numbers(kv->mod, number_of(c, "mod_revision", "modRevision")));
    return holds(result, compare_numbers(kv->version, number_of(c, "version", "version")));
}

/* A comparison with a value fails where no key is there; any other compares with zero then. */
static bool compare(const struct fake_etcd *e, const cJSON *c)
{
    static const struct kv absent;
    struct span s = span_of(c);
    size_t from = place_of(e, &s.key), to = span_end(e, &s, from);
    bool good = from < to || (!is_word(member(c, "target", "target"), "VALUE", 3) && compare_one(c, &absent));

    for (size_t i = from; good && i < to; i++)
        good = compare_one(c, &e->kv[i]);
    span_free(&s);
    return good;
}

/* The branches of a transaction and of those in them, in the order in which they are applied. */
struct decided {
    bool held[DECIDED_MAX];
    size_t n, applied;
};

static void decide(const struct fake_etcd *e, const cJSON *txn, struct decided *d)
{
    const cJSON *compares = member(txn, "compare", "compare"), *ops, *c, *op;
    bool held = true;

    if (d->n == DECIDED_MAX)
        abort();
    cJSON_ArrayForEach(c, compares) held = held && compare(e, c);
    d->held[d->n++] = held;
    ops = held ? success_of(txn) : failure_of(txn);
    cJSON_ArrayForEach(op, ops) if (nested_of(op)) decide(e, nested_of(op), d);
}

/* ---- answers ---- */

static void write_head(const struct fake_etcd *e, struct buf *to)
{
    (void)buf_printf(to,
                     "{\"header\":{\"cluster_id\":\"%" PRIu64 "\",\"member_id\":\"" MEMBER
                     "\",\"revision\":\"%" PRId64 "\",\"raft_term\":\"2\"}",
                     e->cluster, e->revision);
}

static void write_revision(struct buf *to, int64_t revision)
{
    (void)buf_printf(to, "{\"header\":{\"revision\":\"%" PRId64 "\"}", revision);
}

static void write_kv(struct buf *to, const struct kv *kv, bool keys_only)
{
    size_t at = to->len;

    write_bytes(to, "key", &kv->key);
    to->data[at] = '{'; /* in place of the comma */
    (void)buf_printf(to,
                     ",\"create_revision\":\"%" PRId64 "\",\"mod_revision\":\"%" PRId64
                     "\",\"version\":\"%" PRId64 "\"",
                     kv->created, kv->mod, kv->version);
    if (kv->value.n && !keys_only)
        write_bytes(to, "value", &kv->value);
    (void)buf_char(to, '}');
}

/* The members behind the header: `kvs`, `more`, `count`. */
static void write_range(const struct fake_etcd *e, const cJSON *request, struct buf *to)
{
    struct span s = span_of(request);
    size_t from = place_of(e, &s.key), end = span_end(e, &s, from), n = end - from;
    size_t limit = (size_t)number_of(request, "limit", "limit");
    size_t shown = flag_of(request, "count_only", "countOnly") ? 0 : limit && limit < n ? limit : n;

    for (size_t i = 0; i < shown; i++) {
        (void)buf_str(to, i ? "," : ",\"kvs\":[");
        write_kv(to, &e->kv[from + i], flag_of(request, "keys_only", "keysOnly"));
    }
    (void)buf_str(to, shown ? "]" : "");
    if (shown && shown < n)
        (void)buf_str(to, ",\"more\":true");
    if (n)
        (void)buf_printf(to, ",\"count\":\"%zu\"", n);
    span_free(&s);
}

/* ---- transactions ---- */

struct applying {
    struct fake_etcd *etcd;
    struct decided *decided;
    int64_t revision; /* before it */
    bool changed;
    struct buf *to;
};

static int64_t revision_now(const struct applying *a)
{
    return a->revision + a->changed;
}

static void apply_put(struct applying *a, const cJSON *request)
{
    struct bytes key = bytes_of(request, "key", "key"), value = bytes_of(request, "value", "value");

    put(a->etcd, &key, &value, a->revision + 1);
    a->changed = true;
    bytes_free(&key);
    bytes_free(&value);
    (void)buf_str(a->to, "{\"response_put\":");
    write_revision(a->to, revision_now(a));
    (void)buf_str(a->to, "}}");
}

static void apply_drop(struct applying *a, const cJSON *request)
{
    struct span s = span_of(request);
    size_t n = drop(a->etcd, &s);

    span_free(&s);
    a->changed |= n > 0;
    (void)buf_str(a->to, "{\"response_delete_range\":");
    write_revision(a->to, revision_now(a));
    if (n)
        (void)buf_printf(a->to, ",\"deleted\":\"%zu\"", n);
    (void)buf_str(a->to, "}}");
}

static void apply_ops(struct applying *a, const cJSON *ops, bool held);

static void apply_nested(struct applying *a, const cJSON *txn)
{
    bool held = a->decided->held[a->decided->applied++];

    (void)buf_str(a->to, "{\"response_txn\":{\"header\":{}");
    apply_ops(a, held ? success_of(txn) : failure_of(txn), held);
    (void)buf_str(a->to, "}}");
}

static void apply_op(struct applying *a, const cJSON *op)
{
    const cJSON *request;

    if ((request = nested_of(op))) {
        apply_nested(a, request);
    } else if ((request = member(op, "request_put", "requestPut"))) {
        apply_put(a, request);
    } else if ((request = member(op, "request_delete_range", "requestDeleteRange"))) {
        apply_drop(a, request);
    } else if ((request = member(op, "request_range", "requestRange"))) {
        (void)buf_str(a->to, "{\"response_range\":");
        write_revision(a->to, revision_now(a));
        write_range(a->etcd, request, a->to);
        (void)buf_str(a->to, "}}");
    }
}

static void apply_ops(struct applying *a, const cJSON *ops, bool held)
{
    const cJSON *op;
    size_t n = 0;

    (void)buf_str(a->to, held ? ",\"succeeded\":true" : "");
    cJSON_ArrayForEach(op, ops)
    {
        (void)buf_str(a->to, n++ ? "," : ",\"responses\":[");
        apply_op(a, op);
    }
    (void)buf_str(a->to, n ? "]" : "");
}

static const struct fault *txn(struct fake_etcd *e, const cJSON *request, struct buf *answer)
{
    struct buf rest = BUF_INIT((size_t)1 << 24);
    const struct fault *f = check_txn(request, OPS_MAX);
    struct decided decided = {.n = 0};
    struct applying a = {.etcd = e, .decided = &decided, .revision = e->revision, .to = &rest};

    if (f == &no_fault)
        f = check_written(request);
    if (f != &no_fault)
        return f;
    decide(e, request, &decided);
    decided.applied = 1;
    apply_ops(&a, decided.held[0] ? success_of(request) : failure_of(request), decided.held[0]);
    e->revision = revision_now(&a);
    write_head(e, answer);
    (void)buf_append(answer, rest.data, rest.len);
    (void)buf_char(answer, '}');
    buf_free(&rest);
    return &no_fault;
}

/* ---- the other calls ---- */

static const struct fault *range(struct fake_etcd *e, const cJSON *request, struct buf *answer)
{
    if (!has_key(request))
        return &empty_key;
    write_head(e, answer);
    write_range(e, request, answer);
    (void)buf_char(answer, '}');
    return &no_fault;
}

static const struct fault *status(struct fake_etcd *e, const cJSON *request, struct buf *answer)
{
    (void)request;
    write_head(e, answer);
    (void)buf_printf(answer,
                     ",\"version\":\"3.4.23\",\"dbSize\":\"%zu\",\"leader\":\"" MEMBER
                     "\",\"raftIndex\":\"%" PRId64 "\",\"raftTerm\":\"2\",\"raftAppliedIndex\":\"%" PRId64
                     "\",\"dbSizeInUse\":\"%zu\"}",
                     20480 + 512 * e->n, e->revision, e->revision, 16384 + 512 * e->n);
    return &no_fault;
}

static const struct fault *authenticate(struct fake_etcd *e, const cJSON *request, struct buf *answer)
{
    static const struct fault off = {"etcdserver: authentication is not enabled", 412, 9};
    static const struct fault wrong = {"etcdserver: authentication failed, invalid user ID or password", 400,
                                       3};
    const char *name = cJSON_GetStringValue(member(request, "name", "name"));
    const char *password = cJSON_GetStringValue(member(request, "password", "password"));

    if (!e->user)
        return &off;
    if (!name || !password || strcmp(name, e->user) != 0 || strcmp(password, e->password) != 0)
        return &wrong;
    e->token[e->last_token % TOKENS_MAX] = e->last_token + 1;
    e->last_token++;
    write_head(e, answer);
    (void)buf_printf(answer, ",\"token\":\"token.%u\"}", e->last_token);
    return &no_fault;
}

int fake_etcd_call(struct fake_etcd *e, const char *path, const char *body, struct buf *answer)
{
    static const struct {
        const char *path;
        const struct fault *(*fn)(struct fake_etcd *, const cJSON *, struct buf *);
    } calls[] = {{"/v3/kv/txn", txn},
                 {"/v3/kv/range", range},
                 {"/v3/auth/authenticate", authenticate},
                 {"/v3/maintenance/status", status}};
    static const struct fault unknown = {"Not Found", 404, 5};
    static const struct fault no_json = {"invalid character in the request", 400, 3};
    cJSON *request = cJSON_Parse(body);
    const struct fault *f = &unknown;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(path, calls[i].path) == 0)
            f = request ? calls[i].fn(e, request, answer) : &no_json;
    cJSON_Delete(request);
    if (f == &no_fault)
        return 200;
    (void)buf_printf(answer, "{\"error\":\"%s\",\"code\":%d,\"message\":\"%s\"}", f->text, f->code, f->text);
    return f->status;
}

/* ---- users ---- */

void fake_etcd_enable_auth(struct fake_etcd *e, const char *user, const char *password)
{
    e->user = memory(strdup(user));
    e->password = memory(strdup(password));
}

bool fake_etcd_token_is_good(const struct fake_etcd *e, const char *token)
{
    unsigned number = 0;

    if (!e->user)
        return true;
    if (!token || sscanf(token, "token.%u", &number) != 1 || !number)
        return false;
    return e->token[(number - 1) % TOKENS_MAX] == number;
}

void fake_etcd_forget_tokens(struct fake_etcd *e)
{
    memset(e->token, 0, sizeof e->token);
}

/* ---- for the caller ---- */

void fake_etcd_watch(struct fake_etcd *e, fake_etcd_watcher *fn, void *arg)
{
    e->watch = fn;
    e->watch_arg = arg;
}

int64_t fake_etcd_revision(const struct fake_etcd *e)
{
    return e->revision;
}

void fake_etcd_each(const struct fake_etcd *e, const char *prefix,
                    void (*fn)(void *arg, const char *key, const char *value), void *arg)
{
    const struct bytes from = {(char *)(uintptr_t)prefix, strlen(prefix)};

    for (size_t i = place_of(e, &from); i < e->n && strncmp(e->kv[i].key.p, prefix, from.n) == 0; i++)
        fn(arg, e->kv[i].key.p, e->kv[i].value.p);
}

void fake_etcd_put(struct fake_etcd *e, const char *key, const char *value)
{
    const struct span text = {.key = {(char *)(uintptr_t)key, strlen(key)}};

    e->revision++;
    if (value)
        put(e, &text.key, &(struct bytes){(char *)(uintptr_t)value, strlen(value)}, e->revision);
    else
        (void)drop(e, &text);
}

const char *fake_etcd_get(const struct fake_etcd *e, const char *key)
{
    const struct bytes text = {(char *)(uintptr_t)key, strlen(key)};
    size_t at = place_of(e, &text);

    return at < e->n && order(&e->kv[at].key, &text) == 0 ? e->kv[at].value.p : NULL;
}

/* ---- life ---- */

struct fake_etcd *fake_etcd_new(void)
{
    struct fake_etcd *e = memory(calloc(1, sizeof *e));

    e->revision = 1;
    e->cluster = CLUSTER;
    return e;
}

static void keys_free(struct fake_etcd *e)
{
    for (size_t i = 0; i < e->n; i++) {
        bytes_free(&e->kv[i].key);
        bytes_free(&e->kv[i].value);
    }
    free(e->kv);
}

static void keys_copy(struct fake_etcd *to, const struct fake_etcd *from)
{
    to->kv = memory(calloc(from->n + 1, sizeof *to->kv));
    to->n = from->n;
    to->cap = from->n + 1;
    to->revision = from->revision;
    for (size_t i = 0; i < from->n; i++) {
        to->kv[i] = from->kv[i];
        to->kv[i].key = bytes_copy(from->kv[i].key.p, from->kv[i].key.n);
        to->kv[i].value = bytes_copy(from->kv[i].value.p, from->kv[i].value.n);
    }
}

struct fake_etcd *fake_etcd_copy(const struct fake_etcd *e)
{
    struct fake_etcd *copy = fake_etcd_new();

    keys_copy(copy, e);
    return copy;
}

void fake_etcd_restore(struct fake_etcd *e, const struct fake_etcd *backup, bool other_cluster)
{
    keys_free(e);
    keys_copy(e, backup);
    e->cluster += other_cluster;
    fake_etcd_forget_tokens(e);
}

void fake_etcd_free(struct fake_etcd *e)
{
    keys_free(e);
    free(e->user);
    free(e->password);
    free(e);
}
