/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_txn.c - see etcd_txn.h.
 *
 * Keys and values are base64 in the gateway's JSON, 64-bit numbers are strings, and in answers false and zero
 * are left out.
 */
#include "stores/etcd_txn.h"

#include "base/json.h"
#include "base/text.h"

#include <string.h>

/* ---- base64 ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Place among the digits and 1; 0 = it is none. */
static const unsigned char values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};

/* Digits in the text, behind which at most two '=' fill the last group of four. False = it is no base64. */
static bool count_digits(const char *text, size_t *n)
{
    const char *end = text, *fill;

    while (values[(unsigned char)*end])
        end++;
    for (fill = end; *fill == '=';)
        fill++;
    *n = (size_t)(end - text);
    return !*fill && fill - end < 3 && (fill - text) % 4 == 0;
}

static unsigned digit(unsigned char c)
{
    return values[c] - 1u;
}

/* Into bytes where it stands, which are fewer, with a NUL behind them. False = it is no base64, and as it
 * was.
 */
static bool decode(char *text, size_t *n)
{
    const unsigned char *from = (const unsigned char *)text;
    char *to = text;

    if (!count_digits(text, n))
        return false;
    for (const unsigned char *end = from + *n - *n % 4; from < end; from += 4) {
        unsigned bits = digit(from[0]) << 18 | digit(from[1]) << 12 | digit(from[2]) << 6 | digit(from[3]);

        *to++ = (char)(bits >> 16 & 0xff);
        *to++ = (char)(bits >> 8 & 0xff);
        *to++ = (char)(bits & 0xff);
    }
    if (*n % 4) { /* two digits or three */
        unsigned bits = digit(from[0]) << 10 | digit(from[1]) << 4 | (*n % 4 > 2 ? digit(from[2]) >> 2 : 0);

        *to++ = (char)(bits >> 8 & 0xff);
        if (*n % 4 > 2)
            *to++ = (char)(bits & 0xff);
    }
    *to = '\0';
    *n = (size_t)(to - text);
    return true;
}

/* Writes whole groups of three bytes; what is left of them stays. Where it ends. */
static char *encode_groups(char *to, const unsigned char **from, size_t n)
{
    const unsigned char *p = *from, *end = p + n - n % 3;

    for (; p < end; p += 3) {
        unsigned bits = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];

        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = digits[bits >> 6 & 63];
        *to++ = digits[bits & 63];
    }
    *from = p;
    return to;
}

/* The last one or two bytes, with what stands for those that are missing; 0 = nothing. */
static void encode_rest(char *to, const unsigned char *from, size_t n)
{
    if (!n)
        return;
    unsigned bits = (unsigned)from[0] << 16 | (n > 1 ? (unsigned)from[1] << 8 : 0);
    to[0] = digits[bits >> 18];
    to[1] = digits[bits >> 12 & 63];
    to[2] = n > 1 ? digits[bits >> 6 & 63] : '=';
    to[3] = '=';
}

/* `head` and then `text`, as the bytes of one text, without a copy of it: those of the head that make no
 * group are written with the first ones of the text. */
static void write_base64(struct buf *out, const char *head, size_t nhead, const char *text, size_t n)
{
    const unsigned char *from = (const unsigned char *)head, *more = (const unsigned char *)text;
    char *to = buf_add(out, (nhead + n + 2) / 3 * 4);
    unsigned char seam[3];
    size_t have = nhead % 3;

    if (!to)
        return;
    to = encode_groups(to, &from, nhead);
    memcpy(seam, from, have);
    for (; have && have < 3 && n; n--)
        seam[have++] = *more++;
    if (have == 3) {
        const unsigned char *whole = seam;

        to = encode_groups(to, &whole, 3);
        have = 0;
    }
    if (have) { /* the text is at its end */
        encode_rest(to, seam, have);
        return;
    }
    to = encode_groups(to, &more, n);
    encode_rest(to, more, n % 3);
}

/* ---- writing ---- */

/* A text of the program: its length is known where it stands. */
#define WRITE(out, text) buf_append(out, text, sizeof(text) - 1)

/*
 * What one call writes. A step has each of its keys some five times and its values up to four times: where a
 * text has been written before it is copied from there. Texts are the same where their addresses are: they
 * are the caller's, and valid as long as the call.
 */
