/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - strict JSON on cJSON; see json.h.
 *
 * Two steps. scan_*() walks the text once and refuses whatever RFC 8259 does not allow, without building
 * anything; only then does cJSON, which is lenient, build the tree. Duplicate members are looked for in the
 * tree afterwards, where names are already unescaped.
 *
 * With JSON_MEND and JSON_EXACT the scanner writes a copy as soon as it meets a letter or a number that
 * cannot stay as it is, and cJSON reads the copy. A text without any is never copied.
 *
 * Not here: where trees live (json_memory.c), writing (jsonw.c) and the meaning of any member.
 */
#include "base/json.h"

#include "base/memory/json_memory.h"
#include "base/text.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void json_init(void)
{
    json_memory_init();
}

/* ---- scanner --------------------------------------------------------------------------------------------
 */

struct scan {
    const char *from, *p, *end;
    unsigned depth, max_depth, flags;
    size_t values;
    const char *why;
    int err;
    struct buf copy;    /* what cJSON reads instead of the text; empty = the text itself */
    const char *copied; /* up to here it holds what was scanned; NULL = there is no copy */
    size_t letters;     /* replaced so far */
    size_t mended;      /* strings that hold one of them */
};

/* A value costs some hundred bytes in a tree and may cost two in a text: what is counted is the tree. */
#define VALUES_MAX 1000000

static bool scan_refuse_as(struct scan *s, int err, const char *why)
{
    if (!s->why) {
        s->why = why;
        s->err = err;
    }
    return false;
}

static bool scan_refuse(struct scan *s, const char *why)
{
    return scan_refuse_as(s, -EINVAL, why);
}

/* The next `n` bytes are `with` in the copy. */
static bool scan_replace(struct scan *s, size_t n, const char *with, size_t with_len)
{
    if (!s->copied)
        s->copied = s->from;
    (void)buf_append(&s->copy, s->copied, (size_t)(s->p - s->copied));
    (void)buf_append(&s->copy, with, with_len);
    s->p += n;
    s->copied = s->p;
    return s->copy.failed ? scan_refuse_as(s, -ENOMEM, "out of memory") : true;
}

/* The next `n` bytes are a letter that JSON forbids in a string. */
static bool scan_bad_letter(struct scan *s, size_t n, const char *why)
{
    if (!(s->flags & JSON_MEND))
        return scan_refuse_as(s, -EILSEQ, why);
    s->letters++;
    return scan_replace(s, n, "\xef\xbf\xbd", 3);
}

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool next_is(struct scan *s, char c)
{
    if (s->p >= s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* Four hex digits at p, or -1. */
static int hex4(const char *p, const char *end)
{
    int v = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *d = p[i] ? strchr(digits, p[i]) : NULL;
        if (!d)
            return -1;
        v = v * 16 + (int)((d - digits) & 15);
    }
    return v;
}

/* \uXXXX at p (behind the backslash and u). Sets *code and returns how many characters it took, or 0. */
static size_t unicode_escape(const char *p, const char *end, unsigned *code)
{
    int high = hex4(p, end);

    if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff)) /* 0 = NUL: not allowed */
        return 0;
    *code = (unsigned)high;
    if (high < 0xd800 || high > 0xdbff)
        return 4;
    if (end - p < 10 || p[4] != '\\' || p[5] != 'u')
        return 0;
    int low = hex4(p + 6, end);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *code = 0x10000u + (((unsigned)high - 0xd800u) << 10) + ((unsigned)low - 0xdc00u);
    return 10;
}

/* At a backslash. */
static bool scan_escape(struct scan *s)
{
    const char *p = s->p + 1;
    unsigned code;

    if (p >= s->end || !*p)
        return scan_refuse(s, "text ends inside a string");
    if (strchr("\"\\/bfnrt", *p)) {
        s->p += 2;
        return true;
    }
    if (*p != 'u')
        return scan_refuse(s, "unknown escape in a string");
    size_t n = unicode_escape(p + 1, s->end, &code);
    if (n) {
        s->p += 2 + n;
        return true;
    }
    if (hex4(p + 1, s->end) < 0)
        return scan_refuse(s, "bad \\u escape (not hex)");
    return scan_bad_letter(s, 6, "bad \\u escape (lone surrogate or NUL)");
}

/* At a byte that is no printable ASCII, no quote and no backslash. */
static bool scan_letter(struct scan *s)
{
    size_t whole, n = utf8_run(s->p, (size_t)(s->end - s->p), &whole);

    if ((unsigned char)*s->p < 0x20)
        return scan_bad_letter(s, 1, "control character in a string");
    if (n != whole)
        return scan_bad_letter(s, n, "bad UTF-8");
    s->p += n;
    return true;
}

/* Behind the opening quote. */
static bool scan_string(struct scan *s)
{
    size_t before = s->letters;

    for (;;) {
        s->p += text_plain_run(s->p, (size_t)(s->end - s->p));
        if (s->p == s->end)
            return scan_refuse(s, "text ends inside a string");
        if (*s->p == '"') {
            s->p++;
            s->mended += s->letters != before;
            return true;
        }
        if (*s->p == '\\' ? !scan_escape(s) : !scan_letter(s))
            return false;
    }
}

