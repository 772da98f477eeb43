/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url_target.c - path patterns and queries; see url_target.h.
 *
 * A path is compared as it was sent, segment by segment, before anything is decoded: `%2F` in a segment never
 * separates two. Only the segment in place of `{…}` is decoded, afterwards.
 *
 * An unknown parameter of a query is refused and not ignored: a misspelt filter would otherwise list
 * everything.
 */
#include "handlers/url_target.h"

#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

bool url_target_fits(const char *pattern, const char *path)
{
    size_t fixed = strcspn(pattern, "{");

    if (!pattern[fixed])
        return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, fixed) != 0)
        return false;
    size_t segment = strcspn(path + fixed, "/");
    const char *rest = pattern + fixed + strcspn(pattern + fixed, "}") + 1;
    return segment > 0 && strcmp(path + fixed + segment, rest) == 0;
}

static bool decode_text(char *text, bool plus)
{
    return text_url_decode(text, plus) && utf8_valid(text, strlen(text));
}

char *url_target_segment(const char *pattern, const char *path, struct fault *f)
{
    const char *from = path + strcspn(pattern, "{");
    char *segment = strndup(from, strcspn(from, "/"));

    if (!segment) {
        fault_set(f, FAULT_INTERNAL, "out of memory");
        return NULL;
    }
    if (decode_text(segment, false))
        return segment;
    fault_set(f, FAULT_INVALID_REQUEST, "the path is not percent-encoded UTF-8");
    free(segment);
    return NULL;
}

/* `why` completes "the parameter `x` …". */
static bool refuse_parameter(struct fault *f, const char *name, const char *why)
{
    fault_set(f, FAULT_INVALID_REQUEST, "query: the parameter `%.60s` %s", name, why);
    return false;
}

static bool take_parameter(const struct url_target_parameter *table, unsigned *seen, char *name, void *out,
                           struct fault *f)
{
    char *value = strchr(name, '=');
    unsigned i = 0;

    if (value)
        *value++ = '\0';
    if (!decode_text(name, true) || (value && !decode_text(value, true))) {
        fault_set(f, FAULT_INVALID_REQUEST, "query: not percent-encoded UTF-8");
        return false;
    }
    while (table[i].name && strcmp(table[i].name, name) != 0)
        i++;
    if (!table[i].name)
        return refuse_parameter(f, name, "is not known here");
    if (*seen & 1U << i)
        return refuse_parameter(f, name, "is there twice");
    *seen |= 1U << i;
    return (value && table[i].take(value, out)) || refuse_parameter(f, name, table[i].needs);
}

bool url_target_query(char *query, const struct url_target_parameter *table, void *out, struct fault *f)
{
    unsigned seen = 0;

    if (!*query)
        return true;
    while (query)
        if (!take_parameter(table, &seen, strsep(&query, "&"), out, f))
            return false;
    return true;
}