struct encoder {
    struct buf *out;
    const char *prefix;
    struct {
        const char *text;
        bool is_key; /* it was written behind the prefix */
        size_t at, len;
    } written[24];
    size_t nwritten;
};

static void encoder_start(struct encoder *e, const struct etcd_writer *w)
{
    e->out = w->out;
    e->prefix = w->prefix;
    e->nwritten = 0;
}

static bool write_once_more(struct encoder *w, const char *text, bool is_key)
{
    size_t i = 0;

    while (i < w->nwritten && (w->written[i].text != text || w->written[i].is_key != is_key))
        i++;
    if (i == w->nwritten)
        return false;
    char *to = buf_add(w->out, w->written[i].len);

    if (to)
        memcpy(to, w->out->data + w->written[i].at, w->written[i].len);
    return true;
}

/* In base64 and quotes. */
static void write_text(struct encoder *w, const char *text, bool is_key)
{
    size_t at = w->out->len;

    if (write_once_more(w, text, is_key))
        return;
    buf_char(w->out, '"');
    write_base64(w->out, w->prefix, is_key ? strlen(w->prefix) : 0, text, strlen(text));
    buf_char(w->out, '"');
    if (w->nwritten == sizeof w->written / sizeof *w->written || w->out->failed)
        return;
    w->written[w->nwritten].text = text;
    w->written[w->nwritten].is_key = is_key;
    w->written[w->nwritten].at = at;
    w->written[w->nwritten++].len = w->out->len - at;
}

static void write_key(struct encoder *w, const char *key)
{
    WRITE(w->out, "\"key\":");
    write_text(w, key, true);
}

static void write_range_end(struct encoder *w, const char *to)
{
    WRITE(w->out, ",\"range_end\":");
    write_text(w, to, true);
}

static void write_value(struct encoder *w, const char *value)
{
    WRITE(w->out, ",\"value\":");
    write_text(w, value, false);
}

/* In quotes. */
static void write_number(struct buf *out, int64_t number)
{
    char text[24] = "\"-";
    bool minus = number < 0;
    char *end = text_digits(text + 1 + minus, minus ? 0 - (uint64_t)number : (uint64_t)number, 0);

    *end++ = '"';
    buf_append(out, text, (size_t)(end - text));
}

static void write_bound(struct encoder *w, const char *key, const char *result, const char *value)
{
    buf_char(w->out, '{');
    write_key(w, key);
    buf_str(w->out, result);
    write_value(w, value);
    buf_char(w->out, '}');
}

#define TARGET(target, result) ",\"target\":\"" target "\",\"result\":\"" result "\""

static void write_revision(struct encoder *w, const struct etcd_compare *c)
{
    switch (c->kind) {
    case ETCD_MOD: WRITE(w->out, TARGET("MOD", "EQUAL") ",\"mod_revision\":"); break;
    case ETCD_NOT_SINCE: WRITE(w->out, TARGET("MOD", "LESS") ",\"mod_revision\":"); break;
    case ETCD_THERE: WRITE(w->out, TARGET("CREATE", "GREATER") ",\"create_revision\":"); break;
    case ETCD_OLDER_IN: WRITE(w->out, TARGET("CREATE", "LESS") ",\"create_revision\":"); break;
    default: WRITE(w->out, TARGET("CREATE", "EQUAL") ",\"create_revision\":");
    }
    bool is_of_mod = c->kind == ETCD_MOD || c->kind == ETCD_NOT_SINCE || c->kind == ETCD_CREATED ||
                     c->kind == ETCD_OLDER_IN;

    write_number(w->out, is_of_mod ? c->mod : 0);
}

static void write_compare(struct encoder *w, const struct etcd_compare *c)
{
    if (c->kind == ETCD_VALUE) {
        write_bound(w, c->key, TARGET("VALUE", "GREATER"), c->from);
        buf_char(w->out, ',');
        write_bound(w, c->key, TARGET("VALUE", "LESS"), c->to);
        return;
    }
    if (c->kind == ETCD_IS) {
        write_bound(w, c->key, TARGET("VALUE", "EQUAL"), c->from);
        return;
    }
    buf_char(w->out, '{');
    write_key(w, c->key);
    if (c->kind == ETCD_NONE_IN || c->kind == ETCD_OLDER_IN)
        write_range_end(w, c->to);
    write_revision(w, c);
    buf_char(w->out, '}');
}

