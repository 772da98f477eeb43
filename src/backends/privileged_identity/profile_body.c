/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile_body.c - the body of a call: its form, and the values in it; see profile.h.
 *
 * A placeholder is a whole string, `"{token}"`. One inside other text is a mistake, since it would be sent as
 * it is written. The tree of the body is walked for each call: what is left out takes no comma along.
 */
#include "backends/privileged_identity/profile.h"
#include "base/did_you_mean.h"
#include "base/jsonw.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEPTH (JSONW_DEPTH - 1) /* as deep as it can be written */

static const char *const names[PI_NPLACES] = {
    [PI_TOKEN] = "token",
    [PI_COMMENT] = "comment",
    [PI_SYSTEM] = "system",
    [PI_ACCOUNT] = "account",
    [PI_LIST] = "list",
    [PI_CUSTOM_TYPE] = "custom_type",
    [PI_USER] = "user",
    [PI_PASSWORD] = "password",
    [PI_AUTHENTICATOR] = "authenticator",
    [PI_TYPE] = "type",
    [PI_LOGIN_TYPE] = "login_type",
};

#define BIT(place) (1U << (place))
#define OF_SIGN_IN (BIT(PI_USER) | BIT(PI_PASSWORD) | BIT(PI_AUTHENTICATOR) | BIT(PI_LOGIN_TYPE))
#define OF_STORED                                                                                            \
    (BIT(PI_TOKEN) | BIT(PI_COMMENT) | BIT(PI_SYSTEM) | BIT(PI_ACCOUNT) | BIT(PI_TYPE) | BIT(PI_CUSTOM_TYPE))
#define OF_SHARED (BIT(PI_TOKEN) | BIT(PI_COMMENT) | BIT(PI_SYSTEM) | BIT(PI_ACCOUNT) | BIT(PI_LIST))

static const unsigned places[PI_NOPERATIONS] = {
    [PI_SIGN_IN] = OF_SIGN_IN,
    [PI_SIGN_OUT] = BIT(PI_TOKEN),
    [PI_CHECKOUT_STORED] = OF_STORED,
    [PI_CHECKIN_STORED] = OF_STORED,
    [PI_CHECKOUT_SHARED] = OF_SHARED,
    [PI_CHECKIN_SHARED] = OF_SHARED,
    [PI_SPIN_STORED] = OF_STORED,
    [PI_SPIN_SHARED] = OF_SHARED,
    [PI_LIST_STORED] = BIT(PI_TOKEN) | BIT(PI_SYSTEM),
    [PI_LIST_SHARED] = BIT(PI_TOKEN) | BIT(PI_LIST),
};

/* The placeholder that is the whole string; PI_NPLACES = none. */
static enum pi_place place_of(const char *text)
{
    size_t n = strlen(text);

    if (n < 2 || *text != '{' || text[n - 1] != '}')
        return PI_NPLACES;
    for (enum pi_place i = 0; i < PI_NPLACES; i++)
        if (strlen(names[i]) == n - 2 && memcmp(names[i], text + 1, n - 2) == 0)
            return i;
    return PI_NPLACES;
}

/* ---- the form ---- */

struct why {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct why *why, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why->text, why->size, fmt, ap);
    va_end(ap);
    return false;
}

/* A word in braces within the text, which would be sent as it is. */
static const char *placeholder_in(const char *text, size_t *n)
{
    for (const char *open = text; (open = strchr(open, '{')); open++) {
        *n = strspn(open + 1, "abcdefghijklmnopqrstuvwxyz_");
        if (*n && open[*n + 1] == '}')
            return open + 1;
    }
    return NULL;
}

static bool text_is_sound(enum pi_operation op, const char *text, struct why *why)
{
    enum pi_place place = place_of(text);
    struct did_you_mean near = {.best = NULL};
    char word[64], hint[96];
    size_t n = 0;
    const char *in = placeholder_in(text, &n);

    if (place < PI_NPLACES && places[op] & BIT(place))
        return true;
    if (!in)
        return true;
    (void)text_copy_n(word, sizeof(word), in, n);
    for (enum pi_place i = 0; i < PI_NPLACES; i++)
        if (strcmp(names[i], word) == 0) {
            if (place == PI_NPLACES)
                return refuse(why,
                              "holds {%s} within other text, which would be sent as it is: a placeholder "
                              "stands alone in its string",
                              word);
            return refuse(why, "holds {%s}, which the operation %s has not; leave its member out", word,
                          pi_operation_name(op));
        }
    near.word = word;
    for (enum pi_place i = 0; i < PI_NPLACES; i++)
        if (places[op] & BIT(i))
            did_you_mean_offer(&near, names[i]);
    return refuse(why, "holds the unknown placeholder {%s}%s", word,
                  did_you_mean_hint(&near, hint, sizeof(hint)));
}

