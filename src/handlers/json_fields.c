/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_fields.c - the readers behind every request body.
 *
 * The input has passed json_parse(): valid UTF-8, no NUL in a string, no member twice. Here types, lengths,
 * ranges and words are checked. Names must not hold control characters, since they become part of vault
 * paths, logs and screens; no system, account or user has such a name.
 */
#include "handlers/json_fields.h"

#include "base/json.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* `what` completes "path.name: ...". */
__attribute__((format(printf, 3, 4))) static bool refuse(const struct json_fields *m, const char *name,
                                                         const char *what, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, what);
    (void)vsnprintf(text, sizeof(text), what, ap);
    va_end(ap);
    fault_set(m->fault, FAULT_INVALID_REQUEST, "%s%s%s: %s", m->path, *m->path ? "." : "", name, text);
    return false;
}

static bool wrong_text(const struct json_fields *m, const char *name, unsigned flags, unsigned max)
{
    return refuse(m, name, "must be a string of %u to %u characters", flags & FIELD_NOT_EMPTY ? 1U : 0U, max);
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static bool check_text(const struct json_fields *m, const char *name, unsigned flags, unsigned max,
                       const char *text)
{
    size_t n = utf8_count(text);

    if (n > max || (n == 0 && flags & FIELD_NOT_EMPTY))
        return wrong_text(m, name, flags, max);
    return flags & FIELD_PROSE || !has_control(text) ||
           refuse(m, name, "must not contain control characters");
}

bool json_field_text(const struct json_fields *m, const char *name, unsigned flags, unsigned max,
                     const char **out)
{
    char *text = NULL;
    bool taken = json_field_text_mutable(m, name, flags, max, &text);

    if (taken)
        *out = text;
    return taken;
}

bool json_field_text_mutable(const struct json_fields *m, const char *name, unsigned flags, unsigned max,
                             char **out)
{
    const cJSON *value = json_get(m->object, name);

    if (!value && flags & FIELD_REQUIRED)
        return refuse(m, name, "is required and must be a string");
    if (value && !cJSON_IsString(value))
        return wrong_text(m, name, flags, max);
    if (value && !check_text(m, name, flags, max, value->valuestring))
        return false;
    *out = value ? value->valuestring : NULL;
    return true;
}

bool json_field_int(const struct json_fields *m, const char *name, int64_t min, int64_t max, int64_t absent,
                    int64_t *out)
{
    const cJSON *value = json_get(m->object, name);
    int64_t n;

    if (!value) {
        *out = absent;
        return true;
    }
    if (!json_int(value, &n) || n < min || n > max)
        return refuse(m, name, "must be an integer from %" PRId64 " to %" PRId64, min, max);
    *out = n;
    return true;
}

bool json_field_object(const struct json_fields *m, const char *name, unsigned flags, const cJSON **out)
{
    const cJSON *value = json_get(m->object, name);
    if (!value && flags & FIELD_REQUIRED)
        return refuse(m, name, "is required and must be an object");
    if (value && !cJSON_IsObject(value))
        return refuse(m, name, "must be an object");
    *out = value;
    return true;
}

bool json_field_array(const struct json_fields *m, const char *name, const cJSON **out)
{
    const cJSON *value = json_get(m->object, name);
    if (value && !cJSON_IsArray(value))
        return refuse(m, name, "must be an array");
    *out = value;
    return true;
}

int json_field_word_index(const char *text, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(text, words[i]))
            return i;
    return -1;
}

static bool wrong_word(const struct json_fields *m, const char *name, const char *const *words)
{
    char list[160] = "";
    size_t used = 0;

    for (int i = 0; words[i] && used + strlen(words[i]) + 2 < sizeof(list); i++) {
        if (i)
            list[used++] = ' ';
        memcpy(list + used, words[i], strlen(words[i]) + 1);
        used += strlen(words[i]);
    }
    return refuse(m, name, "must be one of: %s", list);
}

bool json_field_word(const struct json_fields *m, const char *name, const char *const *words, int absent,
                     int *out)
{
    const cJSON *value = json_get(m->object, name);
    if (!value) {
        *out = absent;
        return true;
    }
    int index = cJSON_IsString(value) ? json_field_word_index(value->valuestring, words) : -1;
    if (index < 0)
        return wrong_word(m, name, words);
    *out = index;
    return true;
}
