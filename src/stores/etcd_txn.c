/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_txn.c - see etcd_txn.h.
 *
 * Keys and values are base64 in the gateway's JSON, 64-bit numbers are strings, and in answers false and zero
 * are left out.
 */
#include "stores/etcd_txn.h"

#include "base/json.h"

#include <inttypes.h>
#include <openssl/evp.h>

#define KEY_MAX   4096
#define VALUE_MAX (1u << 20)

/* ---- base64 ---- */

static void write_base64(struct buf *out, const char *bytes, size_t n)
{
    size_t room = (n + 2) / 3 * 4 + 1; /* EVP_EncodeBlock() writes a NUL */
    char *to = buf_add(out, room);

    if (to)
        out->len -= room - (size_t)EVP_EncodeBlock((unsigned char *)to, (const unsigned char *)bytes, (int)n);
}

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* False = it is no base64, or does not fit. */
static bool decode(struct buf *to, const char *text)
{
    unsigned bits = 0, have = 0;

    if (strlen(text) % 4)
        return false;
    for (; *text && *text != '='; text++) {
        int digit = digit_of(*text);

        if (digit < 0)
            return false;
        bits = bits << 6 | (unsigned)digit;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        buf_char(to, (char)(bits >> have & 0xff));
    }
    return strspn(text, "=") == strlen(text) && !to->failed;
}

/* ---- writing ---- */

/* "name":"…" in base64, the prefix before the text if it is a key. */
static void write_bytes(const struct etcd_writer *w, const char *name, const char *prefix, const char *text,
                        size_t n)
{
    struct buf all = BUF_INIT(VALUE_MAX);

    buf_str(&all, prefix);
    buf_append(&all, text, n);
    buf_printf(w->out, "\"%s\":\"", name);
    write_base64(w->out, all.data, all.len);
    buf_char(w->out, '"');
    w->out->failed |= all.failed;
    buf_free(&all);
}

static void write_key(const struct etcd_writer *w, const char *name, const char *key)
{
    write_bytes(w, name, w->prefix, key, strlen(key));
}

static void write_value(const struct etcd_writer *w, const char *value)
{
    write_bytes(w, "value", "", value, strlen(value));
}

static void write_bound(const struct etcd_writer *w, const char *key, const char *result, const char *value)
{
    buf_char(w->out, '{');
    write_key(w, "key", key);
    buf_printf(w->out, ",\"target\":\"VALUE\",\"result\":\"%s\",", result);
    write_value(w, value);
    buf_char(w->out, '}');
}

static void write_compare(const struct etcd_writer *w, const struct etcd_compare *c)
{
    if (c->kind == ETCD_VALUE) {
        write_bound(w, c->key, "GREATER", c->from);
        buf_char(w->out, ',');
        write_bound(w, c->key, "LESS", c->to);
        return;
    }
    buf_char(w->out, '{');
    write_key(w, "key", c->key);
    if (c->kind == ETCD_NONE_IN) {
        buf_char(w->out, ',');
        write_key(w, "range_end", c->to);
    }
    if (c->kind == ETCD_MOD)
        buf_printf(w->out, ",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"%" PRId64 "\"}",
                   c->mod);
    else
        buf_printf(w->out, ",\"target\":\"CREATE\",\"result\":\"%s\",\"create_revision\":\"%" PRId64 "\"}",
                   c->kind == ETCD_THERE ? "GREATER" : "EQUAL", c->kind == ETCD_CREATED ? c->mod : 0);
}

void etcd_write_compares(const struct etcd_writer *w, const struct etcd_compare *compares, size_t n)
{
    buf_str(w->out, "\"compare\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(w->out, ',');
        write_compare(w, &compares[i]);
    }
    buf_char(w->out, ']');
}

static void write_plain_op(const struct etcd_writer *w, const struct etcd_op *op)
{
    static const char *const names[] = {
        [ETCD_PUT] = "requestPut", [ETCD_DELETE] = "requestDeleteRange", [ETCD_GET] = "requestRange"};

    buf_printf(w->out, "{\"%s\":{", names[op->kind]);
    write_key(w, "key", op->key);
    if (op->kind == ETCD_PUT) {
        buf_char(w->out, ',');
        write_value(w, op->value);
    } else if (op->to) {
        buf_char(w->out, ',');
        write_key(w, "range_end", op->to);
    }
    if (op->limit)
        buf_printf(w->out, ",\"limit\":\"%u\"", op->limit);
    buf_str(w->out, "}}");
}

