/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposition.c - reads a /metrics page; see exposition.h.
 */
#include "top/exposition.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_name_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == ':';
}

/* Copies the name at *at and moves behind it. */
static bool read_name(const char **at, char *out, size_t size)
{
    size_t n = 0;

    for (; is_name_letter(**at); ++*at) {
        if (n + 1 >= size)
            return false;
        out[n++] = **at;
    }
    out[n] = '\0';
    return n > 0;
}

/* The text in quotes at *at, without its escapes. */
static bool read_value(const char **at, char *out, size_t size)
{
    size_t n = 0;

    if (*(*at)++ != '"')
        return false;
    for (; **at != '"'; ++*at) {
        char c = **at;

        if (c == '\\')
            c = *++*at == 'n' ? '\n' : **at;
        if (!c || n + 1 >= size)
            return false;
        out[n++] = c;
    }
    ++*at;
    out[n] = '\0';
    return true;
}

static bool read_labels(const char **at, struct exposition_sample *s)
{
    if (**at != '{')
        return true;
    ++*at;
    while (**at != '}') {
        struct exposition_label *label = &s->labels[s->nlabels];

        if (s->nlabels == EXPOSITION_LABELS || !read_name(at, label->name, sizeof(label->name)) ||
            *(*at)++ != '=' || !read_value(at, label->value, sizeof(label->value)))
            return false;
        s->nlabels++;
        if (**at == ',')
            ++*at;
    }
    ++*at;
    return true;
}

static bool read_sample(const char *line, struct exposition_sample *s)
{
    char *end;

    *s = (struct exposition_sample){.value = 0};
    if (!read_name(&line, s->name, sizeof(s->name)) || !read_labels(&line, s) || *line++ != ' ')
        return false;
    s->value = strtod(line, &end);
    return end != line && (*end == '\n' || *end == ' ' || !*end);
}

bool exposition_next(const char **page, struct exposition_sample *s)
{
    while (**page) {
        const char *line = *page, *end = strchr(line, '\n');

        *page = end ? end + 1 : line + strlen(line);
        if (read_sample(line, s))
            return true;
    }
    return false;
}

const char *exposition_label(const struct exposition_sample *s, const char *name)
{
    for (size_t i = 0; i < s->nlabels; i++)
        if (strcmp(s->labels[i].name, name) == 0)
            return s->labels[i].value;
    return "";
}
