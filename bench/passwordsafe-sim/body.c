/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body.c - reading bodies; see body.h.
 *
 * Lenient text is first turned into strict JSON by one pass over its letters: single-quoted strings become
 * double-quoted ones, Python's True, False and None their JSON names. What the pass does not know is left for
 * the strict reader to refuse.
 */
#include "passwordsafe-sim/body.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "sim/params.h"

#include <string.h>

#define BODY_DEPTH 32

enum body_kind body_kind_of(const char *type)
{
    size_t n = type ? strcspn(type, "; \t") : 0;

    if (n && (text_equal_nocase_n(type, n, "application/json", 16) ||
              text_equal_nocase_n(type, n, "text/json", 9)))
        return BODY_JSON;
    if (n && text_equal_nocase_n(type, n, "application/x-www-form-urlencoded", 33))
        return BODY_FORM;
    return BODY_OTHER;
}

static cJSON *read_form(const char *text, size_t len)
{
    struct params p;
    cJSON *object;

    if (params_read(&p, text, len))
        return NULL;
    object = cJSON_CreateObject();
    for (size_t i = 0; object && i < p.n; i++) {
        if (cJSON_AddStringToObject(object, p.param[i].name, p.param[i].value))
            continue;
        cJSON_Delete(object);
        object = NULL;
    }
    params_free(&p);
    return object;
}

/* Copies a quoted string starting at text[i]; returns the index behind it. */
static size_t take_string(struct buf *out, const char *text, size_t len, size_t i)
{
    char quote = text[i++];

    (void)buf_char(out, '"');
    for (; i < len && text[i] != quote; i++) {
        if (text[i] == '\\' && i + 1 < len) {
            if (text[i + 1] != '\'')
                (void)buf_char(out, '\\');
            (void)buf_char(out, text[++i]);
        } else if (text[i] == '"') {
            (void)buf_str(out, "\\\"");
        } else {
            (void)buf_char(out, text[i]);
        }
    }
    (void)buf_char(out, '"');
    return i + 1;
}

static size_t take_word(struct buf *out, const char *text, size_t len, size_t i)
{
    static const char *const words[][2] = {{"True", "true"}, {"False", "false"}, {"None", "null"}};

    for (size_t k = 0; k < 3; k++) {
        size_t n = strlen(words[k][0]);
        if (n <= len - i && memcmp(text + i, words[k][0], n) == 0) {
            (void)buf_str(out, words[k][1]);
            return i + n;
        }
    }
    (void)buf_char(out, text[i]);
    return i + 1;
}

static cJSON *read_lenient(const char *text, size_t len)
{
    struct buf strict = BUF_INIT(len * 2 + 64);
    const char *why;
    cJSON *tree = NULL;

    for (size_t i = 0; i < len;)
        i = text[i] == '\'' || text[i] == '"' ? take_string(&strict, text, len, i)
                                              : take_word(&strict, text, len, i);
    if (!strict.failed)
        tree = json_parse(strict.data ? strict.data : "", strict.len, BODY_DEPTH, JSON_DUPLICATES_OK, &why);
    buf_free(&strict);
    return tree;
}

cJSON *body_read(enum body_kind kind, const char *text, size_t len, bool lenient)
{
    const char *why;
    cJSON *tree;

    if (kind == BODY_FORM)
        return read_form(text, len);
    tree = json_parse(text, len, BODY_DEPTH, JSON_DUPLICATES_OK, &why);
    if (!tree && lenient)
        tree = read_lenient(text, len);
    if (tree && !cJSON_IsObject(tree)) {
        cJSON_Delete(tree);
        tree = NULL;
    }
    return tree;
}

enum body_got body_int(const cJSON *body, const char *name, bool lenient, int64_t *out)
{
    const cJSON *v = json_get_nocase(body, name);

    if (!v)
        return BODY_ABSENT;
    if (json_int(v, out))
        return BODY_GOOD;
    if (!lenient || !cJSON_IsString(v))
        return BODY_BAD;
    if (!*v->valuestring || text_equal_nocase(v->valuestring, "null"))
        return BODY_ABSENT;
    return text_int(v->valuestring, INT32_MIN, INT32_MAX, out) ? BODY_GOOD : BODY_BAD;
}

enum body_got body_bool(const cJSON *body, const char *name, bool lenient, bool *out)
{
    const cJSON *v = json_get_nocase(body, name);

    if (!v)
        return BODY_ABSENT;
    if (cJSON_IsBool(v)) {
        *out = cJSON_IsTrue(v);
        return BODY_GOOD;
    }
    if (!lenient || !cJSON_IsString(v))
        return BODY_BAD;
    *out = text_equal_nocase(v->valuestring, "true");
    return *out || text_equal_nocase(v->valuestring, "false") ? BODY_GOOD : BODY_BAD;
}

enum body_got body_str(const cJSON *body, const char *name, const char **out)
{
    const cJSON *v = json_get_nocase(body, name);

    if (!v)
        return BODY_ABSENT;
    if (!cJSON_IsString(v))
        return BODY_BAD;
    *out = v->valuestring;
    return BODY_GOOD;
}