static void write_if(const struct etcd_writer *w, const struct etcd_op *op)
{
    const struct etcd_compare there = {.kind = ETCD_THERE, .key = op->key};

    buf_str(w->out, "{\"requestTxn\":{");
    etcd_write_compares(w, &there, 1);
    buf_str(w->out, ",\"success\":[");
    for (size_t i = 0; i < op->nthen; i++) {
        if (i)
            buf_char(w->out, ',');
        write_plain_op(w, &op->then[i]);
    }
    buf_str(w->out, "]}}");
}

void etcd_write_ops(const struct etcd_writer *w, const struct etcd_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(w->out, ',');
        if (ops[i].kind == ETCD_IF)
            write_if(w, &ops[i]);
        else
            write_plain_op(w, &ops[i]);
    }
}

void etcd_write_chain(const struct etcd_writer *w, const struct etcd_alternative *chain, size_t n,
                      const struct etcd_op *reads, size_t nreads)
{
    for (size_t i = 0; i < n; i++) {
        buf_str(w->out, "{\"requestTxn\":{");
        etcd_write_compares(w, chain[i].compares, chain[i].ncompares);
        buf_str(w->out, ",\"success\":[");
        etcd_write_ops(w, chain[i].ops, chain[i].nops);
        buf_str(w->out, "],\"failure\":[");
    }
    etcd_write_ops(w, reads, nreads);
    for (size_t i = 0; i < n; i++)
        buf_str(w->out, "]}}");
}

void etcd_write_range(const struct etcd_writer *w, const char *from, size_t n, const char *to, int limit)
{
    buf_char(w->out, '{');
    write_bytes(w, "key", w->prefix, from, n);
    buf_char(w->out, ',');
    write_key(w, "range_end", to);
    buf_printf(w->out, ",\"limit\":\"%d\"}", limit);
}

void etcd_write_reads(const struct etcd_writer *w, const struct etcd_op *reads, size_t n)
{
    buf_str(w->out, "{\"success\":[");
    etcd_write_ops(w, reads, n);
    buf_str(w->out, "]}");
}

/* ---- answers ---- */

int etcd_responses(const cJSON *answer)
{
    return cJSON_GetArraySize(json_get(answer, "responses"));
}

const cJSON *etcd_response(const cJSON *answer, int n)
{
    const cJSON *wrapped = cJSON_GetArrayItem(json_get(answer, "responses"), n);

    return wrapped && cJSON_IsObject(wrapped) ? wrapped->child : NULL;
}

/* The failure of an alternative holds the next one alone, the last one plain reads or nothing. */
const cJSON *etcd_chain_answer(const cJSON *answer, bool *held)
{
    while (answer && cJSON_IsObject(answer)) {
        *held = cJSON_IsTrue(json_get(answer, "succeeded"));
        const cJSON *next = etcd_response(answer, 0);

        if (*held || etcd_responses(answer) != 1 || !next || !next->string ||
            strcmp(next->string, "response_txn") != 0)
            return answer;
        answer = next;
    }
    return NULL;
}

bool etcd_kv_read(const cJSON *range, int n, struct etcd_kv *kv)
{
    const cJSON *row = cJSON_GetArrayItem(json_get(range, "kvs"), n);

    *kv = (struct etcd_kv){.key = BUF_INIT(KEY_MAX),
                           .value = BUF_INIT(VALUE_MAX),
                           .created = json_number(row, "create_revision"),
                           .mod = json_number(row, "mod_revision")};
    if (row && decode(&kv->key, json_text(row, "key")) && decode(&kv->value, json_text(row, "value")))
        return true;
    etcd_kv_free(kv);
    return false;
}

void etcd_kv_free(struct etcd_kv *kv)
{
    buf_free(&kv->key);
    buf_free(&kv->value);
}

void etcd_small_value(const cJSON *range, char *to, size_t size)
{
    struct etcd_kv kv;

    to[0] = '\0';
    if (!etcd_kv_read(range, 0, &kv))
        return;
    if (kv.value.len < size) {
        memcpy(to, kv.value.data, kv.value.len);
        to[kv.value.len] = '\0';
    }
    etcd_kv_free(&kv);
}

int64_t etcd_revision(const cJSON *answer)
{
    return json_number(json_get(answer, "header"), "revision");
}