static void write_compares(struct encoder *w, const struct etcd_compare *compares, size_t n)
{
    WRITE(w->out, "\"compare\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(w->out, ',');
        write_compare(w, &compares[i]);
    }
    buf_char(w->out, ']');
}

static void write_limit(struct encoder *w, unsigned limit)
{
    if (!limit)
        return;
    WRITE(w->out, ",\"limit\":");
    write_number(w->out, limit);
}

static void write_plain_op(struct encoder *w, const struct etcd_op *op)
{
    static const char *const begins[] = {[ETCD_PUT] = "{\"requestPut\":{",
                                         [ETCD_DELETE] = "{\"requestDeleteRange\":{",
                                         [ETCD_GET] = "{\"requestRange\":{"};

    buf_str(w->out, begins[op->kind]);
    write_key(w, op->key);
    if (op->kind == ETCD_PUT)
        write_value(w, op->value);
    else if (op->to)
        write_range_end(w, op->to);
    write_limit(w, op->limit);
    WRITE(w->out, "}}");
}

static void write_if(struct encoder *w, const struct etcd_op *op)
{
    const struct etcd_compare there = {.kind = ETCD_THERE, .key = op->key};

    WRITE(w->out, "{\"requestTxn\":{");
    write_compares(w, &there, 1);
    WRITE(w->out, ",\"success\":[");
    for (size_t i = 0; i < op->nthen; i++) {
        if (i)
            buf_char(w->out, ',');
        write_plain_op(w, &op->then[i]);
    }
    WRITE(w->out, "]}}");
}

static void write_ops(struct encoder *w, const struct etcd_op *ops, size_t n)
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

void etcd_write_compares(const struct etcd_writer *w, const struct etcd_compare *compares, size_t n)
{
    struct encoder e;

    encoder_start(&e, w);
    write_compares(&e, compares, n);
}

void etcd_write_ops(const struct etcd_writer *w, const struct etcd_op *ops, size_t n)
{
    struct encoder e;

    encoder_start(&e, w);
    write_ops(&e, ops, n);
}

void etcd_write_chain(const struct etcd_writer *w, const struct etcd_alternative *chain, size_t n,
                      const struct etcd_op *reads, size_t nreads)
{
    struct encoder e;

    encoder_start(&e, w);
    for (size_t i = 0; i < n; i++) {
        WRITE(w->out, "{\"requestTxn\":{");
        write_compares(&e, chain[i].compares, chain[i].ncompares);
        WRITE(w->out, ",\"success\":[");
        write_ops(&e, chain[i].ops, chain[i].nops);
        WRITE(w->out, "],\"failure\":[");
    }
    write_ops(&e, reads, nreads);
    for (size_t i = 0; i < n; i++)
        WRITE(w->out, "]}}");
}

void etcd_write_range(const struct etcd_writer *w, const char *from, size_t n, const char *to, unsigned limit)
{
    struct encoder e;

    encoder_start(&e, w);
    WRITE(w->out, "{\"key\":\"");
    write_base64(w->out, w->prefix, strlen(w->prefix), from, n);
    buf_char(w->out, '"');
    write_range_end(&e, to);
    write_limit(&e, limit);
    buf_char(w->out, '}');
}

void etcd_write_reads(const struct etcd_writer *w, const struct etcd_op *reads, size_t n)
{
    WRITE(w->out, "{\"success\":[");
    etcd_write_ops(w, reads, n);
    WRITE(w->out, "]}");
}

/* ---- whole or broken ---- */

static bool is_base64(const cJSON *text)
{
    const char *at = cJSON_GetStringValue(text);
    size_t n;

    return at && count_digits(at, &n);
}

static bool is_whole_row(const cJSON *row)
{
    const cJSON *key = json_get(row, "key"), *value = json_get(row, "value");

    return is_base64(key) && *key->valuestring && (!value || is_base64(value)) &&
           json_number(row, "create_revision") > 0 && json_number(row, "mod_revision") > 0;
}

/* A list that may be left out. */
static bool is_list(const cJSON *list)
{
    return !list || cJSON_IsArray(list);
}

/* false is left out. */
static bool is_flag(const cJSON *flag)
{
    return !flag || cJSON_IsBool(flag);
}

