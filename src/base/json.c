/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - strict JSON as cJSON's trees; see json.h.
 *
 * scan_*() walks the text once, refuses whatever RFC 8259 does not allow, and builds the tree as it goes.
 * cJSON's own parser is lenient, so that it would need the same walk before it. Only a string that has an
 * escape, or a letter that JSON_MEND replaces, is walked twice: for its length, and for its bytes.
 *
 * Not here: where trees live (json_memory.c), writing (jsonw.c) and the meaning of any member.
 */
#include "base/json.h"

#include "base/memory/json_memory.h"
#include "base/text.h"
#include "base/utf8.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void json_init(void)
{
    json_memory_init();
}

/* ---- scanner --------------------------------------------------------------------------------------------
 */

struct scan {
    const char *p, *end;
    unsigned depth, max_depth, flags;
    size_t values;
    const char *why;
    int err;
    struct {
        char *to;     /* its bytes go here; NULL = they are counted */
        size_t len;   /* so far */
        size_t bad;   /* letters that were replaced */
        bool changes; /* its bytes are not those of the text */
    } string;         /* the one that is scanned */
    size_t mended;    /* strings of the tree with a letter that was replaced */
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

static cJSON *refuse_value(struct scan *s, const char *why)
{
    (void)scan_refuse(s, why);
    return NULL;
}

static void put_bytes(struct scan *s, const char *bytes, size_t n)
{
    if (s->string.to)
        memcpy(s->string.to + s->string.len, bytes, n);
    s->string.len += n;
}

/* The next `n` bytes of the text are others in the string. */
static void put_instead(struct scan *s, size_t n, const char *bytes, size_t nbytes)
{
    put_bytes(s, bytes, nbytes);
    s->string.changes = true;
    s->p += n;
}

/* The next `n` bytes are a letter that JSON forbids in a string. */
static bool scan_bad_letter(struct scan *s, size_t n, const char *why)
{
    if (!(s->flags & JSON_MEND))
        return scan_refuse_as(s, -EILSEQ, why);
    put_instead(s, n, "\xef\xbf\xbd", 3);
    s->string.bad++;
    return true;
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
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *p = s->p + 1, *letter;
    char encoded[4];
    unsigned code;

    if (p >= s->end || !*p)
        return scan_refuse(s, "text ends inside a string");
    letter = strchr(letters, *p);
    if (letter) {
        put_instead(s, 2, &meant[letter - letters], 1);
        return true;
    }
    if (*p != 'u')
        return scan_refuse(s, "unknown escape in a string");
    size_t n = unicode_escape(p + 1, s->end, &code);
    if (n) {
        put_instead(s, 2 + n, encoded, utf8_encode(encoded, code));
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
    put_bytes(s, s->p, n);
    s->p += n;
    return true;
}

/* Behind the opening quote. */
static bool scan_string(struct scan *s, char *to)
{
    s->string.to = to;
    s->string.len = s->string.bad = 0;
    s->string.changes = false;
    for (;;) {
        size_t n = text_plain_run(s->p, (size_t)(s->end - s->p));

        put_bytes(s, s->p, n);
        s->p += n;
        if (s->p == s->end)
            return scan_refuse(s, "text ends inside a string");
        if (*s->p == '"') {
            s->p++;
            return true;
        }
        if (*s->p == '\\' ? !scan_escape(s) : !scan_letter(s))
            return false;
    }
}

/* ---- tree -----------------------------------------------------------------------------------------------
 */

static void *allocate(struct scan *s, size_t n)
{
    void *piece = cJSON_malloc(n);

    if (!piece)
        (void)scan_refuse_as(s, -ENOMEM, "out of memory");
    return piece;
}

static cJSON *node_new(struct scan *s, int type)
{
    cJSON *node = allocate(s, sizeof *node);

    if (node)
        *node = (cJSON){.type = type};
    return node;
}

/* NUL-terminated. NULL = refused. */
static char *copy_text(struct scan *s, const char *from, size_t n)
{
    char *text = allocate(s, n + 1);

    if (!text)
        return NULL;
    memcpy(text, from, n);
    text[n] = '\0';
    return text;
}

/* Behind the opening quote. NULL = refused. */
static char *take_string(struct scan *s)
{
    const char *from = s->p;

    if (!scan_string(s, NULL))
        return NULL;
    s->mended += s->string.bad != 0;
    if (!s->string.changes)
        return copy_text(s, from, s->string.len);
    char *text = allocate(s, s->string.len + 1);

    if (!text)
        return NULL;
    s->p = from;
    (void)scan_string(s, text); /* as before */
    text[s->string.len] = '\0';
    return text;
}

/* Takes the text, which may be NULL = refused. */
static cJSON *text_node(struct scan *s, char *text)
{
    cJSON *node = text ? node_new(s, cJSON_String) : NULL;

    if (node)
        node->valuestring = text;
    else
        cJSON_free(text);
    return node;
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
#define NUMBER_MAX  63

static double number_of(const char *from, size_t n)
{
    char text[NUMBER_MAX + 1];

    memcpy(text, from, n);
    text[n] = '\0';
    return strtod(text, NULL);
}

static cJSON *number_node(struct scan *s, double number)
{
    cJSON *node = node_new(s, cJSON_Number);

    if (!node)
        return NULL;
    node->valuedouble = number;
    node->valueint = number >= INT_MAX ? INT_MAX : number <= INT_MIN ? INT_MIN : (int)number;
    return node;
}

static cJSON *scan_number(struct scan *s)
{
    const char *from = s->p;

    (void)next_is(s, '-');
    const char *first = s->p;
    size_t n = skip_digits(s);
    if (n == 0 || (n > 1 && *first == '0'))
        return refuse_value(s, "not a JSON value");
    const char *whole = s->p;
    if (next_is(s, '.') && skip_digits(s) == 0)
        return refuse_value(s, "bad number");
    if (next_is(s, 'e') || next_is(s, 'E')) {
        if (!next_is(s, '+'))
            (void)next_is(s, '-');
        if (skip_digits(s) == 0)
            return refuse_value(s, "bad number");
    }
    if (s->p - from > NUMBER_MAX)
        return refuse_value(s, "number too long");
    if (s->flags & JSON_EXACT && s->p == whole && n > DIGITS_KEPT)
        return text_node(s, copy_text(s, from, (size_t)(s->p - from)));
    return number_node(s, number_of(from, (size_t)(s->p - from)));
}

static cJSON *scan_word(struct scan *s, const char *word, int type)
{
    size_t n = strlen(word);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return refuse_value(s, "not a JSON value");
    s->p += n;
    return node_new(s, type);
}

static cJSON *scan_value(struct scan *s);

/* A value that has its name. */
static cJSON *scan_member(struct scan *s)
{
    skip_blanks(s);
    if (!next_is(s, '"'))
        return refuse_value(s, "member name expected");
    char *name = take_string(s);

    if (!name)
        return NULL;
    skip_blanks(s);
    cJSON *value = next_is(s, ':') ? scan_value(s) : refuse_value(s, "colon expected");

    if (value)
        value->string = name;
    else
        cJSON_free(name);
    return value;
}

/* The first child's `prev` is the last one, as cJSON has it. */
static void add_child(cJSON *parent, cJSON *child)
{
    cJSON *first = parent->child;

    if (first) {
        child->prev = first->prev;
        first->prev->next = child;
        first->prev = child;
    } else {
        parent->child = child->prev = child;
    }
}

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

/* Behind the opening bracket, up to the closing one. */
static bool scan_children(struct scan *s, cJSON *parent, char close, cJSON *(*item)(struct scan *))
{
    skip_blanks(s);
    if (next_is(s, close))
        return true;
    do {
        cJSON *child = item(s);

        if (!child)
            return false;
        add_child(parent, child);
        skip_blanks(s);
    } while (next_is(s, ','));
    return next_is(s, close) ||
           scan_refuse(s, s->p >= s->end ? "text ends too early" : "comma or closing bracket expected");
}

/* At the opening bracket. */
static cJSON *scan_container(struct scan *s, int type, char close, cJSON *(*item)(struct scan *))
{
    bool is_strict = type == cJSON_Object && !(s->flags & JSON_DUPLICATES_OK);

    s->p++;
    if (++s->depth > s->max_depth)
        return refuse_value(s, "nested too deep");
    cJSON *node = node_new(s, type);
    bool good = node && scan_children(s, node, close, item);

    if (good && is_strict && has_duplicate(node))
        good = scan_refuse(s, "duplicate member");
    s->depth--;
    if (good)
        return node;
    cJSON_Delete(node);
    return NULL;
}

static cJSON *scan_value(struct scan *s)
{
    skip_blanks(s);
    if (s->p >= s->end)
        return refuse_value(s, "text ends too early");
    if (++s->values > VALUES_MAX)
        return refuse_value(s, "more than a million values");
    switch (*s->p) {
    case '{': return scan_container(s, cJSON_Object, '}', scan_member);
    case '[': return scan_container(s, cJSON_Array, ']', scan_value);
    case '"': s->p++; return text_node(s, take_string(s));
    case 't': return scan_word(s, "true", cJSON_True);
    case 'f': return scan_word(s, "false", cJSON_False);
    case 'n': return scan_word(s, "null", cJSON_NULL);
    default: return scan_number(s);
    }
}

/* A buffer that never held a byte has no address. */
static struct scan scan_start(const char *text, size_t len, unsigned depth, unsigned flags)
{
    const char *p = len ? text : "";

    return (struct scan){.p = p, .end = p + len, .max_depth = depth, .flags = flags};
}

static cJSON *scan_text(struct scan *s)
{
    size_t len = (size_t)(s->end - s->p);

    if (len >= 3 && memcmp(s->p, "\xef\xbb\xbf", 3) == 0)
        return refuse_value(s, "byte-order mark");
    cJSON *tree = scan_value(s);

    skip_blanks(s);
    if (!tree || s->p == s->end)
        return tree;
    cJSON_Delete(tree);
    return refuse_value(s, "text after the JSON value");
}

cJSON *json_read(const char *text, size_t len, unsigned depth, unsigned flags, struct json_outcome *out)
{
    struct scan s = scan_start(text, len, depth, flags);

    json_memory_begin(len, flags & JSON_SECRET);
    cJSON *tree = scan_text(&s);

    json_memory_end();
    *out = (struct json_outcome){.err = s.err, .why = s.why, .mended = s.mended};
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

int json_unescape(const char *text, size_t len, struct secret *out)
{
    struct scan s = scan_start(text, len, 1, 0);

    skip_blanks(&s);
    if (!next_is(&s, '"'))
        return -EINVAL;
    const char *from = s.p;
    if (!scan_string(&s, NULL))
        return s.err;
    skip_blanks(&s);
    if (s.p != s.end)
        return -EINVAL;

    char *plain = secret_alloc(s.string.len + 1);
    if (!plain)
        return -ENOMEM;
    s.p = from;
    (void)scan_string(&s, plain); /* as before */
    int err = secret_set(out, plain, s.string.len);
    secret_free(plain);
    return err;
}