static size_t skip_digits(struct scan *s)
{
    const char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return (size_t)(s->p - from);
}

/* Digits that a double keeps whatever they are. */
#define DIGITS_KEPT 15

/* An integer, from `from` to here, becomes a string: as a number, a double would take its place. */
static bool quote_number(struct scan *s, const char *from)
{
    char text[66];
    size_t n = (size_t)(s->p - from);

    text[0] = text[n + 1] = '"';
    memcpy(text + 1, from, n);
    s->p = from;
    return scan_replace(s, n, text, n + 2);
}

static bool scan_number(struct scan *s)
{
    const char *from = s->p;

    (void)next_is(s, '-');
    const char *first = s->p;
    size_t n = skip_digits(s);
    if (n == 0 || (n > 1 && *first == '0'))
        return scan_refuse(s, "not a JSON value");
    const char *whole = s->p;
    if (next_is(s, '.') && skip_digits(s) == 0)
        return scan_refuse(s, "bad number");
    if (next_is(s, 'e') || next_is(s, 'E')) {
        if (!next_is(s, '+'))
            (void)next_is(s, '-');
        if (skip_digits(s) == 0)
            return scan_refuse(s, "bad number");
    }
    if (s->p - from > 63)
        return scan_refuse(s, "number too long");
    if (s->flags & JSON_EXACT && s->p == whole && n > DIGITS_KEPT)
        return quote_number(s, from);
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return scan_refuse(s, "not a JSON value");
    s->p += n;
    return true;
}

static bool scan_value(struct scan *s);

static bool scan_member(struct scan *s)
{
    skip_blanks(s);
    if (!next_is(s, '"'))
        return scan_refuse(s, "member name expected");
    if (!scan_string(s))
        return false;
    skip_blanks(s);
    if (!next_is(s, ':'))
        return scan_refuse(s, "colon expected");
    return scan_value(s);
}

/* Behind the opening bracket. */
static bool scan_container(struct scan *s, char close, bool (*item)(struct scan *))
{
    if (++s->depth > s->max_depth)
        return scan_refuse(s, "nested too deep");
    skip_blanks(s);
    if (!next_is(s, close)) {
        do {
            if (!item(s))
                return false;
            skip_blanks(s);
        } while (next_is(s, ','));
        if (!next_is(s, close))
            return scan_refuse(s,
                               s->p >= s->end ? "text ends too early" : "comma or closing bracket expected");
    }
    s->depth--;
    return true;
}

static bool scan_value(struct scan *s)
{
    skip_blanks(s);
    if (s->p >= s->end)
        return scan_refuse(s, "text ends too early");
    if (++s->values > VALUES_MAX)
        return scan_refuse(s, "more than a million values");
    switch (*s->p) {
    case '{': s->p++; return scan_container(s, '}', scan_member);
    case '[': s->p++; return scan_container(s, ']', scan_value);
    case '"': s->p++; return scan_string(s);
    case 't': return scan_word(s, "true");
    case 'f': return scan_word(s, "false");
    case 'n': return scan_word(s, "null");
    default: return scan_number(s);
    }
}

/* A buffer that never held a byte has no address. */
static struct scan scan_start(const char *text, size_t len, unsigned depth, unsigned flags)
{
    const char *p = len ? text : "";
    size_t most = len * 3 + 3; /* of a copy: one byte may become the three of U+FFFD */

    return (struct scan){.from = p,
                         .p = p,
                         .end = p + len,
                         .max_depth = depth,
                         .flags = flags,
                         .copy = {.max = most, .secret = flags & JSON_SECRET}};
}

static bool scan_text(struct scan *s)
{
    size_t len = (size_t)(s->end - s->p);

    if (len >= 3 && memcmp(s->p, "\xef\xbb\xbf", 3) == 0)
        return scan_refuse(s, "byte-order mark");
    if (!scan_value(s))
        return false;
    skip_blanks(s);
    if (s->p != s->end)
        return scan_refuse(s, "text after the JSON value");
    return s->copied ? scan_replace(s, 0, "", 0) : true;
}

/* ---- tree -----------------------------------------------------------------------------------------------
 */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define FEW 16 /* names that are compared each with each */

static bool few_duplicate(const cJSON *object)
{
    const cJSON *child, *other;

    cJSON_ArrayForEach(child, object) for (other = child->next; other; other = other->next)
    {
        if (child->string[0] == other->string[0] && strcmp(child->string, other->string) == 0)
            return true;
    }
    return false;
}

/* Sorts the names of one object and looks for equal neighbours: n log n, whatever a caller sends. */
static bool has_duplicate(const cJSON *object)
{
    int n = cJSON_GetArraySize(object);
    if (n <= FEW)
        return few_duplicate(object);
    const char **names = malloc((size_t)n * sizeof(*names));
    if (!names)
        return true; /* refuse rather than let one through */
    size_t i = 0;
    const cJSON *child;
    cJSON_ArrayForEach(child, object) names[i++] = child->string;
    qsort(names, i, sizeof(*names), by_name);
    bool found = false;
    for (size_t k = 1; k < i && !found; k++)
        found = strcmp(names[k - 1], names[k]) == 0;
    free(names);
    return found;
}