static bool value_is_sound(enum pi_operation op, const cJSON *value, struct why *why)
{
    const cJSON *child;

    if (value->string && text_plain_run(value->string, strlen(value->string)) != strlen(value->string))
        return refuse(why, "has a member whose name is not of plain ASCII letters");
    if (cJSON_IsString(value))
        return text_is_sound(op, value->valuestring, why);
    cJSON_ArrayForEach(child, value) if (!value_is_sound(op, child, why)) return false;
    return true;
}

cJSON *pi_body_parse(enum pi_operation op, const char *text, char *why, size_t size)
{
    struct why to = {why, size};
    struct json_outcome outcome;
    cJSON *tree = json_read(text, strlen(text), DEPTH, 0, &outcome);

    if (size)
        *why = '\0';
    if (!tree && outcome.err != -ENOMEM)
        (void)refuse(&to, "is no JSON that can be sent: %s", outcome.why);
    else if (!tree)
        return NULL;
    else if (!cJSON_IsObject(tree))
        (void)refuse(&to, "must be a JSON object, {...}");
    else if (value_is_sound(op, tree, &to))
        return tree;
    cJSON_Delete(tree);
    return NULL;
}

/* ---- the values ---- */

static bool tree_has(const cJSON *value, enum pi_place place)
{
    const cJSON *child;

    if (cJSON_IsString(value))
        return place_of(value->valuestring) == place;
    cJSON_ArrayForEach(child, value) if (tree_has(child, place)) return true;
    return false;
}

bool pi_row_has(const struct pi_row *row, enum pi_place place)
{
    if (place == PI_TOKEN && row->header)
        return true;
    return row->body && tree_has(row->body, place);
}

struct writer {
    struct jsonw json;
    const char *const *value;
    bool header; /* the token is not in the body */
    bool bad;    /* a number that is none */
};

static void write_value(struct writer *, const cJSON *);

static void write_number(struct writer *w, const cJSON *item)
{
    int64_t whole;

    if (json_int(item, &whole))
        jsonw_int(&w->json, item->string, whole);
    else
        jsonw_double(&w->json, item->string, item->valuedouble);
}

static void write_text(struct writer *w, const cJSON *item)
{
    enum pi_place place = place_of(item->valuestring);
    const char *value = place < PI_NPLACES ? w->value[place] : item->valuestring;

    if (!value || (place == PI_TOKEN && w->header))
        return;
    if (place != PI_TYPE && place != PI_LOGIN_TYPE)
        jsonw_str(&w->json, item->string, value);
    else if (text_only(value, "0123456789"))
        jsonw_raw(&w->json, item->string, value, strlen(value));
    else
        w->bad = true;
}

static void write_children(struct writer *w, const cJSON *item)
{
    const cJSON *child;

    cJSON_ArrayForEach(child, item) write_value(w, child);
    jsonw_end(&w->json);
}

static void write_value(struct writer *w, const cJSON *item)
{
    if (cJSON_IsObject(item)) {
        jsonw_object(&w->json, item->string);
        write_children(w, item);
    } else if (cJSON_IsArray(item)) {
        jsonw_array(&w->json, item->string);
        write_children(w, item);
    } else if (cJSON_IsString(item)) {
        write_text(w, item);
    } else if (cJSON_IsNumber(item)) {
        write_number(w, item);
    } else if (cJSON_IsBool(item)) {
        jsonw_bool(&w->json, item->string, cJSON_IsTrue(item));
    } else {
        jsonw_null(&w->json, item->string);
    }
}

int pi_row_body(const struct pi_row *row, const char *const value[PI_NPLACES], struct buf *out)
{
    struct writer w = {.json = jsonw_start(out), .value = value, .header = row->header};

    if (row->body)
        write_value(&w, row->body);
    return w.bad ? -EINVAL : out->failed ? -ENOMEM : 0;
}