static bool is_whole_range(const cJSON *range)
{
    const cJSON *rows = json_get(range, "kvs"), *more = json_get(range, "more"), *row;
    const cJSON *counted = json_get(range, "count");
    int64_t count = 0, n = 0;

    if (!is_list(rows) || !is_flag(more) || (counted && !json_int_exact(counted, &count)))
        return false;
    cJSON_ArrayForEach(row, rows)
    {
        if (!is_whole_row(row))
            return false;
        n++;
    }
    return cJSON_IsTrue(more) ? n > 0 && n < count : n == count;
}

static bool is_whole_txn(const cJSON *txn);

static bool is_whole_response(const cJSON *wrapped)
{
    const cJSON *one = cJSON_IsObject(wrapped) ? wrapped->child : NULL;

    if (!one || one->next || !cJSON_IsObject(one))
        return false;
    if (strcmp(one->string, "response_range") == 0)
        return is_whole_range(one);
    if (strcmp(one->string, "response_txn") == 0)
        return is_whole_txn(one);
    return strcmp(one->string, "response_put") == 0 || strcmp(one->string, "response_delete_range") == 0;
}

static bool is_whole_txn(const cJSON *txn)
{
    const cJSON *responses = json_get(txn, "responses"), *one;

    if (!is_list(responses) || !is_flag(json_get(txn, "succeeded")))
        return false;
    cJSON_ArrayForEach(one, responses) if (!is_whole_response(one)) return false;
    return true;
}

bool etcd_answer_is_whole(const cJSON *answer, int then, int otherwise)
{
    int wanted = cJSON_IsTrue(json_get(answer, "succeeded")) ? then : otherwise;

    return etcd_revision(answer) > 0 && is_whole_range(answer) && is_whole_txn(answer) &&
           (wanted < 0 || etcd_responses(answer) == wanted);
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

bool etcd_is_range(const cJSON *response)
{
    return response && strcmp(response->string, "response_range") == 0;
}

/* The failure of an alternative holds the next one alone, the last one plain reads or nothing. */
const cJSON *etcd_chain_answer(const cJSON *answer, bool *held, size_t *n)
{
    for (*n = 0; answer && cJSON_IsObject(answer); ++*n) {
        *held = cJSON_IsTrue(json_get(answer, "succeeded"));
        const cJSON *next = etcd_response(answer, 0);

        if (*held || etcd_responses(answer) != 1 || !next || !next->string ||
            strcmp(next->string, "response_txn") != 0)
            return answer;
        answer = next;
    }
    return NULL;
}

/*
 * Where the answer has them: without memory of its own, so that a key that is there is never taken for one
 * that is not. A member that has been decoded says so in its number, which a text does not use otherwise.
 */
static bool read_bytes(const cJSON *row, const char *name, struct buf *to)
{
    static char nothing[1]; /* etcd leaves out what is empty */
    cJSON *text = (cJSON *)json_get(row, name);
    size_t n = 0;

    *to = (struct buf){.data = nothing, .cap = 1};
    if (!text || !cJSON_IsString(text))
        return true;
    if (!text->valueint && !decode(text->valuestring, &n))
        return false;
    if (!text->valueint)
        text->valuedouble = (double)n;
    text->valueint = 1;
    n = (size_t)text->valuedouble;
    *to = (struct buf){.data = text->valuestring, .len = n, .cap = n + 1, .max = n};
    return true;
}

bool etcd_kv_read(const cJSON *range, int n, struct etcd_kv *kv)
{
    const cJSON *row = cJSON_GetArrayItem(json_get(range, "kvs"), n);

    *kv = (struct etcd_kv){.created = json_number(row, "create_revision"),
                           .mod = json_number(row, "mod_revision")};
    return row && read_bytes(row, "key", &kv->key) && read_bytes(row, "value", &kv->value);
}

void etcd_small_value(const cJSON *range, char *to, size_t size)
{
    struct etcd_kv kv;

    to[0] = '\0';
    if (etcd_kv_read(range, 0, &kv) && kv.value.len < size)
        memcpy(to, kv.value.data, kv.value.len + 1);
}

int64_t etcd_revision(const cJSON *answer)
{
    return json_number(json_get(answer, "header"), "revision");
}