static bool any_duplicate(const cJSON *value)
{
    const cJSON *child;

    if (cJSON_IsObject(value) && has_duplicate(value))
        return true;
    if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
        return false;
    cJSON_ArrayForEach(child, value) if (any_duplicate(child)) return true;
    return false;
}

static cJSON *build_tree(const struct scan *s, unsigned flags, struct json_outcome *out)
{
    const char *text = s->copied ? s->copy.data : s->from;
    size_t len = s->copied ? s->copy.len : (size_t)(s->end - s->from);

    json_memory_begin(len, flags & JSON_SECRET);
    cJSON *tree = cJSON_ParseWithLength(text, len);
    json_memory_end();
    if (!tree) {
        *out = (struct json_outcome){.err = -ENOMEM, .why = "out of memory"};
    } else if (!(flags & JSON_DUPLICATES_OK) && any_duplicate(tree)) {
        cJSON_Delete(tree);
        tree = NULL;
        *out = (struct json_outcome){.err = -EINVAL, .why = "duplicate member"};
    }
    return tree;
}

cJSON *json_read(const char *text, size_t len, unsigned depth, unsigned flags, struct json_outcome *out)
{
    struct scan s = scan_start(text, len, depth, flags);
    bool good = scan_text(&s);

    *out = (struct json_outcome){.err = s.err, .why = s.why, .mended = s.mended};
    cJSON *tree = good ? build_tree(&s, flags, out) : NULL;
    buf_free(&s.copy);
    return tree;
}

cJSON *json_parse(const char *text, size_t len, unsigned depth, unsigned flags, const char **why)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(text, len, depth, flags, &outcome);

    *why = outcome.why;
    return tree;
}

const char *json_check(const char *text, size_t len, unsigned depth, unsigned flags)
{
    const char *why;

    cJSON_Delete(json_parse(text, len, depth, flags, &why));
    return why;
}

/* As cJSON's own, but most names are told apart by their first letter: readers ask for many that are absent.
 */
const cJSON *json_get(const cJSON *object, const char *name)
{
    const cJSON *child;

    cJSON_ArrayForEach(child, object)
    {
        if (child->string && child->string[0] == name[0] && strcmp(child->string, name) == 0)
            return cJSON_IsNull(child) ? NULL : child;
    }
    return NULL;
}

const cJSON *json_get_nocase(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItem(object, name);

    return value && !cJSON_IsNull(value) ? value : NULL;
}

bool json_int(const cJSON *value, int64_t *out)
{
    const double limit = 9007199254740992.0; /* 2^53: also what a double makes of 2^53 + 1 */

    if (!cJSON_IsNumber(value))
        return false;
    double d = value->valuedouble;
    if (!(d > -limit && d < limit) || floor(d) < d)
        return false;
    *out = (int64_t)d;
    return true;
}

bool json_int_exact(const cJSON *value, int64_t *out)
{
    return cJSON_IsString(value) ? text_int(value->valuestring, INT64_MIN, INT64_MAX, out)
                                 : json_int(value, out);
}

const char *json_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(json_get(object, name));

    return text ? text : "";
}

int64_t json_number(const cJSON *object, const char *name)
{
    int64_t n = 0;

    return json_int_exact(json_get(object, name), &n) ? n : 0;
}

bool json_is_numeral(const cJSON *value)
{
    return cJSON_IsNumber(value) || (cJSON_IsString(value) && text_only(value->valuestring, "-0123456789"));
}

/* ---- one string -----------------------------------------------------------------------------------------
 */

/* Text between the quotes, already scanned; returns the end of what was written. */
static char *unescape(char *to, const char *p, const char *end)
{
    static const char from[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";

    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        p++;
        if (*p == 'u') {
            unsigned code = 0;
            size_t n = unicode_escape(p + 1, end, &code);
            to += utf8_encode(to, code);
            p += 1 + n;
        } else {
            *to++ = plain[strchr(from, *p) - from];
            p++;
        }
    }
    return to;
}

int json_unescape(const char *text, size_t len, struct secret *out)
{
    struct scan s = scan_start(text, len, 1, 0);

    skip_blanks(&s);
    if (!next_is(&s, '"'))
        return -EINVAL;
    const char *from = s.p;
    if (!scan_string(&s))
        return s.err;
    const char *to = s.p - 1;
    skip_blanks(&s);
    if (s.p != s.end)
        return -EINVAL;

    size_t room = (size_t)(to - from) + 1; /* unescaping never grows a text */
    char *plain = secret_alloc(room);
    if (!plain)
        return -ENOMEM;
    char *end = unescape(plain, from, to);
    int err = secret_set(out, plain, (size_t)(end - plain));
    secret_free(plain);
    return err;
}
